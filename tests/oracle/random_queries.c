/* random_queries.c - random questions get the same answer from every kernel, from DuckDB, and from a
 * program that goes row by row and shares no code with either.
 *
 *     random_queries [--seed S] [--first I] [--count N] [--seconds T] [--jobs J] [--show]
 *                    [--streamed] [--rows R]
 *
 * Question i of seed S is the same whatever was asked before it, so `--seed S --first i --count 1`
 * repeats one. --streamed: nothing that the kernel reads stays in memory, as where it does not fit.
 * --rows: of the first table, instead of about a thousand. Every answer must agree in every cell:
 * keys, value, records, people. Numbers with a fraction agree to 1e-9 of themselves or 1e-12 of the
 * largest number that went in.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/cells.h"
#include "engine/question.h"
#include "functions.h"
#include "kernel/ops.h"
#include "question.h"

enum { WORLD_QUESTIONS = 2000 }; /* then new tables */

typedef struct options {
    uint64_t seed, first, count;
    double seconds;
    unsigned jobs, job; /* processes that share the questions, and which one this is */
    bool show, streamed;
    size_t rows;
} options;

typedef struct bench {
    table tables[N_TABLES];
    char root[64];
    hd_vault *vault;
    hd_catalogue *catalogue;
    hd_engine *engine;
    maker maker;
    uint64_t kernel, cells; /* since the last look */
} bench;

static void must(hd_code rc, const hd_err *err)
{
    if (rc == HD_OK)
        return;
    fprintf(stderr, "random_queries: %s\n", err->text);
    exit(1);
}

static void remove_root(const char *root)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    if (system(command) != 0)
        fprintf(stderr, "random_queries: %s is left behind\n", root);
}

static void open_bench(bench *b, uint64_t seed, const options *o)
{
    hd_err err;
    char folder[96], key_file[96];
    const char *source = getenv("HDIS_SOURCE");
    char catalogue[512];
    memset(b, 0, sizeof *b);
    snprintf(b->root, sizeof b->root, "/tmp/hdis-oracle-XXXXXX");
    if (!mkdtemp(b->root))
        abort();
    snprintf(folder, sizeof folder, "%s/vault", b->root);
    snprintf(key_file, sizeof key_file, "%s/keys/vault.key", b->root);
    snprintf(catalogue, sizeof catalogue, "%s/tests/oracle/catalogue", source ? source : ".");
    world_make_long(b->tables, seed, o->rows);
    world_store(b->tables, folder, key_file);
    must(hd_catalogue_open(&b->catalogue, catalogue, NULL, &err), &err);
    must(hd_vault_open(&b->vault, folder, key_file, false, &err), &err);
    const hd_engine_limits limits = {.always_streams = o->streamed};
    must(hd_engine_open_limited(&b->engine, b->vault, b->catalogue, &limits, &err), &err);
}

static void close_bench(bench *b)
{
    if (!b->engine)
        return;
    hd_engine_close(b->engine);
    hd_vault_close(b->vault);
    hd_catalogue_close(b->catalogue);
    maker_reset(&b->maker);
    world_free(b->tables);
    remove_root(b->root);
}

/* ---- the engine's cells in the question's terms ------------------------------------------------
 */

/* Number in "k3" or "a3"; -1 when the text is something else. */
static int numbered(const char *sql, char letter)
{
    char *end;
    if (sql[0] != letter)
        return -1;
    long n = strtol(sql + 1, &end, 10);
    return *end == '\0' && end > sql + 1 ? (int)n : -1;
}

/* A sum or mean of zeros and ones is said with counts: CASE WHEN aN ... END over aggregates, aN the
 * count of its argument. */
typedef struct counted {
    const hd_question *asked;
    const hd_cells *from;
} counted;

static hd_value counted_value(void *ctx, uint64_t row, size_t column)
{
    const counted *c = ctx;
    return column == 0 ? (hd_value){.type = HD_INTEGER, .integer = (int64_t)row}
                       : hd_vector_at(&c->from->figures[column - 1], row);
}

/* *at: the count; values: one a cell. */
static bool said_with_counts(bench *b, const hd_question *asked, const hd_cells *from,
                             const char *sql, int *at, hd_duck_result **values, hd_err *err)
{
    hd_duck_column columns[65] = {{"i", HD_INTEGER}};
    char names[64][8], *text = NULL;
    const char *first = strstr(sql, "(a");
    if (strncmp(sql, "CASE", 4) != 0 || !first)
        return false;
    *at = atoi(first + 2);
    for (size_t a = 0; a < from->n_aggregates; a++) {
        snprintf(names[a], sizeof names[a], "a%zu", a);
        columns[a + 1] = (hd_duck_column){names[a], asked->aggregates[a].type};
    }
    counted c = {asked, from};
    hd_duck *duck = hd_engine_duck(b->engine);
    size_t size = strlen(sql) + 64;
    text = maker_alloc(&b->maker, size);
    snprintf(text, size, "SELECT (%s) FROM counted ORDER BY i", sql);
    return hd_duck_make_table(duck, "counted", columns, from->n_aggregates + 1, from->n_cells,
                              counted_value, &c, err) == HD_OK &&
           hd_duck_query(duck, text, values, err) == HD_OK;
}

