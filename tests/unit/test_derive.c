/* test_derive.c - spells, continuous spells and deliveries: hand-made cases with hand-computed
 * answers (tests/derive), and random people against the plainest program
 * (tests/oracle/naive_spells.c). Both go the whole way: rows into a vault, the real catalogue,
 * hd_derive_tables, rows out of the vault.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../oracle/naive_spells.h"
#include "base/alloc.h"
#include "base/csv.h"
#include "base/date.h"
#include "base/rng.h"
#include "derive/codes.h"
#include "derive/derive.h"

/* src/derive is compiled into this program with its allocations renamed to these: the one with
 * number fail_at fails, none when it is 0. */
static unsigned long fail_at;
void *limited_calloc(size_t n, size_t size);
bool limited_grow(void **array, size_t *cap, size_t item);
#undef hd_calloc
#undef hd_grow_
void *hd_calloc(size_t n, size_t size);
bool hd_grow_(void **array, size_t *cap, size_t item);

/* Several threads may allocate. */
static bool fails(void)
{
    unsigned long n = __atomic_load_n(&fail_at, __ATOMIC_RELAXED);
    while (n > 0 && !__atomic_compare_exchange_n(&fail_at, &n, n - 1, true, __ATOMIC_RELAXED,
                                                 __ATOMIC_RELAXED))
        ;
    return n == 1;
}

void *limited_calloc(size_t n, size_t size)
{
    return fails() ? NULL : hd_calloc(n, size);
}

bool limited_grow(void **array, size_t *cap, size_t item)
{
    return fails() ? false : hd_grow_(array, cap, item);
}

enum { MAX_COLUMNS = 32, CELL = 48 };

/* Rows of apc as text; "" is NULL, list elements stand between slashes. */
typedef struct row_set {
    size_t n_columns, n, cap;
    char names[MAX_COLUMNS][24];
    struct row {
        uint32_t person;
        char cells[MAX_COLUMNS][CELL];
    } * at;
} row_set;

static size_t column_of(row_set *r, const char *name, size_t len)
{
    for (size_t i = 0; i < r->n_columns; i++)
        if (strlen(r->names[i]) == len && memcmp(r->names[i], name, len) == 0)
            return i;
    assert_true(r->n_columns < MAX_COLUMNS && len < sizeof r->names[0]);
    memcpy(r->names[r->n_columns], name, len);
    r->names[r->n_columns][len] = '\0';
    return r->n_columns++;
}

static struct row *add_row(row_set *r)
{
    assert_true(HD_GROW(r->at, r->n, r->cap));
    memset(&r->at[r->n], 0, sizeof *r->at);
    return &r->at[r->n++];
}

/* ---- into a vault --------------------------------------------------------------------------- */

typedef struct world {
    char folder[64];
    hd_catalogue *catalogue;
    hd_vault *vault;
} world;

static void must(hd_code rc, const hd_err *err)
{
    if (rc != HD_OK)
        fail_msg("%s", err->text);
}

static void shell(const char *command, const char *a, const char *b)
{
    char text[1024];
    assert_in_range(snprintf(text, sizeof text, command, a, b), 1, sizeof text - 1);
    assert_int_equal(system(text), 0);
}

/* A fresh vault, and the program's catalogue with the variant of continuous spells that is asked.
 */
