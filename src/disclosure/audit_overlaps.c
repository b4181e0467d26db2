/* audit_overlaps.c - figures that cut across each other (cuts.h): what several of them together say
 * of few people, whom one of them may have been asked for or none.
 *
 * Each sum that is found bounds the few by what is printed of all others. When all bounds together
 * leave them too few values, and fewer than earlier releases alone do, a figure of the answer that
 * cuts is withheld. Nothing but printed values and the sums decides. Missed is what only several sums
 * exclude.
 *
 * Rejected: these sums as sums of the audit. Where there are many, they follow from each other
 * in so many ways that the search for whole-number tables finds none, and everything is refused.
 */
#include "disclosure/cuts.h"

#include "base/alloc.h"

#include <stdlib.h>

enum {
    MOST_NAMES = 8, /* of few people: records of two tables, and people */
    MOST_FIGURES = 6, /* of a sum whose rest is remembered: more of these and other sums are missed */
    MOST_KEPT = 65536 /* figures of earlier answers, of some 500 bytes each */
};

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
        a->places[c] = hd_cut_place(a->now, c);
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

static hd_code note_few(hd_audit *a, const hd_few *few, hd_err *err)
{
    bool is_new = few->kind != HD_SET_PROFILE;
    for (size_t i = 0; i < a->n_few && is_new; i++)
        is_new = memcmp(a->few[i].set.sum, few->set.sum, sizeof few->set.sum) != 0;
    if (!is_new)
        return HD_OK;
    if (!HD_GROW(a->few, a->n_few, a->few_cap))
        return hd_fail_nomem(err);
    a->few[a->n_few++] = *few;
    return HD_OK;
}

