/* test_landing_dialects.c - random delimited files give the rows that DuckDB's reader gives, at any
 * buffer size; chunks keep what they promise while others are read; and plain rows are found alike
 * whatever the processor can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <duckdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rng.h"
#include "landing/delivery.h"
#include "landing/split.h"

static hd_err err;

enum { MAX_COLUMNS = 70, N_FILES = 120 };

typedef struct dialect {
    char delimiter;
    bool crlf, quotes, last_end, is_ascii;
    unsigned n_columns, n_rows;
} dialect;

/* Text of a cell: short codes mostly, as in the real files; sometimes long, odd or quoted. */
static void put_cell(hd_buf *b, hd_rng *g, const dialect *d)
{
    static const char *const odd[] = {"\xC3\xA9t\xC3\xA9", "\xE2\x82\xAC", "a b", "-",
                                      "\xF0\x9F\x98\x80"};
    unsigned kind = hd_rng_below(g, 20);
    if (kind < 6)
        return;
    if (d->quotes && kind == 6) {
        static const char *const parts[] = {"x", "\"\"", ",", "\t", "|", "\n", "\r\n", "\"\"\"\""};
        hd_buf_char(b, '"');
        for (unsigned i = hd_rng_below(g, 6) + 1; i > 0; i--)
            hd_buf_str(b, parts[hd_rng_below(g, sizeof parts / sizeof *parts)]);
        hd_buf_char(b, '"');
    } else if (!d->is_ascii && kind == 7) {
        hd_buf_str(b, odd[hd_rng_below(g, sizeof odd / sizeof *odd)]);
    } else {
        unsigned len = kind == 8 ? hd_rng_below(g, 200) : hd_rng_below(g, 12) + 1;
        for (unsigned i = 0; i < len; i++)
            hd_buf_char(b, (char)('0' + hd_rng_below(g, 43)));
    }
}

static void write_table(hd_buf *b, hd_rng *g, const dialect *d)
{
    const char *end = d->crlf ? "\r\n" : "\n";
    for (unsigned c = 0; c < d->n_columns; c++)
        hd_buf_printf(b, "%sc%u", c ? (char[2]){d->delimiter, 0} : "", c);
    hd_buf_str(b, end);
    for (unsigned r = 0; r < d->n_rows; r++) {
        /* The first cell is never empty: DuckDB reads a line of one empty cell in its own way. */
        hd_buf_printf(b, "r%u", r);
        for (unsigned c = 1; c < d->n_columns; c++) {
            hd_buf_char(b, d->delimiter);
            put_cell(b, g, d);
        }
        if (r + 1 < d->n_rows || d->last_end)
            hd_buf_str(b, end);
    }
    assert_true(hd_buf_ok(b));
}

/* Rows as DuckDB reads them, each cell between bytes that no cell has. */
static void read_duckdb(duckdb_connection con, const char *path, const dialect *d, hd_buf *out)
{
    char sql[600];
    duckdb_result result;
    snprintf(sql, sizeof sql,
             "SELECT * FROM read_csv('%s', delim='%s', header=true, all_varchar=true, quote='%s', "
             "escape='%s', nullstr='\x02', auto_detect=false, strict_mode=true, "
             "parallel=false, columns={",
             path, d->delimiter == '\t' ? "\\t" : (char[2]){d->delimiter, 0}, d->quotes ? "\"" : "",
             d->quotes ? "\"" : "");
    hd_buf query;
    hd_buf_init(&query, 1 << 16);
    hd_buf_str(&query, sql);
    for (unsigned c = 0; c < d->n_columns; c++)
        hd_buf_printf(&query, "%s'c%u': 'VARCHAR'", c ? ", " : "", c);
    hd_buf_str(&query, "})");
    if (duckdb_query(con, query.data, &result) != DuckDBSuccess)
        fail_msg("DuckDB: %s", duckdb_result_error(&result));
    for (idx_t r = 0; r < duckdb_row_count(&result); r++)
        for (idx_t c = 0; c < d->n_columns; c++) {
            char *text = duckdb_value_varchar(&result, c, r);
            hd_buf_printf(out, "%s\x1f", text ? text : "");
            duckdb_free(text);
        }
    duckdb_destroy_result(&result);
    hd_buf_free(&query);
}

