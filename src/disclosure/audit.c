/* audit.c - see audit.h. Sets are found by their sums (sets.h): the sum of a union is the sum of the
 * sums, so a row and the rows below it meet without anybody comparing conditions or code lists. */
#include "disclosure/audit_work.h"

#include "base/alloc.h"
#include "disclosure/certificate.h"
#include "disclosure/margins.h"
#include "disclosure/rule.h"

#include <stdlib.h>
#include <string.h>

static bool is_printed(const hd_printed *p)
{
    return p->is_count || p->is_shown;
}

/* ---- does an earlier release share a set? --------------------------------------------------- */

static hd_code add_name(hd_audit *a, hd_intern *names, hd_set_kind kind, const uint64_t sum[2],
                        hd_err *err)
{
    char name[HD_SET_NAME];
    uint32_t id;
    hd_set_name(name, kind, sum);
    hd_audit_add_sum(a->sums, sum[0]);
    return hd_intern_add(names, name, HD_SET_NAME, &id, err);
}

static bool is_in(const hd_audit *a, const hd_intern *names, hd_set_kind kind, const uint64_t sum[2])
{
    char name[HD_SET_NAME];
    if (!hd_audit_has_sum(a->sums, sum[0]))
        return false;
    hd_set_name(name, kind, sum);
    return hd_intern_find(names, name, HD_SET_NAME) != HD_INTERN_NONE;
}

/* Figures of as many records of each person are of one part, too. */
static hd_code name_profile(hd_component *parts, uint32_t release, const uint64_t profile[2], hd_err *err)
{
    if (hd_set_is_empty(profile))
        return HD_OK;
    return hd_component_name(parts, release, hd_audit_profile_name(profile), err);
}

static hd_code note_margin(void *ctx, const hd_account *a, size_t column, const uint64_t sum[2],
                           const uint32_t *cells, size_t n_cells, hd_err *err)
{
    hd_audit *audit = ctx;
    uint64_t profile[2];
    hd_margin_profile(a, column, cells, n_cells, profile);
    HD_TRY(name_profile(audit->parts, 0, profile, err));
    HD_TRY(hd_component_name(audit->parts, 0, sum[0], err));
    return add_name(audit, audit->derived, a->kinds[column], sum, err);
}

typedef struct search {
    const hd_audit *audit;
    uint32_t release;
    bool found;
} search;

static hd_code find_margin(void *ctx, const hd_account *a, size_t column, const uint64_t sum[2],
                           const uint32_t *cells, size_t n_cells, hd_err *err)
{
    search *s = ctx;
    uint64_t profile[2];
    hd_margin_profile(a, column, cells, n_cells, profile);
    HD_TRY(name_profile(s->audit->parts, s->release, profile, err));
    s->found = s->found || is_in(s->audit, s->audit->own, a->kinds[column], sum) ||
               is_in(s->audit, s->audit->derived, a->kinds[column], sum);
    return hd_component_name(s->audit->parts, s->release, sum[0], err);
}

/* Whether the answer counts the same people as often, as other things. */
static bool shares_profile(const hd_audit *a, const hd_account *earlier, size_t item)
{
    const uint64_t *sum = earlier->items[item].profile.sum;
    bool is_people = earlier->kinds[item % earlier->n_columns] == HD_SET_PEOPLE;
    bool found = is_in(a, a->profiles[HD_SET_RECORDS], HD_SET_PROFILE, sum);
    if (!is_people)
        found = (found && earlier->table != a->now->table) ||
                is_in(a, a->profiles[HD_SET_PEOPLE], HD_SET_PROFILE, sum);
    return found;
}

/* Whether an earlier release shares a set with the answer; and its names, for what it shares with others. */
static hd_code shares_a_set(const hd_audit *a, const hd_account *earlier, uint32_t release, bool *out,
                            hd_err *err)
{
    search s = {.audit = a, .release = release};
    for (size_t i = 0; i < earlier->n_cells * earlier->n_columns; i++) {
        hd_set_kind kind = earlier->kinds[i % earlier->n_columns];
        const uint64_t *sum = earlier->items[i].sum;
        if (!is_printed(&earlier->printed[i]) || hd_set_is_empty(sum))
            continue;
        s.found = s.found || is_in(a, a->own, kind, sum) || is_in(a, a->derived, kind, sum) ||
                  shares_profile(a, earlier, i);
        HD_TRY(hd_component_name(a->parts, release, sum[0], err));
        HD_TRY(name_profile(a->parts, release, earlier->items[i].profile.sum, err));
    }
    for (size_t i = 0; i < earlier->n_summed; i++)
        HD_TRY(hd_component_name(a->parts, release, earlier->summed[i].sum[0], err));
    HD_TRY(hd_margins_walk(earlier, find_margin, &s, err));
    *out = s.found;
    return HD_OK;
}

