/* scan_plan.c - see scan_plan.h. */
#include "engine/blocks.h"
#include "base/alloc.h"

#include <string.h>

/* ---- can the kernel? ------------------------------------------------------------------------- */

static const char *predicate_obstacle(const json_t *node)
{
    if (!node)
        return NULL;
    const char *column = hd_single_column(node);
    if (column && (strncmp(column, "#any", 4) != 0 || hd_tree_column(node)))
        return NULL; /* one column, or a list test that stands by itself */
    if (!hd_tree_is_logic(node))
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
    return ref.field && ref.field->kind == HD_FIELD_KEY ? "row keys have no dictionary" : NULL;
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

/* ---- what a plan holds ----------------------------------------------------------------------- */

enum { MAX_NODES = 1 << 16 };

void hd_scan_plan_free(scan_plan *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_held; i++)
        hd_recalled_drop(p->held[i]);
    for (size_t i = 0; i < p->n_constants; i++)
        hd_free(p->constants[i]);
    hd_free(p->held);
    hd_free(p->constants);
    hd_free(p->atoms);
    hd_free(p->atom_inputs);
    hd_free(p->nodes);
    hd_free(p->measures);
    hd_free(p->measure_inputs);
    hd_free(p->measure_ranks);
    hd_free(p->parts);
    hd_free(p);
}

struct planner {
    scan_plan *p;
    hd_table *t;
    const asked *a; /* the question whose trees are being planned */
};

/* An expression's lookup tables, held by the plan. */
static hd_code hold(struct planner *s, json_t *expression, hd_coded **out, scan_input *input,
                    hd_err *err)
{
    scan_plan *p = s->p;
    hd_recalled *coded;
    if (!HD_GROW(p->held, p->n_held, p->held_cap))
        return hd_fail_nomem(err);
    HD_TRY(hd_coded_get(p->e, s->a, s->t, expression, &coded, &input->operand, err));
    p->held[p->n_held++] = coded;
    input->coded = *out = coded->thing;
    p->bytes += (*out)->n_codes;
    return HD_OK;
}

/* ---- conditions ------------------------------------------------------------------------------ */

/* A predicate is a node, or known already. */
struct truth {
    bool is_constant;
    uint8_t constant; /* 0, 1, 2 */
    uint32_t node;
};

/* Equal nodes are one node, so that equal filters of different measures are seen to be equal. */
static hd_code add_node(struct planner *s, hd_k_op op, uint32_t a, uint32_t b, struct truth *out,
                        hd_err *err)
{
    scan_plan *p = s->p;
    if ((op == HD_K_AND || op == HD_K_OR) && a > b) {
        uint32_t swap = a;
        a = b;
        b = swap;
    }
    *out = (struct truth){.node = a};
    if ((op == HD_K_AND || op == HD_K_OR) && a == b)
        return HD_OK;
    for (size_t i = 0; i < p->n_nodes; i++)
        if (p->nodes[i].op == op && p->nodes[i].a == a && p->nodes[i].b == b) {
            out->node = (uint32_t)i;
            return HD_OK;
        }
    if (p->n_nodes == MAX_NODES)
        return hd_fail(err, HD_LIMIT, "the conditions are too many");
    if (!HD_GROW(p->nodes, p->n_nodes, p->nodes_cap))
        return hd_fail_nomem(err);
    p->nodes[p->n_nodes] = (hd_k_node){op, a, b};
    out->node = (uint32_t)p->n_nodes++;
    return HD_OK;
}

/* The data are bound later: the lookup table and the column say which atom it is. */
static hd_code add_atom(struct planner *s, const uint8_t *lut, scan_input input, struct truth *out,
                        hd_err *err)
{
    scan_plan *p = s->p;
    size_t i = 0;
    while (i < p->n_atoms && (p->atoms[i].lut != lut ||
                              !hd_operand_is_same(p->atom_inputs[i].operand, input.operand)))
        i++;
    if (i == p->n_atoms) {
        if (!HD_GROW(p->atoms, p->n_atoms, p->atoms_cap) ||
            !HD_GROW(p->atom_inputs, p->n_atoms, p->inputs_cap))
            return hd_fail_nomem(err);
        p->atoms[i] = (hd_k_atom){.lut = lut};
        p->atom_inputs[i] = input;
        p->n_atoms++;
    }
    return add_node(s, HD_K_ATOM, (uint32_t)i, 0, out, err);
}

