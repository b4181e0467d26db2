/* axis.c - see axis.h. Errors name files and lines, never codes. */
#include "disclosure/axis.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TREES = 16 };

hd_code hd_axis_init(hd_axis *a, const char *name, const char *total, hd_err *err)
{
    *a = (hd_axis){.name = hd_strdup(name), .texts = hd_intern_new()};
    if (!a->name || !a->texts)
        return hd_fail_nomem(err);
    return hd_intern_add(a->texts, total, strlen(total), &a->total, err);
}

void hd_axis_free(hd_axis *a)
{
    for (size_t i = 0; i < a->n_trees; i++)
        hd_free(a->tree_names[i]);
    for (size_t i = 0; i < a->n_rules; i++)
        hd_free((void *)a->rules[i].children);
    hd_free(a->tree_names);
    hd_free(a->edges);
    hd_free(a->place);
    hd_free(a->shown);
    for (uint32_t i = 0; a->codes && i < a->n_codes; i++)
        hd_free(a->codes[i]);
    hd_free(a->codes);
    hd_free(a->rules);
    hd_free(a->name);
    hd_intern_free(a->texts);
    *a = (hd_axis){0};
}

/* ---- reading trees -------------------------------------------------------------------------- */

static hd_code take_edge(hd_axis *a, const hd_csv *t, size_t row, int code_column,
                         int parent_column, const char *name, hd_err *err)
{
    const char *code = hd_csv_cell(t, row, code_column);
    const char *parent = hd_csv_cell(t, row, parent_column);
    hd_axis_edge e = {.tree = (uint32_t)a->n_trees - 1, .line = t->lines[row]};
    if (!*code)
        return hd_fail(err, HD_FORMAT, "%s, line %zu: the code is empty", name, e.line);
    HD_TRY(hd_intern_add(a->texts, code, strlen(code), &e.code, err));
    if (!*parent && e.code == a->total)
        return HD_OK; /* the top may say that nothing is above it */
    if (!*parent)
        return hd_fail(err, HD_FORMAT, "%s, line %zu: the parent is empty", name, e.line);
    HD_TRY(hd_intern_add(a->texts, parent, strlen(parent), &e.parent, err));
    if (e.code == e.parent)
        return hd_fail(err, HD_FORMAT, "%s, line %zu: a code cannot be its own parent", name,
                       e.line);
    if (e.code == a->total)
        return hd_fail(err, HD_FORMAT, "%s, line %zu: nothing can be above the total", name,
                       e.line);
    if (!HD_GROW(a->edges, a->n_edges, a->edges_cap))
        return hd_fail_nomem(err);
    a->edges[a->n_edges++] = e;
    return HD_OK;
}

hd_code hd_axis_tree(hd_axis *a, const char *text, size_t len, const char *name, hd_err *err)
{
    hd_code rc;
    hd_csv t;
    if (a->n_trees == MAX_TREES)
        return hd_fail(err, HD_LIMIT, "%s: more than %d hierarchies for one dimension", name,
                       MAX_TREES);
    HD_TRY(hd_csv_parse(&t, text, len, name, err));
    int code = hd_csv_column(&t, "code"), parent = hd_csv_column(&t, "parent");
    if (code < 0 || parent < 0)
        HD_GO(hd_fail(err, HD_FORMAT, "%s: the columns code and parent are needed", name));
    if (t.n_rows == 0)
        HD_GO(hd_fail(err, HD_FORMAT, "%s has no rows: a line is needed for each code", name));
    if (!HD_GROW(a->tree_names, a->n_trees, a->trees_cap) ||
        !(a->tree_names[a->n_trees] = hd_strdup(name)))
        HD_GO(hd_fail_nomem(err));
    a->n_trees++;
    rc = HD_OK;
    for (size_t row = 0; row < t.n_rows && rc == HD_OK; row++)
        rc = take_edge(a, &t, row, code, parent, name, err);
out:
    hd_csv_free(&t);
    return rc;
}

hd_code hd_axis_code(hd_axis *a, const char *code, uint32_t *number, hd_err *err)
{
    if (a->n_trees == 0)
        return hd_intern_add(a->texts, code, strlen(code), number, err);
    *number = hd_intern_find(a->texts, code, strlen(code));
    return HD_OK;
}

/* ---- checking trees ------------------------------------------------------------------------- */

/* The parent of each code within one tree, and the line that says so. */
typedef struct upward {
    uint32_t *parent; /* HD_INTERN_NONE: not in the tree, or its top */
    size_t *line;
    bool *is_parent;
    bool *is_inside;
} upward;

static void upward_free(upward *u)
{
    hd_free(u->parent);
    hd_free(u->line);
    hd_free(u->is_parent);
    hd_free(u->is_inside);
}

