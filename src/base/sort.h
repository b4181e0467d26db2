/* sort.h - numbers in order, in time that does not grow faster than they do. */
#ifndef HD_BASE_SORT_H
#define HD_BASE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Sort pairs by key, keeping the order of equal keys; spare arrays have the same length. */
void hd_sort_pairs(uint64_t *keys, uint64_t *values, uint64_t *spare_keys, uint64_t *spare_values,
                   size_t n);

#endif
