/* stat_io.h - the inside of hd_stat: for stat.c and stat_io.c only. */
#ifndef HD_CLI_STAT_IO_H
#define HD_CLI_STAT_IO_H

#include "base/csv.h"
#include "base/intern.h"
#include "cli/stat.h"

enum { HD_STAT_OPTIONS = 64, HD_STAT_COLUMNS_MAX = 4096 };

/* Rows held in memory: NUL-terminated cells one after the other. Offsets, because the text moves.
 */
typedef struct hd_stat_batch {
    char *text;
    size_t text_len, text_cap;
    size_t *cells; /* n_rows * n_columns offsets */
    size_t n_cells, cells_cap;
    size_t n_rows;
    uint64_t first_row; /* number of the first row in the input, from 1 */
} hd_stat_batch;

typedef struct hd_stat_reader {
    int fd;
    const char *name;
    char *bytes;
    size_t len, at;
    bool ended;
    uint64_t rows;    /* read so far */
    size_t n_columns; /* 0 until the header was read */
} hd_stat_reader;

struct hd_stat {
    const hd_stat_method *method;
    hd_stat_reader reader;
    hd_stat_batch header, batch, pending;
    const size_t *view; /* rows of the batch to show, or NULL for all */
    size_t n_view;
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
/* Fill s->batch with the next rows; *more is false when there is nothing left. */
HD_MUST hd_code hd_stat_read_batch(hd_stat *s, bool one_group, size_t max_rows, bool *more,
                                   hd_err *err);
HD_MUST hd_code hd_stat_flush(hd_stat *s, hd_err *err);
void hd_stat_batch_free(hd_stat_batch *b);

#endif
