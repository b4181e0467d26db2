/* stat_compare.c - `hdis stat` compare, trend, pool. */
#include <math.h>

#include "base/alloc.h"
#include "cli/stat.h"
#include "statistics/compare.h"

enum { X1, N1, X2, N2, M1, S1, M2, S2, N_COLUMNS };

static const char *const roles[N_COLUMNS] = {
    "numerator", "denominator", "numerator2", "denominator2", "mean", "sd", "mean2", "sd2"};
static const char *const tests[] = {"proportion", "fisher", "rate", "mean", NULL};

static hd_code limits_at(int test, const double *v, double level, hd_limits *d, hd_limits *r,
                         hd_err *err)
{
    *r = (hd_limits){NAN, NAN};
    if (test == 3)
        return hd_mean_difference(v[N1], v[M1], v[S1], v[N2], v[M2], v[S2], level, d, err);
    if (test == 2)
        return hd_rate_difference(v[X1], v[N1], v[X2], v[N2], level, d, r, err);
    return hd_proportion_difference(v[X1], v[N1], v[X2], v[N2], level, d, r, err);
}

static hd_code compare_row(int test, const double *v, hd_comparison *c, hd_err *err)
{
    if (test == 3)
        return hd_compare_means(v[N1], v[M1], v[S1], v[N2], v[M2], v[S2], c, err);
    if (test == 2)
        return hd_compare_rates(v[X1], v[N1], v[X2], v[N2], c, err);
    return hd_compare_proportions(v[X1], v[N1], v[X2], v[N2],
                                  test == 1 ? HD_TEST_FISHER : HD_TEST_CHI_SQUARE, c, err);
}

static bool is_needed(int test, int k)
{
    return k == N1 || k == N2 || (test == 3 ? k >= M1 : k == X1 || k == X2);
}

/* The refusals of the tests, each at its column. */
static hd_code check_row(hd_stat *s, size_t row, int test, const double *v, const int *columns,
                         hd_err *err)
{
    for (int k = N1; k <= N2; k += N2 - N1) {
        if (test == 3 && !(v[k] >= 2))
            return hd_stat_refuse(s, row, columns[k], err, "a mean needs at least 2 values here");
        if (!(v[k] > 0))
            return hd_stat_refuse(s, row, columns[k], err, "a denominator must be above 0");
        if (test < 2 && v[k - 1] > v[k])
            return hd_stat_refuse(s, row, columns[k - 1], err,
                                  "is above the denominator, which no proportion is");
    }
    return HD_OK;
}

/* Why a part of the comparison is blank. */
static const char *why_blank(int test, const double *v, bool known)
{
    if (!known)
        return "a number is missing";
    if (test == 3)
        return v[M2] == 0 ? "the second mean is 0: no ratio" : "";
    if (v[X2] == 0)
        return v[X1] == 0  ? "no events: no ratio"
               : test == 2 ? "no events in the second group: no ratio, and no upper limit of it"
                           : "no events in the second group: no ratio";
    if (v[X1] == 0 && test < 2)
        return "no events in the first group: no limits of the ratio";
    return "";
}

static hd_code put_comparison(hd_stat *s, size_t row, int test, double multiplier,
                              const int *columns, hd_err *err)
{
    const double *levels;
    unsigned n_levels = hd_stat_levels(s, &levels);
    double v[N_COLUMNS];
    bool known = true;
    hd_comparison c = {NAN, NAN, NAN};
    for (int k = 0; k < N_COLUMNS; k++) {
        HD_TRY(
            (k == M1 || k == M2 ? hd_stat_number : hd_stat_count)(s, row, columns[k], &v[k], err));
        known = known && !(is_needed(test, k) && isnan(v[k]));
    }
    if (known)
        HD_TRY(check_row(s, row, test, v, columns, err));
    if (known && compare_row(test, v, &c, err) != HD_OK)
        return hd_stat_at(s, row, err);
    hd_stat_keep_row(s, row);
    hd_stat_put(s, c.difference * multiplier);
    hd_stat_put(s, c.ratio);
    hd_stat_put(s, c.p);
    for (unsigned k = 0; k < n_levels; k++) {
        hd_limits d = {NAN, NAN}, r = {NAN, NAN};
        if (known)
            HD_TRY(limits_at(test, v, levels[k], &d, &r, err));
        hd_stat_put(s, d.lower * multiplier);
        hd_stat_put(s, d.upper * multiplier);
        hd_stat_put(s, r.lower);
        hd_stat_put(s, r.upper);
    }
    hd_stat_put_text(s, why_blank(test, v, known));
    return hd_stat_end_row(s, err);
}

