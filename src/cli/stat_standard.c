/* stat_standard.c - `hdis stat` dsr, isr, inequality, life-table. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/intern.h"
#include "cli/stat.h"
#include "statistics/ageband.h"
#include "statistics/inequality.h"
#include "statistics/lifetable.h"
#include "statistics/standardise.h"

static void put_limits(hd_stat *s, const hd_limits *limits, unsigned n, double multiplier)
{
    for (unsigned k = 0; k < n; k++) {
        hd_stat_put(s, limits[k].lower * multiplier);
        hd_stat_put(s, limits[k].upper * multiplier);
    }
}

static void no_limits(hd_limits *limits)
{
    for (unsigned k = 0; k < HD_STAT_LEVELS; k++)
        limits[k] = (hd_limits){NAN, NAN};
}

static hd_code read_span(hd_stat *s, size_t row, int column, hd_age_span *out, hd_err *err)
{
    if (hd_age_span_of(hd_stat_cell(s, row, column), out))
        return HD_OK;
    return hd_stat_refuse(s, row, column, err,
                          "is not an age band such as 0-4, 5 to 9, <1, 90+, 85 and over");
}

/* --- Directly standardised rates -------------------------------------------------------------- */

typedef struct dsr_settings {
    int band, count, population, frequency, standard_column;
    int standard; /* hd_standard, or -1 when a column holds it */
    double multiplier, withhold;
} dsr_settings;

/* Room for the ages left out: a standard has at most 21 bands, so at most 11 gaps. */
enum { MISSING = 160 };

static hd_code dsr_read_settings(hd_stat *s, dsr_settings *d, hd_err *err)
{
    static const char *const standards[] = {"esp2013", "esp1976"};
    static const char *const names[] = {"standard", "standard_population", "stdpop"};
    const char *standard = hd_stat_text(s, "standard");
    d->band = hd_stat_column_of(s, "band");
    d->count = hd_stat_column_of(s, "count");
    d->population = hd_stat_column_of(s, "population");
    d->frequency = hd_stat_column_of(s, "event_frequency");
    d->standard = -1;
    d->standard_column = standard ? hd_stat_find(s, standard) : -1;
    for (int i = 0; standard && d->standard_column < 0 && i < 2; i++)
        if (strcmp(standard, standards[i]) == 0)
            d->standard = i;
    for (int i = 0; !standard && d->standard_column < 0 && i < 3; i++)
        d->standard_column = hd_stat_find(s, names[i]);
    if (d->standard_column < 0 && d->standard < 0)
        return hd_fail(err, HD_INVALID,
                       "no standard population: give its column or one of "
                       "esp2013, esp1976 with --standard");
    if (d->band < 0 && (d->standard >= 0 || d->frequency >= 0))
        return hd_fail(err, HD_INVALID, "a band column is needed here: name it with --band");
    HD_TRY(hd_stat_setting(s, "multiplier", 1e-12, 1e12, 100000, &d->multiplier, err));
    return hd_stat_setting(s, "withhold-below", 0, 1e12, 10, &d->withhold, err);
}

/* The band of a row of a group. */
typedef struct row_band {
    hd_age_span span;
    size_t at; /* position in the group */
} row_band;

