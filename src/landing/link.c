/* link.c - see link.h. The map is open addressing over 64-bit keys, at most half full. */
#include "landing/link.h"
#include "base/alloc.h"
#include "landing/intake.h"

#include <string.h>

struct hd_link {
    size_t n_slots;
    struct slot {
        uint64_t key; /* 0: free */
        uint32_t person;
    } * slots;
};

static struct slot *find(const hd_link *l, uint64_t key)
{
    size_t i = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (l->n_slots - 1);
    while (l->slots[i].key && l->slots[i].key != key)
        i = (i + 1) & (l->n_slots - 1);
    return &l->slots[i];
}

hd_code hd_link_new(hd_link **out, hd_table *from, const char *key, hd_err *err)
{
    hd_code rc;
    const uint32_t *persons;
    const hd_column *keys;
    uint64_t n = hd_table_rows(from);
    int at = hd_table_find(from, key);
    *out = NULL;
    hd_link *l = hd_calloc(1, sizeof *l);
    if (!l)
        return hd_fail_nomem(err);
    for (l->n_slots = 64; l->n_slots < n * 2;)
        l->n_slots *= 2;
    l->slots = hd_calloc(l->n_slots, sizeof *l->slots);
    if (!l->slots)
        HD_GO(hd_fail_nomem(err));
    if (at < 0 || hd_table_column_spec(from, (size_t)at)->kind != HD_COLUMN_KEY)
        HD_GO(hd_fail(err, HD_FORMAT, "table %s has no key column %s to link by",
                      hd_table_name(from), key));
    HD_GO(hd_table_persons(from, &persons, err));
    HD_GO(hd_table_load(from, (size_t)at, &keys, err));
    for (uint64_t r = 0; r < n; r++) {
        uint64_t k = ((const uint64_t *)keys->data)[r];
        struct slot *s = k ? find(l, k) : NULL;
        if (s && !s->key)
            *s = (struct slot){k, persons[r]};
    }
    hd_table_unload(from, (size_t)at);
    *out = l;
    l = NULL;
out:
    hd_link_free(l);
    return rc;
}

void hd_link_free(hd_link *l)
{
    if (!l)
        return;
    hd_free(l->slots);
    hd_free(l);
}

uint32_t hd_link_person(const hd_link *l, uint64_t key)
{
    return find(l, key)->person;
}

bool hd_link_depends(const hd_table_def *t, const char *from)
{
    return !t->is_built && t->derivation && strcmp(t->derivation, "person_by_key") == 0 &&
           t->from && strcmp(t->from, from) == 0;
}

/* ---- writing the table again ---------------------------------------------------------------- */

struct again {
    hd_table *old;
    hd_builder *b;
    size_t n_columns;
    const hd_column **columns;
    uint32_t **codes; /* old code to new */
    hd_rows_column *rows;
    const uint32_t *persons;
    const int64_t *order;
};

static hd_code open_columns(struct again *a, hd_err *err)
{
    a->columns = hd_calloc(a->n_columns, sizeof *a->columns);
    a->codes = hd_calloc(a->n_columns, sizeof *a->codes);
    a->rows = hd_calloc(a->n_columns, sizeof *a->rows);
    if (!a->columns || !a->codes || !a->rows)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < a->n_columns; i++) {
        HD_TRY(hd_table_load(a->old, i, &a->columns[i], err));
        const hd_dictionary *d = hd_table_dictionary(a->old, i);
        if (!d)
            continue;
        a->codes[i] = hd_calloc(d->n_codes, sizeof **a->codes);
        if (!a->codes[i])
            return hd_fail_nomem(err);
        for (uint32_t c = 1; c < d->n_codes; c++) {
            hd_value v = hd_dictionary_value(d, c);
            HD_TRY(hd_builder_code(a->b, i, &v, &a->codes[i][c], err));
        }
    }
    return HD_OK;
}

