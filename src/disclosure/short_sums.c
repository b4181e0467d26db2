/* short_sums.c - see short_sums.h. Sums of two sets stand in a hash table, each with a positive
 * factor first; a bit map in front of it answers most look-ups. */
#include "disclosure/short_sums.h"

#include "base/alloc.h"

#include <string.h>

/* Two sets with factors; the second may be none, and then its factor is 0. */
typedef struct pair {
    uint16_t first, second;
    int8_t factor, other;
} pair;

typedef struct slot {
    uint64_t sum;
    pair of; /* factor 0: empty */
} slot;

typedef struct search {
    const hd_short_sums_of *of;
    hd_take_overlap take;
    void *ctx;
    const atomic_bool *stop;
    uint32_t sets[HD_SHORT_SETS], few[HD_SHORT_FEW];
    size_t n_sets, n_few;
    slot *slots;
    size_t n_slots; /* power of two */
    uint64_t *filter; /* a bit for each four slots and more */
    uint64_t *told;   /* hashes of what was told */
    size_t n_told, told_cap;
} search;

static uint64_t sum_of(const search *s, const pair *p, unsigned which)
{
    uint64_t sum = (uint64_t)(int64_t)p->factor * s->of->sums[s->sets[p->first]][which];
    if (p->other)
        sum += (uint64_t)(int64_t)p->other * s->of->sums[s->sets[p->second]][which];
    return sum;
}

/* Identities are good hashes, and so are their sums; times 2 they lack a bit. */
static size_t place_of(const search *s, uint64_t sum)
{
    return (sum ^ sum >> 32) * UINT64_C(0x9E3779B97F4A7C15) >> 20 & (s->n_slots - 1);
}

static void put_pair(search *s, const pair *p)
{
    uint64_t sum = sum_of(s, p, 0);
    size_t at = place_of(s, sum);
    s->filter[at / 64] |= UINT64_C(1) << at % 64;
    while (s->slots[at].of.factor)
        at = (at + 1) & (s->n_slots - 1);
    s->slots[at] = (slot){sum, *p};
}

/* Calls put for every pair that begins with the first set. */
static void list_pairs(search *s)
{
    for (uint16_t i = 0; i < s->n_sets; i++)
        for (int8_t factor = 1; factor <= 2; factor++) {
            put_pair(s, &(pair){i, i, factor, 0});
            for (uint16_t k = (uint16_t)(i + 1); k < s->n_sets; k++)
                for (int8_t other = -2; other <= 2; other++)
                    if (other)
                        put_pair(s, &(pair){i, k, factor, other});
        }
}

typedef struct sum {
    uint32_t items[5];
    int32_t factors[5];
    size_t n;
} sum;

static void add_term(sum *r, uint32_t item, int factor)
{
    size_t at = 0;
    while (at < r->n && r->items[at] != item)
        at++;
    if (at == r->n) {
        r->items[r->n] = item;
        r->factors[r->n++] = 0;
    }
    r->factors[at] += factor;
    if (r->factors[at] == 0) {
        r->items[at] = r->items[--r->n];
        r->factors[at] = r->factors[r->n];
    }
}

/* Many splits give the same sum. */
static hd_code tell(search *s, const sum *r, hd_err *err)
{
    uint64_t hash = 0;
    bool has_first = false;
    for (size_t i = 0; i < r->n; i++) {
        hash += (uint64_t)(int64_t)r->factors[i] * (s->of->sums[r->items[i]][1] | 1);
        has_first |= r->items[i] < s->of->n_first;
    }
    hash = hash * (2 * (uint64_t)r->items[0] + 1) ^ (uint64_t)r->n << 60;
    if (r->n < 3 || !has_first)
        return HD_OK;
    for (size_t i = 0; i < s->n_told; i++)
        if (s->told[i] == hash)
            return HD_OK;
    if (!HD_GROW(s->told, s->n_told, s->told_cap))
        return hd_fail_nomem(err);
    s->told[s->n_told++] = hash;
    const hd_overlap o = {.items = r->items, .factors = r->factors, .n = r->n};
    return s->take(s->ctx, &o, err);
}

