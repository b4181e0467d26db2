/* airline.c - see airline.h. The differenced series is a moving average of period + 1 lags; the
 * innovations algorithm gives its one-step forecasts and their variances, and so the exact
 * likelihood. */
#include "statistics/airline.h"

#include <math.h>
#include <nlopt.h>
#include <string.h>

#include "base/alloc.h"

typedef struct process {
    const double *w; /* differenced; m of them */
    size_t m, period, q, ahead;
    double *coefficient, *rows, *variance, *error, *forecast; /* rows: (m + ahead) * q */
    double given, seasonal_given;                             /* NAN: fitted */
    double sigma2, twice;                                     /* of the last evaluation */
} process;

static double autocovariance(const process *p, size_t lag)
{
    double sum = 0;
    for (size_t j = 0; j + lag <= p->q; j++)
        sum += p->coefficient[j] * p->coefficient[j + lag];
    return sum;
}

/* One step of the innovations algorithm: row i of the coefficients and its variance. rows[i][j - 1]
 * belongs to the error j steps back. */
static void innovate(process *p, size_t i, const double *gamma)
{
    size_t q = p->q, from = i > q ? i - q : 0;
    double *row = p->rows + i * q, v = gamma[0];
    for (size_t k = from; k < i; k++) {
        const double *other = p->rows + k * q;
        double sum = gamma[i - k];
        for (size_t j = k > q ? (k - q > from ? k - q : from) : from; j < k; j++)
            sum -= other[k - j - 1] * row[i - j - 1] * p->variance[j];
        row[i - k - 1] = sum / p->variance[k];
    }
    for (size_t j = from; j < i; j++)
        v -= row[i - j - 1] * row[i - j - 1] * p->variance[j];
    p->variance[i] = v;
}

/* -2 log likelihood with the variance concentrated out. */
static double evaluate(process *p, double theta, double seasonal, double *gamma)
{
    memset(p->coefficient, 0, (p->q + 1) * sizeof *p->coefficient);
    p->coefficient[0] = 1;
    p->coefficient[1] += theta;
    p->coefficient[p->period] += seasonal;
    p->coefficient[p->period + 1] += theta * seasonal;
    for (size_t k = 0; k <= p->q; k++)
        gamma[k] = autocovariance(p, k);
    double squares = 0, logs = 0;
    for (size_t i = 0; i < p->m + p->ahead; i++) {
        innovate(p, i, gamma);
        double f = 0;
        for (size_t j = 1; j <= p->q && j <= i; j++)
            if (i - j < p->m)
                f += p->rows[i * p->q + j - 1] * p->error[i - j];
        p->forecast[i] = f;
        if (i >= p->m)
            continue;
        p->error[i] = p->w[i] - f;
        squares += p->error[i] * p->error[i] / p->variance[i];
        logs += log(p->variance[i]);
    }
    double m = (double)p->m;
    p->sigma2 = squares / m;
    p->twice = m * log(2 * M_PI * p->sigma2) + logs + m;
    return p->twice;
}

typedef struct search {
    process *p;
    double *gamma;
} search;

static double objective(unsigned n, const double *x, double *gradient, void *context)
{
    (void)gradient;
    search *s = context;
    unsigned k = 0;
    double theta = isnan(s->p->given) ? x[k++] : s->p->given;
    double seasonal = isnan(s->p->seasonal_given) ? x[k++] : s->p->seasonal_given;
    HD_ALWAYS(k == n);
    double v = evaluate(s->p, theta, seasonal, s->gamma);
    return isfinite(v) ? v : 1e15;
}

static hd_code maximise(search *s, double *theta, double *seasonal, hd_err *err)
{
    double x[2] = {-0.3, -0.3}, best;
    process *p = s->p;
    unsigned n = (unsigned)isnan(p->given) + (unsigned)isnan(p->seasonal_given), k = 0;
    for (int pass = 0; n > 0 && pass < 2; pass++) {
        nlopt_opt opt = nlopt_create(pass ? NLOPT_LN_SBPLX : NLOPT_LN_NELDERMEAD, n);
        if (!opt)
            return hd_fail_nomem(err);
        nlopt_set_min_objective(opt, objective, s);
        nlopt_set_lower_bounds1(opt, -0.9999);
        nlopt_set_upper_bounds1(opt, 0.9999);
        nlopt_set_ftol_rel(opt, 1e-12);
        nlopt_set_xtol_rel(opt, 1e-8);
        nlopt_set_maxeval(opt, 500);
        nlopt_result result = nlopt_optimize(opt, x, &best);
        nlopt_destroy(opt);
        if (result == NLOPT_OUT_OF_MEMORY)
            return hd_fail_nomem(err);
    }
    *theta = isnan(p->given) ? x[k++] : p->given;
    *seasonal = isnan(p->seasonal_given) ? x[k] : p->seasonal_given;
    return HD_OK;
}

