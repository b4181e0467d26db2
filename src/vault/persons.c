/* persons.c - pseudonyms and their numbers: person n is the n-th pseudonym ever seen.
 *
 * Stored like a table, with a dot in front of its name and two key columns of eight bytes; row
 * n - 1 is person n. In memory an open-addressing table of numbers over the pseudonyms: half the
 * size of base/intern.h, which matters at tens of millions of people. Pseudonyms are already
 * uniformly random (HMAC), so their first bytes are the hash. They lie in parts that never move:
 * one array that grows would be copied and wiped, and landing would stand still meanwhile.
 */
#include "base/alloc.h"
#include "vault/internal.h"

#include <string.h>

enum { LEN = 16, AHEAD = 32, PART = HD_HUGE_PAGE / LEN };

struct hd_persons {
    hd_vault *vault;
    uint8_t **parts; /* n_parts, of PART pseudonyms each; number n at n - 1 */
    size_t n_parts, cap_parts;
    uint32_t *slots; /* 0: empty; at most two thirds full */
    size_t n_slots;  /* power of two */
    uint32_t n, n_saved;
};

static const hd_column_spec person_columns[2] = {{"first", HD_COLUMN_KEY, HD_TEXT},
                                                 {"second", HD_COLUMN_KEY, HD_TEXT}};

static inline uint8_t *pseudonym_of(const hd_persons *p, uint32_t number)
{
    return p->parts[(number - 1) / PART] + (size_t)((number - 1) % PART) * LEN;
}

static size_t first_slot(const hd_persons *p, const uint8_t pseudonym[LEN])
{
    uint64_t hash;
    memcpy(&hash, pseudonym, sizeof hash);
    return (size_t)hash & (p->n_slots - 1);
}

static inline bool is_same(const uint8_t a[LEN], const uint8_t b[LEN])
{
    uint64_t x[2], y[2];
    memcpy(x, a, LEN);
    memcpy(y, b, LEN);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

/* A slot has the number in as many of its lower bits as numbers need, and bits of the pseudonym in
 * the others: few pseudonyms are looked at, somewhere in memory, that are not the right one. */
static inline uint32_t number_mask(const hd_persons *p)
{
    return (uint32_t)(p->n_slots - 1);
}

static inline uint32_t tag_of(const hd_persons *p, const uint8_t pseudonym[LEN])
{
    uint32_t word;
    memcpy(&word, pseudonym + 8, sizeof word);
    return word & ~number_mask(p);
}

static size_t find_slot(const hd_persons *p, const uint8_t pseudonym[LEN])
{
    const uint32_t mask = number_mask(p), tag = tag_of(p, pseudonym);
    for (size_t i = first_slot(p, pseudonym);; i = (i + 1) & (p->n_slots - 1)) {
        const uint32_t slot = p->slots[i];
        if (!slot ||
            ((slot & ~mask) == tag && is_same(pseudonym_of(p, slot & mask), pseudonym)))
            return i;
    }
}

/* Room for n people. */
static hd_code reserve(hd_persons *p, size_t n, hd_err *err)
{
    while (p->n_parts * PART < n) {
        if (!HD_GROW(p->parts, p->n_parts, p->cap_parts))
            return hd_fail_nomem(err);
        uint8_t *part = hd_huge_alloc(HD_HUGE_PAGE);
        if (!part)
            return hd_fail_nomem(err);
        p->parts[p->n_parts++] = part;
    }
    size_t n_slots = p->n_slots ? p->n_slots : 128;
    while (n_slots / 3 * 2 < n)
        n_slots *= 2;
    if (n_slots == p->n_slots)
        return HD_OK;
    uint32_t *slots = hd_calloc(n_slots, sizeof *slots);
    if (!slots)
        return hd_fail_nomem(err);
    hd_free(p->slots);
    p->slots = slots;
    p->n_slots = n_slots;
    for (uint32_t number = 1; number <= p->n; number++) {
        if (number + AHEAD <= p->n)
            __builtin_prefetch(&slots[first_slot(p, pseudonym_of(p, number + AHEAD))], 1);
        const uint8_t *pseudonym = pseudonym_of(p, number);
        size_t at = first_slot(p, pseudonym); /* all differ: any free slot will do */
        while (slots[at])
            at = (at + 1) & (n_slots - 1);
        slots[at] = tag_of(p, pseudonym) | number;
    }
    return HD_OK;
}

static hd_entry *find_entry(hd_vault *v)
{
    for (size_t i = 0; i < v->n_entries; i++)
        if (strcmp(v->entries[i].asset.table, HD_PERSONS_TABLE) == 0)
            return &v->entries[i];
    return NULL;
}

static hd_code read_saved(hd_persons *p, hd_err *err)
{
    hd_entry *e = find_entry(p->vault);
    hd_table *t;
    const hd_column *halves[2];
    if (!e)
        return HD_OK;
    HD_TRY(hd_entry_table(p->vault, e, &t, err));
    uint64_t n = hd_table_rows(t);
    if (hd_table_n_columns(t) != 2 || hd_table_column_spec(t, 0)->kind != HD_COLUMN_KEY ||
        hd_table_column_spec(t, 1)->kind != HD_COLUMN_KEY)
        return hd_fail(err, HD_FORMAT, "the list of persons is damaged: restore it from a copy");
    HD_TRY(reserve(p, (size_t)n, err));
    for (size_t half = 0; half < 2; half++) {
        HD_TRY(hd_table_load(t, half, &halves[half], err));
        for (uint32_t i = 0; i < n; i++)
            memcpy(pseudonym_of(p, i + 1) + half * 8,
                   (const uint8_t *)halves[half]->data + (size_t)i * 8, 8);
        hd_table_unload(t, half);
    }
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *pseudonym = pseudonym_of(p, i + 1);
        size_t slot = find_slot(p, pseudonym);
        if (p->slots[slot])
            return hd_fail(err, HD_FORMAT,
                           "the list of persons is damaged: restore it from a copy");
        p->slots[slot] = tag_of(p, pseudonym) | (i + 1);
    }
    p->n = p->n_saved = (uint32_t)n;
    return HD_OK;
}

