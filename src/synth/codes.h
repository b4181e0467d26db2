/* codes.h - what people fall ill with and how it is coded. Real ICD-10, OPCS-4, treatment function,
 * HRG and SNOMED codes; the shares and means are plausible, not measured. */
#ifndef HD_SYNTH_CODES_H
#define HD_SYNTH_CODES_H

#include <stddef.h>

/* Age groups of the tables. */
typedef enum hd_age_group {
    HD_AGE_INFANT, /* under 1 */
    HD_AGE_CHILD,  /* 1 to 17 */
    HD_AGE_YOUNG,  /* 18 to 44 */
    HD_AGE_MIDDLE, /* 45 to 64 */
    HD_AGE_OLD,    /* 65 and over */
    HD_N_AGE_GROUPS
} hd_age_group;

enum {
    HD_HAS_DIABETES = 1,
    HD_HAS_COPD = 2,
    HD_HAS_HEART = 4,
    HD_HAS_KIDNEY = 8,
    HD_HAS_DEMENTIA = 16,
    HD_HAS_CANCER = 32,
    HD_HAS_MENTAL = 64,
    HD_HAS_ASTHMA = 128,
    HD_HAS_PRESSURE = 256,
    HD_HAS_DIALYSIS = 512,
    HD_N_CONDITIONS = 10
};

/* No table is longer. */
enum { HD_MAX_CHOICES = 64 };

/* An acute illness that can need a hospital bed. */
typedef struct hd_illness {
    const char *diag, *specialty, *hrg;
    const char *procedure; /* or "" */
    const char *cause;     /* external cause, or "" */
    double mean_days;
    double death; /* chance at 75 */
    double weight[HD_N_AGE_GROUPS];
    unsigned condition; /* those who have it fall ill of it more */
    const char *ae_diag;
    const char *snomed, *complaint;
} hd_illness;
extern const hd_illness hd_illnesses[];
extern const size_t hd_n_illnesses;

/* What brings people to A&E and lets them go home again. */
typedef struct hd_ailment {
    const char *ae_diag, *snomed, *complaint, *hrg;
    double weight[HD_N_AGE_GROUPS];
} hd_ailment;
extern const hd_ailment hd_ailments[];
extern const size_t hd_n_ailments;

/* A planned treatment. */
typedef struct hd_treatment {
    const char *specialty, *diag, *procedure, *second, *hrg;
    double day_case, mean_days;
    double weight;
} hd_treatment;
extern const hd_treatment hd_treatments[];
extern const size_t hd_n_treatments;

/* An outpatient clinic. */
typedef struct hd_clinic {
    const char *mainspef, *tretspef;
    double weight[HD_N_AGE_GROUPS];
    double goes_on;   /* chance of one more follow-up after each attendance */
    double treatment; /* chance that a treatment of this specialty is planned */
    const char *procedure;
} hd_clinic;
extern const hd_clinic hd_clinics[];
extern const size_t hd_n_clinics;

typedef struct hd_condition {
    const char *diag;
    double share[HD_N_AGE_GROUPS];
    double deprivation; /* how much likelier in the most deprived tenth, as a factor */
} hd_condition;
extern const hd_condition hd_conditions[HD_N_CONDITIONS];

extern const char *const hd_imd_deciles[10];

#endif
