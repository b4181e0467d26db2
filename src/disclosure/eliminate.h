/* eliminate.h - which withheld cells are fixed by the known ones through sums and differences.
 *
 * Gaussian elimination over the field of 2^61-1 elements: no rounding. A cell that is fixed over the
 * rationals is always found. Deterministic.
 */
#ifndef HD_DISCLOSURE_ELIMINATE_H
#define HD_DISCLOSURE_ELIMINATE_H

#include "disclosure/system.h"

/* is_known: cells whose exact value is known (n_cells). is_fixed[c] is set for each other cell that
 * is a linear combination of known ones whatever their values. */
HD_MUST hd_code hd_eliminate(const hd_system *s, const bool *is_known, bool *is_fixed,
                             hd_err *err);

/* cell = sum of numerator / denominator * known cell over the terms. */
typedef struct hd_combination {
    size_t n_terms;
    uint32_t *cell;
    int64_t *numerator;
    int64_t denominator;
} hd_combination;

/* Names a combination that gives the cell away. HD_NOTFOUND when there is none, HD_LIMIT when its
 * coefficients are too large to write down. */
HD_MUST hd_code hd_eliminate_name(const hd_system *s, const bool *is_known, uint32_t cell,
                                  hd_combination *out, hd_err *err);
void hd_combination_free(hd_combination *c);

#endif
