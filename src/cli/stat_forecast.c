/* stat_forecast.c - `hdis stat` forecast. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/date.h"
#include "cli/stat.h"
#include "cli/stat_calendar.h"
#include "statistics/airline.h"
#include "statistics/ets.h"

/* Names that people use, and what they are as a state space model. */
static const struct {
    const char *name;
    hd_component error, trend, season;
    bool damped;
} named[] = {
    {"ses", HD_ADDITIVE, HD_NONE_COMPONENT, HD_NONE_COMPONENT, false},
    {"holt", HD_ADDITIVE, HD_ADDITIVE, HD_NONE_COMPONENT, false},
    {"damped", HD_ADDITIVE, HD_ADDITIVE, HD_NONE_COMPONENT, true},
    {"holt-winters", HD_ADDITIVE, HD_ADDITIVE, HD_ADDITIVE, false},
    {"holt-winters-multiplicative", HD_ADDITIVE, HD_ADDITIVE, HD_MULTIPLICATIVE, false},
};

typedef enum kind {
    KIND_AUTO,
    KIND_ETS,
    KIND_NAIVE,
    KIND_SEASONAL_NAIVE,
    KIND_AIRLINE,
    KIND_CALENDAR
} kind;

typedef struct settings {
    kind kind;
    hd_ets_model model;
    hd_ets_parameters fixed;
    size_t period, horizon;
    uint64_t seed;
    int value, output;
    bool all_given, as_r, logs;
    double theta, seasonal_theta; /* airline: given, or NAN */
    hd_stat_calendar calendar;
} settings;

static hd_code component_of(char letter, hd_component *out, hd_err *err)
{
    switch (letter) {
    case 'N':
        *out = HD_NONE_COMPONENT;
        return HD_OK;
    case 'A':
        *out = HD_ADDITIVE;
        return HD_OK;
    case 'M':
        *out = HD_MULTIPLICATIVE;
        return HD_OK;
    default:
        return hd_fail(
            err, HD_INVALID,
            "--model must be auto, ses, holt, damped, holt-winters, "
            "holt-winters-multiplicative, airline, calendar, naive, seasonal-naive or letters such "
            "as AAdM");
    }
}

/* "AAN", "MAdM": error, trend (d: damped), season. */
static hd_code read_model(const char *text, settings *d, hd_err *err)
{
    d->kind = KIND_ETS;
    if (!text || strcmp(text, "auto") == 0) {
        d->kind = KIND_AUTO;
        return HD_OK;
    }
    if (strcmp(text, "naive") == 0 || strcmp(text, "seasonal-naive") == 0) {
        d->kind = text[0] == 'n' ? KIND_NAIVE : KIND_SEASONAL_NAIVE;
        return HD_OK;
    }
    if (strcmp(text, "airline") == 0 || strcmp(text, "calendar") == 0) {
        d->kind = text[0] == 'a' ? KIND_AIRLINE : KIND_CALENDAR;
        return HD_OK;
    }
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (strcmp(text, named[i].name) == 0) {
            d->model =
                (hd_ets_model){named[i].error, named[i].trend, named[i].season, named[i].damped, 1};
            return HD_OK;
        }
    size_t n = strlen(text);
    if (n < 3 || n > 4 || (n == 4 && text[2] != 'd'))
        return component_of('?', &d->model.error, err);
    HD_TRY(component_of(text[0], &d->model.error, err));
    HD_TRY(component_of(text[1], &d->model.trend, err));
    HD_TRY(component_of(text[n - 1], &d->model.season, err));
    d->model.damped = n == 4;
    if (d->model.error == HD_NONE_COMPONENT || (d->model.damped && text[1] == 'N'))
        return component_of('?', &d->model.error, err);
    return HD_OK;
}

/* --initial: level, trend if any, seasonal states from the most recent back; separated by
 * semicolons. */
