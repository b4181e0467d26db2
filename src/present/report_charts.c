/* report_charts.c - the two charts of an indicator, and the same figures as a table.
 *
 * Ribbon: where the peers lie month by month, and the providers that the report follows. Series:
 * one provider, or all of them together when none is followed, with the limits of an XmR chart.
 */
#include "base/date.h"
#include "present/report_parts.h"
#include "statistics/xmr.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef double months[HD_REPORT_MAX_MONTHS];

typedef struct followed {
    hd_value code;
    char label[16];
    months value, lower, upper;
    char marks[HD_REPORT_MAX_MONTHS];
} followed;

typedef struct chart_data {
    const hd_report_view *view;
    const hd_report_item *item;
    int first;
    size_t n;
    months units, p10, p25, p50, p75, p90, national, national_lower, national_upper;
    followed followed[HD_REPORT_FOLLOWED];
    size_t n_followed;
    hd_xmr_point xmr[HD_REPORT_MAX_MONTHS];
    hd_xmr_options xmr_options;
    bool has_xmr;
} chart_data;

/* ---- data ----------------------------------------------------------------------------------- */

/* The series starts with the data, at most n_months back. */
static int first_month(const hd_report_view *v, const hd_report_item *i)
{
    int most = v->n_months < HD_REPORT_MAX_MONTHS ? (int)v->n_months : HD_REPORT_MAX_MONTHS;
    int first = v->month;
    for (size_t row = 0; row < i->bands->n_rows; row++) {
        int month = hd_report_month(i->bands, (int64_t)row);
        first = month >= 0 && month < first ? month : first;
    }
    return first > v->month - most ? first : v->month - most + 1;
}

static void take_bands(chart_data *d)
{
    static const char *const names[] = {
        "units", "p10", "p25", "p50", "p75", "p90", "national", "national_lower", "national_upper"};
    months *const columns[] = {&d->units,         &d->p10, &d->p25,      &d->p50,
                               &d->p75,           &d->p90, &d->national, &d->national_lower,
                               &d->national_upper};
    const hd_release *b = d->item->bands;
    for (size_t k = 0; k < 9; k++) {
        for (size_t m = 0; m < d->n; m++)
            (*columns[k])[m] = NAN;
        for (size_t row = 0; row < b->n_rows; row++) {
            int m = hd_report_month(b, (int64_t)row) - d->first;
            if (m >= 0 && (size_t)m < d->n)
                (*columns[k])[m] = hd_report_number(b, (int64_t)row, names[k]);
        }
    }
}

static void follow(chart_data *d, const hd_value *code)
{
    followed *f = &d->followed[d->n_followed++];
    *f = (followed){.code = *code};
    snprintf(f->label, sizeof f->label, "%.*s", (int)(code->text.len < 15 ? code->text.len : 15),
             code->text.bytes);
    for (size_t m = 0; m < d->n; m++) {
        int64_t row = hd_report_row(d->item, code, d->first + (int)m);
        const hd_figure *value = hd_report_figure(d->item->rows, row, "value");
        f->value[m] = hd_report_number(d->item->rows, row, "value");
        f->lower[m] = hd_report_number(d->item->rows, row, "lower");
        f->upper[m] = hd_report_number(d->item->rows, row, "upper");
        f->marks[m] = value ? value->mark : 0;
    }
}

/* The providers flagged in the month of the report, longest flagged first; ties by code. */
static void follow_flagged(chart_data *d)
{
    const hd_release *r = d->item->rows;
    int64_t rows[HD_REPORT_FOLLOWED];
    double runs[HD_REPORT_FOLLOWED];
    size_t n = 0;
    for (int64_t row = 0; row < (int64_t)r->n_rows; row++) {
        if (!hd_report_is_month(r, row, d->view->month))
            continue;
        double run = hd_report_number(r, row, "months_flagged");
        if (!(run > 0) || (n == HD_REPORT_FOLLOWED && run <= runs[n - 1]))
            continue;
        size_t at = n < HD_REPORT_FOLLOWED ? n++ : n - 1;
        for (; at > 0 && runs[at - 1] < run; at--) {
            runs[at] = runs[at - 1];
            rows[at] = rows[at - 1];
        }
        runs[at] = run;
        rows[at] = row;
    }
    for (size_t i = 0; i < n; i++)
        follow(d, &hd_report_figure(r, rows[i], "provider")->value);
}

static void take_xmr(chart_data *d, const double *values)
{
    static const hd_direction directions[] = {[HD_BAD_LOW + 1] = HD_HIGH_IS_GOOD,
                                              [HD_BAD_NONE + 1] = HD_NEUTRAL,
                                              [HD_BAD_HIGH + 1] = HD_LOW_IS_GOOD};
    hd_xmr_summary summary;
    hd_err err;
    size_t known = 0;
    for (size_t m = 0; m < d->n; m++)
        known += isfinite(values[m]) != 0;
    d->xmr_options = hd_xmr_defaults();
    d->xmr_options.direction = directions[d->item->def->bad + 1];
    d->has_xmr =
        known >= 8 && hd_xmr(values, NULL, d->n, &d->xmr_options, d->xmr, &summary, &err) == HD_OK;
}