static void world_open(world *w, char variant)
{
    hd_err err;
    char catalogue[128], vault[128], key[128];
    strcpy(w->folder, "/tmp/hdis-derive-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(catalogue, sizeof catalogue, "%s/catalogue", w->folder);
    snprintf(vault, sizeof vault, "%s/vault", w->folder);
    snprintf(key, sizeof key, "%s/key", w->folder);
    shell("cp -r '%s' '%s'", hd_catalogue_default_folder(), catalogue);
    if (variant == 'A')
        shell("%s -i 's/name: variant, value: B/name: variant, value: A/' "
              "'%s/tables/continuous_spells.yaml'",
              "sed", catalogue);
    must(hd_catalogue_open(&w->catalogue, catalogue, NULL, &err), &err);
    must(hd_vault_create(vault, key, &err), &err);
    must(hd_vault_open(&w->vault, vault, key, true, &err), &err);
}

static void world_close(world *w)
{
    hd_vault_close(w->vault);
    hd_catalogue_close(w->catalogue);
    shell("%s -rf '%s'", "rm", w->folder);
}

static hd_value value_of(hd_type type, const char *text, size_t len)
{
    hd_value v = {.type = type, .is_null = len == 0};
    if (type == HD_TEXT) {
        v.text.bytes = text;
        v.text.len = len;
    } else if (len > 0) {
        v.integer = type == HD_DATE ? hd_date_parse(text, len) : strtoll(text, NULL, 10);
        if (type == HD_DATE)
            assert_int_not_equal(v.integer, HD_DATE_NONE);
    }
    return v;
}

/* All cells of a column as codes; for a list the elements, with their numbers in counts. */
static hd_rows_column build_column(const row_set *r, size_t column, hd_builder *b,
                                   const hd_column_spec *spec)
{
    size_t cap = r->n * 8, n = 0;
    uint32_t *codes = calloc(cap + 1, sizeof *codes), *counts = calloc(r->n + 1, sizeof *counts);
    for (size_t i = 0; i < r->n; i++) {
        const char *at = r->at[i].cells[column];
        do {
            size_t len = spec->kind == HD_COLUMN_LIST ? strcspn(at, "/") : strlen(at);
            hd_value v = value_of(spec->type, at, len);
            if (spec->kind == HD_COLUMN_LIST && len == 0 && at[0] == '\0')
                break;
            hd_err err;
            assert_true(n < cap);
            must(hd_builder_code(b, column, &v, &codes[n++], &err), &err);
            counts[i]++;
            at += len;
        } while (*at++ == '/');
    }
    return (hd_rows_column){.codes = codes, .counts = counts};
}

/* Load rows as apc and, when asked, derive in the same transaction. */
static void load(world *w, const row_set *r, bool derives)
{
    hd_err err;
    const hd_table_def *apc = hd_catalogue_table(w->catalogue, "apc");
    assert_non_null(apc);
    hd_column_spec specs[MAX_COLUMNS] = {0};
    for (size_t i = 0; i < r->n_columns; i++) {
        const hd_field *f = hd_table_def_field(apc, r->names[i]);
        if (!f)
            fail_msg("apc has no field %s", r->names[i]);
        strcpy(specs[i].name, f->name);
        specs[i].kind = f->kind == HD_FIELD_LIST ? HD_COLUMN_LIST : HD_COLUMN_CODES;
        specs[i].type = f->type;
    }
    hd_builder *b;
    must(hd_builder_new(&b, w->vault, "apc", specs, r->n_columns, &err), &err);
    hd_rows_column columns[MAX_COLUMNS];
    for (size_t i = 0; i < r->n_columns; i++)
        columns[i] = build_column(r, i, b, &specs[i]);
    uint32_t *persons = calloc(r->n + 1, sizeof *persons);
    int64_t *order = calloc(r->n + 1, sizeof *order); /* all 0: order of arrival */
    for (size_t i = 0; i < r->n; i++)
        persons[i] = r->at[i].person;
    assert_true(r->n <= HD_BLOCK_ROWS);
    hd_rows block = {.n_rows = r->n, .persons = persons, .order = order, .columns = columns};
    must(hd_builder_append(b, &block, &err), &err);
    hd_publish *p;
    must(hd_publish_begin(&p, w->vault, &err), &err);
    must(hd_publish_table(p, b, &err), &err);
    if (derives)
        must(hd_derive_tables(p, w->vault, w->catalogue, "apc", &err), &err);
    must(hd_publish_commit(p, "test", &err), &err);
    hd_publish_free(p);
    hd_builder_free(b);
    for (size_t i = 0; i < r->n_columns; i++) {
        free((void *)columns[i].codes);
        free((void *)columns[i].counts);
    }
    free(persons);
    free(order);
}

/* ---- out of the vault ----------------------------------------------------------------------- */

static size_t value_text(const hd_value *v, char *out)
{
    out[0] = '\0';
    if (v->is_null)
        return 0;
    if (v->type == HD_DATE)
        hd_date_format((int32_t)v->integer, out);
    else if (v->type == HD_TEXT)
        sprintf(out, "%.*s", (int)v->text.len, v->text.bytes);
    else
        sprintf(out, "%lld", (long long)v->integer);
    return strlen(out);
}

/* A field of a row as text; "-" is NULL. */
static const char *field_text(hd_table *t, uint64_t row, const char *field, char out[256])
{
    hd_err err;
    int c = hd_table_find(t, field);
    if (c < 0)
        fail_msg("%s has no field %s", hd_table_name(t), field);
    const hd_column *column;
    must(hd_table_load(t, (size_t)c, &column, &err), &err);
    const hd_dictionary *d = hd_table_dictionary(t, (size_t)c);
    uint64_t at = column->starts ? column->starts[row] : row;
    uint64_t end = column->starts ? column->starts[row + 1] : row + 1;
    size_t len = 0;
    for (uint64_t i = at; i < end; i++) {
        if (i > at)
            out[len++] = '/';
        hd_value v = hd_dictionary_value(d, hd_code_at(column, i));
        len += value_text(&v, out + len);
        assert_true(len < 200);
    }
    if (len == 0)
        strcpy(out, "-");
    return out;
}

/* ---- the hand-made cases -------------------------------------------------------------------- */

static void read_csv(hd_csv *t, const char *name)
{
    char path[512];
    hd_err err;
    snprintf(path, sizeof path, "%s/tests/derive/%s", getenv("HDIS_SOURCE"), name);
    must(hd_csv_read_file(t, path, 1 << 20, &err), &err);
    assert_int_equal(t->n_columns, 4);
}

/* Put "name=value name=value" into a row. */
static void put_fields(row_set *r, struct row *row, const char *text)
{
    while (*text) {
        size_t name = strcspn(text, "="), len = strcspn(text, " ");
        size_t c = column_of(r, text, name);
        const char *value = text + name + 1;
        size_t value_len = len - name - 1;
        assert_true(value_len < CELL);
        memcpy(row->cells[c], value, value_len);
        row->cells[c][value_len] = '\0';
        text += len;
        text += strspn(text, " ");
    }
}

static void read_episodes(row_set *r, const char *name)
{
    hd_csv t;
    read_csv(&t, name);
    struct row defaults = {0};
    put_fields(r, &defaults, "epistart= epiend= ");
    put_fields(r, &defaults, hd_csv_cell(&t, 0, 3));
    for (size_t i = 1; i < t.n_rows; i++) /* columns first */
        put_fields(r, &(struct row){0}, hd_csv_cell(&t, i, 3));
    for (size_t i = 1; i < t.n_rows; i++) {
        struct row *row = add_row(r);
        *row = defaults;
        put_fields(r, row, hd_csv_cell(&t, i, 3));
        row->person = (uint32_t)atoi(hd_csv_cell(&t, i, 1));
        for (size_t c = 0; c < r->n_columns; c++) {
            char *cell = row->cells[c];
            if (cell[0] == '=')
                memcpy(cell, row->cells[column_of(r, cell + 1, strlen(cell + 1))], CELL);
            if (strcmp(cell, "NULL") == 0)
                cell[0] = '\0';
        }
    }
    hd_csv_free(&t);
}

static void compare_table(world *w, const char *table, const char *name)
{
    hd_err err;
    hd_csv t;
    hd_table *built;
    const uint32_t *persons;
    read_csv(&t, name);
    must(hd_vault_table(w->vault, table, &built, &err), &err);
    must(hd_table_persons(built, &persons, &err), &err);
    for (size_t i = 0; i < t.n_rows && i < hd_table_rows(built); i++) {
        const char *text = hd_csv_cell(&t, i, 3), *why = hd_csv_cell(&t, i, 0);
        if (persons[i] != (uint32_t)atoi(hd_csv_cell(&t, i, 1)))
            fail_msg("%s line %zu (%s): person %u", name, t.lines[i], why, persons[i]);
        while (*text) {
            char field[64], got[256];
            size_t len = strcspn(text, "="), all = strcspn(text, " ");
            snprintf(field, sizeof field, "%.*s", (int)len, text);
            field_text(built, i, field, got);
            if (strlen(got) != all - len - 1 || memcmp(got, text + len + 1, strlen(got)) != 0)
                fail_msg("%s line %zu (%s): expected %.*s, got %s", name, t.lines[i], why, (int)all,
                         text, got);
            text += all;
            text += strspn(text, " ");
        }
    }
    assert_int_equal(hd_table_rows(built), t.n_rows);
    hd_csv_free(&t);
}

static void cases_of_spells(void **state)
{
    (void)state;
    row_set r = {0};
    read_episodes(&r, "spells_episodes.csv");
    for (char variant = 'A'; variant <= 'B'; variant++) {
        world w;
        world_open(&w, variant);
        load(&w, &r, true);
        compare_table(&w, "spells", "spells_expected.csv");
        compare_table(&w, "continuous_spells",
                      variant == 'A' ? "continuous_expected_a.csv" : "continuous_expected_b.csv");
        hd_err err;
        hd_table *deliveries;
        must(hd_vault_table(w.vault, "deliveries", &deliveries, &err), &err);
        assert_int_equal(hd_table_rows(deliveries), 0);
        world_close(&w);
    }
    hd_free(r.at);
}

static void cases_of_deliveries(void **state)
{
    (void)state;
    row_set r = {0};
    world w;
    read_episodes(&r, "deliveries_episodes.csv");
    world_open(&w, 'B');
    load(&w, &r, true);
    compare_table(&w, "deliveries", "deliveries_expected.csv");
    world_close(&w);
    hd_free(r.at);
}

/* ---- random people against the naive program ------------------------------------------------ */

/* Choices of a field; "" is NULL. Short lists and a few weeks of dates make joins frequent. */
static const struct choice {
    const char *name;
    size_t offset;
    const char *values[10];
} choices[] = {
#define CHOICE(field, ...)                                                                         \
    {                                                                                              \
#field, offsetof(naive_row, field),                                                        \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
    CHOICE(epistat, "3", "3", "3", "3", "3", "3", "1", NULL),
    CHOICE(epitype, "1", "1", "1", "1", "2", "5", "3", "", NULL),
    CHOICE(classpat, "1", "1", "1", "2", "3", "4", "5", "9", NULL),
    CHOICE(admimeth, "21", "21", "22", "2B", "11", "12", "81", "67", "", NULL),
    CHOICE(admisorc, "19", "19", "51", "51", "49", "87", "53", "", NULL),
    CHOICE(disdest, "19", "19", "51", "52", "84", "98", "", NULL),
    CHOICE(dismeth, "1", "1", "2", "4", "8", "8", "9", "7", "", NULL),
    CHOICE(procode3, "RA1", "RA1", "RB2", "RC3", "RA1", "RB2", "", NULL),
    CHOICE(mainspef, "100", "100", "300", "501", "560", "710", "715", "720", "", NULL),
    CHOICE(sex, "2", "2", "2", "1", "", NULL),
    CHOICE(delmeth_d, "", "X", "01", "02", "05", "09", "10", NULL),
    CHOICE(numbaby, "1", "2", "9", "X", "", NULL),
    CHOICE(numtailb, "1", "3", "", NULL),
#undef CHOICE
};
static const struct list_choice {
    const char *name;
    size_t offset;
    const char *values[10];
} list_choices[] = {
    {"diagnosis",
     offsetof(naive_row, diagnosis),
     {"I10X", "D36", "D37", "D489", "C97X", "C98", "Z511", "Z510", "C509", "J189"}},
    {"procedure",
     offsetof(naive_row, operation),
     {"R182", "R171", "R249", "R211", "R252", "-", "Y801", "R251", "R261", "R229"}},
    {"delmeth", offsetof(naive_row, delmeth), {"0", "1", "2", "4", "5", "7", "8", "9", "X", "3"}},
};
static const char *const date_names[] = {"epistart", "epiend", "admidate", "disdate"};
static const char *const number_names[] = {"epiorder", "startage", "antedur", "postdur"};

static void set_cell(row_set *r, struct row *row, const char *name, const char *text)
{
    strcpy(row->cells[column_of(r, name, strlen(name))], text);
}

/* A day near the first one, sometimes a sentinel or NULL; into the row and as the naive number. */
static int random_date(row_set *r, struct row *row, const char *name, int day, hd_rng *g)
{
    char text[11] = "";
    uint32_t x = hd_rng_below(g, 40);
    if (x == 0)
        strcpy(text, "1800-01-01");
    else if (x == 1)
        strcpy(text, "1801-01-01");
    else if (x > 3)
        hd_date_format(day, text);
    set_cell(r, row, name, text);
    return x > 3 ? day : NAIVE_NONE;
}

static void random_row(row_set *r, uint32_t person, naive_row *n, int span, hd_rng *g)
{
    struct row *row = add_row(r);
    *n = (naive_row){0};
    row->person = person;
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        uint32_t count = 0;
        while (count < 10 && choices[i].values[count])
            count++;
        const char *value = choices[i].values[hd_rng_below(g, count)];
        set_cell(r, row, choices[i].name, value);
        strcpy((char *)n + choices[i].offset, value);
    }
    for (size_t i = 0; i < sizeof list_choices / sizeof *list_choices; i++) {
        char text[CELL] = "";
        uint32_t count = hd_rng_below(g, i == 0 ? 3 : NAIVE_LIST);
        for (uint32_t k = 0; k < count; k++) {
            const char *value = list_choices[i].values[hd_rng_below(g, 10)];
            if (k > 0)
                strcat(text, "/");
            strcat(text, value);
            strcpy((char *)n + list_choices[i].offset + k * 8, value);
        }
        set_cell(r, row, list_choices[i].name, text);
    }
    int start = hd_date_from_ymd(2015, 12, 20) + (int)hd_rng_below(g, (uint32_t)span);
    int end = start + (int)hd_rng_below(g, 5);
    n->epistart = random_date(r, row, date_names[0], start, g);
    n->epiend = random_date(r, row, date_names[1], end, g);
    n->admidate = random_date(r, row, date_names[2], start - (int)hd_rng_below(g, 3), g);
    n->disdate = random_date(r, row, date_names[3], end + (int)hd_rng_below(g, 2), g);
    int *const numbers[] = {&n->epiorder, &n->startage, &n->antedur, &n->postdur};
    static const int bases[] = {1, 10, 0, 0}, widths[] = {3, 50, 3, 3};
    for (size_t i = 0; i < 4; i++) {
        char text[16] = "";
        *numbers[i] = NAIVE_NONE;
        if (hd_rng_below(g, 8) > 0) {
            *numbers[i] = bases[i] + (int)hd_rng_below(g, (uint32_t)widths[i]);
            sprintf(text, "%d", *numbers[i]);
        }
        set_cell(r, row, number_names[i], text);
    }
}

static void same_number(hd_table *t, uint64_t row, const char *field, int expected)
{
    char got[256], want[16] = "-";
    if (expected != NAIVE_NONE)
        sprintf(want, "%d", expected);
    if (strcmp(field_text(t, row, field, got), want) != 0)
        fail_msg("%s row %lu: %s is %s, naively %s", hd_table_name(t), (unsigned long)row, field,
                 got, want);
}

static void same_date(hd_table *t, uint64_t row, const char *field, int expected)
{
    char got[256], want[16] = "-";
    if (expected != NAIVE_NONE)
        hd_date_format(expected, want);
    if (strcmp(field_text(t, row, field, got), want) != 0)
        fail_msg("%s row %lu: %s is %s, naively %s", hd_table_name(t), (unsigned long)row, field,
                 got, want);
}

static void same_text(hd_table *t, uint64_t row, const char *field, const char *expected)
{
    char got[256];
    if (strcmp(field_text(t, row, field, got), expected[0] ? expected : "-") != 0)
        fail_msg("%s row %lu: %s is %s, naively %s", hd_table_name(t), (unsigned long)row, field,
                 got, expected);
}

static void same_stay(hd_table *t, uint64_t row, const naive_row *rows, const naive_spell *s)
{
    const naive_row *first = &rows[s->rows[0]], *last = &rows[s->rows[s->n_rows - 1]];
    same_date(t, row, "admidate", s->admidate);
    same_date(t, row, "disdate", s->is_finished ? s->end : NAIVE_NONE);
    same_number(t, row, "length_of_stay", s->length_of_stay);
    same_number(t, row, "n_episodes", s->n_rows);
    same_number(t, row, "is_finished", s->is_finished);
    same_text(t, row, "admimeth", first->admimeth);
    same_text(t, row, "classpat", first->classpat);
    same_text(t, row, "disdest", last->disdest);
    same_text(t, row, "dismeth", last->dismeth);
    same_text(t, row, "procode3", last->procode3);
    if (hd_table_find(t, "has_cancer") < 0)
        return;
    same_number(t, row, "n_provider_spells", s->n_provider_spells);
    same_number(t, row, "days_to_next_emergency_admission", s->next);
    same_number(t, row, "has_cancer", s->has_cancer);
    same_number(t, row, "is_maternity", s->is_maternity);
    same_number(t, row, "is_mental_health", s->is_mental_health);
}

typedef struct people {
    uint32_t n;
    naive_row *rows;
    uint32_t *starts; /* n + 1: rows of person i + 1 */
} people;

static void random_people(row_set *r, people *p, uint64_t seed, uint32_t n)
{
    hd_rng g = hd_rng_stream(seed, 1);
    p->n = n;
    p->rows = calloc((size_t)n * 12, sizeof *p->rows);
    p->starts = calloc(n + 1, sizeof *p->starts);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t count = 1 + hd_rng_below(&g, 11);
        /* Some live through a fortnight, some through a year: deliveries need the room. */
        int span = i % 4 == 0 ? 400 : i % 4 == 1 ? 60 : 14;
        for (uint32_t k = 0; k < count; k++)
            random_row(r, i + 1, &p->rows[p->starts[i] + k], span, &g);
        p->starts[i + 1] = p->starts[i] + count;
    }
}

