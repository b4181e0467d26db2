/* duck.c - connection, queries, results, parsing. See duck.h.
 *
 * Invariant: nothing of DuckDB's own types leaves this folder, and every create is paired with its
 * destroy also when the call failed (DuckDB's rule).
 */
#include "duck/private.h"
#include "base/alloc.h"
#include "base/csv.h"
#include "base/date.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MAX_MESSAGE = 300 };

hd_code hd_duck_fail(hd_err *err, hd_code code, const char *what, const char *message)
{
    char line[MAX_MESSAGE];
    if (message && (strstr(message, "expression depth") || strstr(message, "memory exhausted")))
        return hd_fail(err, HD_LIMIT, "%s: an expression is nested too deeply", what);
    size_t n = strcspn(message ? message : "", "\n");
    if (n >= sizeof line)
        n = sizeof line - 1;
    if (n)
        memcpy(line, message, n);
    line[n] = '\0';
    return hd_fail(err, code, "%s: %s", what, line);
}

hd_code hd_duck_open(hd_duck **out, hd_err *err)
{
    return hd_duck_open_limited(out, 0, NULL, err);
}

hd_code hd_duck_open_limited(hd_duck **out, uint64_t memory_bytes, const atomic_bool *stop,
                             hd_err *err)
{
    *out = NULL;
    hd_duck *d = hd_calloc(1, sizeof *d);
    if (!d)
        return hd_fail_nomem(err);
    duckdb_config config = NULL;
    char *message = NULL, memory[32];
    d->stop = stop;
    d->memory_bytes = memory_bytes ? memory_bytes : UINT64_C(4) << 30;
    snprintf(memory, sizeof memory, "%lluKiB", (unsigned long long)(d->memory_bytes >> 10));
    hd_code rc = HD_OK;
    bool ok = duckdb_create_config(&config) == DuckDBSuccess &&
              duckdb_set_config(config, "enable_external_access", "false") == DuckDBSuccess &&
              duckdb_set_config(config, "autoinstall_known_extensions", "false") == DuckDBSuccess &&
              duckdb_set_config(config, "autoload_known_extensions", "false") == DuckDBSuccess &&
              duckdb_set_config(config, "memory_limit", memory) == DuckDBSuccess &&
              duckdb_set_config(config, "max_temp_directory_size", "0KiB") == DuckDBSuccess &&
              duckdb_open_ext(NULL, &d->db, config, &message) == DuckDBSuccess &&
              duckdb_connect(d->db, &d->con) == DuckDBSuccess;
    if (!ok)
        rc = hd_duck_fail(err, HD_IO, "DuckDB does not start", message);
    duckdb_free(message);
    duckdb_destroy_config(&config);
    if (rc == HD_OK)
        rc = hd_duck_run(d,
                         "SET preserve_insertion_order = true; "
                         "SET ieee_floating_point_ops = false; " /* x / 0 is NULL */
                         "SET lock_configuration = true",
                         err);
    if (rc == HD_OK)
        rc = hd_duck_register_rows(d, err);
    if (rc != HD_OK) {
        hd_duck_close(d);
        return rc;
    }
    *out = d;
    return HD_OK;
}

void hd_duck_close(hd_duck *d)
{
    if (!d)
        return;
    duckdb_destroy_prepare(&d->parse);
    duckdb_destroy_prepare(&d->unparse);
    if (d->con)
        duckdb_disconnect(&d->con);
    if (d->db)
        duckdb_close(&d->db);
    hd_duck_free_views(d);
    hd_duck_free_rows(d);
    hd_free(d);
}

