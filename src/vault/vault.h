/* vault.h - the sealed store: open it, read its tables, replace tables in one transaction.
 *
 * A vault is a folder: ledger.db (SQLite: what exists, wrapped asset keys) and tables/ (one sealed
 * file per table version, doc/format.md). Keys live in a key file that must be outside the folder.
 * One asset is one table version under its own key; replacing or destroying it destroys that key.
 *
 * Invariant: the ledger names the files that count. A published file never changes. A crash at any
 * point leaves the state before or the state after; files the ledger does not name are leftovers
 * and removed by the next writer.
 * Threads: any number may ask one open hd_vault at a time: tables, columns, blocks, holds, releases
 * (from begin to commit or rollback the others wait). Loads, and who asks, are one thread's matter.
 * Loaded columns are read-only.
 */
#ifndef HD_VAULT_VAULT_H
#define HD_VAULT_VAULT_H

#include "base/err.h"
#include "base/value.h"

typedef struct hd_vault hd_vault;
typedef struct hd_table hd_table;     /* one table version, open for reading */
typedef struct hd_builder hd_builder; /* one table version being made        */
typedef struct hd_publish hd_publish; /* one transaction                     */

typedef enum hd_column_kind {
    HD_COLUMN_CODES, /* dictionary codes; code 0 is NULL, codes ascend with the values */
    HD_COLUMN_LIST,  /* codes per row in order, 0 for a gap; no trailing gaps          */
    HD_COLUMN_KEY    /* 64-bit keyed hash per row, 0 for NULL; no dictionary           */
} hd_column_kind;

typedef struct hd_column_spec {
    char name[64];
    hd_column_kind kind;
    hd_type type; /* of the dictionary's values */
} hd_column_spec;

enum { HD_BLOCK_ROWS = 65536 };

/* ---- the vault ------------------------------------------------------------------------------ */

/* Make an empty vault at `folder` (which must not exist or be empty) and a key file (0600, must not
 * exist, must lie outside `folder`). */
HD_MUST hd_code hd_vault_create(const char *folder, const char *key_file, hd_err *err);
/* Open for reading, or for writing (takes the vault's lock: HD_CONFLICT when another writer runs).
 * HD_CRYPTO: the key file belongs to another vault or is damaged. */
HD_MUST hd_code hd_vault_open(hd_vault **out, const char *folder, const char *key_file,
                              bool writes, hd_err *err);
void hd_vault_close(hd_vault *v); /* closes its tables; wipes keys; NULL is allowed */
/* HDIS_KEY_FILE, else ~/.config/hdis/<name of the vault folder>.key; into out. */
HD_MUST hd_code hd_vault_default_key_file(const char *folder, char *out, size_t size, hd_err *err);
uint64_t hd_vault_data_version(const hd_vault *v); /* 0 when empty; grows by one a transaction */
const char *hd_vault_folder(const hd_vault *v);

/* Keyed pseudonym of a person id: HMAC-SHA-256 under the pseudonym key, cut to 128 bits. The same
 * id gives the same pseudonym in every data set. */
void hd_vault_pseudonym(const hd_vault *v, const void *id, size_t len, uint8_t out[16]);
void hd_vault_pseudonyms(const hd_vault *v, const void *const *ids, const size_t *lens, size_t n,
                         uint8_t (*out)[16]);
/* Keyed 64-bit hash of a row key (SipHash-2-4); never 0. */
uint64_t hd_vault_key_hash(const hd_vault *v, const void *id, size_t len);
/* Of many ids of 8 to 15 bytes, in words (hd_key_hashes). */
void hd_vault_key_hashes(const hd_vault *v, const uint64_t *first, const uint64_t *second, size_t n,
                         uint64_t *out);
/* A limit on sizes that records decide, lowered by up to a tenth as a keyed hash of the question has
 * it. At a limit that is known, one record more is a refusal: who fills a question up to it could
 * count people by refusals. Which question is refused here depends on its text more than on them. */
uint64_t hd_vault_blurred_limit(const hd_vault *v, const char *question, uint64_t limit);

