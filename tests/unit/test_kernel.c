/* test_kernel.c - the kernel against a plain row-by-row reference on random questions.
 *
 * Every random question runs through every way the kernel can take (dense and hashed cells, bins by
 * place and by hash, one lane and many, one thread and several) and all answers must be the same;
 * the reference shares no code with the kernel. With -Dfaults=true every n-th allocation fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "base/sort.h"
#include "kernel/kernel.h"
#include "kernel/merge.h"
#include "kernel/ops.h"

enum {
    MAX_COLUMNS = 4,
    MAX_ATOMS = 5,
    MAX_NODES = 12,
    MAX_GROUPS = 3,
    MAX_SETS = 5,
    MAX_MEASURES = 7
};

/* ---- random questions ----------------------------------------------------------------------- */

typedef struct made {
    hd_k_question q;
    void *owned[256]; /* exact-size blocks, so that a sanitizer sees one byte too far */
    size_t n_owned;
    hd_k_codes columns[MAX_COLUMNS];
    hd_k_atom atoms[MAX_ATOMS];
    hd_k_node nodes[MAX_NODES];
    hd_k_group groups[MAX_GROUPS];
    uint32_t sets[MAX_SETS];
    hd_k_measure measures[MAX_MEASURES];
} made;

static void *own(made *t, size_t n, size_t item)
{
    void *p = calloc(n ? n : 1, item);
    assert_non_null(p);
    assert_true(t->n_owned < sizeof t->owned / sizeof *t->owned);
    return t->owned[t->n_owned++] = p;
}

static void unmake(made *t)
{
    for (size_t i = 0; i < t->n_owned; i++)
        free(t->owned[i]);
    free(t);
}

static bool is_set(const uint64_t *bits, size_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}

/* A code that ascends with the rows of a person, as dates do, but for one row in `descents`; often it stays. */
static uint32_t next_code(const hd_k_question *q, hd_rng *r, uint64_t row, uint32_t before,
                          uint32_t n_codes, uint32_t descents)
{
    bool same = row && row < q->n_rows && !is_set(q->begins, row);
    if (!same || hd_rng_below(r, descents) == 0)
        return hd_rng_below(r, n_codes);
    return hd_rng_below(r, 2) ? before : before + hd_rng_below(r, n_codes - before);
}

static hd_k_codes random_codes(made *t, hd_rng *r, uint64_t n, uint32_t n_codes)
{
    static const unsigned widths[] = {1, 2, 4};
    hd_k_codes c = {.width = widths[hd_rng_below(r, 3)], .n_codes = n_codes};
    if (c.width == 1 && n_codes > 256)
        c.width = 2;
    void *data = own(t, n, c.width);
    bool all_null = hd_rng_below(r, 10) == 0;
    c.lowest = !all_null && hd_rng_below(r, 3) == 0 ? hd_rng_below(r, n_codes) : 0;
    bool ascends = hd_rng_below(r, 2);
    uint32_t code = c.lowest, descents = hd_rng_below(r, 2) ? 4000 : UINT32_MAX;
    for (uint64_t i = 0; i < n; i++) {
        if (ascends)
            code = all_null ? 0 : next_code(&t->q, r, i, code, n_codes, descents);
        else
            code = all_null || hd_rng_below(r, 5) == 0 ? 0 : hd_rng_below(r, n_codes);
        code = code < c.lowest ? c.lowest : code;
        if (c.width == 1)
            ((uint8_t *)data)[i] = (uint8_t)code;
        else if (c.width == 2)
            ((uint16_t *)data)[i] = (uint16_t)code;
        else
            ((uint32_t *)data)[i] = code;
    }
    c.data = data;
    return c;
}

static uint32_t code_at(const hd_k_codes *c, uint64_t i)
{
    return c->width == 1   ? ((const uint8_t *)c->data)[i]
           : c->width == 2 ? ((const uint16_t *)c->data)[i]
                           : ((const uint32_t *)c->data)[i];
}

/* The first rows may be linked to nobody. */
static uint64_t *random_begins(made *t, hd_rng *r, uint64_t n)
{
    uint64_t *begins = own(t, (n + 63) / 64, sizeof *begins);
    static const uint32_t stays[] = {1, 2, 7, 300, 9000};
    uint32_t stay = stays[hd_rng_below(r, 5)];
    for (uint64_t i = 0; i < n; i++)
        begins[i / 64] |= (uint64_t)(hd_rng_below(r, i ? stay : 2) == 0) << i % 64;
    return begins;
}

/* The person of each row, 0: nobody. */
static uint32_t *number_persons(const hd_k_question *q)
{
    uint32_t *persons = calloc(q->n_rows + 1, sizeof *persons), n = 0;
    assert_non_null(persons);
    for (uint64_t i = 0; i < q->n_rows && q->begins; i++)
        persons[i] = n += is_set(q->begins, i);
    return persons;
}

static hd_k_atom random_atom(made *t, hd_rng *r)
{
    uint64_t n = t->q.n_rows;
    hd_k_atom a = {0};
    if (hd_rng_below(r, 3) == 0) {
        uint32_t *starts = own(t, n + 1, sizeof *starts);
        uint32_t longest = hd_rng_below(r, 4) * 3 + 1;
        for (uint64_t i = 0; i < n; i++)
            starts[i + 1] = starts[i] + hd_rng_below(r, longest);
        a.starts = starts;
        a.codes = random_codes(t, r, starts[n], 1 + hd_rng_below(r, 400));
    } else {
        a.codes = t->columns[hd_rng_below(r, MAX_COLUMNS)];
    }
    uint8_t *lut = own(t, a.codes.n_codes, 1);
    for (uint32_t c = 0; c < a.codes.n_codes; c++)
        lut[c] = (uint8_t)(hd_rng_below(r, 2) ? 1 : hd_rng_below(r, 3));
    a.lut = lut;
    return a;
}

static hd_k_node random_node(const made *t, hd_rng *r, uint32_t number)
{
    if (number < t->q.n_atoms)
        return (hd_k_node){HD_K_ATOM, number, 0};
    static const hd_k_op ops[] = {HD_K_AND, HD_K_OR, HD_K_NOT, HD_K_IS_TRUE};
    return (hd_k_node){ops[hd_rng_below(r, 4)], hd_rng_below(r, number), hd_rng_below(r, number)};
}

static hd_k_measure random_measure(made *t, hd_rng *r)
{
    hd_k_measure m = {.kind = (hd_k_kind)hd_rng_below(r, 5), .filter = -1};
    m.codes = t->columns[hd_rng_below(r, MAX_COLUMNS)];
    uint32_t n = m.codes.n_codes;
    if (t->q.n_nodes && hd_rng_below(r, 2))
        m.filter = (int32_t)hd_rng_below(r, (uint32_t)t->q.n_nodes);
    if (m.kind != HD_K_COUNT || hd_rng_below(r, 2)) {
        uint8_t *has = own(t, n, 1);
        bool all = hd_rng_below(r, 3) == 0;
        for (uint32_t c = 1; c < n; c++)
            has[c] = all || hd_rng_below(r, 8) != 0;
        m.has_value = has;
    }
    if (m.kind == HD_K_MOMENTS && hd_rng_below(r, 2)) {
        int64_t *v = own(t, n, sizeof *v);
        for (uint32_t c = 0; c < n; c++)
            v[c] = (int64_t)(hd_rng_next(r) >> (17 + hd_rng_below(r, 40))) - 1000;
        m.integers = v;
        m.sum_only = hd_rng_below(r, 2);
    } else if (m.kind == HD_K_MOMENTS) {
        double *v = own(t, n, sizeof *v);
        for (uint32_t c = 0; c < n; c++)
            v[c] = hd_rng_unit(r) * 100;
        m.decimals = v;
    } else if (m.kind != HD_K_COUNT) {
        uint32_t *ranks = own(t, n, sizeof *ranks);
        uint32_t step = 1 + hd_rng_below(r, 3); /* several codes of one rank */
        uint32_t last = hd_rng_below(r, 3) == 0 ? n - 1 : 0;
        for (uint32_t c = 0; c < n; c++)
            ranks[c] = (last ? last - c : c) / step; /* codes need not ascend with values */
        m.ranks = ranks;
        m.n_ranks = (n - 1) / step + 1;
    }
    return m;
}

