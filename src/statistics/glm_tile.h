/* glm_tile.h - sixty-four rows of a model at once, for glm_rows.c only: means, working weights and
 * responses, and sums of products of columns. Four rows stand side by side in one step on every
 * processor, with an exponential and a logarithm of their own, so that neither the processor's
 * vector instructions nor its mathematical library change a digit. */
#ifndef HD_STATISTICS_GLM_TILE_H
#define HD_STATISTICS_GLM_TILE_H

#include "statistics/glm.h"

enum { HD_GLM_LANES = 4 };

/* A row that does not take part has prior 0, y 0, trials 1 and any finite eta. */
typedef struct hd_glm_tile {
    size_t from, n;        /* rows of the data */
    const double *x;       /* n_x columns of them */
    double y[HD_GLM_TILE]; /* a share of the trials for the binomial */
    double trials[HD_GLM_TILE], prior[HD_GLM_TILE], offset[HD_GLM_TILE];
    double eta[HD_GLM_TILE];  /* with the offset */
    double mu[HD_GLM_TILE];   /* within R's bounds: a probability never leaves (0, 1) */
    double rest[HD_GLM_TILE]; /* binomial: 1 - mu, without loss */
    double w[HD_GLM_TILE], z[HD_GLM_TILE];
    double u[HD_GLM_TILE]; /* w times (z - eta + offset) */
    bool zero_one;         /* every y is 0 or 1 */
    double *wx;            /* w times the columns; zero columns up to a multiple of four */
} hd_glm_tile;

/* Sums over rows, four side by side. */
typedef struct hd_glm_tail {
    double deviance[HD_GLM_LANES], separated[HD_GLM_LANES], chi_square[HD_GLM_LANES];
} hd_glm_tail;

/* Add the columns times their coefficients to eta. */
void hd_glm_tile_predict(hd_glm_tile *t, const double *beta, size_t n_x);
/* mu and rest from eta. */
void hd_glm_tile_mean(hd_glm_tile *t, hd_family family);
/* Instead, where there are no coefficients yet: eta, mu and rest from the outcomes. */
void hd_glm_tile_start(hd_glm_tile *t, hd_family family);
/* Working weight and response, and what the rows add to the sums. */
void hd_glm_tile_weigh(hd_glm_tile *t, hd_family family, double theta, hd_glm_tail *tail);
/* wx, then the sum of wx[j] x[k] is added to the cell of j and k for j <= k < n_x, and of wx[j] z
 * to that of j and n_x. Cells beside these may be added to. */
void hd_glm_tile_cross(hd_glm_tile *t, size_t n_x, double *out);
/* out[j] += sum of x[j] times what is left of z: the score. Room for n_x up to a multiple of four.
 */
void hd_glm_tile_score(hd_glm_tile *t, size_t n_x, double *out);

/* Where the sum for columns j and k is kept: four j side by side. */
static inline size_t hd_glm_cell(size_t j, size_t k, size_t n_x)
{
    return (j / HD_GLM_LANES * (n_x + 2) + k) * HD_GLM_LANES + j % HD_GLM_LANES;
}
static inline size_t hd_glm_cells(size_t n_x)
{
    return hd_glm_cell(n_x + HD_GLM_LANES, 0, n_x);
}

#endif
