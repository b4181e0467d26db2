/* report_data.c - finding figures in the releases of a report. */
#include "base/date.h"
#include "present/report_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

hd_figure hd_report_figure(const hd_release *r, int64_t row, const char *column)
{
    int c = hd_release_column_find(r, column);
    return c < 0 || row < 0 ? (hd_figure){.value.is_null = true}
                            : hd_release_at(r, (size_t)row, (size_t)c);
}

int hd_report_month(const hd_release *r, int64_t row)
{
    const hd_figure f = hd_report_figure(r, row, "month");
    return f.value.is_null ? -1 : hd_date_month_index((int32_t)f.value.integer);
}

bool hd_report_is_month(const hd_release *r, int64_t row, int month)
{
    const hd_figure f = hd_report_figure(r, row, "month");
    return !f.value.is_null && f.value.integer == hd_date_month_start(month);
}

double hd_report_number(const hd_release *r, int64_t row, const char *column)
{
    const hd_figure f = hd_report_figure(r, row, column);
    if (f.mark || f.value.is_null)
        return NAN;
    return f.value.type == HD_DECIMAL ? f.value.decimal : (double)f.value.integer;
}

void hd_report_words(const hd_release *r, int64_t row, const char *column, char out[64])
{
    const hd_figure f = hd_report_figure(r, row, column);
    out[0] = '\0';
    if (f.mark || f.value.is_null || f.value.text.len >= 64)
        return;
    memcpy(out, f.value.text.bytes, f.value.text.len);
    out[f.value.text.len] = '\0';
}

int64_t hd_report_row(const hd_report_item *i, const hd_value *provider, int month)
{
    const hd_release *r = i->rows;
    int unit = hd_release_column_find(r, "provider"), date = hd_release_column_find(r, "month");
    int64_t start = hd_date_month_start(month);
    for (size_t row = 0; unit >= 0 && date >= 0 && row < r->n_rows; row++) {
        const hd_value m = hd_release_at(r, row, (size_t)date).value;
        const hd_value u = hd_release_at(r, row, (size_t)unit).value;
        if (!m.is_null && m.integer == start && !u.is_null && hd_value_compare(&u, provider) == 0)
            return (int64_t)row;
    }
    return -1;
}

static int compare_units(const void *a, const void *b)
{
    return hd_value_compare(&((const hd_report_unit *)a)->code, &((const hd_report_unit *)b)->code);
}

size_t hd_report_units(const hd_report_view *v, hd_report_unit units[HD_REPORT_MAX_UNITS])
{
    size_t n = 0;
    for (size_t i = 0; i < v->n_items; i++) {
        const hd_release *r = v->items[i].rows;
        for (size_t row = 0; row < r->n_rows && n < HD_REPORT_MAX_UNITS; row++) {
            const hd_figure code = hd_report_figure(r, (int64_t)row, "provider");
            const hd_figure name = hd_report_figure(r, (int64_t)row, "name");
            if (code.value.is_null || !hd_report_is_month(r, (int64_t)row, v->month))
                continue;
            size_t k = 0;
            while (k < n && hd_value_compare(&units[k].code, &code.value) != 0)
                k++;
            if (k < n)
                continue;
            units[n++] =
                (hd_report_unit){code.value, name.value};
        }
    }
    qsort(units, n, sizeof *units, compare_units);
    return n;
}

hd_code hd_report_check(const hd_report_view *v, hd_err *err)
{
    static hd_report_unit units[HD_REPORT_MAX_UNITS];
    hd_buf month;
    hd_buf_init(&month, 64);
    hd_chart_month(&month, v->month, false);
    size_t n = hd_report_units(v, units);
    hd_code rc = HD_OK;
    if (n == 0)
        rc = hd_fail(err, HD_NOTFOUND, "no indicator of the report has a figure in %s", month.data);
    bool is_found = !v->provider;
    for (size_t i = 0; i < n && !is_found; i++)
        is_found = units[i].code.text.len == strlen(v->provider) &&
                   memcmp(units[i].code.text.bytes, v->provider, units[i].code.text.len) == 0;
    if (rc == HD_OK && !is_found)
        rc = hd_fail(err, HD_NOTFOUND, "no figure of that provider in %s", month.data);
    hd_buf_free(&month);
    return rc;
}
