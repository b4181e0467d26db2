/* draw.h - the distributions that the simulation draws from; all by hd_rng, all repeatable. */
#ifndef HD_SYNTH_DRAW_H
#define HD_SYNTH_DRAW_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/rng.h"

static inline bool draw_chance(hd_rng *r, double p)
{
    return hd_rng_unit(r) < p;
}

/* true with probability p whose odds are multiplied by a factor. */
static inline bool draw_odds(hd_rng *r, double p, double factor)
{
    double odds = p / (1 - p) * factor;
    return hd_rng_unit(r) < odds / (1 + odds);
}

static inline double draw_exponential(hd_rng *r, double mean)
{
    return -mean * log1p(-hd_rng_unit(r));
}

static inline double draw_normal(hd_rng *r)
{
    double u = 1 - hd_rng_unit(r), v = hd_rng_unit(r);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* Uniform in low .. high. */
static inline int draw_between(hd_rng *r, int low, int high)
{
    return low + (int)hd_rng_below(r, (uint32_t)(high - low + 1));
}

/* A position of weights, in proportion. */
static inline size_t draw_weighted(hd_rng *r, const double *weights, size_t n)
{
    double total = 0;
    for (size_t i = 0; i < n; i++)
        total += weights[i];
    double x = hd_rng_unit(r) * total;
    for (size_t i = 0; i + 1 < n; i++) {
        x -= weights[i];
        if (x < 0)
            return i;
    }
    return n - 1;
}

/* A position of running sums, in proportion to the steps; steps of 0 are never taken. */
static inline size_t draw_running(hd_rng *r, const double *sums, size_t n)
{
    double x = hd_rng_unit(r) * sums[n - 1];
    size_t i = 0;
    while (i + 1 < n && sums[i] <= x)
        i++;
    return i;
}

#endif
