/* sets.h - the set of records behind each figure, kept as a sketch of fixed size.
 *
 * What a sketch can answer, whatever was asked to make the set and in whatever data version:
 *   - are two sets the same?
 *   - do two sets differ by the records of few people (at most HD_SET_NEAR_MAX)? Then it says yes,
 *     always; it also says yes for a part of the sets that differ by one to three people more.
 *   - is a set made of others, by adding and taking away, whether they overlap or not? `sum` is
 *     then made of theirs in the same way, and `buckets` say of which (unions.h, overlaps.h).
 *   - have two sets, of whatever tables, the same number of records of each person (the same
 *     profile)? Or is one profile the other with few people more? A set of people has one record of
 *     each.
 * It cannot be turned back into people without the vault's key: it is made of keyed hashes.
 *
 * How: every record of a person goes into the bucket that the person's hash names. A bucket is
 * 16 counters modulo 4, and a record adds 0 to 3, by its hash, to each. So the buckets in which
 * two sketches differ are at most as many as the people by which the sets differ, and
 * whole-number relations between sets are relations between their buckets. `lowest` holds the
 * smallest hashes of a person with the person's records: two sets of more than n people that
 * differ by at most n have one of their n + 1 smallest in common, which finds the few sketches
 * worth comparing.
 * Rejected: bitmaps over rows. They compare whole questions, so they miss a table's row that is
 * another question's total, they die with the row order of the data version, and at 50 million
 * rows they are thousands of times larger (doc/decisions).
 */
#ifndef HD_DISCLOSURE_SETS_H
#define HD_DISCLOSURE_SETS_H

#include "engine/cells.h"
#include "engine/chosen.h"

enum { HD_SET_BUCKETS = 64, HD_SET_LOWEST = 12, HD_SET_NEAR_MAX = HD_SET_LOWEST - 1 };

/* How many records of each person there are, whichever they are. Those of nobody are in the sum,
 * and nobody is no person more; among people there is no nobody. */
typedef struct hd_profile {
    uint64_t sum[2];
    uint32_t people, records, nobody; /* records of people; records that are linked to nobody */
    uint32_t fewest; /* records of a person; UINT32_MAX: there is nobody */
    uint32_t lowest[HD_SET_LOWEST];
    uint8_t buckets[HD_SET_BUCKETS];
} hd_profile;

typedef struct hd_set {
    uint64_t sum[2];  /* of the records' identities (of the people's, for sets of people) */
    uint32_t persons; /* elements; all records linked to nobody are one */
    uint32_t lowest[HD_SET_LOWEST]; /* ascending; UINT32_MAX: there are no more */
    uint32_t buckets[HD_SET_BUCKETS];
    hd_profile profile;
} hd_set;

void hd_set_init(hd_set *s);
/* A person's records: sums of what each is known by. */
typedef struct hd_set_records {
    uint64_t sum[2];
    uint32_t lanes;
} hd_set_records;
/* The counters of two buckets, modulo 4. */
static inline uint32_t hd_lanes_add(uint32_t a, uint32_t b)
{
    return a ^ b ^ ((a & b & UINT32_C(0x55555555)) << 1);
}
static inline uint32_t hd_lanes_subtract(uint32_t a, uint32_t b)
{
    return a ^ b ^ ((~a & b & UINT32_C(0x55555555)) << 1);
}
/* Every person once, with n records; n 0: not in the profile, as nobody among people. */
void hd_set_add(hd_set *s, uint32_t person, const hd_set_records *records, uint32_t n);
/* A record more, by its identity, which is a good hash. */
void hd_set_sum(hd_set_records *records, uint64_t identity);
/* In sets of people: every person once, and nothing else. */
void hd_set_add_person(hd_set *s, uint32_t person);
void hd_set_join(hd_set *s, const hd_set *other); /* other people */
/* Up to HD_SET_LOWEST smallest numbers, ascending. */
static inline void hd_set_keep_lowest(uint32_t lowest[HD_SET_LOWEST], uint32_t element)
{
    if (element >= lowest[HD_SET_LOWEST - 1])
        return;
    size_t at = HD_SET_LOWEST - 1;
    for (; at > 0 && lowest[at - 1] > element; at--)
        lowest[at] = lowest[at - 1];
    lowest[at] = element;
}
bool hd_set_same(const hd_set *a, const hd_set *b);
/* 0: the same; 1 .. limit: they differ by few people; limit + 1: by more. */
unsigned hd_set_distance(const hd_set *a, const hd_set *b, unsigned limit);
bool hd_profile_same(const hd_profile *a, const hd_profile *b);
/* How many people more the larger has, if the rest may be the same people with as many records
 * each: 1 .. limit; 0: by no or more people, or surely not so. Seldom is it said of two that
 * differ in others too. */
