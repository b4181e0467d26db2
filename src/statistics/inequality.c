/* inequality.c - see inequality.h. */
#include "statistics/inequality.h"

#define MATHLIB_STANDALONE 1
#include <Rmath.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "statistics/quantile.h"

static double forward(hd_inequality_kind kind, double v)
{
    if (kind == HD_INEQUALITY_PLAIN)
        return v;
    return kind == HD_INEQUALITY_RATE ? log(v) : log(v / (1 - v));
}

static double back(hd_inequality_kind kind, double y)
{
    if (kind == HD_INEQUALITY_PLAIN)
        return y;
    return kind == HD_INEQUALITY_RATE ? exp(y) : 1 / (1 + exp(-y));
}

hd_code hd_inequality_se(hd_inequality_kind kind, double lower, double upper, double *se,
                         hd_err *err)
{
    const double z95 = 1.959963984540054;
    double low = forward(kind, lower), high = forward(kind, upper);
    if (!isfinite(low) || !isfinite(high) || high < low)
        return hd_fail(err, HD_INVALID, "the limits of the value are not usable on this scale");
    *se = (high - low) / 2 / z95;
    return HD_OK;
}

/* Coefficients of slope and intercept as linear functions of the values: both are dot products. */
typedef struct weights {
    double *slope, *intercept;
    size_t n;
} weights;

static hd_code set_weights(const hd_inequality_point *p, size_t n, weights *w, hd_err *err)
{
    double total = 0, s1 = 0, s2 = 0, below = 0;
    if (n < 3)
        return hd_fail(err, HD_INVALID, "an index of inequality needs at least 3 quantiles");
    for (size_t i = 0; i < n; i++) {
        if (!(p[i].population > 0))
            return hd_fail(err, HD_INVALID, "quantile %zu has no population", i + 1);
        total += p[i].population;
    }
    w->n = n;
    w->slope = hd_calloc(n, sizeof *w->slope);
    w->intercept = hd_calloc(n, sizeof *w->intercept);
    if (!w->slope || !w->intercept)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        double a = p[i].population / total, x = below + a / 2;
        below += a;
        w->slope[i] = x; /* the mid-point, for the moment */
        s1 += a * x;
        s2 += a * x * x;
    }
    for (size_t i = 0; i < n; i++) {
        double a = p[i].population / total, x = w->slope[i];
        w->slope[i] = a * (x - s1) / (s2 - s1 * s1);
        w->intercept[i] = a - w->slope[i] * s1;
    }
    return HD_OK;
}

static void weights_free(weights *w)
{
    hd_free(w->slope);
    hd_free(w->intercept);
}

static void indices(double slope, double intercept, hd_inequality_kind kind, bool transform,
                    hd_inequality *out)
{
    hd_inequality_kind fit = transform ? kind : HD_INEQUALITY_PLAIN;
    double low = back(fit, intercept), high = back(fit, intercept + slope);
    *out = (hd_inequality){slope, low, high - low, high / low};
}

hd_code hd_inequality_fit(const hd_inequality_point *p, size_t n, hd_inequality_kind kind,
                          bool transform, hd_inequality *out, hd_err *err)
{
    weights w = {0};
    hd_code rc = set_weights(p, n, &w, err);
    double slope = 0, intercept = 0;
    for (size_t i = 0; rc == HD_OK && i < n; i++) {
        double v = transform ? forward(kind, p[i].value) : p[i].value;
        if (!isfinite(v))
            rc = hd_fail(err, HD_INVALID, "the value of quantile %zu has no logarithm or logit",
                         i + 1);
        slope += w.slope[i] * v;
        intercept += w.intercept[i] * v;
    }
    weights_free(&w);
    indices(slope, intercept, kind, transform, out);
    return rc;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

hd_code hd_inequality_limits(const hd_inequality_point *p, size_t n, hd_inequality_kind kind,
                             bool transform, size_t repetitions, uint64_t seed,
                             const double *levels, unsigned n_levels, hd_limits *sii,
                             hd_limits *rii, hd_err *err)
{
    hd_code rc = HD_OK;
    weights w = {0};
    double *centre = NULL;
    hd_rng rng = hd_rng_stream(seed, 0);
    double *slopes = hd_calloc(repetitions + 1, sizeof *slopes);
    double *ratios = hd_calloc(repetitions + 1, sizeof *ratios);
    if (!slopes || !ratios)
        HD_GO(hd_fail_nomem(err));
    if (repetitions < 100)
        HD_GO(hd_fail(err, HD_INVALID, "a simulation needs at least 100 repetitions"));
    HD_GO(set_weights(p, n, &w, err));
    centre = hd_calloc(n, sizeof *centre);
    if (!centre)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < n; i++) {
        centre[i] = forward(kind, p[i].value);
        if (!isfinite(centre[i]) || !(p[i].se >= 0))
            HD_GO(hd_fail(err, HD_INVALID, "quantile %zu has no usable value and error", i + 1));
    }
    for (size_t r = 0; r < repetitions; r++) {
        double slope = 0, intercept = 0;
        hd_inequality one;
        for (size_t i = 0; i < n; i++) {
            double u = hd_rng_unit(&rng) + 0x1.0p-54;
            double v = centre[i] + p[i].se * qnorm(u, 0, 1, 1, 0);
            v = transform ? v : back(kind, v);
            slope += w.slope[i] * v;
            intercept += w.intercept[i] * v;
        }
        indices(slope, intercept, kind, transform, &one);
        slopes[r] = one.sii;
        ratios[r] = one.rii;
    }
    qsort(slopes, repetitions, sizeof *slopes, ascending);
    qsort(ratios, repetitions, sizeof *ratios, ascending);
    for (unsigned k = 0; k < n_levels; k++) {
        double low = (1 - levels[k]) / 2;
        sii[k] = (hd_limits){hd_sorted_quantile(slopes, repetitions, low),
                             hd_sorted_quantile(slopes, repetitions, 1 - low)};
        rii[k] = (hd_limits){hd_sorted_quantile(ratios, repetitions, low),
                             hd_sorted_quantile(ratios, repetitions, 1 - low)};
    }
out:
    weights_free(&w);
    hd_free(centre);
    hd_free(slopes);
    hd_free(ratios);
    return rc;
}
