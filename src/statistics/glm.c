/* glm.c - see glm.h. Normal equations are gathered by glm_rows.c and solved by Cholesky on columns
 * scaled to unit diagonal; a column whose pivot vanishes is determined by those before it and is
 * left out. Long tables are first fitted on a thirteenth of it, which saves most of the steps
 * over all of them. */
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

typedef struct outcome {
    const hd_glm_state *s;
    double base;  /* part of the negative binomial that no row changes */
    double *mean; /* of every row, or NULL */
} outcome;

static double row_likelihood(const outcome *o, const hd_glm_row *r)
{
    double mu = r->mu, y = r->y, theta = o->s->theta;
    if (o->s->family == HD_BINOMIAL) {
        double n = r->trials, events = y * n;
        return (events > 0 ? events * log(mu) : 0) + (events < n ? (n - events) * log1p(-mu) : 0) +
               (n > 1 ? lchoose(n, events) : 0);
    }
    if (o->s->family == HD_POISSON)
        return (y > 0 ? y * log(mu) : 0) - mu - lgammafn(y + 1);
    return lgammafn(theta + y) - lgammafn(y + 1) + o->base + (y > 0 ? y * log(mu) : 0) -
           (theta + y) * log(theta + mu);
}

static void add_outcome(const void *context, const hd_glm_row *r, double sums[2])
{
    const outcome *o = context;
    sums[0] += r->prior * row_likelihood(o, r);
    if (o->mean)
        o->mean[r->at] = r->mu;
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
        if (next > 1e7) {
            *theta = 1e7; /* no over-dispersion: as good as Poisson */
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
    const hd_glm_state s = {d, family, fit->theta, fit->beta, 1};
    for (size_t i = 0; i < d->n; i++)
        mean[i] = NAN;
    return hd_glm_visit_rows(&s, add_mean, &mean, sums, err);
}

/* --- Fitting ---------------------------------------------------------------------------------- */

static hd_code check(const hd_glm_data *d, hd_family family, double *rows, hd_err *err)
{
    *rows = 0;
    for (size_t i = 0; i < d->n; i++) {
        double prior = d->weights ? d->weights[i] : 1, n = d->trials ? d->trials[i] : 1;
        if (!(prior >= 0) || !(n >= 0))
            return hd_fail(err, HD_INVALID, "row %zu has a negative or missing weight", i + 1);
        if (prior <= 0 || n <= 0)
            continue;
        ++*rows;
        if (!(d->y[i] >= 0) || !isfinite(d->y[i]) || (family == HD_BINOMIAL && d->y[i] > n))
            return hd_fail(err, HD_INVALID, "row %zu has an outcome out of range", i + 1);
    }
    if (*rows <= 0)
        return hd_fail(err, HD_INVALID, "there are no rows to fit");
    if (d->rows > 0)
        *rows = d->rows;
    if (d->p == 0 || d->p > MAX_COLUMNS)
        return hd_fail(err, HD_LIMIT, "a model needs 1 to 4096 columns");
    return HD_OK;
}

/* By how much the step from `from` to `to` lowers the deviance, to second order. */
static double decrement(const double *a, const double *from, const double *to, size_t p)
{
    double sum = 0;
    for (size_t i = 0; i < p; i++) {
        double di = to[i] - from[i];
        for (size_t j = i + 1; j < p; j++)
            sum += 2 * di * a[i * p + j] * (to[j] - from[j]);
        sum += di * a[i * p + i] * di;
    }
    return sum;
}

/* Iterate to convergence for a fixed theta. beta holds the start when warm, and the result. Errors
 * are squared from step to step, so after one that lowers the deviance by a billionth little is
 * left to gain: one more pass gives the errors and the deviance there, and what it gains is taken
 * too. */
static hd_code iterate(hd_glm_state *s, double *beta, bool warm, double *work, hd_glm_fit *out,
                       hd_err *err)
{
    size_t p = s->d->p;
    hd_glm_sums sums = {.a = work, .b = work + p * p};
    double *scratch = sums.b + p, *next = scratch + p * p;
    hd_code rc = HD_OK;
    bool *keep = hd_calloc(p, sizeof *keep);
    if (!keep)
        return hd_fail_nomem(err);
    s->beta = warm ? beta : NULL;
    out->converged = false;
    for (out->iterations = 0; out->iterations < MAX_ITERATIONS; out->iterations++) {
        HD_GO(hd_glm_normal(s, &sums, err));
        out->deviance = sums.deviance;
        out->separated = sums.separated > 0;
        out->dispersion = sums.chi_square;
        if (out->iterations == 0)
            find_aliased(sums.a, p, scratch, keep);
        HD_GO(solve(sums.a, sums.b, p, keep, scratch, next, out->covariance, err));
        bool last = out->converged;
        out->converged =
            s->beta && decrement(sums.a, beta, next, p) < 1e-9 * (fabs(sums.deviance) + 0.1);
        memcpy(beta, next, p * sizeof *beta);
        s->beta = beta;
        if (last)
            break;
    }
    out->aliased = 0;
    for (size_t i = 0; i < p; i++) {
        out->aliased += !keep[i];
        out->se[i] = keep[i] ? sqrt(out->covariance[i * p + i]) : (double)NAN;
    }
out:
    hd_free(keep);
    return rc;
}

/* Coefficients of a sample of a long table; *warm: they are a start worth having. */
static hd_code fit_sample(hd_glm_state *s, double *work, hd_glm_fit *out, bool *warm, hd_err *err)
{
    *warm = false;
    if (s->d->n < LONG_TABLE || s->d->n / STEP < 50 * s->d->p)
        return HD_OK;
    s->step = STEP;
    hd_code rc = iterate(s, out->beta, false, work, out, err);
    s->step = 1;
    *warm = rc == HD_OK && out->converged && !out->separated && out->aliased == 0;
    return rc == HD_INVALID ? HD_OK : rc;
}

/* The deviance of the model without terms: with an offset a fit of its own, else all have one mean.
 */
static hd_code fit_null(const hd_glm_state *s, double *deviance, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_glm_fit fit = {.p = 1};
    double beta = 0, covariance = 0, se = 0, work[5] = {0}, sums[2], *ones = NULL;
    hd_glm_data only = *s->d;
    hd_glm_state null = {&only, s->family, s->theta, NULL, 1};
    null_model m = {s, 0};
    if (!only.offset) {
        HD_TRY(hd_glm_visit_rows(s, add_outcomes, &s->family, sums, err));
        m.mu = sums[0] / sums[1];
        HD_TRY(hd_glm_visit_rows(s, add_null_deviance, &m, sums, err));
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
    fit.covariance = &covariance;
    fit.se = &se;
    HD_GO(iterate(&null, &beta, false, work, &fit, err));
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
static hd_code alternate(hd_glm_state *s, double *work, hd_glm_fit *out, hd_err *err)
{
    HD_TRY(iterate(s, out->beta, true, work, out, err));
    for (int round = 0; round < 50; round++) {
        double before = s->theta;
        HD_TRY(fit_theta(s, &s->theta, err));
        HD_TRY(iterate(s, out->beta, true, work, out, err));
        if (fabs(s->theta - before) < 1e-9 * s->theta)
            break;
    }
    return HD_OK;
}

/* Likelihood and, for the binomial, the c-statistic, at the coefficients. */
static hd_code look_back(const hd_glm_state *s, hd_glm_fit *fit, hd_err *err)
{
    hd_code rc = HD_OK;
    const hd_glm_data *d = s->d;
    double sums[2], theta = s->theta, *events = NULL, *trials = NULL;
    outcome o = {.s = s};
    if (s->family == HD_NEGATIVE_BINOMIAL)
        o.base = theta * log(theta) - lgammafn(theta);
    if (s->family == HD_BINOMIAL) {
        o.mean = hd_calloc(d->n + 1, sizeof *o.mean);
        events = hd_calloc(d->n + 1, sizeof *events);
        trials = hd_calloc(d->n + 1, sizeof *trials);
        if (!o.mean || !events || !trials)
            HD_GO(hd_fail_nomem(err));
    }
    HD_GO(hd_glm_visit_rows(s, add_outcome, &o, sums, err));
    fit->log_likelihood = sums[0];
    for (size_t i = 0; i < d->n && o.mean; i++) { /* rows without a weight add nothing */
        double weight = d->weights ? d->weights[i] : 1;
        trials[i] = (d->trials ? d->trials[i] : 1) * weight;
        events[i] = trials[i] > 0 ? d->y[i] * weight : 0;
    }
    if (o.mean)
        HD_GO(hd_c_statistic(o.mean, events, trials, d->n, &fit->c_statistic, err));
out:
    hd_free(o.mean);
    hd_free(events);
    hd_free(trials);
    return rc;
}

hd_code hd_glm(const hd_glm_data *d, hd_family family, hd_glm_fit *out, hd_err *err)
{
    hd_code rc = HD_OK;
    bool warm, negative = family == HD_NEGATIVE_BINOMIAL;
    double rows, *work = NULL;
    hd_glm_state s = {d, negative ? HD_POISSON : family, 1, NULL, 1};
    *out = (hd_glm_fit){0};
    HD_TRY(check(d, family, &rows, err));
    size_t p = d->p;
    work = hd_calloc(2 * p * p + 2 * p, sizeof *work);
    HD_GO(allocate(out, p, err));
    if (!work)
        HD_GO(hd_fail_nomem(err));
    HD_GO(fit_sample(&s, work, out, &warm, err));
    HD_GO(iterate(&s, out->beta, warm, work, out, err));
    if (negative) {
        s.family = family;
        HD_GO(alternate(&s, work, out, err));
        out->theta = s.theta;
    }
    out->rows = rows;
    double freedom = (double)(p - out->aliased);
    out->dispersion = rows > freedom ? out->dispersion / (rows - freedom) : (double)NAN;
    HD_GO(look_back(&s, out, err));
    out->aic = -2 * out->log_likelihood + 2 * (freedom + negative);
    HD_GO(fit_null(&s, &out->null_deviance, err));
out:
    hd_free(work);
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

/* --- The c-statistic -------------------------------------------------------------------------- */

typedef struct scored {
    uint64_t key; /* bits of the probability: in the order of positive numbers */
    double events, others;
} scored;

/* Sort by key, eleven bits at a time, the lowest first; spare has room for all. */
static void sort_by_key(scored *v, scored *spare, size_t n)
{
    enum { BITS = 11, BINS = 1 << BITS };
    for (unsigned shift = 0; shift < 64; shift += BITS) {
        size_t at[BINS] = {0}, sum = 0;
        for (size_t i = 0; i < n; i++)
            at[v[i].key >> shift & (BINS - 1)]++;
        if (at[v[0].key >> shift & (BINS - 1)] == n)
            continue; /* all have the same digit */
        for (size_t b = 0; b < BINS; b++) {
            size_t here = at[b];
            at[b] = sum;
            sum += here;
        }
        for (size_t i = 0; i < n; i++)
            spare[at[v[i].key >> shift & (BINS - 1)]++] = v[i];
        memcpy(v, spare, n * sizeof *v);
    }
}

hd_code hd_c_statistic(const double *probability, const double *events, const double *trials,
                       size_t n, double *out, hd_err *err)
{
    double below = 0, won = 0, all = 0;
    hd_code rc = HD_OK;
    scored *v = hd_calloc(n + 1, sizeof *v), *spare = hd_calloc(n + 1, sizeof *spare);
    if (!v || !spare)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < n; i++) {
        double p = fabs(probability[i]); /* no negative zero */
        v[i] = (scored){0, events[i], (trials ? trials[i] : 1) - events[i]};
        memcpy(&v[i].key, &p, sizeof v[i].key);
    }
    sort_by_key(v, spare, n);
    for (size_t i = 0; i < n;) {
        double others = 0, dead = 0;
        uint64_t key = v[i].key;
        for (; i < n && v[i].key == key; i++) {
            others += v[i].others;
            dead += v[i].events;
        }
        won += dead * (below + others / 2);
        below += others;
        all += dead;
    }
    *out = all > 0 && below > 0 ? won / all / below : (double)NAN;
out:
    hd_free(v);
    hd_free(spare);
    return rc;
}
