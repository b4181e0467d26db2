/* fault_synth.c - `hdis synth` under every fault: kill -9 and failure at each durable step, a disk
 * that is full from some write on, each allocation that fails.
 *
 * After each fault the process has been killed or has said in one line what went wrong; what lies
 * under a name of the delivery is complete; an orderly failure leaves no half-written file; and the
 * next run gives what a run without faults gives (beside the .tmp file of a killed one). Each run
 * is a child process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "synth/synth.h"

/* A sanitizer's report must not look like an orderly failure (1). */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "exitcode=99";
}

static char root[64];

typedef struct outcome {
    int status; /* exit status, or minus the signal */
    char err[4000];
} outcome;

static hd_code write_files(const char *under, hd_err *err)
{
    char out[128], folder[512];
    snprintf(out, sizeof out, "%s/%s", root, under);
    snprintf(folder, sizeof folder, "%s/organisations", HD_CATALOGUE_DIR);
    hd_synth_options o = {.people = 30,
                          .first_year = 2015,
                          .last_year = 2015,
                          .seed = 1,
                          .dirty = 0.1,
                          .out = out,
                          .folder = folder};
    hd_synth_summary summary;
    return hd_synth_write(&o, &summary, err);
}

static outcome run(const char *under, const char *fault)
{
    outcome o;
    FILE *errors = tmpfile();
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
        hd_code rc = write_files(under, &err);
        if (rc != HD_OK)
            fprintf(stderr, "%s\n", err.text);
        exit(rc == HD_OK ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    o.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    rewind(errors);
    o.err[fread(o.err, 1, sizeof o.err - 1, errors)] = '\0';
    fclose(errors);
    return o;
}

static int shell(const char *format, ...)
{
    char command[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(command, sizeof command, format, ap);
    va_end(ap);
    return system(command);
}

static unsigned long count_points(const char *kind)
{
    char word[64];
    shell("rm -rf %s/work", root);
    outcome o = run("work", "count");
    assert_int_equal(o.status, 0);
    snprintf(word, sizeof word, "%s", kind);
    const char *at = strstr(o.err, word);
    if (!at)
        fail_msg("no count of %s in: %s", kind, o.err);
    at += strcspn(at, "0123456789");
    return strtoul(at, NULL, 10);
}

static void try_one(const char *fault)
{
    shell("rm -rf %s/work", root);
    outcome o = run("work", fault);
    size_t lines = 0;
    for (const char *p = o.err; *p; p++)
        lines += *p == '\n';
    bool killed = o.status == -9;
    if (!killed && o.status != 0 && (o.status != 1 || lines != 1))
        fail_msg("%s: status %d, says: %s", fault, o.status, o.err);
    if (shell("cd %s/work 2>/dev/null || exit 0; for f in NIC*.txt; do test ! -e $f || "
              "cmp -s $f ../whole/$f || exit 1; done",
              root) != 0)
        fail_msg("%s: a file is there that is not complete", fault);
    if (!killed && shell("! ls %s/work/*.part >/dev/null 2>&1", root) != 0)
        fail_msg("%s: a half-written file is left", fault);
    outcome again = run("work", NULL);
    if (again.status != 0 ||
        shell("diff -qr -x '*.tmp.*' %s/work %s/whole >/dev/null", root, root) != 0)
        fail_msg("%s: the next run did not give the whole", fault);
}

static void try_all(const char *kind, const char *what)
{
    unsigned long n = count_points(kind);
    assert_true(n > 0);
    for (unsigned long i = 1; i <= n; i++) {
        char fault[64];
        snprintf(fault, sizeof fault, "%s:%lu%s", kind, i, what);
        try_one(fault);
    }
    print_message("%lu points of %s%s\n", n, kind, what);
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

static void every_allocation_fails(void **state)
{
    (void)state;
    try_all("alloc", "");
}

static int make_whole(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/hdis-fault-synth-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    return run("whole", NULL).status;
}

static int remove_all(void **state)
{
    (void)state;
    return shell("rm -rf %s", root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_every_step),
        cmocka_unit_test(every_step_fails),
        cmocka_unit_test(the_disk_is_full_from_every_write_on),
        cmocka_unit_test(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, make_whole, remove_all);
}
