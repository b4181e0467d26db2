/* compare.c - see compare.h. */
#include "statistics/compare.h"

#define MATHLIB_STANDALONE 1
#include <Rmath.h>
#include <math.h>

static hd_code check_counts(double a, double b, double c, double d, bool proportions, hd_err *err)
{
    if (!(a >= 0 && c >= 0 && b > 0 && d > 0) || !isfinite(a + b + c + d))
        return hd_fail(err, HD_INVALID, "counts must be 0 or more and denominators above 0");
    if (proportions && (a > b || c > d))
        return hd_fail(err, HD_INVALID, "a proportion's numerator is above its denominator");
    return HD_OK;
}

/* Sum of the probabilities not above that of x (R's two-sided rule), over a support from low to
 * high. */
typedef double (*density)(double x, const double *parameters);

static double two_sided(double x, double low, double high, density f, const double *parameters)
{
    double limit = f(x, parameters) * (1 + 1e-7), sum = 0;
    for (double k = low; k <= high; k++) {
        double p = f(k, parameters);
        sum += p <= limit ? p : 0;
    }
    return fmin(sum, 1);
}

static double hypergeometric(double x, const double *p)
{
    return dhyper(x, p[0], p[1], p[2], 0);
}

static double binomial(double x, const double *p)
{
    return dbinom(x, p[0], p[1], 0);
}

static double chi_square(double x1, double n1, double x2, double n2)
{
    double pooled = (x1 + x2) / (n1 + n2);
    double se = sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2));
    return se > 0 ? 2 * pnorm(-fabs(x1 / n1 - x2 / n2) / se, 0, 1, 1, 0) : 1;
}

hd_code hd_compare_proportions(double x1, double n1, double x2, double n2, hd_proportion_test test,
                               hd_comparison *out, hd_err *err)
{
    HD_TRY(check_counts(x1, n1, x2, n2, true, err));
    *out = (hd_comparison){x1 / n1 - x2 / n2, x2 > 0 ? x1 / n1 / (x2 / n2) : (double)NAN,
                           chi_square(x1, n1, x2, n2)};
    if (test == HD_TEST_CHI_SQUARE)
        return HD_OK;
    if (x1 != floor(x1) || n1 != floor(n1) || x2 != floor(x2) || n2 != floor(n2) || n1 + n2 > 1e7)
        return hd_fail(err, HD_INVALID,
                       "Fisher's test needs whole numbers, at most ten million in all");
    const double parameters[] = {n1, n2, x1 + x2};
    out->p = two_sided(x1, fmax(0, x1 + x2 - n2), fmin(n1, x1 + x2), hypergeometric, parameters);
    return HD_OK;
}

hd_code hd_proportion_difference(double x1, double n1, double x2, double n2, double level,
                                 hd_limits *difference, hd_limits *ratio, hd_err *err)
{
    hd_limits a, b;
    double z, p1 = x1 / n1, p2 = x2 / n2;
    HD_TRY(hd_z(level, &z, err));
    HD_TRY(check_counts(x1, n1, x2, n2, true, err));
    HD_TRY(hd_proportion_limits(HD_PROPORTION_WILSON, x1, n1, level, &a, err));
    HD_TRY(hd_proportion_limits(HD_PROPORTION_WILSON, x2, n2, level, &b, err));
    difference->lower = p1 - p2 - hypot(p1 - a.lower, b.upper - p2);
    difference->upper = p1 - p2 + hypot(a.upper - p1, p2 - b.lower);
    double width = z * sqrt((1 - p1) / x1 + (1 - p2) / x2);
    *ratio = x1 > 0 && x2 > 0 ? (hd_limits){p1 / p2 * exp(-width), p1 / p2 * exp(width)}
                              : (hd_limits){NAN, NAN};
    return HD_OK;
}

hd_code hd_compare_rates(double x1, double t1, double x2, double t2, hd_comparison *out,
                         hd_err *err)
{
    HD_TRY(check_counts(x1, t1, x2, t2, false, err));
    *out = (hd_comparison){x1 / t1 - x2 / t2, x2 > 0 ? x1 / t1 / (x2 / t2) : (double)NAN, 1};
    double n = x1 + x2, share = t1 / (t1 + t2);
    if (n <= 0)
        return HD_OK;
    bool whole = x1 == floor(x1) && x2 == floor(x2) && n < 1e7;
    const double parameters[] = {n, share};
    /* Beyond ten million events, or with fractional ones, the normal form is as good. */
    out->p = whole ? two_sided(x1, 0, n, binomial, parameters)
                   : 2 * pnorm(-fabs(x1 - n * share) / sqrt(n * share * (1 - share)), 0, 1, 1, 0);
    return HD_OK;
}

