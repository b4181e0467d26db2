/* parts.h - a question whose measures have more outcomes than signatures can tell apart, as several
 * questions with some of the measures each.
 *
 * Inside src/kernel only. A scan row by row costs some thirty times one by signatures, so reading
 * the rows once for each part is far less. All parts have the same cells, because these follow from
 * `where` and the groups alone; their answers are put side by side.
 */
#ifndef HD_KERNEL_PARTS_H
#define HD_KERNEL_PARTS_H

#include "kernel/merge.h"

enum { HD_K_MOST_PARTS = 8 };

typedef struct hd_k_parts {
    size_t n;        /* 0: parts do not help, see hd_k_parts_find */
    uint32_t *order; /* n_measures: the measures of the first part, then of the next */
    size_t starts[HD_K_MOST_PARTS + 1]; /* in that order, and where the last one ends */
} hd_k_parts;

/* For a question that does not fit as a whole. No parts: sums of decimals, which depend on how rows
 * are cut; one measure that does not fit by itself; too many parts. */
HD_MUST hd_code hd_k_parts_find(hd_k_parts *out, const hd_k_question *q, const hd_k_tuning *tuning,
                                hd_err *err);
/* One part after another, each as hd_k_run. */
HD_MUST hd_code hd_k_parts_run(const hd_k_parts *parts, const hd_k_question *q,
                               const hd_k_tuning *tuning, const struct hd_k_ops *ops,
                               hd_k_answer *out, hd_err *err);
void hd_k_parts_free(hd_k_parts *parts);

#endif
