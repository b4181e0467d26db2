/* private.h - what the files of an intake share; nobody else includes it.
 *
 * A target is one field of the table together with the columns of the file at hand that it is read
 * from. A chunk is one batch of the reader on its way through the stages of flow.c. Memory: one
 * memo a target, HD_DELIVERY_KEPT chunks, HD_MADE sets of what the targets made of a chunk.
 */
#ifndef HD_LANDING_PRIVATE_H
#define HD_LANDING_PRIVATE_H

#include "base/buf.h"
#include "crypto/digest.h"
#include "landing/identifiers.h"
#include "landing/intake.h"
#include "landing/judge.h"
#include "landing/memo.h"
#include "landing/delivery.h"

enum { HD_SCAN_VALUES = 4096, HD_MADE = 5 };
enum { HD_ORDER_BITS = 63, HD_ORDER_FIELDS = 8 };

enum { /* hd_made.kinds */
       HD_KIND_MEANING = 15, /* hd_meaning */
       HD_KIND_NULL = HD_KNOWN_NULL << 4,
       HD_KIND_PROPER = HD_KNOWN_PROPER << 4
};

typedef struct hd_made { /* what a target made of a chunk, by row; an array for each thing because
                            the checks go over a chunk column by column */
    uint8_t *kinds;       /* when watched */
    int64_t *numbers;     /* when has_numbers; INT64_MIN: none */
    uint64_t *conditions; /* when conditions read it */
    hd_slice *texts;      /* when has_texts; borrowed from the batch */
    uint32_t *codes;     /* lists: elements of all rows one after another */
    uint32_t *lengths;   /* lists */
    size_t n_elements;   /* lists */
    uint64_t *keys;      /* keys */
    uint8_t *flaws;      /* bits HD_FLAW; only when has_flaws */
    bool has_flaws;
} hd_made;

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
    bool has_memo, is_watched, has_numbers, has_texts, is_left_out;
    uint64_t condition_bits; /* of the conditions on this field */
    hd_identifier_counts shapes;
    uint8_t *element_shapes; /* lists: shapes met, by element */
    size_t n_there;          /* lists: elements up to the last one that the file has */
    uint64_t counts[5];      /* answers by meaning, of the chunk at hand */
    hd_made made[HD_MADE];   /* filled for targets that the file has */
} hd_target;

/* The targets that a check, or the provider and month of a row, are read from; NULL where the file
 * has no such column. */
typedef struct hd_bound {
    const hd_target *a, *b, *c;
} hd_bound;

typedef struct hd_chunk {
    hd_batch batch;
    hd_code rc; /* the reader failed here, there are no rows */
    hd_err err;
    size_t n_noted;    /* defects that were noted before the data year was known */
    size_t n_rows;     /* rows that are not opted out */
    uint32_t *rows;    /* their positions in the batch */
    uint8_t *pseudonyms; /* by row, as all that follows; HD_PSEUDONYM bytes each */
    uint32_t *persons; /* first 1 where there is one, then the number */
    uint64_t *hashes;  /* of the row's bytes */
    uint32_t *broken;  /* bits: rules that the row breaks */
    int64_t *order;
    uint8_t *keep;
} hd_chunk;

typedef struct hd_scan { /* a column of the file that is not kept, watched for identifiers */
    int source;
    bool is_nhs_number; /* identifying: compared with the opt-outs */
    hd_intern *texts;
    hd_identifier_counts shapes;
} hd_scan;

/* Cells of a provider and month that were found lately in the file at hand. */
enum { HD_PLACE_BITS = 10 };
typedef struct hd_place {
    uint64_t provider; /* the text as delivered, at most 8 bytes (hd_laid) */
    uint32_t cell_plus_one;
    int32_t month;
} hd_place;

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
    size_t n_columns;
    hd_rows_column *columns; /* n_columns: what is appended to the builder */
    hd_seen seen;
    uint8_t hash_key[HD_HASH_KEY]; /* for row keys in a check; random */
    hd_sha256 digest;
    bool kept_identifiers;  /* a finding is on a column whose values went to the sink */
    char first_defect[400]; /* the text for the verdict */
    /* the file at hand */
    const char *path, *name;
    hd_delivery *reader;
    hd_file_summary *file;
    hd_scan *scans;
    size_t n_scans;
    int year_source;                   /* column that gives the year, -1 */
    bool year_is_part;                 /* it is PARTYEAR, else FYEAR */
    uint32_t *year_codes, *part_codes; /* for all rows of a chunk */
    uint64_t *holds, *known; /* by row: conditions that hold, and whose fields are not null */
    uint32_t *cells;         /* by row: number of the provider and month */
    hd_place *places;        /* 1 << HD_PLACE_BITS */
    hd_chunk chunks[HD_DELIVERY_KEPT];
    hd_buf row_text; /* for the hash of a row */
    hd_bound *bound; /* by check */
    hd_bound place;  /* a: provider, b: month */
    const hd_target *key_fields[HD_MAX_KEY_FIELDS];
    const hd_target **conditioned; /* n_conditioned: targets of conditions */
    size_t n_conditioned;
    hd_target **in_file; /* n_in_file: targets that the judging stage has work with, in the order of
                            their columns */
    size_t n_in_file;
};

