/* functions.h - which SQL functions a question may use. Deny by default: what is not listed here or
 * in the catalogue is refused, so nothing of DuckDB that reads files, settings or state is reachable.
 */
#ifndef HD_ENGINE_FUNCTIONS_H
#define HD_ENGINE_FUNCTIONS_H

#include "engine/question.h"

typedef enum hd_aggregate_fn {
    HD_FN_COUNT,
    HD_FN_SUM,
    HD_FN_AVG,
    HD_FN_MIN,
    HD_FN_MAX,
    HD_FN_MEDIAN,
    HD_FN_QUANTILE,
    HD_FN_QUANTILE_LOWER,
    HD_FN_QUANTILE_UPPER,
    HD_FN_STDDEV,
    HD_FN_VARIANCE,
    HD_FN_SHARE
} hd_aggregate_fn;

typedef struct hd_aggregate_def {
    const char *name; /* as DuckDB's parser gives it */
    hd_aggregate_fn fn;
    hd_aggregate_kind kind;
    unsigned n_arguments;     /* including constants after the first */
    const char *duckdb_name;  /* NULL: only the kernel has it */
    bool needs_number;
} hd_aggregate_def;

const hd_aggregate_def *hd_aggregate_find(const char *name); /* NULL: no aggregate of ours */
bool hd_function_is_allowed(const hd_catalogue *c, const char *name);

#endif
