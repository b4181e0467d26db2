/* test_memo.c - texts are laid out as what a probe says, and a memo tells them apart and answers
 * the same in every form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "landing/delivery.h"
#include "landing/lay.h"
#include "landing/memo.h"

static hd_err err;

/* Judges a text by its length and all its bytes. */
static hd_code judge_sum(void *ctx, const char *raw, size_t len, hd_known *out, hd_err *e)
{
    uint64_t *judged = ctx;
    (void)e;
    ++*judged;
    out->number = (int64_t)len;
    for (size_t i = 0; i < len; i++)
        out->code = out->code * 31 + (unsigned char)raw[i];
    return HD_OK;
}

static void look(hd_memo *m, const char *text, size_t len)
{
    hd_known want = {0};
    uint64_t judged;
    hd_memo_answers a;
    const uint32_t places[2] = {0, (uint32_t)len + 1};
    uint64_t first, second;
    hd_lay_out(text, places, 2, 1, &first, &second);
    const hd_memo_texts x = {&first, &second, text, places, 2, NULL};
    assert_int_equal(judge_sum(&judged, text, len, &want, &err), HD_OK);
    hd_memo_note(m, 1);
    assert_int_equal(hd_memo_look_many(m, &x, 1, true, &a, &err), HD_OK);
    assert_int_equal(a.n, 1);
    assert_int_equal(HD_ANSWER_CODE(a.words[0]), want.code);
    assert_int_equal(m->known[a.ids[0]].number, len);
}

/* More different texts than a memo keeps: it forgets, and every answer is right. */
static void test_memo_is_bounded(void **state)
{
    (void)state;
    uint64_t judged = 0;
    hd_memo m;
    assert_int_equal(hd_memo_init(&m, judge_sum, &judged, &err), HD_OK);
    assert_int_equal(hd_memo_begin(&m, &err), HD_OK);
    for (unsigned i = 0; i < 400000; i++) {
        char text[64] = {0};
        int len = snprintf(text, sizeof text, "%u", i);
        look(&m, text, (size_t)len);
        assert_true(m.n <= 128 * 1024);
    }
    assert_true(m.limit < 128 * 1024);
    assert_int_equal(hd_memo_empty(&m, &err), HD_OK);
    hd_memo_free(&m);
}

/* Texts that differ in one byte anywhere, or only in length, are told apart, at every length. */
static void test_memo_tells_texts_apart(void **state)
{
    (void)state;
    uint64_t judged = 0;
    hd_memo m;
    assert_int_equal(hd_memo_init(&m, judge_sum, &judged, &err), HD_OK);
    assert_int_equal(hd_memo_begin(&m, &err), HD_OK);
    for (unsigned round = 0; round < 3; round++)
        for (size_t len = 0; len <= 40; len++)
            for (size_t at = 0; at <= len; at++) {
                char text[80];
                memset(text, 'a', sizeof text);
                text[at] = 'b'; /* at == len: behind the end, which must not matter */
                look(&m, text, len);
            }
    assert_int_equal(judged, 41 + 40 * 41 / 2); /* each different text once */
    hd_memo_free(&m);
}

/* Meaning and flaws of a text by its first byte, besides. */
static hd_code judge_kind(void *ctx, const char *raw, size_t len, hd_known *out, hd_err *e)
{
    assert_int_equal(judge_sum(ctx, raw, len, out, e), HD_OK);
    out->meaning = len ? (unsigned char)raw[0] % 5 : HD_MEANING_MISSING;
    out->flags = len ? 0 : HD_KNOWN_NULL;
    out->shape = (uint8_t)len;
    return HD_OK;
}

enum { MANY_TEXTS = 3000, TEXT_BYTES = 48 };

/* Random texts of a few lengths and letters, so that many are the same or begin the same. */
static size_t make_texts(hd_rng *r, char *text, uint32_t *places, unsigned letters, size_t longest)
{
    size_t at = 0, n = 0;
    for (; n < MANY_TEXTS; n++) {
        size_t len = hd_rng_below(r, 8) ? hd_rng_below(r, 10) : hd_rng_below(r, TEXT_BYTES - 1);
        len = len < longest ? len : longest;
        places[n] = (uint32_t)at;
        for (size_t i = 0; i < len; i++)
            text[at++] = (char)('a' + hd_rng_below(r, letters));
        text[at++] = '|';
    }
    places[n] = (uint32_t)at;
    return n;
}

