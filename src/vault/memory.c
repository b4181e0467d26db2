/* memory.c - how much memory the columns of a vault may take, and whose room is taken.
 *
 * A column stays in memory after a question because the next one will probably ask for it. When the
 * limit is reached, the column that was used longest ago goes, unless somebody is using it: a hold
 * (one question) keeps what was used while it was current, and a column used under no hold is kept
 * until it is unloaded. Which hold is current is each thread's own matter.
 */
#include "base/alloc.h"
#include "vault/internal.h"

#include <inttypes.h>

typedef struct held {
    hd_table *table;
    uint32_t column;
} held;

struct hd_hold {
    hd_vault *vault;
    held *held; /* n of cap: counted in their n_holds */
    size_t n, cap;
    hd_hold *before; /* current when this one was taken or used */
};

/* The holds of this thread, the current one first. Invariant: all are alive, because a hold is
 * released by the thread that took it. */
static _Thread_local hd_hold *current;

static void unlink_hold(hd_hold *h)
{
    hd_hold **at = &current;
    while (*at && *at != h)
        at = &(*at)->before;
    if (*at)
        *at = h->before;
}

hd_code hd_memory_init(hd_memory *m, hd_vault *v, hd_err *err)
{
    *m = (hd_memory){.vault = v};
    if (pthread_mutex_init(&m->lock, NULL) != 0)
        return hd_fail_nomem(err);
    if (pthread_cond_init(&m->moved, NULL) == 0)
        return HD_OK;
    pthread_mutex_destroy(&m->lock);
    return hd_fail_nomem(err);
}

void hd_memory_fini(hd_memory *m)
{
    pthread_cond_destroy(&m->moved);
    pthread_mutex_destroy(&m->lock);
}

void hd_vault_set_memory(hd_vault *v, uint64_t bytes)
{
    pthread_mutex_lock(&v->memory.lock);
    v->memory.limit = bytes;
    pthread_mutex_unlock(&v->memory.lock);
}

uint64_t hd_vault_memory_used(hd_vault *v)
{
    pthread_mutex_lock(&v->memory.lock);
    uint64_t used = v->memory.used;
    pthread_mutex_unlock(&v->memory.lock);
    return used;
}

/* ---- holds ----------------------------------------------------------------------------------- */

hd_code hd_vault_hold(hd_vault *v, hd_hold **out, hd_err *err)
{
    hd_hold *h = hd_calloc(1, sizeof *h);
    *out = h;
    if (!h)
        return hd_fail_nomem(err);
    h->vault = v;
    h->before = current;
    current = h;
    return HD_OK;
}

void hd_hold_use(hd_hold *h)
{
    unlink_hold(h);
    h->before = current;
    current = h;
}

void hd_hold_release(hd_hold *h)
{
    if (!h)
        return;
    hd_memory *m = &h->vault->memory;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < h->n; i++)
        h->held[i].table->loaded[h->held[i].column].n_holds--;
    pthread_mutex_unlock(&m->lock);
    unlink_hold(h);
    hd_free(h->held);
    hd_free(h);
}

hd_code hd_memory_touch(hd_memory *m, hd_table *t, uint32_t column, hd_err *err)
{
    struct hd_loaded *l = &t->loaded[column];
    hd_hold *h = current && current->vault == m->vault ? current : NULL;
    l->used_at = ++m->clock;
    if (!h)
        l->is_kept = true;
    for (size_t i = 0; h && i < h->n; i++)
        if (h->held[i].table == t && h->held[i].column == column)
            return HD_OK;
    if (h && !HD_GROW(h->held, h->n, h->cap))
        return hd_fail_nomem(err);
    if (h)
        h->held[h->n++] = (held){t, column};
    l->n_holds += h != NULL;
    return HD_OK;
}

/* ---- room ------------------------------------------------------------------------------------ */

static bool is_in_use(const struct hd_loaded *l)
{
    return l->n_holds > 0 || l->is_kept;
}

/* The column that was used longest ago and may go. *can_go: the bytes of all that may. */
static bool find_oldest(const hd_memory *m, hd_table **table, uint32_t *column, uint64_t *can_go)
{
    bool found = false;
    *can_go = 0;
    for (size_t i = 0; m->vault && i < m->vault->n_entries; i++) {
        hd_table *t = m->vault->entries[i].table;
        for (uint32_t c = 0; t && c <= hd_begins_column(t); c++) {
            const struct hd_loaded *l = &t->loaded[c];
            if (!l->data || is_in_use(l))
                continue;
            *can_go += l->bytes;
            if (found && l->used_at >= (*table)->loaded[*column].used_at)
                continue;
            *table = t;
            *column = c;
            found = true;
        }
    }
    return found;
}

hd_code hd_memory_take(hd_memory *m, uint64_t bytes, uint64_t spare, hd_err *err)
{
    hd_table *t;
    uint32_t column;
    uint64_t can_go, most = m->limit > spare ? m->limit - spare : 0;
    bool found = m->limit && find_oldest(m, &t, &column, &can_go);
    uint64_t in_use = m->used - (found ? can_go : 0);
    if (m->limit && in_use + bytes > most)
        return hd_fail(err, HD_LIMIT,
                       "the columns in use need %" PRIu64 " MB of memory and the limit is %" PRIu64
                       " MB: raise it, or ask for fewer columns or rows",
                       ((in_use + bytes + spare) >> 20) + 1, m->limit >> 20);
    while (m->limit && m->used + bytes > most && find_oldest(m, &t, &column, &can_go))
        hd_column_drop(t, column);
    m->used += bytes;
    return HD_OK;
}

void hd_memory_give_back(hd_memory *m, uint64_t bytes)
{
    m->used -= bytes;
}
