/* merge.c - see merge.h.
 *
 * Cells get their place in the answer first (by set, then by key, which is by slots); then every
 * lane's tables are added into those places, lane after lane, which fixes the order in which
 * decimals are added.
 */
#include "kernel/merge.h"
#include "base/alloc.h"
#include "base/par.h"
#include "kernel/shape.h"

#include <string.h>

enum { NO_CELL = 0 }; /* places[] hold the cell's number in its set plus 1 */

/* The cells of one set: their keys ascending, and where each lane's cells went. */
typedef struct set_cells {
    size_t n;
    size_t first; /* position of the set's first cell in the answer */
    uint64_t *keys;
    uint32_t **places; /* n_lanes; one array for all of them when the set is dense */
} set_cells;

typedef struct merge {
    const hd_k_plan *p;
    const hd_k_lane *lanes;
    hd_k_answer *out;
    set_cells *sets;
    uint64_t bytes; /* lanes and everything made here */
    size_t n_bins, cap_bins;
} merge;

static hd_code take(merge *m, uint64_t bytes, hd_err *err)
{
    m->bytes += bytes;
    return m->bytes > m->p->q->max_bytes ? hd_k_fail_limit(m->p->q, m->bytes, err) : HD_OK;
}

static hd_code take_array(merge *m, void *out, size_t n, size_t item, hd_err *err)
{
    HD_TRY(take(m, (uint64_t)n * item, err));
    void *p = hd_calloc(n, item);
    if (!p)
        return hd_fail_nomem(err);
    memcpy(out, &p, sizeof p);
    return HD_OK;
}

static void give_back(merge *m, void *array, size_t n, size_t item)
{
    if (array)
        m->bytes -= (uint64_t)n * item;
    hd_free(array);
}

void hd_k_sort_pairs(uint64_t *keys, uint64_t *values, uint64_t *spare_keys, uint64_t *spare_values,
                     size_t n)
{
    uint64_t differ = 0;
    for (size_t i = 1; i < n; i++)
        differ |= keys[i] ^ keys[0];
    uint64_t *k = keys, *v = values, *k2 = spare_keys, *v2 = spare_values;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (!(differ >> shift & 255))
            continue;
        size_t at[257] = {0};
        for (size_t i = 0; i < n; i++)
            at[(k[i] >> shift & 255) + 1]++;
        for (unsigned d = 0; d < 256; d++)
            at[d + 1] += at[d];
        for (size_t i = 0; i < n; i++) {
            size_t to = at[k[i] >> shift & 255]++;
            k2[to] = k[i];
            v2[to] = v[i];
        }
        uint64_t *swap = k;
        k = k2;
        k2 = swap;
        swap = v;
        v = v2;
        v2 = swap;
    }
    if (k != keys) {
        memcpy(keys, k, n * sizeof *keys);
        memcpy(values, v, n * sizeof *values);
    }
}

/* ---- which cells there are ------------------------------------------------------------------ */

static const hd_k_count *lane_counts(const merge *m, size_t lane, size_t set, size_t class)
{
    return m->lanes[lane].tables[set].arrays[hd_k_array_counts(class)];
}

static hd_code find_dense_cells(merge *m, size_t set, hd_err *err)
{
    set_cells *s = &m->sets[set];
    size_t product = m->p->sets[set].product;
    HD_TRY(take_array(m, &s->places[0], product, sizeof(uint32_t), err));
    for (size_t lane = 1; lane < m->p->n_lanes; lane++)
        s->places[lane] = s->places[0];
    /* Without groups the one cell is there even when no row passes. */
    for (size_t key = 0; key < product; key++) {
        bool there = m->p->sets[set].mask == 0;
        for (size_t lane = 0; lane < m->p->n_lanes && !there; lane++)
            there = lane_counts(m, lane, set, 0)[key].rows > 0;
        if (there)
            s->places[0][key] = (uint32_t)++s->n;
    }
    HD_TRY(take_array(m, &s->keys, s->n, sizeof *s->keys, err));
    for (size_t key = 0; key < product; key++)
        if (s->places[0][key] != NO_CELL)
            s->keys[s->places[0][key] - 1] = key;
    return HD_OK;
}

