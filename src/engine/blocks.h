/* blocks.h - the blocks of rows that a scan reads: which may matter, and their coming and going.
 *
 * What the directory says of a block's codes tells for each condition which truths a row in it can
 * have; a block in which `where` can be true of no row is neither read nor opened. The rest comes
 * through the vault's feed, while the kernel's lanes work on other blocks.
 *
 * Invariant: a block is left out only when no row of it passes `where`, so answers are the same.
 */
#ifndef HD_ENGINE_BLOCKS_H
#define HD_ENGINE_BLOCKS_H

#include "engine/made.h"
#include "engine/scan_plan.h"

typedef struct scan_blocks {
    const hd_engine *engine;
    hd_engine_progress *progress; /* or NULL */
    hd_table *t;
    hd_feed *feed;
    hd_k_feed view; /* what the kernel sees */
    size_t *columns; /* of the table, as the feed has them */
    size_t n_columns, columns_cap;
    hd_operand *operands; /* of the columns that are made of those, and the columns: */
    hd_made **made;
    size_t n_made, operands_cap;
    uint8_t *wanted; /* by block */
    uint32_t n_blocks, n_wanted;
} scan_blocks;

/* wanted[b] = 0 where no row of block b can pass the plan's condition. */
HD_MUST hd_code hd_blocks_wanted(const scan_plan *p, hd_table *t, uint8_t *wanted,
                                 uint32_t *n_wanted, hd_err *err);

/* Everything is ready to be read by a scan, and nothing has been read. HD_LIMIT: it does not fit,
 * also not block by block. */
HD_MUST hd_code hd_blocks_open(scan_blocks *out, scan_plan *p, hd_table *t, hd_err *err);
/* The same for a scan that is part of another: it tells nobody how far it has come. must_stream: see
 * hd_feed_wish. */
HD_MUST hd_code hd_blocks_open_part(scan_blocks *out, scan_plan *p, hd_table *t, bool must_stream,
                                    hd_err *err);
/* The same with every block, the numbers of persons, and one column more; for who reads rows beside the
 * plan. */
HD_MUST hd_code hd_blocks_open_all(scan_blocks *out, scan_plan *p, hd_table *t,
                                   const hd_operand *also, hd_err *err);
void hd_blocks_close(scan_blocks *b); /* all zero is allowed */
/* The column as it comes; false: it does not come block by block. */
bool hd_blocks_column(const scan_blocks *b, hd_operand s, hd_column *out);

#endif
