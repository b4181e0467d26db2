/* test_engine.c - what the engine remembers: bounded, never stale, and the same answers as an engine
 * that remembers nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../oracle/world.h"
#include "engine/private.h"
#include "vault_fixture.h"

/* ---- the store ---------------------------------------------------------------------------------- */

static int alive;

static void release(void *thing)
{
    alive--;
    free(thing);
}

static hd_recalled *keep(hd_recall *r, const char *key, size_t bytes)
{
    hd_err err;
    hd_recalled *x;
    int *thing = malloc(sizeof *thing);
    assert_non_null(thing);
    *thing = (int)strlen(key);
    alive++;
    OK(hd_recall_keep(r, key, strlen(key), thing, bytes, release, &x, &err));
    return x;
}

static bool knows(hd_recall *r, const char *key)
{
    hd_recalled *x = hd_recall_find(r, key, strlen(key));
    if (x)
        assert_int_equal(*(int *)x->thing, strlen(key));
    hd_recalled_drop(x);
    return x != NULL;
}

static void the_least_used_goes_first(void **state)
{
    (void)state;
    hd_recall *r = hd_recall_new(4000);
    assert_non_null(r);
    hd_recalled_drop(keep(r, "a", 1000));
    hd_recalled_drop(keep(r, "bb", 1000));
    hd_recalled_drop(keep(r, "ccc", 1000));
    assert_true(knows(r, "a"));
    hd_recalled_drop(keep(r, "dddd", 1000));
    assert_true(knows(r, "a") && knows(r, "ccc") && knows(r, "dddd"));
    assert_false(knows(r, "bb"));
    assert_int_equal(alive, 3);
    hd_recall_charge(r, "dddd", 4, 2500); /* a and ccc make room */
    assert_true(knows(r, "dddd") && !knows(r, "a") && !knows(r, "ccc"));
    hd_recall_free(r);
    assert_int_equal(alive, 0);
}

static void what_is_in_use_lives(void **state)
{
    (void)state;
    hd_recall *r = hd_recall_new(2000);
    assert_non_null(r);
    hd_recalled *x = keep(r, "a", 100), *huge = keep(r, "huge", 1 << 20);
    assert_false(knows(r, "a") || knows(r, "huge"));
    assert_int_equal(*(int *)x->thing, 1);
    assert_int_equal(*(int *)huge->thing, 4);
    hd_recalled_drop(huge);
    hd_recall_free(r);
    assert_int_equal(alive, 1);
    hd_recalled_drop(x);
    assert_int_equal(alive, 0);
}

/* ---- questions ---------------------------------------------------------------------------------- */

static const char *const questions[] = {
    "SELECT count(*), sum(los), avg(cost), median(weight) FROM stays",
    "SELECT place, count(*), count(DISTINCT person) FROM stays WHERE method = '21' GROUP BY 1",
    "SELECT place, count(*), count(DISTINCT person) FROM stays WHERE los > 3 GROUP BY 1",
    "SELECT region, month, max(left_on), min(ward) FROM stays GROUP BY CUBE (1, 2)",
    "SELECT age_band, sum(is_long), stddev(age) FROM stays WHERE any_diagnosis LIKE 'E%' GROUP BY 1",
    "SELECT diag_02, count(*) FILTER (WHERE los > 3 AND method = '21') FROM stays GROUP BY 1",
    "SELECT kind_of_stay, count(*) FROM stays WHERE los > age GROUP BY 1",
    "SELECT upper(outcome) || '!', quantile_cont(minutes, 0.9) FROM visits GROUP BY 1",
};
enum { N_QUESTIONS = sizeof questions / sizeof *questions };

typedef struct world {
    fixture f;
    hd_vault *vault;
    hd_catalogue *catalogue;
} world;

static void publish(world *w, uint64_t seed)
{
    table tables[N_TABLES];
    world_make(tables, seed);
    world_publish(tables, w->vault);
    world_free(tables);
}

static void open_world(world *w)
{
    hd_err err;
    char catalogue[512];
    const char *source = getenv("HDIS_SOURCE");
    snprintf(catalogue, sizeof catalogue, "%s/tests/oracle/catalogue", source ? source : ".");
    fixture_make(&w->f);
    OK(hd_vault_create(w->f.folder, w->f.key_file, &err));
    OK(hd_vault_open(&w->vault, w->f.folder, w->f.key_file, true, &err));
    OK(hd_catalogue_open(&w->catalogue, catalogue, NULL, &err));
}

static void close_world(world *w)
{
    hd_catalogue_close(w->catalogue);
    hd_vault_close(w->vault);
    fixture_remove(&w->f);
}

static hd_cells *answer(hd_engine *e, const char *sql, hd_route route)
{
    hd_err err;
    hd_question *q;
    hd_cells *c;
    OK(hd_engine_ask(e, sql, &q, &err));
    if (q->fallback_reason)
        route = HD_ROUTE_BEST;
    OK(hd_engine_run(e, q, route, &c, &err));
    hd_question_free(q);
    return c;
}

