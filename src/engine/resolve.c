/* resolve.c - names in a question to columns of the vault.
 *
 * Invariant: after hd_resolve, every COLUMN_REF of a tree names a stored field, a list element by
 * position, #anyN, #person, or (in HAVING, ORDER BY) an alias that ask.c looks up; every function is
 * on the list of functions.c or an aggregate; no subquery, window or star is left.
 */
#include "engine/order.h"
#include "base/alloc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct resolver {
    hd_engine *e;
    asked *a;
    const char *alias; /* of the table */
    unsigned depth;
};

hd_code hd_asked_keep(asked *a, char *s, const char **out, hd_err *err)
{
    if (!s || !HD_GROW(a->strings, a->n_strings, a->strings_cap)) {
        hd_free(s);
        return hd_fail_nomem(err);
    }
    a->strings[a->n_strings++] = s;
    *out = s;
    return HD_OK;
}

column_ref hd_column_parse(const asked *a, const char *canonical)
{
    column_ref ref = {.any = -1};
    if (strncmp(canonical, "#any", 4) == 0) {
        ref.any = atoi(canonical + 4);
        return ref;
    }
    for (size_t i = 0; canonical[0] == '#' && i < a->n_orders; i++)
        if (strcmp(a->orders[i].name, canonical) == 0)
            ref.order = &a->orders[i];
    char name[64];
    const char *hash = strchr(canonical, '#');
    size_t n = hash ? (size_t)(hash - canonical) : strlen(canonical);
    if (n >= sizeof name)
        return ref;
    memcpy(name, canonical, n);
    name[n] = '\0';
    ref.field = hd_table_def_field(a->table, name);
    if (hash && isdigit((unsigned char)hash[1]))
        ref.element = (unsigned)atoi(hash + 1);
    return ref;
}

/* ---- single column --------------------------------------------------------------------------- */

struct single {
    const char *name; /* "" none yet */
    bool several;
};

static json_t *see_column(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    struct single *s = ctx;
    const char *name = hd_tree_column(node);
    if (name) {
        if (*s->name && strcmp(s->name, name) != 0)
            s->several = true;
        s->name = name;
    }
    *rc = hd_tree_each_child(node, see_column, ctx, err);
    return NULL;
}

