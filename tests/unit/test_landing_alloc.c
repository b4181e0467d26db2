/* test_landing_alloc.c - each allocation of an intake fails once: the failure is said as one,
 * nothing leaks (the sanitizer build tells), and the next run is whole. The landing sources are
 * compiled once more with the allocations of this file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

/* The real ones, under their own names: this file is compiled with the names redefined. */
#undef hd_malloc
#undef hd_calloc
#undef hd_realloc_n
#undef hd_strdup
#undef hd_strndup
#undef hd_grow_
#include "base/alloc.h"

void *limited_malloc(size_t size);
void *limited_calloc(size_t n, size_t size);
void *limited_realloc_n(void *p, size_t n, size_t size);
char *limited_strdup(const char *s);
char *limited_strndup(const char *s, size_t len);
bool limited_grow(void **array, size_t *cap, size_t item);

#include "landing/intake.h"
#include "landing/optout.h"
#include "landing/report.h"

static long left = -1; /* allocations until one fails; negative: none fails */

/* Several threads may allocate. */
static bool fails(void)
{
    long n = __atomic_load_n(&left, __ATOMIC_RELAXED);
    while (n >= 0 && !__atomic_compare_exchange_n(&left, &n, n - 1, true, __ATOMIC_RELAXED,
                                                  __ATOMIC_RELAXED))
        ;
    return n == 0;
}

void *limited_malloc(size_t size)
{
    return fails() ? NULL : hd_malloc(size);
}

void *limited_calloc(size_t n, size_t size)
{
    return fails() ? NULL : hd_calloc(n, size);
}

void *limited_realloc_n(void *p, size_t n, size_t size)
{
    return fails() ? NULL : hd_realloc_n(p, n, size);
}

char *limited_strdup(const char *s)
{
    return fails() ? NULL : hd_strdup(s);
}

char *limited_strndup(const char *s, size_t len)
{
    return fails() ? NULL : hd_strndup(s, len);
}

bool limited_grow(void **array, size_t *cap, size_t item)
{
    return fails() ? false : hd_grow_(array, cap, item);
}

static const char text[] =
    "PARTYEAR,EPIKEY,TOKEN_PERSON_ID,ADMIMETH,EPIEND,PROCODE3,DIAG_01,DIAG_02,SURNAME,NOTE\n"
    "201499,1,A,21,2014-05-06,RX1,I10X,\"E11\"\"9\",x,y\n"
    "201499,2,B,zz,2014-05-07,RX2,,E119,x,z\n"
    "201499,3,C,21,2014-05-07,RX2,,E119\n"
    "201499,2,B,22,1800-01-01,RX2,,,x,z\n";

static hd_code run(const hd_catalogue *c, const char *path, const char *outs, hd_err *err)
{
    hd_code rc;
    hd_intake *in = NULL;
    hd_intern *ids = NULL;
    hd_intake_options options = {.is_check = true, .allowed = {.rows = 1}};
    hd_buf b;
    hd_buf_init(&b, 1 << 20);
    HD_GO(hd_opt_outs_read(&ids, outs, err));
    options.opt_outs = ids;
    HD_GO(hd_intake_new(&in, c, hd_catalogue_table(c, "apc"), &options, NULL, err));
    HD_GO(hd_intake_file(in, path, err));
    hd_intake_finish(in);
    HD_GO(hd_intake_verdict(in, err));
    hd_quality_text(&b, hd_intake_quality(in), true);
    hd_quality_csv(&b, hd_intake_quality(in));
    hd_quality_html(&b, hd_intake_quality(in));
    HD_GO(hd_buf_check(&b, err));
    const hd_quality *q = hd_intake_quality(in);
    HD_ALWAYS(q->rows_read == 4 && q->rows_kept == 2 && q->rows_rejected == 1);
    HD_ALWAYS(q->rows_opted_out == 1);
out:
    hd_buf_free(&b);
    hd_intake_free(in);
    hd_intern_free(ids);
    return rc;
}

static void write_temporary(char *path, const char *bytes)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
    close(fd);
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    hd_err err = {0};
    hd_catalogue *c;
    char path[] = "/tmp/hdis_alloc_XXXXXX", outs[] = "/tmp/hdis_outs_XXXXXX";
    write_temporary(path, text);
    write_temporary(outs, "id\nA1\nA\n");
    assert_int_equal(hd_catalogue_open(&c, hd_catalogue_default_folder(), NULL, &err), HD_OK);
    long tried = 0;
    for (long n = 0;; n += n < 60 ? 1 : 29) {
        left = n;
        hd_code rc = run(c, path, outs, &err);
        bool failed = left < 0;
        left = -1;
        if (!failed) {
            assert_int_equal(rc, HD_OK);
            break;
        }
        assert_int_equal(rc, HD_NOMEM);
        assert_non_null(strstr(err.text, "memory"));
        tried++;
    }
    assert_true(tried > 60);
    assert_int_equal(run(c, path, outs, &err), HD_OK);
    hd_catalogue_close(c);
    unlink(path);
    unlink(outs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
