/* cusum.c - see cusum.h. */
#include "statistics/cusum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

double hd_cusum_weight(double risk, double outcome, double odds_ratio)
{
    return outcome * log(odds_ratio) - log1p(risk * (odds_ratio - 1));
}

hd_code hd_cusum(const double *weights, size_t n, const hd_cusum_options *o, hd_cusum_point *points,
                 hd_err *err)
{
    if (!(o->limit > 0))
        return hd_fail(err, HD_INVALID, "the limit of a CUSUM must be above 0");
    if (!(o->head_start >= 0 && o->head_start < 1))
        return hd_fail(err, HD_INVALID, "a head start must be a share of the limit below 1");
    double c = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(weights[i]))
            c = fmax(0, c + weights[i]);
        points[i] = (hd_cusum_point){c, c >= o->limit && !isnan(weights[i])};
        if (points[i].signal && o->reset)
            c = o->head_start * o->limit;
    }
    return HD_OK;
}

/* Between two visits to zero the statistic is a * w1 + b * w0 after a events and b others: the
 * states are pairs. A state at or above h is absorbed. */
typedef struct lattice {
    double up, down, risk;
    size_t n;
    double *now, *next; /* (n + 1)^2 probabilities; [0] is zero */
} lattice;

static double probability_of_signal(lattice *l, double h)
{
    size_t side = l->n + 1;
    double absorbed = 0;
    memset(l->now, 0, side * side * sizeof *l->now);
    l->now[0] = 1;
    for (size_t t = 0; t < l->n; t++) {
        memset(l->next, 0, side * side * sizeof *l->next);
        for (size_t a = 0; a <= t; a++)
            for (size_t b = 0; a + b <= t; b++) {
                double p = l->now[a * side + b];
                if (p == 0)
                    continue;
                for (int event = 0; event < 2; event++) {
                    size_t na = a + (size_t)event, nb = b + (size_t)!event;
                    double c = (double)na * l->up + (double)nb * l->down;
                    double q = p * (event ? l->risk : 1 - l->risk);
                    if (c >= h - 1e-12)
                        absorbed += q;
                    else
                        l->next[c > 1e-12 ? na * side + nb : 0] += q;
                }
            }
        double *swap = l->now;
        l->now = l->next;
        l->next = swap;
    }
    return absorbed;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

hd_code hd_cusum_exact_limit(double risk, size_t n, double odds_ratio, double alpha, double *limit,
                             hd_err *err)
{
    if (!(risk > 0 && risk < 1) || !(odds_ratio > 0) || odds_ratio == 1 ||
        !(alpha > 0 && alpha < 1))
        return hd_fail(err, HD_INVALID,
                       "risk and alpha must lie between 0 and 1, and the odds ratio "
                       "must be above 0 and not 1");
    if (n < 1 || n > 200)
        return hd_fail(err, HD_LIMIT, "an exact limit is for 1 to 200 patients: simulate instead");
    hd_code rc = HD_OK;
    size_t side = n + 1, m = 0;
    lattice l = {.up = hd_cusum_weight(risk, 1, odds_ratio),
                 .down = hd_cusum_weight(risk, 0, odds_ratio),
                 .risk = risk,
                 .n = n};
    l.now = hd_calloc(side * side, sizeof *l.now);
    l.next = hd_calloc(side * side, sizeof *l.next);
    double *values = hd_calloc(side * side, sizeof *values);
    if (!l.now || !l.next || !values)
        HD_GO(hd_fail_nomem(err));
    for (size_t a = 0; a <= n; a++)
        for (size_t b = 0; a + b <= n; b++)
            if ((double)a * l.up + (double)b * l.down > 0)
                values[m++] = (double)a * l.up + (double)b * l.down;
    qsort(values, m, sizeof *values, ascending);
    size_t low = 0, high = m; /* the first value that is reached with probability <= alpha */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (probability_of_signal(&l, values[mid]) <= alpha)
            high = mid;
        else
            low = mid + 1;
    }
    *limit = low > 0 ? values[low - 1] : 0;
out:
    hd_free(l.now);
    hd_free(l.next);
    hd_free(values);
    return rc;
}

hd_code hd_cusum_simulated_limit(const double *risks, size_t n, double odds_ratio, double alpha,
                                 size_t repetitions, uint64_t seed, double *limit, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_rng rng = hd_rng_stream(seed, 0);
    double *most = hd_calloc(repetitions + 1, sizeof *most);
    if (!most)
        return hd_fail_nomem(err);
    if (repetitions < 100 || n == 0)
        HD_GO(hd_fail(err, HD_INVALID, "a simulation needs patients and 100 repetitions or more"));
    for (size_t r = 0; r < repetitions; r++) {
        double c = 0;
        for (size_t i = 0; i < n; i++) {
            double y = hd_rng_unit(&rng) < risks[i];
            c = fmax(0, c + hd_cusum_weight(risks[i], y, odds_ratio));
            most[r] = fmax(most[r], c);
        }
    }
    qsort(most, repetitions, sizeof *most, ascending);
    size_t at = (size_t)ceil((double)repetitions * (1 - alpha));
    *limit = most[at ? at - 1 : 0];
out:
    hd_free(most);
    return rc;
}