static void compare_people(world *w, const people *p, char variant)
{
    static const char *const names[] = {"spells", "continuous_spells", "deliveries"};
    hd_err err;
    hd_table *t[3];
    const uint32_t *persons[3];
    uint64_t at[3] = {0};
    for (int k = 0; k < 3; k++) {
        must(hd_vault_table(w->vault, names[k], &t[k], &err), &err);
        must(hd_table_persons(t[k], &persons[k], &err), &err);
    }
    static naive_spell spells[NAIVE_MAX];
    static naive_delivery deliveries[NAIVE_MAX];
    for (uint32_t i = 0; i < p->n; i++) {
        const naive_row *rows = p->rows + p->starts[i];
        int n = (int)(p->starts[i + 1] - p->starts[i]);
        for (int k = 0; k < 2; k++) {
            int m = k == 0 ? naive_spells(rows, n, spells) : naive_stays(rows, n, variant, spells);
            for (int s = 0; s < m; s++, at[k]++) {
                assert_true(at[k] < hd_table_rows(t[k]));
                assert_int_equal(persons[k][at[k]], i + 1);
                same_stay(t[k], at[k], rows, &spells[s]);
            }
        }
        int m = naive_deliveries(rows, n, deliveries);
        for (int d = 0; d < m; d++, at[2]++) {
            assert_true(at[2] < hd_table_rows(t[2]));
            assert_int_equal(persons[2][at[2]], i + 1);
            same_date(t[2], at[2], "delivery_date", rows[deliveries[d].row].epiend);
            same_text(t[2], at[2], "delivery_method", deliveries[d].method);
            same_number(t[2], at[2], "n_babies", deliveries[d].n_babies);
        }
    }
    for (int k = 0; k < 3; k++)
        assert_int_equal(at[k], hd_table_rows(t[k]));
}

