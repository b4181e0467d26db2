/* exact_kept.c - see exact_kept.h: what is near to the unprotected goes first, what is dear comes
 * back. */
#include "disclosure/exact_kept.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* How many runs may be spent, by the number of cells of the table. */
static const struct budget {
    size_t n_cells;
    unsigned up, back; /* giving up some before all; taking back */
} budgets[] = {{500, 3, 24}, {2000, 3, 12}, {20000, 2, 4}, {SIZE_MAX, 1, 1}};

static struct budget budget_of(const hd_exact_search *s)
{
    const struct budget *b = budgets;
    while (hd_lattice_n_cells(s->lattice) > b->n_cells)
        b++;
    return *b;
}

static int compare_wishes(const void *a, const void *b)
{
    const hd_exact_wish *x = a, *y = b;
    if (x->option != y->option)
        return x->option < y->option ? -1 : 1;
    if (x->depth != y->depth)
        return x->depth < y->depth ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return (x->name > y->name) - (x->name < y->name);
}

hd_code hd_exact_search_init(hd_exact_search *s, hd_err *err)
{
    size_t n = hd_lattice_n_cells(s->lattice);
    s->is_kept = hd_calloc(n, sizeof *s->is_kept);
    s->is_exact = hd_calloc(n, sizeof *s->is_exact);
    s->is_given_up = hd_calloc(n, sizeof *s->is_given_up);
    if (!s->is_kept || !s->is_exact || !s->is_given_up)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < s->n_wishes; i++) {
        hd_exact_wish *w = &s->wishes[i];
        w->depth = hd_lattice_depth(s->lattice, w->cell);
        w->name = hd_lattice_name(s->lattice, w->cell);
        s->is_kept[w->cell] = true;
    }
    if (s->n_wishes)
        qsort(s->wishes, s->n_wishes, sizeof *s->wishes, compare_wishes);
    return HD_OK;
}

void hd_exact_search_free(hd_exact_search *s)
{
    hd_free(s->is_kept);
    hd_free(s->is_exact);
    hd_free(s->is_given_up);
    s->is_kept = s->is_exact = s->is_given_up = NULL;
}

/* A run with what is kept now. */
static hd_code try(hd_exact_search *s, hd_err *err)
{
    size_t n = hd_lattice_n_cells(s->lattice);
    memset(s->is_given_up, 0, n * sizeof *s->is_given_up);
    for (size_t i = 0; i < s->n_wishes; i++)
        s->is_given_up[s->wishes[i].cell] = !s->is_kept[s->wishes[i].cell];
    hd_lattice_below(s->lattice, s->is_given_up, s->is_exact);
    for (size_t c = 0; c < n; c++)
        s->is_exact[c] = s->is_asked[c] && !s->is_exact[c];
    for (size_t i = 0; i < s->n_wishes; i++)
        s->is_exact[s->wishes[i].cell] = s->is_kept[s->wishes[i].cell];
    return s->run(s->ctx, s->is_exact, &s->last, err);
}

/* Give up what shares a sum with an unprotected figure, else what shares one with those around it,
 * and so on. has_news is false when none is left that any sum leads to. */
static hd_code give_up_near(hd_exact_search *s, bool *has_news, hd_err *err)
{
    const hd_system *t = &s->result->system;
    bool *is_near = hd_calloc(t->n_cells + 1, sizeof *is_near);
    bool *is_next = hd_calloc(t->n_cells + 1, sizeof *is_next);
    hd_code rc = is_near && is_next ? HD_OK : hd_fail_nomem(err);
    *has_news = false;
    for (size_t i = 0; rc == HD_OK && i < s->result->n_unprotected; i++)
        is_near[s->result->unprotected[i]] = is_next[s->result->unprotected[i]] = true;
    for (bool grows = rc == HD_OK; grows && !*has_news;) {
        grows = false;
        for (size_t r = 0; r < t->n_rules; r++) {
            bool is_met = is_near[t->parent[r]];
            for (size_t i = t->start[r]; i < t->start[r + 1] && !is_met; i++)
                is_met = is_near[t->child[i]];
            for (size_t i = t->start[r]; i <= t->start[r + 1] && is_met; i++) {
                uint32_t c = i < t->start[r + 1] ? t->child[i] : t->parent[r];
                grows |= !is_next[c];
                is_next[c] = true;
            }
        }
        memcpy(is_near, is_next, t->n_cells * sizeof *is_near);
        for (size_t i = 0; i < s->n_wishes; i++) {
            *has_news |= s->is_kept[s->wishes[i].cell] && is_near[s->wishes[i].cell];
            s->is_kept[s->wishes[i].cell] &= !is_near[s->wishes[i].cell];
        }
    }
    hd_free(is_near);
    hd_free(is_next);
    return rc;
}

hd_code hd_exact_give_up(hd_exact_search *s, hd_err *err)
{
    bool has_news = true;
    for (unsigned left = budget_of(s).up; left > 0; left--) {
        HD_TRY(give_up_near(s, &has_news, err));
        if (!has_news)
            break;
        HD_TRY(try(s, err));
        if (s->last.is_safe)
            return HD_OK;
    }
    for (size_t i = 0; i < s->n_wishes; i++)
        s->is_kept[s->wishes[i].cell] = false;
    return try(s, err);
}

typedef struct back {
    hd_exact_search *s;
    uint32_t *cells; /* those given up, the dearest first */
    unsigned left;   /* runs */
    size_t n_shown;  /* of the best run */
    bool is_last;    /* the last run was the best one */
} back;

static void set_kept(back *b, size_t from, size_t to, bool is_kept)
{
    for (size_t i = from; i < to; i++)
        b->s->is_kept[b->cells[i]] = is_kept;
}

/* Keep of these what can be. is_bad: not all of them can. all: every one is kept. */
static hd_code keep(back *b, size_t from, size_t to, bool is_bad, bool *all, hd_err *err)
{
    *all = from == to;
    if (*all || b->left == 0)
        return HD_OK;
    if (!is_bad) {
        b->left--;
        set_kept(b, from, to, true);
        HD_TRY(try(b->s, err));
        *all = b->is_last = b->s->last.is_safe && b->s->last.n_shown > b->n_shown;
        if (*all) {
            b->n_shown = b->s->last.n_shown;
            return HD_OK;
        }
        set_kept(b, from, to, false);
    }
    if (to - from == 1)
        return HD_OK;
    size_t middle = from + (to - from + 1) / 2;
    bool has_first, has_second;
    HD_TRY(keep(b, from, middle, false, &has_first, err));
    return keep(b, middle, to, has_first, &has_second, err);
}

hd_code hd_exact_give_back(hd_exact_search *s, hd_err *err)
{
    hd_code rc;
    size_t n = 0;
    bool all;
    back b = {.s = s, .left = budget_of(s).back, .n_shown = s->last.n_shown, .is_last = true};
    b.cells = hd_calloc(s->n_wishes + 1, sizeof *b.cells);
    if (!b.cells)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < s->n_wishes; i++)
        if (!s->is_kept[s->wishes[i].cell])
            b.cells[n++] = s->wishes[i].cell;
    HD_GO(keep(&b, 0, n, true, &all, err));
    if (!b.is_last)
        HD_GO(try(s, err));
out:
    hd_free(b.cells);
    return rc;
}
