/* output.h - rows of a built table: computed values, and fields passed through from the source.
 *
 * A field of the catalogue is either computed (named in the derivation's table of computed fields)
 * or taken from the rows that make up the group: first, last or any. Values pass as codes; each
 * source code is looked up in the builder once. Rows go to the builder in blocks.
 */
#ifndef HD_DERIVE_OUTPUT_H
#define HD_DERIVE_OUTPUT_H

#include "derive/source.h"

#define HD_COMPUTED_NONE INT64_MIN /* NULL */

/* One value a derivation works out. Text values are numbers of labels. */
typedef struct hd_computed {
    const char *name;
    hd_type type;
    const char *const *labels; /* HD_TEXT */
} hd_computed;

typedef struct hd_output hd_output;

/* HD_FORMAT: a field of def is neither computed nor from a field of the source. */
HD_MUST hd_code hd_output_open(hd_output **out, hd_vault *v, const hd_table_def *def,
                               hd_source *source, const hd_computed *computed, size_t n_computed,
                               hd_err *err);
void hd_output_free(hd_output *o); /* NULL is allowed */
/* One row made of n_rows > 0 source rows of one person, in order, and the computed values. Rows of
 * a person stay in the order in which they are put. */
HD_MUST hd_code hd_output_put(hd_output *o, uint32_t person, const uint64_t *rows, size_t n_rows,
                              const int64_t *computed, hd_err *err);
/* After the last row: the source is not needed any more. */
HD_MUST hd_code hd_output_end(hd_output *o, hd_err *err);
/* Everything that was put becomes the table in the open transaction. */
HD_MUST hd_code hd_output_publish(hd_output *o, hd_publish *p, hd_err *err);

#endif
