/* helpers.c - which cells to withhold for one that is not protected, and which to give back.
 *
 * Candidates are figures that share a sum with the cell. One alone is tried first, the least wanted
 * first. If none suffices, all figures within three sums that have a coarser form take it, and then
 * figures are withheld one after the other, until the cell is protected; then all that is closed
 * again one by one, the most wanted first, as long as the cell stays protected. A try never looks at
 * a true count: it asks whether witnesses exist.
 */
#include "disclosure/plan.h"

#include "base/alloc.h"
#include "disclosure/exactness.h"

#include <stdlib.h>
#include <string.h>

enum {
    NEAR = 192,     /* candidates looked at */
    REACHED = 4000, /* cells taken for surroundings */
    SUMS = 3,       /* how far surroundings go */
    ROOM = 4,       /* for five values */
    MANY = 100,     /* required cells */
    WIDE = 200,     /* the same */
    LAST_EFFORT = 8,
};

typedef struct candidate {
    uint32_t cell;
    hd_shown to;
} candidate;

bool hd_plan_is_wide(const hd_plan *p)
{
    return p->prover->n_watched >= WIDE;
}

bool hd_plan_is_required(const hd_plan *p, uint32_t cell)
{
    const hd_plan_cell *c = &p->cells[cell];
    /* A cell below a star that is known to be 0 all the same hides nobody. */
    if (c->is_protected || (c->is_protected_hidden && c->shown == HD_HELPER))
        return !c->need.values || p->outer_high[cell] >= p->sensitive_low;
    if (c->whole == HD_NO_CELL)
        return false;
    const hd_plan_cell *whole = &p->cells[c->whole], *part = &p->cells[c->part];
    return whole->shown != HD_HELPER && part->shown != HD_HELPER && !whole->is_mark &&
           !part->is_mark && p->outer_low[cell] <= p->sensitive_high && p->outer_high[cell] >= p->sensitive_low;
}

hd_code hd_plan_prove(hd_plan *p, uint32_t cell, bool *is_proven, hd_err *err)
{
    return hd_prover_prove(p->prover, cell, &p->cells[cell].need, is_proven, err);
}

static bool may_become(const hd_plan_cell *c, hd_shown to)
{
    return c->has[to] && c->shown < to &&
           (c->low[to] < c->low[c->shown] || c->high[to] > c->high[c->shown]);
}

static int less_wanted(const hd_plan *p, candidate x, candidate y)
{
    const hd_plan_cell *a = &p->cells[x.cell], *b = &p->cells[y.cell];
    if (a->is_mark != b->is_mark)
        return a->is_mark ? -1 : 1;
    if (a->preference != b->preference)
        return a->preference < b->preference ? -1 : 1;
    if (x.to != y.to)
        return x.to < y.to ? -1 : 1;
    if (a->size != b->size)
        return a->size < b->size ? -1 : 1;
    return (x.cell > y.cell) - (x.cell < y.cell);
}

/* A list of candidates kept in order, the least wanted first; full lists drop the most wanted. */
typedef struct candidates {
    size_t n;
    candidate list[NEAR];
} candidates;

static void insert(const hd_plan *p, candidates *c, uint32_t cell, hd_shown to)
{
    candidate x = {cell, to};
    size_t low = 0, high = c->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = less_wanted(p, c->list[mid], x);
        if (order == 0)
            return;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == NEAR)
        return;
    size_t n_moved = (c->n < NEAR ? c->n : NEAR - 1) - low;
    memmove(&c->list[low + 1], &c->list[low], n_moved * sizeof *c->list);
    c->list[low] = x;
    c->n += c->n < NEAR;
}

static void insert_forms(const hd_plan *p, candidates *out, uint32_t cell)
{
    for (int to = HD_COARSER; to <= HD_HELPER; to++)
        if (may_become(&p->cells[cell], (hd_shown)to))
            insert(p, out, cell, (hd_shown)to);
}

