/* sum_rule.c - see sum_rule.h. Products are of 128 bits: sums stay below 2^60. */
#include "disclosure/sum_rule.h"

/* What the n largest hold, n of the n-k rule. */
static __int128 held_by_largest(const hd_policy_file *p, const hd_sum *s)
{
    __int128 held = 0;
    int64_t left = p->dominance_n;
    for (size_t i = 0; i < HD_SHEET_TOP && left > 0 && s->top[i].value > 0; i++) {
        int64_t n = s->top[i].weight < left ? s->top[i].weight : left;
        held += (__int128)n * s->top[i].value;
        left -= n;
    }
    return held;
}

/* Above 0: the n largest hold more than so much of it. */
static __int128 dominance_room(const hd_policy_file *p, const hd_sum *s)
{
    if (!s->top || s->value == 0 || p->dominance_n == 0)
        return 0;
    __int128 k = p->dominance_percent, over = held_by_largest(p, s) * 100 - s->value * k;
    return over <= 0 ? 0 : k > 0 ? (over + k - 1) / k : s->value;
}

/* Above 0: the second largest contributor knows its own part, and what is left tells the largest so
 * closely. */
static __int128 p_percent_room(const hd_policy_file *p, const hd_sum *s)
{
    if (!s->top || p->p_percent == 0 || s->contributors == 0)
        return 0;
    if (s->value == 0)
        return 1; /* each of them has 0 */
    __int128 first = s->top[0].value;
    __int128 second = s->top[0].weight > 1 ? first : s->top[1].value > 0 ? s->top[1].value : 0;
    __int128 over = first * p->p_percent - (s->value - first - second) * 100;
    return over <= 0 ? 0 : (over + 99) / 100;
}

int64_t hd_sum_rule_room(const hd_policy_file *p, const hd_sum *s)
{
    __int128 a = dominance_room(p, s), b = p_percent_room(p, s), room = a > b ? a : b;
    return room < HD_MAX_VALUE / 4 ? (int64_t)room : HD_MAX_VALUE / 4;
}

static int64_t least_shown(const hd_policy_file *p, int64_t unit)
{
    return p->small_sums_are_withheld ? (p->withheld_to + 1) * unit : 0;
}

bool hd_sum_rule_withholds(const hd_policy_file *p, const hd_sum *s)
{
    return (s->contributors > 0 && s->contributors < p->minimum_mean_records) ||
           (s->value > 0 && s->value < least_shown(p, s->unit)) || hd_sum_rule_room(p, s) > 0;
}

int64_t hd_sum_rule_round(const hd_policy_file *p, int64_t unit, int64_t x)
{
    if (p->rounded_to == 1)
        return x;
    int64_t base = p->rounded_to * unit, rest = x % base;
    return x - rest + (2 * rest >= base ? base : 0);
}

hd_rule_range hd_sum_rule_read(const hd_policy_file *p, int64_t unit, int64_t shown, bool is_exact)
{
    int64_t base = p->rounded_to * unit, least = least_shown(p, unit);
    if (is_exact)
        return (hd_rule_range){shown, shown};
    hd_rule_range r = {shown, shown};
    if (hd_sum_rule_round(p, unit, shown) != shown)
        return (hd_rule_range){1, 0};
    if (p->rounded_to > 1)
        r = (hd_rule_range){shown - base / 2, shown + (base + 1) / 2 - 1};
    r.low = r.low < 0 ? 0 : r.low;
    if (shown == 0 && least > 0)
        r.high = 0;
    else if (r.low < least)
        r.low = least;
    return r;
}
