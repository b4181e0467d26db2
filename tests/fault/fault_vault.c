/* fault_vault.c - a scripted publication under every fault: kill -9 at each durable step, a step
 * (write, sync, rename, unlink, commit) that fails, a disk that is full from some write on, an
 * allocation that fails. SQLite's own writes, syncs and allocations count too.
 *
 * After each fault the process has been killed or has said in one line what went wrong; and the
 * vault opens, every block verifies, its content is exactly the one before or the one after, and
 * once the next writer has been there the folder holds no file that does not count.
 *
 * Each run is a child process, so that a fault, a leak or a crash in one is seen and ends only
 * that. Steps and writes are tried one by one; allocations one by one up to a bound and then by a
 * stride, all of them with HDIS_FAULT_ALL=1 (nightly).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "vault/vault.h"

/* A sanitizer's report must not look like an orderly failure (1). */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "exitcode=99";
}

enum { ALLOC_ALL_UP_TO = 60, ALLOC_STRIDE = 37 };

static char root[64];

static const char *vault_path(const char *under)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s/vault", root, under);
    return path;
}

static const char *key_path(const char *under)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s/vault.key", root, under);
    return path;
}

/* ---- the scripts; `under` is the folder they work in ---------------------------------------- */

typedef hd_code script(const char *under, FILE *out, hd_err *err);

enum { SEX, DIAGNOSES, ROW_KEY, N_COLUMNS };
static const hd_column_spec columns[N_COLUMNS] = {{"sex", HD_COLUMN_CODES, HD_TEXT},
                                                  {"diagnoses", HD_COLUMN_LIST, HD_TEXT},
                                                  {"row_key", HD_COLUMN_KEY, HD_TEXT}};

static hd_code text_code(hd_builder *b, size_t column, uint32_t x, uint32_t *out, hd_err *err)
{
    char text[16];
    int len = snprintf(text, sizeof text, "%c%02u", 'A' + (int)(x % 7), x % 40);
    hd_value v = {.type = HD_TEXT, .is_null = x % 11 == 0, .text = {text, (size_t)len}};
    return hd_builder_code(b, column, &v, out, err);
}

/* Rows first .. first + n - 1 of people 1 .. 40; every value follows from the row number. */
static hd_code append_rows(hd_builder *b, uint32_t first, uint32_t n, hd_err *err)
{
    uint32_t persons[64], sex[64], diagnoses[192], counts[64], at = 0;
    int64_t order[64];
    uint64_t keys[64];
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = first + i;
        persons[i] = 1 + row * 17 % 40;
        order[i] = row * 13 % 30;
        keys[i] = row;
        counts[i] = row % 4;
        HD_TRY(text_code(b, SEX, row % 3, &sex[i], err));
        for (uint32_t e = 0; e < counts[i]; e++)
            HD_TRY(text_code(b, DIAGNOSES, row * 3 + e, &diagnoses[at++], err));
    }
    hd_rows_column in[N_COLUMNS] = {
        {.codes = sex}, {.codes = diagnoses, .counts = counts}, {.keys = keys}};
    hd_rows rows = {n, persons, order, in};
    return hd_builder_append(b, &rows, err);
}

static hd_code publish_people(hd_publish *p, hd_vault *v, uint32_t n, hd_err *err)
{
    hd_persons *people;
    HD_TRY(hd_persons_open(&people, v, err));
    hd_code rc = HD_OK;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t pseudonym[16];
        uint32_t number;
        hd_vault_pseudonym(v, &i, sizeof i, pseudonym);
        HD_GO(hd_persons_number(people, pseudonym, &number, err));
    }
    HD_GO(hd_publish_persons(p, people, err));
out:
    hd_persons_free(people);
    return rc;
}

