/* stat_mortality.c - `hdis stat mortality-model`: spells in HES names to risks, observed and
 * expected deaths and a funnel of providers. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/csv.h"
#include "base/date.h"
#include "base/intern.h"
#include "cli/stat.h"
#include "statistics/funnel.h"
#include "statistics/mortality.h"

typedef struct work {
    int provider, group, diagnosis, died, age, sex, method, admitted, year, charlson, weight;
    hd_csv map;       /* --grouping: code, group */
    hd_intern *codes; /* of the map */
    uint32_t *code_group;
    hd_intern *groups, *providers;
    uint16_t *group_of;
    uint32_t *provider_of;
    uint8_t *levels[HD_COVARIATES], *dead;
    int *years;
    hd_mortality *model;
    hd_spells spells;
} work;

static void work_free(work *w)
{
    hd_csv_free(&w->map);
    hd_intern_free(w->codes);
    hd_free(w->code_group);
    hd_intern_free(w->groups);
    hd_intern_free(w->providers);
    hd_free(w->group_of);
    hd_free(w->provider_of);
    for (int c = 0; c < HD_COVARIATES; c++)
        hd_free(w->levels[c]);
    hd_free(w->dead);
    hd_free(w->years);
    hd_mortality_free(w->model);
}

static hd_code find_columns(hd_stat *s, work *w, hd_err *err)
{
    w->provider = hd_stat_column_of(s, "procode3");
    w->group = hd_stat_column_of(s, "diagnosis_group");
    w->diagnosis = hd_stat_column_of(s, "diag_01");
    w->died = hd_stat_column_of(s, "died");
    w->age = hd_stat_column_of(s, "startage");
    w->sex = hd_stat_column_of(s, "sex");
    w->method = hd_stat_column_of(s, "admimeth");
    w->admitted = hd_stat_column_of(s, "admidate");
    w->year = hd_stat_column_of(s, "year");
    w->charlson = hd_stat_column_of(s, "charlson");
    w->weight = hd_stat_column_of(s, "birweit");
    if (w->group < 0 && (w->diagnosis < 0 || !hd_stat_text(s, "grouping")))
        return hd_fail(err, HD_INVALID,
                       "a column diagnosis_group is needed, or diag_01 with --grouping FILE");
    return HD_OK;
}

static hd_code allocate(work *w, size_t n, hd_err *err)
{
    w->codes = hd_intern_new();
    w->groups = hd_intern_new();
    w->providers = hd_intern_new();
    w->group_of = hd_calloc(n + 1, sizeof *w->group_of);
    w->provider_of = hd_calloc(n + 1, sizeof *w->provider_of);
    w->dead = hd_calloc(n + 1, 1);
    w->years = hd_calloc(n + 1, sizeof *w->years);
    for (int c = 0; c < HD_COVARIATES; c++) {
        w->levels[c] = hd_calloc(n + 1, 1);
        if (!w->levels[c])
            return hd_fail_nomem(err);
    }
    return w->codes && w->groups && w->providers && w->group_of && w->provider_of && w->dead &&
                   w->years
               ? HD_OK
               : hd_fail_nomem(err);
}

static hd_code read_grouping(hd_stat *s, work *w, hd_err *err)
{
    const char *path = hd_stat_text(s, "grouping");
    if (!path || w->group >= 0)
        return HD_OK;
    HD_TRY(hd_csv_read_file(&w->map, path, 1 << 28, err));
    int code = hd_csv_column(&w->map, "code"), group = hd_csv_column(&w->map, "group");
    if (code < 0 || group < 0)
        return hd_fail(err, HD_INVALID, "the grouping needs the columns code and group");
    w->code_group = hd_calloc(w->map.n_rows + 1, sizeof *w->code_group);
    if (!w->code_group)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < w->map.n_rows; i++) {
        const char *text = hd_csv_cell(&w->map, i, code), *name = hd_csv_cell(&w->map, i, group);
        uint32_t before = hd_intern_count(w->codes), id;
        HD_TRY(hd_intern_add(w->codes, text, strlen(text), &id, err));
        if (hd_intern_count(w->codes) == before)
            return hd_fail(err, HD_INVALID, "row %zu of the grouping repeats a code", i + 1);
        HD_TRY(hd_intern_add(w->groups, name, strlen(name), &w->code_group[id], err));
    }
    return HD_OK;
}

