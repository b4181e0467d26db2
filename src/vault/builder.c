/* builder.c - take rows in, give codes out, stage chunks. See builder.h for the layout. */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "base/io.h"
#include "base/par.h"
#include "crypto/secret.h"
#include "vault/builder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char staging_name[] = "the staging file of the vault";

/* ---- life ----------------------------------------------------------------------------------- */

static void forget_records(hd_stream *s)
{
    for (size_t i = 0; i < s->n_records; i++) {
        hd_record *r = &s->records[i];
        hd_wipe_free(r->kept, (size_t)r->items * r->width);
        r->kept = NULL;
    }
}

static void stream_free(hd_stream *s)
{
    forget_records(s);
    hd_wipe_free(s->items, s->cap);
    hd_free(s->records);
    *s = (hd_stream){0};
}

void hd_built_column_free(hd_built_column *c)
{
    hd_intern_free(c->values);
    hd_free(c->used);
    c->values = NULL;
    c->used = NULL;
}

void hd_builder_free(hd_builder *b)
{
    if (!b)
        return;
    for (size_t i = 0; b->streams && i < b->n_streams; i++)
        stream_free(&b->streams[i]);
    for (size_t c = 0; b->columns && c < b->n_columns; c++)
        hd_built_column_free(&b->columns[c]);
    hd_free(b->streams);
    hd_free(b->columns);
    hd_free(b->specs);
    if (b->fd >= 0)
        close(b->fd);
    for (size_t i = 0; b->stagers && i < b->n_stagers; i++) {
        hd_sealer_free(b->stagers[i].sealer);
        hd_wipe_free(b->stagers[i].sealed, b->stagers[i].sealed_cap);
    }
    hd_free(b->stagers);
    hd_secret_free(b->key);
    hd_free(b);
}

static bool is_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return n > 0 && n < 64 && s[n] == '\0';
}

static hd_code check_specs(const char *table, const hd_column_spec *specs, size_t n, hd_err *err)
{
    if (n >= HD_MAX_COLUMNS)
        return hd_fail(err, HD_LIMIT, "table %s has %zu columns, more than %d", table, n,
                       HD_MAX_COLUMNS - 1);
    for (size_t i = 0; i < n; i++) {
        const hd_column_spec *s = &specs[i];
        if (!memchr(s->name, '\0', sizeof s->name) || s->name[0] == '\0' ||
            s->kind > HD_COLUMN_KEY || s->type > HD_BOOLEAN)
            return hd_fail(err, HD_INVALID, "table %s: column %zu is not described properly", table,
                           i + 1);
        for (size_t j = 0; j < i; j++)
            if (strcmp(s->name, specs[j].name) == 0)
                return hd_fail(err, HD_INVALID, "table %s has two columns called %s", table,
                               s->name);
    }
    return HD_OK;
}

/* A file in the vault's folder that has no name, so that it is gone whatever happens. Where the
 * file system cannot do that: made, then unlinked; should we die between, the next writer removes
 * it. */
static hd_code open_staging(hd_builder *b, hd_err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/tables", b->vault->folder);
    b->fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (b->fd >= 0)
        return HD_OK;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return hd_fail_os(err, "cannot create a file in %s", path);
    snprintf(path, sizeof path, "%s/tables/stage-XXXXXX", b->vault->folder);
    b->fd = mkostemp(path, O_CLOEXEC);
    if (b->fd < 0)
        return hd_fail_os(err, "cannot create a file in %s/tables", b->vault->folder);
    return hd_io_unlink(path, err);
}

