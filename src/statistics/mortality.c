/* mortality.c - see mortality.h. Every group has a dense table of cells, one a combination of
 * categories: 20412 cells of two counts, five times as many where birth weight counts. The fit of a
 * group sees its non-empty cells only, and puts the fitted probability beside them. */
#include "statistics/mortality.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "statistics/glm.h"

const unsigned hd_covariate_levels[HD_COVARIATES] = {21, 3, 3, 12, 3, 5, 3};
const char *const hd_covariate_names[HD_COVARIATES] = {
    "age", "sex", "method", "month", "charlson", "birth_weight", "year"};
enum { CELLS = 21 * 3 * 3 * 12 * 3 * 3, MAX_LEVELS = 21, MAX_GROUPS = 2000, AHEAD = 16 };

const hd_bands hd_age_bands = {
    20, {0, 1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90}};
const hd_bands hd_charlson_bands = {3, {0, 1, 6}};

unsigned hd_band_of(const hd_bands *bands, double value)
{
    unsigned band = bands->n - 1;
    while (band > 0 && !(value >= bands->from[band]))
        band--;
    return band;
}

void hd_band_name(const hd_bands *bands, unsigned band, char out[32])
{
    unsigned from = bands->from[band];
    if (band + 1 == bands->n)
        snprintf(out, 32, "%u+", from);
    else if (bands->from[band + 1] == from + 1)
        snprintf(out, 32, "%u", from);
    else
        snprintf(out, 32, "%u-%u", from, bands->from[band + 1] - 1);
}

unsigned hd_age_level(double age, const hd_bands *bands)
{
    if (age >= 7001 && age <= 7007)
        return 0;
    if (!(age >= 0 && age <= 120))
        return 20;
    return hd_band_of(bands, age);
}

unsigned hd_sex_level(const char *sex)
{
    return strcmp(sex, "1") == 0 ? 0 : strcmp(sex, "2") == 0 ? 1 : 2;
}

unsigned hd_method_level(const char *m)
{
    if (m[0] == '1')
        return 0;
    if (m[0] == '\0' || strcmp(m, "99") == 0)
        return 1;
    return 2;
}

unsigned hd_weight_level(double grams)
{
    if (!(grams > 0) || grams > 9000)
        return 0;
    return grams < 1000 ? 1 : grams < 2500 ? 2 : grams < 4500 ? 3 : 4;
}

typedef struct cell {
    uint32_t spells, deaths;
} cell;

/* How the levels of a covariate become columns within a group. */
typedef struct coding {
    unsigned merged[MAX_LEVELS]; /* level -> level that stands for it */
    int column[MAX_LEVELS];      /* of the design; -1: the reference, or not there */
    double spells[MAX_LEVELS], deaths[MAX_LEVELS]; /* before merging */
} coding;

typedef struct group {
    bool birth_weight;
    cell *cells;
    double *risks; /* after the fit; NAN where there are no spells */
    coding codings[HD_COVARIATES];
    double *beta, *se; /* of the columns; NULL when there was nothing to fit */
} group;

struct hd_mortality {
    unsigned n_groups, latest;
    group *groups;
    hd_mortality_group *results;
};

static size_t n_cells(const group *g)
{
    return (size_t)CELLS * (g->birth_weight ? hd_covariate_levels[HD_COVARIATE_WEIGHT] : 1);
}

/* Birth weight is the slowest of the digits, so that without it only the first fifth is left. */
static const hd_covariate digits[HD_COVARIATES] = {
    HD_COVARIATE_WEIGHT, HD_COVARIATE_AGE,      HD_COVARIATE_SEX, HD_COVARIATE_METHOD,
    HD_COVARIATE_MONTH,  HD_COVARIATE_CHARLSON, HD_COVARIATE_YEAR};