/* Figures in the rules of a cell. */
static void look_around(const hd_plan *p, candidates *out, uint32_t cell)
{
    const hd_system *s = &p->canonical.system;
    const hd_propagator *g = &p->prover->propagator;
    for (size_t k = g->use_start[cell]; k < g->use_start[cell + 1]; k++) {
        uint32_t r = g->use[k];
        insert_forms(p, out, s->parent[r]);
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            insert_forms(p, out, s->child[i]);
    }
}

/* Cells within so many sums of a cell, each once, near ones first. */
typedef struct surroundings {
    size_t n, cap;
    uint32_t *cells;
    bool *is_in; /* by cell */
} surroundings;

static void surroundings_free(surroundings *x)
{
    hd_free(x->cells);
    hd_free(x->is_in);
}

static hd_code surroundings_add(surroundings *x, uint32_t cell, hd_err *err)
{
    if (x->is_in[cell])
        return HD_OK;
    if (!HD_GROW(x->cells, x->n, x->cap))
        return hd_fail_nomem(err);
    x->is_in[cell] = true;
    x->cells[x->n++] = cell;
    return HD_OK;
}

static hd_code look_further(const hd_plan *p, surroundings *x, uint32_t cell, int sums, hd_err *err)
{
    const hd_system *s = &p->canonical.system;
    const hd_propagator *g = &p->prover->propagator;
    memset(x, 0, sizeof *x);
    x->is_in = hd_calloc(s->n_cells + 1, sizeof *x->is_in);
    if (!x->is_in)
        return hd_fail_nomem(err);
    HD_TRY(surroundings_add(x, cell, err));
    for (size_t done = 0; sums > 0; sums--)
        for (size_t end = x->n; done < end; done++) {
            uint32_t c = x->cells[done];
            for (size_t k = g->use_start[c]; k < g->use_start[c + 1]; k++) {
                uint32_t r = g->use[k];
                HD_TRY(surroundings_add(x, s->parent[r], err));
                for (size_t i = s->start[r]; i < s->start[r + 1] && x->n < REACHED; i++)
                    HD_TRY(surroundings_add(x, s->child[i], err));
            }
        }
    return HD_OK;
}

static hd_code bend(hd_plan *p, uint32_t cell, hd_shown to, hd_err *err)
{
    const hd_plan_cell *c = &p->cells[cell];
    return hd_prover_bend(p->prover, cell, c->low[to], c->high[to], err);
}

static hd_code try_bent(hd_plan *p, uint32_t cell, bool *is_proven, hd_err *err)
{
    return hd_prover_try(p->prover, cell, &p->cells[cell].need, is_proven, err);
}

/* It is decided: the form changes for good, and witnesses may use it. */
static hd_code commit(hd_plan *p, uint32_t cell, hd_shown to, uint32_t added_for, hd_err *err)
{
    hd_plan_cell *c = &p->cells[cell];
    /* The bounds go back first, so that tables are judged from where they were. */
    HD_TRY(bend(p, cell, c->shown, err));
    c->shown = to;
    c->added_for = added_for;
    return hd_prover_rebound(p->prover, cell, c->low[to], c->high[to], err);
}

static hd_code help_difference(hd_plan *p, uint32_t cell, bool *is_found, hd_err *err)
{
    const hd_plan_cell *c = &p->cells[cell];
    candidates list = {0};
    insert_forms(p, &list, c->whole);
    insert_forms(p, &list, c->part);
    for (size_t i = 0; i < list.n; i++) {
        if (list.list[i].to != HD_HELPER)
            continue;
        *is_found = true;
        return commit(p, list.list[i].cell, HD_HELPER, cell, err);
    }
    return HD_OK;
}

static hd_code try_single(hd_plan *p, uint32_t cell, const candidates *list, bool *is_found,
                          hd_err *err)
{
    for (size_t i = 0; i < list->n && !*is_found; i++) {
        candidate x = list->list[i];
        if (x.cell == cell)
            continue;
        HD_TRY(bend(p, x.cell, x.to, err));
        HD_TRY(try_bent(p, cell, is_found, err));
        if (*is_found)
            return commit(p, x.cell, x.to, cell, err);
        HD_TRY(bend(p, x.cell, p->cells[x.cell].shown, err));
    }
    return HD_OK;
}

