/* stat_io.c - see stat.h: cells of the rows in memory, their groups, and the rows of the result. */
#include "cli/stat_io.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/date.h"
#include "base/io.h"
#include "base/par.h"
#include "cli/stat_digits.h"

enum { FLUSH_SIZE = 1 << 24, ROWS_A_TASK = 1 << 14 };

/* Numbers of tables lie between this and its reciprocal, so that squares and their sums are finite
 * and nothing vanishes. */
#define LARGEST 1e100

/* --- Cells ------------------------------------------------------------------------------------ */

size_t hd_stat_n_rows(const hd_stat *s)
{
    return s->n_shown;
}

size_t hd_stat_n_columns(const hd_stat *s)
{
    return s->reader.n_columns;
}

static inline size_t row_in_batch(const hd_stat *s, size_t row)
{
    return s->view ? s->view[row] : s->first_shown + row;
}

static inline const char *cell(const hd_stat *s, size_t row, int column)
{
    const hd_stat_batch *b = &s->batch;
    size_t at = row_in_batch(s, row);
    const char *start = b->text + b->starts[at];
    return column ? start + b->offsets[at * (s->reader.n_columns - 1) + (size_t)column - 1] : start;
}

const char *hd_stat_cell(const hd_stat *s, size_t row, int column)
{
    return cell(s, row, column);
}

bool hd_stat_blank(const hd_stat *s, size_t row, int column)
{
    return column < 0 || hd_stat_cell(s, row, column)[0] == '\0';
}

int hd_stat_find(const hd_stat *s, const char *name)
{
    for (size_t i = 0; i < s->reader.n_columns; i++)
        if (strcasecmp(hd_stat_name(s, (int)i), name) == 0)
            return (int)i;
    return -1;
}

const char *hd_stat_name(const hd_stat *s, int column)
{
    return s->header.text + (column ? s->header.offsets[column - 1] : 0);
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

/* Apart, so that the usual number costs no more than itself. */
static __attribute__((noinline)) hd_code long_number(hd_stat *s, size_t row, int column,
                                                     double *out, hd_err *err)
{
    const char *text = cell(s, row, column);
    *out = NAN;
    if (*text && !hd_stat_parse(text, out))
        return hd_stat_refuse(s, row, column, err, "is not a number");
    if (fabs(*out) > LARGEST)
        return hd_stat_refuse(s, row, column, err, "is beyond what can be worked with (1e100)");
    if (*out != 0 && fabs(*out) < 1 / LARGEST)
        return hd_stat_refuse(s, row, column, err,
                              "is too small to be worked with (below 1e-100, and not 0)");
    return HD_OK;
}

hd_code hd_stat_number(hd_stat *s, size_t row, int column, double *out, hd_err *err)
{
    if (column < 0) {
        *out = NAN;
        return HD_OK;
    }
    if (hd_stat_short(cell(s, row, column), out))
        return HD_OK;
    return long_number(s, row, column, out, err);
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

typedef struct numbers {
    hd_stat *s;
    int column;
    double *v;
} numbers;

static hd_code read_numbers(void *context, size_t task, hd_err *err)
{
    const numbers *n = context;
    size_t to = (task + 1) * ROWS_A_TASK, rows = hd_stat_n_rows(n->s);
    for (size_t i = task * ROWS_A_TASK; i < to && i < rows; i++)
        HD_TRY(hd_stat_number(n->s, i, n->column, &n->v[i], err));
    return HD_OK;
}

hd_code hd_stat_numbers(hd_stat *s, int column, double **out, hd_err *err)
{
    size_t n = hd_stat_n_rows(s);
    numbers context = {s, column, hd_calloc(n ? n : 1, sizeof(double))};
    if (!context.v)
        return hd_fail_nomem(err);
    hd_code rc = hd_par_run((n + ROWS_A_TASK - 1) / ROWS_A_TASK, read_numbers, &context, err);
    if (rc == HD_OK)
        *out = context.v;
    else
        hd_free(context.v);
    return rc;
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
    s->beyond = s->beyond || isinf(v);
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
    char text[24];
    put_separator(s);
    hd_stat_print_count(n, text);
    hd_buf_str(&s->out, text);
}

void hd_stat_keep_row(hd_stat *s, size_t row)
{
    s->out_column = 0;
    s->shown_row = row;
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

hd_code hd_stat_flush_full(hd_stat *s, hd_err *err)
{
    if (s->out.len >= FLUSH_SIZE && !s->keep_output)
        return hd_stat_flush(s, err);
    return hd_buf_check(&s->out, err);
}

hd_code hd_stat_end_row(hd_stat *s, hd_err *err)
{
    HD_ALWAYS(s->out_column == s->n_out_columns);
    if (s->beyond && s->n_kept)
        return hd_stat_refuse(s, s->shown_row, -1, err, "a result is beyond the range of numbers");
    if (s->beyond)
        return hd_fail(err, HD_INVALID, "a result is beyond the range of numbers");
    hd_buf_char(&s->out, '\n');
    return hd_stat_flush_full(s, err);
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

/* Input columns to keep, without those that bear the name of a result: the result replaces them. A
 * column of --group tells the rows apart and is not replaced but refused. */
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
    for (size_t i = 0; i < s->n_group_columns && keep != HD_STAT_KEEP_NONE; i++)
        if (is_result(results, hd_stat_name(s, s->group_columns[i])))
            return hd_fail(err, HD_INVALID,
                           "the column %.60s of --group has the name of a result: rename it",
                           hd_stat_name(s, s->group_columns[i]));
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
