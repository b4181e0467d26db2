/* update.h - adding contributing rows to the arrays of a table; the same loops in every kernel, so
 * that sums of decimals are formed in the same order. Inside src/kernel only.
 *
 * cells[i] and codes[i] belong to contributing row i.
 */
#ifndef HD_KERNEL_UPDATE_H
#define HD_KERNEL_UPDATE_H

#include "kernel/lane.h"

/* Rows of a cell, where people do not matter. */
static inline hd_code hd_k_update_rows(hd_k_lane *lane, size_t set, size_t class,
                                       const uint32_t *restrict cells, size_t n, hd_err *err)
{
    enum { AHEAD = 48 };
    const size_t array = hd_k_array_counts(class);
    void *counts = lane->tables[set].arrays[array];
    uint32_t *restrict rows = counts;
    uint8_t *restrict bytes = counts;
    if (lane->plan->sets[set].product == 1 && !lane->plan->sets[set].in_bytes) {
        rows[0] += (uint32_t)n;
        return HD_OK;
    }
    if (!lane->plan->sets[set].in_bytes) {
        for (size_t i = 0; i < n; i++)
            rows[cells[i]]++;
        return HD_OK;
    }
    HD_TRY(hd_k_lane_full_room(lane, set, array, n, err));
    hd_k_full *full = &lane->tables[set].full[array];
    for (size_t i = 0; i < n; i++) {
        __builtin_prefetch(&bytes[cells[i + AHEAD < n ? i + AHEAD : i]], 1);
        if (++bytes[cells[i]] == 0)
            full->at[full->n++] = cells[i];
    }
    return HD_OK;
}

/* One loop for codes of each width; `body` sees at[i]. */
#define HD_K_EACH(codes, width, n, body)                                                           \
    do {                                                                                           \
        if ((width) == 1) {                                                                        \
            const uint8_t *restrict at = (codes);                                                  \
            for (size_t i = 0; i < (n); i++)                                                       \
                body;                                                                              \
        } else if ((width) == 2) {                                                                 \
            const uint16_t *restrict at = (codes);                                                 \
            for (size_t i = 0; i < (n); i++)                                                       \
                body;                                                                              \
        } else {                                                                                   \
            const uint32_t *restrict at = (codes);                                                 \
            for (size_t i = 0; i < (n); i++)                                                       \
                body;                                                                              \
        }                                                                                          \
    } while (0)

/* Codes of the rows that contribute, in the width of their column. */
typedef struct hd_k_coded_rows {
    const void *codes;
    unsigned width;
    const uint32_t *cells;
    size_t n;
} hd_k_coded_rows;

/* Adding to one place in memory waits for itself, so the one cell of a set without groups is added up
 * beside it. */
static inline void hd_k_update_sums(const int64_t *restrict integers, const hd_k_coded_rows *r,
                                    bool is_one_cell, int64_t *restrict sums)
{
    const uint32_t *restrict cells = r->cells;
    int64_t sum = 0;
    if (is_one_cell) {
        HD_K_EACH(r->codes, r->width, r->n, sum += integers[at[i]]);
        sums[0] += sum;
        return;
    }
    HD_K_EACH(r->codes, r->width, r->n, sums[cells[i]] += integers[at[i]]);
}

static inline void hd_k_add_exact(hd_k_exact *to, __int128 v)
{
    to->sum += v;
    to->sum_squares += (unsigned __int128)(v * v);
}

static inline void hd_k_update_exact(const int64_t *restrict integers, const hd_k_coded_rows *r,
                                     hd_k_exact *restrict values)
{
    HD_K_EACH(r->codes, r->width, r->n, hd_k_add_exact(&values[r->cells[i]], integers[at[i]]));
}

static inline void hd_k_add_decimal(hd_k_decimal *to, double v)
{
    to->sum += v;
    to->sum_squares += v * v;
}

