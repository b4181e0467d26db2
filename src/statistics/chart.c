/* chart.c - see chart.h. A part is worked out in two steps: a summary of its baseline (centre,
 * spread), then the limits of every point from the summary and the point's own size. */
#include "statistics/chart.h"

#define MATHLIB_STANDALONE 1
#include <Rmath.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

static const double t_power = 3.6;

static bool is_rate(hd_chart c)
{
    return c == HD_CHART_P || c == HD_CHART_P_PRIME || c == HD_CHART_U || c == HD_CHART_U_PRIME;
}

static bool is_count(hd_chart c)
{
    return c == HD_CHART_C || c == HD_CHART_C_PRIME;
}

static hd_code check(const hd_chart_input *p, hd_chart chart, size_t at, hd_err *err)
{
    if (p->numerator < 0 || p->denominator < 0)
        return hd_fail(err, HD_INVALID, "point %zu has a negative count", at);
    if (is_rate(chart) && p->numerator > 0 && p->denominator <= 0)
        return hd_fail(err, HD_INVALID, "point %zu has no denominator", at);
    if ((chart == HD_CHART_P || chart == HD_CHART_P_PRIME) && p->numerator > p->denominator)
        return hd_fail(err, HD_INVALID, "point %zu has a numerator above its denominator", at);
    if (chart == HD_CHART_T && p->value < 0)
        return hd_fail(err, HD_INVALID, "point %zu is a negative time", at);
    return HD_OK;
}

/* Plotted value of point i of a part; a moving range needs the point before. */
static double plotted(const hd_chart_input *p, size_t i, hd_chart chart)
{
    switch (chart) {
    case HD_CHART_MR:
        return i ? fabs(p[i].value - p[i - 1].value) : NAN;
    case HD_CHART_S:
        return p[i].sd;
    case HD_CHART_P:
    case HD_CHART_P_PRIME:
    case HD_CHART_U:
    case HD_CHART_U_PRIME:
        return p[i].denominator > 0 ? p[i].numerator / p[i].denominator : NAN;
    case HD_CHART_C:
    case HD_CHART_C_PRIME:
        return p[i].numerator;
    case HD_CHART_T:
        return pow(p[i].value, 1 / t_power);
    default:
        return p[i].value;
    }
}

static double c4(double n)
{
    return sqrt(2 / (n - 1)) * exp(lgammafn(n / 2) - lgammafn((n - 1) / 2));
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static hd_code median_of(const double *y, const hd_chart_input *p, size_t n, double *out,
                         hd_err *err)
{
    size_t m = 0;
    double *v = hd_calloc(n + 1, sizeof *v);
    if (!v)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        if (!isnan(y[i]) && !(p && p[i].exclude))
            v[m++] = y[i];
    qsort(v, m, sizeof *v, ascending);
    *out = m ? (v[(m - 1) / 2] + v[m / 2]) / 2 : NAN;
    hd_free(v);
    return HD_OK;
}

typedef struct summary {
    double centre, spread; /* spread: mean moving range, mean or pooled sd, or Laney's factor */
} summary;

static double mean_range(const double *y, const hd_chart_input *p, size_t n, double limit)
{
    double sum = 0;
    size_t used = 0;
    for (size_t i = 1; i < n; i++) {
        double range = fabs(y[i] - y[i - 1]);
        if (isnan(range) || p[i].exclude || p[i - 1].exclude || !(range < limit))
            continue;
        sum += range;
        used++;
    }
    return used ? sum / (double)used : NAN;
}

static summary individuals(const double *y, const hd_chart_input *p, size_t n, bool screen)
{
    double sum = 0;
    size_t used = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(y[i]) && !p[i].exclude) {
            sum += y[i];
            used++;
        }
    summary s = {used ? sum / (double)used : NAN, mean_range(y, p, n, INFINITY)};
    if (screen && s.spread > 0) {
        double screened = mean_range(y, p, n, 3.267 * s.spread);
        if (!isnan(screened))
            s.spread = screened;
    }
    return s;
}