static void put_batch(hd_buf *out, const hd_batch *b, size_t n_columns)
{
    for (size_t r = 0; r < b->n_rows; r++)
        for (size_t c = 0; c < n_columns; c++) {
            const hd_slice f = hd_batch_field(b, r, c);
            hd_buf_add(out, f.bytes, f.len);
            hd_buf_char(out, '\x1f');
        }
}

static void see(void *ctx, const void *bytes, size_t len)
{
    hd_buf_add(ctx, bytes, len);
}

/* The watcher saw the file, whole and in its order. */
static void expect_seen(const char *path, const hd_buf *seen)
{
    FILE *f = fopen(path, "rb");
    char bytes[4096];
    size_t at = 0;
    assert_non_null(f);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, f)) > 0; at += n) {
        assert_true(at + n <= seen->len);
        assert_memory_equal(seen->data + at, bytes, n);
    }
    assert_int_equal(at, seen->len);
    fclose(f);
}

/* Batches are looked at as late as they may be: when the fourth after them is about to be read. */
static void read_hdis(const char *path, size_t buffer, const dialect *d, hd_buf *out)
{
    hd_delivery *reader;
    hd_batch kept[HD_DELIVERY_KEPT];
    size_t n = 0, put = 0;
    hd_buf seen;
    hd_buf_init(&seen, SIZE_MAX / 2);
    assert_int_equal(hd_delivery_open_sized(&reader, path, buffer, see, &seen, &err), HD_OK);
    if (buffer % 2) {
        static const bool wanted[HD_DELIVERY_COLUMNS] = {true, false, true, true};
        assert_int_equal(hd_delivery_lay_out(reader, wanted, &err), HD_OK);
    }
    assert_int_equal(hd_delivery_delimiter(reader), d->delimiter);
    for (bool more = true; more;) {
        if (n - put == HD_DELIVERY_KEPT)
            put_batch(out, &kept[put++ % HD_DELIVERY_KEPT], d->n_columns);
        hd_batch *b = &kept[n % HD_DELIVERY_KEPT];
        assert_int_equal(hd_delivery_next(reader, b, &err), HD_OK);
        assert_int_equal(b->n_defects, 0);
        more = b->n_rows > 0;
        n += more;
    }
    while (put < n)
        put_batch(out, &kept[put++ % HD_DELIVERY_KEPT], d->n_columns);
    hd_delivery_close(reader);
    expect_seen(path, &seen);
    hd_buf_free(&seen);
}

static dialect any_dialect(hd_rng *g)
{
    static const char delimiters[] = {'|', ',', '\t'};
    dialect d = {.delimiter = delimiters[hd_rng_below(g, 3)],
                 .crlf = hd_rng_below(g, 3) == 0,
                 .last_end = hd_rng_below(g, 4) != 0,
                 .is_ascii = hd_rng_below(g, 2) == 0,
                 .n_columns = hd_rng_below(g, 8) ? hd_rng_below(g, MAX_COLUMNS - 2) + 2 : 2,
                 .n_rows =
                     hd_rng_below(g, 8) ? hd_rng_below(g, 60) + 1 : hd_rng_below(g, 3000) + 1};
    d.quotes = d.delimiter != '|' && hd_rng_below(g, 2);
    return d;
}

