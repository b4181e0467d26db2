/* check.c - what no question may hold, its types, and what disclosure asks about it (asking.h). */
#include "engine/asking.h"
#include "engine/functions.h"
#include "engine/order.h"
#include "base/alloc.h"
#include "base/date.h"
#include "base/intern.h"

#include <stdlib.h>
#include <string.h>

/* ---- what no tree may hold ------------------------------------------------------------------- */

struct guard {
    const asked *a;
    const char *where;
};

static json_t *guard_column(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    const struct guard *g = ctx;
    const char *name = hd_tree_column(node), *function = name ? NULL : hd_tree_function(node);
    if (function && hd_aggregate_find(function)) {
        *rc = hd_fail(err, HD_INVALID,
                      "%s is an aggregate and cannot stand in %s, which is about one record", function,
                      g->where);
        return NULL;
    }
    if (!name) {
        *rc = hd_tree_each_child(node, guard_column, ctx, err);
        return NULL;
    }
    if (strcmp(name, "#person") == 0) {
        *rc = hd_fail(err, HD_DENIED,
                      "person cannot stand in %s; count people with "
                      "count(DISTINCT person)",
                      g->where);
        return NULL;
    }
    column_ref ref = hd_column_parse(g->a, name);
    size_t n = strlen(name);
    if (ref.any >= 0 || ref.order)
        return NULL;
    if (!ref.field)
        *rc = hd_fail(err, HD_NOTFOUND, "table %s has no field '%s'; hdis fields %s lists them",
                      g->a->table->name, name, g->a->table->name);
    else if (ref.field->kind == HD_FIELD_KEY)
        *rc = hd_fail(err, HD_DENIED,
                      "%s identifies a record and cannot stand in %s; use it in "
                      "count(DISTINCT %s)",
                      ref.field->name, g->where, ref.field->name);
    else if (n > 4 && strcmp(name + n - 4, "#any") == 0)
        *rc = hd_fail(err, HD_INVALID,
                      "any_%s can be tested with =, IN, LIKE, starts_with, "
                      "regexp_matches or codelist",
                      ref.field->name);
    return NULL;
}

hd_code hd_guard_tree(const asked *a, json_t *tree, const char *where, hd_err *err)
{
    struct guard g = {a, where};
    hd_code rc = HD_OK;
    if (tree)
        (void)guard_column(&g, tree, &rc, err);
    return rc;
}

/* count(DISTINCT key) is all that may be asked of a row key. */
static bool is_of_key(const asked *a, const asked_aggregate *g)
{
    const char *column = g->argument ? hd_tree_column(g->argument) : NULL;
    column_ref ref = column ? hd_column_parse(a, column) : (column_ref){.any = -1};
    return g->is_distinct && ref.field && ref.field->kind == HD_FIELD_KEY;
}

hd_code hd_guard_all(const asked *a, hd_err *err)
{
    HD_TRY(hd_guard_tree(a, a->where, "WHERE", err));
    for (size_t i = 0; i < a->q.n_keys; i++)
        HD_TRY(hd_guard_tree(a, a->keys[i], "GROUP BY", err));
    for (size_t i = 0; i < a->q.n_aggregates; i++) {
        const asked_aggregate *g = &a->aggregates[i];
        HD_TRY(hd_guard_tree(a, g->filter, "FILTER", err));
        if (!is_of_key(a, g) && !g->is_person)
            HD_TRY(hd_guard_tree(a, g->argument, g->def->name, err));
    }
    return HD_OK;
}
/* ---- types ----------------------------------------------------------------------------------- */

/* Expressions whose type DuckDB has not told before, and the columns they read. It tells them
 * from the text alone, over one row of NULLs, so functions and types are checked without any
 * data. */
struct types {
    const asked *a;
    json_t *unknown; /* array */
    hd_buf *sql;
    hd_intern *seen;
};

