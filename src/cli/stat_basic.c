/* stat_basic.c - `hdis stat` proportion, rate, mean, ratio, quantiles. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/stat.h"
#include "statistics/interval.h"
#include "statistics/quantile.h"

/* --- Proportions and rates: a numerator, a denominator, limits -------------------------------- */

typedef struct figure {
    bool is_rate;
    int method;
    double multiplier;
} figure;

static const char *const proportion_methods[] = {
    "wilson", "wilson-continuity", "exact", "agresti-coull", "wald", NULL};
static const char *const count_methods[] = {"phe", "byar", "exact", NULL};

static hd_code limits_of(const figure *f, double x, double n, double level, hd_limits *out,
                         hd_err *err)
{
    if (!f->is_rate)
        return hd_proportion_limits((hd_proportion_method)f->method, x, n, level, out, err);
    HD_TRY(hd_count_limits((hd_count_method)f->method, x, level, out, err));
    *out = (hd_limits){out->lower / n, out->upper / n};
    return HD_OK;
}

static const char *method_used(const figure *f, double x)
{
    return f->is_rate ? count_methods[hd_count_method_used((hd_count_method)f->method, x)]
                      : proportion_methods[f->method];
}

/* value, limits, method of one figure; all blank when a part is missing. */
static hd_code put_figure(hd_stat *s, const figure *f, size_t row, double x, double n, hd_err *err)
{
    const double *levels;
    unsigned n_levels = hd_stat_levels(s, &levels);
    bool known = !isnan(x) && !isnan(n);
    hd_stat_put(s, known ? x / n * f->multiplier : NAN);
    for (unsigned k = 0; k < n_levels; k++) {
        hd_limits l = {NAN, NAN};
        if (known && limits_of(f, x, n, levels[k], &l, err) != HD_OK)
            return hd_stat_at(s, row, err);
        hd_stat_put(s, l.lower * f->multiplier);
        hd_stat_put(s, l.upper * f->multiplier);
    }
    hd_stat_put_text(s, known ? method_used(f, x) : "");
    hd_stat_put_text(s, known ? "" : "a count is missing");
    return hd_stat_end_row(s, err);
}

static hd_code read_pair(hd_stat *s, const figure *f, size_t row, double *x, double *n, hd_err *err)
{
    int num = hd_stat_column_of(s, "numerator"), den = hd_stat_column_of(s, "denominator");
    HD_TRY(hd_stat_count(s, row, num, x, err));
    HD_TRY(hd_stat_count(s, row, den, n, err));
    if (*n <= 0)
        return hd_stat_refuse(s, row, den, err, "a denominator must be above 0");
    if (!f->is_rate && *x > *n)
        return hd_stat_refuse(s, row, num, err, "is above the denominator, which no proportion is");
    return HD_OK;
}

static hd_code figures_by_row(hd_stat *s, const figure *f, hd_err *err)
{
    HD_TRY(hd_stat_header(s, HD_STAT_KEEP_ALL, "value lower@,upper@ method reason", err));
    for (size_t i = 0; i < hd_stat_n_rows(s); i++) {
        double x, n;
        HD_TRY(read_pair(s, f, i, &x, &n, err));
        hd_stat_keep_row(s, i);
        HD_TRY(put_figure(s, f, i, x, n, err));
    }
    return HD_OK;
}

static hd_code figures_by_group(hd_stat *s, const figure *f, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g;
    HD_TRY(hd_stat_header(s, HD_STAT_KEEP_GROUPS,
                          "numerator denominator value lower@,upper@ method reason", err));
    HD_TRY(hd_stat_group(s, &g, err));
    for (size_t i = 0; i < g.n; i++) {
        double x = 0, n = 0;
        for (size_t k = g.start[i]; k < g.start[i + 1]; k++) {
            double one_x, one_n;
            HD_GO(read_pair(s, f, g.rows[k], &one_x, &one_n, err));
            x += one_x; /* a missing part makes the whole group missing */
            n += one_n;
        }
        hd_stat_keep_row(s, g.rows[g.start[i]]);
        hd_stat_put(s, x);
        hd_stat_put(s, n);
        HD_GO(put_figure(s, f, g.rows[g.start[i]], x, n, err));
    }
out:
    hd_stat_groups_free(&g);
    return rc;
}

