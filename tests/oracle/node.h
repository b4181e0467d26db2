/* node.h - one node of a random expression; shared by the files that make, print and evaluate them.
 */
#ifndef HD_ORACLE_NODE_H
#define HD_ORACLE_NODE_H

#include "functions.h"

typedef enum op {
    CONSTANT,
    COLUMN,
    ELEMENT,  /* list element by position */
    FUNCTION, /* NULL in, NULL out: functions.c */
    CASE,     /* kids: condition, value, otherwise (may be absent) */
    COALESCE,
    NULLIF,
    GREATEST, /* ignore NULLs */
    LEAST,
    COMPARE, /* text: the sign */
    IS_NOT_DISTINCT,
    IN, /* kid 0 in list */
    NOT_IN,
    BETWEEN,
    NOT_BETWEEN,
    LIKE, /* kid 0 like list[0] */
    NOT_LIKE,
    IS_NULL,
    IS_NOT_NULL,
    AND,
    OR,
    NOT,
    IS_TRUE,  /* coalesce(x, false) */
    CODELIST, /* kid 0 starts with one of the list */
    NOT_CODELIST,
    ANY, /* text: how an element is tested against the list */
} op;

enum { MAX_KIDS = 4, MAX_LIST = 6 };

struct node {
    op op;
    hd_type type;
    node *kids[MAX_KIDS];
    size_t n_kids;
    int field;
    unsigned element;
    hd_value constant;
    const function *fn;
    const char *text; /* COMPARE: the sign; ANY: the test; ANY, CODELIST: a code list's name */
    hd_value list[MAX_LIST];
    size_t n_list;
    bool negated; /* ANY */
};

#endif