static cell *translate(bench *b, const question *q, const hd_question *asked, const hd_cells *from,
                       char *why, size_t size)
{
    cell *cells = maker_alloc(&b->maker, (from->n_cells + 1) * sizeof *cells);
    hd_duck_result *counts[MAX_AGGREGATES] = {0};
    int at[MAX_AGGREGATES];
    hd_err err = {0};
    for (size_t a = 0; cells && a < q->n_aggregates; a++) {
        const char *sql = asked->outputs[q->n_keys + a].sql;
        at[a] = numbered(sql, 'a');
        if (at[a] < 0 && !said_with_counts(b, asked, from, sql, &at[a], &counts[a], &err)) {
            snprintf(why, size, "output %zu is '%s', not an aggregate: %s", q->n_keys + a, sql,
                     err.text);
            cells = NULL;
        }
    }
    for (size_t i = 0; cells && i < from->n_cells; i++) {
        cell *c = &cells[i];
        const hd_cell all = hd_cells_all(from, i);
        *c = (cell){.records = all.records, .persons = all.persons};
        for (size_t k = 0; k < MAX_KEYS; k++)
            c->keys[k] = (hd_value){.is_null = true};
        for (size_t k = 0; k < q->n_keys; k++) {
            int key = numbered(asked->outputs[k].sql, 'k');
            if (key < 0) {
                snprintf(why, size, "output %zu is '%s', not a key", k, asked->outputs[k].sql);
                cells = NULL;
                break;
            }
            if (!(hd_cells_grouping(from, i) >> key & 1))
                c->set |= 1u << k;
            c->keys[k] = hd_cells_key(from, i, (size_t)key);
        }
        for (size_t a = 0; a < q->n_aggregates; a++) {
            const hd_cell f = hd_cells_figure(from, i, (size_t)at[a]);
            hd_value v = counts[a] ? hd_duck_value(counts[a], i, 0) : f.value;
            c->figures[a] = (figure){.value = v, .records = f.records, .persons = f.persons};
        }
    }
    for (size_t a = 0; a < q->n_aggregates; a++)
        hd_duck_result_free(counts[a]);
    return cells;
}

/* ---- comparing ---------------------------------------------------------------------------------
 */

static void show_value(const hd_value *v, char *out, size_t size)
{
    if (v->is_null)
        snprintf(out, size, "NULL");
    else if (v->type == HD_TEXT)
        snprintf(out, size, "'%.*s'", (int)v->text.len, v->text.bytes);
    else if (v->type == HD_DECIMAL)
        snprintf(out, size, "%.17g", v->decimal);
    else
        snprintf(out, size, "%lld", (long long)v->integer);
}

static bool same_value(const hd_value *a, const hd_value *b, double scale)
{
    if (a->is_null || b->is_null)
        return a->is_null == b->is_null;
    /* A sum of zeros and ones of type DOUBLE is asked as a count: the same number, whole. */
    if (a->type == HD_INTEGER && b->type == HD_DECIMAL)
        return (double)a->integer == b->decimal;
    if (a->type != b->type)
        return false;
    if (a->type != HD_DECIMAL)
        return compare_values(a, b) == 0;
    double bound = 1e-9 * fmax(fabs(a->decimal), fabs(b->decimal)) + 1e-12 * scale;
    return fabs(a->decimal - b->decimal) <= bound;
}

static bool difference(char *why, size_t size, const char *route, size_t i, const char *what,
                       const hd_value *got, const hd_value *expected)
{
    char a[120], b[120];
    show_value(got, a, sizeof a);
    show_value(expected, b, sizeof b);
    snprintf(why, size, "%s, cell %zu: %s is %s, must be %s", route, i, what, a, b);
    return false;
}

static bool different_count(char *why, size_t size, const char *route, size_t i, const char *what,
                            int64_t got, int64_t expected)
{
    const hd_value a = {.type = HD_INTEGER, .integer = got};
    const hd_value b = {.type = HD_INTEGER, .integer = expected};
    return difference(why, size, route, i, what, &a, &b);
}

