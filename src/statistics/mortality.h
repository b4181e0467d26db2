/* mortality.h - expected deaths from case mix: one logistic model per diagnosis group, fitted on
 * counts by covariate pattern, as the summary hospital-level mortality indicator does it
 * (doc/methods.md).
 *
 * A spell is counted in the cell of its combination of categories and then forgotten: memory grows
 * with the groups (0.3 MB each, 1.6 where birth weight counts), not with the spells.
 */
#ifndef HD_STATISTICS_MORTALITY_H
#define HD_STATISTICS_MORTALITY_H

#include "base/err.h"

typedef enum hd_covariate {
    HD_COVARIATE_AGE,      /* bands: under 1, 1-4, 5-9, ... 90 and over; 20 unknown */
    HD_COVARIATE_SEX,      /* 0 male, 1 female, 2 other and unknown */
    HD_COVARIATE_METHOD,   /* 0 elective, 1 unknown, 2 non-elective */
    HD_COVARIATE_MONTH,    /* 0 January .. 11 December, of admission */
    HD_COVARIATE_CHARLSON, /* bands of the score: 0, 1-5, over 5 */
    HD_COVARIATE_WEIGHT, /* of birth: 0 none, 1 <1000, 2 1000-2499, 3 2500-4499, 4 4500 and over */
    HD_COVARIATE_YEAR,   /* the year modulo 3 */
    HD_COVARIATES
} hd_covariate;

extern const unsigned hd_covariate_levels[HD_COVARIATES];
extern const char *const hd_covariate_names[HD_COVARIATES];

/* Bands of whole numbers by their first ones, ascending from 0. */
typedef struct hd_bands {
    unsigned n;
    unsigned from[20];
} hd_bands;
extern const hd_bands hd_age_bands, hd_charlson_bands;    /* those of the levels above */
unsigned hd_band_of(const hd_bands *bands, double value); /* what is below 0, or NAN: 0 */
void hd_band_name(const hd_bands *bands, unsigned band, char out[32]); /* 0, 1-4, 90+ */

/* Completed years; 7001 to 7007 are 0; NAN or over 120 unknown. */
unsigned hd_age_level(double age, const hd_bands *bands);
unsigned hd_sex_level(const char *sex); /* HES: 1, 2 */
unsigned hd_method_level(const char *admimeth);
unsigned hd_weight_level(double grams); /* NAN: 0 */

typedef struct hd_mortality_group {
    double spells, deaths, expected;
    double c_statistic;
    size_t patterns, coefficients;
    int iterations;
    bool converged;
} hd_mortality_group;

/* How a level of a covariate entered the model of a group. */
typedef struct hd_mortality_level {
    unsigned level;  /* HD_COVARIATE_YEAR: years before the latest */
    unsigned merged; /* the level that stands for it, itself when it was not merged */
    double spells, deaths;
    double estimate, se; /* 0 and NAN: the reference; both NAN: determined by other terms */
} hd_mortality_level;

typedef struct hd_mortality hd_mortality;

HD_MUST hd_mortality *hd_mortality_new(void); /* NULL when memory is out */
void hd_mortality_free(hd_mortality *m);
/* Add the next diagnosis group, at most 2000. */
HD_MUST hd_code hd_mortality_add_group(hd_mortality *m, bool birth_weight, hd_err *err);
/* The cell of a spell in such a group; each level is below its number of levels. */
uint32_t hd_mortality_cell(const uint8_t level[HD_COVARIATES], bool birth_weight);
/* A spell to count. */
typedef struct hd_mortality_spell {
    uint32_t cell;
    uint16_t group;
    bool died;
} hd_mortality_spell;

/* Count spells; several threads may. */
void hd_mortality_count(hd_mortality *m, const hd_mortality_spell *spells, size_t n);
/* Fit all groups; latest: the latest year. A level of a covariate in which nobody or everybody died
 * within a group is merged with its neighbour (months with their quarter); a covariate that is left
 * with one level leaves the model. */
HD_MUST hd_code hd_mortality_fit(hd_mortality *m, int latest, hd_err *err);
const hd_mortality_group *hd_mortality_groups(const hd_mortality *m);
/* Probability of death in a cell; NAN where no spell was counted. */
double hd_mortality_risk(const hd_mortality *m, unsigned group, uint32_t cell);
/* The intercept of a group, and the levels of a covariate that have spells; returns how many. */
hd_mortality_level hd_mortality_intercept(const hd_mortality *m, unsigned group);
unsigned hd_mortality_levels(const hd_mortality *m, unsigned group, hd_covariate covariate,
                             hd_mortality_level out[21]);

#endif
