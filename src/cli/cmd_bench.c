/* cmd_bench.c - hdis bench: what this machine does, beside what it could do at most.
 *
 * Makes the tables of the yardstick (made-up people) in a temporary vault, asks its questions on one
 * thread and on all, and sets the times beside the speed of memory and of opening sealed blocks
 * that were measured in the same run. The vault and its key are removed at the end.
 */
#define _XOPEN_SOURCE 700 /* nftw */
#define _DEFAULT_SOURCE
#include "base/alloc.h"
#include "base/io.h"
#include "base/par.h"
#include "base/progress.h"
#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/machine.h"
#include "disclosure/release.h"
#include "engine/question.h"
#include "synth/yardstick.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);

const hd_command hd_command_bench = {
    "bench", "measure this machine against its own limits",
    "usage: hdis bench [options]\n"
    "\n"
    "Measures how fast this machine reads memory and opens sealed blocks, makes a temporary vault of\n"
    "made-up admissions and attendances, and asks the questions of the yardstick (doc/performance.md)\n"
    "on one thread and on all. No vault is needed and none is touched.\n"
    "\n"
    "  --rows N                  rows of each of the two tables (1000000); a million takes about 20 MB\n"
    "                            on disk and half a minute\n"
    "  --seed N                  of the made-up people (1)\n"
    "  --only NAMES              questions by name, as Q1,Q4a (all)\n"
    "  --format NAME             table or csv (table)\n"
    "\n"
    "first      asked for the first time, all threads: columns are read, opened and unpacked\n"
    "1 thread   asked again, the median of five, from SQL text to released table\n"
    "N threads  the same with all threads; HDIS_THREADS sets how many\n"
    "of memory  the bytes that the scan must touch, by the time that memory needs to deliver them:\n"
    "           100% would be a question at the speed of memory. Small tables stay far below it,\n"
    "           because what a question costs beside its scan is most of the time then\n"
    "\n"
    "examples:\n"
    "  hdis bench\n"
    "  hdis bench --rows 10000000 --only Q1,Q3\n"
    "  hdis bench --format csv > speed.csv\n",
    run,
};

enum { MOST = 32, REPEATS = 5, BAR = 40 };

typedef struct bench_question {
    char *name, *title, *table, *columns, *sql; /* borrowed from the text */
    double first, one, all; /* milliseconds */
    double touched;         /* bytes */
} bench_question;

typedef struct bench {
    uint64_t rows, seed;
    char root[256], folder[300], key_file[300];
    char *text;
    bench_question questions[MOST];
    size_t n;
    hd_catalogue *catalogue;
    hd_policy *policy;
    hd_vault *vault;
    hd_engine *engine;
    double read[2], open[2], make; /* bytes a second on one thread and on all; seconds */
    unsigned threads;
} bench;

/* ---- questions ------------------------------------------------------------------------------- */

/* "== NAME | TITLE | TABLE: COLUMNS", then the question; the text is cut in place. */
static bool cut_question(char *block, bench_question *q)
{
    char *end = strchr(block, '\n'), *title = strstr(block, " | ");
    char *table = title ? strstr(title + 3, " | ") : NULL, *columns = table ? strchr(table, ':') : NULL;
    if (!end || !columns || columns > end)
        return false;
    *end = *title = *table = *columns = '\0';
    *q = (bench_question){block, title + 3, table + 3, columns + 1, end + 1, 0, 0, 0, 0};
    return true;
}

static bool is_named(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = names; (at = strstr(at, name)); at += n)
        if ((at == names || at[-1] == ',') && (at[n] == ',' || at[n] == '\0'))
            return true;
    return names == NULL;
}

static hd_code read_questions(bench *b, const char *folder, const char *only, hd_err *err)
{
    char path[1024];
    size_t len;
    snprintf(path, sizeof path, "%s/questions.sql", folder);
    HD_TRY(hd_io_read_file(path, 1 << 20, &b->text, &len, err));
    for (char *at = strstr(b->text, "\n== "), *next; at && b->n < MOST; at = next) {
        next = strstr(at + 4, "\n== ");
        if (next)
            *next = '\0';
        if (!cut_question(at + 4, &b->questions[b->n]))
            return hd_fail(err, HD_FORMAT, "%s is not what hdis bench can read", path);
        b->n += !only || is_named(only, b->questions[b->n].name);
    }
    return b->n ? HD_OK : hd_fail(err, HD_NOTFOUND, "--only names no question; all: Q1, Q2, ...");
}

