/* merge.c - see merge.h.
 *
 * Cells get their place in the answer first (by set, then by key, which is by slots); then every
 * lane's tables are added into those places, lane after lane, which fixes the order in which
 * decimals are added. Cells kept by place are merged by all threads, a range of keys each.
 */
#include "kernel/merge.h"
#include "base/alloc.h"
#include "base/par.h"
#include "kernel/shape.h"

#include <string.h>

hd_code hd_k_merge_take(hd_k_merge *m, uint64_t bytes, hd_err *err)
{
    m->bytes += bytes;
    return m->bytes > m->p->q->max_bytes ? hd_k_fail_limit(m->p->q, m->bytes, err) : HD_OK;
}

hd_code hd_k_merge_array(hd_k_merge *m, void *out, size_t n, size_t item, hd_err *err)
{
    HD_TRY(hd_k_merge_take(m, (uint64_t)n * item, err));
    void *p = hd_calloc(n, item);
    if (!p)
        return hd_fail_nomem(err);
    memcpy(out, &p, sizeof p);
    return HD_OK;
}

void hd_k_merge_give_back(hd_k_merge *m, void *array, size_t n, size_t item)
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

enum { RANGE = 1 << 14 }; /* keys that one thread takes at a time */

static bool has_bins(const hd_k_question *q)
{
    for (size_t k = 0; k < q->n_measures; k++)
        if (q->measures[k].kind == HD_K_DISTRIBUTION || q->measures[k].kind == HD_K_DISTINCT)
            return true;
    return false;
}

/* Without groups the one cell is there even when no row passes. */
static bool is_there(const hd_k_merge *m, size_t set, uint64_t key)
{
    if (m->p->sets[set].mask == 0)
        return true;
    for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
        const hd_k_count *counts = m->lanes[lane].tables[set].arrays[hd_k_array_counts(0)];
        if (counts[key].rows > 0)
            return true;
    }
    return false;
}

/* One set's keys in ranges; each range writes only its own entries. */
typedef struct ranges {
    hd_k_merge *m;
    size_t set;
    size_t *starts; /* position among the set's cells of each range's first, once counted */
} ranges;

static hd_code count_range(void *ctx, size_t range, hd_err *err)
{
    ranges *r = ctx;
    uint64_t end = r->m->p->sets[r->set].product;
    HD_TRY(hd_k_go_on(r->m->p->q, err));
    end = end - range * RANGE < RANGE ? end : (range + 1) * RANGE;
    for (uint64_t key = range * RANGE; key < end; key++)
        r->starts[range + 1] += is_there(r->m, r->set, key);
    return HD_OK;
}

static size_t n_ranges(const hd_k_merge *m, size_t set)
{
    return (size_t)((m->p->sets[set].product + RANGE - 1) / RANGE);
}

static hd_code find_dense_cells(hd_k_merge *m, size_t set, hd_err *err)
{
    hd_k_set_cells *s = &m->sets[set];
    size_t n = n_ranges(m, set);
    HD_TRY(hd_k_merge_array(m, &s->starts, n + 1, sizeof *s->starts, err));
    ranges r = {m, set, s->starts};
    HD_TRY(hd_par_run(n, count_range, &r, err));
    for (size_t range = 0; range < n; range++)
        s->starts[range + 1] += s->starts[range];
    s->n = s->starts[n];
    if (!has_bins(m->p->q))
        return HD_OK;
    HD_TRY(hd_k_merge_array(m, &s->keys, s->n, sizeof *s->keys, err));
    HD_TRY(hd_k_merge_array(m, &s->places[0], m->p->sets[set].product, sizeof(uint32_t), err));
    for (size_t lane = 1; lane < m->p->n_lanes; lane++)
        s->places[lane] = s->places[0];
    return HD_OK;
}

static hd_code find_hashed_cells(hd_k_merge *m, size_t set, hd_err *err)
{
    hd_k_set_cells *s = &m->sets[set];
    uint64_t *from = NULL, *spare[2] = {NULL, NULL};
    size_t n = 0, at = 0;
    hd_code rc = HD_OK;
    for (size_t lane = 0; lane < m->p->n_lanes; lane++)
        n += m->lanes[lane].tables[set].map.n;
    HD_GO(hd_k_merge_array(m, &s->keys, n, sizeof *s->keys, err));
    HD_GO(hd_k_merge_array(m, &from, n, sizeof *from, err));
    HD_GO(hd_k_merge_array(m, &spare[0], n, sizeof *from, err));
    HD_GO(hd_k_merge_array(m, &spare[1], n, sizeof *from, err));
    for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
        const hd_k_map *map = &m->lanes[lane].tables[set].map;
        HD_GO(hd_k_merge_array(m, &s->places[lane], map->n, sizeof(uint32_t), err));
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
    hd_k_merge_give_back(m, from, n, sizeof *from);
    hd_k_merge_give_back(m, spare[0], n, sizeof *from);
    hd_k_merge_give_back(m, spare[1], n, sizeof *from);
    return rc;
}

