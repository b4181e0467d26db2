/* serve.h - what the three programs of bench/interrogate share: how they are asked, what they
 * answer.
 *
 * Standard input has requests "HOW REPEATS LENGTH" and a line end, then LENGTH bytes of SQL. HOW is
 * `warm`, `cold`, or, hdis only, `take` (the text names a table and columns to read and open) or `stream`
 * (as cold, with a limit on memory, which comes before the SQL); before all but the first the program
 * closes its data and the system forgets their pages. Standard output has one line of JSON for each request: the times, and the number of rows
 * and the sum of their hashes, which does not depend on their order.
 */
#ifndef BENCH_INTERROGATION_SERVE_H
#define BENCH_INTERROGATION_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_REPEATS = 100 };

typedef struct request {
    bool is_cold;
    bool is_taking;    /* hdis only: read and open columns */
    bool is_streaming; /* hdis only: with a limit on memory */
    int repeats;
    char *sql; /* kept until the next request */
} request;

double now_ms(void);
double processor_ms(
    void); /* of all threads: says more than the clock on a machine that does other things */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
bool next_request(request *r);

/* An answer's rows as they come; values are compared to six decimals. */
typedef struct answer {
    uint64_t rows, sum, row;
} answer;
void answer_value(answer *a, double value);
void answer_row(answer *a);

/* One list of times; several make one line. */
void put_times(const char *name, const double *ms, int n);
void put_answer(const answer *a); /* ends the line */
void put_error(const char *text);

/* Make the system forget the pages of every file in a folder (or of the one file). */
void forget_pages(const char *path);

#endif
