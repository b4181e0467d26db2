/* csv.h - small comma-separated tables held in memory: code lists, organisations, input of
 * `hdis stat`. RFC 4180: header row, quotes doubled, LF or CRLF, a UTF-8 byte order mark skipped.
 * Hospital files are read by landing/, not here. Writing quotes what needs quoting.
 */
#ifndef HD_BASE_CSV_H
#define HD_BASE_CSV_H

#include "base/buf.h"

typedef struct hd_csv {
    size_t n_columns, n_rows;
    const char **header; /* n_columns */
    const char **cells;  /* n_rows * n_columns, row by row; "" for empty */
    size_t *lines;       /* line number in the file at which each row starts */
    char *text_;         /* backing bytes */
} hd_csv;

/* Parse text (NUL-terminated, len bytes); name is used in errors. HD_FORMAT names the line when a
 * row has another number of fields, a quote is not closed, a column name repeats, or the text holds a
 * byte 0 or is not UTF-8. */
HD_MUST hd_code hd_csv_parse(hd_csv *out, const char *text, size_t len, const char *name,
                             hd_err *err);
HD_MUST hd_code hd_csv_read_file(hd_csv *out, const char *path, size_t max, hd_err *err);
void hd_csv_free(hd_csv *t);
/* Position of a column, or -1. Case-insensitive. */
int hd_csv_column(const hd_csv *t, const char *name);
static inline const char *hd_csv_cell(const hd_csv *t, size_t row, int column)
{
    return t->cells[row * t->n_columns + (size_t)column];
}
/* True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
bool hd_utf8_ok(const char *bytes, size_t len);
/* Append one field, quoted where needed. */
void hd_csv_put(hd_buf *out, const char *bytes, size_t len);

#endif
