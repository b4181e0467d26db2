/* ledger.c - see ledger.h. Statements are literals with bound parameters. */
#define _GNU_SOURCE
#include "ledger/ledger.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "ledger/fault_sqlite.h"
#include "ledger/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x68646973, BUSY_MS = 10000 };

struct hd_ledger {
    sqlite3 *db;
    char *path;
    pthread_mutex_t lock; /* held by the thread that has begun, until it ends its transaction */
    atomic_uintptr_t owner; /* that thread, 0: none */
};

/* A thread is known by where it keeps this. */
static _Thread_local char me;

/* ---- SQLite, wrapped ------------------------------------------------------------------------ */

static hd_code fail(hd_ledger *l, int rc, hd_err *err)
{
    const char *text = l->db ? sqlite3_errmsg(l->db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return hd_fail_nomem(err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return hd_fail(err, HD_CONFLICT, "the ledger %s is in use by another process: try again",
                       l->path);
    case SQLITE_CONSTRAINT:
        return hd_fail(err, HD_CONFLICT, "the ledger %s refuses: %s", l->path, text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return hd_fail(err, HD_FORMAT, "the ledger %s is damaged (%s): restore it from a copy",
                       l->path, text);
    default:
        return hd_fail(err, HD_IO, "the ledger %s: %s", l->path, text);
    }
}

static hd_code execute(hd_ledger *l, const char *sql, hd_err *err)
{
    int rc = sqlite3_exec(l->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? HD_OK : fail(l, rc, err);
}

static hd_code prepare(hd_ledger *l, const char *sql, sqlite3_stmt **out, hd_err *err)
{
    int rc = sqlite3_prepare_v2(l->db, sql, -1, out, NULL);
    return rc == SQLITE_OK ? HD_OK : fail(l, rc, err);
}

/* One bound parameter; blobs and texts are copied by SQLite. */
typedef struct bound {
    enum { AS_INTEGER, AS_TEXT, AS_BLOB } as;
    int64_t integer;
    const void *bytes;
    size_t len;
} bound;

#define INTEGER(x) ((bound){.as = AS_INTEGER, .integer = (int64_t)(x)})
#define TEXT(s)    ((bound){.as = AS_TEXT, .bytes = (s)})
#define BLOB(p, n) ((bound){.as = AS_BLOB, .bytes = (p), .len = (n)})
#define CHANGE(l, sql, err, ...)                                                                   \
    change(l, sql, (const bound[]){__VA_ARGS__},                                                   \
           sizeof((const bound[]){__VA_ARGS__}) / sizeof(bound), err)

static int bind(sqlite3_stmt *s, int i, const bound *b)
{
    switch (b->as) {
    case AS_INTEGER:
        return sqlite3_bind_int64(s, i, b->integer);
    case AS_TEXT:
        return sqlite3_bind_text(s, i, b->bytes, -1, SQLITE_TRANSIENT);
    default:
        return sqlite3_bind_blob(s, i, b->bytes, (int)b->len, SQLITE_TRANSIENT);
    }
}

/* Run a statement that gives no rows. */
static hd_code change(hd_ledger *l, const char *sql, const bound *values, size_t n, hd_err *err)
{
    sqlite3_stmt *s = NULL;
    HD_TRY(prepare(l, sql, &s, err));
    int rc = SQLITE_OK;
    for (size_t i = 0; i < n && rc == SQLITE_OK; i++)
        rc = bind(s, (int)i + 1, &values[i]);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    hd_code code = rc == SQLITE_DONE ? HD_OK : fail(l, rc, err);
    sqlite3_finalize(s);
    return code;
}

static hd_code read_integer(hd_ledger *l, const char *sql, int64_t *out, hd_err *err)
{
    sqlite3_stmt *s = NULL;
    HD_TRY(prepare(l, sql, &s, err));
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    hd_code code = rc == SQLITE_ROW ? HD_OK : fail(l, rc, err);
    sqlite3_finalize(s);
    return code;
}

/* Cells of a row: text cut to size, a blob only when its length is right. */
static void take_text(sqlite3_stmt *s, int i, char *out, size_t size)
{
    const unsigned char *p = sqlite3_column_text(s, i);
    snprintf(out, size, "%s", p ? (const char *)p : "");
}

static bool take_blob(sqlite3_stmt *s, int i, void *out, size_t len)
{
    const void *p = sqlite3_column_blob(s, i);
    if (!p || sqlite3_column_bytes(s, i) != (int)len)
        return false;
    memcpy(out, p, len);
    return true;
}

static void time_now(char out[32])
{
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* ---- opening -------------------------------------------------------------------------------- */

static hd_code connect(hd_ledger *l, hd_err *err)
{
    hd_fault_sqlite();
    int rc = sqlite3_open_v2(l->path, &l->db, SQLITE_OPEN_READWRITE, NULL);
    if (rc != SQLITE_OK)
        return fail(l, rc, err);
    sqlite3_extended_result_codes(l->db, 1);
    sqlite3_busy_timeout(l->db, BUSY_MS);
    sqlite3_db_config(l->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(l->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(l->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    return execute(l,
                   "PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA foreign_keys=ON;"
                   "PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;",
                   err);
}

/* Apart from connect, because it writes: only into a file that is known to be a ledger. */
static hd_code use_wal(hd_ledger *l, hd_err *err)
{
    return execute(l, "PRAGMA journal_mode=WAL", err);
}

static hd_code migrate(hd_ledger *l, hd_err *err)
{
    int64_t version = 0;
    HD_TRY(read_integer(l, "PRAGMA user_version", &version, err));
    if (version < 0 || (uint64_t)version > hd_schema_n_steps)
        return hd_fail(err, HD_FORMAT, "the ledger %s was written by a newer hdis: use that one",
                       l->path);
    if ((uint64_t)version == hd_schema_n_steps)
        return HD_OK;
    hd_code rc = hd_ledger_begin(l, true, err);
    if (rc != HD_OK)
        return rc;
    /* Another process may have done it while we waited. */
    HD_GO(read_integer(l, "PRAGMA user_version", &version, err));
    for (size_t i = (size_t)version; i < hd_schema_n_steps; i++) {
        char set[64];
        snprintf(set, sizeof set, "PRAGMA user_version=%zu", i + 1);
        HD_GO(execute(l, hd_schema_steps[i], err));
        HD_GO(execute(l, set, err));
    }
    HD_GO(hd_ledger_commit(l, err));
out:
    hd_ledger_rollback(l);
    return rc;
}

static hd_code new_ledger(hd_ledger **out, const char *path, hd_err *err)
{
    hd_ledger *l = hd_calloc(1, sizeof *l);
    if (l && !(l->path = hd_strdup(path))) {
        hd_free(l);
        l = NULL;
    }
    if (l)
        pthread_mutex_init(&l->lock, NULL);
    *out = l;
    return l ? HD_OK : hd_fail_nomem(err);
}

hd_code hd_ledger_create(const char *path, const uint8_t vault_id[16], const uint8_t key_check[32],
                         hd_err *err)
{
    /* Made here and not by SQLite, for the mode. */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return hd_fail_os(err, "cannot create the ledger %s", path);
    close(fd);
    hd_ledger *l = NULL;
    hd_code rc = new_ledger(&l, path, err);
    if (rc != HD_OK)
        return rc;
    HD_GO(connect(l, err));
    char set[64];
    snprintf(set, sizeof set, "PRAGMA application_id=%d", APPLICATION_ID);
    HD_GO(execute(l, set, err));
    HD_GO(use_wal(l, err));
    HD_GO(migrate(l, err));
    HD_GO(hd_ledger_begin(l, true, err));
    char now[32];
    time_now(now);
    HD_GO(CHANGE(l, "INSERT INTO vault VALUES(1, ?, ?, 0, ?)", err, BLOB(vault_id, 16),
                 BLOB(key_check, 32), TEXT(now)));
    HD_GO(hd_ledger_log(l, "init", "the vault was made", err));
    HD_GO(hd_ledger_commit(l, err));
    HD_GO(hd_ledger_clean(l, err));
out:
    hd_ledger_close(l);
    return rc;
}

hd_code hd_ledger_open(hd_ledger **out, const char *path, hd_err *err)
{
    *out = NULL;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return hd_fail(err, HD_NOTFOUND, "%s does not exist", path);
    hd_ledger *l = NULL;
    HD_TRY(new_ledger(&l, path, err));
    hd_code rc = connect(l, err);
    int64_t id = 0;
    if (rc == HD_OK)
        rc = read_integer(l, "PRAGMA application_id", &id, err);
    if (rc == HD_OK && id != APPLICATION_ID)
        rc = hd_fail(err, HD_FORMAT, "%s is not a ledger of hdis", path);
    if (rc == HD_OK)
        rc = use_wal(l, err);
    if (rc == HD_OK)
        rc = migrate(l, err);
    if (rc != HD_OK) {
        hd_ledger_close(l);
        return rc;
    }
    *out = l;
    return HD_OK;
}

void hd_ledger_close(hd_ledger *l)
{
    if (!l)
        return;
    hd_ledger_rollback(l);
    sqlite3_close(l->db); /* also after a failed open; rolls back */
    pthread_mutex_destroy(&l->lock);
    hd_free(l->path);
    hd_free(l);
}

static bool is_ours(hd_ledger *l)
{
    return atomic_load_explicit(&l->owner, memory_order_relaxed) == (uintptr_t)&me;
}

static void end(hd_ledger *l)
{
    atomic_store_explicit(&l->owner, 0, memory_order_relaxed);
    pthread_mutex_unlock(&l->lock);
}

hd_code hd_ledger_begin(hd_ledger *l, bool writes, hd_err *err)
{
    HD_ALWAYS(!is_ours(l));
    pthread_mutex_lock(&l->lock);
    hd_code rc = execute(l, writes ? "BEGIN IMMEDIATE" : "BEGIN", err);
    if (rc == HD_OK)
        atomic_store_explicit(&l->owner, (uintptr_t)&me, memory_order_relaxed);
    else
        pthread_mutex_unlock(&l->lock);
    return rc;
}

hd_code hd_ledger_commit(hd_ledger *l, hd_err *err)
{
    if (hd_fault(HD_FAULT_STEP) || hd_fault(HD_FAULT_WRITE))
        return hd_fail_os(err, "cannot write the ledger %s", l->path);
    HD_TRY(execute(l, "COMMIT", err));
    (void)hd_fault(HD_FAULT_STEP); /* a place to be killed at; committed is committed */
    end(l);
    return HD_OK;
}

void hd_ledger_rollback(hd_ledger *l)
{
    if (!is_ours(l))
        return;
    if (!sqlite3_get_autocommit(l->db))
        sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
    end(l);
}

/* ---- reading -------------------------------------------------------------------------------- */

hd_code hd_ledger_vault_row(hd_ledger *l, hd_ledger_vault *out, hd_err *err)
{
    sqlite3_stmt *s = NULL;
    HD_TRY(prepare(l, "SELECT id, key_check, data_version FROM vault", &s, err));
    int rc = sqlite3_step(s);
    hd_code code = HD_OK;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        code = fail(l, rc, err);
    else if (rc == SQLITE_DONE || !take_blob(s, 0, out->id, sizeof out->id) ||
             !take_blob(s, 1, out->key_check, sizeof out->key_check))
        code = hd_fail(err, HD_FORMAT, "the ledger %s names no vault: restore it from a copy",
                       l->path);
    else
        out->data_version = (uint64_t)sqlite3_column_int64(s, 2);
    sqlite3_finalize(s);
    return code;
}

hd_code hd_ledger_assets(hd_ledger *l, hd_asset **out, size_t *n, hd_err *err)
{
    hd_asset *list = NULL;
    size_t count = 0, cap = 0;
    sqlite3_stmt *s = NULL;
    *out = NULL;
    *n = 0;
    HD_TRY(prepare(l,
                   "SELECT id, table_name, data_version, wrapped_key, n_rows, n_bytes FROM asset"
                   " WHERE state = 'in force' ORDER BY table_name",
                   &s, err));
    int step;
    hd_code rc = HD_OK;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        if (!HD_GROW(list, count, cap)) {
            rc = hd_fail_nomem(err);
            goto out;
        }
        hd_asset *a = &list[count++];
        take_text(s, 1, a->table, sizeof a->table);
        a->data_version = (uint64_t)sqlite3_column_int64(s, 2);
        a->rows = (uint64_t)sqlite3_column_int64(s, 4);
        a->bytes = (uint64_t)sqlite3_column_int64(s, 5);
        if (!take_blob(s, 0, a->id, sizeof a->id) ||
            !take_blob(s, 3, a->wrapped_key, sizeof a->wrapped_key)) {
            rc = hd_fail(err, HD_FORMAT, "the ledger %s: the key of table %s is damaged", l->path,
                         a->table);
            goto out;
        }
    }
    if (step != SQLITE_DONE) {
        rc = fail(l, step, err);
        goto out;
    }
    *out = list;
    *n = count;
    list = NULL;
out:
    sqlite3_finalize(s);
    hd_wipe_free(list, count * sizeof *list);
    return rc;
}

hd_code hd_ledger_extracts(hd_ledger *l, hd_ledger_extract **out, size_t *n, hd_err *err)
{
    hd_ledger_extract *list = NULL;
    size_t count = 0, cap = 0;
    sqlite3_stmt *s = NULL;
    *out = NULL;
    *n = 0;
    HD_TRY(prepare(l,
                   "SELECT table_name, files, digest, loaded_at, data_year, part_year, rows_read,"
                   " rows_kept, rows_rejected, rows_opted_out FROM extract"
                   " WHERE replaced_at IS NULL ORDER BY table_name, data_year",
                   &s, err));
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        if (!HD_GROW(list, count, cap)) {
            step = SQLITE_NOMEM;
            break;
        }
        hd_ledger_extract *x = &list[count++];
        take_text(s, 0, x->table, sizeof x->table);
        take_text(s, 1, x->files, sizeof x->files);
        take_text(s, 2, x->digest, sizeof x->digest);
        take_text(s, 3, x->loaded_at, sizeof x->loaded_at);
        x->data_year = sqlite3_column_int(s, 4);
        x->part_year = sqlite3_column_int(s, 5);
        x->rows_read = (uint64_t)sqlite3_column_int64(s, 6);
        x->rows_kept = (uint64_t)sqlite3_column_int64(s, 7);
        x->rows_rejected = (uint64_t)sqlite3_column_int64(s, 8);
        x->rows_opted_out = (uint64_t)sqlite3_column_int64(s, 9);
    }
    sqlite3_finalize(s);
    if (step != SQLITE_DONE) {
        hd_free(list);
        return fail(l, step, err);
    }
    *out = list;
    *n = count;
    return HD_OK;
}

/* ---- writing -------------------------------------------------------------------------------- */

hd_code hd_ledger_set_version(hd_ledger *l, uint64_t data_version, hd_err *err)
{
    return CHANGE(l, "UPDATE vault SET data_version = ?", err, INTEGER(data_version));
}

hd_code hd_ledger_add_asset(hd_ledger *l, const hd_asset *a, hd_err *err)
{
    char now[32];
    time_now(now);
    return CHANGE(l, "INSERT INTO asset VALUES(?, ?, ?, 'in force', ?, ?, ?, ?, NULL)", err,
                  BLOB(a->id, sizeof a->id), TEXT(a->table), INTEGER(a->data_version),
                  BLOB(a->wrapped_key, sizeof a->wrapped_key), INTEGER(a->rows), INTEGER(a->bytes),
                  TEXT(now));
}

hd_code hd_ledger_destroy_asset(hd_ledger *l, const uint8_t id[16], hd_err *err)
{
    char now[32];
    time_now(now);
    HD_TRY(CHANGE(l,
                  "UPDATE asset SET state = 'destroyed', wrapped_key = NULL, destroyed_at = ?"
                  " WHERE id = ?",
                  err, TEXT(now), BLOB(id, 16)));
    if (sqlite3_changes(l->db) != 1)
        return hd_fail(err, HD_NOTFOUND,
                       "the ledger %s does not know an asset that is to be "
                       "destroyed",
                       l->path);
    return HD_OK;
}

hd_code hd_ledger_put_extract(hd_ledger *l, const hd_ledger_extract *x, hd_err *err)
{
    char now[32];
    time_now(now);
    HD_TRY(CHANGE(l,
                  "UPDATE extract SET replaced_at = ? WHERE table_name = ? AND data_year = ?"
                  " AND replaced_at IS NULL",
                  err, TEXT(now), TEXT(x->table), INTEGER(x->data_year)));
    return CHANGE(l, "INSERT INTO extract VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", err,
                  TEXT(x->table), INTEGER(x->data_year), INTEGER(x->part_year),
                  INTEGER(x->rows_read), INTEGER(x->rows_kept), INTEGER(x->rows_rejected),
                  INTEGER(x->rows_opted_out), TEXT(x->files), TEXT(x->digest), TEXT(now));
}

hd_code hd_ledger_add_output(hd_ledger *l, const char *tag, const char *purpose,
                             const char *question, const char *policy, hd_err *err)
{
    char now[32];
    time_now(now);
    return CHANGE(l, "INSERT INTO output SELECT NULL, ?, ?, ?, ?, data_version, ? FROM vault", err,
                  TEXT(tag), TEXT(purpose), TEXT(question), TEXT(policy), TEXT(now));
}

/* ---- the log -------------------------------------------------------------------------------- */

/* Two tables grow by chained rows: the last column of a row is the hash of the row before. */
typedef struct chain {
    const char *name;
    const char *all, *last; /* statements: number first, `previous` last */
    int n_columns;
} chain;

#define LOG_COLUMNS "SELECT number, at, event, detail, previous FROM log ORDER BY number"
#define RELEASE_COLUMNS                                                                            \
    "SELECT number, at, table_name, agreement, asker, policy, data_version, question, near, salt," \
    " body, previous FROM release ORDER BY number"

static const chain log_chain = {"log", LOG_COLUMNS, LOG_COLUMNS " DESC LIMIT 1", 5};
static const chain release_chain = {"list of releases", RELEASE_COLUMNS,
                                    RELEASE_COLUMNS " DESC LIMIT 1", 12};

/* The hash of a row covers each field with its length in front, so that no two rows share it. */
static void hash_row(const chain *c, sqlite3_stmt *s, uint8_t out[HD_DIGEST])
{
    hd_digest d;
    hd_digest_begin(&d);
    for (int i = 0; i < c->n_columns; i++) {
        if (sqlite3_column_type(s, i) == SQLITE_INTEGER) {
            uint64_t number = (uint64_t)sqlite3_column_int64(s, i);
            hd_digest_add(&d, &number, sizeof number);
            continue;
        }
        const void *p = sqlite3_column_blob(s, i);
        uint64_t len = (uint64_t)sqlite3_column_bytes(s, i);
        hd_digest_add(&d, &len, sizeof len);
        if (len)
            hd_digest_add(&d, p, (size_t)len);
    }
    hd_digest_end(&d, out);
}

/* Number of the next row and the hash that it carries. */
static hd_code end_of_chain(hd_ledger *l, const chain *c, int64_t *number,
                            uint8_t previous[HD_DIGEST], hd_err *err)
{
    sqlite3_stmt *s = NULL;
    memset(previous, 0, HD_DIGEST);
    *number = 1;
    HD_TRY(prepare(l, c->last, &s, err));
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *number = sqlite3_column_int64(s, 0) + 1;
        hash_row(c, s, previous);
    }
    hd_code code = rc == SQLITE_ROW || rc == SQLITE_DONE ? HD_OK : fail(l, rc, err);
    sqlite3_finalize(s);
    return code;
}

hd_code hd_ledger_log(hd_ledger *l, const char *event, const char *detail, hd_err *err)
{
    uint8_t previous[HD_DIGEST];
    int64_t number;
    char now[32];
    HD_TRY(end_of_chain(l, &log_chain, &number, previous, err));
    time_now(now);
    return CHANGE(l, "INSERT INTO log VALUES(?, ?, ?, ?, ?)", err, INTEGER(number), TEXT(now),
                  TEXT(event), TEXT(detail), BLOB(previous, sizeof previous));
}

static hd_code verify_chain(hd_ledger *l, const chain *c, hd_err *err)
{
    sqlite3_stmt *s = NULL;
    HD_TRY(prepare(l, c->all, &s, err));
    uint8_t want[HD_DIGEST] = {0}, have[HD_DIGEST];
    int64_t number = 0;
    int rc = SQLITE_DONE;
    hd_code code = HD_OK;
    while (code == HD_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        number++;
        if (sqlite3_column_int64(s, 0) != number ||
            !take_blob(s, c->n_columns - 1, have, sizeof have) ||
            memcmp(want, have, sizeof have) != 0)
            code = hd_fail(err, HD_FORMAT, "the %s in %s was altered before entry %" PRId64,
                           c->name, l->path, number);
        hash_row(c, s, want);
    }
    if (code == HD_OK && rc != SQLITE_DONE)
        code = fail(l, rc, err);
    sqlite3_finalize(s);
    return code;
}

/* ---- releases ------------------------------------------------------------------------------- */

hd_code hd_ledger_add_release(hd_ledger *l, const hd_ledger_release *r, int64_t *number,
                              uint8_t hash[32], hd_err *err)
{
    uint8_t previous[HD_DIGEST];
    int64_t next;
    char now[32];
    HD_TRY(end_of_chain(l, &release_chain, number, previous, err));
    time_now(now);
    HD_TRY(CHANGE(l, "INSERT INTO release VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", err,
                  INTEGER(*number), TEXT(now), TEXT(r->table), TEXT(r->agreement), TEXT(r->asker),
                  TEXT(r->policy), INTEGER(r->data_version), BLOB(r->question, sizeof r->question),
                  INTEGER(r->near), BLOB(r->salt, sizeof r->salt), BLOB(r->body, r->body_len),
                  BLOB(previous, sizeof previous)));
    return end_of_chain(l, &release_chain, &next, hash, err);
}

static const char *text_at(sqlite3_stmt *s, int i)
{
    const unsigned char *p = sqlite3_column_text(s, i);
    return p ? (const char *)p : "";
}

hd_code hd_ledger_releases(hd_ledger *l, const char *agreement, const uint8_t *question,
                           hd_code (*take)(void *ctx, const hd_ledger_release *r, hd_err *err),
                           void *ctx, hd_err *err)
{
    sqlite3_stmt *s = NULL;
    HD_TRY(prepare(l,
                   "SELECT number, table_name, agreement, asker, policy, data_version, near,"
                   " question, salt, body, at FROM release WHERE (?1 IS NULL OR agreement = ?1)"
                   " AND (?2 IS NULL OR question = ?2) ORDER BY number",
                   &s, err));
    int rc = agreement ? sqlite3_bind_text(s, 1, agreement, -1, SQLITE_STATIC) : SQLITE_OK;
    if (rc == SQLITE_OK && question)
        rc = sqlite3_bind_blob(s, 2, question, 32, SQLITE_STATIC);
    hd_code code = rc == SQLITE_OK ? HD_OK : fail(l, rc, err);
    while (code == HD_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        hd_ledger_release r = {.number = sqlite3_column_int64(s, 0),
                               .table = text_at(s, 1),
                               .agreement = text_at(s, 2),
                               .asker = text_at(s, 3),
                               .policy = text_at(s, 4),
                               .data_version = (uint64_t)sqlite3_column_int64(s, 5),
                               .near = sqlite3_column_int64(s, 6),
                               .at = text_at(s, 10)};
        r.body = sqlite3_column_blob(s, 9);
        r.body_len = (size_t)sqlite3_column_bytes(s, 9);
        if (!take_blob(s, 7, r.question, sizeof r.question) ||
            !take_blob(s, 8, r.salt, sizeof r.salt))
            code = hd_fail(err, HD_FORMAT, "the ledger %s: release %" PRId64 " is damaged", l->path,
                           r.number);
        else
            code = take(ctx, &r, err);
    }
    if (code == HD_OK && rc != SQLITE_DONE)
        code = fail(l, rc, err);
    sqlite3_finalize(s);
    return code;
}

hd_code hd_ledger_count_near(hd_ledger *l, const char *asker, const char *agreement, int64_t *out,
                             hd_err *err)
{
    sqlite3_stmt *s = NULL;
    HD_TRY(prepare(l, "SELECT count(*) FROM release WHERE asker = ? AND agreement = ? AND near > 0",
                   &s, err));
    int rc = sqlite3_bind_text(s, 1, asker, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(s, 2, agreement, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    hd_code code = rc == SQLITE_ROW ? HD_OK : fail(l, rc, err);
    sqlite3_finalize(s);
    return code;
}

hd_code hd_ledger_setting(hd_ledger *l, const char *name, char *out, size_t size, hd_err *err)
{
    sqlite3_stmt *s = NULL;
    *out = '\0';
    HD_TRY(prepare(l, "SELECT value FROM setting WHERE name = ?", &s, err));
    int rc = sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        take_text(s, 0, out, size);
    hd_code code = rc == SQLITE_ROW || rc == SQLITE_DONE ? HD_OK : fail(l, rc, err);
    sqlite3_finalize(s);
    return code;
}

hd_code hd_ledger_set_setting(hd_ledger *l, const char *name, const char *value, hd_err *err)
{
    return CHANGE(l, "INSERT OR REPLACE INTO setting VALUES(?, ?)", err, TEXT(name), TEXT(value));
}

hd_code hd_ledger_verify(hd_ledger *l, hd_err *err)
{
    sqlite3_stmt *s = NULL;
    HD_TRY(prepare(l, "PRAGMA integrity_check(1)", &s, err));
    int rc = sqlite3_step(s);
    hd_code code = HD_OK;
    if (rc != SQLITE_ROW)
        code = fail(l, rc, err);
    else if (strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0)
        code = hd_fail(err, HD_FORMAT, "the ledger %s is damaged: restore it from a copy", l->path);
    sqlite3_finalize(s);
    HD_TRY(code);
    HD_TRY(verify_chain(l, &log_chain, err));
    return verify_chain(l, &release_chain, err);
}

hd_code hd_ledger_clean(hd_ledger *l, hd_err *err)
{
    int rc = sqlite3_wal_checkpoint_v2(l->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return rc == SQLITE_OK ? HD_OK : fail(l, rc, err);
}
