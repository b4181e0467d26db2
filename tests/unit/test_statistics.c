/* test_statistics.c - published values and limits that must be exact: intervals, ranks, quantiles,
 * XmR. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "statistics/interval.h"
#include "statistics/quantile.h"
#include "statistics/xmr.h"

#define NEAR(got, want, tolerance) assert_true(fabs((got) - (want)) <= (tolerance))

static void wilson_as_published(void **state)
{
    (void)state;
    hd_limits l;
    assert_int_equal(hd_proportion_limits(HD_PROPORTION_WILSON, 65, 100, 0.95, &l, NULL), HD_OK);
    NEAR(l.lower, 0.552544433, 5e-10);
    NEAR(l.upper, 0.736357518, 5e-10);
    assert_int_equal(hd_proportion_limits(HD_PROPORTION_WILSON, 1045, 5000, 0.95, &l, NULL), HD_OK);
    NEAR(l.lower, 0.1979555, 5e-8);
    NEAR(l.upper, 0.2204913, 5e-8);
}

static void proportions_keep_their_ends(void **state)
{
    (void)state;
    hd_limits l;
    const double sizes[] = {0.5, 1, 7, 1e3, 4294967297.0, 1e15};
    for (int m = HD_PROPORTION_WILSON; m <= HD_PROPORTION_EXACT; m++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            double n = sizes[i];
            assert_int_equal(hd_proportion_limits(m, 0, n, 0.998, &l, NULL), HD_OK);
            assert_true(l.lower == 0 && l.upper > 0 && l.upper <= 1);
            assert_int_equal(hd_proportion_limits(m, n, n, 0.998, &l, NULL), HD_OK);
            assert_true(l.upper == 1 && l.lower >= 0 && l.lower < 1);
            assert_int_equal(hd_proportion_limits(m, n / 2, n, 0.95, &l, NULL), HD_OK);
            assert_true(l.lower <= 0.5 && l.upper >= 0.5);
        }
    /* One of ten thousand million: no digit is lost to cancellation. */
    assert_int_equal(hd_proportion_limits(HD_PROPORTION_WILSON, 1, 1e10, 0.95, &l, NULL), HD_OK);
    NEAR(l.lower / 1.7652456e-11, 1, 1e-6);
}

static void counts_as_published(void **state)
{
    (void)state;
    hd_limits l;
    assert_int_equal(hd_count_limits(HD_COUNT_BYAR, 65, 0.95, &l, NULL), HD_OK);
    NEAR(l.lower, 50.16318771, 5e-9);
    NEAR(l.upper, 82.84913855, 5e-9);
    assert_int_equal(hd_count_limits(HD_COUNT_PHE, 1045, 0.95, &l, NULL), HD_OK);
    NEAR(l.lower, 982.5932018, 5e-8);
    NEAR(l.upper, 1110.331213, 5e-7);
    /* SHMI limits around an expected count of 15 are the exact limits of that count. */
    assert_int_equal(hd_count_limits(HD_COUNT_EXACT, 15, 0.95, &l, NULL), HD_OK);
    NEAR(l.lower / 15, 0.5596924, 5e-8);
    NEAR(l.upper / 15, 1.649348, 5e-7);
    assert_int_equal(hd_count_method_used(HD_COUNT_PHE, 9.5), HD_COUNT_EXACT);
    assert_int_equal(hd_count_method_used(HD_COUNT_PHE, 10), HD_COUNT_BYAR);
    /* Never a negative count. */
    assert_int_equal(hd_count_limits(HD_COUNT_BYAR, 1, 0.998, &l, NULL), HD_OK);
    assert_true(l.lower == 0);
    assert_int_equal(hd_count_limits(HD_COUNT_EXACT, 0, 0.95, &l, NULL), HD_OK);
    assert_true(l.lower == 0);
    NEAR(l.upper, 3.688879454, 1e-9); /* -ln(0.025) */
    assert_int_equal(hd_count_limits(HD_COUNT_PHE, 1e13, 0.95, &l, NULL), HD_OK);
    assert_true(l.lower < 1e13 && l.upper > 1e13);
}

