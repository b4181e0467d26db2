/* ets.c - see ets.h. One step function holds all the models; running, fitting, forecasting and
 * simulating call it. The optimiser works on the smoothing constants and start states with bounds;
 * a start that leaves the model's admissible region costs infinity. */
#include "statistics/ets.h"

#define MATHLIB_STANDALONE 1
#include <Rmath.h>
#include <math.h>
#include <nlopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "statistics/quantile.h"

hd_ets_parameters hd_ets_unknown(void)
{
    hd_ets_parameters p = {NAN, NAN, NAN, NAN, NAN, NAN, {0}};
    for (size_t i = 0; i < HD_ETS_PERIOD_MAX; i++)
        p.seasonal[i] = NAN;
    return p;
}

void hd_ets_name(const hd_ets_model *m, char out[24])
{
    static const char letters[] = "NAM";
    snprintf(out, 24, "ETS(%c,%c%s,%c)", letters[m->error], letters[m->trend], m->damped ? "d" : "",
             letters[m->season]);
}

/* The state while a model runs: seasonal states in a ring, next is the one that applies now. */
typedef struct state {
    double level, trend;
    double seasonal[HD_ETS_PERIOD_MAX];
    size_t next;
} state;

static void begin(const hd_ets_model *m, const hd_ets_parameters *p, state *s)
{
    s->level = p->level;
    s->trend = p->trend;
    s->next = 0;
    for (size_t i = 0; i < m->period; i++)
        s->seasonal[i] = p->seasonal[m->period - 1 - i];
}

/* Growth factor of a damped multiplicative trend; a growth at or below 0 has none. */
static double power(double trend, double phi)
{
    return phi == 1 ? trend : trend > 0 ? pow(trend, phi) : (double)NAN;
}

static double one_step(const hd_ets_model *m, const hd_ets_parameters *p, const state *s,
                       double *base)
{
    *base = m->trend == HD_NONE_COMPONENT ? s->level
            : m->trend == HD_ADDITIVE     ? s->level + p->phi * s->trend
                                          : s->level * power(s->trend, p->phi);
    return m->season == HD_NONE_COMPONENT ? *base
           : m->season == HD_ADDITIVE     ? *base + s->seasonal[s->next]
                                          : *base * s->seasonal[s->next];
}

/* Take an observation into the state, in the error correction form with e = y - forecast. */
static void update(const hd_ets_model *m, const hd_ets_parameters *p, state *s, double base,
                   double e)
{
    double season = m->season == HD_NONE_COMPONENT ? 1 : s->seasonal[s->next];
    double per_season = m->season == HD_MULTIPLICATIVE ? season : 1;
    double last = s->level, growth;
    s->level = base + p->alpha * e / per_season;
    if (m->trend == HD_ADDITIVE)
        s->trend = p->phi * s->trend + p->beta * e / per_season;
    else if (m->trend == HD_MULTIPLICATIVE) {
        growth = power(s->trend, p->phi);
        s->trend = growth + p->beta * e / (per_season * last);
    }
    if (m->season == HD_NONE_COMPONENT)
        return;
    double divide = m->season == HD_MULTIPLICATIVE ? base : 1;
    s->seasonal[s->next] = season + p->gamma * e / divide;
    s->next = (s->next + 1) % m->period;
}

static void finish(const hd_ets_model *m, const hd_ets_parameters *p, const state *s,
                   hd_ets_parameters *end)
{
    *end = *p;
    end->level = s->level;
    end->trend = s->trend;
    for (size_t i = 0; i < m->period; i++)
        end->seasonal[i] = s->seasonal[(s->next + m->period - 1 - i) % m->period];
}

/* -2 log likelihood up to R's constant: n log(sum e^2) + 2 sum log|forecast| for relative errors.
 * INFINITY when the model leaves its region. */
