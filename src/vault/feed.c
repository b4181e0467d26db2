/* feed.c - what one question reads of a table, block by block (vault.h).
 *
 * A block of a column is ABSENT, MOVING (one thread reads or wipes it), THERE or SPENT. All of that is
 * decided under the vault's one lock; reading, opening and wiping happen outside of it. Whoever
 * needs a block that another thread is moving waits for that thread, which waits for nobody: so a
 * block is opened once however many ask for it, and no two wait for each other.
 *
 * Memory: a feed takes what its blocks will need when it opens, so a question that begins does not
 * fail half-way for want of room. A feed that streams takes a run of a few blocks for each thread
 * instead. Pages come to a run all at once, and when all its blocks have gone they move to the next
 * run of the same column that is begun: every move interrupts all other threads, so moving block by
 * block took longer than opening them. What is in the pages is overwritten then, or wiped when the
 * last stream of the column ends.
 */
#include "base/alloc.h"
#include "base/par.h"
#include "vault/internal.h"

#include <fcntl.h>

enum { AHEAD = 8 }; /* blocks that the system is asked to read beforehand, in one piece */
enum { RUN = 8, SHARE = 4 }; /* blocks of a run, unless they take more than this part of the room */

struct hd_feed {
    hd_table *t;
    hd_memory *m;
    uint32_t *columns; /* of the file; persons, or where they begin, come first */
    size_t n_columns;
    bool has_persons, has_begins, streams;
    uint32_t n_threads, run_blocks; /* of a stream */
    const uint8_t *wanted; /* borrowed */
    uint64_t taken; /* counted in the memory's `used`, and not in any column */
    uint64_t read;  /* blocks that this feed opened, all columns */
    struct spare_reader {
        struct spare_reader *next;
        hd_reader reader;
    } *readers; /* idle */
};

static hd_block_state *state_of(const hd_feed *f, size_t i, uint32_t block)
{
    return &f->t->loaded[f->columns[i]].blocks[block];
}

/* ---- opening --------------------------------------------------------------------------------- */

static hd_code name_columns(hd_feed *f, const hd_feed_wish *w, hd_err *err)
{
    f->columns = hd_calloc(w->n_columns + 1, sizeof *f->columns);
    if (!f->columns)
        return hd_fail_nomem(err);
    HD_ALWAYS(!w->persons || !w->begins);
    f->has_persons = w->persons;
    f->has_begins = w->begins;
    f->wanted = w->wanted;
    if (w->persons || w->begins)
        f->columns[f->n_columns++] = w->begins ? hd_begins_column(f->t) : 0;
    for (size_t i = 0; i < w->n_columns; i++) {
        HD_ALWAYS(w->columns[i] < hd_table_n_columns(f->t));
        f->columns[f->n_columns++] = (uint32_t)w->columns[i] + 1;
    }
    return w->persons || w->begins ? hd_table_check_order(f->t, err) : HD_OK;
}

/* Bytes that a block will add: of the columns that are not there to stay already. */
static uint64_t missing_in(const hd_feed *f, uint32_t block)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < f->n_columns; i++)
        if (!state_of(f, i, block)->is_kept)
            bytes += hd_column_block_bytes(f->t, f->columns[i], block);
    return bytes;
}

/* Pages of 2 MiB hold many blocks, and cannot be given back one by one. */
static void use_small_pages(const hd_feed *f)
{
    const hd_directory *d = &f->t->directory;
    for (size_t i = 0; i < f->n_columns; i++) {
        const struct hd_loaded *l = &f->t->loaded[f->columns[i]];
        hd_secret_small_pages(l->data, hd_column_len(f->t, f->columns[i]));
        if (l->starts)
            hd_secret_small_pages(l->starts, (size_t)(d->rows + 1) * sizeof *l->starts);
    }
}

/* What the largest block will add. */
static uint64_t widest(const hd_feed *f, const hd_feed_wish *w)
{
    uint64_t most = 0;
    for (uint32_t b = 0; b < f->t->directory.n_blocks; b++) {
        uint64_t bytes = !w->wanted || w->wanted[b] ? missing_in(f, b) : 0;
        most = bytes > most ? bytes : most;
    }
    return most;
}

