/* merge.h - run the lanes of a question and put their tables together into the answer. */
#ifndef HD_KERNEL_MERGE_H
#define HD_KERNEL_MERGE_H

#include "kernel/lane.h"

/* Read the rows of an opened lane's pieces into its tables: row by row in plain C, or by the steps
 * that the plan names. */
HD_MUST hd_code hd_k_scan_scalar(hd_k_lane *lane, hd_err *err);
HD_MUST hd_code hd_k_scan_batches(hd_k_lane *lane, hd_err *err);

/* Plan, scan every lane, merge in lane order; ops NULL: the scalar scan. When the lanes together do not fit into max_bytes the
 * question is run again as one lane, so a refusal means that even that is too large. */
HD_MUST hd_code hd_k_run(const hd_k_question *q, const hd_k_tuning *tuning,
                         const struct hd_k_ops *ops, hd_k_answer *out, hd_err *err);

/* Sort pairs by key, keeping the order of equal keys; spare arrays have the same length. */
void hd_k_sort_pairs(uint64_t *keys, uint64_t *values, uint64_t *spare_keys, uint64_t *spare_values,
                     size_t n);

#endif
