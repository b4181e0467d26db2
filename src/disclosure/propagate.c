/* propagate.c - interval propagation with a work list of rules; see propagate.h.
 *
 * The work list is a ring of rules, each at most once in it. A visit costs the length of the rule:
 * sums of lows and highs (unbounded ends are counted, not added), then every cell of the rule
 * against the rest.
 */
#include "disclosure/propagate.h"
#include "disclosure/propagator.h"

#include "base/alloc.h"

#include <string.h>

hd_code hd_propagator_init(hd_propagator *p, hd_system *s, bool keeps_trail, hd_err *err)
{
    memset(p, 0, sizeof *p);
    p->s = s;
    p->keeps_trail = keeps_trail;
    p->use_start = hd_calloc(s->n_cells + 2, sizeof *p->use_start);
    p->use = hd_calloc(s->n_child + s->n_rules + 1, sizeof *p->use);
    p->queue = hd_calloc(s->n_rules + 1, sizeof *p->queue);
    p->is_queued = hd_calloc(s->n_rules + 1, sizeof *p->is_queued);
    if (!p->use_start || !p->use || !p->queue || !p->is_queued) {
        hd_propagator_free(p);
        return hd_fail_nomem(err);
    }
    size_t *at = p->use_start + 1; /* filled one place late, so that it ends as the start */
    for (size_t r = 0; r < s->n_rules; r++) {
        at[s->parent[r] + 1]++;
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            at[s->child[i] + 1]++;
    }
    for (size_t c = 0; c < s->n_cells; c++)
        at[c + 1] += at[c];
    for (size_t r = 0; r < s->n_rules; r++) {
        p->use[at[s->parent[r]]++] = (uint32_t)r;
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            p->use[at[s->child[i]]++] = (uint32_t)r;
    }
    return HD_OK;
}

void hd_propagator_free(hd_propagator *p)
{
    hd_free(p->use_start);
    hd_free(p->use);
    hd_free(p->queue);
    hd_free(p->is_queued);
    hd_wipe_free(p->trail, p->trail_cap * sizeof *p->trail);
    memset(p, 0, sizeof *p);
}

static void enqueue(hd_propagator *p, uint32_t rule)
{
    if (p->is_queued[rule])
        return;
    p->is_queued[rule] = true;
    size_t at = p->head + p->n_queued++;
    p->queue[at < p->s->n_rules ? at : at - p->s->n_rules] = rule;
}

void hd_propagator_all(hd_propagator *p)
{
    for (size_t r = 0; r < p->s->n_rules; r++)
        enqueue(p, (uint32_t)r);
}

void hd_propagator_touch(hd_propagator *p, uint32_t cell)
{
    for (size_t i = p->use_start[cell]; i < p->use_start[cell + 1]; i++)
        enqueue(p, p->use[i]);
}

hd_code hd_propagator_narrow(hd_propagator *p, uint32_t cell, int64_t low, int64_t high,
                             bool *is_consistent, hd_err *err)
{
    hd_system *s = p->s;
    low = low > s->low[cell] ? low : s->low[cell];
    high = high < s->high[cell] ? high : s->high[cell];
    *is_consistent = low <= high;
    if (low > high || (low == s->low[cell] && high == s->high[cell]))
        return HD_OK;
    if (p->keeps_trail) {
        if (!HD_GROW(p->trail, p->n_trail, p->trail_cap))
            return hd_fail_nomem(err);
        p->trail[p->n_trail++] = (hd_trail_step){cell, s->low[cell], s->high[cell]};
    }
    s->low[cell] = low;
    s->high[cell] = high;
    hd_propagator_touch(p, cell);
    return HD_OK;
}

/* A sum of bounds of which some may be missing. */
typedef struct bound_sum {
    int64_t sum;
    size_t n_missing;
} bound_sum;

static inline void sum_add(bound_sum *b, int64_t x)
{
    if (x <= -HD_NO_BOUND || x >= HD_NO_BOUND)
        b->n_missing++;
    else
        b->sum += x;
}

