/* writer.c - pack, seal and write the parts of a new table file.
 *
 * Parts are written in whatever order threads finish them; what each is follows from its nonce and
 * associated data and from the directory, never from where it lies. A nonce (column, part, block)
 * is used once because every part is written once, under a key made for this file.
 */
#include "base/alloc.h"
#include "base/io.h"
#include "vault/internal.h"

#include <string.h>

/* ZSTD_RESTS: blocks of a column for which zstd is not tried after one that it did not serve; they
 * are much alike, row keys most of all. */
enum { ZSTD_RESTS = 7 };

hd_code hd_packer_init(hd_packer *p, hd_file_writer *f, hd_err *err)
{
    *p = (hd_packer){.file = f};
    HD_TRY(hd_sealer_new(&p->sealer, f->key, err));
    p->zstd = ZSTD_createCCtx();
    if (p->zstd)
        return HD_OK;
    hd_packer_fini(p);
    return hd_fail_nomem(err);
}

void hd_packer_fini(hd_packer *p)
{
    hd_sealer_free(p->sealer);
    ZSTD_freeCCtx(p->zstd);
    hd_wipe_free(p->packed, p->packed_cap);
    hd_wipe_free(p->sealed, p->sealed_cap);
    hd_wipe_free(p->bits, p->bits_cap);
    hd_wipe_free(p->values, p->values_cap);
    *p = (hd_packer){0};
}

/* Would a frame of all of it fit into `most` bytes? A sixteenth says so cheaply; by itself it packs
 * somewhat worse than as a part of the whole. */
static bool is_promising(hd_packer *p, const uint8_t *plain, size_t plain_len, size_t most)
{
    enum { SHARE = 16, LEAST = 4096, SLACK = 4 };
    const size_t len = plain_len / SHARE;
    if (len < LEAST)
        return true;
    const size_t fits = most / SHARE + most / SHARE / SLACK;
    return !ZSTD_isError(ZSTD_compressCCtx(p->zstd, p->packed, fits < most ? fits : most,
                                           plain + (plain_len - len) / 2, len, 1));
}

/* A zstd frame of the plaintext instead of what there is, when it saves at least an eighth of that
 * and a quarter of the plaintext: unpacking a frame takes as long for four bytes of plaintext as
 * reading and opening one byte of the file does. */
static hd_code try_zstd(hd_packer *p, const void *plain, size_t plain_len, const void **stored,
                        size_t *len, hd_encoding *encoding, hd_err *err)
{
    size_t saves = *len / 8 > plain_len / 4 ? *len / 8 : plain_len / 4;
    if (*len <= saves)
        return HD_OK;
    size_t most = *len - saves;
    HD_TRY(hd_scratch(&p->packed, &p->packed_cap, most + 1, err));
    if (!is_promising(p, plain, plain_len, most))
        return HD_OK;
    size_t got = ZSTD_compressCCtx(p->zstd, p->packed, most, plain, plain_len, 1);
    /* An error only says that it does not fit into `most`. */
    if (!ZSTD_isError(got) && got < *len) {
        *stored = p->packed;
        *len = got;
        *encoding = HD_ENCODING_ZSTD;
    }
    return HD_OK;
}

/* Counts the blocks of one part of one column that come after each other. */
static bool is_worth_a_try(hd_packer *p, uint32_t column, hd_part_kind part)
{
    if (p->column != column || p->part != part)
        p->zstd_rests = 0;
    p->column = column;
    p->part = part;
    if (p->zstd_rests == 0)
        return true;
    p->zstd_rests--;
    return false;
}

/* What was written is passed to the disk a stretch at a time while the next is packed, so that the
 * sync at the end has not all of it before it. The part at hand begins at `at`. */
static void start_sync(const hd_file_writer *f, uint64_t at, uint64_t len)
{
    const uint64_t stretch = UINT64_C(8) << 20, end = (at + len) / stretch * stretch;
    if (end > at)
        hd_io_start_sync(f->fd, end - stretch, stretch);
}

