/* memo.c - see memo.h. known[i] belongs to text i of the intern table. */
#include "landing/memo.h"
#include "base/alloc.h"

#include <string.h>

/* Different texts kept at most: dates, places and practices fit; at about 100 bytes an entry the
 * largest memo takes 13 MB. A column in which a text is seen less than twice on average before the
 * memo is full gains nothing and is cut to the small limit. */
enum { LARGE = 128 * 1024, SMALL = 4 * 1024 };

hd_code hd_memo_init(hd_memo *m, hd_memo_judge judge, void (*emptied)(void *, const hd_memo *),
                     void *ctx, hd_err *err)
{
    *m = (hd_memo){.limit = LARGE, .judge = judge, .ctx = ctx, .emptied = emptied};
    m->texts = hd_intern_new();
    return m->texts ? HD_OK : hd_fail_nomem(err);
}

void hd_memo_free(hd_memo *m)
{
    hd_intern_free(m->texts);
    hd_wipe_free(m->known, m->cap * sizeof *m->known);
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
    return HD_OK;
}

const char *hd_memo_text(const hd_memo *m, const hd_known *k)
{
    size_t len;
    return hd_intern_get(m->texts, (uint32_t)(k - m->known), &len) + k->text_at;
}

static bool is_last(const hd_memo *m, const char *raw, size_t len)
{
    if (m->n == 0)
        return false;
    size_t have;
    const char *p = hd_intern_get(m->texts, m->last, &have);
    return have == len && memcmp(p, raw, len) == 0;
}

hd_code hd_memo_look(hd_memo *m, const char *raw, size_t len, const hd_known **out, hd_err *err)
{
    m->looked_up++;
    if (!is_last(m, raw, len)) {
        uint32_t id = hd_intern_find(m->texts, raw, len);
        if (id == HD_INTERN_NONE) {
            if (m->n >= m->limit) {
                if (m->looked_up < 2 * m->n)
                    m->limit = SMALL;
                HD_TRY(hd_memo_empty(m, err));
            }
            if (!HD_GROW(m->known, m->n, m->cap))
                return hd_fail_nomem(err);
            m->known[m->n] = (hd_known){0};
            HD_TRY(m->judge(m->ctx, raw, len, &m->known[m->n], err));
            HD_TRY(hd_intern_add(m->texts, raw, len, &id, err));
            m->n++;
        }
        m->last = id;
    }
    hd_known *k = &m->known[m->last];
    k->count++;
    *out = k;
    return HD_OK;
}
