/* secondary.c - from what the primary pass shows to what is released; see secondary.h.
 *
 * A pass makes the canonical plan, proves what it can, adds helpers where it cannot, and cleans up.
 * Its result is then put through a fresh pass, as if it had come from outside, until a pass adds
 * nothing: so protecting what was protected changes nothing, by construction.
 */
#include "disclosure/secondary.h"

#include "base/alloc.h"
#include "disclosure/differences.h"
#include "disclosure/eliminate.h"
#include "disclosure/plan.h"
#include "disclosure/propagate.h"

#include <string.h>

enum {
    SWEEPS = 24,
    ROUNDS = 200,
    CIRCUITS = 8,
    STUCK = 1,
    FEW = 24,
    FEW_OPEN = 500,
    FIRST_TABLES = 6,
    KEEP_EVERY = 8,           /* cells that moved */
    LARGEST_PROOF = 48 << 20, /* numbers in tables */
    DOUBTFUL = 8,             /* cells in a row that were not proven from witnesses beside either */
    HOPELESS = 4, /* cells in a row that looking longer did not prove */
    INSISTS = 2,
    LARGE = 100, /* required cells */
    MANY = 200,  /* failing cells */
};

void hd_secondary_options_init(hd_secondary_options *o)
{
    *o = (hd_secondary_options){
        .difference_need = {.values = 5}, .sensitive_low = 1, .sensitive_high = 7};
}

void hd_secondary_result_free(hd_secondary_result *r)
{
    hd_free(r->shown);
    hd_free(r->unprotected);
    hd_system_free(&r->system);
    hd_free(r->is_protected);
    hd_wipe_free(r->intervals, r->system.n_cells * sizeof *r->intervals);
    hd_witnesses_free(&r->witnesses);
    memset(r, 0, sizeof *r);
}

/* Input and working state in the order of the caller. */
typedef struct job {
    const hd_secondary_options *options;
    hd_system system; /* with the differences as cells */
    size_t n_input;
    hd_plan_cell *cells; /* system.n_cells */
    size_t cells_cap;
    hd_plan plan;
} job;

static void cell_from_input(hd_plan_cell *out, const hd_secondary_cell *in)
{
    *out = (hd_plan_cell){
        .low = {in->low, in->coarse_low, in->hidden_low},
        .high = {in->high, in->coarse_high, in->hidden_high},
        .has = {true, in->coarse_low <= in->coarse_high, in->hidden_low <= in->hidden_high},
        .is_mark = in->is_withheld,
        .is_protected = in->is_protected,
        .is_protected_hidden = in->is_protected_hidden,
        .whole = HD_NO_CELL,
        .part = HD_NO_CELL,
        .added_for = HD_NO_CELL,
        .preference = in->preference,
        .size = in->size,
        .need = in->need,
    };
}

/* A difference becomes a cell of its own: whole = part + difference = part + rest. */
static hd_code add_difference(void *ctx, const hd_found_difference *d, hd_err *err)
{
    job *j = ctx;
    hd_system *s = &j->system;
    if (d->whole >= j->n_input || d->part >= j->n_input || d->whole == d->part)
        return hd_fail(err, HD_INVALID, "a difference names no two cells");
    if (j->cells[d->whole].is_mark || j->cells[d->part].is_mark)
        return HD_OK;
    if (s->low[d->whole] - s->high[d->part] > j->options->sensitive_high ||
        s->high[d->whole] - s->low[d->part] < j->options->sensitive_low)
        return HD_OK;
    uint32_t children[2] = {d->part, 0};
    HD_TRY(hd_system_cell(s, 0, HD_NO_BOUND, hd_mix(s->name[d->whole], s->name[d->part]),
                          &children[1], err));
    HD_TRY(hd_system_rule(s, d->whole, children, 2, err));
    if (d->n_rest)
        HD_TRY(hd_system_rule(s, children[1], d->rest, d->n_rest, err));
    if (!HD_GROW(j->cells, children[1], j->cells_cap))
        return hd_fail_nomem(err);
    j->cells[children[1]] = (hd_plan_cell){.low = {0, 1, 1},
                                           .high = {HD_NO_BOUND, 0, 0},
                                           .has = {true},
                                           .is_mark = true,
                                           .whole = d->whole,
                                           .part = d->part,
                                           .added_for = HD_NO_CELL,
                                           .need = j->options->difference_need};
    return HD_OK;
}

