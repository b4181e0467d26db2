/* alone.h - a table of sums against the people in it: who is alone in a withheld sum knows it, and takes
 * it away from what is shown around it.
 *
 * A reader is one contributor: the cells in which nobody else is, as far as the table tells that they are the
 * same person's (a cell and its total, both with one contributor), and the empty cells beside
 * these. What this reader knows is exact, and every other withheld sum must stay as uncertain as it has to be
 * for anybody. tau-ARGUS calls these cells singletons.
 */
#ifndef HD_DISCLOSURE_ALONE_H
#define HD_DISCLOSURE_ALONE_H

#include "disclosure/secondary.h"
#include "disclosure/sheet.h"

typedef struct hd_alone {
    const hd_sheet *t;
    const hd_secondary_cell *cells;    /* t->n_cells: what the secondary pass was asked */
    const hd_secondary_options *options;
    const hd_secondary_result *result; /* ... and found, with nothing unprotected */
    const char *mark;                  /* t->n_cells: withheld before it when not 0 */
} hd_alone;

/* Which sums to withhold besides, so that every reader is as uncertain as anybody: is_held (t->n_cells; what is
 * set stays set). *has_news false: none, the pattern withstands them all. By cells times readers:
 * up to the first limit witnesses prove it, up to the second sum after sum is followed as far as it
 * leads, above it each sum is looked at by itself. HD_DENIED: somebody's sum stays open whatever is
 * withheld around it. Does not depend on the order of cells. */
enum { HD_ALONE_PROVEN = 50000, HD_ALONE_PROPAGATED = 50000000 };
HD_MUST hd_code hd_alone_hold(const hd_alone *a, bool *is_held, bool *has_news, hd_err *err);

#endif