hd_code hd_builder_new_any(hd_builder **out, hd_vault *v, const char *table,
                           const hd_column_spec *columns, size_t n_columns, hd_err *err)
{
    *out = NULL;
    if (!v->writes)
        return hd_fail(err, HD_INVALID, "the vault %s is open for reading only", v->folder);
    HD_TRY(check_specs(table, columns, n_columns, err));
    hd_builder *b = hd_calloc(1, sizeof *b);
    if (!b)
        return hd_fail_nomem(err);
    b->vault = v;
    b->fd = -1;
    b->keeps = HD_STAGE_KEPT;
    snprintf(b->table, sizeof b->table, "%s", table);
    b->n_columns = n_columns;
    b->n_streams = HD_STREAM_COLUMNS + 2 * n_columns;
    b->columns = hd_calloc(n_columns, sizeof *b->columns);
    b->specs = hd_calloc(n_columns, sizeof *b->specs);
    b->streams = hd_calloc(b->n_streams, sizeof *b->streams);
    b->n_stagers = hd_par_threads();
    b->stagers = hd_calloc(b->n_stagers, sizeof *b->stagers);
    b->key = hd_secret_new(HD_SEAL_KEY);
    hd_code rc = HD_OK;
    if (!b->columns || !b->specs || !b->streams || !b->stagers || !b->key) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    b->streams[HD_STREAM_ORDER].is_wide = true;
    for (size_t c = 0; c < n_columns; c++) {
        b->columns[c].spec = b->specs[c] = columns[c];
        if (columns[c].kind == HD_COLUMN_KEY)
            b->streams[hd_data_stream(c)].is_wide = true;
        else if (!(b->columns[c].values = hd_intern_new())) {
            rc = hd_fail_nomem(err);
            goto out;
        }
    }
    hd_random(b->key, HD_SEAL_KEY);
    for (size_t i = 0; i < b->n_stagers; i++)
        HD_GO(hd_sealer_new(&b->stagers[i].sealer, b->key, err));
    HD_GO(open_staging(b, err));
    *out = b;
    b = NULL;
out:
    hd_builder_free(b);
    return rc;
}

hd_code hd_builder_new(hd_builder **out, hd_vault *v, const char *table,
                       const hd_column_spec *columns, size_t n_columns, hd_err *err)
{
    *out = NULL;
    if (!is_name(table))
        return hd_fail(err, HD_INVALID,
                       "a table cannot be called '%s': 1 to 63 lower-case letters, "
                       "digits and _",
                       table);
    return hd_builder_new_any(out, v, table, columns, n_columns, err);
}

const char *hd_builder_table(const hd_builder *b)
{
    return b->table;
}

const hd_column_spec *hd_builder_specs(const hd_builder *b, size_t *n)
{
    *n = b->n_columns;
    return b->specs;
}

uint64_t hd_builder_rows(const hd_builder *b)
{
    return b->n_rows;
}

/* ---- dictionary ----------------------------------------------------------------------------- */

hd_code hd_builder_code(hd_builder *b, size_t column, const hd_value *value, uint32_t *code,
                        hd_err *err)
{
    HD_ALWAYS(column < b->n_columns && b->columns[column].values);
    hd_built_column *c = &b->columns[column];
    *code = 0;
    if (value->is_null)
        return HD_OK;
    HD_ALWAYS(value->type == c->spec.type);
    uint64_t bits;
    const void *bytes = &bits;
    size_t len = sizeof bits;
    if (value->type == HD_TEXT) {
        bytes = value->text.bytes;
        len = value->text.len;
        if (len > UINT32_MAX)
            return hd_fail(err, HD_LIMIT, "column %s: a text is longer than 4 GiB", c->spec.name);
    } else if (value->type == HD_DECIMAL) {
        double d = value->decimal == 0 ? 0 : value->decimal; /* one zero, not two */
        if (d != d)
            return hd_fail(err, HD_INVALID, "column %s: a value is not a number", c->spec.name);
        memcpy(&bits, &d, sizeof bits);
    } else {
        if (value->type == HD_BOOLEAN && (value->integer < 0 || value->integer > 1))
            return hd_fail(err, HD_INVALID, "column %s: a boolean is 0 or 1", c->spec.name);
        memcpy(&bits, &value->integer, sizeof bits);
    }
    uint32_t number;
    HD_TRY(hd_intern_add(c->values, len ? bytes : "", len, &number, err));
    if (number == UINT32_MAX - 1)
        return hd_fail(err, HD_LIMIT, "column %s has too many different values", c->spec.name);
    *code = number + 1;
    return HD_OK;
}

