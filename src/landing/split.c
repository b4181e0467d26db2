/* split.c - see split.h. 64 bytes become 64 bits that say where delimiters, line ends and quotes
 * are; the loop then goes from bit to bit. */
#include "landing/split.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

bool hd_has_odd_bytes(const char *p, size_t len)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    uint64_t found = 0;
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        found |= (w | ((w - ones) & ~w)) & highs;
    }
    for (; len; p++, len--)
        found |= *p == 0 || (*p & 0x80);
    return found != 0;
}

/* Bit i: byte i is one of the three. Every x86-64 processor has SSE2. */
#ifdef __SSE2__
static inline uint64_t find(const char *p, char a, char b, char c)
{
    const __m128i x = _mm_set1_epi8(a), y = _mm_set1_epi8(b), z = _mm_set1_epi8(c);
    uint64_t bits = 0;
    for (unsigned i = 0; i < 4; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
        __m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, x), _mm_cmpeq_epi8(v, y)),
                                   _mm_cmpeq_epi8(v, z));
        bits |= (uint64_t)(uint32_t)_mm_movemask_epi8(hit) << (16 * i);
    }
    return bits;
}
#else
static inline uint64_t find(const char *p, char a, char b, char c)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < 64; i++)
        bits |= (uint64_t)(p[i] == a || p[i] == b || p[i] == c) << i;
    return bits;
}
#endif

/* A row from `row` to the line end at `end`, whose last field begins at `start`. */
static bool is_plain(const hd_split *s, size_t row, size_t end, size_t last_len)
{
    return end - row <= HD_DELIVERY_FIELD_BYTES && (s->width > 1 || last_len > 0) &&
           (!s->is_odd || !hd_has_odd_bytes(s->text + row, end - row));
}

void hd_split_plain(hd_split *s)
{
    const char *text = s->text, delimiter = s->delimiter, quote = s->has_quotes ? '"' : '\n';
    const size_t last = s->width - 1;
    size_t row = s->at, start = row, n = 0;
    hd_span *to = s->fields + s->n_rows;
    for (size_t base = row; base < s->end; base += 64) {
        uint64_t bits = find(text + base, delimiter, '\n', quote);
        if (s->end - base < 64)
            bits &= (UINT64_C(1) << (s->end - base)) - 1;
        for (; bits; bits &= bits - 1) {
            size_t pos = base + (size_t)__builtin_ctzll(bits);
            if (text[pos] == delimiter) {
                if (n == last)
                    return;
                *to = (hd_span){(uint32_t)start, (uint32_t)(pos - start)};
                to += s->stride;
                n++;
                start = pos + 1;
                continue;
            }
            size_t len = pos - start;
            len -= len && text[pos - 1] == '\r';
            if (text[pos] != '\n' || n != last || !is_plain(s, row, pos, len))
                return;
            *to = (hd_span){(uint32_t)start, (uint32_t)len};
            s->lines[s->n_rows++] = s->line++;
            s->at = row = start = pos + 1;
            if (s->n_rows == s->max_rows)
                return;
            n = 0;
            to = s->fields + s->n_rows;
        }
    }
}
