/* comorbidity.h - comorbidity conditions and scores from ICD-10 codes. */
#ifndef HD_STATISTICS_COMORBIDITY_H
#define HD_STATISTICS_COMORBIDITY_H

#include "base/err.h"

enum { HD_COMORBIDITY_CONDITIONS = 32, HD_COMORBIDITY_WEIGHTS = 2 };

typedef enum hd_comorbidity_map {
    HD_COMORBIDITY_CHARLSON,   /* Quan 2005; weights charlson, quan2011 */
    HD_COMORBIDITY_ELIXHAUSER, /* Quan 2005; weights van-walraven, swiss */
    HD_COMORBIDITY_SHMI,       /* the summary hospital-level mortality indicator's own */
    HD_COMORBIDITY_RCS         /* Royal College of Surgeons (Armitage 2010): a count */
} hd_comorbidity_map;

typedef struct hd_comorbidity_condition {
    const char *name;
    const char *prefixes; /* codes and ranges: "I21 I22 I252", "I60-I69", "N032-N037" */
    int weights[HD_COMORBIDITY_WEIGHTS];
    const char *hidden_by; /* the severe form, or NULL */
} hd_comorbidity_condition;

typedef struct hd_comorbidity_definition {
    const char *name;
    const char *weights[HD_COMORBIDITY_WEIGHTS]; /* names; NULL: not there */
    const hd_comorbidity_condition *conditions;
    unsigned n;
    bool never_negative; /* a score below 0 is 0 */
} hd_comorbidity_definition;

const hd_comorbidity_definition *hd_comorbidity_define(hd_comorbidity_map map);

typedef struct hd_comorbidity hd_comorbidity;
HD_MUST hd_code hd_comorbidity_new(hd_comorbidity_map map, hd_comorbidity **out, hd_err *err);
void hd_comorbidity_free(hd_comorbidity *c);

/* Bit i set: the code belongs to condition i. Dots, blanks, case, dagger and asterisk do not
 * matter. */
uint32_t hd_comorbidity_flags(const hd_comorbidity *c, const char *code);
/* Without the plain form of a condition whose severe form is there. */
uint32_t hd_comorbidity_hierarchy(const hd_comorbidity *c, uint32_t flags);
unsigned hd_comorbidity_count(uint32_t flags);
int hd_comorbidity_score(const hd_comorbidity *c, uint32_t flags, unsigned weights);

#endif
