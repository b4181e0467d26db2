/* spread.c - runs back to items: eight at a time where the processor has AVX2, sixty-four of a byte
 * where it has AVX-512, else one.
 *
 * A byte of the bitmap says which of eight items begin a run. Each begun run takes the next value,
 * so item k has value (bits set among the first k + 1) - 1 from here, and -1 is the run that goes
 * on. A table of 256 rows turns the byte into that permutation.
 * Invariant: reads at most HD_SPREAD_PAD bytes before and behind the values, writes only items.
 */
#include "vault/internal.h"

#include <string.h>

static inline __attribute__((always_inline)) uint32_t count_bits(const uint8_t *bitmap, size_t len)
{
    uint32_t count = 0;
    uint64_t word;
    size_t i = 0;
    for (; i + sizeof word <= len; i += sizeof word) {
        memcpy(&word, bitmap + i, sizeof word);
        count += (uint32_t)__builtin_popcountll(word);
    }
    for (; i < len; i++)
        count += (uint32_t)__builtin_popcount(bitmap[i]);
    return count;
}

#define SPREAD(type)                                                                               \
    {                                                                                              \
        const type *from = values;                                                                 \
        type *to = out;                                                                            \
        for (uint32_t i = first; i < n; i++) {                                                     \
            begun += bitmap[i / 8] >> (i % 8) & 1;                                                 \
            to[i] = from[(int64_t)begun - 1];                                                      \
        }                                                                                          \
    }

/* Items from `first` on, when `begun` runs have begun before. */
static void spread_plain(const uint8_t *bitmap, const void *values, unsigned width, uint32_t first,
                         uint32_t begun, uint32_t n, void *out)
{
    if (width == 1)
        SPREAD(uint8_t)
    else if (width == 2)
        SPREAD(uint16_t)
    else
        SPREAD(uint32_t)
}

#if defined(__x86_64__)
#include <immintrin.h>
#include <pthread.h>

static uint8_t places[256][8]; /* 255: the run that goes on */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_places(void)
{
    for (unsigned byte = 0; byte < 256; byte++)
        for (unsigned k = 0; k < 8; k++)
            places[byte][k] = (uint8_t)(__builtin_popcount(byte & ((2u << k) - 1)) - 1);
}

#define AVX2 __attribute__((target("avx2,popcnt")))

/* The oldest processors cannot count bits, and a function does it for them. */
static AVX2 uint32_t count_bits_avx2(const uint8_t *bitmap, size_t len)
{
    return count_bits(bitmap, len);
}

uint32_t hd_count_bits(const uint8_t *bitmap, size_t len)
{
    return __builtin_cpu_supports("avx2") ? count_bits_avx2(bitmap, len) : count_bits(bitmap, len);
}

static AVX2 __m128i load_places(uint8_t byte)
{
    return _mm_loadl_epi64((const __m128i *)(const void *)places[byte]);
}

static AVX2 uint32_t spread_1(const uint8_t *bitmap, const uint8_t *from, uint32_t n, uint8_t *to)
{
    uint32_t begun = 0;
    for (uint32_t i = 0; i + 8 <= n; i += 8) { /* nine values: the one that goes on comes first */
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(from + begun - 1));
        __m128i at = _mm_add_epi8(load_places(bitmap[i / 8]), _mm_set1_epi8(1));
        _mm_storel_epi64((__m128i *)(void *)(to + i), _mm_shuffle_epi8(v, at));
        begun += (uint32_t)__builtin_popcount(bitmap[i / 8]);
    }
    return begun;
}

/* Sixty-four at a time: each byte of the word is added up by itself, and what begins in the bytes
 * before comes from the word as a number. Where no run begins with the first item, the values are
 * read from the run that goes on. */
