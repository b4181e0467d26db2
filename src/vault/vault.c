/* vault.c - make a vault, open it, know its tables.
 *
 * Layout of the folder: ledger.db (with -wal and -shm while in use), lock, tables/ID.hdt. Opening
 * takes one snapshot: the ledger is read in one transaction and every file it names is opened at
 * once, so all tables of an open vault belong to one data version even while a writer replaces
 * them.
 */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "base/io.h"
#include "crypto/secret.h"
#include "vault/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SNAPSHOT_TRIES = 100 };

/* ---- paths ---------------------------------------------------------------------------------- */

static hd_code join(char *out, size_t size, const char *folder, const char *name, hd_err *err)
{
    if ((size_t)snprintf(out, size, "%s/%s", folder, name) >= size)
        return hd_fail(err, HD_LIMIT, "the path %s is too long", folder);
    return HD_OK;
}

hd_code hd_vault_file_path(const hd_vault *v, const uint8_t asset_id[16], const char *suffix,
                           char *out, size_t size, hd_err *err)
{
    char name[64], hex[33];
    hd_hex(hex, asset_id, 16);
    snprintf(name, sizeof name, "tables/%s%s", hex, suffix);
    return join(out, size, v->folder, name, err);
}

/* The real path; of something that does not exist yet: the real path of its folder and its name. */
static hd_code real_path(const char *path, char out[PATH_MAX], hd_err *err)
{
    if (realpath(path, out))
        return HD_OK;
    if (errno != ENOENT)
        return hd_fail_os(err, "cannot find %s", path);
    char a[PATH_MAX], b[PATH_MAX], parent[PATH_MAX];
    if (strlen(path) >= PATH_MAX)
        return hd_fail(err, HD_LIMIT, "the path %s is too long", path);
    snprintf(a, sizeof a, "%s", path);
    snprintf(b, sizeof b, "%s", path);
    if (!realpath(dirname(a), parent))
        return hd_fail(err, HD_NOTFOUND, "the folder of %s does not exist", path);
    return join(out, PATH_MAX, strcmp(parent, "/") == 0 ? "" : parent, basename(b), err);
}

hd_code hd_vault_default_key_file(const char *folder, char *out, size_t size, hd_err *err)
{
    const char *set = getenv("HDIS_KEY_FILE"), *home = getenv("HOME");
    if (set && *set) {
        if ((size_t)snprintf(out, size, "%s", set) >= size)
            return hd_fail(err, HD_LIMIT, "the path in HDIS_KEY_FILE is too long");
        return HD_OK;
    }
    if (!home || !*home)
        return hd_fail(err, HD_INVALID, "no key file: name it with --key-file or HDIS_KEY_FILE");
    char real[PATH_MAX];
    HD_TRY(real_path(folder, real, err));
    if ((size_t)snprintf(out, size, "%s/.config/hdis/%s.key", home, basename(real)) >= size)
        return hd_fail(err, HD_LIMIT, "the path of the key file is too long");
    return HD_OK;
}

/* A copy of the vault must not carry its key along. */
static hd_code refuse_key_inside(const char *folder, const char *key_file, hd_err *err)
{
    char real[PATH_MAX];
    hd_code found = real_path(key_file, real, err);
    if (found == HD_NOTFOUND)
        return hd_fail(err, found, "there is no key file %s: name it with --key-file or HDIS_KEY_FILE",
                       key_file);
    HD_TRY(found);
    size_t n = strlen(folder);
    if (strncmp(real, folder, n) == 0 && real[n] == '/')
        return hd_fail(err, HD_DENIED,
                       "the key file %s lies inside the vault: keep it elsewhere, "
                       "never with the data",
                       key_file);
    return HD_OK;
}

/* ---- making --------------------------------------------------------------------------------- */

static const char new_ledger_name[] = "ledger.db.new";

