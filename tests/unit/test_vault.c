/* test_vault.c - what goes into a vault comes back, in order, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/rng.h"
#include "vault/builder.h"
#include "vault_fixture.h"

static hd_err err;

/* Columns of every kind and type, and one of each width. */
enum {
    SEX,
    AGE,
    SCORE,
    ADMITTED,
    DEAD,
    PLACE,
    WIDE,
    DIAGNOSES,
    NUMBERS,
    ROW_KEY,
    EMPTY,
    N_COLUMNS
};
static const hd_column_spec columns[N_COLUMNS] = {
    [SEX] = {"sex", HD_COLUMN_CODES, HD_TEXT},
    [AGE] = {"age", HD_COLUMN_CODES, HD_INTEGER},
    [SCORE] = {"score", HD_COLUMN_CODES, HD_DECIMAL},
    [ADMITTED] = {"admitted", HD_COLUMN_CODES, HD_DATE},
    [DEAD] = {"dead", HD_COLUMN_CODES, HD_BOOLEAN},
    [PLACE] = {"place", HD_COLUMN_CODES, HD_TEXT},  /* two bytes */
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
                hd_value want =
                    is_list ? element_of(ids[i], c, e, length, text) : value_of(ids[i], c, text);
                hd_value have = hd_dictionary_value(d, hd_code_at(col, at + e));
                assert_int_equal(hd_value_compare(&want, &have), 0);
            }
        }
        hd_table_unload(t, (size_t)c);
    }
    OK(hd_table_verify(t, &err));
}

static uint64_t staged_in_memory = HD_STAGE_KEPT; /* the rest goes through the staging file */

static void publish_rows(hd_vault *v, uint32_t n, uint32_t chunk, uint32_t n_people)
{
    hd_builder *b;
    hd_publish *p;
    OK(hd_builder_new(&b, v, "apc", columns, N_COLUMNS, &err));
    b->keeps = staged_in_memory;
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
    static const uint64_t kept[] = {HD_STAGE_KEPT, 1000000, 0};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        staged_in_memory = kept[i];
        rows_come_back_n(2 * HD_BLOCK_ROWS + 12345, 50000, 3000);
    }
    staged_in_memory = HD_STAGE_KEPT;
}

/* ---- replacing ------------------------------------------------------------------------------ */

static fixture the_fixture;

static hd_vault *open_vault(bool writes)
{
    hd_vault *v;
    OK(hd_vault_open(&v, the_fixture.folder, the_fixture.key_file, writes, &err));
    return v;
}

static int make_vault(void **state)
{
    (void)state;
    fixture_make(&the_fixture);
    return hd_vault_create(the_fixture.folder, the_fixture.key_file, &err) == HD_OK ? 0 : -1;
}

static int remove_vault(void **state)
{
    (void)state;
    fixture_remove(&the_fixture);
    return 0;
}

static int count_files(void)
{
    char command[160];
    int n = -1;
    snprintf(command, sizeof command, "ls -A %s/tables | wc -l", the_fixture.folder);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    assert_int_equal(fscanf(p, "%d", &n), 1);
    pclose(p);
    return n;
}

