/* copy.c - rows of an existing table into a builder, block by block, so that memory does not depend
 * on how large the old table is; the columns of a block side by side. */
#include "base/alloc.h"
#include "base/par.h"
#include "vault/internal.h"

#include <string.h>

/* How one column of the builder gets its values. */
struct source {
    uint32_t column; /* file column of the old table; 0: everything is NULL */
    unsigned width;
    uint32_t *map; /* old code to builder's code; made before the first block */
    uint8_t *data; /* the block as stored */
    size_t data_cap;
    uint32_t *starts; /* lists: HD_BLOCK_ROWS + 1 */
    uint8_t *items;   /* what is appended: codes or keys */
    size_t items_cap;
    uint32_t *counts; /* lists: HD_BLOCK_ROWS */
};

struct copy {
    hd_builder *b;
    hd_table *t;
    const uint8_t *keep;
    const int64_t *order;
    hd_reader *readers; /* n_readers: one a thread; the first reads the persons */
    size_t n_readers;
    uint32_t block; /* in hand, with n_kept rows */
    size_t n_kept;
    size_t n_columns;
    const hd_column_spec *specs;
    struct source *sources;
    hd_rows_column *rows_columns;
    uint32_t *all_persons, *persons; /* of the block; of the rows that are kept */
    int64_t *order_keys;
    uint32_t *kept; /* row numbers in the block */
};

static hd_code init_source(struct copy *c, size_t i, hd_err *err)
{
    const hd_column_spec *spec = &c->specs[i];
    struct source *s = &c->sources[i];
    int found = hd_table_find(c->t, spec->name);
    if (found >= 0 && c->t->directory.columns[found + 1].n_codes == 1)
        found = -1; /* it has the column, and nothing in it */
    if (spec->kind == HD_COLUMN_LIST) {
        s->starts = hd_calloc(HD_BLOCK_ROWS + 1, sizeof *s->starts);
        s->counts = hd_calloc(HD_BLOCK_ROWS, sizeof *s->counts);
        if (!s->starts || !s->counts)
            return hd_fail_nomem(err);
    }
    s->width = 4;
    if (found < 0)
        return HD_OK;
    const hd_column_spec *have = hd_table_column_spec(c->t, (size_t)found);
    if (have->kind != spec->kind || (spec->kind != HD_COLUMN_KEY && have->type != spec->type))
        return hd_fail(err, HD_CONFLICT,
                       "column %s of table %s was stored as another type: load all its years again",
                       spec->name, hd_table_name(c->t));
    s->column = (uint32_t)found + 1;
    const hd_file_column *col = &c->t->directory.columns[s->column];
    s->width = col->width;
    return HD_OK;
}

/* All values of the old dictionary; the builder leaves out again those that no row has. */
static hd_code make_map(struct copy *c, size_t column, hd_err *err)
{
    struct source *s = &c->sources[column];
    if (s->column == 0 || c->specs[column].kind == HD_COLUMN_KEY)
        return HD_OK;
    const hd_dictionary *d = &c->t->dictionaries[s->column].view;
    if (!(s->map = hd_calloc(d->n_codes, sizeof *s->map)))
        return hd_fail_nomem(err);
    for (uint32_t code = 1; code < d->n_codes; code++) {
        hd_value v = hd_dictionary_value(d, code);
        HD_TRY(hd_builder_code(c->b, column, &v, &s->map[code], err));
    }
    return HD_OK;
}

static hd_code init(struct copy *c, hd_err *err)
{
    c->readers = hd_calloc(hd_par_threads(), sizeof *c->readers);
    if (!c->readers)
        return hd_fail_nomem(err);
    for (; c->n_readers < hd_par_threads(); c->n_readers++)
        HD_TRY(hd_reader_init(&c->readers[c->n_readers], c->t, err));
    c->sources = hd_calloc(c->n_columns, sizeof *c->sources);
    c->rows_columns = hd_calloc(c->n_columns, sizeof *c->rows_columns);
    c->all_persons = hd_calloc(HD_BLOCK_ROWS, sizeof *c->all_persons);
    c->persons = hd_calloc(HD_BLOCK_ROWS, sizeof *c->persons);
    c->order_keys = hd_calloc(HD_BLOCK_ROWS, sizeof *c->order_keys);
    c->kept = hd_calloc(HD_BLOCK_ROWS, sizeof *c->kept);
    if (!c->sources || !c->rows_columns || !c->all_persons || !c->persons || !c->order_keys ||
        !c->kept)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < c->n_columns; i++)
        HD_TRY(init_source(c, i, err));
    return HD_OK;
}

static void fini(struct copy *c)
{
    for (size_t i = 0; i < c->n_readers; i++)
        hd_reader_fini(&c->readers[i]);
    hd_free(c->readers);
    for (size_t i = 0; c->sources && i < c->n_columns; i++) {
        struct source *s = &c->sources[i];
        hd_free(s->map);
        hd_wipe_free(s->data, s->data_cap);
        hd_wipe_free(s->items, s->items_cap);
        hd_free(s->starts);
        hd_free(s->counts);
    }
    hd_free(c->sources);
    hd_free(c->rows_columns);
    hd_free(c->all_persons);
    hd_free(c->persons);
    hd_free(c->order_keys);
    hd_free(c->kept);
}

#define RENUMBER(type)                                                                             \
    {                                                                                              \
        const type *from = (const type *)(const void *)s->data;                                    \
        for (size_t i = 0; i < n; i++)                                                             \
            to[i] = map[from[at[i]]];                                                              \
    }

