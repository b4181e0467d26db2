/* indicator.h - an indicator by unit and period: value, interval, national value, peers and flags.
 *
 * Everything here is worked out from released figures: the counts come through hd_release_ask, and
 * values, limits, percentiles and flags from those counts. So under a policy that rounds, rates
 * come from rounded figures, and under the policy `none` they are exact. A value that rests on a
 * withheld figure is withheld, and such a unit takes no part in comparisons.
 */
#ifndef HD_INDICATORS_INDICATOR_H
#define HD_INDICATORS_INDICATOR_H

#include "catalogue/indicator_file.h"
#include "disclosure/release.h"
#include "engine/question.h"
#include "statistics/funnel.h"
#include "statistics/xmr.h"

enum { HD_INDICATOR_MAX_BY = 8 };

/* Who is compared with whom. */
typedef enum hd_peer_kind {
    HD_PEERS_ALL,
    HD_PEERS_REGION, /* providers of the same region */
    HD_PEERS_GROUP,  /* providers of the peer group `text`: acute, specialist, ... */
    HD_PEERS_CODES   /* the units listed in `text`, comma-separated */
} hd_peer_kind;

typedef struct hd_peers {
    hd_peer_kind kind;
    const char *text;
} hd_peers;

/* "all", "region", the name of a peer group, or codes separated by commas. */
hd_peers hd_peers_parse(const hd_catalogue *c, const char *text);

typedef struct hd_indicator_request {
    /* Fields of the indicator's table, or month, quarter, year (financial). The first that is no
     * period is the unit that is compared; the others keep comparisons apart. */
    const char *by[HD_INDICATOR_MAX_BY];
    size_t n_by;
    /* Months as year * 12 + month - 1, both included; INT32_MIN and INT32_MAX: all there are. */
    int first_month, last_month;
    int shown_from; /* earlier months only count towards consecutive flags; INT32_MIN: all shown */
    double level;   /* of the intervals: 0.95 */
    hd_peers peers;
    unsigned signal_months; /* that an XmR chart looks back, its own month included; 0: 24 */
} hd_indicator_request;

/* Columns of the rows: indicator, the keys of `by`, name (when the unit is a provider), numerator,
 * denominator, value, lower, upper, national, peer_median, decile (1 holds the lowest values),
 * worst_10, funnel, funnel_p; when by month months_flagged, special_cause, variation, assurance,
 * signal_note; note. */
typedef struct hd_indicator_result {
    hd_release *rows;
    /* by month, without other keys than the unit: month, units (ranked), p10, p25, p50, p75, p90
     * over the ranked peers, national, national_lower, national_upper, special_cause, variation,
     * assurance, signal_note (of the national value), note; else NULL. For HD_PEERS_REGION over all
     * ranked units. */
    hd_release *bands;
    /* by month: every month that was asked for, shown or not, for hd_indicator_forecast */
    struct hd_series_set *series;
} hd_indicator_result;

HD_MUST hd_code hd_indicator_evaluate(hd_indicator_result *out, hd_engine *e, const hd_policy *p,
                                      const hd_indicator_file *def, const hd_indicator_request *r,
                                      hd_err *err);
/* Scan for several indicators at once, before they are evaluated by the same request: those with one
 * table and condition in one pass. Changes no result; only HD_CANCELLED and HD_NOMEM are passed on. */
HD_MUST hd_code hd_indicator_scan(hd_engine *e, const hd_policy *p,
                                  const hd_indicator_file *const *defs, size_t n,
                                  const hd_indicator_request *r, hd_err *err);
void hd_indicator_result_free(hd_indicator_result *r);

/* The funnel that units are judged by: limits of 95% and 99.8% around the pooled value. false: the
 * method has none. */
bool hd_indicator_funnel(hd_method method, hd_funnel_options *out);

/* ---- over time (doc/methods.md, "Signals over time" and "Forecasts of an indicator") --------- */

enum { HD_SIGNAL_MONTHS = 24, HD_SIGNAL_LEAST = 12, HD_FORECAST_LEAST = 24, HD_FORECAST_MOST = 36 };

/* An XmR chart of an indicator's months as the signals are found: its bad side is the direction,
 * its target the target. NAN: a gap. *has_chart is false, and points and summary are not set, where
 * fewer than HD_SIGNAL_LEAST months are known. */
HD_MUST hd_code hd_indicator_xmr(const hd_indicator_file *def, const double *values, size_t n,
                                 hd_xmr_point *points, hd_xmr_summary *summary, bool *has_chart,
                                 hd_err *err);
/* "" for common cause; "above the upper limit", "7 months rising", ... */
const char *hd_signal_cause_text(hd_special_cause cause);
/* common cause; improving, concerning or special cause, with high or low. */
const char *hd_signal_variation_text(hd_variation variation, int towards);
const char *hd_signal_assurance_text(hd_assurance assurance); /* passing, failing, hit or miss */

/* Which series of a result are continued: all units, one (by its code), or the national one. */
typedef enum hd_forecast_of {
    HD_FORECAST_UNITS,
    HD_FORECAST_UNIT,
    HD_FORECAST_NATIONAL
} hd_forecast_of;
typedef struct hd_forecast_request {
    hd_forecast_of of;
    const char *unit;
    size_t horizon; /* months, 1 to HD_FORECAST_MOST */
} hd_forecast_request;

/* The months that follow the last complete one, for results evaluated by month; all series of all
 * results at once, on several threads. out[i] belongs to results[i]: indicator, the keys of `by`,
 * name (when the unit is a provider), months_ahead, value, lower80, upper80, lower95, upper95,
 * model, history (months it rests on), note. A series without a forecast has one row that says why.
 * On failure every out[i] is NULL. */
HD_MUST hd_code hd_indicator_forecast(hd_release **out, const hd_indicator_result *results,
                                      size_t n, const hd_forecast_request *request, hd_err *err);

/* The rows of all parts, one after another. HD_INVALID: their columns differ. */
HD_MUST hd_code hd_release_join(hd_release **out, const hd_release *const *parts, size_t n,
                                hd_err *err);

#endif
