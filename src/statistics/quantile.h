/* quantile.h - quantiles of tabulated values, and grouping of units into equal parts by rank. */
#ifndef HD_STATISTICS_QUANTILE_H
#define HD_STATISTICS_QUANTILE_H

#include "base/err.h"

/* One distinct value and how often it occurs. */
typedef struct hd_bin {
    double value;
    uint64_t count;
} hd_bin;

/* Definitions of a sample quantile, by Hyndman and Fan's numbers. */
typedef enum hd_quantile_type {
    HD_QUANTILE_TYPE1 = 1, /* inverse of the distribution function, no averaging */
    HD_QUANTILE_TYPE2 = 2, /* the same, averaged at steps */
    HD_QUANTILE_TYPE6 = 6, /* position q (n + 1): Excel's EXC, SPSS */
    HD_QUANTILE_TYPE7 = 7  /* position q (n - 1) + 1: R, Excel's INC; the default here */
} hd_quantile_type;

/* All bins ascending by value, at least one with a count; q in 0..1. */
HD_MUST hd_code hd_bins_quantile(const hd_bin *bins, size_t n_bins, double q, hd_quantile_type type,
                                 double *out, hd_err *err);
/* The value at a rank, 1 = smallest. HD_INVALID when there are fewer values. */
HD_MUST hd_code hd_bins_at_rank(const hd_bin *bins, size_t n_bins, uint64_t rank, double *out,
                                hd_err *err);
uint64_t hd_bins_total(const hd_bin *bins, size_t n_bins);

/* Type 7 quantile of n ascending values. n >= 1. */
double hd_sorted_quantile(const double *sorted, size_t n, double q);

/* How units are put into k groups by rank. */
typedef enum hd_quantile_grouping {
    HD_GROUPING_PHE,   /* floor((k+1) - ceil((n+1-rank)/(n/k))), ties at the lowest rank; default */
    HD_GROUPING_NTILE, /* SQL's NTILE: sizes differ by at most one, ties broken by order */
    HD_GROUPING_RANK   /* ceil(k * rank / n), ties at their average rank */
} hd_quantile_grouping;

/* Put n values into groups 1..k; group 1 holds the highest values when highest_first, else the
 * lowest. A value that is NAN gets 0 and does not count; all get 0 when fewer than k are there. */
HD_MUST hd_code hd_quantile_groups(const double *values, size_t n, unsigned k, bool highest_first,
                                   hd_quantile_grouping grouping, unsigned *out, hd_err *err);

#endif
