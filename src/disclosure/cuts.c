/* cuts.c - see cuts.h: which sums there are among the figures, and what they leave. */
#include "disclosure/cuts.h"

#include "base/alloc.h"
#include "base/par.h"
#include "disclosure/overlaps.h"
#include "disclosure/short_sums.h"

#include <stdlib.h>

typedef struct search {
    const hd_audit *a;
    const hd_cut_figures *all;
    hd_set_kind by; /* HD_SET_PROFILE: figures of all kinds and tables */
    uint32_t chosen[HD_OVERLAP_SETS]; /* figures that are searched */
    size_t n, n_now;
    hd_cuts found;
} search;

static bool is_named(void *ctx, const uint64_t name[2])
{
    const search *s = ctx;
    uint64_t marked[2];
    hd_cut_name(marked, name, false);
    return hd_cut_asked_at(s->all, false, hd_cut_find_asked(s->all, false, marked), marked) != NULL;
}

static bool is_same(const search *s, const hd_cut_figure *a, const hd_cut_figure *b)
{
    return s->by == HD_SET_PROFILE ? hd_profile_same(&a->set->profile, &b->set->profile)
                                   : hd_set_same(a->set, b->set);
}

/* Of the listed figures, the latest first, those that are compared `by`: every set once. */
static void choose(search *s, hd_set_kind by, const uint32_t *list, size_t n)
{
    s->n = s->n_now = 0;
    s->by = by;
    for (size_t i = 0; i < n && s->n < HD_OVERLAP_SETS; i++) {
        const hd_cut_figure *f = &s->all->items[list[i]];
        bool is_new = by == HD_SET_PROFILE || f->kind == by;
        for (size_t k = 0; k < s->n && is_new; k++)
            is_new = !is_same(s, &s->all->items[s->chosen[k]], f);
        if (!is_new)
            continue;
        s->n_now += f->age == 0;
        s->chosen[s->n++] = list[i];
    }
}

static int64_t divided_down(int64_t x, int64_t by)
{
    return x >= 0 ? x / by : -((-x + by - 1) / by);
}

hd_range hd_cut_range(const hd_cut_figures *f, const hd_cut *c)
{
    hd_range r = {0, 0};
    bool has_low = true, has_high = true;
    for (size_t i = 0; i < c->n; i++) {
        const hd_printed *p = f->items[c->figures[i]].printed;
        int64_t k = c->factors[i];
        bool is_endless = p->high >= HD_NO_BOUND;
        has_high = has_high && !(is_endless && k > 0);
        has_low = has_low && !(is_endless && k < 0);
        r.low += k > 0 ? k * p->low : is_endless ? 0 : k * p->high;
        r.high += k < 0 ? k * p->low : is_endless ? 0 : k * p->high;
    }
    r.low = has_low ? -divided_down(-r.low, c->times) : -HD_NO_BOUND;
    r.high = has_high ? divided_down(r.high, c->times) : HD_NO_BOUND;
    return r;
}

static void free_cut(hd_cut *c)
{
    hd_free(c->figures);
    hd_free(c->factors);
}

void hd_cuts_free(hd_cuts *c)
{
    for (size_t i = 0; i < c->n; i++)
        free_cut(&c->items[i]);
    hd_free(c->items);
    *c = (hd_cuts){.n = 0};
}

static hd_code add_cut(search *s, const hd_overlap *o, const uint64_t few[2], int64_t times,
                       size_t but, hd_err *err)
{
    hd_cut c = {.few = {few[0], few[1]}, .times = times, .is_mixed = o->is_mixed,
                .leaves_few = but == SIZE_MAX};
    c.figures = hd_calloc(o->n + 1, sizeof *c.figures);
    c.factors = hd_calloc(o->n + 1, sizeof *c.factors);
    if (!c.figures || !c.factors || !HD_GROW(s->found.items, s->found.n, s->found.cap)) {
        free_cut(&c);
        return hd_fail_nomem(err);
    }
    for (size_t i = 0; i < o->n; i++) {
        if (i == but)
            continue;
        c.figures[c.n] = s->chosen[o->items[i]];
        c.factors[c.n++] = times < 0 ? -o->factors[i] : o->factors[i];
    }
    c.times = times < 0 ? -times : times;
    if (!c.leaves_few && !hd_cut_is_telling(hd_cut_range(s->all, &c)))
        free_cut(&c);
    else
        s->found.items[s->found.n++] = c;
    return HD_OK;
}

