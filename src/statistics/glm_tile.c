/* glm_tile.c - see glm_tile.h. Every body is compiled twice, for any processor and for one with
 * AVX2. No fused multiplication in either: it would round otherwise than two steps do. */
#include "statistics/glm_tile.h"

#include <string.h>

/* Vectors are passed between functions that are always inlined: no convention is needed. */
#pragma GCC diagnostic ignored "-Wpsabi"

enum { TILE = HD_GLM_TILE, LANES = HD_GLM_LANES };

typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(8), may_alias));
typedef uint64_t bits __attribute__((vector_size(LANES * sizeof(double)), aligned(8), may_alias));
typedef int64_t mask __attribute__((vector_size(LANES * sizeof(double)), aligned(8), may_alias));

#define BODY static inline __attribute__((always_inline))

BODY lanes all(double v)
{
    return (lanes){v, v, v, v};
}

BODY lanes load(const double *p)
{
    return *(const lanes *)p;
}

BODY void store(double *p, lanes v)
{
    *(lanes *)p = v;
}

BODY lanes pick(mask m, lanes yes, lanes no)
{
    return (lanes)(((bits)m & (bits)yes) | (~(bits)m & (bits)no));
}

BODY lanes least(lanes a, lanes b)
{
    return pick(a < b, a, b);
}

BODY lanes greatest(lanes a, lanes b)
{
    return pick(a > b, a, b);
}

/* --- Exponential and logarithm ---------------------------------------------------------------- */

#define LN2_HIGH 0x1.62e42fefap-1 /* its multiples by an exponent are exact */
#define LN2_LOW  0x1.cf79abc9e3b3ap-40
#define WHOLE    0x1.8p52 /* adding it rounds to a whole number, kept in the lowest bits */

/* Within a unit or so of the last bit; |x| <= 708. exp(x) = 2^k exp(r), |r| <= ln 2 / 2, and
 * Taylor's polynomial of degree 13, whose error there is 5e-18. */
BODY lanes exp_of(lanes x)
{
    static const double c[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                               1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                               1.0 / 120,        1.0 / 24,        1.0 / 6,        0.5};
    lanes t = x * 0x1.71547652b82fep0 + WHOLE;
    bits k = (bits)t << 52;
    t -= WHOLE;
    lanes r = x - t * LN2_HIGH - t * LN2_LOW;
    lanes p = all(c[0]);
    for (size_t i = 1; i < sizeof c / sizeof *c; i++)
        p = p * r + c[i];
    p = p * (r * r) + r + 1;
    return (lanes)((bits)p + k);
}

/* Within two units of the last bit; x positive, finite and not subnormal. x = 2^k m, m from
 * sqrt(1/2) to sqrt(2); log m = 2 artanh s with s = (m - 1) / (m + 1), s^2 <= 0.0295. */
BODY lanes log_of(lanes x)
{
    const uint64_t half_root = UINT64_C(0x3fe6a09e667f3bcd), one = UINT64_C(0x3ff0000000000000);
    bits b = (bits)x + (one - half_root);
    bits k = b >> 52;
    lanes m = (lanes)((b & UINT64_C(0x000fffffffffffff)) + half_root);
    /* k as a number: below 2^52, so its bits behind those of 2^52 are 2^52 + k */
    lanes e = (lanes)(k | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023);
    lanes s = (m - 1) / (m + 1), s2 = s * s;
    lanes p = all(1.0 / 23);
    for (int i = 21; i >= 3; i -= 2)
        p = p * s2 + 1.0 / i;
    return e * LN2_HIGH + (2 * s + (2 * s * s2 * p + e * LN2_LOW));
}

/* y log(y / mu), 0 where y is 0. */
BODY lanes y_log_y(lanes y, lanes mu)
{
    return y * log_of(pick(y > all(0), y / mu, all(1)));
}

/* --- Rows ------------------------------------------------------------------------------------- */