uint32_t hd_mortality_cell(const uint8_t level[HD_COVARIATES], bool birth_weight)
{
    uint32_t at = birth_weight ? level[HD_COVARIATE_WEIGHT] : 0;
    for (unsigned c = 1; c < HD_COVARIATES; c++)
        at = at * hd_covariate_levels[digits[c]] + level[digits[c]];
    return at;
}

/* The year as years before the latest. */
static void levels_of(const hd_mortality *m, size_t at, unsigned level[HD_COVARIATES])
{
    for (unsigned c = HD_COVARIATES; c-- > 0; at /= hd_covariate_levels[digits[c]])
        level[digits[c]] = (unsigned)(at % hd_covariate_levels[digits[c]]);
    level[HD_COVARIATE_YEAR] = (m->latest + 3 - level[HD_COVARIATE_YEAR]) % 3;
}

static bool is_degenerate(double spells, double deaths)
{
    return spells > 0 && (deaths <= 0 || deaths >= spells);
}

static void move_level(coding *k, unsigned n, unsigned from, unsigned to, double *spells,
                       double *deaths)
{
    for (unsigned l = 0; l < n; l++)
        if (k->merged[l] == from)
            k->merged[l] = to;
    spells[to] += spells[from];
    deaths[to] += deaths[from];
    spells[from] = deaths[from] = 0;
}

/* Merge degenerate levels upwards (the last ones downwards) until none is left or only one level
 * is. */
static void merge_levels(coding *k, hd_covariate c, double *spells, double *deaths)
{
    unsigned n = hd_covariate_levels[c];
    for (unsigned l = 0; l < n; l++)
        k->merged[l] = l;
    bool bad = false;
    for (unsigned l = 0; l < n; l++)
        bad = bad || is_degenerate(spells[l], deaths[l]);
    if (c == HD_COVARIATE_MONTH && bad)
        for (unsigned l = 0; l < n; l++)
            if (l % 3)
                move_level(k, n, l, l - l % 3, spells, deaths);
    for (unsigned l = 0; l < n; l++) {
        if (!is_degenerate(spells[l], deaths[l]))
            continue;
        unsigned to = l + 1;
        while (to < n && spells[to] <= 0)
            to++;
        if (to == n) /* nothing above: the nearest below */
            for (to = l; to > 0 && (to == l || spells[to] <= 0); to--)
                ;
        if (to == l || spells[to] <= 0)
            break; /* the only level that is left */
        move_level(k, n, l, to, spells, deaths);
    }
}

/* The largest level is the reference. */
static void number_columns(coding *k, unsigned n, const double *spells, size_t *p)
{
    unsigned reference = 0;
    for (unsigned l = 1; l < n; l++)
        if (spells[l] > spells[reference])
            reference = l;
    for (unsigned l = 0; l < n; l++)
        k->column[l] = l != reference && spells[l] > 0 ? (int)(*p)++ : -1;
}

typedef struct patterns {
    size_t n, p;
    uint32_t *at;     /* cell of each */
    uint32_t *levels; /* n * HD_COVARIATES columns */
    double *ones, *events, *trials, *risk;
} patterns;

static void code_levels(const hd_mortality *m, patterns *t, group *g)
{
    const cell *cells = g->cells;
    t->p = 1;
    for (unsigned c = 0; c < HD_COVARIATES; c++) {
        double spells[MAX_LEVELS] = {0}, deaths[MAX_LEVELS] = {0};
        for (size_t i = 0; i < t->n; i++) {
            unsigned level[HD_COVARIATES];
            levels_of(m, t->at[i], level);
            spells[level[c]] += cells[t->at[i]].spells;
            deaths[level[c]] += cells[t->at[i]].deaths;
        }
        memcpy(g->codings[c].spells, spells, sizeof spells);
        memcpy(g->codings[c].deaths, deaths, sizeof deaths);
        merge_levels(&g->codings[c], (hd_covariate)c, spells, deaths);
        number_columns(&g->codings[c], hd_covariate_levels[c], spells, &t->p);
    }
}

