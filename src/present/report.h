/* report.h - a report of indicators by provider and month as one HTML page.
 *
 * One file: styles inside, charts as inline SVG, no script, nothing fetched. Everything shown comes
 * from releases, so the page can show no more than a table would.
 */
#ifndef HD_PRESENT_REPORT_H
#define HD_PRESENT_REPORT_H

#include "base/buf.h"
#include "catalogue/report_file.h"
#include "indicators/indicator.h"

typedef struct hd_report_item {
    const hd_indicator_file *def;
    const hd_release *rows;  /* by provider, month; all months of the series */
    const hd_release *bands; /* by month */
    const hd_release *ahead; /* forecast of what the chart over time follows; NULL: none */
    const char *withheld;    /* why it is not shown at all (rows and bands are empty); or NULL */
} hd_report_item;

typedef struct hd_report_view {
    const hd_report_file *report;
    const hd_report_item *items; /* in the order of the report's sections */
    size_t n_items;
    int month;             /* of the report, year * 12 + month - 1 */
    size_t n_months;       /* of the series that end with it */
    const char *provider;  /* code of the provider that the charts follow; NULL: the flagged ones */
    const char *peers;     /* as asked for */
    bool is_synthetic;     /* the data are invented: said on top of the page */
    const char *asset_tag; /* "" without true counts */
} hd_report_view;

/* HD_NOTFOUND: no indicator has a figure in the month, or the provider is in none of them. */
HD_MUST hd_code hd_report_check(const hd_report_view *v, hd_err *err);
void hd_report_put(hd_buf *out, const hd_report_view *v);

#endif
