/* test_precision.c - what sums, means, spreads and quantiles give away of the values behind them,
 * by going through all whole records that would have printed alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"
#include "disclosure/precision.h"
#include "disclosure/primary.h"
#include "disclosure/rule.h"
#include "rows_as_cells.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BINS = 24, MOST_RECORDS = 64, MOST_SUM = 4096, MOST_SQUARES = 1 << 16 };

static hd_policy *hes;

static int set_up(void **state)
{
    (void)state;
    char folder[PATH_MAX];
    hd_err err;
    snprintf(folder, sizeof folder, "%s/catalogue", getenv("HDIS_SOURCE"));
    return hd_policy_open(&hes, folder, "hes2018", &err) == HD_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    hd_policy_free(hes);
    return 0;
}

static hd_precision precision(const hd_value_bin *bins, size_t n)
{
    hd_precision x;
    hd_err err;
    assert_int_equal(hd_precision_of(hes->file, bins, n, &x, &err), HD_OK);
    return x;
}

static size_t make(hd_value_bin *out, size_t n, const int (*pairs)[2])
{
    for (size_t i = 0; i < n; i++)
        out[i] = (hd_value_bin){pairs[i][0], pairs[i][1]};
    return n;
}

/* ---- all whole records that print alike ------------------------------------------------------- */

typedef struct world {
    const hd_value_bin *bins;
    size_t n;
    int records, sum, squares;
} world;

static world look(const hd_value_bin *bins, size_t n)
{
    world w = {bins, n, 0, 0, 0};
    for (size_t i = 0; i < n; i++) {
        int k = (int)bins[i].records, v = (int)bins[i].value;
        w.records += k;
        w.sum += k * v;
        w.squares += k * v * v;
    }
    return w;
}

/* reach[k][s]: k records with values in (or outside of) i..j can add up to s. */
static void reach_sums(const world *w, size_t i, size_t j, bool inside, char (*reach)[MOST_SUM])
{
    memset(reach, 0, (size_t)(w->records + 1) * sizeof *reach);
    reach[0][0] = 1;
    for (size_t b = 0; b < w->n; b++) {
        if ((b >= i && b <= j) != inside)
            continue;
        int v = (int)w->bins[b].value;
        for (int k = 1; k <= w->records; k++)
            for (int s = v; s < MOST_SUM; s++)
                reach[k][s] |= reach[k - 1][s - v];
    }
}

static double rounded(double x, double unit)
{
    return round(x / unit) * unit;
}

static bool prints_alike(const world *w, const hd_precision *x, int sum)
{
    double unit = pow(10, -x->mean_decimals), n = w->records;
    return fabs(rounded(sum, x->sum_unit) - rounded(w->sum, x->sum_unit)) < 1e-6 &&
           fabs(rounded(sum / n, unit) - rounded(w->sum / n, unit)) < unit / 2;
}

/* How many numbers of records in i..j, from 1, go with the printed sum and mean. */
static int candidates(const world *w, const hd_precision *x, size_t i, size_t j)
{
    static char inside[MOST_RECORDS + 1][MOST_SUM], outside[MOST_RECORDS + 1][MOST_SUM];
    int found = 0;
    reach_sums(w, i, j, true, inside);
    reach_sums(w, i, j, false, outside);
    for (int k = 1; k <= w->records; k++) {
        bool fits = false;
        for (int sum = 0; sum < MOST_SUM && !fits; sum++)
            for (int s = 0; s <= sum && prints_alike(w, x, sum) && !fits; s++)
                fits = inside[k][s] && outside[w->records - k][sum - s];
        found += fits;
    }
    return found;
}

static void check_all_ranges(const world *w, const hd_precision *x)
{
    for (size_t i = 0; i < w->n; i++) {
        int64_t k = 0;
        for (size_t j = i; j < w->n; j++) {
            k += w->bins[j].records;
            if (k <= hes->file->candidates_for_counts_to)
                assert_true(candidates(w, x, i, j) >= hes->file->minimum_candidates);
        }
    }
}

