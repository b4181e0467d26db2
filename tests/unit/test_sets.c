/* test_sets.c - the sets behind the figures of an answer: on every path the same as record by
 * record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "disclosure/sets.h"
#include "vault_fixture.h"

static hd_err err;
static fixture the_fixture;
static hd_catalogue *catalogue;
static hd_vault *vault;
static hd_engine *engine;

enum { PROVIDER, MONTH, AGE, SEX, STAY, ADMITTED, N_COLUMNS };
enum { N_ROWS = 3 * HD_BLOCK_ROWS + 1234, UNLINKED = 70 };
static const char *const names[N_COLUMNS] = {"provider", "month", "age", "sex", "stay", "admitted"};

/* The first rows are linked to nobody; some people have forty records, several on one day. */
static void make_rows(uint32_t first, uint32_t n, hd_builder *b)
{
    static uint32_t persons[HD_BLOCK_ROWS], codes[N_COLUMNS][HD_BLOCK_ROWS];
    static int64_t order[HD_BLOCK_ROWS];
    hd_rows_column in[N_COLUMNS] = {0};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t r = first + i;
        hd_rng g = hd_rng_stream(5, r);
        int64_t x[N_COLUMNS] = {[PROVIDER] = hd_rng_below(&g, 9),
                                [MONTH] = hd_rng_below(&g, 24),
                                [AGE] = hd_rng_below(&g, 101),
                                [SEX] = 1 + hd_rng_below(&g, 2),
                                [STAY] = hd_rng_below(&g, 30),
                                [ADMITTED] = 17000 + r / 3 % 11};
        persons[i] = r < UNLINKED ? 0 : r % 1000 < 40 ? 1 + r / 1000 * 1000 : 1 + r / 4 * 4;
        if (persons[i] && i && persons[i] < persons[i - 1])
            persons[i] = persons[i - 1];
        order[i] = r;
        for (size_t c = 0; c < N_COLUMNS; c++) {
            hd_value v = {.type = c == ADMITTED ? HD_DATE : HD_INTEGER,
                          .integer = x[c],
                          .is_null = c == STAY && x[c] == 29};
            OK(hd_builder_code(b, c, &v, &codes[c][i], &err));
            in[c].codes = codes[c];
        }
    }
    OK(hd_builder_append(b, &(hd_rows){n, persons, order, in}, &err));
}

static int make_vault(void **state)
{
    (void)state;
    hd_vault *v;
    hd_builder *b;
    hd_column_spec specs[N_COLUMNS] = {0};
    for (size_t c = 0; c < N_COLUMNS; c++) {
        snprintf(specs[c].name, sizeof specs[c].name, "%s", names[c]);
        specs[c].kind = HD_COLUMN_CODES;
        specs[c].type = c == ADMITTED ? HD_DATE : HD_INTEGER;
    }
    fixture_make(&the_fixture);
    OK(hd_catalogue_open(&catalogue, HD_YARDSTICK_CATALOGUE, NULL, &err));
    OK(hd_vault_create(the_fixture.folder, the_fixture.key_file, &err));
    OK(hd_vault_open(&v, the_fixture.folder, the_fixture.key_file, true, &err));
    OK(hd_builder_new(&b, v, "admissions", specs, N_COLUMNS, &err));
    for (uint32_t at = 0; at < N_ROWS; at += HD_BLOCK_ROWS)
        make_rows(at, N_ROWS - at < HD_BLOCK_ROWS ? N_ROWS - at : HD_BLOCK_ROWS, b);
    fixture_publish(v, b);
    OK(hd_vault_open(&vault, the_fixture.folder, the_fixture.key_file, false, &err));
    OK(hd_engine_open(&engine, vault, catalogue, &err));
    return 0;
}

static int remove_vault(void **state)
{
    (void)state;
    hd_engine_close(engine);
    hd_vault_close(vault);
    hd_catalogue_close(catalogue);
    fixture_remove(&the_fixture);
    return 0;
}

/* ---- record by record ------------------------------------------------------------------------ */