/* The builder's codes of n items of the block. */
static void renumber(const struct source *s, const uint32_t *at, size_t n, uint32_t *to)
{
    const uint32_t *map = s->map;
    if (s->width == 1)
        RENUMBER(uint8_t)
    else if (s->width == 2)
        RENUMBER(uint16_t)
    else
        RENUMBER(uint32_t)
}

#define RENUMBER_RANGES(type)                                                                      \
    {                                                                                              \
        const type *from = (const type *)(const void *)s->data;                                    \
        for (size_t i = 0; i < n; i++)                                                             \
            for (uint32_t e = s->starts[rows[i]]; e < s->starts[rows[i] + 1]; e++)                 \
                *to++ = map[from[e]];                                                              \
    }

/* The same of all elements of n rows of a list. */
static void renumber_lists(const struct source *s, const uint32_t *rows, size_t n, uint32_t *to)
{
    const uint32_t *map = s->map;
    if (s->width == 1)
        RENUMBER_RANGES(uint8_t)
    else if (s->width == 2)
        RENUMBER_RANGES(uint16_t)
    else
        RENUMBER_RANGES(uint32_t)
}

/* The kept rows of a list block: their counts and the codes of their elements. */
static hd_code copy_list(struct copy *c, hd_reader *r, size_t column, hd_err *err)
{
    struct source *s = &c->sources[column];
    const hd_block *b = &c->t->directory.columns[s->column].blocks[c->block];
    HD_TRY(hd_reader_starts(r, s->column, c->block, 0, s->starts, err));
    HD_TRY(hd_scratch(&s->items, &s->items_cap, ((size_t)b->items + 1) * sizeof(uint32_t), err));
    for (size_t i = 0; i < c->n_kept; i++)
        s->counts[i] = s->starts[c->kept[i] + 1] - s->starts[c->kept[i]];
    renumber_lists(s, c->kept, c->n_kept, (uint32_t *)(void *)s->items);
    return HD_OK;
}

static hd_code copy_column(struct copy *c, hd_reader *r, size_t column, hd_err *err)
{
    struct source *s = &c->sources[column];
    hd_column_kind kind = c->specs[column].kind;
    unsigned item = kind == HD_COLUMN_KEY ? 8 : 4;
    size_t n = c->n_kept;
    c->rows_columns[column] = (hd_rows_column){0};
    if (s->column == 0)
        return HD_OK;
    const hd_block *b = &c->t->directory.columns[s->column].blocks[c->block];
    HD_TRY(hd_scratch(&s->items, &s->items_cap, (size_t)HD_BLOCK_ROWS * item, err));
    HD_TRY(hd_scratch(&s->data, &s->data_cap, (size_t)b->items * s->width + 1, err));
    HD_TRY(hd_reader_data(r, s->column, c->block, s->data, err));
    if (kind == HD_COLUMN_LIST) {
        HD_TRY(copy_list(c, r, column, err));
    } else if (kind == HD_COLUMN_KEY) {
        for (size_t i = 0; i < n; i++)
            memcpy(s->items + i * 8, s->data + (size_t)c->kept[i] * 8, 8);
    } else {
        renumber(s, c->kept, n, (uint32_t *)(void *)s->items);
    }
    c->rows_columns[column] = (hd_rows_column){
        .codes = kind == HD_COLUMN_KEY ? NULL : (const uint32_t *)(const void *)s->items,
        .counts = s->counts,
        .keys = kind == HD_COLUMN_KEY ? (const uint64_t *)(const void *)s->items : NULL};
    return HD_OK;
}

static hd_code make_maps(void *ctx, size_t first, hd_err *err)
{
    struct copy *c = ctx;
    for (size_t i = first; i < c->n_columns; i += c->n_readers)
        HD_TRY(make_map(c, i, err));
    return HD_OK;
}

/* Every n-th column of the block. */
static hd_code copy_columns(void *ctx, size_t first, hd_err *err)
{
    struct copy *c = ctx;
    for (size_t i = first; i < c->n_columns; i += c->n_readers)
        HD_TRY(copy_column(c, &c->readers[first], i, err));
    return HD_OK;
}

static hd_code copy_block(struct copy *c, uint32_t block, hd_err *err)
{
    uint64_t first = (uint64_t)block * HD_BLOCK_ROWS;
    uint32_t rows = hd_rows_of_block(c->t->directory.rows, block);
    size_t n = 0;
    for (uint32_t r = 0; r < rows; r++)
        if (!c->keep || c->keep[first + r])
            c->kept[n++] = r;
    if (n == 0)
        return HD_OK;
    c->block = block;
    c->n_kept = n;
    HD_TRY(hd_reader_data(&c->readers[0], 0, block, c->all_persons, err));
    for (size_t i = 0; i < n; i++) {
        c->persons[i] = c->all_persons[c->kept[i]];
        c->order_keys[i] = c->order[first + c->kept[i]];
    }
    HD_TRY(hd_par_run(c->n_readers, copy_columns, c, err));
    hd_rows out = {n, c->persons, c->order_keys, c->rows_columns};
    return hd_builder_append(c->b, &out, err);
}

hd_code hd_builder_copy(hd_builder *b, hd_table *t, const uint8_t *keep, const int64_t *order,
                        hd_err *err)
{
    struct copy c = {.b = b, .t = t, .keep = keep, .order = order};
    c.specs = hd_builder_specs(b, &c.n_columns);
    hd_code rc = HD_OK;
    HD_GO(init(&c, err));
    HD_GO(hd_par_run(c.n_readers, make_maps, &c, err));
    for (uint32_t k = 0; k < t->directory.n_blocks; k++)
        HD_GO(copy_block(&c, k, err));
out:
    fini(&c);
    return rc;
}