/* ---- reading -------------------------------------------------------------------------------- */

typedef struct hd_dictionary {
    hd_type type;
    uint32_t n_codes;        /* including code 0, NULL */
    const int64_t *integers; /* n_codes; HD_INTEGER, HD_DATE, HD_BOOLEAN */
    const double *decimals;  /* n_codes; HD_DECIMAL */
    const char *bytes;       /* HD_TEXT: value of code c is bytes[ends[c-1] .. ends[c]) */
    const uint64_t *ends;    /* n_codes; ends[0] = 0 */
} hd_dictionary;

hd_value hd_dictionary_value(const hd_dictionary *d, uint32_t code); /* borrows text */
uint32_t hd_dictionary_find(const hd_dictionary *d, const hd_value *v); /* 0: absent */

/* A column in memory. width is 1, 2 or 4 bytes a code, 8 for keys. */
typedef struct hd_column {
    unsigned width;
    const void *data;
    uint64_t n_items;       /* rows, or list elements */
    const uint32_t *starts; /* lists: n_rows + 1 positions in data; else NULL */
} hd_column;

static inline uint32_t hd_code_at(const hd_column *c, uint64_t i)
{
    return c->width == 1   ? ((const uint8_t *)c->data)[i]
           : c->width == 2 ? ((const uint16_t *)c->data)[i]
                           : ((const uint32_t *)c->data)[i];
}

/* The current version of a table. HD_NOTFOUND: nothing loaded yet. Borrowed from the vault until it
 * closes or publishes. */
HD_MUST hd_code hd_vault_table(hd_vault *v, const char *name, hd_table **out, hd_err *err);
bool hd_vault_has_table(const hd_vault *v, const char *name);
const char *hd_table_name(const hd_table *t);
uint64_t hd_table_rows(const hd_table *t);
size_t hd_table_n_columns(const hd_table *t);
const hd_column_spec *hd_table_column_spec(const hd_table *t, size_t column);
int hd_table_find(const hd_table *t, const char *column); /* or -1 */
unsigned hd_table_width(const hd_table *t, size_t column); /* bytes an item in memory */
/* NULL for keys. */
const hd_dictionary *hd_table_dictionary(const hd_table *t, size_t column);
/* Person number of each row, ascending; 0 is "not linked to any person". */
HD_MUST hd_code hd_table_persons(hd_table *t, const uint32_t **out, hd_err *err);
/* Read, open and keep a whole column (all blocks, all processors). Kept until unload or close, or,
 * when loaded under a hold, until its room is needed. */
HD_MUST hd_code hd_table_load(hd_table *t, size_t column, const hd_column **out, hd_err *err);
void hd_table_unload(hd_table *t, size_t column);

/* Blocks of HD_BLOCK_ROWS rows: what the directory knows of them without reading them. A block in
 * which no row can match need not be loaded. */
typedef struct hd_block_stats {
    uint32_t rows;
    uint32_t items;           /* rows, or elements of the list; 0: all lists are empty */
    uint32_t lowest, highest; /* codes (0: NULL) or persons in it; keys: not known, 0 and 0 */
    uint64_t sealed;          /* bytes in the file */
} hd_block_stats;

uint32_t hd_table_n_blocks(const hd_table *t);
hd_block_stats hd_table_block(const hd_table *t, size_t column, uint32_t block);
hd_block_stats hd_table_persons_block(const hd_table *t, uint32_t block);
/* As load and persons, of the blocks b with wanted[b] != 0 only (NULL: all). The rest of the column
 * is there but means nothing. May be called again for more blocks: pointers stay. */
HD_MUST hd_code hd_table_load_some(hd_table *t, size_t column, const uint8_t *wanted,
                                   const hd_column **out, hd_err *err);
HD_MUST hd_code hd_table_persons_some(hd_table *t, const uint8_t *wanted, const uint32_t **out,
                                      hd_err *err);

/* Memory for columns, all tables together; 0, as at the start, is no limit. Loading past it lets go
 * of the columns that were used longest ago; HD_LIMIT when all that is there is in use. */
