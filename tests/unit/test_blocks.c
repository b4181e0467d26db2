/* test_blocks.c - a scan that reads by blocks: leaving blocks out, streaming, stopping and other askers
 * change no answer, and progress is exact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "base/rng.h"
#include "engine/cells.h"
#include "engine/chosen.h"
#include "engine/question.h"
#include "vault_fixture.h"

static hd_err err;
static fixture the_fixture;
static hd_catalogue *catalogue;

enum { PROVIDER, MONTH, AGE, SEX, STAY, ADMITTED, DISCHARGED, N_COLUMNS };
enum { N_ROWS = 5 * HD_BLOCK_ROWS + 321, N_BLOCKS = 6, UNLINKED = HD_BLOCK_ROWS + 500 };
static const char *const names[N_COLUMNS] = {"provider",   "month", "age", "sex", "stay",
                                              "admitted", "discharged"};

/* Months ascend with the rows, as where people came one year after the other; provider 99 is rare
 * and lies in one block; some stays are unknown. The first rows are linked to nobody, the others by
 * threes to one person. */
static void make_rows(uint32_t first, uint32_t n, hd_builder *b)
{
    static uint32_t persons[HD_BLOCK_ROWS], codes[N_COLUMNS][HD_BLOCK_ROWS];
    static int64_t order[HD_BLOCK_ROWS];
    hd_rows_column in[N_COLUMNS] = {0};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t r = first + i;
        hd_rng g = hd_rng_stream(3, r);
        int64_t x[N_COLUMNS] = {[PROVIDER] = hd_rng_below(&g, 12),
                                [MONTH] = r / 10000 + hd_rng_below(&g, 6),
                                [AGE] = hd_rng_below(&g, 101),
                                [SEX] = 1 + hd_rng_below(&g, 2),
                                [STAY] = hd_rng_below(&g, 30)};
        x[ADMITTED] = 17000 + r % 3 * 20 + hd_rng_below(&g, 15);
        x[DISCHARGED] = x[ADMITTED] + hd_rng_below(&g, 30);
        if (r > 3 * HD_BLOCK_ROWS && r < 3 * HD_BLOCK_ROWS + 70)
            x[PROVIDER] = 99;
        persons[i] = r < UNLINKED ? 0 : r / 3;
        order[i] = r;
        for (size_t c = 0; c < N_COLUMNS; c++) {
            hd_value v = {.type = c >= ADMITTED ? HD_DATE : HD_INTEGER,
                          .integer = x[c],
                          .is_null = c == STAY && x[c] == 29};
            OK(hd_builder_code(b, c, &v, &codes[c][i], &err));
            in[c].codes = codes[c];
        }
    }
    OK(hd_builder_append(b, &(hd_rows){n, persons, order, in}, &err));
}

static int make_vault(void **state)
{
    (void)state;
    hd_vault *v;
    hd_builder *b;
    hd_column_spec specs[N_COLUMNS] = {0};
    for (size_t c = 0; c < N_COLUMNS; c++) {
        snprintf(specs[c].name, sizeof specs[c].name, "%s", names[c]);
        specs[c].kind = HD_COLUMN_CODES;
        specs[c].type = c >= ADMITTED ? HD_DATE : HD_INTEGER;
    }
    fixture_make(&the_fixture);
    OK(hd_catalogue_open(&catalogue, HD_YARDSTICK_CATALOGUE, NULL, &err));
    OK(hd_vault_create(the_fixture.folder, the_fixture.key_file, &err));
    OK(hd_vault_open(&v, the_fixture.folder, the_fixture.key_file, true, &err));
    OK(hd_builder_new(&b, v, "admissions", specs, N_COLUMNS, &err));
    for (uint32_t at = 0; at < N_ROWS; at += HD_BLOCK_ROWS)
        make_rows(at, N_ROWS - at < HD_BLOCK_ROWS ? N_ROWS - at : HD_BLOCK_ROWS, b);
    fixture_publish(v, b);
    return 0;
}

static int remove_vault(void **state)
{
    (void)state;
    hd_catalogue_close(catalogue);
    fixture_remove(&the_fixture);
    return 0;
}

/* ---- questions ------------------------------------------------------------------------------- */

