/* funnel.c - see funnel.h. Every kind is one row of scale(): how a value is transformed, its
 * within-unit standard error there, and the way back. The rest is common to all. */
#include "statistics/funnel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "statistics/quantile.h"

typedef enum scale { SCALE_LOG, SCALE_ROOT, SCALE_ARCSINE, SCALE_PLAIN } scale;

static scale scale_of(const hd_funnel_options *o)
{
    switch (o->kind) {
    case HD_FUNNEL_PROPORTION:
        return SCALE_ARCSINE;
    case HD_FUNNEL_RATE:
    case HD_FUNNEL_RATIO:
        return o->adjust == HD_FUNNEL_WINSORISE ? SCALE_ROOT : SCALE_LOG;
    case HD_FUNNEL_RATIO_OF_COUNTS:
        return SCALE_LOG;
    case HD_FUNNEL_MEAN:
        break;
    }
    return SCALE_PLAIN;
}

static double to_scale(scale sc, double v)
{
    switch (sc) {
    case SCALE_LOG:
        return log(v);
    case SCALE_ROOT:
        return sqrt(v);
    case SCALE_ARCSINE:
        return asin(sqrt(fmin(fmax(v, 0), 1)));
    case SCALE_PLAIN:
        break;
    }
    return v;
}

static double from_scale(scale sc, double y)
{
    double root;
    switch (sc) {
    case SCALE_LOG:
        return exp(y);
    case SCALE_ROOT:
        return y > 0 ? y * y : 0;
    case SCALE_ARCSINE:
        root = sin(fmin(fmax(y, 0), M_PI_2));
        return root * root;
    case SCALE_PLAIN:
        break;
    }
    return y;
}

hd_funnel_options hd_funnel_defaults(hd_funnel_kind kind)
{
    return (hd_funnel_options){.kind = kind,
                               .base =
                                   kind == HD_FUNNEL_PROPORTION ? HD_FUNNEL_SCORE : HD_FUNNEL_EXACT,
                               .target = NAN,
                               .trim = 0.1,
                               .n_levels = 2,
                               .levels = {0.95, 0.998}};
}

/* Expected count of a unit with this denominator. */
static double expected_count(const hd_funnel_options *o, double target, double denominator)
{
    return o->kind == HD_FUNNEL_RATIO ? denominator : denominator * target;
}

/* Within-unit standard error on the transformed scale, from the target alone: for the curves, and
 * for the units of every kind whose error does not depend on their own numerator. */
static double curve_error(const hd_funnel_options *o, const hd_funnel_summary *sum, double n)
{
    double e = expected_count(o, sum->target, n), a = n * sum->target;
    switch (o->kind) {
    case HD_FUNNEL_PROPORTION:
        return 1 / (2 * sqrt(n));
    case HD_FUNNEL_RATE:
        /* On the root scale of the rate itself the error is free of the target. */
        return scale_of(o) == SCALE_ROOT ? 1 / (2 * sqrt(n)) : 1 / sqrt(e);
    case HD_FUNNEL_RATIO:
        return scale_of(o) == SCALE_ROOT ? 1 / (2 * sqrt(e)) : 1 / sqrt(e);
    case HD_FUNNEL_RATIO_OF_COUNTS:
        return sqrt(a / ((a + 0.5) * (a + 0.5)) + n / ((n + 0.5) * (n + 0.5)));
    case HD_FUNNEL_MEAN:
        break;
    }
    return sum->sd / sqrt(n);
}

static double denominator_of(const hd_funnel_options *o, const hd_funnel_unit *u)
{
    char text[400];
    if (o->kind != HD_FUNNEL_RATIO || !o->round_expected)
        return u->denominator;
    /* Decimal rounding of the exact binary value: 367.205 is a little less and becomes 367.20. */
    snprintf(text, sizeof text, "%.2f", u->denominator);
    return strtod(text, NULL);
}