static void refuses_what_makes_no_sense(void **state)
{
    (void)state;
    hd_limits l;
    hd_err err;
    const double bad[][3] = {{-1, 10, .95},      {11, 10, .95}, {0, 0, .95}, {NAN, 10, .95},
                             {1, INFINITY, .95}, {1, 10, 0},    {1, 10, 1},  {1, 10, NAN}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(
            hd_proportion_limits(HD_PROPORTION_WILSON, bad[i][0], bad[i][1], bad[i][2], &l, &err),
            HD_INVALID);
    assert_int_equal(hd_count_limits(HD_COUNT_PHE, -0.5, 0.95, &l, &err), HD_INVALID);
    assert_int_equal(hd_count_ratio_limits(3, 0, 0.95, &l, &err), HD_INVALID);
    assert_int_equal(hd_mean_limits(0, 1, 1, 0.95, &l, &err), HD_INVALID);
}

static void means_and_ratios(void **state)
{
    (void)state;
    hd_limits l;
    assert_int_equal(hd_mean_limits(8, 53.704345, 20.97557525770931, 0.95, &l, NULL), HD_OK);
    NEAR(l.lower, 36.168325241, 5e-9);
    NEAR(l.upper, 71.240364759, 5e-9);
    assert_int_equal(hd_mean_limits(1, 3, NAN, 0.95, &l, NULL), HD_OK);
    assert_true(isnan(l.lower) && isnan(l.upper));
    assert_int_equal(hd_count_ratio_limits(100, 50, 0.95, &l, NULL), HD_OK);
    NEAR(l.lower, 2 * exp(-1.959963985 * sqrt(0.03)), 1e-8);
    assert_int_equal(hd_count_ratio_limits(0, 50, 0.95, &l, NULL), HD_OK);
    assert_true(l.lower == 0 && l.upper > 0);
}

static void quantile_ranks(void **state)
{
    (void)state;
    uint64_t r, s;
    assert_int_equal(hd_quantile_ranks(100, 0.5, 0.95, &r, &s, NULL), HD_OK);
    assert_int_equal(r, 40); /* the classic 40th and 61st of 100 */
    assert_int_equal(s, 61);
    assert_int_equal(hd_quantile_ranks(5, 0.5, 0.95, &r, &s, NULL), HD_OK);
    assert_int_equal(r, 0); /* 2 * 0.5^5 > 0.05: too few values for limits */
    assert_int_equal(s, 6);
    assert_int_equal(hd_quantile_ranks(6, 0.5, 0.95, &r, &s, NULL), HD_OK);
    assert_int_equal(r, 1);
    assert_int_equal(s, 6);
    assert_int_equal(hd_quantile_ranks(10000000, 0.95, 0.998, &r, &s, NULL), HD_OK);
    assert_true(r > 9490000 && r < 9500000 && s > 9500000 && s < 9510000);
}

static void quantiles_of_bins_equal_those_of_sorted_values(void **state)
{
    (void)state;
    hd_rng rng = hd_rng_stream(4, 0);
    for (int round = 0; round < 200; round++) {
        hd_bin bins[6];
        double sorted[64];
        size_t n = 0;
        for (size_t i = 0; i < 6; i++) {
            bins[i] = (hd_bin){(double)(i * i), hd_rng_below(&rng, 10)};
            for (uint64_t c = 0; c < bins[i].count; c++)
                sorted[n++] = bins[i].value;
        }
        double got, q = hd_rng_unit(&rng);
        if (n == 0)
            continue;
        assert_int_equal(hd_bins_quantile(bins, 6, q, HD_QUANTILE_TYPE7, &got, NULL), HD_OK);
        NEAR(got, hd_sorted_quantile(sorted, n, q), 1e-12);
        assert_int_equal(hd_bins_at_rank(bins, 6, n, &got, NULL), HD_OK);
        assert_true(got == sorted[n - 1]);
        assert_int_equal(hd_bins_at_rank(bins, 6, n + 1, &got, NULL), HD_INVALID);
    }
}

static void deciles_take_ties_and_gaps(void **state)
{
    (void)state;
    double v[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, NAN, 10};
    unsigned q[12];
    assert_int_equal(hd_quantile_groups(v, 10, 10, false, HD_GROUPING_PHE, q, NULL), HD_OK);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(q[i], i + 1);
    assert_int_equal(hd_quantile_groups(v, 12, 10, true, HD_GROUPING_PHE, q, NULL), HD_OK);
    assert_int_equal(q[10], 0);
    assert_int_equal(q[9], q[11]);
    assert_int_equal(q[9], 1);
    assert_int_equal(hd_quantile_groups(v, 5, 10, true, HD_GROUPING_PHE, q, NULL), HD_OK);
    assert_int_equal(q[0], 0);
}

static void xmr_published_series(void **state)
{
    (void)state;
    double v[18];
    for (size_t i = 0; i < 18; i++)
        v[i] = i == 4 ? 10 : i < 4 ? 1 + (double)(i % 2) : 2 - (double)(i % 2);
    hd_xmr_point p[18];
    hd_xmr_summary s;
    hd_xmr_options o = hd_xmr_defaults();
    assert_int_equal(hd_xmr(v, NULL, 18, &o, p, &s, NULL), HD_OK);
    NEAR(p[0].upper, 6.9515, 5e-4);
    NEAR(p[0].lower, -3.0626, 5e-4);
    assert_int_equal(p[4].cause, HD_ABOVE_UPPER);
    o.screen = true;
    assert_int_equal(hd_xmr(v, NULL, 18, &o, p, &s, NULL), HD_OK);
    NEAR(p[0].mean, 1.9444, 5e-5);
    NEAR(p[0].upper, 4.6044, 5e-4);
    NEAR(p[0].lower, -0.7156, 5e-4);
}

static void xmr_survives_constant_and_short_series(void **state)
{
    (void)state;
    double v[9] = {5, 5, 5, 5, 5, 5, 5, 5, 5};
    hd_xmr_point p[9];
    hd_xmr_summary s;
    hd_xmr_options o = hd_xmr_defaults();
    o.screen = true;
    assert_int_equal(hd_xmr(v, NULL, 9, &o, p, &s, NULL), HD_OK);
    assert_true(p[8].lower == 5 && p[8].upper == 5 && s.special_points == 0);
    assert_int_equal(hd_xmr(v, NULL, 1, &o, p, &s, NULL), HD_OK);
    assert_true(p[0].mean == 5 && isnan(p[0].lower) && s.special_points == 0);
    assert_int_equal(hd_xmr(v, NULL, 0, &o, p, &s, NULL), HD_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilson_as_published),
        cmocka_unit_test(proportions_keep_their_ends),
        cmocka_unit_test(counts_as_published),
        cmocka_unit_test(refuses_what_makes_no_sense),
        cmocka_unit_test(means_and_ratios),
        cmocka_unit_test(quantile_ranks),
        cmocka_unit_test(quantiles_of_bins_equal_those_of_sorted_values),
        cmocka_unit_test(deciles_take_ties_and_gaps),
        cmocka_unit_test(xmr_published_series),
        cmocka_unit_test(xmr_survives_constant_and_short_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