/* The names of the answer's sets, to look up those of earlier releases. */
static hd_code index_answer(hd_audit *a, hd_err *err)
{
    const hd_account *now = a->now;
    for (size_t i = 0; i < now->n_cells * now->n_columns; i++) {
        hd_set_kind kind = now->kinds[i % now->n_columns];
        if (hd_set_is_empty(now->items[i].sum))
            continue;
        HD_TRY(hd_component_name(a->parts, 0, now->items[i].sum[0], err));
        HD_TRY(name_profile(a->parts, 0, now->items[i].profile.sum, err));
        HD_TRY(add_name(a, a->own, kind, now->items[i].sum, err));
        HD_TRY(add_name(a, a->profiles[kind], HD_SET_PROFILE, now->items[i].profile.sum, err));
    }
    HD_TRY(hd_margins_walk(now, note_margin, a, err));
    HD_TRY(hd_margins_make(&a->margins, now, err));
    HD_TRY(hd_audit_list_places(a, err));
    HD_TRY(hd_audit_list_families(a, err));
    a->is_indexed = true;
    return HD_OK;
}

hd_code hd_audit_new(hd_audit **out, const hd_policy_file *p, hd_account *now, hd_err *err)
{
    hd_code rc;
    *out = NULL;
    hd_audit *a = hd_calloc(1, sizeof *a);
    if (!a)
        return hd_fail_nomem(err);
    a->p = p;
    a->now = now;
    a->limit = (uint64_t)p->audited_cells_at_most;
    hd_system_init(&a->system);
    a->own = hd_intern_new();
    a->derived = hd_intern_new();
    for (size_t k = 0; k < HD_SET_PROFILE; k++)
        a->profiles[k] = hd_intern_new();
    a->sums = hd_calloc(HD_AUDIT_SUMS / 64, sizeof *a->sums);
    a->families = hd_intern_new();
    a->family_sums = hd_calloc(HD_AUDIT_SUMS / 64, sizeof *a->family_sums);
    a->parts = hd_component_new();
    if (!a->own || !a->derived || !a->parts || !a->profiles[0] || !a->profiles[1] || !a->sums ||
        !a->families || !a->family_sums) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(hd_near_new(&a->near, now, hd_near_limit(p), err));
    *out = a;
    a = NULL;
out:
    hd_audit_free(a);
    return rc;
}

void hd_audit_free(hd_audit *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n_earlier; i++)
        hd_account_free(&a->earlier[i]);
    hd_free(a->earlier);
    hd_wipe_free(a->known, a->known_cap * sizeof *a->known);
    hd_wipe_free(a->overlap, a->overlap_cap * sizeof *a->overlap);
    hd_wipe_free(a->few, a->few_cap * sizeof *a->few);
    hd_account_free(&a->margins);
    hd_free(a->sums);
    hd_intern_free(a->families);
    hd_free(a->family_sums);
    hd_wipe_free(a->members, a->members_cap * sizeof *a->members);
    hd_free(a->member_values);
    hd_free(a->profiled);
    hd_free(a->kept);
    hd_component_free(a->parts);
    hd_free(a->places);
    hd_near_free(a->near);
    hd_intern_free(a->own);
    hd_intern_free(a->derived);
    for (size_t k = 0; k < HD_SET_PROFILE; k++)
        hd_intern_free(a->profiles[k]);
    hd_intern_free(a->nodes);
    hd_intern_free(a->rules);
    hd_system_free(&a->system);
    hd_free(a->about);
    hd_free(a->node_of);
    hd_wipe_free(a->low, a->low_cap * sizeof *a->low);
    hd_wipe_free(a->high, a->high_cap * sizeof *a->high);
    hd_free(a);
}

static hd_code find_union(void *ctx, const hd_account *parts, const size_t *items, size_t n,
                          const hd_account *wholes, size_t whole, hd_err *err)
{
    (void)parts;
    (void)items;
    (void)n;
    (void)wholes;
    (void)whole;
    (void)err;
    *(bool *)ctx = true;
    return HD_OK;
}

static hd_code keep(hd_audit *a, hd_account *earlier, hd_err *err)
{
    HD_TRY(hd_account_keep(earlier, err));
    if (!HD_GROW(a->earlier, a->n_earlier, a->earlier_cap) ||
        !HD_GROW(a->kept, a->n_earlier, a->kept_cap))
        return hd_fail_nomem(err);
    a->kept[a->n_earlier] = a->n_given;
    a->earlier[a->n_earlier++] = *earlier;
    *earlier = (hd_account){0};
    return HD_OK;
}

