/* attack.c - programs that play the user: each asks harmless questions and puts the answers
 * together to learn about 1 to 7 people. Each must succeed against the national rule alone, or it
 * tests nothing, and must never succeed against the ledger and the audit.
 *
 *     attack [--populations N] [--first POPULATION] [--only NAME] [--policy NAME]
 *
 * A count is learnt when the printed figures leave fewer than five values for it. An average is
 * learnt when twenty or more pairs of figures give it to the nearest whole number.
 *
 */
#include "world.h"

#include "base/rng.h"
#include "disclosure/system.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES = 5, PADS = 60, PAIRS_NEEDED = 20, HALVES = 16, DRAWS = 6 };

typedef enum outcome { NO_TARGET, KEPT, LEARNT } outcome;

/* ---- what the attacker works with ----------------------------------------------------------- */

static answer one, two;

static bool is_target(int64_t people)
{
    return people >= 1 && people <= world_small();
}

/* Every printed range holds the truth, protected or not. */
static void check_sound(const answer *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->rows[i].truth < a->rows[i].low || a->rows[i].truth > a->rows[i].high ||
            a->rows[i].truth_part < a->rows[i].part_low || a->rows[i].truth_part > a->rows[i].part_high) {
            fprintf(stderr, "a figure says what is not true\n");
            exit(1);
        }
}

static void ask(world *w, question q, answer *out)
{
    world_ask(w, &q, out);
    check_sound(out);
}

/* whole - part, from what is printed. */
static outcome subtract(const row *whole, const row *part, int64_t people)
{
    if (!whole || !part || !is_target(people))
        return NO_TARGET;
    int64_t low = whole->low - (part->high < HD_NO_BOUND ? part->high : whole->low);
    if (whole->high >= HD_NO_BOUND)
        return KEPT;
    int64_t high = whole->high - part->low;
    low = low < 0 ? 0 : low;
    return high - low + 1 < CANDIDATES ? LEARNT : KEPT;
}

/* A withheld row as what is left of the total when the other rows are taken away. */
static outcome complete(const answer *a, const row *total, bool (*part_of)(const row *, int), int of)
{
    int64_t low = 0, high = 0;
    const row *star = NULL;
    for (size_t i = 0; i < a->n; i++) {
        const row *x = &a->rows[i];
        if (!part_of(x, of))
            continue;
        if (!star && x->marks[COUNT] == '*' && is_target(x->truth)) {
            star = x;
            continue;
        }
        low += x->low;
        high = x->high >= HD_NO_BOUND || high >= HD_NO_BOUND ? HD_NO_BOUND : high + x->high;
    }
    if (!star || !total)
        return NO_TARGET;
    int64_t most = total->high >= HD_NO_BOUND ? HD_NO_BOUND : total->high - low;
    int64_t least = high >= HD_NO_BOUND ? 0 : total->low - high;
    most = most > star->high ? star->high : most;
    least = least < star->low ? star->low : least;
    return most - least + 1 < CANDIDATES ? LEARNT : KEPT;
}

static bool any_part(const row *x, int of)
{
    return x->keys[0] >= 0 && of == 0;
}

static bool part_of_region(const row *x, int of)
{
    return x->keys[0] >= 0 && x->keys[0] / 2 == of;
}

/* ---- conditions ----------------------------------------------------------------------------- */

static bool not_rare(const record *r, const int *with)
{
    (void)with;
    return !r->rare;
}

static bool younger(const record *r, const int *with)
{
    return r->age < with[0];
}

static bool earlier(const record *r, const int *with)
{
    return r->year < with[0];
}

static bool other_provider(const record *r, const int *with)
{
    return r->provider != with[0];
}

/* Padding: some ages of some providers, with or without the few. */
static bool padded(const record *r, const int *with)
{
    if (r->rare)
        return with[1];
    return r->provider < 4 && with[0] >> r->age % 16 & 1;
}

/* The first record of each stay; with[0]: of the few too; with[1], of one provider. */
static bool first_of_stay(const record *r, const int *with)
{
    return r->nth == 0 && (with[0] || !r->rare) && (with[1] < 0 || r->provider == with[1]);
}

static bool first_padded(const record *r, const int *with)
{
    return r->nth == 0 && padded(r, with);
}

static int provider_of(const record *r)
{
    return r->provider;
}

static int region_of(const record *r)
{
    return r->region;
}

static int sex_of(const record *r)
{
    return r->sex;
}

/* ---- the attacks ---------------------------------------------------------------------------- */

static int64_t people_between(void)
{
    return one.rows[0].truth_people - two.rows[0].truth_people;
}

static outcome by_filter(world *w)
{
    ask(w, (question){.is_national = true}, &one);
    ask(w, (question){.where = not_rare, .is_national = true}, &two);
    return subtract(&one.rows[0], &two.rows[0], people_between());
}

static outcome by_two_users(world *w)
{
    outcome worst = NO_TARGET;
    ask(w, (question){.keys = {sex_of}, .n_keys = 1, .is_national = true}, &one);
    ask(w, (question){.where = not_rare, .keys = {sex_of}, .n_keys = 1, .is_national = true}, &two);
    for (int sex = 1; sex <= 2; sex++) {
        const row *x = answer_find(&one, sex, -1), *y = answer_find(&two, sex, -1);
        outcome o = x && y ? subtract(x, y, x->truth_people - y->truth_people) : NO_TARGET;
        worst = o > worst ? o : worst;
    }
    return worst;
}

static outcome by_age_band(world *w)
{
    ask(w, (question){.where = younger, .with = {11}, .is_national = true}, &one);
    ask(w, (question){.where = younger, .with = {10}, .is_national = true}, &two);
    return subtract(&one.rows[0], &two.rows[0], people_between());
}

