/* test_landing.c - files in any dialect come back as they were written, at every chunk border;
 * every notation is read as doc/landing.md says; identifiers are told from other numbers. */
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
#include <zlib.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/date.h"
#include "base/rng.h"
#include "landing/delivery.h"
#include "landing/identifiers.h"
#include "landing/intake.h"
#include "landing/judge.h"
#include "landing/optout.h"
#include "landing/report.h"

static hd_err err;
static char path[64];

enum { PLAIN, GZIP, ZSTD, GZIP_TWICE, N_PACKINGS };

static size_t gzip(const void *bytes, size_t len, uint8_t *out, size_t cap)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)bytes;
    z.avail_in = (uInt)len;
    z.next_out = out;
    z.avail_out = (uInt)cap;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = cap - z.avail_out;
    deflateEnd(&z);
    return n;
}

static void write_file(const void *bytes, size_t len, int packing)
{
    size_t cap = len * 2 + 1000;
    uint8_t *packed = malloc(cap);
    const void *put = packed;
    size_t n = len;
    if (packing == PLAIN) {
        put = bytes;
    } else if (packing == ZSTD) {
        n = ZSTD_compress(packed, cap, bytes, len, 3);
    } else if (packing == GZIP) {
        n = gzip(bytes, len, packed, cap);
    } else { /* two members, one after the other */
        n = gzip(bytes, len / 2, packed, cap);
        n += gzip((const char *)bytes + len / 2, len - len / 2, packed + n, cap - n);
    }
    strcpy(path, "/tmp/hdis_landing_XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, put, n), (ssize_t)n);
    close(fd);
    free(packed);
}

static void write_text(const char *text)
{
    write_file(text, strlen(text), PLAIN);
}

/* The whole file as "field|field/field|field/", then the defects as {line:column:what}. */
static char *read_back(size_t buffer)
{
    hd_delivery *d;
    hd_buf b, defects;
    hd_batch batch;
    hd_buf_init(&b, 1 << 26);
    hd_buf_init(&defects, 1 << 20);
    assert_int_equal(hd_delivery_open_sized(&d, path, buffer, NULL, NULL, &err), HD_OK);
    do {
        assert_int_equal(hd_delivery_next(d, &batch, &err), HD_OK);
        size_t n = hd_delivery_n_columns(d);
        for (size_t r = 0; r < batch.n_rows; r++)
            for (size_t c = 0; c < n; c++) {
                hd_buf_add(&b, hd_batch_field(&batch, r, c).bytes,
                           hd_batch_field(&batch, r, c).len);
                hd_buf_char(&b, c + 1 < n ? '\x1f' : '\x1e');
            }
        for (size_t i = 0; i < batch.n_defects; i++)
            hd_buf_printf(&defects, "{%d:%u:%d}", (int)batch.defects[i].line,
                          batch.defects[i].column, batch.defects[i].what);
    } while (batch.n_rows + batch.n_defects);
    hd_delivery_close(d);
    hd_buf_str(&b, defects.data);
    hd_buf_free(&defects);
    return hd_buf_take(&b);
}

static void expect_rows(const char *text, const char *expected)
{
    write_text(text);
    char *got = read_back(1 << 20);
    for (char *p = got; *p; p++)
        *p = *p == '\x1f' ? '|' : *p == '\x1e' ? '/' : *p;
    assert_string_equal(got, expected);
    hd_free(got);
    unlink(path);
}

static void expect_refusal(const char *bytes, size_t len, hd_code code, const char *words)
{
    hd_delivery *d;
    write_file(bytes, len, PLAIN);
    hd_code rc = hd_delivery_open(&d, path, &err);
    for (hd_batch b = {.n_rows = 1}; rc == HD_OK && b.n_rows + b.n_defects;)
        rc = hd_delivery_next(d, &b, &err);
    hd_delivery_close(d);
    assert_int_equal(rc, code);
    if (!strstr(err.text, words))
        fail_msg("'%s' does not say '%s'", err.text, words);
    unlink(path);
}

/* ---- dialects ------------------------------------------------------------------------------- */

typedef struct dialect {
    char delimiter;
    bool crlf, mark, last_line_end;
    int packing;
    unsigned quote; /* of 100 fields that need none */
} dialect;

static void put_field(hd_buf *b, const char *v, size_t len, const dialect *d, hd_rng *r)
{
    bool needs = len && (v[0] == '"' || memchr(v, d->delimiter, len) || memchr(v, '\n', len) ||
                         memchr(v, '\r', len));
    if (d->delimiter == '|' || (!needs && hd_rng_below(r, 100) >= d->quote)) {
        hd_buf_add(b, v, len);
        return;
    }
    hd_buf_char(b, '"');
    for (size_t i = 0; i < len; i++) {
        if (v[i] == '"')
            hd_buf_char(b, '"');
        hd_buf_char(b, v[i]);
    }
    hd_buf_char(b, '"');
}

static size_t random_field(hd_rng *r, const dialect *d, char out[64])
{
    static const char *const pieces[] = {
        "a",  "\xC3\xA9", "1800-01-01",       "\"",  " ", ",", "|", "\t", "NULL", "&",
        "\n", "\r\n",     "\xF0\x9F\x8F\xA5", "R69X"};
    size_t n = 0;
    for (unsigned k = hd_rng_below(r, 4); k; k--) {
        const char *p = pieces[hd_rng_below(r, sizeof pieces / sizeof *pieces)];
        bool breaks = strchr(p, '\n') != NULL;
        if (d->delimiter == '|' && (breaks || *p == '|'))
            continue; /* pipe files have no quotes, so these cannot be written */
        memcpy(out + n, p, strlen(p));
        n += strlen(p);
    }
    return n;
}

/* Rows written in a random dialect are read back equal, whatever the buffer. */
static void test_random_dialects(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 400; round++) {
        hd_rng r = hd_rng_stream(1, round);
        dialect d = {"|,\t"[hd_rng_below(&r, 3)],
                     hd_rng_below(&r, 2),
                     hd_rng_below(&r, 2),
                     hd_rng_below(&r, 2),
                     (int)hd_rng_below(&r, N_PACKINGS),
                     hd_rng_below(&r, 60)};
        unsigned columns = 2 + hd_rng_below(&r, 9), rows = 1 + hd_rng_below(&r, 40);
        hd_buf text, expected;
        hd_buf_init(&text, 1 << 20);
        hd_buf_init(&expected, 1 << 20);
        if (d.mark)
            hd_buf_str(&text, "\xEF\xBB\xBF");
        for (unsigned c = 0; c < columns; c++)
            hd_buf_printf(&text, "%sCOLUMN_%u", c ? (char[]){d.delimiter, '\0'} : "", c);
        for (unsigned row = 0; row < rows; row++) {
            hd_buf_str(&text, d.crlf ? "\r\n" : "\n");
            for (unsigned c = 0; c < columns; c++) {
                char field[64];
                size_t len = random_field(&r, &d, field);
                if (c)
                    hd_buf_char(&text, d.delimiter);
                put_field(&text, field, len, &d, &r);
                hd_buf_add(&expected, field, len);
                hd_buf_char(&expected, c + 1 < columns ? '\x1f' : '\x1e');
            }
        }
        if (d.last_line_end)
            hd_buf_str(&text, d.crlf ? "\r\n" : "\n");
        write_file(text.data, text.len, d.packing);
        char *got = read_back(8 + hd_rng_below(&r, 200));
        assert_string_equal(got, expected.data);
        hd_free(got);
        unlink(path);
        hd_buf_free(&text);
        hd_buf_free(&expected);
    }
}