static hd_code find_hashed_cells(merge *m, size_t set, hd_err *err)
{
    set_cells *s = &m->sets[set];
    uint64_t *from = NULL, *spare[2] = {NULL, NULL};
    size_t n = 0, at = 0;
    hd_code rc = HD_OK;
    for (size_t lane = 0; lane < m->p->n_lanes; lane++)
        n += m->lanes[lane].tables[set].map.n;
    HD_GO(take_array(m, &s->keys, n, sizeof *s->keys, err));
    HD_GO(take_array(m, &from, n, sizeof *from, err));
    HD_GO(take_array(m, &spare[0], n, sizeof *from, err));
    HD_GO(take_array(m, &spare[1], n, sizeof *from, err));
    for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
        const hd_k_map *map = &m->lanes[lane].tables[set].map;
        HD_GO(take_array(m, &s->places[lane], map->n, sizeof(uint32_t), err));
        for (size_t i = 0; i < map->n; i++, at++) {
            s->keys[at] = map->keys[i];
            from[at] = (uint64_t)lane << 32 | i;
        }
    }
    hd_k_sort_pairs(s->keys, from, spare[0], spare[1], n);
    for (size_t i = 0; i < n; i++) {
        if (s->n == 0 || s->keys[i] != s->keys[s->n - 1])
            s->keys[s->n++] = s->keys[i];
        s->places[from[i] >> 32][(uint32_t)from[i]] = (uint32_t)s->n;
    }
out:
    give_back(m, from, n, sizeof *from);
    give_back(m, spare[0], n, sizeof *from);
    give_back(m, spare[1], n, sizeof *from);
    return rc;
}

static hd_code find_cells(merge *m, hd_err *err)
{
    const hd_k_plan *p = m->p;
    for (size_t set = 0; set < p->q->n_sets; set++) {
        HD_TRY(take_array(m, &m->sets[set].places, p->n_lanes, sizeof(uint32_t *), err));
        HD_TRY(p->sets[set].dense ? find_dense_cells(m, set, err) : find_hashed_cells(m, set, err));
        m->sets[set].first = m->out->n_cells;
        m->out->n_cells += m->sets[set].n;
    }
    return HD_OK;
}

static void free_cells(merge *m)
{
    for (size_t set = 0; m->sets && set < m->p->q->n_sets; set++) {
        set_cells *s = &m->sets[set];
        for (size_t lane = 0; s->places && lane < m->p->n_lanes; lane++)
            if (lane == 0 || !m->p->sets[set].dense)
                hd_free(s->places[lane]);
        hd_free(s->places);
        hd_free(s->keys);
    }
    hd_free(m->sets);
}

static hd_code make_answer(merge *m, hd_err *err)
{
    const hd_k_question *q = m->p->q;
    hd_k_answer *out = m->out;
    HD_TRY(take_array(m, &out->set, out->n_cells, sizeof *out->set, err));
    HD_TRY(take_array(m, &out->slots, out->n_cells * q->n_groups, sizeof *out->slots, err));
    HD_TRY(take_array(m, &out->all, out->n_cells, sizeof *out->all, err));
    HD_TRY(take_array(m, &out->tallies, out->n_cells * q->n_measures, sizeof *out->tallies, err));
    for (size_t set = 0; set < q->n_sets; set++) {
        const uint64_t *strides = m->p->sets[set].strides;
        for (size_t i = 0; i < m->sets[set].n; i++) {
            size_t cell = m->sets[set].first + i;
            uint64_t key = m->sets[set].keys[i];
            out->set[cell] = (uint32_t)set;
            for (size_t g = 0; g < q->n_groups; g++) {
                out->slots[cell * q->n_groups + g] =
                    strides[g] ? (uint32_t)(key / strides[g]) : HD_K_NO_SLOT;
                if (strides[g])
                    key %= strides[g];
            }
        }
    }
    return HD_OK;
}

/* ---- counts --------------------------------------------------------------------------------- */

static hd_k_tally *tally(const merge *m, size_t cell, size_t measure)
{
    return &m->out->tallies[cell * m->p->q->n_measures + measure];
}

