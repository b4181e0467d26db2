/* frame.c - solving the sums for as few cells as possible; see frame.h.
 *
 * Two steps. First every unknown parent becomes the sum of its parts, bottom up, so that only cells
 * that are no sums remain. Then what the known parents say about them (and second ways to the same
 * parent) is solved equation by equation, short ones first, each for one cell of coefficient 1.
 * In a table whose figures are all rounded the second step has nothing to do.
 */
#include "disclosure/frame.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define COEFFICIENT_LIMIT (1 << 20)

/* An expression: constant + terms over cells, sorted by cell. */
typedef struct expression {
    int64_t constant;
    size_t n;
    hd_term *terms;
} expression;

/* A sum under construction: dense coefficients, and which cells were touched. */
typedef struct scratch {
    int64_t *coefficient;
    bool *is_touched;
    uint32_t *touched;
    size_t n_touched;
    int64_t constant;
} scratch;

typedef struct builder {
    const hd_system *s;
    const bool *is_open; /* n_cells or NULL: no constant although its bounds say so */
    expression *of;      /* n_cells: expression of a solved cell (terms NULL otherwise) */
    bool *is_solved;     /* n_cells: a row, not free */
    uint32_t *rank;      /* n_cells: when it was solved for in the second step; NONE: not */
    uint32_t *by_rank;
    size_t n_ranks;
    expression *left;    /* equations without a pivot of size 1 */
    size_t n_left, left_cap;
    uint32_t *first_rule; /* n_cells: the rule that defines an unknown parent, or NONE */
    uint32_t *uses;       /* n_cells: in how many equations a cell occurs */
    scratch sum;
    size_t n_terms, max_terms;
} builder;

static bool is_constant(const builder *b, uint32_t cell)
{
    return b->s->low[cell] == b->s->high[cell] && !(b->is_open && b->is_open[cell]);
}

static void touch(scratch *x, uint32_t cell, int64_t coefficient)
{
    if (!x->is_touched[cell]) {
        x->is_touched[cell] = true;
        x->touched[x->n_touched++] = cell;
    }
    x->coefficient[cell] += coefficient;
}

static void add_cell(builder *b, uint32_t cell, int64_t factor)
{
    if (is_constant(b, cell))
        b->sum.constant += factor * b->s->low[cell];
    else if (b->is_solved[cell] && b->rank[cell] == NONE) {
        const expression *e = &b->of[cell];
        b->sum.constant += factor * e->constant;
        for (size_t i = 0; i < e->n; i++)
            touch(&b->sum, e->terms[i].index, factor * e->terms[i].coefficient);
    } else
        touch(&b->sum, cell, factor);
}

static int by_index(const void *a, const void *b)
{
    uint32_t x = ((const hd_term *)a)->index, y = ((const hd_term *)b)->index;
    return (x > y) - (x < y);
}

static void scratch_clear(scratch *x)
{
    for (size_t i = 0; i < x->n_touched; i++) {
        x->coefficient[x->touched[i]] = 0;
        x->is_touched[x->touched[i]] = false;
    }
    x->n_touched = 0;
    x->constant = 0;
}

/* Move the scratch sum into an expression. */
static hd_code scratch_take(builder *b, expression *out, hd_err *err)
{
    scratch *x = &b->sum;
    size_t n = 0;
    for (size_t i = 0; i < x->n_touched; i++)
        n += x->coefficient[x->touched[i]] != 0;
    b->n_terms += n;
    if (b->n_terms > b->max_terms)
        return hd_fail(err, HD_LIMIT, "the sums of the table are too entangled to solve");
    *out = (expression){x->constant, n, hd_malloc(n * sizeof *out->terms + 1)};
    if (!out->terms)
        return hd_fail_nomem(err);
    n = 0;
    for (size_t i = 0; i < x->n_touched; i++) {
        int64_t c = x->coefficient[x->touched[i]];
        if (c > COEFFICIENT_LIMIT || c < -COEFFICIENT_LIMIT)
            return hd_fail(err, HD_LIMIT, "the sums of the table are too entangled to solve");
        if (c)
            out->terms[n++] = (hd_term){x->touched[i], (int32_t)c};
    }
    qsort(out->terms, n, sizeof *out->terms, by_index);
    scratch_clear(x);
    return HD_OK;
}