/* lattice: NULL, or the table that s is, for the differences of its cells. */
static hd_code job_init(job *j, const hd_system *s, const hd_lattice *lattice,
                        const hd_secondary_cell *cells, const hd_secondary_options *options,
                        hd_err *err)
{
    memset(j, 0, sizeof *j);
    j->options = options;
    j->n_input = s->n_cells;
    HD_TRY(hd_system_copy(&j->system, s, err));
    for (size_t c = 0; c < s->n_cells; c++) {
        if (!HD_GROW(j->cells, c, j->cells_cap))
            return hd_fail_nomem(err);
        if (cells[c].low > cells[c].high)
            return hd_fail(err, HD_INVALID, "cell %zu: its bounds leave no value", c);
        cell_from_input(&j->cells[c], &cells[c]);
        j->system.low[c] = cells[c].low;
        j->system.high[c] = cells[c].high;
    }
    for (size_t i = 0; i < options->n_differences; i++) {
        hd_found_difference d = {options->differences[i].whole, options->differences[i].part, NULL,
                                 0};
        HD_TRY(add_difference(j, &d, err));
    }
    if (lattice)
        HD_TRY(hd_differences(lattice, cells, options->sensitive_high, add_difference, j, err));
    return HD_OK;
}

static void plan_free(hd_plan *p)
{
    if (p->prover)
        hd_prover_free(p->prover);
    hd_free(p->prover);
    hd_canonical_free(&p->canonical);
    hd_free(p->cells);
    hd_free(p->is_tracked);
    hd_free(p->is_open);
    hd_free(p->n_stuck);
    hd_free(p->outer_low);
    hd_free(p->outer_high);
    memset(p, 0, sizeof *p);
}

static void job_free(job *j)
{
    plan_free(&j->plan);
    hd_system_free(&j->system);
    hd_free(j->cells);
}

/* All that matters about a cell. What cannot be withheld has neither wish nor size, so that a
 * helper of an earlier pass looks like any other withheld cell. */
static uint64_t content(const hd_plan_cell *c, const hd_secondary_options *o)
{
    uint64_t h = hd_mix((uint64_t)c->low[0], (uint64_t)c->high[0]);
    h = hd_mix(h, (uint64_t)c->is_protected_hidden * 4 + (uint64_t)c->is_mark * 2 +
                      c->is_protected);
    if (c->is_protected || c->is_protected_hidden || c->whole != HD_NO_CELL) {
        const hd_need *n = c->whole == HD_NO_CELL ? &c->need : &o->difference_need;
        h = hd_mix(h, n->values * 4 + (uint64_t)n->not_computable * 2 + n->has_span);
        h = hd_mix(hd_mix(h, (uint64_t)n->at_most), hd_mix((uint64_t)n->at_least,
                                                           (uint64_t)n->width));
    }
    for (int to = HD_COARSER; to <= HD_HELPER; to++)
        if (c->has[to])
            h = hd_mix(hd_mix(h, (uint64_t)c->low[to]), (uint64_t)c->high[to] + (uint64_t)to);
    if (c->has[HD_COARSER] || c->has[HD_HELPER])
        h = hd_mix(hd_mix(h, (uint64_t)(int64_t)c->preference), (uint64_t)c->size);
    return h;
}

static hd_code plan_outer(hd_plan *p, hd_err *err)
{
    size_t n = p->canonical.system.n_cells;
    hd_system copy;
    hd_propagation done;
    HD_TRY(hd_system_copy(&copy, &p->canonical.system, err));
    hd_code rc = hd_propagate(&copy, &done, err);
    if (rc == HD_OK && !done.is_consistent)
        rc = hd_fail(err, HD_INVALID, "the figures contradict each other");
    if (rc == HD_OK && n) {
        memcpy(p->outer_low, copy.low, n * sizeof *copy.low);
        memcpy(p->outer_high, copy.high, n * sizeof *copy.high);
    }
    hd_system_free(&copy);
    return rc;
}

