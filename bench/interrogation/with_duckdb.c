/* with_duckdb.c - the yardstick in DuckDB: the same rows by its appender, SQL to a result.
 * usage: with_duckdb make FILE ROWS SEED PARQUET-FOLDER SHAPE
 *        with_duckdb serve FILE THREADS
 *
 * `make` also writes the tables as Parquet files, from which the ClickHouse program loads. In a
 * request, statements before the last are settings and are not timed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duckdb.h"
#include "synth/yardstick.h"
#include "serve.h"

static duckdb_database database;
static duckdb_connection connection;

static void open_database(const char *path)
{
    if (duckdb_open(path, &database) != DuckDBSuccess ||
        duckdb_connect(database, &connection) != DuckDBSuccess)
        fail("with_duckdb: cannot open %s", path);
}

static void close_database(void)
{
    duckdb_disconnect(&connection);
    duckdb_close(&database);
}

static void run(const char *sql)
{
    duckdb_result r;
    if (duckdb_query(connection, sql, &r) != DuckDBSuccess)
        fail("with_duckdb: %s", duckdb_result_error(&r));
    duckdb_destroy_result(&r);
}

/* ---- make ------------------------------------------------------------------------------------ */

static duckdb_type type_of(const hd_yard_column *c)
{
    return c->is_date          ? DUCKDB_TYPE_DATE
           : c->limit <= 256   ? DUCKDB_TYPE_UTINYINT
           : c->limit <= 65536 ? DUCKDB_TYPE_USMALLINT
                               : DUCKDB_TYPE_UINTEGER;
}

static void create_table(hd_yard_table table)
{
    static const char *const names[] = {[DUCKDB_TYPE_UTINYINT] = "UTINYINT",
                                        [DUCKDB_TYPE_USMALLINT] = "USMALLINT",
                                        [DUCKDB_TYPE_UINTEGER] = "UINTEGER",
                                        [DUCKDB_TYPE_DATE] = "DATE"};
    char sql[2048];
    int at = snprintf(sql, sizeof sql, "CREATE TABLE %s (person UINTEGER", hd_yard_names[table]);
    for (const hd_yard_column *c = hd_yard_columns[table]; c->name; c++)
        at += snprintf(sql + at, sizeof sql - (size_t)at, ", %s %s", c->name, names[type_of(c)]);
    snprintf(sql + at, sizeof sql - (size_t)at, ")");
    run(sql);
}

static void fill(duckdb_vector v, const hd_yard_column *c, const uint32_t *from, size_t n)
{
    void *to = duckdb_vector_get_data(v);
    duckdb_type type = c ? type_of(c) : DUCKDB_TYPE_UINTEGER;
    for (size_t i = 0; i < n; i++)
        if (type == DUCKDB_TYPE_UTINYINT)
            ((uint8_t *)to)[i] = (uint8_t)from[i];
        else if (type == DUCKDB_TYPE_USMALLINT)
            ((uint16_t *)to)[i] = (uint16_t)from[i];
        else
            ((uint32_t *)to)[i] = from[i] + (c && c->is_date ? HD_YARD_FIRST_DAY : 0);
}

