/* look.c - many texts of one column looked up in front of its memo: eight at a time where the
 * processor has AVX-512, four where it has AVX2, else one by one; all give the same
 * (tests/unit/test_memo.c).
 *
 * The words of the texts lie beside each other (lay.h); where they stand in front does not, so what
 * stands there and the answer are gathered. Texts of up to eight bytes, which most are, need one
 * word of each. What is not in front is left to hd_memo_look_further, in the order of the texts.
 */
#include "landing/memo.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Text i; *stop when it is not in front and may make the memo forget those before it. */
static hd_code look_one(hd_memo *m, const hd_memo_texts *x, size_t i, hd_memo_answers *a,
                        bool *stop, hd_err *err)
{
    hd_memo_probe p = {x->first[i], x->second ? x->second[i] : 0, 0};
    p.hash = hd_memo_hash(p.first, p.second);
    const size_t place = p.hash >> m->shift;
    const hd_memo_front *f = &m->front[place], *beside = &m->front[hd_memo_beside(place)];
    if (!hd_memo_is(f, &p) && hd_memo_is(beside, &p)) {
        f = beside;
    } else if (!hd_memo_is(f, &p)) {
        if ((*stop = a->n > 0 && m->n >= m->limit))
            return HD_OK;
        const uint32_t *at = hd_memo_place(x, i);
        HD_TRY(hd_memo_look_further(m, x->text + at[0], at[1] - at[0] - 1, p, err));
    }
    const uint64_t word = hd_memo_answer(f);
    a->words[a->n] = word;
    a->ids[a->n++] = f->id;
    a->any |= word;
    a->meanings += UINT64_C(1) << 8 * HD_ANSWER_MEANING(word);
    return HD_OK;
}

static hd_code look_each(hd_memo *m, const hd_memo_texts *x, size_t n, hd_memo_answers *a,
                         hd_err *err)
{
    bool stop = false;
    a->n = 0;
    a->any = a->meanings = 0;
    while (a->n < n && !stop)
        HD_TRY(look_one(m, x, a->n, a, &stop, err));
    return HD_OK;
}

#if defined(__x86_64__)
_Static_assert(sizeof(hd_memo_front) == 1 << 5, "slots are numbers times 32, and ^ 1 is ^ 32");

/* A form of hd_memo_look_many for vectors of so many lanes. What is different between them: what
 * stands in front in the places of the texts (all of them: true, and *found says where, in bytes),
 * and what is done with the answers. */
#define FORM(name, target_, vector, LANES, load, store, set1, gather, or, add, srli, sllv, and,    \
              find, keep_ids)                                                                  \
    target_ static inline __attribute__((always_inline)) hd_code name(                             \
        hd_memo *m, const hd_memo_texts *x, size_t n, bool is_wide, bool wants_ids,                \
        hd_memo_answers *a, hd_err *err)                                                           \
    {                                                                                              \
        const hd_memo_front *front = m->front;                                                     \
        vector any = set1(0), meanings = any, slot;                                                \
        bool stop = false;                                                                         \
        a->n = 0;                                                                                  \
        a->any = a->meanings = 0;                                                                  \
        while (a->n + LANES <= n && !stop) {                                                       \
            if (!find(front, m->shift, load(x->first + a->n),                                      \
                      is_wide ? load(x->second + a->n) : set1(0), is_wide, &slot)) {               \
                for (size_t end = a->n + LANES; a->n < end && !stop;)                              \
                    HD_TRY(look_one(m, x, a->n, a, &stop, err));                                   \
                continue;                                                                          \
            }                                                                                      \
            vector words = gather(&front->code, slot);                                             \
            store(&a->words[a->n], words);                                                         \
            if (wants_ids)                                                                         \
                keep_ids(&a->ids[a->n], front, slot);                                              \
            any = or(any, words);                                                                  \
            vector by = and(srli(words, 32 - 3), set1(255 << 3));                                  \
            meanings = add(meanings, sllv(set1(1), by));                                           \
            a->n += LANES;                                                                         \
        }                                                                                          \
        while (a->n < n && !stop)                                                                  \
            HD_TRY(look_one(m, x, a->n, a, &stop, err));                                           \
        uint64_t lanes[2][LANES];                                                                  \
        store(lanes[0], any);                                                                      \
        store(lanes[1], meanings);                                                                 \
        for (size_t i = 0; i < LANES; i++) {                                                       \
            a->any |= lanes[0][i];                                                                 \
            a->meanings += lanes[1][i];                                                            \
        }                                                                                          \
        return HD_OK;                                                                              \
    }                                                                                              \
    /* What does not change inside the loop is said outside it. */                                 \
    target_ static hd_code name##_any(hd_memo *m, const hd_memo_texts *x, size_t n,                \
                                      bool wants_ids, hd_memo_answers *a, hd_err *err)             \
    {                                                                                              \
        if (x->second)                                                                             \
            return wants_ids ? name(m, x, n, true, true, a, err)                                   \
                             : name(m, x, n, true, false, a, err);                                 \
        return wants_ids ? name(m, x, n, false, true, a, err)                                      \
                         : name(m, x, n, false, false, a, err);                                    \
    }

#define AVX2 __attribute__((target("avx2,bmi,bmi2")))