static hd_code upward_fill(const hd_axis *a, uint32_t tree, upward *u, hd_err *err)
{
    u->parent = hd_malloc(a->n_codes * sizeof *u->parent);
    u->line = hd_calloc(a->n_codes, sizeof *u->line);
    u->is_parent = hd_calloc(a->n_codes, sizeof *u->is_parent);
    u->is_inside = hd_calloc(a->n_codes, sizeof *u->is_inside);
    if (!u->parent || !u->line || !u->is_parent || !u->is_inside)
        return hd_fail_nomem(err);
    memset(u->parent, 0xff, a->n_codes * sizeof *u->parent);
    for (size_t i = 0; i < a->n_edges; i++) {
        const hd_axis_edge *e = &a->edges[i];
        if (e->tree != tree)
            continue;
        if (u->parent[e->code] != HD_INTERN_NONE)
            return hd_fail(err, HD_FORMAT, "%s, line %zu: the code has a parent already on line %zu",
                           a->tree_names[tree], e->line, u->line[e->code]);
        u->parent[e->code] = e->parent;
        u->line[e->code] = e->line;
        u->is_parent[e->parent] = true;
        u->is_inside[e->code] = u->is_inside[e->parent] = true;
    }
    return HD_OK;
}

static size_t first_line_of_circle(const upward *u, uint32_t on_it)
{
    size_t first = u->line[on_it];
    for (uint32_t at = u->parent[on_it]; at != on_it; at = u->parent[at])
        first = u->line[at] < first ? u->line[at] : first;
    return first;
}

/* From every code the way up ends at the total. Named is the line at fault: the first of a circle, or the one
 * whose parent has none. */
static hd_code check_ways_up(const hd_axis *a, uint32_t tree, const upward *u, hd_err *err)
{
    for (uint32_t c = 0; c < a->n_codes; c++) {
        uint32_t at = c;
        if (u->parent[c] == HD_INTERN_NONE) /* the way from its parts leads over it */
            continue;
        for (uint32_t steps = 0; at != a->total; steps++) {
            size_t line = u->line[at];
            if (steps == a->n_codes)
                return hd_fail(err, HD_FORMAT, "%s, line %zu: the parents go round in a circle",
                               a->tree_names[tree], first_line_of_circle(u, at));
            at = u->parent[at];
            if (at != a->total && u->parent[at] == HD_INTERN_NONE)
                return hd_fail(err, HD_FORMAT,
                               "%s, line %zu: the way up does not end at the total: the parent "
                               "needs a line of its own",
                               a->tree_names[tree], line);
        }
    }
    if (!u->is_inside[a->total])
        return hd_fail(err, HD_FORMAT, "%s: the total must be at the top", a->tree_names[tree]);
    return HD_OK;
}

static hd_code check_trees(const hd_axis *a, upward *ups, hd_err *err)
{
    for (uint32_t t = 0; t < a->n_trees; t++) {
        HD_TRY(upward_fill(a, t, &ups[t], err));
        HD_TRY(check_ways_up(a, t, &ups[t], err));
    }
    return HD_OK;
}

/* How many leaves of tree t lie on the ways up from code c, c included; all trees' ways count. */
static uint32_t leaves_above(const hd_axis *a, const upward *ups, uint32_t t, uint32_t c,
                             uint64_t *seen, uint32_t *stack)
{
    uint32_t n = 0, depth = 0;
    uint64_t visit = (uint64_t)c * a->n_trees + t + 1;
    stack[depth++] = c;
    seen[c] = visit;
    while (depth) {
        uint32_t at = stack[--depth];
        n += ups[t].is_inside[at] && !ups[t].is_parent[at];
        for (uint32_t k = 0; k < a->n_trees; k++) {
            uint32_t up = ups[k].parent[at];
            if (up != HD_INTERN_NONE && seen[up] != visit) {
                seen[up] = visit;
                stack[depth++] = up;
            }
        }
    }
    return n;
}

/* Linked trees add up to the same total: each smallest code is in each of them once. */
static hd_code check_cover(const hd_axis *a, const upward *ups, hd_err *err)
{
    hd_code rc = HD_OK;
    uint64_t *seen = hd_calloc(a->n_codes, sizeof *seen);
    uint32_t *stack = hd_malloc(a->n_codes * sizeof *stack);
    if (!seen || !stack)
        HD_GO(hd_fail_nomem(err));
    for (uint32_t c = 0; c < a->n_codes; c++) {
        bool is_leaf = true, has_line = false;
        size_t line = 0, from = 0;
        for (uint32_t t = 0; t < a->n_trees; t++) {
            is_leaf &= !ups[t].is_parent[c];
            if (!has_line && ups[t].is_inside[c])
                line = ups[t].line[c], from = t, has_line = true;
        }
        for (uint32_t t = 0; t < a->n_trees && is_leaf; t++)
            if (leaves_above(a, ups, t, c, seen, stack) != 1)
                HD_GO(hd_fail(err, HD_FORMAT, "%s, line %zu: the code must be in %s once as well",
                              a->tree_names[from], line, a->tree_names[t]));
    }
out:
    hd_free(seen);
    hd_free(stack);
    return rc;
}

/* ---- finishing ------------------------------------------------------------------------------ */

typedef struct named {
    char *text;
    uint32_t number;
} named;

static int compare_named(const void *x, const void *y)
{
    return strcmp(((const named *)x)->text, ((const named *)y)->text);
}

