/* par.c - see par.h. */
#include "base/par.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_THREADS = 256 };

unsigned hd_par_threads(void)
{
    const char *set = getenv("HDIS_THREADS");
    long n = set ? strtol(set, NULL, 10) : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (unsigned)n;
}

struct run {
    hd_code (*fn)(void *, size_t, hd_err *);
    void *ctx;
    size_t n_tasks;
    pthread_mutex_t lock; /* next, failed_task, err */
    size_t next;
    size_t failed_task;
    hd_err err;
};

static void *work(void *arg)
{
    struct run *r = arg;
    for (;;) {
        pthread_mutex_lock(&r->lock);
        size_t task = r->next < r->failed_task ? r->next : r->n_tasks;
        if (task < r->n_tasks)
            r->next++;
        pthread_mutex_unlock(&r->lock);
        if (task >= r->n_tasks)
            return NULL;
        hd_err err = {0};
        if (r->fn(r->ctx, task, &err) != HD_OK) {
            pthread_mutex_lock(&r->lock);
            if (task < r->failed_task) {
                r->failed_task = task;
                r->err = err;
            }
            pthread_mutex_unlock(&r->lock);
        }
    }
}

hd_code hd_par_run(size_t n_tasks, hd_code (*fn)(void *ctx, size_t task, hd_err *err), void *ctx,
                   hd_err *err)
{
    struct run r = {.fn = fn, .ctx = ctx, .n_tasks = n_tasks, .failed_task = SIZE_MAX};
    pthread_mutex_init(&r.lock, NULL);
    unsigned n = hd_par_threads();
    if (n > n_tasks)
        n = (unsigned)n_tasks;
    pthread_t threads[MAX_THREADS];
    unsigned started = 0;
    for (; started + 1 < n; started++)
        if (pthread_create(&threads[started], NULL, work, &r) != 0)
            break; /* fewer threads: slower, still right */
    work(&r);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&r.lock);
    if (r.failed_task == SIZE_MAX)
        return HD_OK;
    if (err)
        *err = r.err;
    return r.err.code;
}
