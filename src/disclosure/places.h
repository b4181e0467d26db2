/* places.h - where cells of a table stand, in words that name no code: "one by age, sex". */
#ifndef HD_DISCLOSURE_PLACES_H
#define HD_DISCLOSURE_PLACES_H

#include "disclosure/sheet.h"

/* The dimensions by which a cell is broken down. */
void hd_places_put(const hd_sheet *t, size_t cell, hd_buf *b);
/* Of the cells that were asked for, how many are had, place by place: "1 of 1 the total; 2 of 3 by
 * age". is_asked, is_had: t->n_cells. */
void hd_places_put_share(const hd_sheet *t, const bool *is_asked, const bool *is_had, hd_buf *b);

#endif