hd_code hd_duck_run(hd_duck *d, const char *sql, hd_err *err)
{
    duckdb_result result;
    hd_code rc = HD_OK;
    if (duckdb_query(d->con, sql, &result) != DuckDBSuccess)
        rc = hd_duck_fail(err, HD_INVALID, "DuckDB", duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    return rc;
}

/* ---- results ------------------------------------------------------------------------------- */

struct hd_duck_result {
    size_t n_columns, n_rows, rows_cap;
    char **names;
    hd_type *types;
    hd_value *values; /* row by row */
    char **texts;     /* one allocation for each text value, freed together */
    size_t n_texts, texts_cap;
    bool is_of_records; /* no value makes it fail */
};

void hd_duck_result_free(hd_duck_result *r)
{
    if (!r)
        return;
    for (size_t i = 0; r->names && i < r->n_columns; i++)
        hd_free(r->names[i]);
    for (size_t i = 0; i < r->n_texts; i++)
        hd_free(r->texts[i]);
    hd_free(r->names);
    hd_free(r->types);
    hd_free(r->values);
    hd_free(r->texts);
    hd_free(r);
}

size_t hd_duck_n_rows(const hd_duck_result *r)
{
    return r->n_rows;
}

size_t hd_duck_n_columns(const hd_duck_result *r)
{
    return r->n_columns;
}

const char *hd_duck_column_name(const hd_duck_result *r, size_t column)
{
    return r->names[column];
}

hd_type hd_duck_column_type(const hd_duck_result *r, size_t column)
{
    return r->types[column];
}

hd_value hd_duck_value(const hd_duck_result *r, size_t row, size_t column)
{
    return r->values[row * r->n_columns + column];
}

static bool type_of(duckdb_type type, hd_type *out)
{
    switch (type) {
    case DUCKDB_TYPE_BOOLEAN:
        *out = HD_BOOLEAN;
        return true;
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_HUGEINT:
        *out = HD_INTEGER;
        return true;
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
    case DUCKDB_TYPE_DECIMAL:
        *out = HD_DECIMAL;
        return true;
    case DUCKDB_TYPE_DATE:
    case DUCKDB_TYPE_TIMESTAMP:
        *out = HD_DATE;
        return true;
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_ENUM:
    case DUCKDB_TYPE_SQLNULL:
        *out = HD_TEXT;
        return true;
    default:
        return false;
    }
}

struct vector {
    duckdb_type type, storage;
    double scale; /* decimals */
    const void *data;
    uint64_t *validity;
    duckdb_logical_type logical; /* enums */
};

static hd_code keep_text(hd_duck_result *r, const char *s, size_t len, hd_value *v, hd_err *err)
{
    char *copy = hd_strndup(s, len);
    if (!copy || !HD_GROW(r->texts, r->n_texts, r->texts_cap)) {
        hd_free(copy);
        return hd_fail_nomem(err);
    }
    r->texts[r->n_texts++] = copy;
    v->text.bytes = copy;
    v->text.len = len;
    return HD_OK;
}

static double whole(const struct vector *c, duckdb_type storage, idx_t i)
{
    switch (storage) {
    case DUCKDB_TYPE_SMALLINT:
        return ((const int16_t *)c->data)[i];
    case DUCKDB_TYPE_INTEGER:
        return ((const int32_t *)c->data)[i];
    case DUCKDB_TYPE_BIGINT:
        return (double)((const int64_t *)c->data)[i];
    default:
        return duckdb_hugeint_to_double(((const duckdb_hugeint *)c->data)[i]);
    }
}

static hd_code text_of(hd_duck_result *r, const struct vector *c, idx_t i, hd_value *v, hd_err *err)
{
    if (c->type == DUCKDB_TYPE_SQLNULL) {
        v->is_null = true;
        return HD_OK;
    }
    if (c->type == DUCKDB_TYPE_ENUM) {
        idx_t k = c->storage == DUCKDB_TYPE_UTINYINT    ? ((const uint8_t *)c->data)[i]
                  : c->storage == DUCKDB_TYPE_USMALLINT ? ((const uint16_t *)c->data)[i]
                                                        : ((const uint32_t *)c->data)[i];
        char *s = duckdb_enum_dictionary_value(c->logical, k);
        hd_code rc = keep_text(r, s, strlen(s), v, err);
        duckdb_free(s);
        return rc;
    }
    duckdb_string_t s = ((const duckdb_string_t *)c->data)[i];
    return keep_text(r, duckdb_string_t_data(&s), duckdb_string_t_length(s), v, err);
}

static hd_code beyond(const hd_duck_result *r, hd_value *v, hd_err *err)
{
    v->is_null = true;
    return r->is_of_records ? HD_OK : hd_fail(err, HD_LIMIT, "a whole number is beyond 2^63");
}

static hd_code value_of(hd_duck_result *r, const struct vector *c, idx_t i, hd_value *v, hd_err *err)
{
    switch (c->type) {
    case DUCKDB_TYPE_BOOLEAN:
        v->integer = ((const bool *)c->data)[i];
        break;
    case DUCKDB_TYPE_TINYINT:
        v->integer = ((const int8_t *)c->data)[i];
        break;
    case DUCKDB_TYPE_SMALLINT:
        v->integer = ((const int16_t *)c->data)[i];
        break;
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_DATE:
        v->integer = ((const int32_t *)c->data)[i];
        break;
    case DUCKDB_TYPE_BIGINT:
        v->integer = ((const int64_t *)c->data)[i];
        break;
    case DUCKDB_TYPE_UTINYINT:
        v->integer = ((const uint8_t *)c->data)[i];
        break;
    case DUCKDB_TYPE_USMALLINT:
        v->integer = ((const uint16_t *)c->data)[i];
        break;
    case DUCKDB_TYPE_UINTEGER:
        v->integer = ((const uint32_t *)c->data)[i];
        break;
    case DUCKDB_TYPE_UBIGINT: {
        uint64_t u = ((const uint64_t *)c->data)[i];
        if (u > INT64_MAX)
            return beyond(r, v, err);
        v->integer = (int64_t)u;
        break;
    }
    case DUCKDB_TYPE_HUGEINT: {
        duckdb_hugeint h = ((const duckdb_hugeint *)c->data)[i];
        if ((h.upper != 0 || h.lower > INT64_MAX) && (h.upper != -1 || h.lower <= INT64_MAX))
            return beyond(r, v, err);
        v->integer = (int64_t)h.lower;
        break;
    }
    case DUCKDB_TYPE_FLOAT:
        v->decimal = (double)((const float *)c->data)[i];
        break;
    case DUCKDB_TYPE_DOUBLE:
        v->decimal = ((const double *)c->data)[i];
        break;
    case DUCKDB_TYPE_DECIMAL:
        v->decimal = whole(c, c->storage, i) / c->scale;
        break;
    case DUCKDB_TYPE_TIMESTAMP: {
        const int64_t day_us = INT64_C(86400000000);
        int64_t us = ((const int64_t *)c->data)[i];
        int64_t day = us / day_us - (us % day_us < 0);
        if (us % day_us != 0 && !r->is_of_records)
            return hd_fail(err, HD_INVALID,
                           "a result has a clock time: cast it to DATE or to VARCHAR");
        v->integer = day;
        break;
    }
    default:
        return text_of(r, c, i, v, err);
    }
    /* Not-a-number and infinity are no figures: they read as NULL. */
    if (v->type == HD_DECIMAL && !isfinite(v->decimal))
        v->is_null = true;
    return HD_OK;
}

static hd_code add_chunk(hd_duck_result *r, duckdb_data_chunk chunk, hd_err *err)
{
    idx_t n = duckdb_data_chunk_get_size(chunk);
    if (r->n_rows + n > r->rows_cap) {
        size_t cap = r->rows_cap ? r->rows_cap * 2 : 64;
        while (cap < r->n_rows + n)
            cap *= 2;
        hd_value *p = hd_realloc_n(r->values, cap * (r->n_columns ? r->n_columns : 1), sizeof *p);
        if (!p)
            return hd_fail_nomem(err);
        r->values = p;
        r->rows_cap = cap;
    }
    hd_code rc = HD_OK;
    for (size_t col = 0; col < r->n_columns && rc == HD_OK; col++) {
        duckdb_vector v = duckdb_data_chunk_get_vector(chunk, col);
        struct vector c = {.logical = duckdb_vector_get_column_type(v)};
        c.type = duckdb_get_type_id(c.logical);
        c.data = duckdb_vector_get_data(v);
        c.validity = duckdb_vector_get_validity(v);
        if (c.type == DUCKDB_TYPE_DECIMAL) {
            c.storage = duckdb_decimal_internal_type(c.logical);
            c.scale = pow(10, duckdb_decimal_scale(c.logical));
        } else if (c.type == DUCKDB_TYPE_ENUM) {
            c.storage = duckdb_enum_internal_type(c.logical);
        }
        for (idx_t i = 0; i < n && rc == HD_OK; i++) {
            hd_value *out = &r->values[(r->n_rows + i) * r->n_columns + col];
            *out = (hd_value){.type = r->types[col]};
            if (c.validity && !duckdb_validity_row_is_valid(c.validity, i))
                out->is_null = true;
            else
                rc = value_of(r, &c, i, out, err);
        }
        duckdb_destroy_logical_type(&c.logical);
    }
    r->n_rows += n;
    return rc;
}

static hd_code no_type(size_t column, hd_err *err)
{
    return hd_fail(err, HD_INVALID, "column %zu has a type that cannot be shown: cast it to VARCHAR",
                   column + 1);
}

static hd_code keep_columns(hd_duck_result *r, duckdb_result *result, hd_err *err)
{
    r->n_columns = duckdb_column_count(result);
    r->names = hd_calloc(r->n_columns, sizeof *r->names);
    r->types = hd_calloc(r->n_columns, sizeof *r->types);
    if (!r->names || !r->types)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < r->n_columns; i++) {
        r->names[i] = hd_strdup(duckdb_column_name(result, i));
        if (!r->names[i])
            return hd_fail_nomem(err);
        if (!type_of(duckdb_column_type(result, i), &r->types[i]))
            return no_type(i, err);
    }
    return HD_OK;
}

