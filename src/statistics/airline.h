/* airline.h - the seasonal ARIMA (0,1,1)(0,1,1) of Box and Jenkins' airline passengers, by exact
 * maximum likelihood. Signs as in R: (1 - B)(1 - B^s) y = (1 + theta B)(1 + Theta B^s) e. */
#ifndef HD_STATISTICS_AIRLINE_H
#define HD_STATISTICS_AIRLINE_H

#include "statistics/interval.h"

typedef struct hd_airline {
    double theta, seasonal_theta, sigma2;
    double log_likelihood, aic, aicc, bic;
} hd_airline;

/* y: n values, more than a period and 4 more. theta and seasonal_theta: NAN to fit, or given.
 * fitted: n one-step forecasts, NAN for the first period + 1; mean and limits (level by level): h
 * forecasts. */
HD_MUST hd_code hd_airline_fit(const double *y, size_t n, size_t period, double theta,
                               double seasonal_theta, hd_airline *out, double *fitted, size_t h,
                               const double *levels, unsigned n_levels, double *mean,
                               hd_limits *limits, hd_err *err);

#endif
