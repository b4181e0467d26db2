/* rules.c - see rules.h. Everything points into the CSV tables that the rulebook keeps. */
#include "landing/rules.h"
#include "base/alloc.h"
#include "base/csv.h"

#include <stdio.h>
#include <string.h>

enum { TABLE_BYTES = 4 * 1024 * 1024, TABLES = 3, VALUES = 32 };

static const char *const rule_names[HD_N_RULES] = {
    "few_fields", "many_fields", "quote",    "nul",      "utf8",
    "long_field", "long_row",    "misfit",   "invalid",  "no_person",
    "no_key",     "no_period",   "same_key", "same_row", "contradiction",
};
static const char *const test_names[] = {"days_equal",  "minutes_equal", "not_before",
                                         "starts_with", "flag",          "never"};
/* Fields that each test must name: a, b, c. */
static const unsigned test_fields[] = {3, 3, 2, 2, 1, 0};

static const struct {
    const char *file;
    const char *columns[9];
} shapes[TABLES] = {
    {"rules.csv", {"rule", "kind", "says", "do"}},
    {"checks.csv", {"check", "table", "test", "a", "b", "c", "when", "title", "source"}},
    {"key_fields.csv", {"table", "role", "field"}},
};
enum { RULES, CHECKS, KEY_FIELDS };

struct hd_quality_tables {
    hd_csv csv[TABLES];
    char path[TABLES][512];
    size_t n_texts, cap_texts;
    char **texts; /* cut-up condition texts */
    size_t n_lists, cap_lists;
    const char ***lists;
};

/* ---- reading the tables --------------------------------------------------------------------- */

static hd_code read_tables(struct hd_quality_tables *q, const char *folder, hd_err *err)
{
    for (int i = 0; i < TABLES; i++) {
        snprintf(q->path[i], sizeof q->path[i], "%s/quality/%s", folder, shapes[i].file);
        HD_TRY(hd_csv_read_file(&q->csv[i], q->path[i], TABLE_BYTES, err));
        for (int k = 0; k < 9 && shapes[i].columns[k]; k++)
            if (hd_csv_column(&q->csv[i], shapes[i].columns[k]) != k)
                return hd_fail(err, HD_FORMAT, "%s, line 1: column %d must be %s", q->path[i],
                               k + 1, shapes[i].columns[k]);
    }
    return HD_OK;
}

static hd_code wrong(const struct hd_quality_tables *q, int table, size_t row, int column,
                     const char *what, hd_err *err)
{
    return hd_fail(err, HD_FORMAT, "%s, line %zu, column %s: %s", q->path[table],
                   q->csv[table].lines[row], shapes[table].columns[column], what);
}

static hd_code read_rules(hd_rulebook *b, hd_err *err)
{
    struct hd_quality_tables *q = b->tables_;
    const hd_csv *t = &q->csv[RULES];
    for (size_t r = 0; r < t->n_rows; r++) {
        size_t id = 0;
        while (id < HD_N_RULES && strcmp(rule_names[id], hd_csv_cell(t, r, 0)) != 0)
            id++;
        if (id == HD_N_RULES)
            return wrong(q, RULES, r, 0, "no such rule", err);
        const char *kind = hd_csv_cell(t, r, 1);
        bool is_structural = strcmp(kind, "structural") == 0;
        if (!is_structural && strcmp(kind, "content") != 0)
            return wrong(q, RULES, r, 1, "structural or content is expected", err);
        if (!is_structural && id <= HD_RULE_LONG_ROW)
            return wrong(q, RULES, r, 1, "a row that cannot be read can only be structural", err);
        b->rules[id] =
            (hd_rule){rule_names[id], is_structural, hd_csv_cell(t, r, 2), hd_csv_cell(t, r, 3)};
    }
    for (size_t id = 0; id < HD_N_RULES; id++)
        if (!b->rules[id].name)
            return hd_fail(err, HD_FORMAT, "%s: rule %s is missing", q->path[RULES],
                           rule_names[id]);
    return HD_OK;
}

