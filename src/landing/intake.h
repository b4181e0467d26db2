/* intake.h - delivered files in, judged rows out: into a builder (load) or nowhere (check).
 *
 * One intake is one command: several files of one data set, read one after another. It counts
 * everything the quality report says (hd_quality) and, when it has a sink, appends the accepted
 * rows to the sink's builder. It publishes nothing; the caller asks hd_intake_verdict before it
 * does.
 *
 * Order of what happens to a row: opted-out people go first and leave no trace but a count; then
 * the fields are judged, the rules applied, and the row is kept or rejected. Errors name file, line
 * and column, never a value.
 */
#ifndef HD_LANDING_INTAKE_H
#define HD_LANDING_INTAKE_H

#include "base/intern.h"
#include "landing/rules.h"
#include "vault/vault.h"

typedef struct hd_intake hd_intake;

typedef struct hd_allowance { /* how many rows may be rejected */
    double share;             /* of the rows read, 0.001 for 0.1% */
    uint64_t rows;            /* used when share is 0 */
} hd_allowance;

typedef struct hd_intake_options {
    hd_allowance allowed;
    bool is_check;               /* go on to the end whatever is found */
    bool allows_identifiers;     /* leave out columns that hold identifiers instead of refusing */
    int part_year;               /* YYYYNN to assume, 0: none */
    const hd_intern *opt_outs;   /* normal ids of people to leave out, or NULL */
    const char *const *left_out; /* header names to leave out, lower case */
    size_t n_left_out;
} hd_intake_options;

/* Where accepted rows go. The builder's columns are those of hd_intake_columns. */
typedef struct hd_sink {
    const hd_vault *vault;
    hd_builder *builder;
    hd_persons *persons;
    /* Tables without a person field (critical care): the person of a row key, 0: unknown. */
    uint32_t (*person_of_key)(void *ctx, uint64_t key_hash);
    void *ctx;
    /* Called once a file, as soon as its year is known: may refuse it. */
    hd_code (*on_year)(void *ctx, const char *file, int data_year, int part_year, hd_err *err);
} hd_sink;

typedef struct hd_names {
    char **items;
    size_t n, cap;
} hd_names;

void hd_names_free(hd_names *n);

typedef struct hd_file_summary {
    char *name; /* base name */
    int data_year, part_year;
    uint64_t rows_read, rows_kept, rows_rejected, rows_opted_out;
    uint64_t content;  /* hash of the rows in their order, however the file is packed */
    uint64_t rows_seen; /* rows whose key, or without one whose bytes, an earlier row had */
    char digest[65];   /* SHA-256 of the bytes as delivered, hex */
    hd_names used;     /* header names that fields were read from */
    hd_names dropped;  /* identify a person: nothing of them was kept */
    hd_names repeated; /* known, and hold what other columns hold */
    hd_names unknown;  /* no definition names them: not kept */
    hd_names missing;  /* names of fields that the file does not have */
} hd_file_summary;

typedef struct hd_finding { /* a column that seems to hold identifiers */
    char *file, *column;
    const char *holds;
} hd_finding;

typedef struct hd_quality_cell { /* one provider and month */
    uint32_t provider;           /* number in hd_quality.providers */
    int32_t month;               /* hd_date_month_index, INT32_MIN: unknown */
    uint64_t rows;
    uint64_t counts[HD_MAX_KEY_FIELDS][5]; /* by hd_meaning */
} hd_quality_cell;

typedef struct hd_quality {
    const hd_table_def *table;
    const hd_rulebook *rules;
    size_t n_files;
    hd_file_summary *files;
    uint64_t rows_read, rows_kept, rows_rejected, rows_opted_out, rows_clean, rows_unlinked;
    uint64_t rule_rows[HD_N_RULES];
    bool *delivered;       /* by field position: some file had it */
    uint64_t (*counts)[5]; /* by field position and meaning; lists: elements */
    uint64_t *check_applies, *check_fails;
    hd_intern *providers;
    size_t n_cells;
    hd_quality_cell *cells;
    size_t n_findings;
    hd_finding *findings;
    bool keys_all_compared; /* false: too many rows to compare all keys */
} hd_quality;

/* Columns of the builder for a table; *out is freed by the caller with hd_free. Those that the
 * catalogue stores, in its order, then data_year and part_year unless they are fields already. */
HD_MUST hd_code hd_intake_columns(const hd_table_def *t, hd_column_spec **out, size_t *n,
                                  hd_err *err);

/* options and sink (NULL for a check) are borrowed until hd_intake_free. */
HD_MUST hd_code hd_intake_new(hd_intake **out, const hd_catalogue *c, const hd_table_def *t,
                              const hd_intake_options *options, const hd_sink *sink, hd_err *err);
void hd_intake_free(hd_intake *in); /* NULL is allowed */
/* Read one file to its end. Fails when the file as a whole is no good, and unless options.is_check
 * also as soon as more rows are rejected than allowed. */
HD_MUST hd_code hd_intake_file(hd_intake *in, const char *path, hd_err *err);
/* After the last file. */
void hd_intake_finish(hd_intake *in);
/* May what was read be loaded? HD_FORMAT: too many rejected rows (the first one is named).
 * HD_DENIED: a column holds identifiers. */
HD_MUST hd_code hd_intake_verdict(const hd_intake *in, hd_err *err);
const hd_quality *hd_intake_quality(const hd_intake *in);
/* Keys that order the rows of one person, for rows of a table as stored; caller frees with hd_free.
 * The same keys that new rows of the table get. */
HD_MUST hd_code hd_order_of_table(hd_table *stored, const hd_table_def *t, int64_t **out,
                                  hd_err *err);

/* YYYYNN in ..._YYYYNN.txt, 0 when the name has none. */
int hd_part_year_of_name(const char *name);
/* 201499 -> 201499, 0 when it is no PARTYEAR (NN is 01 to 13 or 99). */
int hd_part_year_read(const char *text, size_t len);

#endif