static void assert_same(const hd_cells *a, const hd_cells *b)
{
    assert_int_equal(a->n_cells, b->n_cells);
    for (size_t i = 0; i < a->n_cells * a->n_keys; i++) {
        const hd_value x = hd_cells_key(a, i / a->n_keys, i % a->n_keys);
        const hd_value y = hd_cells_key(b, i / b->n_keys, i % b->n_keys);
        assert_int_equal(hd_value_compare(&x, &y), 0);
    }
    for (size_t i = 0; i < a->n_cells; i++) {
        assert_int_equal(hd_cells_grouping(a, i), hd_cells_grouping(b, i));
        assert_int_equal(a->all.records[i], b->all.records[i]);
        assert_int_equal(a->all.persons[i], b->all.persons[i]);
    }
    for (size_t i = 0; i < a->n_cells * a->n_aggregates; i++) {
        const hd_cell of_a = hd_cells_figure(a, i / a->n_aggregates, i % a->n_aggregates);
        const hd_cell of_b = hd_cells_figure(b, i / b->n_aggregates, i % b->n_aggregates);
        const hd_cell *x = &of_a, *y = &of_b;
        assert_int_equal(x->records, y->records);
        assert_int_equal(x->persons, y->persons);
        if (x->value.type == HD_DECIMAL && !x->value.is_null)
            assert_true(x->value.decimal - y->value.decimal < 1e-9 &&
                        y->value.decimal - x->value.decimal < 1e-9);
        else
            assert_int_equal(hd_value_compare(&x->value, &y->value), 0);
    }
}

/* One engine through two data versions, each question three times in every order, beside engines
 * that are asked one thing only. */
static void answers_are_never_stale(void **state)
{
    (void)state;
    hd_err err;
    world w;
    hd_engine *old, *fresh;
    open_world(&w);
    publish(&w, 1);
    OK(hd_engine_open(&old, w.vault, w.catalogue, &err));
    for (uint64_t seed = 1; seed < 4; seed++) {
        for (size_t i = 0; i < N_QUESTIONS; i++) {
            OK(hd_engine_open(&fresh, w.vault, w.catalogue, &err));
            hd_cells *want = answer(fresh, questions[i], HD_ROUTE_DUCKDB);
            for (size_t again = 0; again < 3; again++) {
                hd_cells *other = answer(old, questions[(i + again) % N_QUESTIONS], HD_ROUTE_BEST);
                hd_cells *got = answer(old, questions[i], HD_ROUTE_BEST);
                assert_same(got, want);
                hd_cells_free(got);
                hd_cells_free(other);
            }
            hd_cells_free(want);
            hd_engine_close(fresh);
        }
        publish(&w, seed + 1);
    }
    hd_engine_close(old);
    close_world(&w);
}

/* A question that was checked before a load is run after it. */
static void a_held_question_sees_new_data(void **state)
{
    (void)state;
    hd_err err;
    world w;
    hd_engine *e;
    hd_question *q;
    hd_cells *c;
    open_world(&w);
    publish(&w, 1);
    OK(hd_engine_open(&e, w.vault, w.catalogue, &err));
    OK(hd_engine_ask(e, questions[1], &q, &err));
    for (uint64_t seed = 2; seed < 4; seed++) {
        OK(hd_engine_run(e, q, HD_ROUTE_KERNEL, &c, &err));
        hd_cells_free(c);
        publish(&w, seed);
        OK(hd_engine_run(e, q, HD_ROUTE_KERNEL, &c, &err));
        hd_cells *want = answer(e, questions[1], HD_ROUTE_DUCKDB);
        assert_same(c, want);
        hd_cells_free(want);
        hd_cells_free(c);
    }
    hd_engine_close(e);
    hd_question_free(q);
    close_world(&w);
}

