/* mortality.h - expected deaths from case mix: one logistic model per diagnosis group, fitted on
 * counts by covariate pattern, as the summary hospital-level mortality indicator does it
 * (doc/methods.md).
 *
 * Spells come as small category numbers, so that 25 million of them take one pass to count and the
 * fits see some thousand patterns each.
 */
#ifndef HD_STATISTICS_MORTALITY_H
#define HD_STATISTICS_MORTALITY_H

#include "base/err.h"

typedef enum hd_covariate {
    HD_COVARIATE_AGE,      /* 0 under 1, 1 1-4, 2 5-9, ... 19 90 and over, 20 unknown */
    HD_COVARIATE_SEX,      /* 0 male, 1 female, 2 other and unknown */
    HD_COVARIATE_METHOD,   /* 0 elective, 1 unknown, 2 non-elective */
    HD_COVARIATE_MONTH,    /* 0 January .. 11 December, of admission */
    HD_COVARIATE_CHARLSON, /* 0: score 0, 1: 1-5, 2: over 5 */
    HD_COVARIATE_WEIGHT, /* of birth: 0 none, 1 <1000, 2 1000-2499, 3 2500-4499, 4 4500 and over */
    HD_COVARIATE_YEAR,   /* 0 the latest */
    HD_COVARIATES
} hd_covariate;

extern const unsigned hd_covariate_levels[HD_COVARIATES];
extern const char *const hd_covariate_names[HD_COVARIATES];

unsigned
hd_age_level(double age); /* completed years; 7001 to 7007 are 0; NAN or over 120 unknown */
unsigned hd_sex_level(const char *sex); /* HES: 1, 2 */
unsigned hd_method_level(const char *admimeth);
unsigned hd_charlson_level(double score);
unsigned hd_weight_level(double grams); /* NAN: 0 */

typedef struct hd_spells {
    size_t n;
    const uint16_t *group;                   /* below n_groups */
    const uint8_t *covariate[HD_COVARIATES]; /* each below its number of levels */
    const uint8_t *died;                     /* 0 or 1 */
} hd_spells;

typedef struct hd_mortality_group {
    double spells, deaths, expected;
    double c_statistic;
    size_t patterns, coefficients;
    int iterations;
    bool converged;
} hd_mortality_group;

typedef struct hd_mortality hd_mortality;

/* Fit all groups. A level of a covariate in which nobody or everybody died within a group is merged
 * with its neighbour (months with their quarter); a covariate that is left with one level leaves
 * the model. */
HD_MUST hd_code hd_mortality_fit(const hd_spells *spells, unsigned n_groups, hd_mortality **out,
                                 hd_err *err);
void hd_mortality_free(hd_mortality *m);
const hd_mortality_group *hd_mortality_groups(const hd_mortality *m);
/* Probability of death of spell i. */
double hd_mortality_risk(const hd_mortality *m, const hd_spells *spells, size_t i);

#endif