static hd_code constant_truth(struct planner *s, json_t *node, struct truth *out, hd_err *err)
{
    char *text;
    HD_TRY(hd_text_of(s->p->e, node, &text, err));
    hd_buf sql;
    hd_buf_init(&sql, 1u << 20);
    hd_buf_printf(&sql, "SELECT (%s)::BOOLEAN", text);
    hd_free(text);
    hd_duck_result *r = NULL;
    hd_code rc = hd_buf_check(&sql, err);
    if (rc == HD_OK)
        rc = hd_duck_query(s->p->e->duck, sql.data, &r, err);
    hd_buf_free(&sql);
    if (rc != HD_OK)
        return rc;
    hd_value v = hd_duck_value(r, 0, 0);
    *out = (struct truth){.is_constant = true, .constant = v.is_null ? 2 : v.integer != 0};
    hd_duck_result_free(r);
    return HD_OK;
}

static hd_code column_truth(struct planner *s, json_t *node, struct truth *out, hd_err *err)
{
    hd_coded *coded;
    scan_input input;
    const uint8_t *lut;
    json_t *cast = hd_tree_new_boolean(json_incref(node));
    if (!cast)
        return hd_fail_nomem(err);
    hd_code rc = hold(s, cast, &coded, &input, err);
    json_decref(cast);
    if (rc == HD_OK)
        rc = hd_coded_truth(coded, &lut, err);
    return rc == HD_OK ? add_atom(s, lut, input, out, err) : rc;
}

static hd_code list_truth(struct planner *s, size_t any, struct truth *out, hd_err *err)
{
    hd_coded *coded;
    scan_input input;
    const uint8_t *lut;
    HD_TRY(hold(s, s->a->any[any].test, &coded, &input, err));
    HD_TRY(hd_coded_any(coded, &lut, err));
    return add_atom(s, lut, input, out, err);
}

/* A constant as a node: an atom over whichever column comes first. */
static hd_code constant_node(struct planner *s, uint8_t value, struct truth *out, hd_err *err)
{
    scan_plan *p = s->p;
    size_t i = 0, n = hd_table_n_columns(s->t);
    while (i < n && hd_table_column_spec(s->t, i)->kind != HD_COLUMN_CODES)
        i++;
    if (i == n)
        return hd_fail(err, HD_INVALID, "table %s has no column to scan", hd_table_name(s->t));
    uint32_t n_codes = hd_table_dictionary(s->t, i)->n_codes;
    if (!HD_GROW(p->constants, p->n_constants, p->constants_cap))
        return hd_fail_nomem(err);
    uint8_t *lut = hd_malloc(n_codes);
    if (!lut)
        return hd_fail_nomem(err);
    memset(lut, value, n_codes);
    p->constants[p->n_constants++] = lut;
    return add_atom(s, lut, (scan_input){.operand = {.column = i}}, out, err);
}

/* AND and OR with constants folded away: false AND x is false, true AND x is x; OR likewise. A NULL
 * constant decides nothing and becomes a node. */
static hd_code combine(struct planner *s, hd_k_op op, struct truth a, struct truth b,
                       struct truth *out, hd_err *err)
{
    uint8_t decides = op == HD_K_AND ? 0 : 1;
    if (a.is_constant && b.is_constant) {
        uint8_t x = a.constant, y = b.constant;
        uint8_t v = x == decides || y == decides ? decides
                    : x == 2 || y == 2           ? 2
                                                 : (uint8_t)!decides;
        *out = (struct truth){.is_constant = true, .constant = v};
        return HD_OK;
    }
    if (!a.is_constant && !b.is_constant)
        return add_node(s, op, a.node, b.node, out, err);
    struct truth known = a.is_constant ? a : b, other = a.is_constant ? b : a;
    if (known.constant == decides) {
        *out = known;
        return HD_OK;
    }
    *out = other;
    if (known.constant != 2)
        return HD_OK;
    HD_TRY(constant_node(s, 2, &known, err));
    return add_node(s, op, other.node, known.node, out, err);
}

static hd_code predicate(struct planner *s, json_t *node, struct truth *out, hd_err *err)
{
    const char *name = hd_single_column(node), *direct = hd_tree_column(node);
    if (direct && strncmp(direct, "#any", 4) == 0)
        return list_truth(s, (size_t)hd_column_parse(s->a, direct).any, out, err);
    if (name && !*name)
        return constant_truth(s, node, out, err);
    if (name && strncmp(name, "#any", 4) != 0)
        return column_truth(s, node, out, err);
    json_t *children = json_object_get(node, "children");
    if (hd_tree_is(node, "OPERATOR_NOT")) {
        struct truth x;
        HD_TRY(predicate(s, json_array_get(children, 0), &x, err));
        if (!x.is_constant)
            return add_node(s, HD_K_NOT, x.node, 0, out, err);
        *out = (struct truth){.is_constant = true, .constant = x.constant == 2 ? 2 : !x.constant};
        return HD_OK;
    }
    hd_k_op op = hd_tree_is(node, "CONJUNCTION_AND") ? HD_K_AND : HD_K_OR;
    struct truth so_far = {.is_constant = true, .constant = op == HD_K_AND};
    for (size_t i = 0; i < json_array_size(children); i++) {
        struct truth x;
        HD_TRY(predicate(s, json_array_get(children, i), &x, err));
        HD_TRY(combine(s, op, so_far, x, &so_far, err));
    }
    *out = so_far;
    return HD_OK;
}

