/* stat_number.c - see stat.h: numbers as text that reads back exactly. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/stat.h"

/* --- Printing: the shortest digits that read back (R. Giulietti, The Schubfach way to render
 * doubles)
 *
 * With c 2^q the number and half a unit of its last bit to either side, scaled by a power of ten so
 * that whole numbers are candidates: the shortest candidate inside is wanted, the closest of those.
 * 128 bits of the power of ten, rounded up, are enough for that to be decided exactly. */

enum { LOW = -292, HIGH = 324, WORDS = 18 };

typedef struct power {
    uint64_t high, low; /* 10^e 2^-s in [2^127, 2^128), rounded up */
} power;

static power powers[HIGH - LOW + 1];
static pthread_once_t powers_once = PTHREAD_ONCE_INIT;

static void times_ten(uint64_t *v)
{
    unsigned __int128 carry = 0;
    for (int i = 0; i < WORDS; i++) {
        carry += (unsigned __int128)v[i] * 10;
        v[i] = (uint64_t)carry;
        carry >>= 64;
    }
}

static int bit_length(const uint64_t *v)
{
    int i = WORDS - 1;
    while (i > 0 && v[i] == 0)
        i--;
    return i * 64 + 64 - __builtin_clzll(v[i]);
}

static bool has_bit(const uint64_t *v, int at)
{
    return at >= 0 && (v[at / 64] >> (at % 64) & 1);
}

/* The highest 128 bits of v, plus one when there are others below them. */
static power leading(const uint64_t *v)
{
    unsigned __int128 bits = 0;
    int length = bit_length(v);
    bool more = false;
    for (int i = 0; i < 128; i++)
        bits = bits << 1 | has_bit(v, length - 1 - i);
    for (int i = 0; i < length - 128; i++)
        more |= has_bit(v, i);
    bits += more;
    return (power){(uint64_t)(bits >> 64), (uint64_t)bits};
}

/* 2^(127 + length of v) / v, rounded up; v is no power of two. */
static power reciprocal(const uint64_t *v)
{
    uint64_t rest[WORDS] = {0};
    unsigned __int128 bits = 0;
    int top = bit_length(v) - 1;
    rest[top / 64] = UINT64_C(1) << (top % 64);
    for (int i = 0; i < 128; i++) {
        uint64_t less[WORDS];
        bool borrow = false;
        for (int w = WORDS - 1; w >= 0; w--)
            rest[w] = rest[w] << 1 | (w ? rest[w - 1] >> 63 : 0);
        for (int w = 0; w < WORDS; w++) {
            unsigned __int128 d = (unsigned __int128)rest[w] - v[w] - borrow;
            less[w] = (uint64_t)d;
            borrow = d >> 64 != 0;
        }
        if (!borrow)
            memcpy(rest, less, sizeof rest);
        bits = bits << 1 | !borrow;
    }
    bits++;
    return (power){(uint64_t)(bits >> 64), (uint64_t)bits};
}

static void make_powers(void)
{
    uint64_t v[WORDS] = {1};
    for (int e = 0; e <= HIGH; e++, times_ten(v)) {
        powers[e - LOW] = leading(v);
        if (e > 0 && -e >= LOW)
            powers[-e - LOW] = reciprocal(v);
    }
}

/* g c 2^-128, with the last bit set when anything was cut off. */
static uint64_t round_to_odd(power g, uint64_t c)
{
    unsigned __int128 low = (unsigned __int128)g.low * c;
    unsigned __int128 high = (unsigned __int128)g.high * c + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* |v| = digits 10^exponent; v is not 0. */
static uint64_t shortest(double v, int *exponent)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52 & 2047);
    uint64_t c = biased ? fraction | UINT64_C(1) << 52 : fraction;
    int q = (biased ? biased : 1) - 1075;
    bool closer = fraction == 0 && biased > 1; /* the number below is half as far */
    uint64_t odd = c & 1;                      /* the ends read back when c is even */
    int k = (int)(((int64_t)q * 1262611 - (closer ? 524031 : 0)) >> 22);
    int h = q + (int)(((int64_t)-k * 1741647) >> 19) + 1;
    power g = powers[-k - LOW];
    uint64_t lower = round_to_odd(g, (4 * c - 2 + closer) << h) + odd;
    uint64_t here = round_to_odd(g, (4 * c) << h);
    uint64_t upper = round_to_odd(g, (4 * c + 2) << h) - odd;
    uint64_t s = here / 4, tens = s / 10;
    *exponent = k + 1;
    if (s >= 10) {
        bool down = lower <= 40 * tens, up = 40 * tens + 40 <= upper;
        if (down != up)
            return tens + up;
    }
    *exponent = k;
    bool down = lower <= 4 * s, up = 4 * s + 4 <= upper;
    if (down != up)
        return s + up;
    uint64_t middle = 4 * s + 2;
    return s + (here > middle || (here == middle && (s & 1)));
}

