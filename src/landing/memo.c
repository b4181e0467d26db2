/* memo.c - see memo.h. known[i] belongs to text i of the intern table. */
#include "landing/memo.h"
#include "base/alloc.h"

#include <string.h>

/* Different texts kept at most: dates, places and practices fit; at about 100 bytes an entry the
 * largest memo takes 13 MB. A column in which a text is seen less than twice on average before the
 * memo is full gains nothing and is cut to the small limit. */
enum { LARGE = 128 * 1024, SMALL = 4 * 1024 };

static void clear_front(hd_memo *m)
{
    for (size_t i = 0; i < HD_MEMO_FRONT; i++)
        m->front[i].id = HD_INTERN_NONE;
}

hd_code hd_memo_init(hd_memo *m, hd_memo_judge judge, void (*emptied)(void *, const hd_memo *),
                     void *ctx, hd_err *err)
{
    *m = (hd_memo){.limit = LARGE, .judge = judge, .ctx = ctx, .emptied = emptied};
    m->texts = hd_intern_new();
    m->front = hd_calloc(HD_MEMO_FRONT, sizeof *m->front);
    if (!m->texts || !m->front)
        return hd_fail_nomem(err);
    clear_front(m);
    return HD_OK;
}

void hd_memo_free(hd_memo *m)
{
    hd_intern_free(m->texts);
    hd_wipe_free(m->known, m->cap * sizeof *m->known);
    hd_wipe_free(m->front, HD_MEMO_FRONT * sizeof *m->front);
    *m = (hd_memo){0};
}

hd_code hd_memo_empty(hd_memo *m, hd_err *err)
{
    m->emptied(m->ctx, m);
    hd_intern *fresh = hd_intern_new();
    if (!fresh)
        return hd_fail_nomem(err);
    hd_intern_free(m->texts);
    m->texts = fresh;
    m->n = 0;
    m->looked_up = 0;
    clear_front(m);
    return HD_OK;
}

const char *hd_memo_text(const hd_memo *m, const hd_known *k)
{
    size_t len;
    return hd_intern_get(m->texts, (uint32_t)(k - m->known), &len) + k->text_at;
}

/* Find or judge a text in the table. */
static hd_code look_up(hd_memo *m, const char *raw, size_t len, uint32_t *id, hd_err *err)
{
    *id = hd_intern_find(m->texts, raw, len);
    if (*id != HD_INTERN_NONE)
        return HD_OK;
    if (m->n >= m->limit) {
        if (m->looked_up < 2 * m->n)
            m->limit = SMALL;
        HD_TRY(hd_memo_empty(m, err));
    }
    if (!HD_GROW(m->known, m->n, m->cap))
        return hd_fail_nomem(err);
    m->known[m->n] = (hd_known){0};
    HD_TRY(m->judge(m->ctx, raw, len, &m->known[m->n], err));
    HD_TRY(hd_intern_add(m->texts, raw, len, id, err));
    m->n++;
    return HD_OK;
}

/* A text of up to 16 bytes as two words: with its length they determine it. */
static inline void pack(const char *raw, size_t len, uint64_t *first, uint64_t *second)
{
    *first = *second = 0;
    if (len >= 8) {
        memcpy(first, raw, 8);
        memcpy(second, raw + len - 8, 8);
    } else if (len >= 4) {
        memcpy(first, raw, 4);
        memcpy(second, raw + len - 4, 4);
    } else {
        memcpy(first, raw, len & 2);
        if (len & 1)
            *second = (unsigned char)raw[len - 1];
    }
}

hd_code hd_memo_look(hd_memo *m, const char *raw, size_t len, const hd_known **out, hd_err *err)
{
    uint32_t id;
    m->looked_up++;
    if (len > HD_MEMO_SHORT) {
        HD_TRY(look_up(m, raw, len, &id, err));
    } else {
        uint64_t first, second;
        pack(raw, len, &first, &second);
        uint64_t hash = (first ^ (second << 1 | second >> 63) ^ len) * UINT64_C(0x9E3779B97F4A7C15);
        hd_memo_front *f = &m->front[hash >> 55];
        if (f->id == HD_INTERN_NONE || f->first != first || f->second != second || f->len != len) {
            HD_TRY(look_up(m, raw, len, &id, err));
            *f = (hd_memo_front){first, second, (uint32_t)len, id};
        }
        id = f->id;
    }
    hd_known *k = &m->known[id];
    k->count++;
    *out = k;
    return HD_OK;
}
