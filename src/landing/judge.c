/* judge.c - see judge.h. Codes are held by their canonical text: integers in decimal without
 * leading zeros, dates as YYYY-MM-DD, decimals as %.15g, text as it is. */
#include "landing/judge.h"
#include "base/alloc.h"
#include "base/date.h"
#include "base/intern.h"

#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PATTERN_TEXT = 256, NUMBER_TEXT = 48 };

struct hd_judge {
    const hd_field *field;
    int year;
    hd_intern *codes;   /* canonical texts */
    uint32_t *code_ids; /* for each entry of field->codes: its number in codes */
    bool is_closed;     /* only the codes (and the range, the pattern) are proper values */
    bool has_regex, pads_month;
    regex_t regex;
};

/* ---- notation ------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

static bool all_digits(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return len > 0;
}

bool hd_trim(const char **bytes, size_t *len)
{
    const char *p = *bytes, *end = p + *len;
    while (p < end && is_blank(*p))
        p++;
    while (end > p && is_blank(end[-1]))
        end--;
    *bytes = p;
    *len = (size_t)(end - p);
    return !(*len == 0 || (*len == 4 && (memcmp(p, "NULL", 4) == 0 || memcmp(p, "Null", 4) == 0 ||
                                         memcmp(p, "null", 4) == 0)));
}

/* Length of the whole-number part of "5.0" or "-5.00"; 0 when the text is not of that form. */
static size_t point_zero(const char *p, size_t len)
{
    size_t i = len && *p == '-', start = i;
    while (i < len && p[i] >= '0' && p[i] <= '9')
        i++;
    if (i == start || i >= len || p[i] != '.')
        return 0;
    size_t whole = i++;
    if (i == len)
        return 0;
    for (; i < len; i++)
        if (p[i] != '0')
            return 0;
    return whole;
}

bool hd_normal_id(const char **bytes, size_t *len, char scratch[10])
{
    if (!hd_trim(bytes, len))
        return false;
    const char *p = *bytes;
    size_t whole = point_zero(p, *len);
    if (whole)
        *len = whole;
    if (*len == 12 && (p[3] == ' ' || p[3] == '-') && p[7] == p[3] && all_digits(p, 3) &&
        all_digits(p + 4, 3) && all_digits(p + 8, 4)) {
        memcpy(scratch, p, 3);
        memcpy(scratch + 3, p + 4, 3);
        memcpy(scratch + 6, p + 8, 4);
        *bytes = p = scratch;
        *len = 10;
    }
    if (all_digits(p, *len))
        for (; *len > 1 && **bytes == '0'; ++*bytes)
            --*len;
    return true;
}

static int two(const char *p)
{
    return p[0] >= '0' && p[0] <= '9' && p[1] >= '0' && p[1] <= '9' ? (p[0] - '0') * 10 + p[1] - '0'
                                                                    : -1;
}

/* 12FEB2008 or 12-Feb-2008. */
static int32_t named_month_date(const char *p, size_t len)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    size_t gap = len == 11 && p[2] == p[6] && (p[2] == '-' || p[2] == ' ') ? 1 : 0;
    if (len != 9 + 2 * gap)
        return HD_DATE_NONE;
    const char *m = p + 2 + gap, *y = p + 5 + 2 * gap;
    int day = two(p), century = two(y), rest = two(y + 2);
    for (int i = 0; i < 12; i++)
        if (day >= 0 && century >= 0 && rest >= 0 && strncasecmp(m, names + 3 * i, 3) == 0)
            return hd_date_from_ymd(century * 100 + rest, i + 1, day);
    return HD_DATE_NONE;
}

int32_t hd_landing_date(const char *text, size_t len)
{
    if (len == 9 || len == 11) {
        int32_t named = named_month_date(text, len);
        if (named != HD_DATE_NONE)
            return named;
    }
    size_t whole = point_zero(text, len); /* 20080212.0 */
    if (whole)
        len = whole;
    /* base/date.h ignores what follows the day; only a clock time may follow */
    size_t day = len >= 8 && all_digits(text, 8) ? 8 : 10;
    for (size_t i = day; i < len; i++)
        if (!strchr("0123456789:.+-TZ ", text[i]))
            return HD_DATE_NONE;
    return hd_date_parse(text, len);
}

