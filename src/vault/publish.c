/* publish.c - one transaction over table files and the ledger.
 *
 * Order of steps: each table's file is written under a name that ends in .tmp, synced, renamed;
 * then one ledger transaction adds the new assets, destroys the keys of those they replace, and
 * raises the data version. That commit is the moment of change. Afterwards the replaced files are
 * removed and the ledger's WAL is emptied; both are done again by the next writer if we die before.
 */
#include "base/alloc.h"
#include "base/io.h"
#include "crypto/secret.h"
#include "vault/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct hd_publish {
    hd_vault *vault;
    hd_entry *entries; /* new table versions, not yet in the ledger */
    size_t n_entries, entries_cap;
    hd_ledger_extract *extracts;
    size_t n_extracts, extracts_cap;
    bool in_doubt; /* a commit failed, and the disk may hold it all the same */
};

hd_code hd_publish_begin(hd_publish **out, hd_vault *v, hd_err *err)
{
    *out = NULL;
    if (!v->writes)
        return hd_fail(err, HD_INVALID, "the vault %s is open for reading only", v->folder);
    hd_publish *p = hd_calloc(1, sizeof *p);
    if (!p)
        return hd_fail_nomem(err);
    p->vault = v;
    *out = p;
    return HD_OK;
}

static void remove_file(const hd_vault *v, const uint8_t asset_id[16], const char *suffix)
{
    char path[PATH_MAX];
    if (hd_vault_file_path(v, asset_id, suffix, path, sizeof path, NULL) == HD_OK &&
        hd_io_unlink(path, NULL) != HD_OK)
        return; /* a leftover for the next writer */
}

void hd_publish_free(hd_publish *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_entries; i++) {
        /* In doubt, whoever opens the ledger next finds out, and the next writer removes what it
         * does not name. */
        if (!p->in_doubt)
            remove_file(p->vault, p->entries[i].asset.id, ".hdt");
        hd_entry_close(&p->entries[i]);
    }
    hd_free(p->entries);
    hd_free(p->extracts);
    hd_free(p);
}

/* ---- writing a table ------------------------------------------------------------------------ */

static hd_entry *find_entry(hd_entry *entries, size_t n, const char *table)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(entries[i].asset.table, table) == 0)
            return &entries[i];
    return NULL;
}

/* Write, sync and rename the file of entry `e`, whose key is `key`. */
static hd_code write_file(hd_vault *v, hd_builder *b, hd_entry *e, const uint8_t *key, hd_err *err)
{
    char temporary[PATH_MAX], path[PATH_MAX];
    HD_TRY(hd_vault_file_path(v, e->asset.id, ".tmp", temporary, sizeof temporary, err));
    HD_TRY(hd_vault_file_path(v, e->asset.id, ".hdt", path, sizeof path, err));
    e->fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (e->fd < 0)
        return hd_fail_os(err, "cannot create %s", temporary);
    hd_file_writer f = {.fd = e->fd, .name = path, .key = key, .asset_id = e->asset.id};
    hd_code rc = hd_builder_finish(b, &f, &e->asset.rows, &e->asset.bytes, err);
    if (rc == HD_OK)
        rc = hd_io_sync(e->fd, path, err);
    if (rc == HD_OK)
        rc = hd_io_rename(temporary, path, err);
    if (rc != HD_OK) {
        remove_file(v, e->asset.id, ".tmp");
        remove_file(v, e->asset.id, ".hdt"); /* renamed, but the folder did not sync */
    }
    return rc;
}

hd_code hd_publish_table(hd_publish *p, hd_builder *b, hd_err *err)
{
    hd_vault *v = p->vault;
    const char *table = hd_builder_table(b);
    if (find_entry(p->entries, p->n_entries, table))
        return hd_fail(err, HD_CONFLICT, "table %s is published twice in one transaction", table);
    if (!HD_GROW(p->entries, p->n_entries, p->entries_cap))
        return hd_fail_nomem(err);
    hd_entry e = {.fd = -1, .asset = {.data_version = v->data_version + 1}};
    snprintf(e.asset.table, sizeof e.asset.table, "%s", table);
    hd_random(e.asset.id, sizeof e.asset.id);
    uint8_t *key = hd_secret_new(HD_SEAL_KEY);
    if (!key)
        return hd_fail_nomem(err);
    hd_random(key, HD_SEAL_KEY);
    hd_code rc = hd_key_wrap(v->keys, e.asset.id, key, e.asset.wrapped_key, err);
    if (rc == HD_OK)
        rc = write_file(v, b, &e, key, err);
    hd_secret_free(key);
    if (rc == HD_OK)
        p->entries[p->n_entries++] = e;
    else
        hd_entry_close(&e);
    return rc;
}