/* By the first four characters of the code, else three; what the grouping does not know is
 * "residual". */
static hd_code group_of_row(hd_stat *s, work *w, size_t row, uint32_t *out, hd_err *err)
{
    if (w->group >= 0) {
        const char *text = hd_stat_cell(s, row, w->group);
        if (!*text)
            return hd_stat_refuse(s, row, w->group, err, "a diagnosis group is needed");
        return hd_intern_add(w->groups, text, strlen(text), out, err);
    }
    const char *code = hd_stat_cell(s, row, w->diagnosis);
    size_t len = strlen(code);
    for (size_t n = len < 4 ? len : 4; n >= 3; n--) {
        uint32_t id = hd_intern_find(w->codes, code, n);
        if (id != HD_INTERN_NONE) {
            *out = w->code_group[id];
            return HD_OK;
        }
    }
    return hd_intern_add(w->groups, "residual", 8, out, err);
}

static hd_code read_row(hd_stat *s, work *w, size_t i, hd_err *err)
{
    uint32_t group;
    double died, age, charlson, weight, year;
    int32_t date;
    HD_TRY(group_of_row(s, w, i, &group, err));
    if (group >= 2000)
        return hd_stat_refuse(s, i, w->group, err, "there are more than 2000 diagnosis groups");
    const char *provider = hd_stat_cell(s, i, w->provider);
    HD_TRY(hd_intern_add(w->providers, provider, strlen(provider), &w->provider_of[i], err));
    HD_TRY(hd_stat_number(s, i, w->died, &died, err));
    if (died != 0 && died != 1)
        return hd_stat_refuse(s, i, w->died, err, "must be 1 or 0");
    HD_TRY(hd_stat_number(s, i, w->age, &age, err));
    HD_TRY(hd_stat_number(s, i, w->charlson, &charlson, err));
    HD_TRY(hd_stat_number(s, i, w->weight, &weight, err));
    HD_TRY(hd_stat_number(s, i, w->year, &year, err));
    HD_TRY(hd_stat_date(s, i, w->admitted, &date, err));
    if (w->year >= 0 && !(year >= 1000 && year <= 9999))
        return hd_stat_refuse(s, i, w->year, err, "a year such as 2014 is needed");
    if (w->admitted >= 0 && date == HD_DATE_NONE)
        return hd_stat_refuse(s, i, w->admitted, err, "a date of admission is needed");
    w->group_of[i] = (uint16_t)group;
    w->dead[i] = died > 0;
    w->years[i] = w->year >= 0 ? (int)year : 0;
    w->levels[HD_COVARIATE_AGE][i] = (uint8_t)hd_age_level(age);
    w->levels[HD_COVARIATE_SEX][i] =
        (uint8_t)(w->sex < 0 ? 2 : hd_sex_level(hd_stat_cell(s, i, w->sex)));
    w->levels[HD_COVARIATE_METHOD][i] =
        (uint8_t)(w->method < 0 ? 1 : hd_method_level(hd_stat_cell(s, i, w->method)));
    w->levels[HD_COVARIATE_MONTH][i] =
        (uint8_t)(w->admitted < 0 ? 0 : hd_date_month_index(date) % 12);
    w->levels[HD_COVARIATE_CHARLSON][i] = (uint8_t)hd_charlson_level(charlson);
    w->levels[HD_COVARIATE_WEIGHT][i] = (uint8_t)hd_weight_level(weight);
    return HD_OK;
}

/* Birth weight counts in the groups of --birth-weight-groups only; years count back from the
 * latest. */