/* Folders of a path that do not exist yet, 0700. */
static hd_code make_parents(const char *path, hd_err *err)
{
    char copy[PATH_MAX];
    if ((size_t)snprintf(copy, sizeof copy, "%s", path) >= sizeof copy)
        return hd_fail(err, HD_LIMIT, "the path %s is too long", path);
    for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        HD_TRY(hd_io_make_dir(copy, err));
        *p = '/';
    }
    return HD_OK;
}

/* Empty, or nothing but what an interrupted hd_vault_create leaves. */
static hd_code check_is_empty(const char *folder, hd_err *err)
{
    static const char *const ours[] = {".",
                                       "..",
                                       "tables",
                                       "lock",
                                       new_ledger_name,
                                       "ledger.db.new-wal",
                                       "ledger.db.new-shm",
                                       "ledger.db.new-journal"};
    DIR *d = opendir(folder);
    if (!d)
        return hd_fail_os(err, "cannot open the folder %s", folder);
    bool empty = true;
    for (struct dirent *e; empty && (e = readdir(d));) {
        empty = false;
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
            empty = empty || strcmp(e->d_name, ours[i]) == 0;
    }
    closedir(d);
    if (!empty)
        return hd_fail(err, HD_CONFLICT, "the folder %s is not empty: a vault needs its own",
                       folder);
    return HD_OK;
}

/* Does the unfinished ledger belong to these keys? Then an earlier hd_vault_create died just before
 * its last step. */
static bool is_ledger_of(const char *path, const hd_keys *k)
{
    hd_ledger *l = NULL;
    hd_ledger_vault row;
    uint8_t check[32];
    hd_keys_check(k, check);
    bool same = hd_ledger_open(&l, path, NULL) == HD_OK &&
                hd_ledger_vault_row(l, &row, NULL) == HD_OK &&
                memcmp(row.id, k->vault_id, sizeof row.id) == 0 &&
                hd_same_bytes(row.key_check, check, sizeof check);
    hd_ledger_close(l);
    return same;
}

static hd_code remove_new_ledger(const char *path, hd_err *err)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char name[PATH_MAX];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if ((size_t)snprintf(name, sizeof name, "%s%s", path, suffixes[i]) >= sizeof name)
            return hd_fail(err, HD_LIMIT, "the path %s is too long", path);
        HD_TRY(hd_io_unlink(name, err));
    }
    return HD_OK;
}

/* Keys and a ledger under its working name; `finished` when both were there already. */
static hd_code make_keys_and_ledger(const char *path, const char *key_file, hd_err *err)
{
    hd_keys *k = NULL;
    struct stat st;
    hd_code rc;
    if (lstat(key_file, &st) == 0) {
        if (hd_keys_read(&k, key_file, NULL) == HD_OK && is_ledger_of(path, k))
            rc = HD_OK;
        else
            rc = hd_fail(err, HD_CONFLICT,
                         "the key file %s exists already; it is never "
                         "overwritten: name another with --key-file",
                         key_file);
        goto out;
    }
    HD_GO(remove_new_ledger(path, err));
    HD_GO(hd_keys_make(&k, err));
    uint8_t check[32];
    hd_keys_check(k, check);
    HD_GO(hd_ledger_create(path, k->vault_id, check, err));
    HD_GO(hd_keys_write(k, key_file, err));
out:
    hd_secret_free(k);
    return rc;
}

/* Order: ledger under a working name, key file, rename. A vault exists from the rename on, and then
 * its key file exists too. */
