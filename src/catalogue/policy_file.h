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

typedef struct hd_policy_file {
    const char *name, *title, *version, *source;
    const char *note;       /* "" when none */
    const char *legend;     /* one line that goes with every output */
    bool shows_true_counts; /* the rest does not apply then */
    bool national_is_exact; /* else the rules below hold at national level too */
    char mark;
    int64_t withheld_from, withheld_to; /* records, both ends included */
    bool zero_is_shown;
    int64_t rounded_to;           /* 1: not rounded */
    int64_t minimum_persons;      /* fewer people than this behind a figure: withheld */
    int64_t minimum_thin_side;    /* records beyond a quantile other than the median */
    bool small_sums_are_withheld; /* a sum within the withheld counts is treated as such a count */
    bool extremes_are_shown;      /* min and max below national level */
    bool below_star_is_withheld;
    /* At every level, by how many fields the rows are told apart: */
    int64_t listing_fields; /* from so many a table mostly of single people is refused */
    int64_t small_rows_left_out_from_fields; /* from so many a small row does not appear */
    struct hd_yaml *yaml;             /* owns the texts */
} hd_policy_file;

HD_MUST hd_code hd_policy_file_read(hd_policy_file **out, const char *catalogue_folder,
                                    const char *name, hd_err *err);
void hd_policy_file_free(hd_policy_file *p); /* NULL is allowed */

#endif
