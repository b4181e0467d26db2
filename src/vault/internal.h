/* internal.h - what the files of vault/ share and nobody else includes. */
#ifndef HD_VAULT_INTERNAL_H
#define HD_VAULT_INTERNAL_H

#include "crypto/digest.h"
#include "crypto/keyfile.h"
#include "crypto/seal.h"
#include "ledger/ledger.h"
#include "vault/format.h"
#include "vault/vault.h"

#include <pthread.h>
#include <zstd.h>

/* Name of the asset that holds the pseudonyms; a dot, so no table can have it. */
#define HD_PERSONS_TABLE ".persons"

/* One asset as this vault sees it: its file is open, its table is opened when first asked for. */
typedef struct hd_entry {
    hd_asset asset;
    int fd;
    hd_table *table; /* NULL until asked for */
} hd_entry;

/* memory.c. What the columns of a vault's tables take, and the one lock of all that is said below of
 * columns and blocks in memory. */
typedef struct hd_memory {
    hd_vault *vault; /* NULL: of one table outside a vault, never limited */
    pthread_mutex_t lock;
    pthread_cond_t moved; /* a block came or went */
    uint64_t limit, used; /* bytes; limit 0: none */
    uint64_t clock;
} hd_memory;

/* Who changes a block is alone with it while it is MOVING. SPENT: absent, but it has pages, not
 * wiped: those of a run of a stream. */
typedef enum hd_block_place {
    HD_BLOCK_ABSENT,
    HD_BLOCK_MOVING,
    HD_BLOCK_THERE,
    HD_BLOCK_SPENT
} hd_block_place;

typedef struct hd_block_state {
    uint8_t place;
    bool is_kept;   /* counted in hd_loaded.bytes; else it goes with its last reader */
    uint16_t users; /* feeds' readers that are in it, or wait for it */
} hd_block_state;

struct hd_vault {
    char *folder; /* real path */
    char *key_file;
    bool writes;
    int lock_fd; /* -1 when reading */
    hd_keys *keys;
    hd_pseudonymiser *pseudonymiser; /* secret memory */
    hd_ledger *ledger;
    uint64_t data_version;
    hd_entry *entries; /* one snapshot of the ledger, by table name */
    size_t n_entries;
    char asker[64], agreement[64];
    hd_memory memory;
    pthread_mutex_t opening; /* of tables */
};

struct hd_table {
    char name[64];
    char label[80]; /* "table apc", for errors */
    int fd;         /* borrowed from the entry */
    uint8_t asset_id[16];
    uint8_t *key; /* secret memory */
    hd_directory directory;
    hd_dictionary_memory *dictionaries; /* by file column; zero where there is none */
    hd_memory *memory;                  /* of the vault; or its own: */
    hd_memory own_memory;
    struct hd_loaded {
        hd_column column;
        void *data; /* NULL: nothing is loaded */
        uint32_t *starts;
        uint32_t *first_item;   /* lists, by block: elements before it */
        hd_block_state *blocks; /* by block */
        struct hd_run {         /* blocks that have pages of streams, used or not */
            uint32_t first;
            uint64_t left_at; /* hd_memory.clock */
        } *runs; /* n of cap; each of run_blocks, from a multiple of them on */
        size_t n_runs, runs_cap;
        uint32_t run_blocks;    /* changes only while there is no run */
        uint32_t n_streams;     /* feeds that stream it */
        bool is_kept;           /* until it is unloaded */
        uint32_t n_holds;       /* questions that use it */
        uint64_t bytes;         /* of the blocks that are kept */
        uint64_t used_at;       /* hd_memory.clock */
    } *loaded; /* n_columns + 1, by file column; 0 is the persons, the last hd_begins_column() */
};

/* vault.c */
void hd_entry_close(hd_entry *e);
HD_MUST hd_code hd_vault_file_path(const hd_vault *v, const uint8_t asset_id[16],
                                   const char *suffix, char *out, size_t size, hd_err *err);
HD_MUST hd_code hd_entry_table(hd_vault *v, hd_entry *e, hd_table **out, hd_err *err);

/* table.c. Open and check the file's directory and dictionaries; fd stays the caller's. */
HD_MUST hd_code hd_table_open(hd_table **out, int fd, const char *name, const uint8_t asset_id[16],
                              const uint8_t key[HD_SEAL_KEY], hd_err *err);
void hd_table_close(hd_table *t); /* wipes; NULL is allowed */