unsigned hd_profile_excess(const hd_profile *a, const hd_profile *b, unsigned limit);

/* The counters of all buckets as two planes of bits, the lower and the upper bit of each: 16 of
 * a bucket stand together, the buckets one after the other. */
enum { HD_SET_LINES = HD_SET_BUCKETS * 16, HD_SET_PLANE = HD_SET_LINES / 64 };

void hd_set_planes(const hd_set *s, uint64_t low[HD_SET_PLANE], uint64_t high[HD_SET_PLANE]);

/* Sets of records compare for every figure but one: a count of different people is about people. */
typedef enum hd_set_kind {
    HD_SET_RECORDS,
    HD_SET_PEOPLE,
    HD_SET_PROFILE /* of no figure: what figures of both kinds, or of two tables, share */
} hd_set_kind;

/* A person's records in a set so far; n 0: none. */
typedef struct hd_set_growing {
    hd_set_records records;
    uint32_t person, n;
} hd_set_growing;

/* Records (of sets of people: what they are records of) as they come, a person's one after
 * another, in as many calls as there are; at the end the last person. The same as one by one by
 * the functions above. */
void hd_set_take(hd_set *s, hd_set_growing *g, hd_set_kind kind, const uint32_t *persons,
                 const uint64_t *records, size_t n);
void hd_set_end(hd_set *s, hd_set_growing *g, hd_set_kind kind);

enum { HD_DEFINITION_SPANS = 8 };

/* What the definition of a figure says (definition.h). */
typedef struct hd_definition {
    uint64_t name; /* of all of it; 0: not known */
    uint32_t spans[HD_DEFINITION_SPANS]; /* their numbers, from 1 on; then 0 */
} hd_definition;

typedef struct hd_definitions {
    hd_definition *items;
    size_t n_items; /* 0: the answer is too large */
    hd_spans spans;
} hd_definitions;

void hd_definitions_free(hd_definitions *m);

/* All sets of an answer. Aggregates of the same class and kind share a column. */
typedef struct hd_sets {
    size_t n_cells, n_columns;
    hd_set *items; /* n_cells * n_columns, cells in the order of the answer's cells */
    hd_set_kind kinds[64];
    unsigned column_of[64]; /* by aggregate */
    /* Of a column that no aggregate has: the records of the people of column people_of - 1 (0: asked for).
     * Where everybody is known to have several, a number of people says how many records there are. */
    uint8_t people_of[64];
    hd_definitions definitions;
} hd_sets;

/* Tests change these to send small answers through every path. */
typedef struct hd_sets_tuning {
    size_t most_cells;     /* more are refused */
    size_t most_waiting;   /* records that wait for their sets to come up */
    uint64_t most_places;  /* combinations of slots that a table leads to cells; more go by name */
    size_t most_own_bytes; /* sketches of each lane; more, and all lanes share them */
} hd_sets_tuning;
extern const hd_sets_tuning hd_sets_tuning_default;

/* One scan of the table (sets_scan.c). HD_LIMIT: too many cells. */
HD_MUST hd_code hd_sets_make(hd_sets *out, hd_engine *e, const hd_question *q,
                             const hd_cells *cells, const hd_sets_tuning *t, hd_err *err);
void hd_sets_free(hd_sets *s); /* wipes */

#endif
