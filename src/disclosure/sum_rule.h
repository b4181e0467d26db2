/* sum_rule.h - which sums a policy withholds, how uncertain they must stay, and how others are printed.
 *
 * A sum is a whole number of units, `unit` of them to 1 (10^decimals). What is printed is read back as
 * the sums that print alike, by hdis protect and hdis audit alike.
 */
#ifndef HD_DISCLOSURE_SUM_RULE_H
#define HD_DISCLOSURE_SUM_RULE_H

#include "disclosure/rule.h"
#include "disclosure/sheet.h"

typedef struct hd_sum {
    int64_t value, unit;
    int64_t contributors;
    const hd_contributor *top; /* HD_SHEET_TOP of them, the largest first; NULL: not known */
} hd_sum;

/* Few contributors, a small sum, or one in which few hold most (n-k rule, p% rule). */
bool hd_sum_rule_withholds(const hd_policy_file *p, const hd_sum *s);
/* How far above itself a reader must have to put a sum that n-k or p% withholds, so that the highest sum
 * thought possible would pass the rule with these contributors; 0: neither does. p%: the second largest,
 * who takes its own part away, is not within p percent of the largest: p/100 largest - (sum - both). n-k:
 * the n largest are not more than k percent: 100/k (the n largest) - sum. */
int64_t hd_sum_rule_room(const hd_policy_file *p, const hd_sum *s);
int64_t hd_sum_rule_round(const hd_policy_file *p, int64_t unit, int64_t x);
/* The sums that print as this number; low > high when none does. */
hd_rule_range hd_sum_rule_read(const hd_policy_file *p, int64_t unit, int64_t shown, bool is_exact);

#endif