static made *random_question(hd_rng *r, uint64_t n_rows)
{
    made *t = calloc(1, sizeof *t);
    assert_non_null(t);
    hd_k_question *q = &t->q;
    q->n_rows = n_rows;
    q->begins = random_begins(t, r, n_rows);
    static const uint32_t sizes[] = {1, 2, 5, 40, 256, 300, 5000};
    for (size_t c = 0; c < MAX_COLUMNS; c++)
        t->columns[c] = random_codes(t, r, n_rows, sizes[hd_rng_below(r, 7)]);
    q->n_atoms = hd_rng_below(r, MAX_ATOMS + 1);
    for (size_t i = 0; i < q->n_atoms; i++)
        t->atoms[i] = random_atom(t, r);
    q->n_nodes = q->n_atoms ? q->n_atoms + hd_rng_below(r, MAX_NODES - MAX_ATOMS + 1) : 0;
    for (uint32_t i = 0; i < q->n_nodes; i++)
        t->nodes[i] = random_node(t, r, i);
    q->where =
        q->n_nodes && hd_rng_below(r, 4) ? (int32_t)hd_rng_below(r, (uint32_t)q->n_nodes) : -1;
    q->n_groups = hd_rng_below(r, MAX_GROUPS + 1);
    for (size_t g = 0; g < q->n_groups; g++) {
        hd_k_group *group = &t->groups[g];
        group->codes = t->columns[hd_rng_below(r, MAX_COLUMNS)];
        group->n_slots = 1 + hd_rng_below(r, group->codes.n_codes);
        uint32_t *lut = own(t, group->codes.n_codes, sizeof *lut);
        bool ascends = hd_rng_below(r, 2);
        for (uint32_t c = 0; c < group->codes.n_codes; c++)
            lut[c] = ascends ? (uint32_t)((uint64_t)c * group->n_slots / group->codes.n_codes)
                             : hd_rng_below(r, group->n_slots);
        group->lut = lut;
    }
    q->n_sets = 1 + hd_rng_below(r, MAX_SETS);
    for (size_t s = 0; s < q->n_sets; s++)
        t->sets[s] = hd_rng_below(r, 1u << q->n_groups);
    q->n_measures = hd_rng_below(r, MAX_MEASURES + 1);
    for (size_t m = 0; m < q->n_measures; m++)
        t->measures[m] = m && hd_rng_below(r, 4) == 0 ? t->measures[hd_rng_below(r, (uint32_t)m)]
                                                      : random_measure(t, r);
    q->atoms = t->atoms;
    q->nodes = t->nodes;
    q->groups = t->groups;
    q->sets = t->sets;
    q->measures = t->measures;
    q->max_bytes = UINT64_C(1) << 30;
    return t;
}

/* ---- the reference -------------------------------------------------------------------------- */

static int truth(const hd_k_question *q, int32_t node, uint64_t row)
{
    if (node < 0)
        return 1;
    const hd_k_node *n = &q->nodes[node];
    static const int and_table[3][3] = {{0, 0, 0}, {0, 1, 2}, {0, 2, 2}};
    static const int or_table[3][3] = {{0, 1, 2}, {1, 1, 1}, {2, 1, 2}};
    static const int not_table[3] = {1, 0, 2};
    if (n->op != HD_K_ATOM) {
        int x = truth(q, (int32_t)n->a, row);
        if (n->op == HD_K_NOT)
            return not_table[x];
        if (n->op == HD_K_IS_TRUE)
            return x == 1;
        int y = truth(q, (int32_t)n->b, row);
        return n->op == HD_K_AND ? and_table[x][y] : or_table[x][y];
    }
    const hd_k_atom *a = &q->atoms[n->a];
    if (!a->starts)
        return a->lut[code_at(&a->codes, row)];
    for (uint32_t e = a->starts[row]; e < a->starts[row + 1]; e++)
        if (a->lut[code_at(&a->codes, e)] == 1)
            return 1;
    return 0;
}

typedef struct keyed_row {
    uint32_t slots[MAX_GROUPS];
    uint32_t row;
} keyed_row;

