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
#include "disclosure/search.h"
#include "disclosure/secondary.h"

#include <stdio.h>
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

/* Random bounds, every tenth time with a contradiction: the dense and the sparse fixpoint. */
static void compare_fixpoints(const hd_lattice *l, int n_rounds, hd_rng *random, size_t *n_moved,
                              size_t *n_contradictions)
{
    size_t n = hd_lattice_n_cells(l);
    int64_t *count = hd_calloc(n, sizeof *count), *low = hd_calloc(n, sizeof *low),
            *high = hd_calloc(n, sizeof *high);
    int32_t *dense_low = hd_calloc(n, sizeof *dense_low), *dense_high = hd_calloc(n, sizeof(int32_t));
    for (int round = 0; round < n_rounds; round++) {
        hd_system s;
        hd_propagation sparse, dense;
        for (size_t c = 0; c < n; c++)
            count[c] = hd_rng_below(random, 2) ? 0 : hd_rng_below(random, 12);
        OK(hd_lattice_sum(l, count, err));
        for (size_t c = 0; c < n; c++) {
            /* In every third round nearly all are exact: what is left gives way. */
            uint32_t kind = hd_rng_below(random, round % 3 ? 4 : 1500);
            kind = kind < 4 ? kind : 0;
            bool is_open = kind == 3 && round % 2 && hd_rng_below(random, 3) == 0;
            low[c] = kind == 0 ? count[c] : count[c] > 2 ? count[c] - 2 : 0;
            high[c] = is_open ? HD_NO_BOUND : kind == 0 ? count[c] : count[c] + (int64_t)kind;
            if (round % 10 == 9 && c == n / 2)
                low[c] = high[c] = count[c] + 9;
            dense_low[c] = (int32_t)low[c];
            dense_high[c] = high[c] == HD_NO_BOUND ? HD_DENSE_NO_BOUND : (int32_t)high[c];
        }
        OK(hd_system_from_lattice(&s, l, low, high, err));
        OK(hd_propagate(&s, &sparse, err));
        OK(hd_lattice_propagate(l, dense_low, dense_high, &dense, err));
        assert_int_equal(sparse.is_consistent, dense.is_consistent);
        *n_contradictions += !sparse.is_consistent;
        for (size_t c = 0; c < n && sparse.is_consistent; c++) {
            assert_int_equal(s.low[c], dense_low[c]);
            assert_int_equal(s.high[c] == HD_NO_BOUND ? HD_DENSE_NO_BOUND : s.high[c],
                             dense_high[c]);
            assert_true(round % 10 == 9 || (s.low[c] <= count[c] && count[c] <= s.high[c]));
            *n_moved += s.low[c] != low[c] || s.high[c] != high[c];
        }
        hd_system_free(&s);
    }
    hd_free(count);
    hd_free(low);
    hd_free(high);
    hd_free(dense_low);
    hd_free(dense_high);
}

/* A three-way lattice with a level between. */
static void dense_and_sparse_fixpoints_agree(void **state)
{
    (void)state;
    static const uint32_t top[] = {5, 3, 4}, middle[] = {1, 2};
    const hd_code_rule deep[] = {{0, 3, top}, {5, 2, middle}}, wide = {0, 8, part_codes},
                       pair = {0, 2, part_codes};
    const hd_dimension dims[] = {{"x", 6, part_names, 2, deep},
                                 {"y", 9, part_names, 1, &wide},
                                 {"z", 3, part_names, 1, &pair}};
    hd_lattice *l;
    OK(hd_lattice_new(&l, dims, 3, err));
    hd_rng random = hd_rng_stream(7, 7);
    size_t n_moved = 0, n_contradictions = 0;
    compare_fixpoints(l, 300, &random, &n_moved, &n_contradictions);
    assert_true(n_moved > 1000 && n_contradictions > 5);
    hd_lattice_free(l);
}

enum { LONG = 1240, LONG_BANDS = 3 };
typedef enum bands { FLAT, BANDS, SCATTERED } bands;