static size_t draw(hd_rng *rng, hd_value_bin *bins)
{
    static const int steps[] = {1, 1, 1, 2, 5, 15};
    size_t n = 8 + hd_rng_below(rng, 5);
    int value = (int)hd_rng_below(rng, 2), left = MOST_RECORDS - (int)n;
    for (size_t i = 0; i < n; i++) {
        int more = (int)hd_rng_below(rng, (uint32_t)left / 3 + 1);
        bins[i] = (hd_value_bin){value, 1 + more};
        left -= more;
        value += steps[hd_rng_below(rng, i < 6 ? 3 : 6)];
    }
    return n;
}

static void sums_and_means_keep_five_numbers(void **state)
{
    (void)state;
    hd_rng rng = hd_rng_stream(77, 1);
    unsigned shown = 0;
    for (int round = 0; round < 4000 && shown < 25; round++) {
        hd_value_bin bins[MOST_BINS];
        size_t n = draw(&rng, bins);
        world w = look(bins, n);
        hd_precision x = precision(bins, n);
        if (x.is_withheld)
            continue;
        check_all_ranges(&w, &x);
        shown++;
    }
    assert_true(shown >= 10);
}

/* The same with squares, for one value each time: the others are few enough to be gone through. */
static int with_squares(const world *w, const hd_precision *x, size_t at)
{
    static char now[24][160][2400];
    int v = (int)w->bins[at].value, found = 0;
    double n = w->records, unit = pow(10, -x->spread_decimals);
    double variance = (w->squares - (double)w->sum * w->sum / n) / (n - 1);
    memset(now, 0, sizeof now);
    now[0][0][0] = 1;
    for (size_t b = 0; b < w->n; b++) {
        int u = (int)w->bins[b].value;
        for (int k = 1; b != at && k <= w->records; k++)
            for (int s = u; s <= w->sum; s++)
                for (int q = u * u; q < 2400; q++)
                    now[k][s][q] |= now[k - 1][s - u][q - u * u];
    }
    for (int k = 1; k <= w->records && k * v <= w->sum; k++) {
        bool fits = false;
        for (int q = 0; q < 2400; q++) {
            double other = (q + (double)k * v * v - (double)w->sum * w->sum / n) / (n - 1);
            if (now[w->records - k][w->sum - k * v][q] && other > -1e-9)
                fits = fits || (fabs(rounded(sqrt(fmax(other, 0)), unit) -
                                     rounded(sqrt(variance), unit)) < unit / 2 &&
                                fabs(rounded(other, unit) - rounded(variance, unit)) < unit / 2);
        }
        found += fits;
    }
    return found;
}

static void spreads_keep_five_numbers(void **state)
{
    (void)state;
    hd_precision x;
    hd_err err;
    unsigned shown = 0;
    hd_rng rng = hd_rng_stream(78, 1);
    hd_policy_file any = *hes->file;
    any.minimum_distinct_values = 0; /* so few can be gone through */
    for (int round = 0; round < 20000 && shown < 12; round++) {
        hd_value_bin bins[MOST_BINS];
        size_t n = 4 + hd_rng_below(&rng, 2);
        int left = 22;
        for (size_t i = 0; i < n; i++) {
            int k = 1 + (int)hd_rng_below(&rng, (uint32_t)(left - (int)(n - i)) / 2 + 1);
            bins[i] = (hd_value_bin){(double)i, k};
            left -= k;
        }
        world w = look(bins, n);
        assert_int_equal(hd_precision_of(&any, bins, n, &x, &err), HD_OK);
        if (x.spread_is_withheld)
            continue;
        for (size_t i = 0; i < n; i++)
            if (bins[i].records <= 7)
                assert_true(with_squares(&w, &x, i) >= any.minimum_candidates);
        shown++;
    }
    assert_true(shown >= 3);
}

/* ---- what somebody would try ------------------------------------------------------------------ */

