/* route_kernel.c - a question as lookup tables for the kernel, and its answer as cells. */
#include "engine/private.h"
#include "base/alloc.h"
#include "kernel/kernel.h"
#include "statistics/interval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- can the kernel? ----------------------------------------------------------------------------- */

static bool is_logic(const json_t *node)
{
    return hd_tree_is(node, "CONJUNCTION_AND") || hd_tree_is(node, "CONJUNCTION_OR") ||
           hd_tree_is(node, "OPERATOR_NOT");
}

static const char *predicate_obstacle(const json_t *node)
{
    if (!node)
        return NULL;
    const char *column = hd_single_column(node);
    if (column && (strncmp(column, "#any", 4) != 0 || hd_tree_column(node)))
        return NULL; /* one column, or a list test that stands by itself */
    if (!is_logic(node))
        return "a condition reads several columns in one expression";
    const json_t *children = json_object_get(node, "children");
    for (size_t i = 0; i < json_array_size(children); i++) {
        const char *why = predicate_obstacle(json_array_get(children, i));
        if (why)
            return why;
    }
    return NULL;
}

static const char *value_obstacle(const json_t *node, const char *several, const char *none)
{
    const char *column = hd_single_column(node);
    if (!column)
        return several;
    if (!*column)
        return none;
    return strncmp(column, "#any", 4) == 0 ? "a test on a list is used as a value" : NULL;
}

static const char *aggregate_obstacle(const asked *a, const asked_aggregate *g)
{
    const char *why = predicate_obstacle(g->filter);
    if (why || !g->argument || g->is_person)
        return why;
    why = value_obstacle(g->argument, "an aggregate reads several columns in one expression",
                         "an aggregate of a constant");
    if (why)
        return why;
    column_ref ref = hd_column_parse(a, hd_single_column(g->argument));
    return ref.field->kind == HD_FIELD_KEY ? "row keys have no dictionary" : NULL;
}

const char *hd_kernel_obstacle(const asked *a)
{
    const char *why = predicate_obstacle(a->where);
    for (size_t i = 0; !why && i < a->q.n_keys; i++)
        why = value_obstacle(a->keys[i], "a GROUP BY expression reads several columns",
                             "GROUP BY of a constant");
    for (size_t i = 0; !why && i < a->q.n_aggregates; i++)
        why = aggregate_obstacle(a, &a->aggregates[i]);
    return why;
}

/* ---- the plan ------------------------------------------------------------------------------------ */

enum { MAX_NODES = 4096 };

struct plan {
    hd_engine *e;
    const asked *a;
    hd_table *t;
    hd_k_question q;
    hd_k_atom atoms[MAX_NODES];
    hd_k_node nodes[MAX_NODES];
    hd_k_group groups[HD_MAX_KEYS];
    hd_value *slot_values[HD_MAX_KEYS]; /* value of each slot; text borrowed from results */
    hd_k_measure measures[HD_MAX_AGGREGATES];
    hd_value *rank_values[HD_MAX_AGGREGATES];
    void **allocations;
    size_t n_allocations, allocations_cap;
    hd_duck_result **results;
    size_t n_results, results_cap;
};

static void *plan_calloc(struct plan *p, size_t n, size_t size)
{
    if (!HD_GROW(p->allocations, p->n_allocations, p->allocations_cap))
        return NULL;
    void *x = hd_calloc(n, size);
    if (x)
        p->allocations[p->n_allocations++] = x;
    return x;
}

static void plan_free(struct plan *p)
{
    for (size_t i = 0; i < p->n_allocations; i++)
        hd_free(p->allocations[i]);
    for (size_t i = 0; i < p->n_results; i++)
        hd_duck_result_free(p->results[i]);
    hd_free(p->allocations);
    hd_free(p->results);
    hd_free(p);
}

