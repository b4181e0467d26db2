/* report_charts.c - the two charts of an indicator, and the same figures as tables.
 *
 * Ribbon: where the peers lie month by month, and the providers that the report follows. Series:
 * one provider, or the national value when none is followed, with the limits of an XmR chart, its
 * icons, and a forecast. Incomplete months are shown apart and enter neither limits nor forecast.
 */
#include "base/date.h"
#include "present/report_parts.h"
#include "statistics/xmr.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef double months[HD_REPORT_MAX_MONTHS + HD_REPORT_MAX_AHEAD];

typedef struct followed {
    hd_value code;
    char label[16];
    months value, lower, upper;
    char marks[HD_REPORT_MAX_MONTHS + HD_REPORT_MAX_AHEAD];
    bool is_incomplete[HD_REPORT_MAX_MONTHS];
} followed;

typedef struct forecast {
    size_t n; /* months after the last of the report; 0: none */
    months value, lower80, upper80, lower95, upper95; /* by month of the chart */
    char model[64], note[64];
} forecast;

typedef struct chart_data {
    const hd_report_view *view;
    const hd_report_item *item;
    int first;
    size_t n;
    months units, p10, p25, p50, p75, p90, national, national_lower, national_upper;
    bool is_incomplete[HD_REPORT_MAX_MONTHS]; /* of the national value */
    followed followed[HD_REPORT_FOLLOWED];
    size_t n_followed;
    forecast ahead;
    hd_xmr_point xmr[HD_REPORT_MAX_MONTHS];
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

static bool is_incomplete(const hd_release *r, int64_t row)
{
    const hd_figure note = hd_report_figure(r, row, "note");
    return !note.value.is_null;
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
        for (size_t m = 0; m < HD_REPORT_MAX_MONTHS + HD_REPORT_MAX_AHEAD; m++)
            (*columns[k])[m] = NAN;
        for (size_t row = 0; row < b->n_rows; row++) {
            int m = hd_report_month(b, (int64_t)row) - d->first;
            if (m < 0 || (size_t)m >= d->n)
                continue;
            (*columns[k])[m] = hd_report_number(b, (int64_t)row, names[k]);
            d->is_incomplete[m] = is_incomplete(b, (int64_t)row);
        }
    }
}