hd_code hd_audit_earlier(hd_audit *a, hd_account *earlier, hd_err *err)
{
    bool shares = false;
    size_t before = hd_near_n_pairs(a->near);
    a->n_given++;
    if (a->is_connected)
        return keep(a, earlier, err);
    if (!a->is_indexed)
        HD_TRY(index_answer(a, err));
    for (size_t i = 0; i < earlier->n_known; i++) {
        if (!HD_GROW(a->known, a->n_known, a->known_cap))
            return hd_fail_nomem(err);
        a->known[a->n_known++] = earlier->known[i];
    }
    HD_TRY(hd_audit_note_overlaps(a, earlier, err));
    HD_TRY(hd_audit_note_members(a, earlier, err));
    HD_TRY(hd_near_compare(a->near, earlier, a->n_earlier, err));
    HD_TRY(shares_a_set(a, earlier, a->n_given, &shares, err));
    if (!shares && hd_near_touches(a->near))
        HD_TRY(hd_audit_unions(a, earlier, find_union, &shares, err));
    if (!shares && hd_near_n_pairs(a->near) == before)
        return HD_OK;
    HD_TRY(hd_component_join(a->parts, a->n_given, err));
    return keep(a, earlier, err);
}

hd_code hd_audit_connect(hd_audit *a, bool *again, hd_err *err)
{
    *again = false;
    a->n_direct = a->n_earlier;
    if (a->n_given == 0)
        return HD_OK;
    HD_TRY(hd_component_close(a->parts, err));
    a->n_releases = a->n_given;
    a->is_connected = true;
    for (a->n_given = 0; a->n_given < a->n_releases && !*again;)
        *again = !hd_audit_passes_over(a);
    a->n_given = 0;
    a->next_kept = 0;
    return HD_OK;
}

bool hd_audit_passes_over(hd_audit *a)
{
    uint32_t next = a->n_given + 1;
    bool is_kept = a->next_kept < a->n_direct && a->kept[a->next_kept] == next;
    if (!a->is_connected || (hd_component_has(a->parts, next) && !is_kept))
        return false;
    a->next_kept += is_kept;
    a->n_given = next;
    return true;
}

void hd_audit_set_limit(hd_audit *a, uint64_t counts)
{
    a->limit = counts;
}

void hd_audit_watch(hd_audit *a, const atomic_bool *stop)
{
    a->stop = stop;
}

uint64_t hd_audit_n_near(const hd_audit *a)
{
    return a->n_near;
}

/* ---- withholding in the answer -------------------------------------------------------------- */

/* People, and the records that they are known to have, go together: the one says the other. */
static size_t twin_of(const hd_account *now, size_t item)
{
    size_t column = item % now->n_columns, first = item - column;
    if (now->people_of[column])
        return first + now->people_of[column] - 1;
    for (size_t c = 0; c < now->n_columns; c++)
        if (now->people_of[c] == column + 1 && now->printed[first + c].is_count)
            return first + c;
    return SIZE_MAX;
}

static void withhold_one(hd_audit *a, size_t item)
{
    hd_account *now = a->now;
    hd_printed *p = &now->printed[item];
    size_t cell = item / now->n_columns;
    for (size_t g = 0; g < now->n_aggregates; g++) {
        char *mark = &now->marks[cell * now->n_aggregates + g];
        if (now->column_of[g] == item % now->n_columns && !*mark) {
            *mark = a->p->secondary_mark;
            now->values[cell * now->n_aggregates + g] = 0;
        }
    }
    if (p->is_count && !p->mark) {
        p->low = now->is_controlled ? a->p->withheld_to + 1 : 0;
        p->high = HD_NO_BOUND;
        p->is_exact = false;
    }
    if (!p->mark)
        p->mark = a->p->secondary_mark;
    p->is_shown = false;
}

static void withhold(hd_audit *a, size_t item)
{
    size_t twin = twin_of(a->now, item);
    withhold_one(a, item);
    if (twin != SIZE_MAX)
        withhold_one(a, twin);
}

static void cover_one(hd_audit *a, size_t item)
{
    hd_account *now = a->now;
    hd_printed *p = &now->printed[item];
    size_t cell = item / now->n_columns;
    for (size_t g = 0; g < now->n_aggregates; g++)
        if (now->column_of[g] == item % now->n_columns)
            now->marks[cell * now->n_aggregates + g] = a->p->secondary_mark;
    p->mark = a->p->secondary_mark;
    p->low = 0;
    p->high = HD_NO_BOUND;
    if (now->is_all[item % now->n_columns])
        now->is_left_out[cell] = true;
}

/* One mark for everything that is withheld, so that it no longer says what it is not; and where a row
 * that exists would say that there is somebody, no row. */
static void cover(hd_audit *a, size_t item)
{
    size_t twin = twin_of(a->now, item);
    cover_one(a, item);
    if (twin != SIZE_MAX)
        cover_one(a, twin);
}

/* What completes a sum may be a mark: a star, that there are 1 to 7, or that there are more. */
static void withhold_from_sum(hd_audit *a, size_t item)
{
    if (a->now->printed[item].is_shown)
        withhold(a, item);
    else
        cover(a, item);
}

/* A set of records shows one value, or none, for ever: what was shown before is shown, what was
 * withheld and never shown is withheld. */