static hd_code run_compare(hd_stat *s, hd_err *err)
{
    int test, columns[N_COLUMNS];
    double multiplier;
    HD_TRY(hd_stat_choice(s, "test", tests, 0, &test, err));
    HD_TRY(hd_stat_setting(s, "multiplier", 1e-12, 1e12, 1, &multiplier, err));
    for (int k = 0; k < N_COLUMNS; k++) {
        columns[k] = hd_stat_column_of(s, roles[k]);
        if (is_needed(test, k) && columns[k] < 0)
            return hd_fail(err, HD_INVALID, "the test %s needs a column %s", tests[test], roles[k]);
    }
    HD_TRY(hd_stat_header(s, HD_STAT_KEEP_ALL,
                          "difference ratio p difference_lower@,difference_upper@,ratio_lower@,"
                          "ratio_upper@ reason",
                          err));
    for (size_t i = 0; i < hd_stat_n_rows(s); i++)
        HD_TRY(put_comparison(s, i, test, multiplier, columns, err));
    return HD_OK;
}

/* --- Trend ------------------------------------------------------------------------------------ */

static hd_code trend_of_group(hd_stat *s, const size_t *rows, size_t n, double *v, hd_err *err)
{
    const double *levels;
    unsigned n_levels = hd_stat_levels(s, &levels);
    const char *const names[] = {"score", "numerator", "denominator"};
    hd_trend t;
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < n; i++) {
            int column = hd_stat_column_of(s, names[k]);
            if (k == 0 && column < 0) {
                v[i] = (double)i + 1;
                continue;
            }
            HD_TRY((k ? hd_stat_count : hd_stat_number)(s, rows[i], column, &v[k * n + i], err));
            if (isnan(v[k * n + i]))
                return hd_stat_refuse(s, rows[i], column, err, "a trend needs every value");
        }
    if (hd_trend_of(v, v + n, v + 2 * n, n, &t, err) != HD_OK)
        return hd_stat_at(s, rows[0], err);
    hd_stat_keep_row(s, rows[0]);
    hd_stat_put(s, t.slope);
    hd_stat_put(s, t.se);
    hd_stat_put(s, t.z);
    hd_stat_put(s, t.p);
    for (unsigned k = 0; k < n_levels; k++) {
        double z;
        HD_TRY(hd_z(levels[k], &z, err));
        hd_stat_put(s, t.slope - z * t.se);
        hd_stat_put(s, t.slope + z * t.se);
    }
    return hd_stat_end_row(s, err);
}

/* Run `one` over every group with room for `per_row` numbers a row. */
static hd_code each_group(hd_stat *s, size_t per_row, const char *results,
                          hd_code (*one)(hd_stat *, const size_t *, size_t, double *, hd_err *),
                          hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    double *v = hd_calloc(hd_stat_n_rows(s) + 1, per_row * sizeof *v);
    if (!v)
        return hd_fail_nomem(err);
    HD_GO(hd_stat_header(s, HD_STAT_KEEP_GROUPS, results, err));
    HD_GO(hd_stat_group(s, &g, err));
    for (size_t i = 0; i < g.n; i++)
        HD_GO(one(s, &g.rows[g.start[i]], g.start[i + 1] - g.start[i], v, err));
out:
    hd_stat_groups_free(&g);
    hd_free(v);
    return rc;
}

static hd_code run_trend(hd_stat *s, hd_err *err)
{
    return each_group(s, 3, "slope se z p lower@,upper@", trend_of_group, err);
}

/* --- Pooled estimates ------------------------------------------------------------------------- */

/* An estimate and its variance: given, or the logarithm of a risk ratio of two counts. */
static hd_code read_estimate(hd_stat *s, size_t row, double *estimate, double *variance,
                             hd_err *err)
{
    int column = hd_stat_column_of(s, "estimate"), se = hd_stat_column_of(s, "se");
    double v[4];
    if (column >= 0 && se >= 0) {
        HD_TRY(hd_stat_number(s, row, column, estimate, err));
        HD_TRY(hd_stat_count(s, row, se, variance, err));
        *variance *= *variance;
        return HD_OK;
    }
    for (int k = 0; k < 4; k++) {
        int c = hd_stat_column_of(s, roles[k]);
        if (c < 0)
            return hd_fail(err, HD_INVALID,
                           "the columns estimate and se are needed, or numerator, "
                           "denominator, numerator2 and denominator2");
        HD_TRY(hd_stat_count(s, row, c, &v[k], err));
        if (!(v[k] > 0))
            return hd_stat_refuse(s, row, c, err, "a risk ratio needs a count above 0");
    }
    *estimate = log(v[X1] / v[N1] / (v[X2] / v[N2]));
    *variance = 1 / v[X1] - 1 / v[N1] + 1 / v[X2] - 1 / v[N2];
    return HD_OK;
}

