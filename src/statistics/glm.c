/* glm.c - see glm.h. Normal equations are gathered over blocks of rows, the blocks in fixed order,
 * and solved by Cholesky on columns scaled to unit diagonal; a column whose pivot vanishes is
 * determined by those before it and is left out. */
#include "statistics/glm.h"

#define MATHLIB_STANDALONE 1
#include <Rmath.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"

enum { BLOCK = 1 << 15, MAX_ITERATIONS = 50, MAX_COLUMNS = 4096, LANES = 4 };

/* Rows of X'WX are padded to whole lanes, so that the compiler makes vector code of the sum. */
static size_t padded(size_t p)
{
    return (p + LANES - 1) / LANES * LANES;
}

typedef struct solver {
    const hd_glm_data *d;
    hd_family family;
    double theta;
    const double *beta; /* NULL in the first step: start from the outcomes */
    double *sums; /* blocks * (p * padded(p) + p + 3): X'WX upper, X'Wz, deviance, separated, chi-square */
    size_t stride, n_blocks;
} solver;

static double inverse_link(hd_family family, double eta)
{
    if (family != HD_BINOMIAL)
        return exp(fmin(eta, 700));
    /* R's bounds: a probability never leaves the open interval. */
    double e = exp(-fabs(eta));
    double p = eta >= 0 ? 1 / (1 + e) : e / (1 + e);
    return fmin(fmax(p, 0x1p-52), 1 - 0x1p-52);
}

static double y_log_y(double y, double mu)
{
    return y > 0 ? y * log(y / mu) : 0;
}

/* Contribution of a row to the deviance; y and mu are a share of n trials for the binomial. */
static double unit_deviance(hd_family family, double y, double mu, double n, double theta)
{
    if (family == HD_BINOMIAL)
        return 2 * n * (y_log_y(y, mu) + y_log_y(1 - y, 1 - mu));
    if (family == HD_POISSON)
        return 2 * (y_log_y(y, mu) - (y - mu));
    return 2 * (y_log_y(y, mu) - (y + theta) * log((y + theta) / (mu + theta)));
}

static double row_eta(const double *x, const double *beta, size_t p)
{
    double eta = 0;
    for (size_t j = 0; j < p; j++)
        eta += x[j] * beta[j];
    return eta;
}

static hd_code gather_block(void *context, size_t block, hd_err *err)
{
    (void)err;
    const solver *s = context;
    const hd_glm_data *d = s->d;
    size_t p = d->p, from = block * BLOCK, to = from + BLOCK < d->n ? from + BLOCK : d->n;
    size_t width = padded(p);
    double *a = s->sums + block * s->stride, *b = a + p * width, *tail = b + p;
    double xr[MAX_COLUMNS];
    memset(xr, 0, width * sizeof *xr);
    memset(a, 0, s->stride * sizeof *a);
    for (size_t i = from; i < to; i++) {
        const double *x = d->x + i * p;
        double prior = d->weights ? d->weights[i] : 1, n = d->trials ? d->trials[i] : 1;
        if (prior <= 0 || n <= 0)
            continue;
        double off = d->offset ? d->offset[i] : 0, mu, eta, y = d->y[i];
        bool binomial = s->family == HD_BINOMIAL;
        if (binomial)
            y /= n;
        if (s->beta) {
            eta = row_eta(x, s->beta, p) + off;
            mu = inverse_link(s->family, eta);
        } else {
            mu = binomial                  ? (n * y + 0.5) / (n + 1)
                 : s->family == HD_POISSON ? y + 0.1
                                           : y + (y <= 0) / 6.0;
            eta = binomial ? log(mu / (1 - mu)) : log(mu);
        }
        double slope = binomial ? mu * (1 - mu) : mu; /* d mu / d eta */
        double variance = binomial                  ? mu * (1 - mu)
                          : s->family == HD_POISSON ? mu
                                                    : mu + mu * mu / s->theta;
        double w = prior * (binomial ? n : 1) * slope * slope / variance;
        double z = eta - off + (y - mu) / slope;
        tail[0] += prior * unit_deviance(s->family, y, mu, n, s->theta);
        tail[1] += binomial && (mu < 1e-14 || mu > 1 - 1e-14);
        tail[2] += prior * (binomial ? n : 1) * (y - mu) * (y - mu) / variance;
        memcpy(xr, x, p * sizeof *xr);
        for (size_t j = 0; j < p; j++) {
            double wx = w * xr[j], *row = a + j * width;
            if (wx == 0)
                continue;
            for (size_t k = j / LANES * LANES; k < width; k += LANES)
                for (size_t lane = 0; lane < LANES; lane++)
                    row[k + lane] += wx * xr[k + lane];
            b[j] += wx * z;
        }
    }
    return HD_OK;
}

