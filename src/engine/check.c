/* check.c - what no question may hold, its types, and what disclosure asks about it (asking.h). */
#include "engine/asking.h"
#include "base/alloc.h"
#include "base/intern.h"

#include <string.h>

/* ---- what no tree may hold ----------------------------------------------------------------------- */

struct guard {
    const asked *a;
    const char *where;
};

static json_t *guard_column(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    const struct guard *g = ctx;
    const char *name = hd_tree_column(node);
    if (!name) {
        *rc = hd_tree_each_child(node, guard_column, ctx, err);
        return NULL;
    }
    if (strcmp(name, "#person") == 0) {
        *rc = hd_fail(err, HD_DENIED, "person cannot stand in %s; count people with "
                                      "count(DISTINCT person)", g->where);
        return NULL;
    }
    column_ref ref = hd_column_parse(g->a, name);
    size_t n = strlen(name);
    if (ref.any >= 0)
        return NULL;
    if (!ref.field)
        *rc = hd_fail(err, HD_NOTFOUND, "table %s has no field '%s'; hdis fields %s lists them",
                      g->a->table->name, name, g->a->table->name);
    else if (ref.field->kind == HD_FIELD_KEY)
        *rc = hd_fail(err, HD_DENIED, "%s identifies a record and cannot stand in %s; use it in "
                                      "count(DISTINCT %s)", ref.field->name, g->where,
                      ref.field->name);
    else if (n > 4 && strcmp(name + n - 4, "#any") == 0)
        *rc = hd_fail(err, HD_INVALID, "any_%s can be tested with =, IN, LIKE, starts_with, "
                                       "regexp_matches or codelist", ref.field->name);
    return NULL;
}

static hd_code guard(const asked *a, json_t *tree, const char *where, hd_err *err)
{
    struct guard g = {a, where};
    hd_code rc = HD_OK;
    if (tree)
        (void)guard_column(&g, tree, &rc, err);
    return rc;
}

hd_code hd_guard_all(const asked *a, hd_err *err)
{
    HD_TRY(guard(a, a->where, "WHERE", err));
    for (size_t i = 0; i < a->q.n_keys; i++)
        HD_TRY(guard(a, a->keys[i], "GROUP BY", err));
    for (size_t i = 0; i < a->q.n_aggregates; i++) {
        const asked_aggregate *g = &a->aggregates[i];
        HD_TRY(guard(a, g->filter, "FILTER", err));
        const char *column = g->argument ? hd_tree_column(g->argument) : NULL;
        column_ref ref = column ? hd_column_parse(a, column) : (column_ref){.any = -1};
        bool key = g->is_distinct && ref.field && ref.field->kind == HD_FIELD_KEY;
        if (!key && !g->is_person)
            HD_TRY(guard(a, g->argument, g->def->name, err));
    }
    return HD_OK;
}
/* ---- types ------------------------------------------------------------------------------------- */

/* One empty table a question, with the columns it reads, so that DuckDB checks functions and types
 * without any data. */
struct types {
    const asked *a;
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
        hd_buf_str(t->sql, ", ");
        hd_duck_put_name(t->sql, name);
        hd_buf_printf(t->sql, " %s", column_type(t->a, name));
    }
    return NULL;
}

static hd_code declare(struct types *t, json_t *tree, hd_err *err)
{
    hd_code rc = HD_OK;
    if (tree)
        (void)declare_column(t, tree, &rc, err);
    return rc;
}

static hd_code types_table(hd_buf *sql, const asked *a, hd_err *err)
{
    struct types t = {a, sql, hd_intern_new()};
    if (!t.seen)
        return hd_fail_nomem(err);
    hd_buf_str(sql, "CREATE OR REPLACE TABLE \"types\" (\"#\" BIGINT");
    hd_code rc = declare(&t, a->where, err);
    for (size_t i = 0; i < a->q.n_keys && rc == HD_OK; i++)
        rc = declare(&t, a->keys[i], err);
    for (size_t i = 0; i < a->q.n_aggregates && rc == HD_OK; i++) {
        rc = declare(&t, a->aggregates[i].argument, err);
        if (rc == HD_OK)
            rc = declare(&t, a->aggregates[i].filter, err);
    }
    hd_buf_char(sql, ')');
    hd_intern_free(t.seen);
    return rc;
}

