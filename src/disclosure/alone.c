/* alone.c - see alone.h. Each reader is judged on the same pattern, and what all of them need is withheld
 * together: so their order does not matter. */
#include "disclosure/alone.h"

#include "base/alloc.h"
#include "base/counted.h"
#include "disclosure/propagate.h"

#include <string.h>

typedef struct guard {
    const hd_alone *a;
    const hd_system *known; /* what everybody knows of the release */
    hd_system own;          /* what one reader does */
    size_t *at;             /* known->n_cells + 1: where the lines of each cell lie in */
    uint32_t *lines;        /* these: rules in which it is the whole or a part */
    uint32_t *first;        /* n_cells: the first cell in which the same reader is alone, or itself */
    uint32_t *next;         /* n_cells: the next of them; the first again after the last */
    uint32_t *cells;        /* whose sums the reader in hand knows */
    size_t n_cells;
    bool *is_known;           /* n_cells: is among these */
    hd_secondary_cell *asked; /* n_cells */
    size_t n_readers, n_open;
    bool *held;
} guard;

static size_t cells_of(const guard *g)
{
    return g->a->t->n_cells;
}

static bool is_withheld(const guard *g, size_t c)
{
    return g->a->mark[c] || g->a->cells[c].is_withheld || g->a->result->shown[c] == HD_HELPER;
}

