/* seed_vault.c - writes the first corpus of fuzz_vault into a folder: table files of many shapes,
 * unsealed as in fuzz_vault.c. Usage: seed_vault FOLDER. Run by hand when the format changes. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/rng.h"
#include "vault/vault.h"

static const hd_column_spec specs[] = {
    {"text", HD_COLUMN_CODES, HD_TEXT},       {"number", HD_COLUMN_CODES, HD_INTEGER},
    {"decimal", HD_COLUMN_CODES, HD_DECIMAL}, {"day", HD_COLUMN_CODES, HD_DATE},
    {"flag", HD_COLUMN_CODES, HD_BOOLEAN},    {"list", HD_COLUMN_LIST, HD_TEXT},
    {"numbers", HD_COLUMN_LIST, HD_INTEGER},  {"key", HD_COLUMN_KEY, HD_TEXT},
};
enum { N_SPECS = sizeof specs / sizeof *specs, MAX_ROWS = 1000 };

/* Which columns, how many rows, how many different values. */
static const struct shape {
    const char *name;
    unsigned columns; /* bits */
    uint32_t rows, values;
} shapes[] = {
    {"no_rows", 0xff, 0, 1}, {"no_columns", 0, 20, 1},  {"one_row", 0xff, 1, 1},
    {"texts", 0x01, 30, 9},  {"numbers", 0x02, 40, 30}, {"decimals", 0x04, 20, 20},
    {"days", 0x18, 30, 5},   {"lists", 0x60, 30, 8},    {"keys", 0x80, 12, 1},
    {"all", 0xff, 60, 10},   {"wide", 0x42, 700, 600},  {"packed", 0x29, 1000, 3},
};

static hd_code fill(hd_builder *b, const struct shape *s, size_t n, hd_err *err)
{
    static uint32_t codes[N_SPECS][4 * MAX_ROWS], counts[MAX_ROWS], persons[MAX_ROWS];
    static int64_t order[MAX_ROWS];
    static uint64_t keys[MAX_ROWS];
    static hd_rows_column in[N_SPECS];
    size_t c = 0;
    for (size_t k = 0; k < N_SPECS; k++) {
        if (!(s->columns >> k & 1))
            continue;
        hd_rng r = hd_rng_stream(k, s->rows);
        uint32_t at = 0;
        for (uint32_t i = 0; i < s->rows; i++) {
            persons[i] = i / 4;
            keys[i] = hd_rng_next(&r);
            counts[i] = i % 4;
            uint32_t items = specs[k].kind == HD_COLUMN_LIST  ? counts[i]
                             : specs[k].kind == HD_COLUMN_KEY ? 0
                                                              : 1;
            while (items-- > 0) {
                uint32_t x = hd_rng_below(&r, s->values + 1);
                char text[16];
                hd_value v = {.type = specs[k].type, .is_null = x == 0 && items > 0};
                if (v.type == HD_TEXT) {
                    v.text.len = (size_t)snprintf(text, sizeof text, "E%03u", x);
                    v.text.bytes = text;
                } else if (v.type == HD_DECIMAL) {
                    v.decimal = x / 3.0;
                } else {
                    v.integer = v.type == HD_BOOLEAN ? x % 2 : x;
                }
                HD_TRY(hd_builder_code(b, c, &v, &codes[c][at++], err));
            }
        }
        in[c] = (hd_rows_column){codes[c], counts, keys};
        c++;
    }
    HD_ALWAYS(c == n);
    hd_rows rows = {s->rows, persons, order, in};
    return hd_builder_append(b, &rows, err);
}

/* The only table file of the vault, to FOLDER/NAME. */
static hd_code copy_out(const char *vault, const char *folder, const char *name, hd_err *err)
{
    char path[512];
    snprintf(path, sizeof path, "%s/tables", vault);
    DIR *d = opendir(path);
    hd_code rc = HD_NOTFOUND;
    for (struct dirent *e; d && (e = readdir(d));) {
        char *bytes;
        size_t len;
        if (!strstr(e->d_name, ".hdt"))
            continue;
        snprintf(path, sizeof path, "%s/tables/%s", vault, e->d_name);
        HD_TRY(hd_io_read_file(path, 1 << 20, &bytes, &len, err));
        snprintf(path, sizeof path, "%s/%s", folder, name);
        rc = hd_io_write_file(path, bytes, len, 0644, err);
        hd_free(bytes);
    }
    if (d)
        closedir(d);
    return rc;
}

static hd_code write_shape(const struct shape *s, const char *folder, hd_err *err)
{
    char root[] = "/tmp/hdis-seed-XXXXXX", vault[64], key_file[64], command[64];
    hd_column_spec chosen[N_SPECS];
    size_t n = 0;
    hd_vault *v = NULL;
    hd_builder *b = NULL;
    hd_publish *p = NULL;
    hd_code rc = HD_OK;
    for (size_t k = 0; k < N_SPECS; k++)
        if (s->columns >> k & 1)
            chosen[n++] = specs[k];
    HD_ALWAYS(mkdtemp(root));
    snprintf(vault, sizeof vault, "%s/vault", root);
    snprintf(key_file, sizeof key_file, "%s/key", root);
    HD_GO(hd_vault_create(vault, key_file, err));
    HD_GO(hd_vault_open(&v, vault, key_file, true, err));
    HD_GO(hd_builder_new(&b, v, "seed", chosen, n, err));
    HD_GO(fill(b, s, n, err));
    HD_GO(hd_publish_begin(&p, v, err));
    HD_GO(hd_publish_table(p, b, err));
    HD_GO(hd_publish_commit(p, "seed", err));
    HD_GO(copy_out(vault, folder, s->name, err));
out:
    hd_publish_free(p);
    hd_builder_free(b);
    hd_vault_close(v);
    snprintf(command, sizeof command, "rm -rf %s", root);
    HD_ALWAYS(system(command) == 0);
    return rc;
}

int main(int argc, char **argv)
{
    hd_err err;
    for (size_t i = 0; argc == 2 && i < sizeof shapes / sizeof *shapes; i++)
        if (write_shape(&shapes[i], argv[1], &err) != HD_OK) {
            fprintf(stderr, "seed_vault: %s: %s\n", shapes[i].name, err.text);
            return 1;
        }
    return argc == 2 ? 0 : 2;
}
