/* naive_spells.h - doc/methods.md "Provider spells", "Continuous spells", "Deliveries" once more,
 * in the plainest way: strings, bubble sorts, no shared code with src/derive. Slow and easy to
 * read; the tests compare the two on random people.
 */
#ifndef NAIVE_SPELLS_H
#define NAIVE_SPELLS_H

#include <stdbool.h>

enum { NAIVE_NONE = -1000000, NAIVE_MAX = 64, NAIVE_LIST = 4 };

/* One row as delivered. "" is NULL. Dates are days; NAIVE_NONE when not a real date. */
typedef struct naive_row {
    char epistat[8], epitype[8], classpat[8], admimeth[8], admisorc[8], disdest[8], dismeth[8];
    char procode3[8], mainspef[8], sex[8], delmeth_d[8], numbaby[8], numtailb[8];
    char diagnosis[NAIVE_LIST][8], operation[NAIVE_LIST][8], delmeth[NAIVE_LIST][8];
    int epistart, epiend, admidate, disdate;
    int epiorder, startage, antedur, postdur; /* NAIVE_NONE: NULL */
} naive_row;

typedef struct naive_spell {
    int rows[NAIVE_MAX], n_rows; /* positions of its episodes, in order */
    int n_provider_spells;
    int admidate, end;
    bool is_finished;
    int length_of_stay; /* NAIVE_NONE: NULL */
    int next;           /* days_to_next_emergency_admission; NAIVE_NONE: NULL */
    bool has_cancer, is_maternity, is_mental_health;
} naive_spell;

typedef struct naive_delivery {
    int row;
    const char *method; /* "" for NULL */
    int n_babies;       /* NAIVE_NONE: NULL */
} naive_delivery;

/* Of the n rows of one person (at most NAIVE_MAX), in order of arrival; the number found. */
int naive_spells(const naive_row *rows, int n, naive_spell *out);
int naive_stays(const naive_row *rows, int n, char variant, naive_spell *out);
int naive_deliveries(const naive_row *rows, int n, naive_delivery *out);

#endif
