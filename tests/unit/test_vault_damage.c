/* test_vault_damage.c - altered, cut, grown, swapped and foreign files: always one clear error,
 * never a crash and never a changed answer. Run under the sanitizers too. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/rng.h"
#include "crypto/secret.h"
#include "vault/internal.h"
#include "vault_fixture.h"

static hd_err err;
static fixture f;

static const hd_column_spec columns[] = {{"sex", HD_COLUMN_CODES, HD_TEXT},
                                         {"age", HD_COLUMN_CODES, HD_INTEGER},
                                         {"score", HD_COLUMN_CODES, HD_DECIMAL},
                                         {"diagnoses", HD_COLUMN_LIST, HD_TEXT},
                                         {"row_key", HD_COLUMN_KEY, HD_TEXT}};
enum { N_COLUMNS = sizeof columns / sizeof *columns, N_ROWS = 200 };

/* Packed and unpacked parts both occur: sex repeats, score does not. */
static hd_value value_of(uint32_t row, size_t column, char text[16])
{
    hd_rng r = hd_rng_stream(column, row);
    hd_value v = {.type = columns[column].type, .is_null = row % 50 == 7};
    if (v.type == HD_TEXT) {
        v.text.len = (size_t)snprintf(text, 16, "%c%02u", 'A' + (int)(row / 70), row / 60);
        v.text.bytes = text;
    } else if (v.type == HD_DECIMAL) {
        v.decimal = hd_rng_unit(&r);
    } else {
        v.integer = hd_rng_below(&r, 90);
    }
    return v;
}

static void publish(const char *folder, const char *key_file, const char *table)
{
    hd_vault *v;
    hd_builder *b;
    hd_publish *p;
    static uint32_t codes[N_COLUMNS][2 * N_ROWS], counts[N_ROWS], persons[N_ROWS];
    static int64_t order[N_ROWS];
    static uint64_t keys[N_ROWS];
    hd_rows_column in[N_COLUMNS];
    OK(hd_vault_open(&v, folder, key_file, true, &err));
    OK(hd_builder_new(&b, v, table, columns, N_COLUMNS, &err));
    for (size_t c = 0; c < N_COLUMNS; c++) {
        uint32_t at = 0;
        for (uint32_t i = 0; i < N_ROWS; i++) {
            char text[16];
            persons[i] = i / 3;
            keys[i] = hd_vault_key_hash(v, &i, sizeof i);
            counts[i] = i % 3;
            if (columns[c].kind == HD_COLUMN_KEY)
                continue;
            for (uint32_t e = 0; e < (columns[c].kind == HD_COLUMN_LIST ? counts[i] : 1); e++) {
                hd_value x = value_of(i + e, c, text);
                OK(hd_builder_code(b, c, &x, &codes[c][at++], &err));
            }
        }
        in[c] = (hd_rows_column){codes[c], counts, keys};
    }
    hd_rows rows = {N_ROWS, persons, order, in};
    OK(hd_builder_append(b, &rows, &err));
    OK(hd_publish_begin(&p, v, &err));
    OK(hd_publish_table(p, b, &err));
    OK(hd_publish_commit(p, "test", &err));
    hd_publish_free(p);
    hd_builder_free(b);
    hd_vault_close(v);
}

static int make(void **state)
{
    (void)state;
    fixture_make(&f);
    if (hd_vault_create(f.folder, f.key_file, &err) != HD_OK)
        return -1;
    publish(f.folder, f.key_file, "apc");
    return 0;
}

static int drop(void **state)
{
    (void)state;
    fixture_remove(&f);
    return 0;
}

/* The file of a table, its id and its key, taken from an open vault. */
typedef struct sealed {
    char path[512];
    uint8_t id[16], key[32];
    int fd;
    char *bytes;
    size_t len;
} sealed;

