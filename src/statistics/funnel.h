/* funnel.h - is a unit different from its peers? Limits around a common target, with and without
 * over-dispersion (doc/methods.md, funnel). */
#ifndef HD_STATISTICS_FUNNEL_H
#define HD_STATISTICS_FUNNEL_H

#include "statistics/interval.h"

enum { HD_FUNNEL_LEVELS = 8 };

typedef enum hd_funnel_kind {
    HD_FUNNEL_PROPORTION,      /* numerator of denominator */
    HD_FUNNEL_RATE,            /* Poisson count over exposure */
    HD_FUNNEL_RATIO,           /* observed over expected (standardised ratio), target 1 */
    HD_FUNNEL_RATIO_OF_COUNTS, /* two counts */
    HD_FUNNEL_MEAN             /* sum of values over their number, with the values' sd */
} hd_funnel_kind;

typedef enum hd_funnel_adjust {
    HD_FUNNEL_NO_ADJUSTMENT,
    HD_FUNNEL_TRUNCATE, /* as the SHMI: log scale, units in the lowest and highest share dropped */
    HD_FUNNEL_WINSORISE /* Spiegelhalter: square root (ratios) or arcsine (proportions) scale */
} hd_funnel_adjust;

/* Limits without adjustment. SCORE: where the unit's own score interval touches the target (Wilson
 * for a proportion: p -+ z sqrt(p(1-p)/n); 1 -+ z/sqrt(E) for a ratio). EXACT: the exact interval
 * of the expected count, as the SHMI draws it. TRANSFORMED: the scale of the adjustment without
 * tau2. */
typedef enum hd_funnel_base {
    HD_FUNNEL_EXACT,
    HD_FUNNEL_SCORE,
    HD_FUNNEL_TRANSFORMED
} hd_funnel_base;

typedef struct hd_funnel_options {
    hd_funnel_kind kind;
    hd_funnel_adjust adjust;
    hd_funnel_base base;
    double target;       /* NAN: 1 for a ratio, else the pooled value of the units */
    double trim;         /* share at each end: 0.1 */
    bool round_expected; /* ratio: z, s and limits use expected counts to 2 decimals, as the SHMI */
    bool variance_only;  /* multiply s by sqrt(phi) when phi > 1 instead of adding tau2 */
    bool root_limits;    /* winsorised ratio: leave the limits on the root scale, as FunnelPlotR */
    unsigned n_levels;
    double levels[HD_FUNNEL_LEVELS]; /* 0.95, 0.998 */
} hd_funnel_options;

typedef struct hd_funnel_unit {
    double numerator, denominator;
    double sd; /* HD_FUNNEL_MEAN only */
} hd_funnel_unit;

typedef struct hd_funnel_summary {
    double target, phi, tau2;
    size_t used; /* units from which phi and tau2 come */
    double sd;   /* HD_FUNNEL_MEAN: pooled within units */
} hd_funnel_summary;

typedef struct hd_funnel_row {
    double value, expected, s; /* s: within-unit standard error on the transformed scale */
    double z, z_used;          /* z_used: after trimming; NAN when the unit was dropped */
    hd_limits limits[HD_FUNNEL_LEVELS], adjusted[HD_FUNNEL_LEVELS];
    int status[HD_FUNNEL_LEVELS];          /* against limits: -1 lower, 0 as expected, 1 higher */
    int adjusted_status[HD_FUNNEL_LEVELS]; /* against adjusted; equal to status without adjustment
                                            */
} hd_funnel_row;

hd_funnel_options hd_funnel_defaults(hd_funnel_kind kind); /* 0.95 and 0.998, base SCORE for
    proportions and EXACT else, no adjustment, trim 0.1 */

/* Units with a denominator of 0 are left out: all their results are NAN and their status 0.
 * HD_INVALID names the unit (1-based) that makes no sense: a negative count, a numerator above its
 * denominator. */
HD_MUST hd_code hd_funnel(const hd_funnel_unit *units, size_t n, const hd_funnel_options *options,
                          hd_funnel_row *rows, hd_funnel_summary *summary, hd_err *err);

/* Limits at any denominator (expected count for a ratio), for drawing the curves. */
HD_MUST hd_code hd_funnel_curve(const hd_funnel_options *options, const hd_funnel_summary *summary,
                                double denominator, hd_limits limits[HD_FUNNEL_LEVELS],
                                hd_limits adjusted[HD_FUNNEL_LEVELS], hd_err *err);

const char *hd_funnel_label(int status); /* lower, as expected, higher */

/* --- As Fingertips labels and draws (PHE) ----------------------------------------------------- */

/* Highest level at which a unit's own interval (Wilson, or exact below 10 and Byar) leaves out the
 * target: *status -2, -1 (beyond 99.8%, 95%), 0, 1, 2. Proportion: x of n against a fraction;
 * count: x against the expected count. */
HD_MUST hd_code hd_funnel_phe_proportion(double x, double n, double target, int *status,
                                         hd_err *err);
HD_MUST hd_code hd_funnel_phe_count(double x, double expected, int *status, hd_err *err);
const char *hd_funnel_phe_label(int status); /* Low (0.001) ... Not significant ... High (0.001) */

#endif
