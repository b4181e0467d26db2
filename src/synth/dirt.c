/* dirt.c - see dirt.h. */
#include "synth/dirt.h"
#include "base/alloc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const hd_dirt_names[HD_N_DIRT_KINDS] = {
    "sentinel_date", "unknown_code",  "null_word",      "padded_procedure",
    "odd_age",       "no_person",     "clock_sentinel", "number_notation",
    "blank_padding", "date_notation", "contradiction",
};
enum kind {
    SENTINEL_DATE,
    UNKNOWN_CODE,
    NULL_WORD,
    PADDED_PROCEDURE,
    ODD_AGE,
    NO_PERSON,
    CLOCK_SENTINEL,
    NUMBER_NOTATION,
    BLANK_PADDING,
    DATE_NOTATION,
    CONTRADICTION
};

enum action {
    SET,      /* the value becomes the text */
    UNKNOWN,  /* the value becomes unknown and is printed as the text */
    AS_FLOAT, /* 5 is printed 5.0 */
    PADDED,   /* blanks around the value */
    TRAILING, /* the text follows the value */
    COMPACT,  /* a date without dashes */
    NO_ZERO,  /* the leading zero is gone, as after a spreadsheet */
    MORE      /* 3 more than it is */
};

static const struct spoil {
    hd_dataset dataset;
    enum kind kind;
    const char *column;
    enum action action;
    const char *text;
    const char *also_unknown; /* or NULL */
} spoils[] = {
    {HD_APC, SENTINEL_DATE, "ADMIDATE", SET, "1800-01-01", NULL},
    {HD_APC, SENTINEL_DATE, "EPISTART", SET, "1801-01-01", NULL},
    {HD_APC, SENTINEL_DATE, "EPIEND", SET, "1801-01-01", NULL},
    {HD_APC, SENTINEL_DATE, "DISDATE", SET, "1600-01-01", NULL},
    {HD_APC, SENTINEL_DATE, "DISDATE", SET, "1582-10-15", NULL},
    {HD_APC, SENTINEL_DATE, "OPDATE_01", SET, "1801-01-01", NULL},
    {HD_APC, UNKNOWN_CODE, "ADMIMETH", SET, "99", NULL},
    {HD_APC, UNKNOWN_CODE, "ADMIMETH", SET, "7Q", NULL},
    {HD_APC, UNKNOWN_CODE, "ADMISORC", SET, "98", NULL},
    {HD_APC, UNKNOWN_CODE, "DISDEST", SET, "99", NULL},
    {HD_APC, UNKNOWN_CODE, "DISMETH", SET, "9", NULL},
    {HD_APC, UNKNOWN_CODE, "CLASSPAT", SET, "9", NULL},
    {HD_APC, UNKNOWN_CODE, "MAINSPEF", SET, "&", NULL},
    {HD_APC, UNKNOWN_CODE, "ETHNOS", SET, "a", NULL},
    {HD_APC, UNKNOWN_CODE, "DIAG_01", SET, "R69X8", NULL},
    {HD_APC, UNKNOWN_CODE, "SITETRET", SET, "89999", NULL},
    {HD_APC, NULL_WORD, "ADMIMETH", UNKNOWN, "NULL", NULL},
    {HD_APC, NULL_WORD, "ADMISORC", UNKNOWN, "Null", NULL},
    {HD_APC, NULL_WORD, "DISDEST", UNKNOWN, "NULL", NULL},
    {HD_APC, NULL_WORD, "DISDATE", UNKNOWN, "null", NULL},
    {HD_APC, NULL_WORD, "MAINSPEF", UNKNOWN, "NULL", NULL},
    {HD_APC, NULL_WORD, "DELMETH_D", UNKNOWN, "NULL", NULL},
    {HD_APC, NULL_WORD, "LSOA11", UNKNOWN, "NULL", NULL},
    {HD_APC, PADDED_PROCEDURE, "OPERTN_01", TRAILING, "   ", NULL},
    {HD_APC, PADDED_PROCEDURE, "OPERTN_01", UNKNOWN, "&\t ", NULL},
    {HD_APC, PADDED_PROCEDURE, "OPERTN_02", UNKNOWN, "-   ", NULL},
    {HD_APC, ODD_AGE, "STARTAGE", SET, "999", NULL},
    {HD_APC, ODD_AGE, "STARTAGE", UNKNOWN, "", NULL},
    {HD_APC, NO_PERSON, "TOKEN_PERSON_ID", UNKNOWN, "", NULL},
    {HD_APC, NUMBER_NOTATION, "EPIDUR", AS_FLOAT, "", NULL},
    {HD_APC, NUMBER_NOTATION, "STARTAGE", AS_FLOAT, "", NULL},
    {HD_APC, NUMBER_NOTATION, "EPIORDER", AS_FLOAT, "", NULL},
    {HD_APC, BLANK_PADDING, "DISDEST", PADDED, "", NULL},
    {HD_APC, BLANK_PADDING, "ADMIMETH", PADDED, "", NULL},
    {HD_APC, DATE_NOTATION, "EPIEND", COMPACT, "", NULL},
    {HD_APC, DATE_NOTATION, "DISDATE", COMPACT, "", NULL},
    {HD_APC, DATE_NOTATION, "ADMIDATE", TRAILING, " 00:00:00", NULL},
    {HD_APC, DATE_NOTATION, "MYDOB", NO_ZERO, "", NULL},
    {HD_APC, CONTRADICTION, "EPIDUR", MORE, "", NULL},
    {HD_APC, CONTRADICTION, "SEX", SET, "1", NULL},
    {HD_OP, SENTINEL_DATE, "APPTDATE", SET, "1800-01-01", NULL},
    {HD_OP, SENTINEL_DATE, "REQDATE", SET, "1801-01-01", NULL},
    {HD_OP, SENTINEL_DATE, "DNADATE", SET, "1800-01-01", NULL},
    {HD_OP, UNKNOWN_CODE, "ATTENDED", SET, "9", NULL},
    {HD_OP, UNKNOWN_CODE, "FIRSTATT", SET, "X", NULL},
    {HD_OP, UNKNOWN_CODE, "ADMINCAT", SET, "99", NULL},
    {HD_OP, UNKNOWN_CODE, "TRETSPEF", SET, "&", NULL},
    {HD_OP, UNKNOWN_CODE, "REFSOURC", SET, "99", NULL},
    {HD_OP, NULL_WORD, "ATTENDED", UNKNOWN, "NULL", NULL},
    {HD_OP, NULL_WORD, "TRETSPEF", UNKNOWN, "null", NULL},
    {HD_OP, NULL_WORD, "APPTAGE", UNKNOWN, "NULL", NULL},
    {HD_OP, PADDED_PROCEDURE, "OPERTN_01", TRAILING, "   ", NULL},
    {HD_OP, PADDED_PROCEDURE, "OPERTN_01", UNKNOWN, "&\t ", NULL},
    {HD_OP, ODD_AGE, "APPTAGE", SET, "999", NULL},
    {HD_OP, ODD_AGE, "APPTAGE", UNKNOWN, "", NULL},
    {HD_OP, NO_PERSON, "TOKEN_PERSON_ID", UNKNOWN, "", NULL},
    {HD_OP, NUMBER_NOTATION, "APPTAGE", AS_FLOAT, "", NULL},
    {HD_OP, NUMBER_NOTATION, "WAITING", AS_FLOAT, "", NULL},
    {HD_OP, BLANK_PADDING, "ATTENDED", PADDED, "", NULL},
    {HD_OP, BLANK_PADDING, "TRETSPEF", PADDED, "", NULL},
    {HD_OP, DATE_NOTATION, "APPTDATE", COMPACT, "", NULL},
    {HD_OP, DATE_NOTATION, "MYDOB", NO_ZERO, "", NULL},
    {HD_AE, SENTINEL_DATE, "ARRIVALDATE", SET, "1800-01-01", NULL},
    {HD_AE, UNKNOWN_CODE, "AEDEPTTYPE", SET, "99", NULL},
    {HD_AE, UNKNOWN_CODE, "AEATTENDCAT", SET, "9", NULL},
    {HD_AE, UNKNOWN_CODE, "AEATTENDDISP", SET, "99", NULL},
    {HD_AE, UNKNOWN_CODE, "AEARRIVALMODE", SET, "9", NULL},
    {HD_AE, NULL_WORD, "DEPDUR", UNKNOWN, "NULL", NULL},
    {HD_AE, NULL_WORD, "AEATTENDDISP", UNKNOWN, "Null", NULL},
    {HD_AE, ODD_AGE, "ARRIVALAGE", SET, "999", NULL},
    {HD_AE, ODD_AGE, "ARRIVALAGE", UNKNOWN, "", NULL},
    {HD_AE, NO_PERSON, "TOKEN_PERSON_ID", UNKNOWN, "", NULL},
    {HD_AE, CLOCK_SENTINEL, "DEPTIME", SET, "-4000", "DEPDUR"},
    {HD_AE, CLOCK_SENTINEL, "CONCLTIME", SET, "-4000", "CONCLDUR"},
    {HD_AE, CLOCK_SENTINEL, "INITTIME", SET, "-3000", "INITDUR"},
    {HD_AE, CLOCK_SENTINEL, "DEPTIME", SET, "-3000", "DEPDUR"},
    {HD_AE, NUMBER_NOTATION, "DEPDUR", AS_FLOAT, "", NULL},
    {HD_AE, NUMBER_NOTATION, "ARRIVALAGE", AS_FLOAT, "", NULL},
    {HD_AE, BLANK_PADDING, "AEATTENDDISP", PADDED, "", NULL},
    {HD_AE, BLANK_PADDING, "AEDEPTTYPE", PADDED, "", NULL},
    {HD_AE, DATE_NOTATION, "ARRIVALDATE", COMPACT, "", NULL},
    {HD_AE, DATE_NOTATION, "ARRIVALDATE", TRAILING, " 00:00:00", NULL},
    {HD_CC, SENTINEL_DATE, "CCDISDATE", SET, "1800-01-01", NULL},
    {HD_CC, UNKNOWN_CODE, "CCLEV2DAYS", SET, "999", NULL},
    {HD_CC, UNKNOWN_CODE, "ACARDSUPDAYS", SET, "998", NULL},
    {HD_CC, NULL_WORD, "CCLEV3DAYS", UNKNOWN, "NULL", NULL},
    {HD_CC, NUMBER_NOTATION, "BESTMATCH", AS_FLOAT, "", NULL},
    {HD_CC, BLANK_PADDING, "CCUNITFUN", PADDED, "", NULL},
    {HD_ECDS, SENTINEL_DATE, "DEPARTURE_DATE", SET, "1800-01-01", NULL},
    {HD_ECDS, UNKNOWN_CODE, "ATTENDANCE_CATEGORY", SET, "9", NULL},
    {HD_ECDS, NULL_WORD, "DEPARTURE_TIME_SINCE_ARRIVAL", UNKNOWN, "NULL", NULL},
    {HD_ECDS, ODD_AGE, "AGE_AT_ARRIVAL", UNKNOWN, "", NULL},
    {HD_ECDS, NO_PERSON, "TOKEN_PERSON_ID", UNKNOWN, "", NULL},
    {HD_ECDS, NUMBER_NOTATION, "DEPARTURE_TIME_SINCE_ARRIVAL", AS_FLOAT, "", NULL},
    {HD_ECDS, BLANK_PADDING, "DEPARTMENT_TYPE", PADDED, "", NULL},
    {HD_ECDS, DATE_NOTATION, "ARRIVAL_DATE", COMPACT, "", NULL},
};
enum { N_SPOILS = sizeof spoils / sizeof *spoils };

