/* sort.c - see sort.h. Eight bits at a time from the lowest, those in which all keys agree left out. Long
 * arrays are first cut by their highest bits into pieces that fit the cache, which all processors put
 * in order; what is equal keeps its order either way. */
#include "base/sort.h"
#include "base/par.h"

#include <stdbool.h>
#include <string.h>

static uint64_t differing(const uint64_t *keys, size_t n)
{
    uint64_t differ = 0;
    for (size_t i = 1; i < n; i++)
        differ |= keys[i] ^ keys[0];
    return differ;
}

/* Where the numbers of each digit go, when they are put in its order; n_digits is a power of two. */
static inline void find_starts(const uint64_t *keys, size_t n, unsigned shift, size_t n_digits,
                               size_t *starts)
{
    size_t next = 0;
    memset(starts, 0, n_digits * sizeof *starts);
    for (size_t i = 0; i < n; i++)
        starts[keys[i] >> shift & (n_digits - 1)]++;
    for (size_t d = 0; d < n_digits; d++) {
        size_t count = starts[d];
        starts[d] = next;
        next += count;
    }
}

static void sort_piece(uint64_t *keys, uint64_t *values, uint64_t *spare_keys, uint64_t *spare_values,
                       size_t n)
{
    uint64_t differ = differing(keys, n);
    uint64_t *k = keys, *v = values, *k2 = spare_keys, *v2 = spare_values;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (!(differ >> shift & 255))
            continue;
        size_t at[256];
        find_starts(k, n, shift, 256, at);
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

enum { BITS = 10, PIECES = 1 << BITS, LONG = 1 << 16, AT_ONCE = 8 };

typedef struct pieces {
    uint64_t *keys, *values, *cut_keys, *cut_values;
    size_t starts[PIECES + 1];
} pieces;

/* Pieces are cut into the spare arrays, put in order there, and copied back. */
static hd_code sort_pieces(void *ctx, size_t task, hd_err *err)
{
    (void)err;
    const pieces *p = ctx;
    for (size_t piece = task * AT_ONCE; piece < (task + 1) * AT_ONCE; piece++) {
        size_t first = p->starts[piece], n = p->starts[piece + 1] - first;
        if (n == 0)
            continue;
        sort_piece(p->cut_keys + first, p->cut_values + first, p->keys + first, p->values + first, n);
        memcpy(p->keys + first, p->cut_keys + first, n * sizeof *p->keys);
        memcpy(p->values + first, p->cut_values + first, n * sizeof *p->values);
    }
    return HD_OK;
}

void hd_sort_pairs(uint64_t *keys, uint64_t *values, uint64_t *spare_keys, uint64_t *spare_values,
                   size_t n)
{
    uint64_t differ = n < LONG ? 0 : differing(keys, n);
    if (differ >> BITS == 0) {
        sort_piece(keys, values, spare_keys, spare_values, n);
        return;
    }
    unsigned shift = 64 - (unsigned)__builtin_clzll(differ) - BITS;
    pieces p = {keys, values, spare_keys, spare_values, {0}};
    size_t at[PIECES];
    find_starts(keys, n, shift, PIECES, at);
    memcpy(p.starts, at, sizeof at);
    p.starts[PIECES] = n;
    for (size_t i = 0; i < n; i++) {
        size_t to = at[keys[i] >> shift & (PIECES - 1)]++;
        spare_keys[to] = keys[i];
        spare_values[to] = values[i];
    }
    hd_code rc = hd_par_run(PIECES / AT_ONCE, sort_pieces, &p, NULL);
    HD_ALWAYS(rc == HD_OK); /* no piece can fail */
}

/* The numbers are left in `spare` instead if it is asked for. */
static void sort_short(uint64_t *numbers, uint64_t *spare, size_t n, unsigned lowest, bool to_spare)
{
    uint64_t differ = n ? differing(numbers, n) >> lowest << lowest : 0, *from = numbers, *to = spare;
    for (unsigned shift = lowest; shift < 64; shift += 8) {
        if (!(differ >> shift & 255))
            continue;
        size_t at[256];
        find_starts(from, n, shift, 256, at);
        for (size_t i = 0; i < n; i++)
            to[at[from[i] >> shift & 255]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != (to_spare ? spare : numbers))
        memcpy(to, from, n * sizeof *from);
}

void hd_sort_numbers(uint64_t *numbers, uint64_t *spare, size_t n, unsigned lowest)
{
    uint64_t differ = n < LONG ? 0 : differing(numbers, n) >> lowest;
    if (differ >> BITS == 0) {
        sort_short(numbers, spare, n, lowest, false);
        return;
    }
    unsigned shift = lowest + 64 - (unsigned)__builtin_clzll(differ) - BITS;
    size_t starts[PIECES + 1], at[PIECES];
    find_starts(numbers, n, shift, PIECES, at);
    memcpy(starts, at, sizeof at);
    starts[PIECES] = n;
    for (size_t i = 0; i < n; i++)
        spare[at[numbers[i] >> shift & (PIECES - 1)]++] = numbers[i];
    for (size_t d = 0; d < PIECES; d++)
        sort_short(spare + starts[d], numbers + starts[d], starts[d + 1] - starts[d], lowest, true);
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
