/* xmr.c - see xmr.h. Each rule marks points in its own pass over a segment; the first rule in the
 * order of hd_special_cause that marked a point names it. */
#include "statistics/xmr.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

hd_xmr_options hd_xmr_defaults(void)
{
    return (hd_xmr_options){.direction = HD_NEUTRAL,
                            .constant = 2.66,
                            .target = NAN,
                            .run_length = 7,
                            .trend_length = 7};
}

/* Mean of the moving ranges below `limit` among n values; NAN when there is none. */
static double mean_range(const double *v, size_t n, double limit)
{
    double sum = 0;
    size_t used = 0;
    for (size_t i = 1; i < n; i++) {
        double range = fabs(v[i] - v[i - 1]);
        if (isnan(range) || !(range < limit))
            continue;
        sum += range;
        used++;
    }
    return used ? sum / (double)used : NAN;
}

static double mean_of(const double *v, size_t n)
{
    double sum = 0;
    size_t used = 0;
    for (size_t i = 0; i < n; i++)
        if (!isnan(v[i])) {
            sum += v[i];
            used++;
        }
    return used ? sum / (double)used : NAN;
}

static void set_limits(const double *v, size_t n, const hd_xmr_options *o, hd_xmr_point *p,
                       size_t segment, hd_xmr_summary *s)
{
    size_t base = o->fix_after && o->fix_after < n ? o->fix_after : n;
    double mean = mean_of(v, base), range = mean_range(v, base, INFINITY);
    /* Where every range is the same (a constant series) none of them is an outlier. */
    if (o->screen && range > 0) {
        double screened = mean_range(v, base, 3.267 * range);
        if (!isnan(screened))
            range = screened;
    }
    double reach = o->constant * range, near = reach * 2 / 3;
    for (size_t i = 0; i < n; i++) {
        p[i] = (hd_xmr_point){.mean = mean,
                              .lower = mean - reach,
                              .upper = mean + reach,
                              .near_lower = mean - near,
                              .near_upper = mean + near,
                              .segment = segment};
        if (isnan(v[i]))
            continue;
        p[i].side = (v[i] > mean) - (v[i] < mean);
        p[i].outside = v[i] > p[i].upper || v[i] < p[i].lower;
        p[i].near = !p[i].outside && (v[i] > p[i].near_upper || v[i] < p[i].near_lower);
    }
    s->mean_range = range;
    s->range_limit = 3.267 * range;
    size_t known = 0;
    for (size_t i = 0; i < base; i++)
        known += !isnan(v[i]);
    s->trial_limits = known < 12;
}

static void mark(hd_xmr_point *p, hd_special_cause cause)
{
    if (p->cause == HD_COMMON_CAUSE || cause < p->cause)
        p->cause = cause;
}

/* Rules over one segment without gaps: index[] lists the positions of its n known points. */
static void mark_rules(const double *v, hd_xmr_point *p, const size_t *index, size_t n,
                       const hd_xmr_options *o)
{
    size_t run = 0, trend = 0;
    int run_side = 0, trend_way = 0;
    for (size_t i = 0; i < n; i++) {
        hd_xmr_point *now = &p[index[i]];
        if (now->outside)
            mark(now, now->side > 0 ? HD_ABOVE_UPPER : HD_BELOW_LOWER);
        run = now->side == run_side ? run + 1 : 1;
        run_side = now->side;
        for (size_t j = 0; run_side && run >= o->run_length && j < o->run_length; j++)
            mark(&p[index[i - j]], run_side > 0 ? HD_RUN_ABOVE : HD_RUN_BELOW);
        if (i == 0)
            continue;
        double step = v[index[i]] - v[index[i - 1]];
        int way = (step > 0) - (step < 0);
        trend = way == trend_way ? trend + 1 : 1;
        trend_way = way;
        for (size_t j = 0; way && trend + 1 >= o->trend_length && j < o->trend_length; j++)
            mark(&p[index[i - j]], way > 0 ? HD_TREND_UP : HD_TREND_DOWN);
        if (i == 1 || !now->side)
            continue;
        const hd_xmr_point *b = &p[index[i - 1]], *a = &p[index[i - 2]];
        bool one_side = a->side == now->side && b->side == now->side;
        for (size_t j = 0; one_side && a->near + b->near + now->near >= 2 && j < 3; j++)
            if (p[index[i - j]].near)
                mark(&p[index[i - j]],
                     now->side > 0 ? HD_TWO_IN_THREE_ABOVE : HD_TWO_IN_THREE_BELOW);
    }
}

static void set_variation(hd_xmr_point *p, hd_direction direction)
{
    if (p->cause == HD_COMMON_CAUSE)
        return;
    /* Upward signals have the odd numbers. */
    p->towards = p->cause % 2 ? 1 : -1;
    p->variation = direction == HD_NEUTRAL        ? HD_VARIATION_NEUTRAL
                   : p->towards == (int)direction ? HD_VARIATION_IMPROVEMENT
                                                  : HD_VARIATION_CONCERN;
}

