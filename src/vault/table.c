/* table.c - one table version open for reading: its directory and dictionaries; its columns are in
 * columns.c. */
#include "base/alloc.h"
#include "base/io.h"
#include "base/par.h"
#include "crypto/secret.h"
#include "vault/internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- opening -------------------------------------------------------------------------------- */

static hd_code open_directory(hd_table *t, hd_err *err)
{
    uint8_t header[HD_HEADER_LEN], *plain = NULL;
    hd_file_header h;
    struct stat st;
    if (fstat(t->fd, &st) != 0)
        return hd_fail_os(err, "cannot look at the file of %s", t->label);
    HD_TRY(hd_io_read_at(t->fd, header, sizeof header, 0, t->label, err));
    HD_TRY(hd_header_decode(&h, header, (uint64_t)st.st_size, t->label, err));
    if (memcmp(h.asset_id, t->asset_id, sizeof h.asset_id) != 0)
        return hd_fail(err, HD_FORMAT,
                       "the file of %s belongs to another table version: restore it "
                       "from a copy",
                       t->label);
    hd_reader r;
    size_t len = (size_t)h.directory_len - HD_SEAL_TAG;
    hd_code rc = hd_reader_init(&r, t, err);
    if (rc != HD_OK)
        return rc;
    if (!(plain = hd_malloc(len))) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(hd_reader_directory(&r, &h, header, plain, err));
    HD_GO(hd_directory_decode(&t->directory, &h, plain, len, t->label, err));
out:
    hd_wipe_free(plain, len);
    hd_reader_fini(&r);
    return rc;
}

static hd_code open_dictionary(hd_table *t, hd_reader *r, uint32_t column, hd_err *err)
{
    const hd_file_column *col = &t->directory.columns[column];
    size_t len = (size_t)col->dictionary_len;
    hd_code rc = HD_OK;
    uint8_t *plain = NULL;
    char name[160];
    if (col->n_codes == 0)
        return HD_OK;
    HD_GO(hd_reader_dictionary(r, column, &plain, err));
    snprintf(name, sizeof name, "%s, column %s", t->label, col->spec.name);
    HD_GO(hd_dictionary_decode(&t->dictionaries[column], col->spec.type, col->n_codes, plain, len,
                               name, err));
out:
    hd_secret_unmap(plain, len);
    return rc;
}

/* Every n-th column: a reader costs more than most dictionaries do. */
static hd_code open_dictionaries(void *ctx, size_t first, hd_err *err)
{
    hd_table *t = ctx;
    hd_reader r;
    HD_TRY(hd_reader_init(&r, t, err));
    hd_code rc = HD_OK;
    for (size_t c = first; c < t->directory.n_columns && rc == HD_OK; c += hd_par_threads())
        rc = open_dictionary(t, &r, (uint32_t)c, err);
    hd_reader_fini(&r);
    return rc;
}

hd_code hd_table_open(hd_table **out, int fd, const char *name, const uint8_t asset_id[16],
                      const uint8_t key[HD_SEAL_KEY], hd_err *err)
{
    *out = NULL;
    hd_code rc = HD_OK;
    hd_table *t = hd_calloc(1, sizeof *t);
    if (!t)
        return hd_fail_nomem(err);
    snprintf(t->name, sizeof t->name, "%s", name);
    snprintf(t->label, sizeof t->label, "table %s", name);
    t->fd = fd;
    rc = hd_memory_init(&t->own_memory, NULL, err);
    if (rc != HD_OK) {
        hd_free(t);
        return rc;
    }
    t->memory = &t->own_memory;
    memcpy(t->asset_id, asset_id, sizeof t->asset_id);
    if (!(t->key = hd_secret_new(HD_SEAL_KEY))) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    memcpy(t->key, key, HD_SEAL_KEY);
    HD_GO(open_directory(t, err));
    t->dictionaries = hd_calloc(t->directory.n_columns, sizeof *t->dictionaries);
    t->loaded = hd_calloc((size_t)t->directory.n_columns + 1, sizeof *t->loaded);
    if (!t->dictionaries || !t->loaded) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(hd_par_run(hd_par_threads(), open_dictionaries, t, err));
    *out = t;
    t = NULL;
out:
    hd_table_close(t);
    return rc;
}

void hd_table_close(hd_table *t)
{
    if (!t)
        return;
    for (uint32_t c = 0; t->loaded && c <= hd_begins_column(t); c++)
        hd_column_drop(t, c);
    for (uint32_t c = 0; t->dictionaries && c < t->directory.n_columns; c++)
        hd_dictionary_free(&t->dictionaries[c]);
    hd_free(t->loaded);
    hd_free(t->dictionaries);
    hd_directory_free(&t->directory);
    hd_secret_free(t->key);
    hd_memory_fini(&t->own_memory);
    hd_free(t);
}

/* ---- looking -------------------------------------------------------------------------------- */

const char *hd_table_name(const hd_table *t)
{
    return t->name;
}

uint64_t hd_table_rows(const hd_table *t)
{
    return t->directory.rows;
}