static hd_code write_part(hd_packer *p, uint32_t column, hd_part_kind part, uint32_t block,
                          uint32_t rows, uint32_t items, const void *stored, size_t len,
                          hd_encoding encoding, hd_part *out, hd_err *err)
{
    hd_file_writer *f = p->file;
    uint8_t nonce[HD_SEAL_NONCE], aad[HD_PART_AAD];
    HD_TRY(hd_scratch(&p->sealed, &p->sealed_cap, len + HD_SEAL_TAG, err));
    hd_part_nonce(column, part, block, nonce);
    hd_part_aad(f->asset_id, column, part, block, rows, items, aad);
    HD_TRY(hd_seal(p->sealer, nonce, aad, sizeof aad, stored, len, p->sealed, err));
    len += HD_SEAL_TAG;
    uint64_t at = __atomic_fetch_add(&f->end, len, __ATOMIC_RELAXED);
    HD_TRY(hd_io_write_at(f->fd, p->sealed, len, at, f->name, err));
    start_sync(f, at, len);
    *out = (hd_part){at, len, (uint8_t)encoding};
    return HD_OK;
}

hd_code hd_packer_part(hd_packer *p, uint32_t column, hd_part_kind part, uint32_t block,
                       uint32_t rows, uint32_t items, const void *plain, size_t len, hd_part *out,
                       hd_err *err)
{
    const void *stored = plain;
    hd_encoding encoding = HD_ENCODING_RAW;
    *out = (hd_part){0};
    if (len == 0)
        return HD_OK;
    if (is_worth_a_try(p, column, part)) {
        HD_TRY(try_zstd(p, plain, len, &stored, &len, &encoding, err));
        if (encoding != HD_ENCODING_ZSTD)
            p->zstd_rests = ZSTD_RESTS;
    }
    return write_part(p, column, part, block, rows, items, stored, len, encoding, out, err);
}

hd_code hd_packer_items(hd_packer *p, uint32_t column, hd_part_kind part, uint32_t block,
                        uint32_t rows, uint32_t n_items, const void *items, unsigned width,
                        uint32_t n, uint32_t base, uint32_t highest, hd_part *out, hd_err *err)
{
    size_t plain_len = (size_t)n * width, len = plain_len;
    const void *stored = items;
    hd_encoding encoding = HD_ENCODING_RAW;
    *out = (hd_part){0};
    if (n == 0)
        return HD_OK;
    HD_TRY(hd_scratch(&p->bits, &p->bits_cap, hd_pack_room(n, width), err));
    HD_TRY(hd_scratch(&p->values, &p->values_cap, plain_len + width, err));
    size_t packed = hd_pack_items(items, width, n, base, highest, p->values, p->bits, &encoding);
    if (packed) {
        stored = p->bits;
        len = packed;
    }
    if (is_worth_a_try(p, column, part)) {
        HD_TRY(try_zstd(p, items, plain_len, &stored, &len, &encoding, err));
        if (encoding != HD_ENCODING_ZSTD)
            p->zstd_rests = ZSTD_RESTS;
    }
    return write_part(p, column, part, block, rows, n_items, stored, len, encoding, out, err);
}

hd_code hd_packer_finish(hd_packer *p, const hd_directory *d, uint64_t *file_len, hd_err *err)
{
    hd_file_writer *f = p->file;
    hd_buf plain;
    hd_buf_init(&plain, SIZE_MAX / 2);
    hd_directory_encode(d, &plain);
    hd_code rc;
    HD_GO(hd_buf_check(&plain, err));
    size_t len = plain.len + HD_SEAL_TAG;
    hd_file_header h = {
        .rows = d->rows, .n_columns = d->n_columns, .directory_at = f->end, .directory_len = len};
    memcpy(h.asset_id, f->asset_id, sizeof h.asset_id);
    uint8_t header[HD_HEADER_LEN], nonce[HD_SEAL_NONCE];
    hd_header_encode(&h, header);
    hd_part_nonce(HD_DIRECTORY_COLUMN, HD_PART_DIRECTORY, 0, nonce);
    HD_GO(hd_scratch(&p->sealed, &p->sealed_cap, len, err));
    HD_GO(hd_seal(p->sealer, nonce, header, sizeof header, plain.data, plain.len, p->sealed, err));
    HD_GO(hd_io_write_at(f->fd, p->sealed, len, f->end, f->name, err));
    HD_GO(hd_io_write_at(f->fd, header, sizeof header, 0, f->name, err));
    *file_len = f->end + len;
out:
    if (plain.len)
        explicit_bzero(plain.data, plain.len);
    hd_buf_free(&plain);
    return rc;
}