static const char *column_type(const asked *a, const char *name)
{
    if (strcmp(name, "#person") == 0)
        return "BIGINT";
    column_ref ref = hd_column_parse(a, name);
    if (ref.any >= 0)
        return "BOOLEAN";
    if (ref.order)
        return name[2] == 'b' ? "BOOLEAN" : "BIGINT";
    return ref.field->kind == HD_FIELD_KEY ? "BIGINT" : hd_sql_type(ref.field->type);
}

static json_t *declare_column(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    struct types *t = ctx;
    const char *name = hd_tree_column(node);
    if (!name) {
        *rc = hd_tree_each_child(node, declare_column, ctx, err);
        return NULL;
    }
    uint32_t before = hd_intern_count(t->seen), id;
    *rc = hd_intern_add(t->seen, name, strlen(name), &id, err);
    if (*rc == HD_OK && id == before) {
        hd_buf_printf(t->sql, "%sCAST(NULL AS %s) AS ", before ? ", " : "",
                      column_type(t->a, name));
        hd_duck_put_name(t->sql, name);
    }
    return NULL;
}

/* SELECT unknown.. FROM (SELECT CAST(NULL AS type) AS column..) */
static hd_code types_query(hd_engine *e, struct types *t, hd_err *err)
{
    hd_code rc = HD_OK;
    for (size_t i = 0; i < json_array_size(t->unknown); i++) {
        char *text;
        HD_TRY(hd_text_of(e, json_array_get(t->unknown, i), &text, err));
        hd_buf_printf(t->sql, "%s%s", i ? ", " : "SELECT ", text);
        hd_free(text);
    }
    hd_buf_str(t->sql, " FROM (SELECT ");
    for (size_t i = 0; i < json_array_size(t->unknown) && rc == HD_OK; i++)
        (void)declare_column(t, json_array_get(t->unknown, i), &rc, err);
    hd_buf_printf(t->sql, "%s) AS \"types\"", hd_intern_count(t->seen) ? "" : "1");
    return rc == HD_OK ? hd_buf_check(t->sql, err) : rc;
}

static hd_code note(hd_engine *e, struct types *t, json_t *tree, hd_err *err)
{
    bool is_known;
    hd_type type;
    if (!tree)
        return HD_OK;
    HD_TRY(hd_type_known(e, t->a, tree, &is_known, &type, err));
    if (!is_known)
        HD_TRY(hd_bound_growth(e, tree, err));
    if (!is_known && json_array_append(t->unknown, tree) != 0)
        return hd_fail_nomem(err);
    return HD_OK;
}

/* A condition must be something that can be true; AND, OR and NOT of such are. Taken apart here
 * as the kernel's plan takes them apart, so that questions share what is known of a test. */
static hd_code note_condition(hd_engine *e, struct types *t, json_t *tree, hd_err *err)
{
    if (!tree)
        return HD_OK;
    if (hd_tree_is_logic(tree)) {
        const json_t *children = json_object_get(tree, "children");
        for (size_t i = 0; i < json_array_size(children); i++)
            HD_TRY(note_condition(e, t, json_array_get(children, i), err));
        return HD_OK;
    }
    json_t *cast = hd_tree_new_boolean(json_incref(tree));
    hd_code rc = cast ? note(e, t, cast, err) : hd_fail_nomem(err);
    json_decref(cast);
    return rc == HD_OK ? note(e, t, tree, err) : rc;
}

/* ---- texts beside numbers -------------------------------------------------------------------- */

/* A text beside a number is read as a number and is unknown where it is none: discharge_year = 2016
 * would find nothing, and say nothing of years being written '2016-17'. So it is refused; and so are texts
 * beside a number or a date that are none. */

static bool is_number_constant(const json_t *node)
{
    return hd_tree_is(node, "CONSTANT") &&
           json_is_number(json_object_get(json_object_get(node, "value"), "value"));
}

static const char *text_constant(const json_t *node)
{
    const json_t *value = json_object_get(node, "value");
    if (!hd_tree_is(node, "CONSTANT") ||
        strcmp(hd_tree_text(json_object_get(value, "type"), "id"), "VARCHAR") != 0)
        return NULL;
    return json_string_value(json_object_get(value, "value"));
}

