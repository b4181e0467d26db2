/* functions.h - the SQL functions of the oracle: name, arguments, and the same in C. */
#ifndef HD_ORACLE_FUNCTIONS_H
#define HD_ORACLE_FUNCTIONS_H

#include "expression.h"

/* Kinds of argument, one letter each: u text, a text of plain letters only, i integer, d decimal,
 * y date; and constants: n 0 to 4, p 1 to 9, z -20 to 20, q quarters that are not 0. */
typedef struct function {
    const char *sql; /* $1, $2, $3 are the arguments */
    hd_type type;
    const char *arguments;
    hd_value (*evaluate)(maker *m, const hd_value *a); /* no argument is NULL */
} function;

const function *function_pick(maker *m, hd_type type); /* NULL when there is none of that type */
const function *function_pick_key(maker *m); /* of a date; not to be put into other expressions */
hd_type function_type(char kind);
bool function_constant(maker *m, char kind, hd_value *out); /* false: not a constant */

int compare_values(const hd_value *a, const hd_value *b); /* neither is NULL */
bool like_match(const char *s, size_t n, const char *pattern, size_t m);
void format_day(int64_t day, char out[11]);

#endif
