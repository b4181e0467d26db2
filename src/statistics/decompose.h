/* decompose.h - a series into trend, season and remainder: by moving averages, or by loess (STL).
 */
#ifndef HD_STATISTICS_DECOMPOSE_H
#define HD_STATISTICS_DECOMPOSE_H

#include "base/err.h"

typedef struct hd_decomposed {
    double trend, season, remainder; /* NAN where moving averages do not reach */
} hd_decomposed;

/* Centred moving average of one period; seasonal figures are averages of what it leaves, adding to
 * 0 (or averaging 1). Two whole periods at least. */
HD_MUST hd_code hd_decompose_classical(const double *y, size_t n, size_t period,
                                       bool multiplicative, hd_decomposed *out, hd_err *err);

typedef struct hd_stl_options {
    size_t period;
    size_t season_window; /* odd; 0: the season does not change over time */
    size_t trend_window; /* odd; 0: the next odd number from 1.5 period / (1 - 1.5/season_window) */
    unsigned inner, outer; /* passes; outer: 0, or 15 (with inner 1) for robustness */
    bool every_point;      /* loess at every point instead of every tenth of a window */
} hd_stl_options;

/* Cleveland and others 1990 with the defaults of R's stl: degree 0 for the season, 1 elsewhere,
 * straight lines over a tenth of a window. Two whole periods and a value at least. */
HD_MUST hd_code hd_decompose_stl(const double *y, size_t n, const hd_stl_options *options,
                                 hd_decomposed *out, hd_err *err);

#endif
