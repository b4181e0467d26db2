/* route_duckdb.c - what the kernel cannot plan, run by DuckDB over the same columns in memory.
 *
 * One statement: an inner SELECT computes keys, arguments and filters row by row; the outer one groups
 * and gives, for every aggregate, its value, its contributing records and the distinct people among
 * them, because disclosure needs all three.
 */
#include "engine/several.h"
#include "base/alloc.h"
#include "engine/coded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 512 };

struct route {
    hd_engine *e;
    const asked *a;
    hd_table *t;
    hd_duck_codes columns[MAX_COLUMNS];
    char names[MAX_COLUMNS][96];
    size_t n_columns;
    uint8_t *flags[HD_MAX_ANY];
    const uint64_t *records; /* identities of the rows, or NULL */
};

static hd_code open_route(struct route **out, hd_engine *e, const asked *a, hd_table *t,
                          hd_err *err)
{
    struct route *r = *out = hd_calloc(1, sizeof *r);
    if (!r)
        return hd_fail_nomem(err);
    r->e = e;
    r->a = a;
    r->t = t;
    return HD_OK;
}

static void close_route(struct route *r)
{
    for (size_t i = 0; i < HD_MAX_ANY; i++)
        hd_secret_unmap(r->flags[i], hd_table_rows(r->t));
    hd_free(r);
}

/* ---- the view -------------------------------------------------------------------------------- */

static hd_code new_column(struct route *r, const char *name, hd_duck_codes **out, hd_err *err)
{
    if (r->n_columns == MAX_COLUMNS)
        return hd_fail(err, HD_LIMIT, "the question reads more than %d columns", MAX_COLUMNS);
    snprintf(r->names[r->n_columns], sizeof r->names[0], "%s", name);
    *out = &r->columns[r->n_columns];
    **out = (hd_duck_codes){.name = r->names[r->n_columns]};
    r->n_columns++;
    return HD_OK;
}

static hd_code add_column(struct route *r, const char *name, hd_err *err)
{
    for (size_t i = 0; i < r->n_columns; i++)
        if (strcmp(r->names[i], name) == 0)
            return HD_OK;
    hd_duck_codes *c;
    HD_TRY(new_column(r, name, &c, err));
    if (strcmp(name, "#person") == 0) {
        const uint32_t *persons;
        HD_TRY(hd_table_persons(r->t, &persons, err));
        c->type = HD_INTEGER;
        c->data = persons;
        c->width = 4;
        return HD_OK;
    }
    column_ref ref = hd_column_parse(r->a, name);
    if (ref.any >= 0) {
        HD_TRY(hd_any_flags(r->e, r->a, r->t, &r->a->any[ref.any], &r->flags[ref.any], err));
        c->type = HD_BOOLEAN;
        c->data = r->flags[ref.any];
        c->width = 1;
        return HD_OK;
    }
    hd_operand source;
    loaded_column l;
    HD_TRY(hd_operand_find(r->a, r->t, name, &source, err));
    HD_TRY(hd_operand_load(r->e, r->t, source, &l, err));
    c->data = l.data;
    c->width = l.width;
    if (!l.dictionary) { /* a row key */
        c->type = HD_INTEGER;
        return HD_OK;
    }
    c->type = l.dictionary->type;
    c->n_codes = l.dictionary->n_codes;
    c->integers = l.dictionary->integers;
    c->decimals = l.dictionary->decimals;
    c->bytes = l.dictionary->bytes;
    c->ends = l.dictionary->ends;
    return HD_OK;
}

static json_t *collect(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    const char *name = hd_tree_column(node);
    if (name)
        *rc = add_column(ctx, name, err);
    else
        *rc = hd_tree_each_child(node, collect, ctx, err);
    return NULL;
}

static hd_code collect_tree(struct route *r, json_t *tree, hd_err *err)
{
    return hd_several_visit(r->a, tree, collect, r, err);
}