/* The few that are left over, or each of the sets that is few people. */
static hd_code take(void *ctx, const hd_overlap *o, hd_err *err)
{
    search *s = ctx;
    bool is_controlled = false, is_defined = true;
    uint64_t name[2];
    for (size_t i = 0; i < o->n; i++) {
        const hd_cut_figure *f = &s->all->items[s->chosen[o->items[i]]];
        is_controlled |= f->is_controlled;
        is_defined &= f->is_defined;
    }
    /* National figures are exact, and so is what follows from them; definitions of the catalogue
     * cannot be made up. */
    if (!is_controlled || is_defined)
        return HD_OK;
    hd_cut_name(name, o->few, false);
    if (o->times)
        return add_cut(s, o, name, o->times, SIZE_MAX, err);
    for (size_t i = 0; i < o->n; i++) {
        const hd_cut_figure *f = &s->all->items[s->chosen[o->items[i]]];
        bool by_profile = s->by == HD_SET_PROFILE;
        hd_cut_name(name, by_profile ? f->set->profile.sum : f->set->sum, by_profile);
        if (f->printed->is_small)
            HD_TRY(add_cut(s, o, name, -(int64_t)o->factors[i], i, err));
    }
    return HD_OK;
}

static hd_code find_short(search *s, hd_err *err)
{
    uint64_t sums[HD_OVERLAP_SETS][2];
    bool is_few[HD_OVERLAP_SETS];
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) { /* but for whom nobody asked, whom overlaps.h finds */
        const hd_cut_figure *f = &s->all->items[s->chosen[i]];
        if (f->is_unasked)
            continue;
        s->chosen[n++] = s->chosen[i];
    }
    s->n = n;
    for (size_t i = 0; i < s->n; i++) {
        const hd_cut_figure *f = &s->all->items[s->chosen[i]];
        const uint64_t *sum = s->by == HD_SET_PROFILE ? f->set->profile.sum : f->set->sum;
        memcpy(sums[i], sum, sizeof sums[i]);
        is_few[i] = f->printed->is_small;
    }
    const hd_short_sums_of of = {(const uint64_t(*)[2])sums, is_few, s->n, s->n_now,
                                 hd_cut_is_loose(s->a->now)};
    return hd_short_sums_find(&of, take, s, s->a->stop, err);
}

/* Listed figures, the latest first. */
static hd_code search_together(search *s, const uint32_t *list, size_t n, hd_err *err)
{
    const hd_set *sets[HD_OVERLAP_SETS];
    bool is_there[HD_SET_PROFILE + 1] = {false};
    for (hd_set_kind by = HD_SET_RECORDS; by <= HD_SET_PEOPLE; by++) {
        choose(s, by, list, n);
        if (s->n_now == 0)
            continue;
        for (size_t i = 0; i < s->n; i++)
            sets[i] = s->all->items[s->chosen[i]].set;
        const hd_overlaps_of of = {sets, s->n, s->n_now, hd_near_limit(s->a->p), is_named};
        HD_TRY(hd_overlaps_find(&of, take, s, s->a->stop, err));
        HD_TRY(find_short(s, err));
    }
    for (size_t i = 0; i < n; i++)
        is_there[s->all->items[list[i]].kind] = true;
    if (is_there[0] + is_there[1] + is_there[2] < 2)
        return HD_OK;
    choose(s, HD_SET_PROFILE, list, n);
    return find_short(s, err);
}

typedef struct aged {
    size_t age, item;
    uint32_t figure;
} aged;

static int compare_ages(const void *x, const void *y)
{
    const aged *a = x, *b = y;
    if (a->age != b->age)
        return a->age < b->age ? -1 : 1;
    return (a->item > b->item) - (a->item < b->item);
}

