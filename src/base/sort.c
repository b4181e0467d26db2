/* sort.c - see sort.h. Eight bits at a time, those in which all keys agree left out. */
#include "base/sort.h"

#include <string.h>

void hd_sort_pairs(uint64_t *keys, uint64_t *values, uint64_t *spare_keys, uint64_t *spare_values,
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

/* Bits from the top; only numbers that begin like the one sought stay. */
uint64_t hd_kth_smallest(uint64_t *numbers, size_t n, size_t k)
{
    uint64_t found = 0;
    for (unsigned shift = 64; shift > 0;) {
        size_t count[256] = {0}, kept = 0;
        unsigned digit = 0;
        shift -= 8;
        for (size_t i = 0; i < n; i++)
            count[numbers[i] >> shift & 255]++;
        for (; k >= count[digit]; digit++)
            k -= count[digit];
        for (size_t i = 0; i < n && n > 1; i++)
            if ((numbers[i] >> shift & 255) == digit)
                numbers[kept++] = numbers[i];
        n = n > 1 ? kept : n;
        found |= (uint64_t)digit << shift;
    }
    return found;
}
