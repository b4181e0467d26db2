/* test_search.c - frames and the search for whole-number tables, on random two-way tables of
 * figures of any size: what a search keeps agrees with what it stands for, after every move. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "disclosure/search.h"

#include <string.h>

#define OK(call)                                                                                   \
    do {                                                                                           \
        hd_err ok_err = {0};                                                                       \
        hd_err *err = &ok_err;                                                                     \
        if ((call) != HD_OK)                                                                       \
            fail_msg("%s", ok_err.text);                                                           \
    } while (0)

enum { WIDTH = 7, SIDE = WIDTH + 1, CELLS = SIDE * SIDE, TABLES = 60 };

/* A table with its margins; its figures have up to `bits` bits and are known to within `open`. */
static void random_system(hd_system *s, hd_rng *r, int bits, int64_t open, int64_t *truth)
{
    memset(truth, 0, CELLS * sizeof *truth);
    for (int y = 1; y < SIDE; y++)
        for (int x = 1; x < SIDE; x++) {
            int64_t v = (int64_t)(hd_rng_next(r) >> (64 - bits));
            truth[y * SIDE + x] = v;
            truth[y * SIDE] += v;
            truth[x] += v;
            truth[0] += v;
        }
    hd_system_init(s);
    for (int c = 0; c < CELLS; c++) {
        int64_t below = hd_rng_below(r, (uint32_t)open + 1), low = truth[c] - below;
        uint32_t cell;
        OK(hd_system_cell(s, low < 0 ? 0 : low, low + open, (uint64_t)c, &cell, err));
    }
    for (uint32_t i = 0; i < SIDE; i++)
        for (int down = 0; down < 2; down++) {
            uint32_t parts[WIDTH];
            for (uint32_t k = 1; k < SIDE; k++)
                parts[k - 1] = down ? k * SIDE + i : i * SIDE + k;
            OK(hd_system_rule(s, down ? i : i * SIDE, parts, WIDTH, err));
        }
}

static int64_t cut(int64_t v)
{
    return v < -(1 << 20) ? -(1 << 20) : v > 1 << 20 ? 1 << 20 : v;
}

/* Rows, distances, what is out of bounds: all that a search keeps beside the values. */
static void check_state(const hd_search *x, const hd_system *s)
{
    const hd_frame *f = x->f;
    size_t n_violated = 0, n_wide = 0;
    int64_t table[CELLS];
    hd_search_table(x, s, table);
    for (uint32_t c = 0; c < CELLS; c++)
        assert_int_equal(table[c], hd_search_value(x, s, c));
    for (size_t r = 0; r < f->n_rows; r++) {
        const hd_search_row *row = &x->rows[r];
        int64_t value = f->constant[r];
        for (size_t i = f->row_start[r]; i < f->row_start[r + 1]; i++)
            value += f->row_term[i].coefficient * x->cells[f->row_term[i].index].value;
        assert_int_equal(row->below, value - x->row_low[r]);
        if (r < f->n_cell_rows) {
            assert_int_equal(row->above, s->high[f->row_cell[r]] - value);
            assert_int_equal(table[f->row_cell[r]], value);
        }
        assert_int_equal(x->slack.below[r], cut(row->below));
        assert_int_equal(x->slack.above[r], cut(row->above));
        assert_int_equal(x->slack.weight[r], 1); /* weights are forgotten after a repair */
        n_violated += row->below < 0 || row->above < 0;
        n_wide += row->excess > 1 << 17;
    }
    assert_int_equal(x->n_violated, n_violated);
    assert_int_equal(x->n_wide, n_wide);
}

/* Every figure may be wrong, some are exact: tables of small and of huge figures. */
static void search_keeps_its_books(void **state)
{
    (void)state;
    static const int bits[] = {3, 12, 30, 44};
    static const int64_t open[] = {0, 4, 9, 1 << 22};
    hd_rng r = hd_rng_stream(5, 0);
    size_t n_good = 0, n_reached = 0;
    for (int k = 0; k < TABLES; k++) {
        hd_system s;
        hd_frame f;
        hd_search x;
        int64_t truth[CELLS], before[CELLS], after[CELLS];
        bool is_good, is_found;
        random_system(&s, &r, bits[k % 4], open[k / 4 % 4], truth);
        OK(hd_frame_new(&f, &s, NULL, 100000, err));
        OK(hd_search_init(&x, &f, &s, err));
        OK(hd_search_begin(&x, NULL, err));
        check_state(&x, &s);
        OK(hd_search_repair(&x, 20000, &is_good, err));
        check_state(&x, &s);
        n_good += is_good;
        OK(hd_search_begin(&x, truth, err));
        check_state(&x, &s);
        assert_int_equal(x.n_violated, 0);
        for (int tries = 0; tries < 20; tries++) {
            uint32_t c = hd_rng_below(&r, CELLS);
            int64_t to = hd_search_value(&x, &s, c) + (int64_t)hd_rng_below(&r, 5) - 2;
            x.patience = tries % 2 ? 3 : 0;
            hd_search_table(&x, &s, before);
            OK(hd_search_reach(&x, c, to, to, 200, &is_found, err));
            check_state(&x, &s);
            hd_search_table(&x, &s, after);
            OK(hd_system_check(&s, after, err));
            if (is_found)
                assert_int_equal(after[c], to);
            else
                assert_memory_equal(before, after, sizeof before);
            n_reached += is_found;
        }
        hd_search_free(&x);
        hd_frame_free(&f);
        hd_system_free(&s);
    }
    assert_true(n_good >= TABLES * 3 / 4);
    assert_true(n_reached >= TABLES * 5);
}

/* The lists by free cell are the rows turned over, filled up with rows that are none. */
static void frames_list_their_terms_both_ways(void **state)
{
    (void)state;
    hd_rng r = hd_rng_stream(5, 1);
    for (int k = 0; k < TABLES; k++) {
        hd_system s;
        hd_frame f;
        int64_t truth[CELLS];
        size_t n = 0;
        random_system(&s, &r, 4, k % 3 ? 4 : 0, truth);
        for (size_t c = 0; c < CELLS && k % 3; c++)
            if (hd_rng_below(&r, 3) == 0)
                s.low[c] = s.high[c] = truth[c];
        OK(hd_frame_new(&f, &s, NULL, 100000, err));
        for (uint32_t v = 0; v < f.n_free; v++) {
            bool has_ended = false;
            assert_int_equal(f.free_start[v] % HD_FRAME_LANES, 0);
            for (size_t i = f.free_start[v]; i < f.free_start[v + 1]; i++) {
                uint32_t row = f.free_row[i];
                bool is_found = false;
                has_ended |= f.free_coefficient[i] == 0;
                assert_int_equal(row == f.n_rows, has_ended);
                if (has_ended)
                    continue;
                for (size_t j = f.row_start[row]; j < f.row_start[row + 1]; j++)
                    is_found |= f.row_term[j].index == v &&
                                f.row_term[j].coefficient == f.free_coefficient[i];
                assert_true(is_found);
                n++;
            }
        }
        assert_int_equal(n, f.row_start[f.n_rows]);
        hd_frame_free(&f);
        hd_system_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_keeps_its_books),
        cmocka_unit_test(frames_list_their_terms_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
