/* rule.h - what a policy prints for a true count, and what the print says about the count.
 *
 * The second is the inverse of the first, exactly: every count lies in the range of its own print.
 * Audit, certificate and tests rest on that pair (tests/unit/test_disclosure.c runs both ways).
 */
#ifndef HD_DISCLOSURE_RULE_H
#define HD_DISCLOSURE_RULE_H

#include "catalogue/policy_file.h"

#define HD_RULE_ENDLESS INT64_MAX /* no upper end */

typedef struct hd_rule_range {
    int64_t low, high; /* both ends included */
} hd_rule_range;

/* Withheld for its size: by records, or by people (-1: the records are people). Never for 0
 * records, which zero_is_shown decides. */
bool hd_rule_is_small(const hd_policy_file *p, int64_t records, int64_t persons);
/* The same with zero decided: whether the mark stands for the count. */
bool hd_rule_withholds(const hd_policy_file *p, int64_t records, int64_t persons);
/* The rounding alone; any integer (sums may be negative). */
int64_t hd_rule_round(const hd_policy_file *p, int64_t x);

/* Rounding by the set of records: key is a number that only the set decides (HD_ROUND_BY_SET). */
int64_t hd_rule_round_by_set(const hd_policy_file *p, int64_t x, uint64_t key);

/* The counts that print as the number `shown`; low > high when none does. */
hd_rule_range hd_rule_range_shown(const hd_policy_file *p, int64_t shown);
/* The counts that the mark may stand for. With people counted beside the records it says nothing
 * about how many records there are: one person may have many. */
hd_rule_range hd_rule_range_withheld(const hd_policy_file *p, bool has_persons);

/* What a reader of a table knows of a cell from what is printed in it and where it stands. */
typedef struct hd_rule_place {
    bool is_exact;    /* shown as it is, such as a national figure */
    bool is_below;    /* a part of a figure with the mark */
    bool has_persons; /* the mark may stand for many records of few people */
    bool is_total;    /* a sum of other cells, see hd_rule_read_mark */
} hd_rule_place;
hd_rule_range hd_rule_read_number(const hd_policy_file *p, hd_rule_place place, int64_t shown);
/* Where zeros are withheld, two marks whose sum is known not to be small are known not to be 0. So
 * the mark of a total says no more than that it is withheld, and a total of nothing but small parts
 * takes this mark when it is withheld for another. */
bool hd_rule_total_is_open(const hd_policy_file *p);
/* mark: that of the policy, or its secondary mark. A zero that is shown is never withheld to protect
 * another figure, so the secondary mark stands for what is neither zero nor small. */
hd_rule_range hd_rule_read_mark(const hd_policy_file *p, hd_rule_place place, char mark);

/* HD_FORMAT: a count that the candidates rule protects has too few possible values by its very
 * print, so that the policy could never keep its own rule. */
HD_MUST hd_code hd_rule_check(const hd_policy_file *p, hd_err *err);

#endif
