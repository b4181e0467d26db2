/* glm.h - generalised linear models by iteratively reweighted least squares: logistic, Poisson and
 * negative binomial. The design has columns of numbers, given row by row, and columns that are 0 or
 * 1, given as the few that are 1. Who has few distinct rows tabulates them first and gives their
 * number as trials or weights. Results do not depend on the number of threads. */
#ifndef HD_STATISTICS_GLM_H
#define HD_STATISTICS_GLM_H

#include "base/err.h"

typedef enum hd_family { HD_BINOMIAL, HD_POISSON, HD_NEGATIVE_BINOMIAL } hd_family;

#define HD_GLM_REFERENCE UINT32_MAX

/* Numbers stand in tiles of 64 rows, column by column: that is how they are summed. The last tile
 * is whole; what stands behind row n is finite too. */
enum { HD_GLM_TILE = 64 };
static inline size_t hd_glm_at(size_t row, size_t column, size_t n_x)
{
    return (row / HD_GLM_TILE * n_x + column) * HD_GLM_TILE + row % HD_GLM_TILE;
}
static inline size_t hd_glm_room(size_t rows, size_t n_x) /* numbers of so many rows */
{
    return (rows + HD_GLM_TILE - 1) / HD_GLM_TILE * HD_GLM_TILE * n_x;
}

typedef struct hd_glm_data {
    size_t n, p;               /* rows; columns of the design, the intercept among them */
    size_t n_x, n_levels;      /* numbers and indicators of a row */
    const double *x;           /* n_x numbers of every row, see hd_glm_at; finite */
    const unsigned *x_columns; /* n_x columns of the design, ascending; NULL: the first ones */
    const uint32_t *levels;    /* n * n_levels columns that are 1, ascending in a row; or
                                  HD_GLM_REFERENCE: none */
    const double *y;           /* events */
    const double *trials;      /* binomial: of so many; NULL: 1 each */
    const double *weights;     /* prior weights, NULL: 1 each; 0 leaves a row out */
    const double *offset;      /* NULL: 0 */
    double rows; /* of the table that was tabulated to these n; 0: those with a weight */
} hd_glm_data;

typedef struct hd_glm_fit {
    size_t p;
    double *beta, *se;  /* p each; NAN where the column was left out */
    double *covariance; /* p * p */
    double deviance, null_deviance, log_likelihood, aic;
    double theta;       /* negative binomial: variance mu + mu^2 / theta */
    double dispersion;  /* Pearson's chi-square over degrees of freedom */
    double rows;        /* with a weight */
    double c_statistic; /* binomial; else NAN */
    int iterations;     /* passes over all rows that moved the coefficients, for every theta */
    bool converged;
    bool theta_at_bound; /* no over-dispersion: theta is the greatest that is tried, 1e7 */
    bool separated; /* a fitted probability is 0 or 1 to working precision: an estimate is infinite
                     */
    size_t aliased; /* columns left out because the others determine them; their beta is NAN */
} hd_glm_fit;

/* Stops after a step that lowers the deviance by less than 1e-9 of itself; at most 50. HD_INVALID:
 * outcomes out of range, no rows. Not converged is not a failure: see the fit. */
HD_MUST hd_code hd_glm(const hd_glm_data *data, hd_family family, hd_glm_fit *out, hd_err *err);
void hd_glm_free(hd_glm_fit *fit);

/* Fitted means (probability; count, with the offset) of the rows of a design like the fitted one;
 * NAN where a weight or the trials are 0. Outcomes are not read. */
HD_MUST hd_code hd_glm_fitted(const hd_glm_data *data, hd_family family, const hd_glm_fit *fit,
                              double *mean, hd_err *err);

/* Share of pairs of an event and a non-event in which the event has the higher probability; ties
 * count half. NAN when there are no events or no others. trials NULL: 1 each. */
HD_MUST hd_code hd_c_statistic(const double *probability, const double *events,
                               const double *trials, size_t n, double *out, hd_err *err);

#endif