static void random_dialects_agree(void **state)
{
    (void)state;
    duckdb_database db;
    duckdb_connection con;
    char path[] = "/tmp/hdis_dialect_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(duckdb_open(NULL, &db), DuckDBSuccess);
    assert_int_equal(duckdb_connect(db, &con), DuckDBSuccess);
    for (unsigned i = 0; i < N_FILES; i++) {
        hd_rng g = hd_rng_stream(11, i);
        dialect d = any_dialect(&g);
        hd_buf text, want, got;
        hd_buf_init(&text, 1 << 26);
        hd_buf_init(&want, 1 << 26);
        hd_buf_init(&got, 1 << 26);
        write_table(&text, &g, &d);
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(text.data, 1, text.len, f), text.len);
        assert_int_equal(fclose(f), 0);
        read_duckdb(con, path, &d, &want);
        for (unsigned k = 0; k < 3; k++) {
            size_t buffer = k == 0 ? 1 << 20 : 8 + hd_rng_below(&g, k == 1 ? 60 : 5000);
            hd_buf_clear(&got);
            read_hdis(path, buffer, &d, &got);
            size_t same = 0;
            while (same < got.len && same < want.len && got.data[same] == want.data[same])
                same++;
            if (got.len != want.len || same < got.len)
                fail_msg(
                    "file %u (delimiter %d, quotes %d, crlf %d), buffer %zu: at byte %zu '%.30s', "
                    "DuckDB has '%.30s'",
                    i, d.delimiter, d.quotes, d.crlf, buffer, same, got.data + same,
                    want.data + same);
        }
        hd_buf_free(&text);
        hd_buf_free(&want);
        hd_buf_free(&got);
    }
    duckdb_disconnect(&con);
    duckdb_close(&db);
    unlink(path);
}

/* ---- rows found in different ways ------------------------------------------------------------ */

enum { SPLIT_BYTES = 3000, SPLIT_ROWS = 50, MOST_PLACES = SPLIT_ROWS * (MAX_COLUMNS + 1) };

/* Rows of `width` cells; now and then one is too wide or too narrow, or has an odd byte. */
static size_t write_rows(char *text, hd_rng *g, size_t width, char delimiter)
{
    size_t n = 0, len;
    while (n + 300 * width < SPLIT_BYTES || n == 0) {
        size_t cells = hd_rng_below(g, 40) ? width : width + hd_rng_below(g, 3) - 1;
        for (size_t c = 0; c < cells; c++) {
            len = hd_rng_below(g, hd_rng_below(g, 9) ? 9 : 200);
            for (size_t i = 0; i < len; i++)
                text[n++] = (char)('0' + hd_rng_below(g, 43));
            if (hd_rng_below(g, 300) == 0)
                text[n++] = "\xC3\"\r\0"[hd_rng_below(g, 4)];
            text[n++] = c + 1 < cells ? delimiter : '\n';
        }
    }
    return n;
}

static void split_forms_agree(void **state)
{
    (void)state;
    static char text[SPLIT_BYTES + 300 * MAX_COLUMNS + HD_SPLIT_SLACK];
    static uint32_t places[3][MOST_PLACES + HD_PLACES_SLACK];
    static uint64_t lines[3][SPLIT_ROWS];
    hd_rng g = hd_rng_stream(11, 0);
    size_t taken = 0;
    for (unsigned i = 0; i < 3000; i++) {
        size_t width = 1 + hd_rng_below(&g, hd_rng_below(&g, 2) ? 8 : MAX_COLUMNS);
        char delimiter = ",|\t"[hd_rng_below(&g, 3)];
        size_t len = write_rows(text, &g, width, delimiter), cut = hd_rng_below(&g, 200);
        hd_split s[3];
        for (unsigned form = 0; form < 3; form++) {
            s[form] = (hd_split){.text = text,
                                 .end = len > cut ? len - cut : len,
                                 .delimiter = delimiter,
                                 .has_quotes = delimiter != '|',
                                 .is_odd = i % 2,
                                 .width = width,
                                 .places = places[form],
                                 .lines = lines[form],
                                 .line = 2,
                                 .max_rows = 1 + i % SPLIT_ROWS};
            hd_split_with(&s[form], (hd_split_form)form);
            assert_int_equal(s[form].n_rows, s[0].n_rows);
            assert_int_equal(s[form].at, s[0].at);
            assert_int_equal(s[form].line, s[0].line);
            assert_memory_equal(places[form], places[0],
                                s[0].n_rows * (width + 1) * sizeof *places[0]);
            assert_memory_equal(lines[form], lines[0], s[0].n_rows * sizeof *lines[0]);
        }
        for (size_t at = 0; at < s[0].n_rows * (width + 1); at++)
            if (at % (width + 1))
                assert_true(text[places[0][at] - 1] == delimiter ||
                            text[places[0][at] - 1] == '\n' || text[places[0][at] - 1] == '\r');
        taken += s[0].n_rows;
    }
    assert_true(taken > 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_dialects_agree),
        cmocka_unit_test(split_forms_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
