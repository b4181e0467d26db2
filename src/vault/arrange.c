/* arrange.c - the order of a new table's rows: by person, then order key, then arrival.
 *
 * Rows of one person are few, so the work is to bring them together: a stable radix sort of
 * (person, row) pairs by person alone, three passes of streaming writes; then each person's rows
 * are put in order where they lie. Sorting by the key's digits as well was rejected: four more
 * passes, each with a random look at the key of every row.
 */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "base/par.h"
#include "vault/builder.h"

#include <stdlib.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, PASSES = 3, FEW = 32, AHEAD = 16 };

struct arranging {
    const int64_t *keys; /* by arrival */
    uint64_t *pairs;     /* person in the high half, arriving row in the low half; by person */
    uint32_t n, *rows;
    size_t n_parts;
};

static bool is_in_order(const uint32_t *persons, const int64_t *keys, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (persons[i - 1] > persons[i] || (persons[i - 1] == persons[i] && keys[i - 1] > keys[i]))
            return false;
    return true;
}

/* One stable pass by one digit of the person; false when all share it and nothing moved. */
static bool sort_pass(const uint64_t *from, uint64_t *to, uint32_t n, unsigned shift)
{
    uint32_t next[DIGITS] = {0}, at = 0;
    for (uint32_t i = 0; i < n; i++)
        next[(from[i] >> shift) & (DIGITS - 1)]++;
    if (next[(from[0] >> shift) & (DIGITS - 1)] == n)
        return false;
    for (uint32_t d = 0; d < DIGITS; d++) {
        uint32_t count = next[d];
        next[d] = at;
        at += count;
    }
    for (uint32_t i = 0; i < n; i++)
        to[next[(from[i] >> shift) & (DIGITS - 1)]++] = from[i];
    return true;
}

struct keyed {
    int64_t key;
    uint32_t row;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Put the rows of one person in order; they are in order of arrival now. */
static hd_code sort_person(uint32_t *rows, uint32_t n, const int64_t *keys, hd_err *err)
{
    struct keyed few[FEW], *all = few;
    if (n > FEW && !(all = hd_calloc(n, sizeof *all)))
        return hd_fail_nomem(err);
    for (uint32_t i = 0; i < n; i++) {
        struct keyed k = {keys[rows[i]], rows[i]};
        uint32_t at = i;
        for (; n <= FEW && at > 0 && all[at - 1].key > k.key; at--)
            all[at] = all[at - 1];
        all[at] = k;
    }
    if (n > FEW)
        qsort(all, n, sizeof *all, by_key);
    for (uint32_t i = 0; i < n; i++)
        rows[i] = all[i].row;
    if (n > FEW)
        hd_free(all);
    return HD_OK;
}

/* The first position at or after i where a person begins. */
static uint32_t person_start(const struct arranging *a, uint64_t i)
{
    while (i > 0 && i < a->n && a->pairs[i] >> 32 == a->pairs[i - 1] >> 32)
        i++;
    return (uint32_t)i;
}

static hd_code sort_part(void *ctx, size_t part, hd_err *err)
{
    struct arranging *a = ctx;
    uint32_t from = person_start(a, (uint64_t)a->n * part / a->n_parts);
    uint32_t to = person_start(a, (uint64_t)a->n * (part + 1) / a->n_parts);
    for (uint32_t i = from; i < to; i++)
        a->rows[i] = (uint32_t)a->pairs[i];
    for (uint32_t i = from, end; i < to; i = end) {
        for (end = i + 1; end < to && a->pairs[end] >> 32 == a->pairs[i] >> 32;)
            end++;
        for (uint32_t k = i; k < end && k + AHEAD < to; k++)
            __builtin_prefetch(&a->keys[a->rows[k + AHEAD]]);
        if (end - i > 1)
            HD_TRY(sort_person(a->rows + i, end - i, a->keys, err));
    }
    return HD_OK;
}

hd_code hd_arrange(const uint32_t *persons, const int64_t *keys, uint32_t n, uint32_t **out,
                   hd_err *err)
{
    *out = NULL;
    if (is_in_order(persons, keys, n))
        return HD_OK;
    size_t len = (size_t)n * sizeof(uint64_t);
    uint64_t *pairs = hd_secret_map(len), *spare = hd_secret_map(len);
    uint32_t *rows = hd_secret_map((size_t)n * sizeof *rows);
    hd_code rc = HD_OK;
    if (!pairs || !spare || !rows) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (uint32_t i = 0; i < n; i++)
        pairs[i] = (uint64_t)persons[i] << 32 | i;
    for (unsigned pass = 0; pass < PASSES; pass++)
        if (sort_pass(pairs, spare, n, 32 + pass * DIGIT_BITS)) {
            uint64_t *swap = pairs;
            pairs = spare;
            spare = swap;
        }
    struct arranging a = {keys, pairs, n, rows, 2 * (size_t)hd_par_threads()};
    HD_GO(hd_par_run(a.n_parts, sort_part, &a, err));
    *out = rows;
    rows = NULL;
out:
    hd_secret_unmap(pairs, len);
    hd_secret_unmap(spare, len);
    hd_secret_unmap(rows, (size_t)n * sizeof *rows);
    return rc;
}
