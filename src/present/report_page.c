/* report_page.c - the frame of a report page: head, notices, summary, sections. */
#include "present/report_parts.h"

#include "base/counted.h"

#include <inttypes.h>
#include <string.h>

static const hd_report_item *find_item(const hd_report_view *v, const char *id)
{
    for (size_t i = 0; i < v->n_items; i++)
        if (strcmp(v->items[i].def->id, id) == 0)
            return &v->items[i];
    return NULL;
}

static void put_head(hd_buf *out, const hd_report_view *v)
{
    HD_HTML(out, "<!DOCTYPE html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\">\n"
                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                 "style-src 'unsafe-inline'\">\n<meta name=\"generator\" content=\"hdis " HD_VERSION
                 "\">\n<title>");
    hd_html_text(out, v->report->title);
    HD_HTML(out, ", ");
    hd_chart_month(out, v->month, false);
    HD_HTML(out, "</title>\n<style>\n");
    hd_buf_str(out, hd_report_style);
    HD_HTML(out, "</style>\n</head>\n<body>\n");
}

static void put_notices(hd_buf *out, const hd_report_view *v)
{
    const hd_release *r = v->items[0].rows;
    if (v->is_synthetic)
        HD_HTML(out,
                "<p class=\"notice\" role=\"note\"><strong>Synthetic data.</strong> The people and "
                "organisations in this report are invented; nothing here says anything about a "
                "real hospital.</p>\n");
    if (r->has_true_counts) {
        HD_HTML(out,
                "<p class=\"notice danger\" role=\"note\"><strong>Small numbers.</strong> True "
                "counts that may identify people: keep this file as personal data and do not "
                "pass it on.");
        if (v->asset_tag && *v->asset_tag) {
            HD_HTML(out, " Entered in the list of assets as ");
            hd_html_text(out, v->asset_tag);
            HD_HTML(out, ".");
        }
        HD_HTML(out, "</p>\n");
    }
}

static void put_header(hd_buf *out, const hd_report_view *v)
{
    HD_HTML(out, "<header>\n<p class=\"period\">");
    hd_chart_month(out, v->month, false);
    HD_HTML(out, "</p>\n<h1>");
    hd_html_text(out, v->report->title);
    HD_HTML(out, "</h1>\n");
    put_notices(out, v);
    HD_HTML(out, "<p>");
    hd_html_text(out, v->report->introduction);
    HD_HTML(out, "</p>\n<p>Peers: ");
    hd_html_text(out, v->peers);
    HD_HTML(out, ". Charts follow ");
    if (v->provider)
        hd_html_text(out, v->provider);
    else
        HD_HTML(out, "up to three flagged providers, longest flagged first");
    hd_buf_printf(out, ", over at most %s to this one.</p>\n</header>\n",
                  hd_counted(v->n_months, "month").text);
}

static void put_contents(hd_buf *out, const hd_report_view *v)
{
    HD_HTML(out, "<nav aria-label=\"Contents\"><ul>\n<li><a href=\"#summary\">Summary</a></li>\n");
    for (size_t s = 0; s < v->report->n_sections; s++) {
        hd_buf_printf(out, "<li><a href=\"#section-%zu\">", s + 1);
        hd_html_text(out, v->report->sections[s].title);
        HD_HTML(out, "</a></li>\n");
    }
    HD_HTML(out, "<li><a href=\"#about\">About the figures</a></li>\n</ul></nav>\n");
}

/* ---- summary -------------------------------------------------------------------------------- */

static void put_summary_head(hd_buf *out, const hd_report_view *v)
{
    HD_HTML(out, "<thead><tr><th scope=\"col\" rowspan=\"2\">Provider</th>"
                 "<th scope=\"col\" rowspan=\"2\">Flags</th>");
    for (size_t s = 0; s < v->report->n_sections; s++) {
        hd_buf_printf(out, "<th scope=\"colgroup\" class=\"domain\" colspan=\"%zu\">",
                      v->report->sections[s].n_indicators);
        hd_html_text(out, v->report->sections[s].title);
        HD_HTML(out, "</th>");
    }
    HD_HTML(out, "</tr>\n<tr>");
    for (size_t i = 0; i < v->n_items; i++) {
        HD_HTML(out, "<th scope=\"col\" class=\"upright\"><a href=\"#");
        hd_html_text(out, v->items[i].def->id);
        HD_HTML(out, "\">");
        hd_html_text(out, v->items[i].def->title);
        HD_HTML(out, "</a></th>");
    }
    HD_HTML(out, "</tr></thead>\n");
}

typedef struct state {
    bool is_flagged, is_special; /* special: beyond 99.8% of the funnel on the bad side */
    double run;
} state;

