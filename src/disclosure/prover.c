/* prover.c - witnesses by local search, impossible values by propagation; see prover.h. */
#include "disclosure/prover.h"

#include "base/alloc.h"

#include <string.h>

enum {
    PROBE_VISITS = 96,    /* rules visited to see that a value is impossible */
    FIRST_STEPS = 40,     /* steps a cell of the system for the first table */
    FIRST_RESTARTS = 4,
    NUDGE_STEPS = 60,
    LARGEST_COEFFICIENT = 256, /* times HD_MAX_VALUE stays below 2^63 */
};

hd_code hd_prover_init(hd_prover *p, hd_system *s, const bool *is_open, const bool *wanted,
                       uint32_t limit, uint64_t effort, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = s->n_cells + 1;
    memset(p, 0, sizeof *p);
    p->s = s;
    p->wanted = wanted;
    p->limit = limit < 1 ? 1 : limit > HD_PROVER_VALUES ? HD_PROVER_VALUES : limit;
    p->effort = effort ? effort : 400;
    p->seen = hd_calloc(n * p->limit, sizeof *p->seen);
    p->n_seen = hd_calloc(n, sizeof *p->n_seen);
    p->seen_low = hd_calloc(n, sizeof *p->seen_low);
    p->seen_high = hd_calloc(n, sizeof *p->seen_high);
    p->watched = hd_calloc(n, sizeof *p->watched);
    if (!p->seen || !p->n_seen || !p->seen_low || !p->seen_high || !p->watched) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (uint32_t c = 0; c < s->n_cells; c++)
        if (!wanted || wanted[c])
            p->watched[p->n_watched++] = c;
    HD_GO(hd_frame_new(&p->frame, s, is_open, 64 * s->n_cells + (size_t)50000000, err));
    p->has_frame = true;
    HD_GO(hd_search_init(&p->search, &p->frame, s, err));
    p->has_search = true;
    HD_GO(hd_propagator_init(&p->propagator, s, true, err));
    p->has_propagator = true;
out:
    if (rc != HD_OK)
        hd_prover_free(p);
    return rc;
}

void hd_prover_free(hd_prover *p)
{
    if (p->has_search)
        hd_search_free(&p->search);
    if (p->has_frame)
        hd_frame_free(&p->frame);
    if (p->has_propagator)
        hd_propagator_free(&p->propagator);
    for (size_t t = 0; t < p->n_tables; t++)
        hd_wipe_free(p->tables[t].values, p->s->n_cells * sizeof(int64_t));
    hd_free(p->tables);
    hd_free(p->seen);
    hd_free(p->n_seen);
    hd_free(p->watched);
    hd_free(p->seen_low);
    hd_free(p->seen_high);
    memset(p, 0, sizeof *p);
}

/* True when the value is new to a cell that is wanted and has not seen enough. */
static bool see(hd_prover *p, uint32_t cell, int64_t value)
{
    int64_t *seen = p->seen + (size_t)cell * p->limit;
    bool is_new = false;
    if (p->n_seen[cell] >= p->limit && value >= p->seen_low[cell] && value <= p->seen_high[cell])
        return false;
    if (p->n_seen[cell] == 0)
        p->seen_low[cell] = p->seen_high[cell] = value;
    if (value < p->seen_low[cell] || value > p->seen_high[cell])
        is_new = true;
    p->seen_low[cell] = value < p->seen_low[cell] ? value : p->seen_low[cell];
    p->seen_high[cell] = value > p->seen_high[cell] ? value : p->seen_high[cell];
    for (uint32_t i = 0; i < p->n_seen[cell]; i++)
        if (seen[i] == value)
            return is_new;
    if (p->n_seen[cell] >= p->limit)
        return is_new;
    seen[p->n_seen[cell]++] = value;
    return true;
}

/* Does the cell of the present table show something that is not remembered? */
static bool is_news(const hd_prover *p, uint32_t cell, int64_t value)
{
    const int64_t *seen = p->seen + (size_t)cell * p->limit;
    if (p->n_seen[cell] >= p->limit)
        return false;
    for (uint32_t i = 0; i < p->n_seen[cell]; i++)
        if (seen[i] == value)
            return false;
    return true;
}

static bool see_table(hd_prover *p, const int64_t *values)
{
    bool is_news_here = false;
    for (size_t i = 0; i < p->n_watched; i++) {
        uint32_t c = p->watched[i];
        if (see(p, c, values[c]))
            is_news_here = true;
    }
    return is_news_here;
}

hd_code hd_prover_note(hd_prover *p, const int64_t *values, hd_err *err)
{
    if (!see_table(p, values))
        return HD_OK;
    if (!HD_GROW(p->tables, p->n_tables, p->tables_cap))
        return hd_fail_nomem(err);
    int64_t *copy = hd_malloc((p->s->n_cells + 1) * sizeof *copy);
    if (!copy)
        return hd_fail_nomem(err);
    memcpy(copy, values, p->s->n_cells * sizeof *copy);
    p->tables[p->n_tables++] = (hd_proof_table){copy, 0};
    return HD_OK;
}