static hd_code make_view(struct route *r, hd_err *err)
{
    const asked *a = r->a;
    HD_TRY(add_column(r, "#person", err));
    if (r->records) {
        hd_duck_codes *c;
        HD_TRY(new_column(r, "#record", &c, err));
        c->type = HD_INTEGER;
        c->data = r->records;
        c->width = 8;
    }
    HD_TRY(collect_tree(r, a->where, err));
    for (size_t k = 0; k < a->q.n_keys; k++)
        HD_TRY(collect_tree(r, a->keys[k], err));
    for (size_t i = 0; i < a->q.n_aggregates; i++) {
        HD_TRY(collect_tree(r, a->aggregates[i].argument, err));
        HD_TRY(collect_tree(r, a->aggregates[i].filter, err));
    }
    return hd_duck_make_view(r->e->duck, "rows", r->columns, r->n_columns, hd_table_rows(r->t), err);
}

/* ---- the statement --------------------------------------------------------------------------- */

/* NULL where the expression fails: a question that fails for what one record holds would tell that
 * there is such a record. `as` is a cast, or "". */
static hd_code put(struct route *r, hd_buf *sql, json_t *tree, const char *as, hd_err *err)
{
    char *text = NULL;
    json_t *whole = hd_several_expand(r->a, tree);
    hd_code rc = whole ? hd_text_of(r->e, whole, &text, err) : hd_fail_nomem(err);
    json_decref(whole);
    if (rc == HD_OK)
        hd_buf_printf(sql, "TRY((%s)%s)", text, as);
    hd_free(text);
    return rc;
}

/* Taken apart as the kernel's plan does it, so that a part that fails is unknown, not the whole. */
static hd_code put_condition(struct route *r, hd_buf *sql, json_t *tree, hd_err *err)
{
    if (!hd_tree_is_logic(tree))
        return put(r, sql, tree, "::BOOLEAN", err);
    const json_t *children = json_object_get(tree, "children");
    bool is_not = hd_tree_is(tree, "OPERATOR_NOT");
    const char *word = hd_tree_is(tree, "CONJUNCTION_AND") ? " AND " : " OR ";
    hd_buf_str(sql, is_not ? "(NOT " : "(");
    for (size_t i = 0; i < json_array_size(children); i++) {
        hd_buf_str(sql, i ? word : "");
        HD_TRY(put_condition(r, sql, json_array_get(children, i), err));
    }
    hd_buf_char(sql, ')');
    return HD_OK;
}

/* A value as the kernel sees it: an infinite number, or none ('NaN'), is NULL, and so is a whole
 * number beyond 64 bits; a clock time is left off; and a DECIMAL of few digits becomes a DOUBLE
 * where DuckDB would round its quantile to those digits. */
static hd_code put_value(struct route *r, hd_buf *sql, json_t *tree, hd_type type, bool as_double,
                         hd_err *err)
{
    if (type != HD_DECIMAL)
        return put(r, sql, tree,
                   type == HD_INTEGER ? "::BIGINT" : type == HD_DATE ? "::DATE" : "", err);
    hd_buf_str(sql, "CASE WHEN isfinite(");
    HD_TRY(put(r, sql, tree, "::DOUBLE", err));
    hd_buf_str(sql, ") THEN ");
    HD_TRY(put(r, sql, tree, "", err));
    hd_buf_printf(sql, "%s END", as_double ? "::DOUBLE" : "");
    return HD_OK;
}

static hd_code put_inner(struct route *r, hd_buf *sql, hd_err *err)
{
    const asked *a = r->a;
    hd_buf_printf(sql, "(SELECT \"#person\" AS p%s", r->records ? ", \"#record\" AS r" : "");
    for (size_t k = 0; k < a->q.n_keys; k++) {
        hd_buf_str(sql, ", ");
        HD_TRY(put_value(r, sql, a->keys[k], a->key_views[k].type, false, err));
        hd_buf_printf(sql, " AS k%zu", k);
    }
    for (size_t i = 0; i < a->q.n_aggregates; i++) {
        const asked_aggregate *g = &a->aggregates[i];
        if (g->argument) {
            hd_buf_str(sql, ", ");
            HD_TRY(put_value(r, sql, g->argument, g->is_person ? HD_INTEGER : g->argument_type,
                             g->def->kind == HD_AGG_QUANTILE, err));
            hd_buf_printf(sql, " AS x%zu", i);
        }
        if (g->filter) {
            hd_buf_str(sql, ", ");
            HD_TRY(put_condition(r, sql, g->filter, err));
            hd_buf_printf(sql, " AS f%zu", i);
        }
    }
    hd_buf_str(sql, " FROM \"rows\"");
    if (a->where) {
        hd_buf_str(sql, " WHERE ");
        HD_TRY(put_condition(r, sql, a->where, err));
    }
    hd_buf_char(sql, ')');
    return HD_OK;
}