static bool is_number(const char *text)
{
    char *end;
    size_t n = strlen(text);
    (void)strtod(text, &end);
    return n > 0 && strspn(text, " +-.0123456789eE") == n && *(end + strspn(end, " ")) == '\0';
}

/* As DuckDB reads dates; not by day first. */
static bool is_date(const char *text)
{
    size_t n = strlen(text);
    return n >= 10 && (text[4] == '-' || text[4] == '/') && hd_date_parse(text, n) != HD_DATE_NONE;
}

struct beside {
    hd_engine *e;
    struct types *t; /* NULL: the types are known and are checked */
    const asked *a;
    bool has_number;
    bool has_text, has_no_number, has_no_date; /* texts, and those that are none */
};

static json_t *see_constant(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    struct beside *b = ctx;
    const char *text = text_constant(node);
    (void)rc;
    (void)err;
    b->has_number |= is_number_constant(node);
    b->has_text |= text != NULL;
    b->has_no_number |= text && !is_number(text);
    b->has_no_date |= text && !is_date(text);
    return NULL;
}

static hd_code refuse_text(const struct beside *b, hd_type type, const char *of, hd_err *err)
{
    if (type == HD_TEXT && b->has_number)
        return hd_fail(err, HD_INVALID, "%s is text and is compared with a number: put the number into quotes",
                       of);
    if ((type == HD_INTEGER || type == HD_DECIMAL) && b->has_no_number)
        return hd_fail(err, HD_INVALID, "%s is a number and is compared with a text that is none", of);
    if (type == HD_DATE && b->has_no_date)
        return hd_fail(err, HD_INVALID, "%s is a date and is compared with a text that is none: write dates as in "
                                        "DATE '2015-04-01'",
                       of);
    return HD_OK;
}

static hd_code type_of(hd_engine *e, const asked *a, const json_t *tree, hd_type *out, hd_err *err);

static json_t *beside_constant(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    struct beside *b = ctx;
    if (hd_tree_is(node, "CONSTANT"))
        return NULL;
    if (b->t) {
        *rc = note(b->e, b->t, node, err);
        return NULL;
    }
    hd_type type;
    char *text = NULL;
    *rc = type_of(b->e, b->a, node, &type, err);
    if (*rc == HD_OK)
        *rc = hd_text_of(b->e, node, &text, err);
    if (*rc == HD_OK)
        *rc = refuse_text(b, type, text, err);
    hd_free(text);
    return NULL;
}

static json_t *look_for_comparison(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    struct beside *b = ctx;
    b->has_number = b->has_text = b->has_no_number = b->has_no_date = false;
    if (hd_tree_is(node, "COMPARISON") || hd_tree_is(node, "BETWEEN") ||
        hd_tree_is(node, "COMPARE_IN") || hd_tree_is(node, "COMPARE_NOT_IN"))
        *rc = hd_tree_each_child(node, see_constant, b, err);
    if (*rc == HD_OK && (b->has_number || (b->has_text && (b->has_no_number || b->has_no_date))))
        *rc = hd_tree_each_child(node, beside_constant, b, err);
    if (*rc == HD_OK)
        *rc = hd_tree_each_child(node, look_for_comparison, b, err);
    return NULL;
}

