/* chart.c - see chart.h. The drawing is 640 by 260 units and scales with the page. */
#include "present/chart.h"

#include "present/html.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 640, HEIGHT = 260, LEFT = 52, RIGHT = 64, TOP = 12, BOTTOM = 34, MAX_LABELS = 8 };

typedef struct scale {
    double low, high, step;
    size_t n_months;
} scale;

static double x_of(const scale *s, double month)
{
    double room = WIDTH - LEFT - RIGHT;
    return LEFT + (s->n_months > 1 ? month * room / (double)(s->n_months - 1) : room / 2);
}

static double y_of(const scale *s, double value)
{
    return HEIGHT - BOTTOM - (value - s->low) / (s->high - s->low) * (HEIGHT - TOP - BOTTOM);
}

/* ---- scale ---------------------------------------------------------------------------------- */

static void widen(double *low, double *high, const double *values, size_t n)
{
    for (size_t i = 0; values && i < n; i++)
        if (isfinite(values[i])) {
            *low = fmin(*low, values[i]);
            *high = fmax(*high, values[i]);
        }
}

double hd_chart_step(double range)
{
    double power = pow(10, floor(log10(range / 4)));
    double rest = range / 4 / power;
    return power * (rest >= 5 ? 5 : rest >= 2 ? 2 : 1);
}

static scale make_scale(const hd_chart *c)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < c->n_areas; i++) {
        widen(&low, &high, c->areas[i].low, c->n_months);
        widen(&low, &high, c->areas[i].high, c->n_months);
    }
    for (size_t i = 0; i < c->n_lines; i++) {
        widen(&low, &high, c->lines[i].values, c->n_months);
        widen(&low, &high, c->lines[i].lower, c->n_months);
        widen(&low, &high, c->lines[i].upper, c->n_months);
    }
    widen(&low, &high, &c->target, 1);
    if (!(low <= high))
        low = 0, high = 1;
    if (high - low < 1e-9)
        low -= fabs(low) * 0.1 + 0.01, high += fabs(high) * 0.1 + 0.01;
    low = fmax(low, 0); /* none of the indicators can be negative */
    double step = hd_chart_step(high - low);
    return (scale){floor(low / step) * step, ceil(high / step) * step, step, c->n_months};
}

/* ---- text ----------------------------------------------------------------------------------- */

void hd_chart_value(hd_buf *out, hd_unit unit, double x)
{
    if (unit == HD_UNIT_SHARE)
        hd_buf_printf(out, "%.1f%%", x * 100);
    else if (unit == HD_UNIT_MINUTES)
        hd_buf_printf(out, "%.0f", x);
    else
        hd_buf_printf(out, unit == HD_UNIT_RATIO ? "%.2f" : "%.1f", x);
}

void hd_chart_tick(hd_buf *out, hd_unit unit, double x, double step)
{
    double shown = unit == HD_UNIT_SHARE ? x * 100 : x,
           s = unit == HD_UNIT_SHARE ? step * 100 : step;
    int places = s >= 1 ? 0 : s >= 0.1 ? 1 : s >= 0.01 ? 2 : 3;
    hd_buf_printf(out, "%.*f%s", places, shown, unit == HD_UNIT_SHARE ? "%" : "");
}

