/* report_funnel.c - the peers of a month by size and value, with the limits of 95% and 99.8% that
 * chance alone would keep to.
 *
 * Made from the numerators and denominators that the table below it shows, of those units whose
 * funnel status it shows: so point and word agree. Drawn for proportions and ratios; the spread
 * within units that a mean's limits need is not among the released figures.
 */
#include "present/report_parts.h"
#include "statistics/funnel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WIDTH = 640,
    HEIGHT = 300,
    LEFT = 52,
    RIGHT = 24,
    TOP = 12,
    BOTTOM = 44,
    STEPS = 80,
    MAX_UNITS = 600
};

typedef struct unit {
    hd_value code;
    double size, value;
    int status; /* -2, -1, 0, 1, 2 */
    bool is_own;
} unit;

typedef struct funnel {
    unit units[MAX_UNITS];
    size_t n;
    double factor; /* of values and limits: days of a daily ratio */
    double target;
    double size_step, size_high, low, high, step;
    double curves[2][2][STEPS]; /* level, side */
} funnel;

static double x_of(const funnel *f, double size)
{
    return LEFT + size / f->size_high * (WIDTH - LEFT - RIGHT);
}

static double y_of(const funnel *f, double value)
{
    double y = (value - f->low) / (f->high - f->low);
    return HEIGHT - BOTTOM - fmin(fmax(y, 0), 1) * (HEIGHT - TOP - BOTTOM);
}

/* The size of the i-th point of the curves: finer where they bend. */
static double size_at(const funnel *f, size_t i)
{
    double share = (double)(i + 1) / STEPS;
    return fmax(f->size_high * share * share, 1);
}

/* ---- data ----------------------------------------------------------------------------------- */

static int status_of(const char *words)
{
    static const char *const texts[] = {"lower 99.8%", "lower 95%", "as expected", "higher 95%",
                                        "higher 99.8%"};
    for (int i = 0; i < 5; i++)
        if (strcmp(texts[i], words) == 0)
            return i - 2;
    return INT32_MIN;
}

static void collect(funnel *f, hd_funnel_unit *counts, const hd_report_view *v,
                    const hd_report_item *i)
{
    const hd_release *r = i->rows;
    f->factor = 1;
    for (int64_t row = 0; row < (int64_t)r->n_rows && f->n < MAX_UNITS; row++) {
        char words[64];
        hd_report_words(r, row, "funnel", words);
        double x = hd_report_number(r, row, "numerator");
        double n = hd_report_number(r, row, "denominator");
        unit u = {.code = hd_report_figure(r, row, "provider").value,
                  .size = n,
                  .value = hd_report_number(r, row, "value"),
                  .status = status_of(words)};
        if (!hd_report_is_month(r, row, v->month) || u.status == INT32_MIN || isnan(x) ||
            !(n > 0) || isnan(u.value))
            continue;
        u.is_own = v->provider && u.code.text.len == strlen(v->provider) &&
                   memcmp(u.code.text.bytes, v->provider, u.code.text.len) == 0;
        if (x > 0)
            f->factor = u.value / (x / n);
        counts[f->n] = (hd_funnel_unit){.numerator = x, .denominator = n};
        f->units[f->n++] = u;
    }
}

static void set_scale(funnel *f)
{
    double most = 0, low = f->target, high = f->target;
    for (size_t i = 0; i < f->n; i++) {
        most = fmax(most, f->units[i].size);
        low = fmin(low, f->units[i].value);
        high = fmax(high, f->units[i].value);
    }
    f->size_step = hd_chart_step(most * 1.05);
    f->size_high = ceil(most * 1.05 / f->size_step) * f->size_step;
    f->low = low;
    f->high = high;
}

/* Around the values and the limits from a quarter of the largest size: those of the smallest would
 * leave no room for anything else. */
