/* merge_bins.c - the bins of all lanes as ascending (rank, rows) of each cell; see merge.h.
 *
 * Bins kept by place are bytes, rank by rank; all threads take ranges of keys, twice: to count and to
 * write. Lists say where bytes passed 255; they are put in the order in which bins are written. Other bins
 * come as lists.
 */
#include "kernel/merge.h"
#include "base/alloc.h"
#include "base/par.h"
#include "base/sort.h"

#include <string.h>

enum { RANGE = 1024 }; /* keys that one thread takes at a time */

static hd_k_bins *bins_of(const hd_k_merge *m, size_t cell, size_t measure)
{
    return (hd_k_bins *)m->out->values[measure].items + cell;
}

static int64_t *number_of(const hd_k_merge *m, size_t cell, size_t measure)
{
    return (int64_t *)m->out->values[measure].items + cell;
}

static hd_code make_room(hd_k_merge *m, size_t n, hd_err *err)
{
    while (m->n_bins + n > m->cap_bins) {
        size_t old = m->cap_bins, count = old;
        HD_TRY(hd_k_merge_take(m, (old ? old : 16) * sizeof(hd_k_bin), err));
        if (!HD_GROW(m->out->distribution, count, m->cap_bins))
            return hd_fail_nomem(err);
    }
    return HD_OK;
}

/* ---- by place ------------------------------------------------------------------------------- */

typedef struct dense {
    hd_k_merge *m;
    size_t set, measure;
    size_t *starts; /* n_ranges + 1: bins before each range, once counted */
    bool writes;
    uint64_t *full, *spare; /* what bytes could not hold: rank x RANGE + key in the range */
    size_t *full_starts;    /* n_ranges + 1 */
} dense;

/* Keys of one range. */
typedef struct tile {
    uint64_t first;
    size_t n, n_counted;
    uint8_t any[RANGE];   /* of one rank: whether a lane has rows there */
    uint8_t few[RANGE];   /* bins of the last n_counted ranks, below 256 */
    uint64_t at[RANGE];   /* of each key: how many bins, or where the next one goes */
    const uint64_t *full, *full_end; /* ranks that are still to be written */
    uint32_t more[RANGE];            /* of the rank in hand: rows that bytes could not hold */
} tile;

static const hd_k_table *table_of(const dense *d, size_t lane)
{
    return &d->m->lanes[lane].tables[d->set];
}

static inline const uint8_t *bins_at(const dense *d, size_t lane, size_t rank, uint64_t key)
{
    const uint8_t *bins = table_of(d, lane)->arrays[hd_k_array_values(d->m->p, d->measure)];
    return bins + rank * d->m->p->sets[d->set].product + key;
}

static void look_at_rank(const dense *d, tile *t, size_t rank)
{
    memcpy(t->any, bins_at(d, 0, rank, t->first), t->n);
    for (size_t lane = 1; lane < d->m->p->n_lanes; lane++) {
        const uint8_t *restrict more = bins_at(d, lane, rank, t->first);
        for (size_t k = 0; k < t->n; k++)
            t->any[k] |= more[k];
    }
}

static void add_few(tile *t)
{
    for (size_t k = 0; k < t->n; k++)
        t->at[k] += t->few[k];
    memset(t->few, 0, sizeof t->few);
    t->n_counted = 0;
}

static void count_rank(tile *t)
{
    for (size_t k = 0; k < t->n; k++)
        t->few[k] = (uint8_t)(t->few[k] + (t->any[k] != 0));
    if (++t->n_counted == 255)
        add_few(t);
}

static void write_rank(const dense *d, tile *t, size_t rank)
{
    hd_k_bin *out = d->m->out->distribution;
    const uint64_t *first = t->full;
    const size_t n_lanes = d->m->p->n_lanes;
    const uint8_t *bins[HD_K_LANES];
    for (size_t lane = 0; lane < n_lanes; lane++)
        bins[lane] = bins_at(d, lane, rank, t->first);
    for (; t->full < t->full_end && *t->full / RANGE == rank; t->full++)
        t->more[*t->full % RANGE] += HD_K_FULL_ROWS;
    for (size_t k = 0; k < t->n; k++) {
        uint64_t eight = 1;
        if (k + 8 <= t->n)
            memcpy(&eight, t->any + k, sizeof eight);
        if (eight == 0)
            k += 7;
        else if (t->any[k]) {
            uint32_t rows = t->more[k];
            for (size_t lane = 0; lane < n_lanes; lane++)
                rows += bins[lane][k];
            out[t->at[k]++] = (hd_k_bin){(uint32_t)rank, rows};
        }
    }
    for (; first < t->full; first++)
        t->more[*first % RANGE] = 0;
}

