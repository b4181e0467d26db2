/* calendar.h - regression of a monthly series on what the calendar does to it: trend, month of the
 * year, length, weekdays, working days, bank holidays, Easter; errors independent or AR(1).
 *
 * Least squares for independent errors, with the t intervals of a new observation; for AR(1) errors
 * exact Gaussian maximum likelihood over rho, everything else by generalised least squares
 * (doc/methods.md).
 */
#ifndef HD_STATISTICS_CALENDAR_H
#define HD_STATISTICS_CALENDAR_H

#include "statistics/interval.h"

typedef enum hd_calendar_term {
    HD_TERM_TREND,         /* months since the first */
    HD_TERM_MONTH,         /* 11 columns, January is the reference */
    HD_TERM_LENGTH,        /* days of the month */
    HD_TERM_WEEKDAYS,      /* 6 columns: Mondays minus Sundays, ..., Saturdays minus Sundays */
    HD_TERM_WORKING_DAYS,  /* Mondays to Fridays that are no bank holiday */
    HD_TERM_BANK_HOLIDAYS, /* on Mondays to Fridays */
    HD_TERM_EASTER,        /* days from Good Friday to Easter Monday */
    HD_CALENDAR_TERMS
} hd_calendar_term;

enum { HD_CALENDAR_COLUMNS_MAX = 32 };

extern const char *const hd_calendar_term_names[HD_CALENDAR_TERMS];

/* Easter Sunday, Gregorian. */
int32_t hd_easter(int year);

/* Bank holidays in order, and the years that they are known for. */
typedef struct hd_holidays {
    const int32_t *days;
    size_t n;
    int first_year, last_year;
} hd_holidays;

typedef struct hd_calendar {
    bool has[HD_CALENDAR_TERMS];
    int first_month;      /* where the trend is 0: year * 12 + month - 1 */
    hd_holidays holidays; /* read by the terms that need them only */
} hd_calendar;

bool hd_calendar_needs_holidays(const hd_calendar *c);
/* Number of columns, the intercept first. */
size_t hd_calendar_columns(const hd_calendar *c);
/* intercept, trend, february, ..., days, mondays, ..., working_days, bank_holidays, easter */
const char *hd_calendar_column_name(const hd_calendar *c, size_t column);
void hd_calendar_row(const hd_calendar *c, int month, double *row);

typedef struct hd_regression {
    size_t n, p;
    double estimate[HD_CALENDAR_COLUMNS_MAX], se[HD_CALENDAR_COLUMNS_MAX];
    double covariance[HD_CALENDAR_COLUMNS_MAX * HD_CALENDAR_COLUMNS_MAX]; /* p * p */
    double rho;    /* 0 for independent errors */
    double sigma2; /* of the innovations: their sum of squares over n - p */
    double log_likelihood, aic, aicc, bic;
} hd_regression;

/* x: n rows of p values. fitted: n one-step values (with AR(1) errors they know the error before).
 * HD_INVALID: fewer values than coefficients and one; *aliased is then p, or the column that the
 * ones before it determine. */
HD_MUST hd_code hd_regression_fit(const double *x, const double *y, size_t n, size_t p, bool is_ar1,
                                  hd_regression *out, double *fitted, size_t *aliased, hd_err *err);

/* The value h >= 1 months after the last. x: its row; last, error: row and error of the last value.
 * limits: one a level, Student's t with n - p degrees of freedom, for a new value. */
HD_MUST hd_code hd_regression_forecast(const hd_regression *r, const double *x, const double *last,
                                       size_t h, double error, const double *levels,
                                       unsigned n_levels, double *mean, hd_limits *limits,
                                       hd_err *err);

/* Two-sided p value of Student's t. */
double hd_t_two_sided(double t, double freedom);

#endif