static hd_code finish_levels(hd_stat *s, work *w, size_t n, int *latest, hd_err *err)
{
    const char *list = hd_stat_text(s, "birth-weight-groups");
    uint8_t *weighs = hd_calloc((size_t)hd_intern_count(w->groups) + 1, 1);
    if (!weighs)
        return hd_fail_nomem(err);
    for (const char *p = list ? list : "117,118,119"; *p;) {
        size_t len = strcspn(p, ",");
        uint32_t id = hd_intern_find(w->groups, p, len);
        if (id != HD_INTERN_NONE)
            weighs[id] = 1;
        p += len + (p[len] == ',');
    }
    *latest = INT_MIN;
    for (size_t i = 0; i < n; i++)
        *latest = w->years[i] > *latest ? w->years[i] : *latest;
    hd_code rc = HD_OK;
    for (size_t i = 0; i < n && rc == HD_OK; i++) {
        if (!weighs[w->group_of[i]])
            w->levels[HD_COVARIATE_WEIGHT][i] = 0;
        if (*latest - w->years[i] > 2)
            rc = hd_stat_refuse(s, i, w->year, err, "is more than two years before the latest");
        else
            w->levels[HD_COVARIATE_YEAR][i] = (uint8_t)(*latest - w->years[i]);
    }
    hd_free(weighs);
    return rc;
}

static hd_code fit(hd_stat *s, work *w, int *latest, hd_err *err)
{
    size_t n = hd_stat_n_rows(s);
    HD_TRY(find_columns(s, w, err));
    HD_TRY(allocate(w, n, err));
    HD_TRY(read_grouping(s, w, err));
    for (size_t i = 0; i < n; i++)
        HD_TRY(read_row(s, w, i, err));
    if (n == 0)
        return hd_fail(err, HD_INVALID, "there are no spells");
    HD_TRY(finish_levels(s, w, n, latest, err));
    w->spells = (hd_spells){.n = n, .group = w->group_of, .died = w->dead};
    for (int c = 0; c < HD_COVARIATES; c++)
        w->spells.covariate[c] = w->levels[c];
    return hd_mortality_fit(&w->spells, hd_intern_count(w->groups), &w->model, err);
}

/* --- Results ---------------------------------------------------------------------------------- */