/* What was counted goes to the cells: how many bins, or different values. */
static size_t note_numbers(const dense *d, const tile *t)
{
    const hd_k_set_cells *s = &d->m->sets[d->set];
    bool is_distinct = d->m->p->q->measures[d->measure].kind == HD_K_DISTINCT;
    size_t total = 0;
    for (size_t k = 0; k < t->n; k++) {
        uint32_t place = s->places[0][t->first + k];
        if (place && is_distinct)
            *number_of(d->m, s->first + place - 1, d->measure) = (int64_t)t->at[k];
        else if (place)
            bins_of(d->m, s->first + place - 1, d->measure)->n = (uint32_t)t->at[k];
        total += t->at[k];
    }
    return total;
}

static const hd_k_full *full_of(const dense *d, size_t lane)
{
    return &table_of(d, lane)->full[hd_k_array_values(d->m->p, d->measure)];
}

/* The lists of all lanes, range by range: ranks and keys of the range. */
static hd_code sort_full(dense *d, size_t n_ranges, size_t n, hd_err *err)
{
    const uint32_t product = (uint32_t)d->m->p->sets[d->set].product;
    HD_TRY(hd_k_merge_array(d->m, &d->full_starts, n_ranges + 2, sizeof *d->full_starts, err));
    HD_TRY(hd_k_merge_array(d->m, &d->full, n, sizeof *d->full, err));
    HD_TRY(hd_k_merge_array(d->m, &d->spare, n, sizeof *d->spare, err));
    size_t *next = d->full_starts + 1; /* of each range, which ends as the start of the one after it */
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t lane = 0; lane < d->m->p->n_lanes; lane++) {
            const hd_k_full *f = full_of(d, lane);
            for (size_t i = 0; i < f->n; i++) {
                uint32_t key = f->at[i] % product, rank = f->at[i] / product;
                if (pass == 0)
                    next[key / RANGE + 1]++;
                else
                    d->full[next[key / RANGE]++] = (uint64_t)rank * RANGE + key % RANGE;
            }
        }
        for (size_t range = 0; pass == 0 && range < n_ranges; range++)
            next[range + 1] += next[range];
    }
    return HD_OK;
}

/* Where the bins of each key begin. */
static void find_starts(const dense *d, tile *t, size_t first_bin)
{
    const hd_k_set_cells *s = &d->m->sets[d->set];
    for (size_t k = 0; k < t->n; k++) {
        uint32_t place = s->places[0][t->first + k];
        if (!place)
            continue;
        hd_k_bins *bins = bins_of(d->m, s->first + place - 1, d->measure);
        bins->first = t->at[k] = first_bin;
        first_bin += bins->n;
    }
}

static hd_code walk_range(void *ctx, size_t range, hd_err *err)
{
    const dense *d = ctx;
    const hd_k_merge *m = d->m;
    uint64_t first = range * RANGE, left = m->p->sets[d->set].product - first;
    tile t = {.first = first, .n = left < RANGE ? (size_t)left : RANGE};
    HD_TRY(hd_k_go_on(m->p->q, err));
    if (d->writes) {
        const size_t *at = &d->full_starts[range];
        find_starts(d, &t, m->n_bins + d->starts[range]);
        hd_sort_numbers(d->full + at[0], d->spare + at[0], at[1] - at[0], 0);
        t.full = d->full + at[0];
        t.full_end = d->full + at[1];
    }
    for (size_t rank = 0; rank < m->p->q->measures[d->measure].n_ranks; rank++) {
        look_at_rank(d, &t, rank);
        if (d->writes)
            write_rank(d, &t, rank);
        else
            count_rank(&t);
    }
    if (!d->writes) {
        add_few(&t);
        d->starts[range + 1] = note_numbers(d, &t);
    }
    return HD_OK;
}

