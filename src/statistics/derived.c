/* derived.c - see derived.h. */
#include "statistics/derived.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/date.h"

int hd_months_between(int32_t start, int32_t end)
{
    int y1, m1, d1, y2, m2, d2;
    if (end < start)
        return -1;
    hd_date_to_ymd(start, &y1, &m1, &d1);
    hd_date_to_ymd(end, &y2, &m2, &d2);
    return (y2 - y1) * 12 + (m2 - m1) - (d2 < d1);
}

hd_code hd_age_band(int age, int from, int to, int by, char out[32], hd_err *err)
{
    if (by < 1 || from < 0 || to < from || to > 1000)
        return hd_fail(err, HD_INVALID, "age bands need from <= to and a width of 1 or more");
    int top = from + (to - from) / by * by;
    out[0] = '\0';
    if (age >= top)
        snprintf(out, 32, "%d+", top);
    else if (age >= from) {
        int first = from + (age - from) / by * by;
        snprintf(out, 32, "%d-%d", first, first + by - 1);
    }
    return HD_OK;
}

/* Outward codes: A9 A99 AA9 AA99 A9A AA9A, written as letter (L) and digit (D). */
bool hd_postcode7(const char *text, char out[8])
{
    static const char *const outward[] = {"LD", "LDD", "LLD", "LLDD", "LDL", "LLDL", NULL};
    char packed[8];
    size_t n = 0;
    out[0] = '\0';
    for (; *text; text++) {
        if (isspace((unsigned char)*text))
            continue;
        if (!isalnum((unsigned char)*text) || n == 7)
            return false;
        packed[n++] = (char)toupper((unsigned char)*text);
    }
    if (n < 5)
        return false;
    size_t head = n - 3;
    char shape[8];
    for (size_t i = 0; i < n; i++)
        shape[i] = isdigit((unsigned char)packed[i]) ? 'D' : 'L';
    if (memcmp(shape + head, "DLL", 3) != 0)
        return false;
    for (size_t i = 0; outward[i]; i++)
        if (strlen(outward[i]) == head && memcmp(outward[i], shape, head) == 0) {
            memset(out, ' ', 7);
            memcpy(out, packed, head);
            memcpy(out + 4, packed + head, 3);
            out[7] = '\0';
            return true;
        }
    return false;
}

double hd_round_significant(double v, int digits)
{
    char text[40];
    if (v == 0 || !isfinite(v) || digits < 1 || digits > 15)
        return v;
    /* The shortest digits that stand for v, as d.ddde+xx, so that a half is seen where it was
     * written. */
    for (int n = 14; n <= 16; n++) {
        snprintf(text, sizeof text, "%.*e", n, v);
        if (strtod(text, NULL) == v)
            break;
    }
    char *mantissa = text + (text[0] == '-'), *e = strchr(mantissa, 'e');
    bool up = (int)(e - mantissa) > digits + 1 && mantissa[digits + (digits > 0)] >= '5';
    int exponent = atoi(e + 1);
    double kept = 0;
    for (int i = 0, taken = 0; taken < digits && mantissa + i < e; i++)
        if (mantissa[i] != '.') {
            kept = kept * 10 + (mantissa[i] - '0');
            taken++;
        }
    snprintf(text, sizeof text, "%s%.0fe%d", v < 0 ? "-" : "", kept + up, exponent - digits + 1);
    return strtod(text, NULL);
}

double hd_queue_load(double demand, double capacity)
{
    return demand / capacity;
}

double hd_queue_relief_capacity(double demand, double queue, double target_queue, double weeks)
{
    return demand + (queue - target_queue) / weeks;
}

double hd_queue_target_capacity(double demand, double target_wait, double factor, double cv_demand,
                                double cv_capacity)
{
    return demand +
           (cv_demand * cv_demand + cv_capacity * cv_capacity) / 2 * (factor / target_wait);
}

double hd_queue_target_mean_wait(double target_wait, double factor)
{
    return target_wait / factor;
}

double hd_queue_target_size(double demand, double target_wait, double factor)
{
    return demand * target_wait / factor;
}

double hd_queue_pressure(double mean_wait, double target_wait)
{
    return 2 * mean_wait / target_wait;
}
