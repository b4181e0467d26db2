/* inequality.h - slope and relative index of inequality across ordered quantiles (deprivation). */
#ifndef HD_STATISTICS_INEQUALITY_H
#define HD_STATISTICS_INEQUALITY_H

#include "statistics/interval.h"

typedef enum hd_inequality_kind { /* what a value is; decides the transformation */
                                  HD_INEQUALITY_PLAIN,
                                  HD_INEQUALITY_RATE,      /* logarithm */
                                  HD_INEQUALITY_PROPORTION /* logit; values are fractions of 1 */
} hd_inequality_kind;

/* Quantile 1 (the most deprived) first. */
typedef struct hd_inequality_point {
    double population, value;
    double
        se; /* of the logarithm of a rate, of the logit of a proportion, of a plain value itself */
} hd_inequality_point;

typedef struct hd_inequality {
    double slope;     /* of the fit, on its scale */
    double intercept; /* value at the lowest end, on the scale of the values */
    double sii, rii;  /* on the scale of the values */
} hd_inequality;

/* Set se from the 95% limits of the value. HD_INVALID when they have no logarithm or logit, or are
 * in the wrong order. */
HD_MUST hd_code hd_inequality_se(hd_inequality_kind kind, double lower, double upper, double *se,
                                 hd_err *err);

/* Least squares, weighted by population, of the values on cumulative population mid-points; with
 * transform the fit is to logarithms or logits. HD_INVALID when a value has none, or there are
 * fewer than 3. */
HD_MUST hd_code hd_inequality_fit(const hd_inequality_point *p, size_t n, hd_inequality_kind kind,
                                  bool transform, hd_inequality *out, hd_err *err);

/* Limits by simulation: normal draws for every quantile on the scale of se, `repetitions` times,
 * from `seed`. sii, rii: n_levels pairs. Nothing but the arguments decides the result. */
HD_MUST hd_code hd_inequality_limits(const hd_inequality_point *p, size_t n,
                                     hd_inequality_kind kind, bool transform, size_t repetitions,
                                     uint64_t seed, const double *levels, unsigned n_levels,
                                     hd_limits *sii, hd_limits *rii, hd_err *err);

#endif
