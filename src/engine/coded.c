/* coded.c - see coded.h. */
#include "engine/coded.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Bytes a code takes with every table made: value, two rankings with their values, truths,
 * numbers. */
enum { BYTES_A_CODE = 24 + 2 * (4 + 24) + 3 + 16 };

static void release(void *thing)
{
    hd_coded *c = thing;
    for (size_t i = 0; i < 2; i++) {
        hd_free(c->ranks_[i].of);
        hd_free(c->ranks_[i].values);
    }
    hd_free(c->text);
    hd_free(c->texts_);
    hd_free(c->values);
    hd_free(c->truth_);
    hd_free(c->any_);
    hd_free(c->has_value_);
    hd_free(c->integers_);
    hd_free(c->decimals_);
    hd_duck_result_free(c->result_);
    hd_free(c);
}

static size_t text_bytes(const hd_coded *c)
{
    size_t n = 0;
    for (uint32_t i = 0; i < c->n_codes; i++)
        n += c->values[i].type == HD_TEXT && !c->values[i].is_null ? c->values[i].text.len : 0;
    return n;
}

/* The dictionary of a made column goes with it, which may be sooner. */
static hd_code own_texts(hd_coded *c, hd_err *err)
{
    char *to = c->texts_ = hd_malloc(text_bytes(c));
    if (!to)
        return hd_fail_nomem(err);
    for (uint32_t i = 0; i < c->n_codes; i++) {
        hd_value *v = &c->values[i];
        if (v->type != HD_TEXT || v->is_null || v->text.len == 0)
            continue;
        memcpy(to, v->text.bytes, v->text.len);
        v->text.bytes = to;
        to += v->text.len;
    }
    return HD_OK;
}

/* CAST(column AS BOOLEAN) of a column that is one. */
static bool is_own_truth(const hd_dictionary *d, const json_t *expression)
{
    const json_t *type = json_object_get(json_object_get(expression, "cast_type"), "id");
    const char *name = json_string_value(type);
    return d->type == HD_BOOLEAN && hd_tree_is(expression, "OPERATOR_CAST") && name &&
           strcmp(name, "BOOLEAN") == 0 && hd_tree_column(json_object_get(expression, "child"));
}

/* A column by itself is its dictionary; everything else DuckDB works out. */
static hd_code make(hd_engine *e, const hd_dictionary *d, bool is_made, const char *column,
                    json_t *expression, hd_coded *c, hd_err *err)
{
    c->n_codes = d->n_codes;
    c->values = hd_calloc(d->n_codes, sizeof *c->values);
    if (!c->values)
        return hd_fail_nomem(err);
    if (hd_tree_column(expression) || is_own_truth(d, expression)) {
        c->type = d->type;
        c->text = hd_strdup(column);
        if (!c->text)
            return hd_fail_nomem(err);
        for (uint32_t i = 0; i < d->n_codes; i++)
            c->values[i] = hd_dictionary_value(d, i);
        return is_made ? own_texts(c, err) : HD_OK;
    }
    HD_TRY(hd_evaluate_codes(e, d, column, expression, &c->result_, err));
    HD_TRY(hd_text_of(e, expression, &c->text, err));
    c->type = hd_duck_column_type(c->result_, 1);
    for (uint32_t i = 0; i < d->n_codes; i++) {
        int64_t code = hd_duck_value(c->result_, i, 0).integer;
        HD_ALWAYS(code >= 0 && code < d->n_codes);
        c->values[code] = hd_duck_value(c->result_, i, 1);
    }
    return HD_OK;
}

hd_code hd_coded_get(hd_engine *e, const asked *a, hd_table *t, json_t *expression,
                     hd_recalled **out, hd_operand *source, hd_err *err)
{
    const char *column = hd_single_column(expression);
    hd_code rc;
    hd_buf key;
    *out = NULL;
    HD_TRY(hd_operand_find(a, t, column, source, err));
    HD_GO(hd_recall_key(&key, 'c', a->table->name, column, expression, err));
    *out = hd_recall_find(e->recall, key.data, key.len);
    if (*out)
        goto out;
    const hd_dictionary *d = hd_operand_dictionary(t, *source);
    hd_coded *c = hd_calloc(1, sizeof *c);
    if (!c) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    rc = make(e, d, source->order != NULL, column, expression, c, err);
    if (rc != HD_OK) {
        release(c);
        if (rc != HD_NOMEM)
            hd_context(err, "%s",
                       source->order ? "a value over other records"
                                     : hd_table_column_spec(t, source->column)->name);
        goto out;
    }
    size_t bytes = (size_t)c->n_codes * BYTES_A_CODE;
    if (c->result_ || c->texts_)
        bytes += (c->result_ ? 2 : 1) * text_bytes(c);
    rc = hd_recall_keep(e->recall, key.data, key.len, c, bytes, release, out, err);
out:
    hd_buf_free(&key);
    return rc;
}

