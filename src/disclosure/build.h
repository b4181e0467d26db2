/* build.h - how disclosure starts a release of its own; other folders derive theirs from one. */
#ifndef HD_DISCLOSURE_BUILD_H
#define HD_DISCLOSURE_BUILD_H

#include "disclosure/release.h"

typedef struct hd_release_origin {
    const char *policy, *policy_version, *legend, *question;
    bool has_true_counts;
    uint64_t data_version;
    bool has_left_out;
    bool has_unknown;
    bool has_rounded;
    bool has_several;
    bool has_near;
    const char *certificate; /* NULL: none */
} hd_release_origin;

HD_MUST hd_release_builder *hd_release_builder_start(const hd_release_origin *o);

/* A column at once, all columns of a release this way or none. Row i has item rows[i] of the values
 * (item i, when rows is NULL) and its mark; marks NULL: none. Copies. */
HD_MUST hd_code hd_release_builder_take(hd_release_builder *b, size_t column,
                                        const hd_vector *values, const char *marks,
                                        const uint32_t *rows, size_t n_rows, hd_err *err);
/* The same of all rows, without marks and without a copy: the values' data become the release's, also
 * when this fails. A column of places may find them changed. */
HD_MUST hd_code hd_release_builder_own(hd_release_builder *b, size_t column,
                                       const hd_vector *values, size_t n_rows, hd_err *err);

#endif
