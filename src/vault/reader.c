/* reader.c - open sealed parts of a table file and check what is in them.
 *
 * Nothing that was read is used before its seal opened, and nothing that was opened is used before
 * its length, encoding and every index in it were checked.
 */
#include "base/alloc.h"
#include "base/io.h"
#include "vault/internal.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

hd_code hd_scratch(uint8_t **p, size_t *cap, size_t need, hd_err *err)
{
    if (need <= *cap)
        return HD_OK;
    uint8_t *bigger = hd_malloc(need);
    if (!bigger)
        return hd_fail_nomem(err);
    hd_wipe_free(*p, *cap);
    *p = bigger;
    *cap = need;
    return HD_OK;
}

hd_code hd_reader_init(hd_reader *r, const hd_table *t, hd_err *err)
{
    *r = (hd_reader){.table = t};
    HD_TRY(hd_sealer_new(&r->sealer, t->key, err));
    r->zstd = ZSTD_createDCtx();
    if (r->zstd)
        return HD_OK;
    hd_reader_fini(r);
    return hd_fail_nomem(err);
}

void hd_reader_fini(hd_reader *r)
{
    hd_sealer_free(r->sealer);
    ZSTD_freeDCtx(r->zstd);
    hd_wipe_free(r->sealed, r->sealed_cap);
    hd_wipe_free(r->packed, r->packed_cap);
    hd_wipe_free(r->values, r->values_cap);
    hd_wipe_free(r->differences, r->differences_cap);
    *r = (hd_reader){0};
}

static const char *column_name(const hd_table *t, uint32_t column)
{
    return column == 0 ? "persons" : t->directory.columns[column].spec.name;
}

static hd_code damaged(const hd_reader *r, uint32_t column, uint32_t block, hd_err *err)
{
    return hd_fail(err, HD_FORMAT, "%s, column %s, block %u is damaged: restore it from a copy",
                   r->table->label, column_name(r->table, column), block);
}

hd_code hd_reader_directory(hd_reader *r, const hd_file_header *h,
                            const uint8_t header[HD_HEADER_LEN], uint8_t *out, hd_err *err)
{
    size_t len = (size_t)h->directory_len;
    HD_TRY(hd_scratch(&r->sealed, &r->sealed_cap, len, err));
    HD_TRY(hd_io_read_at(r->table->fd, r->sealed, len, h->directory_at, r->table->label, err));
    uint8_t nonce[HD_SEAL_NONCE];
    hd_part_nonce(HD_DIRECTORY_COLUMN, HD_PART_DIRECTORY, 0, nonce);
    if (!hd_unseal(r->sealer, nonce, header, HD_HEADER_LEN, r->sealed, len - HD_SEAL_TAG, out))
        return hd_fail(err, HD_CRYPTO,
                       "the directory of %s does not open: the file was altered, or "
                       "belongs to another vault; restore it from a copy",
                       r->table->label);
    return HD_OK;
}

/* Read one part and open its seal into out: as long as what is stored, without the tag. */
static hd_code open_part(hd_reader *r, uint32_t column, hd_part_kind kind, uint32_t block,
                         uint32_t rows, uint32_t items, const hd_part *part, void *out, hd_err *err)
{
    const hd_table *t = r->table;
    size_t len = (size_t)part->len;
    HD_TRY(hd_scratch(&r->sealed, &r->sealed_cap, len, err));
    HD_TRY(hd_io_read_at(t->fd, r->sealed, len, part->at, t->label, err));
    uint8_t nonce[HD_SEAL_NONCE], aad[HD_PART_AAD];
    hd_part_nonce(column, kind, block, nonce);
    hd_part_aad(t->asset_id, column, kind, block, rows, items, aad);
    if (!hd_unseal(r->sealer, nonce, aad, sizeof aad, r->sealed, len - HD_SEAL_TAG, out))
        return hd_fail(err, HD_CRYPTO,
                       "%s, column %s, block %u does not open: the file was "
                       "altered; restore it from a copy",
                       t->label, column_name(t, column), block);
    return HD_OK;
}

