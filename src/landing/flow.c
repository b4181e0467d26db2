/* flow.c - the rows of one file through the stages of landing, several chunks on the way at a time.
 *
 *   read      the reader's next batch of rows
 *   persons   pseudonyms; opted-out rows go
 *   judge     a few columns at a time: codes, counts, flaws; numbers of persons; hashes of rows
 *   decide    row by row in the order of the file: years, defects, rules; then into the builder
 *
 * In each round every stage works on another chunk, and groups of columns are tasks of the
 * judging stage. What a stage keeps between chunks (reader, person numbers, a column's memo and
 * dictionary, row keys) is touched by one task at a time and sees the chunks in order. Invariant:
 * so the result, also of a refusal, is that of one chunk after another, however many threads there
 * are.
 *
 * The threads stay for the whole file, because a round takes some milliseconds and starting a
 * thread on a busy machine can take as long. The last one that finds nothing left to do in a round
 * begins the next; the others look for it for a moment before they sleep.
 */
#include "base/par.h"
#include "base/progress.h"
#include "landing/private.h"

#include <pthread.h>

enum { DECIDE, PERSONS, READ, NUMBER, HASH, SCANS };

struct flow {
    struct hd_intake *in;
    uint64_t n_read, n_people, n_judged, n_decided; /* chunks that passed the stage */
    bool ended;                                     /* the last chunk was read */
    hd_chunk *decide, *judge, *persons, *read;      /* of this round; NULL: nothing to do */
    hd_packed *source;
    hd_progress progress;
    /* the round and its threads */
    size_t n_groups;      /* of columns */
    size_t n_tasks, next; /* next changes atomically */
    uint64_t round;       /* changed under the lock, read atomically */
    pthread_mutex_t lock; /* for all that follows */
    pthread_cond_t turn;
    unsigned present, idle; /* threads in all; of them, with nothing left to do in this round */
    size_t failed_task;
    hd_err failure;
    bool is_over;
};

static void read_chunk(struct hd_intake *in, hd_chunk *c)
{
    c->n_noted = c->n_rows = 0;
    c->rc = hd_delivery_next(in->reader, &c->batch, &c->err);
}

static bool is_empty(const hd_chunk *c)
{
    return c->batch.n_rows + c->batch.n_defects == 0;
}

static hd_code run_task(struct flow *f, size_t task, hd_err *err)
{
    struct hd_intake *in = f->in;
    unsigned judged = f->n_judged % HD_MADE;
    if (task == DECIDE)
        return f->decide ? hd_decide(in, f->decide, f->n_decided % HD_MADE, err) : HD_OK;
    if (task == PERSONS) {
        if (f->persons)
            hd_rows_persons(in, f->persons);
        return HD_OK;
    }
    if (task == READ) {
        if (f->read)
            read_chunk(in, f->read);
        return HD_OK;
    }
    if (!f->judge || f->judge->n_rows == 0)
        return HD_OK;
    if (task == NUMBER)
        return hd_rows_number(in, f->judge, err);
    if (task == HASH)
        return hd_rows_hash(in, f->judge, err);
    if (task < SCANS + in->n_scans) {
        hd_scan *s = &in->scans[task - SCANS];
        return s->is_nhs_number ? HD_OK : hd_rows_scan(in, s, f->judge, err);
    }
    size_t group = task - SCANS - in->n_scans, first = in->n_in_file * group / f->n_groups;
    size_t end = in->n_in_file * (group + 1) / f->n_groups;
    return hd_rows_targets(in, in->in_file + first, end - first, f->judge, judged, err);
}

static hd_chunk *chunk_at(struct hd_intake *in, uint64_t number)
{
    return &in->chunks[number % HD_DELIVERY_KEPT];
}

/* What the next round does; false when nothing is left. */
static bool set_out(struct flow *f)
{
    struct hd_intake *in = f->in;
    if (f->n_decided == f->n_read)
        return false;
    f->decide = f->n_decided < f->n_judged ? chunk_at(in, f->n_decided) : NULL;
    f->judge = f->n_judged < f->n_people ? chunk_at(in, f->n_judged) : NULL;
    f->persons = f->n_people < f->n_read ? chunk_at(in, f->n_people) : NULL;
    f->read = f->ended ? NULL : chunk_at(in, f->n_read);
    HD_ALWAYS(f->n_read - f->n_decided < HD_DELIVERY_KEPT || !f->read);
    return true;
}

