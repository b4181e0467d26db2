/* progress.c - see progress.h. */
#include "base/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void hd_progress_begin(hd_progress *p, const char *what, uint64_t total)
{
    *p = (hd_progress){.what = what, .total = total, .last_ms = now_ms()};
}

void hd_progress_at(hd_progress *p, uint64_t done)
{
    int64_t now = now_ms();
    if (now - p->last_ms < 200 || !isatty(STDERR_FILENO))
        return;
    p->last_ms = now;
    p->shown = 1;
    if (p->total)
        fprintf(stderr, "\r\033[K%s: %.0f%%", p->what, 100.0 * (double)done / (double)p->total);
    else
        fprintf(stderr, "\r\033[K%s: %" PRIu64, p->what, done);
    fflush(stderr);
}

void hd_progress_more(hd_progress *p)
{
    hd_progress_at(p, ++p->done);
}

void hd_progress_end(hd_progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
}