int hd_clock_minutes(const char *p, size_t len)
{
    size_t whole = point_zero(p, len);
    if (whole)
        len = whole;
    int hours = -1, minutes = -1;
    if (len == 4 && all_digits(p, 4))
        hours = two(p), minutes = two(p + 2);
    else if ((len == 5 || (len == 8 && p[5] == ':' && two(p + 6) >= 0)) && p[2] == ':')
        hours = two(p), minutes = two(p + 3);
    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60 ? hours * 60 + minutes : -1;
}

static bool read_integer(const char *p, size_t len, int64_t *out)
{
    size_t whole = point_zero(p, len);
    if (whole)
        len = whole;
    size_t i = len && (*p == '-' || *p == '+');
    if (!all_digits(p + i, len - i))
        return false;
    int64_t v = 0;
    for (; i < len; i++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, p[i] - '0', &v))
            return false;
    if (*p == '-') {
        *out = v;
        return true;
    }
    return !__builtin_sub_overflow(0, v, out);
}

static bool read_decimal(const char *p, size_t len, double *out)
{
    char text[NUMBER_TEXT];
    if (len >= sizeof text)
        return false;
    for (size_t i = 0; i < len; i++) /* no hexadecimal, no "inf" or "nan" */
        if (!strchr("0123456789.+-eE", p[i]))
            return false;
    memcpy(text, p, len);
    text[len] = '\0';
    char *end;
    *out = strtod(text, &end);
    return end == text + len && *out > -1e300 && *out < 1e300;
}

/* ---- codes ---------------------------------------------------------------------------------- */

/* The canonical text of a value; text values give their own bytes. */
static const char *canonical(const hd_value *v, char out[NUMBER_TEXT], size_t *len)
{
    if (v->type == HD_TEXT) {
        *len = v->text.len;
        return v->text.bytes;
    }
    char day[11];
    int n = 0;
    if (v->type == HD_DATE) {
        hd_date_format((int32_t)v->integer, day);
        n = snprintf(out, NUMBER_TEXT, "%s", day);
    } else if (v->type == HD_DECIMAL) {
        n = snprintf(out, NUMBER_TEXT, "%.15g", v->decimal);
    } else {
        n = snprintf(out, NUMBER_TEXT, "%" PRId64, v->integer);
    }
    *len = (size_t)n;
    return out;
}

/* Text to a value of the type, without judging it. False when it does not fit. */
static bool read_value(hd_type type, const char *p, size_t len, hd_value *v)
{
    *v = (hd_value){.type = type};
    switch (type) {
    case HD_INTEGER:
    case HD_BOOLEAN:
        return read_integer(p, len, &v->integer);
    case HD_DECIMAL:
        return read_decimal(p, len, &v->decimal);
    case HD_DATE:
        v->integer = hd_landing_date(p, len);
        return v->integer != HD_DATE_NONE;
    case HD_TEXT:
        break;
    }
    v->text.bytes = p;
    v->text.len = len;
    return true;
}

static uint32_t find_code(const hd_judge *j, const hd_value *v)
{
    char number[NUMBER_TEXT];
    size_t len;
    const char *p = canonical(v, number, &len);
    return hd_intern_find(j->codes, p, len);
}

static bool matches(const hd_judge *j, const char *p, size_t len)
{
    char text[PATTERN_TEXT];
    if (!j->has_regex || len >= sizeof text || memchr(p, '\0', len))
        return false;
    memcpy(text, p, len);
    text[len] = '\0';
    return regexec(&j->regex, text, 0, NULL, 0) == 0;
}

static hd_code read_codes(hd_judge *j, hd_err *err)
{
    const hd_field *f = j->field;
    j->codes = hd_intern_new();
    j->code_ids = hd_calloc(f->n_codes, sizeof *j->code_ids);
    if (!j->codes || !j->code_ids)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < f->n_codes; i++) {
        const hd_code_entry *c = &f->codes[i];
        hd_value v;
        if (!read_value(f->type, c->code, strlen(c->code), &v))
            return hd_fail(err, HD_FORMAT, "field %s: a code of its list is no %s", f->name,
                           hd_type_name(f->type));
        char number[NUMBER_TEXT];
        size_t len;
        const char *p = canonical(&v, number, &len);
        HD_TRY(hd_intern_add(j->codes, p, len, &j->code_ids[i], err));
        /* A list of nothing but sentinels leaves the field open. */
        j->is_closed |= c->meaning == HD_MEANING_VALID;
    }
    /* Beside a range the list only adds values to it. */
    if (f->has_range || f->type == HD_DATE)
        j->is_closed = false;
    return HD_OK;
}