static hd_code find_cells(hd_k_merge *m, hd_err *err)
{
    const hd_k_plan *p = m->p;
    for (size_t set = 0; set < p->q->n_sets; set++) {
        HD_TRY(hd_k_merge_array(m, &m->sets[set].places, p->n_lanes, sizeof(uint32_t *), err));
        HD_TRY(p->sets[set].dense ? find_dense_cells(m, set, err) : find_hashed_cells(m, set, err));
        m->sets[set].first = m->out->n_cells;
        m->out->n_cells += m->sets[set].n;
    }
    return HD_OK;
}

static void free_cells(hd_k_merge *m)
{
    for (size_t set = 0; m->sets && set < m->p->q->n_sets; set++) {
        hd_k_set_cells *s = &m->sets[set];
        for (size_t lane = 0; s->places && lane < m->p->n_lanes; lane++)
            if (lane == 0 || !m->p->sets[set].dense)
                hd_free(s->places[lane]);
        hd_free(s->places);
        hd_free(s->starts);
        hd_free(s->keys);
    }
    hd_free(m->sets);
}

/* ---- tallies -------------------------------------------------------------------------------- */

static void add_values(const hd_k_merge *m, size_t measure, const hd_k_table *t, size_t i,
                       hd_k_tally *to)
{
    const hd_k_measure *k = &m->p->q->measures[measure];
    const void *values = t->arrays[hd_k_array_values(m->p, m->p->twin[measure])];
    if (k->kind == HD_K_MOMENTS && m->p->is_narrow[measure]) {
        to->exact.sum += ((const int64_t *)values)[i];
    } else if (k->kind == HD_K_MOMENTS && k->integers) {
        to->exact.sum += ((const hd_k_exact *)values)[i].sum;
        to->exact.sum_squares += ((const hd_k_exact *)values)[i].sum_squares;
    } else if (k->kind == HD_K_MOMENTS) {
        to->decimal.sum += ((const hd_k_decimal *)values)[i].sum;
        to->decimal.sum_squares += ((const hd_k_decimal *)values)[i].sum_squares;
    } else if (k->kind == HD_K_EXTREMES) {
        /* The answer starts as zeros: `lowest` stays complemented until all lanes are in. */
        const hd_k_extremes *x = &((const hd_k_extremes *)values)[i];
        if (x->above > to->extremes.highest)
            to->extremes.highest = x->above;
        if (x->beyond > to->extremes.lowest)
            to->extremes.lowest = x->beyond;
    }
}

/* Cell i of a lane's table into a cell of the answer. */
static void add_cell(const hd_k_merge *m, size_t set, size_t lane, size_t i, size_t cell)
{
    const hd_k_plan *p = m->p;
    const hd_k_table *t = &m->lanes[lane].tables[set];
    const hd_k_count *all = (const hd_k_count *)t->arrays[hd_k_array_counts(0)] + i;
    m->out->all[cell].rows += all->rows;
    m->out->all[cell].persons += all->persons;
    for (size_t k = 0; k < p->q->n_measures; k++) {
        hd_k_tally *to = &m->out->tallies[cell * p->q->n_measures + k];
        const hd_k_count *count = t->arrays[hd_k_array_counts(p->class_of[k])];
        to->rows += count[i].rows;
        to->persons += count[i].persons;
        if (p->q->measures[k].kind != HD_K_COUNT)
            add_values(m, k, t, i, to);
    }
}

static void finish_cell(const hd_k_merge *m, size_t set, size_t cell)
{
    const hd_k_question *q = m->p->q;
    m->out->set[cell] = (uint32_t)set;
    for (size_t k = 0; k < q->n_measures; k++) {
        hd_k_tally *t = &m->out->tallies[cell * q->n_measures + k];
        if (q->measures[k].kind == HD_K_EXTREMES && t->rows) {
            t->extremes.lowest = UINT32_MAX - t->extremes.lowest;
            t->extremes.highest--;
        }
    }
}