static int compare_keyed(const void *a, const void *b)
{
    const keyed_row *x = a, *y = b;
    for (size_t g = 0; g < MAX_GROUPS; g++)
        if (x->slots[g] != y->slots[g])
            return x->slots[g] < y->slots[g] ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static bool contributes(const hd_k_measure *m, const uint8_t *pass, uint32_t row)
{
    return pass[row] && (!m->has_value || m->has_value[code_at(&m->codes, row)]);
}

/* Check one measure of one cell, whose rows are given in ascending order. */
static void check_measure(const hd_k_question *q, const hd_k_answer *a, const hd_k_measure *m,
                          const hd_k_tally *t, const keyed_row *rows, size_t n, const uint8_t *pass,
                          const uint32_t *person_of, uint32_t *bins)
{
    int64_t count = 0, persons = 0;
    __int128 sum = 0;
    unsigned __int128 squares = 0;
    long double dsum = 0, dsquares = 0;
    uint32_t last = 0;
    if (m->n_ranks)
        memset(bins, 0, m->n_ranks * sizeof *bins);
    for (size_t i = 0; i < n; i++) {
        uint32_t row = rows[i].row;
        if (!contributes(m, pass, row))
            continue;
        uint32_t code = m->kind == HD_K_COUNT ? 0 : code_at(&m->codes, row);
        persons += person_of[row] != 0 && person_of[row] != last;
        last = person_of[row];
        count++;
        if (m->integers) {
            sum += m->integers[code];
            squares += (unsigned __int128)((__int128)m->integers[code] * m->integers[code]);
        }
        if (m->decimals) {
            dsum += m->decimals[code];
            dsquares += (long double)m->decimals[code] * m->decimals[code];
        }
        if (m->ranks)
            bins[m->ranks[code]]++;
    }
    assert_int_equal(t->rows, count);
    if (!q->without_people)
        assert_int_equal(t->persons, persons);
    if (m->kind == HD_K_MOMENTS && m->integers) {
        assert_true(t->exact.sum == sum);
        assert_true(m->sum_only || t->exact.sum_squares == squares);
    } else if (m->kind == HD_K_MOMENTS) {
        assert_true(fabsl(t->decimal.sum - dsum) <= 1e-11L * (dsum + 1));
        assert_true(fabsl(t->decimal.sum_squares - dsquares) <= 1e-11L * (dsquares + 1));
    }
    uint32_t different = 0, lowest = 0, highest = 0, at = 0;
    uint64_t before = 0;
    for (uint32_t rank = 0; rank < m->n_ranks; rank++) {
        if (!bins[rank])
            continue;
        lowest = different++ ? lowest : rank;
        highest = rank;
        if (m->kind == HD_K_DISTRIBUTION) {
            assert_true(at < t->distribution.n);
            assert_int_equal(a->distribution[t->distribution.first + at].rank, rank);
            assert_int_equal(a->distribution[t->distribution.first + at++].rows, bins[rank]);
            const hd_k_bins all = {t->distribution.first, t->distribution.n};
            assert_int_equal(hd_k_order_statistic(a, all, before), rank);
            before += bins[rank];
            assert_int_equal(hd_k_order_statistic(a, all, before - 1), rank);
        }
    }
    if (m->kind == HD_K_DISTRIBUTION)
        assert_int_equal(t->distribution.n, different);
    if (m->kind == HD_K_DISTINCT)
        assert_int_equal(t->distinct, different);
    if (m->kind == HD_K_EXTREMES && count) {
        assert_int_equal(t->extremes.lowest, lowest);
        assert_int_equal(t->extremes.highest, highest);
    }
}

static void check_answer(const hd_k_question *q, const hd_k_answer *a)
{
    keyed_row *rows = calloc(q->n_rows + 1, sizeof *rows);
    uint32_t *bins = calloc(5001, sizeof *bins), *persons = number_persons(q);
    uint8_t *pass = calloc(q->n_rows * (q->n_measures + 1) + 1, 1);
    assert_true(rows && bins && pass);
    for (uint64_t r = 0; r < q->n_rows; r++) {
        pass[r] = truth(q, q->where, r) == 1;
        for (size_t m = 0; m < q->n_measures; m++)
            pass[(m + 1) * q->n_rows + r] = pass[r] && truth(q, q->measures[m].filter, r) == 1;
    }
    size_t cell = 0;
    for (size_t s = 0; s < q->n_sets; s++) {
        size_t n = 0;
        for (uint64_t r = 0; r < q->n_rows; r++) {
            if (!pass[r])
                continue;
            memset(&rows[n], 0, sizeof rows[n]);
            rows[n].row = (uint32_t)r;
            for (size_t g = 0; g < q->n_groups; g++)
                rows[n].slots[g] = q->sets[s] >> g & 1
                                       ? q->groups[g].lut[code_at(&q->groups[g].codes, r)]
                                       : HD_K_NO_SLOT;
            n++;
        }
        qsort(rows, n, sizeof *rows, compare_keyed);
        size_t i = 0;
        while (i < n || (n == 0 && q->sets[s] == 0)) {
            size_t end = i;
            while (end < n && memcmp(rows[end].slots, rows[i].slots, sizeof rows[i].slots) == 0)
                end++;
            assert_true(cell < a->n_cells);
            assert_true(cell >= a->set_starts[s] && cell < a->set_starts[s + 1]);
            for (size_t g = 0; n && g < q->n_groups; g++)
                assert_int_equal(a->slots[g][cell], rows[i].slots[g]);
            static const hd_k_measure all = {.kind = HD_K_COUNT, .filter = -1};
            const hd_k_tally counted = {a->counts[0].rows[cell],
                                        q->without_people ? 0 : a->counts[0].persons[cell]};
            check_measure(q, a, &all, &counted, rows + i, end - i, pass, persons,
                          bins);
            for (size_t m = 0; m < q->n_measures; m++) {
                const hd_k_tally t = hd_k_answer_tally(a, cell, m);
                check_measure(q, a, &q->measures[m], &t, rows + i, end - i,
                              pass + (m + 1) * q->n_rows, persons, bins);
            }
            cell++;
            i = end;
            if (n == 0)
                break;
        }
    }
    assert_int_equal(cell, a->n_cells);
    free(persons);
    free(rows);
    free(bins);
    free(pass);
}

/* Equal to the last bit, except that decimals may differ where `close` is allowed. */
static void check_same(const hd_k_question *q, const hd_k_answer *a, const hd_k_answer *b,
                       bool close)
{
    assert_int_equal(a->n_cells, b->n_cells);
    assert_memory_equal(a->set_starts, b->set_starts, (q->n_sets + 1) * sizeof *a->set_starts);
    for (size_t g = 0; g < q->n_groups; g++)
        assert_memory_equal(a->slots[g], b->slots[g], a->n_cells * sizeof **a->slots);
    for (size_t i = 0; i < a->n_cells * q->n_measures; i++) {
        const hd_k_measure *m = &q->measures[i % q->n_measures];
        const hd_k_tally of_a = hd_k_answer_tally(a, i / q->n_measures, i % q->n_measures);
        const hd_k_tally of_b = hd_k_answer_tally(b, i / q->n_measures, i % q->n_measures);
        const hd_k_tally *x = &of_a, *y = &of_b;
        assert_int_equal(x->rows, y->rows);
        if (!q->without_people)
            assert_int_equal(x->persons, y->persons);
        if (m->kind == HD_K_MOMENTS && m->decimals && !close) {
            assert_memory_equal(&x->decimal, &y->decimal, sizeof x->decimal);
        } else if (m->kind == HD_K_MOMENTS && m->decimals) {
            assert_true(fabs(x->decimal.sum - y->decimal.sum) <= 1e-11 * (x->decimal.sum + 1));
        } else if (m->kind == HD_K_MOMENTS) {
            assert_true(x->exact.sum == y->exact.sum);
            assert_true(m->sum_only || x->exact.sum_squares == y->exact.sum_squares);
        }
    }
}

/* ---- the ways ------------------------------------------------------------------------------- */

static const hd_k_tuning ways[] = {
    {.dense_cells = 1u << 22, .dense_bins = 1u << 22, .wide_cells = 1u << 18, .sure_cells = 1u << 22,
     .lane_rows = 1u << 17, .long_rows = 1u << 20, .max_lanes = 16, .max_pieces = 64,
     .max_live = 256},
    {.dense_cells = 0, .dense_bins = 0, .lane_rows = 1u << 30, .long_rows = 0, .max_lanes = 1,
     .max_live = 256},
    {.dense_cells = 1u << 22, .dense_bins = 0, .lane_rows = 1, .long_rows = 100, .max_lanes = 5, .max_pieces = 40,
     .max_live = 2},
    {.dense_cells = 0, .dense_bins = 1u << 22, .lane_rows = 1000, .long_rows = 3000, .max_lanes = 16, .max_pieces = 3,
     .max_live = 256},
    {.dense_cells = 20, .sure_cells = 3, .dense_bins = 3000, .lane_rows = 7,
     .long_rows = 1u << 30, .max_lanes = 31, .max_pieces = 100, .max_live = 4},
};

static const hd_k_ops *steps; /* of the kernel under test; NULL: the scalar one */
static size_t steps_number;   /* hd_k_ops_find */

static hd_k_answer run_way(const hd_k_question *q, const hd_k_tuning *way)
{
    hd_k_answer a;
    hd_err err = {0};
    hd_code rc = hd_k_run(q, way, steps, &a, &err);
    if (rc != HD_OK)
        fail_msg("%s", err.text);
    return a;
}

static void check_question(uint64_t seed, uint64_t n_rows)
{
    hd_rng r = hd_rng_stream(seed, n_rows);
    made *t = random_question(&r, n_rows);
    hd_err err = {0};
    if (hd_kernel_check(&t->q, &err) != HD_OK)
        fail_msg("seed %llu: %s", (unsigned long long)seed, err.text);
    setenv("HDIS_THREADS", "1", 1);
    hd_k_answer first = run_way(&t->q, &ways[0]);
    check_answer(&t->q, &first);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        hd_k_answer alone = {0};
        static const char *const threads[] = {"1", "3", "2", "7"};
        for (size_t k = 0; k < (steps ? 2 : 4); k++) {
            setenv("HDIS_THREADS", threads[k], 1);
            hd_k_answer a = run_way(&t->q, &ways[w]);
            check_same(&t->q, &first, &a, true);
            if (k)
                check_same(&t->q, &alone, &a, false);
            else
                check_answer(&t->q, &a);
            if (k)
                hd_k_answer_free(&a);
            else
                alone = a;
        }
        hd_k_answer_free(&alone);
    }
    /* People left out: all else stays, and nobody needs to know them. */
    hd_k_question rows_only = t->q;
    rows_only.without_people = true;
    rows_only.begins = NULL;
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        setenv("HDIS_THREADS", w % 2 ? "3" : "1", 1);
        hd_k_answer a = run_way(&rows_only, &ways[w]);
        assert_null(a.counts[0].persons);
        check_same(&rows_only, &first, &a, true);
        hd_k_answer_free(&a);
    }
    /* The same to the last bit in every kernel: decimals are added in the same order. */
    const hd_k_ops *own = steps;
    steps = NULL;
    hd_k_answer scalar = run_way(&t->q, &ways[0]);
    check_same(&t->q, &scalar, &first, false);
    steps = own;
    hd_k_answer_free(&scalar);
    hd_k_answer_free(&first);
    unmake(t);
}