static void find_sealed(sealed *s, const char *folder, const char *key_file, const char *table)
{
    hd_vault *v;
    OK(hd_vault_open(&v, folder, key_file, false, &err));
    for (size_t i = 0; i < v->n_entries; i++)
        if (strcmp(v->entries[i].asset.table, table) == 0) {
            const hd_asset *a = &v->entries[i].asset;
            memcpy(s->id, a->id, 16);
            OK(hd_vault_file_path(v, a->id, ".hdt", s->path, sizeof s->path, &err));
            OK(hd_key_unwrap(v->keys, a->id, a->wrapped_key, s->key, &err));
        }
    hd_vault_close(v);
    s->fd = open(s->path, O_RDWR | O_CLOEXEC);
    OK(hd_io_read_file(s->path, 1 << 20, &s->bytes, &s->len, &err));
}

static void end_sealed(sealed *s)
{
    close(s->fd);
    hd_free(s->bytes);
}

static hd_code check(const sealed *s, const uint8_t id[16], const uint8_t key[32])
{
    hd_table *t = NULL;
    hd_code rc = hd_table_open(&t, s->fd, "apc", id, key, &err);
    if (rc == HD_OK)
        rc = hd_table_verify(t, &err);
    hd_table_close(t);
    return rc;
}

static void assert_refused(hd_code rc)
{
    if (rc != HD_FORMAT && rc != HD_CRYPTO)
        fail_msg("code %d: %s", rc, rc == HD_OK ? "accepted" : err.text);
    assert_non_null(strstr(err.text, "table apc"));
}

static void put(const sealed *s, size_t at, const void *bytes, size_t len)
{
    assert_int_equal(pwrite(s->fd, bytes, len, (off_t)at), (ssize_t)len);
}

/* Every byte of the file, one bit of it each time. */
static void every_flipped_byte_is_found(void **state)
{
    (void)state;
    sealed s;
    find_sealed(&s, f.folder, f.key_file, "apc");
    assert_int_equal(check(&s, s.id, s.key), HD_OK);
    for (size_t i = 0; i < s.len; i++) {
        char c = (char)(s.bytes[i] ^ (1 << i % 8));
        put(&s, i, &c, 1);
        assert_refused(check(&s, s.id, s.key));
        put(&s, i, &s.bytes[i], 1);
    }
    assert_int_equal(check(&s, s.id, s.key), HD_OK);
    end_sealed(&s);
}

static void every_cut_and_every_growth_is_found(void **state)
{
    (void)state;
    sealed s;
    find_sealed(&s, f.folder, f.key_file, "apc");
    for (size_t len = s.len; len-- > 0;) {
        assert_int_equal(ftruncate(s.fd, (off_t)len), 0);
        assert_refused(check(&s, s.id, s.key));
    }
    put(&s, 0, s.bytes, s.len);
    assert_int_equal(check(&s, s.id, s.key), HD_OK);
    for (size_t more = 1; more < 100; more++) {
        put(&s, s.len + more - 1, "", 1);
        assert_refused(check(&s, s.id, s.key));
    }
    end_sealed(&s);
}

/* A stretch of the file replaced by another stretch of it: right bytes in the wrong place. */
static void moved_parts_are_found(void **state)
{
    (void)state;
    sealed s;
    find_sealed(&s, f.folder, f.key_file, "apc");
    hd_rng r = hd_rng_stream(3, 3);
    for (int i = 0; i < 500; i++) {
        size_t len = 1 + hd_rng_below(&r, 400);
        size_t from = hd_rng_below(&r, (uint32_t)(s.len - len));
        size_t to = hd_rng_below(&r, (uint32_t)(s.len - len));
        if (memcmp(s.bytes + from, s.bytes + to, len) == 0)
            continue;
        put(&s, to, s.bytes + from, len);
        assert_refused(check(&s, s.id, s.key));
        put(&s, to, s.bytes + to, len);
    }
    end_sealed(&s);
}

