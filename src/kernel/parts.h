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

/* How many measures the first part has; 0 when parts do not help: sums of decimals, which depend on
 * how rows are cut; one measure that does not fit by itself; too many parts. */
HD_MUST hd_code hd_k_parts_cut(const hd_k_question *q, const hd_k_tuning *tuning, size_t *out,
                               hd_err *err);
/* The first `cut` measures, then the others, each as hd_k_run. */
HD_MUST hd_code hd_k_parts_run(const hd_k_question *q, size_t cut, const hd_k_tuning *tuning,
                               const struct hd_k_ops *ops, hd_k_answer *out, hd_err *err);

#endif