static outcome by_year(world *w)
{
    ask(w, (question){.where = earlier, .with = {YEARS}, .is_national = true}, &one);
    ask(w, (question){.where = earlier, .with = {YEARS - 1}, .is_national = true}, &two);
    return subtract(&one.rows[0], &two.rows[0], people_between());
}

/* England less all providers but one: below national level, so rounded, but England is not. */
static outcome by_provider(world *w)
{
    ask(w, (question){.where = younger, .with = {3}, .keys = {provider_of}, .n_keys = 1}, &one);
    ask(w, (question){.where = younger, .with = {3}, .is_national = true}, &two);
    return complete(&one, &two.rows[0], any_part, 0);
}

static outcome by_provider_left_out(world *w)
{
    ask(w, (question){.is_national = true}, &one);
    ask(w, (question){.where = other_provider, .with = {1}}, &two);
    return subtract(&one.rows[0], &two.rows[0], people_between());
}

static int rare_of(const record *r)
{
    return r->rare;
}

/* England by what tells the few apart, and England by sex: the totals of both are one, asked or not. */
static outcome by_two_margins(world *w)
{
    int64_t low = 0, high = 0;
    ask(w, (question){.keys = {rare_of}, .n_keys = 1, .figures = ONLY_COUNT}, &one);
    const row *few = answer_find(&one, 1, -1);
    if (!few || !is_target(few->truth) || few->marks[COUNT] != '*')
        return NO_TARGET;
    ask(w, (question){.keys = {rare_of}, .n_keys = 1, .is_national = true, .figures = ONLY_COUNT}, &two);
    const row *others = answer_find(&two, 0, -1);
    ask(w, (question){.keys = {sex_of}, .n_keys = 1, .is_national = true, .figures = ONLY_COUNT}, &one);
    if (!others || others->high >= HD_NO_BOUND)
        return KEPT;
    for (size_t i = 0; i < one.n; i++) {
        if (one.rows[i].high >= HD_NO_BOUND)
            return KEPT;
        low += one.rows[i].low - (i == 0 ? others->high : 0);
        high += one.rows[i].high - (i == 0 ? others->low : 0);
    }
    low = low < 1 ? 1 : low;
    high = high > 7 ? 7 : high;
    return high - low + 1 < CANDIDATES ? LEARNT : KEPT;
}

/* Which half of the ages a record is of. */
static unsigned half;

static int half_of(const record *r)
{
    return (int)(half >> r->age & 1);
}

static bool common_of_provider(const record *r, const int *with)
{
    return r->provider == with[0] && !r->rare;
}

static bool sex_of_provider(const record *r, const int *with)
{
    return r->provider == with[0] && r->sex == with[1];
}

static bool has_sex(const record *r, const int *with)
{
    return r->sex == with[1];
}

static bool of_provider(const record *r, const int *with)
{
    return r->provider == with[0];
}

/* Three kinds of the common, and the few; and all but the first of these kinds together. */
static int kind_of(const record *r)
{
    return r->rare ? 3 : r->age % 3;
}

static int zone_of(const record *r)
{
    return kind_of(r) > 0;
}

static bool of_kind(const record *r, const int *with)
{
    return kind_of(r) == with[0];
}

static bool of_zone(const record *r, const int *with)
{
    return zone_of(r) == with[0];
}

/* What so many tables by two halves leave of their total. */
static void halve(world *w, question q, int64_t *low, int64_t *high)
{
    hd_rng rng = hd_rng_stream(7, (uint64_t)q.with[1]);
    q.keys[0] = half_of;
    q.n_keys = 1;
    q.figures = ONLY_COUNT;
    for (int i = 0; i < HALVES; i++) {
        int64_t least = 0, most = 0;
        half = hd_rng_below(&rng, 1u << AGES);
        ask(w, q, &two);
        for (size_t k = 0; k < two.n; k++) {
            least += two.rows[k].low;
            most = two.rows[k].high >= HD_NO_BOUND ? HD_NO_BOUND : most + two.rows[k].high;
        }
        *low = least > *low ? least : *low;
        *high = most < *high ? most : *high;
    }
}

/* Of a star. */
static outcome narrows(int64_t low, int64_t high)
{
    low = low < 1 ? 1 : low;
    high = high > 7 ? 7 : high;
    return high - low + 1 < CANDIDATES ? LEARNT : KEPT;
}

/* A provider by what tells the few apart, and by sex; then the parts of both tables by halves, each many
 * times. Nobody asks for the total of the first two, and no table of halves has it. */
static outcome by_halves_of_parts(world *w)
{
    int64_t low = 0, high = 0;
    question q = {.where = of_provider, .with = {2}, .keys = {rare_of}, .n_keys = 1, .figures = ONLY_COUNT};
    ask(w, q, &one);
    const row *few = answer_find(&one, 1, -1), *others = answer_find(&one, 0, -1);
    if (!few || !others || !is_target(few->truth) || few->marks[COUNT] != '*')
        return NO_TARGET;
    int64_t from = others->low, to = others->high;
    halve(w, (question){.where = common_of_provider, .with = {2}}, &from, &to);
    q.keys[0] = sex_of;
    ask(w, q, &one);
    for (size_t i = 0; i < one.n; i++) {
        int64_t least = one.rows[i].low, most = one.rows[i].high;
        halve(w, (question){.where = sex_of_provider, .with = {2, one.rows[i].keys[0]}}, &least, &most);
        low += least;
        high += most;
    }
    return narrows(low - to, high - from);
}

/* A table with a column of those who are like this, and then all who are not: each row of those is what is left
 * of the total when the most of the others is taken away. */
