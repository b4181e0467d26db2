/* ask.c - SQL text to a checked question. See question.h.
 *
 * Steps: parse; find the table; resolve names; find keys; lift aggregates out of the select list,
 * HAVING and ORDER BY, so that what is left above them reads k0.., a0.. only; let DuckDB check types.
 * Anything left over that reads a record's own value is refused here, before data is touched.
 */
#include "engine/private.h"
#include "base/alloc.h"
#include "base/intern.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct item {
    json_t *tree; /* resolved; later lifted */
    char *alias;  /* as written, or NULL */
    char *name;   /* of the output column */
    json_t *resolved; /* before lifting, for GROUP BY and ORDER BY */
    bool is_subnational;
};

struct asking {
    hd_engine *e;
    asked *a;
    json_t *select; /* the SELECT_NODE */
    char alias[64]; /* of the table */
    struct item *items;
    size_t n_items;
    hd_output *outputs;
    hd_order_term *order;
};

static hd_code keep_text(asked *a, const char *s, const char **out, hd_err *err)
{
    return hd_asked_keep(a, hd_strdup(s), out, err);
}

/* ---- shape ------------------------------------------------------------------------------------- */

static const char nearest[] = "SELECT provider, count(*) FROM spells GROUP BY provider";

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
                       nearest);
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

/* ---- select list ------------------------------------------------------------------------------- */