/* Values of an expression over one column, per code; the column's codes into `codes`. */
static hd_code evaluate(struct plan *p, json_t *expression, hd_k_codes *codes, hd_duck_result **out,
                        hd_err *err)
{
    const char *name = hd_single_column(expression);
    column_ref ref = hd_column_parse(p->a, name);
    loaded_column c;
    if (!HD_GROW(p->results, p->n_results, p->results_cap))
        return hd_fail_nomem(err);
    HD_TRY(hd_load_column(p->e, p->t, &ref, &c, err));
    HD_TRY(hd_evaluate_codes(p->e, ref.field, c.dictionary, name, expression, out, err));
    p->results[p->n_results++] = *out;
    *codes = (hd_k_codes){c.data, c.width, c.dictionary->n_codes};
    return HD_OK;
}

/* A predicate is a node, or known already. */
struct truth {
    bool is_constant;
    uint8_t constant; /* 0, 1, 2 */
    uint32_t node;
};

static hd_code add_node(struct plan *p, hd_k_op op, uint32_t a, uint32_t b, struct truth *out,
                        hd_err *err)
{
    if (p->q.n_nodes == MAX_NODES)
        return hd_fail(err, HD_LIMIT, "the conditions are too many");
    p->nodes[p->q.n_nodes] = (hd_k_node){op, a, b};
    *out = (struct truth){.node = (uint32_t)p->q.n_nodes++};
    return HD_OK;
}

static hd_code add_atom(struct plan *p, hd_k_atom atom, struct truth *out, hd_err *err)
{
    if (p->q.n_atoms == MAX_NODES)
        return hd_fail(err, HD_LIMIT, "the conditions are too many");
    p->atoms[p->q.n_atoms] = atom;
    return add_node(p, HD_K_ATOM, (uint32_t)p->q.n_atoms++, 0, out, err);
}

static uint8_t truth_of(const hd_value *v)
{
    return v->is_null ? 2 : v->integer != 0;
}

static hd_code constant_truth(struct plan *p, json_t *node, struct truth *out, hd_err *err)
{
    char *text;
    HD_TRY(hd_tree_unparse(p->e->duck, node, &text, err));
    hd_buf sql;
    hd_buf_init(&sql, 1u << 20);
    hd_buf_printf(&sql, "SELECT (%s)::BOOLEAN", text);
    hd_free(text);
    hd_duck_result *r = NULL;
    hd_code rc = hd_buf_check(&sql, err);
    if (rc == HD_OK)
        rc = hd_duck_query(p->e->duck, sql.data, &r, err);
    hd_buf_free(&sql);
    if (rc != HD_OK)
        return rc;
    hd_value v = hd_duck_value(r, 0, 0);
    *out = (struct truth){.is_constant = true, .constant = truth_of(&v)};
    hd_duck_result_free(r);
    return HD_OK;
}

static json_t *as_boolean(json_t *node)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:O, s:{s:s, s:n}, s:b}", "class", "CAST", "type",
                     "OPERATOR_CAST", "alias", "", "query_location", 0, "child", node, "cast_type",
                     "id", "BOOLEAN", "type_info", "try_cast", 0);
}

static hd_code column_truth(struct plan *p, json_t *node, struct truth *out, hd_err *err)
{
    hd_k_atom atom = {0};
    hd_duck_result *r;
    json_t *cast = as_boolean(node);
    if (!cast)
        return hd_fail_nomem(err);
    hd_code rc = evaluate(p, cast, &atom.codes, &r, err);
    json_decref(cast);
    if (rc != HD_OK)
        return rc;
    uint8_t *lut = plan_calloc(p, atom.codes.n_codes, 1);
    if (!lut)
        return hd_fail_nomem(err);
    for (uint32_t c = 0; c < atom.codes.n_codes; c++) {
        hd_value v = hd_duck_value(r, c, 0);
        lut[c] = truth_of(&v);
    }
    atom.lut = lut;
    return add_atom(p, atom, out, err);
}

static hd_code list_truth(struct plan *p, size_t any, struct truth *out, hd_err *err)
{
    loaded_column list;
    uint8_t *lut;
    if (!HD_GROW(p->allocations, p->n_allocations, p->allocations_cap))
        return hd_fail_nomem(err);
    HD_TRY(hd_any_lut(p->e, p->t, &p->a->any[any], &list, &lut, err));
    p->allocations[p->n_allocations++] = lut;
    hd_k_atom atom = {{list.data, list.width, list.dictionary->n_codes}, list.starts, lut};
    return add_atom(p, atom, out, err);
}

