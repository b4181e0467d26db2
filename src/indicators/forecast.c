/* forecast.c - how an indicator goes on, from its released months alone.
 *
 * A series is continued from its last complete month, and rests on the months back to its last gap.
 * From 29 of them the exponential smoothing of least corrected AIC continues it; from 24 (or where
 * no such model fits) the same month of the year before does; with fewer, or where the last month
 * is withheld, there is no forecast and a note says why. Limits are kept where values can be:
 * shares within 0 and 1, everything else at 0 and above.
 */
#include "base/alloc.h"
#include "base/date.h"
#include "base/par.h"
#include "indicators/work.h"
#include "statistics/ets.h"

#include <stdio.h>
#include <string.h>

enum { LEVELS = 2, SEASON = 12 };
static const double levels[LEVELS] = {0.80, 0.95};

typedef struct job {
    const hd_series_set *set;
    const hd_series *series;
    size_t horizon, from, to; /* months [from, to) of the series are what it rests on */
    char model[24], note[64];
    double mean[HD_FORECAST_MOST];
    hd_limits limits[LEVELS * HD_FORECAST_MOST]; /* level by level */
} job;

typedef struct work {
    job *jobs;
    size_t n;
} work;

static void find_history(job *j)
{
    static const char *const texts[] = {[HD_MONTH_MISSING] = "none: no figure in the last month",
                                        [HD_MONTH_WITHHELD] = "none: the last month is withheld"};
    const unsigned char *states = j->series->states;
    j->to = j->set->months;
    while (j->to > 0 && states[j->to - 1] == HD_MONTH_INCOMPLETE)
        j->to--;
    j->from = j->to;
    while (j->from > 0 && states[j->from - 1] == HD_MONTH_KNOWN)
        j->from--;
    size_t n = j->to - j->from;
    if (j->to == 0)
        snprintf(j->note, sizeof j->note, "none: no month is complete");
    else if (n == 0)
        snprintf(j->note, sizeof j->note, "%s", texts[states[j->to - 1]]);
    else if (n < HD_FORECAST_LEAST)
        snprintf(j->note, sizeof j->note, "none: %d unbroken months are needed, found %zu",
                 HD_FORECAST_LEAST, n);
}

/* The same month of the year before; errors grow with the number of whole years ahead. */
static hd_code seasonal_naive(job *j, const double *y, size_t n, hd_err *err)
{
    double squares = 0;
    for (size_t i = SEASON; i < n; i++)
        squares += (y[i] - y[i - SEASON]) * (y[i] - y[i - SEASON]);
    double sd = sqrt(squares / (double)(n - SEASON));
    snprintf(j->model, sizeof j->model, "seasonal naive");
    for (unsigned k = 0; k < LEVELS; k++) {
        double z;
        HD_TRY(hd_z(levels[k], &z, err));
        for (size_t h = 0; h < j->horizon; h++) {
            double half = z * sd * sqrt((double)(h / SEASON + 1));
            j->mean[h] = y[n - SEASON + h % SEASON];
            j->limits[k * j->horizon + h] = (hd_limits){j->mean[h] - half, j->mean[h] + half};
        }
    }
    return HD_OK;
}

static void keep_within(job *j)
{
    double most = j->set->def->unit == HD_UNIT_SHARE ? 1 : INFINITY;
    for (size_t h = 0; h < j->horizon; h++)
        j->mean[h] = fmin(fmax(j->mean[h], 0), most);
    for (size_t i = 0; i < LEVELS * j->horizon; i++) {
        j->limits[i].lower = fmin(fmax(j->limits[i].lower, 0), most);
        j->limits[i].upper = fmin(fmax(j->limits[i].upper, 0), most);
    }
}

static hd_code run_job(void *context, size_t number, hd_err *err)
{
    job *j = &((work *)context)->jobs[number];
    find_history(j);
    if (j->note[0])
        return HD_OK;
    const double *y = j->series->values + j->from;
    size_t n = j->to - j->from;
    hd_code rc = HD_INVALID;
    if (n >= 2 * SEASON + 5) {
        hd_ets_fit fit;
        rc = hd_ets_choose(y, n, SEASON, &fit, err);
        if (rc == HD_OK) {
            hd_ets_name(&fit.model, j->model);
            rc = hd_ets_forecast(&fit, j->horizon, levels, LEVELS, 1, false, j->mean, j->limits,
                                 err);
        }
    }
    if (rc == HD_INVALID)
        rc = seasonal_naive(j, y, n, err);
    if (rc == HD_OK)
        keep_within(j);
    return rc;
}

/* ---- which series --------------------------------------------------------------------------- */

static bool is_wanted(const hd_series_set *set, size_t i, const hd_forecast_request *r)
{
    const hd_series *s = &set->series[i];
    if (r->of == HD_FORECAST_NATIONAL || !s->has_keys)
        return r->of == HD_FORECAST_NATIONAL && !s->has_keys;
    if (r->of == HD_FORECAST_UNITS || set->unit < 0)
        return true;
    const hd_figure *unit = &s->keys[set->unit];
    return !unit->mark && !unit->value.is_null && unit->value.type == HD_TEXT &&
           unit->value.text.len == strlen(r->unit) &&
           memcmp(unit->value.text.bytes, r->unit, unit->value.text.len) == 0;
}

