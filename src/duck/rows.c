/* rows.c - rows that a callback gives, as something that can stand in FROM: hd_rows(number).
 *
 * Nothing is copied beforehand: DuckDB asks for the columns that a statement reads, a vector at
 * a time. Invariant: a number names rows from hd_duck_rows_add to hd_duck_rows_remove, and a
 * statement over any other number does not bind.
 */
#include "duck/private.h"
#include "base/alloc.h"

#include <stdatomic.h>
#include <string.h>

enum { ROWS_A_THREAD = 1 << 17 };

struct hd_duck_rows {
    bool is_used;
    size_t n_columns;
    char **names;
    hd_type *types;
    uint64_t n_rows;
    hd_value (*value)(void *ctx, uint64_t row, size_t column);
    void *ctx;
};

static void clear(struct hd_duck_rows *r)
{
    for (size_t i = 0; r->names && i < r->n_columns; i++)
        hd_free(r->names[i]);
    hd_free(r->names);
    hd_free(r->types);
    *r = (struct hd_duck_rows){0};
}

void hd_duck_free_rows(hd_duck *d)
{
    for (size_t i = 0; i < d->n_rows; i++)
        clear(&d->rows[i]);
    hd_free(d->rows);
    d->rows = NULL;
    d->n_rows = d->rows_cap = 0;
}

hd_code hd_duck_rows_add(hd_duck *d, const hd_duck_column *columns, size_t n_columns,
                         uint64_t n_rows, hd_value (*value)(void *ctx, uint64_t row, size_t column),
                         void *ctx, size_t *number, hd_err *err)
{
    size_t i = 0;
    while (i < d->n_rows && d->rows[i].is_used)
        i++;
    if (i == d->n_rows && !HD_GROW(d->rows, d->n_rows, d->rows_cap))
        return hd_fail_nomem(err);
    struct hd_duck_rows *r = &d->rows[i];
    d->n_rows += i == d->n_rows;
    *r = (struct hd_duck_rows){.is_used = true,
                               .n_columns = n_columns,
                               .names = hd_calloc(n_columns, sizeof *r->names),
                               .types = hd_calloc(n_columns, sizeof *r->types),
                               .n_rows = n_rows,
                               .value = value,
                               .ctx = ctx};
    bool ok = r->names && r->types;
    for (size_t c = 0; ok && c < n_columns; c++) {
        r->types[c] = columns[c].type;
        r->names[c] = hd_strdup(columns[c].name);
        ok = r->names[c] != NULL;
    }
    if (!ok) {
        clear(r);
        return hd_fail_nomem(err);
    }
    *number = i;
    return HD_OK;
}

void hd_duck_rows_remove(hd_duck *d, size_t number)
{
    clear(&d->rows[number]);
}

/* ---- what DuckDB calls ----------------------------------------------------------------------- */

static void bind(duckdb_bind_info info)
{
    static const duckdb_type types[] = {DUCKDB_TYPE_VARCHAR, DUCKDB_TYPE_BIGINT, DUCKDB_TYPE_DOUBLE,
                                        DUCKDB_TYPE_DATE, DUCKDB_TYPE_BOOLEAN};
    hd_duck *d = duckdb_bind_get_extra_info(info);
    duckdb_value parameter = duckdb_bind_get_parameter(info, 0);
    int64_t number = duckdb_get_int64(parameter);
    duckdb_destroy_value(&parameter);
    if (number < 0 || (uint64_t)number >= d->n_rows || !d->rows[number].is_used) {
        duckdb_bind_set_error(info, "there are no such rows");
        return;
    }
    struct hd_duck_rows *r = &d->rows[number];
    for (size_t i = 0; i < r->n_columns; i++) {
        duckdb_logical_type type = duckdb_create_logical_type(types[r->types[i]]);
        duckdb_bind_add_result_column(info, r->names[i], type);
        duckdb_destroy_logical_type(&type);
    }
    duckdb_bind_set_cardinality(info, r->n_rows, true);
    duckdb_bind_set_bind_data(info, r, NULL);
}

struct scan {
    _Atomic uint64_t next_row;
    size_t n_wanted;
    idx_t wanted[]; /* columns that the statement reads */
};

static void init(duckdb_init_info info)
{
    const struct hd_duck_rows *r = duckdb_init_get_bind_data(info);
    size_t n = duckdb_init_get_column_count(info);
    struct scan *s = hd_calloc(1, sizeof *s + n * sizeof *s->wanted);
    if (!s) {
        duckdb_init_set_error(info, "Out of Memory");
        return;
    }
    s->n_wanted = n;
    for (size_t i = 0; i < n; i++)
        s->wanted[i] = duckdb_init_get_column_index(info, i);
    duckdb_init_set_max_threads(info, 1 + r->n_rows / ROWS_A_THREAD);
    duckdb_init_set_init_data(info, s, hd_free);
}

static void fill(const struct hd_duck_rows *r, size_t column, uint64_t first, idx_t n,
                 duckdb_vector out)
{
    void *to = duckdb_vector_get_data(out);
    duckdb_vector_ensure_validity_writable(out);
    uint64_t *validity = duckdb_vector_get_validity(out);
    for (idx_t i = 0; i < n; i++) {
        hd_value v = r->value(r->ctx, first + i, column);
        duckdb_validity_set_row_validity(validity, i, !v.is_null);
        if (v.is_null)
            continue;
        switch (r->types[column]) {
        case HD_TEXT:
            duckdb_vector_assign_string_element_len(out, i, v.text.bytes, v.text.len);
            break;
        case HD_DECIMAL:
            ((double *)to)[i] = v.decimal;
            break;
        case HD_DATE:
            ((int32_t *)to)[i] = (int32_t)v.integer;
            break;
        case HD_BOOLEAN:
            ((bool *)to)[i] = v.integer != 0;
            break;
        case HD_INTEGER:
            ((int64_t *)to)[i] = v.integer;
            break;
        }
    }
}

static void scan(duckdb_function_info info, duckdb_data_chunk chunk)
{
    const struct hd_duck_rows *r = duckdb_function_get_bind_data(info);
    struct scan *s = duckdb_function_get_init_data(info);
    uint64_t step = duckdb_vector_size();
    uint64_t first = atomic_fetch_add(&s->next_row, step);
    idx_t n = first >= r->n_rows ? 0 : r->n_rows - first < step ? r->n_rows - first : step;
    for (size_t i = 0; n && i < s->n_wanted; i++)
        if (s->wanted[i] < r->n_columns) /* else DuckDB's own row number: nobody asks for it here */
            fill(r, s->wanted[i], first, n, duckdb_data_chunk_get_vector(chunk, i));
    duckdb_data_chunk_set_size(chunk, n);
}

hd_code hd_duck_register_rows(hd_duck *d, hd_err *err)
{
    duckdb_table_function f = duckdb_create_table_function();
    duckdb_logical_type number = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
    duckdb_table_function_set_name(f, "hd_rows");
    duckdb_table_function_add_parameter(f, number);
    duckdb_table_function_set_extra_info(f, d, NULL);
    duckdb_table_function_set_bind(f, bind);
    duckdb_table_function_set_init(f, init);
    duckdb_table_function_set_function(f, scan);
    duckdb_table_function_supports_projection_pushdown(f, true);
    bool ok = duckdb_register_table_function(d->con, f) == DuckDBSuccess;
    duckdb_destroy_logical_type(&number);
    duckdb_destroy_table_function(&f);
    return ok ? HD_OK : hd_fail(err, HD_INVALID, "DuckDB does not take the function hd_rows");
}
