/* identifiers.h - does a column hold what must never be stored: NHS numbers, full postcodes, full
 * dates of birth?
 *
 * Decided on different values, not on rows, and on a share over a minimum, because single values
 * prove nothing: one 10-digit number in eleven passes the NHS check by chance. doc/landing.md gives
 * the thresholds and what they cost. Nothing found here ever enters a message, only column names.
 */
#ifndef HD_LANDING_IDENTIFIERS_H
#define HD_LANDING_IDENTIFIERS_H

#include "base/err.h"

enum {                          /* what hd_identifier_shape found, as bits */
       HD_SHAPE_TEN_DIGITS = 1, /* a run of exactly ten digits */
       HD_SHAPE_NHS_NUMBER = 2, /* ... whose check digit is right */
       HD_SHAPE_POSTCODE = 4,   /* a whole postcode, with or without its space */
       HD_SHAPE_DATE = 8,       /* a whole date */
       HD_SHAPE_OLD_DATE = 16,  /* ... old enough to be a patient's birth rather than activity */
       HD_SHAPE_REAL_POSTCODE = 32 /* a postcode with its space, or of a real postcode area */
};

typedef struct hd_identifier_counts {
    uint64_t values; /* different values seen, empty ones left out */
    uint64_t ten_digits, nhs_numbers, postcodes, dates, old_dates;
} hd_identifier_counts;

bool hd_nhs_number_ok(const char *digits); /* 10 digits, modulus 11 */
/* year: data year, so that old dates can be told; 0 means none is old. */
unsigned hd_identifier_shape(const char *text, size_t len, int year);
void hd_identifier_note(hd_identifier_counts *c, unsigned shape);
/* 0 when nothing is wrong, else the shape that the column seems to be full of: NHS_NUMBER, POSTCODE
 * or OLD_DATE. Columns of type date hold dates by right: is_date leaves that test out. */
unsigned hd_identifier_verdict(const hd_identifier_counts *c, bool is_date);
const char *hd_identifier_name(unsigned shape); /* "NHS numbers" */

#endif