void hd_chart_month(hd_buf *out, int month, bool is_short)
{
    static const char *const names[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
    if (is_short)
        hd_buf_printf(out, "%.3s %02d", names[month % 12], month / 12 % 100);
    else
        hd_buf_printf(out, "%s %d", names[month % 12], month / 12);
}

/* ---- drawing -------------------------------------------------------------------------------- */

static void put_point(hd_buf *out, const scale *s, size_t month, double value)
{
    hd_html_coordinate(out, x_of(s, (double)month));
    hd_buf_char(out, ',');
    hd_html_coordinate(out, y_of(s, value));
}

static void put_level(hd_buf *out, const scale *s, double value, const char *css)
{
    hd_buf_printf(out, "<line class=\"%s\" x1=\"%d\" x2=\"%d\" y1=\"", css, LEFT, WIDTH - RIGHT);
    hd_html_coordinate(out, y_of(s, value));
    HD_HTML(out, "\" y2=\"");
    hd_html_coordinate(out, y_of(s, value));
    HD_HTML(out, "\"/>");
}

static void put_axes(hd_buf *out, const hd_chart *c, const scale *s)
{
    int n_steps = (int)lround((s->high - s->low) / s->step);
    for (int i = 0; i <= n_steps; i++) {
        double v = s->low + i * s->step;
        put_level(out, s, v, i ? "grid" : "axis");
        hd_buf_printf(out, "<text class=\"tick\" text-anchor=\"end\" x=\"%d\" y=\"", LEFT - 6);
        hd_html_coordinate(out, y_of(s, v) + 4);
        HD_HTML(out, "\">");
        hd_chart_tick(out, c->unit, v, s->step);
        HD_HTML(out, "</text>");
    }
    size_t every = c->n_months > 36 ? 12 : c->n_months > 13 ? 3 : c->n_months > 7 ? 2 : 1;
    for (size_t m = 0; m < c->n_months; m++) {
        if ((c->n_months - 1 - m) % every != 0) /* the last month always has its name */
            continue;
        HD_HTML(out, "<text class=\"tick\" text-anchor=\"middle\" x=\"");
        hd_html_coordinate(out, x_of(s, (double)m));
        hd_buf_printf(out, "\" y=\"%d\">", HEIGHT - 4);
        hd_chart_month(out, c->first_month + (int)m, true);
        HD_HTML(out, "</text>");
    }
}

static void put_area(hd_buf *out, const hd_chart *c, const scale *s, const hd_chart_area *a)
{
    for (size_t from = 0, to; from < c->n_months; from = to + 1) {
        for (to = from; to < c->n_months && isfinite(a->low[to]) && isfinite(a->high[to]);)
            to++;
        if (to == from)
            continue;
        hd_buf_printf(out, "<polygon class=\"%s\" points=\"", a->css);
        for (size_t m = from; m < to; m++, hd_buf_char(out, ' '))
            put_point(out, s, m, a->high[m]);
        for (size_t m = to; m-- > from; hd_buf_char(out, ' '))
            put_point(out, s, m, a->low[m]);
        HD_HTML(out, "\"/>");
    }
}

static void put_bars(hd_buf *out, const hd_chart *c, const scale *s, const hd_chart_line *l)
{
    for (size_t m = 0; l->lower && l->upper && m < c->n_months; m++) {
        if (!isfinite(l->lower[m]) || !isfinite(l->upper[m]))
            continue;
        HD_HTML(out, "<path class=\"bar\" d=\"M");
        put_point(out, s, m, l->lower[m]);
        HD_HTML(out, "L");
        put_point(out, s, m, l->upper[m]);
        HD_HTML(out, "\"/>");
    }
}

/* A point; special cause is a ring (improving), a diamond (concerning) or a square (neither). */
static void put_marker(hd_buf *out, const scale *s, const hd_chart_line *l, size_t month)
{
    double x = x_of(s, (double)month), y = y_of(s, l->values[month]);
    switch (l->signals ? l->signals[month] : HD_VARIATION_COMMON) {
    case HD_VARIATION_CONCERN:
        hd_buf_printf(out, "<path class=\"%s signal concerning\" d=\"M%.2f %.2fl6 6-6 6-6-6z\"/>",
                      l->css, x, y - 6);
        return;
    case HD_VARIATION_NEUTRAL:
        hd_buf_printf(out, "<path class=\"%s signal neither\" d=\"M%.2f %.2fh9v9h-9z\"/>", l->css,
                      x - 4.5, y - 4.5);
        return;
    case HD_VARIATION_IMPROVEMENT:
    case HD_VARIATION_COMMON:
        break;
    }
    bool is_signal = l->signals && l->signals[month] == HD_VARIATION_IMPROVEMENT;
    hd_buf_printf(out, "<circle class=\"%s %s\" r=\"%s\" cx=\"", l->css,
                  is_signal ? "signal improving" : "point", is_signal ? "4.5" : "2.5");
    hd_html_coordinate(out, x);
    HD_HTML(out, "\" cy=\"");
    hd_html_coordinate(out, y);
    HD_HTML(out, "\"/>");
}

static void put_line(hd_buf *out, const hd_chart *c, const scale *s, const hd_chart_line *l)
{
    bool is_open = false;
    put_bars(out, c, s, l);
    for (size_t m = 0; m < c->n_months; m++) {
        if (!isfinite(l->values[m])) {
            if (is_open)
                HD_HTML(out, "\"/>");
            is_open = false;
            continue;
        }
        if (!is_open)
            hd_buf_printf(out, "<polyline class=\"%s\" points=\"", l->css);
        is_open = true;
        put_point(out, s, m, l->values[m]);
        hd_buf_char(out, ' ');
    }
    if (is_open)
        HD_HTML(out, "\"/>");
    for (size_t m = 0; m < c->n_months; m++) {
        if (isfinite(l->values[m]) && l->has_points) {
            put_marker(out, s, l, m);
        } else if (l->marks && l->marks[m]) {
            hd_buf_printf(out, "<text class=\"mark\" text-anchor=\"middle\" y=\"%d\" x=\"",
                          HEIGHT - BOTTOM - 2);
            hd_html_coordinate(out, x_of(s, (double)m));
            HD_HTML(out, "\">");
            hd_present_html_text(out, &l->marks[m], 1);
            HD_HTML(out, "</text>");
        }
    }
}

/* A line between the last month and what is forecast. */
static void put_divide(hd_buf *out, const hd_chart *c, const scale *s)
{
    if (c->n_ahead == 0 || c->n_ahead >= c->n_months)
        return;
    double x = x_of(s, (double)(c->n_months - c->n_ahead) - 0.5);
    hd_buf_printf(out, "<path class=\"divide\" d=\"M%.2f %dV%d\"/>", x, TOP, HEIGHT - BOTTOM);
    hd_buf_printf(out, "<text class=\"tick\" x=\"%.2f\" y=\"%d\">forecast</text>", x + 4, TOP + 8);
}

typedef struct end_label {
    const hd_chart_line *line;
    double y;
} end_label;

/* Names at the ends of the lines, pushed apart until they can be read. */
static void put_labels(hd_buf *out, const hd_chart *c, const scale *s)
{
    end_label labels[MAX_LABELS];
    size_t n = 0;
    for (size_t i = 0; i < c->n_lines && n < MAX_LABELS; i++) {
        size_t m = c->n_months;
        while (m > 0 && !isfinite(c->lines[i].values[m - 1]))
            m--;
        if (!c->lines[i].label || m == 0)
            continue;
        end_label l = {&c->lines[i], y_of(s, c->lines[i].values[m - 1])};
        size_t at = n++;
        for (; at > 0 && labels[at - 1].y > l.y; at--)
            labels[at] = labels[at - 1];
        labels[at] = l;
    }
    for (size_t i = 1; i < n; i++)
        labels[i].y = fmax(labels[i].y, labels[i - 1].y + 12);
    for (size_t i = 0; i < n; i++) {
        hd_buf_printf(out, "<text class=\"label %s\" x=\"%d\" y=\"", labels[i].line->css,
                      WIDTH - RIGHT + 8);
        hd_html_coordinate(out, labels[i].y + 4);
        HD_HTML(out, "\">");
        hd_html_text(out, labels[i].line->label);
        HD_HTML(out, "</text>");
    }
}

void hd_chart_put(hd_buf *out, const hd_chart *c)
{
    scale s = make_scale(c);
    hd_buf_printf(out,
                  "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%s-title %s-desc\">"
                  "<title id=\"%s-title\">",
                  WIDTH, HEIGHT, c->id, c->id, c->id);
    hd_html_text(out, c->title);
    hd_buf_printf(out, "</title><desc id=\"%s-desc\">", c->id);
    hd_html_text(out, c->description);
    HD_HTML(out, "</desc>");
    for (size_t i = 0; i < c->n_areas; i++)
        put_area(out, c, &s, &c->areas[i]);
    put_axes(out, c, &s);
    if (isfinite(c->target))
        put_level(out, &s, c->target, "target");
    put_divide(out, c, &s);
    for (size_t i = 0; i < c->n_lines; i++)
        put_line(out, c, &s, &c->lines[i]);
    put_labels(out, c, &s);
    HD_HTML(out, "</svg>\n");
}
