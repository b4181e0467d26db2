/* dense.c - propagation on a whole lattice, by lines and threads; see propagate.h.
 *
 * A line is all codes of one dimension for one choice of the others. Lines of one dimension share no
 * cell, so threads take them freely; a cell that changes marks its lines in the other dimensions as
 * to be looked at again. Dimension after dimension is worked through until nothing is marked.
 *
 * Nearly every line is at rest. That is seen without dividing anything: with L and H the sums of the
 * children's bounds and W the widest child, a rule changes nothing exactly when
 *     parent low >= L,  parent high <= H,  W <= H - parent low,  W <= parent high - L.
 * This test runs over neighbouring lines at once; only lines that fail it are worked on one by one.
 */
#include "disclosure/propagate.h"

#include "base/alloc.h"
#include "base/par.h"

#include <stdatomic.h>
#include <string.h>

enum { BLOCK = 64, TASKS = 128 };

/* An unbounded high counts as 2^40 in 64-bit sums: what is above 2^40 says how many are missing. */
#define MISSING (INT64_C(1) << 40)

typedef struct dense {
    const hd_lattice *l;
    int32_t *low, *high;
    size_t n_dims, dim; /* the dimension at work */
    size_t stride[HD_LATTICE_DIMENSIONS], n_codes[HD_LATTICE_DIMENSIONS];
    size_t n_lines[HD_LATTICE_DIMENSIONS];
    _Atomic uint8_t *dirty[HD_LATTICE_DIMENSIONS]; /* n_lines */
    atomic_bool is_marked[HD_LATTICE_DIMENSIONS];
    atomic_bool is_contradiction;
    atomic_uint_fast64_t n_visits;
} dense;

static void mark(dense *x, size_t cell)
{
    for (size_t d = 0; d < x->n_dims; d++) {
        if (d == x->dim)
            continue;
        /* In 32 bits, which hold every cell: division is what a change costs most. */
        uint32_t stride = (uint32_t)x->stride[d], c = (uint32_t)cell;
        uint32_t line = c / (stride * (uint32_t)x->n_codes[d]) * stride + c % stride;
        atomic_store_explicit(&x->dirty[d][line], 1, memory_order_relaxed);
        atomic_store_explicit(&x->is_marked[d], true, memory_order_relaxed);
    }
}

static int64_t wide(int32_t high)
{
    return high >= HD_DENSE_NO_BOUND ? MISSING : high;
}

/* Narrow a cell; false: nothing changed. */
static bool narrow(dense *x, size_t cell, int64_t low, int64_t high)
{
    bool is_changed = false;
    if (low > x->low[cell]) {
        x->low[cell] = low < HD_DENSE_NO_BOUND ? (int32_t)low : HD_DENSE_NO_BOUND;
        is_changed = true;
    }
    if (high < x->high[cell]) {
        x->high[cell] = high > -1 ? (int32_t)high : -1;
        is_changed = true;
    }
    if (!is_changed)
        return false;
    if (x->low[cell] > x->high[cell])
        atomic_store_explicit(&x->is_contradiction, true, memory_order_relaxed);
    mark(x, cell);
    return true;
}

/* One rule on one line. Once is enough: all bounds come from those before it, and each is reached by
 * some solution of this one sum. */
static bool apply_rule(dense *x, const hd_code_rule *rule, size_t base)
{
    size_t stride = x->stride[x->dim], parent = base + rule->parent * stride;
    int64_t lows = 0, highs = 0, widest = 0;
    bool is_changed = false;
    for (size_t k = 0; k < rule->n_children; k++) {
        size_t c = base + rule->children[k] * stride;
        int64_t high = wide(x->high[c]), width = high - x->low[c];
        lows += x->low[c];
        highs += high;
        widest = width > widest ? width : widest;
    }
    if (highs < MISSING && x->low[parent] >= lows && x->high[parent] <= highs &&
        widest <= highs - x->low[parent] && widest <= x->high[parent] - lows)
        return false;
    is_changed |= narrow(x, parent, lows, highs >= MISSING ? INT64_MAX : highs);
    for (size_t k = 0; k < rule->n_children; k++) {
        size_t c = base + rule->children[k] * stride;
        int64_t others_high = highs - wide(x->high[c]), others_low = lows - x->low[c];
        int64_t low = others_high >= MISSING ? 0 : x->low[parent] - others_high;
        int64_t high =
            x->high[parent] >= HD_DENSE_NO_BOUND ? INT64_MAX : x->high[parent] - others_low;
        is_changed |= narrow(x, c, low, high);
    }
    return is_changed;
}

/* All rules of the dimension on one line until it is at rest. */
static void settle_line(dense *x, const hd_dimension *d, size_t base)
{
    bool again = true;
    while (again && !atomic_load_explicit(&x->is_contradiction, memory_order_relaxed)) {
        again = false;
        for (size_t r = 0; r < d->n_rules; r++)
            again |= apply_rule(x, &d->rules[r], base);
        again = again && d->n_rules > 1;
    }
}

typedef struct sums {
    int32_t low[BLOCK], high[BLOCK], width[BLOCK];
    uint8_t is_moving[BLOCK], is_dirty[BLOCK];
} sums;

/* The test of the file's head for n <= BLOCK neighbouring lines; sums stop at HD_DENSE_NO_BOUND, and
 * a line whose sum stops is worked on to be sure. */
