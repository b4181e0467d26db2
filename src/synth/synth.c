/* synth.c - chunks of people, in order, into files. See synth.h.
 *
 * A chunk is simulated and its rows are shuffled by one thread; then it waits for its turn to
 * append. Chunks are handed out in order, so the one whose turn it is is always being worked on.
 */
#include "synth/synth.h"
#include "base/alloc.h"
#include "base/io.h"
#include "base/par.h"
#include "base/progress.h"
#include "synth/life.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PEOPLE_PER_CHUNK = 1024,
    MAX_YEARS = HD_SYNTH_LAST_YEAR - HD_SYNTH_FIRST_YEAR + 1,
    MAX_FILES = HD_N_DATASETS * MAX_YEARS
};

struct file {
    int fd; /* -1: closed */
    char path[PATH_MAX], part[PATH_MAX];
};

struct workspace {
    hd_chunk chunk;
    hd_lines lines[MAX_FILES];
    char *shuffled[MAX_FILES];
    size_t cap_shuffled[MAX_FILES];
    struct workspace *next;
};

struct run {
    const hd_synth_options *o;
    int n_years;
    size_t n_files, n_chunks;
    hd_world world;
    hd_layout layouts[HD_N_DATASETS];
    hd_dirt *dirt;
    hd_truth *truth;
    char fyears[MAX_YEARS][5];
    struct file files[MAX_FILES];
    char truth_folder[PATH_MAX];
    uint64_t n_bytes;
    pthread_mutex_t lock; /* all below, and appending */
    pthread_cond_t turn;
    size_t next_chunk, failed_chunk;
    struct workspace *idle;
    hd_progress progress;
};

/* ---- files -------------------------------------------------------------------------------- */

static hd_code join(char out[PATH_MAX], hd_err *err, const char *fmt, ...) HD_PRINTF(3, 4);

static hd_code join(char out[PATH_MAX], hd_err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(out, PATH_MAX, fmt, ap);
    va_end(ap);
    return n < PATH_MAX ? HD_OK : hd_fail(err, HD_LIMIT, "the path of the folder is too long");
}

