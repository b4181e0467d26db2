/* lay.h - the texts of one column of a batch as the words by which a memo looks for them (memo.h),
 * row after row.
 *
 * A row lies in the nearest cache when it has just been split, and its columns are judged long
 * after, each by itself. So what judging reads of most texts, all of it for those of up to fifteen
 * bytes, is laid out beside each other then.
 */
#ifndef HD_LANDING_LAY_H
#define HD_LANDING_LAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* n texts, one for each `pitch` places; second may be NULL. True when one of them has more than
 * eight bytes; of those that do not the second word is 0. */
bool hd_lay_out(const char *text, const uint32_t *places, size_t pitch, size_t n, uint64_t *first,
                uint64_t *second);
/* For tests: in no better form than this. */
typedef enum hd_lay_form { HD_LAY_EACH, HD_LAY_AVX2, HD_LAY_AVX512 } hd_lay_form;
bool hd_lay_out_with(const char *text, const uint32_t *places, size_t pitch, size_t n,
                     uint64_t *first, uint64_t *second, hd_lay_form best);

#endif
