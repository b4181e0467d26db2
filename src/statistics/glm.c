/* glm.c - see glm.h. Normal equations are gathered by glm_rows.c and solved by Cholesky on columns
 * scaled to unit diagonal; a column whose pivot vanishes is determined by those before it and is
 * left out. Long tables are first fitted on a sample, which saves most of the steps over all of
 * them. */
#include "statistics/glm.h"

#define MATHLIB_STANDALONE 1
#include <Rmath.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "statistics/glm_rows.h"

enum { MAX_ITERATIONS = 50, MAX_COLUMNS = 4096, LONG_TABLE = 200000, STEP = 13, COUNTS = 4096 };

/* Gains of a step, as shares of the deviance. */
#define SMALL            3e-6
#define ROUGH            1e-4
#define NEGLIGIBLE       1e-8
#define NEGLIGIBLE_SCORE 1e-11

#define MOST_THETA 1e7

/* Columns that those before them determine, found by elimination on the matrix scaled to unit
 * diagonal. */
static void find_aliased(const double *a, size_t p, double *work, bool *keep)
{
    for (size_t i = 0; i < p; i++)
        for (size_t j = i; j < p; j++)
            work[i * p + j] = work[j * p + i] = a[i * p + j] / sqrt(a[i * p + i] * a[j * p + j]);
    for (size_t i = 0; i < p; i++)
        keep[i] = false;
    for (size_t i = 0; i < p; i++) {
        keep[i] = a[i * p + i] > 0 && work[i * p + i] > 1e-11;
        for (size_t j = i + 1; keep[i] && j < p; j++) {
            double f = work[j * p + i] / work[i * p + i];
            for (size_t k = i; k < p; k++)
                work[j * p + k] -= f * work[i * p + k];
        }
    }
}

/* Solve a x = b over the kept columns (upper triangle of a), and leave the inverse in inverse. */
static hd_code solve(const double *a, const double *b, size_t p, const bool *keep, double *packed,
                     double *x, double *inverse, hd_err *err)
{
    size_t at[MAX_COLUMNS], m = 0;
    for (size_t i = 0; i < p; i++)
        if (keep[i])
            at[m++] = i;
    for (size_t i = 0; i < m; i++)
        for (size_t j = i; j < m; j++)
            packed[i * m + j] =
                a[at[i] * p + at[j]] / sqrt(a[at[i] * p + at[i]] * a[at[j] * p + at[j]]);
    if (m && (LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'U', (lapack_int)m, packed, (lapack_int)m) != 0 ||
              LAPACKE_dpotri(LAPACK_ROW_MAJOR, 'U', (lapack_int)m, packed, (lapack_int)m) != 0))
        return hd_fail(err, HD_INVALID, "the terms of the model cannot be told apart");
    memset(inverse, 0, p * p * sizeof *inverse);
    memset(x, 0, p * sizeof *x);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < m; j++) {
            double v = packed[i <= j ? i * m + j : j * m + i] /
                       sqrt(a[at[i] * p + at[i]] * a[at[j] * p + at[j]]);
            inverse[at[i] * p + at[j]] = v;
            x[at[i]] += v * b[at[j]];
        }
    return HD_OK;
}

/* --- Sums over the fitted rows ---------------------------------------------------------------- */

/* Logarithms of factorials of small counts. */
typedef struct outcome {
    hd_family family;
    double theta, base; /* base: part of the negative binomial that no row changes */
    const double *factorials;
} outcome;

/* The likelihood of a row if its mean were its outcome; its deviance is what lies between. */
static double saturated(const outcome *o, const hd_glm_row *r)
{
    double y = r->y, theta = o->theta, n = r->trials, events = y * n;
    if (o->family == HD_BINOMIAL)
        return (events > 0 ? events * log(y) : 0) + (events < n ? (n - events) * log1p(-y) : 0) +
               (n > 1 ? lchoose(n, events) : 0);
    double v = y > 0 ? y * log(y) : 0;
    v -= y < COUNTS && y == floor(y) ? o->factorials[(size_t)y] : lgammafn(y + 1);
    if (o->family == HD_POISSON)
        return v - y;
    return v + lgammafn(theta + y) + o->base - (theta + y) * log(theta + y);
}

