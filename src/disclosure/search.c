/* search.c - local search for whole-number tables; see search.h. */
#include "disclosure/search.h"

#include "base/alloc.h"
#include "base/vectors.h"

#include <string.h>

#define NONE UINT32_MAX
#define SEED UINT64_C(0x6864697300000005)

enum {
    SAMPLE = 16,        /* free cells of a long row looked at in a step */
    SHAKE_STEPS = 6,    /* repairs allowed for one move of a shake */
    HEAVIEST = 1 << 12, /* weights stop here */
};
#define LARGEST_EXCESS (INT64_C(1) << 44) /* so that weighted sums of excess stay below 2^63 */

/* Moves and excess of up to NARROW are judged in 32 bits: twice that times HEAVIEST stays below
 * 2^31, and a distance cut at FAR is further away than any such move goes. */
#define NARROW (INT64_C(1) << 17)
#define FAR (INT64_C(1) << 20)

hd_code hd_search_init(hd_search *x, const hd_frame *f, const hd_system *s, hd_err *err)
{
    size_t n = f->n_free + 1, m = f->n_rows + 1;
    memset(x, 0, sizeof *x);
    x->f = f;
    x->random = hd_rng_stream(SEED, 0);
    x->frozen = NONE;
    x->cells = hd_calloc(n, sizeof *x->cells);
    x->rows = hd_calloc(m, sizeof *x->rows);
    x->slack.below = hd_calloc(m, sizeof *x->slack.below);
    x->slack.above = hd_calloc(m, sizeof *x->slack.above);
    x->slack.weight = hd_calloc(m, sizeof *x->slack.weight);
    x->row_low = hd_calloc(m, sizeof *x->row_low);
    x->violated = hd_calloc(m, sizeof *x->violated);
    x->heavy = hd_calloc(m, sizeof *x->heavy);
    if (!x->cells || !x->rows || !x->row_low || !x->violated || !x->heavy || !x->slack.below ||
        !x->slack.above || !x->slack.weight) {
        hd_search_free(x);
        return hd_fail_nomem(err);
    }
    for (size_t v = 0; v < f->n_free; v++) {
        x->cells[v].low = s->low[f->free_cell[v]];
        x->cells[v].high = s->high[f->free_cell[v]];
    }
    for (size_t r = 0; r < f->n_rows; r++) {
        int64_t high = r < f->n_cell_rows ? s->high[f->row_cell[r]] : 0;
        x->row_low[r] = r < f->n_cell_rows ? s->low[f->row_cell[r]] : 0;
        x->rows[r] = (hd_search_row){.above = high - x->row_low[r], .at = NONE};
        x->slack.weight[r] = 1;
    }
    return HD_OK;
}

void hd_search_free(hd_search *x)
{
    size_t n = x->f ? x->f->n_free + 1 : 0, m = x->f ? x->f->n_rows + 1 : 0;
    hd_wipe_free(x->cells, n * sizeof *x->cells);
    hd_wipe_free(x->rows, m * sizeof *x->rows);
    hd_wipe_free(x->slack.below, m * sizeof *x->slack.below);
    hd_wipe_free(x->slack.above, m * sizeof *x->slack.above);
    hd_free(x->slack.weight);
    hd_wipe_free(x->changes, x->changes_cap * sizeof *x->changes);
    hd_free(x->row_low);
    hd_free(x->violated);
    hd_free(x->heavy);
    memset(x, 0, sizeof *x);
}

static inline int64_t excess(int64_t below, int64_t above)
{
    int64_t least = below < above ? below : above;
    int64_t e = least < 0 ? -least : 0;
    return e < LARGEST_EXCESS ? e : LARGEST_EXCESS;
}