/* Different people, or 0 where nobody reads how many. */
static void put_people(const struct route *r, hd_buf *sql, const char *filter)
{
    if (r->e->without_people)
        hd_buf_char(sql, '0');
    else
        hd_buf_printf(sql, "count(DISTINCT p)%s", filter);
}

static void put_aggregate(const struct route *r, hd_buf *sql, const asked_aggregate *g, size_t i)
{
    char when[96], filter[128] = "";
    bool tests_value = g->argument && !g->is_person;
    snprintf(when, sizeof when, "%s%s%s", g->filter ? "f#" : "", g->filter && tests_value ? " AND " : "",
             tests_value ? "x# IS NOT NULL" : "");
    if (*when) {
        char numbered[96];
        size_t n = 0;
        for (const char *s = when; *s; s++) {
            if (*s == '#')
                n += (size_t)snprintf(numbered + n, sizeof numbered - n, "%zu", i);
            else
                numbered[n++] = *s;
        }
        numbered[n] = '\0';
        snprintf(filter, sizeof filter, " FILTER (WHERE %s)", numbered);
    }
    if (!g->argument)
        hd_buf_printf(sql, ", count(*)%s", filter);
    else if (g->def->n_arguments == 2)
        hd_buf_printf(sql, ", %s(x%zu, %.17g)%s", g->def->duckdb_name, i, g->quantile, filter);
    else
        hd_buf_printf(sql, ", %s(%sx%zu)%s", g->def->duckdb_name, g->is_distinct ? "DISTINCT " : "", i,
                      filter);
    hd_buf_printf(sql, ", count(*)%s, ", filter);
    put_people(r, sql, filter);
}

static void put_sets(hd_buf *sql, const asked *a)
{
    if (a->q.n_keys == 0)
        return;
    if (a->n_sets == 1 && a->sets[0] == (UINT32_C(1) << a->q.n_keys) - 1) {
        for (size_t k = 0; k < a->q.n_keys; k++) /* DuckDB has faster ways for this alone */
            hd_buf_printf(sql, "%sk%zu", k ? ", " : " GROUP BY ", k);
        return;
    }
    hd_buf_str(sql, " GROUP BY GROUPING SETS (");
    for (size_t s = 0; s < a->n_sets; s++) {
        hd_buf_str(sql, s ? ", (" : "(");
        const char *comma = "";
        for (size_t k = 0; k < a->q.n_keys; k++)
            if (a->sets[s] >> k & 1) {
                hd_buf_printf(sql, "%sk%zu", comma, k);
                comma = ", ";
            }
        hd_buf_char(sql, ')');
    }
    hd_buf_char(sql, ')');
}

static hd_code statement(struct route *r, hd_buf *sql, hd_err *err)
{
    const asked *a = r->a;
    hd_buf_str(sql, "SELECT count(*), ");
    put_people(r, sql, "");
    for (size_t k = 0; k < a->q.n_keys; k++)
        hd_buf_printf(sql, ", GROUPING(k%zu), k%zu", k, k);
    for (size_t i = 0; i < a->q.n_aggregates; i++)
        put_aggregate(r, sql, &a->aggregates[i], i);
    hd_buf_str(sql, " FROM ");
    HD_TRY(put_inner(r, sql, err));
    put_sets(sql, a);
    return hd_buf_check(sql, err);
}

/* ---- cells ----------------------------------------------------------------------------------- */

struct row {
    const asked *a;
    const hd_duck_result *result;
    uint32_t grouping;
    size_t set, row;
};

static uint32_t grouping_of(const asked *a, const hd_duck_result *result, size_t row)
{
    uint32_t grouping = 0;
    for (size_t k = 0; k < a->q.n_keys; k++)
        grouping |= (hd_duck_value(result, row, 2 + 2 * k).integer != 0 ? 1u : 0u) << k;
    return grouping;
}

