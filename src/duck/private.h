/* private.h - shared by the files of src/duck; nobody else includes it. */
#ifndef HD_DUCK_PRIVATE_H
#define HD_DUCK_PRIVATE_H

#include "base/buf.h"
#include "duck/duck.h"

#include <duckdb.h>

struct view_source;

struct hd_duck {
    duckdb_database db;
    duckdb_connection con;
    uint64_t memory_bytes;
    const atomic_bool *stop;
    struct view_source *views; /* data behind hd_duck_make_view, by name */
    struct hd_duck_rows *rows; /* behind hd_rows(number) */
    size_t n_rows, rows_cap;
    duckdb_prepared_statement parse, unparse; /* planned once: most of what parsing costs */
};

/* First line of DuckDB's message, without its "Xxx Error: " prefix being lost. */
hd_code hd_duck_fail(hd_err *err, hd_code code, const char *what, const char *message);
void hd_duck_free_views(hd_duck *d);
void hd_duck_free_rows(hd_duck *d);
HD_MUST hd_code hd_duck_register_rows(hd_duck *d, hd_err *err);

#endif