/* ---- drawing -------------------------------------------------------------------------------- */

static void put_key(hd_buf *out, const char *css, const char *text)
{
    hd_buf_printf(out, "<li><span class=\"key %s\" aria-hidden=\"true\"></span>", css);
    hd_html_text(out, text);
    HD_HTML(out, "</li>");
}

static void describe(hd_buf *out, const chart_data *d, const char *what)
{
    hd_buf_printf(out, "%s by month, ", what);
    hd_chart_month(out, d->first, false);
    HD_HTML(out, " to ");
    hd_chart_month(out, d->first + (int)d->n - 1, false);
    HD_HTML(out, ". The figures are in the table below the charts.");
}

static void put_ribbon(hd_buf *out, const chart_data *d)
{
    static const char *const css[] = {"unit-1", "unit-2", "unit-3"};
    hd_buf text;
    hd_buf_init(&text, 4096);
    char id[96];
    snprintf(id, sizeof id, "%.80s-ribbon", d->item->def->id);
    describe(&text, d,
             "Middle half and middle four fifths of the peers, their median, the national value, "
             "and the providers followed,");
    const hd_chart_area areas[] = {{"outer", d->p10, d->p90}, {"inner", d->p25, d->p75}};
    hd_chart_line lines[2 + HD_REPORT_FOLLOWED] = {{.css = "median", .values = d->p50},
                                                   {.css = "national", .values = d->national}};
    size_t n = 2;
    for (size_t i = 0; i < d->n_followed; i++, n++) {
        const followed *f = &d->followed[i];
        bool with_bars = d->n_followed == 1;
        lines[n] = (hd_chart_line){.css = css[i],
                                   .label = f->label,
                                   .values = f->value,
                                   .marks = f->marks,
                                   .has_points = true,
                                   .lower = with_bars ? f->lower : NULL,
                                   .upper = with_bars ? f->upper : NULL};
    }
    hd_chart c = {.id = id,
                  .title = d->item->def->title,
                  .description = text.data,
                  .first_month = d->first,
                  .n_months = d->n,
                  .unit = d->item->def->unit,
                  .areas = areas,
                  .n_areas = 2,
                  .lines = lines,
                  .n_lines = n,
                  .target = d->item->def->target};
    HD_HTML(out, "<figure><h4>Among peers</h4>");
    hd_chart_put(out, &c);
    HD_HTML(out, "<figcaption><ul class=\"keys\">");
    put_key(out, "outer", "P10 to P90 of peers");
    put_key(out, "inner", "P25 to P75");
    put_key(out, "median", "median");
    put_key(out, "national", "National");
    for (size_t i = 0; i < d->n_followed; i++)
        put_key(out, css[i], d->followed[i].label);
    if (isfinite(d->item->def->target))
        put_key(out, "target", "target");
    HD_HTML(out, "</ul></figcaption></figure>\n");
    hd_buf_free(&text);
}

static void put_series(hd_buf *out, const chart_data *d)
{
    const followed *f = d->view->provider && d->n_followed ? &d->followed[0] : NULL;
    const double *values = f ? f->value : d->national;
    months mean, lower, upper;
    bool is_signal[HD_REPORT_MAX_MONTHS];
    hd_buf text;
    hd_buf_init(&text, 4096);
    char id[96];
    snprintf(id, sizeof id, "%.80s-series", d->item->def->id);
    describe(&text, d, d->has_xmr ? "Value, mean and process limits" : "Value");
    for (size_t m = 0; m < d->n; m++) {
        mean[m] = d->has_xmr ? d->xmr[m].mean : NAN;
        lower[m] = d->has_xmr ? fmax(d->xmr[m].lower, 0) : NAN;
        upper[m] = d->has_xmr ? d->xmr[m].upper : NAN;
        if (d->item->def->unit == HD_UNIT_SHARE)
            upper[m] = fmin(upper[m], 1);
        is_signal[m] = d->has_xmr && d->xmr[m].cause != HD_COMMON_CAUSE;
    }
    hd_chart_line lines[] = {
        {.css = "limit", .values = lower},
        {.css = "limit", .values = upper},
        {.css = "mean", .values = mean},
        {.css = f ? "unit-1" : "national",
         .label = f ? f->label : "National",
         .values = values,
         .marks = f ? f->marks : NULL,
         .has_points = true,
         .is_signal = is_signal},
    };
    hd_chart c = {.id = id,
                  .title = d->item->def->title,
                  .description = text.data,
                  .first_month = d->first,
                  .n_months = d->n,
                  .unit = d->item->def->unit,
                  .lines = d->has_xmr ? lines : lines + 3,
                  .n_lines = d->has_xmr ? 4 : 1,
                  .target = d->item->def->target};
    HD_HTML(out, "<figure><h4>Over time</h4>");
    hd_chart_put(out, &c);
    HD_HTML(out, "<figcaption><ul class=\"keys\">");
    put_key(out, f ? "unit-1" : "national", f ? f->label : "National");
    if (d->has_xmr) {
        put_key(out, "mean", "mean");
        put_key(out, "limit", "process limits (XmR)");
        put_key(out, "signal", "special cause");
    }
    if (isfinite(d->item->def->target))
        put_key(out, "target", "target");
    HD_HTML(out, "</ul></figcaption></figure>\n");
    hd_buf_free(&text);
}

