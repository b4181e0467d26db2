/* period.c - see period.h. */
#include "cli/period.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Reads YYYY-MM at *at and moves on. */
static bool take_month(const char **at, int *out)
{
    const char *s = *at;
    for (int i = 0; i < 7; i++)
        if (i == 4 ? s[i] != '-' : !isdigit((unsigned char)s[i]))
            return false;
    int year = atoi(s), month = atoi(s + 5);
    if (year < 1900 || month < 1 || month > 12)
        return false;
    *out = year * 12 + month - 1;
    *at = s + 7;
    return true;
}

hd_code hd_period_parse(const char *text, int *first, int *last, hd_err *err)
{
    const char *at = text;
    bool ok = take_month(&at, first);
    *last = *first;
    if (ok && strncmp(at, "..", 2) == 0) {
        at += 2;
        ok = take_month(&at, last) && *last >= *first;
    }
    if (!ok || *at)
        return hd_fail(err, HD_INVALID,
                       "a period is a month such as 2015-10, or two with two dots "
                       "between them: 2015-04..2016-03");
    return HD_OK;
}