static hd_code merge_class(merge *m, size_t set, size_t class, hd_err *err)
{
    const hd_k_plan *p = m->p;
    const set_cells *s = &m->sets[set];
    struct sum {
        uint64_t rows, persons;
    } *sums = NULL;
    HD_TRY(take_array(m, &sums, s->n, sizeof *sums, err));
    for (size_t lane = 0; lane < p->n_lanes; lane++) {
        const hd_k_table *t = &m->lanes[lane].tables[set];
        const hd_k_count *counts = t->arrays[hd_k_array_counts(class)];
        for (size_t i = 0; i < t->n_cells; i++) {
            uint32_t place = s->places[lane][i];
            if (place == NO_CELL)
                continue;
            sums[place - 1].rows += counts[i].rows;
            sums[place - 1].persons += counts[i].persons;
        }
    }
    for (size_t i = 0; i < s->n; i++) {
        hd_k_tally t = {.rows = (int64_t)sums[i].rows, .persons = (int64_t)sums[i].persons};
        if (class == 0)
            m->out->all[s->first + i] = t;
        for (size_t k = 0; k < p->q->n_measures; k++)
            if (p->class_of[k] == class) {
                hd_k_tally *to = tally(m, s->first + i, k);
                to->rows = t.rows;
                to->persons = t.persons;
            }
    }
    give_back(m, sums, s->n, sizeof *sums);
    return HD_OK;
}

/* ---- values --------------------------------------------------------------------------------- */

static void merge_exact(merge *m, size_t set, size_t measure)
{
    const set_cells *s = &m->sets[set];
    for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
        const hd_k_table *t = &m->lanes[lane].tables[set];
        const hd_k_exact *values = t->arrays[hd_k_array_values(m->p, measure)];
        for (size_t i = 0; i < t->n_cells; i++) {
            if (s->places[lane][i] == NO_CELL)
                continue;
            hd_k_tally *to = tally(m, s->first + s->places[lane][i] - 1, measure);
            to->exact.sum += values[i].sum;
            to->exact.sum_squares += values[i].sum_squares;
        }
    }
}

static void merge_sums(merge *m, size_t set, size_t measure)
{
    const set_cells *s = &m->sets[set];
    for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
        const hd_k_table *t = &m->lanes[lane].tables[set];
        const int64_t *values = t->arrays[hd_k_array_values(m->p, measure)];
        for (size_t i = 0; i < t->n_cells; i++)
            if (s->places[lane][i] != NO_CELL)
                tally(m, s->first + s->places[lane][i] - 1, measure)->exact.sum += values[i];
    }
}

static void merge_decimal(merge *m, size_t set, size_t measure)
{
    const set_cells *s = &m->sets[set];
    for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
        const hd_k_table *t = &m->lanes[lane].tables[set];
        const hd_k_decimal *values = t->arrays[hd_k_array_values(m->p, measure)];
        for (size_t i = 0; i < t->n_cells; i++) {
            if (s->places[lane][i] == NO_CELL)
                continue;
            hd_k_tally *to = tally(m, s->first + s->places[lane][i] - 1, measure);
            to->decimal.sum += values[i].sum;
            to->decimal.sum_squares += values[i].sum_squares;
        }
    }
}

static void merge_extremes(merge *m, size_t set, size_t measure)
{
    const set_cells *s = &m->sets[set];
    for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
        const hd_k_table *t = &m->lanes[lane].tables[set];
        const hd_k_extremes *values = t->arrays[hd_k_array_values(m->p, measure)];
        const hd_k_count *counts = lane_counts(m, lane, set, m->p->class_of[measure]);
        for (size_t i = 0; i < t->n_cells; i++) {
            if (s->places[lane][i] == NO_CELL || counts[i].rows == 0)
                continue;
            hd_k_tally *to = tally(m, s->first + s->places[lane][i] - 1, measure);
            /* The answer starts as zeros: `lowest` stays complemented until all lanes are in. */
            if (values[i].above - 1 > to->extremes.highest)
                to->extremes.highest = values[i].above - 1;
            if (values[i].beyond > to->extremes.lowest)
                to->extremes.lowest = values[i].beyond;
        }
    }
    for (size_t i = 0; i < s->n; i++) {
        hd_k_tally *to = tally(m, s->first + i, measure);
        to->extremes.lowest = to->rows ? UINT32_MAX - to->extremes.lowest : 0;
    }
}

