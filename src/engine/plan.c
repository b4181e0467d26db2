/* plan.c - columns in memory, and expressions evaluated over their dictionaries.
 *
 * Invariant: an expression is evaluated once per dictionary code, never per row; the answer for code 0
 * is its answer for NULL.
 */
#include "engine/private.h"
#include "base/alloc.h"
#include "base/par.h"

#include <stdio.h>
#include <string.h>

/* Element n of a list as a plain column of codes; made on demand, kept with the engine. */
struct element_column {
    struct element_column *next;
    const hd_field *field;
    unsigned element;
    unsigned width;
    void *data;
    size_t bytes;
};

/* A dictionary that DuckDB holds as a table of (code, value). */
struct dictionary_table {
    struct dictionary_table *next;
    const hd_dictionary *dictionary;
    char as[96];
    char table[32];
};

void hd_engine_forget(hd_engine *e)
{
    while (e->elements) {
        struct element_column *next = e->elements->next;
        hd_secret_unmap(e->elements->data, e->elements->bytes);
        hd_free(e->elements);
        e->elements = next;
    }
    while (e->dictionaries) {
        struct dictionary_table *next = e->dictionaries->next;
        hd_free(e->dictionaries);
        e->dictionaries = next;
    }
}

const char *hd_sql_type(hd_type type)
{
    static const char *const types[] = {"VARCHAR", "BIGINT", "DOUBLE", "DATE", "BOOLEAN"};
    return types[type];
}

static hd_code make_element(hd_engine *e, const hd_column *list, const column_ref *ref,
                            uint64_t n_rows, struct element_column **out, hd_err *err)
{
    struct element_column *c = hd_calloc(1, sizeof *c);
    if (!c)
        return hd_fail_nomem(err);
    *c = (struct element_column){e->elements, ref->field, ref->element, list->width, NULL,
                                 (size_t)n_rows * list->width};
    c->data = hd_secret_map(c->bytes);
    if (!c->data) {
        hd_free(c);
        return hd_fail_nomem(err);
    }
    for (uint64_t row = 0; row < n_rows; row++) {
        uint64_t at = (uint64_t)list->starts[row] + ref->element - 1;
        if (at < list->starts[row + 1])
            memcpy((char *)c->data + row * c->width, (const char *)list->data + at * c->width,
                   c->width);
    }
    e->elements = c;
    *out = c;
    return HD_OK;
}

hd_code hd_load_column(hd_engine *e, hd_table *t, const column_ref *ref, loaded_column *out,
                       hd_err *err)
{
    int at = hd_table_find(t, ref->field->name);
    if (at < 0)
        return hd_fail(err, HD_NOTFOUND, "%s is in the catalogue, but no loaded file of %s had it",
                       ref->field->name, hd_table_name(t));
    const hd_column *c;
    HD_TRY(hd_table_load(t, (size_t)at, &c, err));
    *out = (loaded_column){c->data, c->width, hd_table_dictionary(t, (size_t)at), c->starts};
    if (ref->element == 0)
        return HD_OK;
    struct element_column *x = e->elements;
    while (x && (x->field != ref->field || x->element != ref->element))
        x = x->next;
    if (!x)
        HD_TRY(make_element(e, c, ref, hd_table_rows(t), &x, err));
    out->data = x->data;
    out->starts = NULL;
    return HD_OK;
}

/* ---- dictionaries as tables ---------------------------------------------------------------------- */

static hd_value dictionary_cell(void *ctx, uint64_t row, size_t column)
{
    const hd_dictionary *d = ctx;
    if (column == 0)
        return (hd_value){.type = HD_INTEGER, .integer = (int64_t)row};
    return hd_dictionary_value(d, (uint32_t)row);
}