static void random_small_questions_match(void **state)
{
    (void)state;
    for (uint64_t n = 0; n <= 200; n++)
        for (uint64_t seed = 1; seed <= (steps ? 1 : 3); seed++)
            check_question(seed, n);
}

static void random_questions_at_borders_match(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {1023,  1024,  1025,  2047,  2049,  4096, 16383,
                                       16384, 16385, 30000, 65535, 65536, 65537};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (uint64_t seed = 10; seed < (lengths[i] > 10000 ? 12 : 24); seed++)
            check_question(seed, lengths[i]);
}

/* ---- rows that come by blocks ---------------------------------------------------------------- */

typedef struct by_blocks {
    const hd_k_question *q;
    const uint32_t *persons;
    const uint8_t *left_out; /* by block */
    uint64_t block_rows;
    atomic_int entered;
} by_blocks;

static hd_code enter_block(void *ctx, uint64_t first, uint64_t end, bool *matters, hd_err *err)
{
    by_blocks *b = ctx;
    (void)err;
    assert_true(first / b->block_rows == (end - 1) / b->block_rows);
    *matters = !b->left_out[first / b->block_rows];
    atomic_fetch_add(&b->entered, *matters);
    return HD_OK;
}

static void leave_block(void *ctx, uint64_t first, uint64_t end)
{
    (void)first, (void)end;
    atomic_fetch_sub(&((by_blocks *)ctx)->entered, 1);
}

static hd_code find_person_start(void *ctx, uint64_t row, uint64_t *out, hd_err *err)
{
    const by_blocks *b = ctx;
    (void)err;
    while (row > 0 && row < b->q->n_rows && !is_set(b->q->begins, row))
        row++;
    *out = row;
    return HD_OK;
}

static bool is_same_person(void *ctx, uint64_t last, uint64_t first)
{
    const by_blocks *b = ctx;
    assert_true((last + 1) % b->block_rows == 0 && first % b->block_rows == 0);
    return b->persons[last] == b->persons[first];
}

/* The question, of rows only whose `kept` is 1. */
static void keep_only(made *t, const uint8_t *kept, hd_k_question *q)
{
    static const uint8_t is_kept[2] = {0, 1};
    hd_k_atom *atoms = own(t, q->n_atoms + 1, sizeof *atoms);
    hd_k_node *nodes = own(t, q->n_nodes + 2, sizeof *nodes);
    memcpy(atoms, q->atoms, q->n_atoms * sizeof *atoms);
    memcpy(nodes, q->nodes, q->n_nodes * sizeof *nodes);
    atoms[q->n_atoms] = (hd_k_atom){.codes = {kept, 1, 2, 0}, .lut = is_kept};
    nodes[q->n_nodes] = (hd_k_node){HD_K_ATOM, (uint32_t)q->n_atoms, 0};
    nodes[q->n_nodes + 1] = (hd_k_node){HD_K_AND, (uint32_t)q->where, (uint32_t)q->n_nodes};
    q->where = (int32_t)q->n_nodes + (q->where >= 0);
    q->n_nodes += 2;
    q->n_atoms++;
    if (q->where == (int32_t)q->n_nodes - 2)
        nodes[--q->n_nodes] = (hd_k_node){HD_K_ATOM, 0, 0}; /* not part of the question */
    q->atoms = atoms;
    q->nodes = nodes;
}

/* Stretches in which none, few, some or all rows are selected, longer and shorter than a batch. */
static void check_few(uint64_t seed, uint64_t n_rows)
{
    static const uint32_t one_in[] = {0, 2000, 300, 40, 17, 15, 2, 1};
    hd_rng r = hd_rng_stream(seed, n_rows);
    made *t = random_question(&r, n_rows);
    hd_k_question q = t->q;
    uint8_t *kept = own(t, n_rows, 1);
    for (uint64_t i = 0, left = 0, of = 0; i < n_rows; i++, left--) {
        if (left == 0) {
            left = 1 + hd_rng_below(&r, 6000);
            of = one_in[hd_rng_below(&r, 8)];
        }
        kept[i] = of && hd_rng_below(&r, (uint32_t)of) == 0;
    }
    keep_only(t, kept, &q);
    const hd_k_ops *own_steps = steps;
    steps = NULL;
    hd_k_answer scalar = run_way(&q, &ways[0]);
    steps = own_steps;
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        setenv("HDIS_THREADS", w % 2 ? "3" : "1", 1);
        hd_k_answer a = run_way(&q, &ways[w]);
        check_same(&q, &scalar, &a, true);
        hd_k_answer_free(&a);
    }
    hd_k_answer_free(&scalar);
    unmake(t);
}

static void few_rows_of_many_batches_match(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30 && steps; seed++) {
        check_few(seed, 20000 + 1024 * (seed % 3));
        check_few(seed, 70001);
    }
}

/* Blocks in which no row passes may be left out, also from the middle of a person. */
static void check_by_blocks(uint64_t seed, uint64_t n_rows, uint64_t block_rows)
{
    static uint8_t left_out[1000];
    hd_rng r = hd_rng_stream(seed, block_rows);
    made *t = random_question(&r, n_rows);
    hd_k_question q = t->q;
    uint8_t *kept = own(t, n_rows, 1);
    uint32_t percent = hd_rng_below(&r, 101);
    for (size_t b = 0; b <= n_rows / block_rows; b++)
        left_out[b] = hd_rng_below(&r, 100) < percent;
    for (uint64_t i = 0; i < n_rows; i++)
        kept[i] = !left_out[i / block_rows];
    keep_only(t, kept, &q);
    hd_k_answer all = run_way(&q, &ways[0]);
    uint32_t *persons = number_persons(&q);
    by_blocks b = {.q = &q, .persons = persons, .left_out = left_out, .block_rows = block_rows};
    hd_k_feed feed = {&b, block_rows, 0, enter_block, leave_block, find_person_start, is_same_person};
    while (feed.n_unlinked < n_rows && persons[feed.n_unlinked] == 0)
        feed.n_unlinked++;
    q.feed = &feed;
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
        for (size_t threads = 1; threads <= 3; threads += 2) {
            setenv("HDIS_THREADS", threads == 1 ? "1" : "3", 1);
            hd_k_answer a = run_way(&q, &ways[w]);
            check_same(&q, &all, &a, true);
            hd_k_answer_free(&a);
            assert_int_equal(b.entered, 0);
        }
    hd_k_answer_free(&all);
    free(persons);
    unmake(t);
}