static hd_code predicate(struct plan *p, json_t *node, struct truth *out, hd_err *err);

/* A constant as a node: an atom over whichever column comes first. */
static hd_code constant_node(struct plan *p, uint8_t value, struct truth *out, hd_err *err)
{
    size_t i = 0, n = hd_table_n_columns(p->t);
    while (i < n && hd_table_column_spec(p->t, i)->kind != HD_COLUMN_CODES)
        i++;
    if (i == n)
        return hd_fail(err, HD_INVALID, "table %s has no column to scan", hd_table_name(p->t));
    const hd_column *c;
    HD_TRY(hd_table_load(p->t, i, &c, err));
    uint32_t n_codes = hd_table_dictionary(p->t, i)->n_codes;
    uint8_t *lut = plan_calloc(p, n_codes, 1);
    if (!lut)
        return hd_fail_nomem(err);
    memset(lut, value, n_codes);
    return add_atom(p, (hd_k_atom){{c->data, c->width, n_codes}, NULL, lut}, out, err);
}

/* AND and OR with constants folded away: false AND x is false, true AND x is x; OR likewise. A NULL
 * constant decides nothing and becomes a node. */
static hd_code combine(struct plan *p, hd_k_op op, struct truth a, struct truth b, struct truth *out,
                       hd_err *err)
{
    uint8_t decides = op == HD_K_AND ? 0 : 1;
    if (a.is_constant && b.is_constant) {
        uint8_t x = a.constant, y = b.constant;
        uint8_t v = x == decides || y == decides ? decides : x == 2 || y == 2 ? 2 : (uint8_t)!decides;
        *out = (struct truth){.is_constant = true, .constant = v};
        return HD_OK;
    }
    if (!a.is_constant && !b.is_constant)
        return add_node(p, op, a.node, b.node, out, err);
    struct truth known = a.is_constant ? a : b, other = a.is_constant ? b : a;
    if (known.constant == decides) {
        *out = known;
        return HD_OK;
    }
    *out = other;
    if (known.constant != 2)
        return HD_OK;
    HD_TRY(constant_node(p, 2, &known, err));
    return add_node(p, op, other.node, known.node, out, err);
}

static hd_code predicate(struct plan *p, json_t *node, struct truth *out, hd_err *err)
{
    const char *name = hd_single_column(node), *direct = hd_tree_column(node);
    if (direct && strncmp(direct, "#any", 4) == 0)
        return list_truth(p, (size_t)hd_column_parse(p->a, direct).any, out, err);
    if (name && !*name)
        return constant_truth(p, node, out, err);
    if (name && strncmp(name, "#any", 4) != 0)
        return column_truth(p, node, out, err);
    json_t *children = json_object_get(node, "children");
    if (hd_tree_is(node, "OPERATOR_NOT")) {
        struct truth x;
        HD_TRY(predicate(p, json_array_get(children, 0), &x, err));
        if (!x.is_constant)
            return add_node(p, HD_K_NOT, x.node, 0, out, err);
        *out = (struct truth){.is_constant = true, .constant = x.constant == 2 ? 2 : !x.constant};
        return HD_OK;
    }
    hd_k_op op = hd_tree_is(node, "CONJUNCTION_AND") ? HD_K_AND : HD_K_OR;
    struct truth so_far = {.is_constant = true, .constant = op == HD_K_AND};
    for (size_t i = 0; i < json_array_size(children); i++) {
        struct truth x;
        HD_TRY(predicate(p, json_array_get(children, i), &x, err));
        HD_TRY(combine(p, op, so_far, x, &so_far, err));
    }
    *out = so_far;
    return HD_OK;
}

/* Node number of a condition; -1: always true. */
static hd_code condition(struct plan *p, json_t *tree, int32_t *out, hd_err *err)
{
    *out = -1;
    if (!tree)
        return HD_OK;
    struct truth x;
    HD_TRY(predicate(p, tree, &x, err));
    if (x.is_constant && x.constant == 1)
        return HD_OK;
    if (x.is_constant)
        HD_TRY(constant_node(p, x.constant, &x, err));
    *out = (int32_t)x.node;
    return HD_OK;
}