/* Sum of the blocks into a (p * p), b (p) and tail (3). */
static hd_code gather(solver *s, double *a, double *b, double *tail, hd_err *err)
{
    size_t p = s->d->p, width = padded(p);
    HD_TRY(hd_par_run(s->n_blocks, gather_block, s, err));
    memset(a, 0, p * p * sizeof *a);
    memset(b, 0, p * sizeof *b);
    memset(tail, 0, 3 * sizeof *tail);
    for (size_t k = 0; k < s->n_blocks; k++) {
        const double *from = s->sums + k * s->stride;
        for (size_t i = 0; i < p; i++)
            for (size_t j = i; j < p; j++)
                a[i * p + j] += from[i * width + j];
        for (size_t i = 0; i < p; i++)
            b[i] += from[p * width + i];
        for (size_t i = 0; i < 3; i++)
            tail[i] += from[p * width + p + i];
    }
    return HD_OK;
}

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

static double log_likelihood(const hd_glm_data *d, hd_family family, const double *beta,
                             double theta)
{
    double sum = 0;
    for (size_t i = 0; i < d->n; i++) {
        double prior = d->weights ? d->weights[i] : 1, n = d->trials ? d->trials[i] : 1;
        if (prior <= 0 || n <= 0)
            continue;
        double eta = row_eta(d->x + i * d->p, beta, d->p) + (d->offset ? d->offset[i] : 0);
        double mu = inverse_link(family, eta), y = d->y[i];
        if (family == HD_BINOMIAL)
            sum += prior * (y * log(mu) + (n - y) * log1p(-mu) + (n > 1 ? lchoose(n, y) : 0));
        else if (family == HD_POISSON)
            sum += prior * (y * log(mu) - mu - lgamma(y + 1));
        else
            sum += prior * (lgamma(theta + y) - lgamma(theta) - lgamma(y + 1) + theta * log(theta) +
                            y * log(mu) - (theta + y) * log(theta + mu));
    }
    return sum;
}

/* Newton steps on the score of theta (as MASS does), from the moment estimate. */
static double fit_theta(const hd_glm_data *d, const double *beta, double theta)
{
    for (int step = 0; step < 50; step++) {
        double score = 0, information = 0;
        for (size_t i = 0; i < d->n; i++) {
            double w = d->weights ? d->weights[i] : 1;
            if (w <= 0)
                continue;
            double eta = row_eta(d->x + i * d->p, beta, d->p) + (d->offset ? d->offset[i] : 0);
            double mu = inverse_link(HD_NEGATIVE_BINOMIAL, eta), y = d->y[i];
            score += w * (digamma(theta + y) - digamma(theta) + log(theta) + 1 - log(theta + mu) -
                          (y + theta) / (mu + theta));
            information += w * (-trigamma(theta + y) + trigamma(theta) - 1 / theta +
                                2 / (mu + theta) - (y + theta) / ((mu + theta) * (mu + theta)));
        }
        double next = theta + score / information;
        if (!(next > theta / 10))
            next = theta / 10;
        if (next > 1e7)
            return 1e7; /* no over-dispersion: as good as Poisson */
        double change = fabs(next - theta);
        theta = next;
        if (change < 1e-10 * theta)
            break;
    }
    return theta;
}

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
    if (d->p == 0 || d->p > MAX_COLUMNS)
        return hd_fail(err, HD_LIMIT, "a model needs 1 to 4096 columns");
    return HD_OK;
}