hd_code hd_prover_keep(hd_prover *p, hd_err *err)
{
    int64_t *values = hd_malloc((p->s->n_cells + 1) * sizeof *values);
    if (!values)
        return hd_fail_nomem(err);
    hd_search_table(&p->search, p->s, values);
    p->search.n_changes = 0;
    hd_code rc = hd_prover_note(p, values, err);
    hd_wipe_free(values, p->s->n_cells * sizeof *values);
    return rc;
}

hd_code hd_prover_begin(hd_prover *p, const int64_t *start, hd_err *err)
{
    uint64_t steps = FIRST_STEPS * (uint64_t)p->s->n_cells + 2000;
    p->has_table = false;
    if (p->frame.largest > LARGEST_COEFFICIENT)
        return HD_OK;
    for (int i = 0; i < (start ? 1 : FIRST_RESTARTS) && !p->has_table; i++) {
        HD_TRY(hd_search_begin(&p->search, start, err));
        HD_TRY(hd_search_repair(&p->search, steps, &p->has_table, err));
    }
    return p->has_table ? hd_prover_keep(p, err) : HD_OK;
}

hd_code hd_prover_shake(hd_prover *p, size_t n, hd_err *err)
{
    for (size_t k = 0; k < n && p->has_table; k++) {
        size_t before = p->n_tables;
        HD_TRY(hd_search_shake(&p->search, p->wanted, err));
        HD_TRY(hd_prover_keep(p, err));
        if (p->n_tables == before)
            break;
    }
    return HD_OK;
}

bool hd_prover_has(const hd_prover *p, uint32_t cell, const hd_need *need)
{
    uint32_t values = need->values > p->limit ? p->limit : need->values;
    if (need->values && p->n_seen[cell] < values)
        return false;
    if (p->n_seen[cell] == 0)
        return !need->has_span && need->width <= 0;
    if (need->has_span &&
        (p->seen_low[cell] > need->at_most || p->seen_high[cell] < need->at_least))
        return false;
    return need->width <= 0 || p->seen_high[cell] - p->seen_low[cell] >= need->width;
}

/* Can propagation near the cell see that it has no value in low .. high? */
static hd_code probe(hd_prover *p, uint32_t cell, int64_t low, int64_t high, bool *is_excluded,
                     hd_err *err)
{
    bool is_consistent;
    HD_TRY(hd_propagator_narrow(&p->propagator, cell, low, high, &is_consistent, err));
    hd_code rc = HD_OK;
    if (is_consistent)
        rc = hd_propagator_run(&p->propagator, PROBE_VISITS, &is_consistent, err);
    hd_propagator_undo(&p->propagator, 0);
    *is_excluded = !is_consistent;
    return rc;
}

hd_code hd_prover_reach(hd_prover *p, uint32_t cell, int64_t low, int64_t high, bool *is_found,
                        bool *is_excluded, hd_err *err)
{
    *is_found = false;
    *is_excluded = true;
    if (p->frame.kind[cell] == HD_FRAME_CONSTANT)
        return HD_OK;
    HD_TRY(probe(p, cell, low, high, is_excluded, err));
    if (*is_excluded || !p->has_table)
        return HD_OK;
    HD_TRY(hd_search_reach(&p->search, cell, low, high, p->effort, is_found, err));
    if (!*is_found)
        return HD_OK;
    if (!p->is_trial)
        return hd_prover_keep(p, err);
    see(p, cell, hd_search_value(&p->search, p->s, cell));
    return HD_OK;
}

hd_code hd_prover_nudge(hd_prover *p, uint32_t cell, const hd_need *need, hd_err *err)
{
    if (p->frame.kind[cell] == HD_FRAME_CONSTANT || !p->has_table)
        return HD_OK;
    int64_t now = hd_search_value(&p->search, p->s, cell);
    int64_t far = need->values + 2;
    if (is_news(p, cell, now))
        return HD_OK;
    for (int64_t d = 1; d <= far; d++)
        for (int side = 0; side < 2; side++) {
            int64_t v = side ? now + d : now - d;
            bool is_excluded, is_found;
            if (v < p->s->low[cell] || v > p->s->high[cell] || !is_news(p, cell, v))
                continue;
            HD_TRY(probe(p, cell, v, v, &is_excluded, err));
            if (is_excluded)
                continue;
            HD_TRY(hd_search_reach(&p->search, cell, v, v, NUDGE_STEPS, &is_found, err));
            if (is_found)
                return HD_OK;
        }
    return HD_OK;
}