static hd_code output_name(struct asking *s, json_t *original, struct item *item, hd_err *err)
{
    const char *column = hd_tree_column(original);
    if (item->alias || column) {
        item->name = hd_strdup(item->alias ? item->alias : column);
        return item->name ? HD_OK : hd_fail_nomem(err);
    }
    HD_TRY(hd_tree_unparse(s->e->duck, original, &item->name, err));
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

static hd_code take_items(struct asking *s, hd_err *err)
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

static struct item *item_by_alias(const struct asking *s, const char *name)
{
    for (size_t i = 0; i < s->n_items; i++)
        if (s->items[i].alias && strcasecmp(s->items[i].alias, name) == 0)
            return &s->items[i];
    return NULL;
}

/* The select item that an ordinal (GROUP BY 1) names, NULL when the node is no ordinal. */
static hd_code item_by_ordinal(const struct asking *s, const json_t *node, const char *clause,
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

/* ---- keys -------------------------------------------------------------------------------------- */

static json_t *see_aggregate(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    if (hd_aggregate_find(hd_tree_function(node)))
        *(bool *)ctx = true;
    *rc = hd_tree_each_child(node, see_aggregate, ctx, err);
    return NULL;
}

static bool has_aggregate(json_t *tree)
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
    if (has_aggregate(tree))
        return hd_fail(err, HD_INVALID, "an aggregate cannot stand in GROUP BY");
    a->keys[i] = json_incref(tree);
    a->q.n_keys++;
    a->key_views[i].is_subnational = is_subnational;
    return keep_text(a, name, &a->key_views[i].name, err);
}

static hd_code take_group(struct asking *s, json_t *original, hd_err *err)
{
    struct item *item = NULL;
    HD_TRY(item_by_ordinal(s, original, "GROUP BY", &item, err));
    const char *column = hd_tree_column(original);
    if (item)
        return add_key(s, item->resolved, item->name, item->is_subnational, err);
    json_t *tree = json_deep_copy(original);
    if (!tree)
        return hd_fail_nomem(err);
    hd_tree_normalise(tree);
    char *name = NULL;
    bool is_subnational = false;
    hd_code rc = hd_tree_unparse(s->e->duck, tree, &name, err);
    if (rc == HD_OK)
        rc = resolve_noting(s, &tree, &is_subnational, err);
    /* A name that is no field may be an alias of the select list. */
    const char *left = hd_tree_column(tree);
    if (rc == HD_OK && column && left && strcmp(left, column) == 0 &&
        !hd_table_def_field(s->a->table, left) && (item = item_by_alias(s, column)))
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
    /* Two names for one expression are one key to every engine, and a set that has one of them without
     * the other has no reading. */
    for (size_t i = 0; a->n_sets > 1 && i < a->q.n_keys; i++)
        for (size_t j = 0; j < i; j++)
            if (json_equal(a->keys[i], a->keys[j]))
                return hd_fail(err, HD_INVALID, "%s and %s are the same expression and stand twice in "
                                                "the grouping sets", a->key_views[j].name,
                               a->key_views[i].name);
    if (a->n_sets == 0)
        a->sets[a->n_sets++] = (1u << a->q.n_keys) - 1;
    return HD_OK;
}

static hd_code take_keys(struct asking *s, hd_err *err)
{
    json_t *groups = json_object_get(s->select, "group_expressions");
    for (size_t i = 0; i < json_array_size(groups); i++)
        HD_TRY(take_group(s, json_array_get(groups, i), err));
    if (hd_tree_is(s->select, "SELECT_NODE") &&
        strcmp(hd_tree_text(s->select, "aggregate_handling"), "FORCE_AGGREGATES") == 0)
        for (size_t i = 0; i < s->n_items; i++)
            if (!has_aggregate(s->items[i].resolved))
                HD_TRY(add_key(s, s->items[i].resolved, s->items[i].name,
                               s->items[i].is_subnational, err));
    return take_sets(s, err);
}

/* ---- aggregates -------------------------------------------------------------------------------- */

static hd_code number_argument(const json_t *node, double low, double high, const char *what,
                               double *out, hd_err *err)
{
    const json_t *value = json_object_get(node, "value");
    const json_t *info = json_object_get(json_object_get(value, "type"), "type_info");
    const json_t *number = json_object_get(value, "value");
    if (!hd_tree_is(node, "CONSTANT") || !json_is_number(number))
        return hd_fail(err, HD_INVALID, "%s must be a plain number", what);
    double v = json_number_value(number);
    for (json_int_t i = json_integer_value(json_object_get(info, "scale")); i > 0; i--)
        v /= 10;
    if (!(v >= low && v <= high))
        return hd_fail(err, HD_INVALID, "%s must lie between %g and %g", what, low, high);
    *out = v;
    return HD_OK;
}

static hd_code read_aggregate(const json_t *node, asked_aggregate *g, hd_err *err)
{
    json_t *children = json_object_get(node, "children");
    size_t n = json_array_size(children);
    *g = (asked_aggregate){.def = hd_aggregate_find(hd_tree_function(node))};
    if (n != g->def->n_arguments && !(n == 0 && g->def->fn == HD_FN_COUNT))
        return hd_fail(err, HD_INVALID, "%s takes %u argument%s", g->def->name, g->def->n_arguments,
                       g->def->n_arguments == 1 ? "" : "s");
    if (json_array_size(json_object_get(json_object_get(node, "order_bys"), "orders")) > 0)
        return hd_fail(err, HD_INVALID, "ORDER BY inside %s is not available", g->def->name);
    g->is_distinct = json_is_true(json_object_get(node, "distinct"));
    if (g->is_distinct && g->def->fn != HD_FN_COUNT)
        return hd_fail(err, HD_INVALID, "DISTINCT is available in count only");
    if (json_is_object(json_object_get(node, "filter")))
        g->filter = json_object_get(node, "filter");
    if (n > 0)
        g->argument = json_array_get(children, 0);
    g->is_person = g->is_distinct && g->argument && hd_tree_column(g->argument) &&
                   strcmp(hd_tree_column(g->argument), "#person") == 0;
    g->is_own_expression = strcmp(hd_tree_text(node, "alias"), HD_OWN_EXPRESSION) == 0;
    g->quantile = 0.5;
    if (g->def->n_arguments >= 2)
        HD_TRY(number_argument(json_array_get(children, 1), 0, 1, "the quantile", &g->quantile, err));
    if (g->def->n_arguments >= 3)
        HD_TRY(number_argument(json_array_get(children, 2), 0.5, 0.9999, "the confidence level",
                               &g->level, err));
    return HD_OK;
}

static bool same_aggregate(const asked_aggregate *a, const asked_aggregate *b)
{
    return a->def == b->def && a->is_distinct == b->is_distinct && a->quantile == b->quantile &&
           a->level == b->level && (a->argument == NULL) == (b->argument == NULL) &&
           (a->filter == NULL) == (b->filter == NULL) &&
           (!a->argument || json_equal(a->argument, b->argument)) &&
           (!a->filter || json_equal(a->filter, b->filter));
}

static hd_code add_aggregate(struct asking *s, const json_t *node, size_t *out, hd_err *err)
{
    asked *a = s->a;
    asked_aggregate g;
    HD_TRY(read_aggregate(node, &g, err));
    for (*out = 0; *out < a->q.n_aggregates; ++*out)
        if (same_aggregate(&a->aggregates[*out], &g)) {
            a->aggregates[*out].is_own_expression |= g.is_own_expression;
            return HD_OK;
        }
    if (a->q.n_aggregates == HD_MAX_AGGREGATES)
        return hd_fail(err, HD_LIMIT, "more than %d different aggregates", HD_MAX_AGGREGATES);
    json_incref(g.argument);
    json_incref(g.filter);
    a->aggregates[a->q.n_aggregates++] = g;
    return HD_OK;
}

/* ---- lifting ----------------------------------------------------------------------------------- */

struct lift {
    struct asking *s;
    uint64_t aggregates;
    bool aliases; /* names of select items may be used (HAVING, ORDER BY) */
};

static hd_code lift(struct lift *l, json_t *node, json_t **out, hd_err *err);

static json_t *lift_child(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    json_t *other = NULL;
    *rc = lift(ctx, node, &other, err);
    return *rc == HD_OK ? other : (json_decref(other), NULL);
}

static hd_code placeholder(char letter, size_t i, json_t **out, hd_err *err)
{
    char name[16];
    snprintf(name, sizeof name, "%c%zu", letter, i);
    *out = hd_tree_new_column(name);
    return *out ? HD_OK : hd_fail_nomem(err);
}

static hd_code refuse_column(const struct lift *l, const char *name, hd_err *err)
{
    const asked *a = l->s->a;
    if (strcmp(name, "#person") == 0)
        return hd_fail(err, HD_DENIED, "person is never shown; count people with "
                                       "count(DISTINCT person)");
    char shown[64];
    snprintf(shown, sizeof shown, "%.*s", (int)strcspn(name, "#"), name);
    if (name[0] == '#' || hd_table_def_field(a->table, shown))
        return hd_fail(err, HD_DENIED,
                       "%s outside GROUP BY would return records; nearest: GROUP BY %s, or an "
                       "aggregate such as count(%s)",
                       *shown ? shown : "a test", *shown ? shown : "it", *shown ? shown : "*");
    return hd_fail(err, HD_NOTFOUND, "table %s has no field '%s'; hdis fields %s lists them",
                   a->table->name, shown, a->table->name);
}

/* A sum or mean of zeros and ones: lift the counts that it stands for. */
static hd_code lift_flag(struct lift *l, json_t *node, json_t **out, hd_err *err)
{
    json_t *counts, *other = NULL;
    *out = NULL;
    HD_TRY(hd_flag_as_counts(l->s->e, l->s->a, node, &counts, err));
    if (!counts)
        return HD_OK;
    hd_code rc = lift(l, counts, &other, err);
    json_decref(other);
    if (rc == HD_OK)
        *out = counts;
    else
        json_decref(counts);
    return rc;
}

static hd_code lift(struct lift *l, json_t *node, json_t **out, hd_err *err)
{
    asked *a = l->s->a;
    *out = NULL;
    for (size_t i = 0; i < a->q.n_keys; i++)
        if (json_equal(a->keys[i], node))
            return placeholder('k', i, out, err);
    if (hd_aggregate_find(hd_tree_function(node))) {
        size_t i;
        HD_TRY(lift_flag(l, node, out, err));
        if (*out)
            return HD_OK;
        HD_TRY(add_aggregate(l->s, node, &i, err));
        l->aggregates |= UINT64_C(1) << i;
        return placeholder('a', i, out, err);
    }
    const char *name = hd_tree_column(node);
    if (name) {
        struct item *item = l->aliases ? item_by_alias(l->s, name) : NULL;
        if (!item)
            return refuse_column(l, name, err);
        json_t *copy = json_deep_copy(item->resolved);
        if (!copy)
            return hd_fail_nomem(err);
        l->aliases = false;
        hd_code rc = lift(l, copy, out, err);
        l->aliases = true;
        if (rc == HD_OK && !*out)
            *out = json_incref(copy);
        json_decref(copy);
        return rc;
    }
    return hd_tree_each_child(node, lift_child, l, err);
}

/* Lift a tree and give its text over k0.., a0... */
static hd_code lift_to_sql(struct asking *s, json_t *tree, bool aliases, const char **sql,
                           uint64_t *aggregates, hd_err *err)
{
    struct lift l = {.s = s, .aliases = aliases};
    json_t *work = json_deep_copy(tree), *other = NULL;
    if (!work)
        return hd_fail_nomem(err);
    char *text = NULL;
    hd_code rc = lift(&l, work, &other, err);
    if (rc == HD_OK)
        rc = hd_tree_unparse(s->e->duck, other ? other : work, &text, err);
    json_decref(other);
    json_decref(work);
    *aggregates = l.aggregates;
    return rc == HD_OK ? hd_asked_keep(s->a, text, sql, err) : rc;
}

static hd_code lift_outputs(struct asking *s, hd_err *err)
{
    asked *a = s->a;
    s->outputs = hd_calloc(s->n_items, sizeof *s->outputs);
    if (!s->outputs)
        return hd_fail_nomem(err);
    a->q.outputs = s->outputs;
    a->q.n_outputs = s->n_items;
    for (size_t i = 0; i < s->n_items; i++) {
        hd_output *o = &s->outputs[i];
        HD_TRY(keep_text(a, s->items[i].name, &o->name, err));
        hd_code rc = lift_to_sql(s, s->items[i].tree, false, &o->sql, &o->aggregates, err);
        if (rc == HD_DENIED && !has_aggregate(s->items[i].tree) &&
            strcmp(o->name, "person") != 0) /* say it in the asker's own words */
            return hd_fail(err, rc, "%s outside GROUP BY would return records; nearest: GROUP BY %s",
                           o->name, o->name);
        HD_TRY(rc);
    }
    if (a->q.n_aggregates == 0 && a->q.n_keys == 0)
        return hd_fail(err, HD_DENIED, "this would return records; ask for aggregates, as in %s",
                       nearest);
    json_t *having = json_object_get(s->select, "having");
    if (!json_is_object(having))
        return HD_OK;
    json_t *tree = json_deep_copy(having);
    if (!tree)
        return hd_fail_nomem(err);
    hd_tree_normalise(tree);
    hd_code rc = hd_resolve(s->e, a, s->alias, &tree, err);
    if (rc == HD_OK)
        rc = lift_to_sql(s, tree, true, &a->q.having, &a->q.having_aggregates, err);
    json_decref(tree);
    return rc;
}

/* ---- ORDER BY, LIMIT --------------------------------------------------------------------------- */

static hd_code order_term(struct asking *s, const json_t *order, hd_order_term *term, hd_err *err)
{
    json_t *expression = json_object_get(order, "expression");
    const char *nulls = hd_tree_text(order, "null_order");
    term->descending = strcmp(hd_tree_text(order, "type"), "DESCENDING") == 0;
    term->nulls = strstr(nulls, "FIRST") ? -1 : strstr(nulls, "LAST") ? 1 : 0;
    struct item *item = NULL;
    HD_TRY(item_by_ordinal(s, expression, "ORDER BY", &item, err));
    const char *column = hd_tree_column(expression);
    if (!item && column && json_array_size(json_object_get(expression, "column_names")) == 1)
        item = item_by_alias(s, column);
    if (item)
        return lift_to_sql(s, item->tree, false, &term->sql, &term->aggregates, err);
    json_t *tree = json_deep_copy(expression);
    if (!tree)
        return hd_fail_nomem(err);
    hd_tree_normalise(tree);
    hd_code rc = hd_resolve(s->e, s->a, s->alias, &tree, err);
    if (rc == HD_OK)
        rc = lift_to_sql(s, tree, true, &term->sql, &term->aggregates, err);
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

static hd_code guard_all(const asked *a, hd_err *err)
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

static hd_code check_types(struct asking *s, hd_err *err)
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

static hd_code count_key_fields(asked *a, hd_err *err)
{
    struct fields s = {.a = a};
    hd_code rc = HD_OK;
    for (size_t i = 0; i < a->q.n_keys && rc == HD_OK; i++)
        (void)see_field(&s, a->keys[i], &rc, err);
    a->q.n_key_fields = s.n;
    return rc;
}

static hd_code look_at_arguments(struct asking *s, hd_err *err)
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

/* ---- the whole --------------------------------------------------------------------------------- */

static hd_code take_where(struct asking *s, hd_err *err)
{
    json_t *where = json_object_get(s->select, "where_clause");
    if (!json_is_object(where))
        return HD_OK;
    s->a->where = json_deep_copy(where);
    if (!s->a->where)
        return hd_fail_nomem(err);
    hd_tree_normalise(s->a->where);
    return hd_resolve(s->e, s->a, s->alias, &s->a->where, err);
}

static hd_code ask(struct asking *s, hd_err *err)
{
    asked *a = s->a;
    HD_TRY(refuse_shape(s, err));
    HD_TRY(find_table(s, err));
    HD_TRY(take_items(s, err));
    HD_TRY(take_where(s, err));
    HD_TRY(take_keys(s, err));
    HD_TRY(lift_outputs(s, err));
    HD_TRY(take_modifiers(s, err));
    HD_TRY(guard_all(a, err));
    HD_TRY(check_types(s, err));
    HD_TRY(look_at_arguments(s, err));
    HD_TRY(count_key_fields(a, err));
    a->q.is_subnational = a->sees_subnational;
    a->q.keys = a->key_views;
    a->q.aggregates = a->aggregate_views;
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

hd_code hd_engine_ask(hd_engine *e, const char *sql, hd_question **out, hd_err *err)
{
    *out = NULL;
    char *json = NULL;
    json_t *root = NULL;
    struct asking s = {.e = e};
    hd_code rc = HD_OK;
    if (strlen(sql) > 100000)
        return hd_fail(err, HD_LIMIT, "a question may have 100,000 characters");
    s.a = hd_calloc(1, sizeof *s.a);
    if (!s.a)
        return hd_fail_nomem(err);
    HD_GO(keep_text(s.a, sql, &s.a->q.sql, err));
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
        *out = &s.a->q;
    else
        hd_question_free(&s.a->q);
    return rc;
}

void hd_question_free(hd_question *q)
{
    if (!q)
        return;
    asked *a = (asked *)q;
    json_decref(a->where);
    for (size_t i = 0; i < q->n_keys; i++)
        json_decref(a->keys[i]);
    for (size_t i = 0; i < q->n_aggregates; i++) {
        json_decref(a->aggregates[i].argument);
        json_decref(a->aggregates[i].filter);
    }
    for (size_t i = 0; i < a->n_any; i++)
        json_decref(a->any[i].test);
    for (size_t i = 0; i < a->n_strings; i++)
        hd_free(a->strings[i]);
    hd_free(a->strings);
    hd_free((void *)(uintptr_t)q->outputs);
    hd_free((void *)(uintptr_t)q->order);
    hd_free(a);
}
