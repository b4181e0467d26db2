/* sets.c - one set; see sets.h. Xor, sum and "the smallest of both" do not depend on the order in which
 * people come. */
#include "disclosure/sets.h"

#include "base/alloc.h"

#include <string.h>

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 27;
    x *= UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

void hd_set_init(hd_set *s)
{
    *s = (hd_set){0};
    memset(s->lowest, 0xFF, sizeof s->lowest);
    memset(s->profile.lowest, 0xFF, sizeof s->profile.lowest);
}

static void keep_lowest(uint32_t lowest[HD_SET_LOWEST], uint32_t element)
{
    if (element >= lowest[HD_SET_LOWEST - 1])
        return;
    size_t at = HD_SET_LOWEST - 1;
    for (; at > 0 && lowest[at - 1] > element; at--)
        lowest[at] = lowest[at - 1];
    lowest[at] = element;
}

static void add_to_profile(hd_profile *p, uint32_t person, uint64_t who, uint32_t n)
{
    if (n == 0)
        return;
    uint64_t element = (who + n) * UINT64_C(0xD6E8FEB86659FD93); /* who is a good hash already */
    element ^= element >> 32;
    p->sum[0] += element * UINT64_C(0x9E3779B97F4A7C15);
    p->sum[1] += who * n;
    if (person == 0) {
        p->nobody += n;
        return;
    }
    p->people++;
    p->records += n;
    p->buckets[who % HD_SET_BUCKETS] ^= (uint8_t)(element >> 56);
    keep_lowest(p->lowest, (uint32_t)element >> 1);
}

void hd_set_add(hd_set *s, uint32_t person, const hd_set_records *records, uint32_t n)
{
    uint64_t who = mix(person + UINT64_C(0x9E3779B97F4A7C15));
    uint64_t element = mix(who ^ mix(records->sum[0]));
    uint32_t *bucket = &s->buckets[who % HD_SET_BUCKETS];
    s->sum[0] += records->sum[0];
    s->sum[1] += records->sum[1];
    s->persons++;
    *bucket = hd_lanes_add(*bucket, records->lanes);
    keep_lowest(s->lowest, (uint32_t)element >> 1); /* below UINT32_MAX */
    add_to_profile(&s->profile, person, who, n);
}

void hd_set_sum(hd_set_records *r, uint64_t identity)
{
    r->sum[0] += identity;
    r->sum[1] += mix(identity ^ UINT64_C(0xD6E8FEB86659FD93));
    r->lanes = hd_lanes_add(r->lanes, (uint32_t)(mix(identity + UINT64_C(0xA0761D6478BD642F)) >> 32));
}

void hd_set_add_person(hd_set *s, uint32_t person)
{
    hd_set_records r = {{0, 0}, 0};
    hd_set_sum(&r, mix(person + UINT64_C(0x51ED270B)));
    hd_set_add(s, person, &r, person != 0);
}

static void join_profiles(hd_profile *p, const hd_profile *other)
{
    p->sum[0] += other->sum[0];
    p->sum[1] += other->sum[1];
    p->people += other->people;
    p->records += other->records;
    p->nobody += other->nobody;
    for (size_t i = 0; i < HD_SET_BUCKETS; i++)
        p->buckets[i] ^= other->buckets[i];
    for (size_t i = 0; i < HD_SET_LOWEST; i++)
        keep_lowest(p->lowest, other->lowest[i]);
}

void hd_set_join(hd_set *s, const hd_set *other)
{
    s->sum[0] += other->sum[0];
    s->sum[1] += other->sum[1];
    s->persons += other->persons;
    for (size_t i = 0; i < HD_SET_BUCKETS; i++)
        s->buckets[i] = hd_lanes_add(s->buckets[i], other->buckets[i]);
    for (size_t i = 0; i < HD_SET_LOWEST; i++)
        keep_lowest(s->lowest, other->lowest[i]);
    join_profiles(&s->profile, &other->profile);
}

bool hd_set_same(const hd_set *a, const hd_set *b)
{
    return a->persons == b->persons && memcmp(a->sum, b->sum, sizeof a->sum) == 0;
}

unsigned hd_set_distance(const hd_set *a, const hd_set *b, unsigned limit)
{
    unsigned n = 0;
    uint32_t gap = a->persons > b->persons ? a->persons - b->persons : b->persons - a->persons;
    if (gap > limit)
        return limit + 1;
    if (hd_set_same(a, b))
        return 0;
    for (size_t i = 0; i < HD_SET_BUCKETS && n <= limit; i++)
        n += a->buckets[i] != b->buckets[i];
    return n ? n : 1; /* xors that cancel: the sums say that the sets differ */
}

bool hd_profile_same(const hd_profile *a, const hd_profile *b)
{
    return memcmp(a->sum, b->sum, sizeof a->sum) == 0;
}

unsigned hd_profile_excess(const hd_profile *a, const hd_profile *b, unsigned limit)
{
    unsigned n = 0, more = a->people > b->people ? a->people - b->people : b->people - a->people;
    const hd_profile *larger = a->people > b->people ? a : b, *smaller = larger == a ? b : a;
    /* Each of them has a record at least. */
    if (more == 0 || more > limit || (int64_t)larger->records - smaller->records < (int64_t)more)
        return 0;
    for (size_t i = 0; i < HD_SET_BUCKETS && n <= more; i++)
        n += a->buckets[i] != b->buckets[i];
    return n <= more ? more : 0;
}

void hd_sets_free(hd_sets *s)
{
    hd_wipe_free(s->items, (s->n_cells * s->n_columns + 1) * sizeof *s->items);
    *s = (hd_sets){0};
}
