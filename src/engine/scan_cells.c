/* scan_cells.c - the kernel's answer as the true cells of one question of a plan.
 *
 * Slots and ranks become values, tallies become figures. Cells own their texts: the values of a
 * plan are shared by many questions and stay as they are.
 */
#include "engine/scan_plan.h"
#include "base/alloc.h"
#include "statistics/interval.h"

#include <math.h>
#include <string.h>

/* One question's share of an answer. */
typedef struct cutting {
    const scan_plan *p;
    const asked *a;
    const hd_k_answer *answer;
    size_t first;                 /* measure */
    const hd_k_measure *measures; /* of the question */
} cutting;

static const hd_value *values_of(const cutting *c, size_t i)
{
    return c->p->measure_ranks[c->first + i]->values;
}

static const hd_k_tally *tally(const cutting *c, size_t cell, size_t measure)
{
    return &c->answer->tallies[cell * c->p->q.n_measures + measure];
}

/* ---- figures --------------------------------------------------------------------------------- */

static double as_double(const hd_value *v)
{
    return v->type == HD_DECIMAL ? v->decimal : (double)v->integer;
}

static double quantile_value(const cutting *c, const hd_k_tally *t, size_t i, double at)
{
    const hd_value *values = values_of(c, i);
    double floor_at = floor(at);
    uint64_t low = (uint64_t)floor_at, high = (uint64_t)ceil(at);
    const hd_value *a = &values[hd_k_order_statistic(c->answer, t, low)];
    const hd_value *b = &values[hd_k_order_statistic(c->answer, t, high)];
    double x = as_double(a), y = as_double(b);
    return x + (y - x) * (at - floor_at);
}

static hd_code quantile(const cutting *c, const hd_k_tally *t, size_t i, hd_value *out, hd_err *err)
{
    const asked_aggregate *g = &c->a->aggregates[i];
    uint64_t n = (uint64_t)t->rows;
    if (g->def->fn == HD_FN_MEDIAN || g->def->fn == HD_FN_QUANTILE) {
        out->decimal = quantile_value(c, t, i, g->quantile * (double)(n - 1));
        return HD_OK;
    }
    uint64_t low, high;
    HD_TRY(hd_quantile_ranks(n, g->quantile, g->level, &low, &high, err));
    uint64_t rank = g->def->fn == HD_FN_QUANTILE_LOWER ? low : high;
    out->is_null = rank < 1 || rank > n;
    if (!out->is_null)
        out->decimal = quantile_value(c, t, i, (double)(rank - 1));
    return HD_OK;
}

/* Sum of squared distances from the mean. Integers: exact while n times the squares fit 128
 * bits. */
static long double squared_distances(const hd_k_tally *t)
{
    unsigned __int128 size =
        t->exact.sum < 0 ? -(unsigned __int128)t->exact.sum : (unsigned __int128)t->exact.sum;
    unsigned __int128 a, b, n = (unsigned __int128)t->rows;
    if (!__builtin_mul_overflow(n, t->exact.sum_squares, &a) &&
        !__builtin_mul_overflow(size, size, &b))
        return (long double)(a - b) / (long double)n;
    long double d =
        (long double)t->exact.sum_squares - (long double)size * (long double)size / (long double)n;
    return d < 0 ? 0 : d;
}

/* The same for decimals: the mean first, then the distances, from how often each value occurs. */
static long double squared_distances_of_bins(const cutting *c, const hd_k_tally *t, size_t i)
{
    const hd_k_bin *bins = &c->answer->distribution[t->distribution.first];
    long double sum = 0, squares = 0;
    for (uint32_t k = 0; k < t->distribution.n; k++)
        sum += (long double)as_double(&values_of(c, i)[bins[k].rank]) * (long double)bins[k].rows;
    long double mean = sum / (long double)t->rows;
    for (uint32_t k = 0; k < t->distribution.n; k++) {
        long double d = (long double)as_double(&values_of(c, i)[bins[k].rank]) - mean;
        squares += d * d * (long double)bins[k].rows;
    }
    return squares;
}

static void spread(const cutting *c, const hd_k_tally *t, size_t i, hd_value *out)
{
    out->is_null = t->rows < 2;
    if (out->is_null)
        return;
    long double variance = c->measures[i].kind == HD_K_MOMENTS ? squared_distances(t)
                                                               : squared_distances_of_bins(c, t, i);
    variance /= (long double)(t->rows - 1);
    bool squared = c->a->aggregates[i].def->fn == HD_FN_VARIANCE;
    out->decimal = (double)(squared ? variance : sqrtl(variance));
}

static hd_code moments(const cutting *c, const hd_k_tally *t, size_t i, hd_value *out, hd_err *err)
{
    const asked_aggregate *g = &c->a->aggregates[i];
    bool exact = c->measures[i].integers != NULL;
    long double sum = exact ? (long double)t->exact.sum : (long double)t->decimal.sum;
    if (g->def->kind == HD_AGG_MEAN) {
        out->decimal = (double)(sum / (long double)t->rows);
    } else if (!exact) {
        out->decimal = (double)sum;
    } else {
        if (t->exact.sum > INT64_MAX || t->exact.sum < INT64_MIN)
            return hd_fail(err, HD_LIMIT, "a sum is beyond 2^63");
        out->integer = (int64_t)t->exact.sum;
    }
    return HD_OK;
}

