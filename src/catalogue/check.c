/* check.c - everything that can be wrong with a resolved definition, each with file, line and key.
 *
 * What is not checked here: whether DuckDB accepts an expression (a test asks it about all of them).
 */
#include "catalogue/model.h"

#include "base/alloc.h"
#include "base/date.h"
#include "base/intern.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_YEAR = 1989, LAST_YEAR = 2100 };

static const char *const derivations[] = {
    "provider_spell", "continuous_spell", "delivery", "person_by_key",
};

#define WRONG(d, key, ...) wrong(d, err, key, __VA_ARGS__)

static hd_code wrong(const draft *d, hd_err *err, const char *key, const char *fmt, ...)
    HD_PRINTF(4, 5);

static hd_code wrong(const draft *d, hd_err *err, const char *key, const char *fmt, ...)
{
    char where[140], what[260];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    bool listed = strncmp(d->where, "fields", 6) != 0; /* a name in same_as or carried */
    snprintf(where, sizeof where, "%s%s%s", d->where, listed ? "" : ".", listed ? "" : key);
    return hd_yaml_fail(d->file, err, where, "field '%s': %s", d->raw.name, what);
}

/* ---- one field ------------------------------------------------------------------------------- */

static bool fits_type(hd_type type, const char *s)
{
    char *end;
    errno = 0;
    switch (type) {
    case HD_INTEGER:
        strtoll(s, &end, 10);
        return *s && !*end && errno == 0;
    case HD_DECIMAL:
        strtod(s, &end);
        return *s && !*end && errno == 0;
    case HD_DATE:
        return hd_date_parse(s, strlen(s)) != HD_DATE_NONE;
    case HD_TEXT:
    case HD_BOOLEAN:
        break;
    }
    return *s != '\0';
}

static bool years_make_sense(int from, int to)
{
    return (from == 0 || (from >= FIRST_YEAR && from <= LAST_YEAR)) &&
           (to == 0 || (to >= FIRST_YEAR && to <= LAST_YEAR)) && (!from || !to || from <= to);
}

static bool years_overlap(const hd_code_entry *a, const hd_code_entry *b)
{
    return (!a->to_year || !b->from_year || b->from_year <= a->to_year) &&
           (!b->to_year || !a->from_year || a->from_year <= b->to_year);
}

static hd_code check_codes(const draft *d, hd_err *err)
{
    const hd_field *f = &d->field;
    for (size_t i = 0; i < f->n_codes; i++) {
        const hd_code_entry *e = &f->codes[i];
        size_t own = f->n_codes - d->raw.n_codes; /* the field's own come last */
        char key[40] = "codes";
        if (d->raw.n_codes && i >= own)
            snprintf(key, sizeof key, "codes[%zu]", i - own);
        if (!fits_type(f->type, e->code))
            return WRONG(d, key, "code '%s' is not of type %s", e->code, hd_type_name(f->type));
        if (!years_make_sense(e->from_year, e->to_year))
            return WRONG(d, key, "code '%s' has impossible years", e->code);
        for (size_t k = 0; k < i; k++)
            if (strcmp(f->codes[k].code, e->code) == 0 && years_overlap(&f->codes[k], e))
                return WRONG(d, key, "code '%s' occurs twice", e->code);
    }
    return HD_OK;
}

static hd_code check_list(const draft *d, bool is_built, hd_err *err)
{
    const hd_field *f = &d->field;
    if (f->kind != HD_FIELD_LIST) {
        if (f->n_elements || f->n_element_names)
            return WRONG(d, "elements", "only a list has elements");
        return HD_OK;
    }
    if (f->n_elements == 0 && !is_built)
        return WRONG(d, "elements", "a list needs elements: how many positions a row has");
    for (size_t i = 0; i < f->n_columns; i++)
        if (!hd_has_position(f->columns[i]))
            return WRONG(d, "columns", "'%s' needs %%02d or %%d for the position", f->columns[i]);
    for (size_t i = 0; i < f->n_element_names; i++)
        if (!hd_has_position(f->element_names[i]))
            return WRONG(d, "element_names", "'%s' needs %%02d or %%d for the position",
                         f->element_names[i]);
    return HD_OK;
}

