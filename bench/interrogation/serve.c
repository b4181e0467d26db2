/* serve.c - see serve.h. */
#define _XOPEN_SOURCE 700 /* nftw */
#define _DEFAULT_SOURCE
#include "serve.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

double now_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

double processor_ms(void)
{
    return clock_ms(CLOCK_PROCESS_CPUTIME_ID);
}

void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

bool next_request(request *r)
{
    char how[8];
    size_t length;
    free(r->sql);
    r->sql = NULL;
    if (scanf("%7s %d %zu", how, &r->repeats, &length) != 3)
        return false;
    if (getchar() != '\n' || r->repeats < 1 || r->repeats > MAX_REPEATS)
        fail("a request that nobody understands");
    r->is_cold = strcmp(how, "cold") == 0;
    r->is_taking = strcmp(how, "take") == 0;
    r->is_streaming = strcmp(how, "stream") == 0;
    r->sql = malloc(length + 1);
    if (!r->sql || fread(r->sql, 1, length, stdin) != length)
        fail("a request that ends too soon");
    r->sql[length] = '\0';
    return true;
}

void answer_value(answer *a, double value)
{
    char text[64];
    snprintf(text, sizeof text, "%.6f|", value);
    for (const char *s = text; *s; s++)
        a->row = (a->row ^ (uint8_t)*s) * UINT64_C(0x100000001B3);
}

void answer_row(answer *a)
{
    a->rows++;
    a->sum += a->row * UINT64_C(0x9E3779B97F4A7C15) ^ a->row >> 29;
    a->row = 0;
}

void put_times(const char *name, const double *ms, int n)
{
    printf("%s\"%s\":[", strcmp(name, "ms") == 0 ? "{" : ",", name);
    for (int i = 0; i < n; i++)
        printf("%s%.3f", i ? "," : "", ms[i]);
    printf("]");
}

void put_answer(const answer *a)
{
    printf(",\"rows\":%" PRIu64 ",\"sum\":\"%016" PRIx64 "\"}\n", a->rows, a->sum);
    fflush(stdout);
}

void put_error(const char *text)
{
    printf("{\"error\":\"");
    for (; *text; text++)
        putchar(*text == '"' || *text == '\\' || (unsigned char)*text < ' ' ? ' ' : *text);
    printf("\"}\n");
    fflush(stdout);
}

static int forget_file(const char *path, const struct stat *s, int type, struct FTW *at)
{
    (void)s;
    (void)at;
    int fd = type == FTW_F ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    fdatasync(fd); /* pages that wait to be written would stay */
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    return 0;
}

void forget_pages(const char *path)
{
    nftw(path, forget_file, 16, FTW_PHYS);
}
