/* cusum.h - risk-adjusted cumulative sums and VLAD, and the limits for them. */
#ifndef HD_STATISTICS_CUSUM_H
#define HD_STATISTICS_CUSUM_H

#include "base/err.h"

/* Log-likelihood ratio of an outcome (0 or 1) when the odds of the event are odds_ratio times those
 * of the risk model. Positive weights speak for the changed odds. */
double hd_cusum_weight(double risk, double outcome, double odds_ratio);

typedef struct hd_cusum_options {
    double limit;      /* above 0 */
    bool reset;        /* start again after a signal */
    double head_start; /* share of the limit at which it starts again: 0, or 0.5 */
} hd_cusum_options;

typedef struct hd_cusum_point {
    double value; /* of the statistic, before a restart */
    bool signal;
} hd_cusum_point;

/* C = max(0, C + weight); a signal where C >= limit. A weight that is NAN (no outcome) changes
 * nothing. */
HD_MUST hd_code hd_cusum(const double *weights, size_t n, const hd_cusum_options *options,
                         hd_cusum_point *points, hd_err *err);

/* Smallest value that the statistic exceeds within n patients of the same risk with a probability
 * of at most alpha while the risks hold: exactly, n <= 200. */
HD_MUST hd_code hd_cusum_exact_limit(double risk, size_t n, double odds_ratio, double alpha,
                                     double *limit, hd_err *err);
/* The same by simulation for any risks (they are used in turn), from `seed`. */
HD_MUST hd_code hd_cusum_simulated_limit(const double *risks, size_t n, double odds_ratio,
                                         double alpha, size_t repetitions, uint64_t seed,
                                         double *limit, hd_err *err);

#endif