static bool without_people; /* the answer in hand comes from hd_engine_run_rows */

static bool same_cell(const question *q, const cell *got, const cell *want, size_t i,
                      const char *route, char *why, size_t size)
{
    char what[40];
    if (got->set != want->set)
        return different_count(why, size, route, i, "grouping set", got->set, want->set);
    for (size_t k = 0; k < q->n_keys; k++)
        if (!same_value(&got->keys[k], &want->keys[k], 0)) {
            snprintf(what, sizeof what, "key %zu", k);
            return difference(why, size, route, i, what, &got->keys[k], &want->keys[k]);
        }
    if (got->records != want->records)
        return different_count(why, size, route, i, "records", got->records, want->records);
    if (!without_people && got->persons != want->persons)
        return different_count(why, size, route, i, "persons", got->persons, want->persons);
    for (size_t a = 0; a < q->n_aggregates; a++) {
        const figure *x = &got->figures[a], *y = &want->figures[a];
        snprintf(what, sizeof what, "aggregate %zu", a);
        if (!same_value(&x->value, &y->value, y->scale))
            return difference(why, size, route, i, what, &x->value, &y->value);
        snprintf(what, sizeof what, "records of aggregate %zu", a);
        if (x->records != y->records)
            return different_count(why, size, route, i, what, x->records, y->records);
        snprintf(what, sizeof what, "persons of aggregate %zu", a);
        if (!without_people && x->persons != y->persons)
            return different_count(why, size, route, i, what, x->persons, y->persons);
    }
    return true;
}

static bool same_cells(const question *q, const cell *got, size_t n_got, const cell *want,
                       size_t n_want, const char *route, char *why, size_t size)
{
    if (n_got != n_want) {
        snprintf(why, size, "%s: %zu cells, must be %zu", route, n_got, n_want);
        return false;
    }
    for (size_t i = 0; i < n_got; i++)
        if (!same_cell(q, &got[i], &want[i], i, route, why, size))
            return false;
    return true;
}

/* ---- one question ------------------------------------------------------------------------------
 */

/* Cells of one route in its own order, which is checked against `order` when that is given. */
static bool check_route(bench *b, const question *q, const hd_question *asked, hd_route route,
                        const char *name, const cell *want, size_t n_want, const cell **order,
                        char *why, size_t size)
{
    hd_err err = {0};
    hd_cells *from;
    hd_code rc = route == HD_ROUTE_BEST ? hd_engine_run_rows(b->engine, asked, &from, &err)
                                        : hd_engine_run(b->engine, asked, route, &from, &err);
    without_people = rc == HD_OK && from->all.persons == NULL;
    if (rc != HD_OK) {
        snprintf(why, size, "%s: %.400s", name, err.text);
        return false;
    }
    cell *cells = translate(b, q, asked, from, why, size);
    bool same = cells != NULL;
    size_t n = from->n_cells;
    if (same) {
        cell *sorted = maker_alloc(&b->maker, (n + 1) * sizeof *sorted);
        memcpy(sorted, cells, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, compare_cells);
        same = same_cells(q, sorted, n, want, n_want, name, why, size);
    }
    for (size_t i = 0; same && *order && i < n; i++)
        if (compare_cells(&cells[i], &(*order)[i]) != 0) {
            snprintf(why, size, "cell %zu: the kernel and DuckDB give another order", i);
            same = false;
        }
    *order = cells; /* keys may borrow text from `from`: copied when needed */
    for (size_t i = 0; same && i < n; i++)
        for (size_t k = 0; k < q->n_keys; k++) {
            hd_value *v = &cells[i].keys[k];
            if (v->type == HD_TEXT && !v->is_null && v->text.len) {
                char *copy = maker_alloc(&b->maker, v->text.len);
                memcpy(copy, v->text.bytes, v->text.len);
                v->text.bytes = copy;
            }
        }
    b->cells += n;
    hd_cells_free(from);
    return same;
}

/* By every kernel of this machine. */
static bool check_kernels(bench *b, const question *q, const hd_question *asked, const cell *want,
                          size_t n, const cell **order, char *why, size_t size)
{
    const hd_k_ops *ops;
    bool same = true;
    for (size_t i = 0; same && hd_k_ops_find(i, &ops); i++) {
        const char *name = ops ? ops->name : "scalar";
        setenv("HDIS_KERNEL", name, 1);
        same = check_route(b, q, asked, HD_ROUTE_KERNEL, name, want, n, order, why, size) &&
               check_route(b, q, asked, HD_ROUTE_BEST, name, want, n, order, why, size);
    }
    unsetenv("HDIS_KERNEL");
    return same;
}

