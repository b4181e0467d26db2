/* ledger.h - what exists and what was done, in one SQLite file; SQLite is used in this folder only.
 *
 * Tables: vault (one row), asset (one row a table version; its wrapped key until destroyed),
 * extract, output (results with true small numbers, the asset list), log (append-only by trigger;
 * each row carries the BLAKE2b-256 of the row before it), release (what left, sealed by the vault;
 * append-only and chained like the log), setting (choices of the owner).
 *
 * Invariants: at most one asset of a table name is in force; a destroyed asset has no key and never
 * gets one back; the log only grows. WAL with synchronous FULL: a commit that returned is on disk.
 * Any number of processes may read while one writes; a ledger is used by one thread at a time.
 */
#ifndef HD_LEDGER_LEDGER_H
#define HD_LEDGER_LEDGER_H

#include "base/err.h"
#include "crypto/keyfile.h"

typedef struct hd_ledger hd_ledger;

typedef struct hd_asset {
    uint8_t id[16];
    char table[64];
    uint64_t data_version; /* transaction that published it */
    uint8_t wrapped_key[HD_WRAPPED_KEY];
    uint64_t rows, bytes;
} hd_asset;

typedef struct hd_ledger_extract {
    char table[64];
    int data_year, part_year;
    uint64_t rows_read, rows_kept, rows_rejected, rows_opted_out;
    char files[1024];
    char digest[65];
    char loaded_at[32];
} hd_ledger_extract;

typedef struct hd_ledger_vault {
    uint8_t id[16];
    uint8_t key_check[32];
    uint64_t data_version;
} hd_ledger_vault;

/* A new ledger at `path`, which must not exist. */
HD_MUST hd_code hd_ledger_create(const char *path, const uint8_t vault_id[16],
                                 const uint8_t key_check[32], hd_err *err);
/* HD_NOTFOUND: no file. HD_FORMAT: not a ledger, damaged, or made by a newer hdis. */
HD_MUST hd_code hd_ledger_open(hd_ledger **out, const char *path, hd_err *err);
void hd_ledger_close(hd_ledger *l); /* rolls back; NULL is allowed */

/* Begin reading from one state (deferred) or writing (waits up to ten seconds for another writer,
 * then HD_CONFLICT). Every begin is ended by commit or rollback, by the same thread; other threads
 * of this process wait for it. */
HD_MUST hd_code hd_ledger_begin(hd_ledger *l, bool writes, hd_err *err);
HD_MUST hd_code hd_ledger_commit(hd_ledger *l, hd_err *err);
void hd_ledger_rollback(hd_ledger *l); /* nothing to do when this thread has begun none */

HD_MUST hd_code hd_ledger_vault_row(hd_ledger *l, hd_ledger_vault *out, hd_err *err);
/* Assets in force by table name; extracts in force by table and year. Free with hd_free. */
HD_MUST hd_code hd_ledger_assets(hd_ledger *l, hd_asset **out, size_t *n, hd_err *err);
HD_MUST hd_code hd_ledger_extracts(hd_ledger *l, hd_ledger_extract **out, size_t *n, hd_err *err);

/* Inside a writing transaction. */
HD_MUST hd_code hd_ledger_set_version(hd_ledger *l, uint64_t data_version, hd_err *err);
HD_MUST hd_code hd_ledger_add_asset(hd_ledger *l, const hd_asset *a, hd_err *err);
HD_MUST hd_code hd_ledger_destroy_asset(hd_ledger *l, const uint8_t id[16], hd_err *err);
/* Replaces the extract in force of the same table and year. */
HD_MUST hd_code hd_ledger_put_extract(hd_ledger *l, const hd_ledger_extract *x, hd_err *err);
HD_MUST hd_code hd_ledger_add_output(hd_ledger *l, const char *tag, const char *purpose,
                                     const char *question, const char *policy, hd_err *err);
HD_MUST hd_code hd_ledger_log(hd_ledger *l, const char *event, const char *detail, hd_err *err);

/* What left: one row a release. The body is sealed by whoever calls. */
typedef struct hd_ledger_release {
    int64_t number; /* given by the ledger */
    const char *table, *agreement, *asker, *policy;
    const char *at; /* when, in UTC: given by the ledger */
    uint64_t data_version;
    uint8_t question[32]; /* keyed digest of what identifies the question */
    int64_t near;         /* figures that came near to those of an earlier release */
    uint8_t salt[16];
    const void *body;
    size_t body_len;
} hd_ledger_release;

/* Inside a writing transaction. hash: of the new row; the next one will carry it. */
HD_MUST hd_code hd_ledger_add_release(hd_ledger *l, const hd_ledger_release *r, int64_t *number,
                                      uint8_t hash[32], hd_err *err);
/* Every release under an agreement (NULL: under any) and of a question (32 bytes; NULL: of any), oldest
 * first. What r points to ends with the call. */
HD_MUST hd_code hd_ledger_releases(hd_ledger *l, const char *agreement, const uint8_t *question,
                                   hd_code (*take)(void *ctx, const hd_ledger_release *r,
                                                   hd_err *err),
                                   void *ctx, hd_err *err);
/* Releases of an asker under an agreement that came near to earlier ones. */
HD_MUST hd_code hd_ledger_count_near(hd_ledger *l, const char *asker, const char *agreement,
                                     int64_t *out, hd_err *err);
/* A choice of the owner; "" when none was made. */
HD_MUST hd_code hd_ledger_setting(hd_ledger *l, const char *name, char *out, size_t size,
                                  hd_err *err);
HD_MUST hd_code hd_ledger_set_setting(hd_ledger *l, const char *name, const char *value,
                                      hd_err *err);

/* Move everything into the main file and cut the WAL to nothing, so that no page of a destroyed key
 * stays behind. HD_CONFLICT when a reader is in the way; the next writer tries again. */
HD_MUST hd_code hd_ledger_clean(hd_ledger *l, hd_err *err);
/* SQLite's own integrity check and the chains of the log and the releases. HD_FORMAT names what is wrong. */
HD_MUST hd_code hd_ledger_verify(hd_ledger *l, hd_err *err);

#endif
