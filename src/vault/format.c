/* format.c - see format.h. Pure functions on bytes, fuzzed through the reader. */
#include "vault/format.h"
#include "base/alloc.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "columns are stored little-endian and used as they are read");

static const uint8_t magic[8] = {0x89, 'H', 'D', 'I', 'S', 'T', '\r', '\n'};

/* ---- numbers in bytes ----------------------------------------------------------------------- */

static void put32(uint8_t *p, uint32_t x)
{
    memcpy(p, &x, sizeof x);
}

static void put64(uint8_t *p, uint64_t x)
{
    memcpy(p, &x, sizeof x);
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* ---- header --------------------------------------------------------------------------------- */

void hd_header_encode(const hd_file_header *h, uint8_t out[HD_HEADER_LEN])
{
    memset(out, 0, HD_HEADER_LEN);
    memcpy(out, magic, sizeof magic);
    put32(out + 8, HD_FILE_VERSION);
    put32(out + 12, HD_BLOCK_ROWS);
    memcpy(out + 16, h->asset_id, 16);
    put64(out + 32, h->rows);
    put32(out + 40, h->n_columns);
    put64(out + 48, h->directory_at);
    put64(out + 56, h->directory_len);
}

hd_code hd_header_decode(hd_file_header *out, const uint8_t in[HD_HEADER_LEN], uint64_t file_len,
                         const char *name, hd_err *err)
{
    if (memcmp(in, magic, sizeof magic) != 0)
        return hd_fail(err, HD_FORMAT, "%s is not a table file of hdis: restore it from a copy",
                       name);
    out->version = get32(in + 8);
    if (out->version < HD_OLDEST_FILE_VERSION || out->version > HD_FILE_VERSION)
        return hd_fail(err, HD_FORMAT,
                       "%s has format version %u, this hdis reads versions %d to %d: use a newer "
                       "hdis",
                       name, out->version, HD_OLDEST_FILE_VERSION, HD_FILE_VERSION);
    memcpy(out->asset_id, in + 16, 16);
    out->rows = get64(in + 32);
    out->n_columns = get32(in + 40);
    out->directory_at = get64(in + 48);
    out->directory_len = get64(in + 56);
    if (get32(in + 12) != HD_BLOCK_ROWS || get32(in + 44) != 0 || out->rows > HD_MAX_ROWS ||
        out->n_columns < 1 || out->n_columns > HD_MAX_COLUMNS ||
        out->directory_at < HD_HEADER_LEN || out->directory_at > file_len ||
        out->directory_len != file_len - out->directory_at || out->directory_len < 16)
        return hd_fail(err, HD_FORMAT, "%s is damaged or cut short: restore it from a copy", name);
    return HD_OK;
}

void hd_part_nonce(uint32_t column, hd_part_kind part, uint32_t block, uint8_t out[12])
{
    put32(out, column);
    put32(out + 4, part);
    put32(out + 8, block);
}

void hd_part_aad(const uint8_t asset_id[16], uint32_t column, hd_part_kind part, uint32_t block,
                 uint32_t rows, uint32_t items, uint8_t out[HD_PART_AAD])
{
    memcpy(out, asset_id, 16);
    put32(out + 16, column);
    put32(out + 20, part);
    put32(out + 24, block);
    put32(out + 28, rows);
    put32(out + 32, items);
}

/* ---- directory ------------------------------------------------------------------------------ */

enum {
    PART_LEN = 17,
    BLOCK_LEN = 12 + PART_LEN,
    COLUMN_FIXED_LEN = 1 + 1 + 1 + 1 + 4 + 8 + 17 + 8
};

hd_code hd_directory_new(hd_directory *out, uint64_t rows, uint32_t n_columns, hd_err *err)
{
    *out = (hd_directory){.rows = rows, .n_blocks = hd_blocks_of(rows), .n_columns = n_columns};
    out->columns = hd_calloc(n_columns, sizeof *out->columns);
    out->blocks_ = hd_calloc((size_t)n_columns * out->n_blocks, sizeof *out->blocks_);
    if (!out->columns || !out->blocks_) {
        hd_directory_free(out);
        return hd_fail_nomem(err);
    }
    for (uint32_t c = 0; c < n_columns; c++)
        out->columns[c].blocks = out->blocks_ + (size_t)c * out->n_blocks;
    return HD_OK;
}

void hd_directory_free(hd_directory *d)
{
    hd_free(d->columns);
    hd_free(d->blocks_);
    *d = (hd_directory){0};
}

static void add8(hd_buf *b, uint8_t x)
{
    hd_buf_add(b, &x, sizeof x);
}

static void add32(hd_buf *b, uint32_t x)
{
    hd_buf_add(b, &x, sizeof x);
}

static void add64(hd_buf *b, uint64_t x)
{
    hd_buf_add(b, &x, sizeof x);
}

static void add_part(hd_buf *b, const hd_part *p)
{
    add64(b, p->at);
    add64(b, p->len);
    add8(b, p->encoding);
}

void hd_directory_encode(const hd_directory *d, hd_buf *out)
{
    for (uint32_t c = 0; c < d->n_columns; c++) {
        const hd_file_column *col = &d->columns[c];
        size_t name_len = strlen(col->spec.name);
        add8(out, (uint8_t)name_len);
        hd_buf_add(out, col->spec.name, name_len);
        add8(out, col->kind);
        add8(out, (uint8_t)col->spec.type);
        add8(out, col->width);
        add8(out, col->count_width);
        add32(out, col->n_codes);
        add64(out, col->n_items);
        add_part(out, &col->dictionary);
        add64(out, col->dictionary_len);
        for (uint32_t i = 0; i < d->n_blocks; i++) {
            const hd_block *b = &col->blocks[i];
            add32(out, b->items);
            add32(out, b->lowest);
            add32(out, b->highest);
            add_part(out, &b->data);
            if (col->kind == HD_COLUMN_LIST)
                add_part(out, &b->counts);
        }
    }
}

/* Reading position in the directory; `ok` sticks at false. */
struct cursor {
    const uint8_t *p, *end;
    bool ok;
};

static const uint8_t *take(struct cursor *c, size_t n)
{
    static const uint8_t zero[256];
    if (!c->ok || (size_t)(c->end - c->p) < n) {
        c->ok = false;
        return zero;
    }
    c->p += n;
    return c->p - n;
}

/* A part lies behind the header and before the directory and holds a tag, or is empty. */
static void take_part(struct cursor *c, const hd_file_header *h, hd_part *out)
{
    const uint8_t *p = take(c, PART_LEN);
    out->at = get64(p);
    out->len = get64(p + 8);
    out->encoding = p[16];
    if (out->at == 0 && out->len == 0 && out->encoding == 0)
        return;
    if (out->at < HD_HEADER_LEN || out->at > h->directory_at ||
        out->len > h->directory_at - out->at || out->len <= 16 ||
        out->encoding > (h->version == 1 ? HD_ENCODING_ZSTD : HD_ENCODING_RUNS))
        c->ok = false;
}

/* Does the stored length fit the length of the plaintext? Nothing shrinks more than 2^16-fold. */
static bool length_fits(const hd_part *p, uint64_t plain_len)
{
    if (plain_len == 0 || p->len == 0)
        return plain_len == 0 && p->len == 0;
    uint64_t stored = p->len - 16;
    if (p->encoding == HD_ENCODING_RAW)
        return stored == plain_len;
    return stored < plain_len && plain_len / 65536 <= stored;
}

static bool shape_fits(const hd_file_column *col, uint32_t index)
{
    if ((index == 0) != (col->kind == HD_KIND_PERSON) ||
        (index == 0) != (col->spec.name[0] == '\0'))
        return false;
    switch (col->kind) {
    case HD_COLUMN_CODES:
        return col->n_codes >= 1 && col->width == hd_width_of_codes(col->n_codes) &&
               col->count_width == 0;
    case HD_COLUMN_LIST:
        return col->n_codes >= 1 && col->width == hd_width_of_codes(col->n_codes) &&
               (col->count_width == 1 || col->count_width == 2);
    case HD_COLUMN_KEY:
        return col->n_codes == 0 && col->width == 8 && col->count_width == 0;
    case HD_KIND_PERSON:
        return col->n_codes == 0 && col->width == 4 && col->count_width == 0;
    default:
        return false;
    }
}

/* The dictionary's length, as far as the number of codes settles it. */
static bool dictionary_fits(const hd_file_column *col)
{
    if (!length_fits(&col->dictionary, col->dictionary_len) ||
        col->dictionary.encoding > HD_ENCODING_ZSTD)
        return false;
    if (col->n_codes <= 1)
        return col->dictionary_len == 0;
    uint64_t values = col->n_codes - 1;
    return col->spec.type == HD_TEXT ? col->dictionary_len / 4 >= values
                                     : col->dictionary_len == values * 8;
}

static bool block_fits(const hd_file_column *col, const hd_block *b, uint32_t rows)
{
    bool has_range = col->kind != HD_COLUMN_KEY && b->items > 0;
    if (b->lowest > b->highest || (!has_range && b->highest != 0) ||
        (col->n_codes && b->highest >= col->n_codes))
        return false;
    if (!length_fits(&b->data, (uint64_t)b->items * col->width) ||
        (col->width == 8 && b->data.encoding > HD_ENCODING_ZSTD))
        return false;
    if (col->kind != HD_COLUMN_LIST)
        return b->items == rows;
    return b->items <= (uint64_t)rows * HD_MAX_COUNT &&
           length_fits(&b->counts, (uint64_t)rows * col->count_width);
}

static void take_column(struct cursor *c, const hd_file_header *h, const hd_directory *d,
                        uint32_t index, hd_file_column *col)
{
    uint8_t name_len = *take(c, 1);
    if (name_len >= sizeof col->spec.name)
        c->ok = false;
    if (!c->ok)
        return;
    memcpy(col->spec.name, take(c, name_len), name_len);
    if (strlen(col->spec.name) != name_len)
        c->ok = false;
    col->kind = *take(c, 1);
    uint8_t type = *take(c, 1);
    col->width = *take(c, 1);
    col->count_width = *take(c, 1);
    col->n_codes = get32(take(c, 4));
    col->n_items = get64(take(c, 8));
    take_part(c, h, &col->dictionary);
    col->dictionary_len = get64(take(c, 8));
    if (type > HD_BOOLEAN || !shape_fits(col, index)) {
        c->ok = false;
        return;
    }
    col->spec.type = (hd_type)type;
    col->spec.kind = index == 0 ? HD_COLUMN_CODES : (hd_column_kind)col->kind;
    uint64_t items = 0;
    for (uint32_t i = 0; i < d->n_blocks && c->ok; i++) {
        hd_block *b = &col->blocks[i];
        b->items = get32(take(c, 4));
        b->lowest = get32(take(c, 4));
        b->highest = get32(take(c, 4));
        take_part(c, h, &b->data);
        if (col->kind == HD_COLUMN_LIST)
            take_part(c, h, &b->counts);
        if (!block_fits(col, b, hd_rows_of_block(d->rows, i)))
            c->ok = false;
        items += b->items;
    }
    if (!dictionary_fits(col) || items != col->n_items || items > UINT32_MAX)
        c->ok = false;
}

static bool names_differ(const hd_directory *d)
{
    for (uint32_t a = 1; a < d->n_columns; a++)
        for (uint32_t b = a + 1; b < d->n_columns; b++)
            if (strcmp(d->columns[a].spec.name, d->columns[b].spec.name) == 0)
                return false;
    return true;
}

hd_code hd_directory_decode(hd_directory *out, const hd_file_header *h, const uint8_t *in,
                            size_t len, const char *name, hd_err *err)
{
    *out = (hd_directory){0};
    /* The smallest directory of this shape; keeps a false header from reserving memory. */
    if (len / h->n_columns < COLUMN_FIXED_LEN + (uint64_t)hd_blocks_of(h->rows) * BLOCK_LEN)
        return hd_fail(err, HD_FORMAT, "the directory of %s is damaged: restore it from a copy",
                       name);
    HD_TRY(hd_directory_new(out, h->rows, h->n_columns, err));
    out->has_first_person = h->version > 1;
    struct cursor c = {in, in + len, true};
    for (uint32_t i = 0; i < out->n_columns && c.ok; i++)
        take_column(&c, h, out, i, &out->columns[i]);
    if (c.ok && c.p == c.end && names_differ(out))
        return HD_OK;
    hd_directory_free(out);
    return hd_fail(err, HD_FORMAT, "the directory of %s is damaged: restore it from a copy", name);
}

/* ---- dictionary ----------------------------------------------------------------------------- */

static bool decode_numbers(hd_dictionary_memory *d, const uint8_t *in)
{
    uint32_t n = d->view.n_codes;
    memcpy((int64_t *)d->values_ + 1, in, ((size_t)n - 1) * 8);
    if (d->view.type == HD_DECIMAL) {
        const double *v = d->view.decimals = d->values_;
        if (n > 1 && v[1] != v[1])
            return false;
        for (uint32_t i = 2; i < n; i++)
            if (!(v[i - 1] < v[i]))
                return false;
        return true;
    }
    const int64_t *v = d->view.integers = d->values_;
    for (uint32_t i = 2; i < n; i++)
        if (v[i - 1] >= v[i])
            return false;
    return d->view.type != HD_BOOLEAN || n == 1 || (v[1] >= 0 && v[n - 1] <= 1);
}

static bool decode_texts(hd_dictionary_memory *d, const uint8_t *in, size_t len)
{
    uint32_t n = d->view.n_codes;
    uint64_t *ends = d->values_, total = 0;
    size_t table = ((size_t)n - 1) * 4;
    for (uint32_t i = 1; i < n; i++) {
        total += get32(in + (size_t)(i - 1) * 4);
        ends[i] = total;
    }
    if (total != len - table)
        return false;
    memcpy(d->bytes_, in + table, (size_t)total);
    d->view.bytes = d->bytes_;
    d->view.ends = ends;
    for (uint32_t i = 2; i < n; i++) {
        hd_value a = hd_dictionary_value(&d->view, i - 1), b = hd_dictionary_value(&d->view, i);
        if (hd_value_compare(&a, &b) >= 0)
            return false;
    }
    return true;
}

hd_code hd_dictionary_decode(hd_dictionary_memory *out, hd_type type, uint32_t n_codes,
                             const uint8_t *in, size_t len, const char *name, hd_err *err)
{
    size_t fixed = ((size_t)n_codes - 1) * (type == HD_TEXT ? 4 : 8);
    *out = (hd_dictionary_memory){.view = {.type = type, .n_codes = n_codes}};
    if (len < fixed || (type != HD_TEXT && len != fixed))
        return hd_fail(err, HD_FORMAT, "the dictionary of %s is damaged: restore it from a copy",
                       name);
    out->values_len_ = (size_t)n_codes * 8;
    out->values_ = hd_secret_map(out->values_len_);
    out->bytes_len_ = type == HD_TEXT ? len - fixed : 0;
    out->bytes_ = type == HD_TEXT ? hd_secret_map(out->bytes_len_) : NULL;
    if (!out->values_ || (type == HD_TEXT && !out->bytes_)) {
        hd_dictionary_free(out);
        return hd_fail_nomem(err);
    }
    if (type == HD_TEXT ? decode_texts(out, in, len) : decode_numbers(out, in))
        return HD_OK;
    hd_dictionary_free(out);
    return hd_fail(err, HD_FORMAT, "the dictionary of %s is damaged: restore it from a copy", name);
}

void hd_dictionary_free(hd_dictionary_memory *d)
{
    hd_secret_unmap(d->values_, d->values_len_);
    hd_secret_unmap(d->bytes_, d->bytes_len_);
    *d = (hd_dictionary_memory){0};
}

hd_value hd_dictionary_value(const hd_dictionary *d, uint32_t code)
{
    HD_ALWAYS(code < d->n_codes);
    hd_value v = {.type = d->type, .is_null = code == 0};
    if (code == 0)
        return v;
    if (d->type == HD_TEXT) {
        v.text.bytes = d->bytes + d->ends[code - 1];
        v.text.len = (size_t)(d->ends[code] - d->ends[code - 1]);
    } else if (d->type == HD_DECIMAL) {
        v.decimal = d->decimals[code];
    } else {
        v.integer = d->integers[code];
    }
    return v;
}

uint32_t hd_dictionary_find(const hd_dictionary *d, const hd_value *v)
{
    if (v->is_null || v->type != d->type)
        return 0;
    uint32_t low = 1, high = d->n_codes;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        hd_value m = hd_dictionary_value(d, middle);
        int c = hd_value_compare(&m, v);
        if (c == 0)
            return middle;
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}