static hd_code copy_part(struct again *a, size_t i, uint64_t at, size_t n, hd_err *err)
{
    const hd_column *c = a->columns[i];
    hd_rows_column *to = &a->rows[i];
    hd_column_kind kind = hd_table_column_spec(a->old, i)->kind;
    if (kind == HD_COLUMN_KEY) {
        to->keys = (const uint64_t *)c->data + at;
        return HD_OK;
    }
    uint64_t first = kind == HD_COLUMN_LIST ? c->starts[at] : at;
    uint64_t end = kind == HD_COLUMN_LIST ? c->starts[at + n] : at + n;
    uint32_t *codes = hd_calloc((size_t)(end - first), sizeof *codes);
    to->codes = codes;
    if (!codes)
        return hd_fail_nomem(err);
    for (uint64_t e = first; e < end; e++)
        codes[e - first] = a->codes[i][hd_code_at(c, e)];
    if (kind != HD_COLUMN_LIST)
        return HD_OK;
    uint32_t *counts = hd_calloc(n, sizeof *counts);
    to->counts = counts;
    if (!counts)
        return hd_fail_nomem(err);
    for (size_t r = 0; r < n; r++)
        counts[r] = c->starts[at + r + 1] - c->starts[at + r];
    return HD_OK;
}

static void drop_part(struct again *a)
{
    for (size_t i = 0; i < a->n_columns; i++) {
        hd_free((void *)a->rows[i].codes);
        hd_free((void *)a->rows[i].counts);
        a->rows[i] = (hd_rows_column){0};
    }
}

static hd_code copy_all(struct again *a, hd_err *err)
{
    uint64_t rows = hd_table_rows(a->old);
    hd_code rc = HD_OK;
    for (uint64_t at = 0; at < rows && rc == HD_OK; at += HD_BLOCK_ROWS) {
        size_t n = rows - at < HD_BLOCK_ROWS ? (size_t)(rows - at) : HD_BLOCK_ROWS;
        for (size_t i = 0; i < a->n_columns && rc == HD_OK; i++)
            rc = copy_part(a, i, at, n, err);
        hd_rows part = {n, a->persons + at, a->order + at, a->rows};
        if (rc == HD_OK)
            rc = hd_builder_append(a->b, &part, err);
        drop_part(a);
    }
    return rc;
}

/* Persons of the rows of `old` after its source changed. */
static hd_code persons_again(hd_publish *p, hd_table *old, const hd_table_def *t, uint32_t **out,
                             hd_err *err)
{
    hd_code rc;
    hd_table *from;
    hd_link *link = NULL;
    const hd_column *keys;
    const char *key = hd_table_def_parameter(t, "key", t->key);
    int at = hd_table_find(old, key);
    *out = hd_calloc((size_t)hd_table_rows(old), sizeof **out);
    if (!*out)
        return hd_fail_nomem(err);
    if (at < 0)
        return HD_OK;
    HD_GO(hd_publish_read(p, t->from, &from, err));
    HD_GO(hd_link_new(&link, from, key, err));
    HD_GO(hd_table_load(old, (size_t)at, &keys, err));
    for (uint64_t r = 0; r < hd_table_rows(old); r++) {
        uint64_t k = ((const uint64_t *)keys->data)[r];
        (*out)[r] = k ? hd_link_person(link, k) : 0;
    }
out:
    hd_link_free(link);
    return rc;
}

hd_code hd_link_again(hd_publish *p, hd_vault *v, const hd_table_def *t, hd_err *err)
{
    hd_code rc;
    struct again a = {0};
    hd_column_spec *specs = NULL;
    uint32_t *persons = NULL;
    int64_t *order = NULL;
    if (!hd_vault_has_table(v, t->name))
        return HD_OK;
    HD_TRY(hd_publish_read(p, t->name, &a.old, err));
    a.n_columns = hd_table_n_columns(a.old);
    specs = hd_calloc(a.n_columns, sizeof *specs);
    if (!specs)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < a.n_columns; i++)
        specs[i] = *hd_table_column_spec(a.old, i);
    HD_GO(persons_again(p, a.old, t, &persons, err));
    HD_GO(hd_order_of_table(a.old, t, &order, err));
    a.persons = persons;
    a.order = order;
    HD_GO(hd_builder_new(&a.b, v, t->name, specs, a.n_columns, err));
    HD_GO(open_columns(&a, err));
    HD_GO(copy_all(&a, err));
    for (size_t i = 0; i < a.n_columns; i++)
        hd_table_unload(a.old, i);
    HD_GO(hd_publish_table(p, a.b, err));
out:
    for (size_t i = 0; a.codes && i < a.n_columns; i++)
        hd_free(a.codes[i]);
    hd_free(a.codes);
    hd_free(a.columns);
    hd_free(a.rows);
    hd_builder_free(a.b);
    hd_free(persons);
    hd_free(order);
    hd_free(specs);
    return rc;
}
