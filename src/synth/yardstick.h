/* yardstick.h - the tables of the yardstick: admissions and attendances of the same made-up people,
 * person by person, and a vault that holds them (hdis bench, bench/interrogate).
 *
 * A person's rows depend on the seed and the person's number alone, so every program that asks for
 * them gets the same ones, in the same order: by person, then by date. Practice, commissioner, area
 * and sex stay with a person; four of five admissions are at the local provider; diagnoses are as
 * frequent as 1 / rank; few people come often. Other shapes are there to see that this does not matter.
 */
#ifndef HD_SYNTH_YARDSTICK_H
#define HD_SYNTH_YARDSTICK_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HD_YARD_FIRST_DAY = 15430, /* 2012-04-01, in days from 1970-01-01 */
    HD_YARD_CHUNK = 65536,     /* rows */
    HD_YARD_OF_PERSON = 512    /* rows, at most */
};

typedef enum hd_yard_table { HD_YARD_ADMISSIONS, HD_YARD_ATTENDANCES, HD_YARD_TABLES } hd_yard_table;

/* A column: every value lies in 0 .. limit - 1, plus HD_YARD_FIRST_DAY for dates. */
typedef struct hd_yard_column {
    const char *name;
    uint32_t limit;
    int is_date;
} hd_yard_column;

enum { HD_YARD_COLUMNS = 16 };
/* The columns of a table without the person, in the shape chosen; ends with a NULL name. */
extern hd_yard_column hd_yard_columns[HD_YARD_TABLES][HD_YARD_COLUMNS];
/* Which numbers of codes and which skew all rows made after this have: `english` until chosen otherwise,
 * `many` codes and few rows a person, `few` codes and many rows a person, or `even`, in which everything
 * is as frequent as everything else. False: there is no such shape. */
bool hd_yard_choose(const char *shape);
extern const char *const hd_yard_names[HD_YARD_TABLES];

typedef struct hd_yard_source {
    hd_yard_table table;
    uint64_t seed, n_rows, made; /* rows wanted and given */
    double rows_per_person;
    uint32_t person;
    size_t n, at;   /* rows of the person in hand, and how many were given */
    uint32_t held[HD_YARD_OF_PERSON][HD_YARD_COLUMNS];
} hd_yard_source;

typedef struct hd_yard_chunk {
    size_t n;
    uint32_t persons[HD_YARD_CHUNK]; /* from 1 */
    uint32_t values[HD_YARD_COLUMNS][HD_YARD_CHUNK];
} hd_yard_chunk;

void hd_yard_open(hd_yard_source *s, hd_yard_table table, uint64_t n_rows, uint64_t seed);
/* The next rows; 0 when all were given. */
size_t hd_yard_next(hd_yard_source *s, hd_yard_chunk *out);

/* Make a vault at `folder` with both tables, n_rows each, through the builder in which every load
 * ends. */
HD_MUST hd_code hd_yard_make_vault(const char *folder, const char *key_file, uint64_t n_rows,
                                   uint64_t seed, hd_err *err);

#endif