static void chosen_values_count_nobody(void **state)
{
    (void)state;
    static const int two[][2] = {{0, 1000}, {6, 4}};
    static const int steps[][2] = {{0, 900}, {6, 3},    {1000, 80}, {2000, 80}, {3000, 80},
                                   {4000, 80}, {5000, 80}, {6000, 80}, {7000, 80}};
    static const int outlier[][2] = {{0, 20}, {1, 2}, {2, 2}, {3, 1}, {4, 1},
                                     {5, 1},  {6, 1}, {7, 1}, {365, 2}};
    static const int band[][2] = {{500, 3},   {3000, 25}, {3001, 25}, {3002, 25}, {3003, 25},
                                  {3004, 25}, {3005, 25}, {3006, 25}, {3007, 25}};
    static const struct {
        const int (*pairs)[2];
        size_t n;
        double unit; /* 0: withheld; else shown no finer than so */
    } tried[] = {{two, 2, 0}, {steps, 9, 40}, {outlier, 9, 0}, {band, 9, 5000}};
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        hd_value_bin bins[MOST_BINS];
        hd_precision x = precision(bins, make(bins, tried[i].n, tried[i].pairs));
        assert_true(x.spread_is_withheld);
        assert_true(x.is_withheld || (tried[i].unit > 0 && x.sum_unit >= tried[i].unit &&
                                      x.mean_decimals < 2));
    }
}

/* Whoever has a sum, a mean and the rounded count, has the rounded count: each number behind it goes with some
 * sum that prints like the sum and like the mean. */
static void sums_and_means_count_nobody(void **state)
{
    (void)state;
    hd_rng rng = hd_rng_stream(31, 0);
    unsigned n_sums = 0, n_means = 0;
    for (int i = 0; i < 3000; i++) {
        hd_value_bin bins[MOST_BINS];
        size_t n = 8 + hd_rng_below(&rng, MOST_BINS - 8);
        int64_t from = i % 3 ? (int64_t)hd_rng_below(&rng, 40) : 1900, records = 0, sum = 0;
        for (size_t k = 0; k < n; k++) {
            bins[k] = (hd_value_bin){(double)(from + (int64_t)k), 1 + (int64_t)hd_rng_below(&rng, 1 + 200u * (i % 5))};
            records += bins[k].records;
            sum += bins[k].records * (from + (int64_t)k);
        }
        hd_precision x = precision(bins, n);
        if (x.is_withheld)
            continue;
        double unit = pow(10, -x.mean_decimals), mean = round((double)sum / (double)records / unit) * unit;
        double by_sum = round((double)sum / x.sum_unit) * x.sum_unit;
        hd_rule_range of = hd_rule_range_shown(hes->file, hd_rule_round(hes->file, records));
        for (int64_t c = of.low; c <= of.high; c++) {
            double low = (mean - unit / 2) * (double)c, high = (mean + unit / 2) * (double)c;
            if (!x.sum_is_withheld) {
                low = fmax(low, by_sum - x.sum_unit / 2);
                high = fmin(high, by_sum + x.sum_unit / 2);
            }
            assert_true(ceil(low - 1e-6) <= floor(high + 1e-6));
        }
        n_means++;
        n_sums += !x.sum_is_withheld;
    }
    assert_true(n_means > 1000 && n_sums > 600);
}

/* Lengths of stay as they are: a mean with decimals, a sum to within a hundredth. */
static void ordinary_stays_are_shown(void **state)
{
    (void)state;
    hd_value_bin bins[80];
    size_t n = 0;
    double left = 1500;
    for (int days = 0; days < 60 && left >= 1; days++) {
        double k = fmax(1, round(left * 0.2));
        bins[n++] = (hd_value_bin){days, (int64_t)k};
        left -= k;
    }
    bins[n++] = (hd_value_bin){90, 1};
    hd_precision x = precision(bins, n);
    assert_true(!x.sum_is_withheld && x.sum_unit <= 50 && x.mean_decimals >= 2);
    bins[n++] = (hd_value_bin){100000, 1}; /* a sum that is mostly one person's */
    x = precision(bins, n);
    assert_true(x.is_withheld && x.spread_is_withheld);
    hd_policy_file as_the_guide = *hes->file; /* whose owner takes that risk */
    as_the_guide.minimum_value_candidates = 0;
    hd_err err;
    assert_int_equal(hd_precision_of(&as_the_guide, bins, n, &x, &err), HD_OK);
    assert_true(!x.sum_is_withheld && !x.spread_is_withheld);
    assert_true(precision(bins, 7).is_withheld); /* fewer values than minimum_distinct_values */
}

