/* merge.c - see merge.h.
 *
 * Cells get their place in the answer first (by set, then by key, which is by slots); then every
 * lane's tables are added into those places, lane after lane, which fixes the order in which
 * decimals are added. Cells kept by place are merged by all threads, a range of keys each.
 */
#include "kernel/merge.h"
#include "kernel/parts.h"
#include "base/alloc.h"
#include "base/par.h"
#include "base/sort.h"
#include "kernel/shape.h"

#include <string.h>

hd_code hd_k_merge_take(hd_k_merge *m, uint64_t bytes, hd_err *err)
{
    m->bytes += bytes;
    return m->bytes > m->p->q->max_bytes ? hd_k_fail_limit(m->p->q, err) : HD_OK;
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

/* ---- which cells there are ------------------------------------------------------------------ */

enum { RANGE = 1 << 14 }; /* keys that one thread takes at a time */

static bool has_bins(const hd_k_question *q)
{
    for (size_t k = 0; k < q->n_measures; k++)
        if (q->measures[k].kind == HD_K_DISTRIBUTION || q->measures[k].kind == HD_K_DISTINCT)
            return true;
    return false;
}

/* One set's keys in ranges; each range writes only its own entries. */
typedef struct ranges {
    hd_k_merge *m;
    size_t set;
    size_t *starts; /* position among the set's cells of each range's first, once counted */
} ranges;

static size_t n_ranges(const hd_k_merge *m, size_t set)
{
    return (size_t)((m->p->sets[set].product + RANGE - 1) / RANGE);
}

static size_t keys_of(const ranges *r, size_t range)
{
    uint64_t left = r->m->p->sets[r->set].product - (uint64_t)range * RANGE;
    return left < RANGE ? (size_t)left : RANGE;
}

/* Rows of all lanes where they are counted in bytes, of the n keys of a range. */
static void add_bytes(const ranges *r, size_t range, size_t n, uint32_t *restrict rows)
{
    const hd_k_set_cells *s = &r->m->sets[r->set];
    memset(rows, 0, n * sizeof *rows);
    for (size_t lane = 0; lane < r->m->p->n_lanes; lane++) {
        const uint8_t *restrict bytes =
            (uint8_t *)r->m->lanes[lane].tables[r->set].arrays[hd_k_array_rows(0)] + range * RANGE;
        for (size_t k = 0; k < n; k++)
            rows[k] += bytes[k];
    }
    for (size_t i = s->full_starts[range]; i < s->full_starts[range + 1]; i++)
        rows[s->full[i] % RANGE] += HD_K_FULL_ROWS;
}

/* A byte is 0 only where no row is. */
static size_t count_bytes(const ranges *r, size_t range, size_t n)
{
    uint8_t any[RANGE] = {0};
    size_t there = 0;
    for (size_t lane = 0; lane < r->m->p->n_lanes; lane++) {
        const uint8_t *restrict bytes =
            (uint8_t *)r->m->lanes[lane].tables[r->set].arrays[hd_k_array_rows(0)] + range * RANGE;
        for (size_t k = 0; k < n; k++)
            any[k] |= bytes[k];
    }
    for (size_t k = 0; k < n; k++)
        there += any[k] != 0;
    return there;
}

/* The lists of all lanes, range by range. */
static hd_code sort_full(hd_k_merge *m, size_t set, hd_err *err)
{
    hd_k_set_cells *s = &m->sets[set];
    size_t n = n_ranges(m, set), total = 0;
    for (size_t lane = 0; lane < m->p->n_lanes; lane++)
        total += m->lanes[lane].tables[set].full[hd_k_array_rows(0)].n;
    HD_TRY(hd_k_merge_array(m, &s->full_starts, n + 2, sizeof *s->full_starts, err));
    HD_TRY(hd_k_merge_array(m, &s->full, total, sizeof *s->full, err));
    size_t *next = s->full_starts + 1; /* of each range, which ends as the start of the one after it */
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
            const hd_k_full *f = &m->lanes[lane].tables[set].full[hd_k_array_rows(0)];
            for (size_t i = 0; i < f->n; i++)
                if (pass == 0)
                    next[f->at[i] / RANGE + 1]++;
                else
                    s->full[next[f->at[i] / RANGE]++] = f->at[i];
        }
        for (size_t range = 0; pass == 0 && range < n; range++)
            next[range + 1] += next[range];
    }
    return HD_OK;
}

