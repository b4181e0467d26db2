/* view.c - our columns as DuckDB tables: by value (small) or over the codes in place (large).
 *
 * Invariant: a view's arrays are borrowed; the engine keeps them alive and read-only until the
 * connection closes or a view of the same name replaces it.
 */
#include "duck/private.h"
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

hd_code hd_duck_make_table(hd_duck *d, const char *name, const hd_duck_column *columns,
                           size_t n_columns, uint64_t n_rows,
                           hd_value (*value)(void *ctx, uint64_t row, size_t column), void *ctx,
                           hd_err *err)
{
    static const char *const types[] = {"VARCHAR", "BIGINT", "DOUBLE", "DATE", "BOOLEAN"};
    hd_buf sql;
    hd_buf_init(&sql, 1u << 20);
    hd_buf_str(&sql, "CREATE OR REPLACE TABLE ");
    hd_duck_put_name(&sql, name);
    for (size_t i = 0; i < n_columns; i++) {
        hd_buf_str(&sql, i ? ", " : " (");
        hd_duck_put_name(&sql, columns[i].name);
        hd_buf_printf(&sql, " %s", types[columns[i].type]);
    }
    hd_buf_char(&sql, ')');
    hd_code rc = hd_buf_check(&sql, err);
    if (rc == HD_OK)
        rc = hd_duck_run(d, sql.data, err);
    hd_buf_free(&sql);
    if (rc != HD_OK)
        return rc;
    duckdb_appender a = NULL;
    bool ok = duckdb_appender_create(d->con, NULL, name, &a) == DuckDBSuccess;
    for (uint64_t row = 0; ok && row < n_rows; row++) {
        for (size_t col = 0; ok && col < n_columns; col++) {
            hd_value v = value(ctx, row, col);
            if (v.is_null)
                ok = duckdb_append_null(a) == DuckDBSuccess;
            else if (v.type == HD_TEXT)
                ok = duckdb_append_varchar_length(a, v.text.bytes, v.text.len) == DuckDBSuccess;
            else if (v.type == HD_DECIMAL)
                ok = duckdb_append_double(a, v.decimal) == DuckDBSuccess;
            else if (v.type == HD_DATE)
                ok = duckdb_append_date(a, (duckdb_date){(int32_t)v.integer}) == DuckDBSuccess;
            else if (v.type == HD_BOOLEAN)
                ok = duckdb_append_bool(a, v.integer != 0) == DuckDBSuccess;
            else
                ok = duckdb_append_int64(a, v.integer) == DuckDBSuccess;
        }
        ok = ok && duckdb_appender_end_row(a) == DuckDBSuccess;
    }
    ok = ok && duckdb_appender_close(a) == DuckDBSuccess;
    duckdb_appender_destroy(&a);
    return ok ? HD_OK : hd_fail(err, HD_INVALID, "DuckDB does not take the rows of %s", name);
}

/* ---- views over codes ------------------------------------------------------------------------ */

/* A code column as DuckDB sees it. Text becomes an ENUM whose member 0 stands for NULL, so that our
 * codes are its codes; the member's name cannot be a value, because it is not in the dictionary. */
struct view_column {
    char *name;
    duckdb_logical_type type;
    unsigned out_width; /* bytes of DuckDB's physical type */
    bool is_enum;
    hd_duck_codes codes;
};

struct view_source {
    struct view_source *next;
    char *name;
    size_t n_columns;
    struct view_column *columns;
    uint64_t n_rows;
};

static void free_columns(struct view_source *s)
{
    for (size_t i = 0; i < s->n_columns; i++) {
        hd_free(s->columns[i].name);
        duckdb_destroy_logical_type(&s->columns[i].type);
    }
    hd_free(s->columns);
    s->columns = NULL;
    s->n_columns = 0;
}

static void free_source(struct view_source *s)
{
    free_columns(s);
    hd_free(s->name);
    hd_free(s);
}

void hd_duck_free_views(hd_duck *d)
{
    while (d->views) {
        struct view_source *next = d->views->next;
        free_source(d->views);
        d->views = next;
    }
}

struct scan {
    _Atomic uint64_t next_row;
    size_t n_wanted;
    idx_t *wanted; /* columns that the query reads */
};

static void free_scan(void *p)
{
    struct scan *s = p;
    hd_free(s->wanted);
    hd_free(s);
}

static void scan_bind(duckdb_bind_info info)
{
    const struct view_source *s = duckdb_bind_get_extra_info(info);
    for (size_t i = 0; i < s->n_columns; i++)
        duckdb_bind_add_result_column(info, s->columns[i].name, s->columns[i].type);
    duckdb_bind_set_cardinality(info, s->n_rows, true);
    duckdb_bind_set_bind_data(info, (void *)s, NULL);
}

