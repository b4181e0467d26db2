/* reader.c - depth-first search over the leaves; see reader.h.
 *
 * The next leaf's range follows from every form that has it and from what the leaves after it can
 * still add; after the last leaf of a form that range is its bounds, so a table that is complete
 * satisfies everything. Values near the true one come first.
 */
#include "reader.h"

#include <stdlib.h>
#include <string.h>

enum { NODES = 400000 };

typedef struct use {
    uint16_t form;
    int8_t sign;
} use;

struct reader {
    size_t n_leaves, n_forms;
    int64_t truth[READER_LEAVES], low[READER_LEAVES], high[READER_LEAVES];
    reader_form forms[READER_FORMS + 1];
    int64_t sum[READER_FORMS + 1];
    /* By leaf: the forms that have it, and what the leaves after it can add to them. */
    use uses[READER_LEAVES][READER_FORMS + 1];
    int64_t rest_low[READER_LEAVES][READER_FORMS + 1], rest_high[READER_LEAVES][READER_FORMS + 1];
    size_t n_uses[READER_LEAVES];
    int64_t now[READER_LEAVES];
    uint64_t n_nodes, n_here;
    bool is_ready;
};

static int64_t add_up(const reader_form *f, const int64_t *leaf)
{
    int64_t sum = 0;
    for (uint32_t rest = f->plus; rest; rest &= rest - 1)
        sum += leaf[__builtin_ctz(rest)];
    for (uint32_t rest = f->minus; rest; rest &= rest - 1)
        sum -= leaf[__builtin_ctz(rest)];
    return sum;
}

reader *reader_new(size_t n_leaves, const int64_t *truth)
{
    static reader only; /* one at a time: a fresh one would cost more than the search */
    reader *r = &only;
    r->n_leaves = n_leaves;
    r->n_forms = 0;
    r->n_nodes = 0;
    r->is_ready = false;
    for (size_t i = 0; i < n_leaves; i++) {
        r->truth[i] = truth[i];
        r->low[i] = 0;
        r->high[i] = truth[i] + READER_CAP;
    }
    return r;
}

void reader_free(reader *r)
{
    r->n_leaves = r->n_forms = 0;
}

bool reader_knows(reader *r, reader_form f)
{
    int64_t v = add_up(&f, r->truth);
    if (r->n_forms == READER_FORMS)
        abort();
    bool is_leaf = f.minus == 0 && (f.plus & (f.plus - 1)) == 0;
    if (is_leaf && f.plus) {
        int i = __builtin_ctz(f.plus);
        r->low[i] = f.low > r->low[i] ? f.low : r->low[i];
        r->high[i] = f.high < r->high[i] ? f.high : r->high[i];
    } else if (f.plus | f.minus)
        r->forms[r->n_forms++] = f;
    r->is_ready = false;
    return v >= f.low && v <= f.high;
}

/* Uses and rests of one form, the last leaf first. */
static void lay_out(reader *r, size_t form)
{
    const reader_form *f = &r->forms[form];
    int64_t low = 0, high = 0;
    for (size_t i = r->n_leaves; i-- > 0;) {
        int sign = (int)(f->plus >> i & 1) - (int)(f->minus >> i & 1);
        if (sign == 0)
            continue;
        size_t k = r->n_uses[i]++;
        r->uses[i][k] = (use){(uint16_t)form, (int8_t)sign};
        r->rest_low[i][k] = low;
        r->rest_high[i][k] = high;
        low += sign > 0 ? r->low[i] : -r->high[i];
        high += sign > 0 ? r->high[i] : -r->low[i];
    }
}

static void prepare(reader *r)
{
    memset(r->n_uses, 0, sizeof r->n_uses);
    for (size_t f = 0; f < r->n_forms; f++)
        lay_out(r, f);
    r->is_ready = true;
}

