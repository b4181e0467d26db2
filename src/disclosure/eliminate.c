/* eliminate.c - what is fixed by sums and differences alone; see eliminate.h.
 *
 * The frame solves the sums with pivots of size 1: exact in whole numbers, and nearly all of the
 * work. Equations that offer no such pivot are few; they are reduced over the prime field. A cell is
 * fixed when nothing is left of its expression.
 */
#include "disclosure/eliminate.h"

#include "base/alloc.h"
#include "disclosure/field.h"
#include "disclosure/frame.h"

#include <stdlib.h>
#include <string.h>

/* Rows of a dense matrix over the field. */
typedef struct matrix {
    size_t n_rows, n_columns;
    uint64_t *at;
} matrix;

static inline uint64_t *row_of(const matrix *m, size_t row)
{
    return m->at + row * m->n_columns;
}

/* row -= factor * other, from a column on. */
static void take_off(const matrix *m, size_t row, size_t other, uint64_t factor, size_t from)
{
    uint64_t *x = row_of(m, row), *y = row_of(m, other);
    for (size_t k = from; k < m->n_columns; k++)
        if (y[k])
            x[k] = hd_field_sub(x[k], hd_field_mul(factor, y[k]));
}

/* Echelon form over the columns before `until`; rank. pivot[k]: the column of row k. */
static size_t reduce_rows(const matrix *m, size_t until, size_t *pivot)
{
    size_t rank = 0;
    for (size_t column = 0; column < until && rank < m->n_rows; column++) {
        size_t found = rank;
        while (found < m->n_rows && row_of(m, found)[column] == 0)
            found++;
        if (found == m->n_rows)
            continue;
        for (size_t k = 0; k < m->n_columns && found != rank; k++) {
            uint64_t t = row_of(m, found)[k];
            row_of(m, found)[k] = row_of(m, rank)[k];
            row_of(m, rank)[k] = t;
        }
        uint64_t scale = hd_field_inverse(row_of(m, rank)[column]);
        for (size_t k = 0; k < m->n_columns; k++)
            row_of(m, rank)[k] = hd_field_mul(row_of(m, rank)[k], scale);
        for (size_t r = 0; r < m->n_rows; r++)
            if (r != rank && row_of(m, r)[column])
                take_off(m, r, rank, row_of(m, r)[column], 0);
        pivot[rank++] = column;
    }
    return rank;
}

/* The equations that the frame could not solve, reduced. Columns are the free cells in them. */
typedef struct remainder {
    matrix m;
    size_t *pivot;
    size_t rank;
    uint32_t *column; /* n_free: column + 1, or 0 */
    uint64_t *work;   /* a row */
} remainder;

static void remainder_free(remainder *x)
{
    hd_free(x->m.at);
    hd_free(x->pivot);
    hd_free(x->column);
    hd_free(x->work);
}

static hd_code remainder_new(remainder *x, const hd_frame *f, hd_err *err)
{
    size_t n = f->n_rows - f->n_cell_rows, n_columns = 0;
    memset(x, 0, sizeof *x);
    x->column = hd_calloc(f->n_free + 1, sizeof *x->column);
    x->pivot = hd_calloc(n + 1, sizeof *x->pivot);
    if (!x->column || !x->pivot)
        return hd_fail_nomem(err);
    for (size_t r = f->n_cell_rows; r < f->n_rows; r++)
        for (size_t i = f->row_start[r]; i < f->row_start[r + 1]; i++)
            if (!x->column[f->row_term[i].index])
                x->column[f->row_term[i].index] = (uint32_t)++n_columns;
    if (n * n_columns > (size_t)1 << 28)
        return hd_fail(err, HD_LIMIT, "the sums of the table are too entangled to solve");
    x->m = (matrix){n, n_columns, hd_calloc(n * n_columns + 1, sizeof(uint64_t))};
    x->work = hd_calloc(n_columns + 1, sizeof *x->work);
    if (!x->m.at || !x->work)
        return hd_fail_nomem(err);
    for (size_t r = f->n_cell_rows; r < f->n_rows; r++)
        for (size_t i = f->row_start[r]; i < f->row_start[r + 1]; i++)
            row_of(&x->m, r - f->n_cell_rows)[x->column[f->row_term[i].index] - 1] =
                hd_field_of(f->row_term[i].coefficient);
    x->rank = reduce_rows(&x->m, n_columns, x->pivot);
    return HD_OK;
}

/* Does nothing remain of this expression after the remaining equations? */
static bool vanishes(remainder *x, const hd_term *terms, size_t n)
{
    if (n == 0)
        return true;
    for (size_t i = 0; i < n; i++)
        if (!x->column[terms[i].index])
            return false;
    memset(x->work, 0, x->m.n_columns * sizeof *x->work);
    for (size_t i = 0; i < n; i++)
        x->work[x->column[terms[i].index] - 1] = hd_field_of(terms[i].coefficient);
    for (size_t k = 0; k < x->rank; k++) {
        uint64_t factor = x->work[x->pivot[k]];
        for (size_t c = 0; factor && c < x->m.n_columns; c++)
            x->work[c] = hd_field_sub(x->work[c], hd_field_mul(factor, row_of(&x->m, k)[c]));
    }
    for (size_t c = 0; c < x->m.n_columns; c++)
        if (x->work[c])
            return false;
    return true;
}