typedef struct naive {
    const hd_question *q;
    const hd_chosen *chosen;
    const hd_cells *cells;
    const hd_sets *sets; /* its columns */
    unsigned class_of[64];
    hd_set *items;
    struct {
        hd_set_records records;
        uint32_t person, n;
    } *people;
} naive;

static void end_person(naive *x, size_t item, hd_set_kind kind)
{
    if (x->people[item].n && kind == HD_SET_PEOPLE)
        hd_set_add_person(&x->items[item], x->people[item].person);
    else if (x->people[item].n)
        hd_set_add(&x->items[item], x->people[item].person, &x->people[item].records,
                   x->people[item].n);
    memset(&x->people[item], 0, sizeof *x->people);
}

static bool is_in(const naive *x, const hd_chosen_block *b, size_t row, size_t cell)
{
    for (size_t k = 0; k < x->q->n_keys; k++) {
        hd_value v = hd_chosen_slot_value(x->chosen, k, b->slots[k * b->stride + row]);
        hd_value key = hd_cells_key(x->cells, cell, k);
        bool summed = hd_cells_grouping(x->cells, cell) >> k & 1;
        if (!summed && (v.is_null != key.is_null || (!v.is_null && v.integer != key.integer)))
            return false;
    }
    return true;
}

static hd_code take_block(void *ctx, const hd_chosen_block *b, hd_err *e)
{
    (void)e;
    naive *x = ctx;
    for (size_t i = 0; i < b->n; i++)
        for (size_t cell = 0; cell < x->cells->n_cells; cell++)
            for (size_t c = 0; c < x->sets->n_columns && is_in(x, b, i, cell); c++) {
                size_t item = cell * x->sets->n_columns + c;
                if (!(b->classes[i] >> x->class_of[c] & 1))
                    continue;
                if (x->people[item].n && x->people[item].person != b->persons[i])
                    end_person(x, item, x->sets->kinds[c]);
                x->people[item].person = b->persons[i];
                x->people[item].n++;
                if (x->sets->kinds[c] == HD_SET_PEOPLE)
                    continue;
                hd_set_sum(&x->people[item].records, b->records[i]);
            }
    return HD_OK;
}

static hd_set *record_by_record(const hd_question *q, const hd_cells *cells, const hd_sets *sets)
{
    hd_chosen *chosen;
    OK(hd_chosen_open(&chosen, engine, q, &err));
    size_t n = sets->n_cells * sets->n_columns;
    naive x = {.q = q, .chosen = chosen, .cells = cells, .sets = sets};
    x.items = calloc(n, sizeof *x.items);
    x.people = calloc(n, sizeof *x.people);
    assert_true(x.items && x.people);
    for (size_t i = 0; i < n; i++)
        hd_set_init(&x.items[i]);
    for (size_t a = 0; a < q->n_aggregates; a++)
        x.class_of[sets->column_of[a]] = hd_chosen_class_of(chosen, a);
    for (size_t lane = 0; lane < hd_chosen_n_lanes(chosen); lane++)
        OK(hd_chosen_scan(chosen, lane, take_block, &x, &err));
    for (size_t i = 0; i < n; i++)
        end_person(&x, i, sets->kinds[i % sets->n_columns]);
    free(x.people);
    hd_chosen_free(chosen);
    return x.items;
}

static bool is_same(const hd_set *a, const hd_set *b)
{
    return hd_set_same(a, b) && hd_profile_same(&a->profile, &b->profile) &&
           memcmp(a->buckets, b->buckets, sizeof a->buckets) == 0 &&
           memcmp(a->lowest, b->lowest, sizeof a->lowest) == 0 &&
           memcmp(a->profile.buckets, b->profile.buckets, sizeof a->profile.buckets) == 0 &&
           memcmp(a->profile.lowest, b->profile.lowest, sizeof a->profile.lowest) == 0 &&
           a->profile.people == b->profile.people;
}

