/* test_vault_memory.c - single blocks of columns, what the directory says of them, and how much
 * memory columns may take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "vault_fixture.h"

static hd_err err;
static fixture the_fixture;

enum { MONTH, CODES, LIST, KEY, LATE, N_COLUMNS };
enum { N_ROWS = 4 * HD_BLOCK_ROWS + 777, CHUNK = 30000, N_BLOCKS = 5 };
static const hd_column_spec columns[N_COLUMNS] = {
    [MONTH] = {"month", HD_COLUMN_CODES, HD_INTEGER}, /* ascends with the rows */
    [CODES] = {"codes", HD_COLUMN_CODES, HD_INTEGER},
    [LIST] = {"list", HD_COLUMN_LIST, HD_INTEGER},
    [KEY] = {"key", HD_COLUMN_KEY, HD_INTEGER},
    [LATE] = {"late", HD_COLUMN_CODES, HD_INTEGER}, /* the first chunks do not have it */
};

static uint32_t code_of(hd_builder *b, size_t column, int64_t x)
{
    hd_value v = {.type = HD_INTEGER, .integer = x};
    uint32_t code;
    OK(hd_builder_code(b, column, &v, &code, &err));
    return code;
}

static bool has_late(uint32_t row)
{
    return row / CHUNK % 3 == 2;
}

/* Row r: person r / 2 + 1, month r / 40000, codes r % 1000, list of r % 4 times r % 90, late r % 7.
 * */
static void append(hd_builder *b, uint32_t first, uint32_t n)
{
    uint32_t *codes[N_COLUMNS], *counts = hd_calloc(n, sizeof *counts);
    uint32_t *persons = hd_calloc(n, sizeof *persons);
    uint64_t *keys = hd_calloc(n, sizeof *keys);
    int64_t *order = hd_calloc(n, sizeof *order);
    size_t at = 0;
    for (size_t c = 0; c < N_COLUMNS; c++)
        codes[c] = hd_calloc((size_t)n * 4, sizeof *codes[c]);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t r = first + i;
        persons[i] = r / 2 + 1;
        order[i] = r % 2;
        codes[MONTH][i] = code_of(b, MONTH, r / 40000);
        codes[CODES][i] = code_of(b, CODES, r % 1000);
        codes[LATE][i] = code_of(b, LATE, r % 7);
        keys[i] = r + 1;
        counts[i] = r % 4;
        for (uint32_t e = 0; e < counts[i]; e++)
            codes[LIST][at++] = code_of(b, LIST, r % 90);
    }
    hd_rows_column in[N_COLUMNS] = {[MONTH] = {.codes = codes[MONTH]},
                                    [CODES] = {.codes = codes[CODES]},
                                    [LIST] = {.codes = codes[LIST], .counts = counts},
                                    [KEY] = {.keys = keys}};
    if (has_late(first))
        in[LATE].codes = codes[LATE];
    hd_rows rows = {n, persons, order, in};
    OK(hd_builder_append(b, &rows, &err));
    for (size_t c = 0; c < N_COLUMNS; c++)
        hd_free(codes[c]);
    hd_free(counts);
    hd_free(persons);
    hd_free(keys);
    hd_free(order);
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
    for (uint32_t at = 0; at < N_ROWS; at += CHUNK)
        append(b, at, N_ROWS - at < CHUNK ? N_ROWS - at : CHUNK);
    fixture_publish(v, b);
    return 0;
}

static int remove_vault(void **state)
{
    (void)state;
    fixture_remove(&the_fixture);
    return 0;
}

static hd_table *open_table(hd_vault **v)
{
    hd_table *t;
    OK(hd_vault_open(v, the_fixture.folder, the_fixture.key_file, false, &err));
    OK(hd_vault_table(*v, "apc", &t, &err));
    return t;
}

static void check_rows(hd_table *t, size_t column, const hd_column *c, uint32_t from, uint32_t to)
{
    const hd_dictionary *d = hd_table_dictionary(t, column);
    for (uint32_t r = from; r < to; r++) {
        if (column == KEY) {
            assert_int_equal(((const uint64_t *)c->data)[r], r + 1);
            continue;
        }
        uint64_t at = column == LIST ? c->starts[r] : r;
        uint64_t end = column == LIST ? c->starts[r + 1] : at + 1;
        int64_t want = column == MONTH   ? r / 40000
                       : column == CODES ? r % 1000
                       : column == LIST  ? r % 90
                                         : r % 7;
        assert_int_equal(end - at, column == LIST ? r % 4 : 1);
        for (; at < end; at++) {
            uint32_t code = hd_code_at(c, at);
            if (column == LATE && !has_late(r))
                assert_int_equal(code, 0);
            else
                assert_int_equal(d->integers[code], want);
        }
    }
}