static outcome by_what_a_filter_leaves_out(world *w)
{
    enum { MOST = 300 };
    outcome worst = NO_TARGET;
    int64_t most[MOST], sum = 0;
    question q = {.where = of_provider, .with = {2, 1}, .keys = {zone_of}, .n_keys = 1,
                  .filter = has_sex, .figures = ONLY_COUNT};
    ask(w, q, &one);
    for (size_t i = 0; i < one.n; i++) {
        const row *x = &one.rows[i];
        if (x->high >= HD_NO_BOUND)
            return NO_TARGET;
        most[i] = x->high - x->part_low;
        sum += most[i];
    }
    q = (question){.where = sex_of_provider, .with = {2, 2}, .figures = ONLY_COUNT};
    ask(w, q, &two);
    for (size_t i = 0; i < one.n; i++) {
        const row *x = &one.rows[i];
        int64_t least = x->low - x->part_high, need = two.rows[0].low - (sum - most[i]);
        if (!is_target(x->truth - x->truth_part))
            continue;
        least = least < 0 ? 0 : least;
        int64_t width = x->high - x->low + 1; /* a mark may have fewer values by itself */
        outcome o = most[i] - (need > least ? need : least) + 1 < (width < CANDIDATES ? width : CANDIDATES)
                        ? LEARNT
                        : KEPT;
        worst = o > worst ? o : worst;
    }
    return worst;
}

static bool year_of_provider(const record *r, const int *with)
{
    return r->provider == with[0] && r->year == with[1];
}

/* Fewer values than are left to a count; a mark may have fewer by itself. */
static bool is_narrower(const row *x, int64_t low, int64_t high)
{
    int64_t width = x->high - x->low + 1;
    return high - low + 1 < (width < CANDIDATES ? width : CANDIDATES);
}

/* By provider; then the years of one of them, one by one, but the last: what they have at least, the provider has,
 * and what it has beside the least of the others is the most that a year can have. */
static outcome by_parts_one_by_one(world *w)
{
    enum { PROVIDER = 1, YEAR };
    outcome worst = NO_TARGET;
    question q = {.keys = {provider_of}, .n_keys = 1, .key_columns = {PROVIDER}, .figures = ONLY_COUNT};
    ask(w, q, &one);
    for (size_t i = 0; i < one.n; i++) {
        row whole = one.rows[i], parts[YEARS - 1];
        int64_t least = 0;
        int provider = whole.keys[0];
        for (int y = 0; y < YEARS - 1; y++) {
            q = (question){.where = year_of_provider, .with = {provider, y},
                           .says = {{PROVIDER, provider, 0}, {YEAR, y, 0}}, .figures = ONLY_COUNT};
            ask(w, q, &two);
            parts[y] = two.rows[0];
            least += parts[y].low;
        }
        int64_t low = least > whole.low ? least : whole.low;
        if (is_target(whole.truth) && whole.marks[COUNT] == '*')
            worst = is_narrower(&whole, low, whole.high) ? LEARNT : worst == NO_TARGET ? KEPT : worst;
        for (int y = 0; y < YEARS - 1 && whole.high < HD_NO_BOUND; y++) {
            int64_t most = whole.high - (least - parts[y].low);
            most = most > parts[y].high ? parts[y].high : most;
            if (is_target(parts[y].truth) && parts[y].marks[COUNT] == '*')
                worst = is_narrower(&parts[y], parts[y].low, most) ? LEARNT
                        : worst == NO_TARGET                       ? KEPT
                                                                   : worst;
        }
    }
    return worst;
}

static bool two_each(const record *r, const int *with)
{
    return r->of == 2 && r->region == with[0];
}

/* Records of people who have two each, in a region and its two providers: half of each number is a number of
 * people, and the one provider is what is left of the region. */
static outcome by_records_of_two_each(world *w)
{
    enum { PROVIDER = 1, REGION, EVENTS };
    outcome worst = NO_TARGET;
    for (int region = 0; region < REGIONS; region++) {
        ask(w, (question){.where = two_each, .with = {region}, .keys = {provider_of}, .n_keys = 1, .has_total = true,
                          .says = {{EVENTS, 2, 2}, {REGION, region, 0}}, .key_columns = {PROVIDER}, .counts_events = true, .figures = ONLY_COUNT}, &one);
        const row *total = answer_find(&one, -1, -1);
        for (int i = 0; i < 2; i++) {
            const row *star = answer_find(&one, 2 * region + i, -1), *other = answer_find(&one, 2 * region + !i, -1);
            if (!total || !other || !star || star->marks[COUNT] != '*' || !is_target(star->truth_people))
                continue;
            int64_t low = 1, high = world_small();
            int64_t most = total->high / 2 - (other->low + 1) / 2, least = (total->low + 1) / 2 - other->high / 2;
            high = total->high < HD_NO_BOUND && most < high ? most : high;
            low = other->high < HD_NO_BOUND && least > low ? least : low;
            worst = high - low + 1 < (world_small() < CANDIDATES ? world_small() : CANDIDATES) ? LEARNT
                    : worst == NO_TARGET                                                       ? KEPT
                                                                                               : worst;
        }
    }
    return worst;
}

static bool few_or_kind(const record *r, const int *with)
{
    return kind_of(r) == 3 || kind_of(r) == with[0];
}

/* By kind; then England's exact figures of the few with one kind, by sex: together they are two rows of the
 * first table, and nobody asked for that total. */