static state state_of(const hd_report_item *i, int64_t row)
{
    const hd_figure worst = hd_report_figure(i->rows, row, "worst_10");
    const hd_figure funnel = hd_report_figure(i->rows, row, "funnel");
    const char *bad = i->def->bad == HD_BAD_HIGH ? "higher 99.8%" : "lower 99.8%";
    state s = {.run = hd_report_number(i->rows, row, "months_flagged")};
    s.is_flagged = !worst.value.is_null && worst.value.integer;
    s.is_special = i->def->bad != HD_BAD_NONE && !funnel.value.is_null &&
                   funnel.value.text.len == strlen(bad) &&
                   memcmp(funnel.value.text.bytes, bad, strlen(bad)) == 0;
    return s;
}

/* The icon of the month when it is more than common cause. */
static void put_special_cause(hd_buf *out, const hd_release *r, int64_t row)
{
    char words[64];
    hd_report_words(r, row, "variation", words);
    if (words[0] && strcmp(words, hd_signal_variation_text(HD_VARIATION_COMMON, 0)) != 0) {
        HD_HTML(out, " ");
        hd_icon_put_small(out, words, true);
    }
}

static void put_summary_cell(hd_buf *out, const hd_report_item *i, int64_t row)
{
    if (i->withheld) {
        HD_HTML(out, "<td>*</td>");
        return;
    }
    state s = state_of(i, row);
    hd_buf_printf(out, "<td%s>",
                  s.is_flagged && s.is_special ? " class=\"flagged special\""
                  : s.is_flagged               ? " class=\"flagged\""
                  : s.is_special               ? " class=\"special\""
                                               : "");
    hd_report_put_value(out, i->def->unit, hd_report_figure(i->rows, row, "value"));
    if (s.is_flagged)
        hd_buf_printf(out, "<span class=\"sign\"> F%.0f</span>", s.run > 0 ? s.run : 1);
    if (s.is_special)
        HD_HTML(out, "<span class=\"sign\"> !</span>");
    put_special_cause(out, i->rows, row);
    HD_HTML(out, "</td>");
}

/* The national value of each indicator. */
static void put_summary_nation(hd_buf *out, const hd_report_view *v)
{
    HD_HTML(out, "<tfoot><tr><th scope=\"row\">National</th><td></td>");
    for (size_t i = 0; i < v->n_items; i++) {
        const hd_release *b = v->items[i].bands;
        int64_t row = -1;
        for (size_t k = 0; k < b->n_rows; k++)
            row = hd_report_is_month(b, (int64_t)k, v->month) ? (int64_t)k : row;
        if (v->items[i].withheld) {
            HD_HTML(out, "<td>*</td>");
            continue;
        }
        HD_HTML(out, "<td>");
        hd_report_put_value(out, v->items[i].def->unit, hd_report_figure(b, row, "national"));
        put_special_cause(out, b, row);
        HD_HTML(out, "</td>");
    }
    HD_HTML(out, "</tr></tfoot>\n");
}

static void put_icon_keys(hd_buf *out)
{
    static const hd_variation variations[] = {HD_VARIATION_COMMON, HD_VARIATION_IMPROVEMENT,
                                              HD_VARIATION_CONCERN, HD_VARIATION_NEUTRAL};
    HD_HTML(out, "<ul class=\"keys icons\">");
    for (size_t i = 0; i < 2 * sizeof variations / sizeof *variations; i++) {
        if (i == 1) /* common cause has no side */
            continue;
        const char *words = hd_signal_variation_text(variations[i / 2], i % 2 ? -1 : 1);
        HD_HTML(out, "<li>");
        hd_icon_put_small(out, words, false);
        HD_HTML(out, " ");
        hd_html_text(out, words);
        HD_HTML(out, "</li>");
    }
    for (int a = HD_ASSURANCE_PASS; a <= HD_ASSURANCE_INCONSISTENT; a++) {
        HD_HTML(out, "<li>");
        hd_icon_put_small(out, hd_signal_assurance_text((hd_assurance)a), false);
        HD_HTML(out, " target: ");
        hd_html_text(out, hd_signal_assurance_text((hd_assurance)a));
        HD_HTML(out, "</li>");
    }
    HD_HTML(out, "</ul>\n");
}

