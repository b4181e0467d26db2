/* lattice.h - a table in all its margins.
 *
 * A dimension is a list of codes and sum rules among them: the parent is the sum of its children.
 * Several trees over one dimension ("linked trees") are simply more rules. The cells are the dense
 * product of the dimensions, mixed radix, the last dimension fastest. The equations of the table
 * are not stored: each rule of a dimension holds for every combination of the other dimensions'
 * codes. Nothing here knows a policy; values are whole numbers.
 */
#ifndef HD_DISCLOSURE_LATTICE_H
#define HD_DISCLOSURE_LATTICE_H

#include "base/err.h"

/* "parent = sum of children", codes by their number in the dimension. */
typedef struct hd_code_rule {
    uint32_t parent;
    uint32_t n_children;
    const uint32_t *children;
} hd_code_rule;

typedef struct hd_dimension {
    const char *name;
    size_t n_codes;
    const char *const *codes; /* distinct texts */
    size_t n_rules;
    const hd_code_rule *rules;
} hd_dimension;

enum { HD_LATTICE_DIMENSIONS = 8 };

typedef struct hd_lattice hd_lattice;

/* A copy is made of everything. HD_INVALID: a name or code twice, a code that is its own part, a
 * rule without children or with one twice; HD_LIMIT: more than 2^31 cells or 8 dimensions. */
HD_MUST hd_code hd_lattice_new(hd_lattice **out, const hd_dimension *dims, size_t n_dims,
                               hd_err *err);
void hd_lattice_free(hd_lattice *l); /* NULL is allowed */

size_t hd_lattice_n_dims(const hd_lattice *l);
const hd_dimension *hd_lattice_dimension(const hd_lattice *l, size_t dim); /* borrowed */
size_t hd_lattice_n_cells(const hd_lattice *l);
/* The cell of one code a dimension, and back. */
size_t hd_lattice_cell(const hd_lattice *l, const uint32_t *codes);
void hd_lattice_codes(const hd_lattice *l, size_t cell, uint32_t *codes);
/* How far the next code of this dimension is. */
size_t hd_lattice_stride(const hd_lattice *l, size_t dim);
/* True when no code of the cell is the parent of a rule: the cell is no sum. */
bool hd_lattice_is_leaf(const hd_lattice *l, size_t cell);
/* Sum over the dimensions of how deep the code lies (0: no parent; else the longest way up). A cell
 * of smaller depth is wanted more. */
uint32_t hd_lattice_depth(const hd_lattice *l, size_t cell);
/* The codes of a dimension with every parent before its children; borrowed, n_codes of them. */
const uint32_t *hd_lattice_top_down(const hd_lattice *l, size_t dim);
/* 64-bit name of a cell, made from the names and codes of its dimensions in any order, so that it
 * moves with the labels when codes or dimensions are written in another order. */
uint64_t hd_lattice_name(const hd_lattice *l, size_t cell);

/* Fill every cell that is a sum from the leaves (other values are overwritten). HD_LIMIT when a sum
 * passes 2^60; HD_INVALID when two rules for one code (linked trees) give different sums. */
HD_MUST hd_code hd_lattice_sum(const hd_lattice *l, int64_t *values, hd_err *err);
/* below[c] = true where some cell of which c is a part, however far up, has mark[c] true. */
void hd_lattice_below(const hd_lattice *l, const bool *mark, bool *below);

#endif
