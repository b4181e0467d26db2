/* test_disclosure.c - the rules of the policies on hand-made and random cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/csv.h"
#include "base/rng.h"
#include "disclosure/outer.h"
#include "disclosure/primary.h"
#include "rows_as_cells.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hd_policy *hes, *none;
static hd_duck *duck;

static hd_policy *open_policy(const char *name)
{
    char folder[PATH_MAX];
    hd_policy *p;
    hd_err err;
    snprintf(folder, sizeof folder, "%s/catalogue", getenv("HDIS_SOURCE"));
    if (hd_policy_open(&p, folder, name, &err) != HD_OK)
        fail_msg("%s", err.text);
    return p;
}

static int set_up(void **state)
{
    (void)state;
    hd_err err;
    hes = open_policy("hes2018");
    none = open_policy("none");
    return hd_duck_open(&duck, &err) == HD_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    hd_policy_free(hes);
    hd_policy_free(none);
    hd_duck_close(duck);
    return 0;
}

static hd_value integer(int64_t x)
{
    return (hd_value){.type = HD_INTEGER, .integer = x};
}

static hd_value decimal(double x)
{
    return (hd_value){.type = HD_DECIMAL, .decimal = x};
}

static hd_value text(const char *s)
{
    return (hd_value){.type = HD_TEXT, .text = {s, strlen(s)}};
}

static hd_value null(hd_type t)
{
    return (hd_value){.type = t, .is_null = true};
}

static hd_cell count_cell(int64_t n, int64_t persons)
{
    return (hd_cell){integer(n), n, persons};
}

/* One aggregate in one cell of 1000 records, below or at national level. */
static hd_figure one_figure(hd_policy *p, bool is_subnational, hd_aggregate a, hd_cell cell)
{
    hd_question q = {.is_subnational = is_subnational, .n_aggregates = 1, .aggregates = &a};
    hd_cell all = count_cell(1000, 900);
    uint32_t grouping = 0;
    hd_cells *cells = rows_as_cells(&q, 1, NULL, &grouping, &all, &cell);
    hd_safe safe;
    hd_err err;
    assert_int_equal(hd_primary_apply(p, &q, cells, &safe, &err), HD_OK);
    /* No figures: all as they are. */
    hd_figure f = safe.figures ? safe.figures[0] : (hd_figure){.value = cell.value};
    hd_safe_free(&safe);
    hd_cells_free(cells);
    return f;
}

static const hd_aggregate count = {.kind = HD_AGG_COUNT, .type = HD_INTEGER};
static const hd_aggregate people = {.kind = HD_AGG_COUNT_PERSONS, .type = HD_INTEGER};
static const hd_aggregate distinct = {.kind = HD_AGG_COUNT_DISTINCT, .type = HD_INTEGER};
static const hd_aggregate sum = {.kind = HD_AGG_SUM, .type = HD_INTEGER};
static const hd_aggregate mean = {.kind = HD_AGG_MEAN, .type = HD_DECIMAL};
static const hd_aggregate spread = {.kind = HD_AGG_SPREAD, .type = HD_DECIMAL};
static const hd_aggregate median = {.kind = HD_AGG_QUANTILE, .type = HD_DECIMAL, .quantile = 0.5};
static const hd_aggregate p95 = {.kind = HD_AGG_QUANTILE, .type = HD_DECIMAL, .quantile = 0.95};
static const hd_aggregate extreme = {.kind = HD_AGG_EXTREME, .type = HD_INTEGER};

static void check_shows(hd_figure f, int64_t want)
{
    assert_int_equal(f.mark, 0);
    assert_false(f.value.is_null);
    assert_int_equal(f.value.integer, want);
}

static void counts_follow_the_rule(void **state)
{
    (void)state;
    for (int64_t n = 0; n < 3000; n++) {
        hd_figure f = one_figure(hes, true, count, count_cell(n, n));
        if (n >= 1 && n <= 7)
            assert_int_equal(f.mark, '*');
        else
            check_shows(f, (n + 2) / 5 * 5);
        check_shows(one_figure(hes, false, count, count_cell(n, n)), n);
        check_shows(one_figure(none, true, count, count_cell(n, n)), n);
    }
}

/* Eight episodes of one patient are one patient. */
static void people_count_too(void **state)
{
    (void)state;
    hd_policy_file rules = *hes->file;
    rules.compares_releases = false;
    hd_policy without_ledger = {.file = &rules};
    assert_int_equal(one_figure(hes, true, count, count_cell(2000, 7)).mark, '*');
    assert_int_equal(one_figure(hes, true, count, count_cell(2000, 0)).mark, '*');
    check_shows(one_figure(hes, true, count, count_cell(2000, 8)), 2000);
    hd_cell c = {integer(8), 12, 8};
    check_shows(one_figure(hes, true, people, c), 10);
    c = (hd_cell){integer(7), 12, 7};
    assert_int_equal(one_figure(hes, true, people, c).mark, '*');
    c = (hd_cell){integer(3), 12, 8}; /* different values are treated as records */
    assert_int_equal(one_figure(&without_ledger, true, distinct, c).mark, '*');
    c = (hd_cell){integer(13), 20, 8};
    check_shows(one_figure(&without_ledger, true, distinct, c), 15);
    check_shows(one_figure(hes, false, distinct, c), 13);
    check_shows(one_figure(none, true, distinct, c), 13);
    c = (hd_cell){integer(13), 20, 7};
    assert_int_equal(one_figure(&without_ledger, true, distinct, c).mark, '*');
    check_shows(one_figure(&without_ledger, true, distinct, (hd_cell){integer(0), 0, 0}), 0);
}

