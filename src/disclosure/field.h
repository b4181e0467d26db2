/* field.h - arithmetic modulo the prime 2^61-1. */
#ifndef HD_DISCLOSURE_FIELD_H
#define HD_DISCLOSURE_FIELD_H

#include <stdint.h>

#define HD_PRIME ((UINT64_C(1) << 61) - 1)

static inline uint64_t hd_field_mul(uint64_t a, uint64_t b)
{
    unsigned __int128 x = (unsigned __int128)a * b;
    uint64_t r = (uint64_t)(x & HD_PRIME) + (uint64_t)(x >> 61);
    return r >= HD_PRIME ? r - HD_PRIME : r;
}

static inline uint64_t hd_field_sub(uint64_t a, uint64_t b)
{
    return a >= b ? a - b : a + HD_PRIME - b;
}

static inline uint64_t hd_field_inverse(uint64_t a)
{
    uint64_t r = 1;
    for (uint64_t e = HD_PRIME - 2; e; e >>= 1) {
        if (e & 1)
            r = hd_field_mul(r, a);
        a = hd_field_mul(a, a);
    }
    return r;
}

static inline uint64_t hd_field_of(int64_t x)
{
    return x >= 0 ? (uint64_t)x % HD_PRIME : HD_PRIME - (uint64_t)-x % HD_PRIME;
}

#endif
