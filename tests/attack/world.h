/* world.h - a random population, and questions asked of it through the real steps of disclosure:
 * primary pass, comparison with the ledger, audit. No vault and no SQL, so thousands of populations
 * take seconds. */
#ifndef HD_TESTS_ATTACK_WORLD_H
#define HD_TESTS_ATTACK_WORLD_H

#include "disclosure/account.h"

enum { PROVIDERS = 6, REGIONS = 3, AGES = 20, YEARS = 5, STAYS = 40, MOST_RECORDS = 1200, MOST_ASKED = 512 };

typedef struct record {
    uint32_t person, nth;
    int provider, region, age, year, sex, rare, version; /* version 1: arrives late */
    int stay;
    uint32_t of; /* records of the person */
} record;

typedef struct world {
    record records[MOST_RECORDS];
    size_t n;
    int version; /* of the data: later records are not there yet */
    bool is_protected; /* false: the national rule alone */
    hd_account asked[MOST_ASKED]; /* the ledger */
    bool of_stays[MOST_ASKED];    /* the table that was asked */
    size_t n_asked;
} world;

typedef bool (*condition)(const record *r, const int *with);
typedef int (*attribute)(const record *r);

/* Two tables: of records (episodes), and of stays, which are made of them: each is known by its first
 * record, nth = 0. A question: count(*), count(DISTINCT person), avg(stay), median(stay) by up to two
 * keys, and count(*) FILTER, if it has one. */
enum { COUNT, PEOPLE, MEAN, MEDIAN, PART, N_FIGURES };

typedef enum figures { ALL, ONLY_COUNT, ONLY_PEOPLE } figures;

/* A column of the table by number, from 1 on, and one of its values. */
typedef struct said {
    int column, value, events; /* events: of each person, when the column is their number */
} said;

typedef struct question {
    condition where; /* NULL: all */
    int with[4];     /* what the condition compares with */
    said says[2]; /* what the condition says of its records; column 0: no more */
    int key_columns[2]; /* 0: what the answer's definition says is not kept */
    condition filter; /* of PART; NULL: it is not asked */
    attribute keys[2];
    size_t n_keys;
    bool has_total;  /* GROUP BY ROLLUP */
    bool is_national;
    bool of_stays;
    bool counts_events; /* the condition reads how many records the person has */
    figures figures;
} question;

/* What came out: one row a cell. */
typedef struct row {
    int keys[2]; /* -1: summed over */
    char marks[N_FIGURES];
    double figures[N_FIGURES];
    int64_t low, high;  /* what the printed count says; the count of people where only that is asked */
    int64_t part_low, part_high;
    int64_t truth, truth_people, truth_part;
} row;

typedef struct answer {
    row rows[256];
    size_t n;
} answer;

bool world_open(const char *name); /* reads the policy of this name; does it round to the nearest? */
void world_close(void);
int64_t world_small(void); /* counts of 1 to so many are protected by the policy */
void world_make(world *w, uint64_t seed, size_t people);
void world_free(world *w);
void world_ask(world *w, const question *q, answer *out);
const row *answer_find(const answer *a, int first, int second); /* NULL: no such row */

#endif