AVX2 static inline __m256i load_4(const uint64_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

AVX2 static inline void store_4(uint64_t *p, __m256i v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

AVX2 static inline __m256i gather_4(const void *base, __m256i at)
{
    return _mm256_i64gather_epi64((const long long *)base, at, 1);
}

AVX2 static inline void keep_ids_4(uint32_t *ids, const hd_memo_front *front, __m256i slot)
{
    const int *base = (const int *)(const void *)&front->id;
    _mm_storeu_si128((__m128i *)(void *)ids, _mm256_i64gather_epi32(base, slot, 1));
}

AVX2 static inline __m256i are_in(const hd_memo_front *front, __m256i slot, __m256i first,
                                  __m256i second, bool is_wide)
{
    __m256i same = _mm256_cmpeq_epi64(gather_4(&front->first, slot), first);
    if (is_wide)
        same = _mm256_and_si256(same, _mm256_cmpeq_epi64(gather_4(&front->second, slot), second));
    return same;
}

AVX2 static inline bool find_4(const hd_memo_front *front, unsigned shift, __m256i first,
                               __m256i second, bool is_wide, __m256i *found)
{
    __m256i sum = _mm256_mullo_epi32(first, _mm256_set1_epi64x((long long)HD_MEMO_FACTORS_1));
    if (is_wide)
        sum = _mm256_add_epi32(
            sum, _mm256_mullo_epi32(second, _mm256_set1_epi64x((long long)HD_MEMO_FACTORS_2)));
    sum = _mm256_add_epi32(sum, _mm256_slli_epi64(sum, 32)); /* the hash is its upper half */
    __m256i slot = _mm256_srl_epi64(_mm256_srli_epi64(sum, 32), _mm_cvtsi32_si128((int)shift));
    slot = _mm256_slli_epi64(slot, 5);
    __m256i same = are_in(front, slot, first, second, is_wide);
    if (_mm256_movemask_epi8(same) != -1) {
        __m256i beside = _mm256_xor_si256(slot, _mm256_set1_epi64x(sizeof *front));
        __m256i others = are_in(front, beside, first, second, is_wide);
        slot = _mm256_blendv_epi8(beside, slot, same);
        same = _mm256_or_si256(same, others);
    }
    *found = slot;
    return _mm256_movemask_epi8(same) == -1;
}

FORM(look_4, AVX2, __m256i, 4, load_4, store_4, _mm256_set1_epi64x, gather_4, _mm256_or_si256,
     _mm256_add_epi64, _mm256_srli_epi64, _mm256_sllv_epi64, _mm256_and_si256, find_4, keep_ids_4)

#define AVX512 __attribute__((target("avx2,bmi,bmi2,avx512f,avx512bw,avx512vl")))

AVX512 static inline __m512i gather_8(const void *base, __m512i at)
{
    return _mm512_i64gather_epi64(at, base, 1);
}

AVX512 static inline void keep_ids_8(uint32_t *ids, const hd_memo_front *front, __m512i slot)
{
    _mm256_storeu_si256((__m256i *)(void *)ids, _mm512_i64gather_epi32(slot, &front->id, 1));
}

AVX512 static inline __mmask8 which_are_in(const hd_memo_front *front, __m512i slot, __m512i first,
                                           __m512i second, bool is_wide)
{
    __mmask8 same = _mm512_cmpeq_epi64_mask(gather_8(&front->first, slot), first);
    if (is_wide)
        same &= _mm512_cmpeq_epi64_mask(gather_8(&front->second, slot), second);
    return same;
}

AVX512 static inline bool find_8(const hd_memo_front *front, unsigned shift, __m512i first,
                                 __m512i second, bool is_wide, __m512i *found)
{
    __m512i sum = _mm512_mullo_epi32(first, _mm512_set1_epi64((long long)HD_MEMO_FACTORS_1));
    if (is_wide)
        sum = _mm512_add_epi32(
            sum, _mm512_mullo_epi32(second, _mm512_set1_epi64((long long)HD_MEMO_FACTORS_2)));
    sum = _mm512_add_epi32(sum, _mm512_slli_epi64(sum, 32)); /* the hash is its upper half */
    __m512i slot = _mm512_srl_epi64(_mm512_srli_epi64(sum, 32), _mm_cvtsi32_si128((int)shift));
    slot = _mm512_slli_epi64(slot, 5);
    __mmask8 same = which_are_in(front, slot, first, second, is_wide);
    if (same != UINT8_MAX) {
        __m512i beside = _mm512_xor_si512(slot, _mm512_set1_epi64(sizeof *front));
        __mmask8 others = which_are_in(front, beside, first, second, is_wide);
        slot = _mm512_mask_mov_epi64(beside, same, slot);
        same |= others;
    }
    *found = slot;
    return same == UINT8_MAX;
}

FORM(look_8, AVX512, __m512i, 8, _mm512_loadu_si512, _mm512_storeu_si512, _mm512_set1_epi64,
     gather_8, _mm512_or_si512, _mm512_add_epi64, _mm512_srli_epi64, _mm512_sllv_epi64,
     _mm512_and_si512, find_8, keep_ids_8)
#endif

hd_code hd_memo_look_with(hd_memo *m, const hd_memo_texts *x, size_t n, bool wants_ids,
                          hd_memo_answers *a, hd_memo_form best, hd_err *err)
{
#if defined(__x86_64__)
    if (best >= HD_MEMO_AVX512 && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        return look_8_any(m, x, n, wants_ids, a, err);
    if (best >= HD_MEMO_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return look_4_any(m, x, n, wants_ids, a, err);
#endif
    (void)best;
    return look_each(m, x, n, a, err);
}

hd_code hd_memo_look_many(hd_memo *m, const hd_memo_texts *x, size_t n, bool wants_ids,
                          hd_memo_answers *a, hd_err *err)
{
    return hd_memo_look_with(m, x, n, wants_ids, a, HD_MEMO_AVX512, err);
}
