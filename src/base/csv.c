/* csv.c - see csv.h. Cells point into one unescaped copy of the text. */
#include "base/csv.h"
#include "base/alloc.h"
#include "base/io.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct parser {
    hd_csv *t;
    const char *name;
    char *at, *end;
    size_t line;
    size_t cells_n, cells_cap, lines_cap;
};

/* Cut one field out at p->at, unescaping in place. Sets *last when it ends its row. */
static hd_code take_field(struct parser *p, const char **out, bool *last, hd_err *err)
{
    char *write = p->at;
    *out = write;
    size_t start_line = p->line;
    if (p->at < p->end && *p->at == '"') {
        p->at++;
        for (;;) {
            if (p->at >= p->end)
                return hd_fail(err, HD_FORMAT, "%s, line %zu: a quote is never closed", p->name,
                               start_line);
            if (*p->at == '"') {
                if (p->at + 1 < p->end && p->at[1] == '"') {
                    p->at++;
                } else {
                    p->at++;
                    break;
                }
            }
            p->line += *p->at == '\n';
            *write++ = *p->at++;
        }
        if (p->at < p->end && *p->at != ',' && *p->at != '\n' && *p->at != '\r')
            return hd_fail(err, HD_FORMAT, "%s, line %zu: text after a closing quote", p->name,
                           p->line);
    } else {
        while (p->at < p->end && *p->at != ',' && *p->at != '\n' &&
               !(*p->at == '\r' && (p->at + 1 == p->end || p->at[1] == '\n')))
            p->at++;
        write = p->at;
    }
    *last = p->at >= p->end || *p->at != ',';
    if (p->at < p->end && *p->at == '\r')
        p->at++;
    if (p->at < p->end) {
        p->line += *p->at == '\n';
        p->at++;
    }
    *write = '\0';
    return HD_OK;
}

static hd_code take_row(struct parser *p, size_t *n_fields, hd_err *err)
{
    bool last = false;
    *n_fields = 0;
    while (!last) {
        if (!HD_GROW(p->t->cells, p->cells_n, p->cells_cap))
            return hd_fail_nomem(err);
        HD_TRY(take_field(p, &p->t->cells[p->cells_n], &last, err));
        p->cells_n++;
        ++*n_fields;
    }
    return HD_OK;
}

typedef struct column_name {
    const char *text;
    size_t at;
} column_name;

static int by_name(const void *x, const void *y)
{
    const column_name *a = x, *b = y;
    int order = strcasecmp(a->text, b->text);
    return order ? order : (a->at > b->at) - (a->at < b->at);
}

/* Sorted, so that a header of a million columns is refused, or taken, as quickly as any. */
static hd_code refuse_same_names(const struct parser *p, hd_err *err)
{
    const hd_csv *t = p->t;
    hd_code rc = HD_OK;
    column_name *names = hd_calloc(t->n_columns, sizeof *names);
    if (!names)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < t->n_columns; i++)
        names[i] = (column_name){t->header[i], i};
    qsort(names, t->n_columns, sizeof *names, by_name);
    for (size_t i = 1; i < t->n_columns && rc == HD_OK; i++)
        if (strcasecmp(names[i - 1].text, names[i].text) == 0)
            rc = hd_fail(err, HD_FORMAT, "%s, line 1: columns %zu and %zu have the same name",
                         p->name, names[i - 1].at + 1, names[i].at + 1);
    hd_free(names);
    return rc;
}

static hd_code parse(struct parser *p, hd_err *err)
{
    hd_csv *t = p->t;
    if (p->end - p->at >= 3 && memcmp(p->at, "\xEF\xBB\xBF", 3) == 0)
        p->at += 3;
    if (p->at >= p->end)
        return hd_fail(err, HD_FORMAT, "%s is empty: a header row is needed", p->name);
    HD_TRY(take_row(p, &t->n_columns, err));
    t->header = (const char **)hd_calloc(t->n_columns, sizeof *t->header);
    if (!t->header)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < t->n_columns; i++)
        t->header[i] = t->cells[i];
    HD_TRY(refuse_same_names(p, err));
    p->cells_n = 0;
    while (p->at < p->end) {
        size_t line = p->line, n;
        HD_TRY(take_row(p, &n, err));
        if (n == 1 && t->n_columns > 1 && *t->cells[p->cells_n - 1] == '\0') {
            p->cells_n--; /* an empty line */
            continue;
        }
        if (n != t->n_columns)
            return hd_fail(err, HD_FORMAT, "%s, line %zu: %zu fields where the header has %zu",
                           p->name, line, n, t->n_columns);
        if (!HD_GROW(t->lines, t->n_rows, p->lines_cap))
            return hd_fail_nomem(err);
        t->lines[t->n_rows++] = line;
    }
    return HD_OK;
}