/* A copy in which exactly the known cells are constants, all of them 0: only the shape matters. */
static hd_code shape_of(hd_system *out, const hd_system *s, const bool *is_known, hd_err *err)
{
    HD_TRY(hd_system_copy(out, s, err));
    for (size_t c = 0; c < s->n_cells; c++) {
        out->low[c] = 0;
        out->high[c] = is_known[c] ? 0 : 1;
    }
    return HD_OK;
}

hd_code hd_eliminate(const hd_system *s, const bool *is_known, bool *is_fixed, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_system shape;
    hd_frame f = {0};
    remainder x = {0};
    HD_TRY(shape_of(&shape, s, is_known, err));
    HD_GO(hd_frame_new(&f, &shape, NULL, 64 * s->n_cells + (size_t)50000000, err));
    HD_GO(remainder_new(&x, &f, err));
    for (size_t c = 0; c < s->n_cells; c++) {
        uint32_t place = f.place[c];
        hd_term self = {place, 1};
        is_fixed[c] = false;
        if (f.kind[c] == HD_FRAME_ROW)
            is_fixed[c] = vanishes(&x, f.row_term + f.row_start[place],
                                   f.row_start[place + 1] - f.row_start[place]);
        else if (f.kind[c] == HD_FRAME_FREE)
            is_fixed[c] = vanishes(&x, &self, 1);
    }
out:
    remainder_free(&x);
    hd_frame_free(&f);
    hd_system_free(&shape);
    return rc;
}

/* ---- naming a combination ---- */

enum { NAMED_RULES = 500, NAMED_CELLS = 4000 };

/* The rules around a cell that are reached through unknown cells. */
typedef struct region {
    const hd_system *s;
    const bool *is_known;
    size_t n_rules, n_cells;
    uint32_t *rules, *cells; /* cells: unknown ones, the cell in question first */
    bool *has_rule;          /* s->n_rules */
    uint32_t *column;        /* s->n_cells: place in cells + 1 */
} region;

static void region_free(region *g)
{
    hd_free(g->rules);
    hd_free(g->cells);
    hd_free(g->has_rule);
    hd_free(g->column);
}

static hd_code region_new(region *g, const hd_system *s, const bool *is_known, uint32_t cell,
                          hd_err *err)
{
    *g = (region){.s = s, .is_known = is_known};
    g->rules = hd_calloc(s->n_rules + 1, sizeof *g->rules);
    g->cells = hd_calloc(s->n_cells + 1, sizeof *g->cells);
    g->has_rule = hd_calloc(s->n_rules + 1, sizeof *g->has_rule);
    g->column = hd_calloc(s->n_cells + 1, sizeof *g->column);
    if (!g->rules || !g->cells || !g->has_rule || !g->column)
        return hd_fail_nomem(err);
    g->cells[g->n_cells++] = cell;
    g->column[cell] = 1;
    return HD_OK;
}

static void region_cell(region *g, uint32_t cell)
{
    if (g->is_known[cell] || g->column[cell])
        return;
    g->cells[g->n_cells++] = cell;
    g->column[cell] = (uint32_t)g->n_cells;
}

/* One ring more; false when there is nothing more, or it would be too much. */
static bool region_grow(region *g)
{
    const hd_system *s = g->s;
    size_t n_cells = g->n_cells, n_rules = g->n_rules;
    for (size_t r = 0; r < s->n_rules; r++) {
        bool touches = g->column[s->parent[r]] && g->column[s->parent[r]] <= n_cells;
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            touches |= g->column[s->child[i]] && g->column[s->child[i]] <= n_cells;
        if (!touches || g->has_rule[r])
            continue;
        g->has_rule[r] = true;
        g->rules[g->n_rules++] = (uint32_t)r;
        region_cell(g, s->parent[r]);
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            region_cell(g, s->child[i]);
    }
    return g->n_rules > n_rules && g->n_rules <= NAMED_RULES && g->n_cells <= NAMED_CELLS;
}

/* Multipliers of the region's rules that leave the cell alone; y has n_rules entries. */
static hd_code solve_region(const region *g, uint64_t *y, bool *is_found, hd_err *err)
{
    const hd_system *s = g->s;
    /* Columns: the unknown cells but the one in question, then that one, then the multipliers. */
    size_t n = g->n_rules, last = g->n_cells - 1;
    matrix m = {n, g->n_cells + n, hd_calloc(n * (g->n_cells + n) + 1, sizeof(uint64_t))};
    size_t *pivot = hd_calloc(n + 1, sizeof *pivot);
    if (!m.at || !pivot) {
        hd_free(m.at);
        hd_free(pivot);
        return hd_fail_nomem(err);
    }
    for (size_t k = 0; k < n; k++) {
        uint32_t r = g->rules[k];
        uint64_t *row = row_of(&m, k);
        row[g->n_cells + k] = 1;
        if (g->column[s->parent[r]])
            row[g->column[s->parent[r]] == 1 ? last : g->column[s->parent[r]] - 2] = HD_PRIME - 1;
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            if (g->column[s->child[i]])
                row[g->column[s->child[i]] == 1 ? last : g->column[s->child[i]] - 2] = 1;
    }
    size_t rank = reduce_rows(&m, last, pivot);
    *is_found = false;
    for (size_t k = rank; k < n && !*is_found; k++) {
        if (row_of(&m, k)[last] == 0)
            continue;
        uint64_t scale = hd_field_inverse(row_of(&m, k)[last]);
        for (size_t i = 0; i < n; i++)
            y[i] = hd_field_mul(scale, row_of(&m, k)[g->n_cells + i]);
        *is_found = true;
    }
    hd_free(m.at);
    hd_free(pivot);
    return HD_OK;
}