void hd_vault_set_memory(hd_vault *v, uint64_t bytes);
uint64_t hd_vault_memory_used(hd_vault *v);
/* A hold is one question: columns loaded while it is current stay until its release. The newest
 * hold of a thread is its current one until it uses another or releases it; then the one before it
 * is current again. Take one before the first load: a column that was loaded under none is only let
 * go by unload. A hold is taken, used and released by one thread. */
typedef struct hd_hold hd_hold;
HD_MUST hd_code hd_vault_hold(hd_vault *v, hd_hold **out, hd_err *err);
void hd_hold_use(hd_hold *h);
void hd_hold_release(hd_hold *h); /* NULL is allowed; before the vault closes */

/* What one question reads of a table, block by block. The columns have their addresses at once;
 * what is in a block is there between enter and leave. As long as all wanted blocks fit into the
 * memory limit they stay for later questions. When they do not, and the feed may stream, a block
 * goes with its last reader, so that a table needs no more memory than a block for each thread.
 * A block that several threads or feeds want is opened once. Enter and leave: any thread, in pairs;
 * a feed and its columns live under the hold that was current when it was opened. */
typedef struct hd_feed hd_feed;
typedef struct hd_feed_wish {
    const size_t *columns;
    size_t n_columns;
    const uint8_t *wanted; /* by block: whether it will be entered; NULL: all. Lives as long as
                            * the feed */
    bool persons;          /* also the persons */
    bool begins;           /* or where they begin: a bit a row takes a fraction of the memory */
    bool may_stream;       /* then what the current hold loaded of these columns may go, too */
    bool must_stream;      /* what is not there already does not stay, even where it would fit */
    uint64_t spare;        /* when it may stream: bytes of the limit to be left for other work */
    uint64_t beside;       /* bytes that the caller makes of the blocks in hand */
} hd_feed_wish;
HD_MUST hd_code hd_feed_open(hd_feed **out, hd_table *t, const hd_feed_wish *w, hd_err *err);
void hd_feed_close(hd_feed *f); /* NULL is allowed; no block is entered */
const uint32_t *hd_feed_persons(const hd_feed *f); /* NULL: not wished for */
/* Bit r % 64 of word r / 64: row r is linked to somebody, and the row before it to nobody or another. */
const uint64_t *hd_feed_begins(const hd_feed *f); /* NULL: not wished for */
const hd_column *hd_feed_column(const hd_feed *f, size_t i); /* of the wish */
bool hd_feed_streams(const hd_feed *f);
uint64_t hd_feed_blocks_read(hd_feed *f); /* by this feed: blocks of single columns */
HD_MUST hd_code hd_feed_enter(hd_feed *f, uint32_t block, hd_err *err);
void hd_feed_leave(hd_feed *f, uint32_t block);
/* The persons of a block alone, or where they begin, whichever was wished for; wanted or not. */
HD_MUST hd_code hd_feed_enter_persons(hd_feed *f, uint32_t block, hd_err *err);
void hd_feed_leave_persons(hd_feed *f, uint32_t block);
/* Read and open all blocks of these columns, and where wished of the persons, and use none of them:
 * what a first question cannot save. *sealed: bytes in the file. */
HD_MUST hd_code hd_table_open_blocks(hd_table *t, const size_t *columns, size_t n_columns,
                                     bool persons, uint64_t *sealed, hd_err *err);
/* Open every block of the file and check it. HD_CRYPTO, HD_FORMAT name table, column, block. */
HD_MUST hd_code hd_table_verify(hd_table *t, hd_err *err);

/* ---- making a table ------------------------------------------------------------------------- */

/* Staged rows wait in memory, and past 128 MiB of them in an unnamed temporary file, sealed under a
 * key that exists only in memory. */
HD_MUST hd_code hd_builder_new(hd_builder **out, hd_vault *v, const char *table,
                               const hd_column_spec *columns, size_t n_columns, hd_err *err);
void hd_builder_free(hd_builder *b); /* NULL is allowed */
/* Code of a value in this builder's dictionary of a column; NULL gives 0. Codes are the builder's
 * own until finish, which renumbers them in ascending order of value. Text bytes are copied. */
