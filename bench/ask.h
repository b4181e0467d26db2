/* ask.h - what the two askers of bench/compare share: questions in, times and answers out.
 *
 * A questions file has blocks: a line "-- name", then one SQL statement up to a line that ends with
 * ";". Every statement is run once, then repeated; times and the answer of the last run are printed
 * as lines of JSON, so that compare can put two programs side by side.
 */
#ifndef BENCH_ASK_H
#define BENCH_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct question {
    char name[64];
    char sql[1 << 16];
} question;

static inline double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* Of all threads of this process: says more than the clock on a machine that does other things. */
static inline double processor_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* The next block; false at the end of the file. */
static inline bool next_question(FILE *f, question *q)
{
    char line[1 << 14];
    q->name[0] = q->sql[0] = '\0';
    while (fgets(line, sizeof line, f)) {
        size_t len = strcspn(line, "\n");
        if (strncmp(line, "-- ", 3) == 0 && q->sql[0] == '\0') {
            snprintf(q->name, sizeof q->name, "%.*s", (int)len - 3, line + 3);
        } else if (len > 0) {
            if (strlen(q->sql) + strlen(line) + 1 > sizeof q->sql) {
                fprintf(stderr, "question %s is too long\n", q->name);
                exit(1);
            }
            strcat(q->sql, line);
            if (line[len - 1] == ';') {
                q->sql[strlen(q->sql) - (strlen(line) - len) - 1] = '\0';
                return true;
            }
        }
    }
    return false;
}

static inline int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline double median_of(double *times, int n)
{
    qsort(times, (size_t)n, sizeof *times, by_value);
    return n % 2 ? times[n / 2] : (times[n / 2 - 1] + times[n / 2]) / 2;
}

/* One cell of an answer as a JSON string; numbers so that they read back exactly. */
static inline void put_text(const char *bytes, size_t len)
{
    putchar('"');
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\')
            putchar('\\');
        putchar(bytes[i]);
    }
    putchar('"');
}

#endif
