/* delivery.h - a delivered file as rows of raw fields; nothing here knows what a field means.
 *
 * Dialect: the delimiter (pipe, tab or comma) is the most frequent one in the header; lines end in
 * LF or CRLF; a UTF-8 byte order mark is skipped. A double quote has a meaning only in comma and
 * tab files and only where a field starts with it; inside quotes a quote is doubled and line ends
 * are data. Empty lines are skipped. The last line may lack its line end. Parquet files give the
 * same rows; a "line" is then the row number.
 *
 * A row that is broken is a defect: reported with its line, left out of the batch, and reading goes
 * on with the next line (after a broken quote: the line after the one where the row began). A file
 * that cannot be trusted as a whole (damaged packing, no header) is an error.
 *
 * Limits: field 64 KiB, row 16 MiB, 4096 columns. Memory is bounded by the row limit, four times.
 * The text comes from outside: every byte sequence must end in rows, defects or an error
 * (fuzz_reader).
 */
#ifndef HD_LANDING_DELIVERY_H
#define HD_LANDING_DELIVERY_H

#include "landing/packed.h"

enum {
    HD_DELIVERY_FIELD_BYTES = 64 * 1024,
    HD_DELIVERY_ROW_BYTES = 16 * 1024 * 1024,
    HD_DELIVERY_COLUMNS = 4096,
    HD_DELIVERY_BUFFER = 512 * 1024 /* the first, of a batch of text; it grows with a long row */
};

typedef enum hd_defect {
    HD_DEFECT_NONE,
    HD_DEFECT_FEW_FIELDS,
    HD_DEFECT_MANY_FIELDS,
    HD_DEFECT_QUOTE, /* never closed, or followed by text */
    HD_DEFECT_NUL,   /* a zero byte */
    HD_DEFECT_UTF8,  /* not UTF-8 */
    HD_DEFECT_LONG_FIELD,
    HD_DEFECT_LONG_ROW,
    HD_N_DEFECTS
} hd_defect;

/* A batch stays as it is until so many calls of hd_delivery_next after it: several stages of
 * landing work on batches that follow each other, and one may take as long as several others. */
enum { HD_DELIVERY_KEPT = 8, HD_SLICE_SLACK = 32, HD_PLACES_SLACK = 80 };

typedef struct hd_slice {
    const char *bytes; /* not NUL-terminated; HD_SLICE_SLACK bytes from here on can be read */
    size_t len;
} hd_slice;

typedef struct hd_row_defect {
    uint64_t line;
    unsigned column; /* from 1; 0: the whole row */
    hd_defect what;
} hd_row_defect;

typedef struct hd_laid { /* the texts of a column as words, by row (lay.h) */
    const uint64_t *first;  /* NULL: nobody wants them */
    const uint64_t *second; /* NULL: no text of the batch has more than eight bytes */
} hd_laid;

typedef struct hd_batch {
    size_t n_rows;
    size_t n_columns;
    const char *text;
    const uint32_t *places; /* n_columns + 1 a row: where in the text each field begins; it ends one
                               byte before the next. HD_PLACES_SLACK more can be read */
    const hd_laid *laid;    /* n_columns; NULL: nobody wants any */
    const uint64_t *lines;  /* n_rows; line on which each row starts */
    size_t n_defects;
    const hd_row_defect *defects;
} hd_batch;

static inline const uint32_t *hd_batch_row(const hd_batch *b, size_t row)
{
    return b->places + row * (b->n_columns + 1);
}

static inline hd_slice hd_batch_field(const hd_batch *b, size_t row, size_t column)
{
    const uint32_t *at = hd_batch_row(b, row) + column;
    return (hd_slice){b->text + at[0], at[1] - at[0] - 1};
}

typedef struct hd_delivery hd_delivery;

/* Open and read the header. HD_FORMAT: empty, only one of the refused kinds, no usable header (a
 * column name twice, more than 4096 columns, broken quotes). */
HD_MUST hd_code hd_delivery_open(hd_delivery **out, const char *path, hd_err *err);
/* The same with a watcher of the file's bytes, which has seen all of them when the last batch, the
 * empty one, was handed out (of a Parquet file those that were read from hd_delivery_source), and a
 * first buffer of that many bytes. */
HD_MUST hd_code hd_delivery_open_sized(hd_delivery **out, const char *path, size_t buffer,
                                       hd_packed_watcher *watcher, void *ctx, hd_err *err);
void hd_delivery_close(hd_delivery *r); /* wipes; NULL is allowed */
size_t hd_delivery_n_columns(const hd_delivery *r);
size_t hd_delivery_max_rows(const hd_delivery *r); /* of a batch */
/* Header name with blanks around it cut; "" for a column without one. */
const char *hd_delivery_column(const hd_delivery *r, size_t i);
char hd_delivery_delimiter(const hd_delivery *r); /* '|', '\t', ','; 0 for Parquet */
hd_packed *hd_delivery_source(hd_delivery *r);
/* Lay out some columns of all batches to come; before the first. */
HD_MUST hd_code hd_delivery_lay_out(hd_delivery *r, const bool *wanted, hd_err *err);
/* Next rows; n_rows and n_defects are both 0 only at the end. */
HD_MUST hd_code hd_delivery_next(hd_delivery *r, hd_batch *out, hd_err *err);

#endif
