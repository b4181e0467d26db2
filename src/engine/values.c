/* values.c - how often each value occurs behind the figures of a question (cells.h).
 *
 * Asked after the question itself, because only disclosure needs it and only where there are sums,
 * means, spreads or quantiles. Figures with the same argument and filter share their bins.
 */
#include "engine/blocks.h"
#include "base/alloc.h"
#include "base/intern.h"
#include "engine/order.h"

#include <string.h>

static bool is_of_values(const asked_aggregate *g)
{
    hd_aggregate_kind kind = g->def->kind;
    return !g->is_person && !g->is_distinct &&
           (kind == HD_AGG_SUM || kind == HD_AGG_MEAN || kind == HD_AGG_SPREAD ||
            kind == HD_AGG_QUANTILE);
}

static bool is_same(const json_t *a, const json_t *b)
{
    return (a == NULL) == (b == NULL) && (!a || json_equal(a, b));
}

size_t hd_values_like(const asked *a, size_t i)
{
    const asked_aggregate *g = &a->aggregates[i];
    if (!is_of_values(g))
        return HD_MAX_AGGREGATES;
    for (size_t k = 0; k < i; k++)
        if (is_of_values(&a->aggregates[k]) && is_same(a->aggregates[k].filter, g->filter) &&
            is_same(a->aggregates[k].argument, g->argument))
            return k;
    return i;
}

static hd_code add_bin(hd_cells *c, size_t *cap, hd_value_bins *to, double value, int64_t records,
                       hd_err *err)
{
    if (!HD_GROW(c->bins, c->n_bins, *cap))
        return hd_fail_nomem(err);
    if (to->n++ == 0)
        to->first = c->n_bins;
    c->bins[c->n_bins++] = (hd_value_bin){value, records};
    return HD_OK;
}

/* ---- by the kernel ---------------------------------------------------------------------------- */

static double number(const hd_value *v)
{
    return v->type == HD_DECIMAL ? v->decimal : (double)v->integer;
}

static hd_code take_answer(const scan_plan *p, const asked *a, const hd_k_answer *answer,
                           hd_cells *c, hd_err *err)
{
    size_t cap = 0, n = a->q.n_aggregates;
    if (answer->n_cells != c->n_cells)
        return hd_fail(err, HD_INVALID, "the scan of values found other cells than the question");
    for (size_t cell = 0; cell < c->n_cells; cell++)
        for (size_t i = 0; i < n; i++) {
            hd_value_bins *to = &c->values[cell * n + i];
            const hd_k_tally t = hd_k_answer_tally(answer, cell, i);
            size_t like = hd_values_like(a, i);
            if (like < i)
                *to = c->values[cell * n + like];
            if (like != i || t.rows == 0)
                continue;
            const hd_k_bin *bins = &answer->distribution[t.distribution.first];
            for (uint32_t b = 0; b < t.distribution.n; b++)
                HD_TRY(add_bin(c, &cap, to, number(&p->measure_ranks[i]->values[bins[b].rank]),
                               (int64_t)bins[b].rows, err));
        }
    return HD_OK;
}

static hd_code by_kernel(hd_engine *e, asked *a, hd_table *t, hd_cells *c, hd_err *err)
{
    hd_k_answer answer = {0};
    scan_blocks blocks = {0};
    const hd_kernel *kernel;
    scan_plan *p = NULL;
    hd_code rc;
    HD_GO(hd_kernel_pick(&kernel, err));
    HD_GO(hd_scan_plan_of_values(e, t, a, &p, err));
    HD_GO(hd_blocks_open(&blocks, p, t, err));
    HD_GO(hd_scan_plan_bind(p, t, &blocks, err));
    HD_GO(kernel->run(&p->q, &answer, err));
    HD_GO(take_answer(p, a, &answer, c, err));
out:
    hd_blocks_close(&blocks);
    hd_k_answer_free(&answer);
    hd_scan_plan_free(p);
    return rc;
}

/* ---- by DuckDB -------------------------------------------------------------------------------- */

/* A cell by the keys that are told apart in it. */
static hd_code name_cell(const asked *a, uint32_t grouping, const hd_value *keys, hd_buf *b,
                         hd_err *err)
{
    hd_buf_clear(b);
    hd_buf_add(b, &grouping, sizeof grouping);
    for (size_t k = 0; k < a->q.n_keys; k++)
        if (!(grouping >> k & 1)) {
            hd_value v = keys[k];
            v.type = a->key_views[k].type;
            hd_value_put_name(b, v);
        }
    return hd_buf_check(b, err);
}

/* DuckDB gives one value after another, bins want one cell after another: first counted, then put
 * where they belong. */
