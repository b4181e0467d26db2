/* world.c - see world.h. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/date.h"

static void *keep(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        abort();
    return p;
}

hd_value text_value(const char *s)
{
    return s ? (hd_value){.type = HD_TEXT, .text = {s, strlen(s)}}
             : (hd_value){.type = HD_TEXT, .is_null = true};
}

static hd_value number(hd_type type, int64_t n)
{
    hd_value v = {.type = type};
    if (type == HD_DECIMAL)
        v.decimal = (double)n;
    else
        v.integer = n;
    return v;
}

static hd_value null_of(hd_type type)
{
    return (hd_value){.type = type, .is_null = true};
}

static bool chance(hd_rng *r, uint32_t in_hundred)
{
    return hd_rng_below(r, 100) < in_hundred;
}

static hd_value pick(hd_rng *r, const char *const *list, uint32_t n)
{
    return text_value(list[hd_rng_below(r, n)]);
}

/* Texts made from a number; each is kept once, for the whole run. */
static hd_value numbered(const char *start, const char *format, unsigned n)
{
    enum { MAX_TEXTS = 1000, MAX_LENGTH = 16 };
    static char texts[MAX_TEXTS][MAX_LENGTH];
    static size_t n_texts;
    char *text = texts[n_texts];
    int at = snprintf(text, MAX_LENGTH, "%s", start);
    snprintf(text + at, MAX_LENGTH - (size_t)at, format, n);
    for (size_t i = 0; i < n_texts; i++)
        if (strcmp(texts[i], text) == 0)
            return text_value(texts[i]);
    if (++n_texts == MAX_TEXTS)
        abort();
    return text_value(text);
}

/* ---- values ---------------------------------------------------------------------------------- */

static hd_value make_sex(hd_rng *r)
{
    static const char *const codes[] = {"1", "1", "2", "2", "2", "9", NULL};
    return pick(r, codes, 7);
}

static hd_value make_method(hd_rng *r)
{
    static const char *const codes[] = {"11", "12", "13", "21", "22", "2A", "28", "31", "82", NULL};
    return pick(r, codes, 10);
}

static hd_value make_place(hd_rng *r)
{
    return chance(r, 5) ? text_value(NULL) : numbered("R", "%02u", 1 + hd_rng_below(r, 24));
}

static hd_value make_ward(hd_rng *r)
{
    static const char *const odd[] = {"",
                                      " ",
                                      "50%_x",
                                      "O'Brien",
                                      "\xE6\x97\xA5\xE6\x9C\xAC",
                                      NULL,
                                      "\xE2\x82\xAC 5",
                                      "W1\xE2\x80\x94W2",
                                      "_",
                                      "\\",
                                      "a\"b"};
    return chance(r, 30) ? pick(r, odd, 11) : numbered("W", "%03u", hd_rng_below(r, 300));
}

static hd_value make_blank(hd_rng *r)
{
    (void)r;
    return text_value(NULL);
}

static hd_value make_age(hd_rng *r)
{
    if (chance(r, 4))
        return null_of(HD_INTEGER);
    return number(HD_INTEGER, chance(r, 8) ? 7001 + hd_rng_below(r, 7) : hd_rng_below(r, 101));
}

static hd_value make_los(hd_rng *r)
{
    if (chance(r, 20))
        return null_of(HD_INTEGER);
    return number(HD_INTEGER, hd_rng_below(r, 1 + hd_rng_below(r, 1 + hd_rng_below(r, 60))));
}

static hd_value make_balance(hd_rng *r)
{
    if (chance(r, 10))
        return null_of(HD_INTEGER);
    return number(HD_INTEGER, (int64_t)hd_rng_below(r, 2000001) - 1000000);
}

static hd_value make_cost(hd_rng *r)
{
    hd_value v = {.type = HD_DECIMAL, .is_null = chance(r, 10)};
    if (!v.is_null)
        v.decimal = (double)hd_rng_below(r, 1 + hd_rng_below(r, 500000)) / 100;
    return v;
}

