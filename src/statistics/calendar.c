/* calendar.c - see calendar.h. With AR(1) errors and a given rho the series, less rho times the
 * value before (the first one times the root of 1 - rho^2), has independent errors: so one least
 * squares fit serves both kinds, and rho is found by search over its profile likelihood. */
#include "statistics/calendar.h"

#define MATHLIB_STANDALONE 1
#include <Rmath.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/date.h"

const char *const hd_calendar_term_names[HD_CALENDAR_TERMS] = {
    "trend", "month", "length", "weekdays", "working-days", "bank-holidays", "easter"};

static const size_t widths[HD_CALENDAR_TERMS] = {1, 11, 1, 6, 1, 1, 1};

/* ---- the calendar --------------------------------------------------------------------------- */

/* Meeus' form of the Gregorian rule. */
int32_t hd_easter(int year)
{
    int a = year % 19, b = year / 100, c = year % 100;
    int d = b / 4, e = b % 4, f = (b + 8) / 25, g = (b - f + 1) / 3;
    int h = (19 * a + b - d - g + 15) % 30;
    int i = c / 4, k = c % 4, l = (32 + 2 * e + 2 * i - h - k) % 7;
    int m = (a + 11 * h + 22 * l) / 451, n = h + l - 7 * m + 114;
    return hd_date_from_ymd(year, n / 31, n % 31 + 1);
}

bool hd_calendar_needs_holidays(const hd_calendar *c)
{
    return c->has[HD_TERM_WORKING_DAYS] || c->has[HD_TERM_BANK_HOLIDAYS];
}

size_t hd_calendar_columns(const hd_calendar *c)
{
    size_t p = 1;
    for (int t = 0; t < HD_CALENDAR_TERMS; t++)
        p += c->has[t] ? widths[t] : 0;
    return p;
}

const char *hd_calendar_column_name(const hd_calendar *c, size_t column)
{
    static const char *const names[HD_CALENDAR_TERMS][11] = {
        {"trend"},
        {"february", "march", "april", "may", "june", "july", "august", "september", "october",
         "november", "december"},
        {"days"},
        {"mondays", "tuesdays", "wednesdays", "thursdays", "fridays", "saturdays"},
        {"working_days"},
        {"bank_holidays"},
        {"easter"},
    };
    if (column-- == 0)
        return "intercept";
    for (int t = 0; t < HD_CALENDAR_TERMS; t++) {
        if (c->has[t] && column < widths[t])
            return names[t][column];
        column -= c->has[t] ? widths[t] : 0;
    }
    return "";
}

/* Bank holidays from `first` to before `end` that fall on Monday to Friday. */
static double count_holidays(const hd_holidays *h, int32_t first, int32_t end)
{
    double n = 0;
    for (size_t i = 0; i < h->n; i++)
        n += h->days[i] >= first && h->days[i] < end && hd_date_weekday(h->days[i]) < 5;
    return n;
}

void hd_calendar_row(const hd_calendar *c, int month, double *row)
{
    int32_t first = hd_date_month_start(month), end = hd_date_month_start(month + 1);
    int32_t easter = hd_easter(month / 12);
    double weekdays[7] = {0}, working, holidays = 0, days_of_easter = 0;
    for (int32_t d = first; d < end; d++)
        weekdays[hd_date_weekday(d)]++;
    if (hd_calendar_needs_holidays(c))
        holidays = count_holidays(&c->holidays, first, end);
    working = weekdays[0] + weekdays[1] + weekdays[2] + weekdays[3] + weekdays[4] - holidays;
    for (int32_t d = easter - 2; d <= easter + 1; d++)
        days_of_easter += d >= first && d < end;
    const double single[HD_CALENDAR_TERMS] = {[HD_TERM_TREND] = month - c->first_month,
                                              [HD_TERM_LENGTH] = end - first,
                                              [HD_TERM_WORKING_DAYS] = working,
                                              [HD_TERM_BANK_HOLIDAYS] = holidays,
                                              [HD_TERM_EASTER] = days_of_easter};
    *row++ = 1;
    for (int t = 0; t < HD_CALENDAR_TERMS; t++) {
        if (!c->has[t])
            continue;
        for (size_t k = 0; k < widths[t]; k++)
            *row++ = t == HD_TERM_MONTH      ? month % 12 == (int)k + 1
                     : t == HD_TERM_WEEKDAYS ? weekdays[k] - weekdays[6]
                                             : single[t];
    }
}

/* ---- least squares -------------------------------------------------------------------------- */

