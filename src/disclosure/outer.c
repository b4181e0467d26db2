/* outer.c - what stands above the aggregates (outer.h).
 *
 * Keys and aggregates by name are at hand. Everything else (arithmetic, HAVING) the locked-down
 * DuckDB works out: it reads the figures that passed as rows, cell, x (left out), k0.., a0.. and
 * for each aggregate w0.. whether it is withheld; a withheld figure is NULL there, so nothing a
 * person writes can read it. What the text makes of that NULL does not count: an output that
 * reads a withheld figure is marked, a row whose HAVING reads one is left out, and a sort term
 * that reads one comes last. Ties are broken by the keys, never by the order in which cells were
 * found.
 */
#include "disclosure/outer.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the rows ------------------------------------------------------------------------------- */

enum { COLUMN_CELL, COLUMN_LEFT_OUT, FIRST_KEY };

typedef struct source {
    const hd_question *q;
    const hd_cells *cells;
    const hd_safe *safe;
} source;

static hd_value integer(int64_t x)
{
    return (hd_value){.type = HD_INTEGER, .integer = x};
}

static hd_value boolean(bool x)
{
    return (hd_value){.type = HD_BOOLEAN, .integer = x};
}

static hd_value source_value(void *ctx, uint64_t row, size_t column)
{
    const source *s = ctx;
    if (column == COLUMN_CELL)
        return integer((int64_t)row);
    if (column == COLUMN_LEFT_OUT)
        return boolean(s->safe->left_out[row]);
    column -= FIRST_KEY;
    if (column < s->q->n_keys)
        return s->cells->keys[row * s->q->n_keys + column];
    column -= s->q->n_keys;
    bool asks_mark = column >= s->q->n_aggregates;
    if (asks_mark)
        column -= s->q->n_aggregates;
    const hd_figure *f = &s->safe->figures[row * s->q->n_aggregates + column];
    if (asks_mark)
        return boolean(f->mark != 0);
    return f->mark ? (hd_value){.type = f->value.type, .is_null = true} : f->value;
}

static hd_code make_figures(hd_duck *duck, source *s, size_t *number, hd_err *err)
{
    size_t n = FIRST_KEY + s->q->n_keys + 2 * s->q->n_aggregates;
    typedef char name_text[24];
    hd_duck_column *columns = hd_calloc(n, sizeof *columns);
    name_text *names = hd_calloc(n, sizeof *names);
    hd_code rc;
    if (!columns || !names) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        columns[i] = (hd_duck_column){names[i], HD_INTEGER};
    strcpy(names[COLUMN_CELL], "cell");
    strcpy(names[COLUMN_LEFT_OUT], "x");
    columns[COLUMN_LEFT_OUT].type = HD_BOOLEAN;
    for (size_t k = 0; k < s->q->n_keys; k++) {
        snprintf(names[FIRST_KEY + k], sizeof *names, "k%zu", k);
        columns[FIRST_KEY + k].type = s->q->keys[k].type;
    }
    for (size_t a = 0; a < s->q->n_aggregates; a++) {
        size_t figure = FIRST_KEY + s->q->n_keys + a, mark = figure + s->q->n_aggregates;
        snprintf(names[figure], sizeof *names, "a%zu", a);
        columns[figure].type = s->q->aggregates[a].type;
        snprintf(names[mark], sizeof *names, "w%zu", a);
        columns[mark].type = HD_BOOLEAN;
    }
    rc = hd_duck_rows_add(duck, columns, n, s->cells->n_cells, source_value, s, number, err);
out:
    hd_free(columns);
    hd_free(names);
    return rc;
}

/* ---- what the texts name --------------------------------------------------------------------- */

typedef enum operand_kind { KEY, FIGURE, COMPUTED } operand_kind;

/* What an output or a sort term is: at its number of key, aggregate or computed column. */
typedef struct operand {
    operand_kind kind;
    size_t at;
    uint64_t aggregates; /* that it reads */
} operand;

typedef struct outer {
    const hd_question *q;
    const hd_cells *cells;
    const hd_safe *safe;
    operand *outputs, *order; /* n_outputs, n_order */
    const char **texts;       /* n_computed: what DuckDB works out */
    size_t n_computed;
    hd_duck_result *result; /* NULL: nothing to work out; else cell and the computed, a row each */
    size_t *row_of;         /* n_cells: row of the result */
} outer;

/* A row of the release on its way. */
typedef struct row {
    const outer *o;
    size_t cell;
} row;