/* ---- tables ---------------------------------------------------------------------------------- */

hd_code hd_coded_truth(hd_coded *c, const uint8_t **out, hd_err *err)
{
    if (!c->truth_) {
        c->truth_ = hd_malloc(c->n_codes);
        for (uint32_t i = 0; c->truth_ && i < c->n_codes; i++)
            c->truth_[i] = c->values[i].is_null ? 2 : c->values[i].integer != 0;
    }
    *out = c->truth_;
    return *out ? HD_OK : hd_fail_nomem(err);
}

hd_code hd_coded_any(hd_coded *c, const uint8_t **out, hd_err *err)
{
    if (!c->any_) {
        c->any_ = hd_calloc(c->n_codes, 1);
        for (uint32_t i = 1; c->any_ && i < c->n_codes; i++)
            c->any_[i] = !c->values[i].is_null && c->values[i].integer != 0;
    }
    *out = c->any_;
    return *out ? HD_OK : hd_fail_nomem(err);
}

hd_code hd_coded_has_value(hd_coded *c, const uint8_t **out, hd_err *err)
{
    if (!c->has_value_) {
        c->has_value_ = hd_malloc(c->n_codes);
        for (uint32_t i = 0; c->has_value_ && i < c->n_codes; i++)
            c->has_value_[i] = !c->values[i].is_null;
    }
    *out = c->has_value_;
    return *out ? HD_OK : hd_fail_nomem(err);
}

hd_code hd_coded_integers(hd_coded *c, const int64_t **out, hd_err *err)
{
    if (!c->integers_) {
        c->integers_ = hd_calloc(c->n_codes, sizeof *c->integers_);
        for (uint32_t i = 0; c->integers_ && i < c->n_codes; i++)
            if (!c->values[i].is_null)
                c->integers_[i] = c->values[i].integer;
    }
    *out = c->integers_;
    return *out ? HD_OK : hd_fail_nomem(err);
}

hd_code hd_coded_decimals(hd_coded *c, const double **out, hd_err *err)
{
    if (!c->decimals_) {
        c->decimals_ = hd_calloc(c->n_codes, sizeof *c->decimals_);
        for (uint32_t i = 0; c->decimals_ && i < c->n_codes; i++) {
            const hd_value *v = &c->values[i];
            if (!v->is_null)
                c->decimals_[i] = v->type == HD_DECIMAL ? v->decimal : (double)v->integer;
        }
    }
    *out = c->decimals_;
    return *out ? HD_OK : hd_fail_nomem(err);
}

/* ---- ranks: different values in ascending order ---------------------------------------------- */

struct pair {
    hd_value value;
    uint32_t code;
};

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int c = hd_value_compare(&x->value, &y->value);
    return c ? c : (x->code > y->code) - (x->code < y->code);
}

static hd_code make_ranks(const hd_coded *c, bool with_null, hd_ranks *out, hd_err *err)
{
    struct pair *sorted = hd_calloc(c->n_codes, sizeof *sorted);
    hd_ranks r = {.of = hd_calloc(c->n_codes, sizeof *r.of),
                  .values = hd_calloc(c->n_codes, sizeof *r.values)};
    if (!sorted || !r.of || !r.values) {
        hd_free(sorted);
        hd_free(r.of);
        hd_free(r.values);
        return hd_fail_nomem(err);
    }
    size_t n = 0;
    bool ascends = true; /* a column by itself always does */
    for (uint32_t i = 0; i < c->n_codes; i++)
        if (with_null || !c->values[i].is_null) {
            sorted[n++] = (struct pair){c->values[i], i};
            ascends = ascends && (n < 2 || compare_pairs(&sorted[n - 2], &sorted[n - 1]) < 0);
        }
    if (!ascends)
        qsort(sorted, n, sizeof *sorted, compare_pairs);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || hd_value_compare(&sorted[i].value, &sorted[i - 1].value) != 0)
            r.values[r.n++] = sorted[i].value;
        r.of[sorted[i].code] = r.n - 1;
    }
    hd_free(sorted);
    r.n = r.n ? r.n : 1;
    *out = r;
    return HD_OK;
}

hd_code hd_coded_ranks(hd_coded *c, bool with_null, const hd_ranks **out, hd_err *err)
{
    hd_ranks *r = &c->ranks_[with_null];
    *out = r;
    return r->of ? HD_OK : make_ranks(c, with_null, r, err);
}
