/* cells.h - true counts. Nothing that writes output may take them: only disclosure/ turns cells into
 * a release. A test reads the #includes: engine/ and disclosure/ may include this file, and
 * present/, indicators/, web/, cli/ may not.
 */
#ifndef HD_ENGINE_CELLS_H
#define HD_ENGINE_CELLS_H

#include "base/value.h"

typedef struct hd_cell {
    hd_value value;  /* NULL where SQL says NULL (avg of nothing) */
    int64_t records; /* rows that contributed */
    int64_t persons; /* distinct linked people among them; rows linked to nobody add none */
} hd_cell;

typedef struct hd_cells {
    size_t n_keys, n_aggregates, n_cells;
    hd_value *keys;     /* n_cells * n_keys */
    uint32_t *grouping; /* n_cells: bit k set when key k is summed over (GROUPING SETS, ROLLUP, CUBE) */
    hd_cell *all;       /* n_cells: every record of the cell, whatever the aggregates' filters */
    hd_cell *figures;   /* n_cells * n_aggregates */
    char *text_;        /* backing bytes of text keys */
} hd_cells;

void hd_cells_free(hd_cells *c); /* wipes; NULL is allowed */

#endif
