/* askers.c - many askers of one vault at once, and how soon a question that is stopped returns.
 * usage: askers VAULT KEY-FILE CATALOGUE POLICY [ASKERS] [QUESTIONS] [STOPS]
 *
 * The vault is one of the yardstick (build/bench/with_hdis make). First one asker asks all
 * questions of all askers one after another, then every asker asks its own, all at the same time, of
 * a vault that was opened anew; engines are open before the clock starts. Then single questions, each
 * of a new engine on a new vault, are stopped at a random moment of the time that they take. What was
 * released is forgotten before each: the ledger is put back as it was at the start. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/rng.h"
#include "disclosure/release.h"
#include "engine/question.h"
#include "interrogation/serve.h"

static const char *const questions[] = {
    "SELECT provider, month, count(*), sum(stay) FROM admissions WHERE admission_method BETWEEN 21 "
    "AND 28 GROUP BY 1, 2",
    "SELECT provider, count(DISTINCT person) FROM admissions GROUP BY 1",
    "SELECT provider, month, median(stay), quantile_cont(stay, 0.9) FROM admissions GROUP BY 1, 2",
    "SELECT provider, count(*) FILTER (WHERE within_days(next(admission_method BETWEEN 21 AND 28, "
    "discharged), 1, 30)) FROM admissions GROUP BY 1",
    "SELECT age_group(age), sex, count(*) FROM admissions WHERE diagnosis // 100 = 7 GROUP BY 1, 2",
    "SELECT commissioner, month, largest_share(provider) FROM admissions GROUP BY 1, 2",
    "SELECT month // 12, count(*) FROM admissions WHERE stay > age GROUP BY 1",
    "SELECT provider, month, count(*) FILTER (WHERE within_days(next(admissions), 1)) FROM "
    "attendances GROUP BY 1, 2",
    "SELECT area // 100, avg(stay), count(*) FROM admissions WHERE practice % 10 < 3 GROUP BY 1"};
enum { N_QUESTIONS = sizeof questions / sizeof *questions };

typedef struct setting {
    const char *folder, *key_file;
    hd_catalogue *catalogue;
    hd_policy *policy;
    size_t n_askers, n_each, n_stops;
    char ledger[4096]; /* its path */
    char *bytes;       /* and what was in it */
    size_t n_bytes;
} setting;

static void must(hd_code rc, const hd_err *err)
{
    if (rc != HD_OK)
        fail("askers: %s", err->text);
}

static void keep_ledger(setting *s)
{
    struct stat st;
    snprintf(s->ledger, sizeof s->ledger, "%s/ledger.db", s->folder);
    FILE *f = fopen(s->ledger, "rb");
    if (!f || fstat(fileno(f), &st) != 0 || !(s->bytes = malloc((size_t)st.st_size)))
        fail("askers: cannot read %s", s->ledger);
    s->n_bytes = fread(s->bytes, 1, (size_t)st.st_size, f);
    fclose(f);
}

/* Nobody has the vault open. */
static void put_ledger_back(const setting *s)
{
    FILE *f = fopen(s->ledger, "wb");
    if (!f || fwrite(s->bytes, 1, s->n_bytes, f) != s->n_bytes || fclose(f) != 0)
        fail("askers: cannot write %s", s->ledger);
}

/* What asker i asks as its k-th question. */
static const char *question_of(size_t asker, size_t k)
{
    hd_rng g = hd_rng_stream(asker + 1, k);
    return questions[hd_rng_below(&g, N_QUESTIONS)];
}

static hd_code release(const setting *s, hd_engine *e, const char *sql, hd_err *err)
{
    hd_release *r = NULL;
    hd_code rc = hd_release_ask(&r, e, s->policy, sql, err);
    hd_release_free(r);
    return rc;
}

