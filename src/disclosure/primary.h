/* primary.h - the primary pass: true cells and a policy to figures that may be shown.
 *
 * The only place where a true count is compared with anything. What it lets through is final: later
 * steps work on its result and never look at the cells again.
 */
#ifndef HD_DISCLOSURE_PRIMARY_H
#define HD_DISCLOSURE_PRIMARY_H

#include "catalogue/policy_file.h"
#include "disclosure/release.h"
#include "engine/cells.h"
#include "engine/question.h"

struct hd_policy {
    hd_policy_file *file;
};

/* What may be shown of a set of cells. Keys and their text stay the cells' own. */
typedef struct hd_safe {
    size_t n_cells, n_aggregates;
    hd_figure *figures; /* n_cells * n_aggregates; NULL: all as they are (the policy shows true counts) */
    bool *left_out;     /* n_cells: the row below a withheld total, or small and by many fields */
    uint64_t n_left_out;
} hd_safe;

/* What can be refused before any record is read: HD_DENIED for minimum and maximum, and for sums,
 * means and the like of expressions that the question makes up. */
HD_MUST hd_code hd_primary_admit(const hd_policy *p, const hd_question *q, hd_err *err);
/* HD_DENIED: the table is a list of records (policy key listing_fields). */
HD_MUST hd_code hd_primary_apply(const hd_policy *p, const hd_question *q, const hd_cells *cells,
                                 hd_safe *out, hd_err *err);
/* Whether the rules for figures below national level apply to the question. */
bool hd_primary_is_controlled(const hd_policy_file *p, const hd_question *q);
void hd_safe_free(hd_safe *s); /* wipes */

#endif