const char *hd_single_column(const json_t *node)
{
    struct single s = {.name = ""};
    hd_code rc = HD_OK;
    hd_err err;
    (void)see_column(&s, (json_t *)(uintptr_t)node, &rc, &err);
    return s.several ? NULL : s.name;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* One position of a list: primary_NAME, or as its element names say (diag_03). */
static const hd_field *list_element(const hd_table_def *t, const char *name, unsigned *element)
{
    if (strncmp(name, "primary_", 8) == 0) {
        const hd_field *f = hd_table_def_field(t, name + 8);
        *element = 1;
        if (f && f->kind == HD_FIELD_LIST)
            return f;
    }
    return hd_table_def_element(t, name, element);
}

static const hd_field *any_of_list(const hd_table_def *t, const char *name)
{
    if (strncmp(name, "any_", 4) != 0)
        return NULL;
    const hd_field *f = hd_table_def_field(t, name + 4);
    return f && f->kind == HD_FIELD_LIST ? f : NULL;
}

static hd_code new_column(json_t **node, hd_err *err, const char *fmt, const char *name,
                          unsigned element)
{
    char text[96];
    if (element)
        snprintf(text, sizeof text, "%s#%u", name, element);
    else
        snprintf(text, sizeof text, fmt, name);
    *node = hd_tree_new_column(text);
    return *node ? HD_OK : hd_fail_nomem(err);
}

static hd_code rewrite(struct resolver *r, json_t *node, json_t **out, hd_err *err);

static hd_code expand(struct resolver *r, const hd_field *f, json_t **out, hd_err *err)
{
    json_t *tree = NULL;
    if (++r->depth > HD_MAX_DEPTH)
        return hd_fail(err, HD_INVALID, "field %s is defined in terms of itself", f->name);
    hd_code rc = hd_tree_of(r->e, f->expression, &tree, err);
    if (rc == HD_OK)
        rc = rewrite(r, tree, out, err);
    if (rc == HD_OK && !*out)
        *out = json_incref(tree);
    json_decref(tree);
    r->depth--;
    return rc;
}

static hd_code resolve_field(struct resolver *r, const hd_field *f, json_t **out, hd_err *err)
{
    if (f->is_subnational)
        r->a->sees_subnational = true;
    switch (f->kind) {
    case HD_FIELD_IDENTIFYING:
        return hd_fail(err, HD_DENIED, "%s identifies people and is never kept", f->name);
    case HD_FIELD_PERSON:
        return new_column(out, err, "#%s", "person", 0);
    case HD_FIELD_EXPRESSION:
        return expand(r, f, out, err);
    case HD_FIELD_LIST:
        return hd_fail(err, HD_INVALID,
                       "%s is a list: test it with any_%s, or name one position, as in primary_%s",
                       f->name, f->name, f->name);
    default:
        return new_column(out, err, "%s", f->name, 0);
    }
}

static hd_code resolve_column(struct resolver *r, json_t *node, json_t **out, hd_err *err)
{
    const json_t *names = json_object_get(node, "column_names");
    size_t n = json_array_size(names);
    const char *last = hd_tree_column(node);
    char name[64];
    if (!last || n > 2 || strlen(last) >= sizeof name)
        return hd_fail(err, HD_INVALID, "a column name is not understood");
    if (n == 2) {
        const char *table = json_string_value(json_array_get(names, 0));
        if (!table || (strcasecmp(table, r->a->table->name) != 0 && strcasecmp(table, r->alias) != 0))
            return hd_fail(err, HD_INVALID, "'%s' is not the table of this question", table);
    }
    for (size_t i = 0; i <= strlen(last); i++)
        name[i] = (char)tolower((unsigned char)last[i]);
    if (strcmp(name, "person") == 0)
        return new_column(out, err, "#%s", "person", 0);
    const hd_field *f = hd_table_def_field(r->a->table, name);
    if (f)
        return resolve_field(r, f, out, err);
    f = any_of_list(r->a->table, name);
    if (f) {
        r->a->sees_subnational |= f->is_subnational;
        return new_column(out, err, "%s#any", f->name, 0);
    }
    unsigned element = 0;
    f = list_element(r->a->table, name, &element);
    if (f) {
        r->a->sees_subnational |= f->is_subnational;
        return new_column(out, err, "", f->name, element);
    }
    /* A header that some deliveries use for the field (SUSLDDATE_HIS). */
    hd_header header = hd_table_def_header(r->a->table, name, strlen(name));
    if (header.use == HD_HEADER_FIELD)
        return resolve_field(r, header.field, out, err);
    return HD_OK; /* perhaps an alias; ask.c refuses what stays unknown */
}

/* ---- codelist -------------------------------------------------------------------------------- */

static hd_code take_any(struct resolver *r, json_t *node, json_t **out, hd_err *err);

/* OR of starts_with(operand, code) over a code list; over the elements of a list one test, not one a
 * code. The operand is resolved already. */
static hd_code prefix_tests(struct resolver *r, const hd_codelist *list, json_t *operand,
                            json_t **out, hd_err *err)
{
    json_t *any = NULL, *tests = json_array();
    for (size_t i = 0; tests && i < list->n_codes; i++)
        json_array_append_new(tests, hd_tree_new_function("starts_with", json_deep_copy(operand),
                                                          hd_tree_new_text(list->codes[i])));
    if (!tests || json_array_size(tests) != list->n_codes) {
        json_decref(tests);
        return hd_fail_nomem(err);
    }
    if (list->n_codes == 1) {
        *out = json_incref(json_array_get(tests, 0));
        json_decref(tests);
    } else {
        *out = json_pack("{s:s, s:s, s:s, s:i, s:o}", "class", "CONJUNCTION", "type",
                         "CONJUNCTION_OR", "alias", "", "query_location", 0, "children", tests);
    }
    hd_code rc = *out ? take_any(r, *out, &any, err) : hd_fail_nomem(err);
    if (any || rc != HD_OK) {
        json_decref(*out);
        *out = any;
    }
    return rc;
}

static hd_code codelist_test(struct resolver *r, const json_t *call, json_t *operand, json_t **out,
                             hd_err *err)
{
    const json_t *children = json_object_get(call, "children");
    const json_t *name = json_object_get(json_object_get(json_array_get(children, 0), "value"),
                                         "value");
    if (json_array_size(children) != 1 || !json_is_string(name))
        return hd_fail(err, HD_INVALID, "codelist takes one name in quotes, as in codelist('copd')");
    const hd_codelist *list = hd_catalogue_codelist(r->e->catalogue, json_string_value(name));
    if (!list)
        return hd_fail(err, HD_NOTFOUND, "there is no code list '%s'", json_string_value(name));
    if (list->n_codes == 0)
        return hd_fail(err, HD_INVALID, "code list '%s' is empty", json_string_value(name));
    json_t *copy = json_deep_copy(operand), *other = NULL;
    hd_code rc = copy ? rewrite(r, copy, &other, err) : hd_fail_nomem(err);
    if (rc == HD_OK)
        rc = prefix_tests(r, list, other ? other : copy, out, err);
    json_decref(copy);
    json_decref(other);
    return rc;
}

static bool is_codelist(const json_t *node)
{
    return strcmp(hd_tree_function(node), "codelist") == 0;
}

/* `x IN codelist('a')` arrives as contains(codelist('a'), x), `x IN (codelist('a'))` as COMPARE_IN.
 * Gives the test in its positive form, or NULL when the node is neither. */
static hd_code take_codelist(struct resolver *r, json_t *node, json_t **out, hd_err *err)
{
    json_t *children = json_object_get(node, "children");
    json_t *first = json_array_get(children, 0), *second = json_array_get(children, 1);
    const char *function = hd_tree_function(node);
    if (strcmp(function, "contains") == 0 && is_codelist(first))
        return codelist_test(r, first, second, out, err);
    bool in = hd_tree_is(node, "COMPARE_IN"), not_in = hd_tree_is(node, "COMPARE_NOT_IN");
    if ((in || not_in) && json_array_size(children) == 2 && is_codelist(second)) {
        HD_TRY(codelist_test(r, second, first, out, err));
        if (not_in)
            *out = hd_tree_new_not(*out);
        return *out ? HD_OK : hd_fail_nomem(err);
    }
    return HD_OK;
}

/* ---- tests on list elements ------------------------------------------------------------------ */

/* The parser turns NOT (x IN (...)) into x NOT IN (...), so both must mean the same on a list: no
 * element satisfies the positive test. Order comparisons flip under NOT and have no such reading;
 * they are refused on lists. */
struct negative {
    const char *negative, *positive;
};
static const struct negative negatives[] = {
    {"COMPARE_NOTEQUAL", "COMPARE_EQUAL"}, {"COMPARE_NOT_IN", "COMPARE_IN"},
    {"!~~", "~~"},                         {"!~~*", "~~*"},
};
static const char *const positives[] = {
    "COMPARE_EQUAL", "COMPARE_IN", "~~", "~~*", "starts_with", "^@", "prefix", "regexp_matches",
    "regexp_full_match", "contains", "suffix", "ends_with",
};

static hd_code any_column(struct resolver *r, json_t *test, json_t **out, hd_err *err)
{
    asked *a = r->a;
    size_t i = 0;
    while (i < a->n_any && !json_equal(a->any[i].test, test))
        i++;
    if (i == HD_MAX_ANY)
        return hd_fail(err, HD_LIMIT, "more than %d tests on lists in one question", HD_MAX_ANY);
    if (i == a->n_any) {
        char name[64];
        const char *column = hd_single_column(test);
        size_t n = strcspn(column, "#");
        HD_ALWAYS(n < sizeof name);
        memcpy(name, column, n);
        name[n] = '\0';
        a->any[a->n_any++] = (any_test){hd_table_def_field(a->table, name), json_incref(test)};
    }
    char text[16];
    snprintf(text, sizeof text, "#any%zu", i);
    *out = hd_tree_new_column(text);
    return *out ? HD_OK : hd_fail_nomem(err);
}

static bool is_any_column(const char *name)
{
    size_t n = name ? strlen(name) : 0;
    return n > 4 && strcmp(name + n - 4, "#any") == 0;
}

static bool names_test(const json_t *node, const char *test)
{
    return strcmp(hd_tree_text(node, "type"), test) == 0 ||
           strcmp(hd_tree_function(node), test) == 0;
}

static bool is_or_of_tests(const json_t *node)
{
    return hd_tree_is(node, "CONJUNCTION_OR");
}

static hd_code take_any(struct resolver *r, json_t *node, json_t **out, hd_err *err)
{
    if (!is_any_column(hd_single_column(node)) || hd_tree_column(node))
        return HD_OK;
    for (size_t i = 0; i < sizeof negatives / sizeof *negatives; i++) {
        if (!names_test(node, negatives[i].negative))
            continue;
        json_t *positive = json_deep_copy(node), *column = NULL;
        if (!positive)
            return hd_fail_nomem(err);
        bool function = *hd_tree_function(node) != '\0';
        json_object_set_new(positive, function ? "function_name" : "type",
                            json_string(negatives[i].positive));
        hd_code rc = any_column(r, positive, &column, err);
        json_decref(positive);
        if (rc == HD_OK && !(*out = hd_tree_new_not(column)))
            rc = hd_fail_nomem(err);
        return rc;
    }
    for (size_t i = 0; i < sizeof positives / sizeof *positives; i++)
        if (names_test(node, positives[i]))
            return any_column(r, node, out, err);
    return is_or_of_tests(node) ? any_column(r, node, out, err) : HD_OK;
}

/* ---- the walk -------------------------------------------------------------------------------- */

static const char *const allowed_classes[] = {"COLUMN_REF", "CONSTANT", "FUNCTION", "OPERATOR",
                                              "COMPARISON", "CONJUNCTION", "BETWEEN", "CASE",
                                              "CAST"};

static hd_code check_class(const json_t *node, hd_err *err)
{
    for (size_t i = 0; i < sizeof allowed_classes / sizeof *allowed_classes; i++)
        if (strcmp(hd_tree_text(node, "class"), allowed_classes[i]) == 0)
            return HD_OK;
    if (hd_tree_is(node, "STAR"))
        return hd_fail(err, HD_DENIED,
                       "* would return records; ask for counts, as in SELECT provider, count(*) FROM "
                       "spells GROUP BY provider");
    if (hd_tree_is(node, "SUBQUERY"))
        return hd_fail(err, HD_DENIED, "a question inside a question is not available; put its "
                                       "conditions into WHERE or FILTER");
    if (hd_tree_is(node, "WINDOW"))
        return hd_fail(err, HD_DENIED, "OVER (...) works row by row and is not available; use GROUP "
                                       "BY with aggregates");
    return hd_fail(err, HD_INVALID, "this kind of expression (%s) is not available",
                   hd_tree_text(node, "class"));
}

static hd_code check_function(const struct resolver *r, const json_t *node, hd_err *err)
{
    const char *name = hd_tree_function(node);
    if (!*name || hd_aggregate_find(name) || hd_function_is_allowed(r->e->catalogue, name))
        return HD_OK;
    if (strcmp(name, "codelist") == 0)
        return hd_fail(err, HD_INVALID, "write codelist as in: any_diagnosis IN codelist('copd')");
    return hd_fail(err, HD_DENIED, "the function %s is not available in questions", name);
}

static json_t *rewrite_child(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    json_t *other = NULL;
    *rc = rewrite(ctx, node, &other, err);
    if (*rc == HD_OK)
        return other;
    json_decref(other);
    return NULL;
}

/* Whether an aggregate's argument is a field by its name can be told only before fields give way to
 * their expressions. The mark is kept in the alias, which hd_tree_normalise has emptied and which
 * means nothing in an aggregate that is about to be lifted out. */
static hd_code mark_own_expression(json_t *node, hd_err *err)
{
    const json_t *argument = json_array_get(json_object_get(node, "children"), 0);
    if (!hd_aggregate_find(hd_tree_function(node)) || !argument || hd_tree_column(argument))
        return HD_OK;
    if (json_object_set_new(node, "alias", json_string(HD_OWN_EXPRESSION)) != 0)
        return hd_fail_nomem(err);
    return HD_OK;
}

/* *out: a new node to put in place of `node`, or NULL to keep it (its children may have changed). */
static hd_code rewrite(struct resolver *r, json_t *node, json_t **out, hd_err *err)
{
    *out = NULL;
    HD_TRY(check_class(node, err));
    if (hd_tree_is(node, "COLUMN_REF"))
        return resolve_column(r, node, out, err);
    if (hd_tree_is(node, "GROUPING_FUNCTION"))
        return hd_fail(err, HD_INVALID, "GROUPING() is not available: a key that is summed over is "
                                        "NULL in its row");
    HD_TRY(hd_take_order(r->e, r->a, r->alias, node, out, err));
    if (*out)
        return HD_OK;
    HD_TRY(mark_own_expression(node, err));
    HD_TRY(take_codelist(r, node, out, err));
    if (*out)
        return HD_OK;
    hd_code rc = check_function(r, node, err);
    if (rc == HD_OK && ++r->depth > HD_MAX_DEPTH)
        rc = hd_fail(err, HD_LIMIT, "the expression is nested more than %d deep", HD_MAX_DEPTH);
    if (rc == HD_OK)
        rc = hd_tree_each_child(node, rewrite_child, r, err);
    r->depth--;
    return rc == HD_OK ? take_any(r, node, out, err) : rc;
}

hd_code hd_resolve(hd_engine *e, asked *a, const char *alias, json_t **node, hd_err *err)
{
    struct resolver r = {.e = e, .a = a, .alias = alias ? alias : ""};
    json_t *other = NULL;
    hd_code rc = rewrite(&r, *node, &other, err);
    if (rc == HD_OK && other) {
        json_decref(*node);
        *node = other;
    } else {
        json_decref(other);
    }
    return rc;
}
