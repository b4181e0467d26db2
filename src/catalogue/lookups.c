/* lookups.c - SQL functions of the catalogue (macros), functions backed by a CSV, and code lists.
 *
 * A lookup's CSV comes from the overlay (a site's own organisations) when it is there, else from the
 * catalogue. Lookups are sorted by key, so that finding is a binary search; with `chain`, successors
 * of successors are followed here, once, and a circle is refused.
 */
#include "catalogue/model.h"

#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_CSV = 256 << 20 };

/* ---- functions ------------------------------------------------------------------------------- */

hd_code hd_catalogue_read_macros(hd_catalogue *c, hd_err *err)
{
    hd_yaml *y;
    HD_TRY(hd_catalogue_read(c, "functions.yaml", &raw_macros_shape, &y, err));
    const raw_list *list = hd_yaml_data(y);
    const raw_macro *raw = list->items;
    c->macros = hd_keep(c, list->n + 1, sizeof *c->macros);
    if (!c->macros)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < list->n; i++) {
        char where[96];
        hd_buf b;
        snprintf(where, sizeof where, "functions[%zu].name", i);
        if (!hd_is_name(raw[i].name))
            return hd_yaml_fail(y, err, where, "'%s' is not a name", raw[i].name);
        for (size_t k = 0; k < i; k++)
            if (strcmp(raw[k].name, raw[i].name) == 0)
                return hd_yaml_fail(y, err, where, "function '%s' is defined twice", raw[i].name);
        hd_buf_init(&b, 1 << 20);
        for (size_t k = 0; k < raw[i].n_arguments; k++) {
            if (!hd_is_name(raw[i].arguments[k])) {
                hd_buf_free(&b);
                snprintf(where, sizeof where, "functions[%zu].arguments[%zu]", i, k);
                return hd_yaml_fail(y, err, where, "'%s' is not a name", raw[i].arguments[k]);
            }
            hd_buf_printf(&b, "%s%s", k ? ", " : "", raw[i].arguments[k]);
        }
        c->macros[i].name = raw[i].name;
        if (hd_buf_ok(&b))
            c->macros[i].sql = hd_keep_printf(c, "CREATE OR REPLACE MACRO %s(%s) AS (%s)",
                                              raw[i].name, b.data, raw[i].sql);
        hd_buf_free(&b);
        if (!c->macros[i].sql)
            return hd_fail_nomem(err);
        c->n_macros++;
    }
    return HD_OK;
}

/* ---- lookups --------------------------------------------------------------------------------- */

typedef struct pair {
    const char *key, *value;
    size_t line;
} pair;

static int by_key(const void *a, const void *b)
{
    return strcmp(((const pair *)a)->key, ((const pair *)b)->key);
}

static const pair *find_pair(const pair *pairs, size_t n, const char *key)
{
    pair k = {key, NULL, 0};
    return bsearch(&k, pairs, n, sizeof *pairs, by_key);
}

/* Path of a lookup's file: the overlay's when it is there. NULL value of *out: neither is. */
static hd_code find_file(hd_catalogue *c, const char *relative, const char **out, hd_err *err)
{
    const char *folders[] = {c->overlay, c->folder};
    *out = NULL;
    for (size_t i = 0; i < 2; i++) {
        if (!folders[i])
            continue;
        const char *path = hd_keep_printf(c, "%s/%s", folders[i], relative);
        if (!path)
            return hd_fail_nomem(err);
        if (access(path, R_OK) == 0) {
            *out = path;
            return HD_OK;
        }
    }
    return HD_OK;
}

/* Each code's last successor. */
static hd_code follow(pair *pairs, size_t n, const char *path, hd_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const pair *next;
        size_t steps = 0;
        while ((next = find_pair(pairs, n, pairs[i].value)) && next->value[0] &&
               strcmp(next->value, pairs[i].value) != 0) {
            pairs[i].value = next->value;
            if (++steps > n || strcmp(pairs[i].value, pairs[i].key) == 0)
                return hd_fail(err, HD_FORMAT, "%s:%zu: successors go round in a circle", path,
                               pairs[i].line);
        }
    }
    return HD_OK;
}

