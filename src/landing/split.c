/* split.c - see split.h. 64 bytes become 64 bits that say where delimiters, line ends and quotes
 * are; the places of those bits are then written together. There are forms for AVX-512 and AVX2 and
 * one for all processors; they give the same (tests/unit/test_landing.c). */
#include "landing/split.h"

#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

bool hd_has_odd_bytes(const char *p, size_t len)
{
    uint8_t found = 0; /* the high bit of a byte, or of the byte less one */
    for (size_t i = 0; i < len; i++)
        found |= (uint8_t)p[i] | (uint8_t)(p[i] - 1);
    return found & 0x80;
}

/* Bit i of `delimiters`: byte i is a; of the result: it is one of the other two. Every x86-64
 * processor has SSE2, most have AVX2, many AVX-512. */
#ifdef __SSE2__
#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define FIND(name, vector, lanes, set, load, same, either, mask)                                   \
    static inline uint64_t name(const char *p, char a, char b, char c, uint64_t *delimiters)       \
    {                                                                                              \
        const vector x = set(a), y = set(b), z = set(c);                                           \
        uint64_t bits = 0, others = 0;                                                             \
        for (unsigned i = 0; i < 64; i += lanes) {                                                 \
            vector v = load((const vector *)(const void *)(p + i));                                \
            bits |= (uint64_t)(uint32_t)mask(same(v, x)) << i;                                     \
            others |= (uint64_t)(uint32_t)mask(either(same(v, y), same(v, z))) << i;               \
        }                                                                                          \
        *delimiters = bits;                                                                        \
        return others;                                                                             \
    }
FIND(find, __m128i, 16, _mm_set1_epi8, _mm_loadu_si128, _mm_cmpeq_epi8, _mm_or_si128,
     _mm_movemask_epi8)
AVX2 FIND(find_avx2, __m256i, 32, _mm256_set1_epi8, _mm256_loadu_si256, _mm256_cmpeq_epi8,
     _mm256_or_si256, _mm256_movemask_epi8)

#define AVX512                                                                                     \
    __attribute__((target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi2")))
AVX512 static inline uint64_t find_avx512(const char *p, char a, char b, char c,
                                          uint64_t *delimiters)
{
    const __m512i v = _mm512_loadu_si512(p);
    *delimiters = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(a));
    return _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(b)) |
           _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(c));
}

/* As put_places, sixteen at a time: the bytes that say where in the block are pushed together. */
AVX512 static inline uint32_t *put_places_avx512(uint32_t *to, uint32_t base, uint64_t bits)
{
    enum { AT_ONCE = 16 };
    static const uint8_t behind[64] = {
        1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
        23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44,
        45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64};
    const unsigned n = (unsigned)__builtin_popcountll(bits);
    const __m512i from = _mm512_set1_epi32((int)base);
    __m512i found = _mm512_maskz_compress_epi8(bits, _mm512_loadu_si512(behind));
    for (unsigned done = 0; done < n; done += AT_ONCE) {
        __m512i some = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(found));
        _mm512_storeu_si512(to + done, _mm512_add_epi32(some, from));
        found = _mm512_alignr_epi64(_mm512_setzero_si512(), found, 2);
    }
    return to + n;
}
#else
static inline uint64_t find(const char *p, char a, char b, char c, uint64_t *delimiters)
{
    uint64_t bits = 0, others = 0;
    for (unsigned i = 0; i < 64; i++) {
        bits |= (uint64_t)(p[i] == a) << i;
        others |= (uint64_t)(p[i] == b || p[i] == c) << i;
    }
    *delimiters = bits;
    return others;
}
#endif

/* A row from `row` to the line end at `end`, whose last field begins at `start`. */
static bool is_plain(const hd_split *s, size_t row, size_t end, size_t last_len)
{
    return end - row <= HD_DELIVERY_FIELD_BYTES && (s->width > 1 || last_len > 0) &&
           (!s->is_odd || !hd_has_odd_bytes(s->text + row, end - row));
}

typedef uint64_t finder(const char *p, char a, char b, char c, uint64_t *delimiters);

/* Where the fields behind these delimiters begin. Eight places are written at a time, whatever they
 * are: how many there are changes from block to block, and a loop over them would be guessed
 * wrongly each time. What is written in vain is written again, or lies in the slack. */
static inline __attribute__((always_inline)) uint32_t *put_places(uint32_t *to, uint32_t base,
                                                                  uint64_t bits)
{
    unsigned n = (unsigned)__builtin_popcountll(bits);
    for (unsigned done = 0; done < n; done += 8)
        for (unsigned k = 0; k < 8; k++, bits &= bits - 1)
            to[done + k] = base + (uint32_t)__builtin_ctzll(bits | UINT64_C(1) << 63) + 1;
    return to + n;
}

typedef uint32_t *putter(uint32_t *to, uint32_t base, uint64_t bits);

/* Both functions are known where this is called from, and become part of it. */
static inline __attribute__((always_inline)) void split(hd_split *s, finder *find_signs,
                                                        putter *put)
{
    const char *text = s->text, delimiter = s->delimiter, quote = s->has_quotes ? '"' : '\n';
    const size_t pitch = s->width + 1;
    uint32_t *row = s->places + s->n_rows * pitch, *to = row; /* row[0]: where it begins */
    *to++ = (uint32_t)s->at;
    for (size_t base = s->at; base < s->end; base += 64) {
        uint64_t bits, others = find_signs(text + base, delimiter, '\n', quote, &bits);
        if (s->end - base < 64) {
            bits &= (UINT64_C(1) << (s->end - base)) - 1;
            others &= (UINT64_C(1) << (s->end - base)) - 1;
        }
        for (; others; others &= others - 1) {
            uint64_t before = (others & -others) - 1;
            size_t pos = base + (size_t)__builtin_ctzll(others);
            to = put(to, (uint32_t)base, bits & before);
            bits &= ~before;
            if (text[pos] != '\n' || to != row + s->width)
                return;
            size_t end = pos - (pos > to[-1] && text[pos - 1] == '\r');
            if (!is_plain(s, row[0], pos, end - to[-1]))
                return;
            *to++ = (uint32_t)end + 1;
            s->lines[s->n_rows++] = s->line++;
            s->at = pos + 1;
            if (s->n_rows == s->max_rows)
                return;
            row = to;
            *to++ = (uint32_t)s->at;
        }
        to = put(to, (uint32_t)base, bits);
        if (to > row + s->width)
            return;
    }
}

#ifdef __SSE2__
AVX2 static void split_avx2(hd_split *s)
{
    split(s, find_avx2, put_places);
}

AVX512 static void split_avx512(hd_split *s)
{
    split(s, find_avx512, put_places_avx512);
}
#endif

void hd_split_with(hd_split *s, hd_split_form best)
{
#ifdef __SSE2__
    if (best >= HD_SPLIT_AVX512 && __builtin_cpu_supports("avx512vbmi2") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        split_avx512(s);
        return;
    }
    if (best >= HD_SPLIT_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) {
        split_avx2(s);
        return;
    }
#endif
    (void)best;
    split(s, find, put_places);
}

void hd_split_plain(hd_split *s)
{
    hd_split_with(s, HD_SPLIT_AVX512);
}