static hd_code run_figure(hd_stat *s, figure f, const char *const *methods, double multiplier,
                          hd_err *err)
{
    HD_TRY(hd_stat_choice(s, "method", methods, 0, &f.method, err));
    HD_TRY(hd_stat_setting(s, "multiplier", 1e-12, 1e12, multiplier, &f.multiplier, err));
    return hd_stat_text(s, "group") ? figures_by_group(s, &f, err) : figures_by_row(s, &f, err);
}

static hd_code run_proportion(hd_stat *s, hd_err *err)
{
    return run_figure(s, (figure){.is_rate = false}, proportion_methods, 1, err);
}

static hd_code run_rate(hd_stat *s, hd_err *err)
{
    return run_figure(s, (figure){.is_rate = true}, count_methods, 100000, err);
}

static const hd_stat_column pair_columns[] = {
    {"numerator", true, "events"},
    {"denominator", true, "cases, or population or person-time for a rate"},
    {0}};
static const hd_stat_option proportion_options[] = {
    {"method", "NAME", "wilson (default), wilson-continuity, exact, agresti-coull, wald"},
    {"multiplier", "M", "values and limits are multiplied by this; default 1"},
    {0}};
static const hd_stat_option rate_options[] = {
    {"method", "NAME", "phe (default: exact below 10 events, Byar from 10), byar, exact"},
    {"multiplier", "M", "values and limits are multiplied by this; default 100000"},
    {0}};

/* --- Ratio of two counts ---------------------------------------------------------------------- */

