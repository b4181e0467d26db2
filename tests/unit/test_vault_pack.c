/* test_vault_pack.c - rows are put in order; items in bits and runs come back; what is not packed
 * items is refused, whatever it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "vault/builder.h"

enum { MOST = 70000 };

static uint32_t item(const void *items, unsigned width, size_t i)
{
    uint32_t x = 0;
    memcpy(&x, (const uint8_t *)items + i * width, width);
    return x;
}

/* n items of a width between base and base + range, in runs of about `run`. */
static void make_items(hd_rng *g, uint8_t *items, unsigned width, uint32_t n, uint32_t base,
                       uint32_t range, uint32_t run)
{
    uint32_t x = base;
    for (uint32_t i = 0; i < n; i++) {
        if (i == 0 || hd_rng_below(g, run) == 0)
            x = base +
                (range == UINT32_MAX ? (uint32_t)hd_rng_next(g) : hd_rng_below(g, range + 1));
        memcpy(items + (size_t)i * width, &x, width);
    }
}

static void items_come_back(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1,   2,   7,   8,    9,    31,    32,  33,
                                     511, 512, 513, 1024, 1025, 65536, MOST};
    static const unsigned widths[] = {1, 2, 4};
    uint8_t *items = malloc(MOST * 4), *back = malloc(MOST * 4);
    uint8_t *values = malloc(MOST * 4 + 2 * HD_SPREAD_PAD);
    uint8_t *out = malloc(hd_pack_room(MOST, 4));
    unsigned seen[4] = {0};
    hd_unpacked different;
    assert_true(items && values && back && out);
    for (unsigned i = 0; i < 1200; i++) {
        hd_rng g = hd_rng_stream(21, i);
        unsigned width = widths[i % 3], bits = hd_rng_below(&g, width * 8 + 1);
        uint32_t n = sizes[hd_rng_below(&g, sizeof sizes / sizeof *sizes)], low, high;
        uint32_t range = bits == 32 ? UINT32_MAX : (UINT32_C(1) << bits) - 1;
        uint32_t top = width == 4 ? UINT32_MAX : (UINT32_C(1) << (8 * width)) - 1;
        uint32_t base = top == range ? 0 : hd_rng_below(&g, top - range);
        make_items(&g, items, width, n, base, range, 1 + hd_rng_below(&g, 8));
        hd_extremes(items, width, n, &low, &high);
        hd_encoding encoding = HD_ENCODING_RAW;
        size_t len = hd_pack_items(items, width, n, low, high, values, out, &encoding);
        assert_true(len < (size_t)n * width && len <= hd_pack_room(n, width));
        seen[len ? encoding : HD_ENCODING_RAW]++;
        if (len == 0)
            continue;
        memset(back, 0xA5, (size_t)n * width);
        assert_true(hd_unpack_items(encoding, out, len, values, back, width, n, low,
                                    &different));
        for (uint32_t k = 0; k < n; k++)
            assert_int_equal(item(back, width, k), item(items, width, k));
        uint32_t least, most;
        hd_extremes(different.items, width, different.n, &least, &most);
        assert_true(different.n <= n && least == low && most == high);
        assert_false(hd_unpack_items(encoding, out, len - 1, values, back, width, n, low,
                                    &different));
        assert_false(hd_unpack_items(encoding, out, 0, values, back, width, n, low,
                                    &different));
    }
    for (int e = 0; e < 4; e++)
        assert_true(e == HD_ENCODING_ZSTD || seen[e] > 20);
    free(items);
    free(values);
    free(back);
    free(out);
}

/* Items of four bytes come back as bytes, or not at all where one does not fit. */
static void small_items_come_back_as_bytes(void **state)
{
    (void)state;
    uint8_t *items = malloc(MOST * 4), *back = malloc(MOST);
    uint8_t *values = malloc(MOST * 4 + 2 * HD_SPREAD_PAD);
    uint8_t *out = malloc(hd_pack_room(MOST, 4));
    unsigned seen[4] = {0};
    assert_true(items && values && back && out);
    for (unsigned i = 0; i < 300; i++) {
        hd_rng g = hd_rng_stream(23, i);
        uint32_t n = 1 + hd_rng_below(&g, i % 2 ? 100 : MOST), low, high;
        uint32_t range = (1u << hd_rng_below(&g, 10)) - 1;
        make_items(&g, items, 4, n, 0, range, 1 + hd_rng_below(&g, 8));
        hd_extremes(items, 4, n, &low, &high);
        hd_encoding encoding;
        size_t len = hd_pack_items(items, 4, n, 0, high, values, out, &encoding);
        if (len == 0)
            continue;
        seen[encoding]++;
        memset(back, 0xA5, n);
        assert_int_equal(hd_unpack_bytes(encoding, out, len, values, back, n), high < 256);
        for (uint32_t k = 0; k < n && high < 256; k++)
            assert_int_equal(back[k], item(items, 4, k));
        assert_false(hd_unpack_bytes(encoding, out, len - 1, values, back, n));
        assert_false(hd_unpack_bytes(encoding, out, 0, values, back, n));
    }
    assert_true(seen[HD_ENCODING_PACKED] > 20 && seen[HD_ENCODING_RUNS] > 20);
    free(items);
    free(values);
    free(back);
    free(out);
}