static hd_code check_values(const draft *d, hd_err *err)
{
    const hd_field *f = &d->field;
    if (f->has_range && f->type != HD_INTEGER && f->type != HD_DECIMAL)
        return WRONG(d, "minimum", "a range needs type integer or decimal");
    if (f->has_range && f->minimum > f->maximum)
        return WRONG(d, "minimum", "minimum is above maximum");
    if (!years_make_sense(f->from_year, f->to_year))
        return WRONG(d, "valid_from", "impossible years");
    if (f->pattern[0]) {
        regex_t re;
        if (f->type != HD_TEXT)
            return WRONG(d, "pattern", "a pattern needs type text");
        if (regcomp(&re, f->pattern, REG_EXTENDED | REG_NOSUB) != 0)
            return WRONG(d, "pattern", "not a regular expression");
        regfree(&re);
    }
    return HD_OK;
}

/* Names in an expression: words outside quotes that no parenthesis follows. */
static hd_code check_expression(const draft_table *t, const draft *d, hd_err *err)
{
    const hd_field *f = &d->field;
    bool reads_it = false;
    if (f->kind != HD_FIELD_EXPRESSION) {
        if (f->expression[0] || f->of[0])
            return WRONG(d, "expression", "only a field of kind expression has one");
        return HD_OK;
    }
    if (!f->expression[0])
        return WRONG(d, "expression", "missing");
    for (const char *s = f->expression; *s;) {
        if (*s == '\'') {
            const char *end = strchr(s + 1, '\'');
            if (!end)
                return WRONG(d, "expression", "a quote is not closed");
            s = end + 1;
        } else if (isalpha((unsigned char)*s) || *s == '_') {
            char word[80];
            unsigned position;
            size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
            snprintf(word, sizeof word, "%.*s", (int)(n < 79 ? n : 79), s);
            s += n;
            if (s[strspn(s, " ")] == '(')
                continue;
            if (strcmp(word, f->of) == 0)
                reads_it = true;
            else if (hd_table_def_field(&t->def, word) ||
                     hd_table_def_element(&t->def, word, &position))
                return WRONG(d, "expression", "reads '%s' besides '%s': one field only", word,
                             f->of);
        } else {
            s += isdigit((unsigned char)*s) ? strspn(s, "0123456789abcdefxABCDEFX.") : 1;
        }
    }
    if (!reads_it)
        return WRONG(d, "expression", "does not read '%s'", f->of);
    return HD_OK;
}

static hd_code check_source(const draft_table *t, const draft *d, hd_err *err)
{
    const hd_field *f = &d->field;
    bool computed = d->raw.computed && *d->raw.computed;
    if (!t->is_built) {
        if (f->from[0] || f->take[0] || computed)
            return WRONG(d, "from", "from, take and computed are for built tables");
        return HD_OK;
    }
    if (f->kind == HD_FIELD_EXPRESSION) {
        if (f->from[0] || computed)
            return WRONG(d, "from", "an expression is neither carried nor computed");
        return HD_OK;
    }
    if (computed == (f->from[0] != '\0'))
        return WRONG(d, "from", "needs either from and take, or computed: true");
    if (f->from[0] && strcmp(f->take, "first") != 0 && strcmp(f->take, "last") != 0 &&
        strcmp(f->take, "any") != 0)
        return WRONG(d, "take", "must be first, last or any");
    return HD_OK;
}

static hd_code check_field(const draft_table *t, const draft *d, hd_err *err)
{
    const hd_field *f = &d->field;
    unsigned position;
    if (!hd_is_name(f->name))
        return WRONG(d, "name", "a name is a letter, then lower-case letters, digits and _");
    for (const draft *e = t->drafts; e < d; e++)
        if (strcmp(e->field.name, f->name) == 0)
            return WRONG(d, "name", "is defined twice");
    if (hd_table_def_element(&t->def, f->name, &position))
        return WRONG(d, "name", "is also the name of an element of a list");
    if (!f->title[0])
        return WRONG(d, "title", "missing");
    if (f->kind == HD_FIELD_IDENTIFYING && (f->n_codes || f->pattern[0]))
        return WRONG(d, "kind", "an identifying field is dropped, so it has no codes or pattern");
    HD_TRY(check_list(d, t->is_built, err));
    HD_TRY(check_codes(d, err));
    HD_TRY(check_values(d, err));
    HD_TRY(check_expression(t, d, err));
    return check_source(t, d, err);
}

/* ---- one table ------------------------------------------------------------------------------- */

/* No two fields may want the same column. */
static hd_code check_columns(const draft_table *t, hd_err *err)
{
    hd_intern *seen = hd_intern_new();
    hd_code rc = seen ? HD_OK : hd_fail_nomem(err);
    for (size_t i = 0; i < t->n_drafts && rc == HD_OK; i++) {
        const draft *d = &t->drafts[i];
        for (size_t k = 0; k < d->field.n_columns && rc == HD_OK; k++) {
            char upper[80];
            uint32_t id, before = hd_intern_count(seen);
            size_t n = 0;
            for (const char *s = d->field.columns[k]; *s && n < sizeof upper; s++)
                upper[n++] = (char)toupper((unsigned char)*s);
            rc = hd_intern_add(seen, upper, n, &id, err);
            if (rc == HD_OK && id != before)
                rc = WRONG(d, "columns", "column '%s' belongs to another field already",
                           d->field.columns[k]);
        }
    }
    hd_intern_free(seen);
    return rc;
}

