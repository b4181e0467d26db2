/* output.c - see output.h. Rows wait as groups of source rows until there is a block of them; then
 * each column fills its part of the block by itself, several columns at a time, and the builder
 * takes it in. That goes on in a thread of its own while the next block is put. Invariant: columns
 * and builder are touched by that thread only while it runs, and the blocks change places only
 * while it does not. */
#include "derive/output.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"

typedef enum take { TAKE_COMPUTED, TAKE_FIRST, TAKE_LAST, TAKE_ANY } take;

/* Computed values near zero (flags, counts, stays, days since 1970) are looked up in an array. */
enum { CACHE_LOW = -32768, CACHE_SIZE = 131072 };

typedef struct out_column {
    take take;
    hd_column_kind kind;
    hd_type type;
    size_t number;             /* TAKE_COMPUTED: position in the computed values */
    const char *const *labels; /* TAKE_COMPUTED, HD_TEXT */
    hd_source_column source;   /* others */
    uint32_t *translated; /* builder's code by source code, made for the first block; or by value -
                             CACHE_LOW, 0: not yet */
    bool is_translated;
    uint32_t *codes;      /* of this block */
    size_t n_codes, codes_cap;
    uint32_t *counts; /* lists */
    uint64_t *keys;   /* keys */
} out_column;

typedef struct block {
    size_t n_rows;
    uint64_t *rows; /* source rows of all of them */
    size_t n_sources, sources_cap;
    uint32_t *first;   /* n_rows + 1: where the rows of each begin */
    int64_t *computed; /* value i of row r at i * HD_BLOCK_ROWS + r */
    uint32_t *persons;
    int64_t *order;
} block;

struct hd_output {
    hd_builder *builder;
    size_t n_columns;
    out_column *columns;
    hd_rows_column *rows_columns;
    size_t n_computed;
    block blocks[2], *put, *away; /* rows are put; is filled in and appended */
    int64_t next_order;
    pthread_t thread;
    bool is_running; /* the thread; when it is not, `away` is empty */
    hd_code away_rc;
    hd_err away_err;
};

static const hd_computed *find_computed(const hd_computed *computed, size_t n, const char *name,
                                        size_t *number)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(computed[i].name, name) == 0) {
            *number = i;
            return &computed[i];
        }
    return NULL;
}

static hd_code open_computed(out_column *col, const hd_table_def *def, const hd_field *f,
                             const hd_computed *c, hd_err *err)
{
    if (!c || f->kind != HD_FIELD_STORED || f->type != c->type)
        return hd_fail(err, HD_FORMAT, "table %s: derivation %s does not compute a %s field %s",
                       def->name, def->derivation, hd_type_name(f->type), f->name);
    col->take = TAKE_COMPUTED;
    col->kind = HD_COLUMN_CODES;
    col->labels = c->labels;
    col->translated = hd_calloc(CACHE_SIZE, sizeof(uint32_t));
    return col->translated ? HD_OK : hd_fail_nomem(err);
}

static hd_code open_taken(out_column *col, const hd_table_def *def, const hd_field *f,
                          hd_source *source, hd_err *err)
{
    static const char *const names[] = {"", "first", "last", "any"};
    while (col->take <= TAKE_ANY && strcmp(f->take, names[col->take]) != 0)
        col->take++;
    if (col->take > TAKE_ANY || col->take == TAKE_COMPUTED)
        return hd_fail(err, HD_FORMAT, "table %s: field %s says neither take: first, last nor any",
                       def->name, f->name);
    HD_TRY(hd_source_load(source, f->from, &col->source, err));
    col->kind = f->kind == HD_FIELD_LIST  ? HD_COLUMN_LIST
                : f->kind == HD_FIELD_KEY ? HD_COLUMN_KEY
                                          : HD_COLUMN_CODES;
    if (!col->source.column)
        return HD_OK;
    const hd_dictionary *d = col->source.dictionary;
    if (col->kind != col->source.kind || (d && d->type != f->type))
        return hd_fail(err, HD_FORMAT, "table %s: field %s is of another kind or type than %s.%s",
                       def->name, f->name, source->def->name, f->from);
    if (!d)
        return HD_OK;
    col->translated = hd_calloc(d->n_codes, sizeof(uint32_t));
    return col->translated ? HD_OK : hd_fail_nomem(err);
}