static void put_summary(hd_buf *out, const hd_report_view *v)
{
    static hd_report_unit units[HD_REPORT_MAX_UNITS];
    size_t n = hd_report_units(v, units);
    HD_HTML(
        out,
        "<section id=\"summary\"><h2>Summary</h2>\n<p>F1, F2, F3: among the worst tenth of "
        "peers for one, two, three months in a row. !: beyond the 99.8% limits of the funnel "
        "on the worse side. *: withheld. -: no figure. An icon: special cause in the provider's "
        "own series.</p>\n");
    put_icon_keys(out);
    HD_HTML(out, "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"Summary of all "
                 "indicators\"><table class=\"summary\"><caption>All indicators by provider, ");
    hd_chart_month(out, v->month, false);
    HD_HTML(out, "</caption>");
    put_summary_head(out, v);
    put_summary_nation(out, v);
    HD_HTML(out, "<tbody>\n");
    for (size_t u = 0; u < n; u++) {
        int64_t rows[64];
        int flags = 0;
        for (size_t i = 0; i < v->n_items && i < 64; i++) {
            rows[i] = hd_report_row(&v->items[i], &units[u].code, v->month);
            flags += state_of(&v->items[i], rows[i]).is_flagged;
        }
        HD_HTML(out, "<tr><th scope=\"row\">");
        hd_html_value(out, &units[u].code);
        HD_HTML(out, " <span class=\"name\">");
        hd_html_value(out, &units[u].name);
        hd_buf_printf(out, "</span></th><td>%d</td>", flags);
        for (size_t i = 0; i < v->n_items && i < 64; i++)
            put_summary_cell(out, &v->items[i], rows[i]);
        HD_HTML(out, "</tr>\n");
    }
    HD_HTML(out, "</tbody></table></div></section>\n");
}

/* ---- sections and the end ------------------------------------------------------------------- */

static void put_sections(hd_buf *out, const hd_report_view *v)
{
    for (size_t s = 0; s < v->report->n_sections; s++) {
        const hd_report_section *section = &v->report->sections[s];
        hd_buf_printf(out, "<section id=\"section-%zu\"><h2>", s + 1);
        hd_html_text(out, section->title);
        HD_HTML(out, "</h2>\n");
        if (section->note) {
            HD_HTML(out, "<p>");
            hd_html_text(out, section->note);
            HD_HTML(out, "</p>\n");
        }
        for (size_t i = 0; i < section->n_indicators; i++) {
            const hd_report_item *item = find_item(v, section->indicators[i]);
            if (item)
                hd_report_put_indicator(out, v, item);
        }
        HD_HTML(out, "</section>\n");
    }
}

static void put_left_out(hd_buf *out, const hd_report_view *v)
{
    bool has_left_out = false, has_unknown = false;
    for (size_t i = 0; i < v->n_items; i++) {
        has_left_out |= v->items[i].rows->has_left_out;
        has_unknown |= v->items[i].rows->has_unknown;
    }
    if (has_left_out)
        HD_HTML(out, "<p>Small rows are left out.</p>\n");
    if (has_unknown)
        HD_HTML(out, "<p>" HD_UNKNOWN_ROWS ".</p>\n");
}

static void put_about(hd_buf *out, const hd_report_view *v)
{
    const hd_release *r = v->items[0].rows;
    uint64_t withheld = 0;
    for (size_t i = 0; i < v->n_items; i++)
        withheld += v->items[i].rows->n_withheld;
    HD_HTML(out, "<section id=\"about\"><h2>About the figures</h2>\n<p>Disclosure policy ");
    hd_html_text(out, r->policy);
    HD_HTML(out, ", version ");
    hd_html_text(out, r->policy_version);
    HD_HTML(out, ": ");
    hd_html_text(out, r->legend);
    hd_buf_printf(out,
                  ". Values and intervals are worked out from the figures as shown. Withheld in the "
                  "months of this report: %s.</p>\n",
                  hd_counted(withheld, "figure").text);
    put_left_out(out, v);
    HD_HTML(
        out,
        "<p>Funnel limits are those around the pooled value of the peers, without allowance "
        "for over-dispersion. Percentiles are over peers that are ranked. Variation and "
        "assurance are those of an XmR chart of the months shown (2.66 mean moving ranges, runs "
        "and trends of 7), from 12 known months on; withheld and incomplete months are gaps. "
        "Forecasts rest on the released months alone: exponential smoothing of least corrected "
        "AIC from 29 unbroken months, the same month of the year before from 24; the bands are "
        "prediction intervals.</p>\n");
    hd_buf_printf(out, "<p>Data version %" PRIu64 ", made by hdis " HD_VERSION ". ",
                  r->data_version);
    HD_HTML(out, "Source: ");
    hd_html_text(out, v->report->source);
    HD_HTML(out, ".</p></section>\n");
}

void hd_report_put(hd_buf *out, const hd_report_view *v)
{
    put_head(out, v);
    hd_icon_put_symbols(out);
    put_header(out, v);
    put_contents(out, v);
    HD_HTML(out, "<main>\n");
    put_summary(out, v);
    put_sections(out, v);
    put_about(out, v);
    HD_HTML(out, "</main>\n</body>\n</html>\n");
}