/* Total = all others, or its bands; a band = so many that follow one another, or every third. */
static hd_dimension long_dimension(const char *name, uint32_t n_codes, bands how,
                                   hd_code_rule *rules, uint32_t *children)
{
    static char text[LONG][8];
    static const char *names[LONG];
    for (uint32_t i = 0; i < LONG; i++) {
        snprintf(text[i], sizeof *text, "%u", i);
        names[i] = text[i];
    }
    uint32_t n = n_codes - 1, n_in_bands = how != FLAT && n > LONG_BANDS * 4 ? n - LONG_BANDS : 0;
    uint32_t n_bands = n_in_bands ? LONG_BANDS : 0, at = 0;
    for (uint32_t i = 1; i <= (n_bands ? n_bands : n); i++)
        children[at++] = i;
    rules[0] = (hd_code_rule){0, at, children};
    for (uint32_t b = 0; b < n_bands; b++) {
        uint32_t first = at;
        for (uint32_t i = 0; i < n_in_bands; i++)
            if (how == SCATTERED ? i % n_bands == b : i * n_bands / n_in_bands == b)
                children[at++] = 1 + n_bands + i;
        rules[1 + b] = (hd_code_rule){1 + b, at - first, children + first};
    }
    return (hd_dimension){name, n_codes, names, 1 + n_bands, rules};
}

/* The same where lines and blocks of them are long: pieces, edges, codes in any order. */
static void long_lines_have_the_same_fixpoints(void **state)
{
    (void)state;
    static const struct shape {
        uint32_t n[3];
        bands how;
        size_t n_summed; /* dimensions with rules: in one alone nothing is looked at twice */
    } shapes[] = {{{3, 2, LONG}, FLAT, 3},      {{3, 2, LONG}, BANDS, 3},
                  {{3, 2, LONG}, SCATTERED, 3}, {{4, 400, 3}, BANDS, 3},
                  {{4, 400, 3}, FLAT, 1},       {{4, 3, 333}, SCATTERED, 3},
                  {{LONG, 3, 2}, SCATTERED, 3}, {{40, 3, 41}, BANDS, 3},
                  {{LONG, 3, 2}, BANDS, 1},     {{2, 2, LONG}, FLAT, 1}};
    hd_rng random = hd_rng_stream(7, 8);
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        static hd_code_rule rules[3][1 + LONG_BANDS];
        static uint32_t children[3][2 * LONG];
        static const char *const names[] = {"x", "y", "z"};
        hd_dimension dims[3];
        hd_lattice *l;
        size_t n_moved = 0, n_contradictions = 0;
        const struct shape *shape = &shapes[k];
        size_t only = shape->n[0] < shape->n[2] && shape->n[2] == LONG ? 2 : 0;
        for (size_t d = 0; d < 3; d++) {
            dims[d] = long_dimension(names[d], shape->n[d], shape->how, rules[d], children[d]);
            if (shape->n_summed == 1 && d != only)
                dims[d].n_rules = 0;
        }
        OK(hd_lattice_new(&l, dims, 3, err));
        compare_fixpoints(l, 40, &random, &n_moved, &n_contradictions);
        assert_true(n_moved > 100 && n_contradictions <= 4);
        hd_lattice_free(l);
    }
}