hd_code hd_reader_open_block(hd_reader *r, uint32_t column, uint32_t block, hd_err *err)
{
    const hd_directory *d = &r->table->directory;
    const hd_block *b = &d->columns[column].blocks[block];
    const hd_part *parts[] = {&b->data, &b->counts};
    for (size_t i = 0; i < 2; i++) {
        if (parts[i]->len == 0)
            continue;
        HD_TRY(hd_scratch(&r->packed, &r->packed_cap, (size_t)parts[i]->len, err));
        HD_TRY(open_part(r, column, i ? HD_PART_COUNTS : HD_PART_DATA, block,
                         hd_rows_of_block(d->rows, block), b->items, parts[i], r->packed, err));
    }
    return HD_OK;
}

/* Read and open one part into r->packed. */
static hd_code open_packed(hd_reader *r, uint32_t column, hd_part_kind kind, uint32_t block,
                           uint32_t rows, uint32_t items, const hd_part *part, hd_err *err)
{
    HD_TRY(hd_scratch(&r->packed, &r->packed_cap, (size_t)part->len, err));
    return open_part(r, column, kind, block, rows, items, part, r->packed, err);
}

/* n items of so many bytes, of which base was taken away, from r->packed. The directory saw to it
 * that an unpacked part has just that length. */
static hd_code unpack_part(hd_reader *r, uint32_t column, uint32_t block, const hd_part *part,
                           void *out, uint32_t n, unsigned width, uint32_t base,
                           hd_unpacked *different, hd_err *err)
{
    size_t plain_len = (size_t)n * width, stored = (size_t)part->len - HD_SEAL_TAG;
    bool ok;
    *different = (hd_unpacked){out, n};
    if (part->encoding == HD_ENCODING_ZSTD) {
        ok = ZSTD_getFrameContentSize(r->packed, stored) == plain_len &&
             ZSTD_decompressDCtx(r->zstd, out, plain_len, r->packed, stored) == plain_len;
    } else {
        HD_TRY(hd_scratch(&r->values, &r->values_cap, plain_len + 2 * HD_SPREAD_PAD, err));
        ok = hd_unpack_items((hd_encoding)part->encoding, r->packed, stored, r->values, out, width,
                             n, base, different);
    }
    return ok ? HD_OK : damaged(r, column, block, err);
}

/* Read, open and unpack one part into out. */
static hd_code read_part(hd_reader *r, uint32_t column, hd_part_kind kind, uint32_t block,
                         uint32_t rows, uint32_t items, const hd_part *part, void *out, uint32_t n,
                         unsigned width, uint32_t base, hd_unpacked *different, hd_err *err)
{
    *different = (hd_unpacked){out, n};
    if (part->len == 0)
        return HD_OK; /* n is 0 too */
    if (part->encoding == HD_ENCODING_RAW)
        return open_part(r, column, kind, block, rows, items, part, out, err);
    HD_TRY(open_packed(r, column, kind, block, rows, items, part, err));
    return unpack_part(r, column, block, part, out, n, width, base, different, err);
}

/* As read_part, but the memory is taken when the packed bytes have confirmed how much it is: a
 * dictionary has no size that follows from the rows. */
hd_code hd_reader_dictionary(hd_reader *r, uint32_t column, uint8_t **out, hd_err *err)
{
    const hd_file_column *col = &r->table->directory.columns[column];
    const hd_part *part = &col->dictionary;
    size_t len = (size_t)col->dictionary_len, stored = part->len ? part->len - HD_SEAL_TAG : 0;
    bool packed = part->encoding == HD_ENCODING_ZSTD;
    *out = NULL;
    if (part->len) {
        HD_TRY(hd_scratch(&r->packed, &r->packed_cap, stored, err));
        HD_TRY(open_part(r, column, HD_PART_DICTIONARY, 0, 0, col->n_codes, part, r->packed, err));
    }
    if (packed && ZSTD_getFrameContentSize(r->packed, stored) != len)
        return damaged(r, column, 0, err);
    uint8_t *plain = hd_secret_map(len);
    if (!plain)
        return hd_fail_nomem(err);
    if (packed && ZSTD_decompressDCtx(r->zstd, plain, len, r->packed, stored) != len) {
        hd_secret_unmap(plain, len);
        return damaged(r, column, 0, err);
    }
    if (!packed && len)
        memcpy(plain, r->packed, len);
    *out = plain;
    return HD_OK;
}

