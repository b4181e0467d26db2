/* audit_parts.c - figures that hold others by their definitions (definition.h), also where the rest was
 * never asked for: four stars of parts asked one by one leave their whole 4 to 7.
 *
 * Of each family the whole, and parts of it that have no record in common, make a sum with the rest,
 * which nobody asked for and of which nothing is known. Only sums that narrow one of their figures are
 * added. Releases of another version of the data are passed over: a record may have come or gone.
 */
#include "disclosure/audit_work.h"

#include "base/alloc.h"
#include "disclosure/canonical.h"
#include "disclosure/definition.h"

#include <stdlib.h>

enum {
    MOST_MEMBERS = 1 << 16, /* of earlier answers */
    MOST_VALUES = 1 << 22,  /* of their spans */
    MOST_PARTS = 64,        /* of a sum */
    MOST_NESTED = 4096,     /* parts of a family by parts that may hold them */
};

/* ---- who belongs to a family ----------------------------------------------------------------- */

/* What the answer has: a whole; a part of a whole; a part by this column. */
static uint64_t as_whole(uint64_t family)
{
    return hd_mix(family, 1);
}

static uint64_t as_parts(uint64_t family)
{
    return hd_mix(family, 2);
}

static uint64_t as_column(uint64_t family, uint64_t column)
{
    return hd_mix(hd_mix(family, 3), column);
}

static hd_code add_name(hd_audit *a, uint64_t name, hd_err *err)
{
    uint32_t id;
    hd_audit_add_sum(a->family_sums, name);
    return hd_intern_add(a->families, (const char *)&name, sizeof name, &id, err);
}

static bool has_name(const hd_audit *a, uint64_t name)
{
    return hd_audit_has_sum(a->family_sums, name) &&
           hd_intern_find(a->families, (const char *)&name, sizeof name) != HD_INTERN_NONE;
}

/* NULL: no figure of records that was counted, or what it says is not known. */
static const hd_definition *definition_of(const hd_account *of, size_t item)
{
    bool is_defined = item < of->n_definitions && of->definitions[item].name &&
                    of->kinds[item % of->n_columns] == HD_SET_RECORDS && of->printed[item].is_count &&
                    !hd_set_is_empty(of->items[item].sum);
    return is_defined ? &of->definitions[item] : NULL;
}

hd_code hd_audit_list_families(hd_audit *a, hd_err *err)
{
    const hd_account *now = a->now;
    for (size_t i = 0; i < now->n_definitions; i++) {
        const hd_definition *m = definition_of(now, i);
        if (!m)
            continue;
        HD_TRY(add_name(a, as_whole(m->name), err));
        for (size_t s = 0; s < HD_DEFINITION_SPANS && m->spans[s]; s++) {
            const hd_span *span = &now->spans[m->spans[s] - 1];
            uint64_t family = m->name - hd_definition_of_span(span);
            HD_TRY(add_name(a, as_parts(family), err));
            HD_TRY(add_name(a, as_column(family, span->column), err));
        }
    }
    return HD_OK;
}

static hd_code add_member(hd_audit *a, const hd_account *of, size_t item, uint64_t family,
                          const hd_span *span, hd_err *err)
{
    const hd_set *set = &of->items[item];
    const hd_printed *p = &of->printed[item];
    if (!HD_GROW(a->members, a->n_members, a->members_cap))
        return hd_fail_nomem(err);
    hd_audit_member *m = &a->members[a->n_members++];
    *m = (hd_audit_member){.family = family,
                           .column = span ? span->column : 0,
                           .release = of == a->now ? 0 : a->n_given,
                           .sum = {set->sum[0], set->sum[1]},
                           .low = p->low,
                           .high = p->high,
                           .times = p->times,
                           .records = (uint64_t)set->profile.records + set->profile.nobody,
                           .is_small = of->is_controlled && p->is_small,
                           .is_controlled = of->is_controlled,
                           .is_number = p->mark == 0 && p->is_shown};
    if (!span)
        return HD_OK;
    m->span = *span;
    m->span.first = (uint32_t)a->n_member_values;
    for (uint32_t i = 0; i < span->n; i++) {
        if (!HD_GROW(a->member_values, a->n_member_values, a->member_values_cap))
            return hd_fail_nomem(err);
        a->member_values[a->n_member_values++] = of->span_values[span->first + i];
    }
    return HD_OK;
}

static hd_code add_members(hd_audit *a, const hd_account *of, hd_err *err)
{
    for (size_t i = 0; i < of->n_definitions; i++) {
        const hd_definition *m = definition_of(of, i);
        bool is_full = of != a->now && (a->n_members >= MOST_MEMBERS || a->n_member_values >= MOST_VALUES);
        if (!m || is_full)
            continue;
        if (of == a->now || has_name(a, as_parts(m->name)))
            HD_TRY(add_member(a, of, i, m->name, NULL, err));
        for (size_t s = 0; s < HD_DEFINITION_SPANS && m->spans[s]; s++) {
            const hd_span *span = &of->spans[m->spans[s] - 1];
            uint64_t family = m->name - hd_definition_of_span(span);
            if (has_name(a, as_whole(family)) || has_name(a, as_column(family, span->column)))
                HD_TRY(add_member(a, of, i, family, span, err));
        }
    }
    return HD_OK;
}