static hd_code pool_of_group(hd_stat *s, const size_t *rows, size_t n, double *v, hd_err *err)
{
    const double *levels;
    unsigned n_levels = hd_stat_levels(s, &levels);
    hd_pooled p;
    for (size_t i = 0; i < n; i++)
        HD_TRY(read_estimate(s, rows[i], &v[i], &v[n + i], err));
    if (hd_pool(v, v + n, n, &p, err) != HD_OK)
        return hd_stat_at(s, rows[0], err);
    hd_stat_keep_row(s, rows[0]);
    hd_stat_put(s, p.tau2);
    hd_stat_put(s, p.q);
    hd_stat_put(s, p.i2);
    hd_stat_put(s, p.estimate);
    hd_stat_put(s, p.se);
    for (unsigned k = 0; k < n_levels; k++) {
        double z;
        HD_TRY(hd_z(levels[k], &z, err));
        hd_stat_put(s, p.estimate - z * p.se);
        hd_stat_put(s, p.estimate + z * p.se);
    }
    return hd_stat_end_row(s, err);
}

static hd_code run_pool(hd_stat *s, hd_err *err)
{
    return each_group(s, 2, "tau2 q i2 value se lower@,upper@", pool_of_group, err);
}

/* --- Tables ----------------------------------------------------------------------------------- */

static const hd_stat_column compare_columns[] = {
    {"numerator", false, "events of the first group"},
    {"denominator", true, "its cases, exposure or number of values"},
    {"numerator2", false, "events of the second"},
    {"denominator2", true, "its cases, exposure or number of values"},
    {"mean", false, "of the first group, for the test mean"},
    {"sd", false, "its standard deviation"},
    {"mean2", false, "of the second"},
    {"sd2", false, "its standard deviation"},
    {0}};
static const hd_stat_option compare_options[] = {
    {"test", "NAME",
     "proportion (default: chi-square, Newcombe, Katz), fisher (its exact p; difference, ratio and "
     "limits are\n        Newcombe's and Katz's, as for proportion, not those of an odds ratio), "
     "rate "
     "(exact), mean (Welch)"},
    {"multiplier", "M", "of the difference; default 1"},
    {0}};
static const hd_stat_column trend_columns[] = {
    {"score", false, "year, dose, quantile; default 1, 2, 3"},
    {"numerator", true, "events"},
    {"denominator", true, "cases"},
    {0}};
static const hd_stat_column pool_columns[] = {
    {"estimate", false, "one a row, on a scale where it is normal (a log ratio)"},
    {"se", false, "its standard error"},
    {"numerator", false, "or: events of the first group, for a log risk ratio"},
    {"denominator", false, "its cases"},
    {"numerator2", false, "events of the second"},
    {"denominator2", false, "its cases"},
    {0}};

const hd_stat_method hd_stat_compare[] = {
    {.name = "compare",
     .summary = "two groups: difference, ratio, limits, p",
     .output =
         "difference, ratio, p, difference_lower, difference_upper, ratio_lower, ratio_upper per "
         "level, reason",
     .example = "hdis stat compare --in before_after.csv --test rate --level 0.95",
     .levels = true,
     .columns = compare_columns,
     .options = compare_options,
     .run = run_compare},
    {.name = "trend",
     .summary = "trend of proportions over scores (Cochran and Armitage)",
     .output = "slope, se, z, p, lower and upper per level",
     .example = "hdis stat trend --in years.csv --score year --group provider",
     .default_group = "group",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .levels = true,
     .columns = trend_columns,
     .run = run_trend},
    {.name = "pool",
     .summary = "random effects estimate (DerSimonian and Laird)",
     .output = "tau2, q, i2, value, se, lower and upper per level",
     .example = "hdis stat pool --in trials.csv",
     .default_group = "group",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .levels = true,
     .columns = pool_columns,
     .run = run_pool},
    {0}};