static void make_table(hd_yard_table table, uint64_t n_rows, uint64_t seed)
{
    static hd_yard_chunk rows;
    duckdb_logical_type types[HD_YARD_COLUMNS + 1];
    size_t n = 1;
    types[0] = duckdb_create_logical_type(DUCKDB_TYPE_UINTEGER);
    for (const hd_yard_column *c = hd_yard_columns[table]; c->name; c++)
        types[n++] = duckdb_create_logical_type(type_of(c));
    create_table(table);
    duckdb_appender appender;
    if (duckdb_appender_create(connection, NULL, hd_yard_names[table], &appender) != DuckDBSuccess)
        fail("with_duckdb: no appender");
    duckdb_data_chunk chunk = duckdb_create_data_chunk(types, n);
    hd_yard_source s;
    hd_yard_open(&s, table, n_rows, seed);
    while (hd_yard_next(&s, &rows) > 0)
        for (size_t at = 0; at < rows.n; at += duckdb_vector_size()) {
            size_t left = rows.n - at, take = duckdb_vector_size();
            take = left < take ? left : take;
            duckdb_data_chunk_reset(chunk);
            for (size_t c = 0; c < n; c++)
                fill(duckdb_data_chunk_get_vector(chunk, c), c ? &hd_yard_columns[table][c - 1] : NULL,
                     (c ? rows.values[c - 1] : rows.persons) + at, take);
            duckdb_data_chunk_set_size(chunk, take);
            if (duckdb_append_data_chunk(appender, chunk) != DuckDBSuccess)
                fail("with_duckdb: a chunk was refused");
        }
    duckdb_appender_destroy(&appender);
    duckdb_destroy_data_chunk(&chunk);
    for (size_t c = 0; c < n; c++)
        duckdb_destroy_logical_type(&types[c]);
}

static int make(const char *file, uint64_t n_rows, uint64_t seed, const char *folder)
{
    char sql[1024];
    open_database(file);
    for (hd_yard_table t = 0; t < HD_YARD_TABLES; t++) {
        make_table(t, n_rows, seed);
        snprintf(sql, sizeof sql, "COPY %s TO '%s/%s.parquet' (FORMAT parquet)", hd_yard_names[t],
                 folder, hd_yard_names[t]);
        run(sql);
    }
    run("CHECKPOINT");
    close_database();
    return 0;
}

/* ---- serve ----------------------------------------------------------------------------------- */

static bool ask(const char *sql, duckdb_result *r)
{
    if (duckdb_query(connection, sql, r) == DuckDBSuccess)
        return true;
    put_error(duckdb_result_error(r));
    duckdb_destroy_result(r);
    return false;
}

/* Run the settings; returns the last statement. */
static char *run_settings(char *sql)
{
    char *last = sql;
    for (char *end; (end = strchr(last, ';')) != NULL; last = end + 1) {
        *end = '\0';
        run(last);
    }
    return last;
}

static void put_result(duckdb_result *r)
{
    answer a = {0};
    idx_t n_columns = duckdb_column_count(r), n_rows = duckdb_row_count(r);
    for (idx_t row = 0; row < n_rows; row++) {
        for (idx_t c = 0; c < n_columns; c++)
            answer_value(&a, duckdb_value_is_null(r, c, row) ? -1 : duckdb_value_double(r, c, row));
        answer_row(&a);
    }
    put_answer(&a);
}

static void answer_request(const char *file, const char *threads, const request *q)
{
    duckdb_result r;
    double ms[MAX_REPEATS], cpu_ms[MAX_REPEATS];
    char setting[64];
    if (q->is_cold) {
        close_database();
        forget_pages(file);
        open_database(file);
    }
    snprintf(setting, sizeof setting, "SET threads = %.10s", threads);
    run(setting);
    run("RESET perfect_ht_threshold");
    const char *sql = run_settings(q->sql);
    for (int i = 0; i < q->repeats; i++) {
        if (i)
            duckdb_destroy_result(&r);
        double start = now_ms(), cpu_start = processor_ms();
        if (!ask(sql, &r))
            return;
        ms[i] = now_ms() - start;
        cpu_ms[i] = processor_ms() - cpu_start;
    }
    put_times("ms", ms, q->repeats);
    put_times("cpu_ms", cpu_ms, q->repeats);
    put_result(&r);
    duckdb_destroy_result(&r);
}

int main(int argc, char **argv)
{
    request q = {0};
    if (argc == 7 && strcmp(argv[1], "make") == 0 && hd_yard_choose(argv[6]))
        return make(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10), argv[5]);
    if (argc != 4 || strcmp(argv[1], "serve") != 0)
        fail("usage: with_duckdb make FILE ROWS SEED PARQUET-FOLDER SHAPE | serve FILE THREADS");
    open_database(argv[2]);
    while (next_request(&q))
        answer_request(argv[2], argv[3], &q);
    close_database();
    return 0;
}