static hd_code take_rows(hd_catalogue *c, hd_lookup *l, const raw_lookup *raw, const hd_csv *csv,
                         const char *path, hd_err *err)
{
    int k = hd_csv_column(csv, raw->key), v = hd_csv_column(csv, raw->value);
    size_t n = 0;
    if (k < 0 || v < 0)
        return hd_fail(err, HD_FORMAT, "%s:1: no column '%s', which lookup %s needs", path,
                       k < 0 ? raw->key : raw->value, l->name);
    pair *pairs = hd_keep(c, csv->n_rows + 1, sizeof *pairs);
    l->keys = hd_keep(c, csv->n_rows + 1, sizeof *l->keys);
    l->values = hd_keep(c, csv->n_rows + 1, sizeof *l->values);
    if (!pairs || !l->keys || !l->values)
        return hd_fail_nomem(err);
    for (size_t r = 0; r < csv->n_rows; r++) {
        const char *key = hd_csv_cell(csv, r, k), *value = hd_csv_cell(csv, r, v);
        if (!key[0])
            return hd_fail(err, HD_FORMAT, "%s:%zu: %s: empty", path, csv->lines[r], raw->key);
        if (!value[0])
            continue;
        pairs[n] = (pair){hd_keep_printf(c, "%s", key), hd_keep_printf(c, "%s", value),
                          csv->lines[r]};
        if (!pairs[n].key || !pairs[n].value)
            return hd_fail_nomem(err);
        n++;
    }
    qsort(pairs, n, sizeof *pairs, by_key);
    for (size_t i = 1; i < n; i++)
        if (strcmp(pairs[i].key, pairs[i - 1].key) == 0)
            return hd_fail(err, HD_FORMAT, "%s:%zu: %s: code occurs twice", path,
                           pairs[i].line > pairs[i - 1].line ? pairs[i].line : pairs[i - 1].line,
                           raw->key);
    if (raw->chain && *raw->chain)
        HD_TRY(follow(pairs, n, path, err));
    for (size_t i = 0; i < n; i++) {
        l->keys[i] = pairs[i].key;
        l->values[i] = pairs[i].value;
    }
    l->n_rows = n;
    return HD_OK;
}

static hd_code read_lookup(hd_catalogue *c, const hd_yaml *y, size_t i, const raw_lookup *raw,
                           hd_err *err)
{
    char where[40];
    const char *path;
    hd_csv csv;
    hd_lookup *l = &c->lookups[i];
    *l = (hd_lookup){.name = raw->name, .title = raw->title, .source = raw->source,
                     .keeps_unknown = raw->keeps_unknown && *raw->keeps_unknown};
    snprintf(where, sizeof where, "lookups[%zu].name", i);
    if (!hd_is_name(raw->name))
        return hd_yaml_fail(y, err, where, "'%s' is not a name", raw->name);
    for (size_t k = 0; k < i; k++)
        if (strcmp(c->lookups[k].name, raw->name) == 0)
            return hd_yaml_fail(y, err, where, "lookup '%s' is defined twice", raw->name);
    for (size_t k = 0; k < c->n_macros; k++)
        if (strcmp(c->macros[k].name, raw->name) == 0)
            return hd_yaml_fail(y, err, where, "'%s' is a function of functions.yaml already",
                                raw->name);
    snprintf(where, sizeof where, "lookups[%zu].file", i);
    if (strstr(raw->file, "..") || raw->file[0] == '/')
        return hd_yaml_fail(y, err, where, "must be a path inside the catalogue");
    HD_TRY(find_file(c, raw->file, &path, err));
    if (!path)
        return raw->optional && *raw->optional
                   ? HD_OK
                   : hd_yaml_fail(y, err, where, "there is no %s", raw->file);
    HD_TRY(hd_csv_read_file(&csv, path, MAX_CSV, err));
    hd_code rc = take_rows(c, l, raw, &csv, path, err);
    hd_csv_free(&csv);
    return rc;
}

hd_code hd_catalogue_read_lookups(hd_catalogue *c, hd_err *err)
{
    hd_yaml *y;
    HD_TRY(hd_catalogue_read(c, "lookups.yaml", &raw_lookups_shape, &y, err));
    const raw_list *list = hd_yaml_data(y);
    const raw_lookup *raw = list->items;
    c->lookups = hd_keep(c, list->n + 1, sizeof *c->lookups);
    if (!c->lookups)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < list->n; i++, c->n_lookups++)
        HD_TRY(read_lookup(c, y, i, &raw[i], err));
    return HD_OK;
}

