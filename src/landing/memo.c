/* memo.c - see memo.h. known[i] belongs to text i of the intern table. */
#include "landing/memo.h"
#include "base/alloc.h"

#include <string.h>

/* Different texts kept at most: dates, places and practices fit; at about 100 bytes an entry the
 * largest memo takes 13 MB. A column in which a text is seen less than twice on average before the
 * memo is full gains nothing and is cut to the small limit. */
enum { LARGE = 128 * 1024, SMALL = 4 * 1024 };

/* Bits of a hash that say where in front a text stands. The front grows to the most when one of 32
 * the looks pass it by and there are texts to fill it with: past it lie a table, an entry and its
 * text, each of them somewhere else in memory. */
enum { FRONT_FEWEST = 10, FRONT_MOST = 16, GROWS = 2, MISSED = 32 };

static size_t front_len(const hd_memo *m)
{
    return m->front ? (size_t)1 << (32 - m->shift) : 0;
}

static void clear_front(hd_memo *m)
{
    for (size_t i = 0; i < front_len(m); i++)
        m->front[i] = (hd_memo_front){.first = HD_MEMO_FREE};
}

/* Start it anew with so many bits; what it forgets is found in the table again. */
static hd_code size_front(hd_memo *m, unsigned bits, hd_err *err)
{
    hd_memo_front *front = hd_malloc(sizeof *front << bits);
    if (!front)
        return hd_fail_nomem(err);
    hd_wipe_free(m->front, front_len(m) * sizeof *m->front);
    m->front = front;
    m->shift = 32 - bits;
    m->seen = m->missed = 0;
    clear_front(m);
    return HD_OK;
}

hd_code hd_memo_init(hd_memo *m, hd_memo_judge judge, void *ctx, hd_err *err)
{
    *m = (hd_memo){.limit = LARGE, .judge = judge, .ctx = ctx};
    m->texts = hd_intern_new();
    return m->texts ? HD_OK : hd_fail_nomem(err);
}

hd_code hd_memo_begin(hd_memo *m, hd_err *err)
{
    unsigned bits = 32 - m->shift;
    if (!m->front)
        HD_TRY(size_front(m, FRONT_FEWEST, err));
    else if (m->missed > m->seen / MISSED && bits < FRONT_MOST && m->n > front_len(m) / 8)
        HD_TRY(size_front(m, bits + GROWS, err));
    return HD_OK;
}

void hd_memo_free(hd_memo *m)
{
    hd_intern_free(m->texts);
    hd_wipe_free(m->known, m->cap * sizeof *m->known);
    hd_wipe_free(m->front, front_len(m) * sizeof *m->front);
    *m = (hd_memo){0};
}

hd_code hd_memo_empty(hd_memo *m, hd_err *err)
{
    if (m->n == 0)
        return HD_OK;
    hd_intern *fresh = hd_intern_new();
    if (!fresh)
        return hd_fail_nomem(err);
    hd_intern_free(m->texts);
    m->texts = fresh;
    m->n = 0;
    m->looked_up = 0;
    m->seen = m->missed = 0;
    clear_front(m);
    return HD_OK;
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

/* A long text stands in front with its first and last eight bytes, and is then compared whole. */
static bool is_same_long_text(const hd_memo *m, const hd_memo_front *f, const char *raw, size_t len)
{
    size_t have;
    const char *text = hd_intern_get(m->texts, f->id, &have);
    return memcmp(text, raw, len) == 0;
}

#define LOW(n) (UINT64_MAX >> (64 - 8 * (n)))
const uint64_t hd_memo_masks[HD_MEMO_SHORT + 1][2] = {
    {0, 0},
    {LOW(1), 0},
    {LOW(2), 0},
    {LOW(3), 0},
    {LOW(4), 0},
    {LOW(5), 0},
    {LOW(6), 0},
    {LOW(7), 0},
    {UINT64_MAX, 0},
    {UINT64_MAX, LOW(1)},
    {UINT64_MAX, LOW(2)},
    {UINT64_MAX, LOW(3)},
    {UINT64_MAX, LOW(4)},
    {UINT64_MAX, LOW(5)},
    {UINT64_MAX, LOW(6)},
    {UINT64_MAX, LOW(7)},
};

hd_code hd_memo_look_further(hd_memo *m, const char *raw, size_t len, hd_memo_probe p, hd_err *err)
{
    uint32_t id;
    const size_t place = p.hash >> m->shift;
    hd_memo_front *slot = &m->front[place];
    bool is_long = len > HD_MEMO_SHORT;
    if (is_long)
        p.first = (p.first & ~HD_MEMO_EIGHTH) | HD_MEMO_LONG_SLOT;
    if (is_long && slot->first == p.first && slot->second == p.second && slot->len == len &&
        is_same_long_text(m, slot, raw, len))
        return HD_OK;
    m->missed++;
    HD_TRY(look_up(m, raw, len, &id, err));
    const hd_known *k = &m->known[id];
    if (slot->first != HD_MEMO_FREE)
        m->front[hd_memo_beside(place)] = *slot;
    *slot = (hd_memo_front){.first = p.first,
                            .second = p.second,
                            .len = (uint32_t)len,
                            .id = id,
                            .code = k->code,
                            .meaning = k->meaning,
                            .flags = k->flags,
                            .shape = k->shape,
                            .flaw = k->flags & HD_KNOWN_MISFIT           ? HD_FLAW_MISFIT
                                    : k->meaning == HD_MEANING_INVALID ? HD_FLAW_INVALID
                                                                       : 0};
    return HD_OK;
}
