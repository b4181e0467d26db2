/* resolve.c - raw fields to hd_field: positions expanded, shared definitions followed, values of
 * words (kinds, types, meanings) looked up. What a field does not say itself it takes from the field
 * it is like, or comes from.
 */
#include "catalogue/model.h"

#include "base/alloc.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_POSITIONS = 99 };

static const char *const kinds[] = {
    [HD_FIELD_STORED] = "stored", [HD_FIELD_LIST] = "list",
    [HD_FIELD_KEY] = "key",       [HD_FIELD_PERSON] = "person",
    [HD_FIELD_IDENTIFYING] = "identifying", [HD_FIELD_EXPRESSION] = "expression",
};
static const char *const types[] = {
    [HD_TEXT] = "text",       [HD_INTEGER] = "integer", [HD_DECIMAL] = "decimal",
    [HD_DATE] = "date",       [HD_BOOLEAN] = "boolean",
};
static const char *const meanings[] = {
    [HD_MEANING_VALID] = "valid",     [HD_MEANING_OTHER] = "other",
    [HD_MEANING_DEFAULT] = "default", [HD_MEANING_INVALID] = "invalid",
    [HD_MEANING_MISSING] = "missing",
};

#define WORD(table, text) word_of(table, sizeof table / sizeof *table, text)

static int word_of(const char *const *table, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i], text) == 0)
            return (int)i;
    return -1;
}

static hd_code complain(const draft *d, hd_err *err, const char *key, const char *what,
                        const char *value)
{
    char where[120];
    snprintf(where, sizeof where, "%s.%s", d->where, key);
    return hd_yaml_fail(d->file, err, where, "%s '%s'", what, value);
}

static draft *find_draft(const draft_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_drafts; i++)
        if (strcmp(t->drafts[i].raw.name, name) == 0)
            return &t->drafts[i];
    return NULL;
}

/* ---- drafts of one table --------------------------------------------------------------------- */

static hd_code add_draft(hd_catalogue *c, draft_table *t, const raw_field *raw, hd_yaml *file,
                         const char *where, hd_err *err)
{
    (void)c;
    if (!where || !HD_GROW(t->drafts, t->n_drafts, t->cap_drafts))
        return hd_fail_nomem(err);
    t->drafts[t->n_drafts++] = (draft){.raw = *raw, .file = file, .where = where};
    return HD_OK;
}

/* "diag_3_%02d" with elements 20 is twenty expressions. */
static hd_code add_positions(hd_catalogue *c, draft_table *t, const raw_field *raw,
                             const char *where, hd_err *err)
{
    if (!raw->elements || *raw->elements < 1 || *raw->elements > MAX_POSITIONS)
        return hd_yaml_fail(t->file, err, where, "field '%s' needs elements: 1 to %d", raw->name,
                            (int)MAX_POSITIONS);
    for (unsigned p = 1; p <= (unsigned)*raw->elements; p++) {
        raw_field one = *raw;
        one.elements = NULL;
        one.name = hd_keep_position(c, raw->name, p);
        one.title = raw->title ? hd_keep_position(c, raw->title, p) : NULL;
        one.of = raw->of ? hd_keep_position(c, raw->of, p) : NULL;
        one.expression = raw->expression ? hd_keep_position(c, raw->expression, p) : NULL;
        if (!one.name || (raw->title && !one.title) || (raw->of && !one.of) ||
            (raw->expression && !one.expression))
            return hd_fail_nomem(err);
        HD_TRY(add_draft(c, t, &one, t->file, where, err));
    }
    return HD_OK;
}

static hd_code add_names(hd_catalogue *c, draft_table *t, const raw_names *lists, size_t n,
                         const char *part, hd_err *err)
{
    for (size_t j = 0; j < n; j++)
        for (size_t k = 0; k < lists[j].n_fields; k++) {
            raw_field raw = {.name = lists[j].fields[k]};
            if (lists[j].table) {
                raw.like = lists[j].table;
            } else {
                raw.from = raw.name;
                raw.take = lists[j].take;
            }
            HD_TRY(add_draft(c, t, &raw, t->file,
                             hd_keep_printf(c, "%s[%zu].fields[%zu]", part, j, k), err));
        }
    return HD_OK;
}

