/* differences.h - pairs of shown figures of one table that give a small count by subtraction. */
#ifndef HD_DISCLOSURE_DIFFERENCES_H
#define HD_DISCLOSURE_DIFFERENCES_H

#include "disclosure/secondary.h"

/* A difference and the cells whose sum it is. */
typedef struct hd_found_difference {
    uint32_t whole, part;
    const uint32_t *rest; /* borrowed for the call */
    size_t n_rest;
} hd_found_difference;

/* Calls found() for every pair of figures, one a part of the other, whose difference may be
 * sensitive_high or less and is not itself a cell of the table. */
HD_MUST hd_code hd_differences(const hd_lattice *l, const hd_secondary_cell *cells,
                               int64_t sensitive_high,
                               hd_code (*found)(void *ctx, const hd_found_difference *d,
                                                hd_err *err),
                               void *ctx, hd_err *err);

#endif
