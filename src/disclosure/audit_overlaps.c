/* audit_overlaps.c - figures that cut across each other (overlaps.h): what several of them together
 * say of few people, whom one of them may have been asked for or none.
 *
 * Looked at together are the figures under the same values of keys, of this answer and of earlier
 * ones, the latest first; and whatever their keys, those of answers with few figures: what an asker
 * makes up to take apart is asked figure by figure. Records of one table, and people, are searched
 * by what they are (overlaps.h); all of them together by how many of each person there are
 * (short_sums.h). Each sum that is found bounds the few by what is printed of all others. When all
 * bounds together leave them too few values, and fewer than earlier releases alone do, a figure of
 * the answer that cuts is withheld. Nothing but printed values and the sums decides.
 *
 * Sound: a sum is only used when the identities of the records confirm it, so its bounds hold.
 * Missed: figures that are not looked at together, sums that no draw finds, and what only several
 * sums exclude.
 *
 * Rejected: these sums as sums of the audit. Where there are many, they follow from each other
 * in so many ways that the search for whole-number tables finds none, and everything is refused.
 */
#define _GNU_SOURCE /* qsort_r */
#include "disclosure/audit_work.h"

#include "base/alloc.h"
#include "base/par.h"
#include "disclosure/overlaps.h"
#include "disclosure/short_sums.h"

#include <stdlib.h>

enum {
    FEW_FIGURES = 48,
    MOST_NAMES = 8, /* of few people: records of two tables, and people */
    MOST_KEPT = 65536, /* figures of earlier answers, of some 500 bytes each */
    WIDEST = 40 /* values that a sum leaves; more, and it hardly ever says more than others */
};

/* Whatever the order of the keys. 0: no key is told apart. */
static uint64_t name_place(const hd_account *a, size_t cell)
{
    uint64_t name = 0;
    for (size_t k = 0; k < a->n_keys; k++)
        if (a->told[cell] >> k & 1)
            name += (a->keys[cell * a->n_keys + k] | 1) * UINT64_C(0x9E3779B97F4A7C15);
    return name;
}

static int compare_u64(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return (a > b) - (a < b);
}

hd_code hd_audit_list_places(hd_audit *a, hd_err *err)
{
    size_t n = 0;
    a->places = hd_calloc(a->now->n_cells + 1, sizeof *a->places);
    if (!a->places)
        return hd_fail_nomem(err);
    for (size_t c = 0; c < a->now->n_cells; c++)
        a->places[c] = name_place(a->now, c);
    qsort(a->places, a->now->n_cells, sizeof *a->places, compare_u64);
    for (size_t c = 0; c < a->now->n_cells; c++)
        if (n == 0 || a->places[n - 1] != a->places[c])
            a->places[n++] = a->places[c];
    a->n_places = n;
    return HD_OK;
}

/* Room for one more: when there are too many, the older half goes. */
static hd_code make_room(hd_audit *a, hd_err *err)
{
    if (a->n_overlap == MOST_KEPT) {
        a->n_overlap /= 2;
        memmove(a->overlap, a->overlap + a->n_overlap, a->n_overlap * sizeof *a->overlap);
    }
    return HD_GROW(a->overlap, a->n_overlap, a->overlap_cap) ? HD_OK : hd_fail_nomem(err);
}

static bool is_place(const hd_audit *a, uint64_t place)
{
    return a->n_places && bsearch(&place, a->places, a->n_places, sizeof place, compare_u64);
}

static bool has_few_figures(const hd_account *a)
{
    return a->n_cells * a->n_columns <= FEW_FIGURES;
}

