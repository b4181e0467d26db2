/* stat_number.c - see stat.h: numbers as text that reads back exactly. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/stat.h"

void hd_stat_print(double v, char out[32])
{
    if (v == 0) {
        memcpy(out, "0", 2);
        return;
    }
    if (fabs(v) < 1e15 && v == floor(v)) {
        snprintf(out, 32, "%.0f", v);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        double back;
        snprintf(out, 32, "%.*g", digits, v);
        if (hd_stat_parse(out, &back) && back == v)
            return;
    }
}

/* Digits and a decimal exponent small enough that one exact multiplication or division gives the
 * nearest double; anything else goes to strtod, which is slower. */
bool hd_stat_parse(const char *text, double *out)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
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
        v = exponent < 0 ? v / power[-exponent] : v * power[exponent];
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
