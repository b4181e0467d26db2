/* stat_models.c - `hdis stat glm`: categorical and numeric terms to a design, the fit, its tables.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/intern.h"
#include "cli/stat.h"
#include "statistics/glm.h"
#include "statistics/interval.h"

static const char *const families[] = {"binomial", "poisson", "negative-binomial", NULL};

typedef struct term {
    char name[200];
    int column;
    bool categorical;
    char reference[200]; /* "" until chosen */
    hd_intern *levels;
    uint32_t *order;     /* level ids by name */
    uint32_t *column_of; /* level id -> column of the design; UINT32_MAX for the reference */
    uint32_t *row_level; /* level id of every row */
    double *values;      /* numeric */
    size_t first;        /* column of the design */
} term;

typedef struct model {
    term terms[128];
    size_t n_terms, p;
    char (*names)[420]; /* term and level of every column: "sex", "sex\n2" */
    double *x, *y, *trials, *weights, *offset;
    bool *fits;  /* the row is part of the fit */
    bool *known; /* the row has all terms */
} model;

static void model_free(model *m)
{
    for (size_t i = 0; i < m->n_terms; i++) {
        hd_intern_free(m->terms[i].levels);
        hd_free(m->terms[i].order);
        hd_free(m->terms[i].column_of);
        hd_free(m->terms[i].row_level);
        hd_free(m->terms[i].values);
    }
    hd_free(m->names);
    hd_free(m->x);
    hd_free(m->y);
    hd_free(m->trials);
    hd_free(m->weights);
    hd_free(m->offset);
    hd_free(m->fits);
    hd_free(m->known);
}

/* A list "age,sex=M" into terms. */
static hd_code add_terms(hd_stat *s, model *m, const char *text, bool categorical, hd_err *err)
{
    while (text && *text) {
        if (m->n_terms == sizeof m->terms / sizeof *m->terms)
            return hd_fail(err, HD_LIMIT, "a model takes at most 128 terms");
        term *t = &m->terms[m->n_terms];
        size_t len = strcspn(text, ","), name = strcspn(text, ",=");
        if (name == 0 || name >= sizeof t->name || len - name >= sizeof t->reference)
            return hd_fail(err, HD_INVALID,
                           "a list of terms must be column names joined by commas");
        *t = (term){.categorical = categorical};
        memcpy(t->name, text, name);
        if (name < len && !categorical)
            return hd_fail(err, HD_INVALID, "only a categorical term has a reference level");
        if (name < len)
            memcpy(t->reference, text + name + 1, len - name - 1);
        t->column = hd_stat_find(s, t->name);
        if (t->column < 0)
            return hd_fail(err, HD_INVALID, "there is no column %.60s for the model", t->name);
        m->n_terms++;
        text += len + (text[len] == ',');
    }
    return HD_OK;
}

static bool level_before(const hd_intern *levels, uint32_t a, uint32_t b)
{
    size_t la, lb;
    const char *x = hd_intern_get(levels, a, &la), *y = hd_intern_get(levels, b, &lb);
    int c = memcmp(x, y, la < lb ? la : lb);
    return c ? c < 0 : la < lb;
}

/* Levels in the order of their names; the reference is the one named, else the most frequent. */
static hd_code choose_levels(term *t, const size_t *counts, hd_err *err)
{
    uint32_t n = hd_intern_count(t->levels), reference = 0;
    t->order = hd_calloc(n + 1, sizeof *t->order);
    t->column_of = hd_calloc(n + 1, sizeof *t->column_of);
    if (!t->order || !t->column_of)
        return hd_fail_nomem(err);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = i; /* insertion: there are at most 2000 */
        for (; at > 0 && level_before(t->levels, i, t->order[at - 1]); at--)
            t->order[at] = t->order[at - 1];
        t->order[at] = i;
    }
    if (t->reference[0]) {
        reference = hd_intern_find(t->levels, t->reference, strlen(t->reference));
        if (reference == HD_INTERN_NONE)
            return hd_fail(err, HD_INVALID, "the reference level of %.60s does not occur", t->name);
    } else {
        for (uint32_t i = 0, best = 0; i < n; i++)
            if (i == 0 || counts[t->order[i]] > counts[best])
                reference = best = t->order[i];
    }
    uint32_t column = 0;
    for (uint32_t i = 0; i < n; i++)
        t->column_of[t->order[i]] = t->order[i] == reference ? UINT32_MAX : column++;
    return HD_OK;
}

