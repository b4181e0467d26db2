/* test_vault_feed.c - blocks that come and go: many threads and feeds at once read what is in the
 * table, each block is opened once, and memory keeps its limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/rng.h"
#include "vault_fixture.h"

static hd_err err;
static fixture the_fixture;

enum { CODE, WIDE, LIST, N_COLUMNS };
enum { N_ROWS = 6 * HD_BLOCK_ROWS + 99, N_BLOCKS = 7, N_THREADS = 8 };
static const hd_column_spec columns[N_COLUMNS] = {
    [CODE] = {"code", HD_COLUMN_CODES, HD_INTEGER},
    [WIDE] = {"wide", HD_COLUMN_CODES, HD_INTEGER},
    [LIST] = {"list", HD_COLUMN_LIST, HD_INTEGER},
};

static uint32_t code_of(hd_builder *b, size_t column, int64_t x)
{
    hd_value v = {.type = HD_INTEGER, .integer = x};
    uint32_t code;
    OK(hd_builder_code(b, column, &v, &code, &err));
    return code;
}

/* Three rows a person; far apart, more than a byte says, in the later blocks. */
static uint32_t person_of(uint32_t r)
{
    return r / 3 * (r < 3 * HD_BLOCK_ROWS ? 1 : 300) + 1;
}

/* Row r: code r % 200; wide r % 1000; list of r % 3 times r % 50. */
static void append(hd_builder *b, uint32_t first, uint32_t n)
{
    static uint32_t persons[HD_BLOCK_ROWS], codes[HD_BLOCK_ROWS], wides[HD_BLOCK_ROWS];
    static uint32_t elements[2 * HD_BLOCK_ROWS], counts[HD_BLOCK_ROWS];
    static int64_t order[HD_BLOCK_ROWS];
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t r = first + i;
        persons[i] = person_of(r);
        order[i] = r % 3;
        codes[i] = code_of(b, CODE, r % 200);
        wides[i] = code_of(b, WIDE, r % 1000);
        counts[i] = r % 3;
        for (uint32_t e = 0; e < counts[i]; e++)
            elements[at++] = code_of(b, LIST, r % 50);
    }
    const hd_rows_column in[N_COLUMNS] = {[CODE] = {.codes = codes},
                                          [WIDE] = {.codes = wides},
                                          [LIST] = {.codes = elements, .counts = counts}};
    OK(hd_builder_append(b, &(hd_rows){n, persons, order, in}, &err));
}

static int make_vault(void **state)
{
    (void)state;
    hd_vault *v;
    hd_builder *b;
    fixture_make(&the_fixture);
    OK(hd_vault_create(the_fixture.folder, the_fixture.key_file, &err));
    OK(hd_vault_open(&v, the_fixture.folder, the_fixture.key_file, true, &err));
    OK(hd_builder_new(&b, v, "apc", columns, N_COLUMNS, &err));
    for (uint32_t at = 0; at < N_ROWS; at += HD_BLOCK_ROWS)
        append(b, at, N_ROWS - at < HD_BLOCK_ROWS ? N_ROWS - at : HD_BLOCK_ROWS);
    fixture_publish(v, b);
    return 0;
}

static int remove_vault(void **state)
{
    (void)state;
    fixture_remove(&the_fixture);
    return 0;
}

/* cmocka's asserts belong to the thread of the test: others count what is wrong. */
static bool is_right(hd_table *t, const hd_feed *f, uint32_t block)
{
    const uint32_t *persons = hd_feed_persons(f);
    const uint64_t *begins = hd_feed_begins(f);
    const hd_column *code = hd_feed_column(f, 0), *wide = hd_feed_column(f, 1);
    const hd_column *list = hd_feed_column(f, 2);
    const int64_t *codes = hd_table_dictionary(t, CODE)->integers;
    const int64_t *wides = hd_table_dictionary(t, WIDE)->integers;
    const int64_t *elements = hd_table_dictionary(t, LIST)->integers;
    uint32_t end = (block + 1) * HD_BLOCK_ROWS < N_ROWS ? (block + 1) * HD_BLOCK_ROWS : N_ROWS;
    for (uint32_t r = block * HD_BLOCK_ROWS; r < end; r++) {
        bool right = begins ? (begins[r / 64] >> r % 64 & 1) == (r % 3 == 0) : persons[r] == person_of(r);
        right = right && codes[hd_code_at(code, r)] == r % 200 &&
                     wides[hd_code_at(wide, r)] == r % 1000 &&
                     list->starts[r + 1] - list->starts[r] == r % 3;
        for (uint32_t e = list->starts[r]; right && e < list->starts[r + 1]; e++)
            right = elements[hd_code_at(list, e)] == r % 50;
        if (!right)
            return false;
    }
    return true;
}

struct asker {
    hd_vault *v;
    uint64_t number;
    bool may_stream, must_stream;
    size_t rounds;
    atomic_uint *wrong, *streamed;
    uint64_t read;
};

