/* stat_spc.c - `hdis stat spc`: control charts with the Making Data Count rules, and run charts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/date.h"
#include "base/intern.h"
#include "cli/stat.h"
#include "statistics/chart.h"
#include "statistics/xmr.h"

static const char *const chart_names[] = {"xmr", "mr", "xbar", "s", "p",   "p'", "u",
                                          "u'",  "c",  "c'",   "t", "run", NULL};

typedef struct settings {
    hd_chart_options chart;
    hd_xmr_options xmr;
    int value, numerator, denominator, subgroup, date, rebase, exclude, target;
    double multiplier;
    const char *rebase_at;
    bool alone; /* there is one series */
} settings;

/* One series: its points after subgroups were put together. row: the first input row of each. */
typedef struct series {
    hd_chart_input *points;
    double *squares; /* squared deviations of the values of a subgroup */
    size_t *row;
    size_t n;
    bool rebased_beyond; /* a part was to start after the last point */
} series;

static bool uses_values(hd_chart c)
{
    return c == HD_CHART_XMR || c == HD_CHART_MR || c == HD_CHART_XBAR || c == HD_CHART_S ||
           c == HD_CHART_T || c == HD_CHART_RUN;
}

static bool has_subgroups(hd_chart c)
{
    return c == HD_CHART_XBAR || c == HD_CHART_S;
}

static hd_code need_columns(hd_stat *s, settings *d, hd_err *err)
{
    hd_chart c = d->chart.chart;
    d->value = hd_stat_column_of(s, "value");
    d->numerator = hd_stat_column_of(s, "numerator");
    d->denominator = hd_stat_column_of(s, "denominator");
    d->subgroup = hd_stat_column_of(s, "subgroup");
    d->date = hd_stat_column_of(s, "date");
    d->rebase = hd_stat_column_of(s, "rebase");
    d->exclude = hd_stat_column_of(s, "exclude");
    /* --target is a number unless it names a column. */
    const char *target = hd_stat_text(s, "target");
    d->target = target ? hd_stat_find(s, target) : -1;
    bool counts = !uses_values(c);
    bool needs_n = counts && c != HD_CHART_C && c != HD_CHART_C_PRIME;
    if (uses_values(c) && d->value < 0 && (d->numerator < 0 || has_subgroups(c)))
        return hd_fail(err, HD_INVALID, "this chart needs a column value");
    if (counts && d->numerator < 0)
        return hd_fail(err, HD_INVALID, "this chart needs a column numerator");
    if (needs_n && d->denominator < 0)
        return hd_fail(err, HD_INVALID, "this chart needs a column denominator");
    if (has_subgroups(c) && d->subgroup < 0)
        return hd_fail(err, HD_INVALID, "this chart needs a column subgroup");
    if (c == HD_CHART_XMR && d->exclude >= 0)
        return hd_fail(err, HD_INVALID,
                       "an xmr chart takes no exclusions: leave the value blank instead");
    return HD_OK;
}

static hd_code read_settings(hd_stat *s, settings *d, hd_err *err)
{
    static const char *const directions[] = {"decrease", "neutral", "increase", NULL};
    static const char *const charts[] = {"xmr",     "mr", "xbar",    "s", "p",   "p-prime", "u",
                                         "u-prime", "c",  "c-prime", "t", "run", NULL};
    int chart, direction;
    double fix, run, trend, constant;
    const char *name = hd_stat_text(s, "chart"), *target = hd_stat_text(s, "target");
    /* p' and p-prime are the same chart. */
    chart = -1;
    for (int i = 0; name && chart_names[i]; i++)
        if (strcmp(name, chart_names[i]) == 0)
            chart = i;
    if (chart < 0)
        HD_TRY(hd_stat_choice(s, "chart", charts, 0, &chart, err));
    HD_TRY(hd_stat_choice(s, "direction", directions, 1, &direction, err));
    HD_TRY(hd_stat_setting(s, "fix-after", 1, 1e9, 0, &fix, err));
    HD_TRY(hd_stat_setting(s, "run-length", 2, 100, 7, &run, err));
    HD_TRY(hd_stat_setting(s, "trend-length", 2, 100, 7, &trend, err));
    HD_TRY(hd_stat_setting(s, "constant", 0.1, 100, 2.66, &constant, err));
    HD_TRY(hd_stat_setting(s, "multiplier", 1e-12, 1e12, 1, &d->multiplier, err));
    bool screen = hd_stat_switch(s, "screen");
    d->chart = (hd_chart_options){(hd_chart)chart, constant, screen, (size_t)fix};
    HD_TRY(need_columns(s, d, err));
    d->xmr = hd_xmr_defaults();
    d->xmr.direction = (hd_direction)(direction - 1);
    d->xmr.constant = constant;
    d->xmr.screen = screen;
    d->xmr.fix_after = (size_t)fix;
    d->xmr.run_length = (unsigned)run;
    d->xmr.trend_length = (unsigned)trend;
    d->rebase_at = hd_stat_text(s, "rebase-at");
    if (target && d->target < 0 && !hd_stat_parse(target, &d->xmr.target))
        return hd_fail(err, HD_INVALID, "there is no column %.60s, and it is no number (--target)",
                       target);
    return HD_OK;
}

