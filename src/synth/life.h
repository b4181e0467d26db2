/* life.h - one synthetic person: who they are, what is planned, and the rows that come of it.
 *
 * A life is simulated alone, from its own random stream, so the order of people does not matter.
 * Only its chunk is written to. A failed allocation sticks in the chunk, and is looked at once, at
 * the end of it.
 */
#ifndef HD_SYNTH_LIFE_H
#define HD_SYNTH_LIFE_H

#include "synth/codes.h"
#include "synth/dirt.h"
#include "synth/truth.h"
#include "synth/world.h"

enum { HD_MAX_PLANS = 64, HD_MAX_BABIES = 4, HD_ROWS_PER_LIFE = 2048 };

/* Rows of one data set and year, one after the other. */
typedef struct hd_lines {
    char *bytes;
    size_t len, cap;
    size_t *starts;
    size_t n, starts_cap;
} hd_lines;

typedef struct hd_chunk {
    const struct hd_synth_options *options;
    const hd_world *world;
    const hd_layout *layouts;
    const hd_dirt *dirt;
    hd_truth *truth;
    int32_t first_day, last_day; /* of the data years */
    const char (*fyears)[5];     /* "1415" by year - first year */
    hd_lines *lines;             /* data set by data set, years inside */
    hd_episode *episodes;        /* of the life at hand */
    size_t n_episodes, cap_episodes;
    bool is_out_of_memory;
} hd_chunk;

typedef enum hd_plan_kind {
    HD_PLAN_ILLNESS,
    HD_PLAN_REFERRAL,
    HD_PLAN_APPOINTMENT,
    HD_PLAN_TREATMENT,
    HD_PLAN_READMISSION,
    HD_PLAN_DELIVERY,
    HD_PLAN_DIALYSIS,
    HD_PLAN_DEATH
} hd_plan_kind;

typedef struct hd_plan {
    int32_t date;
    hd_plan_kind kind;
    bool is_redraw; /* only draw the waiting time again: people grow older */
    int unit;       /* of appointment, treatment, readmission */
    size_t what;    /* clinic, treatment or illness */
    int visit;      /* of an appointment: 0 first; of a treatment: courses to come */
    int32_t since;  /* when it was asked for */
    bool is_urgent;
} hd_plan;

typedef struct hd_birth {
    int32_t date, discharged;
    int unit;
    bool is_female, is_still, is_early, is_at_home;
    int weight, weeks, n; /* n: babies of this delivery */
    hd_code8 delmeth;
} hd_birth;

typedef struct hd_life {
    hd_chunk *chunk;
    hd_rng r, dirt;
    uint64_t id, token[2];
    int32_t birth;
    bool is_female, is_dead;
    hd_code8 ethnos;
    const hd_place *place;
    const hd_practice *practice;
    int home; /* the acute unit nearby */
    double frailty;
    unsigned conditions;
    int32_t in_hospital_from, in_hospital_until, last_admission, last_regular, last_delivery;
    hd_plan plans[HD_MAX_PLANS];
    size_t n_plans;
    uint32_t n_keys[HD_N_DATASETS];
    hd_birth births[HD_MAX_BABIES];
    size_t n_births;
    hd_person_rows rows;
} hd_life;

/* life.c: a whole life, from the first day to the last, and those of the children born meanwhile.
 */
void hd_life_run(hd_chunk *k, uint64_t person);
double hd_life_age(const hd_life *l, int32_t date); /* years */
hd_age_group hd_life_age_group(const hd_life *l, int32_t date);
void hd_life_plan(hd_life *l, hd_plan plan); /* dropped when there are too many */
bool hd_life_is_in_hospital(const hd_life *l, int32_t date);
/* Winter against summer for emergencies, 1 on average. */
double hd_season(int32_t date);

/* row.c: keys, the common part, and the way out. */
int hd_row_year(const hd_life *l, int32_t date); /* data year, or -1 outside the data */
uint64_t hd_row_key(hd_life *l, hd_dataset dataset,
                    int year); /* the next; 0 when there are too many */
uint64_t hd_row_susrecid(const hd_life *l, hd_dataset dataset, uint32_t n);
void hd_row_common_of(hd_life *l, hd_row_common *c, int unit, int32_t date, int year);
/* Spoil some, format, count. */
void hd_row_write(hd_life *l, hd_dataset dataset, int year, int unit, void *row);

/* stay.c */
typedef struct hd_admission {
    int32_t date;
    int unit;
    hd_code8 admimeth, admisorc, epitype, intmanig;
    int classpat; /* 1, 2, 3, 5 */
    const char *mainspef, *tretspef, *diag, *also, *procedure, *second, *cause, *hrg;
    double mean_days, death; /* death: the chance */
    int32_t days;            /* HD_NONE: to be drawn */
    int32_t waited;          /* days, HD_NONE when not elective */
    bool is_waitlist, with_assessment_unit;
    uint64_t aekey;
    int n_transfers; /* that led here */
    const hd_birth *tail[HD_N_BABIES];
    int n_tail;
    hd_code8 delmeth_d, delonset, numbaby;
    int32_t delivered; /* the day, HD_DATE_NONE when it is no delivery */
    bool is_stillborn;
    int care_days; /* of a newborn in critical care */
} hd_admission;

typedef struct hd_discharge {
    int32_t date;
    uint64_t epikey; /* of the first episode; 0 when it is not in the data */
    bool is_dead;
} hd_discharge;

hd_admission hd_admission_of(int32_t date, int unit);
/* Admit, treat, transfer, discharge; plans what follows. */
hd_discharge hd_stay(hd_life *l, const hd_admission *a);
void hd_stay_regular(hd_life *l, int32_t date);

/* The episode that a critical care period belongs to. */
typedef struct hd_critical {
    uint64_t susrecid,
        other; /* other: of an episode that matches less well; 0 when there is none */
    int year, unit;
    int32_t from, until;
    bool has_person, died;
} hd_critical;

/* critical.c: a critical care period inside an episode; daily rows for a newborn. */
void hd_critical_adult(hd_life *l, const hd_critical *c);
void hd_critical_newborn(hd_life *l, const hd_critical *c, int days);

/* emergency.c */
void hd_emergency_visit(hd_life *l, const hd_plan *plan);
/* clinic.c */
void hd_clinic_referral(hd_life *l, int32_t date, size_t clinic, int unit, bool is_urgent);
size_t hd_clinic_find(const char *tretspef);
void hd_clinic_visit(hd_life *l, const hd_plan *plan);
void hd_clinic_treatment(hd_life *l, const hd_plan *plan);
/* maternity.c */
void hd_maternity_plan(hd_life *l, int32_t from);
void hd_maternity_delivery(hd_life *l, const hd_plan *plan);
void hd_maternity_birth(hd_life *baby, const hd_birth *b);

#endif