/* Why a statement failed that did bind. Its message may quote a value and is not passed on. */
static hd_code fail_running(const hd_duck *d, const char *message, hd_err *err)
{
    if (message && strstr(message, "Out of Memory"))
        return hd_fail(err, HD_LIMIT, "an expression needs more than %.0f MB of memory: let it make "
                                      "less text, or ask for fewer groups",
                       (double)d->memory_bytes / 1e6);
    return hd_fail(err, HD_INVALID, "the expression fails for some value in the data: use try_cast, "
                                    "nullif or a CASE to catch it");
}

/* End what runs just now. DuckDB's threads may be reading our rows until the next statement, which
 * waits for them, so there is one before anybody frees those. */
static hd_code stop(hd_duck *d, duckdb_pending_result *pending, hd_err *err)
{
    duckdb_result result;
    duckdb_interrupt(d->con);
    duckdb_destroy_pending(pending);
    (void)duckdb_query(d->con, "SELECT 1", &result);
    duckdb_destroy_result(&result);
    return hd_fail(err, HD_CANCELLED, "the question was stopped");
}

/* Run a prepared statement piece by piece, so that it can be stopped between two pieces. */
static hd_code execute(hd_duck *d, duckdb_prepared_statement statement, duckdb_result *result,
                       hd_err *err)
{
    static const struct timespec moment = {.tv_nsec = 50000};
    duckdb_pending_result pending = NULL;
    duckdb_pending_state state = DUCKDB_PENDING_RESULT_NOT_READY;
    hd_code rc = HD_OK;
    if (duckdb_pending_prepared(statement, &pending) != DuckDBSuccess)
        state = DUCKDB_PENDING_ERROR;
    while (state != DUCKDB_PENDING_ERROR && !duckdb_pending_execution_is_finished(state)) {
        if (d->stop && atomic_load_explicit(d->stop, memory_order_relaxed)) {
            rc = stop(d, &pending, err);
            goto out;
        }
        state = duckdb_pending_execute_task(pending);
        if (state == DUCKDB_PENDING_NO_TASKS_AVAILABLE)
            nanosleep(&moment, NULL); /* other threads are at work */
    }
    if (state == DUCKDB_PENDING_ERROR)
        rc = fail_running(d, duckdb_pending_error(pending), err);
    else if (duckdb_execute_pending(pending, result) != DuckDBSuccess)
        rc = fail_running(d, duckdb_result_error(result), err);
out:
    duckdb_destroy_pending(&pending);
    return rc;
}

