/* near.h - figures whose sets of records differ by few people.
 *
 * The difference of two such figures is about those few. Between an answer and an earlier release
 * the new figure is withheld for it; within one answer the difference is audited as a count.
 * Nothing is missed: two figures of at least limit + 1 people that differ by 1 to limit people are
 * always found (sets.h says why), whatever was asked to get them.
 *
 * Records of two tables, and records and people, are not the same things. There two figures are near
 * when one counts 1 to limit people more and, of all others, as many of each: then somebody who knows
 * that they go together (stays and their first episodes) has the figure of those few.
 */
#ifndef HD_DISCLOSURE_NEAR_H
#define HD_DISCLOSURE_NEAR_H

#include "disclosure/account.h"

typedef struct hd_near hd_near;

typedef struct hd_near_pair {
    size_t cell;          /* of the answer: cell * n_columns + column */
    size_t earlier;       /* number given to hd_near_compare, or HD_NEAR_OWN */
    size_t other;         /* the same in the earlier release, or in the answer */
    bool by_profile;      /* of two tables, or of records and people */
} hd_near_pair;

#define HD_NEAR_OWN SIZE_MAX

/* People up to which two sets are near under a policy. */
unsigned hd_near_limit(const hd_policy_file *p);

HD_MUST hd_code hd_near_new(hd_near **out, const hd_account *now, unsigned limit, hd_err *err);
void hd_near_free(hd_near *n); /* NULL is allowed */
/* Add the pairs of a shown figure of the answer and a shown figure of `earlier`. */
HD_MUST hd_code hd_near_compare(hd_near *n, const hd_account *earlier, size_t number, hd_err *err);
/* Add the pairs within the answer. */
HD_MUST hd_code hd_near_compare_own(hd_near *n, hd_err *err);
/* Whether the last release compared holds a person's records just as the answer does somewhere: if
 * not, no set of one is made of sets of the other. */
bool hd_near_touches(const hd_near *n);
size_t hd_near_n_pairs(const hd_near *n);
const hd_near_pair *hd_near_pair_at(const hd_near *n, size_t i);

#endif
