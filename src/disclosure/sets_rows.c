/* sets_rows.c - records into a set, many at a time; see sets.h.
 *
 * What is kept of a record or a person does not depend on how many come at once, nor on the
 * processor. Identities are good hashes already, keyed by the vault, so little more is done to
 * them: the product of both halves, each with a number added, is not linear over anything that
 * sets are added up in.
 */
#include "base/vectors.h"
#include "disclosure/sets.h"

enum { CHUNK = 256 }; /* people that are added at once */

/* Of arrays that are filled before they are read: the compiler would clear all of them for each
 * run of a few records. */
#define FILLED_BEFORE_READ __attribute__((uninitialized))

static inline uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 27;
    x *= UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static inline uint64_t product(uint64_t identity, uint32_t to_low, uint32_t to_high)
{
    uint32_t low = (uint32_t)identity + to_low, high = (uint32_t)(identity >> 32) + to_high;
    return (uint64_t)low * high;
}

/* What a record adds to the second sum, and to the lanes: the upper half, for the lower is a
 * poor hash. */
static inline uint64_t second_of(uint64_t identity)
{
    uint64_t x = product(identity, UINT32_C(0x452821E6), UINT32_C(0x8979FB1B));
    return x ^ x >> 32;
}

static inline uint32_t lanes_of(uint64_t identity)
{
    return (uint32_t)(product(identity, UINT32_C(0x243F6A89), UINT32_C(0x38D01377)) >> 32);
}

void hd_set_sum(hd_set_records *r, uint64_t identity)
{
    r->sum[0] += identity;
    r->sum[1] += second_of(identity);
    r->lanes = hd_lanes_add(r->lanes, lanes_of(identity));
}

/* ---- people --------------------------------------------------------------------------------- */

/* People whose records in the set are all there: side by side, so that many are hashed at once. */
typedef struct people {
    size_t len;
    uint32_t person[CHUNK + 1], n[CHUNK + 1]; /* n: of their records; 0: not in the profile */
    uint32_t lanes[CHUNK + 1];
    uint64_t sum[2][CHUNK + 1];
} people;

/* Their hashes; those of the profile are of people who are somebody and in it. */
typedef struct hashes {
    uint8_t bucket[CHUNK + 1], profile_part[CHUNK + 1];
    uint32_t element[CHUNK + 1], profile_element[CHUNK + 1];
    uint32_t n_low; /* elements that may be among the lowest of the set */
} hashes;

HD_VECTORS static void hash_people(const people *p, hashes *out, hd_set *s)
{
    uint64_t sums[2] = {0, 0}, profile[2] = {0, 0};
    uint32_t n_people = 0, n_records = 0, n_nobody = 0, n_low = 0, fewest = s->profile.fewest;
    uint32_t bound = s->lowest[HD_SET_LOWEST - 1];
    uint32_t of_profile = s->profile.lowest[HD_SET_LOWEST - 1];
    for (size_t i = 0; i < p->len; i++) {
        uint64_t who = mix(p->person[i] + UINT64_C(0x9E3779B97F4A7C15));
        uint64_t x = (who ^ p->sum[0][i]) * UINT64_C(0xD6E8FEB86659FD93);
        uint64_t y = (who + p->n[i]) * UINT64_C(0xD6E8FEB86659FD93);
        uint32_t n = p->n[i], is_in = n != 0, is_somebody = p->person[i] != 0 && is_in;
        x ^= x >> 32;
        y ^= y >> 32;
        uint32_t element = (uint32_t)x >> 1; /* below UINT32_MAX */
        uint32_t profile_element = is_somebody ? (uint32_t)y >> 1 : UINT32_MAX;
        out->bucket[i] = (uint8_t)(who % HD_SET_BUCKETS);
        out->element[i] = element;
        out->profile_part[i] = is_somebody ? (uint8_t)(y >> 56) : 0;
        out->profile_element[i] = profile_element;
        n_low += (element < bound) | (profile_element < of_profile);
        sums[0] += p->sum[0][i];
        sums[1] += p->sum[1][i];
        profile[0] += is_in ? y : 0;
        profile[1] += who * n;
        n_people += is_somebody;
        n_records += is_somebody ? n : 0;
        n_nobody += is_somebody ? 0 : n;
        uint32_t own = is_somebody ? n : UINT32_MAX;
        fewest = own < fewest ? own : fewest;
    }
    out->n_low = n_low;
    s->sum[0] += sums[0];
    s->sum[1] += sums[1];
    s->persons += (uint32_t)p->len;
    s->profile.sum[0] += profile[0];
    s->profile.sum[1] += profile[1];
    s->profile.people += n_people;
    s->profile.records += n_records;
    s->profile.nobody += n_nobody;
    s->profile.fewest = fewest;
}

static void add_people(hd_set *s, const people *p)
{
    FILLED_BEFORE_READ hashes h;
    hash_people(p, &h, s);
    for (size_t i = 0; i < p->len; i++) {
        uint32_t *bucket = &s->buckets[h.bucket[i]];
        *bucket = hd_lanes_add(*bucket, p->lanes[i]);
        s->profile.buckets[h.bucket[i]] ^= h.profile_part[i];
    }
    for (size_t i = 0; i < p->len && h.n_low; i++) { /* of a large set hardly ever */
        hd_set_keep_lowest(s->lowest, h.element[i]);
        hd_set_keep_lowest(s->profile.lowest, h.profile_element[i]);
    }
}