typedef struct past {
    bool shown, withheld;
    bool left_out; /* its row did not appear for the sake of others */
    bool is_told; /* a national figure told it to within fewer values than a small count keeps: one of
                   * the same records, or of as many records of the same people */
} past;

/* A set has two names: its own, and that of its profile. */
static void name_item(char name[HD_SET_NAME], const hd_account *of, size_t item, bool by_profile)
{
    const hd_set *s = &of->items[item];
    hd_set_name(name, by_profile ? HD_SET_PROFILE : of->kinds[item % of->n_columns],
                by_profile ? s->profile.sum : s->sum);
}

/* What an earlier figure says of the sets of the answer that it is about. */
static void note_past(const hd_audit *a, const hd_account *earlier, size_t item,
                      const hd_intern *names, past *list)
{
    const hd_printed *p = &earlier->printed[item];
    bool is_told = !earlier->is_controlled && p->is_shown &&
                   p->high - p->low + 1 < a->p->minimum_candidates;
    for (int by_profile = 0; by_profile < 2; by_profile++) {
        char name[HD_SET_NAME];
        name_item(name, earlier, item, by_profile);
        uint32_t id = hd_intern_find(names, name, HD_SET_NAME);
        if (id == HD_INTERN_NONE)
            continue;
        list[id].is_told |= is_told && (!by_profile || shares_profile(a, earlier, item));
        list[id].shown |= p->is_shown && !by_profile && !earlier->people_of[item % earlier->n_columns];
        list[id].withheld |= !p->is_shown && p->mark != 0 && !by_profile;
        list[id].left_out |= earlier->is_left_out[item / earlier->n_columns] && !by_profile &&
                             p->mark == a->p->secondary_mark && p->low == 0 && p->high >= HD_NO_BOUND;
    }
}

static hd_code collect_past(const hd_audit *a, past **out, hd_err *err)
{
    const hd_account *now = a->now;
    size_t n = now->n_cells * now->n_columns;
    char name[HD_SET_NAME];
    hd_code rc = HD_OK;
    hd_intern *names = hd_intern_new();
    past *list = hd_calloc(2 * n + 1, sizeof *list), *past_of = hd_calloc(n + 1, sizeof *past_of);
    if (!names || !list || !past_of) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < 2 * n; i++) {
        uint32_t id;
        name_item(name, now, i / 2, i % 2);
        HD_GO(hd_intern_add(names, name, HD_SET_NAME, &id, err));
    }
    for (size_t e = 0; e < a->n_earlier; e++)
        for (size_t i = 0; i < a->earlier[e].n_cells * a->earlier[e].n_columns; i++)
            note_past(a, &a->earlier[e], i, names, list);
    for (size_t i = 0; i < n; i++) {
        name_item(name, now, i, false);
        past_of[i] = list[hd_intern_find(names, name, HD_SET_NAME)];
        name_item(name, now, i, true);
        past_of[i].is_told |= list[hd_intern_find(names, name, HD_SET_NAME)].is_told;
    }
    *out = past_of;
    past_of = NULL;
out:
    hd_intern_free(names);
    hd_free(list);
    hd_free(past_of);
    return rc;
}

/* England's two are all at one place, and England's figure is out: the row of that place would say
 * so. It does not appear, nor does any figure of these records. */
static void hide(hd_audit *a, size_t item)
{
    cover(a, item);
    a->now->printed[item] = (hd_printed){.high = HD_NO_BOUND, .mark = a->p->secondary_mark};
    a->n_near++;
}

/* National figures are exact, and so is any difference of theirs that is asked for by itself. Those of
 * two tables are compared only where so many people make it no accident that all but few are the
 * same: admissions and episodes by diagnosis, down to the rarest, are an ordinary pair of tables. */
enum { NATIONAL_PEOPLE = 100 };

/* Whether a figure of the answer is withheld for the sake of an earlier one, unseen. */
static bool is_too_near(const hd_audit *a, const hd_near_pair *p)
{
    const hd_account *earlier = &a->earlier[p->earlier];
    bool is_national = !a->now->is_controlled && !earlier->is_controlled;
    bool is_large = a->now->items[p->cell].profile.people >= NATIONAL_PEOPLE;
    if ((a->now->is_defined && earlier->is_defined) ||
        (is_national && !a->p->compares_national_figures))
        return false;
    /* Rounded figures that only somebody who knows them to go together can compare are audited. */
    return !p->by_profile || (is_national && is_large);
}

static hd_code withhold_for_earlier(hd_audit *a, hd_err *err)
{
    past *before = NULL;
    if (a->n_earlier == 0)
        return HD_OK;
    HD_TRY(collect_past(a, &before, err));
    hd_account *now = a->now;
    for (size_t i = 0; i < now->n_cells * now->n_columns; i++)
        if (now->is_controlled && now->printed[i].is_small && before[i].is_told)
            hide(a, i);
        else if (before[i].left_out && !before[i].shown)
            hide(a, i);
        else if (now->printed[i].is_shown && before[i].withheld && !before[i].shown &&
            !hd_set_is_empty(now->items[i].sum)) {
            withhold(a, i);
            a->n_near++;
        }
    for (size_t i = 0; i < hd_near_n_pairs(a->near); i++) {
        const hd_near_pair *p = hd_near_pair_at(a->near, i);
        if (p->earlier == HD_NEAR_OWN || !now->printed[p->cell].is_shown ||
            before[p->cell].shown || !is_too_near(a, p))
            continue;
        withhold(a, p->cell);
        a->n_near++;
    }
    hd_free(before);
    return HD_OK;
}