static void fill_design(const hd_mortality *m, patterns *t, const group *g)
{
    for (size_t i = 0; i < t->n; i++) {
        unsigned level[HD_COVARIATES];
        levels_of(m, t->at[i], level);
        for (unsigned c = 0; c < HD_COVARIATES; c++) {
            const coding *k = &g->codings[c];
            int column = k->column[k->merged[level[c]]];
            t->levels[i * HD_COVARIATES + c] = column < 0 ? HD_GLM_REFERENCE : (uint32_t)column;
        }
        t->events[i] = g->cells[t->at[i]].deaths;
        t->trials[i] = g->cells[t->at[i]].spells;
    }
}

static void patterns_free(patterns *t)
{
    hd_free(t->at);
    hd_free(t->levels);
    hd_free(t->ones);
    hd_free(t->events);
    hd_free(t->trials);
    hd_free(t->risk);
}

static hd_code find_patterns(const hd_mortality *m, patterns *t, group *g, hd_mortality_group *r,
                             hd_err *err)
{
    for (size_t i = 0; i < n_cells(g); i++)
        if (g->cells[i].spells) {
            t->n++;
            r->spells += g->cells[i].spells;
            r->deaths += g->cells[i].deaths;
        }
    t->at = hd_calloc(t->n + 1, sizeof *t->at);
    t->events = hd_calloc(t->n + 1, sizeof *t->events);
    t->trials = hd_calloc(t->n + 1, sizeof *t->trials);
    t->risk = hd_calloc(t->n + 1, sizeof *t->risk);
    t->ones = hd_calloc(hd_glm_room(t->n, 1) + 1, sizeof *t->ones);
    t->levels = hd_calloc((t->n + 1) * HD_COVARIATES, sizeof *t->levels);
    if (!t->at || !t->events || !t->trials || !t->risk || !t->ones || !t->levels)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < hd_glm_room(t->n, 1); i++)
        t->ones[i] = 1;
    for (size_t i = 0, n = 0; i < n_cells(g); i++)
        if (g->cells[i].spells)
            t->at[n++] = (uint32_t)i;
    code_levels(m, t, g);
    fill_design(m, t, g);
    return HD_OK;
}

static hd_code fit_group(void *context, size_t which, hd_err *err)
{
    hd_mortality *m = context;
    hd_mortality_group *r = &m->results[which];
    group *g = &m->groups[which];
    hd_glm_fit fit = {0};
    patterns t = {0};
    hd_code rc = HD_OK;
    *r = (hd_mortality_group){.c_statistic = NAN};
    g->risks = hd_calloc(n_cells(g), sizeof *g->risks);
    if (!g->risks)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n_cells(g); i++)
        g->risks[i] = NAN;
    HD_GO(find_patterns(m, &t, g, r, err));
    r->patterns = t.n;
    if (is_degenerate(r->spells, r->deaths) || t.n == 0) {
        /* Nobody or everybody died: there is nothing to explain. */
        for (size_t i = 0; i < t.n; i++)
            g->risks[t.at[i]] = r->deaths > 0;
        r->expected = r->deaths;
        r->converged = true;
        goto out;
    }
    const hd_glm_data data = {.n = t.n,
                              .p = t.p,
                              .n_x = 1,
                              .n_levels = HD_COVARIATES,
                              .x = t.ones,
                              .levels = t.levels,
                              .y = t.events,
                              .trials = t.trials};
    HD_GO(hd_glm(&data, HD_BINOMIAL, &fit, err));
    HD_GO(hd_glm_fitted(&data, HD_BINOMIAL, &fit, t.risk, err));
    for (size_t i = 0; i < t.n; i++) {
        g->risks[t.at[i]] = t.risk[i];
        r->expected += t.risk[i] * t.trials[i];
    }
    r->c_statistic = fit.c_statistic;
    r->coefficients = t.p - fit.aliased;
    r->iterations = fit.iterations;
    r->converged = fit.converged;
    g->beta = fit.beta;
    g->se = fit.se;
    fit.beta = fit.se = NULL;