/* Close what the last try did not use. */
static hd_code close_unused(hd_plan *p, candidate *open, size_t n, hd_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (open[i].cell != HD_NO_CELL && !hd_prover_used(p->prover, open[i].cell)) {
            HD_TRY(bend(p, open[i].cell, p->cells[open[i].cell].shown, err));
            open[i].cell = HD_NO_CELL;
        }
    return HD_OK;
}

/* Close again what is not needed, the most wanted (last opened) first; commit the rest. */
static hd_code close_again(hd_plan *p, uint32_t cell, candidate *open, size_t n, bool is_enough,
                           hd_err *err)
{
    if (is_enough)
        HD_TRY(close_unused(p, open, n, err));
    for (size_t i = n; i-- > 0;) {
        bool is_still_enough = false;
        if (open[i].cell == HD_NO_CELL)
            continue;
        HD_TRY(bend(p, open[i].cell, p->cells[open[i].cell].shown, err));
        if (is_enough)
            HD_TRY(try_bent(p, cell, &is_still_enough, err));
        if (is_still_enough || !is_enough)
            open[i].cell = HD_NO_CELL;
        else
            HD_TRY(bend(p, open[i].cell, open[i].to, err));
        if (is_still_enough)
            HD_TRY(close_unused(p, open, i, err));
    }
    for (size_t i = 0; i < n; i++)
        if (open[i].cell != HD_NO_CELL && open[i].to > p->cells[open[i].cell].shown)
            HD_TRY(commit(p, open[i].cell, open[i].to, cell, err));
    return HD_OK;
}

typedef struct wish {
    const hd_plan *plan;
    candidate candidate;
} wish;

static int by_wish(const void *a, const void *b)
{
    return less_wanted(((const wish *)a)->plan, ((const wish *)a)->candidate,
                       ((const wish *)b)->candidate);
}

/* Open every figure around that may become coarser; try. */
static hd_code open_coarser(hd_plan *p, uint32_t cell, const surroundings *around, candidate *open,
                            size_t *n, bool *is_found, hd_err *err)
{
    for (size_t i = 0; i < around->n; i++)
        if (around->cells[i] != cell && may_become(&p->cells[around->cells[i]], HD_COARSER)) {
            open[*n] = (candidate){around->cells[i], HD_COARSER};
            HD_TRY(bend(p, open[*n].cell, HD_COARSER, err));
            ++*n;
        }
    return *n ? try_bent(p, cell, is_found, err) : HD_OK;
}

/* Open helpers, the least wanted first; in a large table one, two, four ... at a time, because a try
 * that fails costs most. */
static hd_code open_helpers(hd_plan *p, uint32_t cell, const surroundings *around, candidate *open,
                            size_t *n, bool *is_found, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n_wishes = 0, n_coarser = *n;
    wish *wishes = hd_malloc((around->n + 1) * sizeof *wishes);
    if (!wishes)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < around->n; i++)
        if (around->cells[i] != cell && may_become(&p->cells[around->cells[i]], HD_HELPER))
            wishes[n_wishes++] = (wish){p, {around->cells[i], HD_HELPER}};
    qsort(wishes, n_wishes, sizeof *wishes, by_wish);
    for (size_t i = 0; i < n_wishes && !*is_found; i++) {
        for (size_t k = 0; k < n_coarser; k++)
            if (open[k].cell == wishes[i].candidate.cell)
                open[k].cell = HD_NO_CELL;
        HD_GO(bend(p, wishes[i].candidate.cell, HD_HELPER, err));
        open[(*n)++] = wishes[i].candidate;
        bool is_last = i + 1 == n_wishes;
        if (((i + 1) & i) != 0 && !is_last && p->prover->n_watched >= MANY)
            continue;
        uint64_t effort = p->prover->effort;
        p->prover->effort *= is_last ? LAST_EFFORT : 1;
        rc = try_bent(p, cell, is_found, err);
        p->prover->effort = effort;
        HD_GO(rc);
    }
out:
    hd_free(wishes);
    return rc;
}

