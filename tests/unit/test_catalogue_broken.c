/* test_catalogue_broken.c - every mistake in a definition comes out as one line with file, line, key.
 *
 * tests/catalogue/good is a small whole catalogue. Each file of tests/catalogue/broken names one of its
 * files, a text to find in it, what to put there instead, and the error that must come out ("\n" is a
 * line end, find "*" is the whole file). With HDIS_REWRITE set, the errors are written down instead of
 * compared: read the difference before committing it.
 */
#include "catalogue/catalogue.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char root[1000], scratch[] = "/tmp/hdis-catalogue-XXXXXX";

static const char *const files[] = {
    "code_sets.yaml", "identifying.yaml", "functions.yaml", "lookups.yaml", "codelists.yaml",
    "datasets/visits.yaml", "tables/stays.yaml", "codelists/pain.csv",
    "organisations/hospitals.csv",
};

static char *read_text(const char *path)
{
    char *text;
    size_t len;
    hd_err err;
    if (hd_io_read_file(path, 1 << 20, &text, &len, &err) != HD_OK)
        fail_msg("%s", err.text);
    return text;
}

static void write_text(const char *name, const char *text)
{
    char path[2000];
    hd_err err;
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    assert_int_equal(hd_io_write_file(path, text, strlen(text), 0600, &err), HD_OK);
}

static void copy_good(void)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[2000];
        snprintf(path, sizeof path, "%s/good/%s", root, files[i]);
        char *text = read_text(path);
        write_text(files[i], text);
        hd_free(text);
    }
}

static int make_scratch(void **state)
{
    static const char *const folders[] = {"datasets", "tables", "codelists", "organisations"};
    const char *source = getenv("HDIS_SOURCE");
    (void)state;
    snprintf(root, sizeof root, "%s/tests/catalogue", source ? source : ".");
    if (!mkdtemp(scratch))
        return -1;
    for (size_t i = 0; i < 4; i++) {
        char path[2000];
        hd_err err;
        snprintf(path, sizeof path, "%s/%s", scratch, folders[i]);
        if (hd_io_make_dir(path, &err) != HD_OK)
            return -1;
    }
    copy_good();
    return 0;
}

static int remove_scratch(void **state)
{
    static const char *const folders[] = {"datasets", "tables", "codelists", "organisations", ""};
    char path[2000];
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", scratch, files[i]);
        unlink(path);
    }
    for (size_t i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", scratch, folders[i]);
        rmdir(path);
    }
    return 0;
}

/* ---- one case -------------------------------------------------------------------------------- */

typedef struct broken {
    char file[100], find[400], put[400], error[480];
} broken;

/* Value of a line "key: value" of a case, with \n turned into line ends. */
static void take_value(const char *text, const char *key, char *out, size_t size)
{
    char start[40];
    size_t n = 0;
    snprintf(start, sizeof start, "%s: ", key);
    const char *at = strncmp(text, start, strlen(start)) == 0 ? text : NULL;
    if (!at) {
        snprintf(start, sizeof start, "\n%s:", key);
        at = strstr(text, start);
    }
    assert_non_null(at);
    at += strlen(start);
    at += *at == ' ' && start[0] == '\n';
    for (; *at && *at != '\n' && n + 1 < size; at++) {
        if (at[0] == '\\' && (at[1] == 'n' || at[1] == 't')) {
            out[n++] = at[1] == 'n' ? '\n' : '\t';
            at++;
        } else {
            out[n++] = *at;
        }
    }
    out[n] = '\0';
}

static void break_file(const broken *b, const char *name)
{
    char path[2000];
    hd_buf out;
    snprintf(path, sizeof path, "%s/good/%s", root, b->file);
    char *good = read_text(path);
    hd_buf_init(&out, 1 << 20);
    if (strcmp(b->find, "*") == 0) {
        hd_buf_str(&out, b->put);
    } else {
        char *at = strstr(good, b->find);
        if (!at)
            fail_msg("%s: what it wants to find is not in %s", name, b->file);
        hd_buf_add(&out, good, (size_t)(at - good));
        hd_buf_str(&out, b->put);
        hd_buf_str(&out, at + strlen(b->find));
    }
    assert_true(hd_buf_ok(&out));
    write_text(b->file, out.data ? out.data : "");
    hd_buf_free(&out);
    hd_free(good);
}

static void restore_file(const broken *b)
{
    char path[2000];
    snprintf(path, sizeof path, "%s/good/%s", root, b->file);
    char *good = read_text(path);
    write_text(b->file, good);
    hd_free(good);
}

static void rewrite(const char *path, const char *text, const char *error)
{
    hd_buf out;
    hd_err err;
    hd_buf_init(&out, 1 << 20);
    hd_buf_add(&out, text, (size_t)(strstr(text, "\nerror:") - text));
    hd_buf_printf(&out, "\nerror: %s\n", error);
    assert_int_equal(hd_io_write_file(path, out.data, out.len, 0644, &err), HD_OK);
    hd_buf_free(&out);
}