/* Bins arrive by cell, then rank ascending. */
static hd_code add_bin(merge *m, size_t set, size_t measure, size_t cell, uint32_t rank,
                       uint64_t rows, hd_err *err)
{
    hd_k_tally *to = tally(m, m->sets[set].first + cell, measure);
    if (m->p->q->measures[measure].kind == HD_K_DISTINCT) {
        to->distinct++;
        return HD_OK;
    }
    if (m->n_bins == m->cap_bins) {
        size_t old = m->cap_bins;
        HD_TRY(take(m, (old ? old : 16) * sizeof(hd_k_bin), err));
        if (!HD_GROW(m->out->distribution, m->n_bins, m->cap_bins))
            return hd_fail_nomem(err);
    }
    if (to->distribution.n++ == 0)
        to->distribution.first = m->n_bins;
    m->out->distribution[m->n_bins++] = (hd_k_bin){.rank = rank, .rows = rows};
    return HD_OK;
}

static hd_code merge_dense_bins(merge *m, size_t set, size_t measure, hd_err *err)
{
    const set_cells *s = &m->sets[set];
    size_t n_ranks = m->p->q->measures[measure].n_ranks;
    size_t values = hd_k_array_values(m->p, measure);
    for (size_t i = 0; i < s->n; i++)
        for (size_t rank = 0; rank < n_ranks; rank++) {
            uint64_t rows = 0;
            for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
                const uint32_t *bins = m->lanes[lane].tables[set].arrays[values];
                rows += bins[s->keys[i] * n_ranks + rank];
            }
            if (rows)
                HD_TRY(add_bin(m, set, measure, i, (uint32_t)rank, rows, err));
        }
    return HD_OK;
}

static hd_code merge_pairs(merge *m, size_t set, size_t measure, hd_err *err)
{
    const set_cells *s = &m->sets[set];
    uint64_t *arrays[4] = {NULL, NULL, NULL, NULL}; /* keys, rows, and their spares */
    size_t n = 0, at = 0;
    hd_code rc = HD_OK;
    for (size_t lane = 0; lane < m->p->n_lanes; lane++)
        n += m->lanes[lane].tables[set].pairs[measure].map.n;
    for (size_t a = 0; a < 4; a++)
        HD_GO(take_array(m, &arrays[a], n, sizeof(uint64_t), err));
    for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
        const hd_k_pairs *pairs = &m->lanes[lane].tables[set].pairs[measure];
        for (size_t i = 0; i < pairs->map.n; i++, at++) {
            uint32_t place = s->places[lane][pairs->map.keys[i] >> 32];
            arrays[0][at] = (uint64_t)(place - 1) << 32 | (uint32_t)pairs->map.keys[i];
            arrays[1][at] = pairs->counts[i];
        }
    }
    hd_k_sort_pairs(arrays[0], arrays[1], arrays[2], arrays[3], n);
    for (size_t i = 0; i < n;) {
        uint64_t key = arrays[0][i], rows = 0;
        for (; i < n && arrays[0][i] == key; i++)
            rows += arrays[1][i];
        HD_GO(add_bin(m, set, measure, key >> 32, (uint32_t)key, rows, err));
    }
out:
    for (size_t a = 0; a < 4; a++)
        give_back(m, arrays[a], n, sizeof(uint64_t));
    return rc;
}

