/* memory.c - how much memory the columns of a vault may take, and whose room is taken.
 *
 * A column stays in memory after a question because the next one will probably ask for it. When the
 * limit is reached, the column that was used longest ago goes, unless somebody is using it: a hold
 * (one question) keeps what was loaded while it was current, and a column loaded under no hold is
 * kept until it is unloaded.
 */
#include "base/alloc.h"
#include "vault/internal.h"

#include <inttypes.h>

enum { MOST_HOLDS = 64 }; /* bits of hd_loaded.holds */

struct hd_hold {
    hd_vault *vault;
    uint64_t bit;
};

void hd_vault_set_memory(hd_vault *v, uint64_t bytes)
{
    v->memory.limit = bytes;
}

uint64_t hd_vault_memory_used(const hd_vault *v)
{
    return v->memory.used;
}

hd_code hd_vault_hold(hd_vault *v, hd_hold **out, hd_err *err)
{
    hd_memory *m = &v->memory;
    *out = NULL;
    if (m->holds == UINT64_MAX)
        return hd_fail(err, HD_LIMIT, "more than %d questions at a time: ask again in a moment",
                       MOST_HOLDS);
    hd_hold *h = hd_calloc(1, sizeof *h);
    if (!h)
        return hd_fail_nomem(err);
    h->vault = v;
    h->bit = ~m->holds & (m->holds + 1); /* the lowest that is free */
    m->holds |= h->bit;
    m->current = h->bit;
    *out = h;
    return HD_OK;
}

void hd_hold_use(hd_hold *h)
{
    h->vault->memory.current = h->bit;
}

/* Call fn for every loaded column of the vault. */
static void each_column(hd_vault *v, void (*fn)(void *ctx, hd_table *t, uint32_t column), void *ctx)
{
    for (size_t i = 0; i < v->n_entries; i++) {
        hd_table *t = v->entries[i].table;
        for (uint32_t c = 0; t && c < t->directory.n_columns; c++)
            if (t->loaded[c].data)
                fn(ctx, t, c);
    }
}

static void let_go(void *ctx, hd_table *t, uint32_t column)
{
    const hd_hold *h = ctx;
    t->loaded[column].holds &= ~h->bit;
}

void hd_hold_release(hd_hold *h)
{
    if (!h)
        return;
    hd_memory *m = &h->vault->memory;
    each_column(h->vault, let_go, h);
    m->holds &= ~h->bit;
    if (m->current == h->bit)
        m->current = 0;
    hd_free(h);
}

void hd_memory_touch(hd_memory *m, struct hd_loaded *l)
{
    if (!m)
        return;
    l->used_at = ++m->clock;
    if (m->current)
        l->holds |= m->current;
    else
        l->is_kept = true;
}

struct oldest {
    hd_table *t;
    uint32_t column;
    uint64_t in_use; /* bytes that cannot go */
};

static void find_oldest(void *ctx, hd_table *t, uint32_t column)
{
    struct oldest *o = ctx;
    const struct hd_loaded *l = &t->loaded[column];
    if (l->holds || l->is_kept)
        o->in_use += l->bytes;
    else if (!o->t || l->used_at < o->t->loaded[o->column].used_at)
        *o = (struct oldest){t, column, o->in_use};
}

hd_code hd_memory_take(hd_memory *m, uint64_t bytes, hd_err *err)
{
    if (!m)
        return HD_OK;
    while (m->limit && m->used + bytes > m->limit) {
        struct oldest o = {0};
        each_column(m->vault, find_oldest, &o);
        if (!o.t)
            return hd_fail(err, HD_LIMIT,
                           "the columns in use need %" PRIu64
                           " MB of memory and the limit is %" PRIu64
                           " MB: raise it, or ask for fewer columns or rows",
                           ((o.in_use + bytes) >> 20) + 1, m->limit >> 20);
        hd_column_drop(o.t, o.column);
    }
    m->used += bytes;
    return HD_OK;
}

void hd_memory_give_back(hd_memory *m, uint64_t bytes)
{
    if (m)
        m->used -= bytes;
}