/* ---- judging -------------------------------------------------------------------------------- */

/* Whether the exact figure n of the answer would say less when rounded: no release has shown it exactly. */
static bool can_be_rounded(const hd_audit *a, const hd_audit_node *of, int64_t n)
{
    return of->low_before < of->high_before && !hd_rule_withholds(a->p, n, -1);
}

/* What is known of it then. */
static hd_rule_range rounded(const hd_audit *a, const hd_audit_node *of, int64_t n)
{
    hd_rule_range r = hd_rule_range_shown(a->p, hd_rule_round(a->p, n));
    r.low = r.low > of->low_before ? r.low : of->low_before;
    r.high = r.high == HD_RULE_ENDLESS || r.high > of->high_before ? of->high_before : r.high;
    return r;
}

static hd_secondary_cell cell_of(const hd_audit *a, uint32_t id, bool only_earlier)
{
    const hd_audit_node *n = &a->about[id];
    const hd_policy_file *p = a->p;
    bool is_unseen = only_earlier && n->now && !n->shown_before;
    int64_t low = is_unseen ? n->low_before : a->low[id];
    if (n->is_difference && only_earlier)
        low = -HD_NO_BOUND;
    int64_t high = is_unseen ? n->high_before : a->high[id];
    hd_secondary_cell c = {.low = low > n->known_low ? low : n->known_low,
                           .high = high < n->known_high ? high : n->known_high,
                           .coarse_low = 1,
                           .is_protected = n->is_small && !n->is_lost && p->minimum_candidates > 0,
                           .preference = n->preference,
                           .size = a->low[id] > 0 ? a->low[id] : 0};
    /* Prints under several policies can leave a count less than one alone; nothing undoes that. */
    int64_t width = high - low + 1;
    int64_t need = width < p->minimum_candidates ? width : p->minimum_candidates;
    int64_t apart = n->times > 1 ? p->minimum_candidates * n->times - 1 : 0; /* holds as many numbers of people */
    c.need.values = c.is_protected ? (uint32_t)need : 0;
    if (c.is_protected)
        c.need.width = apart < width ? apart : width - 1;
    c.is_withheld = is_unseen || (!n->shown_now && !n->shown_before);
    c.hidden_low = c.low;
    c.hidden_high = c.high;
    if (is_unseen)
        return c;
    if (n->shown_before) { /* nothing takes it back */
        c.hidden_low = 1;
        c.hidden_high = 0;
    } else if (n->shown_now) {
        int64_t least = a->now->is_controlled ? p->withheld_to + 1 : 0;
        c.hidden_low = least > n->known_low ? least : n->known_low;
        c.hidden_high = n->known_high;
    }
    if (n->shown_now && n->is_exact && can_be_rounded(a, n, a->low[id])) {
        hd_rule_range r = rounded(a, n, a->low[id]);
        c.coarse_low = r.low > n->known_low ? r.low : n->known_low;
        c.coarse_high = r.high < n->known_high ? r.high : n->known_high;
    }
    return c;
}

typedef enum view {
    WITH_HELPERS,
    NO_HELPERS,  /* the answer as it is */
    ONLY_EARLIER /* without it */
} view;

static hd_code solve(hd_audit *a, view v, hd_secondary_result *out, hd_err *err)
{
    bool only_earlier = v == ONLY_EARLIER;
    hd_secondary_options options;
    hd_secondary_options_init(&options);
    options.stop = a->stop;
    options.no_helpers = v == NO_HELPERS;
    size_t n = a->system.n_cells;
    hd_secondary_cell *cells = hd_calloc(n + 1, sizeof *cells);
    if (!cells)
        return hd_fail_nomem(err);
    for (uint32_t i = 0; i < n; i++) {
        cells[i] = cell_of(a, a->node_of[i], only_earlier);
        if (only_earlier && !a->about[a->node_of[i]].is_in_doubt) {
            cells[i].is_protected = false;
            cells[i].need = (hd_need){0};
        }
    }
    hd_code rc = hd_secondary(&a->system, cells, &options, out, err);
    hd_wipe_free(cells, (n + 1) * sizeof *cells);
    return rc;
}

