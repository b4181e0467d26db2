/* stat_funnel.c - `hdis stat funnel`: units against a common target, and the curves to draw. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/stat.h"
#include "statistics/funnel.h"

typedef struct settings {
    hd_funnel_options o;
    int numerator, denominator, sd, rate;
    double multiplier, years;
    bool standardised; /* rates are directly standardised: nothing is said below 10 events */
    bool phe_labels;
} settings;

static const char *const kinds[] = {"proportion", "rate", "ratio", "ratio-of-counts", "mean", NULL};
static const char *const adjustments[] = {"none", "truncate", "winsorise", NULL};
static const char *const bases[] = {"exact", "score", "transformed", NULL};
static const char *const dispersions[] = {"tau2", "phi", NULL};
static const char *const label_sets[] = {"limits", "phe", NULL};

static int column_either(const hd_stat *s, const char *role, const char *other)
{
    int column = hd_stat_column_of(s, role);
    return column >= 0 ? column : hd_stat_column_of(s, other);
}

static hd_code read_settings(hd_stat *s, settings *d, hd_err *err)
{
    int kind, adjust, base, dispersion, labels;
    const double *levels;
    HD_TRY(hd_stat_choice(s, "kind", kinds, 0, &kind, err));
    d->o = hd_funnel_defaults((hd_funnel_kind)kind);
    d->numerator = column_either(s, "numerator", "observed");
    d->denominator = column_either(s, "denominator", "expected");
    d->sd = hd_stat_column_of(s, "sd");
    d->rate = kind == HD_FUNNEL_RATE ? hd_stat_column_of(s, "rate") : -1;
    if (d->numerator < 0 || (d->denominator < 0 && d->rate < 0))
        return hd_fail(err, HD_INVALID,
                       "a funnel needs the columns numerator and denominator, or "
                       "observed and expected");
    if (kind == HD_FUNNEL_MEAN && d->sd < 0)
        return hd_fail(err, HD_INVALID, "a funnel of means needs the column sd");
    HD_TRY(hd_stat_choice(s, "adjust", adjustments, 0, &adjust, err));
    HD_TRY(hd_stat_choice(s, "limits", bases, (int)d->o.base, &base, err));
    HD_TRY(hd_stat_choice(s, "dispersion", dispersions, 0, &dispersion, err));
    HD_TRY(hd_stat_choice(s, "labels", label_sets, 0, &labels, err));
    HD_TRY(hd_stat_setting(s, "trim", 0, 0.49, 0.1, &d->o.trim, err));
    HD_TRY(hd_stat_setting(s, "target", -1e300, 1e300, (double)NAN, &d->o.target, err));
    HD_TRY(hd_stat_setting(s, "multiplier", 1e-12, 1e12, 1, &d->multiplier, err));
    HD_TRY(hd_stat_setting(s, "years", 1e-6, 1000, 1, &d->years, err));
    d->o.target /= d->multiplier;
    d->o.adjust = (hd_funnel_adjust)adjust;
    d->o.base = (hd_funnel_base)base;
    d->o.variance_only = dispersion == 1;
    d->o.round_expected = hd_stat_switch(s, "round-expected");
    d->o.root_limits = hd_stat_switch(s, "root-limits");
    d->standardised = hd_stat_switch(s, "standardised");
    d->phe_labels = labels == 1;
    d->o.n_levels = hd_stat_levels(s, &levels);
    memcpy(d->o.levels, levels, d->o.n_levels * sizeof *levels);
    return HD_OK;
}

/* The denominator of a rate is worked out from the rate itself where that is given and there are
 * events, as Fingertips does for standardised rates. */
