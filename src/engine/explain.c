/* explain.c - the plan of a question in words: which columns, which lookup tables, which route and
 * why.
 *
 * A plan is shown to people who may not see figures, so sizes that come from the data are denied
 * by default: a number of different values is told as a power of two from 256 on, and not at all
 * when a field below national level is read; bytes are told in whole blocks of rows.
 */
#include "engine/blocks.h"
#include "base/alloc.h"
#include "engine/several.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 4096 }; /* of a table, at most */

typedef struct lines {
    hd_plan_line *line;
    size_t n, cap;
    uint64_t seen[COLUMNS / 64]; /* columns whose bytes are counted */
    uint64_t bytes;
    hd_table *t;
    const asked *a;
} lines;

static hd_code add(lines *l, hd_err *err, const char *part, const char *what, const char *fmt, ...)
    HD_PRINTF(5, 6);

static hd_code add(lines *l, hd_err *err, const char *part, const char *what, const char *fmt, ...)
{
    if (!HD_GROW(l->line, l->n, l->cap))
        return hd_fail_nomem(err);
    hd_plan_line *x = &l->line[l->n++];
    va_list args;
    va_start(args, fmt);
    snprintf(x->part, sizeof x->part, "%s", part);
    snprintf(x->what, sizeof x->what, "%s", what);
    vsnprintf(x->about, sizeof x->about, fmt, args);
    va_end(args);
    return HD_OK;
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static const hd_field *field_of(const lines *l, size_t column)
{
    return hd_table_def_field(l->a->table, hd_table_column_spec(l->t, column)->name);
}

/* Whether a lookup table over the column may be measured. Unknown fields are not. */
static bool is_open(const lines *l, size_t column)
{
    const hd_field *f = field_of(l, column);
    return f && !f->is_subnational;
}

static uint64_t rounded(uint64_t n)
{
    uint64_t size = 256;
    while (size < n && size < UINT64_C(1) << 62)
        size *= 2;
    return size;
}

static void put_size(const lines *l, size_t column, uint64_t n, const char *unit, char out[64])
{
    if (is_open(l, column))
        snprintf(out, 64, "at most %llu %s", (unsigned long long)rounded(n), unit);
    else
        snprintf(out, 64, "%s not told", unit);
}

static unsigned width_of(const hd_dictionary *d)
{
    return !d ? 8 : d->n_codes <= 256 ? 1 : d->n_codes <= 65536 ? 2 : 4;
}

/* Bytes that a scan reads of a column, in whole blocks. */
static void count_bytes(lines *l, size_t column)
{
    if (column >= COLUMNS || l->seen[column / 64] >> column % 64 & 1)
        return;
    l->seen[column / 64] |= UINT64_C(1) << column % 64;
    uint64_t items = 0;
    for (uint32_t b = 0; b < hd_table_n_blocks(l->t); b++) {
        uint32_t n = hd_table_block(l->t, column, b).items;
        items += ((uint64_t)n + HD_BLOCK_ROWS - 1) / HD_BLOCK_ROWS * HD_BLOCK_ROWS;
    }
    uint64_t width = width_of(hd_table_dictionary(l->t, column));
    if (hd_table_column_spec(l->t, column)->kind == HD_COLUMN_LIST)
        items +=
            (uint64_t)hd_table_n_blocks(l->t) * HD_BLOCK_ROWS * 4 / width; /* where rows start */
    l->bytes += items * width;
}

/* ---- the kernel's plan ----------------------------------------------------------------------- */

static hd_code add_order(lines *l, const char *part, const order_column *o, const char *use,
                         hd_err *err)
{
    const order_data *d = o->data->thing;
    l->bytes += (uint64_t)hd_table_n_blocks(l->t) * HD_BLOCK_ROWS * d->width;
    return o->kind == ORDER_EXPRESSION
               ? add(l, err, part, "", "of several columns: %s, %s", o->text, use)
               : add(l, err, part, "", "in person order: %s, %s", o->text, use);
}

static hd_code add_input(lines *l, const char *part, const scan_input *x, const char *use,
                         hd_err *err)
{
    char size[64], element[24] = "";
    size_t column = x->operand.column;
    if (x->operand.order)
        return add_order(l, part, x->operand.order, use, err);
    count_bytes(l, column);
    put_size(l, column, hd_table_dictionary(l->t, column)->n_codes, "codes", size);
    if (x->operand.element)
        snprintf(element, sizeof element, ", element %u", x->operand.element);
    return add(l, err, part, hd_table_column_spec(l->t, column)->name, "%s%s, %s%s%s", size,
               element, use, x->coded ? ": " : "", x->coded ? x->coded->text : "");
}

static hd_code add_conditions(lines *l, const scan_plan *p, hd_err *err)
{
    for (size_t i = 0; i < p->n_atoms; i++)
        HD_TRY(add_input(l, "lookup table", &p->atom_inputs[i],
                         p->atom_inputs[i].coded ? "true or false" : "a constant", err));
    if (p->n_nodes > p->n_atoms)
        HD_TRY(add(l, err, "conditions", "", "%zu tests put together by %zu AND, OR and NOT",
                   p->n_atoms, p->n_nodes - p->n_atoms));
    return HD_OK;
}

static hd_code add_keys(lines *l, const scan_plan *p, hd_err *err)
{
    uint64_t cells = 1;
    bool open = true;
    for (size_t k = 0; k < l->a->q.n_keys; k++) {
        char size[64], use[96];
        const scan_input *x = &p->group_inputs[k];
        if (x->operand.order)
            snprintf(size, sizeof size, "groups not told");
        else
            put_size(l, x->operand.column, p->groups[k].n_slots, "groups", size);
        snprintf(use, sizeof use, "%s", size);
        HD_TRY(add_input(l, "key", x, use, err));
        open = open && !x->operand.order && is_open(l, x->operand.column);
        if (__builtin_mul_overflow(cells, p->groups[k].n_slots, &cells))
            cells = UINT64_C(1) << 62;
    }
    if (open)
        return add(l, err, "cells", "", "at most %llu a grouping set, %zu grouping set%s",
                   (unsigned long long)rounded(cells), l->a->n_sets, l->a->n_sets == 1 ? "" : "s");
    return add(l, err, "cells", "", "not told, %zu grouping set%s", l->a->n_sets,
               l->a->n_sets == 1 ? "" : "s");
}

static hd_code add_measures(lines *l, const scan_plan *p, hd_err *err)
{
    static const char *const kinds[] = {[HD_K_COUNT] = "count",
                                        [HD_K_MOMENTS] = "sum and sum of squares",
                                        [HD_K_EXTREMES] = "smallest and largest",
                                        [HD_K_DISTRIBUTION] = "how often each value occurs",
                                        [HD_K_DISTINCT] = "different values"};
    for (size_t i = 0; i < l->a->q.n_aggregates; i++) {
        const hd_k_measure *m = &p->measures[i];
        char use[96];
        snprintf(use, sizeof use, "%s, records and people%s", kinds[m->kind],
                 l->a->aggregates[i].filter ? ", filtered" : "");
        if (m->has_value)
            HD_TRY(add_input(l, "measure", &p->measure_inputs[i], use, err));
        else
            HD_TRY(add(l, err, "measure", "", "%s", use));
    }
    return HD_OK;
}

/* How many blocks must be looked at follows from the data, so it is told as other sizes are. */
static hd_code add_blocks(lines *l, const scan_plan *p, hd_err *err)
{
    uint32_t n_blocks = hd_table_n_blocks(l->t), n_wanted;
    bool open = true;
    uint64_t most = 16;
    uint8_t *wanted = hd_calloc(n_blocks, 1);
    if (!wanted)
        return hd_fail_nomem(err);
    hd_code rc = hd_blocks_wanted(p, l->t, wanted, &n_wanted, err);
    hd_free(wanted);
    if (rc != HD_OK)
        return rc;
    for (size_t i = 0; i < p->n_atoms; i++)
        open = open && !p->atom_inputs[i].operand.order &&
               is_open(l, p->atom_inputs[i].operand.column);
    while (most < n_wanted)
        most *= 2;
    if (!open)
        return add(l, err, "blocks", "", "of %u: how many are left out is not told", n_blocks);
    return add(l, err, "blocks", "", most < n_blocks ? "at most %llu of %u" : "%llu of %u",
               (unsigned long long)(most < n_blocks ? most : n_blocks), n_blocks);
}

static hd_code explain_kernel(lines *l, hd_engine *e, hd_err *err)
{
    scan_plan *p;
    const hd_kernel *kernel;
    asked *a = (asked *)(uintptr_t)l->a;
    HD_TRY(hd_kernel_pick(&kernel, err));
    HD_TRY(add(l, err, "route", "kernel", "%s: one pass over the rows", kernel->name));
    HD_TRY(hd_scan_plan_make(e, l->t, &a, 1, &p, err));
    hd_code rc = add_blocks(l, p, err);
    if (rc == HD_OK)
        rc = add_conditions(l, p, err);
    if (rc == HD_OK)
        rc = add_keys(l, p, err);
    if (rc == HD_OK)
        rc = add_measures(l, p, err);
    hd_scan_plan_free(p);
    return rc;
}

/* ---- DuckDB ---------------------------------------------------------------------------------- */

static json_t *see_column(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    lines *l = ctx;
    const char *name = hd_tree_column(node);
    hd_operand x;
    if (!name) {
        *rc = hd_tree_each_child(node, see_column, ctx, err);
        return NULL;
    }
    if (strcmp(name, "#person") == 0)
        return NULL;
    *rc = hd_operand_find(l->a, l->t, name, &x, err);
    if (*rc == HD_OK && x.order) {
        *rc = add_order(l, "column", x.order, "read row by row", err);
        return NULL;
    }
    if (*rc != HD_OK || (x.column < COLUMNS && l->seen[x.column / 64] >> x.column % 64 & 1))
        return NULL;
    count_bytes(l, x.column);
    *rc = add(l, err, "column", hd_table_column_spec(l->t, x.column)->name, "read row by row");
    return NULL;
}

static hd_code see_tree(lines *l, json_t *tree, hd_err *err)
{
    return hd_several_visit(l->a, tree, see_column, l, err);
}

static hd_code explain_duckdb(lines *l, hd_err *err)
{
    const asked *a = l->a;
    HD_TRY(add(l, err, "route", "DuckDB", "because %s", a->q.fallback_reason));
    HD_TRY(see_tree(l, a->where, err));
    for (size_t k = 0; k < a->q.n_keys; k++)
        HD_TRY(see_tree(l, a->keys[k], err));
    for (size_t i = 0; i < a->q.n_aggregates; i++) {
        HD_TRY(see_tree(l, a->aggregates[i].argument, err));
        HD_TRY(see_tree(l, a->aggregates[i].filter, err));
    }
    return HD_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

hd_code hd_engine_explain(hd_engine *e, const hd_question *q, hd_plan_line **out, size_t *n,
                          hd_err *err)
{
    lines l = {.a = (const asked *)q};
    hd_code rc;
    *out = NULL;
    *n = 0;
    hd_engine_refresh(e);
    HD_GO(hd_vault_table(e->vault, q->table, &l.t, err));
    HD_GO(add(&l, err, "table", q->table, "%s", l.a->table->title));
    HD_GO(hd_orders_ready(e, (asked *)(uintptr_t)l.a, l.t, err));
    HD_GO(q->fallback_reason ? explain_duckdb(&l, err) : explain_kernel(&l, e, err));
    l.bytes += (uint64_t)hd_table_n_blocks(l.t) *
               (q->fallback_reason ? HD_BLOCK_ROWS * sizeof(uint32_t) /* persons */
                                   : HD_BLOCK_ROWS / 8 /* where they begin */);
    HD_GO(add(&l, err, "scan", "", "%.1f MB of columns, in whole blocks of %d rows",
              (double)l.bytes / 1e6, HD_BLOCK_ROWS));
    *out = l.line;
    *n = l.n;
    return HD_OK;
out:
    hd_free(l.line);
    return rc;
}
