/* table.c - a release as an aligned table for people. */
#include "present/present.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOLD    "\x1b[1m"
#define AMBER   "\x1b[33m"
#define PLAIN   "\x1b[0m"
#define MINIMUM 8 /* characters that a cut column keeps */

typedef struct layout {
    size_t *widths; /* characters */
    int *places;    /* decimals of a column */
    bool *lifted;   /* the same in every row: said above the table */
} layout;

/* Characters of a text as shown: every byte that is no part of UTF-8 shows as one "?". */
static size_t shown_width(const char *bytes, size_t len)
{
    size_t width = 0;
    for (size_t i = 0; i < len; width++) {
        size_t n = hd_present_utf8(bytes + i, len - i);
        i += n ? n : 1;
    }
    return width;
}

static void put_shown(hd_buf *out, const char *bytes, size_t len, size_t max_width)
{
    bool is_cut = shown_width(bytes, len) > max_width;
    size_t room = is_cut && max_width > 3 ? max_width - 3 : max_width;
    for (size_t i = 0, width = 0; i < len && width < room; width++) {
        size_t n = hd_present_utf8(bytes + i, len - i);
        if (n == 0 || hd_present_is_control(bytes + i))
            hd_buf_char(out, '?');
        else
            hd_buf_add(out, bytes + i, n);
        i += n ? n : 1;
    }
    if (is_cut && max_width > 3)
        hd_buf_str(out, "...");
}

static bool is_number(hd_type t)
{
    return t == HD_INTEGER || t == HD_DECIMAL;
}

/* Places after the point that tell the values of a column apart, at most six. */
static int places_needed(double x)
{
    char text[64];
    if (!isfinite(x) || fabs(x) >= 1e15)
        return 0;
    snprintf(text, sizeof text, "%.6f", x);
    int places = 6;
    for (const char *end = text + strlen(text) - 1; places > 0 && *end == '0'; end--)
        places--;
    return places;
}

static void put_cell(hd_buf *out, const hd_figure *f, int places)
{
    hd_buf_clear(out);
    if (f->mark)
        hd_buf_char(out, f->mark);
    else if (!f->value.is_null && f->value.type == HD_DECIMAL && isfinite(f->value.decimal) &&
             fabs(f->value.decimal) < 1e15)
        hd_buf_printf(out, "%.*f", places, f->value.decimal);
    else
        hd_present_value(out, &f->value);
}

static void measure(const hd_release *r, layout *l, hd_buf *cell)
{
    for (size_t c = 0; c < r->n_columns; c++) {
        l->widths[c] = shown_width(r->columns[c].name, strlen(r->columns[c].name));
        for (size_t row = 0; row < r->n_rows; row++) {
            const hd_figure shown = hd_release_at(r, row, c), *f = &shown;
            if (!f->mark && !f->value.is_null && f->value.type == HD_DECIMAL) {
                int places = places_needed(f->value.decimal);
                l->places[c] = places > l->places[c] ? places : l->places[c];
            }
        }
        for (size_t row = 0; row < r->n_rows; row++) {
            const hd_figure f = hd_release_at(r, row, c);
            put_cell(cell, &f, l->places[c]);
            size_t width = shown_width(cell->data, cell->len);
            l->widths[c] = width > l->widths[c] ? width : l->widths[c];
        }
    }
}

static size_t total_width(const hd_release *r, const layout *l)
{
    size_t total = 0, n = 0;
    for (size_t c = 0; c < r->n_columns; c++)
        total += l->lifted[c] ? 0 : l->widths[c] + (n++ ? 2 : 0);
    return total;
}

static bool is_constant(const hd_release *r, size_t column)
{
    const hd_figure first = hd_release_at(r, 0, column);
    for (size_t row = 1; row < r->n_rows; row++) {
        const hd_figure f = hd_release_at(r, row, column);
        if (f.mark != first.mark || f.value.is_null != first.value.is_null)
            return false;
        if (!f.mark && !f.value.is_null && hd_value_compare(&f.value, &first.value) != 0)
            return false;
    }
    return true;
}

/* A table too wide for the terminal: what all rows share is taken out of it. */
static void lift(const hd_release *r, layout *l, size_t width)
{
    size_t n_left = r->n_columns;
    for (size_t c = 0; c < r->n_columns && r->n_rows > 1 && n_left > 1; c++)
        if (total_width(r, l) > width && is_constant(r, c)) {
            l->lifted[c] = true;
            n_left--;
        }
}

/* Cut the widest text column again and again until the table fits or nothing can be cut: keys
 * first, because words among the figures say more. */
static void fit(const hd_release *r, layout *l, size_t width)
{
    size_t total = total_width(r, l);
    for (int keys = 1; keys >= 0; keys--)
        while (total > width) {
            size_t widest = r->n_columns;
            for (size_t c = 0; c < r->n_columns; c++)
                if (!l->lifted[c] && r->columns[c].type == HD_TEXT &&
                    r->columns[c].is_key == (keys == 1) && l->widths[c] > MINIMUM &&
                    (widest == r->n_columns || l->widths[c] > l->widths[widest]))
                    widest = c;
            if (widest == r->n_columns)
                break;
            l->widths[widest]--;
            total--;
        }
}

