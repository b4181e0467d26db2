/* test_format.c - a frozen vault must read as it did when it was written (README.md here).
 * Usage: test_format FOLDER, or test_format --write FOLDER to make a new one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "vault/vault.h"

enum { MAX_TEXT = 1 << 20, SHOWN_ROWS = 40 };

/* ---- writing -------------------------------------------------------------------------------- */

/* Every kind, type and width; values at the edges of their types. */
enum { TEXT, NUMBER, DECIMAL, DAY, FLAG, LIST, NUMBERS, KEY, EMPTY, N_COLUMNS };
static const hd_column_spec columns[N_COLUMNS] = {
    [TEXT] = {"text", HD_COLUMN_CODES, HD_TEXT},
    [NUMBER] = {"number", HD_COLUMN_CODES, HD_INTEGER},
    [DECIMAL] = {"decimal", HD_COLUMN_CODES, HD_DECIMAL},
    [DAY] = {"day", HD_COLUMN_CODES, HD_DATE},
    [FLAG] = {"flag", HD_COLUMN_CODES, HD_BOOLEAN},
    [LIST] = {"list", HD_COLUMN_LIST, HD_TEXT},
    [NUMBERS] = {"numbers", HD_COLUMN_LIST, HD_INTEGER},
    [KEY] = {"key", HD_COLUMN_KEY, HD_TEXT},
    [EMPTY] = {"empty", HD_COLUMN_CODES, HD_TEXT},
};

static hd_value value_of(uint32_t row, size_t column)
{
    static const char *const texts[] = {"", "a", "A", "a b", "\xC3\xA9t\xC3\xA9", "\x01\xFF", "zz"};
    static const int64_t numbers[] = {INT64_MIN, -1, 0, 1, 7001, INT64_MAX, 42};
    static const double decimals[] = {-1e308, -0.1, 0, 0x1p-1074, 0.1, 1e308, 3};
    uint32_t k = (row * 5 + (uint32_t)column) % 8;
    hd_value v = {.type = columns[column].type, .is_null = k == 7 || column == EMPTY};
    if (v.is_null)
        return v;
    if (v.type == HD_TEXT) {
        v.text.bytes = texts[k];
        v.text.len = strlen(texts[k]);
    } else if (v.type == HD_DECIMAL) {
        v.decimal = decimals[k];
    } else {
        v.integer = v.type == HD_BOOLEAN ? k % 2 : v.type == HD_DATE ? 16000 + k : numbers[k];
    }
    return v;
}

static hd_code append_all_kinds(hd_builder *b, hd_err *err)
{
    enum { ROWS = 30 };
    static uint32_t codes[N_COLUMNS][4 * ROWS], counts[ROWS], persons[ROWS];
    static int64_t order[ROWS];
    static uint64_t keys[ROWS];
    hd_rows_column in[N_COLUMNS];
    for (size_t c = 0; c < N_COLUMNS; c++) {
        uint32_t at = 0;
        for (uint32_t i = 0; i < ROWS; i++) {
            persons[i] = i * 7 % 10;
            order[i] = -(int64_t)i;
            keys[i] = i * UINT64_C(0x123456789ABCDEF);
            counts[i] = i % 4;
            uint32_t items = columns[c].kind == HD_COLUMN_LIST ? counts[i] : 1;
            for (uint32_t e = 0; e < items && columns[c].kind != HD_COLUMN_KEY; e++) {
                hd_value v = value_of(i + 3 * e, c);
                v.is_null = v.is_null && (columns[c].kind != HD_COLUMN_LIST || e + 1 < items);
                if (columns[c].type == HD_TEXT && !v.is_null && !v.text.bytes)
                    v.text.bytes = "";
                HD_TRY(hd_builder_code(b, c, &v, &codes[c][at++], err));
            }
        }
        in[c] = (hd_rows_column){codes[c], counts, keys};
    }
    hd_rows rows = {ROWS, persons, order, in};
    return hd_builder_append(b, &rows, err);
}

/* More than one block, and two and four bytes a code. */
static const hd_column_spec long_columns[] = {{"two_bytes", HD_COLUMN_CODES, HD_INTEGER},
                                              {"four_bytes", HD_COLUMN_CODES, HD_INTEGER},
                                              {"list", HD_COLUMN_LIST, HD_INTEGER}};

static hd_code append_long(hd_builder *b, hd_err *err)
{
    static uint32_t codes[3][HD_BLOCK_ROWS], counts[HD_BLOCK_ROWS], persons[HD_BLOCK_ROWS];
    static int64_t order[HD_BLOCK_ROWS];
    for (uint32_t first = 0; first <= HD_BLOCK_ROWS; first += HD_BLOCK_ROWS) {
        uint32_t n = first == 0 ? HD_BLOCK_ROWS : 1000, elements = 0;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t row = first + i;
            hd_value two = {.type = HD_INTEGER, .integer = row / 200};
            hd_value four = {.type = HD_INTEGER, .integer = row};
            persons[i] = row / 1000;
            counts[i] = row % 500 == 0;
            HD_TRY(hd_builder_code(b, 0, &two, &codes[0][i], err));
            HD_TRY(hd_builder_code(b, 1, &four, &codes[1][i], err));
            if (counts[i])
                HD_TRY(hd_builder_code(b, 2, &two, &codes[2][elements++], err));
        }
        hd_rows_column in[3] = {
            {.codes = codes[0]}, {.codes = codes[1]}, {.codes = codes[2], .counts = counts}};
        hd_rows rows = {n, persons, order, in};
        HD_TRY(hd_builder_append(b, &rows, err));
    }
    return HD_OK;
}