/* ---- a vault for a while ----------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *at)
{
    (void)s, (void)type, (void)at;
    return remove(path);
}

static hd_code make_vault(bench *b, hd_err *err)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(b->root, sizeof b->root, "%s/hdis-bench-XXXXXX",
             temporary && *temporary ? temporary : "/var/tmp");
    if (!mkdtemp(b->root)) {
        hd_code rc = hd_fail_os(err, "cannot make a folder %s", b->root);
        b->root[0] = '\0';
        return rc;
    }
    snprintf(b->folder, sizeof b->folder, "%s/vault", b->root);
    snprintf(b->key_file, sizeof b->key_file, "%s/key", b->root);
    double start = hd_machine_seconds();
    HD_TRY(hd_yard_make_vault(b->folder, b->key_file, b->rows, b->seed, err));
    b->make = hd_machine_seconds() - start;
    return HD_OK;
}

static hd_code open_all(bench *b, const char *catalogue, hd_err *err)
{
    HD_TRY(hd_catalogue_open(&b->catalogue, catalogue, NULL, err));
    /* Times are of the engine and the release; protecting costs what the policy asks for. */
    HD_TRY(hd_policy_open(&b->policy, hd_catalogue_default_folder(), "none", err));
    HD_TRY(hd_vault_open(&b->vault, b->folder, b->key_file, false, err));
    return hd_engine_open(&b->engine, b->vault, b->catalogue, err);
}