/* Questions in one pass give the cells that each gives by itself; what has waited too long is not used. */
static void questions_together_are_questions_alone(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "SELECT method, count(*), avg(los) FROM stays WHERE sex = '1' GROUP BY 1",
        "SELECT method, count(*) FILTER (WHERE los > 3), median(age) FROM stays WHERE sex = '1' GROUP BY 1",
        "SELECT method, max(ward), sum(balance) FROM stays WHERE sex = '1' GROUP BY 1",
        "SELECT method, count(*) FROM stays WHERE sex = 'nobody' GROUP BY 1",
        "SELECT method, avg(los) FROM stays WHERE sex = 'nobody' GROUP BY 1",
        "SELECT method, count(*) FROM stays WHERE los > age GROUP BY 1", /* DuckDB's */
        "SELECT count(*), max(ward) FROM stays WHERE any_diagnosis LIKE 'E%'",
        "SELECT avg(los) FROM stays WHERE any_diagnosis LIKE 'E%'",
        "SELECT method, place, count(*) FROM stays GROUP BY ROLLUP (1, 2)",
        "SELECT method, place, avg(weight) FROM stays GROUP BY ROLLUP (1, 2)",
        "SELECT avg(los) FROM stays WHERE any_diagnosis LIKE 'I%'", /* alone in its rows */
    };
    enum { N = sizeof sql / sizeof *sql };
    hd_err err;
    world w;
    hd_engine *together, *alone;
    hd_question *held[N];
    open_world(&w);
    publish(&w, 1);
    OK(hd_engine_open(&together, w.vault, w.catalogue, &err));
    for (uint64_t seed = 2; seed < 5; seed++) {
        OK(hd_engine_open(&alone, w.vault, w.catalogue, &err));
        for (size_t i = 0; i < N; i++)
            OK(hd_engine_ask(together, sql[i], &held[i], &err));
        OK(hd_engine_run_ahead(together, held, N, &err));
        for (size_t i = 0; i < N; i++)
            assert_int_equal(((asked *)held[i])->ahead != NULL, i != 5 && i != 10);
        for (size_t i = 0; i < N; i++) {
            hd_cells *want = answer(alone, sql[i], HD_ROUTE_BEST);
            for (size_t again = 0; again < 2; again++) {
                hd_cells *got = answer(together, sql[i], HD_ROUTE_BEST);
                assert_same(got, want);
                hd_cells_free(got);
            }
            hd_cells_free(want);
        }
        OK(hd_engine_run_ahead(together, held, N, &err)); /* new data come in between */
        hd_engine_close(alone);
        publish(&w, seed);
        OK(hd_engine_open(&alone, w.vault, w.catalogue, &err));
        for (size_t i = 0; i < N; i++) {
            hd_cells *want = answer(alone, sql[i], HD_ROUTE_BEST), *got;
            OK(hd_engine_run(together, held[i], HD_ROUTE_BEST, &got, &err));
            assert_same(got, want);
            hd_cells_free(got);
            hd_cells_free(want);
            hd_question_free(held[i]);
        }
        hd_engine_close(alone);
    }
    hd_engine_close(together);
    close_world(&w);
}

static void a_stopped_question_ends(void **state)
{
    (void)state;
    hd_err err;
    world w;
    hd_engine *e;
    hd_question *q;
    hd_cells *c;
    atomic_bool stop = false;
    const hd_engine_limits limits = {.stop = &stop};
    static const char *const sql[] = {
        "SELECT place, count(*) FROM stays GROUP BY 1",
        "SELECT place, count(*) FROM stays WHERE los > age GROUP BY 1",
        "SELECT next(stays), count(*) FROM stays GROUP BY 1",
    };
    open_world(&w);
    publish(&w, 1);
    OK(hd_engine_open_limited(&e, w.vault, w.catalogue, &limits, &err));
    for (size_t i = 0; i < 3; i++) {
        atomic_store(&stop, false);
        OK(hd_engine_ask(e, sql[i], &q, &err));
        atomic_store(&stop, true);
        assert_int_equal(hd_engine_run(e, q, HD_ROUTE_BEST, &c, &err), HD_CANCELLED);
        assert_null(c);
        atomic_store(&stop, false); /* and can be asked again */
        OK(hd_engine_run(e, q, HD_ROUTE_BEST, &c, &err));
        hd_cells_free(c);
        hd_question_free(q);
    }
    hd_engine_close(e);
    close_world(&w);
}

/* The largest of the counts by value, as a share of all that have one. */
static void the_largest_share_is_that_of_the_largest(void **state)
{
    (void)state;
    world w;
    hd_engine *e;
    hd_err err;
    open_world(&w);
    publish(&w, 3);
    OK(hd_engine_open(&e, w.vault, w.catalogue, &err));
    hd_cells *shares = answer(e, "SELECT place, largest_share(method) FROM stays GROUP BY 1",
                              HD_ROUTE_KERNEL);
    hd_cells *counts = answer(e, "SELECT place, method, count(method) FROM stays GROUP BY 1, 2",
                              HD_ROUTE_KERNEL);
    assert_true(shares->n_cells > 1 && counts->n_cells > shares->n_cells);
    for (size_t i = 0, k = 0; i < shares->n_cells; i++) {
        const hd_cell share = hd_cells_figure(shares, i, 0);
        const hd_value place = hd_cells_key(shares, i, 0);
        int64_t most = 0, all = 0;
        for (; k < counts->n_cells; k++) {
            const hd_value of = hd_cells_key(counts, k, 0);
            int64_t n = hd_cells_figure(counts, k, 0).value.integer;
            if (hd_value_compare(&of, &place) != 0)
                break;
            most = n > most ? n : most;
            all += n;
        }
        assert_int_equal(share.records, all);
        assert_int_equal(share.value.is_null, all == 0);
        assert_true(all == 0 || share.value.decimal == (double)most / (double)all);
    }
    hd_cells_free(shares);
    hd_cells_free(counts);
    hd_engine_close(e);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_together_are_questions_alone),
        cmocka_unit_test(a_stopped_question_ends),
        cmocka_unit_test(the_least_used_goes_first),
        cmocka_unit_test(what_is_in_use_lives),
        cmocka_unit_test(answers_are_never_stale),
        cmocka_unit_test(a_held_question_sees_new_data),
        cmocka_unit_test(the_largest_share_is_that_of_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