static outcome by_rows_of_total(world *w)
{
    int64_t low = 0, high = 0;
    ask(w, (question){.keys = {kind_of}, .n_keys = 1, .figures = ONLY_COUNT}, &one);
    const row *few = answer_find(&one, 3, -1), *other = answer_find(&one, 1, -1);
    if (!few || !other || !is_target(few->truth) || few->marks[COUNT] != '*')
        return NO_TARGET;
    ask(w, (question){.where = few_or_kind, .with = {1}, .keys = {sex_of}, .n_keys = 1, .is_national = true,
                      .figures = ONLY_COUNT}, &two);
    for (size_t i = 0; i < two.n; i++) {
        low += two.rows[i].low;
        high = two.rows[i].high >= HD_NO_BOUND ? HD_NO_BOUND : high + two.rows[i].high;
    }
    return narrows(low - other->high, high - other->low);
}

/* By kind and by zone; then the kinds beside the few, and their zone, by halves. */
static outcome by_halves_of_zones(world *w)
{
    answer kinds;
    question q = {.keys = {kind_of}, .n_keys = 1, .figures = ONLY_COUNT};
    ask(w, q, &kinds);
    q.keys[0] = zone_of;
    ask(w, q, &one);
    const row *few = answer_find(&kinds, 3, -1), *zone = answer_find(&one, 1, -1);
    if (!few || !zone || !is_target(few->truth) || few->marks[COUNT] != '*')
        return NO_TARGET;
    int64_t low = zone->low, high = zone->high;
    halve(w, (question){.where = of_zone, .with = {1}}, &low, &high);
    for (int kind = 1; kind < 3; kind++) {
        const row *x = answer_find(&kinds, kind, -1);
        int64_t least = x ? x->low : 0, most = x ? x->high : HD_NO_BOUND;
        halve(w, (question){.where = of_kind, .with = {kind}}, &least, &most);
        low -= most;
        high -= least;
    }
    return narrows(low, high);
}

static outcome by_geography(world *w)
{
    outcome worst = NO_TARGET;
    ask(w, (question){.keys = {region_of}, .n_keys = 1}, &one);
    ask(w, (question){.keys = {provider_of}, .n_keys = 1}, &two);
    for (int region = 0; region < REGIONS; region++) {
        outcome o = complete(&two, answer_find(&one, region, -1), part_of_region, region);
        worst = o > worst ? o : worst;
    }
    return worst;
}

static outcome within_one_answer(world *w)
{
    outcome worst = NO_TARGET;
    ask(w, (question){.keys = {region_of, provider_of}, .n_keys = 2, .has_total = true}, &one);
    for (int region = 0; region < REGIONS; region++) {
        answer parts = {.n = 0};
        for (size_t i = 0; i < one.n; i++)
            if (one.rows[i].keys[0] == region && one.rows[i].keys[1] >= 0) {
                parts.rows[parts.n] = one.rows[i];
                parts.rows[parts.n++].keys[0] = one.rows[i].keys[1];
            }
        outcome o = complete(&parts, answer_find(&one, region, -1), part_of_region, region);
        worst = o > worst ? o : worst;
    }
    return worst;
}

static outcome by_data_version(world *w)
{
    w->version = 1;
    ask(w, (question){.is_national = true}, &one);
    answer late = one;
    world_free(w); /* the ledger as it was when the first version was asked */
    w->version = 0;
    ask(w, (question){.is_national = true}, &two);
    w->version = 1;
    ask(w, (question){.is_national = true}, &one);
    w->version = 0;
    return subtract(&one.rows[0], &two.rows[0],
                    late.rows[0].truth_people - two.rows[0].truth_people);
}

/* The stays of the few: sum of all less sum of the others. */
static outcome by_means(world *w)
{
    ask(w, (question){.is_national = true}, &one);
    ask(w, (question){.where = not_rare, .is_national = true}, &two);
    if (!is_target(people_between()))
        return NO_TARGET;
    const row *x = &one.rows[0], *y = &two.rows[0];
    bool knows = !x->marks[MEAN] && !y->marks[MEAN] && x->low == x->high && y->low == y->high;
    return knows ? LEARNT : KEPT;
}

static bool has_chosen_stay(const record *r, const int *with)
{
    return r->stay == 0 || r->stay == with[0];
}

/* The mean of two values that a condition chose says how many have the larger one. */
static outcome by_chosen_values(world *w)
{
    enum { LONG = STAYS - 1 };
    int fits = 0;
    int64_t people = 0;
    uint32_t last = 0;
    for (size_t i = 0; i < w->n; i++) {
        people += w->records[i].stay == LONG && w->records[i].version == 0 &&
                  w->records[i].person != last;
        last = w->records[i].stay == LONG ? w->records[i].person : last;
    }
    ask(w, (question){.where = has_chosen_stay, .with = {LONG}}, &one);
    const row *x = &one.rows[0];
    if (!is_target(people) || x->marks[COUNT])
        return NO_TARGET;
    for (int k = 1; k <= 2 * MOST_RECORDS; k++)
        for (int64_t n = x->low; n <= x->high; n++)
            fits += fabs((double)LONG * k / (double)n - x->figures[MEAN]) < 1e-6;
    return !x->marks[MEAN] && fits == 1 ? LEARNT : KEPT;
}

static outcome by_rest(world *w, int figure)
{
    ask(w, (question){.is_national = true}, &one);
    ask(w, (question){.where = not_rare, .is_national = true}, &two);
    if (!is_target(people_between()))
        return NO_TARGET;
    return !one.rows[0].marks[figure] && !two.rows[0].marks[figure] ? LEARNT : KEPT;
}

static outcome by_percentiles(world *w)
{
    return by_rest(w, MEDIAN);
}

/* Records a head of all and of the others: the people among the few. */
static outcome by_ratios(world *w)
{
    return by_rest(w, PEOPLE);
}