/* The loops are simple so that the compiler turns them into vectors. */
#define EXTREMES(type)                                                                             \
    {                                                                                              \
        const type *p = data;                                                                      \
        type low = p[0], high = p[0];                                                              \
        for (uint32_t i = 1; i < n; i++) {                                                         \
            low = p[i] < low ? p[i] : low;                                                         \
            high = p[i] > high ? p[i] : high;                                                      \
        }                                                                                          \
        *lowest = low;                                                                             \
        *highest = high;                                                                           \
    }

static inline __attribute__((always_inline)) void find_extremes(const void *data, unsigned width,
                                                                uint32_t n, uint32_t *lowest,
                                                                uint32_t *highest)
{
    if (width == 1)
        EXTREMES(uint8_t)
    else if (width == 2)
        EXTREMES(uint16_t)
    else
        EXTREMES(uint32_t)
}

#if defined(__x86_64__)
/* The oldest processors have no smaller and larger of such numbers in one instruction. */
__attribute__((target("avx2"))) static void find_extremes_avx2(const void *data, unsigned width,
                                                               uint32_t n, uint32_t *lowest,
                                                               uint32_t *highest)
{
    find_extremes(data, width, n, lowest, highest);
}
#endif

void hd_extremes(const void *data, unsigned width, uint32_t n, uint32_t *lowest, uint32_t *highest)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        find_extremes_avx2(data, width, n, lowest, highest);
        return;
    }
#endif
    find_extremes(data, width, n, lowest, highest);
}

/* Differences back to numbers; false when they pass 32 bits. Four at a time: each becomes the sum of
 * those before it in its four, and of the fours before. Small differences cannot pass; where there
 * are others, a number below the one before it tells. */
static bool undo_differences(uint32_t *persons, uint32_t n)
{
    uint32_t i = 1, at = persons[0], any = 0; /* any: no difference is above it */
#ifdef __SSE2__
    __m128i before = _mm_set1_epi32((int)at), all = _mm_setzero_si128();
    for (; i + 4 <= n; i += 4) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(persons + i));
        all = _mm_or_si128(all, x);
        x = _mm_add_epi32(x, _mm_slli_si128(x, 4));
        x = _mm_add_epi32(x, _mm_slli_si128(x, 8));
        x = _mm_add_epi32(x, before);
        _mm_storeu_si128((__m128i *)(void *)(persons + i), x);
        before = _mm_shuffle_epi32(x, 0xFF);
    }
    at = (uint32_t)_mm_cvtsi128_si32(before);
    all = _mm_or_si128(all, _mm_shuffle_epi32(all, 0x4E));
    all = _mm_or_si128(all, _mm_shuffle_epi32(all, 0xB1));
    any = (uint32_t)_mm_cvtsi128_si32(all);
#endif
    for (; i < n; i++) {
        any |= persons[i];
        at += persons[i];
        persons[i] = at;
    }
    if (persons[0] + (uint64_t)n * any <= UINT32_MAX)
        return true;
    for (i = 1; i < n && persons[i] >= persons[i - 1]; i++) {
    }
    return i >= n;
}

/* What each person of a block is above the one before, into r->differences: as bytes where none
 * needs more, as nearly always, else 4 bytes each. There is room for zeros up to 64 of them. */
static hd_code read_differences(hd_reader *r, uint32_t block, bool *are_bytes, hd_err *err)
{
    const hd_directory *d = &r->table->directory;
    const hd_block *b = &d->columns[0].blocks[block];
    const hd_part *part = &b->data;
    const uint32_t rows = hd_rows_of_block(d->rows, block);
    const size_t len = (size_t)b->items * sizeof(uint32_t);
    *are_bytes = false;
    HD_TRY(hd_scratch(&r->differences, &r->differences_cap, len + 63 * sizeof(uint32_t), err));
    HD_TRY(hd_scratch(&r->values, &r->values_cap, len + 2 * HD_SPREAD_PAD, err));
    if (part->encoding == HD_ENCODING_RAW)
        return open_part(r, 0, HD_PART_DATA, block, rows, b->items, part, r->differences, err);
    HD_TRY(open_packed(r, 0, HD_PART_DATA, block, rows, b->items, part, err));
    *are_bytes = part->encoding != HD_ENCODING_ZSTD &&
                 hd_unpack_bytes((hd_encoding)part->encoding, r->packed,
                                 (size_t)part->len - HD_SEAL_TAG, r->values, r->differences,
                                 b->items);
    hd_unpacked different;
    return *are_bytes ? HD_OK
                      : unpack_part(r, 0, block, part, r->differences, b->items, sizeof(uint32_t),
                                    0, &different, err);
}

