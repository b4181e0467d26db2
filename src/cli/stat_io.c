/* stat_io.c - see stat.h: CSV in and out for `hdis stat`, a row at a time, and numbers as text. */
#include "cli/stat_io.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/date.h"
#include "base/io.h"

enum { READ_SIZE = 1 << 18, FLUSH_SIZE = 1 << 24 };

/* --- Reading ---------------------------------------------------------------------------------- */

void hd_stat_batch_free(hd_stat_batch *b)
{
    hd_free(b->text);
    hd_free(b->cells);
    *b = (hd_stat_batch){0};
}

static void batch_clear(hd_stat_batch *b)
{
    b->text_len = b->n_cells = b->n_rows = 0;
}

/* Next byte, or -1 at the end of the input. */
static hd_code fill(hd_stat_reader *r, hd_err *err)
{
    r->at = r->len = 0;
    while (!r->ended) {
        ssize_t n = read(r->fd, r->bytes, READ_SIZE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return hd_fail_os(err, "cannot read %s", r->name);
        r->ended = n == 0;
        r->len = (size_t)n;
        break;
    }
    return HD_OK;
}

static hd_code add_bytes(hd_stat_batch *b, const char *bytes, size_t len, hd_err *err)
{
    if (b->text_cap - b->text_len < len) {
        size_t cap = b->text_cap ? b->text_cap * 2 : 4096;
        while (cap - b->text_len < len)
            cap *= 2;
        char *text = hd_realloc(b->text, cap);
        if (!text)
            return hd_fail_nomem(err);
        b->text = text;
        b->text_cap = cap;
    }
    memcpy(b->text + b->text_len, bytes, len);
    b->text_len += len;
    return HD_OK;
}

static hd_code begin_cell(hd_stat_batch *b, hd_err *err)
{
    if (!HD_GROW(b->cells, b->n_cells, b->cells_cap))
        return hd_fail_nomem(err);
    b->cells[b->n_cells++] = b->text_len;
    return HD_OK;
}

static bool is_plain(char c)
{
    return c != ',' && c != '"' && c != '\n' && c != '\r' && c != '\0';
}

typedef enum { CELL_START, CELL_PLAIN, CELL_QUOTED, CELL_QUOTE_SEEN } cell_state;

/* Read one row into b. *got is false at the end of the input. Leaves a partial row in b on failure.
 */
static hd_code read_row(hd_stat_reader *r, hd_stat_batch *b, bool *got, hd_err *err)
{
    cell_state state = CELL_START;
    size_t before = b->n_cells;
    unsigned long row = (unsigned long)r->rows;
    *got = false;
    for (;;) {
        if (r->at == r->len) {
            HD_TRY(fill(r, err));
            if (r->len == 0)
                break;
        }
        char c = r->bytes[r->at];
        if (c == '\0')
            return hd_fail(err, HD_FORMAT, "%s: row %lu holds a zero byte", r->name, row);
        if (state == CELL_QUOTED) {
            size_t from = r->at;
            while (r->at < r->len && r->bytes[r->at] != '"' && r->bytes[r->at] != '\0')
                r->at++;
            HD_TRY(add_bytes(b, r->bytes + from, r->at - from, err));
            if (r->at < r->len && r->bytes[r->at] == '"') {
                r->at++;
                state = CELL_QUOTE_SEEN;
            }
            continue;
        }
        if (!*got && c == '\n' && r->n_columns != 1) { /* a blank line */
            r->at++;
            continue;
        }
        if (!*got && c == '\r' && r->at + 1 < r->len && r->bytes[r->at + 1] == '\n' &&
            r->n_columns != 1) {
            r->at += 2;
            continue;
        }
        if (!*got) {
            *got = true;
            HD_TRY(begin_cell(b, err));
        }
        if (state == CELL_START && c == '"') {
            r->at++;
            state = CELL_QUOTED;
        } else if (state == CELL_QUOTE_SEEN && c == '"') {
            r->at++;
            HD_TRY(add_bytes(b, "\"", 1, err));
            state = CELL_QUOTED;
        } else if (c == ',') {
            r->at++;
            HD_TRY(add_bytes(b, "", 1, err));
            HD_TRY(begin_cell(b, err));
            state = CELL_START;
        } else if (c == '\n') {
            r->at++;
            break;
        } else if (c == '\r') {
            r->at++;
            if (r->at == r->len)
                HD_TRY(fill(r, err));
            if (r->len && r->bytes[r->at] != '\n')
                HD_TRY(add_bytes(b, "\r", 1, err));
        } else if (state == CELL_QUOTE_SEEN || c == '"') {
            return hd_fail(err, HD_FORMAT, "%s: row %lu has a quote inside a field", r->name, row);
        } else {
            size_t from = r->at;
            while (r->at < r->len && is_plain(r->bytes[r->at]))
                r->at++;
            HD_TRY(add_bytes(b, r->bytes + from, r->at - from, err));
            state = CELL_PLAIN;
        }
    }
    if (state == CELL_QUOTED)
        return hd_fail(err, HD_FORMAT, "%s: row %lu opens a quote that is never closed", r->name,
                       row);
    if (!*got)
        return HD_OK;
    HD_TRY(add_bytes(b, "", 1, err));
    if (r->n_columns && b->n_cells - before != r->n_columns)
        return hd_fail(err, HD_FORMAT, "%s: row %lu has %zu fields where the header has %zu",
                       r->name, row, b->n_cells - before, r->n_columns);
    b->n_rows++;
    return HD_OK;
}

static const char *header_name(const hd_stat *s, size_t column)
{
    return s->header.text + s->header.cells[column];
}

hd_code hd_stat_read_header(hd_stat *s, hd_err *err)
{
    hd_stat_reader *r = &s->reader;
    bool got;
    r->bytes = hd_malloc(READ_SIZE);
    if (!r->bytes)
        return hd_fail_nomem(err);
    HD_TRY(fill(r, err));
    if (r->len >= 3 && memcmp(r->bytes, "\xEF\xBB\xBF", 3) == 0)
        r->at = 3;
    HD_TRY(read_row(r, &s->header, &got, err));
    if (!got)
        return hd_fail(err, HD_FORMAT, "%s is empty: a header row is needed", r->name);
    r->n_columns = s->header.n_cells;
    if (r->n_columns > HD_STAT_COLUMNS_MAX)
        return hd_fail(err, HD_LIMIT, "%s has more than %d columns", r->name, HD_STAT_COLUMNS_MAX);
    for (size_t i = 0; i < r->n_columns; i++) {
        if (header_name(s, i)[0] == '\0')
            return hd_fail(err, HD_FORMAT, "%s: column %zu has no name", r->name, i + 1);
        for (size_t j = 0; j < i; j++)
            if (strcasecmp(header_name(s, i), header_name(s, j)) == 0)
                return hd_fail(err, HD_FORMAT, "%s: column %zu has the name of column %zu", r->name,
                               i + 1, j + 1);
    }
    return HD_OK;
}

static bool same_group(const hd_stat *s, const hd_stat_batch *a, size_t row, const hd_stat_batch *b)
{
    size_t n = s->reader.n_columns;
    for (size_t i = 0; i < s->n_group_columns; i++) {
        size_t c = (size_t)s->group_columns[i];
        if (strcmp(a->text + a->cells[row * n + c], b->text + b->cells[c]) != 0)
            return false;
    }
    return true;
}

static hd_code move_pending(hd_stat *s, hd_err *err)
{
    hd_stat_batch *p = &s->pending;
    if (p->n_rows == 0)
        return HD_OK;
    for (size_t i = 0; i < p->n_cells; i++) {
        const char *text = p->text + p->cells[i];
        HD_TRY(begin_cell(&s->batch, err));
        HD_TRY(add_bytes(&s->batch, text, strlen(text) + 1, err));
    }
    s->batch.n_rows = 1;
    batch_clear(p);
    return HD_OK;
}

hd_code hd_stat_read_batch(hd_stat *s, bool one_group, size_t max_rows, bool *more, hd_err *err)
{
    hd_stat_reader *r = &s->reader;
    bool got = true;
    batch_clear(&s->batch);
    s->batch.first_row = r->rows + (s->pending.n_rows ? 0 : 1);
    HD_TRY(move_pending(s, err));
    while (got && s->batch.n_rows < max_rows) {
        r->rows++;
        if (!one_group || s->batch.n_rows == 0) {
            HD_TRY(read_row(r, &s->batch, &got, err));
            continue;
        }
        HD_TRY(read_row(r, &s->pending, &got, err));
        if (!got || !same_group(s, &s->batch, 0, &s->pending))
            break;
        for (size_t i = 0; i < s->pending.n_cells; i++) {
            const char *text = s->pending.text + s->pending.cells[i];
            HD_TRY(begin_cell(&s->batch, err));
            HD_TRY(add_bytes(&s->batch, text, strlen(text) + 1, err));
        }
        s->batch.n_rows++;
        batch_clear(&s->pending);
    }
    if (!got)
        r->rows--;
    *more = s->batch.n_rows > 0;
    return HD_OK;
}

/* --- Cells ------------------------------------------------------------------------------------ */

size_t hd_stat_n_rows(const hd_stat *s)
{
    return s->view ? s->n_view : s->batch.n_rows;
}

size_t hd_stat_n_columns(const hd_stat *s)
{
    return s->reader.n_columns;
}

static size_t row_in_batch(const hd_stat *s, size_t row)
{
    return s->view ? s->view[row] : row;
}

const char *hd_stat_cell(const hd_stat *s, size_t row, int column)
{
    size_t at = row_in_batch(s, row) * s->reader.n_columns + (size_t)column;
    return s->batch.text + s->batch.cells[at];
}

bool hd_stat_blank(const hd_stat *s, size_t row, int column)
{
    return column < 0 || hd_stat_cell(s, row, column)[0] == '\0';
}

int hd_stat_find(const hd_stat *s, const char *name)
{
    for (size_t i = 0; i < s->reader.n_columns; i++)
        if (strcasecmp(header_name(s, i), name) == 0)
            return (int)i;
    return -1;
}

const char *hd_stat_name(const hd_stat *s, int column)
{
    return header_name(s, (size_t)column);
}

int hd_stat_column_of(const hd_stat *s, const char *role)
{
    const char *name = hd_stat_text(s, role);
    return hd_stat_find(s, name ? name : role);
}

static unsigned long row_number(const hd_stat *s, size_t row)
{
    return (unsigned long)(s->batch.first_row + row_in_batch(s, row));
}

hd_code hd_stat_refuse(hd_stat *s, size_t row, int column, hd_err *err, const char *fmt, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (column < 0)
        return hd_fail(err, HD_INVALID, "row %lu: %s", row_number(s, row), text);
    return hd_fail(err, HD_INVALID, "row %lu, column %.60s: %s", row_number(s, row),
                   hd_stat_name(s, column), text);
}

hd_code hd_stat_at(hd_stat *s, size_t row, hd_err *err)
{
    return hd_context(err, "row %lu", row_number(s, row));
}

hd_code hd_stat_number(hd_stat *s, size_t row, int column, double *out, hd_err *err)
{
    *out = NAN;
    if (hd_stat_blank(s, row, column))
        return HD_OK;
    if (!hd_stat_parse(hd_stat_cell(s, row, column), out))
        return hd_stat_refuse(s, row, column, err, "is not a number");
    return HD_OK;
}

hd_code hd_stat_count(hd_stat *s, size_t row, int column, double *out, hd_err *err)
{
    HD_TRY(hd_stat_number(s, row, column, out, err));
    if (*out < 0)
        return hd_stat_refuse(s, row, column, err, "must not be negative");
    return HD_OK;
}

hd_code hd_stat_date(hd_stat *s, size_t row, int column, int32_t *out, hd_err *err)
{
    *out = HD_DATE_NONE;
    if (hd_stat_blank(s, row, column))
        return HD_OK;
    const char *text = hd_stat_cell(s, row, column);
    *out = hd_date_parse(text, strlen(text));
    if (*out == HD_DATE_NONE)
        return hd_stat_refuse(s, row, column, err, "is not a date (YYYY-MM-DD)");
    return HD_OK;
}

hd_code hd_stat_numbers(hd_stat *s, int column, double **out, hd_err *err)
{
    size_t n = hd_stat_n_rows(s);
    double *v = hd_calloc(n ? n : 1, sizeof *v);
    if (!v)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        v[i] = NAN;
        const char *text = column < 0 ? "" : hd_stat_cell(s, i, column);
        if (*text && !hd_stat_parse(text, &v[i])) {
            hd_free(v);
            return hd_stat_refuse(s, i, column, err, "is not a number");
        }
    }
    *out = v;
    return HD_OK;
}