BODY void predict_body(hd_glm_tile *t, const double *beta, size_t n_x)
{
    for (size_t k = 0; k < TILE; k += 4 * LANES) {
        const double *x = t->x + k;
        double *eta = t->eta + k;
        lanes a = load(eta), b = load(eta + LANES), c = load(eta + 2 * LANES),
              d = load(eta + 3 * LANES);
        for (size_t j = 0; j < n_x; j++, x += TILE) {
            a += beta[j] * load(x);
            b += beta[j] * load(x + LANES);
            c += beta[j] * load(x + 2 * LANES);
            d += beta[j] * load(x + 3 * LANES);
        }
        store(eta, a);
        store(eta + LANES, b);
        store(eta + 2 * LANES, c);
        store(eta + 3 * LANES, d);
    }
}

#define LEAST 0x1p-52

BODY void mean_body(hd_glm_tile *t, hd_family family)
{
    for (size_t k = 0; k < TILE; k += LANES) {
        lanes eta = load(t->eta + k);
        if (family != HD_BINOMIAL) {
            lanes e = exp_of(greatest(least(eta, all(700)), all(-700)));
            store(t->mu + k, greatest(e, all(LEAST)));
            continue;
        }
        mask positive = eta >= all(0);
        lanes e = exp_of(greatest(pick(positive, -eta, eta), all(-700)));
        lanes large = least(1 / (1 + e), all(1 - LEAST)), small = greatest(e / (1 + e), all(LEAST));
        store(t->mu + k, pick(positive, large, small));
        store(t->rest + k, pick(positive, small, large));
    }
}

BODY void start_body(hd_glm_tile *t, hd_family family)
{
    for (size_t k = 0; k < TILE; k += LANES) {
        lanes y = load(t->y + k), n = load(t->trials + k), mu;
        if (family == HD_BINOMIAL) {
            mu = (n * y + 0.5) / (n + 1);
            store(t->rest + k, 1 - mu);
            store(t->eta + k, log_of(mu / (1 - mu)));
        } else {
            mu = y + pick(y > all(0), all(0), all(1.0 / 6));
            if (family == HD_POISSON)
                mu = y + 0.1;
            store(t->eta + k, log_of(mu));
        }
        store(t->mu + k, mu);
    }
}

/* Half the deviance of rows with one trial. */
BODY lanes half_deviance(const hd_glm_tile *t, size_t k, hd_family family, double theta)
{
    lanes y = load(t->y + k), mu = load(t->mu + k), rest = load(t->rest + k);
    if (family == HD_BINOMIAL && t->zero_one)
        return -log_of(pick(y > all(0), mu, rest));
    if (family == HD_BINOMIAL)
        return y_log_y(y, mu) + y_log_y(1 - y, rest);
    if (family == HD_POISSON)
        return y_log_y(y, mu) - (y - mu);
    return y_log_y(y, mu) - (y + theta) * log_of((y + theta) / (mu + theta));
}

BODY void weigh_body(hd_glm_tile *t, hd_family family, double theta, hd_glm_tail *tail)
{
    bool binomial = family == HD_BINOMIAL;
    lanes deviance = load(tail->deviance), chi = load(tail->chi_square);
    lanes separated = load(tail->separated);
    for (size_t k = 0; k < TILE; k += LANES) {
        lanes y = load(t->y + k), mu = load(t->mu + k), rest = load(t->rest + k);
        lanes cases = load(t->prior + k), residual = y - mu, slope = mu; /* d mu / d eta */
        if (binomial) {
            cases *= load(t->trials + k);
            slope *= rest;
        }
        lanes variance = slope; /* canonical links; else: */
        if (family == HD_NEGATIVE_BINOMIAL)
            variance += mu * mu / theta;
        lanes w = cases * slope * (slope / variance), step = residual / slope;
        store(t->w + k, w);
        store(t->u + k, w * step);
        store(t->z + k, load(t->eta + k) - load(t->offset + k) + step);
        deviance += 2 * cases * half_deviance(t, k, family, theta);
        chi += cases * residual * residual / variance;
        if (binomial) {
            mask extreme = ((mu < all(1e-10)) | (rest < all(1e-10))) & (cases > all(0));
            separated += pick(extreme, all(1), all(0));
        }
    }
    store(tail->deviance, deviance);
    store(tail->chi_square, chi);
    store(tail->separated, separated);
}

/* --- Products of columns ---------------------------------------------------------------------- */