hd_code hd_audit_note_members(hd_audit *a, const hd_account *earlier, hd_err *err)
{
    return earlier->is_of_other_data ? HD_OK : add_members(a, earlier, err);
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* A whole and the parts of it that were chosen. */
typedef struct held {
    const hd_audit_member *whole, *parts[MOST_PARTS];
    size_t n;
} held;

static bool is_same_set(const hd_audit_member *a, const hd_audit_member *b)
{
    return a->sum[0] == b->sum[0] && a->sum[1] == b->sum[1];
}

/* The member's bounds, and what others that printed the same set say. */
static void bounds_of(const hd_audit *a, const hd_audit_member *m, int64_t *low, int64_t *high)
{
    char name[HD_SET_NAME];
    hd_set_name(name, HD_SET_RECORDS, m->sum);
    uint32_t id = hd_intern_find(a->nodes, name, HD_SET_NAME);
    *low = m->low;
    *high = m->high;
    if (id == HD_INTERN_NONE)
        return;
    *low = a->low[id] > *low ? a->low[id] : *low;
    *high = a->high[id] < *high ? a->high[id] : *high;
}

static bool is_apart_from_all(const hd_audit *a, const held *h, const hd_audit_member *m)
{
    bool is_apart = !is_same_set(h->whole, m);
    for (size_t i = 0; i < h->n && is_apart; i++)
        is_apart = !is_same_set(h->parts[i], m) &&
                   hd_span_is_apart(&h->parts[i]->span, a->member_values, &m->span, a->member_values);
    return is_apart;
}

/* What stands earlier in the list comes first; now_first: of those what the answer itself has. */
static void choose_parts(const hd_audit *a, const hd_audit_member *list, size_t n, bool now_first,
                         held *h)
{
    h->n = 0;
    for (int pass = now_first ? 0 : 1; pass < 2; pass++)
        for (size_t i = 0; i < n && h->n < MOST_PARTS; i++) {
            bool is_part = h->whole->column == 0 ||
                           hd_span_holds(&h->whole->span, a->member_values, &list[i].span, a->member_values);
            if ((pass == 1 || list[i].release == 0) && is_part && is_apart_from_all(a, h, &list[i]))
                h->parts[h->n++] = &list[i];
        }
}

/* Whether the sum says more of the whole or of a part than is known of it; and there is a rest. */
static bool says_something(const hd_audit *a, const held *h)
{
    int64_t low, high, whole_low, whole_high, least = 0;
    uint64_t records = 0;
    bool is_now = h->whole->release == 0, is_alone = true, narrows = false;
    bounds_of(a, h->whole, &whole_low, &whole_high);
    for (size_t i = 0; i < h->n; i++) {
        bounds_of(a, h->parts[i], &low, &high);
        least += low;
        records += h->parts[i]->records;
        is_now = is_now || h->parts[i]->release == 0;
        is_alone = is_alone && h->parts[i]->release == h->parts[0]->release;
    }
    for (size_t i = 0; i < h->n && !narrows; i++) {
        bounds_of(a, h->parts[i], &low, &high);
        narrows = high > whole_high - (least - low);
    }
    /* Rows of one answer that make up the whole are a sum already. */
    bool is_sum = is_alone && records == h->whole->records;
    return is_now && !is_sum && records <= h->whole->records && (narrows || least > whole_low);
}

/* The node of a figure of any release, with what it says. */
static hd_code find_member(hd_audit *a, const hd_audit_member *m, uint32_t *id, hd_err *err)
{
    HD_TRY(hd_audit_node_find(a, HD_SET_RECORDS, m->sum, id, err));
    hd_audit_node *n = &a->about[*id];
    if (m->release == 0)
        return HD_OK;
    a->low[*id] = m->low > a->low[*id] ? m->low : a->low[*id];
    a->high[*id] = m->high < a->high[*id] ? m->high : a->high[*id];
    n->low_before = m->low > n->low_before ? m->low : n->low_before;
    n->high_before = m->high < n->high_before ? m->high : n->high_before;
    n->shown_before = n->shown_before || m->is_number;
    n->is_small = n->is_small || m->is_small;
    n->times = m->times > n->times ? m->times : n->times;
    a->n_held++;
    return HD_OK;
}

/* What is left of the whole. Nothing, perhaps, and then nobody knows. */
static hd_code add_rest(hd_audit *a, const held *h, hd_summed *out, hd_err *err)
{
    uint64_t sum[2] = {h->whole->sum[0], h->whole->sum[1]}, records = h->whole->records;
    bool is_controlled = h->whole->is_controlled;
    uint32_t id;
    for (size_t i = 0; i < h->n; i++) {
        sum[0] -= h->parts[i]->sum[0];
        sum[1] -= h->parts[i]->sum[1];
        records -= h->parts[i]->records;
        is_controlled = is_controlled || h->parts[i]->is_controlled;
    }
    if (hd_set_is_empty(sum)) {
        sum[0] = hd_mix(h->n, h->whole->sum[0]);
        for (size_t i = 0; i < h->n; i++)
            sum[1] += hd_mix(h->whole->sum[1], h->parts[i]->sum[1]);
    }
    *out = (hd_summed){{sum[0], sum[1]}, HD_SET_RECORDS, 0};
    HD_TRY(hd_audit_node_find(a, HD_SET_RECORDS, sum, &id, err));
    bool is_few = records > 0 && records <= (uint64_t)a->p->candidates_for_counts_to;
    a->about[id].is_small = a->about[id].is_small || (is_few && is_controlled);
    return HD_OK;
}

static hd_code add_held(hd_audit *a, const held *h, hd_err *err)
{
    uint32_t id;
    hd_summed whole = {{h->whole->sum[0], h->whole->sum[1]}, HD_SET_RECORDS, (uint32_t)h->n + 1};
    hd_summed parts[MOST_PARTS + 1];
    HD_TRY(find_member(a, h->whole, &id, err));
    for (size_t i = 0; i < h->n; i++) {
        parts[i] = (hd_summed){{h->parts[i]->sum[0], h->parts[i]->sum[1]}, HD_SET_RECORDS, 0};
        HD_TRY(find_member(a, h->parts[i], &id, err));
    }
    HD_TRY(add_rest(a, h, &parts[h->n], err));
    size_t at = a->now->n_summed;
    HD_TRY(hd_account_sum(a->now, &whole, parts, h->n + 1, err));
    return hd_audit_add_summed(a, &a->now->summed[at], err);
}

/* Two choices: what narrows the whole most, and what has most to do with the answer. */
static hd_code hold_parts(hd_audit *a, const hd_audit_member *whole, const hd_audit_member *list, size_t n,
                          hd_err *err)
{
    held h = {.whole = whole}, other = {.whole = whole};
    choose_parts(a, list, n, false, &h);
    choose_parts(a, list, n, true, &other);
    bool is_other = h.n != other.n || memcmp(h.parts, other.parts, h.n * sizeof *h.parts) != 0;
    if (h.n && says_something(a, &h))
        HD_TRY(add_held(a, &h, err));
    return is_other && other.n && says_something(a, &other) ? add_held(a, &other, err) : HD_OK;
}

/* The parts of one family by one column; and those of them that hold others. */
static hd_code hold_column(hd_audit *a, const hd_audit_member *wholes, size_t n_wholes,
                           const hd_audit_member *list, size_t n, hd_err *err)
{
    size_t n_wide = 0;
    for (size_t i = 0; i < n_wholes; i++)
        HD_TRY(hold_parts(a, &wholes[i], list, n, err));
    for (size_t i = 0; i < n; i++)
        n_wide += list[i].span.n > 1;
    for (size_t i = 0; i < n && n_wide * n <= MOST_NESTED; i++)
        if (list[i].span.n > 1)
            HD_TRY(hold_parts(a, &list[i], list, n, err));
    return HD_OK;
}

static int by_family(const void *x, const void *y)
{
    const hd_audit_member *a = x, *b = y;
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    if (a->low != b->low)
        return a->low > b->low ? -1 : 1;
    if (a->span.n != b->span.n)
        return a->span.n < b->span.n ? -1 : 1;
    if (a->sum[0] != b->sum[0])
        return a->sum[0] < b->sum[0] ? -1 : 1;
    return (a->release > b->release) - (a->release < b->release);
}

/* Members from i on that are of its family (and column). */
static size_t count_like(const hd_audit *a, size_t i, bool by_column)
{
    const hd_audit_member *m = a->members;
    size_t n = 1;
    while (i + n < a->n_members && m[i + n].family == m[i].family &&
           (!by_column || m[i + n].column == m[i].column))
        n++;
    return n;
}

hd_code hd_audit_hold(hd_audit *a, hd_err *err)
{
    if (!a->is_indexed)
        HD_TRY(hd_audit_list_families(a, err));
    HD_TRY(add_members(a, a->now, err));
    if (a->n_members)
        qsort(a->members, a->n_members, sizeof *a->members, by_family);
    for (size_t i = 0, n_family; i < a->n_members; i += n_family) {
        n_family = count_like(a, i, false);
        size_t n_wholes = a->members[i].column ? 0 : count_like(a, i, true);
        for (size_t k = n_wholes, n; k < n_family; k += n) {
            n = count_like(a, i + k, true);
            HD_TRY(hold_column(a, &a->members[i], n_wholes, &a->members[i + k], n, err));
        }
    }
    return HD_OK;
}
