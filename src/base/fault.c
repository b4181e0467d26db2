/* fault.c - see fault.h. */
#include "base/fault.h"

#ifdef HD_FAULTS
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kind_names[] = {"alloc", "write", "step"};
static unsigned long passed[3];
static unsigned long fail_at[3];
static int fail_errno[3];
static bool fail_kills[3];
static bool fail_stays[3];
static bool show_counts;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void print_counts(void)
{
    for (int k = 0; k < 3; k++)
        fprintf(stderr, "fault-points %s %lu\n", kind_names[k], passed[k]);
}

static void setup(void)
{
    const char *spec = getenv("HDIS_FAULT");
    if (!spec)
        return;
    if (strcmp(spec, "count") == 0) {
        show_counts = true;
        atexit(print_counts);
        return;
    }
    for (int k = 0; k < 3; k++) {
        size_t len = strlen(kind_names[k]);
        if (strncmp(spec, kind_names[k], len) != 0 || spec[len] != ':')
            continue;
        char *end = NULL;
        fail_at[k] = strtoul(spec + len + 1, &end, 10);
        fail_stays[k] = *end == '+';
        end += fail_stays[k];
        fail_errno[k] = EIO;
        if (strcmp(end, ":ENOSPC") == 0)
            fail_errno[k] = ENOSPC;
        fail_kills[k] = strcmp(end, ":kill") == 0;
    }
}

bool hd_fault(hd_fault_kind kind)
{
    pthread_once(&once, setup);
    pthread_mutex_lock(&lock);
    unsigned long n = ++passed[kind];
    bool now = n == fail_at[kind] || (fail_stays[kind] && n > fail_at[kind]);
    pthread_mutex_unlock(&lock);
    if (!now)
        return false;
    if (fail_kills[kind])
        kill(getpid(), SIGKILL);
    if (kind != HD_FAULT_ALLOC)
        errno = fail_errno[kind];
    return true;
}
#else
typedef int hd_fault_not_built;
#endif
