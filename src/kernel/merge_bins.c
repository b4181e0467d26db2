/* merge_bins.c - the bins of all lanes as ascending (rank, rows) of each cell; see merge.h.
 *
 * Bins kept by place are bytes, and a list says where they passed 255; the list is sorted once and
 * walked beside the bytes. All threads take ranges of cells, twice: to count and to write.
 */
#include "kernel/merge.h"
#include "base/alloc.h"
#include "base/par.h"
#include "base/sort.h"

#include <string.h>

enum { RANGE = 256 }; /* cells that one thread takes at a time */

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
    size_t n_ranks;
    uint64_t *full; /* places that passed 255, ascending; each stands for 256 rows */
    size_t n_full;
    size_t *starts; /* n_ranges + 1: bins before each range, once counted */
    bool writes;
} dense;

/* First entry of `full` that is not below the place. */
static size_t find_full(const dense *d, uint64_t place)
{
    size_t low = 0, high = d->n_full;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->full[middle] < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint64_t eight(const hd_k_merge *m, const dense *d, uint64_t place)
{
    uint64_t any = 0;
    for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
        uint64_t bytes;
        const uint8_t *bins =
            m->lanes[lane].tables[d->set].arrays[hd_k_array_values(m->p, d->measure)];
        memcpy(&bytes, bins + place, sizeof bytes);
        any |= bytes;
    }
    return any;
}

static uint64_t rows_at(const hd_k_merge *m, const dense *d, uint64_t place)
{
    uint64_t rows = 0;
    for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
        const uint8_t *bins =
            m->lanes[lane].tables[d->set].arrays[hd_k_array_values(m->p, d->measure)];
        rows += bins[place];
    }
    return rows;
}

/* The bins of one cell; *full moves on. Written when `to` is given. */
static uint32_t walk_cell(const dense *d, uint64_t key, size_t *full, hd_k_bin *to)
{
    const hd_k_merge *m = d->m;
    uint64_t first = key * d->n_ranks, end = first + d->n_ranks;
    uint32_t n = 0;
    for (uint64_t place = first; place < end; place++) {
        uint64_t next_full = *full < d->n_full ? d->full[*full] : UINT64_MAX;
        if (end - place >= 8 && next_full >= place + 8 && !eight(m, d, place)) {
            place += 7;
            continue;
        }
        uint64_t rows = rows_at(m, d, place);
        for (; *full < d->n_full && d->full[*full] == place; (*full)++)
            rows += 256;
        if (rows && to)
            to[n] = (hd_k_bin){(uint32_t)(place - first), (uint32_t)rows};
        n += rows > 0;
    }
    return n;
}

static hd_code walk_range(void *ctx, size_t range, hd_err *err)
{
    const dense *d = ctx;
    const hd_k_merge *m = d->m;
    const hd_k_set_cells *s = &m->sets[d->set];
    bool is_distinct = m->p->q->measures[d->measure].kind == HD_K_DISTINCT;
    size_t end = s->n - range * RANGE < RANGE ? s->n : (range + 1) * RANGE;
    size_t full = find_full(d, s->keys[range * RANGE] * d->n_ranks);
    size_t at = d->writes ? m->n_bins + d->starts[range] : 0;
    HD_TRY(hd_k_go_on(m->p->q, err));
    for (size_t i = range * RANGE; i < end; i++) {
        full += find_full(&(dense){.full = d->full + full, .n_full = d->n_full - full},
                          s->keys[i] * d->n_ranks);
        uint32_t n = walk_cell(d, s->keys[i], &full, d->writes ? m->out->distribution + at : NULL);
        if (is_distinct) {
            *number_of(m, s->first + i, d->measure) = n;
        } else if (d->writes) {
            *bins_of(m, s->first + i, d->measure) = (hd_k_bins){at, n};
            at += n;
        } else {
            d->starts[range + 1] += n;
        }
    }
    return HD_OK;
}