hd_code hd_publish_read(hd_publish *p, const char *table, hd_table **out, hd_err *err)
{
    hd_entry *e = find_entry(p->entries, p->n_entries, table);
    if (!e)
        return hd_vault_table(p->vault, table, out, err);
    return hd_entry_table(p->vault, e, out, err);
}

hd_code hd_publish_extract(hd_publish *p, const hd_extract *x, hd_err *err)
{
    if (!HD_GROW(p->extracts, p->n_extracts, p->extracts_cap))
        return hd_fail_nomem(err);
    hd_ledger_extract *y = &p->extracts[p->n_extracts++];
    *y = (hd_ledger_extract){.data_year = x->data_year,
                             .part_year = x->part_year,
                             .rows_read = x->rows_read,
                             .rows_kept = x->rows_kept,
                             .rows_rejected = x->rows_rejected,
                             .rows_opted_out = x->rows_opted_out};
    snprintf(y->table, sizeof y->table, "%s", x->table);
    snprintf(y->files, sizeof y->files, "%s", x->files);
    snprintf(y->digest, sizeof y->digest, "%s", x->digest);
    return HD_OK;
}

/* ---- committing ----------------------------------------------------------------------------- */

static hd_code enter(hd_publish *p, const char *what, hd_err *err)
{
    hd_vault *v = p->vault;
    hd_ledger *l = v->ledger;
    hd_ledger_vault row;
    hd_code rc;
    HD_GO(hd_ledger_begin(l, true, err));
    HD_GO(hd_ledger_vault_row(l, &row, err));
    if (row.data_version !=
        v->data_version) { /* the lock forbids it; a lost lock must not lose data */
        rc = hd_fail(err, HD_CONFLICT, "the vault changed while it was being written: do it again");
        goto out;
    }
    for (size_t i = 0; i < p->n_entries; i++) {
        hd_entry *old = find_entry(v->entries, v->n_entries, p->entries[i].asset.table);
        if (old)
            HD_GO(hd_ledger_destroy_asset(l, old->asset.id, err));
        HD_GO(hd_ledger_add_asset(l, &p->entries[i].asset, err));
    }
    for (size_t i = 0; i < p->n_extracts; i++)
        HD_GO(hd_ledger_put_extract(l, &p->extracts[i], err));
    HD_GO(hd_ledger_set_version(l, v->data_version + 1, err));
    HD_GO(hd_ledger_log(l, "publish", what, err));
    p->in_doubt = true;
    HD_GO(hd_ledger_commit(l, err));
out:
    hd_ledger_rollback(l);
    return rc;
}

/* The vault's entries after the commit, by name: the new ones and those they do not replace. Made
 * before the commit, because nothing may fail after it. */
static hd_code merge_entries(hd_publish *p, hd_entry **out, size_t *n, hd_err *err)
{
    hd_vault *v = p->vault;
    hd_entry *merged = hd_calloc(v->n_entries + p->n_entries, sizeof *merged);
    if (!merged)
        return hd_fail_nomem(err);
    *n = 0;
    for (size_t i = 0; i < v->n_entries; i++)
        if (!find_entry(p->entries, p->n_entries, v->entries[i].asset.table))
            merged[(*n)++] = v->entries[i];
    for (size_t i = 0; i < p->n_entries; i++) {
        size_t at = *n;
        while (at > 0 && strcmp(merged[at - 1].asset.table, p->entries[i].asset.table) > 0)
            at--;
        memmove(merged + at + 1, merged + at, (*n - at) * sizeof *merged);
        merged[at] = p->entries[i];
        ++*n;
    }
    *out = merged;
    return HD_OK;
}

hd_code hd_publish_commit(hd_publish *p, const char *what, hd_err *err)
{
    hd_vault *v = p->vault;
    hd_entry *merged = NULL;
    size_t n_merged = 0;
    HD_TRY(merge_entries(p, &merged, &n_merged, err));
    hd_code rc = enter(p, what, err);
    if (rc != HD_OK) {
        hd_free(merged);
        return rc;
    }
    /* Committed: from here on nothing is a failure. Tables that stay open are closed too, as the
     * contract says: handles end with the version they were taken from. */
    for (size_t i = 0; i < n_merged; i++) {
        hd_table_close(merged[i].table);
        merged[i].table = NULL;
    }
    for (size_t i = 0; i < v->n_entries; i++) {
        if (!find_entry(p->entries, p->n_entries, v->entries[i].asset.table))
            continue;
        hd_entry_close(&v->entries[i]);
        remove_file(v, v->entries[i].asset.id, ".hdt");
    }
    hd_free(v->entries);
    v->entries = merged;
    v->n_entries = n_merged;
    v->data_version++;
    p->n_entries = 0;
    p->n_extracts = 0;
    if (hd_ledger_clean(v->ledger, NULL) != HD_OK)
        return HD_OK; /* a reader is in the way; the next writer cleans */
    return HD_OK;
}