static void other_keys_and_ids_do_not_open(void **state)
{
    (void)state;
    sealed s;
    find_sealed(&s, f.folder, f.key_file, "apc");
    for (size_t i = 0; i < 32; i++) {
        s.key[i] ^= 0x10;
        assert_int_equal(check(&s, s.id, s.key), HD_CRYPTO);
        s.key[i] ^= 0x10;
        s.id[i % 16] ^= 0x10;
        assert_int_equal(check(&s, s.id, s.key), HD_FORMAT);
        s.id[i % 16] ^= 0x10;
    }
    end_sealed(&s);
}

static hd_code verify_vault(void)
{
    hd_vault *v = NULL;
    hd_code rc = hd_vault_open(&v, f.folder, f.key_file, false, &err);
    if (rc == HD_OK)
        rc = hd_vault_verify(v, &err);
    hd_vault_close(v);
    return rc;
}

/* Files of other tables and other vaults, also with the id in their header made to fit. */
static void swapped_files_are_found(void **state)
{
    (void)state;
    char folder[160], key_file[160];
    snprintf(folder, sizeof folder, "%s/other", f.root);
    snprintf(key_file, sizeof key_file, "%s/keys/other.key", f.root);
    OK(hd_vault_create(folder, key_file, &err));
    publish(folder, key_file, "apc");
    publish(f.folder, f.key_file, "op");
    sealed ours, op, theirs;
    find_sealed(&ours, f.folder, f.key_file, "apc");
    find_sealed(&op, f.folder, f.key_file, "op");
    find_sealed(&theirs, folder, key_file, "apc");
    const sealed *others[] = {&op, &theirs};
    for (size_t i = 0; i < 2; i++)
        for (int fit = 0; fit < 2; fit++) {
            assert_int_equal(ftruncate(ours.fd, 0), 0);
            put(&ours, 0, others[i]->bytes, others[i]->len);
            if (fit)
                put(&ours, 16, ours.id, 16);
            assert_refused(verify_vault());
        }
    unlink(ours.path);
    assert_int_equal(verify_vault(), HD_IO); /* missing: named, not guessed around */
    end_sealed(&ours);
    end_sealed(&op);
    end_sealed(&theirs);
}

/* The ledger: SQLite finds what it can, we check what we use; whatever happens is orderly. */
static void damaged_ledgers_are_orderly(void **state)
{
    (void)state;
    char path[256], *bytes;
    size_t len, refused = 0;
    snprintf(path, sizeof path, "%s/ledger.db", f.folder);
    OK(hd_io_read_file(path, 1 << 20, &bytes, &len, &err));
    hd_rng r = hd_rng_stream(5, 5);
    for (int i = 0; i < 400; i++) {
        int fd = open(path, O_RDWR);
        if (i < 40) {
            assert_int_equal(ftruncate(fd, (off_t)(len * (size_t)i / 40)), 0);
        } else {
            size_t at = i < 140 ? (size_t)i - 40 : hd_rng_below(&r, (uint32_t)len);
            char c = (char)(bytes[at] ^ (1 << hd_rng_below(&r, 8)));
            assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
        }
        close(fd);
        refused += verify_vault() != HD_OK;
        char sidecar[300];
        snprintf(sidecar, sizeof sidecar, "%s-wal", path);
        unlink(sidecar);
        snprintf(sidecar, sizeof sidecar, "%s-shm", path);
        unlink(sidecar);
        fd = open(path, O_RDWR | O_TRUNC);
        assert_int_equal(write(fd, bytes, len), (ssize_t)len);
        close(fd);
    }
    assert_true(refused > 60);
    OK(verify_vault());
    hd_free(bytes);
}

#define WITH_VAULT(t) cmocka_unit_test_setup_teardown(t, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_VAULT(every_flipped_byte_is_found), WITH_VAULT(every_cut_and_every_growth_is_found),
        WITH_VAULT(moved_parts_are_found),       WITH_VAULT(other_keys_and_ids_do_not_open),
        WITH_VAULT(swapped_files_are_found),     WITH_VAULT(damaged_ledgers_are_orderly),
    };
    setenv("HDIS_THREADS", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
