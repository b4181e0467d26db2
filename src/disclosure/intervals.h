/* intervals.h - how much remains possible: for each cell the values that it may still have.
 *
 * From outside: propagation and elimination give bounds that no table passes. From inside:
 * witnesses, whole-number tables that satisfy every sum and every bound. A value counts as possible
 * only when a witness has it; a bound counts as exact only when inside and outside meet.
 */
#ifndef HD_DISCLOSURE_INTERVALS_H
#define HD_DISCLOSURE_INTERVALS_H

#include "disclosure/system.h"

/* Whole-number tables that satisfy a system; table t holds values[t * n_cells + cell]. */
typedef struct hd_witnesses {
    size_t n_tables, n_cells;
    int64_t *values;
} hd_witnesses;

typedef struct hd_interval {
    int64_t low, high;             /* no table is outside */
    int64_t seen_low, seen_high;   /* witnesses have these; seen_low > seen_high: none was found */
    uint32_t n_values;             /* different values in witnesses, counted up to the limit asked */
    bool is_complete;              /* the search ended: what was not seen is not possible */
} hd_interval;

typedef struct hd_intervals_options {
    uint32_t values;     /* stop looking at a cell when it has so many values; 0: look for both ends */
    const bool *wanted;  /* n_cells; NULL: every cell that is not fixed by its bounds */
    const int64_t *start; /* a table that satisfies the system, or NULL: one is searched */
    uint64_t effort;     /* steps of search a cell and value, 0: default */
} hd_intervals_options;

/* HD_INVALID when no table can satisfy the system (a contradiction was proved). If none was found
 * and none was excluded the call succeeds with n_tables 0. out: one a cell. */
HD_MUST hd_code hd_intervals(const hd_system *s, const hd_intervals_options *options,
                             hd_interval *out, hd_witnesses *witnesses, hd_err *err);
void hd_witnesses_free(hd_witnesses *w); /* wipes */

#endif