/* --- Points of a series ----------------------------------------------------------------------- */

static hd_code is_set(hd_stat *s, size_t row, int column, bool *out, hd_err *err)
{
    double v;
    HD_TRY(hd_stat_number(s, row, column, &v, err));
    *out = v > 0;
    return HD_OK;
}

/* Put a row into its point: values of a subgroup are gathered, counts are added. */
static hd_code add_row(hd_stat *s, const settings *d, size_t row, series *e, size_t at, bool first,
                       hd_err *err)
{
    hd_chart_input *p = &e->points[at];
    double v, x, n;
    bool flag;
    HD_TRY(hd_stat_number(s, row, d->value, &v, err));
    HD_TRY(hd_stat_count(s, row, d->numerator, &x, err));
    HD_TRY(hd_stat_count(s, row, d->denominator, &n, err));
    if (first) {
        e->row[at] = row;
        *p = (hd_chart_input){.value = NAN, .sd = NAN};
    }
    HD_TRY(is_set(s, row, d->exclude, &flag, err));
    p->exclude |= flag;
    HD_TRY(is_set(s, row, d->rebase, &flag, err));
    p->starts |= flag;
    bool proportion = d->chart.chart == HD_CHART_P || d->chart.chart == HD_CHART_P_PRIME;
    if (proportion && x > n)
        return hd_stat_refuse(s, row, d->numerator, err, "is above the denominator");
    if (!uses_values(d->chart.chart) && !has_subgroups(d->chart.chart)) {
        p->numerator += x;
        p->denominator += d->denominator >= 0 ? n : 1;
        return HD_OK;
    }
    if (d->value < 0 && d->numerator >= 0) /* a value made of two counts */
        v = d->denominator >= 0 ? x / n : x;
    if (!has_subgroups(d->chart.chart)) {
        if (!first)
            return hd_stat_refuse(s, row, d->subgroup, err, "this chart takes one row a subgroup");
        p->value = isfinite(v) ? v : (double)NAN;
        p->denominator = 1;
        return HD_OK;
    }
    if (isnan(v))
        return HD_OK;
    /* Mean and sum of squared deviations, updated value by value. */
    p->denominator++;
    double mean = p->denominator > 1 ? p->value : 0, delta = v - mean;
    mean += delta / p->denominator;
    e->squares[at] += delta * (v - mean);
    p->value = mean;
    p->sd = p->denominator > 1 ? sqrt(e->squares[at] / (p->denominator - 1)) : (double)NAN;
    return HD_OK;
}

static hd_code gather(hd_stat *s, const settings *d, const size_t *rows, size_t n, series *e,
                      hd_err *err)
{
    hd_code rc = HD_OK;
    hd_intern *names = hd_intern_new();
    if (!names)
        return hd_fail_nomem(err);
    e->n = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t at = (uint32_t)i;
        if (d->subgroup >= 0 && hd_stat_blank(s, rows[i], d->subgroup))
            continue;
        if (d->subgroup >= 0) {
            const char *text = hd_stat_cell(s, rows[i], d->subgroup);
            HD_GO(hd_intern_add(names, text, strlen(text), &at, err));
        }
        bool first = at == e->n;
        if (first)
            e->squares[e->n++] = 0;
        HD_GO(add_row(s, d, rows[i], e, at, first, err));
    }
out:
    hd_intern_free(names);
    return rc;
}