static outcome by_averaging(world *w)
{
    double sum = 0, truth = 0;
    int n = 0;
    hd_rng rng = hd_rng_stream(w->n, 99);
    for (int i = 0; i < PADS; i++) {
        int mask = (int)hd_rng_below(&rng, 1 << 16) | 1;
        ask(w, (question){.where = padded, .with = {mask, 0}}, &one);
        ask(w, (question){.where = padded, .with = {mask, 1}}, &two);
        const row *x = &one.rows[0], *y = &two.rows[0];
        truth = (double)(y->truth - x->truth);
        if (!is_target(y->truth_people - x->truth_people))
            return NO_TARGET;
        if (x->marks[COUNT] || y->marks[COUNT])
            continue;
        sum += y->figures[COUNT] - x->figures[COUNT];
        n++;
    }
    return n >= PAIRS_NEEDED && fabs(sum / n - truth) < 0.5 ? LEARNT : KEPT;
}

/* The few, with[1], and those of the ages in with[0]. */
static bool few_and_ages(const record *r, const int *with)
{
    return r->rare ? with[1] : with[0] >> r->age % 16 & 1;
}

static int64_t divided_up(int64_t x, int64_t by)
{
    return x >= 0 ? (x + by - 1) / by : -(-x / by);
}

static int64_t divided_down(int64_t x, int64_t by)
{
    return -divided_up(-x, by);
}

/* Groups that nobody is in twice, each together with the few, less all groups together: no two
 * of these are near each other, and the few are left as often as there are groups. knows_star:
 * asks for the few as well. */
static outcome by_groups(world *w, int n_groups, bool knows_star, bool together_first)
{
    int64_t low = 0, high = 0, truth;
    const question all = {.where = few_and_ages, .with = {(1 << n_groups) - 1, 0}, .figures = ONLY_COUNT};
    ask(w, (question){.where = few_and_ages, .with = {0, 1}, .figures = ONLY_COUNT}, &two);
    truth = two.rows[0].truth;
    if (!is_target(two.rows[0].truth_people) || !is_target(truth))
        return NO_TARGET;
    int64_t least = two.rows[0].low, most = two.rows[0].high;
    if (!knows_star) {
        w->n_asked = 0;
        hd_account_free(&w->asked[0]);
        least = 0;
        most = HD_NO_BOUND;
    }
    if (together_first)
        ask(w, all, &two);
    for (int g = 0; g < n_groups; g++) {
        ask(w, (question){.where = few_and_ages, .with = {1 << g, 1}, .figures = ONLY_COUNT}, &one);
        if (one.rows[0].high >= HD_NO_BOUND)
            return KEPT;
        low += one.rows[0].low;
        high += one.rows[0].high;
    }
    if (!together_first)
        ask(w, all, &two);
    if (two.rows[0].high >= HD_NO_BOUND)
        return KEPT;
    low = divided_up(low - two.rows[0].high, n_groups);
    high = divided_down(high - two.rows[0].low, n_groups);
    low = low > least ? low : least;
    high = high < most ? high : most;
    return high - low + 1 < CANDIDATES ? LEARNT : KEPT;
}

static outcome by_many_groups(world *w)
{
    return by_groups(w, 15, true, false);
}

static outcome by_sixteen_groups(world *w)
{
    return by_groups(w, 16, true, true);
}

static outcome by_groups_and_unknown_few(world *w)
{
    return by_groups(w, 13, false, w->n % 2);
}

/* Two groups with the few and both without: twice the few, for many pairs of groups. */
static int age_of(const record *r)
{
    return r->age % 16;
}

/* England's exact figures of groups in one table; then the few with two of these groups, ever others, and
 * in the end the few. */
static outcome by_exact_groups(world *w)
{
    int64_t low = 0, high = HD_NO_BOUND;
    answer ages;
    hd_rng rng = hd_rng_stream(11, w->n);
    ask(w, (question){.where = not_rare, .keys = {age_of}, .n_keys = 1, .is_national = true,
                      .figures = ONLY_COUNT}, &ages);
    for (int i = 0; i < DRAWS; i++) {
        int a = (int)hd_rng_below(&rng, 16), b = (a + 1 + (int)hd_rng_below(&rng, 15)) % 16;
        const row *x = answer_find(&ages, a, -1), *y = answer_find(&ages, b, -1);
        if (!x || !y || x->high >= HD_NO_BOUND || y->high >= HD_NO_BOUND)
            continue;
        ask(w, (question){.where = few_and_ages, .with = {1 << a | 1 << b, 1}, .figures = ONLY_COUNT}, &one);
        if (!is_target(one.rows[0].truth - x->truth - y->truth))
            return NO_TARGET;
        int64_t least = one.rows[0].low - x->high - y->high, most = one.rows[0].high - x->low - y->low;
        low = least > low ? least : low;
        high = most < high ? most : high;
    }
    ask(w, (question){.where = few_and_ages, .with = {0, 1}, .figures = ONLY_COUNT}, &two);
    low = two.rows[0].low > low ? two.rows[0].low : low;
    high = two.rows[0].high < high ? two.rows[0].high : high;
    return high - low + 1 < CANDIDATES ? LEARNT : KEPT;
}