size_t hd_table_n_columns(const hd_table *t)
{
    return t->directory.n_columns - 1;
}

const hd_column_spec *hd_table_column_spec(const hd_table *t, size_t column)
{
    HD_ALWAYS(column < hd_table_n_columns(t));
    return &t->directory.columns[column + 1].spec;
}

int hd_table_find(const hd_table *t, const char *column)
{
    for (size_t c = 0; c < hd_table_n_columns(t); c++)
        if (strcmp(hd_table_column_spec(t, c)->name, column) == 0)
            return (int)c;
    return -1;
}

unsigned hd_table_width(const hd_table *t, size_t column)
{
    HD_ALWAYS(column < hd_table_n_columns(t));
    return t->directory.columns[column + 1].width;
}

const hd_dictionary *hd_table_dictionary(const hd_table *t, size_t column)
{
    HD_ALWAYS(column < hd_table_n_columns(t));
    const hd_dictionary *d = &t->dictionaries[column + 1].view;
    return d->n_codes ? d : NULL;
}

uint32_t hd_table_n_blocks(const hd_table *t)
{
    return t->directory.n_blocks;
}

static hd_block_stats block_stats(const hd_table *t, uint32_t file_column, uint32_t block)
{
    const hd_directory *d = &t->directory;
    HD_ALWAYS(block < d->n_blocks);
    const hd_block *b = &d->columns[file_column].blocks[block];
    return (hd_block_stats){hd_rows_of_block(d->rows, block), b->items, b->lowest, b->highest,
                            b->data.len + b->counts.len};
}

hd_block_stats hd_table_block(const hd_table *t, size_t column, uint32_t block)
{
    HD_ALWAYS(column < hd_table_n_columns(t));
    return block_stats(t, (uint32_t)column + 1, block);
}

hd_block_stats hd_table_persons_block(const hd_table *t, uint32_t block)
{
    return block_stats(t, 0, block);
}

/* ---- opening for its own sake ------------------------------------------------------------------ */

struct opening {
    const hd_table *t;
    const uint32_t *columns; /* of the file */
    size_t n_columns, n_runs;
};

static hd_code open_run(void *ctx, size_t run, hd_err *err)
{
    const struct opening *o = ctx;
    uint64_t n = o->t->directory.n_blocks;
    hd_reader r;
    HD_TRY(hd_reader_init(&r, o->t, err));
    hd_code rc = HD_OK;
    for (size_t i = 0; i < o->n_columns; i++)
        for (uint64_t b = n * run / o->n_runs; b < n * (run + 1) / o->n_runs; b++)
            HD_GO(hd_reader_open_block(&r, o->columns[i], (uint32_t)b, err));
out:
    hd_reader_fini(&r);
    return rc;
}

hd_code hd_table_open_blocks(hd_table *t, const size_t *columns, size_t n_columns, bool persons,
                             uint64_t *sealed, hd_err *err)
{
    uint32_t *of_file = hd_calloc(n_columns + 1, sizeof *of_file);
    if (!of_file)
        return hd_fail_nomem(err);
    const struct opening o = {t, of_file, n_columns + persons, hd_par_threads()};
    for (size_t i = 0; i < n_columns; i++)
        of_file[persons + i] = (uint32_t)columns[i] + 1;
    *sealed = 0;
    for (size_t i = 0; i < o.n_columns; i++)
        for (uint32_t b = 0; b < t->directory.n_blocks; b++)
            *sealed += block_stats(t, of_file[i], b).sealed;
    hd_code rc = hd_par_run(o.n_runs, open_run, (void *)(uintptr_t)&o, err);
    hd_free(of_file);
    return rc;
}

/* ---- verifying ------------------------------------------------------------------------------ */

/* Every block of a column into scratch. */
static hd_code verify_column(void *ctx, size_t column, hd_err *err)
{
    hd_table *t = ctx;
    const hd_directory *d = &t->directory;
    const hd_file_column *col = &d->columns[column];
    hd_reader r;
    HD_TRY(hd_reader_init(&r, t, err));
    hd_code rc = HD_OK;
    uint8_t *data = NULL, *starts = NULL;
    size_t data_cap = 0, starts_cap = 0;
    HD_GO(hd_scratch(&starts, &starts_cap, (HD_BLOCK_ROWS + 1) * sizeof(uint32_t), err));
    for (uint32_t b = 0; b < d->n_blocks; b++) {
        HD_GO(hd_scratch(&data, &data_cap, (size_t)col->blocks[b].items * col->width, err));
        HD_GO(hd_reader_data(&r, (uint32_t)column, b, data, err));
        if (col->kind == HD_COLUMN_LIST)
            HD_GO(hd_reader_starts(&r, (uint32_t)column, b, 0, (uint32_t *)(void *)starts, err));
    }
out:
    hd_wipe_free(data, data_cap);
    hd_wipe_free(starts, starts_cap);
    hd_reader_fini(&r);
    return rc;
}

hd_code hd_table_verify(hd_table *t, hd_err *err)
{
    HD_TRY(hd_table_check_order(t, err));
    return hd_par_run(t->directory.n_columns, verify_column, t, err);
}