static hd_code read_categorical(hd_stat *s, model *m, term *t, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = hd_stat_n_rows(s), *counts = NULL;
    t->levels = hd_intern_new();
    t->row_level = hd_calloc(n + 1, sizeof *t->row_level);
    if (!t->levels || !t->row_level)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const char *text = hd_stat_cell(s, i, t->column);
        t->row_level[i] = UINT32_MAX;
        if (!*text)
            m->known[i] = false;
        else if (m->fits[i])
            HD_GO(hd_intern_add(t->levels, text, strlen(text), &t->row_level[i], err));
    }
    uint32_t levels = hd_intern_count(t->levels);
    if (levels > 2000)
        HD_GO(hd_fail(err, HD_LIMIT, "term %.60s has more than 2000 levels: is it numeric?",
                      t->name));
    counts = hd_calloc((size_t)levels + 1, sizeof *counts);
    if (!counts)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < n; i++) {
        const char *text = hd_stat_cell(s, i, t->column);
        if (!m->fits[i] && *text) {
            /* A level that the fit never saw has no coefficient, and the row no fitted value. */
            t->row_level[i] = hd_intern_find(t->levels, text, strlen(text));
            m->known[i] &= t->row_level[i] != HD_INTERN_NONE;
        } else if (m->fits[i] && *text) {
            counts[t->row_level[i]]++;
        }
    }
    HD_GO(choose_levels(t, counts, err));
    t->first = m->p;
    m->p += levels ? levels - 1 : 0;
out:
    hd_free(counts);
    return rc;
}

static hd_code read_terms(hd_stat *s, model *m, hd_err *err)
{
    size_t n = hd_stat_n_rows(s);
    m->p = 1;
    for (size_t i = 0; i < m->n_terms; i++) {
        term *t = &m->terms[i];
        if (t->categorical) {
            HD_TRY(read_categorical(s, m, t, err));
            continue;
        }
        HD_TRY(hd_stat_numbers(s, t->column, &t->values, err));
        for (size_t r = 0; r < n; r++)
            m->known[r] &= !isnan(t->values[r]);
        t->first = m->p++;
    }
    if (m->p > 4096)
        return hd_fail(err, HD_LIMIT, "the model has more than 4096 coefficients");
    return HD_OK;
}

static hd_code name_columns(model *m, hd_err *err)
{
    m->names = hd_calloc(m->p, sizeof *m->names);
    if (!m->names)
        return hd_fail_nomem(err);
    snprintf(m->names[0], sizeof m->names[0], "(intercept)");
    for (size_t i = 0; i < m->n_terms; i++) {
        const term *t = &m->terms[i];
        if (!t->categorical)
            snprintf(m->names[t->first], sizeof m->names[0], "%s", t->name);
        for (uint32_t k = 0; t->categorical && k < hd_intern_count(t->levels); k++) {
            size_t len;
            const char *level = hd_intern_get(t->levels, k, &len);
            if (t->column_of[k] != UINT32_MAX)
                snprintf(m->names[t->first + t->column_of[k]], sizeof m->names[0], "%s\n%.*s",
                         t->name, (int)len, level);
        }
    }
    return HD_OK;
}

static void fill_row(const model *m, size_t row, double *x)
{
    memset(x, 0, m->p * sizeof *x);
    x[0] = 1;
    for (size_t i = 0; i < m->n_terms; i++) {
        const term *t = &m->terms[i];
        if (!t->categorical)
            x[t->first] = t->values[row];
        else if (t->column_of[t->row_level[row]] != UINT32_MAX)
            x[t->first + t->column_of[t->row_level[row]]] = 1;
    }
}