static uint32_t block_end(uint32_t block)
{
    return (block + 1) * HD_BLOCK_ROWS < N_ROWS ? (block + 1) * HD_BLOCK_ROWS : N_ROWS;
}

/* Any set of blocks, in any order, of any column: they are right, and the rest comes later. */
static void single_blocks_are_read(void **state)
{
    (void)state;
    hd_rng g = hd_rng_stream(1, 1);
    for (unsigned round = 0; round < 20; round++) {
        hd_vault *v;
        hd_table *t = open_table(&v);
        assert_int_equal(hd_table_n_blocks(t), N_BLOCKS);
        for (unsigned i = 0; i < 30; i++) {
            uint8_t wanted[N_BLOCKS];
            size_t column = hd_rng_below(&g, N_COLUMNS);
            const hd_column *c;
            for (uint32_t b = 0; b < N_BLOCKS; b++)
                wanted[b] = hd_rng_below(&g, 3) == 0;
            OK(hd_table_load_some(t, column, wanted, &c, &err));
            for (uint32_t b = 0; b < N_BLOCKS; b++)
                if (wanted[b])
                    check_rows(t, column, c, b * HD_BLOCK_ROWS, block_end(b));
        }
        hd_vault_close(v);
    }
    hd_vault *v;
    hd_table *t = open_table(&v);
    for (size_t column = 0; column < N_COLUMNS; column++) {
        const hd_column *c;
        OK(hd_table_load(t, column, &c, &err));
        check_rows(t, column, c, 0, N_ROWS);
    }
    hd_vault_close(v);
}

static void persons_are_read_by_block(void **state)
{
    (void)state;
    hd_vault *v;
    hd_table *t = open_table(&v);
    const uint8_t wanted[N_BLOCKS] = {0, 0, 1, 0, 1};
    const uint32_t *persons;
    OK(hd_table_persons_some(t, wanted, &persons, &err));
    for (uint32_t b = 0; b < N_BLOCKS; b++)
        for (uint32_t r = b * HD_BLOCK_ROWS; wanted[b] && r < block_end(b); r++)
            assert_int_equal(persons[r], r / 2 + 1);
    hd_vault_close(v);
}

static void blocks_are_described(void **state)
{
    (void)state;
    hd_vault *v;
    hd_table *t = open_table(&v);
    for (uint32_t b = 0; b < N_BLOCKS; b++) {
        uint32_t first = b * HD_BLOCK_ROWS, end = block_end(b);
        hd_block_stats s = hd_table_block(t, MONTH, b);
        const hd_dictionary *d = hd_table_dictionary(t, MONTH);
        assert_int_equal(s.rows, end - first);
        assert_int_equal(s.items, end - first);
        assert_int_equal(d->integers[s.lowest], first / 40000);
        assert_int_equal(d->integers[s.highest], (end - 1) / 40000);
        assert_true(s.sealed > 0);
        s = hd_table_persons_block(t, b);
        assert_int_equal(s.lowest, first / 2 + 1);
        assert_int_equal(s.highest, (end - 1) / 2 + 1);
        s = hd_table_block(t, KEY, b);
        assert_int_equal(s.lowest + s.highest, 0);
    }
    hd_vault_close(v);
}

/* The memory a whole column takes. */
static uint64_t bytes_of(size_t column)
{
    hd_vault *v;
    hd_table *t = open_table(&v);
    const hd_column *c;
    OK(hd_table_load(t, column, &c, &err));
    uint64_t used = hd_vault_memory_used(v);
    hd_table_unload(t, column);
    assert_int_equal(hd_vault_memory_used(v), 0);
    hd_vault_close(v);
    return used;
}