/* Subgroups of one size: the mean of their standard deviations; of several: the pooled one. */
static summary subgroups(const hd_chart_input *p, size_t n)
{
    double sum = 0, size = 0, squares = 0, freedom = 0, deviations = 0, groups = 0, first = NAN;
    bool equal = true;
    for (size_t i = 0; i < n; i++) {
        if (p[i].exclude)
            continue;
        freedom += p[i].denominator - 1; /* an empty subgroup takes one off, as in qicharts2 */
        if (isnan(p[i].value))
            continue;
        sum += p[i].value * p[i].denominator;
        size += p[i].denominator;
        equal = equal && (isnan(first) || first == p[i].denominator);
        first = p[i].denominator;
        if (isnan(p[i].sd))
            continue;
        squares += p[i].sd * p[i].sd * (p[i].denominator - 1);
        deviations += p[i].sd;
        groups++;
    }
    double spread = equal ? deviations / groups : sqrt(squares / freedom);
    return (summary){sum / size, groups > 0 ? spread : (double)NAN};
}

static double sampling_error(hd_chart chart, double centre, double n)
{
    if (chart == HD_CHART_P || chart == HD_CHART_P_PRIME)
        return sqrt(centre * (1 - centre) / n);
    return is_count(chart) ? sqrt(centre) : sqrt(centre / n);
}

/* Pooled centre; Laney's factor is the mean moving range of the z scores over 1.128. */
static summary attributes(const double *y, const hd_chart_input *p, size_t n, hd_chart chart)
{
    double x = 0, d = 0, ranges = 0, last = NAN, used = 0;
    for (size_t i = 0; i < n; i++)
        if (!p[i].exclude && !isnan(y[i])) {
            x += p[i].numerator;
            d += is_count(chart) ? 1 : p[i].denominator;
        }
    double centre = x / d;
    for (size_t i = 0; i < n; i++) {
        if (p[i].exclude || isnan(y[i]))
            continue;
        double z = (y[i] - centre) / sampling_error(chart, centre, p[i].denominator);
        if (!isnan(last) && !isnan(z)) {
            ranges += fabs(z - last);
            used++;
        }
        last = z;
    }
    return (summary){d > 0 ? centre : (double)NAN, used > 0 ? ranges / used / 1.128 : (double)NAN};
}

static void set_row(const hd_chart_options *o, const summary *s, const hd_chart_input *p,
                    hd_chart_row *r)
{
    double n = p->denominator, reach = NAN, low = -INFINITY, high = INFINITY, c;
    r->centre = s->centre;
    switch (o->chart) {
    case HD_CHART_XMR:
    case HD_CHART_T:
        reach = o->constant * s->spread;
        low = o->chart == HD_CHART_T ? 0 : -INFINITY;
        break;
    case HD_CHART_MR:
        r->lower = 0;
        r->upper = 3.267 * s->centre;
        return;
    case HD_CHART_XBAR:
        reach = n > 1 ? 3 * s->spread / (c4(n) * sqrt(n)) : (double)NAN;
        break;
    case HD_CHART_S:
        r->centre = s->spread;
        c = n > 1 ? c4(n) : (double)NAN;
        reach = 3 * s->spread * sqrt(1 - c * c) / c;
        low = 0;
        break;
    case HD_CHART_P:
    case HD_CHART_P_PRIME:
        high = 1;
        /* fall through */
    case HD_CHART_U:
    case HD_CHART_U_PRIME:
    case HD_CHART_C:
    case HD_CHART_C_PRIME:
        low = 0;
        reach = 3 * sampling_error(o->chart, s->centre, n);
        /* Without sampling error (nobody, or everybody) there is no z to take a spread of. */
        if (reach > 0 && (o->chart == HD_CHART_P_PRIME || o->chart == HD_CHART_U_PRIME ||
                          o->chart == HD_CHART_C_PRIME))
            reach *= s->spread;
        break;
    case HD_CHART_RUN:
        return;
    }
    if (isnan(reach) || isnan(r->centre))
        return;
    r->lower = fmax(r->centre - reach, low);
    r->upper = fmin(r->centre + reach, high);
}

static hd_code one_part(const hd_chart_input *p, size_t n, const hd_chart_options *o, double *y,
                        size_t part, hd_chart_row *rows, hd_err *err)
{
    size_t base = o->baseline && o->baseline < n ? o->baseline : n;
    summary s;
    for (size_t i = 0; i < n; i++)
        y[i] = plotted(p, i, o->chart);
    if (o->chart == HD_CHART_XBAR || o->chart == HD_CHART_S)
        s = subgroups(p, base);
    else if (is_rate(o->chart) || is_count(o->chart))
        s = attributes(y, p, base, o->chart);
    else
        s = individuals(y, p, base, o->screen);
    if (o->chart == HD_CHART_RUN)
        HD_TRY(median_of(y, p, base, &s.centre, err));
    for (size_t i = 0; i < n; i++) {
        hd_chart_row *r = &rows[i];
        *r = (hd_chart_row){.y = y[i], .centre = NAN, .lower = NAN, .upper = NAN, .part = part};
        set_row(o, &s, &p[i], r);
        r->outside = y[i] > r->upper || y[i] < r->lower;
        if (o->chart != HD_CHART_T)
            continue;
        r->y = p[i].value;
        r->centre = pow(r->centre, t_power);
        r->lower = pow(r->lower, t_power);
        r->upper = pow(r->upper, t_power);
    }
    return HD_OK;
}

