/* sort.h - numbers in order, in time that does not grow faster than they do. */
#ifndef HD_BASE_SORT_H
#define HD_BASE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Sort pairs by key, keeping the order of equal keys; spare arrays have the same length. */
void hd_sort_pairs(uint64_t *keys, uint64_t *values, uint64_t *spare_keys, uint64_t *spare_values,
                   size_t n);

/* Numbers by their bits from `lowest` (below 64) up, on this processor alone. */
void hd_sort_numbers(uint64_t *numbers, uint64_t *spare, size_t n, unsigned lowest);

/* The number that has k below or beside it (k below n), without putting all in order. Spoils the array. */
uint64_t hd_kth_smallest(uint64_t *numbers, size_t n, size_t k);

#endif
