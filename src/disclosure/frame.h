/* frame.h - a system written by its free cells: every other cell is a sum of them.
 *
 * Cells whose bounds leave one value are constants. Among the others the equations are solved with
 * pivots of size 1 only, so that whole numbers for the free cells give whole numbers everywhere.
 * What is left to satisfy are bounds: a row says that a constant plus a sum of free cells lies
 * between two bounds. An equation that offers no such pivot stays as a row between 0 and 0.
 */
#ifndef HD_DISCLOSURE_FRAME_H
#define HD_DISCLOSURE_FRAME_H

#include "disclosure/system.h"

typedef struct hd_term {
    uint32_t index; /* a free cell's number, or a row's */
    int32_t coefficient;
} hd_term;

enum { HD_FRAME_LANES = 8 };
enum { HD_FRAME_CONSTANT = 0, HD_FRAME_FREE = 1, HD_FRAME_ROW = 2 };

typedef struct hd_frame {
    size_t n_cells, n_free, n_rows; /* rows of cells first, then equations left over */
    size_t n_cell_rows;
    uint32_t largest;    /* coefficient, in size */
    uint8_t *kind;       /* n_cells: HD_FRAME_* */
    uint32_t *place;     /* n_cells: its number among the free cells or the rows */
    uint32_t *free_cell; /* n_free */
    uint32_t *row_cell;  /* n_cell_rows */
    int64_t *constant;   /* n_rows */
    size_t *row_start;   /* n_rows + 1 */
    hd_term *row_term;
    /* The same by free cell, in two columns. Each cell's list is filled up to a multiple of
     * HD_FRAME_LANES with coefficients of 0 on row n_rows, which is none: for work on many at once. */
    size_t *free_start; /* n_free + 1 */
    uint32_t *free_row;
    int32_t *free_coefficient;
} hd_frame;

/* is_open (n_cells, or NULL): cells to treat as unknown although their bounds leave one value,
 * because those bounds may be opened later. HD_INVALID when an equation of constants fails; HD_LIMIT
 * when coefficients pass 2^20 or the terms max_terms. */
HD_MUST hd_code hd_frame_new(hd_frame *f, const hd_system *s, const bool *is_open,
                             size_t max_terms, hd_err *err);
void hd_frame_free(hd_frame *f);

#endif
