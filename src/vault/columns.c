/* columns.c - columns of a table in memory: where their blocks go, what is in them, when they go.
 *
 * A column has room for all its rows from the start, but only the blocks that somebody asked for
 * are read into it; the rest is untouched memory, which costs nothing. Invariant: what is handed
 * out was checked block by block (reader.c), so a code is below n_codes of its dictionary and
 * persons ascend. A block that somebody reads is never written, so any number of threads may read
 * while others are loaded.
 */
#define _GNU_SOURCE /* mremap */
#include "base/alloc.h"
#include "base/par.h"
#include "vault/internal.h"

#include <string.h>
#include <sys/mman.h>

const hd_file_column *hd_column_file(const hd_table *t, uint32_t column)
{
    return &t->directory.columns[column == hd_begins_column(t) ? 0 : column];
}

static bool is_list(const hd_table *t, uint32_t column)
{
    return hd_column_file(t, column)->kind == HD_COLUMN_LIST;
}

/* Bytes of so many items in memory; blocks but the last have a multiple of 64. */
static size_t bytes_of(const hd_table *t, uint32_t column, uint64_t items)
{
    return column == hd_begins_column(t) ? (size_t)((items + 63) / 64 * sizeof(uint64_t))
                                         : (size_t)items * hd_column_file(t, column)->width;
}

size_t hd_column_len(const hd_table *t, uint32_t column)
{
    return bytes_of(t, column, hd_column_file(t, column)->n_items);
}

static size_t starts_len(const hd_table *t, uint32_t column)
{
    return is_list(t, column) ? (size_t)(t->directory.rows + 1) * sizeof(uint32_t) : 0;
}

static uint64_t first_item(const hd_table *t, uint32_t column, uint32_t block)
{
    const uint32_t *first = t->loaded[column].first_item;
    return first ? first[block] : (uint64_t)block * HD_BLOCK_ROWS;
}

uint64_t hd_column_block_bytes(const hd_table *t, uint32_t column, uint32_t block)
{
    uint64_t starts = is_list(t, column) ? hd_rows_of_block(t->directory.rows, block) : 0;
    return bytes_of(t, column, hd_column_file(t, column)->blocks[block].items) +
           starts * sizeof(uint32_t);
}

static uint64_t items_of(const hd_table *t, uint32_t column, uint32_t block, uint32_t n)
{
    const hd_block *b = &hd_column_file(t, column)->blocks[block + n - 1];
    return first_item(t, column, block + n - 1) + b->items - first_item(t, column, block);
}

void hd_column_wipe_blocks(hd_table *t, uint32_t column, uint32_t block, uint32_t n)
{
    const struct hd_loaded *l = &t->loaded[column];
    uint8_t *data = (uint8_t *)l->data + bytes_of(t, column, first_item(t, column, block));
    uint32_t rows = (n - 1) * HD_BLOCK_ROWS + hd_rows_of_block(t->directory.rows, block + n - 1);
    uint32_t *starts = l->starts ? l->starts + (uint64_t)block * HD_BLOCK_ROWS : NULL;
    hd_secret_give_back(data, bytes_of(t, column, items_of(t, column, block, n)));
    if (starts && rows > 1) /* without the borders */
        hd_secret_give_back(starts + 1, (rows - 1) * sizeof *starts);
}

/* Full blocks of codes begin and end with a page; those of lists begin anywhere. */
bool hd_column_is_movable(const hd_table *t, uint32_t column, uint32_t block, uint32_t n)
{
#ifdef MREMAP_DONTUNMAP
    return !is_list(t, column) && (uint64_t)(block + n) * HD_BLOCK_ROWS <= t->directory.rows;
#else
    (void)t, (void)column, (void)block, (void)n;
    return false;
#endif
}

/* The pages go to another address, which costs a fraction of wiping them, giving them back and taking
 * new ones. In their place comes untouched memory with the same advice as around it, so that the
 * system sees one piece again: the number of pieces is limited. */