/* Any bytes: no read or write past what was given (the sanitizer build tells). */
static void rubbish_is_harmless(void **state)
{
    (void)state;
    hd_unpacked different;
    unsigned accepted = 0;
    for (unsigned i = 0; i < 20000; i++) {
        hd_rng g = hd_rng_stream(22, i);
        unsigned width = 1u << hd_rng_below(&g, 3);
        uint32_t n = hd_rng_below(&g, 1500) + 1;
        size_t len = hd_rng_below(&g, 3000) + 1;
        uint8_t *in = malloc(len), *values = malloc((size_t)n * width + 2 * HD_SPREAD_PAD),
                *out = malloc((size_t)n * width);
        assert_true(in && values && out);
        for (size_t k = 0; k < len; k++)
            in[k] = (uint8_t)hd_rng_next(&g);
        in[0] = (uint8_t)hd_rng_below(&g, 40);
        uint32_t runs = hd_rng_below(&g, n + 2);
        if (len > 5 && i % 2)
            memcpy(in + 1, &runs, sizeof runs);
        accepted += hd_unpack_items(i % 2 ? HD_ENCODING_RUNS : HD_ENCODING_PACKED, in, len, values,
                                    out, width, n, 3, &different);
        if (width == 4)
            accepted += hd_unpack_bytes(i % 2 ? HD_ENCODING_RUNS : HD_ENCODING_PACKED, in, len,
                                        values, out, n);
        free(in);
        free(values);
        free(out);
    }
    assert_true(accepted < 2000);
}

/* ---- the order of rows ----------------------------------------------------------------------- */

/* Each row once, none before one that belongs in front of it. */
static void check_order(const uint32_t *persons, const int64_t *keys, const uint32_t *rows,
                        uint32_t n)
{
    uint8_t *seen = calloc(n, 1);
    assert_non_null(seen);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(rows[i] < n && !seen[rows[i]]);
        seen[rows[i]] = 1;
        if (i == 0)
            continue;
        uint32_t x = rows[i - 1], y = rows[i];
        assert_true(persons[x] <= persons[y]);
        if (persons[x] == persons[y])
            assert_true(keys[x] < keys[y] || (keys[x] == keys[y] && x < y));
    }
    free(seen);
}

/* Few persons and many, near together and far apart, one with most of the rows, nobody's rows. */
static void rows_are_put_in_order(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {1,      5,       2047,    2048,      2049,
                                       100000, 1 << 22, 1 << 23, UINT32_MAX};
    static uint32_t persons[MOST];
    static int64_t keys[MOST];
    hd_rng g = hd_rng_stream(21, 1);
    hd_err err;
    for (unsigned round = 0; round < 9 * 8; round++) {
        uint32_t n = round % 8 == 7 ? MOST : 2 + hd_rng_below(&g, 3000), *rows;
        for (uint32_t i = 0; i < n; i++) {
            persons[i] = hd_rng_below(&g, numbers[round / 8]) + (round % 2);
            if (round % 8 == 3 && hd_rng_below(&g, 3))
                persons[i] = persons[0];
            keys[i] = (int64_t)hd_rng_below(&g, 50) - 25;
        }
        assert_int_equal(hd_arrange(persons, keys, n, &rows, &err), HD_OK);
        if (rows)
            check_order(persons, keys, rows, n);
        for (uint32_t i = 1; i < n && !rows; i++)
            assert_true(persons[i - 1] < persons[i] ||
                        (persons[i - 1] == persons[i] && keys[i - 1] <= keys[i]));
        hd_secret_unmap(rows, n * sizeof *rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_put_in_order),
        cmocka_unit_test(items_come_back),
        cmocka_unit_test(small_items_come_back_as_bytes),
        cmocka_unit_test(rubbish_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