HD_MUST hd_code hd_builder_code(hd_builder *b, size_t column, const hd_value *value, uint32_t *code,
                                hd_err *err);
/* The value of a code given out before; borrows text until the next hd_builder_code. */
hd_value hd_builder_value(const hd_builder *b, size_t column, uint32_t code);

/* Up to HD_BLOCK_ROWS rows, column by column; one hd_rows_column for each column of the builder.
 * One without arrays is NULL in all rows. */
typedef struct hd_rows_column {
    const uint32_t *codes;  /* CODES: n_rows; LIST: all elements of all rows one after another */
    const uint32_t *counts; /* LIST: elements of each row (trailing gaps already cut) */
    const uint64_t *keys;   /* KEY: n_rows */
} hd_rows_column;

typedef struct hd_rows {
    size_t n_rows;
    const uint32_t *persons; /* person number, 0: not linked */
    const int64_t *order;    /* sort key inside a person (for equal keys: order of arrival) */
    const hd_rows_column *columns;
} hd_rows;

HD_MUST hd_code hd_builder_append(hd_builder *b, const hd_rows *rows, hd_err *err);
/* Append the rows of an existing table for which keep[row] is not 0 (keep NULL: all), columns by
 * name; columns that the table lacks become NULL. The order key of row r of `t` is order[r]. */
HD_MUST hd_code hd_builder_copy(hd_builder *b, hd_table *t, const uint8_t *keep,
                                const int64_t *order, hd_err *err);
uint64_t hd_builder_rows(const hd_builder *b);

/* ---- persons -------------------------------------------------------------------------------- */

typedef struct hd_persons hd_persons;
/* Pseudonym to person number, as of now; numbers given out later are kept only if published. */
HD_MUST hd_code hd_persons_open(hd_persons **out, hd_vault *v, hd_err *err);
void hd_persons_free(hd_persons *p);
HD_MUST hd_code hd_persons_number(hd_persons *p, const uint8_t pseudonym[16], uint32_t *out,
                                  hd_err *err); /* adds when new; never 0 */
/* The same of n rows: out[i] is replaced by the number of the i-th pseudonym where it is not 0. */
HD_MUST hd_code hd_persons_numbers(hd_persons *p, const uint8_t *pseudonyms, size_t n,
                                   uint32_t *out, hd_err *err);
uint32_t hd_persons_find(const hd_persons *p, const uint8_t pseudonym[16]); /* 0: unknown */

/* ---- publishing ----------------------------------------------------------------------------- */

/* What the ledger remembers of a loaded file set (one data set and data year). */
typedef struct hd_extract {
    char table[64];
    int data_year;      /* 2014 for 2014-15 */
    int part_year;      /* PARTYEAR: 201499 final, 201406 provisional */
    uint64_t rows_read, rows_kept, rows_rejected, rows_opted_out;
    char files[1024];   /* base names, comma-separated; never paths */
    char digest[65];    /* SHA-256 of the delivered bytes, hex; several files: of their digests */
    char loaded_at[32]; /* UTC, ISO; filled in by the ledger */
} hd_extract;

HD_MUST hd_code hd_publish_begin(hd_publish **out, hd_vault *v, hd_err *err);
/* Sort, renumber, seal and write the builder's table under a fresh asset key; it replaces the table
 * of that name when the transaction commits. */
HD_MUST hd_code hd_publish_table(hd_publish *p, hd_builder *b, hd_err *err);
HD_MUST hd_code hd_publish_persons(hd_publish *p, hd_persons *persons, hd_err *err);
HD_MUST hd_code hd_publish_extract(hd_publish *p, const hd_extract *x, hd_err *err);
/* All or nothing. Old assets' keys are destroyed and their files removed. `what` enters the log. */
HD_MUST hd_code hd_publish_commit(hd_publish *p, const char *what, hd_err *err);
void hd_publish_free(hd_publish *p); /* rolls back when not committed; NULL is allowed */

