/* dense.c - propagation on a whole lattice, by lines and threads; see propagate.h.
 *
 * A line is all codes of one dimension for one choice of the others. Lines of one dimension share
 * no cell, so threads take them freely; a cell that changes marks its lines in the other dimensions
 * as to be looked at again. Dimension after dimension is worked through until nothing is marked.
 *
 * Nearly every line is at rest. That is seen without looking at each cell twice: with L and H the
 * sums of the children's bounds and W the widest child, a rule changes nothing exactly when
 *     parent low >= L,  parent high <= H,  W <= H - parent low,  W <= parent high - L.
 * Test and rule run over neighbouring lines at once, in 32 bits (vectors); a line with a figure
 * without bound, or with sums that pass 2^30, is worked on alone, in 64 bits. In the last dimension
 * it is the cells of one line that are neighbours.
 */
#include "disclosure/propagate.h"

#include "base/alloc.h"
#include "base/par.h"
#include "base/vectors.h"

#include <stdatomic.h>
#include <string.h>

enum {
    BLOCK = 1024, /* cells at once: pieces long enough for reading ahead, sums in a near cache */
    PIECE = 64,  /* of a block */
    TASKS = 256,
    FEW = 2, /* lines of a piece that are rather worked on one by one */
};

/* An unbounded high counts as 2^40 in 64-bit sums: what is above 2^40 says how many are missing. */
#define MISSING (INT64_C(1) << 40)

typedef struct dense {
    const hd_lattice *l;
    int32_t *low, *high;
    size_t n_dims, dim; /* the dimension at work */
    size_t stride[HD_LATTICE_DIMENSIONS], n_codes[HD_LATTICE_DIMENSIONS];
    size_t n_lines[HD_LATTICE_DIMENSIONS];
    uint8_t *dirty[HD_LATTICE_DIMENSIONS]; /* n_lines; other dimensions': by all threads */
    bool *is_run; /* by rule of the last dimension: its children are neighbours, in order */
    atomic_bool is_marked[HD_LATTICE_DIMENSIONS];
    atomic_bool is_contradiction;
    atomic_uint_fast64_t n_visits;
} dense;

static inline void set(uint8_t *flag)
{
    __atomic_store_n(flag, 1, __ATOMIC_RELAXED);
}

/* The line of a cell. In 32 bits, which hold every cell: division is what a change costs most. */
static uint8_t *line_of(const dense *x, size_t d, size_t cell)
{
    uint32_t stride = (uint32_t)x->stride[d], c = (uint32_t)cell;
    return &x->dirty[d][c / (stride * (uint32_t)x->n_codes[d]) * stride + c % stride];
}

static void mark(dense *x, size_t cell)
{
    for (size_t d = 0; d < x->n_dims; d++) {
        if (d == x->dim)
            continue;
        set(line_of(x, d, cell));
        atomic_store_explicit(&x->is_marked[d], true, memory_order_relaxed);
    }
}

/* The same for those of n neighbouring cells, all in one line of the last dimension, that changed:
 * they lie in neighbouring lines of every other dimension. */
static void mark_in_row(dense *x, size_t base, const uint8_t *is_changed, size_t n,
                        uint16_t *list)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) { /* without a branch: which it is cannot be foreseen */
        list[m] = (uint16_t)i;
        m += is_changed[i];
    }
    for (size_t d = 0; d < x->n_dims && m; d++) {
        if (d == x->dim)
            continue;
        uint8_t *first = line_of(x, d, base);
        atomic_store_explicit(&x->is_marked[d], true, memory_order_relaxed);
        if (d + 1 == x->n_dims)
            set(first);
        else
            for (size_t k = 0; k < m; k++)
                set(&first[list[k]]);
    }
}