static hd_code read_unit(hd_stat *s, const settings *d, size_t row, hd_funnel_unit *u, bool *blank,
                         hd_err *err)
{
    double rate;
    bool mean = d->o.kind == HD_FUNNEL_MEAN;
    HD_TRY((mean ? hd_stat_number : hd_stat_count)(s, row, d->numerator, &u->numerator, err));
    HD_TRY(hd_stat_count(s, row, d->denominator, &u->denominator, err));
    HD_TRY(hd_stat_count(s, row, d->sd, &u->sd, err));
    HD_TRY(hd_stat_count(s, row, d->rate, &rate, err));
    if (rate > 0 && u->numerator > 0)
        u->denominator = u->numerator / rate * d->multiplier;
    /* A standardised rate of 0 has no effective population, and so no part in the pooled rate. */
    if (d->standardised && u->numerator <= 0)
        u->denominator = NAN;
    *blank = isnan(u->numerator) || isnan(u->denominator);
    if (*blank)
        *u = (hd_funnel_unit){0};
    else if (u->denominator <= 0)
        return hd_stat_refuse(s, row, d->denominator, err, "a denominator must be above 0");
    else if (d->o.kind == HD_FUNNEL_PROPORTION && u->numerator > u->denominator)
        return hd_stat_refuse(s, row, d->numerator, err, "is above the denominator");
    else if (mean && u->denominator > 1 && isnan(u->sd))
        return hd_stat_refuse(s, row, d->sd, err, "a standard deviation is needed");
    return HD_OK;
}

static void put_pairs(hd_stat *s, const hd_limits *l, unsigned n, double multiplier)
{
    for (unsigned k = 0; k < n; k++) {
        hd_stat_put(s, l[k].lower * multiplier);
        hd_stat_put(s, l[k].upper * multiplier);
    }
}

/* Over-dispersion was asked for and cannot be told: the limits that allow for it are not given. */
static bool no_dispersion(const settings *d, const hd_funnel_summary *sum)
{
    return d->o.adjust != HD_FUNNEL_NO_ADJUSTMENT && sum->used < 2;
}

static const char too_few[] = "trimming leaves fewer than 2 units: no adjusted limits";

static hd_code put_label(hd_stat *s, const settings *d, const hd_funnel_unit *u,
                         const hd_funnel_row *r, const hd_funnel_summary *sum, bool blank,
                         hd_err *err)
{
    int status = 0;
    double target = sum->target;
    bool few = !blank && no_dispersion(d, sum);
    if (d->standardised && u->numerator < 10) {
        hd_stat_put_text(s, "");
        hd_stat_put_text(s, "fewer than 10 events: not given for standardised rates");
        return HD_OK;
    }
    if (d->phe_labels && !blank) {
        if (d->o.kind == HD_FUNNEL_PROPORTION)
            HD_TRY(hd_funnel_phe_proportion(u->numerator, u->denominator, target, &status, err));
        else
            HD_TRY(hd_funnel_phe_count(u->numerator, r->expected, &status, err));
        hd_stat_put_text(s, hd_funnel_phe_label(status));
    } else {
        hd_stat_put_text(s, blank || few ? "" : hd_funnel_label(r->adjusted_status[0]));
    }
    hd_stat_put_text(s, blank ? "a count is missing" : few ? too_few : "");
    return HD_OK;
}

static hd_code put_unit(hd_stat *s, const settings *d, const hd_funnel_unit *u,
                        const hd_funnel_row *r, const hd_funnel_summary *sum, hd_err *err)
{
    bool blank = u->denominator <= 0;
    bool hide = d->standardised && u->numerator < 10;
    double m = d->multiplier;
    hd_stat_put(s, hide ? (double)NAN : r->value * m);
    hd_stat_put(s, blank || hide ? (double)NAN : u->denominator / d->years);
    hd_stat_put(s, r->expected);
    hd_stat_put(s, sum->target * m);
    hd_stat_put(s, sum->phi);
    hd_stat_put(s, sum->tau2);
    hd_stat_put_count(s, sum->used);
    hd_stat_put(s, r->s);
    hd_stat_put(s, r->z);
    hd_stat_put(s, r->z_used);
    bool few = no_dispersion(d, sum);
    put_pairs(s, r->limits, d->o.n_levels, m);
    put_pairs(s, r->adjusted, d->o.n_levels, few ? (double)NAN : m);
    for (unsigned k = 0; k < d->o.n_levels; k++) {
        hd_stat_put(s, blank ? (double)NAN : r->status[k]);
        hd_stat_put(s, blank || few ? (double)NAN : r->adjusted_status[k]);
    }
    HD_TRY(put_label(s, d, u, r, sum, blank, err));
    return hd_stat_end_row(s, err);
}