static double z_score(const hd_funnel_options *o, const hd_funnel_unit *u, hd_funnel_row *r,
                      const hd_funnel_summary *sum)
{
    double n = denominator_of(o, u), y;
    scale sc = scale_of(o);
    r->s = curve_error(o, sum, n);
    if (o->kind == HD_FUNNEL_RATIO_OF_COUNTS) {
        double a = u->numerator + 0.5, b = n + 0.5;
        y = log(a / b);
        r->s = sqrt(u->numerator / (a * a) + n / (b * b));
    } else {
        /* A count of 0 has no logarithm: half an event takes its place, on this scale only. */
        double x = sc == SCALE_LOG && u->numerator <= 0 ? 0.5 : u->numerator;
        y = to_scale(sc, x / n);
    }
    return (y - to_scale(sc, sum->target)) / r->s;
}

static hd_code check_unit(const hd_funnel_options *o, const hd_funnel_unit *u, size_t at,
                          hd_err *err)
{
    if (!isfinite(u->denominator) || u->denominator < 0)
        return hd_fail(err, HD_INVALID, "unit %zu has a negative or missing denominator", at);
    if (!isfinite(u->numerator) || (o->kind != HD_FUNNEL_MEAN && u->numerator < 0))
        return hd_fail(err, HD_INVALID, "unit %zu has a negative or missing numerator", at);
    if (o->kind == HD_FUNNEL_PROPORTION && u->numerator > u->denominator)
        return hd_fail(err, HD_INVALID, "unit %zu has a numerator above its denominator", at);
    if (o->kind == HD_FUNNEL_MEAN && u->denominator > 1 && !(isfinite(u->sd) && u->sd >= 0))
        return hd_fail(err, HD_INVALID, "unit %zu has no standard deviation", at);
    return HD_OK;
}

static hd_code set_target(const hd_funnel_unit *units, size_t n, const hd_funnel_options *o,
                          hd_funnel_summary *sum, hd_err *err)
{
    double x = 0, d = 0, squares = 0, freedom = 0;
    for (size_t i = 0; i < n; i++) {
        HD_TRY(check_unit(o, &units[i], i + 1, err));
        x += units[i].numerator;
        d += units[i].denominator;
        if (o->kind == HD_FUNNEL_MEAN && units[i].denominator > 1) {
            squares += (units[i].denominator - 1) * units[i].sd * units[i].sd;
            freedom += units[i].denominator - 1;
        }
    }
    sum->sd = freedom > 0 ? sqrt(squares / freedom) : NAN;
    sum->target = !isnan(o->target) ? o->target : o->kind == HD_FUNNEL_RATIO ? 1 : x / d;
    if (n > 0 && !isfinite(sum->target))
        return hd_fail(err, HD_INVALID, "a funnel needs a unit with a denominator above 0");
    if (o->kind != HD_FUNNEL_MEAN && n > 0 && sum->target < 0)
        return hd_fail(err, HD_INVALID, "a funnel's target must be 0 or more");
    return HD_OK;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Average rank of v among the n ascending values: values below it, and half of its ties. */
static double average_rank(const double *sorted, size_t n, double v)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (sorted[mid] < v)
            low = mid + 1;
        else
            high = mid;
    }
    size_t last = low, end = n;
    while (last < end) {
        size_t mid = last + (end - last) / 2;
        if (sorted[mid] <= v)
            last = mid + 1;
        else
            end = mid;
    }
    return (double)(low + 1 + last) / 2;
}

static void trim(hd_funnel_row *rows, size_t n, const double *sorted, size_t m,
                 const hd_funnel_options *o)
{
    double parts = o->trim > 0 ? round(1 / o->trim) : INFINITY;
    double low = m ? hd_sorted_quantile(sorted, m, o->trim) : 0;
    double high = m ? hd_sorted_quantile(sorted, m, 1 - o->trim) : 0;
    for (size_t i = 0; i < n; i++) {
        hd_funnel_row *r = &rows[i];
        r->z_used = r->z;
        if (isnan(r->z) || o->adjust == HD_FUNNEL_NO_ADJUSTMENT || o->trim <= 0)
            continue;
        if (o->adjust == HD_FUNNEL_WINSORISE) {
            r->z_used = fmin(fmax(r->z, low), high);
            continue;
        }
        double part = floor(average_rank(sorted, m, r->z) * parts / (double)(m + 1));
        if (part <= 0 || part >= parts - 1)
            r->z_used = NAN;
    }
}

/* phi and the additive variance tau2 (DerSimonian and Laird's moment estimator around the fixed
 * target), over the units that trimming left. */