static bool has_one(const guard *g, size_t c)
{
    const hd_sheet *t = g->a->t;
    return t->count[c] == 1 || (t->people && t->people[c] == 1);
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Cell `member` of a rule: its parts, then the whole. */
static uint32_t member_of(const hd_system *s, size_t rule, size_t member)
{
    size_t n = s->start[rule + 1] - s->start[rule];
    return member < n ? s->child[s->start[rule] + member] : s->parent[rule];
}

static size_t members_of(const hd_system *s, size_t rule)
{
    return s->start[rule + 1] - s->start[rule] + 1;
}

static hd_code find_lines(guard *g, hd_err *err)
{
    const hd_system *s = g->known;
    size_t n = 0;
    g->at = hd_calloc(s->n_cells + 2, sizeof *g->at);
    for (size_t r = 0; r < s->n_rules; r++)
        n += members_of(s, r);
    g->lines = hd_calloc(n, sizeof *g->lines);
    if (!g->at || !g->lines)
        return hd_fail_nomem(err);
    for (size_t r = 0; r < s->n_rules; r++)
        for (size_t i = 0; i < members_of(s, r); i++)
            g->at[member_of(s, r, i) + 1]++;
    for (size_t c = 0; c < s->n_cells; c++)
        g->at[c + 1] += g->at[c];
    for (size_t r = s->n_rules; r-- > 0;) /* at[c + 1] goes down to where the lines of c begin */
        for (size_t i = 0; i < members_of(s, r); i++)
            g->lines[--g->at[member_of(s, r, i) + 1]] = (uint32_t)r;
    memmove(g->at, g->at + 1, s->n_cells * sizeof *g->at);
    g->at[s->n_cells] = n;
    return HD_OK;
}

/* ---- readers --------------------------------------------------------------------------------- */

static uint32_t first_of(const guard *g, uint32_t c)
{
    while (g->first[c] != c)
        c = g->first[c];
    return c;
}

static void join(guard *g, uint32_t a, uint32_t b)
{
    a = first_of(g, a);
    b = first_of(g, b);
    if (a == b)
        return;
    g->first[a < b ? b : a] = a < b ? a : b;
    uint32_t after = g->next[a];
    g->next[a] = g->next[b];
    g->next[b] = after;
}

/* Whoever is alone in a total is alone in its parts. */
static void find_readers(guard *g)
{
    const hd_system *s = g->known;
    for (uint32_t c = 0; c < cells_of(g); c++)
        g->first[c] = g->next[c] = c;
    for (size_t r = 0; r < s->n_rules; r++) {
        if (s->parent[r] >= cells_of(g) || !has_one(g, s->parent[r]))
            continue;
        for (size_t k = s->start[r]; k < s->start[r + 1]; k++)
            if (s->child[k] < cells_of(g) && g->a->t->count[s->child[k]] > 0)
                join(g, s->parent[r], s->child[k]);
    }
    for (uint32_t c = 0; c < cells_of(g); c++)
        g->n_readers += has_one(g, c) && g->first[c] == c;
}

static void take(guard *g, uint32_t c)
{
    if (!g->is_known[c])
        g->cells[g->n_cells++] = c;
    g->is_known[c] = true;
}

/* Cells whose sums the reader knows; false where all of these are shown anyway. */
static bool take_reader(guard *g, uint32_t first)
{
    const hd_system *s = g->known;
    bool knows_more = false;
    for (size_t i = 0; i < g->n_cells; i++)
        g->is_known[g->cells[i]] = false;
    g->n_cells = 0;
    if (!has_one(g, first) || g->first[first] != first)
        return false;
    uint32_t c = first;
    do {
        take(g, c);
        knows_more = knows_more || is_withheld(g, c);
        for (size_t i = g->at[c]; i < g->at[c + 1]; i++)
            for (size_t k = 0; s->parent[g->lines[i]] == c && k < members_of(s, g->lines[i]); k++) {
                uint32_t part = member_of(s, g->lines[i], k);
                if (part < cells_of(g) && g->a->t->count[part] == 0)
                    take(g, part);
            }
        c = g->next[c];
    } while (c != first);
    return knows_more;
}

/* ---- what a reader works out ----------------------------------------------------------------- */

static bool is_open(const guard *g, uint32_t c, int64_t low, int64_t high)
{
    const hd_need *need = &g->a->cells[c].need;
    if (!g->a->cells[c].is_protected || g->is_known[c])
        return false;
    bool is_narrow = need->width > 0 && high < HD_NO_BOUND && high - low < need->width;
    return is_narrow || (need->has_span && (low > need->at_most || high < need->at_least));
}

/* Whether sum after sum gives the reader somebody's. */
static hd_code finds_by_lines(guard *g, bool *finds, hd_err *err)
{
    hd_system *s = &g->own;
    hd_propagation done;
    memcpy(s->low, g->known->low, s->n_cells * sizeof *s->low);
    memcpy(s->high, g->known->high, s->n_cells * sizeof *s->high);
    for (size_t i = 0; i < g->n_cells; i++)
        s->low[g->cells[i]] = s->high[g->cells[i]] = g->a->t->sum[g->cells[i]];
    HD_TRY(hd_propagate(s, &done, err));
    *finds = false;
    for (uint32_t c = 0; c < cells_of(g) && !*finds; c++)
        *finds = is_open(g, c, s->low[c], s->high[c]);
    return HD_OK;
}

/* Whether one sum does: of a line in which the reader knows a cell, with the bounds that everybody has of the
 * others. */
static bool finds_in_line(const guard *g, size_t rule)
{
    const hd_system *s = g->known;
    size_t n = members_of(s, rule) - 1, n_endless = 0;
    int64_t low = 0, high = 0; /* of the parts, those without bounds left out */
    for (size_t i = 0; i < n; i++) {
        uint32_t c = member_of(s, rule, i);
        bool is_known = c < cells_of(g) && g->is_known[c];
        low += is_known ? g->a->t->sum[c] : s->low[c];
        n_endless += !is_known && s->high[c] >= HD_NO_BOUND;
        high += is_known ? g->a->t->sum[c] : s->high[c] >= HD_NO_BOUND ? 0 : s->high[c];
    }
    uint32_t whole = s->parent[rule];
    bool is_known = whole < cells_of(g) && g->is_known[whole];
    int64_t whole_low = is_known ? g->a->t->sum[whole] : s->low[whole];
    int64_t whole_high = is_known ? g->a->t->sum[whole] : s->high[whole];
    if (whole < cells_of(g) && is_open(g, whole, low > whole_low ? low : whole_low,
                                       n_endless || high > whole_high ? whole_high : high))
        return true;
    for (size_t i = 0; i < n; i++) {
        uint32_t c = member_of(s, rule, i);
        if (c >= cells_of(g) || g->is_known[c])
            continue;
        bool is_endless = s->high[c] >= HD_NO_BOUND;
        int64_t most = whole_high >= HD_NO_BOUND ? HD_NO_BOUND : whole_high - (low - s->low[c]);
        int64_t least = n_endless > is_endless ? 0 : whole_low - (high - (is_endless ? 0 : s->high[c]));
        if (is_open(g, c, least > s->low[c] ? least : s->low[c], most < s->high[c] ? most : s->high[c]))
            return true;
    }
    return false;
}

static bool finds_in_lines(const guard *g)
{
    for (size_t i = 0; i < g->n_cells; i++)
        for (size_t k = g->at[g->cells[i]]; k < g->at[g->cells[i] + 1]; k++)
            if (finds_in_line(g, g->lines[k]))
                return true;
    return false;
}

/* ---- what has to be withheld ----------------------------------------------------------------- */

static void set_known(hd_secondary_cell *x, int64_t low, int64_t high)
{
    x->low = low;
    x->high = high;
    x->hidden_low = 1;
    x->hidden_high = 0;
    x->is_withheld = true;
}

/* The pattern as it is, as if it had come from outside, for the reader in hand. */
static void ask_for_reader(guard *g)
{
    for (size_t c = 0; c < cells_of(g); c++) {
        g->asked[c] = g->a->cells[c];
        g->asked[c].coarse_low = 1;
        g->asked[c].coarse_high = 0;
        if (g->a->result->shown[c] != HD_AS_IS)
            set_known(&g->asked[c], g->known->low[c], g->known->high[c]);
    }
    for (size_t i = 0; i < g->n_cells; i++) {
        hd_secondary_cell *x = &g->asked[g->cells[i]];
        set_known(x, g->a->t->sum[g->cells[i]], g->a->t->sum[g->cells[i]]);
        x->is_protected = x->is_protected_hidden = false;
        x->need = (hd_need){0};
    }
}

static bool hold(guard *g, uint32_t c)
{
    if (c >= cells_of(g) || is_withheld(g, c) || g->held[c] ||
        g->a->cells[c].hidden_low > g->a->cells[c].hidden_high)
        return false;
    return g->held[c] = true;
}

/* The search has found no way: everything in the lines around the sum is withheld. */
static bool hold_around(guard *g, uint32_t c)
{
    bool has_news = false;
    for (size_t i = g->at[c]; i < g->at[c + 1]; i++)
        for (size_t k = 0; k < members_of(g->known, g->lines[i]); k++)
            has_news |= hold(g, member_of(g->known, g->lines[i], k));
    return has_news;
}

static hd_code help(guard *g, bool *has_news, hd_err *err)
{
    hd_secondary_result r;
    bool is_helped;
    ask_for_reader(g);
    HD_TRY(hd_secondary_lattice(g->a->t->lattice, g->asked, g->a->options, &r, err));
    is_helped = r.n_unprotected == 0;
    for (uint32_t c = 0; c < cells_of(g); c++)
        if (r.shown[c] == HD_HELPER)
            *has_news |= hold(g, c);
    for (size_t i = 0; i < r.n_unprotected; i++)
        if (hold_around(g, r.unprotected[i]))
            *has_news = is_helped = true;
    g->n_open += !is_helped;
    hd_secondary_result_free(&r);
    return HD_OK;
}

static hd_code hold_for_all(guard *g, bool *has_news, hd_err *err)
{
    const uint64_t work = (uint64_t)cells_of(g) * g->n_readers;
    for (uint32_t c = 0; c < cells_of(g); c++) {
        bool finds = true;
        if (!take_reader(g, c))
            continue;
        if (work > HD_ALONE_PROPAGATED)
            finds = finds_in_lines(g);
        else if (work > HD_ALONE_PROVEN)
            HD_TRY(finds_by_lines(g, &finds, err));
        if (finds)
            HD_TRY(help(g, has_news, err));
    }
    const bool has_helped = *has_news;
    /* Where nothing is left around what stays open, all is withheld that is not zero. */
    for (uint32_t c = 0; c < cells_of(g) && g->n_open && !has_helped; c++)
        if (g->a->t->count[c] > 0)
            *has_news |= hold(g, c);
    if (g->n_open && !*has_news)
        return hd_fail(err, HD_DENIED,
                       "%s: %s alone in a withheld sum can work out another, whatever is withheld "
                       "around it: use coarser codes",
                       g->a->t->name, hd_counted(g->n_open, "contributor").text);
    return HD_OK;
}

hd_code hd_alone_hold(const hd_alone *a, bool *is_held, bool *has_news, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = a->t->n_cells;
    guard g = {.a = a, .known = &a->result->system, .held = is_held};
    *has_news = false;
    hd_system_init(&g.own);
    g.first = hd_calloc(n, sizeof *g.first);
    g.next = hd_calloc(n, sizeof *g.next);
    g.cells = hd_calloc(n, sizeof *g.cells);
    g.is_known = hd_calloc(n, sizeof *g.is_known);
    g.asked = hd_calloc(n, sizeof *g.asked);
    if (!g.first || !g.next || !g.cells || !g.is_known || !g.asked)
        HD_GO(hd_fail_nomem(err));
    HD_GO(find_lines(&g, err));
    find_readers(&g);
    if (g.n_readers > 0) {
        HD_GO(hd_system_copy(&g.own, g.known, err));
        HD_GO(hold_for_all(&g, has_news, err));
    }
out:
    hd_free(g.at);
    hd_free(g.lines);
    hd_free(g.first);
    hd_free(g.next);
    hd_free(g.cells);
    hd_free(g.is_known);
    hd_wipe_free(g.asked, n * sizeof *g.asked);
    hd_system_free(&g.own);
    return rc;
}