/* Persons from differences of a byte, eight at a time: each becomes the sum of those before it in
 * its eight, and of the eights before. They do not pass 32 bits. */
static void add_up_bytes(const uint8_t *differences, uint32_t n, uint32_t at, uint32_t *persons)
{
    uint32_t i = 0;
#ifdef __SSE2__
    const __m128i zero = _mm_setzero_si128();
    __m128i before = _mm_set1_epi32((int)at);
    for (; i + 8 <= n; i += 8) {
        __m128i x = _mm_loadl_epi64((const __m128i *)(const void *)(differences + i));
        x = _mm_unpacklo_epi8(x, zero);
        x = _mm_add_epi16(x, _mm_slli_si128(x, 2));
        x = _mm_add_epi16(x, _mm_slli_si128(x, 4));
        x = _mm_add_epi16(x, _mm_slli_si128(x, 8));
        __m128i *to = (__m128i *)(void *)(persons + i);
        _mm_storeu_si128(to, _mm_add_epi32(before, _mm_unpacklo_epi16(x, zero)));
        before = _mm_add_epi32(before, _mm_unpackhi_epi16(x, zero));
        _mm_storeu_si128(to + 1, before);
        before = _mm_shuffle_epi32(before, 0xFF);
    }
    at = (uint32_t)_mm_cvtsi128_si32(before);
#endif
    for (; i < n; i++) {
        at += differences[i];
        persons[i] = at;
    }
}

static hd_code read_persons(hd_reader *r, uint32_t block, uint32_t *out, hd_err *err)
{
    const hd_directory *d = &r->table->directory;
    const hd_block *b = &d->columns[0].blocks[block];
    const uint32_t n = b->items, first = d->has_first_person ? b->lowest : 0;
    bool are_bytes;
    if (n == 0)
        return HD_OK;
    HD_TRY(read_differences(r, block, &are_bytes, err));
    const uint8_t *bytes = r->differences;
    bool fits = b->lowest + (uint64_t)n * UINT8_MAX <= UINT32_MAX;
    if (are_bytes && (!first || bytes[0] == 0) && fits) {
        add_up_bytes(bytes, n, first, out);
    } else {
        for (uint32_t i = 0; i < n && are_bytes; i++)
            out[i] = bytes[i];
        if (!are_bytes)
            memcpy(out, bytes, n * sizeof *out);
        if (d->has_first_person && out[0] != 0)
            return damaged(r, 0, block, err);
        if (d->has_first_person)
            out[0] = b->lowest;
        if (!undo_differences(out, n))
            return damaged(r, 0, block, err);
    }
    bool is_right = out[0] == b->lowest && out[n - 1] == b->highest; /* they ascend */
    return is_right ? HD_OK : damaged(r, 0, block, err);
}

hd_code hd_reader_data(hd_reader *r, uint32_t column, uint32_t block, void *out, hd_err *err)
{
    const hd_directory *d = &r->table->directory;
    const hd_file_column *col = &d->columns[column];
    const hd_block *b = &col->blocks[block];
    if (col->kind == HD_KIND_PERSON)
        return read_persons(r, block, out, err);
    hd_unpacked different;
    HD_TRY(read_part(r, column, HD_PART_DATA, block, hd_rows_of_block(d->rows, block), b->items,
                     &b->data, out, b->items, col->width, b->lowest, &different, err));
    if (col->kind == HD_COLUMN_KEY || b->items == 0)
        return HD_OK;
    uint32_t lowest, highest;
    hd_extremes(different.items, col->width, different.n, &lowest, &highest);
    return lowest == b->lowest && highest == b->highest ? HD_OK : damaged(r, column, block, err);
}

/* 64 differences to the bits of those that are not 0, and their sum. */
static uint64_t bits_of(const uint32_t *differences, uint64_t *sum)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < 64; i++) {
        bits |= (uint64_t)(differences[i] != 0) << i;
        *sum += differences[i];
    }
    return bits;
}