static hd_code set_dispersion(hd_funnel_row *rows, size_t n, const hd_funnel_options *o,
                              hd_funnel_summary *sum, hd_err *err)
{
    double *sorted = hd_calloc(n ? n : 1, sizeof *sorted);
    if (!sorted)
        return hd_fail_nomem(err);
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(rows[i].z))
            sorted[m++] = rows[i].z;
    qsort(sorted, m, sizeof *sorted, ascending);
    trim(rows, n, sorted, m, o);
    hd_free(sorted);
    double q = 0, w1 = 0, w2 = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(rows[i].z_used))
            continue;
        double w = 1 / (rows[i].s * rows[i].s);
        q += rows[i].z_used * rows[i].z_used;
        w1 += w;
        w2 += w * w;
        sum->used++;
    }
    double used = (double)sum->used, spread = w1 - w2 / w1;
    sum->phi = sum->used ? q / used : NAN;
    sum->tau2 = sum->used > 1 && q > used - 1 && spread > 0 ? (q - (used - 1)) / spread : 0;
    return HD_OK;
}

static hd_code plain_limits(const hd_funnel_options *o, const hd_funnel_summary *sum, double n,
                            double s, double level, hd_limits *out, hd_err *err)
{
    double z, e = expected_count(o, sum->target, n), t = sum->target;
    HD_TRY(hd_z(level, &z, err));
    bool is_count = o->kind == HD_FUNNEL_RATE || o->kind == HD_FUNNEL_RATIO;
    if (is_count && o->kind == HD_FUNNEL_RATIO)
        e = n * t;
    if (o->base == HD_FUNNEL_EXACT && is_count) {
        HD_TRY(hd_count_limits(HD_COUNT_EXACT, e, level, out, err));
        *out = (hd_limits){out->lower / n, out->upper / n};
        return HD_OK;
    }
    if (o->base == HD_FUNNEL_EXACT && o->kind == HD_FUNNEL_PROPORTION)
        return hd_proportion_limits(HD_PROPORTION_EXACT, fmin(n * t, n), n, level, out, err);
    if (o->base == HD_FUNNEL_SCORE && (is_count || o->kind == HD_FUNNEL_PROPORTION)) {
        double half = z * sqrt(is_count ? t / n : t * (1 - t) / n);
        *out = (hd_limits){fmax(t - half, 0), is_count ? t + half : fmin(t + half, 1)};
        return HD_OK;
    }
    scale sc = scale_of(o);
    double centre = to_scale(sc, t);
    *out = (hd_limits){from_scale(sc, centre - z * s), from_scale(sc, centre + z * s)};
    return HD_OK;
}

static hd_code all_limits(const hd_funnel_options *o, const hd_funnel_summary *sum, double n,
                          double s, hd_limits *plain, hd_limits *adjusted, hd_err *err)
{
    scale sc = scale_of(o);
    double centre = to_scale(sc, sum->target);
    double wide = o->variance_only ? s * sqrt(fmax(sum->phi, 1)) : sqrt(s * s + sum->tau2);
    for (unsigned i = 0; i < o->n_levels; i++) {
        double z;
        HD_TRY(hd_z(o->levels[i], &z, err));
        HD_TRY(plain_limits(o, sum, n, s, o->levels[i], &plain[i], err));
        adjusted[i] = plain[i];
        if (o->adjust == HD_FUNNEL_NO_ADJUSTMENT)
            continue;
        double low = centre - z * wide, high = centre + z * wide;
        bool root = sc == SCALE_ROOT && o->root_limits;
        adjusted[i] =
            root ? (hd_limits){low, high} : (hd_limits){from_scale(sc, low), from_scale(sc, high)};
    }
    return HD_OK;
}

static int status_of(double value, hd_limits l)
{
    return (value > l.upper) - (value < l.lower);
}

static hd_code check_options(const hd_funnel_options *o, hd_err *err)
{
    if (o->n_levels > HD_FUNNEL_LEVELS)
        return hd_fail(err, HD_LIMIT, "a funnel takes at most %d levels", HD_FUNNEL_LEVELS);
    if (!(o->trim >= 0 && o->trim < 0.5))
        return hd_fail(err, HD_INVALID, "the trimmed share must lie between 0 and 0.5");
    if (o->kind == HD_FUNNEL_PROPORTION && o->target > 1)
        return hd_fail(err, HD_INVALID, "a proportion's target must not be above 1");
    return HD_OK;
}