/* The sums of four vectors each, in one order: (0 + 1) + (2 + 3). */
BODY lanes sums_of(lanes a, lanes b, lanes c, lanes d)
{
    lanes ab =
        __builtin_shufflevector(a, b, 0, 4, 2, 6) + __builtin_shufflevector(a, b, 1, 5, 3, 7);
    lanes cd =
        __builtin_shufflevector(c, d, 0, 4, 2, 6) + __builtin_shufflevector(c, d, 1, 5, 3, 7);
    return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) +
           __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

/* Four columns of wx by two of x: eight sums stay in registers. */
BODY void cross_two(const double *wx, const double *x0, const double *x1, double *at)
{
    lanes a0 = all(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    for (size_t k = 0; k < TILE; k += LANES) {
        lanes p = load(x0 + k), q = load(x1 + k);
        lanes w0 = load(wx + k), w1 = load(wx + TILE + k);
        a0 += w0 * p;
        b0 += w0 * q;
        a1 += w1 * p;
        b1 += w1 * q;
        lanes w2 = load(wx + 2 * TILE + k), w3 = load(wx + 3 * TILE + k);
        a2 += w2 * p;
        b2 += w2 * q;
        a3 += w3 * p;
        b3 += w3 * q;
    }
    store(at, load(at) + sums_of(a0, a1, a2, a3));
    store(at + LANES, load(at + LANES) + sums_of(b0, b1, b2, b3));
}

BODY void cross_body(hd_glm_tile *t, size_t n, double *out)
{
    for (size_t j = 0; j < n; j++)
        for (size_t k = 0; k < TILE; k += LANES)
            store(t->wx + j * TILE + k, load(t->w + k) * load(t->x + j * TILE + k));
    for (size_t j = 0; j < n; j += LANES) {
        const double *wx = t->wx + j * TILE;
        /* The response takes part as column n; where it would stand alone, twice. */
        for (size_t k = j; k <= n; k += 2) {
            const double *x0 = k < n ? t->x + k * TILE : t->z;
            const double *x1 = k + 1 < n ? t->x + (k + 1) * TILE : t->z;
            cross_two(wx, x0, x1, out + hd_glm_cell(j, k, n));
        }
    }
}

BODY void score_body(hd_glm_tile *t, size_t n, double *out)
{
    for (size_t j = 0; j < n; j += LANES) {
        const double *x[LANES];
        for (size_t i = 0; i < LANES; i++)
            x[i] = t->x + (j + i < n ? j + i : n - 1) * TILE;
        lanes a = all(0), b = a, c = a, d = a;
        for (size_t k = 0; k < TILE; k += LANES) {
            lanes u = load(t->u + k);
            a += u * load(x[0] + k);
            b += u * load(x[1] + k);
            c += u * load(x[2] + k);
            d += u * load(x[3] + k);
        }
        store(out + j, load(out + j) + sums_of(a, b, c, d));
    }
}

/* --- Both kinds of processors ----------------------------------------------------------------- */

#ifdef __x86_64__
#define TWICE(name, parameters, arguments)                                                         \
    __attribute__((target("avx2"), noinline)) static void name##_avx2 parameters                   \
    {                                                                                              \
        name##_body arguments;                                                                     \
    }                                                                                              \
    __attribute__((noinline)) static void name##_plain parameters                                  \
    {                                                                                              \
        name##_body arguments;                                                                     \
    }                                                                                              \
    void hd_glm_tile_##name parameters                                                             \
    {                                                                                              \
        if (__builtin_cpu_supports("avx2"))                                                        \
            name##_avx2 arguments;                                                                 \
        else                                                                                       \
            name##_plain arguments;                                                                \
    }
#else
#define TWICE(name, parameters, arguments)                                                         \
    void hd_glm_tile_##name parameters                                                             \
    {                                                                                              \
        name##_body arguments;                                                                     \
    }
#endif

TWICE(predict, (hd_glm_tile * t, const double *beta, size_t n_x), (t, beta, n_x))
TWICE(mean, (hd_glm_tile * t, hd_family family), (t, family))
TWICE(start, (hd_glm_tile * t, hd_family family), (t, family))
TWICE(weigh, (hd_glm_tile * t, hd_family family, double theta, hd_glm_tail *tail),
      (t, family, theta, tail))
TWICE(cross, (hd_glm_tile * t, size_t n_x, double *out), (t, n_x, out))
TWICE(score, (hd_glm_tile * t, size_t n_x, double *out), (t, n_x, out))