/* Not 0 where a lane has rows. Without groups the one cell is there even when no row passes. */
static void or_rows(const ranges *r, size_t range, size_t n, uint32_t *restrict any)
{
    memset(any, 0, n * sizeof *any);
    for (size_t lane = 0; lane < r->m->p->n_lanes; lane++) {
        const uint32_t *restrict rows =
            (uint32_t *)r->m->lanes[lane].tables[r->set].arrays[hd_k_array_rows(0)] + range * RANGE;
        for (size_t k = 0; k < n; k++)
            any[k] |= rows[k];
    }
    if (r->m->p->sets[r->set].mask == 0)
        any[0] = 1;
}

static size_t count_rows(const ranges *r, size_t range, size_t n)
{
    uint32_t any[RANGE];
    size_t there = 0;
    or_rows(r, range, n, any);
    for (size_t k = 0; k < n; k++)
        there += any[k] != 0;
    return there;
}

static hd_code count_range(void *ctx, size_t range, hd_err *err)
{
    ranges *r = ctx;
    size_t n = keys_of(r, range);
    HD_TRY(hd_k_go_on(r->m->p->q, err));
    r->starts[range + 1] =
        r->m->p->sets[r->set].in_bytes ? count_bytes(r, range, n) : count_rows(r, range, n);
    return HD_OK;
}

static hd_code find_dense_cells(hd_k_merge *m, size_t set, hd_err *err)
{
    hd_k_set_cells *s = &m->sets[set];
    size_t n = n_ranges(m, set);
    if (m->p->sets[set].in_bytes)
        HD_TRY(sort_full(m, set, err));
    HD_TRY(hd_k_merge_array(m, &s->starts, n + 1, sizeof *s->starts, err));
    ranges r = {m, set, s->starts};
    HD_TRY(hd_par_run(n, count_range, &r, err));
    for (size_t range = 0; range < n; range++)
        s->starts[range + 1] += s->starts[range];
    s->n = s->starts[n];
    if (!has_bins(m->p->q))
        return HD_OK;
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
    hd_sort_pairs(s->keys, from, spare[0], spare[1], n);
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
        hd_free(s->full);
        hd_free(s->full_starts);
        hd_free(s->keys);
    }
    hd_free(m->sets);
}

/* ---- the answer ----------------------------------------------------------------------------- */

/* Cells of one lane's table on their way into the answer: `from` counts in the lane, `to` in the
 * answer. */
typedef struct move {
    const hd_k_table *table;
    const uint32_t *from, *to;
    size_t n;
    bool has_rows; /* the answer has the rows already */
} move;

static void add_rows(const move *v, const uint32_t *restrict in, uint32_t *restrict rows)
{
    for (size_t i = 0; i < v->n; i++)
        rows[v->to[i]] += in[v->from[i]];
}

/* Until all lanes are in, `persons` are the rows that add nobody. */
static void add_seen(const move *v, const hd_k_seen *restrict in, uint32_t *restrict persons)
{
    for (size_t i = 0; i < v->n; i++)
        persons[v->to[i]] += in[v->from[i]].again;
}

static void finish_persons(const hd_k_counts *counts, size_t first, size_t end)
{
    const uint32_t *restrict rows = counts->rows;
    uint32_t *restrict persons = counts->persons;
    for (size_t i = first; i < end; i++)
        persons[i] = rows[i] - persons[i];
}

static void add_sums(const move *v, const int64_t *restrict in, int64_t *restrict out)
{
    for (size_t i = 0; i < v->n; i++)
        out[v->to[i]] += in[v->from[i]];
}

static void add_exact(const move *v, const hd_k_exact *restrict in, hd_k_exact *restrict out)
{
    for (size_t i = 0; i < v->n; i++) {
        out[v->to[i]].sum += in[v->from[i]].sum;
        out[v->to[i]].sum_squares += in[v->from[i]].sum_squares;
    }
}

