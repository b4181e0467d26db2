/* prover.h - collects witnesses until what was asked of a cell is proven.
 *
 * One prover works on one set of bounds. It keeps the tables that showed something new, and for each
 * cell the values seen in them.
 */
#ifndef HD_DISCLOSURE_PROVER_H
#define HD_DISCLOSURE_PROVER_H

#include "disclosure/intervals.h"
#include "disclosure/propagator.h"
#include "disclosure/search.h"
#include "disclosure/secondary.h"

enum {
    HD_PROVER_VALUES = 16, /* different values remembered a cell */
    HD_PROVER_STARTS = 4,
    HD_PROVER_THOROUGH_STARTS = 16
};

typedef struct hd_proof_table {
    int64_t *values;
    uint32_t n_out; /* cells out of the present bounds: not a witness while there are any */
} hd_proof_table;

/* A cell whose bounds are others for a try. */
typedef struct hd_bent {
    uint32_t cell;
    int64_t low, high; /* as they were */
    bool is_used;      /* a table of the last try is out of these */
} hd_bent;

typedef struct hd_prover {
    hd_system *s; /* borrowed; its bounds are the prover's */
    hd_frame frame;
    hd_search search;
    hd_propagator propagator;
    bool has_frame, has_search, has_propagator;
    bool has_table;       /* the search stands on a good table */
    uint32_t limit;       /* values remembered a cell */
    int64_t *seen;        /* n_cells * limit */
    uint8_t *n_seen;      /* n_cells */
    int64_t *seen_low, *seen_high;
    uint64_t *seen_at, witness_epoch; /* by cell: as of which set of witnesses; see hd_prover_look */
    const bool *wanted;   /* n_cells: tables are kept for news about these; NULL: all */
    uint32_t *watched;    /* the wanted cells */
    size_t n_watched;
    hd_proof_table *tables;
    size_t n_tables, tables_cap;
    uint32_t *column_of; /* n_cells: place among the watched cells */
    int64_t *columns;    /* the first n_in_columns tables once more, watched cell by watched cell */
    size_t n_in_columns; /* all but the last few; 0 when columns would be too large: NULL */
    size_t column_cap;   /* tables that a column has room for */
    int64_t *spare;      /* room for one table, or NULL */
    uint64_t effort;
    int64_t *not_to, *not_from; /* n_cells: no value up to this, none from this on; */
    uint64_t *known_at;         /* n_cells: if it was found at this epoch           */
    uint32_t *bent_at;          /* n_cells: place in bent + 1, or 0 */
    hd_bent *bent;
    size_t n_bent, bent_cap;
    uint64_t epoch, home_epoch, last_epoch; /* another one whenever a bound widens */
    unsigned starts;      /* searches for one value from one table: what is not found costs a helper */
    bool is_trial;        /* only the cell in question is noted, nothing is kept */
} hd_prover;

/* is_open as in frame.h, or NULL. wanted is borrowed. HD_INVALID: the known figures contradict each other. HD_LIMIT: too entangled. */
HD_MUST hd_code hd_prover_init(hd_prover *p, hd_system *s, const bool *is_open,
                               const bool *wanted, uint32_t limit, uint64_t effort, hd_err *err);
void hd_prover_free(hd_prover *p);
/* Find the first table (has_table says whether it did), from `start` when that is not NULL. */
HD_MUST hd_code hd_prover_begin(hd_prover *p, const int64_t *start, hd_err *err);
/* Up to n more tables at random; stops early when they bring nothing new. */
HD_MUST hd_code hd_prover_shake(hd_prover *p, size_t n, hd_err *err);
/* One table for many cells: nudge moves the present table so that the cell has a value not seen yet,
 * if that is easy (is_hard: with as much effort as a proof) or it is there, and notes nothing; keep notes the table that came of it. */
HD_MUST hd_code hd_prover_nudge(hd_prover *p, uint32_t cell, const hd_need *need, bool is_hard,
                                bool *has_moved, hd_err *err);
HD_MUST hd_code hd_prover_keep(hd_prover *p, hd_err *err);
/* Note a table that satisfies the bounds. */
HD_MUST hd_code hd_prover_note(hd_prover *p, const int64_t *values, hd_err *err);
/* Is it proven already? Only the needs that witnesses can prove. */
bool hd_prover_has(hd_prover *p, uint32_t cell, const hd_need *need);
/* What the witnesses have in a cell: n_seen, seen, seen_low, seen_high are up to date after it. */
void hd_prover_look(hd_prover *p, uint32_t cell);
/* Look for what is missing. */
HD_MUST hd_code hd_prover_prove(hd_prover *p, uint32_t cell, const hd_need *need, bool *is_proven,
                                hd_err *err);
/* Look longer, from other witnesses too: before a cell is called unprotected for good. */
HD_MUST hd_code hd_prover_insist(hd_prover *p, uint32_t cell, const hd_need *need,
                                 bool *is_proven, hd_err *err);
/* Look from the witnesses whose value of the cell is next to one that was not seen: mostly that one is
 * a few moves away, and the table that the search happens to stand on is far. */
HD_MUST hd_code hd_prover_approach(hd_prover *p, uint32_t cell, const hd_need *need, bool is_last,
                                   bool *is_proven, hd_err *err);
/* A table with the cell in low .. high, noted when found. is_excluded: there is none. */
HD_MUST hd_code hd_prover_reach(hd_prover *p, uint32_t cell, int64_t low, int64_t high,
                                bool *is_found, bool *is_excluded, hd_err *err);
/* Could it be proven with the present bounds? The prover is left as it was, but for bent[].is_used:
 * what is not used could go back and the proof would stand. */
HD_MUST hd_code hd_prover_try(hd_prover *p, uint32_t cell, const hd_need *need, bool *is_proven,
                              hd_err *err);
/* The same with the bounds of another cell, which is not bent, narrowed for the try. */
HD_MUST hd_code hd_prover_try_closed(hd_prover *p, uint32_t cell, const hd_need *need,
                                     uint32_t other, int64_t low, int64_t high, bool *is_proven,
                                     hd_err *err);
/* Set a cell's bounds without looking at the tables: for tries, and put back after them. */
HD_MUST hd_code hd_prover_bend(hd_prover *p, uint32_t cell, int64_t low, int64_t high, hd_err *err);
/* Was the cell, which is bent, used in the last try? */
bool hd_prover_used(const hd_prover *p, uint32_t cell);
/* Let go of the tables that are out of bounds, for good. */
void hd_prover_forget(hd_prover *p);
/* Set a cell's bounds. Tables that are out of them stop being witnesses; those that had only been
 * out of the old ones become witnesses again. */
HD_MUST hd_code hd_prover_rebound(hd_prover *p, uint32_t cell, int64_t low, int64_t high,
                                  hd_err *err);

#endif
