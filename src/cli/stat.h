/* stat.h - what the methods of `hdis stat` share: one row of a table describes a method (its
 * columns, options, help and function); this layer reads CSV, finds columns, writes CSV. The
 * statistics themselves are in statistics/ and know nothing of CSV.
 *
 * A method's run() is called once for every batch of rows: any number of rows for HD_STAT_ROWS,
 * whole groups for HD_STAT_GROUPS (one group a batch with --sorted), everything at once for
 * HD_STAT_WHOLE; HD_STAT_STREAM: once, and it asks for the rows with hd_stat_next. Batches of rows
 * and of sorted groups are worked on by several threads at once, each with its own hd_stat; their
 * output is put together in the order of the input.
 */
#ifndef HD_CLI_STAT_H
#define HD_CLI_STAT_H

#include "base/buf.h"

enum { HD_STAT_LEVELS = 8 };

typedef struct hd_stat_column {
    const char *name; /* also the option that names another column for it */
    bool required;
    const char *help;
} hd_stat_column;

typedef struct hd_stat_option {
    const char *name;
    const char *value; /* placeholder for the help; NULL: a switch */
    const char *help;
} hd_stat_option;

typedef enum hd_stat_input {
    HD_STAT_ROWS,
    HD_STAT_GROUPS,
    HD_STAT_WHOLE,
    HD_STAT_STREAM
} hd_stat_input;

typedef struct hd_stat hd_stat;

typedef struct hd_stat_method {
    const char *name, *summary;
    const char *output; /* the columns that it adds, for the help */
    const char *example;
    const char *default_group; /* column that --group defaults to when the input has it, or NULL */
    hd_stat_input input;
    bool grouped; /* takes --group */
    bool levels;  /* takes --level */
    const hd_stat_column *columns;
    const hd_stat_option *options;
    hd_code (*run)(hd_stat *s, hd_err *err);
} hd_stat_method;

/* The tables of methods, each ending with a row without a name. */
extern const hd_stat_method hd_stat_basic[], hd_stat_standard[], hd_stat_funnel[], hd_stat_spc[],
    hd_stat_cusum[], hd_stat_models[], hd_stat_forecast[], hd_stat_fields[], hd_stat_compare[],
    hd_stat_mortality[], hd_stat_decompose[];

/* --- Input ------------------------------------------------------------------------------------ */

/* HD_STAT_STREAM: forget the rows that are there and read some more, whole rows in the order of the
 * input; *more is false at the end. */
HD_MUST hd_code hd_stat_next(hd_stat *s, bool *more, hd_err *err);
/* HD_STAT_STREAM: instead, read everything. */
HD_MUST hd_code hd_stat_all(hd_stat *s, hd_err *err);
/* HD_STAT_STREAM: whether the table can be read twice; if so, go back to its first row. */
bool hd_stat_is_file(const hd_stat *s);
HD_MUST hd_code hd_stat_rewind(hd_stat *s, hd_err *err);
size_t hd_stat_n_rows(const hd_stat *s);
size_t hd_stat_n_columns(const hd_stat *s);
/* Position of a column by its role (a name in the method's table), or -1. */
int hd_stat_column_of(const hd_stat *s, const char *role);
/* Position of a column by its name in the input, or -1. */
int hd_stat_find(const hd_stat *s, const char *name);
const char *hd_stat_name(const hd_stat *s, int column);
const char *hd_stat_cell(const hd_stat *s, size_t row, int column);
bool hd_stat_blank(const hd_stat *s, size_t row, int column); /* also when column is -1 */
/* A number; NAN when blank or column is -1. A refusal, also of sizes beyond 1e100, names the row
 * and the column. */
HD_MUST hd_code hd_stat_number(hd_stat *s, size_t row, int column, double *out, hd_err *err);
/* As hd_stat_number, and not negative. */
HD_MUST hd_code hd_stat_count(hd_stat *s, size_t row, int column, double *out, hd_err *err);
/* HD_DATE_NONE when blank. */
HD_MUST hd_code hd_stat_date(hd_stat *s, size_t row, int column, int32_t *out, hd_err *err);
/* A whole column at once: hd_stat_n_rows numbers, freed by the caller with hd_free. */
HD_MUST hd_code hd_stat_numbers(hd_stat *s, int column, double **out, hd_err *err);
/* Refuse: "row R, column C: <text>"; column -1 leaves it out. */
hd_code hd_stat_refuse(hd_stat *s, size_t row, int column, hd_err *err, const char *fmt, ...)
    HD_PRINTF(5, 6);
/* Put the row in front of an error that a statistics function gave. */
hd_code hd_stat_at(hd_stat *s, size_t row, hd_err *err);

/* --- Groups of the rows of a batch ------------------------------------------------------------ */

typedef struct hd_stat_groups {
    size_t n;
    size_t *start; /* n + 1 positions in rows */
    size_t *rows;  /* rows of group 0, then of group 1, ...; in the order of the input */
} hd_stat_groups;

/* In order of first appearance. Without --group (and without its default) all rows are one group.
 */
HD_MUST hd_code hd_stat_group(hd_stat *s, hd_stat_groups *out, hd_err *err);
void hd_stat_groups_free(hd_stat_groups *g);

/* --- Options ---------------------------------------------------------------------------------- */

const char *hd_stat_text(const hd_stat *s, const char *option); /* NULL when not given */
bool hd_stat_switch(const hd_stat *s, const char *option);
/* The option as a number within low..high, or `otherwise` when it was not given. */
HD_MUST hd_code hd_stat_setting(const hd_stat *s, const char *option, double low, double high,
                                double otherwise, double *out, hd_err *err);
/* Position of the option's text among choices (NULL-terminated); `otherwise` when not given. */
HD_MUST hd_code hd_stat_choice(const hd_stat *s, const char *option, const char *const *choices,
                               int otherwise, int *out, hd_err *err);
/* --level: 0.95 alone when not given. */
unsigned hd_stat_levels(const hd_stat *s, const double **levels);

/* --- Output ----------------------------------------------------------------------------------- */

typedef enum hd_stat_keep {
    HD_STAT_KEEP_ALL,    /* every input column: one result row an input row */
    HD_STAT_KEEP_GROUPS, /* the group columns: one result row a group */
    HD_STAT_KEEP_NONE
} hd_stat_keep;

/* Declare the result columns: names separated by spaces; names joined by commas and ending in '@'
 * are repeated for every level, with its suffix when there are several: "value lower@,upper@
 * method". The first call writes the header; later calls only check that nothing changed. */
HD_MUST hd_code hd_stat_header(hd_stat *s, hd_stat_keep keep, const char *results, hd_err *err);
void hd_stat_keep_row(hd_stat *s, size_t row); /* begin an output row with the kept cells of row */
/* Reads back exactly; blank when NAN, and an infinite one makes hd_stat_end_row refuse. */
void hd_stat_put(hd_stat *s, double v);
void hd_stat_put_text(hd_stat *s, const char *text);
void hd_stat_put_count(hd_stat *s, uint64_t n);
HD_MUST hd_code hd_stat_end_row(hd_stat *s, hd_err *err);

/* Shortest decimal text that reads back as v. */
void hd_stat_print(double v, char out[32]);
void hd_stat_print_count(uint64_t n, char out[24]);
/* Read a decimal number (no nan, no inf, no hex, no blanks around it). */
bool hd_stat_parse(const char *text, double *out);
/* A whole column of numbers separated by sep in one text; false when one is not a number. */
bool hd_stat_parse_list(const char *text, char sep, double *out, size_t max, size_t *n);

#endif
