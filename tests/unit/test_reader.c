/* test_reader.c - the reader that small tables are attacked with: what it finds and does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../oracle/reader.h"

enum { AAB = 1, ABA = 2, BAB = 4, BBB = 8 };

/* Amounts of which three sums are known: with aba = t the leaves are 74 - t, t, 2t - 69 and 74 - t,
 * for t of 35 to 74, and their sum is t + 79. */
static reader *linked_amounts(void)
{
    static const int64_t truth[] = {39, 35, 1, 39};
    reader *r = reader_new(4, truth);
    assert_true(reader_knows(r, (reader_form){74, 74, AAB | ABA, 0}));
    assert_true(reader_knows(r, (reader_form){74, 74, ABA | BBB, 0}));
    assert_true(reader_knows(r, (reader_form){79, 79, AAB | BAB | BBB, 0}));
    return r;
}

static bool has(reader *r, reader_form form, int values, int64_t width)
{
    reader_target t = {.form = form, .values = values, .width = width};
    bool is_enough = reader_has(r, &t, &t, 1);
    assert_false(t.is_cut);
    return is_enough;
}

/* A sum that moves by 17 moves a leaf by 34 here; one by 39 is more than 64 bits remember. */
static void a_sum_can_need_leaves_far_away(void **state)
{
    (void)state;
    reader_form all = {0, INT64_MAX / 4, AAB | ABA | BAB | BBB, 0};
    reader *r = linked_amounts();
    assert_true(has(r, all, 0, 16));
    assert_true(has(r, all, 0, 17));
    assert_true(has(r, all, 0, 39));
    assert_false(has(r, all, 0, 40));
    assert_true(has(r, (reader_form){0, 100, BAB, 0}, 16, 0)); /* 1, 3, 5 ... */
    assert_true(has(r, (reader_form){0, 100, BAB, 0}, 0, 78));
    assert_false(has(r, (reader_form){0, 100, BAB, 0}, 0, 79));
    reader_free(r);
}

static void what_the_bounds_exclude_is_not_found(void **state)
{
    (void)state;
    reader_form all = {0, INT64_MAX / 4, AAB | ABA | BAB | BBB, 0};
    reader *r = linked_amounts();
    assert_true(reader_knows(r, (reader_form){0, 31, BAB, 0}));
    assert_true(has(r, all, 0, 15));
    assert_false(has(r, all, 0, 17));
    assert_true(has(r, all, 16, 0));
    assert_false(has(r, all, 17, 0));
    reader_free(r);
}

/* Both sides of the truth count, and values outside those that count do not. */
static void a_width_is_the_sum_of_both_sides(void **state)
{
    (void)state;
    static const int64_t truth[] = {50, 50};
    reader *r = reader_new(2, truth);
    assert_true(reader_knows(r, (reader_form){100, 100, 3, 0}));
    assert_true(reader_knows(r, (reader_form){43, 58, 1, 0}));
    assert_true(has(r, (reader_form){0, 1000, 1, 0}, 0, 15));
    assert_false(has(r, (reader_form){0, 1000, 1, 0}, 0, 16));
    assert_true(has(r, (reader_form){45, 55, 1, 0}, 0, 10));
    assert_false(has(r, (reader_form){45, 55, 1, 0}, 0, 11));
    assert_true(has(r, (reader_form){-1000, 1000, 1, 2}, 0, 30));
    assert_false(has(r, (reader_form){-1000, 1000, 1, 2}, 0, 31));
    assert_false(reader_knows(r, (reader_form){0, 49, 1, 0}));
    reader_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sum_can_need_leaves_far_away),
        cmocka_unit_test(what_the_bounds_exclude_is_not_found),
        cmocka_unit_test(a_width_is_the_sum_of_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