static void put_slots(const hd_k_merge *m, size_t set, uint64_t key, uint32_t *slots)
{
    const uint64_t *strides = m->p->sets[set].strides;
    for (size_t g = 0; g < m->p->q->n_groups; g++) {
        slots[g] = strides[g] ? (uint32_t)(key / strides[g]) : HD_K_NO_SLOT;
        if (strides[g])
            key %= strides[g];
    }
}

/* The slots of the next key. */
static void advance(const hd_k_merge *m, size_t set, uint32_t *slots)
{
    const hd_k_question *q = m->p->q;
    for (size_t g = q->n_groups; g-- > 0;) {
        if (!m->p->sets[set].strides[g])
            continue;
        if (++slots[g] < q->groups[g].n_slots)
            return;
        slots[g] = 0;
    }
}

static hd_code fill_range(void *ctx, size_t range, hd_err *err)
{
    const ranges *r = ctx;
    hd_k_merge *m = r->m;
    const hd_k_set_cells *s = &m->sets[r->set];
    uint64_t end = m->p->sets[r->set].product;
    size_t n_groups = m->p->q->n_groups, at = s->starts[range];
    uint32_t slots[HD_K_MAX_GROUPS];
    HD_TRY(hd_k_go_on(m->p->q, err));
    end = end - range * RANGE < RANGE ? end : (range + 1) * RANGE;
    put_slots(m, r->set, range * RANGE, slots);
    for (uint64_t key = range * RANGE; key < end; key++, advance(m, r->set, slots)) {
        if (!is_there(m, r->set, key))
            continue;
        size_t cell = s->first + at;
        for (size_t lane = 0; lane < m->p->n_lanes; lane++)
            add_cell(m, r->set, lane, (size_t)key, cell);
        finish_cell(m, r->set, cell);
        memcpy(m->out->slots + cell * n_groups, slots, n_groups * sizeof *slots);
        if (s->keys) {
            s->keys[at] = key;
            s->places[0][key] = (uint32_t)at + 1;
        }
        at++;
    }
    return HD_OK;
}

static void fill_hashed(hd_k_merge *m, size_t set)
{
    const hd_k_set_cells *s = &m->sets[set];
    for (size_t lane = 0; lane < m->p->n_lanes; lane++)
        for (size_t i = 0; i < m->lanes[lane].tables[set].n_cells; i++)
            add_cell(m, set, lane, i, s->first + s->places[lane][i] - 1);
    for (size_t i = 0; i < s->n; i++) {
        finish_cell(m, set, s->first + i);
        put_slots(m, set, s->keys[i], m->out->slots + (s->first + i) * m->p->q->n_groups);
    }
}

static hd_code make_answer(hd_k_merge *m, hd_err *err)
{
    const hd_k_question *q = m->p->q;
    hd_k_answer *out = m->out;
    HD_TRY(hd_k_merge_array(m, &out->set, out->n_cells, sizeof *out->set, err));
    HD_TRY(hd_k_merge_array(m, &out->slots, out->n_cells * q->n_groups, sizeof *out->slots, err));
    HD_TRY(hd_k_merge_array(m, &out->all, out->n_cells, sizeof *out->all, err));
    HD_TRY(hd_k_merge_array(m, &out->tallies, out->n_cells * q->n_measures, sizeof *out->tallies,
                            err));
    for (size_t set = 0; set < q->n_sets; set++) {
        ranges r = {m, set, m->sets[set].starts};
        HD_TRY(hd_k_go_on(q, err));
        if (m->p->sets[set].dense)
            HD_TRY(hd_par_run(n_ranges(m, set), fill_range, &r, err));
        else
            fill_hashed(m, set);
    }
    return HD_OK;
}

static hd_code merge_lanes(const hd_k_plan *p, const hd_k_lane *lanes, hd_k_answer *out,
                           hd_err *err)
{
    hd_code rc = HD_OK;
    hd_k_merge m = {.p = p, .lanes = lanes, .out = out};
    for (size_t lane = 0; lane < p->n_lanes; lane++)
        m.bytes += lanes[lane].bytes;
    HD_GO(hd_k_merge_array(&m, &m.sets, p->q->n_sets, sizeof *m.sets, err));
    HD_GO(find_cells(&m, err));
    HD_GO(make_answer(&m, err));
    for (size_t set = 0; set < p->q->n_sets; set++)
        for (size_t k = 0; k < p->q->n_measures; k++)
            HD_GO(hd_k_merge_bins(&m, set, k, err));
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