static hd_code dictionary_as_table(hd_engine *e, const hd_dictionary *d, const char *as,
                                   const struct dictionary_table **out, hd_err *err)
{
    unsigned n = 0;
    for (struct dictionary_table *x = e->dictionaries; x; x = x->next, n++)
        if (x->dictionary == d && strcmp(x->as, as) == 0) {
            *out = x;
            return HD_OK;
        }
    struct dictionary_table *x = hd_calloc(1, sizeof *x);
    if (!x)
        return hd_fail_nomem(err);
    x->dictionary = d;
    snprintf(x->as, sizeof x->as, "%s", as);
    snprintf(x->table, sizeof x->table, "dictionary %u", n);
    const hd_duck_column columns[] = {{"#code", HD_INTEGER}, {x->as, d->type}};
    hd_code rc = hd_duck_make_table(e->duck, x->table, columns, 2, d->n_codes, dictionary_cell,
                                    (void *)(uintptr_t)d, err);
    if (rc != HD_OK) {
        hd_free(x);
        return rc;
    }
    x->next = e->dictionaries;
    e->dictionaries = x;
    *out = x;
    return HD_OK;
}

hd_code hd_evaluate_codes(hd_engine *e, const hd_field *field, const hd_dictionary *d,
                          const char *as, json_t *expression, hd_duck_result **out, hd_err *err)
{
    const struct dictionary_table *table;
    *out = NULL;
    HD_TRY(dictionary_as_table(e, d, as, &table, err));
    char *text = NULL;
    HD_TRY(hd_tree_unparse(e->duck, expression, &text, err));
    hd_buf sql;
    hd_buf_init(&sql, 1u << 24);
    hd_buf_printf(&sql, "SELECT %s FROM \"%s\" ORDER BY \"#code\"", text, table->table);
    hd_free(text);
    hd_code rc = hd_buf_check(&sql, err);
    if (rc == HD_OK)
        rc = hd_duck_query(e->duck, sql.data, out, err);
    hd_buf_free(&sql);
    if (rc != HD_OK)
        return rc == HD_NOMEM ? rc : hd_context(err, "%s", field->name);
    HD_ALWAYS(hd_duck_n_rows(*out) == d->n_codes);
    return HD_OK;
}

/* ---- tests on list elements ---------------------------------------------------------------------- */

hd_code hd_any_lut(hd_engine *e, hd_table *t, const any_test *any, loaded_column *list,
                   uint8_t **lut, hd_err *err)
{
    *lut = NULL;
    const column_ref ref = {.field = any->list, .any = -1};
    HD_TRY(hd_load_column(e, t, &ref, list, err));
    char as[96];
    snprintf(as, sizeof as, "%s#any", any->list->name);
    hd_duck_result *r;
    HD_TRY(hd_evaluate_codes(e, any->list, list->dictionary, as, any->test, &r, err));
    uint8_t *bytes = hd_calloc(list->dictionary->n_codes, 1);
    for (uint32_t c = 1; bytes && c < list->dictionary->n_codes; c++) {
        hd_value v = hd_duck_value(r, c, 0);
        bytes[c] = !v.is_null && v.integer != 0; /* a gap (code 0) satisfies nothing */
    }
    hd_duck_result_free(r);
    *lut = bytes;
    return bytes ? HD_OK : hd_fail_nomem(err);
}

hd_code hd_any_flags(hd_engine *e, hd_table *t, const any_test *any, uint8_t **out, hd_err *err)
{
    loaded_column list;
    uint8_t *lut;
    *out = NULL;
    HD_TRY(hd_any_lut(e, t, any, &list, &lut, err));
    uint64_t n = hd_table_rows(t);
    uint8_t *flags = hd_secret_map(n);
    const hd_column elements = {.width = list.width, .data = list.data};
    for (uint64_t row = 0; flags && row < n; row++)
        for (uint32_t i = list.starts[row]; i < list.starts[row + 1]; i++)
            flags[row] |= lut[hd_code_at(&elements, i)];
    hd_free(lut);
    *out = flags;
    return flags ? HD_OK : hd_fail_nomem(err);
}
