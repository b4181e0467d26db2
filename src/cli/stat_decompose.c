/* stat_decompose.c - `hdis stat decompose`: trend, season, remainder. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/stat.h"
#include "statistics/decompose.h"

typedef struct settings {
    hd_stl_options stl;
    int method, value; /* 0 stl, 1 classical, 2 classical-multiplicative */
} settings;

static hd_code read_settings(hd_stat *s, settings *d, hd_err *err)
{
    static const char *const methods[] = {"stl", "classical", "classical-multiplicative", NULL};
    double period, season, trend;
    const char *window = hd_stat_text(s, "season-window");
    HD_TRY(hd_stat_choice(s, "method", methods, 0, &d->method, err));
    HD_TRY(hd_stat_setting(s, "period", 2, 100000, 12, &period, err));
    HD_TRY(hd_stat_setting(s, "trend-window", 3, 1e6, 0, &trend, err));
    season = 0;
    if (window && strcmp(window, "periodic") != 0)
        HD_TRY(hd_stat_setting(s, "season-window", 3, 1e6, 0, &season, err));
    bool robust = hd_stat_switch(s, "robust");
    d->value = hd_stat_column_of(s, "value");
    d->stl = (hd_stl_options){.period = (size_t)period,
                              .season_window = (size_t)season,
                              .trend_window = (size_t)trend,
                              .inner = robust ? 1 : 2,
                              .outer = robust ? 15 : 0,
                              .every_point = hd_stat_switch(s, "every-point")};
    return HD_OK;
}

/* Only moving averages leave anything blank; a quotient by a trend or a season of 0 is blank too.
 */
static const char *why_blank(double trend, double remainder, double adjusted)
{
    if (isnan(trend))
        return isnan(adjusted)
                   ? "no moving average within half a season of the ends; the season is "
                     "0 or unknown: nothing is divided by it"
                   : "no moving average within half a season of the ends";
    return isnan(remainder) || isnan(adjusted)
               ? "the trend or the season is 0 or unknown: nothing is divided by it"
               : "";
}

static hd_code one_series(hd_stat *s, const settings *d, const size_t *rows, size_t n, double *y,
                          hd_decomposed *out, hd_err *err)
{
    for (size_t i = 0; i < n; i++) {
        HD_TRY(hd_stat_number(s, rows[i], d->value, &y[i], err));
        if (isnan(y[i]))
            return hd_stat_refuse(s, rows[i], d->value, err,
                                  "a series has no gaps: a value is needed");
    }
    hd_code rc = d->method == 0
                     ? hd_decompose_stl(y, n, &d->stl, out, err)
                     : hd_decompose_classical(y, n, d->stl.period, d->method == 2, out, err);
    if (rc != HD_OK)
        return hd_context(err, "the series of row %zu", rows[0] + 1);
    for (size_t i = 0; i < n; i++) {
        double adjusted = d->method == 2 ? y[i] / out[i].season : y[i] - out[i].season;
        hd_stat_keep_row(s, rows[i]);
        hd_stat_put(s, out[i].trend);
        hd_stat_put(s, out[i].season);
        hd_stat_put(s, out[i].remainder);
        hd_stat_put(s, adjusted);
        hd_stat_put_text(s, why_blank(out[i].trend, out[i].remainder, adjusted));
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code run_decompose(hd_stat *s, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    settings d = {0};
    size_t n = hd_stat_n_rows(s);
    double *y = hd_calloc(n + 1, sizeof *y);
    hd_decomposed *out = hd_calloc(n + 1, sizeof *out);
    if (!y || !out)
        HD_GO(hd_fail_nomem(err));
    HD_GO(read_settings(s, &d, err));
    HD_GO(hd_stat_header(s, HD_STAT_KEEP_ALL, "trend season remainder adjusted reason", err));
    HD_GO(hd_stat_group(s, &g, err));
    for (size_t i = 0; i < g.n; i++)
        HD_GO(one_series(s, &d, &g.rows[g.start[i]], g.start[i + 1] - g.start[i], y, out, err));
out:
    hd_stat_groups_free(&g);
    hd_free(y);
    hd_free(out);
    return rc;
}

static const hd_stat_column columns[] = {{"value", true, "in the order of time, without gaps"},
                                         {0}};
static const hd_stat_option options[] = {
    {"method", "NAME", "stl (default), classical, classical-multiplicative"},
    {"period", "N", "values in a season; default 12"},
    {"season-window", "N",
     "stl: odd number of seasons over which the season may change; default "
     "periodic"},
    {"trend-window", "N", "stl: odd number of values; default as R's stl"},
    {"robust", NULL, "stl: outliers count less"},
    {"every-point", NULL, "stl: loess at every point instead of every tenth of a window"},
    {0}};

const hd_stat_method hd_stat_decompose[] = {
    {.name = "decompose",
     .summary = "trend, season and remainder of a series: STL or moving averages",
     .output = "trend, season, remainder, adjusted (without the season), reason",
     .example = "hdis stat decompose --in monthly.csv --group provider --season-window 7 --robust",
     .default_group = "series",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .columns = columns,
     .options = options,
     .run = run_decompose},
    {0}};