static void intervals_are_exact_on_the_pinned_table(void **state)
{
    (void)state;
    hd_lattice *l = flat((const uint32_t[]){4, 4}, 2);
    hd_system s;
    hd_interval out[25];
    hd_witnesses w;
    const hd_intervals_options options = {0};
    /* Row w: a + c = 50 with a <= 100 and c <= 40. The rest follows. */
    static const int64_t want[][3] = {{6, 10, 50},   {7, 90, 90},   {8, 0, 40},    {11, 50, 90},
                                      {13, 0, 40},   {17, 0, 500},  {19, 0, 410},  {22, 490, 900},
                                      {24, 0, 410}};
    system_of(&s, l, &pinned[0][0]);
    OK(hd_intervals(&s, &options, out, &w, err));
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const hd_interval *x = &out[want[i][0]];
        assert_true(x->is_complete);
        assert_int_equal(x->low, x->seen_low);
        assert_int_equal(x->high, x->seen_high);
        if (i < 5) {
            assert_int_equal(x->low, want[i][1]);
            assert_int_equal(x->high, want[i][2]);
        }
    }
    for (size_t t = 0; t < w.n_tables; t++)
        OK(hd_system_check(&s, w.values + t * w.n_cells, err));
    hd_witnesses_free(&w);
    s.low[7] = 91; /* 90 is the only value */
    hd_err why;
    assert_int_equal(hd_intervals(&s, &options, out, &w, &why), HD_INVALID);
    hd_witnesses_free(&w);
    hd_system_free(&s);
    hd_lattice_free(l);
}

static hd_secondary_cell figure(int64_t low, int64_t high)
{
    return (hd_secondary_cell){.low = low, .high = high, .coarse_low = 1, .hidden_low = 8,
                               .hidden_high = HD_NO_BOUND, .size = high};
}

static hd_secondary_cell star(void)
{
    return (hd_secondary_cell){.low = 1, .high = 7, .coarse_low = 1, .hidden_low = 1,
                               .is_protected = true, .is_withheld = true, .need = {.values = 5}};
}

/* An exact national 99 over 100 and a star gives the star; the area figure goes, the total stays. */
static void exact_total_costs_the_least_wanted_figure(void **state)
{
    (void)state;
    hd_lattice *l = flat((const uint32_t[]){2}, 1);
    hd_secondary_cell cells[3] = {figure(99, 99), figure(98, 102), star()};
    hd_secondary_options o;
    hd_secondary_result r;
    cells[0].preference = 10;
    hd_secondary_options_init(&o);
    o.no_helpers = true;
    OK(hd_secondary_lattice(l, cells, &o, &r, err));
    assert_int_equal(r.n_unprotected, 1);
    assert_int_equal(r.unprotected[0], 2);
    hd_secondary_result_free(&r);
    o.no_helpers = false;
    OK(hd_secondary_lattice(l, cells, &o, &r, err));
    assert_int_equal(r.n_unprotected, 0);
    assert_int_equal(r.n_helpers, 1);
    assert_int_equal(r.shown[1], HD_HELPER);
    assert_true(r.intervals[2].n_values >= 5);
    hd_secondary_result_free(&r);
    /* Neither may go: nothing protects, and that is said. */
    cells[0].hidden_low = cells[1].hidden_low = 1;
    cells[0].hidden_high = cells[1].hidden_high = 0;
    OK(hd_secondary_lattice(l, cells, &o, &r, err));
    assert_int_equal(r.n_unprotected, 1);
    hd_secondary_result_free(&r);
    /* A coarser form of the total is not enough: 98 .. 102 less 98 .. 102. A figure goes all the same. */
    cells[1].hidden_low = 8;
    cells[1].hidden_high = HD_NO_BOUND;
    cells[0].coarse_low = 90;
    cells[0].coarse_high = 110;
    cells[0].preference = -1;
    OK(hd_secondary_lattice(l, cells, &o, &r, err));
    assert_int_equal(r.shown[0], HD_COARSER);
    assert_int_equal(r.n_helpers, 0);
    hd_secondary_result_free(&r);
    hd_lattice_free(l);
}