static const hd_sets_tuning tunings[] = {
    {1000000, 1 << 17, 1 << 24, 1 << 26}, /* as always */
    {1000000, 1 << 17, 1 << 24, 0},       /* shared */
    {1000000, 1 << 17, 0, 1 << 26},       /* cells by name */
    {1000000, 100, 0, 0},                 /* few wait */
};

static void sets_are_the_same_on_every_path(void **state)
{
    (void)state;
    static const char *const questions[] = {
        "SELECT provider, sex, count(*), sum(stay), count(DISTINCT person) FROM admissions GROUP BY 1, 2",
        "SELECT month, provider, count(*), count(*) FILTER (WHERE age > 60), avg(stay) FROM admissions "
        "WHERE age BETWEEN 20 AND 90 GROUP BY ROLLUP (1, 2)",
        "SELECT count(*), count(DISTINCT person) FILTER (WHERE sex = 1) FROM admissions",
        "SELECT sex, count(stay), largest_share(provider) FROM admissions WHERE provider = 3 GROUP BY 1"};
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        hd_question *q;
        hd_cells *cells;
        hd_set *want = NULL;
        OK(hd_engine_ask(engine, questions[i], &q, &err));
        OK(hd_engine_run(engine, q, HD_ROUTE_BEST, &cells, &err));
        for (size_t t = 0; t < sizeof tunings / sizeof *tunings; t++) {
            hd_sets sets;
            OK(hd_sets_make(&sets, engine, q, cells, &tunings[t], &err));
            if (!want)
                want = record_by_record(q, cells, &sets);
            for (size_t s = 0; s < sets.n_cells * sets.n_columns; s++)
                if (!is_same(&sets.items[s], &want[s]))
                    fail_msg("%s: set %zu differs on path %zu", questions[i], s, t);
            hd_sets_free(&sets);
        }
        hd_sets refused;
        const hd_sets_tuning few = {cells->n_cells - 1, 100, 100, 100};
        assert_int_equal(hd_sets_make(&refused, engine, q, cells, &few, &err), HD_LIMIT);
        free(want);
        hd_cells_free(cells);
        hd_question_free(q);
    }
}

/* count(*) and sum(month) are about the same records; those with a stay are others. */
static void an_argument_that_nobody_lacks_chooses_nothing(void **state)
{
    (void)state;
    hd_question *q;
    hd_cells *cells;
    hd_sets sets;
    OK(hd_engine_ask(engine, "SELECT sex, count(*), sum(month), sum(stay) FROM admissions GROUP BY 1", &q, &err));
    OK(hd_engine_run(engine, q, HD_ROUTE_BEST, &cells, &err));
    OK(hd_sets_make(&sets, engine, q, cells, &hd_sets_tuning_default, &err));
    assert_int_equal(sets.n_columns, 2);
    assert_int_equal(sets.column_of[0], sets.column_of[1]);
    assert_int_not_equal(sets.column_of[0], sets.column_of[2]);
    hd_sets_free(&sets);
    hd_cells_free(cells);
    hd_question_free(q);
}

static void make_sets(const char *sql, hd_sets *out)
{
    hd_question *q;
    hd_cells *cells;
    OK(hd_engine_ask(engine, sql, &q, &err));
    OK(hd_engine_run(engine, q, HD_ROUTE_BEST, &cells, &err));
    OK(hd_sets_make(out, engine, q, cells, &hd_sets_tuning_default, &err));
    hd_cells_free(cells);
    hd_question_free(q);
}

/* A record is the same one whichever others pass the condition: parts under conditions of their
 * own, few rows and many, make the whole. */
static void records_are_the_same_under_every_condition(void **state)
{
    (void)state;
    static const char *const parts[] = {"age < 1", "age >= 1 AND sex = 1", "age >= 1 AND sex = 2 AND provider < 8",
                                        "age >= 1 AND sex = 2 AND provider = 8"};
    uint64_t sum[2] = {0, 0};
    hd_sets whole;
    make_sets("SELECT count(*) FROM admissions", &whole);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char sql[256];
        hd_sets part;
        snprintf(sql, sizeof sql, "SELECT count(*) FROM admissions WHERE %s", parts[i]);
        make_sets(sql, &part);
        assert_true(part.items[0].persons > 0);
        sum[0] += part.items[0].sum[0];
        sum[1] += part.items[0].sum[1];
        hd_sets_free(&part);
    }
    assert_memory_equal(sum, whole.items[0].sum, sizeof sum);
    hd_sets_free(&whole);
}