static void add_decimals(const move *v, const hd_k_decimal *restrict in, hd_k_decimal *restrict out)
{
    for (size_t i = 0; i < v->n; i++) {
        out[v->to[i]].sum += in[v->from[i]].sum;
        out[v->to[i]].sum_squares += in[v->from[i]].sum_squares;
    }
}

/* The answer starts as zeros: until all lanes are in, `lowest` is complemented and `highest` one
 * more than it will be. */
static void add_extremes(const move *v, const hd_k_extremes *restrict in, hd_k_range *restrict out)
{
    for (size_t i = 0; i < v->n; i++) {
        const hd_k_extremes *x = &in[v->from[i]];
        hd_k_range *to = &out[v->to[i]];
        to->highest = x->above > to->highest ? x->above : to->highest;
        to->lowest = x->beyond > to->lowest ? x->beyond : to->lowest;
    }
}

static void finish_extremes(hd_k_range *range, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        range[i].lowest = UINT32_MAX - range[i].lowest;
        range[i].highest--;
    }
}

static void add_lane(const hd_k_merge *m, const move *v)
{
    const hd_k_plan *p = m->p;
    for (size_t class = 0; class < p->n_classes; class++) {
        const hd_k_counts *out = &m->out->counts[class];
        if (!v->has_rows)
            add_rows(v, v->table->arrays[hd_k_array_rows(class)], out->rows);
        if (out->persons)
            add_seen(v, v->table->arrays[hd_k_array_seen(p, class)], out->persons);
    }
    for (size_t k = 0; k < p->q->n_measures; k++) {
        const void *in = v->table->arrays[hd_k_array_values(p, k)];
        void *out = m->out->values[k].items;
        if (p->twin[k] != k)
            continue;
        switch (m->out->values[k].form) {
        case HD_K_SUMS:
            add_sums(v, in, out);
            break;
        case HD_K_EXACT:
            add_exact(v, in, out);
            break;
        case HD_K_DECIMALS:
            add_decimals(v, in, out);
            break;
        case HD_K_RANGES:
            add_extremes(v, in, out);
            break;
        default: /* bins are merged by themselves */
            break;
        }
    }
}

static void finish_cells(const hd_k_merge *m, size_t first, size_t end)
{
    for (size_t class = 0; class < m->p->n_classes; class++)
        if (m->out->counts[class].persons)
            finish_persons(&m->out->counts[class], first, end);
    for (size_t k = 0; k < m->p->q->n_measures; k++)
        if (m->out->values[k].form == HD_K_RANGES && m->p->twin[k] == k)
            finish_extremes(m->out->values[k].items, first, end);
}

static void find_slots(const hd_k_merge *m, size_t set, uint64_t key, uint32_t *slots)
{
    const uint64_t *strides = m->p->sets[set].strides;
    for (size_t g = 0; g < m->p->q->n_groups; g++) {
        slots[g] = strides[g] ? (uint32_t)(key / strides[g]) : HD_K_NO_SLOT;
        if (strides[g])
            key %= strides[g];
    }
}

static void put_slots(const hd_k_merge *m, size_t cell, const uint32_t *slots)
{
    for (size_t g = 0; g < m->p->q->n_groups; g++)
        m->out->slots[g][cell] = slots[g];
}

/* The slots of the first key after those that differ in group `last` alone. */
static void advance(const hd_k_merge *m, size_t set, size_t last, uint32_t *slots)
{
    const hd_k_question *q = m->p->q;
    slots[last] = 0;
    for (size_t g = last; g-- > 0;) {
        if (!m->p->sets[set].strides[g])
            continue;
        if (++slots[g] < q->groups[g].n_slots)
            return;
        slots[g] = 0;
    }
}

static size_t last_group(const hd_k_merge *m, size_t set)
{
    size_t g = m->p->q->n_groups;
    while (g > 0 && !m->p->sets[set].strides[g - 1])
        g--;
    return g > 0 ? g - 1 : 0;
}

/* Slots of n cells that differ in group `last` alone, whose slots are there. */
static void repeat_slots(const hd_k_merge *m, size_t last, const uint32_t *slots, size_t first, size_t n)
{
    for (size_t g = 0; g < m->p->q->n_groups; g++)
        for (size_t i = 0; i < n && (g != last || slots[g] == HD_K_NO_SLOT); i++)
            m->out->slots[g][first + i] = slots[g];
}