/* Widths on a table of amounts: 40 and 50 must be uncertain by 10 both ways. */
static void widths_are_proven(void **state)
{
    (void)state;
    hd_lattice *l = flat((const uint32_t[]){3, 3}, 2);
    static const int64_t amount[16] = {0};
    int64_t n[16];
    hd_secondary_cell cells[16];
    hd_secondary_options o;
    hd_secondary_result r;
    memcpy(n, amount, sizeof n);
    for (size_t c = 0; c < 16; c++)
        if (hd_lattice_is_leaf(l, c))
            n[c] = 40 + (int64_t)c;
    OK(hd_lattice_sum(l, n, err));
    for (size_t c = 0; c < 16; c++) {
        cells[c] = figure(n[c], n[c]);
        cells[c].hidden_low = 0;
        cells[c].preference = hd_lattice_is_leaf(l, c) ? 0 : 5;
    }
    cells[5].low = 0;
    cells[5].high = HD_NO_BOUND;
    cells[5].is_withheld = cells[5].is_protected = true;
    cells[5].need = (hd_need){.has_span = true, .at_most = n[5] - 10, .at_least = n[5] + 12,
                              .width = 30};
    hd_secondary_options_init(&o);
    o.sensitive_high = 0;
    OK(hd_secondary_lattice(l, cells, &o, &r, err));
    assert_int_equal(r.n_unprotected, 0);
    assert_int_equal(r.n_helpers, 3);
    assert_true(r.intervals[5].seen_low <= n[5] - 10 && r.intervals[5].seen_high >= n[5] + 12);
    assert_true(r.intervals[5].seen_high - r.intervals[5].seen_low >= 30);
    hd_secondary_result_free(&r);
    cells[5].need = (hd_need){.not_computable = true};
    OK(hd_secondary_lattice(l, cells, &o, &r, err));
    assert_int_equal(r.n_helpers, 3);
    assert_int_equal(r.n_unprotected, 0);
    hd_secondary_result_free(&r);
    hd_lattice_free(l);
}

/* Every change of a digit in a certificate is noticed, or leaves a certificate that still adds up. */
static void certificates_are_checked_by_adding_up(void **state)
{
    (void)state;
    hd_lattice *l = flat((const uint32_t[]){2}, 1);
    hd_secondary_cell cells[3] = {figure(99, 99), figure(98, 102), star()};
    const int64_t low[3] = {99, 0, 1}, high[3] = {99, HD_NO_BOUND, 7}, closer[3] = {99, 20, 1};
    hd_secondary_options o;
    hd_secondary_result r;
    hd_certificate_summary sum;
    uint8_t digest[HD_DIGEST], again[HD_DIGEST];
    hd_buf text, copy;
    hd_err why;
    cells[0].preference = 10;
    hd_secondary_options_init(&o);
    OK(hd_secondary_lattice(l, cells, &o, &r, err));
    hd_buf_init(&text, 1 << 20);
    OK(hd_certificate_write(&r, &text, digest, err));
    hd_digest_of(text.data, text.len, again);
    assert_memory_equal(digest, again, HD_DIGEST);
    OK(hd_certificate_check(text.data, text.len, &sum, err));
    assert_int_equal(sum.n_cells, 3);
    assert_int_equal(sum.n_promises, 1);
    assert_int_equal(sum.n_witnesses, r.witnesses.n_tables);
    OK(hd_certificate_matches(text.data, text.len, low, high, 3, err));
    assert_int_equal(hd_certificate_matches(text.data, text.len, closer, high, 3, &why),
                     HD_INVALID);
    size_t n_noticed = 0;
    const char *first = strstr(text.data, "witness");
    assert_non_null(first);
    hd_buf_init(&copy, 1 << 20);
    for (size_t i = (size_t)(first - text.data); i < text.len - 5; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            continue;
        hd_buf_clear(&copy);
        hd_buf_add(&copy, text.data, text.len);
        copy.data[i] = copy.data[i] == '9' ? '0' : (char)(copy.data[i] + 1);
        assert_int_not_equal(hd_certificate_check(copy.data, copy.len, &sum, &why), HD_OK);
        n_noticed++;
    }
    assert_true(n_noticed > 10);
    for (size_t len = 0; len < text.len; len++)
        assert_int_not_equal(hd_certificate_check(text.data, len, &sum, &why), HD_OK);
    hd_buf_free(&text);
    hd_buf_free(&copy);
    hd_secondary_result_free(&r);
    hd_lattice_free(l);
}