/* ---- ranks: different values in ascending order -------------------------------------------------- */

struct coded {
    hd_value value;
    uint32_t code;
};

static int compare_coded(const void *a, const void *b)
{
    const struct coded *x = a, *y = b;
    int c = hd_value_compare(&x->value, &y->value);
    return c ? c : (x->code > y->code) - (x->code < y->code);
}

/* code -> rank, and the value of each rank. NULL is a rank of its own (the first) when with_null. */
static hd_code rank_values(struct plan *p, const hd_duck_result *r, uint32_t n_codes, bool with_null,
                           uint32_t **ranks, hd_value **values, uint32_t *n_ranks, hd_err *err)
{
    struct coded *sorted = plan_calloc(p, n_codes, sizeof *sorted);
    *ranks = plan_calloc(p, n_codes, sizeof **ranks);
    *values = plan_calloc(p, n_codes, sizeof **values);
    if (!sorted || !*ranks || !*values)
        return hd_fail_nomem(err);
    size_t n = 0;
    for (uint32_t c = 0; c < n_codes; c++) {
        hd_value v = hd_duck_value(r, c, 0);
        if (with_null || !v.is_null)
            sorted[n++] = (struct coded){v, c};
    }
    qsort(sorted, n, sizeof *sorted, compare_coded);
    uint32_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || hd_value_compare(&sorted[i].value, &sorted[i - 1].value) != 0)
            (*values)[next++] = sorted[i].value;
        (*ranks)[sorted[i].code] = next - 1;
    }
    *n_ranks = next ? next : 1;
    return HD_OK;
}

static hd_code plan_group(struct plan *p, size_t k, hd_err *err)
{
    hd_k_group *g = &p->groups[k];
    hd_duck_result *r;
    uint32_t *lut;
    HD_TRY(evaluate(p, p->a->keys[k], &g->codes, &r, err));
    HD_TRY(rank_values(p, r, g->codes.n_codes, true, &lut, &p->slot_values[k], &g->n_slots, err));
    g->lut = lut;
    return HD_OK;
}

/* ---- measures ------------------------------------------------------------------------------------ */

static hd_code plan_values(struct plan *p, hd_k_measure *m, const asked_aggregate *g,
                           const hd_duck_result *r, size_t i, hd_err *err)
{
    uint32_t n = m->codes.n_codes;
    uint8_t *has = plan_calloc(p, n, 1);
    if (!has)
        return hd_fail_nomem(err);
    for (uint32_t c = 0; c < n; c++)
        has[c] = !hd_duck_value(r, c, 0).is_null;
    m->has_value = has;
    if (m->kind == HD_K_COUNT)
        return HD_OK;
    if (m->kind != HD_K_MOMENTS) {
        uint32_t *ranks;
        HD_TRY(rank_values(p, r, n, false, &ranks, &p->rank_values[i], &m->n_ranks, err));
        m->ranks = ranks;
        return HD_OK;
    }
    int64_t *integers = g->argument_type == HD_INTEGER ? plan_calloc(p, n, sizeof *integers) : NULL;
    double *decimals = integers ? NULL : plan_calloc(p, n, sizeof *decimals);
    if (!integers && !decimals)
        return hd_fail_nomem(err);
    for (uint32_t c = 0; c < n; c++) {
        hd_value v = hd_duck_value(r, c, 0);
        if (!v.is_null && integers)
            integers[c] = v.integer;
        else if (!v.is_null)
            decimals[c] = v.type == HD_DECIMAL ? v.decimal : (double)v.integer;
    }
    m->integers = integers;
    m->decimals = decimals;
    return HD_OK;
}

static hd_k_kind kind_of(const asked_aggregate *g)
{
    if (g->is_person)
        return HD_K_COUNT;
    if (g->is_distinct)
        return HD_K_DISTINCT;
    switch (g->def->kind) {
    case HD_AGG_SPREAD: /* sums of squares of doubles cancel: see spread() */
        return g->argument_type == HD_INTEGER ? HD_K_MOMENTS : HD_K_DISTRIBUTION;
    case HD_AGG_SUM:
    case HD_AGG_MEAN:
        return HD_K_MOMENTS;
    case HD_AGG_QUANTILE:
        return HD_K_DISTRIBUTION;
    case HD_AGG_EXTREME:
        return HD_K_EXTREMES;
    default:
        return HD_K_COUNT;
    }
}

