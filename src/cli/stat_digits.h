/* stat_digits.h - the usual number of a table, read eight bytes at a time: for stat_io.c and
 * stat_number.c only. */
#ifndef HD_CLI_STAT_DIGITS_H
#define HD_CLI_STAT_DIGITS_H

#include <stdint.h>
#include <string.h>

/* Read a sign, up to seven digits with or without a point, and the zero byte that ends them: the
 * nearest double, because digits and power of ten are exact and only their quotient is rounded.
 * false: the text is something else, a number or not. Nine bytes from p on can be read. */
static inline bool hd_stat_short(const char *p, double *out)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};
    const uint64_t high = UINT64_C(0x8080808080808080);
    bool negative = *p == '-';
    uint64_t v;
    memcpy(&v, p + negative, sizeof v);
    v ^= UINT64_C(0x3030303030303030); /* digits become 0 to 9 */
    uint64_t other = ((v + UINT64_C(0x7676767676767676)) | v) & high;
    if (!other)
        return false;
    unsigned whole = (unsigned)__builtin_ctzll(other) & ~7u, end = whole, fraction = 0;
    if ((v >> whole & 0xff) == ('.' ^ '0')) { /* take the point out */
        uint64_t before = (UINT64_C(1) << whole) - 1;
        v = (v & before) | (v >> 8 & ~before);
        other = (other & before) | (other >> 8 & ~before);
        if (!other)
            return false;
        end = (unsigned)__builtin_ctzll(other) & ~7u;
        fraction = (end - whole) / 8;
    }
    if (end == 0 || (v >> end & 0xff) != '0') /* the zero byte */
        return false;
    v <<= 64 - end; /* zeros before the first digit */
    v = (v * 10 + (v >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    v = (v * 100 + (v >> 16)) & UINT64_C(0x0000ffff0000ffff);
    v = (v * 10000 + (v >> 32)) & UINT64_C(0x00000000ffffffff);
    double number = (double)(int64_t)v / tens[fraction];
    *out = negative ? -number : number;
    return true;
#else
    (void)p;
    (void)out;
    return false;
#endif
}

#endif
