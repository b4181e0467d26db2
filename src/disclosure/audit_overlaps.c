/* audit_overlaps.c - figures that cut across each other (overlaps.h): what several of them together say of few
 * people, whom one of them may have been asked for or none.
 *
 * Looked at together are the figures under the same values of keys, of this answer and of earlier ones, the
 * latest first; and without keys, those of answers with few figures: what an asker makes up to take apart is
 * asked figure by figure. Each sum that is found bounds the few by what is printed of all others. When all bounds
 * together leave them too few values, and fewer than earlier releases alone do, a figure of the answer that
 * cuts is withheld. Nothing but printed values and the sums decides.
 *
 * Rejected: these sums as sums of the audit. Where there are many, they follow from each other in so many
 * ways that the search for whole-number tables finds none, and everything is refused.
 */
#include "disclosure/audit_work.h"

#include "base/alloc.h"
#include "disclosure/overlaps.h"

#include <stdlib.h>

enum {
    FEW_FIGURES = 48,
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
    return a->n_places && bsearch(&place, a->places, a->n_places, sizeof place, compare_u64) != NULL;
}

hd_code hd_audit_note_overlaps(hd_audit *a, const hd_account *earlier, hd_err *err)
{
    for (size_t cell = 0; cell < earlier->n_cells; cell++) {
        uint64_t place = name_place(earlier, cell);
        if (place == 0 ? earlier->n_cells * earlier->n_columns > FEW_FIGURES : !is_place(a, place))
            continue;
        for (size_t c = 0; c < earlier->n_columns; c++) {
            size_t i = hd_account_at(earlier, cell, c);
            hd_set_kind kind = earlier->kinds[c];
            bool is_comparable = kind == HD_SET_PEOPLE || earlier->table == a->now->table;
            if (!is_comparable || !earlier->printed[i].is_count || hd_set_is_empty(earlier->items[i].sum))
                continue;
            HD_TRY(make_room(a, err));
            a->overlap[a->n_overlap++] =
                (hd_audit_figure){earlier->items[i], earlier->printed[i], kind, earlier->is_controlled,
                                  earlier->is_defined, place};
        }
    }
    return HD_OK;
}

/* ---- what is looked at together ---------------------------------------------------------------- */

/* A figure of the answer or an earlier one, by place. */
typedef struct figure {
    uint64_t place;
    size_t age; /* 0: of the answer; then the latest first */
    const hd_set *set;
    const hd_printed *printed;
    size_t item; /* of the answer, or SIZE_MAX */
    hd_set_kind kind;
    bool is_controlled, is_defined;
} figure;

/* What one sum says of few people: sum of factors times figures = times the few. */
typedef struct cut {
    uint64_t few[2]; /* their name */
    uint32_t *figures;
    int32_t *factors;
    size_t n;
    int64_t times;
    bool is_mixed;
} cut;

typedef struct search {
    hd_audit *a;
    figure *figures;
    size_t n_figures, figures_cap;
    uint32_t chosen[HD_OVERLAP_SETS]; /* figures that are searched */
    size_t n;
    uint64_t (*names)[2]; /* of few people that were asked for, ascending */
    size_t n_names, names_cap;
    cut *cuts;
    size_t n_cuts, cuts_cap;
} search;

static int compare_figures(const void *x, const void *y)
{
    const figure *a = x, *b = y;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
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

static hd_code add_figure(search *s, const figure *f, hd_err *err)
{
    if (f->printed->is_small) {
        if (!HD_GROW(s->names, s->n_names, s->names_cap))
            return hd_fail_nomem(err);
        hd_overlap_name(s->names[s->n_names++], f->set->sum);
    }
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
        const figure f = {name_place(now, i / now->n_columns), 0, &now->items[i], &now->printed[i], i,
                          now->kinds[i % now->n_columns], now->is_controlled, now->is_defined};
        if (f.printed->is_count && !hd_set_is_empty(f.set->sum))
            HD_TRY(add_figure(s, &f, err));
    }
    for (size_t i = 0; i < a->n_overlap; i++) {
        const hd_audit_figure *e = &a->overlap[i];
        const figure f = {e->place, a->n_overlap - i, &e->set, &e->printed, SIZE_MAX, e->kind,
                          e->is_controlled, e->is_defined};
        HD_TRY(add_figure(s, &f, err));
    }
    if (s->n_figures)
        qsort(s->figures, s->n_figures, sizeof *s->figures, compare_figures);
    if (s->n_names)
        qsort(s->names, s->n_names, sizeof *s->names, compare_names);
    return HD_OK;
}

