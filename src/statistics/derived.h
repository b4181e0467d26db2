/* derived.h - small derived fields that every table needs and every tool does a little differently:
 * completed age, age bands, postcodes in seven characters, rounding of halves away from zero; and
 * the waiting-list formulae. */
#ifndef HD_STATISTICS_DERIVED_H
#define HD_STATISTICS_DERIVED_H

#include "base/err.h"

/* Completed months from one day to a later one; -1 when end is before start. Someone born on 29
 * February completes a year on 1 March of a common year. */
int hd_months_between(int32_t start, int32_t end);

/* "0-4", "5-9", ... "90+": bands of `by` years from `from`, the last one open at or below `to`.
 * Empty for an age below `from`. */
HD_MUST hd_code hd_age_band(int age, int from, int to, int by, char out[32], hd_err *err);

/* Seven characters: outward code, blanks, inward code. False (and "") when the text is not in the
 * form of a British postcode; white space and case do not matter. */
bool hd_postcode7(const char *text, char out[8]);

/* Rounded to significant digits (1..15), halves away from zero, by the decimal digits of v. */
double hd_round_significant(double v, int digits);

/* Waiting lists; per week, waits in weeks. */
double hd_queue_load(double demand, double capacity);
double hd_queue_relief_capacity(double demand, double queue, double target_queue, double weeks);
double hd_queue_target_capacity(double demand, double target_wait, double factor, double cv_demand,
                                double cv_capacity);
double hd_queue_target_mean_wait(double target_wait, double factor);
double hd_queue_target_size(double demand, double target_wait, double factor);
double hd_queue_pressure(double mean_wait, double target_wait);

#endif