static hd_code run_ratio(hd_stat *s, hd_err *err)
{
    const double *levels;
    unsigned n_levels = hd_stat_levels(s, &levels);
    double multiplier;
    int num = hd_stat_column_of(s, "numerator"), den = hd_stat_column_of(s, "denominator");
    HD_TRY(hd_stat_setting(s, "multiplier", 1e-12, 1e12, 1, &multiplier, err));
    HD_TRY(hd_stat_header(s, HD_STAT_KEEP_ALL, "value lower@,upper@ reason", err));
    for (size_t i = 0; i < hd_stat_n_rows(s); i++) {
        double a, b;
        HD_TRY(hd_stat_count(s, i, num, &a, err));
        HD_TRY(hd_stat_count(s, i, den, &b, err));
        if (b <= 0)
            return hd_stat_refuse(s, i, den, err, "a denominator must be above 0");
        hd_stat_keep_row(s, i);
        hd_stat_put(s, a / b * multiplier);
        for (unsigned k = 0; k < n_levels; k++) {
            hd_limits l = {NAN, NAN};
            if (!isnan(a) && !isnan(b) && hd_count_ratio_limits(a, b, levels[k], &l, err) != HD_OK)
                return hd_stat_at(s, i, err);
            hd_stat_put(s, l.lower * multiplier);
            hd_stat_put(s, l.upper * multiplier);
        }
        hd_stat_put_text(s, isnan(a) || isnan(b) ? "a count is missing" : "");
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static const hd_stat_option ratio_options[] = {
    {"multiplier", "M", "values and limits are multiplied by this; default 1"}, {0}};

/* --- Means ------------------------------------------------------------------------------------ */

static hd_code put_mean(hd_stat *s, double n, double mean, double sd, const char *missing,
                        hd_err *err)
{
    const double *levels;
    unsigned n_levels = hd_stat_levels(s, &levels);
    hd_stat_put(s, mean);
    for (unsigned k = 0; k < n_levels; k++) {
        hd_limits l = {NAN, NAN};
        if (!isnan(mean) && !isnan(n))
            HD_TRY(hd_mean_limits(n, mean, sd, levels[k], &l, err));
        hd_stat_put(s, l.lower);
        hd_stat_put(s, l.upper);
    }
    hd_stat_put_text(s, isnan(mean) || isnan(n) ? missing : n > 1 ? "" : "one value has no limits");
    return hd_stat_end_row(s, err);
}

/* Count, mean and standard deviation already there, one figure a row. */
static hd_code means_by_row(hd_stat *s, hd_err *err)
{
    int cn = hd_stat_column_of(s, "n"), cm = hd_stat_column_of(s, "mean"),
        cs = hd_stat_column_of(s, "sd");
    HD_TRY(hd_stat_header(s, HD_STAT_KEEP_ALL, "value lower@,upper@ reason", err));
    for (size_t i = 0; i < hd_stat_n_rows(s); i++) {
        double n, mean, sd;
        HD_TRY(hd_stat_count(s, i, cn, &n, err));
        HD_TRY(hd_stat_number(s, i, cm, &mean, err));
        HD_TRY(hd_stat_count(s, i, cs, &sd, err));
        if (n < 1)
            return hd_stat_refuse(s, i, cn, err, "a mean needs at least one value");
        if (!isnan(n) && !isnan(mean) && n > 1 && isnan(sd))
            return hd_stat_refuse(s, i, cs, err, "a standard deviation is needed");
        hd_stat_keep_row(s, i);
        if (put_mean(s, n, mean, sd, "n or mean is missing", err) != HD_OK)
            return hd_stat_at(s, i, err);
    }
    return HD_OK;
}

static hd_code means_by_group(hd_stat *s, int column, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    double *v = NULL;
    HD_GO(hd_stat_header(s, HD_STAT_KEEP_GROUPS, "sum n sd value lower@,upper@ reason", err));
    HD_GO(hd_stat_group(s, &g, err));
    HD_GO(hd_stat_numbers(s, column, &v, err));
    for (size_t i = 0; i < g.n; i++) {
        double sum = 0, squares = 0, n = (double)(g.start[i + 1] - g.start[i]);
        for (size_t k = g.start[i]; k < g.start[i + 1]; k++)
            sum += v[g.rows[k]];
        double mean = sum / n;
        for (size_t k = g.start[i]; k < g.start[i + 1]; k++)
            squares += (v[g.rows[k]] - mean) * (v[g.rows[k]] - mean);
        double sd = n > 1 ? sqrt(squares / (n - 1)) : NAN;
        hd_stat_keep_row(s, g.rows[g.start[i]]);
        hd_stat_put(s, sum);
        hd_stat_put(s, n);
        hd_stat_put(s, sd);
        HD_GO(put_mean(s, n, mean, sd, "a value is missing", err));
    }
out:
    hd_stat_groups_free(&g);
    hd_free(v);
    return rc;
}

static hd_code run_mean(hd_stat *s, hd_err *err)
{
    int values = hd_stat_column_of(s, "values");
    if (values >= 0)
        return means_by_group(s, values, err);
    if (hd_stat_column_of(s, "n") < 0 || hd_stat_column_of(s, "mean") < 0 ||
        hd_stat_column_of(s, "sd") < 0)
        return hd_fail(err, HD_INVALID, "a column values is needed, or the columns n, mean and sd");
    return means_by_row(s, err);
}

static const hd_stat_column mean_columns[] = {
    {"values", false, "one measurement a row; or the next three"},
    {"n", false, "number of measurements"},
    {"mean", false, "their mean"},
    {"sd", false, "their standard deviation (n - 1)"},
    {0}};

/* --- Quantile groups -------------------------------------------------------------------------- */

/* The direction of a group: its own column when there is one, which must not change within the
 * group. */
static hd_code direction_of(hd_stat *s, const hd_stat_groups *g, size_t i, int column, bool *high,
                            hd_err *err)
{
    if (column < 0)
        return HD_OK;
    for (size_t k = g->start[i]; k < g->start[i + 1]; k++) {
        const char *text = hd_stat_cell(s, g->rows[k], column);
        bool up = strcasecmp(text, "1") == 0 || strcasecmp(text, "true") == 0;
        if (!up && strcasecmp(text, "0") != 0 && strcasecmp(text, "false") != 0)
            return hd_stat_refuse(s, g->rows[k], column, err, "must be 1 or 0");
        if (k > g->start[i] && up != *high)
            return hd_stat_refuse(s, g->rows[k], column, err,
                                  "mixed polarity: it differs from other rows of its group");
        *high = up;
    }
    return HD_OK;
}

static hd_code rank_groups(hd_stat *s, const hd_stat_groups *g, const double *v, unsigned *q,
                           hd_err *err)
{
    static const char *const directions[] = {"high-first", "low-first", NULL};
    static const char *const definitions[] = {"phe", "ntile", "rank", NULL};
    hd_code rc = HD_OK;
    double number;
    int direction, definition, invert = hd_stat_column_of(s, "invert");
    HD_TRY(hd_stat_setting(s, "number", 1, 1000000, 10, &number, err));
    HD_TRY(hd_stat_choice(s, "direction", directions, 0, &direction, err));
    HD_TRY(hd_stat_choice(s, "definition", definitions, 0, &definition, err));
    size_t n = hd_stat_n_rows(s);
    double *part = hd_calloc(n + 1, sizeof *part);
    unsigned *got = hd_calloc(n + 1, sizeof *got);
    if (!part || !got)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < g->n; i++) {
        bool high = direction == 0;
        size_t from = g->start[i], m = g->start[i + 1] - from;
        HD_GO(direction_of(s, g, i, invert, &high, err));
        for (size_t k = 0; k < m; k++)
            part[k] = v[g->rows[from + k]];
        HD_GO(hd_quantile_groups(part, m, (unsigned)number, high, (hd_quantile_grouping)definition,
                                 got, err));
        for (size_t k = 0; k < m; k++)
            q[g->rows[from + k]] = got[k];
    }
out:
    hd_free(part);
    hd_free(got);
    return rc;
}

static hd_code run_quantiles(hd_stat *s, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    double *v = NULL;
    size_t n = hd_stat_n_rows(s);
    unsigned *q = hd_calloc(n + 1, sizeof *q);
    if (!q)
        return hd_fail_nomem(err);
    HD_GO(hd_stat_header(s, HD_STAT_KEEP_ALL, "quantile reason", err));
    HD_GO(hd_stat_group(s, &g, err));
    HD_GO(hd_stat_numbers(s, hd_stat_column_of(s, "value"), &v, err));
    HD_GO(rank_groups(s, &g, v, q, err));
    for (size_t i = 0; i < n; i++) {
        hd_stat_keep_row(s, i);
        hd_stat_put(s, q[i] ? (double)q[i] : (double)NAN);
        hd_stat_put_text(s, q[i]          ? ""
                            : isnan(v[i]) ? "the value is missing"
                                          : "fewer values than quantiles");
        HD_GO(hd_stat_end_row(s, err));
    }
out:
    hd_stat_groups_free(&g);
    hd_free(v);
    hd_free(q);
    return rc;
}

static const hd_stat_column quantile_columns[] = {
    {"value", true, "what is ranked; blank: no quantile"},
    {"invert", false, "1: quantile 1 holds the highest values of the group, 0: the lowest"},
    {0}};
static const hd_stat_option quantile_options[] = {
    {"number", "N", "how many groups of equal size; default 10"},
    {"direction", "NAME", "high-first (default: quantile 1 is the highest), low-first"},
    {"definition", "NAME", "phe (default), ntile (SQL), rank (average ranks)"},
    {0}};

const hd_stat_method hd_stat_basic[] = {
    {.name = "proportion",
     .summary = "proportions with Wilson, exact or other limits",
     .output =
         "value, lower and upper per level, method, reason; with --group also the summed counts",
     .example = "hdis stat proportion --in deaths.csv --level 0.95,0.998 --multiplier 100",
     .input = HD_STAT_ROWS,
     .grouped = true,
     .levels = true,
     .columns = pair_columns,
     .options = proportion_options,
     .run = run_proportion},
    {.name = "rate",
     .summary = "crude rates with exact and Byar limits",
     .output = "value, lower and upper per level, method (exact, byar), reason",
     .example = "hdis stat rate --in admissions.csv --denominator population --group area",
     .input = HD_STAT_ROWS,
     .grouped = true,
     .levels = true,
     .columns = pair_columns,
     .options = rate_options,
     .run = run_rate},
    {.name = "ratio",
     .summary = "ratios of two counts with log-normal limits",
     .output = "value, lower and upper per level, reason",
     .example = "hdis stat ratio --in outpatients.csv --numerator followup --denominator first",
     .input = HD_STAT_ROWS,
     .levels = true,
     .columns = pair_columns,
     .options = ratio_options,
     .run = run_ratio},
    {.name = "mean",
     .summary = "means with Student's t limits",
     .output = "sum, n, sd, value, lower and upper per level, reason",
     .example = "hdis stat mean --in stays.csv --values days --group provider",
     .default_group = "group",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .levels = true,
     .columns = mean_columns,
     .run = run_mean},
    {.name = "quantiles",
     .summary = "put units into deciles or other equal groups by rank",
     .output = "quantile, reason where there is none",
     .example = "hdis stat quantiles --in indicator.csv --number 5 --direction low-first",
     .default_group = "group",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .columns = quantile_columns,
     .options = quantile_options,
     .run = run_quantiles},
    {0}};