static void scan_init(duckdb_init_info info)
{
    struct scan *s = hd_calloc(1, sizeof *s);
    if (s) {
        s->n_wanted = duckdb_init_get_column_count(info);
        s->wanted = hd_calloc(s->n_wanted, sizeof *s->wanted);
    }
    if (!s || !s->wanted) {
        hd_free(s);
        duckdb_init_set_error(info, "Out of Memory");
        return;
    }
    for (size_t i = 0; i < s->n_wanted; i++)
        s->wanted[i] = duckdb_init_get_column_index(info, i);
    duckdb_init_set_max_threads(info, 64);
    duckdb_init_set_init_data(info, s, free_scan);
}

static uint32_t code_at(const hd_duck_codes *c, uint64_t row)
{
    return c->width == 1   ? ((const uint8_t *)c->data)[row]
           : c->width == 2 ? ((const uint16_t *)c->data)[row]
                           : ((const uint32_t *)c->data)[row];
}

static void fill_raw(const hd_duck_codes *c, uint64_t start, idx_t n, duckdb_vector out)
{
    int64_t *to = duckdb_vector_get_data(out);
    duckdb_vector_ensure_validity_writable(out);
    uint64_t *validity = duckdb_vector_get_validity(out);
    for (idx_t i = 0; i < n; i++) {
        uint64_t v = c->width == 8   ? ((const uint64_t *)c->data)[start + i]
                     : c->width == 4 ? ((const uint32_t *)c->data)[start + i]
                                     : ((const uint8_t *)c->data)[start + i];
        to[i] = (int64_t)v;
        duckdb_validity_set_row_validity(validity, i, v != 0);
    }
}

static void fill_flags(const hd_duck_codes *c, uint64_t start, idx_t n, duckdb_vector out)
{
    memcpy(duckdb_vector_get_data(out), (const uint8_t *)c->data + start, n);
}

static void fill_codes(const struct view_column *col, uint64_t start, idx_t n, duckdb_vector out)
{
    const hd_duck_codes *c = &col->codes;
    void *to = duckdb_vector_get_data(out);
    duckdb_vector_ensure_validity_writable(out);
    uint64_t *validity = duckdb_vector_get_validity(out);
    for (idx_t i = 0; i < n; i++) {
        uint32_t code = code_at(c, start + i);
        duckdb_validity_set_row_validity(validity, i, code != 0);
        if (col->is_enum && col->out_width == 1)
            ((uint8_t *)to)[i] = (uint8_t)code;
        else if (col->is_enum && col->out_width == 2)
            ((uint16_t *)to)[i] = (uint16_t)code;
        else if (col->is_enum)
            ((uint32_t *)to)[i] = code;
        else if (c->type == HD_DECIMAL)
            ((double *)to)[i] = c->decimals[code];
        else if (c->type == HD_DATE)
            ((int32_t *)to)[i] = (int32_t)c->integers[code];
        else if (c->type == HD_BOOLEAN)
            ((bool *)to)[i] = c->integers[code] != 0;
        else
            ((int64_t *)to)[i] = c->integers[code];
    }
}

static void scan_rows(duckdb_function_info info, duckdb_data_chunk chunk)
{
    const struct view_source *s = duckdb_function_get_bind_data(info);
    struct scan *scan = duckdb_function_get_init_data(info);
    uint64_t step = duckdb_vector_size();
    uint64_t start = atomic_fetch_add(&scan->next_row, step);
    if (start >= s->n_rows) {
        duckdb_data_chunk_set_size(chunk, 0);
        return;
    }
    idx_t n = s->n_rows - start < step ? s->n_rows - start : step;
    for (size_t i = 0; i < scan->n_wanted; i++) {
        if (scan->wanted[i] >= s->n_columns)
            continue; /* DuckDB's own row number: nobody asks for it here */
        const struct view_column *col = &s->columns[scan->wanted[i]];
        duckdb_vector out = duckdb_data_chunk_get_vector(chunk, i);
        if (col->codes.n_codes)
            fill_codes(col, start, n, out);
        else if (col->codes.type == HD_BOOLEAN)
            fill_flags(&col->codes, start, n, out);
        else
            fill_raw(&col->codes, start, n, out);
    }
    duckdb_data_chunk_set_size(chunk, n);
}

