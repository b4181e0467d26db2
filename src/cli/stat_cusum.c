/* stat_cusum.c - `hdis stat` cusum and cusum-limit. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/stat.h"
#include "statistics/cusum.h"

typedef struct settings {
    hd_cusum_options o;
    double odds_ratio;
    int risk, outcome, weight;
    bool shows_restart;
} settings;

static hd_code read_settings(hd_stat *s, settings *d, hd_err *err)
{
    static const char *const shows[] = {"crossing", "restart", NULL};
    int show;
    d->risk = hd_stat_column_of(s, "risk");
    d->outcome = hd_stat_column_of(s, "outcome");
    d->weight = hd_stat_column_of(s, "weight");
    d->o.reset = !hd_stat_switch(s, "no-reset");
    if (d->weight < 0 && (d->risk < 0 || d->outcome < 0))
        return hd_fail(err, HD_INVALID,
                       "a column weight is needed, or the columns risk and outcome");
    HD_TRY(hd_stat_setting(s, "odds-ratio", 1e-6, 1e6, 2, &d->odds_ratio, err));
    HD_TRY(hd_stat_setting(s, "limit", 1e-9, 1e9, 4.5, &d->o.limit, err));
    HD_TRY(hd_stat_setting(s, "head-start", 0, 0.999, 0, &d->o.head_start, err));
    HD_TRY(hd_stat_choice(s, "signal-shows", shows, 0, &show, err));
    d->shows_restart = show == 1;
    return d->odds_ratio != 1 ? HD_OK : hd_fail(err, HD_INVALID, "--odds-ratio must not be 1");
}

static hd_code read_row(hd_stat *s, const settings *d, size_t row, double *weight, double *excess,
                        hd_err *err)
{
    double risk, outcome;
    HD_TRY(hd_stat_number(s, row, d->risk, &risk, err));
    HD_TRY(hd_stat_number(s, row, d->outcome, &outcome, err));
    HD_TRY(hd_stat_number(s, row, d->weight, weight, err));
    if (!isnan(risk) && !(risk > 0 && risk < 1))
        return hd_stat_refuse(s, row, d->risk, err, "a risk must lie strictly between 0 and 1");
    if (!isnan(outcome) && outcome != 0 && outcome != 1)
        return hd_stat_refuse(s, row, d->outcome, err, "an outcome must be 0 or 1");
    *excess = risk - outcome;
    if (d->weight < 0)
        *weight = hd_cusum_weight(risk, outcome, d->odds_ratio);
    return HD_OK;
}

static hd_code one_chart(hd_stat *s, const settings *d, const size_t *rows, size_t n,
                         double *weights, double *excess, hd_cusum_point *points, hd_err *err)
{
    double vlad = 0;
    for (size_t i = 0; i < n; i++)
        HD_TRY(read_row(s, d, rows[i], &weights[i], &excess[i], err));
    HD_TRY(hd_cusum(weights, n, &d->o, points, err));
    for (size_t i = 0; i < n; i++) {
        vlad += isnan(excess[i]) ? 0 : excess[i];
        double shown = points[i].value;
        if (points[i].signal && d->shows_restart && d->o.reset)
            shown = d->o.head_start * d->o.limit;
        hd_stat_keep_row(s, rows[i]);
        hd_stat_put(s, weights[i]);
        hd_stat_put(s, shown);
        hd_stat_put_count(s, points[i].signal);
        hd_stat_put(s, isnan(excess[i]) && d->risk < 0 ? (double)NAN : vlad);
        hd_stat_put_text(s,
                         isnan(weights[i]) ? "the risk or the outcome is missing: left out" : "");
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code run_cusum(hd_stat *s, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    settings d = {0};
    size_t n = hd_stat_n_rows(s);
    double *weights = hd_calloc(n + 1, sizeof *weights), *excess = hd_calloc(n + 1, sizeof *excess);
    hd_cusum_point *points = hd_calloc(n + 1, sizeof *points);
    if (!weights || !excess || !points)
        HD_GO(hd_fail_nomem(err));
    HD_GO(read_settings(s, &d, err));
    HD_GO(hd_stat_header(s, HD_STAT_KEEP_ALL, "weight cusum signal vlad reason", err));
    HD_GO(hd_stat_group(s, &g, err));
    for (size_t i = 0; i < g.n; i++)
        HD_GO(one_chart(s, &d, &g.rows[g.start[i]], g.start[i + 1] - g.start[i], weights, excess,
                        points, err));
out:
    hd_stat_groups_free(&g);
    hd_free(weights);
    hd_free(excess);
    hd_free(points);
    return rc;
}

static hd_code run_limit(hd_stat *s, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    double odds_ratio, alpha, patients, repetitions, seed, limit;
    double *risks = NULL, *all = NULL;
    int risk = hd_stat_column_of(s, "risk");
    HD_GO(hd_stat_setting(s, "odds-ratio", 1e-6, 1e6, 2, &odds_ratio, err));
    HD_GO(hd_stat_setting(s, "alpha", 1e-9, 0.999, 0.05, &alpha, err));
    HD_GO(hd_stat_setting(s, "patients", 1, 1e7, 0, &patients, err));
    HD_GO(hd_stat_setting(s, "repetitions", 100, 1e8, 10000, &repetitions, err));
    HD_GO(hd_stat_setting(s, "seed", 0, 9e15, 1, &seed, err));
    HD_GO(hd_stat_header(s, HD_STAT_KEEP_GROUPS, "patients limit method", err));
    HD_GO(hd_stat_group(s, &g, err));
    HD_GO(hd_stat_numbers(s, risk, &all, err));
    for (size_t i = 0; i < g.n; i++) {
        size_t from = g.start[i], m = g.start[i + 1] - from;
        size_t n = patients > 0 ? (size_t)patients : m;
        bool same = true;
        risks = hd_calloc(n, sizeof *risks);
        if (!risks)
            HD_GO(hd_fail_nomem(err));
        for (size_t k = 0; k < n || k < m; k++) {
            double v = all[g.rows[from + k % m]];
            if (!(v > 0 && v < 1))
                HD_GO(hd_stat_refuse(s, g.rows[from + k % m], risk, err,
                                     "a risk must lie strictly between 0 and 1"));
            same = same && v == all[g.rows[from]];
            if (k < n)
                risks[k] = v;
        }
        bool exact = same && n <= 200;
        HD_GO(exact ? hd_cusum_exact_limit(risks[0], n, odds_ratio, alpha, &limit, err)
                    : hd_cusum_simulated_limit(risks, n, odds_ratio, alpha, (size_t)repetitions,
                                               (uint64_t)seed, &limit, err));
        hd_free(risks);
        risks = NULL;
        hd_stat_keep_row(s, g.rows[from]);
        hd_stat_put_count(s, n);
        hd_stat_put(s, limit);
        hd_stat_put_text(s, exact ? "exact" : "simulated");
        HD_GO(hd_stat_end_row(s, err));
    }
out:
    hd_stat_groups_free(&g);
    hd_free(risks);
    hd_free(all);
    return rc;
}

static const hd_stat_column cusum_columns[] = {
    {"risk", false, "predicted probability of the event"},
    {"outcome", false, "1: the event happened, 0: it did not"},
    {"weight", false, "instead of the two: the weights themselves"},
    {0}};
static const hd_stat_option cusum_options[] = {
    {"odds-ratio", "R", "the change to detect: 2 (default) or 0.5 for an improvement"},
    {"limit", "H", "a signal where the statistic reaches it; default 4.5"},
    {"no-reset", NULL, "go on after a signal instead of starting again"},
    {"head-start", "SHARE", "of the limit, where it starts again; default 0"},
    {"signal-shows", "NAME", "the row of a signal shows the crossing (default) or the restart"},
    {0}};
static const hd_stat_column limit_columns[] = {
    {"risk", true, "predicted probabilities; used in turn when there are more patients"}, {0}};
static const hd_stat_option limit_options[] = {
    {"odds-ratio", "R", "the change to detect; default 2"},
    {"alpha", "A", "probability of a false signal among the patients; default 0.05"},
    {"patients", "N", "default: the rows"},
    {"repetitions", "N",
     "of the simulation, when risks differ or there are over 200; default 10000"},
    {"seed", "N", "of the simulation; default 1"},
    {0}};

const hd_stat_method hd_stat_cusum[] = {
    {.name = "cusum",
     .summary = "risk-adjusted CUSUM and VLAD",
     .output = "weight, cusum, signal, vlad (expected minus observed so far), reason",
     .example = "hdis stat cusum --in surgery.csv --group surgeon --odds-ratio 2 --limit 4.5",
     .default_group = "series",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .columns = cusum_columns,
     .options = cusum_options,
     .run = run_cusum},
    {.name = "cusum-limit",
     .summary = "the limit that a CUSUM passes by chance with a given probability",
     .output = "patients, limit, method (exact, simulated)",
     .example = "hdis stat cusum-limit --in surgery.csv --alpha 0.01 --patients 500",
     .default_group = "series",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .columns = limit_columns,
     .options = limit_options,
     .run = run_limit},
    {0}};
