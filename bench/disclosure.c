/* disclosure.c - how long secondary suppression takes and how much it withholds.
 *
 * parishes: 15 areas x 110 single years in 11 bands x sex with all margins, 5,856 cells, about
 * 132,000 people at random; national figures exact, below them the rule of 1 to 7 and nearest 5.
 *
 * audit (with this word as argument): propagation on 92 million cells, five ways, 10 million records.
 *
 * d4 (with the folder of Statistics Norway's example as argument): 9,140 cells, regions in counties x
 * income x months, three ways: no combination gives a cell of 1 to 7, or of 1 to 2 (what
 * GaussSuppression 1.2.3 protects, 3,254 and 2,057 cells withheld in 10 to 16 s); five values for
 * each count of 1 to 7 with figures rounded to 5; the same with all other figures exact (minutes).
 */
#include "base/alloc.h"
#include "base/rng.h"
#include "disclosure/propagate.h"
#include "disclosure/secondary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

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

/* ---- d4 ---- */

enum { D4_CODES = 460, D4_ROWS = 6000 };

typedef struct codes {
    size_t n;
    char text[D4_CODES][16];
    const char *names[D4_CODES];
    uint32_t above[D4_CODES]; /* the group it is in */
} codes;

static uint32_t code_number(codes *c, const char *text)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (strcmp(c->text[i], text) == 0)
            return i;
    if (c->n == D4_CODES)
        exit(1);
    snprintf(c->text[c->n], sizeof *c->text, "%s", text);
    c->names[c->n] = c->text[c->n];
    return (uint32_t)c->n++;
}

/* region,county,k_group,main_income,months,months2,freq */
static hd_lattice *read_d4(const char *folder, int64_t **counts)
{
    static codes region, income, month;
    static uint32_t key[D4_ROWS][3], children[3][D4_CODES][D4_CODES];
    static int64_t freq[D4_ROWS];
    static hd_code_rule rules[3][D4_CODES];
    char path[512], line[256];
    hd_lattice *l;
    hd_err err;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/d4.csv.gz", folder);
    gzFile f = gzopen(path, "r");
    if (!f || !gzgets(f, line, sizeof line)) {
        fprintf(stderr, "bench/disclosure: %s cannot be read\n", path);
        exit(1);
    }
    code_number(&region, "Total");
    code_number(&income, "Total");
    code_number(&month, "Total");
    while (n < D4_ROWS && gzgets(f, line, sizeof line)) {
        char *part[7], *at = line, county[24];
        for (int i = 0; i < 7; i++)
            part[i] = strsep(&at, ",\n");
        snprintf(county, sizeof county, "county %s", part[1]);
        uint32_t up = code_number(&region, county);
        key[n][0] = code_number(&region, part[0]);
        region.above[key[n][0]] = up;
        key[n][1] = code_number(&income, part[3]);
        key[n][2] = code_number(&month, part[4]);
        freq[n++] = atoll(part[6]);
    }
    gzclose(f);
    codes *all[3] = {&region, &income, &month};
    static const char *const names[3] = {"region", "income", "months"};
    hd_dimension dims[3];
    for (size_t d = 0; d < 3; d++) {
        size_t n_rules = 0;
        for (uint32_t up = 0; up < all[d]->n; up++) {
            uint32_t m = 0;
            for (uint32_t c = 1; c < all[d]->n; c++)
                if (all[d]->above[c] == up)
                    children[d][up][m++] = c;
            if (m)
                rules[d][n_rules++] = (hd_code_rule){up, m, children[d][up]};
        }
        dims[d] = (hd_dimension){names[d], all[d]->n, all[d]->names, n_rules, rules[d]};
    }
    if (hd_lattice_new(&l, dims, 3, &err) != HD_OK)
        die(&err);
    *counts = hd_calloc(hd_lattice_n_cells(l), sizeof **counts);
    if (!*counts)
        exit(1);
    for (size_t i = 0; i < n; i++)
        (*counts)[hd_lattice_cell(l, key[i])] += freq[i];
    if (hd_lattice_sum(l, *counts, &err) != HD_OK)
        die(&err);
    return l;
}

typedef struct way {
    const char *name;
    int64_t threshold;
    bool is_rounded, asks_five;
    const char *reference;
} way;

