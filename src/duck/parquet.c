/* parquet.c - rows of a Parquet file as text, for landing. See duck.h.
 *
 * Invariant: this connection reads one named file and nothing a person wrote; values are
 * cast to text by DuckDB, so that landing judges them as it judges a delimited file.
 */
#include "duck/private.h"
#include "base/alloc.h"

#include <string.h>

struct hd_parquet {
    duckdb_database db;
    duckdb_connection con;
    duckdb_result result;
    bool has_result;
    duckdb_data_chunk chunk;
    size_t n_columns;
    char **names;
};

void hd_parquet_close(hd_parquet *p)
{
    if (!p)
        return;
    if (p->chunk)
        duckdb_destroy_data_chunk(&p->chunk);
    if (p->has_result)
        duckdb_destroy_result(&p->result);
    if (p->con)
        duckdb_disconnect(&p->con);
    if (p->db)
        duckdb_close(&p->db);
    for (size_t i = 0; p->names && i < p->n_columns; i++)
        hd_free(p->names[i]);
    hd_free(p->names);
    hd_free(p);
}

static hd_code start(hd_parquet *p, const char *path, hd_err *err)
{
    if (strpbrk(path, "*?[")) /* DuckDB would read it as a pattern for many files */
        return hd_fail(err, HD_INVALID, "the path has *, ? or [ in it: rename the file");
    duckdb_config config = NULL;
    bool ok = duckdb_create_config(&config) == DuckDBSuccess &&
              duckdb_set_config(config, "autoinstall_known_extensions", "false") == DuckDBSuccess &&
              duckdb_set_config(config, "autoload_known_extensions", "false") == DuckDBSuccess &&
              duckdb_set_config(config, "threads", "1") == DuckDBSuccess &&
              duckdb_set_config(config, "max_temp_directory_size", "0KiB") == DuckDBSuccess &&
              duckdb_open_ext(NULL, &p->db, config, NULL) == DuckDBSuccess &&
              duckdb_connect(p->db, &p->con) == DuckDBSuccess;
    duckdb_destroy_config(&config);
    if (!ok)
        return hd_fail(err, HD_IO, "DuckDB does not start");
    hd_buf sql;
    hd_buf_init(&sql, 1u << 16);
    hd_buf_str(&sql, "SELECT COLUMNS(*)::VARCHAR FROM read_parquet(");
    hd_duck_put_text(&sql, path, strlen(path));
    hd_buf_char(&sql, ')');
    hd_code rc = hd_buf_check(&sql, err);
    duckdb_prepared_statement statement = NULL;
    if (rc == HD_OK && (duckdb_prepare(p->con, sql.data, &statement) != DuckDBSuccess ||
                        duckdb_execute_prepared_streaming(statement, &p->result) != DuckDBSuccess))
        rc = hd_fail(err, HD_FORMAT, "not a Parquet file that can be read, or a damaged one");
    else if (rc == HD_OK)
        p->has_result = true;
    duckdb_destroy_prepare(&statement);
    hd_buf_free(&sql);
    return rc;
}

hd_code hd_parquet_open(hd_parquet **out, const char *path, hd_err *err)
{
    *out = NULL;
    hd_parquet *p = hd_calloc(1, sizeof *p);
    if (!p)
        return hd_fail_nomem(err);
    hd_code rc = start(p, path, err);
    if (rc == HD_OK) {
        p->n_columns = duckdb_column_count(&p->result);
        p->names = hd_calloc(p->n_columns, sizeof *p->names);
        if (!p->names)
            rc = hd_fail_nomem(err);
        for (size_t i = 0; rc == HD_OK && i < p->n_columns; i++) {
            p->names[i] = hd_strdup(duckdb_column_name(&p->result, i));
            if (!p->names[i])
                rc = hd_fail_nomem(err);
        }
    }
    if (rc != HD_OK) {
        hd_parquet_close(p);
        return rc;
    }
    *out = p;
    return HD_OK;
}

size_t hd_parquet_n_columns(const hd_parquet *p)
{
    return p->n_columns;
}

const char *hd_parquet_column(const hd_parquet *p, size_t i)
{
    return p->names[i];
}

hd_code hd_parquet_next(hd_parquet *p, size_t *n_rows, hd_err *err)
{
    if (p->chunk)
        duckdb_destroy_data_chunk(&p->chunk);
    p->chunk = duckdb_fetch_chunk(p->result);
    *n_rows = p->chunk ? duckdb_data_chunk_get_size(p->chunk) : 0;
    const char *message = p->chunk ? NULL : duckdb_result_error(&p->result);
    if (message && *message)
        return hd_fail(err, HD_FORMAT, "the Parquet file is damaged");
    return HD_OK;
}

const char *hd_parquet_field(const hd_parquet *p, size_t row, size_t column, size_t *len)
{
    duckdb_vector v = duckdb_data_chunk_get_vector(p->chunk, column);
    uint64_t *validity = duckdb_vector_get_validity(v);
    *len = 0;
    if (validity && !duckdb_validity_row_is_valid(validity, row))
        return "";
    /* A pointer into the chunk: short strings live inside the duckdb_string_t itself. */
    duckdb_string_t *s = (duckdb_string_t *)duckdb_vector_get_data(v) + row;
    *len = duckdb_string_t_length(*s);
    return duckdb_string_t_data(s);
}
