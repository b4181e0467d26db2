/* standardise.h - directly and indirectly standardised rates, and the standard populations. */
#ifndef HD_STATISTICS_STANDARDISE_H
#define HD_STATISTICS_STANDARDISE_H

#include "statistics/interval.h"

/* A cell of one band: `count` people with `frequency` events each (1 where events are independent).
 */
typedef struct hd_stratum {
    double count, population, standard;
    double frequency;
    bool first_of_band; /* false: population and standard repeat those of an earlier cell */
} hd_stratum;

typedef struct hd_dsr {
    double events, population; /* totals */
    double value, variance;    /* per person; not multiplied */
} hd_dsr;

/* sum(w x / n) / sum(w). HD_INVALID names the stratum (1-based): negative counts, a band without
 * population. Repeat events: the variance counts frequency squared. */
HD_MUST hd_code hd_dsr_of(const hd_stratum *strata, size_t n, hd_dsr *out, hd_err *err);
/* Dobson's limits with Byar's on the total. */
HD_MUST hd_code hd_dsr_limits(const hd_dsr *d, double level, hd_limits *out, hd_err *err);

typedef enum hd_standard { HD_ESP2013, HD_ESP1976 } hd_standard;

/* Weight of the ages first..last (whole years; last INT32_MAX: open) in a standard population of
 * 100000. HD_INVALID when the band does not begin and end where bands of the standard do. */
HD_MUST hd_code hd_standard_weight(hd_standard standard, int first, int last, double *weight,
                                   hd_err *err);

typedef struct hd_isr_stratum {
    double count, population, reference_count, reference_population;
} hd_isr_stratum;

typedef struct hd_isr {
    double observed, expected, reference_rate; /* rate per person */
} hd_isr;

/* observed NAN: the sum of the counts. */
HD_MUST hd_code hd_isr_of(const hd_isr_stratum *strata, size_t n, double observed, hd_isr *out,
                          hd_err *err);

#endif