static hd_code plan_measure(struct plan *p, size_t i, hd_err *err)
{
    const asked_aggregate *g = &p->a->aggregates[i];
    hd_k_measure *m = &p->measures[i];
    m->kind = kind_of(g);
    HD_TRY(condition(p, g->filter, &m->filter, err));
    if (!g->argument || g->is_person)
        return HD_OK;
    hd_duck_result *r;
    HD_TRY(evaluate(p, g->argument, &m->codes, &r, err));
    return plan_values(p, m, g, r, i, err);
}

static hd_code plan_all(struct plan *p, hd_err *err)
{
    const asked *a = p->a;
    p->q.n_rows = hd_table_rows(p->t);
    p->q.atoms = p->atoms;
    p->q.nodes = p->nodes;
    p->q.groups = p->groups;
    p->q.n_groups = a->q.n_keys;
    p->q.measures = p->measures;
    p->q.n_measures = a->q.n_aggregates;
    p->q.sets = a->sets;
    p->q.n_sets = a->n_sets;
    p->q.max_bytes = UINT64_C(4) << 30;
    HD_TRY(hd_table_persons(p->t, &p->q.persons, err));
    HD_TRY(condition(p, a->where, &p->q.where, err));
    for (size_t k = 0; k < a->q.n_keys; k++)
        HD_TRY(plan_group(p, k, err));
    for (size_t i = 0; i < a->q.n_aggregates; i++)
        HD_TRY(plan_measure(p, i, err));
    return HD_OK;
}

/* ---- the answer as cells ------------------------------------------------------------------------- */

static double as_double(const hd_value *v)
{
    return v->type == HD_DECIMAL ? v->decimal : (double)v->integer;
}

static double quantile_value(const struct plan *p, const hd_k_answer *answer, const hd_k_tally *t,
                             size_t i, double at)
{
    const hd_value *values = p->rank_values[i];
    double floor_at = floor(at);
    uint64_t low = (uint64_t)floor_at, high = (uint64_t)ceil(at);
    const hd_value *a = &values[hd_k_order_statistic(answer, t, low)];
    const hd_value *b = &values[hd_k_order_statistic(answer, t, high)];
    double x = as_double(a), y = as_double(b);
    return x + (y - x) * (at - floor_at);
}

static hd_code quantile(const struct plan *p, const hd_k_answer *answer, const hd_k_tally *t,
                        size_t i, hd_value *out, hd_err *err)
{
    const asked_aggregate *g = &p->a->aggregates[i];
    uint64_t n = (uint64_t)t->rows;
    if (g->def->fn == HD_FN_MEDIAN || g->def->fn == HD_FN_QUANTILE) {
        out->decimal = quantile_value(p, answer, t, i, g->quantile * (double)(n - 1));
        return HD_OK;
    }
    uint64_t low, high;
    HD_TRY(hd_quantile_ranks(n, g->quantile, g->level, &low, &high, err));
    uint64_t rank = g->def->fn == HD_FN_QUANTILE_LOWER ? low : high;
    out->is_null = rank < 1 || rank > n;
    if (!out->is_null)
        out->decimal = quantile_value(p, answer, t, i, (double)(rank - 1));
    return HD_OK;
}

/* Sum of squared distances from the mean. Integers: exact while n times the squares fit 128 bits. */
static long double squared_distances(const hd_k_tally *t)
{
    unsigned __int128 size = t->exact.sum < 0 ? -(unsigned __int128)t->exact.sum
                                              : (unsigned __int128)t->exact.sum;
    unsigned __int128 a, b, n = (unsigned __int128)t->rows;
    if (!__builtin_mul_overflow(n, t->exact.sum_squares, &a) &&
        !__builtin_mul_overflow(size, size, &b))
        return (long double)(a - b) / (long double)n;
    long double d = (long double)t->exact.sum_squares -
                    (long double)size * (long double)size / (long double)n;
    return d < 0 ? 0 : d;
}

