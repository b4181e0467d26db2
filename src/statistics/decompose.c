/* decompose.c - see decompose.h. */
#include "statistics/decompose.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static hd_code check(const double *y, size_t n, size_t period, size_t least, hd_err *err)
{
    if (period < 2)
        return hd_fail(err, HD_INVALID, "a season needs a period of 2 or more");
    if (n < least)
        return hd_fail(err, HD_INVALID, "a decomposition needs two whole periods of values");
    for (size_t i = 0; i < n; i++)
        if (!isfinite(y[i]))
            return hd_fail(err, HD_INVALID, "value %zu is missing", i + 1);
    return HD_OK;
}

hd_code hd_decompose_classical(const double *y, size_t n, size_t period, bool multiplicative,
                               hd_decomposed *out, hd_err *err)
{
    HD_TRY(check(y, n, period, 2 * period, err));
    size_t half = period / 2;
    for (size_t i = 0; i < n; i++) {
        out[i] = (hd_decomposed){NAN, NAN, NAN};
        if (i < half || i + half >= n)
            continue;
        double sum = 0;
        for (size_t j = i - half; j <= i + half; j++)
            sum += (period % 2 == 0 && (j == i - half || j == i + half) ? 0.5 : 1) * y[j];
        out[i].trend = sum / (double)period;
    }
    double mean = 0;
    for (size_t s = 0; s < period; s++) {
        double sum = 0, used = 0;
        for (size_t i = s; i < n; i += period)
            if (!isnan(out[i].trend)) {
                sum += multiplicative ? y[i] / out[i].trend : y[i] - out[i].trend;
                used++;
            }
        out[s].season = sum / used;
        mean += out[s].season / (double)period;
    }
    for (size_t i = 0; i < n; i++) {
        out[i].season = i >= period      ? out[i - period].season
                        : multiplicative ? out[i].season / mean
                                         : out[i].season - mean;
        out[i].remainder = multiplicative ? y[i] / out[i].trend / out[i].season
                                          : y[i] - out[i].trend - out[i].season;
    }
    return HD_OK;
}

/* --- STL -------------------------------------------------------------------------------------- */

/* Loess estimate at position x (1-based) of the values from `left` to `right`; false when all
 * weights vanish. */
static bool estimate(const double *y, size_t n, size_t window, int degree, double x, size_t left,
                     size_t right, const double *weights, double *work, double *out)
{
    double reach = fmax(x - (double)left, (double)right - x), sum = 0, range = (double)n - 1;
    if (window > n)
        reach += (double)((window - n) / 2);
    for (size_t j = left; j <= right; j++) {
        double r = fabs((double)j - x), w = 0;
        if (r <= 0.999 * reach) {
            double u = r / reach;
            w = r <= 0.001 * reach ? 1 : pow(1 - u * u * u, 3);
            w *= weights ? weights[j - 1] : 1;
        }
        work[j - 1] = w;
        sum += w;
    }
    if (sum <= 0)
        return false;
    for (size_t j = left; j <= right; j++)
        work[j - 1] /= sum;
    if (reach > 0 && degree > 0) {
        double a = 0, c = 0;
        for (size_t j = left; j <= right; j++)
            a += work[j - 1] * (double)j;
        for (size_t j = left; j <= right; j++)
            c += work[j - 1] * ((double)j - a) * ((double)j - a);
        if (sqrt(c) > 0.001 * range)
            for (size_t j = left; j <= right; j++)
                work[j - 1] *= (x - a) / c * ((double)j - a) + 1;
    }
    *out = 0;
    for (size_t j = left; j <= right; j++)
        *out += work[j - 1] * y[j - 1];
    return true;
}

/* Loess at every jump-th position and the last, straight lines between. */
static void smooth(const double *y, size_t n, size_t window, size_t jump, int degree,
                   const double *weights, double *work, double *out)
{
    if (n < 2) {
        out[0] = y[0];
        return;
    }
    size_t left = 1, right = window < n ? window : n, middle = (window + 1) / 2, last = 1;
    jump = jump < n - 1 ? jump : n - 1;
    for (size_t i = 1; i <= n; i = i == n ? n + 1 : i + jump > n ? n : i + jump) {
        bool grid = (i - 1) % jump == 0; /* the last position keeps the window of the one before */
        if (window < n && grid) {
            left = i < middle ? 1 : i + middle > n ? n - window + 1 : i - middle + 1;
            right = left + window - 1;
        }
        if (!estimate(y, n, window, degree, (double)i, left, right, weights, work, &out[i - 1]))
            out[i - 1] = y[i - 1];
        double step = i > last ? (out[i - 1] - out[last - 1]) / (double)(i - last) : 0;
        for (size_t j = last + 1; j < i; j++)
            out[j - 1] = out[last - 1] + step * (double)(j - last);
        last = i;
    }
}

static void moving_average(const double *y, size_t n, size_t width, double *out)
{
    double sum = 0;
    for (size_t i = 0; i < width; i++)
        sum += y[i];
    out[0] = sum / (double)width;
    for (size_t i = width; i < n; i++) {
        sum += y[i] - y[i - width];
        out[i - width + 1] = sum / (double)width;
    }
}

typedef struct stl {
    const hd_stl_options *o;
    size_t n, season_window, trend_window, low_window;
    double *season, *trend, *weights; /* n; weights NULL in the first pass */
    double *cycle, *a, *b, *work;     /* n + 2 periods */
    double *sub, *sub_weights;        /* one value a period, and two more */
} stl;