static outcome by_pairs_of_groups(world *w)
{
    enum { PAIRS = 14 };
    hd_rng rng = hd_rng_stream(w->n, 97);
    ask(w, (question){.where = few_and_ages, .with = {0, 1}, .figures = ONLY_COUNT}, &two);
    if (!is_target(two.rows[0].truth_people) || !is_target(two.rows[0].truth))
        return NO_TARGET;
    int64_t low = two.rows[0].low, high = two.rows[0].high;
    for (int i = 0; i < PAIRS; i++) {
        int a = (int)hd_rng_below(&rng, 1 << 16), b = (int)hd_rng_below(&rng, 1 << 16) & ~a;
        int64_t l = 0, h = 0;
        bool is_whole = true;
        for (int k = 0; k < 3; k++) {
            ask(w, (question){.where = few_and_ages, .with = {k == 0 ? a : k == 1 ? b : a | b, k < 2},
                              .figures = ONLY_COUNT}, &one);
            const row *x = &one.rows[0];
            is_whole = is_whole && x->high < HD_NO_BOUND;
            l += k < 2 ? x->low : -x->high;
            h += k < 2 ? x->high : -x->low;
        }
        if (!is_whole)
            continue;
        low = divided_up(l, 2) > low ? divided_up(l, 2) : low;
        high = divided_down(h, 2) < high ? divided_down(h, 2) : high;
    }
    return high - low + 1 < CANDIDATES ? LEARNT : KEPT;
}

/* What a sum of rounded figures leaves of the few: figures with factors are taken one by one. */
typedef struct bound {
    int64_t low, high;        /* of the few, from all sums so far */
    int64_t sum_low, sum_high; /* of the sum that is being made */
    bool is_whole;
} bound;

static void begin_sum(bound *b)
{
    b->sum_low = b->sum_high = 0;
    b->is_whole = true;
}

static void add_figure(bound *b, world *w, question q, int factor)
{
    ask(w, q, &one);
    const row *x = q.n_keys ? answer_find(&one, 1, -1) : &one.rows[0];
    b->is_whole = b->is_whole && x && x->high < HD_NO_BOUND;
    if (!b->is_whole)
        return;
    b->sum_low += factor * (factor > 0 ? x->low : x->high);
    b->sum_high += factor * (factor > 0 ? x->high : x->low);
}

static void end_sum(bound *b, int times)
{
    int64_t low = divided_up(b->sum_low, times), high = divided_down(b->sum_high, times);
    if (!b->is_whole)
        return;
    b->low = low > b->low ? low : b->low;
    b->high = high < b->high ? high : b->high;
}

static outcome end_bound(const bound *b)
{
    return b->high - b->low + 1 < CANDIDATES ? LEARNT : KEPT;
}

/* The star of the few; false: they are no target. */
static bool begin_bound(bound *b, world *w, question few)
{
    ask(w, few, &two);
    const row *x = few.n_keys ? answer_find(&two, 1, -1) : &two.rows[0];
    if (!x || !is_target(x->truth_people) || !is_target(x->truth))
        return false;
    *b = (bound){.low = x->low, .high = x->high};
    return true;
}

static question few_with(int ages, bool with_few)
{
    return (question){.where = few_and_ages, .with = {ages, with_few}, .figures = ONLY_COUNT};
}

/* Disjoint groups of ages. */
static void draw_groups(hd_rng *rng, int *groups, int n)
{
    for (int g = 0; g < n; g++)
        groups[g] = 0;
    for (int age = 0; age < 16; age++)
        groups[hd_rng_below(rng, (uint32_t)n)] |= 1 << age;
}

/* A figure of a sum: groups A to D of ages, by their bits, with the few or without. */
typedef struct term {
    unsigned groups;
    bool with_few;
    int factor;
} term;

enum { A = 1, B = 2, C = 4, D = 8 };

/* The same sum of groups that are drawn anew, n times: it leaves the few so many times. */
static outcome by_sums(world *w, uint64_t stream, int n, const term *terms, size_t n_terms, int times)
{
    hd_rng rng = hd_rng_stream(w->n, stream);
    bound b;
    int g[4];
    if (!begin_bound(&b, w, few_with(0, true)))
        return NO_TARGET;
    for (int i = 0; i < n; i++) {
        draw_groups(&rng, g, 4);
        begin_sum(&b);
        for (size_t t = 0; t < n_terms; t++) {
            int ages = 0;
            for (unsigned k = 0; k < 4; k++)
                ages |= terms[t].groups >> k & 1 ? g[k] : 0;
            add_figure(&b, w, few_with(ages, terms[t].with_few), terms[t].factor);
        }
        end_sum(&b, times);
    }
    return end_bound(&b);
}

/* Three groups two by two, each pair with the few, less twice all three. */
static outcome by_triples(world *w)
{
    static const term terms[] = {{A | B, true, 1}, {B | C, true, 1}, {C | A, true, 1},
                                 {A | B | C, false, -2}};
    return by_sums(w, 96, 14, terms, 4, 3);
}

/* One group with each of three others and the few, less three times the one and once the three. */
static outcome by_three_times_one(world *w)
{
    static const term terms[] = {{A | B, true, 1}, {A | C, true, 1}, {A | D, true, 1},
                                 {A, false, -3}, {B | C | D, false, -1}};
    return by_sums(w, 91, 16, terms, 5, 3);
}

static bool few_and_ages_of_sex(const record *r, const int *with)
{
    return r->sex == 1 && few_and_ages(r, with);
}

/* The same people as a row of a table by sex, and by a condition on sex. */
static question of_one_sex(int ages, bool with_few, bool by_key)
{
    question q = few_with(ages, with_few);
    if (by_key) {
        q.keys[0] = sex_of;
        q.n_keys = 1;
    } else {
        q.where = few_and_ages_of_sex;
    }
    return q;
}

static outcome by_key_and_condition(world *w)
{
    enum { PAIRS = 14 };
    hd_rng rng = hd_rng_stream(w->n, 94);
    bound b;
    if (!begin_bound(&b, w, of_one_sex(0, true, false)))
        return NO_TARGET;
    for (int i = 0; i < PAIRS; i++) {
        int x = (int)hd_rng_below(&rng, 1 << 16), y = (int)hd_rng_below(&rng, 1 << 16) & ~x;
        begin_sum(&b);
        add_figure(&b, w, of_one_sex(x, true, i % 2), 1);
        add_figure(&b, w, of_one_sex(y, true, i % 2 == 0), 1);
        add_figure(&b, w, of_one_sex(x | y, false, i % 3 == 0), -1);
        end_sum(&b, 2);
    }
    return end_bound(&b);
}

