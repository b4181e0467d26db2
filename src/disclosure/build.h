/* build.h - how disclosure starts a release of its own; other folders derive theirs from one. */
#ifndef HD_DISCLOSURE_BUILD_H
#define HD_DISCLOSURE_BUILD_H

#include "disclosure/release.h"

typedef struct hd_release_origin {
    const char *policy, *policy_version, *legend, *question;
    bool has_true_counts;
    uint64_t data_version;
    bool has_left_out;
    bool has_near;
    const char *certificate; /* NULL: none */
} hd_release_origin;

HD_MUST hd_release_builder *hd_release_builder_start(const hd_release_origin *o);

#endif
