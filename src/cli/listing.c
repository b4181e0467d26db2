/* listing.c - see listing.h. */
#include "cli/listing.h"

#include "base/alloc.h"
#include "base/csv.h"
#include "present/present.h"

#include <stdio.h>
#include <string.h>

void hd_listing_row(hd_listing *l, const char *const *cells, size_t n)
{
    if (l->n_columns == 0)
        l->n_columns = n;
    HD_ALWAYS(n == l->n_columns && n <= HD_LISTING_COLUMNS);
    for (size_t i = 0; i < n && !l->failed; i++) {
        if (!HD_GROW(l->cells, l->n_cells, l->cap_cells)) {
            l->failed = true;
            return;
        }
        char *s = hd_strdup(cells[i]);
        l->failed = !s;
        if (s)
            l->cells[l->n_cells++] = s;
    }
}

/* Text between blanks, wrapped into lines of at most width that begin at column indent. */
static void put_wrapped(hd_buf *out, const char *text, size_t indent, size_t width)
{
    size_t used = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (used && used + 1 + n > width) {
            hd_buf_printf(out, "\n%*s", (int)indent, "");
            used = 0;
        }
        hd_buf_printf(out, "%s%.*s", used ? " " : "", (int)n, text);
        used += n + (used ? 1 : 0);
        text += n;
        text += strspn(text, " ");
    }
}

static void put_table(hd_buf *out, const hd_listing *l)
{
    size_t width[HD_LISTING_COLUMNS] = {0}, indent = 0, n = l->n_columns;
    for (size_t i = 0; i < l->n_cells; i++)
        if (strlen(l->cells[i]) > width[i % n])
            width[i % n] = strlen(l->cells[i]);
    for (size_t i = 0; i + 1 < n; i++)
        indent += width[i] + 2;
    size_t rest = indent + 20 < HD_LISTING_WIDTH ? HD_LISTING_WIDTH - indent : 20;
    for (size_t i = 0; i < l->n_cells; i++) {
        if (i % n + 1 < n) {
            hd_buf_printf(out, "%-*s  ", (int)width[i % n], l->cells[i]);
            continue;
        }
        put_wrapped(out, l->cells[i], indent, rest);
        while (out->len && out->data[out->len - 1] == ' ')
            out->data[--out->len] = '\0';
        hd_buf_char(out, '\n');
    }
}

static void put_csv(hd_buf *out, const hd_listing *l)
{
    for (size_t i = 0; i < l->n_cells; i++) {
        hd_csv_put(out, l->cells[i], strlen(l->cells[i]));
        hd_buf_char(out, (i + 1) % l->n_columns ? ',' : '\n');
    }
}

static void put_json(hd_buf *out, const hd_listing *l)
{
    size_t n = l->n_columns;
    hd_buf_char(out, '[');
    for (size_t i = n; i < l->n_cells; i++) {
        const char *name = l->cells[i % n], *text = l->cells[i];
        hd_buf_str(out, i % n ? ", " : i > n ? ",\n {" : "\n {");
        hd_present_json_text(out, name, strlen(name));
        hd_buf_str(out, ": ");
        if (l->numbers >> (i % n) & 1)
            hd_buf_str(out, text);
        else
            hd_present_json_text(out, text, strlen(text));
        if (i % n + 1 == n)
            hd_buf_char(out, '}');
    }
    hd_buf_str(out, "\n]\n");
}

static const struct format {
    const char *name;
    void (*put)(hd_buf *out, const hd_listing *l);
} formats[] = {{"table", put_table}, {"csv", put_csv}, {"json", put_json}};

static const struct format *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

int hd_listing_check(const hd_command *c, const char *format)
{
    return find_format(format) ? HD_EXIT_OK : hd_usage_error(c, "--format is table, csv or json");
}

hd_code hd_listing_print(const hd_listing *l, const char *format, hd_err *err)
{
    hd_buf b;
    hd_code rc = HD_OK;
    if (l->failed)
        return hd_fail_nomem(err);
    hd_buf_init(&b, (size_t)1 << 30);
    find_format(format)->put(&b, l);
    HD_GO(hd_buf_check(&b, err));
    if (fwrite(b.data, 1, b.len, stdout) != b.len || fflush(stdout) != 0)
        rc = hd_fail_os(err, "cannot write to standard output");
out:
    hd_buf_free(&b);
    return rc;
}

void hd_listing_free(hd_listing *l)
{
    for (size_t i = 0; i < l->n_cells; i++)
        hd_free(l->cells[i]);
    hd_free(l->cells);
    *l = (hd_listing){0};
}
