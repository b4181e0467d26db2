/* compare.c - a unit among its peers: median, decile, the worst tenth, the funnel, and for how
 * long.
 *
 * Ranked is who has a value and a denominator of at least the indicator's minimum. Of n ranked
 * peers the worst floor(n / 10), at least one, are flagged, ties at the cut all together
 * (doc/methods.md). Withheld values are in nobody's rank, so they move nothing; but where most
 * values are withheld, what is left is no fair sample (the zeros of a rare event), and nobody is
 * ranked.
 */
#include "indicators/work.h"

#include "base/alloc.h"
#include "statistics/funnel.h"
#include "statistics/quantile.h"

#include <stdlib.h>

typedef struct slice {
    hd_unit_row **rows;
    size_t n;
    double *values; /* of the ranked, in any order, then sorted */
    unsigned *groups;
    hd_funnel_unit *units;
    hd_funnel_row *funnel;
} slice;

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int by_context(const void *a, const void *b)
{
    const hd_unit_row *x = *(hd_unit_row *const *)a, *y = *(hd_unit_row *const *)b;
    if (x->context != y->context)
        return x->context < y->context ? -1 : 1;
    if (x->peer_class != y->peer_class)
        return x->peer_class < y->peer_class ? -1 : 1;
    return (x > y) - (x < y);
}

static int by_series(const void *a, const void *b)
{
    const hd_unit_row *x = *(hd_unit_row *const *)a, *y = *(hd_unit_row *const *)b;
    if (x->series != y->series)
        return x->series < y->series ? -1 : 1;
    return (x->month > y->month) - (x->month < y->month);
}

static bool is_large(const hd_task *t, const hd_unit_row *r)
{
    return hd_is_known(r->own.denominator) &&
           r->own.denominator.x >= (double)t->def->minimum_denominator;
}

static void find_ranked(const hd_task *t, slice *s, size_t *n)
{
    size_t withheld = 0;
    *n = 0;
    for (size_t i = 0; i < s->n; i++) {
        s->rows[i]->is_ranked = is_large(t, s->rows[i]) && hd_is_known(s->rows[i]->own.value);
        *n += s->rows[i]->is_ranked;
        withheld += is_large(t, s->rows[i]) && s->rows[i]->own.value.mark;
    }
    if (withheld <= *n)
        return;
    for (size_t i = 0; i < s->n; i++)
        s->rows[i]->is_ranked = false;
    *n = 0;
}

/* ---- rank ----------------------------------------------------------------------------------- */

/* How many ranked values are strictly worse. values sorted ascending. */
static size_t worse_than(const double *values, size_t n, double x, hd_bad_side bad)
{
    size_t low = 0, high = n;
    while (low < high) { /* first value above x (bad high), or first not below x (bad low) */
        size_t middle = (low + high) / 2;
        bool before = bad == HD_BAD_HIGH ? values[middle] <= x : values[middle] < x;
        if (before)
            low = middle + 1;
        else
            high = middle;
    }
    return bad == HD_BAD_HIGH ? n - low : low;
}

static hd_code rank_slice(const hd_task *t, slice *s, double *median, hd_err *err)
{
    size_t n;
    *median = NAN;
    find_ranked(t, s, &n);
    for (size_t i = 0; i < s->n; i++)
        s->values[i] = s->rows[i]->is_ranked ? s->rows[i]->own.value.x : NAN;
    HD_TRY(hd_quantile_groups(s->values, s->n, 10, false, HD_GROUPING_PHE, s->groups, err));
    size_t m = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->rows[i]->is_ranked)
            s->values[m++] = s->rows[i]->own.value.x;
    if (n > 0) {
        qsort(s->values, n, sizeof *s->values, compare_doubles);
        *median = hd_sorted_quantile(s->values, n, 0.5);
    }
    /* When all are equal nobody is worse than anybody. */
    size_t cut = n < 2 || s->values[0] == s->values[n - 1] ? 0 : n / 10 > 1 ? n / 10 : 1;
    for (size_t i = 0; i < s->n; i++) {
        hd_unit_row *r = s->rows[i];
        r->peer_median.x = *median;
        if (!r->is_ranked)
            continue;
        r->decile = s->groups[i];
        if (t->def->bad != HD_BAD_NONE && n >= 2)
            r->worst = worse_than(s->values, n, r->own.value.x, t->def->bad) < cut ? HD_FLAG_YES
                                                                                   : HD_FLAG_NO;
    }
    return HD_OK;
}

/* ---- funnel --------------------------------------------------------------------------------- */

static bool fill_unit(const hd_task *t, const hd_unit_row *r, hd_funnel_unit *u)
{
    const hd_estimate *e = &r->own;
    *u = (hd_funnel_unit){0};
    if (!hd_is_known(e->denominator) || !hd_is_known(e->value) || !(e->denominator.x > 0))
        return false;
    if (t->def->method == HD_METHOD_MEAN) {
        if (!hd_is_known(e->sd) || e->denominator.x < 2)
            return false;
        *u = (hd_funnel_unit){e->value.x * e->denominator.x, e->denominator.x, e->sd.x};
    } else {
        *u = (hd_funnel_unit){e->numerator.x, e->denominator.x, 0};
    }
    return true;
}

/* A proportion's own score, as its limits are score limits; the funnel's z is on the scale on which
 * over-dispersion is judged. */
static double score(const hd_task *t, const hd_funnel_row *f, const hd_funnel_unit *u,
                    double target)
{
    if (t->def->method != HD_METHOD_PROPORTION)
        return f->z;
    return (f->value - target) / sqrt(target * (1 - target) / u->denominator);
}

