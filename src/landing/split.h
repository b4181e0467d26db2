/* split.h - plain rows of delimited text, found many bytes at a time.
 *
 * Only rows without anything special are taken here: as many fields as the header, no quote (where
 * quotes have a meaning), nothing but ASCII, not long, not empty. At any other row it stops, and
 * delivery.c looks at that one in its own way; so what a special row means is said in one place.
 */
#ifndef HD_LANDING_SPLIT_H
#define HD_LANDING_SPLIT_H

#include "landing/delivery.h"

enum { HD_SPLIT_SLACK = 64 }; /* bytes behind the text that may be read */

typedef struct hd_split {
    const char *text; /* HD_SPLIT_SLACK more than `end` bytes */
    size_t at, end;   /* at: a row begins here; moved past the rows taken */
    char delimiter;
    bool has_quotes; /* a quote has a meaning */
    bool is_odd;     /* there may be bytes outside 1..127 */
    size_t width;
    uint32_t *places; /* as in hd_batch; HD_PLACES_SLACK more than max_rows need */
    uint64_t *lines;
    uint64_t line; /* of `at` */
    size_t n_rows, max_rows;
} hd_split;

void hd_split_plain(hd_split *s);
/* For tests: in no better form than this. */
typedef enum hd_split_form { HD_SPLIT_BYTES, HD_SPLIT_AVX2, HD_SPLIT_AVX512 } hd_split_form;
void hd_split_with(hd_split *s, hd_split_form best);
/* Any byte that is zero or has its high bit set. */
bool hd_has_odd_bytes(const char *p, size_t len);

#endif
