/* spans.h - what the definition of a figure says of its records, column by column.
 *
 * A condition or a key that reads one column leaves some of its values: a span. The records of a
 * figure are those that have a value in each of its spans. So who knows the questions, and no
 * record, knows that a figure with one span more than another counts a part of what that one counts,
 * and that two figures whose spans of one column have no value in common have no record in common.
 *
 * A test on the elements of a list, and conditions on several columns joined by OR, are columns of
 * their own, which have the value true or not.
 */
#ifndef HD_ENGINE_SPANS_H
#define HD_ENGINE_SPANS_H

#include "base/err.h"

enum { HD_SPAN_VALUES = 4096 };

typedef struct hd_span {
    uint64_t column; /* its name */
    uint64_t name;   /* of the values that are left */
    uint32_t first, n; /* they themselves, in hd_spans.values; n 0: more than HD_SPAN_VALUES */
    uint32_t fewest, most; /* events of a person, where the column says how many there are; else 0 */
} hd_span;

typedef struct hd_spans {
    hd_span *at;
    size_t n, cap_;
    uint32_t *values; /* hashes, of each span ascending */
    size_t n_values, values_cap_;
    bool are_known; /* else the definition says more than there is room for, or is DuckDB's to read */
} hd_spans;

void hd_spans_free(hd_spans *s);

/* Add a span with these values, which are put in order; n above HD_SPAN_VALUES: they are not kept. */
HD_MUST hd_code hd_spans_add(hd_spans *s, hd_span span, uint32_t *values, size_t n, hd_err *err);

#endif
