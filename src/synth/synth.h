/* synth.h - synthetic national files: a population that lives, falls ill and is treated, written in
 * the layouts of HES APC, OP, A&E, critical care and ECDS, with the truth beside them.
 *
 * Same people, years, seed, dirty share and organisations give the same bytes on any number of
 * threads. Memory does not grow with people: they are simulated in chunks that are written in
 * order. Nobody in these files exists, and no organisation either (catalogue/organisations/).
 */
#ifndef HD_SYNTH_SYNTH_H
#define HD_SYNTH_SYNTH_H

#include "base/err.h"

enum {
    HD_SYNTH_FIRST_YEAR = 2013, /* since then LSOA11 is filled and the codes used here are valid */
    HD_SYNTH_LAST_YEAR = 2023,
    HD_SYNTH_MAX_PEOPLE = 80000000
};

typedef struct hd_synth_options {
    uint64_t people;           /* alive at the start; births come on top */
    int first_year, last_year; /* financial years: 2014 is April 2014 to March 2015 */
    uint64_t seed;
    double dirty;       /* share of rows with one content error, 0 to 1 */
    const char *out;    /* folder for the files; made when it is not there */
    const char *folder; /* the organisation tables, catalogue/organisations */
} hd_synth_options;

typedef struct hd_synth_summary {
    uint64_t n_files, n_rows, n_bytes, n_dirty;
} hd_synth_summary;

/* Write every file and out/truth/. Files appear under their names only when all are complete; files
 * of the same name are replaced. HD_INVALID, HD_FORMAT (an organisations file), HD_IO, HD_NOMEM. */
HD_MUST hd_code hd_synth_write(const hd_synth_options *o, hd_synth_summary *summary, hd_err *err);

#endif
