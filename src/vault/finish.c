/* finish.c - from a builder's staged chunks to a sealed table file.
 *
 * First the order of rows is found (arrange.c). Then each column goes its way alone, a few at a
 * time:
 * sort its dictionary, read its chunks, renumber, put rows in order block by block, seal. Memory:
 * 24 bytes a row while sorting, then 8 bytes a row for persons and order and the items of the
 * columns in hand.
 */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "base/par.h"
#include "base/progress.h"
#include "vault/builder.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- the order of rows ---------------------------------------------------------------------- */

struct row_order {
    uint64_t n;
    uint32_t *persons; /* by arrival */
    int64_t *keys;     /* by arrival */
    uint32_t *rows;    /* output position to arrival number; NULL: rows arrived in order */
};

static void row_order_free(struct row_order *o)
{
    hd_secret_unmap(o->persons, o->n * sizeof *o->persons);
    hd_secret_unmap(o->keys, o->n * sizeof *o->keys);
    hd_secret_unmap(o->rows, o->n * sizeof *o->rows);
    *o = (struct row_order){0};
}

#define COPY_ITEMS(from_type, to_type, value)                                                      \
    {                                                                                              \
        const from_type *from = (const from_type *)(const void *)in;                               \
        to_type *to = (to_type *)(void *)out;                                                      \
        for (uint32_t i = 0; i < n; i++)                                                           \
            to[i] = (to_type)(value);                                                              \
    }
#define COPY_FROM(from_type)                                                                       \
    {                                                                                              \
        if (map && width == 1)                                                                     \
            COPY_ITEMS(from_type, uint8_t, map[from[i]])                                           \
        else if (map && width == 2)                                                                \
            COPY_ITEMS(from_type, uint16_t, map[from[i]])                                          \
        else if (map)                                                                              \
            COPY_ITEMS(from_type, uint32_t, map[from[i]])                                          \
        else                                                                                       \
            COPY_ITEMS(from_type, uint32_t, from[i])                                               \
    }

/* n staged items to `width` bytes each, renumbered by map when there is one (0 stays 0). */
static void widen(const uint8_t *in, unsigned staged_width, uint32_t n, unsigned width,
                  const uint32_t *map, uint8_t *out)
{
    if (staged_width == 0)
        memset(out, 0, (size_t)n * width);
    else if (staged_width == 8)
        memcpy(out, in, (size_t)n * 8);
    else if (staged_width == 1)
        COPY_FROM(uint8_t)
    else if (staged_width == 2)
        COPY_FROM(uint16_t)
    else
        COPY_FROM(uint32_t)
}

/* All items of a stream, `width` bytes each in out: 4 or 8 as they are, or 1, 2, 4 by a map. */
static hd_code read_stream(hd_stage_reader *r, size_t stream, unsigned width, const uint32_t *map,
                           uint8_t *out, hd_err *err)
{
    const hd_stream *s = &r->builder->streams[stream];
    for (size_t k = 0; k < s->n_records; k++) {
        const hd_record *rec = &s->records[k];
        const uint8_t *in;
        HD_TRY(hd_stage_read(r, stream, k, &in, err));
        widen(in, rec->width, rec->items, width, map, out);
        out += (size_t)rec->items * width;
    }
    return HD_OK;
}

static hd_code find_order(struct row_order *o, hd_builder *b, hd_err *err)
{
    *o = (struct row_order){.n = b->n_rows};
    hd_stage_reader r;
    HD_TRY(hd_stage_reader_init(&r, b, err));
    hd_code rc = HD_OK;
    o->persons = hd_secret_map(o->n * sizeof *o->persons);
    o->keys = hd_secret_map(o->n * sizeof *o->keys);
    if (!o->persons || !o->keys) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(read_stream(&r, HD_STREAM_PERSONS, 4, NULL, (uint8_t *)o->persons, err));
    HD_GO(read_stream(&r, HD_STREAM_ORDER, 8, NULL, (uint8_t *)o->keys, err));
    hd_stage_forget(b, HD_STREAM_PERSONS);
    hd_stage_forget(b, HD_STREAM_ORDER);
    HD_GO(hd_arrange(o->persons, o->keys, (uint32_t)o->n, &o->rows, err));
    hd_secret_unmap(o->keys, o->n * sizeof *o->keys);
    o->keys = NULL;
out:
    hd_stage_reader_fini(&r);
    return rc;
}

/* ---- dictionaries --------------------------------------------------------------------------- */