static void widen(funnel *f)
{
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < STEPS; i++) {
            if (size_at(f, i) < f->size_high / 4)
                continue;
            f->low = isfinite(f->curves[k][0][i]) ? fmin(f->low, f->curves[k][0][i]) : f->low;
            f->high = isfinite(f->curves[k][1][i]) ? fmax(f->high, f->curves[k][1][i]) : f->high;
        }
    if (f->high - f->low < 1e-9)
        f->low -= fabs(f->low) * 0.1 + 0.01, f->high += fabs(f->high) * 0.1 + 0.01;
    f->low = fmax(f->low, 0);
    f->step = hd_chart_step(f->high - f->low);
    f->low = floor(f->low / f->step) * f->step;
    f->high = ceil(f->high / f->step) * f->step;
}

static bool make_funnel(funnel *f, const hd_report_view *v, const hd_report_item *i)
{
    static hd_funnel_unit counts[MAX_UNITS];
    static hd_funnel_row rows[MAX_UNITS];
    hd_funnel_options o;
    hd_funnel_summary sum;
    hd_err err;
    if (i->def->method == HD_METHOD_MEAN || !hd_indicator_funnel(i->def->method, &o) ||
        strcmp(v->peers, "region") == 0)
        return false;
    *f = (funnel){.n = 0};
    collect(f, counts, v, i);
    if (f->n < 3 || hd_funnel(counts, f->n, &o, rows, &sum, &err) != HD_OK)
        return false;
    f->target = sum.target * f->factor;
    set_scale(f);
    for (size_t k = 0; k < STEPS; k++) {
        hd_limits limits[HD_FUNNEL_LEVELS], adjusted[HD_FUNNEL_LEVELS];
        if (hd_funnel_curve(&o, &sum, size_at(f, k), limits, adjusted, &err) != HD_OK)
            return false;
        for (int level = 0; level < 2; level++) {
            f->curves[level][0][k] = limits[level].lower * f->factor;
            f->curves[level][1][k] = limits[level].upper * f->factor;
        }
    }
    widen(f);
    return true;
}

/* ---- drawing -------------------------------------------------------------------------------- */

static void put_axes(hd_buf *out, const funnel *f, hd_unit scale)
{
    int n = (int)lround((f->high - f->low) / f->step);
    for (int i = 0; i <= n; i++) {
        double v = f->low + i * f->step;
        hd_buf_printf(out,
                      "<path class=\"%s\" d=\"M%d %.2fH%d\"/><text class=\"tick\" "
                      "text-anchor=\"end\" x=\"%d\" y=\"%.2f\">",
                      i ? "grid" : "axis", LEFT, y_of(f, v), WIDTH - RIGHT, LEFT - 6,
                      y_of(f, v) + 4);
        hd_chart_tick(out, scale, v, f->step);
        HD_HTML(out, "</text>");
    }
    for (double s = f->size_step; s <= f->size_high * 1.0001; s += f->size_step)
        hd_buf_printf(out,
                      "<text class=\"tick\" text-anchor=\"middle\" x=\"%.2f\" "
                      "y=\"%d\">%.10g</text>",
                      x_of(f, s), HEIGHT - BOTTOM + 15, s);
    hd_buf_printf(out,
                  "<text class=\"tick\" text-anchor=\"end\" x=\"%d\" y=\"%d\">denominator</text>",
                  WIDTH - RIGHT, HEIGHT - 8);
}

static void put_curves(hd_buf *out, const funnel *f)
{
    static const char *const css[] = {"limit95", "limit998"};
    for (int level = 0; level < 2; level++)
        for (int side = 0; side < 2; side++) {
            hd_buf_printf(out, "<polyline class=\"%s\" points=\"", css[level]);
            for (size_t i = 0; i < STEPS; i++) {
                double v = f->curves[level][side][i];
                if (isfinite(v) && v >= f->low - 1e-12 && v <= f->high + 1e-12)
                    hd_buf_printf(out, "%.2f,%.2f ", x_of(f, size_at(f, i)), y_of(f, v));
            }
            HD_HTML(out, "\"/>");
        }
    hd_buf_printf(out, "<path class=\"centre\" d=\"M%d %.2fH%d\"/>", LEFT, y_of(f, f->target),
                  WIDTH - RIGHT);
}

