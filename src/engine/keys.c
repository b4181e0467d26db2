/* keys.c - the select list and the GROUP BY keys of a question (asking.h). */
#include "engine/asking.h"
#include "base/alloc.h"

#include <string.h>
#include <strings.h>

hd_code hd_keep_text(asked *a, const char *s, const char **out, hd_err *err)
{
    return hd_asked_keep(a, hd_strdup(s), out, err);
}

/* ---- select list ----------------------------------------------------------------------------- */

static hd_code output_name(struct asking *s, json_t *original, struct item *item, hd_err *err)
{
    const char *column = hd_tree_column(original);
    if (item->alias || column) {
        item->name = hd_strdup(item->alias ? item->alias : column);
        return item->name ? HD_OK : hd_fail_nomem(err);
    }
    HD_TRY(hd_text_of(s->e, original, &item->name, err));
    /* DuckDB writes count(*) as count_star(). */
    static const char star[] = "count_star()", shown[] = "count(*)";
    for (char *at = strstr(item->name, star); at; at = strstr(at, star)) {
        memcpy(at, shown, sizeof shown - 1);
        memmove(at + sizeof shown - 1, at + sizeof star - 1, strlen(at + sizeof star - 1) + 1);
    }
    return HD_OK;
}

/* Resolve a tree, and say whether it reads a field below national level. */
static hd_code resolve_noting(struct asking *s, json_t **tree, bool *is_subnational, hd_err *err)
{
    bool before = s->a->sees_subnational;
    s->a->sees_subnational = false;
    hd_code rc = hd_resolve(s->e, s->a, s->alias, tree, err);
    *is_subnational = s->a->sees_subnational;
    s->a->sees_subnational |= before;
    return rc;
}

hd_code hd_take_items(struct asking *s, hd_err *err)
{
    json_t *list = json_object_get(s->select, "select_list");
    s->n_items = json_array_size(list);
    s->items = hd_calloc(s->n_items, sizeof *s->items);
    if (!s->items)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < s->n_items; i++) {
        struct item *item = &s->items[i];
        item->tree = json_deep_copy(json_array_get(list, i));
        if (!item->tree)
            return hd_fail_nomem(err);
        const char *alias = hd_tree_text(item->tree, "alias");
        if (*alias) {
            item->alias = hd_strdup(alias);
            if (!item->alias)
                return hd_fail_nomem(err);
        }
        hd_tree_normalise(item->tree);
        if (!hd_tree_is(item->tree, "STAR"))
            HD_TRY(output_name(s, item->tree, item, err));
        HD_TRY(resolve_noting(s, &item->tree, &item->is_subnational, err));
        item->resolved = json_deep_copy(item->tree);
        if (!item->resolved)
            return hd_fail_nomem(err);
    }
    return HD_OK;
}

struct item *hd_item_by_alias(const struct asking *s, const char *name)
{
    for (size_t i = 0; i < s->n_items; i++)
        if (s->items[i].alias && strcasecmp(s->items[i].alias, name) == 0)
            return &s->items[i];
    return NULL;
}

/* The select item that an ordinal (GROUP BY 1) names, NULL when the node is no ordinal. */
hd_code hd_item_by_ordinal(const struct asking *s, const json_t *node, const char *clause,
                           struct item **out, hd_err *err)
{
    *out = NULL;
    const json_t *value = json_object_get(json_object_get(node, "value"), "value");
    if (!hd_tree_is(node, "CONSTANT") || !json_is_integer(value))
        return HD_OK;
    json_int_t n = json_integer_value(value);
    if (n < 1 || (size_t)n > s->n_items)
        return hd_fail(err, HD_INVALID, "%s %lld: the select list has %zu columns", clause,
                       (long long)n, s->n_items);
    *out = &s->items[n - 1];
    return HD_OK;
}
/* ---- keys ------------------------------------------------------------------------------------ */

static json_t *see_aggregate(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    if (hd_aggregate_find(hd_tree_function(node)))
        *(bool *)ctx = true;
    *rc = hd_tree_each_child(node, see_aggregate, ctx, err);
    return NULL;
}

bool hd_has_aggregate(json_t *tree)
{
    bool found = false;
    hd_code rc = HD_OK;
    hd_err err;
    (void)see_aggregate(&found, tree, &rc, &err);
    return found;
}

