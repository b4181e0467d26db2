/* glm_rows.h - the inside of glm.h: sums over the rows of a model, for glm.c only. Rows are taken
 * in blocks whose size depends on the model alone and whose sums are added in order, so that
 * neither the number of threads nor the processor's vector instructions change a digit. */
#ifndef HD_STATISTICS_GLM_ROWS_H
#define HD_STATISTICS_GLM_ROWS_H

#include "statistics/glm.h"

typedef struct hd_glm_state {
    const hd_glm_data *d;
    hd_family family;
    double theta;
    const double *beta; /* NULL: start from the outcomes; visits: rows have no mean */
    size_t step;        /* every step-th tile only; 1: all */
    bool zero_one;      /* binomial: one trial each, and every outcome is 0 or 1 */
} hd_glm_state;

/* A row that takes part, as the coefficients see it. */
typedef struct hd_glm_row {
    size_t at;
    double y, trials, prior; /* y: a share of the trials for the binomial */
    double mu;
} hd_glm_row;

/* Called from several threads; adds to sums. */
typedef void hd_glm_visit(const void *context, const hd_glm_row *row, double sums[2]);

double hd_glm_unit_deviance(hd_family family, double y, double mu, double trials, double theta);

HD_MUST hd_code hd_glm_visit_rows(const hd_glm_state *s, hd_glm_visit *visit, const void *context,
                                  double sums[2], hd_err *err);

typedef struct hd_glm_sums {
    double *a, *b;   /* X'WX (upper triangle of p * p), X'Wz */
    double deviance; /* at beta */
    double separated, chi_square;
} hd_glm_sums;

/* The sums of one step; a and b are the caller's. mean: NULL, or room for the fitted means of all
 * rows (also of those without a weight). */
HD_MUST hd_code hd_glm_normal(const hd_glm_state *s, hd_glm_sums *out, double *mean, hd_err *err);
/* Instead of a and b the derivative of the likelihood by the coefficients, in b; half the work. */
HD_MUST hd_code hd_glm_score(const hd_glm_state *s, hd_glm_sums *out, hd_err *err);

#endif