/* A disc within the limits, a ring beyond 95%, a diamond beyond 99.8%; colours for the side. */
static void put_unit(hd_buf *out, const funnel *f, const unit *u, hd_bad_side bad)
{
    double x = x_of(f, u->size), y = y_of(f, u->value);
    int side = (u->status > 0) - (u->status < 0);
    char own[32];
    snprintf(own, sizeof own, "%s%s",
             side == 0            ? ""
             : bad == HD_BAD_NONE ? " other"
             : side == (int)bad   ? " worse"
                                  : " better",
             u->is_own ? " mine" : "");
    if (u->status == -2 || u->status == 2)
        hd_buf_printf(out, "<path class=\"unit far%s\" d=\"M%.2f %.2fl6 6-6 6-6-6z\"/>", own, x,
                      y - 6);
    else
        hd_buf_printf(out, "<circle class=\"unit %s%s\" r=\"%s\" cx=\"%.2f\" cy=\"%.2f\"/>",
                      u->status ? "off" : "within", own, u->status ? "4.5" : "3.5", x, y);
    if (u->status == 0 && !u->is_own)
        return;
    bool to_left = x > WIDTH - RIGHT - 60;
    hd_buf_printf(out, "<text class=\"label\" text-anchor=\"%s\" x=\"%.2f\" y=\"%.2f\">",
                  to_left ? "end" : "start", to_left ? x - 9 : x + 9, y + 4);
    hd_html_value(out, &u->code);
    HD_HTML(out, "</text>");
}

static void put_keys(hd_buf *out, hd_bad_side bad)
{
    static const char *const keys[][2] = {
        {"within", "within the limits"}, {"off", "beyond 95%"},
        {"far", "beyond 99.8%"},         {"limit95", "95% limits"},
        {"limit998", "99.8% limits"},    {"centre", "all peers together"},
        {"worse", "worse side"},         {"better", "better side"}};
    HD_HTML(out, "<figcaption><ul class=\"keys\">");
    size_t n = sizeof keys / sizeof *keys - (bad == HD_BAD_NONE ? 2 : 0);
    for (size_t i = 0; i < n; i++) {
        hd_buf_printf(out, "<li><span class=\"key %s\" aria-hidden=\"true\"></span>", keys[i][0]);
        hd_html_text(out, keys[i][1]);
        HD_HTML(out, "</li>");
    }
    HD_HTML(out, "</ul></figcaption></figure>\n");
}

void hd_report_put_funnel(hd_buf *out, const hd_report_view *v, const hd_report_item *i)
{
    static funnel f; /* large; a report is made by one thread */
    if (!make_funnel(&f, v, i))
        return;
    size_t outside = 0;
    for (size_t k = 0; k < f.n; k++)
        outside += f.units[k].status != 0;
    HD_HTML(out, "<figure><h4>This month, by size</h4>");
    hd_buf_printf(out,
                  "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%.80s-funnel-title "
                  "%.80s-funnel-desc\"><title id=\"%.80s-funnel-title\">",
                  WIDTH, HEIGHT, i->def->id, i->def->id, i->def->id);
    hd_html_text(out, i->def->title);
    hd_buf_printf(out,
                  "</title><desc id=\"%.80s-funnel-desc\">Funnel: %zu peers by denominator and "
                  "value, %zu of them beyond the 95%% limits. The table of providers below has "
                  "their figures.</desc>",
                  i->def->id, f.n, outside);
    put_axes(out, &f, i->def->unit);
    put_curves(out, &f);
    for (size_t k = 0; k < f.n; k++)
        put_unit(out, &f, &f.units[k], i->def->bad);
    HD_HTML(out, "</svg>\n");
    put_keys(out, i->def->bad);
}
