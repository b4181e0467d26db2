/* landing_option.h - what `hdis check` and `hdis load` have in common: options, opt-outs, report.
 */
#ifndef HD_CLI_LANDING_OPTION_H
#define HD_CLI_LANDING_OPTION_H

#include "base/intern.h"
#include "cli/command.h"
#include "landing/intake.h"

typedef struct hd_landing_option {
    const char *allow_rejected, *part_year, *opt_outs, *report; /* as given */
    bool allow_identifiers, lists_fields;
    hd_intern *opt_out_ids;
} hd_landing_option;

#define HD_LANDING_OPTION_ROWS(o)                                                                  \
    {"allow-rejected", &(o).allow_rejected, NULL}, {"part-year", &(o).part_year, NULL},            \
        {"opt-outs", &(o).opt_outs, NULL}, {"report", &(o).report, NULL},                          \
        {"fields", NULL, &(o).lists_fields},                                                       \
    {                                                                                              \
        "allow-identifiers", NULL, &(o).allow_identifiers                                          \
    }
#define HD_LANDING_OPTION_HELP                                                                     \
    "  --part-year YYYYNN     the extract, for files that do not say it (99: final)\n"             \
    "  --opt-outs FILE        leave out these people: one id a line, or a CSV file's first "       \
    "column\n"                                                                                     \
    "  --allow-rejected N|P%  go on when at most N rows, or P% of them, must be rejected\n"        \
    "  --allow-identifiers    leave out columns that hold NHS numbers, postcodes or dates of\n"    \
    "                         birth, instead of refusing the file\n"                               \
    "  --fields               name the fields that a file does not have\n"                         \
    "  --report FILE          write the quality report: FILE ends in .csv, .html or .txt\n"

/* Read the options into `out`, which borrows from o. Returns HD_EXIT_OK, or prints one line and
 * returns the exit status. */
int hd_landing_option_read(const hd_command *c, hd_landing_option *o, hd_intake_options *out);
void hd_landing_option_free(hd_landing_option *o);
/* The table and its catalogue; HD_INVALID for a name that is not a landed table. */
HD_MUST hd_code hd_landing_table(const hd_catalogue *c, const char *name, const hd_table_def **out,
                                 hd_err *err);
/* Write the report that --report asks for, if any. */
HD_MUST hd_code hd_landing_report(const hd_landing_option *o, const hd_quality *q, hd_err *err);
/* Print the text of the report, or its summary, on standard output. */
HD_MUST hd_code hd_landing_print(const hd_landing_option *o, const hd_quality *q, bool whole,
                                 hd_err *err);

#endif