static double run_states(const hd_ets_model *m, const hd_ets_parameters *p, const double *y,
                         size_t n, hd_ets_point *points, hd_ets_parameters *end, double *squares)
{
    state s;
    double sum = 0, logs = 0;
    begin(m, p, &s);
    for (size_t i = 0; i < n; i++) {
        double base, f = one_step(m, p, &s, &base), e = y[i] - f;
        double relative = m->error == HD_MULTIPLICATIVE ? e / f : e;
        size_t at = s.next;
        if (!isfinite(f) || (m->error == HD_MULTIPLICATIVE && f <= 0))
            return INFINITY;
        sum += relative * relative;
        logs += m->error == HD_MULTIPLICATIVE ? log(fabs(f)) : 0;
        update(m, p, &s, base, e);
        if (points)
            points[i] = (hd_ets_point){f, relative, s.level, s.trend, s.seasonal[at]};
    }
    if (end)
        finish(m, p, &s, end);
    if (squares)
        *squares = sum;
    return (double)n * log(sum) + 2 * logs;
}

static hd_code check(const hd_ets_model *m, const double *y, size_t n, hd_err *err)
{
    bool positive = m->error == HD_MULTIPLICATIVE || m->trend == HD_MULTIPLICATIVE ||
                    m->season == HD_MULTIPLICATIVE;
    if (m->period < 1 || m->period > HD_ETS_PERIOD_MAX)
        return hd_fail(err, HD_LIMIT, "a season has at most %d periods", HD_ETS_PERIOD_MAX);
    if (m->season != HD_NONE_COMPONENT && (m->period < 2 || n < 2 * m->period))
        return hd_fail(err, HD_INVALID, "a seasonal model needs two whole seasons of values");
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(y[i]))
            return hd_fail(err, HD_INVALID, "value %zu is missing", i + 1);
        if (positive && y[i] <= 0)
            return hd_fail(err, HD_INVALID,
                           "value %zu is not above 0: a multiplicative component needs that",
                           i + 1);
    }
    return HD_OK;
}

static unsigned count_parameters(const hd_ets_model *m)
{
    unsigned n = 2 + 1; /* alpha, level, variance */
    n += m->trend != HD_NONE_COMPONENT ? 2 : 0;
    n += m->damped;
    n += m->season != HD_NONE_COMPONENT ? (unsigned)m->period : 0; /* gamma, period - 1 states */
    return n;
}

static void set_criteria(hd_ets_fit *f, double twice, double squares, size_t n)
{
    double k = f->n_parameters, size = (double)n;
    f->log_likelihood = -twice / 2;
    f->aic = twice + 2 * k;
    f->aicc = f->aic + 2 * k * (k + 1) / fmax(size - k - 1, 1e-9);
    f->bic = twice + k * log(size);
    f->sigma2 = squares / fmax(size - (k - 1), 1);
}

hd_code hd_ets_run(const hd_ets_model *m, const hd_ets_parameters *given, const double *y, size_t n,
                   hd_ets_point *points, hd_ets_fit *out, hd_err *err)
{
    double squares = NAN;
    hd_ets_parameters p = *given;
    HD_TRY(check(m, y, n, err));
    p.phi = m->damped ? p.phi : 1;
    p.beta = m->trend == HD_NONE_COMPONENT ? 0 : p.beta;
    p.gamma = m->season == HD_NONE_COMPONENT ? 0 : p.gamma;
    if (m->trend == HD_NONE_COMPONENT)
        p.trend = 0;
    *out = (hd_ets_fit){.model = *m, .start = p, .n_parameters = count_parameters(m)};
    double twice = run_states(m, &p, y, n, points, &out->end, &squares);
    if (!isfinite(twice) && !(squares == 0))
        return hd_fail(err, HD_INVALID, "the model leaves its region on these values");
    set_criteria(out, twice, squares, n);
    return HD_OK;
}

/* --- Estimation ------------------------------------------------------------------------------- */