static void close_all(bench *b)
{
    hd_engine_close(b->engine);
    hd_vault_close(b->vault);
    hd_policy_free(b->policy);
    hd_catalogue_close(b->catalogue);
    hd_free(b->text);
    if (b->root[0])
        nftw(b->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- measuring ------------------------------------------------------------------------------- */

static hd_code ask(bench *b, const char *sql, double *ms, hd_err *err)
{
    hd_release *r = NULL;
    double start = hd_machine_seconds();
    HD_TRY(hd_release_ask(&r, b->engine, b->policy, sql, err));
    *ms = (hd_machine_seconds() - start) * 1e3;
    hd_release_free(r);
    return HD_OK;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static hd_code ask_again(bench *b, const char *sql, double *median, hd_err *err)
{
    double ms[REPEATS];
    for (int i = 0; i < REPEATS; i++)
        HD_TRY(ask(b, sql, &ms[i], err));
    qsort(ms, REPEATS, sizeof *ms, compare);
    *median = ms[REPEATS / 2];
    return HD_OK;
}

/* Bytes of the columns that the question names, as they lie in memory. */
static hd_code count_touched(bench *b, bench_question *q, hd_err *err)
{
    hd_table *t;
    char *rest = NULL, *copy = hd_strdup(q->columns);
    if (!copy)
        return hd_fail_nomem(err);
    hd_code rc = hd_vault_table(b->vault, q->table, &t, err);
    for (char *name = strtok_r(copy, " ", &rest); rc == HD_OK && name;
         name = strtok_r(NULL, " ", &rest)) {
        int at = hd_table_find(t, name);
        if (at < 0)
            rc = hd_fail(err, HD_FORMAT, "the yardstick has no column %s", name);
        else
            q->touched += (double)b->rows * hd_table_width(t, (size_t)at);
    }
    hd_free(copy);
    return rc;
}

/* hd_par_threads reads the environment each time; no other thread runs here. */
static void use_threads(unsigned n)
{
    char text[16];
    snprintf(text, sizeof text, "%u", n);
    setenv("HDIS_THREADS", text, 1);
}

static hd_code measure_machine(bench *b, hd_err *err)
{
    const unsigned threads[2] = {1, b->threads};
    for (size_t i = 0; i < 2; i++) {
        use_threads(threads[i]);
        HD_TRY(hd_machine_read_speed(&b->read[i], err));
        HD_TRY(hd_machine_open_speed(&b->open[i], err));
    }
    return HD_OK;
}

static hd_code measure_questions(bench *b, hd_err *err)
{
    hd_progress progress;
    hd_code rc = HD_OK;
    hd_progress_begin(&progress, "asking", b->n);
    for (size_t i = 0; i < b->n; i++) {
        bench_question *q = &b->questions[i];
        HD_GO(count_touched(b, q, err));
        HD_GO(ask(b, q->sql, &q->first, err));
        HD_GO(ask_again(b, q->sql, &q->all, err));
        use_threads(1);
        HD_GO(ask_again(b, q->sql, &q->one, err));
        use_threads(b->threads);
        hd_progress_at(&progress, i + 1);
    }
out:
    hd_progress_end(&progress);
    return rc;
}

/* ---- showing --------------------------------------------------------------------------------- */

static void add_row(hd_listing *l, const char *what, const char *unit, double first, double one,
                    double all, double share)
{
    char cells[4][32];
    const double x[4] = {first, one, all, share};
    for (size_t i = 0; i < 4; i++)
        snprintf(cells[i], sizeof cells[i], x[i] < 0 ? "" : x[i] < 10 ? "%.2f" : "%.0f", x[i]);
    HD_LISTING_ROW(l, what, unit, cells[0], cells[1], cells[2], cells[3]);
}

static hd_code show_table(const bench *b, const char *format, hd_err *err)
{
    hd_listing l = {0};
    char threads[32], name[160];
    snprintf(threads, sizeof threads, "%u threads", b->threads);
    HD_LISTING_ROW(&l, "what", "unit", "first", "1 thread", threads, "% of memory");
    add_row(&l, "reading memory", "GB/s", -1, b->read[0] / 1e9, b->read[1] / 1e9, 100);
    add_row(&l, "opening sealed blocks", "GB/s", -1, b->open[0] / 1e9, b->open[1] / 1e9, -1);
    add_row(&l, "sealing both tables", "M rows/s", -1, -1, 2 * (double)b->rows / b->make / 1e6, -1);
    for (size_t i = 0; i < b->n; i++) {
        const bench_question *q = &b->questions[i];
        double share = 100 * q->touched / b->read[1] / (q->all / 1e3);
        snprintf(name, sizeof name, "%s %s", q->name, q->title);
        add_row(&l, name, "ms", q->first, q->one, q->all, share);
    }
    hd_code rc = hd_listing_print(&l, format, err);
    hd_listing_free(&l);
    return rc;
}

/* One bar a question: its time on all threads, the longest of them as wide as there is room. */
static void show_bars(const bench *b)
{
    double longest = 0;
    for (size_t i = 0; i < b->n; i++)
        longest = b->questions[i].one > longest ? b->questions[i].one : longest;
    printf("\nmilliseconds, asked again: = on %u threads, - on one\n", b->threads);
    for (size_t i = 0; i < b->n; i++) {
        const bench_question *q = &b->questions[i];
        int all = (int)(q->all / longest * BAR + 0.5), one = (int)(q->one / longest * BAR + 0.5);
        printf("%-5s ", q->name);
        for (int k = 0; k < BAR; k++)
            putchar(k < all ? '=' : k < one ? '-' : ' ');
        printf(" %.1f\n", q->all);
    }
}

static int run(int argc, char **argv)
{
    const hd_command *c = &hd_command_bench;
    const char *rows = NULL, *seed = NULL, *only = NULL, *format = "table";
    const hd_option options[] = {{"rows", &rows, NULL}, {"seed", &seed, NULL}, {"only", &only, NULL},
                                 {"format", &format, NULL}, {NULL, NULL, NULL}};
    char **operands, catalogue[1000], *end = NULL;
    int n;
    hd_err err = {0};
    hd_code rc;
    int status = hd_options(c, argc, argv, options, &operands, &n);
    if (status != HD_EXIT_OK)
        return status < 0 ? HD_EXIT_OK : status;
    static bench b; /* large */
    b = (bench){.rows = 1000000, .seed = 1, .threads = hd_par_threads()};
    if (rows)
        b.rows = strtoull(rows, &end, 10);
    if (n > 0 || (rows && (end == rows || *end)) || b.rows < 1000 || b.rows > 500000000)
        return hd_usage_error(c, "--rows is a number from 1000 to 500000000, and there are no others");
    if (seed)
        b.seed = strtoull(seed, NULL, 10);
    if (strcmp(format, "table") != 0 && strcmp(format, "csv") != 0)
        return hd_usage_error(c, "--format is table or csv");
    snprintf(catalogue, sizeof catalogue, "%s/yardstick", hd_catalogue_default_folder());
    HD_GO(read_questions(&b, catalogue, only, &err));
    HD_GO(measure_machine(&b, &err));
    HD_GO(make_vault(&b, &err));
    HD_GO(open_all(&b, catalogue, &err));
    HD_GO(measure_questions(&b, &err));
    HD_GO(show_table(&b, format, &err));
    if (strcmp(format, "table") == 0)
        show_bars(&b);
out:
    close_all(&b);
    return rc == HD_OK ? HD_EXIT_OK : hd_report(c, &err);
}