hd_code hd_chart_limits(const hd_chart_input *in, size_t n, const hd_chart_options *o,
                        hd_chart_row *rows, hd_err *err)
{
    hd_code rc = HD_OK;
    double *y = hd_calloc(n + 1, sizeof *y);
    if (!y)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        HD_GO(check(&in[i], o->chart, i + 1, err));
    for (size_t from = 0, to, part = 0; from < n; from = to, part++) {
        for (to = from + 1; to < n && !in[to].starts; to++)
            ;
        HD_GO(one_part(in + from, to - from, o, y, part, rows + from, err));
    }
out:
    hd_free(y);
    return rc;
}

hd_runs hd_runs_of(const hd_chart_input *in, const hd_chart_row *rows, size_t n)
{
    hd_runs r = {0};
    int last = 0;
    size_t run = 0;
    for (size_t i = 0; i < n; i++) {
        int side = (rows[i].y > rows[i].centre) - (rows[i].y < rows[i].centre);
        if (in[i].exclude || side == 0)
            continue;
        r.useful++;
        r.crossings += last != 0 && side != last;
        run = side == last ? run + 1 : 1;
        last = side;
        if (run > r.longest)
            r.longest = run;
    }
    if (r.useful == 0)
        return r;
    r.longest_max = (size_t)nearbyint(log2((double)r.useful) + 3);
    r.crossings_min = (size_t)qbinom(0.05, (double)r.useful - 1, 0.5, 1, 0);
    r.signal = r.longest > r.longest_max || r.crossings < r.crossings_min;
    return r;
}

/* Median of the points of a run, without those that lie on the median before. */
static hd_code run_median(const double *v, size_t n, double before, double *out, hd_err *err)
{
    double *kept = hd_calloc(n + 1, sizeof *kept);
    if (!kept)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        kept[i] = v[i] == before ? (double)NAN : v[i];
    hd_code rc = median_of(kept, NULL, n, out, err);
    hd_free(kept);
    return rc;
}

/* The first run of run_length points on one side of the median after `from`, or false. */
static bool find_run(const double *v, size_t n, size_t from, double median, size_t run_length,
                     hd_run_direction direction, size_t *first, size_t *last)
{
    int last_side = 0;
    size_t run = 0;
    for (size_t i = from; i < n; i++) {
        int side = (v[i] > median) - (v[i] < median);
        if (side == 0)
            continue;
        if (side != last_side) {
            run = 0;
            *first = i;
        }
        last_side = side;
        run++;
        bool wanted = direction == HD_RUN_BOTH || (direction == HD_RUN_UP) == (side > 0);
        if (run == run_length && wanted) {
            *last = i;
            return true;
        }
    }
    return false;
}

hd_code hd_run_chart(const double *values, size_t n, size_t baseline, size_t run_length,
                     hd_run_direction direction, hd_run_segment *segments, size_t *n_segments,
                     hd_err *err)
{
    *n_segments = 0;
    if (baseline < 1 || run_length < 2)
        return hd_fail(err, HD_INVALID,
                       "a run chart needs a baseline and a run of 2 points or more");
    if (n < baseline)
        return hd_fail(err, HD_INVALID, "there are fewer points than the baseline needs");
    size_t first = 0, last = baseline - 1, count = 0;
    do {
        double median, before = count ? segments[count - 1].median : (double)NAN;
        HD_TRY(run_median(values + first, last + 1 - first, before, &median, err));
        if (count > 0)
            segments[count - 1].extend_to = first;
        segments[count] = (hd_run_segment){median, first, last, n - 1, count > 0};
        count++;
    } while (find_run(values, n, segments[count - 1].last + 1, segments[count - 1].median,
                      run_length, direction, &first, &last));
    *n_segments = count;
    return HD_OK;
}