/* Which rows take part: an outcome, no blank term, `use` not 0. */
static hd_code read_model(hd_stat *s, model *m, hd_err *err)
{
    size_t n = hd_stat_n_rows(s);
    double *use = NULL;
    hd_code rc = HD_OK;
    m->fits = hd_calloc(n + 1, sizeof *m->fits);
    m->known = hd_calloc(n + 1, sizeof *m->known);
    if (!m->fits || !m->known)
        return hd_fail_nomem(err);
    HD_GO(hd_stat_numbers(s, hd_stat_column_of(s, "outcome"), &m->y, err));
    HD_GO(hd_stat_numbers(s, hd_stat_column_of(s, "trials"), &m->trials, err));
    HD_GO(hd_stat_numbers(s, hd_stat_column_of(s, "weights"), &m->weights, err));
    HD_GO(hd_stat_numbers(s, hd_stat_column_of(s, "offset"), &m->offset, err));
    HD_GO(hd_stat_numbers(s, hd_stat_column_of(s, "use"), &use, err));
    bool trials = hd_stat_column_of(s, "trials") >= 0,
         weights = hd_stat_column_of(s, "weights") >= 0,
         offset = hd_stat_column_of(s, "offset") >= 0;
    for (size_t i = 0; i < n; i++) {
        m->known[i] = !offset || !isnan(m->offset[i]);
        m->fits[i] = !isnan(m->y[i]) && use[i] != 0 && (!trials || !isnan(m->trials[i])) &&
                     (!weights || !isnan(m->weights[i]));
        m->trials[i] = trials ? m->trials[i] : 1;
        m->weights[i] = weights ? m->weights[i] : 1;
        m->offset[i] = offset ? m->offset[i] : 0;
    }
    HD_GO(add_terms(s, m, hd_stat_text(s, "categorical"), true, err));
    HD_GO(add_terms(s, m, hd_stat_text(s, "numeric"), false, err));
    HD_GO(read_terms(s, m, err));
    HD_GO(name_columns(m, err));
    m->x = hd_calloc(n * m->p + 1, sizeof *m->x);
    if (!m->x)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < n; i++) {
        if (m->known[i])
            fill_row(m, i, m->x + i * m->p);
        m->fits[i] &= m->known[i];
        if (!m->fits[i])
            m->weights[i] = 0;
    }
out:
    hd_free(use);
    return rc;
}

/* --- Results ---------------------------------------------------------------------------------- */