/* ---- the same as a table -------------------------------------------------------------------- */

static void put_cell(hd_buf *out, hd_unit unit, double x, char mark)
{
    HD_HTML(out, "<td>");
    if (mark)
        hd_present_html_text(out, &mark, 1);
    else if (isfinite(x))
        hd_chart_value(out, unit, x);
    else
        HD_HTML(out, "-");
    HD_HTML(out, "</td>");
}

static void put_table_head(hd_buf *out, const chart_data *d)
{
    HD_HTML(out, "<details><summary>Figures behind the charts: ");
    hd_html_text(out, d->item->def->title);
    HD_HTML(out,
            "</summary><div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Figures "
            "behind the charts\"><table><caption>");
    hd_html_text(out, d->item->def->title);
    HD_HTML(out, " by month</caption><thead><tr><th scope=\"col\">Month</th>"
                 "<th scope=\"col\">Peers ranked</th><th scope=\"col\">P10</th>"
                 "<th scope=\"col\">P25</th><th scope=\"col\">Median</th><th scope=\"col\">P75</th>"
                 "<th scope=\"col\">P90</th><th scope=\"col\">National</th>");
    for (size_t i = 0; i < d->n_followed; i++) {
        HD_HTML(out, "<th scope=\"col\">");
        hd_html_text(out, d->followed[i].label);
        HD_HTML(out, "</th>");
    }
    if (d->has_xmr)
        HD_HTML(out, "<th scope=\"col\">Mean</th><th scope=\"col\">Lower limit</th>"
                     "<th scope=\"col\">Upper limit</th><th scope=\"col\">Special cause</th>");
    HD_HTML(out, "</tr></thead><tbody>\n");
}

static void put_table(hd_buf *out, const chart_data *d)
{
    hd_unit unit = d->item->def->unit;
    put_table_head(out, d);
    for (size_t m = 0; m < d->n; m++) {
        const double columns[] = {d->p10[m], d->p25[m], d->p50[m],
                                  d->p75[m], d->p90[m], d->national[m]};
        HD_HTML(out, "<tr><th scope=\"row\">");
        hd_chart_month(out, d->first + (int)m, false);
        hd_buf_printf(out, "</th><td>%.0f</td>", isfinite(d->units[m]) ? d->units[m] : 0);
        for (size_t k = 0; k < 6; k++)
            put_cell(out, unit, columns[k], 0);
        for (size_t i = 0; i < d->n_followed; i++)
            put_cell(out, unit, d->followed[i].value[m], d->followed[i].marks[m]);
        if (d->has_xmr) {
            char cause[40] = "";
            put_cell(out, unit, d->xmr[m].mean, 0);
            put_cell(out, unit, fmax(d->xmr[m].lower, 0), 0);
            put_cell(out, unit, d->xmr[m].upper, 0);
            if (d->xmr[m].cause != HD_COMMON_CAUSE)
                hd_special_cause_label(d->xmr[m].cause, &d->xmr_options, cause);
            HD_HTML(out, "<td>");
            hd_html_text(out, cause);
            HD_HTML(out, "</td>");
        }
        HD_HTML(out, "</tr>\n");
    }
    HD_HTML(out, "</tbody></table></div></details>\n");
}

void hd_report_put_charts(hd_buf *out, const hd_report_view *v, const hd_report_item *i)
{
    chart_data d = {.view = v, .item = i};
    d.first = first_month(v, i);
    d.n = (size_t)(v->month - d.first + 1);
    take_bands(&d);
    if (v->provider)
        follow(&d, &(hd_value){.type = HD_TEXT, .text = {v->provider, strlen(v->provider)}});
    else
        follow_flagged(&d);
    take_xmr(&d, v->provider ? d.followed[0].value : d.national);
    HD_HTML(out, "<div class=\"charts\">\n");
    put_ribbon(out, &d);
    put_series(out, &d);
    HD_HTML(out, "</div>\n");
    put_table(out, &d);
}
