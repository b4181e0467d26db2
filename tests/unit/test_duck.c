/* test_duck.c - the DuckDB border: typed results, parse and unparse, tables, views over codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/date.h"
#include "duck/duck.h"

static hd_duck *open_duck(void)
{
    hd_duck *d = NULL;
    hd_err err = {0};
    assert_int_equal(hd_duck_open(&d, &err), HD_OK);
    return d;
}

static void results_are_typed(void **state)
{
    (void)state;
    hd_duck *d = open_duck();
    hd_duck_result *r;
    hd_err err = {0};
    assert_int_equal(hd_duck_query(d,
                                   "SELECT 1::TINYINT, 2.5, 'x', DATE '2015-02-28', true, NULL, "
                                   "sum(3), date_trunc('month', DATE '2015-02-28'), 0.0/0.0",
                                   &r, &err),
                     HD_OK);
    assert_int_equal(hd_duck_value(r, 0, 0).integer, 1);
    assert_true(hd_duck_value(r, 0, 1).decimal == 2.5);
    assert_memory_equal(hd_duck_value(r, 0, 2).text.bytes, "x", 1);
    assert_int_equal(hd_duck_value(r, 0, 3).integer, hd_date_from_ymd(2015, 2, 28));
    assert_int_equal(hd_duck_column_type(r, 4), HD_BOOLEAN);
    assert_true(hd_duck_value(r, 0, 5).is_null);
    assert_int_equal(hd_duck_value(r, 0, 6).integer, 3);
    assert_int_equal(hd_duck_column_type(r, 7), HD_DATE);
    assert_int_equal(hd_duck_value(r, 0, 7).integer, hd_date_from_ymd(2015, 2, 1));
    assert_true(hd_duck_value(r, 0, 8).is_null);
    hd_duck_result_free(r);
    hd_duck_close(d);
}

static void failures_do_not_quote_values(void **state)
{
    (void)state;
    hd_duck *d = open_duck();
    hd_duck_result *r;
    hd_err err = {0};
    assert_int_equal(hd_duck_run(d, "CREATE TABLE t AS SELECT 'SECRET' || i AS x FROM range(9) g(i)",
                                 &err),
                     HD_OK);
    assert_int_equal(hd_duck_query(d, "SELECT x::INTEGER FROM t", &r, &err), HD_INVALID);
    assert_null(strstr(err.text, "SECRET"));
    assert_int_equal(hd_duck_query(d, "SELECT nothing FROM t", &r, &err), HD_INVALID);
    assert_non_null(strstr(err.text, "nothing"));
    hd_duck_close(d);
}

static void files_are_out_of_reach(void **state)
{
    (void)state;
    hd_duck *d = open_duck();
    hd_duck_result *r;
    hd_err err = {0};
    const char *bad[] = {"SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM '/etc/passwd'",
                         "COPY (SELECT 1) TO '/tmp/hdis-must-not-exist'", "INSTALL httpfs",
                         "SET enable_external_access = true", "ATTACH '/tmp/hdis-none.db'"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_not_equal(hd_duck_query(d, bad[i], &r, &err), HD_OK);
    hd_duck_close(d);
}

static void sql_parses_and_unparses(void **state)
{
    (void)state;
    hd_duck *d = open_duck();
    hd_err err = {0};
    char *json, *sql;
    assert_int_equal(hd_duck_parse(d, "SELECT a, 'it''s' FROM t", &json, &err), HD_OK);
    assert_int_equal(hd_duck_unparse(d, json, &sql, &err), HD_OK);
    assert_string_equal(sql, "SELECT a, 'it''s' FROM t");
    hd_free(json);
    hd_free(sql);
    assert_int_equal(hd_duck_parse(d, "SELEC a", &json, &err), HD_INVALID);
    assert_int_equal(hd_duck_parse(d, "DROP TABLE t", &json, &err), HD_INVALID);
    hd_duck_close(d);
}

static void views_read_codes_in_place(void **state)
{
    (void)state;
    hd_duck *d = open_duck();
    hd_duck_result *r;
    hd_err err = {0};
    enum { ROWS = 10000 };
    static uint8_t text[ROWS], flags[ROWS];
    static uint16_t number[ROWS];
    static uint64_t keys[ROWS];
    for (int i = 0; i < ROWS; i++) {
        text[i] = (uint8_t)(i % 3);
        number[i] = (uint16_t)(i % 4);
        flags[i] = i % 2 == 0;
        keys[i] = (uint64_t)(i % 5);
    }
    const uint64_t ends[] = {0, 2, 5};
    const int64_t integers[] = {0, -7, 5, 1000};
    const hd_duck_codes columns[] = {
        {.name = "t", .type = HD_TEXT, .data = text, .width = 1, .n_codes = 3, .bytes = "ababc",
         .ends = ends},
        {.name = "n", .type = HD_INTEGER, .data = number, .width = 2, .n_codes = 4,
         .integers = integers},
        {.name = "f", .type = HD_BOOLEAN, .data = flags, .width = 1},
        {.name = "k", .type = HD_INTEGER, .data = keys, .width = 8},
    };
    for (int round = 0; round < 2; round++) {
        assert_int_equal(hd_duck_make_view(d, "v", columns, 4, ROWS, &err), HD_OK);
        assert_int_equal(
            hd_duck_query(d,
                          "SELECT count(*) FILTER (t IS NULL), count(*) FILTER (t = 'abc'), "
                          "count(*) FILTER (t = 'none'), sum(n), count(n), count(*) FILTER (f), "
                          "count(k), count(DISTINCT k), min(t) FROM v",
                          &r, &err),
            HD_OK);
        const int64_t want[] = {3334, 3333, 0, 2500 * 998, 7500, 5000, 8000, 4};
        for (size_t i = 0; i < 8; i++)
            assert_int_equal(hd_duck_value(r, 0, i).integer, want[i]);
        assert_memory_equal(hd_duck_value(r, 0, 8).text.bytes, "ab", 2);
        hd_duck_result_free(r);
    }
    hd_duck_close(d);
}

static void what_is_not_parquet_is_refused(void **state)
{
    (void)state;
    hd_err err = {0};
    hd_parquet *p;
    char path[] = "/tmp/hdis-parquet-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "PAR1 but not really", 19) == 19);
    close(fd);
    assert_int_equal(hd_parquet_open(&p, path, &err), HD_FORMAT);
    unlink(path);
    assert_int_equal(hd_parquet_open(&p, "/tmp/a*.parquet", &err), HD_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_typed),
        cmocka_unit_test(failures_do_not_quote_values),
        cmocka_unit_test(files_are_out_of_reach),
        cmocka_unit_test(sql_parses_and_unparses),
        cmocka_unit_test(views_read_codes_in_place),
        cmocka_unit_test(what_is_not_parquet_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