hd_value hd_builder_value(const hd_builder *b, size_t column, uint32_t code)
{
    HD_ALWAYS(column < b->n_columns && b->columns[column].values);
    const hd_built_column *c = &b->columns[column];
    hd_value v = {.type = c->spec.type, .is_null = code == 0};
    if (code == 0)
        return v;
    size_t len;
    const char *bytes = hd_intern_get(c->values, code - 1, &len);
    if (v.type == HD_TEXT) {
        v.text.bytes = bytes;
        v.text.len = len;
    } else if (v.type == HD_DECIMAL) {
        memcpy(&v.decimal, bytes, sizeof v.decimal);
    } else {
        memcpy(&v.integer, bytes, sizeof v.integer);
    }
    return v;
}

/* Note which of n codes occur, of which `most` is the highest; a code that was never given out is
 * the caller's mistake. Soon all codes are marked, and there is nothing to do. */
static hd_code mark_used(hd_built_column *c, const uint32_t *codes, size_t n, uint32_t most,
                         hd_err *err)
{
    uint32_t count = hd_intern_count(c->values);
    size_t need = (size_t)count + 1;
    HD_ALWAYS(most <= count);
    if (c->n_used == need)
        return HD_OK;
    if (need > c->used_len) {
        size_t len = need < 64 ? 64 : need * 2;
        uint8_t *used = hd_realloc(c->used, len);
        if (!used)
            return hd_fail_nomem(err);
        memset(used + c->used_len, 0, len - c->used_len);
        c->n_used += !used[0];
        used[0] = 1; /* NULL: nobody asks */
        c->used = used;
        c->used_len = len;
    }
    uint8_t *used = c->used;
    uint32_t n_used = c->n_used;
    for (size_t i = 0; i < n; i++) {
        n_used += !used[codes[i]];
        used[codes[i]] = 1;
    }
    c->n_used = n_used;
    return HD_OK;
}

/* ---- staging -------------------------------------------------------------------------------- */

#define COPY_ITEMS(from_type, to_type)                                                             \
    {                                                                                              \
        const from_type *restrict from = in;                                                       \
        to_type *restrict to = out;                                                                \
        for (size_t i = 0; i < n; i++)                                                             \
            to[i] = (to_type)from[i];                                                              \
    }

/* n items of one width as items of another that holds them. */
static void copy_items(const void *in, unsigned in_width, size_t n, void *out, unsigned width)
{
    if (in_width == width && n)
        memcpy(out, in, n * width);
    else if (in_width == 0 && n)
        memset(out, 0, n * width);
    else if (in_width == 1 && width == 2)
        COPY_ITEMS(uint8_t, uint16_t)
    else if (in_width == 1)
        COPY_ITEMS(uint8_t, uint32_t)
    else if (in_width == 2)
        COPY_ITEMS(uint16_t, uint32_t)
    else if (width == 1)
        COPY_ITEMS(uint32_t, uint8_t)
    else
        COPY_ITEMS(uint32_t, uint16_t)
}

/* Room for n items more, all of a width. What is there is moved to where it does not lie in its own
 * way, and never by realloc, which may leave a copy behind. */
static hd_code make_room(hd_stream *s, size_t n, unsigned width, hd_err *err)
{
    const size_t need = (s->n_items + n) * width;
    if (need <= s->cap && (s->width == 0 || s->width == width)) {
        if (s->width == 0)
            memset(s->items, 0, s->n_items * width);
        s->width = (uint8_t)width;
        return HD_OK;
    }
    size_t cap = need <= s->cap ? s->cap : need < 2 * s->cap ? 2 * s->cap : need;
    uint8_t *items = hd_malloc(cap);
    if (!items)
        return hd_fail_nomem(err);
    copy_items(s->items, s->width, s->n_items, items, width);
    hd_wipe_free(s->items, s->cap);
    s->items = items;
    s->cap = cap;
    s->width = (uint8_t)width;
    return HD_OK;
}

static uint32_t highest_of(const uint32_t *items, size_t n)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < n; i++)
        highest = items[i] > highest ? items[i] : highest;
    return highest;
}

