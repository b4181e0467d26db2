/* outer_plain.c - a SELECT list, an ORDER BY and a LIMIT that only name keys and aggregates, worked
 * out here: most questions are such, and DuckDB's table of figures costs more than their scan.
 *
 * The rules are those of outer.c, which this must not be told from: a row that is left out takes no
 * part, a sort term that reads a withheld figure comes last, ties are broken by the keys (NULL last)
 * and then by the grouping. Text sorts by its bytes, as in DuckDB.
 */
#include "disclosure/outer.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* What a text over k0.., a0.. names. */
typedef struct operand {
    bool is_key;
    size_t at;
} operand;

typedef struct sorting {
    const hd_question *q;
    const hd_cells *cells;
    const hd_safe *safe;
    operand *order; /* n_order */
} sorting;

typedef struct row {
    const sorting *s;
    size_t cell;
} row;

/* "k3" or "a12", and nothing else. */
static bool is_plain(const hd_question *q, const char *sql, operand *out)
{
    size_t digits = strspn(sql + 1, "0123456789");
    if ((sql[0] != 'k' && sql[0] != 'a') || digits == 0 || digits > 3 || sql[1 + digits] != '\0')
        return false;
    *out = (operand){sql[0] == 'k', (size_t)atoi(sql + 1)};
    return out->at < (out->is_key ? q->n_keys : q->n_aggregates);
}

bool hd_outer_is_plain(const hd_question *q)
{
    operand ignored;
    bool plain = !q->having;
    for (size_t i = 0; i < q->n_outputs; i++)
        plain = plain && is_plain(q, q->outputs[i].sql, &ignored);
    for (size_t i = 0; i < q->n_order; i++)
        plain = plain && is_plain(q, q->order[i].sql, &ignored);
    return plain;
}

static hd_figure figure_of(const sorting *s, size_t cell, operand o)
{
    if (o.is_key)
        return (hd_figure){.value = s->cells->keys[cell * s->q->n_keys + o.at]};
    hd_figure f = s->safe->figures[cell * s->q->n_aggregates + o.at];
    if (f.mark)
        f.value = (hd_value){.type = f.value.type, .is_null = true};
    return f;
}

/* NULL at the end that `nulls` says; the others as they compare. */
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
    const sorting *s = a->s;
    for (size_t i = 0; i < s->q->n_order; i++) {
        const hd_order_term *t = &s->q->order[i];
        hd_figure f = figure_of(s, a->cell, s->order[i]), g = figure_of(s, b->cell, s->order[i]);
        if ((f.mark != 0) != (g.mark != 0))
            return f.mark ? 1 : -1;
        int c = compare_values(&f.value, &g.value, t->descending, t->nulls);
        if (c)
            return c;
    }
    for (size_t k = 0; k < s->q->n_keys; k++) {
        int c = compare_values(&s->cells->keys[a->cell * s->q->n_keys + k],
                               &s->cells->keys[b->cell * s->q->n_keys + k], false, 1);
        if (c)
            return c;
    }
    uint32_t g = s->cells->grouping[a->cell], h = s->cells->grouping[b->cell];
    if (g != h)
        return g < h ? -1 : 1;
    return (a->cell > b->cell) - (a->cell < b->cell);
}

static hd_code put_columns(hd_release_builder *b, const hd_question *q, hd_err *err)
{
    for (size_t i = 0; i < q->n_outputs; i++) {
        operand o;
        HD_ALWAYS(is_plain(q, q->outputs[i].sql, &o));
        HD_TRY(hd_release_builder_column(b, q->outputs[i].name,
                                         o.is_key ? q->keys[o.at].type : q->aggregates[o.at].type,
                                         o.is_key, err));
    }
    return HD_OK;
}

static hd_code put_rows(hd_release_builder *b, const sorting *s, const row *rows, size_t n,
                        hd_err *err)
{
    const hd_question *q = s->q;
    size_t first = q->offset > 0 ? (size_t)q->offset : 0;
    for (size_t i = first; i < n && (q->limit < 0 || i - first < (size_t)q->limit); i++)
        for (size_t c = 0; c < q->n_outputs; c++) {
            operand o;
            HD_ALWAYS(is_plain(q, q->outputs[c].sql, &o));
            hd_figure f = figure_of(s, rows[i].cell, o);
            HD_TRY(hd_release_builder_put(b, &f, err));
        }
    return HD_OK;
}

hd_code hd_outer_plain(hd_release **out, const hd_question *q, const hd_cells *cells,
                       const hd_safe *safe, const hd_release_origin *origin, hd_err *err)
{
    hd_code rc;
    size_t n = 0;
    sorting s = {q, cells, safe, hd_calloc(q->n_order, sizeof *s.order)};
    row *rows = hd_calloc(cells->n_cells, sizeof *rows);
    hd_release_builder *b = hd_release_builder_start(origin);
    *out = NULL;
    if (!s.order || !rows || !b) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < q->n_order; i++)
        HD_ALWAYS(is_plain(q, q->order[i].sql, &s.order[i]));
    for (size_t cell = 0; cell < cells->n_cells; cell++)
        if (!safe->left_out[cell])
            rows[n++] = (row){&s, cell};
    qsort(rows, n, sizeof *rows, compare_rows);
    HD_GO(put_columns(b, q, err));
    HD_GO(put_rows(b, &s, rows, n, err));
    HD_GO(hd_release_builder_finish(b, out, err));
out:
    hd_free(s.order);
    hd_free(rows);
    hd_release_builder_free(b);
    return rc;
}