static int64_t clip(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* After a row's distances changed. */
static inline void judge(hd_search *x, uint32_t row)
{
    hd_search_row *r = &x->rows[row];
    int64_t before = r->excess;
    r->excess = excess(r->below, r->above);
    x->n_wide += (size_t)(r->excess > NARROW) - (size_t)(before > NARROW);
    x->slack.below[row] = (int32_t)clip(r->below, -FAR, FAR);
    x->slack.above[row] = (int32_t)clip(r->above, -FAR, FAR);
    if ((r->excess > 0) == (r->at != NONE))
        return;
    if (r->excess > 0) {
        r->at = (uint32_t)x->n_violated;
        x->violated[x->n_violated++] = row;
    } else {
        uint32_t last = x->violated[--x->n_violated];
        x->violated[r->at] = last;
        x->rows[last].at = r->at;
        r->at = NONE;
    }
}

static void put(hd_search *x, uint32_t v, int64_t value)
{
    const hd_frame *f = x->f;
    int64_t delta = value - x->cells[v].value;
    x->cells[v].value = value;
    for (size_t i = f->free_start[v]; i < f->free_start[v + 1]; i++)
        __builtin_prefetch(&x->rows[f->free_row[i]], 1);
    for (size_t i = f->free_start[v]; i < f->free_start[v + 1] && f->free_coefficient[i]; i++) {
        uint32_t row = f->free_row[i];
        int64_t d = delta * f->free_coefficient[i];
        x->rows[row].below += d;
        x->rows[row].above -= d;
        judge(x, row);
    }
}

static hd_code move(hd_search *x, uint32_t v, int64_t value, hd_err *err)
{
    if (!HD_GROW(x->changes, x->n_changes, x->changes_cap))
        return hd_fail_nomem(err);
    x->changes[x->n_changes++] = (hd_search_change){v, x->cells[v].value};
    put(x, v, value);
    return HD_OK;
}

void hd_search_undo(hd_search *x, size_t n_changes)
{
    while (x->n_changes > n_changes) {
        const hd_search_change *c = &x->changes[--x->n_changes];
        put(x, c->free_cell, c->old);
    }
}

hd_code hd_search_begin(hd_search *x, const int64_t *values, hd_err *err)
{
    const hd_frame *f = x->f;
    (void)err;
    x->n_violated = 0;
    x->n_changes = 0;
    for (size_t v = 0; v < f->n_free; v++) {
        hd_search_free_cell *c = &x->cells[v];
        if (values)
            c->value = clip(values[f->free_cell[v]], c->low, c->high);
        else if (c->low > -HD_NO_BOUND && c->high < HD_NO_BOUND)
            c->value = c->low + (c->high - c->low) / 2;
        else
            c->value = c->low > -HD_NO_BOUND ? c->low : c->high < HD_NO_BOUND ? c->high : 0;
    }
    for (size_t r = 0; r < f->n_rows; r++) {
        hd_search_row *row = &x->rows[r];
        int64_t sum = f->constant[r];
        for (size_t i = f->row_start[r]; i < f->row_start[r + 1]; i++)
            sum += f->row_term[i].coefficient * x->cells[f->row_term[i].index].value;
        int64_t span = row->below + row->above;
        row->below = sum - x->row_low[r];
        row->above = span - row->below;
        row->at = NONE;
        judge(x, (uint32_t)r);
    }
    return HD_OK;
}

hd_code hd_search_bound(hd_search *x, uint32_t cell, int64_t low, int64_t high, hd_err *err)
{
    const hd_frame *f = x->f;
    uint32_t place = f->place[cell];
    if (f->kind[cell] == HD_FRAME_ROW) {
        hd_search_row *row = &x->rows[place];
        int64_t value = x->row_low[place] + row->below;
        x->row_low[place] = low;
        row->below = value - low;
        row->above = high - value;
        judge(x, place);
    } else if (f->kind[cell] == HD_FRAME_FREE) {
        hd_search_free_cell *c = &x->cells[place];
        c->low = low;
        c->high = high;
        if (c->value < low || c->value > high)
            return move(x, place, clip(c->value, low, high), err);
    }
    return HD_OK;
}

/* How the weighted excess of all rows changes when a free cell moves by delta. */
static int64_t gain(const hd_search *x, uint32_t v, int64_t delta)
{
    const hd_frame *f = x->f;
    int64_t sum = 0;
    for (size_t i = f->free_start[v]; i < f->free_start[v + 1] && f->free_coefficient[i]; i++) {
        const hd_search_row *row = &x->rows[f->free_row[i]];
        int64_t d = delta * f->free_coefficient[i];
        sum += (excess(row->below + d, row->above - d) - row->excess) *
               x->slack.weight[f->free_row[i]];
    }
    return sum;
}

static inline int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* The same for two moves at once, where nothing needs more than 32 bits. n: terms, full lists. Most
 * of the time of a search goes into this loop, which becomes vectors. */
HD_VECTORS static void
gain_of_two(const hd_search_slack *s, const uint32_t *row, const int32_t *coefficient, size_t n,
            int32_t one, int32_t two, int64_t *gain)
{
    const int32_t *below = s->below, *above = s->above, *weight = s->weight;
    int64_t sum_one = 0, sum_two = 0;
    for (size_t i = 0; i < n / HD_FRAME_LANES * HD_FRAME_LANES; i++) {
        int32_t b = below[row[i]], a = above[row[i]], w = weight[row[i]];
        int32_t d = one * coefficient[i], e = two * coefficient[i];
        int32_t now = larger(0, larger(-b, -a));
        sum_one += (larger(0, larger(-b - d, d - a)) - now) * w;
        sum_two += (larger(0, larger(-b - e, e - a)) - now) * w;
    }
    gain[0] = sum_one;
    gain[1] = sum_two;
}

typedef struct candidate {
    uint32_t v;
    int64_t delta;
    int64_t gain;
    uint32_t n_ties;
} candidate;

/* The better one stays; among equals each has the same chance. */
static void compare(hd_search *x, candidate *best, uint32_t v, int64_t delta, int64_t gain)
{
    if (delta == 0 || (best->v != NONE && gain > best->gain))
        return;
    if (best->v != NONE && gain == best->gain) {
        if (hd_rng_below(&x->random, ++best->n_ties) != 0)
            return;
    } else
        best->n_ties = 1;
    best->v = v;
    best->delta = delta;
    best->gain = gain;
}

/* A free cell that would have to move by `full`; a move by one that way is looked at too. */
static void consider(hd_search *x, candidate *best, uint32_t v, int64_t full)
{
    const hd_frame *f = x->f;
    const hd_search_free_cell *c = &x->cells[v];
    size_t first = f->free_start[v], n = f->free_start[v + 1] - first;
    bool is_far = full > 1 || full < -1;
    int64_t delta[2] = {clip(c->value + full, c->low, c->high) - c->value, 0}, gains[2] = {0, 0};
    if (is_far)
        delta[1] = clip(c->value + (full > 0 ? 1 : -1), c->low, c->high) - c->value;
    if (delta[0] == 0 && delta[1] == 0)
        return;
    int64_t widest = NARROW / (f->largest ? f->largest : 1);
    if (x->n_wide == 0 && delta[0] >= -widest && delta[0] <= widest && delta[1] >= -widest &&
        delta[1] <= widest)
        gain_of_two(&x->slack, f->free_row + first, f->free_coefficient + first, n,
                    (int32_t)delta[0], (int32_t)delta[1], gains);
    else
        for (int i = 0; i < 2; i++)
            gains[i] = delta[i] ? gain(x, v, delta[i]) : 0;
    compare(x, best, v, delta[0], gains[0]);
    compare(x, best, v, delta[1], gains[1]);
}

/* The best move that brings a row nearer to its bounds. */
static candidate choose(hd_search *x, uint32_t row)
{
    const hd_frame *f = x->f;
    candidate best = {.v = NONE};
    size_t first = f->row_start[row], n = f->row_start[row + 1] - first;
    int64_t need = x->rows[row].below < 0 ? -x->rows[row].below : x->rows[row].above;
    size_t looks = n <= SAMPLE ? n : SAMPLE;
    /* A long row is sampled at steps of a random odd size, so that neighbours vary. */
    size_t at = n > SAMPLE ? hd_rng_below(&x->random, (uint32_t)n) : 0;
    size_t stride = n > SAMPLE ? (2 * hd_rng_below(&x->random, (uint32_t)n) + 1) % n : 1;
    /* All that is needed is far apart: it is asked for before it is looked at. */
    hd_term sample[SAMPLE];
    size_t n_free = 0;
    for (size_t k = 0; k < looks; k++, at = at + stride < n ? at + stride : at + stride - n) {
        sample[k] = f->row_term[first + at];
        __builtin_prefetch(&x->cells[sample[k].index]);
        __builtin_prefetch(&f->free_start[sample[k].index]);
    }
    for (size_t k = 0; k < looks; k++) {
        hd_term t = sample[k];
        if (x->cells[t.index].tabu > x->step || t.index == x->frozen)
            continue;
        __builtin_prefetch(&f->free_row[f->free_start[t.index]]);
        __builtin_prefetch(&f->free_coefficient[f->free_start[t.index]]);
        sample[n_free++] = t;
    }
    for (size_t k = 0; k < n_free; k++) {
        hd_term t = sample[k];
        int64_t full = t.coefficient == 1    ? need
                       : t.coefficient == -1 ? -need
                                             : need / t.coefficient;
        if (full == 0)
            full = (need > 0) == (t.coefficient > 0) ? 1 : -1;
        consider(x, &best, t.index, full);
    }
    return best;
}

static void make_heavier(hd_search *x)
{
    for (size_t i = 0; i < x->n_violated; i++) {
        uint32_t row = x->violated[i];
        int32_t *weight = &x->slack.weight[row];
        if (*weight == 1)
            x->heavy[x->n_heavy++] = row;
        if (*weight < HEAVIEST)
            ++*weight;
    }
}

static void forget_weights(hd_search *x)
{
    while (x->n_heavy)
        x->slack.weight[x->heavy[--x->n_heavy]] = 1;
}

hd_code hd_search_repair(hd_search *x, uint64_t max_steps, bool *is_good, hd_err *err)
{
    enum { LOOK_EVERY = 1024 };
    hd_code rc = HD_OK;
    size_t most = x->patience ? x->n_violated + x->patience : SIZE_MAX;
    if (x->tick)
        x->tick->fn(x->tick->ctx);
    for (uint64_t k = 0; k < max_steps && x->n_violated && x->n_violated < most; k++) {
        if (k % LOOK_EVERY == 0 && x->stop && atomic_load_explicit(x->stop, memory_order_relaxed))
            HD_GO(hd_fail(err, HD_CANCELLED, "the question was stopped"));
        x->step++;
        uint32_t row = x->violated[hd_rng_below(&x->random, (uint32_t)x->n_violated)];
        candidate c = choose(x, row);
        if (c.v == NONE || c.gain >= 0)
            make_heavier(x);
        if (c.v == NONE)
            continue;
        x->cells[c.v].tabu = x->step + 2 + hd_rng_below(&x->random, 4);
        HD_GO(move(x, c.v, x->cells[c.v].value + c.delta, err));
    }
out:
    *is_good = x->n_violated == 0;
    forget_weights(x);
    return rc;
}

hd_code hd_search_reach(hd_search *x, uint32_t cell, int64_t low, int64_t high,
                        uint64_t max_steps, bool *is_good, hd_err *err)
{
    const hd_frame *f = x->f;
    uint32_t place = f->place[cell];
    size_t before = x->n_changes;
    *is_good = false;
    if (f->kind[cell] == HD_FRAME_CONSTANT)
        return HD_OK;
    bool is_free = f->kind[cell] == HD_FRAME_FREE;
    int64_t old_low = is_free ? x->cells[place].low : x->row_low[place];
    int64_t old_high = is_free ? x->cells[place].high
                               : old_low + x->rows[place].below + x->rows[place].above;
    low = low > old_low ? low : old_low;
    high = high < old_high ? high : old_high;
    if (low > high)
        return HD_OK;
    HD_TRY(hd_search_bound(x, cell, low, high, err));
    hd_code rc = hd_search_repair(x, max_steps, is_good, err);
    if (!*is_good)
        hd_search_undo(x, before);
    if (rc == HD_OK)
        rc = hd_search_bound(x, cell, old_low, old_high, err);
    return rc;
}

hd_code hd_search_shake(hd_search *x, const bool *only, hd_err *err)
{
    const hd_frame *f = x->f;
    if (f->n_free == 0)
        return HD_OK;
    uint32_t begin = hd_rng_below(&x->random, (uint32_t)f->n_free);
    for (size_t k = 0; k < f->n_free; k++) {
        uint32_t v = (uint32_t)((begin + k) % f->n_free);
        if (only && !only[f->free_cell[v]])
            continue;
        int64_t now = x->cells[v].value;
        int64_t low = x->cells[v].low > now - 6 ? x->cells[v].low : now - 6;
        int64_t high = x->cells[v].high < now + 6 ? x->cells[v].high : now + 6;
        int64_t to = low + hd_rng_below(&x->random, (uint32_t)(high - low + 1));
        if (to == now)
            continue;
        bool is_good;
        size_t before = x->n_changes;
        HD_TRY(move(x, v, to, err));
        x->frozen = v;
        hd_code rc = hd_search_repair(x, SHAKE_STEPS, &is_good, err);
        x->frozen = NONE;
        HD_TRY(rc);
        if (!is_good)
            hd_search_undo(x, before);
    }
    return HD_OK;
}

int64_t hd_search_value(const hd_search *x, const hd_system *s, uint32_t cell)
{
    uint32_t place = x->f->place[cell];
    switch (x->f->kind[cell]) {
    case HD_FRAME_FREE:
        return x->cells[place].value;
    case HD_FRAME_ROW:
        return x->row_low[place] + x->rows[place].below;
    default:
        return s->low[cell];
    }
}

void hd_search_table(const hd_search *x, const hd_system *s, int64_t *values)
{
    const hd_frame *f = x->f;
    memcpy(values, s->low, s->n_cells * sizeof *values); /* the constants */
    for (size_t v = 0; v < f->n_free; v++)
        values[f->free_cell[v]] = x->cells[v].value;
    for (size_t r = 0; r < f->n_cell_rows; r++)
        values[f->row_cell[r]] = x->row_low[r] + x->rows[r].below;
}
