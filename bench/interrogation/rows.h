/* rows.h - the rows of the yardstick: admissions and attendances of the same people, person by
 * person.
 *
 * A person's rows depend on the seed and the person's number alone, so every program that asks for
 * them gets the same ones, in the same order: by person, then by date. Practice, commissioner, area
 * and sex stay with a person; four of five admissions are at the local provider; diagnoses are as
 * frequent as 1 / rank; few people come often.
 */
#ifndef BENCH_INTERROGATION_ROWS_H
#define BENCH_INTERROGATION_ROWS_H

#include <stddef.h>
#include <stdint.h>

enum {
    N_PROVIDERS = 141,
    N_MONTHS = 120,
    N_DIAGNOSES = 10000,
    N_PROCEDURES = 2000,
    N_PRACTICES = 7000,
    N_COMMISSIONERS = 106,
    N_AREAS = 32844,
    FIRST_DAY = 15430, /* 2012-04-01, in days from 1970-01-01 */
    N_DAYS = 3652,     /* ten years */
    ROWS = 65536       /* of a chunk */
};

typedef enum row_table { ADMISSIONS, ATTENDANCES, N_ROW_TABLES } row_table;

/* A column: every value lies in 0 .. limit - 1, plus FIRST_DAY for dates. */
typedef struct row_column {
    const char *name;
    uint32_t limit;
    int is_date;
} row_column;

enum { MAX_ROW_COLUMNS = 16 };
/* The columns of a table without the person; ends with a NULL name. */
extern const row_column row_columns[N_ROW_TABLES][MAX_ROW_COLUMNS];
extern const char *const row_tables[N_ROW_TABLES];

typedef struct row_source {
    row_table table;
    uint64_t seed, n_rows, made; /* rows wanted and given */
    double rows_per_person;
    uint32_t person;
    size_t n, at;   /* rows of the person in hand, and how many were given */
    uint32_t *held; /* those rows: column after column */
} row_source;

typedef struct row_chunk {
    size_t n;
    uint32_t persons[ROWS]; /* from 1 */
    uint32_t values[MAX_ROW_COLUMNS][ROWS];
} row_chunk;

void rows_open(row_source *s, row_table table, uint64_t n_rows, uint64_t seed);
void rows_close(row_source *s);
/* The next rows; 0 when all were given. */
size_t rows_next(row_source *s, row_chunk *out);

#endif