static void put_condition(hd_rng *g, char *out, size_t size, unsigned depth)
{
    static const char *const atoms[] = {"month BETWEEN %u AND 12", "month > %u", "month = %u",
                                        "provider = 99",           "age < %u",   "stay IS NULL",
                                        "stay >= %u",              "sex = 2",    "age / 10 = %u",
                                        "month IN (3, %u)"};
    char a[512], b[512];
    if (depth == 0 || hd_rng_below(g, 3) == 0) {
        const char *atom = atoms[hd_rng_below(g, sizeof atoms / sizeof *atoms)];
        const char *at = strstr(atom, "%u");
        if (at)
            snprintf(out, size, "%.*s%u%s", (int)(at - atom), atom, hd_rng_below(g, 45), at + 2);
        else
            snprintf(out, size, "%s", atom);
        return;
    }
    put_condition(g, a, sizeof a / 2, depth - 1);
    put_condition(g, b, sizeof b / 2, depth - 1);
    unsigned form = hd_rng_below(g, 3);
    snprintf(out, size, form == 0 ? "(%s AND %s)" : form == 1 ? "(%s OR %s)" : "(NOT %s AND %s)", a,
             b);
}

static void put_question(hd_rng *g, char *out, size_t size)
{
    static const char *const heads[] = {
        "SELECT provider, count(*), sum(stay)", "SELECT sex, month, count(DISTINCT person), avg(stay)",
        "SELECT age / 20, median(stay), count(*) FILTER (WHERE sex = 1)", "SELECT count(*), max(age)"};
    static const char *const tails[] = {" GROUP BY 1", " GROUP BY 1, 2", " GROUP BY 1", ""};
    char where[600];
    unsigned i = hd_rng_below(g, 4);
    put_condition(g, where, sizeof where, 2);
    snprintf(out, size, "%s FROM admissions WHERE %s%s", heads[i], where, tails[i]);
}

static bool same_value(hd_value a, hd_value b)
{
    if (a.is_null || b.is_null)
        return a.is_null == b.is_null;
    return hd_value_compare(&a, &b) == 0;
}

static void check_same(const hd_cells *a, const hd_cells *b, const char *sql)
{
    if (a->n_cells != b->n_cells)
        fail_msg("%s: %zu and %zu cells", sql, a->n_cells, b->n_cells);
    for (size_t i = 0; i < a->n_cells; i++) {
        bool same = hd_cells_all(a, i).records == hd_cells_all(b, i).records &&
                    hd_cells_all(a, i).persons == hd_cells_all(b, i).persons;
        for (size_t k = 0; k < a->n_keys; k++)
            same = same && same_value(hd_cells_key(a, i, k), hd_cells_key(b, i, k));
        for (size_t m = 0; m < a->n_aggregates; m++) {
            hd_cell x = hd_cells_figure(a, i, m), y = hd_cells_figure(b, i, m);
            same = same && same_value(x.value, y.value) && x.records == y.records &&
                   x.persons == y.persons;
        }
        if (!same)
            fail_msg("%s: cell %zu differs", sql, i);
    }
}

/* ---- engines --------------------------------------------------------------------------------- */

typedef struct asking {
    hd_vault *vault;
    hd_engine *engine;
    hd_engine_progress progress;
    atomic_bool stop;
} asking;

/* Two threads scan, and a stream takes a block for each and one. DuckDB gets one: thread sanitizers
 * cannot see how its own threads wait for each other. */
static void start_limited(asking *x, hd_engine_limits limits)
{
    *x = (asking){0};
    limits.stop = &x->stop;
    limits.progress = &x->progress;
    setenv("HDIS_THREADS", "1", 1);
    OK(hd_vault_open(&x->vault, the_fixture.folder, the_fixture.key_file, false, &err));
    OK(hd_engine_open_limited(&x->engine, x->vault, catalogue, &limits, &err));
    setenv("HDIS_THREADS", "2", 1);
}

static void start(asking *x, uint64_t memory_bytes, bool every_block)
{
    start_limited(x, (hd_engine_limits){.memory_bytes = memory_bytes, .every_block = every_block});
}

static void end(asking *x)
{
    hd_engine_close(x->engine);
    hd_vault_close(x->vault);
}

static hd_cells *ask(asking *x, const char *sql, hd_route route)
{
    hd_question *q;
    hd_cells *cells = NULL;
    OK(hd_engine_ask(x->engine, sql, &q, &err));
    hd_code rc = hd_engine_run(x->engine, q, route, &cells, &err);
    if (rc != HD_OK)
        fail_msg("%s: %s", sql, err.text);
    hd_question_free(q);
    return cells;
}

