/* pack.c - the items of a block in as many bits as they need, or as runs of equal items.
 *
 * Packed: the number of bits, then groups. A group is 32 lanes side by side, of 16 bits (items of 1
 * and 2 bytes) or 32 bits (4 bytes); item i of a group stands in lane i % 32 at bit (i / 32) * bits
 * of that lane. So 32 items are shifted alike, which the compiler turns into vectors. The last
 * group is filled up with zeros. Items are stored as the difference to a base that the directory
 * knows.
 *
 * Runs: the number of bits, the number of runs (4 bytes), a bit an item that says whether a run
 * begins there, then the runs' values, packed as above. Rows of one person stand together, so
 * columns that do not change within a person shrink to a third or less.
 */
#include "vault/internal.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { LANES = 32, RUNS_HEAD = 5 };

static unsigned lane_bits(unsigned width)
{
    return width == 4 ? 32 : 16;
}

static size_t groups_len(uint32_t n, unsigned bits, unsigned width)
{
    size_t group = (size_t)LANES * lane_bits(width);
    return (n + group - 1) / group * group * bits / 8;
}

/* No part unpacks to more than 2^16 times its length (format.c), so that a damaged directory cannot
 * ask for much memory. */
static size_t at_least(size_t len, size_t plain_len)
{
    return len > plain_len / 65536 + 1 ? len : plain_len / 65536 + 1;
}

static inline uint32_t item_at(const void *items, unsigned width, size_t i)
{
    return width == 1   ? ((const uint8_t *)items)[i]
           : width == 2 ? ((const uint16_t *)items)[i]
                        : ((const uint32_t *)items)[i];
}

/* Thirty-two bytes of lanes: one instruction with AVX2, two on every x86-64 processor. */
typedef uint16_t vector_16 __attribute__((vector_size(32)));
typedef uint32_t vector_32 __attribute__((vector_size(32)));

