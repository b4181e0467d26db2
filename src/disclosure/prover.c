/* prover.c - witnesses by local search, impossible values by propagation; see prover.h. */
#include "disclosure/prover.h"

#include "base/alloc.h"

#include <string.h>

enum {
    PROBE_VISITS = 96,    /* rules visited to see that a value is impossible */
    FIRST_STEPS = 40,     /* steps a cell of the system for the first table */
    FIRST_RESTARTS = 4,
    FEW_STEPS = 8,
    START_STEPS = 100, /* of one search */
    CLOSED_STARTS = 4,
    NUDGE_STEPS = 60,
    SMALL_STEPS = 24,
    AT_A_TIME = 8, /* tables: a cache line of a column */
    INSISTENCE = 4, /* tables to start from */
    APPROACHES = 8, /* the same, beside what is looked for */
    LAST_APPROACHES = 64,
    PATIENCE = 32, /* rows out of bounds at which a try with one helper less is given up */
    STEPS_A_FREE_CELL = 12,
    LARGEST_COLUMNS = 32 << 20, /* numbers */
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
    p->starts = HD_PROVER_STARTS;
    p->seen = hd_calloc(n * p->limit, sizeof *p->seen);
    p->n_seen = hd_calloc(n, sizeof *p->n_seen);
    p->seen_low = hd_calloc(n, sizeof *p->seen_low);
    p->seen_high = hd_calloc(n, sizeof *p->seen_high);
    p->seen_at = hd_calloc(n, sizeof *p->seen_at);
    p->watched = hd_calloc(n, sizeof *p->watched);
    p->column_of = hd_calloc(n, sizeof *p->column_of);
    p->not_to = hd_calloc(n, sizeof *p->not_to);
    p->not_from = hd_calloc(n, sizeof *p->not_from);
    p->known_at = hd_calloc(n, sizeof *p->known_at);
    p->bent_at = hd_calloc(n, sizeof *p->bent_at);
    p->epoch = p->home_epoch = p->last_epoch = 1;
    if (!p->seen || !p->n_seen || !p->seen_low || !p->seen_high || !p->seen_at ||
        !p->watched || !p->column_of || !p->not_to ||
        !p->not_from || !p->known_at || !p->bent_at) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (uint32_t c = 0; c < s->n_cells; c++)
        if (!wanted || wanted[c]) {
            p->column_of[c] = (uint32_t)p->n_watched;
            p->watched[p->n_watched++] = c;
        }
    HD_GO(hd_frame_new(&p->frame, s, is_open, 64 * s->n_cells + (size_t)50000000, err));
    p->has_frame = true;
    uint64_t all = SMALL_STEPS + STEPS_A_FREE_CELL * (uint64_t)p->frame.n_free;
    if (!effort && all < p->effort)
        p->effort = all; /* few cells: everything near is seen sooner */
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
    hd_free(p->not_to);
    hd_free(p->not_from);
    hd_free(p->known_at);
    hd_free(p->bent_at);
    hd_free(p->seen_at);
    hd_free(p->column_of);
    hd_wipe_free(p->columns, p->n_watched * p->column_cap * sizeof *p->columns);
    hd_wipe_free(p->spare, p->spare ? p->s->n_cells * sizeof *p->spare : 0);
    hd_free(p->bent);
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

static bool is_met(const hd_prover *p, uint32_t cell, const hd_need *need)
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

/* After witnesses came or went: what is remembered of the cell anew, until it is enough (need NULL:
 * all of it). */
static void refresh(hd_prover *p, uint32_t cell, const hd_need *need)
{
    if (p->seen_at[cell] == p->witness_epoch)
        return;
    p->seen_at[cell] = p->witness_epoch;
    p->n_seen[cell] = 0;
    const int64_t *column =
        p->columns ? p->columns + p->column_of[cell] * p->column_cap : NULL;
    int64_t last = 0;
    for (size_t t = p->n_tables; t-- > 0;) {
        if (p->tables[t].n_out)
            continue;
        int64_t v = t < p->n_in_columns ? column[t] : p->tables[t].values[cell];
        if (p->n_seen[cell] && v == last)
            continue;
        last = v;
        if (see(p, cell, v) && need && is_met(p, cell, need))
            return;
    }
}

/* Room in the columns for all tables that there are. */
static hd_code grow_columns(hd_prover *p, hd_err *err)
{
    size_t cap = p->column_cap ? 2 * p->column_cap : 64;
    if (p->n_tables <= p->column_cap || (p->column_cap && !p->columns))
        return HD_OK;
    int64_t *wider = NULL;
    if (p->n_watched * cap <= LARGEST_COLUMNS) {
        wider = hd_malloc((p->n_watched * cap + 1) * sizeof *wider);
        if (!wider)
            return hd_fail_nomem(err);
        for (size_t w = 0; w < p->n_watched && p->n_in_columns; w++)
            memcpy(wider + w * cap, p->columns + w * p->column_cap,
                   p->n_in_columns * sizeof *wider);
    } else
        p->n_in_columns = 0;
    hd_wipe_free(p->columns, p->n_watched * p->column_cap * sizeof *p->columns);
    p->columns = wider;
    p->column_cap = cap;
    return HD_OK;
}

/* Tables go into the columns a few at a time: each column is far from the next. */
static hd_code fill_columns(hd_prover *p, hd_err *err)
{
    if (p->n_tables - p->n_in_columns < AT_A_TIME || (p->column_cap && !p->columns))
        return HD_OK;
    HD_TRY(grow_columns(p, err));
    if (!p->columns)
        return HD_OK;
    for (size_t w = 0; w < p->n_watched; w++) {
        int64_t *column = p->columns + w * p->column_cap;
        for (size_t t = p->n_in_columns; t < p->n_tables; t++)
            column[t] = p->tables[t].values[p->watched[w]];
    }
    p->n_in_columns = p->n_tables;
    return HD_OK;
}

bool hd_prover_has(hd_prover *p, uint32_t cell, const hd_need *need)
{
    refresh(p, cell, need);
    return is_met(p, cell, need);
}

void hd_prover_look(hd_prover *p, uint32_t cell)
{
    p->seen_at[cell] = p->witness_epoch - 1;
    refresh(p, cell, NULL);
}

/* Cells about which nothing is up to date are left until somebody asks. */
static bool see_table(hd_prover *p, const int64_t *values)
{
    bool is_news_here = false;
    for (size_t i = 0; i < p->n_watched; i++) {
        uint32_t c = p->watched[i];
        if (p->seen_at[c] == p->witness_epoch && see(p, c, values[c]))
            is_news_here = true;
    }
    return is_news_here;
}

/* A table in p->spare, which is taken over if it shows something new. */
static hd_code note_spare(hd_prover *p, hd_err *err)
{
    bool is_only = true; /* while nothing is up to date, the first table is news */
    for (size_t t = 0; t < p->n_tables && is_only; t++)
        is_only = p->tables[t].n_out != 0;
    if (!HD_GROW(p->tables, p->n_tables, p->tables_cap))
        return hd_fail_nomem(err);
    if (!see_table(p, p->spare) && !is_only)
        return HD_OK;
    p->tables[p->n_tables++] = (hd_proof_table){p->spare, 0};
    p->spare = NULL;
    return fill_columns(p, err);
}

static hd_code need_spare(hd_prover *p, hd_err *err)
{
    if (!p->spare)
        p->spare = hd_malloc((p->s->n_cells + 1) * sizeof *p->spare);
    return p->spare ? HD_OK : hd_fail_nomem(err);
}

hd_code hd_prover_note(hd_prover *p, const int64_t *values, hd_err *err)
{
    HD_TRY(need_spare(p, err));
    memcpy(p->spare, values, p->s->n_cells * sizeof *p->spare);
    return note_spare(p, err);
}

hd_code hd_prover_keep(hd_prover *p, hd_err *err)
{
    HD_TRY(need_spare(p, err));
    hd_search_table(&p->search, p->s, p->spare);
    p->search.n_changes = 0;
    return note_spare(p, err);
}

static uint64_t first_steps(const hd_prover *p)
{
    return FIRST_STEPS * (uint64_t)p->s->n_cells + 2000;
}

hd_code hd_prover_begin(hd_prover *p, const int64_t *start, hd_err *err)
{
    uint64_t steps = first_steps(p);
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

/* The values between which the others are known to be impossible: low < v < high. */
static void limits(const hd_prover *p, uint32_t cell, int64_t *low, int64_t *high)
{
    bool is_known = p->known_at[cell] == p->epoch;
    *low = p->s->low[cell] - 1;
    *high = p->s->high[cell] + 1;
    if (is_known && p->not_to[cell] > *low)
        *low = p->not_to[cell];
    if (is_known && p->not_from[cell] < *high)
        *high = p->not_from[cell];
}

/* Probe one value and remember. What simple sums exclude they exclude for fractions too, and these
 * form an interval: beyond an excluded value there is nothing, seen from one that was seen. */
static hd_code probe_value(hd_prover *p, uint32_t cell, int64_t v, bool *is_excluded, hd_err *err)
{
    int64_t low, high;
    limits(p, cell, &low, &high);
    *is_excluded = v <= low || v >= high;
    if (*is_excluded)
        return HD_OK;
    HD_TRY(probe(p, cell, v, v, is_excluded, err));
    if (!*is_excluded || p->n_seen[cell] == 0)
        return HD_OK;
    p->known_at[cell] = p->epoch;
    p->not_to[cell] = v < p->seen_low[cell] ? v : low;
    p->not_from[cell] = v > p->seen_high[cell] ? v : high;
    return HD_OK;
}

/* From the present table one with the cell in low .. high. A search that does not get there soon
 * hardly ever does, and another one from the same table often does: many short ones find more than
 * one long one, in less time. */
static hd_code search_for(hd_prover *p, uint32_t cell, int64_t low, int64_t high, bool *is_found,
                          hd_err *err)
{
    uint64_t steps = p->effort < START_STEPS ? p->effort : START_STEPS;
    uint64_t n = p->effort / (HD_PROVER_STARTS * START_STEPS);
    n = (n ? n : 1) * (p->is_trial ? HD_PROVER_STARTS : p->starts);
    *is_found = false;
    for (uint64_t i = 0; i < n && !*is_found; i++)
        HD_TRY(hd_search_reach(&p->search, cell, low, high, steps, is_found, err));
    return HD_OK;
}

/* Stand on a table with the cell at v. A few steps of search cost less than a probe and mostly do. */
static hd_code go_to(hd_prover *p, uint32_t cell, int64_t v, bool is_nudge, bool *is_found,
                     hd_err *err)
{
    int64_t low, high;
    bool is_excluded;
    *is_found = false;
    limits(p, cell, &low, &high);
    if (v <= low || v >= high)
        return HD_OK;
    HD_TRY(hd_search_reach(&p->search, cell, v, v, FEW_STEPS, is_found, err));
    if (*is_found)
        return HD_OK;
    HD_TRY(probe_value(p, cell, v, &is_excluded, err));
    if (is_excluded)
        return HD_OK;
    if (is_nudge)
        return hd_search_reach(&p->search, cell, v, v, NUDGE_STEPS, is_found, err);
    return search_for(p, cell, v, v, is_found, err);
}

/* A table was found: note it, or in a trial only what it has in this cell and what it is bent by. */
static hd_code take(hd_prover *p, uint32_t cell, hd_err *err)
{
    if (!p->is_trial)
        return hd_prover_keep(p, err);
    for (size_t i = 0; i < p->n_bent; i++) {
        hd_bent *b = &p->bent[i];
        int64_t v = hd_search_value(&p->search, p->s, b->cell);
        b->is_used |= v < b->low || v > b->high;
    }
    see(p, cell, hd_search_value(&p->search, p->s, cell));
    return HD_OK;
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
    HD_TRY(search_for(p, cell, low, high, is_found, err));
    return *is_found ? take(p, cell, err) : HD_OK;
}

hd_code hd_prover_nudge(hd_prover *p, uint32_t cell, const hd_need *need, bool is_hard,
                        bool *has_moved, hd_err *err)
{
    *has_moved = false;
    if (p->frame.kind[cell] == HD_FRAME_CONSTANT || !p->has_table)
        return HD_OK;
    int64_t now = hd_search_value(&p->search, p->s, cell);
    int64_t far = need->values + 2;
    *has_moved = is_news(p, cell, now);
    for (int64_t k = 2; k < 2 * far + 2 && !*has_moved; k++) {
        int64_t v = k % 2 ? now + k / 2 : now - k / 2;
        if (v >= p->s->low[cell] && v <= p->s->high[cell] && is_news(p, cell, v))
            HD_TRY(go_to(p, cell, v, !is_hard, has_moved, err));
    }
    return HD_OK;
}

/* Can there still be so many values, when n_failed of those that were tried were not found? */
static bool may_have(const hd_prover *p, uint32_t cell, uint32_t values, int64_t n_failed)
{
    int64_t low, high;
    limits(p, cell, &low, &high);
    return high - low - 1 - n_failed >= values;
}

/* Values near the present one, step by step down, and then up from where it began, until there are
 * enough or too few are left to try. */
static hd_code prove_values(hd_prover *p, uint32_t cell, uint32_t values, hd_err *err)
{
    int64_t middle = hd_search_value(&p->search, p->s, cell), n_failed = 0;
    size_t before = p->search.n_changes;
    for (int side = 0; side < 2; side++) {
        if (p->is_trial)
            hd_search_undo(&p->search, before);
        for (int64_t d = 1; d <= 3 * (int64_t)values + 8; d++) {
            int64_t v = side ? middle + d : middle - d, low, high;
            bool is_found;
            limits(p, cell, &low, &high);
            if (p->n_seen[cell] >= values || !may_have(p, cell, values, n_failed))
                return HD_OK;
            if (v <= low || v >= high)
                break;
            if (!is_news(p, cell, v))
                continue;
            HD_TRY(go_to(p, cell, v, false, &is_found, err));
            if (is_found)
                HD_TRY(take(p, cell, err));
            limits(p, cell, &low, &high);
            n_failed += !is_found && v > low && v < high;
        }
    }
    return HD_OK;
}

hd_code hd_prover_prove(hd_prover *p, uint32_t cell, const hd_need *need, bool *is_proven,
                        hd_err *err)
{
    bool is_found, is_excluded;
    *is_proven = hd_prover_has(p, cell, need);
    if (*is_proven || !p->has_table || p->frame.kind[cell] == HD_FRAME_CONSTANT)
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

hd_code hd_prover_insist(hd_prover *p, uint32_t cell, const hd_need *need, bool *is_proven,
                         hd_err *err)
{
    hd_code rc = HD_OK;
    uint64_t effort = p->effort;
    size_t n = p->n_tables;
    *is_proven = hd_prover_has(p, cell, need);
    p->effort *= 2;
    p->starts = HD_PROVER_THOROUGH_STARTS;
    for (size_t k = 0; k < INSISTENCE && k < n && !*is_proven && rc == HD_OK; k++) {
        const hd_proof_table *t = &p->tables[n - 1 - k * n / INSISTENCE];
        bool is_known = k % 2 == 0 && t->n_out == 0;
        rc = hd_search_begin(&p->search, is_known ? t->values : NULL, err);
        if (rc == HD_OK)
            rc = hd_search_repair(&p->search, first_steps(p), &p->has_table, err);
        if (rc == HD_OK && p->has_table)
            rc = hd_prover_prove(p, cell, need, is_proven, err);
    }
    p->effort = effort;
    p->starts = HD_PROVER_STARTS;
    if (rc == HD_OK && !p->has_table)
        rc = stand_on_witness(p, err);
    return rc;
}

/* Has a table with this value of the cell a neighbour that would be news, as far as is known? */
static bool is_beside_news(const hd_prover *p, uint32_t cell, int64_t v)
{
    int64_t low, high;
    limits(p, cell, &low, &high);
    return (v - 1 > low && is_news(p, cell, v - 1)) || (v + 1 < high && is_news(p, cell, v + 1));
}

static bool is_approach(const hd_prover *p, uint32_t cell, const hd_need *need, size_t table)
{
    const hd_proof_table *t = &p->tables[table];
    return t->n_out == 0 && (!need->values || is_beside_news(p, cell, t->values[cell]));
}

/* The search stands on that table, if it is a good one. */
static hd_code stand_on(hd_prover *p, size_t table, hd_err *err)
{
    HD_TRY(hd_search_begin(&p->search, p->tables[table].values, err));
    p->has_table = p->search.n_violated == 0;
    return HD_OK;
}

hd_code hd_prover_approach(hd_prover *p, uint32_t cell, const hd_need *need, bool is_last,
                           bool *is_proven, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = p->n_tables, n_near = 0, at = 0;
    *is_proven = hd_prover_has(p, cell, need);
    if (*is_proven || !p->has_table || p->frame.kind[cell] == HD_FRAME_CONSTANT)
        return HD_OK;
    for (size_t t = 0; t < n; t++)
        n_near += is_approach(p, cell, need, t);
    size_t step = n_near / (is_last ? LAST_APPROACHES : APPROACHES) + 1;
    p->starts = is_last ? HD_PROVER_THOROUGH_STARTS : HD_PROVER_STARTS;
    for (size_t t = n; t-- > 0 && !*is_proven && rc == HD_OK;) {
        if (!is_approach(p, cell, need, t) || at++ % step)
            continue;
        rc = stand_on(p, t, err);
        if (rc == HD_OK && p->has_table)
            rc = hd_prover_prove(p, cell, need, is_proven, err);
    }
    p->starts = HD_PROVER_STARTS;
    if (rc == HD_OK && !p->has_table)
        rc = stand_on_witness(p, err);
    return rc;
}

/* What is remembered of one cell, to be put back after a try. */
typedef struct memory {
    int64_t seen[HD_PROVER_VALUES], low, high;
    uint8_t n_seen;
} memory;

static void remember(const hd_prover *p, uint32_t cell, memory *m)
{
    memcpy(m->seen, p->seen + (size_t)cell * p->limit, p->limit * sizeof *m->seen);
    m->low = p->seen_low[cell];
    m->high = p->seen_high[cell];
    m->n_seen = p->n_seen[cell];
}

static void recall(hd_prover *p, uint32_t cell, const memory *m)
{
    memcpy(p->seen + (size_t)cell * p->limit, m->seen, p->limit * sizeof *m->seen);
    p->seen_low[cell] = m->low;
    p->seen_high[cell] = m->high;
    p->n_seen[cell] = m->n_seen;
}

hd_code hd_prover_try(hd_prover *p, uint32_t cell, const hd_need *need, bool *is_proven,
                      hd_err *err)
{
    memory m;
    size_t before = p->search.n_changes;
    refresh(p, cell, need);
    remember(p, cell, &m);
    p->is_trial = true;
    for (size_t i = 0; i < p->n_bent; i++)
        p->bent[i].is_used = false;
    hd_code rc = hd_prover_prove(p, cell, need, is_proven, err);
    p->is_trial = false;
    hd_search_undo(&p->search, before);
    recall(p, cell, &m);
    return rc;
}

static hd_code set_bounds(hd_prover *p, uint32_t cell, int64_t low, int64_t high, hd_err *err)
{
    p->s->low[cell] = low;
    p->s->high[cell] = high;
    return hd_search_bound(&p->search, cell, low, high, err);
}

hd_code hd_prover_bend(hd_prover *p, uint32_t cell, int64_t low, int64_t high, hd_err *err)
{
    size_t at = p->bent_at[cell];
    if (!at) {
        if (!HD_GROW(p->bent, p->n_bent, p->bent_cap))
            return hd_fail_nomem(err);
        p->bent[p->n_bent] = (hd_bent){cell, p->s->low[cell], p->s->high[cell], false};
        at = p->bent_at[cell] = (uint32_t)++p->n_bent;
    }
    if (p->bent[at - 1].low == low && p->bent[at - 1].high == high) {
        p->bent[at - 1] = p->bent[--p->n_bent];
        p->bent_at[p->bent[at - 1].cell] = (uint32_t)at;
        p->bent_at[cell] = 0;
    }
    p->epoch = p->n_bent ? ++p->last_epoch : p->home_epoch;
    return set_bounds(p, cell, low, high, err);
}

bool hd_prover_used(const hd_prover *p, uint32_t cell)
{
    return p->bent_at[cell] && p->bent[p->bent_at[cell] - 1].is_used;
}

hd_code hd_prover_try_closed(hd_prover *p, uint32_t cell, const hd_need *need, uint32_t other,
                             int64_t low, int64_t high, bool *is_proven, hd_err *err)
{
    hd_code rc = HD_OK;
    memory m;
    bool is_good = false;
    int64_t old_low = p->s->low[other], old_high = p->s->high[other];
    size_t before = p->search.n_changes;
    *is_proven = false;
    if (!p->has_table)
        return HD_OK;
    refresh(p, cell, need);
    remember(p, cell, &m);
    p->n_seen[cell] = 0;
    for (size_t t = p->n_tables; t-- > 0 && !(p->n_seen[cell] && is_met(p, cell, need));)
        if (p->tables[t].n_out == 0 && p->tables[t].values[other] >= low &&
            p->tables[t].values[other] <= high)
            see(p, cell, p->tables[t].values[cell]);
    HD_GO(hd_prover_bend(p, other, low, high, err));
    if (is_met(p, cell, need))
        *is_proven = true;
    else {
        /* A search that has so many rows out of bounds hardly ever comes back, and what it costs to
         * give up wrongly is one helper more. */
        p->search.patience = PATIENCE;
        size_t bent = p->search.n_changes;
        for (int i = 0; i < CLOSED_STARTS && !is_good; i++) {
            hd_search_undo(&p->search, bent);
            HD_GO(hd_search_repair(&p->search, START_STEPS, &is_good, err));
        }
        if (is_good)
            see(p, cell, hd_search_value(&p->search, p->s, cell));
        if (is_good)
            HD_GO(hd_prover_try(p, cell, need, is_proven, err));
    }
out:
    p->search.patience = 0;
    recall(p, cell, &m);
    HD_TRY(rc);
    HD_TRY(hd_prover_bend(p, other, old_low, old_high, err));
    hd_search_undo(&p->search, before);
    return rc;
}

void hd_prover_forget(hd_prover *p)
{
    size_t n = 0;
    size_t n_in_columns = 0;
    for (size_t t = 0; t < p->n_in_columns; t++)
        n_in_columns += p->tables[t].n_out == 0;
    for (size_t w = 0; w < p->n_watched && p->n_in_columns; w++) {
        int64_t *column = p->columns + w * p->column_cap;
        size_t to = 0;
        for (size_t t = 0; t < p->n_in_columns; t++)
            if (p->tables[t].n_out == 0)
                column[to++] = column[t];
    }
    p->n_in_columns = n_in_columns;
    for (size_t t = 0; t < p->n_tables; t++)
        if (p->tables[t].n_out == 0)
            p->tables[n++] = p->tables[t];
        else
            hd_wipe_free(p->tables[t].values, p->s->n_cells * sizeof(int64_t));
    p->n_tables = n;
}

hd_code hd_prover_rebound(hd_prover *p, uint32_t cell, int64_t low, int64_t high, hd_err *err)
{
    int64_t old_low = p->s->low[cell], old_high = p->s->high[cell];
    bool has_lost = false;
    size_t n_gained = 0;
    if (low < old_low || high > old_high)
        p->home_epoch = ++p->last_epoch;
    p->epoch = p->n_bent ? ++p->last_epoch : p->home_epoch;
    HD_TRY(set_bounds(p, cell, low, high, err));
    for (size_t t = 0; t < p->n_tables; t++) {
        int64_t v = p->tables[t].values[cell];
        bool was_out = v < old_low || v > old_high, is_out = v < low || v > high;
        has_lost |= !was_out && is_out && p->tables[t].n_out == 0;
        p->tables[t].n_out += (uint32_t)is_out - (uint32_t)was_out;
        n_gained += was_out && p->tables[t].n_out == 0;
    }
    p->witness_epoch += has_lost || n_gained;
    p->has_table = p->search.n_violated == 0;
    return p->has_table ? HD_OK : stand_on_witness(p, err);
}