/* What a policy does not release it refuses, which takes its time too. */
static void ask_to_the_end(const setting *s, hd_engine *e, const char *sql)
{
    hd_err err;
    hd_code rc = release(s, e, sql, &err);
    if (rc != HD_DENIED)
        must(rc, &err);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- many at once ---------------------------------------------------------------------------- */

typedef struct asker {
    const setting *s;
    hd_engine *engine;
    pthread_barrier_t *start;
    size_t number;
    double *ms; /* of each question */
    double all_ms;
} asker;

static void *ask_own(void *ctx)
{
    asker *a = ctx;
    pthread_barrier_wait(a->start);
    double begun = now_ms();
    for (size_t k = 0; k < a->s->n_each; k++) {
        double start = now_ms();
        ask_to_the_end(a->s, a->engine, question_of(a->number, k));
        a->ms[k] = now_ms() - start;
    }
    a->all_ms = now_ms() - begun;
    return NULL;
}

static double one_after_another(const setting *s)
{
    hd_err err;
    hd_vault *v;
    hd_engine *e;
    put_ledger_back(s);
    must(hd_vault_open(&v, s->folder, s->key_file, false, &err), &err);
    must(hd_engine_open(&e, v, s->catalogue, &err), &err);
    double start = now_ms();
    for (size_t i = 0; i < s->n_askers; i++)
        for (size_t k = 0; k < s->n_each; k++)
            ask_to_the_end(s, e, question_of(i, k));
    double ms = now_ms() - start;
    hd_engine_close(e);
    hd_vault_close(v);
    return ms;
}

static void together(const setting *s, double alone_ms)
{
    size_t n = s->n_askers, n_all = n * s->n_each;
    hd_err err;
    hd_vault *v;
    pthread_barrier_t start;
    asker *askers = calloc(n, sizeof *askers);
    pthread_t *threads = calloc(n, sizeof *threads);
    double *ms = calloc(n_all, sizeof *ms), *each = calloc(n, sizeof *each);
    if (!askers || !threads || !ms || !each)
        fail("askers: out of memory");
    put_ledger_back(s);
    must(hd_vault_open(&v, s->folder, s->key_file, false, &err), &err);
    pthread_barrier_init(&start, NULL, (unsigned)n + 1);
    for (size_t i = 0; i < n; i++) {
        askers[i] = (asker){s, NULL, &start, i, ms + i * s->n_each, 0};
        must(hd_engine_open(&askers[i].engine, v, s->catalogue, &err), &err);
        if (pthread_create(&threads[i], NULL, ask_own, &askers[i]) != 0)
            fail("askers: no thread for asker %zu", i + 1);
    }
    pthread_barrier_wait(&start);
    double begun = now_ms(), cpu = processor_ms();
    for (size_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    double all_ms = now_ms() - begun;
    cpu = processor_ms() - cpu;
    for (size_t i = 0; i < n; i++) {
        each[i] = askers[i].all_ms;
        hd_engine_close(askers[i].engine);
    }
    hd_vault_close(v);
    qsort(ms, n_all, sizeof *ms, by_size);
    qsort(each, n, sizeof *each, by_size);
    printf("%zu askers with %zu questions each, all at once: %.0f ms (processor %.0f ms)\n", n,
           s->n_each, all_ms, cpu);
    printf("one asker asks them all, one after another: %.0f ms; together / alone %.2f\n", alone_ms,
           all_ms / alone_ms);
    printf("a question: median %.1f ms, 95th percentile %.1f ms, slowest %.1f ms\n", ms[n_all / 2],
           ms[n_all * 95 / 100], ms[n_all - 1]);
    printf("an asker: first ready %.0f ms, median %.0f ms, last %.0f ms; last / median %.2f\n",
           each[0], each[n / 2], each[n - 1], each[n - 1] / each[n / 2]);
    pthread_barrier_destroy(&start);
    free(askers);
    free(threads);
    free(ms);
    free(each);
}

/* ---- stopping -------------------------------------------------------------------------------- */

typedef struct stopping {
    const setting *s;
    const char *sql;
    hd_engine *engine;
    hd_code rc;
    hd_err err;
    double ended_ms, ended_cpu_ms;
} stopping;

typedef struct outcome {
    double ms, cpu_ms; /* that the question took, or after it was stopped */
    hd_code rc;        /* HD_OK, HD_DENIED: it was ready before */
} outcome;

static void *ask_one(void *ctx)
{
    stopping *x = ctx;
    x->rc = release(x->s, x->engine, x->sql, &x->err);
    x->ended_ms = now_ms();
    x->ended_cpu_ms = processor_ms();
    return NULL;
}

/* stop_after_ms below 0: nobody stops it. */
static outcome run_once(const setting *s, const char *sql, double stop_after_ms)
{
    hd_err err;
    hd_vault *v;
    atomic_bool stop = false;
    pthread_t thread;
    stopping x = {.s = s, .sql = sql};
    put_ledger_back(s);
    must(hd_vault_open(&v, s->folder, s->key_file, false, &err), &err);
    must(hd_engine_open_limited(&x.engine, v, s->catalogue, &(hd_engine_limits){.stop = &stop}, &err),
         &err);
    double stopped = now_ms(), stopped_cpu = processor_ms();
    if (pthread_create(&thread, NULL, ask_one, &x) != 0)
        fail("askers: no thread");
    if (stop_after_ms >= 0) {
        struct timespec t = {(time_t)(stop_after_ms / 1e3),
                             (long)((stop_after_ms - 1e3 * (double)(time_t)(stop_after_ms / 1e3)) * 1e6)};
        nanosleep(&t, NULL);
        stopped = now_ms();
        stopped_cpu = processor_ms();
        atomic_store(&stop, true);
    }
    pthread_join(thread, NULL);
    hd_engine_close(x.engine);
    hd_vault_close(v);
    if (x.rc != HD_OK && x.rc != HD_DENIED && x.rc != HD_CANCELLED)
        fail("askers: %s: %s", x.err.text, sql);
    return (outcome){x.ended_ms - stopped, x.ended_cpu_ms - stopped_cpu, x.rc};
}

/* Medians and slowest of n times each. */
static void put_line(double takes, double *ms, double *cpu_ms, size_t n, const char *text)
{
    qsort(ms, n, sizeof *ms, by_size);
    qsort(cpu_ms, n, sizeof *cpu_ms, by_size);
    if (n)
        printf("%9.1f %9zu %9.1f %9.1f %9.1f %9.1f  %.80s\n", takes, n, ms[n / 2], ms[n - 1],
               cpu_ms[n / 2], cpu_ms[n - 1], text);
    else
        printf("%9.1f %9d %9s %9s %9s %9s  %.80s\n", takes, 0, "", "", "", "", text);
    fflush(stdout);
}

static void stop_questions(const setting *s)
{
    double *ms = calloc(s->n_stops * N_QUESTIONS, sizeof *ms);
    double *cpu_ms = calloc(s->n_stops * N_QUESTIONS, sizeof *cpu_ms);
    size_t n = 0;
    if (!ms || !cpu_ms)
        fail("askers: out of memory");
    printf("\nstopped at a random moment of a first question, %zu times each; until it returns: milliseconds,\n"
           "and of all threads' processor time\n%9s %9s %9s %9s %9s %9s\n", s->n_stops, "takes",
           "stopped", "median", "slowest", "median", "slowest");
    for (size_t q = 0; q < N_QUESTIONS; q++) {
        outcome whole = run_once(s, questions[q], -1);
        size_t first = n;
        for (size_t i = 0; i < s->n_stops; i++) {
            hd_rng g = hd_rng_stream(7 + q, i);
            outcome o = run_once(s, questions[q], whole.ms * hd_rng_unit(&g));
            if (o.rc != HD_CANCELLED)
                continue;
            ms[n] = o.ms;
            cpu_ms[n++] = o.cpu_ms;
        }
        put_line(whole.ms, ms + first, cpu_ms + first, n - first, questions[q]);
    }
    put_line(0, ms, cpu_ms, n, "all that were not ready before");
    put_ledger_back(s);
    free(ms);
    free(cpu_ms);
}

int main(int argc, char **argv)
{
    hd_err err;
    if (argc < 5) {
        fprintf(stderr, "usage: askers VAULT KEY-FILE CATALOGUE POLICY [ASKERS] [QUESTIONS] [STOPS]\n");
        return 2;
    }
    setting s = {.folder = argv[1], .key_file = argv[2]};
    s.n_askers = argc > 5 ? strtoul(argv[5], NULL, 10) : 64;
    s.n_each = argc > 6 ? strtoul(argv[6], NULL, 10) : 4;
    s.n_stops = argc > 7 ? strtoul(argv[7], NULL, 10) : 20;
    must(hd_catalogue_open(&s.catalogue, argv[3], NULL, &err), &err);
    must(hd_policy_open(&s.policy, hd_catalogue_default_folder(), argv[4], &err), &err);
    keep_ledger(&s);
    if (s.n_askers && s.n_each)
        together(&s, one_after_another(&s));
    if (s.n_stops)
        stop_questions(&s);
    hd_policy_free(s.policy);
    hd_catalogue_close(s.catalogue);
    free(s.bytes);
    return 0;
}