/* Half of the old rows and new ones: a later extract of one year. */
static void copied_rows_join_new_ones(void **state)
{
    (void)state;
    enum { OLD = 70000, NEW = 3000, PEOPLE = 2000 };
    hd_vault *v = open_vault(true);
    publish_rows(v, OLD, 30000, PEOPLE);
    hd_table *t;
    OK(hd_vault_table(v, "apc", &t, &err));
    uint32_t *ids = hd_calloc(OLD + NEW, sizeof *ids), n = 0;
    uint8_t *keep = hd_calloc(OLD, 1);
    int64_t *order = hd_calloc(OLD, sizeof *order);
    for (uint32_t i = 0; i < OLD; i++)
        ids[i] = i;
    sort_people = PEOPLE;
    qsort(ids, OLD, sizeof *ids, by_place);
    for (uint32_t i = 0; i < OLD; i++) {
        keep[i] = ids[i] % 2;
        order[i] = row_of(ids[i], PEOPLE).order;
        if (keep[i])
            ids[n++] = ids[i];
    }
    hd_builder *b;
    hd_publish *p;
    OK(hd_builder_new(&b, v, "apc", columns, N_COLUMNS, &err));
    OK(hd_builder_copy(b, t, keep, order, &err));
    append(b, OLD, NEW, PEOPLE);
    for (uint32_t i = 0; i < NEW; i++)
        ids[n++] = OLD + i;
    assert_int_equal(hd_builder_rows(b), n);
    OK(hd_publish_begin(&p, v, &err));
    OK(hd_publish_table(p, b, &err));
    hd_builder_free(b);
    OK(hd_publish_commit(p, "replace", &err));
    hd_publish_free(p);
    OK(hd_vault_table(v, "apc", &t, &err));
    check_table(t, ids, n, PEOPLE);
    assert_int_equal(hd_vault_data_version(v), 2);
    assert_int_equal(count_files(), 1);
    hd_vault_close(v);
    hd_free(ids);
    hd_free(keep);
    hd_free(order);
}

static void missing_columns_become_null(void **state)
{
    (void)state;
    hd_vault *v = open_vault(true);
    publish_rows(v, 1000, 1000, 50);
    hd_table *t;
    OK(hd_vault_table(v, "apc", &t, &err));
    const hd_column_spec wider[] = {columns[SEX],
                                    {"new_codes", HD_COLUMN_CODES, HD_DATE},
                                    {"new_list", HD_COLUMN_LIST, HD_TEXT},
                                    {"new_key", HD_COLUMN_KEY, HD_TEXT}};
    const hd_column_spec other = {"sex", HD_COLUMN_CODES, HD_INTEGER};
    int64_t *order = hd_calloc(1000, sizeof *order);
    hd_builder *b;
    hd_publish *p;
    const hd_column *col;
    OK(hd_builder_new(&b, v, "apc", &other, 1, &err));
    assert_int_equal(hd_builder_copy(b, t, NULL, order, &err), HD_CONFLICT);
    hd_builder_free(b);
    OK(hd_builder_new(&b, v, "apc", wider, 4, &err));
    OK(hd_builder_copy(b, t, NULL, order, &err));
    OK(hd_publish_begin(&p, v, &err));
    OK(hd_publish_table(p, b, &err));
    hd_builder_free(b);
    OK(hd_publish_read(p, "apc", &t, &err)); /* written, not yet committed */
    for (size_t c = 1; c < 4; c++) {
        OK(hd_table_load(t, c, &col, &err));
        for (uint32_t i = 0; i < 1000 && c == 1; i++)
            assert_int_equal(hd_code_at(col, i), 0);
        for (uint32_t i = 0; i < 1000 && c == 3; i++)
            assert_true(((const uint64_t *)col->data)[i] == 0);
        if (c == 2)
            assert_int_equal(col->n_items, 0);
    }
    OK(hd_table_verify(t, &err));
    hd_publish_free(p); /* not committed: nothing happened */
    assert_int_equal(count_files(), 1);
    assert_int_equal(hd_vault_data_version(v), 1);
    OK(hd_vault_table(v, "apc", &t, &err));
    assert_int_equal(hd_table_n_columns(t), N_COLUMNS);
    hd_vault_close(v);
    hd_free(order);
}

