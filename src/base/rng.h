/* rng.h - repeatable random numbers for synthetic data, simulation and tests: splitmix64. One
 * state a stream; a stream is named by its seed and any numbers, so threads never share one.
 * Not for secrets: those come from crypto/. */
#ifndef HD_BASE_RNG_H
#define HD_BASE_RNG_H

#include <stdint.h>

typedef struct hd_rng {
    uint64_t state;
} hd_rng;

static inline uint64_t hd_rng_next(hd_rng *r)
{
    uint64_t z = (r->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}
/* The stream number `stream` of `seed`. */
static inline hd_rng hd_rng_stream(uint64_t seed, uint64_t stream)
{
    hd_rng r = {seed ^ (stream * UINT64_C(0xD1342543DE82EF95))};
    hd_rng_next(&r);
    r.state ^= hd_rng_next(&r);
    return r;
}
/* Uniform in [0, 1). */
static inline double hd_rng_unit(hd_rng *r)
{
    return (double)(hd_rng_next(r) >> 11) * 0x1.0p-53;
}
/* Uniform in 0 .. n-1 (n > 0); multiply-shift, bias below 2^-32 for n < 2^32. */
static inline uint32_t hd_rng_below(hd_rng *r, uint32_t n)
{
    return (uint32_t)(((hd_rng_next(r) >> 32) * (uint64_t)n) >> 32);
}

#endif