static hd_value make_weight(hd_rng *r)
{
    hd_value v = {.type = HD_DECIMAL, .is_null = chance(r, 10)};
    if (!v.is_null)
        v.decimal = ((double)hd_rng_below(r, 801) - 400) / 8;
    return v;
}

static hd_value make_date(hd_rng *r)
{
    if (chance(r, 3))
        return number(HD_DATE, hd_date_from_ymd(1800 + (int)hd_rng_below(r, 2), 1, 1));
    return number(HD_DATE, hd_date_from_ymd(2013, 12, 20) + (int)hd_rng_below(r, 800));
}

static hd_value make_date_or_null(hd_rng *r)
{
    return chance(r, 25) ? null_of(HD_DATE) : make_date(r);
}

static hd_value make_code(hd_rng *r)
{
    static const char *const chapters[] = {"E10", "E11", "E14", "I20", "I21", "I2",
                                           "R73", "Z51", "C34", "J44", "E1",  "X"};
    const char *chapter = chapters[hd_rng_below(r, 12)];
    if (chance(r, 12))
        return text_value(NULL);
    return chance(r, 30) ? text_value(chapter) : numbered(chapter, "%u", hd_rng_below(r, 10));
}

static hd_value make_outcome(hd_rng *r)
{
    static const char *const codes[] = {"01", "02", "03", "10", "12", NULL, NULL, NULL};
    return pick(r, codes, 8);
}

/* ---- expression fields, as catalogue/ has them ------------------------------------------------
 */

static hd_value derive_band(hd_value age)
{
    if (age.is_null)
        return text_value(NULL);
    return text_value(age.integer >= 7000 ? "baby"
                      : age.integer < 18  ? "child"
                      : age.integer < 65  ? "adult"
                                          : "old");
}

static hd_value derive_kind(hd_value method)
{
    if (method.is_null)
        return text_value(NULL);
    char c = method.text.len ? method.text.bytes[0] : ' ';
    return text_value(c == '1' ? "planned" : c == '2' ? "emergency" : "other");
}

static hd_value derive_month(hd_value day)
{
    int y, m, d;
    if (day.is_null)
        return day;
    hd_date_to_ymd((int32_t)day.integer, &y, &m, &d);
    return number(HD_DATE, hd_date_from_ymd(y, m, 1));
}

static hd_value derive_long(hd_value los)
{
    return los.is_null ? los : number(HD_INTEGER, los.integer >= 7);
}

