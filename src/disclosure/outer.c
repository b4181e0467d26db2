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
#include "base/sort.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the rows ------------------------------------------------------------------------------- */

enum { COLUMN_CELL, COLUMN_LEFT_OUT, FIRST_KEY, MOST_KEYS = 32 };

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

static bool is_left_out(const hd_safe *safe, size_t cell)
{
    return safe->left_out && safe->left_out[cell];
}

static hd_figure figure_at(const hd_cells *cells, const hd_safe *safe, size_t cell, size_t a)
{
    if (safe->figures)
        return safe->figures[cell * safe->n_aggregates + a];
    return (hd_figure){.value = hd_vector_at(&cells->figures[a], cell)};
}

static hd_value source_value(void *ctx, uint64_t row, size_t column)
{
    const source *s = ctx;
    if (column == COLUMN_CELL)
        return integer((int64_t)row);
    if (column == COLUMN_LEFT_OUT)
        return boolean(is_left_out(s->safe, row));
    column -= FIRST_KEY;
    if (column < s->q->n_keys)
        return hd_cells_key(s->cells, row, column);
    column -= s->q->n_keys;
    bool asks_mark = column >= s->q->n_aggregates;
    if (asks_mark)
        column -= s->q->n_aggregates;
    hd_figure f = figure_at(s->cells, s->safe, row, column);
    if (asks_mark)
        return boolean(f.mark != 0);
    return f.mark ? (hd_value){.type = f.value.type, .is_null = true} : f.value;
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

/* An operand of all cells. What is withheld is marked and NULL. */
typedef struct series {
    hd_vector values;
    char *marks; /* n_cells, or NULL: nothing is withheld */
    void *own_data;
    uint8_t *own_null;
    hd_value *own_values;
} series;

typedef struct outer {
    const hd_question *q;
    hd_cells *cells;
    const hd_safe *safe;
    operand *outputs, *order; /* n_outputs, n_order */
    const char **texts;       /* n_computed: what DuckDB works out */
    size_t n_computed;
    hd_duck_result *result; /* NULL: nothing to work out; else cell and the computed, a row each */
    uint32_t *row_of;       /* n_cells: row of the result; only with a result */
    uint32_t *rows;         /* cells that are shown, in order; NULL: row i is cell i */
    size_t n_rows;
} outer;

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
    if (!o->outputs || !o->order || !o->texts)
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

/* Whether HAVING reads a withheld figure in some row that would appear. That there is one, the same
 * question without HAVING shows by its marks; how many there are is not said. */
static bool has_unknown(const outer *o)
{
    const hd_safe *safe = o->safe;
    for (size_t cell = 0; safe->figures && o->q->having && cell < o->cells->n_cells; cell++)
        for (size_t a = 0; a < safe->n_aggregates && !is_left_out(safe, cell); a++)
            if (o->q->having_aggregates >> a & 1 && safe->figures[cell * safe->n_aggregates + a].mark)
                return true;
    return false;
}

/* ---- operands as columns --------------------------------------------------------------------- */

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

static void series_free(series *s)
{
    hd_free(s->marks);
    hd_free(s->own_data);
    hd_free(s->own_null);
    hd_free(s->own_values);
    *s = (series){0};
}

static hd_code find_marks(const outer *o, const operand *x, series *s, hd_err *err)
{
    if (!o->safe->figures || !x->aggregates)
        return HD_OK;
    s->marks = hd_malloc(o->cells->n_cells);
    if (!s->marks)
        return hd_fail_nomem(err);
    for (size_t cell = 0; cell < o->cells->n_cells; cell++)
        s->marks[cell] = mark_of(o->safe, cell, x->aggregates);
    return HD_OK;
}

static hd_value value_of(const outer *o, const operand *x, size_t cell)
{
    return x->kind == FIGURE
               ? o->safe->figures[cell * o->safe->n_aggregates + x->at].value
               : hd_duck_value(o->result, o->row_of[cell], 1 + x->at);
}

static hd_type type_of(const outer *o, const operand *x)
{
    return x->kind == KEY      ? o->q->keys[x->at].type
           : x->kind == FIGURE ? o->q->aggregates[x->at].type
                               : hd_duck_column_type(o->result, 1 + x->at);
}

static size_t row_cell(const outer *o, size_t row)
{
    return o->rows ? o->rows[row] : row;
}

/* Values that do not lie in a vector yet; of the cells that are shown. */
static hd_code gather(const outer *o, const operand *x, series *s, hd_err *err)
{
    hd_vector *v = &s->values;
    size_t n = o->cells->n_cells;
    v->form = hd_form_of(v->type);
    v->data = s->own_data = hd_calloc(n, hd_form_bytes(v->form));
    v->is_null = s->own_null = hd_calloc(n, 1);
    v->values = s->own_values = v->form == HD_PLACES ? hd_calloc(n, sizeof *v->values) : NULL;
    v->n_values = v->form == HD_PLACES ? (uint32_t)n : 0;
    if (!s->own_data || !s->own_null || (v->form == HD_PLACES && !s->own_values))
        return hd_fail_nomem(err);
    for (size_t cell = 0; cell < n && v->form == HD_PLACES; cell++)
        s->own_values[cell] = (hd_value){.type = v->type, .is_null = true};
    for (size_t i = 0; i < o->n_rows; i++) {
        size_t cell = row_cell(o, i);
        hd_value value = {.is_null = true};
        if (!s->marks || !s->marks[cell])
            value = value_of(o, x, cell);
        s->own_null[cell] = value.is_null;
        if (value.is_null)
            continue;
        if (v->form == HD_PLACES) {
            s->own_values[cell] = value;
            ((uint32_t *)v->data)[cell] = (uint32_t)cell;
        } else if (v->form == HD_DECIMALS) {
            ((double *)v->data)[cell] = value.decimal;
        } else {
            ((int64_t *)v->data)[cell] = value.integer;
        }
    }
    return HD_OK;
}

static hd_code make_series(const outer *o, const operand *x, series *s, hd_err *err)
{
    *s = (series){.values.type = type_of(o, x)};
    HD_TRY(find_marks(o, x, s, err));
    if (x->kind == KEY)
        s->values = o->cells->keys[x->at];
    else if (x->kind == FIGURE && !o->safe->figures)
        s->values = o->cells->figures[x->at];
    else
        return gather(o, x, s, err);
    return HD_OK;
}

/* ---- rows in order -------------------------------------------------------------------------- */

/* The shown cells while they are being put in order. */
typedef struct ordering {
    size_t n;
    uint64_t *cells, *keys, *spare_cells, *spare_keys;
} ordering;

/* Numbers that order as doubles do; the two zeros are equal. */
static uint64_t order_of_double(double x)
{
    uint64_t bits;
    x = x == 0 ? 0 : x;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

typedef struct placed {
    const hd_value *value;
    uint32_t place;
} placed;

static int compare_placed(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    return hd_value_compare(x->value, y->value);
}

/* For each place of a vector how its value orders among the others; equal values alike. */
static hd_code find_ranks(const hd_vector *v, uint32_t **out, hd_err *err)
{
    placed *sorted = hd_calloc(v->n_values, sizeof *sorted);
    uint32_t *ranks = hd_calloc(v->n_values, sizeof *ranks), n = 0;
    *out = ranks;
    if (!sorted || !ranks) {
        hd_free(sorted);
        return hd_fail_nomem(err);
    }
    for (uint32_t i = 0; i < v->n_values; i++)
        if (!v->values[i].is_null)
            sorted[n++] = (placed){&v->values[i], i};
    qsort(sorted, n, sizeof *sorted, compare_placed);
    for (uint32_t i = 1; i < n; i++)
        ranks[sorted[i].place] = ranks[sorted[i - 1].place] +
                                 (compare_placed(&sorted[i - 1], &sorted[i]) != 0);
    hd_free(sorted);
    return HD_OK;
}

static uint64_t order_number(const hd_vector *v, const uint32_t *ranks, size_t cell)
{
    if (v->form == HD_PLACES) {
        uint32_t place = ((const uint32_t *)v->data)[cell];
        return ranks ? ranks[place] : place;
    }
    hd_value x = hd_vector_at(v, cell);
    return v->form == HD_DECIMALS ? order_of_double(x.decimal)
                                  : (uint64_t)x.integer ^ UINT64_C(1) << 63;
}

/* NULL and marks go to their ends. */
static unsigned order_group(const series *y, size_t cell, int nulls)
{
    if (y->marks && y->marks[cell])
        return 3;
    return !hd_vector_at(&y->values, cell).is_null ? 1 : nulls < 0 ? 0 : 2;
}

/* Who wants twenty rows of a million need not have all put in order: those that the first thing to order by
 * puts behind them are dropped. What orders alike, or nearly, stays. */
static hd_code keep_first(const outer *o, ordering *s, size_t wanted, hd_err *err)
{
    series y;
    uint32_t *ranks = NULL;
    hd_code rc;
    if (wanted == 0 || wanted >= s->n / 4 || o->q->n_order == 0)
        return HD_OK;
    HD_GO(make_series(o, &o->order[0], &y, err));
    if (y.values.form == HD_PLACES && !y.values.ascends)
        HD_GO(find_ranks(&y.values, &ranks, err));
    for (size_t i = 0; i < s->n; i++) {
        uint64_t group = order_group(&y, s->cells[i], o->q->order[0].nulls);
        uint64_t number = group == 1 ? order_number(&y.values, ranks, s->cells[i]) : 0;
        number = o->q->order[0].descending ? ~number : number;
        s->keys[i] = s->spare_keys[i] = group << 62 | number >> 2;
    }
    uint64_t last = hd_kth_smallest(s->spare_keys, s->n, wanted - 1);
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->keys[i] <= last)
            s->cells[n++] = s->cells[i];
    s->n = n;
out:
    hd_free(ranks);
    series_free(&y);
    return rc;
}

/* Order by one thing, keeping the order of what is equal: first by value, then by groups. */
static hd_code order_by(const outer *o, ordering *s, const operand *x, bool descending, int nulls,
                        hd_err *err)
{
    series y;
    uint32_t *ranks = NULL;
    bool any_missing = false;
    hd_code rc;
    HD_GO(make_series(o, x, &y, err));
    if (y.values.form == HD_PLACES && !y.values.ascends)
        HD_GO(find_ranks(&y.values, &ranks, err));
    for (size_t i = 0; i < s->n; i++) {
        size_t cell = s->cells[i];
        bool is_missing = (y.marks && y.marks[cell]) || hd_vector_at(&y.values, cell).is_null;
        uint64_t number = is_missing ? 0 : order_number(&y.values, ranks, cell);
        any_missing = any_missing || is_missing;
        s->keys[i] = descending ? ~number : number;
    }
    hd_sort_pairs(s->keys, s->cells, s->spare_keys, s->spare_cells, s->n);
    if (!any_missing)
        goto out;
    for (size_t i = 0; i < s->n; i++)
        s->keys[i] = order_group(&y, s->cells[i], nulls);
    hd_sort_pairs(s->keys, s->cells, s->spare_keys, s->spare_cells, s->n);
out:
    hd_free(ranks);
    series_free(&y);
    return rc;
}

static bool has_null(const hd_cells *c, size_t key)
{
    const uint32_t *places = c->keys[key].data;
    size_t n = 0;
    for (size_t i = 0; i < c->n_cells; i++)
        n += places[i] == 0;
    return n > 0;
}

/* Whether the cells come in the order of their keys, NULL last: mostly so, and then nothing is to
 * be done. */
static bool is_in_key_order(const outer *o)
{
    const hd_cells *c = o->cells;
    uint32_t lowest[MOST_KEYS]; /* NULL is place 0 or nowhere; less this it is the highest */
    bool any_null = false;
    if (c->grouping || c->n_keys > MOST_KEYS)
        return false;
    for (size_t k = 0; k < c->n_keys; k++) {
        if (!c->keys[k].ascends)
            return false;
        lowest[k] = c->keys[k].n_values > 0 && c->keys[k].values[0].is_null;
        any_null = any_null || (lowest[k] && has_null(c, k));
    }
    if (c->are_in_order && !any_null)
        return true;
    for (size_t i = 1; i < o->n_rows; i++)
        for (size_t k = 0; k < c->n_keys; k++) {
            const uint32_t *places = c->keys[k].data;
            uint32_t before = places[row_cell(o, i - 1)] - lowest[k];
            uint32_t here = places[row_cell(o, i)] - lowest[k];
            if (before > here)
                return false;
            if (before < here)
                break;
        }
    return true;
}

static hd_code take_rows(outer *o, hd_err *err)
{
    o->rows = o->rows ? o->rows : hd_malloc(o->cells->n_cells * sizeof *o->rows);
    return o->rows ? HD_OK : hd_fail_nomem(err);
}

static hd_code order_rows(outer *o, hd_err *err)
{
    hd_code rc = HD_OK;
    bool by_keys = !is_in_key_order(o);
    size_t n = o->n_rows;
    if (!by_keys && o->q->n_order == 0)
        return HD_OK;
    ordering s = {.n = n,
                  .cells = hd_calloc(n, sizeof *s.cells),
                  .keys = hd_calloc(n, sizeof *s.keys),
                  .spare_cells = hd_calloc(n, sizeof *s.spare_cells),
                  .spare_keys = hd_calloc(n, sizeof *s.spare_keys)};
    if (!s.cells || !s.keys || !s.spare_cells || !s.spare_keys)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < n; i++)
        s.cells[i] = row_cell(o, i);
    if (o->q->limit >= 0)
        HD_GO(keep_first(o, &s, (size_t)o->q->limit + (size_t)(o->q->offset > 0 ? o->q->offset : 0), err));
    for (size_t i = 0; i < s.n; i++)
        s.keys[i] = hd_cells_grouping(o->cells, s.cells[i]);
    if (by_keys)
        hd_sort_pairs(s.keys, s.cells, s.spare_keys, s.spare_cells, s.n);
    for (size_t k = o->q->n_keys; k-- > 0 && by_keys;)
        HD_GO(order_by(o, &s, &(operand){.kind = KEY, .at = k}, false, 1, err));
    for (size_t i = o->q->n_order; i-- > 0;)
        HD_GO(order_by(o, &s, &o->order[i], o->q->order[i].descending, o->q->order[i].nulls, err));
    HD_GO(take_rows(o, err));
    for (size_t i = 0; i < s.n; i++)
        o->rows[i] = (uint32_t)s.cells[i];
    o->n_rows = s.n;
out:
    hd_free(s.cells);
    hd_free(s.keys);
    hd_free(s.spare_cells);
    hd_free(s.spare_keys);
    return rc;
}