static void ask_once(struct asker *a, hd_rng *g)
{
    static const size_t all[] = {CODE, WIDE, LIST};
    hd_err e;
    hd_table *t;
    hd_hold *hold;
    hd_feed *f = NULL;
    const bool numbers = hd_rng_below(g, 2);
    const hd_feed_wish wish = {.columns = all, .n_columns = 3, .persons = numbers, .begins = !numbers,
                               .may_stream = a->may_stream, .must_stream = a->must_stream};
    if (hd_vault_hold(a->v, &hold, &e) != HD_OK || hd_vault_table(a->v, "apc", &t, &e) != HD_OK) {
        ++*a->wrong;
        return;
    }
    hd_code rc;
    while ((rc = hd_feed_open(&f, t, &wish, &e)) == HD_LIMIT && a->may_stream)
        sched_yield(); /* the others have all the memory just now */
    if (rc != HD_OK) {
        ++*a->wrong;
        hd_hold_release(hold);
        return;
    }
    *a->streamed += hd_feed_streams(f);
    uint32_t first = hd_rng_below(g, N_BLOCKS);
    for (uint32_t i = 0; i < N_BLOCKS; i++) {
        uint32_t block = (first + i) % N_BLOCKS;
        if (hd_feed_enter(f, block, &e) != HD_OK) {
            ++*a->wrong;
            continue;
        }
        *a->wrong += !is_right(t, f, block);
        hd_feed_leave(f, block);
    }
    a->read += hd_feed_blocks_read(f);
    hd_feed_close(f);
    hd_hold_release(hold);
}

static void *ask(void *ctx)
{
    struct asker *a = ctx;
    hd_rng g = hd_rng_stream(1, a->number);
    for (size_t i = 0; i < a->rounds; i++)
        ask_once(a, &g);
    return NULL;
}

