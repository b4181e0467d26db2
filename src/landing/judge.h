/* judge.h - one raw text of one field: what value it stands for, and what kind of answer it is.
 *
 * The kinds are VODIM: valid, other, default, invalid, missing (hd_meaning). Notation is normalised
 * here and nowhere else (doc/landing.md lists the rules); sentinels keep their value and are only
 * classed. A text that does not fit the field's type is NULL and invalid.
 * Pure: the same text gives the same answer, so callers judge each different text once.
 */
#ifndef HD_LANDING_JUDGE_H
#define HD_LANDING_JUDGE_H

#include "base/value.h"
#include "catalogue/catalogue.h"

typedef struct hd_judge hd_judge;

typedef struct hd_judged {
    hd_value value; /* text borrows from the raw bytes or from scratch */
    hd_meaning meaning;
    bool is_misfit; /* text that the type cannot hold */
    char scratch[8];
} hd_judged;

/* For one field; year is the data year (2014 for 2014-15) that codes must be in use in, 0: any. */
HD_MUST hd_code hd_judge_new(hd_judge **out, const hd_field *field, int year, hd_err *err);
void hd_judge_free(hd_judge *j); /* NULL is allowed */
void hd_judge_text(const hd_judge *j, const char *raw, size_t len, hd_judged *out);

/* Blanks cut from both ends; false when nothing is left or the text says NULL. */
bool hd_trim(const char **bytes, size_t *len);
/* A row key or person id in one notation, so that the same id always hashes the same: blanks cut,
 * ".0" cut from numbers, zeros cut from the front of numbers, blanks and hyphens cut out of
 * NHS-number-shaped texts. False for NULL; *bytes may point into scratch afterwards. */
bool hd_normal_id(const char **bytes, size_t *len, char scratch[10]);
/* A day in any accepted notation (base/date.h, and 12FEB2008, 12-Feb-2008), or HD_DATE_NONE. */
int32_t hd_landing_date(const char *text, size_t len);
/* Minutes of the day of hhmm, hh:mm or hh:mm:ss; -1 when it is no such time. */
int hd_clock_minutes(const char *text, size_t len);

#endif