/* Values 0 to 11, most of them small, with so many records: enough for every precision. */
static size_t make_bins(hd_value_bin *bins, int64_t n)
{
    int64_t left = n;
    for (int v = 0; v < 12; v++) {
        bins[v] = (hd_value_bin){v, v < 11 ? left / 3 : left};
        left -= bins[v].records;
    }
    return 12;
}

/* One aggregate in one cell of so many records of so many people, with values behind it. */
static hd_figure figure_of_values(hd_policy *p, bool is_subnational, hd_aggregate a, double value,
                                  int64_t records, int64_t persons)
{
    hd_question q = {.is_subnational = is_subnational, .n_aggregates = 1, .aggregates = &a};
    hd_cell all = count_cell(100000, 90000), cell = {null(a.type), records, persons};
    hd_value_bin bins[12];
    hd_value_bins behind = {0, make_bins(bins, records)};
    uint32_t grouping = 0;
    if (records)
        cell.value = a.type == HD_INTEGER ? integer((int64_t)value) : decimal(value);
    hd_cells *cells = rows_as_cells(&q, 1, NULL, &grouping, &all, &cell);
    cells->values = &behind;
    cells->bins = bins;
    hd_safe safe;
    hd_err err;
    assert_int_equal(hd_primary_apply(p, &q, cells, &safe, &err), HD_OK);
    hd_figure f = safe.figures ? safe.figures[0] : (hd_figure){.value = cell.value};
    cells->values = NULL;
    cells->bins = NULL;
    hd_safe_free(&safe);
    hd_cells_free(cells);
    return f;
}

static void sums_are_rounded(void **state)
{
    (void)state;
    check_shows(figure_of_values(hes, true, sum, 2123, 5000, 5000), 2125);
    check_shows(figure_of_values(hes, true, sum, -2112, 5000, 5000), -2100);
    check_shows(figure_of_values(hes, false, sum, 2123, 5000, 5000), 2123);
    assert_int_equal(figure_of_values(hes, true, sum, 2123, 5000, 7).mark, '*');
    assert_int_equal(figure_of_values(hes, true, sum, 7, 5000, 5000).mark, '*');
    assert_int_equal(figure_of_values(hes, true, sum, -1, 5000, 5000).mark, '*');
    for (int64_t n = 1; n <= 7; n++)
        assert_int_equal(figure_of_values(hes, true, sum, 500, n, n).mark, '*');
    hd_figure f = figure_of_values(hes, true, sum, 0, 0, 0);
    assert_true(f.mark == 0 && f.value.is_null);
    hd_aggregate decimals = {.kind = HD_AGG_SUM, .type = HD_DECIMAL};
    f = figure_of_values(hes, true, decimals, 2101.3, 5000, 5000);
    assert_true(f.mark == 0 && f.value.decimal == 2100.0);
}

static void means_and_quantiles_need_people(void **state)
{
    (void)state;
    const hd_aggregate *kinds[] = {&mean, &spread, &median};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(figure_of_values(hes, true, *kinds[i], 1.9, 5000, 5000).mark, 0);
        assert_int_equal(figure_of_values(hes, true, *kinds[i], 1.9, 5000, 7).mark, '*');
        for (int64_t n = 1; n <= 7; n++)
            assert_int_equal(figure_of_values(hes, true, *kinds[i], 1.9, n, n).mark, '*');
        hd_figure f = figure_of_values(hes, true, *kinds[i], 0, 0, 0);
        assert_true(f.mark == 0 && f.value.is_null);
        assert_int_equal(figure_of_values(hes, false, *kinds[i], 1.9, 3, 3).mark, 0);
    }
    /* 162 prints as 160, which stands for 158 and more; 163 as 165. */
    assert_int_equal(figure_of_values(hes, true, p95, 9, 162, 162).mark, '*');
    assert_int_equal(figure_of_values(hes, true, p95, 9, 163, 163).mark, 0);
}

/* Without the values behind a figure nothing is known to be safe. */
static void figures_without_values_are_withheld(void **state)
{
    (void)state;
    const hd_aggregate kinds[] = {sum, mean, spread, median};
    for (size_t i = 0; i < 4; i++) {
        hd_cell c = {kinds[i].type == HD_INTEGER ? integer(400) : decimal(1.25), 320, 300};
        assert_int_equal(one_figure(hes, true, kinds[i], c).mark, '*');
        assert_int_equal(one_figure(hes, false, kinds[i], c).mark, 0);
        assert_int_equal(one_figure(none, true, kinds[i], c).mark, 0);
    }
}

static void own_expressions_are_refused(void **state)
{
    (void)state;
    hd_err err;
    hd_aggregate kinds[] = {sum, mean, spread, median, distinct, count};
    for (size_t i = 0; i < 6; i++) {
        kinds[i].is_own_expression = true;
        hd_question q = {.n_aggregates = 1, .aggregates = &kinds[i], .is_subnational = true};
        assert_int_equal(hd_primary_admit(hes, &q, &err), i < 5 ? HD_DENIED : HD_OK);
        assert_int_equal(hd_primary_admit(none, &q, &err), HD_OK);
        q.is_subnational = false;
        assert_int_equal(hd_primary_admit(hes, &q, &err), HD_OK);
    }
}

