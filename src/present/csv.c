/* csv.c - a release as comma-separated values. */
#include "present/present.h"

#include "base/csv.h"

#include <stdlib.h>
#include <string.h>

/* "+44" and "-1" are numbers to a spreadsheet and to everyone else; "-1+1" is not. */
static bool is_number(const char *bytes, size_t len)
{
    char text[64], *end;
    if (len == 0 || len >= sizeof text)
        return false;
    memcpy(text, bytes, len);
    text[len] = '\0';
    strtod(text, &end);
    return strspn(text, "+-.0123456789eE") == len && end == text + len;
}

static void put_text(hd_buf *out, hd_buf *scratch, const char *bytes, size_t len)
{
    if (len == 0) {
        hd_buf_str(out, "\"\"");
        return;
    }
    hd_buf_clear(scratch);
    /* One sign alone is a code (OPCS "-" is "nothing done") and no formula. */
    if (len > 1 && memchr("=+-@\t\r", bytes[0], 6) && !is_number(bytes, len))
        hd_buf_char(scratch, '\'');
    hd_present_plain_text(scratch, bytes, len);
    if (!hd_buf_ok(scratch))
        out->failed = true;
    hd_csv_put(out, scratch->data, scratch->len);
}

void hd_present_csv_footer(hd_buf *out, const hd_release *r)
{
    hd_buf lines;
    hd_buf_init(&lines, (size_t)1 << 16);
    hd_present_footer(&lines, r);
    if (!hd_buf_ok(&lines))
        out->failed = true;
    for (const char *line = lines.data, *end; hd_buf_ok(&lines) && *line; line = end + 1) {
        end = strchr(line, '\n');
        hd_buf_str(out, "# ");
        hd_buf_add(out, line, (size_t)(end + 1 - line));
    }
    hd_buf_free(&lines);
}

void hd_present_csv(hd_buf *out, const hd_release *r)
{
    hd_buf scratch;
    hd_buf_init(&scratch, (size_t)1 << 30);
    for (size_t c = 0; c < r->n_columns; c++) {
        if (c)
            hd_buf_char(out, ',');
        put_text(out, &scratch, r->columns[c].name, strlen(r->columns[c].name));
    }
    hd_buf_char(out, '\n');
    for (size_t row = 0; row < r->n_rows; row++) {
        for (size_t c = 0; c < r->n_columns; c++) {
            const hd_figure shown = hd_release_at(r, row, c), *f = &shown;
            if (c)
                hd_buf_char(out, ',');
            if (f->mark)
                hd_buf_char(out, f->mark);
            else if (f->value.type == HD_TEXT && !f->value.is_null)
                put_text(out, &scratch, f->value.text.bytes, f->value.text.len);
            else
                hd_present_value(out, &f->value);
        }
        hd_buf_char(out, '\n');
    }
    hd_buf_free(&scratch);
}
