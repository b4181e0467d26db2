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
} hd_indicator_request;

/* Columns of the rows: indicator, the keys of `by`, name (when the unit is a provider), numerator,
 * denominator, value, lower, upper, national, peer_median, decile (1 holds the lowest values),
 * worst_10, funnel, funnel_p, months_flagged (when by month), note. */
typedef struct hd_indicator_result {
    hd_release *rows;
    /* by month, without other keys than the unit: month, units (ranked), p10, p25, p50, p75, p90
     * over the ranked peers, national, national_lower, national_upper; else NULL. For
     * HD_PEERS_REGION over all ranked units. */
    hd_release *bands;
} hd_indicator_result;

HD_MUST hd_code hd_indicator_evaluate(hd_indicator_result *out, hd_engine *e, const hd_policy *p,
                                      const hd_indicator_file *def, const hd_indicator_request *r,
                                      hd_err *err);
void hd_indicator_result_free(hd_indicator_result *r);

/* The rows of all parts, one after another. HD_INVALID: their columns differ. */
HD_MUST hd_code hd_release_join(hd_release **out, const hd_release *const *parts, size_t n,
                                hd_err *err);

#endif
