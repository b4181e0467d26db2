/* stat_mortality.c - times the national mortality model: 25 million synthetic spells, 140 diagnosis
 * groups, three years. Usage: stat_mortality [SPELLS [GROUPS]]. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "statistics/mortality.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

typedef struct arrays {
    uint16_t *group;
    uint8_t *level[HD_COVARIATES], *died;
} arrays;

static bool make(arrays *a, size_t n, unsigned n_groups)
{
    hd_rng r = hd_rng_stream(14, 0);
    a->group = hd_calloc(n, sizeof *a->group);
    a->died = hd_calloc(n, 1);
    for (int c = 0; c < HD_COVARIATES; c++)
        if (!(a->level[c] = hd_calloc(n, 1)))
            return false;
    if (!a->group || !a->died)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned group = hd_rng_below(&r, n_groups);
        unsigned age = hd_rng_below(&r, 20), charlson = hd_rng_below(&r, 3);
        unsigned method = hd_rng_below(&r, 4) ? 2 : 0;
        a->group[i] = (uint16_t)group;
        a->level[HD_COVARIATE_AGE][i] = (uint8_t)age;
        a->level[HD_COVARIATE_SEX][i] = (uint8_t)hd_rng_below(&r, 2);
        a->level[HD_COVARIATE_METHOD][i] = (uint8_t)method;
        a->level[HD_COVARIATE_MONTH][i] = (uint8_t)hd_rng_below(&r, 12);
        a->level[HD_COVARIATE_CHARLSON][i] = (uint8_t)charlson;
        a->level[HD_COVARIATE_YEAR][i] = (uint8_t)hd_rng_below(&r, 3);
        double eta = -6 + 0.2 * age + 0.5 * charlson + 0.3 * method + 0.01 * (group % 50);
        a->died[i] = hd_rng_unit(&r) < 1 / (1 + exp(-eta));
    }
    return true;
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 25000000;
    unsigned n_groups = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 140;
    arrays a = {0};
    hd_mortality *m;
    hd_err err;
    if (!make(&a, n, n_groups)) {
        fputs("stat_mortality: memory is out\n", stderr);
        return 1;
    }
    hd_spells s = {.n = n, .group = a.group, .died = a.died};
    for (int c = 0; c < HD_COVARIATES; c++)
        s.covariate[c] = a.level[c];
    double start = now();
    if (hd_mortality_fit(&s, n_groups, &m, &err) != HD_OK) {
        fprintf(stderr, "stat_mortality: %s\n", err.text);
        return 1;
    }
    double fitted = now();
    double expected = 0;
    for (size_t i = 0; i < n; i++)
        expected += hd_mortality_risk(m, &s, i);
    const hd_mortality_group *g = hd_mortality_groups(m);
    size_t patterns = 0, steps = 0;
    for (unsigned k = 0; k < n_groups; k++) {
        patterns += g[k].patterns;
        steps += (size_t)g[k].iterations;
    }
    printf("%zu spells, %u groups: fitted in %.2f s (%zu patterns, %zu steps), scored in %.2f s, "
           "%.1f deaths expected\n",
           n, n_groups, fitted - start, patterns, steps, now() - fitted, expected);
    hd_mortality_free(m);
    hd_free(a.group);
    hd_free(a.died);
    for (int c = 0; c < HD_COVARIATES; c++)
        hd_free(a.level[c]);
    return 0;
}
