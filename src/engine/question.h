/* question.h - SQL text to a checked question, and a question to its true cells.
 *
 * The boundary of SQL's aggregates is the boundary of disclosure. Below it (WHERE, GROUP BY, FILTER,
 * aggregate arguments) everything works on records and gives cells. Above it (arithmetic on
 * aggregates, HAVING, ORDER BY, LIMIT) everything works on figures that disclosure has already made
 * safe, so nothing a person writes there can look behind a star.
 *
 * A question names its keys k0, k1, ... and aggregates a0, a1, ...; outputs, having and order are SQL
 * text over those names and nothing else.
 */
#ifndef HD_ENGINE_QUESTION_H
#define HD_ENGINE_QUESTION_H

#include "base/value.h"
#include "catalogue/catalogue.h"
#include "duck/duck.h"
#include "vault/vault.h"

#include <stdatomic.h>

struct hd_cells;

typedef enum hd_aggregate_kind {
    HD_AGG_COUNT,          /* records                                    */
    HD_AGG_COUNT_PERSONS,  /* count(distinct person)                     */
    HD_AGG_COUNT_DISTINCT, /* different values of a field that is not about people */
    HD_AGG_SUM,
    HD_AGG_MEAN,
    HD_AGG_SPREAD, /* stddev_samp, var_samp */
    HD_AGG_QUANTILE, /* median, quantile_cont; and the limits of their interval */
    HD_AGG_EXTREME, /* min, max */
    HD_AGG_SHARE    /* largest_share: of the records of a cell, those with the most frequent value */
} hd_aggregate_kind;

typedef struct hd_key {
    const char *name; /* alias or SQL text */
    hd_type type;
    bool is_subnational;
} hd_key;

typedef struct hd_aggregate {
    hd_aggregate_kind kind;
    hd_type type;
    double quantile; /* HD_AGG_QUANTILE: 0..1 */
    double level; /* of the interval whose limit it is */
    int side;     /* -1: lower limit of the interval, 1: upper, 0: the quantile itself */
    bool has_filter; /* or an argument that can be NULL: its records are some of the cell's records */
    bool is_own_expression; /* the argument is written in the question, not a field by its name */
    bool is_of_key; /* the argument is a row key: different ones are counted */
} hd_aggregate;

typedef struct hd_output {
    const char *name;
    const char *sql;     /* over k0.. and a0.. */
    uint64_t aggregates; /* bit a set when the text reads aggregate a; 0: keys only */
} hd_output;

typedef struct hd_order_term {
    const char *sql;
    uint64_t aggregates;
    bool descending;
    int nulls; /* -1 first, 1 last, 0 unstated */
} hd_order_term;

typedef struct hd_question {
    const char *sql;   /* as asked */
    const char *table;
    bool is_subnational; /* a key or a filter reads a field below national level */
    bool counts_events;  /* a condition or key reads other records of the person: who asks may know that
                            everybody in a figure has several records */
    size_t n_keys, n_aggregates, n_outputs, n_order;
    size_t n_key_fields; /* different stored fields that the keys read; a list is one field */
    const hd_key *keys;
    const hd_aggregate *aggregates; /* at most 64 */
    const hd_output *outputs;
    const char *having; /* NULL: none */
    uint64_t having_aggregates;
    const hd_order_term *order;
    int64_t limit, offset; /* -1: none */
    const char *fallback_reason; /* NULL: the kernel runs it; else why DuckDB must */
} hd_question;

/* Everything an asking needs; one a thread. */
typedef struct hd_engine hd_engine;
HD_MUST hd_code hd_engine_open(hd_engine **out, hd_vault *v, const hd_catalogue *c, hd_err *err);

/* How far the scan that runs just now has come, for whoever watches; and what the last one read. */
typedef struct hd_engine_progress {
    atomic_uint_least64_t rows_done, rows; /* of the blocks that may matter */
    atomic_uint_least32_t blocks, blocks_wanted; /* of rows: all; those that were looked at */
    atomic_uint_least64_t parts_opened; /* blocks of single columns that were not in memory */
    atomic_bool streamed;               /* it did not fit and came block by block */
    atomic_uint_least64_t checks;       /* how often the engine looked at `stop`, ever */
} hd_engine_progress;

typedef struct hd_engine_limits {
    /* Of one question, for columns, cells and DuckDB's work; 0: columns without a limit, 4 GB for cells
     * and for DuckDB. Columns that do not fit beside a quarter for the rest come block by block and
     * go again. What cannot fit is refused with HD_LIMIT, the text saying what it would need. */
    uint64_t memory_bytes;
    /* NULL, or: when it becomes true the question ends with HD_CANCELLED. Borrowed. */
    const atomic_bool *stop;
    hd_engine_progress *progress; /* NULL, or: kept up to date. Borrowed */
    bool every_block;             /* also blocks in which no row can pass: for comparisons */
    bool always_streams;          /* as if no column fitted beside another: for comparisons */
} hd_engine_limits;
HD_MUST hd_code hd_engine_open_limited(hd_engine **out, hd_vault *v, const hd_catalogue *c,
                                       const hd_engine_limits *limits, hd_err *err);
void hd_engine_close(hd_engine *e);
/* HD_CANCELLED when the asker stopped the question: looked at in every long loop, once a block. */
HD_MUST hd_code hd_engine_go_on(const hd_engine *e, hd_err *err);
const atomic_bool *hd_engine_stop(const hd_engine *e); /* of its limits; or NULL */
hd_duck *hd_engine_duck(hd_engine *e); /* borrowed; for disclosure's outer evaluation */
hd_vault *hd_engine_vault(hd_engine *e);
const hd_catalogue *hd_engine_catalogue(hd_engine *e);

/* Parse and check. HD_DENIED: it would return records or identifiers; the text names the nearest
 * allowed form. HD_INVALID: not understood; the text says what and where. Free with
 * hd_question_free. */
HD_MUST hd_code hd_engine_ask(hd_engine *e, const char *sql, hd_question **out, hd_err *err);
void hd_question_free(hd_question *q);

typedef enum hd_route { HD_ROUTE_BEST, HD_ROUTE_KERNEL, HD_ROUTE_DUCKDB } hd_route;
/* Run it. HD_ROUTE_KERNEL fails with HD_INVALID when the kernel cannot plan it (tests). */
HD_MUST hd_code hd_engine_run(hd_engine *e, const hd_question *q, hd_route route,
                              struct hd_cells **out, hd_err *err);

/* As hd_engine_run, but nobody reads how many people there are behind a figure, and so they are not
 * counted: only for who shows true counts whatever they are of (hd_cells.all.persons is NULL). */
HD_MUST hd_code hd_engine_run_rows(hd_engine *e, const hd_question *q, struct hd_cells **out,
                                   hd_err *err);

/* Run questions ahead of hd_engine_run: those that choose the same rows by the same keys in one pass. Each question's
 * next hd_engine_run is then its share of that pass. Saves time and changes no answer; what cannot be run
 * with others is left for its turn. */
HD_MUST hd_code hd_engine_run_ahead(hd_engine *e, hd_question *const *questions, size_t n,
                                    hd_err *err);

/* The plan of a question, without running it: a line for the table, the route and its reason, each
 * lookup table, key and measure, and the bytes to be scanned. Sizes that come from the data are coarse
 * or not told (explain.c). Caller frees with hd_free. */
typedef struct hd_plan_line {
    char part[16], what[80], about[256];
} hd_plan_line;
HD_MUST hd_code hd_engine_explain(hd_engine *e, const hd_question *q, hd_plan_line **out, size_t *n,
                                  hd_err *err);

#endif
