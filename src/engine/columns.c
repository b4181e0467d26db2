/* columns.c - columns in memory, and expressions evaluated over their dictionaries.
 *
 * Invariant: an expression is evaluated once per dictionary code, never per row; the answer for
 * code 0 is its answer for NULL.
 */
#include "engine/made.h"
#include "engine/order.h"
#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* A dictionary that DuckDB sees as rows of (code, value). */
struct dictionary_table {
    struct dictionary_table *next;
    const hd_dictionary *dictionary;
    char as[96];
    size_t number; /* of hd_rows */
};

void hd_engine_forget(hd_engine *e)
{
    hd_recall_forget(e->recall);
    hd_made_free_all(e->made);
    e->made = NULL;
    while (e->dictionaries) {
        struct dictionary_table *next = e->dictionaries->next;
        hd_duck_rows_remove(e->duck, e->dictionaries->number);
        hd_free(e->dictionaries);
        e->dictionaries = next;
    }
}

void hd_engine_refresh(hd_engine *e)
{
    if (e->data_version == hd_vault_data_version(e->vault))
        return;
    hd_engine_forget(e);
    e->data_version = hd_vault_data_version(e->vault);
}

const char *hd_sql_type(hd_type type)
{
    static const char *const types[] = {"VARCHAR", "BIGINT", "DOUBLE", "DATE", "BOOLEAN"};
    return types[type];
}

/* ---- columns --------------------------------------------------------------------------------- */

hd_code hd_operand_find(const asked *a, hd_table *t, const char *canonical, hd_operand *out,
                       hd_err *err)
{
    column_ref ref = hd_column_parse(a, canonical);
    *out = (hd_operand){.order = ref.order};
    if (ref.order)
        return HD_OK;
    const hd_field *field = ref.any >= 0 ? a->any[ref.any].list : ref.field;
    int at = hd_table_find(t, field->name);
    if (at < 0)
        return hd_fail(err, HD_NOTFOUND, "%s is in the catalogue, but no loaded file of %s had it",
                       field->name, hd_table_name(t));
    *out = (hd_operand){.column = (size_t)at, .element = ref.element};
    return HD_OK;
}

const hd_dictionary *hd_operand_dictionary(hd_table *t, hd_operand s)
{
    return s.order ? &((const order_data *)s.order->data->thing)->dictionary
                   : hd_table_dictionary(t, s.column);
}

bool hd_operand_is_same(hd_operand a, hd_operand b)
{
    return a.column == b.column && a.element == b.element && a.order == b.order;
}

hd_code hd_operand_load(hd_engine *e, hd_table *t, hd_operand s, loaded_column *out, hd_err *err)
{
    const hd_column *c;
    if (s.order) {
        const order_data *d = s.order->data->thing;
        HD_ALWAYS(d->data); /* else it comes block by block (made.h) */
        *out = (loaded_column){d->data, d->width, &d->dictionary, NULL};
        return HD_OK;
    }
    HD_TRY(hd_engine_go_on(e, err));
    HD_TRY(hd_table_load(t, s.column, &c, err));
    *out = (loaded_column){c->data, c->width, hd_table_dictionary(t, s.column), c->starts};
    if (s.element == 0)
        return HD_OK;
    hd_made *made;
    HD_TRY(hd_made_whole(e, t, s, c, &made, err));
    out->data = hd_made_data(made);
    out->starts = NULL;
    return HD_OK;
}

/* ---- dictionaries as tables ------------------------------------------------------------------ */

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
    for (struct dictionary_table *x = e->dictionaries; x; x = x->next)
        if (x->dictionary == d && strcmp(x->as, as) == 0) {
            *out = x;
            return HD_OK;
        }
    struct dictionary_table *x = hd_calloc(1, sizeof *x);
    if (!x)
        return hd_fail_nomem(err);
    x->dictionary = d;
    snprintf(x->as, sizeof x->as, "%s", as);
    const hd_duck_column columns[] = {{"#code", HD_INTEGER}, {x->as, d->type}};
    hd_code rc = hd_duck_rows_add(e->duck, columns, 2, d->n_codes, dictionary_cell,
                                  (void *)(uintptr_t)d, &x->number, err);
    if (rc != HD_OK) {
        hd_free(x);
        return rc;
    }
    x->next = e->dictionaries;
    e->dictionaries = x;
    *out = x;
    return HD_OK;
}

hd_code hd_evaluate_codes(hd_engine *e, const hd_dictionary *d, const char *as, json_t *expression,
                          hd_duck_result **out, hd_err *err)
{
    const struct dictionary_table *table;
    *out = NULL;
    HD_TRY(dictionary_as_table(e, d, as, &table, err));
    char *text = NULL;
    HD_TRY(hd_text_of(e, expression, &text, err));
    hd_buf sql;
    hd_buf_init(&sql, 1u << 24);
    hd_buf_printf(&sql, "SELECT \"#code\", TRY(%s) FROM hd_rows(%zu)", text, table->number);
    hd_free(text);
    hd_code rc = hd_buf_check(&sql, err);
    if (rc == HD_OK)
        rc = hd_duck_query_records(e->duck, sql.data, out, err);
    hd_buf_free(&sql);
    HD_ALWAYS(rc != HD_OK || hd_duck_n_rows(*out) == d->n_codes);
    return rc;
}

/* ---- tests on list elements ------------------------------------------------------------------ */

hd_code hd_any_flags(hd_engine *e, const asked *a, hd_table *t, const any_test *any, uint8_t **out,
                     hd_err *err)
{
    hd_recalled *coded;
    hd_operand source;
    loaded_column list;
    const uint8_t *lut;
    *out = NULL;
    HD_TRY(hd_coded_get(e, a, t, any->test, &coded, &source, err));
    hd_code rc = hd_coded_any(coded->thing, &lut, err);
    if (rc == HD_OK)
        rc = hd_operand_load(e, t, source, &list, err);
    uint64_t n = hd_table_rows(t);
    uint8_t *flags = rc == HD_OK ? hd_secret_map(n) : NULL;
    if (rc == HD_OK && !flags)
        rc = hd_fail_nomem(err);
    for (uint64_t row = 0; flags && row < n; row++) {
        const hd_column elements = {.width = list.width, .data = list.data};
        for (uint32_t i = list.starts[row]; i < list.starts[row + 1]; i++)
            flags[row] |= lut[hd_code_at(&elements, i)];
    }
    hd_recalled_drop(coded);
    *out = flags;
    return rc;
}
