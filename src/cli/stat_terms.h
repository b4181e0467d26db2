/* stat_terms.h - the terms of a regression: columns of the table to columns of a design, for
 * stat_models.c. Rows are read in pieces by several threads, and equal rows are put together as
 * long as that makes the table shorter. */
#ifndef HD_CLI_STAT_TERMS_H
#define HD_CLI_STAT_TERMS_H

#include "base/intern.h"
#include "cli/stat.h"
#include "statistics/glm.h"

enum { HD_TERMS = 128 };

typedef struct hd_term {
    char name[200];
    int column;
    bool categorical;
    char reference[200]; /* "": the most frequent */
    hd_intern *levels;   /* of rows that are fitted */
    uint64_t *counts;    /* rows a level */
    uint32_t *column_of; /* level -> column of the design, or HD_GLM_REFERENCE */
    size_t at, first;    /* among the numbers, or the categorical terms, of a row; first column */
} hd_term;

typedef struct hd_terms {
    hd_term terms[HD_TERMS];
    size_t n_terms, n_x, n_levels, p; /* n_x: with the intercept */
    int outcome, trials, weights, offset, use;
    hd_family family;
    char (*names)[420]; /* of the columns of the design: "sex", "sex\n2" */
    unsigned x_columns[HD_TERMS + 1];
    hd_intern *patterns; /* rows so far, or NULL: they differ too much */
    size_t n, cap;
    double *x, *y, *n_trials, *prior, *shift; /* rows of the design */
    uint32_t *levels;
    double centre[HD_TERMS + 1]; /* what was taken off the numbers of the design; mostly 0 */
    double rows;                 /* of the input that are fitted */
} hd_terms;

void hd_terms_free(hd_terms *m);
/* Terms from --categorical and --numeric, columns by their roles. */
HD_MUST hd_code hd_terms_find(hd_stat *s, hd_terms *m, hd_err *err);
/* Add the fitted rows among those shown: an outcome, no blank term, `use` not 0. */
HD_MUST hd_code hd_terms_read(hd_stat *s, hd_terms *m, hd_err *err);
/* When all rows were read: columns of the levels, names of the columns, numbers far from 0 centred.
 */
HD_MUST hd_code hd_terms_finish(hd_terms *m, hd_err *err);
hd_glm_data hd_terms_data(const hd_terms *m);
/* The intercept, its error and covariances as of numbers that were not centred; after
 * hd_terms_fitted, which takes the fit as it was found. */
void hd_terms_uncentre(const hd_terms *m, hd_glm_fit *fit);
/* Fitted values of n rows from `from`; NAN where a term is blank or has a level that the fit never
 * saw. */
HD_MUST hd_code hd_terms_fitted(hd_stat *s, const hd_terms *m, const hd_glm_fit *fit, size_t from,
                                size_t n, double *mean, hd_err *err);

#endif