hd_code hd_funnel(const hd_funnel_unit *units, size_t n, const hd_funnel_options *o,
                  hd_funnel_row *rows, hd_funnel_summary *sum, hd_err *err)
{
    *sum = (hd_funnel_summary){.target = NAN, .phi = NAN, .sd = NAN};
    HD_TRY(check_options(o, err));
    HD_TRY(set_target(units, n, o, sum, err));
    for (size_t i = 0; i < n; i++) {
        double d = denominator_of(o, &units[i]);
        rows[i] = (hd_funnel_row){.value = NAN, .expected = NAN, .s = NAN, .z = NAN, .z_used = NAN};
        for (unsigned k = 0; k < HD_FUNNEL_LEVELS; k++)
            rows[i].limits[k] = rows[i].adjusted[k] = (hd_limits){NAN, NAN};
        if (d <= 0)
            continue;
        rows[i].value = units[i].numerator / units[i].denominator;
        rows[i].expected = expected_count(o, sum->target, d);
        rows[i].z = z_score(o, &units[i], &rows[i], sum);
        if (!isfinite(rows[i].z))
            rows[i].z = NAN; /* a target of 0, or no spread at all: no score can be given */
    }
    HD_TRY(set_dispersion(rows, n, o, sum, err));
    for (size_t i = 0; i < n; i++) {
        hd_funnel_row *r = &rows[i];
        if (isnan(r->value))
            continue;
        HD_TRY(all_limits(o, sum, denominator_of(o, &units[i]), r->s, r->limits, r->adjusted, err));
        for (unsigned k = 0; k < o->n_levels; k++) {
            r->status[k] = status_of(r->value, r->limits[k]);
            r->adjusted_status[k] = status_of(r->value, r->adjusted[k]);
        }
    }
    return HD_OK;
}

hd_code hd_funnel_curve(const hd_funnel_options *o, const hd_funnel_summary *sum,
                        double denominator, hd_limits limits[HD_FUNNEL_LEVELS],
                        hd_limits adjusted[HD_FUNNEL_LEVELS], hd_err *err)
{
    HD_TRY(check_options(o, err));
    if (!(denominator > 0) || !isfinite(denominator))
        return hd_fail(err, HD_INVALID, "a funnel's limits need a denominator above 0");
    return all_limits(o, sum, denominator, curve_error(o, sum, denominator), limits, adjusted, err);
}

const char *hd_funnel_label(int status)
{
    return status < 0 ? "lower" : status > 0 ? "higher" : "as expected";
}

static int phe_status(hd_limits wide, hd_limits narrow, double target)
{
    if (wide.lower > target || wide.upper < target)
        return wide.lower > target ? 2 : -2;
    if (narrow.lower > target || narrow.upper < target)
        return narrow.lower > target ? 1 : -1;
    return 0;
}

hd_code hd_funnel_phe_proportion(double x, double n, double target, int *status, hd_err *err)
{
    hd_limits narrow, wide;
    HD_TRY(hd_proportion_limits(HD_PROPORTION_WILSON, x, n, 0.95, &narrow, err));
    HD_TRY(hd_proportion_limits(HD_PROPORTION_WILSON, x, n, 0.998, &wide, err));
    *status = phe_status(wide, narrow, target);
    return HD_OK;
}

hd_code hd_funnel_phe_count(double x, double expected, int *status, hd_err *err)
{
    hd_limits narrow, wide;
    HD_TRY(hd_count_limits(HD_COUNT_PHE, x, 0.95, &narrow, err));
    HD_TRY(hd_count_limits(HD_COUNT_PHE, x, 0.998, &wide, err));
    *status = phe_status(wide, narrow, expected);
    return HD_OK;
}

const char *hd_funnel_phe_label(int status)
{
    static const char *const labels[] = {"Low (0.001)", "Low (0.025)", "Not significant",
                                         "High (0.025)", "High (0.001)"};
    return labels[status + 2];
}
