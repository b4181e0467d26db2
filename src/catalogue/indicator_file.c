/* indicator_file.c - see indicator_file.h. */
#include "catalogue/indicator_file.h"

#include "base/alloc.h"
#include "catalogue/folder.h"
#include "catalogue/yaml.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* As it stands in the file. */
typedef struct text_form {
    const char *id, *title, *source, *note, *domain, *table, *month, *where, *numerator,
        *denominator, *value, *numerator_text, *denominator_text, *method, *bad, *unit;
    const double *quantile, *target;
    const int64_t *minimum_denominator, *follow_up_days;
} text_form;

#define TEXT(key, required)                                                                        \
    {                                                                                              \
#key, HD_YAML_TEXT, required, offsetof(text_form, key)                                     \
    }

static const hd_yaml_key keys[] = {
    TEXT(id, true),
    TEXT(title, true),
    TEXT(source, true),
    TEXT(note, false),
    TEXT(domain, true),
    TEXT(table, true),
    TEXT(month, true),
    TEXT(where, true),
    TEXT(numerator, false),
    TEXT(denominator, false),
    TEXT(value, false),
    TEXT(numerator_text, false),
    TEXT(denominator_text, true),
    TEXT(method, true),
    TEXT(bad, true),
    TEXT(unit, true),
    {"quantile", HD_YAML_DECIMAL, false, offsetof(text_form, quantile)},
    {"target", HD_YAML_DECIMAL, false, offsetof(text_form, target)},
    {"minimum_denominator", HD_YAML_INTEGER, true, offsetof(text_form, minimum_denominator)},
    {"follow_up_days", HD_YAML_INTEGER, false, offsetof(text_form, follow_up_days)},
    {NULL},
};
static const hd_yaml_shape shape = {sizeof(text_form), keys};

typedef struct word {
    const char *name;
    int value;
} word;

static const word domains[] = {
    {"responsive", HD_DOMAIN_RESPONSIVE},
    {"effective", HD_DOMAIN_EFFECTIVE},
    {"safe", HD_DOMAIN_SAFE},
    {"caring", HD_DOMAIN_CARING},
    {"well_led", HD_DOMAIN_WELL_LED},
    {NULL, 0},
};
static const word methods[] = {
    {"proportion", HD_METHOD_PROPORTION},   {"ratio", HD_METHOD_RATIO},
    {"daily_ratio", HD_METHOD_DAILY_RATIO}, {"mean", HD_METHOD_MEAN},
    {"quantile", HD_METHOD_QUANTILE},       {NULL, 0},
};
static const word bad_sides[] = {
    {"none", HD_BAD_NONE}, {"high", HD_BAD_HIGH}, {"low", HD_BAD_LOW}, {NULL, 0}};
static const word units[] = {{"share", HD_UNIT_SHARE},
                             {"ratio", HD_UNIT_RATIO},
                             {"days", HD_UNIT_DAYS},
                             {"minutes", HD_UNIT_MINUTES},
                             {NULL, 0}};

static const char *name_of(const word *words, int value)
{
    for (; words->name; words++)
        if (words->value == value)
            return words->name;
    return "";
}

/* What a method must and must not have. */
typedef struct needs {
    bool numerator, denominator, value, quantile;
    const char *interval;
} needs;

static const needs method_needs[] = {
    [HD_METHOD_PROPORTION] = {.numerator = true, .interval = "Wilson score interval"},
    [HD_METHOD_RATIO] = {.numerator = true,
                         .denominator = true,
                         .interval = "log-normal interval of a ratio of counts"},
    [HD_METHOD_DAILY_RATIO] = {.numerator = true,
                               .denominator = true,
                               .interval = "log-normal interval of a ratio of counts"},
    [HD_METHOD_MEAN] = {.value = true, .interval = "Student's t interval of the mean"},
    [HD_METHOD_QUANTILE] = {.value = true,
                            .quantile = true,
                            .interval = "order statistics of the quantile"},
};

const char *hd_domain_title(hd_domain d)
{
    static const char *const titles[] = {"Responsive", "Effective", "Safe", "Caring", "Well led"};
    return titles[d];
}

const char *hd_method_name(hd_method m)
{
    return name_of(methods, (int)m);
}

const char *hd_method_interval(hd_method m)
{
    return method_needs[m].interval;
}

const char *hd_bad_side_name(hd_bad_side b)
{
    return name_of(bad_sides, (int)b);
}

const char *hd_unit_name(hd_unit u)
{
    return name_of(units, (int)u);
}

static hd_code take_word(const hd_yaml *y, const word *words, const char *key, const char *text,
                         int *out, hd_err *err)
{
    char all[120] = "";
    for (const word *w = words; w->name; w++) {
        if (strcmp(w->name, text) == 0) {
            *out = w->value;
            return HD_OK;
        }
        size_t len = strlen(all);
        snprintf(all + len, sizeof all - len, "%s%s", len ? ", " : "", w->name);
    }
    return hd_yaml_fail(y, err, key, "must be one of %s", all);
}

static hd_code check_presence(const hd_yaml *y, const char *key, bool is_there, bool is_needed,
                              const char *method, hd_err *err)
{
    if (is_there == is_needed)
        return HD_OK;
    return hd_yaml_fail(y, err, key, "method %s %s", method,
                        is_needed ? "needs it" : "has no use for it");
}