static void dictionaries_hold_only_what_occurs(void **state)
{
    (void)state;
    hd_vault *v = open_vault(true);
    hd_builder *b;
    hd_publish *p;
    hd_table *t;
    uint32_t codes[10];
    OK(hd_builder_new(&b, v, "apc", columns, 1, &err));
    for (int i = 0; i < 10; i++) {
        char text[2] = {(char)('j' - i), '\0'};
        hd_value x = {.type = HD_TEXT, .text = {text, 1}};
        OK(hd_builder_code(b, 0, &x, &codes[i], &err));
    }
    uint32_t persons[2] = {2, 1}, used[2] = {codes[3], codes[7]};
    int64_t order[2] = {0, 0};
    hd_rows_column column = {.codes = used};
    hd_rows rows = {2, persons, order, &column};
    OK(hd_builder_append(b, &rows, &err));
    OK(hd_publish_begin(&p, v, &err));
    OK(hd_publish_table(p, b, &err));
    assert_int_equal(hd_publish_table(p, b, &err), HD_CONFLICT); /* twice in one transaction */
    hd_builder_free(b);
    OK(hd_publish_commit(p, "two values", &err));
    hd_publish_free(p);
    OK(hd_vault_table(v, "apc", &t, &err));
    const hd_dictionary *d = hd_table_dictionary(t, 0);
    assert_int_equal(d->n_codes, 3);
    assert_memory_equal(d->bytes, "cg", 2);
    const hd_column *col;
    OK(hd_table_load(t, 0, &col, &err));
    assert_int_equal(hd_code_at(col, 0), 1);
    assert_int_equal(hd_code_at(col, 1), 2);
    hd_vault_close(v);
}

/* ---- transactions --------------------------------------------------------------------------- */

static void readers_keep_their_version(void **state)
{
    (void)state;
    hd_vault *w = open_vault(true);
    publish_rows(w, 500, 500, 50);
    hd_vault *r = open_vault(false), *none = NULL;
    assert_int_equal(hd_vault_open(&none, the_fixture.folder, the_fixture.key_file, true, &err),
                     HD_CONFLICT);
    assert_null(none);
    publish_rows(w, 900, 500, 50);
    hd_table *t;
    OK(hd_vault_table(r, "apc", &t, &err)); /* its file has no name any more */
    assert_int_equal(hd_table_rows(t), 500);
    OK(hd_vault_verify(r, &err));
    hd_vault_close(r);
    r = open_vault(false);
    OK(hd_vault_table(r, "apc", &t, &err));
    assert_int_equal(hd_table_rows(t), 900);
    assert_int_equal(hd_vault_data_version(r), 2);
    hd_builder *b;
    assert_int_equal(hd_builder_new(&b, r, "apc", columns, 1, &err), HD_INVALID);
    assert_int_equal(hd_vault_table(r, "op", &t, &err), HD_NOTFOUND);
    hd_vault_close(r);
    hd_vault_close(w);
}

static void leftovers_go_and_strangers_stay(void **state)
{
    (void)state;
    static const char *const names[] = {"0123456789abcdef0123456789abcdef.hdt",
                                        "0123456789abcdef0123456789abcdef.tmp", "stage-abcdef",
                                        "notes.txt"};
    char path[256];
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/tables/%s", the_fixture.folder, names[i]);
        close(open(path, O_CREAT | O_WRONLY, 0600));
    }
    hd_vault_close(open_vault(false));
    assert_int_equal(count_files(), 4);
    hd_vault_close(open_vault(true));
    assert_int_equal(count_files(), 1);
}