/* Node number of a condition; -1: always true. */
static hd_code condition(struct planner *s, json_t *tree, int32_t *out, hd_err *err)
{
    *out = -1;
    if (!tree)
        return HD_OK;
    struct truth x;
    HD_TRY(predicate(s, tree, &x, err));
    if (x.is_constant && x.constant == 1)
        return HD_OK;
    if (x.is_constant)
        HD_TRY(constant_node(s, x.constant, &x, err));
    *out = (int32_t)x.node;
    return HD_OK;
}

/* ---- keys and measures ----------------------------------------------------------------------- */

static hd_code plan_group(struct planner *s, size_t k, hd_err *err)
{
    scan_plan *p = s->p;
    hd_coded *coded;
    HD_TRY(hold(s, s->a->keys[k], &coded, &p->group_inputs[k], err));
    HD_TRY(hd_coded_ranks(coded, true, &p->group_ranks[k], err));
    p->groups[k] = (hd_k_group){.lut = p->group_ranks[k]->of, .n_slots = p->group_ranks[k]->n};
    p->bytes += (size_t)coded->n_codes * sizeof(uint32_t);
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
    case HD_AGG_SHARE:
        return HD_K_DISTRIBUTION;
    case HD_AGG_EXTREME:
        return HD_K_EXTREMES;
    default:
        return HD_K_COUNT;
    }
}

static hd_code plan_values(struct planner *s, size_t at, const asked_aggregate *g, hd_err *err)
{
    scan_plan *p = s->p;
    hd_k_measure *m = &p->measures[at];
    hd_coded *coded;
    HD_TRY(hold(s, g->argument, &coded, &p->measure_inputs[at], err));
    HD_TRY(hd_coded_has_value(coded, &m->has_value, err));
    if (m->kind == HD_K_COUNT)
        return HD_OK;
    p->bytes += (size_t)coded->n_codes * sizeof(int64_t);
    m->sum_only = g->def->kind != HD_AGG_SPREAD;
    if (m->kind == HD_K_MOMENTS)
        return g->argument_type == HD_INTEGER ? hd_coded_integers(coded, &m->integers, err)
                                              : hd_coded_decimals(coded, &m->decimals, err);
    HD_TRY(hd_coded_ranks(coded, false, &p->measure_ranks[at], err));
    m->ranks = p->measure_ranks[at]->of;
    m->n_ranks = p->measure_ranks[at]->n;
    return HD_OK;
}