static void blocks_may_be_left_out(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {64, 192, 4096, 5120};
    for (uint64_t seed = 1; seed <= (steps ? 12 : 6); seed++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            check_by_blocks(seed, 3000 + seed * 1111, sizes[i]);
}

/* ---- single properties ---------------------------------------------------------------------- */

/* Nine rows hold every pair of truth values; every operator's whole table must come out. */
static void logic_is_three_valued(void **state)
{
    (void)state;
    static const uint8_t x[9] = {0, 0, 0, 1, 1, 1, 2, 2, 2}, y[9] = {0, 1, 2, 0, 1, 2, 0, 1, 2};
    static const uint64_t begins[1] = {511};
    static const uint8_t identity[3] = {0, 1, 2};
    static const hd_k_atom atoms[] = {{.codes = {x, 1, 3}, .lut = identity},
                                      {.codes = {y, 1, 3}, .lut = identity}};
    static const hd_k_node nodes[] = {{HD_K_ATOM, 0, 0},
                                      {HD_K_ATOM, 1, 0},
                                      {HD_K_AND, 0, 1},
                                      {HD_K_OR, 0, 1},
                                      {HD_K_NOT, 0, 0},
                                      {HD_K_IS_TRUE, 0, 0},
                                      /* unknown shows as "neither true nor its negation true" */
                                      {HD_K_NOT, 2, 0},
                                      {HD_K_NOT, 3, 0},
                                      {HD_K_NOT, 4, 0},
                                      {HD_K_NOT, 5, 0}};
    static const struct {
        int32_t node;
        uint16_t rows; /* bit i: row i is true */
    } expected[] = {{2, 1 << 4},
                    {3, 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 7},
                    {4, 7},
                    {5, 7 << 3},
                    {6, 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 6},
                    {7, 1 << 0},
                    {8, 7 << 3},
                    {9, 7 | 7 << 6}};
    static const uint8_t row_codes[9] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    static const uint32_t slots[9] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    static const hd_k_group group = {.codes = {row_codes, 1, 9}, .lut = slots, .n_slots = 9};
    static const uint32_t sets[1] = {1};
    for (size_t e = 0; e < sizeof expected / sizeof *expected; e++) {
        hd_k_question q = {.n_rows = 9,
                           .begins = begins,
                           .n_atoms = 2,
                           .atoms = atoms,
                           .n_nodes = 10,
                           .nodes = nodes,
                           .where = expected[e].node,
                           .n_groups = 1,
                           .groups = &group,
                           .n_sets = 1,
                           .sets = sets,
                           .max_bytes = 1 << 24};
        hd_k_answer a;
        hd_err err;
        assert_int_equal(hd_k_run(&q, &hd_k_tuning_default, steps, &a, &err), HD_OK);
        uint16_t seen = 0;
        for (size_t i = 0; i < a.n_cells; i++)
            seen |= (uint16_t)(1 << a.slots[0][i]);
        assert_int_equal(seen, expected[e].rows);
        hd_k_answer_free(&a);
    }
}

static void unlinked_rows_add_no_person(void **state)
{
    (void)state;
    enum { N = 20000 };
    uint64_t *begins = calloc((N + 63) / 64, sizeof *begins);
    assert_non_null(begins);
    for (size_t i = 15000; i < N; i++)
        begins[i / 64] |= (uint64_t)(i % 2 || i == 15000) << i % 64;
    static const uint32_t sets[1] = {0};
    static const hd_k_measure count = {.kind = HD_K_COUNT, .filter = -1};
    hd_k_question q = {.n_rows = N,
                       .begins = begins,
                       .where = -1,
                       .n_sets = 1,
                       .sets = sets,
                       .n_measures = 1,
                       .measures = &count,
                       .max_bytes = 1 << 24};
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        hd_k_answer a = run_way(&q, &ways[w]);
        assert_int_equal(a.n_cells, 1);
        assert_int_equal(a.counts[0].rows[0], N);
        assert_int_equal(a.counts[0].persons[0], 2501);
        assert_int_equal(hd_k_answer_tally(&a, 0, 0).persons, 2501);
        hd_k_answer_free(&a);
    }
    free(begins);
}

static void too_much_memory_is_refused(void **state)
{
    (void)state;
    hd_err err;
    hd_k_answer a;
    bool was_refused = false, was_answered = false;
    for (uint64_t max = 0; max < UINT64_C(1) << 25; max = max * 3 / 2 + 1000) {
        hd_rng r = hd_rng_stream(5, 8193);
        made *t = random_question(&r, 8193);
        t->q.max_bytes = max;
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            hd_code rc = hd_k_run(&t->q, &ways[w], steps, &a, &err);
            if (rc == HD_LIMIT) {
                was_refused = true;
                assert_non_null(strstr(err.text, "memory"));
                assert_int_equal(a.n_cells, 0);
            } else {
                assert_int_equal(rc, HD_OK);
                was_answered = true;
                check_answer(&t->q, &a);
                hd_k_answer_free(&a);
            }
        }
        unmake(t);
    }
    assert_true(was_refused && was_answered);
}

/* Bins without a place of their own take the memory of the different ones, not of the rows; of one bin there
 * may be more rows than an item of a list can tell. */
static void long_lists_stay_short(void **state)
{
    (void)state;
    enum { ROWS = 600000, CELLS = 3, RANKS = 50 };
    static uint64_t begins[(ROWS + 63) / 64];
    static uint32_t ranks[RANKS], lut[CELLS];
    static uint8_t cells[ROWS], values[ROWS], has_value[RANKS];
    uint32_t want[CELLS][RANKS] = {{0}};
    hd_rng r = hd_rng_stream(7, 7);
    for (size_t i = 0; i < RANKS; i++) {
        ranks[i] = (uint32_t)i;
        has_value[i] = 1;
    }
    for (uint32_t i = 0; i < ROWS; i++) {
        begins[i / 64] |= (uint64_t)(i % 3 == 0) << i % 64;
        cells[i] = (uint8_t)hd_rng_below(&r, CELLS);
        values[i] = (uint8_t)(hd_rng_below(&r, 3) ? 7 : hd_rng_below(&r, RANKS));
        want[cells[i]][values[i]]++;
    }
    for (uint32_t i = 0; i < CELLS; i++)
        lut[i] = i;
    const hd_k_group group = {.codes = {.data = cells, .width = 1, .n_codes = CELLS}, .n_slots = CELLS, .lut = lut};
    const hd_k_measure measure = {.kind = HD_K_DISTRIBUTION, .filter = -1, .has_value = has_value,
                                  .codes = {.data = values, .width = 1, .n_codes = RANKS},
                                  .ranks = ranks, .n_ranks = RANKS};
    const uint32_t set = 1;
    const hd_k_question q = {.n_rows = ROWS, .begins = begins, .where = -1, .n_groups = 1, .groups = &group,
                             .n_sets = 1, .sets = &set, .n_measures = 1, .measures = &measure,
                             .max_bytes = 3 * ROWS};
    hd_k_answer a = run_way(&q, &ways[1]);
    assert_int_equal(a.n_cells, CELLS);
    for (size_t c = 0; c < CELLS; c++) {
        const hd_k_bins *bins = (const hd_k_bins *)a.values[0].items + c;
        assert_int_equal(bins->n, RANKS);
        for (size_t k = 0; k < RANKS; k++) {
            assert_int_equal(a.distribution[bins->first + k].rank, k);
            assert_int_equal(a.distribution[bins->first + k].rows, want[c][k]);
        }
    }
    hd_k_answer_free(&a);
    uint64_t items[1000], spare[1000], rows = 0;
    for (size_t i = 0; i < 1000; i++)
        items[i] = (i % 2) << 5 | (1 + i % 31); /* at most 31 rows in an item */
    size_t n = hd_k_join_pairs(items, spare, 1000, 5);
    assert_true(n < 1000);
    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || items[i] >> 5 >= items[i - 1] >> 5);
        rows += items[i] & 31;
    }
    for (size_t i = 0; i < 1000; i++)
        rows -= 1 + i % 31;
    assert_int_equal(rows, 0);
}

static void a_stopped_question_ends(void **state)
{
    (void)state;
    hd_err err;
    hd_k_answer a;
    atomic_bool stop = false;
    hd_rng r = hd_rng_stream(6, 8193);
    made *t = random_question(&r, 8193);
    t->q.stop = &stop;
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        atomic_store(&stop, false);
        assert_int_equal(hd_k_run(&t->q, &ways[w], steps, &a, &err), HD_OK);
        hd_k_answer_free(&a);
        atomic_store(&stop, true);
        assert_int_equal(hd_k_run(&t->q, &ways[w], steps, &a, &err), HD_CANCELLED);
        assert_int_equal(a.n_cells, 0);
    }
    unmake(t);
}