static void add_saturated(const void *context, const hd_glm_row *r, double sums[2])
{
    const outcome *o = context;
    sums[0] += r->prior * saturated(o, r);
}

/* digamma and trigamma of theta + y, at hand for small counts. */
typedef struct scores {
    double theta, d0, t0;
    const double *digammas, *trigammas;
} scores;

static void add_score(const void *context, const hd_glm_row *r, double sums[2])
{
    const scores *c = context;
    double theta = c->theta, y = r->y, mu = r->mu, d, t;
    if (y < COUNTS && y == floor(y)) {
        d = c->digammas[(size_t)y];
        t = c->trigammas[(size_t)y];
    } else {
        d = digamma(theta + y) - c->d0;
        t = trigamma(theta + y) - c->t0;
    }
    sums[0] += r->prior * (d + log(theta / (theta + mu)) + 1 - (y + theta) / (mu + theta));
    sums[1] += r->prior *
               (-t - 1 / theta + 2 / (mu + theta) - (y + theta) / ((mu + theta) * (mu + theta)));
}

/* Newton steps on the score of theta (as MASS does), from the value that it has. */
static hd_code fit_theta(const hd_glm_state *s, double *theta, hd_err *err)
{
    hd_code rc = HD_OK;
    double *table = hd_calloc(2 * COUNTS, sizeof *table);
    if (!table)
        return hd_fail_nomem(err);
    for (int step = 0; step < 50; step++) {
        double sums[2];
        scores c = {*theta, digamma(*theta), trigamma(*theta), table, table + COUNTS};
        /* The recurrences lose nothing: differences from the value at theta are what is wanted. */
        for (size_t k = 1; k < COUNTS; k++) {
            double at = *theta + (double)k - 1;
            table[k] = table[k - 1] + 1 / at;
            table[COUNTS + k] = table[COUNTS + k - 1] - 1 / (at * at);
        }
        HD_GO(hd_glm_visit_rows(s, add_score, &c, sums, err));
        double next = *theta + sums[0] / sums[1];
        if (!(next > *theta / 10))
            next = *theta / 10;
        if (next > MOST_THETA) {
            *theta = MOST_THETA; /* no over-dispersion: as good as Poisson */
            break;
        }
        double change = fabs(next - *theta);
        *theta = next;
        if (change < 1e-10 * next)
            break;
    }
out:
    hd_free(table);
    return rc;
}

static void add_outcomes(const void *context, const hd_glm_row *r, double sums[2])
{
    bool binomial = *(const hd_family *)context == HD_BINOMIAL;
    double cases = binomial ? r->prior * r->trials : r->prior;
    sums[0] += cases * r->y;
    sums[1] += cases;
}

typedef struct null_model {
    const hd_glm_state *s;
    double mu;
} null_model;

static void add_null_deviance(const void *context, const hd_glm_row *r, double sums[2])
{
    const null_model *m = context;
    sums[0] += r->prior * hd_glm_unit_deviance(m->s->family, r->y, m->mu, r->trials, m->s->theta);
}

static void add_mean(const void *context, const hd_glm_row *r, double sums[2])
{
    (void)sums;
    double *const *mean = context;
    (*mean)[r->at] = r->mu;
}

hd_code hd_glm_fitted(const hd_glm_data *d, hd_family family, const hd_glm_fit *fit, double *mean,
                      hd_err *err)
{
    double sums[2];
    const hd_glm_state s = {d, family, fit->theta, fit->beta, 1, false};
    for (size_t i = 0; i < d->n; i++)
        mean[i] = NAN;
    return hd_glm_visit_rows(&s, add_mean, &mean, sums, err);
}

/* --- Fitting ---------------------------------------------------------------------------------- */