static void try_case(const char *name)
{
    char path[2000];
    broken b;
    hd_catalogue *c = NULL;
    hd_err err;
    snprintf(path, sizeof path, "%s/broken/%s", root, name);
    char *text = read_text(path);
    take_value(text, "file", b.file, sizeof b.file);
    take_value(text, "find", b.find, sizeof b.find);
    take_value(text, "put", b.put, sizeof b.put);
    take_value(text, "error", b.error, sizeof b.error);
    break_file(&b, name);
    if (hd_catalogue_open(&c, scratch, NULL, &err) == HD_OK)
        fail_msg("%s: was accepted", name);
    assert_int_equal(err.code, HD_FORMAT);
    assert_null(strchr(err.text, '\n'));
    if (strncmp(err.text, scratch, strlen(scratch)) != 0)
        fail_msg("%s: does not name the file: %s", name, err.text);
    const char *error = err.text + strlen(scratch) + 1;
    if (getenv("HDIS_REWRITE"))
        rewrite(path, text, error);
    else if (strcmp(error, b.error) != 0)
        fail_msg("%s:\n  is     %s\n  not    %s", name, error, b.error);
    restore_file(&b);
    hd_free(text);
}

static void every_mistake_is_named(void **state)
{
    struct dirent **names;
    char path[2000];
    (void)state;
    snprintf(path, sizeof path, "%s/broken", root);
    int n = scandir(path, &names, NULL, alphasort), tried = 0;
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.') {
            try_case(names[i]->d_name);
            tried++;
        }
        free(names[i]);
    }
    free(names);
    assert_true(tried > 60);
}

/* ---- the good one ---------------------------------------------------------------------------- */

static void the_good_one_is_accepted(void **state)
{
    hd_catalogue *c;
    hd_err err;
    char version[17];
    (void)state;
    if (hd_catalogue_open(&c, scratch, NULL, &err) != HD_OK)
        fail_msg("%s", err.text);
    assert_int_equal(hd_catalogue_n_tables(c), 2);
    const hd_table_def *visits = hd_catalogue_table(c, "visits"),
                       *stays = hd_catalogue_table(c, "stays");
    assert_int_equal(visits->n_fields, 14); /* eight, two expressions, three positions, postcode */
    assert_int_equal(stays->n_fields, 6);
    assert_true(hd_table_def_field(stays, "hospital_now")->is_subnational);
    assert_false(hd_table_def_field(visits, "half_as_long")->is_subnational);
    assert_true(hd_table_def_field(visits, "paid")->is_closed);
    const hd_lookup *l = hd_catalogue_lookup(c, "successor_of");
    assert_int_equal(l->n_rows, 3);
    assert_string_equal(hd_lookup_find(l, "A"), "C");
    assert_string_equal(hd_lookup_find(l, "B"), "C");
    assert_string_equal(hd_lookup_find(l, "C"), "C");
    assert_string_equal(hd_lookup_find(l, "D"), "E");
    assert_string_equal(hd_lookup_find(l, "Q"), "Q");
    assert_int_equal(hd_catalogue_codelist(c, "pain")->n_codes, 2);
    const char *name;
    assert_string_equal(hd_catalogue_macro_at(c, 0, &name),
                        "CREATE OR REPLACE MACRO half(x) AS (x / 2)");
    strcpy(version, hd_catalogue_version(c));
    hd_catalogue_close(c);

    write_text("codelists/pain.csv", "code,label\nR52,Pain\nM54,Another label\n");
    assert_int_equal(hd_catalogue_open(&c, scratch, NULL, &err), HD_OK);
    assert_string_not_equal(version, hd_catalogue_version(c));
    hd_catalogue_close(c);
    copy_good();
    assert_int_equal(hd_catalogue_open(&c, scratch, NULL, &err), HD_OK);
    assert_string_equal(version, hd_catalogue_version(c));
    hd_catalogue_close(c);
}

/* An overlay replaces organisations, and counts for the version. */
static void an_overlay_replaces(void **state)
{
    static char overlay[] = "/tmp/hdis-overlay-XXXXXX";
    char path[200];
    hd_catalogue *c, *plain;
    hd_err err;
    (void)state;
    assert_non_null(mkdtemp(overlay));
    snprintf(path, sizeof path, "%s/organisations", overlay);
    assert_int_equal(hd_io_make_dir(path, &err), HD_OK);
    assert_int_equal(hd_catalogue_open(&plain, scratch, NULL, &err), HD_OK);
    assert_int_equal(hd_catalogue_open(&c, scratch, overlay, &err), HD_OK);
    assert_string_equal(hd_lookup_find(hd_catalogue_lookup(c, "successor_of"), "A"), "C");
    hd_catalogue_close(c);
    strcat(path, "/hospitals.csv");
    assert_int_equal(hd_io_write_file(path, "code,successor\nA,Z\n", 19, 0600, &err), HD_OK);
    assert_int_equal(hd_catalogue_open(&c, scratch, overlay, &err), HD_OK);
    assert_string_equal(hd_lookup_find(hd_catalogue_lookup(c, "successor_of"), "A"), "Z");
    assert_string_not_equal(hd_catalogue_version(c), hd_catalogue_version(plain));
    hd_catalogue_close(c);
    hd_catalogue_close(plain);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    rmdir(overlay);
}

static void no_folder_is_said(void **state)
{
    hd_catalogue *c;
    hd_err err;
    (void)state;
    assert_int_equal(hd_catalogue_open(&c, "/nonexistent", NULL, &err), HD_NOTFOUND);
    assert_non_null(strstr(err.text, "/nonexistent"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_good_one_is_accepted),
        cmocka_unit_test(an_overlay_replaces),
        cmocka_unit_test(every_mistake_is_named),
        cmocka_unit_test(no_folder_is_said),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
