/* plan.h - a kernel question made ready to run: what every kernel shares, whatever its
 * instructions.
 *
 * Inside src/kernel only. The rows are cut into pieces: contiguous runs that begin where a person
 * begins. A lane has tables and fills them from pieces. When decimals are summed every piece has a
 * lane of its own, and both follow from the question alone, so that sums are the same on every
 * machine; all else adds up the same in any order, so there are no more lanes than threads and each
 * takes the next piece when it is ready. Refusals never depend on the number of threads: a question
 * that does not fit is tried again with one lane.
 *
 * Rows linked to nobody come first. Nobody is counted twice because a linked person lies in one
 * lane; the unlinked rows may be cut anywhere, because they add no person.
 */
#ifndef HD_KERNEL_PLAN_H
#define HD_KERNEL_PLAN_H

#include "kernel/kernel.h"

/* When to use what. Tests change these to send small questions through every path. */
enum { HD_K_LANES = 64 };

typedef struct hd_k_tuning {
    uint64_t dense_cells; /* a set with more combinations of slots keeps its cells by hash        */
    uint64_t sure_cells; /* ... with fewer by place, however few rows are expected to be chosen   */
    uint64_t dense_bins; /* cells x ranks of a measure above this are kept in a list */
    uint64_t wide_cells; /* a set with more cells counts rows in bytes, when people do not matter */
    uint64_t lane_rows;  /* do not make pieces shorter than this                                 */
    uint64_t long_rows;  /* a lane of so many rows pays for huge pages, which cost as some thousand */
    uint32_t max_lanes;  /* pieces, where each has a lane of its own; HD_K_LANES at most         */
    uint32_t max_pieces; /* ... and where not: the last one to end keeps the others waiting      */
    uint32_t max_live;   /* sets of classes that rows count in; with more, see parts.h          */
} hd_k_tuning;

extern const hd_k_tuning hd_k_tuning_default;

/* Which rows contribute: measures with the same filter and the same argument share their counts.
 * Class 0 is every row that passes `where`. */
typedef struct hd_k_class {
    int32_t filter;           /* node, or -1 */
    const hd_k_codes *codes;  /* NULL with has_value NULL */
    const uint8_t *has_value; /* NULL: every row */
} hd_k_class;

#define HD_K_NO_MEASURE UINT32_MAX

/* Rows and sum in one number, where no sum can reach the rows: a row adds
 * 2^shift and its value less `low`. */
typedef struct hd_k_packing {
    unsigned shift; /* 0: not packed */
    int64_t low;
    int64_t *adds; /* by code */
} hd_k_packing;

typedef struct hd_k_set_plan {
    uint32_t mask;
    bool dense;
    bool in_bytes;           /* rows of a cell are counted in a byte, see hd_k_full */
    uint64_t product;        /* combinations of slots, at least 1 */
    const uint64_t *strides; /* n_groups; 0 where the group is not in the set */
    const size_t *items;     /* bytes a cell in each array of a table, hd_k_plan.n_arrays of them */
    uint32_t *rows_from;     /* n_classes: the measure whose bins or packed sums tell the rows of a
                              * class, which are then not counted; HD_K_NO_MEASURE: none does */
} hd_k_set_plan;

typedef struct hd_k_plan {
    const hd_k_question *q;
    hd_k_tuning tuning;
    size_t n_classes;
    hd_k_class *classes;
    uint32_t *class_of; /* n_measures */
    uint32_t
        *twin; /* n_measures: the first measure that reads the same in the same way, often itself;
                * only that one is kept: median and 90th percentile, minimum and maximum */
    uint8_t *node_is_where; /* n_nodes: 1 when `where` depends on the node */
    uint8_t *group_is_used; /* n_groups */
    uint8_t *is_narrow;     /* n_measures: sums alone, and no sum of all rows can pass 63 bits */
    hd_k_packing *packings; /* n_measures */
    size_t n_arrays;        /* arrays of a table: rows, people, values */
    hd_k_set_plan *sets;
    uint64_t *strides;
    size_t *items;
    uint32_t *rows_from;
    uint64_t n_unlinked; /* rows linked to nobody */
    uint64_t n_expected; /* about so many rows pass `where`; decides which tables pay, nothing else */
    size_t n_lanes, n_pieces;
    uint64_t *piece_starts;         /* n_pieces + 1 */
    const struct hd_k_ops *ops;     /* NULL: the scalar kernel */
    const struct hd_k_shape *shape; /* NULL: the scalar kernel, or the question does not fit */
} hd_k_plan;

/* Positions of a table's arrays: rows of a class, its people (none without_people), values. */
static inline size_t hd_k_array_rows(size_t class)
{
    return class;
}
static inline size_t hd_k_array_seen(const hd_k_plan *p, size_t class)
{
    return p->n_classes + class;
}
static inline size_t hd_k_array_values(const hd_k_plan *p, size_t measure)
{
    return 2 * p->n_classes + measure;
}

HD_MUST hd_code hd_k_plan_make(hd_k_plan *p, const hd_k_question *q, const hd_k_tuning *tuning,
                               hd_err *err);
/* Choose tables, by n_expected among others, and cut the rows. n_lanes_max 0: as many lanes as tuning
 * allows. own_pieces: a lane a piece, whatever is summed. */
HD_MUST hd_code hd_k_plan_cut(hd_k_plan *p, size_t n_lanes_max, bool own_pieces, hd_err *err);
void hd_k_plan_free(hd_k_plan *p);

/* HD_CANCELLED when the asker stopped the question. */
static inline hd_code hd_k_go_on(const hd_k_question *q, hd_err *err)
{
    return q->stop && atomic_load_explicit(q->stop, memory_order_relaxed)
               ? hd_fail(err, HD_CANCELLED, "the question was stopped")
               : HD_OK;
}

/* HD_LIMIT with the standard text. */
hd_code hd_k_fail_limit(const hd_k_question *q, hd_err *err);

#endif
