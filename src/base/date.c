/* date.c - see date.h. Day arithmetic after Howard Hinnant's published civil-date algorithms. */
#include "base/date.h"

#include <stdio.h>

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

int32_t hd_date_from_ymd(int year, int month, int day)
{
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 ||
        day > days_in_month(year, month))
        return HD_DATE_NONE;
    int y = month <= 2 ? year - 1 : year;
    int era = y / 400;
    int yoe = y - era * 400;
    int doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

void hd_date_to_ymd(int32_t date, int *year, int *month, int *day)
{
    int z = date + 719468;
    int era = (z >= 0 ? z : z - 146096) / 146097;
    int doe = z - era * 146097;
    int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int mp = (5 * doy + 2) / 153;
    *day = doy - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
    *year = yoe + era * 400 + (*month <= 2);
}

int hd_date_weekday(int32_t date)
{
    int w = (int)((date + 3) % 7);
    return w < 0 ? w + 7 : w;
}

int hd_date_month_index(int32_t date)
{
    int y, m, d;
    hd_date_to_ymd(date, &y, &m, &d);
    return y * 12 + m - 1;
}

int hd_date_financial_year(int32_t date)
{
    int y, m, d;
    hd_date_to_ymd(date, &y, &m, &d);
    return m >= 4 ? y : y - 1;
}

int32_t hd_date_month_start(int month_index)
{
    return hd_date_from_ymd(month_index / 12, month_index % 12 + 1, 1);
}

void hd_date_format(int32_t date, char out[11])
{
    int y, m, d;
    hd_date_to_ymd(date, &y, &m, &d);
    char text[40];
    snprintf(text, sizeof text, "%04d-%02d-%02d", y, m, d);
    for (int i = 0; i < 11; i++)
        out[i] = text[i];
    out[10] = '\0';
}

/* n decimal digits at s, or -1. */
static int digits(const char *s, int n)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        v = v * 10 + (s[i] - '0');
    }
    return v;
}

int32_t hd_date_parse(const char *s, size_t len)
{
    int y, m, d;
    size_t used = 10;
    if (len >= 10 && (s[4] == '-' || s[4] == '/') && s[7] == s[4]) {
        y = digits(s, 4), m = digits(s + 5, 2), d = digits(s + 8, 2);
    } else if (len >= 10 && s[2] == '/' && s[5] == '/') {
        d = digits(s, 2), m = digits(s + 3, 2), y = digits(s + 6, 4);
    } else if (len >= 8) {
        y = digits(s, 4), m = digits(s + 4, 2), d = digits(s + 6, 2);
        used = 8;
    } else {
        return HD_DATE_NONE;
    }
    if (len > used && s[used] != ' ' && s[used] != 'T')
        return HD_DATE_NONE;
    return y < 0 || m < 0 || d < 0 ? HD_DATE_NONE : hd_date_from_ymd(y, m, d);
}
