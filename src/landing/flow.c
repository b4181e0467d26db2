/* flow.c - the rows of one file through the stages of landing, several chunks on the way at a time.
 *
 *   read      the reader's next batch of rows
 *   persons   pseudonyms; opted-out rows go
 *   judge     each column by itself: codes, counts, flaws; numbers of persons; hashes of rows
 *   decide    row by row in the order of the file: years, defects, rules; then into the builder
 *
 * In each round every stage works on another chunk, and the columns of the judging stage are tasks
 * of their own. What a stage keeps between chunks (reader, person numbers, a column's memo and
 * dictionary, row keys) is touched by one task at a time and sees the chunks in order. Invariant:
 * so the result, also of a refusal, is that of one chunk after another, however many threads there
 * are.
 */
#include "base/par.h"
#include "base/progress.h"
#include "landing/private.h"

enum { DECIDE, PERSONS, READ, NUMBER, HASH, SCANS };

struct flow {
    struct hd_intake *in;
    uint64_t n_read, n_people, n_judged, n_decided; /* chunks that passed the stage */
    bool ended;                                       /* the last chunk was read */
    hd_chunk *decide, *judge, *persons, *read;         /* of this round; NULL: nothing to do */
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

static hd_code run_task(void *ctx, size_t task, hd_err *err)
{
    struct flow *f = ctx;
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
    hd_target *t = &in->targets[task - SCANS - in->n_scans];
    return t->n_sources ? hd_rows_target(in, t, f->judge, judged, err) : HD_OK;
}

static hd_chunk *chunk_at(struct hd_intake *in, uint64_t number)
{
    return &in->chunks[number % HD_DELIVERY_KEPT];
}

static hd_code run_round(struct flow *f, hd_err *err)
{
    struct hd_intake *in = f->in;
    f->decide = f->n_decided < f->n_judged ? chunk_at(in, f->n_decided) : NULL;
    f->judge = f->n_judged < f->n_people ? chunk_at(in, f->n_judged) : NULL;
    f->persons = f->n_people < f->n_read ? chunk_at(in, f->n_people) : NULL;
    f->read = f->ended ? NULL : chunk_at(in, f->n_read);
    HD_ALWAYS(f->n_read - f->n_decided < HD_DELIVERY_KEPT || !f->read);
    HD_TRY(hd_par_run(SCANS + in->n_scans + in->n_targets, run_task, f, err));
    f->n_decided += f->decide != NULL;
    f->n_judged += f->judge != NULL;
    f->n_people += f->persons != NULL;
    if (f->read) {
        f->n_read++;
        f->ended = is_empty(f->read);
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

hd_code hd_flow(struct hd_intake *in, hd_err *err)
{
    hd_packed *source = hd_delivery_source(in->reader);
    struct flow f = {.in = in};
    hd_progress progress;
    hd_progress_begin(&progress, in->name, hd_packed_size(source));
    hd_code rc = begin(&f, err);
    while (rc == HD_OK && f.n_decided < f.n_read) {
        rc = run_round(&f, err);
        hd_progress_at(&progress, hd_packed_delivered(source));
    }
    hd_progress_end(&progress);
    return rc;
}