/* --- Groups ----------------------------------------------------------------------------------- */

void hd_stat_groups_free(hd_stat_groups *g)
{
    hd_free(g->start);
    hd_free(g->rows);
    *g = (hd_stat_groups){0};
}

/* Number every row's group by its group cells, joined with a byte that no CSV text may hold. */
static hd_code number_groups(hd_stat *s, uint32_t *ids, hd_intern *names, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_buf key;
    hd_buf_init(&key, SIZE_MAX / 2);
    for (size_t i = 0; i < hd_stat_n_rows(s); i++) {
        hd_buf_clear(&key);
        for (size_t c = 0; c < s->n_group_columns; c++) {
            hd_buf_str(&key, hd_stat_cell(s, i, s->group_columns[c]));
            hd_buf_char(&key, '\0');
        }
        HD_GO(hd_buf_check(&key, err));
        HD_GO(hd_intern_add(names, key.data, key.len, &ids[i], err));
    }
out:
    hd_buf_free(&key);
    return rc;
}

hd_code hd_stat_group(hd_stat *s, hd_stat_groups *out, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = hd_stat_n_rows(s);
    *out = (hd_stat_groups){0};
    uint32_t *ids = hd_calloc(n ? n : 1, sizeof *ids);
    hd_intern *names = hd_intern_new();
    if (!ids || !names)
        HD_GO(hd_fail_nomem(err));
    if (s->n_group_columns)
        HD_GO(number_groups(s, ids, names, err));
    out->n = s->n_group_columns ? hd_intern_count(names) : n > 0;
    out->start = hd_calloc(out->n + 2, sizeof *out->start);
    out->rows = hd_calloc(n ? n : 1, sizeof *out->rows);
    if (!out->start || !out->rows)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < n; i++)
        out->start[ids[i] + 2]++;
    for (size_t g = 2; g < out->n + 2; g++)
        out->start[g] += out->start[g - 1];
    /* start[g + 1] is where group g goes on, until the last row made it the start of g + 1. */
    for (size_t i = 0; i < n; i++)
        out->rows[out->start[ids[i] + 1]++] = i;
