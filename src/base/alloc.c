/* alloc.c - see alloc.h. The only file that may call malloc and free. */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "base/fault.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_FROM = 4 << 20 };

/* Large memory comes straight from the system: a fault for every 2 MiB instead of 4 KiB, and far fewer
 * misses of the address cache when it is used at random. */
static void *with_huge_pages(void *p, size_t size)
{
    enum { PAGE = 4096 };
    if (p && size >= HUGE_FROM) {
        uintptr_t first = ((uintptr_t)p + PAGE - 1) / PAGE * PAGE;
        madvise((void *)first, ((uintptr_t)p + size - first) / PAGE * PAGE, MADV_HUGEPAGE);
    }
    return p;
}

void *hd_malloc(size_t size)
{
    if (hd_fault(HD_FAULT_ALLOC))
        return NULL;
    return with_huge_pages(malloc(size ? size : 1), size);
}

void *hd_calloc(size_t n, size_t size)
{
    if (hd_fault(HD_FAULT_ALLOC))
        return NULL;
    return with_huge_pages(calloc(n ? n : 1, size ? size : 1), n * size);
}

void *hd_realloc(void *p, size_t size)
{
    if (hd_fault(HD_FAULT_ALLOC))
        return NULL;
    return realloc(p, size ? size : 1);
}

void *hd_realloc_n(void *p, size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total))
        return NULL;
    return hd_realloc(p, total);
}

void hd_alloc_keep(void)
{
    /* The first is the most that glibc takes; both are its own choice otherwise, which it learns from the
     * first few blocks that are freed. */
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

void *hd_huge_alloc(size_t size)
{
    if (hd_fault(HD_FAULT_ALLOC))
        return NULL;
    void *p = aligned_alloc(HD_HUGE_PAGE, size);
    if (p)
        madvise(p, size, MADV_HUGEPAGE);
    return p;
}

char *hd_strndup(const char *s, size_t len)
{
    char *copy = hd_malloc(len + 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *hd_strdup(const char *s)
{
    return hd_strndup(s, strlen(s));
}

void hd_free(void *p)
{
    free(p);
}

void hd_wipe_free(void *p, size_t len)
{
    if (!p)
        return;
    explicit_bzero(p, len);
    free(p);
}

void *hd_secret_map(size_t len)
{
    if (hd_fault(HD_FAULT_ALLOC))
        return NULL;
    void *p = mmap(NULL, len ? len : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    madvise(p, len ? len : 1, MADV_DONTDUMP);
    if (len >= HUGE_FROM) /* a fault for every 2 MiB instead of 4 KiB: faults cost more than AES */
        madvise(p, len, MADV_HUGEPAGE);
    return p;
}

void hd_secret_unmap(void *p, size_t len)
{
    if (!p)
        return;
    explicit_bzero(p, len);
    munmap(p, len ? len : 1);
}

void hd_clean_unmap(void *p, size_t len)
{
    if (p)
        munmap(p, len ? len : 1);
}

void hd_secret_give_back(void *from, size_t len)
{
    enum { PAGE = 4096 };
    explicit_bzero(from, len);
    uintptr_t first = ((uintptr_t)from + PAGE - 1) / PAGE * PAGE;
    uintptr_t end = ((uintptr_t)from + len) / PAGE * PAGE;
    if (first < end)
        madvise((void *)first, end - first, MADV_DONTNEED);
}

void hd_secret_small_pages(void *p, size_t len)
{
    if (len > 0)
        madvise(p, len, MADV_NOHUGEPAGE);
}

bool hd_grow_(void **array, size_t *cap, size_t item)
{
    size_t next = *cap ? *cap * 2 : 16;
    void *p = hd_realloc_n(*array, next, item);
    if (!p)
        return false;
    *array = p;
    *cap = next;
    return true;
}
