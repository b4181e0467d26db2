/* propagate.h - what simple sums give away: bounds tightened until nothing changes.
 *
 * For each rule: the parent lies between the sums of its children's bounds, and a child between the
 * parent's bounds less the other children's. The fixpoint is unique, so the result depends neither
 * on the order of work nor on the number of threads. Bounds only ever get closer, and no table that
 * satisfies the system is ever lost.
 */
#ifndef HD_DISCLOSURE_PROPAGATE_H
#define HD_DISCLOSURE_PROPAGATE_H

#include "disclosure/system.h"

typedef struct hd_propagation {
    bool is_consistent; /* false: no table at all satisfies the bounds; they are then unfinished */
    uint64_t n_visits;  /* rules looked at */
} hd_propagation;

/* Tightens s->low and s->high in place. */
HD_MUST hd_code hd_propagate(hd_system *s, hd_propagation *out, hd_err *err);

/* The same on a dense lattice, without making a system of it: 8 bytes a cell, by threads.
 * HD_DENSE_NO_BOUND as high is "no bound"; lows are not negative and sums of bounds that pass it
 * count as no bound. HD_INVALID on a bound out of 0 .. HD_DENSE_NO_BOUND. */
#define HD_DENSE_NO_BOUND INT32_C(0x3fffffff)
HD_MUST hd_code hd_lattice_propagate(const hd_lattice *l, int32_t *low, int32_t *high,
                                     hd_propagation *out, hd_err *err);

#endif