out:
    hd_free(ids);
    hd_intern_free(names);
    if (rc != HD_OK)
        hd_stat_groups_free(out);
    return rc;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static void put_separator(hd_stat *s)
{
    if (s->out_column++)
        hd_buf_char(&s->out, ',');
}

void hd_stat_put_text(hd_stat *s, const char *text)
{
    put_separator(s);
    hd_csv_put(&s->out, text, strlen(text));
}

void hd_stat_put(hd_stat *s, double v)
{
    uint64_t bits;
    put_separator(s);
    if (!isfinite(v))
        return;
    memcpy(&bits, &v, sizeof bits);
    size_t at = (bits * UINT64_C(0x9E3779B97F4A7C15)) >> 58;
    if (s->printed[at].text[0] == '\0' || s->printed[at].value != v) {
        hd_stat_print(v, s->printed[at].text);
        s->printed[at].value = v;
    }
    hd_buf_str(&s->out, s->printed[at].text);
}

void hd_stat_put_count(hd_stat *s, uint64_t n)
{
    put_separator(s);
    hd_buf_printf(&s->out, "%llu", (unsigned long long)n);
}

void hd_stat_keep_row(hd_stat *s, size_t row)
{
    s->out_column = 0;
    for (size_t i = 0; i < s->n_kept; i++)
        hd_stat_put_text(s, hd_stat_cell(s, row, s->kept[i]));
}

