/* format.h - the bytes of a table file, versions 1 and 2; doc/format.md says the same with the
 * reasons.
 *
 * All integers are little-endian. A file is a plain header, sealed parts in any order, and a sealed
 * directory at the end.
 *
 *   HEADER, 64 bytes, plain; associated data of the directory's seal
 *   OFFSET SIZE FIELD
 *        0    8 magic 89 48 44 49 53 54 0D 0A
 *        8    4 version, 2 (version 1: differences in brackets)
 *       12    4 rows of a block, 65536
 *       16   16 asset id
 *       32    8 rows (at most 2^32 - 2)
 *       40    4 columns, the person column included
 *       44    4 zero
 *       48    8 position of the directory
 *       56    8 sealed length of the directory; position + length = length of the file
 *
 *   SEAL of a part: AES-256-GCM under the asset's key; ciphertext, then the 16-byte tag.
 *   nonce, 12 bytes:            column (4), part (4), block (4)
 *   associated data, 36 bytes:  asset id (16), column, part, block, rows, items (4 each)
 *   part 0 directory (column 2^32 - 1, block 0, associated data: the header), 1 dictionary (block
 * 0, rows 0, items = codes), 2 data, 3 counts. An empty part is not stored: position and length 0.
 *
 *   DIRECTORY, plaintext: the columns one after another, column 0 is the person column
 *        1 length of the name, then the name (person column: 0)
 *        1 kind: 0 codes, 1 list, 2 key, 3 person
 *        1 type: 0 text, 1 integer, 2 decimal, 3 date, 4 boolean
 *        1 width of an item: codes and lists 1, 2, 4 (least that holds all codes); key 8; person 4
 *        1 width of a count: lists 1 or 2; else 0
 *        4 codes, NULL included (key, person: 0)
 *        8 items: rows, or elements of the list
 *       17 dictionary: position (8), sealed length (8), encoding (1)
 *        8 length of the dictionary's plaintext
 *     for each block of 65536 rows (the last has the rest)
 *        4 items
 *        4 lowest, 4 highest code or person in the block (keys and empty blocks: 0)
 *       17 data: position, sealed length, encoding
 *       17 lists only, counts: position, sealed length, encoding
 *
 *   ENCODING of a plaintext: 0 as it is; 1 one zstd frame that carries its content size; data and
 *   counts, not keys: 2 packed in bits, 3 runs, both as in pack.c [version 1: 0 and 1 only].
 *   DATA: items of the width one after another; persons: 0 [the block's lowest], then differences.
 *   Bits hold codes less the block's lowest.
 *   COUNTS: elements of each row of the block; their sum is the block's items.
 *   DICTIONARY: values of codes 1, 2, ... strictly ascending. Integer, date, boolean: 8 bytes each;
 *   decimal: IEEE 754 double, no NaN; text: a 4-byte length for each, then all the bytes.
 *
 * Invariant of the decoders: they trust nothing. Every number is checked against the file's length
 * and against the others before it is used, also in what a seal vouches for.
 */
#ifndef HD_VAULT_FORMAT_H
#define HD_VAULT_FORMAT_H

#include "base/buf.h"
#include "vault/vault.h"

enum {
    HD_FILE_VERSION = 2,
    HD_OLDEST_FILE_VERSION = 1,
    HD_HEADER_LEN = 64,
    HD_PART_AAD = 36,
    HD_KIND_PERSON = 3,
    HD_MAX_COLUMNS = 4096,
    HD_MAX_COUNT = 65535 /* elements of one row of a list */
};
#define HD_MAX_ROWS         (UINT32_MAX - 1)
#define HD_DIRECTORY_COLUMN UINT32_MAX

typedef enum hd_part_kind {
    HD_PART_DIRECTORY,
    HD_PART_DICTIONARY,
    HD_PART_DATA,
    HD_PART_COUNTS
} hd_part_kind;

