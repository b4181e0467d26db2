/* with_clickhouse.c - the yardstick in ClickHouse's library: rows from Parquet files into MergeTree
 * tables in person order, SQL to a result in its own binary form.
 * usage: with_clickhouse LIBRARY make FOLDER PARQUET-FOLDER SHAPE
 *        with_clickhouse LIBRARY serve FOLDER THREADS
 *
 * The library is opened when the program runs, so that hdis builds without it. In a request,
 * statements before the last are settings. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "synth/yardstick.h"
#include "serve.h"

/* The library's interface, as far as it is used. */
typedef struct chdb_connection_ *chdb_connection;
typedef struct chdb_result_ chdb_result;

static struct library {
    chdb_connection *(*connect)(int argc, char **argv);
    void (*close_conn)(chdb_connection *connection);
    chdb_result *(*query)(chdb_connection connection, const char *sql, const char *format);
    void (*destroy_query_result)(chdb_result *result);
    char *(*result_buffer)(chdb_result *result);
    size_t (*result_length)(chdb_result *result);
    const char *(*result_error)(chdb_result *result);
} library;

static void open_library(const char *path)
{
    static const char *const names[] = {
        "connect",       "close_conn",    "query",       "destroy_query_result",
        "result_buffer", "result_length", "result_error"};
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        fail("with_clickhouse: the library cannot be opened: %s", dlerror());
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[64];
        snprintf(name, sizeof name, "chdb_%s", names[i]);
        void *symbol = dlsym(handle, name);
        if (!symbol)
            fail("with_clickhouse: the library has no %s", name);
        memcpy((char *)&library + i * sizeof symbol, &symbol, sizeof symbol);
    }
}

static chdb_connection *connection;

static void open_data(const char *folder)
{
    char program[] = "clickhouse", path[1024];
    snprintf(path, sizeof path, "--path=%s", folder);
    char *argv[] = {program, path};
    connection = library.connect(2, argv);
    if (!connection)
        fail("with_clickhouse: cannot open %s", folder);
}

static void close_data(void)
{
    library.close_conn(connection);
}

/* NULL after put_error when the statement fails. */
static chdb_result *ask(const char *sql, const char *format)
{
    chdb_result *r = library.query(*connection, sql, format);
    const char *error = r ? library.result_error(r) : "no result";
    if (!error)
        return r;
    put_error(error);
    if (r)
        library.destroy_query_result(r);
    return NULL;
}

static void run(const char *sql)
{
    chdb_result *r = ask(sql, "Null");
    if (!r)
        fail("with_clickhouse: a statement failed");
    library.destroy_query_result(r);
}

static int make(const char *folder, const char *parquet)
{
    char sql[4096];
    open_data(folder);
    run("CREATE DATABASE IF NOT EXISTS y ENGINE = Atomic");
    for (hd_yard_table t = 0; t < HD_YARD_TABLES; t++) {
        int at = snprintf(sql, sizeof sql, "CREATE TABLE y.%s (person UInt32", hd_yard_names[t]);
        for (const hd_yard_column *c = hd_yard_columns[t]; c->name; c++)
            at += snprintf(sql + at, sizeof sql - (size_t)at, ", %s %s", c->name,
                           c->is_date          ? "Date"
                           : c->limit <= 256   ? "UInt8"
                           : c->limit <= 65536 ? "UInt16"
                                               : "UInt32");
        snprintf(sql + at, sizeof sql - (size_t)at, ") ENGINE = MergeTree ORDER BY (person, %s)",
                 t == HD_YARD_ADMISSIONS ? "admitted" : "arrived");
        run(sql);
        snprintf(sql, sizeof sql,
                 "INSERT INTO y.%s SELECT * FROM file('%s/%s.parquet', Parquet) "
                 "SETTINGS max_insert_threads = 2",
                 hd_yard_names[t], parquet, hd_yard_names[t]);
        run(sql);
        snprintf(sql, sizeof sql, "OPTIMIZE TABLE y.%s FINAL", hd_yard_names[t]);
        run(sql);
    }
    close_data();
    return 0;
}

static void put_text(chdb_result *r)
{
    answer a = {0};
    const char *at = library.result_buffer(r), *end = at + library.result_length(r);
    while (at < end) {
        char *next;
        answer_value(&a, strncmp(at, "\\N", 2) == 0 ? -1 : strtod(at, &next));
        at += strcspn(at, "\t\n");
        if (at < end && *at++ == '\n')
            answer_row(&a);
    }
    put_answer(&a);
}

static void answer_request(const char *folder, const char *threads, const request *q)
{
    double ms[MAX_REPEATS], cpu_ms[MAX_REPEATS];
    char setting[64];
    if (q->is_cold) {
        close_data();
        forget_pages(folder);
        open_data(folder);
    }
    run("USE y");
    snprintf(setting, sizeof setting, "SET max_threads = %.10s", threads);
    run(setting);
    char *sql = q->sql;
    for (char *stop; (stop = strchr(sql, ';')) != NULL; sql = stop + 1) {
        *stop = '\0';
        run(sql);
    }
    for (int i = 0; i < q->repeats; i++) {
        double start = now_ms(), cpu_start = processor_ms();
        chdb_result *r = ask(sql, "Native");
        ms[i] = now_ms() - start;
        cpu_ms[i] = processor_ms() - cpu_start;
        if (!r)
            return;
        library.destroy_query_result(r);
    }
    chdb_result *r = ask(sql, "TabSeparated"); /* once more, as text, for the comparison */
    if (!r)
        return;
    put_times("ms", ms, q->repeats);
    put_times("cpu_ms", cpu_ms, q->repeats);
    put_text(r);
    library.destroy_query_result(r);
}

int main(int argc, char **argv)
{
    request q = {0};
    if (argc < 5)
        fail("usage: with_clickhouse LIBRARY make FOLDER PARQUET-FOLDER SHAPE | "
             "LIBRARY serve FOLDER THREADS");
    open_library(argv[1]);
    if (argc == 6 && strcmp(argv[2], "make") == 0 && hd_yard_choose(argv[5]))
        return make(argv[3], argv[4]);
    open_data(argv[3]);
    while (next_request(&q))
        answer_request(argv[3], argv[4], &q);
    close_data();
    return 0;
}