/* The same rows and defects whatever the size of the buffer: every byte is once a border. */
static void test_every_chunk_border(void **state)
{
    (void)state;
    static const char text[] = "A,B,C\r\n1,\"x\"\"y\",3\r\n\"4\r\n4\",,\"\"\n\n5,6\n7,\"8\"9,9\n"
                               "10,11,12,13\n\"never,14,15\n16,17,18\r\n19,\xC3\xA9,21";
    write_text(text);
    char *whole = read_back(1 << 20);
    for (size_t buffer = 8; buffer < sizeof text + 8; buffer++) {
        char *got = read_back(buffer);
        assert_string_equal(got, whole);
        hd_free(got);
    }
    for (char *p = whole; *p; p++)
        *p = *p == '\x1f' ? '|' : *p == '\x1e' ? '/' : *p;
    assert_non_null(strstr(whole, "1|x\"y|3/4\r\n4||/"));
    assert_non_null(strstr(whole, "16|17|18/19|\xC3\xA9|21/"));
    assert_non_null(strstr(whole, "{6:2:1}{7:2:3}{8:4:2}{9:1:3}"));
    hd_free(whole);
    unlink(path);
}

static void test_rows_and_defects(void **state)
{
    (void)state;
    expect_rows("A|B\n1|2\n", "1|2/");
    expect_rows("A|B\n1|2", "1|2/");
    expect_rows("A|B\r\n1|2\r\n", "1|2/");
    expect_rows("A|B\n\"1|2\"\n", "\"1|2\"/"); /* quotes are data in pipe files */
    expect_rows("A,B\n5\" pipe,2\n", "5\" pipe|2/");
    expect_rows("A,B\n\n1,2\n\r\n\n", "1|2/");
    expect_rows("A\n1\n\n2\n", "1//2/"); /* one column: an empty line is an empty field */
    expect_rows("A|B\n1|2|3\n4\n5|6\n", "5|6/{2:3:2}{3:1:1}");
    expect_rows("A,B\n\"1,2\n3,4\n", "3|4/{2:1:3}");
    expect_rows("A|B\n1|\xFF\n2|\xED\xA0\x80\n3|\xC0\x80\n4|\xC3\xA9\n",
                "4|\xC3\xA9/{2:2:5}{3:2:5}{4:2:5}");
    expect_rows("A\tB\n1\t2\n", "1|2/");
    expect_rows("A,B|C|D\n1|2|3\n", "1|2|3/"); /* the most frequent sign in the header */
}