typedef enum hd_encoding {
    HD_ENCODING_RAW,
    HD_ENCODING_ZSTD,
    HD_ENCODING_PACKED,
    HD_ENCODING_RUNS
} hd_encoding;

typedef struct hd_file_header {
    uint32_t version;
    uint8_t asset_id[16];
    uint64_t rows;
    uint32_t n_columns;
    uint64_t directory_at, directory_len;
} hd_file_header;

typedef struct hd_part {
    uint64_t at, len; /* len includes the tag; 0, 0: empty */
    uint8_t encoding;
} hd_part;

typedef struct hd_block {
    uint32_t items, lowest, highest;
    hd_part data, counts;
} hd_block;

typedef struct hd_file_column {
    hd_column_spec spec; /* name "" and kind unused for the person column */
    uint8_t kind;        /* hd_column_kind or HD_KIND_PERSON */
    uint8_t width, count_width;
    uint32_t n_codes;
    uint64_t n_items;
    hd_part dictionary;
    uint64_t dictionary_len;
    hd_block *blocks; /* n_blocks of the directory */
} hd_file_column;

typedef struct hd_directory {
    bool has_first_person; /* version 2: a block's first person is stored as 0 */
    uint64_t rows;
    uint32_t n_blocks, n_columns;
    hd_file_column *columns;
    hd_block *blocks_; /* n_columns * n_blocks, behind the columns */
} hd_directory;

static inline uint32_t hd_blocks_of(uint64_t rows)
{
    return (uint32_t)((rows + HD_BLOCK_ROWS - 1) / HD_BLOCK_ROWS);
}
static inline uint32_t hd_rows_of_block(uint64_t rows, uint32_t block)
{
    uint64_t left = rows - (uint64_t)block * HD_BLOCK_ROWS;
    return left < HD_BLOCK_ROWS ? (uint32_t)left : HD_BLOCK_ROWS;
}
static inline unsigned hd_width_of_codes(uint32_t n_codes)
{
    return n_codes <= 256 ? 1 : n_codes <= 65536 ? 2 : 4;
}

void hd_header_encode(const hd_file_header *h, uint8_t out[HD_HEADER_LEN]);
/* `name` is how errors call the file. */
HD_MUST hd_code hd_header_decode(hd_file_header *out, const uint8_t in[HD_HEADER_LEN],
                                 uint64_t file_len, const char *name, hd_err *err);

void hd_part_nonce(uint32_t column, hd_part_kind part, uint32_t block, uint8_t out[12]);
void hd_part_aad(const uint8_t asset_id[16], uint32_t column, hd_part_kind part, uint32_t block,
                 uint32_t rows, uint32_t items, uint8_t out[HD_PART_AAD]);

/* An empty directory of this shape, blocks zeroed. */
HD_MUST hd_code hd_directory_new(hd_directory *out, uint64_t rows, uint32_t n_columns, hd_err *err);
void hd_directory_free(hd_directory *d); /* an all-zero one is allowed */
void hd_directory_encode(const hd_directory *d, hd_buf *out);
/* Parts must lie between the header and the directory. HD_FORMAT when anything does not fit. */
HD_MUST hd_code hd_directory_decode(hd_directory *out, const hd_file_header *h, const uint8_t *in,
                                    size_t len, const char *name, hd_err *err);

/* A dictionary in memory; all arrays in wiped memory that core files leave out. */
typedef struct hd_dictionary_memory {
    hd_dictionary view;
    void *values_; /* integers, decimals or ends */
    size_t values_len_;
    void *bytes_;
    size_t bytes_len_;
} hd_dictionary_memory;

HD_MUST hd_code hd_dictionary_decode(hd_dictionary_memory *out, hd_type type, uint32_t n_codes,
                                     const uint8_t *in, size_t len, const char *name, hd_err *err);
void hd_dictionary_free(hd_dictionary_memory *d);

#endif
