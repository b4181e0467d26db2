/* merge.h - run the lanes of a question and put their tables together into the answer. */
#ifndef HD_KERNEL_MERGE_H
#define HD_KERNEL_MERGE_H

#include "kernel/lane.h"

/* Read the rows of an opened lane's pieces into its tables: row by row in plain C, or by the steps
 * that the plan names. */
HD_MUST hd_code hd_k_scan_scalar(hd_k_lane *lane, hd_err *err);
HD_MUST hd_code hd_k_scan_batches(hd_k_lane *lane, hd_err *err);
/* Note how many rows a question is going to choose, from a few thousand here and there. */
HD_MUST hd_code hd_k_expect_rows(hd_k_plan *p, hd_err *err);

/* The cells of one set: how many, and where each lane's went. */
typedef struct hd_k_set_cells {
    size_t n;
    size_t first;      /* position of the set's first cell in the answer */
    uint32_t *full;      /* where lanes have rows in bytes: the places of hd_k_full of all lanes, range */
    size_t *full_starts; /* by range of keys, and where those of each range begin                    */
    size_t *starts;    /* cells kept by place: cells before each range of keys */
    uint64_t *keys;    /* n, ascending; NULL by place */
    uint32_t **places; /* n_lanes: cell in the set + 1, or 0, by the lane's own number of the cell;
                        * one array for all lanes, or NULL, when by place */
} hd_k_set_cells;

typedef struct hd_k_merge {
    const hd_k_plan *p;
    const hd_k_lane *lanes;
    hd_k_answer *out;
    hd_k_set_cells *sets;
    uint64_t bytes; /* lanes and everything made here */
    size_t n_bins, cap_bins;
} hd_k_merge;

/* Memory within max_bytes; one thread at a time. */
HD_MUST hd_code hd_k_merge_take(hd_k_merge *m, uint64_t bytes, hd_err *err);
HD_MUST hd_code hd_k_merge_array(hd_k_merge *m, void *out, size_t n, size_t item, hd_err *err);
void hd_k_merge_give_back(hd_k_merge *m, void *array, size_t n, size_t item);
/* The bins of a measure; nothing for measures without. */
HD_MUST hd_code hd_k_merge_bins(hd_k_merge *m, size_t set, size_t measure, hd_err *err);

/* Plan, scan every lane, merge in lane order; ops NULL: the scalar scan. When the lanes together do
 * not fit into max_bytes the question is run again as one lane, so a refusal means that even that
 * is too large. */
HD_MUST hd_code hd_k_run(const hd_k_question *q, const hd_k_tuning *tuning,
                         const struct hd_k_ops *ops, hd_k_answer *out, hd_err *err);

#endif