/* Every task of a round is done. */
static void end_round(struct flow *f)
{
    f->n_decided += f->decide != NULL;
    f->n_judged += f->judge != NULL;
    f->n_people += f->persons != NULL;
    if (f->read) {
        f->n_read++;
        f->ended = is_empty(f->read);
    }
    hd_progress_at(&f->progress, hd_packed_delivered(f->source));
    f->is_over = f->failed_task != SIZE_MAX || !set_out(f);
}

static inline void pause_a_little(void)
{
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

static void run_tasks(struct flow *f)
{
    for (;;) {
        size_t task = __atomic_fetch_add(&f->next, 1, __ATOMIC_RELAXED);
        if (task >= f->n_tasks)
            return;
        hd_err err = {0};
        if (run_task(f, task, &err) == HD_OK)
            continue;
        /* Tasks are handed out in order: all before this one are done or under way. */
        pthread_mutex_lock(&f->lock);
        if (task < f->failed_task) {
            f->failed_task = task;
            f->failure = err;
        }
        pthread_mutex_unlock(&f->lock);
        __atomic_store_n(&f->next, f->n_tasks, __ATOMIC_RELAXED);
    }
}

/* Wait until all threads are here. */
static void meet(struct flow *f)
{
    enum { LOOKS = 4000 };
    pthread_mutex_lock(&f->lock);
    uint64_t round = f->round;
    if (++f->idle == f->present) {
        end_round(f);
        f->idle = 0;
        __atomic_store_n(&f->next, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&f->round, round + 1, __ATOMIC_RELEASE);
        pthread_cond_broadcast(&f->turn);
    } else {
        pthread_mutex_unlock(&f->lock);
        for (int i = 0; i < LOOKS && __atomic_load_n(&f->round, __ATOMIC_ACQUIRE) == round; i++)
            pause_a_little();
        pthread_mutex_lock(&f->lock);
        while (f->round == round)
            pthread_cond_wait(&f->turn, &f->lock);
    }
    pthread_mutex_unlock(&f->lock);
}

/* One of a few threads, from the first round it sees to the last. However late it comes: a round is
 * at its end when all that are present are idle. */
static hd_code work(void *ctx, size_t thread, hd_err *err)
{
    struct flow *f = ctx;
    (void)thread, (void)err;
    pthread_mutex_lock(&f->lock);
    f->present++;
    bool is_over = f->is_over;
    pthread_mutex_unlock(&f->lock);
    while (!is_over) {
        run_tasks(f);
        meet(f);
        is_over = f->is_over;
    }
    return HD_OK;
}

/* Chunks without rows until the first that has some and so gives the data year, by which the judges
 * judge. */
static hd_code begin(struct flow *f, hd_err *err)
{
    struct hd_intake *in = f->in;
    hd_chunk *c = chunk_at(in, 0);
    for (;;) {
        read_chunk(in, c);
        if (is_empty(c))
            return c->rc == HD_OK ? HD_OK : (*err = c->err, c->rc);
        HD_TRY(hd_decide_defects(in, c, err));
        if (c->batch.n_rows)
            break;
    }
    f->n_read = 1;
    return hd_settle_year(in, &c->batch, err);
}

/* Groups of columns: some more than there are threads, so that none waits long for the last. */
static size_t n_groups(const struct hd_intake *in)
{
    enum { EACH = 4 };
    size_t most = EACH * (size_t)hd_par_threads();
    return in->n_in_file < most ? in->n_in_file : most;
}

hd_code hd_flow(struct hd_intake *in, hd_err *err)
{
    struct flow f = {.in = in,
                     .source = hd_delivery_source(in->reader),
                     .n_groups = n_groups(in),
                     .failed_task = SIZE_MAX};
    f.n_tasks = SCANS + in->n_scans + f.n_groups;
    pthread_mutex_init(&f.lock, NULL);
    pthread_cond_init(&f.turn, NULL);
    hd_progress_begin(&f.progress, in->name, hd_packed_size(f.source));
    hd_code rc = begin(&f, err);
    f.is_over = rc != HD_OK || !set_out(&f);
    if (rc == HD_OK)
        rc = hd_par_run(hd_par_threads(), work, &f, err);
    if (rc == HD_OK && f.failed_task != SIZE_MAX) {
        *err = f.failure;
        rc = f.failure.code;
    }
    hd_progress_end(&f.progress);
    hd_cells_complete(in);
    pthread_cond_destroy(&f.turn);
    pthread_mutex_destroy(&f.lock);
    return rc;
}
