/* chart.h - charts over months as inline SVG: areas, lines with gaps, error bars, one target, and
 * the icons of Making Data Count in drawings of our own.
 *
 * A chart draws what a release shows and nothing else: a withheld figure is a gap with its mark on
 * the axis. Colours come from classes that the page's style sheet defines (chart_style).
 */
#ifndef HD_PRESENT_CHART_H
#define HD_PRESENT_CHART_H

#include "base/buf.h"
#include "catalogue/indicator_file.h"
#include "statistics/xmr.h"

typedef struct hd_chart_area {
    const char *css;
    const double *low, *high; /* a value a month; NAN: nothing there */
} hd_chart_area;

typedef struct hd_chart_line {
    const char *css;
    const char *label;           /* at the end of the line; NULL: none */
    const double *values;        /* NAN: gap */
    const char *marks;           /* 0, or the mark of a withheld figure; NULL: none withheld */
    const double *lower, *upper; /* error bars; NULL: none */
    const hd_variation *signals; /* larger points in a shape of their own; NULL: none */
    bool has_points;
} hd_chart_line;

typedef struct hd_chart {
    const char *id;    /* unique in the page; letters, digits, - and _ */
    const char *title; /* what a screen reader says first */
    const char *description;
    int first_month; /* year * 12 + month - 1 */
    size_t n_months;
    hd_unit unit;
    const hd_chart_area *areas;
    size_t n_areas;
    const hd_chart_line *lines;
    size_t n_lines;
    double target;  /* NAN: none */
    size_t n_ahead; /* the last so many months are a forecast */
} hd_chart;

void hd_chart_put(hd_buf *out, const hd_chart *c);

/* Icons by their words (hd_signal_variation_text, hd_signal_assurance_text): a shape and a sign
 * each, so that none is told by its colour alone. The symbols go into a page once, before the
 * icons. hd_icon_put: an image with title and description. hd_icon_put_small: of the height of the
 * text; either alone (named for screen readers) or beside its words (hidden from them). Nothing for
 * words without an icon. */
void hd_icon_put_symbols(hd_buf *out);
void hd_icon_put(hd_buf *out, const char *id, const char *words);
void hd_icon_put_small(hd_buf *out, const char *words, bool is_alone);
bool hd_icon_exists(const char *words);

/* 1, 2 or 5 times a power of ten, so that a range has four to eight steps; and a value at a step. */
double hd_chart_step(double range);
void hd_chart_tick(hd_buf *out, hd_unit unit, double x, double step);
/* A value as people read it: 12.4%, 147 (minutes), 3.2 (days), 1.25 (ratio). */
void hd_chart_value(hd_buf *out, hd_unit unit, double x);
/* "October 2015", or "Oct 15". */
void hd_chart_month(hd_buf *out, int month, bool is_short);

#endif