static void random_people_agree(void **state)
{
    (void)state;
    for (char variant = 'A'; variant <= 'B'; variant++) {
        row_set r = {0};
        people p;
        world w;
        random_people(&r, &p, 20150401u + (uint64_t)variant, 4000);
        world_open(&w, variant);
        load(&w, &r, true);
        compare_people(&w, &p, variant);
        world_close(&w);
        free(p.rows);
        free(p.starts);
        hd_free(r.at);
    }
}

/* ---- code lists ----------------------------------------------------------------------------- */

static void code_lists(void **state)
{
    (void)state;
    static const struct {
        const char *list, *value;
        bool is_in;
    } cases[] = {
        {"51-53", "51", true},     {"51-53", "53", true},      {"51-53", "54", false},
        {"51-53 84", "84", true},  {"", "84", false},          {"84", "", false},
        {"C00-C97", "C979", true}, {"C00-C97", "C98", false},  {"C00-C97", "C9", false},
        {"Z511", "Z511", true},    {"Z511", "Z51", false},     {"2", "2A", true},
        {"  2   3 ", "3", true},   {"D37-D48", "D360", false}, {"D37-D48", "D48X", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hd_value v = value_of(HD_TEXT, cases[i].value, strlen(cases[i].value));
        assert_int_equal(hd_codes_match(cases[i].list, &v), cases[i].is_in);
    }
    hd_value three = {.type = HD_INTEGER, .integer = 3};
    assert_true(hd_codes_match("3", &three));
    assert_false(hd_codes_match("30", &three));
    assert_true(hd_codes_are_good(""));
    assert_true(hd_codes_are_good("49-53 84"));
    static const char *const bad[] = {"-", "5-", "-5", "53-51", "5-10", "1-2-3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(hd_codes_are_good(bad[i]));
}

/* ---- what goes wrong ------------------------------------------------------------------------ */

static hd_code derive_alone(world *w, hd_err *err)
{
    hd_publish *p;
    must(hd_publish_begin(&p, w->vault, err), err);
    hd_code rc = hd_derive_tables(p, w->vault, w->catalogue, "apc", err);
    hd_publish_free(p);
    return rc;
}

static void each_allocation_can_fail(void **state)
{
    (void)state;
    row_set r = {0};
    world w;
    hd_err err;
    read_episodes(&r, "deliveries_episodes.csv");
    world_open(&w, 'B');
    load(&w, &r, false);
    hd_code rc = HD_NOMEM;
    unsigned long n = 0;
    while (rc != HD_OK) {
        fail_at = ++n;
        rc = derive_alone(&w, &err);
        fail_at = 0;
        assert_true(rc == HD_OK || rc == HD_NOMEM);
    }
    assert_true(n > 100);
    assert_int_equal(derive_alone(&w, &err), HD_OK);
    world_close(&w);
    hd_free(r.at);
}

/* Change a table's definition with sed, and derive. */
static void wrong_definition(const char *table, const char *edit, const char *says)
{
    row_set r = {0};
    world w;
    hd_err err;
    char command[256];
    read_episodes(&r, "deliveries_episodes.csv");
    world_open(&w, 'B');
    load(&w, &r, false);
    hd_catalogue_close(w.catalogue);
    w.catalogue = NULL;
    snprintf(command, sizeof command, "sed -i '%s' '%%s/catalogue/tables/%%s.yaml'", edit);
    shell(command, w.folder, table);
    char folder[128];
    snprintf(folder, sizeof folder, "%s/catalogue", w.folder);
    must(hd_catalogue_open(&w.catalogue, folder, NULL, &err), &err);
    assert_int_equal(derive_alone(&w, &err), HD_FORMAT);
    assert_non_null(strstr(err.text, says));
    world_close(&w);
    hd_free(r.at);
}

static void wrong_definitions_are_named(void **state)
{
    (void)state;
    wrong_definition("continuous_spells", "s/name: variant, value: B/name: variant, value: C/",
                     "variant");
    wrong_definition("continuous_spells", "s/name: variant, value: B/name: variants, value: B/",
                     "variants");
    wrong_definition("continuous_spells",
                     "s/name: variant, value: B/name: admitted_by, value: 2B-/", "admimeth");
    wrong_definition("continuous_spells",
                     "s/name: variant, value: B/name: not_continued, value: \"19 51\"/",
                     "not_continued");
    wrong_definition("deliveries", "s/name: oldest, value: \"55\"/name: oldest, value: old/",
                     "oldest");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_lists),
        cmocka_unit_test(cases_of_spells),
        cmocka_unit_test(cases_of_deliveries),
        cmocka_unit_test(random_people_agree),
        cmocka_unit_test(each_allocation_can_fail),
        cmocka_unit_test(wrong_definitions_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