/* Random questions: all blocks, only those that may matter, and so little memory that nothing stays. */
static void blocks_change_no_answer(void **state)
{
    (void)state;
    asking all, some, little;
    unsigned left_out = 0, streamed = 0;
    start(&all, 0, true);
    start(&some, 0, false);
    start(&little, 1200000, false);
    for (unsigned i = 0; i < 60; i++) {
        char sql[1200];
        hd_rng g = hd_rng_stream(4, i);
        put_question(&g, sql, sizeof sql);
        hd_cells *a = ask(&all, sql, HD_ROUTE_KERNEL), *b = ask(&some, sql, HD_ROUTE_KERNEL);
        hd_cells *c = ask(&little, sql, HD_ROUTE_KERNEL);
        check_same(a, b, sql);
        check_same(a, c, sql);
        assert_int_equal(all.progress.blocks_wanted, N_BLOCKS);
        assert_int_equal(some.progress.rows_done, some.progress.rows);
        left_out += N_BLOCKS - some.progress.blocks_wanted;
        streamed += little.progress.streamed;
        assert_true(hd_vault_memory_used(little.vault) <= 1200000);
        hd_cells_free(a);
        hd_cells_free(b);
        hd_cells_free(c);
    }
    assert_true(left_out > 50 && streamed > 12);
    end(&all);
    end(&some);
    end(&little);
}

static void rare_codes_and_months_leave_blocks_out(void **state)
{
    (void)state;
    static const struct {
        const char *where;
        uint32_t wanted;
    } cases[] = {{"provider = 99", 1},
                 {"month < 5", 1},
                 {"month BETWEEN 10 AND 12", 2},
                 {"NOT month >= 5 AND provider = 99", 0},
                 {"month < 5 OR provider = 99", 2},
                 {"stay = 29", 0},
                 {"month >= 0", N_BLOCKS}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        asking x;
        char sql[200];
        start(&x, 0, false);
        snprintf(sql, sizeof sql, "SELECT count(*) FROM admissions WHERE %s", cases[i].where);
        hd_cells *a = ask(&x, sql, HD_ROUTE_KERNEL);
        assert_int_equal(x.progress.blocks_wanted, cases[i].wanted);
        assert_true(x.progress.parts_opened <= cases[i].wanted * 3 + 3); /* and where lanes meet */
        assert_int_equal(a->n_cells, 1);
        hd_cells_free(a);
        end(&x);
    }
}

/* Values over other records are made block by block too, and who has none is no record with a value,
 * though no column of the table has gaps. */
static void values_over_other_records_come_by_blocks(void **state)
{
    (void)state;
    static const char *const questions[] = {
        "SELECT provider, count(*) FILTER (WHERE within_days(next(sex = 2, discharged), 1, 30)), "
        "count(DISTINCT person) FROM admissions GROUP BY 1",
        "SELECT sex, count(next(admissions)), avg(next(admissions)), count(*) FROM admissions GROUP BY 1",
        "SELECT previous(stay > 3), count(*) FROM admissions GROUP BY 1",
        "SELECT events(provider = 99, -30, 10), nth(age < 50), count(*) FROM admissions GROUP BY 1, 2"};
    asking plenty, little;
    unsigned walks_streamed = 0;
    start(&plenty, 0, false);
    start(&little, 4000000, false);
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        hd_cells *a = ask(&plenty, questions[i], HD_ROUTE_KERNEL);
        hd_cells *b = ask(&plenty, questions[i], HD_ROUTE_DUCKDB);
        hd_cells *c = ask(&little, questions[i], HD_ROUTE_KERNEL);
        check_same(a, b, questions[i]);
        check_same(a, c, questions[i]);
        assert_int_equal(plenty.progress.rows_done, plenty.progress.rows);
        assert_true(hd_vault_memory_used(little.vault) <= 4000000);
        walks_streamed += little.progress.streamed; /* their scans fit by themselves */
        hd_cells_free(ask(&little, questions[i], HD_ROUTE_KERNEL));
        assert_false(little.progress.streamed);
        hd_cells_free(a);
        hd_cells_free(b);
        hd_cells_free(c);
    }
    assert_int_equal(walks_streamed, 2);
    end(&plenty);
    end(&little);
}