/* Keys of a range that hold rows, their slots, and their cells. */
static size_t find_range(hd_k_merge *m, const ranges *r, size_t range, const uint32_t *any,
                         uint32_t *from, uint32_t *to)
{
    const hd_k_set_cells *s = &m->sets[r->set];
    const size_t first = s->first + s->starts[range], n_keys = keys_of(r, range);
    const size_t last = last_group(m, r->set);
    const bool has_groups = m->p->sets[r->set].mask != 0;
    uint32_t slots[HD_K_MAX_GROUPS] = {0}, *restrict places = s->places[0];
    uint32_t *restrict own = has_groups ? m->out->slots[last] : NULL;
    size_t n = 0;
    find_slots(m, r->set, (uint64_t)range * RANGE, slots);
    for (size_t k = 0; k < n_keys;) {
        size_t n_before = n, left = has_groups ? m->p->q->groups[last].n_slots - slots[last] : 1;
        size_t end = left < n_keys - k ? k + left : n_keys, slot_less = slots[last] - k;
        for (; k < end; k++) {
            if (!any[k])
                continue;
            from[n] = (uint32_t)(range * RANGE + k);
            to[n] = (uint32_t)(first + n);
            if (own)
                own[first + n] = (uint32_t)(slot_less + k);
            n++;
            if (places)
                places[range * RANGE + k] = (uint32_t)(s->starts[range] + n);
        }
        repeat_slots(m, last, slots, first + n_before, n - n_before);
        advance(m, r->set, last, slots);
    }
    return n;
}

static hd_code fill_range(void *ctx, size_t range, hd_err *err)
{
    const ranges *r = ctx;
    hd_k_merge *m = r->m;
    uint32_t from[RANGE], to[RANGE], rows[RANGE];
    const bool is_counted = m->p->sets[r->set].in_bytes;
    HD_TRY(hd_k_go_on(m->p->q, err));
    if (is_counted)
        add_bytes(r, range, keys_of(r, range), rows);
    else
        or_rows(r, range, keys_of(r, range), rows);
    size_t n = find_range(m, r, range, rows, from, to);
    for (size_t i = 0; is_counted && i < n; i++)
        m->out->counts[0].rows[to[i]] = rows[from[i] % RANGE];
    for (size_t lane = 0; lane < m->p->n_lanes; lane++)
        add_lane(m, &(move){&m->lanes[lane].tables[r->set], from, to, n, is_counted});
    if (n > 0)
        finish_cells(m, to[0], to[0] + n);
    return HD_OK;
}

static void fill_hashed(hd_k_merge *m, size_t set)
{
    const hd_k_set_cells *s = &m->sets[set];
    uint32_t from[RANGE], to[RANGE], slots[HD_K_MAX_GROUPS];
    for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
        const hd_k_table *t = &m->lanes[lane].tables[set];
        for (size_t i = 0; i < t->n_cells;) {
            size_t n = 0;
            for (; n < RANGE && i < t->n_cells; n++, i++) {
                from[n] = (uint32_t)i;
                to[n] = (uint32_t)(s->first + s->places[lane][i] - 1);
            }
            add_lane(m, &(move){t, from, to, n, false});
        }
    }
    finish_cells(m, s->first, s->first + s->n);
    for (size_t i = 0; i < s->n; i++) {
        find_slots(m, set, s->keys[i], slots);
        put_slots(m, s->first + i, slots);
    }
}

static hd_k_form form_of(const hd_k_plan *p, size_t measure, size_t *item)
{
    static const size_t items[] = {[HD_K_SUMS] = sizeof(int64_t),
                                   [HD_K_EXACT] = sizeof(hd_k_exact),
                                   [HD_K_DECIMALS] = sizeof(hd_k_decimal),
                                   [HD_K_RANGES] = sizeof(hd_k_range),
                                   [HD_K_BINS] = sizeof(hd_k_bins),
                                   [HD_K_NUMBERS] = sizeof(int64_t)};
    const hd_k_measure *k = &p->q->measures[measure];
    hd_k_form form = k->kind == HD_K_MOMENTS && p->is_narrow[measure] ? HD_K_SUMS
                     : k->kind == HD_K_MOMENTS && k->integers         ? HD_K_EXACT
                     : k->kind == HD_K_MOMENTS                        ? HD_K_DECIMALS
                     : k->kind == HD_K_EXTREMES                       ? HD_K_RANGES
                     : k->kind == HD_K_DISTRIBUTION                   ? HD_K_BINS
                     : k->kind == HD_K_DISTINCT                       ? HD_K_NUMBERS
                                                                      : HD_K_NOTHING;
    *item = items[form];
    return form;
}

