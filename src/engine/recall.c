/* recall.c - see recall.h.
 *
 * Invariant: an entry is in the table exactly when it is in the list of ages, and `bytes` is the
 * sum over that list. `uses` counts the table's own hold and everybody else's.
 */
#include "engine/recall.h"
#include "base/alloc.h"

#include <string.h>

enum { BUCKETS = 4096 };

typedef struct entry {
    hd_recalled public; /* first member: hd_recalled * is what others see */
    struct entry *next; /* in its bucket */
    struct entry *newer, *older;
    uint64_t hash;
    char *key;
    size_t len, bytes, uses;
    void (*release)(void *);
} entry;

struct hd_recall {
    entry *buckets[BUCKETS];
    entry *newest, *oldest;
    size_t bytes, max_bytes;
};

hd_recall *hd_recall_new(size_t max_bytes)
{
    hd_recall *r = hd_calloc(1, sizeof *r);
    if (r)
        r->max_bytes = max_bytes;
    return r;
}

void hd_recalled_drop(hd_recalled *x)
{
    entry *e = (entry *)x;
    if (!e || --e->uses > 0)
        return;
    e->release(e->public.thing);
    hd_free(e->key);
    hd_free(e);
}

/* FNV-1a. */
static uint64_t hash_of(const char *key, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)key[i]) * UINT64_C(0x100000001b3);
    return h;
}

static void leave_ages(hd_recall *r, entry *e)
{
    *(e->newer ? &e->newer->older : &r->newest) = e->older;
    *(e->older ? &e->older->newer : &r->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void become_newest(hd_recall *r, entry *e)
{
    e->older = r->newest;
    *(r->newest ? &r->newest->newer : &r->oldest) = e;
    r->newest = e;
}

static void evict(hd_recall *r, entry *e)
{
    entry **at = &r->buckets[e->hash % BUCKETS];
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    leave_ages(r, e);
    r->bytes -= e->bytes;
    hd_recalled_drop(&e->public);
}

static void make_room(hd_recall *r)
{
    while (r->bytes > r->max_bytes)
        evict(r, r->oldest);
}

void hd_recall_forget(hd_recall *r)
{
    while (r->oldest)
        evict(r, r->oldest);
}

void hd_recall_free(hd_recall *r)
{
    if (!r)
        return;
    hd_recall_forget(r);
    hd_free(r);
}

static entry *look_up(hd_recall *r, const char *key, size_t len)
{
    uint64_t hash = hash_of(key, len);
    entry *e = r->buckets[hash % BUCKETS];
    while (e && (e->hash != hash || e->len != len || memcmp(e->key, key, len) != 0))
        e = e->next;
    return e;
}

hd_recalled *hd_recall_find(hd_recall *r, const char *key, size_t len)
{
    entry *e = look_up(r, key, len);
    if (!e)
        return NULL;
    leave_ages(r, e);
    become_newest(r, e);
    e->uses++;
    return &e->public;
}

hd_code hd_recall_keep(hd_recall *r, const char *key, size_t len, void *thing, size_t bytes,
                       void (*release)(void *thing), hd_recalled **out, hd_err *err)
{
    entry *e = hd_calloc(1, sizeof *e);
    char *copy = hd_malloc(len);
    *out = NULL;
    if (!e || !copy) {
        hd_free(e);
        hd_free(copy);
        release(thing);
        return hd_fail_nomem(err);
    }
    memcpy(copy, key, len);
    *e = (entry){.public = {thing},
                 .key = copy,
                 .len = len,
                 .hash = hash_of(key, len),
                 .bytes = bytes + len + sizeof *e,
                 .uses = 2,
                 .release = release};
    e->next = r->buckets[e->hash % BUCKETS];
    r->buckets[e->hash % BUCKETS] = e;
    become_newest(r, e);
    r->bytes += e->bytes;
    make_room(r);
    *out = &e->public;
    return HD_OK;
}

void hd_recall_charge(hd_recall *r, const char *key, size_t len, size_t bytes)
{
    entry *e = look_up(r, key, len);
    if (!e)
        return;
    e->bytes += bytes;
    r->bytes += bytes;
    make_room(r);
}