/* Step one. Depth first over the rules that define unknown parents; a parent met again while it is
 * being worked on (sums in a circle) stays free, and its rule becomes an equation. */
typedef struct visit {
    uint32_t cell;
    size_t next;
} visit;

static hd_code expand_from(builder *b, uint32_t root, uint8_t *state, visit *stack, hd_err *err)
{
    const hd_system *s = b->s;
    size_t depth = 0;
    stack[depth++] = (visit){root, s->start[b->first_rule[root]]};
    state[root] = 1;
    while (depth) {
        visit *v = &stack[depth - 1];
        uint32_t rule = b->first_rule[v->cell];
        if (rule != NONE && v->next < s->start[rule + 1]) {
            uint32_t c = s->child[v->next++];
            if (state[c] == 1)
                b->first_rule[c] = NONE; /* a circle: c stays free */
            else if (state[c] == 0 && b->first_rule[c] != NONE) {
                state[c] = 1;
                stack[depth++] = (visit){c, s->start[b->first_rule[c]]};
            }
            continue;
        }
        depth--;
        state[v->cell] = 2;
        if (rule == NONE)
            continue;
        for (size_t i = s->start[rule]; i < s->start[rule + 1]; i++)
            add_cell(b, s->child[i], 1);
        HD_TRY(scratch_take(b, &b->of[v->cell], err));
        b->is_solved[v->cell] = true;
    }
    return HD_OK;
}

static hd_code expand_parents(builder *b, hd_err *err)
{
    const hd_system *s = b->s;
    hd_code rc = HD_OK;
    uint8_t *state = hd_calloc(s->n_cells + 1, sizeof *state);
    visit *stack = hd_malloc((s->n_cells + 1) * sizeof *stack);
    if (!state || !stack) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t r = 0; r < s->n_rules; r++)
        if (!is_constant(b, s->parent[r]) && b->first_rule[s->parent[r]] == NONE)
            b->first_rule[s->parent[r]] = (uint32_t)r;
    for (size_t r = 0; r < s->n_rules; r++)
        if (b->first_rule[s->parent[r]] == r && state[s->parent[r]] == 0)
            HD_GO(expand_from(b, s->parent[r], state, stack, err));
out:
    hd_free(state);
    hd_free(stack);
    return rc;
}

/* Replace what the second step solved for already, in the order of solving: the expression of rank
 * k has only cells that were free then, so later ranks may appear and are replaced in their turn. */
static void reduce(builder *b, uint32_t *heap)
{
    scratch *x = &b->sum;
    size_t n = 0;
    for (size_t i = 0; i < x->n_touched; i++)
        if (b->rank[x->touched[i]] != NONE)
            heap[n++] = b->rank[x->touched[i]];
    /* A small sorted set of pending ranks would do; a binary heap keeps long equations cheap. */
    for (size_t i = n / 2; i-- > 0;)
        for (size_t k = i, c; (c = 2 * k + 1) < n; k = c) {
            c += c + 1 < n && heap[c + 1] < heap[c];
            if (heap[k] <= heap[c])
                break;
            uint32_t t = heap[k];
            heap[k] = heap[c];
            heap[c] = t;
        }
    while (n) {
        uint32_t rank = heap[0];
        heap[0] = heap[--n];
        for (size_t k = 0, c; (c = 2 * k + 1) < n; k = c) {
            c += c + 1 < n && heap[c + 1] < heap[c];
            if (heap[k] <= heap[c])
                break;
            uint32_t t = heap[k];
            heap[k] = heap[c];
            heap[c] = t;
        }
        uint32_t cell = b->by_rank[rank];
        int64_t factor = x->coefficient[cell];
        x->coefficient[cell] = 0;
        if (factor == 0)
            continue;
        const expression *e = &b->of[cell];
        x->constant += factor * e->constant;
        for (size_t i = 0; i < e->n; i++) {
            uint32_t c = e->terms[i].index;
            bool is_new = !x->is_touched[c] && b->rank[c] != NONE;
            touch(x, c, factor * e->terms[i].coefficient);
            if (!is_new)
                continue;
            size_t k = n++;
            heap[k] = b->rank[c];
            while (k && heap[(k - 1) / 2] > heap[k]) {
                uint32_t t = heap[k];
                heap[k] = heap[(k - 1) / 2];
                heap[(k - 1) / 2] = t;
                k = (k - 1) / 2;
            }
        }
    }
}

