/* shared.c - see shared.h.
 *
 * Invariant: an entry is in the list as long as `users` is above 0; an engine drops what it uses
 * before its vault closes, so an entry's vault is open. `data` is NULL while one of them makes it.
 */
#include "engine/shared.h"
#include "base/alloc.h"
#include "engine/combine.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct order_shared {
    struct order_shared *next;
    const hd_vault *vault;
    uint64_t data_version;
    char table[64], name[40];
    size_t users;
    bool is_being_made;
    order_data *data;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct order_shared *first;

static bool is_named(const struct order_shared *s, const hd_engine *e, const char *table,
                     const char *name)
{
    return s->vault == e->vault && s->data_version == e->data_version &&
           strcmp(s->table, table) == 0 && strcmp(s->name, name) == 0;
}

/* Under the lock. */
static struct order_shared *find_or_add(const hd_engine *e, const char *table, const char *name)
{
    struct order_shared *s = first;
    while (s && !is_named(s, e, table, name))
        s = s->next;
    if (!s && (s = hd_calloc(1, sizeof *s)) != NULL) {
        s->vault = e->vault;
        s->data_version = e->data_version;
        snprintf(s->table, sizeof s->table, "%s", table);
        snprintf(s->name, sizeof s->name, "%s", name);
        s->next = first;
        first = s;
    }
    if (s)
        s->users++;
    return s;
}

/* Under the lock. What the last user leaves is returned, to be freed outside of it. */
static order_data *leave(struct order_shared *s)
{
    if (--s->users > 0)
        return NULL;
    struct order_shared **at = &first;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    order_data *data = s->data;
    hd_free(s);
    return data;
}

static void free_data(order_data *d)
{
    if (!d)
        return;
    hd_free(d->integers);
    hd_free(d->decimals);
    hd_free(d->text);
    hd_free(d->ends);
    hd_secret_unmap(d->data, d->bytes);
    hd_combined_free(d->combination);
    hd_free(d);
}

void hd_order_data_free(void *data)
{
    order_data *d = data;
    if (d && d->shared) {
        pthread_mutex_lock(&lock);
        d = leave(d->shared);
        pthread_mutex_unlock(&lock);
    }
    free_data(d);
}

/* A moment, or until something has changed: whoever waits may be stopped. */
static void wait_a_moment(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 5000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&changed, &lock, &until);
}

/* Comes and goes with the lock. */
static hd_code make_it(struct order_shared *s, hd_make_column make, void *ctx, hd_err *err)
{
    order_data *made = NULL;
    s->is_being_made = true;
    pthread_mutex_unlock(&lock);
    hd_code rc = make(ctx, &made, err);
    pthread_mutex_lock(&lock);
    s->is_being_made = false;
    s->data = made;
    if (made)
        made->shared = s;
    pthread_cond_broadcast(&changed);
    return rc;
}

hd_code hd_shared_get(hd_engine *e, const char *table, const char *name, hd_make_column make,
                      void *ctx, order_data **out, hd_err *err)
{
    hd_code rc = HD_OK;
    order_data *left = NULL;
    *out = NULL;
    pthread_mutex_lock(&lock);
    struct order_shared *s = find_or_add(e, table, name);
    if (!s)
        rc = hd_fail_nomem(err);
    while (rc == HD_OK && s->is_being_made) {
        wait_a_moment();
        rc = hd_engine_go_on(e, err);
    }
    if (rc == HD_OK && !s->data)
        rc = make_it(s, make, ctx, err);
    if (rc == HD_OK)
        *out = s->data;
    if (s && !*out)
        left = leave(s);
    pthread_mutex_unlock(&lock);
    free_data(left);
    return rc;
}