static hd_code check_method(const hd_yaml *y, const text_form *t, hd_method m, hd_err *err)
{
    const needs *n = &method_needs[m];
    const char *name = t->method;
    HD_TRY(check_presence(y, "numerator", t->numerator != NULL, n->numerator, name, err));
    HD_TRY(check_presence(y, "numerator_text", t->numerator_text != NULL, n->numerator, name, err));
    HD_TRY(check_presence(y, "denominator", t->denominator != NULL, n->denominator, name, err));
    HD_TRY(check_presence(y, "value", t->value != NULL, n->value, name, err));
    HD_TRY(check_presence(y, "quantile", t->quantile != NULL, n->quantile, name, err));
    if (t->quantile && !(*t->quantile > 0 && *t->quantile < 1))
        return hd_yaml_fail(y, err, "quantile", "must lie between 0 and 1");
    return HD_OK;
}

static hd_code take(hd_indicator_file *out, const hd_yaml *y, const char *name, hd_err *err)
{
    const text_form *t = hd_yaml_data(y);
    int domain = 0, method = 0, bad = 0, unit = 0;
    if (strcmp(t->id, name) != 0)
        return hd_yaml_fail(y, err, "id", "must be the name of the file");
    HD_TRY(take_word(y, domains, "domain", t->domain, &domain, err));
    HD_TRY(take_word(y, methods, "method", t->method, &method, err));
    HD_TRY(take_word(y, bad_sides, "bad", t->bad, &bad, err));
    HD_TRY(take_word(y, units, "unit", t->unit, &unit, err));
    HD_TRY(check_method(y, t, (hd_method)method, err));
    if (*t->minimum_denominator < 1)
        return hd_yaml_fail(y, err, "minimum_denominator", "must be at least 1");
    if (t->follow_up_days && (*t->follow_up_days < 0 || *t->follow_up_days > 3660))
        return hd_yaml_fail(y, err, "follow_up_days", "must be from 0 to 3660");
    *out = (hd_indicator_file){
        .id = t->id,
        .title = t->title,
        .source = t->source,
        .note = t->note ? t->note : "",
        .domain = (hd_domain)domain,
        .table = t->table,
        .month = t->month,
        .where = t->where,
        .numerator = t->numerator,
        .denominator = t->denominator,
        .value = t->value,
        .numerator_text = t->numerator_text ? t->numerator_text : "",
        .denominator_text = t->denominator_text,
        .method = (hd_method)method,
        .quantile = t->quantile ? *t->quantile : NAN,
        .bad = (hd_bad_side)bad,
        .unit = (hd_unit)unit,
        .target = t->target ? *t->target : NAN,
        .minimum_denominator = *t->minimum_denominator,
        .follow_up_days = t->follow_up_days ? *t->follow_up_days : 0,
    };
    return HD_OK;
}

struct hd_indicator_files {
    size_t n;
    hd_yaml **yaml; /* own the text of the items */
    hd_indicator_file *items;
};

static hd_code read_one(hd_indicator_files *f, const char *folder, const char *name, hd_err *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s.yaml", folder, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return hd_fail(err, HD_LIMIT, "the path of the indicators is too long");
    HD_TRY(hd_yaml_read(&f->yaml[f->n], path, &shape, err));
    f->n++;
    return take(&f->items[f->n - 1], f->yaml[f->n - 1], name, err);
}

hd_code hd_indicator_files_read(hd_indicator_files **out, const char *catalogue_folder, hd_err *err)
{
    hd_code rc;
    char **names = NULL;
    size_t n = 0;
    char folder[PATH_MAX];
    hd_indicator_files *f = hd_calloc(1, sizeof *f);
    *out = NULL;
    if (!f)
        return hd_fail_nomem(err);
    if (snprintf(folder, sizeof folder, "%s/indicators", catalogue_folder) >= (int)sizeof folder) {
        rc = hd_fail(err, HD_LIMIT, "the path of the catalogue is too long");
        goto out;
    }
    HD_GO(hd_folder_names(folder, &names, &n, err));
    f->yaml = hd_calloc(n + 1, sizeof(hd_yaml *));
    f->items = hd_calloc(n + 1, sizeof *f->items);
    if (!f->yaml || !f->items) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        HD_GO(read_one(f, folder, names[i], err));
    *out = f;
    f = NULL;
out:
    hd_folder_names_free(names, n);
    hd_indicator_files_free(f);
    return rc;
}

void hd_indicator_files_free(hd_indicator_files *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n; i++)
        hd_yaml_free(f->yaml[i]);
    hd_free(f->yaml);
    hd_free(f->items);
    hd_free(f);
}

size_t hd_indicator_files_count(const hd_indicator_files *f)
{
    return f->n;
}

const hd_indicator_file *hd_indicator_files_at(const hd_indicator_files *f, size_t i)
{
    return &f->items[i];
}

const hd_indicator_file *hd_indicator_files_find(const hd_indicator_files *f, const char *id)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->items[i].id, id) == 0)
            return &f->items[i];
    return NULL;
}
