/* near.c - see near.h. The answer's sets are looked up by each of their lowest elements; a bit map in
 * front of the table answers most look-ups, because earlier releases are many and seldom near. */
#include "disclosure/near.h"

#include "base/alloc.h"

#include <string.h>

enum { FILTER_BITS = 1 << 20 };

/* What sets are compared by: which records, or how many of each person. */
typedef enum view { BY_RECORDS, BY_PROFILE, N_VIEWS } view;

typedef struct entry {
    uint32_t element;
    uint32_t next; /* number of the entry with the same bucket + 1, 0: none */
    uint32_t item;
    view view;
} entry;

struct hd_near {
    const hd_account *now;
    unsigned limit;
    entry *entries;
    size_t n_entries, cap;
    uint32_t *heads; /* entry + 1 */
    size_t n_heads;  /* power of two */
    uint64_t *filter;
    uint32_t *seen; /* by item of the answer and view: the item it was compared with last, + 1 */
    bool has_people, has_records; /* columns of the answer */
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

static const uint32_t *lowest_of(const hd_set *s, view v)
{
    return v == BY_RECORDS ? s->lowest : s->profile.lowest;
}

static hd_code add_entries(hd_near *n, size_t item, view v, hd_err *err)
{
    const uint32_t *lowest = lowest_of(&n->now->items[item], v);
    for (size_t i = 0; i <= n->limit && lowest[i] != UINT32_MAX; i++) {
        if (!HD_GROW(n->entries, n->n_entries, n->cap))
            return hd_fail_nomem(err);
        uint32_t e = lowest[i], *head = &n->heads[head_of(n, e)];
        n->entries[n->n_entries++] = (entry){e, *head, (uint32_t)item, v};
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
    for (n->n_heads = 1024; n->n_heads < n_items * 8 * N_VIEWS; n->n_heads *= 2)
        ;
    for (size_t c = 0; c < now->n_columns; c++) {
        n->has_people = n->has_people || now->kinds[c] == HD_SET_PEOPLE;
        n->has_records = n->has_records || now->kinds[c] == HD_SET_RECORDS;
    }
    n->heads = hd_calloc(n->n_heads, sizeof *n->heads);
    n->filter = hd_calloc(FILTER_BITS / 64, sizeof *n->filter);
    n->seen = hd_calloc((n_items + 1) * N_VIEWS, sizeof *n->seen);
    if (!n->heads || !n->filter || !n->seen) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n_items * N_VIEWS; i++)
        HD_GO(add_entries(n, i / N_VIEWS, i % N_VIEWS, err));
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

/* Whether a view compares such columns: records of one table with each other, people with people;
 * everything else by how many records of each person. */
static bool is_compared(const hd_near *n, view v, hd_set_kind of_now, const hd_account *other,
                        hd_set_kind kind)
{
    bool is_alike = of_now == kind && (kind == HD_SET_PEOPLE || other->table == n->now->table);
    return is_alike == (v == BY_RECORDS);
}

static bool is_near(const hd_near *n, view v, const hd_set *a, const hd_set *b)
{
    if (v == BY_PROFILE)
        return hd_profile_excess(&a->profile, &b->profile, n->limit) > 0;
    unsigned d = hd_set_distance(a, b, n->limit);
    return d > 0 && d <= n->limit;
}

/* All items of the answer that share one of the lowest elements of an item and are near it. */
static hd_code compare(hd_near *n, const hd_account *other, size_t number, size_t item, view v,
                       hd_err *err)
{
    const uint32_t *lowest = lowest_of(&other->items[item], v);
    hd_set_kind kind = other->kinds[item % other->n_columns];
    for (size_t i = 0; i <= n->limit && lowest[i] != UINT32_MAX; i++) {
        uint32_t e = lowest[i];
        if (!(n->filter[e % FILTER_BITS / 64] >> e % 64 & 1))
            continue;
        for (uint32_t at = n->heads[head_of(n, e)]; at; at = n->entries[at - 1].next) {
            const entry *x = &n->entries[at - 1];
            uint32_t *seen = &n->seen[x->item * N_VIEWS + v];
            if (x->element != e || x->view != v)
                continue;
            n->touches = n->touches || v == BY_RECORDS;
            if (*seen == (uint32_t)item + 1 || !n->now->printed[x->item].is_shown ||
                !other->printed[item].is_shown || (number == HD_NEAR_OWN && x->item >= item) ||
                !is_compared(n, v, n->now->kinds[x->item % n->now->n_columns], other, kind))
                continue;
            *seen = (uint32_t)item + 1;
            if (!is_near(n, v, &n->now->items[x->item], &other->items[item]))
                continue;
            if (!HD_GROW(n->pairs, n->n_pairs, n->pairs_cap))
                return hd_fail_nomem(err);
            n->pairs[n->n_pairs++] = (hd_near_pair){x->item, number, item, v == BY_PROFILE};
        }
    }
    return HD_OK;
}

static hd_code compare_all(hd_near *n, const hd_account *other, size_t number, hd_err *err)
{
    size_t n_items = n->now->n_cells * n->now->n_columns;
    n->touches = false;
    memset(n->seen, 0, (n_items + 1) * N_VIEWS * sizeof *n->seen);
    for (size_t i = 0; i < other->n_cells * other->n_columns; i++) {
        bool is_people = other->kinds[i % other->n_columns] == HD_SET_PEOPLE;
        bool is_other_table = other->table != n->now->table;
        if (is_people || !is_other_table)
            HD_TRY(compare(n, other, number, i, BY_RECORDS, err));
        if (is_people ? n->has_records : n->has_people || is_other_table)
            HD_TRY(compare(n, other, number, i, BY_PROFILE, err));
    }
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
