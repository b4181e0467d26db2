/* private.h - what the files of an intake share; nobody else includes it.
 *
 * A target is one field of the table together with the columns of the file at hand that it is read
 * from. Memory: one memo a target, one batch of cells, one stage of rows for the builder.
 */
#ifndef HD_LANDING_PRIVATE_H
#define HD_LANDING_PRIVATE_H

#include "crypto/digest.h"
#include "landing/identifiers.h"
#include "landing/intake.h"
#include "landing/judge.h"
#include "landing/memo.h"
#include "landing/delivery.h"

enum { HD_BATCH_ROWS = 512, HD_STAGE_ROWS = 16 * 1024, HD_SCAN_VALUES = 4096 };
enum { HD_ORDER_BITS = 63, HD_ORDER_FIELDS = 8 };

typedef struct hd_cell { /* one value of a watched field */
    int64_t number;      /* INT64_MIN: none */
    uint64_t conditions;
    const char *text; /* borrowed from the batch */
    uint32_t text_len;
    uint8_t meaning, flags;
} hd_cell;

typedef struct hd_target {
    struct hd_intake *in;
    const hd_field *field;
    int position;     /* in the table's fields */
    int out;          /* column of the builder, -1: not stored */
    size_t n_sources; /* 0: the file has no such column; lists: elements */
    int *sources;     /* columns of the file, -1: no such element */
    size_t preference;
    hd_judge *judge;
    hd_memo memo;
    bool has_memo, is_watched, is_left_out;
    uint64_t condition_bits; /* of the conditions on this field */
    hd_identifier_counts shapes;
    uint8_t *element_shapes; /* lists: shapes met, by element */
    hd_cell *cells;          /* HD_BATCH_ROWS, when watched */
    uint32_t *codes;         /* of the batch: rows, or rows * elements */
    uint32_t *lengths;       /* lists: elements of each row of the batch */
    uint64_t *keys;          /* keys of the batch */
} hd_target;

typedef struct hd_scan { /* a column of the file that is not kept, watched for identifiers */
    int source;
    bool is_nhs_number; /* identifying: compared with the opt-outs */
    hd_intern *texts;
    hd_identifier_counts shapes;
} hd_scan;

typedef struct hd_stage_column {
    uint32_t *codes, *counts;
    uint64_t *keys;
    size_t n_codes, cap_codes;
    bool is_there; /* the file has the column; else the arrays are not filled */
} hd_stage_column;

typedef struct hd_stage {
    size_t n_rows, n_columns;
    uint32_t *persons;
    int64_t *order;
    hd_stage_column *columns;
} hd_stage;

/* Row keys seen, with a hash of the whole row, open addressing; key 0 marks a free slot. */
typedef struct hd_seen {
    struct hd_seen_slot {
        uint64_t key, row;
    } * slots;
    size_t n_slots, n;
    bool is_full;
} hd_seen;

struct hd_intake {
    const hd_catalogue *catalogue;
    const hd_table_def *table;
    const hd_intake_options *options;
    const hd_sink *sink;
    hd_rulebook *rules;
    hd_quality quality;
    size_t cap_files, cap_findings, cap_cells;
    hd_intern *cell_keys;
    size_t n_targets;
    hd_target *targets; /* by position of stored, list, key and person fields */
    int *target_of;     /* by field position, -1 */
    int person, key;    /* targets, -1 */
    int link;           /* the key that gives the person (critical care), -1 */
    size_t n_order;
    int order[HD_ORDER_FIELDS];       /* targets */
    int provider, period;             /* targets, -1 */
    int data_year_out, part_year_out; /* builder columns */
    hd_stage stage;
    hd_seen seen;
    uint8_t hash_key[HD_HASH_KEY]; /* for row keys in a check; random */
    hd_digest digest;
    bool kept_identifiers; /* a finding is on a column whose values went to the sink */
    char first_defect[400]; /* the text for the verdict */
    /* the file at hand */
    const char *path, *name;
    hd_delivery *reader;
    hd_file_summary *file;
    hd_scan *scans;
    size_t n_scans;
    int year_source;   /* column that gives the year, -1 */
    bool year_is_part; /* it is PARTYEAR, else FYEAR */
    uint32_t year_code, part_code;
    /* the batch at hand: rows that are not opted out */
    size_t n_rows;
    uint32_t rows[HD_BATCH_ROWS]; /* position in the reader's batch */
    uint32_t persons[HD_BATCH_ROWS];
    uint64_t row_keys[HD_BATCH_ROWS];
    uint32_t broken[HD_BATCH_ROWS]; /* bits: content rules that the row breaks */
};

/* columns.c */
HD_MUST hd_code hd_columns_bind(struct hd_intake *in, hd_err *err); /* header to targets */
void hd_columns_release(struct hd_intake *in);                      /* after the file */
/* The column's name where it may be shown: unless it looks like a value. */
const char *hd_columns_name(const struct hd_intake *in, unsigned column, char *out, size_t size);
HD_MUST hd_code hd_names_add(hd_names *n, const char *name, hd_err *err);
/* dataset.c: HD_FORMAT when the file is of another data set */
HD_MUST hd_code hd_dataset_check(const struct hd_intake *in, hd_err *err);
/* values.c: the judges of the memos */
hd_code hd_value_judge(void *target, const char *raw, size_t len, hd_known *out, hd_err *err);
hd_code hd_person_judge(void *target, const char *raw, size_t len, hd_known *out, hd_err *err);
void hd_value_counted(void *target, const hd_memo *m);
/* Integer, day or clock minutes of a proper value, else INT64_MIN. */
int64_t hd_value_number(const hd_judged *j);
/* The key that orders the rows of one person: each order field takes its bits, as long as they
 * last; what is unknown, a sentinel or too large comes last. */
unsigned hd_order_bits(hd_type type);
int64_t hd_order_pack(int64_t key, int64_t number, hd_type type);
/* Look at a column that is not kept, until enough different values are seen. */
HD_MUST hd_code hd_scan_value(const struct hd_intake *in, hd_scan *s, const hd_slice *v,
                              hd_err *err);
/* agreement.c */
void hd_agreement_row(struct hd_intake *in, size_t row);                    /* applies all checks */
HD_MUST hd_code hd_cell_row(struct hd_intake *in, size_t row, hd_err *err); /* provider and month */
/* rows.c */
HD_MUST hd_code hd_rows_judge(struct hd_intake *in, const hd_batch *b, hd_err *err);
HD_MUST hd_code hd_rows_keep(struct hd_intake *in, const hd_batch *b, hd_err *err);
/* stage.c */
HD_MUST hd_code hd_stage_init(hd_stage *s, const hd_column_spec *specs, size_t n, hd_err *err);
void hd_stage_free(hd_stage *s);
HD_MUST hd_code hd_stage_add(struct hd_intake *in, const uint8_t *keep, hd_err *err);
HD_MUST hd_code hd_stage_flush(struct hd_intake *in, hd_err *err);
/* seen.c */
/* *found: 0 new, 1 the key was there, 2 the whole row was there. */
HD_MUST hd_code hd_seen_add(hd_seen *s, uint64_t key, uint64_t row, unsigned *found, hd_err *err);
void hd_seen_free(hd_seen *s);
uint64_t hd_row_hash(const hd_slice *fields, size_t n);
/* A row key's hash: keyed by the vault, or in a check by a random key. */
uint64_t hd_intake_key_hash(const struct hd_intake *in, const void *id, size_t len);

#endif
