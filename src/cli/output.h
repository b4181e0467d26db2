/* output.h - the options of every command that shows figures, and the one way out for them. */
#ifndef HD_CLI_OUTPUT_H
#define HD_CLI_OUTPUT_H

#include "cli/command.h"
#include "disclosure/release.h"
#include "vault/vault.h"

typedef struct hd_output_options {
    const char *format;     /* table, csv, json, xlsx or ods; NULL: table */
    const char *out;        /* file; NULL: standard output */
    const char *provenance; /* file; NULL: none */
    const char *policy;     /* as given; NULL: not given */
    const char *purpose;
    const char *agreement; /* under which is asked; NULL: none named */
    bool with_small_numbers, footer;
} hd_output_options;

/* Rows for a command's option table: HD_OUTPUT_OPTIONS(o) with o an hd_output_options. */
#define HD_OUTPUT_OPTIONS(o)                                                                       \
    {"format", &(o).format, NULL}, {"out", &(o).out, NULL}, {"provenance", &(o).provenance, NULL}, \
        {"footer", NULL, &(o).footer}, {"agreement", &(o).agreement, NULL},                                                 \
        {"policy", &(o).policy, NULL}, {"purpose", &(o).purpose, NULL},                            \
    {                                                                                              \
        "with-small-numbers", NULL, &(o).with_small_numbers                                        \
    }

/* The same as lines for a command's help. */
#define HD_OUTPUT_HELP                                                                             \
    "  --format NAME             table, csv, json, xlsx or ods (table)\n"                          \
    "  --out FILE                write them to a file, whole or not at all\n"                      \
    "  --provenance FILE         write policy, data version and question to a JSON file; CSV and\n" \
    "                            JSON in a file have one beside them: FILE.provenance.json\n"       \
    "  --footer                  say the same below CSV, in lines that begin with #\n"             \
    "  --policy NAME             disclosure policy, a file of catalogue/policies (hes2018)\n"      \
    "  --agreement NAME          the agreement under which you ask; enters the ledger of releases\n"  \
    "  --with-small-numbers      true counts; needs --purpose, enters the list of assets\n"        \
    "  --purpose TEXT            what true counts are needed for\n"

/* Exit status: HD_EXIT_USAGE with a line on standard error when the options make no sense. */
int hd_output_check(const hd_command *c, const hd_output_options *o);
/* The policy that the options ask for: the one named, none with small numbers, else hes2018. */
const char *hd_output_policy(const hd_output_options *o);

/* Show a release: true counts are recorded as an asset first, then the provenance file, the
 * figures, and the legend on standard error. CSV and JSON have no place for policy and certificate
 * that every reader of such files would pass over: where they become a file, the provenance stands
 * beside it, OUT.provenance.json, if no other place is named for it. Text tables and spreadsheets
 * hold the legend themselves. */
HD_MUST hd_code hd_output_release(const hd_output_options *o, hd_vault *v, const hd_release *r,
                                  hd_err *err);
/* The same for text that was made from a release (a page); r gives policy and legend. --format does
 * not apply. tag: as given by hd_output_record, NULL without true counts. */
HD_MUST hd_code hd_output_text(const hd_output_options *o, const hd_release *r, const char *tag,
                               const char *bytes, size_t len, hd_err *err);
/* Record an output with true counts, before it is made; tag is empty without true counts. */
HD_MUST hd_code hd_output_record(const hd_output_options *o, hd_vault *v, const hd_release *r,
                                 char tag[32], hd_err *err);

#endif