static hd_code put_coefficients(hd_stat *s, const model *m, const hd_glm_fit *f, double c,
                                hd_err *err)
{
    const double *levels;
    unsigned n_levels = hd_stat_levels(s, &levels);
    for (size_t j = 0; j < m->p; j++) {
        char term_name[420];
        snprintf(term_name, sizeof term_name, "%s", m->names[j]);
        char *level = strchr(term_name, '\n');
        if (level)
            *level++ = '\0';
        bool known = !isnan(f->se[j]);
        double z = known ? f->beta[j] / f->se[j] : (double)NAN;
        hd_stat_keep_row(s, 0);
        hd_stat_put_text(s, term_name);
        hd_stat_put_text(s, level ? level : "");
        hd_stat_put(s, known ? f->beta[j] : (double)NAN);
        hd_stat_put(s, f->se[j]);
        hd_stat_put(s, z);
        hd_stat_put(s, erfc(fabs(z) / sqrt(2)));
        for (unsigned k = 0; k < n_levels; k++) {
            double q;
            HD_TRY(hd_z(levels[k], &q, err));
            hd_stat_put(s, f->beta[j] - q * f->se[j]);
            hd_stat_put(s, f->beta[j] + q * f->se[j]);
        }
        hd_stat_put_text(s, known ? "" : "determined by the terms before it");
        hd_stat_put(s, f->rows);
        hd_stat_put(s, f->deviance);
        hd_stat_put(s, f->null_deviance);
        hd_stat_put(s, f->log_likelihood);
        hd_stat_put(s, f->aic);
        hd_stat_put(s, f->dispersion);
        hd_stat_put(s, f->theta);
        hd_stat_put(s, c);
        hd_stat_put_count(s, (uint64_t)f->iterations);
        hd_stat_put_text(s, !f->converged ? "not converged" : f->separated ? "separated" : "");
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code put_fitted(hd_stat *s, const model *m, const hd_glm_fit *f, int family, hd_err *err)
{
    for (size_t i = 0; i < hd_stat_n_rows(s); i++) {
        double mean = NAN;
        if (m->known[i]) {
            mean = hd_glm_mean(f, (hd_family)family, m->x + i * m->p, m->offset[i]);
            if (family == HD_BINOMIAL)
                mean *= m->trials[i];
        }
        hd_stat_keep_row(s, i);
        hd_stat_put(s, mean);
        hd_stat_put_text(s, m->known[i] ? ""
                                        : "a term is blank or has a level that the fit never saw");
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code c_of(const hd_stat *s, const model *m, const hd_glm_fit *f, double *c, hd_err *err)
{
    size_t n = hd_stat_n_rows(s), used = 0;
    hd_code rc = HD_OK;
    double *p = hd_calloc(n + 1, sizeof *p), *y = hd_calloc(n + 1, sizeof *y);
    double *t = hd_calloc(n + 1, sizeof *t);
    if (!p || !y || !t)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < n; i++)
        if (m->fits[i]) {
            p[used] = hd_glm_mean(f, HD_BINOMIAL, m->x + i * m->p, m->offset[i]);
            y[used] = m->y[i] * m->weights[i];
            t[used++] = m->trials[i] * m->weights[i];
        }
    HD_GO(hd_c_statistic(p, y, t, used, c, err));
out:
    hd_free(p);
    hd_free(y);
    hd_free(t);
    return rc;
}

static hd_code check_outcomes(hd_stat *s, const model *m, int family, hd_err *err)
{
    int outcome = hd_stat_column_of(s, "outcome");
    for (size_t i = 0; i < hd_stat_n_rows(s); i++) {
        if (!m->fits[i])
            continue;
        if (m->y[i] < 0 || (family == HD_BINOMIAL && m->y[i] > m->trials[i]))
            return hd_stat_refuse(s, i, outcome, err, "the outcome is out of range for the family");
        if (m->weights[i] < 0)
            return hd_stat_refuse(s, i, hd_stat_column_of(s, "weights"), err,
                                  "must not be negative");
    }
    return HD_OK;
}

static hd_code run_glm(hd_stat *s, hd_err *err)
{
    static const char *const outputs[] = {"coefficients", "fitted", NULL};
    hd_code rc = HD_OK;
    int family, output;
    double c = NAN;
    hd_glm_fit fit = {0};
    model *m = hd_calloc(1, sizeof *m);
    if (!m)
        return hd_fail_nomem(err);
    HD_GO(hd_stat_choice(s, "family", families, 0, &family, err));
    HD_GO(hd_stat_choice(s, "output", outputs, 0, &output, err));
    HD_GO(hd_stat_header(s, output ? HD_STAT_KEEP_ALL : HD_STAT_KEEP_NONE,
                         output ? "fitted reason"
                                : "term level estimate se z p lower@,upper@ reason rows deviance "
                                  "null_deviance log_likelihood aic dispersion theta c_statistic "
                                  "iterations warning",
                         err));
    HD_GO(read_model(s, m, err));
    HD_GO(check_outcomes(s, m, family, err));
    const hd_glm_data data = {
        hd_stat_n_rows(s), m->p,     m->x, m->y, family == HD_BINOMIAL ? m->trials : NULL,
        m->weights,        m->offset};
    HD_GO(hd_glm(&data, (hd_family)family, &fit, err));
    if (family == HD_BINOMIAL && output == 0)
        HD_GO(c_of(s, m, &fit, &c, err));
    HD_GO(output ? put_fitted(s, m, &fit, family, err) : put_coefficients(s, m, &fit, c, err));
out:
    hd_glm_free(&fit);
    model_free(m);
    hd_free(m);
    return rc;
}

static const hd_stat_column glm_columns[] = {
    {"outcome", true, "0 or 1, or events; blank: not fitted, but given a fitted value"},
    {"trials", false, "binomial: of so many; default 1"},
    {"weights", false, "prior weights; default 1"},
    {"offset", false, "added to the linear predictor, such as the logarithm of the exposure"},
    {"use", false, "0: the row is not fitted, but given a fitted value"},
    {0}};
static const hd_stat_option glm_options[] = {
    {"family", "NAME", "binomial (default: logistic), poisson, negative-binomial"},
    {"numeric", "LIST", "columns that enter as numbers"},
    {"categorical", "LIST",
     "columns that enter as levels: sex=1,method; the reference is the level "
     "named, else the most frequent"},
    {"output", "NAME", "coefficients (default), fitted (a row for every input row)"},
    {0}};

const hd_stat_method hd_stat_models[] = {
    {.name = "glm",
     .summary = "logistic, Poisson and negative binomial regression",
     .output =
         "term, level, estimate, se, z, p, lower and upper per level, reason, rows, deviance,\n"
         "  null_deviance, log_likelihood, aic, dispersion (Pearson), theta, c_statistic,\n"
         "  iterations, warning; or fitted, reason",
     .example = "hdis stat glm --in spells.csv --outcome died --numeric age --categorical sex=1",
     .input = HD_STAT_WHOLE,
     .columns = glm_columns,
     .options = glm_options,
     .run = run_glm},
    {0}};
