/* update.h - adding contributing rows to the arrays of a table; the same loops in every kernel, so
 * that sums of decimals are formed in the same order. Inside src/kernel only.
 *
 * cells[i] and codes[i] belong to contributing row i.
 */
#ifndef HD_KERNEL_UPDATE_H
#define HD_KERNEL_UPDATE_H

#include "kernel/lane.h"
#include "kernel/ops.h"
#include "kernel/shape.h"

#include <string.h>

/* A row more at each place of a table of bytes. */
static inline hd_code hd_k_count_places(hd_k_lane *lane, size_t set, size_t array,
                                        const uint32_t *restrict places, size_t n, hd_err *err)
{
    HD_TRY(hd_k_lane_full_room(lane, set, array, n, err));
    hd_k_full *full = &lane->tables[set].full[array];
    const hd_k_set_plan *s = &lane->plan->sets[set];
    full->n += hd_k_count_bytes(lane->tables[set].arrays[array], s->product * s->items[array],
                                places, n, full->at + full->n);
    return HD_OK;
}

/* Rows of a cell. */
static inline hd_code hd_k_update_rows(hd_k_lane *lane, size_t set, size_t class,
                                       const uint32_t *restrict cells, size_t n, hd_err *err)
{
    const hd_k_set_plan *plan = &lane->plan->sets[set];
    const size_t array = hd_k_array_rows(class);
    if (plan->rows_from[class] != HD_K_NO_MEASURE)
        return HD_OK;
    if (plan->in_bytes)
        return hd_k_count_places(lane, set, array, cells, n, err);
    uint32_t *restrict rows = lane->tables[set].arrays[array];
    if (plan->product == 1) {
        rows[0] += (uint32_t)n;
        return HD_OK;
    }
    enum { AHEAD = 32, NEAR = 1 << 20 };
    bool is_far = lane->tables[set].n_cells * sizeof *rows > NEAR;
    size_t i = 0;
    for (; is_far && i + AHEAD < n; i++) {
        __builtin_prefetch(&rows[cells[i + AHEAD]], 1);
        rows[cells[i]]++;
    }
    for (; i + 4 <= n; i += 4) {
        uint64_t pairs[2];
        memcpy(pairs, cells + i, sizeof pairs);
        for (unsigned k = 0; k < 4; k++)
            rows[(uint32_t)(pairs[k / 2] >> k % 2 * 32)]++;
    }
    for (; i < n; i++)
        rows[cells[i]]++;
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
    size_t n, ahead; /* of the codes, see ops.h */
} hd_k_coded_rows;

