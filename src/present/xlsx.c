/* xlsx.c - a release as a spreadsheet of Office Open XML; libxlsxwriter is used in this file only.
 *
 * Text is written as text and never as a formula. The workbook is made in memory (a memfd), so nothing
 * that was not passed on purpose reaches a disk.
 */
#define _GNU_SOURCE
#include "present/present.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xlsxwriter.h>

enum { MAX_ROWS = 1048576, MAX_COLUMNS = 16384, MAX_TEXT = 32767 };

struct sheet {
    lxw_worksheet *sheet;
    lxw_format *head, *date, *plain;
    hd_buf scratch;
};

static lxw_error put_text(struct sheet *s, lxw_row_t row, lxw_col_t col, const char *bytes, size_t len)
{
    hd_buf_clear(&s->scratch);
    hd_present_plain_text(&s->scratch, bytes, len < MAX_TEXT ? len : MAX_TEXT);
    return worksheet_write_string(s->sheet, row, col, s->scratch.data, s->plain);
}

static lxw_error put_figure(struct sheet *s, lxw_row_t row, lxw_col_t col, const hd_figure *f)
{
    const hd_value *v = &f->value;
    if (f->mark)
        return put_text(s, row, col, &f->mark, 1);
    if (v->is_null)
        return LXW_NO_ERROR;
    switch (v->type) {
    case HD_TEXT:
        return put_text(s, row, col, v->text.bytes, v->text.len);
    case HD_DECIMAL:
        return isfinite(v->decimal) ? worksheet_write_number(s->sheet, row, col, v->decimal, NULL)
                                    : LXW_NO_ERROR;
    case HD_DATE: {
        /* Days from 1899-12-30; earlier dates than 1900-03-01 have no number there. */
        const int64_t epoch = 25569, first = 61;
        if (v->integer + epoch >= first)
            return worksheet_write_number(s->sheet, row, col, (double)(v->integer + epoch), s->date);
        hd_buf_clear(&s->scratch);
        hd_present_value(&s->scratch, v);
        return worksheet_write_string(s->sheet, row, col, s->scratch.data, s->plain);
    }
    case HD_BOOLEAN:
        return worksheet_write_boolean(s->sheet, row, col, (int)v->integer, NULL);
    default:
        return worksheet_write_number(s->sheet, row, col, (double)v->integer, NULL);
    }
}

static bool fill(struct sheet *s, const hd_release *r)
{
    lxw_error bad = LXW_NO_ERROR;
    for (size_t c = 0; c < r->n_columns && !bad; c++) {
        hd_buf_clear(&s->scratch);
        hd_present_plain_text(&s->scratch, r->columns[c].name, strlen(r->columns[c].name));
        bad = worksheet_write_string(s->sheet, 0, (lxw_col_t)c, s->scratch.data, s->head);
    }
    for (size_t row = 0; row < r->n_rows && !bad; row++)
        for (size_t c = 0; c < r->n_columns && !bad; c++) {
            const hd_figure f = hd_release_at(r, row, c);
            bad = put_figure(s, (lxw_row_t)row + 1, (lxw_col_t)c, &f);
        }
    worksheet_freeze_panes(s->sheet, 1, 0);
    return !bad && hd_buf_ok(&s->scratch);
}

/* What goes with the figures, a line a row. */
static bool fill_about(struct sheet *s, const hd_release *r)
{
    hd_buf lines;
    hd_buf_init(&lines, (size_t)1 << 16);
    hd_present_footer(&lines, r);
    lxw_error bad = LXW_NO_ERROR;
    const char *line = hd_buf_ok(&lines) ? lines.data : "";
    for (lxw_row_t row = 0; *line && !bad; row++) {
        size_t len = strcspn(line, "\n");
        bad = put_text(s, row, 0, line, len);
        line += len + (line[len] == '\n');
    }
    bool ok = hd_buf_ok(&lines) && !bad && hd_buf_ok(&s->scratch);
    hd_buf_free(&lines);
    return ok;
}

static bool read_back(int fd, hd_buf *out)
{
    char bytes[65536];
    off_t at = 0;
    ssize_t n;
    while ((n = pread(fd, bytes, sizeof bytes, at)) > 0) {
        hd_buf_add(out, bytes, (size_t)n);
        at += n;
    }
    return n == 0 && at > 0;
}

hd_code hd_present_xlsx(hd_buf *out, const hd_release *r, hd_err *err)
{
    if (r->n_rows >= MAX_ROWS || r->n_columns > MAX_COLUMNS)
        return hd_fail(err, HD_LIMIT, "the table is larger than a spreadsheet: use --format csv");
    int fd = memfd_create("hdis-xlsx", MFD_CLOEXEC);
    if (fd < 0)
        return hd_fail_os(err, "cannot make room for a spreadsheet");
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    lxw_workbook *book = workbook_new(path);
    if (!book) {
        close(fd);
        return hd_fail_nomem(err);
    }
    struct sheet s = {.sheet = workbook_add_worksheet(book, r->has_true_counts ? HD_SMALL_NUMBERS_MARK
                                                                  : "figures"),
                      .head = workbook_add_format(book),
                      .date = workbook_add_format(book)};
    hd_buf_init(&s.scratch, (size_t)1 << 20);
    bool ok = s.sheet && s.head && s.date;
    if (ok) {
        format_set_bold(s.head);
        format_set_num_format(s.date, "yyyy-mm-dd");
        if (r->has_true_counts)
            worksheet_set_header(s.sheet, "&C&B" HD_SMALL_NUMBERS_MARK);
        ok = fill(&s, r);
        s.sheet = workbook_add_worksheet(book, "about");
        ok = ok && s.sheet && fill_about(&s, r);
    }
    ok = workbook_close(book) == LXW_NO_ERROR && ok;
    hd_buf_free(&s.scratch);
    ok = ok && read_back(fd, out);
    close(fd);
    return ok ? hd_buf_check(out, err) : hd_fail(err, HD_IO, "the spreadsheet could not be written");
}