static hd_code add_drafts(hd_catalogue *c, draft_table *t, hd_err *err)
{
    for (size_t i = 0; i < t->raw->n_fields; i++) {
        const raw_field *raw = &t->raw->fields[i];
        const char *where = hd_keep_printf(c, "fields[%zu]", i);
        if (!where)
            return hd_fail_nomem(err);
        if (hd_has_position(raw->name))
            HD_TRY(add_positions(c, t, raw, where, err));
        else
            HD_TRY(add_draft(c, t, raw, t->file, where, err));
    }
    HD_TRY(add_names(c, t, t->raw->same_as, t->raw->n_same_as, "same_as", err));
    HD_TRY(add_names(c, t, t->raw->carried, t->raw->n_carried, "carried", err));
    const raw_field *identifying = c->identifying->items;
    for (size_t i = 0; i < c->identifying->n && !t->is_built; i++) {
        raw_field raw = identifying[i];
        raw.kind = kinds[HD_FIELD_IDENTIFYING];
        if (!find_draft(t, raw.name))
            HD_TRY(add_draft(c, t, &raw, c->identifying_file,
                             hd_keep_printf(c, "fields[%zu]", i), err));
    }
    return HD_OK;
}

/* ---- one field ------------------------------------------------------------------------------- */

static hd_code convert_codes(hd_code_entry *out, const raw_code *raw, size_t n, hd_yaml *file,
                             const char *where, hd_err *err)
{
    for (size_t i = 0; i < n; i++) {
        char at[140];
        int m = raw[i].meaning ? WORD(meanings, raw[i].meaning) : HD_MEANING_VALID;
        snprintf(at, sizeof at, "%s.codes[%zu].meaning", where, i);
        if (m < 0)
            return hd_yaml_fail(file, err, at, "'%s' is none of valid, other, default, invalid, "
                                "missing", raw[i].meaning);
        out[i] = (hd_code_entry){raw[i].code, raw[i].label, (hd_meaning)m,
                                 raw[i].from ? (int)*raw[i].from : 0,
                                 raw[i].to ? (int)*raw[i].to : 0};
    }
    return HD_OK;
}

static const raw_code_set *find_code_set(const hd_catalogue *c, const char *name, size_t *index)
{
    const raw_code_set *sets = c->code_sets->items;
    for (size_t i = 0; i < c->code_sets->n; i++)
        if (strcmp(sets[i].name, name) == 0) {
            *index = i;
            return &sets[i];
        }
    return NULL;
}

/* Codes of the named sets, then the field's own. */
static hd_code give_codes(hd_catalogue *c, draft *d, hd_err *err)
{
    size_t n = d->raw.n_codes, at = 0, index = 0;
    char where[40];
    if (d->raw.n_codes == 0 && d->raw.n_code_sets == 0)
        return HD_OK;
    for (size_t i = 0; i < d->raw.n_code_sets; i++) {
        const raw_code_set *s = find_code_set(c, d->raw.code_sets[i], &index);
        if (!s)
            return complain(d, err, "code_sets", "there is no code set", d->raw.code_sets[i]);
        n += s->n_codes;
    }
    hd_code_entry *codes = hd_keep(c, n, sizeof *codes);
    if (!codes)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < d->raw.n_code_sets; i++) {
        const raw_code_set *s = find_code_set(c, d->raw.code_sets[i], &index);
        snprintf(where, sizeof where, "code_sets[%zu]", index);
        HD_TRY(convert_codes(codes + at, s->codes, s->n_codes, c->code_sets_file, where, err));
        at += s->n_codes;
    }
    HD_TRY(convert_codes(codes + at, d->raw.codes, d->raw.n_codes, d->file, d->where, err));
    d->field.codes = codes;
    d->field.n_codes = n;
    return HD_OK;
}

/* A list of proper codes, and neither pattern nor range that would let other values in. */
static bool is_closed(const hd_field *f)
{
    if (f->pattern[0] || f->has_range)
        return false;
    for (size_t i = 0; i < f->n_codes; i++)
        if (f->codes[i].meaning == HD_MEANING_VALID)
            return true;
    return false;
}

static hd_code give_words(draft *d, hd_err *err)
{
    if (d->raw.kind) {
        int k = WORD(kinds, d->raw.kind);
        if (k < 0)
            return complain(d, err, "kind", "unknown kind", d->raw.kind);
        d->field.kind = (hd_field_kind)k;
    }
    if (d->raw.type) {
        int k = WORD(types, d->raw.type);
        if (k < 0)
            return complain(d, err, "type", "unknown type", d->raw.type);
        d->field.type = (hd_type)k;
    }
    return HD_OK;
}