/* x as numerator / denominator of at most 2^20 in size, by the Euclidean algorithm. */
static bool as_fraction(uint64_t x, int64_t *numerator, int64_t *denominator)
{
    int64_t r0 = (int64_t)HD_PRIME, r1 = (int64_t)x, t0 = 0, t1 = 1;
    while (r1 >= INT64_C(1) << 20) {
        int64_t q = r0 / r1, t = r0 - q * r1;
        r0 = r1;
        r1 = t;
        t = t0 - q * t1;
        t0 = t1;
        t1 = t;
        if (t1 > INT64_C(1) << 40 || t1 < -(INT64_C(1) << 40))
            return false;
    }
    if (t1 == 0 || t1 > INT64_C(1) << 20 || t1 < -(INT64_C(1) << 20))
        return false;
    *numerator = t1 > 0 ? r1 : -r1;
    *denominator = t1 > 0 ? t1 : -t1;
    return true;
}

static int64_t common(int64_t a, int64_t b)
{
    while (b) {
        int64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

/* The cell is minus the sum, over the known cells, of what the multiplied rules hold of them. */
static hd_code write_down(const region *g, const uint64_t *y, hd_combination *out, hd_err *err)
{
    const hd_system *s = g->s;
    hd_code rc = HD_OK;
    uint64_t *sum = hd_calloc(s->n_cells + 1, sizeof *sum);
    out->cell = hd_calloc(s->n_cells + 1, sizeof *out->cell);
    out->numerator = hd_calloc(s->n_cells + 1, sizeof *out->numerator);
    int64_t *denominator = hd_calloc(s->n_cells + 1, sizeof *denominator);
    if (!sum || !out->cell || !out->numerator || !denominator) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t k = 0; k < g->n_rules; k++) {
        uint32_t r = g->rules[k];
        uint64_t *p = &sum[s->parent[r]];
        *p = hd_field_sub(*p, hd_field_sub(0, y[k])); /* + y */
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            sum[s->child[i]] = hd_field_sub(sum[s->child[i]], y[k]);
    }
    out->denominator = 1;
    for (uint32_t c = 0; c < s->n_cells; c++) {
        if (!g->is_known[c] || sum[c] == 0)
            continue;
        if (!as_fraction(sum[c], &out->numerator[out->n_terms], &denominator[out->n_terms])) {
            rc = hd_fail(err, HD_LIMIT, "the combination has coefficients too large to print");
            goto out;
        }
        out->cell[out->n_terms] = c;
        int64_t d = denominator[out->n_terms++];
        out->denominator = out->denominator / common(out->denominator, d) * d;
        if (out->denominator > INT64_C(1) << 40) {
            rc = hd_fail(err, HD_LIMIT, "the combination has coefficients too large to print");
            goto out;
        }
    }
    for (size_t i = 0; i < out->n_terms; i++)
        out->numerator[i] *= out->denominator / denominator[i];
out:
    hd_free(sum);
    hd_free(denominator);
    if (rc != HD_OK)
        hd_combination_free(out);
    return rc;
}

hd_code hd_eliminate_name(const hd_system *s, const bool *is_known, uint32_t cell,
                          hd_combination *out, hd_err *err)
{
    hd_code rc = HD_OK;
    region g;
    uint64_t *y = NULL;
    bool is_found = false;
    memset(out, 0, sizeof *out);
    HD_ALWAYS(cell < s->n_cells && !is_known[cell]);
    HD_GO(region_new(&g, s, is_known, cell, err));
    y = hd_calloc(s->n_rules + 1, sizeof *y);
    if (!y) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    while (!is_found && region_grow(&g))
        HD_GO(solve_region(&g, y, &is_found, err));
    if (is_found)
        rc = write_down(&g, y, out, err);
    else if (g.n_rules > NAMED_RULES || g.n_cells > NAMED_CELLS)
        rc = hd_fail(err, HD_LIMIT, "the combination reaches too far to be named");
    else
        rc = hd_fail(err, HD_NOTFOUND, "no combination of known cells gives cell %u", cell);
out:
    hd_free(y);
    region_free(&g);
    return rc;
}

void hd_combination_free(hd_combination *c)
{
    hd_free(c->cell);
    hd_free(c->numerator);
    memset(c, 0, sizeof *c);
}