static hd_code merge_measure(merge *m, size_t set, size_t measure, hd_err *err)
{
    const hd_k_measure *k = &m->p->q->measures[measure];
    switch (k->kind) {
    case HD_K_COUNT:
        return HD_OK;
    case HD_K_MOMENTS:
        if (m->p->is_narrow[measure])
            merge_sums(m, set, measure);
        else if (k->integers)
            merge_exact(m, set, measure);
        else
            merge_decimal(m, set, measure);
        return HD_OK;
    case HD_K_EXTREMES:
        merge_extremes(m, set, measure);
        return HD_OK;
    case HD_K_DISTRIBUTION:
    case HD_K_DISTINCT:
        return m->p->sets[set].items[hd_k_array_values(m->p, measure)]
                   ? merge_dense_bins(m, set, measure, err)
                   : merge_pairs(m, set, measure, err);
    }
    return HD_OK;
}

static hd_code merge_lanes(const hd_k_plan *p, const hd_k_lane *lanes, hd_k_answer *out,
                           hd_err *err)
{
    hd_code rc = HD_OK;
    merge m = {.p = p, .lanes = lanes, .out = out};
    for (size_t lane = 0; lane < p->n_lanes; lane++)
        m.bytes += lanes[lane].bytes;
    HD_GO(take_array(&m, &m.sets, p->q->n_sets, sizeof *m.sets, err));
    HD_GO(find_cells(&m, err));
    HD_GO(make_answer(&m, err));
    for (size_t set = 0; set < p->q->n_sets; set++) {
        for (size_t class = 0; class < p->n_classes; class ++) {
            HD_GO(hd_k_go_on(p->q, err));
            HD_GO(merge_class(&m, set, class, err));
        }
        for (size_t measure = 0; measure < p->q->n_measures; measure++) {
            HD_GO(hd_k_go_on(p->q, err));
            HD_GO(merge_measure(&m, set, measure, err));
        }
    }
out:
    free_cells(&m);
    return rc;
}

/* ---- running -------------------------------------------------------------------------------- */

typedef struct run {
    const hd_k_plan *plan;
    hd_k_lane *lanes;
    atomic_size_t next_piece;
} run;

static hd_code run_lane(void *ctx, size_t task, hd_err *err)
{
    run *r = ctx;
    bool own = r->plan->n_pieces == r->plan->n_lanes;
    HD_TRY(hd_k_lane_open(&r->lanes[task], r->plan, task, own ? NULL : &r->next_piece, err));
    return r->plan->shape ? hd_k_scan_batches(&r->lanes[task], err)
                          : hd_k_scan_scalar(&r->lanes[task], err);
}

static hd_code run_lanes(const hd_k_plan *p, hd_k_answer *out, hd_err *err)
{
    run r = {.plan = p, .lanes = hd_calloc(p->n_lanes, sizeof *r.lanes)};
    if (!r.lanes)
        return hd_fail_nomem(err);
    hd_code rc = hd_par_run(p->n_lanes, run_lane, &r, err);
    if (rc == HD_OK)
        rc = merge_lanes(p, r.lanes, out, err);
    for (size_t lane = 0; lane < p->n_lanes; lane++)
        hd_k_lane_close(&r.lanes[lane]);
    hd_free(r.lanes);
    return rc;
}

static hd_code run_planned(hd_k_plan *p, hd_k_answer *out, hd_err *err)
{
    hd_k_shape shape;
    bool fits = false;
    if (p->ops)
        HD_TRY(hd_k_shape_make(&shape, p, &fits, err));
    p->shape = fits ? &shape : NULL;
    hd_code rc = run_lanes(p, out, err);
    if (fits)
        hd_k_shape_free(&shape);
    return rc;
}

hd_code hd_k_run(const hd_k_question *q, const hd_k_tuning *tuning, const struct hd_k_ops *ops,
                 hd_k_answer *out, hd_err *err)
{
    memset(out, 0, sizeof *out);
    hd_code rc = HD_OK;
    for (size_t at_most = 0; at_most < 2; at_most++) {
        hd_k_plan plan;
        HD_TRY(hd_k_plan_make(&plan, q, tuning, at_most, ops == NULL, err));
        plan.ops = ops;
        size_t n_lanes = plan.n_lanes;
        rc = run_planned(&plan, out, err);
        hd_k_plan_free(&plan);
        if (rc == HD_OK)
            return HD_OK;
        hd_k_answer_free(out);
        if (rc != HD_LIMIT || n_lanes == 1)
            break;
    }
    return rc;
}
