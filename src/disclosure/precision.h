/* precision.h - how precisely figures that are made of values may be shown: sums, means, spreads and
 * quantiles, given how often each value occurs behind them.
 *
 * What is guarded against: who knows which values occur (a condition can see to that) could read from
 * an exact figure how many people have one of them. So the rule is that of counts: of every range of
 * values that holds 1 to 7 records, five numbers of records stay possible, each with whole records of
 * the same values that would have printed the same count, sum, mean and spread. The proof is a core
 * of values that lie close together: its records, moved among them, make up for more or fewer in the
 * range (precision.c). Figures are rounded as far as that needs, and withheld where it does not help.
 * Of how many records there are a sum and a mean together say no more than the printed count does.
 */
#ifndef HD_DISCLOSURE_PRECISION_H
#define HD_DISCLOSURE_PRECISION_H

#include "catalogue/policy_file.h"
#include "engine/cells.h"
#include "engine/question.h"

typedef struct hd_precision {
    bool is_withheld; /* the sum and the mean */
    bool sum_is_withheld;
    double sum_unit;  /* a sum is rounded to a multiple of it */
    int mean_decimals; /* may be below 0 */
    bool spread_is_withheld;
    int spread_decimals; /* of the standard deviation and of the variance */
} hd_precision;

/* The bins ascend and are not empty; records are all that are behind the figure. */
HD_MUST hd_code hd_precision_of(const hd_policy_file *p, const hd_value_bin *bins, size_t n,
                                hd_precision *out, hd_err *err);

/* The quantile that may be shown, a value that occurs; false: none. Quantiles lie on a grid of ranks
 * with at least minimum_thin_side records between two of them and beyond the outer ones, except the
 * median; limits of an interval are moved outwards to it. */
bool hd_precision_quantile(const hd_policy_file *p, const hd_aggregate *a, const hd_value_bin *bins,
                           size_t n, double *out);

#endif
