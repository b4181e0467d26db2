/* xmr.h - individuals and moving range charts with the Making Data Count rules.
 *
 * Points come in date order. A segment (rebase) starts a fresh mean, limits and rules. Defaults are
 * those of the national workbook: 2.66 times the mean moving range, no screening, 7 points.
 */
#ifndef HD_STATISTICS_XMR_H
#define HD_STATISTICS_XMR_H

#include "base/err.h"

typedef enum hd_direction { HD_NEUTRAL = 0, HD_HIGH_IS_GOOD = 1, HD_LOW_IS_GOOD = -1 } hd_direction;

typedef struct hd_xmr_options {
    hd_direction direction;
    double constant;       /* 2.66 (NHS) or 3/1.128 */
    bool screen;           /* leave out, once, moving ranges at or above 3.267 times their mean */
    size_t fix_after;      /* limits from the first n points of a segment; 0: all */
    double target;         /* NAN: none */
    unsigned run_length;   /* points on one side of the mean: 7 */
    unsigned trend_length; /* points rising or falling: 7, or 6 */
} hd_xmr_options;

hd_xmr_options hd_xmr_defaults(void);

/* In order of precedence after the first. */
typedef enum hd_special_cause {
    HD_COMMON_CAUSE,
    HD_ABOVE_UPPER,
    HD_BELOW_LOWER,
    HD_TREND_UP,
    HD_TREND_DOWN,
    HD_TWO_IN_THREE_ABOVE,
    HD_TWO_IN_THREE_BELOW,
    HD_RUN_ABOVE,
    HD_RUN_BELOW
} hd_special_cause;

typedef enum hd_variation {
    HD_VARIATION_COMMON,
    HD_VARIATION_IMPROVEMENT,
    HD_VARIATION_CONCERN,
    HD_VARIATION_NEUTRAL
} hd_variation;

typedef enum hd_assurance {
    HD_ASSURANCE_NONE, /* no target, or no direction */
    HD_ASSURANCE_PASS,
    HD_ASSURANCE_FAIL,
    HD_ASSURANCE_INCONSISTENT
} hd_assurance;

typedef struct hd_xmr_point {
    double mean, lower, upper;     /* limits; NAN where the segment has one point only */
    double near_lower, near_upper; /* two thirds of the way to them */
    size_t segment;                /* from 0 */
    bool outside, near;            /* beyond a limit; beyond two thirds but inside the limit */
    int side;                      /* of the mean: -1, 0, 1 */
    hd_special_cause cause;
    hd_variation variation;
    int towards; /* 1: the signal points up, -1: down, 0: none */
} hd_xmr_point;

typedef struct hd_xmr_summary {
    double mean_range;      /* of the last segment, after screening */
    double range_limit;     /* 3.267 times it */
    hd_variation variation; /* the icon: that of the last point */
    int towards;
    hd_assurance assurance; /* target against the limits at the last point */
    bool trial_limits;      /* the last segment rests on fewer than 12 points */
    size_t special_points;
} hd_xmr_summary;

/* values: n of them, NAN a gap (it gets limits, no signals, and breaks nothing else but the moving
 * range next to it); starts: n flags, true where a new segment starts, or NULL; points: n results.
 */
HD_MUST hd_code hd_xmr(const double *values, const bool *starts, size_t n,
                       const hd_xmr_options *options, hd_xmr_point *points, hd_xmr_summary *summary,
                       hd_err *err);

hd_assurance hd_xmr_assurance(double lower, double upper, double target, hd_direction direction);

/* "Common Cause", "Above UCL", "7 Point Trend (Increasing)" (with the length in force), ... */
void hd_special_cause_label(hd_special_cause cause, const hd_xmr_options *options, char out[40]);
/* common_cause, special_cause_improvement, special_cause_concern, special_cause_neutral_high ... */
const char *hd_point_type_label(hd_variation variation, int towards);
/* common_cause, improvement_high, improvement_low, concern_high, concern_low, neutral_high ... */
const char *hd_variation_icon_label(hd_variation variation, int towards);
const char *hd_assurance_label(hd_assurance assurance); /* "" for none */

#endif