static void round_item(hd_audit *a, size_t item)
{
    hd_account *now = a->now;
    hd_printed *p = &now->printed[item];
    int64_t shown = hd_rule_round(a->p, p->low);
    for (size_t g = 0; g < now->n_aggregates; g++)
        if (now->column_of[g] == item % now->n_columns &&
            (now->kind_of[g] == HD_AGG_COUNT || now->kind_of[g] == HD_AGG_COUNT_PERSONS))
            now->values[item / now->n_columns * now->n_aggregates + g] = shown;
    hd_rule_range range = hd_rule_range_shown(a->p, shown);
    p->low = range.low;
    p->high = range.high;
    p->is_exact = false;
}

/* Each item of the answer as the system decided. */
static hd_code apply(hd_audit *a, const hd_secondary_result *r, hd_err *err)
{
    hd_account *now = a->now;
    for (size_t i = 0; i < now->n_cells * now->n_columns; i++) {
        uint32_t id;
        hd_printed *p = &now->printed[i];
        if (hd_set_is_empty(now->items[i].sum) || !p->is_count || p->mark || !p->is_shown)
            continue;
        HD_TRY(hd_audit_node_find(a, now->kinds[i % now->n_columns], now->items[i].sum, &id, err));
        uint32_t in = a->about[id].cell;
        if (in != HD_AUDIT_NONE && r->shown[in] == HD_HELPER)
            withhold(a, i);
        if (in != HD_AUDIT_NONE && r->shown[in] == HD_COARSER)
        round_item(a, i);
    }
    return HD_OK;
}

/* Where totals are the sums of what is shown, a total that was summed with a helper is withheld. */
static void withhold_sums(hd_audit *a)
{
    hd_account *now = a->now;
    for (size_t c = 0; c < now->n_cells && a->p->totals_are_summed; c++) {
        bool has_helper = false;
        for (size_t i = 0; i < now->n_columns; i++)
            has_helper = has_helper ||
                         now->printed[hd_account_at(now, c, i)].mark == a->p->secondary_mark;
        for (size_t t = 0; t < now->n_cells && has_helper; t++) {
            uint32_t told = now->told[t];
            bool above = told != now->told[c] && (told & now->told[c]) == told;
            for (size_t k = 0; k < now->n_keys && above; k++)
                above = !(told >> k & 1) ||
                        now->keys[t * now->n_keys + k] == now->keys[c * now->n_keys + k];
            for (size_t i = 0; i < now->n_columns && above; i++)
                if (now->printed[hd_account_at(now, c, i)].mark == a->p->secondary_mark)
                    withhold(a, hd_account_at(now, t, i));
        }
    }
}

/* That one figure holds another nearly the same is assumed of figures, not of what is withheld. */
static hd_code forget_differences(hd_audit *a, size_t item, hd_err *err)
{
    for (size_t i = 0; i < hd_near_n_pairs(a->near); i++) {
        const hd_near_pair *p = hd_near_pair_at(a->near, i);
        hd_audit_difference d;
        uint32_t few;
        bool is_own = p->earlier == HD_NEAR_OWN && p->other == item;
        if ((p->cell != item && !is_own) || !hd_audit_difference_of(a, p, &d))
            continue;
        HD_TRY(hd_audit_node_find(a, d.kind, d.sum, &few, err));
        if (a->about[few].is_difference)
            a->low[few] = -HD_NO_BOUND;
    }
    return HD_OK;
}

/* What a release has shown is shown again, but no more of it. */
static hd_code level(hd_audit *a, size_t item, uint32_t id, hd_err *err)
{
    size_t twin = twin_of(a->now, item);
    const hd_printed *p = &a->now->printed[item];
    hd_audit_node *n = &a->about[id];
    if (n->shown_before) {
        hd_rule_range r = rounded(a, n, p->low);
        round_item(a, item);
        a->low[id] = r.low;
        a->high[id] = r.high;
        n->is_exact = false;
        return HD_OK;
    }
    withhold(a, item);
    cover(a, item);
    for (size_t i = 0; i < 2 && item != SIZE_MAX; i++, item = twin) {
        HD_TRY(hd_audit_node_find(a, a->now->kinds[item % a->now->n_columns], a->now->items[item].sum, &id, err));
        n = &a->about[id];
        n->shown_now = false;
        a->low[id] = p->low > n->low_before ? p->low : n->low_before;
        a->high[id] = n->high_before;
    }
    return HD_OK;
}

/* How far around an unprotected cell counts are withheld: over sums of so many at most, so many in a row. */
typedef struct ring {
    size_t longest, steps;
} ring;

static const ring rings[] = {{8, 1}, {8, 2}, {64, 1}, {64, 2}, {SIZE_MAX, 1}, {SIZE_MAX, SIZE_MAX}};

enum { N_RINGS = sizeof rings / sizeof *rings };