/* An expression of several columns becomes a column, and where that is long for the memory, one
 * that comes and goes block by block; where they have too many values together, DuckDB runs the
 * question. The answers are the same. */
static void several_columns_in_one_expression(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        bool is_wide;
    } cases[] = {
        {"SELECT discharged - admitted, count(*), avg(age - stay), count(DISTINCT person) FROM "
         "admissions WHERE stay > age // 10 OR sex = 2 GROUP BY 1", false},
        {"SELECT CASE WHEN sex = 1 THEN 'a' || provider END, count(*) FILTER (WHERE NOT (stay = sex)), "
         "median(age / nullif(stay, 7)) FROM admissions GROUP BY 1", false},
        {"SELECT next(sex = 2, discharged) > stay, count(*) FROM admissions GROUP BY 1", false},
        {"SELECT count(*), sum(age + stay * 2 + month) FROM admissions WHERE "
         "age + stay + provider + month + sex > 90", true}};
    asking plenty, little, least;
    start(&plenty, 0, false);
    start(&little, 16000000, false);
    start_limited(&least, (hd_engine_limits){.memory_bytes = 5000000, .always_streams = true});
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hd_question *q;
        hd_cells *a = ask(&plenty, cases[i].sql, HD_ROUTE_KERNEL);
        hd_cells *b = ask(&plenty, cases[i].sql, HD_ROUTE_DUCKDB);
        hd_cells *c = ask(&little, cases[i].sql, HD_ROUTE_BEST);
        check_same(a, b, cases[i].sql);
        check_same(a, c, cases[i].sql);
        OK(hd_engine_ask(little.engine, cases[i].sql, &q, &err));
        assert_int_equal(q->fallback_reason != NULL, cases[i].is_wide);
        hd_question_free(q);
        hd_cells_free(a);
        hd_cells_free(b);
        hd_cells_free(c);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases && !cases[i].is_wide; i++) {
        hd_cells *a = ask(&plenty, cases[i].sql, HD_ROUTE_KERNEL);
        hd_cells *b = ask(&least, cases[i].sql, HD_ROUTE_KERNEL);
        check_same(a, b, cases[i].sql);
        assert_true(least.progress.streamed && hd_vault_memory_used(least.vault) <= 5000000);
        hd_cells_free(a);
        hd_cells_free(b);
    }
    end(&plenty);
    end(&little);
    end(&least);
}

struct records {
    pthread_mutex_t lock;
    uint64_t n, sum;
};

static hd_code add_records(void *ctx, const hd_chosen_block *b, hd_err *e)
{
    struct records *x = ctx;
    (void)e;
    pthread_mutex_lock(&x->lock);
    for (size_t i = 0; i < b->n; i++) {
        bool is_in = b->classes[i] & 1; /* the first aggregate's */
        x->n += is_in;
        x->sum += is_in ? (b->records[i] >> 7) * (b->persons[i] + 3) : 0;
    }
    pthread_mutex_unlock(&x->lock);
    return HD_OK;
}

static struct records records_of(asking *x, const char *sql, bool by_kernel)
{
    struct records out = {.lock = PTHREAD_MUTEX_INITIALIZER};
    hd_question *q;
    hd_chosen *c;
    OK(hd_engine_ask(x->engine, sql, &q, &err));
    assert_int_equal(q->fallback_reason == NULL, by_kernel);
    OK(hd_chosen_open(&c, x->engine, q, &err));
    for (size_t lane = 0; lane < hd_chosen_n_lanes(c); lane++)
        OK(hd_chosen_scan(c, lane, add_records, &out, &err));
    hd_chosen_free(c);
    hd_question_free(q);
    return out;
}

/* The records behind an answer, and who they are, do not depend on where blocks end; DuckDB's rows
 * come whole. */