static hd_code publish(hd_vault *v, hd_publish *p, const char *table, const hd_column_spec *specs,
                       size_t n, hd_code (*append)(hd_builder *, hd_err *), hd_err *err)
{
    hd_builder *b = NULL;
    hd_code rc;
    HD_GO(hd_builder_new(&b, v, table, specs, n, err));
    HD_GO(append(b, err));
    HD_GO(hd_publish_table(p, b, err));
out:
    hd_builder_free(b);
    return rc;
}

static hd_code append_nothing(hd_builder *b, hd_err *err)
{
    (void)b, (void)err;
    return HD_OK;
}

static hd_code write_vault(const char *vault, const char *key_file, hd_err *err)
{
    hd_vault *v = NULL;
    hd_publish *p = NULL;
    hd_persons *people = NULL;
    hd_code rc;
    HD_GO(hd_vault_create(vault, key_file, err));
    HD_GO(hd_vault_open(&v, vault, key_file, true, err));
    HD_GO(hd_publish_begin(&p, v, err));
    HD_GO(hd_persons_open(&people, v, err));
    for (uint32_t i = 1; i <= 10; i++) {
        uint8_t pseudonym[16];
        uint32_t number;
        hd_vault_pseudonym(v, &i, sizeof i, pseudonym);
        HD_GO(hd_persons_number(people, pseudonym, &number, err));
    }
    HD_GO(hd_publish_persons(p, people, err));
    HD_GO(publish(v, p, "all_kinds", columns, N_COLUMNS, append_all_kinds, err));
    HD_GO(publish(v, p, "long", long_columns, 3, append_long, err));
    HD_GO(publish(v, p, "no_rows", columns, N_COLUMNS, append_nothing, err));
    HD_GO(hd_publish_extract(p,
                             &(hd_extract){.table = "all_kinds",
                                           .data_year = 2014,
                                           .part_year = 201499,
                                           .rows_read = 31,
                                           .rows_kept = 30,
                                           .rows_rejected = 1},
                             err));
    HD_GO(hd_publish_commit(p, "frozen", err));
out:
    hd_persons_free(people);
    hd_publish_free(p);
    hd_vault_close(v);
    return rc;
}

/* ---- reading -------------------------------------------------------------------------------- */

static void print_value(hd_buf *out, const hd_value *v)
{
    if (v->is_null)
        hd_buf_str(out, "NULL");
    else if (v->type == HD_DECIMAL)
        hd_buf_printf(out, "%.17g", v->decimal);
    else if (v->type != HD_TEXT)
        hd_buf_printf(out, "%" PRId64, v->integer);
    for (size_t i = 0; !v->is_null && v->type == HD_TEXT && i <= v->text.len; i++)
        i == v->text.len ? hd_buf_char(out, '.')
                         : hd_buf_printf(out, "%02x", (uint8_t)v->text.bytes[i]);
}

/* A column on one line: the first rows, then a digest of all of it as text. */
static hd_code print_column(hd_table *t, size_t c, hd_buf *out, hd_err *err)
{
    const hd_column *column;
    const hd_dictionary *d = hd_table_dictionary(t, c);
    const hd_column_spec *spec = hd_table_column_spec(t, c);
    hd_buf all;
    HD_TRY(hd_table_load(t, c, &column, err));
    hd_buf_init(&all, 16 * MAX_TEXT);
    size_t shown = 0;
    for (uint64_t row = 0; row < hd_table_rows(t); row++) {
        uint64_t from = column->starts ? column->starts[row] : row;
        uint64_t to = column->starts ? column->starts[row + 1] : row + 1;
        hd_buf_char(&all, ' ');
        for (uint64_t i = from; i < to; i++) {
            hd_value v = {.is_null = true};
            hd_buf_str(&all, i > from ? "," : "");
            if (d)
                v = hd_dictionary_value(d, hd_code_at(column, i));
            if (d)
                print_value(&all, &v);
            else
                hd_buf_printf(&all, "%016" PRIx64, ((const uint64_t *)column->data)[i]);
        }
        if (row < SHOWN_ROWS)
            shown = all.len;
    }
    uint8_t digest[HD_DIGEST];
    char hex[17];
    hd_digest_of(all.data, all.len, digest);
    hd_hex(hex, digest, 8);
    hd_buf_printf(out, "%s.%s %s width %u:%.*s; all %s\n", hd_table_name(t), spec->name,
                  spec->kind == HD_COLUMN_KEY ? "key" : hd_type_name(spec->type), column->width,
                  (int)shown, all.data, hex);
    hd_code rc = hd_buf_check(&all, err);
    hd_buf_free(&all);
    return rc;
}