/* 100 people with a record each: the largest and the rest must be 8 at least. */
static void shares_need_both_sides(void **state)
{
    (void)state;
    static const hd_aggregate share = {.kind = HD_AGG_SHARE, .type = HD_DECIMAL};
    hd_err err;
    hd_question q = {.n_aggregates = 1, .aggregates = &share, .is_subnational = true};
    assert_int_equal(hd_primary_admit(hes, &q, &err), HD_DENIED); /* the ledger knows no part of a set */
    hd_policy_file rules = *hes->file;
    rules.compares_releases = false;
    hd_policy without_ledger = {.file = &rules};
    for (int64_t largest = 1; largest <= 100; largest++) {
        hd_cell c = {decimal((double)largest / 100), 100, 100};
        hd_figure f = one_figure(&without_ledger, true, share, c);
        assert_int_equal(f.mark, largest < 8 || largest > 92 ? '*' : 0);
        if (!f.mark)
            assert_true(fabs(f.value.decimal - (double)((largest + 2) / 5 * 5) / 100) < 1e-9);
        c.persons = 50; /* of two records each: the 50 may all be on one side */
        assert_int_equal(one_figure(&without_ledger, true, share, c).mark, '*');
        assert_int_equal(one_figure(none, true, share, c).mark, 0);
    }
    assert_int_equal(one_figure(&without_ledger, true, share, (hd_cell){decimal(0.5), 14, 7}).mark, '*');
    assert_int_equal(one_figure(&without_ledger, true, share, (hd_cell){null(HD_DECIMAL), 0, 0}).mark, 0);
}

static void extremes_are_refused(void **state)
{
    (void)state;
    hd_err err;
    hd_question q = {.n_aggregates = 1, .aggregates = &extreme, .is_subnational = true};
    assert_int_equal(hd_primary_admit(hes, &q, &err), HD_DENIED);
    assert_int_equal(hd_primary_admit(none, &q, &err), HD_OK);
    q.is_subnational = false;
    assert_int_equal(hd_primary_admit(hes, &q, &err), HD_OK);
    check_shows(one_figure(hes, false, extreme, count_cell(8, 8)), 8);
    assert_int_equal(one_figure(hes, false, extreme, count_cell(7, 7)).mark, '*');
    assert_int_equal(one_figure(hes, false, extreme, count_cell(80, 7)).mark, '*');
    check_shows(one_figure(none, false, extreme, count_cell(7, 7)), 7);
}

/* ---- the cases of others --------------------------------------------------------------------- */

static void sweep(const char *file, const char *count_column, const char *display_column)
{
    char path[PATH_MAX];
    const char *shared = getenv("HDIS_SHARED");
    hd_csv t;
    hd_err err;
    if (shared)
        snprintf(path, sizeof path, "%s/cases/disclosure/01_nhs_rules/%s", shared, file);
    else
        snprintf(path, sizeof path, "%s/../shared/cases/disclosure/01_nhs_rules/%s",
                 getenv("HDIS_SOURCE"), file);
    if (hd_csv_read_file(&t, path, (size_t)1 << 24, &err) != HD_OK) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    int in = hd_csv_column(&t, count_column), out = hd_csv_column(&t, display_column);
    assert_true(in >= 0 && out >= 0 && t.n_rows > 3);
    for (size_t row = 0; row < t.n_rows; row++) {
        char *end, shown[32] = "*";
        long long n = strtoll(hd_csv_cell(&t, row, in), &end, 10);
        if (*end || n < 0 || n > 5000000000LL) /* not counts, and above what those files allow */
            continue;
        hd_figure f = one_figure(hes, true, count, count_cell(n, n));
        if (!f.mark)
            snprintf(shown, sizeof shown, "%lld", (long long)f.value.integer);
        assert_string_equal(shown, hd_csv_cell(&t, row, out));
    }
    hd_csv_free(&t);
}

static void published_cases_agree(void **state)
{
    (void)state;
    sweep("codonpython_published_cases.csv", "input", "expected_with_star");
}