/* In sets of people each is one record, named by the person. */
HD_VECTORS static void name_people(people *p)
{
    for (size_t i = 0; i < p->len; i++) {
        uint64_t name = mix(p->person[i] + UINT64_C(0x51ED270B));
        p->sum[0][i] = name;
        p->sum[1][i] = second_of(name);
        p->lanes[i] = lanes_of(name);
        p->n[i] = p->person[i] != 0;
    }
}

static void end_people(hd_set *s, hd_set_kind kind, people *p)
{
    if (p->len == 0)
        return;
    if (kind == HD_SET_PEOPLE)
        name_people(p);
    add_people(s, p);
    p->len = 0;
}

static void put_person(people *p, uint32_t person, uint32_t n, const hd_set_records *records)
{
    p->person[p->len] = person;
    p->n[p->len] = n;
    p->lanes[p->len] = records->lanes;
    p->sum[0][p->len] = records->sum[0];
    p->sum[1][p->len] = records->sum[1];
    p->len++;
}

void hd_set_add(hd_set *s, uint32_t person, const hd_set_records *records, uint32_t n)
{
    FILLED_BEFORE_READ people one;
    one.len = 0;
    put_person(&one, person, n, records);
    add_people(s, &one);
}

void hd_set_add_person(hd_set *s, uint32_t person)
{
    FILLED_BEFORE_READ people one;
    one.len = 0;
    put_person(&one, person, 1, &(hd_set_records){{0, 0}, 0});
    end_people(s, HD_SET_PEOPLE, &one);
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* Sums over all records so far, at the last record of each person: a person's own are the
 * difference of two. The first are 0. */
typedef struct total {
    uint64_t sum[2];
    uint32_t n, lanes, person;
} total;

/* Of up to CHUNK records. */
typedef struct record_hashes {
    uint64_t second[CHUNK];
    uint32_t lanes[CHUNK];
} record_hashes;

HD_VECTORS static void hash_records(const uint64_t *records, size_t n, record_hashes *out)
{
    for (size_t i = 0; i < n; i++) {
        out->second[i] = second_of(records[i]);
        out->lanes[i] = lanes_of(records[i]);
    }
}

static void take_differences(people *p, const total *t, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t to = p->len + i;
        p->person[to] = t[i + 1].person;
        p->n[to] = t[i + 1].n - t[i].n;
        p->lanes[to] = hd_lanes_subtract(t[i + 1].lanes, t[i].lanes);
        p->sum[0][to] = t[i + 1].sum[0] - t[i].sum[0];
        p->sum[1][to] = t[i + 1].sum[1] - t[i].sum[1];
    }
    p->len += n;
}

/* People who end among the rows; the last one may go on. Where a person ends cannot be foreseen,
 * so there is no branch on it. */
static void sum_records(people *p, hd_set_growing *g, const uint32_t *persons,
                        const uint64_t *records, size_t n)
{
    FILLED_BEFORE_READ record_hashes h;
    FILLED_BEFORE_READ total totals[CHUNK + 1];
    uint64_t sum[2] = {g->records.sum[0], g->records.sum[1]};
    uint32_t lanes = g->records.lanes;
    total *t = totals;
    hash_records(records, n, &h);
    *t++ = (total){{0, 0}, 0, 0, 0};
    for (size_t i = 0; i < n; i++) {
        sum[0] += records[i];
        sum[1] += h.second[i];
        lanes = hd_lanes_add(lanes, h.lanes[i]);
        *t = (total){{sum[0], sum[1]}, g->n + (uint32_t)i + 1, lanes, persons[i]};
        t += persons[i + (i + 1 < n)] != persons[i];
    }
    take_differences(p, totals, (size_t)(t - totals) - 1);
    *g = (hd_set_growing){{{t->sum[0] - t[-1].sum[0], t->sum[1] - t[-1].sum[1]},
                           hd_lanes_subtract(t->lanes, t[-1].lanes)},
                          t->person, t->n - t[-1].n};
}

static void list_people(people *p, hd_set_growing *g, const uint32_t *persons, size_t n)
{
    uint32_t *to = p->person + p->len;
    for (size_t i = 0; i + 1 < n; i++) {
        *to = persons[i];
        to += persons[i + 1] != persons[i];
    }
    p->len = (size_t)(to - p->person);
    *g = (hd_set_growing){.person = persons[n - 1], .n = 1};
}

static void take_chunk(hd_set *s, hd_set_growing *g, hd_set_kind kind, const uint32_t *persons,
                       const uint64_t *records, size_t n)
{
    FILLED_BEFORE_READ people p;
    p.len = 0;
    if (g->n && g->person != persons[0]) {
        put_person(&p, g->person, g->n, &g->records);
        *g = (hd_set_growing){0};
    }
    if (kind == HD_SET_PEOPLE)
        list_people(&p, g, persons, n);
    else
        sum_records(&p, g, persons, records, n);
    end_people(s, kind, &p);
}

void hd_set_take(hd_set *s, hd_set_growing *g, hd_set_kind kind, const uint32_t *persons,
                 const uint64_t *records, size_t n)
{
    for (size_t at = 0; at < n; at += CHUNK)
        take_chunk(s, g, kind, persons + at, records + at, n - at < CHUNK ? n - at : CHUNK);
}

void hd_set_end(hd_set *s, hd_set_growing *g, hd_set_kind kind)
{
    FILLED_BEFORE_READ people p;
    p.len = 0;
    if (g->n)
        put_person(&p, g->person, g->n, &g->records);
    end_people(s, kind, &p);
    *g = (hd_set_growing){0};
}
