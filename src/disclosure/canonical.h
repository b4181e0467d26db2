/* canonical.h - a system in an order of its own: by content, then by name, never by position.
 *
 * Everything that chooses or searches works on this form, so that the order in which rows and
 * columns were written cannot matter. Cells that are known to be 0 are left out: they change no sum,
 * and a category without records must change no decision.
 */
#ifndef HD_DISCLOSURE_CANONICAL_H
#define HD_DISCLOSURE_CANONICAL_H

#include "disclosure/system.h"

typedef struct hd_canonical {
    hd_system system;
    uint32_t *from; /* system.n_cells: the cell of the source */
    uint32_t *to;   /* source n_cells: the cell here, or UINT32_MAX: left out, 0 */
} hd_canonical;

/* content: one number a cell for all that matters about it beside its place in the sums. */
HD_MUST hd_code hd_canonical_new(hd_canonical *out, const hd_system *s, const uint64_t *content,
                                 hd_err *err);
void hd_canonical_free(hd_canonical *c);

/* One number into another, for making content. */
static inline uint64_t hd_mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * UINT64_C(0x9E3779B97F4A7C15);
    h ^= h >> 29;
    h *= UINT64_C(0xBF58476D1CE4E5B9);
    return h ^ (h >> 32);
}

#endif