static hd_code take(hd_feed *f, uint64_t bytes, uint64_t spare, hd_err *err)
{
    HD_TRY(hd_memory_take(f->m, bytes, spare, err));
    f->taken = bytes;
    return HD_OK;
}

/* What earlier questions left of our own columns takes the room that a stream needs. */
static hd_code empty_columns(hd_feed *f, hd_err *err)
{
    for (size_t i = 0; i < f->n_columns; i++) {
        const struct hd_loaded *l = &f->t->loaded[f->columns[i]];
        bool is_entered = false;
        for (uint32_t b = 0; b < f->t->directory.n_blocks; b++)
            is_entered = is_entered || l->blocks[b].users > 0;
        if (l->n_holds > 1 || l->is_kept || is_entered)
            continue;
        hd_column_drop(f->t, f->columns[i]);
        HD_TRY(hd_column_room(f->t, f->columns[i], err));
    }
    return HD_OK;
}

static void settle_runs(const hd_feed *f, size_t i)
{
    struct hd_loaded *l = &f->t->loaded[f->columns[i]];
    if (l->n_runs == 0)
        l->run_blocks = f->run_blocks;
}

/* From now on the feed streams. What it needs: a run for each thread and one on its way, of as many
 * blocks as leave room for other streams. */
static uint64_t stream(hd_feed *f, const hd_feed_wish *w)
{
    f->streams = true;
    f->n_threads = hd_par_threads();
    const uint64_t blocks = widest(f, w) * (f->n_threads + 1), limit = f->m->limit;
    const uint64_t room = !limit ? UINT64_MAX : limit > w->spare ? (limit - w->spare) / SHARE : 0;
    f->run_blocks = RUN;
    while (f->run_blocks > 1 && blocks * f->run_blocks > room)
        f->run_blocks /= 2;
    for (size_t i = 0; i < f->n_columns; i++) {
        f->t->loaded[f->columns[i]].n_streams++;
        settle_runs(f, i);
    }
    return blocks * f->run_blocks + w->beside;
}

/* Under the lock. */
static hd_code take_memory(hd_feed *f, const hd_feed_wish *w, hd_err *err)
{
    const hd_directory *d = &f->t->directory;
    uint64_t all = 0;
    for (size_t i = 0; i < f->n_columns; i++) /* first: no column of this feed may go */
        HD_TRY(hd_memory_touch(f->m, f->t, f->columns[i], err));
    for (size_t i = 0; i < f->n_columns; i++)
        HD_TRY(hd_column_room(f->t, f->columns[i], err));
    for (uint32_t b = 0; b < d->n_blocks; b++)
        all += !w->wanted || w->wanted[b] ? missing_in(f, b) : 0;
    hd_code rc = HD_LIMIT;
    if (!w->must_stream || all == 0)
        rc = take(f, all + w->beside, w->may_stream ? w->spare : 0, err);
    if (rc != HD_LIMIT || !(w->may_stream || w->must_stream))
        return rc;
    const uint64_t bytes = stream(f, w);
    rc = take(f, bytes, w->spare, err);
    if (rc != HD_LIMIT)
        return rc;
    HD_TRY(empty_columns(f, err));
    for (size_t i = 0; i < f->n_columns; i++)
        settle_runs(f, i);
    return take(f, bytes, w->spare, err);
}

hd_code hd_feed_open(hd_feed **out, hd_table *t, const hd_feed_wish *w, hd_err *err)
{
    hd_code rc;
    hd_feed *f = hd_calloc(1, sizeof *f);
    *out = NULL;
    if (!f)
        return hd_fail_nomem(err);
    f->t = t;
    f->m = t->memory;
    HD_GO(name_columns(f, w, err));
    pthread_mutex_lock(&f->m->lock);
    rc = take_memory(f, w, err);
    pthread_mutex_unlock(&f->m->lock);
    if (rc == HD_OK && f->streams)
        use_small_pages(f);
out:
    if (rc != HD_OK)
        hd_feed_close(f);
    else
        *out = f;
    return rc;
}

/* ---- runs, all under the lock ---------------------------------------------------------------- */

