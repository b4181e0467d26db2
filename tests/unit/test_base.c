/* test_base.c - dates, buffers, interning, small CSV, tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/csv.h"
#include "base/date.h"
#include "base/intern.h"
#include "base/io.h"
#include "base/par.h"
#include "base/rng.h"

static void dates_round_trip(void **state)
{
    (void)state;
    for (int32_t d = hd_date_from_ymd(1582, 10, 15); d < hd_date_from_ymd(2101, 1, 1); d++) {
        char text[11];
        hd_date_format(d, text);
        assert_int_equal(hd_date_parse(text, 10), d);
    }
    assert_int_equal(hd_date_from_ymd(1970, 1, 1), 0);
    assert_int_equal(hd_date_weekday(0), 3); /* a Thursday */
    assert_int_equal(hd_date_weekday(hd_date_from_ymd(2016, 2, 29)), 0);
}

static void dates_refuse_what_is_none(void **state)
{
    (void)state;
    const char *bad[] = {"2015-02-29", "2015-13-01", "2015-1-01", "20150229", "01/13/2015",
                         "2015-01-01x", "", "15/01", "abcdefghij"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(hd_date_parse(bad[i], strlen(bad[i])), HD_DATE_NONE);
    assert_int_equal(hd_date_parse("29/02/2016", 10), hd_date_from_ymd(2016, 2, 29));
    assert_int_equal(hd_date_parse("1802-01-01 00:00:00", 19), hd_date_from_ymd(1802, 1, 1));
    assert_int_equal(hd_date_parse("18010101", 8), hd_date_from_ymd(1801, 1, 1));
}

static void interning_numbers_by_first_sight(void **state)
{
    (void)state;
    hd_intern *t = hd_intern_new();
    assert_non_null(t);
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 50000; i++) {
            uint32_t id;
            assert_int_equal(hd_intern_add(t, &i, sizeof i, &id, NULL), HD_OK);
            assert_int_equal(id, i);
        }
    uint32_t id;
    assert_int_equal(hd_intern_add(t, "", 0, &id, NULL), HD_OK);
    assert_int_equal(id, 50000);
    assert_int_equal(hd_intern_find(t, "none", 4), HD_INTERN_NONE);
    hd_intern_free(t);
}

static void csv_reads_quotes_and_line_ends(void **state)
{
    (void)state;
    hd_err err;
    hd_csv t;
    const char *text = "\xEF\xBB\xBF" "a,b\r\n1,\"x, \"\"y\"\"\"\r\n\r\n2,\n";
    assert_int_equal(hd_csv_parse(&t, text, strlen(text), "t", &err), HD_OK);
    assert_int_equal(t.n_rows, 2);
    assert_string_equal(hd_csv_cell(&t, 0, 1), "x, \"y\"");
    assert_string_equal(hd_csv_cell(&t, 1, hd_csv_column(&t, "B")), "");
    hd_csv_free(&t);
    const char *bad[] = {"", "a,b\n1\n", "a,A\n", "a\n\"x", "a\n\"x\"y\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(hd_csv_parse(&t, bad[i], strlen(bad[i]), "t", &err), HD_FORMAT);
}

static hd_code add_task(void *ctx, size_t task, hd_err *err)
{
    ((uint64_t *)ctx)[task] += task;
    return task == 70 ? hd_fail(err, HD_LIMIT, "task 70") : HD_OK;
}

static void tasks_run_once_and_first_failure_counts(void **state)
{
    (void)state;
    uint64_t seen[100] = {0};
    hd_err err;
    assert_int_equal(hd_par_run(60, add_task, seen, &err), HD_OK);
    for (size_t i = 0; i < 60; i++)
        assert_int_equal(seen[i], i);
    assert_int_equal(hd_par_run(100, add_task, seen, &err), HD_LIMIT);
    assert_string_equal(err.text, "task 70");
}

static void buffers_stop_at_their_ceiling(void **state)
{
    (void)state;
    hd_buf b;
    hd_buf_init(&b, 10);
    hd_buf_printf(&b, "%d", 12345);
    assert_string_equal(b.data, "12345");
    hd_buf_str(&b, "678901");
    assert_false(hd_buf_ok(&b));
    assert_null(hd_buf_take(&b));
    hd_buf_free(&b);
}

static void files_respect_what_is_there(void **state)
{
    (void)state;
    char folder[] = "/tmp/hdis_io_XXXXXX", file[64], pipe[64], link[64];
    struct stat st;
    hd_err err;
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/file", folder);
    snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(symlink(file, link), 0);
    assert_int_equal(hd_io_write_file(file, "new", 3, 0600, &err), HD_OK);
    /* closed to others, it stays closed; what is written never opens more than is asked */
    assert_int_equal(hd_io_write_file(file, "newer", 5, 0644, &err), HD_OK);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 5);
    assert_int_equal(hd_io_write_file(pipe, "x", 1, 0644, &err), HD_INVALID);
    assert_int_equal(hd_io_write_file(link, "x", 1, 0644, &err), HD_INVALID);
    assert_int_equal(lstat(pipe, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(unlink(file) | unlink(pipe) | unlink(link), 0);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left behind */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_round_trip),
        cmocka_unit_test(dates_refuse_what_is_none),
        cmocka_unit_test(interning_numbers_by_first_sight),
        cmocka_unit_test(csv_reads_quotes_and_line_ends),
        cmocka_unit_test(tasks_run_once_and_first_failure_counts),
        cmocka_unit_test(buffers_stop_at_their_ceiling),
        cmocka_unit_test(files_respect_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