static bool is_named(void *ctx, const uint64_t name[2])
{
    const search *s = ctx;
    return s->n_names && bsearch(name, s->names, s->n_names, sizeof *s->names, compare_names) != NULL;
}

/* Every set once, from figure number `from` on. */
static void choose(search *s, size_t from, size_t to)
{
    s->n = 0;
    for (size_t f = from; f < to && s->n < HD_OVERLAP_SETS; f++) {
        bool is_new = true;
        for (size_t i = 0; i < s->n && is_new; i++)
            is_new = !hd_set_same(s->figures[s->chosen[i]].set, s->figures[f].set);
        if (is_new)
            s->chosen[s->n++] = (uint32_t)f;
    }
}

typedef struct range {
    int64_t low, high; /* -HD_NO_BOUND, HD_NO_BOUND: endless */
} range;

static int64_t n_values(range r)
{
    return r.low <= -HD_NO_BOUND || r.high >= HD_NO_BOUND ? INT64_MAX : r.high < r.low ? 0 : r.high - r.low + 1;
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

/* ---- what is found ----------------------------------------------------------------------------- */

static void free_cut(cut *c)
{
    hd_free(c->figures);
    hd_free(c->factors);
}

static hd_code add_cut(search *s, const hd_overlap *o, const uint64_t few[2], int64_t times, size_t but,
                       hd_err *err)
{
    cut c = {.few = {few[0], few[1]}, .times = times, .is_mixed = o->is_mixed};
    c.figures = hd_calloc(o->n + 1, sizeof *c.figures);
    c.factors = hd_calloc(o->n + 1, sizeof *c.factors);
    if (!c.figures || !c.factors || !HD_GROW(s->cuts, s->n_cuts, s->cuts_cap)) {
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
        s->cuts[s->n_cuts++] = c;
    return HD_OK;
}

/* The few that are left over, or each of the sets that is few people. */
static hd_code take(void *ctx, const hd_overlap *o, hd_err *err)
{
    search *s = ctx;
    bool is_controlled = false, is_defined = true;
    for (size_t i = 0; i < o->n; i++) {
        const figure *f = &s->figures[s->chosen[o->items[i]]];
        is_controlled |= f->is_controlled;
        is_defined &= f->is_defined;
    }
    /* National figures are exact, and so is what follows from them; definitions of the catalogue cannot be
     * made up. */
    if (!is_controlled || is_defined)
        return HD_OK;
    if (o->times)
        return add_cut(s, o, o->few, o->times, SIZE_MAX, err);
    for (size_t i = 0; i < o->n; i++) {
        const figure *f = &s->figures[s->chosen[o->items[i]]];
        uint64_t name[2];
        hd_overlap_name(name, f->set->sum);
        if (f->printed->is_small)
            HD_TRY(add_cut(s, o, name, -(int64_t)o->factors[i], i, err));
    }
    return HD_OK;
}

static hd_code find_cuts(search *s, hd_err *err)
{
    const hd_set *sets[HD_OVERLAP_SETS];
    for (size_t from = 0, to; from < s->n_figures; from = to) {
        const figure *first = &s->figures[from];
        size_t n_now = 0;
        for (to = from + 1; to < s->n_figures && s->figures[to].kind == first->kind &&
                            s->figures[to].place == first->place;)
            to++;
        if (first->age != 0) /* the answer has no figure there */
            continue;
        choose(s, from, to);
        for (size_t i = 0; i < s->n; i++) {
            sets[i] = s->figures[s->chosen[i]].set;
            n_now += s->figures[s->chosen[i]].age == 0;
        }
        HD_TRY(hd_overlaps_find(sets, s->n, n_now, hd_near_limit(s->a->p), is_named, take, s, err));
    }
    return HD_OK;
}

/* ---- what it says ------------------------------------------------------------------------------ */

/* In the ledger, what sums said of few people stands under their name, marked: profiles have the same place. */
static void name_known(uint64_t out[2], const uint64_t few[2])
{
    out[0] = few[0] | UINT64_C(1) << 63;
    out[1] = few[1] | UINT64_C(1) << 62;
}

static range range_known(const search *s, const uint64_t few[2])
{
    range r = {-HD_NO_BOUND, HD_NO_BOUND};
    uint64_t name[2];
    name_known(name, few);
    for (size_t i = 0; i < s->a->n_known; i++) {
        const hd_known *k = &s->a->known[i];
        if (memcmp(k->sum, name, sizeof name) != 0)
            continue;
        r.low = k->low > r.low ? k->low : r.low;
        r.high = k->high < r.high ? k->high : r.high;
    }
    return r;
}

/* What is printed of them, where they were asked for. */
static range range_asked(const search *s, const uint64_t few[2], bool only_earlier)
{
    range r = {0, HD_NO_BOUND};
    for (size_t i = 0; i < s->n_figures; i++) {
        const figure *f = &s->figures[i];
        uint64_t name[2];
        if (!f->printed->is_small || (only_earlier && f->age == 0))
            continue;
        hd_overlap_name(name, f->set->sum);
        if (memcmp(name, few, sizeof name) != 0)
            continue;
        r.low = f->printed->low > r.low ? f->printed->low : r.low;
        r.high = f->printed->high < r.high ? f->printed->high : r.high;
    }
    return r;
}

static range both(range x, range y)
{
    return (range){x.low > y.low ? x.low : y.low, x.high < y.high ? x.high : y.high};
}

/* Cuts first .. end - 1 are about the same few people. */
static range range_cut(const search *s, size_t first, size_t end)
{
    range r = {-HD_NO_BOUND, HD_NO_BOUND};
    for (size_t i = first; i < end; i++)
        r = both(r, range_of(s, &s->cuts[i]));
    return r;
}

/* The finest shown figure of the answer in a cut that bounds; SIZE_MAX: none. */
static size_t figure_to_withhold(const search *s, size_t first, size_t end, range left)
{
    size_t best = SIZE_MAX;
    uint32_t fewest = UINT32_MAX;
    for (size_t i = first; i < end; i++) {
        const cut *c = &s->cuts[i];
        range x = range_of(s, c);
        if (x.low < left.low && x.high > left.high)
            continue;
        for (size_t k = 0; k < c->n; k++) {
            const figure *f = &s->figures[c->figures[k]];
            if (f->age == 0 && f->printed->is_shown && f->set->persons < fewest) {
                fewest = f->set->persons;
                best = f->item;
            }
        }
    }
    return best;
}

static int compare_cuts(const void *x, const void *y)
{
    return compare_names(((const cut *)x)->few, ((const cut *)y)->few);
}

/* Withholds until the few have values enough, or as many as earlier releases leave them; what the answer then
 * says of them is kept. */
static hd_code keep_values(search *s, size_t first, size_t end, void (*withhold)(hd_audit *a, size_t item),
                           hd_err *err)
{
    hd_audit *a = s->a;
    const cut *c = &s->cuts[first];
    range asked = range_asked(s, c->few, false), known = range_known(s, c->few), now;
    if (c->is_mixed && asked.low == 0)
        asked.low = -HD_NO_BOUND;
    int64_t need = n_values(asked) < a->p->minimum_candidates ? n_values(asked) : a->p->minimum_candidates;
    int64_t before = n_values(both(known, range_asked(s, c->few, true)));
    for (;;) {
        now = range_cut(s, first, end);
        range left = both(both(asked, known), now);
        size_t item = figure_to_withhold(s, first, end, left);
        if (n_values(left) >= need || n_values(left) >= before || item == SIZE_MAX)
            break;
        withhold(a, item);
        a->n_near++;
    }
    hd_known k = {.low = now.low, .high = now.high};
    name_known(k.sum, c->few);
    return n_values(now) <= WIDEST ? hd_account_know(a->now, &k, err) : HD_OK;
}

hd_code hd_audit_cross(hd_audit *a, void (*withhold)(hd_audit *a, size_t item), hd_err *err)
{
    hd_code rc;
    search *s = hd_calloc(1, sizeof *s);
    if (!s)
        return hd_fail_nomem(err);
    s->a = a;
    HD_GO(list_figures(s, err));
    HD_GO(find_cuts(s, err));
    if (s->n_cuts)
        qsort(s->cuts, s->n_cuts, sizeof *s->cuts, compare_cuts);
    for (size_t first = 0, end; first < s->n_cuts; first = end) {
        for (end = first + 1; end < s->n_cuts && compare_cuts(&s->cuts[first], &s->cuts[end]) == 0;)
            end++;
        HD_GO(keep_values(s, first, end, withhold, err));
    }
out:
    for (size_t i = 0; i < s->n_cuts; i++)
        free_cut(&s->cuts[i]);
    hd_free(s->cuts);
    hd_free(s->names);
    hd_free(s->figures);
    hd_free(s);
    return rc;
}
