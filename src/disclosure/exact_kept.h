/* exact_kept.h - which figures stay exact where all that were asked for cannot.
 *
 * The secondary pass rounds single exact figures where that is enough. Where it leaves figures
 * unprotected, exact figures around these are given up, then all, and afterwards as many are taken
 * back as can be: the owner's first --exact first, of each the grand total, then level by level,
 * the larger first, by halving. The size of the table bounds the number of runs, never a clock.
 *
 * Sizes are those that are printed of a figure that is not exact. A figure of 0 stays exact unless
 * one that it is a part of does not, so that empty categories change nothing.
 */
#ifndef HD_DISCLOSURE_EXACT_KEPT_H
#define HD_DISCLOSURE_EXACT_KEPT_H

#include "disclosure/secondary.h"

/* An exact figure that was asked for and is not 0. */
typedef struct hd_exact_wish {
    uint32_t cell;
    uint32_t option; /* the first --exact that names it */
    uint32_t depth;
    int64_t size;
    uint64_t name; /* the last word between equals */
} hd_exact_wish;

typedef struct hd_exact_outcome {
    bool is_safe;   /* nothing is left unprotected */
    size_t n_shown; /* figures of more than 0 that are exact, and not withheld for others */
} hd_exact_outcome;

typedef struct hd_exact_search {
    /* given by the caller */
    const hd_lattice *lattice;
    const bool *is_asked;              /* n_cells: zeros too */
    hd_exact_wish *wishes;             /* cell, option and size; the rest is made here, and sorted */
    size_t n_wishes;
    const hd_secondary_result *result; /* of the last run */
    /* Protect with these figures exact. */
    HD_MUST hd_code (*run)(void *ctx, const bool *is_exact, hd_exact_outcome *out, hd_err *err);
    void *ctx;
    /* made here */
    bool *is_kept;  /* n_cells: of the wishes */
    bool *is_exact; /* n_cells: what a run is asked for */
    bool *is_given_up;
    hd_exact_outcome last; /* of the last run */
} hd_exact_search;

HD_MUST hd_code hd_exact_search_init(hd_exact_search *s, hd_err *err);
void hd_exact_search_free(hd_exact_search *s);
/* After a run with all of them that was not safe: fewer, in the end none. s->last says whether that
 * is safe. */
HD_MUST hd_code hd_exact_give_up(hd_exact_search *s, hd_err *err);
/* After a safe run: take back what can be and makes more figures exact. The last run is a safe one. */
HD_MUST hd_code hd_exact_give_back(hd_exact_search *s, hd_err *err);

#endif