struct sorting {
    const hd_builder *builder;
    size_t column;
};

static int by_value(const void *a, const void *b, void *ctx)
{
    const struct sorting *s = ctx;
    hd_value x = hd_builder_value(s->builder, s->column, *(const uint32_t *)a);
    hd_value y = hd_builder_value(s->builder, s->column, *(const uint32_t *)b);
    return hd_value_compare(&x, &y);
}

/* The codes that occur, in ascending order of value. */
static hd_code sorted_codes(const hd_builder *b, size_t column, uint32_t **out, uint32_t *n,
                            hd_err *err)
{
    const hd_built_column *c = &b->columns[column];
    uint32_t count = hd_intern_count(c->values);
    uint32_t *codes = hd_malloc(((size_t)count + 1) * sizeof *codes);
    if (!codes)
        return hd_fail_nomem(err);
    *n = 0;
    for (uint32_t code = 1; code <= count; code++)
        if (code < c->used_len && c->used[code])
            codes[(*n)++] = code;
    struct sorting s = {b, column};
    qsort_r(codes, *n, sizeof *codes, by_value, &s);
    *out = codes;
    return HD_OK;
}

static void encode_dictionary(const hd_builder *b, size_t column, const uint32_t *codes, uint32_t n,
                              hd_buf *out)
{
    bool is_text = b->columns[column].spec.type == HD_TEXT;
    for (uint32_t i = 0; i < n; i++) {
        hd_value v = hd_builder_value(b, column, codes[i]);
        uint32_t len = (uint32_t)v.text.len;
        if (is_text)
            hd_buf_add(out, &len, sizeof len);
        else if (v.type == HD_DECIMAL)
            hd_buf_add(out, &v.decimal, sizeof v.decimal);
        else
            hd_buf_add(out, &v.integer, sizeof v.integer);
    }
    for (uint32_t i = 0; is_text && i < n; i++) {
        hd_value v = hd_builder_value(b, column, codes[i]);
        hd_buf_add(out, v.text.bytes, v.text.len);
    }
}

/* Seal the dictionary; *map_out turns the builder's codes into the file's. */
static hd_code write_dictionary(hd_builder *b, size_t column, hd_packer *p, hd_file_column *col,
                                uint32_t **map_out, hd_err *err)
{
    uint32_t *codes = NULL, n = 0;
    *map_out = NULL;
    HD_TRY(sorted_codes(b, column, &codes, &n, err));
    hd_buf plain;
    hd_buf_init(&plain, SIZE_MAX / 2);
    hd_code rc = HD_OK;
    uint32_t *map = hd_calloc((size_t)hd_intern_count(b->columns[column].values) + 1, sizeof *map);
    if (!map) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (uint32_t i = 0; i < n; i++)
        map[codes[i]] = i + 1;
    encode_dictionary(b, column, codes, n, &plain);
    HD_GO(hd_buf_check(&plain, err));
    col->n_codes = n + 1;
    col->dictionary_len = plain.len;
    HD_GO(hd_packer_part(p, (uint32_t)column + 1, HD_PART_DICTIONARY, 0, 0, col->n_codes,
                         plain.data, plain.len, &col->dictionary, err));
    *map_out = map;
    map = NULL;
out:
    if (plain.len)
        explicit_bzero(plain.data, plain.len);
    hd_buf_free(&plain);
    hd_free(map);
    hd_free(codes);
    hd_built_column_free(&b->columns[column]);
    return rc;
}

/* ---- columns -------------------------------------------------------------------------------- */

struct finish {
    hd_builder *b;
    hd_file_writer *f;
    struct row_order order;
    hd_directory d;
    uint32_t next_column; /* changed atomically */
    pthread_mutex_t progress_lock;
    hd_progress progress;
    uint32_t n_done;
};

struct worker {
    struct finish *fin;
    hd_packer packer;
    hd_stage_reader reader;
    struct room {
        void *bytes;
        size_t cap;
    } items, starts, block, sources; /* kept from column to column: new memory has to be cleared */
    void *zeros;                     /* a block of the widest items */
};

/* At least `need` bytes, whatever is in them. */
static hd_code make_room(struct room *r, size_t need, hd_err *err)
{
    if (need <= r->cap)
        return HD_OK;
    hd_secret_unmap(r->bytes, r->cap);
    r->cap = 0;
    if (!(r->bytes = hd_secret_map(need)))
        return hd_fail_nomem(err);
    r->cap = need;
    return HD_OK;
}

