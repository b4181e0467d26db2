/* test_stat_number.c - numbers of `hdis stat` as text: what is printed reads back, in as few digits
 * as can be, over the whole range; what is read is what strtod reads, on the short way and the
 * long one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cli/stat.h"
#include "cli/stat_digits.h"

static size_t digits_of(const char *text)
{
    size_t n = 0, zeros = 0;
    for (const char *p = text; *p && *p != 'e'; p++) {
        if (*p < '0' || *p > '9' || (n == 0 && *p == '0'))
            continue;
        zeros = *p == '0' ? zeros + 1 : 0;
        n++;
    }
    return n - zeros;
}

static void printed_numbers_read_back(void **state)
{
    (void)state;
    hd_rng r = hd_rng_stream(4, 1);
    for (int i = 0; i < 200000; i++) {
        double v, back;
        char text[32], shorter[40];
        uint64_t bits = hd_rng_next(&r);
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        if (i % 4 == 0)
            v = (double)(hd_rng_below(&r, 100000)) / 1000;
        hd_stat_print(v, text);
        assert_true(hd_stat_parse(text, &back) && back == v);
        size_t n = digits_of(text);
        if (n < 2)
            continue;
        snprintf(shorter, sizeof shorter, "%.*e", (int)n - 2, v);
        assert_true(strtod(shorter, NULL) != v);
    }
}

static void read_numbers_are_those_of_strtod(void **state)
{
    (void)state;
    static const char letters[] = "0123456789.-+e, x";
    hd_rng r = hd_rng_stream(4, 2);
    size_t shorts = 0;
    for (int i = 0; i < 2000000; i++) {
        char text[32], *end;
        size_t n = hd_rng_below(&r, 11);
        memset(text, (int)hd_rng_below(&r, 256), sizeof text);
        for (size_t k = 0; k < n; k++)
            text[k] = hd_rng_below(&r, 4) ? (char)('0' + hd_rng_below(&r, 10))
                                          : letters[hd_rng_below(&r, sizeof letters)];
        text[n] = '\0';
        double v, want = strtod(text, &end);
        bool plain = *text && strspn(text, "0123456789.-+e") == strlen(text) && *end == '\0' &&
                     isfinite(want);
        if (hd_stat_short(text, &v)) {
            shorts++;
            assert_true(plain && v == want);
        }
        assert_int_equal(hd_stat_parse(text, &v), plain);
        assert_true(!plain || v == want);
    }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    assert_true(shorts > 100000);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printed_numbers_read_back),
        cmocka_unit_test(read_numbers_are_those_of_strtod),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