static void spread(const hd_system *s, const ring *g, bool *is_in, bool *is_next)
{
    bool is_new = true;
    for (size_t step = 0; step < g->steps && is_new; step++) {
        is_new = false;
        memcpy(is_next, is_in, s->n_cells * sizeof *is_in);
        for (size_t k = 0; k < s->n_rules; k++) {
            size_t from = s->start[k], to = s->start[k + 1];
            bool touches = is_in[s->parent[k]];
            for (size_t c = from; c < to && !touches; c++)
                touches = is_in[s->child[c]];
            if (!touches || to - from > g->longest)
                continue;
            is_new |= !is_next[s->parent[k]];
            is_next[s->parent[k]] = true;
            for (size_t c = from; c < to; c++) {
                is_new |= !is_next[s->child[c]];
                is_next[s->child[c]] = true;
            }
        }
        memcpy(is_in, is_next, s->n_cells * sizeof *is_in);
    }
}

/* When no helper is enough: every count of the answer that hangs together with an unprotected cell
 * within the ring is withheld, stars too. */
static hd_code withhold_around(hd_audit *a, const hd_secondary_result *r, const ring *g,
                               size_t *n_withheld, hd_err *err)
{
    const hd_system *s = &r->system;
    hd_account *now = a->now;
    hd_code rc = HD_OK;
    *n_withheld = 0;
    bool *is_bad = hd_calloc(s->n_cells + 1, sizeof *is_bad);
    bool *spare = hd_calloc(s->n_cells + 1, sizeof *spare);
    if (!is_bad || !spare) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < r->n_unprotected; i++)
        is_bad[r->unprotected[i]] = true;
    spread(s, g, is_bad, spare);
    for (size_t i = 0; i < now->n_cells * now->n_columns; i++) {
        uint32_t id;
        const hd_printed *p = &now->printed[i];
        bool is_done = p->mark == a->p->secondary_mark && p->low == 0 && p->high == HD_NO_BOUND;
        if (hd_set_is_empty(now->items[i].sum) || !(p->is_shown || p->is_count) || is_done)
            continue;
        HD_GO(hd_audit_node_find(a, now->kinds[i % now->n_columns], now->items[i].sum, &id, err));
        uint32_t in = a->about[id].cell;
        const hd_audit_node *n = &a->about[id];
        bool is_shown_again = n->shown_before && !(p->is_exact && can_be_rounded(a, n, p->low));
        if (in == HD_AUDIT_NONE || !is_bad[in] || is_shown_again)
            continue;
        HD_GO(forget_differences(a, i, err));
        HD_GO(level(a, i, id, err));
        ++*n_withheld;
    }
out:
    hd_free(is_bad);
    hd_free(spare);
    return rc;
}

/* What the sums of earlier releases alone leave without its values is set aside: nothing here
 * changes that, and to look for helpers for it would be in vain. */
static void set_aside_lost(hd_audit *a)
{
    for (uint32_t i = 0; i < a->system.n_cells && hd_audit_has_past(a); i++) {
        hd_audit_node *n = &a->about[a->node_of[i]];
        const hd_need need = cell_of(a, a->node_of[i], true).need;
        int64_t width = n->known_high - n->known_low;
        n->is_lost = n->is_lost || width + 1 < need.values || width < need.width;
    }
}

/* What is not proven to keep its values in the answer, and is not beside earlier releases alone
 * either, is set aside too: whatever the answer withholds, it is not proven then, and the search for
 * helpers takes longest where none helps. Everything is looked at once. */
static hd_code set_aside_unproven(hd_audit *a, const hd_secondary_result *r, bool *has_lost,
                                  hd_err *err)
{
    hd_secondary_result earlier = {0};
    bool is_new = false;
    *has_lost = false;
    for (size_t i = 0; i < a->n_nodes; i++)
        a->about[i].is_in_doubt = false;
    for (size_t i = 0; i < r->n_unprotected && hd_audit_has_past(a); i++) {
        uint32_t cell = r->unprotected[i];
        hd_audit_node *n = cell < a->system.n_cells ? &a->about[a->node_of[cell]] : NULL;
        if (n && !n->is_tried)
            is_new = n->is_in_doubt = n->is_tried = true;
    }
    if (!is_new)
        return HD_OK;
    HD_TRY(solve(a, ONLY_EARLIER, &earlier, err));
    for (size_t i = 0; i < earlier.n_unprotected; i++)
        if (earlier.unprotected[i] < a->system.n_cells)
            a->about[a->node_of[earlier.unprotected[i]]].is_lost = *has_lost = true;
    hd_secondary_result_free(&earlier);
    return HD_OK;
}

/* Cells without a proof times cells of the system: beyond this no single helpers are looked for. The time
 * they take grows with both, and everything near what is not proven is withheld instead. */
enum { MOST_HELPER_WORK = 200000 };

static hd_code judge_again(hd_audit *a, view v, hd_secondary_result *result, hd_err *err)
{
    hd_secondary_result_free(result);
    return solve(a, v, result, err);
}

