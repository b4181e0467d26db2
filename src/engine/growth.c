/* growth.c - how long the texts of an expression can become, told before anything is run.
 *
 * rpad(x, 200000000, 'x') is one small function call to DuckDB and cannot be stopped inside it,
 * so what can make long texts is bounded by its form: a sum or a product of what goes in. A
 * column is taken to hold texts of COLUMN characters; landed fields hold far less.
 */
#include "engine/private.h"

#include <string.h>

enum { COLUMN = 256, OTHER = 64, MOST = 100000, CHILDREN = 64, NESTED = 6 };

typedef enum growth_kind {
    SUM,     /* concat */
    PAD,     /* the second argument says how long */
    REPLACE, /* every character by the third argument */
    PATTERN  /* every match, also an empty one, by the third argument, which may repeat the match */
} growth_kind;

static const struct rule {
    const char *name;
    growth_kind kind;
} rules[] = {{"||", SUM},          {"concat", SUM},       {"concat_ws", SUM},
             {"list_value", SUM},  {"rpad", PAD},         {"lpad", PAD},
             {"replace", REPLACE}, {"strftime", PATTERN}, {"regexp_replace", PATTERN}};

struct growth {
    const hd_catalogue *catalogue;
    unsigned nested; /* functions of the catalogue around the node */
    double longest;  /* of the children seen */
};

static hd_code bound(struct growth *g, json_t *node, double *out, hd_err *err);

static json_t *see_child(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    struct growth *g = ctx;
    double length, before = g->longest;
    *rc = bound(g, node, &length, err);
    g->longest = *rc == HD_OK && length > before ? length : before;
    return NULL;
}

static hd_code of_children(struct growth *g, json_t *node, double *out, hd_err *err)
{
    double before = g->longest;
    g->longest = OTHER;
    hd_code rc = hd_tree_each_child(node, see_child, g, err);
    *out = g->longest;
    g->longest = before;
    return rc;
}

static hd_code padded(const json_t *children, double *out, hd_err *err)
{
    const json_t *value =
        json_object_get(json_object_get(json_array_get(children, 1), "value"), "value");
    if (!json_is_integer(value))
        return hd_fail(err, HD_INVALID, "the length in rpad and lpad must be a plain whole number");
    *out = (double)json_integer_value(value);
    return HD_OK;
}

static hd_code of_rule(struct growth *g, const struct rule *r, json_t *node, double *out,
                       hd_err *err)
{
    json_t *children = json_object_get(node, "children");
    size_t n = json_array_size(children);
    double length[CHILDREN] = {0}, sum = 0;
    if (n > CHILDREN)
        return hd_fail(err, HD_LIMIT, "%s takes at most %d arguments", r->name, CHILDREN);
    for (size_t i = 0; i < n; i++) {
        HD_TRY(bound(g, json_array_get(children, i), &length[i], err));
        sum += length[i];
    }
    switch (r->kind) {
    case SUM:
        *out = sum + (strcmp(r->name, "concat_ws") == 0 ? (double)n * length[0] : 0);
        return HD_OK;
    case PAD:
        return padded(children, out, err);
    case REPLACE:
        *out = length[0] * (length[2] > 1 ? length[2] : 1);
        return HD_OK;
    default:
        *out = strcmp(r->name, "strftime") == 0 ? 32 * sum : (length[0] + 1) * (length[2] + 1);
        return HD_OK;
    }
}

static bool is_of_catalogue(const hd_catalogue *c, const char *name)
{
    const char *macro;
    for (size_t i = 0; i < hd_catalogue_n_macros(c); i++) {
        hd_catalogue_macro_at(c, i, &macro);
        if (strcmp(macro, name) == 0)
            return true;
    }
    return *name && hd_catalogue_lookup(c, name);
}

static hd_code bound(struct growth *g, json_t *node, double *out, hd_err *err)
{
    const char *function = hd_tree_function(node);
    const json_t *value = json_object_get(json_object_get(node, "value"), "value");
    hd_code rc = HD_OK;
    bool nests = is_of_catalogue(g->catalogue, function);
    *out = OTHER;
    if (hd_tree_column(node)) {
        *out = COLUMN;
        return HD_OK;
    }
    if (hd_tree_is(node, "CONSTANT")) {
        *out = json_is_string(value) ? (double)json_string_length(value) : OTHER;
        return HD_OK;
    }
    /* Such a function may write its argument several times, so nesting them multiplies. */
    g->nested += nests;
    if (g->nested > NESTED)
        return hd_fail(err, HD_LIMIT, "functions of the catalogue may stand in each other %d deep",
                       NESTED);
    size_t r = 0;
    while (r < sizeof rules / sizeof *rules && strcmp(rules[r].name, function) != 0)
        r++;
    if (r < sizeof rules / sizeof *rules)
        rc = of_rule(g, &rules[r], node, out, err);
    else
        rc = of_children(g, node, out, err);
    g->nested -= nests;
    if (rc == HD_OK && *out > MOST)
        rc = hd_fail(err, HD_LIMIT,
                     "a text could become %.3g characters long, and %d is the most: let "
                     "%s make less of it",
                     *out, MOST, *function ? function : "it");
    return rc;
}

hd_code hd_bound_growth(hd_engine *e, json_t *tree, hd_err *err)
{
    struct growth g = {.catalogue = e->catalogue};
    double ignored;
    return tree ? bound(&g, tree, &ignored, err) : HD_OK;
}
