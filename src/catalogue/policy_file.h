/* policy_file.h - a disclosure policy as it stands in catalogue/policies/NAME.yaml.
 *
 * A plain struct: what the keys mean is said once, in doc/disclosure.md; what is done with them is
 * disclosure's business. Checked on reading: names, ranges, and that a policy which shows true
 * counts says nothing else.
 */
#ifndef HD_CATALOGUE_POLICY_FILE_H
#define HD_CATALOGUE_POLICY_FILE_H

#include "base/err.h"

struct hd_yaml;

typedef enum hd_rounding {
    HD_ROUND_NEAREST, /* to the nearest multiple of rounded_to */
    HD_ROUND_MIDPOINT, /* 1..base to the middle of the group, base + 1 .. 2 base to the next one */
    HD_ROUND_BY_SET    /* to the multiple below or above, as the set of records says: n between them
                          goes up with probability (n mod base) / base; the same set, the same way */
} hd_rounding;

typedef struct hd_policy_file {
    const char *name, *title, *version, *source;
    const char *note;       /* "" when none */
    const char *legend;     /* one line that goes with every output */
    bool shows_true_counts; /* the rest does not apply then */
    bool national_is_exact; /* else the rules below hold at national level too */
    char mark, secondary_mark;
    int64_t withheld_from, withheld_to; /* records, both ends included; none when to < from */
    bool zero_is_shown;                 /* exactly when withheld_from is above 0 */
    hd_rounding rounding;
    int64_t rounded_to;           /* 1: not rounded */
    bool totals_are_summed;       /* from the figures shown below them; else rounded themselves */
    int64_t percent_decimals;     /* at most */
    int64_t percent_decimals_from; /* a smaller denominator: whole percent */
    int64_t minimum_rate_population; /* a smaller denominator: withheld; 0: any */
    int64_t minimum_persons;      /* fewer people than this behind a figure: withheld */
    int64_t minimum_mean_records; /* fewer behind a mean, spread or quantile: withheld */
    int64_t minimum_distinct_values; /* fewer behind a sum, mean, spread or quantile: withheld */
    int64_t minimum_thin_side;    /* records beyond a quantile and between two; the median aside */
    bool small_sums_are_withheld; /* a sum within the withheld counts is treated as such a count */
    bool extremes_are_shown;      /* min and max below national level */
    int64_t dominance_n, dominance_percent; /* largest n hold more than so much of a sum; 0: off */
    int64_t p_percent; /* the largest can be estimated closer than this by the second; 0: off */
    bool group_disclosure_is_withheld; /* one part holds everybody of its total */
    bool below_star_is_withheld;
    /* The candidates rule: each count from 1 to candidates_for_counts_to keeps so many possible
     * values, given all that is shown; 0: not tested. */
    int64_t minimum_candidates, candidates_for_counts_to;
    int64_t minimum_value_candidates; /* the same for values behind sums, means and spreads */
    int64_t audited_cells_at_most; /* counts that one audit may hold; more: refused */
    /* The ledger of releases: */
    bool compares_releases;         /* an answer is compared with every earlier release */
    bool compares_national_figures; /* also two figures that are both national */
    int64_t near_releases_at_most;  /* of one asker under one agreement; more: refused; 0: any */
    /* At every level, by how many fields the rows are told apart: */
    int64_t listing_fields; /* from so many a table mostly of single people is refused */
    int64_t small_rows_left_out_from_fields; /* from so many a small row does not appear */
    struct hd_yaml *yaml;             /* owns the texts */
} hd_policy_file;

HD_MUST hd_code hd_policy_file_read(hd_policy_file **out, const char *catalogue_folder,
                                    const char *name, hd_err *err);
void hd_policy_file_free(hd_policy_file *p); /* NULL is allowed */

#endif