/* items NULL: n zeros. *most is the highest of narrow items. */
static hd_code add_items(hd_stream *s, const void *items, size_t n, uint32_t *most, hd_err *err)
{
    *most = s->is_wide || !items ? 0 : highest_of(items, n);
    unsigned came = !items ? 0 : s->is_wide ? 8 : *most ? 4 : 0;
    unsigned width = came != 4 ? came : *most <= UINT8_MAX ? 1 : *most <= UINT16_MAX ? 2 : 4;
    width = width < s->width ? s->width : width;
    if (width) {
        HD_TRY(make_room(s, n, width, err));
        copy_items(items, came, n, s->items + s->n_items * width, width);
    }
    s->n_items += n;
    s->total += n;
    return HD_OK;
}

/* Seal a record and append it to the staging file. */
static hd_code put_away(hd_builder *b, hd_stager *g, size_t index, hd_record *record, hd_err *err)
{
    const hd_stream *s = &b->streams[index];
    size_t len = s->n_items * record->width;
    HD_TRY(hd_scratch(&g->sealed, &g->sealed_cap, len + HD_SEAL_TAG, err));
    uint8_t nonce[HD_SEAL_NONCE];
    hd_part_nonce((uint32_t)index, HD_PART_DATA, (uint32_t)s->n_records, nonce);
    HD_TRY(hd_seal(g->sealer, nonce, NULL, 0, s->items, len, g->sealed, err));
    len += HD_SEAL_TAG;
    record->at = __atomic_fetch_add(&b->staged_len, len, __ATOMIC_RELAXED);
    return hd_io_write_at(b->fd, g->sealed, len, record->at, staging_name, err);
}

static hd_code stage_stream(hd_builder *b, hd_stager *g, size_t index, hd_err *err)
{
    hd_stream *s = &b->streams[index];
    if (!HD_GROW(s->records, s->n_records, s->records_cap))
        return hd_fail_nomem(err);
    hd_record record = {.items = (uint32_t)s->n_items, .width = s->width};
    const size_t len = s->n_items * record.width;
    if (len && __atomic_fetch_add(&b->kept_len, len, __ATOMIC_RELAXED) + len <= b->keeps) {
        if (!(record.kept = hd_malloc(len)))
            return hd_fail_nomem(err);
        memcpy(record.kept, s->items, len);
    } else if (len) {
        HD_TRY(put_away(b, g, index, &record, err));
    }
    s->records[s->n_records++] = record;
    s->n_items = 0;
    s->width = 0;
    return HD_OK;
}

/* One of a few threads: streams until there are none left. */
static hd_code stage_some(void *ctx, size_t task, hd_err *err)
{
    hd_builder *b = ctx;
    for (;;) {
        size_t i = __atomic_fetch_add(&b->next_stream, 1, __ATOMIC_RELAXED);
        if (i >= b->n_streams)
            return HD_OK;
        HD_TRY(stage_stream(b, &b->stagers[task], i, err));
    }
}

hd_code hd_builder_flush(hd_builder *b, hd_err *err)
{
    if (b->streams[HD_STREAM_PERSONS].n_items == 0)
        return HD_OK;
    b->next_stream = 0;
    return hd_par_run(b->n_stagers, stage_some, b, err);
}

static hd_code append_column(hd_builder *b, size_t column, const hd_rows *rows, hd_err *err)
{
    hd_built_column *c = &b->columns[column];
    const hd_rows_column *in = &rows->columns[column];
    hd_stream *data = &b->streams[hd_data_stream(column)];
    uint64_t n = rows->n_rows;
    uint32_t most;
    if (c->spec.kind == HD_COLUMN_KEY)
        return add_items(data, in->keys, rows->n_rows, &most, err);
    if (!in->codes) {
        if (c->spec.kind == HD_COLUMN_CODES)
            return add_items(data, NULL, rows->n_rows, &most, err);
        return add_items(&b->streams[hd_counts_stream(column)], NULL, rows->n_rows, &most, err);
    }
    if (c->spec.kind == HD_COLUMN_LIST) {
        n = 0;
        for (size_t i = 0; i < rows->n_rows; i++) {
            if (in->counts[i] > HD_MAX_COUNT)
                return hd_fail(err, HD_LIMIT, "column %s: a row has more than %d elements",
                               c->spec.name, HD_MAX_COUNT);
            if (in->counts[i] > c->max_count)
                c->max_count = in->counts[i];
            n += in->counts[i];
        }
        if (data->total + n > UINT32_MAX)
            return hd_fail(err, HD_LIMIT, "column %s has more than 4,294,967,295 elements",
                           c->spec.name);
        HD_TRY(add_items(&b->streams[hd_counts_stream(column)], in->counts, rows->n_rows,
                         &most, err));
    }
    HD_TRY(add_items(data, in->codes, (size_t)n, &most, err));
    return mark_used(c, in->codes, (size_t)n, most, err);
}

