/* compare.h - two groups, a trend over ordered groups, and pooled estimates. */
#ifndef HD_STATISTICS_COMPARE_H
#define HD_STATISTICS_COMPARE_H

#include "statistics/interval.h"

typedef struct hd_comparison {
    double difference, ratio; /* first against second; NAN where undefined */
    double p;                 /* two-sided */
} hd_comparison;

typedef enum hd_proportion_test { HD_TEST_CHI_SQUARE, HD_TEST_FISHER } hd_proportion_test;

/* x1 of n1 against x2 of n2. Limits of the difference: Newcombe's from Wilson's; of the ratio:
 * Katz's. */
HD_MUST hd_code hd_compare_proportions(double x1, double n1, double x2, double n2,
                                       hd_proportion_test test, hd_comparison *out, hd_err *err);
HD_MUST hd_code hd_proportion_difference(double x1, double n1, double x2, double n2, double level,
                                         hd_limits *difference, hd_limits *ratio, hd_err *err);

/* Poisson counts over exposures; p and the limits of the ratio are exact, conditional on the sum;
 * those of the difference are put together, as Newcombe's, from the exact limits of the rates. */
HD_MUST hd_code hd_compare_rates(double x1, double t1, double x2, double t2, hd_comparison *out,
                                 hd_err *err);
HD_MUST hd_code hd_rate_difference(double x1, double t1, double x2, double t2, double level,
                                   hd_limits *difference, hd_limits *ratio, hd_err *err);

/* Welch's t test. */
HD_MUST hd_code hd_compare_means(double n1, double mean1, double sd1, double n2, double mean2,
                                 double sd2, hd_comparison *out, hd_err *err);
HD_MUST hd_code hd_mean_difference(double n1, double mean1, double sd1, double n2, double mean2,
                                   double sd2, double level, hd_limits *difference, hd_err *err);

typedef struct hd_trend {
    double slope, se, z, p; /* change of the proportion per unit of score */
} hd_trend;
/* Cochran and Armitage's test for a trend of proportions over scores. */
HD_MUST hd_code hd_trend_of(const double *score, const double *x, const double *n, size_t groups,
                            hd_trend *out, hd_err *err);

typedef struct hd_pooled {
    double tau2, q, i2; /* i2 in percent */
    double estimate, se;
} hd_pooled;
/* DerSimonian and Laird's random effects estimate. */
HD_MUST hd_code hd_pool(const double *estimates, const double *variances, size_t n, hd_pooled *out,
                        hd_err *err);

#endif
