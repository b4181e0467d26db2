/* reader.c - depth-first search over the leaves; see reader.h.
 *
 * The next leaf's range follows from every form that has it and from what the leaves after it can
 * still add; after the last leaf of a form that range is its bounds, so a table that is complete
 * satisfies everything. Values near the true one come first.
 */
#include "reader.h"

#include <stdlib.h>
#include <string.h>

enum { NODES = 400000, NODES_FAR = 8000000 };

typedef struct use {
    uint16_t form;
    int8_t sign;
} use;

struct reader {
    size_t n_leaves, n_forms;
    int64_t truth[READER_LEAVES], low[READER_LEAVES];
    int64_t most[READER_LEAVES]; /* as the forms say */
    int64_t high[READER_LEAVES]; /* not above `reach` more than the truth either */
    int64_t reach;
    reader_form forms[READER_FORMS + 1];
    int64_t sum[READER_FORMS + 1];
    /* By leaf: the forms that have it, and what the leaves after it can add to them. */
    use uses[READER_LEAVES][READER_FORMS + 1];
    int64_t rest_low[READER_LEAVES][READER_FORMS + 1], rest_high[READER_LEAVES][READER_FORMS + 1];
    size_t n_uses[READER_LEAVES];
    int64_t now[READER_LEAVES];
    uint64_t n_nodes, n_here, max_nodes;
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
    r->reach = READER_NEAR;
    r->max_nodes = NODES;
    r->is_ready = false;
    for (size_t i = 0; i < n_leaves; i++) {
        r->truth[i] = truth[i];
        r->low[i] = 0;
        r->most[i] = INT64_MAX;
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
        r->most[i] = f.high < r->most[i] ? f.high : r->most[i];
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
    for (size_t i = 0; i < r->n_leaves; i++) {
        int64_t reach = r->truth[i] + r->reach;
        r->high[i] = r->most[i] < reach ? r->most[i] : reach;
    }
    for (size_t f = 0; f < r->n_forms; f++)
        lay_out(r, f);
    r->is_ready = true;
}

static bool exists(reader *r, size_t depth)
{
    if (depth == r->n_leaves)
        return true;
    if (r->n_here++ > r->max_nodes)
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
        if (v < targets[i].form.low || v > targets[i].form.high)
            continue;
        if (bit >= 0 && bit < 64)
            targets[i].seen |= UINT64_C(1) << bit;
        targets[i].up = bit - 32 > targets[i].up ? bit - 32 : targets[i].up;
        targets[i].down = 32 - bit > targets[i].down ? 32 - bit : targets[i].down;
    }
}

bool reader_note(reader *r, const int64_t *leaf, reader_target *targets, size_t n)
{
    for (size_t i = 0; i < r->n_leaves; i++)
        if (leaf[i] < r->low[i] || leaf[i] > r->most[i])
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
    return t->up + t->down >= t->width;
}

/* A table with the form in low .. high, noted for all targets. */
static bool look(reader *r, reader_target *t, int64_t low, int64_t high, reader_target *targets,
                 size_t n)
{
    bool is_found = find(r, (reader_form){low, high, t->form.plus, t->form.minus});
    t->is_cut |= !is_found && r->n_here > r->max_nodes;
    if (is_found)
        see(r, r->now, targets, n);
    return is_found;
}

/* Value by value, from the truth on both ways. */
static void look_for_values(reader *r, reader_target *t, reader_target *targets, size_t n)
{
    int64_t first = base(r, t), from = t->form.low > first ? t->form.low : first;
    int64_t to = t->form.high < first + 63 ? t->form.high : first + 63;
    for (int64_t k = 0; k < 66 && !is_enough(t); k++) {
        int64_t v = first + 32 + (k % 2 ? -(k + 1) / 2 : k / 2);
        if (v >= from && v <= to && !(t->seen >> (v - first) & 1))
            look(r, t, v, v, targets, n);
    }
}

/* How far up and down it goes, as far as that is asked: at least `sure`, less than `beyond`. */
static void look_for_width(reader *r, reader_target *t, reader_target *targets, size_t n)
{
    int64_t truth = base(r, t) + 32;
    for (int side = 0; side < 2 && !is_enough(t); side++) {
        const int64_t *sure = side ? &t->down : &t->up;
        int64_t beyond = t->width - (side ? t->up : t->down) + 1, k = beyond - 1;
        for (; *sure < k && !is_enough(t); k = *sure + (beyond - *sure) / 2) {
            bool is_found = side ? look(r, t, t->form.low, truth - k, targets, n)
                                 : look(r, t, truth + k, t->form.high, targets, n);
            if (!is_found)
                beyond = k;
        }
    }
}

bool reader_has(reader *r, reader_target *t, reader_target *targets, size_t n)
{
    for (int is_far = 0; is_far < 2 && !is_enough(t) && !t->is_cut; is_far++) {
        r->reach = is_far ? READER_FAR : READER_NEAR;
        r->max_nodes = is_far ? NODES_FAR : NODES;
        r->is_ready = false;
        if (t->width)
            look_for_width(r, t, targets, n);
        else
            look_for_values(r, t, targets, n);
        if (is_far)
            t->is_cut = false; /* what near tables do not show counts as a leak then */
    }
    return is_enough(t);
}

uint64_t reader_nodes(const reader *r)
{
    return r->n_nodes;
}
