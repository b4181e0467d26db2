/* test_vault.c - what goes into a vault comes back, in order, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/rng.h"
#include "vault_fixture.h"

static hd_err err;

/* Columns of every kind and type, and one of each width. */
enum { SEX, AGE, SCORE, ADMITTED, DEAD, PLACE, WIDE, DIAGNOSES, NUMBERS, ROW_KEY, EMPTY, N_COLUMNS };
static const hd_column_spec columns[N_COLUMNS] = {
    [SEX] = {"sex", HD_COLUMN_CODES, HD_TEXT},
    [AGE] = {"age", HD_COLUMN_CODES, HD_INTEGER},
    [SCORE] = {"score", HD_COLUMN_CODES, HD_DECIMAL},
    [ADMITTED] = {"admitted", HD_COLUMN_CODES, HD_DATE},
    [DEAD] = {"dead", HD_COLUMN_CODES, HD_BOOLEAN},
    [PLACE] = {"place", HD_COLUMN_CODES, HD_TEXT}, /* two bytes */
    [WIDE] = {"wide", HD_COLUMN_CODES, HD_INTEGER}, /* four bytes when there are many rows */
    [DIAGNOSES] = {"diagnoses", HD_COLUMN_LIST, HD_TEXT},
    [NUMBERS] = {"numbers", HD_COLUMN_LIST, HD_INTEGER},
    [ROW_KEY] = {"row_key", HD_COLUMN_KEY, HD_TEXT},
    [EMPTY] = {"empty", HD_COLUMN_CODES, HD_TEXT}, /* NULL everywhere */
};

/* Row number `id` as it must come back: everything follows from id. */
typedef struct known_row {
    uint32_t person;
    int64_t order;
} known_row;

static known_row row_of(uint32_t id, uint32_t n_people)
{
    hd_rng r = hd_rng_stream(7, id);
    known_row k;
    k.person = hd_rng_below(&r, n_people); /* 0: nobody */
    k.order = (int64_t)hd_rng_below(&r, 40) - 20;
    return k;
}

static hd_value value_of(uint32_t id, int column, char text[32])
{
    hd_rng r = hd_rng_stream(100 + (uint64_t)column, id);
    hd_value v = {.type = columns[column].type};
    uint32_t x = hd_rng_below(&r, 1000);
    v.is_null = x < 50 || column == EMPTY;
    switch (column) {
    case SEX:
        snprintf(text, 32, "%u", x % 3);
        break;
    case AGE:
        v.integer = (int64_t)(x % 120) - 5;
        break;
    case SCORE:
        v.decimal = (double)x / 8 - 20;
        break;
    case ADMITTED:
        v.integer = 16000 + x;
        break;
    case DEAD:
        v.integer = x % 2;
        break;
    case PLACE:
        snprintf(text, 32, x % 7 ? "E%06u" : "", x);
        break;
    case WIDE:
        v.integer = (int64_t)hd_rng_next(&r);
        break;
    default:
        break;
    }
    if (v.type == HD_TEXT)
        v.text.bytes = text, v.text.len = strlen(text);
    return v;
}

static uint32_t list_length(uint32_t id, int column)
{
    hd_rng r = hd_rng_stream(200 + (uint64_t)column, id);
    uint32_t x = hd_rng_below(&r, 100);
    return x < 30 ? 0 : column == NUMBERS && x == 99 ? 300 : x % 7;
}

/* Element e; gaps inside, never at the end. */
static hd_value element_of(uint32_t id, int column, uint32_t e, uint32_t length, char text[32])
{
    hd_rng r = hd_rng_stream(300 + (uint64_t)column + 1000 * (uint64_t)e, id);
    hd_value v = {.type = columns[column].type};
    uint32_t x = hd_rng_below(&r, 500);
    v.is_null = e + 1 < length && x % 5 == 0;
    if (column == DIAGNOSES) {
        snprintf(text, 32, "%c%02u", 'A' + (int)(x % 26), x % 100);
        v.text.bytes = text;
        v.text.len = strlen(text);
    } else {
        v.integer = x;
    }
    return v;
}

static uint64_t key_of(uint32_t id)
{
    return (uint64_t)id * UINT64_C(0x9E3779B97F4A7C15); /* 0 for row 0: NULL */
}

/* Append rows first .. first + n - 1. */
static void append(hd_builder *b, uint32_t first, uint32_t n, uint32_t n_people)
{
    uint32_t *persons = hd_calloc(n, sizeof *persons), *codes[N_COLUMNS] = {0};
    uint32_t *counts[N_COLUMNS] = {0};
    int64_t *order = hd_calloc(n, sizeof *order);
    uint64_t *keys = hd_calloc(n, sizeof *keys);
    hd_rows_column in[N_COLUMNS] = {0};
    char text[32];
    for (int c = 0; c < N_COLUMNS; c++) {
        size_t at = 0;
        bool is_list = columns[c].kind == HD_COLUMN_LIST;
        codes[c] = hd_calloc((size_t)n * (is_list ? 300 : 1), sizeof *codes[c]);
        counts[c] = hd_calloc(n, sizeof *counts[c]);
        for (uint32_t i = 0; i < n && columns[c].kind != HD_COLUMN_KEY; i++) {
            counts[c][i] = is_list ? list_length(first + i, c) : 1;
            for (uint32_t e = 0; e < counts[c][i]; e++) {
                hd_value v = is_list ? element_of(first + i, c, e, counts[c][i], text)
                                     : value_of(first + i, c, text);
                OK(hd_builder_code(b, (size_t)c, &v, &codes[c][at], &err));
                hd_value back = hd_builder_value(b, (size_t)c, codes[c][at++]);
                assert_int_equal(hd_value_compare(&v, &back), 0);
            }
        }
        in[c] = (hd_rows_column){.codes = codes[c], .counts = counts[c], .keys = keys};
    }
    for (uint32_t i = 0; i < n; i++) {
        known_row k = row_of(first + i, n_people);
        persons[i] = k.person;
        order[i] = k.order;
        keys[i] = key_of(first + i);
    }
    hd_rows rows = {n, persons, order, in};
    OK(hd_builder_append(b, &rows, &err));
    for (int c = 0; c < N_COLUMNS; c++) {
        hd_free(codes[c]);
        hd_free(counts[c]);
    }
    hd_free(persons);
    hd_free(order);
    hd_free(keys);
}