static hd_code check(const hd_glm_data *d, hd_family family, double *rows, bool *zero_one,
                     hd_err *err)
{
    *rows = 0;
    *zero_one = family == HD_BINOMIAL && !d->trials;
    for (size_t i = 0; i < d->n; i++) {
        double prior = d->weights ? d->weights[i] : 1, n = d->trials ? d->trials[i] : 1;
        if (!(prior >= 0) || !(n >= 0))
            return hd_fail(err, HD_INVALID, "row %zu has a negative or missing weight", i + 1);
        if (prior <= 0 || n <= 0)
            continue;
        ++*rows;
        if (!(d->y[i] >= 0) || !isfinite(d->y[i]) || (family == HD_BINOMIAL && d->y[i] > n))
            return hd_fail(err, HD_INVALID, "row %zu has an outcome out of range", i + 1);
        *zero_one = *zero_one && (d->y[i] == 0 || d->y[i] == 1);
    }
    if (*rows <= 0)
        return hd_fail(err, HD_INVALID, "there are no rows to fit");
    if (d->rows > 0)
        *rows = d->rows;
    if (d->p == 0 || d->p > MAX_COLUMNS)
        return hd_fail(err, HD_LIMIT, "a model needs 1 to 4096 columns");
    return HD_OK;
}

/* A fit under way: coefficients in out->beta, the inverse of the normal equations that were solved
 * last in out->covariance. */
typedef struct search {
    hd_glm_state *s;
    hd_glm_fit *out;
    hd_glm_sums sums;
    double *scratch, *next; /* p * p, p */
    double *mean;           /* where the means go in the last pass, or NULL */
    bool *keep;             /* columns that are not determined by others; NULL: not known yet */
} search;

/* By how much a step of the coefficients, from a score or from normal equations, lowers the
 * deviance to second order, as a share of it. */
static double gain(const search *f, bool score)
{
    size_t p = f->s->d->p;
    const double *a = f->sums.a, *from = f->out->beta, *to = f->next;
    double sum = 0;
    for (size_t i = 0; i < p; i++) {
        double di = to[i] - from[i];
        for (size_t j = i + 1; j < p && !score; j++)
            sum += 2 * di * a[i * p + j] * (to[j] - from[j]);
        sum += di * (score ? f->sums.b[i] : a[i * p + i] * di);
    }
    return sum / (fabs(f->sums.deviance) + 0.1);
}

static hd_code newton_step(search *f, bool last, hd_err *err)
{
    size_t p = f->s->d->p;
    HD_TRY(hd_glm_normal(f->s, &f->sums, last ? f->mean : NULL, err));
    if (!f->keep) {
        f->keep = hd_calloc(p, sizeof *f->keep);
        if (!f->keep)
            return hd_fail_nomem(err);
        find_aliased(f->sums.a, p, f->scratch, f->keep);
    }
    return solve(f->sums.a, f->sums.b, p, f->keep, f->scratch, f->next, f->out->covariance, err);
}

/* With normal equations of other coefficients nearby. */
static hd_code score_step(search *f, hd_err *err)
{
    size_t p = f->s->d->p;
    HD_TRY(hd_glm_score(f->s, &f->sums, err));
    for (size_t i = 0; i < p; i++) {
        f->next[i] = f->out->beta[i];
        for (size_t j = 0; j < p; j++)
            f->next[i] += f->out->covariance[i * p + j] * f->sums.b[j];
    }
    return HD_OK;
}

/* Iterate to convergence for a fixed theta. out->beta holds the start when warm, out->covariance
 * what goes with it. With e the error before a step, as a share, the step gains e^2. Newton's step
 * leaves e^2; one with the normal equations of the step before, half the work, e times the error
 * that those had, so that one leaves e^1.5. It is taken where that is enough. After a negligible
 * gain one more pass gives the standard errors, the deviance and the means, each within some
 * billionths, and what it gains is taken too. rough: enough to begin with. */
static hd_code iterate(search *f, bool warm, bool rough, hd_err *err)
{
    size_t p = f->s->d->p;
    hd_code rc = HD_OK;
    hd_glm_fit *out = f->out;
    bool score = warm, last = false;
    f->s->beta = warm ? out->beta : NULL;
    out->converged = false;
    for (int pass = 0; pass < MAX_ITERATIONS; pass++) {
        HD_GO(score ? score_step(f, err) : newton_step(f, last, err));
        out->deviance = f->sums.deviance;
        out->separated = f->sums.separated > 0;
        out->dispersion = f->sums.chi_square;
        double gained = f->s->beta ? gain(f, score) : 1;
        memcpy(out->beta, f->next, p * sizeof *f->next);
        f->s->beta = out->beta;
        out->iterations += !rough;
        out->converged = gained < (rough ? ROUGH : score ? NEGLIGIBLE_SCORE : NEGLIGIBLE);
        if (last || (rough && out->converged))
            break;
        last = out->converged;
        score = !score && !last && gained < SMALL;
    }
    out->aliased = 0;
    for (size_t i = 0; i < p; i++) {
        out->aliased += !f->keep[i];
        out->se[i] = f->keep[i] ? sqrt(out->covariance[i * p + i]) : (double)NAN;
    }
out:
    hd_free(f->keep);
    f->keep = NULL;
    return rc;
}