static void worker_fini(struct worker *w)
{
    hd_secret_unmap(w->items.bytes, w->items.cap);
    hd_secret_unmap(w->starts.bytes, w->starts.cap);
    hd_secret_unmap(w->block.bytes, w->block.cap);
    hd_secret_unmap(w->sources.bytes, w->sources.cap);
    hd_free(w->zeros);
    hd_stage_reader_fini(&w->reader);
    hd_packer_fini(&w->packer);
}

#define GATHER(type)                                                                               \
    {                                                                                              \
        const type *from = in;                                                                     \
        type *to = out;                                                                            \
        for (uint32_t i = 0; i < n; i++)                                                           \
            to[i] = from[rows[i]];                                                                 \
    }

/* n items of output rows first .. first + n - 1 */
static void gather(const void *in, unsigned width, const uint32_t *rows, uint64_t first, uint32_t n,
                   void *out)
{
    if (!rows) {
        memcpy(out, (const uint8_t *)in + first * width, (size_t)n * width);
        return;
    }
    rows += first;
    if (width == 1)
        GATHER(uint8_t)
    else if (width == 2)
        GATHER(uint16_t)
    else if (width == 4)
        GATHER(uint32_t)
    else
        GATHER(uint64_t)
}

static void note_range(hd_block *b, const void *items, unsigned width)
{
    if (width < 8 && b->items)
        hd_extremes(items, width, b->items, &b->lowest, &b->highest);
}

static hd_code write_block(struct worker *w, uint32_t column, uint32_t block, const void *items,
                           hd_err *err)
{
    const hd_file_column *col = &w->fin->d.columns[column];
    hd_block *b = &col->blocks[block];
    uint32_t rows = hd_rows_of_block(w->fin->d.rows, block), base = b->lowest, highest = b->highest;
    if (col->width == 8)
        return hd_packer_part(&w->packer, column, HD_PART_DATA, block, rows, b->items, items,
                              (size_t)b->items * 8, &b->data, err);
    if (col->kind == HD_KIND_PERSON && b->items) /* differences; the first is 0 */
        hd_extremes(items, col->width, b->items, &base, &highest);
    return hd_packer_items(&w->packer, column, HD_PART_DATA, block, rows, b->items, items,
                           col->width, b->items, col->kind == HD_KIND_PERSON ? 0 : base, highest,
                           &b->data, err);
}

/* One item a row: persons, codes, keys. `items` by arrival. */
static hd_code write_plain_column(struct worker *w, uint32_t column, const void *items, hd_err *err)
{
    struct finish *fin = w->fin;
    hd_file_column *col = &fin->d.columns[column];
    HD_TRY(make_room(&w->block, (size_t)HD_BLOCK_ROWS * col->width, err));
    uint8_t *out = w->block.bytes;
    col->n_items = fin->d.rows;
    for (uint32_t k = 0; k < fin->d.n_blocks; k++) {
        hd_block *b = &col->blocks[k];
        b->items = hd_rows_of_block(fin->d.rows, k);
        gather(items, col->width, fin->order.rows, (uint64_t)k * HD_BLOCK_ROWS, b->items, out);
        note_range(b, out, col->width);
        if (col->kind == HD_KIND_PERSON) {
            uint32_t *persons = (uint32_t *)(void *)out;
            for (uint32_t i = b->items - 1; i > 0; i--)
                persons[i] -= persons[i - 1];
            persons[0] = 0; /* it is the block's lowest */
        }
        HD_TRY(write_block(w, column, k, out, err));
    }
    return HD_OK;
}

/* The elements of the block's rows one after another; rows are short, so they are copied by element
 * and not by memcpy. */
#define GATHER_LISTS(type)                                                                         \
    {                                                                                              \
        const type *from = (const type *)(const void *)items;                                      \
        type *to = out;                                                                            \
        for (uint32_t i = 0; i < n; i++)                                                           \
            for (uint32_t e = at[i].first; e < at[i].end; e++)                                     \
                *to++ = from[e];                                                                   \
    }

struct range {
    uint32_t first, end;
};

static void gather_lists(const uint8_t *items, unsigned width, const struct range *at, uint32_t n,
                         void *out)
{
    if (width == 1)
        GATHER_LISTS(uint8_t)
    else if (width == 2)
        GATHER_LISTS(uint16_t)
    else
        GATHER_LISTS(uint32_t)
}