bool hd_column_move_blocks(hd_table *t, uint32_t column, uint32_t from, uint32_t to, uint32_t n)
{
#ifdef MREMAP_DONTUNMAP
    const struct hd_loaded *l = &t->loaded[column];
    const size_t one = bytes_of(t, column, HD_BLOCK_ROWS), len = n * one;
    uint8_t *old = (uint8_t *)l->data + from * one, *new = (uint8_t *)l->data + to * one;
    int how = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    if (mremap(old, len, len, how, new) == MAP_FAILED)
        return false;
    how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    if (mmap(old, len, PROT_READ | PROT_WRITE, how, -1, 0) != MAP_FAILED) {
        madvise(old, len, MADV_DONTDUMP);
        madvise(old, len, MADV_NOHUGEPAGE);
    }
    return true;
#else
    (void)t, (void)column, (void)from, (void)to, (void)n;
    return false;
#endif
}

/* Only what is there: the rest was never touched, and wiping it would be its first use. */
void hd_column_drop(hd_table *t, uint32_t column)
{
    struct hd_loaded *l = &t->loaded[column];
    uint32_t n_holds = l->n_holds, n_streams = l->n_streams;
    for (uint32_t b = 0; l->data && l->blocks && b < t->directory.n_blocks; b++)
        if (l->blocks[b].place != HD_BLOCK_ABSENT)
            hd_column_wipe_blocks(t, column, b, 1);
    hd_clean_unmap(l->data, hd_column_len(t, column));
    hd_clean_unmap(l->starts, starts_len(t, column));
    hd_free(l->blocks);
    hd_free(l->runs);
    hd_free(l->first_item);
    hd_memory_give_back(t->memory, l->bytes);
    *l = (struct hd_loaded){.n_holds = n_holds, .n_streams = n_streams};
}

hd_code hd_column_room(hd_table *t, uint32_t column, hd_err *err)
{
    struct hd_loaded *l = &t->loaded[column];
    const hd_directory *d = &t->directory;
    const hd_file_column *col = hd_column_file(t, column);
    if (l->data)
        return HD_OK;
    l->blocks = hd_calloc(d->n_blocks, sizeof *l->blocks);
    l->data = hd_secret_map(hd_column_len(t, column));
    if (is_list(t, column)) {
        l->starts = hd_secret_map(starts_len(t, column));
        l->first_item = hd_calloc(d->n_blocks, sizeof *l->first_item);
    }
    if (!l->blocks || !l->data || (is_list(t, column) && (!l->starts || !l->first_item))) {
        bool is_kept = l->is_kept;
        hd_column_drop(t, column);
        l->is_kept = is_kept;
        return hd_fail_nomem(err);
    }
    for (uint32_t b = 1; l->first_item && b < d->n_blocks; b++)
        l->first_item[b] = l->first_item[b - 1] + col->blocks[b - 1].items;
    l->column = (hd_column){
        .width = col->width, .data = l->data, .n_items = col->n_items, .starts = l->starts};
    return HD_OK;
}

/* Where two blocks of a list meet stands a start that belongs to both, so it is written under the
 * lock, and not again when it is right: others may read it just now. */
static void put_border(hd_table *t, uint64_t row, uint32_t start, uint32_t *starts)
{
    pthread_mutex_lock(&t->memory->lock);
    if (starts[row] != start)
        starts[row] = start;
    pthread_mutex_unlock(&t->memory->lock);
}

static hd_code read_starts(hd_reader *r, hd_table *t, uint32_t column, uint32_t block, hd_err *err)
{
    uint32_t rows = hd_rows_of_block(t->directory.rows, block);
    uint32_t first = (uint32_t)first_item(t, column, block);
    uint64_t row = (uint64_t)block * HD_BLOCK_ROWS;
    uint32_t *starts = hd_malloc((HD_BLOCK_ROWS + 1) * sizeof *starts);
    if (!starts)
        return hd_fail_nomem(err);
    hd_code rc = hd_reader_starts(r, column, block, first, starts, err);
    if (rc == HD_OK) {
        uint32_t *to = t->loaded[column].starts;
        memcpy(to + row + 1, starts + 1, (rows - 1) * sizeof *starts);
        put_border(t, row, starts[0], to);
        put_border(t, row + rows, starts[rows], to);
    }
    hd_free(starts);
    return rc;
}