static hd_code print_table(hd_vault *v, const char *name, hd_buf *out, hd_err *err)
{
    hd_table *t;
    const uint32_t *persons;
    HD_TRY(hd_vault_table(v, name, &t, err));
    HD_TRY(hd_table_persons(t, &persons, err));
    hd_buf_printf(out, "%s rows %" PRIu64 " persons:", name, hd_table_rows(t));
    for (uint64_t i = 0; i < hd_table_rows(t) && i < SHOWN_ROWS; i++)
        hd_buf_printf(out, " %u", persons[i]);
    hd_buf_char(out, '\n');
    for (size_t c = 0; c < hd_table_n_columns(t); c++)
        HD_TRY(print_column(t, c, out, err));
    return HD_OK;
}

static hd_code print_vault(const char *vault, const char *key_file, hd_buf *out, hd_err *err)
{
    hd_vault *v = NULL;
    hd_persons *people = NULL;
    hd_table_info *tables = NULL;
    hd_extract *extracts = NULL;
    size_t n_tables, n_extracts;
    hd_code rc;
    HD_GO(hd_vault_open(&v, vault, key_file, false, err));
    HD_GO(hd_vault_verify(v, err));
    HD_GO(hd_vault_tables(v, &tables, &n_tables, err));
    HD_GO(hd_vault_extracts(v, &extracts, &n_extracts, err));
    HD_GO(hd_persons_open(&people, v, err));
    hd_buf_printf(out, "data version %" PRIu64 "\npersons:", hd_vault_data_version(v));
    for (uint32_t i = 0; i <= 11; i++) {
        uint8_t pseudonym[16];
        hd_vault_pseudonym(v, &i, sizeof i, pseudonym);
        hd_buf_printf(out, " %u", hd_persons_find(people, pseudonym));
    }
    hd_buf_printf(out, "\nkey hash %016" PRIx64 "\n", hd_vault_key_hash(v, "row", 3));
    for (size_t i = 0; i < n_extracts; i++)
        hd_buf_printf(out, "extract %s %d %d %" PRIu64 " %s\n", extracts[i].table,
                      extracts[i].data_year, extracts[i].part_year, extracts[i].rows_kept,
                      extracts[i].loaded_at);
    for (size_t i = 0; i < n_tables; i++)
        HD_GO(print_table(v, tables[i].table, out, err));
    HD_GO(hd_buf_check(out, err));
out:
    hd_free(tables);
    hd_free(extracts);
    hd_persons_free(people);
    hd_vault_close(v);
    return rc;
}

static hd_code write_frozen(const char *folder, hd_err *err)
{
    char vault[512], key_file[512], path[512];
    hd_buf text;
    hd_buf_init(&text, MAX_TEXT);
    snprintf(vault, sizeof vault, "%s/vault", folder);
    snprintf(key_file, sizeof key_file, "%s/test-only.key", folder);
    snprintf(path, sizeof path, "%s/expected.txt", folder);
    hd_code rc;
    HD_GO(hd_io_make_dir(folder, err));
    HD_GO(write_vault(vault, key_file, err));
    HD_GO(print_vault(vault, key_file, &text, err));
    HD_GO(hd_io_write_file(path, text.data, text.len, 0644, err));
out:
    hd_buf_free(&text);
    return rc;
}

/* On a copy: opening brings SQLite's files with it, and git keeps no file modes. */
static hd_code check_frozen(const char *folder, hd_err *err)
{
    char root[] = "/tmp/hdis-format-XXXXXX", command[1200], vault[64], key_file[64], path[512];
    char *expected = NULL;
    size_t len;
    hd_buf text;
    hd_buf_init(&text, MAX_TEXT);
    HD_ALWAYS(mkdtemp(root));
    snprintf(command, sizeof command, "cp -R %s/. %s && chmod 600 %s/test-only.key", folder, root,
             root);
    HD_ALWAYS(system(command) == 0);
    snprintf(vault, sizeof vault, "%s/vault", root);
    snprintf(key_file, sizeof key_file, "%s/test-only.key", root);
    snprintf(path, sizeof path, "%s/expected.txt", folder);
    hd_code rc;
    HD_GO(print_vault(vault, key_file, &text, err));
    HD_GO(hd_io_read_file(path, MAX_TEXT, &expected, &len, err));
    if (len != text.len || memcmp(expected, text.data, len) != 0) {
        fputs(text.data, stdout);
        rc = hd_fail(err, HD_FORMAT, "the frozen vault %s reads differently", folder);
    }
out:
    snprintf(command, sizeof command, "rm -rf %s", root);
    HD_ALWAYS(system(command) == 0);
    hd_buf_free(&text);
    hd_free(expected);
    return rc;
}

int main(int argc, char **argv)
{
    hd_err err;
    hd_code rc = HD_INVALID;
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        rc = write_frozen(argv[2], &err);
    else if (argc == 2)
        rc = check_frozen(argv[1], &err);
    else
        snprintf(err.text, sizeof err.text, "usage: test_format [--write] FOLDER");
    if (rc != HD_OK)
        fprintf(stderr, "test_format: %s\n", err.text);
    return rc != HD_OK;
}
