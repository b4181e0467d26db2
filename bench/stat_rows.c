/* stat_rows.c - tables for bench/stat on standard output, the same ones for the same numbers, and
 * the fit of a regression without a table.
 *
 *   stat_rows logit ROWS TERMS      outcome, x1, x2, ... with three decimals
 *   stat_rows fit ROWS TERMS        fits the same numbers in memory and prints seconds and
 *                               seconds of processors
 *   stat_rows spells ROWS GROUPS    spells of three years for the mortality model
 *   stat_rows series ROWS GROUPS    values of series that stand one after the other
 *   stat_rows counts ROWS GROUPS    numerators and denominators, as series */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/date.h"
#include "base/rng.h"
#include "statistics/glm.h"

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Terms of a row in thousandths, and its outcome. */
static bool logit_row(hd_rng *r, int *x, size_t terms)
{
    double eta = -2;
    for (size_t j = 0; j < terms; j++) {
        double sum = -6;
        for (int k = 0; k < 12; k++)
            sum += hd_rng_unit(r);
        x[j] = (int)lround(sum * 1000);
        eta += x[j] / 1000.0 * ((double)j / (double)terms - 0.5);
    }
    return hd_rng_unit(r) < 1 / (1 + exp(-eta));
}

static int logit(size_t rows, size_t terms)
{
    hd_rng r = hd_rng_stream(1, 0);
    int *x = hd_calloc(terms + 1, sizeof *x);
    if (!x)
        return 1;
    printf("outcome");
    for (size_t j = 0; j < terms; j++)
        printf(",x%zu", j + 1);
    for (size_t i = 0; i < rows; i++) {
        printf("\n%d", logit_row(&r, x, terms));
        for (size_t j = 0; j < terms; j++)
            printf(",%s%d.%03d", x[j] < 0 ? "-" : "", abs(x[j]) / 1000, abs(x[j]) % 1000);
    }
    putchar('\n');
    hd_free(x);
    return 0;
}

static int fit(size_t rows, size_t terms)
{
    hd_rng r = hd_rng_stream(1, 0);
    hd_glm_fit f;
    hd_err err;
    int *v = hd_calloc(terms + 1, sizeof *v);
    double *x = hd_calloc(hd_glm_room(rows, terms + 1) + 1, sizeof *x);
    double *y = hd_calloc(rows + 1, sizeof *y);
    if (!v || !x || !y)
        return 1;
    for (size_t i = 0; i < rows; i++) {
        y[i] = logit_row(&r, v, terms);
        x[hd_glm_at(i, 0, terms + 1)] = 1;
        for (size_t j = 0; j < terms; j++)
            x[hd_glm_at(i, j + 1, terms + 1)] = v[j] / 1000.0;
    }
    const hd_glm_data d = {.n = rows, .p = terms + 1, .n_x = terms + 1, .x = x, .y = y};
    double start = seconds_of(CLOCK_MONOTONIC), used = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    if (hd_glm(&d, HD_BINOMIAL, &f, &err) != HD_OK) {
        fprintf(stderr, "stat_rows: %s\n", err.text);
        return 1;
    }
    printf("%.3f %.3f\n", seconds_of(CLOCK_MONOTONIC) - start,
           seconds_of(CLOCK_PROCESS_CPUTIME_ID) - used);
    hd_glm_free(&f);
    hd_free(v);
    hd_free(x);
    hd_free(y);
    return 0;
}

static void spells(size_t rows, unsigned groups)
{
    hd_rng r = hd_rng_stream(14, 0);
    puts("procode3,diagnosis_group,startage,sex,admimeth,admidate,year,charlson,died");
    for (size_t i = 0; i < rows; i++) {
        unsigned provider = hd_rng_below(&r, 140), group = hd_rng_below(&r, groups);
        unsigned age = hd_rng_below(&r, 100), charlson = hd_rng_below(&r, 12);
        unsigned emergency = hd_rng_below(&r, 4) > 0, day = hd_rng_below(&r, 3 * 365);
        char date[11];
        hd_date_format(hd_date_from_ymd(2014, 4, 1) + (int32_t)day, date);
        double eta = -6 + 0.04 * age + 0.1 * charlson + 0.6 * emergency + 0.01 * (group % 50) +
                     0.002 * provider;
        printf("R%03u,%u,%u,%u,%s,%s,%u,%u,%d\n", provider, group + 1, age, 1 + hd_rng_below(&r, 2),
               emergency ? "21" : "11", date, 2014 + day / 365, charlson,
               hd_rng_unit(&r) < 1 / (1 + exp(-eta)));
    }
}

static void series(size_t rows, size_t groups, bool counts)
{
    hd_rng r = hd_rng_stream(15, 0);
    puts(counts ? "series,numerator,denominator" : "series,value");
    for (size_t i = 0; i < rows; i++) {
        size_t group = i / ((rows + groups - 1) / groups);
        unsigned n = 50 + hd_rng_below(&r, 1000);
        if (counts)
            printf("S%zu,%u,%u\n", group, hd_rng_below(&r, n), n);
        else
            printf("S%zu,%u.%02u\n", group, 90 + hd_rng_below(&r, 20), hd_rng_below(&r, 100));
    }
}

int main(int argc, char **argv)
{
    size_t rows = argc == 4 ? strtoull(argv[2], NULL, 10) : 0;
    size_t n = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
    if (rows == 0 || n == 0) {
        fputs("usage: stat_rows logit|fit|spells|series|counts ROWS TERMS-OR-GROUPS\n", stderr);
        return 2;
    }
    if (strcmp(argv[1], "logit") == 0)
        return logit(rows, n);
    if (strcmp(argv[1], "fit") == 0)
        return fit(rows, n);
    if (strcmp(argv[1], "spells") == 0)
        spells(rows, (unsigned)n);
    else
        series(rows, n, strcmp(argv[1], "counts") == 0);
    return ferror(stdout) != 0;
}