/* What has to be looked at: witnesses unless only exact recomputation is to be prevented, and that
 * first wherever most figures are shown exactly. Beside needs for witnesses, not_computable is two
 * different values. */
static void plan_needs(hd_plan *p)
{
    size_t n = p->canonical.system.n_cells, n_exact = 0, n_coarser = 0;
    for (size_t c = 0; c < n; c++) {
        const hd_plan_cell *x = &p->cells[c];
        n_coarser += x->has[HD_COARSER];
        n_exact += x->low[0] == x->high[0];
        if (!p->is_tracked[c])
            continue;
        p->needs_exactness |= x->need.not_computable;
        p->needs_witnesses |= x->need.values || x->need.has_span || x->need.width > 0;
    }
    p->is_exact = n_exact > n / 4 && n_coarser <= n / 8;
    p->needs_exactness |= n_exact > n / 4;
    for (size_t c = 0; c < n && p->needs_witnesses; c++)
        if (p->cells[c].need.not_computable && p->cells[c].need.values < 2)
            p->cells[c].need.values = 2;
}

static hd_code plan_init(job *j, hd_err *err)
{
    hd_plan *p = &j->plan;
    const hd_system *s = &j->system;
    plan_free(p);
    uint64_t *what = hd_malloc((s->n_cells + 1) * sizeof *what);
    if (!what)
        return hd_fail_nomem(err);
    for (size_t c = 0; c < s->n_cells; c++)
        what[c] = content(&j->cells[c], j->options);
    hd_code rc = hd_canonical_new(&p->canonical, s, what, err);
    hd_free(what);
    HD_TRY(rc);
    size_t n = p->canonical.system.n_cells + 1;
    p->sensitive_low = j->options->sensitive_low;
    p->sensitive_high = j->options->sensitive_high;
    p->cells = hd_calloc(n, sizeof *p->cells);
    p->is_tracked = hd_calloc(n, sizeof *p->is_tracked);
    p->is_open = hd_calloc(n, sizeof *p->is_open);
    p->n_stuck = hd_calloc(n, sizeof *p->n_stuck);
    p->outer_low = hd_calloc(n, sizeof *p->outer_low);
    p->outer_high = hd_calloc(n, sizeof *p->outer_high);
    if (!p->cells || !p->is_tracked || !p->is_open || !p->n_stuck || !p->outer_low || !p->outer_high)
        return hd_fail_nomem(err);
    for (size_t c = 0; c + 1 < n; c++) {
        hd_plan_cell *to = &p->cells[c];
        *to = j->cells[p->canonical.from[c]];
        if (to->whole != HD_NO_CELL) {
            to->whole = p->canonical.to[to->whole];
            to->part = p->canonical.to[to->part];
        }
        p->is_tracked[c] = to->is_protected || to->is_protected_hidden || to->whole != HD_NO_CELL;
    }
    plan_needs(p);
    return plan_outer(p, err);
}

/* The caller's start table in canonical order, differences filled in. */
static hd_code plan_start(const job *j, int64_t **out, hd_err *err)
{
    const hd_plan *p = &j->plan;
    *out = NULL;
    if (!j->options->start)
        return HD_OK;
    size_t n = p->canonical.system.n_cells;
    int64_t *values = hd_malloc((n + 1) * sizeof *values);
    if (!values)
        return hd_fail_nomem(err);
    for (size_t c = 0; c < n; c++) {
        const hd_plan_cell *d = &j->cells[p->canonical.from[c]];
        values[c] = d->whole == HD_NO_CELL
                        ? j->options->start[p->canonical.from[c]]
                        : j->options->start[d->whole] - j->options->start[d->part];
    }
    *out = values;
    return HD_OK;
}