static void records_come_by_blocks(void **state)
{
    (void)state;
    static const char *const conditions[] = {"sex = 2", "stay > 20 AND provider < 3", "month >= 0",
                                             "discharged - admitted < 4"};
    asking plenty, least;
    start(&plenty, 0, false);
    start_limited(&least, (hd_engine_limits){.memory_bytes = 5000000, .always_streams = true});
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        char sql[300], by_duckdb[300];
        snprintf(sql, sizeof sql, "SELECT count(stay) FROM admissions WHERE %s", conditions[i]);
        snprintf(by_duckdb, sizeof by_duckdb,
                 "SELECT count(stay), max(7) FROM admissions WHERE %s", conditions[i]);
        struct records a = records_of(&plenty, by_duckdb, false);
        struct records b = records_of(&plenty, sql, true), c = records_of(&least, sql, true);
        assert_true(a.n > 0 && a.n == b.n && a.sum == b.sum);
        assert_true(b.n == c.n && b.sum == c.sum);
        assert_true(hd_vault_memory_used(least.vault) <= 5000000);
    }
    end(&plenty);
    end(&least);
}

/* What can never fit is refused before anything is read, with the size that it needs. */
static void too_large_is_refused(void **state)
{
    (void)state;
    asking x;
    hd_question *q;
    hd_cells *cells;
    start(&x, 100000, false);
    OK(hd_engine_ask(x.engine, "SELECT count(*), sum(stay) FROM admissions", &q, &err));
    assert_int_equal(hd_engine_run(x.engine, q, HD_ROUTE_KERNEL, &cells, &err), HD_LIMIT);
    assert_non_null(strstr(err.text, "MB of memory"));
    assert_int_equal(x.progress.parts_opened, 0);
    assert_int_equal(hd_vault_memory_used(x.vault), 0);
    hd_question_free(q);
    end(&x);
}

static void a_question_is_stopped(void **state)
{
    (void)state;
    asking x;
    hd_question *q;
    hd_cells *cells;
    start(&x, 0, false);
    OK(hd_engine_ask(x.engine, "SELECT count(*), sum(stay) FROM admissions", &q, &err));
    atomic_store(&x.stop, true);
    assert_int_equal(hd_engine_run(x.engine, q, HD_ROUTE_KERNEL, &cells, &err), HD_CANCELLED);
    atomic_store(&x.stop, false);
    OK(hd_engine_run(x.engine, q, HD_ROUTE_KERNEL, &cells, &err));
    assert_int_equal(hd_cells_all(cells, 0).records, N_ROWS);
    hd_cells_free(cells);
    hd_question_free(q);
    /* No loop over rows goes on for more than a block without looking: the scan, and the search for
     * events of other records. */
    static const char *const long_ones[] = {
        "SELECT provider, count(*) FROM admissions GROUP BY 1",
        "SELECT count(*) FROM admissions WHERE events(stay > 3) > 1"};
    for (size_t i = 0; i < sizeof long_ones / sizeof *long_ones; i++) {
        uint64_t before = x.progress.checks;
        hd_cells_free(ask(&x, long_ones[i], HD_ROUTE_KERNEL));
        assert_true(x.progress.checks - before >= N_BLOCKS * (i + 1));
    }
    end(&x);
}

/* ---- many at once ----------------------------------------------------------------------------- */

enum { N_ASKERS = 8, N_QUESTIONS = 6 };

typedef struct asker {
    hd_vault *vault;
    const hd_cells *const *expected;
    char (*questions)[1200];
    size_t number;
    uint64_t opened;
    const char *wrong; /* a question whose answer is not the expected one, or that failed */
} asker;

static bool is_same(const hd_cells *a, const hd_cells *b)
{
    bool same = a->n_cells == b->n_cells;
    for (size_t i = 0; same && i < a->n_cells; i++) {
        same = hd_cells_all(a, i).records == hd_cells_all(b, i).records;
        for (size_t m = 0; m < a->n_aggregates; m++)
            same = same && same_value(hd_cells_figure(a, i, m).value, hd_cells_figure(b, i, m).value);
    }
    return same;
}

static void *ask_everything(void *ctx)
{
    asker *x = ctx;
    hd_err e;
    hd_engine *engine;
    hd_engine_progress progress = {0};
    if (hd_engine_open_limited(&engine, x->vault, catalogue,
                               &(hd_engine_limits){.progress = &progress}, &e) != HD_OK) {
        x->wrong = "no engine";
        return NULL;
    }
    for (size_t i = 0; i < N_QUESTIONS && !x->wrong; i++) {
        size_t at = (i + x->number) % N_QUESTIONS;
        hd_question *q;
        hd_cells *cells = NULL;
        if (hd_engine_ask(engine, x->questions[at], &q, &e) != HD_OK) {
            x->wrong = x->questions[at];
            break;
        }
        if (hd_engine_run(engine, q, HD_ROUTE_KERNEL, &cells, &e) != HD_OK ||
            !is_same(cells, x->expected[at]))
            x->wrong = x->questions[at];
        x->opened += progress.parts_opened;
        hd_cells_free(cells);
        hd_question_free(q);
    }
    hd_engine_close(engine);
    return NULL;
}