static void columns_make_room(void **state)
{
    (void)state;
    uint64_t codes = bytes_of(CODES), key = bytes_of(KEY), month = bytes_of(MONTH);
    hd_vault *v;
    hd_table *t = open_table(&v);
    hd_hold *one, *two;
    const hd_column *c, *again;
    assert_int_equal(codes, N_ROWS * 2);
    assert_int_equal(key, N_ROWS * UINT64_C(8));
    hd_vault_set_memory(v, codes + key);
    OK(hd_vault_hold(v, &one, &err));
    OK(hd_table_load(t, CODES, &c, &err));
    OK(hd_table_load(t, KEY, &c, &err));
    assert_int_equal(hd_vault_memory_used(v), codes + key);
    assert_int_equal(hd_table_load(t, MONTH, &c, &err), HD_LIMIT); /* both are in use */
    assert_non_null(strstr(err.text, "limit"));
    assert_int_equal(hd_vault_memory_used(v), codes + key);
    hd_hold_release(one);
    /* The next question: what it uses stays, what was used longest ago goes. */
    OK(hd_vault_hold(v, &two, &err));
    OK(hd_table_load(t, CODES, &c, &err));
    assert_int_equal(hd_vault_memory_used(v), codes + key);
    OK(hd_table_load(t, MONTH, &again, &err));
    assert_int_equal(hd_vault_memory_used(v), codes + month);
    check_rows(t, CODES, c, 0, N_ROWS);
    check_rows(t, MONTH, again, 0, N_ROWS);
    hd_hold_release(two);
    /* Blocks count by themselves. */
    const uint8_t wanted[N_BLOCKS] = {0, 1, 0, 0, 0};
    OK(hd_table_load_some(t, KEY, wanted, &c, &err));
    check_rows(t, KEY, c, HD_BLOCK_ROWS, 2 * HD_BLOCK_ROWS);
    assert_true(hd_vault_memory_used(v) <= codes + key);
    hd_vault_close(v);
}

/* What one question uses stays when another ends. */
static void holds_are_apart(void **state)
{
    (void)state;
    uint64_t codes = bytes_of(CODES), month = bytes_of(MONTH);
    hd_vault *v;
    hd_table *t = open_table(&v);
    hd_hold *one, *two, *many[200];
    const hd_column *c;
    hd_vault_set_memory(v, codes + month);
    OK(hd_vault_hold(v, &one, &err));
    OK(hd_vault_hold(v, &two, &err));
    OK(hd_table_load(t, MONTH, &c, &err)); /* two */
    hd_hold_use(one);
    OK(hd_table_load(t, CODES, &c, &err));
    hd_hold_release(two);
    assert_int_equal(hd_table_load(t, KEY, &c, &err), HD_LIMIT);
    OK(hd_table_load(t, CODES, &c, &err));
    check_rows(t, CODES, c, 0, N_ROWS);
    OK(hd_vault_hold(v, &two, &err));
    for (size_t i = 0; i < 200; i++)
        OK(hd_vault_hold(v, &many[i], &err));
    for (size_t i = 0; i < 200; i++)
        hd_hold_release(many[i]);
    hd_hold_release(two);
    hd_hold_release(one);
    hd_hold_release(NULL);
    hd_vault_close(v);
}

/* A question has one limit; questions that differ by a letter have limits that are far apart, so that
 * nobody can fill one question up to a limit that is found with another. */
static void limits_are_blurred(void **state)
{
    (void)state;
    enum { LIMIT = 50000, QUESTIONS = 1000 };
    hd_vault *v;
    open_table(&v);
    uint64_t lowest = LIMIT, highest = 0, near = 0, before = 0;
    char text[32];
    for (int i = 0; i < QUESTIONS; i++) {
        snprintf(text, sizeof text, "SELECT %d", i);
        uint64_t x = hd_vault_blurred_limit(v, text, LIMIT);
        assert_true(x == hd_vault_blurred_limit(v, text, LIMIT) && x <= LIMIT && x >= LIMIT * 9 / 10);
        near += x + 7 >= before && x <= before + 7;
        lowest = x < lowest ? x : lowest;
        highest = x > highest ? x : highest;
        before = x;
    }
    assert_true(lowest < LIMIT * 91 / 100 && highest > LIMIT * 99 / 100 && near < QUESTIONS / 50);
    assert_int_equal(hd_vault_blurred_limit(v, text, 0), 0);
    hd_vault_close(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_blocks_are_read), cmocka_unit_test(persons_are_read_by_block),
        cmocka_unit_test(blocks_are_described),   cmocka_unit_test(columns_make_room),
        cmocka_unit_test(holds_are_apart),        cmocka_unit_test(limits_are_blurred),
    };
    return cmocka_run_group_tests(tests, make_vault, remove_vault);
}
