/* order.c - the order keys of rows that are stored already, from their dictionaries: the same judge
 * that looked at the delivered texts looks at the stored values. */
#include "base/alloc.h"
#include "base/date.h"
#include "landing/private.h"

#include <inttypes.h>
#include <stdio.h>

/* The number of each code of a dictionary, as hd_value_number gives it. */
static hd_code numbers_of(const hd_dictionary *d, const hd_field *f, int64_t **out, hd_err *err)
{
    hd_judge *judge;
    *out = NULL;
    HD_TRY(hd_judge_new(&judge, f, 0, err));
    int64_t *numbers = hd_calloc(d->n_codes, sizeof *numbers);
    for (uint32_t c = 0; numbers && c < d->n_codes; c++) {
        hd_value v = hd_dictionary_value(d, c);
        char text[32];
        hd_judged j;
        numbers[c] = INT64_MIN;
        if (v.is_null)
            continue;
        if (v.type == HD_TEXT) {
            hd_judge_text(judge, v.text.bytes, v.text.len, &j);
        } else {
            int n = 0;
            if (v.type == HD_DATE) {
                hd_date_format((int32_t)v.integer, text);
                n = 10;
            } else if (v.type == HD_INTEGER) {
                n = snprintf(text, sizeof text, "%" PRId64, v.integer);
            }
            hd_judge_text(judge, text, (size_t)n, &j);
        }
        numbers[c] = hd_value_number(&j);
    }
    hd_judge_free(judge);
    *out = numbers;
    return numbers ? HD_OK : hd_fail_nomem(err);
}

static hd_code add_field(hd_table *stored, const hd_field *f, int64_t *keys, hd_err *err)
{
    uint64_t n = hd_table_rows(stored);
    int at = hd_table_find(stored, f->name);
    if (at < 0) {
        for (uint64_t r = 0; r < n; r++)
            keys[r] = hd_order_pack(keys[r], INT64_MIN, f->type);
        return HD_OK;
    }
    const hd_column *column;
    int64_t *numbers;
    HD_TRY(numbers_of(hd_table_dictionary(stored, (size_t)at), f, &numbers, err));
    hd_code rc = hd_table_load(stored, (size_t)at, &column, err);
    for (uint64_t r = 0; rc == HD_OK && r < n; r++)
        keys[r] = hd_order_pack(keys[r], numbers[hd_code_at(column, r)], f->type);
    hd_table_unload(stored, (size_t)at);
    hd_free(numbers);
    return rc;
}

hd_code hd_order_of_table(hd_table *stored, const hd_table_def *t, int64_t **out, hd_err *err)
{
    int64_t *keys = hd_calloc((size_t)hd_table_rows(stored), sizeof *keys);
    hd_code rc = keys ? HD_OK : hd_fail_nomem(err);
    unsigned bits = 0;
    *out = NULL;
    for (size_t i = 0; rc == HD_OK && i < t->n_order && i < HD_ORDER_FIELDS; i++) {
        const hd_field *f = hd_table_def_field(t, t->order[i]);
        if (!f || f->kind != HD_FIELD_STORED)
            continue;
        bits += hd_order_bits(f->type);
        if (bits > HD_ORDER_BITS)
            break;
        rc = add_field(stored, f, keys, err);
    }
    if (rc != HD_OK)
        hd_free(keys);
    else
        *out = keys;
    return rc;
}