/* One vault, many engines: the answers are those that a single asker gets, and each block of each
 * column is opened once for all of them. */
static void many_askers_share_a_vault(void **state)
{
    (void)state;
    static char questions[N_QUESTIONS][1200];
    const hd_cells *expected[N_QUESTIONS];
    asking alone;
    hd_vault *v;
    asker askers[N_ASKERS];
    pthread_t threads[N_ASKERS];
    uint64_t opened = 0;
    start(&alone, 0, false);
    for (size_t i = 0; i < N_QUESTIONS; i++) {
        hd_rng g = hd_rng_stream(5, i);
        put_question(&g, questions[i], sizeof questions[i]);
        if (i % 2)
            snprintf(questions[i], sizeof questions[i],
                     "SELECT provider, count(*) FILTER (WHERE next(sex = 2, discharged) < %zu OR stay "
                     "> age // 2), max(age + stay) FROM admissions GROUP BY 1",
                     5 * i);
        expected[i] = ask(&alone, questions[i], HD_ROUTE_KERNEL);
    }
    OK(hd_vault_open(&v, the_fixture.folder, the_fixture.key_file, false, &err));
    setenv("HDIS_THREADS", "1", 1);
    for (size_t i = 0; i < N_ASKERS; i++) {
        askers[i] = (asker){.vault = v, .expected = expected, .questions = questions, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_everything, &askers[i]), 0);
    }
    for (size_t i = 0; i < N_ASKERS; i++) {
        pthread_join(threads[i], NULL);
        if (askers[i].wrong)
            fail_msg("asker %zu: %s", i, askers[i].wrong);
        opened += askers[i].opened;
    }
    /* Persons where lanes meet may be opened again: they do not stay for it. */
    assert_true(opened > 0 && opened <= (1 + N_COLUMNS) * N_BLOCKS + 4 * N_ASKERS * N_QUESTIONS);
    for (size_t i = 0; i < N_QUESTIONS; i++)
        hd_cells_free((hd_cells *)(uintptr_t)expected[i]);
    hd_vault_close(v);
    end(&alone);
}

/* A column that one engine made is there for the next one, and stays when the first has gone. */
static void made_columns_are_shared(void **state)
{
    (void)state;
    static const char sql[] = "SELECT next(sex = 2, discharged) > stay, events(stay > 3), count(*) "
                              "FROM admissions GROUP BY 1, 2";
    asking one, two;
    start(&one, 0, false);
    two = (asking){.vault = one.vault};
    const hd_engine_limits limits = {.stop = &two.stop, .progress = &two.progress};
    setenv("HDIS_THREADS", "1", 1);
    OK(hd_engine_open_limited(&two.engine, two.vault, catalogue, &limits, &err));
    setenv("HDIS_THREADS", "2", 1);
    hd_cells *a = ask(&one, sql, HD_ROUTE_KERNEL);
    hd_cells *b = ask(&two, sql, HD_ROUTE_KERNEL);
    /* Two walks over the rows and a pass for the expression were not needed again. */
    assert_true(two.progress.checks + 3 * N_BLOCKS <= one.progress.checks);
    hd_engine_close(one.engine);
    hd_cells *c = ask(&two, sql, HD_ROUTE_KERNEL);
    check_same(a, b, sql);
    check_same(a, c, sql);
    hd_engine_close(two.engine);
    hd_vault_close(one.vault);
    hd_cells_free(a);
    hd_cells_free(b);
    hd_cells_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_change_no_answer),
        cmocka_unit_test(rare_codes_and_months_leave_blocks_out),
        cmocka_unit_test(values_over_other_records_come_by_blocks),
        cmocka_unit_test(several_columns_in_one_expression),
        cmocka_unit_test(records_come_by_blocks),
        cmocka_unit_test(too_large_is_refused),
        cmocka_unit_test(a_question_is_stopped),
        cmocka_unit_test(many_askers_share_a_vault),
        cmocka_unit_test(made_columns_are_shared),
    };
    return cmocka_run_group_tests(tests, make_vault, remove_vault);
}
