/* outer.h - what stands above the aggregates of a question, worked out on safe figures only. */
#ifndef HD_DISCLOSURE_OUTER_H
#define HD_DISCLOSURE_OUTER_H

#include "disclosure/build.h"
#include "disclosure/primary.h"

/* SELECT list, HAVING, ORDER BY, LIMIT of the question. cells gives the keys only. */
HD_MUST hd_code hd_outer_evaluate(hd_release **out, hd_duck *duck, const hd_question *q,
                                  const hd_cells *cells, const hd_safe *safe,
                                  const hd_release_origin *origin, hd_err *err);
/* The two ways of it: by DuckDB, which can do everything, and (only where hd_outer_is_plain) without. */
HD_MUST hd_code hd_outer_by_duckdb(hd_release **out, hd_duck *duck, const hd_question *q,
                                   const hd_cells *cells, const hd_safe *safe,
                                   const hd_release_origin *origin, hd_err *err);
HD_MUST hd_code hd_outer_plain(hd_release **out, const hd_question *q, const hd_cells *cells,
                               const hd_safe *safe, const hd_release_origin *origin, hd_err *err);
bool hd_outer_is_plain(const hd_question *q);

#endif