/* Words of texts are what a probe says, in every form, from every text on, at every pitch. */
static void test_laying_out(void **state)
{
    (void)state;
    static char text[MANY_TEXTS * TEXT_BYTES + HD_SLICE_SLACK];
    static uint32_t places[MANY_TEXTS + 1];
    uint64_t first[100], second[100];
    hd_rng r = hd_rng_stream(6, 0);
    for (unsigned round = 0; round < 6000; round++) {
        const size_t longest = (size_t[]){8, 9, 15, 16, 47}[round % 5];
        if (round % 100 < 5)
            make_texts(&r, text, places, 20, longest);
        const size_t pitch = 1 + hd_rng_below(&r, 20), n = hd_rng_below(&r, 100);
        const uint32_t *from = places + hd_rng_below(&r, MANY_TEXTS - 2000);
        const hd_lay_form form = (hd_lay_form)(round % 3);
        bool any_wide = false, has_second = hd_rng_below(&r, 2);
        bool said = hd_lay_out_with(text, from, pitch, n, first, has_second ? second : NULL, form);
        for (size_t i = 0; i < n; i++) {
            const uint32_t *at = from + i * pitch;
            const hd_memo_probe p = hd_memo_probe_of(text + at[0], at[1] - at[0] - 1);
            assert_int_equal(first[i], p.first);
            assert_true(!has_second || second[i] == p.second);
            any_wide |= at[1] - at[0] - 1 > 8;
        }
        assert_int_equal(said, any_wide);
    }
}

static void compare_answers(hd_memo *many, hd_memo *each, const char *text, const uint32_t *places,
                            size_t n, hd_memo_form form)
{
    hd_memo_answers a, b;
    uint64_t any = 0, meanings = 0, first[HD_MEMO_MANY], second[HD_MEMO_MANY];
    bool is_wide = hd_lay_out(text, places, 1, n, first, second);
    const hd_memo_texts x = {first, is_wide ? second : NULL, text, places, 1, NULL};
    assert_int_equal(hd_memo_begin(many, &err), HD_OK);
    assert_int_equal(hd_memo_begin(each, &err), HD_OK);
    hd_memo_note(many, n);
    hd_memo_note(each, n);
    assert_int_equal(hd_memo_look_with(many, &x, n, true, &a, form, &err), HD_OK);
    assert_in_range(a.n, n ? 1 : 0, n);
    for (size_t i = 0; i < a.n; i++) {
        const hd_memo_texts one = {first + i, second + i, text, places + i, 1, NULL};
        assert_int_equal(hd_memo_look_with(each, &one, 1, true, &b, HD_MEMO_EACH, &err), HD_OK);
        assert_int_equal(a.words[i], b.words[0]);
        assert_int_equal(many->known[a.ids[i]].number, places[i + 1] - places[i] - 1);
        any |= b.any;
        meanings += b.meanings;
    }
    assert_int_equal(a.any, any);
    assert_int_equal(a.meanings, meanings);
    if (a.n < n)
        compare_answers(many, each, text, places + a.n, n - a.n, form);
}

/* Many at a time is the same as one by one, in every form, in fronts of all sizes and when a memo
 * is full. */
static void test_memo_many(void **state)
{
    (void)state;
    static char text[MANY_TEXTS * TEXT_BYTES + HD_SLICE_SLACK];
    static uint32_t places[MANY_TEXTS + 1];
    uint64_t judged[2] = {0};
    hd_rng r = hd_rng_stream(5, 0);
    for (unsigned letters = 1; letters < 20; letters += 3) {
        hd_memo many, each;
        assert_int_equal(hd_memo_init(&many, judge_kind, &judged[0], &err), HD_OK);
        assert_int_equal(hd_memo_init(&each, judge_kind, &judged[1], &err), HD_OK);
        many.limit = each.limit = letters % 2 ? 50 : 100000;
        for (unsigned round = 0; round < 6; round++) {
            size_t n = make_texts(&r, text, places, letters, round % 2 ? TEXT_BYTES : 8), group;
            for (size_t i = 0; i < n; i += group) {
                group = hd_rng_below(&r, HD_MEMO_MANY + 1);
                group = group < n - i ? group : n - i;
                compare_answers(&many, &each, text, places + i, group, (hd_memo_form)(round / 2));
            }
        }
        hd_memo_free(&many);
        hd_memo_free(&each);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memo_is_bounded),
        cmocka_unit_test(test_memo_tells_texts_apart),
        cmocka_unit_test(test_laying_out),
        cmocka_unit_test(test_memo_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
