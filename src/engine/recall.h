/* recall.h - what an engine remembers between questions: things by key, bounded in bytes.
 *
 * A thing belongs to the store and to whoever has found it and not yet dropped it, so nothing in
 * use is ever freed. When the store is full the thing that was not looked at for longest goes
 * first; one that is larger than the whole store is given to its maker and not remembered.
 * Threads: as the engine, one at a time.
 */
#ifndef HD_ENGINE_RECALL_H
#define HD_ENGINE_RECALL_H

#include "base/err.h"

typedef struct hd_recall hd_recall;
typedef struct hd_recalled {
    void *thing;
} hd_recalled;

HD_MUST hd_recall *hd_recall_new(size_t max_bytes); /* NULL when memory is out */
void hd_recall_free(hd_recall *r);                  /* NULL is allowed */
void hd_recall_forget(hd_recall *r);                /* everything */

/* NULL: not remembered. Give it back with hd_recalled_drop. */
hd_recalled *hd_recall_find(hd_recall *r, const char *key, size_t len);
/* Remember a thing under a key that is not there; bytes is what it holds beside the key. The store
 * frees it with `release`, now when this fails. Give *out back with hd_recalled_drop. */
HD_MUST hd_code hd_recall_keep(hd_recall *r, const char *key, size_t len, void *thing, size_t bytes,
                               void (*release)(void *thing), hd_recalled **out, hd_err *err);
/* The thing of that key, if it is there, holds so many bytes more than was said. */
void hd_recall_charge(hd_recall *r, const char *key, size_t len, size_t bytes);
void hd_recalled_drop(hd_recalled *x); /* NULL is allowed */

#endif