static void too_many_combinations_are_refused(void **state)
{
    (void)state;
    static const uint64_t begins[1] = {1};
    static const uint32_t zero[1] = {0};
    hd_k_group groups[4];
    for (size_t g = 0; g < 4; g++)
        groups[g] = (hd_k_group){.codes = {zero, 4, 1}, .lut = zero, .n_slots = 1u << 20};
    static const uint32_t sets[1] = {15};
    hd_k_question q = {.n_rows = 1,
                       .begins = begins,
                       .where = -1,
                       .n_groups = 4,
                       .groups = groups,
                       .n_sets = 1,
                       .sets = sets,
                       .max_bytes = 1 << 24};
    hd_k_answer a;
    hd_err err;
    assert_int_equal(hd_k_run(&q, &hd_k_tuning_default, steps, &a, &err), HD_LIMIT);
    groups[3].n_slots = 4; /* 2^62 fit */
    assert_int_equal(hd_k_run(&q, &hd_k_tuning_default, steps, &a, &err), HD_OK);
    assert_int_equal(a.n_cells, 1);
    hd_k_answer_free(&a);
    static const int64_t huge[1] = {INT64_MIN};
    static const uint8_t has[1] = {1};
    hd_k_measure m = {.kind = HD_K_MOMENTS,
                      .filter = -1,
                      .codes = {zero, 4, 1},
                      .has_value = has,
                      .integers = huge};
    q.n_measures = 1;
    q.measures = &m;
    assert_int_equal(hd_k_run(&q, &hd_k_tuning_default, steps, &a, &err), HD_OK);
    assert_true(hd_k_answer_tally(&a, 0, 0).exact.sum == INT64_MIN);
    assert_true(hd_k_answer_tally(&a, 0, 0).exact.sum_squares == (unsigned __int128)1 << 126);
    hd_k_answer_free(&a);
}

static void wrong_questions_are_found(void **state)
{
    (void)state;
    static const uint64_t begins[1] = {3};
    static const uint32_t slots[2] = {0, 1};
    static const uint8_t codes[3] = {0, 1, 1}, lut[2] = {0, 1}, wrong_lut[2] = {0, 3};
    static const uint32_t sets[1] = {1}, wrong_sets[1] = {2};
    hd_k_atom atom = {.codes = {codes, 1, 2}, .lut = lut};
    hd_k_node nodes[2] = {{HD_K_ATOM, 0, 0}, {HD_K_NOT, 0, 0}};
    hd_k_group group = {.codes = {codes, 1, 2}, .lut = slots, .n_slots = 2};
    hd_k_measure measure = {
        .kind = HD_K_DISTINCT, .filter = 1, .codes = {codes, 1, 2}, .ranks = slots, .n_ranks = 2};
    hd_k_question q = {.n_rows = 3,
                       .begins = begins,
                       .n_atoms = 1,
                       .atoms = &atom,
                       .n_nodes = 2,
                       .nodes = nodes,
                       .where = 1,
                       .n_groups = 1,
                       .groups = &group,
                       .n_sets = 1,
                       .sets = sets,
                       .n_measures = 1,
                       .measures = &measure};
    hd_err err;
    assert_int_equal(hd_kernel_check(&q, &err), HD_OK);
#define WRONG(change, repair)                                                                      \
    change;                                                                                        \
    assert_int_equal(hd_kernel_check(&q, &err), HD_INVALID);                                       \
    repair
    WRONG(q.begins = NULL, q.begins = begins);
    WRONG(atom.codes.n_codes = 1, atom.codes.n_codes = 2);
    WRONG(atom.codes.lowest = 1, atom.codes.lowest = 0);
    WRONG(atom.codes.width = 3, atom.codes.width = 1);
    WRONG(atom.lut = wrong_lut, atom.lut = lut);
    WRONG(nodes[1].a = 1, nodes[1].a = 0);
    WRONG(nodes[0].a = 1, nodes[0].a = 0);
    WRONG(q.where = 2, q.where = 1);
    WRONG(group.n_slots = 1, group.n_slots = 2);
    WRONG(q.sets = wrong_sets, q.sets = sets);
    WRONG(q.n_sets = 0, q.n_sets = 1);
    WRONG(measure.filter = 2, measure.filter = 1);
    WRONG(measure.n_ranks = 1, measure.n_ranks = 2);
    WRONG(measure.ranks = NULL, measure.ranks = slots);
    WRONG(measure.kind = HD_K_MOMENTS, measure.kind = HD_K_DISTINCT);
#undef WRONG
    assert_int_equal(hd_kernel_check(&q, &err), HD_OK);
}

static void kernels_are_picked_by_name(void **state)
{
    (void)state;
    const hd_kernel *k;
    hd_err err;
    unsetenv("HDIS_KERNEL");
    assert_int_equal(hd_kernel_pick(&k, &err), HD_OK);
    setenv("HDIS_KERNEL", "portable", 1);
    assert_int_equal(hd_kernel_pick(&k, &err), HD_OK);
    assert_string_equal(k->name, "portable");
    setenv("HDIS_KERNEL", "scalar", 1);
    assert_int_equal(hd_kernel_pick(&k, &err), HD_OK);
    assert_string_equal(k->name, "scalar");
    setenv("HDIS_KERNEL", "abacus", 1);
    assert_int_equal(hd_kernel_pick(&k, &err), HD_INVALID);
    unsetenv("HDIS_KERNEL");
}

/* Few conditions become sums, more become two sums and a table, many go another way. */
static void any_number_of_conditions_is_counted(void **state)
{
    (void)state;
    enum { CODES = 300, MOST = 30, ROWS = 9000 };
    static const size_t numbers[] = {1, 3, 6, 7, 8, 9, MOST};
    static const uint32_t sets[2] = {1, 0};
    hd_rng r = hd_rng_stream(12, 12);
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        made *t = calloc(1, sizeof *t);
        assert_non_null(t);
        t->q.n_rows = ROWS;
        t->q.begins = random_begins(t, &r, ROWS);
        hd_k_codes columns[3];
        for (size_t c = 0; c < 3; c++)
            columns[c] = random_codes(t, &r, ROWS, CODES);
        hd_k_atom *atoms = own(t, MOST, sizeof *atoms);
        hd_k_node *nodes = own(t, MOST, sizeof *nodes);
        hd_k_measure *measures = own(t, MOST, sizeof *measures);
        uint32_t *slots = own(t, CODES, sizeof *slots);
        for (size_t i = 0; i < numbers[k]; i++) {
            uint8_t *lut = own(t, CODES, 1);
            for (size_t c = 0; c < CODES; c++)
                lut[c] = (uint8_t)hd_rng_below(&r, 3);
            atoms[i] = (hd_k_atom){.codes = columns[i % 2], .lut = lut};
            nodes[i] = (hd_k_node){HD_K_ATOM, (uint32_t)i, 0};
            measures[i] = (hd_k_measure){.kind = HD_K_COUNT, .filter = (int32_t)i};
        }
        for (uint32_t c = 0; c < CODES; c++)
            slots[c] = c / 20;
        t->groups[0] = (hd_k_group){.codes = columns[2], .lut = slots, .n_slots = CODES / 20};
        t->q.n_atoms = t->q.n_nodes = t->q.n_measures = numbers[k];
        t->q.atoms = atoms;
        t->q.nodes = nodes;
        t->q.where = (int32_t)(k % 2) - 1;
        t->q.n_groups = 1;
        t->q.groups = t->groups;
        t->q.n_sets = 2;
        t->q.sets = sets;
        t->q.measures = measures;
        t->q.max_bytes = UINT64_C(1) << 28;
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            hd_k_answer a = run_way(&t->q, &ways[w]);
            check_answer(&t->q, &a);
            hd_k_answer_free(&a);
        }
        unmake(t);
    }
}

