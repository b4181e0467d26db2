/* report.c - see report.h: what is shown below national level, the text and the CSV. */
#include "landing/report.h"
#include "base/alloc.h"
#include "base/csv.h"
#include "base/date.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const meanings[] = {"valid", "other", "default", "invalid", "missing"};

/* ---- below national level ------------------------------------------------------------------- */

enum { SMALLEST = 1, LARGEST_HIDDEN = 7, ROUNDED_TO = 5 };

static bool is_hidden(uint64_t n)
{
    return n >= SMALLEST && n <= LARGEST_HIDDEN;
}

static uint64_t rounded(uint64_t n)
{
    return (n + ROUNDED_TO / 2) / ROUNDED_TO * ROUNDED_TO;
}

void hd_quality_small(hd_buf *out, uint64_t count)
{
    if (is_hidden(count))
        hd_buf_char(out, '*');
    else
        hd_buf_printf(out, "%" PRIu64, rounded(count));
}

void hd_quality_small_share(hd_buf *out, uint64_t part, uint64_t whole)
{
    if (whole == 0) {
        hd_buf_char(out, '-');
        return;
    }
    if (is_hidden(part) || is_hidden(whole) || is_hidden(whole - part)) {
        hd_buf_char(out, '*');
        return;
    }
    double share = 100.0 * (double)rounded(part) / (double)rounded(whole);
    hd_buf_printf(out, "%.1f", share > 100 ? 100.0 : share);
}

static const hd_intern *sort_names; /* qsort has no context; reports are made by one thread */

static int by_provider_and_month(const void *a, const void *b)
{
    const hd_quality_cell *x = *(const hd_quality_cell *const *)a;
    const hd_quality_cell *y = *(const hd_quality_cell *const *)b;
    if (x->provider != y->provider) {
        size_t n, m;
        const char *p = hd_intern_get(sort_names, x->provider, &n);
        const char *q = hd_intern_get(sort_names, y->provider, &m);
        int c = memcmp(p, q, n < m ? n : m);
        return c ? c : n < m ? -1 : n > m;
    }
    return x->month < y->month ? -1 : x->month > y->month;
}

const hd_quality_cell **hd_quality_sorted(const hd_quality *q)
{
    const hd_quality_cell **cells = hd_calloc(q->n_cells, sizeof *cells);
    if (!cells)
        return NULL;
    for (size_t i = 0; i < q->n_cells; i++)
        cells[i] = &q->cells[i];
    sort_names = q->providers;
    qsort(cells, q->n_cells, sizeof *cells, by_provider_and_month);
    return cells;
}

/* ---- text ----------------------------------------------------------------------------------- */

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

static void put_names(hd_buf *out, const char *what, const hd_names *n)
{
    if (n->n == 0)
        return;
    size_t at = (size_t)snprintf(NULL, 0, "  %s (%zu):", what, n->n);
    hd_buf_printf(out, "  %s (%zu):", what, n->n);
    for (size_t i = 0; i < n->n; i++) {
        size_t len = strlen(n->items[i]);
        if (at + len + 2 > 100) {
            hd_buf_str(out, "\n     ");
            at = 5;
        }
        hd_buf_printf(out, " %s", n->items[i]);
        at += len + 1;
    }
    hd_buf_char(out, '\n');
}

static void put_files(hd_buf *out, const hd_quality *q, bool names_missing)
{
    for (size_t i = 0; i < q->n_files; i++) {
        const hd_file_summary *f = &q->files[i];
        hd_buf_printf(out, "%s: ", f->name);
        if (f->part_year)
            hd_buf_printf(out, "data year %d-%02d, extract %d; ", f->data_year,
                          (f->data_year + 1) % 100, f->part_year);
        hd_buf_printf(out,
                      "%" PRIu64 " rows read, %" PRIu64 " kept, %" PRIu64 " rejected, %" PRIu64
                      " opted out\n",
                      f->rows_read, f->rows_kept, f->rows_rejected, f->rows_opted_out);
        hd_buf_printf(out, "  columns read: %zu\n", f->used.n);
        put_names(out, "identifying, dropped", &f->dropped);
        put_names(out, "known, held by another column", &f->repeated);
        put_names(out, "unknown, not kept", &f->unknown);
        if (names_missing)
            put_names(out, "fields not delivered", &f->missing);
        else if (f->missing.n)
            hd_buf_printf(out, "  fields not delivered: %zu (--fields or a .txt or .html report "
                               "lists them)\n", f->missing.n);
    }
}

static uint64_t total(const uint64_t counts[5])
{
    return counts[0] + counts[1] + counts[2] + counts[3] + counts[4];
}

static void put_fields(hd_buf *out, const hd_quality *q)
{
    hd_buf_printf(out, "\n%-28s %10s %9s %9s %9s %10s %9s %7s\n", "field", "valid", "other",
                  "default", "invalid", "missing", "complete%", "valid%");
    for (size_t i = 0; i < q->table->n_fields; i++) {
        const uint64_t *c = q->counts[i];
        uint64_t n = total(c), answers = n - c[HD_MEANING_MISSING];
        if (!q->delivered[i])
            continue;
        hd_buf_printf(out,
                      "%-28s %10" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %10" PRIu64
                      " %9.2f %7.2f\n",
                      q->table->fields[i].name, c[0], c[1], c[2], c[3], c[4], percent(answers, n),
                      percent(c[HD_MEANING_VALID] + c[HD_MEANING_OTHER], answers));
    }
}

