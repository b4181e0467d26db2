/* scan_plan.h - questions as one scan for the kernel.
 *
 * A plan answers one question, or several (parts) that choose the same rows by the same keys, in
 * one pass. It holds lookup tables, never columns: hd_scan_plan_bind names those before every
 * run, so the vault may drop them in between.
 */
#ifndef HD_ENGINE_SCAN_PLAN_H
#define HD_ENGINE_SCAN_PLAN_H

#include "engine/coded.h"
#include "kernel/kernel.h"

/* Questions of a plan. Their measures stand one after another. */
typedef struct scan_part {
    asked *a;
    size_t first_measure;
} scan_part;

/* What a lookup table is over. */
typedef struct scan_input {
    hd_operand operand;
    const hd_coded *coded; /* NULL: a constant */
} scan_input;

struct scan_plan {
    hd_engine *e;
    uint64_t data_version;
    hd_k_question q;
    hd_k_atom *atoms;
    scan_input *atom_inputs;
    hd_k_node *nodes;
    hd_k_measure *measures;
    scan_input *measure_inputs;
    const hd_ranks **measure_ranks; /* values of ranks; NULL where a measure has none */
    size_t n_atoms, atoms_cap, inputs_cap, n_nodes, nodes_cap;
    hd_k_group groups[HD_MAX_KEYS];
    scan_input group_inputs[HD_MAX_KEYS];
    const hd_ranks *group_ranks[HD_MAX_KEYS];
    scan_part *parts;
    size_t n_parts;
    hd_recalled **held; /* what lookup tables are borrowed from */
    size_t n_held, held_cap;
    uint8_t **constants; /* lookup tables of conditions that read nothing */
    size_t n_constants, constants_cap;
    bool is_of_values; /* how often each value occurs, instead of sums, means and the like */
    size_t bytes; /* of lookup tables */
};
typedef struct scan_plan scan_plan;

/* The questions must have the same table, condition, keys and sets. Borrows them. */
HD_MUST hd_code hd_scan_plan_make(hd_engine *e, hd_table *t, asked *const *questions, size_t n,
                                  scan_plan **out, hd_err *err);
/* The plan of hd_engine_values. */
HD_MUST hd_code hd_scan_plan_of_values(hd_engine *e, hd_table *t, asked *a, scan_plan **out,
                                       hd_err *err);
/* blocks NULL: all columns are loaded. Else they come block by block (blocks.h), and the plan's
 * question may be run until the blocks are closed. */
struct scan_blocks;
HD_MUST hd_code hd_scan_plan_bind(scan_plan *p, hd_table *t, const struct scan_blocks *blocks,
                                  hd_err *err);

/* scan_truth.c: the truth (0 false, 1 true, 2 unknown) of each node for n rows from base on, a
 * row of `stride` bytes for each node. The question must be bound. */
void hd_scan_truth(const hd_k_question *q, uint64_t base, size_t n, size_t stride, uint8_t *truth);

/* scan_cells.c: the cells of one part. Ask for the last part last: it takes what it can of the
 * answer. */
HD_MUST hd_code hd_scan_cells(const scan_plan *p, size_t part, hd_k_answer *answer,
                              hd_cells **out, hd_err *err);

#endif