static hd_code open_file(struct run *r, int dataset, int year, hd_err *err)
{
    const hd_layout *l = &r->layouts[dataset];
    struct file *f = &r->files[dataset * r->n_years + year - r->o->first_year];
    HD_TRY(join(f->path, err, "%s/NIC000000_%s_%d99.txt", r->o->out, l->tag, year));
    HD_TRY(join(f->part, err, "%s/NIC000000_%s_%d99.txt.part", r->o->out, l->tag, year));
    f->fd = open(f->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (f->fd < 0)
        return hd_fail_os(err, "cannot create %s", f->part);
    hd_buf header;
    hd_buf_init(&header, 65536);
    hd_layout_header(l, &header);
    hd_code rc = hd_buf_check(&header, err);
    if (rc == HD_OK)
        rc = hd_io_write(f->fd, header.data, header.len, f->part, err);
    r->n_bytes += header.len;
    hd_buf_free(&header);
    return rc;
}

static hd_code open_files(struct run *r, hd_err *err)
{
    HD_TRY(hd_io_make_dir(r->o->out, err));
    HD_TRY(join(r->truth_folder, err, "%s/truth", r->o->out));
    HD_TRY(hd_io_make_dir(r->truth_folder, err));
    for (int d = 0; d < HD_N_DATASETS; d++)
        for (int y = r->o->first_year; y <= r->o->last_year; y++)
            HD_TRY(open_file(r, d, y, err));
    return HD_OK;
}

static hd_code publish_files(struct run *r, hd_err *err)
{
    for (size_t i = 0; i < r->n_files; i++) {
        struct file *f = &r->files[i];
        HD_TRY(hd_io_sync(f->fd, f->part, err));
        close(f->fd);
        f->fd = -1;
    }
    for (size_t i = 0; i < r->n_files; i++) {
        HD_TRY(hd_io_rename(r->files[i].part, r->files[i].path, err));
        r->files[i].part[0] = '\0';
    }
    return HD_OK;
}

static void drop_files(struct run *r)
{
    for (size_t i = 0; i < r->n_files; i++) {
        if (r->files[i].fd >= 0)
            close(r->files[i].fd);
        if (r->files[i].part[0])
            (void)unlink(r->files[i].part);
    }
}

/* ---- one chunk ---------------------------------------------------------------------------- */

static struct workspace *take_workspace(struct run *r)
{
    pthread_mutex_lock(&r->lock);
    struct workspace *w = r->idle;
    if (w)
        r->idle = w->next;
    pthread_mutex_unlock(&r->lock);
    if (w)
        return w;
    w = hd_calloc(1, sizeof *w);
    if (w)
        w->chunk = (hd_chunk){
            .options = r->o,
            .world = &r->world,
            .layouts = r->layouts,
            .dirt = r->dirt,
            .truth = r->truth,
            .first_day = hd_date_from_ymd(r->o->first_year, 4, 1),
            .last_day = hd_date_from_ymd(r->o->last_year + 1, 3, 31),
            .fyears = r->fyears,
            .lines = w->lines,
        };
    return w;
}

static void free_workspace(struct workspace *w)
{
    for (size_t i = 0; i < MAX_FILES; i++) {
        hd_free(w->lines[i].bytes);
        hd_free(w->lines[i].starts);
        hd_free(w->shuffled[i]);
    }
    hd_free(w->chunk.episodes);
    hd_free(w);
}

/* Bring the rows of one file into an order that says nothing about people. */
static bool shuffle(struct workspace *w, size_t file, uint64_t seed, size_t chunk)
{
    hd_lines *l = &w->lines[file];
    if (w->cap_shuffled[file] < l->len) {
        hd_free(w->shuffled[file]);
        w->cap_shuffled[file] = 0;
        w->shuffled[file] = hd_malloc(l->cap);
        if (!w->shuffled[file])
            return false;
        w->cap_shuffled[file] = l->cap;
    }
    hd_rng rng = hd_rng_stream(seed ^ UINT64_C(0x73687566666c65), chunk * MAX_FILES + file);
    for (size_t i = l->n; i > 1; i--) {
        size_t j = hd_rng_below(&rng, (uint32_t)i), at = l->starts[j];
        l->starts[j] = l->starts[i - 1];
        l->starts[i - 1] = at;
    }
    char *out = w->shuffled[file];
    for (size_t i = 0; i < l->n; i++) {
        const char *row = l->bytes + l->starts[i];
        const char *end = memchr(row, '\n', l->len - l->starts[i]);
        size_t len = (size_t)(end - row) + 1;
        memcpy(out, row, len);
        out += len;
    }
    return true;
}

static hd_code simulate(struct run *r, struct workspace *w, size_t chunk, hd_err *err)
{
    hd_chunk *k = &w->chunk;
    uint64_t first = (uint64_t)chunk * PEOPLE_PER_CHUNK, end = first + PEOPLE_PER_CHUNK;
    for (size_t i = 0; i < r->n_files; i++)
        w->lines[i].len = w->lines[i].n = 0;
    k->n_episodes = 0;
    for (uint64_t p = first; p < end && p < r->o->people && !k->is_out_of_memory; p++)
        hd_life_run(k, p);
    for (size_t i = 0; i < r->n_files && !k->is_out_of_memory; i++)
        k->is_out_of_memory = !shuffle(w, i, r->o->seed, chunk);
    return k->is_out_of_memory ? hd_fail_nomem(err) : HD_OK;
}

static hd_code append(struct run *r, const struct workspace *w, hd_err *err)
{
    for (size_t i = 0; i < r->n_files; i++) {
        if (w->lines[i].len == 0)
            continue;
        HD_TRY(hd_io_write(r->files[i].fd, w->shuffled[i], w->lines[i].len, r->files[i].part, err));
        r->n_bytes += w->lines[i].len;
    }
    return HD_OK;
}

static hd_code do_chunk(void *ctx, size_t chunk, hd_err *err)
{
    struct run *r = ctx;
    struct workspace *w = take_workspace(r);
    hd_code rc = w ? simulate(r, w, chunk, err) : hd_fail_nomem(err);
    pthread_mutex_lock(&r->lock);
    while (rc == HD_OK && r->next_chunk != chunk && r->failed_chunk > chunk)
        pthread_cond_wait(&r->turn, &r->lock);
    if (rc == HD_OK && r->failed_chunk < chunk)
        rc = hd_fail(err, HD_IO, "an earlier part failed");
    if (rc == HD_OK)
        rc = append(r, w, err);
    if (rc == HD_OK)
        r->next_chunk++;
    else if (chunk < r->failed_chunk)
        r->failed_chunk = chunk;
    hd_progress_at(&r->progress, r->next_chunk);
    if (w) {
        w->next = r->idle;
        r->idle = w;
    }
    pthread_cond_broadcast(&r->turn);
    pthread_mutex_unlock(&r->lock);
    return rc;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static hd_code check_options(const hd_synth_options *o, hd_err *err)
{
    if (o->people < 1 || o->people > HD_SYNTH_MAX_PEOPLE)
        return hd_fail(err, HD_INVALID, "the number of people must be 1 to %d",
                       HD_SYNTH_MAX_PEOPLE);
    if (o->first_year > o->last_year || o->first_year < HD_SYNTH_FIRST_YEAR ||
        o->last_year > HD_SYNTH_LAST_YEAR)
        return hd_fail(err, HD_INVALID, "the years must be within %d-%d, the earlier one first",
                       HD_SYNTH_FIRST_YEAR, HD_SYNTH_LAST_YEAR);
    if (!(o->dirty >= 0 && o->dirty <= 1))
        return hd_fail(err, HD_INVALID, "the dirty share must be 0%% to 100%%");
    return HD_OK;
}

static void summarize(const struct run *r, hd_synth_summary *s)
{
    *s = (hd_synth_summary){.n_files = r->n_files, .n_bytes = r->n_bytes};
    for (int d = 0; d < HD_N_DATASETS; d++)
        for (int y = r->o->first_year; y <= r->o->last_year; y++)
            s->n_rows += hd_truth_rows(r->truth, (hd_dataset)d, y);
    s->n_dirty = hd_truth_dirty(r->truth);
}

static hd_code write_all(struct run *r, hd_synth_summary *summary, hd_err *err)
{
    HD_TRY(hd_world_open(&r->world, r->o->folder, r->o->seed, err));
    for (int d = 0; d < HD_N_DATASETS; d++)
        hd_layout_open(&r->layouts[d], (hd_dataset)d);
    for (int y = 0; y < r->n_years; y++)
        for (int k = 0; k < 2; k++) {
            int year = (r->o->first_year + y + k) % 100;
            r->fyears[y][2 * k] = (char)('0' + year / 10);
            r->fyears[y][2 * k + 1] = (char)('0' + year % 10);
        }
    r->dirt = hd_dirt_new(r->layouts);
    r->truth = hd_truth_new(&r->world, r->o->first_year, r->o->last_year);
    if (!r->dirt || !r->truth)
        return hd_fail_nomem(err);
    HD_TRY(open_files(r, err));
    r->n_chunks = (size_t)((r->o->people + PEOPLE_PER_CHUNK - 1) / PEOPLE_PER_CHUNK);
    hd_progress_begin(&r->progress, "simulating", r->n_chunks);
    hd_code rc = hd_par_run(r->n_chunks, do_chunk, r, err);
    hd_progress_end(&r->progress);
    if (rc != HD_OK)
        return rc;
    HD_TRY(hd_truth_write(r->truth, r->truth_folder, err));
    HD_TRY(publish_files(r, err));
    summarize(r, summary);
    return HD_OK;
}

hd_code hd_synth_write(const hd_synth_options *o, hd_synth_summary *summary, hd_err *err)
{
    HD_TRY(check_options(o, err));
    struct run *r = hd_calloc(1, sizeof *r);
    if (!r)
        return hd_fail_nomem(err);
    r->o = o;
    r->n_years = o->last_year - o->first_year + 1;
    r->n_files = (size_t)(HD_N_DATASETS * r->n_years);
    r->failed_chunk = SIZE_MAX;
    for (size_t i = 0; i < MAX_FILES; i++)
        r->files[i].fd = -1;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->turn, NULL);
    hd_code rc = write_all(r, summary, err);
    if (rc != HD_OK)
        drop_files(r);
    while (r->idle) {
        struct workspace *w = r->idle;
        r->idle = w->next;
        free_workspace(w);
    }
    pthread_cond_destroy(&r->turn);
    pthread_mutex_destroy(&r->lock);
    hd_truth_free(r->truth);
    hd_dirt_free(r->dirt);
    hd_world_close(&r->world);
    hd_free(r);
    return rc;
}