/* Coefficients and normal equations of a sample of a long table; *warm: they are a start worth
 * having. */
static hd_code fit_sample(search *f, bool *warm, hd_err *err)
{
    hd_glm_fit *out = f->out;
    size_t p = f->s->d->p;
    *warm = false;
    if (f->s->d->n < LONG_TABLE || f->s->d->n / STEP < 50 * p)
        return HD_OK;
    f->s->step = STEP;
    hd_code rc = iterate(f, false, true, err);
    f->s->step = 1;
    *warm = rc == HD_OK && out->converged && !out->separated && out->aliased == 0;
    for (size_t i = 0; i < p * p && *warm; i++)
        out->covariance[i] /= STEP;
    return rc == HD_INVALID ? HD_OK : rc;
}

/* The deviance of the model without terms: with an offset a fit of its own, else all have one mean.
 */
static hd_code fit_null(const hd_glm_state *s, double *deviance, hd_err *err)
{
    hd_code rc = HD_OK;
    double beta = 0, covariance = 0, se = 0, a = 0, b = 0, scratch = 0, next = 0, sums[2];
    double *ones = NULL;
    hd_glm_fit fit = {.p = 1, .beta = &beta, .covariance = &covariance, .se = &se};
    hd_glm_data only = *s->d;
    hd_glm_state null = {&only, s->family, s->theta, NULL, 1, s->zero_one};
    null_model m = {s, 0};
    if (!only.offset) {
        HD_TRY(hd_glm_visit_rows(&null, add_outcomes, &s->family, sums, err));
        m.mu = sums[0] / sums[1];
        HD_TRY(hd_glm_visit_rows(&null, add_null_deviance, &m, sums, err));
        *deviance = sums[0];
        return HD_OK;
    }
    size_t room = hd_glm_room(only.n, 1);
    ones = hd_calloc(room, sizeof *ones);
    if (!ones)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < room; i++)
        ones[i] = 1;
    only.x = ones;
    only.x_columns = NULL;
    only.p = only.n_x = 1;
    only.n_levels = 0;
    search f = {&null, &fit, {.a = &a, .b = &b}, &scratch, &next, NULL, NULL};
    HD_GO(iterate(&f, false, false, err));
    *deviance = fit.deviance;
out:
    hd_free(ones);
    return rc;
}

static hd_code allocate(hd_glm_fit *out, size_t p, hd_err *err)
{
    *out = (hd_glm_fit){.p = p, .theta = NAN, .c_statistic = NAN};
    out->beta = hd_calloc(p, sizeof *out->beta);
    out->se = hd_calloc(p, sizeof *out->se);
    out->covariance = hd_calloc(p * p, sizeof *out->covariance);
    return out->beta && out->se && out->covariance ? HD_OK : hd_fail_nomem(err);
}

/* Negative binomial: coefficients and theta in turn until neither moves. */
static hd_code alternate(search *f, hd_err *err)
{
    hd_glm_state *s = f->s;
    bool settled = false;
    HD_TRY(iterate(f, true, false, err));
    for (int round = 0; round < 50 && !settled; round++) {
        double before = s->theta;
        HD_TRY(fit_theta(s, &s->theta, err));
        HD_TRY(iterate(f, true, false, err));
        settled = fabs(s->theta - before) < 1e-9 * s->theta;
    }
    f->out->converged = f->out->converged && settled;
    f->out->theta_at_bound = s->theta >= MOST_THETA;
    return HD_OK;
}

