/* flags.c - a mean of zeros and ones is a share, and is asked as one.
 *
 * avg(is_finished) or avg(CASE WHEN dismeth = '4' THEN 1 ELSE 0 END) is a numerator over a
 * denominator: taken as a mean it would tell an exact share, and with it the small number behind
 * it. So a sum, mean, variance or standard deviation of an argument that is never anything but 0, 1
 * or NULL becomes the same thing said with counts, and disclosure treats those as counts. True
 * figures stay the same numbers.
 *
 * Whether an argument is such a flag is seen from its values when it reads one column (every code
 * of the dictionary is tried), else from its form.
 */
#include "engine/coded.h"

#include "base/alloc.h"

#include <string.h>

/* ---- by values --------------------------------------------------------------------------------
 */

static bool is_zero_or_one(hd_value v)
{
    return v.is_null || (v.type == HD_INTEGER && (v.integer == 0 || v.integer == 1)) ||
           (v.type == HD_DECIMAL && (v.decimal == 0 || v.decimal == 1));
}

/* The argument for every code of the one stored column that it reads; NULL when it reads none or
 * several, or nothing is loaded. Give *out back with hd_recalled_drop. */
static hd_code try_codes(hd_engine *e, const asked *a, json_t *argument, hd_recalled **out,
                         hd_err *err)
{
    hd_table *t;
    hd_operand source;
    const char *column = hd_single_column(argument);
    *out = NULL;
    if (!column || !*column || column[0] == '#' || !hd_vault_has_table(e->vault, a->table->name))
        return HD_OK;
    column_ref ref = hd_column_parse(a, column);
    if (!ref.field || ref.any >= 0 ||
        (ref.field->kind != HD_FIELD_STORED && ref.field->kind != HD_FIELD_LIST))
        return HD_OK;
    HD_TRY(hd_vault_table(e->vault, a->table->name, &t, err));
    if (hd_table_find(t, ref.field->name) < 0)
        return HD_OK;
    return hd_coded_get(e, a, t, argument, out, &source, err);
}

/* *is_known stays false when the argument reads no single stored column. */
static hd_code look_at_values(hd_engine *e, const asked *a, json_t *argument, bool *is_flag,
                              bool *is_known, hd_err *err)
{
    hd_recalled *kept;
    HD_TRY(try_codes(e, a, argument, &kept, err));
    if (!kept)
        return HD_OK;
    const hd_coded *coded = kept->thing;
    bool has_value = false;
    *is_known = *is_flag = true;
    for (uint32_t c = 0; c < coded->n_codes && *is_flag; c++) {
        *is_flag = is_zero_or_one(coded->values[c]);
        has_value |= !coded->values[c].is_null;
    }
    *is_flag &= has_value; /* what is NULL throughout says nothing about anybody */
    hd_recalled_drop(kept);
    return HD_OK;
}

/* ---- by form ----------------------------------------------------------------------------------
 */

/* 0, 1, 0.0, 1.00 or NULL; a decimal is held as a whole number and its number of places. */
static bool is_flag_constant(const json_t *node)
{
    const json_t *value = json_object_get(node, "value");
    const json_t *number = json_object_get(value, "value");
    const json_t *info = json_object_get(json_object_get(value, "type"), "type_info");
    if (!hd_tree_is(node, "CONSTANT"))
        return false;
    if (json_is_true(json_object_get(value, "is_null")))
        return true;
    if (!json_is_integer(number))
        return false;
    json_int_t one = 1;
    for (json_int_t i = json_integer_value(json_object_get(info, "scale")); i > 0 && i < 19; i--)
        one *= 10;
    return json_integer_value(number) == 0 || json_integer_value(number) == one;
}