static int compare_numbers(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

static hd_code name_codes(const hd_axis *a, named *all, hd_err *err)
{
    for (uint32_t i = 0; i < a->n_codes; i++) {
        size_t len;
        const char *bytes = hd_intern_get(a->texts, i, &len);
        all[i] = (named){hd_strndup(bytes, len), i};
        if (!all[i].text)
            return hd_fail_nomem(err);
    }
    qsort(all, a->n_codes, sizeof *all, compare_named);
    return HD_OK;
}

static hd_code sort_codes(hd_axis *a, bool sorted, hd_err *err)
{
    hd_code rc;
    named *all = hd_calloc(a->n_codes, sizeof *all);
    a->place = hd_calloc(a->n_codes, sizeof *a->place);
    a->shown = hd_calloc(a->n_codes, sizeof *a->shown);
    a->codes = hd_calloc(a->n_codes, sizeof *a->codes);
    if (!all || !a->place || !a->shown || !a->codes)
        HD_GO(hd_fail_nomem(err));
    HD_GO(name_codes(a, all, err));
    for (uint32_t i = 0; i < a->n_codes; i++) {
        a->place[all[i].number] = i;
        a->codes[i] = all[i].text;
        all[i].text = NULL;
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->n_codes; i++) {
        uint32_t number = sorted ? all[i].number : i;
        if (number != a->total)
            a->shown[n++] = a->place[number];
    }
    a->shown[n] = a->place[a->total];
out:
    for (uint32_t i = 0; all && i < a->n_codes; i++)
        hd_free(all[i].text);
    hd_free(all);
    return rc;
}

static bool has_rule(const hd_axis *a, uint32_t parent, const uint32_t *children, uint32_t n)
{
    for (size_t i = 0; i < a->n_rules && a->n_trees > 1; i++)
        if (a->rules[i].parent == parent && a->rules[i].n_children == n &&
            memcmp(a->rules[i].children, children, n * sizeof *children) == 0)
            return true;
    return false;
}

/* children: allocated, taken over. */
static hd_code add_rule(hd_axis *a, uint32_t parent, uint32_t *children, uint32_t n, hd_err *err)
{
    qsort(children, n, sizeof *children, compare_numbers);
    if (has_rule(a, parent, children, n)) {
        hd_free(children);
        return HD_OK;
    }
    if (!HD_GROW(a->rules, a->n_rules, a->rules_cap)) {
        hd_free(children);
        return hd_fail_nomem(err);
    }
    a->rules[a->n_rules++] = (hd_code_rule){parent, n, children};
    return HD_OK;
}

/* Everything but the total is a part of the total. */
static hd_code flat_rule(hd_axis *a, hd_err *err)
{
    uint32_t n = 0;
    if (a->n_codes < 2)
        return HD_OK;
    uint32_t *children = hd_calloc(a->n_codes, sizeof *children);
    if (!children)
        return hd_fail_nomem(err);
    for (uint32_t i = 0; i < a->n_codes; i++)
        if (i != a->total)
            children[n++] = a->place[i];
    return add_rule(a, a->place[a->total], children, n, err);
}

static int compare_edges(const void *x, const void *y)
{
    const hd_axis_edge *a = x, *b = y;
    if (a->tree != b->tree)
        return a->tree < b->tree ? -1 : 1;
    return (a->parent > b->parent) - (a->parent < b->parent);
}

static hd_code tree_rules(hd_axis *a, hd_err *err)
{
    qsort(a->edges, a->n_edges, sizeof *a->edges, compare_edges);
    for (size_t i = 0, end; i < a->n_edges; i = end) {
        for (end = i; end < a->n_edges && compare_edges(&a->edges[i], &a->edges[end]) == 0; end++)
            ;
        uint32_t *children = hd_calloc(end - i, sizeof *children);
        if (!children)
            return hd_fail_nomem(err);
        for (size_t k = i; k < end; k++)
            children[k - i] = a->place[a->edges[k].code];
        HD_TRY(add_rule(a, a->place[a->edges[i].parent], children, (uint32_t)(end - i), err));
    }
    return HD_OK;
}

hd_code hd_axis_finish(hd_axis *a, bool sorted, hd_err *err)
{
    hd_code rc;
    upward ups[MAX_TREES] = {0};
    a->n_codes = hd_intern_count(a->texts);
    HD_GO(check_trees(a, ups, err));
    if (a->n_trees > 1)
        HD_GO(check_cover(a, ups, err));
    HD_GO(sort_codes(a, sorted, err));
    HD_GO(a->n_trees ? tree_rules(a, err) : flat_rule(a, err));
out:
    for (size_t t = 0; t < a->n_trees; t++)
        upward_free(&ups[t]);
    return rc;
}

hd_dimension hd_axis_dimension(const hd_axis *a)
{
    return (hd_dimension){.name = a->name,
                          .n_codes = a->n_codes,
                          .codes = (const char *const *)a->codes,
                          .n_rules = a->n_rules,
                          .rules = a->rules};
}
