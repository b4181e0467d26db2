/* duck.h - DuckDB behind a narrow border: the only folder that sees duckdb.h.
 *
 * DuckDB parses SQL, evaluates expressions over dictionaries and over released figures, runs what the
 * kernel cannot plan, and reads Parquet. A connection made by hd_duck_open has no access to files,
 * network or extensions, and its configuration is locked.
 * Threads: one thread at a time for each hd_duck.
 */
#ifndef HD_DUCK_DUCK_H
#define HD_DUCK_DUCK_H

#include "base/err.h"
#include "base/value.h"

#include <stdatomic.h>

typedef struct hd_duck hd_duck;
typedef struct hd_duck_result hd_duck_result;

HD_MUST hd_code hd_duck_open(hd_duck **out, hd_err *err);
/* memory_bytes: what statements may use (0: 4 GB). stop: NULL, or a statement ends with HD_CANCELLED
 * soon after it becomes true (borrowed). */
HD_MUST hd_code hd_duck_open_limited(hd_duck **out, uint64_t memory_bytes, const atomic_bool *stop,
                                     hd_err *err);
void hd_duck_close(hd_duck *d); /* NULL is allowed */

/* Run one or more statements without looking at results. The SQL must come from the program, with
 * user text only as parsed and unparsed again by the functions below. */
HD_MUST hd_code hd_duck_run(hd_duck *d, const char *sql, hd_err *err);
/* Run one statement and keep its rows. Types outside hd_type arrive as: BIGINT and smaller, HUGEINT
 * that fits -> HD_INTEGER; DOUBLE, FLOAT, DECIMAL -> HD_DECIMAL; TIMESTAMP with no clock part ->
 * HD_DATE; everything else -> HD_TEXT. */
HD_MUST hd_code hd_duck_query(hd_duck *d, const char *sql, hd_duck_result **out, hd_err *err);
/* The same for a statement that reads records: nothing that a record holds makes it fail. The SQL
 * stands inside TRY; a whole number beyond 64 bits is NULL and a clock time is left off. */
HD_MUST hd_code hd_duck_query_records(hd_duck *d, const char *sql, hd_duck_result **out,
                                      hd_err *err);
/* The types of the n columns that a statement would give, without running it. */
HD_MUST hd_code hd_duck_types(hd_duck *d, const char *sql, size_t n, hd_type *out, hd_err *err);
void hd_duck_result_free(hd_duck_result *r);
size_t hd_duck_n_rows(const hd_duck_result *r);
size_t hd_duck_n_columns(const hd_duck_result *r);
const char *hd_duck_column_name(const hd_duck_result *r, size_t column);
hd_type hd_duck_column_type(const hd_duck_result *r, size_t column);
hd_value hd_duck_value(const hd_duck_result *r, size_t row, size_t column); /* borrows text */

/* SQL text to DuckDB's own tree as JSON, and a tree back to SQL text. Caller frees with hd_free.
 * HD_INVALID with DuckDB's message (one line) when it does not parse. */
HD_MUST hd_code hd_duck_parse(hd_duck *d, const char *sql, char **json, hd_err *err);
HD_MUST hd_code hd_duck_unparse(hd_duck *d, const char *json, char **sql, hd_err *err);

/* Make a table from values: value(ctx, row, column) gives each cell. Replaces a table of that name. */
typedef struct hd_duck_column {
    const char *name;
    hd_type type;
} hd_duck_column;
HD_MUST hd_code hd_duck_make_table(hd_duck *d, const char *name, const hd_duck_column *columns,
                                   size_t n_columns, uint64_t n_rows,
                                   hd_value (*value)(void *ctx, uint64_t row, size_t column),
                                   void *ctx, hd_err *err);

/* The same rows without a copy: `FROM hd_rows(number)` asks value() for what a statement reads, perhaps
 * from several threads at once. Texts must be UTF-8. Everything must stay until rows_remove. */
HD_MUST hd_code hd_duck_rows_add(hd_duck *d, const hd_duck_column *columns, size_t n_columns,
                                 uint64_t n_rows,
                                 hd_value (*value)(void *ctx, uint64_t row, size_t column),
                                 void *ctx, size_t *number, hd_err *err);
void hd_duck_rows_remove(hd_duck *d, size_t number);

/* A SQL function of one text, of any number of bytes; NULL in gives NULL out. The answer is NULL, the very
 * pointer that was given, or a text that outlives the connection. Called from several threads. */
typedef const char *(*hd_duck_answer)(void *ctx, const char *text, size_t len);
HD_MUST hd_code hd_duck_add_function(hd_duck *d, const char *name, hd_duck_answer answer, void *ctx,
                                     hd_err *err);

/* Columns of codes as a table without conversion: text dictionaries become an ENUM over the codes,
 * other types are looked up. Code 0 is NULL. n_codes 0: raw values, as BIGINT with 0 for NULL, or as
 * BOOLEAN bytes. The arrays must outlive the view; a view of that name is replaced. */
typedef struct hd_duck_codes {
    const char *name;
    hd_type type;
    const void *data; /* codes, or raw 32-bit / 64-bit values when n_codes is 0 */
    unsigned width;
    uint32_t n_codes;
    const int64_t *integers;
    const double *decimals;
    const char *bytes;
    const uint64_t *ends;
} hd_duck_codes;
HD_MUST hd_code hd_duck_make_view(hd_duck *d, const char *name, const hd_duck_codes *columns,
                                  size_t n_columns, uint64_t n_rows, hd_err *err);

/* Rows of a Parquet file as text, for landing. HD_FORMAT when it is not Parquet. */
typedef struct hd_parquet hd_parquet;
HD_MUST hd_code hd_parquet_open(hd_parquet **out, const char *path, hd_err *err);
void hd_parquet_close(hd_parquet *p);
size_t hd_parquet_n_columns(const hd_parquet *p);
const char *hd_parquet_column(const hd_parquet *p, size_t i);
/* Next rows: *n_rows is 0 at the end. Field f of row r: hd_parquet_field; NULL values give len 0. */
HD_MUST hd_code hd_parquet_next(hd_parquet *p, size_t *n_rows, hd_err *err);
const char *hd_parquet_field(const hd_parquet *p, size_t row, size_t column, size_t *len);

/* Append name as a quoted SQL identifier, or text as a quoted SQL string. */
struct hd_buf;
void hd_duck_put_name(struct hd_buf *out, const char *name);
void hd_duck_put_text(struct hd_buf *out, const char *bytes, size_t len);

#endif