/* Two large groups that differ by far, each with and without a third; the few with one of these. */
static outcome by_four_sets(world *w)
{
    static const term terms[] = {{A | C, true, 1}, {B | C, false, -1}, {A, false, -1}, {B, false, 1}};
    return by_sums(w, 93, 16, terms, 4, 1);
}

static bool first_few_and_ages(const record *r, const int *with)
{
    return r->nth == 0 && few_and_ages(r, with);
}

/* Stays, their first records, and people: as many of each. */
static question of_any_kind(int ages, bool with_few, int kind)
{
    question q = few_with(ages, with_few);
    q.of_stays = kind != 1;
    q.figures = kind == 2 ? ONLY_PEOPLE : ONLY_COUNT;
    if (kind == 1)
        q.where = first_few_and_ages;
    return q;
}

/* Pairs of groups, counted now as stays, now as the other kind. */
static outcome pairs_of_kinds(world *w, int kinds)
{
    enum { PAIRS = 14 };
    hd_rng rng = hd_rng_stream(w->n, 92);
    bound b;
    if (!begin_bound(&b, w, of_any_kind(0, true, 0)))
        return NO_TARGET;
    for (int i = 0; i < PAIRS; i++) {
        int x = (int)hd_rng_below(&rng, 1 << 16), y = (int)hd_rng_below(&rng, 1 << 16) & ~x;
        begin_sum(&b);
        add_figure(&b, w, of_any_kind(x, true, i % 2 * kinds), 1);
        add_figure(&b, w, of_any_kind(y, true, (i + 1) % 2 * kinds), 1);
        add_figure(&b, w, of_any_kind(x | y, false, i % 3 == 0 ? kinds : 0), -1);
        end_sum(&b, 2);
    }
    return end_bound(&b);
}

static outcome by_pairs_of_tables(world *w)
{
    return pairs_of_kinds(w, 1);
}

static outcome by_pairs_of_records_and_people(world *w)
{
    return pairs_of_kinds(w, 2);
}

/* A few withdraw: a later version of the data is without them. */
static outcome by_withdrawal(world *w)
{
    w->version = 1;
    ask(w, (question){.is_national = true}, &one);
    w->version = 0;
    ask(w, (question){.is_national = true}, &two);
    return subtract(&one.rows[0], &two.rows[0], people_between());
}

/* Stays, less the first records of the stays of others: two tables, one people behind them. */
static outcome by_two_tables(world *w)
{
    const question few = {.where = first_of_stay, .with = {0, -1}, .is_national = true, .figures = ONLY_COUNT};
    ask(w, (question){.is_national = true, .of_stays = true, .figures = ONLY_COUNT}, &one);
    ask(w, few, &two);
    return subtract(&one.rows[0], &two.rows[0], people_between());
}

/* In a table of one record a head the number of records is that of people. */
/* Stays of a few ages by sex, and how many people they are of: as many, for nobody has two. */
static outcome by_rows_and_people(world *w)
{
    question q = {.where = younger, .with = {1}, .keys = {sex_of}, .n_keys = 1, .of_stays = true,
                  .figures = ONLY_COUNT};
    ask(w, q, &one);
    q.n_keys = 0;
    q.figures = ONLY_PEOPLE;
    ask(w, q, &two);
    outcome o = complete(&one, &two.rows[0], any_part, 0);
    return one.n == 2 ? o : NO_TARGET;
}

static outcome by_records_and_people(world *w)
{
    ask(w, (question){.is_national = true, .of_stays = true, .figures = ONLY_COUNT}, &one);
    ask(w, (question){.where = not_rare, .is_national = true, .of_stays = true, .figures = ONLY_PEOPLE}, &two);
    return subtract(&one.rows[0], &two.rows[0], people_between());
}

/* Rounded figures of two tables: what each pair leaves possible of the few, put together. */
static outcome by_pads_of_two_tables(world *w)
{
    hd_rng rng = hd_rng_stream(w->n, 98);
    int64_t low = 0, high = HD_NO_BOUND;
    for (int i = 0; i < PADS; i++) {
        int mask = (int)hd_rng_below(&rng, 1 << 16) | 1;
        ask(w, (question){.where = padded, .with = {mask, 1}, .of_stays = true, .figures = ONLY_COUNT}, &one);
        ask(w, (question){.where = first_padded, .with = {mask, 0}, .figures = ONLY_COUNT}, &two);
        const row *x = &one.rows[0], *y = &two.rows[0];
        if (!is_target(people_between()))
            return NO_TARGET;
        if (x->high >= HD_NO_BOUND || y->high >= HD_NO_BOUND)
            continue;
        low = x->low - y->high > low ? x->low - y->high : low;
        high = x->high - y->low < high ? x->high - y->low : high;
    }
    return high - low + 1 < CANDIDATES ? LEARNT : KEPT;
}

/* What one table withholds for the sake of others, the other table is asked for. */
static outcome by_helpers_of_two_tables(world *w)
{
    outcome worst = NO_TARGET;
    ask(w, (question){.keys = {region_of, provider_of}, .n_keys = 2, .has_total = true, .of_stays = true,
                      .figures = ONLY_COUNT}, &one);
    for (int region = 0; region < REGIONS; region++) {
        answer parts = {.n = 0};
        for (size_t i = 0; i < one.n; i++) {
            row x = one.rows[i];
            if (x.keys[0] != region || x.keys[1] < 0)
                continue;
            if (x.marks[COUNT] == ':') {
                ask(w, (question){.where = first_of_stay, .with = {1, x.keys[1]}, .figures = ONLY_COUNT}, &two);
                if (two.rows[0].marks[COUNT] == 0) {
                    x.low = two.rows[0].low;
                    x.high = two.rows[0].high;
                }
            }
            x.keys[0] = x.keys[1];
            parts.rows[parts.n++] = x;
        }
        outcome o = complete(&parts, answer_find(&one, region, -1), part_of_region, region);
        worst = o > worst ? o : worst;
    }
    return worst;
}