/* ---- bands that cut across each other ---- */

enum { PLACES = 8, AGES = 70, FIVES = AGES / 5, SEVENS = AGES / 7, CODES = 1 + AGES + FIVES + SEVENS };

static uint32_t place_of(uint32_t code, bool is_reversed)
{
    return is_reversed ? CODES - 1 - code : code;
}

/* By place, age in bands of five and in bands of seven, and sex, of which one is rare; or with the
 * codes the other way round. */
static hd_lattice *crossing(bool is_reversed)
{
    static char text[CODES][8];
    const char *codes[CODES], *parts[PLACES + 1], *sexes[] = {"Total", "f", "m", "x"};
    uint32_t children[3][CODES], in[FIVES + SEVENS][7], n_in[FIVES + SEVENS] = {0};
    hd_code_rule rules[2 + FIVES + SEVENS];
    hd_lattice *l = NULL;
    for (uint32_t i = 0; i < CODES; i++) {
        snprintf(text[i], sizeof *text, "%u", i);
        codes[place_of(i, is_reversed)] = text[i];
    }
    for (uint32_t a = 0; a < AGES; a++) {
        uint32_t five = a / 5, seven = FIVES + a / 7;
        in[five][n_in[five]++] = in[seven][n_in[seven]++] = place_of(1 + a, is_reversed);
    }
    for (uint32_t b = 0; b < FIVES + SEVENS; b++) {
        rules[2 + b] = (hd_code_rule){place_of(1 + AGES + b, is_reversed), n_in[b], in[b]};
        children[0][b] = place_of(1 + AGES + b, is_reversed);
    }
    rules[0] = (hd_code_rule){place_of(0, is_reversed), FIVES, children[0]};
    rules[1] = (hd_code_rule){place_of(0, is_reversed), SEVENS, children[0] + FIVES};
    for (uint32_t i = 0; i <= PLACES; i++) {
        parts[i] = part_names[is_reversed ? PLACES - i : i];
        children[1][i] = is_reversed ? i : 1 + i;
    }
    const hd_code_rule by_place = {is_reversed ? PLACES : 0, PLACES, children[1]};
    const hd_code_rule by_sex = {0, 3, part_codes};
    const hd_dimension dims[] = {{"place", PLACES + 1, parts, 1, &by_place},
                                 {"age", CODES, codes, 2 + FIVES + SEVENS, rules},
                                 {"sex", 4, sexes, 1, &by_sex}};
    OK(hd_lattice_new(&l, dims, 3, err));
    return l;
}

static size_t reversed(const hd_lattice *l, size_t cell)
{
    uint32_t c[3];
    hd_lattice_codes(l, cell, c);
    return hd_lattice_cell(l, (const uint32_t[]){PLACES - c[0], CODES - 1 - c[1], c[2]});
}

/* Of the rare sex hardly anybody; of the others few at high ages. */
static int64_t random_count(const hd_lattice *l, size_t cell, hd_rng *random)
{
    uint32_t c[3];
    hd_lattice_codes(l, cell, c);
    if (c[2] == 3)
        return hd_rng_below(random, 60) == 0;
    return c[1] > AGES * 4 / 5 ? hd_rng_below(random, 6) : 10 + hd_rng_below(random, 40);
}

/* Counts of 0 to 4 are withheld, others rounded to 5; a total may always be withheld. */
static hd_secondary_cell printed(const hd_lattice *l, size_t cell, int64_t n)
{
    int64_t round = (n + 2) / 5 * 5;
    bool is_leaf = hd_lattice_is_leaf(l, cell);
    hd_secondary_cell x = {.low = round - 2 < 5 ? 5 : round - 2, .high = round + 2, .coarse_low = 1,
                           .hidden_low = is_leaf ? 5 : 0, .hidden_high = HD_NO_BOUND, .size = round,
                           .preference = -(int32_t)hd_lattice_depth(l, cell), .need = {.values = 5}};
    if (n > 4)
        return x;
    x.low = 0;
    x.high = is_leaf ? 4 : HD_NO_BOUND;
    x.hidden_low = 1;
    x.hidden_high = 0;
    x.is_protected = x.is_withheld = true;
    return x;
}