static bool check_question(bench *b, uint64_t seed, uint64_t number, bool show)
{
    char why[600] = "";
    hd_err err = {0};
    hd_question *asked = NULL;
    question q;
    maker *m = &b->maker;
    maker_reset(m);
    m->rng = hd_rng_stream(seed, 1000 + number);
    m->t = &b->tables[chance(m, 70) ? 0 : chance(m, 80) ? 1 : 2];
    question_make(m, &q);
    hd_buf sql;
    hd_buf_init(&sql, 1 << 20);
    question_print(m, &q, &sql);
    if (show)
        printf("%s\n", sql.data);
    bool same = hd_engine_ask(b->engine, sql.data, &asked, &err) == HD_OK;
    if (!same && strstr(err.text, "are the same expression and stand twice"))
        goto out; /* drawn by chance; the refusal is the right answer */
    if (!same)
        snprintf(why, sizeof why, "refused: %s", err.text);
    if (same) {
        const cell *order = NULL;
        size_t n;
        cell *want = question_answer(m, &q, &n);
        if (!asked->fallback_reason) {
            same = check_kernels(b, &q, asked, want, n, &order, why, sizeof why);
            b->kernel++;
        }
        if (asked->fallback_reason)
            same = check_route(b, &q, asked, HD_ROUTE_BEST, "DuckDB, rows", want, n, &order, why,
                               sizeof why);
        same = same && check_route(b, &q, asked, HD_ROUTE_DUCKDB, "DuckDB", want, n, &order, why,
                                   sizeof why);
    }
    if (!same)
        fprintf(stderr, "random_queries: --seed %llu --first %llu --count 1\n%s\n%s\n",
                (unsigned long long)seed, (unsigned long long)number, sql.data, why);
    hd_question_free(asked);
    hd_buf_free(&sql);
    return same;
out:
    hd_buf_free(&sql);
    return true;
}

/* ---- the program -------------------------------------------------------------------------------
 */

static options read_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"seed", required_argument, NULL, 's'},
        {"first", required_argument, NULL, 'f'},
        {"count", required_argument, NULL, 'n'},
        {"seconds", required_argument, NULL, 't'},
        {"jobs", required_argument, NULL, 'j'},
        {"show", no_argument, NULL, 'v'},
        {"streamed", no_argument, NULL, 'm'},
        {"rows", required_argument, NULL, 'r'},
        {0},
    };
    options o = {.seed = 1, .count = 1000, .seconds = 1e9, .jobs = 1};
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 's':
            o.seed = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            o.first = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            o.count = strtoull(optarg, NULL, 10);
            break;
        case 't':
            o.seconds = strtod(optarg, NULL);
            break;
        case 'j':
            o.jobs = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'v':
            o.show = true;
            break;
        case 'm':
            o.streamed = true;
            break;
        case 'r':
            o.rows = strtoull(optarg, NULL, 10);
            break;
        default:
            fprintf(stderr,
                    "usage: random_queries [--seed S] [--first I] [--count N] [--seconds T] "
                    "[--jobs J] [--show] [--streamed] [--rows R]\n");
            exit(2);
        }
    }
    return o;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Every jobs-th question, beginning with number `job`. */
static int ask_questions(const options *o)
{
    double start = now();
    uint64_t done = 0, wrong = 0, kernel = 0, cells = 0, world = UINT64_MAX;
    bench b = {0};
    for (uint64_t i = o->first + o->job; i < o->first + o->count && wrong < 10; i += o->jobs) {
        if (now() - start > o->seconds)
            break;
        if (i / WORLD_QUESTIONS != world) {
            close_bench(&b);
            world = i / WORLD_QUESTIONS;
            open_bench(&b, o->seed + world, o);
        }
        wrong += !check_question(&b, o->seed, i, o->show);
        done++;
        kernel += b.kernel;
        cells += b.cells;
        b.kernel = b.cells = 0;
    }
    close_bench(&b);
    printf("%llu questions, %llu of them by the kernel too, %llu cells, seed %llu, %.0f s: %llu "
           "wrong\n",
           (unsigned long long)done, (unsigned long long)kernel, (unsigned long long)cells,
           (unsigned long long)o->seed, now() - start, (unsigned long long)wrong);
    return wrong || done == 0;
}

int main(int argc, char **argv)
{
    options o = read_options(argc, argv);
    if (o.jobs <= 1)
        return ask_questions(&o);
    int failed = 0;
    for (o.job = 0; o.job < o.jobs; o.job++) {
        pid_t child = fork();
        if (child < 0)
            return 1;
        if (child == 0)
            exit(ask_questions(&o));
    }
    for (int status; wait(&status) > 0;)
        failed |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    return failed;
}