static void run_d4(const char *folder)
{
    static const way ways[] = {
        {"not computable, 1 to 7", 7, false, false, "GaussSuppression: 3254 withheld, 10 to 16 s"},
        {"not computable, 1 to 2", 2, false, false, "GaussSuppression: 2057 withheld"},
        {"five values, rounded", 7, true, true, "no reference"},
        {"five values, exact", 7, false, true, "no reference"},
    };
    int64_t *count;
    hd_lattice *l = read_d4(folder, &count);
    size_t n = hd_lattice_n_cells(l);
    hd_secondary_cell *cells = hd_calloc(n, sizeof *cells);
    bool *mark = hd_calloc(n, sizeof *mark), *below = hd_calloc(n, sizeof *below);
    if (!cells || !mark || !below)
        exit(1);
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
        const way *w = &ways[k];
        hd_secondary_options o;
        hd_secondary_result r;
        hd_err err;
        size_t n_primary = 0;
        hd_secondary_options_init(&o);
        for (size_t c = 0; c < n; c++) {
            mark[c] = count[c] >= 1 && count[c] <= w->threshold;
            n_primary += mark[c];
        }
        hd_lattice_below(l, mark, below);
        for (size_t c = 0; c < n; c++) {
            uint32_t depth = hd_lattice_depth(l, c);
            cells[c] = shown(count[c], false, w->asks_five && below[c], depth);
            if (w->asks_five && (w->is_rounded || cells[c].is_protected || !count[c]))
                continue;
            cells[c] = (hd_secondary_cell){.coarse_low = 1, .preference = 100 - (int32_t)depth,
                                           .low = count[c], .high = count[c], .size = count[c],
                                           .hidden_low = w->asks_five ? 8 : 0,
                                           .hidden_high = HD_NO_BOUND};
            if (mark[c]) {
                cells[c].low = 0;
                cells[c].high = HD_NO_BOUND;
                cells[c].is_withheld = cells[c].is_protected = true;
                cells[c].need.not_computable = true;
            } else if (!count[c])
                cells[c].hidden_low = cells[c].hidden_high = 0;
        }
        if (!w->asks_five) {
            o.sensitive_low = 1;
            o.sensitive_high = 0;
        }
        double begin = seconds();
        if (hd_secondary_lattice(l, cells, &o, &r, &err) != HD_OK)
            die(&err);
        printf("d4 %zu cells, %s: %zu primary, %zu helpers, %zu withheld (%s), %zu unprotected, "
               "%zu witnesses, %.3f s\n",
               n, w->name, n_primary, r.n_helpers, n_primary + r.n_helpers, w->reference,
               r.n_unprotected, r.witnesses.n_tables, seconds() - begin);
        fflush(stdout);
        hd_secondary_result_free(&r);
    }
    hd_free(cells);
    hd_free(mark);
    hd_free(below);
    hd_free(count);
    hd_lattice_free(l);
}

/* ---- the audit of a large table ---- */

static void run_audit(void)
{
    enum { N = 5, LONGEST = 124 };
    static const uint32_t leaves[N] = {42, 110, 2, 60, 95};
    static const char *const names[N] = {"area", "age", "sex", "diagnosis", "month"};
    static char text[LONGEST][8];
    static const char *labels[LONGEST];
    static uint32_t parts[N][LONGEST], year_parts[BANDS][AGES / BANDS];
    hd_code_rule rules[N][BANDS + 1];
    hd_dimension dims[N];
    hd_lattice *l;
    hd_err err;
    for (uint32_t i = 0; i < LONGEST; i++) {
        snprintf(text[i], sizeof *text, "%u", i);
        labels[i] = text[i];
    }
    for (size_t d = 0; d < N; d++) {
        bool is_age = d == 1;
        for (uint32_t i = 0; i < leaves[d]; i++)
            parts[d][i] = i + 1;
        rules[d][0] = (hd_code_rule){0, is_age ? BANDS : leaves[d], parts[d]};
        for (uint32_t b = 0; is_age && b < BANDS; b++) {
            for (uint32_t i = 0; i < AGES / BANDS; i++)
                year_parts[b][i] = BANDS + 1 + b * (AGES / BANDS) + i;
            rules[d][b + 1] = (hd_code_rule){b + 1, AGES / BANDS, year_parts[b]};
        }
        dims[d] = (hd_dimension){names[d], leaves[d] + 1 + (is_age ? BANDS : 0), labels,
                                 is_age ? BANDS + 1 : 1, rules[d]};
    }
    if (hd_lattice_new(&l, dims, N, &err) != HD_OK)
        die(&err);
    size_t n = hd_lattice_n_cells(l), n_stars = 0, n_exact = 0, n_close = 0;
    int64_t *count = hd_calloc(n, sizeof *count);
    int32_t *low = hd_malloc(n * sizeof *low), *high = hd_malloc(n * sizeof *high);
    if (!count || !low || !high)
        exit(1);
    hd_rng r = hd_rng_stream(1, 92);
    for (int i = 0; i < 10000000; i++) {
        uint32_t code[N];
        for (size_t d = 0; d < N; d++) {
            double u = hd_rng_unit(&r);
            code[d] = 1 + (d == 1 ? BANDS : 0) + (uint32_t)(leaves[d] * (d == 2 ? u : u * u * u));
        }
        count[hd_lattice_cell(l, code)]++;
    }
    if (hd_lattice_sum(l, count, &err) != HD_OK)
        die(&err);
    for (size_t c = 0; c < n; c++) {
        hd_secondary_cell x = shown(count[c], false, false, 0);
        low[c] = (int32_t)x.low;
        high[c] = (int32_t)x.high;
    }
    double begin = seconds();
    clock_t processor = clock();
    hd_propagation done;
    if (hd_lattice_propagate(l, low, high, &done, &err) != HD_OK)
        die(&err);
    double took = seconds() - begin;
    processor = clock() - processor;
    for (size_t c = 0; c < n; c++)
        if (count[c] >= 1 && count[c] <= 7) {
            n_stars++;
            n_exact += low[c] == high[c];
            n_close += high[c] - low[c] < 4;
        }
    printf("audit of %zu cells, every figure rounded: %zu stars, %zu exact, %zu below five values, "
           "%llu lines looked at, consistent %d, %.2f s (%.2f s of processor)\n",
           n, n_stars, n_exact, n_close, (unsigned long long)done.n_visits, done.is_consistent,
           took, (double)processor / CLOCKS_PER_SEC);
    hd_free(count);
    hd_free(low);
    hd_free(high);
    hd_lattice_free(l);
}

int main(int argc, char **argv)
{
    run_parishes();
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "audit") == 0)
            run_audit();
        else
            run_d4(argv[i]);
    return 0;
}