static bool exists(reader *r, size_t depth)
{
    if (depth == r->n_leaves)
        return true;
    if (r->n_here++ > NODES)
        return false;
    int64_t low = r->low[depth], high = r->high[depth];
    const use *u = r->uses[depth];
    size_t n = r->n_uses[depth];
    for (size_t k = 0; k < n; k++) {
        const reader_form *f = &r->forms[u[k].form];
        int64_t least = f->low - r->sum[u[k].form] - r->rest_high[depth][k];
        int64_t most = f->high - r->sum[u[k].form] - r->rest_low[depth][k];
        int64_t from = u[k].sign > 0 ? least : -most, to = u[k].sign > 0 ? most : -least;
        low = from > low ? from : low;
        high = to < high ? to : high;
    }
    int64_t truth = r->truth[depth], middle = truth < low ? low : truth > high ? high : truth;
    for (int64_t k = 0; k <= 2 * (high - low) + 1; k++) {
        int64_t v = k % 2 ? middle - (k + 1) / 2 : middle + k / 2;
        if (v < low || v > high)
            continue;
        r->now[depth] = v;
        for (size_t i = 0; i < n; i++)
            r->sum[u[i].form] += u[i].sign * v;
        bool is_found = exists(r, depth + 1);
        for (size_t i = 0; i < n; i++)
            r->sum[u[i].form] -= u[i].sign * v;
        if (is_found)
            return true;
    }
    return false;
}

/* A table in which the form lies in low .. high: r->now. */
static bool find(reader *r, reader_form f)
{
    if (!r->is_ready)
        prepare(r);
    r->forms[r->n_forms] = f;
    lay_out(r, r->n_forms);
    memset(r->sum, 0, (r->n_forms + 1) * sizeof *r->sum);
    r->n_here = 0;
    bool is_found = exists(r, 0);
    r->n_nodes += r->n_here;
    for (size_t i = 0; i < r->n_leaves; i++)
        r->n_uses[i] -= (f.plus | f.minus) >> i & 1;
    return is_found;
}

/* The value that bit 0 of `seen` stands for. */
static int64_t base(const reader *r, const reader_target *t)
{
    return add_up(&t->form, r->truth) - 32;
}

static void see(const reader *r, const int64_t *leaf, reader_target *targets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int64_t v = add_up(&targets[i].form, leaf), bit = v - base(r, &targets[i]);
        if (v >= targets[i].form.low && v <= targets[i].form.high && bit >= 0 && bit < 64)
            targets[i].seen |= UINT64_C(1) << bit;
    }
}

bool reader_note(reader *r, const int64_t *leaf, reader_target *targets, size_t n)
{
    for (size_t i = 0; i < r->n_leaves; i++)
        if (leaf[i] < r->low[i] || (leaf[i] > r->high[i] && r->high[i] < r->truth[i] + READER_CAP))
            return false;
    for (size_t f = 0; f < r->n_forms; f++) {
        int64_t v = add_up(&r->forms[f], leaf);
        if (v < r->forms[f].low || v > r->forms[f].high)
            return false;
    }
    see(r, leaf, targets, n);
    return true;
}

static bool is_enough(const reader_target *t)
{
    if (t->width == 0)
        return __builtin_popcountll(t->seen) >= t->values;
    return t->seen && 63 - __builtin_clzll(t->seen) - __builtin_ctzll(t->seen) >= t->width;
}

bool reader_has(reader *r, reader_target *t, reader_target *targets, size_t n)
{
    int64_t first = base(r, t), from = t->form.low > first ? t->form.low : first;
    int64_t to = t->form.high < first + 63 ? t->form.high : first + 63;
    for (int64_t k = 0; k < 66 && !is_enough(t); k++) {
        int64_t v = first + 32 + (k % 2 ? -(k + 1) / 2 : k / 2);
        if (v < from || v > to || t->seen >> (v - first) & 1)
            continue;
        reader_form f = {v, v, t->form.plus, t->form.minus};
        bool is_found = find(r, f);
        t->is_cut |= !is_found && r->n_here > NODES;
        if (is_found)
            see(r, r->now, targets, n);
    }
    return is_enough(t);
}

uint64_t reader_nodes(const reader *r)
{
    return r->n_nodes;
}