hd_code hd_stat_flush(hd_stat *s, hd_err *err)
{
    HD_TRY(hd_buf_check(&s->out, err));
    HD_TRY(hd_io_write(s->out_fd, s->out.data, s->out.len, s->out_name, err));
    hd_buf_clear(&s->out);
    return HD_OK;
}

hd_code hd_stat_end_row(hd_stat *s, hd_err *err)
{
    HD_ALWAYS(s->out_column == s->n_out_columns);
    hd_buf_char(&s->out, '\n');
    if (s->out.len >= FLUSH_SIZE && !s->keep_output)
        return hd_stat_flush(s, err);
    return hd_buf_check(&s->out, err);
}

/* One result name, or a comma-joined list of names ending in '@', once for every level. */
static void expand_name(const hd_stat *s, const char *token, size_t len, hd_buf *out)
{
    if (!memchr(token, '@', len)) {
        hd_buf_add(out, token, len);
        hd_buf_char(out, '\n');
        return;
    }
    for (unsigned k = 0; k < s->n_levels; k++)
        for (size_t i = 0; i < len; i++) {
            char suffix[32];
            if (token[i] == ',') {
                hd_buf_char(out, '\n');
            } else if (token[i] != '@') {
                hd_buf_char(out, token[i]);
            } else if (s->n_levels > 1) {
                snprintf(suffix, sizeof suffix, "%.10g", s->levels[k] * 100);
                for (char *p = suffix; *p; p++)
                    hd_buf_char(out, *p == '.' ? '_' : *p);
            }
            if (i + 1 == len)
                hd_buf_char(out, '\n');
        }
}

static bool is_result(const char *results, const char *name)
{
    size_t len = strlen(name);
    for (const char *p = results; *p; p = strchr(p, '\n') + 1)
        if (strncasecmp(p, name, len) == 0 && p[len] == '\n')
            return true;
    return false;
}