hd_code hd_audit_note_overlaps(hd_audit *a, const hd_account *earlier, hd_err *err)
{
    bool is_loose = has_few_figures(earlier), takes_loose = is_loose && has_few_figures(a->now);
    for (size_t cell = 0; cell < earlier->n_cells; cell++) {
        uint64_t place = name_place(earlier, cell);
        if (!takes_loose && (place == 0 ? !is_loose : !is_place(a, place)))
            continue;
        for (size_t c = 0; c < earlier->n_columns; c++) {
            const hd_set *set = &earlier->items[hd_account_at(earlier, cell, c)];
            const hd_printed *p = &earlier->printed[hd_account_at(earlier, cell, c)];
            hd_audit_figure f = {*set, *p, earlier->kinds[c], earlier->is_controlled,
                                 earlier->is_defined, is_loose, place};
            if (f.kind == HD_SET_RECORDS && earlier->table != a->now->table)
                f.kind = HD_SET_PROFILE;
            if (!p->is_count || hd_set_is_empty(set->sum))
                continue;
            HD_TRY(make_room(a, err));
            a->overlap[a->n_overlap++] = f;
        }
    }
    return HD_OK;
}

/* ---- what is looked at together -------------------------------------------------------------- */

/* A figure of the answer or an earlier one, by place. */
typedef struct figure {
    uint64_t place;
    size_t age; /* 0: of the answer; then the latest first */
    const hd_set *set;
    const hd_printed *printed;
    size_t item; /* of the answer, or SIZE_MAX */
    hd_set_kind kind; /* as of hd_audit_figure */
    bool is_controlled, is_defined, is_loose;
} figure;

/* Few people who were asked for, by their two names. */
typedef struct asked {
    uint64_t by_sum[2], by_profile[2];
    const figure *figure;
} asked;

typedef struct range {
    int64_t low, high; /* -HD_NO_BOUND, HD_NO_BOUND: endless */
} range;

/* What one sum says of few people: sum of factors times figures = times the few. */
typedef struct cut {
    range leaves; /* to them, as printed when last measured */
    uint64_t few[2]; /* their name */
    uint32_t *figures;
    int32_t *factors;
    size_t n;
    int64_t times;
    bool is_mixed;
} cut;

typedef struct found {
    cut *cuts;
    size_t n, cap;
} found;

typedef struct search {
    hd_audit *a;
    figure *figures; /* by place, then the latest first */
    size_t n_figures, figures_cap;
    asked *asked; /* ascending by_sum */
    uint32_t *by_profile; /* the same, ascending by_profile */
    size_t n_asked, asked_cap;
    hd_intern *known_names; /* of few people; and what sums say of each */
    range *known;
    size_t n_known, known_cap;
    /* while searching */
    hd_set_kind by; /* HD_SET_PROFILE: figures of all kinds and tables */
    uint32_t chosen[HD_OVERLAP_SETS]; /* figures that are searched */
    size_t n, n_now;
    found found;
} search;

static int compare_figures(const void *x, const void *y)
{
    const figure *a = x, *b = y;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    if (a->age != b->age)
        return a->age < b->age ? -1 : 1;
    return (a->item > b->item) - (a->item < b->item);
}

static int compare_names(const void *x, const void *y)
{
    return memcmp(x, y, sizeof(uint64_t[2]));
}

static int compare_profiles(const void *x, const void *y, void *all)
{
    const asked *a = (const asked *)all + *(const uint32_t *)x;
    const asked *b = (const asked *)all + *(const uint32_t *)y;
    int differs = compare_names(a->by_profile, b->by_profile);
    return differs ? differs : (a > b) - (a < b);
}

/* In the ledger, what sums say of few people stands under their name, marked: whole profiles
 * have the same place. */
static void name_few(uint64_t out[2], const uint64_t sum[2], bool by_profile)
{
    hd_overlap_name(out, sum);
    out[0] |= UINT64_C(1) << (by_profile ? 62 : 63);
    out[1] |= UINT64_C(1) << (by_profile ? 63 : 62);
}

static hd_code add_figure(search *s, const figure *f, hd_err *err)
{
    if (!HD_GROW(s->figures, s->n_figures, s->figures_cap))
        return hd_fail_nomem(err);
    s->figures[s->n_figures++] = *f;
    return HD_OK;
}

