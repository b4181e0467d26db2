/* short_sums.h - sums of up to five sets that leave few people who were asked for.
 *
 * overlaps.h finds one combination of sets for each set that depends on others. Where an asker
 * takes the same groups together in many ways, there are more combinations than can be tried,
 * and the short ones, which say most, are missed. Here all short ones are found: sums of two
 * sets are looked up among sums of two others, so many times the few apart, and again together with
 * a set of the answer, which is the fifth. Sets are named by their sums alone, so this works for
 * profiles (sets.h), too: records of two tables, records and people.
 */
#ifndef HD_DISCLOSURE_SHORT_SUMS_H
#define HD_DISCLOSURE_SHORT_SUMS_H

#include "disclosure/overlaps.h"

enum {
    HD_SHORT_SETS = 64,  /* searched at most, the first ones */
    HD_SHORT_FEW = 24,   /* sets of few people, too */
    HD_SHORT_TIMES = 8   /* the most that the few are left over */
};

typedef struct hd_short_sums_of {
    const uint64_t (*sums)[2]; /* of the sets */
    const bool *is_few;
    size_t n, n_first; /* one of the first n_first takes part in what is told */
    bool has_fifth;    /* sums of five, and factors of 3: takes some thirty times as long */
} hd_short_sums_of;

/* Told are sums of two to four sets with factors from -2 to 2 and of one set of few people, that
 * leave nothing; with a fifth set, one of the first four of the answer, factors are from -3 to 3.
 * HD_CANCELLED soon after *stop becomes true (NULL: nobody stops it). */
HD_MUST hd_code hd_short_sums_find(const hd_short_sums_of *of, hd_take_overlap take, void *ctx,
                                   const atomic_bool *stop, hd_err *err);

#endif