/* ---- what a sketch holds --------------------------------------------------------------------- */

static void add_to_hash(uint64_t *h, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *h = (*h ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001B3);
}

static uint64_t hash_set(const hd_set *s)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    const hd_profile *p = &s->profile;
    add_to_hash(&h, s->sum, sizeof s->sum);
    add_to_hash(&h, &s->persons, sizeof s->persons);
    add_to_hash(&h, s->lowest, sizeof s->lowest);
    add_to_hash(&h, s->buckets, sizeof s->buckets);
    add_to_hash(&h, p->sum, sizeof p->sum);
    add_to_hash(&h, &p->people, 3 * sizeof p->people);
    add_to_hash(&h, p->lowest, sizeof p->lowest);
    add_to_hash(&h, p->buckets, sizeof p->buckets);
    return h;
}

/* Records of 4,000 people and of nobody, in runs of any length. */
static void make_known_set(hd_set *s, hd_set_kind kind, uint32_t seed)
{
    enum { PEOPLE = 4000, MOST = PEOPLE * 3 };
    static uint32_t persons[MOST];
    static uint64_t records[MOST];
    hd_rng of = hd_rng_stream(11, 0), g = hd_rng_stream(12, seed);
    hd_set_growing growing = {0};
    size_t n = 0;
    for (uint32_t p = 0; p < PEOPLE; p++)
        for (uint32_t k = hd_rng_below(&of, 3) + 1; k > 0; k--) {
            persons[n] = p * 7;
            uint64_t high = hd_rng_below(&of, UINT32_MAX);
            records[n++] = high << 32 | hd_rng_below(&of, UINT32_MAX);
        }
    hd_set_init(s);
    for (size_t at = 0, len; at < n; at += len) {
        len = 1 + hd_rng_below(&g, seed ? 600 : 3);
        len = len < n - at ? len : n - at;
        hd_set_take(s, &growing, kind, persons + at, records + at, len);
    }
    hd_set_end(s, &growing, kind);
}

/* Releases in a ledger are compared with sketches made by later programs: no bit may change its
 * meaning. */
static void a_sketch_keeps_its_meaning(void **state)
{
    static const uint64_t known[2] = {UINT64_C(0xCFC00E409C7FE4D6), UINT64_C(0xD41D57390E1AED7D)};
    (void)state;
    for (uint32_t seed = 0; seed < 3; seed++)
        for (hd_set_kind kind = HD_SET_RECORDS; kind <= HD_SET_PEOPLE; kind++) {
            hd_set s;
            make_known_set(&s, kind, seed);
            assert_int_equal(hash_set(&s), known[kind]);
        }
}

/* The planes hold each counter's two bits, buckets in order. */
static void planes_are_the_counters(void **state)
{
    (void)state;
    uint64_t low[HD_SET_PLANE], high[HD_SET_PLANE];
    hd_set s;
    make_known_set(&s, HD_SET_RECORDS, 1);
    hd_set_planes(&s, low, high);
    for (size_t i = 0; i < HD_SET_LINES; i++) {
        uint32_t counter = s.buckets[i / 16] >> i % 16 * 2 & 3;
        assert_int_equal((low[i / 64] >> i % 64 & 1) | (high[i / 64] >> i % 64 & 1) << 1, counter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sketch_keeps_its_meaning),
        cmocka_unit_test(planes_are_the_counters),
        cmocka_unit_test(sets_are_the_same_on_every_path),
        cmocka_unit_test(an_argument_that_nobody_lacks_chooses_nothing),
        cmocka_unit_test(records_are_the_same_under_every_condition),
    };
    return cmocka_run_group_tests(tests, make_vault, remove_vault);
}
