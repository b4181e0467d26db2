/* outer.c - what stands above the aggregates (outer.h).
 *
 * The figures that passed become a table in the locked-down DuckDB: cell, x (left
 * out), g (grouping), k0.., a0.. and
 * for each aggregate w0.. whether it is withheld; a withheld figure is NULL there, so nothing a
 * person writes can read it. What the text makes of that NULL does not count: an output that reads
 * a withheld figure is marked, a row whose HAVING reads one is left out, and a sort term that reads
 * one comes last. Ties are broken by the keys, never by the order in which cells were found.
 */
#include "disclosure/outer.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#define FIGURES "hd_figures"

/* ---- the table ------------------------------------------------------------------------------ */

enum { COLUMN_CELL, COLUMN_LEFT_OUT, COLUMN_GROUPING, FIRST_KEY };

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
    if (column == COLUMN_GROUPING)
        return integer(s->cells->grouping[row]);
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

static hd_code make_figures(hd_duck *duck, source *s, hd_err *err)
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
    strcpy(names[COLUMN_GROUPING], "g");
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
    rc = hd_duck_make_table(duck, FIGURES, columns, n, s->cells->n_cells, source_value, s, err);
out:
    hd_free(columns);
    hd_free(names);
    return rc;
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

static void put_order(hd_buf *b, const hd_question *q)
{
    hd_buf_str(b, " ORDER BY ");
    for (size_t i = 0; i < q->n_order; i++) {
        const hd_order_term *t = &q->order[i];
        if (t->aggregates) {
            put_withheld(b, t->aggregates);
            hd_buf_str(b, ", CASE WHEN ");
            put_withheld(b, t->aggregates);
            hd_buf_printf(b, " THEN NULL ELSE (%s) END", t->sql);
        } else {
            hd_buf_printf(b, "(%s)", t->sql);
        }
        hd_buf_printf(b, " %s NULLS %s, ", t->descending ? "DESC" : "ASC",
                      t->nulls < 0 ? "FIRST" : "LAST");
    }
    for (size_t k = 0; k < q->n_keys; k++)
        hd_buf_printf(b, "k%zu ASC NULLS LAST, ", k);
    hd_buf_str(b, "g");
}

static void put_statement(hd_buf *b, const hd_question *q)
{
    hd_buf_str(b, "SELECT cell");
    for (size_t i = 0; i < q->n_outputs; i++)
        hd_buf_printf(b, ", (%s)", q->outputs[i].sql);
    hd_buf_str(b, " FROM " FIGURES " WHERE NOT x");
    if (q->having) {
        hd_buf_str(b, " AND NOT ");
        put_withheld(b, q->having_aggregates);
        hd_buf_printf(b, " AND (%s)", q->having);
    }
    put_order(b, q);
    if (q->limit >= 0)
        hd_buf_printf(b, " LIMIT %lld", (long long)q->limit);
    if (q->offset > 0)
        hd_buf_printf(b, " OFFSET %lld", (long long)q->offset);
}

/* ---- the release ---------------------------------------------------------------------------- */

/* The mark of an output in a cell: that of the first withheld aggregate it reads. */
static char output_mark(const hd_safe *safe, uint64_t cell, uint64_t aggregates)
{
    for (size_t a = 0; a < safe->n_aggregates; a++) {
        char mark = safe->figures[cell * safe->n_aggregates + a].mark;
        if (aggregates >> a & 1 && mark)
            return mark;
    }
    return 0;
}

static hd_code put_rows(hd_release_builder *b, const hd_duck_result *r, const hd_question *q,
                        const hd_safe *safe, hd_err *err)
{
    for (size_t i = 0; i < q->n_outputs; i++)
        HD_TRY(hd_release_builder_column(b, q->outputs[i].name, hd_duck_column_type(r, i + 1),
                                         q->n_keys > 0 && q->outputs[i].aggregates == 0, err));
    for (size_t row = 0; row < hd_duck_n_rows(r); row++) {
        uint64_t cell = (uint64_t)hd_duck_value(r, row, 0).integer;
        HD_ALWAYS(cell < safe->n_cells);
        for (size_t i = 0; i < q->n_outputs; i++) {
            hd_figure f = {.value = hd_duck_value(r, row, i + 1),
                           .mark = output_mark(safe, cell, q->outputs[i].aggregates)};
            HD_TRY(hd_release_builder_put(b, &f, err));
        }
    }
    return HD_OK;
}

hd_code hd_outer_evaluate(hd_release **out, hd_duck *duck, const hd_question *q,
                          const hd_cells *cells, const hd_safe *safe,
                          const hd_release_origin *origin, hd_err *err)
{
    return hd_outer_is_plain(q) ? hd_outer_plain(out, q, cells, safe, origin, err)
                                : hd_outer_by_duckdb(out, duck, q, cells, safe, origin, err);
}

hd_code hd_outer_by_duckdb(hd_release **out, hd_duck *duck, const hd_question *q,
                           const hd_cells *cells, const hd_safe *safe,
                           const hd_release_origin *origin, hd_err *err)
{
    hd_code rc;
    hd_duck_result *result = NULL;
    hd_release_builder *b = NULL;
    bool made = false;
    hd_buf sql;
    hd_buf_init(&sql, (size_t)1 << 22);
    *out = NULL;
    HD_GO(make_figures(duck, &(source){q, cells, safe}, err));
    made = true;
    put_statement(&sql, q);
    HD_GO(hd_buf_check(&sql, err));
    HD_GO(hd_duck_query(duck, sql.data, &result, err));
    b = hd_release_builder_start(origin);
    if (!b) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(put_rows(b, result, q, safe, err));
    HD_GO(hd_release_builder_finish(b, out, err));
out:
    if (made) {
        hd_err ignored;
        if (hd_duck_run(duck, "DROP TABLE IF EXISTS " FIGURES, &ignored) != HD_OK && rc == HD_OK) {
            hd_release_free(*out);
            *out = NULL;
            rc = hd_fail(err, ignored.code, "%s", ignored.text);
        }
    }
    hd_duck_result_free(result);
    hd_release_builder_free(b);
    hd_buf_free(&sql);
    return rc;
}