/* ---- quantiles -------------------------------------------------------------------------------- */

static bool quantile(const hd_value_bin *bins, size_t n, double q, double *out)
{
    hd_aggregate a = {.kind = HD_AGG_QUANTILE, .type = HD_DECIMAL, .quantile = q};
    return hd_precision_quantile(hes->file, &a, bins, n, out);
}

static bool limit(const hd_value_bin *bins, size_t n, double q, double level, int side, double *out)
{
    hd_aggregate a = {
        .kind = HD_AGG_QUANTILE, .type = HD_DECIMAL, .quantile = q, .level = level, .side = side};
    return hd_precision_quantile(hes->file, &a, bins, n, out);
}

/* Values 0, 1, 2, ... once each: a quantile shows a rank. Whatever is asked, at least 7 records lie
 * between two ranks that are shown and 8 beyond them. */
static void quantiles_lie_apart(void **state)
{
    (void)state;
    static hd_value_bin bins[2000];
    static const size_t sizes[] = {8, 15, 31, 32, 60, 159, 160, 500, 799, 800, 2000};
    for (size_t i = 0; i < 2000; i++)
        bins[i] = (hd_value_bin){(double)i, 1};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s], n_shown = 0;
        bool shown[2000] = {false};
        double x;
        for (int q = 0; q <= 10000; q++)
            if (quantile(bins, n, q / 10000.0, &x))
                shown[(size_t)x] = true;
        for (int q = 5; q < 100; q += 5)
            for (int level = 500; level < 1000; level += 7)
                for (int side = -1; side <= 1; side += 2)
                    if (limit(bins, n, q / 100.0, level / 1000.0, side, &x))
                        shown[(size_t)x] = true;
        long last = -1;
        for (size_t i = 0; i < n; i++) {
            if (!shown[i])
                continue;
            n_shown++;
            if (last < 0)
                assert_true(i >= 8 || n < 32);
            else
                assert_true((long)i - last >= 7);
            last = (long)i;
        }
        assert_true(n_shown >= 1 && (n < 32 || n - 1 - (size_t)last >= 8));
        assert_true(shown[(n - 1) / 2]); /* the median */
    }
}

/* Counts that print alike show the same quantiles and limits, each as far along the records: who tries
 * levels until a limit moves or goes would else read off the number of records. */
static void quantiles_count_no_records(void **state)
{
    (void)state;
    static hd_value_bin bins[900];
    for (size_t i = 0; i < 900; i++)
        bins[i] = (hd_value_bin){(double)i, 1};
    for (size_t n = 8; n < 850; n += n < 48 || n % 160 > 155 || n % 160 < 5 ? 1 : 37) {
        size_t other = (size_t)hd_rule_round(hes->file, (int64_t)n);
        for (int q = 5; q < 100; q += 15) {
            double x, y;
            other = other < 8 ? 8 : other;
            assert_int_equal(quantile(bins, n, q / 100.0, &x), quantile(bins, other, q / 100.0, &y));
            for (int level = 500; level < 1000; level += n < 48 ? 9 : 45)
                for (int side = -1; side <= 1; side += 2) {
                    bool is_shown = limit(bins, n, q / 100.0, level / 1000.0, side, &x);
                    assert_int_equal(is_shown, limit(bins, other, q / 100.0, level / 1000.0, side, &y));
                    assert_true(!is_shown || fabs(x / (double)(n - 1) - y / (double)(other - 1)) <
                                                 1.5 / (double)n);
                }
        }
    }
}

