/* spells.h - the episodes of one person to provider spells and continuous spells.
 *
 * Works on decoded episodes only; doc/methods.md gives the rules step by step and its numbering is
 * used below. Three arrays, each a run-length view of the one before:
 *
 *   episodes   sorted by provider, then in order inside it
 *   spells     episodes[first .. first+n), sorted for the continuous spells when those are wanted
 *   stays      spells[first .. first+n)
 *
 * The arrays are kept from person to person, so a pass over a table allocates next to nothing.
 */
#ifndef HD_DERIVE_SPELLS_H
#define HD_DERIVE_SPELLS_H

#include "base/date.h"
#include "base/err.h"

/* What is known of an episode besides its dates. */
enum {
    HD_EP_VALID = 1u << 0,     /* EPISTAT 3 */
    HD_EP_ENDED = 1u << 1,     /* DISMETH 1 to 7 */
    HD_EP_NOT_ENDED = 1u << 2, /* DISMETH 8 or 9 */
    HD_EP_OUT = 1u << 3,       /* transfer state: out, in */
    HD_EP_IN = 1u << 4,
    HD_EP_DISCHARGED_TO = 1u << 5, /* transfer evidence of the variant */
    HD_EP_ADMITTED_FROM = 1u << 6,
    HD_EP_ADMITTED_BY = 1u << 7,
    HD_EP_NOT_TO = 1u << 8, /* not_continued: the three parts */
    HD_EP_NOT_FROM = 1u << 9,
    HD_EP_NOT_BY = 1u << 10,
    HD_EP_LEFT_OUT = 1u << 11,
    HD_EP_ORDINARY = 1u << 12,
    HD_EP_EMERGENCY = 1u << 13,
    HD_EP_CANCER = 1u << 14,
    HD_EP_GENERAL = 1u << 15,   /* EPITYPE 1 */
    HD_EP_OBSTETRIC = 1u << 16, /* MAINSPEF of maternity */
    HD_EP_MENTAL = 1u << 17
};

typedef struct hd_episode {
    uint64_t row; /* of the source table: the order of arrival */
    int32_t epistart, epiend;
    int32_t admidate;  /* as in rule 1; HD_DATE_NONE when unknown */
    int32_t disdate;   /* DISDATE; HD_DATE_NONE when not a real date */
    int32_t epiorder;  /* INT32_MAX when NULL */
    uint32_t provider; /* code of PROCODE3 */
    uint32_t flags;    /* HD_EP_... */
} hd_episode;

typedef struct hd_spell {
    size_t first, n; /* in episodes (a spell) or in spells (a stay) */
    int32_t admidate;
    int32_t end;      /* disdate, or EPIEND of the last episode when unfinished */
    bool is_finished; /* else disdate and length_of_stay are NULL */
    int state;        /* spells: transfer state, in of the first and out of the last episode */
    int32_t epistart; /* spells: of the first episode */
    uint64_t row;     /* spells: of the first episode */
    size_t ordinary;  /* stays: number of the first ordinary stay from this one on, or n_stays */
} hd_spell;

typedef struct hd_person {
    hd_episode *episodes;
    size_t n_episodes, episodes_cap;
    hd_spell *spells;
    size_t n_spells, spells_cap;
    hd_spell *stays;
    size_t n_stays, stays_cap;
} hd_person;

void hd_person_free(hd_person *p);
/* Rules "Provider spells" 2 to 5 over p->episodes; sets p->spells, in order of their episodes'
 * provider. Episodes that rule 4 leaves out are removed from p->episodes. */
HD_MUST hd_code hd_person_spells(hd_person *p, hd_err *err);
/* Sort p->spells as continuous spells need them: rule "Continuous spells" 2. */
void hd_person_sort_spells(hd_person *p);
/* Rules "Continuous spells" 1 to 4, after hd_person_spells; sets p->stays in order. */
HD_MUST hd_code hd_person_stays(hd_person *p, int32_t max_gap_days, hd_err *err);
/* Rule "Continuous spells" 6 for stay number i: days, or HD_DATE_NONE. */
int32_t hd_person_next_emergency(const hd_person *p, size_t i);

/* First and last episode of a spell and of a stay. */
const hd_episode *hd_spell_first(const hd_person *p, const hd_spell *s);
const hd_episode *hd_spell_last(const hd_person *p, const hd_spell *s);
static inline const hd_episode *hd_stay_first(const hd_person *p, const hd_spell *stay)
{
    return hd_spell_first(p, &p->spells[stay->first]);
}
static inline const hd_episode *hd_stay_last(const hd_person *p, const hd_spell *stay)
{
    return hd_spell_last(p, &p->spells[stay->first + stay->n - 1]);
}

#endif