static void count_search(void *n)
{
    ++*(size_t *)n;
}

static hd_secondary_result protect_crossing(const hd_lattice *l, const hd_secondary_cell *cells,
                                            size_t *n_searches)
{
    const hd_tick tick = {count_search, n_searches};
    hd_secondary_options o;
    hd_secondary_result r;
    hd_secondary_options_init(&o);
    o.sensitive_high = 4;
    o.tick = &tick;
    *n_searches = 0;
    OK(hd_secondary_lattice(l, cells, &o, &r, err));
    assert_int_equal(r.n_unprotected, 0);
    for (size_t c = 0; c < r.system.n_cells; c++)
        assert_true(!r.is_protected[c] || r.intervals[c].n_values >= 5);
    return r;
}

/* How a cell looks after a pass, to one that begins there. */
static void adopt(hd_secondary_cell *x, hd_shown shown)
{
    if (shown != HD_HELPER)
        return;
    x->low = x->hidden_low;
    x->high = x->hidden_high;
    x->hidden_low = 1;
    x->hidden_high = 0;
    x->is_withheld = true;
}

/* Hundreds of protected cells that hold each other: the search ends without going round in circles, and
 * what is promised of small tables holds. */
static void bands_that_cut_across_each_other_are_protected(void **state)
{
    (void)state;
    hd_lattice *l = crossing(false), *back = crossing(true);
    size_t n = hd_lattice_n_cells(l), n_searches, n_protected = 0;
    int64_t *count = hd_calloc(n, sizeof *count);
    hd_secondary_cell *cells = hd_calloc(n, sizeof *cells), *other = hd_calloc(n, sizeof *other);
    hd_rng random = hd_rng_stream(3, 5);
    for (size_t c = 0; c < n; c++)
        count[c] = hd_lattice_is_leaf(l, c) ? random_count(l, c, &random) : 0;
    OK(hd_lattice_sum(l, count, err));
    for (size_t c = 0; c < n; c++) {
        cells[c] = printed(l, c, count[c]);
        other[reversed(l, c)] = cells[c];
        n_protected += cells[c].is_protected;
    }
    assert_true(n_protected > 300);
    hd_secondary_result r = protect_crossing(l, cells, &n_searches);
    assert_true(n_searches < 100000);
    hd_secondary_result turned = protect_crossing(back, other, &n_searches);
    for (size_t c = 0; c < n; c++)
        assert_int_equal(r.shown[c], turned.shown[reversed(l, c)]);
    for (size_t c = 0; c < n; c++)
        adopt(&cells[c], r.shown[c]);
    hd_secondary_result again = protect_crossing(l, cells, &n_searches);
    assert_int_equal(again.n_helpers, 0);
    hd_secondary_result_free(&again);
    hd_secondary_result_free(&turned);
    hd_secondary_result_free(&r);
    hd_free(other);
    hd_free(cells);
    hd_free(count);
    hd_lattice_free(back);
    hd_lattice_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lattice_adds_and_finds_what_is_below),
        cmocka_unit_test(lattice_refuses_nonsense),
        cmocka_unit_test(elimination_finds_what_propagation_misses),
        cmocka_unit_test(dense_and_sparse_fixpoints_agree),
        cmocka_unit_test(long_lines_have_the_same_fixpoints),
        cmocka_unit_test(intervals_are_exact_on_the_pinned_table),
        cmocka_unit_test(exact_total_costs_the_least_wanted_figure),
        cmocka_unit_test(widths_are_proven),
        cmocka_unit_test(certificates_are_checked_by_adding_up),
        cmocka_unit_test(bands_that_cut_across_each_other_are_protected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