static hd_code read_initial(const char *text, settings *d, hd_err *err)
{
    double v[2 + HD_ETS_PERIOD_MAX];
    size_t n, at = 0;
    bool season = d->model.season != HD_NONE_COMPONENT, trend = d->model.trend != HD_NONE_COMPONENT;
    size_t want = 1 + trend + (season ? d->period : 0);
    if (!text)
        return HD_OK;
    if (d->kind != KIND_ETS)
        return hd_fail(err, HD_INVALID, "--initial needs a --model with states");
    if (!hd_stat_parse_list(text, ';', v, 2 + HD_ETS_PERIOD_MAX, &n) || n != want)
        return hd_fail(err, HD_INVALID, "--initial must be %zu numbers joined by semicolons", want);
    d->fixed.level = v[at++];
    if (trend)
        d->fixed.trend = v[at++];
    for (size_t i = 0; season && i < d->period; i++)
        d->fixed.seasonal[i] = v[at++];
    return HD_OK;
}

static hd_code read_settings(hd_stat *s, settings *d, hd_err *err)
{
    static const char *const outputs[] = {"forecast", "fitted", "model", NULL};
    static const char *const dampings[] = {"model", "r", NULL};
    double period, horizon, seed;
    int damping;
    *d = (settings){.fixed = hd_ets_unknown(), .value = hd_stat_column_of(s, "value")};
    HD_TRY(hd_stat_setting(s, "period", 1, HD_ETS_PERIOD_MAX, 12, &period, err));
    HD_TRY(hd_stat_setting(s, "horizon", 1, 100000, 12, &horizon, err));
    HD_TRY(hd_stat_setting(s, "seed", 0, 9e15, 1, &seed, err));
    HD_TRY(hd_stat_setting(s, "alpha", 0, 2, (double)NAN, &d->fixed.alpha, err));
    HD_TRY(hd_stat_setting(s, "beta", 0, 4, (double)NAN, &d->fixed.beta, err));
    HD_TRY(hd_stat_setting(s, "gamma", 0, 2, (double)NAN, &d->fixed.gamma, err));
    HD_TRY(hd_stat_setting(s, "phi", 0.01, 1, (double)NAN, &d->fixed.phi, err));
    HD_TRY(hd_stat_choice(s, "output", outputs, 0, &d->output, err));
    HD_TRY(hd_stat_choice(s, "damping", dampings, 0, &damping, err));
    HD_TRY(hd_stat_setting(s, "theta", -1, 1, (double)NAN, &d->theta, err));
    HD_TRY(hd_stat_setting(s, "seasonal-theta", -1, 1, (double)NAN, &d->seasonal_theta, err));
    d->logs = hd_stat_switch(s, "log");
    d->as_r = damping == 1;
    HD_TRY(read_model(hd_stat_text(s, "model"), d, err));
    d->period = (size_t)period;
    d->horizon = (size_t)horizon;
    d->seed = (uint64_t)seed;
    d->model.period = d->model.season == HD_NONE_COMPONENT ? 1 : d->period;
    HD_TRY(read_initial(hd_stat_text(s, "initial"), d, err));
    if (d->kind == KIND_CALENDAR)
        HD_TRY(hd_stat_calendar_open(s, &d->calendar, err));
    const hd_ets_parameters *f = &d->fixed;
    d->all_given = d->kind == KIND_ETS && !isnan(f->alpha) && !isnan(f->level) &&
                   (d->model.trend == HD_NONE_COMPONENT || (!isnan(f->beta) && !isnan(f->trend))) &&
                   (d->model.season == HD_NONE_COMPONENT || !isnan(f->gamma)) &&
                   (!d->model.damped || !isnan(f->phi));
    return HD_OK;
}

/* Error measures of the one-step forecasts; scaled by the mean absolute seasonal difference. */
typedef struct measures {
    double me, mae, rmse, mape, mase;
} measures;

static measures measure(const double *y, const double *fitted, size_t n, size_t period)
{
    measures m = {0};
    double used = 0, naive = 0, percent = 0;
    for (size_t i = 0; i < n; i++) {
        double e = y[i] - fitted[i];
        if (isnan(e))
            continue;
        used++;
        m.me += e;
        m.mae += fabs(e);
        m.rmse += e * e;
        percent += y[i] != 0 ? fabs(e / y[i]) : (double)NAN;
    }
    for (size_t i = period; i < n; i++)
        naive += fabs(y[i] - y[i - period]);
    naive /= (double)(n > period ? n - period : 1);
    m = (measures){m.me / used, m.mae / used, sqrt(m.rmse / used), 100 * percent / used, 0};
    m.mase = naive > 0 ? m.mae / naive : (double)NAN;
    return m;
}