static void published_sweep_agrees(void **state)
{
    (void)state;
    sweep("codonpython_sweep_0_2000.csv", "count", "display");
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* A table by two keys with all four groupings (CUBE), made from random records, so that it is
 * consistent; aggregate 0 counts records, 1 those of a kind, 2 is a mean. */
enum { PROVIDERS = 6, MONTHS = 5, CELLS = (PROVIDERS + 1) * (MONTHS + 1) };
static const char *const provider_names[] = {"A", "B", "C", "D", "E", "F"};

typedef struct cube {
    hd_value keys[CELLS * 2];
    uint32_t grouping[CELLS];
    hd_cell all[CELLS];
    hd_cell figures[CELLS * 3];
    hd_cells *cells;
    hd_aggregate aggregates[3];
    hd_key names[2];
    hd_question q;
} cube;

static void make_cube(cube *t, hd_rng *rng)
{
    memset(t, 0, sizeof *t);
    int64_t n[PROVIDERS + 1][MONTHS + 1] = {{0}}, special[PROVIDERS + 1][MONTHS + 1] = {{0}};
    for (int p = 0; p < PROVIDERS; p++)
        for (int m = 0; m < MONTHS; m++) {
            int64_t x = hd_rng_below(rng, 4) == 0 ? hd_rng_below(rng, 200) : hd_rng_below(rng, 6);
            int64_t y = x ? hd_rng_below(rng, (uint32_t)x + 1) : 0;
            n[p][m] += x, n[p][MONTHS] += x, n[PROVIDERS][m] += x, n[PROVIDERS][MONTHS] += x;
            special[p][m] += y, special[p][MONTHS] += y, special[PROVIDERS][m] += y;
            special[PROVIDERS][MONTHS] += y;
        }
    size_t c = 0;
    for (int p = 0; p <= PROVIDERS; p++)
        for (int m = 0; m <= MONTHS; m++) {
            if (n[p][m] == 0)
                continue;
            t->keys[2 * c] = p < PROVIDERS ? text(provider_names[p]) : null(HD_TEXT);
            t->keys[2 * c + 1] = m < MONTHS ? integer(m) : null(HD_INTEGER);
            t->grouping[c] = (p == PROVIDERS ? 1u : 0) | (m == MONTHS ? 2u : 0);
            t->all[c] = count_cell(n[p][m], n[p][m]);
            t->figures[3 * c] = t->all[c];
            t->figures[3 * c + 1] = count_cell(special[p][m], special[p][m]);
            t->figures[3 * c + 2] = (hd_cell){decimal(1.5), n[p][m], n[p][m]};
            c++;
        }
    t->aggregates[0] = count, t->aggregates[1] = count, t->aggregates[2] = mean;
    t->names[0] = (hd_key){"provider", HD_TEXT, true};
    t->names[1] = (hd_key){"month", HD_INTEGER, false};
    t->q = (hd_question){.sql = "test",
                         .is_subnational = true,
                         .n_keys = 2,
                         .n_aggregates = 3,
                         .keys = t->names,
                         .aggregates = t->aggregates,
                         .limit = -1,
                         .offset = -1};
    t->cells = rows_as_cells(&t->q, c, t->keys, t->grouping, t->all, t->figures);
}

static bool refines(const cube *t, size_t fine, size_t coarse)
{
    uint32_t f = t->grouping[fine], c = t->grouping[coarse];
    if (f == c || (c & f) != f)
        return false;
    for (size_t k = 0; k < 2; k++)
        if (!(c >> k & 1) &&
            hd_value_compare(&t->keys[2 * fine + k], &t->keys[2 * coarse + k]) != 0)
            return false;
    return true;
}

static void random_tables_keep_the_promise(void **state)
{
    (void)state;
    hd_err err;
    size_t n_left_out = 0, n_finer_stars = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        hd_rng rng = hd_rng_stream(20181, seed);
        cube t;
        hd_safe safe;
        make_cube(&t, &rng);
        assert_int_equal(hd_primary_apply(hes, &t.q, t.cells, &safe, &err), HD_OK);
        for (size_t c = 0; c < t.cells->n_cells; c++) {
            bool is_below = false;
            for (size_t a = 0; a < 3; a++) {
                hd_figure f = safe.figures[3 * c + a];
                int64_t n = t.figures[3 * c + a].records;
                if (f.mark == 0 && a < 2) {
                    assert_true(f.value.integer == 0 || f.value.integer >= 8);
                    assert_int_equal(f.value.integer % 5, 0);
                    assert_true(llabs(f.value.integer - n) <= 2);
                }
                if (t.all[c].records <= 7)
                    assert_int_equal(f.mark, '*');
                for (size_t d = 0; d < t.cells->n_cells; d++) {
                    if (!refines(&t, c, d))
                        continue;
                    if (safe.figures[3 * d + a].mark) {
                        assert_int_equal(f.mark, '*');
                        n_finer_stars++;
                    }
                    is_below |= t.all[d].records <= 7;
                }
            }
            assert_int_equal(safe.left_out[c], is_below);
            n_left_out += is_below;
        }
        hd_safe_free(&safe);
        hd_cells_free(t.cells);
    }
    assert_true(n_left_out > 100 && n_finer_stars > 100);
}

/* Four rows by n_fields fields at national level; those of one person stand first. */
static hd_code four_rows(const hd_policy *p, size_t n_fields, int n_single, bool is_subnational,
                         hd_safe *safe)
{
    hd_value keys[8];
    hd_cell all[4], figures[4];
    uint32_t grouping[4] = {0};
    hd_err err;
    for (int c = 0; c < 4; c++) {
        keys[2 * c] = integer(c), keys[2 * c + 1] = integer(c);
        all[c] = figures[c] = c < n_single ? count_cell(2, 1) : count_cell(40, 40);
    }
    static const hd_key by[2] = {{"a", HD_INTEGER, false}, {"b", HD_INTEGER, false}};
    hd_question q = {.n_keys = 2,
                     .keys = by,
                     .n_aggregates = 1,
                     .aggregates = &count,
                     .n_key_fields = n_fields,
                     .is_subnational = is_subnational};
    hd_cells *cells = rows_as_cells(&q, 4, keys, grouping, all, figures);
    hd_code rc = hd_primary_apply(p, &q, cells, safe, &err);
    hd_cells_free(cells);
    return rc;
}