/* A new prover for the present forms, with the witnesses of the one before. */
static hd_code plan_prover(job *j, hd_err *err)
{
    hd_plan *p = &j->plan;
    hd_prover *old = p->prover;
    int64_t *start = NULL;
    uint32_t limit = 1;
    hd_code rc = HD_OK;
    for (size_t c = 0; c < p->canonical.system.n_cells; c++)
        if (p->is_tracked[c] && p->cells[c].need.values > limit)
            limit = p->cells[c].need.values;
    p->prover = hd_calloc(1, sizeof *p->prover);
    if (!p->prover) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(hd_prover_init(p->prover, &p->canonical.system, p->is_open, p->is_tracked, limit, 0,
                         err));
    p->prover->search.stop = j->options->stop;
    p->prover->search.tick = j->options->tick;
    for (size_t t = 0; old && t < old->n_tables; t++)
        if (old->tables[t].n_out == 0)
            HD_GO(hd_prover_note(p->prover, old->tables[t].values, err));
    HD_GO(hd_prover_begin(p->prover, p->prover->n_tables ? p->prover->tables[0].values : NULL,
                          err));
    if (!p->prover->has_table)
        HD_GO(plan_start(j, &start, err));
    if (start)
        HD_GO(hd_prover_begin(p->prover, start, err));
out:
    hd_wipe_free(start, start ? p->canonical.system.n_cells * sizeof *start : 0);
    if (old)
        hd_prover_free(old);
    hd_free(old);
    return rc;
}

/* Can each of so many cells have a table of its own? */
static bool has_space(const hd_plan *p, size_t n_open)
{
    return n_open <= LARGEST_PROOF / (p->canonical.system.n_cells + 1);
}

/* A few tables in each of which many cells have a value not seen before. n_open: cells that lack
 * some. Where sums cut across each other the moves for one cell undo those for the others: when the
 * first tables bring little, more of them are kept on the way. */
static hd_code sweep_tables(hd_plan *p, bool is_hard, size_t *n_open, hd_err *err)
{
    size_t n_first = 0;
    bool is_crowded = false;
    memset(p->n_stuck, 0, p->canonical.system.n_cells * sizeof *p->n_stuck);
    for (int k = 0; k < SWEEPS && p->prover->has_table; k++) {
        size_t n_tables = p->prover->n_tables, n_tried = 0, n_moved = 0;
        if (k == FIRST_TABLES && !is_hard && *n_open > FEW_OPEN && has_space(p, *n_open))
            is_crowded = *n_open > n_first - n_first / 8;
        *n_open = 0;
        for (uint32_t c = 0; c < p->canonical.system.n_cells; c++) {
            if (!p->is_tracked[c] || !hd_plan_is_required(p, c) ||
                hd_prover_has(p->prover, c, &p->cells[c].need))
                continue;
            ++*n_open;
            if (p->n_stuck[c] > STUCK)
                continue;
            bool has_moved;
            n_tried++;
            HD_TRY(hd_prover_nudge(p->prover, c, &p->cells[c].need, is_hard, &has_moved, err));
            n_moved += has_moved;
            p->n_stuck[c] = has_moved ? 0 : p->n_stuck[c] + 1;
            if (is_crowded && has_moved && n_moved % KEEP_EVERY == 0)
                HD_TRY(hd_prover_keep(p->prover, err));
        }
        n_first = k ? n_first : *n_open;
        HD_TRY(hd_prover_keep(p->prover, err));
        if (n_tried == 0 || p->prover->n_tables == n_tables || (is_hard && n_moved < n_tried / 8))
            break;
    }
    return HD_OK;
}

/* What is left is proven cell by cell, a table for each value. Where that would be too many tables,
 * more of it goes into each. */
static hd_code sweep(hd_plan *p, hd_err *err)
{
    size_t n_open = 0, n_before;
    HD_TRY(sweep_tables(p, false, &n_open, err));
    for (n_before = 2 * n_open;
         n_open > FEW_OPEN && !has_space(p, n_open) && n_open < n_before - n_before / 8;) {
        n_before = n_open;
        HD_TRY(sweep_tables(p, true, &n_open, err));
    }
    return HD_OK;
}

