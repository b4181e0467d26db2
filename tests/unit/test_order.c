/* test_order.c - next, previous, events, nth and within_days against the same in DuckDB's SQL, over the
 * random tables of the oracle: unlinked records, days that are NULL, ties, records of a person in no
 * order of time. order_walk.c is compiled once more with chunks of a few rows, so that most people
 * lie at the border of one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../oracle/world.h"
#include "base/buf.h"
#include "engine/cells.h"
#include "engine/question.h"
#include "vault_fixture.h"

static fixture f;
static hd_vault *vault;
static hd_catalogue *catalogue;
static hd_engine *engine;
static hd_duck *duck;
static table tables[N_TABLES];

/* ---- the same rows in DuckDB --------------------------------------------------------------------- */

typedef struct copied {
    const table *t;
    const char *const *names;
} copied;

static hd_value cell_of(void *ctx, uint64_t row, size_t column)
{
    const copied *c = ctx;
    if (column == 0)
        return (hd_value){.type = HD_INTEGER, .integer = (int64_t)row};
    if (column == 1)
        return (hd_value){.type = HD_INTEGER, .integer = c->t->persons[row]};
    if (column == 2) { /* e: any diagnosis that begins with E */
        int d = field_number(c->t, "diagnosis");
        hd_value any = {.type = HD_BOOLEAN};
        for (unsigned i = 0; d >= 0 && i < c->t->lengths[d][row]; i++) {
            const hd_value *v = &c->t->elements[d][row * MAX_ELEMENTS + i];
            any.integer |= !v->is_null && v->text.len > 0 && v->text.bytes[0] == 'E';
        }
        return any;
    }
    return c->t->values[field_number(c->t, c->names[column - 3])][row];
}

static void copy_table(const table *t, const char *const *names)
{
    hd_err err;
    hd_duck_column columns[8] = {{"i", HD_INTEGER}, {"p", HD_INTEGER}, {"e", HD_BOOLEAN}};
    size_t n = 3;
    for (; names[n - 3]; n++)
        columns[n] = (hd_duck_column){names[n - 3],
                                      t->fields[field_number(t, names[n - 3])].type};
    copied c = {t, names};
    OK(hd_duck_make_table(duck, t->name, columns, n, t->n_rows, cell_of, &c, &err));
}

static int open_all(void **state)
{
    (void)state;
    hd_err err;
    char folder[512];
    static const char *const stays[] = {"method", "los", "admitted", "left_on", NULL};
    static const char *const visits[] = {"minutes", "arrived", NULL};
    const char *source = getenv("HDIS_SOURCE");
    snprintf(folder, sizeof folder, "%s/tests/oracle/catalogue", source ? source : ".");
    fixture_make(&f);
    world_make(tables, 11);
    world_store(tables, f.folder, f.key_file);
    OK(hd_vault_open(&vault, f.folder, f.key_file, false, &err));
    OK(hd_catalogue_open(&catalogue, folder, NULL, &err));
    OK(hd_engine_open(&engine, vault, catalogue, &err));
    OK(hd_duck_open(&duck, &err));
    copy_table(&tables[0], stays);
    copy_table(&tables[1], visits);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    hd_duck_close(duck);
    hd_engine_close(engine);
    hd_catalogue_close(catalogue);
    hd_vault_close(vault);
    world_free(tables);
    fixture_remove(&f);
    return 0;
}

/* ---- both answers -------------------------------------------------------------------------------- */

/* Records by the value and another field: count and different people. */
static void check(const char *from, const char *value, const char *sql, const char *beside,
                  hd_route route)
{
    char question[1000], oracle[2000];
    hd_err err;
    hd_question *q;
    hd_cells *c;
    hd_duck_result *r;
    snprintf(question, sizeof question,
             "SELECT %s, %s, count(*), count(DISTINCT person) FROM %s GROUP BY 1, 2", value, beside,
             from);
    snprintf(oracle, sizeof oracle,
             "SELECT v, b, count(*), count(DISTINCT p) FILTER (WHERE p > 0) FROM (SELECT r.p AS p, "
             "r.%s AS b, CASE WHEN r.p > 0 THEN (%s) END AS v FROM %s r) GROUP BY 1, 2 ORDER BY 1 "
             "NULLS FIRST, 2 NULLS FIRST",
             beside, sql, from);
    if (hd_engine_ask(engine, question, &q, &err) != HD_OK)
        fail_msg("%s: %s", question, err.text);
    if (hd_engine_run(engine, q, route, &c, &err) != HD_OK)
        fail_msg("%s: %s", question, err.text);
    if (hd_duck_query(duck, oracle, &r, &err) != HD_OK)
        fail_msg("%s: %s", oracle, err.text);
    if (c->n_cells != hd_duck_n_rows(r))
        fail_msg("%s: %zu cells, must be %zu", question, c->n_cells, hd_duck_n_rows(r));
    for (size_t i = 0; i < c->n_cells; i++) {
        for (size_t k = 0; k < 2; k++) {
            hd_value want = hd_duck_value(r, i, k);
            const hd_value key = hd_cells_key(c, i, k);
            if (hd_value_compare(&key, &want) != 0)
                fail_msg("%s: cell %zu has another key %zu", question, i, k);
        }
        assert_int_equal(c->all.records[i], hd_duck_value(r, i, 2).integer);
        assert_int_equal(c->all.persons[i], hd_duck_value(r, i, 3).integer);
    }
    hd_duck_result_free(r);
    hd_cells_free(c);
    hd_question_free(q);
}