__attribute__((target_clones("avx2", "default"))) static void
test_lines(const int32_t *low, const int32_t *high, const hd_code_rule *rule, size_t stride,
           size_t n, sums *s)
{
    memset(s->low, 0, n * sizeof *s->low);
    memset(s->high, 0, n * sizeof *s->high);
    memset(s->width, 0, n * sizeof *s->width);
    for (size_t k = 0; k < rule->n_children; k++) {
        const int32_t *cl = low + rule->children[k] * stride;
        const int32_t *ch = high + rule->children[k] * stride;
        for (size_t i = 0; i < n; i++) {
            int32_t a = s->low[i] + cl[i], b = s->high[i] + ch[i], w = ch[i] - cl[i];
            s->low[i] = a < HD_DENSE_NO_BOUND ? a : HD_DENSE_NO_BOUND;
            s->high[i] = b < HD_DENSE_NO_BOUND ? b : HD_DENSE_NO_BOUND;
            s->width[i] = w > s->width[i] ? w : s->width[i];
        }
    }
    const int32_t *pl = low + rule->parent * stride, *ph = high + rule->parent * stride;
    for (size_t i = 0; i < n; i++)
        s->is_moving[i] |= (pl[i] < s->low[i]) | (ph[i] > s->high[i]) |
                           (s->width[i] > s->high[i] - pl[i]) |
                           (s->width[i] > ph[i] - s->low[i]) |
                           (s->high[i] >= HD_DENSE_NO_BOUND) | (ph[i] >= HD_DENSE_NO_BOUND);
}

/* n neighbouring lines from cell `base` on; `dirty` says which. */
static void work_block(dense *x, const hd_dimension *d, size_t base, size_t n,
                       _Atomic uint8_t *dirty, sums *s)
{
    bool is_any = false;
    for (size_t i = 0; i < n; i++) {
        s->is_dirty[i] = atomic_load_explicit(&dirty[i], memory_order_relaxed);
        is_any |= s->is_dirty[i];
    }
    if (!is_any)
        return;
    for (size_t i = 0; i < n; i++)
        atomic_store_explicit(&dirty[i], 0, memory_order_relaxed);
    memset(s->is_moving, 0, n);
    for (size_t r = 0; r < d->n_rules; r++)
        test_lines(x->low + base, x->high + base, &d->rules[r], x->stride[x->dim], n, s);
    uint64_t n_visits = 0;
    for (size_t i = 0; i < n; i++) {
        n_visits += s->is_dirty[i];
        if (s->is_dirty[i] && s->is_moving[i])
            settle_line(x, d, base + i);
    }
    atomic_fetch_add_explicit(&x->n_visits, n_visits, memory_order_relaxed);
}

/* One task: a range of the dimension's lines. Neighbours share all but the low digits. */
static hd_code work_lines(void *ctx, size_t task, hd_err *err)
{
    dense *x = ctx;
    sums s; /* of one block; here, because clearing it for every block would cost as much as the work */
    (void)err;
    const hd_dimension *d = hd_lattice_dimension(x->l, x->dim);
    size_t stride = x->stride[x->dim], n_lines = x->n_lines[x->dim];
    size_t from = n_lines * task / TASKS, to = n_lines * (task + 1) / TASKS;
    while (from < to && !atomic_load_explicit(&x->is_contradiction, memory_order_relaxed)) {
        size_t inner = from % stride, n = stride - inner;
        n = n < BLOCK ? n : BLOCK;
        n = n < to - from ? n : to - from;
        work_block(x, d, from / stride * stride * d->n_codes + inner, n, &x->dirty[x->dim][from],
                   &s);
        from += n;
    }
    return HD_OK;
}

static hd_code dense_init(dense *x, const hd_lattice *l, int32_t *low, int32_t *high, hd_err *err)
{
    memset(x, 0, sizeof *x);
    x->l = l;
    x->low = low;
    x->high = high;
    x->n_dims = hd_lattice_n_dims(l);
    for (size_t c = 0; c < hd_lattice_n_cells(l); c++)
        if (low[c] < 0 || high[c] < 0 || low[c] > HD_DENSE_NO_BOUND || high[c] > HD_DENSE_NO_BOUND)
            return hd_fail(err, HD_INVALID, "cell %zu: a bound is out of 0 .. 2^30-1", c);
    for (size_t d = 0; d < x->n_dims; d++) {
        x->stride[d] = hd_lattice_stride(l, d);
        x->n_codes[d] = hd_lattice_dimension(l, d)->n_codes;
        x->n_lines[d] = hd_lattice_n_cells(l) / x->n_codes[d];
        x->dirty[d] = hd_malloc(x->n_lines[d]);
        if (!x->dirty[d])
            return hd_fail_nomem(err);
        memset((void *)x->dirty[d], 1, x->n_lines[d]);
        x->is_marked[d] = hd_lattice_dimension(l, d)->n_rules > 0;
    }
    return HD_OK;
}

hd_code hd_lattice_propagate(const hd_lattice *l, int32_t *low, int32_t *high, hd_propagation *out,
                             hd_err *err)
{
    dense x;
    hd_code rc = HD_OK;
    bool is_marked = true;
    *out = (hd_propagation){.is_consistent = true};
    HD_GO(dense_init(&x, l, low, high, err));
    for (size_t c = 0; c < hd_lattice_n_cells(l); c++)
        if (low[c] > high[c])
            x.is_contradiction = true;
    while (is_marked && !x.is_contradiction) {
        is_marked = false;
        for (x.dim = 0; x.dim < x.n_dims && !x.is_contradiction; x.dim++) {
            if (!x.is_marked[x.dim] || hd_lattice_dimension(l, x.dim)->n_rules == 0)
                continue;
            x.is_marked[x.dim] = false;
            is_marked = true;
            HD_GO(hd_par_run(TASKS, work_lines, &x, err));
        }
    }
    out->is_consistent = !x.is_contradiction;
    out->n_visits = x.n_visits;
out:
    for (size_t d = 0; d < HD_LATTICE_DIMENSIONS; d++)
        hd_free((void *)x.dirty[d]);
    return rc;
}
