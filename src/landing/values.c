/* values.c - what happens to a text when it is seen for the first time: judged, looked at for
 * identifiers, tested against the conditions, and given its code. */
#include "landing/private.h"


#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int64_t hd_value_number(const hd_judged *j)
{
    if (j->value.is_null || (j->meaning != HD_MEANING_VALID && j->meaning != HD_MEANING_OTHER))
        return INT64_MIN;
    if (j->value.type == HD_INTEGER || j->value.type == HD_DATE || j->value.type == HD_BOOLEAN)
        return j->value.integer;
    if (j->value.type != HD_TEXT)
        return INT64_MIN;
    int minutes = hd_clock_minutes(j->value.text.bytes, j->value.text.len);
    return minutes < 0 ? INT64_MIN : minutes;
}

/* Days from 1850 to 2208, or numbers to 4094: three dates and a position fill a key. */
enum { FIRST_DAY = -43829 }; /* hd_date_from_ymd(1850, 1, 1) */

unsigned hd_order_bits(hd_type type)
{
    return type == HD_DATE ? 17 : 12;
}

int64_t hd_order_pack(int64_t key, int64_t number, hd_type type)
{
    unsigned bits = hd_order_bits(type);
    const int64_t last = (INT64_C(1) << bits) - 1;
    int64_t v = last;
    if (number != INT64_MIN) {
        v = type == HD_DATE ? number - FIRST_DAY : number;
        v = v < 0 ? 0 : v >= last ? last - 1 : v;
    }
    return (key << bits) | v;
}

static uint64_t conditions_of(const hd_target *t, const hd_value *v)
{
    uint64_t bits = 0;
    char number[32];
    const char *text = number;
    size_t len;
    if (!t->condition_bits || v->is_null)
        return 0;
    if (v->type == HD_TEXT) {
        text = v->text.bytes;
        len = v->text.len;
    } else if (v->type == HD_INTEGER) {
        len = (size_t)snprintf(number, sizeof number, "%" PRId64, v->integer);
    } else {
        return 0;
    }
    const hd_rulebook *r = t->in->rules;
    for (size_t i = 0; i < r->n_conditions; i++)
        if (r->conditions[i].field == t->position &&
            hd_condition_holds(&r->conditions[i], text, len))
            bits |= UINT64_C(1) << i;
    return bits;
}

/* Words of letters parted by blanks or commas: how a name is written, and no code is. */
static bool is_like_name(const char *p, size_t len)
{
    size_t words = 0, letters = 0, parts = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)p[i];
        if (isalpha(c) || c >= 0x80) {
            words += letters++ == 0;
        } else if (c == ' ' || c == ',') {
            letters = 0;
            parts++;
        } else if (c != '-' && c != '\'' && c != '.') {
            return false;
        }
    }
    return words >= 2 && parts > 0;
}

static bool is_birth_month(const hd_field *f)
{
    return strcmp(f->name, "mydob") == 0;
}

/* What the text looks like in this field. In a month of birth every whole date, also DDMMYYYY and
 * what is left of it without its leading zero, is a date of birth. */
static unsigned shape_of(const hd_target *t, const char *text, size_t len)
{
    unsigned shape = hd_identifier_shape(text, len, t->in->file->data_year);
    if (t->field->type == HD_DECIMAL) /* the digits of a fraction are no number */
        return len == 10 ? shape & (HD_SHAPE_TEN_DIGITS | HD_SHAPE_NHS_NUMBER) : 0;
    if (is_birth_month(t->field)) {
        size_t digits = 0;
        while (digits < len && isdigit((unsigned char)text[digits]))
            digits++;
        if ((shape & HD_SHAPE_DATE) || (digits == len && (len == 7 || len == 8)))
            shape |= HD_SHAPE_DATE | HD_SHAPE_OLD_DATE;
    }
    return shape;
}

/* May the value not be stored? What the field's own codes, range or pattern vouch for always may;
 * of the rest nothing that looks like an identifier, be it a single one. */
static bool is_withheld(const hd_field *f, const hd_judged *j, unsigned shape, const char *text,
                        size_t len)
{
    bool has_codes = f->n_codes > 0 || *f->pattern;
    if (j->value.is_null || f->type == HD_DATE)
        return false;
    if (j->meaning == HD_MEANING_INVALID)
        return is_birth_month(f) || (shape & (HD_SHAPE_NHS_NUMBER | HD_SHAPE_REAL_POSTCODE)) ||
               (f->type == HD_TEXT && has_codes &&
                ((shape & HD_SHAPE_OLD_DATE) || is_like_name(text, len)));
    /* A list of sentinels vouches for no value outside it. */
    bool is_vouched = *f->pattern || f->has_range || f->is_closed ||
                      j->meaning != HD_MEANING_VALID;
    return !is_vouched && (shape & (HD_SHAPE_NHS_NUMBER | HD_SHAPE_REAL_POSTCODE));
}

hd_code hd_value_judge(void *target, const char *raw, size_t len, hd_known *out, hd_err *err)
{
    hd_target *t = target;
    hd_judged j;
    hd_judge_text(t->judge, raw, len, &j);
    const char *text = raw;
    size_t text_len = len;
    bool is_empty = !hd_trim(&text, &text_len);
    if (!is_empty) {
        out->shape = (uint8_t)shape_of(t, text, text_len);
        hd_identifier_note(&t->shapes, out->shape);
    }
    if (is_withheld(t->field, &j, out->shape, text, text_len)) {
        j.value.is_null = true;
        j.meaning = HD_MEANING_INVALID;
        text_len = 0;
    }
    bool is_proper =
        !j.value.is_null && (j.meaning == HD_MEANING_VALID || j.meaning == HD_MEANING_OTHER);
    out->meaning = (uint8_t)j.meaning;
    out->flags = (uint8_t)((j.value.is_null ? HD_KNOWN_NULL : 0) |
                           (j.is_misfit ? HD_KNOWN_MISFIT : 0) | (is_proper ? HD_KNOWN_PROPER : 0));
    out->number = hd_value_number(&j);
    if (j.value.type == HD_TEXT && !j.value.is_null && j.value.text.bytes >= raw &&
        j.value.text.bytes <= raw + len)
        text_len = j.value.text.len;
    out->text_at = (uint32_t)(text - raw);
    out->text_len = (uint32_t)text_len;
    out->conditions = conditions_of(t, &j.value);
    if (t->in->sink && t->out >= 0)
        return hd_builder_code(t->in->sink->builder, (size_t)t->out, &j.value, &out->code, err);
    return HD_OK;
}

hd_code hd_scan_value(const struct hd_intake *in, hd_scan *s, hd_slice v, hd_err *err)
{
    const char *text = v.bytes;
    size_t len = v.len;
    uint32_t n = hd_intern_count(s->texts), id;
    if (n >= HD_SCAN_VALUES || !hd_trim(&text, &len))
        return HD_OK;
    HD_TRY(hd_intern_add(s->texts, text, len, &id, err));
    if (id == n)
        hd_identifier_note(&s->shapes, hd_identifier_shape(text, len, in->file->data_year));
    return HD_OK;
}