static hd_code put_tree(hd_engine *e, hd_buf *sql, json_t *tree, hd_err *err)
{
    char *text;
    HD_TRY(hd_tree_unparse(e->duck, tree, &text, err));
    hd_buf_printf(sql, "(%s)", text);
    hd_free(text);
    return HD_OK;
}

static hd_code types_query(hd_engine *e, const asked *a, hd_buf *sql, hd_err *err)
{
    hd_buf_str(sql, "SELECT 1");
    for (size_t i = 0; i < a->q.n_keys; i++) {
        hd_buf_str(sql, ", ");
        HD_TRY(put_tree(e, sql, a->keys[i], err));
    }
    for (size_t i = 0; i < a->q.n_aggregates; i++) {
        const asked_aggregate *g = &a->aggregates[i];
        hd_buf_str(sql, ", ");
        if (g->argument)
            HD_TRY(put_tree(e, sql, g->argument, err));
        else
            hd_buf_char(sql, '1');
        hd_buf_str(sql, ", ");
        if (g->filter)
            HD_TRY(put_tree(e, sql, g->filter, err));
        else
            hd_buf_str(sql, "true");
        hd_buf_str(sql, "::BOOLEAN");
    }
    hd_buf_str(sql, " FROM \"types\"");
    if (a->where) {
        hd_buf_str(sql, " WHERE ");
        HD_TRY(put_tree(e, sql, a->where, err));
    }
    return HD_OK;
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

hd_code hd_check_types(struct asking *s, hd_err *err)
{
    asked *a = s->a;
    hd_buf sql;
    hd_buf_init(&sql, 1u << 24);
    hd_duck_result *r = NULL;
    hd_code rc;
    HD_GO(types_table(&sql, a, err));
    HD_GO(hd_buf_check(&sql, err));
    HD_GO(hd_duck_run(s->e->duck, sql.data, err));
    hd_buf_clear(&sql);
    HD_GO(types_query(s->e, a, &sql, err));
    HD_GO(hd_buf_check(&sql, err));
    HD_GO(hd_duck_query(s->e->duck, sql.data, &r, err));
    for (size_t i = 0; i < a->q.n_keys; i++)
        a->key_views[i].type = hd_duck_column_type(r, 1 + i);
    for (size_t i = 0; i < a->q.n_aggregates; i++) {
        asked_aggregate *g = &a->aggregates[i];
        g->argument_type = hd_duck_column_type(r, 1 + a->q.n_keys + 2 * i);
        if (g->def->needs_number && g->argument_type != HD_INTEGER && g->argument_type != HD_DECIMAL) {
            rc = hd_fail(err, HD_INVALID, "%s needs a number, not a %s", g->def->name,
                         hd_type_name(g->argument_type));
            goto out;
        }
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
            .has_filter = g->filter || (g->argument && !g->is_person),
        };
    }
out:
    hd_duck_result_free(r);
    hd_buf_free(&sql);
    return rc;
}
/* ---- what disclosure asks about ---------------------------------------------------------------- */

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

hd_code hd_look_at_arguments(struct asking *s, hd_err *err)
{
    asked *a = s->a;
    for (size_t i = 0; i < a->q.n_aggregates; i++) {
        asked_aggregate *g = &a->aggregates[i];
        if (g->def->needs_number && !g->is_own_expression) /* those are refused anyway */
            HD_TRY(hd_is_few_valued(s->e, a, g->argument, &g->is_few_valued, err));
        a->aggregate_views[i].is_few_valued = g->is_few_valued;
    }
    return HD_OK;
}