/* The likelihood, from that of the outcomes themselves and the deviance. */
static hd_code find_likelihood(const hd_glm_state *s, hd_glm_fit *fit, hd_err *err)
{
    double sums[2], theta = s->theta;
    const hd_glm_state data = {s->d, s->family, theta, NULL, 1, false};
    double *factorials = hd_calloc(COUNTS, sizeof *factorials);
    if (!factorials)
        return hd_fail_nomem(err);
    for (size_t k = 2; k < COUNTS; k++)
        factorials[k] = lgammafn((double)k + 1);
    outcome o = {s->family, theta, 0, factorials};
    if (s->family == HD_NEGATIVE_BINOMIAL)
        o.base = theta * log(theta) - lgammafn(theta);
    hd_code rc = HD_OK;
    sums[0] = 0; /* what every outcome of 0 or 1 adds */
    if (!s->zero_one)
        rc = hd_glm_visit_rows(&data, add_saturated, &o, sums, err);
    fit->log_likelihood = sums[0] - fit->deviance / 2;
    hd_free(factorials);
    return rc;
}

/* The c-statistic of the fitted means. */
static hd_code find_concordance(const hd_glm_data *d, const double *mean, hd_glm_fit *fit,
                                hd_err *err)
{
    bool single = !d->trials;
    for (size_t i = 0; i < d->n && d->weights && single; i++)
        single = d->weights[i] == 1;
    if (single)
        return hd_c_statistic(mean, d->y, NULL, d->n, &fit->c_statistic, err);
    hd_code rc = HD_OK;
    double *events = hd_calloc(d->n + 1, sizeof *events);
    double *trials = hd_calloc(d->n + 1, sizeof *trials);
    if (!events || !trials)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < d->n; i++) { /* rows without a weight add nothing */
        double weight = d->weights ? d->weights[i] : 1;
        trials[i] = (d->trials ? d->trials[i] : 1) * weight;
        events[i] = trials[i] > 0 ? d->y[i] * weight : 0;
    }
    HD_GO(hd_c_statistic(mean, events, trials, d->n, &fit->c_statistic, err));
out:
    hd_free(events);
    hd_free(trials);
    return rc;
}

hd_code hd_glm(const hd_glm_data *d, hd_family family, hd_glm_fit *out, hd_err *err)
{
    hd_code rc = HD_OK;
    bool warm, negative = family == HD_NEGATIVE_BINOMIAL;
    double rows, *work = NULL, *mean = NULL;
    hd_glm_state s = {d, negative ? HD_POISSON : family, 1, NULL, 1, false};
    *out = (hd_glm_fit){0};
    HD_TRY(check(d, family, &rows, &s.zero_one, err));
    size_t p = d->p;
    work = hd_calloc(2 * p * p + 2 * p, sizeof *work);
    HD_GO(allocate(out, p, err));
    if (!work)
        HD_GO(hd_fail_nomem(err));
    mean = family == HD_BINOMIAL ? hd_calloc(d->n + 1, sizeof *mean) : NULL;
    if (family == HD_BINOMIAL && !mean)
        HD_GO(hd_fail_nomem(err));
    search f = {&s,   out, {.a = work, .b = work + p * p}, work + p * p + p, work + 2 * p * p + p,
                mean, NULL};
    HD_GO(fit_sample(&f, &warm, err));
    HD_GO(iterate(&f, warm, false, err));
    if (negative) {
        s.family = family;
        HD_GO(alternate(&f, err));
        out->theta = s.theta;
    }
    out->rows = rows;
    double freedom = (double)(p - out->aliased);
    out->dispersion = rows > freedom ? out->dispersion / (rows - freedom) : (double)NAN;
    HD_GO(find_likelihood(&s, out, err));
    if (mean && !out->converged)
        HD_GO(hd_glm_fitted(d, family, out, mean, err));
    if (mean)
        HD_GO(find_concordance(d, mean, out, err));
    out->aic = -2 * out->log_likelihood + 2 * (freedom + negative);
    HD_GO(fit_null(&s, &out->null_deviance, err));
out:
    hd_free(work);
    hd_free(mean);
    if (rc != HD_OK)
        hd_glm_free(out);
    return rc;
}

void hd_glm_free(hd_glm_fit *fit)
{
    hd_free(fit->beta);
    hd_free(fit->se);
    hd_free(fit->covariance);
    *fit = (hd_glm_fit){0};
}