/* Iterate to convergence for a fixed theta. beta holds the start when warm, and the result. */
static hd_code iterate(solver *s, double *beta, bool warm, double *work, hd_glm_fit *out,
                       hd_err *err)
{
    size_t p = s->d->p;
    double *a = work, *b = a + p * p, *scratch = b + p, tail[3], last = NAN;
    hd_code rc = HD_OK;
    bool *keep = hd_calloc(p, sizeof *keep);
    if (!keep)
        return hd_fail_nomem(err);
    s->beta = warm ? beta : NULL;
    out->converged = false;
    for (out->iterations = 0; out->iterations <= MAX_ITERATIONS; out->iterations++) {
        HD_GO(gather(s, a, b, tail, err));
        out->deviance = tail[0];
        out->separated = tail[1] > 0;
        out->dispersion = tail[2];
        bool stop = s->beta && fabs(tail[0] - last) < 1e-10 * (fabs(tail[0]) + 0.1);
        last = s->beta ? tail[0] : (double)NAN;
        if (out->iterations == 0)
            find_aliased(a, p, scratch, keep);
        HD_GO(solve(a, b, p, keep, scratch, stop ? scratch + p * p : beta, out->covariance, err));
        s->beta = beta;
        if (stop) {
            out->converged = true;
            break;
        }
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

static hd_code fit_null(const hd_glm_data *d, hd_family family, double theta, double *deviance,
                        hd_err *err)
{
    hd_code rc = HD_OK;
    hd_glm_fit fit = {.p = 1};
    double beta = 0, covariance = 0, se = 0, work[4] = {0};
    hd_glm_data only = *d;
    solver s = {.d = &only, .family = family, .theta = theta, .stride = padded(1) + 1 + 3};
    double *ones = hd_calloc(d->n, sizeof *ones);
    s.n_blocks = (d->n + BLOCK - 1) / BLOCK;
    s.sums = hd_calloc(s.n_blocks * s.stride, sizeof *s.sums);
    if (!ones || !s.sums)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < d->n; i++)
        ones[i] = 1;
    only.x = ones;
    only.p = 1;
    fit.covariance = &covariance;
    fit.se = &se;
    HD_GO(iterate(&s, &beta, false, work, &fit, err));
    *deviance = fit.deviance;
out:
    hd_free(ones);
    hd_free(s.sums);
    return rc;
}

static hd_code allocate(hd_glm_fit *out, size_t p, hd_err *err)
{
    *out = (hd_glm_fit){.p = p, .theta = NAN};
    out->beta = hd_calloc(p, sizeof *out->beta);
    out->se = hd_calloc(p, sizeof *out->se);
    out->covariance = hd_calloc(p * p, sizeof *out->covariance);
    return out->beta && out->se && out->covariance ? HD_OK : hd_fail_nomem(err);
}

/* Negative binomial: coefficients and theta in turn until neither moves. */
static hd_code alternate(solver *s, double *work, hd_glm_fit *out, hd_err *err)
{
    HD_TRY(iterate(s, out->beta, true, work, out, err));
    for (int round = 0; round < 50; round++) {
        double theta = fit_theta(s->d, out->beta, s->theta), before = s->theta;
        s->theta = theta;
        HD_TRY(iterate(s, out->beta, true, work, out, err));
        if (fabs(theta - before) < 1e-9 * theta)
            break;
    }
    return HD_OK;
}

hd_code hd_glm(const hd_glm_data *d, hd_family family, hd_glm_fit *out, hd_err *err)
{
    hd_code rc = HD_OK;
    double rows, *work = NULL;
    solver s = {.d = d, .family = family, .theta = 1};
    *out = (hd_glm_fit){0};
    HD_TRY(check(d, family, &rows, err));
    size_t p = d->p;
    s.stride = p * padded(p) + p + 3;
    s.n_blocks = (d->n + BLOCK - 1) / BLOCK;
    s.sums = hd_calloc(s.n_blocks * s.stride, sizeof *s.sums);
    work = hd_calloc(2 * p * p + 2 * p, sizeof *work);
    HD_GO(allocate(out, p, err));
    if (!s.sums || !work)
        HD_GO(hd_fail_nomem(err));
    s.family = family == HD_NEGATIVE_BINOMIAL ? HD_POISSON : family;
    HD_GO(iterate(&s, out->beta, false, work, out, err));
    if (family == HD_NEGATIVE_BINOMIAL) {
        s.family = family;
        HD_GO(alternate(&s, work, out, err));
        out->theta = s.theta;
    }
    out->rows = rows;
    out->dispersion /= rows - (double)(p - out->aliased);
    out->log_likelihood = log_likelihood(d, family, out->beta, s.theta);
    out->aic = -2 * out->log_likelihood +
               2 * (double)(p - out->aliased + (family == HD_NEGATIVE_BINOMIAL));
    HD_GO(fit_null(d, family, s.theta, &out->null_deviance, err));
out:
    hd_free(s.sums);
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

double hd_glm_mean(const hd_glm_fit *fit, hd_family family, const double *row, double offset)
{
    return inverse_link(family, row_eta(row, fit->beta, fit->p) + offset);
}

typedef struct scored {
    double probability, events, others;
} scored;

static int by_probability(const void *a, const void *b)
{
    double x = ((const scored *)a)->probability, y = ((const scored *)b)->probability;
    return (x > y) - (x < y);
}

hd_code hd_c_statistic(const double *probability, const double *events, const double *trials,
                       size_t n, double *out, hd_err *err)
{
    scored *v = hd_calloc(n + 1, sizeof *v);
    if (!v)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        v[i] = (scored){probability[i], events[i], (trials ? trials[i] : 1) - events[i]};
    qsort(v, n, sizeof *v, by_probability);
    double below = 0, won = 0, all = 0;
    for (size_t i = 0; i < n;) {
        double here = 0, dead = 0;
        double p = v[i].probability;
        for (; i < n && v[i].probability == p; i++) {
            here += v[i].others;
            dead += v[i].events;
        }
        won += dead * (below + here / 2);
        below += here;
        all += dead;
    }
    hd_free(v);
    *out = all > 0 && below > 0 ? won / all / below : (double)NAN;
    return HD_OK;
}