/* "k3" or "a12", and nothing else. */
static bool is_plain(const hd_question *q, const char *sql, operand *out)
{
    size_t digits = strspn(sql + 1, "0123456789");
    if ((sql[0] != 'k' && sql[0] != 'a') || digits == 0 || digits > 3 || sql[1 + digits] != '\0')
        return false;
    out->kind = sql[0] == 'k' ? KEY : FIGURE;
    out->at = (size_t)atoi(sql + 1);
    return out->at < (out->kind == KEY ? q->n_keys : q->n_aggregates);
}

static operand name_operand(outer *o, const char *sql, uint64_t aggregates)
{
    operand x = {.aggregates = aggregates};
    if (is_plain(o->q, sql, &x))
        return x;
    x.kind = COMPUTED;
    for (x.at = 0; x.at < o->n_computed; x.at++)
        if (strcmp(o->texts[x.at], sql) == 0)
            return x;
    o->texts[o->n_computed++] = sql;
    return x;
}

static hd_code name_operands(outer *o, hd_err *err)
{
    const hd_question *q = o->q;
    o->outputs = hd_calloc(q->n_outputs, sizeof *o->outputs);
    o->order = hd_calloc(q->n_order, sizeof *o->order);
    o->texts = hd_calloc(q->n_outputs + q->n_order, sizeof *o->texts);
    o->row_of = hd_calloc(o->cells->n_cells, sizeof *o->row_of);
    if (!o->outputs || !o->order || !o->texts || !o->row_of)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < q->n_outputs; i++)
        o->outputs[i] = name_operand(o, q->outputs[i].sql, q->outputs[i].aggregates);
    for (size_t i = 0; i < q->n_order; i++)
        o->order[i] = name_operand(o, q->order[i].sql, q->order[i].aggregates);
    return HD_OK;
}

/* ---- the statement -------------------------------------------------------------------------- */

/* "(w0 OR w3)", or "FALSE" when nothing is read. */
static void put_withheld(hd_buf *b, uint64_t aggregates)
{
    if (!aggregates) {
        hd_buf_str(b, "FALSE");
        return;
    }
    hd_buf_char(b, '(');
    for (unsigned a = 0, n = 0; a < 64; a++)
        if (aggregates >> a & 1)
            hd_buf_printf(b, "%sw%u", n++ ? " OR " : "", a);
    hd_buf_char(b, ')');
}

static void put_statement(hd_buf *b, const outer *o, size_t number)
{
    hd_buf_str(b, "SELECT cell");
    for (size_t i = 0; i < o->n_computed; i++)
        hd_buf_printf(b, ", (%s)", o->texts[i]);
    hd_buf_printf(b, " FROM hd_rows(%zu) WHERE NOT x", number);
    if (o->q->having) {
        hd_buf_str(b, " AND NOT ");
        put_withheld(b, o->q->having_aggregates);
        hd_buf_printf(b, " AND (%s)", o->q->having);
    }
}

static hd_code compute(outer *o, hd_duck *duck, hd_err *err)
{
    source s = {o->q, o->cells, o->safe};
    size_t number;
    hd_buf sql;
    hd_buf_init(&sql, (size_t)1 << 22);
    HD_TRY(make_figures(duck, &s, &number, err));
    put_statement(&sql, o, number);
    hd_code rc = hd_buf_check(&sql, err);
    if (rc == HD_OK)
        rc = hd_duck_query(duck, sql.data, &o->result, err);
    hd_duck_rows_remove(duck, number);
    hd_buf_free(&sql);
    return rc;
}

/* ---- rows in order -------------------------------------------------------------------------- */

/* The mark of an output in a cell: that of the first withheld aggregate it reads; one withheld for
 * others gives way to one withheld for itself. */
static char mark_of(const hd_safe *safe, size_t cell, uint64_t aggregates)
{
    char found = 0;
    for (size_t a = 0; a < safe->n_aggregates; a++) {
        char mark = safe->figures[cell * safe->n_aggregates + a].mark;
        if (aggregates >> a & 1 && mark && (!found || found == ':'))
            found = mark;
    }
    return found;
}

static hd_figure figure_of(const outer *o, size_t cell, const operand *x)
{
    hd_figure f = {.mark = mark_of(o->safe, cell, x->aggregates)};
    switch (x->kind) {
    case KEY:
        f.value = o->cells->keys[cell * o->q->n_keys + x->at];
        break;
    case FIGURE:
        f.value = o->safe->figures[cell * o->q->n_aggregates + x->at].value;
        break;
    case COMPUTED:
        f.value = hd_duck_value(o->result, o->row_of[cell], 1 + x->at);
        break;
    }
    if (f.mark)
        f.value = (hd_value){.type = f.value.type, .is_null = true};
    return f;
}