static size_t put_digits(uint64_t v, char *out)
{
    char back[24];
    size_t n = 0;
    do
        back[n++] = (char)('0' + v % 10);
    while (v /= 10);
    for (size_t i = 0; i < n; i++)
        out[i] = back[n - 1 - i];
    return n;
}

void hd_stat_print_count(uint64_t n, char out[24])
{
    out[put_digits(n, out)] = '\0';
}

void hd_stat_print(double v, char out[32])
{
    char digits[24], *w = out;
    int exponent = 0;
    uint64_t whole = fabs(v) < 1e15 ? (uint64_t)fabs(v) : 0;
    if (v < 0)
        *w++ = '-';
    if ((double)whole == fabs(v)) {
        w += put_digits(whole, w);
        *w = '\0';
        return;
    }
    pthread_once(&powers_once, make_powers);
    int n = (int)put_digits(shortest(v, &exponent), digits);
    for (; n > 1 && digits[n - 1] == '0'; n--)
        exponent++;
    int point = n + exponent; /* digits before the point */
    if (point > 17 || point < -3) {
        *w++ = digits[0];
        if (n > 1)
            *w++ = '.';
        memcpy(w, digits + 1, (size_t)n - 1);
        snprintf(w + n - 1, 8, "e%+03d", point - 1);
        return;
    }
    if (point <= 0) {
        memcpy(w, "0.000", 5);
        w += 2 - point;
        memcpy(w, digits, (size_t)n);
        w += n;
    } else {
        for (int i = 0; i < n || i < point; i++) {
            if (i == point)
                *w++ = '.';
            *w++ = i < n ? digits[i] : '0';
        }
    }
    *w = '\0';
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* Digits and a decimal exponent small enough that one exact multiplication or division gives the
 * nearest double; anything else goes to strtod, which is slower. */
bool hd_stat_parse(const char *text, double *out)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *p = text;
    bool negative = *p == '-';
    uint64_t digits = 0;
    long n = 0, scale = 0, exponent = 0;
    if (*p == '-' || *p == '+')
        p++;
    for (; *p >= '0' && *p <= '9'; p++, n++)
        digits = digits * 10 + (uint64_t)(*p - '0');
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++, n++, scale++)
            digits = digits * 10 + (uint64_t)(*p - '0');
    if (n == 0)
        return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        bool down = *p == '-';
        if (*p == '-' || *p == '+')
            p++;
        if (*p < '0' || *p > '9')
            return false;
        for (; *p >= '0' && *p <= '9'; p++)
            if (exponent < 10000)
                exponent = exponent * 10 + (*p - '0');
        exponent = down ? -exponent : exponent;
    }
    if (*p != '\0')
        return false;
    exponent -= scale;
    if (n <= 18 && digits <= UINT64_C(1) << 53 && exponent >= -22 && exponent <= 22) {
        double v = (double)digits;
        v = exponent < 0 ? v / tens[-exponent] : v * tens[exponent];
        *out = negative ? -v : v;
        return true;
    }
    *out = strtod(text, NULL);
    return isfinite(*out);
}

bool hd_stat_parse_list(const char *text, char sep, double *out, size_t max, size_t *n)
{
    char item[64];
    *n = 0;
    while (*text) {
        const char *end = strchr(text, sep);
        size_t len = end ? (size_t)(end - text) : strlen(text);
        if (len == 0 || len >= sizeof item || *n == max)
            return false;
        memcpy(item, text, len);
        item[len] = '\0';
        if (!hd_stat_parse(item, &out[*n]))
            return false;
        ++*n;
        text += len + (end != NULL);
    }
    return true;
}