const char *hd_lookup_find(const hd_lookup *l, const char *code)
{
    size_t low = 0, high = l->n_rows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int d = strcmp(l->keys[middle], code);
        if (d == 0)
            return l->values[middle];
        if (d < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return l->keeps_unknown ? code : NULL;
}

/* ---- code lists ------------------------------------------------------------------------------ */

static hd_code take_codes(hd_catalogue *c, hd_codelist *l, const hd_csv *csv, const char *path,
                          hd_err *err)
{
    int k = hd_csv_column(csv, "code");
    if (k < 0 || hd_csv_column(csv, "label") < 0)
        return hd_fail(err, HD_FORMAT, "%s:1: a code list has the columns code,label", path);
    l->codes = hd_keep(c, csv->n_rows + 1, sizeof *l->codes);
    if (!l->codes)
        return hd_fail_nomem(err);
    for (size_t r = 0; r < csv->n_rows; r++) {
        const char *code = hd_csv_cell(csv, r, k);
        if (!code[0] || strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != strlen(code))
            return hd_fail(err, HD_FORMAT, "%s:%zu: code: only capital letters and digits, no dot",
                           path, csv->lines[r]);
        for (size_t i = 0; i < r; i++)
            if (strcmp(l->codes[i], code) == 0)
                return hd_fail(err, HD_FORMAT, "%s:%zu: code: occurs twice", path, csv->lines[r]);
        l->codes[r] = hd_keep_printf(c, "%s", code);
        if (!l->codes[r])
            return hd_fail_nomem(err);
    }
    l->n_codes = csv->n_rows;
    return HD_OK;
}

static int is_csv(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 4 && e->d_name[0] != '.' && strcmp(e->d_name + n - 4, ".csv") == 0;
}

/* A CSV that codelists.yaml does not name would be invisible: refuse it. */
static hd_code check_no_orphans(hd_catalogue *c, const hd_yaml *y, hd_err *err)
{
    struct dirent **names = NULL;
    hd_code rc = HD_OK;
    const char *path = hd_keep_printf(c, "%s/codelists", c->folder);
    if (!path)
        return hd_fail_nomem(err);
    int n = scandir(path, &names, is_csv, alphasort);
    if (n < 0)
        return errno == ENOENT ? HD_OK
               : errno == ENOMEM ? hd_fail_nomem(err)
                                 : hd_fail_os(err, "cannot read %s", path);
    for (int i = 0; i < n; i++) {
        names[i]->d_name[strlen(names[i]->d_name) - 4] = '\0';
        if (rc == HD_OK && !hd_catalogue_codelist(c, names[i]->d_name))
            rc = hd_yaml_fail(y, err, "codelists", "codelists/%s.csv is not named here",
                              names[i]->d_name);
        free(names[i]); /* scandir's own */
    }
    free(names);
    return rc;
}

hd_code hd_catalogue_read_codelists(hd_catalogue *c, hd_err *err)
{
    hd_yaml *y;
    HD_TRY(hd_catalogue_read(c, "codelists.yaml", &raw_codelists_shape, &y, err));
    const raw_list *list = hd_yaml_data(y);
    const raw_codelist *raw = list->items;
    c->codelists = hd_keep(c, list->n + 1, sizeof *c->codelists);
    if (!c->codelists)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < list->n; i++) {
        char where[40];
        hd_csv csv;
        snprintf(where, sizeof where, "codelists[%zu].name", i);
        if (!hd_is_name(raw[i].name))
            return hd_yaml_fail(y, err, where, "'%s' is not a name", raw[i].name);
        if (hd_catalogue_codelist(c, raw[i].name))
            return hd_yaml_fail(y, err, where, "code list '%s' is defined twice", raw[i].name);
        const char *path = hd_keep_printf(c, "%s/codelists/%s.csv", c->folder, raw[i].name);
        if (!path)
            return hd_fail_nomem(err);
        if (access(path, R_OK) != 0)
            return hd_yaml_fail(y, err, where, "there is no codelists/%s.csv", raw[i].name);
        hd_codelist *l = &c->codelists[c->n_codelists++];
        *l = (hd_codelist){.name = raw[i].name, .title = raw[i].title, .source = raw[i].source};
        HD_TRY(hd_csv_read_file(&csv, path, MAX_CSV, err));
        hd_code rc = take_codes(c, l, &csv, path, err);
        hd_csv_free(&csv);
        HD_TRY(rc);
    }
    return check_no_orphans(c, y, err);
}