/* Room for one block; lists grow as they need. */
static bool open_block(out_column *col)
{
    bool is_key = col->kind == HD_COLUMN_KEY, is_list = col->kind == HD_COLUMN_LIST;
    if (is_key)
        return (col->keys = hd_calloc(HD_BLOCK_ROWS, sizeof *col->keys)) != NULL;
    if (is_list && !(col->counts = hd_calloc(HD_BLOCK_ROWS, sizeof *col->counts)))
        return false;
    col->codes_cap = HD_BLOCK_ROWS;
    return (col->codes = hd_calloc(HD_BLOCK_ROWS, sizeof *col->codes)) != NULL;
}

/* Expressions are not stored, and the person is the person number. */
static bool is_stored(const hd_field *f)
{
    return f->kind == HD_FIELD_STORED || f->kind == HD_FIELD_LIST || f->kind == HD_FIELD_KEY;
}

static hd_code open_column(hd_output *o, hd_column_spec *spec, const hd_table_def *def,
                           const hd_field *f, hd_source *source, const hd_computed *computed,
                           size_t n_computed, hd_err *err)
{
    out_column *col = &o->columns[o->n_columns++];
    *col = (out_column){.type = f->type};
    if (f->from[0])
        HD_TRY(open_taken(col, def, f, source, err));
    else
        HD_TRY(open_computed(col, def, f,
                             find_computed(computed, n_computed, f->name, &col->number), err));
    if (!open_block(col))
        return hd_fail_nomem(err);
    *spec = (hd_column_spec){.kind = col->kind, .type = f->type};
    HD_ALWAYS(strlen(f->name) < sizeof spec->name);
    strcpy(spec->name, f->name);
    return HD_OK;
}

static bool make_block(block *k, size_t n_computed)
{
    k->computed = hd_calloc(n_computed * HD_BLOCK_ROWS, sizeof *k->computed);
    k->first = hd_calloc(HD_BLOCK_ROWS + 1, sizeof *k->first);
    k->persons = hd_calloc(HD_BLOCK_ROWS, sizeof *k->persons);
    k->order = hd_calloc(HD_BLOCK_ROWS, sizeof *k->order);
    return k->computed && k->first && k->persons && k->order;
}

static void free_block(block *k)
{
    hd_free(k->rows);
    hd_free(k->first);
    hd_free(k->computed);
    hd_free(k->persons);
    hd_free(k->order);
}

hd_code hd_output_open(hd_output **out, hd_vault *v, const hd_table_def *def, hd_source *source,
                       const hd_computed *computed, size_t n_computed, hd_err *err)
{
    *out = NULL;
    hd_code rc = HD_OK;
    hd_column_spec *specs = hd_calloc(def->n_fields + 1, sizeof *specs);
    hd_output *o = hd_calloc(1, sizeof *o);
    if (o) {
        o->columns = hd_calloc(def->n_fields + 1, sizeof *o->columns);
        o->rows_columns = hd_calloc(def->n_fields + 1, sizeof *o->rows_columns);
        o->n_computed = n_computed;
        o->put = &o->blocks[0];
        o->away = &o->blocks[1];
    }
    if (!specs || !o || !o->columns || !o->rows_columns || !make_block(o->put, n_computed)) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < def->n_fields; i++)
        if (is_stored(&def->fields[i]))
            HD_GO(open_column(o, &specs[o->n_columns], def, &def->fields[i], source, computed,
                              n_computed, err));
    HD_GO(hd_builder_new(&o->builder, v, def->name, specs, o->n_columns, err));
    *out = o;
out:
    hd_free(specs);
    if (rc != HD_OK)
        hd_output_free(o);
    return rc;
}

void hd_output_free(hd_output *o)
{
    if (!o)
        return;
    if (o->is_running)
        pthread_join(o->thread, NULL);
    for (size_t i = 0; i < o->n_columns; i++) {
        hd_free(o->columns[i].translated);
        hd_free(o->columns[i].codes);
        hd_free(o->columns[i].counts);
        hd_free(o->columns[i].keys);
    }
    hd_builder_free(o->builder);
    hd_free(o->columns);
    hd_free(o->rows_columns);
    free_block(&o->blocks[0]);
    free_block(&o->blocks[1]);
    hd_free(o);
}

/* ---- values --------------------------------------------------------------------------------- */

/* All values of the source's dictionary; the builder leaves out again those that no row has. */
static hd_code translate(hd_output *o, size_t c, hd_err *err)
{
    out_column *col = &o->columns[c];
    const hd_dictionary *d = col->source.dictionary;
    for (uint32_t code = 1; d && code < d->n_codes && !col->is_translated; code++) {
        hd_value value = hd_dictionary_value(d, code);
        HD_TRY(hd_builder_code(o->builder, c, &value, &col->translated[code], err));
    }
    col->is_translated = true;
    return HD_OK;
}