/* memory.c; all but init and fini under the lock */
HD_MUST hd_code hd_memory_init(hd_memory *m, hd_vault *v, hd_err *err);
void hd_memory_fini(hd_memory *m);
/* Whoever asks now, under the hold that is current in this thread, uses the column. */
HD_MUST hd_code hd_memory_touch(hd_memory *m, hd_table *t, uint32_t file_column, hd_err *err);
/* Room for so many bytes more, and `spare` that nobody takes; if need be that of other columns.
 * HD_LIMIT: too much is in use, and nothing was let go. */
HD_MUST hd_code hd_memory_take(hd_memory *m, uint64_t bytes, uint64_t spare, hd_err *err);
void hd_memory_give_back(hd_memory *m, uint64_t bytes);

/* reader.c. Opens parts of one file, block by block; one thread each. */
typedef struct hd_reader {
    const hd_table *table;
    hd_sealer *sealer;
    ZSTD_DCtx *zstd;
    uint8_t *sealed, *packed; /* scratch: sealed bytes, opened but not yet unpacked */
    uint8_t *values;          /* scratch: values of runs */
    uint8_t *differences;     /* scratch: of persons */
    size_t sealed_cap, packed_cap, values_cap, differences_cap;
} hd_reader;

HD_MUST hd_code hd_reader_init(hd_reader *r, const hd_table *t, hd_err *err);
void hd_reader_fini(hd_reader *r); /* wipes */
HD_MUST hd_code hd_reader_directory(hd_reader *r, const hd_file_header *h,
                                    const uint8_t header[HD_HEADER_LEN], uint8_t *out, hd_err *err);
/* The plaintext of a dictionary, dictionary_len bytes; release with hd_secret_unmap. */
HD_MUST hd_code hd_reader_dictionary(hd_reader *r, uint32_t column, uint8_t **out, hd_err *err);
/* All items of a block, checked: codes below n_codes and inside the range the directory states,
 * persons ascending. out has room for items * width bytes. */
HD_MUST hd_code hd_reader_data(hd_reader *r, uint32_t column, uint32_t block, void *out,
                               hd_err *err);
/* Of a block of persons, checked like them: a bit for each row that is the first of a person. out has
 * room for whole words. */
HD_MUST hd_code hd_reader_begins(hd_reader *r, uint32_t block, uint64_t *out, hd_err *err);
/* Read and open the parts of a block, and forget them. */
HD_MUST hd_code hd_reader_open_block(hd_reader *r, uint32_t column, uint32_t block, hd_err *err);
/* Lowest and highest of n > 0 items of 1, 2 or 4 bytes. */
void hd_extremes(const void *data, unsigned width, uint32_t n, uint32_t *lowest,
                 uint32_t *highest);
/* Where each row of a list block begins: out[i] = first + elements before row i, i = 0 .. rows. */
HD_MUST hd_code hd_reader_starts(hd_reader *r, uint32_t column, uint32_t block, uint32_t first,
                                 uint32_t *out, hd_err *err);

/* columns.c: room for a column and what is in its blocks. Who calls these has the lock, or is alone
 * with the block. */
/* Where persons begin is a column in memory alone, made of that of the persons: a bit a row. */
static inline uint32_t hd_begins_column(const hd_table *t)
{
    return t->directory.n_columns;
}
/* The column of the file whose blocks are read for it. */
const hd_file_column *hd_column_file(const hd_table *t, uint32_t column);
size_t hd_column_len(const hd_table *t, uint32_t column); /* bytes of all its items */
HD_MUST hd_code hd_column_room(hd_table *t, uint32_t file_column, hd_err *err);
void hd_column_drop(hd_table *t, uint32_t file_column); /* whoever holds it */
uint64_t hd_column_block_bytes(const hd_table *t, uint32_t file_column, uint32_t block);
HD_MUST hd_code hd_column_read_block(hd_reader *r, hd_table *t, uint32_t file_column, uint32_t block,
                                     hd_err *err);
void hd_column_populate(hd_table *t, uint32_t file_column, uint32_t block, uint32_t n);
void hd_column_wipe_blocks(hd_table *t, uint32_t file_column, uint32_t block, uint32_t n);
/* Whether n blocks can take over the pages of others of the column, with what is in them. */
bool hd_column_is_movable(const hd_table *t, uint32_t file_column, uint32_t block, uint32_t n);
bool hd_column_move_blocks(hd_table *t, uint32_t file_column, uint32_t from, uint32_t to,
                           uint32_t n);
