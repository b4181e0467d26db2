/* margins.h - the margins of a release, asked or not, as sets with the rows that make them. */
#ifndef HD_DISCLOSURE_MARGINS_H
#define HD_DISCLOSURE_MARGINS_H

#include "disclosure/account.h"

enum { HD_MARGIN_LEVELS = 512 };

/* Called for every set of a margin that is not empty, with the cells of which it is made. */
typedef hd_code (*hd_take_margin)(void *ctx, const hd_account *a, size_t column,
                                  const uint64_t sum[2], const uint32_t *cells, size_t n_cells,
                                  hd_err *err);

/* How often each person is in the cells together, if no person is in two of them; else what no set has. */
void hd_margin_profile(const hd_account *a, size_t column, const uint32_t *cells, size_t n_cells,
                       uint64_t out[2]);

/* One margin: the rows of grouping set `fine` by the keys of `coarse`. */
HD_MUST hd_code hd_margins_each(const hd_account *a, size_t column, uint32_t coarse, uint32_t fine,
                                hd_take_margin take, void *ctx, hd_err *err);
/* Every margin of every column. */
HD_MUST hd_code hd_margins_walk(const hd_account *a, hd_take_margin take, void *ctx, hd_err *err);

/* The margins that were not asked, as rows of an account without keys, for unions.h: up to HD_MARGIN_WHOLES
 * of them, the grand total first; none of a table with more rows than HD_MARGIN_CELLS. */
enum { HD_MARGIN_WHOLES = 512, HD_MARGIN_CELLS = 4096 };
HD_MUST hd_code hd_margins_make(hd_account *out, const hd_account *a, hd_err *err);

/* The margins that are looked at: all of them while the keys are few, else those asked, their
 * intersections and the grand total. Returns how many. */
size_t hd_margin_levels(const hd_account *a, uint32_t levels[HD_MARGIN_LEVELS]);
/* Asked sets above `mask` with no other asked set between. Returns how many. */
size_t hd_margin_finer(const hd_account *a, uint32_t mask, uint32_t out[HD_ACCOUNT_SETS]);
bool hd_margin_is_asked(const hd_account *a, uint32_t mask);

#endif