/* Columns of the answer, all zeros. */
static hd_code make_columns(hd_k_merge *m, hd_err *err)
{
    const hd_k_plan *p = m->p;
    hd_k_answer *out = m->out;
    out->n_sets = p->q->n_sets;
    out->n_groups = p->q->n_groups;
    out->n_classes = p->n_classes;
    out->n_measures = p->q->n_measures;
    HD_TRY(hd_k_merge_array(m, &out->set_starts, out->n_sets + 1, sizeof *out->set_starts, err));
    HD_TRY(hd_k_merge_array(m, &out->slots, out->n_groups, sizeof *out->slots, err));
    HD_TRY(hd_k_merge_array(m, &out->counts, out->n_classes, sizeof *out->counts, err));
    HD_TRY(hd_k_merge_array(m, &out->class_of, out->n_measures, sizeof *out->class_of, err));
    HD_TRY(hd_k_merge_array(m, &out->values, out->n_measures, sizeof *out->values, err));
    for (size_t s = 0; s < out->n_sets; s++)
        out->set_starts[s + 1] = m->sets[s].first + m->sets[s].n;
    for (size_t g = 0; g < out->n_groups; g++)
        HD_TRY(hd_k_merge_array(m, &out->slots[g], out->n_cells, sizeof **out->slots, err));
    for (size_t c = 0; c < out->n_classes; c++) {
        HD_TRY(hd_k_merge_array(m, &out->counts[c].rows, out->n_cells, sizeof(uint32_t), err));
        if (!p->q->without_people)
            HD_TRY(hd_k_merge_array(m, &out->counts[c].persons, out->n_cells, sizeof(uint32_t), err));
    }
    for (size_t k = 0; k < out->n_measures; k++) {
        size_t item;
        hd_k_values *v = &out->values[k];
        out->class_of[k] = p->class_of[k];
        v->form = form_of(p, k, &item);
        if (p->twin[k] != k)
            v->items = out->values[p->twin[k]].items;
        else if (v->form != HD_K_NOTHING)
            HD_TRY(hd_k_merge_array(m, &v->items, out->n_cells, item, err));
    }
    return HD_OK;
}

static hd_code make_answer(hd_k_merge *m, hd_err *err)
{
    const hd_k_question *q = m->p->q;
    HD_TRY(make_columns(m, err));
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

static hd_code run_planned(hd_k_plan *p, size_t at_most, hd_k_answer *out, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_k_shape shape;
    bool fits = false;
    if (p->ops)
        HD_TRY(hd_k_shape_make(&shape, p, &fits, err));
    p->shape = fits ? &shape : NULL;
    if (p->ops && !fits) {
        hd_k_parts parts;
        HD_TRY(hd_k_parts_find(&parts, p->q, &p->tuning, err));
        if (parts.n) {
            rc = hd_k_parts_run(&parts, p->q, &p->tuning, p->ops, out, err);
            hd_k_parts_free(&parts);
            return rc;
        }
        hd_k_parts_free(&parts);
    }
    HD_GO(hd_k_expect_rows(p, err));
    HD_GO(hd_k_plan_cut(p, at_most, p->ops == NULL, err));
    HD_GO(run_lanes(p, out, err));
out:
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
        HD_TRY(hd_k_plan_make(&plan, q, tuning, err));
        plan.ops = ops;
        rc = run_planned(&plan, at_most, out, err);
        size_t n_lanes = plan.n_lanes;
        hd_k_plan_free(&plan);
        if (rc == HD_OK)
            return HD_OK;
        hd_k_answer_free(out);
        if (rc != HD_LIMIT || n_lanes <= 1)
            break;
    }
    return rc;
}
