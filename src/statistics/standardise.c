/* standardise.c - see standardise.h. */
#include "statistics/standardise.h"

#include <limits.h>
#include <math.h>

hd_code hd_dsr_of(const hd_stratum *strata, size_t n, hd_dsr *out, hd_err *err)
{
    double weights = 0, sum = 0, variance = 0;
    *out = (hd_dsr){0};
    for (size_t i = 0; i < n; i++) {
        const hd_stratum *t = &strata[i];
        if (!(t->count >= 0))
            return hd_fail(err, HD_INVALID, "band %zu has a negative or missing count", i + 1);
        if (!(t->population > 0))
            return hd_fail(err, HD_INVALID, "band %zu has no population", i + 1);
        if (!(t->standard >= 0))
            return hd_fail(err, HD_INVALID,
                           "band %zu has a negative or missing standard population", i + 1);
        double rate = t->standard / t->population;
        out->events += t->count * t->frequency;
        sum += rate * t->count * t->frequency;
        variance += rate * rate * t->count * t->frequency * t->frequency;
        if (t->first_of_band) {
            weights += t->standard;
            out->population += t->population;
        }
    }
    if (!(weights > 0))
        return hd_fail(err, HD_INVALID, "the standard population is empty");
    out->value = sum / weights;
    out->variance = variance / (weights * weights);
    return HD_OK;
}

hd_code hd_dsr_limits(const hd_dsr *d, double level, hd_limits *out, hd_err *err)
{
    hd_limits count;
    HD_TRY(hd_count_limits(HD_COUNT_BYAR, d->events, level, &count, err));
    /* Without events there is no variance to scale by: Dobson's form has no limits there. */
    double scale = d->events > 0 ? sqrt(d->variance / d->events) : NAN;
    *out = (hd_limits){d->value + scale * (count.lower - d->events),
                       d->value + scale * (count.upper - d->events)};
    return HD_OK;
}

typedef struct standard_band {
    int first;
    double weight;
} standard_band;

/* Eurostat 2013 with the two splits (under 1, 95 and over) that make 21 bands; Waterhouse 1976. */
static const standard_band esp2013[] = {
    {0, 1000},  {1, 4000},  {5, 5500},  {10, 5500}, {15, 5500}, {20, 6000},  {25, 6000}, {30, 6500},
    {35, 7000}, {40, 7000}, {45, 7000}, {50, 7000}, {55, 6500}, {60, 6000},  {65, 5500}, {70, 5000},
    {75, 4000}, {80, 2500}, {85, 1500}, {90, 800},  {95, 200},  {INT_MAX, 0}};
static const standard_band esp1976[] = {
    {0, 1600},  {1, 6400},  {5, 7000},  {10, 7000}, {15, 7000}, {20, 7000},  {25, 7000},
    {30, 7000}, {35, 7000}, {40, 7000}, {45, 7000}, {50, 7000}, {55, 6000},  {60, 5000},
    {65, 4000}, {70, 3000}, {75, 2000}, {80, 1000}, {85, 1000}, {INT_MAX, 0}};

hd_code hd_standard_weight(hd_standard standard, int first, int last, double *weight, hd_err *err)
{
    const standard_band *b = standard == HD_ESP1976 ? esp1976 : esp2013;
    int end = last == INT_MAX ? INT_MAX : last + 1;
    bool begins = false, ends = end == INT_MAX;
    *weight = 0;
    for (; b->first != INT_MAX; b++) {
        begins = begins || b->first == first;
        ends = ends || b->first == end;
        if (b->first >= first && b->first < end)
            *weight += b->weight;
    }
    if (!begins || !ends || end <= first)
        return hd_fail(err, HD_INVALID,
                       "the band does not fit the bands of the standard population");
    return HD_OK;
}

hd_code hd_isr_of(const hd_isr_stratum *strata, size_t n, double observed, hd_isr *out, hd_err *err)
{
    double count = 0, reference = 0, population = 0;
    *out = (hd_isr){0};
    for (size_t i = 0; i < n; i++) {
        const hd_isr_stratum *t = &strata[i];
        double rc = isnan(t->reference_count) ? 0 : t->reference_count;
        if (t->count < 0 || t->population < 0 || rc < 0 || t->reference_population < 0)
            return hd_fail(err, HD_INVALID, "band %zu has a negative count or population", i + 1);
        if (isnan(t->population))
            return hd_fail(err, HD_INVALID, "band %zu has no population", i + 1);
        if (!(t->reference_population > 0) && t->population > 0)
            return hd_fail(err, HD_INVALID, "band %zu has no reference population", i + 1);
        count += t->count;
        if (!(t->reference_population > 0))
            continue;
        out->expected += t->population * rc / t->reference_population;
        reference += rc;
        population += t->reference_population;
    }
    out->observed = isnan(observed) ? count : observed;
    out->reference_rate = reference / population;
    if (!(out->expected > 0))
        return hd_fail(err, HD_INVALID, "no events are expected: the ratio has no denominator");
    return HD_OK;
}