/* t: note what stands beside a number; NULL: check it. */
static hd_code texts_beside_numbers(hd_engine *e, struct types *t, const asked *a, hd_err *err)
{
    struct beside b = {.e = e, .t = t, .a = a};
    hd_code rc = HD_OK;
    (void)look_for_comparison(&b, a->where, &rc, err);
    for (size_t i = 0; i < a->q.n_keys && rc == HD_OK; i++)
        (void)look_for_comparison(&b, a->keys[i], &rc, err);
    for (size_t i = 0; i < a->q.n_aggregates && rc == HD_OK; i++) {
        (void)look_for_comparison(&b, a->aggregates[i].argument, &rc, err);
        if (rc == HD_OK)
            (void)look_for_comparison(&b, a->aggregates[i].filter, &rc, err);
    }
    for (size_t i = 0; i < a->n_any && rc == HD_OK && t; i++) {
        b.has_number = b.has_text = b.has_no_number = b.has_no_date = false;
        rc = hd_tree_each_child(a->any[i].test, see_constant, &b, err);
        if (rc == HD_OK)
            rc = refuse_text(&b, a->any[i].list->type, a->any[i].list->name, err);
    }
    return rc;
}

static hd_code note_all(hd_engine *e, struct types *t, hd_err *err)
{
    const asked *a = t->a;
    HD_TRY(texts_beside_numbers(e, t, a, err));
    HD_TRY(note_condition(e, t, a->where, err));
    for (size_t i = 0; i < a->q.n_keys; i++)
        HD_TRY(note(e, t, a->keys[i], err));
    for (size_t i = 0; i < a->q.n_aggregates; i++) {
        HD_TRY(note(e, t, a->aggregates[i].argument, err));
        HD_TRY(note_condition(e, t, a->aggregates[i].filter, err));
    }
    return HD_OK;
}

/* Afterwards the type of every expression of the question is remembered. */
static hd_code learn_types(hd_engine *e, const asked *a, hd_err *err)
{
    hd_buf sql;
    hd_buf_init(&sql, 1u << 24);
    struct types t = {a, json_array(), &sql, hd_intern_new()};
    hd_type *types = NULL;
    hd_code rc;
    if (!t.unknown || !t.seen) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(note_all(e, &t, err));
    size_t n = json_array_size(t.unknown);
    if (n == 0)
        goto out;
    types = hd_calloc(n, sizeof *types);
    if (!types) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(types_query(e, &t, err));
    HD_GO(hd_duck_types(e->duck, sql.data, n, types, err));
    for (size_t i = 0; i < n; i++)
        HD_GO(hd_type_remember(e, a, json_array_get(t.unknown, i), types[i], err));
out:
    json_decref(t.unknown);
    hd_intern_free(t.seen);
    hd_free(types);
    hd_buf_free(&sql);
    return rc;
}

static hd_code type_of(hd_engine *e, const asked *a, const json_t *tree, hd_type *out, hd_err *err)
{
    bool is_known;
    HD_TRY(hd_type_known(e, a, tree, &is_known, out, err));
    return is_known ? HD_OK : hd_fail_nomem(err); /* forgotten at once: the store is too small */
}

static hd_type result_type(const asked_aggregate *g)
{
    switch (g->def->kind) {
    case HD_AGG_COUNT:
    case HD_AGG_COUNT_PERSONS:
    case HD_AGG_COUNT_DISTINCT:
        return HD_INTEGER;
    case HD_AGG_SUM:
    case HD_AGG_EXTREME:
        return g->argument_type;
    default:
        return HD_DECIMAL;
    }
}

static hd_code refuse_text_as_condition(hd_engine *e, const asked *a, json_t *tree, hd_err *err)
{
    hd_type type;
    char *text;
    if (!tree)
        return HD_OK;
    if (hd_tree_is_logic(tree)) {
        const json_t *children = json_object_get(tree, "children");
        for (size_t i = 0; i < json_array_size(children); i++)
            HD_TRY(refuse_text_as_condition(e, a, json_array_get(children, i), err));
        return HD_OK;
    }
    HD_TRY(type_of(e, a, tree, &type, err));
    if (type != HD_TEXT)
        return HD_OK;
    if (text_constant(tree))
        return hd_fail(err, HD_INVALID, "a constant is text and no condition: compare a field with it");
    HD_TRY(hd_text_of(e, tree, &text, err));
    hd_code rc = hd_fail(err, HD_INVALID, "%s is text and no condition: compare it with something", text);
    hd_free(text);
    return rc;
}

