/* intern.c - see intern.h. Open addressing, linear probing, at most half full; a slot holds the
 * number plus one and 32 bits of the hash, so a probe seldom touches the bytes. */
#define XXH_INLINE_ALL
#include "base/intern.h"
#include "base/alloc.h"

#include <string.h>
#include <xxhash.h>

struct slot {
    uint32_t id_plus_one; /* 0: empty */
    uint32_t hash_high;
};

struct hd_intern {
    struct slot *slots;
    size_t n_slots; /* power of two */
    char *bytes;
    size_t bytes_len, bytes_cap;
    uint64_t *ends; /* ends[i]: end of string i in bytes */
    size_t count, ends_cap;
};

hd_intern *hd_intern_new(void)
{
    hd_intern *t = hd_calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->n_slots = 64;
    t->slots = hd_calloc(t->n_slots, sizeof *t->slots);
    if (!t->slots) {
        hd_free(t);
        return NULL;
    }
    return t;
}

void hd_intern_free(hd_intern *t)
{
    if (!t)
        return;
    hd_wipe_free(t->bytes, t->bytes_cap);
    hd_free(t->slots);
    hd_free(t->ends);
    hd_free(t);
}

/* May be asked while another thread adds: it then counts at least what was there before. */
uint32_t hd_intern_count(const hd_intern *t)
{
    return (uint32_t)__atomic_load_n(&t->count, __ATOMIC_RELAXED);
}

const char *hd_intern_get(const hd_intern *t, uint32_t id, size_t *len)
{
    HD_ALWAYS(id < t->count);
    uint64_t start = id ? t->ends[id - 1] : 0;
    *len = (size_t)(t->ends[id] - start);
    return t->bytes ? t->bytes + start : "";
}

uint64_t hd_hash64(const void *bytes, size_t len)
{
    return XXH3_64bits(bytes, len);
}

static size_t probe(const hd_intern *t, const void *bytes, size_t len, uint64_t hash)
{
    size_t mask = t->n_slots - 1;
    uint32_t high = (uint32_t)(hash >> 32);
    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        const struct slot *s = &t->slots[i];
        if (s->id_plus_one == 0)
            return i;
        if (s->hash_high != high)
            continue;
        size_t have;
        const char *p = hd_intern_get(t, s->id_plus_one - 1, &have);
        if (have == len && memcmp(p, bytes, len) == 0)
            return i;
    }
}

uint32_t hd_intern_find(const hd_intern *t, const void *bytes, size_t len)
{
    size_t i = probe(t, bytes, len, XXH3_64bits(bytes, len));
    return t->slots[i].id_plus_one - 1; /* 0 - 1 wraps to HD_INTERN_NONE */
}

static bool widen(hd_intern *t)
{
    size_t n = t->n_slots * 2;
    struct slot *slots = hd_calloc(n, sizeof *slots);
    if (!slots)
        return false;
    for (size_t id = 0; id < t->count; id++) {
        size_t len;
        const char *p = hd_intern_get(t, (uint32_t)id, &len);
        uint64_t hash = XXH3_64bits(p, len);
        size_t i = (size_t)hash & (n - 1);
        while (slots[i].id_plus_one)
            i = (i + 1) & (n - 1);
        slots[i] = (struct slot){(uint32_t)id + 1, (uint32_t)(hash >> 32)};
    }
    hd_free(t->slots);
    t->slots = slots;
    t->n_slots = n;
    return true;
}

hd_code hd_intern_add(hd_intern *t, const void *bytes, size_t len, uint32_t *out, hd_err *err)
{
    uint64_t hash = XXH3_64bits(bytes, len);
    size_t i = probe(t, bytes, len, hash);
    if (t->slots[i].id_plus_one) {
        *out = t->slots[i].id_plus_one - 1;
        return HD_OK;
    }
    if (t->count >= UINT32_MAX - 1)
        return hd_fail(err, HD_LIMIT, "more than 4,294,967,294 different values in one column");
    if (t->count * 2 >= t->n_slots) {
        if (!widen(t))
            return hd_fail_nomem(err);
        i = probe(t, bytes, len, hash);
    }
    if (t->bytes_len + len > t->bytes_cap) {
        size_t cap = t->bytes_cap ? t->bytes_cap * 2 : 1024;
        while (cap < t->bytes_len + len)
            cap *= 2;
        char *p = hd_realloc(t->bytes, cap);
        if (!p)
            return hd_fail_nomem(err);
        t->bytes = p;
        t->bytes_cap = cap;
    }
    if (!HD_GROW(t->ends, t->count, t->ends_cap))
        return hd_fail_nomem(err);
    if (len)
        memcpy(t->bytes + t->bytes_len, bytes, len);
    t->bytes_len += len;
    t->ends[t->count] = t->bytes_len;
    t->slots[i] = (struct slot){(uint32_t)t->count + 1, (uint32_t)(hash >> 32)};
    *out = (uint32_t)t->count;
    __atomic_store_n(&t->count, t->count + 1, __ATOMIC_RELAXED);
    return HD_OK;
}