typedef struct problem {
    const double *x, *y;
    size_t n, p;
    double *qr, *rhs, *tau; /* n * p by columns, n, p */
    double squares;         /* of the residuals */
    double estimate[HD_CALENDAR_COLUMNS_MAX];
} problem;

static void transform(problem *q, double rho)
{
    double first = sqrt(1 - rho * rho);
    for (size_t i = 0; i < q->n; i++) {
        q->rhs[i] = i ? q->y[i] - rho * q->y[i - 1] : first * q->y[0];
        for (size_t j = 0; j < q->p; j++) {
            double now = q->x[i * q->p + j];
            q->qr[j * q->n + i] = i ? now - rho * q->x[(i - 1) * q->p + j] : first * now;
        }
    }
}

/* Least squares of the transformed series by Householder reflections. *aliased is the first column
 * that lies in the span of those before it, or p. */
static hd_code solve(problem *q, double rho, size_t *aliased, hd_err *err)
{
    lapack_int n = (lapack_int)q->n, p = (lapack_int)q->p;
    double norms[HD_CALENDAR_COLUMNS_MAX];
    *aliased = q->p;
    transform(q, rho);
    for (size_t j = 0; j < q->p; j++) {
        norms[j] = 0;
        for (size_t i = 0; i < q->n; i++)
            norms[j] += q->qr[j * q->n + i] * q->qr[j * q->n + i];
    }
    if (LAPACKE_dgeqrf(LAPACK_COL_MAJOR, n, p, q->qr, n, q->tau) != 0 ||
        LAPACKE_dormqr(LAPACK_COL_MAJOR, 'L', 'T', n, 1, p, q->qr, n, q->tau, q->rhs, n) != 0)
        return hd_fail_nomem(err);
    for (size_t j = 0; j < q->p; j++)
        if (fabs(q->qr[j * q->n + j]) <= 1e-9 * sqrt(norms[j])) {
            *aliased = j;
            return hd_fail(err, HD_INVALID, "a term is determined by the others");
        }
    memcpy(q->estimate, q->rhs, q->p * sizeof *q->estimate);
    for (size_t j = q->p; j-- > 0;) {
        for (size_t k = j + 1; k < q->p; k++)
            q->estimate[j] -= q->qr[k * q->n + j] * q->estimate[k];
        q->estimate[j] /= q->qr[j * q->n + j];
    }
    q->squares = 0;
    for (size_t i = q->p; i < q->n; i++)
        q->squares += q->rhs[i] * q->rhs[i];
    return HD_OK;
}

static double likelihood(const problem *q, double rho)
{
    double n = (double)q->n;
    return -n / 2 * (log(2 * M_PI) + log(q->squares / n) + 1) + log1p(-rho * rho) / 2;
}

/* A grid first, because the likelihood may have two tops; then the golden section around its best.
 */
static hd_code find_rho(problem *q, double *rho, hd_err *err)
{
    enum { GRID = 80, STEPS = 80 };
    const double golden = (sqrt(5) - 1) / 2, most = 0.9999;
    double best = -INFINITY;
    size_t aliased;
    int at = 0;
    for (int i = 0; i <= GRID; i++) {
        HD_TRY(solve(q, most * (2.0 * i / GRID - 1), &aliased, err));
        double l = likelihood(q, most * (2.0 * i / GRID - 1));
        if (l > best)
            best = l, at = i;
    }
    double low = most * (2.0 * (at > 0 ? at - 1 : 0) / GRID - 1);
    double high = most * (2.0 * (at < GRID ? at + 1 : GRID) / GRID - 1);
    for (int i = 0; i < STEPS && high - low > 1e-12; i++) {
        double a = high - golden * (high - low), b = low + golden * (high - low);
        HD_TRY(solve(q, a, &aliased, err));
        double left = likelihood(q, a);
        HD_TRY(solve(q, b, &aliased, err));
        if (left > likelihood(q, b))
            high = b;
        else
            low = a;
    }
    *rho = (low + high) / 2;
    return HD_OK;
}

/* sigma2 times the inverse of R'R. */
static void set_covariance(const problem *q, hd_regression *out)
{
    double inverse[HD_CALENDAR_COLUMNS_MAX][HD_CALENDAR_COLUMNS_MAX] = {{0}}; /* of R, upper */
    for (size_t k = 0; k < q->p; k++)
        for (size_t j = k + 1; j-- > 0;) {
            double v = j == k;
            for (size_t i = j + 1; i <= k; i++)
                v -= q->qr[i * q->n + j] * inverse[i][k];
            inverse[j][k] = v / q->qr[j * q->n + j];
        }
    for (size_t a = 0; a < q->p; a++)
        for (size_t b = 0; b < q->p; b++) {
            double sum = 0;
            for (size_t k = a > b ? a : b; k < q->p; k++)
                sum += inverse[a][k] * inverse[b][k];
            out->covariance[a * q->p + b] = out->sigma2 * sum;
        }
    for (size_t j = 0; j < q->p; j++)
        out->se[j] = sqrt(out->covariance[j * q->p + j]);
}