static hd_code query(hd_duck *d, const char *sql, bool is_of_records, hd_duck_result **out,
                     hd_err *err)
{
    *out = NULL;
    duckdb_prepared_statement statement = NULL;
    duckdb_result result = {0};
    hd_duck_result *r = NULL;
    hd_code rc = HD_OK;
    /* Two steps, because their messages differ in kind: what does not bind is told from the SQL
     * text alone, what fails while running may quote a data value and is not passed on. */
    if (duckdb_prepare(d->con, sql, &statement) != DuckDBSuccess) {
        rc = hd_duck_fail(err, HD_INVALID, "SQL", duckdb_prepare_error(statement));
        goto out;
    }
    HD_GO(execute(d, statement, &result, err));
    r = hd_calloc(1, sizeof *r);
    if (!r) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    r->is_of_records = is_of_records;
    HD_GO(keep_columns(r, &result, err));
    for (;;) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
        if (!chunk)
            break;
        rc = add_chunk(r, chunk, err);
        duckdb_destroy_data_chunk(&chunk);
        if (rc != HD_OK)
            goto out;
    }
    *out = r;
    r = NULL;
out:
    hd_duck_result_free(r);
    duckdb_destroy_result(&result);
    duckdb_destroy_prepare(&statement);
    return rc;
}

hd_code hd_duck_query(hd_duck *d, const char *sql, hd_duck_result **out, hd_err *err)
{
    return query(d, sql, false, out, err);
}

hd_code hd_duck_query_records(hd_duck *d, const char *sql, hd_duck_result **out, hd_err *err)
{
    return query(d, sql, true, out, err);
}

hd_code hd_duck_types(hd_duck *d, const char *sql, size_t n, hd_type *out, hd_err *err)
{
    duckdb_prepared_statement statement = NULL;
    hd_code rc = HD_OK;
    if (duckdb_prepare(d->con, sql, &statement) != DuckDBSuccess)
        rc = hd_duck_fail(err, HD_INVALID, "SQL", duckdb_prepare_error(statement));
    else
        HD_ALWAYS(duckdb_prepared_statement_column_count(statement) == n);
    for (size_t i = 0; i < n && rc == HD_OK; i++)
        if (!type_of(duckdb_prepared_statement_column_type(statement, i), &out[i]))
            rc = no_type(i, err);
    duckdb_destroy_prepare(&statement);
    return rc;
}

