/* date.h - calendar days as int32 counted from 1970-01-01 (proleptic Gregorian); no time zones,
 * no locale. Activity data has dates only, so nothing here can shift with the clock of a machine.
 */
#ifndef HD_BASE_DATE_H
#define HD_BASE_DATE_H

#include "base/err.h"

#define HD_DATE_NONE INT32_MIN

int32_t hd_date_from_ymd(int year, int month, int day); /* HD_DATE_NONE when no such day */
void hd_date_to_ymd(int32_t date, int *year, int *month, int *day);
int hd_date_weekday(int32_t date);           /* 0 Monday .. 6 Sunday */
int hd_date_month_index(int32_t date);       /* year * 12 + month - 1 */
int hd_date_financial_year(int32_t date);    /* 2014 for April 2014 to March 2015 */
int32_t hd_date_month_start(int month_index);
void hd_date_format(int32_t date, char out[11]); /* YYYY-MM-DD, NUL-terminated */

/* Read YYYY-MM-DD, YYYYMMDD, YYYY/MM/DD or DD/MM/YYYY, each optionally followed by a clock time
 * that is ignored. HD_DATE_NONE when the text is anything else or names no real day. */
int32_t hd_date_parse(const char *text, size_t len);

#endif
