/* seen.c - row keys seen so far, to count repeated keys and repeated rows.
 *
 * 16 bytes a slot, at most two thirds full. Past 2^26 slots (1 GiB, 44 million rows) nothing is
 * added any more and the report says that not all keys were compared. Keys are keyed hashes, rows a
 * fast 64-bit hash: two different rows pass for equal once in 10^19 pairs.
 */
#include "base/alloc.h"
#include "landing/private.h"

#include <string.h>

static const size_t MAX_SLOTS = (size_t)1 << 26;

static size_t first_slot(const hd_seen *s, uint64_t key)
{
    return (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (s->n_slots - 1);
}

static size_t slot_of(const hd_seen *s, uint64_t key)
{
    size_t i = first_slot(s, key);
    while (s->slots[i].key && s->slots[i].key != key)
        i = (i + 1) & (s->n_slots - 1);
    return i;
}

static hd_code widen(hd_seen *s, size_t n_slots, hd_err *err)
{
    hd_seen wide = {.n_slots = n_slots, .n = s->n};
    wide.slots = hd_calloc(wide.n_slots, sizeof *wide.slots);
    if (!wide.slots)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < s->n_slots; i++)
        if (s->slots[i].key)
            wide.slots[slot_of(&wide, s->slots[i].key)] = s->slots[i];
    hd_free(s->slots);
    *s = wide;
    return HD_OK;
}

hd_code hd_seen_expect(hd_seen *s, uint64_t n, hd_err *err)
{
    size_t n_slots = s->n_slots ? s->n_slots : 4096;
    while (n_slots < MAX_SLOTS && (s->n + n) * 3 >= n_slots * 2)
        n_slots *= 2;
    return n_slots > s->n_slots ? widen(s, n_slots, err) : HD_OK;
}

hd_code hd_seen_add(hd_seen *s, uint64_t key, uint64_t row, unsigned *found, hd_err *err)
{
    *found = 0;
    if (s->n * 3 >= s->n_slots * 2 && !s->is_full) {
        s->is_full = s->n_slots >= MAX_SLOTS;
        if (!s->is_full)
            HD_TRY(widen(s, s->n_slots ? s->n_slots * 2 : 4096, err));
    }
    size_t i = slot_of(s, key);
    if (s->slots[i].key)
        *found = s->slots[i].row == row ? 2 : 1;
    else if (!s->is_full) {
        s->slots[i].key = key;
        s->slots[i].row = row;
        s->n++;
    }
    return HD_OK;
}

void hd_seen_prefetch(const hd_seen *s, uint64_t key)
{
    if (s->n_slots)
        __builtin_prefetch(&s->slots[first_slot(s, key)]);
}

void hd_seen_free(hd_seen *s)
{
    hd_free(s->slots);
    *s = (hd_seen){0};
}