hd_assurance hd_xmr_assurance(double lower, double upper, double target, hd_direction direction)
{
    if (isnan(target) || isnan(lower) || isnan(upper) || direction == HD_NEUTRAL)
        return HD_ASSURANCE_NONE;
    if (target > upper)
        return direction == HD_HIGH_IS_GOOD ? HD_ASSURANCE_FAIL : HD_ASSURANCE_PASS;
    if (target < lower)
        return direction == HD_HIGH_IS_GOOD ? HD_ASSURANCE_PASS : HD_ASSURANCE_FAIL;
    return HD_ASSURANCE_INCONSISTENT;
}

hd_code hd_xmr(const double *values, const bool *starts, size_t n, const hd_xmr_options *options,
               hd_xmr_point *points, hd_xmr_summary *summary, hd_err *err)
{
    *summary = (hd_xmr_summary){.mean_range = NAN, .range_limit = NAN, .trial_limits = true};
    if (options->run_length < 2 || options->trend_length < 2)
        return hd_fail(err, HD_INVALID, "a run or trend needs at least 2 points");
    for (size_t i = 0; i < n; i++)
        if (isinf(values[i]))
            return hd_fail(err, HD_INVALID, "point %zu of a series is not a finite number", i + 1);
    size_t *index = hd_calloc(n ? n : 1, sizeof *index);
    if (!index)
        return hd_fail_nomem(err);
    size_t segment = 0;
    for (size_t from = 0, to; from < n; from = to, segment++) {
        for (to = from + 1; to < n && !(starts && starts[to]); to++)
            ;
        set_limits(values + from, to - from, options, points + from, segment, summary);
        size_t known = 0;
        for (size_t i = from; i < to; i++)
            if (!isnan(values[i]))
                index[known++] = i;
        mark_rules(values, points, index, known, options);
    }
    hd_free(index);
    for (size_t i = 0; i < n; i++) {
        set_variation(&points[i], options->direction);
        summary->special_points += points[i].cause != HD_COMMON_CAUSE;
        if (isnan(values[i]))
            continue;
        summary->variation = points[i].variation;
        summary->towards = points[i].towards;
        summary->assurance =
            hd_xmr_assurance(points[i].lower, points[i].upper, options->target, options->direction);
    }
    return HD_OK;
}

void hd_special_cause_label(hd_special_cause cause, const hd_xmr_options *o, char out[40])
{
    const char *plain[] = {[HD_COMMON_CAUSE] = "Common Cause",
                           [HD_ABOVE_UPPER] = "Above UCL",
                           [HD_BELOW_LOWER] = "Below LCL",
                           [HD_TREND_UP] = "%u Point Trend (Increasing)",
                           [HD_TREND_DOWN] = "%u Point Trend (Decreasing)",
                           [HD_TWO_IN_THREE_ABOVE] = "2 in 3 Above CL",
                           [HD_TWO_IN_THREE_BELOW] = "2 in 3 Below CL",
                           [HD_RUN_ABOVE] = "%u Points Above CL",
                           [HD_RUN_BELOW] = "%u Points Below CL"};
    unsigned length = cause >= HD_RUN_ABOVE ? o->run_length : o->trend_length;
    const char *text = plain[cause];
    if (text[0] == '%')
        snprintf(out, 40, "%u%s", length, text + 2);
    else
        memcpy(out, text, strlen(text) + 1); /* every point of a series has one: no snprintf */
}

const char *hd_point_type_label(hd_variation variation, int towards)
{
    switch (variation) {
    case HD_VARIATION_IMPROVEMENT:
        return "special_cause_improvement";
    case HD_VARIATION_CONCERN:
        return "special_cause_concern";
    case HD_VARIATION_NEUTRAL:
        return towards > 0 ? "special_cause_neutral_high" : "special_cause_neutral_low";
    case HD_VARIATION_COMMON:
        break;
    }
    return "common_cause";
}

const char *hd_variation_icon_label(hd_variation variation, int towards)
{
    switch (variation) {
    case HD_VARIATION_IMPROVEMENT:
        return towards > 0 ? "improvement_high" : "improvement_low";
    case HD_VARIATION_CONCERN:
        return towards > 0 ? "concern_high" : "concern_low";
    case HD_VARIATION_NEUTRAL:
        return towards > 0 ? "neutral_high" : "neutral_low";
    case HD_VARIATION_COMMON:
        break;
    }
    return "common_cause";
}

const char *hd_assurance_label(hd_assurance assurance)
{
    static const char *const labels[] = {"", "consistent_pass", "consistent_fail", "inconsistent"};
    return labels[assurance];
}