static const char unit_columns[] =
    "value denominator_used expected_count target phi tau2 units_used s z z_used lower@,upper@ "
    "adjusted_lower@,adjusted_upper@ outside@,adjusted_outside@ label reason";

/* --- Curves ----------------------------------------------------------------------------------- */

static hd_code read_list(const hd_stat *s, const char *option, double **out, size_t *n, hd_err *err)
{
    const char *text = hd_stat_text(s, option);
    size_t max = 1;
    *out = NULL;
    *n = 0;
    if (!text)
        return HD_OK;
    for (const char *p = text; *p; p++)
        max += *p == ',';
    *out = hd_calloc(max, sizeof **out);
    if (!*out)
        return hd_fail_nomem(err);
    if (!hd_stat_parse_list(text, ',', *out, max, n))
        return hd_fail(err, HD_INVALID, "--%s must be numbers joined by commas", option);
    return HD_OK;
}

static hd_code put_curve(hd_stat *s, const settings *d, const hd_funnel_summary *sum,
                         size_t first_row, const double *at, size_t n, hd_err *err)
{
    for (size_t i = 0; i < n; i++) {
        hd_limits plain[HD_FUNNEL_LEVELS], adjusted[HD_FUNNEL_LEVELS];
        HD_TRY(hd_funnel_curve(&d->o, sum, at[i] * d->years, plain, adjusted, err));
        hd_stat_keep_row(s, first_row);
        hd_stat_put(s, at[i]);
        hd_stat_put(s, sum->target * d->multiplier);
        bool few = no_dispersion(d, sum);
        put_pairs(s, plain, d->o.n_levels, d->multiplier);
        put_pairs(s, adjusted, d->o.n_levels, few ? (double)NAN : d->multiplier);
        hd_stat_put_text(s, few ? too_few : "");
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

/* For every count: the denominator at which it lies exactly on a limit, and the value there. A
 * count of x lies on the lower limit where its own exact upper limit is expected, and the other way
 * round. */
static hd_code put_counts(hd_stat *s, const settings *d, const hd_funnel_summary *sum,
                          size_t first_row, const double *counts, size_t n, hd_err *err)
{
    double per = d->o.kind == HD_FUNNEL_RATIO ? 1 : sum->target * d->years;
    for (size_t i = 0; i < n; i++) {
        hd_stat_keep_row(s, first_row);
        hd_stat_put(s, counts[i]);
        hd_stat_put(s, sum->target * d->multiplier);
        for (unsigned k = 0; k < d->o.n_levels; k++) {
            hd_limits l;
            HD_TRY(hd_count_limits(HD_COUNT_EXACT, counts[i], d->o.levels[k], &l, err));
            double low = l.upper / per, high = l.lower > 0 ? l.lower / per : (double)NAN;
            double scale = d->multiplier / (d->o.kind == HD_FUNNEL_RATIO ? 1 : d->years);
            hd_stat_put(s, low);
            hd_stat_put(s, counts[i] / low * scale);
            hd_stat_put(s, high);
            hd_stat_put(s, counts[i] / high * scale);
        }
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

/* --- The method ------------------------------------------------------------------------------- */

typedef struct curves {
    double *at, *counts;
    size_t n_at, n_counts;
} curves;

static hd_code one_funnel(hd_stat *s, const settings *d, const size_t *rows, size_t n,
                          hd_funnel_unit *units, hd_funnel_row *out, const curves *c, hd_err *err)
{
    hd_funnel_summary sum;
    for (size_t i = 0; i < n; i++) {
        bool blank;
        HD_TRY(read_unit(s, d, rows[i], &units[i], &blank, err));
    }
    HD_TRY(hd_funnel(units, n, &d->o, out, &sum, err));
    if (c->at)
        return put_curve(s, d, &sum, rows[0], c->at, c->n_at, err);
    if (c->counts)
        return put_counts(s, d, &sum, rows[0], c->counts, c->n_counts, err);
    for (size_t i = 0; i < n; i++) {
        hd_stat_keep_row(s, rows[i]);
        HD_TRY(put_unit(s, d, &units[i], &out[i], &sum, err));
    }
    return HD_OK;
}

static hd_code run_funnel(hd_stat *s, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    settings d = {0};
    curves c = {0};
    size_t n = hd_stat_n_rows(s);
    hd_funnel_unit *units = hd_calloc(n + 1, sizeof *units);
    hd_funnel_row *out = hd_calloc(n + 1, sizeof *out);
    if (!units || !out)
        HD_GO(hd_fail_nomem(err));
    HD_GO(read_settings(s, &d, err));
    HD_GO(read_list(s, "at", &c.at, &c.n_at, err));
    HD_GO(read_list(s, "counts", &c.counts, &c.n_counts, err));
    if (c.counts && d.o.kind != HD_FUNNEL_RATE && d.o.kind != HD_FUNNEL_RATIO)
        HD_GO(hd_fail(err, HD_INVALID, "--counts is for the kinds rate and ratio"));
    HD_GO(hd_stat_header(s, c.at || c.counts ? HD_STAT_KEEP_GROUPS : HD_STAT_KEEP_ALL,
                         c.at ? "denominator target lower@,upper@ adjusted_lower@,adjusted_upper@ "
                                "reason"
                         : c.counts ? "count target lower_denominator@,lower@,upper_denominator@,"
                                      "upper@"
                                    : unit_columns,
                         err));
    HD_GO(hd_stat_group(s, &g, err));
    for (size_t i = 0; i < g.n; i++)
        HD_GO(one_funnel(s, &d, &g.rows[g.start[i]], g.start[i + 1] - g.start[i], units, out, &c,
                         err));
out:
    hd_stat_groups_free(&g);
    hd_free(units);
    hd_free(out);
    hd_free(c.at);
    hd_free(c.counts);
    return rc;
}

static const hd_stat_column columns[] = {
    {"numerator", false, "events; the sum of values for a mean"},
    {"denominator", false, "cases, population, second count, number of values"},
    {"observed", false, "instead of numerator"},
    {"expected", false, "instead of denominator, for a ratio"},
    {"sd", false, "standard deviation within the unit, for a mean"},
    {"rate", false, "for a rate: the denominator is worked out from it where there are events"},
    {0}};
static const hd_stat_option options[] = {
    {"kind", "NAME",
     "proportion (default), rate, ratio (observed over expected), ratio-of-counts, "
     "mean"},
    {"adjust", "NAME",
     "over-dispersion: none (default), truncate (as the SHMI), winsorise "
     "(Spiegelhalter)"},
    {"limits", "NAME", "without adjustment: exact, score (default for a proportion), transformed"},
    {"target", "T",
     "the centre, in the unit of the values; default: 1 for a ratio, else the pooled "
     "value"},
    {"trim", "SHARE", "of the z scores at each end; default 0.1"},
    {"round-expected", NULL, "expected counts to 2 decimals first, as the SHMI"},
    {"dispersion", "NAME", "tau2 (default: added to the variance), phi (multiplies it)"},
    {"root-limits", NULL,
     "winsorised ratios: limits left on the square root scale, symmetric around the root of the "
     "target, as\n        FunnelPlotR draws; default: squared, (root of target -+ z sqrt(s2 + "
     "tau2))^2"},
    {"multiplier", "M", "of values, limits and target; default 1"},
    {"years", "Y", "of data; denominators are given per year; default 1"},
    {"labels", "NAME",
     "limits (default: lower, as expected, higher at the first level), phe (Low "
     "(0.001) ... High (0.001))"},
    {"standardised", NULL, "the rates are directly standardised: nothing below 10 events"},
    {"at", "LIST", "instead of units: the limits at these denominators"},
    {"counts", "LIST",
     "instead of units: where these counts lie on the exact limits (rate, ratio)"},
    {0}};

const hd_stat_method hd_stat_funnel[] = {
    {.name = "funnel",
     .summary = "funnel limits, over-dispersion, and who lies outside",
     .output =
         "value, denominator_used, expected_count, target, phi, tau2, units_used, s, z, z_used,\n"
         "  lower, upper, adjusted_lower, adjusted_upper, outside (-1, 0, 1), adjusted_outside "
         "per\n"
         "  level, label, reason",
     .example = "hdis stat funnel --in shmi.csv --kind ratio --adjust truncate --round-expected "
                "--level 0.95,0.998",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .levels = true,
     .columns = columns,
     .options = options,
     .run = run_funnel},
    {0}};
