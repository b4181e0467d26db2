/* columns.c - columns of a table in memory: read, opened, kept, let go.
 *
 * A column has room for all its rows from the start, but only the blocks that somebody asked for
 * are read into it; the rest is untouched memory, which costs nothing. Invariant: what is handed
 * out was checked block by block (reader.c), so a code is below n_codes of its dictionary and
 * persons ascend. A loaded block is never written again, so any number of threads may read it while
 * others are loaded.
 */
#include "base/alloc.h"
#include "base/par.h"
#include "vault/internal.h"

#include <string.h>

static size_t data_len(const hd_table *t, uint32_t column)
{
    const hd_file_column *col = &t->directory.columns[column];
    return (size_t)col->n_items * col->width;
}

static size_t starts_len(const hd_table *t, uint32_t column)
{
    bool is_list = t->directory.columns[column].kind == HD_COLUMN_LIST;
    return is_list ? (size_t)(t->directory.rows + 1) * sizeof(uint32_t) : 0;
}

/* Memory that a block takes once it is loaded. */
static uint64_t block_bytes(const hd_table *t, uint32_t column, uint32_t block)
{
    const hd_file_column *col = &t->directory.columns[column];
    uint64_t starts = col->kind == HD_COLUMN_LIST ? hd_rows_of_block(t->directory.rows, block) : 0;
    return (uint64_t)col->blocks[block].items * col->width + starts * sizeof(uint32_t);
}

void hd_column_drop(hd_table *t, uint32_t column)
{
    struct hd_loaded *l = &t->loaded[column];
    hd_secret_unmap(l->data, data_len(t, column));
    hd_secret_unmap(l->starts, starts_len(t, column));
    hd_free(l->has);
    hd_memory_give_back(t->memory, l->bytes);
    *l = (struct hd_loaded){0};
}

static hd_code make_room(hd_table *t, uint32_t column, hd_err *err)
{
    struct hd_loaded *l = &t->loaded[column];
    const hd_file_column *col = &t->directory.columns[column];
    l->has = hd_calloc(t->directory.n_blocks, 1);
    l->data = hd_secret_map(data_len(t, column));
    if (starts_len(t, column))
        l->starts = hd_secret_map(starts_len(t, column));
    if (!l->has || !l->data || (starts_len(t, column) && !l->starts)) {
        hd_column_drop(t, column);
        return hd_fail_nomem(err);
    }
    l->column = (hd_column){
        .width = col->width, .data = l->data, .n_items = col->n_items, .starts = l->starts};
    return HD_OK;
}

/* Blocks are read in as many runs as there are threads, each with its own reader. */
struct load {
    const hd_table *t;
    uint32_t column;
    size_t n_runs;
    uint8_t *data;
    uint32_t *starts;
    const uint32_t *first_item; /* by block: items before it */
    const uint32_t *blocks;     /* to be read */
    uint32_t n_blocks;
};

static hd_code load_run(void *ctx, size_t run, hd_err *err)
{
    struct load *l = ctx;
    const hd_directory *d = &l->t->directory;
    unsigned width = d->columns[l->column].width;
    uint32_t from = (uint32_t)((uint64_t)l->n_blocks * run / l->n_runs);
    uint32_t to = (uint32_t)((uint64_t)l->n_blocks * (run + 1) / l->n_runs);
    hd_reader r;
    HD_TRY(hd_reader_init(&r, l->t, err));
    hd_code rc = HD_OK;
    uint32_t *starts = NULL;
    if (l->starts && !(starts = hd_malloc((HD_BLOCK_ROWS + 1) * sizeof *starts))) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (uint32_t i = from; i < to; i++) {
        uint32_t b = l->blocks[i];
        HD_GO(hd_reader_data(&r, l->column, b, l->data + (size_t)l->first_item[b] * width, err));
        if (!l->starts)
            continue;
        /* The first and the last start belong to two blocks: put_borders writes those. */
        HD_GO(hd_reader_starts(&r, l->column, b, l->first_item[b], starts, err));
        memcpy(l->starts + (size_t)b * HD_BLOCK_ROWS + 1, starts + 1,
               (hd_rows_of_block(d->rows, b) - 1) * sizeof *starts);
    }
out:
    hd_free(starts);
    hd_reader_fini(&r);
    return rc;
}

/* Starts where two blocks meet. One that is right already may be read by others just now. */
static void put_borders(const struct load *l)
{
    for (uint32_t i = 0; i < l->n_blocks; i++) {
        uint32_t b = l->blocks[i];
        uint64_t row = (uint64_t)b * HD_BLOCK_ROWS;
        uint32_t first = l->first_item[b];
        uint32_t last = first + l->t->directory.columns[l->column].blocks[b].items;
        uint32_t *end = &l->starts[row + hd_rows_of_block(l->t->directory.rows, b)];
        if (l->starts[row] != first)
            l->starts[row] = first;
        if (*end != last)
            *end = last;
    }
}

