/* interval.c - see interval.h. Every limit is written in the form that does not cancel: a lower
 * Wilson limit of one event in ten thousand million keeps all its digits. */
#include "statistics/interval.h"

#define MATHLIB_STANDALONE 1
#include <Rmath.h>
#include <math.h>

static hd_code check_level(double level, hd_err *err)
{
    if (!(level > 0 && level < 1))
        return hd_fail(err, HD_INVALID, "a confidence level must lie between 0 and 1");
    return HD_OK;
}

static hd_code check_count(double x, hd_err *err)
{
    if (!isfinite(x) || x < 0)
        return hd_fail(err, HD_INVALID, "a count must be a number of 0 or more");
    return HD_OK;
}

hd_code hd_z(double level, double *z, hd_err *err)
{
    HD_TRY(check_level(level, err));
    *z = qnorm((1 - level) / 2, 0, 1, 0, 0);
    return HD_OK;
}

/* Lower score limit: 2x^2 / (n (2x + z^2 + z sqrt(z^2 + 4x(1 - x/n)))), which is the usual formula
 * multiplied out by its conjugate. */
static double wilson_lower(double x, double n, double z)
{
    double root = sqrt(z * z + 4 * x * ((n - x) / n));
    return 2 * x * (x / n) / (2 * x + z * z + z * root);
}

/* Newcombe's score limits with continuity correction. */
static double continuity_lower(double x, double n, double z)
{
    if (x <= 0)
        return 0;
    double p = x / n, q = 1 - p;
    double root = z * z - 2 - 1 / n + 4 * p * (n * q + 1);
    double lower = (2 * x + z * z - 1 - z * sqrt(fmax(root, 0))) / (2 * (n + z * z));
    return fmin(fmax(lower, 0), p); /* below half an event the correction would overshoot */
}

/* Quantile of a beta distribution. R's qbeta loses its way (and says so on standard output) when
 * the parameters are huge; there the distribution function is bracketed and halved instead. */
static double beta_quantile(double tail, double a, double b, bool lower_tail)
{
    if (a + b < 1e6)
        return qbeta(tail, a, b, lower_tail, 0);
    double mean = a / (a + b), low = 0, high = 1;
    for (double reach = sqrt(mean * (1 - mean) / (a + b + 1)) * 8; reach < 1; reach *= 4) {
        low = fmax(mean - reach, 0);
        high = fmin(mean + reach, 1);
        if (pbeta(low, a, b, 1, 0) <= tail && pbeta(high, a, b, 0, 0) <= tail)
            break;
        low = 0;
        high = 1;
    }
    for (int i = 0; i < 200; i++) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high)
            break;
        bool above =
            lower_tail ? pbeta(middle, a, b, 1, 0) > tail : pbeta(middle, a, b, 0, 0) <= tail;
        if (above)
            high = middle;
        else
            low = middle;
    }
    return low;
}

hd_code hd_proportion_limits(hd_proportion_method method, double x, double n, double level,
                             hd_limits *out, hd_err *err)
{
    double z;
    HD_TRY(hd_z(level, &z, err));
    HD_TRY(check_count(x, err));
    HD_TRY(check_count(n, err));
    if (n <= 0)
        return hd_fail(err, HD_INVALID, "a denominator must be above 0");
    if (x > n)
        return hd_fail(err, HD_INVALID, "a proportion's numerator is above its denominator");
    double alpha = 1 - level, half;
    switch (method) {
    case HD_PROPORTION_WILSON:
        out->lower = wilson_lower(x, n, z);
        out->upper = x < n ? 1 - wilson_lower(n - x, n, z) : 1;
        return HD_OK;
    case HD_PROPORTION_WILSON_CONTINUITY:
        out->lower = continuity_lower(x, n, z);
        out->upper = 1 - continuity_lower(n - x, n, z);
        return HD_OK;
    case HD_PROPORTION_EXACT:
        out->lower = x > 0 ? beta_quantile(alpha / 2, x, n - x + 1, true) : 0;
        out->upper = x < n ? beta_quantile(alpha / 2, x + 1, n - x, false) : 1;
        return HD_OK;
    case HD_PROPORTION_AGRESTI_COULL: {
        double centre = (x + z * z / 2) / (n + z * z);
        half = z * sqrt(centre * (1 - centre) / (n + z * z));
        *out = (hd_limits){x > 0 ? centre - half : 0, x < n ? centre + half : 1};
        return HD_OK;
    }
    case HD_PROPORTION_WALD:
        half = z * sqrt(x / n * ((n - x) / n) / n);
        *out = (hd_limits){x / n - half, x / n + half};
        return HD_OK;
    }
    return hd_fail(err, HD_INVALID, "no such method of proportion limits");
}

