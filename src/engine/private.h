/* private.h - shared by the files of src/engine; nobody else includes it. */
#ifndef HD_ENGINE_PRIVATE_H
#define HD_ENGINE_PRIVATE_H

#include "base/buf.h"
#include "engine/cells.h"
#include "engine/functions.h"
#include "engine/question.h"
#include "engine/recall.h"
#include "engine/tree.h"

#include <stdatomic.h>

enum {
    HD_MAX_KEYS = 16,
    HD_MAX_AGGREGATES = 64,
    HD_MAX_ANY = 32,
    HD_MAX_SETS = 256,
    HD_RECALL_BYTES = 256 << 20,
    HD_MAX_DEPTH = 64 /* nesting of expressions and of fields in terms of other fields */
};

struct hd_engine {
    hd_vault *vault;
    const hd_catalogue *catalogue;
    hd_duck *duck;
    struct hd_made *made; /* list elements by position, as far as they were asked for */
    struct dictionary_table *dictionaries; /* dictionaries that DuckDB knows as tables */
    hd_recall *recall;     /* questions, texts, types, values of expressions */
    uint64_t data_version; /* what all of the above was made from */
    hd_engine_limits limits;
    bool without_people; /* the question that runs now: hd_engine_run_rows */
    bool has_streamed;   /* what its walks read did not fit, and the scan has not begun */
};

struct scan_plan;

/* A test on list elements: true for a row when any element satisfies `test`. In every other
 * expression it stands as a boolean column named #any0, #any1, ... */
typedef struct any_test {
    const hd_field *list;
    json_t *test; /* over one column named as the list's elements are: see hd_any_column */
} any_test;

/* A value that a row has from the other records of its person (order.h). In expressions it stands as a
 * column named #tb... (true or false) or #tn... (a whole number). */
struct order_column;

typedef struct asked_aggregate {
    const hd_aggregate_def *def;
    json_t *argument; /* NULL: count(*) */
    json_t *filter;   /* NULL: none */
    bool is_distinct;
    bool is_person; /* count(distinct person) */
    bool is_own_expression; /* see hd_aggregate */
    hd_type argument_type;
    double quantile, level;
} asked_aggregate;

/* A question with what only the engine needs. Columns in its trees have canonical names: a field's
 * name; FIELD#3 for the third element of a list; #anyN for a test on list elements. */
typedef struct asked {
    hd_question q; /* first member: hd_question * is what others see */
    const hd_table_def *table;
    json_t *where; /* NULL: all rows */
    json_t *keys[HD_MAX_KEYS];
    asked_aggregate aggregates[HD_MAX_AGGREGATES];
    size_t n_any;
    any_test any[HD_MAX_ANY];
    size_t n_orders, orders_cap;
    struct order_column *orders;
    size_t n_sets;
    uint32_t sets[HD_MAX_SETS]; /* bit k: key k is in the set */
    hd_key key_views[HD_MAX_KEYS];
    hd_aggregate aggregate_views[HD_MAX_AGGREGATES];
    char **strings; /* every string of the question, freed together */
    size_t n_strings, strings_cap;
    bool sees_subnational; /* while resolving: a field below national level was read */
    unsigned nested;       /* an event of a question, or of an event: how deep */
    unsigned uses;         /* whoever asked for it, and the engine that remembers it */
    struct scan_plan *plan; /* once the kernel has run it */
    hd_cells *ahead;        /* of hd_engine_run_ahead, not yet handed over; or NULL */
    uint64_t ahead_version; /* of the data */
} asked;

/* Keep a string with the question; steals s (NULL is an out-of-memory already). */
HD_MUST hd_code hd_asked_keep(asked *a, char *s, const char **out, hd_err *err);

/* resolve.c: turn names into canonical columns, expression fields into their expressions, codelist()
 * into tests on prefixes, tests on any_LIST into #anyN. Replaces *node. */
HD_MUST hd_code hd_resolve(hd_engine *e, asked *a, const char *alias, json_t **node, hd_err *err);
/* The alias hd_resolve gives an aggregate whose argument is not a field by its name. */
#define HD_OWN_EXPRESSION "#own"
/* What a canonical column is made of. element: 0 the column itself, n the n-th element. */
typedef struct column_ref {
    const hd_field *field; /* NULL for #anyN, #t... */
    unsigned element;
    int any; /* number of the any_test, or -1 */
    const struct order_column *order; /* #t..., or NULL */
} column_ref;
column_ref hd_column_parse(const asked *a, const char *canonical);
/* The one column an expression reads; "" when it reads none, NULL when several. */
const char *hd_single_column(const json_t *node);

