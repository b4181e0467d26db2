/* kernel.h - the scan: lookup tables over dictionary codes, AND/OR/NOT of them, group keys, measures.
 *
 * The kernel knows nothing of SQL, names or values. The engine evaluates every expression once per
 * dictionary code and hands over lookup tables; the kernel reads each row once.
 *
 * Shapes: a question has n_rows rows sorted by person. Every `codes` column has one code a row and
 * its lookup tables have one entry a code, so an index can never be out of range; hd_kernel_check
 * verifies that in debug and fuzz builds.
 * Logic is three-valued as in SQL: 0 false, 1 true, 2 unknown.
 * Threads: rows are split at person boundaries, so distinct people add up over parts; results do
 * not depend on the number of threads (decimal sums are formed over fixed runs of rows).
 */
#ifndef HD_KERNEL_KERNEL_H
#define HD_KERNEL_KERNEL_H

#include "base/err.h"

#include <stdatomic.h>

typedef struct hd_k_codes {
    const void *data;
    unsigned width;   /* 1, 2 or 4 bytes */
    uint32_t n_codes; /* codes are below this; lookup tables have this length */
    uint32_t lowest;  /* no code is below this: 1 for a column without NULL; 0 when not known. A code
                       * that is there all the same may be taken for any other               */
} hd_k_codes;

/* One lookup-table predicate. With starts (lists), row r is true when any element in
 * data[starts[r] .. starts[r+1]) has lut 1, else false; never unknown. */
typedef struct hd_k_atom {
    hd_k_codes codes;
    const uint32_t *starts;
    const uint8_t *lut;
} hd_k_atom;

typedef enum hd_k_op { HD_K_ATOM, HD_K_AND, HD_K_OR, HD_K_NOT, HD_K_IS_TRUE } hd_k_op;

typedef struct hd_k_node {
    hd_k_op op;
    uint32_t a, b; /* ATOM: atom number a; NOT, IS_TRUE: node a; AND, OR: nodes a, b; all before this */
} hd_k_node;

typedef struct hd_k_group {
    hd_k_codes codes;
    const uint32_t *lut; /* code to slot, below n_slots */
    uint32_t n_slots;
} hd_k_group;

typedef enum hd_k_kind {
    HD_K_COUNT,            /* rows that pass the filter (and have a value, if there is an argument)   */
    HD_K_MOMENTS,          /* sum and (unless sum_only) sum of squares of integers[] or decimals[]    */
    HD_K_EXTREMES,         /* smallest and largest rank                                               */
    HD_K_DISTRIBUTION,     /* how often each rank occurs: exact quantiles, distinct values            */
    HD_K_DISTINCT          /* how many different ranks                                                */
} hd_k_kind;

/* Every measure also counts its contributing rows and (unless without_people) the distinct people
 * among them. Row r
 * contributes when the filter is true and has_value[code] (if given) is not 0. */
typedef struct hd_k_measure {
    hd_k_kind kind;
    int32_t filter; /* node number, or -1 */
    hd_k_codes codes;
    const uint8_t *has_value; /* NULL: count(*) */
    const int64_t *integers;  /* MOMENTS, one of the two */
    const double *decimals;
    bool sum_only; /* MOMENTS: nobody reads the sum of squares, which may stay 0 */
    const uint32_t *ranks; /* EXTREMES, DISTRIBUTION, DISTINCT: code to rank, ascending with value */
    uint32_t n_ranks;
} hd_k_measure;

/* Whether every row of the column has a value: count(x) is then count(*). */
static inline bool hd_k_is_always_there(const hd_k_measure *m)
{
    uint32_t code = m->codes.lowest;
    while (m->has_value && code < m->codes.n_codes && m->has_value[code])
        code++;
    return !m->has_value || code == m->codes.n_codes;
}

/* Rows that are brought block by block. A lane enters a run of rows inside one block before it reads
 * any of them and leaves it afterwards; enter may say that none of them passes `where`, and then
 * they are neither read nor left. Rows are done when they are left; a lane that only looked leaves a
 * run without rows. Any thread may call. */
typedef struct hd_k_feed {
    void *ctx;
    uint64_t block_rows;
    uint64_t n_unlinked; /* rows linked to nobody, which come first */
    hd_code (*enter)(void *ctx, uint64_t first, uint64_t end, bool *matters, hd_err *err);
    void (*leave)(void *ctx, uint64_t first, uint64_t end);
    /* The first row from `row` on where a person begins, or all rows end. */
    hd_code (*person_start)(void *ctx, uint64_t row, uint64_t *out, hd_err *err);
    /* Whether the last row of a block and the first of a later one are of the same person. */
    bool (*is_same_person)(void *ctx, uint64_t last, uint64_t first);
} hd_k_feed;

