/* stat_calendar.h - the calendar regression of `hdis stat forecast`: for stat_forecast.c only. */
#ifndef HD_CLI_STAT_CALENDAR_H
#define HD_CLI_STAT_CALENDAR_H

#include "base/csv.h"
#include "cli/stat.h"
#include "statistics/calendar.h"

typedef struct hd_stat_calendar {
    hd_calendar calendar; /* first_month is set for each series */
    hd_csv file;          /* of the bank holidays */
    int32_t *days;
    int date; /* column */
    bool is_ar1;
} hd_stat_calendar;

typedef struct hd_stat_series {
    const size_t *rows;
    size_t n, horizon;
    const double *y; /* as it is modelled */
    const double *levels;
    unsigned n_levels;
} hd_stat_series;

/* Read --terms, --errors and --holidays. Free also after a failure. */
HD_MUST hd_code hd_stat_calendar_open(hd_stat *s, hd_stat_calendar *c, hd_err *err);
void hd_stat_calendar_free(hd_stat_calendar *c);
/* Fit one series and continue it: n fitted values, horizon means, limits level by level. */
HD_MUST hd_code hd_stat_calendar_run(hd_stat *s, hd_stat_calendar *c, const hd_stat_series *series,
                                     hd_regression *out, double *fitted, double *mean,
                                     hd_limits *limits, hd_err *err);

#endif