hd_code hd_persons_open(hd_persons **out, hd_vault *v, hd_err *err)
{
    *out = NULL;
    hd_persons *p = hd_calloc(1, sizeof *p);
    if (!p)
        return hd_fail_nomem(err);
    p->vault = v;
    hd_code rc = HD_OK;
    HD_GO(reserve(p, 1, err));
    HD_GO(read_saved(p, err));
    *out = p;
    p = NULL;
out:
    hd_persons_free(p);
    return rc;
}

void hd_persons_free(hd_persons *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_parts; i++)
        hd_wipe_free(p->parts[i], HD_HUGE_PAGE);
    hd_free(p->parts);
    hd_free(p->slots);
    hd_free(p);
}

hd_code hd_persons_number(hd_persons *p, const uint8_t pseudonym[LEN], uint32_t *out, hd_err *err)
{
    size_t slot = find_slot(p, pseudonym);
    if (p->slots[slot]) {
        *out = p->slots[slot] & number_mask(p);
        return HD_OK;
    }
    if (p->n >= HD_MAX_ROWS)
        return hd_fail(err, HD_LIMIT, "more than 4,294,967,294 different people");
    if (p->n == p->n_parts * PART || p->n_slots / 3 * 2 <= p->n) {
        HD_TRY(reserve(p, (size_t)p->n + 1, err));
        slot = find_slot(p, pseudonym);
    }
    *out = ++p->n;
    p->slots[slot] = tag_of(p, pseudonym) | p->n;
    memcpy(pseudonym_of(p, p->n), pseudonym, LEN);
    return HD_OK;
}

hd_code hd_persons_numbers(hd_persons *p, const uint8_t *pseudonyms, size_t n, uint32_t *out,
                           hd_err *err)
{
    HD_TRY(reserve(p, (size_t)p->n + n < HD_MAX_ROWS ? (size_t)p->n + n : p->n, err));
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n)
            __builtin_prefetch(&p->slots[first_slot(p, pseudonyms + (i + AHEAD) * LEN)]);
        if (i + AHEAD / 2 < n) {
            const uint8_t *next = pseudonyms + (i + AHEAD / 2) * LEN;
            const uint32_t slot = p->slots[first_slot(p, next)], mask = number_mask(p);
            const bool is_likely = slot && (slot & ~mask) == tag_of(p, next);
            __builtin_prefetch(pseudonym_of(p, is_likely ? slot & mask : 1));
        }
        if (out[i])
            HD_TRY(hd_persons_number(p, pseudonyms + i * LEN, &out[i], err));
    }
    return HD_OK;
}

uint32_t hd_persons_find(const hd_persons *p, const uint8_t pseudonym[LEN])
{
    return p->slots[find_slot(p, pseudonym)] & number_mask(p);
}

/* ---- saving --------------------------------------------------------------------------------- */

static hd_code append_all(const hd_persons *p, hd_builder *b, hd_err *err)
{
    hd_code rc = HD_OK;
    uint32_t *numbers = hd_calloc(HD_BLOCK_ROWS, sizeof *numbers);
    int64_t *order = hd_calloc(HD_BLOCK_ROWS, sizeof *order);
    uint64_t *halves[2] = {hd_calloc(HD_BLOCK_ROWS, 8), hd_calloc(HD_BLOCK_ROWS, 8)};
    if (!numbers || !order || !halves[0] || !halves[1]) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (uint32_t first = 0; first < p->n;) {
        uint32_t n = p->n - first < HD_BLOCK_ROWS ? p->n - first : HD_BLOCK_ROWS;
        for (uint32_t i = 0; i < n; i++) {
            numbers[i] = first + i + 1;
            for (size_t half = 0; half < 2; half++)
                memcpy(&halves[half][i], pseudonym_of(p, first + i + 1) + half * 8, 8);
        }
        hd_rows_column columns[2] = {{.keys = halves[0]}, {.keys = halves[1]}};
        hd_rows rows = {n, numbers, order, columns};
        HD_GO(hd_builder_append(b, &rows, err));
        first += n;
    }
out:
    hd_free(numbers);
    hd_free(order);
    hd_wipe_free(halves[0], (size_t)HD_BLOCK_ROWS * 8);
    hd_wipe_free(halves[1], (size_t)HD_BLOCK_ROWS * 8);
    return rc;
}

hd_code hd_publish_persons(hd_publish *p, hd_persons *persons, hd_err *err)
{
    if (persons->n == persons->n_saved)
        return HD_OK; /* nobody new: the list in force stays */
    hd_builder *b = NULL;
    hd_code rc = HD_OK;
    HD_GO(hd_builder_new_any(&b, persons->vault, HD_PERSONS_TABLE, person_columns, 2, err));
    HD_GO(append_all(persons, b, err));
    HD_GO(hd_publish_table(p, b, err));
out:
    hd_builder_free(b);
    return rc;
}
