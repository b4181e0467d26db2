/* system.h - cells with bounds and the sums between them: what an attacker knows of a release.
 *
 * Each cell holds a whole number between low and high; each rule says that one cell is the sum of
 * others. Cells of several tables that stand for the same set of records are one cell here. This is
 * the one form on which propagation, elimination, search, protection and certificates work.
 */
#ifndef HD_DISCLOSURE_SYSTEM_H
#define HD_DISCLOSURE_SYSTEM_H

#include "disclosure/lattice.h"

/* "No bound": -HD_NO_BOUND and HD_NO_BOUND. Every value is smaller than 2^52 in size. */
#define HD_NO_BOUND (INT64_C(1) << 60)
#define HD_MAX_VALUE (INT64_C(1) << 52)

typedef struct hd_system {
    size_t n_cells, n_rules;
    int64_t *low, *high; /* n_cells: inclusive */
    uint64_t *name;      /* n_cells: breaks ties, moves with the cell when cells are reordered */
    uint32_t *parent;    /* n_rules */
    size_t *start;       /* n_rules + 1: children of rule r are child[start[r] .. start[r+1]-1] */
    uint32_t *child;
    size_t cells_cap, low_cap, high_cap, name_cap, parent_cap, start_cap, child_cap, n_child;
} hd_system;

void hd_system_init(hd_system *s);
void hd_system_free(hd_system *s); /* wipes */
/* Adds a cell and gives its number. HD_LIMIT past 2^31 cells. */
HD_MUST hd_code hd_system_cell(hd_system *s, int64_t low, int64_t high, uint64_t name,
                               uint32_t *cell, hd_err *err);
/* Adds "parent = sum of children"; children are distinct and not the parent. A rule without
 * children says that the parent is 0. */
HD_MUST hd_code hd_system_rule(hd_system *s, uint32_t parent, const uint32_t *children,
                               size_t n_children, hd_err *err);
/* All cells of the lattice in their order, then its rules. low, high: one a cell. */
HD_MUST hd_code hd_system_from_lattice(hd_system *out, const hd_lattice *l, const int64_t *low,
                                       const int64_t *high, hd_err *err);
HD_MUST hd_code hd_system_copy(hd_system *out, const hd_system *s, hd_err *err);

/* How a table fails the system: HD_OK, or HD_INVALID naming the first rule that does not add up or
 * cell that is out of bounds (by number, never by value). */
HD_MUST hd_code hd_system_check(const hd_system *s, const int64_t *values, hd_err *err);

#endif
