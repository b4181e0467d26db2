/* par.h - run independent tasks on a few threads. The result never depends on how many. */
#ifndef HD_BASE_PAR_H
#define HD_BASE_PAR_H

#include "base/err.h"

/* Threads to use: HDIS_THREADS if set (1..256), else the processors of this machine. */
unsigned hd_par_threads(void);

/* Call fn(ctx, task, err) for task 0 .. n_tasks-1, at most hd_par_threads() at a time, tasks handed
 * out in order. Returns the failure of the lowest-numbered task that failed; tasks not yet started
 * are then left out. */
HD_MUST hd_code hd_par_run(size_t n_tasks, hd_code (*fn)(void *ctx, size_t task, hd_err *err),
                           void *ctx, hd_err *err);

#endif