struct appending {
    hd_builder *builder;
    const hd_rows *rows;
};

static hd_code append_one(void *ctx, size_t column, hd_err *err)
{
    const struct appending *a = ctx;
    return append_column(a->builder, column, a->rows, err);
}

hd_code hd_builder_append(hd_builder *b, const hd_rows *rows, hd_err *err)
{
    enum { MANY = 16 * 1024 }; /* rows that are worth starting threads for */
    uint32_t most;
    HD_ALWAYS(rows->n_rows <= HD_BLOCK_ROWS);
    if (rows->n_rows == 0)
        return HD_OK;
    if (b->n_rows + rows->n_rows > HD_MAX_ROWS)
        return hd_fail(err, HD_LIMIT, "table %s has more than 4,294,967,294 rows", b->table);
    if (b->streams[HD_STREAM_PERSONS].n_items + rows->n_rows > HD_BLOCK_ROWS)
        HD_TRY(hd_builder_flush(b, err));
    HD_TRY(add_items(&b->streams[HD_STREAM_PERSONS], rows->persons, rows->n_rows, &most,
                     err));
    HD_TRY(add_items(&b->streams[HD_STREAM_ORDER], rows->order, rows->n_rows, &most, err));
    struct appending a = {b, rows};
    if (rows->n_rows >= MANY)
        HD_TRY(hd_par_run(b->n_columns, append_one, &a, err));
    for (size_t c = 0; c < b->n_columns && rows->n_rows < MANY; c++)
        HD_TRY(append_column(b, c, rows, err));
    b->n_rows += rows->n_rows;
    return HD_OK;
}

/* ---- reading staged records back ------------------------------------------------------------ */

hd_code hd_stage_reader_init(hd_stage_reader *r, const hd_builder *b, hd_err *err)
{
    *r = (hd_stage_reader){.builder = b};
    return hd_sealer_new(&r->sealer, b->key, err);
}

void hd_stage_reader_fini(hd_stage_reader *r)
{
    hd_sealer_free(r->sealer);
    hd_wipe_free(r->sealed, r->sealed_cap);
    hd_wipe_free(r->plain, r->plain_cap);
    *r = (hd_stage_reader){0};
}

hd_code hd_stage_read(hd_stage_reader *r, size_t stream, size_t record, const uint8_t **out,
                      hd_err *err)
{
    const hd_record *rec = &r->builder->streams[stream].records[record];
    size_t len = (size_t)rec->items * rec->width;
    *out = NULL;
    if (len == 0)
        return HD_OK;
    if (rec->kept) {
        *out = rec->kept;
        return HD_OK;
    }
    HD_TRY(hd_scratch(&r->plain, &r->plain_cap, len, err));
    *out = r->plain;
    HD_TRY(hd_scratch(&r->sealed, &r->sealed_cap, len + HD_SEAL_TAG, err));
    HD_TRY(hd_io_read_at(r->builder->fd, r->sealed, len + HD_SEAL_TAG, rec->at, staging_name, err));
    uint8_t nonce[HD_SEAL_NONCE];
    hd_part_nonce((uint32_t)stream, HD_PART_DATA, (uint32_t)record, nonce);
    if (!hd_unseal(r->sealer, nonce, NULL, 0, r->sealed, len, r->plain))
        return hd_fail(err, HD_CRYPTO, "%s changed while it was used: the disk is faulty",
                       staging_name);
    return HD_OK;
}

void hd_stage_forget(hd_builder *b, size_t stream)
{
    forget_records(&b->streams[stream]);
}
