/* lanes.c - see lanes.h. A vector holds the same word of sixteen messages. The steps are those of
 * FIPS 180-4; no branch and no address depends on what is hashed. Sixteen messages cost as much as
 * five of Nettle's with the SHA instructions, which wait for one another within a message.
 */
#include "crypto/lanes.h"

#include <sodium.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define LANES __attribute__((target("avx512f,avx512bw")))

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

enum { BLOCK = 64, WORDS = 16, STATE = 8 };

/* Truth tables of three bits: the first chooses between the others; what most are; how many. */
enum { CHOOSE = 0xCA, MOST = 0xE8, PARITY = 0x96 };

#define ADD(a, b)         _mm512_add_epi32(a, b)
#define XOR3(a, b, c)     _mm512_ternarylogic_epi32(a, b, c, PARITY)
#define TURN(x, p, q, r)                                                                           \
    XOR3(_mm512_ror_epi32(x, p), _mm512_ror_epi32(x, q), _mm512_ror_epi32(x, r))
#define SHIFT(x, p, q, r)                                                                          \
    XOR3(_mm512_ror_epi32(x, p), _mm512_ror_epi32(x, q), _mm512_srli_epi32(x, r))

/* One block of each message; words are used up. */
LANES static inline __attribute__((always_inline)) void step(__m512i s[STATE], __m512i w[WORDS])
{
    __m512i a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    for (size_t first = 0; first < 64; first += WORDS)
#pragma GCC unroll 16
        for (size_t i = 0; i < WORDS; i++) {
            __m512i key = ADD(w[i], _mm512_set1_epi32((int)constants[first + i]));
            __m512i x = ADD(ADD(h, key), ADD(TURN(e, 6, 11, 25),
                                             _mm512_ternarylogic_epi32(e, f, g, CHOOSE)));
            __m512i y = ADD(TURN(a, 2, 13, 22), _mm512_ternarylogic_epi32(a, b, c, MOST));
            h = g, g = f, f = e, e = ADD(d, x);
            d = c, c = b, b = a, a = ADD(x, y);
            /* the word that has this place 16 rounds later */
            w[i] = ADD(ADD(w[i], w[(i + 9) % WORDS]),
                       ADD(SHIFT(w[(i + 1) % WORDS], 7, 18, 3),
                           SHIFT(w[(i + 14) % WORDS], 17, 19, 10)));
        }
    const __m512i made[STATE] = {a, b, c, d, e, f, g, h};
    for (size_t i = 0; i < STATE; i++)
        s[i] = ADD(s[i], made[i]);
}

LANES static inline void begin(__m512i s[STATE], const uint32_t state[STATE])
{
    for (size_t i = 0; i < STATE; i++)
        s[i] = _mm512_set1_epi32((int)state[i]);
}

LANES static void hmac(const uint32_t inner[STATE], const uint32_t outer[STATE],
                       const uint8_t (*blocks)[BLOCK], uint32_t (*out)[HD_LANES])
{
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i at = _mm512_slli_epi32(lane, 6); /* blocks of 64 bytes */
    const __m512i swap = _mm512_broadcast_i32x4(
        _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
    __m512i s[STATE], w[WORDS];
    for (size_t i = 0; i < WORDS; i++) {
        const void *base = (const uint8_t *)blocks + 4 * i;
        w[i] = _mm512_shuffle_epi8(_mm512_i32gather_epi32(at, base, 1), swap);
    }
    begin(s, inner);
    step(s, w);
    for (size_t i = 0; i < STATE; i++)
        w[i] = s[i];
    for (size_t i = STATE; i < WORDS; i++)
        w[i] = _mm512_setzero_si512();
    w[STATE] = _mm512_set1_epi32(INT32_MIN); /* the bit behind the message */
    w[WORDS - 1] = _mm512_set1_epi32((BLOCK + 32) * 8);
    begin(s, outer);
    step(s, w);
    for (size_t i = 0; i < 4; i++)
        _mm512_storeu_si512(out[i], s[i]);
}

bool hd_lanes_work(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}

void hd_lanes_hmac(const uint32_t inner[8], const uint32_t outer[8], const void *const *messages,
                   const size_t *lens, size_t n, uint8_t (*out)[16])
{
    uint8_t blocks[HD_LANES][BLOCK] = {{0}};
    uint32_t codes[4][HD_LANES];
    for (size_t i = 0; i < n; i++) {
        const size_t bits = (BLOCK + lens[i]) * 8; /* the padded key is part of the message */
        memcpy(blocks[i], messages[i], lens[i]);
        blocks[i][lens[i]] = 0x80;
        blocks[i][BLOCK - 2] = (uint8_t)(bits >> 8);
        blocks[i][BLOCK - 1] = (uint8_t)bits;
    }
    hmac(inner, outer, (const uint8_t(*)[BLOCK])blocks, codes);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 4; k++) {
            const uint32_t word = __builtin_bswap32(codes[k][i]);
            memcpy(out[i] + 4 * k, &word, sizeof word);
        }
    sodium_memzero(blocks, sizeof blocks);
    sodium_memzero(codes, sizeof codes);
}