static hd_code give_columns(hd_catalogue *c, const draft_table *t, draft *d, hd_err *err)
{
    hd_field *f = &d->field;
    if (t->is_built || f->kind == HD_FIELD_EXPRESSION) {
        f->columns = NULL;
        f->n_columns = 0;
        f->is_required = false;
        return HD_OK;
    }
    if (d->raw.n_columns) {
        f->columns = d->raw.columns;
        f->n_columns = d->raw.n_columns;
    } else if (f->n_columns == 0) {
        f->columns = hd_keep(c, 1, sizeof *f->columns);
        if (!f->columns)
            return hd_fail_nomem(err);
        char *upper = hd_keep(c, strlen(f->name) + 1, 1);
        if (!upper)
            return hd_fail_nomem(err);
        for (size_t i = 0; f->name[i]; i++)
            upper[i] = (char)toupper((unsigned char)f->name[i]);
        f->columns[0] = upper;
        f->n_columns = 1;
    }
    return HD_OK;
}

/* What this field says itself goes over what it inherited. */
static hd_code give_own(hd_catalogue *c, const draft_table *t, draft *d, hd_err *err)
{
    const raw_field *r = &d->raw;
    hd_field *f = &d->field;
#define OWN(member) f->member = r->member ? r->member : f->member ? f->member : ""
    f->name = r->name;
    OWN(title);
    OWN(note);
    OWN(pattern);
    OWN(of);
    OWN(expression);
#undef OWN
    f->source = r->source ? r->source : f->source ? f->source : t->raw->source;
    HD_TRY(give_words(d, err));
    HD_TRY(give_columns(c, t, d, err));
    if (r->elements) {
        if (*r->elements < 1 || *r->elements > MAX_POSITIONS)
            return hd_yaml_fail(d->file, err, d->where, "elements is not 1 to %d",
                                (int)MAX_POSITIONS);
        f->n_elements = (unsigned)*r->elements;
    }
    if (r->n_element_names) {
        f->element_names = r->element_names;
        f->n_element_names = r->n_element_names;
    }
    if (r->minimum || r->maximum) {
        f->has_range = true;
        f->minimum = r->minimum ? *r->minimum : -1e300;
        f->maximum = r->maximum ? *r->maximum : 1e300;
    }
    f->from_year = r->valid_from ? (int)*r->valid_from : f->from_year;
    f->to_year = r->valid_to ? (int)*r->valid_to : f->to_year;
    f->is_subnational = r->subnational ? *r->subnational : f->is_subnational;
    f->is_required = r->required ? *r->required : f->is_required;
    HD_TRY(give_codes(c, d, err));
    f->is_closed = is_closed(f);
    return HD_OK;
}

static hd_code resolve_field(hd_catalogue *c, draft_table *t, draft *d, hd_err *err);

/* The field that `like` or `from` names, resolved. */
static hd_code inherit(hd_catalogue *c, draft_table *t, draft *d, hd_err *err)
{
    const char *key = d->raw.like ? "like" : "from";
    const char *text = d->raw.like ? d->raw.like : d->raw.from;
    char table[64], name[64];
    if (d->raw.like && d->raw.from)
        return complain(d, err, "like", "a field cannot have both like and from:", text);
    const char *dot = d->raw.like ? strchr(text, '.') : NULL;
    snprintf(table, sizeof table, "%.*s", dot ? (int)(dot - text) : 63,
             d->raw.like ? text : t->raw->from ? t->raw->from : "");
    snprintf(name, sizeof name, "%s", !d->raw.like ? text : dot ? dot + 1 : d->raw.name);
    draft_table *from_table = hd_catalogue_draft(c, table);
    if (!from_table)
        return complain(d, err, key, "there is no table", table);
    draft *source = find_draft(from_table, name);
    if (!source)
        return hd_yaml_fail(d->file, err, d->where, "%s: table %s has no field '%s'", key, table,
                            name);
    HD_TRY(resolve_field(c, from_table, source, err));
    d->field = source->field;
    if (strcmp(d->raw.name, source->raw.name) != 0) { /* another name, other columns */
        d->field.n_columns = 0;
        d->field.n_element_names = 0;
    }
    if (!d->raw.subnational)
        d->raw.subnational = source->raw.subnational;
    return HD_OK;
}