static hd_code merge_dense(hd_k_merge *m, size_t set, size_t measure, hd_err *err)
{
    hd_code rc = HD_OK;
    dense d = {.m = m, .set = set, .measure = measure};
    size_t n = (size_t)((m->p->sets[set].product + RANGE - 1) / RANGE), n_full = 0;
    for (size_t lane = 0; lane < m->p->n_lanes; lane++)
        n_full += full_of(&d, lane)->n;
    HD_GO(hd_k_merge_array(m, &d.starts, n + 1, sizeof *d.starts, err));
    HD_GO(hd_par_run(n, walk_range, &d, err));
    for (size_t range = 0; range < n; range++)
        d.starts[range + 1] += d.starts[range];
    if (m->p->q->measures[measure].kind == HD_K_DISTINCT)
        goto out;
    HD_GO(make_room(m, d.starts[n], err));
    HD_GO(sort_full(&d, n, n_full, err));
    d.writes = true;
    HD_GO(hd_par_run(n, walk_range, &d, err));
    m->n_bins += d.starts[n];
out:
    hd_k_merge_give_back(m, d.starts, n + 1, sizeof *d.starts);
    hd_k_merge_give_back(m, d.full_starts, n + 2, sizeof *d.full_starts);
    hd_k_merge_give_back(m, d.full, n_full, sizeof *d.full);
    hd_k_merge_give_back(m, d.spare, n_full, sizeof *d.spare);
    return rc;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* Items of all lanes, cut by their cells into pieces that fit the cache; each piece is put in order and
 * becomes the bins of its cells, by any thread. */
enum { CUTS = 1 << 10 };

typedef struct listed {
    hd_k_merge *m;
    size_t set, measure;
    hd_k_pair_bits bits;
    unsigned shift;           /* of an item: its piece is above */
    uint64_t *items, *spare;  /* of all lanes */
    size_t *at;               /* n_lanes x CUTS: where a lane's items of a piece go */
    size_t starts[CUTS + 1];  /* items before each piece */
    size_t n_left[CUTS];      /* of each piece, put together */
    size_t n_bins[CUTS + 1];  /* ... and bins before each */
} listed;

/* An item under the cell's place in the answer. */
static uint64_t placed(const listed *l, size_t lane, uint64_t item)
{
    unsigned below = l->bits.rank + l->bits.rows;
    uint64_t place = l->m->sets[l->set].places[lane][item >> below] - 1;
    return place << below | (item & ((UINT64_C(1) << below) - 1));
}

static const hd_k_pairs *list_of(const listed *l, size_t lane)
{
    return &l->m->lanes[lane].tables[l->set].pairs[l->measure];
}

static hd_code count_items(void *ctx, size_t lane, hd_err *err)
{
    listed *l = ctx;
    const hd_k_pairs *p = list_of(l, lane);
    for (size_t i = 0; i < p->n; i++)
        l->at[lane * CUTS + (placed(l, lane, p->items[i]) >> l->shift)]++;
    return hd_k_go_on(l->m->p->q, err);
}

static hd_code cut_items(void *ctx, size_t lane, hd_err *err)
{
    listed *l = ctx;
    const hd_k_pairs *p = list_of(l, lane);
    for (size_t i = 0; i < p->n; i++) {
        uint64_t item = placed(l, lane, p->items[i]);
        l->items[l->at[lane * CUTS + (item >> l->shift)]++] = item;
    }
    return hd_k_go_on(l->m->p->q, err);
}

static void place_cuts(listed *l)
{
    size_t next = 0;
    for (size_t cut = 0; cut < CUTS; cut++) {
        l->starts[cut] = next;
        for (size_t lane = 0; lane < l->m->p->n_lanes; lane++) {
            size_t n = l->at[lane * CUTS + cut];
            l->at[lane * CUTS + cut] = next;
            next += n;
        }
    }
    l->starts[CUTS] = next;
}

static hd_code join_cut(void *ctx, size_t cut, hd_err *err)
{
    listed *l = ctx;
    uint64_t *items = l->items + l->starts[cut];
    size_t n = l->starts[cut + 1] - l->starts[cut];
    n = hd_k_join_pairs(items, l->spare + l->starts[cut], n, l->bits.rows);
    l->n_left[cut] = n;
    for (size_t i = 0; i < n; i++) /* more rows than one item can tell take several */
        l->n_bins[cut + 1] += i == 0 || items[i] >> l->bits.rows != items[i - 1] >> l->bits.rows;
    return hd_k_go_on(l->m->p->q, err);
}

static hd_code write_cut(void *ctx, size_t cut, hd_err *err)
{
    const listed *l = ctx;
    const hd_k_merge *m = l->m;
    const uint64_t *items = l->items + l->starts[cut];
    const uint64_t most = (UINT64_C(1) << l->bits.rows) - 1, ranks = (UINT64_C(1) << l->bits.rank) - 1;
    bool is_distinct = m->p->q->measures[l->measure].kind == HD_K_DISTINCT;
    size_t bin = m->n_bins + l->n_bins[cut];
    for (size_t i = 0; i < l->n_left[cut];) {
        uint64_t key = items[i] >> l->bits.rows, rows = 0;
        size_t cell = m->sets[l->set].first + (size_t)(key >> l->bits.rank);
        for (; i < l->n_left[cut] && items[i] >> l->bits.rows == key; i++)
            rows += items[i] & most;
        if (is_distinct) {
            ++*number_of(m, cell, l->measure);
            continue;
        }
        hd_k_bins *to = bins_of(m, cell, l->measure);
        if (to->n++ == 0)
            to->first = bin;
        m->out->distribution[bin++] = (hd_k_bin){(uint32_t)(key & ranks), (uint32_t)rows};
    }
    return hd_k_go_on(m->p->q, err);
}

static hd_code merge_listed(listed *l, size_t n, hd_err *err)
{
    hd_k_merge *m = l->m;
    HD_TRY(hd_k_merge_array(m, &l->at, m->p->n_lanes * CUTS, sizeof *l->at, err));
    HD_TRY(hd_k_merge_array(m, &l->items, n, sizeof *l->items, err));
    HD_TRY(hd_k_merge_array(m, &l->spare, n, sizeof *l->spare, err));
    HD_TRY(hd_par_run(m->p->n_lanes, count_items, l, err));
    place_cuts(l);
    HD_TRY(hd_par_run(m->p->n_lanes, cut_items, l, err));
    HD_TRY(hd_par_run(CUTS, join_cut, l, err));
    for (size_t cut = 0; cut < CUTS; cut++)
        l->n_bins[cut + 1] += l->n_bins[cut];
    bool is_distinct = m->p->q->measures[l->measure].kind == HD_K_DISTINCT;
    if (!is_distinct)
        HD_TRY(make_room(m, l->n_bins[CUTS], err));
    HD_TRY(hd_par_run(CUTS, write_cut, l, err));
    m->n_bins += is_distinct ? 0 : l->n_bins[CUTS];
    return HD_OK;
}

static hd_code merge_lists(hd_k_merge *m, size_t set, size_t measure, hd_err *err)
{
    listed *l = hd_calloc(1, sizeof *l);
    if (!l)
        return hd_fail_nomem(err);
    *l = (listed){.m = m, .set = set, .measure = measure};
    l->bits = hd_k_lane_pair_bits(m->p, set, measure);
    size_t n = 0;
    for (size_t lane = 0; lane < m->p->n_lanes; lane++)
        n += list_of(l, lane)->n;
    l->shift = l->bits.rank + l->bits.rows;
    while (m->sets[set].n >> (l->shift - l->bits.rank - l->bits.rows) >= CUTS)
        l->shift++;
    hd_code rc = merge_listed(l, n, err);
    hd_k_merge_give_back(m, l->at, m->p->n_lanes * CUTS, sizeof *l->at);
    hd_k_merge_give_back(m, l->items, n, sizeof *l->items);
    hd_k_merge_give_back(m, l->spare, n, sizeof *l->spare);
    hd_free(l);
    return rc;
}

hd_code hd_k_merge_bins(hd_k_merge *m, size_t set, size_t measure, hd_err *err)
{
    hd_k_kind kind = m->p->q->measures[measure].kind;
    if ((kind != HD_K_DISTRIBUTION && kind != HD_K_DISTINCT) || m->p->twin[measure] != measure)
        return HD_OK;
    HD_TRY(hd_k_go_on(m->p->q, err));
    return m->p->sets[set].items[hd_k_array_values(m->p, measure)]
               ? merge_dense(m, set, measure, err)
               : merge_lists(m, set, measure, err);
}
