/* stat_io.h - the inside of hd_stat: for stat.c and stat_io.c only. */
#ifndef HD_CLI_STAT_IO_H
#define HD_CLI_STAT_IO_H

#include <sys/types.h>

#include "base/csv.h"
#include "base/intern.h"
#include "cli/stat.h"

enum {
    HD_STAT_OPTIONS = 64,
    HD_STAT_COLUMNS_MAX = 4096,
    HD_STAT_SLACK = 9 /* bytes behind the text that can be read */
};

/* Rows in memory. Positions, because the text moves when it grows. */
typedef struct hd_stat_batch {
    char *text; /* cells end with NUL up to text_len; from there to raw_len not cut yet */
    size_t text_len, raw_len, text_cap;
    size_t *starts;    /* of the rows in text */
    uint32_t *offsets; /* n_columns - 1 a row: of the cells after the first, from its start */
    size_t starts_cap, n_offsets, offsets_cap;
    size_t n_rows;
    uint64_t first_row; /* number of the first row in the input, from 1; 0 is the header */
} hd_stat_batch;

typedef struct hd_stat_reader {
    int fd;
    const char *name;
    bool ended;
    off_t first;      /* where the first row starts, if it is a file */
    size_t n_columns; /* 0 until the header was read */
} hd_stat_reader;

struct hd_stat {
    const hd_stat_method *method;
    hd_stat_reader reader;
    hd_stat_batch header, batch;
    const size_t *view; /* rows of the batch to show, or NULL: n_shown from first_shown */
    size_t first_shown, n_shown;
    bool seen; /* the view was given out by hd_stat_next */
    const char *option_names[HD_STAT_OPTIONS];
    const char *option_values[HD_STAT_OPTIONS];
    bool option_flags[HD_STAT_OPTIONS];
    size_t n_options;
    const hd_csv *settings; /* NULL, or the table whose row settings_row is in force */
    size_t settings_row;
    double levels[HD_STAT_LEVELS];
    unsigned n_levels;
    int group_columns[16];
    size_t n_group_columns;
    int *kept;
    size_t n_kept;
    char *results; /* header as written; NULL before */
    size_t n_out_columns, out_column;
    size_t shown_row; /* whose cells the row of the result began with */
    bool beyond;      /* a result of the row is infinite */
    struct {
        double value;
        char text[32];
    } printed[64]; /* the latest numbers as text: limits repeat on every row of a series */
    hd_buf out;
    int out_fd;
    const char *out_name;
    bool keep_output; /* do not write before the end */
};

HD_MUST hd_code hd_stat_read_header(hd_stat *s, hd_err *err);
/* Forget the rows of s->batch before `keep` and read at least one row more, about 8 MB; *more is
 * false when there was nothing left. Sets no window. */
HD_MUST hd_code hd_stat_read_more(hd_stat *s, size_t keep, bool *more, hd_err *err);
HD_MUST hd_code hd_stat_flush(hd_stat *s, hd_err *err);
HD_MUST hd_code hd_stat_flush_full(hd_stat *s, hd_err *err); /* when there is enough to write */
void hd_stat_batch_free(hd_stat_batch *b);

#endif
