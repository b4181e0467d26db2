/* page.c - the data-quality report as one HTML page. Every text that comes from a file or a
 * definition goes through escape(); literals are the only markup. */
#include "base/alloc.h"
#include "landing/report.h"

#include <inttypes.h>
#include <string.h>

static void escape(hd_buf *out, const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        switch (p[i]) {
        case '&':
            hd_buf_str(out, "&amp;");
            break;
        case '<':
            hd_buf_str(out, "&lt;");
            break;
        case '>':
            hd_buf_str(out, "&gt;");
            break;
        case '"':
            hd_buf_str(out, "&quot;");
            break;
        case '\'':
            hd_buf_str(out, "&#39;");
            break;
        default:
            hd_buf_char(out, (unsigned char)p[i] < ' ' ? ' ' : p[i]);
        }
}

static void text(hd_buf *out, const char *s)
{
    escape(out, s, strlen(s));
}

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<style>\n"
    "body{font:16px/1.5 Arial,Helvetica,sans-serif;color:#212b32;margin:2rem auto;max-width:72rem;"
    "padding:0 1rem}\n"
    "table{border-collapse:collapse;margin:0 0 2rem;font-size:.875rem}\n"
    "caption{text-align:left;font-weight:bold;padding:.5rem 0}\n"
    "th,td{border-bottom:1px solid #aeb7bd;padding:.25rem .75rem .25rem 0;text-align:left;"
    "vertical-align:top}\n"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\n"
    ".wide{overflow-x:auto}\n"
    "@media print{body{margin:0;max-width:none;font-size:10pt}table{font-size:8pt}"
    "thead{display:table-header-group}tr{break-inside:avoid}.wide{overflow:visible}}\n"
    "</style>\n";

static void open_table(hd_buf *out, const char *caption, const char *const *columns, size_t n,
                       size_t n_text)
{
    hd_buf_str(out, "<div class=\"wide\"><table><caption>");
    text(out, caption);
    hd_buf_str(out, "</caption>\n<thead><tr>");
    for (size_t i = 0; i < n; i++) {
        hd_buf_str(out, i < n_text ? "<th scope=\"col\">" : "<th scope=\"col\" class=\"n\">");
        text(out, columns[i]);
        hd_buf_str(out, "</th>");
    }
    hd_buf_str(out, "</tr></thead>\n<tbody>\n");
}

static void close_table(hd_buf *out)
{
    hd_buf_str(out, "</tbody></table></div>\n");
}

static void open_row(hd_buf *out, const char *name, size_t len)
{
    hd_buf_str(out, "<tr><th scope=\"row\">");
    escape(out, name, len);
    hd_buf_str(out, "</th>");
}

static void number(hd_buf *out, uint64_t n)
{
    hd_buf_printf(out, "<td class=\"n\">%" PRIu64 "</td>", n);
}

static void share(hd_buf *out, uint64_t part, uint64_t whole)
{
    if (whole)
        hd_buf_printf(out, "<td class=\"n\">%.2f</td>", 100.0 * (double)part / (double)whole);
    else
        hd_buf_str(out, "<td class=\"n\">-</td>");
}

static void names(hd_buf *out, const hd_names *n)
{
    hd_buf_str(out, "<td>");
    for (size_t i = 0; i < n->n; i++) {
        if (i)
            hd_buf_str(out, ", ");
        text(out, n->items[i]);
    }
    hd_buf_str(out, "</td>");
}

static void files(hd_buf *out, const hd_quality *q)
{
    static const char *const counts[] = {"File", "Data year", "Extract",  "Rows read",
                                         "Kept", "Rejected",  "Opted out"};
    static const char *const columns[] = {"File", "Identifying, dropped",
                                          "Known, held by another column", "Unknown, not kept",
                                          "Fields not delivered"};
    open_table(out, "Files", counts, 7, 1);
    for (size_t i = 0; i < q->n_files; i++) {
        const hd_file_summary *f = &q->files[i];
        open_row(out, f->name, strlen(f->name));
        hd_buf_printf(out, "<td class=\"n\">%d</td><td class=\"n\">%d</td>", f->data_year,
                      f->part_year);
        number(out, f->rows_read);
        number(out, f->rows_kept);
        number(out, f->rows_rejected);
        number(out, f->rows_opted_out);
        hd_buf_str(out, "</tr>\n");
    }
    close_table(out);
    open_table(out, "Columns of the files", columns, 5, 5);
    for (size_t i = 0; i < q->n_files; i++) {
        const hd_file_summary *f = &q->files[i];
        open_row(out, f->name, strlen(f->name));
        names(out, &f->dropped);
        names(out, &f->repeated);
        names(out, &f->unknown);
        names(out, &f->missing);
        hd_buf_str(out, "</tr>\n");
    }
    close_table(out);
}

static void fields(hd_buf *out, const hd_quality *q)
{
    static const char *const columns[] = {"Field",   "What",        "Valid",
                                          "Other",   "Default",     "Invalid",
                                          "Missing", "Complete, %", "Valid, % of answers"};
    open_table(out, "Fields, national", columns, 9, 2);
    for (size_t i = 0; i < q->table->n_fields; i++) {
        const uint64_t *c = q->counts[i];
        uint64_t n = c[0] + c[1] + c[2] + c[3] + c[4], answers = n - c[HD_MEANING_MISSING];
        if (!q->delivered[i])
            continue;
        open_row(out, q->table->fields[i].name, strlen(q->table->fields[i].name));
        hd_buf_str(out, "<td>");
        text(out, q->table->fields[i].title);
        hd_buf_str(out, "</td>");
        for (int m = 0; m < 5; m++)
            number(out, c[m]);
        share(out, answers, n);
        share(out, c[HD_MEANING_VALID] + c[HD_MEANING_OTHER], answers);
        hd_buf_str(out, "</tr>\n");
    }
    close_table(out);
}