/* Values near those that were seen, first below, then above, further and further out. */
static hd_code prove_values(hd_prover *p, uint32_t cell, uint32_t values, hd_err *err)
{
    int64_t middle = hd_search_value(&p->search, p->s, cell);
    bool is_over[2] = {false, false};
    for (int64_t d = 1; p->n_seen[cell] < values && d <= 3 * (int64_t)values + 8; d++)
        for (int side = 0; side < 2 && p->n_seen[cell] < values; side++) {
            int64_t v = side ? middle + d : middle - d;
            if (v < p->s->low[cell] || v > p->s->high[cell])
                is_over[side] = true;
            if (is_over[side] || !is_news(p, cell, v))
                continue;
            bool is_found, is_excluded;
            HD_TRY(hd_prover_reach(p, cell, v, v, &is_found, &is_excluded, err));
            if (is_excluded && v < p->seen_low[cell] && !side)
                is_over[0] = true;
            if (is_excluded && v > p->seen_high[cell] && side)
                is_over[1] = true;
        }
    return HD_OK;
}

hd_code hd_prover_prove(hd_prover *p, uint32_t cell, const hd_need *need, bool *is_proven,
                        hd_err *err)
{
    bool is_found, is_excluded;
    *is_proven = hd_prover_has(p, cell, need);
    if (*is_proven || !p->has_table)
        return HD_OK;
    if (need->values)
        HD_TRY(prove_values(p, cell, need->values > p->limit ? p->limit : need->values, err));
    if (need->has_span && p->seen_low[cell] > need->at_most)
        HD_TRY(hd_prover_reach(p, cell, -HD_NO_BOUND, need->at_most, &is_found, &is_excluded,
                               err));
    if (need->has_span && p->seen_high[cell] < need->at_least)
        HD_TRY(hd_prover_reach(p, cell, need->at_least, HD_NO_BOUND, &is_found, &is_excluded,
                               err));
    int64_t missing = need->width - (p->seen_high[cell] - p->seen_low[cell]);
    if (need->width > 0 && missing > 0)
        HD_TRY(hd_prover_reach(p, cell, p->seen_high[cell] + missing, HD_NO_BOUND, &is_found,
                               &is_excluded, err));
    missing = need->width - (p->seen_high[cell] - p->seen_low[cell]);
    if (need->width > 0 && missing > 0)
        HD_TRY(hd_prover_reach(p, cell, -HD_NO_BOUND, p->seen_low[cell] - missing, &is_found,
                               &is_excluded, err));
    *is_proven = hd_prover_has(p, cell, need);
    return HD_OK;
}

hd_code hd_prover_try(hd_prover *p, uint32_t cell, const hd_need *need, bool *is_proven,
                      hd_err *err)
{
    int64_t *seen = p->seen + (size_t)cell * p->limit, old[HD_PROVER_VALUES];
    uint8_t n_seen = p->n_seen[cell];
    int64_t low = p->seen_low[cell], high = p->seen_high[cell];
    size_t before = p->search.n_changes;
    memcpy(old, seen, p->limit * sizeof *old);
    p->is_trial = true;
    hd_code rc = hd_prover_prove(p, cell, need, is_proven, err);
    p->is_trial = false;
    hd_search_undo(&p->search, before);
    memcpy(seen, old, p->limit * sizeof *old);
    p->n_seen[cell] = n_seen;
    p->seen_low[cell] = low;
    p->seen_high[cell] = high;
    return rc;
}

hd_code hd_prover_bend(hd_prover *p, uint32_t cell, int64_t low, int64_t high, hd_err *err)
{
    p->s->low[cell] = low;
    p->s->high[cell] = high;
    return hd_search_bound(&p->search, cell, low, high, err);
}

/* The latest witness becomes the table of the search; if there is none, one is looked for. */
static hd_code stand_on_witness(hd_prover *p, hd_err *err)
{
    for (size_t t = p->n_tables; t-- > 0 && !p->has_table;)
        if (p->tables[t].n_out == 0) {
            HD_TRY(hd_search_begin(&p->search, p->tables[t].values, err));
            p->has_table = p->search.n_violated == 0;
        }
    if (p->has_table)
        return HD_OK;
    HD_TRY(hd_search_repair(&p->search, 4 * p->effort, &p->has_table, err));
    return p->has_table ? hd_prover_keep(p, err) : HD_OK;
}

hd_code hd_prover_rebound(hd_prover *p, uint32_t cell, int64_t low, int64_t high, hd_err *err)
{
    int64_t old_low = p->s->low[cell], old_high = p->s->high[cell];
    bool has_lost = false;
    HD_TRY(hd_prover_bend(p, cell, low, high, err));
    for (size_t t = 0; t < p->n_tables; t++) {
        int64_t v = p->tables[t].values[cell];
        bool was_out = v < old_low || v > old_high, is_out = v < low || v > high;
        has_lost |= !was_out && is_out && p->tables[t].n_out == 0;
        p->tables[t].n_out += (uint32_t)is_out - (uint32_t)was_out;
        if (was_out && p->tables[t].n_out == 0)
            see_table(p, p->tables[t].values);
    }
    if (has_lost) {
        memset(p->n_seen, 0, p->s->n_cells * sizeof *p->n_seen);
        for (size_t t = 0; t < p->n_tables; t++)
            if (p->tables[t].n_out == 0)
                see_table(p, p->tables[t].values);
    }
    p->has_table = p->search.n_violated == 0;
    return p->has_table ? HD_OK : stand_on_witness(p, err);
}