static hd_code find_jobs(work *w, const hd_indicator_result *results, size_t n,
                         const hd_forecast_request *r, hd_err *err)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++)
        most += results[i].series ? results[i].series->n : 0;
    w->jobs = hd_calloc(most + 1, sizeof *w->jobs);
    if (!w->jobs)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const hd_series_set *set = results[i].series;
        for (size_t k = 0; set && k < set->n; k++)
            if (is_wanted(set, k, r))
                w->jobs[w->n++] =
                    (job){.set = set, .series = &set->series[k], .horizon = r->horizon};
    }
    return HD_OK;
}

/* ---- releases ------------------------------------------------------------------------------- */

/* The columns of the keys are those of the rows: indicator, keys, name. */
static size_t count_keys(const hd_release *rows)
{
    size_t n = 0;
    while (n < rows->n_columns && rows->columns[n].is_key)
        n++;
    return n;
}

static hd_code add_columns(hd_release_builder *b, const hd_release *rows, hd_err *err)
{
    static const struct {
        const char *name;
        hd_type type;
    } columns[] = {
        {"months_ahead", HD_INTEGER}, {"value", HD_DECIMAL},   {"lower80", HD_DECIMAL},
        {"upper80", HD_DECIMAL},      {"lower95", HD_DECIMAL}, {"upper95", HD_DECIMAL},
        {"model", HD_TEXT},           {"history", HD_INTEGER}, {"note", HD_TEXT},
    };
    for (size_t c = 0; c < count_keys(rows); c++)
        HD_TRY(
            hd_release_builder_column(b, rows->columns[c].name, rows->columns[c].type, true, err));
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
        HD_TRY(hd_release_builder_column(b, columns[c].name, columns[c].type, false, err));
    return HD_OK;
}

/* Keys of a row h months after the last; of the nation only the month is there. */
static hd_code put_keys(hd_release_builder *b, const job *j, const hd_release *rows, size_t h,
                        hd_err *err)
{
    const hd_series_set *set = j->set;
    const hd_figure *keys = j->series->has_keys ? j->series->keys : NULL;
    char code[64];
    size_t n_by = count_keys(rows) - 1 - (set->is_provider ? 1 : 0);
    HD_TRY(hd_put_text(b, set->def->id, err));
    for (size_t i = 0; i < n_by; i++) {
        hd_figure f = {.value = {.type = rows->columns[1 + i].type, .is_null = true}};
        if ((int)i == set->month) {
            f.value.is_null = false;
            f.value.integer = hd_date_month_start(set->first + (int)(j->to + h) - 1);
        } else if (keys) {
            f = keys[i];
        }
        HD_TRY(hd_release_builder_put(b, &f, err));
    }
    if (!set->is_provider)
        return HD_OK;
    return hd_put_text(
        b, keys ? hd_look_up(set->catalogue, "provider_name_of", &keys[set->unit], code) : NULL,
        err);
}

static hd_code put_job(hd_release_builder *b, const job *j, const hd_release *rows, hd_err *err)
{
    bool is_there = !j->note[0];
    for (size_t h = 1; h <= (is_there ? j->horizon : 1); h++) {
        double numbers[1 + 2 * LEVELS] = {is_there ? j->mean[h - 1] : NAN};
        for (unsigned k = 0; k < LEVELS; k++) {
            const hd_limits *l = &j->limits[k * j->horizon + h - 1];
            numbers[1 + 2 * k] = is_there ? l->lower : NAN;
            numbers[2 + 2 * k] = is_there ? l->upper : NAN;
        }
        HD_TRY(put_keys(b, j, rows, h, err));
        HD_TRY(hd_put_integer(b, true, (int64_t)h, err));
        for (size_t i = 0; i < 1 + 2 * LEVELS; i++)
            HD_TRY(hd_put_number(b, (hd_number){numbers[i], 0}, err));
        HD_TRY(hd_put_words(b, j->model, err));
        HD_TRY(hd_put_integer(b, true, (int64_t)(j->to - j->from), err));
        HD_TRY(hd_put_words(b, j->note, err));
    }
    return HD_OK;
}

static hd_code make_release(hd_release **out, const work *w, const hd_indicator_result *result,
                            hd_err *err)
{
    hd_code rc;
    hd_release_builder *b = hd_release_builder_new(result->rows);
    if (!b)
        return hd_fail_nomem(err);
    HD_GO(add_columns(b, result->rows, err));
    for (size_t i = 0; i < w->n; i++)
        if (w->jobs[i].set == result->series)
            HD_GO(put_job(b, &w->jobs[i], result->rows, err));
    HD_GO(hd_release_builder_finish(b, out, err));
out:
    hd_release_builder_free(b);
    return rc;
}

hd_code hd_indicator_forecast(hd_release **out, const hd_indicator_result *results, size_t n,
                              const hd_forecast_request *request, hd_err *err)
{
    hd_code rc;
    work w = {0};
    for (size_t i = 0; i < n; i++)
        out[i] = NULL;
    if (request->horizon < 1 || request->horizon > HD_FORECAST_MOST)
        return hd_fail(err, HD_INVALID, "a forecast goes 1 to %d months ahead", HD_FORECAST_MOST);
    for (size_t i = 0; i < n; i++)
        if (results[i].rows->n_rows > 0 && !results[i].series)
            return hd_fail(err, HD_INVALID, "a forecast needs month among what to group by");
    HD_GO(find_jobs(&w, results, n, request, err));
    HD_GO(hd_par_run(w.n, run_job, &w, err));
    for (size_t i = 0; i < n; i++)
        HD_GO(make_release(&out[i], &w, &results[i], err));
out:
    for (size_t i = 0; rc != HD_OK && i < n; i++) {
        hd_release_free(out[i]);
        out[i] = NULL;
    }
    hd_free(w.jobs);
    return rc;
}