static inline void hd_k_update_decimal(const double *restrict decimals, const hd_k_coded_rows *r,
                                       hd_k_decimal *restrict values)
{
    HD_K_EACH(r->codes, r->width, r->n, hd_k_add_decimal(&values[r->cells[i]], decimals[at[i]]));
}

static inline void hd_k_add_rank(hd_k_extremes *to, uint32_t rank)
{
    uint32_t above = rank + 1, beyond = UINT32_MAX - rank;
    to->above = above > to->above ? above : to->above;
    to->beyond = beyond > to->beyond ? beyond : to->beyond;
}

static inline void hd_k_update_extremes(const uint32_t *restrict ranks, const hd_k_coded_rows *r,
                                        hd_k_extremes *restrict values)
{
    HD_K_EACH(r->codes, r->width, r->n, hd_k_add_rank(&values[r->cells[i]], ranks[at[i]]));
}

/* places: room for n. */
static inline hd_code hd_k_update_bins(hd_k_lane *lane, size_t set, size_t measure,
                                       const hd_k_coded_rows *r, uint64_t *restrict places,
                                       hd_err *err)
{
    enum { AHEAD = 48 };
    const hd_k_measure *m = &lane->plan->q->measures[measure];
    const size_t array = hd_k_array_values(lane->plan, measure);
    const uint32_t *restrict ranks = m->ranks, *restrict cells = r->cells;
    const uint64_t n_ranks = m->n_ranks;
    hd_k_table *t = &lane->tables[set];
    uint8_t *restrict bins = t->arrays[array];
    HD_TRY(hd_k_lane_full_room(lane, set, array, r->n, err));
    HD_K_EACH(r->codes, r->width, r->n, places[i] = cells[i] * n_ranks + ranks[at[i]]);
    hd_k_full *full = &t->full[array];
    for (size_t i = 0; i < r->n; i++) {
        __builtin_prefetch(&bins[places[i + AHEAD < r->n ? i + AHEAD : i]], 1);
        if (++bins[places[i]] == 0)
            full->at[full->n++] = places[i];
    }
    return HD_OK;
}

static inline void hd_k_mark_bins(const hd_k_measure *m, const hd_k_coded_rows *r,
                                  uint8_t *restrict bins)
{
    const size_t n_ranks = m->n_ranks;
    HD_K_EACH(r->codes, r->width, r->n, bins[r->cells[i] * n_ranks + m->ranks[at[i]]] = 1);
}

/* All of one measure in one set. scratch: room for n of 8 bytes. */
static inline hd_code hd_k_update_measure(hd_k_lane *lane, size_t set, size_t measure,
                                          const hd_k_coded_rows *r, uint64_t *scratch, hd_err *err)
{
    const hd_k_measure *m = &lane->plan->q->measures[measure];
    void *values = lane->tables[set].arrays[hd_k_array_values(lane->plan, measure)];
    if (m->kind == HD_K_MOMENTS && lane->plan->is_narrow[measure])
        hd_k_update_sums(m->integers, r, lane->plan->sets[set].product == 1, values);
    else if (m->kind == HD_K_MOMENTS && m->integers)
        hd_k_update_exact(m->integers, r, values);
    else if (m->kind == HD_K_MOMENTS)
        hd_k_update_decimal(m->decimals, r, values);
    else if (m->kind == HD_K_EXTREMES)
        hd_k_update_extremes(m->ranks, r, values);
    else if (values && m->kind == HD_K_DISTINCT)
        hd_k_mark_bins(m, r, values);
    else if (values)
        return hd_k_update_bins(lane, set, measure, r, scratch, err);
    else {
        uint32_t *ranks = (uint32_t *)scratch;
        HD_K_EACH(r->codes, r->width, r->n, ranks[i] = m->ranks[at[i]]);
        return hd_k_lane_pairs(lane, set, measure, r->cells, ranks, r->n, err);
    }
    return HD_OK;
}

#endif