bool hd_utf8_ok(const char *bytes, size_t len)
{
    const unsigned char *p = (const unsigned char *)bytes, *end = p + len;
    while (p < end) {
        if (*p < 0x80) {
            p++;
            continue;
        }
        size_t more = *p >= 0xF0 ? 3 : *p >= 0xE0 ? 2 : 1;
        if (*p < 0xC2 || *p > 0xF4 || (size_t)(end - p) <= more)
            return false;
        /* the first continuation byte excludes overlong forms, surrogates, and beyond U+10FFFF */
        unsigned low = *p == 0xE0 ? 0xA0 : *p == 0xF0 ? 0x90 : 0x80;
        unsigned high = *p == 0xED ? 0x9F : *p == 0xF4 ? 0x8F : 0xBF;
        if (p[1] < low || p[1] > high)
            return false;
        for (size_t i = 2; i <= more; i++)
            if ((p[i] & 0xC0) != 0x80)
                return false;
        p += more + 1;
    }
    return true;
}

static size_t line_of(const char *text, size_t at)
{
    size_t line = 1;
    for (size_t i = 0; i < at; i++)
        line += text[i] == '\n';
    return line;
}

/* Texts end at a byte 0, so that codes would meet; what is not UTF-8 could not be written as JSON. */
static hd_code refuse_odd_bytes(const char *text, size_t len, const char *name, hd_err *err)
{
    const char *nul = len ? memchr(text, '\0', len) : NULL;
    if (nul)
        return hd_fail(err, HD_FORMAT, "%s, line %zu: a byte 0: not a text file", name,
                       line_of(text, (size_t)(nul - text)));
    if (hd_utf8_ok(text, len))
        return HD_OK;
    size_t at = 0;
    for (const char *end; (end = memchr(text + at, '\n', len - at)); at = (size_t)(end - text) + 1)
        if (!hd_utf8_ok(text + at, (size_t)(end - text) - at))
            break;
    return hd_fail(err, HD_FORMAT,
                   "%s, line %zu: not UTF-8; if it comes from Windows, iconv -f WINDOWS-1252 -t UTF-8 "
                   "makes it so",
                   name, line_of(text, at));
}

hd_code hd_csv_parse(hd_csv *out, const char *text, size_t len, const char *name, hd_err *err)
{
    *out = (hd_csv){0};
    HD_TRY(refuse_odd_bytes(text, len, name, err));
    out->text_ = hd_strndup(text, len);
    if (!out->text_)
        return hd_fail_nomem(err);
    struct parser p = {
        .t = out, .name = name, .at = out->text_, .end = out->text_ + len, .line = 1};
    hd_code rc = parse(&p, err);
    if (rc != HD_OK)
        hd_csv_free(out);
    return rc;
}

hd_code hd_csv_read_file(hd_csv *out, const char *path, size_t max, hd_err *err)
{
    char *text;
    size_t len;
    *out = (hd_csv){0};
    HD_TRY(hd_io_read_file(path, max, &text, &len, err));
    hd_code rc = hd_csv_parse(out, text, len, path, err);
    hd_free(text);
    return rc;
}

void hd_csv_free(hd_csv *t)
{
    hd_free((void *)t->header);
    hd_free((void *)t->cells);
    hd_free(t->lines);
    hd_free(t->text_);
    *t = (hd_csv){0};
}

int hd_csv_column(const hd_csv *t, const char *name)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (strcasecmp(t->header[i], name) == 0)
            return (int)i;
    return -1;
}

void hd_csv_put(hd_buf *out, const char *bytes, size_t len)
{
    bool quote = false;
    for (size_t i = 0; i < len; i++)
        quote |= bytes[i] == ',' || bytes[i] == '"' || bytes[i] == '\n' || bytes[i] == '\r';
    if (!quote) {
        hd_buf_add(out, bytes, len);
        return;
    }
    hd_buf_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '"')
            hd_buf_char(out, '"');
        hd_buf_char(out, bytes[i]);
    }
    hd_buf_char(out, '"');
}
