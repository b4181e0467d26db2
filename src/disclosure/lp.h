/* lp.h - a system of sums as a file for an outside solver, and what the solver says about it. */
#ifndef HD_DISCLOSURE_LP_H
#define HD_DISCLOSURE_LP_H

#include "base/buf.h"
#include "disclosure/system.h"

/* CPLEX LP format: a variable x0, x1, ... a cell, a row a sum, bounds, all whole numbers; smallest
 * (or largest) value of one cell. comments: put in front, each line beginning with a backslash. */
void hd_lp_write(hd_buf *out, const hd_system *s, uint32_t cell, bool is_largest,
                 const char *comments);

typedef enum hd_lp_answer {
    HD_LP_FOUND,  /* *value is the end */
    HD_LP_NONE,   /* no table fits */
    HD_LP_SILENT  /* no end, or not found in time */
} hd_lp_answer;

typedef struct hd_lp_solver hd_lp_solver;
/* NULL with HD_OK: glpsol is not installed. */
HD_MUST hd_code hd_lp_solver_open(hd_lp_solver **out, hd_err *err);
void hd_lp_solver_close(hd_lp_solver *v);
HD_MUST hd_code hd_lp_solver_ask(hd_lp_solver *v, const hd_system *s, uint32_t cell,
                                 bool is_largest, hd_lp_answer *answer, int64_t *value,
                                 hd_err *err);

#endif
