/* question.h - a random question: made, printed as SQL, and answered row by row. */
#ifndef HD_ORACLE_QUESTION_H
#define HD_ORACLE_QUESTION_H

#include "expression.h"

enum { MAX_KEYS = 4, MAX_SETS = 16, MAX_AGGREGATES = 6 };

typedef enum measure {
    COUNT_ROWS,
    COUNT_VALUES,
    COUNT_PEOPLE,
    COUNT_KEYS, /* count(DISTINCT row key) */
    COUNT_DIFFERENT,
    SUM,
    AVG,
    MIN,
    MAX,
    MEDIAN,
    QUANTILE,
    STDDEV,
    VARIANCE,
    N_MEASURES
} measure;

typedef struct aggregate {
    measure measure;
    node *argument, *filter;
    int key; /* COUNT_KEYS: the field */
    double quantile;
} aggregate;

typedef enum grouping {
    BY_NAME,
    BY_ORDINAL,
    BY_ALL,
    BY_ALIAS,
    BY_SETS,
    BY_ROLLUP,
    BY_CUBE
} grouping;

typedef struct question {
    const table *t;
    node *where;
    size_t n_keys, n_sets, n_aggregates;
    node *keys[MAX_KEYS];
    uint32_t sets[MAX_SETS]; /* bit k: key k */
    aggregate aggregates[MAX_AGGREGATES];
    grouping grouping;
    bool has_having, has_order;
} question;

/* One cell, in terms of the question's own keys and aggregates. */
typedef struct figure {
    hd_value value;
    int64_t records, persons;
    double scale; /* largest magnitude that went in: what rounding is measured by */
} figure;

typedef struct cell {
    uint32_t set; /* bits of the keys in it */
    hd_value keys[MAX_KEYS];
    int64_t records, persons;
    figure figures[MAX_AGGREGATES];
} cell;

void question_make(maker *m, question *q);
void question_print(const maker *m, const question *q, hd_buf *sql);
/* Select items are the keys, then the aggregates. */
cell *question_answer(maker *m, const question *q, size_t *n_cells); /* sorted; in m's memory */
/* By set, then keys, NULL first. */
int compare_cells(const void *a, const void *b);

#endif
