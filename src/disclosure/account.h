/* account.h - one release as the ledger remembers it: what was printed, of which sets of records.
 *
 * Made from an answer after the primary pass, changed by the live audit (audit.h), sealed into the
 * ledger, and read back to be compared with the next answer. Keys are kept as hashes: they are only
 * ever compared. True counts are not in it.
 */
#ifndef HD_DISCLOSURE_ACCOUNT_H
#define HD_DISCLOSURE_ACCOUNT_H

#include "base/buf.h"
#include "disclosure/primary.h"
#include "disclosure/sets.h"

enum { HD_ACCOUNT_AGGREGATES = 64, HD_ACCOUNT_SETS = 256 };

/* What was printed of a set: the figures of a cell that are made of the same records. */
typedef struct hd_printed {
    int64_t low, high;      /* how many records (people) a reader knows there to be; high may be
                               HD_NO_BOUND */
    char mark;              /* of the count; of any other figure where there is no count */
    bool is_count;          /* a count of them was asked */
    bool is_shown;          /* some figure of them is shown */
    bool is_small;          /* truly 1 .. candidates_for_counts_to records or few people */
    bool is_exact;          /* shown as it is */
    uint8_t times;          /* everybody has at least so many of the records, and who asked may know; 0: 1 */
} hd_printed;

/* What two figures of a release, or one of it and one of an earlier release, together say of the
 * few people that the one counts more (near.h): those are named by their profile. */
typedef struct hd_known {
    uint64_t sum[2];
    int64_t low, high;
} hd_known;

/* A set and those that it was found to be made of (unions.h): the whole, with the number of its parts,
 * and then these. Who asks for one of them later is told by all. */
typedef struct hd_summed {
    uint64_t sum[2];
    uint32_t kind;    /* hd_set_kind */
    uint32_t n_parts; /* 0: it is a part */
} hd_summed;

/* Few people whom nobody asked for and of whom figures that cut across each other tell (cuts.h): what
 * is left of the sketches of these. Their number is not in it, nor their profile. */
typedef struct hd_few {
    hd_set set;
    uint64_t kind; /* hd_set_kind */
} hd_few;

typedef struct hd_account {
    int64_t number;     /* in the ledger; 0: not entered */
    uint64_t table;     /* 0: that of the answer; see hd_account_of_other_table */
    bool is_controlled; /* below national level */
    bool is_defined;    /* by the catalogue: see hd_release_ask_defined */
    bool is_of_other_data; /* version, or table: its figures hold no others, nor are held by them */
    size_t n_keys, n_cells, n_columns, n_aggregates, n_sets, n_known, n_summed, n_few;
    size_t n_definitions, n_spans, n_values_; /* the first: of every item, or 0 */
    uint32_t sets[HD_ACCOUNT_SETS]; /* grouping sets asked: bit k, key k is told apart */
    hd_set_kind kinds[HD_ACCOUNT_AGGREGATES];
    bool is_all[HD_ACCOUNT_AGGREGATES];        /* column of every record of the cell, no filter */
    unsigned column_of[HD_ACCOUNT_AGGREGATES]; /* by aggregate */
    /* Of a column that nobody asked for: column whole_of less column part_of - 1 (0: it was asked for). */
    uint8_t part_of[HD_ACCOUNT_AGGREGATES], whole_of[HD_ACCOUNT_AGGREGATES];
    uint8_t people_of[HD_ACCOUNT_AGGREGATES]; /* as in hd_sets: such a column says what its people say */
    hd_aggregate_kind kind_of[HD_ACCOUNT_AGGREGATES];
    uint32_t *told;      /* n_cells: keys told apart */
    uint64_t *keys;      /* n_cells * n_keys: hashes of key values; 0 where summed over */
    uint8_t *is_left_out;   /* n_cells: the row does not appear */
    hd_set *items;       /* n_cells * n_columns */
    hd_printed *printed; /* n_cells * n_columns */
    char *marks;         /* n_cells * n_aggregates */
    int64_t *values;     /* n_cells * n_aggregates: what was shown, decimals by their bits */
    hd_known *known;     /* n_known; see hd_account_know */
    hd_summed *summed;   /* n_summed; see hd_account_sum */
    hd_few *few;         /* n_few; see hd_account_leave */
    hd_definition *definitions;   /* n_definitions; see definition.h */
    hd_span *spans;         /* n_spans */
    uint32_t *span_values;  /* n_values_: those of the spans */
    size_t known_cap_, summed_cap_, few_cap_;
    const void *viewed; /* the bytes in which told .. span_values lie; NULL: they are the account's own */
    size_t viewed_len;
    char *question;      /* normalised text */
    char *certificate;   /* "" when none */
} hd_account;

/* Counts whose rounding the set of records decides: the primary pass has rounded them to the nearest
 * for want of the sets. Identities of records are keyed by the vault, and so is the direction. */
void hd_account_round_by_set(const hd_policy_file *p, const hd_question *q, const hd_cells *cells,
                             const hd_sets *sets, hd_safe *safe);
/* Numbers of records below national level of people who have k each, or more, and whose question may have seen
 * to that: they are rounded k times as far, so that they say as little of the people as a rounded number of
 * these. */
void hd_account_round_by_people(const hd_policy_file *p, const hd_question *q, const hd_cells *cells,
                                const hd_sets *sets, hd_safe *safe);
/* Takes over the sets. asked: the question's grouping sets. */
HD_MUST hd_code hd_account_make(hd_account *out, const hd_policy_file *p, const hd_question *q,
                                const uint32_t *asked, size_t n_asked,
                                const hd_cells *cells, const hd_safe *safe, hd_sets *sets,
                                bool is_controlled, hd_err *err);
void hd_account_free(hd_account *a); /* wipes */

/* Made of another table than the answer it will be compared with. Records of two tables have
 * nothing in common but whose they are, because all tables share one numbering of people: sets
 * of people and profiles stay as they are, sets of records are named after their table. */
void hd_account_of_other_table(hd_account *a, const char *table);

/* Whether a national count is shown rounded: the exact one would have given others away. */
bool hd_account_is_rounded(const hd_account *a);

/* Adds a piece of what is known. */
HD_MUST hd_code hd_account_know(hd_account *a, const hd_known *k, hd_err *err);

/* Adds a set that is made of others. */
HD_MUST hd_code hd_account_sum(hd_account *a, const hd_summed *whole, const hd_summed *parts, size_t n,
                               hd_err *err);

/* Adds few people. */
HD_MUST hd_code hd_account_leave(hd_account *a, const hd_few *few, hd_err *err);

HD_MUST hd_code hd_account_write(const hd_account *a, hd_buf *out, hd_err *err);
/* HD_FORMAT: not what hd_account_write makes, or what one of another version made. */
HD_MUST hd_code hd_account_read(hd_account *out, const void *bytes, size_t len, hd_err *err);
/* The same without a copy, nor texts: good as long as the bytes are there, and not to be changed
 * before it is kept. Most earlier releases are looked at once and put away. */
HD_MUST hd_code hd_account_view(hd_account *out, const void *bytes, size_t len, hd_err *err);
/* A view becomes an account of its own; any other stays as it is. */
HD_MUST hd_code hd_account_keep(hd_account *a, hd_err *err);

/* Nobody asked for the column by itself. */
static inline bool hd_account_is_implied(const hd_account *a, size_t column)
{
    return a->part_of[column] || a->people_of[column];
}

static inline size_t hd_account_at(const hd_account *a, size_t cell, size_t column)
{
    return cell * a->n_columns + column;
}

#endif