/* The first state: 60 rows of apc. */
static hd_code make_before(const char *under, FILE *out, hd_err *err)
{
    (void)out;
    hd_vault *v = NULL;
    hd_builder *b = NULL;
    hd_publish *p = NULL;
    hd_code rc;
    HD_GO(hd_vault_create(vault_path(under), key_path(under), err));
    HD_GO(hd_vault_open(&v, vault_path(under), key_path(under), true, err));
    HD_GO(hd_publish_begin(&p, v, err));
    HD_GO(publish_people(p, v, 30, err));
    HD_GO(hd_builder_new(&b, v, "apc", columns, N_COLUMNS, err));
    HD_GO(append_rows(b, 0, 60, err));
    HD_GO(hd_publish_table(p, b, err));
    HD_GO(hd_publish_extract(
        p, &(hd_extract){.table = "apc", .data_year = 2014, .part_year = 201406}, err));
    HD_GO(hd_publish_commit(p, "before", err));
out:
    hd_publish_free(p);
    hd_builder_free(b);
    hd_vault_close(v);
    return rc;
}

/* Half of apc stays, 40 rows come, a table built from it comes too, and new people. */
static hd_code replace(const char *under, FILE *out, hd_err *err)
{
    (void)out;
    hd_vault *v = NULL;
    hd_builder *b = NULL, *spells = NULL;
    hd_publish *p = NULL;
    hd_table *t;
    hd_code rc;
    uint8_t keep[60];
    int64_t order[100] = {0};
    for (size_t i = 0; i < sizeof keep; i++)
        keep[i] = i % 2 == 0;
    HD_GO(hd_vault_open(&v, vault_path(under), key_path(under), true, err));
    HD_GO(hd_publish_begin(&p, v, err));
    HD_GO(publish_people(p, v, 40, err));
    HD_GO(hd_builder_new(&b, v, "apc", columns, N_COLUMNS, err));
    HD_GO(hd_vault_table(v, "apc", &t, err));
    HD_GO(hd_builder_copy(b, t, keep, order, err));
    HD_GO(append_rows(b, 60, 40, err));
    HD_GO(hd_publish_table(p, b, err));
    HD_GO(hd_publish_read(p, "apc", &t, err));
    HD_GO(hd_builder_new(&spells, v, "spells", columns, 2, err));
    HD_GO(hd_builder_copy(spells, t, NULL, order, err));
    HD_GO(hd_publish_table(p, spells, err));
    HD_GO(hd_publish_extract(
        p, &(hd_extract){.table = "apc", .data_year = 2014, .part_year = 201499}, err));
    HD_GO(hd_publish_commit(p, "after", err));
out:
    hd_publish_free(p);
    hd_builder_free(b);
    hd_builder_free(spells);
    hd_vault_close(v);
    return rc;
}

static void digest_column(hd_digest *d, const hd_dictionary *dictionary, const hd_column *c,
                          uint64_t rows)
{
    if (c->starts)
        hd_digest_add(d, c->starts, (rows + 1) * sizeof *c->starts);
    for (uint64_t i = 0; i < c->n_items; i++) {
        if (!dictionary) {
            hd_digest_add(d, (const uint64_t *)c->data + i, 8);
            continue;
        }
        hd_value v = hd_dictionary_value(dictionary, hd_code_at(c, i));
        hd_digest_add(d, &v.is_null, 1);
        if (!v.is_null)
            hd_digest_add(d, v.text.bytes, v.text.len);
    }
}

static hd_code print_table(hd_vault *v, const char *name, FILE *out, hd_err *err)
{
    hd_table *t;
    const uint32_t *persons;
    hd_digest d;
    uint8_t digest[HD_DIGEST];
    char hex[2 * HD_DIGEST + 1];
    HD_TRY(hd_vault_table(v, name, &t, err));
    HD_TRY(hd_table_persons(t, &persons, err));
    hd_digest_begin(&d);
    hd_digest_add(&d, persons, hd_table_rows(t) * sizeof *persons);
    for (size_t c = 0; c < hd_table_n_columns(t); c++) {
        const hd_column *column;
        HD_TRY(hd_table_load(t, c, &column, err));
        digest_column(&d, hd_table_dictionary(t, c), column, hd_table_rows(t));
    }
    hd_digest_end(&d, digest);
    hd_hex(hex, digest, 8);
    fprintf(out, "%s %" PRIu64 " %s; ", name, hd_table_rows(t), hex);
    return HD_OK;
}

