/* intern.h - byte strings to small dense numbers 0, 1, 2, ... in order of first appearance.
 *
 * The one hash table of hdis: dictionaries, header names, code lists. Not safe for use by several
 * threads at once while it grows.
 */
#ifndef HD_BASE_INTERN_H
#define HD_BASE_INTERN_H

#include "base/err.h"

typedef struct hd_intern hd_intern;

#define HD_INTERN_NONE UINT32_MAX

HD_MUST hd_intern *hd_intern_new(void); /* NULL when memory is out */
void hd_intern_free(hd_intern *t);      /* wipes; NULL is allowed  */
/* The number of the string, adding it when new. HD_NOMEM, or HD_LIMIT past 2^32-2 entries. */
HD_MUST hd_code hd_intern_add(hd_intern *t, const void *bytes, size_t len, uint32_t *out,
                              hd_err *err);
uint32_t hd_intern_find(const hd_intern *t, const void *bytes, size_t len); /* or HD_INTERN_NONE */
uint32_t hd_intern_count(const hd_intern *t);
/* Borrowed until the next add. */
const char *hd_intern_get(const hd_intern *t, uint32_t id, size_t *len);

/* A fast 64-bit hash of bytes; not keyed, never stored. */
uint64_t hd_hash64(const void *bytes, size_t len);

#endif