hd_code hd_column_read_block(hd_reader *r, hd_table *t, uint32_t column, uint32_t block,
                             hd_err *err)
{
    const struct hd_loaded *l = &t->loaded[column];
    uint8_t *to = (uint8_t *)l->data + bytes_of(t, column, first_item(t, column, block));
    if (column == hd_begins_column(t))
        return hd_reader_begins(r, block, (uint64_t *)(void *)to, err);
    HD_TRY(hd_reader_data(r, column, block, to, err));
    return l->starts ? read_starts(r, t, column, block, err) : HD_OK;
}

/* The pages of blocks in one call instead of a fault each; where the system cannot, they are made
 * by faults. */
void hd_column_populate(hd_table *t, uint32_t column, uint32_t block, uint32_t n)
{
#ifdef MADV_POPULATE_WRITE
    enum { PAGE = 4096 };
    const struct hd_loaded *l = &t->loaded[column];
    uintptr_t from = (uintptr_t)l->data + bytes_of(t, column, first_item(t, column, block));
    size_t len = bytes_of(t, column, items_of(t, column, block, n));
    uintptr_t first = from / PAGE * PAGE;
    madvise((void *)first, from + len - first, MADV_POPULATE_WRITE);
#else
    (void)t, (void)column, (void)block, (void)n;
#endif
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

/* ---- whole columns --------------------------------------------------------------------------- */

struct load {
    hd_feed *feed;
    const uint8_t *wanted; /* NULL: all */
    uint32_t n_blocks;
    size_t n_runs;
};

static hd_code load_run(void *ctx, size_t run, hd_err *err)
{
    const struct load *l = ctx;
    uint32_t from = (uint32_t)((uint64_t)l->n_blocks * run / l->n_runs);
    uint32_t to = (uint32_t)((uint64_t)l->n_blocks * (run + 1) / l->n_runs);
    for (uint32_t b = from; b < to; b++) {
        if (l->wanted && !l->wanted[b])
            continue;
        HD_TRY(hd_feed_enter(l->feed, b, err));
        hd_feed_leave(l->feed, b);
    }
    return HD_OK;
}

static hd_code load(hd_table *t, const hd_feed_wish *w, hd_feed **feed, hd_err *err)
{
    HD_TRY(hd_feed_open(feed, t, w, err));
    struct load l = {*feed, w->wanted, t->directory.n_blocks, hd_par_threads()};
    l.n_runs = l.n_runs > l.n_blocks ? l.n_blocks : l.n_runs;
    return hd_par_run(l.n_runs, load_run, &l, err);
}

hd_code hd_table_persons_some(hd_table *t, const uint8_t *wanted, const uint32_t **out, hd_err *err)
{
    hd_feed *feed;
    hd_code rc = load(t, &(hd_feed_wish){.persons = true, .wanted = wanted}, &feed, err);
    *out = rc == HD_OK ? hd_feed_persons(feed) : NULL;
    hd_feed_close(feed);
    return rc;
}

hd_code hd_table_persons(hd_table *t, const uint32_t **out, hd_err *err)
{
    return hd_table_persons_some(t, NULL, out, err);
}

hd_code hd_table_load_some(hd_table *t, size_t column, const uint8_t *wanted, const hd_column **out,
                           hd_err *err)
{
    hd_feed *feed;
    const hd_feed_wish wish = {.columns = &column, .n_columns = 1, .wanted = wanted};
    hd_code rc = load(t, &wish, &feed, err);
    *out = rc == HD_OK ? hd_feed_column(feed, 0) : NULL;
    hd_feed_close(feed);
    return rc;
}

hd_code hd_table_load(hd_table *t, size_t column, const hd_column **out, hd_err *err)
{
    return hd_table_load_some(t, column, NULL, out, err);
}

void hd_table_unload(hd_table *t, size_t column)
{
    HD_ALWAYS(column < hd_table_n_columns(t));
    struct hd_loaded *l = &t->loaded[column + 1];
    pthread_mutex_lock(&t->memory->lock);
    l->is_kept = false;
    if (l->n_holds == 0)
        hd_column_drop(t, (uint32_t)column + 1);
    pthread_mutex_unlock(&t->memory->lock);
}