static hd_code sort_full(dense *d, hd_err *err)
{
    hd_k_merge *m = d->m;
    uint64_t *spare[3] = {NULL, NULL, NULL};
    hd_code rc = HD_OK;
    size_t at = 0;
    for (size_t lane = 0; lane < m->p->n_lanes; lane++)
        d->n_full += m->lanes[lane].tables[d->set].full[hd_k_array_values(m->p, d->measure)].n;
    HD_GO(hd_k_merge_array(m, &d->full, d->n_full, sizeof *d->full, err));
    for (size_t i = 0; i < 3; i++)
        HD_GO(hd_k_merge_array(m, &spare[i], d->n_full, sizeof *d->full, err));
    for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
        const hd_k_full *f = &m->lanes[lane].tables[d->set].full[hd_k_array_values(m->p, d->measure)];
        if (f->n)
            memcpy(d->full + at, f->at, f->n * sizeof *f->at);
        at += f->n;
    }
    hd_sort_pairs(d->full, spare[0], spare[1], spare[2], d->n_full);
out:
    for (size_t i = 0; i < 3; i++)
        hd_k_merge_give_back(m, spare[i], d->n_full, sizeof *d->full);
    return rc;
}

static hd_code merge_dense(hd_k_merge *m, size_t set, size_t measure, hd_err *err)
{
    hd_code rc = HD_OK;
    dense d = {.m = m, .set = set, .measure = measure};
    d.n_ranks = m->p->q->measures[measure].n_ranks;
    size_t n = (m->sets[set].n + RANGE - 1) / RANGE;
    HD_GO(sort_full(&d, err));
    HD_GO(hd_k_merge_array(m, &d.starts, n + 1, sizeof *d.starts, err));
    HD_GO(hd_par_run(n, walk_range, &d, err));
    for (size_t range = 0; range < n; range++)
        d.starts[range + 1] += d.starts[range];
    if (m->p->q->measures[measure].kind == HD_K_DISTINCT)
        goto out;
    HD_GO(make_room(m, d.starts[n], err));
    d.writes = true;
    HD_GO(hd_par_run(n, walk_range, &d, err));
    m->n_bins += d.starts[n];
out:
    hd_k_merge_give_back(m, d.starts, n + 1, sizeof *d.starts);
    hd_k_merge_give_back(m, d.full, d.n_full, sizeof *d.full);
    return rc;
}

/* ---- by hash -------------------------------------------------------------------------------- */

/* Bins arrive by cell, then rank ascending. */
static hd_code add_bin(hd_k_merge *m, size_t set, size_t measure, size_t cell, uint32_t rank,
                       uint64_t rows, hd_err *err)
{
    cell += m->sets[set].first;
    if (m->p->q->measures[measure].kind == HD_K_DISTINCT) {
        ++*number_of(m, cell, measure);
        return HD_OK;
    }
    HD_TRY(make_room(m, 1, err));
    hd_k_bins *to = bins_of(m, cell, measure);
    if (to->n++ == 0)
        to->first = m->n_bins;
    m->out->distribution[m->n_bins++] = (hd_k_bin){rank, (uint32_t)rows};
    return HD_OK;
}

static hd_code merge_pairs(hd_k_merge *m, size_t set, size_t measure, hd_err *err)
{
    const hd_k_set_cells *s = &m->sets[set];
    uint64_t *arrays[4] = {NULL, NULL, NULL, NULL}; /* keys, rows, and their spares */
    size_t n = 0, at = 0;
    hd_code rc = HD_OK;
    for (size_t lane = 0; lane < m->p->n_lanes; lane++)
        n += m->lanes[lane].tables[set].pairs[measure].map.n;
    for (size_t a = 0; a < 4; a++)
        HD_GO(hd_k_merge_array(m, &arrays[a], n, sizeof(uint64_t), err));
    for (size_t lane = 0; lane < m->p->n_lanes; lane++) {
        const hd_k_pairs *pairs = &m->lanes[lane].tables[set].pairs[measure];
        for (size_t i = 0; i < pairs->map.n; i++, at++) {
            uint32_t place = s->places[lane][pairs->map.keys[i] >> 32];
            arrays[0][at] = (uint64_t)(place - 1) << 32 | (uint32_t)pairs->map.keys[i];
            arrays[1][at] = pairs->counts[i];
        }
    }
    hd_sort_pairs(arrays[0], arrays[1], arrays[2], arrays[3], n);
    for (size_t i = 0; i < n;) {
        uint64_t key = arrays[0][i], rows = 0;
        for (; i < n && arrays[0][i] == key; i++)
            rows += arrays[1][i];
        HD_GO(add_bin(m, set, measure, key >> 32, (uint32_t)key, rows, err));
    }
out:
    for (size_t a = 0; a < 4; a++)
        hd_k_merge_give_back(m, arrays[a], n, sizeof(uint64_t));
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
               : merge_pairs(m, set, measure, err);
}