hd_code hd_vault_create(const char *folder, const char *key_file, hd_err *err)
{
    char real[PATH_MAX], path[PATH_MAX], working[PATH_MAX];
    HD_TRY(hd_crypto_start(err));
    HD_TRY(hd_io_make_dir(folder, err));
    HD_TRY(real_path(folder, real, err));
    HD_TRY(join(path, sizeof path, real, "ledger.db", err));
    if (access(path, F_OK) == 0)
        return hd_fail(err, HD_CONFLICT, "%s is a vault already", folder);
    HD_TRY(check_is_empty(real, err));
    HD_TRY(make_parents(key_file, err));
    HD_TRY(refuse_key_inside(real, key_file, err));
    HD_TRY(join(path, sizeof path, real, "tables", err));
    HD_TRY(hd_io_make_dir(path, err));
    HD_TRY(join(path, sizeof path, real, "ledger.db", err));
    HD_TRY(join(working, sizeof working, real, new_ledger_name, err));
    HD_TRY(make_keys_and_ledger(working, key_file, err));
    return hd_io_rename(working, path, err);
}

/* ---- opening -------------------------------------------------------------------------------- */

void hd_entry_close(hd_entry *e)
{
    hd_table_close(e->table);
    e->table = NULL;
    if (e->fd >= 0)
        close(e->fd);
    e->fd = -1;
    hd_wipe(e->asset.wrapped_key, sizeof e->asset.wrapped_key);
}

static void close_entries(hd_entry *entries, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hd_entry_close(&entries[i]);
    hd_free(entries);
}

/* Open every file the ledger names. *again: one is gone, a writer replaced it meanwhile. */
static hd_code open_files(hd_vault *v, const hd_asset *assets, size_t n, bool *again, hd_err *err)
{
    char path[PATH_MAX];
    *again = false;
    hd_entry *entries = hd_calloc(n, sizeof *entries);
    if (!entries)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        entries[i].asset = assets[i];
        hd_code rc = hd_vault_file_path(v, assets[i].id, ".hdt", path, sizeof path, err);
        entries[i].fd = rc == HD_OK ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (entries[i].fd >= 0)
            continue;
        *again = rc == HD_OK && errno == ENOENT;
        if (rc == HD_OK)
            rc = hd_fail_os(err, "cannot open the file of table %s (%s): restore it from a copy",
                            assets[i].table, path);
        close_entries(entries, i + 1);
        return rc;
    }
    v->entries = entries;
    v->n_entries = n;
    return HD_OK;
}

static hd_code check_keys(const hd_vault *v, const hd_ledger_vault *row, hd_err *err)
{
    uint8_t check[32];
    hd_keys_check(v->keys, check);
    if (memcmp(row->id, v->keys->vault_id, sizeof row->id) != 0 ||
        !hd_same_bytes(row->key_check, check, sizeof check))
        return hd_fail(err, HD_CRYPTO, "the key file %s belongs to another vault than %s",
                       v->key_file, v->folder);
    return HD_OK;
}

static hd_code read_ledger(hd_vault *v, hd_asset **assets, size_t *n, hd_err *err)
{
    hd_ledger_vault row;
    hd_code rc;
    *assets = NULL;
    HD_TRY(hd_ledger_begin(v->ledger, false, err));
    HD_GO(hd_ledger_vault_row(v->ledger, &row, err));
    HD_GO(check_keys(v, &row, err));
    HD_GO(hd_ledger_assets(v->ledger, assets, n, err));
    v->data_version = row.data_version;
out:
    hd_ledger_rollback(v->ledger);
    return rc;
}

static hd_code take_snapshot(hd_vault *v, hd_err *err)
{
    for (int i = 0;; i++) {
        hd_asset *assets;
        size_t n = 0;
        bool again;
        HD_TRY(read_ledger(v, &assets, &n, err));
        hd_code rc = open_files(v, assets, n, &again, err);
        hd_wipe_free(assets, n * sizeof *assets);
        if (rc == HD_OK || !again || i == SNAPSHOT_TRIES)
            return rc;
        usleep(1000);
    }
}

