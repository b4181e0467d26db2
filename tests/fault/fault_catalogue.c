/* fault_catalogue.c - opening a catalogue while the n-th allocation fails, for every n: one line, no
 * leak, no crash. libcyaml allocates through base/alloc.h too, so its failures are among them.
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

#include "catalogue/catalogue.h"

/* A sanitizer's report must not look like an orderly failure (1). */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "exitcode=99";
}

enum { ENOUGH = 100000 };

/* In a child: 0 opened, 1 refused in one line for want of memory, 2 anything else. */
static int open_in_child(const char *folder, unsigned long n)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char spec[40];
        hd_catalogue *c;
        hd_err err;
        snprintf(spec, sizeof spec, "alloc:%lu", n);
        setenv("HDIS_FAULT", spec, 1);
        hd_code rc = hd_catalogue_open(&c, folder, NULL, &err);
        if (rc == HD_OK) {
            hd_catalogue_close(c);
            exit(0);
        }
        exit(rc == HD_NOMEM && err.text[0] && !strchr(err.text, '\n') ? 1 : 2);
    }
    int status;
    assert_true(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

static void every_allocation(void **state)
{
    char folder[1000];
    const char *source = getenv("HDIS_SOURCE");
    unsigned long n;
    (void)state;
    snprintf(folder, sizeof folder, "%s/tests/catalogue/good", source ? source : ".");
    for (n = 1; n < ENOUGH; n++) {
        int status = open_in_child(folder, n);
        if (status == 0)
            break;
        if (status != 1)
            fail_msg("allocation %lu: the child ended with %d", n, status);
    }
    assert_true(n > 300 && n < ENOUGH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
