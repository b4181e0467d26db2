/* ops.h - the steps of a batch that have a form for each instruction set; see batch.c.
 *
 * Inside src/kernel only. Every set of steps gives the same results; ops_portable.c is plain C and
 * what the others are compared with. All steps are pure: they read codes, lookup tables and scratch
 * and write scratch.
 *
 * Lengths: n is at most HD_K_BATCH. Scratch arrays have HD_K_PAD items more than that, and steps
 * may write there. Columns of codes end where they end and are never read beyond their n items.
 *
 * Steps that read a column also ask for what lies `ahead` items further on, for a batch to come: the
 * processor by itself looks no further than a page and gets half of what memory could deliver. 0 where
 * nothing lies there, as in scratch.
 */
#ifndef HD_KERNEL_OPS_H
#define HD_KERNEL_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HD_K_BATCH = 1024, /* what is between two steps stays in the first cache, beside a small table */
    HD_K_AHEAD = 4096,
    HD_K_PAD = 64,
    HD_K_MANY = 16 * HD_K_BATCH,  /* rows of batches that are put together where few are selected */
    HD_K_WORDS = HD_K_BATCH / 64, /* of a selection: bit r is row r of the batch */
    HD_K_STEPS = 10,
    HD_K_FAR = 128 /* tables that are looked up in registers are read to a multiple of this */
};

/* What each code of a column adds to the signature of a row. */
typedef struct hd_k_adds {
    uint32_t n_codes;
    const uint8_t *by_code; /* n_codes, then zeros up to 256 at least, and 3 more */
    /* The same as a sum of steps: by[k] for codes from[k] and above. More than HD_K_STEPS: not so.
     */
    unsigned n_steps;
    uint32_t from[HD_K_STEPS];
    uint8_t by[HD_K_STEPS];
    /* The same where some codes add `bit_adds` and all others nothing: a bit for each code, zeros up to a
     * multiple of HD_K_FAR bytes. NULL: not so. */
    const uint8_t *bits;
    uint8_t bit_adds;
} hd_k_adds;

/* The signature of a pair of sums: of[first + size * second], n in all, then zeros up to a multiple of
 * HD_K_FAR and 3 more. */
typedef struct hd_k_joined {
    const uint8_t *of;
    uint32_t size, n;
} hd_k_joined;

typedef struct hd_k_ops {
    const char *name;
    unsigned picks_below; /* rows are picked one by one when fewer than one in so many are selected,
                           * else packed */
    /* sums[r] += what codes[r] adds, modulo 256. */
    void (*add8)(const uint8_t *codes, size_t n, size_t ahead, const hd_k_adds *a, uint8_t *sums);
    void (*add16)(const uint16_t *codes, size_t n, size_t ahead, const hd_k_adds *a, uint8_t *sums);
    /* first[r] = the signature of first[r] and second[r]. */
    void (*join)(uint8_t *first, const uint8_t *second, size_t n, const hd_k_joined *joined);
    /* Rows whose sum is marked in keep[256] by 1 (else 0): their bits, and how many. Bits from n on
     * are 0, up to the end of the word. */
    size_t (*keep)(const uint8_t *sums, size_t n, const uint8_t *keep, uint64_t *selection);
    /* The items of selected rows, one after another. */
    void (*pack8)(const uint64_t *selection, const uint8_t *in, size_t n, size_t ahead,
                  uint8_t *out);
    void (*pack16)(const uint64_t *selection, const uint16_t *in, size_t n, size_t ahead,
                   uint16_t *out);
    void (*pack32)(const uint64_t *selection, const uint32_t *in, size_t n, size_t ahead,
                   uint32_t *out);
    /* The selected rows themselves, counted on from `from`. */
    void (*positions)(const uint64_t *selection, size_t n, uint16_t from, uint16_t *out);
    /* keys[r] = before[r] + stride * (codes[r] - lowest), or stride * slots[codes[r]] (256 slots), or
     * stride * by_code[codes[r]], where by_code has as many as there are codes. Codes below lowest are
     * taken for it. before is NULL for 0, or keys, or lies elsewhere, and has the room of scratch. */
    void (*key8)(const uint8_t *codes, size_t n, size_t ahead, uint32_t lowest, uint32_t stride,
                 const uint32_t *before, uint32_t *keys);
    void (*key16)(const uint16_t *codes, size_t n, size_t ahead, uint32_t lowest, uint32_t stride,
                  const uint32_t *before, uint32_t *keys);
    void (*look8)(const uint8_t *codes, size_t n, size_t ahead, const uint32_t *by_code,
                  uint32_t stride, const uint32_t *before, uint32_t *keys);
    void (*look16)(const uint16_t *codes, size_t n, size_t ahead, const uint32_t *by_code,
                   uint32_t stride, const uint32_t *before, uint32_t *keys);
    void (*key_slots)(const uint8_t *codes, size_t n, size_t ahead, const uint8_t *slots,
                      uint32_t stride, const uint32_t *before, uint32_t *keys);
    /* Bits of rows, HD_K_MANY at most, at which something begins; those from n on are 0, up to the end of
     * the word. Of the selected rows, one bit each: whether something begins at the row or after the selected one
     * before it. *pending: whether it did after the last one; kept from batch to batch. */
    void (*begins_of)(const uint64_t *selection, const uint64_t *begins, size_t n, bool *pending,
                      uint64_t *out);
    /* Groups of neighbours: one begins where a person does, and where a key is not that of the row
     * before. False where a key is less than one before it of the same person. */
    bool (*groups)(const uint32_t *keys, const uint64_t *begins, size_t n, uint64_t *groups);
    /* Rows that are not alone in their group, and the last one, which may not be: their places, and the
     * numbers of their groups, counted on from *group. Returns how many; n is not 0. */
    size_t (*shared)(const uint64_t *groups, size_t n, uint32_t *group, uint16_t *rows,
                     uint32_t *numbers);
    /* Runs of equal cells inside a group, or of equal cells where `groups` is NULL: cell and number of
     * the group of each (counted on from *group), and its first row. Returns how many; at[how many] is n,
     * which is not 0. */
    size_t (*runs)(const uint32_t *cells, const uint64_t *groups, size_t n, uint32_t *group,
                   uint32_t *run_cells, uint32_t *run_groups, uint16_t *at);
} hd_k_ops;

extern const hd_k_ops hd_k_ops_portable;
#if defined(__x86_64__)
extern const hd_k_ops hd_k_ops_avx2, hd_k_ops_avx512;
#endif

/* Steps of kernel `number` of this machine, best first; NULL for the scalar one. False: no more. */
bool hd_k_ops_find(size_t number, const hd_k_ops **out);

#endif