static void test_zero_byte_is_a_defect(void **state)
{
    (void)state;
    static const char text[] = "A|B\n1|x\0y\n2|z\n";
    write_file(text, sizeof text - 1, PLAIN);
    char *got = read_back(1 << 20);
    assert_string_equal(got, "2\x1fz\x1e{2:2:4}");
    hd_free(got);
    unlink(path);
}

static void test_limits(void **state)
{
    (void)state;
    hd_buf b;
    hd_buf_init(&b, 1 << 26);
    hd_buf_str(&b, "A,B\n1,");
    for (size_t i = 0; i < HD_DELIVERY_FIELD_BYTES + 1; i++)
        hd_buf_char(&b, 'x');
    hd_buf_str(&b, "\n2,\"");
    for (size_t i = 0; i < HD_DELIVERY_FIELD_BYTES + 1; i++)
        hd_buf_char(&b, 'y');
    hd_buf_str(&b, "\"\n3,4\n");
    for (size_t i = 0; i < HD_DELIVERY_ROW_BYTES + 100; i++)
        hd_buf_char(&b, 'z');
    hd_buf_str(&b, "\n5,6\n");
    write_file(b.data, b.len, GZIP);
    char *got = read_back(1 << 16);
    for (char *p = got; *p; p++)
        *p = *p == '\x1f' ? '|' : *p == '\x1e' ? '/' : *p;
    assert_non_null(strstr(got, "3|4/"));
    assert_non_null(strstr(got, "5|6/"));
    assert_non_null(strstr(got, "{2:2:6}"));
    assert_non_null(strstr(got, "{3:2:3}"));
    assert_non_null(strstr(got, "{5:0:7}"));
    hd_free(got);
    unlink(path);
    hd_buf_clear(&b);
    for (int i = 0; i < HD_DELIVERY_COLUMNS + 1; i++)
        hd_buf_printf(&b, "%sC%d", i ? "|" : "", i);
    hd_buf_str(&b, "\n");
    expect_refusal(b.data, b.len, HD_LIMIT, "4096 columns");
    hd_buf_free(&b);
}