/* Forecasts of y from those of the differences, and their spread by the psi weights. */
static hd_code integrate(const process *p, const double *y, size_t n, double *series,
                         const double *levels, unsigned n_levels, size_t h, double *mean,
                         hd_limits *limits, hd_err *err)
{
    size_t s = p->period;
    double *psi = series + n + h; /* h of them */
    double sum = 0;
    memcpy(series, y, n * sizeof *y);
    for (size_t j = 0; j < h; j++) {
        size_t t = n + j;
        series[t] = p->forecast[p->m + j] + series[t - 1] + series[t - s] - series[t - s - 1];
        mean[j] = series[t];
        psi[j] = j <= p->q ? p->coefficient[j] : 0;
        psi[j] += j >= 1 ? psi[j - 1] : 0;
        psi[j] += j >= s ? psi[j - s] : 0;
        psi[j] -= j >= s + 1 ? psi[j - s - 1] : 0;
        sum += psi[j] * psi[j];
        for (unsigned k = 0; k < n_levels; k++) {
            double z;
            HD_TRY(hd_z(levels[k], &z, err));
            double half = z * sqrt(p->sigma2 * sum);
            limits[k * h + j] = (hd_limits){mean[j] - half, mean[j] + half};
        }
    }
    return HD_OK;
}

hd_code hd_airline_fit(const double *y, size_t n, size_t period, double theta,
                       double seasonal_theta, hd_airline *out, double *fitted, size_t h,
                       const double *levels, unsigned n_levels, double *mean, hd_limits *limits,
                       hd_err *err)
{
    if (period < 2 || n < 2 * period + 2)
        return hd_fail(err, HD_INVALID,
                       "this model needs a period of 2 or more, and two of values");
    hd_code rc = HD_OK;
    size_t m = n - period - 1, q = period + 1;
    process p = {.m = m,
                 .period = period,
                 .q = q,
                 .ahead = h,
                 .given = theta,
                 .seasonal_given = seasonal_theta};
    double *w = hd_calloc(m, sizeof *w), *gamma = hd_calloc(q + 1, sizeof *gamma);
    double *series = hd_calloc(n + 2 * h, sizeof *series);
    p.coefficient = hd_calloc(q + 1, sizeof *p.coefficient);
    p.rows = hd_calloc(m + h, q * sizeof *p.rows);
    p.variance = hd_calloc(m + h, sizeof *p.variance);
    p.error = hd_calloc(m + h, sizeof *p.error);
    p.forecast = hd_calloc(m + h, sizeof *p.forecast);
    if (!w || !gamma || !series || !p.coefficient || !p.rows || !p.variance || !p.error ||
        !p.forecast)
        HD_GO(hd_fail_nomem(err));
    double spread = 0;
    for (size_t i = 0; i < m; i++) {
        size_t t = i + period + 1;
        w[i] = y[t] - y[t - 1] - y[t - period] + y[t - period - 1];
        spread += fabs(w[i]);
    }
    if (!(spread > 0) || !isfinite(spread))
        HD_GO(hd_fail(err, HD_INVALID, "the differences do not vary: there is nothing to fit"));
    p.w = w;
    search s = {&p, gamma};
    HD_GO(maximise(&s, &out->theta, &out->seasonal_theta, err));
    evaluate(&p, out->theta, out->seasonal_theta, gamma);
    for (size_t t = 0; t < n; t++)
        fitted[t] = t <= period ? (double)NAN : y[t] - p.error[t - period - 1];
    out->sigma2 = p.sigma2;
    out->log_likelihood = -p.twice / 2;
    out->aic = p.twice + 6;
    out->aicc = out->aic + 24 / ((double)m - 4);
    out->bic = p.twice + 3 * log((double)m);
    HD_GO(integrate(&p, y, n, series, levels, n_levels, h, mean, limits, err));
out:
    hd_free(w);
    hd_free(gamma);
    hd_free(series);
    hd_free(p.coefficient);
    hd_free(p.rows);
    hd_free(p.variance);
    hd_free(p.error);
    hd_free(p.forecast);
    return rc;
}
