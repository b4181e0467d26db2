/* definition.h - what the definitions of an answer's figures say of their records (engine/spans.h), kept so
 * that a later answer is seen to count a part of the same records, or all of them and more.
 *
 * Figures of one name without the span of one column are a family: the figure without that span counts
 * all that the others count, and those whose spans of that column have no value in common count
 * different records.
 */
#ifndef HD_DISCLOSURE_DEFINITION_H
#define HD_DISCLOSURE_DEFINITION_H

#include "disclosure/sets.h"

/* A span's share of the name of a figure. */
uint64_t hd_definition_of_span(const hd_span *s);

/* classes: of the columns of the sets; slots: of the cells, by key, UINT32_MAX where it is summed over. */
HD_MUST hd_code hd_definitions_make(hd_definitions *out, const hd_chosen *c, const hd_question *q,
                                 const hd_sets *sets, const unsigned *classes, const uint32_t *slots,
                                 hd_err *err);

/* Every value of b is one of a's, or none is. False where the values are too many to be kept. */
bool hd_span_holds(const hd_span *a, const uint32_t *values_a, const hd_span *b, const uint32_t *values_b);
bool hd_span_is_apart(const hd_span *a, const uint32_t *values_a, const hd_span *b,
                      const uint32_t *values_b);

#endif