/* Lists: `items` by arrival, starts[i] the first element of arriving row i. */
static hd_code write_list_block(struct worker *w, uint32_t column, uint32_t block,
                                const uint8_t *items, const uint32_t *starts, struct range *sources,
                                void *counts, hd_err *err)
{
    struct finish *fin = w->fin;
    hd_file_column *col = &fin->d.columns[column];
    hd_block *b = &col->blocks[block];
    uint32_t rows = hd_rows_of_block(fin->d.rows, block);
    uint64_t first = (uint64_t)block * HD_BLOCK_ROWS, total = 0;
    uint32_t most = 0;
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t row = fin->order.rows ? fin->order.rows[first + i] : first + i;
        sources[i] = (struct range){starts[row], starts[row + 1]};
        uint32_t count = sources[i].end - sources[i].first;
        most = count > most ? count : most;
        if (col->count_width == 1)
            ((uint8_t *)counts)[i] = (uint8_t)count;
        else
            ((uint16_t *)counts)[i] = (uint16_t)count;
        total += count;
    }
    b->items = (uint32_t)total; /* the whole column has fewer than 2^32 */
    HD_TRY(make_room(&w->block, (size_t)total * col->width + 1, err));
    gather_lists(items, col->width, sources, rows, w->block.bytes);
    note_range(b, w->block.bytes, col->width);
    HD_TRY(write_block(w, column, block, w->block.bytes, err));
    return hd_packer_items(&w->packer, column, HD_PART_COUNTS, block, rows, b->items, counts,
                           col->count_width, rows, 0, most, &b->counts, err);
}

static hd_code write_list_column(struct worker *w, uint32_t column, const uint8_t *items,
                                 hd_err *err)
{
    struct finish *fin = w->fin;
    uint64_t n = fin->d.rows;
    uint8_t *counts = NULL;
    size_t counts_cap = 0;
    hd_code rc = HD_OK;
    HD_TRY(make_room(&w->starts, (n + 1) * sizeof(uint32_t), err));
    HD_TRY(make_room(&w->sources, HD_BLOCK_ROWS * sizeof(struct range), err));
    uint32_t *starts = w->starts.bytes;
    starts[0] = 0;
    HD_GO(read_stream(&w->reader, hd_counts_stream(column - 1), 4, NULL, (uint8_t *)(starts + 1),
                      err));
    hd_stage_forget(fin->b, hd_counts_stream(column - 1));
    for (uint64_t i = 0; i < n; i++)
        starts[i + 1] += starts[i];
    HD_GO(hd_scratch(&counts, &counts_cap, HD_BLOCK_ROWS * sizeof(uint16_t), err));
    for (uint32_t k = 0; k < fin->d.n_blocks; k++)
        HD_GO(write_list_block(w, column, k, items, starts, w->sources.bytes, counts, err));
out:
    hd_wipe_free(counts, counts_cap);
    return rc;
}

/* A column in which every row is NULL or an empty list, as are all those that no file delivered:
 * there is nothing to read and nothing to put in order. */
static bool is_empty_column(const hd_builder *b, size_t index)
{
    const hd_stream *streams[] = {&b->streams[hd_data_stream(index)],
                                  &b->streams[hd_counts_stream(index)]};
    for (size_t s = 0; s < 2; s++)
        for (size_t k = 0; k < streams[s]->n_records; k++)
            if (streams[s]->records[k].width)
                return false;
    /* a list may hold NULLs and nothing else */
    return b->columns[index].spec.kind != HD_COLUMN_LIST || streams[0]->total == 0;
}

static hd_code write_empty_column(struct worker *w, uint32_t column, hd_err *err)
{
    const struct finish *fin = w->fin;
    const hd_file_column *col = &fin->d.columns[column];
    bool is_list = col->kind == HD_COLUMN_LIST;
    if (!w->zeros && !(w->zeros = hd_calloc(HD_BLOCK_ROWS, 8)))
        return hd_fail_nomem(err);
    for (uint32_t k = 0; k < fin->d.n_blocks; k++) {
        hd_block *b = &col->blocks[k];
        uint32_t rows = hd_rows_of_block(fin->d.rows, k);
        b->items = is_list ? 0 : rows;
        HD_TRY(write_block(w, column, k, w->zeros, err));
        if (is_list)
            HD_TRY(hd_packer_items(&w->packer, column, HD_PART_COUNTS, k, rows, 0, w->zeros,
                                   col->count_width, rows, 0, 0, &b->counts, err));
    }
    return HD_OK;
}

