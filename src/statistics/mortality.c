/* mortality.c - see mortality.h. Every group has a dense table of cells, one a combination of
 * categories: 102060 cells of two counts. The counts are taken in one pass; the fit of a group sees
 * its non-empty cells only, and puts the fitted probability back into the cells. */
#include "statistics/mortality.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "statistics/glm.h"

const unsigned hd_covariate_levels[HD_COVARIATES] = {21, 3, 3, 12, 3, 5, 3};
const char *const hd_covariate_names[HD_COVARIATES] = {
    "age", "sex", "method", "month", "charlson", "birth_weight", "year"};
enum { CELLS = 21 * 3 * 3 * 12 * 3 * 5 * 3, MAX_LEVELS = 21 };

unsigned hd_age_level(double age)
{
    if (age >= 7001 && age <= 7007)
        return 0;
    if (!(age >= 0 && age <= 120))
        return 20;
    if (age < 1)
        return 0;
    if (age < 5)
        return 1;
    return age >= 90 ? 19 : (unsigned)age / 5 + 1;
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

unsigned hd_charlson_level(double score)
{
    return score > 5 ? 2 : score > 0 ? 1 : 0;
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

struct hd_mortality {
    unsigned n_groups;
    cell *cells;   /* n_groups * CELLS */
    double *risks; /* the same */
    hd_mortality_group *groups;
};

static size_t cell_of(const hd_spells *s, size_t i)
{
    size_t at = 0;
    for (unsigned c = 0; c < HD_COVARIATES; c++)
        at = at * hd_covariate_levels[c] + s->covariate[c][i];
    return at;
}

static void levels_of(size_t at, unsigned level[HD_COVARIATES])
{
    for (unsigned c = HD_COVARIATES; c-- > 0; at /= hd_covariate_levels[c])
        level[c] = (unsigned)(at % hd_covariate_levels[c]);
}

/* How the levels of a covariate become columns within a group. */
typedef struct coding {
    unsigned merged[MAX_LEVELS]; /* level -> level that stands for it */
    int column[MAX_LEVELS];      /* of the design; -1: the reference, or not there */
} coding;

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
    coding codings[HD_COVARIATES];
} patterns;

static void code_levels(patterns *t, const cell *cells)
{
    t->p = 1;
    for (unsigned c = 0; c < HD_COVARIATES; c++) {
        double spells[MAX_LEVELS] = {0}, deaths[MAX_LEVELS] = {0};
        for (size_t i = 0; i < t->n; i++) {
            unsigned level[HD_COVARIATES];
            levels_of(t->at[i], level);
            spells[level[c]] += cells[t->at[i]].spells;
            deaths[level[c]] += cells[t->at[i]].deaths;
        }
        merge_levels(&t->codings[c], (hd_covariate)c, spells, deaths);
        number_columns(&t->codings[c], hd_covariate_levels[c], spells, &t->p);
    }
}

static void fill_design(patterns *t, const cell *cells)
{
    for (size_t i = 0; i < t->n; i++) {
        unsigned level[HD_COVARIATES];
        levels_of(t->at[i], level);
        for (unsigned c = 0; c < HD_COVARIATES; c++) {
            const coding *k = &t->codings[c];
            int column = k->column[k->merged[level[c]]];
            t->levels[i * HD_COVARIATES + c] = column < 0 ? HD_GLM_REFERENCE : (uint32_t)column;
        }
        t->events[i] = cells[t->at[i]].deaths;
        t->trials[i] = cells[t->at[i]].spells;
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

static hd_code find_patterns(patterns *t, const cell *cells, hd_mortality_group *g, hd_err *err)
{
    for (size_t i = 0; i < CELLS; i++)
        if (cells[i].spells) {
            t->n++;
            g->spells += cells[i].spells;
            g->deaths += cells[i].deaths;
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
    for (size_t i = 0, n = 0; i < CELLS; i++)
        if (cells[i].spells)
            t->at[n++] = (uint32_t)i;
    code_levels(t, cells);
    fill_design(t, cells);
    return HD_OK;
}

static hd_code fit_group(void *context, size_t group, hd_err *err)
{
    hd_mortality *m = context;
    hd_mortality_group *g = &m->groups[group];
    const cell *cells = m->cells + group * CELLS;
    double *risks = m->risks + group * CELLS;
    hd_glm_fit fit = {0};
    patterns t = {0};
    hd_code rc = HD_OK;
    g->c_statistic = NAN;
    HD_GO(find_patterns(&t, cells, g, err));
    g->patterns = t.n;
    if (is_degenerate(g->spells, g->deaths) || t.n == 0) {
        /* Nobody or everybody died: there is nothing to explain. */
        for (size_t i = 0; i < t.n; i++)
            risks[t.at[i]] = g->deaths > 0;
        g->expected = g->deaths;
        g->converged = true;
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
        risks[t.at[i]] = t.risk[i];
        g->expected += t.risk[i] * t.trials[i];
    }
    g->c_statistic = fit.c_statistic;
    g->coefficients = t.p - fit.aliased;
    g->iterations = fit.iterations;
    g->converged = fit.converged;
out:
    hd_glm_free(&fit);
    patterns_free(&t);
    return rc;
}

hd_code hd_mortality_fit(const hd_spells *s, unsigned n_groups, hd_mortality **out, hd_err *err)
{
    hd_code rc = HD_OK;
    if (n_groups == 0 || n_groups > 2000)
        return hd_fail(err, HD_LIMIT, "a mortality model takes 1 to 2000 diagnosis groups");
    hd_mortality *m = hd_calloc(1, sizeof *m);
    if (!m)
        return hd_fail_nomem(err);
    m->n_groups = n_groups;
    m->cells = hd_calloc((size_t)n_groups * CELLS, sizeof *m->cells);
    m->risks = hd_calloc((size_t)n_groups * CELLS, sizeof *m->risks);
    m->groups = hd_calloc(n_groups, sizeof *m->groups);
    if (!m->cells || !m->risks || !m->groups)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < s->n; i++) {
        HD_ALWAYS(s->group[i] < n_groups);
        cell *c = &m->cells[(size_t)s->group[i] * CELLS + cell_of(s, i)];
        c->spells++;
        c->deaths += s->died[i];
    }
    HD_GO(hd_par_run(n_groups, fit_group, m, err));
out:
    if (rc != HD_OK) {
        hd_mortality_free(m);
        return rc;
    }
    *out = m;
    return HD_OK;
}

void hd_mortality_free(hd_mortality *m)
{
    if (m) {
        hd_free(m->cells);
        hd_free(m->risks);
        hd_free(m->groups);
    }
    hd_free(m);
}

const hd_mortality_group *hd_mortality_groups(const hd_mortality *m)
{
    return m->groups;
}

double hd_mortality_risk(const hd_mortality *m, const hd_spells *s, size_t i)
{
    return m->risks[(size_t)s->group[i] * CELLS + cell_of(s, i)];
}
