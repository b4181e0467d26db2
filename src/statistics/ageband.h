/* ageband.h - the ages that the label of a band means: "5-9", "5 to 9", "90+", "85 and over", "<1",
 * "under 5". A label that is not understood is never guessed at. */
#ifndef HD_STATISTICS_AGEBAND_H
#define HD_STATISTICS_AGEBAND_H

#include <stdbool.h>
#include <stddef.h>

/* Completed years, first <= last; last is INT_MAX for an open band. bare: the label is one number,
 * which last then repeats; what it means depends on the labels beside it (hd_age_spans_close). */
typedef struct hd_age_span {
    int first, last;
    bool bare;
} hd_age_span;

/* False when the text is not the label of a band. Case and spaces do not matter, nor do "age",
 * "aged", "years" and "old". */
bool hd_age_span_of(const char *label, hd_age_span *out);

/* Give the bare numbers of a group their meaning: a single year of age where a label beside them
 * has a last age of its own (above 0: "<1" goes with either); else the first age of a band that
 * goes up to the next one, the last band being open. */
void hd_age_spans_close(hd_age_span *spans, size_t n);

#endif
