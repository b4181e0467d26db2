/* test_statistics_funnel.c - funnels: published over-dispersion results, the shape of limits,
 * extremes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "statistics/funnel.h"

#define NEAR(got, want, tolerance) assert_true(fabs((got) - (want)) <= (tolerance))

static void shmi_overdispersion_as_published(void **state)
{
    (void)state;
    hd_funnel_unit u[] = {{100, 108, 0}, {150, 112, 0}, {180, 165, 0},
                          {80, 95, 0},   {120, 100, 0}, {225, 220, 0}};
    hd_funnel_options o = hd_funnel_defaults(HD_FUNNEL_RATIO);
    hd_funnel_row rows[6];
    hd_funnel_summary s;
    o.adjust = HD_FUNNEL_TRUNCATE;
    o.round_expected = true;
    assert_int_equal(hd_funnel(u, 6, &o, rows, &s, NULL), HD_OK);
    NEAR(s.phi, 2.948033175, 1e-9);
    NEAR(s.tau2, 0.01947753058, 1e-11);
    assert_int_equal(s.used, 6);
    const double upper[] = {1.394103709, 1.391433466, 1.367815723,
                            1.404241760, 1.400048172, 1.354973207};
    for (int i = 0; i < 6; i++)
        NEAR(rows[i].adjusted[0].upper, upper[i], 1e-8); /* the source rounds 1.96 to 6 decimals */
    hd_limits plain[HD_FUNNEL_LEVELS], adjusted[HD_FUNNEL_LEVELS];
    assert_int_equal(hd_funnel_curve(&o, &s, 108, plain, adjusted, NULL), HD_OK);
    assert_true(adjusted[0].upper == rows[0].adjusted[0].upper);
    assert_true(plain[1].lower == rows[0].limits[1].lower);
}

static void proportion_limits_touch_wilson(void **state)
{
    (void)state;
    hd_funnel_options o = hd_funnel_defaults(HD_FUNNEL_PROPORTION);
    hd_funnel_summary s = {.target = 0.80642448};
    hd_limits plain[HD_FUNNEL_LEVELS], adjusted[HD_FUNNEL_LEVELS], own;
    assert_int_equal(hd_funnel_curve(&o, &s, 539, plain, adjusted, NULL), HD_OK);
    NEAR(plain[0].lower, 0.7730694929, 5e-9);
    NEAR(plain[0].upper, 0.8397794671, 5e-9);
    assert_int_equal(
        hd_proportion_limits(HD_PROPORTION_WILSON, plain[0].lower * 539, 539, 0.95, &own, NULL),
        HD_OK);
    NEAR(own.upper, s.target, 1e-12);
}

static void extremes_give_no_nonsense(void **state)
{
    (void)state;
    for (int kind = HD_FUNNEL_PROPORTION; kind <= HD_FUNNEL_MEAN; kind++)
        for (int adjust = 0; adjust < 3; adjust++)
            for (int base = 0; base < 3; base++) {
                hd_funnel_options o = hd_funnel_defaults(kind);
                o.adjust = adjust;
                o.base = base;
                hd_funnel_unit u[] = {{0, 10, 1}, {6e9, 6e9, 1}, {0, 0, 0}, {5, 10, 1}, {5, 10, 1}};
                hd_funnel_row rows[5];
                hd_funnel_summary s;
                for (size_t n = 0; n <= 5; n++) {
                    assert_int_equal(hd_funnel(u, n, &o, rows, &s, NULL), HD_OK);
                    for (size_t i = 0; i < n; i++)
                        for (int k = 0; k < 2 && i != 2; k++)
                            assert_true(!(rows[i].limits[k].lower > rows[i].limits[k].upper));
                    if (n > 2)
                        assert_true(isnan(rows[2].value) && rows[2].status[0] == 0);
                }
            }
}

static void refusals_name_the_unit(void **state)
{
    (void)state;
    hd_funnel_options o = hd_funnel_defaults(HD_FUNNEL_PROPORTION);
    hd_funnel_unit u[] = {{1, 10, 0}, {11, 10, 0}};
    hd_funnel_row rows[2];
    hd_funnel_summary s;
    hd_err err;
    assert_int_equal(hd_funnel(u, 2, &o, rows, &s, &err), HD_INVALID);
    assert_string_equal(err.text, "unit 2 has a numerator above its denominator");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shmi_overdispersion_as_published),
        cmocka_unit_test(proportion_limits_touch_wilson),
        cmocka_unit_test(extremes_give_no_nonsense),
        cmocka_unit_test(refusals_name_the_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