/* As the kernel orders its cells: by grouping set, then keys ascending, NULL first. */
static int compare_rows(const void *x, const void *y)
{
    const struct row *a = x, *b = y;
    if (a->set != b->set)
        return a->set < b->set ? -1 : 1;
    for (size_t k = 0; k < a->a->q.n_keys; k++) {
        hd_value v = hd_duck_value(a->result, a->row, 3 + 2 * k);
        hd_value w = hd_duck_value(b->result, b->row, 3 + 2 * k);
        int c = hd_value_compare(&v, &w);
        if (c)
            return c;
    }
    return (a->row > b->row) - (a->row < b->row);
}

static hd_code sort_rows(const asked *a, const hd_duck_result *result, struct row **out, hd_err *err)
{
    size_t n = hd_duck_n_rows(result);
    struct row *rows = hd_calloc(n, sizeof *rows);
    if (!rows)
        return hd_fail_nomem(err);
    uint32_t all = (uint32_t)((UINT64_C(1) << a->q.n_keys) - 1);
    for (size_t i = 0; i < n; i++) {
        uint32_t grouping = grouping_of(a, result, i);
        size_t set = 0;
        while (set < a->n_sets && a->sets[set] != (all & ~grouping))
            set++;
        /* A set that is written twice gives its rows twice: the k-th copy belongs to the k-th set. */
        rows[i] = (struct row){a, result, grouping, set, i};
    }
    qsort(rows, n, sizeof *rows, compare_rows);
    *out = rows;
    return HD_OK;
}

static size_t text_bytes(const hd_duck_result *result)
{
    size_t n = 0;
    for (size_t row = 0; row < hd_duck_n_rows(result); row++)
        for (size_t c = 0; c < hd_duck_n_columns(result); c++) {
            hd_value v = hd_duck_value(result, row, c);
            n += v.type == HD_TEXT && !v.is_null ? v.text.len : 0;
        }
    return n;
}

static hd_value keep(hd_value v, char **to)
{
    if (v.type == HD_TEXT && !v.is_null && v.text.len) {
        memcpy(*to, v.text.bytes, v.text.len);
        v.text.bytes = *to;
        *to += v.text.len;
    }
    return v;
}

static void fill_cell(const asked *a, const hd_duck_result *result, const struct row *row,
                      hd_cells *c, size_t cell, char **to)
{
    hd_cells_put_all(c, cell, row->grouping, hd_duck_value(result, row->row, 0).integer,
                     hd_duck_value(result, row->row, 1).integer);
    for (size_t k = 0; k < a->q.n_keys; k++)
        hd_cells_put_key(c, cell, k, keep(hd_duck_value(result, row->row, 3 + 2 * k), to));
    size_t column = 2 + 2 * a->q.n_keys;
    for (size_t i = 0; i < a->q.n_aggregates; i++, column += 3) {
        hd_value v = keep(hd_duck_value(result, row->row, column), to);
        if (a->aggregate_views[i].type == HD_DECIMAL && v.type == HD_INTEGER)
            v.decimal = (double)v.integer;
        hd_cells_put_figure(
            c, cell, i,
            (hd_cell){v, hd_duck_value(result, row->row, column + 1).integer,
                      hd_duck_value(result, row->row, column + 2).integer});
    }
}

static hd_code make_cells(const asked *a, const hd_duck_result *result, bool without_people,
                          hd_cells **out, hd_err *err)
{
    struct row *rows;
    HD_TRY(sort_rows(a, result, &rows, err));
    size_t n = hd_duck_n_rows(result);
    hd_cells *c;
    hd_code rc = hd_cells_new_rows(&c, &a->q, n, text_bytes(result), err);
    if (rc == HD_OK) {
        char *to = c->text_;
        for (size_t i = 0; i < n; i++)
            fill_cell(a, result, &rows[i], c, i, &to);
        if (without_people)
            hd_cells_forget_people(c);
        *out = c;
    }
    hd_free(rows);
    return rc;
}