static hd_code list_figures(search *s, hd_err *err)
{
    const hd_audit *a = s->a;
    const hd_account *now = a->now;
    for (size_t i = 0; i < now->n_cells * now->n_columns; i++) {
        const figure f = {name_place(now, i / now->n_columns), 0, &now->items[i],
                          &now->printed[i], i, now->kinds[i % now->n_columns],
                          now->is_controlled, now->is_defined, has_few_figures(now)};
        if (f.printed->is_count && !hd_set_is_empty(f.set->sum))
            HD_TRY(add_figure(s, &f, err));
    }
    for (size_t i = 0; i < a->n_overlap; i++) {
        const hd_audit_figure *e = &a->overlap[i];
        const figure f = {e->place, a->n_overlap - i, &e->set, &e->printed, SIZE_MAX, e->kind,
                          e->is_controlled, e->is_defined, e->is_loose};
        HD_TRY(add_figure(s, &f, err));
    }
    if (s->n_figures)
        qsort(s->figures, s->n_figures, sizeof *s->figures, compare_figures);
    return HD_OK;
}

static hd_code list_asked(search *s, hd_err *err)
{
    for (size_t i = 0; i < s->n_figures; i++) {
        const figure *f = &s->figures[i];
        if (!f->printed->is_small)
            continue;
        if (!HD_GROW(s->asked, s->n_asked, s->asked_cap))
            return hd_fail_nomem(err);
        asked *x = &s->asked[s->n_asked++];
        x->figure = f;
        name_few(x->by_sum, f->set->sum, false);
        name_few(x->by_profile, f->set->profile.sum, true);
    }
    s->by_profile = hd_calloc(s->n_asked + 1, sizeof *s->by_profile);
    if (!s->by_profile)
        return hd_fail_nomem(err);
    if (s->n_asked)
        qsort(s->asked, s->n_asked, sizeof *s->asked, compare_names); /* by_sum is first */
    for (uint32_t i = 0; i < s->n_asked; i++)
        s->by_profile[i] = i;
    if (s->n_asked)
        qsort_r(s->by_profile, s->n_asked, sizeof *s->by_profile, compare_profiles, s->asked);
    return HD_OK;
}

static const asked *nth_asked(const search *s, bool by_profile, size_t k)
{
    return &s->asked[by_profile ? s->by_profile[k] : k];
}