/* Pairs whose sum, times sign, is `wanted`: p + them = times the few. */
static hd_code look_up(search *s, const pair *p, uint32_t few, int times, int sign, hd_err *err)
{
    const uint64_t *of_few = s->of->sums[few];
    uint64_t wanted[2];
    for (unsigned i = 0; i < 2; i++)
        wanted[i] = (uint64_t)(int64_t)sign *
                    ((uint64_t)(int64_t)times * of_few[i] - sum_of(s, p, i));
    size_t at = place_of(s, wanted[0]);
    if (!(s->filter[at / 64] >> at % 64 & 1))
        return HD_OK;
    for (; s->slots[at].of.factor; at = (at + 1) & (s->n_slots - 1)) {
        const pair *q = &s->slots[at].of;
        sum r = {.n = 0};
        if (s->slots[at].sum != wanted[0] || sum_of(s, q, 1) != wanted[1])
            continue;
        add_term(&r, s->sets[p->first], p->factor);
        if (p->other)
            add_term(&r, s->sets[p->second], p->other);
        add_term(&r, s->sets[q->first], sign * q->factor);
        if (q->other)
            add_term(&r, s->sets[q->second], sign * q->other);
        add_term(&r, few, -times);
        if (r.n > 0)
            HD_TRY(tell(s, &r, err));
    }
    return HD_OK;
}

static hd_code try_pair(search *s, const pair *p, hd_err *err)
{
    for (size_t f = 0; f < s->n_few; f++)
        for (int times = -HD_SHORT_TIMES; times <= HD_SHORT_TIMES; times++)
            if (times) {
                HD_TRY(look_up(s, p, s->few[f], times, 1, err));
                HD_TRY(look_up(s, p, s->few[f], times, -1, err));
            }
    return HD_OK;
}

/* Every pair that a set of the answer is in. */
static hd_code try_set(search *s, uint16_t i, hd_err *err)
{
    for (int8_t factor = 1; factor <= 2; factor++) {
        if (s->stop && atomic_load_explicit(s->stop, memory_order_relaxed))
            return hd_fail(err, HD_CANCELLED, "the question was stopped");
        HD_TRY(try_pair(s, &(pair){i, i, factor, 0}, err));
        for (uint16_t k = 0; k < s->n_sets; k++)
            for (int8_t other = -2; other <= 2; other++)
                if (other && k != i)
                    HD_TRY(try_pair(s, &(pair){i, k, factor, other}, err));
    }
    return HD_OK;
}

static hd_code make_room(search *s, hd_err *err)
{
    size_t n_pairs = s->n_sets * (s->n_sets + 1) * 4 + 1;
    for (s->n_slots = 1024; s->n_slots < 2 * n_pairs; s->n_slots *= 2)
        ;
    s->slots = hd_calloc(s->n_slots, sizeof *s->slots);
    s->filter = hd_calloc(s->n_slots / 64, sizeof *s->filter);
    return s->slots && s->filter ? HD_OK : hd_fail_nomem(err);
}

hd_code hd_short_sums_find(const hd_short_sums_of *of, hd_take_overlap take, void *ctx,
                           const atomic_bool *stop, hd_err *err)
{
    hd_code rc = HD_OK;
    search s = {.of = of, .take = take, .ctx = ctx, .stop = stop};
    for (uint32_t i = 0; i < of->n; i++)
        if (of->is_few[i] && s.n_few < HD_SHORT_FEW)
            s.few[s.n_few++] = i;
        else if (!of->is_few[i] && s.n_sets < HD_SHORT_SETS)
            s.sets[s.n_sets++] = i;
    if (s.n_few == 0 || s.n_sets < 2)
        return HD_OK;
    HD_GO(make_room(&s, err));
    list_pairs(&s);
    for (uint16_t i = 0; i < s.n_sets && s.sets[i] < of->n_first; i++)
        HD_GO(try_set(&s, i, err));
out:
    hd_wipe_free(s.slots, s.n_slots * sizeof *s.slots);
    hd_free(s.filter);
    hd_free(s.told);
    return rc;
}
