/* load.h - delivered files into the vault: one transaction, all or nothing.
 *
 * A data year is replaced whole by an extract with an equal or later PARTYEAR; the rows of other
 * years are carried over. What is built from the table (spells, links of critical care) is built
 * again in the same transaction. Until the commit nothing in the vault changes, so a refused file,
 * a full disk, an interrupt or a crash leave it as it was.
 */
#ifndef HD_LANDING_LOAD_H
#define HD_LANDING_LOAD_H

#include "landing/intake.h"

typedef struct hd_load_options {
    hd_intake_options intake;
    bool replaces_newer; /* an earlier extract may replace a later one */
} hd_load_options;

typedef struct hd_load hd_load;

/* Read the files and publish. *out is set also after a failure once reading has begun, so that the
 * report can be written; caller frees it. HD_CONFLICT: the vault holds a later extract of a year.
 */
HD_MUST hd_code hd_load_files(hd_load **out, hd_vault *v, const hd_catalogue *c,
                              const hd_table_def *t, const hd_load_options *options,
                              char *const *files, size_t n_files, hd_err *err);
void hd_load_free(hd_load *l);                       /* NULL is allowed */
const hd_quality *hd_load_quality(const hd_load *l); /* NULL when reading never began */
/* With allowed identifiers: the columns that were left out because of what they hold. */
const hd_names *hd_load_left_out(const hd_load *l);
uint64_t hd_load_version(const hd_load *l); /* data version published, 0: none */

#endif