typedef struct result {
    hd_ets_fit fit;
    char name[24];
    double *fitted, *mean;
    hd_ets_point *points;
    hd_limits *limits;
    double theta, seasonal_theta;
    hd_regression regression; /* KIND_CALENDAR */
} result;

static void result_free(result *r)
{
    hd_free(r->fitted);
    hd_free(r->mean);
    hd_free(r->points);
    hd_free(r->limits);
}

/* The last value, or the value a season ago; errors grow with the number of whole seasons ahead. */
static hd_code naive(const settings *d, const double *y, size_t n, const double *levels,
                     unsigned n_levels, result *r, hd_err *err)
{
    size_t p = d->kind == KIND_NAIVE ? 1 : d->period;
    double squares = 0;
    if (n <= p)
        return hd_fail(err, HD_INVALID, "a naive forecast needs more than one season of values");
    for (size_t i = 0; i < n; i++) {
        r->fitted[i] = i < p ? (double)NAN : y[i - p];
        r->points[i] = (hd_ets_point){r->fitted[i], y[i] - r->fitted[i], NAN, NAN, NAN};
        squares += i < p ? 0 : (y[i] - y[i - p]) * (y[i] - y[i - p]);
    }
    r->fit.sigma2 = squares / (double)(n - p);
    snprintf(r->name, sizeof r->name, p > 1 ? "seasonal naive" : "naive");
    for (size_t j = 0; j < d->horizon; j++) {
        r->mean[j] = y[n - p + j % p];
        for (unsigned k = 0; k < n_levels; k++) {
            double z;
            HD_TRY(hd_z(levels[k], &z, err));
            double half = z * sqrt(r->fit.sigma2 * (double)(j / p + 1));
            r->limits[k * d->horizon + j] = (hd_limits){r->mean[j] - half, r->mean[j] + half};
        }
    }
    r->fit.start = r->fit.end = hd_ets_unknown();
    r->fit.log_likelihood = r->fit.aic = r->fit.aicc = r->fit.bic = NAN;
    return HD_OK;
}

/* The airline model, of the logarithms with --log: forecasts and limits are then those of the
 * median. */
static hd_code airline(const settings *d, const double *y, size_t n, const double *levels,
                       unsigned n_levels, result *r, hd_err *err)
{
    hd_airline a;
    double *v = hd_calloc(n + 1, sizeof *v);
    if (!v)
        return hd_fail_nomem(err);
    hd_code rc = HD_OK;
    for (size_t i = 0; i < n; i++) {
        if (d->logs && y[i] <= 0)
            HD_GO(hd_fail(err, HD_INVALID, "value %zu has no logarithm", i + 1));
        v[i] = d->logs ? log(y[i]) : y[i];
    }
    HD_GO(hd_airline_fit(v, n, d->period, d->theta, d->seasonal_theta, &a, r->fitted, d->horizon,
                         levels, n_levels, r->mean, r->limits, err));
    for (size_t i = 0; i < n; i++) {
        r->fitted[i] = d->logs ? exp(r->fitted[i]) : r->fitted[i];
        r->points[i] = (hd_ets_point){r->fitted[i], y[i] - r->fitted[i], NAN, NAN, NAN};
    }
    for (size_t j = 0; d->logs && j < d->horizon; j++)
        r->mean[j] = exp(r->mean[j]);
    for (size_t j = 0; d->logs && j < d->horizon * n_levels; j++)
        r->limits[j] = (hd_limits){exp(r->limits[j].lower), exp(r->limits[j].upper)};
    snprintf(r->name, sizeof r->name, "ARIMA(0,1,1)(0,1,1)%zu", d->period % 1000);
    r->fit.start = r->fit.end = hd_ets_unknown();
    r->fit.sigma2 = a.sigma2;
    r->fit.log_likelihood = a.log_likelihood;
    r->fit.aic = a.aic;
    r->fit.aicc = a.aicc;
    r->fit.bic = a.bic;
    r->theta = a.theta;
    r->seasonal_theta = a.seasonal_theta;
out:
    hd_free(v);
    return rc;
}

