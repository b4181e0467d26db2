/* functions.c - see functions.h. */
#include "functions.h"

#include <math.h>
#include <string.h>

#include "base/date.h"

void format_day(int64_t day, char out[11])
{
    hd_date_format((int32_t)day, out);
}

int compare_values(const hd_value *a, const hd_value *b)
{
    if (a->type == HD_TEXT) {
        size_t n = a->text.len < b->text.len ? a->text.len : b->text.len;
        int c = n ? memcmp(a->text.bytes, b->text.bytes, n) : 0;
        if (c)
            return c < 0 ? -1 : 1;
        return (a->text.len > b->text.len) - (a->text.len < b->text.len);
    }
    if (a->type == HD_DECIMAL)
        return (a->decimal > b->decimal) - (a->decimal < b->decimal);
    return (a->integer > b->integer) - (a->integer < b->integer);
}

/* Bytes of the character at s. */
static size_t character(const char *s, size_t n)
{
    size_t len = 1;
    while (len < n && ((unsigned char)s[len] & 0xC0) == 0x80)
        len++;
    return len;
}

bool like_match(const char *s, size_t n, const char *pattern, size_t m)
{
    if (m == 0)
        return n == 0;
    if (*pattern == '%') {
        for (size_t i = 0; i <= n; i++)
            if (like_match(s + i, n - i, pattern + 1, m - 1))
                return true;
        return false;
    }
    if (n == 0)
        return false;
    size_t step = *pattern == '_' ? character(s, n) : 1;
    if (*pattern != '_' && *pattern != *s)
        return false;
    return like_match(s + step, n - step, pattern + 1, m - 1);
}

/* ---- text -------------------------------------------------------------------------------------
 */

static hd_value mapped(maker *m, const hd_value *a, char from, char to, int change)
{
    char *out = maker_alloc(m, a->text.len + 1);
    for (size_t i = 0; i < a->text.len; i++) {
        char c = a->text.bytes[i];
        out[i] = (char)(c >= from && c <= to ? c + change : c);
    }
    return (hd_value){.text = {out, a->text.len}};
}

static hd_value do_upper(maker *m, const hd_value *a)
{
    return mapped(m, a, 'a', 'z', -32);
}

static hd_value do_lower(maker *m, const hd_value *a)
{
    return mapped(m, a, 'A', 'Z', 32);
}

static int64_t count_characters(const hd_value *v)
{
    int64_t count = 0;
    for (size_t i = 0; i < v->text.len; count++)
        i += character(v->text.bytes + i, v->text.len - i);
    return count;
}

/* Characters first (from 0) to first + count - 1. */
static hd_value slice(const hd_value *v, int64_t first, int64_t count)
{
    size_t i = 0;
    for (; first > 0 && i < v->text.len; first--)
        i += character(v->text.bytes + i, v->text.len - i);
    size_t end = i;
    for (; count > 0 && end < v->text.len; count--)
        end += character(v->text.bytes + end, v->text.len - end);
    return (hd_value){.text = {v->text.bytes + i, end - i}};
}

static hd_value do_substr(maker *m, const hd_value *a)
{
    (void)m;
    return slice(&a[0], a[1].integer - 1, a[2].integer);
}

static hd_value do_left(maker *m, const hd_value *a)
{
    (void)m;
    return slice(&a[0], 0, a[1].integer);
}

static hd_value do_right(maker *m, const hd_value *a)
{
    (void)m;
    int64_t n = count_characters(&a[0]);
    return slice(&a[0], n > a[1].integer ? n - a[1].integer : 0, n);
}

static hd_value do_concat(maker *m, const hd_value *a)
{
    char *out = maker_alloc(m, a[0].text.len + a[1].text.len + 1);
    if (a[0].text.len)
        memcpy(out, a[0].text.bytes, a[0].text.len);
    if (a[1].text.len)
        memcpy(out + a[0].text.len, a[1].text.bytes, a[1].text.len);
    return (hd_value){.text = {out, a[0].text.len + a[1].text.len}};
}