__attribute__((target("avx512f,avx512bw,avx512vbmi,popcnt"))) static uint32_t
spread_1_wide(const uint8_t *bitmap, const uint8_t *from, uint32_t n, uint8_t *to)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const __m512i each = _mm512_set_epi64(
        (int64_t)(7 * ones), (int64_t)(6 * ones), (int64_t)(5 * ones), (int64_t)(4 * ones),
        (int64_t)(3 * ones), (int64_t)(2 * ones), (int64_t)ones, 0);
    uint32_t begun = 0;
    for (uint32_t i = 0; i + 64 <= n; i += 64) {
        uint64_t word;
        memcpy(&word, bitmap + i / 8, sizeof word);
        const uint64_t more = word & ~UINT64_C(1);
        uint64_t before = more - (more >> 1 & 0x55 * ones);
        before = (before & 0x33 * ones) + (before >> 2 & 0x33 * ones);
        before = ((before + (before >> 4)) & 0x0F * ones) * ones << 8;
        __m512i at = _mm512_maskz_set1_epi8(more, 1);
        at = _mm512_add_epi8(at, _mm512_slli_epi64(at, 8));
        at = _mm512_add_epi8(at, _mm512_slli_epi64(at, 16));
        at = _mm512_add_epi8(at, _mm512_slli_epi64(at, 32));
        at = _mm512_add_epi8(
            at, _mm512_permutexvar_epi8(each, _mm512_set1_epi64((int64_t)before)));
        __m512i v = _mm512_loadu_si512(from + begun + (word & 1) - 1);
        _mm512_storeu_si512(to + i, _mm512_permutexvar_epi8(at, v));
        begun += (uint32_t)__builtin_popcountll(word);
    }
    return begun;
}

static AVX2 uint32_t spread_2(const uint8_t *bitmap, const uint16_t *from, uint32_t n, uint16_t *to)
{
    const __m128i pair = _mm_set_epi16(0x0100, 0x0100, 0x0100, 0x0100, 0x0100, 0x0100, 0x0100,
                                       0x0100);
    uint32_t begun = 0;
    for (uint32_t i = 0; i + 8 <= n; i += 8) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(from + begun));
        __m128i before = _mm_set1_epi16((int16_t)from[(int64_t)begun - 1]);
        __m128i place = _mm_cvtepi8_epi16(load_places(bitmap[i / 8]));
        __m128i goes_on = _mm_cmpgt_epi16(_mm_setzero_si128(), place);
        __m128i bytes = _mm_add_epi16(_mm_mullo_epi16(place, _mm_set1_epi16(0x0202)), pair);
        __m128i got = _mm_shuffle_epi8(v, bytes);
        _mm_storeu_si128((__m128i *)(void *)(to + i), _mm_blendv_epi8(got, before, goes_on));
        begun += (uint32_t)__builtin_popcount(bitmap[i / 8]);
    }
    return begun;
}

static AVX2 uint32_t spread_4(const uint8_t *bitmap, const uint32_t *from, uint32_t n, uint32_t *to)
{
    uint32_t begun = 0;
    for (uint32_t i = 0; i + 8 <= n; i += 8) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(from + begun));
        __m256i before = _mm256_set1_epi32((int32_t)from[(int64_t)begun - 1]);
        __m256i place = _mm256_cvtepi8_epi32(load_places(bitmap[i / 8]));
        __m256i goes_on = _mm256_cmpgt_epi32(_mm256_setzero_si256(), place);
        __m256i got = _mm256_permutevar8x32_epi32(v, place);
        _mm256_storeu_si256((__m256i *)(void *)(to + i), _mm256_blendv_epi8(got, before, goes_on));
        begun += (uint32_t)__builtin_popcount(bitmap[i / 8]);
    }
    return begun;
}

void hd_spread_runs(const uint8_t *bitmap, const void *values, unsigned width, uint32_t n, void *out)
{
    uint32_t begun, step = 8;
    if (!__builtin_cpu_supports("avx2")) {
        spread_plain(bitmap, values, width, 0, 0, n, out);
        return;
    }
    pthread_once(&once, make_places);
    if (width == 1 && __builtin_cpu_supports("avx512vbmi")) {
        begun = spread_1_wide(bitmap, values, n, out);
        step = 64;
    } else if (width == 1)
        begun = spread_1(bitmap, values, n, out);
    else if (width == 2)
        begun = spread_2(bitmap, values, n, out);
    else
        begun = spread_4(bitmap, values, n, out);
    spread_plain(bitmap, values, width, n / step * step, begun, n, out);
}
#else
uint32_t hd_count_bits(const uint8_t *bitmap, size_t len)
{
    return count_bits(bitmap, len);
}

void hd_spread_runs(const uint8_t *bitmap, const void *values, unsigned width, uint32_t n, void *out)
{
    spread_plain(bitmap, values, width, 0, 0, n, out);
}
#endif