/* Solve scratch = 0 for the cell of coefficient 1 that occurs in the fewest equations. */
static hd_code solve_scratch(builder *b, hd_err *err)
{
    scratch *x = &b->sum;
    uint32_t pivot = NONE;
    size_t n = 0;
    for (size_t i = 0; i < x->n_touched; i++) {
        uint32_t c = x->touched[i];
        int64_t k = x->coefficient[c];
        n += k != 0;
        if ((k == 1 || k == -1) &&
            (pivot == NONE || b->uses[c] < b->uses[pivot] ||
             (b->uses[c] == b->uses[pivot] && c < pivot)))
            pivot = c;
    }
    if (n == 0) {
        bool fails = x->constant != 0;
        scratch_clear(x);
        return fails ? hd_fail(err, HD_INVALID, "the known figures do not add up") : HD_OK;
    }
    if (pivot == NONE) {
        if (!HD_GROW(b->left, b->n_left, b->left_cap))
            return hd_fail_nomem(err);
        b->left[b->n_left] = (expression){0};
        b->n_left++;
        return scratch_take(b, &b->left[b->n_left - 1], err);
    }
    int64_t sign = x->coefficient[pivot];
    x->coefficient[pivot] = 0;
    x->constant *= -sign;
    for (size_t i = 0; i < x->n_touched; i++)
        x->coefficient[x->touched[i]] *= -sign;
    HD_TRY(scratch_take(b, &b->of[pivot], err));
    b->is_solved[pivot] = true;
    b->rank[pivot] = (uint32_t)b->n_ranks;
    b->by_rank[b->n_ranks++] = pivot;
    return HD_OK;
}

typedef struct equation {
    uint32_t rule;
    uint32_t length;
} equation;

static int shorter(const void *a, const void *b)
{
    const equation *x = a, *y = b;
    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return (x->rule > y->rule) - (x->rule < y->rule);
}

static void load_rule(builder *b, size_t rule)
{
    const hd_system *s = b->s;
    for (size_t i = s->start[rule]; i < s->start[rule + 1]; i++)
        add_cell(b, s->child[i], 1);
    add_cell(b, s->parent[rule], -1);
}

/* Step two: the rules that did not define a parent. Their lengths and the cells' uses are taken
 * once, before anything is solved. */