static hd_code put_risks(hd_stat *s, const work *w, hd_err *err)
{
    for (size_t i = 0; i < w->spells.n; i++) {
        hd_stat_keep_row(s, i);
        hd_stat_put(s, hd_mortality_risk(w->model, &w->spells, i));
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code put_name(hd_stat *s, const hd_intern *names, uint32_t id, hd_err *err)
{
    size_t len;
    const char *bytes = hd_intern_get(names, id, &len);
    char *text = hd_strndup(bytes, len);
    if (!text)
        return hd_fail_nomem(err);
    hd_stat_keep_row(s, 0);
    hd_stat_put_text(s, text);
    hd_free(text);
    return HD_OK;
}

static hd_code put_groups(hd_stat *s, const work *w, hd_err *err)
{
    const hd_mortality_group *g = hd_mortality_groups(w->model);
    for (uint32_t i = 0; i < hd_intern_count(w->groups); i++) {
        HD_TRY(put_name(s, w->groups, i, err));
        hd_stat_put(s, g[i].spells);
        hd_stat_put(s, g[i].deaths);
        hd_stat_put(s, g[i].expected);
        hd_stat_put(s, g[i].c_statistic);
        hd_stat_put_count(s, g[i].patterns);
        hd_stat_put_count(s, g[i].coefficients);
        hd_stat_put_count(s, (uint64_t)g[i].iterations);
        hd_stat_put_text(s, g[i].converged ? "" : "not converged");
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code put_provider(hd_stat *s, const work *w, uint32_t i, double spells,
                            const hd_funnel_unit *u, const hd_funnel_row *r,
                            const hd_funnel_summary *sum, unsigned n_levels, hd_err *err)
{
    HD_TRY(put_name(s, w->providers, i, err));
    hd_stat_put(s, spells);
    hd_stat_put(s, u->numerator);
    hd_stat_put(s, u->denominator);
    hd_stat_put(s, r->value);
    for (unsigned k = 0; k < n_levels; k++) {
        hd_stat_put(s, r->adjusted[k].lower);
        hd_stat_put(s, r->adjusted[k].upper);
        hd_stat_put(s, r->limits[k].lower);
        hd_stat_put(s, r->limits[k].upper);
    }
    hd_stat_put(s, sum->phi);
    hd_stat_put(s, sum->tau2);
    hd_stat_put_text(s, isnan(r->value) ? "" : hd_funnel_label(r->adjusted_status[0]));
    hd_stat_put_text(s, isnan(r->value) ? "no deaths are expected" : "");
    return hd_stat_end_row(s, err);
}

static hd_code put_providers(hd_stat *s, const work *w, bool all_years, hd_err *err)
{
    hd_code rc = HD_OK;
    const double *levels;
    hd_funnel_summary sum;
    size_t n = hd_intern_count(w->providers);
    hd_funnel_options o = hd_funnel_defaults(HD_FUNNEL_RATIO);
    hd_funnel_unit *units = hd_calloc(n + 1, sizeof *units);
    hd_funnel_row *rows = hd_calloc(n + 1, sizeof *rows);
    double *spells = hd_calloc(n + 1, sizeof *spells);
    if (!units || !rows || !spells)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < w->spells.n; i++) {
        if (!all_years && w->levels[HD_COVARIATE_YEAR][i] > 0)
            continue;
        uint32_t p = w->provider_of[i];
        spells[p]++;
        units[p].numerator += w->dead[i];
        units[p].denominator += hd_mortality_risk(w->model, &w->spells, i);
    }
    o.adjust = HD_FUNNEL_TRUNCATE;
    o.round_expected = true;
    o.n_levels = hd_stat_levels(s, &levels);
    memcpy(o.levels, levels, o.n_levels * sizeof *levels);
    HD_GO(hd_funnel(units, n, &o, rows, &sum, err));
    for (uint32_t i = 0; i < n; i++)
        HD_GO(put_provider(s, w, i, spells[i], &units[i], &rows[i], &sum, o.n_levels, err));
out:
    hd_free(units);
    hd_free(rows);
    hd_free(spells);
    return rc;
}

static hd_code run_mortality(hd_stat *s, hd_err *err)
{
    static const char *const outputs[] = {"providers", "risk", "groups", NULL};
    static const char *const results[] = {
        "provider spells observed expected value lower@,upper@,poisson_lower@,poisson_upper@ phi "
        "tau2 label reason",
        "risk",
        "group spells deaths expected c_statistic patterns coefficients iterations warning"};
    hd_code rc = HD_OK;
    work w = {0};
    int output, latest;
    HD_GO(hd_stat_choice(s, "output", outputs, 0, &output, err));
    HD_GO(hd_stat_header(s, output == 1 ? HD_STAT_KEEP_ALL : HD_STAT_KEEP_NONE, results[output],
                         err));
    HD_GO(fit(s, &w, &latest, err));
    HD_GO(output == 1   ? put_risks(s, &w, err)
          : output == 2 ? put_groups(s, &w, err)
                        : put_providers(s, &w, hd_stat_switch(s, "all-years"), err));
out:
    work_free(&w);
    return rc;
}

static const hd_stat_column columns[] = {
    {"procode3", true, "provider"},
    {"died", true, "1: died in hospital or within 30 days"},
    {"diagnosis_group", false, "or"},
    {"diag_01", false, "primary diagnosis, with --grouping"},
    {"startage", true, "age in years; 7001 to 7007 are under 1"},
    {"sex", false, "1, 2"},
    {"admimeth", false, "method of admission"},
    {"admidate", false, "for the month"},
    {"year", false, "up to three; the latest is scored"},
    {"charlson", false, "score (hdis stat charlson --map shmi --secondary-only)"},
    {"birweit", false, "birth weight in grams, used in --birth-weight-groups"},
    {0}};
static const hd_stat_option options[] = {
    {"grouping", "FILE", "columns code, group: diagnosis to group by 4, else 3 characters"},
    {"birth-weight-groups", "LIST", "groups in which birth weight counts; default 117,118,119"},
    {"all-years", NULL, "providers over all years instead of the latest"},
    {"output", "NAME", "providers (default), risk (of every spell), groups (the models)"},
    {0}};

const hd_stat_method hd_stat_mortality[] = {
    {.name = "mortality-model",
     .summary = "expected deaths from case mix, one logistic model a diagnosis group",
     .output = "provider, spells, observed, expected, value, lower, upper (over-dispersed), "
               "poisson_lower,\n"
               "  poisson_upper per level, phi, tau2, label, reason; or risk; or a row per group",
     .example =
         "hdis stat mortality-model --in spells.csv --grouping groups.csv --level 0.95,0.998",
     .input = HD_STAT_WHOLE,
     .columns = columns,
     .options = options,
     .run = run_mortality},
    {0}};
