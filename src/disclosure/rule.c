/* rule.c - see rule.h. All arithmetic is on whole numbers and cannot overflow: what would pass
 * INT64_MAX stays as it is. */
#include "disclosure/rule.h"

#include "catalogue/yaml.h"

static bool is_withheld_count(const hd_policy_file *p, int64_t n)
{
    return n >= p->withheld_from && n <= p->withheld_to;
}

bool hd_rule_is_small(const hd_policy_file *p, int64_t records, int64_t persons)
{
    if (records == 0)
        return false;
    return is_withheld_count(p, records) || (persons >= 0 && persons < p->minimum_persons) ||
           (persons < 0 && records < p->minimum_persons);
}

bool hd_rule_withholds(const hd_policy_file *p, int64_t records, int64_t persons)
{
    return records == 0 ? !p->zero_is_shown : hd_rule_is_small(p, records, persons);
}

/* The largest multiple of base that is not above x. */
static int64_t floor_multiple(int64_t x, int64_t base)
{
    int64_t rest = x % base;
    if (rest < 0)
        rest += base;
    int64_t down;
    return __builtin_sub_overflow(x, rest, &down) ? x : down;
}

static int64_t nearest(int64_t x, int64_t base)
{
    int64_t down = floor_multiple(x, base), up;
    return 2 * (x - down) >= base && !__builtin_add_overflow(down, base, &up) ? up : down;
}

/* 0 stays 0; 1..base become base - base/2, and so on: for base 6 it is ceil(x/6)*6 - 3. */
static int64_t midpoint(int64_t x, int64_t base)
{
    if (x < 0)
        return x == INT64_MIN ? x : -midpoint(-x, base);
    if (x == 0)
        return 0;
    int64_t y;
    return __builtin_add_overflow(floor_multiple(x - 1, base), base - base / 2, &y) ? x : y;
}

int64_t hd_rule_round(const hd_policy_file *p, int64_t x)
{
    return p->rounding == HD_ROUND_MIDPOINT ? midpoint(x, p->rounded_to)
                                            : nearest(x, p->rounded_to);
}

/* The key is spread over 0 .. base - 1 by multiplication; one more than 2^64 / base keys give a
 * number or one fewer, which no count of sets could tell. */
int64_t hd_rule_round_by_set(const hd_policy_file *p, int64_t x, uint64_t key)
{
    int64_t down = floor_multiple(x, p->rounded_to), up;
    uint64_t draw = (uint64_t)(((unsigned __int128)key * (uint64_t)p->rounded_to) >> 64);
    bool is_up = (uint64_t)(x - down) > draw;
    return is_up && !__builtin_add_overflow(down, p->rounded_to, &up) ? up : down;
}

hd_rule_range hd_rule_range_shown(const hd_policy_file *p, int64_t shown)
{
    const hd_rule_range none = {1, 0};
    int64_t base = p->rounded_to;
    if (shown < 0 || shown > INT64_MAX - base || hd_rule_round(p, shown) != shown)
        return none;
    hd_rule_range r = {shown, shown};
    if (p->rounding == HD_ROUND_MIDPOINT && shown > 0)
        r = (hd_rule_range){shown - (base - base / 2) + 1, shown + base / 2};
    else if (p->rounding == HD_ROUND_BY_SET)
        r = (hd_rule_range){shown - base + 1, shown + base - 1};
    else if (p->rounding == HD_ROUND_NEAREST)
        r = (hd_rule_range){shown - base / 2, shown + (base - 1) / 2};
    r.low = r.low < 0 ? 0 : r.low;
    while (r.low <= r.high && hd_rule_withholds(p, r.low, -1))
        r.low++;
    while (r.high >= r.low && hd_rule_withholds(p, r.high, -1))
        r.high--;
    return r;
}

hd_rule_range hd_rule_range_withheld(const hd_policy_file *p, bool has_persons)
{
    int64_t most = p->withheld_to > p->minimum_persons - 1 ? p->withheld_to
                                                           : p->minimum_persons - 1;
    return (hd_rule_range){p->zero_is_shown ? 1 : 0,
                           has_persons && p->minimum_persons > 0 ? HD_RULE_ENDLESS : most};
}

hd_rule_range hd_rule_read_number(const hd_policy_file *p, hd_rule_place place, int64_t shown)
{
    return place.is_exact ? (hd_rule_range){shown, shown < 0 ? -1 : shown}
                          : hd_rule_range_shown(p, shown);
}

bool hd_rule_total_is_open(const hd_policy_file *p)
{
    return !p->zero_is_shown;
}

hd_rule_range hd_rule_read_mark(const hd_policy_file *p, hd_rule_place place, char mark)
{
    hd_rule_range behind = hd_rule_range_withheld(p, false);
    if (mark == p->secondary_mark)
        return (hd_rule_range){place.is_exact ? 1 : behind.high + 1, HD_RULE_ENDLESS};
    if (p->group_disclosure_is_withheld || (place.is_total && hd_rule_total_is_open(p)))
        return (hd_rule_range){0, HD_RULE_ENDLESS};
    behind = hd_rule_range_withheld(p, place.has_persons);
    if (place.is_below)
        behind.low = 0;
    return behind;
}

hd_code hd_rule_check(const hd_policy_file *p, hd_err *err)
{
    if (p->shows_true_counts || p->minimum_candidates == 0)
        return HD_OK;
    for (int64_t n = 1; n <= p->candidates_for_counts_to; n++) {
        hd_rule_range r = hd_rule_withholds(p, n, -1)
                              ? hd_rule_range_withheld(p, false)
                              : hd_rule_range_shown(p, hd_rule_round(p, n));
        if (r.high - r.low + 1 < p->minimum_candidates)
            return hd_yaml_fail(p->yaml, err, "candidates_for_counts_to",
                                "a count of %lld keeps %lld possible values by the policy's own "
                                "print, and minimum_candidates is %lld",
                                (long long)n, (long long)(r.high - r.low + 1),
                                (long long)p->minimum_candidates);
    }
    return HD_OK;
}