static hd_code finish_column(struct worker *w, uint32_t column, hd_err *err)
{
    struct finish *fin = w->fin;
    hd_file_column *col = &fin->d.columns[column];
    if (column == 0) {
        col->kind = HD_KIND_PERSON;
        col->width = 4;
        return write_plain_column(w, 0, fin->order.persons, err);
    }
    size_t index = column - 1;
    const hd_built_column *c = &fin->b->columns[index];
    col->spec = c->spec;
    col->kind = (uint8_t)c->spec.kind;
    col->n_items = fin->b->streams[hd_data_stream(index)].total;
    col->width = 8;
    uint32_t *map = NULL;
    if (col->kind != HD_COLUMN_KEY) {
        HD_TRY(write_dictionary(fin->b, index, &w->packer, col, &map, err));
        col->width = (uint8_t)hd_width_of_codes(col->n_codes);
    }
    if (col->kind == HD_COLUMN_LIST)
        col->count_width = c->max_count <= UINT8_MAX ? 1 : 2;
    hd_code rc = HD_OK;
    if (is_empty_column(fin->b, index)) {
        rc = write_empty_column(w, column, err);
        goto out;
    }
    HD_GO(make_room(&w->items, (size_t)col->n_items * col->width, err));
    HD_GO(read_stream(&w->reader, hd_data_stream(index), col->width, map, w->items.bytes, err));
    hd_stage_forget(fin->b, hd_data_stream(index));
    if (col->kind == HD_COLUMN_LIST)
        HD_GO(write_list_column(w, column, w->items.bytes, err));
    else
        HD_GO(write_plain_column(w, column, w->items.bytes, err));
out:
    hd_free(map);
    return rc;
}

/* One of a few workers: columns until there are none left. */
static hd_code work(void *ctx, size_t task, hd_err *err)
{
    (void)task;
    struct finish *fin = ctx;
    struct worker w = {.fin = fin};
    HD_TRY(hd_packer_init(&w.packer, fin->f, err));
    hd_code rc = hd_stage_reader_init(&w.reader, fin->b, err);
    while (rc == HD_OK) {
        uint32_t column = __atomic_fetch_add(&fin->next_column, 1, __ATOMIC_RELAXED);
        if (column >= fin->d.n_columns)
            break;
        rc = finish_column(&w, column, err);
        pthread_mutex_lock(&fin->progress_lock);
        hd_progress_at(&fin->progress, ++fin->n_done);
        pthread_mutex_unlock(&fin->progress_lock);
    }
    if (rc != HD_OK)
        __atomic_store_n(&fin->next_column, fin->d.n_columns, __ATOMIC_RELAXED);
    worker_fini(&w);
    return rc;
}

/* As many columns at a time as there are processors and as fit into a quarter of a gigabyte. */
static size_t n_workers(uint64_t rows, uint32_t n_columns)
{
    uint64_t fit = (UINT64_C(256) << 20) / (rows * 16 + 1), most = hd_par_threads();
    most = most > n_columns ? n_columns : most;
    return (size_t)(fit < 1 ? 1 : fit > most ? most : fit);
}

hd_code hd_builder_finish(hd_builder *b, hd_file_writer *f, uint64_t *rows, uint64_t *file_len,
                          hd_err *err)
{
    struct finish fin = {.b = b, .f = f};
    hd_packer last = {0};
    hd_code rc;
    f->end = HD_HEADER_LEN;
    pthread_mutex_init(&fin.progress_lock, NULL);
    HD_GO(hd_builder_flush(b, err));
    HD_GO(find_order(&fin.order, b, err));
    HD_GO(hd_directory_new(&fin.d, b->n_rows, (uint32_t)b->n_columns + 1, err));
    hd_progress_begin(&fin.progress, "sealing", fin.d.n_columns);
    rc = hd_par_run(n_workers(fin.d.rows, fin.d.n_columns), work, &fin, err);
    hd_progress_end(&fin.progress);
    if (rc != HD_OK)
        goto out;
    HD_GO(hd_packer_init(&last, f, err));
    HD_GO(hd_packer_finish(&last, &fin.d, file_len, err));
    *rows = fin.d.rows;
out:
    hd_packer_fini(&last);
    row_order_free(&fin.order);
    hd_directory_free(&fin.d);
    pthread_mutex_destroy(&fin.progress_lock);
    return rc;
}
