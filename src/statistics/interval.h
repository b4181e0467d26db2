/* interval.h - limits of proportions, counts, rates, means and ratios, at any two-sided level.
 *
 * A level is a fraction: 0.95, 0.998. Numerators may be fractional and any size up to 2^53. All
 * functions are pure and may be called from several threads. They refuse (HD_INVALID) what makes no
 * sense: a level outside 0..1, a negative or non-finite count, a numerator above its denominator
 * where that is impossible, a denominator of 0. Sources and variants: doc/methods.md.
 */
#ifndef HD_STATISTICS_INTERVAL_H
#define HD_STATISTICS_INTERVAL_H

#include "base/err.h"

typedef struct hd_limits {
    double lower, upper; /* NAN: this side has no limit */
} hd_limits;

typedef enum hd_proportion_method {
    HD_PROPORTION_WILSON, /* the default of English official statistics */
    HD_PROPORTION_WILSON_CONTINUITY,
    HD_PROPORTION_EXACT, /* Clopper and Pearson */
    HD_PROPORTION_AGRESTI_COULL,
    HD_PROPORTION_WALD /* for comparison only: too narrow near 0 and 1 */
} hd_proportion_method;

typedef enum hd_count_method {
    HD_COUNT_PHE,   /* exact below 10 events, Byar from 10: the default */
    HD_COUNT_BYAR,  /* a negative lower limit is given as 0 */
    HD_COUNT_EXACT, /* chi-square */
} hd_count_method;

/* Two-sided standard normal quantile: 1.959964 for 0.95. */
HD_MUST hd_code hd_z(double level, double *z, hd_err *err);

/* Limits of x/n as a fraction of 1; at x = 0 lower is 0, at x = n upper is 1, exactly. Those of
 * Agresti-Coull and Wald may lie outside 0..1 elsewhere, as their formulas do. */
HD_MUST hd_code hd_proportion_limits(hd_proportion_method method, double x, double n, double level,
                                     hd_limits *out, hd_err *err);

/* Limits of a Poisson count. Divide both by the exposure (and multiply) for a rate, by the expected
 * count for a standardised ratio. */
HD_MUST hd_code hd_count_limits(hd_count_method method, double x, double level, hd_limits *out,
                                hd_err *err);
/* The method that HD_COUNT_PHE uses for this count; others are themselves. */
hd_count_method hd_count_method_used(hd_count_method method, double x);

/* Student's t limits of a mean of n values with sample standard deviation sd (n - 1). With n = 1
 * there is no interval: both sides NAN. */
HD_MUST hd_code hd_mean_limits(double n, double mean, double sd, double level, hd_limits *out,
                               hd_err *err);

/* Log-normal limits of a/b for two independent Poisson counts: exp(ln(a/b) -+ z sqrt(1/a + 1/b)).
 * b = 0 is refused. With a = 0 the lower limit is 0 and the upper one comes from (a + 1/2)/(b +
 * 1/2). Multiply by what the counts are divided by (days, people) for a ratio of rates. */
HD_MUST hd_code hd_count_ratio_limits(double a, double b, double level, hd_limits *out,
                                      hd_err *err);

/* Ranks (1-based) of the ordered values that bound the quantile q of n values with at least the
 * level: *lower = largest r with P(B <= r-1) <= alpha/2, *upper = smallest s with
 * P(B <= s-1) >= 1 - alpha/2, B binomial(n, q). *lower = 0: no lower limit; *upper = n + 1: no
 * upper limit (too few values). */
HD_MUST hd_code hd_quantile_ranks(uint64_t n, double q, double level, uint64_t *lower,
                                  uint64_t *upper, hd_err *err);

#endif