/* columns.c */
HD_MUST hd_code hd_columns_bind(struct hd_intake *in,
                                hd_err *err);  /* header to targets, and room */
void hd_columns_release(struct hd_intake *in); /* after the file */
/* The column's name where it may be shown: unless it looks like a value. */
const char *hd_columns_name(const struct hd_intake *in, unsigned column, char *out, size_t size);
HD_MUST hd_code hd_names_add(hd_names *n, const char *name, hd_err *err);
/* dataset.c: HD_FORMAT when the file is of another data set */
HD_MUST hd_code hd_dataset_check(const struct hd_intake *in, hd_err *err);
/* Neither codes nor a pattern say what is right. */
static inline bool hd_field_is_open(const hd_field *f)
{
    return f->n_codes == 0 && !*f->pattern;
}
/* values.c: the judge of the memos */
hd_code hd_value_judge(void *target, const char *raw, size_t len, hd_known *out, hd_err *err);
/* Integer, day or clock minutes of a proper value, else INT64_MIN. */
int64_t hd_value_number(const hd_judged *j);
/* The key that orders the rows of one person: each order field takes its bits, as long as they
 * last; what is unknown, a sentinel or too large comes last. */
unsigned hd_order_bits(hd_type type);
int64_t hd_order_pack(int64_t key, int64_t number, hd_type type);
/* Look at a column that is not kept, until enough different values are seen. */
HD_MUST hd_code hd_scan_value(const struct hd_intake *in, hd_scan *s, hd_slice v,
                              hd_err *err);
/* agreement.c */
HD_MUST hd_code hd_agreement_bind(struct hd_intake *in, hd_err *err); /* for the file at hand */
void hd_agreement_release(struct hd_intake *in);
/* Apply all checks to the rows of a chunk; what they break is noted in c->broken. */
void hd_agreement_rows(struct hd_intake *in, hd_chunk *c, unsigned made);
/* Provider and month. */
HD_MUST hd_code hd_cell_rows(struct hd_intake *in, const hd_chunk *c, unsigned made, hd_err *err);
/* Valid answers, the most by far, are not counted but worked out when the file ends. */
void hd_cells_complete(struct hd_intake *in);
/* people.c: who the rows are about; opted-out rows go. Then the numbers. */
void hd_rows_persons(struct hd_intake *in, hd_chunk *c);
HD_MUST hd_code hd_rows_number(struct hd_intake *in, hd_chunk *c, hd_err *err);
/* rows.c: a few columns. `made` says which of a target's sets is filled. */
HD_MUST hd_code hd_rows_targets(struct hd_intake *in, hd_target *const *targets, size_t n,
                                const hd_chunk *c, unsigned made, hd_err *err);
HD_MUST hd_code hd_rows_scan(const struct hd_intake *in, hd_scan *s, const hd_chunk *c,
                             hd_err *err);
HD_MUST hd_code hd_rows_hash(struct hd_intake *in, hd_chunk *c, hd_err *err);
/* decide.c: the last stage, in the order of the file. */
HD_MUST hd_code hd_decide(struct hd_intake *in, hd_chunk *c, unsigned made, hd_err *err);
/* The defects before the first row, while the data year is not known. */
HD_MUST hd_code hd_decide_defects(struct hd_intake *in, hd_chunk *c, hd_err *err);
bool hd_too_many_rejected(const struct hd_intake *in, bool at_end);
HD_MUST hd_code hd_refuse_rows(const struct hd_intake *in, hd_err *err);
/* flow.c: all rows of the file at hand. */
HD_MUST hd_code hd_flow(struct hd_intake *in, hd_err *err);
/* intake.c */
HD_MUST hd_code hd_settle_year(struct hd_intake *in, const hd_batch *b, hd_err *err);
int hd_read_year(const struct hd_intake *in, hd_slice v);
/* seen.c */
/* *found: 0 new, 1 the key was there, 2 the whole row was there. */
HD_MUST hd_code hd_seen_add(hd_seen *s, uint64_t key, uint64_t row, unsigned *found, hd_err *err);
/* So many more will come, about. */
HD_MUST hd_code hd_seen_expect(hd_seen *s, uint64_t n, hd_err *err);
void hd_seen_prefetch(const hd_seen *s, uint64_t key);
void hd_seen_free(hd_seen *s);
/* A row key's hash: keyed by the vault, or in a check by a random key. */
uint64_t hd_intake_key_hash(const struct hd_intake *in, const void *id, size_t len);

#endif
