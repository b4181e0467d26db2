/* arrange.c - the order of a new table's rows: by person, then order key, then arrival.
 *
 * (person, row) pairs are cut by the highest bits of the person into parts that fit the nearest
 * cache, one pass of streaming writes. Then all processors put parts in order: by the rest of the
 * person, digit by digit, which keeps the order of arrival; then each person's rows, which are few,
 * where they lie. Sorting by the key's digits as well was rejected: four more passes, each with a
 * random look at the key of every row.
 */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "base/par.h"
#include "vault/builder.h"

#include <stdlib.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, AT_ONCE = 8, FEW = 32, AHEAD = 16 };

struct arranging {
    const uint32_t *persons; /* by arrival */
    const int64_t *keys;     /* by arrival */
    uint32_t n, *rows;
    uint64_t *pairs; /* person in the high half, arriving row in the low half; by part */
    unsigned low_bits;       /* of the person, in which the rows of a part differ */
    uint32_t starts[DIGITS + 1]; /* of the parts */
};

static bool is_in_order(const uint32_t *persons, const int64_t *keys, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (persons[i - 1] > persons[i] || (persons[i - 1] == persons[i] && keys[i - 1] > keys[i]))
            return false;
    return true;
}

/* One stable pass by a digit of the person. */
static void sort_pass(const uint64_t *from, uint64_t *to, uint32_t n, unsigned shift, unsigned bits)
{
    const uint32_t digits = UINT32_C(1) << bits;
    uint32_t next[DIGITS], at = 0;
    memset(next, 0, digits * sizeof *next);
    for (uint32_t i = 0; i < n; i++)
        next[(from[i] >> shift) & (digits - 1)]++;
    for (uint32_t d = 0; d < digits; d++) {
        uint32_t count = next[d];
        next[d] = at;
        at += count;
    }
    for (uint32_t i = 0; i < n; i++)
        to[next[(from[i] >> shift) & (digits - 1)]++] = from[i];
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

/* `spare` has room for the part. */
static hd_code sort_part(struct arranging *a, uint32_t first, uint32_t end, uint64_t *spare,
                         hd_err *err)
{
    uint64_t *pairs = a->pairs + first;
    const uint32_t n = end - first;
    uint32_t *rows = a->rows + first;
    for (unsigned done = 0, bits; done < a->low_bits && n > 1; done += bits) {
        bits = a->low_bits - done < DIGIT_BITS ? a->low_bits - done : DIGIT_BITS;
        sort_pass(pairs, spare, n, 32 + done, bits);
        uint64_t *swap = pairs;
        pairs = spare;
        spare = swap;
    }
    for (uint32_t i = 0; i < n; i++)
        rows[i] = (uint32_t)pairs[i];
    for (uint32_t i = 0, stop; i < n; i = stop) {
        for (stop = i + 1; stop < n && pairs[stop] >> 32 == pairs[i] >> 32;)
            stop++;
        for (uint32_t k = i; k < stop && k + AHEAD < n; k++)
            __builtin_prefetch(&a->keys[rows[k + AHEAD]]);
        if (stop - i > 1)
            HD_TRY(sort_person(rows + i, stop - i, a->keys, err));
    }
    return HD_OK;
}

static hd_code sort_parts(void *ctx, size_t task, hd_err *err)
{
    struct arranging *a = ctx;
    const uint32_t *starts = a->starts + task * AT_ONCE;
    hd_code rc = HD_OK;
    uint32_t most = 0;
    for (size_t i = 0; i < AT_ONCE; i++)
        most = starts[i + 1] - starts[i] > most ? starts[i + 1] - starts[i] : most;
    uint64_t *spare = hd_malloc(most * sizeof *spare);
    if (!spare)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < AT_ONCE && rc == HD_OK; i++)
        rc = sort_part(a, starts[i], starts[i + 1], spare, err);
    hd_wipe_free(spare, most * sizeof *spare);
    return rc;
}

/* Make the pairs, each where its part is. */
static void cut(struct arranging *a)
{
    uint32_t highest = 0, next[DIGITS];
    for (uint32_t i = 0; i < a->n; i++)
        highest = a->persons[i] > highest ? a->persons[i] : highest;
    unsigned bits = highest ? 32 - (unsigned)__builtin_clz(highest) : 0;
    a->low_bits = bits > DIGIT_BITS ? bits - DIGIT_BITS : 0;
    for (uint32_t i = 0; i < a->n; i++)
        a->starts[(a->persons[i] >> a->low_bits) + 1]++;
    for (uint32_t d = 0; d < DIGITS; d++) {
        next[d] = a->starts[d];
        a->starts[d + 1] += a->starts[d];
    }
    for (uint32_t i = 0; i < a->n; i++)
        a->pairs[next[a->persons[i] >> a->low_bits]++] = (uint64_t)a->persons[i] << 32 | i;
}

hd_code hd_arrange(const uint32_t *persons, const int64_t *keys, uint32_t n, uint32_t **out,
                   hd_err *err)
{
    *out = NULL;
    if (is_in_order(persons, keys, n))
        return HD_OK;
    const size_t len = (size_t)n * sizeof(uint64_t), rows_len = (size_t)n * sizeof(uint32_t);
    struct arranging a = {.persons = persons,
                          .keys = keys,
                          .n = n,
                          .rows = hd_secret_map(rows_len),
                          .pairs = hd_secret_map(len)};
    hd_code rc;
    if (!a.rows || !a.pairs)
        HD_GO(hd_fail_nomem(err));
    cut(&a);
    HD_GO(hd_par_run(DIGITS / AT_ONCE, sort_parts, &a, err));
    *out = a.rows;
    a.rows = NULL;
out:
    hd_secret_unmap(a.pairs, len);
    hd_secret_unmap(a.rows, rows_len);
    return rc;
}