static hd_code computed_code(hd_output *o, size_t c, int64_t number, uint32_t *out, hd_err *err)
{
    out_column *col = &o->columns[c];
    *out = 0;
    if (number == HD_COMPUTED_NONE)
        return HD_OK;
    bool is_near = number >= CACHE_LOW && number < CACHE_LOW + CACHE_SIZE;
    uint32_t *cached = is_near ? &col->translated[number - CACHE_LOW] : NULL;
    if (!cached || *cached == 0) {
        hd_value value = {.type = col->type, .integer = number};
        if (col->type == HD_TEXT) {
            value.text.bytes = col->labels[number];
            value.text.len = strlen(col->labels[number]);
        }
        HD_TRY(hd_builder_code(o->builder, c, &value, out, err));
        if (cached)
            *cached = *out;
    }
    if (cached)
        *out = *cached;
    return HD_OK;
}

/* The row whose value output row `at` takes; for `any` the first that has one. */
static inline uint64_t taken_row(const block *k, take how, const void *items, size_t width,
                                 size_t at)
{
    const uint64_t *rows = k->rows + k->first[at];
    const size_t n_rows = k->first[at + 1] - k->first[at];
    if (how == TAKE_LAST)
        return rows[n_rows - 1];
    static const uint64_t none;
    for (size_t i = 0; i < n_rows && how == TAKE_ANY; i++)
        if (memcmp((const uint8_t *)items + rows[i] * width, &none, width) != 0)
            return rows[i];
    return rows[0];
}

static bool contains(const uint32_t *codes, size_t n, uint32_t code)
{
    for (size_t i = 0; i < n; i++)
        if (codes[i] == code)
            return true;
    return false;
}

/* Translate elements e to end of the source's items to the end of the list at `codes`, which has n
 * so far. What it has already is left out when `adds` says so (gaps too, so that no trailing gap
 * appears). The new length. */
#define ADD_ELEMENTS(type)                                                                         \
    {                                                                                              \
        const type *from = col->source.column->data;                                               \
        for (; e < end; e++) {                                                                     \
            uint32_t code = col->translated[from[e]];                                              \
            if (!adds || (code != 0 && !contains(codes, n, code)))                                 \
                codes[n++] = code;                                                                 \
        }                                                                                          \
    }
static uint32_t add_elements(const out_column *col, uint64_t e, uint64_t end, bool adds,
                             uint32_t *codes, uint32_t n)
{
    if (col->source.column->width == 1)
        ADD_ELEMENTS(uint8_t)
    else if (col->source.column->width == 2)
        ADD_ELEMENTS(uint16_t)
    else
        ADD_ELEMENTS(uint32_t)
    return n;
}

static hd_code put_list(out_column *col, const uint64_t *rows, size_t n_rows, uint32_t *count,
                        hd_err *err)
{
    const bool is_any = col->take == TAKE_ANY;
    uint64_t e, end, most = 0;
    if (col->take == TAKE_LAST)
        rows += n_rows - 1;
    for (size_t i = 0; i < (is_any ? n_rows : 1); i++) {
        hd_source_elements(&col->source, rows[i], &e, &end);
        most += end - e;
    }
    while (col->n_codes + most > col->codes_cap)
        if (!hd_grow_((void **)&col->codes, &col->codes_cap, sizeof *col->codes))
            return hd_fail_nomem(err);
    *count = 0;
    for (size_t i = 0; i < (is_any ? n_rows : 1); i++) {
        hd_source_elements(&col->source, rows[i], &e, &end);
        *count = add_elements(col, e, end, i > 0, col->codes + col->n_codes, *count);
    }
    col->n_codes += *count;
    return HD_OK;
}

/* The compiler makes a loop for each way of taking. */
#define TAKE_ITEMS_AS(which, out, item)                                                            \
    if (col->take == which)                                                                        \
        for (size_t at = 0; at < k->n_rows; at++)                                                  \
            (out)[at] = item(from[taken_row(k, which, from, sizeof *from, at)])
#define TAKE_ITEMS(type, out, item)                                                                \
    {                                                                                              \
        const type *from = source->data;                                                           \
        TAKE_ITEMS_AS(TAKE_FIRST, out, item);                                                      \
        TAKE_ITEMS_AS(TAKE_LAST, out, item);                                                       \
        TAKE_ITEMS_AS(TAKE_ANY, out, item);                                                        \
    }
#define AS_IT_IS(key) (key)
#define TRANSLATED(code) map[code]