/* The same of differences of a byte, which nearly all blocks have. */
static uint64_t bits_of_bytes(const uint8_t *differences, uint64_t *sum)
{
    uint64_t bits = 0;
#ifdef __SSE2__
    const __m128i zero = _mm_setzero_si128();
    __m128i sums = zero;
    for (unsigned i = 0; i < 64; i += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(differences + i));
        sums = _mm_add_epi64(sums, _mm_sad_epu8(x, zero));
        unsigned is_zero = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, zero));
        bits |= (uint64_t)(~is_zero & 0xFFFF) << i;
    }
    uint64_t two[2];
    memcpy(two, &sums, sizeof two);
    *sum += two[0] + two[1];
#else
    for (unsigned i = 0; i < 64; i++) {
        bits |= (uint64_t)(differences[i] != 0) << i;
        *sum += differences[i];
    }
#endif
    return bits;
}

/* The persons are never made: that the differences lead from the lowest to the highest shows that all
 * numbers between are in range, and ascend. */
hd_code hd_reader_begins(hd_reader *r, uint32_t block, uint64_t *out, hd_err *err)
{
    const hd_directory *d = &r->table->directory;
    const hd_block *b = &d->columns[0].blocks[block];
    const size_t room = ((size_t)b->items + 63) / 64 * 64;
    bool are_bytes;
    if (b->items == 0)
        return HD_OK;
    HD_TRY(read_differences(r, block, &are_bytes, err));
    uint8_t *bytes = r->differences;
    uint32_t *wide = (uint32_t *)(void *)r->differences;
    const size_t one = are_bytes ? 1 : sizeof *wide;
    memset(bytes + b->items * one, 0, (room - b->items) * one);
    if ((are_bytes ? bytes[0] : wide[0]) != (d->has_first_person ? 0 : b->lowest))
        return damaged(r, 0, block, err);
    if (are_bytes)
        bytes[0] = 0;
    else
        wide[0] = 0;
    uint64_t highest = b->lowest, before = block > 0 ? b[-1].highest : 0;
    for (size_t i = 0; i < room; i += 64)
        out[i / 64] = are_bytes ? bits_of_bytes(bytes + i, &highest) : bits_of(wide + i, &highest);
    out[0] |= b->lowest != before;
    return highest == b->highest ? HD_OK : damaged(r, 0, block, err);
}

/* Starts from counts, which lie further on in the same memory; stops where they pass `most`. */
#define ADD_UP(name, type)                                                                         \
    static uint64_t name(const type *counts, uint32_t rows, uint32_t first, uint64_t most,         \
                         uint32_t *out)                                                            \
    {                                                                                              \
        uint64_t sum = 0;                                                                          \
        out[0] = first;                                                                            \
        for (uint32_t i = 0; i < rows && sum <= most; i++) {                                       \
            sum += counts[i];                                                                      \
            out[i + 1] = first + (uint32_t)sum;                                                    \
        }                                                                                          \
        return sum;                                                                                \
    }
ADD_UP(add_up, uint8_t)
ADD_UP(add_up_pairs, uint16_t)

hd_code hd_reader_starts(hd_reader *r, uint32_t column, uint32_t block, uint32_t first,
                         uint32_t *out, hd_err *err)
{
    const hd_directory *d = &r->table->directory;
    const hd_file_column *col = &d->columns[column];
    const hd_block *b = &col->blocks[block];
    uint32_t rows = hd_rows_of_block(d->rows, block);
    /* The counts are read into the end of the place of the starts: they are narrower, so writing
     * start i never passes count i. */
    uint8_t *counts = (uint8_t *)(out + 1) + (size_t)rows * (4 - col->count_width);
    hd_unpacked different;
    HD_TRY(read_part(r, column, HD_PART_COUNTS, block, rows, b->items, &b->counts, counts, rows,
                     col->count_width, 0, &different, err));
    uint64_t sum = col->count_width == 1
                       ? add_up((const uint8_t *)counts, rows, first, b->items, out)
                       : add_up_pairs((const uint16_t *)(const void *)counts, rows, first, b->items,
                                      out);
    return sum == b->items ? HD_OK : damaged(r, column, block, err);
}
