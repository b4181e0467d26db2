/* machine.c - see machine.h. */
#include "cli/machine.h"
#include "base/alloc.h"
#include "base/par.h"
#include "crypto/secret.h"
#include "crypto/seal.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

/* Larger than the caches of nearly all machines; sealed blocks are of the size of a vault's. */
enum { BUFFER = 1 << 30, PARTS = 64, TRIES = 5, BLOCK = 1 << 16, BLOCKS = 1024 };

struct buffer {
    uint64_t *words;
    size_t n_words; /* a multiple of 8 * PARTS */
};

double hd_machine_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The shortest of a few tries of all tasks. */
static hd_code best_time(size_t n_tasks, hd_code (*task)(void *ctx, size_t task, hd_err *err),
                         void *ctx, double *seconds, hd_err *err)
{
    *seconds = 1e9;
    for (int i = 0; i < TRIES; i++) {
        double start = hd_machine_seconds();
        HD_TRY(hd_par_run(n_tasks, task, ctx, err));
        double taken = hd_machine_seconds() - start;
        *seconds = taken < *seconds ? taken : *seconds;
    }
    return HD_OK;
}

/* A line of memory at a time, in the widest registers there are, and lines to come asked for: reading number
 * by number gets half of what the memory can deliver. */
typedef uint64_t line __attribute__((vector_size(64), may_alias));

#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static void add_lines(const line *p, size_t n, line *sums)
{
    enum { AHEAD = 64 };
    line sum = {0};
    for (size_t i = 0; i < n; i++) {
        __builtin_prefetch(&p[i + AHEAD]);
        sum += p[i];
    }
    *sums = sum;
}

static hd_code read_part(void *ctx, size_t task, hd_err *err)
{
    (void)err;
    const struct buffer *b = ctx;
    size_t n = b->n_words / PARTS / 8;
    line sum;
    add_lines((const line *)b->words + task * n, n, &sum);
    uint64_t all = 0;
    for (size_t k = 0; k < 8; k++)
        all += sum[k];
    __asm__ volatile("" : : "r"(all));
    return HD_OK;
}

hd_code hd_machine_read_speed(double *bytes_a_second, hd_err *err)
{
    double seconds;
    /* An eighth of a small machine's memory. */
    uint64_t most = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 8;
    size_t bytes = most < BUFFER ? (size_t)(most / (64 * PARTS) * (64 * PARTS)) : BUFFER;
    struct buffer b = {hd_huge_alloc(bytes), bytes / 8};
    if (!b.words)
        return hd_fail_nomem(err);
    memset(b.words, 1, bytes);
    hd_code rc = best_time(PARTS, read_part, &b, &seconds, err);
    hd_free(b.words);
    *bytes_a_second = (double)bytes / seconds;
    return rc;
}

static const uint8_t key[HD_SEAL_KEY] = "no secret: seals random numbers", nonce[HD_SEAL_NONCE];

static hd_code open_part(void *ctx, size_t task, hd_err *err)
{
    const uint8_t *sealed = ctx;
    hd_sealer *s = NULL;
    hd_code rc;
    (void)task;
    uint8_t *plain = hd_malloc(BLOCK);
    HD_GO(plain ? HD_OK : hd_fail_nomem(err));
    HD_GO(hd_sealer_new(&s, key, err));
    for (int i = 0; i < BLOCKS / 16 && rc == HD_OK; i++)
        if (!hd_unseal(s, nonce, NULL, 0, sealed, BLOCK, plain))
            rc = hd_fail(err, HD_CRYPTO, "a block that was just sealed does not open");
out:
    hd_sealer_free(s);
    hd_free(plain);
    return rc;
}

hd_code hd_machine_open_speed(double *bytes_a_second, hd_err *err)
{
    hd_sealer *s = NULL;
    double seconds;
    hd_code rc;
    uint8_t *plain = hd_calloc(BLOCK, 1), *sealed = hd_malloc(BLOCK + HD_SEAL_TAG);
    HD_GO(plain && sealed ? HD_OK : hd_fail_nomem(err));
    HD_GO(hd_crypto_start(err));
    HD_GO(hd_sealer_new(&s, key, err));
    HD_GO(hd_seal(s, nonce, NULL, 0, plain, BLOCK, sealed, err));
    HD_GO(best_time(16, open_part, sealed, &seconds, err));
    *bytes_a_second = (double)BLOCK * BLOCKS / seconds;
out:
    hd_sealer_free(s);
    hd_free(plain);
    hd_free(sealed);
    return rc;
}
