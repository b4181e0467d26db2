/* ask_duckdb.c - run statements in one DuckDB database file. usage:
 *   ask_duckdb FILE STATEMENTS REPEATS   0 repeats: run each once and print its time only
 */
#include "ask.h"
#include "duckdb.h"

static void run(duckdb_connection c, const question *q, duckdb_result *out)
{
    if (duckdb_query(c, q->sql, out) == DuckDBSuccess)
        return;
    fprintf(stderr, "ask_duckdb: %s: %s\n", q->name, duckdb_result_error(out));
    exit(1);
}

static void put_value(duckdb_result *r, idx_t column, idx_t row)
{
    if (duckdb_value_is_null(r, column, row)) {
        printf("null");
        return;
    }
    duckdb_type type = duckdb_column_type(r, column);
    if (type == DUCKDB_TYPE_DOUBLE || type == DUCKDB_TYPE_DECIMAL) {
        printf("%.17g", duckdb_value_double(r, column, row));
        return;
    }
    char *text = duckdb_value_varchar(r, column, row);
    bool is_number =
        type == DUCKDB_TYPE_BIGINT || type == DUCKDB_TYPE_INTEGER || type == DUCKDB_TYPE_HUGEINT;
    if (is_number)
        printf("%s", text);
    else
        put_text(text, strlen(text));
    duckdb_free(text);
}

static void put_answer(const question *q, double first, double again, double processor,
                       duckdb_result *r)
{
    idx_t n_rows = duckdb_row_count(r), n_columns = duckdb_column_count(r);
    printf("{\"name\":\"%s\",\"first_ms\":%.3f,\"again_ms\":%.3f,\"again_cpu_ms\":%.3f,\"rows\":[",
           q->name, first, again, processor);
    for (idx_t i = 0; i < n_rows; i++)
        for (idx_t c = 0; c < n_columns; c++) {
            printf("%s", c > 0 ? "," : i > 0 ? ",[" : "[");
            put_value(r, c, i);
            if (c + 1 == n_columns)
                putchar(']');
        }
    printf("]}\n");
}

int main(int argc, char **argv)
{
    duckdb_database db;
    duckdb_connection c;
    duckdb_result r;
    question q;
    double times[100];
    FILE *f = argc == 4 ? fopen(argv[2], "r") : NULL;
    int repeats = argc == 4 ? atoi(argv[3]) : 0;
    if (!f || repeats < 0 || repeats > 100) {
        fprintf(stderr, "usage: ask_duckdb FILE STATEMENTS REPEATS (0 to 100)\n");
        return 2;
    }
    if (duckdb_open(argv[1], &db) != DuckDBSuccess || duckdb_connect(db, &c) != DuckDBSuccess) {
        fprintf(stderr, "ask_duckdb: cannot open %s\n", argv[1]);
        return 1;
    }
    while (next_question(f, &q)) {
        double start = now_ms();
        run(c, &q, &r);
        double first = now_ms() - start, processor = processor_ms();
        for (int i = 0; i < repeats; i++) {
            duckdb_destroy_result(&r);
            start = now_ms();
            run(c, &q, &r);
            times[i] = now_ms() - start;
        }
        if (repeats == 0)
            printf("{\"name\":\"%s\",\"first_ms\":%.3f}\n", q.name, first);
        else
            put_answer(&q, first, median_of(times, repeats), (processor_ms() - processor) / repeats,
                       &r);
        fflush(stdout);
        duckdb_destroy_result(&r);
    }
    fclose(f);
    duckdb_disconnect(&c);
    duckdb_close(&db);
    return 0;
}
