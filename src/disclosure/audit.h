/* audit.h - an answer judged together with what left before: the live audit.
 *
 * Everything that is known about the counts of the answer becomes one system of sums (system.h). A
 * set of records is one cell of the system, however it was asked for: as a row, as a total, by a
 * condition or by a breakdown, in this answer or in an earlier one. Then helpers are chosen
 * (secondary.h) and the proof is written down (certificate.h).
 *
 * What the system holds:
 *   - the printed counts of the answer, and of the earlier releases that share a set with it, or with
 *     one that does, and so on;
 *   - every sum between them: a row is the sum of the finer rows that make the same set;
 *   - for every two printed sets that differ by few people, the difference, as a count of its own.
 */
#ifndef HD_DISCLOSURE_AUDIT_H
#define HD_DISCLOSURE_AUDIT_H

#include "disclosure/account.h"

#include <stdatomic.h>

typedef struct hd_audit hd_audit;

/* `now` is borrowed until the audit is freed, and changed by hd_audit_judge. */
HD_MUST hd_code hd_audit_new(hd_audit **out, const hd_policy_file *p, hd_account *now, hd_err *err);
void hd_audit_free(hd_audit *a); /* NULL is allowed */
/* Counts that the audit may hold; as the policy says when it is not called. */
void hd_audit_set_limit(hd_audit *a, uint64_t counts);

/* Judging ends with HD_CANCELLED soon after it becomes true; NULL: nobody stops it. Borrowed. */
void hd_audit_watch(hd_audit *a, const atomic_bool *stop);

/* Compare with one earlier release, oldest first. Taken over (and emptied) when it shares a set with
 * the answer; else the caller's to free. Figures that come near to a figure shown there are
 * withheld. */
HD_MUST hd_code hd_audit_earlier(hd_audit *a, hd_account *earlier, hd_err *err);
/* After all of them. `again`: releases hang together with the answer by way of others, and all are to be
 * given once more, in the same order, but those that hd_audit_passes_over. */
HD_MUST hd_code hd_audit_connect(hd_audit *a, bool *again, hd_err *err);
/* Whether the next one given again would tell nothing new; it then counts as given. */
bool hd_audit_passes_over(hd_audit *a);
/* Figures of the answer withheld because of an earlier release. */
uint64_t hd_audit_n_near(const hd_audit *a);

/* Choose helpers, mark them in `now`, write the certificate into it. HD_DENIED: too large, or a
 * form of question that cannot be audited; the text says what to ask instead. */
HD_MUST hd_code hd_audit_judge(hd_audit *a, hd_err *err);

#endif