static hd_code try_together(hd_plan *p, uint32_t cell, bool *is_found, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = 0;
    surroundings around;
    candidate *open = NULL;
    HD_GO(look_further(p, &around, cell, SUMS, err));
    open = hd_malloc((2 * around.n + 1) * sizeof *open);
    if (!open) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(open_coarser(p, cell, &around, open, &n, is_found, err));
    if (!*is_found)
        HD_GO(open_helpers(p, cell, &around, open, &n, is_found, err));
    HD_GO(close_again(p, cell, open, n, *is_found, err));
out:
    surroundings_free(&around);
    hd_free(open);
    return rc;
}

hd_code hd_plan_help(hd_plan *p, uint32_t cell, bool *is_found, hd_err *err)
{
    hd_code rc = HD_OK;
    *is_found = false;
    if (p->cells[cell].whole != HD_NO_CELL && !p->cells[cell].is_protected)
        return help_difference(p, cell, is_found, err);
    candidates *list = hd_calloc(1, sizeof *list);
    if (!list)
        return hd_fail_nomem(err);
    look_around(p, list, cell);
    if (!p->is_exact || p->prover->n_watched < MANY) /* one figure alone hardly ever helps there */
        HD_GO(try_single(p, cell, list, is_found, err));
    if (!*is_found)
        HD_GO(try_together(p, cell, is_found, err));
    if (*is_found)
        HD_GO(hd_plan_prove(p, cell, is_found, err));
out:
    hd_free(list);
    return rc;
}

hd_code hd_plan_help_all(hd_plan *p, uint32_t cell, bool *has_helped, hd_err *err)
{
    surroundings around;
    hd_code rc = look_further(p, &around, cell, SUMS, err);
    for (size_t i = 0; rc == HD_OK && i < around.n; i++)
        if (around.cells[i] != cell && may_become(&p->cells[around.cells[i]], HD_HELPER)) {
            rc = commit(p, around.cells[i], HD_HELPER, cell, err);
            *has_helped = true;
        }
    surroundings_free(&around);
    return rc;
}

hd_code hd_plan_open_near(hd_plan *p, uint32_t cell, bool *is_new, hd_err *err)
{
    surroundings around;
    hd_code rc = look_further(p, &around, cell, SUMS, err);
    *is_new = false;
    for (size_t i = 0; rc == HD_OK && i < around.n; i++) {
        uint32_t c = around.cells[i];
        const hd_plan_cell *at = &p->cells[c];
        if (at->low[at->shown] == at->high[at->shown] && !p->is_open[c] &&
            (may_become(at, HD_COARSER) || may_become(at, HD_HELPER)))
            p->is_open[c] = *is_new = true;
    }
    surroundings_free(&around);
    return rc;
}

static hd_code prove_all(hd_plan *p, uint32_t first, bool *is_proven, hd_err *err)
{
    *is_proven = true;
    if (first != HD_NO_CELL && hd_plan_is_required(p, first))
        HD_TRY(hd_plan_prove(p, first, is_proven, err));
    for (uint32_t c = 0; c < p->canonical.system.n_cells && *is_proven; c++)
        if (p->is_tracked[c] && hd_plan_is_required(p, c))
            HD_TRY(hd_plan_prove(p, c, is_proven, err));
    return HD_OK;
}

/* Helpers and coarser figures, the most wanted first. */
static size_t list_given(const hd_plan *p, candidate *helpers)
{
    size_t n = 0;
    for (uint32_t c = 0; c < p->canonical.system.n_cells; c++)
        if (p->cells[c].shown != HD_AS_IS)
            helpers[n++] = (candidate){c, p->cells[c].shown};
    /* Few, so insertion by comparison is enough. */
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k && less_wanted(p, helpers[k - 1], helpers[k]) < 0; k--) {
            candidate t = helpers[k];
            helpers[k] = helpers[k - 1];
            helpers[k - 1] = t;
        }
    return n;
}

/* Would a required cell be missed for want of this helper? Asked one cell at a time, first that for
 * which it was taken, then those that share a sum with it: mostly one of these says so at once. */