/* Four codes and two cells in a load. */
static inline void hd_k_update_sums16(const int64_t *restrict integers, const hd_k_coded_rows *r,
                                      int64_t *restrict sums)
{
    const uint16_t *restrict codes = r->codes;
    const uint32_t *restrict cells = r->cells;
    size_t row = 0;
    for (; row + 4 <= r->n; row += 4) {
        uint64_t four, first, second;
        memcpy(&four, codes + row, sizeof four);
        memcpy(&first, cells + row, sizeof first);
        memcpy(&second, cells + row + 2, sizeof second);
        sums[(uint32_t)first] += integers[four & UINT16_MAX];
        sums[first >> 32] += integers[four >> 16 & UINT16_MAX];
        sums[(uint32_t)second] += integers[four >> 32 & UINT16_MAX];
        sums[second >> 32] += integers[four >> 48];
    }
    for (; row < r->n; row++)
        sums[cells[row]] += integers[codes[row]];
}

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
    if (r->width == 2) {
        hd_k_update_sums16(integers, r, sums);
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

#define HD_K_CODE_RANGE(name, type)                                                                \
    static inline void name(const type *restrict at, size_t n, uint32_t *lowest, uint32_t *highest) \
    {                                                                                              \
        type low = at[0], high = at[0];                                                            \
        for (size_t i = 1; i < n; i++) {                                                           \
            low = at[i] < low ? at[i] : low;                                                       \
            high = at[i] > high ? at[i] : high;                                                    \
        }                                                                                          \
        *lowest = low;                                                                             \
        *highest = high;                                                                           \
    }
HD_K_CODE_RANGE(hd_k_code_range8, uint8_t)
HD_K_CODE_RANGE(hd_k_code_range16, uint16_t)
HD_K_CODE_RANGE(hd_k_code_range32, uint32_t)

/* Where ranks ascend with codes, the one cell of a set without groups needs the extremes of codes, which
 * a compiler finds in vectors. r->n is not 0. */
static inline void hd_k_update_range(const uint32_t *restrict ranks, const hd_k_coded_rows *r,
                                     hd_k_extremes *value)
{
    uint32_t low, high;
    if (r->width == 1)
        hd_k_code_range8(r->codes, r->n, &low, &high);
    else if (r->width == 2)
        hd_k_code_range16(r->codes, r->n, &low, &high);
    else
        hd_k_code_range32(r->codes, r->n, &low, &high);
    hd_k_add_rank(value, ranks[low]);
    hd_k_add_rank(value, ranks[high]);
}

static inline void hd_k_update_extremes(const uint32_t *restrict ranks, const hd_k_coded_rows *r,
                                        bool is_one_cell, hd_k_extremes *restrict values)
{
    if (is_one_cell) { /* beside it, see hd_k_update_sums */
        hd_k_extremes value = values[0];
        HD_K_EACH(r->codes, r->width, r->n, hd_k_add_rank(&value, ranks[at[i]]));
        values[0] = value;
        return;
    }
    HD_K_EACH(r->codes, r->width, r->n, hd_k_add_rank(&values[r->cells[i]], ranks[at[i]]));
}

/* places[i] = rank x product + cell. There is room for n. */
static inline void hd_k_find_places(const hd_k_lane *lane, size_t set, const hd_k_measure *m,
                                    const hd_k_coded_rows *r, uint32_t *restrict places)
{
    const hd_k_ops *ops = lane->plan->ops;
    const uint32_t product = (uint32_t)lane->plan->sets[set].product, *restrict ranks = m->ranks;
    if (lane->plan->shape && r->width < 4) {
        const size_t measure = (size_t)(m - lane->plan->q->measures);
        const uint8_t *bytes = lane->plan->shape->rank_bytes[measure];
        const hd_k_key *k = &lane->plan->shape->ranks[measure];
        if (r->width == 1 && k->is_shifted)
            ops->key8(r->codes, r->n, r->ahead, k->lowest, product, r->cells, places);
        else if (k->is_shifted)
            ops->key16(r->codes, r->n, r->ahead, k->lowest, product, r->cells, places);
        else if (r->width == 1 && m->n_ranks <= 256)
            ops->key_slots(r->codes, r->n, r->ahead, bytes, product, r->cells, places);
        else if (r->width == 1)
            ops->look8(r->codes, r->n, r->ahead, ranks, product, r->cells, places);
        else
            ops->look16(r->codes, r->n, r->ahead, ranks, product, r->cells, places);
        return;
    }
    HD_K_EACH(r->codes, r->width, r->n, places[i] = r->cells[i] + product * ranks[at[i]]);
}

static inline void hd_k_mark_places(const uint32_t *restrict places, size_t n,
                                    uint8_t *restrict bins)
{
    for (size_t i = 0; i < n; i++)
        bins[places[i]] = 1;
}

static inline hd_code hd_k_list_pairs(hd_k_lane *lane, size_t set, size_t measure,
                                      const hd_k_coded_rows *r, hd_err *err)
{
    HD_TRY(hd_k_lane_pair_room(lane, set, measure, r->n, err));
    const uint32_t *restrict ranks = lane->plan->q->measures[measure].ranks;
    const hd_k_pair_bits bits = hd_k_lane_pair_bits(lane->plan, set, measure);
    hd_k_pairs *pairs = &lane->tables[set].pairs[measure];
    uint64_t *restrict items = pairs->items + pairs->n;
    HD_K_EACH(r->codes, r->width, r->n,
              items[i] = ((uint64_t)r->cells[i] << bits.rank | ranks[at[i]]) << bits.rows | 1);
    pairs->n += r->n;
    return HD_OK;
}

/* All of one measure in one set. places: room for n. */
static inline hd_code hd_k_update_measure(hd_k_lane *lane, size_t set, size_t measure,
                                          const hd_k_coded_rows *r, uint32_t *places, hd_err *err)
{
    const hd_k_measure *m = &lane->plan->q->measures[measure];
    const size_t array = hd_k_array_values(lane->plan, measure);
    void *values = lane->tables[set].arrays[array];
    const int64_t *packed = lane->plan->packings[measure].adds;
    bool is_one_cell = lane->plan->sets[set].product == 1;
    if (m->kind == HD_K_MOMENTS && lane->plan->is_narrow[measure])
        hd_k_update_sums(packed ? packed : m->integers, r, is_one_cell, values);
    else if (m->kind == HD_K_MOMENTS && m->integers)
        hd_k_update_exact(m->integers, r, values);
    else if (m->kind == HD_K_MOMENTS)
        hd_k_update_decimal(m->decimals, r, values);
    else if (m->kind == HD_K_EXTREMES && is_one_cell && r->n && lane->plan->shape &&
             lane->plan->shape->ranks_ascend[measure])
        hd_k_update_range(m->ranks, r, values);
    else if (m->kind == HD_K_EXTREMES)
        hd_k_update_extremes(m->ranks, r, is_one_cell, values);
    else if (values) {
        hd_k_find_places(lane, set, m, r, places);
        if (m->kind == HD_K_DISTRIBUTION)
            return hd_k_count_places(lane, set, array, places, r->n, err);
        hd_k_mark_places(places, r->n, values);
    } else {
        return hd_k_list_pairs(lane, set, measure, r, err);
    }
    return HD_OK;
}

#endif