/* --rebase-at: dates or positions (1-based) at which a new part starts. */
static hd_code apply_rebase(hd_stat *s, const settings *d, series *e, hd_err *err)
{
    e->rebased_beyond = false;
    for (const char *p = d->rebase_at; p && *p;) {
        char item[32];
        size_t len = strcspn(p, ",");
        double position;
        if (len == 0 || len >= sizeof item)
            return hd_fail(err, HD_INVALID, "--rebase-at must be dates or positions");
        memcpy(item, p, len);
        item[len] = '\0';
        int32_t date = hd_date_parse(item, len);
        size_t at = e->n;
        if (date != HD_DATE_NONE && d->date < 0)
            return hd_fail(err, HD_INVALID, "--rebase-at with dates needs a column date");
        if (date == HD_DATE_NONE) {
            if (!hd_stat_parse(item, &position) || position < 1 || position != floor(position))
                return hd_fail(err, HD_INVALID, "--rebase-at must be dates or positions");
            at = position <= (double)e->n ? (size_t)position - 1 : e->n;
        }
        for (size_t i = 0; date != HD_DATE_NONE && i < e->n; i++) {
            int32_t here;
            HD_TRY(hd_stat_date(s, e->row[i], d->date, &here, err));
            if (here != HD_DATE_NONE && here >= date) {
                at = i;
                break;
            }
        }
        if (at < e->n)
            e->points[at].starts = true;
        else
            e->rebased_beyond = true;
        p += len + (p[len] == ',');
    }
    return HD_OK;
}

/* --- Results ---------------------------------------------------------------------------------- */

static const char chart_columns[] =
    "value centre lower upper part outside useful longest_run longest_run_max crossings "
    "crossings_min runs_signal reason";
enum { RULE_COLUMNS = 11 }; /* of the next, after reason: blank for other charts of --settings */
static const char xmr_columns[] =
    "value centre lower upper part outside useful longest_run longest_run_max crossings "
    "crossings_min runs_signal reason near_lower near_upper relative_to_mean close_to_limits "
    "special_cause point_type variation assurance mean_range range_limit trial_limits";

/* Why something about a point is blank, or not as asked for. */
static const char *why_blank(const settings *d, const series *e, size_t i, const hd_chart_row *r)
{
    hd_chart c = d->chart.chart;
    if (e->rebased_beyond && i + 1 == e->n)
        return "--rebase-at lies after the last point";
    if (isnan(r->y))
        return c == HD_CHART_MR ? "no value before it, or one is missing" : "the value is missing";
    if (isnan(r->centre))
        return "no values to take a centre from";
    if (c != HD_CHART_RUN && (isnan(r->lower) || isnan(r->upper)))
        return "no limits: too few points";
    return "";
}

static void put_point(hd_stat *s, const settings *d, const hd_chart_row *r, const hd_runs *runs,
                      const char *reason)
{
    double m = d->multiplier;
    hd_stat_put(s, r->y * m);
    hd_stat_put(s, r->centre * m);
    hd_stat_put(s, r->lower * m);
    hd_stat_put(s, r->upper * m);
    hd_stat_put_count(s, r->part + 1);
    hd_stat_put_count(s, r->outside);
    hd_stat_put_count(s, runs->useful);
    hd_stat_put_count(s, runs->longest);
    hd_stat_put_count(s, runs->longest_max);
    hd_stat_put_count(s, runs->crossings);
    hd_stat_put_count(s, runs->crossings_min);
    hd_stat_put_count(s, runs->signal);
    hd_stat_put_text(s, reason);
}

static void put_rules(hd_stat *s, const settings *d, const hd_xmr_point *p,
                      const hd_xmr_summary *sum)
{
    double m = d->multiplier;
    char cause[40];
    hd_special_cause_label(p->cause, &d->xmr, cause);
    hd_stat_put(s, p->near_lower * m);
    hd_stat_put(s, p->near_upper * m);
    hd_stat_put(s, p->side);
    hd_stat_put_count(s, p->near);
    hd_stat_put_text(s, cause);
    hd_stat_put_text(s, hd_point_type_label(p->variation, p->towards));
    hd_stat_put_text(s, hd_variation_icon_label(sum->variation, sum->towards));
    hd_stat_put_text(s, hd_assurance_label(sum->assurance));
    hd_stat_put(s, sum->mean_range * m);
    hd_stat_put(s, sum->range_limit * m);
    hd_stat_put_count(s, sum->trial_limits);
}

typedef struct dated_row {
    int32_t date;
    size_t row;
} dated_row;

typedef struct work {
    series e;
    dated_row *dated;
    hd_chart_row *rows;
    hd_xmr_point *points;
    double *values;
    bool *starts;
} work;