bool hd_indicator_funnel(hd_method method, hd_funnel_options *out)
{
    static const hd_funnel_kind kinds[] = {
        [HD_METHOD_PROPORTION] = HD_FUNNEL_PROPORTION,
        [HD_METHOD_RATIO] = HD_FUNNEL_RATIO_OF_COUNTS,
        [HD_METHOD_DAILY_RATIO] = HD_FUNNEL_RATIO_OF_COUNTS,
        [HD_METHOD_MEAN] = HD_FUNNEL_MEAN,
    };
    if (method == HD_METHOD_QUANTILE)
        return false;
    *out = hd_funnel_defaults(kinds[method]);
    out->n_levels = 2;
    out->levels[0] = 0.95;
    out->levels[1] = 0.998;
    return true;
}

static hd_code funnel_slice(const hd_task *t, slice *s, hd_err *err)
{
    hd_funnel_options o;
    if (!hd_indicator_funnel(t->def->method, &o))
        return HD_OK;
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += fill_unit(t, s->rows[i], &s->units[i]);
    if (n < 2)
        return HD_OK;
    hd_funnel_summary sum;
    HD_TRY(hd_funnel(s->units, s->n, &o, s->funnel, &sum, err));
    for (size_t i = 0; i < s->n; i++) {
        const hd_funnel_row *f = &s->funnel[i];
        if (isnan(f->value) || isnan(f->z))
            continue;
        double z = score(t, f, &s->units[i], sum.target);
        s->rows[i]->funnel = f->status[1] ? 2 * f->status[1] : f->status[0];
        s->rows[i]->funnel_p.x = isfinite(z) ? erfc(fabs(z) / sqrt(2)) : NAN;
    }
    return HD_OK;
}

/* ---- bands ---------------------------------------------------------------------------------- */

static void fill_band(hd_band *b, hd_unit_row *const *rows, size_t n, double *values)
{
    b->n = 0;
    b->context = rows[0]->context;
    b->month = rows[0]->month;
    for (size_t i = 0; i < n; i++)
        if (rows[i]->is_ranked)
            values[b->n++] = rows[i]->own.value.x;
    b->p10 = b->p25 = b->p50 = b->p75 = b->p90 = NAN;
    if (b->n == 0)
        return;
    qsort(values, b->n, sizeof *values, compare_doubles);
    b->p10 = hd_sorted_quantile(values, b->n, 0.10);
    b->p25 = hd_sorted_quantile(values, b->n, 0.25);
    b->p50 = hd_sorted_quantile(values, b->n, 0.50);
    b->p75 = hd_sorted_quantile(values, b->n, 0.75);
    b->p90 = hd_sorted_quantile(values, b->n, 0.90);
}

/* ---- consecutive months --------------------------------------------------------------------- */

static void count_months(hd_unit_row **rows, size_t n)
{
    qsort(rows, n, sizeof *rows, by_series);
    for (size_t i = 0; i < n; i++) {
        hd_unit_row *r = rows[i], *before = i ? rows[i - 1] : NULL;
        if (r->worst == HD_FLAG_UNKNOWN || r->month == INT32_MIN)
            continue;
        bool follows = before && before->series == r->series && before->month == r->month - 1;
        int run = follows && before->months_flagged > 0 ? before->months_flagged : 0;
        r->months_flagged = r->worst == HD_FLAG_YES ? run + 1 : 0;
    }
}

static size_t slice_end(hd_unit_row *const *rows, size_t from, size_t n, bool same_class)
{
    size_t to = from;
    while (to < n && rows[to]->context == rows[from]->context &&
           (!same_class || rows[to]->peer_class == rows[from]->peer_class))
        to++;
    return to;
}

/* Units outside the peers are shown beside the peers' median. */
static hd_code compare_context(const hd_task *t, slice *work, hd_unit_row **rows, size_t n,
                               hd_err *err)
{
    for (size_t from = 0, to; from < n; from = to) {
        to = slice_end(rows, from, n, true);
        if (rows[from]->peer_class < 0)
            continue;
        double median;
        slice s = *work;
        s.rows = rows + from;
        s.n = to - from;
        HD_TRY(rank_slice(t, &s, &median, err));
        if (!isnan(median)) /* else the pooled value would be that of the few that are shown */
            HD_TRY(funnel_slice(t, &s, err));
        if (t->request->peers.kind == HD_PEERS_GROUP || t->request->peers.kind == HD_PEERS_CODES)
            for (size_t i = 0; i < from; i++)
                rows[i]->peer_median.x = median;
    }
    return HD_OK;
}

hd_code hd_compare(const hd_task *t, hd_unit_row *rows, size_t n, hd_band *bands, size_t n_contexts,
                   hd_err *err)
{
    hd_code rc = HD_OK;
    hd_unit_row **order = hd_calloc(n + 1, sizeof *order);
    slice work = {
        .values = hd_calloc(n + 1, sizeof(double)),
        .groups = hd_calloc(n + 1, sizeof(unsigned)),
        .units = hd_calloc(n + 1, sizeof(hd_funnel_unit)),
        .funnel = hd_calloc(n + 1, sizeof(hd_funnel_row)),
    };
    if (!order || !work.values || !work.groups || !work.units || !work.funnel) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        order[i] = &rows[i];
    qsort(order, n, sizeof *order, by_context);
    for (size_t from = 0, to; from < n; from = to) {
        to = slice_end(order, from, n, false);
        HD_GO(compare_context(t, &work, order + from, to - from, err));
        HD_ALWAYS(order[from]->context < n_contexts);
        fill_band(&bands[order[from]->context], order + from, to - from, work.values);
    }
    if (t->month >= 0)
        count_months(order, n);
out:
    hd_free(order);
    hd_free(work.values);
    hd_free(work.groups);
    hd_free(work.units);
    hd_free(work.funnel);
    return rc;
}