/* ---- parsing ------------------------------------------------------------------------------- */

void hd_duck_put_text(hd_buf *out, const char *bytes, size_t len)
{
    hd_buf_char(out, '\'');
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\'')
            hd_buf_char(out, '\'');
        hd_buf_char(out, bytes[i]);
    }
    hd_buf_char(out, '\'');
}

void hd_duck_put_name(hd_buf *out, const char *name)
{
    hd_buf_char(out, '"');
    for (; *name; name++) {
        if (*name == '"')
            hd_buf_char(out, '"');
        hd_buf_char(out, *name);
    }
    hd_buf_char(out, '"');
}

/* Run a statement of one text parameter and give the one text that comes back. It is planned when it
 * is first needed and kept. */
static hd_code call_text(hd_duck *d, duckdb_prepared_statement *statement, const char *sql,
                         const char *text, char **out, hd_err *err)
{
    duckdb_result result = {0};
    duckdb_data_chunk chunk = NULL;
    hd_code rc = HD_OK;
    *out = NULL;
    if (!*statement && duckdb_prepare(d->con, sql, statement) != DuckDBSuccess) {
        rc = hd_duck_fail(err, HD_INVALID, "SQL", duckdb_prepare_error(*statement));
        duckdb_destroy_prepare(statement);
        return rc;
    }
    if (duckdb_bind_varchar(*statement, 1, text) != DuckDBSuccess ||
        duckdb_execute_prepared(*statement, &result) != DuckDBSuccess) {
        rc = hd_duck_fail(err, HD_INVALID, "SQL", duckdb_result_error(&result));
        goto out;
    }
    chunk = duckdb_fetch_chunk(result);
    if (chunk && duckdb_data_chunk_get_size(chunk) == 1) {
        duckdb_string_t *s = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
        *out = hd_strndup(duckdb_string_t_data(s), duckdb_string_t_length(*s));
    }
    if (!*out)
        rc = hd_fail_nomem(err);
out:
    duckdb_destroy_data_chunk(&chunk);
    duckdb_destroy_result(&result);
    return rc;
}

/* DuckDB writes "no place in the text" as 2^64-1, which JSON readers refuse: make it 0. The quotes
 * cannot come from a person's text, where they stand behind a backslash. */
static void clear_places(char *json)
{
    static const char none[] = "\"query_location\":18446744073709551615";
    static const char zero[] = "\"query_location\":0                   ";
    for (char *at = json; (at = strstr(at, none)); at += sizeof none - 1)
        memcpy(at, zero, sizeof none - 1);
}

static bool is_no_select(const json_t *tree)
{
    const char *type = json_string_value(json_object_get(tree, "error_type"));
    return type && strcmp(type, "not implemented") == 0;
}

hd_code hd_duck_parse(hd_duck *d, const char *sql, char **json, hd_err *err)
{
    *json = NULL;
    char *text;
    if (!hd_utf8_ok(sql, strlen(sql)))
        return hd_fail(err, HD_INVALID, "the question is not in UTF-8: write its letters in that encoding");
    HD_TRY(call_text(d, &d->parse, "SELECT json_serialize_sql($1::VARCHAR)::VARCHAR", sql, &text, err));
    clear_places(text);
    json_error_t jerr;
    json_t *tree = json_loads(text, JSON_REJECT_DUPLICATES, &jerr);
    hd_code rc = HD_OK;
    if (!tree)
        rc = hd_fail(err, HD_INVALID, "SQL: a number in it is too large");
    else if (is_no_select(tree))
        rc = hd_fail(err, HD_INVALID, "a question begins with SELECT, and nothing else is answered");
    else if (json_is_true(json_object_get(tree, "error")))
        rc = hd_duck_fail(err, HD_INVALID, "SQL",
                          json_string_value(json_object_get(tree, "error_message")));
    json_decref(tree);
    if (rc != HD_OK) {
        hd_free(text);
        return rc;
    }
    *json = text;
    return HD_OK;
}

hd_code hd_duck_unparse(hd_duck *d, const char *json, char **sql, hd_err *err)
{
    *sql = NULL;
    return call_text(d, &d->unparse, "SELECT json_deserialize_sql($1::JSON)::VARCHAR", json, sql, err);
}
