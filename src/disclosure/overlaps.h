/* overlaps.h - which sums hold between sets that overlap.
 *
 * Rows of a table and unions of rows are found by their keys and by unions.h. A condition that the
 * asker makes up can cut across all of them: the few with one group, the few with another, and both
 * groups together are three large counts of which no two are near, and the first two less the third
 * are twice the few. Here any sets are searched for whole numbers that make them cancel out, or
 * leave only few people.
 *
 * The buckets of a set (sets.h) are sums modulo 4, so what cancels out in the records cancels out
 * in the buckets: linear algebra over the ring of 4 elements, then the sums of the identities
 * confirm it with whole numbers. What leaves few people differs from 0 in few buckets: the same is
 * solved on buckets drawn at random, often enough that some draw misses those people
 * (information-set decoding, as for the codewords of low weight of a linear code).
 *
 * Found is: everything that cancels out with the factors 1 and -1, up to six times 2 or -2, and
 * any factor for one set of few people; and of what leaves few people, nearly everything up to
 * HD_OVERLAP_DRAWN sets, which sets with few people themselves make less likely. Never is
 * something said that does not hold.
 */
#ifndef HD_DISCLOSURE_OVERLAPS_H
#define HD_DISCLOSURE_OVERLAPS_H

#include "disclosure/sets.h"

#include <stdatomic.h>

enum {
    HD_OVERLAP_SETS = 448,  /* searched at most */
    HD_OVERLAP_DRAWN = 192, /* ... for what leaves few people */
    HD_OVERLAP_FACTOR = 64  /* the most that few people may be left over */
};

typedef struct hd_overlap {
    const uint32_t *items; /* numbers of sets, ascending */
    const int32_t *factors;
    size_t n;
    /* The sum of items times factors: 0, or `times` few people. */
    unsigned times; /* 0: nothing is left */
    uint64_t few[2]; /* the sum of their identities, as hd_overlap_name has it */
    bool is_mixed; /* some may be left over with the other sign */
} hd_overlap;

typedef hd_code (*hd_take_overlap)(void *ctx, const hd_overlap *o, hd_err *err);

/* Sets of one kind, n <= HD_OVERLAP_SETS, none empty, none twice. */
typedef struct hd_overlaps_of {
    const hd_set *const *sets;
    size_t n, n_first; /* one of the first n_first takes part in what is told: the answer's */
    unsigned limit;    /* people that are few */
    /* Whether somebody knows few people of this name, so that they are found under the right
     * factor; NULL: nobody does. */
    bool (*few_named)(void *ctx, const uint64_t name[2]);
} hd_overlaps_of;

/* Of sums that follow from each other many are told, for the short ones say most. The same sets
 * in the same order give the same. HD_CANCELLED soon after *stop becomes true (NULL: nobody
 * stops it). */
HD_MUST hd_code hd_overlaps_find(const hd_overlaps_of *of, hd_take_overlap take, void *ctx,
                                 const atomic_bool *stop, hd_err *err);
struct hd_intern;
/* The same sum is found in many ways: whether it was told before, and from now on it was. */
HD_MUST hd_code hd_overlap_is_told(struct hd_intern *told, const hd_overlap *o, bool *out,
                                   hd_err *err);
/* What names few people whatever they were multiplied by: the lower bits of their sum. */
void hd_overlap_name(uint64_t out[2], const uint64_t sum[2]);

#endif
