/* truth.h - what the synthetic files say, counted while they are made: every indicator of
 * doc/methods.md by provider and month. Made from the rows as written (dirt included) by this
 * module alone; nothing of landing, derive or the engine is used, because those are tested against
 * it.
 *
 * Counting is safe from several threads and does not depend on their order: integers only.
 */
#ifndef HD_SYNTH_TRUTH_H
#define HD_SYNTH_TRUTH_H

#include "synth/layout.h"
#include "synth/world.h"

typedef struct hd_truth hd_truth;

/* One finished or unfinished episode, as much of it as spells need. */
typedef struct hd_episode {
    int unit; /* whose code is on the row */
    int32_t epistart, epiend, admidate, disdate, epiorder;
    hd_code8 epistat, epitype, classpat, admimeth, admisorc, disdest, dismeth, mainspef;
    bool has_person, has_cancer;
} hd_episode;

typedef struct hd_person_rows {
    bool seen[HD_N_DATASETS]; /* a row of this data set carries the person */
} hd_person_rows;

HD_MUST hd_truth *hd_truth_new(const hd_world *w, int first_year, int last_year);
void hd_truth_free(hd_truth *t);

void hd_truth_op(hd_truth *t, int unit, const hd_op_row *row);
void hd_truth_ae(hd_truth *t, int unit, const hd_ae_row *row);
void hd_truth_delivery(hd_truth *t, int unit, const hd_apc_row *row); /* when it is one */
hd_episode hd_truth_episode(int unit, const hd_apc_row *row);
/* All episodes of one person; sorts them. */
HD_MUST hd_code hd_truth_spells(hd_truth *t, hd_episode *episodes, size_t n, hd_err *err);

void hd_truth_row(hd_truth *t, hd_dataset dataset, int year, int dirt_kind /* -1: clean */);
void hd_truth_person(hd_truth *t, const hd_person_rows *rows);

uint64_t hd_truth_rows(const hd_truth *t, hd_dataset dataset, int year);
uint64_t hd_truth_dirty(const hd_truth *t);

/* indicators.csv, totals.csv, planted.csv into folder, which exists. */
HD_MUST hd_code hd_truth_write(const hd_truth *t, const char *folder, hd_err *err);

/* truth.c to spells.c */
typedef enum hd_measure {
    HD_EMERGENCY_CAESAREAN,
    HD_READMISSION_30,
    HD_READMISSION_28,
    HD_FOUR_HOURS,
    HD_AE_MEDIAN,
    HD_AE_P95,
    HD_AE_LEFT,
    HD_DNA_ADULTS,
    HD_DNA_CHILDREN,
    HD_FOLLOW_UP,
    HD_MEAN_ELECTIVE,
    HD_MEDIAN_ELECTIVE,
    HD_MEAN_EMERGENCY,
    HD_MEDIAN_EMERGENCY,
    HD_ZERO_DAYS,
    HD_DAY_CASES,
    HD_USUAL_RESIDENCE,
    HD_WEEKEND,
    HD_MORTALITY,
    HD_N_MEASURES
} hd_measure;

typedef enum hd_total {
    HD_TOTAL_PERSONS,
    HD_TOTAL_BIRTHS,
    HD_TOTAL_SPELLS,
    HD_TOTAL_CONTINUOUS,
    HD_TOTAL_DELIVERIES,
    HD_TOTAL_DEATHS,
    HD_N_TOTALS
} hd_total;

/* Add to the cell of a unit and the month of a date; outside the data years nothing happens. */
void hd_truth_add(hd_truth *t, int unit, int32_t date, hd_measure m, uint64_t numerator,
                  uint64_t denominator);
/* One value of the distribution behind a median or percentile. */
void hd_truth_value(hd_truth *t, int unit, int32_t date, hd_measure m, int32_t value);
void hd_truth_total(hd_truth *t, hd_total total);

#endif