/* Did the sums leave enough values before any helper was taken? */
static bool had_room(const hd_plan *p, uint32_t c)
{
    uint32_t values = p->cells[c].need.values;
    return !values || p->outer_high[c] >= HD_NO_BOUND ||
           p->outer_high[c] - p->outer_low[c] + 1 >= values;
}

/* Cells whose need is in force and not proven. */
static hd_code list_failing(hd_plan *p, uint32_t *list, size_t *n, hd_err *err)
{
    *n = 0;
    HD_TRY(sweep(p, err));
    for (uint32_t c = 0; c < p->canonical.system.n_cells; c++) {
        bool is_proven;
        if (!p->is_tracked[c] || !hd_plan_is_required(p, c))
            continue;
        if (*n >= MANY)
            p->prover->starts = 1;
        else if (had_room(p, c))
            p->prover->starts = HD_PROVER_THOROUGH_STARTS;
        hd_code rc = hd_plan_prove(p, c, &is_proven, err);
        p->prover->starts = HD_PROVER_STARTS;
        HD_TRY(rc);
        if (!is_proven)
            list[(*n)++] = c;
    }
    return HD_OK;
}

/* The last word on cells that no helper is left for: what only a longer search proves goes from the
 * list. */
static hd_code insist(job *j, uint32_t *list, size_t *n_failing, hd_err *err)
{
    hd_plan *p = &j->plan;
    size_t n = 0, n_hopeless = 0;
    for (size_t i = 0; i < *n_failing; i++) {
        uint32_t c = list[i];
        const hd_need *need = &p->cells[c].need;
        bool is_proven = false, has_room = !j->options->no_helpers || had_room(p, c);
        if (p->prover->has_table && n_hopeless < HOPELESS && has_room) {
            if (hd_plan_is_wide(p))
                HD_TRY(hd_prover_approach(p->prover, c, need, true, &is_proven, err));
            if (!is_proven)
                HD_TRY(hd_prover_insist(p->prover, c, need, &is_proven, err));
            n_hopeless = is_proven ? 0 : n_hopeless + 1;
        }
        if (!is_proven)
            list[n++] = list[i];
    }
    *n_failing = n;
    return HD_OK;
}

/* In a wide table most cells that fail are only not found: they are looked for from other tables before
 * figures are withheld for them. Round after round, as what is found for one cell brings others nearer. */
static hd_code approach(hd_plan *p, uint32_t *list, size_t *n_failing, hd_err *err)
{
    size_t n_before = SIZE_MAX;
    while (hd_plan_is_wide(p) && *n_failing && *n_failing < n_before) {
        size_t n = 0, n_doubtful = 0;
        n_before = *n_failing;
        for (size_t i = 0; i < n_before; i++) {
            bool is_proven = false;
            if (n_doubtful < DOUBTFUL)
                HD_TRY(hd_prover_approach(p->prover, list[i], &p->cells[list[i]].need, false,
                                          &is_proven, err));
            n_doubtful = is_proven ? 0 : n_doubtful + 1;
            if (!is_proven)
                list[n++] = list[i];
        }
        *n_failing = n;
    }
    return HD_OK;
}