HD_MUST hd_code hd_table_check_order(const hd_table *t, hd_err *err); /* persons, block by block */

/* writer.c. Seals parts of one new file; several threads may write, each with its own hd_packer. */
typedef struct hd_file_writer {
    int fd;
    const char *name; /* path, for errors */
    const uint8_t *key, *asset_id;
    uint64_t end; /* where the next part goes; changed atomically */
} hd_file_writer;

typedef struct hd_packer {
    hd_file_writer *file;
    hd_sealer *sealer;
    ZSTD_CCtx *zstd;
    uint8_t *packed, *sealed, *bits, *values; /* scratch */
    size_t packed_cap, sealed_cap, bits_cap, values_cap;
    uint32_t column; /* of the last items */
    hd_part_kind part;
    unsigned zstd_rests; /* blocks left for which zstd is not tried */
} hd_packer;

HD_MUST hd_code hd_packer_init(hd_packer *p, hd_file_writer *f, hd_err *err);
void hd_packer_fini(hd_packer *p); /* wipes */
HD_MUST hd_code hd_packer_part(hd_packer *p, uint32_t column, hd_part_kind part, uint32_t block,
                               uint32_t rows, uint32_t items, const void *plain, size_t len,
                               hd_part *out, hd_err *err);
/* The same of n items of 1, 2 or 4 bytes between base and highest, in the form that takes least. */
HD_MUST hd_code hd_packer_items(hd_packer *p, uint32_t column, hd_part_kind part, uint32_t block,
                                uint32_t rows, uint32_t n_items, const void *items, unsigned width,
                                uint32_t n, uint32_t base, uint32_t highest, hd_part *out,
                                hd_err *err);
/* Write directory and header; *file_len is then the length of the file. */
HD_MUST hd_code hd_packer_finish(hd_packer *p, const hd_directory *d, uint64_t *file_len,
                                 hd_err *err);

/* Make scratch at least `need` bytes; the old bytes are wiped, not kept. */
HD_MUST hd_code hd_scratch(uint8_t **p, size_t *cap, size_t need, hd_err *err);

/* pack.c. Items of 1, 2 or 4 bytes as PACKED or RUNS (doc/format.md). */
size_t hd_pack_room(uint32_t n, unsigned width);
/* n > 0 items between base and highest into out (hd_pack_room bytes); `values` is scratch for n
 * items. The length, or 0 when it would not be shorter than the items. */
size_t hd_pack_items(const void *items, unsigned width, uint32_t n, uint32_t base, uint32_t highest,
                     void *values, uint8_t *out, hd_encoding *encoding);
/* spread.c. Item i is the value of the run it lies in; bit i says that a run begins there, as it does
 * at item 0. Looks at HD_SPREAD_PAD bytes before and behind the values, whatever is there. */
enum { HD_SPREAD_PAD = 64 };
void hd_spread_runs(const uint8_t *bitmap, const void *values, unsigned width, uint32_t n, void *out);
uint32_t hd_count_bits(const uint8_t *bitmap, size_t len);
/* Fewer items among which all occur: a run's only once. */
typedef struct hd_unpacked {
    const void *items;
    uint32_t n;
} hd_unpacked;
/* `values` is scratch for n items and twice HD_SPREAD_PAD bytes; *different may lie there.
 * False when `in` is not what n items are packed to. Reads and writes stay inside whatever it
 * holds. */
bool hd_unpack_items(hd_encoding encoding, const uint8_t *in, size_t len, void *values, void *out,
                     unsigned width, uint32_t n, uint32_t base, hd_unpacked *different);
/* The same of items of 4 bytes above base 0, a byte each in memory; false also when one may need
 * more. */
bool hd_unpack_bytes(hd_encoding encoding, const uint8_t *in, size_t len, void *values,
                     uint8_t *out, uint32_t n);

/* builder.c, finish.c. Sort, renumber, seal and write the builder's table; frees what it holds as
 * it goes, so the builder is of no further use. */
HD_MUST hd_code hd_builder_finish(hd_builder *b, hd_file_writer *f, uint64_t *rows,
                                  uint64_t *file_len, hd_err *err);
const char *hd_builder_table(const hd_builder *b);
const hd_column_spec *hd_builder_specs(const hd_builder *b, size_t *n);
/* As hd_builder_new, without the rule for table names. */
HD_MUST hd_code hd_builder_new_any(hd_builder **out, hd_vault *v, const char *table,
                                   const hd_column_spec *columns, size_t n_columns, hd_err *err);

#endif