static void follow(chart_data *d, hd_value code)
{
    followed *f = &d->followed[d->n_followed++];
    *f = (followed){.code = code};
    snprintf(f->label, sizeof f->label, "%.*s", (int)(code.text.len < 15 ? code.text.len : 15),
             code.text.bytes);
    for (size_t m = d->n; m < HD_REPORT_MAX_MONTHS + HD_REPORT_MAX_AHEAD; m++)
        f->value[m] = f->lower[m] = f->upper[m] = NAN;
    for (size_t m = 0; m < d->n; m++) {
        int64_t row = hd_report_row(d->item, &code, d->first + (int)m);
        f->is_incomplete[m] = is_incomplete(d->item->rows, row);
        const hd_figure value = hd_report_figure(d->item->rows, row, "value");
        f->value[m] = hd_report_number(d->item->rows, row, "value");
        f->lower[m] = hd_report_number(d->item->rows, row, "lower");
        f->upper[m] = hd_report_number(d->item->rows, row, "upper");
        f->marks[m] = value.mark;
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
        follow(d, hd_report_figure(r, rows[i], "provider").value);
}

/* Limits over the months that are known and complete, as the signals of the rows are found. */
static void take_xmr(chart_data *d, const double *values, const bool *is_gap)
{
    months used;
    hd_xmr_summary summary;
    hd_err err;
    for (size_t m = 0; m < d->n; m++)
        used[m] = is_gap[m] ? NAN : values[m];
    if (hd_indicator_xmr(d->item->def, used, d->n, d->xmr, &summary, &d->has_xmr, &err) != HD_OK)
        d->has_xmr = false;
}

static void take_forecast(chart_data *d)
{
    static const char *const names[] = {"value", "lower80", "upper80", "lower95", "upper95"};
    forecast *a = &d->ahead;
    months *const columns[] = {&a->value, &a->lower80, &a->upper80, &a->lower95, &a->upper95};
    const hd_release *r = d->item->ahead;
    for (size_t k = 0; k < 5; k++)
        for (size_t m = 0; m < HD_REPORT_MAX_MONTHS + HD_REPORT_MAX_AHEAD; m++)
            (*columns[k])[m] = NAN;
    for (int64_t row = 0; r && row < (int64_t)r->n_rows; row++) {
        int m = hd_report_month(r, row) - d->first;
        hd_report_words(r, row, "model", a->model);
        hd_report_words(r, row, "note", a->note);
        if (m < 0 || m >= (int)d->n + HD_REPORT_MAX_AHEAD || a->note[0])
            continue;
        for (size_t k = 0; k < 5; k++)
            (*columns[k])[m] = hd_report_number(r, row, names[k]);
        a->n = m >= (int)d->n ? (size_t)(m - (int)d->n + 1) : a->n;
    }
}

/* ---- drawing -------------------------------------------------------------------------------- */

static void put_key(hd_buf *out, const char *css, const char *text)
{
    hd_buf_printf(out, "<li><span class=\"key %s\" aria-hidden=\"true\"></span>", css);
    hd_html_text(out, text);
    HD_HTML(out, "</li>");
}

static void describe(hd_buf *out, const chart_data *d, const char *what, size_t n_ahead)
{
    hd_buf_printf(out, "%s by month, ", what);
    hd_chart_month(out, d->first, false);
    HD_HTML(out, " to ");
    hd_chart_month(out, d->first + (int)(d->n + n_ahead) - 1, false);
    HD_HTML(out, ". The figures are in the table below the charts.");
}

/* Values without the incomplete months; is there one? */
static bool leave_out(double *out, const double *values, const bool *is_incomplete, size_t n)
{
    bool any = false;
    for (size_t m = 0; m < n; m++) {
        out[m] = is_incomplete[m] ? NAN : values[m];
        any = any || (is_incomplete[m] && isfinite(values[m]));
    }
    return any;
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
             "and the providers followed,",
             0);
    const hd_chart_area areas[] = {{"outer", d->p10, d->p90}, {"inner", d->p25, d->p75}};
    months national, values[HD_REPORT_FOLLOWED];
    hd_chart_line lines[2 + HD_REPORT_FOLLOWED] = {{.css = "median", .values = d->p50},
                                                   {.css = "national", .values = national}};
    size_t n = 2;
    bool has_incomplete = leave_out(national, d->national, d->is_incomplete, d->n),
         has_peers = false;
    for (size_t m = 0; m < d->n; m++)
        has_peers = has_peers || d->units[m] > 0;
    for (size_t i = 0; i < d->n_followed; i++, n++) {
        const followed *f = &d->followed[i];
        bool with_bars = d->n_followed == 1;
        has_incomplete |= leave_out(values[i], f->value, f->is_incomplete, d->n);
        lines[n] = (hd_chart_line){.css = css[i],
                                   .label = f->label,
                                   .values = values[i],
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
    if (has_peers) {
        put_key(out, "outer", "P10 to P90 of peers");
        put_key(out, "inner", "P25 to P75");
        put_key(out, "median", "median");
    }
    put_key(out, "national", "National");
    for (size_t i = 0; i < d->n_followed; i++)
        put_key(out, css[i], d->followed[i].label);
    if (isfinite(d->item->def->target))
        put_key(out, "target", "target");
    HD_HTML(out, "</ul>");
    if (!has_peers)
        HD_HTML(out,
                "<p class=\"small\">No peer is ranked in these months: values are withheld, or "
                "denominators too small.</p>");
    if (has_incomplete)
        HD_HTML(out, "<p class=\"small\">Incomplete months are not drawn.</p>");
    HD_HTML(out, "</figcaption></figure>\n");
    hd_buf_free(&text);
}

typedef struct over_time {
    const followed *unit; /* NULL: the nation */
    const double *values;
    const bool *is_incomplete;
    const char *css, *label;
} over_time;

static over_time what_over_time(const chart_data *d)
{
    if (d->view->provider && d->n_followed) {
        const followed *f = &d->followed[0];
        return (over_time){f, f->value, f->is_incomplete, "unit-1", f->label};
    }
    return (over_time){NULL, d->national, d->is_incomplete, "national", "National"};
}

/* The icons of the report's month, with what they rest on. */
static void put_verdict(hd_buf *out, const chart_data *d, const over_time *o)
{
    char id[96];
    const hd_release *r = o->unit ? d->item->rows : d->item->bands;
    int64_t row = -1;
    if (o->unit)
        row = hd_report_row(d->item, &o->unit->code, d->view->month);
    else
        for (size_t i = 0; i < r->n_rows; i++)
            row = hd_report_is_month(r, (int64_t)i, d->view->month) ? (int64_t)i : row;
    snprintf(id, sizeof id, "%.80s-icon", d->item->def->id);
    HD_HTML(out, "<p class=\"verdict\"><strong>");
    hd_html_text(out, o->label);
    HD_HTML(out, ":</strong> ");
    hd_report_put_signal(out, r, row, id);
    HD_HTML(out, "</p>");
}

static void put_series_keys(hd_buf *out, const chart_data *d, const over_time *o,
                            const hd_variation *signals, bool has_incomplete)
{
    static const char *const css[] = {[HD_VARIATION_IMPROVEMENT] = "improving",
                                      [HD_VARIATION_CONCERN] = "concerning",
                                      [HD_VARIATION_NEUTRAL] = "neither"};
    static const char *const texts[] = {[HD_VARIATION_IMPROVEMENT] = "special cause, improving",
                                        [HD_VARIATION_CONCERN] = "special cause, concerning",
                                        [HD_VARIATION_NEUTRAL] =
                                            "special cause, neither side worse"};
    HD_HTML(out, "<figcaption><ul class=\"keys\">");
    put_key(out, o->css, o->label);
    if (d->has_xmr) {
        put_key(out, "mean", "mean");
        put_key(out, "limit", "process limits (XmR)");
    }
    for (int v = HD_VARIATION_IMPROVEMENT; v <= HD_VARIATION_NEUTRAL; v++)
        for (size_t m = 0; m < d->n; m++)
            if (signals[m] == (hd_variation)v) {
                put_key(out, css[v], texts[v]);
                break;
            }
    if (has_incomplete)
        put_key(out, "incomplete", "incomplete month");
    if (d->ahead.n) {
        put_key(out, "ahead", "forecast");
        put_key(out, "ahead80", "80% interval");
        put_key(out, "ahead95", "95% interval");
    }
    if (isfinite(d->item->def->target))
        put_key(out, "target", "target");
    HD_HTML(out, "</ul>");
    if (d->item->ahead && !d->ahead.n) {
        HD_HTML(out, "<p class=\"small\">Forecast: ");
        hd_html_text(out, d->ahead.note[0] ? d->ahead.note : "none: no figures");
        HD_HTML(out, ".</p>");
    }
    HD_HTML(out, "</figcaption></figure>\n");
}

typedef struct series_lines {
    months mean, lower, upper, complete, incomplete, ahead; /* ahead begins at the last value */
    hd_variation signals[HD_REPORT_MAX_MONTHS + HD_REPORT_MAX_AHEAD];
    bool has_incomplete;
} series_lines;

static void fill_lines(const chart_data *d, const over_time *o, series_lines *l)
{
    double most = d->item->def->unit == HD_UNIT_SHARE ? 1 : INFINITY;
    for (size_t m = 0; m < d->n + d->ahead.n; m++) {
        bool is_past = m < d->n, has_limits = is_past && d->has_xmr;
        bool apart = is_past && o->is_incomplete[m] && isfinite(o->values[m]);
        l->mean[m] = has_limits ? d->xmr[m].mean : NAN;
        l->lower[m] = has_limits ? fmax(d->xmr[m].lower, 0) : NAN;
        l->upper[m] = has_limits ? fmin(d->xmr[m].upper, most) : NAN;
        l->complete[m] = is_past && !apart ? o->values[m] : NAN;
        l->incomplete[m] = apart ? o->values[m] : NAN;
        l->signals[m] = has_limits ? d->xmr[m].variation : HD_VARIATION_COMMON;
        l->has_incomplete = l->has_incomplete || apart;
        l->ahead[m] = d->ahead.value[m];
    }
    size_t first = 0;
    while (first < d->n + d->ahead.n && !isfinite(d->ahead.value[first]))
        first++;
    if (d->ahead.n && first > 0)
        l->ahead[first - 1] = l->complete[first - 1];
}

static void put_series(hd_buf *out, const chart_data *d)
{
    const over_time o = what_over_time(d);
    series_lines l = {.has_incomplete = false};
    hd_buf text;
    hd_buf_init(&text, 4096);
    char id[96];
    snprintf(id, sizeof id, "%.80s-series", d->item->def->id);
    fill_lines(d, &o, &l);
    describe(&text, d,
             d->ahead.n
                 ? d->has_xmr ? "Value, mean, process limits and forecast" : "Value and forecast"
             : d->has_xmr ? "Value, mean and process limits"
                          : "Value",
             d->ahead.n);
    const hd_chart_area areas[] = {{"ahead95", d->ahead.lower95, d->ahead.upper95},
                                   {"ahead80", d->ahead.lower80, d->ahead.upper80}};
    const hd_chart_line lines[] = {
        {.css = "limit", .values = l.lower},
        {.css = "limit", .values = l.upper},
        {.css = "mean", .values = l.mean},
        {.css = "ahead", .label = d->ahead.n ? o.label : NULL, .values = l.ahead},
        {.css = "incomplete", .values = l.incomplete, .has_points = true},
        {.css = o.css,
         .label = d->ahead.n ? NULL : o.label,
         .values = l.complete,
         .marks = o.unit ? o.unit->marks : NULL,
         .has_points = true,
         .signals = l.signals},
    };
    hd_chart c = {.id = id,
                  .title = d->item->def->title,
                  .description = text.data,
                  .first_month = d->first,
                  .n_months = d->n + d->ahead.n,
                  .n_ahead = d->ahead.n,
                  .unit = d->item->def->unit,
                  .areas = areas,
                  .n_areas = 2,
                  .lines = lines,
                  .n_lines = sizeof lines / sizeof *lines,
                  .target = d->item->def->target};
    HD_HTML(out, "<figure><h4>Over time</h4>");
    put_verdict(out, d, &o);
    hd_chart_put(out, &c);
    put_series_keys(out, d, &o, l.signals, l.has_incomplete);
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
                     "<th scope=\"col\">Upper limit</th><th scope=\"col\">Variation</th>"
                     "<th scope=\"col\">Special cause</th>");
    HD_HTML(out, "</tr></thead><tbody>\n");
}

static void put_table(hd_buf *out, const chart_data *d)
{
    hd_unit unit = d->item->def->unit;
    const over_time o = what_over_time(d);
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
            const hd_xmr_point *p = &d->xmr[m];
            bool is_gap = o.is_incomplete[m] || !isfinite(o.values[m]);
            put_cell(out, unit, p->mean, 0);
            put_cell(out, unit, fmax(p->lower, 0), 0);
            put_cell(out, unit, unit == HD_UNIT_SHARE ? fmin(p->upper, 1) : p->upper, 0);
            HD_HTML(out, "<td class=\"words\">");
            hd_html_text(out, is_gap ? o.is_incomplete[m] ? "incomplete" : "-"
                                     : hd_signal_variation_text(p->variation, p->towards));
            HD_HTML(out, "</td><td class=\"words\">");
            hd_html_text(out, is_gap ? "" : hd_signal_cause_text(p->cause));
            HD_HTML(out, "</td>");
        }
        HD_HTML(out, "</tr>\n");
    }
    HD_HTML(out, "</tbody></table></div>\n");
}