static hd_code resolve_field(hd_catalogue *c, draft_table *t, draft *d, hd_err *err)
{
    if (d->state == DRAFT_DONE)
        return HD_OK;
    if (d->state == DRAFT_BUSY)
        return hd_yaml_fail(d->file, err, d->where, "field '%s' is defined by way of itself",
                            d->raw.name);
    d->state = DRAFT_BUSY;
    if (d->raw.like || d->raw.from)
        HD_TRY(inherit(c, t, d, err));
    if (d->raw.from || !d->raw.like) {
        d->field.from = d->raw.from ? d->raw.from : "";
        d->field.take = d->raw.take ? d->raw.take : "";
    }
    HD_TRY(give_own(c, t, d, err));
    if (strcmp(d->field.take, "any") == 0 && d->field.kind == HD_FIELD_LIST) {
        d->field.n_elements = 0; /* what the rows add up to: a list without an end */
        if (!d->raw.n_element_names)
            d->field.n_element_names = 0;
    }
    d->state = DRAFT_DONE;
    return HD_OK;
}

/* ---- expressions and the table --------------------------------------------------------------- */

/* A breakdown by something computed from a provider is as fine as one by provider, unless the
 * definition says otherwise. Follows `of`; depth catches circles. */
static hd_code settle(draft_table *t, draft *d, size_t depth, hd_err *err)
{
    unsigned position;
    if (d->field.kind != HD_FIELD_EXPRESSION)
        return HD_OK;
    if (depth > t->n_drafts)
        return complain(d, err, "of", "expressions go round in a circle at", d->field.name);
    draft *of = find_draft(t, d->field.of);
    if (of) {
        HD_TRY(settle(t, of, depth + 1, err));
        if (!d->raw.subnational)
            d->field.is_subnational = of->field.is_subnational;
        return HD_OK;
    }
    for (size_t i = 0; i < t->n_drafts; i++)
        for (size_t k = 0; k < t->drafts[i].field.n_element_names; k++)
            if (hd_fits_position(t->drafts[i].field.element_names[k], d->field.of,
                                 strlen(d->field.of), &position) &&
                (t->drafts[i].field.n_elements == 0 ||
                 position <= t->drafts[i].field.n_elements)) {
                if (!d->raw.subnational)
                    d->field.is_subnational = t->drafts[i].field.is_subnational;
                return HD_OK;
            }
    return complain(d, err, "of", d->field.of[0] ? "this table has no field" : "missing in",
                    d->field.of[0] ? d->field.of : d->field.name);
}

static hd_code finish(hd_catalogue *c, draft_table *t, hd_err *err)
{
    const raw_table *r = t->raw;
    hd_field *fields = hd_keep(c, t->n_drafts + 1, sizeof *fields);
    if (!fields)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < t->n_drafts; i++)
        HD_TRY(settle(t, &t->drafts[i], 0, err));
    for (size_t i = 0; i < t->n_drafts; i++)
        fields[i] = t->drafts[i].field;
#define GIVEN(member) (r->member ? r->member : "")
    t->def = (hd_table_def){
        .name = r->name, .title = r->title, .source = r->source, .note = GIVEN(note),
        .is_built = t->is_built, .unit = r->unit, .file_tag = GIVEN(file_tag),
        .from = GIVEN(from), .derivation = GIVEN(derivation), .n_parameters = r->n_parameters,
        .parameters = r->parameters, .n_order = r->n_order, .order = r->order,
        .period = GIVEN(period), .key = GIVEN(key), .n_fields = t->n_drafts, .fields = fields,
        .n_ignored = r->n_ignored, .ignored = r->ignored,
    };
#undef GIVEN
    return HD_OK;
}

hd_code hd_catalogue_resolve(hd_catalogue *c, hd_err *err)
{
    for (size_t i = 0; i < c->n_tables; i++)
        HD_TRY(add_drafts(c, &c->tables[i], err));
    for (size_t i = 0; i < c->n_tables; i++)
        for (size_t k = 0; k < c->tables[i].n_drafts; k++)
            HD_TRY(resolve_field(c, &c->tables[i], &c->tables[i].drafts[k], err));
    for (size_t i = 0; i < c->n_tables; i++)
        HD_TRY(finish(c, &c->tables[i], err));
    return HD_OK;
}