#define OTHERS(table, condition) "FROM " table " e WHERE e.p = r.p AND (" condition ")"
#define NEXT(table, condition, own, begins)                                                        \
    "SELECT min(e." begins " - r." own ") " OTHERS(table, condition) " AND e." begins " >= r." own
#define PREVIOUS(table, condition, own, ends)                                                      \
    "SELECT min(r." own " - e." ends ") " OTHERS(table, condition) " AND e." ends " <= r." own

static void values_are_those_of_sql(void **state)
{
    (void)state;
    static const struct {
        const char *from, *value, *sql;
    } cases[] = {
        {"stays", "next(method = '21')",
         NEXT("stays", "e.method = '21' AND e.i <> r.i", "admitted", "admitted")},
        {"stays", "next(stays.los > 3, left_on)",
         NEXT("stays", "e.los > 3 AND e.i <> r.i", "left_on", "admitted")},
        {"stays", "next(los > 3 OR NOT (method < '22'))",
         NEXT("stays", "(e.los > 3 OR NOT (e.method < '22')) AND e.i <> r.i", "admitted", "admitted")},
        {"stays", "next(any_diagnosis LIKE 'E%')",
         NEXT("stays", "e.e AND e.i <> r.i", "admitted", "admitted")},
        {"stays", "previous(stays)", PREVIOUS("stays", "e.i <> r.i", "admitted", "admitted")},
        {"stays", "previous(los IS NULL, left_on)",
         PREVIOUS("stays", "e.los IS NULL AND e.i <> r.i", "left_on", "admitted")},
        {"stays", "next(visits)", NEXT("visits", "true", "admitted", "arrived")},
        {"stays", "next(visits.minutes > 60, left_on)",
         NEXT("visits", "e.minutes > 60", "left_on", "arrived")},
        {"visits", "previous(stays.method = '21')",
         PREVIOUS("stays", "e.method = '21'", "arrived", "admitted")},
        {"stays", "events(stays)", "SELECT count(*) " OTHERS("stays", "true")},
        {"stays", "events(method = '21')", "SELECT count(*) " OTHERS("stays", "e.method = '21'")},
        {"visits", "events(stays.los < 2)", "SELECT count(*) " OTHERS("stays", "e.los < 2")},
        {"stays", "events(visits.minutes > 30, -400, 400)",
         "SELECT CASE WHEN r.admitted IS NOT NULL THEN (SELECT count(*) " OTHERS(
             "visits", "e.minutes > 30") " AND e.arrived - r.admitted BETWEEN -400 AND 400) END"},
        {"stays", "events(stays, 5, -5)", "SELECT CASE WHEN r.admitted IS NOT NULL THEN 0 END"},
        {"stays", "nth(stays)", "SELECT count(*) " OTHERS("stays", "e.i <= r.i")},
        {"stays", "nth(method = '21')",
         "SELECT count(*) " OTHERS("stays", "e.i <= r.i AND e.method = '21'")},
        {"stays", "within_days(next(method = '21', left_on), 1, 300)",
         "SELECT CASE WHEN r.left_on IS NOT NULL THEN EXISTS (SELECT 1 " OTHERS(
             "stays", "e.method = '21' AND e.i <> r.i") " AND e.admitted - r.left_on BETWEEN 1 AND "
                                                        "300) END"},
        {"visits", "within_days(previous(stays.los > 1), 400)",
         "SELECT CASE WHEN r.arrived IS NOT NULL THEN EXISTS (SELECT 1 " OTHERS(
             "stays", "e.los > 1") " AND r.arrived - e.admitted BETWEEN 0 AND 400) END"},
        {"visits",
         "events(stays.los >= 0 AND within_days(next(visits.minutes > 60), 500))",
         "SELECT count(*) " OTHERS(
             "stays", "e.los >= 0 AND EXISTS (SELECT 1 FROM visits n WHERE n.p = e.p AND n.minutes > "
                      "60 AND n.arrived - e.admitted BETWEEN 0 AND 500)")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *beside = strcmp(cases[i].from, "stays") == 0 ? "method" : "minutes";
        check(cases[i].from, cases[i].value, cases[i].sql, beside, HD_ROUTE_KERNEL);
        check(cases[i].from, cases[i].value, cases[i].sql, beside, HD_ROUTE_DUCKDB);
    }
}

static int64_t count(const char *sql)
{
    hd_err err;
    hd_question *q;
    hd_cells *c;
    if (hd_engine_ask(engine, sql, &q, &err) != HD_OK ||
        hd_engine_run(engine, q, HD_ROUTE_BEST, &c, &err) != HD_OK)
        fail_msg("%s: %s", sql, err.text);
    int64_t n = hd_vector_at(&c->figures[0], 0).integer;
    hd_cells_free(c);
    hd_question_free(q);
    return n;
}

/* As an argument, in conditions, filters and keys, beside expressions that need DuckDB. */
static void it_acts_like_a_field(void **state)
{
    (void)state;
    int64_t n = count("SELECT count(*) FROM stays WHERE next(stays) <= 100");
    assert_true(n > 0);
    assert_int_equal(n, count("SELECT count(*) FILTER (WHERE next(stays) <= 100) FROM stays"));
    assert_int_equal(n, count("SELECT count(*) FROM stays WHERE within_days(next(stays), 100)"));
    assert_int_equal(n, count("SELECT count(*) FROM stays WHERE next(stays) - 100 <= 0 * age OR (age "
                              "IS NULL AND next(stays) <= 100)"));
    assert_int_equal(count("SELECT max(next(stays)) FROM stays WHERE next(stays) IN (1, 2, 3)"),
                     count("SELECT max(next(stays)) FROM stays WHERE next(stays) BETWEEN 1 AND 3"));
}

static void what_disclosure_is_told(void **state)
{
    (void)state;
    hd_err err;
    hd_question *q;
    OK(hd_engine_ask(engine, "SELECT next(sex = '1'), count(*) FROM stays GROUP BY 1", &q, &err));
    assert_false(q->is_subnational || q->keys[0].is_subnational);
    assert_int_equal(q->n_key_fields, 2); /* sex and the day */
    hd_question_free(q);
    OK(hd_engine_ask(engine, "SELECT sex, count(*) FILTER (WHERE within_days(next(place = 'x'), 1)), "
                             "avg(next(stays)) FROM stays GROUP BY 1", &q, &err));
    assert_true(q->is_subnational);
    assert_true(q->aggregates[1].is_own_expression);
    hd_question_free(q);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *why;
    } refused[] = {
        {"SELECT next(), count(*) FROM stays GROUP BY 1", "write next"},
        {"SELECT next(place = ward), count(*) FROM stays GROUP BY 1", "one field at a time"},
        {"SELECT next(person = 1), count(*) FROM stays GROUP BY 1", "person"},
        {"SELECT next(epikey = 1), count(*) FROM stays GROUP BY 1", "identifies"},
        {"SELECT next(stays, place), count(*) FROM stays GROUP BY 1", "dates"},
        {"SELECT next(stays, person), count(*) FROM stays GROUP BY 1", "person"},
        {"SELECT nth(visits), count(*) FROM stays GROUP BY 1", "nth counts records of the table"},
        {"SELECT within_days(los, 3), count(*) FROM stays GROUP BY 1", "within_days is for"},
        {"SELECT within_days(next(stays), los), count(*) FROM stays GROUP BY 1", "plain whole"},
        {"SELECT events(stays, 1), count(*) FROM stays GROUP BY 1", "write events"},
        {"SELECT next(visits.minutes > 1 AND los > 2), count(*) FROM stays GROUP BY 1", "no field"},
        {"SELECT next(next(next(next(next(next(stays) > 1) > 1) > 1) > 1) > 1), count(*) FROM stays "
         "GROUP BY 1", "4 deep"},
        {"SELECT next(stays) FROM stays", "would return records"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        hd_err err = {0};
        hd_question *q;
        hd_cells *c;
        hd_code rc = hd_engine_ask(engine, refused[i].sql, &q, &err);
        if (rc == HD_OK) {
            rc = hd_engine_run(engine, q, HD_ROUTE_BEST, &c, &err);
            hd_question_free(q);
        }
        assert_int_not_equal(rc, HD_OK);
        if (!strstr(err.text, refused[i].why))
            fail_msg("%s: %s", refused[i].sql, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_those_of_sql),
        cmocka_unit_test(it_acts_like_a_field),
        cmocka_unit_test(what_disclosure_is_told),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