static void test_refused_files(void **state)
{
    (void)state;
    static const char zip[] = "PK\x03\x04....", utf16[] = "\xFF\xFE"
                                                          "A\0|\0";
    expect_refusal("", 0, HD_FORMAT, "is empty");
    expect_refusal("\n1|2\n", 5, HD_FORMAT, "first line is empty");
    expect_refusal(zip, sizeof zip - 1, HD_FORMAT, "ZIP");
    expect_refusal(utf16, sizeof utf16 - 1, HD_FORMAT, "UTF-16");
    expect_refusal("A|b|B\n", 6, HD_FORMAT, "column 3: the same name as column 2");
    expect_refusal("\"A,B\n1,2\n", 9, HD_FORMAT, "quote");
    hd_delivery *d;
    assert_int_equal(hd_delivery_open(&d, "/nonexistent/x.csv", &err), HD_NOTFOUND);
    assert_int_equal(hd_delivery_open(&d, "/tmp", &err), HD_FORMAT);
}

/* A packed file that was cut anywhere is an error, never a short file; so are flipped bytes that
 * the packing can tell, and bytes after its end. */
static void test_cut_packed_files(void **state)
{
    (void)state;
    char text[600] = "A|B\n";
    for (int i = 0; i < 40; i++)
        strcat(text, "some|thing\n");
    uint8_t packed[2][1024];
    size_t n[2];
    n[0] = gzip(text, strlen(text), packed[0], sizeof packed[0]);
    ZSTD_CCtx *c = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    n[1] = ZSTD_compress2(c, packed[1], sizeof packed[1], text, strlen(text));
    ZSTD_freeCCtx(c);
    for (int k = 0; k < 2; k++) {
        for (size_t cut = k ? 4 : 2; cut < n[k]; cut++)
            expect_refusal((char *)packed[k], cut, HD_FORMAT, "ends early");
        packed[k][n[k]] = 'x';
        expect_refusal((char *)packed[k], n[k] + 1, HD_FORMAT, "");
        for (size_t at = 12; at < n[k]; at += 3) {
            packed[k][at] ^= 0x10;
            expect_refusal((char *)packed[k], n[k], HD_FORMAT, "");
            packed[k][at] ^= 0x10;
        }
    }
}

