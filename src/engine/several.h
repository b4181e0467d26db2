/* several.h - expressions over several columns of a record as columns of their own.
 *
 * An expression over one column is a lookup table over its codes. One over several would need a
 * table over all their codes together, which may be far more than ever occur: so it is worked out
 * once for each combination that does, and becomes a column of codes like a stored one (order.h),
 * remembered by data version and definition. To the rest of the engine it is a field named #x...
 */
#ifndef HD_ENGINE_SEVERAL_H
#define HD_ENGINE_SEVERAL_H

#include "engine/order.h"

/* Of a checked question: conditions, keys and arguments over several columns become such columns,
 * where the columns have dictionaries. */
HD_MUST hd_code hd_take_several(hd_engine *e, asked *a, hd_err *err);

/* *out stays NULL where there are too many combinations: then DuckDB runs the question. */
HD_MUST hd_code hd_several_make(hd_engine *e, const asked *a, const order_column *o, hd_table *t,
                                order_data **out, hd_err *err);

/* What the column of a question is made of, for a scan that makes it block by block: o->parts. */
HD_MUST hd_code hd_several_parts(const asked *a, order_column *o, hd_table *t, hd_err *err);

/* A new reference to the tree with what the columns stand for in it; NULL when memory is out. */
json_t *hd_several_expand(const asked *a, json_t *tree);
/* Visit that tree, which ends with the call. NULL: nothing to visit. */
HD_MUST hd_code hd_several_visit(const asked *a, json_t *tree, hd_tree_visit visit, void *ctx,
                                 hd_err *err);

#endif
