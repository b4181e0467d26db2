/* look.c - many texts of one column looked up in front of its memo, four at a time where the
 * processor has AVX2, else one by one; both give the same (tests/unit/test_landing.c).
 *
 * Four texts lie anywhere in the batch and stand anywhere in front, so each step is a gather: the
 * text, what stands in its place, the answer. Texts of up to eight bytes, which most are, need one
 * word of each. What is not in front is left to hd_memo_look_further, in the order of the texts.
 */
#include "landing/memo.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* One text; *stop when it is not in front and may make the memo forget those before it. */
static inline hd_code look_one(hd_memo *m, const char *text, hd_memo_span s, hd_memo_answers *a,
                               bool *stop, hd_err *err)
{
    const char *raw = text + s.at;
    const size_t len = hd_memo_span_len(s);
    const hd_memo_probe p = hd_memo_probe_of(raw, len);
    const size_t place = p.hash >> m->shift;
    const hd_memo_front *f = &m->front[place], *beside = &m->front[hd_memo_beside(place)];
    if (!hd_memo_is(f, &p) && hd_memo_is(beside, &p)) {
        f = beside;
    } else if (!hd_memo_is(f, &p)) {
        if ((*stop = a->n > 0 && m->n >= m->limit))
            return HD_OK;
        HD_TRY(hd_memo_look_further(m, raw, len, p, err));
    }
    const uint64_t word = hd_memo_answer(f);
    a->words[a->n] = word;
    a->ids[a->n++] = f->id;
    a->any |= word;
    a->meanings += UINT64_C(1) << 8 * HD_ANSWER_MEANING(word);
    return HD_OK;
}

