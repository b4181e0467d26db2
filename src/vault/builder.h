/* builder.h - the inside of a builder, shared by builder.c (taking rows in) and finish.c.
 *
 * Rows come in chunks of at most HD_BLOCK_ROWS. Every kind of number of a chunk is a stream:
 * persons, order keys, and for each column its codes (or keys) and, for lists, its counts. From the
 * moment they come in, the items of a chunk have the least width that holds them all. When a chunk
 * is full its streams are put away, several at a time: the first HD_STAGE_KEPT bytes in memory,
 * which is all that many tables need; the rest is sealed and appended to the staging file. A chunk
 * of nothing but zeros (a column that no file delivers) takes no room, in memory or in the file.
 * Dictionaries stay in memory. Nothing of a row is ever in a file in the clear.
 */
#ifndef HD_VAULT_BUILDER_H
#define HD_VAULT_BUILDER_H

#include "base/intern.h"
#include "vault/internal.h"

enum { HD_STAGE_KEPT = 128 * 1024 * 1024 };

typedef struct hd_record { /* one chunk of one stream */
    uint8_t *kept; /* in memory; NULL: in the staging file */
    uint64_t at;   /* there */
    uint32_t items;
    uint8_t width; /* 0: all items are 0, nothing is stored */
} hd_record;

typedef struct hd_stream {
    bool is_wide;   /* items of 8 bytes come in, else of 4 */
    uint8_t *items; /* the chunk being filled; cap bytes */
    size_t n_items, cap;
    uint8_t width; /* of its items; 0: all are 0, and `items` was not touched */
    hd_record *records;
    size_t n_records, records_cap;
    uint64_t total; /* items in records and chunk */
} hd_stream;

typedef struct hd_built_column {
    hd_column_spec spec;
    hd_intern *values; /* value number i is code i + 1; NULL for keys */
    uint8_t *used;     /* by code: a row has it. Other values do not reach the file */
    size_t used_len;
    uint32_t n_used;   /* codes that are marked so */
    uint32_t max_count;
} hd_built_column;

enum { HD_STREAM_PERSONS, HD_STREAM_ORDER, HD_STREAM_COLUMNS };

typedef struct hd_stager { /* what one thread needs to stage streams */
    hd_sealer *sealer;
    uint8_t *sealed;
    size_t sealed_cap;
} hd_stager;

struct hd_builder {
    hd_vault *vault;
    char table[64];
    hd_column_spec *specs; /* n_columns */
    hd_built_column *columns;
    size_t n_columns;
    hd_stream *streams; /* persons, order, then data and counts of each column */
    size_t n_streams;
    uint64_t n_rows;
    int fd; /* staging file, without a name */
    uint64_t staged_len; /* changed atomically, as the next */
    uint64_t kept_len;
    uint64_t keeps; /* so many at most: HD_STAGE_KEPT, or what a test says */
    uint8_t *key;        /* secret memory */
    hd_stager *stagers;  /* n_stagers */
    size_t n_stagers;
    size_t next_stream; /* to be staged; changed atomically */
};

static inline size_t hd_data_stream(size_t column)
{
    return HD_STREAM_COLUMNS + 2 * column;
}
static inline size_t hd_counts_stream(size_t column)
{
    return HD_STREAM_COLUMNS + 2 * column + 1;
}

/* Seal what is in the chunk, all streams. */
HD_MUST hd_code hd_builder_flush(hd_builder *b, hd_err *err);

/* Reading staged records back; one for each thread. */
typedef struct hd_stage_reader {
    const hd_builder *builder;
    hd_sealer *sealer;
    uint8_t *sealed, *plain;
    size_t sealed_cap, plain_cap;
} hd_stage_reader;

HD_MUST hd_code hd_stage_reader_init(hd_stage_reader *r, const hd_builder *b, hd_err *err);
void hd_stage_reader_fini(hd_stage_reader *r);
/* The record's items, `width` bytes each as staged (width 0: *out is NULL, all are 0); borrowed
 * until the next read. */
HD_MUST hd_code hd_stage_read(hd_stage_reader *r, size_t stream, size_t record, const uint8_t **out,
                              hd_err *err);
/* The stream was read for the last time: what is kept of it in memory goes. */
void hd_stage_forget(hd_builder *b, size_t stream);
/* arrange.c. Where each row goes: by person, then order key, then arrival. *out has the arriving
 * row of each output position (release with hd_secret_unmap, n * 4 bytes), or is NULL when the rows
 * arrived in order. */
HD_MUST hd_code hd_arrange(const uint32_t *persons, const int64_t *keys, uint32_t n, uint32_t **out,
                           hd_err *err);

void hd_built_column_free(hd_built_column *c);

#endif