static struct hd_run *run_of(const struct hd_loaded *l, uint32_t block)
{
    struct hd_run *r = l->runs;
    while (r < l->runs + l->n_runs && (block < r->first || block - r->first >= l->run_blocks))
        r++;
    return r < l->runs + l->n_runs ? r : NULL;
}

static bool is_all(const struct hd_loaded *l, uint32_t first, uint32_t n, hd_block_place place)
{
    uint32_t i = 0;
    while (i < n && l->blocks[first + i].place == place)
        i++;
    return i == n;
}

static void set_all(struct hd_loaded *l, uint32_t first, uint32_t n, hd_block_place place)
{
    for (uint32_t i = 0; i < n; i++)
        l->blocks[first + i].place = (uint8_t)place;
}

/* The run that nobody has been in for the longest time, or NULL. */
static struct hd_run *find_idle(const struct hd_loaded *l)
{
    struct hd_run *oldest = NULL;
    for (struct hd_run *r = l->runs; r < l->runs + l->n_runs; r++)
        if ((!oldest || r->left_at < oldest->left_at) &&
            is_all(l, r->first, l->run_blocks, HD_BLOCK_SPENT))
            oldest = r;
    return oldest;
}

/* Comes and goes with the lock. */
static void wipe(hd_feed *f, size_t i, uint32_t first, uint32_t n)
{
    struct hd_loaded *l = &f->t->loaded[f->columns[i]];
    set_all(l, first, n, HD_BLOCK_MOVING);
    pthread_mutex_unlock(&f->m->lock);
    hd_column_wipe_blocks(f->t, f->columns[i], first, n);
    pthread_mutex_lock(&f->m->lock);
    set_all(l, first, n, HD_BLOCK_ABSENT);
    pthread_cond_broadcast(&f->m->moved);
}

/* With the last stream of a column its runs end. Blocks that others are in go with these. */
static void end_runs(hd_feed *f, size_t i)
{
    struct hd_loaded *l = &f->t->loaded[f->columns[i]];
    while (l->n_streams == 0 && l->n_runs > 0) {
        const uint32_t first = l->runs[--l->n_runs].first, n = l->run_blocks;
        if (is_all(l, first, n, HD_BLOCK_SPENT)) {
            wipe(f, i, first, n);
            continue;
        }
        for (uint32_t b = first; b < first + n; b++)
            if (l->blocks[b].place == HD_BLOCK_SPENT)
                wipe(f, i, b, 1);
    }
}

void hd_feed_close(hd_feed *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->m->lock);
    for (size_t i = 0; i < f->n_columns && f->streams; i++)
        f->t->loaded[f->columns[i]].n_streams--;
    for (size_t i = 0; i < f->n_columns && f->streams; i++)
        end_runs(f, i);
    hd_memory_give_back(f->m, f->taken);
    pthread_mutex_unlock(&f->m->lock);
    while (f->readers) {
        struct spare_reader *next = f->readers->next;
        hd_reader_fini(&f->readers->reader);
        hd_free(f->readers);
        f->readers = next;
    }
    hd_free(f->columns);
    hd_free(f);
}

bool hd_feed_streams(const hd_feed *f)
{
    return f->streams;
}

uint64_t hd_feed_blocks_read(hd_feed *f)
{
    pthread_mutex_lock(&f->m->lock);
    uint64_t n = f->read;
    pthread_mutex_unlock(&f->m->lock);
    return n;
}

const uint32_t *hd_feed_persons(const hd_feed *f)
{
    return f->has_persons ? f->t->loaded[0].data : NULL;
}

const uint64_t *hd_feed_begins(const hd_feed *f)
{
    return f->has_begins ? f->t->loaded[hd_begins_column(f->t)].data : NULL;
}

