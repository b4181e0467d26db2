/* stat_models.c - `hdis stat glm`: the fit of a table's terms, and its results. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/stat_terms.h"
#include "statistics/interval.h"

enum { FITTED_ROWS = 1 << 16 };

static const char *const families[] = {"binomial", "poisson", "negative-binomial", NULL};

/* Columns that the model uses because of their names alone: an offset or weights that nobody meant
 * would change every figure. */
static void used_unasked(hd_stat *s, const hd_terms *m, char out[120])
{
    const struct {
        const char *role;
        int column;
    } roles[] = {{"trials", m->family == HD_BINOMIAL ? m->trials : -1},
                 {"weights", m->weights},
                 {"offset", m->offset},
                 {"use", m->use}};
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (roles[i].column >= 0 && !hd_stat_text(s, roles[i].role))
            n += (size_t)snprintf(out + n, 120 - n, "%s%s",
                                  n ? ", " : "used because of their names: ", roles[i].role);
}

static const char *warning_of(const hd_glm_fit *f)
{
    if (!f->converged)
        return "not converged";
    if (f->theta_at_bound)
        return "theta at its bound: no over-dispersion, as good as poisson";
    return f->separated ? "separated" : "";
}

static hd_code put_coefficients(hd_stat *s, const hd_terms *m, const hd_glm_fit *f, hd_err *err)
{
    const double *levels;
    unsigned n_levels = hd_stat_levels(s, &levels);
    char warning[240], unasked[120];
    used_unasked(s, m, unasked);
    snprintf(warning, sizeof warning, "%s%s%s", warning_of(f),
             *warning_of(f) && *unasked ? "; " : "", unasked);
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
        hd_stat_put(s, f->c_statistic);
        hd_stat_put_count(s, (uint64_t)f->iterations);
        hd_stat_put_text(s, warning);
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code put_fitted(hd_stat *s, const hd_terms *m, const hd_glm_fit *f, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t rows = hd_stat_n_rows(s);
    double *mean = hd_calloc(FITTED_ROWS, sizeof *mean);
    if (!mean)
        return hd_fail_nomem(err);
    for (size_t from = 0; from < rows; from += FITTED_ROWS) {
        size_t n = rows - from < FITTED_ROWS ? rows - from : FITTED_ROWS;
        HD_GO(hd_terms_fitted(s, m, f, from, n, mean, err));
        for (size_t i = 0; i < n; i++) {
            hd_stat_keep_row(s, from + i);
            hd_stat_put(s, mean[i]);
            hd_stat_put_text(
                s, isnan(mean[i]) ? "a term is blank or has a level that the fit never saw" : "");
            HD_GO(hd_stat_end_row(s, err));
        }
    }
out:
    hd_free(mean);
    return rc;
}

/* For fitted values the table must be there when the fit is done; else pieces of it will do. */
static hd_code read_terms(hd_stat *s, hd_terms *m, bool all, hd_err *err)
{
    HD_TRY(hd_terms_find(s, m, err));
    if (all) {
        HD_TRY(hd_stat_all(s, err));
        HD_TRY(hd_terms_read(s, m, err));
        return hd_terms_finish(m, err);
    }
    for (bool more = true;;) {
        HD_TRY(hd_stat_next(s, &more, err));
        if (!more)
            return hd_terms_finish(m, err);
        HD_TRY(hd_terms_read(s, m, err));
    }
}

static hd_code run_glm(hd_stat *s, hd_err *err)
{
    static const char *const outputs[] = {"coefficients", "fitted", NULL};
    hd_code rc = HD_OK;
    int family, output;
    hd_glm_fit fit = {0};
    hd_terms *m = hd_calloc(1, sizeof *m);
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
    m->family = (hd_family)family;
    HD_GO(read_terms(s, m, output == 1, err));
    const hd_glm_data data = hd_terms_data(m);
    HD_GO(hd_glm(&data, m->family, &fit, err));
    if (!output)
        hd_terms_uncentre(m, &fit);
    HD_GO(output ? put_fitted(s, m, &fit, err) : put_coefficients(s, m, &fit, err));
out:
    hd_glm_free(&fit);
    hd_terms_free(m);
    hd_free(m);
    return rc;
}

static const hd_stat_column glm_columns[] = {
    {"outcome", true, "0 or 1, or events; blank: not fitted, but given a fitted value"},
    {"trials", false,
     "binomial: of so many; default 1. A column of this name, or of the next three, is used also\n "
     "                  "
     "without its option: warning then says so"},
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
     .input = HD_STAT_STREAM,
     .levels = true,
     .columns = glm_columns,
     .options = glm_options,
     .run = run_glm},
    {0}};