/* The same for decimals: the mean first, then the distances, from how often each value occurs. */
static long double squared_distances_of_bins(const struct plan *p, const hd_k_answer *answer,
                                             const hd_k_tally *t, size_t i)
{
    const hd_k_bin *bins = &answer->distribution[t->distribution.first];
    long double sum = 0, squares = 0;
    for (uint32_t k = 0; k < t->distribution.n; k++)
        sum += (long double)as_double(&p->rank_values[i][bins[k].rank]) * (long double)bins[k].rows;
    long double mean = sum / (long double)t->rows;
    for (uint32_t k = 0; k < t->distribution.n; k++) {
        long double d = (long double)as_double(&p->rank_values[i][bins[k].rank]) - mean;
        squares += d * d * (long double)bins[k].rows;
    }
    return squares;
}

static void spread(const struct plan *p, const hd_k_answer *answer, const hd_k_tally *t, size_t i,
                   hd_value *out)
{
    out->is_null = t->rows < 2;
    if (out->is_null)
        return;
    long double variance = p->measures[i].kind == HD_K_MOMENTS
                               ? squared_distances(t)
                               : squared_distances_of_bins(p, answer, t, i);
    variance /= (long double)(t->rows - 1);
    bool squared = p->a->aggregates[i].def->fn == HD_FN_VARIANCE;
    out->decimal = (double)(squared ? variance : sqrtl(variance));
}

static hd_code moments(const struct plan *p, const hd_k_tally *t, size_t i, hd_value *out,
                       hd_err *err)
{
    const asked_aggregate *g = &p->a->aggregates[i];
    bool exact = p->measures[i].integers != NULL;
    long double sum = exact ? (long double)t->exact.sum : (long double)t->decimal.sum;
    if (g->def->kind == HD_AGG_MEAN) {
        out->decimal = (double)(sum / (long double)t->rows);
    } else if (!exact) {
        out->decimal = (double)sum;
    } else {
        if (t->exact.sum > INT64_MAX || t->exact.sum < INT64_MIN)
            return hd_fail(err, HD_LIMIT, "a sum is beyond 2^63");
        out->integer = (int64_t)t->exact.sum;
    }
    return HD_OK;
}

static hd_code figure(const struct plan *p, const hd_k_answer *answer, const hd_k_tally *t, size_t i,
                      hd_cell *out, hd_err *err)
{
    const asked_aggregate *g = &p->a->aggregates[i];
    *out = (hd_cell){.value = {.type = p->a->aggregate_views[i].type},
                     .records = t->rows,
                     .persons = t->persons};
    hd_value *v = &out->value;
    switch (p->measures[i].kind) {
    case HD_K_COUNT:
        v->integer = g->is_person ? t->persons : t->rows;
        return HD_OK;
    case HD_K_DISTINCT:
        v->integer = t->distinct;
        return HD_OK;
    default:
        break;
    }
    if (t->rows == 0) {
        v->is_null = true;
        return HD_OK;
    }
    if (g->def->kind == HD_AGG_SPREAD) {
        spread(p, answer, t, i, v);
        return HD_OK;
    }
    if (p->measures[i].kind == HD_K_MOMENTS)
        return moments(p, t, i, v, err);
    if (p->measures[i].kind == HD_K_DISTRIBUTION)
        return quantile(p, answer, t, i, v, err);
    uint32_t rank = g->def->fn == HD_FN_MIN ? t->extremes.lowest : t->extremes.highest;
    *v = p->rank_values[i][rank];
    return HD_OK;
}

/* Bytes of every text that a cell may hold, so that cells own their text. */
static size_t text_bytes(const struct plan *p)
{
    size_t n = 0;
    for (size_t k = 0; k < p->q.n_groups; k++)
        for (uint32_t s = 0; s < p->groups[k].n_slots; s++)
            if (p->slot_values[k][s].type == HD_TEXT && !p->slot_values[k][s].is_null)
                n += p->slot_values[k][s].text.len;
    for (size_t i = 0; i < p->q.n_measures; i++)
        for (uint32_t s = 0; p->rank_values[i] && s < p->measures[i].n_ranks; s++)
            if (p->rank_values[i][s].type == HD_TEXT && !p->rank_values[i][s].is_null)
                n += p->rank_values[i][s].text.len;
    return n;
}

