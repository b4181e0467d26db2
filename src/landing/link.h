/* link.h - critical care gets its persons from apc: files of cc name the episode (SUSRECID) and no
 * person. The map from key to person is made from the stored key column of the other table.
 */
#ifndef HD_LANDING_LINK_H
#define HD_LANDING_LINK_H

#include "catalogue/catalogue.h"
#include "vault/vault.h"

typedef struct hd_link hd_link;

/* Keys of column `key` of a table to its persons; of several rows with one key the first counts. */
HD_MUST hd_code hd_link_new(hd_link **out, hd_table *from, const char *key, hd_err *err);
void hd_link_free(hd_link *l);                           /* NULL is allowed */
uint32_t hd_link_person(const hd_link *l, uint64_t key); /* 0: unknown */

/* Is `t` a table whose persons come from `from` by a key? */
bool hd_link_depends(const hd_table_def *t, const char *from);
/* Write table t again inside the transaction, with the persons that its source has now. Nothing to
 * do when t is not loaded. */
HD_MUST hd_code hd_link_again(hd_publish *p, hd_vault *v, const hd_table_def *t, hd_err *err);

#endif
