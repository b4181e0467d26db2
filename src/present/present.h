/* present.h - releases as text: table, CSV, JSON, and what goes with them.
 *
 * Everything here takes a release, so nothing here can show what disclosure has not passed. Text
 * columns may hold any bytes: each writer makes them harmless for its own format.
 */
#ifndef HD_PRESENT_PRESENT_H
#define HD_PRESENT_PRESENT_H

#include "base/buf.h"
#include "disclosure/release.h"

/* For reading: columns aligned, numbers to the right, decimals to at most six places, no thousands
 * separators. width 0: as wide as it needs to be; else, to fit, columns that are the same in every row
 * are said above the table, and texts are cut with "...", keys first. */
/* What every output with true counts says in itself (CSV and JSON hold nothing but the table). */
#define HD_SMALL_NUMBERS_MARK "SMALL NUMBERS - not for release"
/* Of has_unknown: who takes the rows for all that there are is wrong. */
#define HD_UNKNOWN_ROWS                                                                            \
    "not a complete list: rows for which HAVING reads a withheld figure are left out"

typedef struct hd_table_style {
    size_t width; /* of the terminal, in characters */
    bool colour;
} hd_table_style;
void hd_present_table(hd_buf *out, const hd_release *r, const hd_table_style *style);

/* RFC 4180, LF line ends. Numbers read back exactly, a withheld figure is its mark, NULL is an
 * empty field, an empty text is "". Text that a spreadsheet would run as a formula (it begins with
 * = + - @, tab or return, is longer than that, and is not a number) gets an apostrophe in front. */
void hd_present_csv(hd_buf *out, const hd_release *r);

/* An array of one object a row. Numbers read back exactly, a withheld figure is its mark as a
 * string, NULL is null. A column name that repeats gets _2, _3. */
void hd_present_json(hd_buf *out, const hd_release *r);

/* Spreadsheets, as whole files in memory. Numbers are numbers, dates dates, withheld figures their
 * mark as text; text is never a formula. HD_LIMIT: more rows than a spreadsheet has. */
HD_MUST hd_code hd_present_xlsx(hd_buf *out, const hd_release *r, hd_err *err);
HD_MUST hd_code hd_present_ods(hd_buf *out, const hd_release *r, hd_err *err);

/* What a person must know to read the figures: policy and version, marks, what is left out, digest of the
 * certificate. Some lines of text: for standard error, below a table in a file, and on the sheet
 * "about" of a spreadsheet. */
void hd_present_footer(hd_buf *out, const hd_release *r);
/* The same below CSV: each line begins with "# ". */
void hd_present_csv_footer(hd_buf *out, const hd_release *r);

/* The same and more for machines: a JSON object. purpose and tag may be NULL. */
void hd_present_provenance(hd_buf *out, const hd_release *r, const char *purpose, const char *tag);

/* ---- parts that the HTML pages use too ------------------------------------------------------ */

/* The shortest decimal notation that reads back as the same number; "" for NULL, NaN, infinity. */
void hd_present_value(hd_buf *out, const hd_value *v);
/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void hd_present_json_text(hd_buf *out, const char *bytes, size_t len);
/* Text inside an HTML element or a quoted attribute: & < > " ' escaped, control characters and
 * bytes that are not UTF-8 replaced by U+FFFD. */
void hd_present_html_text(hd_buf *out, const char *bytes, size_t len);
/* The same without escaping: a text without anything that a terminal obeys. */
void hd_present_plain_text(hd_buf *out, const char *bytes, size_t len);
/* Length in bytes of the UTF-8 sequence at p (at most len), 0 when it is not one. */
size_t hd_present_utf8(const char *p, size_t len);
/* Whether such a sequence is a control character (C0, DEL, C1), which a terminal obeys. */
bool hd_present_is_control(const char *p);

#endif
