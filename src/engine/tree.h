/* tree.h - small operations on DuckDB's expression tree, held as JSON.
 *
 * An expression is an object with "class" and "type". Children may sit under any member (left,
 * children, when_expr, ...), so walking is by structure, not by a list of names: what DuckDB adds
 * later is still seen. query_location is zeroed and inner aliases are emptied after parsing, so that
 * json_equal compares meaning.
 */
#ifndef HD_ENGINE_TREE_H
#define HD_ENGINE_TREE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "duck/duck.h"

bool hd_tree_is_expression(const json_t *node);
bool hd_tree_is(const json_t *node, const char *class_or_type); /* either of the two */
bool hd_tree_is_logic(const json_t *node); /* AND, OR, NOT */
const char *hd_tree_text(const json_t *node, const char *member);     /* "" when absent */
const char *hd_tree_function(const json_t *node); /* function name, or "" when no function */
/* Last part of a COLUMN_REF's name; NULL when it is none. */
const char *hd_tree_column(const json_t *node);
/* New nodes; NULL when memory is out. */
json_t *hd_tree_new_column(const char *name);
json_t *hd_tree_new_text(const char *value);
json_t *hd_tree_new_not(json_t *child);                   /* steals child */
json_t *hd_tree_new_boolean(json_t *child);               /* CAST(child AS BOOLEAN); steals */
json_t *hd_tree_new_function(const char *name, json_t *a, json_t *b); /* steals a, b */

/* Call visit for the node in every slot that holds an expression below `node` (not node itself). A
 * visitor may return another node to put there (a new reference), or NULL to leave it. Stops with
 * *rc set when visit fails. */
typedef json_t *(*hd_tree_visit)(void *ctx, json_t *node, hd_code *rc, hd_err *err);
hd_code hd_tree_each_child(json_t *node, hd_tree_visit visit, void *ctx, hd_err *err);

void hd_tree_normalise(json_t *node); /* locations and aliases, below and at node */
/* Text of one expression. Caller frees. */
HD_MUST hd_code hd_tree_unparse(hd_duck *d, json_t *expression, char **sql, hd_err *err);
/* Parse one expression. Caller owns the tree. */
HD_MUST hd_code hd_tree_parse(hd_duck *d, const char *expression, json_t **out, hd_err *err);

#endif
