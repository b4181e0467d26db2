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
    struct view_source *views; /* data behind hd_duck_make_view, by name */
};

/* First line of DuckDB's message, without its "Xxx Error: " prefix being lost. */
hd_code hd_duck_fail(hd_err *err, hd_code code, const char *what, const char *message);
void hd_duck_free_views(hd_duck *d);

#endif