static bool is_flag_form(const json_t *node)
{
    size_t i;
    json_t *check;
    if (hd_tree_is(node, "CAST")) {
        const json_t *child = json_object_get(node, "child");
        return hd_tree_is(child, "COMPARISON") || hd_tree_is(child, "CONJUNCTION") ||
               hd_tree_is(child, "BETWEEN") || hd_tree_is(child, "OPERATOR_NOT") ||
               hd_tree_is(child, "OPERATOR_IS_NULL") || hd_tree_is(child, "OPERATOR_IS_NOT_NULL") ||
               hd_tree_is(child, "COMPARE_IN") || hd_tree_is(child, "COMPARE_NOT_IN") ||
               is_flag_form(child);
    }
    if (!hd_tree_is(node, "CASE"))
        return is_flag_constant(node);
    json_array_foreach(json_object_get(node, "case_checks"), i,
                       check) if (!is_flag_form(json_object_get(check, "then_expr"))) return false;
    return is_flag_form(json_object_get(node, "else_expr"));
}

/* ---- the same with counts ---------------------------------------------------------------------
 */

static void put_counts(hd_buf *out, hd_aggregate_fn fn, const char *n, const char *k)
{
    switch (fn) {
    case HD_FN_SUM:
        hd_buf_printf(out, "CASE WHEN %s = 0 THEN NULL ELSE %s END", n, k);
        break;
    case HD_FN_AVG:
        hd_buf_printf(out, "CASE WHEN %s = 0 THEN NULL ELSE %s / %s END", n, k, n);
        break;
    default:
        hd_buf_printf(out,
                      "CASE WHEN %s < 2 THEN NULL ELSE %s(CAST(%s AS DOUBLE) / %s * (%s - %s) / "
                      "(%s - 1)) END",
                      n, fn == HD_FN_STDDEV ? "sqrt" : "", k, n, n, k, n);
        break;
    }
}

static hd_code say_with_counts(hd_engine *e, const json_t *node, hd_aggregate_fn fn,
                               json_t *argument, json_t **out, hd_err *err)
{
    json_t *filter = json_object_get(node, "filter");
    char *x = NULL, *f = NULL;
    hd_code rc;
    hd_buf n, k, all;
    hd_buf_init(&n, (size_t)1 << 20);
    hd_buf_init(&k, (size_t)1 << 20);
    hd_buf_init(&all, (size_t)1 << 23);
    HD_GO(hd_text_of(e, argument, &x, err));
    if (json_is_object(filter))
        HD_GO(hd_text_of(e, filter, &f, err));
    hd_buf_printf(&n, "count(%s)%s%s%s", x, f ? " FILTER (WHERE " : "", f ? f : "", f ? ")" : "");
    hd_buf_printf(&k, "count(*) FILTER (WHERE %s%s%s(%s) = 1)", f ? "(" : "", f ? f : "",
                  f ? ") AND " : "", x);
    HD_GO(hd_buf_check(&n, err));
    HD_GO(hd_buf_check(&k, err));
    put_counts(&all, fn, n.data, k.data);
    HD_GO(hd_buf_check(&all, err));
    HD_GO(hd_tree_of(e, all.data, out, err));
    hd_tree_normalise(*out);
out:
    hd_free(x);
    hd_free(f);
    hd_buf_free(&n);
    hd_buf_free(&k);
    hd_buf_free(&all);
    return rc;
}

hd_code hd_flag_as_counts(hd_engine *e, const asked *a, json_t *node, json_t **out, hd_err *err)
{
    const hd_aggregate_def *def = hd_aggregate_find(hd_tree_function(node));
    json_t *children = json_object_get(node, "children");
    *out = NULL;
    if (!def || json_array_size(children) != 1 || json_is_true(json_object_get(node, "distinct")) ||
        !(def->fn == HD_FN_SUM || def->fn == HD_FN_AVG || def->fn == HD_FN_STDDEV ||
          def->fn == HD_FN_VARIANCE))
        return HD_OK;
    json_t *argument = json_array_get(children, 0);
    bool is_flag = false, is_known = false;
    HD_TRY(look_at_values(e, a, argument, &is_flag, &is_known, err));
    if (is_known ? is_flag : is_flag_form(argument) && !is_flag_constant(argument))
        return say_with_counts(e, node, def->fn, argument, out, err);
    return HD_OK;
}