static hd_code take_lock(hd_vault *v, hd_err *err)
{
    char path[PATH_MAX];
    HD_TRY(join(path, sizeof path, v->folder, "lock", err));
    v->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (v->lock_fd < 0)
        return hd_fail_os(err, "cannot open %s", path);
    if (flock(v->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return HD_OK;
    if (errno == EWOULDBLOCK)
        return hd_fail(err, HD_CONFLICT,
                       "the vault %s is being written by another process: try "
                       "again when it is done",
                       v->folder);
    return hd_fail_os(err, "cannot lock %s", path);
}

static bool is_named(const hd_vault *v, const char *file)
{
    char hex[33];
    for (size_t i = 0; i < v->n_entries; i++) {
        hd_hex(hex, v->entries[i].asset.id, 16);
        if (strncmp(file, hex, 32) == 0 && strcmp(file + 32, ".hdt") == 0)
            return true;
    }
    return false;
}

/* A file that only we can have made. Others, whoever put them there, are left alone. */
static bool is_ours(const char *file)
{
    size_t digits = strspn(file, "0123456789abcdef");
    return (digits == 32 && (strcmp(file + 32, ".hdt") == 0 || strcmp(file + 32, ".tmp") == 0)) ||
           (strncmp(file, "stage-", 6) == 0 && strlen(file) == 12);
}

/* What writers that died left behind: pages of destroyed keys in the WAL, and files. In this order:
 * when the WAL is empty, what the ledger says is final, also about a commit whose sync failed;
 * until then a table file that it does not name is not removed. */
static hd_code remove_leftovers(hd_vault *v, hd_err *err)
{
    char folder[PATH_MAX], path[PATH_MAX];
    hd_code rc = hd_ledger_clean(v->ledger, err);
    if (rc == HD_CONFLICT) /* a reader is in the way: the next writer does it */
        return HD_OK;
    HD_TRY(rc);
    HD_TRY(join(folder, sizeof folder, v->folder, "tables", err));
    DIR *d = opendir(folder);
    if (!d)
        return hd_fail_os(err, "cannot open the folder %s", folder);
    for (struct dirent *e; rc == HD_OK && (e = readdir(d));) {
        if (!is_ours(e->d_name) || is_named(v, e->d_name))
            continue;
        rc = join(path, sizeof path, folder, e->d_name, err);
        if (rc == HD_OK)
            rc = hd_io_unlink(path, err);
    }
    closedir(d);
    return rc;
}

static hd_code open_parts(hd_vault *v, hd_err *err)
{
    char path[PATH_MAX];
    HD_TRY(join(path, sizeof path, v->folder, "ledger.db", err));
    if (access(path, F_OK) != 0)
        return hd_fail(err, HD_NOTFOUND, "%s is not a vault: make one with hdis init", v->folder);
    HD_TRY(refuse_key_inside(v->folder, v->key_file, err));
    HD_TRY(hd_keys_read(&v->keys, v->key_file, err));
    if (!(v->pseudonymiser = hd_secret_new(sizeof *v->pseudonymiser)))
        return hd_fail_nomem(err);
    hd_pseudonymiser_begin(v->pseudonymiser, v->keys->pseudonym);
    if (v->writes)
        HD_TRY(take_lock(v, err));
    HD_TRY(hd_ledger_open(&v->ledger, path, err));
    HD_TRY(take_snapshot(v, err));
    return v->writes ? remove_leftovers(v, err) : HD_OK;
}

static hd_code start_locks(hd_vault *v, hd_err *err)
{
    HD_TRY(hd_memory_init(&v->memory, v, err));
    if (pthread_mutex_init(&v->opening, NULL) == 0)
        return HD_OK;
    hd_memory_fini(&v->memory);
    return hd_fail_nomem(err);
}

hd_code hd_vault_open(hd_vault **out, const char *folder, const char *key_file, bool writes,
                      hd_err *err)
{
    char real[PATH_MAX];
    *out = NULL;
    HD_TRY(hd_crypto_start(err));
    if (!realpath(folder, real))
        return errno == ENOENT ? hd_fail(err, HD_NOTFOUND,
                                         "the vault %s does not exist: make one "
                                         "with hdis init",
                                         folder)
                               : hd_fail_os(err, "cannot open the vault %s", folder);
    hd_vault *v = hd_calloc(1, sizeof *v);
    if (!v)
        return hd_fail_nomem(err);
    v->lock_fd = -1;
    hd_code rc = start_locks(v, err);
    if (rc != HD_OK) {
        hd_free(v);
        return rc;
    }
    v->writes = writes;
    v->folder = hd_strdup(real);
    v->key_file = hd_strdup(key_file);
    rc = v->folder && v->key_file ? open_parts(v, err) : hd_fail_nomem(err);
    if (rc == HD_OK)
        *out = v;
    else
        hd_vault_close(v);
    return rc;
}

void hd_vault_close(hd_vault *v)
{
    if (!v)
        return;
    close_entries(v->entries, v->n_entries);
    hd_ledger_close(v->ledger);
    if (v->lock_fd >= 0)
        close(v->lock_fd); /* and so unlocks */
    hd_secret_free(v->pseudonymiser);
    hd_secret_free(v->keys);
    hd_free(v->folder);
    hd_free(v->key_file);
    pthread_mutex_destroy(&v->opening);
    hd_memory_fini(&v->memory);
    hd_free(v);
}

/* ---- what is in it -------------------------------------------------------------------------- */

uint64_t hd_vault_data_version(const hd_vault *v)
{
    return v->data_version;
}

const char *hd_vault_folder(const hd_vault *v)
{
    return v->folder;
}

void hd_vault_pseudonym(const hd_vault *v, const void *id, size_t len, uint8_t out[16])
{
    hd_pseudonym(v->pseudonymiser, id, len, out);
}

void hd_vault_pseudonyms(const hd_vault *v, const void *const *ids, const size_t *lens, size_t n,
                         uint8_t (*out)[16])
{
    hd_pseudonyms(v->pseudonymiser, ids, lens, n, out);
}

uint64_t hd_vault_key_hash(const hd_vault *v, const void *id, size_t len)
{
    return hd_key_hash(v->keys->hash, id, len);
}

void hd_vault_key_hashes(const hd_vault *v, const uint64_t *first, const uint64_t *second, size_t n,
                         uint64_t *out)
{
    hd_key_hashes(v->keys->hash, first, second, n, out);
}

uint64_t hd_vault_blurred_limit(const hd_vault *v, const char *question, uint64_t limit)
{
    return limit - hd_vault_key_hash(v, question, strlen(question)) % (limit / 10 + 1);
}

static hd_entry *find_entry(const hd_vault *v, const char *name)
{
    for (size_t i = 0; i < v->n_entries; i++)
        if (strcmp(v->entries[i].asset.table, name) == 0 && name[0] != '.')
            return &v->entries[i];
    return NULL;
}

static hd_code open_table(hd_vault *v, const hd_entry *e, hd_table **out, hd_err *err)
{
    *out = NULL;
    uint8_t *key = hd_secret_new(HD_SEAL_KEY);
    if (!key)
        return hd_fail_nomem(err);
    hd_code rc = hd_key_unwrap(v->keys, e->asset.id, e->asset.wrapped_key, key, err);
    if (rc == HD_OK)
        rc = hd_table_open(out, e->fd, e->asset.table, e->asset.id, key, err);
    hd_secret_free(key);
    if (rc != HD_OK || hd_table_rows(*out) == e->asset.rows)
        return rc;
    hd_table_close(*out);
    *out = NULL;
    return hd_fail(err, HD_FORMAT,
                   "table %s does not have the rows the ledger states: restore "
                   "the vault from a copy",
                   e->asset.table);
}

/* One thread opens, the others wait for it. */
hd_code hd_entry_table(hd_vault *v, hd_entry *e, hd_table **out, hd_err *err)
{
    hd_code rc = HD_OK;
    bool is_counted = e >= v->entries && e < v->entries + v->n_entries;
    pthread_mutex_lock(&v->opening);
    hd_table *t = e->table;
    if (!t)
        rc = open_table(v, e, &t, err);
    if (rc == HD_OK && !e->table) {
        if (is_counted)
            t->memory = &v->memory;
        pthread_mutex_lock(&v->memory.lock); /* whoever looks for room goes through all tables */
        e->table = t;
        pthread_mutex_unlock(&v->memory.lock);
    }
    pthread_mutex_unlock(&v->opening);
    *out = t;
    return rc;
}

hd_code hd_vault_table(hd_vault *v, const char *name, hd_table **out, hd_err *err)
{
    *out = NULL;
    hd_entry *e = find_entry(v, name);
    if (!e)
        return hd_fail(err, HD_NOTFOUND, "there is no table %s in the vault: load its data first",
                       name);
    return hd_entry_table(v, e, out, err);
}

bool hd_vault_has_table(const hd_vault *v, const char *name)
{
    return find_entry(v, name) != NULL;
}

hd_code hd_vault_tables(hd_vault *v, hd_table_info **out, size_t *n, hd_err *err)
{
    *n = 0;
    *out = hd_calloc(v->n_entries, sizeof **out);
    if (!*out)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < v->n_entries; i++) {
        const hd_asset *a = &v->entries[i].asset;
        if (a->table[0] == '.')
            continue;
        hd_table_info *info = &(*out)[(*n)++];
        snprintf(info->table, sizeof info->table, "%s", a->table);
        info->data_version = a->data_version;
        info->rows = a->rows;
        info->bytes = a->bytes;
    }
    return HD_OK;
}

hd_code hd_vault_verify(hd_vault *v, hd_err *err)
{
    HD_TRY(hd_ledger_verify(v->ledger, err));
    for (size_t i = 0; i < v->n_entries; i++) {
        hd_table *t;
        HD_TRY(hd_entry_table(v, &v->entries[i], &t, err));
        HD_TRY(hd_table_verify(t, err));
    }
    return HD_OK;
}

hd_code hd_vault_extracts(hd_vault *v, hd_extract **out, size_t *n, hd_err *err)
{
    hd_ledger_extract *list = NULL;
    *out = NULL;
    HD_TRY(hd_ledger_extracts(v->ledger, &list, n, err));
    hd_extract *copy = hd_calloc(*n, sizeof *copy);
    for (size_t i = 0; copy && i < *n; i++) {
        const hd_ledger_extract *x = &list[i];
        hd_extract *y = &copy[i];
        *y = (hd_extract){.data_year = x->data_year,
                          .part_year = x->part_year,
                          .rows_read = x->rows_read,
                          .rows_kept = x->rows_kept,
                          .rows_rejected = x->rows_rejected,
                          .rows_opted_out = x->rows_opted_out};
        snprintf(y->table, sizeof y->table, "%s", x->table);
        snprintf(y->files, sizeof y->files, "%s", x->files);
        snprintf(y->digest, sizeof y->digest, "%s", x->digest);
        snprintf(y->loaded_at, sizeof y->loaded_at, "%s", x->loaded_at);
    }
    hd_free(list);
    *out = copy;
    return copy ? HD_OK : hd_fail_nomem(err);
}

hd_code hd_vault_record_output(hd_vault *v, const char *purpose, const char *question,
                               const char *policy, char tag_out[32], hd_err *err)
{
    uint8_t random[10];
    char tag[32], hex[2 * sizeof random + 1];
    hd_random(random, sizeof random);
    hd_hex(hex, random, sizeof random);
    snprintf(tag, sizeof tag, "out-%s", hex);
    hd_code rc;
    HD_TRY(hd_ledger_begin(v->ledger, true, err));
    HD_GO(hd_ledger_add_output(v->ledger, tag, purpose, question, policy, err));
    HD_GO(hd_ledger_log(v->ledger, "output", tag, err));
    HD_GO(hd_ledger_commit(v->ledger, err));
    memcpy(tag_out, tag, sizeof tag);
out:
    hd_ledger_rollback(v->ledger);
    return rc;
}