static hd_code refuse_texts_as_conditions(hd_engine *e, const asked *a, hd_err *err)
{
    HD_TRY(refuse_text_as_condition(e, a, a->where, err));
    for (size_t i = 0; i < a->q.n_aggregates; i++)
        HD_TRY(refuse_text_as_condition(e, a, a->aggregates[i].filter, err));
    return HD_OK;
}

hd_code hd_check_event(hd_engine *e, asked *event, hd_err *err)
{
    HD_TRY(hd_guard_tree(event, event->where, "an event", err));
    HD_TRY(learn_types(e, event, err));
    HD_TRY(refuse_texts_as_conditions(e, event, err));
    return texts_beside_numbers(e, NULL, event, err);
}

hd_code hd_check_types(struct asking *s, hd_err *err)
{
    asked *a = s->a;
    HD_TRY(learn_types(s->e, a, err));
    HD_TRY(refuse_texts_as_conditions(s->e, a, err));
    HD_TRY(texts_beside_numbers(s->e, NULL, a, err));
    for (size_t i = 0; i < a->q.n_keys; i++)
        HD_TRY(type_of(s->e, a, a->keys[i], &a->key_views[i].type, err));
    for (size_t i = 0; i < a->q.n_aggregates; i++) {
        asked_aggregate *g = &a->aggregates[i];
        if (g->argument)
            HD_TRY(type_of(s->e, a, g->argument, &g->argument_type, err));
        if (g->def->needs_number && g->argument_type != HD_INTEGER &&
            g->argument_type != HD_DECIMAL)
            return hd_fail(err, HD_INVALID, "%s needs a number, not a %s", g->def->name,
                           hd_type_name(g->argument_type));
        a->aggregate_views[i] = (hd_aggregate){
            .kind = g->is_person     ? HD_AGG_COUNT_PERSONS
                    : g->is_distinct ? HD_AGG_COUNT_DISTINCT
                                     : g->def->kind,
            .type = result_type(g),
            .quantile = g->quantile,
            .level = g->level,
            .side = g->def->fn == HD_FN_QUANTILE_LOWER   ? -1
                    : g->def->fn == HD_FN_QUANTILE_UPPER ? 1
                                                         : 0,
            .is_own_expression = g->is_own_expression,
            .is_of_key = is_of_key(a, g),
            .has_filter = g->filter || (g->argument && !g->is_person),
        };
    }
    return HD_OK;
}

/* ---- what disclosure asks about -------------------------------------------------------------- */

struct fields {
    const asked *a;
    const hd_field *seen[64]; /* more make no difference to any policy */
    size_t n;
};

static json_t *see_field(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    struct fields *s = ctx;
    const char *name = hd_tree_column(node);
    if (!name) {
        *rc = hd_tree_each_child(node, see_field, ctx, err);
        return NULL;
    }
    column_ref ref = hd_column_parse(s->a, name);
    if (ref.order) { /* what its event reads, and the day */
        const asked *outer = s->a;
        if (ref.order->from)
            (void)see_field(s, ref.order->from, rc, err);
        s->a = ref.order->event;
        if (*rc == HD_OK && s->a->where)
            (void)see_field(s, s->a->where, rc, err);
        s->a = outer;
        return NULL;
    }
    const hd_field *f = ref.any >= 0 ? s->a->any[ref.any].list : ref.field;
    size_t i = 0;
    while (i < s->n && s->seen[i] != f)
        i++;
    if (f && i == s->n && s->n < sizeof s->seen / sizeof *s->seen)
        s->seen[s->n++] = f;
    return NULL;
}

hd_code hd_count_key_fields(asked *a, hd_err *err)
{
    struct fields s = {.a = a};
    hd_code rc = HD_OK;
    for (size_t i = 0; i < a->q.n_keys && rc == HD_OK; i++)
        (void)see_field(&s, a->keys[i], &rc, err);
    a->q.n_key_fields = s.n;
    return rc;
}
