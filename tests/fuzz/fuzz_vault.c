/* fuzz_vault.c - any bytes as a table file of which every seal opens: whatever the directory,
 * blocks and dictionaries say, the reader refuses it or hands out columns that keep the promises of
 * vault.h.
 *
 * This program compiles its own crypto/seal.c with HD_FUZZ, which copies instead of deciphering, so
 * that the input reaches the parsers behind the seal. The header's fixed fields and the position of
 * the directory are put right first; otherwise hardly an input would come as far. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "crypto/secret.h"
#include "vault/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Larger columns are refused or loaded all the same; here they would only cost time. */
enum { MAX_FILE = 1 << 20, MAX_ITEMS = 1 << 22 };

static void repair_header(uint8_t *file, size_t size)
{
    static const uint8_t fixed[16] = {0x89, 'H', 'D', 'I', 'S', 'T', '\r', '\n',
                                      1,    0,   0,   0,   0,   0,   1,    0};
    uint64_t at, room = size - HD_HEADER_LEN - HD_SEAL_TAG;
    memcpy(&at, file + 48, sizeof at);
    at = at < HD_HEADER_LEN || at > HD_HEADER_LEN + room ? HD_HEADER_LEN + at % (room + 1) : at;
    uint64_t len = size - at;
    memcpy(file, fixed, sizeof fixed);
    memset(file + 44, 0, 4);
    memcpy(file + 48, &at, sizeof at);
    memcpy(file + 56, &len, sizeof len);
}

static void check_dictionary(const hd_dictionary *d)
{
    uint32_t n = d->n_codes < 1000 ? d->n_codes : 1000;
    for (uint32_t code = 1; code < n; code++) {
        hd_value v = hd_dictionary_value(d, code);
        HD_ALWAYS(hd_dictionary_find(d, &v) == code);
    }
    HD_ALWAYS(hd_dictionary_value(d, 0).is_null);
}

static void check_column(hd_table *t, size_t c, bool is_whole)
{
    const hd_dictionary *d = hd_table_dictionary(t, c);
    const hd_column *column;
    hd_err err;
    if (t->directory.columns[c + 1].n_items > MAX_ITEMS)
        return;
    hd_code rc = hd_table_load(t, c, &column, &err);
    HD_ALWAYS(!is_whole || rc == HD_OK);
    if (rc != HD_OK)
        return;
    for (uint64_t i = 0; d && i < column->n_items; i++)
        HD_ALWAYS(hd_code_at(column, i) < d->n_codes);
    uint64_t rows = hd_table_rows(t);
    HD_ALWAYS(column->starts || column->n_items == rows);
    for (uint64_t i = 0; column->starts && i < rows; i++)
        HD_ALWAYS(column->starts[i] <= column->starts[i + 1]);
    HD_ALWAYS(!column->starts ||
              (column->starts[0] == 0 && column->starts[rows] == column->n_items));
    hd_table_unload(t, c);
}

/* Where persons begin is made without them, and must say the same. */
static void check_begins(hd_table *t, const uint32_t *persons)
{
    hd_err err;
    hd_feed *f;
    const hd_feed_wish wish = {.begins = true};
    if (hd_feed_open(&f, t, &wish, &err) != HD_OK)
        return;
    const uint64_t *begins = hd_feed_begins(f), rows = hd_table_rows(t);
    for (uint32_t b = 0; b < hd_table_n_blocks(t); b++) {
        bool is_there = hd_feed_enter(f, b, &err) == HD_OK;
        HD_ALWAYS(is_there || !persons);
        for (uint64_t i = (uint64_t)b * HD_BLOCK_ROWS; is_there && persons && i < rows; i++)
            HD_ALWAYS((begins[i / 64] >> i % 64 & 1) == (persons[i] != (i ? persons[i - 1] : 0)) ||
                      i >= (uint64_t)(b + 1) * HD_BLOCK_ROWS);
        if (is_there)
            hd_feed_leave(f, b);
    }
    hd_feed_close(f);
}

static void use_table(hd_table *t)
{
    hd_err err;
    const uint32_t *persons = NULL;
    uint64_t rows = hd_table_rows(t);
    bool is_whole = false;
    for (size_t c = 0; c < hd_table_n_columns(t); c++)
        if (hd_table_dictionary(t, c))
            check_dictionary(hd_table_dictionary(t, c));
    if (rows > MAX_ITEMS)
        return;
    uint64_t items = 0;
    for (uint32_t c = 0; c < t->directory.n_columns; c++)
        items += t->directory.columns[c].n_items;
    if (items < 4 * (uint64_t)MAX_ITEMS)
        is_whole = hd_table_verify(t, &err) == HD_OK;
    if (hd_table_persons(t, &persons, &err) == HD_OK)
        for (uint64_t i = 1; i < rows; i++)
            HD_ALWAYS(persons[i - 1] <= persons[i]);
    else
        HD_ALWAYS(!is_whole);
    check_begins(t, persons);
    for (size_t c = 0; c < hd_table_n_columns(t); c++)
        check_column(t, c, is_whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[MAX_FILE];
    static const uint8_t key[HD_SEAL_KEY];
    hd_err err;
    if (size < HD_HEADER_LEN + HD_SEAL_TAG || size > sizeof file)
        return 0;
    HD_ALWAYS(hd_crypto_start(&err) == HD_OK);
    memcpy(file, data, size);
    repair_header(file, size);
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    HD_ALWAYS(fd >= 0 && write(fd, file, size) == (ssize_t)size);
    hd_table *t;
    if (hd_table_open(&t, fd, "fuzz", file + 16, key, &err) == HD_OK)
        use_table(t);
    else
        HD_ALWAYS(err.text[0] != '\0' && !strchr(err.text, '\n'));
    hd_table_close(t);
    close(fd);
    return 0;
}