/* list: room for n. */
static void mark_changed(dense *x, size_t base, const uint8_t *is_changed, size_t n, uint16_t *list)
{
    size_t row = x->n_codes[x->n_dims - 1];
    for (size_t at = 0, m; at < n; at += m) {
        m = row - (base + at) % row;
        m = m < n - at ? m : n - at;
        mark_in_row(x, base + at, is_changed + at, m, list);
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
    low = low < HD_DENSE_NO_BOUND ? low : HD_DENSE_NO_BOUND; /* else it would change again and again */
    if (low > x->low[cell]) {
        x->low[cell] = (int32_t)low;
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

/* One rule on one line. Once is enough: all bounds come from those before it, and each is reached
 * by some solution of this one sum. */
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

/* ---- many cells at once ---- */

/* Of n <= BLOCK neighbouring lines, or cells of one line. */
typedef struct block {
    size_t base, n;
    int32_t low[BLOCK], high[BLOCK], width[BLOCK]; /* sums of the children, and the widest */
    int32_t less[BLOCK], more[BLOCK]; /* child low >= less + child high, child high <= more + low */
    int32_t new_low[BLOCK], new_high[BLOCK];
    uint8_t is_moving[BLOCK], is_wide[BLOCK], is_changed[BLOCK];
    uint16_t list[BLOCK];
} block;

static inline int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static inline int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* Sums stop at HD_DENSE_NO_BOUND. Child after child, so that memory is read in long pieces. */
HD_VECTORS static void sum_children(const int32_t *low, const int32_t *high,
                                    const hd_code_rule *rule, size_t stride, block *b)
{
    size_t n = b->n;
    memset(b->low, 0, n * sizeof *b->low);
    memset(b->high, 0, n * sizeof *b->high);
    memset(b->width, 0, n * sizeof *b->width);
    for (size_t k = 0; k < rule->n_children; k++) {
        const int32_t *cl = low + rule->children[k] * stride;
        const int32_t *ch = high + rule->children[k] * stride;
        for (size_t i = 0; i < n; i++) {
            b->low[i] = smaller(b->low[i] + cl[i], HD_DENSE_NO_BOUND);
            b->high[i] = smaller(b->high[i] + ch[i], HD_DENSE_NO_BOUND);
            b->width[i] = larger(b->width[i], ch[i] - cl[i]);
        }
    }
}

/* The test of the file's head. Where it fails, and the sums say it all, less and more narrow the
 * children; elsewhere they change nothing. The parents' new bounds are found too. Returns 1 when a
 * line moves, 2 when one is wide, 4 when a parent has no value left. */
HD_VECTORS static unsigned judge(const int32_t *parent_low, const int32_t *parent_high, block *b)
{
    int32_t all = 0;
    for (size_t i = 0; i < b->n; i++) {
        int32_t l = b->low[i], h = larger(b->high[i], 0), pl = parent_low[i], ph = parent_high[i];
        int32_t is_wide = (h >= HD_DENSE_NO_BOUND) | (ph >= HD_DENSE_NO_BOUND);
        int32_t is_moving = (pl < l) | (ph > h) | (b->width[i] > h - pl) | (b->width[i] > ph - l);
        is_moving = is_wide ? 0 : is_moving;
        /* Cut to what the sums allow: so the rule leaves the parent before it comes to them. */
        int32_t less = larger(pl, l) - h, more = smaller(ph, h) - l;
        b->less[i] = is_wide ? -HD_DENSE_NO_BOUND - 1 : less;
        b->more[i] = is_wide ? HD_DENSE_NO_BOUND + 1 : more;
        b->new_low[i] = is_wide ? pl : larger(pl, l);
        b->new_high[i] = is_wide ? ph : smaller(ph, h);
        b->is_wide[i] = (uint8_t)is_wide;
        b->is_moving[i] = (uint8_t)is_moving;
        b->is_changed[i] = (uint8_t)((b->new_low[i] != pl) | (b->new_high[i] != ph));
        all |= is_moving | is_wide << 1 | (b->new_low[i] > b->new_high[i] ? 4 : 0);
    }
    return (unsigned)all;
}

/* What the bounds of n cells become: 1 if any changes, and 2 if any has no value left. */
HD_VECTORS static unsigned find_bounds(const int32_t *low, const int32_t *high,
                                       const int32_t *less, const int32_t *more, size_t n, block *b)
{
    int32_t all = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t l = larger(low[i], less[i] + high[i]), h = smaller(high[i], more[i] + low[i]);
        int32_t is_changed = (l != low[i]) | (h != high[i]), is_none = l > h;
        b->new_low[i] = l;
        b->new_high[i] = larger(h, -1);
        b->is_changed[i] = (uint8_t)is_changed;
        all |= is_changed | is_none << 1;
    }
    return (unsigned)all;
}

/* Written only where something is new: most is not. */
static bool take_bounds(dense *x, size_t base, unsigned all, size_t n, block *b)
{
    if (!all)
        return false;
    memcpy(x->low + base, b->new_low, n * sizeof *x->low);
    memcpy(x->high + base, b->new_high, n * sizeof *x->high);
    mark_changed(x, base, b->is_changed, n, b->list);
    if (all & 2)
        atomic_store_explicit(&x->is_contradiction, true, memory_order_relaxed);
    return true;
}

/* Children of lines from..to of a block. */
static bool narrow_children(dense *x, const hd_code_rule *rule, size_t from, size_t to, block *b)
{
    size_t stride = x->stride[x->dim], n = to - from;
    bool is_changed = false;
    for (size_t k = 0; k < rule->n_children; k++) {
        size_t child = b->base + rule->children[k] * stride + from;
        unsigned all = find_bounds(x->low + child, x->high + child, b->less + from, b->more + from,
                                   n, b);
        is_changed |= take_bounds(x, child, all, n, b);
    }
    return is_changed;
}

/* One rule on all lines of a block. */
static bool apply_to_lines(dense *x, const hd_code_rule *rule, block *b)
{
    size_t stride = x->stride[x->dim], parent = b->base + rule->parent * stride;
    bool is_changed = false;
    sum_children(x->low + b->base, x->high + b->base, rule, stride, b);
    unsigned all = judge(x->low + parent, x->high + parent, b);
    if ((all & 1) && memchr(b->is_changed, 1, b->n))
        is_changed = take_bounds(x, parent, 1 | (all >> 1 & 2), b->n, b);
    for (size_t from = 0; from < b->n && (all & 1); from += PIECE) {
        size_t to = from + PIECE < b->n ? from + PIECE : b->n;
        if (memchr(b->is_moving + from, 1, to - from))
            is_changed |= narrow_children(x, rule, from, to, b);
    }
    for (size_t i = 0; i < b->n && (all & 2); i++)
        if (b->is_wide[i])
            is_changed |= apply_rule(x, rule, b->base + i);
    return is_changed;
}

typedef struct run_sums {
    int64_t low, high;
    int32_t width, highest;
} run_sums;

HD_VECTORS static run_sums sum_run(const int32_t *low, const int32_t *high, size_t n)
{
    int64_t l = 0, h = 0;
    int32_t width = 0, highest = 0;
    for (size_t i = 0; i < n; i++) {
        l += low[i];
        h += high[i];
        width = larger(width, high[i] - low[i]);
        highest = larger(highest, high[i]);
    }
    return (run_sums){l, h, width, highest};
}

/* One rule of the last dimension, whose children are neighbours, on one line. */
static bool apply_to_run(dense *x, const hd_code_rule *rule, size_t line, block *b)
{
    size_t parent = line + rule->parent, child = line + rule->children[0];
    run_sums s = sum_run(x->low + child, x->high + child, rule->n_children);
    int32_t pl = x->low[parent], ph = x->high[parent];
    if (s.high >= HD_DENSE_NO_BOUND || s.low > s.high || s.highest >= HD_DENSE_NO_BOUND ||
        ph >= HD_DENSE_NO_BOUND)
        return apply_rule(x, rule, line);
    if (pl >= s.low && ph <= s.high && s.width <= s.high - pl && s.width <= ph - s.low)
        return false;
    bool is_changed = narrow(x, parent, s.low, s.high);
    for (size_t at = 0; at < rule->n_children; at += BLOCK) {
        b->n = rule->n_children - at < BLOCK ? rule->n_children - at : BLOCK;
        for (size_t i = 0; i < b->n; i++) {
            b->less[i] = x->low[parent] - (int32_t)s.high;
            b->more[i] = x->high[parent] - (int32_t)s.low;
        }
        size_t c = child + at;
        unsigned all = find_bounds(x->low + c, x->high + c, b->less, b->more, b->n, b);
        is_changed |= take_bounds(x, c, all, b->n, b);
    }
    return is_changed;
}

/* All rules on a block of lines, or on one line of the last dimension, until it is at rest. */
static void settle_block(dense *x, const hd_dimension *d, size_t base, size_t n, block *b)
{
    bool again = true, is_last = x->stride[x->dim] == 1;
    while (again && !atomic_load_explicit(&x->is_contradiction, memory_order_relaxed)) {
        again = false;
        for (size_t r = 0; r < d->n_rules; r++) {
            b->base = base;
            b->n = n;
            if (!is_last)
                again |= apply_to_lines(x, &d->rules[r], b);
            else if (x->is_run[r])
                again |= apply_to_run(x, &d->rules[r], base, b);
            else
                again |= apply_rule(x, &d->rules[r], base);
        }
        again = again && d->n_rules > 1;
    }
}

HD_VECTORS static unsigned count(const uint8_t *flags, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += flags[i];
    return sum;
}

/* n neighbouring lines from cell `base` on; `dirty` says which. All at once if many are; else piece
 * by piece, and single ones alone. */
static void work_block(dense *x, const hd_dimension *d, size_t base, size_t n, uint8_t *dirty,
                       block *b)
{
    unsigned n_dirty = count(dirty, n);
    if (!n_dirty)
        return;
    if (n > PIECE && n_dirty < n / 2) {
        for (size_t at = 0; at < n; at += PIECE)
            work_block(x, d, base + at, n - at < PIECE ? n - at : PIECE, dirty + at, b);
        return;
    }
    atomic_fetch_add_explicit(&x->n_visits, n_dirty, memory_order_relaxed);
    for (size_t i = 0; i < n && n > 1 && n_dirty <= FEW; i++)
        if (dirty[i])
            settle_line(x, d, base + i);
    if (n == 1 || n_dirty > FEW)
        settle_block(x, d, base, n, b);
    memset(dirty, 0, n);
}

static size_t count_tasks(size_t n_lines)
{
    size_t n = n_lines / BLOCK;
    return n < 1 ? 1 : n < TASKS ? n : TASKS;
}

/* One task: a range of the dimension's lines. Neighbours share all but the low digits. */
static hd_code work_lines(void *ctx, size_t task, hd_err *err)
{
    dense *x = ctx;
    block b; /* here, because clearing it for every block would cost as much as the work */
    (void)err;
    const hd_dimension *d = hd_lattice_dimension(x->l, x->dim);
    size_t stride = x->stride[x->dim], n_lines = x->n_lines[x->dim];
    size_t n_tasks = count_tasks(n_lines);
    size_t from = n_lines * task / n_tasks, to = n_lines * (task + 1) / n_tasks;
    while (from < to && !atomic_load_explicit(&x->is_contradiction, memory_order_relaxed)) {
        size_t inner = from % stride, n = stride - inner;
        n = n < BLOCK ? n : BLOCK;
        n = n < to - from ? n : to - from;
        work_block(x, d, from / stride * stride * d->n_codes + inner, n, &x->dirty[x->dim][from],
                   &b);
        from += n;
    }
    return HD_OK;
}

typedef struct check {
    const int32_t *low, *high;
    size_t n;
    atomic_bool is_contradiction;
} check;

/* 1: a bound out of range; 2: bounds that leave no value. */
HD_VECTORS static unsigned check_cells(const int32_t *low, const int32_t *high, size_t n)
{
    int32_t all = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t is_bad = (low[i] < 0) | (high[i] < 0) | (low[i] > HD_DENSE_NO_BOUND) |
                         (high[i] > HD_DENSE_NO_BOUND);
        all |= is_bad | (low[i] > high[i] ? 2 : 0);
    }
    return (unsigned)all;
}

static hd_code check_part(void *ctx, size_t task, hd_err *err)
{
    check *c = ctx;
    size_t from = c->n * task / TASKS, to = c->n * (task + 1) / TASKS;
    unsigned all = check_cells(c->low + from, c->high + from, to - from);
    if (all & 1)
        return hd_fail(err, HD_INVALID, "a bound is out of 0 .. 2^30-1");
    if (all & 2)
        atomic_store_explicit(&c->is_contradiction, true, memory_order_relaxed);
    return HD_OK;
}

static hd_code dense_init(dense *x, const hd_lattice *l, int32_t *low, int32_t *high, hd_err *err)
{
    check c = {.low = low, .high = high, .n = hd_lattice_n_cells(l)};
    memset(x, 0, sizeof *x);
    x->l = l;
    x->low = low;
    x->high = high;
    x->n_dims = hd_lattice_n_dims(l);
    HD_TRY(hd_par_run(TASKS, check_part, &c, err));
    x->is_contradiction = c.is_contradiction;
    for (size_t d = 0; d < x->n_dims; d++) {
        x->stride[d] = hd_lattice_stride(l, d);
        x->n_codes[d] = hd_lattice_dimension(l, d)->n_codes;
        x->n_lines[d] = hd_lattice_n_cells(l) / x->n_codes[d];
        x->dirty[d] = hd_malloc(x->n_lines[d]);
        if (!x->dirty[d])
            return hd_fail_nomem(err);
        memset(x->dirty[d], 1, x->n_lines[d]);
        x->is_marked[d] = hd_lattice_dimension(l, d)->n_rules > 0;
    }
    const hd_dimension *last = hd_lattice_dimension(l, x->n_dims - 1);
    x->is_run = hd_calloc(last->n_rules + 1, sizeof *x->is_run);
    if (!x->is_run)
        return hd_fail_nomem(err);
    for (size_t r = 0; r < last->n_rules; r++) {
        const hd_code_rule *rule = &last->rules[r];
        x->is_run[r] = true;
        for (size_t k = 1; k < rule->n_children; k++)
            x->is_run[r] &= rule->children[k] == rule->children[0] + k;
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
    while (is_marked && !x.is_contradiction) {
        is_marked = false;
        for (x.dim = 0; x.dim < x.n_dims && !x.is_contradiction; x.dim++) {
            if (!x.is_marked[x.dim] || hd_lattice_dimension(l, x.dim)->n_rules == 0)
                continue;
            x.is_marked[x.dim] = false;
            is_marked = true;
            HD_GO(hd_par_run(count_tasks(x.n_lines[x.dim]), work_lines, &x, err));
        }
    }
    out->is_consistent = !x.is_contradiction;
    out->n_visits = x.n_visits;
out:
    for (size_t d = 0; d < HD_LATTICE_DIMENSIONS; d++)
        hd_free(x.dirty[d]);
    hd_free(x.is_run);
    return rc;
}