static hd_code check_refers(const draft_table *t, const char *key, const char *name, bool is_date,
                            hd_err *err)
{
    const hd_field *f = hd_table_def_field(&t->def, name);
    if (!f)
        return hd_yaml_fail(t->file, err, key, "the table has no field '%s'", name);
    if (is_date && f->type != HD_DATE)
        return hd_yaml_fail(t->file, err, key, "field '%s' is not a date", name);
    return HD_OK;
}

static hd_code check_origin(const hd_catalogue *c, const draft_table *t, hd_err *err)
{
    const hd_table_def *def = &t->def;
    bool known = false, has_person = false;
    for (size_t i = 0; i < sizeof derivations / sizeof *derivations; i++)
        known |= strcmp(derivations[i], def->derivation) == 0;
    if (def->derivation[0] && !known)
        return hd_yaml_fail(t->file, err, "derivation", "unknown derivation '%s'", def->derivation);
    if (def->from[0] && !hd_catalogue_table(c, def->from))
        return hd_yaml_fail(t->file, err, "from", "there is no table '%s'", def->from);
    if (t->is_built) {
        if (!def->from[0] || !def->derivation[0])
            return hd_yaml_fail(t->file, err, "from", "a built table needs from and derivation");
        return HD_OK;
    }
    if (!def->file_tag[0])
        return hd_yaml_fail(t->file, err, "file_tag", "a data set needs a file_tag");
    for (size_t i = 0; i < def->n_fields; i++)
        has_person |= def->fields[i].kind == HD_FIELD_PERSON;
    if (!has_person && !def->derivation[0])
        return hd_yaml_fail(t->file, err, "fields", "no field of kind person, and no derivation "
                            "that gives one");
    return HD_OK;
}

static hd_code check_table(const hd_catalogue *c, const draft_table *t, hd_err *err)
{
    const hd_table_def *def = &t->def;
    char key[40];
    if (!hd_is_name(def->name))
        return hd_yaml_fail(t->file, err, "name", "a name is a letter, then lower-case letters, "
                            "digits and _");
    for (size_t i = 0; i < c->n_tables; i++) {
        const draft_table *o = &c->tables[i];
        if (o < t && strcmp(o->def.name, def->name) == 0)
            return hd_yaml_fail(t->file, err, "name", "there are two tables '%s'", def->name);
        if (o < t && def->file_tag[0] && strcmp(o->def.file_tag, def->file_tag) == 0)
            return hd_yaml_fail(t->file, err, "file_tag", "table %s has it already", o->def.name);
    }
    HD_TRY(check_origin(c, t, err));
    for (size_t i = 0; i < def->n_parameters; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(def->parameters[i].name, def->parameters[k].name) == 0) {
                snprintf(key, sizeof key, "parameters[%zu]", i);
                return hd_yaml_fail(t->file, err, key, "parameter '%s' is given twice",
                                    def->parameters[i].name);
            }
    for (size_t i = 0; i < t->n_drafts; i++)
        HD_TRY(check_field(t, &t->drafts[i], err));
    HD_TRY(check_columns(t, err));
    for (size_t i = 0; i < def->n_order; i++) {
        snprintf(key, sizeof key, "order[%zu]", i);
        HD_TRY(check_refers(t, key, def->order[i], false, err));
    }
    if (def->key[0])
        HD_TRY(check_refers(t, "key", def->key, false, err));
    if (def->period[0])
        HD_TRY(check_refers(t, "period", def->period, true, err));
    return HD_OK;
}

hd_code hd_catalogue_check(const hd_catalogue *c, hd_err *err)
{
    const raw_code_set *sets = c->code_sets->items;
    for (size_t i = 0; i < c->code_sets->n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(sets[i].name, sets[k].name) == 0) {
                char where[40];
                snprintf(where, sizeof where, "code_sets[%zu].name", i);
                return hd_yaml_fail(c->code_sets_file, err, where, "code set '%s' is defined twice",
                                    sets[i].name);
            }
    for (size_t i = 0; i < c->n_tables; i++)
        HD_TRY(check_table(c, &c->tables[i], err));
    return HD_OK;
}