static void move_text(hd_value *v, char **to)
{
    if (v->type != HD_TEXT || v->is_null || v->text.len == 0)
        return;
    memcpy(*to, v->text.bytes, v->text.len);
    v->text.bytes = *to;
    *to += v->text.len;
}

static hd_code make_cells(struct plan *p, const hd_k_answer *answer, hd_cells **out, hd_err *err)
{
    size_t n_keys = p->q.n_groups, n_measures = p->q.n_measures;
    hd_cells *c;
    HD_TRY(hd_cells_new(&c, n_keys, n_measures, answer->n_cells, text_bytes(p), err));
    char *to = c->text_;
    for (size_t k = 0; k < n_keys; k++)
        for (uint32_t s = 0; s < p->groups[k].n_slots; s++)
            move_text(&p->slot_values[k][s], &to);
    for (size_t i = 0; i < n_measures; i++)
        for (uint32_t s = 0; p->rank_values[i] && s < p->measures[i].n_ranks; s++)
            move_text(&p->rank_values[i][s], &to);
    for (size_t cell = 0; cell < answer->n_cells; cell++) {
        const hd_k_tally *all = &answer->all[cell];
        c->all[cell] = (hd_cell){.value = {.type = HD_INTEGER, .integer = all->rows},
                                 .records = all->rows,
                                 .persons = all->persons};
        for (size_t k = 0; k < n_keys; k++) {
            uint32_t slot = answer->slots[cell * n_keys + k];
            hd_value *key = &c->keys[cell * n_keys + k];
            *key = (hd_value){.type = p->a->key_views[k].type, .is_null = true};
            if (slot == HD_K_NO_SLOT)
                c->grouping[cell] |= 1u << k;
            else
                *key = p->slot_values[k][slot];
        }
        for (size_t i = 0; i < n_measures; i++) {
            hd_code rc = figure(p, answer, &answer->tallies[cell * n_measures + i], i,
                                &c->figures[cell * n_measures + i], err);
            if (rc != HD_OK) {
                hd_cells_free(c);
                return rc;
            }
        }
    }
    *out = c;
    return HD_OK;
}

hd_code hd_run_kernel(hd_engine *e, const asked *a, hd_table *t, hd_cells **out, hd_err *err)
{
    *out = NULL;
    struct plan *p = hd_calloc(1, sizeof *p);
    if (!p)
        return hd_fail_nomem(err);
    p->e = e;
    p->a = a;
    p->t = t;
    hd_k_answer answer = {0};
    const hd_kernel *kernel;
    hd_code rc;
    HD_GO(hd_kernel_pick(&kernel, err));
    HD_GO(plan_all(p, err));
    HD_GO(kernel->run(&p->q, &answer, err));
    HD_GO(make_cells(p, &answer, out, err));
out:
    hd_k_answer_free(&answer);
    plan_free(p);
    return rc;
}

/* ---- the plan alone ------------------------------------------------------------------------------ */

hd_code hd_kernel_plan_make(hd_engine *e, const asked *a, hd_table *t, hd_kernel_plan **out,
                            hd_err *err)
{
    *out = NULL;
    struct plan *p = hd_calloc(1, sizeof *p);
    if (!p)
        return hd_fail_nomem(err);
    p->e = e;
    p->a = a;
    p->t = t;
    hd_code rc = plan_all(p, err);
    if (rc == HD_OK)
        *out = p;
    else
        plan_free(p);
    return rc;
}

void hd_kernel_plan_free(hd_kernel_plan *p)
{
    if (p)
        plan_free(p);
}

const hd_k_question *hd_kernel_plan_question(const hd_kernel_plan *p)
{
    return &p->q;
}

const hd_value *hd_kernel_plan_slots(const hd_kernel_plan *p, size_t key)
{
    return p->slot_values[key];
}
