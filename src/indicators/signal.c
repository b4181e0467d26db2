/* signal.c - what an XmR chart says about a month, with the rules of Making Data Count.
 *
 * The chart of a month looks back over signal_months (24) that end with it and knows nothing of
 * later ones, so a month says the same in every question and in every later report of it. Withheld
 * and incomplete months are gaps: a signal can tell nothing that the shown values do not tell.
 */
#include "indicators/work.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

hd_code hd_indicator_xmr(const hd_indicator_file *def, const double *values, size_t n,
                         hd_xmr_point *points, hd_xmr_summary *summary, bool *has_chart,
                         hd_err *err)
{
    static const hd_direction directions[] = {[HD_BAD_LOW + 1] = HD_HIGH_IS_GOOD,
                                              [HD_BAD_NONE + 1] = HD_NEUTRAL,
                                              [HD_BAD_HIGH + 1] = HD_LOW_IS_GOOD};
    hd_xmr_options o = hd_xmr_defaults();
    size_t known = 0;
    for (size_t i = 0; i < n; i++)
        known += !isnan(values[i]);
    *has_chart = known >= HD_SIGNAL_LEAST;
    if (!*has_chart)
        return HD_OK;
    o.direction = directions[def->bad + 1];
    o.target = def->target;
    return hd_xmr(values, NULL, n, &o, points, summary, err);
}

const char *hd_signal_cause_text(hd_special_cause cause)
{
    static const char *const texts[] = {[HD_COMMON_CAUSE] = "",
                                        [HD_ABOVE_UPPER] = "above the upper limit",
                                        [HD_BELOW_LOWER] = "below the lower limit",
                                        [HD_TREND_UP] = "7 months rising",
                                        [HD_TREND_DOWN] = "7 months falling",
                                        [HD_TWO_IN_THREE_ABOVE] = "2 of 3 near the upper limit",
                                        [HD_TWO_IN_THREE_BELOW] = "2 of 3 near the lower limit",
                                        [HD_RUN_ABOVE] = "7 months above the mean",
                                        [HD_RUN_BELOW] = "7 months below the mean"};
    return texts[cause];
}

const char *hd_signal_variation_text(hd_variation variation, int towards)
{
    switch (variation) {
    case HD_VARIATION_IMPROVEMENT:
        return towards > 0 ? "improving, high" : "improving, low";
    case HD_VARIATION_CONCERN:
        return towards > 0 ? "concerning, high" : "concerning, low";
    case HD_VARIATION_NEUTRAL:
        return towards > 0 ? "special cause, high" : "special cause, low";
    case HD_VARIATION_COMMON:
        break;
    }
    return "common cause";
}

const char *hd_signal_assurance_text(hd_assurance assurance)
{
    static const char *const texts[] = {[HD_ASSURANCE_NONE] = "",
                                        [HD_ASSURANCE_PASS] = "passing",
                                        [HD_ASSURANCE_FAIL] = "failing",
                                        [HD_ASSURANCE_INCONSISTENT] = "hit or miss"};
    return texts[assurance];
}

/* "rests on 19 of 24 months: 4 withheld, 1 without a figure" */
static void put_note(const unsigned char *states, size_t n, hd_signal *out)
{
    size_t count[4] = {0};
    for (size_t i = 0; i < n; i++)
        count[states[i]]++;
    size_t known = count[HD_MONTH_KNOWN], gaps = n - known;
    if (states[n - 1] != HD_MONTH_KNOWN) {
        static const char *const texts[] = {[HD_MONTH_MISSING] = "no figure in this month",
                                            [HD_MONTH_WITHHELD] = "this month is withheld",
                                            [HD_MONTH_INCOMPLETE] = "this month is incomplete"};
        snprintf(out->note, sizeof out->note, "%s", texts[states[n - 1]]);
    } else if (known < HD_SIGNAL_LEAST) {
        snprintf(out->note, sizeof out->note, "%d known months are needed, found %zu",
                 HD_SIGNAL_LEAST, known);
    } else if (gaps) {
        const char *what = count[HD_MONTH_WITHHELD] == gaps  ? "withheld"
                           : count[HD_MONTH_MISSING] == gaps ? "without a figure"
                                                             : "withheld or without a figure";
        snprintf(out->note, sizeof out->note, "%zu of %zu months %s", gaps, n, what);
    }
}

hd_code hd_signal_find(const hd_task *t, const hd_series_set *set, const hd_series *s, int month,
                       hd_signal *out, hd_err *err)
{
    *out = (hd_signal){0};
    size_t most = t->request->signal_months ? t->request->signal_months : HD_SIGNAL_MONTHS;
    size_t end = (size_t)(month - set->first) + 1, n = end < most ? end : most;
    hd_xmr_summary summary;
    bool has_chart;
    put_note(s->states + end - n, n, out);
    if (s->states[end - 1] != HD_MONTH_KNOWN)
        return HD_OK;
    hd_xmr_point *points = hd_calloc(n, sizeof *points);
    if (!points)
        return hd_fail_nomem(err);
    hd_code rc =
        hd_indicator_xmr(t->def, s->values + end - n, n, points, &summary, &has_chart, err);
    if (rc == HD_OK && has_chart) {
        const hd_xmr_point *p = &points[n - 1];
        out->is_known = true;
        out->cause = p->cause;
        out->variation = p->variation;
        out->towards = p->towards;
        out->assurance = summary.assurance;
    }
    hd_free(points);
    return rc;
}