static hd_code enum_type(struct view_column *col, hd_err *err)
{
    const hd_duck_codes *c = &col->codes;
    const char **members = hd_calloc(c->n_codes, sizeof *members);
    char *text = hd_malloc((size_t)c->ends[c->n_codes - 1] + c->n_codes * (size_t)1);
    hd_code rc = HD_OK;
    if (!members || !text) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    members[0] = "\x01null";
    char *to = text;
    for (uint32_t i = 1; i < c->n_codes; i++) {
        size_t len = (size_t)(c->ends[i] - c->ends[i - 1]);
        members[i] = to;
        memcpy(to, c->bytes + c->ends[i - 1], len);
        to[len] = '\0';
        to += len + 1;
    }
    col->type = duckdb_create_enum_type(members, c->n_codes);
    switch (duckdb_enum_internal_type(col->type)) {
    case DUCKDB_TYPE_UTINYINT:
        col->out_width = 1;
        break;
    case DUCKDB_TYPE_USMALLINT:
        col->out_width = 2;
        break;
    default:
        col->out_width = 4;
        break;
    }
    col->is_enum = true;
out:
    hd_free(members);
    hd_free(text);
    return rc;
}

static hd_code make_source(struct view_source *s, const hd_duck_codes *columns, size_t n,
                           hd_err *err)
{
    static const duckdb_type types[] = {DUCKDB_TYPE_VARCHAR, DUCKDB_TYPE_BIGINT, DUCKDB_TYPE_DOUBLE,
                                        DUCKDB_TYPE_DATE, DUCKDB_TYPE_BOOLEAN};
    s->columns = hd_calloc(n, sizeof *s->columns);
    if (!s->columns)
        return hd_fail_nomem(err);
    s->n_columns = n;
    for (size_t i = 0; i < n; i++) {
        struct view_column *col = &s->columns[i];
        col->codes = columns[i];
        col->name = hd_strdup(columns[i].name);
        if (!col->name)
            return hd_fail_nomem(err);
        if (columns[i].type == HD_TEXT)
            HD_TRY(enum_type(col, err));
        else
            col->type = duckdb_create_logical_type(types[columns[i].type]);
    }
    return HD_OK;
}

/* The table a question sees: text columns read as VARCHAR, so that comparing with a code that does
 * not occur is false and no error. DuckDB keeps the ENUM's dictionary behind the cast. */
static hd_code make_sql_view(hd_duck *d, const struct view_source *s, hd_err *err)
{
    hd_buf sql;
    hd_buf_init(&sql, 1u << 20);
    hd_buf_str(&sql, "CREATE OR REPLACE VIEW ");
    hd_duck_put_name(&sql, s->name);
    hd_buf_str(&sql, " AS SELECT ");
    for (size_t i = 0; i < s->n_columns; i++) {
        hd_buf_str(&sql, i ? ", " : "");
        hd_duck_put_name(&sql, s->columns[i].name);
        if (s->columns[i].is_enum) {
            hd_buf_str(&sql, "::VARCHAR AS ");
            hd_duck_put_name(&sql, s->columns[i].name);
        }
    }
    hd_buf_printf(&sql, " FROM \"scan of %s\"()", s->name);
    hd_code rc = hd_buf_check(&sql, err);
    if (rc == HD_OK)
        rc = hd_duck_run(d, sql.data, err);
    hd_buf_free(&sql);
    return rc;
}

/* The source of that name, registered with DuckDB once; its columns may change later. */
static hd_code source_of(hd_duck *d, const char *name, struct view_source **out, hd_err *err)
{
    for (struct view_source *s = d->views; s; s = s->next)
        if (strcmp(s->name, name) == 0) {
            *out = s;
            return HD_OK;
        }
    struct view_source *s = hd_calloc(1, sizeof *s);
    char *copy = hd_strdup(name);
    if (!s || !copy) {
        hd_free(s);
        hd_free(copy);
        return hd_fail_nomem(err);
    }
    s->name = copy;
    s->next = d->views;
    d->views = s;
    char function[160];
    snprintf(function, sizeof function, "scan of %s", name);
    duckdb_table_function f = duckdb_create_table_function();
    duckdb_table_function_set_name(f, function);
    duckdb_table_function_set_extra_info(f, s, NULL);
    duckdb_table_function_set_bind(f, scan_bind);
    duckdb_table_function_set_init(f, scan_init);
    duckdb_table_function_set_function(f, scan_rows);
    duckdb_table_function_supports_projection_pushdown(f, true);
    bool ok = duckdb_register_table_function(d->con, f) == DuckDBSuccess;
    duckdb_destroy_table_function(&f);
    *out = s;
    return ok ? HD_OK : hd_fail(err, HD_INVALID, "DuckDB does not take the view %s", name);
}

hd_code hd_duck_make_view(hd_duck *d, const char *name, const hd_duck_codes *columns,
                          size_t n_columns, uint64_t n_rows, hd_err *err)
{
    struct view_source *s = NULL;
    HD_TRY(source_of(d, name, &s, err));
    free_columns(s);
    s->n_rows = n_rows;
    HD_TRY(make_source(s, columns, n_columns, err));
    return make_sql_view(d, s, err);
}