/* ---- SipHash -------------------------------------------------------------------------------- */

LANES static inline __attribute__((always_inline)) void sip_round(__m512i v[4])
{
    v[0] = _mm512_add_epi64(v[0], v[1]);
    v[2] = _mm512_add_epi64(v[2], v[3]);
    v[1] = _mm512_xor_si512(_mm512_rol_epi64(v[1], 13), v[0]);
    v[3] = _mm512_xor_si512(_mm512_rol_epi64(v[3], 16), v[2]);
    v[0] = _mm512_rol_epi64(v[0], 32);
    v[2] = _mm512_add_epi64(v[2], v[1]);
    v[0] = _mm512_add_epi64(v[0], v[3]);
    v[1] = _mm512_xor_si512(_mm512_rol_epi64(v[1], 17), v[2]);
    v[3] = _mm512_xor_si512(_mm512_rol_epi64(v[3], 21), v[0]);
    v[2] = _mm512_rol_epi64(v[2], 32);
}

LANES static inline __attribute__((always_inline)) void sip_word(__m512i v[4], __m512i word)
{
    v[3] = _mm512_xor_si512(v[3], word);
    sip_round(v);
    sip_round(v);
    v[0] = _mm512_xor_si512(v[0], word);
}

LANES void hd_lanes_siphash(const uint8_t key[16], const uint64_t *first, const uint64_t *second,
                            size_t n, uint64_t *out)
{
    static const uint64_t begin_with[4] = {
        UINT64_C(0x736f6d6570736575), UINT64_C(0x646f72616e646f6d), UINT64_C(0x6c7967656e657261),
        UINT64_C(0x7465646279746573)};
    uint64_t halves[2];
    memcpy(halves, key, sizeof halves);
    for (size_t i = 0; i < n; i += HD_KEY_LANES) {
        __m512i v[4];
        for (size_t k = 0; k < 4; k++)
            v[k] = _mm512_set1_epi64((long long)(begin_with[k] ^ halves[k % 2]));
        sip_word(v, _mm512_loadu_si512(first + i));
        sip_word(v, _mm512_loadu_si512(second + i));
        v[2] = _mm512_xor_si512(v[2], _mm512_set1_epi64(0xff));
        for (size_t k = 0; k < 4; k++)
            sip_round(v);
        __m512i hash = _mm512_xor_si512(_mm512_xor_si512(v[0], v[1]), _mm512_xor_si512(v[2], v[3]));
        const __mmask8 none = _mm512_testn_epi64_mask(hash, hash); /* as hd_key_hash: 1 for 0 */
        _mm512_storeu_si512(out + i, _mm512_mask_set1_epi64(hash, none, 1));
    }
    sodium_memzero(halves, sizeof halves);
}

#else
void hd_lanes_siphash(const uint8_t key[16], const uint64_t *first, const uint64_t *second,
                      size_t n, uint64_t *out)
{
    (void)key, (void)first, (void)second, (void)n, (void)out;
}

bool hd_lanes_work(void)
{
    return false;
}

void hd_lanes_hmac(const uint32_t inner[8], const uint32_t outer[8], const void *const *messages,
                   const size_t *lens, size_t n, uint8_t (*out)[16])
{
    (void)inner, (void)outer, (void)messages, (void)lens, (void)n, (void)out;
}
#endif