hd_count_method hd_count_method_used(hd_count_method method, double x)
{
    if (method == HD_COUNT_PHE)
        return x < 10 ? HD_COUNT_EXACT : HD_COUNT_BYAR;
    return method;
}

static double cube(double x)
{
    return x * x * x;
}

hd_code hd_count_limits(hd_count_method method, double x, double level, hd_limits *out, hd_err *err)
{
    double z;
    HD_TRY(hd_z(level, &z, err));
    HD_TRY(check_count(x, err));
    if (hd_count_method_used(method, x) == HD_COUNT_BYAR) {
        double up = x + 1;
        out->lower = x > 0 ? x * cube(fmax(1 - 1 / (9 * x) - z / (3 * sqrt(x)), 0)) : 0;
        out->upper = up * cube(1 - 1 / (9 * up) + z / (3 * sqrt(up)));
        return HD_OK;
    }
    out->lower = x > 0 ? qgamma((1 - level) / 2, x, 1, 1, 0) : 0;
    out->upper = qgamma((1 - level) / 2, x + 1, 1, 0, 0);
    return HD_OK;
}

hd_code hd_mean_limits(double n, double mean, double sd, double level, hd_limits *out, hd_err *err)
{
    HD_TRY(check_level(level, err));
    if (!isfinite(n) || n < 1)
        return hd_fail(err, HD_INVALID, "a mean needs at least one value");
    if (!isfinite(mean) || (n > 1 && (!isfinite(sd) || sd < 0)))
        return hd_fail(err, HD_INVALID, "a mean and its standard deviation must be numbers");
    double half = n > 1 ? qt((1 - level) / 2, n - 1, 0, 0) * sd / sqrt(n) : NAN;
    *out = (hd_limits){mean - half, mean + half};
    return HD_OK;
}

hd_code hd_count_ratio_limits(double a, double b, double level, hd_limits *out, hd_err *err)
{
    double z;
    HD_TRY(hd_z(level, &z, err));
    HD_TRY(check_count(a, err));
    HD_TRY(check_count(b, err));
    if (b <= 0)
        return hd_fail(err, HD_INVALID, "a ratio's denominator must be above 0");
    double zero = a > 0 ? 0 : 0.5;
    double up = a + zero, down = b + zero;
    double width = z * sqrt(1 / up + 1 / down);
    out->lower = a > 0 ? up / down * exp(-width) : 0;
    out->upper = up / down * exp(width);
    return HD_OK;
}

hd_code hd_quantile_ranks(uint64_t n, double q, double level, uint64_t *lower, uint64_t *upper,
                          hd_err *err)
{
    HD_TRY(check_level(level, err));
    if (!(q > 0 && q < 1))
        return hd_fail(err, HD_INVALID, "a quantile must lie between 0 and 1");
    if (n == 0 || n > UINT64_C(1) << 53)
        return hd_fail(err, HD_INVALID, "a quantile needs at least one value");
    double size = (double)n, alpha = (1 - level) / 2;
    /* qbinom is only the starting point: its tolerance may be one off either way. */
    double k = qbinom(alpha, size, q, 1, 0);
    while (k >= 0 && pbinom(k, size, q, 1, 0) > alpha)
        k--;
    while (k + 1 <= size && pbinom(k + 1, size, q, 1, 0) <= alpha)
        k++;
    *lower = (uint64_t)(k + 1);
    k = qbinom(alpha, size, q, 0, 0);
    while (k < size && pbinom(k, size, q, 0, 0) > alpha)
        k++;
    while (k > 0 && pbinom(k - 1, size, q, 0, 0) <= alpha)
        k--;
    *upper = (uint64_t)(k + 1);
    return HD_OK;
}