typedef struct attack {
    const char *name;
    outcome (*run)(world *w);
    size_t most_people;
    unsigned every; /* every so many populations: some attacks ask a lot */
    bool needs_nearest; /* nine values behind each figure, not five, are too many for it */
    unsigned times; /* so many times as many populations, of what is quick and seldom succeeds; 0: 1 */
} attack;

static const attack attacks[] = {
    {"padding and averaging", by_averaging, 300, 50},
    {"groups with the few, and all groups", by_many_groups, 300, 4, .times = 10},
    {"the same, sixteen of them", by_sixteen_groups, 300, 4, .times = 10},
    {"the same, the few not asked for", by_groups_and_unknown_few, 300, 4, true, 10},
    {"exact groups two by two, with the few", by_exact_groups, 300, 1},
    {"pairs of groups with the few", by_pairs_of_groups, 300, 8},
    {"three groups two by two, with the few", by_triples, 300, 8},
    {"one group with three others, with the few", by_three_times_one, 300, 8},
    {"rows of a table and conditions", by_key_and_condition, 300, 8},
    {"four sets, the few in one", by_four_sets, 300, 8, true},
    {"pairs of groups, of two tables", by_pairs_of_tables, 300, 8},
    {"pairs of groups, records and people", by_pairs_of_records_and_people, 300, 8},
    {"a few withdraw", by_withdrawal, 300, 1},
    {"differencing by filter", by_filter, 300, 1},
    {"differencing by age band", by_age_band, 100, 1},
    {"differencing by year", by_year, 60, 1},
    {"differencing by provider: completing a table", by_provider, 80, 1},
    {"differencing by provider: leaving one out", by_provider_left_out, 30, 1},
    {"two tables whose total nobody asked for", by_two_margins, 300, 1},
    {"two rows that are a total nobody asked for", by_rows_of_total, 300, 1},
    {"what a filter leaves out", by_what_a_filter_leaves_out, 150, 1, .times = 10},
    {"records of people who have two each", by_records_of_two_each, 200, 1},
    {"parts asked for one by one", by_parts_one_by_one, 80, 2},
    {"parts of two tables, by halves", by_halves_of_parts, 300, 16},
    {"parts of a geography, by halves", by_halves_of_zones, 300, 16},
    {"differencing by geography", by_geography, 80, 1},
    {"completing a table with its own totals", within_one_answer, 80, 1},
    {"differencing by data version", by_data_version, 300, 1},
    {"two users together", by_two_users, 300, 1},
    {"sums of means", by_means, 300, 1},
    {"means of chosen values", by_chosen_values, 300, 1},
    {"percentiles", by_percentiles, 300, 1},
    {"ratios", by_ratios, 300, 1},
    {"two tables: leaving a few out", by_two_tables, 300, 1},
    {"two tables: padding", by_pads_of_two_tables, 300, 10},
    {"two tables: what one of them withholds", by_helpers_of_two_tables, 80, 1},
    {"rows of records and all people", by_rows_and_people, 300, 1},
    {"records and people", by_records_and_people, 300, 1},
};

/* ---- running -------------------------------------------------------------------------------- */

typedef struct score {
    unsigned targets, learnt, last; /* last: population in which something was learnt */
} score;

static score run(const attack *a, bool is_protected, unsigned first, unsigned end)
{
    static world w;
    score s = {0};
    for (unsigned i = (first + a->every - 1) / a->every * a->every; i < end; i += a->every) {
        hd_rng rng = hd_rng_stream(20181, i);
        size_t people = a->most_people / 2 + hd_rng_below(&rng, (uint32_t)a->most_people / 2);
        world_make(&w, i, people);
        w.is_protected = is_protected;
        outcome o = a->run(&w);
        s.targets += o != NO_TARGET;
        s.learnt += o == LEARNT;
        s.last = o == LEARNT ? i : s.last;
        world_free(&w);
    }
    return s;
}

int main(int argc, char **argv)
{
    unsigned populations = 200, first = 0;
    int failed = 0;
    const char *only = "", *policy = "hes2018";
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--populations") == 0)
            populations = (unsigned)strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--first") == 0)
            first = (unsigned)strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--only") == 0)
            only = argv[i + 1];
        if (strcmp(argv[i], "--policy") == 0)
            policy = argv[i + 1];
    }
    bool is_nearest = world_open(policy);
    printf("%-46s %8s %16s %10s\n", "", "targets", "learnt without", "learnt with");
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        if (!strstr(attacks[i].name, only))
            continue;
        unsigned end = first + populations * (attacks[i].times ? attacks[i].times : 1);
        score off = run(&attacks[i], false, first, end), on = run(&attacks[i], true, first, end);
        printf("%-46s %8u %16u %10u\n", attacks[i].name, off.targets, off.learnt, on.learnt);
        bool must_work = is_nearest || !attacks[i].needs_nearest;
        if ((off.learnt == 0 && must_work) || on.learnt > 0) {
            if (on.learnt)
                printf("  FAILED: the protection was broken, the last time in population %u\n", on.last);
            else
                printf("  FAILED: the attack does not work\n");
            failed++;
        }
    }
    world_close();
    return failed ? 1 : 0;
}
