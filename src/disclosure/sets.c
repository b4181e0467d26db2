/* sets.c - sets joined and compared; see sets.h. Sums and "the smallest of both" do not depend
 * on the order in which people come. */
#include "disclosure/sets.h"

#include "base/alloc.h"
#include "base/vectors.h"

#include <string.h>

void hd_set_init(hd_set *s)
{
    *s = (hd_set){0};
    memset(s->lowest, 0xFF, sizeof s->lowest);
    memset(s->profile.lowest, 0xFF, sizeof s->profile.lowest);
    s->profile.fewest = UINT32_MAX;
}

static void join_profiles(hd_profile *p, const hd_profile *other)
{
    p->sum[0] += other->sum[0];
    p->sum[1] += other->sum[1];
    p->people += other->people;
    p->records += other->records;
    p->nobody += other->nobody;
    p->fewest = p->fewest < other->fewest ? p->fewest : other->fewest;
    for (size_t i = 0; i < HD_SET_BUCKETS; i++)
        p->buckets[i] ^= other->buckets[i];
    for (size_t i = 0; i < HD_SET_LOWEST; i++)
        hd_set_keep_lowest(p->lowest, other->lowest[i]);
}

void hd_set_join(hd_set *s, const hd_set *other)
{
    s->sum[0] += other->sum[0];
    s->sum[1] += other->sum[1];
    s->persons += other->persons;
    for (size_t i = 0; i < HD_SET_BUCKETS; i++)
        s->buckets[i] = hd_lanes_add(s->buckets[i], other->buckets[i]);
    for (size_t i = 0; i < HD_SET_LOWEST; i++)
        hd_set_keep_lowest(s->lowest, other->lowest[i]);
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

/* Every second bit, from bit 0 on, brought together. */
static inline uint32_t every_second(uint64_t x)
{
    x &= UINT64_C(0x5555555555555555);
    x = (x | x >> 1) & UINT64_C(0x3333333333333333);
    x = (x | x >> 2) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    x = (x | x >> 4) & UINT64_C(0x00FF00FF00FF00FF);
    x = (x | x >> 8) & UINT64_C(0x0000FFFF0000FFFF);
    return (uint32_t)(x | x >> 16);
}

HD_VECTORS void hd_set_planes(const hd_set *s, uint64_t low[HD_SET_PLANE],
                              uint64_t high[HD_SET_PLANE])
{
    uint32_t lows[HD_SET_BUCKETS / 2], highs[HD_SET_BUCKETS / 2]; /* of two buckets each */
    for (size_t i = 0; i < HD_SET_BUCKETS / 2; i++) {
        uint64_t two = s->buckets[2 * i] | (uint64_t)s->buckets[2 * i + 1] << 32;
        lows[i] = every_second(two);
        highs[i] = every_second(two >> 1);
    }
    for (size_t i = 0; i < HD_SET_PLANE; i++) {
        low[i] = lows[2 * i] | (uint64_t)lows[2 * i + 1] << 32;
        high[i] = highs[2 * i] | (uint64_t)highs[2 * i + 1] << 32;
    }
}

void hd_definitions_free(hd_definitions *m)
{
    hd_free(m->items);
    hd_spans_free(&m->spans);
    *m = (hd_definitions){0};
}

void hd_sets_free(hd_sets *s)
{
    hd_definitions_free(&s->definitions);
    hd_wipe_free(s->items, (s->n_cells * s->n_columns + 1) * sizeof *s->items);
    *s = (hd_sets){0};
}