/* NULL at the end that `nulls` says; the others as they compare, text by its bytes. */
static int compare_values(const hd_value *a, const hd_value *b, bool descending, int nulls)
{
    if (a->is_null || b->is_null)
        return ((int)a->is_null - (int)b->is_null) * (nulls < 0 ? -1 : 1);
    int c = hd_value_compare(a, b);
    return descending ? -c : c;
}

static int compare_rows(const void *x, const void *y)
{
    const row *a = x, *b = y;
    const outer *o = a->o;
    for (size_t i = 0; i < o->q->n_order; i++) {
        const hd_order_term *t = &o->q->order[i];
        hd_figure f = figure_of(o, a->cell, &o->order[i]), g = figure_of(o, b->cell, &o->order[i]);
        if ((f.mark != 0) != (g.mark != 0))
            return f.mark ? 1 : -1;
        int c = compare_values(&f.value, &g.value, t->descending, t->nulls);
        if (c)
            return c;
    }
    for (size_t k = 0; k < o->q->n_keys; k++) {
        int c = compare_values(&o->cells->keys[a->cell * o->q->n_keys + k],
                               &o->cells->keys[b->cell * o->q->n_keys + k], false, 1);
        if (c)
            return c;
    }
    uint32_t g = o->cells->grouping[a->cell], h = o->cells->grouping[b->cell];
    if (g != h)
        return g < h ? -1 : 1;
    return (a->cell > b->cell) - (a->cell < b->cell);
}

/* The cells that HAVING keeps, in order; at most n_cells. */
static size_t collect_rows(outer *o, row *rows)
{
    size_t n = 0;
    if (o->result) {
        for (n = 0; n < hd_duck_n_rows(o->result); n++) {
            size_t cell = (size_t)hd_duck_value(o->result, n, 0).integer;
            HD_ALWAYS(cell < o->cells->n_cells && !o->safe->left_out[cell]);
            o->row_of[cell] = n;
            rows[n] = (row){o, cell};
        }
    } else {
        for (size_t cell = 0; cell < o->cells->n_cells; cell++)
            if (!o->safe->left_out[cell])
                rows[n++] = (row){o, cell};
    }
    size_t sorted = 1; /* cells come in the order of their keys, which is mostly the one wanted */
    while (sorted < n && compare_rows(&rows[sorted - 1], &rows[sorted]) <= 0)
        sorted++;
    if (sorted < n)
        qsort(rows, n, sizeof *rows, compare_rows);
    return n;
}

/* ---- the release ---------------------------------------------------------------------------- */

static hd_type type_of(const outer *o, const operand *x)
{
    return x->kind == KEY      ? o->q->keys[x->at].type
           : x->kind == FIGURE ? o->q->aggregates[x->at].type
                               : hd_duck_column_type(o->result, 1 + x->at);
}

static hd_code put_rows(hd_release_builder *b, const outer *o, const row *rows, size_t n,
                        hd_err *err)
{
    const hd_question *q = o->q;
    size_t first = q->offset > 0 ? (size_t)q->offset : 0;
    for (size_t i = 0; i < q->n_outputs; i++)
        HD_TRY(hd_release_builder_column(b, q->outputs[i].name, type_of(o, &o->outputs[i]),
                                         q->n_keys > 0 && q->outputs[i].aggregates == 0, err));
    for (size_t i = first; i < n && (q->limit < 0 || i - first < (size_t)q->limit); i++)
        for (size_t c = 0; c < q->n_outputs; c++) {
            hd_figure f = figure_of(o, rows[i].cell, &o->outputs[c]);
            HD_TRY(hd_release_builder_put(b, &f, err));
        }
    return HD_OK;
}

hd_code hd_outer_evaluate(hd_release **out, hd_duck *duck, const hd_question *q,
                          const hd_cells *cells, const hd_safe *safe,
                          const hd_release_origin *origin, hd_err *err)
{
    hd_code rc;
    outer o = {.q = q, .cells = cells, .safe = safe};
    hd_release_builder *b = hd_release_builder_start(origin);
    row *rows = hd_calloc(cells->n_cells, sizeof *rows);
    *out = NULL;
    if (!b || !rows) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(name_operands(&o, err));
    if (o.n_computed > 0 || q->having)
        HD_GO(compute(&o, duck, err));
    HD_GO(put_rows(b, &o, rows, collect_rows(&o, rows), err));
    HD_GO(hd_release_builder_finish(b, out, err));
out:
    hd_duck_result_free(o.result);
    hd_free(o.outputs);
    hd_free(o.order);
    hd_free(o.texts);
    hd_free(o.row_of);
    hd_free(rows);
    hd_release_builder_free(b);
    return rc;
}
