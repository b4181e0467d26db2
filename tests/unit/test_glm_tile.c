/* test_glm_tile.c - the vectors of the regression: exponential and logarithm within their last bits,
 * and the same digits with AVX2 and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

/* Both kinds of every body are of this file alone. */
#include "../../src/statistics/glm_tile.c"

/* Units of the last bit between v and what it should be, from long doubles. */
static double bits_off(double v, long double want)
{
    double unit = nextafter(fabs((double)want), INFINITY) - fabs((double)want);
    return (double)fabsl((v - want) / unit);
}

static void exponential_and_logarithm(void **state)
{
    (void)state;
    hd_rng r = hd_rng_stream(3, 1);
    double worst = 0;
    for (int i = 0; i < 200000; i++) {
        double x = (hd_rng_unit(&r) - 0.5) * (i % 2 ? 2 : 1400), out[LANES];
        store(out, exp_of(all(x)));
        worst = fmax(worst, bits_off(out[3], expl(x)));
    }
    assert_true(worst < 1.5);
    worst = 0;
    for (int i = 0; i < 200000; i++) {
        double x = i % 3 ? exp((hd_rng_unit(&r) - 0.5) * 1400) : 0.5 + hd_rng_unit(&r), out[LANES];
        store(out, log_of(all(x)));
        if (x != 1)
            worst = fmax(worst, bits_off(out[0], logl(x)));
    }
    assert_true(worst < 2.5);
    double one[LANES];
    store(one, log_of(all(1)));
    assert_true(one[0] == 0);
}

#ifdef __x86_64__
enum { COLUMNS = 7 };

typedef struct room {
    hd_glm_tile t;
    hd_glm_tail tail;
    double wx[(COLUMNS + LANES) * TILE], cells[(COLUMNS + LANES) * (COLUMNS + 2)];
    double score[COLUMNS + LANES];
} room;

static void fill_room(room *m, const double *x, hd_rng *r, hd_family family)
{
    memset(m, 0, sizeof *m);
    m->t.x = x;
    m->t.wx = m->wx;
    for (size_t k = 0; k < TILE; k++) {
        m->t.trials[k] = family == HD_BINOMIAL ? 1 + hd_rng_below(r, 4) : 1;
        m->t.y[k] = family == HD_BINOMIAL ? hd_rng_below(r, 3) / 2.0 : hd_rng_below(r, 9);
        m->t.prior[k] = hd_rng_below(r, 5) / 2.0;
        m->t.offset[k] = m->t.eta[k] = hd_rng_unit(r) - 0.5;
    }
}

static void same_digits_with_avx2(void **state)
{
    (void)state;
    if (!__builtin_cpu_supports("avx2"))
        skip();
    hd_rng r = hd_rng_stream(3, 2);
    double x[COLUMNS * TILE], beta[COLUMNS];
    room *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    assert_true(a && b);
    for (int round = 0; round < 60; round++) {
        hd_family family = (hd_family)(round % 3);
        for (size_t i = 0; i < COLUMNS * TILE; i++)
            x[i] = (hd_rng_unit(&r) - 0.5) * 4;
        for (size_t i = 0; i < COLUMNS; i++)
            beta[i] = hd_rng_unit(&r) * (round % 7);
        fill_room(a, x, &r, family);
        memcpy(b, a, sizeof *b);
        b->t.wx = b->wx;
        if (round % 2) {
            predict_avx2(&a->t, beta, COLUMNS);
            predict_plain(&b->t, beta, COLUMNS);
            mean_avx2(&a->t, family);
            mean_plain(&b->t, family);
        } else {
            start_avx2(&a->t, family);
            start_plain(&b->t, family);
        }
        weigh_avx2(&a->t, family, 1.5, &a->tail);
        weigh_plain(&b->t, family, 1.5, &b->tail);
        cross_avx2(&a->t, COLUMNS, a->cells);
        cross_plain(&b->t, COLUMNS, b->cells);
        score_avx2(&a->t, COLUMNS, a->score);
        score_plain(&b->t, COLUMNS, b->score);
        b->t.wx = a->t.wx;
        assert_memory_equal(a, b, sizeof *a);
    }
    /* And right: one cell, and one score, by hand. */
    double cell = 0, score = 0;
    for (size_t k = 0; k < TILE; k++) {
        cell += a->t.w[k] * x[1 * TILE + k] * x[5 * TILE + k];
        score += a->t.u[k] * x[6 * TILE + k];
    }
    assert_true(fabs(a->cells[hd_glm_cell(1, 5, COLUMNS)] / cell - 1) < 1e-12);
    assert_true(fabs(a->score[6] - score) < 1e-9 * (1 + fabs(score)));
    free(a);
    free(b);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponential_and_logarithm),
#ifdef __x86_64__
        cmocka_unit_test(same_digits_with_avx2),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