hd_code hd_audit_note_overlaps(hd_audit *a, const hd_account *earlier, hd_err *err)
{
    for (size_t i = 0; i < earlier->n_few; i++)
        HD_TRY(note_few(a, &earlier->few[i], err));
    bool is_loose = hd_cut_is_loose(earlier), takes_loose = is_loose && hd_cut_is_loose(a->now);
    for (size_t cell = 0; cell < earlier->n_cells; cell++) {
        uint64_t place = hd_cut_place(earlier, cell);
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

/* ---- what it says ---------------------------------------------------------------------------- */

typedef struct work {
    hd_audit *a;
    hd_cut_figures figures;
    hd_cuts cuts;
    hd_intern *known_names; /* of few people; and what sums say of each */
    hd_range *known;
    size_t n_known, known_cap;
} work;

/* Every name under which the few are known; returns how many. */
static size_t list_names(const work *w, const uint64_t few[2], uint64_t out[MOST_NAMES][2])
{
    size_t n = 0;
    memcpy(out[n++], few, sizeof *out);
    for (unsigned by = 0; by < 2; by++)
        for (size_t k = hd_cut_find_asked(&w->figures, by, few); n < MOST_NAMES; k++) {
            const hd_cut_asked *x = hd_cut_asked_at(&w->figures, by, k, few);
            if (!x)
                break;
            memcpy(out[n++], by ? x->by_sum : x->by_profile, sizeof *out);
        }
    return n;
}

static hd_code note_known(work *w, const hd_known *k, hd_err *err)
{
    uint32_t id;
    HD_TRY(hd_intern_add(w->known_names, k->sum, sizeof k->sum, &id, err));
    if (id == w->n_known) {
        if (!HD_GROW(w->known, w->n_known, w->known_cap))
            return hd_fail_nomem(err);
        w->known[w->n_known++] = (hd_range){-HD_NO_BOUND, HD_NO_BOUND};
    }
    w->known[id] = hd_range_both(w->known[id], (hd_range){k->low, k->high});
    return HD_OK;
}

/* By name, as an answer of many rows knows much of few people. */
static hd_code list_known(work *w, hd_err *err)
{
    w->known_names = hd_intern_new();
    if (!w->known_names)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < w->a->n_known; i++)
        HD_TRY(note_known(w, &w->a->known[i], err));
    return HD_OK;
}

static hd_range range_known(const work *w, const uint64_t few[2])
{
    hd_range r = {-HD_NO_BOUND, HD_NO_BOUND};
    uint64_t names[MOST_NAMES][2];
    size_t n = list_names(w, few, names);
    for (size_t i = 0; i < n; i++) {
        uint32_t id = hd_intern_find(w->known_names, names[i], sizeof names[i]);
        if (id != HD_INTERN_NONE)
            r = hd_range_both(r, w->known[id]);
    }
    return r;
}

/* What is printed of them, where they were asked for. */
static hd_range range_asked(const work *w, const uint64_t few[2], bool only_earlier)
{
    hd_range r = {0, HD_NO_BOUND};
    for (unsigned by = 0; by < 2; by++)
        for (size_t k = hd_cut_find_asked(&w->figures, by, few);; k++) {
            const hd_cut_asked *x = hd_cut_asked_at(&w->figures, by, k, few);
            if (!x)
                break;
            const hd_printed *p = x->figure->printed;
            if (!only_earlier || x->figure->age > 0)
                r = hd_range_both(r, (hd_range){p->low, p->high});
        }
    return r;
}

/* All cuts about the same few people. */
typedef struct group {
    hd_cut *cuts;
    size_t n;
} group;

/* What all of them together leave. */
static hd_range measure(const work *w, const group *g)
{
    hd_range r = {-HD_NO_BOUND, HD_NO_BOUND};
    for (size_t i = 0; i < g->n; i++) {
        g->cuts[i].leaves = hd_cut_range(&w->figures, &g->cuts[i]);
        r = hd_range_both(r, g->cuts[i].leaves);
    }
    return r;
}

/* The finest figure of the answer in a cut that bounds, a shown one if there is one, else one whose
 * mark says something; SIZE_MAX: none. */
static size_t figure_to_withhold(const work *w, const group *g, hd_range left)
{
    const hd_cut_figure *best = NULL;
    for (size_t i = 0; i < g->n; i++) {
        const hd_cut *c = &g->cuts[i];
        if (c->leaves.low < left.low && c->leaves.high > left.high)
            continue;
        for (size_t k = 0; k < c->n; k++) {
            const hd_cut_figure *f = &w->figures.items[c->figures[k]];
            bool is_shown = f->printed->is_shown;
            bool is_open = f->printed->low == 0 && f->printed->high >= HD_NO_BOUND;
            if (f->age > 0 || (!is_shown && is_open))
                continue;
            if (!best || (is_shown && !best->printed->is_shown) ||
                (is_shown == best->printed->is_shown && f->set->persons < best->set->persons))
                best = f;
        }
    }
    return best ? best->item : SIZE_MAX;
}

/* The few themselves, where the answer says how many they are; SIZE_MAX: it does not. */
static size_t few_to_withhold(const work *w, const uint64_t few[2])
{
    for (unsigned by = 0; by < 2; by++)
        for (size_t k = hd_cut_find_asked(&w->figures, by, few);; k++) {
            const hd_cut_asked *x = hd_cut_asked_at(&w->figures, by, k, few);
            if (!x)
                break;
            const hd_printed *p = x->figure->printed;
            if (x->figure->age == 0 && (p->low > 0 || p->high < HD_NO_BOUND))
                return x->figure->item;
        }
    return SIZE_MAX;
}

static int compare_cuts(const void *x, const void *y)
{
    return hd_cut_compare_names(((const hd_cut *)x)->few, ((const hd_cut *)y)->few);
}

/* The few of a cut that leaves them once, by what is left of the figures. */
static hd_few what_is_left(const work *w, const hd_cut *c)
{
    hd_few few = {.kind = HD_SET_PROFILE};
    hd_set_init(&few.set);
    for (size_t i = 0; i < c->n; i++) {
        const hd_cut_figure *f = &w->figures.items[c->figures[i]];
        few.kind = f->kind;
        for (size_t k = 0; k < 2; k++)
            few.set.sum[k] += (uint64_t)(int64_t)c->factors[i] * f->set->sum[k];
        for (size_t b = 0; b < HD_SET_BUCKETS; b++)
            for (unsigned n = (unsigned)c->factors[i] & 3; n > 0; n--)
                few.set.buckets[b] = hd_lanes_add(few.set.buckets[b], f->set->buckets[b]);
    }
    few.set.persons = 1;
    return few;
}

/* Sums that leave them are not found where others say the same of the figures; sums with them are. */
static hd_code remember_few(work *w, const group *g, hd_err *err)
{
    hd_account *now = w->a->now;
    for (size_t i = 0; i < g->n && now->n_few < HD_CUT_FEW; i++)
        if (g->cuts[i].leaves_few && g->cuts[i].times == 1 && g->cuts[i].n <= MOST_FIGURES) {
            const hd_few few = what_is_left(w, &g->cuts[i]);
            return hd_account_leave(now, &few, err);
        }
    return HD_OK;
}

/* Withholds until the few have values enough, or as many as earlier releases leave them; what
 * the answer then says of them is kept. */
static hd_code keep_values(work *w, const group *g, void (*withhold)(hd_audit *a, size_t item),
                           hd_err *err)
{
    hd_audit *a = w->a;
    const uint64_t *few = g->cuts->few;
    hd_range known = range_known(w, few), now;
    int64_t before = hd_range_values(hd_range_both(known, range_asked(w, few, true)));
    int64_t need = hd_range_values(range_asked(w, few, false));
    need = need < a->p->minimum_candidates ? need : a->p->minimum_candidates;
    need = need < before ? need : before;
    for (;;) {
        now = measure(w, g);
        hd_range printed = range_asked(w, few, false);
        if (g->cuts->is_mixed && printed.low == 0)
            printed.low = -HD_NO_BOUND;
        hd_range left = hd_range_both(hd_range_both(printed, known), now);
        if (hd_range_values(left) >= need)
            break;
        size_t item = figure_to_withhold(w, g, left);
        if (item == SIZE_MAX)
            item = few_to_withhold(w, few);
        if (item == SIZE_MAX)
            break;
        withhold(a, item);
        a->n_near += a->n_releases > 0; /* alone, the answer is in its own way */
    }
    HD_TRY(remember_few(w, g, err));
    const hd_known k = {{few[0], few[1]}, now.low, now.high};
    if (!hd_cut_is_telling(now))
        return HD_OK;
    if (!HD_GROW(a->known, a->n_known, a->known_cap)) /* for the same few under another name */
        return hd_fail_nomem(err);
    a->known[a->n_known++] = k;
    HD_TRY(note_known(w, &k, err));
    return hd_account_know(a->now, &k, err);
}

hd_code hd_audit_cross(hd_audit *a, void (*withhold)(hd_audit *a, size_t item), hd_err *err)
{
    hd_code rc;
    work w = {.a = a};
    HD_GO(hd_cut_figures_list(&w.figures, a, err));
    HD_GO(list_known(&w, err));
    HD_GO(hd_cuts_find(&w.cuts, a, &w.figures, err));
    hd_cut *cuts = w.cuts.items;
    size_t n = w.cuts.n;
    if (n)
        qsort(cuts, n, sizeof *cuts, compare_cuts);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && compare_cuts(&cuts[first], &cuts[end]) == 0;)
            end++;
        HD_GO(keep_values(&w, &(group){&cuts[first], end - first}, withhold, err));
    }
out:
    hd_cuts_free(&w.cuts);
    hd_cut_figures_free(&w.figures);
    hd_intern_free(w.known_names);
    hd_free(w.known);
    return rc;
}