/* Most answers need no helper. */
static hd_code protect(hd_audit *a, hd_secondary_result *result, hd_err *err)
{
    bool has_lost;
    HD_TRY(judge_again(a, NO_HELPERS, result, err));
    if (result->n_unprotected == 0)
        return HD_OK;
    HD_TRY(set_aside_unproven(a, result, &has_lost, err));
    if (has_lost)
        HD_TRY(judge_again(a, NO_HELPERS, result, err));
    if (result->n_unprotected == 0)
        return HD_OK;
    if (hd_audit_has_past(a) && result->n_unprotected > MOST_HELPER_WORK / (a->system.n_cells + 1))
        return HD_OK;
    return judge_again(a, WITH_HELPERS, result, err);
}

/* Solve, and while something stays unprotected, withhold more around it. */
static hd_code find_protection(hd_audit *a, hd_secondary_result *result, hd_err *err)
{
    set_aside_lost(a);
    HD_TRY(protect(a, result, err));
    for (size_t g = 0;;) {
        size_t n = 0;
        if (result->n_unprotected == 0)
            return HD_OK;
        do
            HD_TRY(withhold_around(a, result, &rings[g], &n, err));
        while (n == 0 && ++g < N_RINGS);
        if (n == 0)
            break;
        g += g + 1 < N_RINGS;
        a->n_near += hd_audit_has_past(a);
        HD_TRY(protect(a, result, err));
    }
    return hd_fail(err, HD_DENIED,
                   "this answer cannot be protected beside what was released before: ask for fewer "
                   "rows, or for coarser ones");
}

/* Three grouping sets that close a circle ((a,b), (b,c), (a,c)) bind each other through a table that
 * nobody asked for; with it asked too, the sums are all there. */
static hd_code refuse_circles(const hd_audit *a, hd_err *err)
{
    size_t n_open = 0;
    uint32_t finer[HD_ACCOUNT_SETS];
    for (size_t s = 0; s < a->now->n_sets; s++)
        n_open += __builtin_popcount(a->now->sets[s]) >= 2 &&
                  hd_margin_finer(a->now, a->now->sets[s], finer) == 0;
    if (a->now->is_controlled && n_open > 2)
        return hd_fail(err, HD_DENIED,
                       "%zu grouping sets of several fields with none that holds them all cannot be "
                       "audited together: add the set of all their fields, or ask them one by one",
                       n_open);
    return HD_OK;
}

/* What the answer says together with another figure of the few people that one of the two counts
 * more. It is kept, for the same few may be asked for again beside others. */
static hd_code note_known(hd_audit *a, hd_err *err)
{
    for (size_t i = 0; i < hd_near_n_pairs(a->near); i++) {
        const hd_near_pair *p = hd_near_pair_at(a->near, i);
        hd_audit_difference d;
        if (!p->by_profile || !hd_audit_difference_of(a, p, &d))
            continue;
        const hd_known k = {{d.sum[0], d.sum[1]}, d.whole->low - d.part->high,
                            d.whole->high - d.part->low};
        if (d.whole->is_shown && d.part->is_shown && !d.whole->mark && !d.part->mark)
            HD_TRY(hd_account_know(a->now, &k, err));
    }
    return HD_OK;
}

/* Nothing to audit: no sum binds the counts, or none of them is small. */
static bool is_free(const hd_audit *a)
{
    bool any = false;
    for (uint32_t i = 0; i < a->n_nodes && !any; i++)
        any = a->about[i].is_small;
    return !any || hd_intern_count(a->rules) == 0 || a->p->minimum_candidates == 0;
}

hd_code hd_audit_judge(hd_audit *a, hd_err *err)
{
    hd_code rc;
    hd_secondary_result result = {0};
    hd_buf text;
    hd_buf_init(&text, (size_t)1 << 30);
    a->nodes = hd_intern_new();
    a->rules = hd_intern_new();
    if (!a->nodes || !a->rules) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(refuse_circles(a, err));
    HD_GO(hd_near_compare_own(a->near, err));
    HD_GO(withhold_for_earlier(a, err));
    HD_GO(hd_audit_cross(a, withhold_from_sum, err));
    HD_GO(hd_audit_build(a, err));
    if (is_free(a) && a->n_nodes > HD_AUDIT_WHOLE)
        goto out;
    if (a->system.n_cells > a->limit) {
        rc = hd_fail(err, HD_DENIED,
                     "the audit would hold more counts than policy %s allows (about %lld): ask for "
                     "fewer rows, or leave out totals",
                     a->p->name, (long long)a->p->audited_cells_at_most);
        goto out;
    }
    HD_GO(find_protection(a, &result, err));
    HD_GO(apply(a, &result, err));
    withhold_sums(a);
    HD_GO(hd_certificate_write(&result, &text, NULL, err));
    HD_GO(hd_buf_check(&text, err));
    hd_free(a->now->certificate);
    a->now->certificate = hd_buf_take(&text);
    if (!a->now->certificate)
        rc = hd_fail_nomem(err);
out:
    if (rc == HD_OK)
        rc = note_known(a, err);
    hd_secondary_result_free(&result);
    hd_buf_free(&text);
    return rc;
}