static hd_code figure(const cutting *c, const hd_k_tally *t, size_t i, hd_cell *out, hd_err *err)
{
    const asked_aggregate *g = &c->a->aggregates[i];
    *out = (hd_cell){.value = {.type = c->a->aggregate_views[i].type},
                     .records = t->rows,
                     .persons = t->persons};
    hd_value *v = &out->value;
    switch (c->measures[i].kind) {
    case HD_K_COUNT:
        v->integer = g->is_person ? t->persons : t->rows;
        return HD_OK;
    case HD_K_DISTINCT:
        v->integer = t->distinct;
        return HD_OK;
    default:
        break;
    }
    if (t->rows == 0) {
        v->is_null = true;
        return HD_OK;
    }
    if (g->def->kind == HD_AGG_SPREAD) {
        spread(c, t, i, v);
        return HD_OK;
    }
    if (c->measures[i].kind == HD_K_MOMENTS)
        return moments(c, t, i, v, err);
    if (c->measures[i].kind == HD_K_DISTRIBUTION)
        return quantile(c, t, i, v, err);
    uint32_t rank = g->def->fn == HD_FN_MIN ? t->extremes.lowest : t->extremes.highest;
    *v = values_of(c, i)[rank];
    return HD_OK;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static size_t text_size(const hd_value *v)
{
    return v->type == HD_TEXT && !v->is_null ? v->text.len : 0;
}

static void copy_text(hd_value *v, char **to)
{
    if (text_size(v) == 0)
        return;
    memcpy(*to, v->text.bytes, v->text.len);
    v->text.bytes = *to;
    *to += v->text.len;
}

/* The texts of a key: each slot's once, however many cells have it. */
static hd_code copy_key(hd_cells *c, size_t k, const hd_k_answer *answer, const hd_ranks *ranks,
                        char **to, hd_err *err)
{
    size_t n_keys = c->n_keys;
    const char **moved = hd_calloc(ranks->n, sizeof *moved);
    if (!moved)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < c->n_cells; i++) {
        uint32_t slot = answer->slots[i * n_keys + k];
        hd_value *v = &c->keys[i * n_keys + k];
        if (slot == HD_K_NO_SLOT || text_size(v) == 0)
            continue;
        if (!moved[slot]) {
            moved[slot] = *to;
            copy_text(v, to);
        }
        v->text.bytes = moved[slot];
    }
    hd_free(moved);
    return HD_OK;
}

/* At most so many bytes of text: each slot once, each smallest and largest text by itself. */
static size_t text_bytes(const cutting *c)
{
    size_t bytes = 0;
    for (size_t k = 0; k < c->a->q.n_keys; k++)
        for (uint32_t s = 0; s < c->p->group_ranks[k]->n; s++)
            bytes += text_size(&c->p->group_ranks[k]->values[s]);
    for (size_t i = 0; i < c->a->q.n_aggregates; i++) {
        if (c->measures[i].kind != HD_K_EXTREMES || c->a->aggregate_views[i].type != HD_TEXT)
            continue;
        bool lowest = c->a->aggregates[i].def->fn == HD_FN_MIN;
        for (size_t cell = 0; cell < c->answer->n_cells; cell++) {
            const hd_k_tally *t = tally(c, cell, c->first + i);
            uint32_t rank = lowest ? t->extremes.lowest : t->extremes.highest;
            bytes += t->rows ? text_size(&values_of(c, i)[rank]) : 0;
        }
    }
    return bytes;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static hd_code fill(const cutting *c, hd_cells *out, hd_err *err)
{
    const scan_plan *p = c->p;
    size_t n_keys = out->n_keys, n_figures = out->n_aggregates;
    char *to = out->text_;
    for (size_t i = 0; i < out->n_cells; i++) {
        const hd_k_tally *all = &c->answer->all[i];
        out->all[i] = (hd_cell){.value = {.type = HD_INTEGER, .integer = all->rows},
                                .records = all->rows,
                                .persons = all->persons};
        for (size_t k = 0; k < n_keys; k++) {
            uint32_t slot = c->answer->slots[i * n_keys + k];
            hd_value *key = &out->keys[i * n_keys + k];
            *key = (hd_value){.type = c->a->key_views[k].type, .is_null = true};
            if (slot == HD_K_NO_SLOT)
                out->grouping[i] |= 1u << k;
            else
                *key = p->group_ranks[k]->values[slot];
        }
        for (size_t m = 0; m < n_figures; m++) {
            hd_cell *f = &out->figures[i * n_figures + m];
            HD_TRY(figure(c, tally(c, i, c->first + m), m, f, err));
            copy_text(&f->value, &to);
        }
    }
    for (size_t k = 0; k < n_keys; k++)
        HD_TRY(copy_key(out, k, c->answer, p->group_ranks[k], &to, err));
    return HD_OK;
}

hd_code hd_scan_cells(const scan_plan *p, size_t part, const hd_k_answer *answer, hd_cells **out,
                      hd_err *err)
{
    const scan_part *x = &p->parts[part];
    const cutting c = {p, x->a, answer, x->first_measure, p->measures + x->first_measure};
    HD_TRY(hd_cells_new(out, x->a->q.n_keys, x->a->q.n_aggregates, answer->n_cells, text_bytes(&c),
                        err));
    hd_code rc = fill(&c, *out, err);
    if (rc != HD_OK) {
        hd_cells_free(*out);
        *out = NULL;
    }
    return rc;
}
