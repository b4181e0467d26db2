/* lift.c - aggregates out of expressions (asking.h).
 *
 * Invariant: what is left after lifting names k0.., a0.. and nothing else, so it cannot read a
 * record.
 */
#include "engine/asking.h"
#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* ---- aggregates ------------------------------------------------------------------------------ */

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
        HD_TRY(
            number_argument(json_array_get(children, 1), 0, 1, "the quantile", &g->quantile, err));
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
/* ---- lifting --------------------------------------------------------------------------------- */

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
        return hd_fail(err, HD_DENIED,
                       "person is never shown; count people with "
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

static json_t *refuse_aggregate(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    if (hd_has_aggregate(node))
        *rc = hd_fail(err, HD_INVALID, "an aggregate cannot stand in %s, which is about one record",
                      (const char *)ctx);
    return NULL;
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
        HD_TRY(hd_tree_each_child(node, refuse_aggregate, (void *)(uintptr_t)hd_tree_function(node), err));
        HD_TRY(lift_flag(l, node, out, err));
        if (*out)
            return HD_OK;
        HD_TRY(add_aggregate(l->s, node, &i, err));
        l->aggregates |= UINT64_C(1) << i;
        return placeholder('a', i, out, err);
    }
    const char *name = hd_tree_column(node);
    if (name) {
        struct item *item = l->aliases ? hd_item_by_alias(l->s, name) : NULL;
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
hd_code hd_lift_to_sql(struct asking *s, json_t *tree, bool aliases, const char **sql,
                       uint64_t *aggregates, hd_err *err)
{
    struct lift l = {.s = s, .aliases = aliases};
    json_t *work = json_deep_copy(tree), *other = NULL;
    if (!work)
        return hd_fail_nomem(err);
    char *text = NULL;
    hd_code rc = lift(&l, work, &other, err);
    if (rc == HD_OK)
        rc = hd_text_of(s->e, other ? other : work, &text, err);
    json_decref(other);
    json_decref(work);
    *aggregates = l.aggregates;
    return rc == HD_OK ? hd_asked_keep(s->a, text, sql, err) : rc;
}

hd_code hd_lift_outputs(struct asking *s, hd_err *err)
{
    asked *a = s->a;
    s->outputs = hd_calloc(s->n_items, sizeof *s->outputs);
    if (!s->outputs)
        return hd_fail_nomem(err);
    a->q.outputs = s->outputs;
    a->q.n_outputs = s->n_items;
    for (size_t i = 0; i < s->n_items; i++) {
        hd_output *o = &s->outputs[i];
        HD_TRY(hd_keep_text(a, s->items[i].name, &o->name, err));
        hd_code rc = hd_lift_to_sql(s, s->items[i].tree, false, &o->sql, &o->aggregates, err);
        if (rc == HD_DENIED && !hd_has_aggregate(s->items[i].tree) &&
            strcmp(o->name, "person") != 0) /* say it in the asker's own words */
            return hd_fail(err, rc,
                           "%s outside GROUP BY would return records; nearest: GROUP BY %s",
                           o->name, o->name);
        HD_TRY(rc);
    }
    if (a->q.n_aggregates == 0 && a->q.n_keys == 0)
        return hd_fail(err, HD_DENIED, "this would return records; ask for aggregates, as in %s",
                       HD_NEAREST);
    json_t *having = json_object_get(s->select, "having");
    if (!json_is_object(having))
        return HD_OK;
    json_t *tree = json_deep_copy(having);
    if (!tree)
        return hd_fail_nomem(err);
    hd_tree_normalise(tree);
    hd_code rc = hd_resolve(s->e, a, s->alias, &tree, err);
    if (rc == HD_OK)
        rc = hd_lift_to_sql(s, tree, true, &a->q.having, &a->q.having_aggregates, err);
    json_decref(tree);
    return rc;
}
