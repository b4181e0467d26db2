/* chart.h - control charts other than XmR with its rules (xmr.h): centre and limits for every
 * point, and Anhoej's two run tests. Points come in order; parts start afresh. */
#ifndef HD_STATISTICS_CHART_H
#define HD_STATISTICS_CHART_H

#include "base/err.h"

typedef enum hd_chart {
    HD_CHART_XMR,  /* individuals: value */
    HD_CHART_MR,   /* moving ranges of value */
    HD_CHART_XBAR, /* value: mean of a subgroup of `denominator` values with standard deviation sd
                    */
    HD_CHART_S,    /* sd of the same */
    HD_CHART_P,    /* numerator of denominator */
    HD_CHART_P_PRIME, /* with Laney's correction for variation between subgroups */
    HD_CHART_U,       /* events per exposure */
    HD_CHART_U_PRIME,
    HD_CHART_C, /* events; numerator */
    HD_CHART_C_PRIME,
    HD_CHART_T,  /* value: time between rare events; XmR of its power 1/3.6, transformed back */
    HD_CHART_RUN /* value, median as centre, no limits */
} hd_chart;

typedef struct hd_chart_input {
    double value, sd;              /* NAN: missing */
    double numerator, denominator; /* NAN: missing */
    bool exclude;                  /* drawn, but not part of centre, limits and run tests */
    bool starts;                   /* a new part starts here */
} hd_chart_input;

typedef struct hd_chart_options {
    hd_chart chart;
    double constant; /* XmR and t: 2.66 or 3/1.128 */
    bool screen;     /* XmR and t: drop once moving ranges at or above 3.267 times their mean */
    size_t baseline; /* first points of a part that set centre and limits; 0: all */
} hd_chart_options;

typedef struct hd_chart_row {
    double y, centre, lower, upper; /* NAN where undefined */
    size_t part;                    /* from 0 */
    bool outside;
} hd_chart_row;

typedef struct hd_runs {
    size_t useful; /* points not on the centre line */
    size_t longest, longest_max;
    size_t crossings, crossings_min;
    bool signal; /* longest > longest_max or crossings < crossings_min */
} hd_runs;

/* rows: n results. HD_INVALID names the point: a negative count, a numerator above its denominator.
 */
HD_MUST hd_code hd_chart_limits(const hd_chart_input *in, size_t n, const hd_chart_options *options,
                                hd_chart_row *rows, hd_err *err);

/* Run tests over one part: its n rows and, for exclusions, its input. */
hd_runs hd_runs_of(const hd_chart_input *in, const hd_chart_row *rows, size_t n);

/* --- Run chart with re-based medians ---------------------------------------------------------- */

typedef enum hd_run_direction { HD_RUN_BOTH, HD_RUN_UP, HD_RUN_DOWN } hd_run_direction;

typedef struct hd_run_segment {
    double median;
    size_t first, last; /* points from which the median comes */
    size_t extend_to;   /* drawn up to this point: where the next begins, or the last */
    bool sustained;     /* false for the baseline */
} hd_run_segment;

/* The first `baseline` points set the median; every run of `run_length` successive points on one
 * side of it (points on it do not count) sets a new one. segments: room for n / run_length + 2. */
HD_MUST hd_code hd_run_chart(const double *values, size_t n, size_t baseline, size_t run_length,
                             hd_run_direction direction, hd_run_segment *segments,
                             size_t *n_segments, hd_err *err);

#endif