typedef struct search {
    const hd_ets_model *model;
    const double *y;
    size_t n;
    hd_ets_parameters fixed; /* NAN where free */
    double scale;            /* of the values */
} search;

/* Start values: level and trend from the first seasons, seasonal states from averages around them.
 */
static void initial_states(const hd_ets_model *m, const double *y, size_t n, hd_ets_parameters *p)
{
    size_t period = m->season == HD_NONE_COMPONENT ? 1 : m->period;
    size_t span = period > 1 ? period : n < 10 ? n : 10;
    double first = 0, second = 0;
    for (size_t i = 0; i < span; i++)
        first += y[i] / (double)span;
    for (size_t i = 0; i < span && period > 1; i++)
        second += y[span + i] / (double)span;
    bool times = m->trend == HD_MULTIPLICATIVE;
    double step = n > 1 ? (y[span - 1] - y[0]) / (double)(span - 1 ? span - 1 : 1) : 0;
    if (period > 1)
        step = (second - first) / (double)period;
    p->level = period > 1 ? first - step * (double)(period - 1) / 2 : y[0];
    p->trend = times ? fmin(fmax(1 + step / (fabs(first) > 0 ? first : 1), 0.5), 2) : step;
    if (m->trend == HD_NONE_COMPONENT) {
        p->level = first;
        p->trend = 0;
    }
    size_t whole = n / period;
    double sum = 0;
    for (size_t i = 0; i < period && period > 1; i++) {
        double s = 0;
        for (size_t k = 0; k < whole; k++) {
            double mean = 0;
            for (size_t j = 0; j < period; j++)
                mean += y[k * period + j] / (double)period;
            s += m->season == HD_MULTIPLICATIVE ? y[k * period + i] / mean
                                                : y[k * period + i] - mean;
        }
        p->seasonal[period - 1 - i] = s / (double)whole;
        sum += s / (double)whole / (double)period;
    }
    for (size_t i = 0; i < period && period > 1; i++) {
        if (m->season == HD_MULTIPLICATIVE)
            p->seasonal[i] /= sum;
        else
            p->seasonal[i] -= sum;
    }
}

/* x is constants first, in the usual region (beta < alpha, gamma < 1 - alpha), then states. */
static size_t unpack(const search *s, const double *x, hd_ets_parameters *p)
{
    const hd_ets_model *m = s->model;
    size_t k = 0;
    *p = s->fixed;
    if (isnan(p->alpha))
        p->alpha = x[k++];
    if (m->trend != HD_NONE_COMPONENT && isnan(p->beta))
        p->beta = x[k++] * p->alpha;
    if (m->season != HD_NONE_COMPONENT && isnan(p->gamma))
        p->gamma = x[k++] * (1 - p->alpha);
    if (!m->damped)
        p->phi = 1;
    else if (isnan(p->phi))
        p->phi = x[k++];
    if (isnan(p->level))
        p->level = x[k++] * s->scale;
    if (m->trend == HD_NONE_COMPONENT)
        p->trend = p->beta = 0;
    else if (isnan(p->trend))
        p->trend = x[k++] * (m->trend == HD_ADDITIVE ? s->scale : 1);
    if (m->season == HD_NONE_COMPONENT) {
        p->gamma = 0;
        return k;
    }
    double total = 0;
    bool times = m->season == HD_MULTIPLICATIVE;
    for (size_t i = 0; i + 1 < m->period; i++) {
        if (isnan(p->seasonal[i]))
            p->seasonal[i] = x[k++] * (times ? 1 : s->scale);
        total += p->seasonal[i];
    }
    /* The last one follows from the rest: seasonal states add to 0, or average 1. */
    if (isnan(p->seasonal[m->period - 1]))
        p->seasonal[m->period - 1] = (times ? (double)m->period : 0) - total;
    return k;
}

