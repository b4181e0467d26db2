/* lifetable.h - life expectancy by an abridged life table: Chiang, with Silcocks' interval for the
 * open last band (doc/methods.md). */
#ifndef HD_STATISTICS_LIFETABLE_H
#define HD_STATISTICS_LIFETABLE_H

#include "statistics/interval.h"

typedef struct hd_life_band {
    int age;                   /* first age of the band; the first band is 0, the last is open */
    double population, deaths; /* person-years and deaths */
} hd_life_band;

typedef struct hd_life_row {
    double probability_of_dying, survivors, years_lived; /* q, l (of 100000), L */
    double value, variance;                              /* years at that age */
} hd_life_row;

typedef enum hd_life_refusal {
    HD_LIFE_OK,
    HD_LIFE_WIDTH,      /* set by the caller: a label ends elsewhere than its band */
    HD_LIFE_BANDS,      /* bands missing, repeated, out of order, or not from 0 */
    HD_LIFE_NEGATIVE,   /* a negative or missing count */
    HD_LIFE_POPULATION, /* a band without population */
    HD_LIFE_EXCESS,     /* more deaths than people */
    HD_LIFE_SMALL,      /* population below the least */
    HD_LIFE_NO_DEATHS   /* no death in the open band: its years have no limit */
} hd_life_refusal;

/* Reason, or HD_LIFE_OK, and then rows for n >= 2 bands. expected: the ages that must be there, or
 * NULL for any. least: the population below which nothing is given (5000). */
hd_life_refusal hd_life_table(const hd_life_band *bands, size_t n, const int *expected,
                              size_t n_expected, double least, hd_life_row *rows);
HD_MUST hd_code hd_life_limits(const hd_life_row *row, double level, hd_limits *out, hd_err *err);
const char *hd_life_reason(hd_life_refusal refusal);

extern const int hd_life_ages[20]; /* 0, 1, 5, ... 90 */

#endif