static hd_code xmr_of(hd_stat *s, const settings *d, work *w, hd_xmr_summary *sum, hd_err *err)
{
    hd_xmr_options o = d->xmr;
    for (size_t i = 0; i < w->e.n; i++) {
        w->values[i] = w->e.points[i].value * d->multiplier;
        w->starts[i] = w->e.points[i].starts;
        if (d->target >= 0)
            HD_TRY(hd_stat_number(s, w->e.row[i], d->target, &o.target, err));
    }
    HD_TRY(hd_xmr(w->values, w->starts, w->e.n, &o, w->points, sum, err));
    for (size_t i = 0; i < w->e.n; i++) {
        const hd_xmr_point *p = &w->points[i];
        w->rows[i] = (hd_chart_row){w->values[i] / d->multiplier,
                                    p->mean / d->multiplier,
                                    p->lower / d->multiplier,
                                    p->upper / d->multiplier,
                                    p->segment,
                                    p->outside};
    }
    return HD_OK;
}

/* What the charts would refuse by the number of a point, by its first row and column instead. */
static hd_code check_points(hd_stat *s, const settings *d, const series *e, hd_err *err)
{
    hd_chart c = d->chart.chart;
    bool rate =
        c == HD_CHART_P || c == HD_CHART_P_PRIME || c == HD_CHART_U || c == HD_CHART_U_PRIME;
    for (size_t i = 0; i < e->n; i++) {
        const hd_chart_input *p = &e->points[i];
        if (rate && p->numerator > 0 && p->denominator <= 0)
            return hd_stat_refuse(s, e->row[i], d->denominator, err,
                                  "a denominator must be above 0");
        if (c == HD_CHART_T && p->value < 0)
            return hd_stat_refuse(s, e->row[i], d->value, err, "a time must not be negative");
    }
    return HD_OK;
}