/* Everybody at once; how many blocks of single columns were opened. */
static uint64_t ask_all(hd_vault *v, bool may_stream, bool must_stream, size_t rounds,
                        unsigned *streamed)
{
    pthread_t threads[N_THREADS];
    struct asker askers[N_THREADS];
    atomic_uint wrong = 0, streams = 0;
    uint64_t read = 0;
    for (size_t i = 0; i < N_THREADS; i++) {
        askers[i] = (struct asker){v, i, may_stream, must_stream, rounds, &wrong, &streams, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        read += askers[i].read;
    }
    assert_int_equal(wrong, 0);
    *streamed = streams;
    return read;
}

static void a_block_is_opened_once(void **state)
{
    (void)state;
    hd_vault *v;
    unsigned streamed;
    OK(hd_vault_open(&v, the_fixture.folder, the_fixture.key_file, false, &err));
    uint64_t read = ask_all(v, false, false, 3, &streamed);
    assert_int_equal(read, N_BLOCKS * (2 + N_COLUMNS)); /* persons, and begins */
    assert_int_equal(ask_all(v, true, false, 1, &streamed), 0);
    assert_int_equal(streamed, 0);
    assert_true(hd_vault_memory_used(v) > (uint64_t)N_ROWS * 11);
    hd_vault_close(v);
}

static const size_t all[] = {CODE, WIDE, LIST};

/* Bytes of the largest block: persons, codes, wide codes, starts, elements. */
static uint64_t bytes_of_block(hd_table *t)
{
    return (uint64_t)HD_BLOCK_ROWS * (4 + 1 + 2 + 4) + hd_table_block(t, LIST, 0).items;
}

static bool is_wiped(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    size_t i = 0;
    while (i < n && p[i] == 0)
        i++;
    return i == n;
}

static void what_does_not_fit_is_streamed(void **state)
{
    (void)state;
    hd_vault *v;
    hd_table *t;
    hd_hold *hold;
    hd_feed *f;
    const uint32_t *persons;
    setenv("HDIS_THREADS", "1", 1);
    OK(hd_vault_open(&v, the_fixture.folder, the_fixture.key_file, false, &err));
    OK(hd_vault_table(v, "apc", &t, &err));
    uint64_t block = bytes_of_block(t);
    hd_feed_wish wish = {.columns = all, .n_columns = 3, .persons = true};
    OK(hd_vault_hold(v, &hold, &err));
    OK(hd_feed_open(&f, t, &wish, &err));
    hd_feed_close(f); /* nothing was entered: nothing is counted */
    assert_int_equal(hd_vault_memory_used(v), 0);
    hd_vault_set_memory(v, block * 4);
    assert_int_equal(hd_feed_open(&f, t, &wish, &err), HD_LIMIT);
    assert_null(f);
    wish.may_stream = true;
    wish.spare = block * 3;
    assert_int_equal(hd_feed_open(&f, t, &wish, &err), HD_LIMIT); /* a block for each, and one */
    wish.spare = block;
    OK(hd_feed_open(&f, t, &wish, &err));
    assert_true(hd_feed_streams(f));
    assert_true(hd_vault_memory_used(v) <= block * 2 + 16);
    for (uint32_t b = 0; b < N_BLOCKS; b++) {
        OK(hd_feed_enter(f, b, &err));
        assert_true(is_right(t, f, b));
        hd_feed_leave(f, b);
        persons = hd_feed_persons(f) + (size_t)b * HD_BLOCK_ROWS;
        OK(hd_feed_enter_persons(f, b, &err));
        assert_int_equal(persons[0], person_of(b * HD_BLOCK_ROWS));
        hd_feed_leave_persons(f, b);
        /* the block before the last gave its pages to this one; the end is too short for them */
        assert_true(b < 2 || b + 1 == N_BLOCKS ||
                    is_wiped(persons - 2 * HD_BLOCK_ROWS, HD_BLOCK_ROWS * sizeof *persons));
    }
    persons = hd_feed_persons(f);
    const hd_column *code = hd_feed_column(f, 0), *list = hd_feed_column(f, 2);
    hd_feed_close(f); /* and the last one is wiped now; its address is the hold's */
    assert_true(is_wiped(persons, N_ROWS * sizeof *persons));
    assert_true(is_wiped(code->data, N_ROWS));
    assert_true(is_wiped(list->data, list->n_items));
    hd_hold_release(hold);
    assert_int_equal(hd_vault_memory_used(v), 0);
    hd_vault_close(v);
    unsetenv("HDIS_THREADS");
}

/* Blocks come and go under everybody's feet: there is memory for two streams at a time. */
static void streams_share_blocks(void **state)
{
    (void)state;
    hd_vault *v;
    hd_table *t;
    unsigned streamed;
    setenv("HDIS_THREADS", "1", 1);
    OK(hd_vault_open(&v, the_fixture.folder, the_fixture.key_file, false, &err));
    OK(hd_vault_table(v, "apc", &t, &err));
    hd_vault_set_memory(v, bytes_of_block(t) * 4);
    ask_all(v, true, false, 5, &streamed);
    assert_int_equal(streamed, N_THREADS * 5);
    assert_int_equal(hd_vault_memory_used(v), 0);
    hd_vault_set_memory(v, bytes_of_block(t) * 20); /* runs of two blocks */
    ask_all(v, true, true, 5, &streamed);
    assert_int_equal(streamed, N_THREADS * 5);
    assert_int_equal(hd_vault_memory_used(v), 0);
    hd_vault_close(v);
    unsetenv("HDIS_THREADS");
}

/* With more room, blocks get their pages two at a time, and two at a time they move. A question
 * that keeps what it reads may come between. */
static void runs_of_blocks_move(void **state)
{
    (void)state;
    hd_vault *v;
    hd_table *t;
    hd_hold *hold;
    hd_feed *f, *keeps;
    setenv("HDIS_THREADS", "1", 1);
    OK(hd_vault_open(&v, the_fixture.folder, the_fixture.key_file, false, &err));
    OK(hd_vault_table(v, "apc", &t, &err));
    hd_vault_set_memory(v, bytes_of_block(t) * 20);
    OK(hd_vault_hold(v, &hold, &err));
    const hd_feed_wish other = {.columns = all, .n_columns = 3, .persons = true};
    hd_feed_wish wish = other;
    wish.must_stream = true;
    OK(hd_feed_open(&f, t, &wish, &err));
    const uint32_t *persons = hd_feed_persons(f);
    for (uint32_t b = 0; b < N_BLOCKS; b++) {
        OK(hd_feed_enter(f, b, &err));
        assert_true(is_right(t, f, b));
        hd_feed_leave(f, b);
        const size_t end = (size_t)HD_BLOCK_ROWS * (b < 4 ? 0 : 2);
        assert_true(is_wiped(persons, end * sizeof *persons));
        assert_true(persons[end] == person_of((uint32_t)end));
    }
    OK(hd_feed_open(&keeps, t, &other, &err));
    OK(hd_feed_enter(keeps, 3, &err)); /* a run of the stream, of which one block stays */
    hd_feed_leave(keeps, 3);
    OK(hd_feed_enter(f, 1, &err));
    assert_true(is_right(t, f, 1));
    hd_feed_close(keeps);
    hd_feed_leave(f, 1);
    hd_feed_close(f);
    assert_true(persons[3 * HD_BLOCK_ROWS] == person_of(3 * HD_BLOCK_ROWS));
    assert_true(is_wiped(persons, 3 * HD_BLOCK_ROWS * sizeof *persons));
    assert_true(is_wiped(persons + 4 * HD_BLOCK_ROWS,
                         (N_ROWS - 4 * HD_BLOCK_ROWS) * sizeof *persons));
    hd_hold_release(hold);
    hd_vault_close(v);
    unsetenv("HDIS_THREADS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_opened_once),
        cmocka_unit_test(what_does_not_fit_is_streamed),
        cmocka_unit_test(streams_share_blocks),
        cmocka_unit_test(runs_of_blocks_move),
    };
    return cmocka_run_group_tests(tests, make_vault, remove_vault);
}
