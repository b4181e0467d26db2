/* lay.c - see lay.h. Eight texts at a time where the processor has AVX-512, four where it has AVX2,
 * else one by one; all forms give the same (tests/unit/test_memo.c). */
#include "landing/lay.h"
#include "landing/memo.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static bool lay_each(const char *text, const uint32_t *places, size_t pitch, size_t n,
                     uint64_t *first, uint64_t *second)
{
    bool any_wide = false;
    for (size_t i = 0; i < n; i++, places += pitch) {
        const size_t len = places[1] - places[0] - 1;
        const hd_memo_probe p = hd_memo_probe_of(text + places[0], len);
        first[i] = p.first;
        if (second)
            second[i] = p.second;
        any_wide |= len > 8;
    }
    return any_wide;
}

#if defined(__x86_64__)
#define AVX2   __attribute__((target("avx2,bmi,bmi2")))
#define AVX512 __attribute__((target("avx2,bmi,bmi2,avx512f,avx512bw,avx512vl")))

/* A place and the next are read as one number: where the text begins in its lower half. */
AVX2 static bool lay_avx2(const char *text, const uint32_t *places, size_t pitch, size_t n,
                          uint64_t *first, uint64_t *second)
{
    enum { LANES = 4 };
    const long long step = (long long)(pitch * sizeof *places);
    const __m256i rows = _mm256_set_epi64x(3 * step, 2 * step, step, 0);
    const __m256i ones = _mm256_set1_epi64x(-1), low = _mm256_set1_epi64x(UINT32_MAX);
    const __m256i eighth = _mm256_set1_epi64x((long long)HD_MEMO_EIGHTH);
    bool any_wide = false;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES, places += LANES * pitch) {
        __m256i span =
            _mm256_i64gather_epi64((const long long *)(const void *)places, rows, 1);
        __m256i at = _mm256_and_si256(span, low);
        __m256i len = _mm256_sub_epi64(_mm256_srli_epi64(span, 32),
                                       _mm256_sub_epi64(at, ones));
        __m256i bits = _mm256_slli_epi64(len, 3);
        __m256i is_wide = _mm256_cmpgt_epi64(len, _mm256_set1_epi64x(8));
        if (!_mm256_testz_si256(is_wide, is_wide)) {
            any_wide = true;
            __m256i is_long = _mm256_cmpgt_epi64(len, _mm256_set1_epi64x(HD_MEMO_SHORT));
            if (!second || !_mm256_testz_si256(is_long, is_long)) {
                lay_each(text, places, pitch, LANES, first + i, second ? second + i : NULL);
                continue;
            }
        }
        /* what is cut off: not less than nothing, and 64 bits or more leave nothing */
        __m256i cut = _mm256_sub_epi64(_mm256_set1_epi64x(64), bits);
        cut = _mm256_andnot_si256(is_wide, cut);
        __m256i a = _mm256_i64gather_epi64((const long long *)(const void *)text, at, 1);
        a = _mm256_and_si256(a, _mm256_srlv_epi64(ones, cut));
        if (second) {
            __m256i b = _mm256_i64gather_epi64((const long long *)(const void *)(text + 8), at, 1);
            cut = _mm256_sub_epi64(_mm256_set1_epi64x(128), bits);
            b = _mm256_and_si256(b, _mm256_srlv_epi64(ones, cut));
            __m256i moved = _mm256_and_si256(is_wide, eighth);
            b = _mm256_or_si256(b, _mm256_and_si256(a, moved));
            a = _mm256_or_si256(
                _mm256_andnot_si256(moved, a),
                _mm256_and_si256(is_wide, _mm256_set1_epi64x((long long)HD_MEMO_WIDE)));
            _mm256_storeu_si256((__m256i *)(void *)(second + i), b);
        }
        _mm256_storeu_si256((__m256i *)(void *)(first + i), a);
    }
    _mm256_zeroupper(); /* gcc 12 leaves it out here, and SSE instructions would be slow */
    return any_wide | lay_each(text, places, pitch, n - i, first + i, second ? second + i : NULL);
}

AVX512 static bool lay_avx512(const char *text, const uint32_t *places, size_t pitch, size_t n,
                              uint64_t *first, uint64_t *second)
{
    enum { LANES = 8 };
    const __m512i lane = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i rows = _mm512_mullo_epi32(lane, _mm512_set1_epi64((int)(pitch * sizeof *places)));
    const __m512i ones = _mm512_set1_epi64(-1), low = _mm512_set1_epi64(UINT32_MAX);
    const __m512i eighth = _mm512_set1_epi64((long long)HD_MEMO_EIGHTH);
    bool any_wide = false;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES, places += LANES * pitch) {
        __m512i span = _mm512_i64gather_epi64(rows, places, 1);
        __m512i at = _mm512_and_si512(span, low);
        __m512i len = _mm512_sub_epi64(_mm512_srli_epi64(span, 32), _mm512_sub_epi64(at, ones));
        __m512i bits = _mm512_slli_epi64(len, 3);
        const __mmask8 is_wide = _mm512_cmpgt_epi64_mask(len, _mm512_set1_epi64(8));
        if (is_wide) {
            any_wide = true;
            if (!second || _mm512_cmpgt_epi64_mask(len, _mm512_set1_epi64(HD_MEMO_SHORT))) {
                lay_each(text, places, pitch, LANES, first + i, second ? second + i : NULL);
                continue;
            }
        }
        /* what is cut off: 64 bits or more leave nothing */
        __m512i cut = _mm512_maskz_sub_epi64((__mmask8)~is_wide, _mm512_set1_epi64(64), bits);
        __m512i a = _mm512_i64gather_epi64(at, text, 1);
        a = _mm512_and_si512(a, _mm512_srlv_epi64(ones, cut));
        if (second && !is_wide)
            _mm512_storeu_si512(second + i, _mm512_setzero_si512());
        if (is_wide) {
            __m512i b = _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), is_wide, at, text + 8,
                                                    1);
            cut = _mm512_sub_epi64(_mm512_set1_epi64(128), bits);
            b = _mm512_and_si512(b, _mm512_srlv_epi64(ones, cut));
            b = _mm512_or_si512(b, _mm512_maskz_and_epi64(is_wide, a, eighth));
            a = _mm512_mask_andnot_epi64(a, is_wide, eighth, a);
            a = _mm512_mask_or_epi64(a, is_wide, a, _mm512_set1_epi64((long long)HD_MEMO_WIDE));
            _mm512_storeu_si512(second + i, b);
        }
        _mm512_storeu_si512(first + i, a);
    }
    _mm256_zeroupper(); /* gcc 12 leaves it out here, and SSE instructions would be slow */
    return any_wide | lay_each(text, places, pitch, n - i, first + i, second ? second + i : NULL);
}
#endif

bool hd_lay_out_with(const char *text, const uint32_t *places, size_t pitch, size_t n,
                     uint64_t *first, uint64_t *second, hd_lay_form best)
{
#if defined(__x86_64__)
    if (best >= HD_LAY_AVX512 && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        return lay_avx512(text, places, pitch, n, first, second);
    if (best >= HD_LAY_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return lay_avx2(text, places, pitch, n, first, second);
#endif
    (void)best;
    return lay_each(text, places, pitch, n, first, second);
}

bool hd_lay_out(const char *text, const uint32_t *places, size_t pitch, size_t n, uint64_t *first,
                uint64_t *second)
{
    return hd_lay_out_with(text, places, pitch, n, first, second, HD_LAY_AVX512);
}