/* Input columns to keep, without those that bear the name of a result: the result replaces them. */
static hd_code choose_kept(hd_stat *s, hd_stat_keep keep, const char *results, hd_err *err)
{
    size_t n = keep == HD_STAT_KEEP_ALL      ? s->reader.n_columns
               : keep == HD_STAT_KEEP_GROUPS ? s->n_group_columns
                                             : 0;
    hd_free(s->kept);
    s->kept = hd_calloc(n + 1, sizeof *s->kept);
    if (!s->kept)
        return hd_fail_nomem(err);
    s->n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        int column = keep == HD_STAT_KEEP_ALL ? (int)i : s->group_columns[i];
        if (!is_result(results, hd_stat_name(s, column)))
            s->kept[s->n_kept++] = column;
    }
    return HD_OK;
}

hd_code hd_stat_header(hd_stat *s, hd_stat_keep keep, const char *results, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_buf names;
    hd_buf_init(&names, 1 << 24);
    for (const char *p = results; *p;) {
        size_t len = strcspn(p, " ");
        if (len)
            expand_name(s, p, len, &names);
        p += len + (p[len] == ' ');
    }
    HD_GO(hd_buf_check(&names, err));
    if (s->results && strcmp(s->results, names.data) != 0)
        HD_GO(hd_fail(
            err, HD_INVALID,
            "the rows of the settings ask for different result columns: use one call each"));
    if (s->results)
        goto out;
    s->results = hd_buf_take(&names);
    if (!s->results)
        HD_GO(hd_fail_nomem(err));
    HD_GO(choose_kept(s, keep, s->results, err));
    s->out_column = 0;
    for (size_t i = 0; i < s->n_kept; i++)
        hd_stat_put_text(s, hd_stat_name(s, s->kept[i]));
    for (const char *p = s->results; *p; p = strchr(p, '\n') + 1) {
        put_separator(s);
        hd_buf_add(&s->out, p, strcspn(p, "\n"));
    }
    hd_buf_char(&s->out, '\n');
    s->n_out_columns = s->out_column;
out:
    hd_buf_free(&names);
    return rc;
}

/* --- Numbers as text -------------------------------------------------------------------------- */

void hd_stat_print(double v, char out[32])
{
    if (v == 0) {
        memcpy(out, "0", 2);
        return;
    }
    if (fabs(v) < 1e15 && v == floor(v)) {
        snprintf(out, 32, "%.0f", v);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        double back;
        snprintf(out, 32, "%.*g", digits, v);
        if (hd_stat_parse(out, &back) && back == v)
            return;
    }
}

/* Digits and a decimal exponent small enough that one exact multiplication or division gives the
 * nearest double; anything else goes to strtod, which is slower. */
bool hd_stat_parse(const char *text, double *out)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *p = text;
    bool negative = *p == '-';
    uint64_t digits = 0;
    long n = 0, scale = 0, exponent = 0;
    if (*p == '-' || *p == '+')
        p++;
    for (; *p >= '0' && *p <= '9'; p++, n++)
        digits = digits * 10 + (uint64_t)(*p - '0');
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++, n++, scale++)
            digits = digits * 10 + (uint64_t)(*p - '0');
    if (n == 0)
        return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        bool down = *p == '-';
        if (*p == '-' || *p == '+')
            p++;
        if (*p < '0' || *p > '9')
            return false;
        for (; *p >= '0' && *p <= '9'; p++)
            if (exponent < 10000)
                exponent = exponent * 10 + (*p - '0');
        exponent = down ? -exponent : exponent;
    }
    if (*p != '\0')
        return false;
    exponent -= scale;
    if (n <= 18 && digits <= UINT64_C(1) << 53 && exponent >= -22 && exponent <= 22) {
        double v = (double)digits;
        v = exponent < 0 ? v / power[-exponent] : v * power[exponent];
        *out = negative ? -v : v;
        return true;
    }
    *out = strtod(text, NULL);
    return isfinite(*out);
}

bool hd_stat_parse_list(const char *text, char sep, double *out, size_t max, size_t *n)
{
    char item[64];
    *n = 0;
    while (*text) {
        const char *end = strchr(text, sep);
        size_t len = end ? (size_t)(end - text) : strlen(text);
        if (len == 0 || len >= sizeof item || *n == max)
            return false;
        memcpy(item, text, len);
        item[len] = '\0';
        if (!hd_stat_parse(item, &out[*n]))
            return false;
        ++*n;
        text += len + (end != NULL);
    }
    return true;
}