/* Parquet gives the same rows as text; more rows than one batch, NULL is empty, types as text. */
static void test_parquet(void **state)
{
    (void)state;
    duckdb_database db;
    duckdb_connection con;
    strcpy(path, "/tmp/hdis_landing_pq.XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(duckdb_open(NULL, &db), DuckDBSuccess);
    assert_int_equal(duckdb_connect(db, &con), DuckDBSuccess);
    char sql[400];
    snprintf(sql, sizeof sql,
             "COPY (SELECT i AS \"EPIKEY\", CASE WHEN i %% 2 = 0 THEN 'x,\"y' END AS \"NOTE\", "
             "DATE '2014-05-06' AS \"EPIEND\" FROM range(3000) t(i)) TO '%s' (FORMAT parquet)",
             path);
    assert_int_equal(duckdb_query(con, sql, NULL), DuckDBSuccess);
    duckdb_disconnect(&con);
    duckdb_close(&db);
    hd_delivery *d;
    hd_batch b;
    size_t rows = 0;
    assert_int_equal(hd_delivery_open(&d, path, &err), HD_OK);
    assert_int_equal(hd_delivery_n_columns(d), 3);
    assert_string_equal(hd_delivery_column(d, 2), "EPIEND");
    do {
        assert_int_equal(hd_delivery_next(d, &b, &err), HD_OK);
        for (size_t r = 0; r < b.n_rows; r++, rows++) {
            char key[16];
            int len = snprintf(key, sizeof key, "%zu", rows);
            assert_int_equal(hd_batch_field(&b, r, 0).len, len);
            assert_memory_equal(hd_batch_field(&b, r, 0).bytes, key, (size_t)len);
            assert_int_equal(hd_batch_field(&b, r, 1).len, rows % 2 ? 0 : 4);
            assert_memory_equal(hd_batch_field(&b, r, 2).bytes, "2014-05-06", 10);
        }
        assert_int_equal(b.n_defects, 0);
    } while (b.n_rows);
    assert_int_equal(rows, 3000);
    hd_delivery_close(d);
    unlink(path);
}

/* ---- judging -------------------------------------------------------------------------------- */

static hd_judged judge(const hd_field *f, int year, const char *text)
{
    static hd_judged out;
    hd_judge *j;
    assert_int_equal(hd_judge_new(&j, f, year, &err), HD_OK);
    hd_judge_text(j, text, strlen(text), &out);
    hd_judge_free(j);
    return out;
}

static void expect_text(const hd_field *f, const char *text, const char *value, hd_meaning meaning)
{
    hd_judged j;
    hd_judge *judge_;
    assert_int_equal(hd_judge_new(&judge_, f, 0, &err), HD_OK);
    hd_judge_text(judge_, text, strlen(text), &j);
    assert_int_equal(j.meaning, meaning);
    assert_int_equal(j.value.is_null, value == NULL);
    if (value) {
        assert_int_equal(j.value.text.len, strlen(value));
        assert_memory_equal(j.value.text.bytes, value, strlen(value));
    }
    hd_judge_free(judge_);
}

static const hd_code_entry sexes[] = {{"1", "", HD_MEANING_VALID, 0, 0},
                                      {"9", "", HD_MEANING_OTHER, 0, 0},
                                      {"0", "", HD_MEANING_DEFAULT, 0, 2022},
                                      {"X", "", HD_MEANING_DEFAULT, 2022, 0}};
static const hd_field sex = {
    .name = "sex", .type = HD_TEXT, .pattern = "", .n_codes = 4, .codes = sexes};

static void test_text_codes(void **state)
{
    (void)state;
    expect_text(&sex, " 1\t ", "1", HD_MEANING_VALID);
    expect_text(&sex, "1.0", "1", HD_MEANING_VALID);
    expect_text(&sex, "7.0", "7.0", HD_MEANING_INVALID); /* the list does not know 7 */
    expect_text(&sex, "9", "9", HD_MEANING_OTHER);
    expect_text(&sex, "", NULL, HD_MEANING_MISSING);
    expect_text(&sex, "NULL", NULL, HD_MEANING_MISSING);
    expect_text(&sex, "Null", NULL, HD_MEANING_MISSING);
    expect_text(&sex, "null ", NULL, HD_MEANING_MISSING);
    expect_text(&sex, "nULL", "nULL", HD_MEANING_INVALID);
}

/* Trap 7: the code for "not known" changed in 2022-23; a code outside its years is kept and
 * invalid. */
static void test_codes_have_years(void **state)
{
    (void)state;
    assert_int_equal(judge(&sex, 2014, "0").meaning, HD_MEANING_DEFAULT);
    assert_int_equal(judge(&sex, 2023, "0").meaning, HD_MEANING_INVALID);
    assert_false(judge(&sex, 2023, "0").value.is_null);
    assert_int_equal(judge(&sex, 2014, "X").meaning, HD_MEANING_INVALID);
    assert_int_equal(judge(&sex, 2023, "X").meaning, HD_MEANING_DEFAULT);
}

static void test_month_of_birth_keeps_its_zero(void **state)
{
    (void)state;
    static const hd_field mydob = {
        .name = "mydob", .type = HD_TEXT, .pattern = "^(0[1-9]|1[0-2])[0-9]{4}$"};
    expect_text(&mydob, "41968", "041968", HD_MEANING_VALID);
    expect_text(&mydob, "41968.0", "041968", HD_MEANING_VALID);
    expect_text(&mydob, "121968", "121968", HD_MEANING_VALID);
    expect_text(&mydob, "131968", "131968", HD_MEANING_INVALID);
}

static void test_numbers(void **state)
{
    (void)state;
    static const hd_code_entry babies[] = {{"7001", "", HD_MEANING_VALID, 0, 0}};
    static const hd_field age = {.name = "startage",
                                 .type = HD_INTEGER,
                                 .pattern = "",
                                 .has_range = true,
                                 .minimum = 0,
                                 .maximum = 120,
                                 .n_codes = 1,
                                 .codes = babies};
    static const hd_field decimal = {.name = "d", .type = HD_DECIMAL, .pattern = ""};
    assert_int_equal(judge(&age, 0, "54.0").value.integer, 54);
    assert_int_equal(judge(&age, 0, "054").value.integer, 54);
    assert_int_equal(judge(&age, 0, "7001").meaning, HD_MEANING_VALID); /* trap 4: a baby */
    assert_int_equal(judge(&age, 0, "7001.0").value.integer, 7001);
    assert_int_equal(judge(&age, 0, "130").meaning, HD_MEANING_INVALID);
    assert_int_equal(judge(&age, 0, "-3").value.integer, -3);
    assert_int_equal(judge(&age, 0, "-3").meaning, HD_MEANING_INVALID);
    static const char *const misfits[] = {"5.5",  "1e3", "0x10",
                                          "five", "-",   "99999999999999999999"};
    for (size_t i = 0; i < sizeof misfits / sizeof *misfits; i++) {
        hd_judged j = judge(&age, 0, misfits[i]);
        assert_true(j.is_misfit && j.value.is_null && j.meaning == HD_MEANING_INVALID);
    }
    assert_float_equal(judge(&decimal, 0, ".26").value.decimal, 0.26, 0);
    assert_float_equal(judge(&decimal, 0, "33.512328767123286").value.decimal, 33.512328767123286,
                       0);
    assert_true(judge(&decimal, 0, "nan").is_misfit);
    assert_true(judge(&decimal, 0, "inf").is_misfit);
}

/* Trap 2: sentinels are values with a meaning, not NULL. */
static void test_dates(void **state)
{
    (void)state;
    static const hd_code_entry sentinels[] = {{"1800-01-01", "", HD_MEANING_MISSING, 0, 0},
                                              {"1801-01-01", "", HD_MEANING_INVALID, 0, 0},
                                              {"1802-01-01", "", HD_MEANING_MISSING, 0, 0}};
    static const hd_field day = {
        .name = "admidate", .type = HD_DATE, .pattern = "", .n_codes = 3, .codes = sentinels};
    static const char *const same[] = {
        "2008-02-12", "20080212",    "2008/02/12",          "12/02/2008",
        "12FEB2008",  "12-Feb-2008", "2008-02-12 00:00:00", "2008-02-12T10:30:00+01:00",
        "20080212.0"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_int_equal(judge(&day, 0, same[i]).value.integer, hd_date_from_ymd(2008, 2, 12));
    static const char *const none[] = {"2008-02-30", "2008-13-01",      "12/13/2008", "2008-2-1",
                                       "2008",       "2008-02-12 noon", "20080212x",  "99FEB2008"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_true(judge(&day, 0, none[i]).is_misfit);
    assert_int_equal(judge(&day, 0, "1800-01-01").meaning, HD_MEANING_MISSING);
    assert_false(judge(&day, 0, "18000101").value.is_null);
    assert_int_equal(judge(&day, 0, "1801-01-01").meaning, HD_MEANING_INVALID);
    assert_int_equal(judge(&day, 0, "1802-01-01 00:00:00").meaning, HD_MEANING_MISSING);
}

/* Trap 3: 3000 and 4000 are no times. */
static void test_clock_times(void **state)
{
    (void)state;
    assert_int_equal(hd_clock_minutes("0652", 4), 412);
    assert_int_equal(hd_clock_minutes("06:52:10", 8), 412);
    assert_int_equal(hd_clock_minutes("2359", 4), 1439);
    assert_int_equal(hd_clock_minutes("2400", 4), -1);
    assert_int_equal(hd_clock_minutes("3000", 4), -1);
    assert_int_equal(hd_clock_minutes("4000", 4), -1);
    assert_int_equal(hd_clock_minutes("0660", 4), -1);
}

/* Trap 1: keys are texts; the same key in two notations is one key, different ones stay different.
 */
static void test_ids(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *id;
    } cases[] = {{" 0012 ", "12"},
                 {"309295853444.0", "309295853444"},
                 {"9223372036854775808", "9223372036854775808"},
                 {"18446744073709551617", "18446744073709551617"},
                 {"943 476 5919", "9434765919"},
                 {"943-476-5919", "9434765919"},
                 {"00", "0"},
                 {"ab0C", "ab0C"},
                 {"-1", "-1"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *p = cases[i].raw;
        size_t len = strlen(p);
        char scratch[10];
        assert_true(hd_normal_id(&p, &len, scratch));
        assert_int_equal(len, strlen(cases[i].id));
        assert_memory_equal(p, cases[i].id, len);
    }
    const char *p = "NULL";
    size_t len = 4;
    char scratch[10];
    assert_false(hd_normal_id(&p, &len, scratch));
}

/* ---- identifiers ---------------------------------------------------------------------------- */

static unsigned shape(const char *text)
{
    return hd_identifier_shape(text, strlen(text), 2014);
}

static void test_identifier_shapes(void **state)
{
    (void)state;
    unsigned nhs = HD_SHAPE_TEN_DIGITS | HD_SHAPE_NHS_NUMBER;
    assert_int_equal(shape("9434765919"), nhs); /* the standard's example number */
    assert_int_equal(shape("943 476 5919"), nhs);
    assert_int_equal(shape("seen 9434765919 today"), nhs);
    assert_int_equal(shape("9434765918"), HD_SHAPE_TEN_DIGITS);
    assert_int_equal(shape("94347659190"), 0);
    static const char *const postcodes[] = {"SW1A 1AA", "m1 1ae",  "B338TH",
                                            "CR2 6XH",  "DN551PT", "W1A 0AX"};
    for (size_t i = 0; i < sizeof postcodes / sizeof *postcodes; i++)
        assert_int_equal(shape(postcodes[i]), HD_SHAPE_POSTCODE | HD_SHAPE_REAL_POSTCODE);
    static const char *const others[] = {"E01031043", "RGP75",  "M84031",    "AA22A",
                                         "R182",      "5QG00",  "A1B2C",     "F321",
                                         "19712007",  "041968", "X99999999", "-"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(shape(others[i]), 0);
    assert_int_equal(shape("Y07BC"), HD_SHAPE_POSTCODE); /* a commissioner */
    assert_int_equal(shape("1950-03-04"), HD_SHAPE_DATE | HD_SHAPE_OLD_DATE);
    assert_int_equal(shape("2014-03-04"), HD_SHAPE_DATE);
    assert_int_equal(shape("1800-01-01"), 0);
}

/* Columns of random 10-digit keys must pass, columns of NHS numbers must not. */
static void test_identifier_verdicts(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (uint64_t round = 0; round < 200; round++) {
        hd_rng r = hd_rng_stream(3, round);
        hd_identifier_counts random = {0}, real = {0};
        for (int i = 0; i < 500; i++) {
            char text[16];
            snprintf(text, sizeof text, "%010u",
                     (unsigned)(1000000000u + hd_rng_below(&r, 3000000000u)));
            hd_identifier_note(&random, shape(text));
            if (hd_nhs_number_ok(text) || i % 3 == 0) /* numbers among other text */
                hd_identifier_note(&real, hd_nhs_number_ok(text) ? shape(text) : shape("n/a"));
        }
        wrong += hd_identifier_verdict(&random, false) != 0;
        assert_int_equal(hd_identifier_verdict(&real, false), HD_SHAPE_NHS_NUMBER);
    }
    assert_int_equal(wrong, 0);
    hd_identifier_counts births = {0}, activity = {0}, two = {0};
    for (int i = 0; i < 100; i++) {
        char text[16];
        snprintf(text, sizeof text, "%04d-06-15", 1930 + i * 80 / 100);
        hd_identifier_note(&births, shape(text));
        snprintf(text, sizeof text, "2014-%02d-%02d", 1 + i % 12, 1 + i % 28);
        hd_identifier_note(&activity, shape(text));
    }
    assert_int_equal(hd_identifier_verdict(&births, false), HD_SHAPE_OLD_DATE);
    assert_int_equal(hd_identifier_verdict(&births, true), 0);
    assert_int_equal(hd_identifier_verdict(&activity, false), 0);
    hd_identifier_note(&two, shape("9434765919"));
    hd_identifier_note(&two, shape("9434765870"));
    assert_int_equal(hd_identifier_verdict(&two, false), 0);
}

/* ---- years, report -------------------------------------------------------------------------- */

static void test_years(void **state)
{
    (void)state;
    assert_int_equal(hd_part_year_of_name("NIC000000_HES_APC_201499.txt"), 201499);
    assert_int_equal(hd_part_year_of_name("NIC_HES_APC_201406.txt.gz"), 201406);
    assert_int_equal(hd_part_year_of_name("FILE_201414.txt"), 0);
    assert_int_equal(hd_part_year_of_name("artificial_hes_apc_0102.csv"), 0);
    assert_int_equal(hd_part_year_read("201499.0", 8), 201499);
    assert_int_equal(hd_part_year_read("2014", 4), 0);
}

static void test_small_numbers_are_hidden(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        const char *shown;
    } counts[] = {{0, "0"}, {1, "*"}, {7, "*"}, {8, "10"}, {12, "10"}, {13, "15"}, {1003, "1005"}};
    hd_buf b;
    hd_buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        hd_buf_clear(&b);
        hd_quality_small(&b, counts[i].n);
        assert_string_equal(b.data, counts[i].shown);
    }
    static const struct {
        uint64_t part, whole;
        const char *shown;
    } shares[] = {{0, 0, "-"},       {3, 100, "*"},       {97, 100, "*"}, {5, 5, "*"},
                  {50, 100, "50.0"}, {100, 100, "100.0"}, {0, 100, "0.0"}};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        hd_buf_clear(&b);
        hd_quality_small_share(&b, shares[i].part, shares[i].whole);
        assert_string_equal(b.data, shares[i].shown);
    }
    hd_buf_free(&b);
}

static void test_opt_outs(void **state)
{
    (void)state;
    static const char *const files[] = {"9434765919\nABC\n", "id,why\n943 476 5919,x\nABC,y\n",
                                        "\xEF\xBB\xBFID\r\n9434765919.0\r\n\r\n ABC \r\n"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        hd_intern *ids;
        write_text(files[i]);
        assert_int_equal(hd_opt_outs_read(&ids, path, &err), HD_OK);
        assert_int_equal(hd_intern_count(ids), 2);
        assert_int_not_equal(hd_intern_find(ids, "9434765919", 10), HD_INTERN_NONE);
        assert_int_not_equal(hd_intern_find(ids, "ABC", 3), HD_INTERN_NONE);
        hd_intern_free(ids);
        unlink(path);
    }
    hd_intern *ids;
    write_text("id\n");
    assert_int_equal(hd_opt_outs_read(&ids, path, &err), HD_FORMAT);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_dialects),
        cmocka_unit_test(test_every_chunk_border),
        cmocka_unit_test(test_rows_and_defects),
        cmocka_unit_test(test_zero_byte_is_a_defect),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_refused_files),
        cmocka_unit_test(test_cut_packed_files),
        cmocka_unit_test(test_parquet),
        cmocka_unit_test(test_text_codes),
        cmocka_unit_test(test_codes_have_years),
        cmocka_unit_test(test_month_of_birth_keeps_its_zero),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_clock_times),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_identifier_shapes),
        cmocka_unit_test(test_identifier_verdicts),
        cmocka_unit_test(test_years),
        cmocka_unit_test(test_small_numbers_are_hidden),
        cmocka_unit_test(test_opt_outs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
