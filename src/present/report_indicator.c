/* report_indicator.c - one indicator of a report: what it is, its charts, its table of providers.
 */
#include "present/report_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void hd_report_put_value(hd_buf *out, hd_unit unit, hd_figure f)
{
    if (!f.mark && f.value.is_null)
        HD_HTML(out, "-");
    else if (f.mark)
        hd_present_html_text(out, &f.mark, 1);
    else if (f.value.type == HD_DECIMAL)
        hd_chart_value(out, unit, f.value.decimal);
    else
        hd_html_value(out, &f.value);
}

static void put_term(hd_buf *out, const char *term, const char *text)
{
    if (!text || !*text)
        return;
    HD_HTML(out, "<dt>");
    hd_html_text(out, term);
    HD_HTML(out, "</dt><dd>");
    hd_html_text(out, text);
    HD_HTML(out, "</dd>");
}

static void put_definition(hd_buf *out, const hd_indicator_file *d)
{
    static const char *const sides[] = {[HD_BAD_LOW + 1] = "low values are the worse ones",
                                        [HD_BAD_NONE + 1] = "no side is worse: never flagged",
                                        [HD_BAD_HIGH + 1] = "high values are the worse ones"};
    char text[160];
    HD_HTML(out, "<dl class=\"definition\">");
    put_term(out, "Numerator", d->numerator_text);
    put_term(out, "Denominator", d->denominator_text);
    snprintf(text, sizeof text, "%s, %s", hd_method_name(d->method), hd_method_interval(d->method));
    for (char *c = text; *c && *c != ','; c++)
        *c = *c == '_' ? ' ' : *c;
    put_term(out, "Value", text);
    put_term(out, "Reading", sides[d->bad + 1]);
    snprintf(text, sizeof text, "denominators of %lld and more", (long long)d->minimum_denominator);
    put_term(out, "Ranked", text);
    if (isfinite(d->target)) {
        hd_buf target;
        hd_buf_init(&target, 64);
        hd_chart_value(&target, d->unit, d->target);
        put_term(out, "Target", target.data);
        hd_buf_free(&target);
    }
    put_term(out, "Note", d->note);
    put_term(out, "Source", d->source);
    HD_HTML(out, "</dl>\n");
}

/* ---- the providers -------------------------------------------------------------------------- */

static void put_interval(hd_buf *out, hd_unit unit, const hd_release *r, int64_t row)
{
    const hd_figure lower = hd_report_figure(r, row, "lower");
    const hd_figure upper = hd_report_figure(r, row, "upper");
    hd_report_put_value(out, unit, lower);
    if (!lower.mark && !lower.value.is_null) {
        HD_HTML(out, " to ");
        hd_report_put_value(out, unit, upper);
    }
}

static void put_flag(hd_buf *out, const hd_release *r, int64_t row)
{
    const hd_figure worst = hd_report_figure(r, row, "worst_10");
    double run = hd_report_number(r, row, "months_flagged");
    if (worst.value.is_null)
        HD_HTML(out, "-");
    else if (!worst.value.integer)
        HD_HTML(out, "no");
    else if (run > 1)
        hd_buf_printf(out, "<strong>worst tenth, %.0f months</strong>", run);
    else
        HD_HTML(out, "<strong>worst tenth</strong>");
}

static bool is_flagged(const hd_release *r, int64_t row)
{
    const hd_figure worst = hd_report_figure(r, row, "worst_10");
    return !worst.value.is_null && worst.value.integer;
}

void hd_report_put_signal(hd_buf *out, const hd_release *r, int64_t row, const char *id)
{
    static const char *const columns[] = {"variation", "assurance"};
    char words[64], cause[64], note[64];
    bool is_there = false;
    hd_report_words(r, row, "special_cause", cause);
    hd_report_words(r, row, "signal_note", note);
    for (size_t i = 0; i < 2; i++) {
        hd_report_words(r, row, columns[i], words);
        if (!words[0])
            continue;
        if (is_there)
            HD_HTML(out, " ");
        HD_HTML(out, "<span class=\"one\">");
        if (id) {
            char own[128];
            snprintf(own, sizeof own, "%.96s-%zu", id, i + 1);
            hd_icon_put(out, own, words);
            HD_HTML(out, " ");
        } else {
            hd_icon_put_small(out, words, false);
            HD_HTML(out, " ");
        }
        if (i == 1 && id)
            HD_HTML(out, "target: ");
        hd_html_text(out, words);
        HD_HTML(out, "</span>");
        if (i == 0 && cause[0] && id) {
            HD_HTML(out, " (");
            hd_html_text(out, cause);
            HD_HTML(out, ")");
        }
        is_there = true;
    }
    if (note[0] && (id || !is_there)) {
        hd_buf_str(out, is_there ? "; " : id ? "no signal: " : "");
        hd_html_text(out, note);
    }
    if (!is_there && !note[0])
        HD_HTML(out, "-");
}

