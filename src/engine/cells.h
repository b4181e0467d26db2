/* cells.h - true counts. Nothing that writes output may take them: only disclosure/ turns cells into
 * a release. A test reads the #includes: engine/ and disclosure/ may include this file, and
 * present/, indicators/, web/, cli/ may not.
 *
 * Cells are kept as columns (base/vector.h), because there may be a million of them; hd_cells_key
 * and its like give one. Figures of the same records share their counts.
 */
#ifndef HD_ENGINE_CELLS_H
#define HD_ENGINE_CELLS_H

#include "base/vector.h"

/* One figure of one cell. */
typedef struct hd_cell {
    hd_value value;  /* NULL where SQL says NULL (avg of nothing) */
    int64_t records; /* rows that contributed */
    int64_t persons; /* distinct linked people among them; rows linked to nobody add none */
} hd_cell;

/* One of the values behind a figure, and how many of its records have it. */
typedef struct hd_value_bin {
    double value;
    int64_t records;
} hd_value_bin;

/* The values behind one figure: bins[first] .. bins[first + n - 1], ascending. */
typedef struct hd_value_bins {
    size_t first, n;
} hd_value_bins;

/* n_cells each; persons NULL: not counted (hd_engine_run_rows) */
typedef struct hd_cell_counts {
    uint32_t *records, *persons;
} hd_cell_counts;

typedef struct hd_cells {
    size_t n_keys, n_aggregates, n_cells;
    hd_vector *keys;    /* n_keys; NULL where the key is summed over */
    uint32_t *grouping; /* n_cells: bit k set when key k is summed over (GROUPING SETS, ROLLUP, CUBE);
                         * or NULL: none ever is */
    bool are_in_order;  /* by their keys, where no key is NULL: whoever made them knows */
    hd_cell_counts all; /* every record of the cell, whatever the aggregates' filters */
    hd_vector *figures; /* n_aggregates */
    hd_cell_counts *counts; /* n_aggregates: of the records behind each */
    /* Behind sums, means, spreads and quantiles, once hd_engine_values has been asked; else NULL. */
    hd_value_bins *values; /* n_cells * n_aggregates */
    hd_value_bin *bins;
    size_t n_bins;
    struct hd_cell_block *owned_;
    size_t n_owned_, owned_cap_;
    char *text_; /* backing bytes of texts */
} hd_cells;

struct hd_engine;
struct hd_question;
/* How often each value occurs behind the sums, means, spreads and quantiles of a question that was
 * run and gave these cells: one more scan, none when there is no such figure. */
HD_MUST hd_code hd_engine_values(struct hd_engine *e, const struct hd_question *q, hd_cells *cells,
                                 hd_err *err);
void hd_cells_free(hd_cells *c); /* wipes; NULL is allowed */

static inline uint32_t hd_cells_grouping(const hd_cells *c, size_t cell)
{
    return c->grouping ? c->grouping[cell] : 0;
}
static inline hd_value hd_cells_key(const hd_cells *c, size_t cell, size_t key)
{
    return hd_vector_at(&c->keys[key], cell);
}
static inline hd_cell hd_cells_figure(const hd_cells *c, size_t cell, size_t aggregate)
{
    const hd_cell_counts *n = &c->counts[aggregate];
    return (hd_cell){hd_vector_at(&c->figures[aggregate], cell), n->records[cell],
                     n->persons ? n->persons[cell] : 0};
}
static inline hd_cell hd_cells_all(const hd_cells *c, size_t cell)
{
    const hd_value records = {.type = HD_INTEGER, .integer = c->all.records[cell]};
    return (hd_cell){records, c->all.records[cell], c->all.persons ? c->all.persons[cell] : 0};
}

/* ---- making them ---- */

HD_MUST hd_code hd_cells_new(hd_cells **out, size_t n_keys, size_t n_aggregates, size_t n_cells,
                             size_t text_bytes, hd_err *err);
/* n items of zeros that live and are wiped with the cells; NULL when memory is out. */
HD_MUST void *hd_cells_take(hd_cells *c, size_t n, size_t item);
/* Let go of an array, which the caller frees from now on. False: it is not the cells' to give. */
HD_MUST bool hd_cells_give(hd_cells *c, const void *array);
/* Take over an array made elsewhere, which is freed when this fails too. */
HD_MUST hd_code hd_cells_own(hd_cells *c, void *array, size_t bytes, hd_err *err);

/* Room for cells that are put one by one, with texts that outlive them or lie in text_. */
struct hd_question;
HD_MUST hd_code hd_cells_new_rows(hd_cells **out, const struct hd_question *q, size_t n_cells,
                                  size_t text_bytes, hd_err *err);
void hd_cells_put_key(hd_cells *c, size_t cell, size_t key, hd_value v);
void hd_cells_put_all(hd_cells *c, size_t cell, uint32_t grouping, int64_t records, int64_t persons);
void hd_cells_put_figure(hd_cells *c, size_t cell, size_t aggregate, hd_cell f);
void hd_cells_forget_people(hd_cells *c); /* they have not been counted */

#endif
