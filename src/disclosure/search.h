/* search.h - looking for whole-number tables: local search on a frame.
 *
 * The state is one table: values of the free cells, and from them of the rows. A table is good when
 * every row is within its bounds; free cells always are within theirs. Each step takes a row that is
 * out of bounds and changes the one free cell in it that helps most; rows that resist get heavier.
 * Random numbers come from a fixed seed: the same system gives the same tables.
 */
#ifndef HD_DISCLOSURE_SEARCH_H
#define HD_DISCLOSURE_SEARCH_H

#include "base/rng.h"
#include "disclosure/frame.h"

#include <stdatomic.h>

typedef struct hd_search_change {
    uint32_t free_cell;
    int64_t old;
} hd_search_change;

/* A row as distances to its bounds, so that a move is two additions. */
typedef struct hd_search_row {
    int64_t below, above; /* value - low, high - value: negative means out of bounds */
    int64_t excess;       /* how far out, 0: within */
    uint32_t at; /* where in violated, or UINT32_MAX */
} hd_search_row;

/* What judging a move takes, by row, in 32 bits: distances that are larger are cut. */
typedef struct hd_search_slack {
    int32_t *below, *above, *weight; /* n_rows + 1; the last row is none */
} hd_search_slack;

typedef struct hd_search_free_cell {
    int64_t low, high, value;
    uint64_t tabu; /* not to be moved before this step */
} hd_search_free_cell;

/* Who waits is told that something goes on, and nothing else. */
typedef struct hd_tick {
    void (*fn)(void *ctx);
    void *ctx;
} hd_tick;

typedef struct hd_search {
    const hd_frame *f;
    hd_search_free_cell *cells; /* n_free */
    hd_search_row *rows;        /* n_rows */
    hd_search_slack slack;
    size_t n_wide; /* rows that are further out than slack can say */
    int64_t *row_low;           /* n_rows */
    uint32_t *violated;         /* rows out of bounds, in no order */
    size_t n_violated;
    uint32_t *heavy; /* rows whose weight is not 1 */
    size_t n_heavy;
    uint64_t step;
    const atomic_bool *stop; /* NULL, or: repairs end with HD_CANCELLED, and the table means nothing */
    const hd_tick *tick; /* NULL, or: called at each repair */
    size_t patience; /* rows out of bounds more than at the start at which a repair gives up; 0: none */
    uint32_t frozen; /* a free cell that must not move, or UINT32_MAX */
    hd_search_change *changes; /* since the last good table */
    size_t n_changes, changes_cap;
    hd_rng random;
} hd_search;

/* Bounds are those of the system. The first table is found by hd_search_begin. */
HD_MUST hd_code hd_search_init(hd_search *x, const hd_frame *f, const hd_system *s, hd_err *err);
void hd_search_free(hd_search *x); /* wipes */
/* A cell's bounds become others. The table is not changed, unless the cell is free and out of them. */
HD_MUST hd_code hd_search_bound(hd_search *x, uint32_t cell, int64_t low, int64_t high,
                                hd_err *err);
/* Start from a table (n_cells), or from the middle of the bounds when NULL. */
HD_MUST hd_code hd_search_begin(hd_search *x, const int64_t *values, hd_err *err);
/* Repair until every row is within bounds or the steps are used up. */
HD_MUST hd_code hd_search_repair(hd_search *x, uint64_t max_steps, bool *is_good, hd_err *err);
/* From a good table: a good table in which the cell is within low .. high. Not found: the table is
 * as it was before. */
HD_MUST hd_code hd_search_reach(hd_search *x, uint32_t cell, int64_t low, int64_t high,
                                uint64_t max_steps, bool *is_good, hd_err *err);
/* From a good table: move the free cells among `only` (n_cells; NULL: all) a little, one after the
 * other; the table stays good. */
HD_MUST hd_code hd_search_shake(hd_search *x, const bool *only, hd_err *err);
/* Take back the changes since there were n of them. */
void hd_search_undo(hd_search *x, size_t n_changes);
/* The value of a cell of the system in the present table. */
int64_t hd_search_value(const hd_search *x, const hd_system *s, uint32_t cell);
/* All n_cells of them. */
void hd_search_table(const hd_search *x, const hd_system *s, int64_t *values);

#endif