/* Every step of every set against the plain one: odd lengths, columns that begin anywhere and end
 * where their memory ends, all and none selected, sums that wrap. */
static void check_steps(const hd_k_ops *x, hd_rng *r, size_t n)
{
    enum { ROOM = HD_K_BATCH + HD_K_PAD, MANY = 3000 };
    static uint8_t sums[2][ROOM], out8[2][ROOM], table[MANY + HD_K_FAR], bits[MANY / 8 + HD_K_FAR];
    static uint16_t out16[2][ROOM];
    static uint32_t out32[2][ROOM], more32[2][ROOM], numbers[MANY];
    const hd_k_ops *sets[2] = {&hd_k_ops_portable, x};
    size_t skew = hd_rng_below(r, 3); /* of the columns' first byte or pair */
    uint8_t *column8 = calloc(n + skew + 1, 1), *codes8 = column8 + skew + 1;
    uint16_t *column16 = calloc(n + skew + 1, 2), *codes16 = column16 + skew + 1;
    uint32_t *persons = calloc(n + 1, 4);
    uint64_t selected[2][HD_K_WORDS + 1] = {{0}};
    assert_true(column8 && column16 && persons);
    uint8_t keep[256], slots[256];
    hd_k_adds adds = {.n_codes = MANY, .by_code = table};
    uint32_t stride = 1 + hd_rng_below(r, 100000), different = 1 + hd_rng_below(r, 5);
    unsigned share = hd_rng_below(r, 5), n_steps = hd_rng_below(r, HD_K_STEPS + 2);
    for (size_t i = 0; i < 256; i++) {
        keep[i] = share == 4 || hd_rng_below(r, 4) < share;
        slots[i] = (uint8_t)hd_rng_next(r);
    }
    memset(table, 0, sizeof table);
    adds.n_steps = n_steps;
    for (uint32_t c = 0, k = 0, sum = 0; c < MANY; c++) {
        if (n_steps <= HD_K_STEPS && k < n_steps && (c >= 200 || hd_rng_below(r, 30) == 0)) {
            adds.from[k] = c;
            adds.by[k] = (uint8_t)hd_rng_next(r);
            sum += adds.by[k++];
        }
        table[c] = (uint8_t)(n_steps <= HD_K_STEPS ? sum : hd_rng_next(r));
        numbers[c] = (uint32_t)hd_rng_next(r);
    }
    for (size_t i = 0; i < n; i++) {
        codes8[i] = (uint8_t)hd_rng_next(r);
        codes16[i] = (uint16_t)hd_rng_below(r, MANY);
        persons[i] = (i ? persons[i - 1] : 0) + (hd_rng_below(r, different) == 0);
    }
    /* Half of the times some codes add something and all others nothing. */
    if (hd_rng_below(r, 2)) {
        adds.bits = bits;
        adds.bit_adds = (uint8_t)hd_rng_next(r);
        adds.n_steps = HD_K_STEPS + 1;
        adds.n_codes = HD_K_FAR + hd_rng_below(r, MANY - HD_K_FAR + 1);
        memset(bits, 0, sizeof bits);
        for (uint32_t c = 0; c < adds.n_codes; c++) {
            bool is = hd_rng_below(r, 4) < share;
            bits[c / 8] |= (uint8_t)(is << c % 8);
            table[c] = is ? adds.bit_adds : 0;
        }
        for (size_t i = 0; i < n; i++)
            codes16[i] = (uint16_t)(codes16[i] % adds.n_codes);
    }
    const hd_k_joined few = {table, 5, 255 + 255 * 5 + 1}, many = {table, 10, 255 + 255 * 10 + 1};
    size_t n_kept[2];
    uint8_t start = (uint8_t)hd_rng_next(r);
    for (size_t k = 0; k < 2; k++) {
        memset(sums[k], start, sizeof sums[k]);
        sets[k]->add8(codes8, n, 0, &adds, sums[k]);
        sets[k]->add16(codes16, n, 0, &adds, sums[k]);
        n_kept[k] = sets[k]->keep(sums[k], n, keep, selected[k]);
    }
    assert_memory_equal(sums[0], sums[1], n);
    assert_int_equal(n_kept[0], n_kept[1]);
    assert_memory_equal(selected[0], selected[1], sizeof selected[0]);
    for (size_t k = 0; k < 2; k++) {
        sets[k]->pack8(selected[0], codes8, n, 0, out8[k]);
        sets[k]->pack16(selected[0], codes16, n, 0, out16[k]);
        sets[k]->pack32(selected[0], persons, n, 0, out32[k]);
    }
    assert_memory_equal(out8[0], out8[1], n_kept[0]);
    assert_memory_equal(out16[0], out16[1], n_kept[0] * 2);
    assert_memory_equal(out32[0], out32[1], n_kept[0] * 4);
    for (size_t k = 0; k < 2; k++) {
        sets[k]->positions(selected[0], n, (uint16_t)(stride % 5000), out16[k]);
        memcpy(out8[k], codes8, n);
        uint32_t *keys = out32[k];
        memset(keys, 255, sizeof out32[k]);
        sets[k]->key8(codes8, n, HD_K_AHEAD, stride % 256, stride, NULL, keys);
        sets[k]->key16(codes16, n, HD_K_AHEAD, stride % 1000, stride, keys, keys);
        sets[k]->key_slots(codes8, n, 0, slots, stride, keys, more32[k]);
        sets[k]->look8(codes8, n, 0, numbers, stride, more32[k], keys);
        sets[k]->look16(codes16, n, 0, numbers, stride, keys, keys);
        sets[k]->join(out8[k], codes8, n, &few);
        sets[k]->join(out8[k], codes8, n, &many);
    }
    assert_memory_equal(out16[0], out16[1], n_kept[0] * 2);
    assert_memory_equal(out32[0], out32[1], n * 4);
    assert_memory_equal(out8[0], out8[1], n);
    free(column8);
    free(column16);
    free(persons);
}

/* The steps about people, said row by row. n is not 0. */
static void check_people_steps(const hd_k_ops *x, hd_rng *r, size_t n)
{
    enum { ROOM = HD_K_BATCH + HD_K_PAD, WORDS = HD_K_WORDS + 2 };
    static uint32_t keys[ROOM], numbers[ROOM], run_cells[ROOM];
    static uint16_t rows[ROOM];
    uint64_t selection[WORDS] = {0}, begins[WORDS] = {0}, of[WORDS], groups[WORDS];
    uint32_t different = 1 + hd_rng_below(r, 6);
    unsigned share = hd_rng_below(r, 9);
    bool never_less = hd_rng_below(r, 2), descends = false;
    for (size_t i = 0; i < n; i++) {
        begins[i / 64] |= (uint64_t)(hd_rng_below(r, different) == 0) << i % 64;
        bool same = i && !is_set(begins, i);
        keys[i] = hd_rng_below(r, 40) + (same && never_less ? keys[i - 1] : 0);
        keys[i] = i && hd_rng_below(r, different) ? keys[i - 1] : keys[i];
        descends |= same && keys[i] < keys[i - 1];
        selection[i / 64] |= (uint64_t)(hd_rng_below(r, 8) < share) << i % 64;
    }
    bool was_pending = hd_rng_below(r, 2), pending = was_pending, waits = was_pending;
    x->begins_of(selection, begins, n, &pending, of);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        waits |= is_set(begins, i);
        if (is_set(selection, i)) {
            assert_int_equal(is_set(of, k++), waits);
            waits = false;
        }
    }
    assert_int_equal(pending, waits);
    assert_true(k % 64 == 0 || of[k / 64] >> k % 64 == 0);
    assert_int_equal(x->groups(keys, begins, n, groups), !descends);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(is_set(groups, i), is_set(begins, i) || (i && keys[i] != keys[i - 1]));
    uint32_t first = hd_rng_below(r, 100), last = first, number = first;
    size_t n_shared = x->shared(groups, n, &last, rows, numbers);
    k = 0;
    for (size_t i = 0; i < n; i++) {
        number += is_set(groups, i);
        if (is_set(groups, i) && i + 1 < n && is_set(groups, i + 1))
            continue;
        assert_true(k < n_shared);
        assert_int_equal(rows[k], i);
        assert_int_equal(numbers[k++], number);
    }
    assert_int_equal(k, n_shared);
    assert_int_equal(last, number);
    for (size_t alone = 0; alone < 2; alone++) {
        last = number = first;
        size_t n_runs = x->runs(keys, alone ? NULL : groups, n, &last, run_cells, numbers, rows);
        k = 0;
        for (size_t i = 0; i < n; i++) {
            bool begin = !alone && is_set(groups, i);
            number += begin;
            if (i && !begin && keys[i] == keys[i - 1])
                continue;
            assert_true(k < n_runs);
            assert_int_equal(rows[k], i);
            assert_int_equal(run_cells[k], keys[i]);
            if (!alone)
                assert_int_equal(numbers[k], number);
            k++;
        }
        assert_int_equal(k, n_runs);
        assert_int_equal(rows[k], n);
        assert_int_equal(last, number);
    }
}