/* The median of an even number of records is one of them, and limits are no nearer than they are. */
static void quantiles_are_values(void **state)
{
    (void)state;
    static const int pairs[][2] = {{1, 20}, {2, 20}, {3, 20}, {4, 40},   {9, 40},
                                   {12, 20}, {20, 20}, {50, 10}, {90, 10}};
    hd_value_bin bins[MOST_BINS];
    size_t n = make(bins, 9, pairs);
    double x, low, high;
    assert_true(quantile(bins, n, 0.5, &x) && x == 4);
    assert_true(quantile(bins, n, 0.95, &x) && x == 50);
    assert_true(!quantile(bins, n, 0.99, &x) && !quantile(bins, n, 0.123, &x));
    assert_true(!quantile(bins, n, 0, &x) && !quantile(bins, n, 1, &x));
    assert_true(limit(bins, n, 0.5, 0.95, -1, &low) && low <= 4);
    assert_true(limit(bins, n, 0.5, 0.95, 1, &high) && high >= 9);
    assert_true(!limit(bins, n, 0.95, 0.999999, 1, &x));
}

/* ---- a total and its parts -------------------------------------------------------------------- */

/* Four hospitals and all of them: one has too few people, so the smallest of the others goes too. */
static void the_only_withheld_part_is_not_alone(void **state)
{
    (void)state;
    enum { PARTS = 4 };
    static const int64_t people[PARTS + 1] = {5, 900, 700, 800, 2405};
    const hd_key key = {.name = "k", .type = HD_INTEGER};
    const hd_aggregate mean = {.kind = HD_AGG_MEAN, .type = HD_DECIMAL};
    const hd_question q = {
        .is_subnational = true, .n_keys = 1, .n_aggregates = 1, .keys = &key, .aggregates = &mean};
    hd_value keys[PARTS + 1];
    uint32_t grouping[PARTS + 1] = {[PARTS] = 1};
    hd_cell all[PARTS + 1], figures[PARTS + 1];
    hd_value_bins behind[PARTS + 1];
    hd_value_bin bins[(PARTS + 1) * 10];
    for (size_t c = 0; c <= PARTS; c++) {
        keys[c] = (hd_value){.type = HD_INTEGER, .is_null = c == PARTS, .integer = (int64_t)c};
        all[c] = (hd_cell){{.type = HD_INTEGER, .integer = people[c]}, people[c], people[c]};
        figures[c] = (hd_cell){{.type = HD_DECIMAL, .decimal = 4.5}, people[c], people[c]};
        behind[c] = (hd_value_bins){c * 10, 10};
        for (int v = 0; v < 10; v++)
            bins[c * 10 + (size_t)v] = (hd_value_bin){v, people[c] / 10};
    }
    hd_cells *cells = rows_as_cells(&q, PARTS + 1, keys, grouping, all, figures);
    cells->values = behind;
    cells->bins = bins;
    hd_safe safe;
    hd_err err;
    assert_int_equal(hd_primary_apply(hes, &q, cells, &safe, &err), HD_OK);
    const char marks[] = {safe.figures[0].mark, safe.figures[1].mark, safe.figures[2].mark,
                          safe.figures[3].mark, safe.figures[4].mark};
    assert_memory_equal(marks, ((const char[]){'*', 0, ':', 0, 0}), sizeof marks);
    hd_safe_free(&safe);
    cells->values = NULL;
    cells->bins = NULL;
    hd_cells_free(cells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_means_keep_five_numbers),
        cmocka_unit_test(spreads_keep_five_numbers),
        cmocka_unit_test(chosen_values_count_nobody),
        cmocka_unit_test(sums_and_means_count_nobody),
        cmocka_unit_test(ordinary_stays_are_shown),
        cmocka_unit_test(quantiles_lie_apart),
        cmocka_unit_test(quantiles_are_values),
        cmocka_unit_test(quantiles_count_no_records),
        cmocka_unit_test(the_only_withheld_part_is_not_alone),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
