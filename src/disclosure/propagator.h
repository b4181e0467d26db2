/* propagator.h - propagation that can be undone: the engine under propagate.c, intervals and
 * secondary suppression. Works on the bounds of a system in place; changes are kept on a trail.
 */
#ifndef HD_DISCLOSURE_PROPAGATOR_H
#define HD_DISCLOSURE_PROPAGATOR_H

#include "disclosure/system.h"

typedef struct hd_trail_step {
    uint32_t cell;
    int64_t low, high; /* as they were */
} hd_trail_step;

typedef struct hd_propagator {
    hd_system *s; /* borrowed */
    size_t *use_start;
    uint32_t *use; /* rules that name a cell: use[use_start[c] .. use_start[c+1]-1] */
    uint32_t *queue;
    size_t head, n_queued;
    bool *is_queued;
    hd_trail_step *trail;
    size_t n_trail, trail_cap;
    bool keeps_trail;
    uint64_t n_visits;
} hd_propagator;

HD_MUST hd_code hd_propagator_init(hd_propagator *p, hd_system *s, bool keeps_trail, hd_err *err);
void hd_propagator_free(hd_propagator *p);
/* Put every rule, or the rules that name a cell, on the work list. */
void hd_propagator_all(hd_propagator *p);
void hd_propagator_touch(hd_propagator *p, uint32_t cell);
/* Narrow one cell (never widens) and put its rules on the work list. False: no value is left; the
 * bounds are as before. HD_NOMEM leaves them as before too. */
HD_MUST hd_code hd_propagator_narrow(hd_propagator *p, uint32_t cell, int64_t low, int64_t high,
                                     bool *is_consistent, hd_err *err);
/* Empty the work list, visiting at most max_visits rules (bounds stay sound if that stops it). */
HD_MUST hd_code hd_propagator_run(hd_propagator *p, uint64_t max_visits, bool *is_consistent,
                                  hd_err *err);
/* Undo to where the trail had n_trail steps; empties the work list. */
void hd_propagator_undo(hd_propagator *p, size_t n_trail);

#endif
