/* expression.h - random SQL expressions: made, printed, and evaluated row by row in plain C.
 *
 * The evaluator knows SQL's three-valued logic and shares no code with the engine. Booleans are
 * hd_values of type HD_BOOLEAN that may be NULL.
 */
#ifndef HD_ORACLE_EXPRESSION_H
#define HD_ORACLE_EXPRESSION_H

#include "base/buf.h"
#include "world.h"

typedef struct node node;

/* What one question is made from. Nodes and texts live until maker_reset. */
typedef struct maker {
    hd_rng rng;
    const table *t;
    struct chunk *chunks;
    char *next, *end;   /* of the current chunk */
    int column;         /* expressions read this field only; -1: any */
    unsigned position;  /* of that field when it is a list; 0: tests on any element */
    const char *prefix; /* "" or "alias." before column names */
} maker;

void maker_reset(maker *m); /* also frees; a zeroed maker is ready */
void *maker_alloc(maker *m, size_t size);
uint32_t below(maker *m, uint32_t n);
bool chance(maker *m, uint32_t in_hundred);

/* A random expression of a type. In one of four cases it may read several columns. */
node *make_expression(maker *m, hd_type type, unsigned depth);
node *make_condition(maker *m, unsigned depth);
/* Make all expressions until free_column read one random column that gives the type easily. */
void bind_column(maker *m, hd_type type);
void free_column(maker *m);
/* Just a column of the type, or NULL when the table has none. */
node *make_column(maker *m, hd_type type);

/* a AND b, a OR b, or NOT a. */
node *make_junction(maker *m, node *a, node *b);
/* A function of a date that may stand as a key only; NULL when there is no date. */
node *make_key_function(maker *m);
bool is_constant(const node *n); /* reads no column */

hd_type node_type(const node *n);
void print_node(const maker *m, const node *n, hd_buf *out);
hd_value evaluate(maker *m, const node *n, size_t row);

#endif