static double objective(unsigned n, const double *x, double *gradient, void *context)
{
    (void)n;
    (void)gradient;
    const search *s = context;
    hd_ets_parameters p;
    unpack(s, x, &p);
    for (size_t i = 0; s->model->season == HD_MULTIPLICATIVE && i < s->model->period; i++)
        if (p.seasonal[i] <= 0)
            return 1e15;
    double v = run_states(s->model, &p, s->y, s->n, NULL, NULL, NULL);
    return isnan(v) || v > 1e15 ? 1e15 : v < -1e15 ? -1e15 : v;
}

/* Start point and bounds in the order of unpack(). */
static size_t pack(const search *s, const hd_ets_parameters *start, double *x, double *low,
                   double *high)
{
    const hd_ets_model *m = s->model;
    size_t k = 0;
#define ADD(value, from, to) (x[k] = (value), low[k] = (from), high[k] = (to), k++)
    if (isnan(s->fixed.alpha))
        ADD(m->season == HD_NONE_COMPONENT ? 0.5 : 0.3, 1e-4, 0.9999);
    if (m->trend != HD_NONE_COMPONENT && isnan(s->fixed.beta))
        ADD(0.1, 1e-4, 0.9999);
    if (m->season != HD_NONE_COMPONENT && isnan(s->fixed.gamma))
        ADD(0.1, 1e-4, 0.9999);
    if (m->damped && isnan(s->fixed.phi))
        ADD(0.95, 0.8, 0.98);
    if (isnan(s->fixed.level))
        ADD(start->level / s->scale, -1e3, 1e3);
    if (m->trend != HD_NONE_COMPONENT && isnan(s->fixed.trend))
        ADD(m->trend == HD_ADDITIVE ? start->trend / s->scale : start->trend,
            m->trend == HD_ADDITIVE ? -1e3 : 0.1, m->trend == HD_ADDITIVE ? 1e3 : 10);
    for (size_t i = 0; m->season != HD_NONE_COMPONENT && i + 1 < m->period; i++)
        if (isnan(s->fixed.seasonal[i])) {
            bool times = m->season == HD_MULTIPLICATIVE;
            ADD(times ? start->seasonal[i] : start->seasonal[i] / s->scale, times ? 1e-3 : -1e3,
                1e3);
        }
#undef ADD
    return k;
}

/* Nelder and Mead from the start, then SUBPLEX from there: neither needs a gradient. */
static hd_code minimise(search *s, double *x, const double *low, const double *high, size_t k,
                        hd_err *err)
{
    static const nlopt_algorithm algorithms[] = {NLOPT_LN_NELDERMEAD, NLOPT_LN_SBPLX,
                                                 NLOPT_LN_NELDERMEAD};
    for (size_t a = 0; k > 0 && a < sizeof algorithms / sizeof *algorithms; a++) {
        double best;
        nlopt_opt opt = nlopt_create(algorithms[a], (unsigned)k);
        if (!opt)
            return hd_fail_nomem(err);
        nlopt_set_min_objective(opt, objective, s);
        nlopt_set_lower_bounds(opt, low);
        nlopt_set_upper_bounds(opt, high);
        nlopt_set_ftol_rel(opt, 1e-10);
        nlopt_set_xtol_rel(opt, 1e-8);
        nlopt_set_maxeval(opt, 4000 + (int)(400 * k));
        nlopt_result result = nlopt_optimize(opt, x, &best);
        nlopt_destroy(opt);
        if (result == NLOPT_OUT_OF_MEMORY)
            return hd_fail_nomem(err);
    }
    return HD_OK;
}