static hd_value do_replace(maker *m, const hd_value *a)
{
    char *out = maker_alloc(m, a->text.len * 2 + 1);
    size_t n = 0;
    for (size_t i = 0; i < a->text.len; i++) {
        if (a->text.bytes[i] == '1') {
            out[n++] = 'x';
            out[n++] = 'y';
        } else {
            out[n++] = a->text.bytes[i];
        }
    }
    return (hd_value){.text = {out, n}};
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

#define INTEGER_RESULT(name, expression)                                                           \
    static hd_value name(maker *m, const hd_value *a)                                              \
    {                                                                                              \
        (void)m;                                                                                   \
        return (hd_value){.integer = (expression)};                                                \
    }
#define DECIMAL_RESULT(name, expression)                                                           \
    static hd_value name(maker *m, const hd_value *a)                                              \
    {                                                                                              \
        (void)m;                                                                                   \
        return (hd_value){.decimal = (expression)};                                                \
    }

static int part(int64_t day, int which)
{
    int p[3];
    hd_date_to_ymd((int32_t)day, &p[0], &p[1], &p[2]);
    return p[which];
}

INTEGER_RESULT(do_abs, a[0].integer < 0 ? -a[0].integer : a[0].integer)
INTEGER_RESULT(do_add, a[0].integer + a[1].integer)
INTEGER_RESULT(do_subtract, a[0].integer - a[1].integer)
INTEGER_RESULT(do_multiply, a[0].integer *a[1].integer)
INTEGER_RESULT(do_negate, -a[0].integer)
INTEGER_RESULT(do_length, count_characters(&a[0]))
INTEGER_RESULT(do_year, part(a[0].integer, 0))
INTEGER_RESULT(do_month, part(a[0].integer, 1))
INTEGER_RESULT(do_day, part(a[0].integer, 2))
INTEGER_RESULT(do_quarter, (part(a[0].integer, 1) + 2) / 3)
INTEGER_RESULT(do_isodow, hd_date_weekday((int32_t)a[0].integer) + 1)
INTEGER_RESULT(do_days_between, a[1].integer - a[0].integer)
INTEGER_RESULT(do_months_between, hd_date_month_index((int32_t)a[1].integer) -
                                      hd_date_month_index((int32_t)a[0].integer))
INTEGER_RESULT(do_years_between, part(a[1].integer, 0) - part(a[0].integer, 0))
INTEGER_RESULT(do_later, a[0].integer + a[1].integer)
INTEGER_RESULT(do_month_start, hd_date_from_ymd(part(a[0].integer, 0), part(a[0].integer, 1), 1))
INTEGER_RESULT(do_quarter_start,
               hd_date_from_ymd(part(a[0].integer, 0), (part(a[0].integer, 1) - 1) / 3 * 3 + 1, 1))
INTEGER_RESULT(do_year_start, hd_date_from_ymd(part(a[0].integer, 0), 1, 1))
INTEGER_RESULT(do_week_start, a[0].integer - hd_date_weekday((int32_t)a[0].integer))
INTEGER_RESULT(do_month_end,
               hd_date_month_start(hd_date_month_index((int32_t)a[0].integer) + 1) - 1)

/* Dividing by zero gives NULL. */
static hd_value do_divide(maker *m, const hd_value *a)
{
    (void)m;
    if (a[1].integer == 0)
        return (hd_value){.is_null = true};
    return (hd_value){.decimal = (double)a[0].integer / (double)a[1].integer};
}

static hd_value do_divide_decimals(maker *m, const hd_value *a)
{
    (void)m;
    if (a[1].decimal == 0)
        return (hd_value){.is_null = true};
    return (hd_value){.decimal = a[0].decimal / a[1].decimal};
}

static hd_value do_remainder(maker *m, const hd_value *a)
{
    (void)m;
    if (a[1].integer == 0)
        return (hd_value){.is_null = true};
    return (hd_value){.integer = a[0].integer % a[1].integer};
}

static hd_value do_quotient(maker *m, const hd_value *a)
{
    (void)m;
    if (a[1].integer == 0)
        return (hd_value){.is_null = true};
    return (hd_value){.integer = a[0].integer / a[1].integer};
}

DECIMAL_RESULT(do_divide_decimal, a[0].decimal / (double)a[1].integer)
DECIMAL_RESULT(do_scale, (double)a[0].integer *a[1].decimal)
DECIMAL_RESULT(do_add_decimal, a[0].decimal + a[1].decimal)
DECIMAL_RESULT(do_multiply_decimal, a[0].decimal *a[1].decimal)
DECIMAL_RESULT(do_floor, floor(a[0].decimal))
DECIMAL_RESULT(do_ceil, ceil(a[0].decimal))
DECIMAL_RESULT(do_abs_decimal, fabs(a[0].decimal))
DECIMAL_RESULT(do_double, (double)a[0].integer)

static const function functions[] = {
    {"upper($1)", HD_TEXT, "a", do_upper},
    {"lower($1)", HD_TEXT, "a", do_lower},
    {"substr($1, $2, $3)", HD_TEXT, "upn", do_substr},
    {"substring($1 FROM $2 FOR $3)", HD_TEXT, "upn", do_substr},
    {"left($1, $2)", HD_TEXT, "un", do_left},
    {"right($1, $2)", HD_TEXT, "un", do_right},
    {"($1 || $2)", HD_TEXT, "uu", do_concat},
    {"replace($1, '1', 'xy')", HD_TEXT, "u", do_replace},
    {"abs($1)", HD_INTEGER, "i", do_abs},
    {"($1 + $2)", HD_INTEGER, "iz", do_add},
    {"($1 + $2)", HD_INTEGER, "ii", do_add},
    {"($1 - $2)", HD_INTEGER, "ii", do_subtract},
    {"($1 * $2)", HD_INTEGER, "iz", do_multiply},
    {"($1 % $2)", HD_INTEGER, "ip", do_remainder},
    {"($1 // $2)", HD_INTEGER, "ip", do_quotient},
    {"(-$1)", HD_INTEGER, "i", do_negate},
    {"length($1)", HD_INTEGER, "u", do_length},
    {"year($1)", HD_INTEGER, "y", do_year},
    {"month($1)", HD_INTEGER, "y", do_month},
    {"EXTRACT(day FROM $1)", HD_INTEGER, "y", do_day},
    {"quarter($1)", HD_INTEGER, "y", do_quarter},
    {"isodow($1)", HD_INTEGER, "y", do_isodow},
    {"date_diff('day', $1, $2)", HD_INTEGER, "yy", do_days_between},
    {"date_diff('month', $1, $2)", HD_INTEGER, "yy", do_months_between},
    {"date_diff('year', $1, $2)", HD_INTEGER, "yy", do_years_between},
    {"($2 - $1)", HD_INTEGER, "yy", do_days_between},
    {"($1 % $2)", HD_INTEGER, "ii", do_remainder},
    {"($1 // $2)", HD_INTEGER, "ii", do_quotient},
    {"($1 / $2)", HD_DECIMAL, "ip", do_divide},
    {"($1 / $2)", HD_DECIMAL, "ii", do_divide},
    {"($1 / $2)", HD_DECIMAL, "dd", do_divide_decimals},
    {"($1 / $2)", HD_DECIMAL, "dp", do_divide_decimal},
    {"($1 * $2)", HD_DECIMAL, "iq", do_scale},
    {"($1 + $2)", HD_DECIMAL, "dq", do_add_decimal},
    {"($1 + $2)", HD_DECIMAL, "dd", do_add_decimal},
    {"($1 * $2)", HD_DECIMAL, "dq", do_multiply_decimal},
    {"floor($1)", HD_DECIMAL, "d", do_floor},
    {"ceil($1)", HD_DECIMAL, "d", do_ceil},
    {"abs($1)", HD_DECIMAL, "d", do_abs_decimal},
    {"CAST($1 AS DOUBLE)", HD_DECIMAL, "i", do_double},
    {"($1 + $2)", HD_DATE, "yz", do_later},
    {"CAST(date_trunc('month', $1) AS DATE)", HD_DATE, "y", do_month_start},
    {"CAST(date_trunc('quarter', $1) AS DATE)", HD_DATE, "y", do_quarter_start},
    {"CAST(date_trunc('year', $1) AS DATE)", HD_DATE, "y", do_year_start},
    {"CAST(date_trunc('week', $1) AS DATE)", HD_DATE, "y", do_week_start},
    {"last_day($1)", HD_DATE, "y", do_month_end},
};

/* DuckDB makes a TIMESTAMP of these, which the engine shows as a date: good as a key only. */
static const function key_functions[] = {
    {"date_trunc('month', $1)", HD_DATE, "y", do_month_start},
    {"date_trunc('quarter', $1)", HD_DATE, "y", do_quarter_start},
    {"date_trunc('year', $1)", HD_DATE, "y", do_year_start},
    {"date_trunc('week', $1)", HD_DATE, "y", do_week_start},
};

const function *function_pick_key(maker *m)
{
    return &key_functions[below(m, sizeof key_functions / sizeof *key_functions)];
}

enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

const function *function_pick(maker *m, hd_type type)
{
    for (int tries = 0; tries < 100; tries++) {
        const function *f = &functions[below(m, N_FUNCTIONS)];
        if (f->type == type)
            return f;
    }
    return NULL;
}

hd_type function_type(char kind)
{
    return kind == 'i' ? HD_INTEGER : kind == 'd' ? HD_DECIMAL : kind == 'y' ? HD_DATE : HD_TEXT;
}

bool function_constant(maker *m, char kind, hd_value *out)
{
    switch (kind) {
    case 'n':
        *out = (hd_value){.type = HD_INTEGER, .integer = below(m, 5)};
        return true;
    case 'p':
        *out = (hd_value){.type = HD_INTEGER, .integer = 1 + below(m, 9)};
        return true;
    case 'z':
        *out = (hd_value){.type = HD_INTEGER, .integer = (int64_t)below(m, 41) - 20};
        return true;
    case 'q':
        *out = (hd_value){.type = HD_DECIMAL, .decimal = ((double)below(m, 16) - 8 + 0.5) / 2};
        return true;
    default:
        return false;
    }
}
