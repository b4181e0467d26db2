/* world.h - where synthetic people live and who treats them, read from the organisation tables.
 * Read-only once it is open, so all threads share it. */
#ifndef HD_SYNTH_WORLD_H
#define HD_SYNTH_WORLD_H

#include "base/rng.h"
#include "synth/synth.h"

enum { HD_CODE_LEN = 8 };

typedef enum hd_unit_group {
    HD_UNIT_ACUTE,
    HD_UNIT_SPECIALIST,
    HD_UNIT_COMMUNITY,
    HD_UNIT_MENTAL_HEALTH,
    HD_N_UNIT_GROUPS
} hd_unit_group;

/* What a trust does differently: factors on a probability's odds, or on a mean. 1 is the average.
 */
typedef enum hd_effect {
    HD_EFFECT_READMISSION, /* odds of an emergency readmission within 30 days */
    HD_EFFECT_BREACH,      /* odds of staying longer than four hours in A&E */
    HD_EFFECT_LEFT,        /* odds of leaving A&E before treatment */
    HD_EFFECT_CAESAREAN,   /* odds of an emergency caesarean */
    HD_EFFECT_DNA,         /* odds of a missed appointment */
    HD_EFFECT_FOLLOW_UP,   /* odds of one more follow-up */
    HD_EFFECT_STAY_ELECTIVE,
    HD_EFFECT_STAY_EMERGENCY,
    HD_EFFECT_DAY_CASE,
    HD_EFFECT_HOME, /* odds of going back to the usual place */
    HD_EFFECT_WEEKEND,
    HD_EFFECT_DEATH,
    HD_N_EFFECTS
} hd_effect;

extern const char *const hd_effect_names[HD_N_EFFECTS];

typedef struct hd_unit {
    char code[HD_CODE_LEN];
    char procode5[HD_CODE_LEN];
    const char *type; /* PROTYPE */
    hd_unit_group group;
    const char *icb, *region;
    int32_t succeeded_on; /* HD_DATE_NONE when it goes on */
    int successor;        /* unit, or -1 */
    int final;            /* the unit that exists now; itself mostly */
    size_t first_site, n_sites;
    double effect[HD_N_EFFECTS];
    bool is_planted[HD_N_EFFECTS];
} hd_unit;

typedef struct hd_place {
    const char *code;
    int ccg;
    int32_t imd_rank, imd_decile, rural_urban;
} hd_place;

typedef struct hd_ccg {
    char code[HD_CODE_LEN];
    const char *icb, *region;
    size_t first_practice, n_practices; /* positions in practices */
    double *weights[HD_N_UNIT_GROUPS];  /* n_units each, running sums */
} hd_ccg;

typedef struct hd_practice {
    char code[HD_CODE_LEN];
    int ccg;
} hd_practice;

typedef struct hd_site {
    char code[HD_CODE_LEN];
    int unit;
} hd_site;

typedef struct hd_world {
    hd_unit *units;
    hd_site *sites; /* by unit */
    hd_ccg *ccgs;
    hd_practice *practices; /* by CCG */
    hd_place *places;
    size_t n_units, n_sites, n_ccgs, n_practices, n_places;
    struct hd_world_files *files_; /* backs the texts */
} hd_world;

HD_MUST hd_code hd_world_open(hd_world *w, const char *folder, uint64_t seed, hd_err *err);
void hd_world_close(hd_world *w);

/* A unit of the group for someone of this CCG: near ones mostly. */
int hd_world_choose(const hd_world *w, int ccg, hd_unit_group group, hd_rng *r);
/* The unit whose code stands on rows of that day. */
int hd_world_unit_on(const hd_world *w, int unit, int32_t date);

#endif