static hd_code solve_equations(builder *b, hd_err *err)
{
    const hd_system *s = b->s;
    hd_code rc = HD_OK;
    size_t n = 0;
    equation *list = hd_malloc((s->n_rules + 1) * sizeof *list);
    uint32_t *heap = hd_malloc((s->n_cells + 1) * sizeof *heap);
    if (!list || !heap) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t r = 0; r < s->n_rules; r++) {
        if (b->first_rule[s->parent[r]] == r)
            continue;
        load_rule(b, r);
        uint32_t length = 0;
        for (size_t i = 0; i < b->sum.n_touched; i++)
            if (b->sum.coefficient[b->sum.touched[i]]) {
                length++;
                b->uses[b->sum.touched[i]]++;
            }
        bool fails = length == 0 && b->sum.constant != 0;
        scratch_clear(&b->sum);
        if (fails) {
            rc = hd_fail(err, HD_INVALID, "the known figures do not add up");
            goto out;
        }
        if (length)
            list[n++] = (equation){(uint32_t)r, length};
    }
    qsort(list, n, sizeof *list, shorter);
    for (size_t i = 0; i < n; i++) {
        load_rule(b, list[i].rule);
        reduce(b, heap);
        HD_GO(solve_scratch(b, err));
    }
    /* Backwards, so that each solved cell is over free cells only. */
    for (size_t k = b->n_ranks; k-- > 0;) {
        expression *e = &b->of[b->by_rank[k]];
        b->sum.constant = e->constant;
        for (size_t i = 0; i < e->n; i++)
            touch(&b->sum, e->terms[i].index, e->terms[i].coefficient);
        reduce(b, heap);
        hd_free(e->terms);
        e->terms = NULL;
        HD_GO(scratch_take(b, e, err));
    }
    for (size_t i = 0; i < s->n_cells + b->n_left && b->n_ranks; i++) {
        bool is_left = i >= s->n_cells;
        if (!is_left && (!b->is_solved[i] || b->rank[i] != NONE))
            continue;
        expression *e = is_left ? &b->left[i - s->n_cells] : &b->of[i];
        b->sum.constant = e->constant;
        for (size_t k = 0; k < e->n; k++)
            touch(&b->sum, e->terms[k].index, e->terms[k].coefficient);
        reduce(b, heap);
        hd_free(e->terms);
        e->terms = NULL;
        HD_GO(scratch_take(b, e, err));
    }
out:
    hd_free(list);
    hd_free(heap);
    return rc;
}

/* The terms once more by free cell; free_start[v + 2] is how many cell v has. */
static hd_code lay_out_by_free_cell(hd_frame *f, hd_err *err)
{
    for (size_t v = 0; v < f->n_free; v++)
        f->free_start[v + 2] = f->free_start[v + 1] + (f->free_start[v + 2] + HD_FRAME_LANES - 1) /
                                                          HD_FRAME_LANES * HD_FRAME_LANES;
    size_t n = f->free_start[f->n_free + 1];
    f->free_row = hd_malloc((n + 1) * sizeof *f->free_row);
    f->free_coefficient = hd_calloc(n + 1, sizeof *f->free_coefficient);
    if (!f->free_row || !f->free_coefficient)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        f->free_row[i] = (uint32_t)f->n_rows;
    for (size_t r = 0; r < f->n_rows; r++)
        for (size_t i = f->row_start[r]; i < f->row_start[r + 1]; i++) {
            size_t to = f->free_start[f->row_term[i].index + 1]++;
            f->free_row[to] = (uint32_t)r;
            f->free_coefficient[to] = f->row_term[i].coefficient;
        }
    for (size_t v = 0; v < f->n_free; v++) /* from where the list ends to where the next begins */
        f->free_start[v + 1] = (f->free_start[v + 1] + HD_FRAME_LANES - 1) / HD_FRAME_LANES *
                               HD_FRAME_LANES;
    return HD_OK;
}

