/* derive.h - built tables (spells, continuous_spells, deliveries) from the rows of a landed one.
 *
 * A derivation reads the rows of one person in order, groups them, and writes one row a group. What
 * it does is fixed in doc/catalogue.md ("Built tables") and doc/methods.md; which fields a built
 * table has, and its code lists and limits, are data of the catalogue. Rows that are linked to no
 * person (person 0) never join with others.
 *
 * Invariant: derived tables are written in the transaction that wrote their source, so the two
 * always agree. The result depends on the source table and the catalogue only.
 */
#ifndef HD_DERIVE_DERIVE_H
#define HD_DERIVE_DERIVE_H

#include "catalogue/catalogue.h"
#include "vault/vault.h"

/* Rebuild, inside the open transaction, every built table made from changed_table, and every table
 * made from those. Nothing to do is fine. Source columns are loaded as needed and unloaded again.
 * HD_FORMAT: the catalogue names an unknown derivation, field or parameter; the text says which. */
HD_MUST hd_code hd_derive_tables(hd_publish *p, hd_vault *v, const hd_catalogue *c,
                                 const char *changed_table, hd_err *err);

#endif