const hd_column *hd_feed_column(const hd_feed *f, size_t i)
{
    return &f->t->loaded[f->columns[(f->has_persons || f->has_begins) + i]].column;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static hd_code new_reader(hd_feed *f, struct spare_reader **out, hd_err *err)
{
    *out = hd_calloc(1, sizeof **out);
    if (!*out)
        return hd_fail_nomem(err);
    hd_code rc = hd_reader_init(&(*out)->reader, f->t, err);
    if (rc != HD_OK) {
        hd_free(*out);
        *out = NULL;
    }
    return rc;
}

static void widen(const hd_part *p, uint64_t *first, uint64_t *end, uint64_t *sum)
{
    if (p->len == 0)
        return;
    *first = p->at < *first ? p->at : *first;
    *end = p->at + p->len > *end ? p->at + p->len : *end;
    *sum += p->len;
}

/* The disk works while processors open: every few blocks, the next few. Parts of a column mostly
 * lie together; where they do not, each is read when it is its turn. */
static void read_ahead(const hd_feed *f, size_t i, uint32_t block)
{
    const hd_file_column *col = hd_column_file(f->t, f->columns[i]);
    uint64_t first = UINT64_MAX, end = 0, sum = 0;
    if (block % AHEAD != 0)
        return;
    for (uint32_t b = block + AHEAD; b < block + 2 * AHEAD && b < f->t->directory.n_blocks; b++) {
        if (f->wanted && !f->wanted[b])
            continue;
        widen(&col->blocks[b].data, &first, &end, &sum);
        widen(&col->blocks[b].counts, &first, &end, &sum);
    }
    if (sum && end - first < 4 * sum)
        posix_fadvise(f->t->fd, (off_t)first, (off_t)(end - first), POSIX_FADV_WILLNEED);
}

/* A block that is there to stay counts for its column. Under the lock. */
static void keep(hd_feed *f, size_t i, uint32_t block)
{
    hd_block_state *s = state_of(f, i, block);
    uint64_t bytes = hd_column_block_bytes(f->t, f->columns[i], block);
    if (f->streams || s->is_kept || bytes > f->taken)
        return;
    s->is_kept = true;
    f->taken -= bytes;
    f->t->loaded[f->columns[i]].bytes += bytes;
}

/* What a block of a stream needs before it is read. */
struct need {
    uint32_t first, n; /* blocks that get pages at once; none when it has them, or will by faults */
    bool moves;
    uint32_t from; /* where these pages are now */
};

/* The block becomes MOVING, and with it all that come and go when its run gets pages. Under the
 * lock. */
static void claim(hd_feed *f, size_t i, uint32_t block, struct need *need)
{
    struct hd_loaded *l = &f->t->loaded[f->columns[i]];
    const uint32_t n = l->run_blocks, first = n ? block / n * n : block;
    const bool is_bare = l->blocks[block].place == HD_BLOCK_ABSENT;
    *need = (struct need){.first = block, .n = f->streams && is_bare};
    if (need->n && hd_column_is_movable(f->t, f->columns[i], first, n) &&
        is_all(l, first, n, HD_BLOCK_ABSENT) && HD_GROW(l->runs, l->n_runs, l->runs_cap)) {
        struct hd_run *idle = l->n_runs > f->n_threads ? find_idle(l) : NULL;
        *need = (struct need){.first = first, .n = n, .moves = idle};
        if (idle) {
            need->from = idle->first;
            set_all(l, idle->first, n, HD_BLOCK_MOVING);
        } else {
            idle = &l->runs[l->n_runs++];
        }
        *idle = (struct hd_run){first, ++f->m->clock};
        set_all(l, first, n, HD_BLOCK_MOVING);
    }
    l->blocks[block].place = HD_BLOCK_MOVING;
}

/* Comes and goes with the lock. */
static void make_pages(hd_feed *f, size_t i, uint32_t block, const struct need *need)
{
    const uint32_t column = f->columns[i];
    struct hd_loaded *l = &f->t->loaded[column];
    if (need->n == 0)
        return;
    pthread_mutex_unlock(&f->m->lock);
    if (!need->moves || !hd_column_move_blocks(f->t, column, need->from, need->first, need->n)) {
        if (need->moves)
            hd_column_wipe_blocks(f->t, column, need->from, need->n);
        hd_column_populate(f->t, column, need->first, need->n);
    }
    pthread_mutex_lock(&f->m->lock);
    if (need->moves)
        set_all(l, need->from, need->n, HD_BLOCK_ABSENT);
    if (run_of(l, block))
        set_all(l, need->first, need->n, HD_BLOCK_SPENT);
    l->blocks[block].place = HD_BLOCK_MOVING;
    if (need->n > 1 || need->moves)
        pthread_cond_broadcast(&f->m->moved);
}

/* A block that nobody needs: its pages wait for the next run, or are wiped. Comes and goes with the
 * lock. */
static void let_go(hd_feed *f, size_t i, uint32_t block)
{
    struct hd_loaded *l = &f->t->loaded[f->columns[i]];
    struct hd_run *run = run_of(l, block);
    if (!run) {
        wipe(f, i, block, 1);
        return;
    }
    run->left_at = ++f->m->clock;
    l->blocks[block].place = HD_BLOCK_SPENT;
}

/* Read the block of one column, which nobody moves. Comes and goes with the lock. */
static hd_code bring(hd_feed *f, size_t i, uint32_t block, struct spare_reader **r, hd_err *err)
{
    hd_code rc = HD_OK;
    struct need need;
    claim(f, i, block, &need);
    make_pages(f, i, block, &need);
    pthread_mutex_unlock(&f->m->lock);
    read_ahead(f, i, block);
    if (!*r)
        rc = new_reader(f, r, err);
    if (rc == HD_OK)
        rc = hd_column_read_block(&(*r)->reader, f->t, f->columns[i], block, err);
    pthread_mutex_lock(&f->m->lock);
    state_of(f, i, block)->place = HD_BLOCK_THERE;
    if (rc != HD_OK)
        let_go(f, i, block);
    f->read += rc == HD_OK;
    pthread_cond_broadcast(&f->m->moved);
    return rc;
}

/* The last reader of a block that does not stay lets it go. */
static void leave(hd_feed *f, uint32_t block, size_t n)
{
    pthread_mutex_lock(&f->m->lock);
    for (size_t i = 0; i < n; i++) {
        hd_block_state *s = state_of(f, i, block);
        if (--s->users > 0 || s->is_kept || s->place != HD_BLOCK_THERE)
            continue;
        let_go(f, i, block);
    }
    pthread_mutex_unlock(&f->m->lock);
}

/* Go through the columns until all are there: what nobody moves is brought, also when its mover
 * failed; what another thread moves is waited for, when there is nothing left to bring. */
static hd_code bring_all(hd_feed *f, uint32_t block, size_t n, struct spare_reader **r, hd_err *err)
{
    for (size_t there = 0; there < n;) {
        bool brought = false;
        there = 0;
        for (size_t i = 0; i < n; i++) {
            const hd_block_state *s = state_of(f, i, block);
            if (s->place == HD_BLOCK_ABSENT || s->place == HD_BLOCK_SPENT) {
                HD_TRY(bring(f, i, block, r, err));
                brought = true;
            }
            there += s->place == HD_BLOCK_THERE;
        }
        if (there < n && !brought)
            pthread_cond_wait(&f->m->moved, &f->m->lock);
    }
    return HD_OK;
}

static hd_code enter(hd_feed *f, uint32_t block, size_t n, bool keeps, hd_err *err)
{
    pthread_mutex_lock(&f->m->lock);
    struct spare_reader *r = f->readers;
    if (r)
        f->readers = r->next;
    for (size_t i = 0; i < n; i++)
        state_of(f, i, block)->users++;
    hd_code rc = bring_all(f, block, n, &r, err);
    for (size_t i = 0; i < n && rc == HD_OK && keeps; i++)
        keep(f, i, block);
    if (r) {
        r->next = f->readers;
        f->readers = r;
    }
    pthread_mutex_unlock(&f->m->lock);
    if (rc != HD_OK)
        leave(f, block, n);
    return rc;
}

hd_code hd_feed_enter(hd_feed *f, uint32_t block, hd_err *err)
{
    return enter(f, block, f->n_columns, true, err);
}

void hd_feed_leave(hd_feed *f, uint32_t block)
{
    leave(f, block, f->n_columns);
}

hd_code hd_feed_enter_persons(hd_feed *f, uint32_t block, hd_err *err)
{
    HD_ALWAYS(f->has_persons || f->has_begins);
    return enter(f, block, 1, false, err);
}

void hd_feed_leave_persons(hd_feed *f, uint32_t block)
{
    leave(f, block, 1);
}