/* One round over the failing cells. is_done: nothing more can be done. */
static hd_code help_failing(job *j, uint32_t *list, size_t *n_failing, bool *is_done, hd_err *err)
{
    hd_plan *p = &j->plan;
    bool is_open_new = false, has_helped = false;
    HD_TRY(list_failing(p, list, n_failing, err));
    HD_TRY(approach(p, list, n_failing, err));
    *is_done = *n_failing == 0 || j->options->no_helpers || !p->prover->has_table;
    if (*is_done)
        return HD_OK;
    /* Where all is exact, many are helped together, and few where one by one does not get on. */
    bool is_slow = p->n_before && *n_failing * 5 > p->n_before * 4;
    bool is_stuck = is_slow && p->prover->n_watched >= LARGE;
    if (p->is_exact && (*n_failing > FEW || is_stuck) && p->n_circuits++ < CIRCUITS) {
        HD_TRY(hd_plan_circuits(p, list, *n_failing, &has_helped, err));
        if (has_helped)
            return plan_prover(j, err);
    }
    for (size_t i = 0; i < *n_failing; i++) {
        bool is_new;
        HD_TRY(hd_plan_open_near(p, list[i], &is_new, err));
        is_open_new |= is_new;
    }
    if (is_open_new)
        return plan_prover(j, err);
    for (size_t i = 0; i < *n_failing; i++) {
        bool is_proven = false, is_found = false;
        if (!hd_plan_is_required(p, list[i]))
            continue;
        HD_TRY(hd_plan_prove(p, list[i], &is_proven, err));
        if (!is_proven)
            HD_TRY(hd_plan_help(p, list[i], &is_found, err));
        has_helped |= is_found;
    }
    size_t n_left = *n_failing;
    if (!has_helped && n_left <= FEW && p->n_insists++ < INSISTS)
        HD_TRY(insist(j, list, n_failing, err));
    if (*n_failing < n_left)
        return HD_OK;
    /* Where all is exact and cell by cell does not get on, everything around is opened. */
    p->n_before = *n_failing;
    is_slow &= p->is_exact && *n_failing > FEW;
    for (size_t i = 0; i < *n_failing && (!has_helped || is_slow); i++)
        if (hd_plan_is_required(p, list[i]))
            HD_TRY(hd_plan_help_all(p, list[i], &has_helped, err));
    if (has_helped)
        return HD_OK;
    *is_done = true;
    return list_failing(p, list, n_failing, err);
}

/* Protected cells that the shown ones give by sums and differences. */
static hd_code list_computable(const hd_plan *p, uint32_t *list, size_t *n, hd_err *err)
{
    const hd_system *s = &p->canonical.system;
    bool *is_known = hd_calloc(s->n_cells + 1, sizeof *is_known);
    bool *is_fixed = hd_calloc(s->n_cells + 1, sizeof *is_fixed);
    hd_code rc = is_known && is_fixed ? HD_OK : hd_fail_nomem(err);
    *n = 0;
    for (size_t c = 0; rc == HD_OK && c < s->n_cells; c++)
        is_known[c] = s->low[c] == s->high[c];
    if (rc == HD_OK)
        rc = hd_eliminate(s, is_known, is_fixed, err);
    for (uint32_t c = 0; rc == HD_OK && c < s->n_cells; c++)
        if (p->is_tracked[c] && p->cells[c].is_protected && (is_known[c] || is_fixed[c]))
            list[(*n)++] = c;
    hd_free(is_known);
    hd_free(is_fixed);
    return rc;
}

/* Cells that would keep too few values even if all that may be withheld were: what limits them stays
 * whatever helps, as an exact national figure does, and no search need begin. */
static hd_code list_cramped(const hd_plan *p, uint32_t *list, size_t *n, hd_err *err)
{
    hd_system s;
    hd_propagation done;
    *n = 0;
    HD_TRY(hd_system_copy(&s, &p->canonical.system, err));
    for (size_t c = 0; c < s.n_cells; c++)
        for (int to = HD_COARSER; to <= HD_HELPER; to++)
            if (p->cells[c].has[to]) {
                s.low[c] = p->cells[c].low[to] < s.low[c] ? p->cells[c].low[to] : s.low[c];
                s.high[c] = p->cells[c].high[to] > s.high[c] ? p->cells[c].high[to] : s.high[c];
            }
    hd_code rc = hd_propagate(&s, &done, err);
    for (uint32_t c = 0; rc == HD_OK && c < s.n_cells; c++) {
        const hd_plan_cell *x = &p->cells[c];
        if (x->is_protected && hd_plan_is_required(p, c) && s.high[c] - s.low[c] + 1 < x->need.values)
            list[(*n)++] = c;
    }
    hd_system_free(&s);
    return rc;
}

