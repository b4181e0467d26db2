/* rows_as_cells.h - cells for tests that write them down row by row: a cell's keys, its grouping,
 * all its records, its figures. Free with hd_cells_free. */
#ifndef TESTS_UNIT_ROWS_AS_CELLS_H
#define TESTS_UNIT_ROWS_AS_CELLS_H

#include <stdlib.h>

#include "engine/cells.h"
#include "engine/question.h"

static inline hd_cells *rows_as_cells(const hd_question *q, size_t n, const hd_value *keys,
                                      const uint32_t *grouping, const hd_cell *all,
                                      const hd_cell *figures)
{
    hd_cells *c;
    hd_err err;
    if (hd_cells_new_rows(&c, q, n, 0, &err) != HD_OK)
        abort();
    for (size_t i = 0; i < n; i++) {
        hd_cells_put_all(c, i, grouping ? grouping[i] : 0, all ? all[i].records : 0,
                         all ? all[i].persons : 0);
        for (size_t k = 0; k < q->n_keys; k++)
            hd_cells_put_key(c, i, k, keys[i * q->n_keys + k]);
        for (size_t a = 0; a < q->n_aggregates && figures; a++)
            hd_cells_put_figure(c, i, a, figures[i * q->n_aggregates + a]);
    }
    return c;
}

#endif
