/* axis.h - one dimension of a table as it comes from outside: codes, and trees of sums over them.
 *
 * Codes are numbered as they come in. When all are known, hd_axis_finish checks the trees and sorts:
 * the codes of the finished dimension are in byte order, so that the same table in another order of
 * rows is the same lattice. `shown` keeps the order in which people wrote them, the total last.
 */
#ifndef HD_DISCLOSURE_AXIS_H
#define HD_DISCLOSURE_AXIS_H

#include "base/csv.h"
#include "base/intern.h"
#include "disclosure/lattice.h"

typedef struct hd_axis_edge {
    uint32_t code, parent, tree;
    size_t line;
} hd_axis_edge;

typedef struct hd_axis {
    char *name;
    hd_intern *texts;
    uint32_t total; /* number of the code that stands for everything */
    size_t n_trees;
    char **tree_names; /* files, for errors */
    hd_axis_edge *edges;
    size_t n_edges, edges_cap, trees_cap;
    /* made by hd_axis_finish */
    uint32_t n_codes;
    uint32_t *place; /* number -> position in byte order */
    uint32_t *shown; /* positions in the order of display */
    char **codes;
    hd_code_rule *rules;
    size_t n_rules, rules_cap;
} hd_axis;

/* total: the code that stands for everything, such as "Total". */
HD_MUST hd_code hd_axis_init(hd_axis *a, const char *name, const char *total, hd_err *err);
void hd_axis_free(hd_axis *a);
/* Add a tree: CSV text with the columns code and parent; name is used in errors. HD_FORMAT. */
HD_MUST hd_code hd_axis_tree(hd_axis *a, const char *text, size_t len, const char *name,
                             hd_err *err);
/* The number of a code of the table. Without trees a new one is taken in; with trees it is
 * HD_INTERN_NONE when no tree has it. */
HD_MUST hd_code hd_axis_code(hd_axis *a, const char *code, uint32_t *number, hd_err *err);
/* No more codes. HD_FORMAT when a tree has no top or several, a circle, or does not cover what
 * another one covers. sorted: show the codes in byte order, not as they came. */
HD_MUST hd_code hd_axis_finish(hd_axis *a, bool sorted, hd_err *err);
hd_dimension hd_axis_dimension(const hd_axis *a); /* borrowed */

#endif