static hd_code run_pass(job *j, uint32_t *failing, size_t *n_failing, hd_err *err)
{
    HD_TRY(plan_init(j, err));
    if (!j->options->no_helpers) {
        HD_TRY(list_cramped(&j->plan, failing, n_failing, err));
        if (*n_failing)
            return HD_OK;
    }
    if (j->plan.needs_exactness && !j->options->no_helpers)
        HD_TRY(hd_plan_exactness(&j->plan, err));
    if (!j->plan.needs_witnesses)
        return list_computable(&j->plan, failing, n_failing, err);
    HD_TRY(plan_prover(j, err));
    bool is_done = false;
    for (int round = 0; !is_done && round < ROUNDS; round++)
        HD_TRY(help_failing(j, failing, n_failing, &is_done, err));
    if (!is_done)
        HD_TRY(list_failing(&j->plan, failing, n_failing, err));
    HD_TRY(insist(j, failing, n_failing, err));
    if (*n_failing == 0 && !j->options->no_helpers && !j->options->no_clean_up)
        return hd_plan_clean_up(&j->plan, err);
    return HD_OK;
}

/* The input as it would be if what the pass decided had come from outside. True when it decided
 * anything. */
static bool adopt(const job *j, hd_secondary_cell *cells)
{
    bool has_news = false;
    const hd_plan *p = &j->plan;
    for (size_t c = 0; c < p->canonical.system.n_cells; c++) {
        hd_shown shown = p->cells[c].shown;
        if (p->canonical.from[c] >= j->n_input || shown == HD_AS_IS)
            continue;
        hd_secondary_cell *to = &cells[p->canonical.from[c]];
        has_news = true;
        to->low = shown == HD_HELPER ? to->hidden_low : to->coarse_low;
        to->high = shown == HD_HELPER ? to->hidden_high : to->coarse_high;
        to->coarse_low = 1;
        to->coarse_high = 0;
        if (shown == HD_HELPER) {
            to->hidden_low = 1;
            to->hidden_high = 0;
            to->is_withheld = true;
            to->is_protected |= to->is_protected_hidden;
            to->is_protected_hidden = false;
        }
    }
    return has_news;
}

static void note_forms(const job *j, hd_shown *shown)
{
    const hd_plan *p = &j->plan;
    for (size_t c = 0; c < p->canonical.system.n_cells; c++)
        if (p->canonical.from[c] < j->n_input && p->cells[c].shown != HD_AS_IS)
            shown[p->canonical.from[c]] = p->cells[c].shown;
}

static hd_code take_witnesses(const job *j, hd_secondary_result *out, hd_err *err)
{
    const hd_plan *p = &j->plan;
    size_t n = j->system.n_cells, n_tables = 0;
    if (!p->prover)
        return HD_OK;
    for (size_t t = 0; t < p->prover->n_tables; t++)
        n_tables += p->prover->tables[t].n_out == 0;
    out->witnesses.values = hd_calloc(n_tables * n + 1, sizeof *out->witnesses.values);
    if (!out->witnesses.values)
        return hd_fail_nomem(err);
    out->witnesses.n_tables = n_tables;
    out->witnesses.n_cells = n;
    n_tables = 0;
    for (size_t t = 0; t < p->prover->n_tables; t++) {
        if (p->prover->tables[t].n_out)
            continue;
        int64_t *to = out->witnesses.values + n_tables++ * n;
        for (size_t c = 0; c < p->canonical.system.n_cells; c++)
            to[p->canonical.from[c]] = p->prover->tables[t].values[c];
    }
    return HD_OK;
}

