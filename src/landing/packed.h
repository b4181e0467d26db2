/* packed.h - the bytes of a delivered file, unpacked as they are read.
 *
 * gzip and zstd are recognised by their first bytes, never by the file's name; several members or
 * frames one after another are one text. A packed file that ends early, or that carries anything
 * after its last member, is HD_FORMAT: a cut file must not pass for a short one.
 * zlib and zstd are used in this file only. Memory does not depend on the size of the file.
 */
#ifndef HD_LANDING_PACKED_H
#define HD_LANDING_PACKED_H

#include "base/err.h"

typedef struct hd_packed hd_packed;

typedef enum hd_packing {
    HD_PACKING_NONE,
    HD_PACKING_GZIP,
    HD_PACKING_ZSTD,
    HD_PACKING_PARQUET
} hd_packing;

/* Is called for all bytes as delivered (packed), in order, from the first on. */
typedef void hd_packed_watcher(void *ctx, const void *bytes, size_t len);

/* HD_NOTFOUND, HD_IO; HD_FORMAT for an empty file and for archives that must be unpacked first.
 * A Parquet file opens, and must then be read through duck/duck.h. watcher: or NULL. */
HD_MUST hd_code hd_packed_open(hd_packed **out, const char *path, hd_packed_watcher *watcher,
                               void *ctx, hd_err *err);
void hd_packed_close(hd_packed *s); /* NULL is allowed */
hd_packing hd_packed_packing(const hd_packed *s);
/* Up to cap unpacked bytes; *len is 0 only at the end. */
HD_MUST hd_code hd_packed_read(hd_packed *s, void *bytes, size_t cap, size_t *len, hd_err *err);
/* From now on bytes of a file that is not packed are shown to the watcher where hd_packed_read put
 * them, and only when hd_packed_show is called: before they change or go, about `most` of them.
 * What a watcher computes can then fill the pauses of other work. */
void hd_packed_show_later(hd_packed *s);
void hd_packed_show(hd_packed *s, size_t most);
uint64_t hd_packed_size(const hd_packed *s);      /* bytes on disk, 0 when unknown */
uint64_t hd_packed_delivered(const hd_packed *s); /* bytes taken from disk so far */
/* The part of a path after the last slash: what errors and reports call the file. */
const char *hd_packed_name(const char *path);

#endif