static void lists_of_records_are_refused(void **state)
{
    (void)state;
    hd_safe safe;
    assert_int_equal(four_rows(hes, 3, 3, false, &safe), HD_DENIED);
    assert_int_equal(four_rows(hes, 3, 4, true, &safe), HD_DENIED);
    assert_int_equal(four_rows(hes, 3, 3, true, &safe), HD_OK); /* the stars decide, and one is large */
    assert_int_equal(safe.n_left_out, 3);
    hd_safe_free(&safe);
    for (int below = 0; below < 2; below++) {
        assert_int_equal(four_rows(hes, 3, 2, below, &safe), HD_OK);
        assert_int_equal(safe.n_left_out, 0);
        hd_safe_free(&safe);
        assert_int_equal(four_rows(hes, 2, 4, below, &safe), HD_OK);
        hd_safe_free(&safe);
        assert_int_equal(four_rows(none, 3, 4, below, &safe), HD_OK);
        hd_safe_free(&safe);
    }
}

static void small_rows_by_many_fields_do_not_appear(void **state)
{
    (void)state;
    hd_safe safe;
    for (int below = 0; below < 2; below++) {
        assert_int_equal(four_rows(hes, 4, 2, below, &safe), HD_OK);
        assert_int_equal(safe.n_left_out, 2);
        assert_true(safe.left_out[0] && safe.left_out[1] && !safe.left_out[2]);
        hd_safe_free(&safe);
        assert_int_equal(four_rows(none, 4, 2, below, &safe), HD_OK);
        assert_int_equal(safe.n_left_out, 0);
        hd_safe_free(&safe);
    }
}

/* ---- above the aggregates -------------------------------------------------------------------- */

typedef struct outer_case {
    hd_value keys[4];
    hd_cell all[4], figures[8];
    uint32_t grouping[4];
    hd_cells *cells;
    hd_aggregate aggregates[2];
    hd_key names[1];
    hd_question q;
} outer_case;

/* Providers d, c, b, a with 3, 100, 6, 52 records, of which 1, 0, 2, 11 are of a kind. */
static void make_outer(outer_case *t)
{
    static const char *const names[] = {"d", "c", "b", "a"};
    static const int64_t n[] = {3, 100, 6, 52}, of_kind[] = {1, 0, 2, 11};
    memset(t, 0, sizeof *t);
    for (int c = 0; c < 4; c++) {
        t->keys[c] = text(names[c]);
        t->all[c] = t->figures[2 * c] = count_cell(n[c], n[c]);
        t->figures[2 * c + 1] = count_cell(of_kind[c], of_kind[c]);
    }
    t->aggregates[0] = t->aggregates[1] = count;
    t->names[0] = (hd_key){"provider", HD_TEXT, true};
    t->q = (hd_question){.sql = "test",
                         .is_subnational = true,
                         .n_keys = 1,
                         .n_aggregates = 2,
                         .keys = t->names,
                         .aggregates = t->aggregates,
                         .limit = -1,
                         .offset = -1};
    t->cells = rows_as_cells(&t->q, 4, t->keys, t->grouping, t->all, t->figures);
}

static hd_release *evaluate(const hd_policy *p, const hd_question *q, hd_cells *cells)
{
    hd_safe safe;
    hd_err err;
    hd_release *r = NULL;
    hd_release_origin origin = {"hes2018", "1", "legend", "question", false, 7, 0};
    assert_int_equal(hd_primary_apply(p, q, cells, &safe, &err), HD_OK);
    if (hd_outer_evaluate(&r, duck, q, cells, &safe, &origin, &err) != HD_OK)
        fail_msg("%s", err.text);
    hd_safe_free(&safe);
    return r;
}

/* Keys of three types with NULLs and ties, figures with marks and NULLs. */
enum { ROWS = 40, KEYS = 3, FIGURES = 2 };
typedef struct drawn {
    hd_value keys[ROWS * KEYS];
    hd_figure figures[ROWS * FIGURES];
    bool left_out[ROWS];
    uint32_t grouping[ROWS];
} drawn;

static const hd_key drawn_keys[KEYS] = {
    {"t", HD_TEXT, true}, {"i", HD_INTEGER, true}, {"d", HD_DATE, true}};
static const hd_aggregate drawn_figures[FIGURES] = {{.kind = HD_AGG_COUNT, .type = HD_INTEGER},
                                                    {.kind = HD_AGG_MEAN, .type = HD_DECIMAL}};

static void draw(drawn *d, hd_rng *r)
{
    static const char *const words[] = {"", "a", "A", "ab", "\xc3\xa9", "b"};
    for (size_t i = 0; i < ROWS; i++) {
        d->keys[i * KEYS] = text(words[hd_rng_below(r, 6)]);
        d->keys[i * KEYS + 1] = (hd_value){.type = HD_INTEGER, .integer = hd_rng_below(r, 4)};
        /* The date tells all cells apart, so that the order is one only. */
        d->keys[i * KEYS + 2] = (hd_value){.type = HD_DATE, .integer = (int64_t)i * 7 % ROWS};
        for (size_t k = 0; k < 2; k++)
            d->keys[i * KEYS + k].is_null = hd_rng_below(r, 5) == 0;
        for (size_t a = 0; a < FIGURES; a++) {
            hd_figure *f = &d->figures[i * FIGURES + a];
            *f = (hd_figure){.value = {.type = drawn_figures[a].type}};
            if (a == 0)
                f->value.integer = hd_rng_below(r, 6);
            else
                f->value.decimal = hd_rng_below(r, 6) / 4.0;
            f->value.is_null = hd_rng_below(r, 6) == 0;
            if (hd_rng_below(r, 5) == 0)
                *f = (hd_figure){.value = {.type = f->value.type, .is_null = true}, .mark = '*'};
        }
        d->left_out[i] = hd_rng_below(r, 8) == 0;
        d->grouping[i] = hd_rng_below(r, 2);
    }
}

