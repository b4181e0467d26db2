/* flow.c - the rows of one file through the stages of landing, several chunks on the way at a time.
 *
 *   read      the reader's next batch of rows
 *   persons   pseudonyms; opted-out rows go
 *   judge     a few columns at a time: codes, counts, flaws; numbers of persons; hashes of rows
 *   decide    row by row in the order of the file: years, defects, rules; then into the builder
 *
 * Groups of columns are stages of their own. What a stage keeps between chunks (reader, person
 * numbers, a column's memo and dictionary, row keys) is touched by one thread at a time and sees
 * the chunks in order. Invariant: so the result, also of a refusal, is that of one chunk after
 * another, however many threads there are.
 *
 * A stage takes its next chunk as soon as those before it have left that chunk, whatever the others
 * do meanwhile. Rounds, in which every stage works on another chunk and all threads wait for the
 * last, were rejected: that wait comes a thousand times a file. The threads stay for the whole file,
 * because starting one on a busy machine takes as long as a stage. One that finds nothing to do
 * looks for it for a moment before it sleeps.
 */
#include "base/alloc.h"
#include "base/par.h"
#include "base/progress.h"
#include "landing/private.h"

#include <pthread.h>

/* The stages in the order in which a chunk passes them; between HASH and the last, which decides,
 * there are one for each column that is only watched and one for each group of columns. */
enum { READ, PERSONS, NUMBER, HASH, SCANS };

struct stage {
    uint64_t n_done; /* chunks that passed it; the next one has this number */
    bool is_busy;
};