hd_code hd_judge_new(hd_judge **out, const hd_field *field, int year, hd_err *err)
{
    *out = NULL;
    hd_judge *j = hd_calloc(1, sizeof *j);
    if (!j)
        return hd_fail_nomem(err);
    j->field = field;
    j->year = year;
    j->pads_month = strcmp(field->name, "mydob") == 0;
    hd_code rc = read_codes(j, err);
    if (rc == HD_OK && field->pattern && *field->pattern) {
        if (regcomp(&j->regex, field->pattern, REG_EXTENDED | REG_NOSUB) == 0)
            j->has_regex = true;
        else
            rc = hd_fail(err, HD_FORMAT, "field %s: its pattern is no regular expression",
                         field->name);
    }
    if (rc != HD_OK)
        hd_judge_free(j);
    else
        *out = j;
    return rc;
}

void hd_judge_free(hd_judge *j)
{
    if (!j)
        return;
    hd_intern_free(j->codes);
    hd_free(j->code_ids);
    if (j->has_regex)
        regfree(&j->regex);
    hd_free(j);
}

/* ---- judging -------------------------------------------------------------------------------- */

/* The entry's meaning when the code is in the list; a code outside its years is invalid. */
static bool listed(const hd_judge *j, uint32_t id, hd_meaning *meaning)
{
    bool found = false;
    for (size_t i = 0; i < j->field->n_codes && id != HD_INTERN_NONE; i++) {
        const hd_code_entry *c = &j->field->codes[i];
        if (j->code_ids[i] != id)
            continue;
        bool in_use = j->year == 0 || ((c->from_year == 0 || j->year >= c->from_year) &&
                                       (c->to_year == 0 || j->year <= c->to_year));
        if (in_use) {
            *meaning = c->meaning;
            return true;
        }
        found = true;
        *meaning = HD_MEANING_INVALID;
    }
    return found;
}

/* Notation of a text code: ".0" goes where the list or the pattern knows what is left, and a month
 * of birth that was once a number gets its leading zero back. */
static void normalise_text(const hd_judge *j, hd_judged *out)
{
    hd_value *v = &out->value;
    size_t whole = point_zero(v->text.bytes, v->text.len);
    if (whole) {
        hd_value cut = *v;
        cut.text.len = whole;
        if (j->pads_month || find_code(j, &cut) != HD_INTERN_NONE ||
            matches(j, cut.text.bytes, whole))
            *v = cut;
    }
    if (j->pads_month && v->text.len == 5 && all_digits(v->text.bytes, 5)) {
        out->scratch[0] = '0';
        memcpy(out->scratch + 1, v->text.bytes, 5);
        v->text.bytes = out->scratch;
        v->text.len = 6;
    }
}

static hd_meaning judge_value(const hd_judge *j, const hd_value *v)
{
    const hd_field *f = j->field;
    hd_meaning meaning;
    if (f->n_codes && listed(j, find_code(j, v), &meaning))
        return meaning;
    if (f->has_range) {
        double x = v->type == HD_DECIMAL ? v->decimal : (double)v->integer;
        return x >= f->minimum && x <= f->maximum ? HD_MEANING_VALID : HD_MEANING_INVALID;
    }
    if (j->has_regex && v->type == HD_TEXT)
        return matches(j, v->text.bytes, v->text.len) ? HD_MEANING_VALID : HD_MEANING_INVALID;
    return j->is_closed ? HD_MEANING_INVALID : HD_MEANING_VALID;
}

void hd_judge_text(const hd_judge *j, const char *raw, size_t len, hd_judged *out)
{
    hd_type type = j->field->type;
    *out = (hd_judged){.value = {.type = type, .is_null = true}, .meaning = HD_MEANING_MISSING};
    if (!hd_trim(&raw, &len))
        return;
    if (!read_value(type, raw, len, &out->value)) {
        out->value.is_null = true;
        out->meaning = HD_MEANING_INVALID;
        out->is_misfit = true;
        return;
    }
    if (type == HD_TEXT)
        normalise_text(j, out);
    out->meaning = judge_value(j, &out->value);
}