static void people_keep_their_numbers(void **state)
{
    (void)state;
    enum { FIRST = 100000, SECOND = 150000 };
    uint8_t pseudonym[16];
    uint32_t number;
    for (int round = 0; round < 2; round++) {
        hd_vault *v = open_vault(true);
        hd_persons *people;
        hd_publish *p;
        OK(hd_persons_open(&people, v, &err));
        OK(hd_publish_begin(&p, v, &err));
        for (uint32_t i = 0; i < (round ? SECOND : FIRST); i++) {
            hd_vault_pseudonym(v, &i, sizeof i, pseudonym);
            assert_int_equal(hd_persons_find(people, pseudonym), round && i < FIRST ? i + 1 : 0);
            OK(hd_persons_number(people, pseudonym, &number, &err));
            assert_int_equal(number, i + 1);
        }
        OK(hd_publish_persons(p, people, &err));
        OK(hd_publish_commit(p, "people", &err));
        hd_publish_free(p);
        hd_persons_free(people);
        assert_int_equal(count_files(), 1);
        hd_table_info *tables;
        size_t n;
        OK(hd_vault_tables(v, &tables, &n, &err)); /* the list of people is not a table */
        assert_int_equal(n, 0);
        assert_false(hd_vault_has_table(v, ".persons"));
        hd_free(tables);
        OK(hd_vault_verify(v, &err));
        hd_vault_close(v);
    }
}

static void extracts_replace_their_year(void **state)
{
    (void)state;
    hd_vault *v = open_vault(true);
    hd_extract x = {.table = "apc",
                    .data_year = 2014,
                    .part_year = 201406,
                    .rows_read = 10,
                    .rows_kept = 7,
                    .rows_rejected = 2,
                    .rows_opted_out = 1,
                    .files = "a.txt,b.txt",
                    .digest = "00"};
    const int parts[] = {201406, 201499};
    for (int i = 0; i < 2; i++) {
        hd_publish *p;
        OK(hd_publish_begin(&p, v, &err));
        x.part_year = parts[i];
        x.data_year = 2014;
        OK(hd_publish_extract(p, &x, &err));
        x.data_year = 2015 + i;
        OK(hd_publish_extract(p, &x, &err));
        OK(hd_publish_commit(p, "extracts", &err));
        hd_publish_free(p);
    }
    hd_extract *list;
    size_t n;
    OK(hd_vault_extracts(v, &list, &n, &err));
    assert_int_equal(n, 3);
    assert_int_equal(list[0].data_year, 2014);
    assert_int_equal(list[0].part_year, 201499);
    assert_int_equal(list[1].part_year, 201406);
    assert_int_equal(list[2].data_year, 2016);
    assert_int_equal(list[2].rows_opted_out, 1);
    assert_string_equal(list[2].files, "a.txt,b.txt");
    assert_int_equal(strlen(list[0].loaded_at), 20);
    hd_free(list);
    hd_vault_close(v);
}

static void outputs_are_entered_by_readers(void **state)
{
    (void)state;
    hd_vault *v = open_vault(false);
    char a[32], b[32];
    OK(hd_vault_record_output(v, "purpose", "SELECT 1", "hes2018", a, &err));
    OK(hd_vault_record_output(v, "purpose", "SELECT 1", "hes2018", b, &err));
    assert_string_not_equal(a, b);
    OK(hd_vault_verify(v, &err));
    hd_vault_close(v);
}

/* ---- keys ----------------------------------------------------------------------------------- */

static hd_code try_open(const char *key_file)
{
    hd_vault *v = NULL;
    hd_code rc = hd_vault_open(&v, the_fixture.folder, key_file, false, &err);
    hd_vault_close(v);
    return rc;
}

