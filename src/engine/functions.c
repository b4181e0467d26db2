/* functions.c - see functions.h. */
#include "engine/functions.h"

#include <string.h>

static const hd_aggregate_def aggregates[] = {
    {"count_star", HD_FN_COUNT, HD_AGG_COUNT, 0, "count", false},
    {"count", HD_FN_COUNT, HD_AGG_COUNT, 1, "count", false},
    {"sum", HD_FN_SUM, HD_AGG_SUM, 1, "sum", true},
    {"avg", HD_FN_AVG, HD_AGG_MEAN, 1, "avg", true},
    {"mean", HD_FN_AVG, HD_AGG_MEAN, 1, "avg", true},
    {"min", HD_FN_MIN, HD_AGG_EXTREME, 1, "min", false},
    {"max", HD_FN_MAX, HD_AGG_EXTREME, 1, "max", false},
    {"median", HD_FN_MEDIAN, HD_AGG_QUANTILE, 1, "median", true},
    {"quantile_cont", HD_FN_QUANTILE, HD_AGG_QUANTILE, 2, "quantile_cont", true},
    {"quantile_lower", HD_FN_QUANTILE_LOWER, HD_AGG_QUANTILE, 3, NULL, true},
    {"quantile_upper", HD_FN_QUANTILE_UPPER, HD_AGG_QUANTILE, 3, NULL, true},
    {"stddev", HD_FN_STDDEV, HD_AGG_SPREAD, 1, "stddev_samp", true},
    {"stddev_samp", HD_FN_STDDEV, HD_AGG_SPREAD, 1, "stddev_samp", true},
    {"variance", HD_FN_VARIANCE, HD_AGG_SPREAD, 1, "var_samp", true},
    {"var_samp", HD_FN_VARIANCE, HD_AGG_SPREAD, 1, "var_samp", true},
    {"largest_share", HD_FN_SHARE, HD_AGG_SHARE, 1, NULL, false},
};

/* Pure functions of their arguments. Nothing random, nothing of the clock, nothing that looks at
 * settings, files or other rows. */
static const char *const allowed[] = {
    "!~~", "!~~*", "%", "&", "*", "**", "+", "-", "/", "//", "<<", ">>", "^", "^@", "|", "||", "~~",
    "~~*", "abs", "century", "ceil", "ceiling", "coalesce", "concat", "concat_ws",
    "contains", "date_diff", "date_part", "date_trunc", "datediff", "datepart", "datetrunc", "day",
    "dayname", "dayofmonth", "dayofweek", "dayofyear", "decade", "ends_with", "epoch",
    "exp", "floor", "greatest", "ifnull", "instr", "isodow", "isoyear", "last_day", "lcase", "least",
    "left", "length", "like_escape", "list_contains", "list_has", "list_value", "ln", "log", "log10",
    "log2", "lower", "lpad", "ltrim", "make_date", "mod", "month", "monthname", "not_ilike_escape",
    "not_like_escape", "nullif", "ilike_escape", "pow", "power", "prefix", "quarter",
    "regexp_extract", "regexp_full_match", "regexp_matches", "regexp_replace", "replace", "reverse",
    "right", "round", "rpad", "rtrim", "sign", "split_part", "sqrt", "starts_with", "strftime",
    "strlen", "strpos", "strptime", "try_strptime", "substr", "substring", "suffix", "trim", "trunc",
    "to_days", "to_months", "to_weeks", "to_years", "ucase", "upper", "week", "weekday", "weekofyear",
    "year", "yearweek",
};

const hd_aggregate_def *hd_aggregate_find(const char *name)
{
    for (size_t i = 0; i < sizeof aggregates / sizeof *aggregates; i++)
        if (strcmp(aggregates[i].name, name) == 0)
            return &aggregates[i];
    return NULL;
}

bool hd_function_is_allowed(const hd_catalogue *c, const char *name)
{
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (strcmp(allowed[i], name) == 0)
            return true;
    for (size_t i = 0; i < hd_catalogue_n_macros(c); i++) {
        const char *macro;
        hd_catalogue_macro_at(c, i, &macro);
        if (strcmp(macro, name) == 0)
            return true;
    }
    return hd_catalogue_lookup(c, name) != NULL;
}