static void put_row(hd_buf *out, const hd_report_view *v, const hd_report_item *i, int64_t row)
{
    const hd_release *r = i->rows;
    hd_unit unit = i->def->unit;
    const hd_figure code = hd_report_figure(r, row, "provider");
    bool is_own = v->provider && code.value.text.len == strlen(v->provider) &&
                  memcmp(code.value.text.bytes, v->provider, code.value.text.len) == 0;
    hd_buf_printf(out, "<tr%s><th scope=\"row\">",
                  is_flagged(r, row) ? " class=\"flagged\""
                  : is_own           ? " class=\"own\""
                                     : "");
    hd_html_value(out, &code.value);
    HD_HTML(out, " <span class=\"name\">");
    const hd_figure name = hd_report_figure(r, row, "name");
    if (!name.value.is_null)
        hd_html_value(out, &name.value);
    HD_HTML(out, "</span></th><td>");
    if (i->def->numerator) {
        hd_report_put_value(out, unit, hd_report_figure(r, row, "numerator"));
        HD_HTML(out, "</td><td>");
    }
    hd_report_put_value(out, unit, hd_report_figure(r, row, "denominator"));
    HD_HTML(out, "</td><td>");
    hd_report_put_value(out, unit, hd_report_figure(r, row, "value"));
    HD_HTML(out, "</td><td>");
    put_interval(out, unit, r, row);
    HD_HTML(out, "</td><td>");
    hd_report_put_value(out, unit, hd_report_figure(r, row, "peer_median"));
    HD_HTML(out, "</td><td>");
    hd_report_put_value(out, unit, hd_report_figure(r, row, "decile"));
    HD_HTML(out, "</td><td class=\"words\">");
    put_flag(out, r, row);
    HD_HTML(out, "</td><td class=\"words\">");
    hd_report_put_value(out, unit, hd_report_figure(r, row, "funnel"));
    double p = hd_report_number(r, row, "funnel_p");
    if (isfinite(p))
        hd_buf_printf(out,
                      p < 0.0005 ? " <span class=\"name one\">p &lt; 0.001</span>"
                                 : " <span class=\"name one\">p %.3f</span>",
                      p);
    HD_HTML(out, "</td><td class=\"words\">");
    hd_report_put_signal(out, r, row, NULL);
    HD_HTML(out, "</td></tr>\n");
}

static void put_nation(hd_buf *out, const hd_report_view *v, const hd_report_item *i)
{
    const hd_release *b = i->bands;
    for (size_t row = 0; row < b->n_rows; row++) {
        if (!hd_report_is_month(b, (int64_t)row, v->month))
            continue;
        hd_buf_printf(out, "<tfoot><tr><th scope=\"row\">National</th><td colspan=\"%d\"></td><td>",
                      i->def->numerator ? 2 : 1);
        hd_report_put_value(out, i->def->unit, hd_report_figure(b, (int64_t)row, "national"));
        HD_HTML(out, "</td><td>");
        const hd_figure lower = hd_report_figure(b, (int64_t)row, "national_lower");
        hd_report_put_value(out, i->def->unit, lower);
        if (!lower.mark && !lower.value.is_null) {
            HD_HTML(out, " to ");
            hd_report_put_value(out, i->def->unit,
                                hd_report_figure(b, (int64_t)row, "national_upper"));
        }
        HD_HTML(out, "</td><td colspan=\"4\"></td><td class=\"words\">");
        hd_report_put_signal(out, b, (int64_t)row, NULL);
        HD_HTML(out, "</td></tr></tfoot>\n");
        return;
    }
}

static void put_providers(hd_buf *out, const hd_report_view *v, const hd_report_item *i)
{
    HD_HTML(out, "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"");
    hd_html_text(out, i->def->title);
    HD_HTML(out, " by provider\"><table class=\"providers\"><caption>");
    hd_html_text(out, i->def->title);
    HD_HTML(out, " by provider, ");
    hd_chart_month(out, v->month, false);
    HD_HTML(out, "</caption><thead><tr><th scope=\"col\">Provider</th>");
    if (i->def->numerator)
        HD_HTML(out, "<th scope=\"col\">Numerator</th>");
    HD_HTML(out, "<th scope=\"col\">Denominator</th><th scope=\"col\">Value</th>"
                 "<th scope=\"col\">95% interval</th><th scope=\"col\">Peer median</th>"
                 "<th scope=\"col\">Decile</th><th scope=\"col\" class=\"words\">Flag</th>"
                 "<th scope=\"col\" class=\"words\">Funnel</th>"
                 "<th scope=\"col\" class=\"words\">Over time</th></tr></thead>\n");
    put_nation(out, v, i);
    HD_HTML(out, "<tbody>\n");
    for (size_t row = 0; row < i->rows->n_rows; row++)
        if (hd_report_is_month(i->rows, (int64_t)row, v->month))
            put_row(out, v, i, (int64_t)row);
    HD_HTML(out, "</tbody></table></div>\n");
}

static bool is_incomplete(const hd_report_view *v, const hd_report_item *i)
{
    for (size_t row = 0; row < i->rows->n_rows; row++) {
        const hd_figure note = hd_report_figure(i->rows, (int64_t)row, "note");
        if (hd_report_is_month(i->rows, (int64_t)row, v->month))
            return !note.value.is_null;
    }
    return false;
}

void hd_report_put_indicator(hd_buf *out, const hd_report_view *v, const hd_report_item *i)
{
    HD_HTML(out, "<section class=\"indicator\" id=\"");
    hd_html_text(out, i->def->id);
    HD_HTML(out, "\"><h3>");
    hd_html_text(out, i->def->title);
    HD_HTML(out, "</h3>\n");
    if (i->withheld) {
        HD_HTML(out, "<p class=\"notice\">Withheld as a whole: ");
        hd_html_text(out, i->withheld);
        HD_HTML(out, "</p>\n");
        put_definition(out, i->def);
        HD_HTML(out, "</section>\n");
        return;
    }
    if (is_incomplete(v, i)) {
        HD_HTML(out, "<p class=\"notice\">");
        hd_chart_month(out, v->month, false);
        hd_buf_printf(out,
                      " is incomplete: the data must reach %lld days past the end of a month, and "
                      "they do not yet.</p>\n",
                      (long long)i->def->follow_up_days);
    }
    HD_HTML(out, "<div class=\"charts\">\n");
    put_definition(out, i->def);
    hd_report_put_funnel(out, v, i);
    HD_HTML(out, "</div>\n");
    hd_report_put_charts(out, v, i);
    put_providers(out, v, i);
    HD_HTML(out, "</section>\n");
}