static hd_code add_key(struct asking *s, json_t *tree, const char *name, bool is_subnational,
                       hd_err *err)
{
    asked *a = s->a;
    size_t i = a->q.n_keys;
    if (i == HD_MAX_KEYS)
        return hd_fail(err, HD_LIMIT, "more than %d columns in GROUP BY", HD_MAX_KEYS);
    if (hd_has_aggregate(tree))
        return hd_fail(err, HD_INVALID, "an aggregate cannot stand in GROUP BY");
    a->keys[i] = json_incref(tree);
    a->q.n_keys++;
    a->key_views[i].is_subnational = is_subnational;
    return hd_keep_text(a, name, &a->key_views[i].name, err);
}

static hd_code take_group(struct asking *s, json_t *original, hd_err *err)
{
    struct item *item = NULL;
    HD_TRY(hd_item_by_ordinal(s, original, "GROUP BY", &item, err));
    const char *column = hd_tree_column(original);
    if (item)
        return add_key(s, item->resolved, item->name, item->is_subnational, err);
    json_t *tree = json_deep_copy(original);
    if (!tree)
        return hd_fail_nomem(err);
    hd_tree_normalise(tree);
    char *name = NULL;
    bool is_subnational = false;
    hd_code rc = column ? HD_OK : hd_text_of(s->e, tree, &name, err);
    if (rc == HD_OK)
        rc = resolve_noting(s, &tree, &is_subnational, err);
    /* A name that is no field may be an alias of the select list. */
    const char *left = hd_tree_column(tree);
    if (rc == HD_OK && column && left && strcmp(left, column) == 0 &&
        !hd_table_def_field(s->a->table, left) && (item = hd_item_by_alias(s, column)))
        rc = add_key(s, item->resolved, item->name, item->is_subnational, err);
    else if (rc == HD_OK)
        rc = add_key(s, tree, column ? column : name, is_subnational, err);
    hd_free(name);
    json_decref(tree);
    return rc;
}

static hd_code take_sets(struct asking *s, hd_err *err)
{
    asked *a = s->a;
    const json_t *sets = json_object_get(s->select, "group_sets");
    a->n_sets = json_array_size(sets);
    if (a->n_sets > HD_MAX_SETS)
        return hd_fail(err, HD_LIMIT, "more than %d grouping sets", HD_MAX_SETS);
    for (size_t i = 0; i < a->n_sets; i++) {
        const json_t *set = json_array_get(sets, i);
        for (size_t k = 0; k < json_array_size(set); k++)
            a->sets[i] |= 1u << json_integer_value(json_array_get(set, k));
        for (size_t j = 0; j < i; j++)
            if (a->sets[j] == a->sets[i])
                return hd_fail(err, HD_INVALID, "the same grouping set stands twice");
    }
    /* Two names for one expression are one key to every engine, and a set that has one of them
     * without the other has no reading. */
    for (size_t i = 0; a->n_sets > 1 && i < a->q.n_keys; i++)
        for (size_t j = 0; j < i; j++)
            if (json_equal(a->keys[i], a->keys[j]))
                return hd_fail(err, HD_INVALID,
                               "%s and %s are the same expression and stand twice in "
                               "the grouping sets",
                               a->key_views[j].name, a->key_views[i].name);
    if (a->n_sets == 0)
        a->sets[a->n_sets++] = (1u << a->q.n_keys) - 1;
    return HD_OK;
}

hd_code hd_take_keys(struct asking *s, hd_err *err)
{
    json_t *groups = json_object_get(s->select, "group_expressions");
    for (size_t i = 0; i < json_array_size(groups); i++)
        HD_TRY(take_group(s, json_array_get(groups, i), err));
    if (hd_tree_is(s->select, "SELECT_NODE") &&
        strcmp(hd_tree_text(s->select, "aggregate_handling"), "FORCE_AGGREGATES") == 0)
        for (size_t i = 0; i < s->n_items; i++)
            if (!hd_has_aggregate(s->items[i].resolved))
                HD_TRY(add_key(s, s->items[i].resolved, s->items[i].name,
                               s->items[i].is_subnational, err));
    return take_sets(s, err);
}
