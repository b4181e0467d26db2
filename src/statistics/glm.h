/* glm.h - generalised linear models by iteratively reweighted least squares: logistic, Poisson and
 * negative binomial. The design is given as rows of doubles; who has few distinct rows tabulates
 * them first and gives their number as trials or weights. Results do not depend on the number of
 * threads. */
#ifndef HD_STATISTICS_GLM_H
#define HD_STATISTICS_GLM_H

#include "base/err.h"

typedef enum hd_family { HD_BINOMIAL, HD_POISSON, HD_NEGATIVE_BINOMIAL } hd_family;

typedef struct hd_glm_data {
    size_t n, p;           /* rows; columns of the design, the intercept among them */
    const double *x;       /* n * p, row by row */
    const double *y;       /* events */
    const double *trials;  /* binomial: of so many; NULL: 1 each */
    const double *weights; /* prior weights, NULL: 1 each; 0 leaves a row out */
    const double *offset;  /* NULL: 0 */
} hd_glm_data;

typedef struct hd_glm_fit {
    size_t p;
    double *beta, *se;  /* p each; NAN where the column was left out */
    double *covariance; /* p * p */
    double deviance, null_deviance, log_likelihood, aic;
    double theta;      /* negative binomial: variance mu + mu^2 / theta */
    double dispersion; /* Pearson's chi-square over degrees of freedom */
    double rows;       /* sum of rows with a weight */
    int iterations;
    bool converged;
    bool separated; /* a fitted probability is 0 or 1 to working precision: an estimate is infinite
                     */
    size_t aliased; /* columns left out because the others determine them; their beta is NAN */
} hd_glm_fit;

/* Relative change of the deviance at which it stops: 1e-10; at most 50 iterations. HD_INVALID:
 * outcomes out of range, no rows. Not converged is not a failure: see the fit. */
HD_MUST hd_code hd_glm(const hd_glm_data *data, hd_family family, hd_glm_fit *out, hd_err *err);
void hd_glm_free(hd_glm_fit *fit);

/* Fitted mean (probability, count per exp(offset)) of any row of a design. */
double hd_glm_mean(const hd_glm_fit *fit, hd_family family, const double *row, double offset);

/* Share of pairs of an event and a non-event in which the event has the higher probability; ties
 * count half. NAN when there are no events or no others. trials NULL: 1 each. */
HD_MUST hd_code hd_c_statistic(const double *probability, const double *events,
                               const double *trials, size_t n, double *out, hd_err *err);

#endif
