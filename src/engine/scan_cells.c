/* scan_cells.c - the kernel's answer as the true cells of one question of a plan.
 *
 * Columns of the answer that are figures as they stand (slots, counts, sums of integers) become the
 * cells' own, without a copy where nobody else wants them; the other figures are worked out by all
 * threads, a range of cells each. Cells own their values: those of a plan are shared by many
 * questions and stay as they are.
 */
#include "engine/scan_plan.h"
#include "base/alloc.h"
#include "base/par.h"
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
    hd_cells *out;
} cutting;

static const hd_value *values_of(const cutting *c, size_t i)
{
    return c->p->measure_ranks[c->first + i]->values;
}

static hd_k_bins bins_of(const hd_k_tally *t)
{
    return (hd_k_bins){t->distribution.first, t->distribution.n};
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
    const hd_value *a = &values[hd_k_order_statistic(c->answer, bins_of(t), low)];
    const hd_value *b = &values[hd_k_order_statistic(c->answer, bins_of(t), high)];
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

static double largest_share(const cutting *c, const hd_k_tally *t)
{
    const hd_k_bin *bins = &c->answer->distribution[t->distribution.first];
    uint32_t most = 0;
    for (uint32_t k = 0; k < t->distribution.n; k++)
        most = bins[k].rows > most ? bins[k].rows : most;
    return (double)most / (double)t->rows;
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

/* A figure that is worked out: not a count. */
static hd_code figure(const cutting *c, const hd_k_tally *t, size_t i, hd_value *v, hd_err *err)
{
    const asked_aggregate *g = &c->a->aggregates[i];
    if (t->rows == 0) {
        v->is_null = true;
        return HD_OK;
    }
    if (g->def->kind == HD_AGG_SPREAD) {
        spread(c, t, i, v);
        return HD_OK;
    }
    if (g->def->kind == HD_AGG_SHARE) {
        v->decimal = largest_share(c, t);
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

/* ---- columns that are worked out -------------------------------------------------------------- */

enum { RANGE = 1 << 12 }; /* cells that one thread takes at a time */

typedef struct working {
    const cutting *c;
    size_t aggregate;
} working;

static hd_code work_range(void *ctx, size_t range, hd_err *err)
{
    const working *w = ctx;
    const cutting *c = w->c;
    hd_vector *v = &c->out->figures[w->aggregate];
    size_t end = (range + 1) * RANGE < c->answer->n_cells ? (range + 1) * RANGE : c->answer->n_cells;
    bool is_lowest = c->a->aggregates[w->aggregate].def->fn == HD_FN_MIN;
    for (size_t i = range * RANGE; i < end; i++) {
        const hd_k_tally t = hd_k_answer_tally(c->answer, i, c->first + w->aggregate);
        hd_value x = {.type = v->type};
        if (v->form == HD_PLACES) {
            uint32_t rank = is_lowest ? t.extremes.lowest : t.extremes.highest;
            ((uint32_t *)v->data)[i] = t.rows ? rank : HD_NO_PLACE;
            continue;
        }
        HD_TRY(figure(c, &t, w->aggregate, &x, err));
        v->is_null[i] = x.is_null;
        if (x.is_null)
            continue;
        if (v->form == HD_DECIMALS)
            ((double *)v->data)[i] = x.decimal;
        else
            ((int64_t *)v->data)[i] = x.integer;
    }
    return HD_OK;
}

/* ---- values and their texts ------------------------------------------------------------------- */

/* The values that a column of places names, as the cells' own: all of them, or, when most are
 * not there, those that are, the places numbered anew. */
static hd_code own_values(const cutting *c, hd_vector *v, const hd_ranks *ranks, hd_err *err)
{
    uint32_t *places = v->data, n = 0;
    size_t n_cells = c->answer->n_cells, bytes = 0;
    uint32_t *number = hd_calloc((size_t)ranks->n + 1, sizeof *number);
    bool is_sparse = ranks->n / 4 > n_cells;
    if (!number)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n_cells && is_sparse; i++)
        if (places[i] != HD_NO_PLACE)
            number[places[i]] = 1;
    for (uint32_t i = 0; i < ranks->n; i++) {
        bool is_there = !is_sparse || number[i];
        number[i] = n;
        n += is_there;
        bytes += is_there && ranks->values[i].type == HD_TEXT && !ranks->values[i].is_null
                     ? ranks->values[i].text.len
                     : 0;
    }
    number[ranks->n] = n;
    hd_value *values = hd_cells_take(c->out, n, sizeof *values);
    char *text = hd_cells_take(c->out, bytes, 1);
    for (uint32_t i = 0; i < ranks->n && values && text; i++) {
        hd_value *to = &values[number[i]];
        if (number[i + 1] == number[i])
            continue;
        *to = ranks->values[i];
        to->type = v->type;
        if (to->type == HD_TEXT && !to->is_null && to->text.len) {
            memcpy(text, to->text.bytes, to->text.len);
            to->text.bytes = text;
            text += to->text.len;
        }
    }
    for (size_t i = 0; i < n_cells && is_sparse; i++)
        if (places[i] != HD_NO_PLACE)
            places[i] = number[places[i]];
    hd_free(number);
    v->values = values;
    v->n_values = n;
    v->ascends = true;
    return values && text ? HD_OK : hd_fail_nomem(err);
}

static hd_code work_column(const cutting *c, size_t i, hd_err *err)
{
    hd_vector *v = &c->out->figures[i];
    size_t n = c->answer->n_cells;
    v->form = hd_form_of(v->type);
    v->data = hd_cells_take(c->out, n, hd_form_bytes(v->form));
    v->is_null = v->form == HD_PLACES ? NULL : hd_cells_take(c->out, n, 1);
    if (!v->data || (v->form != HD_PLACES && !v->is_null))
        return hd_fail_nomem(err);
    working w = {c, i};
    HD_TRY(hd_par_run((n + RANGE - 1) / RANGE, work_range, &w, err));
    return v->form == HD_PLACES ? own_values(c, v, c->p->measure_ranks[c->first + i], err) : HD_OK;
}

/* ---- columns of the answer as they stand ------------------------------------------------------ */

/* Columns of the answer that the cells have already: other figures may want them too. */
typedef struct claims {
    size_t n;
    struct {
        const void *from;
        void *to;
    } items[2 * (HD_MAX_AGGREGATES + 1) + HD_MAX_KEYS + HD_MAX_AGGREGATES];
    hd_k_answer *giver; /* NULL: columns are copied, somebody else wants them */
} claims;

static hd_code claim(const cutting *c, claims *k, void *from, size_t item, void *out, hd_err *err)
{
    size_t i = 0, bytes = c->answer->n_cells * item;
    while (i < k->n && k->items[i].from != from)
        i++;
    if (i == k->n) {
        void *to = from;
        if (k->giver) {
            hd_k_answer_give(k->giver, from);
            HD_TRY(hd_cells_own(c->out, from, bytes, err));
        } else {
            to = hd_cells_take(c->out, c->answer->n_cells, item);
            if (!to)
                return hd_fail_nomem(err);
            if (bytes)
                memcpy(to, from, bytes);
        }
        k->items[k->n].from = from;
        k->items[k->n++].to = to;
    }
    memcpy(out, &k->items[i].to, sizeof(void *));
    return HD_OK;
}

static hd_code claim_counts(const cutting *c, claims *k, const hd_k_counts *from,
                            hd_cell_counts *to, hd_err *err)
{
    hd_k_counts own = *from; /* what is claimed is no longer the answer's */
    HD_TRY(claim(c, k, own.rows, sizeof *own.rows, &to->records, err));
    return own.persons ? claim(c, k, own.persons, sizeof *own.persons, &to->persons, err) : HD_OK;
}

/* A sum of nothing is NULL. */
static hd_code note_empty(const cutting *c, size_t i, hd_err *err)
{
    const uint32_t *records = c->out->counts[i].records;
    hd_vector *v = &c->out->figures[i];
    size_t n = c->answer->n_cells, first = 0;
    while (first < n && records[first])
        first++;
    if (first == n)
        return HD_OK;
    v->is_null = hd_cells_take(c->out, n, 1);
    if (!v->is_null)
        return hd_fail_nomem(err);
    for (size_t cell = first; cell < n; cell++)
        v->is_null[cell] = !records[cell];
    return HD_OK;
}

static bool stands(const cutting *c, size_t i)
{
    hd_k_kind kind = c->measures[i].kind;
    return kind == HD_K_COUNT || kind == HD_K_DISTINCT ||
           (kind == HD_K_MOMENTS && c->answer->values[c->first + i].form == HD_K_SUMS &&
            c->a->aggregates[i].def->kind == HD_AGG_SUM);
}

/* columns: as the answer had them before anything was claimed. */
static hd_code claim_figure(const cutting *c, claims *k, size_t i, const hd_k_counts *counts,
                            void *const *columns, hd_err *err)
{
    hd_vector *v = &c->out->figures[i];
    hd_cell_counts *own = &c->out->counts[i];
    HD_TRY(claim_counts(c, k, &counts[c->answer->class_of[c->first + i]], own, err));
    if (!stands(c, i))
        return HD_OK;
    if (c->measures[i].kind == HD_K_COUNT) {
        v->form = HD_COUNTS;
        v->data = c->a->aggregates[i].is_person ? own->persons : own->records;
        return HD_OK;
    }
    v->form = HD_NUMBERS;
    HD_TRY(claim(c, k, columns[c->first + i], sizeof(int64_t), &v->data, err));
    return c->measures[i].kind == HD_K_MOMENTS ? note_empty(c, i, err) : HD_OK;
}

static hd_code claim_keys(const cutting *c, claims *k, hd_err *err)
{
    for (size_t g = 0; g < c->out->n_keys; g++) {
        hd_vector *v = &c->out->keys[g];
        *v = (hd_vector){.type = c->a->key_views[g].type, .form = HD_PLACES};
        HD_TRY(claim(c, k, c->answer->slots[g], sizeof(uint32_t), &v->data, err));
        HD_TRY(own_values(c, v, c->p->group_ranks[g], err));
    }
    return HD_OK;
}

static hd_code claim_all(const cutting *c, hd_k_answer *answer, bool last, hd_err *err)
{
    claims k = {.giver = last ? answer : NULL};
    hd_code rc = HD_OK;
    hd_k_counts *counts = hd_calloc(answer->n_classes, sizeof *counts);
    void **columns = hd_calloc(answer->n_measures, sizeof *columns);
    if (!counts || !columns)
        HD_GO(hd_fail_nomem(err));
    memcpy(counts, answer->counts, answer->n_classes * sizeof *counts);
    for (size_t m = 0; m < answer->n_measures; m++)
        columns[m] = answer->values[m].items;
    HD_GO(claim_counts(c, &k, &counts[0], &c->out->all, err));
    for (size_t i = 0; i < c->out->n_aggregates; i++)
        HD_GO(claim_figure(c, &k, i, counts, columns, err));
    HD_GO(claim_keys(c, &k, err));
out:
    hd_free(counts);
    hd_free(columns);
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static hd_code note_groupings(const cutting *c, hd_err *err)
{
    uint32_t every = (uint32_t)((UINT64_C(1) << c->out->n_keys) - 1);
    const hd_k_answer *answer = c->answer;
    if (answer->n_sets == 1 && c->a->sets[0] == every)
        return HD_OK;
    c->out->grouping = hd_cells_take(c->out, answer->n_cells, sizeof *c->out->grouping);
    if (!c->out->grouping)
        return hd_fail_nomem(err);
    for (size_t s = 0; s < answer->n_sets; s++)
        for (size_t i = answer->set_starts[s]; i < answer->set_starts[s + 1]; i++)
            c->out->grouping[i] = every & ~c->a->sets[s];
    return HD_OK;
}

hd_code hd_scan_cells(const scan_plan *p, size_t part, hd_k_answer *answer, hd_cells **out,
                      hd_err *err)
{
    const scan_part *x = &p->parts[part];
    hd_code rc;
    cutting c = {p, x->a, answer, x->first_measure, p->measures + x->first_measure, NULL};
    HD_TRY(hd_cells_new(out, x->a->q.n_keys, x->a->q.n_aggregates, answer->n_cells, 0, err));
    c.out = *out;
    for (size_t i = 0; i < x->a->q.n_aggregates; i++) {
        c.out->figures[i].type = x->a->aggregate_views[i].type;
        if (!stands(&c, i))
            HD_GO(work_column(&c, i, err));
    }
    HD_GO(note_groupings(&c, err));
    HD_GO(claim_all(&c, answer, part + 1 == p->n_parts, err));
    c.out->are_in_order = !c.out->grouping; /* the kernel's order: slots ascending */
out:
    if (rc != HD_OK) {
        hd_cells_free(*out);
        *out = NULL;
    }
    return rc;
}
