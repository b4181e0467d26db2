/* ask.c - SQL text to a checked question. See question.h.
 *
 * Steps: parse; find the table; resolve names; find keys; lift aggregates out of the select list,
 * HAVING and ORDER BY, so that what is left above them reads k0.., a0.. only; let DuckDB check types.
 * Anything left over that reads a record's own value is refused here, before data is touched.
 */
#include "engine/asking.h"
#include "base/alloc.h"
#include "engine/several.h"

#include <stdio.h>
#include <string.h>

/* ---- shape ----------------------------------------------------------------------------------- */

static hd_code refuse_shape(const struct asking *s, hd_err *err)
{
    const json_t *n = s->select;
    if (!hd_tree_is(n, "SELECT_NODE"))
        return hd_fail(err, HD_INVALID, "ask one SELECT at a time; UNION and the like are not "
                                        "available");
    if (json_array_size(json_object_get(json_object_get(n, "cte_map"), "map")) > 0)
        return hd_fail(err, HD_INVALID, "WITH is not available: ask one table in one SELECT");
    if (json_is_object(json_object_get(n, "qualify")))
        return hd_fail(err, HD_INVALID, "QUALIFY is not available");
    if (json_is_object(json_object_get(n, "sample")))
        return hd_fail(err, HD_INVALID, "sampling is not available");
    return HD_OK;
}

static hd_code find_table(struct asking *s, hd_err *err)
{
    const json_t *from = json_object_get(s->select, "from_table");
    if (!hd_tree_is(from, "BASE_TABLE"))
        return hd_fail(err, HD_INVALID, "ask one table, as in %s; joins are made when data is loaded",
                       HD_NEAREST);
    const char *name = hd_tree_text(from, "table_name");
    char lower[64];
    size_t n = strlen(name);
    if (n >= sizeof lower || *hd_tree_text(from, "schema_name") ||
        *hd_tree_text(from, "catalog_name") || json_is_object(json_object_get(from, "sample")))
        return hd_fail(err, HD_NOTFOUND, "there is no such table; hdis datasets lists them");
    for (size_t i = 0; i <= n; i++)
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    s->a->table = hd_catalogue_table(s->e->catalogue, lower);
    if (!s->a->table)
        return hd_fail(err, HD_NOTFOUND, "there is no table '%s'; hdis datasets lists them", name);
    snprintf(s->alias, sizeof s->alias, "%s", hd_tree_text(from, "alias"));
    s->a->q.table = s->a->table->name;
    return HD_OK;
}
/* ---- ORDER BY, LIMIT ------------------------------------------------------------------------- */

static hd_code order_term(struct asking *s, const json_t *order, hd_order_term *term, hd_err *err)
{
    json_t *expression = json_object_get(order, "expression");
    const char *nulls = hd_tree_text(order, "null_order");
    term->descending = strcmp(hd_tree_text(order, "type"), "DESCENDING") == 0;
    term->nulls = strstr(nulls, "FIRST") ? -1 : strstr(nulls, "LAST") ? 1 : 0;
    struct item *item = NULL;
    HD_TRY(hd_item_by_ordinal(s, expression, "ORDER BY", &item, err));
    const char *column = hd_tree_column(expression);
    if (!item && column && json_array_size(json_object_get(expression, "column_names")) == 1)
        item = hd_item_by_alias(s, column);
    if (item)
        return hd_lift_to_sql(s, item->tree, false, &term->sql, &term->aggregates, err);
    json_t *tree = json_deep_copy(expression);
    if (!tree)
        return hd_fail_nomem(err);
    hd_tree_normalise(tree);
    hd_code rc = hd_resolve(s->e, s->a, s->alias, &tree, err);
    if (rc == HD_OK)
        rc = hd_lift_to_sql(s, tree, true, &term->sql, &term->aggregates, err);
    json_decref(tree);
    return rc;
}

static hd_code whole_number(const json_t *node, const char *clause, int64_t *out, hd_err *err)
{
    *out = -1;
    if (!json_is_object(node))
        return HD_OK;
    const json_t *value = json_object_get(json_object_get(node, "value"), "value");
    if (!hd_tree_is(node, "CONSTANT") || !json_is_integer(value) || json_integer_value(value) < 0)
        return hd_fail(err, HD_INVALID, "%s must be a whole number", clause);
    *out = json_integer_value(value);
    return HD_OK;
}

static hd_code take_modifiers(struct asking *s, hd_err *err)
{
    asked *a = s->a;
    size_t i;
    json_t *modifier;
    a->q.limit = a->q.offset = -1;
    json_array_foreach (json_object_get(s->select, "modifiers"), i, modifier) {
        if (hd_tree_is(modifier, "LIMIT_MODIFIER")) {
            HD_TRY(whole_number(json_object_get(modifier, "limit"), "LIMIT", &a->q.limit, err));
            HD_TRY(whole_number(json_object_get(modifier, "offset"), "OFFSET", &a->q.offset, err));
        } else if (hd_tree_is(modifier, "LIMIT_PERCENT_MODIFIER")) {
            return hd_fail(err, HD_INVALID, "LIMIT must be a whole number");
        } else if (hd_tree_is(modifier, "ORDER_MODIFIER") && !s->order) {
            json_t *orders = json_object_get(modifier, "orders");
            a->q.n_order = json_array_size(orders);
            s->order = hd_calloc(a->q.n_order, sizeof *s->order);
            if (!s->order)
                return hd_fail_nomem(err);
            a->q.order = s->order;
            for (size_t k = 0; k < a->q.n_order; k++)
                HD_TRY(order_term(s, json_array_get(orders, k), &s->order[k], err));
        } else {
            return hd_fail(err, HD_INVALID, "SELECT DISTINCT is not available: use GROUP BY");
        }
    }
    return HD_OK;
}
/* ---- the whole ------------------------------------------------------------------------------- */