typedef struct hd_k_question {
    uint64_t n_rows;
    const uint64_t *begins; /* bit r % 64 of word r / 64: row r is the first of a person. Rows before all
                             * of these are linked to nobody and add no person to any count */
    size_t n_atoms, n_nodes, n_groups, n_sets, n_measures;
    const hd_k_atom *atoms;
    const hd_k_node *nodes;
    int32_t where;           /* node number, or -1: all rows */
    const hd_k_group *groups;
    const uint32_t *sets;    /* grouping sets: bit g set when group g is a key; at least one */
    const hd_k_measure *measures;
    bool without_people;     /* nobody reads how many people: counts[].persons of the answer stay NULL,
                              * and `begins` is not read and may be NULL */
    uint64_t max_bytes;      /* refuse with HD_LIMIT, naming the need, rather than use more */
    const hd_k_feed *feed;   /* NULL: all rows are there */
    const atomic_bool *stop; /* NULL, or: end with HD_CANCELLED soon after it becomes true. Every
                              * scan looks at it between batches of rows (hd_k_go_on)      */
} hd_k_question;

/* One measure in one cell, whatever way the answer keeps it: see hd_k_answer_tally. */
typedef struct hd_k_tally {
    int64_t rows;    /* contributing rows */
    int64_t persons; /* distinct linked people among them; rows linked to nobody add none */
    union {
        struct {
            __int128 sum;         /* integers: exact */
            unsigned __int128 sum_squares;
        } exact;
        struct {
            double sum, sum_squares;
        } decimal;
        struct {
            uint32_t lowest, highest; /* ranks; meaningless when rows is 0 */
        } extremes;
        struct {
            uint64_t first; /* position in hd_k_answer.distribution */
            uint32_t n;     /* entries, ascending rank */
        } distribution;
        int64_t distinct;
    };
} hd_k_tally;

typedef struct hd_k_bin {
    uint32_t rank, rows;
} hd_k_bin;

typedef struct hd_k_bins {
    uint64_t first;
    uint32_t n;
} hd_k_bins;

/* What an item of a measure's values is. */
typedef enum hd_k_form {
    HD_K_NOTHING,  /* counts say all                       */
    HD_K_SUMS,     /* int64_t                              */
    HD_K_EXACT,    /* hd_k_exact                           */
    HD_K_DECIMALS, /* hd_k_decimal                         */
    HD_K_RANGES,   /* hd_k_range                           */
    HD_K_BINS,     /* hd_k_bins                            */
    HD_K_NUMBERS   /* int64_t: how many different ranks    */
} hd_k_form;

typedef struct hd_k_exact {
    __int128 sum;
    unsigned __int128 sum_squares;
} hd_k_exact;

typedef struct hd_k_decimal {
    double sum, sum_squares;
} hd_k_decimal;

typedef struct hd_k_range {
    uint32_t lowest, highest; /* ranks */
} hd_k_range;

/* n_cells each; persons NULL: not asked */
typedef struct hd_k_counts {
    uint32_t *rows, *persons;
} hd_k_counts;

typedef struct hd_k_values {
    hd_k_form form;
    void *items; /* n_cells; measures that read the same share them */
} hd_k_values;

/* Cells that hold at least one row that passes `where`, ordered by set, then slots ascending.
 * (The set with no group has exactly one cell, also when no row passes.) Columns, because there
 * may be a million cells. */
typedef struct hd_k_answer {
    size_t n_cells, n_sets, n_groups, n_classes, n_measures;
    size_t *set_starts;  /* n_sets + 1: the cells of a set lie together */
    uint32_t **slots;    /* n_groups, n_cells each; HD_K_NO_SLOT where the group is not in the set */
    hd_k_counts *counts; /* n_classes; class 0: rows that pass `where` */
    uint32_t *class_of;  /* n_measures: measures that the same rows contribute to share counts */
    hd_k_values *values; /* n_measures */
    hd_k_bin *distribution;
} hd_k_answer;

#define HD_K_NO_SLOT UINT32_MAX
enum { HD_K_MAX_GROUPS = 32 };

typedef struct hd_kernel {
    const char *name; /* scalar, portable, avx2, avx512 */
    hd_code (*run)(const hd_k_question *q, hd_k_answer *out, hd_err *err);
} hd_kernel;

extern const hd_kernel hd_kernel_scalar; /* the readable truth the others are compared with */

/* The best kernel of this machine, or the one HDIS_KERNEL names (HD_INVALID when unknown). */
HD_MUST hd_code hd_kernel_pick(const hd_kernel **out, hd_err *err);
/* Check every index in a question. Costs a pass over the columns. */
HD_MUST hd_code hd_kernel_check(const hd_k_question *q, hd_err *err);
void hd_k_answer_free(hd_k_answer *a);
/* Somebody else owns that column from now on. */
void hd_k_answer_give(hd_k_answer *a, const void *column);
hd_k_tally hd_k_answer_tally(const hd_k_answer *a, size_t cell, size_t measure);
/* Rank of the k-th smallest contributing row (k from 0) of a DISTRIBUTION measure. */
uint32_t hd_k_order_statistic(const hd_k_answer *a, hd_k_bins t, uint64_t k);

#endif