static void put_forecast_table(hd_buf *out, const chart_data *d)
{
    const forecast *a = &d->ahead;
    const months *const columns[] = {&a->value, &a->lower80, &a->upper80, &a->lower95, &a->upper95};
    if (!a->n)
        return;
    HD_HTML(out, "<div class=\"wide\" role=\"region\" tabindex=\"0\" "
                 "aria-label=\"Forecast\"><table><caption>Forecast, ");
    hd_html_text(out, what_over_time(d).label);
    HD_HTML(out, ": model ");
    hd_html_text(out, a->model);
    HD_HTML(out, "</caption><thead><tr><th scope=\"col\">Month</th><th scope=\"col\">Forecast</th>"
                 "<th scope=\"col\">80% from</th><th scope=\"col\">to</th>"
                 "<th scope=\"col\">95% from</th><th scope=\"col\">to</th></tr></thead><tbody>\n");
    for (size_t m = 0; m < d->n + a->n; m++) {
        if (!isfinite(a->value[m]))
            continue;
        HD_HTML(out, "<tr><th scope=\"row\">");
        hd_chart_month(out, d->first + (int)m, false);
        HD_HTML(out, "</th>");
        for (size_t k = 0; k < 5; k++)
            put_cell(out, d->item->def->unit, (*columns[k])[m], 0);
        HD_HTML(out, "</tr>\n");
    }
    HD_HTML(out, "</tbody></table></div>\n");
}

void hd_report_put_charts(hd_buf *out, const hd_report_view *v, const hd_report_item *i)
{
    chart_data d = {.view = v, .item = i};
    d.first = first_month(v, i);
    d.n = (size_t)(v->month - d.first + 1);
    take_bands(&d);
    if (v->provider)
        follow(&d, (hd_value){.type = HD_TEXT, .text = {v->provider, strlen(v->provider)}});
    else
        follow_flagged(&d);
    take_forecast(&d);
    const over_time o = what_over_time(&d);
    take_xmr(&d, o.values, o.is_incomplete);
    HD_HTML(out, "<div class=\"charts\">\n");
    put_ribbon(out, &d);
    put_series(out, &d);
    HD_HTML(out, "</div>\n");
    put_table(out, &d);
    put_forecast_table(out, &d);
    HD_HTML(out, "</details>\n");
}