/* One group each way; `words` has bits * LANES lanes. */
#define GROUP_FUNCTIONS(name, lane, BITS)                                                          \
    enum { VECTORS_##name = LANES * sizeof(lane) / sizeof(vector_##name) };                        \
    static void pack_##name(const vector_##name *items, unsigned bits, vector_##name *words)       \
    {                                                                                              \
        memset(words, 0, (size_t)bits *LANES * sizeof(lane));                                      \
        for (unsigned j = 0; j < BITS && bits; j++) {                                              \
            unsigned at = j * bits, shift = at % BITS;                                             \
            const vector_##name *in = items + j * VECTORS_##name;                                  \
            vector_##name *to = words + at / BITS * VECTORS_##name;                                \
            for (unsigned v = 0; v < VECTORS_##name; v++)                                          \
                to[v] |= in[v] << (lane)shift;                                                     \
            for (unsigned v = 0; shift + bits > BITS && v < VECTORS_##name; v++)                   \
                to[VECTORS_##name + v] |= in[v] >> (lane)(BITS - shift);                           \
        }                                                                                          \
    }                                                                                              \
    static inline __attribute__((always_inline)) void unpack_##name(                               \
        const vector_##name *words, unsigned bits, lane base, vector_##name *items)                \
    {                                                                                              \
        const lane mask = (lane)(bits == BITS ? ~(lane)0 : (lane)(((lane)1 << bits) - 1));         \
        for (unsigned j = 0; j < BITS; j++) {                                                      \
            unsigned at = j * bits, shift = at % BITS;                                             \
            const vector_##name *in = words + at / BITS * VECTORS_##name;                          \
            vector_##name *to = items + j * VECTORS_##name;                                        \
            if (shift + bits > BITS)                                                               \
                for (unsigned v = 0; v < VECTORS_##name; v++)                                      \
                    to[v] =                                                                        \
                        ((in[v] >> (lane)shift | in[VECTORS_##name + v] << (lane)(BITS - shift)) & \
                         mask) +                                                                   \
                        base;                                                                      \
            else                                                                                   \
                for (unsigned v = 0; v < VECTORS_##name; v++)                                      \
                    to[v] = ((in[v] >> (lane)shift) & mask) + base;                                \
        }                                                                                          \
    }
GROUP_FUNCTIONS(16, uint16_t, 16)
GROUP_FUNCTIONS(32, uint32_t, 32)

static void pack_all(const void *items, unsigned width, uint32_t n, uint32_t base, unsigned bits,
                     uint8_t *out)
{
    vector_16 items16[16 * VECTORS_16], words16[16 * VECTORS_16];
    vector_32 items32[32 * VECTORS_32], words32[32 * VECTORS_32];
    uint16_t *in16 = (uint16_t *)items16;
    uint32_t *in32 = (uint32_t *)items32;
    uint32_t group = LANES * lane_bits(width);
    for (uint32_t first = 0; first < n; first += group) {
        uint32_t have = n - first < group ? n - first : group;
        size_t len = (size_t)group * bits / 8;
        if (width == 4) {
            memset(items32, 0, sizeof items32);
            for (uint32_t i = 0; i < have; i++)
                in32[i] = item_at(items, 4, first + i) - base;
            pack_32(items32, bits, words32);
            memcpy(out, words32, len);
        } else {
            memset(items16, 0, sizeof items16);
            for (uint32_t i = 0; i < have; i++)
                in16[i] = (uint16_t)(item_at(items, width, first + i) - base);
            pack_16(items16, bits, words16);
            memcpy(out, words16, len);
        }
        out += len;
    }
}

/* Items of `to` bytes in memory: as many as their width, or one that holds all their bits. */
static inline __attribute__((always_inline)) void unpack_any(const uint8_t *in, unsigned bits,
                                                             void *out, unsigned width, unsigned to,
                                                             uint32_t n, uint32_t base)
{
    vector_16 items16[16 * VECTORS_16], words16[16 * VECTORS_16] = {0};
    vector_32 items32[32 * VECTORS_32], words32[32 * VECTORS_32] = {0};
    const uint16_t *out16 = (const uint16_t *)items16;
    const uint32_t *out32 = (const uint32_t *)items32;
    uint32_t group = LANES * lane_bits(width);
    uint8_t *at = out;
    for (uint32_t first = 0; first < n; first += group) {
        uint32_t have = n - first < group ? n - first : group;
        size_t len = (size_t)group * bits / 8;
        if (width == 4) {
            memcpy(words32, in, len);
            unpack_32(words32, bits, base, items32);
            for (uint32_t i = 0; i < have && to == 1; i++)
                at[i] = (uint8_t)out32[i];
            if (to == 4)
                memcpy(at, items32, (size_t)have * 4);
        } else {
            memcpy(words16, in, len);
            unpack_16(words16, bits, (uint16_t)base, items16);
            for (uint32_t i = 0; i < have && to == 1; i++)
                at[i] = (uint8_t)out16[i];
            if (to == 2)
                memcpy(at, items16, (size_t)have * 2);
        }
        in += len;
        at += (size_t)have * to;
    }
}

static void unpack_plain(const uint8_t *in, unsigned bits, void *out, unsigned width, unsigned to,
                         uint32_t n, uint32_t base)
{
    unpack_any(in, bits, out, width, to, n, base);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void unpack_avx2(const uint8_t *in, unsigned bits, void *out,
                                                        unsigned width, unsigned to, uint32_t n,
                                                        uint32_t base)
{
    unpack_any(in, bits, out, width, to, n, base);
}

static void unpack_all(const uint8_t *in, unsigned bits, void *out, unsigned width, unsigned to,
                       uint32_t n, uint32_t base)
{
    (__builtin_cpu_supports("avx2") ? unpack_avx2 : unpack_plain)(in, bits, out, width, to, n,
                                                                  base);
}
#else
#define unpack_all unpack_plain
#endif

/* ---- runs ----------------------------------------------------------------------------------- */

/* Where runs of equal items begin, as bits: 16 items at a time by vectors, then one by one. */
#ifdef __SSE2__
static inline __m128i same(const void *items, unsigned width, size_t i)
{
    const char *p = (const char *)items + i * width;
    __m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p - width));
    return width == 1   ? _mm_cmpeq_epi8(a, b)
           : width == 2 ? _mm_cmpeq_epi16(a, b)
                        : _mm_cmpeq_epi32(a, b);
}

/* Bit k: item i + k is not that before it. */
static inline unsigned begins_16(const void *items, unsigned width, size_t i)
{
    __m128i all = same(items, width, i);
    if (width == 2)
        all = _mm_packs_epi16(all, same(items, 2, i + 8));
    else if (width == 4)
        all = _mm_packs_epi16(_mm_packs_epi32(all, same(items, 4, i + 4)),
                              _mm_packs_epi32(same(items, 4, i + 8), same(items, 4, i + 12)));
    return ~(unsigned)_mm_movemask_epi8(all) & 0xFFFF;
}
#else
static inline unsigned begins_16(const void *items, unsigned width, size_t i)
{
    unsigned bits = 0;
    for (unsigned k = 0; k < 16; k++)
        bits |= (unsigned)(item_at(items, width, i + k) != item_at(items, width, i + k - 1)) << k;
    return bits;
}
#endif

static inline __attribute__((always_inline)) void mark_some(const void *items, unsigned width,
                                                            uint32_t n, uint8_t *bitmap)
{
    uint32_t i = 0;
    for (; i < n; i = i == 15 && n >= 32 ? n / 16 * 16 : i + 1)
        if (i == 0 || item_at(items, width, i) != item_at(items, width, i - 1))
            bitmap[i / 8] = (uint8_t)(bitmap[i / 8] | 1u << (i % 8));
    for (i = 16; n >= 32 && i + 16 <= n; i += 16) {
        unsigned bits = begins_16(items, width, i);
        bitmap[i / 8] = (uint8_t)bits;
        bitmap[i / 8 + 1] = (uint8_t)(bits >> 8);
    }
}

static uint32_t mark_runs(const void *items, unsigned width, uint32_t n, uint8_t *bitmap)
{
    memset(bitmap, 0, (n + 7) / 8);
    if (width == 1)
        mark_some(items, 1, n, bitmap);
    else if (width == 2)
        mark_some(items, 2, n, bitmap);
    else
        mark_some(items, 4, n, bitmap);
    return hd_count_bits(bitmap, (n + 7) / 8);
}

/* The values of the runs. */
#define TAKE_RUNS(type)                                                                            \
    {                                                                                              \
        const type *in = items;                                                                    \
        type *to = values;                                                                         \
        for (uint32_t i = 0; i < n; i++) {                                                         \
            *to = in[i];                                                                           \
            to += i + 1 == n || bitmap[(i + 1) / 8] >> ((i + 1) % 8) & 1;                          \
        }                                                                                          \
    }

static void take_runs(const void *items, unsigned width, uint32_t n, const uint8_t *bitmap,
                      void *values)
{
    if (width == 1)
        TAKE_RUNS(uint8_t)
    else if (width == 2)
        TAKE_RUNS(uint16_t)
    else
        TAKE_RUNS(uint32_t)
}

/* ---- both ----------------------------------------------------------------------------------- */

size_t hd_pack_room(uint32_t n, unsigned width)
{
    return RUNS_HEAD + (n + 7) / 8 + groups_len(n, lane_bits(width), width) + n / 8192 + 2;
}

size_t hd_pack_items(const void *items, unsigned width, uint32_t n, uint32_t base, uint32_t highest,
                     void *values, uint8_t *out, hd_encoding *encoding)
{
    unsigned bits = highest == base ? 0 : 32 - (unsigned)__builtin_clz(highest - base);
    size_t plain_len = (size_t)n * width, bitmap_len = (n + 7) / 8;
    size_t packed = at_least(1 + groups_len(n, bits, width), plain_len);
    if (bits == 0 && packed < plain_len) { /* one value everywhere */
        *encoding = HD_ENCODING_PACKED;
        memset(out, 0, packed);
        return packed;
    }
    uint32_t n_runs = mark_runs(items, width, n, out + RUNS_HEAD);
    size_t runs = at_least(RUNS_HEAD + bitmap_len + groups_len(n_runs, bits, width), plain_len);
    size_t len = runs < packed - packed / 16 ? runs : packed;
    if (len >= plain_len)
        return 0;
    if (len == runs && runs < packed) {
        *encoding = HD_ENCODING_RUNS;
        memcpy(out + 1, &n_runs, sizeof n_runs);
        take_runs(items, width, n, out + RUNS_HEAD, values);
        size_t at = RUNS_HEAD + bitmap_len;
        memset(out + at, 0, len - at);
        pack_all(values, width, n_runs, base, bits, out + at);
    } else {
        *encoding = HD_ENCODING_PACKED;
        memset(out, 0, len);
        pack_all(items, width, n, base, bits, out + 1);
    }
    out[0] = (uint8_t)bits;
    return len;
}

static bool unpack_runs(const uint8_t *in, size_t len, void *values, void *out, unsigned width,
                        unsigned to, uint32_t n, uint32_t base, hd_unpacked *different)
{
    uint32_t n_runs;
    size_t bitmap_len = ((size_t)n + 7) / 8;
    if (len < RUNS_HEAD + bitmap_len)
        return false;
    memcpy(&n_runs, in + 1, sizeof n_runs);
    const uint8_t *bitmap = in + RUNS_HEAD;
    if (n_runs == 0 || n_runs > n || hd_count_bits(bitmap, bitmap_len) != n_runs ||
        !(bitmap[0] & 1) ||
        (n % 8 && bitmap[bitmap_len - 1] >> (n % 8)) ||
        len !=
            at_least(RUNS_HEAD + bitmap_len + groups_len(n_runs, in[0], width), (size_t)n * width))
        return false;
    values = (uint8_t *)values + HD_SPREAD_PAD;
    unpack_all(bitmap + bitmap_len, in[0], values, width, to, n_runs, base);
    hd_spread_runs(bitmap, values, to, n, out);
    *different = (hd_unpacked){values, n_runs};
    return true;
}

static bool unpack_as(hd_encoding encoding, const uint8_t *in, size_t len, void *values, void *out,
                      unsigned width, unsigned to, uint32_t n, uint32_t base,
                      hd_unpacked *different)
{
    if (len == 0 || n == 0 || width > 4 || in[0] > lane_bits(width))
        return false;
    if (encoding == HD_ENCODING_RUNS)
        return unpack_runs(in, len, values, out, width, to, n, base, different);
    if (len != at_least(1 + groups_len(n, in[0], width), (size_t)n * width))
        return false;
    unpack_all(in + 1, in[0], out, width, to, n, base);
    *different = (hd_unpacked){out, n};
    return true;
}

bool hd_unpack_items(hd_encoding encoding, const uint8_t *in, size_t len, void *values, void *out,
                     unsigned width, uint32_t n, uint32_t base, hd_unpacked *different)
{
    return unpack_as(encoding, in, len, values, out, width, width, n, base, different);
}

bool hd_unpack_bytes(hd_encoding encoding, const uint8_t *in, size_t len, void *values,
                     uint8_t *out, uint32_t n)
{
    hd_unpacked different;
    return len > 0 && in[0] <= 8 &&
           unpack_as(encoding, in, len, values, out, 4, 1, n, 0, &different);
}