hd_code hd_rate_difference(double x1, double t1, double x2, double t2, double level,
                           hd_limits *difference, hd_limits *ratio, hd_err *err)
{
    double r1 = x1 / t1, r2 = x2 / t2;
    hd_limits share, a, b;
    HD_TRY(check_counts(x1, t1, x2, t2, false, err));
    HD_TRY(hd_count_limits(HD_COUNT_EXACT, x1, level, &a, err));
    HD_TRY(hd_count_limits(HD_COUNT_EXACT, x2, level, &b, err));
    /* As Newcombe for proportions: not the normal form, which is certain where nothing happened. */
    difference->lower = r1 - r2 - hypot(r1 - a.lower / t1, b.upper / t2 - r2);
    difference->upper = r1 - r2 + hypot(a.upper / t1 - r1, r2 - b.lower / t2);
    *ratio = (hd_limits){NAN, NAN};
    if (x1 + x2 <= 0)
        return HD_OK;
    HD_TRY(hd_proportion_limits(HD_PROPORTION_EXACT, x1, x1 + x2, level, &share, err));
    ratio->lower = share.lower / (1 - share.lower) * t2 / t1;
    ratio->upper = share.upper < 1 ? share.upper / (1 - share.upper) * t2 / t1 : (double)NAN;
    return HD_OK;
}

static hd_code welch(double n1, double sd1, double n2, double sd2, double *se, double *freedom,
                     hd_err *err)
{
    if (!(n1 >= 2 && n2 >= 2 && sd1 >= 0 && sd2 >= 0))
        return hd_fail(err, HD_INVALID,
                       "two means need at least 2 values each, and their deviations");
    double a = sd1 * sd1 / n1, b = sd2 * sd2 / n2;
    *se = sqrt(a + b);
    *freedom = (a + b) * (a + b) / (a * a / (n1 - 1) + b * b / (n2 - 1));
    return HD_OK;
}

hd_code hd_compare_means(double n1, double mean1, double sd1, double n2, double mean2, double sd2,
                         hd_comparison *out, hd_err *err)
{
    double se, freedom, d = mean1 - mean2;
    HD_TRY(welch(n1, sd1, n2, sd2, &se, &freedom, err));
    out->difference = d;
    out->ratio = mean2 != 0 ? mean1 / mean2 : (double)NAN;
    out->p = se > 0 ? 2 * pt(-fabs(d) / se, freedom, 1, 0) : d == 0;
    return HD_OK;
}

hd_code hd_mean_difference(double n1, double mean1, double sd1, double n2, double mean2, double sd2,
                           double level, hd_limits *difference, hd_err *err)
{
    double se, freedom, z;
    HD_TRY(hd_z(level, &z, err));
    HD_TRY(welch(n1, sd1, n2, sd2, &se, &freedom, err));
    double half = se > 0 ? qt((1 - level) / 2, freedom, 0, 0) * se : 0;
    *difference = (hd_limits){mean1 - mean2 - half, mean1 - mean2 + half};
    return HD_OK;
}

hd_code hd_trend_of(const double *score, const double *x, const double *n, size_t groups,
                    hd_trend *out, hd_err *err)
{
    double events = 0, total = 0, mean = 0, spread = 0, cross = 0;
    for (size_t i = 0; i < groups; i++) {
        HD_TRY(check_counts(x[i], n[i], 0, 1, true, err));
        events += x[i];
        total += n[i];
        mean += n[i] * score[i];
    }
    mean /= total;
    double p = events / total;
    for (size_t i = 0; i < groups; i++) {
        spread += n[i] * (score[i] - mean) * (score[i] - mean);
        cross += (x[i] - n[i] * p) * (score[i] - mean);
    }
    if (groups < 2 || !(spread > 0))
        return hd_fail(err, HD_INVALID, "a trend needs at least two different scores");
    out->slope = cross / spread;
    out->se = sqrt(p * (1 - p) / spread);
    out->z = out->se > 0 ? out->slope / out->se : 0;
    out->p = 2 * pnorm(-fabs(out->z), 0, 1, 1, 0);
    return HD_OK;
}

hd_code hd_pool(const double *estimates, const double *variances, size_t n, hd_pooled *out,
                hd_err *err)
{
    double w1 = 0, w2 = 0, wy = 0, q = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(variances[i] > 0) || !isfinite(estimates[i]))
            return hd_fail(err, HD_INVALID, "estimate %zu has no variance above 0", i + 1);
        w1 += 1 / variances[i];
        w2 += 1 / (variances[i] * variances[i]);
        wy += estimates[i] / variances[i];
    }
    if (n < 2)
        return hd_fail(err, HD_INVALID, "pooling needs at least two estimates");
    for (size_t i = 0; i < n; i++)
        q += (estimates[i] - wy / w1) * (estimates[i] - wy / w1) / variances[i];
    double freedom = (double)n - 1, scale = w1 - w2 / w1;
    *out = (hd_pooled){.tau2 = fmax(0, (q - freedom) / scale), .q = q};
    /* The share of variation between estimates, by tau2 over tau2 and the typical variance. */
    double typical = freedom * w1 / (w1 * w1 - w2);
    out->i2 = 100 * out->tau2 / (out->tau2 + typical);
    w1 = wy = 0;
    for (size_t i = 0; i < n; i++) {
        w1 += 1 / (variances[i] + out->tau2);
        wy += estimates[i] / (variances[i] + out->tau2);
    }
    out->estimate = wy / w1;
    out->se = sqrt(1 / w1);
    return HD_OK;
}