/* cell, x, g, the keys, the figures, whether each is withheld */
static hd_value drawn_value(void *ctx, uint64_t row, size_t column)
{
    const drawn *d = ctx;
    if (column < 3)
        return (hd_value){.type = column == 1 ? HD_BOOLEAN : HD_INTEGER,
                          .integer = column == 0   ? (int64_t)row
                                     : column == 1 ? d->left_out[row]
                                                   : d->grouping[row]};
    column -= 3;
    if (column < KEYS)
        return d->keys[row * KEYS + column];
    column -= KEYS;
    const hd_figure *f = &d->figures[row * FIGURES + column % FIGURES];
    return column < FIGURES ? f->value
                            : (hd_value){.type = HD_BOOLEAN, .integer = f->mark != 0};
}

static const char *withheld_text(uint64_t aggregates)
{
    static const char *const texts[] = {"FALSE", "w0", "w1", "(w0 OR w1)"};
    return texts[aggregates];
}

/* The whole of it as one statement of DuckDB. */
static hd_duck_result *by_duckdb(drawn *d, const hd_question *q)
{
    static const hd_duck_column columns[] = {
        {"cell", HD_INTEGER}, {"x", HD_BOOLEAN},  {"g", HD_INTEGER},  {"k0", HD_TEXT},
        {"k1", HD_INTEGER},   {"k2", HD_DATE},    {"a0", HD_INTEGER}, {"a1", HD_DECIMAL},
        {"w0", HD_BOOLEAN},   {"w1", HD_BOOLEAN}};
    hd_err err;
    hd_duck_result *result;
    size_t number;
    hd_buf sql;
    hd_buf_init(&sql, 1 << 16);
    assert_int_equal(hd_duck_rows_add(duck, columns, 10, ROWS, drawn_value, d, &number, &err),
                     HD_OK);
    hd_buf_str(&sql, "SELECT cell");
    for (size_t i = 0; i < q->n_outputs; i++)
        hd_buf_printf(&sql, ", (%s)", q->outputs[i].sql);
    hd_buf_printf(&sql, " FROM hd_rows(%zu) WHERE NOT x", number);
    if (q->having)
        hd_buf_printf(&sql, " AND NOT %s AND (%s)", withheld_text(q->having_aggregates), q->having);
    hd_buf_str(&sql, " ORDER BY ");
    for (size_t i = 0; i < q->n_order; i++) {
        const hd_order_term *t = &q->order[i];
        hd_buf_printf(&sql, "%s, CASE WHEN NOT %s THEN (%s) END %s NULLS %s, ",
                      withheld_text(t->aggregates), withheld_text(t->aggregates), t->sql,
                      t->descending ? "DESC" : "ASC", t->nulls < 0 ? "FIRST" : "LAST");
    }
    hd_buf_str(&sql, "k0 NULLS LAST, k1 NULLS LAST, k2 NULLS LAST, g");
    if (q->limit >= 0)
        hd_buf_printf(&sql, " LIMIT %d", (int)q->limit);
    if (q->offset > 0)
        hd_buf_printf(&sql, " OFFSET %d", (int)q->offset);
    if (hd_duck_query(duck, sql.data, &result, &err) != HD_OK)
        fail_msg("%s", err.text);
    hd_duck_rows_remove(duck, number);
    hd_buf_free(&sql);
    return result;
}

static void check_release(const hd_release *r, const hd_duck_result *want, const hd_question *q,
                          const drawn *d)
{
    assert_int_equal(r->n_rows, hd_duck_n_rows(want));
    for (size_t c = 0; c < q->n_outputs; c++) {
        assert_int_equal(r->columns[c].type, hd_duck_column_type(want, 1 + c));
        for (size_t row = 0; row < r->n_rows; row++) {
            const hd_figure f = hd_release_at(r, row, c);
            hd_value v = hd_duck_value(want, row, 1 + c);
            int64_t cell = hd_duck_value(want, row, 0).integer;
            bool is_marked = false;
            for (size_t a = 0; a < FIGURES; a++)
                is_marked |= q->outputs[c].aggregates >> a & 1 &&
                             d->figures[cell * FIGURES + (int64_t)a].mark;
            assert_int_equal(f.mark != 0, is_marked);
            if (!is_marked)
                assert_int_equal(hd_value_compare(&f.value, &v), 0);
        }
    }
}