out:
    hd_glm_free(&fit);
    patterns_free(&t);
    return rc;
}

hd_mortality *hd_mortality_new(void)
{
    hd_mortality *m = hd_calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->groups = hd_calloc(MAX_GROUPS, sizeof *m->groups);
    m->results = hd_calloc(MAX_GROUPS, sizeof *m->results);
    if (m->groups && m->results)
        return m;
    hd_mortality_free(m);
    return NULL;
}

hd_code hd_mortality_add_group(hd_mortality *m, bool birth_weight, hd_err *err)
{
    if (m->n_groups == MAX_GROUPS)
        return hd_fail(err, HD_LIMIT, "there are more than %d diagnosis groups", MAX_GROUPS);
    group *g = &m->groups[m->n_groups];
    g->birth_weight = birth_weight;
    g->cells = hd_calloc(n_cells(g), sizeof *g->cells);
    if (!g->cells)
        return hd_fail_nomem(err);
    m->n_groups++;
    return HD_OK;
}

/* Cells lie far apart: those of the spells ahead are on their way while one is counted. */
void hd_mortality_count(hd_mortality *m, const hd_mortality_spell *spells, size_t n)
{
    for (size_t i = 0; i < n + AHEAD; i++) {
        if (i < n)
            __builtin_prefetch(&m->groups[spells[i].group].cells[spells[i].cell], 1);
        if (i < AHEAD)
            continue;
        const hd_mortality_spell *p = &spells[i - AHEAD];
        cell *c = &m->groups[p->group].cells[p->cell];
        __atomic_fetch_add(&c->spells, 1, __ATOMIC_RELAXED);
        if (p->died)
            __atomic_fetch_add(&c->deaths, 1, __ATOMIC_RELAXED);
    }
}

hd_code hd_mortality_fit(hd_mortality *m, int latest, hd_err *err)
{
    m->latest = (unsigned)(latest % 3);
    return hd_par_run(m->n_groups, fit_group, m, err);
}

void hd_mortality_free(hd_mortality *m)
{
    for (unsigned i = 0; m && i < m->n_groups; i++) {
        hd_free(m->groups[i].cells);
        hd_free(m->groups[i].risks);
        hd_free(m->groups[i].beta);
        hd_free(m->groups[i].se);
    }
    if (m) {
        hd_free(m->groups);
        hd_free(m->results);
    }
    hd_free(m);
}

const hd_mortality_group *hd_mortality_groups(const hd_mortality *m)
{
    return m->results;
}

double hd_mortality_risk(const hd_mortality *m, unsigned which, uint32_t at)
{
    return m->groups[which].risks[at];
}

hd_mortality_level hd_mortality_intercept(const hd_mortality *m, unsigned which)
{
    const group *g = &m->groups[which];
    const hd_mortality_group *r = &m->results[which];
    return (hd_mortality_level){.spells = r->spells,
                                .deaths = r->deaths,
                                .estimate = g->beta ? g->beta[0] : (double)NAN,
                                .se = g->se ? g->se[0] : (double)NAN};
}

unsigned hd_mortality_levels(const hd_mortality *m, unsigned which, hd_covariate covariate,
                             hd_mortality_level out[21])
{
    const group *g = &m->groups[which];
    const coding *k = &g->codings[covariate];
    unsigned n = 0;
    for (unsigned l = 0; l < hd_covariate_levels[covariate] && g->beta; l++) {
        if (k->spells[l] <= 0)
            continue;
        int column = k->column[k->merged[l]];
        bool known = column >= 0 && !isnan(g->se[column]);
        out[n++] = (hd_mortality_level){.level = l,
                                        .merged = k->merged[l],
                                        .spells = k->spells[l],
                                        .deaths = k->deaths[l],
                                        .estimate = known        ? g->beta[column]
                                                    : column < 0 ? 0
                                                                 : (double)NAN,
                                        .se = known ? g->se[column] : (double)NAN};
    }
    return n;
}
