/* tree.c - see tree.h. */
#include "engine/tree.h"
#include "base/alloc.h"
#include "base/buf.h"

#include <string.h>

bool hd_tree_is_expression(const json_t *node)
{
    return json_is_object(node) && json_object_get(node, "class") && json_object_get(node, "type");
}

const char *hd_tree_text(const json_t *node, const char *member)
{
    const char *s = json_string_value(json_object_get(node, member));
    return s ? s : "";
}

bool hd_tree_is(const json_t *node, const char *name)
{
    return strcmp(hd_tree_text(node, "class"), name) == 0 ||
           strcmp(hd_tree_text(node, "type"), name) == 0;
}

bool hd_tree_is_logic(const json_t *node)
{
    return hd_tree_is(node, "CONJUNCTION_AND") || hd_tree_is(node, "CONJUNCTION_OR") ||
           hd_tree_is(node, "OPERATOR_NOT");
}

const char *hd_tree_function(const json_t *node)
{
    return hd_tree_is(node, "FUNCTION") ? hd_tree_text(node, "function_name") : "";
}

const char *hd_tree_column(const json_t *node)
{
    if (!hd_tree_is(node, "COLUMN_REF"))
        return NULL;
    const json_t *names = json_object_get(node, "column_names");
    size_t n = json_array_size(names);
    return n ? json_string_value(json_array_get(names, n - 1)) : NULL;
}

json_t *hd_tree_new_column(const char *name)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:[s]}", "class", "COLUMN_REF", "type", "COLUMN_REF",
                     "alias", "", "query_location", 0, "column_names", name);
}

json_t *hd_tree_new_text(const char *value)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:{s:{s:s, s:n}, s:b, s:s}}", "class", "CONSTANT", "type",
                     "VALUE_CONSTANT", "alias", "", "query_location", 0, "value", "type", "id",
                     "VARCHAR", "type_info", "is_null", 0, "value", value);
}

json_t *hd_tree_new_not(json_t *child)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:[o]}", "class", "OPERATOR", "type", "OPERATOR_NOT",
                     "alias", "", "query_location", 0, "children", child);
}

json_t *hd_tree_new_boolean(json_t *child)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:o, s:{s:s, s:n}, s:b}", "class", "CAST", "type",
                     "OPERATOR_CAST", "alias", "", "query_location", 0, "child", child, "cast_type",
                     "id", "BOOLEAN", "type_info", "try_cast", 0);
}

json_t *hd_tree_new_function(const char *name, json_t *a, json_t *b)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:[o, o], s:n, s:{s:s, s:[]}, s:b, s:b, s:b, "
                     "s:s}",
                     "class", "FUNCTION", "type", "FUNCTION", "alias", "", "query_location", 0,
                     "function_name", name, "schema", "", "children", a, b, "filter", "order_bys",
                     "type", "ORDER_MODIFIER", "orders", "distinct", 0, "is_operator", 0,
                     "export_state", 0, "catalog", "");
}

static hd_code visit_slots(json_t *node, hd_tree_visit visit, void *ctx, hd_err *err)
{
    hd_code rc = HD_OK;
    if (json_is_array(node)) {
        for (size_t i = 0; i < json_array_size(node) && rc == HD_OK; i++) {
            json_t *child = json_array_get(node, i);
            if (!hd_tree_is_expression(child)) {
                rc = visit_slots(child, visit, ctx, err);
                continue;
            }
            json_t *other = visit(ctx, child, &rc, err);
            if (other)
                json_array_set_new(node, i, other);
        }
    } else if (json_is_object(node)) {
        json_t *child;
        void *at = json_object_iter(node);
        while (at && rc == HD_OK) {
            child = json_object_iter_value(at);
            if (!hd_tree_is_expression(child)) {
                rc = visit_slots(child, visit, ctx, err);
            } else {
                json_t *other = visit(ctx, child, &rc, err);
                if (other)
                    json_object_iter_set_new(node, at, other);
            }
            at = json_object_iter_next(node, at);
        }
    }
    return rc;
}

hd_code hd_tree_each_child(json_t *node, hd_tree_visit visit, void *ctx, hd_err *err)
{
    return visit_slots(node, visit, ctx, err);
}

void hd_tree_normalise(json_t *node)
{
    size_t i;
    json_t *child;
    if (json_is_array(node)) {
        json_array_foreach (node, i, child)
            hd_tree_normalise(child);
    } else if (json_is_object(node)) {
        const char *key;
        json_object_foreach (node, key, child) {
            if (strcmp(key, "query_location") == 0)
                json_integer_set(child, 0);
            else if (strcmp(key, "alias") == 0)
                json_string_set(child, "");
            else
                hd_tree_normalise(child);
        }
    }
}

/* k0, a12: what is left of most outputs once aggregates are lifted out. */
static bool is_placeholder(const char *name)
{
    return name && (name[0] == 'k' || name[0] == 'a') && name[1] &&
           strspn(name + 1, "0123456789") == strlen(name + 1);
}

hd_code hd_tree_unparse(hd_duck *d, json_t *expression, char **sql, hd_err *err)
{
    *sql = NULL;
    if (is_placeholder(hd_tree_column(expression))) {
        *sql = hd_strdup(hd_tree_column(expression));
        return *sql ? HD_OK : hd_fail_nomem(err);
    }
    json_t *statement = json_pack(
        "{s:b, s:[{s:{s:s, s:[], s:{s:[]}, s:[O], s:{s:s, s:s, s:n, s:i}, s:n, s:[], s:[], s:s, s:n, "
        "s:n, s:n}, s:[]}]}",
        "error", 0, "statements", "node", "type", "SELECT_NODE", "modifiers", "cte_map", "map",
        "select_list", expression, "from_table", "type", "EMPTY", "alias", "", "sample",
        "query_location", 0, "where_clause", "group_expressions", "group_sets",
        "aggregate_handling", "STANDARD_HANDLING", "having", "sample", "qualify",
        "named_param_map");
    char *json = statement ? json_dumps(statement, JSON_COMPACT) : NULL;
    json_decref(statement);
    if (!json)
        return hd_fail_nomem(err);
    char *text = NULL;
    hd_code rc = hd_duck_unparse(d, json, &text, err);
    free(json); /* jansson's own allocation */
    if (rc != HD_OK)
        return rc;
    static const char select[] = "SELECT ";
    HD_ALWAYS(strncmp(text, select, sizeof select - 1) == 0);
    *sql = hd_strdup(text + sizeof select - 1);
    hd_free(text);
    return *sql ? HD_OK : hd_fail_nomem(err);
}

hd_code hd_tree_parse(hd_duck *d, const char *expression, json_t **out, hd_err *err)
{
    *out = NULL;
    hd_buf sql;
    hd_buf_init(&sql, 1u << 20);
    hd_buf_printf(&sql, "SELECT %s", expression);
    char *json = NULL;
    hd_code rc = hd_buf_check(&sql, err);
    if (rc == HD_OK)
        rc = hd_duck_parse(d, sql.data, &json, err);
    hd_buf_free(&sql);
    if (rc != HD_OK)
        return rc;
    json_t *tree = json_loads(json, 0, NULL);
    hd_free(json);
    json_t *list = json_object_get(
        json_object_get(json_array_get(json_object_get(tree, "statements"), 0), "node"),
        "select_list");
    if (json_array_size(list) == 1)
        *out = json_incref(json_array_get(list, 0));
    json_decref(tree);
    if (!*out)
        return hd_fail(err, HD_INVALID, "'%s' is not one SQL expression", expression);
    hd_tree_normalise(*out);
    return HD_OK;
}
