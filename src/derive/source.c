/* source.c - see source.h. */
#include "derive/source.h"

#include <string.h>

#include "base/alloc.h"
#include "derive/codes.h"

hd_code hd_source_open(hd_source *s, hd_publish *p, const hd_table_def *def, hd_err *err)
{
    *s = (hd_source){.def = def};
    hd_code rc;
    HD_GO(hd_publish_read(p, def->name, &s->table, err));
    s->n_rows = hd_table_rows(s->table);
    s->loaded = hd_calloc(hd_table_n_columns(s->table) + 1, sizeof *s->loaded);
    if (!s->loaded) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(hd_table_persons(s->table, &s->persons, err));
out:
    if (rc != HD_OK)
        hd_source_close(s);
    return rc;
}

void hd_source_close(hd_source *s)
{
    for (size_t i = 0; s->loaded && i < hd_table_n_columns(s->table); i++)
        if (s->loaded[i])
            hd_table_unload(s->table, i);
    hd_free(s->loaded);
    *s = (hd_source){0};
}

hd_code hd_source_load(hd_source *s, const char *field, hd_source_column *out, hd_err *err)
{
    *out = (hd_source_column){0};
    int i = hd_table_find(s->table, field);
    if (i < 0) {
        if (hd_table_def_field(s->def, field))
            return HD_OK;
        return hd_fail(err, HD_FORMAT,
                       "a table built from %s needs field %s, which %s does not have", s->def->name,
                       field, s->def->name);
    }
    const hd_dictionary *d = hd_table_dictionary(s->table, (size_t)i);
    if (d && d->n_codes == 1) /* NULL in all rows, as in a table that does not have it */
        return HD_OK;
    out->kind = hd_table_column_spec(s->table, (size_t)i)->kind;
    out->dictionary = d;
    HD_TRY(hd_table_load(s->table, (size_t)i, &out->column, err));
    s->loaded[i] = true;
    return HD_OK;
}

/* ---- flags ---------------------------------------------------------------------------------- */

static hd_code add_condition(hd_flags *f, const char **names, hd_source *s, const hd_condition *c,
                             hd_err *err)
{
    if (!hd_codes_are_good(c->codes))
        return hd_fail(err, HD_FORMAT,
                       "the code list for %s of %s must be codes and ranges of codes of one "
                       "length, between blanks",
                       c->field, s->def->name);
    size_t k = 0;
    while (k < f->n_fields && strcmp(names[k], c->field) != 0)
        k++;
    if (k == f->n_fields) {
        HD_ALWAYS(k < HD_FLAG_FIELDS);
        f->fields[k].bits = NULL;
        HD_TRY(hd_source_load(s, c->field, &f->fields[k].source, err));
        names[k] = c->field;
        f->n_fields++;
        if (f->fields[k].source.dictionary) {
            f->fields[k].bits =
                hd_calloc(f->fields[k].source.dictionary->n_codes, sizeof(uint32_t));
            if (!f->fields[k].bits)
                return hd_fail_nomem(err);
        }
    }
    const hd_dictionary *d = f->fields[k].source.dictionary;
    for (uint32_t code = 1; d && code < d->n_codes; code++) {
        hd_value value = hd_dictionary_value(d, code);
        if (hd_codes_match(c->codes, &value))
            f->fields[k].bits[code] |= c->bit;
    }
    return HD_OK;
}

hd_code hd_flags_new(hd_flags *f, hd_source *s, const hd_condition *conditions, size_t n,
                     hd_err *err)
{
    *f = (hd_flags){0};
    const char *names[HD_FLAG_FIELDS];
    hd_code rc = HD_OK;
    for (size_t i = 0; i < n; i++)
        HD_GO(add_condition(f, names, s, &conditions[i], err));
out:
    if (rc != HD_OK)
        hd_flags_free(f);
    return rc;
}

void hd_flags_free(hd_flags *f)
{
    for (size_t i = 0; i < f->n_fields; i++)
        hd_free(f->fields[i].bits);
    *f = (hd_flags){0};
}

uint32_t hd_flags_of(const hd_flags *f, uint64_t row)
{
    uint32_t flags = 0;
    for (size_t i = 0; i < f->n_fields; i++) {
        const struct hd_flag_field *field = &f->fields[i];
        if (!field->bits)
            continue;
        uint64_t at, end;
        hd_source_elements(&field->source, row, &at, &end);
        for (; at < end; at++)
            flags |= field->bits[hd_code_at(field->source.column, at)];
    }
    return flags;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static hd_code numbers_of(hd_numbers *n, hd_source *s, const char *field,
                          int32_t (*number)(const hd_value *value, const hd_field *f), hd_err *err)
{
    *n = (hd_numbers){0};
    HD_TRY(hd_source_load(s, field, &n->source, err));
    const hd_dictionary *d = n->source.dictionary;
    if (!d)
        return HD_OK;
    n->by_code = hd_calloc(d->n_codes, sizeof *n->by_code);
    if (!n->by_code)
        return hd_fail_nomem(err);
    const hd_field *f = hd_table_def_field(s->def, field);
    for (uint32_t code = 0; code < d->n_codes; code++) {
        hd_value value = hd_dictionary_value(d, code);
        n->by_code[code] = number(&value, f);
    }
    return HD_OK;
}

void hd_numbers_free(hd_numbers *n)
{
    hd_free(n->by_code);
    *n = (hd_numbers){0};
}

static int32_t real_date(const hd_value *value, const hd_field *f)
{
    (void)f;
    bool is_real = !value->is_null && value->type == HD_DATE &&
                   value->integer >= hd_date_from_ymd(1900, 1, 1) && value->integer <= INT32_MAX;
    return is_real ? (int32_t)value->integer : HD_NUMBER_NONE;
}

static int32_t whole_number(const hd_value *value, const hd_field *f)
{
    (void)f;
    char digits[HD_CODE_TEXT_MAX];
    size_t len;
    const char *text = hd_code_text(value, digits, &len);
    if (len == 0 || len > 9 || value->type == HD_DATE)
        return HD_NUMBER_NONE;
    int32_t number = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return HD_NUMBER_NONE;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

static int32_t is_known(const hd_value *value, const hd_field *f)
{
    char digits[HD_CODE_TEXT_MAX];
    size_t len;
    const char *text = hd_code_text(value, digits, &len);
    if (value->is_null)
        return 0;
    for (size_t i = 0; f && i < f->n_codes; i++)
        if (strlen(f->codes[i].code) == len && memcmp(f->codes[i].code, text, len) == 0)
            return f->codes[i].meaning == HD_MEANING_VALID ||
                   f->codes[i].meaning == HD_MEANING_OTHER;
    return 1;
}

hd_code hd_dates_new(hd_numbers *n, hd_source *s, const char *field, hd_err *err)
{
    return numbers_of(n, s, field, real_date, err);
}

hd_code hd_numbers_new(hd_numbers *n, hd_source *s, const char *field, hd_err *err)
{
    return numbers_of(n, s, field, whole_number, err);
}

hd_code hd_known_new(hd_numbers *n, hd_source *s, const char *field, hd_err *err)
{
    return numbers_of(n, s, field, is_known, err);
}