/* What was proven, cell by cell, in the caller's order. */
static hd_code take_result(job *j, hd_secondary_result *out, const uint32_t *failing,
                           size_t n_failing, hd_err *err)
{
    hd_plan *p = &j->plan;
    size_t n = j->system.n_cells;
    out->is_protected = hd_calloc(n + 1, sizeof *out->is_protected);
    out->intervals = hd_calloc(n + 1, sizeof *out->intervals);
    out->unprotected = hd_calloc(n_failing + 1, sizeof *out->unprotected);
    if (!out->is_protected || !out->intervals || !out->unprotected)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n_failing; i++)
        out->unprotected[out->n_unprotected++] = p->canonical.from[failing[i]];
    for (size_t c = 0; c < n; c++) /* left out: known to be 0 */
        out->intervals[c] = (hd_interval){.n_values = 1, .is_complete = true};
    for (size_t c = 0; c < p->canonical.system.n_cells; c++) {
        uint32_t at = p->canonical.from[c];
        if (p->prover)
            hd_prover_look(p->prover, (uint32_t)c);
        bool is_seen = p->prover && p->prover->n_seen[c] > 0;
        out->is_protected[at] = hd_plan_is_required(p, (uint32_t)c);
        out->intervals[at] = (hd_interval){.low = p->outer_low[c], .high = p->outer_high[c]};
        out->intervals[at].seen_low = is_seen ? p->prover->seen_low[c] : 1;
        out->intervals[at].seen_high = is_seen ? p->prover->seen_high[c] : 0;
        out->intervals[at].n_values = is_seen ? p->prover->n_seen[c] : 0;
        out->intervals[at].is_complete = is_seen &&
                                         p->prover->seen_low[c] == p->outer_low[c] &&
                                         p->prover->seen_high[c] == p->outer_high[c];
    }
    HD_TRY(take_witnesses(j, out, err));
    out->system = j->system;
    hd_system_init(&j->system);
    return HD_OK;
}

static hd_code run(const hd_system *s, const hd_lattice *lattice, const hd_secondary_cell *cells,
                   const hd_secondary_options *options, hd_secondary_result *out, hd_err *err)
{
    hd_code rc = HD_OK;
    job j = {0};
    size_t n_failing = 0;
    uint32_t *failing = NULL;
    memset(out, 0, sizeof *out);
    out->n_cells = s->n_cells;
    out->shown = hd_calloc(s->n_cells + 1, sizeof *out->shown);
    hd_secondary_cell *now = hd_malloc((s->n_cells + 1) * sizeof *now);
    if (!out->shown || !now) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    memcpy(now, cells, s->n_cells * sizeof *now);
    for (bool has_news = true; has_news;) {
        job_free(&j);
        HD_GO(job_init(&j, s, lattice, now, options, err));
        hd_free(failing);
        failing = hd_calloc(j.system.n_cells + 1, sizeof *failing);
        if (!failing) {
            rc = hd_fail_nomem(err);
            goto out;
        }
        HD_GO(run_pass(&j, failing, &n_failing, err));
        note_forms(&j, out->shown);
        has_news = adopt(&j, now);
    }
    for (size_t c = 0; c < s->n_cells; c++) {
        out->n_helpers += out->shown[c] == HD_HELPER;
        out->n_coarser += out->shown[c] == HD_COARSER;
    }
    HD_GO(take_result(&j, out, failing, n_failing, err));
out:
    hd_free(now);
    hd_free(failing);
    job_free(&j);
    if (rc != HD_OK)
        hd_secondary_result_free(out);
    return rc;
}

hd_code hd_secondary(const hd_system *s, const hd_secondary_cell *cells,
                     const hd_secondary_options *options, hd_secondary_result *out, hd_err *err)
{
    return run(s, NULL, cells, options, out, err);
}

hd_code hd_secondary_lattice(const hd_lattice *l, const hd_secondary_cell *cells,
                             const hd_secondary_options *options, hd_secondary_result *out,
                             hd_err *err)
{
    hd_code rc = HD_OK;
    hd_system s;
    size_t n = hd_lattice_n_cells(l);
    memset(out, 0, sizeof *out);
    hd_system_init(&s);
    int64_t *zero = hd_calloc(n, sizeof *zero);
    if (!zero)
        return hd_fail_nomem(err);
    HD_GO(hd_system_from_lattice(&s, l, zero, zero, err));
    HD_GO(run(&s, l, cells, options, out, err));
out:
    hd_system_free(&s);
    hd_free(zero);
    return rc;
}
