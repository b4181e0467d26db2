/* outer.h - what stands above the aggregates of a question, worked out on safe figures only. */
#ifndef HD_DISCLOSURE_OUTER_H
#define HD_DISCLOSURE_OUTER_H

#include "disclosure/build.h"
#include "disclosure/primary.h"

/* SELECT list, HAVING, ORDER BY, LIMIT of the question. cells gives the keys, and the figures where the policy
 * shows true counts; then it may be left without them. */
HD_MUST hd_code hd_outer_evaluate(hd_release **out, hd_duck *duck, const hd_question *q,
                                  hd_cells *cells, const hd_safe *safe,
                                  const hd_release_origin *origin, hd_err *err);

#endif