static int by_date(const void *a, const void *b)
{
    const dated_row *x = a, *y = b;
    if (x->date != y->date)
        return x->date < y->date ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Put the rows of a series into the order of their dates, those of one day as they stand. A cell
 * that is no date is refused, unless `labels`: then all rows stay as they are. */
static hd_code order_by_date(hd_stat *s, int column, bool labels, size_t *rows, size_t n,
                             dated_row *dated, hd_err *err)
{
    bool sorted = true;
    for (size_t i = 0; column >= 0 && i < n; i++) {
        const char *text = hd_stat_cell(s, rows[i], column);
        dated[i] = (dated_row){hd_date_parse(text, strlen(text)), rows[i]};
        if (dated[i].date == HD_DATE_NONE && labels)
            return HD_OK;
        if (dated[i].date == HD_DATE_NONE)
            return hd_stat_refuse(s, rows[i], column, err,
                                  "is not a date such as 2024-04-01: points are put in its order");
        sorted = sorted && (i == 0 || dated[i - 1].date <= dated[i].date);
    }
    if (column < 0 || sorted)
        return HD_OK;
    qsort(dated, n, sizeof *dated, by_date);
    for (size_t i = 0; i < n; i++)
        rows[i] = dated[i].row;
    return HD_OK;
}

static hd_code one_series(hd_stat *s, const settings *d, size_t *rows, size_t n, work *w,
                          hd_err *err)
{
    bool xmr = d->chart.chart == HD_CHART_XMR;
    hd_xmr_summary sum = {0};
    settings plain = *d;
    HD_TRY(order_by_date(s, d->date, false, rows, n, w->dated, err));
    HD_TRY(gather(s, d, rows, n, &w->e, err));
    HD_TRY(check_points(s, d, &w->e, err));
    HD_TRY(apply_rebase(s, d, &w->e, err));
    if (w->e.rebased_beyond && d->alone)
        return hd_fail(err, HD_INVALID, "--rebase-at lies after the last point");
    if (xmr) {
        plain.multiplier = 1; /* the rules see multiplied values already */
        for (size_t i = 0; i < w->e.n; i++)
            w->e.points[i].value *= d->multiplier;
        HD_TRY(xmr_of(s, &plain, w, &sum, err));
    } else {
        HD_TRY(hd_chart_limits(w->e.points, w->e.n, &d->chart, w->rows, err));
    }
    for (size_t from = 0, to; from < w->e.n; from = to) {
        for (to = from + 1; to < w->e.n && w->rows[to].part == w->rows[from].part; to++)
            ;
        hd_runs runs = hd_runs_of(w->e.points + from, w->rows + from, to - from);
        for (size_t i = from; i < to; i++) {
            hd_stat_keep_row(s, w->e.row[i]);
            put_point(s, &plain, &w->rows[i], &runs, why_blank(d, &w->e, i, &w->rows[i]));
            if (xmr)
                put_rules(s, &plain, &w->points[i], &sum);
            for (int c = 0; c < RULE_COLUMNS && !xmr && hd_stat_text(s, "settings"); c++)
                hd_stat_put_text(s, "");
            HD_TRY(hd_stat_end_row(s, err));
        }
    }
    return HD_OK;
}

static hd_code make_work(work *w, size_t n, hd_err *err)
{
    w->e.points = hd_calloc(n + 1, sizeof *w->e.points);
    w->e.squares = hd_calloc(n + 1, sizeof *w->e.squares);
    w->e.row = hd_calloc(n + 1, sizeof *w->e.row);
    w->dated = hd_calloc(n + 1, sizeof *w->dated);
    w->rows = hd_calloc(n + 1, sizeof *w->rows);
    w->points = hd_calloc(n + 1, sizeof *w->points);
    w->values = hd_calloc(n + 1, sizeof *w->values);
    w->starts = hd_calloc(n + 1, sizeof *w->starts);
    if (!w->e.points || !w->e.squares || !w->e.row || !w->dated || !w->rows || !w->points ||
        !w->values || !w->starts)
        return hd_fail_nomem(err);
    return HD_OK;
}

static void free_work(work *w)
{
    hd_free(w->e.points);
    hd_free(w->e.squares);
    hd_free(w->e.row);
    hd_free(w->dated);
    hd_free(w->rows);
    hd_free(w->points);
    hd_free(w->values);
    hd_free(w->starts);
}

static hd_code run_spc(hd_stat *s, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    settings d = {0};
    work w = {0};
    HD_GO(make_work(&w, hd_stat_n_rows(s), err));
    HD_GO(read_settings(s, &d, err));
    HD_GO(hd_stat_header(
        s, HD_STAT_KEEP_ALL,
        d.chart.chart == HD_CHART_XMR || hd_stat_text(s, "settings") ? xmr_columns : chart_columns,
        err));
    HD_GO(hd_stat_group(s, &g, err));
    d.alone = g.n == 1 && !hd_stat_switch(s, "sorted") && !hd_stat_text(s, "settings");
    for (size_t i = 0; i < g.n; i++)
        HD_GO(one_series(s, &d, &g.rows[g.start[i]], g.start[i + 1] - g.start[i], &w, err));
out:
    hd_stat_groups_free(&g);
    free_work(&w);
    return rc;
}

static const hd_stat_column spc_columns[] = {
    {"value", false, "for xmr, mr, xbar, s, t, run; blank: a gap"},
    {"numerator", false, "events, for p, u, c; with denominator also the value of an xmr"},
    {"denominator", false, "cases or exposure"},
    {"subgroup", false,
     "rows of one subgroup make one point (needed for xbar and s); a row "
     "without is left out"},
    {"date", false,
     "points are put in its order (2024-04-01, 20240401, 2024/04/01, 01/04/2024),\n                "
     "   "
     "those of one day as they stand; a cell that is no date is refused.\n                   "
     "Without it the order of the rows counts"},
    {"rebase", false, "1: new centre and limits from this point"},
    {"exclude", false, "1: shown, but not used for centre and limits"},
    {0}};
static const hd_stat_option spc_options[] = {
    {"chart", "NAME", "xmr (default), mr, xbar, s, p, p', u, u', c, c', t, run (p-prime is p')"},
    {"direction", "NAME", "which way is better: increase, decrease, neutral (default)"},
    {"target", "T", "a number, or a column of targets (the last one counts): gives the assurance"},
    {"rebase-at", "LIST",
     "dates or positions from which centre and limits are new; one after the last point is "
     "refused,\n"
     "        with --group it is a reason at the last point"},
    {"fix-after", "N", "centre and limits from the first N points of a part"},
    {"screen", NULL,
     "drop once moving ranges at or above 3.267 times their mean; default: keep all"},
    {"constant", "K", "limits at K mean moving ranges: 2.66 (default), 2.6596 (3/1.128)"},
    {"run-length", "N", "points on one side that are a signal; default 7"},
    {"trend-length", "N", "points rising or falling that are a signal; default 7, or 6"},
    {"multiplier", "M", "of values, centre and limits; default 1"},
    {0}};

/* --- Run chart with re-based medians ---------------------------------------------------------- */

static hd_code run_of_group(hd_stat *s, size_t *rows, size_t n, const double *all, double *v,
                            dated_row *dated, hd_run_segment *seg, hd_err *err)
{
    static const char *const directions[] = {"both", "above", "below", NULL};
    int direction, date = hd_stat_column_of(s, "date");
    double baseline, length;
    size_t count;
    HD_TRY(hd_stat_choice(s, "direction", directions, 0, &direction, err));
    HD_TRY(hd_stat_setting(s, "baseline", 1, 1e9, 9, &baseline, err));
    HD_TRY(hd_stat_setting(s, "run-length", 2, 1e9, 9, &length, err));
    HD_TRY(order_by_date(s, date, true, rows, n, dated, err));
    for (size_t i = 0; i < n; i++) {
        v[i] = all[rows[i]];
        if (isnan(v[i]))
            return hd_stat_refuse(s, rows[i], hd_stat_column_of(s, "value"), err,
                                  "a run chart needs every value");
    }
    if (hd_run_chart(v, n, (size_t)baseline, (size_t)length, (hd_run_direction)direction, seg,
                     &count, err) != HD_OK)
        return hd_context(err, "the group of row %zu", rows[0] + 1);
    for (size_t i = 0; i < count; i++) {
        hd_stat_keep_row(s, rows[0]);
        hd_stat_put(s, seg[i].median);
        const size_t at[] = {seg[i].first, seg[i].last, seg[i].extend_to};
        for (int k = 0; k < 3; k++) {
            if (date >= 0)
                hd_stat_put_text(s, hd_stat_cell(s, rows[at[k]], date));
            else
                hd_stat_put_count(s, at[k] + 1);
        }
        hd_stat_put_text(s, seg[i].sustained ? "sustained" : "baseline");
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code run_run_chart(hd_stat *s, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    size_t n = hd_stat_n_rows(s);
    double *all = NULL, *v = hd_calloc(n + 1, sizeof *v);
    hd_run_segment *seg = hd_calloc(n + 2, sizeof *seg);
    dated_row *dated = hd_calloc(n + 1, sizeof *dated);
    if (!v || !seg || !dated)
        HD_GO(hd_fail_nomem(err));
    HD_GO(hd_stat_numbers(s, hd_stat_column_of(s, "value"), &all, err));
    HD_GO(hd_stat_header(s, HD_STAT_KEEP_GROUPS, "median start_date end_date extend_to run_type",
                         err));
    HD_GO(hd_stat_group(s, &g, err));
    for (size_t i = 0; i < g.n; i++)
        HD_GO(run_of_group(s, &g.rows[g.start[i]], g.start[i + 1] - g.start[i], all, v, dated, seg,
                           err));
out:
    hd_stat_groups_free(&g);
    hd_free(all);
    hd_free(v);
    hd_free(dated);
    hd_free(seg);
    return rc;
}

static const hd_stat_column run_columns[] = {
    {"value", true, "in the order of time"},
    {"date", false,
     "shown, else positions are; where all are dates (2024-04-01, 20240401,\n                   "
     "2024/04/01, 01/04/2024) points are put in their order"},
    {0}};
static const hd_stat_option run_options[] = {
    {"direction", "NAME", "which side of the median counts: both (default), above, below"},
    {"baseline", "N", "points of the first median; default 9"},
    {"run-length", "N", "points on one side that make a new median; default 9"},
    {0}};

const hd_stat_method hd_stat_spc[] = {
    {.name = "spc",
     .summary = "control charts: xmr with the Making Data Count rules, p, u, c, t, xbar, s",
     .output =
         "value, centre, lower, upper, part, outside; useful, longest_run, longest_run_max,\n"
         "  crossings, crossings_min, runs_signal of the part (Anhoej), reason; for xmr "
         "near_lower,\n"
         "  near_upper, relative_to_mean, close_to_limits, special_cause, point_type; variation,\n"
         "  assurance, mean_range, range_limit, trial_limits of the series",
     .example = "hdis stat spc --in waits.csv --group provider --direction decrease --target 240",
     .default_group = "series",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .columns = spc_columns,
     .options = spc_options,
     .run = run_spc},
    {.name = "run-chart",
     .summary = "medians re-based at every sustained run",
     .output = "median, start_date, end_date, extend_to, run_type: one row a median",
     .example = "hdis stat run-chart --in falls.csv --group ward --direction below",
     .default_group = "series",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .columns = run_columns,
     .options = run_options,
     .run = run_run_chart},
    {0}};