static void outputs_and_order_are_as_in_sql(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        uint64_t aggregates;
    } texts[] = {{"k0", 0}, {"k1", 0}, {"k2", 0}, {"a0", 1}, {"a1", 2}, {"a1 * 2 + 1", 2},
                 {"coalesce(a0, 9)", 1}, {"a0 / a1", 3}, {"k0 || '!'", 0}, {"k1 + a0", 1}};
    enum { N_TEXTS = sizeof texts / sizeof *texts };
    static const char *const having[] = {"a0 > 1", "a0 IS NULL OR a1 < 1", "k1 = 2"};
    static const uint64_t having_aggregates[] = {1, 3, 0};
    const hd_release_origin origin = {"none", "1", "legend", "question", false, 7, 0};
    for (unsigned turn = 0; turn < 100; turn++) {
        hd_rng r = hd_rng_stream(77, turn);
        hd_err err;
        hd_release *got;
        drawn d;
        hd_output outputs[4];
        hd_order_term order[3];
        draw(&d, &r);
        for (size_t i = 0; i < 4; i++) {
            size_t t = hd_rng_below(&r, turn % 2 ? N_TEXTS : 5);
            outputs[i] = (hd_output){texts[t].sql, texts[t].sql, texts[t].aggregates};
        }
        for (size_t i = 0; i < 3; i++) {
            size_t t = hd_rng_below(&r, turn % 2 ? N_TEXTS : 5);
            order[i] = (hd_order_term){texts[t].sql, texts[t].aggregates,
                                       hd_rng_below(&r, 2) == 0, (int)hd_rng_below(&r, 3) - 1};
        }
        size_t h = hd_rng_below(&r, 6);
        const hd_safe safe = {.n_cells = ROWS, .n_aggregates = FIGURES, .figures = d.figures,
                              .left_out = d.left_out};
        const hd_question q = {.sql = "test", .n_keys = KEYS, .n_aggregates = FIGURES,
                               .keys = drawn_keys, .aggregates = drawn_figures, .n_outputs = 4,
                               .outputs = outputs, .n_order = hd_rng_below(&r, 4), .order = order,
                               .having = h < 3 ? having[h] : NULL,
                               .having_aggregates = h < 3 ? having_aggregates[h] : 0,
                               .limit = hd_rng_below(&r, 2) ? -1 : (int64_t)hd_rng_below(&r, 50),
                               .offset = hd_rng_below(&r, 2) ? -1 : (int64_t)hd_rng_below(&r, 50)};
        hd_cells *cells = rows_as_cells(&q, ROWS, d.keys, d.grouping, NULL, NULL);
        if (hd_outer_evaluate(&got, duck, &q, cells, &safe, &origin, &err) != HD_OK)
            fail_msg("%s", err.text);
        hd_cells_free(cells);
        hd_duck_result *want = by_duckdb(&d, &q);
        check_release(got, want, &q, &d);
        hd_duck_result_free(want);
        hd_release_free(got);
    }
}

static char key_at(const hd_release *r, size_t row)
{
    const hd_figure f = hd_release_at(r, row, 0);
    assert_int_equal(f.mark, 0);
    return f.value.text.bytes[0];
}

static void rates_come_from_rounded_figures(void **state)
{
    (void)state;
    outer_case t;
    make_outer(&t);
    const hd_output outputs[] = {
        {"provider", "k0", 0}, {"rate", "a1 / a0", 3}, {"hidden", "coalesce(a0, -1)", 1}};
    t.q.n_outputs = 3;
    t.q.outputs = outputs;
    hd_release *r = evaluate(hes, &t.q, t.cells);
    assert_int_equal(r->n_rows, 4);
    assert_true(r->columns[0].is_key && !r->columns[1].is_key);
    assert_int_equal(r->n_withheld, 4);
    assert_int_equal(r->data_version, 7);
    assert_int_equal(key_at(r, 0), 'a');
    assert_true(hd_release_at(r, 0, 1).value.decimal == 10.0 / 50.0);
    assert_int_equal(hd_release_at(r, 1, 1).mark, '*'); /* b: coalesce does not launder */
    assert_int_equal(hd_release_at(r, 1, 2).mark, '*');
    assert_int_equal(hd_release_at(r, 1, 2).value.integer, 0);
    assert_true(hd_release_at(r, 2, 1).value.decimal == 0.0);
    assert_int_equal(hd_release_at(r, 2, 2).value.integer, 100);
    hd_release_free(r);
    r = evaluate(none, &t.q, t.cells);
    assert_int_equal(r->n_withheld, 0);
    assert_true(hd_release_at(r, 0, 1).value.decimal == 11.0 / 52.0);
    hd_release_free(r);
    hd_cells_free(t.cells);
}

static void having_and_order_cannot_look_behind_a_star(void **state)
{
    (void)state;
    outer_case t;
    make_outer(&t);
    const hd_output outputs[] = {{"provider", "k0", 0}, {"n", "a0", 1}};
    const hd_order_term order[] = {{"coalesce(a0, 1000)", 1, true, -1}};
    t.q.n_outputs = 2;
    t.q.outputs = outputs;
    t.q.order = order;
    t.q.n_order = 1;
    hd_release *r = evaluate(hes, &t.q, t.cells);
    /* 100, 50, then the withheld by key: never 6 before 3 */
    assert_int_equal(key_at(r, 0), 'c');
    assert_int_equal(key_at(r, 1), 'a');
    assert_int_equal(key_at(r, 2), 'b');
    assert_int_equal(key_at(r, 3), 'd');
    hd_release_free(r);
    t.q.having = "a0 IS NULL OR a0 < 60";
    t.q.having_aggregates = 1;
    r = evaluate(hes, &t.q, t.cells);
    assert_int_equal(r->n_rows, 1);
    assert_int_equal(key_at(r, 0), 'a');
    hd_release_free(r);
    t.q.having = NULL;
    t.q.limit = 2;
    t.q.offset = 1;
    r = evaluate(hes, &t.q, t.cells);
    assert_int_equal(r->n_rows, 2);
    assert_int_equal(key_at(r, 0), 'a');
    assert_int_equal(key_at(r, 1), 'b');
    hd_release_free(r);
    hd_cells_free(t.cells);
}