static void steps_about_people_do_what_they_say(void **state)
{
    (void)state;
    hd_rng r = hd_rng_stream(3, 4);
    for (size_t n = 1; n < 200 && steps; n++)
        for (size_t again = 0; again < 20; again++)
            check_people_steps(steps, &r, n);
    for (size_t again = 0; again < 100 && steps; again++)
        check_people_steps(steps, &r, HD_K_BATCH - hd_rng_below(&r, 3) * hd_rng_below(&r, 70));
}

static void steps_are_the_same_in_all_sets(void **state)
{
    (void)state;
    hd_rng r = hd_rng_stream(3, 3);
    for (size_t n = 0; n < 200 && steps; n++)
        for (size_t again = 0; again < 20; again++)
            check_steps(steps, &r, n);
    for (size_t again = 0; again < 100 && steps; again++)
        check_steps(steps, &r, HD_K_BATCH - hd_rng_below(&r, 3) * hd_rng_below(&r, 70));
}

enum { LONG_ARRAY = 150000 }; /* is cut into pieces */

static void check_sorted(uint32_t N)
{
    static uint64_t k[LONG_ARRAY], v[LONG_ARRAY], k2[LONG_ARRAY], v2[LONG_ARRAY];
    hd_rng r = hd_rng_stream(1, 1);
    for (unsigned shift = 0; shift < 64; shift += N > 3000 ? 19 : 7) {
        for (size_t i = 0; i < N; i++) {
            k[i] = hd_rng_next(&r) >> shift;
            v[i] = i << 1 | (k[i] & 1);
        }
        hd_sort_pairs(k, v, k2, v2, N);
        for (size_t i = 1; i < N; i++) {
            assert_true(k[i - 1] < k[i] || (k[i - 1] == k[i] && v[i - 1] < v[i]));
            assert_int_equal(v[i] & 1, k[i] & 1);
        }
        size_t at = hd_rng_below(&r, N);
        uint64_t want = k[at];
        for (size_t i = 0; i < N; i++) { /* in any order */
            size_t other = i + hd_rng_below(&r, (uint32_t)(N - i));
            uint64_t swap = k[i];
            k[i] = k[other];
            k[other] = swap;
        }
        assert_int_equal(hd_kth_smallest(k, N, at), want);
    }
}

static void check_numbers(uint32_t n)
{
    static uint64_t x[LONG_ARRAY], y[LONG_ARRAY], spare[LONG_ARRAY];
    hd_rng r = hd_rng_stream(1, 2);
    for (unsigned lowest = 0; lowest < 64; lowest += 9) {
        for (size_t i = 0; i < n; i++)
            x[i] = hd_rng_next(&r) >> lowest / 2;
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] >> lowest << 8 | i % 256; /* what is equal keeps its order */
        memcpy(spare, x, sizeof x);
        hd_sort_numbers(x, spare, n, lowest);
        for (size_t i = 1; i < n; i++)
            assert_true(x[i - 1] >> lowest <= x[i] >> lowest);
        if (lowest < 8)
            continue;
        hd_sort_numbers(y, spare, n, 8);
        for (size_t i = 0; i < n; i++)
            assert_true(y[i] >> 8 == (x[i] >> lowest & UINT64_MAX >> 8));
    }
}

static void pairs_are_sorted(void **state)
{
    (void)state;
    check_numbers(1);
    check_numbers(3000);
    check_numbers(LONG_ARRAY);
    check_sorted(3000);
    check_sorted(LONG_ARRAY);
}

/* ---- failing allocations -------------------------------------------------------------------- */

/* One question in a process of its own; HDIS_FAULT is set by the parent. 0 answered, 3 refused. */
static int run_once(const char *seed, const char *kernel)
{
    if (!hd_k_ops_find(strtoull(kernel, NULL, 10), &steps))
        return 1;
    hd_rng r = hd_rng_stream(strtoull(seed, NULL, 10), 300);
    made *t = random_question(&r, 300);
    hd_k_answer a;
    hd_err err = {0};
    hd_code rc = hd_k_run(&t->q, &ways[4], steps, &a, &err);
    hd_k_answer_free(&a);
    unmake(t);
    return rc == HD_OK ? 0 : rc == HD_NOMEM && err.text[0] ? 3 : 1;
}

static void failing_allocations_are_errors(void **state)
{
    (void)state;
#ifndef HD_FAULTS
    skip();
#else
    for (int seed = 1; seed <= 3; seed++) {
        int status = 3;
        for (int n = 1; status == 3; n++) {
            char fault[32], text[16], kernel[24];
            snprintf(fault, sizeof fault, "alloc:%d", n);
            snprintf(text, sizeof text, "%d", seed);
            snprintf(kernel, sizeof kernel, "%zu", steps_number);
            pid_t child = fork();
            if (child == 0) {
                setenv("HDIS_FAULT", fault, 1);
                execl("/proc/self/exe", "test_kernel", "--once", text, kernel,
                      (char *)NULL);
                _exit(127);
            }
            int raw;
            assert_int_equal(waitpid(child, &raw, 0), child);
            status = WIFEXITED(raw) ? WEXITSTATUS(raw) : -1;
            assert_true(status == 0 || status == 3);
        }
    }
#endif
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--once") == 0)
        return run_once(argv[2], argv[3]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logic_is_three_valued),
        cmocka_unit_test(unlinked_rows_add_no_person),
        cmocka_unit_test(random_small_questions_match),
        cmocka_unit_test(random_questions_at_borders_match),
        cmocka_unit_test(few_rows_of_many_batches_match),
        cmocka_unit_test(blocks_may_be_left_out),
        cmocka_unit_test(too_much_memory_is_refused),
        cmocka_unit_test(long_lists_stay_short),
        cmocka_unit_test(a_stopped_question_ends),
        cmocka_unit_test(too_many_combinations_are_refused),
        cmocka_unit_test(wrong_questions_are_found),
        cmocka_unit_test(kernels_are_picked_by_name),
        cmocka_unit_test(any_number_of_conditions_is_counted),
        cmocka_unit_test(steps_are_the_same_in_all_sets),
        cmocka_unit_test(steps_about_people_do_what_they_say),
        cmocka_unit_test(pairs_are_sorted),
        cmocka_unit_test(failing_allocations_are_errors),
    };
    int failed = 0;
    for (; hd_k_ops_find(steps_number, &steps); steps_number++) {
        char name[64];
        snprintf(name, sizeof name, "kernel %s", steps ? steps->name : "scalar");
        failed += cmocka_run_group_tests_name(name, tests, NULL, NULL);
    }
    return failed;
}
