/* exactness.h - helpers so that no combination of shown cells gives a protected cell. */
#ifndef HD_DISCLOSURE_EXACTNESS_H
#define HD_DISCLOSURE_EXACTNESS_H

#include "disclosure/system.h"

/* order: the cells that may be unknown, those that are unknown anyway first (n_unknown of them), then
 * those that may be withheld, the least wanted first; n in all. A cell that is not in it is known.
 * is_protected, is_helper: n_cells; is_helper is set for those to withhold. A protected cell that no
 * helper saves stays computable; hd_eliminate tells. */
HD_MUST hd_code hd_exactness(const hd_system *s, const uint32_t *order, size_t n_unknown, size_t n,
                             const bool *is_protected, bool *is_helper, hd_err *err);

/* The same for cells that must each have a circuit without the others: order holds what may move, the
 * least wanted first, and from `first` on the cells in question. is_helper is set for every cell of
 * such a circuit; a cell that has none gets none. */
HD_MUST hd_code hd_exactness_alone(const hd_system *s, const uint32_t *order, size_t first,
                                   size_t n, bool *is_helper, hd_err *err);

#endif