/* Read the blocks; they are marked as there when all of them are. */
static hd_code read_blocks(hd_table *t, uint32_t column, const uint32_t *blocks, uint32_t n,
                           hd_err *err)
{
    const hd_directory *d = &t->directory;
    struct hd_loaded *out = &t->loaded[column];
    uint32_t *first_item = hd_calloc(d->n_blocks, sizeof *first_item);
    if (!first_item)
        return hd_fail_nomem(err);
    for (uint32_t b = 1; b < d->n_blocks; b++)
        first_item[b] = first_item[b - 1] + d->columns[column].blocks[b - 1].items;
    struct load l = {.t = t,
                     .column = column,
                     .n_runs = hd_par_threads(),
                     .data = out->data,
                     .starts = out->starts,
                     .first_item = first_item,
                     .blocks = blocks,
                     .n_blocks = n};
    if (l.n_runs > n)
        l.n_runs = n;
    if (l.starts)
        put_borders(&l);
    hd_code rc = hd_par_run(l.n_runs, load_run, &l, err);
    for (uint32_t i = 0; i < n && rc == HD_OK; i++)
        out->has[blocks[i]] = 1;
    hd_free(first_item);
    return rc;
}

/* Each block's persons ascend (they are differences); here the blocks are compared. */
hd_code hd_table_check_order(const hd_table *t, hd_err *err)
{
    const hd_file_column *col = &t->directory.columns[0];
    for (uint32_t b = 1; b < t->directory.n_blocks; b++)
        if (col->blocks[b].lowest < col->blocks[b - 1].highest)
            return hd_fail(err, HD_FORMAT, "%s is not in the order of persons: load it again",
                           t->label);
    return HD_OK;
}

static hd_code load(hd_table *t, uint32_t column, const uint8_t *wanted, hd_err *err)
{
    uint32_t n_blocks = t->directory.n_blocks, n = 0;
    struct hd_loaded *l = &t->loaded[column];
    hd_memory_touch(t->memory, l); /* first: making room must not take this very column */
    if (l->is_whole)
        return HD_OK;
    if (column == 0)
        HD_TRY(hd_table_check_order(t, err));
    if (!l->data)
        HD_TRY(make_room(t, column, err));
    hd_code rc = HD_OK;
    uint32_t *missing = hd_calloc(n_blocks, sizeof *missing);
    uint64_t need = 0, before = l->bytes;
    if (!missing)
        HD_GO(hd_fail_nomem(err));
    for (uint32_t b = 0; b < n_blocks; b++)
        if (!l->has[b] && (!wanted || wanted[b])) {
            need += block_bytes(t, column, b);
            missing[n++] = b;
        }
    HD_GO(hd_memory_take(t->memory, need, err));
    l->bytes += need;
    HD_GO(read_blocks(t, column, missing, n, err));
    l->n_has += n;
    l->is_whole = l->n_has == n_blocks;
out:
    hd_free(missing);
    if (rc != HD_OK && l->n_has == 0) {
        hd_column_drop(t, column);
    } else if (rc != HD_OK) { /* the blocks that are there may be in use */
        hd_memory_give_back(t->memory, l->bytes - before);
        l->bytes = before;
    }
    return rc;
}

hd_code hd_table_persons_some(hd_table *t, const uint8_t *wanted, const uint32_t **out, hd_err *err)
{
    *out = NULL;
    HD_TRY(load(t, 0, wanted, err));
    *out = t->loaded[0].column.data;
    return HD_OK;
}

hd_code hd_table_persons(hd_table *t, const uint32_t **out, hd_err *err)
{
    return hd_table_persons_some(t, NULL, out, err);
}

hd_code hd_table_load_some(hd_table *t, size_t column, const uint8_t *wanted, const hd_column **out,
                           hd_err *err)
{
    HD_ALWAYS(column < hd_table_n_columns(t));
    *out = NULL;
    HD_TRY(load(t, (uint32_t)column + 1, wanted, err));
    *out = &t->loaded[column + 1].column;
    return HD_OK;
}

hd_code hd_table_load(hd_table *t, size_t column, const hd_column **out, hd_err *err)
{
    return hd_table_load_some(t, column, NULL, out, err);
}

void hd_table_unload(hd_table *t, size_t column)
{
    HD_ALWAYS(column < hd_table_n_columns(t));
    struct hd_loaded *l = &t->loaded[column + 1];
    l->is_kept = false;
    if (l->holds == 0)
        hd_column_drop(t, (uint32_t)column + 1);
}