/* The ids in the order in which they must stand: (person, order, id). */
static uint32_t sort_people;
static int by_place(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    known_row p = row_of(x, sort_people), q = row_of(y, sort_people);
    if (p.person != q.person)
        return p.person < q.person ? -1 : 1;
    if (p.order != q.order)
        return p.order < q.order ? -1 : 1;
    return x < y ? -1 : 1;
}

static void check_dictionary(const hd_dictionary *d)
{
    for (uint32_t c = 2; c < d->n_codes; c++) {
        hd_value a = hd_dictionary_value(d, c - 1), b = hd_dictionary_value(d, c);
        assert_true(hd_value_compare(&a, &b) < 0);
    }
    for (uint32_t c = 1; c < d->n_codes; c++) {
        hd_value v = hd_dictionary_value(d, c);
        assert_int_equal(hd_dictionary_find(d, &v), c);
    }
}

/* The table must hold exactly the rows `ids`, n of them, as value_of and the others say. */
static void check_table(hd_table *t, uint32_t *ids, uint32_t n, uint32_t n_people)
{
    const uint32_t *persons;
    char text[32];
    assert_int_equal(hd_table_rows(t), n);
    assert_int_equal(hd_table_n_columns(t), N_COLUMNS);
    sort_people = n_people;
    qsort(ids, n, sizeof *ids, by_place);
    OK(hd_table_persons(t, &persons, &err));
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(persons[i], row_of(ids[i], n_people).person);
    for (int c = 0; c < N_COLUMNS; c++) {
        const hd_column *col;
        const hd_dictionary *d = hd_table_dictionary(t, (size_t)c);
        assert_int_equal(hd_table_find(t, columns[c].name), c);
        assert_int_equal(hd_table_column_spec(t, (size_t)c)->kind, columns[c].kind);
        OK(hd_table_load(t, (size_t)c, &col, &err));
        if (columns[c].kind == HD_COLUMN_KEY) {
            assert_null(d);
            for (uint32_t i = 0; i < n; i++)
                assert_true(((const uint64_t *)col->data)[i] == key_of(ids[i]));
            continue;
        }
        check_dictionary(d);
        for (uint32_t i = 0; i < n; i++) {
            bool is_list = columns[c].kind == HD_COLUMN_LIST;
            uint32_t length = is_list ? list_length(ids[i], c) : 1;
            uint64_t at = is_list ? col->starts[i] : i;
            if (is_list)
                assert_int_equal(col->starts[i + 1] - col->starts[i], length);
            for (uint32_t e = 0; e < length; e++) {
                hd_value want = is_list ? element_of(ids[i], c, e, length, text)
                                        : value_of(ids[i], c, text);
                hd_value have = hd_dictionary_value(d, hd_code_at(col, at + e));
                assert_int_equal(hd_value_compare(&want, &have), 0);
            }
        }
        hd_table_unload(t, (size_t)c);
    }
    OK(hd_table_verify(t, &err));
}

static void publish_rows(hd_vault *v, uint32_t n, uint32_t chunk, uint32_t n_people)
{
    hd_builder *b;
    hd_publish *p;
    OK(hd_builder_new(&b, v, "apc", columns, N_COLUMNS, &err));
    for (uint32_t at = 0; at < n; at += chunk)
        append(b, at, n - at < chunk ? n - at : chunk, n_people);
    assert_int_equal(hd_builder_rows(b), n);
    OK(hd_publish_begin(&p, v, &err));
    OK(hd_publish_table(p, b, &err));
    hd_builder_free(b);
    OK(hd_publish_commit(p, "test", &err));
    hd_publish_free(p);
}

static void rows_come_back_n(uint32_t n, uint32_t chunk, uint32_t n_people)
{
    fixture f;
    hd_vault *v;
    hd_table *t;
    fixture_make(&f);
    OK(hd_vault_create(f.folder, f.key_file, &err));
    OK(hd_vault_open(&v, f.folder, f.key_file, true, &err));
    publish_rows(v, n, chunk, n_people);
    assert_int_equal(hd_vault_data_version(v), 1);
    hd_vault_close(v);
    OK(hd_vault_open(&v, f.folder, f.key_file, false, &err));
    assert_int_equal(hd_vault_data_version(v), 1);
    assert_true(hd_vault_has_table(v, "apc"));
    OK(hd_vault_table(v, "apc", &t, &err));
    uint32_t *ids = hd_calloc(n, sizeof *ids);
    for (uint32_t i = 0; i < n; i++)
        ids[i] = i;
    check_table(t, ids, n, n_people);
    hd_free(ids);
    OK(hd_vault_verify(v, &err));
    hd_vault_close(v);
    fixture_remove(&f);
}

static void rows_come_back(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 2, 300, 5000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        rows_come_back_n(sizes[i], 777, 100);
}

static void many_blocks_come_back(void **state)
{
    (void)state;
    rows_come_back_n(2 * HD_BLOCK_ROWS + 12345, 50000, 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(many_blocks_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