static void put_padded(hd_buf *out, const char *bytes, size_t len, size_t width, bool to_right,
                       bool is_last)
{
    size_t own = shown_width(bytes, len);
    size_t pad = own < width ? width - own : 0;
    for (size_t i = 0; to_right && i < pad; i++)
        hd_buf_char(out, ' ');
    put_shown(out, bytes, len, width);
    for (size_t i = 0; !to_right && !is_last && i < pad; i++)
        hd_buf_char(out, ' ');
}

/* "month: 2016-12-01" for each; then the names of those without any figure. */
static void put_lifted(hd_buf *out, const hd_release *r, const layout *l, hd_buf *cell)
{
    size_t n = 0, n_empty = 0;
    for (size_t c = 0; c < r->n_columns; c++) {
        const hd_figure f = l->lifted[c] ? hd_release_at(r, 0, c) : (hd_figure){0};
        if (!l->lifted[c] || (!f.mark && f.value.is_null))
            continue;
        put_cell(cell, &f, l->places[c]);
        hd_buf_printf(out, "%s: ", r->columns[c].name);
        put_shown(out, cell->data, cell->len, SIZE_MAX);
        hd_buf_char(out, '\n');
        n++;
    }
    for (size_t c = 0; c < r->n_columns; c++) {
        const hd_figure f = l->lifted[c] ? hd_release_at(r, 0, c) : (hd_figure){0};
        if (l->lifted[c] && !f.mark && f.value.is_null)
            hd_buf_printf(out, "%s%s", n_empty++ ? ", " : "empty: ", r->columns[c].name);
    }
    hd_buf_str(out, n_empty ? "\n\n" : n ? "\n" : "");
}

static void put_head(hd_buf *out, const hd_release *r, const layout *l, size_t last, bool colour)
{
    hd_buf_str(out, colour ? BOLD : "");
    for (size_t c = 0, n = 0; c <= last; c++) {
        if (l->lifted[c])
            continue;
        hd_buf_str(out, n++ ? "  " : "");
        put_padded(out, r->columns[c].name, strlen(r->columns[c].name), l->widths[c],
                   is_number(r->columns[c].type), c == last);
    }
    hd_buf_printf(out, "%s\n", colour ? PLAIN : "");
    for (size_t c = 0, n = 0; c <= last; c++) {
        if (l->lifted[c])
            continue;
        hd_buf_str(out, n++ ? "  " : "");
        for (size_t i = 0; i < l->widths[c]; i++)
            hd_buf_char(out, '-');
    }
    hd_buf_char(out, '\n');
}

static void put_table(hd_buf *out, const hd_release *r, const layout *l, bool colour, hd_buf *cell)
{
    size_t last = r->n_columns - 1;
    while (last > 0 && l->lifted[last])
        last--;
    put_head(out, r, l, last, colour);
    for (size_t row = 0; row < r->n_rows; row++) {
        for (size_t c = 0, n = 0; c <= last; c++) {
            const hd_figure shown = hd_release_at(r, row, c), *f = &shown;
            if (l->lifted[c])
                continue;
            hd_buf_str(out, n++ ? "  " : "");
            put_cell(cell, f, l->places[c]);
            hd_buf_str(out, colour && f->mark ? AMBER : "");
            put_padded(out, cell->data, cell->len, l->widths[c], is_number(r->columns[c].type),
                       c == last);
            hd_buf_str(out, colour && f->mark ? PLAIN : "");
        }
        hd_buf_char(out, '\n');
    }
}

void hd_present_table(hd_buf *out, const hd_release *r, const hd_table_style *style)
{
    layout l = {hd_calloc(r->n_columns + 1, sizeof *l.widths),
                hd_calloc(r->n_columns + 1, sizeof *l.places),
                hd_calloc(r->n_columns + 1, sizeof *l.lifted)};
    hd_buf cell;
    hd_buf_init(&cell, (size_t)1 << 30);
    if (l.widths && l.places && l.lifted) {
        measure(r, &l, &cell);
        if (style->width) {
            lift(r, &l, style->width);
            fit(r, &l, style->width);
        }
        if (r->has_true_counts)
            hd_buf_printf(out, "%s%s%s\n\n", style->colour ? AMBER : "", HD_SMALL_NUMBERS_MARK,
                          style->colour ? PLAIN : "");
        put_lifted(out, r, &l, &cell);
        put_table(out, r, &l, style->colour, &cell);
    }
    if (!l.widths || !l.places || !l.lifted || !hd_buf_ok(&cell))
        out->failed = true;
    hd_free(l.widths);
    hd_free(l.places);
    hd_free(l.lifted);
    hd_buf_free(&cell);
}