/* columns.c: data of a stored column. Borrowed until the engine closes or refreshes. */
typedef struct loaded_column {
    const void *data;
    unsigned width;
    const hd_dictionary *dictionary;
    const uint32_t *starts; /* whole lists only */
} loaded_column;
/* Forget what was made from data that a newer version has replaced. */
void hd_engine_refresh(hd_engine *e);
void hd_engine_forget(hd_engine *e);
/* Evaluate an expression over one column for every code of the column's dictionary (code 0 is NULL):
 * rows of code and value in any order. `as` is the name the column has in the expression. */
HD_MUST hd_code hd_evaluate_codes(hd_engine *e, const hd_dictionary *d, const char *as,
                                  json_t *expression, hd_duck_result **out, hd_err *err);

/* words.c: as hd_tree_unparse, hd_tree_parse, but each only once. */
HD_MUST hd_code hd_text_of(hd_engine *e, json_t *tree, char **sql, hd_err *err);
HD_MUST hd_code hd_tree_of(hd_engine *e, const char *text, json_t **out, hd_err *err);
/* The type of an expression over a question's table, once DuckDB has told it. */
HD_MUST hd_code hd_type_known(hd_engine *e, const asked *a, const json_t *tree, bool *is_known,
                              hd_type *out, hd_err *err);
HD_MUST hd_code hd_type_remember(hd_engine *e, const asked *a, const json_t *tree, hd_type type,
                                 hd_err *err);
/* Key of something told from an expression; free with hd_buf_free, also after a failure. */
HD_MUST hd_code hd_recall_key(hd_buf *key, char kind, const char *table, const char *column,
                              const json_t *tree, hd_err *err);
/* growth.c: HD_LIMIT when a text of the expression could become very long. */
HD_MUST hd_code hd_bound_growth(hd_engine *e, json_t *tree, hd_err *err);
/* flags.c: a sum, mean or spread of a flag (0, 1, NULL) said with counts; *out is NULL when the node is
 * anything else, else a new reference. */
HD_MUST hd_code hd_flag_as_counts(hd_engine *e, const asked *a, json_t *node, json_t **out,
                                  hd_err *err);
/* One byte a row: 1 where any element satisfies the test. Caller frees with hd_secret_unmap. */
HD_MUST hd_code hd_any_flags(hd_engine *e, const asked *a, hd_table *t, const any_test *any,
                             uint8_t **out, hd_err *err);
/* SQL type name of a value type. */
const char *hd_sql_type(hd_type type);

HD_MUST hd_code hd_run_kernel(hd_engine *e, asked *a, hd_table *t, hd_cells **out, hd_err *err);
void hd_scan_plan_free(struct scan_plan *p); /* NULL is allowed */
/* ahead.c */
bool hd_take_ahead(hd_engine *e, asked *a, hd_cells **out);
void hd_drop_ahead(asked *a);
/* A remembered question holds so many bytes more. */
void hd_asked_charge(hd_engine *e, const asked *a, size_t bytes);
HD_MUST hd_code hd_run_duckdb(hd_engine *e, const asked *a, hd_table *t, hd_cells **out,
                              hd_err *err);
/* The rows that pass WHERE, by person: person, record, every key, and for each given aggregate
 * whether the row contributes to it. records: one a row of the table. */
HD_MUST hd_code hd_duckdb_rows(hd_engine *e, const asked *a, hd_table *t, const uint64_t *records,
                               const size_t *aggregates, size_t n_aggregates, hd_duck_result **out,
                               hd_err *err);
/* values.c: the first aggregate over the same values as aggregate i; HD_MAX_AGGREGATES when i is not
 * made of values (a count, an extreme). */
size_t hd_values_like(const asked *a, size_t i);
/* For each distinct value of aggregate i in each cell: GROUPING and value of every key, the value as
 * DOUBLE, records; ascending by value. */
HD_MUST hd_code hd_duckdb_values(hd_engine *e, const asked *a, hd_table *t, size_t i,
                                 hd_duck_result **out, hd_err *err);
/* Why the kernel cannot run it, or NULL. Static text. */
const char *hd_kernel_obstacle(const asked *a);

#endif