/* The cells that HAVING keeps, as they come. */
static hd_code collect_rows(outer *o, hd_err *err)
{
    if (!o->result && !o->safe->left_out) {
        o->n_rows = o->cells->n_cells;
        return HD_OK;
    }
    HD_TRY(take_rows(o, err));
    for (size_t cell = 0; cell < o->cells->n_cells && !o->result; cell++)
        if (!is_left_out(o->safe, cell))
            o->rows[o->n_rows++] = (uint32_t)cell;
    if (!o->result)
        return HD_OK;
    o->row_of = hd_calloc(o->cells->n_cells, sizeof *o->row_of);
    if (!o->row_of)
        return hd_fail_nomem(err);
    for (size_t n = 0; n < hd_duck_n_rows(o->result); n++) {
        size_t cell = (size_t)hd_duck_value(o->result, n, 0).integer;
        HD_ALWAYS(cell < o->cells->n_cells && !is_left_out(o->safe, cell));
        o->row_of[cell] = (uint32_t)n;
        o->rows[o->n_rows++] = (uint32_t)cell;
    }
    return HD_OK;
}

/* ---- the release ---------------------------------------------------------------------------- */

static const void *data_of(const outer *o, const operand *x)
{
    return x->kind == KEY      ? o->cells->keys[x->at].data
           : x->kind == FIGURE ? o->cells->figures[x->at].data
                               : NULL;
}