static void put_rules(hd_buf *out, const hd_quality *q)
{
    hd_buf_printf(out, "\n%-15s %-10s %10s  %s\n", "rule", "kind", "rows", "what");
    for (size_t i = 0; i < HD_N_RULES; i++) {
        const hd_rule *r = &q->rules->rules[i];
        if (q->rule_rows[i])
            hd_buf_printf(out, "%-15s %-10s %10" PRIu64 "  %s\n", r->name,
                          r->is_structural ? "structural" : "content", q->rule_rows[i], r->says);
    }
    hd_buf_printf(out, "%-15s %-10s %10" PRIu64 "  rows that no rule names\n", "-", "-",
                  q->rows_clean);
    if (!q->keys_all_compared)
        hd_buf_str(out, "Not all row keys were compared: there are more than 44 million rows.\n");
}

static void put_checks(hd_buf *out, const hd_quality *q)
{
    if (q->rules->n_checks == 0)
        return;
    hd_buf_printf(out, "\n%-28s %10s %11s %9s  %s\n", "agreement", "compared", "contradict",
                  "agree%", "what should hold");
    for (size_t i = 0; i < q->rules->n_checks; i++)
        hd_buf_printf(out, "%-28s %10" PRIu64 " %11" PRIu64 " %9.2f  %s\n",
                      q->rules->checks[i].name, q->check_applies[i], q->check_fails[i],
                      percent(q->check_applies[i] - q->check_fails[i], q->check_applies[i]),
                      q->rules->checks[i].title);
}

static void put_totals(hd_buf *out, const hd_quality *q, bool names_missing)
{
    put_files(out, q, names_missing);
    hd_buf_printf(out,
                  "%s: %" PRIu64 " rows read, %" PRIu64 " kept, %" PRIu64 " rejected, %" PRIu64
                  " opted out, %" PRIu64 " linked to no person\n",
                  q->table->name, q->rows_read, q->rows_kept, q->rows_rejected, q->rows_opted_out,
                  q->rows_unlinked);
    for (size_t i = 0; i < q->n_findings; i++)
        hd_buf_printf(out, "%s, %s: seems to hold %s\n", q->findings[i].file, q->findings[i].column,
                      q->findings[i].holds);
}

void hd_quality_summary(hd_buf *out, const hd_quality *q, bool names_missing)
{
    put_totals(out, q, names_missing);
    put_rules(out, q);
}

void hd_quality_text(hd_buf *out, const hd_quality *q, bool names_missing)
{
    put_totals(out, q, names_missing);
    put_fields(out, q);
    put_rules(out, q);
    put_checks(out, q);
}

/* ---- CSV: one figure a line ----------------------------------------------------------------- */

static void put_line(hd_buf *out, const char *kind, const char *name, const char *measure,
                     uint64_t value)
{
    hd_buf_printf(out, "national,,,%s,", kind);
    hd_csv_put(out, name, strlen(name));
    hd_buf_printf(out, ",%s,%" PRIu64 "\n", measure, value);
}

static void put_national(hd_buf *out, const hd_quality *q)
{
    const char *t = q->table->name;
    put_line(out, "rows", t, "read", q->rows_read);
    put_line(out, "rows", t, "kept", q->rows_kept);
    put_line(out, "rows", t, "rejected", q->rows_rejected);
    put_line(out, "rows", t, "opted_out", q->rows_opted_out);
    put_line(out, "rows", t, "not_linked", q->rows_unlinked);
    put_line(out, "rows", t, "clean", q->rows_clean);
    for (size_t i = 0; i < HD_N_RULES; i++)
        put_line(out, "rule", q->rules->rules[i].name, "rows", q->rule_rows[i]);
    for (size_t i = 0; i < q->table->n_fields; i++)
        for (int m = 0; q->delivered[i] && m < 5; m++)
            put_line(out, "field", q->table->fields[i].name, meanings[m], q->counts[i][m]);
    for (size_t i = 0; i < q->rules->n_checks; i++) {
        put_line(out, "check", q->rules->checks[i].name, "compared", q->check_applies[i]);
        put_line(out, "check", q->rules->checks[i].name, "contradict", q->check_fails[i]);
    }
}

static void put_place(hd_buf *out, const hd_quality *q, const hd_quality_cell *c)
{
    size_t len;
    const char *p = hd_intern_get(q->providers, c->provider, &len);
    hd_buf_str(out, "provider_month,");
    hd_csv_put(out, p, len);
    hd_buf_char(out, ',');
    if (c->month != INT32_MIN)
        hd_buf_printf(out, "%04d-%02d", c->month / 12, c->month % 12 + 1);
}

void hd_quality_csv(hd_buf *out, const hd_quality *q)
{
    hd_buf_str(out, "level,provider,month,kind,name,measure,value\n");
    put_national(out, q);
    const hd_quality_cell **cells = hd_quality_sorted(q);
    out->failed |= cells == NULL;
    for (size_t i = 0; cells && i < q->n_cells; i++) {
        put_place(out, q, cells[i]);
        hd_buf_printf(out, ",rows,%s,kept,", q->table->name);
        hd_quality_small(out, cells[i]->rows);
        hd_buf_char(out, '\n');
        for (size_t k = 0; k < q->rules->n_key_fields; k++)
            for (int m = 0; m < 5; m++) {
                put_place(out, q, cells[i]);
                hd_buf_printf(out, ",field,%s,%s,", q->table->fields[q->rules->key_fields[k]].name,
                              meanings[m]);
                hd_quality_small(out, cells[i]->counts[k][m]);
                hd_buf_char(out, '\n');
            }
    }
    hd_free(cells);
}
