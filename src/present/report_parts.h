/* report_parts.h - shared by the files of the report page; nobody else includes it. */
#ifndef HD_PRESENT_REPORT_PARTS_H
#define HD_PRESENT_REPORT_PARTS_H

#include "present/chart.h"
#include "present/html.h"
#include "present/report.h"

enum {
    HD_REPORT_MAX_MONTHS = 120,
    HD_REPORT_MAX_AHEAD = HD_FORECAST_MOST,
    HD_REPORT_FOLLOWED = 3,
    HD_REPORT_MAX_UNITS = 2000
};

/* The row of a provider in a month, or -1. */
int64_t hd_report_row(const hd_report_item *i, const hd_value *provider, int month);
/* A figure of a row by column name; NULL when there is no such column. */
hd_figure hd_report_figure(const hd_release *r, int64_t row, const char *column);
int hd_report_month(const hd_release *r, int64_t row);
bool hd_report_is_month(const hd_release *r, int64_t row, int month);
/* A figure as a number; NAN when withheld, NULL or not there. */
double hd_report_number(const hd_release *r, int64_t row, const char *column);

typedef struct hd_report_unit {
    hd_value code, name;
} hd_report_unit;
/* Providers with a row in the month of the report, by code. Returns their number. */
size_t hd_report_units(const hd_report_view *v, hd_report_unit units[HD_REPORT_MAX_UNITS]);

void hd_report_put_indicator(hd_buf *out, const hd_report_view *v, const hd_report_item *i);
/* The peers of the month against the limits of their funnel; nothing where there is none. */
void hd_report_put_funnel(hd_buf *out, const hd_report_view *v, const hd_report_item *i);
void hd_report_put_charts(hd_buf *out, const hd_report_view *v, const hd_report_item *i);
/* A text figure as a string: "" for NULL, withheld, not there, or longer than the room. */
void hd_report_words(const hd_release *r, int64_t row, const char *column, char out[64]);
/* Icon, words and note of a row's signal; big: as an image of its own under `id`. */
void hd_report_put_signal(hd_buf *out, const hd_release *r, int64_t row, const char *id);
/* A value as people read it: its mark when withheld, "-" when there is none. */
void hd_report_put_value(hd_buf *out, hd_unit unit, hd_figure f);

extern const char hd_report_style[];

#endif
