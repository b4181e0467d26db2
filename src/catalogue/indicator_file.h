/* indicator_file.h - indicators as they stand in catalogue/indicators/NAME.yaml, checked.
 *
 * An indicator is SQL in parts: the table, the date that says which month a row belongs to, which
 * rows count, and what is computed from them. doc/catalogue.md describes the keys.
 */
#ifndef HD_CATALOGUE_INDICATOR_FILE_H
#define HD_CATALOGUE_INDICATOR_FILE_H

#include "base/err.h"

typedef enum hd_method {
    HD_METHOD_PROPORTION,  /* rows of the numerator among those of the denominator */
    HD_METHOD_RATIO,       /* rows of the numerator for one row of the denominator */
    HD_METHOD_DAILY_RATIO, /* the same, each divided by the number of its days in the period */
    HD_METHOD_MEAN,        /* of value over the rows */
    HD_METHOD_QUANTILE
} hd_method;

typedef enum hd_bad_side { HD_BAD_NONE = 0, HD_BAD_HIGH = 1, HD_BAD_LOW = -1 } hd_bad_side;

typedef enum hd_unit { HD_UNIT_SHARE, HD_UNIT_RATIO, HD_UNIT_DAYS, HD_UNIT_MINUTES } hd_unit;

typedef enum hd_domain {
    HD_DOMAIN_RESPONSIVE,
    HD_DOMAIN_EFFECTIVE,
    HD_DOMAIN_SAFE,
    HD_DOMAIN_CARING,
    HD_DOMAIN_WELL_LED,
    HD_N_DOMAINS
} hd_domain;

typedef struct hd_indicator_file {
    const char *id, *title, *source;
    const char *note; /* "" when none */
    hd_domain domain;
    const char *table;
    const char *month;       /* a date field of the table */
    const char *where;       /* SQL condition: the rows it is about */
    const char *numerator;   /* SQL condition, within where; proportions and ratios */
    const char *denominator; /* SQL condition, within where; ratios */
    const char *value;       /* SQL expression; means and quantiles */
    const char *numerator_text, *denominator_text; /* in words, for people */
    hd_method method;
    double quantile;
    hd_bad_side bad;
    hd_unit unit;
    double target;               /* NAN: none */
    int64_t minimum_denominator; /* below it a unit is not ranked among its peers */
    int64_t follow_up_days;      /* data needed after the end of a month */
} hd_indicator_file;

typedef struct hd_indicator_files hd_indicator_files;

/* Every indicator of a catalogue folder, by name. */
HD_MUST hd_code hd_indicator_files_read(hd_indicator_files **out, const char *catalogue_folder,
                                        hd_err *err);
void hd_indicator_files_free(hd_indicator_files *f); /* NULL is allowed */
size_t hd_indicator_files_count(const hd_indicator_files *f);
const hd_indicator_file *hd_indicator_files_at(const hd_indicator_files *f, size_t i);
const hd_indicator_file *hd_indicator_files_find(const hd_indicator_files *f, const char *id);

const char *hd_domain_title(hd_domain d);    /* Responsive ... Well led */
const char *hd_method_name(hd_method m);     /* proportion, ratio, daily_ratio, mean, quantile */
const char *hd_method_interval(hd_method m); /* the interval that goes with it, in words */
const char *hd_bad_side_name(hd_bad_side b); /* high, low, none */
const char *hd_unit_name(hd_unit u);         /* share, ratio, days, minutes */

#endif