/* With --log forecasts and limits are those of the median, as for the airline model. */
static hd_code calendar(hd_stat *s, settings *d, const size_t *rows, const double *y, size_t n,
                        const double *levels, unsigned n_levels, result *r, hd_err *err)
{
    hd_code rc = HD_OK;
    double *v = hd_calloc(n + 1, sizeof *v);
    if (!v)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        if (d->logs && y[i] <= 0)
            HD_GO(hd_fail(err, HD_INVALID, "value %zu has no logarithm", i + 1));
        v[i] = d->logs ? log(y[i]) : y[i];
    }
    const hd_stat_series series = {rows, n, d->horizon, v, levels, n_levels};
    HD_GO(hd_stat_calendar_run(s, &d->calendar, &series, &r->regression, r->fitted, r->mean,
                               r->limits, err));
    for (size_t i = 0; i < n; i++) {
        r->fitted[i] = d->logs ? exp(r->fitted[i]) : r->fitted[i];
        r->points[i] = (hd_ets_point){r->fitted[i], y[i] - r->fitted[i], NAN, NAN, NAN};
    }
    for (size_t j = 0; d->logs && j < d->horizon; j++)
        r->mean[j] = exp(r->mean[j]);
    for (size_t j = 0; d->logs && j < d->horizon * n_levels; j++)
        r->limits[j] = (hd_limits){exp(r->limits[j].lower), exp(r->limits[j].upper)};
    snprintf(r->name, sizeof r->name, d->calendar.is_ar1 ? "calendar, AR(1)" : "calendar");
out:
    hd_free(v);
    return rc;
}

static hd_code smooth(const settings *d, const double *y, size_t n, const double *levels,
                      unsigned n_levels, result *r, hd_err *err)
{
    if (d->kind == KIND_AUTO)
        HD_TRY(hd_ets_choose(y, n, d->period, &r->fit, err));
    else if (!d->all_given)
        HD_TRY(hd_ets_estimate(&d->model, &d->fixed, y, n, &r->fit, err));
    const hd_ets_model model = d->all_given ? d->model : r->fit.model;
    const hd_ets_parameters start = d->all_given ? d->fixed : r->fit.start;
    HD_TRY(hd_ets_run(&model, &start, y, n, r->points, &r->fit, err));
    for (size_t i = 0; i < n; i++)
        r->fitted[i] = r->points[i].fitted;
    hd_ets_name(&r->fit.model, r->name);
    return hd_ets_forecast(&r->fit, d->horizon, levels, n_levels, d->seed, d->as_r, r->mean,
                           r->limits, err);
}

/* --- Output ----------------------------------------------------------------------------------- */

static void put_measures(hd_stat *s, const measures *m)
{
    hd_stat_put(s, m->me);
    hd_stat_put(s, m->mae);
    hd_stat_put(s, m->rmse);
    hd_stat_put(s, m->mape);
    hd_stat_put(s, m->mase);
    hd_stat_put_text(s, isnan(m->me)     ? "no errors: too few values"
                        : isnan(m->mape) ? isnan(m->mase)
                                               ? "no mape: a value is 0; no mase: no seasonal change"
                                               : "no mape: a value is 0"
                        : isnan(m->mase) ? "no mase: no seasonal change"
                                         : "");
}