struct flow {
    struct hd_intake *in;
    hd_packed *source;
    hd_progress progress;
    size_t n_groups, n_stages;
    struct stage *stages;
    size_t decide;    /* the last stage */
    uint64_t changes; /* written under the lock, read atomically */
    pthread_mutex_t lock; /* for all that follows, and the stages */
    pthread_cond_t changed;
    unsigned n_busy;
    bool ended; /* the last chunk was read */
    uint64_t failed_chunk; /* what comes before this stage of this chunk is still done */
    size_t failed_stage;
    hd_err failure;
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

static hd_chunk *chunk_at(struct hd_intake *in, uint64_t number)
{
    return &in->chunks[number % HD_DELIVERY_KEPT];
}

static hd_code pass_stage(struct flow *f, size_t stage, uint64_t number, hd_err *err)
{
    struct hd_intake *in = f->in;
    hd_chunk *c = chunk_at(in, number);
    const unsigned made = (unsigned)(number % HD_MADE);
    if (stage == f->decide)
        return hd_decide(in, c, made, err);
    if (stage == READ)
        read_chunk(in, c);
    else if (stage == PERSONS)
        hd_rows_persons(in, c);
    if (stage <= PERSONS || c->n_rows == 0)
        return HD_OK;
    if (stage == NUMBER)
        return hd_rows_number(in, c, err);
    if (stage == HASH)
        return hd_rows_hash(in, c, err);
    if (stage < SCANS + in->n_scans) {
        hd_scan *s = &in->scans[stage - SCANS];
        return s->is_nhs_number ? HD_OK : hd_rows_scan(in, s, c, err);
    }
    size_t group = stage - SCANS - in->n_scans, first = in->n_in_file * group / f->n_groups;
    size_t end = in->n_in_file * (group + 1) / f->n_groups;
    return hd_rows_targets(in, in->in_file + first, end - first, c, made, err);
}

/* ---- which stage is next; all under the lock ------------------------------------------------ */

/* May the stage take its next chunk? */
static bool is_ready(const struct flow *f, size_t stage)
{
    const struct stage *s = f->stages;
    const uint64_t number = s[stage].n_done, n_decided = s[f->decide].n_done;
    if (s[stage].is_busy || number > f->failed_chunk ||
        (number == f->failed_chunk && stage >= f->failed_stage))
        return false;
    if (stage == READ)
        return !f->ended && number < n_decided + HD_DELIVERY_KEPT;
    if (stage == PERSONS)
        return number < s[READ].n_done;
    if (stage < f->decide)
        return number < s[PERSONS].n_done && number < n_decided + HD_MADE;
    for (size_t i = PERSONS; i < f->decide; i++)
        if (s[i].n_done == number)
            return false;
    return true;
}

/* The last stage first: it makes room for more. n_stages when none is ready. */
static size_t find_stage(const struct flow *f)
{
    if (is_ready(f, f->decide))
        return f->decide;
    size_t stage = READ;
    while (stage < f->decide && !is_ready(f, stage))
        stage++;
    return stage < f->decide ? stage : f->n_stages;
}

static void end_stage(struct flow *f, size_t stage, hd_code rc, const hd_err *err)
{
    struct stage *s = &f->stages[stage];
    if (stage == READ)
        f->ended = is_empty(chunk_at(f->in, s->n_done));
    const bool is_first = s->n_done < f->failed_chunk ||
                          (s->n_done == f->failed_chunk && stage < f->failed_stage);
    if (rc != HD_OK && is_first) { /* another may have failed meanwhile */
        f->failed_chunk = s->n_done;
        f->failed_stage = stage;
        f->failure = *err;
    }
    s->n_done++;
    s->is_busy = false;
    f->n_busy--;
    hd_progress_at(&f->progress, hd_packed_delivered(f->source));
}

static inline void pause_a_little(void)
{
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

/* Until something has changed. */
static void wait_for_change(struct flow *f)
{
    enum { LOOKS = 4000 };
    const uint64_t seen = f->changes;
    pthread_mutex_unlock(&f->lock);
    for (int i = 0; i < LOOKS && __atomic_load_n(&f->changes, __ATOMIC_RELAXED) == seen; i++)
        pause_a_little();
    pthread_mutex_lock(&f->lock);
    while (f->changes == seen)
        pthread_cond_wait(&f->changed, &f->lock);
}

static void note_change(struct flow *f)
{
    __atomic_store_n(&f->changes, f->changes + 1, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&f->changed);
}

/* One of a few threads. When no stage is ready and none is busy, nothing will be. */
static hd_code work(void *ctx, size_t thread, hd_err *err)
{
    struct flow *f = ctx;
    (void)thread, (void)err;
    pthread_mutex_lock(&f->lock);
    for (;;) {
        const size_t stage = find_stage(f);
        if (stage == f->n_stages && f->n_busy == 0)
            break;
        if (stage == f->n_stages) {
            wait_for_change(f);
            continue;
        }
        f->stages[stage].is_busy = true;
        f->n_busy++;
        const uint64_t number = f->stages[stage].n_done;
        pthread_mutex_unlock(&f->lock);
        hd_err failure = {0};
        hd_code rc = pass_stage(f, stage, number, &failure);
        pthread_mutex_lock(&f->lock);
        end_stage(f, stage, rc, &failure);
        note_change(f);
    }
    pthread_mutex_unlock(&f->lock);
    return HD_OK;
}

/* ---- a file --------------------------------------------------------------------------------- */

/* Room for the keys of as many rows as a file that is not packed has by its length, when its first
 * rows speak for all. */
static hd_code expect_rows(const struct flow *f, const hd_batch *b, hd_err *err)
{
    const uint64_t size = hd_packed_size(f->source);
    const uint32_t len = hd_batch_row(b, b->n_rows - 1)[b->n_columns] - hd_batch_row(b, 0)[0];
    if (hd_packed_packing(f->source) != HD_PACKING_NONE)
        return HD_OK;
    return hd_seen_expect(&f->in->seen, size / (len / b->n_rows + 1), err);
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
    f->stages[READ].n_done = 1;
    HD_TRY(expect_rows(f, &c->batch, err));
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
                     .failed_chunk = UINT64_MAX};
    f.decide = SCANS + in->n_scans + f.n_groups;
    f.n_stages = f.decide + 1;
    f.stages = hd_calloc(f.n_stages, sizeof *f.stages);
    if (!f.stages)
        return hd_fail_nomem(err);
    pthread_mutex_init(&f.lock, NULL);
    pthread_cond_init(&f.changed, NULL);
    hd_progress_begin(&f.progress, in->name, hd_packed_size(f.source));
    hd_code rc = begin(&f, err);
    if (rc == HD_OK && f.stages[READ].n_done)
        rc = hd_par_run(hd_par_threads(), work, &f, err);
    if (rc == HD_OK && f.failed_chunk != UINT64_MAX) {
        *err = f.failure;
        rc = f.failure.code;
    }
    hd_progress_end(&f.progress);
    hd_cells_complete(in);
    pthread_cond_destroy(&f.changed);
    pthread_mutex_destroy(&f.lock);
    hd_free(f.stages);
    return rc;
}