static hd_code is_missed(hd_plan *p, uint32_t helper, hd_shown to, bool *is_missed, hd_err *err)
{
    hd_code rc = HD_OK;
    surroundings near;
    bool is_proven = true;
    *is_missed = false;
    if (p->prover->n_watched < MANY) /* proving all is as quick, and tries harder */
        return HD_OK;
    HD_GO(look_further(p, &near, helper, 1, err));
    near.cells[0] = p->cells[helper].added_for; /* in the place of the helper itself */
    for (size_t i = 0; i < near.n && i < NEAR && is_proven; i++) {
        uint32_t cell = near.cells[i];
        if (cell != HD_NO_CELL && cell != helper && p->is_tracked[cell] &&
            hd_plan_is_required(p, cell))
            HD_GO(hd_prover_try_closed(p->prover, cell, &p->cells[cell].need, helper,
                                       p->cells[helper].low[to], p->cells[helper].high[to],
                                       &is_proven, err));
    }
    *is_missed = !is_proven;
out:
    surroundings_free(&near);
    return rc;
}

hd_code hd_plan_clean_up(hd_plan *p, hd_err *err)
{
    hd_code rc = HD_OK;
    candidate *helpers = hd_malloc((p->canonical.system.n_cells + 1) * sizeof *helpers);
    if (!helpers)
        return hd_fail_nomem(err);
    size_t n = list_given(p, helpers), n_tables = p->prover->n_tables;
    for (size_t i = 0; i < n; i++) {
        uint32_t h = helpers[i].cell;
        hd_plan_cell *c = &p->cells[h];
        for (int to = HD_AS_IS; to < (int)helpers[i].to; to++) {
            bool is_proven = false, misses;
            if (!c->has[to])
                continue;
            HD_GO(is_missed(p, h, (hd_shown)to, &misses, err));
            if (misses)
                continue;
            c->shown = (hd_shown)to;
            HD_GO(hd_prover_rebound(p->prover, h, c->low[to], c->high[to], err));
            HD_GO(prove_all(p, c->added_for, &is_proven, err));
            if (is_proven && p->prover->n_tables > 2 * n_tables) {
                hd_prover_forget(p->prover); /* from here on bounds only narrow */
                n_tables = p->prover->n_tables;
            }
            if (is_proven)
                break;
            c->shown = helpers[i].to;
            HD_GO(hd_prover_rebound(p->prover, h, c->low[c->shown], c->high[c->shown], err));
        }
    }
out:
    hd_free(helpers);
    return rc;
}

/* What is unknown already, protected cells first, then what may be withheld, the least wanted
 * first. */
static void order_for_exactness(const hd_plan *p, uint32_t *order, wish *wishes, size_t *n_unknown,
                                size_t *n)
{
    size_t n_wishes = 0;
    *n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t c = 0; c < p->canonical.system.n_cells; c++)
            if (p->canonical.system.low[c] < p->canonical.system.high[c] &&
                p->is_tracked[c] == (pass == 0))
                order[(*n)++] = c;
    *n_unknown = *n;
    for (uint32_t c = 0; c < p->canonical.system.n_cells; c++)
        if (p->canonical.system.low[c] == p->canonical.system.high[c] &&
            may_become(&p->cells[c], HD_HELPER))
            wishes[n_wishes++] = (wish){p, {c, HD_HELPER}};
    qsort(wishes, n_wishes, sizeof *wishes, by_wish);
    for (size_t i = 0; i < n_wishes; i++)
        order[(*n)++] = wishes[i].candidate.cell;
}

static void become_helper(hd_plan *p, uint32_t cell)
{
    p->cells[cell].shown = HD_HELPER;
    p->canonical.system.low[cell] = p->cells[cell].low[HD_HELPER];
    p->canonical.system.high[cell] = p->cells[cell].high[HD_HELPER];
}

hd_code hd_plan_exactness(hd_plan *p, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n_cells = p->canonical.system.n_cells, n_unknown, n;
    uint32_t *order = hd_malloc((n_cells + 1) * sizeof *order);
    wish *wishes = hd_malloc((n_cells + 1) * sizeof *wishes);
    bool *is_helper = hd_calloc(n_cells + 1, sizeof *is_helper);
    bool *is_required = hd_calloc(n_cells + 1, sizeof *is_required);
    if (!order || !wishes || !is_helper || !is_required) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (uint32_t c = 0; c < n_cells; c++)
        is_required[c] = p->is_tracked[c] && hd_plan_is_required(p, c);
    order_for_exactness(p, order, wishes, &n_unknown, &n);
    HD_GO(hd_exactness(&p->canonical.system, order, n_unknown, n, is_required, is_helper, err));
    for (uint32_t c = 0; c < n_cells; c++)
        if (is_helper[c])
            become_helper(p, c);
out:
    hd_free(order);
    hd_free(wishes);
    hd_free(is_helper);
    hd_free(is_required);
    return rc;
}

