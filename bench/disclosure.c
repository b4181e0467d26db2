/* disclosure.c - how long secondary suppression takes and how much it withholds.
 *
 * parishes: 15 areas x 110 single years in 11 bands x sex with all margins, 5,856 cells, about
 * 132,000 people at random; national figures exact, below them the rule of 1 to 7 and nearest 5.
 */
#include "base/alloc.h"
#include "base/rng.h"
#include "disclosure/secondary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const hd_err *err)
{
    fprintf(stderr, "bench/disclosure: %s\n", err->text);
    exit(1);
}

enum { AREAS = 15, AGES = 110, BANDS = 11 };

static hd_lattice *parishes(void)
{
    static char text[AREAS + 1 + AGES + BANDS + 1 + 3][16];
    static const char *area[AREAS + 1], *age[AGES + BANDS + 1], *sex[3];
    static uint32_t area_parts[AREAS], band_parts[BANDS], year_parts[BANDS][AGES / BANDS];
    static const uint32_t sex_parts[2] = {1, 2};
    static hd_code_rule age_rules[BANDS + 1];
    size_t at = 0;
    for (uint32_t i = 0; i <= AREAS; i++) {
        snprintf(text[at], sizeof *text, i ? "area %u" : "Total", i);
        area[i] = text[at++];
        if (i)
            area_parts[i - 1] = i;
    }
    for (uint32_t i = 0; i < AGES + BANDS + 1; i++) {
        snprintf(text[at], sizeof *text, i == 0 ? "Total" : i <= BANDS ? "band %u" : "age %u",
                 i <= BANDS ? i : i - BANDS - 1);
        age[i] = text[at++];
        if (i && i <= BANDS)
            band_parts[i - 1] = i;
        if (i > BANDS)
            year_parts[(i - BANDS - 1) / (AGES / BANDS)][(i - BANDS - 1) % (AGES / BANDS)] = i;
    }
    age_rules[0] = (hd_code_rule){0, BANDS, band_parts};
    for (uint32_t b = 0; b < BANDS; b++)
        age_rules[b + 1] = (hd_code_rule){b + 1, AGES / BANDS, year_parts[b]};
    sex[0] = "Total";
    sex[1] = "f";
    sex[2] = "m";
    const hd_code_rule area_rule = {0, AREAS, area_parts}, sex_rule = {0, 2, sex_parts};
    const hd_dimension dims[3] = {{"area", AREAS + 1, area, 1, &area_rule},
                                  {"age", AGES + BANDS + 1, age, BANDS + 1, age_rules},
                                  {"sex", 3, sex, 1, &sex_rule}};
    hd_lattice *l;
    hd_err err;
    if (hd_lattice_new(&l, dims, 3, &err) != HD_OK)
        die(&err);
    return l;
}

static void populate(const hd_lattice *l, int64_t *n, uint64_t seed)
{
    hd_rng r = hd_rng_stream(seed, 1);
    hd_err err;
    memset(n, 0, hd_lattice_n_cells(l) * sizeof *n);
    for (int person = 0; person < 132277; person++) {
        double u = hd_rng_unit(&r), v = hd_rng_unit(&r);
        uint32_t area = (uint32_t)(AREAS * u * u * 0.999) + 1;
        uint32_t age = (uint32_t)(v < 0.75 ? v / 0.75 * 60 : 60 + (v - 0.75) / 0.25 * 50 *
                                                                     hd_rng_unit(&r));
        uint32_t code[3] = {area, BANDS + 1 + age, 1 + (uint32_t)hd_rng_below(&r, 2)};
        n[hd_lattice_cell(l, code)]++;
    }
    if (hd_lattice_sum(l, n, &err) != HD_OK)
        die(&err);
}

/* The national rule on one true count. */
static hd_secondary_cell shown(int64_t n, bool is_national, bool is_below, uint32_t depth)
{
    hd_secondary_cell c = {.coarse_low = 1, .hidden_low = 1, .preference = 100 - (int32_t)depth};
    if (is_national) {
        c.low = c.high = c.size = n;
        c.is_public = true;
        c.preference += 1000;
        if (n > 0) {
            c.hidden_high = HD_NO_BOUND;
            c.coarse_low = n < 8 ? 1 : (n + 2) / 5 * 5 - 2 < 8 ? 8 : (n + 2) / 5 * 5 - 2;
            c.coarse_high = n < 8 ? 7 : (n + 2) / 5 * 5 + 2;
        }
    } else if (is_below || (n >= 1 && n <= 7)) {
        c.low = is_below ? 0 : 1;
        c.high = 7;
        c.is_withheld = c.is_protected = true;
        c.need.values = 5;
    } else if (n) {
        c.size = (n + 2) / 5 * 5;
        c.low = c.size - 2 < 8 ? 8 : c.size - 2;
        c.high = c.size + 2;
        c.hidden_low = 8;
        c.hidden_high = HD_NO_BOUND;
    }
    return c;
}

static void run_parishes(void)
{
    hd_lattice *l = parishes();
    size_t n = hd_lattice_n_cells(l), n_stars = 0;
    hd_err err;
    int64_t *count = hd_calloc(n, sizeof *count);
    bool *mark = hd_calloc(n, sizeof *mark), *below = hd_calloc(n, sizeof *below);
    hd_secondary_cell *cells = hd_calloc(n, sizeof *cells);
    if (!count || !mark || !below || !cells)
        exit(1);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        hd_secondary_options o;
        hd_secondary_result r;
        uint32_t code[3];
        populate(l, count, seed);
        n_stars = 0;
        for (size_t c = 0; c < n; c++) {
            hd_lattice_codes(l, c, code);
            mark[c] = code[0] && count[c] >= 1 && count[c] <= 7;
            n_stars += mark[c];
        }
        hd_lattice_below(l, mark, below);
        for (size_t c = 0; c < n; c++) {
            hd_lattice_codes(l, c, code);
            cells[c] = shown(count[c], code[0] == 0, below[c], hd_lattice_depth(l, c));
        }
        hd_secondary_options_init(&o);
        double begin = seconds();
        if (hd_secondary_lattice(l, cells, &o, &r, &err) != HD_OK)
            die(&err);
        printf("parishes %zu cells: %zu stars, %zu helpers, %zu rounded, %zu unprotected, "
               "%zu witnesses, %.3f s\n",
               n, n_stars, r.n_helpers, r.n_coarser, r.n_unprotected, r.witnesses.n_tables,
               seconds() - begin);
        hd_secondary_result_free(&r);
    }
    hd_free(count);
    hd_free(mark);
    hd_free(below);
    hd_free(cells);
    hd_lattice_free(l);
}

int main(void)
{
    run_parishes();
    return 0;
}