/* The block's part of a column that is taken from the source. */
static hd_code fill_taken(hd_output *o, size_t c, hd_err *err)
{
    out_column *col = &o->columns[c];
    const hd_column *source = col->source.column;
    const uint32_t *map = col->translated;
    const block *k = o->away;
    HD_TRY(translate(o, c, err));
    if (col->kind == HD_COLUMN_LIST) {
        for (size_t at = 0; at < k->n_rows; at++)
            HD_TRY(put_list(col, k->rows + k->first[at], k->first[at + 1] - k->first[at],
                            &col->counts[at], err));
    } else if (col->kind == HD_COLUMN_KEY)
        TAKE_ITEMS(uint64_t, col->keys, AS_IT_IS)
    else if (source->width == 1)
        TAKE_ITEMS(uint8_t, col->codes, TRANSLATED)
    else if (source->width == 2)
        TAKE_ITEMS(uint16_t, col->codes, TRANSLATED)
    else
        TAKE_ITEMS(uint32_t, col->codes, TRANSLATED)
    return HD_OK;
}

/* The block's part of one column. What the source does not have is NULL, and has no arrays. */
static hd_code fill_column(void *ctx, size_t c, hd_err *err)
{
    hd_output *o = ctx;
    out_column *col = &o->columns[c];
    o->rows_columns[c] = (hd_rows_column){0};
    if (col->take != TAKE_COMPUTED && !col->source.column)
        return HD_OK;
    col->n_codes = 0;
    const int64_t *computed = o->away->computed + col->number * HD_BLOCK_ROWS;
    for (size_t at = 0; at < o->away->n_rows && col->take == TAKE_COMPUTED; at++)
        HD_TRY(computed_code(o, c, computed[at], &col->codes[at], err));
    if (col->take != TAKE_COMPUTED)
        HD_TRY(fill_taken(o, c, err));
    o->rows_columns[c] =
        (hd_rows_column){.codes = col->codes, .counts = col->counts, .keys = col->keys};
    return HD_OK;
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* Fill in and append the block that is away. */
static hd_code put_away(hd_output *o, hd_err *err)
{
    const block *k = o->away;
    HD_TRY(hd_par_run(o->n_columns, fill_column, o, err));
    hd_rows rows = {
        .n_rows = k->n_rows, .persons = k->persons, .order = k->order, .columns = o->rows_columns};
    return hd_builder_append(o->builder, &rows, err);
}

static void *run_away(void *ctx)
{
    hd_output *o = ctx;
    o->away_rc = put_away(o, &o->away_err);
    return NULL;
}

/* Wait for the block that is away. */
static hd_code settle(hd_output *o, hd_err *err)
{
    if (!o->is_running)
        return HD_OK;
    pthread_join(o->thread, NULL);
    o->is_running = false;
    if (o->away_rc != HD_OK)
        *err = o->away_err;
    return o->away_rc;
}

/* The block that was put goes away; the other one, empty, takes its place. */
static hd_code flush(hd_output *o, hd_err *err)
{
    HD_TRY(settle(o, err));
    block *full = o->put;
    o->put = o->away;
    o->away = full;
    o->put->n_rows = o->put->n_sources = 0;
    if (!o->put->first && !make_block(o->put, o->n_computed))
        return hd_fail_nomem(err);
    o->is_running = pthread_create(&o->thread, NULL, run_away, o) == 0;
    return o->is_running ? HD_OK : put_away(o, err); /* no thread: slower, still right */
}

hd_code hd_output_put(hd_output *o, uint32_t person, const uint64_t *rows, size_t n_rows,
                      const int64_t *computed, hd_err *err)
{
    block *k = o->put;
    for (size_t i = 0; i < n_rows; i++) {
        if (!HD_GROW(k->rows, k->n_sources, k->sources_cap))
            return hd_fail_nomem(err);
        k->rows[k->n_sources++] = rows[i];
    }
    for (size_t i = 0; i < o->n_computed; i++)
        k->computed[i * HD_BLOCK_ROWS + k->n_rows] = computed[i];
    k->persons[k->n_rows] = person;
    k->order[k->n_rows] = o->next_order++;
    k->first[++k->n_rows] = (uint32_t)k->n_sources;
    return k->n_rows == HD_BLOCK_ROWS ? flush(o, err) : HD_OK;
}

hd_code hd_output_end(hd_output *o, hd_err *err)
{
    HD_TRY(settle(o, err));
    if (o->put->n_rows == 0)
        return HD_OK;
    o->away = o->put;
    HD_TRY(put_away(o, err));
    o->put->n_rows = o->put->n_sources = 0;
    return HD_OK;
}

hd_code hd_output_publish(hd_output *o, hd_publish *p, hd_err *err)
{
    HD_ALWAYS(o->put->n_rows == 0);
    return hd_publish_table(p, o->builder, err);
}
