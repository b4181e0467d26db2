/* made.h - columns whose codes a scan makes while it goes on: elements of lists, and expressions
 * over several columns that are too long to stay.
 *
 * Such a column has an address for every row, as a stored one has, and its codes are made block by
 * block from stored columns that are there. A block that several lanes want is made once. Where the
 * column may stay, its blocks stay; else each goes with the last that reads it, and is wiped.
 */
#ifndef HD_ENGINE_MADE_H
#define HD_ENGINE_MADE_H

#include "engine/combine.h"

typedef struct hd_made hd_made;

/* Whether a column of so many bytes may stay with the engine: it is small beside the limit. */
bool hd_made_may_stay(const hd_engine *e, uint64_t bytes);
/* What the blocks in hand of such a column take at most; 0 where they stay. */
uint64_t hd_made_block_bytes(const hd_engine *e, hd_table *t, hd_operand s);

/* The column of an operand that is made (combine.h); of one that stays, the engine's own. */
HD_MUST hd_code hd_made_open(hd_engine *e, hd_table *t, hd_operand s, hd_made **out, hd_err *err);
/* An element of a list that is there as a whole; it stays with the engine. */
HD_MUST hd_code hd_made_whole(hd_engine *e, hd_table *t, hd_operand s, const hd_column *list,
                              hd_made **out, hd_err *err);
void hd_made_close(hd_made *m); /* nothing is entered */
void hd_made_free_all(hd_made *first); /* what stayed with an engine; NULL is allowed */

/* The codes of a row, from hd_made_open on; what is in them, between enter and leave. */
const void *hd_made_data(const hd_made *m);
unsigned hd_made_width(const hd_made *m);
/* Where its codes are made from: a stored column. All of them before the first block is entered. */
void hd_made_set_source(hd_made *m, size_t column, const hd_column *from);
/* The sources of the block are there until leave. Any thread. */
void hd_made_enter(hd_made *m, uint32_t block);
void hd_made_leave(hd_made *m, uint32_t block);

#endif
