/* ets.h - exponential smoothing as state space models (Hyndman and others): error, trend, season,
 * each additive or multiplicative, fitted by maximum likelihood or with given constants. */
#ifndef HD_STATISTICS_ETS_H
#define HD_STATISTICS_ETS_H

#include "statistics/interval.h"

enum { HD_ETS_PERIOD_MAX = 366 };

typedef enum hd_component { HD_NONE_COMPONENT, HD_ADDITIVE, HD_MULTIPLICATIVE } hd_component;

typedef struct hd_ets_model {
    hd_component error, trend, season; /* error is never NONE */
    bool damped;
    size_t period; /* 1 without season */
} hd_ets_model;

/* Level, growth and seasonal states before the first observation; seasonal[0] belongs to the most
 * recent period (the one before the first observation), seasonal[period - 1] applies to the first
 * observation. */
typedef struct hd_ets_parameters {
    double alpha, beta, gamma, phi; /* beta, gamma: direct gains */
    double level, trend;
    double seasonal[HD_ETS_PERIOD_MAX];
} hd_ets_parameters;

typedef struct hd_ets_point {
    double fitted, residual;     /* residual relative for multiplicative errors */
    double level, trend, season; /* after the observation */
} hd_ets_point;

typedef struct hd_ets_fit {
    hd_ets_model model;
    hd_ets_parameters start, end; /* end: the states after the last observation */
    double log_likelihood;        /* as R's forecast: up to its constant */
    double sigma2, aic, aicc, bic;
    unsigned n_parameters; /* with the states and the variance */
} hd_ets_fit;

/* Run the model over n values; points may be NULL. sigma2 is the mean squared residual over n minus
 * the number of fitted parameters when fitted, over n when all were given. HD_INVALID: a
 * multiplicative component meets values at or below 0. */
HD_MUST hd_code hd_ets_run(const hd_ets_model *model, const hd_ets_parameters *parameters,
                           const double *y, size_t n, hd_ets_point *points, hd_ets_fit *out,
                           hd_err *err);

/* Fit by maximum likelihood; constants given (not NAN) in fixed are kept. */
HD_MUST hd_code hd_ets_estimate(const hd_ets_model *model, const hd_ets_parameters *fixed,
                                const double *y, size_t n, hd_ets_fit *out, hd_err *err);

/* Of the models that suit the data, that with the smallest corrected AIC; a constant has the
 * simplest, with errors of 0. */
HD_MUST hd_code hd_ets_choose(const double *y, size_t n, size_t period, hd_ets_fit *out,
                              hd_err *err);

/* Point forecasts, and limits at each level (n_levels * h, level by level): from the variance
 * formulae of linear models with additive errors, else by simulation from `seed`. as_r: continue
 * damped trends as R's forecast package does where it departs from the models' definition
 * (doc/methods.md). */
HD_MUST hd_code hd_ets_forecast(const hd_ets_fit *fit, size_t h, const double *levels,
                                unsigned n_levels, uint64_t seed, bool as_r, double *mean,
                                hd_limits *limits, hd_err *err);

/* Constants and states that are to be fitted: all NAN. */
hd_ets_parameters hd_ets_unknown(void);
/* "ETS(A,Ad,M)" */
void hd_ets_name(const hd_ets_model *model, char out[24]);

#endif
