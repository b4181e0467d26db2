/* near.c - see near.h. The answer's sets are looked up by each of their lowest elements; a bit map in
 * front of the table answers most look-ups, because earlier releases are many and seldom near. */
#include "disclosure/near.h"

#include "base/alloc.h"

#include <string.h>

enum { FILTER_BITS = 1 << 20 };

typedef struct entry {
    uint32_t element;
    uint32_t next; /* number of the entry with the same bucket + 1, 0: none */
    uint32_t item;
} entry;

struct hd_near {
    const hd_account *now;
    unsigned limit;
    entry *entries;
    size_t n_entries, cap;
    uint32_t *heads; /* entry + 1 */
    size_t n_heads;  /* power of two */
    uint64_t *filter;
    uint32_t *seen; /* by item of the answer: the item it was compared with last, + 1 */
    hd_near_pair *pairs;
    size_t n_pairs, pairs_cap;
    bool touches;
};

unsigned hd_near_limit(const hd_policy_file *p)
{
    int64_t limit = p->withheld_to;
    if (p->minimum_persons - 1 > limit)
        limit = p->minimum_persons - 1;
    return limit > HD_SET_NEAR_MAX ? HD_SET_NEAR_MAX : limit < 1 ? 1 : (unsigned)limit;
}

static size_t head_of(const hd_near *n, uint32_t element)
{
    return (element * UINT32_C(0x9E3779B1)) >> 7 & (n->n_heads - 1);
}

static hd_code add_entries(hd_near *n, size_t item, hd_err *err)
{
    const hd_set *s = &n->now->items[item];
    for (size_t i = 0; i <= n->limit && s->lowest[i] != UINT32_MAX; i++) {
        if (!HD_GROW(n->entries, n->n_entries, n->cap))
            return hd_fail_nomem(err);
        uint32_t e = s->lowest[i], *head = &n->heads[head_of(n, e)];
        n->entries[n->n_entries++] = (entry){e, *head, (uint32_t)item};
        *head = (uint32_t)n->n_entries;
        n->filter[e % FILTER_BITS / 64] |= UINT64_C(1) << e % 64;
    }
    return HD_OK;
}

hd_code hd_near_new(hd_near **out, const hd_account *now, unsigned limit, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n_items = now->n_cells * now->n_columns;
    *out = NULL;
    hd_near *n = hd_calloc(1, sizeof *n);
    if (!n)
        return hd_fail_nomem(err);
    n->now = now;
    n->limit = limit;
    for (n->n_heads = 1024; n->n_heads < n_items * 8; n->n_heads *= 2)
        ;
    n->heads = hd_calloc(n->n_heads, sizeof *n->heads);
    n->filter = hd_calloc(FILTER_BITS / 64, sizeof *n->filter);
    n->seen = hd_calloc(n_items + 1, sizeof *n->seen);
    if (!n->heads || !n->filter || !n->seen) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n_items; i++)
        HD_GO(add_entries(n, i, err));
    *out = n;
    n = NULL;
out:
    hd_near_free(n);
    return rc;
}

void hd_near_free(hd_near *n)
{
    if (!n)
        return;
    hd_free(n->entries);
    hd_free(n->heads);
    hd_free(n->filter);
    hd_free(n->seen);
    hd_free(n->pairs);
    hd_free(n);
}

/* All items of the answer that share one of the lowest elements of `other` and are near it. */
static hd_code compare(hd_near *n, const hd_set *other, hd_set_kind kind, size_t number,
                       size_t other_item, bool is_shown, hd_err *err)
{
    for (size_t i = 0; i <= n->limit && other->lowest[i] != UINT32_MAX; i++) {
        uint32_t e = other->lowest[i];
        if (!(n->filter[e % FILTER_BITS / 64] >> e % 64 & 1))
            continue;
        for (uint32_t at = n->heads[head_of(n, e)]; at; at = n->entries[at - 1].next) {
            const entry *x = &n->entries[at - 1];
            n->touches = n->touches || x->element == e;
            bool is_done = n->seen[x->item] == (uint32_t)other_item + 1 ||
                           !n->now->printed[x->item].is_shown || !is_shown;
            if (x->element != e || is_done || n->now->kinds[x->item % n->now->n_columns] != kind ||
                (number == HD_NEAR_OWN && x->item >= other_item))
                continue;
            n->seen[x->item] = (uint32_t)other_item + 1;
            unsigned d = hd_set_distance(&n->now->items[x->item], other, n->limit);
            if (d == 0 || d > n->limit)
                continue;
            if (!HD_GROW(n->pairs, n->n_pairs, n->pairs_cap))
                return hd_fail_nomem(err);
            n->pairs[n->n_pairs++] = (hd_near_pair){x->item, number, other_item};
        }
    }
    return HD_OK;
}

static hd_code compare_all(hd_near *n, const hd_account *other, size_t number, hd_err *err)
{
    n->touches = false;
    memset(n->seen, 0, (n->now->n_cells * n->now->n_columns + 1) * sizeof *n->seen);
    for (size_t i = 0; i < other->n_cells * other->n_columns; i++)
        HD_TRY(compare(n, &other->items[i], other->kinds[i % other->n_columns], number, i,
                       other->printed[i].is_shown, err));
    return HD_OK;
}

hd_code hd_near_compare(hd_near *n, const hd_account *earlier, size_t number, hd_err *err)
{
    return compare_all(n, earlier, number, err);
}

hd_code hd_near_compare_own(hd_near *n, hd_err *err)
{
    return compare_all(n, n->now, HD_NEAR_OWN, err);
}

bool hd_near_touches(const hd_near *n)
{
    return n->touches;
}

size_t hd_near_n_pairs(const hd_near *n)
{
    return n->n_pairs;
}

const hd_near_pair *hd_near_pair_at(const hd_near *n, size_t i)
{
    return &n->pairs[i];
}
