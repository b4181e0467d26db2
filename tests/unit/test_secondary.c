/* test_secondary.c - lattices, propagation, elimination, intervals, secondary suppression and
 * certificates on small tables whose answers are known by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "disclosure/certificate.h"
#include "disclosure/eliminate.h"
#include "disclosure/propagate.h"
#include "disclosure/secondary.h"

#include <string.h>

#define OK(call)                                                                                   \
    do {                                                                                           \
        hd_err ok_err = {0};                                                                       \
        hd_err *err = &ok_err;                                                                     \
        if ((call) != HD_OK)                                                                       \
            fail_msg("%s", ok_err.text);                                                           \
    } while (0)

/* A dimension "Total" and n parts. */
static const char *const part_names[] = {"Total", "a", "b", "c", "d", "e", "f", "g", "h"};
static const uint32_t part_codes[] = {1, 2, 3, 4, 5, 6, 7, 8};

static hd_lattice *flat(const uint32_t *sizes, size_t n_dims)
{
    static const char *const names[] = {"x", "y", "z"};
    hd_code_rule rules[3];
    hd_dimension dims[3];
    hd_lattice *l = NULL;
    for (size_t d = 0; d < n_dims; d++) {
        rules[d] = (hd_code_rule){0, sizes[d], part_codes};
        dims[d] = (hd_dimension){names[d], sizes[d] + 1, part_names, 1, &rules[d]};
    }
    OK(hd_lattice_new(&l, dims, n_dims, err));
    return l;
}

static void lattice_adds_and_finds_what_is_below(void **state)
{
    (void)state;
    hd_lattice *l = flat((const uint32_t[]){2, 3}, 2);
    int64_t n[12] = {0};
    bool mark[12] = {0}, below[12];
    assert_int_equal(hd_lattice_n_cells(l), 12);
    for (uint32_t x = 1; x <= 2; x++)
        for (uint32_t y = 1; y <= 3; y++)
            n[hd_lattice_cell(l, (const uint32_t[]){x, y})] = 10 * x + y;
    OK(hd_lattice_sum(l, n, err));
    assert_int_equal(n[0], 11 + 12 + 13 + 21 + 22 + 23);
    assert_int_equal(n[hd_lattice_cell(l, (const uint32_t[]){2, 0})], 66);
    assert_int_equal(n[hd_lattice_cell(l, (const uint32_t[]){0, 3})], 36);
    mark[hd_lattice_cell(l, (const uint32_t[]){2, 0})] = true;
    hd_lattice_below(l, mark, below);
    for (uint32_t x = 0; x <= 2; x++)
        for (uint32_t y = 0; y <= 3; y++)
            assert_int_equal(below[hd_lattice_cell(l, (const uint32_t[]){x, y})], x == 2 && y > 0);
    assert_true(hd_lattice_is_leaf(l, 5));
    assert_false(hd_lattice_is_leaf(l, 4));
    assert_int_equal(hd_lattice_depth(l, 0), 0);
    assert_int_equal(hd_lattice_depth(l, 5), 2);
    hd_lattice_free(l);
}

static void lattice_refuses_nonsense(void **state)
{
    (void)state;
    hd_lattice *l;
    hd_err err;
    const char *two[] = {"a", "a"}, *fine[] = {"a", "b"};
    uint32_t one[] = {1}, zero[] = {0}, twice[] = {1, 1};
    hd_code_rule circle[] = {{0, 1, one}, {1, 1, zero}}, doubled = {0, 2, twice}, none = {0, 0, one};
    hd_dimension d = {"x", 2, two, 0, NULL};
    assert_int_equal(hd_lattice_new(&l, &d, 1, &err), HD_INVALID);
    d = (hd_dimension){"x", 2, fine, 2, circle};
    assert_int_equal(hd_lattice_new(&l, &d, 1, &err), HD_INVALID);
    d = (hd_dimension){"x", 2, fine, 1, &doubled};
    assert_int_equal(hd_lattice_new(&l, &d, 1, &err), HD_INVALID);
    d = (hd_dimension){"x", 2, fine, 1, &none};
    assert_int_equal(hd_lattice_new(&l, &d, 1, &err), HD_INVALID);
}

/* Cells of the 4 x 4 table whose withheld cells pass every look at rows and columns alone, in the
 * order Total, a .. d by Total, w .. z; -1: withheld. Own figures of the same shape: the column b
 * of row w is what rows w + x and columns a + c leave. */
static const int64_t pinned[5][5] = {
    {3000, 900, 1200, 400, 500}, {200, -1, -1, -1, 60}, {240, -1, 120, -1, 30},
    {760, 100, -1, 160, -1},     {1800, 700, -1, 200, -1},
};

static void system_of(hd_system *s, const hd_lattice *l, const int64_t *shown)
{
    size_t n = hd_lattice_n_cells(l);
    int64_t *low = hd_calloc(n, sizeof *low), *high = hd_calloc(n, sizeof *high);
    for (size_t c = 0; c < n; c++) {
        low[c] = shown[c] < 0 ? 0 : shown[c];
        high[c] = shown[c] < 0 ? HD_NO_BOUND : shown[c];
    }
    OK(hd_system_from_lattice(s, l, low, high, err));
    hd_free(low);
    hd_free(high);
}

static void elimination_finds_what_propagation_misses(void **state)
{
    (void)state;
    hd_lattice *l = flat((const uint32_t[]){4, 4}, 2);
    hd_system s;
    hd_propagation done;
    hd_combination how;
    bool known[25], fixed[25];
    hd_err why;
    system_of(&s, l, &pinned[0][0]);
    for (size_t c = 0; c < 25; c++)
        known[c] = (&pinned[0][0])[c] >= 0;
    OK(hd_eliminate(&s, known, fixed, err));
    for (size_t c = 0; c < 25; c++)
        assert_int_equal(fixed[c], c == 5 + 2);
    /* w,b = (rows w + x) - (columns a + c) - the shown cells: all whole. */
    OK(hd_eliminate_name(&s, known, 7, &how, err));
    int64_t sum = 0;
    for (size_t i = 0; i < how.n_terms; i++)
        sum += how.numerator[i] * (&pinned[0][0])[how.cell[i]];
    assert_int_equal(sum, how.denominator * (200 + 240 - 60 - 120 - 30 - (900 - 800) - (400 - 360)));
    hd_combination_free(&how);
    assert_int_equal(hd_eliminate_name(&s, known, 6, &how, &why), HD_NOTFOUND);
    OK(hd_propagate(&s, &done, err));
    assert_true(done.is_consistent);
    assert_true(s.low[7] < s.high[7]);
    hd_system_free(&s);
    hd_lattice_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lattice_adds_and_finds_what_is_below),
        cmocka_unit_test(lattice_refuses_nonsense),
        cmocka_unit_test(elimination_finds_what_propagation_misses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