static hd_code take_rows(const asked *a, const hd_duck_result *r, size_t i, const hd_intern *names,
                         hd_cells *c, size_t *cap, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = hd_duck_n_rows(r), n_keys = a->q.n_keys, width = a->q.n_aggregates;
    uint32_t *cell_of = hd_calloc(n + 1, sizeof *cell_of);
    hd_buf b;
    hd_buf_init(&b, (size_t)1 << 24);
    if (!cell_of)
        HD_GO(hd_fail_nomem(err));
    for (size_t row = 0; row < n; row++) {
        hd_value keys[HD_MAX_KEYS];
        uint32_t grouping = 0;
        for (size_t k = 0; k < n_keys; k++) {
            grouping |= (hd_duck_value(r, row, 2 * k).integer != 0 ? 1u : 0u) << k;
            keys[k] = hd_duck_value(r, row, 2 * k + 1);
        }
        HD_GO(name_cell(a, grouping, keys, &b, err));
        cell_of[row] = hd_intern_find(names, b.data, b.len);
        if (cell_of[row] == HD_INTERN_NONE)
            HD_GO(hd_fail(err, HD_INVALID, "the scan of values found other cells than the question"));
        c->values[cell_of[row] * width + i].n++;
        HD_GO(add_bin(c, cap, &(hd_value_bins){0}, 0, 0, err));
    }
    size_t at = c->n_bins - n;
    for (size_t cell = 0; cell < c->n_cells; cell++) {
        hd_value_bins *to = &c->values[cell * width + i];
        to->first = at;
        at += to->n;
        to->n = 0;
    }
    for (size_t row = 0; row < n; row++) {
        hd_value_bins *to = &c->values[cell_of[row] * width + i];
        hd_value v = hd_duck_value(r, row, 2 * n_keys);
        c->bins[to->first + to->n++] =
            (hd_value_bin){v.decimal, hd_duck_value(r, row, 2 * n_keys + 1).integer};
    }
out:
    hd_free(cell_of);
    hd_buf_free(&b);
    return rc;
}

static hd_code by_duckdb(hd_engine *e, asked *a, hd_table *t, hd_cells *c, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t cap = 0, n = a->q.n_aggregates;
    hd_duck_result *result = NULL;
    hd_intern *names = hd_intern_new();
    hd_buf b;
    hd_buf_init(&b, (size_t)1 << 24);
    if (!names)
        HD_GO(hd_fail_nomem(err));
    for (size_t cell = 0; cell < c->n_cells; cell++) {
        uint32_t id;
        hd_value keys[HD_MAX_KEYS];
        for (size_t k = 0; k < a->q.n_keys; k++)
            keys[k] = hd_cells_key(c, cell, k);
        HD_GO(name_cell(a, hd_cells_grouping(c, cell), keys, &b, err));
        HD_GO(hd_intern_add(names, b.data, b.len, &id, err));
        if (id != cell)
            HD_GO(hd_fail(err, HD_INVALID, "two cells of the answer have the same keys"));
    }
    for (size_t i = 0; i < n; i++) {
        size_t like = hd_values_like(a, i);
        if (like < i)
            for (size_t cell = 0; cell < c->n_cells; cell++)
                c->values[cell * n + i] = c->values[cell * n + like];
        if (like != i)
            continue;
        HD_GO(hd_duckdb_values(e, a, t, i, &result, err));
        HD_GO(take_rows(a, result, i, names, c, &cap, err));
        hd_duck_result_free(result);
        result = NULL;
    }
out:
    hd_duck_result_free(result);
    hd_intern_free(names);
    hd_buf_free(&b);
    return rc;
}

/* ---- outside ---------------------------------------------------------------------------------- */

hd_code hd_engine_values(hd_engine *e, const hd_question *q, hd_cells *cells, hd_err *err)
{
    asked *a = (asked *)(uintptr_t)q;
    hd_hold *hold;
    hd_table *t;
    bool has_any = false;
    for (size_t i = 0; i < q->n_aggregates; i++)
        has_any = has_any || is_of_values(&a->aggregates[i]);
    if (!has_any)
        return HD_OK;
    cells->values = hd_calloc(cells->n_cells * q->n_aggregates + 1, sizeof *cells->values);
    if (!cells->values)
        return hd_fail_nomem(err);
    HD_TRY(hd_vault_hold(e->vault, &hold, err));
    hd_code rc = hd_vault_table(e->vault, q->table, &t, err);
    if (rc == HD_OK)
        rc = hd_orders_ready(e, a, t, err);
    if (rc == HD_OK)
        rc = q->fallback_reason ? by_duckdb(e, a, t, cells, err) : by_kernel(e, a, t, cells, err);
    hd_hold_release(hold);
    return rc;
}