/* The sum without x; `missing` when a bound is missing elsewhere. */
static inline int64_t sum_without(const bound_sum *b, int64_t x, int64_t missing)
{
    bool is_missing = x <= -HD_NO_BOUND || x >= HD_NO_BOUND;
    if (b->n_missing > (is_missing ? 1u : 0u))
        return missing;
    return is_missing ? b->sum : b->sum - x;
}

static inline int64_t minus(int64_t a, int64_t b, int64_t missing)
{
    if (a <= -HD_NO_BOUND || a >= HD_NO_BOUND || b <= -HD_NO_BOUND || b >= HD_NO_BOUND)
        return missing;
    return a - b;
}

static hd_code visit(hd_propagator *p, uint32_t rule, bool *is_consistent, hd_err *err)
{
    const hd_system *s = p->s;
    const uint32_t *child = s->child + s->start[rule];
    size_t n = s->start[rule + 1] - s->start[rule];
    uint32_t parent = s->parent[rule];
    bound_sum lows = {0, 0}, highs = {0, 0};
    for (size_t i = 0; i < n; i++) {
        sum_add(&lows, s->low[child[i]]);
        sum_add(&highs, s->high[child[i]]);
    }
    HD_TRY(hd_propagator_narrow(p, parent, lows.n_missing ? -HD_NO_BOUND : lows.sum,
                                highs.n_missing ? HD_NO_BOUND : highs.sum, is_consistent, err));
    for (size_t i = 0; i < n && *is_consistent; i++) {
        uint32_t c = child[i];
        /* What the other children can take at most and at least, before c is changed. */
        int64_t others_high = sum_without(&highs, s->high[c], HD_NO_BOUND);
        int64_t others_low = sum_without(&lows, s->low[c], -HD_NO_BOUND);
        int64_t low = minus(s->low[parent], others_high, -HD_NO_BOUND);
        int64_t high = minus(s->high[parent], others_low, HD_NO_BOUND);
        if (low > s->low[c] || high < s->high[c])
            HD_TRY(hd_propagator_narrow(p, c, low, high, is_consistent, err));
    }
    return HD_OK;
}

/* visit() works with the sums as they were when it began: a rule whose own cells changed is put on
 * the list again by narrow(), so the end is the fixpoint all the same. But `highs` holds the old
 * high of a child already narrowed, which only makes the other children's bounds weaker. */
hd_code hd_propagator_run(hd_propagator *p, uint64_t max_visits, bool *is_consistent, hd_err *err)
{
    *is_consistent = true;
    for (uint64_t done = 0; p->n_queued && done < max_visits; done++) {
        uint32_t rule = p->queue[p->head];
        p->head = p->head + 1 < p->s->n_rules ? p->head + 1 : 0;
        p->n_queued--;
        p->is_queued[rule] = false;
        p->n_visits++;
        HD_TRY(visit(p, rule, is_consistent, err));
        if (!*is_consistent)
            return HD_OK;
    }
    return HD_OK;
}

void hd_propagator_undo(hd_propagator *p, size_t n_trail)
{
    while (p->n_trail > n_trail) {
        hd_trail_step *t = &p->trail[--p->n_trail];
        p->s->low[t->cell] = t->low;
        p->s->high[t->cell] = t->high;
    }
    for (; p->n_queued; p->n_queued--) {
        p->is_queued[p->queue[p->head]] = false;
        p->head = p->head + 1 < p->s->n_rules ? p->head + 1 : 0;
    }
}

hd_code hd_propagate(hd_system *s, hd_propagation *out, hd_err *err)
{
    hd_propagator p;
    *out = (hd_propagation){.is_consistent = true};
    for (size_t c = 0; c < s->n_cells; c++)
        if (s->low[c] > s->high[c]) {
            out->is_consistent = false;
            return HD_OK;
        }
    HD_TRY(hd_propagator_init(&p, s, false, err));
    hd_propagator_all(&p);
    hd_code rc = hd_propagator_run(&p, UINT64_MAX, &out->is_consistent, err);
    out->n_visits = p.n_visits;
    hd_propagator_free(&p);
    return rc;
}