static hd_value derive_region(hd_value place)
{
    int n = place.is_null ? 99 : atoi(place.text.bytes + 1);
    return text_value(n <= 5 ? "North" : n <= 12 ? "South" : n <= 20 ? "East" : NULL);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static const field stays[] = {
    {"epikey", KEY, HD_INTEGER},
    {"sex", STORED, HD_TEXT, true, make_sex},
    {"method", STORED, HD_TEXT, true, make_method},
    {"place", STORED, HD_TEXT, true, make_place},
    {"ward", STORED, HD_TEXT, false, make_ward},
    {"blank", STORED, HD_TEXT, true, make_blank},
    {"age", STORED, HD_INTEGER, false, make_age},
    {"los", STORED, HD_INTEGER, false, make_los},
    {"balance", STORED, HD_INTEGER, false, make_balance},
    {"cost", STORED, HD_DECIMAL, false, make_cost},
    {"weight", STORED, HD_DECIMAL, false, make_weight},
    {"admitted", STORED, HD_DATE, false, make_date},
    {"left_on", STORED, HD_DATE, false, make_date_or_null},
    {"diagnosis", LIST, HD_TEXT, true, make_code, .position = "diag_%02u", .n_elements = 6},
    {"operation", LIST, HD_TEXT, true, make_code, .position = "oper_%02u", .n_elements = 3},
    {"age_band", EXPRESSION, HD_TEXT, true, .derive = derive_band, .of = "age"},
    {"kind_of_stay", EXPRESSION, HD_TEXT, true, .derive = derive_kind, .of = "method"},
    {"month", EXPRESSION, HD_DATE, false, .derive = derive_month, .of = "admitted"},
    {"is_long", EXPRESSION, HD_INTEGER, false, .derive = derive_long, .of = "los"},
    {"region", EXPRESSION, HD_TEXT, true, .derive = derive_region, .of = "place"},
    {0},
};

static const field visits[] = {
    {"aekey", KEY, HD_INTEGER},
    {"outcome", STORED, HD_TEXT, true, make_outcome},
    {"minutes", STORED, HD_INTEGER, false, make_los},
    {"score", STORED, HD_DECIMAL, false, make_weight},
    {"arrived", STORED, HD_DATE, false, make_date_or_null},
    {"symptom", LIST, HD_TEXT, true, make_code, .position = "symptom_%02u", .n_elements = 2},
    {0},
};

int field_number(const table *t, const char *name)
{
    for (size_t i = 0; i < t->n_fields; i++)
        if (strcmp(t->fields[i].name, name) == 0)
            return (int)i;
    return -1;
}

static void fill_row(table *t, hd_rng *r, size_t row)
{
    for (size_t i = 0; i < t->n_fields; i++) {
        const field *f = &t->fields[i];
        if (f->shape == KEY)
            t->keys[i][row] = chance(r, 5) ? 0 : 1 + hd_rng_below(r, (uint32_t)t->n_rows);
        else if (f->shape == STORED)
            t->values[i][row] = f->make(r);
        else if (f->shape == EXPRESSION)
            t->values[i][row] = f->derive(t->values[field_number(t, f->of)][row]);
        for (unsigned e = 0; f->shape == LIST && e < f->n_elements; e++) {
            hd_value v = chance(r, 45) ? text_value(NULL) : f->make(r);
            t->elements[i][row * MAX_ELEMENTS + e] = v;
            if (!v.is_null)
                t->lengths[i][row] = e + 1;
        }
    }
}

static void fill_table(table *t, const char *name, const field *fields, size_t n_rows,
                       uint32_t unlinked, hd_rng *r)
{
    *t = (table){.name = name, .fields = fields, .n_rows = n_rows};
    while (fields[t->n_fields].name)
        t->n_fields++;
    t->persons = keep(n_rows, sizeof *t->persons);
    for (size_t i = 0; i < t->n_fields; i++) {
        t->values[i] = keep(n_rows, sizeof **t->values);
        t->elements[i] = keep(n_rows * MAX_ELEMENTS, sizeof **t->elements);
        t->lengths[i] = keep(n_rows, sizeof **t->lengths);
        t->keys[i] = keep(n_rows, sizeof **t->keys);
    }
    for (size_t row = 0; row < n_rows; row++) {
        t->persons[row] = chance(r, unlinked) ? 0 : 1 + hd_rng_below(r, (uint32_t)n_rows / 3);
        fill_row(t, r, row);
    }
}

void world_make(table tables[N_TABLES], uint64_t seed)
{
    world_make_long(tables, seed, 0);
}

void world_make_long(table tables[N_TABLES], uint64_t seed, size_t n_rows)
{
    hd_rng r = hd_rng_stream(seed, 1);
    size_t few = 900 + hd_rng_below(&r, 500);
    fill_table(&tables[0], "stays", stays, n_rows ? n_rows : few, 6, &r);
    fill_table(&tables[1], "visits", visits, 60 + hd_rng_below(&r, 300), 0, &r);
    fill_table(&tables[2], "calls", visits, 0, 0, &r);
}

void world_free(table tables[N_TABLES])
{
    for (size_t k = 0; k < N_TABLES; k++) {
        table *t = &tables[k];
        for (size_t i = 0; i < t->n_fields; i++) {
            free(t->values[i]);
            free(t->elements[i]);
            free(t->lengths[i]);
            free(t->keys[i]);
        }
        free(t->persons);
    }
}

/* ---- the vault ------------------------------------------------------------------------------- */

static void must(hd_code rc, const hd_err *err)
{
    if (rc == HD_OK)
        return;
    fprintf(stderr, "cannot make the vault: %s\n", err->text);
    abort();
}

/* n rows from `first` on. */
static void append(hd_builder *b, const table *t, const int *fields, size_t n_columns, size_t first,
                   size_t n_rows)
{
    hd_err err;
    hd_rows_column columns[MAX_FIELDS] = {0};
    int64_t *order = keep(n_rows, sizeof *order);
    for (size_t c = 0; c < n_columns; c++) {
        int f = fields[c];
        bool is_list = t->fields[f].shape == LIST;
        uint32_t *codes = keep(n_rows * MAX_ELEMENTS, sizeof *codes);
        uint32_t *counts = keep(n_rows, sizeof *counts);
        size_t n = 0;
        for (size_t i = 0; i < n_rows && t->fields[f].shape != KEY; i++) {
            size_t row = first + i;
            const hd_value *v = is_list ? &t->elements[f][row * MAX_ELEMENTS] : &t->values[f][row];
            counts[i] = is_list ? t->lengths[f][row] : 1;
            for (uint32_t e = 0; e < counts[i]; e++, n++)
                must(hd_builder_code(b, c, &v[e], &codes[n], &err), &err);
        }
        columns[c] = (hd_rows_column){codes, counts, t->keys[f] ? t->keys[f] + first : NULL};
    }
    const hd_rows rows = {n_rows, t->persons + first, order, columns};
    must(hd_builder_append(b, &rows, &err), &err);
    for (size_t c = 0; c < n_columns; c++) {
        free((void *)(uintptr_t)columns[c].codes);
        free((void *)(uintptr_t)columns[c].counts);
    }
    free(order);
}

static void store_table(const table *t, hd_vault *v, hd_publish *p)
{
    static const hd_column_kind kinds[] = {
        [STORED] = HD_COLUMN_CODES, [LIST] = HD_COLUMN_LIST, [KEY] = HD_COLUMN_KEY};
    hd_err err;
    hd_builder *b;
    hd_column_spec specs[MAX_FIELDS] = {0};
    int fields[MAX_FIELDS];
    size_t n = 0;
    for (size_t i = 0; i < t->n_fields; i++) {
        const field *f = &t->fields[i];
        if (f->shape == EXPRESSION)
            continue;
        snprintf(specs[n].name, sizeof specs[n].name, "%s", f->name);
        specs[n].kind = kinds[f->shape];
        specs[n].type = f->type;
        fields[n++] = (int)i;
    }
    must(hd_builder_new(&b, v, t->name, specs, n, &err), &err);
    for (size_t at = 0; at == 0 || at < t->n_rows; at += HD_BLOCK_ROWS) {
        size_t left = t->n_rows - at;
        append(b, t, fields, n, at, left < HD_BLOCK_ROWS ? left : HD_BLOCK_ROWS);
    }
    must(hd_publish_table(p, b, &err), &err);
    hd_builder_free(b);
}

void world_publish(const table tables[N_TABLES], hd_vault *v)
{
    hd_err err;
    hd_publish *p;
    must(hd_publish_begin(&p, v, &err), &err);
    for (size_t i = 0; i < N_TABLES; i++)
        store_table(&tables[i], v, p);
    must(hd_publish_commit(p, "tables of the oracle", &err), &err);
    hd_publish_free(p);
}

void world_store(const table tables[N_TABLES], const char *folder, const char *key_file)
{
    hd_err err;
    hd_vault *v;
    must(hd_vault_create(folder, key_file, &err), &err);
    must(hd_vault_open(&v, folder, key_file, true, &err), &err);
    world_publish(tables, v);
    hd_vault_close(v);
}