static void finish(const problem *q, bool is_ar1, hd_regression *out, double *fitted)
{
    double n = (double)q->n, k = (double)q->p + 1 + is_ar1, before = 0;
    memcpy(out->estimate, q->estimate, q->p * sizeof *q->estimate);
    out->sigma2 = q->squares / (n - (double)q->p);
    set_covariance(q, out);
    out->log_likelihood = likelihood(q, out->rho);
    out->aic = -2 * out->log_likelihood + 2 * k;
    out->aicc = out->aic + 2 * k * (k + 1) / fmax(n - k - 1, 1e-9);
    out->bic = -2 * out->log_likelihood + k * log(n);
    for (size_t i = 0; i < q->n; i++) {
        double mean = 0;
        for (size_t j = 0; j < q->p; j++)
            mean += out->estimate[j] * q->x[i * q->p + j];
        fitted[i] = mean + out->rho * before;
        before = q->y[i] - mean;
    }
}

hd_code hd_regression_fit(const double *x, const double *y, size_t n, size_t p, bool is_ar1,
                          hd_regression *out, double *fitted, size_t *aliased, hd_err *err)
{
    hd_code rc = HD_OK;
    *aliased = p;
    *out = (hd_regression){.n = n, .p = p};
    HD_ALWAYS(p > 0 && p <= HD_CALENDAR_COLUMNS_MAX);
    if (n < p + 2)
        return hd_fail(err, HD_INVALID, "%zu values are too few for %zu coefficients", n, p);
    problem q = {.x = x, .y = y, .n = n, .p = p};
    q.qr = hd_calloc(n * p, sizeof *q.qr);
    q.rhs = hd_calloc(n, sizeof *q.rhs);
    q.tau = hd_calloc(p, sizeof *q.tau);
    if (!q.qr || !q.rhs || !q.tau)
        HD_GO(hd_fail_nomem(err));
    HD_GO(solve(&q, 0, aliased, err));
    double total = 0;
    for (size_t i = 0; i < n; i++)
        total += y[i] * y[i];
    if (is_ar1) {
        if (!(q.squares > 1e-24 * total))
            HD_GO(hd_fail(err, HD_INVALID, "the terms explain every value: no error is left"));
        HD_GO(find_rho(&q, &out->rho, err));
        HD_GO(solve(&q, out->rho, aliased, err));
    }
    finish(&q, is_ar1, out, fitted);
out:
    hd_free(q.qr);
    hd_free(q.rhs);
    hd_free(q.tau);
    return rc;
}

/* The row of a forecast, less rho^h times the last row of the data, carries what the coefficients
 * do not know; the errors to come carry the rest. */
hd_code hd_regression_forecast(const hd_regression *r, const double *x, const double *last,
                               size_t h, double error, const double *levels, unsigned n_levels,
                               double *mean, hd_limits *limits, hd_err *err)
{
    double power = pow(r->rho, (double)h), own = 0, unknown = 0;
    *mean = power * error;
    for (size_t j = 0; j < r->p; j++)
        *mean += r->estimate[j] * x[j];
    for (size_t i = 0; i < h; i++)
        own += pow(r->rho, 2.0 * (double)i);
    for (size_t a = 0; a < r->p; a++)
        for (size_t b = 0; b < r->p; b++)
            unknown +=
                (x[a] - power * last[a]) * (x[b] - power * last[b]) * r->covariance[a * r->p + b];
    double se = sqrt(r->sigma2 * own + unknown);
    for (unsigned k = 0; k < n_levels; k++) {
        if (!(levels[k] > 0 && levels[k] < 1))
            return hd_fail(err, HD_INVALID, "a level lies between 0 and 1");
        double t = qt((1 + levels[k]) / 2, (double)(r->n - r->p), 1, 0);
        limits[k] = (hd_limits){*mean - t * se, *mean + t * se};
    }
    return HD_OK;
}

double hd_t_two_sided(double t, double freedom)
{
    return 2 * pt(-fabs(t), freedom, 1, 0);
}