/* Everything a reader can see, as one line. */
static hd_code print_state(const char *under, FILE *out, hd_err *err)
{
    hd_vault *v = NULL;
    hd_table_info *tables = NULL;
    hd_extract *extracts = NULL;
    hd_persons *people = NULL;
    size_t n_tables, n_extracts;
    hd_code rc;
    HD_GO(hd_vault_open(&v, vault_path(under), key_path(under), false, err));
    HD_GO(hd_vault_verify(v, err));
    HD_GO(hd_vault_tables(v, &tables, &n_tables, err));
    HD_GO(hd_vault_extracts(v, &extracts, &n_extracts, err));
    HD_GO(hd_persons_open(&people, v, err));
    fprintf(out, "version %" PRIu64 "; ", hd_vault_data_version(v));
    for (size_t i = 0; i < n_tables; i++)
        HD_GO(print_table(v, tables[i].table, out, err));
    for (size_t i = 0; i < n_extracts; i++)
        fprintf(out, "%s %d; ", extracts[i].table, extracts[i].part_year);
    for (uint32_t i = 0; i < 50; i++) {
        uint8_t pseudonym[16];
        hd_vault_pseudonym(v, &i, sizeof i, pseudonym);
        fprintf(out, "%u ", hd_persons_find(people, pseudonym));
    }
out:
    hd_free(tables);
    hd_free(extracts);
    hd_persons_free(people);
    hd_vault_close(v);
    return rc;
}

/* The next writer; prints how many files are left beyond those of the assets (apc, .persons, and
 * spells in the state after). */
static hd_code clean_up(const char *under, FILE *out, hd_err *err)
{
    hd_vault *v;
    char path[160];
    int extra = 0;
    HD_TRY(hd_vault_open(&v, vault_path(under), key_path(under), true, err));
    extra -= 1 + hd_vault_has_table(v, "apc") + hd_vault_has_table(v, "spells");
    hd_vault_close(v);
    snprintf(path, sizeof path, "%s/tables", vault_path(under));
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        extra += e->d_name[0] != '.';
    if (d)
        closedir(d);
    fprintf(out, "%d", extra);
    return HD_OK;
}

/* The state, what the next writer leaves, and the state again, on three lines. */
static hd_code inspect(const char *under, FILE *out, hd_err *err)
{
    HD_TRY(print_state(under, out, err));
    fprintf(out, "\n");
    HD_TRY(clean_up(under, out, err));
    fprintf(out, "\n");
    return print_state(under, out, err);
}

static hd_code create(const char *under, FILE *out, hd_err *err)
{
    (void)out;
    return hd_vault_create(vault_path(under), key_path(under), err);
}

static hd_code record_output(const char *under, FILE *out, hd_err *err)
{
    hd_vault *v;
    char tag[32];
    HD_TRY(hd_vault_open(&v, vault_path(under), key_path(under), false, err));
    hd_code rc = hd_vault_record_output(v, "purpose", "question", "policy", tag, err);
    hd_vault_close(v);
    fprintf(out, "recorded");
    return rc;
}

/* ---- running a script ----------------------------------------------------------------------- */

typedef struct outcome {
    int status; /* exit status, or -9 when killed */
    char out[5000], err[4000];
} outcome;

static void read_all(FILE *f, char *out, size_t size)
{
    rewind(f);
    size_t n = fread(out, 1, size - 1, f);
    out[n] = '\0';
    fclose(f);
}