static size_t jump_of(const stl *t, size_t window)
{
    return t->o->every_point ? 1 : (window + 9) / 10;
}

/* Smooth every subseries (all Januaries ...) and extend it by one period at both ends. */
static void smooth_cycles(stl *t, const double *detrended)
{
    size_t p = t->o->period;
    size_t jump = jump_of(t, t->season_window);
    for (size_t s = 0; s < p; s++) {
        size_t k = (t->n - s - 1) / p + 1;
        double *out = t->a;
        for (size_t i = 0; i < k; i++) {
            t->sub[i] = detrended[i * p + s];
            t->sub_weights[i] = t->weights ? t->weights[i * p + s] : 1;
        }
        smooth(t->sub, k, t->season_window, jump, 0, t->sub_weights, t->work, out + 1);
        size_t right = t->season_window < k ? t->season_window : k;
        if (!estimate(t->sub, k, t->season_window, 0, 0, 1, right, t->sub_weights, t->work,
                      &out[0]))
            out[0] = out[1];
        size_t left = k > t->season_window ? k - t->season_window + 1 : 1;
        if (!estimate(t->sub, k, t->season_window, 0, (double)k + 1, left, k, t->sub_weights,
                      t->work, &out[k + 1]))
            out[k + 1] = out[k];
        for (size_t i = 0; i < k + 2; i++)
            t->cycle[i * p + s] = out[i];
    }
}

static void inner_pass(stl *t, const double *y)
{
    size_t n = t->n, p = t->o->period;
    double *detrended = t->b;
    for (size_t i = 0; i < n; i++)
        detrended[i] = y[i] - t->trend[i];
    smooth_cycles(t, detrended);
    /* Low-pass filter: two moving averages of a period, one of three, and a loess. */
    moving_average(t->cycle, n + 2 * p, p, t->a);
    moving_average(t->a, n + p + 1, p, t->b);
    moving_average(t->b, n + 2, 3, t->a);
    smooth(t->a, n, t->low_window, jump_of(t, t->low_window), 1, NULL, t->work, t->b);
    for (size_t i = 0; i < n; i++)
        t->season[i] = t->cycle[p + i] - t->b[i];
    for (size_t i = 0; i < n; i++)
        t->a[i] = y[i] - t->season[i];
    smooth(t->a, n, t->trend_window, jump_of(t, t->trend_window), 1, t->weights, t->work, t->trend);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Bisquare weights at six median absolute remainders. */
static void robustness(stl *t, const double *y, double *weights)
{
    size_t n = t->n;
    for (size_t i = 0; i < n; i++)
        t->a[i] = t->b[i] = fabs(y[i] - t->season[i] - t->trend[i]);
    qsort(t->a, n, sizeof *t->a, ascending);
    double reach = 3 * (t->a[n / 2] + t->a[(n - 1) / 2]);
    for (size_t i = 0; i < n; i++) {
        double u = t->b[i] / reach;
        weights[i] = t->b[i] <= 0.001 * reach ? 1 : t->b[i] > 0.999 * reach ? 0 : pow(1 - u * u, 2);
    }
}

static size_t odd(double v)
{
    size_t w = (size_t)ceil(v);
    return w % 2 ? w : w + 1;
}

/* A season that does not change is the mean of its subseries. */
static void average_season(stl *t)
{
    size_t p = t->o->period;
    for (size_t s = 0; s < p; s++) {
        double sum = 0, used = 0;
        for (size_t i = s; i < t->n; i += p, used++)
            sum += t->season[i];
        for (size_t i = s; i < t->n; i += p)
            t->season[i] = sum / used;
    }
}

hd_code hd_decompose_stl(const double *y, size_t n, const hd_stl_options *o, hd_decomposed *out,
                         hd_err *err)
{
    hd_code rc = HD_OK;
    HD_TRY(check(y, n, o->period, 2 * o->period + 1, err));
    size_t room = n + 2 * o->period + 2;
    double *all = hd_calloc(10, room * sizeof *all);
    if (!all)
        return hd_fail_nomem(err);
    stl t = {.o = o,
             .n = n,
             .season = all,
             .trend = all + room,
             .cycle = all + 2 * room,
             .a = all + 3 * room,
             .b = all + 4 * room,
             .work = all + 5 * room,
             .sub = all + 6 * room,
             .sub_weights = all + 7 * room};
    double *weights = all + 8 * room;
    t.season_window = o->season_window ? o->season_window : 10 * n + 1;
    t.trend_window = o->trend_window
                         ? o->trend_window
                         : odd(1.5 * (double)o->period / (1 - 1.5 / (double)t.season_window));
    t.low_window = o->period % 2 ? o->period : o->period + 1;
    if (o->season_window && (o->season_window % 2 == 0 || o->season_window < 3))
        HD_GO(hd_fail(err, HD_INVALID, "the season's window must be an odd number from 3"));
    if (o->trend_window && o->trend_window % 2 == 0)
        HD_GO(hd_fail(err, HD_INVALID, "the trend's window must be an odd number"));
    for (unsigned pass = 0; pass <= o->outer; pass++) {
        for (unsigned k = 0; k < o->inner; k++)
            inner_pass(&t, y);
        if (pass == o->outer)
            break;
        robustness(&t, y, weights);
        t.weights = weights;
    }
    if (!o->season_window)
        average_season(&t);
    for (size_t i = 0; i < n; i++)
        out[i] = (hd_decomposed){t.trend[i], t.season[i], y[i] - t.trend[i] - t.season[i]};
out:
    hd_free(all);
    return rc;
}