struct hd_dirt {
    const hd_layout *layouts;
    size_t first[HD_N_DATASETS], n[HD_N_DATASETS]; /* a data set's part of spoils */
    int column[N_SPOILS], also[N_SPOILS];
};

hd_dirt *hd_dirt_new(const hd_layout layouts[HD_N_DATASETS])
{
    hd_dirt *d = hd_calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->layouts = layouts;
    for (size_t i = 0; i < N_SPOILS; i++) {
        hd_dataset s = spoils[i].dataset;
        if (d->n[s]++ == 0)
            d->first[s] = i;
        d->column[i] = hd_layout_column(&layouts[s], spoils[i].column);
        HD_ALWAYS(d->column[i] >= 0);
        if (spoils[i].also_unknown)
            d->also[i] = hd_layout_column(&layouts[s], spoils[i].also_unknown);
    }
    return d;
}

void hd_dirt_free(hd_dirt *d)
{
    hd_free(d);
}

/* One error; false when it cannot be made on this value. */
static bool spoil(const hd_layout *l, const struct spoil *s, int column, void *row, hd_spot *spot)
{
    char value[64];
    hd_layout_get(l, column, row, value);
    if (value[0] == '\0' || strcmp(value, s->text) == 0)
        return false;
    switch (s->action) {
    case SET:
        hd_layout_set(l, column, row, s->text);
        return true;
    case MORE:
        snprintf(value, sizeof value, "%ld", strtol(value, NULL, 10) + 3);
        hd_layout_set(l, column, row, value);
        return true;
    case UNKNOWN:
        hd_layout_set(l, column, row, "");
        snprintf(spot->text, sizeof spot->text, "%s", s->text);
        break;
    case AS_FLOAT:
        snprintf(spot->text, sizeof spot->text, "%.40s.0", value);
        break;
    case PADDED:
        snprintf(spot->text, sizeof spot->text, " %.40s ", value);
        break;
    case TRAILING:
        snprintf(spot->text, sizeof spot->text, "%.30s%s", value, s->text);
        break;
    case COMPACT:
        snprintf(spot->text, sizeof spot->text, "%.4s%.2s%.2s", value, value + 5, value + 8);
        break;
    case NO_ZERO:
        if (value[0] != '0')
            return false;
        snprintf(spot->text, sizeof spot->text, "%.40s", value + 1);
        break;
    }
    spot->column = column;
    return true;
}

int hd_dirt_apply(const hd_dirt *d, hd_dataset dataset, void *row, hd_spot *spot, hd_rng *r)
{
    const hd_layout *l = &d->layouts[dataset];
    size_t start = hd_rng_below(r, (uint32_t)d->n[dataset]);
    for (size_t k = 0; k < d->n[dataset]; k++) {
        size_t i = d->first[dataset] + (start + k) % d->n[dataset];
        if (!spoil(l, &spoils[i], d->column[i], row, spot))
            continue;
        if (spoils[i].also_unknown)
            hd_layout_set(l, d->also[i], row, "");
        return (int)spoils[i].kind;
    }
    hd_broken(__FILE__, __LINE__, "every row has a column that can be spoilt");
}