static void key_files_are_guarded(void **state)
{
    (void)state;
    char other_folder[160], other_key[160], path[256];
    snprintf(other_folder, sizeof other_folder, "%s/other", the_fixture.root);
    snprintf(other_key, sizeof other_key, "%s/keys/other.key", the_fixture.root);
    assert_int_equal(hd_vault_create(other_folder, the_fixture.key_file, &err), HD_CONFLICT);
    OK(hd_vault_create(other_folder, other_key, &err));
    assert_int_equal(try_open(other_key), HD_CRYPTO);
    assert_int_equal(try_open("/nonexistent/key"), HD_NOTFOUND);
    chmod(the_fixture.key_file, 0640);
    assert_int_equal(try_open(the_fixture.key_file), HD_DENIED);
    chmod(the_fixture.key_file, 0602);
    assert_int_equal(try_open(the_fixture.key_file), HD_DENIED);
    chmod(the_fixture.key_file, 0400);
    assert_int_equal(try_open(the_fixture.key_file), HD_OK);
    assert_int_equal(try_open(the_fixture.folder), HD_DENIED); /* a folder */
    /* A key inside the vault, as it is or behind a link. */
    snprintf(path, sizeof path, "%s/inside.key", the_fixture.folder);
    assert_int_equal(rename(the_fixture.key_file, path), 0);
    assert_int_equal(try_open(path), HD_DENIED);
    assert_int_equal(symlink(path, the_fixture.key_file), 0);
    assert_int_equal(try_open(the_fixture.key_file), HD_DENIED);
    /* A link to the vault's folder does not hide it either. */
    unlink(other_key);
    snprintf(other_key, sizeof other_key, "%s/link", the_fixture.root);
    assert_int_equal(symlink(the_fixture.folder, other_key), 0);
    strcat(other_key, "/inside.key");
    assert_int_equal(try_open(other_key), HD_DENIED);
}

static void damaged_key_files_are_refused(void **state)
{
    (void)state;
    FILE *f = fopen(the_fixture.key_file, "r");
    char text[1024], path[160];
    size_t len = fread(text, 1, sizeof text, f);
    fclose(f);
    snprintf(path, sizeof path, "%s/keys/damaged.key", the_fixture.root);
    for (size_t i = 0; i <= len; i++)
        for (int cut = 0; cut < 2; cut++) {
            f = fopen(path, "w");
            chmod(path, 0600);
            text[i] ^= 1;
            fwrite(text, 1, cut ? i : len + (i == len), f);
            text[i] ^= 1;
            fclose(f);
            hd_code rc = try_open(path);
            assert_int_equal(rc, cut && i == len ? HD_OK : HD_FORMAT);
        }
}

/* Died between the key file and the last rename: doing it again finishes the job. */
static void interrupted_creation_is_finished(void **state)
{
    (void)state;
    char from[256], to[256];
    snprintf(from, sizeof from, "%s/ledger.db", the_fixture.folder);
    snprintf(to, sizeof to, "%s/ledger.db.new", the_fixture.folder);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(try_open(the_fixture.key_file), HD_NOTFOUND);
    OK(hd_vault_create(the_fixture.folder, the_fixture.key_file, &err));
    assert_int_equal(try_open(the_fixture.key_file), HD_OK);
    assert_int_equal(hd_vault_create(the_fixture.folder, the_fixture.key_file, &err), HD_CONFLICT);
}

static void names_are_checked(void **state)
{
    (void)state;
    hd_vault *v = open_vault(true);
    hd_builder *b = NULL;
    static const char *const bad[] = {
        "",         "A",    "a b",
        ".persons", "../x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(hd_builder_new(&b, v, bad[i], columns, 1, &err), HD_INVALID);
    hd_column_spec twice[2] = {columns[0], columns[0]};
    assert_int_equal(hd_builder_new(&b, v, "apc", twice, 2, &err), HD_INVALID);
    hd_vault_close(v);
}

#define WITH_VAULT(f) cmocka_unit_test_setup_teardown(f, make_vault, remove_vault)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(many_blocks_come_back),
        WITH_VAULT(copied_rows_join_new_ones),
        WITH_VAULT(missing_columns_become_null),
        WITH_VAULT(dictionaries_hold_only_what_occurs),
        WITH_VAULT(readers_keep_their_version),
        WITH_VAULT(leftovers_go_and_strangers_stay),
        WITH_VAULT(people_keep_their_numbers),
        WITH_VAULT(extracts_replace_their_year),
        WITH_VAULT(outputs_are_entered_by_readers),
        WITH_VAULT(key_files_are_guarded),
        WITH_VAULT(damaged_key_files_are_refused),
        WITH_VAULT(interrupted_creation_is_finished),
        WITH_VAULT(names_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