static hd_code plan_measure(struct planner *s, size_t i, size_t at, hd_err *err)
{
    const asked_aggregate *g = &s->a->aggregates[i];
    hd_k_measure *m = &s->p->measures[at];
    m->kind = !s->p->is_of_values             ? kind_of(g)
              : hd_values_like(s->a, i) == i ? HD_K_DISTRIBUTION
                                             : HD_K_COUNT;
    HD_TRY(condition(s, g->filter, &m->filter, err));
    return !g->argument || g->is_person ? HD_OK : plan_values(s, at, g, err);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static hd_code plan_all(struct planner *s, hd_err *err)
{
    scan_plan *p = s->p;
    s->a = p->parts[0].a;
    HD_TRY(condition(s, s->a->where, &p->q.where, err));
    for (size_t k = 0; k < s->a->q.n_keys; k++)
        HD_TRY(plan_group(s, k, err));
    for (size_t i = 0; i < p->n_parts; i++) {
        s->a = p->parts[i].a;
        p->parts[i].first_measure = p->q.n_measures;
        for (size_t m = 0; m < s->a->q.n_aggregates; m++)
            HD_TRY(plan_measure(s, m, p->q.n_measures++, err));
    }
    return HD_OK;
}

static hd_code make(hd_engine *e, hd_table *t, asked *const *questions, size_t n,
                    bool is_of_values, scan_plan **out, hd_err *err)
{
    scan_plan *p = hd_calloc(1, sizeof *p);
    size_t n_measures = 0;
    *out = NULL;
    if (!p)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        n_measures += questions[i]->q.n_aggregates;
    p->e = e;
    p->data_version = e->data_version;
    p->n_parts = n;
    p->is_of_values = is_of_values;
    p->parts = hd_calloc(n, sizeof *p->parts);
    p->measures = hd_calloc(n_measures, sizeof *p->measures);
    p->measure_inputs = hd_calloc(n_measures, sizeof *p->measure_inputs);
    p->measure_ranks = hd_calloc(n_measures, sizeof *p->measure_ranks);
    hd_code rc = HD_OK;
    if (!p->parts || !p->measures || !p->measure_inputs || !p->measure_ranks)
        rc = hd_fail_nomem(err);
    for (size_t i = 0; i < n && rc == HD_OK; i++)
        p->parts[i].a = questions[i];
    if (rc == HD_OK)
        rc = plan_all(&(struct planner){p, t, NULL}, err);
    if (rc != HD_OK) {
        hd_scan_plan_free(p);
        return rc;
    }
    *out = p;
    return HD_OK;
}

hd_code hd_scan_plan_make(hd_engine *e, hd_table *t, asked *const *questions, size_t n,
                          scan_plan **out, hd_err *err)
{
    return make(e, t, questions, n, false, out, err);
}

hd_code hd_scan_plan_of_values(hd_engine *e, hd_table *t, asked *a, scan_plan **out, hd_err *err)
{
    return make(e, t, &a, 1, true, out, err);
}

/* ---- columns --------------------------------------------------------------------------------- */

/* The lowest code of a column, from what its blocks state. */
static uint32_t lowest_code(const hd_table *t, hd_operand s)
{
    uint32_t lowest = s.element || s.order ? 0 : UINT32_MAX; /* these are in no directory */
    for (uint32_t b = 0; b < hd_table_n_blocks(t) && lowest > 0; b++) {
        hd_block_stats block = hd_table_block(t, s.column, b);
        lowest = block.lowest < lowest ? block.lowest : lowest;
    }
    return lowest == UINT32_MAX ? 0 : lowest;
}

static hd_code bind(scan_plan *p, hd_table *t, const scan_blocks *blocks, hd_operand s,
                    hd_k_codes *codes, const uint32_t **starts, hd_err *err)
{
    loaded_column c;
    hd_column by_block;
    if (hd_blocks_column(blocks, s, &by_block))
        c = (loaded_column){by_block.data, by_block.width, hd_operand_dictionary(t, s),
                            by_block.starts};
    else
        HD_TRY(hd_operand_load(p->e, t, s, &c, err));
    *codes = (hd_k_codes){c.data, c.width, c.dictionary->n_codes, c.starts ? 0 : lowest_code(t, s)};
    *starts = c.starts;
    return HD_OK;
}

hd_code hd_scan_plan_bind(scan_plan *p, hd_table *t, const scan_blocks *blocks, hd_err *err)
{
    const asked *a = p->parts[0].a;
    const uint32_t *starts;
    for (size_t i = 0; i < p->n_atoms; i++)
        HD_TRY(bind(p, t, blocks, p->atom_inputs[i].operand, &p->atoms[i].codes,
                    &p->atoms[i].starts, err));
    for (size_t k = 0; k < a->q.n_keys; k++)
        HD_TRY(bind(p, t, blocks, p->group_inputs[k].operand, &p->groups[k].codes, &starts, err));
    for (size_t m = 0; m < p->q.n_measures; m++)
        if (p->measures[m].has_value)
            HD_TRY(bind(p, t, blocks, p->measure_inputs[m].operand, &p->measures[m].codes, &starts,
                        err));
    p->q.begins = hd_feed_begins(blocks->feed);
    p->q.feed = &blocks->view;
    p->q.without_people = p->e->without_people;
    p->q.n_rows = hd_table_rows(t);
    p->q.atoms = p->atoms;
    p->q.n_atoms = p->n_atoms;
    p->q.nodes = p->nodes;
    p->q.n_nodes = p->n_nodes;
    p->q.groups = p->groups;
    p->q.n_groups = a->q.n_keys;
    p->q.measures = p->measures;
    p->q.sets = a->sets;
    p->q.n_sets = a->n_sets;
    p->q.stop = p->e->limits.stop;
    p->q.max_bytes = UINT64_C(4) << 30;
    if (p->e->limits.memory_bytes) {
        uint64_t used = hd_vault_memory_used(p->e->vault);
        p->q.max_bytes = p->e->limits.memory_bytes > used ? p->e->limits.memory_bytes - used : 0;
    }
    if (a->q.sql) /* an event (order.c) is no question and has no cells to count */
        p->q.max_bytes = hd_vault_blurred_limit(p->e->vault, a->q.sql, p->q.max_bytes);
    return HD_OK;
}
