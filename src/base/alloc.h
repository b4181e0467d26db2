/* alloc.h - every allocation of hdis goes through here.
 *
 * Reason: a test can make the n-th allocation fail (fault.h) and see that nothing is lost. Sizes
 * that multiply are checked for overflow. All return NULL when memory is out; the caller returns
 * hd_fail_nomem(err). Third-party libraries keep their own allocators.
 */
#ifndef HD_BASE_ALLOC_H
#define HD_BASE_ALLOC_H

#include "base/err.h"

HD_MUST void *hd_malloc(size_t size);
HD_MUST void *hd_calloc(size_t n, size_t size);             /* zeroed; overflow-checked */
HD_MUST void *hd_realloc(void *p, size_t size);             /* on NULL, p is still owned */
HD_MUST void *hd_realloc_n(void *p, size_t n, size_t size); /* overflow-checked */
HD_MUST char *hd_strdup(const char *s);
HD_MUST char *hd_strndup(const char *s, size_t len);
void hd_free(void *p);                  /* NULL is allowed */
void hd_wipe_free(void *p, size_t len); /* wipes first; NULL is allowed */

/* What is freed from now on stays with the process, up to 256 MB that lie together: the next question takes
 * much the same, and pages fresh from the system can take longer to come than to be used. */
void hd_alloc_keep(void);

/* Memory that will be used at random: on pages of 2 MiB where the system has them, at the start of one;
 * size must be a multiple of that. Not zeroed. hd_free takes it back. */
#define HD_HUGE_PAGE ((size_t)2 << 20)
HD_MUST void *hd_huge_alloc(size_t size);

/* Large memory for decrypted columns: anonymous mapping, zeroed, left out of core files
 * (MADV_DONTDUMP), wiped when released. NULL when memory is out; len 0 gives a valid pointer. */
HD_MUST void *hd_secret_map(size_t len);
void hd_secret_unmap(void *p, size_t len);
void hd_clean_unmap(void *p, size_t len); /* the caller has wiped it */
/* Wipe a part of it and give the pages that hold nothing else back to the system: zeros again. */
void hd_secret_give_back(void *from, size_t len);
/* A mapping that is given back in parts: pages of 2 MiB hold too much. */
void hd_secret_small_pages(void *p, size_t len);

/* Make room for one more item in a growing array; doubles. */
#define HD_GROW(array, count, cap)                                                                 \
    ((count) < (cap)                                                                               \
         ? true                                                                                    \
         : hd_grow_((void **)(void *)&(array), &(cap), sizeof *(array)))
HD_MUST bool hd_grow_(void **array, size_t *cap, size_t item);

#endif