/* Whether output i may have the cells' own column: what stands in it may be shown to everybody (the policy shows
 * true counts), all of it is, and no later output reads it. */
static bool may_own(const outer *o, size_t i, const series *s)
{
    bool may = !o->safe->figures && !o->rows && !s->marks && !s->own_data;
    for (size_t later = i + 1; later < o->q->n_outputs; later++)
        may = may && data_of(o, &o->outputs[later]) != s->values.data;
    return may && hd_cells_give(o->cells, s->values.data);
}

static hd_code put_columns(hd_release_builder *b, outer *o, hd_err *err)
{
    const hd_question *q = o->q;
    size_t first = q->offset > 0 ? (size_t)q->offset : 0, n = o->n_rows;
    first = first < n ? first : n;
    n = q->limit >= 0 && (size_t)q->limit < n - first ? (size_t)q->limit : n - first;
    if (first > 0 && !o->rows) {
        HD_TRY(take_rows(o, err));
        for (size_t i = 0; i < o->n_rows; i++)
            o->rows[i] = (uint32_t)i;
    }
    for (size_t i = 0; i < q->n_outputs; i++)
        HD_TRY(hd_release_builder_column(b, q->outputs[i].name, type_of(o, &o->outputs[i]),
                                         q->n_keys > 0 && q->outputs[i].aggregates == 0, err));
    for (size_t i = 0; i < q->n_outputs; i++) {
        series s;
        hd_code rc = make_series(o, &o->outputs[i], &s, err);
        if (rc == HD_OK && n == o->cells->n_cells && may_own(o, i, &s))
            rc = hd_release_builder_own(b, i, &s.values, n, err);
        else if (rc == HD_OK)
            rc = hd_release_builder_take(b, i, &s.values, s.marks, o->rows ? o->rows + first : NULL, n,
                                         err);
        series_free(&s);
        HD_TRY(rc);
    }
    return HD_OK;
}

hd_code hd_outer_evaluate(hd_release **out, hd_duck *duck, const hd_question *q,
                          hd_cells *cells, const hd_safe *safe,
                          const hd_release_origin *origin, hd_err *err)
{
    hd_code rc;
    outer o = {.q = q, .cells = cells, .safe = safe};
    hd_release_origin own = *origin;
    own.has_unknown = has_unknown(&o);
    hd_release_builder *b = hd_release_builder_start(&own);
    *out = NULL;
    if (!b) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(name_operands(&o, err));
    if (o.n_computed > 0 || q->having)
        HD_GO(compute(&o, duck, err));
    HD_GO(collect_rows(&o, err));
    HD_GO(order_rows(&o, err));
    HD_GO(put_columns(b, &o, err));
    HD_GO(hd_release_builder_finish(b, out, err));
out:
    hd_duck_result_free(o.result);
    hd_free(o.outputs);
    hd_free(o.order);
    hd_free(o.texts);
    hd_free(o.row_of);
    hd_free(o.rows);
    hd_release_builder_free(b);
    return rc;
}
