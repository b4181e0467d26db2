/* test_ledger.c - the rules the ledger enforces, also against somebody with SQLite at hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "ledger/ledger.h"
#include "vault_fixture.h"

static hd_err err;
static fixture f;
static char path[128];
static hd_ledger *l;

static int make(void **state)
{
    (void)state;
    const uint8_t id[16] = {1}, check[32] = {2};
    fixture_make(&f);
    snprintf(path, sizeof path, "%s/ledger.db", f.root);
    return hd_ledger_create(path, id, check, &err) == HD_OK &&
                   hd_ledger_open(&l, path, &err) == HD_OK
               ? 0
               : -1;
}

static int drop(void **state)
{
    (void)state;
    hd_ledger_close(l);
    fixture_remove(&f);
    return 0;
}

/* SQLite as an outsider uses it; its result code. */
static int outside(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
    return rc;
}

static hd_asset asset(uint8_t number, const char *table)
{
    hd_asset a = {.id = {number}, .data_version = 1, .rows = 5, .bytes = 100};
    snprintf(a.table, sizeof a.table, "%s", table);
    memset(a.wrapped_key, 0xA0 + number, sizeof a.wrapped_key);
    return a;
}

static void add(hd_asset a)
{
    OK(hd_ledger_begin(l, true, &err));
    OK(hd_ledger_add_asset(l, &a, &err));
    OK(hd_ledger_commit(l, &err));
}

static int count_in_file(const char *name, uint8_t byte)
{
    FILE *file = fopen(name, "rb");
    int run = 0, found = 0, c;
    while (file && (c = fgetc(file)) != EOF) {
        run = c == byte ? run + 1 : 0;
        found += run == HD_WRAPPED_KEY;
    }
    if (file)
        fclose(file);
    return found;
}

static void destroyed_keys_are_gone_from_disk(void **state)
{
    (void)state;
    char wal[160];
    snprintf(wal, sizeof wal, "%s-wal", path);
    hd_asset a = asset(1, "apc");
    add(a);
    add(asset(2, "op"));
    assert_true(count_in_file(wal, 0xA1) + count_in_file(path, 0xA1) > 0);
    OK(hd_ledger_begin(l, true, &err));
    OK(hd_ledger_destroy_asset(l, a.id, &err));
    OK(hd_ledger_add_asset(l, &(hd_asset){.id = {3}, .table = "apc"}, &err));
    OK(hd_ledger_commit(l, &err));
    OK(hd_ledger_clean(l, &err));
    assert_int_equal(count_in_file(path, 0xA1) + count_in_file(wal, 0xA1), 0);
    assert_int_equal(count_in_file(path, 0xA2), 1);
    hd_asset *list;
    size_t n;
    OK(hd_ledger_assets(l, &list, &n, &err));
    assert_int_equal(n, 2);
    assert_int_equal(list[0].id[0], 3);
    hd_free(list);
    /* And stay gone. */
    assert_int_equal(outside("UPDATE asset SET state = 'in force', destroyed_at = NULL,"
                             " wrapped_key = zeroblob(48) WHERE state = 'destroyed'"),
                     SQLITE_CONSTRAINT);
    assert_int_equal(outside("DELETE FROM asset"), SQLITE_CONSTRAINT);
}

static void one_asset_of_a_name_is_in_force(void **state)
{
    (void)state;
    add(asset(1, "apc"));
    hd_asset twin = asset(2, "apc");
    OK(hd_ledger_begin(l, true, &err));
    assert_int_equal(hd_ledger_add_asset(l, &twin, &err), HD_CONFLICT);
    hd_ledger_rollback(l);
    const uint8_t unknown[16] = {9};
    OK(hd_ledger_begin(l, true, &err));
    assert_int_equal(hd_ledger_destroy_asset(l, unknown, &err), HD_NOTFOUND);
    hd_ledger_rollback(l);
}

static void the_log_only_grows_and_tells_when_it_was_changed(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        OK(hd_ledger_begin(l, true, &err));
        OK(hd_ledger_log(l, "test", "an entry", &err));
        OK(hd_ledger_commit(l, &err));
    }
    OK(hd_ledger_verify(l, &err));
    assert_int_equal(outside("UPDATE log SET detail = 'x' WHERE number = 3"), SQLITE_CONSTRAINT);
    assert_int_equal(outside("DELETE FROM log WHERE number = 3"), SQLITE_CONSTRAINT);
    assert_int_equal(outside("DROP TRIGGER log_is_not_changed; DROP TRIGGER log_is_not_cut"),
                     SQLITE_OK);
    assert_int_equal(outside("UPDATE log SET detail = 'x' WHERE number = 3"), SQLITE_OK);
    assert_int_equal(hd_ledger_verify(l, &err), HD_FORMAT);
    assert_int_equal(outside("UPDATE log SET detail = 'an entry' WHERE number = 3"), SQLITE_OK);
    OK(hd_ledger_verify(l, &err));
    assert_int_equal(outside("DELETE FROM log WHERE number = 2"), SQLITE_OK);
    assert_int_equal(hd_ledger_verify(l, &err), HD_FORMAT);
}

static void the_data_version_only_grows(void **state)
{
    (void)state;
    OK(hd_ledger_begin(l, true, &err));
    OK(hd_ledger_set_version(l, 5, &err));
    assert_int_equal(hd_ledger_set_version(l, 4, &err), HD_CONFLICT);
    hd_ledger_rollback(l);
    hd_ledger_vault row;
    OK(hd_ledger_vault_row(l, &row, &err));
    assert_int_equal(row.data_version, 0);
    assert_int_equal(row.id[0], 1);
    assert_int_equal(row.key_check[0], 2);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    hd_ledger *other = NULL;
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    char name[160];
    snprintf(name, sizeof name, "%s/none", f.root);
    assert_int_equal(hd_ledger_open(&other, name, &err), HD_NOTFOUND);
    FILE *file = fopen(name, "w");
    for (int i = 0; i < 1000; i++)
        fputs("not a database, ", file);
    fclose(file);
    assert_int_equal(hd_ledger_open(&other, name, &err), HD_FORMAT);
    file = fopen(name, "w");
    fclose(file);
    assert_int_equal(hd_ledger_open(&other, name, &err), HD_FORMAT); /* empty */
    hd_ledger_close(l);
    l = NULL;
    assert_int_equal(outside("PRAGMA user_version = 1000"), SQLITE_OK);
    assert_int_equal(hd_ledger_open(&other, path, &err), HD_FORMAT);
    assert_null(other);
}

#define WITH_LEDGER(t) cmocka_unit_test_setup_teardown(t, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LEDGER(destroyed_keys_are_gone_from_disk),
        WITH_LEDGER(one_asset_of_a_name_is_in_force),
        WITH_LEDGER(the_log_only_grows_and_tells_when_it_was_changed),
        WITH_LEDGER(the_data_version_only_grows),
        WITH_LEDGER(other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