static void rows_below_a_star_are_left_out(void **state)
{
    (void)state;
    hd_rng rng = hd_rng_stream(20181, 1);
    cube t;
    make_cube(&t, &rng);
    const hd_output outputs[] = {{"provider", "k0", 0}, {"month", "k1", 0}, {"n", "a0", 1}};
    t.q.n_outputs = 3;
    t.q.outputs = outputs;
    size_t want = 0;
    for (size_t c = 0; c < t.cells->n_cells; c++) {
        bool is_below = false;
        for (size_t d = 0; d < t.cells->n_cells; d++)
            is_below |= refines(&t, c, d) && t.all[d].records <= 7;
        want += !is_below;
    }
    hd_release *r = evaluate(hes, &t.q, t.cells);
    assert_int_equal(r->n_rows, want);
    hd_release_free(r);
    hd_cells_free(t.cells);
}

static void releases_are_built_from_releases(void **state)
{
    (void)state;
    outer_case t;
    hd_err err;
    make_outer(&t);
    const hd_output outputs[] = {{"provider", "k0", 0}, {"n", "a0", 1}};
    t.q.n_outputs = 2;
    t.q.outputs = outputs;
    hd_release *r = evaluate(hes, &t.q, t.cells), *made;
    hd_release_builder *b = hd_release_builder_new(r);
    assert_non_null(b);
    assert_int_equal(hd_release_builder_column(b, "provider", HD_TEXT, true, &err), HD_OK);
    assert_int_equal(hd_release_builder_column(b, "twice", HD_DECIMAL, false, &err), HD_OK);
    for (size_t row = 0; row < r->n_rows; row++) {
        const hd_figure n = hd_release_at(r, row, 1), key = hd_release_at(r, row, 0);
        hd_figure f = {.value = decimal(2.0 * (double)n.value.integer), .mark = n.mark};
        assert_int_equal(hd_release_builder_put(b, &key, &err), HD_OK);
        assert_int_equal(hd_release_builder_put(b, &f, &err), HD_OK);
    }
    assert_int_equal(hd_release_builder_finish(b, &made, &err), HD_OK);
    hd_release_builder_free(b);
    hd_release_free(r);
    assert_int_equal(made->n_rows, 4);
    assert_int_equal(made->n_withheld, 2);
    assert_string_equal(made->policy, "hes2018");
    assert_int_equal(hd_release_column_find(made, "twice"), 1);
    assert_int_equal(hd_release_column_find(made, "thrice"), -1);
    assert_int_equal(key_at(made, 2), 'c');
    assert_true(hd_release_at(made, 2, 1).value.decimal == 200.0);
    hd_release_free(made);
    hd_cells_free(t.cells);
}

static void wrong_policies_are_named(void **state)
{
    (void)state;
    hd_err err;
    hd_policy *p;
    char folder[] = "/tmp/hdis-policy-XXXXXX", path[128];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/policies", folder);
#define HEAD "name: bad\ntitle: x\nversion: '1'\nsource: x\nlegend: x\n"
    static const struct {
        const char *text, *want;
    } cases[] = {
        {HEAD "shows_true_counts: maybe\n", "policies/bad.yaml:6: shows_true_counts"},
        {"name: bad\ntitel: x\n", "titel"},
        {"name: other\ntitle: x\nversion: '1'\nsource: x\nlegend: x\nshows_true_counts: true\n",
         "policies/bad.yaml:1: name: must be the name of the file"},
        {HEAD "shows_true_counts: false\n", "must state it"},
        {HEAD "shows_true_counts: true\nmark: '*'\n", "policies/bad.yaml:7: mark"},
        {"", "policies/bad.yaml"},
    };
    char command[256];
    snprintf(command, sizeof command, "mkdir -p %s", path);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/policies/bad.yaml", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(cases[i].text, f);
        fclose(f);
        assert_int_equal(hd_policy_open(&p, folder, "bad", &err), HD_FORMAT);
        if (!strstr(err.text, cases[i].want))
            fail_msg("'%s' does not say '%s'", err.text, cases[i].want);
    }
    assert_int_equal(hd_policy_open(&p, folder, "../bad", &err), HD_INVALID);
    assert_int_equal(hd_policy_open(&p, folder, "absent", &err), HD_NOTFOUND);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_follow_the_rule),
        cmocka_unit_test(people_count_too),
        cmocka_unit_test(sums_are_rounded),
        cmocka_unit_test(means_and_quantiles_need_people),
        cmocka_unit_test(shares_need_both_sides),
        cmocka_unit_test(extremes_are_refused),
        cmocka_unit_test(published_cases_agree),
        cmocka_unit_test(published_sweep_agrees),
        cmocka_unit_test(random_tables_keep_the_promise),
        cmocka_unit_test(lists_of_records_are_refused),
        cmocka_unit_test(small_rows_by_many_fields_do_not_appear),
        cmocka_unit_test(figures_without_values_are_withheld),
        cmocka_unit_test(own_expressions_are_refused),
        cmocka_unit_test(outputs_and_order_are_as_in_sql),
        cmocka_unit_test(rates_come_from_rounded_figures),
        cmocka_unit_test(having_and_order_cannot_look_behind_a_star),
        cmocka_unit_test(rows_below_a_star_are_left_out),
        cmocka_unit_test(releases_are_built_from_releases),
        cmocka_unit_test(wrong_policies_are_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