/* Those of answers with few figures. */
static hd_code search_loose(search *s, uint32_t *list, hd_err *err)
{
    size_t n = 0;
    aged *by_age = hd_calloc(s->all->n + 1, sizeof *by_age);
    if (!by_age)
        return hd_fail_nomem(err);
    for (uint32_t i = 0; i < s->all->n; i++)
        if (s->all->items[i].is_loose)
            by_age[n++] = (aged){s->all->items[i].age, s->all->items[i].item, i};
    qsort(by_age, n, sizeof *by_age, compare_ages);
    for (size_t i = 0; i < n; i++)
        list[i] = by_age[i].figure;
    hd_free(by_age);
    return search_together(s, list, n, err);
}

/* Places are searched side by side; what is found is put together in their order. */
typedef struct places {
    const search *s;
    size_t *starts; /* figures of each place that the answer has one in, and where they end */
    size_t n;
    hd_cuts *found; /* n_tasks */
} places;

enum { AT_ONCE = 16 }; /* places */

static hd_code search_places(void *ctx, size_t task, hd_err *err)
{
    const places *p = ctx;
    hd_code rc = HD_OK;
    uint32_t *list = NULL;
    search *s = hd_calloc(1, sizeof *s);
    if (!s)
        return hd_fail_nomem(err);
    *s = *p->s; /* without what was found elsewhere */
    for (size_t i = task * AT_ONCE; i < p->n && i < (task + 1) * AT_ONCE; i++) {
        size_t from = p->starts[2 * i], n = p->starts[2 * i + 1] - from;
        hd_free(list);
        list = hd_calloc(n + 1, sizeof *list);
        if (!list) {
            rc = hd_fail_nomem(err);
            goto out;
        }
        for (size_t k = 0; k < n; k++)
            list[k] = (uint32_t)(from + k);
        HD_GO(search_together(s, list, n, err));
    }
out:
    p->found[task] = s->found;
    hd_free(s);
    hd_free(list);
    return rc;
}

static hd_code list_places(const search *s, bool is_loose, places *p, hd_err *err)
{
    p->starts = hd_calloc(2 * s->all->n + 1, sizeof *p->starts);
    if (!p->starts)
        return hd_fail_nomem(err);
    for (size_t from = 0, to; from < s->all->n; from = to) {
        const hd_cut_figure *first = &s->all->items[from];
        for (to = from; to < s->all->n && s->all->items[to].place == first->place; to++)
            ;
        bool is_of_now = first->age == 0; /* the answer has a figure there */
        if (!is_of_now || (first->place == 0 && is_loose))
            continue;
        p->starts[2 * p->n] = from;
        p->starts[2 * p->n++ + 1] = to;
    }
    return HD_OK;
}

static hd_code take_cuts(hd_cuts *to, hd_cuts *from, hd_err *err)
{
    for (size_t i = 0; i < from->n; i++) {
        if (!HD_GROW(to->items, to->n, to->cap))
            return hd_fail_nomem(err);
        to->items[to->n++] = from->items[i];
        from->items[i] = (hd_cut){.n = 0};
    }
    return HD_OK;
}

hd_code hd_cuts_find(hd_cuts *out, const hd_audit *a, const hd_cut_figures *f, hd_err *err)
{
    bool is_loose = hd_cut_is_loose(a->now);
    search *s = hd_calloc(1, sizeof *s);
    uint32_t *list = hd_calloc(f->n + 1, sizeof *list);
    places p = {.s = s};
    size_t n_tasks = 0;
    hd_code rc;
    *out = (hd_cuts){.n = 0};
    if (!s || !list) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    s->a = a;
    s->all = f;
    HD_GO(list_places(s, is_loose, &p, err));
    n_tasks = (p.n + AT_ONCE - 1) / AT_ONCE;
    p.found = hd_calloc(n_tasks + 1, sizeof *p.found);
    if (!p.found) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(hd_par_run(n_tasks, search_places, &p, err));
    for (size_t task = 0; task < n_tasks; task++)
        HD_GO(take_cuts(&s->found, &p.found[task], err));
    if (is_loose)
        HD_GO(search_loose(s, list, err));
    *out = s->found;
    s->found = (hd_cuts){.n = 0};
out:
    for (size_t task = 0; p.found && task < n_tasks; task++)
        hd_cuts_free(&p.found[task]);
    hd_free(p.found);
    hd_free(p.starts);
    hd_free(list);
    if (s)
        hd_cuts_free(&s->found);
    hd_free(s);
    return rc;
}