static void rules(hd_buf *out, const hd_quality *q)
{
    static const char *const columns[] = {"Rule", "Kind", "What", "What follows", "Rows"};
    open_table(out, "Rows by rule", columns, 5, 4);
    for (size_t i = 0; i < HD_N_RULES; i++) {
        const hd_rule *r = &q->rules->rules[i];
        open_row(out, r->name, strlen(r->name));
        hd_buf_str(out, r->is_structural ? "<td>structural</td><td>" : "<td>content</td><td>");
        text(out, r->says);
        hd_buf_str(out, "</td><td>");
        text(out, r->remedy);
        hd_buf_str(out, "</td>");
        number(out, q->rule_rows[i]);
        hd_buf_str(out, "</tr>\n");
    }
    close_table(out);
    if (!q->keys_all_compared)
        hd_buf_str(out, "<p>Not all row keys were compared: there are more than 44 million rows."
                        "</p>\n");
}

static void checks(hd_buf *out, const hd_quality *q)
{
    static const char *const columns[] = {"Check", "What should hold", "Compared", "Contradict",
                                          "Agree, %"};
    if (q->rules->n_checks == 0)
        return;
    open_table(out, "Agreement between fields, national", columns, 5, 2);
    for (size_t i = 0; i < q->rules->n_checks; i++) {
        const hd_check *k = &q->rules->checks[i];
        open_row(out, k->name, strlen(k->name));
        hd_buf_str(out, "<td>");
        text(out, k->title);
        hd_buf_str(out, "</td>");
        number(out, q->check_applies[i]);
        number(out, q->check_fails[i]);
        share(out, q->check_applies[i] - q->check_fails[i], q->check_applies[i]);
        hd_buf_str(out, "</tr>\n");
    }
    close_table(out);
}

static void cells(hd_buf *out, const hd_quality *q)
{
    const char *columns[3 + HD_MAX_KEY_FIELDS] = {"Provider", "Month", "Rows"};
    const hd_quality_cell **sorted = hd_quality_sorted(q);
    out->failed |= sorted == NULL;
    if (!sorted || q->n_cells == 0 || q->rules->n_key_fields == 0) {
        hd_free(sorted);
        return;
    }
    for (size_t k = 0; k < q->rules->n_key_fields; k++)
        columns[3 + k] = q->table->fields[q->rules->key_fields[k]].name;
    open_table(out, "Valid and other answers by provider and month, % of rows", columns,
               3 + q->rules->n_key_fields, 2);
    for (size_t i = 0; i < q->n_cells; i++) {
        const hd_quality_cell *c = sorted[i];
        size_t len;
        const char *p = hd_intern_get(q->providers, c->provider, &len);
        open_row(out, len ? p : "not known", len ? len : strlen("not known"));
        if (c->month == INT32_MIN)
            hd_buf_str(out, "<td>not known</td>");
        else
            hd_buf_printf(out, "<td>%04d-%02d</td>", c->month / 12, c->month % 12 + 1);
        hd_buf_str(out, "<td class=\"n\">");
        hd_quality_small(out, c->rows);
        hd_buf_str(out, "</td>");
        for (size_t k = 0; k < q->rules->n_key_fields; k++) {
            hd_buf_str(out, "<td class=\"n\">");
            hd_quality_small_share(
                out, c->counts[k][HD_MEANING_VALID] + c->counts[k][HD_MEANING_OTHER], c->rows);
            hd_buf_str(out, "</td>");
        }
        hd_buf_str(out, "</tr>\n");
    }
    close_table(out);
    hd_free(sorted);
}

void hd_quality_html(hd_buf *out, const hd_quality *q)
{
    hd_buf_str(out, head);
    hd_buf_str(out, "<title>Data quality: ");
    text(out, q->table->title);
    hd_buf_str(out, "</title></head>\n<body><main>\n<h1>Data quality: ");
    text(out, q->table->title);
    hd_buf_printf(out,
                  "</h1>\n<p>%" PRIu64 " rows read, %" PRIu64 " kept, %" PRIu64
                  " rejected, %" PRIu64 " opted out, %" PRIu64 " linked to no person, %" PRIu64
                  " without a remark.</p>\n",
                  q->rows_read, q->rows_kept, q->rows_rejected, q->rows_opted_out, q->rows_unlinked,
                  q->rows_clean);
    for (size_t i = 0; i < q->n_findings; i++) {
        hd_buf_str(out, "<p><strong>");
        text(out, q->findings[i].file);
        hd_buf_str(out, ", ");
        text(out, q->findings[i].column);
        hd_buf_str(out, " seems to hold ");
        text(out, q->findings[i].holds);
        hd_buf_str(out, ".</strong></p>\n");
    }
    files(out, q);
    fields(out, q);
    rules(out, q);
    checks(out, q);
    cells(out, q);
    hd_buf_str(
        out, "<p>Complete: share of rows with any answer. Valid: share of valid and other answers "
             "among the answers; lists count their elements. By provider and month, counts of 1 "
             "to 7 are shown as *, others are rounded to the nearest 5, and shares are worked "
             "out from rounded counts.</p>\n</main></body></html>\n");
}