static outcome run(script *fn, const char *under, const char *fault)
{
    outcome o;
    FILE *out = tmpfile(), *errors = tmpfile();
    assert_non_null(out);
    assert_non_null(errors);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        hd_err err;
        dup2(fileno(errors), STDERR_FILENO);
        setenv("HDIS_THREADS", "1", 1);
        if (fault)
            setenv("HDIS_FAULT", fault, 1);
        hd_code rc = fn(under, out, &err);
        if (rc != HD_OK)
            fprintf(stderr, "%s\n", err.text);
        fclose(out);
        exit(rc == HD_OK ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    o.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    read_all(out, o.out, sizeof o.out);
    read_all(errors, o.err, sizeof o.err);
    return o;
}

static outcome run_well(script *fn, const char *under)
{
    outcome o = run(fn, under, NULL);
    if (o.status != 0)
        fail_msg("without a fault: status %d, %s", o.status, o.err);
    return o;
}

static void shell(const char *format, ...)
{
    char command[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(command, sizeof command, format, ap);
    va_end(ap);
    assert_int_equal(system(command), 0);
}

/* How many points of a kind the script passes. */
static unsigned long count_points(script *fn, const char *kind)
{
    char word[64];
    shell("rm -rf %s/work && cp -a %s/before %s/work", root, root, root);
    if (fn == create)
        shell("rm -rf %s/work/*", root);
    outcome o = run(fn, "work", "count");
    snprintf(word, sizeof word, "fault-points %s ", kind);
    const char *p = strstr(o.err, word);
    assert_non_null(p);
    return strtoul(p + strlen(word), NULL, 10);
}

static void check_orderly(const outcome *o, const char *fault)
{
    const char *end = strchr(o->err, '\n');
    if (o->status == 0 || o->status == -9)
        return;
    if (o->status != 1 || !end || end[1] != '\0' || end == o->err)
        fail_msg("%s: status %d, %s", fault, o->status, o->err);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static char before[5000], after[5000];

static int set_up(void **state)
{
    (void)state;
    /* In memory where there is such a place: a killed process loses nothing there either, and
     * thousands of syncs cost nothing. */
    snprintf(root, sizeof root, "%s/hdis-fault-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(root));
    shell("mkdir %s/before", root);
    run_well(make_before, "before");
    snprintf(before, sizeof before, "%s", run_well(print_state, "before").out);
    shell("cp -a %s/before %s/after", root, root);
    run_well(replace, "after");
    snprintf(after, sizeof after, "%s", run_well(print_state, "after").out);
    assert_string_not_equal(before, after);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    shell("rm -rf %s", root);
    return 0;
}

/* One fault in `replace`; true when the state after was reached. */
static bool try_replace(const char *fault)
{
    shell("rm -rf %s/work && cp -a %s/before %s/work", root, root, root);
    outcome o = run(replace, "work", fault);
    check_orderly(&o, fault);
    outcome seen = run_well(inspect, "work");
    char *first = strtok(seen.out, "\n"), *left = strtok(NULL, "\n"), *last = strtok(NULL, "\n");
    assert_non_null(last);
    bool is_before = strcmp(first, before) == 0, is_after = strcmp(first, after) == 0;
    if (!is_before && !is_after)
        fail_msg("%s: neither before nor after: %s", fault, first);
    if (o.status == 0 && !is_after)
        fail_msg("%s: said that it was done, and it was not", fault);
    if (strcmp(left, "0") != 0)
        fail_msg("%s: the next writer leaves %s files", fault, left);
    if (strcmp(first, last) != 0)
        fail_msg("%s: the next writer changed the state", fault);
    return is_after;
}

static void try_all(const char *kind, const char *how)
{
    unsigned long n = count_points(replace, kind), n_after = 0;
    assert_true(n > 10);
    for (unsigned long i = 1; i <= n; i++) {
        char fault[64];
        snprintf(fault, sizeof fault, "%s:%lu%s", kind, i, how);
        n_after += try_replace(fault);
    }
    print_message("%lu %s points (%s): %lu before, %lu after\n", n, kind, how, n - n_after,
                  n_after);
    assert_true(n_after < n);
}

static void killed_at_every_step(void **state)
{
    (void)state;
    try_all("step", ":kill");
}

static void every_step_fails(void **state)
{
    (void)state;
    try_all("step", ":EIO");
}

static void the_disk_is_full_from_every_write_on(void **state)
{
    (void)state;
    try_all("write", "+:ENOSPC");
}

static unsigned long next_allocation(unsigned long i)
{
    return i < ALLOC_ALL_UP_TO || getenv("HDIS_FAULT_ALL") ? i + 1 : i + ALLOC_STRIDE;
}

static void allocations_fail_while_writing(void **state)
{
    (void)state;
    unsigned long n = count_points(replace, "alloc"), tried = 0;
    for (unsigned long i = 1; i <= n; i = next_allocation(i), tried++) {
        char fault[64];
        snprintf(fault, sizeof fault, "alloc:%lu", i);
        try_replace(fault);
    }
    print_message("%lu of %lu allocations\n", tried, n);
}

static void allocations_fail_while_reading(void **state)
{
    (void)state;
    unsigned long n = count_points(print_state, "alloc"), tried = 0;
    for (unsigned long i = 1; i <= n; i = next_allocation(i), tried++) {
        char fault[64];
        snprintf(fault, sizeof fault, "alloc:%lu", i);
        outcome o = run(print_state, "before", fault);
        check_orderly(&o, fault);
        if (o.status == 0 && strcmp(o.out, before) != 0)
            fail_msg("%s: another answer: %s", fault, o.out);
    }
    print_message("%lu of %lu allocations\n", tried, n);
}

/* A vault that is being made: afterwards it is there, or making it again makes it. */
static void try_create(const char *fault)
{
    shell("rm -rf %s/work && mkdir %s/work", root, root);
    outcome o = run(create, "work", fault);
    check_orderly(&o, fault);
    outcome seen = run(print_state, "work", NULL);
    if (seen.status != 0) {
        if (o.status == 0)
            fail_msg("%s: said that it was done, and it was not: %s", fault, seen.err);
        run_well(create, "work");
        seen = run_well(print_state, "work");
    }
    assert_memory_equal(seen.out, "version 0; ", 11);
}

static void creation_survives_every_fault(void **state)
{
    (void)state;
    static const char *const hows[][2] = {
        {"step", ":kill"}, {"step", ":EIO"}, {"write", "+:ENOSPC"}, {"alloc", ""}};
    for (size_t k = 0; k < sizeof hows / sizeof *hows; k++) {
        unsigned long n = count_points(create, hows[k][0]);
        bool all = strcmp(hows[k][0], "alloc") != 0;
        for (unsigned long i = 1; i <= n; i = all ? i + 1 : next_allocation(i)) {
            char fault[64];
            snprintf(fault, sizeof fault, "%s:%lu%s", hows[k][0], i, hows[k][1]);
            try_create(fault);
        }
    }
}

/* Entering an output leaves the tables alone and a ledger that verifies, whatever happens. */
static void outputs_survive_every_fault(void **state)
{
    (void)state;
    unsigned long n = count_points(record_output, "step");
    for (unsigned long i = 1; i <= n; i++)
        for (int kill_it = 0; kill_it < 2; kill_it++) {
            char fault[64];
            shell("rm -rf %s/work && cp -a %s/before %s/work", root, root, root);
            snprintf(fault, sizeof fault, "step:%lu%s", i, kill_it ? ":kill" : ":EIO");
            outcome o = run(record_output, "work", fault);
            check_orderly(&o, fault);
            assert_string_equal(run_well(print_state, "work").out, before);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_every_step),
        cmocka_unit_test(every_step_fails),
        cmocka_unit_test(the_disk_is_full_from_every_write_on),
        cmocka_unit_test(allocations_fail_while_writing),
        cmocka_unit_test(allocations_fail_while_reading),
        cmocka_unit_test(creation_survives_every_fault),
        cmocka_unit_test(outputs_survive_every_fault),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
