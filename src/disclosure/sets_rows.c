/* sets_rows.c - records into a set, many at a time; see sets.h.
 *
 * What is kept of a record or a person does not depend on how many come at once, nor on the processor.
 * Identities are good hashes already, keyed by the vault, so little more is done to them: the product of
 * both halves, each with a number added, is not linear over anything that sets are added up in.
 */
#include "base/vectors.h"
#include "disclosure/sets.h"

enum { CHUNK = 256 }; /* people that are added at once */

/* Of arrays that are filled before they are read: the compiler would clear all of them for each run of
 * a few records. */
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

static inline void add_record(hd_set_records *r, uint64_t identity)
{
    uint64_t x = product(identity, UINT32_C(0x452821E6), UINT32_C(0x8979FB1B));
    uint64_t y = product(identity, UINT32_C(0x243F6A89), UINT32_C(0x38D01377));
    r->sum[0] += identity;
    r->sum[1] += x ^ x >> 32;
    r->lanes = hd_lanes_add(r->lanes, (uint32_t)(y >> 32)); /* the upper half: the lower is a poor hash */
}

void hd_set_sum(hd_set_records *r, uint64_t identity)
{
    add_record(r, identity);
}

/* ---- people --------------------------------------------------------------------------------- */

/* People whose records in the set are all there. */
typedef struct people {
    size_t len;
    uint32_t person[CHUNK + 1], n[CHUNK + 1]; /* n: of their records; 0: not in the profile */
    hd_set_records records[CHUNK + 1];
} people;

/* Their hashes; those of the profile are of people who are somebody and in it. */
typedef struct hashes {
    uint8_t bucket[CHUNK + 1], profile_part[CHUNK + 1];
    uint32_t element[CHUNK + 1], profile_element[CHUNK + 1];
} hashes;

HD_VECTORS static void hash_people(const people *p, hashes *out, hd_set *s)
{
    uint64_t sums[2] = {0, 0}, profile[2] = {0, 0};
    uint32_t n_people = 0, n_records = 0, n_nobody = 0;
    for (size_t i = 0; i < p->len; i++) {
        uint64_t who = mix(p->person[i] + UINT64_C(0x9E3779B97F4A7C15));
        uint64_t x = (who ^ p->records[i].sum[0]) * UINT64_C(0xD6E8FEB86659FD93);
        uint64_t y = (who + p->n[i]) * UINT64_C(0xD6E8FEB86659FD93);
        uint32_t n = p->n[i], is_in = n != 0, is_somebody = p->person[i] != 0 && is_in;
        x ^= x >> 32;
        y ^= y >> 32;
        out->bucket[i] = (uint8_t)(who % HD_SET_BUCKETS);
        out->element[i] = (uint32_t)x >> 1; /* below UINT32_MAX */
        out->profile_part[i] = is_somebody ? (uint8_t)(y >> 56) : 0;
        out->profile_element[i] = is_somebody ? (uint32_t)y >> 1 : UINT32_MAX;
        sums[0] += p->records[i].sum[0];
        sums[1] += p->records[i].sum[1];
        profile[0] += is_in ? y : 0;
        profile[1] += who * n;
        n_people += is_somebody;
        n_records += is_somebody ? n : 0;
        n_nobody += is_somebody ? 0 : n;
    }
    s->sum[0] += sums[0];
    s->sum[1] += sums[1];
    s->persons += (uint32_t)p->len;
    s->profile.sum[0] += profile[0];
    s->profile.sum[1] += profile[1];
    s->profile.people += n_people;
    s->profile.records += n_records;
    s->profile.nobody += n_nobody;
}

static void add_people(hd_set *s, const people *p)
{
    FILLED_BEFORE_READ hashes h;
    hash_people(p, &h, s);
    for (size_t i = 0; i < p->len; i++) {
        uint32_t *bucket = &s->buckets[h.bucket[i]];
        *bucket = hd_lanes_add(*bucket, p->records[i].lanes);
        s->profile.buckets[h.bucket[i]] ^= h.profile_part[i];
        hd_set_keep_lowest(s->lowest, h.element[i]);
        hd_set_keep_lowest(s->profile.lowest, h.profile_element[i]);
    }
}

/* In sets of people each is one record, named by the person. */
static void name_people(people *p)
{
    for (size_t i = 0; i < p->len; i++) {
        p->records[i] = (hd_set_records){{0, 0}, 0};
        add_record(&p->records[i], mix(p->person[i] + UINT64_C(0x51ED270B)));
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

void hd_set_add(hd_set *s, uint32_t person, const hd_set_records *records, uint32_t n)
{
    FILLED_BEFORE_READ people one;
    one.len = 1;
    one.person[0] = person;
    one.n[0] = n;
    one.records[0] = *records;
    add_people(s, &one);
}

void hd_set_add_person(hd_set *s, uint32_t person)
{
    FILLED_BEFORE_READ people one;
    one.len = 1;
    one.person[0] = person;
    end_people(s, HD_SET_PEOPLE, &one);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void put_person(people *p, const hd_set_growing *g)
{
    p->person[p->len] = g->person;
    p->n[p->len] = g->n;
    p->records[p->len] = g->records;
}

/* Up to CHUNK rows. Where a person ends cannot be foreseen, so there is no branch on it. */
static void take_chunk(hd_set *s, hd_set_growing *growing, hd_set_kind kind, const uint32_t *persons,
                       const uint64_t *records, size_t n)
{
    FILLED_BEFORE_READ people p;
    hd_set_growing g = *growing;
    p.len = 0;
    put_person(&p, &g);
    p.len += g.n && g.person != persons[0];
    uint64_t stays = p.len ? 0 : UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        g.records.sum[0] &= stays;
        g.records.sum[1] &= stays;
        g.records.lanes &= (uint32_t)stays;
        if (kind == HD_SET_RECORDS)
            add_record(&g.records, records[i]);
        g.n = (g.n & (uint32_t)stays) + 1;
        g.person = persons[i];
        put_person(&p, &g);
        bool ends = i + 1 < n && persons[i + 1] != persons[i];
        p.len += ends;
        stays = (uint64_t)ends - 1;
    }
    *growing = g;
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
    put_person(&p, g);
    p.len = g->n != 0;
    end_people(s, kind, &p);
    *g = (hd_set_growing){0};
}