hd_code hd_ets_estimate(const hd_ets_model *m, const hd_ets_parameters *fixed, const double *y,
                        size_t n, hd_ets_fit *out, hd_err *err)
{
    hd_code rc = HD_OK;
    HD_TRY(check(m, y, n, err));
    if (n < 4)
        return hd_fail(err, HD_INVALID, "a model needs at least 4 values");
    search s = {.model = m, .y = y, .n = n, .fixed = *fixed};
    size_t room = 6 + m->period;
    double *x = hd_calloc(3 * room, sizeof *x), *low = x + room, *high = low + room;
    if (!x)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        s.scale += fabs(y[i]) / (double)n;
    s.scale = s.scale > 0 ? s.scale : 1;
    hd_ets_parameters start = hd_ets_unknown(), p;
    initial_states(m, y, n, &start);
    size_t k = pack(&s, &start, x, low, high);
    for (size_t i = 0; i < k; i++)
        x[i] = fmin(fmax(x[i], low[i]), high[i]);
    HD_GO(minimise(&s, x, low, high, k, err));
    unpack(&s, x, &p);
    HD_GO(hd_ets_run(m, &p, y, n, NULL, out, err));
out:
    hd_free(x);
    return rc;
}

hd_code hd_ets_choose(const double *y, size_t n, size_t period, hd_ets_fit *out, hd_err *err)
{
    bool positive = true, found = false, constant = n > 0;
    hd_ets_parameters all = hd_ets_unknown();
    for (size_t i = 0; i < n; i++) {
        positive = positive && y[i] > 0;
        constant = constant && y[i] == y[0];
    }
    /* Every model fits a constant without error, so no criterion can choose: the simplest is it. */
    if (constant)
        return hd_ets_estimate(
            &(hd_ets_model){HD_ADDITIVE, HD_NONE_COMPONENT, HD_NONE_COMPONENT, false, 1}, &all, y,
            n, out, err);
    bool seasonal = period > 1 && n >= 2 * period + 5 && period <= 24;
    for (int error = HD_ADDITIVE; error <= HD_MULTIPLICATIVE; error++)
        for (int trend = 0; trend < 3; trend++) /* none, additive, damped */
            for (int season = 0; season <= (seasonal ? HD_MULTIPLICATIVE : 0); season++) {
                hd_ets_model m = {(hd_component)error, trend ? HD_ADDITIVE : HD_NONE_COMPONENT,
                                  (hd_component)season, trend == 2, season ? period : 1};
                hd_ets_fit f;
                bool times = error == HD_MULTIPLICATIVE || season == HD_MULTIPLICATIVE;
                /* As forecast: no additive error with a multiplicative season, and room for AICc.
                 */
                if ((times && !positive) || (error == HD_ADDITIVE && season == HD_MULTIPLICATIVE) ||
                    n <= count_parameters(&m) + 1)
                    continue;
                hd_code rc = hd_ets_estimate(&m, &all, y, n, &f, err);
                if (rc == HD_NOMEM)
                    return rc;
                if (rc == HD_OK && isfinite(f.aicc) && (!found || f.aicc < out->aicc)) {
                    *out = f;
                    found = true;
                }
            }
    if (!found)
        return hd_fail(err, HD_INVALID, "too few values for a model");
    return HD_OK;
}

/* --- Forecast --------------------------------------------------------------------------------- */

