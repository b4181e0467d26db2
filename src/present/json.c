/* json.c - a release, and what is to be known about it, as JSON. */
#include "present/present.h"

#include "base/alloc.h"
#include "base/counted.h"

#include <inttypes.h>
#include <string.h>

static void put_string(hd_buf *out, const char *text)
{
    hd_present_json_text(out, text, strlen(text));
}

/* How many columns before c have the same name. */
static size_t repeats(const hd_release *r, size_t c)
{
    size_t n = 0;
    for (size_t i = 0; i < c; i++)
        n += strcmp(r->columns[i].name, r->columns[c].name) == 0;
    return n;
}

/* The name of each column as a JSON string, ready to be copied into every row. */
static bool make_names(const hd_release *r, hd_buf *names, size_t *ends)
{
    hd_buf name;
    hd_buf_init(&name, (size_t)1 << 20);
    for (size_t c = 0; c < r->n_columns; c++) {
        size_t n = repeats(r, c);
        hd_buf_clear(&name);
        hd_buf_str(&name, r->columns[c].name);
        if (n)
            hd_buf_printf(&name, "_%zu", n + 1);
        hd_present_json_text(names, name.data, name.len);
        ends[c] = names->len;
    }
    bool ok = hd_buf_ok(&name) && hd_buf_ok(names);
    hd_buf_free(&name);
    return ok;
}

static void put_figure(hd_buf *out, const hd_figure *f)
{
    if (f->mark) {
        hd_buf_printf(out, "\"%c\"", f->mark);
        return;
    }
    size_t before = out->len;
    if (!f->value.is_null && f->value.type == HD_TEXT)
        hd_present_json_text(out, f->value.text.bytes, f->value.text.len);
    else if (!f->value.is_null && f->value.type == HD_DATE) {
        hd_buf_char(out, '"');
        hd_present_value(out, &f->value);
        hd_buf_char(out, '"');
    } else {
        hd_present_value(out, &f->value);
    }
    if (out->len == before)
        hd_buf_str(out, "null");
}

void hd_present_json(hd_buf *out, const hd_release *r)
{
    hd_buf names;
    hd_buf_init(&names, (size_t)1 << 24);
    size_t *ends = hd_calloc(r->n_columns + 1, sizeof *ends);
    if (!ends || !make_names(r, &names, ends)) {
        out->failed = true;
        goto out;
    }
    hd_buf_char(out, '[');
    for (size_t row = 0; row < r->n_rows; row++) {
        hd_buf_str(out, row ? ",\n {" : "\n {");
        for (size_t c = 0, start = 0; c < r->n_columns; start = ends[c++]) {
            if (c)
                hd_buf_str(out, ", ");
            hd_buf_add(out, names.data + start, ends[c] - start);
            hd_buf_str(out, ": ");
            const hd_figure f = hd_release_at(r, row, c);
            put_figure(out, &f);
        }
        hd_buf_char(out, '}');
    }
    hd_buf_str(out, r->n_rows ? "\n]\n" : "]\n");
out:
    hd_free(ends);
    hd_buf_free(&names);
}

static void put_member(hd_buf *out, const char *name, const char *text)
{
    hd_buf_printf(out, "  \"%s\": ", name);
    if (text)
        put_string(out, text);
    else
        hd_buf_str(out, "null");
    hd_buf_str(out, ",\n");
}

void hd_present_provenance(hd_buf *out, const hd_release *r, const char *purpose, const char *tag)
{
    hd_buf_str(out, "{\n");
    put_member(out, "program", "hdis " HD_VERSION);
    put_member(out, "question", r->question);
    put_member(out, "policy", r->policy);
    put_member(out, "policy_version", r->policy_version);
    put_member(out, "legend", r->legend);
    if (r->data_version)
        hd_buf_printf(out, "  \"data_version\": %" PRIu64 ",\n", r->data_version);
    hd_buf_printf(out, "  \"rows\": %zu,\n  \"columns\": %zu,\n", r->n_rows, r->n_columns);
    hd_buf_printf(out, "  \"figures_withheld\": %" PRIu64 ",\n", r->n_withheld);
    hd_buf_printf(out, "  \"rows_left_out\": %s,\n", r->has_left_out ? "true" : "false");
    hd_buf_printf(out, "  \"rows_with_unknown_having\": %s,\n", r->has_unknown ? "true" : "false");
    hd_buf_printf(out, "  \"national_figures_rounded\": %s,\n", r->has_rounded ? "true" : "false");
    hd_buf_printf(out, "  \"rounded_by_people\": %s,\n", r->has_several ? "true" : "false");
    hd_buf_printf(out, "  \"earlier_release_in_the_way\": %s,\n", r->has_near ? "true" : "false");
    put_member(out, "certificate", *r->certificate ? r->certificate : NULL);
    put_member(out, "purpose", purpose);
    put_member(out, "asset_tag", tag);
    hd_buf_printf(out, "  \"small_numbers\": %s\n}\n", r->has_true_counts ? "true" : "false");
}

void hd_present_footer(hd_buf *out, const hd_release *r)
{
    hd_buf_printf(out, "policy %s version %s", r->policy, r->policy_version);
    if (r->data_version)
        hd_buf_printf(out, ", data version %" PRIu64, r->data_version);
    if (r->n_withheld)
        hd_buf_printf(out, ", %s withheld", hd_counted(r->n_withheld, "figure").text);
    if (r->has_left_out)
        hd_buf_str(out, ", small rows left out");
    hd_buf_printf(out, "\n%s\n", r->legend);
    if (r->has_unknown)
        hd_buf_str(out, HD_UNKNOWN_ROWS "\n");
    if (r->has_rounded)
        hd_buf_str(out, "national figures are rounded, too, where the exact one would give another away: "
                        "any of them may be\n");
    if (r->has_several)
        hd_buf_str(out, "numbers of records are rounded further where everybody has several: as far as "
                        "the people would be\n");
    if (r->has_near)
        hd_buf_str(out, "figures marked : are withheld because of an earlier release: one that "
                        "differs by few people was shown\n");
    if (*r->certificate && !strchr(r->certificate, ' '))
        hd_buf_printf(out, "certificate %s\n", r->certificate);
    if (r->has_true_counts)
        hd_buf_str(out,
                   "SMALL NUMBERS: these are true counts and may identify people; keep them as "
                   "personal data\n");
}