static hd_code put_forecast(hd_stat *s, const settings *d, const result *r, const measures *m,
                            size_t first_row, unsigned n_levels, hd_err *err)
{
    for (size_t j = 0; j < d->horizon; j++) {
        hd_stat_keep_row(s, first_row);
        hd_stat_put_count(s, j + 1);
        if (d->kind == KIND_CALENDAR) {
            char month[11];
            hd_date_format(hd_date_month_start(d->calendar.calendar.first_month +
                                               (int)(r->regression.n + j)),
                           month);
            hd_stat_put_text(s, month);
        }
        hd_stat_put(s, r->mean[j]);
        for (unsigned k = 0; k < n_levels; k++) {
            hd_stat_put(s, r->limits[k * d->horizon + j].lower);
            hd_stat_put(s, r->limits[k * d->horizon + j].upper);
        }
        hd_stat_put_text(s, r->name);
        put_measures(s, m);
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code put_fitted(hd_stat *s, const settings *d, const result *r, const size_t *rows, size_t n, hd_err *err)
{
    const hd_ets_model *m = &r->fit.model;
    for (size_t i = 0; i < n; i++) {
        const hd_ets_point *p = &r->points[i];
        hd_stat_keep_row(s, rows[i]);
        hd_stat_put(s, p->fitted);
        hd_stat_put(s, p->residual);
        if (d->kind != KIND_CALENDAR) {
            hd_stat_put(s, p->level);
            hd_stat_put(s, m->trend == HD_NONE_COMPONENT ? (double)NAN : p->trend);
            hd_stat_put(s, m->season == HD_NONE_COMPONENT ? (double)NAN : p->season);
        }
        hd_stat_put_text(s, r->name);
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code put_model(hd_stat *s, const result *r, const measures *m, size_t first_row,
                         hd_err *err)
{
    const hd_ets_fit *f = &r->fit;
    bool trend = f->model.trend != HD_NONE_COMPONENT, season = f->model.season != HD_NONE_COMPONENT;
    hd_stat_keep_row(s, first_row);
    hd_stat_put_text(s, r->name);
    hd_stat_put(s, f->start.alpha);
    hd_stat_put(s, trend ? f->start.beta : (double)NAN);
    hd_stat_put(s, season ? f->start.gamma : (double)NAN);
    hd_stat_put(s, f->model.damped ? f->start.phi : (double)NAN);
    hd_stat_put(s, f->start.level);
    hd_stat_put(s, trend ? f->start.trend : (double)NAN);
    hd_stat_put(s, r->theta);
    hd_stat_put(s, r->seasonal_theta);
    hd_stat_put(s, f->sigma2);
    hd_stat_put(s, f->log_likelihood);
    hd_stat_put(s, f->aic);
    hd_stat_put(s, f->aicc);
    hd_stat_put(s, f->bic);
    put_measures(s, m);
    return hd_stat_end_row(s, err);
}

/* One row a coefficient. */
static hd_code put_coefficients(hd_stat *s, const settings *d, const result *r, const measures *m,
                                size_t first_row, hd_err *err)
{
    const hd_regression *g = &r->regression;
    double freedom = (double)(g->n - g->p);
    for (size_t j = 0; j < g->p; j++) {
        double t = g->estimate[j] / g->se[j];
        hd_stat_keep_row(s, first_row);
        hd_stat_put_text(s, hd_calendar_column_name(&d->calendar.calendar, j));
        hd_stat_put(s, g->estimate[j]);
        hd_stat_put(s, g->se[j]);
        hd_stat_put(s, t);
        hd_stat_put(s, hd_t_two_sided(t, freedom));
        hd_stat_put_text(s, r->name);
        hd_stat_put(s, d->calendar.is_ar1 ? g->rho : (double)NAN);
        hd_stat_put(s, g->sigma2);
        hd_stat_put(s, freedom);
        hd_stat_put(s, g->log_likelihood);
        hd_stat_put(s, g->aic);
        hd_stat_put(s, g->aicc);
        hd_stat_put(s, g->bic);
        put_measures(s, m);
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code one_series(hd_stat *s, settings *d, const size_t *rows, size_t n, hd_err *err)
{
    hd_code rc = HD_OK;
    const double *levels;
    unsigned n_levels = hd_stat_levels(s, &levels);
    result r = {0};
    double *y = hd_calloc(n + 1, sizeof *y);
    r.fitted = hd_calloc(n + 1, sizeof *r.fitted);
    r.points = hd_calloc(n + 1, sizeof *r.points);
    r.mean = hd_calloc(d->horizon, sizeof *r.mean);
    r.limits = hd_calloc(d->horizon * n_levels, sizeof *r.limits);
    if (!y || !r.fitted || !r.points || !r.mean || !r.limits)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < n; i++) {
        HD_GO(hd_stat_number(s, rows[i], d->value, &y[i], err));
        if (isnan(y[i]))
            HD_GO(hd_stat_refuse(s, rows[i], d->value, err,
                                 "a series has no gaps: a value is needed"));
    }
    r.theta = r.seasonal_theta = NAN;
    bool plain = d->kind == KIND_NAIVE || d->kind == KIND_SEASONAL_NAIVE;
    rc = plain                     ? naive(d, y, n, levels, n_levels, &r, err)
         : d->kind == KIND_AIRLINE ? airline(d, y, n, levels, n_levels, &r, err)
         : d->kind == KIND_CALENDAR
             ? calendar(s, d, rows, y, n, levels, n_levels, &r, err)
             : smooth(d, y, n, levels, n_levels, &r, err);
    if (rc != HD_OK)
        HD_GO(hd_context(err, "the series of row %zu", rows[0] + 1));
    measures m = measure(y, r.fitted, n, d->period);
    HD_GO(d->output == 1   ? put_fitted(s, d, &r, rows, n, err)
          : d->output == 2 ? d->kind == KIND_CALENDAR
                                 ? put_coefficients(s, d, &r, &m, rows[0], err)
                                 : put_model(s, &r, &m, rows[0], err)
                           : put_forecast(s, d, &r, &m, rows[0], n_levels, err));
out:
    hd_free(y);
    result_free(&r);
    return rc;
}

static hd_code run_forecast(hd_stat *s, hd_err *err)
{
    static const char *const results[] = {
        "h value lower@,upper@ model me mae rmse mape mase reason",
        "fitted residual level trend season model",
        "model alpha beta gamma phi level trend theta seasonal_theta sigma2 log_likelihood aic "
        "aicc bic me mae rmse mape mase reason",
        "h month value lower@,upper@ model me mae rmse mape mase reason",
        "fitted residual model",
        "term estimate se t p model rho sigma2 df log_likelihood aic aicc bic me mae rmse mape "
        "mase reason"};
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    settings d = {0};
    HD_GO(read_settings(s, &d, err));
    HD_GO(hd_stat_header(s, d.output == 1 ? HD_STAT_KEEP_ALL : HD_STAT_KEEP_GROUPS,
                         results[d.output + (d.kind == KIND_CALENDAR ? 3 : 0)], err));
    HD_GO(hd_stat_group(s, &g, err));
    for (size_t i = 0; i < g.n; i++)
        HD_GO(one_series(s, &d, &g.rows[g.start[i]], g.start[i + 1] - g.start[i], err));
out:
    hd_stat_groups_free(&g);
    hd_stat_calendar_free(&d.calendar);
    return rc;
}

static const hd_stat_column columns[] = {{"value", true, "in the order of time, without gaps"},
                                         {"date", false, "a day of the month, for calendar"},
                                         {0}};
static const hd_stat_option options[] = {
    {"model", "NAME",
     "auto (default: ETS of least AICc), ses, holt, damped, holt-winters,\n"
     "        holt-winters-multiplicative, airline (ARIMA (0,1,1)(0,1,1)), calendar (regression\n"
     "        of a month on its days), naive, seasonal-naive, or letters for error, trend,\n"
     "        season: ANN, AAdN, MAM"},
    {"log", NULL, "airline, calendar: model the logarithms"},
    {"terms", "LIST",
     "calendar: trend, month, length, weekdays, working-days, bank-holidays, easter;\n"
     "        default trend,month,working-days,easter"},
    {"errors", "NAME", "calendar: independent (default), or ar1"},
    {"holidays", "FILE", "calendar: bank holidays, column date; default those of England"},
    {"theta", "T", "airline: given instead of fitted (R's sign)"},
    {"seasonal-theta", "T", "the same of the seasonal part"},
    {"period", "N", "values in a season: 12 (default), 4, 7, 52, 1"},
    {"horizon", "N", "how far ahead; default 12"},
    {"alpha", "A", "gain of the level, given instead of fitted"},
    {"beta", "B", "gain of the trend itself (the textbook's beta* times alpha)"},
    {"gamma", "G", "gain of the season"},
    {"phi", "P", "damping"},
    {"initial", "LIST",
     "states before the first value: level;trend;seasons from the most recent back"},
    {"damping", "NAME", "of forecasts: model (default), or r as R's forecast package continues it"},
    {"seed", "N", "of simulated intervals (multiplicative models); default 1"},
    {"output", "NAME", "forecast (default), fitted (every value, with the states), model"},
    {0}};

const hd_stat_method hd_stat_forecast[] = {
    {.name = "forecast",
     .summary = "exponential smoothing, seasonal ARIMA, calendar regression, with intervals",
     .output = "h, value, lower and upper per level, model, me, mae, rmse, mape, mase,\n  reason;"
               " or fitted, residual, level, trend, season; or the model's constants and criteria;\n"
               "  calendar: also month; or term, estimate, se, t, p, rho, sigma2, df and criteria",
     .example = "hdis stat forecast --in monthly.csv --group provider --horizon 6 --level 0.8,0.95",
     .default_group = "series",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .levels = true,
     .columns = columns,
     .options = options,
     .run = run_forecast},
    {0}};