static int by_span(const void *a, const void *b)
{
    const row_band *x = a, *y = b;
    if (x->span.first != y->span.first)
        return x->span.first < y->span.first ? -1 : 1;
    if (x->span.last != y->span.last)
        return x->span.last < y->span.last ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static void add_ages(char *text, size_t size, int first, int last)
{
    size_t n = strlen(text);
    if (last == INT_MAX)
        snprintf(text + n, size - n, "%s%d+", n ? ", " : "without ages ", first);
    else
        snprintf(text + n, size - n, "%s%d-%d", n ? ", " : "without ages ", first, last);
}

/* Bands, in order of age, must not overlap; `missing` tells which ages they leave out. */
static hd_code check_bands(hd_stat *s, const dsr_settings *d, const size_t *rows,
                           const row_band *bands, size_t n, char missing[MISSING], hd_err *err)
{
    int next = 0; /* first age that no band before has; -1 behind an open band */
    missing[0] = '\0';
    for (size_t k = 0; k < n; k++) {
        const hd_age_span *b = &bands[k].span;
        size_t row = rows[bands[k].at];
        bool same =
            k > 0 && b->first == bands[k - 1].span.first && b->last == bands[k - 1].span.last;
        if (same && d->frequency >= 0 &&
            strcmp(hd_stat_cell(s, row, d->band),
                   hd_stat_cell(s, rows[bands[k - 1].at], d->band)) == 0)
            continue;
        if (same)
            return hd_stat_refuse(s, row, d->band, err,
                                  "is there already: a group has a band once");
        if (next < 0 || b->first < next)
            return hd_stat_refuse(s, row, d->band, err, "overlaps another band of its group");
        if (b->first > next)
            add_ages(missing, MISSING, next, b->first - 1);
        next = b->last == INT_MAX ? -1 : b->last + 1;
    }
    if (next >= 0)
        add_ages(missing, MISSING, next, INT_MAX);
    return HD_OK;
}

static hd_code set_standard(hd_stat *s, const dsr_settings *d, const hd_stat_groups *g, size_t i,
                            hd_stratum *strata, char missing[MISSING], hd_err *err)
{
    const size_t *rows = &g->rows[g->start[i]];
    size_t n = g->start[i + 1] - g->start[i];
    hd_age_span *spans = hd_calloc(n + 1, sizeof *spans);
    row_band *bands = hd_calloc(n + 1, sizeof *bands);
    hd_code rc = HD_OK;
    if (!spans || !bands)
        HD_GO(hd_fail_nomem(err));
    for (size_t k = 0; k < n; k++)
        HD_GO(read_span(s, rows[k], d->band, &spans[k], err));
    hd_age_spans_close(spans, n);
    for (size_t k = 0; k < n; k++) {
        bands[k] = (row_band){spans[k], k};
        if (hd_standard_weight((hd_standard)d->standard, spans[k].first, spans[k].last,
                               &strata[k].standard, NULL) != HD_OK)
            HD_GO(hd_stat_refuse(s, rows[k], d->band, err,
                                 "does not begin and end where bands of the standard do"));
    }
    qsort(bands, n, sizeof *bands, by_span);
    HD_GO(check_bands(s, d, rows, bands, n, missing, err));
out:
    hd_free(spans);
    hd_free(bands);
    return rc;
}

/* Mark the first row of every band of a group; later ones must repeat its population and standard,
 * for the band has one of each. */
static hd_code mark_bands(hd_stat *s, const dsr_settings *d, const hd_stat_groups *g, size_t i,
                          hd_stratum *strata, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t from = g->start[i], n = g->start[i + 1] - from;
    hd_intern *bands = hd_intern_new();
    const hd_stratum **first = hd_calloc(n + 1, sizeof *first);
    if (!bands || !first)
        HD_GO(hd_fail_nomem(err));
    for (size_t k = 0; k < n; k++) {
        uint32_t before = hd_intern_count(bands), id;
        size_t row = g->rows[from + k];
        const char *text = hd_stat_cell(s, row, d->band);
        HD_GO(hd_intern_add(bands, text, strlen(text), &id, err));
        strata[k].first_of_band = hd_intern_count(bands) > before;
        if (strata[k].first_of_band)
            first[id] = &strata[k];
        if (strata[k].population != first[id]->population)
            HD_GO(hd_stat_refuse(s, row, d->population, err,
                                 "the population differs within its band"));
        if (d->standard_column >= 0 && strata[k].standard != first[id]->standard)
            HD_GO(hd_stat_refuse(s, row, d->standard_column, err,
                                 "the standard population differs within its band"));
    }
out:
    hd_free(first);
    hd_intern_free(bands);
    return rc;
}

static hd_code read_strata(hd_stat *s, const dsr_settings *d, const hd_stat_groups *g, size_t i,
                           hd_stratum *strata, char missing[MISSING], hd_err *err)
{
    missing[0] = '\0';
    for (size_t k = 0; k < g->start[i + 1] - g->start[i]; k++) {
        size_t row = g->rows[g->start[i] + k];
        hd_stratum *t = &strata[k];
        *t = (hd_stratum){.frequency = 1, .first_of_band = true};
        HD_TRY(hd_stat_count(s, row, d->count, &t->count, err));
        HD_TRY(hd_stat_count(s, row, d->population, &t->population, err));
        HD_TRY(hd_stat_count(s, row, d->standard_column, &t->standard, err));
        if (!(t->population > 0))
            return hd_stat_refuse(s, row, d->population, err, "the band has no population");
        if (d->standard_column >= 0 && isnan(t->standard))
            return hd_stat_refuse(s, row, d->standard_column, err, "a standard is needed");
        if (d->frequency >= 0) {
            HD_TRY(hd_stat_count(s, row, d->frequency, &t->frequency, err));
            if (isnan(t->frequency))
                return hd_stat_refuse(s, row, d->frequency, err, "a frequency is needed");
        }
        if (isnan(t->count))
            t->count = 0; /* as the national tool: a blank count of a band is no event */
    }
    if (d->standard >= 0)
        HD_TRY(set_standard(s, d, g, i, strata, missing, err));
    return d->frequency >= 0 ? mark_bands(s, d, g, i, strata, err) : HD_OK;
}

static hd_code put_dsr(hd_stat *s, const dsr_settings *d, const hd_dsr *r, const char *missing,
                       hd_err *err)
{
    const double *levels;
    unsigned n_levels = hd_stat_levels(s, &levels);
    hd_limits limits[HD_STAT_LEVELS];
    bool withheld = r->events < d->withhold;
    no_limits(limits);
    for (unsigned k = 0; !withheld && k < n_levels; k++)
        HD_TRY(hd_dsr_limits(r, levels[k], &limits[k], err));
    hd_stat_put(s, r->events);
    hd_stat_put(s, r->population);
    hd_stat_put(s, withheld ? (double)NAN : r->value * d->multiplier);
    put_limits(s, limits, n_levels, d->multiplier);
    hd_stat_put(s, withheld);
    const char *why = withheld ? "too few events" : r->events > 0 ? "" : "no events: no limits";
    char reason[MISSING + 32];
    snprintf(reason, sizeof reason, "%s%s%s", why, *why && *missing ? "; " : "", missing);
    hd_stat_put_text(s, reason);
    return hd_stat_end_row(s, err);
}

static hd_code run_dsr(hd_stat *s, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    dsr_settings d;
    hd_stratum *strata = hd_calloc(hd_stat_n_rows(s) + 1, sizeof *strata);
    if (!strata)
        return hd_fail_nomem(err);
    HD_GO(dsr_read_settings(s, &d, err));
    HD_GO(hd_stat_header(s, HD_STAT_KEEP_GROUPS,
                         "total_count total_pop value lower@,upper@ withheld reason", err));
    HD_GO(hd_stat_group(s, &g, err));
    for (size_t i = 0; i < g.n; i++) {
        hd_dsr r = {0};
        char missing[MISSING];
        size_t first = g.rows[g.start[i]];
        HD_GO(read_strata(s, &d, &g, i, strata, missing, err));
        if (hd_dsr_of(strata, g.start[i + 1] - g.start[i], &r, err) != HD_OK)
            HD_GO(hd_context(err, "the group of row %zu", first + 1));
        hd_stat_keep_row(s, first);
        HD_GO(put_dsr(s, &d, &r, missing, err));
    }
out:
    hd_stat_groups_free(&g);
    hd_free(strata);
    return rc;
}

static const hd_stat_column dsr_columns[] = {
    {"band", false,
     "age band or other stratum; needed with --standard esp2013 and event_frequency.\n             "
     "      "
     "With esp2013 and esp1976 its label says which ages it has: 5-9, 5 to 9, <1,\n                "
     "   "
     "under 5, 90+, 85 and over. Where no label has a last age, 0 1 5 10 ... are\n                 "
     "  "
     "first ages and the last band is open; beside labels that have one, a single\n                "
     "   "
     "number is one year of age. reason names ages without a band"},
    {"count", true, "events, or people with event_frequency events each"},
    {"population", true, "people in the band; above 0"},
    {"event_frequency", false, "events a person of this row had; then a band has a row for each"},
    {0}};
static const hd_stat_option dsr_options[] = {
    {"standard", "NAME",
     "column of the standard population (default: standard, "
     "standard_population, stdpop), or esp2013, esp1976"},
    {"multiplier", "M", "rates are per this many; default 100000"},
    {"withhold-below", "N", "no rate below this many events in all; default 10"},
    {0}};

/* --- Indirectly standardised rates and ratios ------------------------------------------------- */

typedef struct isr_settings {
    int count, population, reference_count, reference_population, observed;
    int kind, method;
    double multiplier, reference_rate;
} isr_settings;

static hd_code isr_read_settings(hd_stat *s, isr_settings *d, hd_err *err)
{
    static const char *const kinds[] = {"ratio", "rate", NULL};
    static const char *const methods[] = {"phe", "byar", "exact", NULL};
    d->count = hd_stat_column_of(s, "count");
    d->population = hd_stat_column_of(s, "population");
    d->reference_count = hd_stat_column_of(s, "reference_count");
    d->reference_population = hd_stat_column_of(s, "reference_population");
    d->observed = hd_stat_column_of(s, "observed");
    if (d->count < 0 && d->observed < 0)
        return hd_fail(err, HD_INVALID, "a column count, or observed with totals, is needed");
    HD_TRY(hd_stat_choice(s, "kind", kinds, 0, &d->kind, err));
    HD_TRY(hd_stat_choice(s, "method", methods, 0, &d->method, err));
    HD_TRY(
        hd_stat_setting(s, "multiplier", 1e-12, 1e12, d->kind ? 100000 : 1, &d->multiplier, err));
    return hd_stat_setting(s, "reference-rate", 0, 1e12, (double)NAN, &d->reference_rate, err);
}

/* The total observed stands in every row of its group and must be the same there. */
static hd_code read_isr(hd_stat *s, const isr_settings *d, const hd_stat_groups *g, size_t i,
                        hd_isr_stratum *strata, double *observed, bool *missing, hd_err *err)
{
    *observed = NAN;
    *missing = false;
    for (size_t k = 0; k < g->start[i + 1] - g->start[i]; k++) {
        size_t row = g->rows[g->start[i] + k];
        hd_isr_stratum *t = &strata[k];
        double total;
        HD_TRY(hd_stat_count(s, row, d->count, &t->count, err));
        HD_TRY(hd_stat_count(s, row, d->population, &t->population, err));
        HD_TRY(hd_stat_count(s, row, d->reference_count, &t->reference_count, err));
        HD_TRY(hd_stat_count(s, row, d->reference_population, &t->reference_population, err));
        HD_TRY(hd_stat_count(s, row, d->observed, &total, err));
        if (isnan(t->population)) {
            if (t->reference_count > 0)
                return hd_stat_refuse(s, row, d->population, err, "the band has no population");
            t->population = 0; /* nothing is expected of it either way */
        }
        if (isnan(t->count))
            t->count = 0; /* as the national tool: a blank count of a band is no event */
        if (!(t->reference_population > 0) && t->population > 0)
            return hd_stat_refuse(s, row, d->reference_population, err,
                                  "the band has no reference population");
        if (d->observed >= 0 && k > 0 && total != *observed && !isnan(total))
            return hd_stat_refuse(s, row, d->observed, err,
                                  "the total observed differs within its group");
        *observed = total;
        if (d->observed >= 0)
            t->count = 0;
        *missing |= d->observed >= 0 && isnan(total);
    }
    return HD_OK;
}

static hd_code put_isr(hd_stat *s, const isr_settings *d, const hd_isr *r, bool missing,
                       hd_err *err)
{
    static const char *const used[] = {"", "byar", "exact"};
    const double *levels;
    unsigned n_levels = hd_stat_levels(s, &levels);
    hd_limits limits[HD_STAT_LEVELS];
    double reference =
        isnan(d->reference_rate) ? r->reference_rate * d->multiplier : d->reference_rate;
    double scale = (d->kind ? reference : d->multiplier) / r->expected;
    hd_count_method method = (hd_count_method)d->method;
    no_limits(limits);
    for (unsigned k = 0; !missing && k < n_levels; k++)
        HD_TRY(hd_count_limits(method, r->observed, levels[k], &limits[k], err));
    hd_stat_put(s, missing ? (double)NAN : r->observed);
    hd_stat_put(s, r->expected);
    hd_stat_put(s, d->kind ? reference : (double)NAN);
    hd_stat_put(s, missing ? (double)NAN : r->observed * scale);
    put_limits(s, limits, n_levels, scale);
    hd_stat_put_text(s, missing ? "" : used[hd_count_method_used(method, r->observed)]);
    hd_stat_put_text(s, missing ? "the observed count is missing" : "");
    return hd_stat_end_row(s, err);
}

static hd_code run_isr(hd_stat *s, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    isr_settings d;
    hd_isr_stratum *strata = hd_calloc(hd_stat_n_rows(s) + 1, sizeof *strata);
    if (!strata)
        return hd_fail_nomem(err);
    HD_GO(isr_read_settings(s, &d, err));
    HD_GO(hd_stat_header(s, HD_STAT_KEEP_GROUPS,
                         "observed expected reference_rate value lower@,upper@ method reason",
                         err));
    HD_GO(hd_stat_group(s, &g, err));
    for (size_t i = 0; i < g.n; i++) {
        hd_isr r;
        double observed;
        bool missing;
        size_t first = g.rows[g.start[i]];
        HD_GO(read_isr(s, &d, &g, i, strata, &observed, &missing, err));
        if (hd_isr_of(strata, g.start[i + 1] - g.start[i], observed, &r, err) != HD_OK)
            HD_GO(hd_context(err, "the group of row %zu", first + 1));
        hd_stat_keep_row(s, first);
        HD_GO(put_isr(s, &d, &r, missing, err));
    }
out:
    hd_stat_groups_free(&g);
    hd_free(strata);
    return rc;
}

static const hd_stat_column isr_columns[] = {
    {"count", false, "observed events of the band"},
    {"observed", false,
     "observed events of the whole group, instead of count; the same in its rows"},
    {"population", true, "people in the band; 0 is allowed"},
    {"reference_count", true, "events of the band in the reference population; blank is 0"},
    {"reference_population", true, "people of the band there"},
    {0}};
static const hd_stat_option isr_options[] = {
    {"kind", "NAME", "ratio (default: observed over expected), rate (times the reference rate)"},
    {"multiplier", "M", "default 1 for a ratio, 100000 for a rate"},
    {"method", "NAME", "phe (default: exact below 10 events, Byar from 10), byar, exact"},
    {"reference-rate", "R", "reference rate per multiplier, instead of that of the columns"},
    {0}};

/* --- Slope and relative index of inequality --------------------------------------------------- */

typedef struct inequality_row {
    double quantile;
    hd_inequality_point point;
} inequality_row;

typedef struct inequality_settings {
    int quantile, population, value, lower, upper, se;
    int kind;
    bool transform, only_point;
    double multiplier, repetitions, seed;
} inequality_settings;

static hd_code inequality_read_settings(hd_stat *s, inequality_settings *d, hd_err *err)
{
    static const char *const kinds[] = {"plain", "rate", "proportion", NULL};
    d->quantile = hd_stat_column_of(s, "quantile");
    d->population = hd_stat_column_of(s, "population");
    d->value = hd_stat_column_of(s, "value");
    d->lower = hd_stat_column_of(s, "lower");
    d->upper = hd_stat_column_of(s, "upper");
    d->se = hd_stat_column_of(s, "se");
    d->transform = hd_stat_switch(s, "transform");
    d->only_point = d->se < 0 && (d->lower < 0 || d->upper < 0);
    HD_TRY(hd_stat_choice(s, "kind", kinds, 0, &d->kind, err));
    HD_TRY(hd_stat_setting(s, "multiplier", -1e12, 1e12, 1, &d->multiplier, err));
    HD_TRY(hd_stat_setting(s, "repetitions", 100, 1e8, 100000, &d->repetitions, err));
    return hd_stat_setting(s, "seed", 0, 9e15, 1, &d->seed, err);
}

static hd_code read_inequality_row(hd_stat *s, const inequality_settings *d, size_t row,
                                   inequality_row *r, hd_err *err)
{
    double lower, upper;
    HD_TRY(hd_stat_count(s, row, d->quantile, &r->quantile, err));
    HD_TRY(hd_stat_count(s, row, d->population, &r->point.population, err));
    HD_TRY(hd_stat_number(s, row, d->value, &r->point.value, err));
    HD_TRY(hd_stat_number(s, row, d->lower, &lower, err));
    HD_TRY(hd_stat_number(s, row, d->upper, &upper, err));
    HD_TRY(hd_stat_count(s, row, d->se, &r->point.se, err));
    if (isnan(r->quantile))
        return hd_stat_refuse(s, row, d->quantile, err, "a quantile is needed");
    if (!(r->point.population > 0))
        return hd_stat_refuse(s, row, d->population, err, "a population above 0 is needed");
    if (isnan(r->point.value))
        return hd_stat_refuse(s, row, d->value, err, "a value is needed in every quantile");
    if (d->only_point)
        return HD_OK;
    if (!isnan(lower) && !isnan(upper) &&
        hd_inequality_se((hd_inequality_kind)d->kind, lower, upper, &r->point.se, err) != HD_OK)
        return hd_stat_at(s, row, err);
    if (isnan(r->point.se))
        return hd_stat_refuse(s, row, d->value, err, "has neither limits nor a standard error");
    return HD_OK;
}

static int by_quantile(const void *a, const void *b)
{
    double x = ((const inequality_row *)a)->quantile, y = ((const inequality_row *)b)->quantile;
    return (x > y) - (x < y);
}

/* With a negative multiplier high is good: the slope changes its sign and the ratio is inverted. */
static hd_code put_inequality(hd_stat *s, const inequality_settings *d,
                              const hd_inequality_point *p, size_t n, hd_err *err)
{
    const double *levels;
    unsigned n_levels = hd_stat_levels(s, &levels);
    hd_limits sii[HD_STAT_LEVELS], rii[HD_STAT_LEVELS];
    hd_inequality r;
    hd_inequality_kind kind = (hd_inequality_kind)d->kind;
    double m = d->multiplier;
    no_limits(sii);
    no_limits(rii);
    HD_TRY(hd_inequality_fit(p, n, kind, d->transform, &r, err));
    if (!d->only_point)
        HD_TRY(hd_inequality_limits(p, n, kind, d->transform, (size_t)d->repetitions,
                                    (uint64_t)d->seed, levels, n_levels, sii, rii, err));
    hd_stat_put(s, r.sii * m);
    hd_stat_put(s, m < 0 ? 1 / r.rii : r.rii);
    hd_stat_put(s, r.intercept);
    for (unsigned k = 0; k < n_levels; k++) {
        hd_limits a = sii[k], b = rii[k];
        hd_stat_put(s, (m < 0 ? a.upper : a.lower) * m);
        hd_stat_put(s, (m < 0 ? a.lower : a.upper) * m);
        hd_stat_put(s, m < 0 ? 1 / b.upper : b.lower);
        hd_stat_put(s, m < 0 ? 1 / b.lower : b.upper);
    }
    return hd_stat_end_row(s, err);
}

static hd_code run_inequality(hd_stat *s, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    inequality_settings d;
    size_t n = hd_stat_n_rows(s);
    inequality_row *rows = hd_calloc(n + 1, sizeof *rows);
    hd_inequality_point *p = hd_calloc(n + 1, sizeof *p);
    if (!rows || !p)
        HD_GO(hd_fail_nomem(err));
    HD_GO(inequality_read_settings(s, &d, err));
    HD_GO(hd_stat_header(s, HD_STAT_KEEP_GROUPS,
                         "sii rii intercept sii_lower@,sii_upper@,rii_lower@,rii_upper@", err));
    HD_GO(hd_stat_group(s, &g, err));
    for (size_t i = 0; i < g.n; i++) {
        size_t from = g.start[i], m = g.start[i + 1] - from;
        for (size_t k = 0; k < m; k++)
            HD_GO(read_inequality_row(s, &d, g.rows[from + k], &rows[k], err));
        qsort(rows, m, sizeof *rows, by_quantile);
        for (size_t k = 0; k < m; k++) {
            p[k] = rows[k].point;
            if (k > 0 && rows[k].quantile == rows[k - 1].quantile)
                HD_GO(hd_stat_refuse(s, g.rows[from], d.quantile, err,
                                     "a quantile occurs twice in the group of this row"));
            if (rows[k].quantile != (double)k + 1)
                HD_GO(hd_stat_refuse(s, g.rows[from], d.quantile, err,
                                     "the quantiles of the group of this row are not 1, 2, 3 and "
                                     "so on: one is missing"));
        }
        hd_stat_keep_row(s, g.rows[from]);
        if (put_inequality(s, &d, p, m, err) != HD_OK)
            HD_GO(hd_stat_at(s, g.rows[from], err));
    }
out:
    hd_stat_groups_free(&g);
    hd_free(rows);
    hd_free(p);
    return rc;
}

static const hd_stat_column inequality_columns[] = {
    {"quantile", true, "1, the most deprived, 2, 3, none missing"},
    {"population", true, "people in the quantile"},
    {"value", true, "the indicator there; proportions as fractions of 1"},
    {"lower", false, "its lower 95% limit"},
    {"upper", false, "its upper 95% limit"},
    {"se", false,
     "or its standard error: of the logarithm of a rate, of the logit of a proportion"},
    {0}};
static const hd_stat_option inequality_options[] = {
    {"kind", "NAME", "plain (default), rate, proportion: on which scale values vary"},
    {"transform", NULL, "fit on the logarithm of rates, the logit of proportions"},
    {"multiplier", "M", "multiplies sii; negative where high is good: rii is then inverted"},
    {"repetitions", "N", "simulated draws for the limits; default 100000"},
    {"seed", "N", "of the simulation; default 1"},
    {0}};

/* --- Life expectancy -------------------------------------------------------------------------- */

typedef struct life_settings {
    int age, population, deaths;
    int ages[64];
    size_t n_ages; /* 0: any */
    double least, widest;
} life_settings;

static hd_code life_read_settings(hd_stat *s, life_settings *d, hd_err *err)
{
    const char *bands = hd_stat_text(s, "bands");
    double list[64];
    d->age = hd_stat_column_of(s, "age");
    d->population = hd_stat_column_of(s, "population");
    d->deaths = hd_stat_column_of(s, "deaths");
    d->n_ages = 20;
    memcpy(d->ages, hd_life_ages, sizeof hd_life_ages);
    if (bands && strcmp(bands, "any") == 0)
        d->n_ages = 0;
    else if (bands && !hd_stat_parse_list(bands, ',', list, 64, &d->n_ages))
        return hd_fail(err, HD_INVALID, "--bands must be a list of ages such as 0,1,5,10 or any");
    for (size_t i = 0; bands && i < d->n_ages; i++)
        d->ages[i] = (int)fmin(list[i], 1000);
    HD_TRY(hd_stat_setting(s, "least-population", 0, 1e12, 5000, &d->least, err));
    return hd_stat_setting(s, "widest", 0, 1e6, 20, &d->widest, err);
}

static int by_age(const void *a, const void *b)
{
    const hd_life_band *x = a, *y = b;
    return (x->age > y->age) - (x->age < y->age);
}

static size_t position_of_age(const hd_life_band *bands, size_t n, int age)
{
    const hd_life_band key = {.age = age};
    const hd_life_band *at = bsearch(&key, bands, n, sizeof *bands, by_age);
    return (size_t)(at - bands);
}

static hd_code put_life(hd_stat *s, const life_settings *d, const hd_life_row *row,
                        const char *reason, hd_err *err)
{
    const double *levels;
    unsigned n_levels = hd_stat_levels(s, &levels);
    hd_limits limits[HD_STAT_LEVELS], wide = {NAN, NAN};
    no_limits(limits);
    if (!*reason) {
        HD_TRY(hd_life_limits(row, 0.95, &wide, err));
        if (wide.upper - wide.lower > d->widest)
            reason = "the 95% interval is too wide";
    }
    bool withheld = *reason != '\0';
    for (unsigned k = 0; !withheld && k < n_levels; k++)
        HD_TRY(hd_life_limits(row, levels[k], &limits[k], err));
    hd_stat_put(s, withheld ? (double)NAN : row->value);
    put_limits(s, limits, n_levels, 1);
    hd_stat_put(s, withheld);
    hd_stat_put_text(s, reason);
    return hd_stat_end_row(s, err);
}

static hd_code life_of_group(hd_stat *s, const life_settings *d, const size_t *rows, size_t n,
                             hd_life_band *bands, hd_life_row *out, hd_err *err)
{
    hd_age_span span;
    for (size_t k = 0; k < n; k++) {
        HD_TRY(read_span(s, rows[k], d->age, &span, err));
        bands[k].age = span.first;
        HD_TRY(hd_stat_number(s, rows[k], d->population, &bands[k].population, err));
        HD_TRY(hd_stat_number(s, rows[k], d->deaths, &bands[k].deaths, err));
    }
    qsort(bands, n, sizeof *bands, by_age);
    hd_life_refusal refusal =
        hd_life_table(bands, n, d->n_ages ? d->ages : NULL, d->n_ages, d->least, out);
    for (size_t k = 0; k < n && refusal == HD_LIFE_OK; k++) {
        HD_TRY(read_span(s, rows[k], d->age, &span, err));
        size_t at = position_of_age(bands, n, span.first);
        if (!span.bare && span.last != (at + 1 < n ? bands[at + 1].age - 1 : INT_MAX))
            refusal = HD_LIFE_WIDTH;
    }
    for (size_t k = 0; k < n; k++) {
        HD_TRY(read_span(s, rows[k], d->age, &span, err));
        hd_stat_keep_row(s, rows[k]);
        HD_TRY(put_life(s, d, &out[position_of_age(bands, n, span.first)], hd_life_reason(refusal),
                        err));
    }
    return HD_OK;
}

static hd_code run_life(hd_stat *s, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    life_settings d;
    size_t n = hd_stat_n_rows(s);
    hd_life_band *bands = hd_calloc(n + 1, sizeof *bands);
    hd_life_row *out = hd_calloc(n + 1, sizeof *out);
    if (!bands || !out)
        HD_GO(hd_fail_nomem(err));
    HD_GO(life_read_settings(s, &d, err));
    HD_GO(hd_stat_header(s, HD_STAT_KEEP_ALL, "value lower@,upper@ withheld reason", err));
    HD_GO(hd_stat_group(s, &g, err));
    for (size_t i = 0; i < g.n; i++)
        HD_GO(life_of_group(s, &d, &g.rows[g.start[i]], g.start[i + 1] - g.start[i], bands, out,
                            err));
out:
    hd_stat_groups_free(&g);
    hd_free(bands);
    hd_free(out);
    return rc;
}

static const hd_stat_column life_columns[] = {
    {"age", true, "first age of the band (0, 1, 5, ... 90), or its label (<1, 5-9, 90+)"},
    {"population", true, "people in the band"},
    {"deaths", true, "deaths in the band"},
    {0}};
static const hd_stat_option life_options[] = {
    {"bands", "LIST", "the first ages that must be there; default 0,1,5,...,90; or any"},
    {"least-population", "N", "nothing is given for a smaller population; default 5000"},
    {"widest", "YEARS", "a value is withheld where its 95% interval is wider; default 20"},
    {0}};

const hd_stat_method hd_stat_standard[] = {
    {.name = "dsr",
     .summary = "directly standardised rates with Dobson's limits",
     .output = "total_count, total_pop, value, lower and upper per level, withheld, reason",
     .example = "hdis stat dsr --in deaths.csv --group area --band ageband --standard esp2013",
     .default_group = "group",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .levels = true,
     .columns = dsr_columns,
     .options = dsr_options,
     .run = run_dsr},
    {.name = "isr",
     .summary = "indirectly standardised ratios and rates",
     .output =
         "observed, expected, reference_rate, value, lower and upper per level, method, reason",
     .example = "hdis stat isr --in deaths.csv --group area --kind rate --level 0.95,0.998",
     .default_group = "group",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .levels = true,
     .columns = isr_columns,
     .options = isr_options,
     .run = run_isr},
    {.name = "inequality",
     .summary = "slope and relative index of inequality",
     .output = "sii, rii, intercept, sii_lower, sii_upper, rii_lower, rii_upper per level",
     .example = "hdis stat inequality --in deciles.csv --group area --kind rate --transform",
     .default_group = "group",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .levels = true,
     .columns = inequality_columns,
     .options = inequality_options,
     .run = run_inequality},
    {.name = "life-table",
     .summary = "life expectancy by an abridged life table",
     .output = "value, lower and upper per level, withheld, reason",
     .example = "hdis stat life-table --in deaths.csv --group area --level 0.95,0.998",
     .default_group = "group",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .levels = true,
     .columns = life_columns,
     .options = life_options,
     .run = run_life},
    {0}};