/* Variance factor of horizon j for linear models with additive errors: 1 + sum of c_i^2. */
static void linear_spread(const hd_ets_fit *f, size_t h, double *spread)
{
    const hd_ets_model *m = &f->model;
    double sum = 1, phi_sum = 0, phi_power = 1;
    for (size_t j = 0; j < h; j++) {
        spread[j] = sqrt(f->sigma2 * sum);
        phi_power *= f->end.phi;
        phi_sum += m->trend == HD_NONE_COMPONENT ? 0 : phi_power;
        double c = f->end.alpha + f->end.beta * phi_sum;
        if (m->season == HD_ADDITIVE && (j + 1) % m->period == 0)
            c += f->end.gamma;
        sum += c * c;
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static hd_code simulate(const hd_ets_fit *f, size_t h, const double *levels, unsigned n_levels,
                        uint64_t seed, hd_limits *limits, hd_err *err)
{
    enum { PATHS = 5000 };
    hd_rng rng = hd_rng_stream(seed, 0);
    double *paths = hd_calloc(PATHS, h * sizeof *paths);
    if (!paths)
        return hd_fail_nomem(err);
    for (size_t r = 0; r < PATHS; r++) {
        state s;
        begin(&f->model, &f->end, &s);
        for (size_t j = 0; j < h; j++) {
            double base, mean = one_step(&f->model, &f->end, &s, &base);
            double u = hd_rng_unit(&rng) + 0x1.0p-54;
            double e = sqrt(f->sigma2) * qnorm(u, 0, 1, 1, 0);
            e = f->model.error == HD_MULTIPLICATIVE ? e * mean : e;
            paths[j * PATHS + r] = mean + e;
            update(&f->model, &f->end, &s, base, e);
        }
    }
    for (size_t j = 0; j < h; j++) {
        double *v = paths + j * PATHS;
        size_t n = 0;
        for (size_t r = 0; r < PATHS; r++)
            if (isfinite(v[r]))
                v[n++] = v[r];
        qsort(v, n, sizeof *v, ascending);
        for (unsigned k = 0; k < n_levels; k++) {
            double low = (1 - levels[k]) / 2;
            limits[k * h + j] =
                n ? (hd_limits){hd_sorted_quantile(v, n, low), hd_sorted_quantile(v, n, 1 - low)}
                  : (hd_limits){NAN, NAN};
        }
    }
    hd_free(paths);
    return HD_OK;
}

/* How R's forecast package continues a damped trend in the models where it departs from their
 * definition: 1 + phi + phi^2 ... for an additive trend with relative errors and season, phi + phi
 * + phi^2 ... for a multiplicative trend. */
static void forecast_as_r(const hd_ets_fit *f, size_t h, double *mean)
{
    const hd_ets_model *m = &f->model;
    const hd_ets_parameters *p = &f->end;
    double sum = m->trend == HD_ADDITIVE ? 1 : p->phi, power_of = p->phi;
    for (size_t j = 0; j < h; j++) {
        double season = p->seasonal[m->period - 1 - j % m->period];
        double base =
            m->trend == HD_ADDITIVE ? p->level + sum * p->trend : p->level * pow(p->trend, sum);
        mean[j] = m->season == HD_NONE_COMPONENT ? base
                  : m->season == HD_ADDITIVE     ? base + season
                                                 : base * season;
        sum += power_of;
        power_of *= p->phi;
    }
}

hd_code hd_ets_forecast(const hd_ets_fit *f, size_t h, const double *levels, unsigned n_levels,
                        uint64_t seed, bool as_r, double *mean, hd_limits *limits, hd_err *err)
{
    state s;
    const hd_ets_model *m = &f->model;
    begin(m, &f->end, &s);
    for (size_t j = 0; j < h; j++) {
        double base;
        mean[j] = one_step(m, &f->end, &s, &base);
        update(m, &f->end, &s, base, 0);
    }
    bool departs = m->trend == HD_MULTIPLICATIVE ||
                   (m->error == HD_MULTIPLICATIVE && m->season == HD_MULTIPLICATIVE);
    if (as_r && m->damped && departs)
        forecast_as_r(f, h, mean);
    if (n_levels == 0 || h == 0)
        return HD_OK;
    if (m->error == HD_MULTIPLICATIVE || m->trend == HD_MULTIPLICATIVE ||
        m->season == HD_MULTIPLICATIVE)
        return simulate(f, h, levels, n_levels, seed, limits, err);
    double *spread = hd_calloc(h, sizeof *spread);
    if (!spread)
        return hd_fail_nomem(err);
    linear_spread(f, h, spread);
    hd_code rc = HD_OK;
    for (unsigned k = 0; k < n_levels; k++) {
        double z;
        HD_GO(hd_z(levels[k], &z, err));
        for (size_t j = 0; j < h; j++)
            limits[k * h + j] = (hd_limits){mean[j] - z * spread[j], mean[j] + z * spread[j]};
    }
out:
    hd_free(spread);
    return rc;
}