hd_code hd_run_duckdb(hd_engine *e, const asked *a, hd_table *t, hd_cells **out, hd_err *err)
{
    *out = NULL;
    for (size_t i = 0; i < a->q.n_aggregates; i++)
        if (!a->aggregates[i].def->duckdb_name)
            return hd_fail(err, HD_INVALID, "%s is available only where the argument reads one column",
                           a->aggregates[i].def->name);
    struct route *r;
    HD_TRY(open_route(&r, e, a, t, err));
    hd_buf sql;
    hd_buf_init(&sql, 1u << 26);
    hd_duck_result *result = NULL;
    hd_code rc;
    HD_GO(make_view(r, err));
    HD_GO(statement(r, &sql, err));
    HD_GO(hd_duck_query_records(e->duck, sql.data, &result, err));
    HD_GO(make_cells(a, result, e->without_people, out, err));
out:
    hd_duck_result_free(result);
    hd_buf_free(&sql);
    close_route(r);
    return rc;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static hd_code rows_statement(struct route *r, const size_t *aggregates, size_t n, hd_buf *sql,
                              hd_err *err)
{
    const asked *a = r->a;
    hd_buf_str(sql, "SELECT p, r");
    for (size_t k = 0; k < a->q.n_keys; k++)
        hd_buf_printf(sql, ", k%zu", k);
    for (size_t i = 0; i < n; i++) {
        const asked_aggregate *g = &a->aggregates[aggregates[i]];
        hd_buf_str(sql, ", TRUE");
        if (g->filter)
            hd_buf_printf(sql, " AND coalesce(f%zu, FALSE)", aggregates[i]);
        if (g->argument && !g->is_person)
            hd_buf_printf(sql, " AND x%zu IS NOT NULL", aggregates[i]);
    }
    hd_buf_str(sql, " FROM ");
    HD_TRY(put_inner(r, sql, err));
    hd_buf_str(sql, " ORDER BY p NULLS FIRST, r");
    return hd_buf_check(sql, err);
}

hd_code hd_duckdb_rows(hd_engine *e, const asked *a, hd_table *t, const uint64_t *records,
                       const size_t *aggregates, size_t n_aggregates, hd_duck_result **out,
                       hd_err *err)
{
    *out = NULL;
    struct route *r;
    HD_TRY(open_route(&r, e, a, t, err));
    r->records = records;
    hd_buf sql;
    hd_buf_init(&sql, 1u << 26);
    hd_code rc;
    HD_GO(make_view(r, err));
    HD_GO(rows_statement(r, aggregates, n_aggregates, &sql, err));
    HD_GO(hd_duck_query_records(e->duck, sql.data, out, err));
out:
    hd_buf_free(&sql);
    close_route(r);
    return rc;
}

/* ---- values ---------------------------------------------------------------------------------- */

static hd_code values_statement(struct route *r, size_t i, hd_buf *sql, hd_err *err)
{
    const asked *a = r->a;
    hd_buf_str(sql, "SELECT ");
    for (size_t k = 0; k < a->q.n_keys; k++)
        hd_buf_printf(sql, "GROUPING(k%zu), k%zu, ", k, k);
    hd_buf_printf(sql, "x%zu::DOUBLE AS v, count(*) FROM ", i);
    HD_TRY(put_inner(r, sql, err));
    hd_buf_printf(sql, " WHERE x%zu IS NOT NULL", i);
    if (a->aggregates[i].filter)
        hd_buf_printf(sql, " AND f%zu", i);
    hd_buf_str(sql, " GROUP BY GROUPING SETS (");
    for (size_t s = 0; s < a->n_sets; s++) {
        hd_buf_str(sql, s ? ", (" : "(");
        for (size_t k = 0; k < a->q.n_keys; k++)
            if (a->sets[s] >> k & 1)
                hd_buf_printf(sql, "k%zu, ", k);
        hd_buf_str(sql, "v)");
    }
    hd_buf_str(sql, ") ORDER BY v");
    return hd_buf_check(sql, err);
}

hd_code hd_duckdb_values(hd_engine *e, const asked *a, hd_table *t, size_t i, hd_duck_result **out,
                         hd_err *err)
{
    *out = NULL;
    struct route *r;
    HD_TRY(open_route(&r, e, a, t, err));
    hd_buf sql;
    hd_buf_init(&sql, 1u << 26);
    hd_code rc;
    HD_GO(make_view(r, err));
    HD_GO(values_statement(r, i, &sql, err));
    HD_GO(hd_duck_query_records(e->duck, sql.data, out, err));
out:
    hd_buf_free(&sql);
    close_route(r);
    return rc;
}