/* Can it go up and down by a few? A figure that is withheld and was shown exactly stands where it was
 * shown, and no lower than a helper may. */
static bool has_room(const hd_plan *p, uint32_t c)
{
    const hd_plan_cell *x = &p->cells[c];
    return x->has[HD_HELPER] && x->high[HD_HELPER] - x->low[HD_AS_IS] > ROOM &&
           x->low[HD_AS_IS] - x->low[HD_HELPER] >= ROOM;
}

/* What may move: withheld figures with room, then figures that may be withheld, the least wanted
 * first, then, in a second round, small ones too; then the failing cells. */
static size_t order_for_circuits(const hd_plan *p, const uint32_t *failing, size_t n_failing,
                                 bool *is_failing, uint32_t *order, wish *wishes)
{
    const hd_system *s = &p->canonical.system;
    size_t n = 0, n_wishes = 0;
    for (size_t i = 0; i < n_failing; i++)
        is_failing[failing[i]] = p->cells[failing[i]].whole == HD_NO_CELL;
    bool takes_all = p->n_circuits > 2, is_fresh = p->n_circuits > 3;
    for (uint32_t c = 0; c < s->n_cells; c++)
        if (!is_failing[c] && (has_room(p, c) || takes_all) && may_become(&p->cells[c], HD_HELPER))
            wishes[n_wishes++] = (wish){p, {c, HD_HELPER}};
    qsort(wishes, n_wishes, sizeof *wishes, by_wish);
    /* From the third round on other circuits than those that were not enough. */
    for (int part = 0; part < 2; part++) {
        for (uint32_t c = 0; c < s->n_cells && part == is_fresh; c++)
            if (!is_failing[c] && has_room(p, c) && p->cells[c].shown == HD_HELPER)
                order[n++] = c;
        for (size_t i = 0; i < n_wishes && part != is_fresh; i++)
            order[n++] = wishes[i].candidate.cell;
    }
    for (uint32_t c = 0; c < s->n_cells && p->n_circuits > 1; c++)
        if (!is_failing[c] && s->low[c] < s->high[c] &&
            !(has_room(p, c) && p->cells[c].shown == HD_HELPER))
            order[n++] = c;
    for (uint32_t c = 0; c < s->n_cells; c++)
        if (is_failing[c])
            order[n++] = c;
    return n;
}

hd_code hd_plan_circuits(hd_plan *p, const uint32_t *failing, size_t n_failing, bool *has_helped,
                         hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n_cells = p->canonical.system.n_cells, n_in_question = 0;
    uint32_t *order = hd_malloc((n_cells + 1) * sizeof *order);
    wish *wishes = hd_malloc((n_cells + 1) * sizeof *wishes);
    bool *is_helper = hd_calloc(n_cells + 1, sizeof *is_helper);
    bool *is_failing = hd_calloc(n_cells + 1, sizeof *is_failing);
    *has_helped = false;
    if (!order || !wishes || !is_helper || !is_failing) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    size_t n = order_for_circuits(p, failing, n_failing, is_failing, order, wishes);
    for (uint32_t c = 0; c < n_cells; c++)
        n_in_question += is_failing[c];
    HD_GO(hd_exactness_alone(&p->canonical.system, order, n - n_in_question, n, is_helper, err));
    for (uint32_t c = 0; c < n_cells; c++)
        if (is_helper[c] && may_become(&p->cells[c], HD_HELPER)) {
            become_helper(p, c);
            *has_helped = true;
        }
out:
    hd_free(order);
    hd_free(wishes);
    hd_free(is_helper);
    hd_free(is_failing);
    return rc;
}