/* The finished frame: rows by row, then the same terms by free cell. */
static hd_code lay_out(hd_frame *f, const builder *b, hd_err *err)
{
    const hd_system *s = b->s;
    size_t n = s->n_cells, n_terms = 0, at = 0;
    f->n_cells = n;
    f->kind = hd_calloc(n + 1, sizeof *f->kind);
    f->place = hd_calloc(n + 1, sizeof *f->place);
    f->free_cell = hd_calloc(n + 1, sizeof *f->free_cell);
    f->row_cell = hd_calloc(n + 1, sizeof *f->row_cell);
    if (!f->kind || !f->place || !f->free_cell || !f->row_cell)
        return hd_fail_nomem(err);
    for (size_t c = 0; c < n; c++) {
        if (is_constant(b, (uint32_t)c))
            continue;
        f->kind[c] = b->is_solved[c] ? HD_FRAME_ROW : HD_FRAME_FREE;
        f->place[c] = (uint32_t)(b->is_solved[c] ? f->n_cell_rows : f->n_free);
        if (b->is_solved[c]) {
            f->row_cell[f->n_cell_rows++] = (uint32_t)c;
            n_terms += b->of[c].n;
        } else
            f->free_cell[f->n_free++] = (uint32_t)c;
    }
    for (size_t i = 0; i < b->n_left; i++)
        n_terms += b->left[i].n;
    f->n_rows = f->n_cell_rows + b->n_left;
    f->constant = hd_calloc(f->n_rows + 1, sizeof *f->constant);
    f->row_start = hd_calloc(f->n_rows + 1, sizeof *f->row_start);
    f->row_term = hd_calloc(n_terms + 1, sizeof *f->row_term);
    f->free_start = hd_calloc(f->n_free + 2, sizeof *f->free_start);
    if (!f->constant || !f->row_start || !f->row_term || !f->free_start)
        return hd_fail_nomem(err);
    for (size_t r = 0; r < f->n_rows; r++) {
        const expression *e =
            r < f->n_cell_rows ? &b->of[f->row_cell[r]] : &b->left[r - f->n_cell_rows];
        f->constant[r] = e->constant;
        for (size_t i = 0; i < e->n; i++) {
            uint32_t v = f->place[e->terms[i].index];
            uint32_t size = (uint32_t)abs(e->terms[i].coefficient);
            f->largest = size > f->largest ? size : f->largest;
            f->row_term[at++] = (hd_term){v, e->terms[i].coefficient};
            f->free_start[v + 2]++;
        }
        f->row_start[r + 1] = at;
    }
    return lay_out_by_free_cell(f, err);
}

static void builder_free(builder *b)
{
    if (b->of)
        for (size_t c = 0; c < b->s->n_cells; c++)
            hd_free(b->of[c].terms);
    for (size_t i = 0; i < b->n_left; i++)
        hd_free(b->left[i].terms);
    hd_free(b->left);
    hd_free(b->of);
    hd_free(b->is_solved);
    hd_free(b->rank);
    hd_free(b->by_rank);
    hd_free(b->first_rule);
    hd_free(b->uses);
    hd_free(b->sum.coefficient);
    hd_free(b->sum.is_touched);
    hd_free(b->sum.touched);
}

hd_code hd_frame_new(hd_frame *f, const hd_system *s, const bool *is_open, size_t max_terms,
                     hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = s->n_cells + 1;
    builder b = {.s = s, .is_open = is_open, .max_terms = max_terms};
    memset(f, 0, sizeof *f);
    b.of = hd_calloc(n, sizeof *b.of);
    b.is_solved = hd_calloc(n, sizeof *b.is_solved);
    b.rank = hd_malloc(n * sizeof *b.rank);
    b.by_rank = hd_malloc(n * sizeof *b.by_rank);
    b.first_rule = hd_malloc(n * sizeof *b.first_rule);
    b.uses = hd_calloc(n, sizeof *b.uses);
    b.sum.coefficient = hd_calloc(n, sizeof *b.sum.coefficient);
    b.sum.is_touched = hd_calloc(n, sizeof *b.sum.is_touched);
    b.sum.touched = hd_malloc(n * sizeof *b.sum.touched);
    if (!b.of || !b.is_solved || !b.rank || !b.by_rank || !b.first_rule || !b.uses ||
        !b.sum.coefficient || !b.sum.is_touched || !b.sum.touched) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    memset(b.rank, 0xff, n * sizeof *b.rank);
    memset(b.first_rule, 0xff, n * sizeof *b.first_rule);
    HD_GO(expand_parents(&b, err));
    HD_GO(solve_equations(&b, err));
    HD_GO(lay_out(f, &b, err));
out:
    builder_free(&b);
    if (rc != HD_OK)
        hd_frame_free(f);
    return rc;
}

void hd_frame_free(hd_frame *f)
{
    hd_free(f->kind);
    hd_free(f->place);
    hd_free(f->free_cell);
    hd_free(f->row_cell);
    hd_free(f->constant);
    hd_free(f->row_start);
    hd_free(f->row_term);
    hd_free(f->free_start);
    hd_free(f->free_row);
    hd_free(f->free_coefficient);
    memset(f, 0, sizeof *f);
}
