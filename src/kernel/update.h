/* update.h - adding contributing rows to the arrays of a table; the same loops in every kernel, so
 * that sums of decimals are formed in the same order. Inside src/kernel only.
 *
 * cells[i] and codes[i] (or ranks[i]) belong to contributing row i.
 */
#ifndef HD_KERNEL_UPDATE_H
#define HD_KERNEL_UPDATE_H

#include "kernel/lane.h"

static inline void hd_k_update_sums(const int64_t *restrict integers,
                                    const uint32_t *restrict codes, const uint32_t *restrict cells,
                                    size_t n, int64_t *restrict sums)
{
    for (size_t i = 0; i < n; i++)
        sums[cells[i]] += integers[codes[i]];
}

static inline void hd_k_update_exact(const int64_t *restrict integers,
                                     const uint32_t *restrict codes, const uint32_t *restrict cells,
                                     size_t n, hd_k_exact *restrict values)
{
    for (size_t i = 0; i < n; i++) {
        __int128 v = integers[codes[i]];
        values[cells[i]].sum += v;
        values[cells[i]].sum_squares += (unsigned __int128)(v * v);
    }
}

static inline void hd_k_update_decimal(const double *restrict decimals,
                                       const uint32_t *restrict codes,
                                       const uint32_t *restrict cells, size_t n,
                                       hd_k_decimal *restrict values)
{
    for (size_t i = 0; i < n; i++) {
        double v = decimals[codes[i]];
        values[cells[i]].sum += v;
        values[cells[i]].sum_squares += v * v;
    }
}

static inline void hd_k_update_extremes(const uint32_t *restrict ranks,
                                        const uint32_t *restrict cells, size_t n,
                                        hd_k_extremes *restrict values)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t above = ranks[i] + 1, beyond = UINT32_MAX - ranks[i];
        hd_k_extremes *to = &values[cells[i]];
        to->above = above > to->above ? above : to->above;
        to->beyond = beyond > to->beyond ? beyond : to->beyond;
    }
}

static inline hd_code hd_k_update_bins(hd_k_lane *lane, size_t set, size_t measure,
                                       const uint32_t *restrict ranks,
                                       const uint32_t *restrict cells, size_t n, hd_err *err)
{
    enum { AHEAD = 16 };
    size_t n_ranks = lane->plan->q->measures[measure].n_ranks;
    hd_k_table *t = &lane->tables[set];
    uint8_t *restrict bins = t->arrays[hd_k_array_values(lane->plan, measure)];
    HD_TRY(hd_k_lane_full_room(lane, set, measure, n, err));
    hd_k_full *full = &t->full[measure];
    for (size_t i = 0; i < n; i++) {
        size_t ahead = i + AHEAD < n ? i + AHEAD : i;
        __builtin_prefetch(&bins[cells[ahead] * n_ranks + ranks[ahead]], 1);
        size_t place = cells[i] * n_ranks + ranks[i];
        if (++bins[place] == 0)
            full->at[full->n++] = place;
    }
    return HD_OK;
}

static inline void hd_k_mark_bins(const uint32_t *restrict ranks, const uint32_t *restrict cells,
                                  size_t n, size_t n_ranks, uint8_t *restrict bins)
{
    for (size_t i = 0; i < n; i++)
        bins[cells[i] * n_ranks + ranks[i]] = 1;
}

/* All of one measure in one set. */
static inline hd_code hd_k_update_measure(hd_k_lane *lane, size_t set, size_t measure,
                                          const uint32_t *codes, const uint32_t *ranks,
                                          const uint32_t *cells, size_t n, hd_err *err)
{
    const hd_k_measure *m = &lane->plan->q->measures[measure];
    void *values = lane->tables[set].arrays[hd_k_array_values(lane->plan, measure)];
    if (m->kind == HD_K_MOMENTS && lane->plan->is_narrow[measure])
        hd_k_update_sums(m->integers, codes, cells, n, values);
    else if (m->kind == HD_K_MOMENTS && m->integers)
        hd_k_update_exact(m->integers, codes, cells, n, values);
    else if (m->kind == HD_K_MOMENTS)
        hd_k_update_decimal(m->decimals, codes, cells, n, values);
    else if (m->kind == HD_K_EXTREMES)
        hd_k_update_extremes(ranks, cells, n, values);
    else if (values && m->kind == HD_K_DISTINCT)
        hd_k_mark_bins(ranks, cells, n, m->n_ranks, values);
    else if (values)
        return hd_k_update_bins(lane, set, measure, ranks, cells, n, err);
    else
        return hd_k_lane_pairs(lane, set, measure, cells, ranks, n, err);
    return HD_OK;
}

#endif