static hd_code take_where(struct asking *s, hd_err *err)
{
    json_t *where = json_object_get(s->select, "where_clause");
    if (!json_is_object(where))
        return HD_OK;
    s->a->where = json_deep_copy(where);
    if (!s->a->where)
        return hd_fail_nomem(err);
    hd_tree_normalise(s->a->where);
    if (hd_has_aggregate(s->a->where))
        return hd_fail(err, HD_INVALID,
                       "WHERE is about one record and cannot hold an aggregate: a condition on groups stands "
                       "in HAVING");
    return hd_resolve(s->e, s->a, s->alias, &s->a->where, err);
}

static hd_code ask(struct asking *s, hd_err *err)
{
    asked *a = s->a;
    HD_TRY(refuse_shape(s, err));
    HD_TRY(find_table(s, err));
    HD_TRY(hd_take_items(s, err));
    HD_TRY(take_where(s, err));
    HD_TRY(hd_take_keys(s, err));
    HD_TRY(hd_lift_outputs(s, err));
    HD_TRY(take_modifiers(s, err));
    HD_TRY(hd_guard_all(a, err));
    HD_TRY(hd_check_types(s, err));
    HD_TRY(hd_count_key_fields(a, err));
    a->q.is_subnational = a->sees_subnational;
    a->q.keys = a->key_views;
    a->q.aggregates = a->aggregate_views;
    a->q.counts_events = a->n_orders > 0; /* others follow, of one record */
    HD_TRY(hd_take_several(s->e, a, err));
    a->q.fallback_reason = hd_kernel_obstacle(a);
    return HD_OK;
}

static void free_items(struct asking *s)
{
    for (size_t i = 0; s->items && i < s->n_items; i++) {
        json_decref(s->items[i].tree);
        json_decref(s->items[i].resolved);
        hd_free(s->items[i].alias);
        hd_free(s->items[i].name);
    }
    hd_free(s->items);
}

static hd_code ask_anew(hd_engine *e, const char *sql, asked **out, hd_err *err)
{
    *out = NULL;
    char *json = NULL;
    json_t *root = NULL;
    struct asking s = {.e = e};
    hd_code rc = HD_OK;
    s.a = hd_calloc(1, sizeof *s.a);
    if (!s.a)
        return hd_fail_nomem(err);
    s.a->uses = 1;
    HD_GO(hd_keep_text(s.a, sql, &s.a->q.sql, err));
    HD_GO(hd_duck_parse(e->duck, sql, &json, err));
    root = json_loads(json, 0, NULL);
    const json_t *statements = json_object_get(root, "statements");
    if (json_array_size(statements) != 1) {
        rc = hd_fail(err, HD_INVALID, "ask one SELECT at a time");
        goto out;
    }
    s.select = json_object_get(json_array_get(statements, 0), "node");
    rc = ask(&s, err);
out:
    free_items(&s);
    json_decref(root);
    hd_free(json);
    if (rc == HD_OK)
        *out = s.a;
    else
        hd_question_free(&s.a->q);
    return rc;
}

static void release_question(void *q)
{
    hd_question_free(q);
}

hd_code hd_engine_ask(hd_engine *e, const char *sql, hd_question **out, hd_err *err)
{
    asked *a = NULL;
    hd_buf key;
    hd_code rc;
    *out = NULL;
    if (strlen(sql) > 100000)
        return hd_fail(err, HD_LIMIT, "a question may have 100,000 characters");
    hd_engine_refresh(e);
    HD_GO(hd_recall_key(&key, 'q', sql, "", NULL, err));
    hd_recalled *known = hd_recall_find(e->recall, key.data, key.len);
    if (known) {
        a = known->thing;
        a->uses++;
    } else {
        HD_GO(ask_anew(e, sql, &a, err));
        a->uses++;
        /* Its trees take some 60 times their text in memory. */
        rc = hd_recall_keep(e->recall, key.data, key.len, a, sizeof *a + 60 * strlen(sql),
                            release_question, &known, err);
        if (rc != HD_OK) {
            hd_question_free(&a->q);
            goto out;
        }
    }
    hd_recalled_drop(known);
    *out = &a->q;
out:
    hd_buf_free(&key);
    return rc;
}

void hd_asked_charge(hd_engine *e, const asked *a, size_t bytes)
{
    hd_buf key;
    hd_err ignored;
    if (hd_recall_key(&key, 'q', a->q.sql, "", NULL, &ignored) == HD_OK)
        hd_recall_charge(e->recall, key.data, key.len, bytes);
    hd_buf_free(&key);
}

void hd_question_free(hd_question *q)
{
    asked *a = (asked *)q;
    if (!a || --a->uses > 0)
        return;
    hd_scan_plan_free(a->plan);
    hd_drop_ahead(a);
    json_decref(a->where);
    for (size_t i = 0; i < q->n_keys; i++)
        json_decref(a->keys[i]);
    for (size_t i = 0; i < q->n_aggregates; i++) {
        json_decref(a->aggregates[i].argument);
        json_decref(a->aggregates[i].filter);
    }
    for (size_t i = 0; i < a->n_any; i++)
        json_decref(a->any[i].test);
    for (size_t i = 0; i < a->n_orders; i++)
        hd_order_free(&a->orders[i]);
    hd_free(a->orders);
    for (size_t i = 0; i < a->n_strings; i++)
        hd_free(a->strings[i]);
    hd_free(a->strings);
    hd_free((void *)(uintptr_t)q->outputs);
    hd_free((void *)(uintptr_t)q->order);
    hd_free(a);
}