static int field_at(const hd_table_def *t, const char *name)
{
    for (size_t i = 0; i < t->n_fields; i++)
        if (strcmp(t->fields[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* ---- conditions: "field in 1 2; other not 8; third like 2" ----------------------------------- */

static hd_code read_condition(hd_rulebook *b, const hd_table_def *t, char *text, size_t row,
                              uint64_t *bits, hd_err *err)
{
    struct hd_quality_tables *q = b->tables_;
    char *save, *field = strtok_r(text, " ", &save);
    char *kind = field ? strtok_r(NULL, " ", &save) : NULL;
    hd_condition k = {.field = field ? field_at(t, field) : -1};
    if (!kind || k.field < 0)
        return wrong(q, CHECKS, row, 6, "no such field of the table", err);
    if (t->fields[k.field].kind != HD_FIELD_STORED)
        return wrong(q, CHECKS, row, 6, "a condition needs a stored field", err);
    if (strcmp(kind, "in") == 0)
        k.kind = HD_COND_IN;
    else if (strcmp(kind, "not") == 0)
        k.kind = HD_COND_NOT;
    else if (strcmp(kind, "like") == 0)
        k.kind = HD_COND_LIKE;
    else
        return wrong(q, CHECKS, row, 6, "in, not or like is expected after the field", err);
    if (b->n_conditions == HD_MAX_CONDITIONS)
        return wrong(q, CHECKS, row, 6, "more than 64 conditions for one table", err);
    if (!HD_GROW(q->lists, q->n_lists, q->cap_lists))
        return hd_fail_nomem(err);
    k.values = hd_calloc(VALUES, sizeof *k.values);
    if (!k.values)
        return hd_fail_nomem(err);
    q->lists[q->n_lists++] = k.values;
    for (char *v; (v = strtok_r(NULL, " ", &save)) && k.n_values < VALUES;)
        k.values[k.n_values++] = v;
    if (k.n_values == 0)
        return wrong(q, CHECKS, row, 6, "the condition names no value", err);
    *bits |= UINT64_C(1) << b->n_conditions;
    b->conditions[b->n_conditions++] = k;
    return HD_OK;
}

static hd_code read_conditions(hd_rulebook *b, const hd_table_def *t, const char *text, size_t row,
                               uint64_t *bits, hd_err *err)
{
    struct hd_quality_tables *q = b->tables_;
    if (!HD_GROW(q->texts, q->n_texts, q->cap_texts))
        return hd_fail_nomem(err);
    char *copy = hd_strdup(text);
    if (!copy)
        return hd_fail_nomem(err);
    q->texts[q->n_texts++] = copy;
    char *save;
    for (char *part = strtok_r(copy, ";", &save); part; part = strtok_r(NULL, ";", &save))
        HD_TRY(read_condition(b, t, part, row, bits, err));
    return HD_OK;
}

bool hd_condition_holds(const hd_condition *k, const char *text, size_t len)
{
    bool found = false;
    for (size_t i = 0; i < k->n_values && !found; i++) {
        size_t n = strlen(k->values[i]);
        found = k->kind == HD_COND_LIKE ? len >= n && memcmp(text, k->values[i], n) == 0
                                        : len == n && memcmp(text, k->values[i], n) == 0;
    }
    return found != (k->kind == HD_COND_NOT);
}

/* ---- checks --------------------------------------------------------------------------------- */

static hd_code read_check(hd_rulebook *b, const hd_table_def *t, size_t row, hd_err *err)
{
    struct hd_quality_tables *q = b->tables_;
    const hd_csv *csv = &q->csv[CHECKS];
    hd_check k = {.name = hd_csv_cell(csv, row, 0),
                  .title = hd_csv_cell(csv, row, 7),
                  .source = hd_csv_cell(csv, row, 8)};
    size_t test = 0;
    while (test < sizeof test_names / sizeof *test_names &&
           strcmp(test_names[test], hd_csv_cell(csv, row, 2)) != 0)
        test++;
    if (test == sizeof test_names / sizeof *test_names)
        return wrong(q, CHECKS, row, 2, "no such test", err);
    k.test = (hd_check_test)test;
    int *fields[] = {&k.a, &k.b, &k.c};
    for (unsigned i = 0; i < 3; i++) {
        const char *name = hd_csv_cell(csv, row, 3 + (int)i);
        *fields[i] = -1;
        if ((i < test_fields[test]) != (*name != '\0'))
            return wrong(q, CHECKS, row, 3 + (int)i, "the test takes another number of fields",
                         err);
        if (!*name)
            continue;
        *fields[i] = field_at(t, name);
        if (*fields[i] < 0 || t->fields[*fields[i]].kind != HD_FIELD_STORED)
            return wrong(q, CHECKS, row, 3 + (int)i, "no stored field of that name", err);
    }
    HD_TRY(read_conditions(b, t, hd_csv_cell(csv, row, 6), row, &k.conditions, err));
    if (test_fields[test] < 2 && !k.conditions)
        return wrong(q, CHECKS, row, 6, "the test needs a condition", err);
    b->checks[b->n_checks++] = k;
    return HD_OK;
}

static hd_code read_checks(hd_rulebook *b, const hd_table_def *t, hd_err *err)
{
    const hd_csv *csv = &b->tables_->csv[CHECKS];
    b->checks = hd_calloc(csv->n_rows, sizeof *b->checks);
    if (!b->checks)
        return hd_fail_nomem(err);
    for (size_t r = 0; r < csv->n_rows; r++)
        if (strcmp(hd_csv_cell(csv, r, 1), t->name) == 0)
            HD_TRY(read_check(b, t, r, err));
    return HD_OK;
}

static hd_code read_key_fields(hd_rulebook *b, const hd_table_def *t, hd_err *err)
{
    struct hd_quality_tables *q = b->tables_;
    const hd_csv *csv = &q->csv[KEY_FIELDS];
    b->provider = -1;
    b->period = t->period ? field_at(t, t->period) : -1;
    if (b->period >= 0 && t->fields[b->period].kind != HD_FIELD_STORED)
        b->period = -1;
    for (size_t r = 0; r < csv->n_rows; r++) {
        if (strcmp(hd_csv_cell(csv, r, 0), t->name) != 0)
            continue;
        int f = field_at(t, hd_csv_cell(csv, r, 2));
        if (f < 0 || (t->fields[f].kind != HD_FIELD_STORED && t->fields[f].kind != HD_FIELD_LIST))
            return wrong(q, KEY_FIELDS, r, 2, "no stored field or list of that name", err);
        if (strcmp(hd_csv_cell(csv, r, 1), "provider") == 0)
            b->provider = f;
        else if (strcmp(hd_csv_cell(csv, r, 1), "key") != 0)
            return wrong(q, KEY_FIELDS, r, 1, "provider or key is expected", err);
        else if (b->n_key_fields == HD_MAX_KEY_FIELDS)
            return wrong(q, KEY_FIELDS, r, 1, "more than 16 key fields for one table", err);
        else
            b->key_fields[b->n_key_fields++] = f;
    }
    if (b->provider >= 0 && t->fields[b->provider].kind != HD_FIELD_STORED)
        return hd_fail(err, HD_FORMAT, "%s: the provider field of %s must be a stored field",
                       q->path[KEY_FIELDS], t->name);
    return HD_OK;
}

hd_code hd_rulebook_open(hd_rulebook **out, const hd_catalogue *c, const hd_table_def *t,
                         hd_err *err)
{
    hd_code rc;
    *out = NULL;
    hd_rulebook *b = hd_calloc(1, sizeof *b);
    if (!b)
        return hd_fail_nomem(err);
    b->tables_ = hd_calloc(1, sizeof *b->tables_);
    if (!b->tables_) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(read_tables(b->tables_, hd_catalogue_folder(c), err));
    HD_GO(read_rules(b, err));
    HD_GO(read_checks(b, t, err));
    HD_GO(read_key_fields(b, t, err));
    *out = b;
    b = NULL;
out:
    hd_rulebook_close(b);
    return rc;
}

void hd_rulebook_close(hd_rulebook *b)
{
    if (!b)
        return;
    struct hd_quality_tables *q = b->tables_;
    for (int i = 0; q && i < TABLES; i++)
        hd_csv_free(&q->csv[i]);
    for (size_t i = 0; q && i < q->n_texts; i++)
        hd_free(q->texts[i]);
    for (size_t i = 0; q && i < q->n_lists; i++)
        hd_free((void *)q->lists[i]);
    if (q) {
        hd_free(q->texts);
        hd_free((void *)q->lists);
    }
    hd_free(q);
    hd_free(b->checks);
    hd_free(b);
}
