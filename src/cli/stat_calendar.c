/* stat_calendar.c - see stat_calendar.h. A series is one row a month, in order and without gaps;
 * the day of the date does not matter. */
#include "cli/stat_calendar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/date.h"
#include "catalogue/catalogue.h"

/* ---- settings ------------------------------------------------------------------------------- */

static hd_code read_terms(const char *text, hd_calendar *c, hd_err *err)
{
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, ","), t = 0;
        while (t < HD_CALENDAR_TERMS && (strlen(hd_calendar_term_names[t]) != len ||
                                         memcmp(hd_calendar_term_names[t], at, len) != 0))
            t++;
        if (t == HD_CALENDAR_TERMS)
            return hd_fail(err, HD_INVALID,
                           "--terms are trend, month, length, weekdays, working-days, "
                           "bank-holidays, easter, joined by commas");
        c->has[t] = true;
        at += len + (at[len] == ',');
    }
    return HD_OK;
}

static int compare_days(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static hd_code read_holidays(hd_stat *s, hd_stat_calendar *c, hd_err *err)
{
    char own[4096];
    const char *path = hd_stat_text(s, "holidays");
    if (!path) {
        snprintf(own, sizeof own, "%s/calendar/bank_holidays_england.csv",
                 hd_catalogue_default_folder());
        path = own;
    }
    HD_TRY(hd_csv_read_file(&c->file, path, 1 << 24, err));
    int column = hd_csv_column(&c->file, "date");
    size_t n = c->file.n_rows;
    if (column < 0 || n == 0)
        return hd_fail(err, HD_INVALID, "%s: a column date and at least one row are needed", path);
    c->days = hd_calloc(n, sizeof *c->days);
    if (!c->days)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const char *text = hd_csv_cell(&c->file, i, column);
        c->days[i] = hd_date_parse(text, strlen(text));
        if (c->days[i] == HD_DATE_NONE)
            return hd_fail(err, HD_INVALID, "%s: line %zu has no date", path, c->file.lines[i]);
    }
    qsort(c->days, n, sizeof *c->days, compare_days);
    for (size_t i = 1; i < n; i++)
        if (c->days[i] == c->days[i - 1])
            return hd_fail(err, HD_INVALID, "%s: a date stands twice", path);
    c->calendar.holidays = (hd_holidays){.days = c->days,
                                         .n = n,
                                         .first_year = hd_date_month_index(c->days[0]) / 12,
                                         .last_year = hd_date_month_index(c->days[n - 1]) / 12};
    return HD_OK;
}

hd_code hd_stat_calendar_open(hd_stat *s, hd_stat_calendar *c, hd_err *err)
{
    static const char *const kinds[] = {"independent", "ar1", NULL};
    const char *terms = hd_stat_text(s, "terms");
    int kind;
    HD_TRY(read_terms(terms ? terms : "trend,month,working-days,easter", &c->calendar, err));
    HD_TRY(hd_stat_choice(s, "errors", kinds, 0, &kind, err));
    c->is_ar1 = kind == 1;
    c->date = hd_stat_column_of(s, "date");
    if (c->date < 0)
        return hd_fail(err, HD_INVALID, "--model calendar needs a column date");
    return hd_calendar_needs_holidays(&c->calendar) ? read_holidays(s, c, err) : HD_OK;
}

void hd_stat_calendar_free(hd_stat_calendar *c)
{
    hd_csv_free(&c->file);
    hd_free(c->days);
}

/* ---- one series ----------------------------------------------------------------------------- */

static hd_code check_months(hd_stat *s, hd_stat_calendar *c, const hd_stat_series *series,
                            hd_err *err)
{
    int first = 0;
    for (size_t i = 0; i < series->n; i++) {
        int32_t date;
        HD_TRY(hd_stat_date(s, series->rows[i], c->date, &date, err));
        if (date == HD_DATE_NONE)
            return hd_stat_refuse(s, series->rows[i], c->date, err, "a date is needed");
        int month = hd_date_month_index(date);
        first = i ? first : month;
        if (month != first + (int)i)
            return hd_stat_refuse(s, series->rows[i], c->date, err,
                                  "each row must be the month after the one before");
    }
    c->calendar.first_month = first;
    const hd_holidays *h = &c->calendar.holidays;
    int last = first + (int)(series->n + series->horizon) - 1;
    if (hd_calendar_needs_holidays(&c->calendar) &&
        (first / 12 < h->first_year || last / 12 > h->last_year))
        return hd_fail(err, HD_INVALID,
                       "bank holidays are known for %d to %d: give others with --holidays FILE",
                       h->first_year, h->last_year);
    return HD_OK;
}

static hd_code fit(const hd_stat_calendar *c, const hd_stat_series *series, double *x,
                   hd_regression *out, double *fitted, hd_err *err)
{
    size_t p = hd_calendar_columns(&c->calendar), aliased;
    for (size_t i = 0; i < series->n; i++)
        hd_calendar_row(&c->calendar, c->calendar.first_month + (int)i, x + i * p);
    hd_code rc =
        hd_regression_fit(x, series->y, series->n, p, c->is_ar1, out, fitted, &aliased, err);
    if (rc == HD_INVALID && aliased < p)
        return hd_fail(err, HD_INVALID,
                       "the terms before it determine %s: leave one out of --terms",
                       hd_calendar_column_name(&c->calendar, aliased));
    return rc;
}

hd_code hd_stat_calendar_run(hd_stat *s, hd_stat_calendar *c, const hd_stat_series *series,
                             hd_regression *out, double *fitted, double *mean, hd_limits *limits,
                             hd_err *err)
{
    hd_code rc = HD_OK;
    size_t p = hd_calendar_columns(&c->calendar), n = series->n;
    double *x = hd_calloc((n + 1) * p, sizeof *x), row[HD_CALENDAR_COLUMNS_MAX], error;
    if (!x)
        return hd_fail_nomem(err);
    HD_GO(check_months(s, c, series, err));
    HD_GO(fit(c, series, x, out, fitted, err));
    const double *last = x + (n - 1) * p;
    error = series->y[n - 1];
    for (size_t j = 0; j < p; j++)
        error -= out->estimate[j] * last[j];
    for (size_t h = 1; h <= series->horizon; h++) {
        hd_limits l[HD_STAT_LEVELS];
        hd_calendar_row(&c->calendar, c->calendar.first_month + (int)(n + h) - 1, row);
        HD_GO(hd_regression_forecast(out, row, last, h, error, series->levels, series->n_levels,
                                     &mean[h - 1], l, err));
        for (unsigned k = 0; k < series->n_levels; k++)
            limits[k * series->horizon + h - 1] = l[k];
    }
out:
    hd_free(x);
    return rc;
}