/* The first that was asked for under this name of one kind; the others follow. */
static size_t find_asked(const search *s, bool by_profile, const uint64_t name[2])
{
    size_t low = 0, high = s->n_asked;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const asked *x = nth_asked(s, by_profile, middle);
        if (compare_names(by_profile ? x->by_profile : x->by_sum, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_asked(const search *s, bool by_profile, size_t k, const uint64_t name[2])
{
    const asked *x = k < s->n_asked ? nth_asked(s, by_profile, k) : NULL;
    return x && compare_names(by_profile ? x->by_profile : x->by_sum, name) == 0;
}

static bool is_named(void *ctx, const uint64_t name[2])
{
    const search *s = ctx;
    uint64_t marked[2];
    name_few(marked, name, false);
    return s->n_asked && bsearch(marked, s->asked, s->n_asked, sizeof *s->asked, compare_names);
}

static bool is_same(const search *s, const figure *a, const figure *b)
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
        const figure *f = &s->figures[list[i]];
        bool is_new = by == HD_SET_PROFILE || f->kind == by;
        for (size_t k = 0; k < s->n && is_new; k++)
            is_new = !is_same(s, &s->figures[s->chosen[k]], f);
        if (!is_new)
            continue;
        s->n_now += f->age == 0;
        s->chosen[s->n++] = list[i];
    }
}

static int64_t n_values(range r)
{
    if (r.low <= -HD_NO_BOUND || r.high >= HD_NO_BOUND)
        return INT64_MAX;
    return r.high < r.low ? 0 : r.high - r.low + 1;
}

static int64_t divided_down(int64_t x, int64_t by)
{
    return x >= 0 ? x / by : -((-x + by - 1) / by);
}

static range range_of(const search *s, const cut *c)
{
    range r = {0, 0};
    bool has_low = true, has_high = true;
    for (size_t i = 0; i < c->n; i++) {
        const hd_printed *p = s->figures[c->figures[i]].printed;
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

/* ---- what is found --------------------------------------------------------------------------- */

static void free_cut(cut *c)
{
    hd_free(c->figures);
    hd_free(c->factors);
}

static void free_found(found *f)
{
    for (size_t i = 0; i < f->n; i++)
        free_cut(&f->cuts[i]);
    hd_free(f->cuts);
}

static hd_code add_cut(search *s, const hd_overlap *o, const uint64_t few[2], int64_t times,
                       size_t but, hd_err *err)
{
    cut c = {.few = {few[0], few[1]}, .times = times, .is_mixed = o->is_mixed};
    c.figures = hd_calloc(o->n + 1, sizeof *c.figures);
    c.factors = hd_calloc(o->n + 1, sizeof *c.factors);
    if (!c.figures || !c.factors || !HD_GROW(s->found.cuts, s->found.n, s->found.cap)) {
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
    if (n_values(range_of(s, &c)) > WIDEST)
        free_cut(&c);
    else
        s->found.cuts[s->found.n++] = c;
    return HD_OK;
}

/* The few that are left over, or each of the sets that is few people. */
static hd_code take(void *ctx, const hd_overlap *o, hd_err *err)
{
    search *s = ctx;
    bool is_controlled = false, is_defined = true;
    uint64_t name[2];
    for (size_t i = 0; i < o->n; i++) {
        const figure *f = &s->figures[s->chosen[o->items[i]]];
        is_controlled |= f->is_controlled;
        is_defined &= f->is_defined;
    }
    /* National figures are exact, and so is what follows from them; definitions of the catalogue
     * cannot be made up. */
    if (!is_controlled || is_defined)
        return HD_OK;
    name_few(name, o->few, false);
    if (o->times)
        return add_cut(s, o, name, o->times, SIZE_MAX, err);
    for (size_t i = 0; i < o->n; i++) {
        const figure *f = &s->figures[s->chosen[o->items[i]]];
        bool by_profile = s->by == HD_SET_PROFILE;
        name_few(name, by_profile ? f->set->profile.sum : f->set->sum, by_profile);
        if (f->printed->is_small)
            HD_TRY(add_cut(s, o, name, -(int64_t)o->factors[i], i, err));
    }
    return HD_OK;
}

static hd_code find_short(search *s, hd_err *err)
{
    uint64_t sums[HD_OVERLAP_SETS][2];
    bool is_few[HD_OVERLAP_SETS];
    for (size_t i = 0; i < s->n; i++) {
        const figure *f = &s->figures[s->chosen[i]];
        const uint64_t *sum = s->by == HD_SET_PROFILE ? f->set->profile.sum : f->set->sum;
        memcpy(sums[i], sum, sizeof sums[i]);
        is_few[i] = f->printed->is_small;
    }
    const hd_short_sums_of of = {(const uint64_t(*)[2])sums, is_few, s->n, s->n_now,
                                 has_few_figures(s->a->now)};
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
            sets[i] = s->figures[s->chosen[i]].set;
        const hd_overlaps_of of = {sets, s->n, s->n_now, hd_near_limit(s->a->p), is_named};
        HD_TRY(hd_overlaps_find(&of, take, s, s->a->stop, err));
        HD_TRY(find_short(s, err));
    }
    for (size_t i = 0; i < n; i++)
        is_there[s->figures[list[i]].kind] = true;
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
    aged *by_age = hd_calloc(s->n_figures + 1, sizeof *by_age);
    if (!by_age)
        return hd_fail_nomem(err);
    for (uint32_t i = 0; i < s->n_figures; i++)
        if (s->figures[i].is_loose)
            by_age[n++] = (aged){s->figures[i].age, s->figures[i].item, i};
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
    found *found; /* n_tasks */
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
    p->starts = hd_calloc(2 * s->n_figures + 1, sizeof *p->starts);
    if (!p->starts)
        return hd_fail_nomem(err);
    for (size_t from = 0, to; from < s->n_figures; from = to) {
        const figure *first = &s->figures[from];
        for (to = from; to < s->n_figures && s->figures[to].place == first->place; to++)
            ;
        bool is_of_now = first->age == 0; /* the answer has a figure there */
        if (!is_of_now || (first->place == 0 && is_loose))
            continue;
        p->starts[2 * p->n] = from;
        p->starts[2 * p->n++ + 1] = to;
    }
    return HD_OK;
}

static hd_code take_cuts(found *to, found *from, hd_err *err)
{
    for (size_t i = 0; i < from->n; i++) {
        if (!HD_GROW(to->cuts, to->n, to->cap))
            return hd_fail_nomem(err);
        to->cuts[to->n++] = from->cuts[i];
        from->cuts[i] = (cut){.n = 0};
    }
    return HD_OK;
}

static hd_code find_cuts(search *s, hd_err *err)
{
    bool is_loose = has_few_figures(s->a->now);
    places p = {.s = s};
    uint32_t *list = NULL;
    size_t n_tasks = 0;
    hd_code rc;
    HD_GO(list_places(s, is_loose, &p, err));
    n_tasks = (p.n + AT_ONCE - 1) / AT_ONCE;
    p.found = hd_calloc(n_tasks + 1, sizeof *p.found);
    list = hd_calloc(s->n_figures + 1, sizeof *list);
    if (!p.found || !list) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(hd_par_run(n_tasks, search_places, &p, err));
    for (size_t task = 0; task < n_tasks; task++)
        HD_GO(take_cuts(&s->found, &p.found[task], err));
    if (is_loose)
        HD_GO(search_loose(s, list, err));
out:
    for (size_t task = 0; p.found && task < n_tasks; task++)
        free_found(&p.found[task]);
    hd_free(p.found);
    hd_free(p.starts);
    hd_free(list);
    return rc;
}

static range both(range x, range y)
{
    return (range){x.low > y.low ? x.low : y.low, x.high < y.high ? x.high : y.high};
}

/* ---- what it says ---------------------------------------------------------------------------- */

/* Every name under which the few are known; returns how many. */
static size_t list_names(const search *s, const uint64_t few[2], uint64_t out[MOST_NAMES][2])
{
    size_t n = 0;
    memcpy(out[n++], few, sizeof *out);
    for (unsigned by = 0; by < 2; by++)
        for (size_t k = find_asked(s, by, few); n < MOST_NAMES && is_asked(s, by, k, few); k++) {
            const asked *x = nth_asked(s, by, k);
            memcpy(out[n++], by ? x->by_sum : x->by_profile, sizeof *out);
        }
    return n;
}

static hd_code note_known(search *s, const hd_known *k, hd_err *err)
{
    uint32_t id;
    HD_TRY(hd_intern_add(s->known_names, k->sum, sizeof k->sum, &id, err));
    if (id == s->n_known) {
        if (!HD_GROW(s->known, s->n_known, s->known_cap))
            return hd_fail_nomem(err);
        s->known[s->n_known++] = (range){-HD_NO_BOUND, HD_NO_BOUND};
    }
    s->known[id] = both(s->known[id], (range){k->low, k->high});
    return HD_OK;
}

/* By name, as an answer of many rows knows much of few people. */
static hd_code list_known(search *s, hd_err *err)
{
    s->known_names = hd_intern_new();
    if (!s->known_names)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < s->a->n_known; i++)
        HD_TRY(note_known(s, &s->a->known[i], err));
    return HD_OK;
}

static range range_known(const search *s, const uint64_t few[2])
{
    range r = {-HD_NO_BOUND, HD_NO_BOUND};
    uint64_t names[MOST_NAMES][2];
    size_t n = list_names(s, few, names);
    for (size_t i = 0; i < n; i++) {
        uint32_t id = hd_intern_find(s->known_names, names[i], sizeof names[i]);
        if (id != HD_INTERN_NONE)
            r = both(r, s->known[id]);
    }
    return r;
}

/* What is printed of them, where they were asked for. */
static range range_asked(const search *s, const uint64_t few[2], bool only_earlier)
{
    range r = {0, HD_NO_BOUND};
    for (unsigned by = 0; by < 2; by++)
        for (size_t k = find_asked(s, by, few); is_asked(s, by, k, few); k++) {
            const figure *f = nth_asked(s, by, k)->figure;
            if (!only_earlier || f->age > 0)
                r = both(r, (range){f->printed->low, f->printed->high});
        }
    return r;
}

/* All cuts about the same few people. */
typedef struct group {
    cut *cuts;
    size_t n;
} group;

/* What all of them together leave. */
static range measure(const search *s, const group *g)
{
    range r = {-HD_NO_BOUND, HD_NO_BOUND};
    for (size_t i = 0; i < g->n; i++) {
        g->cuts[i].leaves = range_of(s, &g->cuts[i]);
        r = both(r, g->cuts[i].leaves);
    }
    return r;
}

/* The finest figure of the answer in a cut that bounds, a shown one if there is one, else a star;
 * SIZE_MAX: none. */
static size_t figure_to_withhold(const search *s, const group *g, range left)
{
    const figure *best = NULL;
    for (size_t i = 0; i < g->n; i++) {
        const cut *c = &g->cuts[i];
        if (c->leaves.low < left.low && c->leaves.high > left.high)
            continue;
        for (size_t k = 0; k < c->n; k++) {
            const figure *f = &s->figures[c->figures[k]];
            bool is_shown = f->printed->is_shown;
            if (f->age > 0 || (!is_shown && f->printed->high >= HD_NO_BOUND))
                continue;
            if (!best || (is_shown && !best->printed->is_shown) ||
                (is_shown == best->printed->is_shown && f->set->persons < best->set->persons))
                best = f;
        }
    }
    return best ? best->item : SIZE_MAX;
}

static int compare_cuts(const void *x, const void *y)
{
    return compare_names(((const cut *)x)->few, ((const cut *)y)->few);
}

/* Withholds until the few have values enough, or as many as earlier releases leave them; what
 * the answer then says of them is kept. */
static hd_code keep_values(search *s, const group *g, void (*withhold)(hd_audit *a, size_t item),
                           hd_err *err)
{
    hd_audit *a = s->a;
    const uint64_t *few = g->cuts->few;
    range printed = range_asked(s, few, false), known = range_known(s, few), now;
    int64_t before = n_values(both(known, range_asked(s, few, true)));
    if (g->cuts->is_mixed && printed.low == 0)
        printed.low = -HD_NO_BOUND;
    int64_t need = n_values(printed);
    need = need < a->p->minimum_candidates ? need : a->p->minimum_candidates;
    need = need < before ? need : before;
    for (;;) {
        now = measure(s, g);
        range left = both(both(printed, known), now);
        if (n_values(left) >= need)
            break;
        size_t item = figure_to_withhold(s, g, left);
        if (item == SIZE_MAX)
            break;
        withhold(a, item);
        a->n_near++;
    }
    const hd_known k = {{few[0], few[1]}, now.low, now.high};
    if (n_values(now) > WIDEST)
        return HD_OK;
    if (!HD_GROW(a->known, a->n_known, a->known_cap)) /* for the same few under another name */
        return hd_fail_nomem(err);
    a->known[a->n_known++] = k;
    HD_TRY(note_known(s, &k, err));
    return hd_account_know(a->now, &k, err);
}

hd_code hd_audit_cross(hd_audit *a, void (*withhold)(hd_audit *a, size_t item), hd_err *err)
{
    hd_code rc;
    search *s = hd_calloc(1, sizeof *s);
    if (!s)
        return hd_fail_nomem(err);
    s->a = a;
    HD_GO(list_figures(s, err));
    HD_GO(list_asked(s, err));
    HD_GO(list_known(s, err));
    HD_GO(find_cuts(s, err));
    cut *cuts = s->found.cuts;
    size_t n = s->found.n;
    if (n)
        qsort(cuts, n, sizeof *cuts, compare_cuts);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && compare_cuts(&cuts[first], &cuts[end]) == 0;)
            end++;
        HD_GO(keep_values(s, &(group){&cuts[first], end - first}, withhold, err));
    }
out:
    free_found(&s->found);
    hd_free(s->asked);
    hd_free(s->by_profile);
    hd_intern_free(s->known_names);
    hd_free(s->known);
    hd_free(s->figures);
    hd_free(s);
    return rc;
}