hd_code hd_memo_look_each(hd_memo *m, const char *text, const hd_memo_span *spans, size_t n,
                          bool wants_ids, hd_memo_answers *a, hd_err *err)
{
    bool stop = false;
    (void)wants_ids;
    a->n = 0;
    a->any = a->meanings = 0;
    while (a->n < n && !stop)
        HD_TRY(look_one(m, text, spans[a->n], a, &stop, err));
    return HD_OK;
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,bmi,bmi2")))

AVX2 static inline __m256i gather(const void *base, __m256i at)
{
    return _mm256_i64gather_epi64((const long long *)base, at, 1);
}

AVX2 static inline __m256i all_of(uint64_t word)
{
    return _mm256_set1_epi64x((long long)word);
}

/* Which of four texts stand in these places? */
AVX2 static inline __m256i are_in(const hd_memo_front *front, __m256i slot, __m256i first,
                                  __m256i second, bool has_wide)
{
    __m256i same = _mm256_cmpeq_epi64(gather(&front->first, slot), first);
    if (has_wide)
        same = _mm256_and_si256(same, _mm256_cmpeq_epi64(gather(&front->second, slot), second));
    return same;
}

/* Are four texts in front? If so *found says where, in bytes. */
AVX2 static inline bool find_four(const hd_memo_front *front, __m128i shift, const char *text,
                                  __m256i spans, __m256i *found)
{
    const __m256i ones = all_of(UINT64_MAX), zero = _mm256_setzero_si256();
    __m256i at = _mm256_and_si256(spans, all_of(UINT32_MAX));
    __m256i len = _mm256_sub_epi64(_mm256_srli_epi64(spans, 32), _mm256_add_epi64(at, all_of(1)));
    __m256i bits = _mm256_slli_epi64(len, 3);
    /* what is cut off: not less than nothing, and 64 bits or more leave nothing */
    __m256i cut = _mm256_max_epi32(_mm256_sub_epi64(all_of(64), bits), zero);
    __m256i first = _mm256_and_si256(gather(text, at), _mm256_srlv_epi64(ones, cut));
    __m256i sum = _mm256_mullo_epi32(first, all_of(HD_MEMO_FACTORS_1)), second = zero;
    __m256i is_wide = _mm256_cmpgt_epi64(len, all_of(8));
    const bool has_wide = !_mm256_testz_si256(is_wide, is_wide);
    if (has_wide) {
        __m256i is_long = _mm256_cmpgt_epi64(len, all_of(HD_MEMO_SHORT));
        if (!_mm256_testz_si256(is_long, is_long))
            return false;
        cut = _mm256_sub_epi64(all_of(128), bits);
        second = _mm256_and_si256(gather(text + 8, at), _mm256_srlv_epi64(ones, cut));
        __m256i eighth = _mm256_and_si256(is_wide, all_of(HD_MEMO_EIGHTH));
        second = _mm256_or_si256(second, _mm256_and_si256(first, eighth));
        first = _mm256_or_si256(_mm256_andnot_si256(eighth, first),
                                _mm256_and_si256(is_wide, all_of(HD_MEMO_WIDE)));
        sum = _mm256_add_epi32(_mm256_mullo_epi32(first, all_of(HD_MEMO_FACTORS_1)),
                               _mm256_mullo_epi32(second, all_of(HD_MEMO_FACTORS_2)));
    }
    sum = _mm256_add_epi32(sum, _mm256_slli_epi64(sum, 32)); /* the hash is its upper half */
    __m256i slot = _mm256_slli_epi64(_mm256_srl_epi64(_mm256_srli_epi64(sum, 32), shift), 5);
    __m256i same = are_in(front, slot, first, second, has_wide);
    if (_mm256_movemask_epi8(same) != -1) {
        __m256i beside = _mm256_xor_si256(slot, all_of(sizeof *front));
        __m256i others = are_in(front, beside, first, second, has_wide);
        slot = _mm256_blendv_epi8(beside, slot, same);
        same = _mm256_or_si256(same, others);
    }
    *found = slot;
    return _mm256_movemask_epi8(same) == -1;
}
_Static_assert(sizeof(hd_memo_front) == 1 << 5, "slots are numbers times 32, and ^ 1 is ^ 32");

/* Three arguments say what does not change inside the loop. */
AVX2 static inline __attribute__((always_inline)) hd_code
look_avx2(hd_memo *m, const char *text, const hd_memo_span *spans, size_t n, bool wants_ids,
          hd_memo_answers *a, hd_err *err)
{
    const hd_memo_front *front = m->front;
    const __m128i shift = _mm_cvtsi32_si128((int)m->shift);
    __m256i any = _mm256_setzero_si256(), meanings = any, slot;
    bool stop = false;
    a->n = 0;
    a->any = a->meanings = 0;
    while (a->n + 4 <= n && !stop) {
        __m256i four = _mm256_loadu_si256((const __m256i *)(const void *)&spans[a->n]);
        if (!find_four(front, shift, text, four, &slot)) {
            for (size_t end = a->n + 4; a->n < end && !stop;)
                HD_TRY(look_one(m, text, spans[a->n], a, &stop, err));
            continue;
        }
        __m256i words = gather(&front->code, slot);
        _mm256_storeu_si256((__m256i *)(void *)&a->words[a->n], words);
        if (wants_ids) {
            const int *base = (const int *)(const void *)&front->id;
            _mm_storeu_si128((__m128i *)(void *)&a->ids[a->n],
                             _mm256_i64gather_epi32(base, slot, 1));
        }
        any = _mm256_or_si256(any, words);
        __m256i by = _mm256_and_si256(_mm256_srli_epi64(words, 32 - 3), all_of(255 << 3));
        meanings = _mm256_add_epi64(meanings, _mm256_sllv_epi64(all_of(1), by));
        a->n += 4;
    }
    while (a->n < n && !stop)
        HD_TRY(look_one(m, text, spans[a->n], a, &stop, err));
    uint64_t lanes[4];
    _mm256_storeu_si256((__m256i *)(void *)lanes, any);
    a->any |= lanes[0] | lanes[1] | lanes[2] | lanes[3];
    _mm256_storeu_si256((__m256i *)(void *)lanes, meanings);
    a->meanings += lanes[0] + lanes[1] + lanes[2] + lanes[3];
    return HD_OK;
}

AVX2 static hd_code look_with_ids(hd_memo *m, const char *text, const hd_memo_span *spans, size_t n,
                                  hd_memo_answers *a, hd_err *err)
{
    return look_avx2(m, text, spans, n, true, a, err);
}

AVX2 static hd_code look_without(hd_memo *m, const char *text, const hd_memo_span *spans, size_t n,
                                 hd_memo_answers *a, hd_err *err)
{
    return look_avx2(m, text, spans, n, false, a, err);
}
#endif

hd_code hd_memo_look_many(hd_memo *m, const char *text, const hd_memo_span *spans, size_t n,
                          bool wants_ids, hd_memo_answers *a, hd_err *err)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return (wants_ids ? look_with_ids : look_without)(m, text, spans, n, a, err);
#endif
    return hd_memo_look_each(m, text, spans, n, wants_ids, a, err);
}