/* Look into a table that this transaction has written but not yet committed (to build spells from
 * the apc of the same load); current version when the transaction did not touch it. */
HD_MUST hd_code hd_publish_read(hd_publish *p, const char *table, hd_table **out, hd_err *err);

/* ---- what the ledger knows ------------------------------------------------------------------ */

/* Extracts in force, by table and year; caller frees with hd_free. */
HD_MUST hd_code hd_vault_extracts(hd_vault *v, hd_extract **out, size_t *n, hd_err *err);

/* Tables in force by name; caller frees with hd_free. */
typedef struct hd_table_info {
    char table[64];
    uint64_t data_version; /* transaction that published it */
    uint64_t rows, bytes;
} hd_table_info;
HD_MUST hd_code hd_vault_tables(hd_vault *v, hd_table_info **out, size_t *n, hd_err *err);
/* Check the ledger, the chain of its log, and every block of every table. */
HD_MUST hd_code hd_vault_verify(hd_vault *v, hd_err *err);

/* ---- what left ------------------------------------------------------------------------------ */

/* Who asks, and under which agreement, enters the ledger with every release. NULL: the user of this
 * process; no agreement. */
void hd_vault_set_asker(hd_vault *v, const char *asker, const char *agreement);

/* One release as disclosure wants to remember it; the body is sealed, the rest is not. */
typedef struct hd_vault_release {
    int64_t number; /* given by the ledger */
    uint64_t data_version;
    const char *table, *policy;
    const char *at, *asker, *agreement; /* given by the vault; at: in UTC */
    uint8_t question[32]; /* keyed digest: hd_vault_digest */
    int64_t near;         /* figures that came near to those of an earlier release */
    const void *body;
    size_t body_len;
} hd_vault_release;

/* Comparing and entering are one transaction, so that two who ask at once are compared too. Waits
 * for another writer of the ledger, then HD_CONFLICT. End it by commit or rollback. */
HD_MUST hd_code hd_vault_releases_begin(hd_vault *v, hd_err *err);
HD_MUST hd_code hd_vault_releases_commit(hd_vault *v, hd_err *err);
void hd_vault_releases_rollback(hd_vault *v);
/* Earlier releases, oldest first: everybody's, or those under this agreement where the owner keeps
 * agreements apart; question (32 bytes): of this one only, or NULL. What r points to ends with the call. */
HD_MUST hd_code hd_vault_releases(hd_vault *v, const uint8_t *question,
                                  hd_code (*take)(void *ctx, const hd_vault_release *r,
                                                  hd_err *err),
                                  void *ctx, hd_err *err);
/* Everybody's, under every agreement, whatever the owner chose: the list of what left. */
HD_MUST hd_code hd_vault_every_release(hd_vault *v,
                                       hd_code (*take)(void *ctx, const hd_vault_release *r,
                                                       hd_err *err),
                                       void *ctx, hd_err *err);
/* Enter a release, and its place in the chain in the log. */
HD_MUST hd_code hd_vault_add_release(hd_vault *v, hd_vault_release *r, hd_err *err);
/* Releases of this asker under this agreement that came near to earlier ones. */
HD_MUST hd_code hd_vault_near_releases(hd_vault *v, int64_t *out, hd_err *err);
HD_MUST hd_code hd_vault_log_refusal(hd_vault *v, const char *why, hd_err *err);
/* Keyed digest: means nothing without the key file. */
void hd_vault_digest(const hd_vault *v, const void *bytes, size_t len, uint8_t out[32]);

/* The owner's choice: are releases compared with everybody's (the default), or with those under the
 * same agreement only? */
HD_MUST hd_code hd_vault_releases_are_apart(hd_vault *v, bool *by_agreement, hd_err *err);
HD_MUST hd_code hd_vault_keep_releases_apart(hd_vault *v, bool by_agreement, hd_err *err);

/* An output with true small numbers, for the asset list. Entered before the output is shown. */
HD_MUST hd_code hd_vault_record_output(hd_vault *v, const char *purpose, const char *question,
                                       const char *policy, char tag_out[32], hd_err *err);

#endif
