/* component.h - which releases hang together: those that share a set of records, and those that share
 * one with these, over any number of steps. What one of them says can tell of any other.
 *
 * Release 0 is the answer; earlier ones are numbered from 1 as they are looked at.
 */
#ifndef HD_DISCLOSURE_COMPONENT_H
#define HD_DISCLOSURE_COMPONENT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct hd_component hd_component;

HD_MUST hd_component *hd_component_new(void); /* NULL when memory is out */
void hd_component_free(hd_component *c);      /* NULL is allowed */
/* The release prints this set, or it is a margin of what it prints. Of two sets with the same first
 * sum one is taken for the other: too much is then looked at, never too little. */
HD_MUST hd_code hd_component_name(hd_component *c, uint32_t release, uint64_t sum, hd_err *err);
/* The release hangs together with the answer in another way. */
HD_MUST hd_code hd_component_join(hd_component *c, uint32_t release, hd_err *err);

/* After all names. */
HD_MUST hd_code hd_component_close(hd_component *c, hd_err *err);
bool hd_component_has(const hd_component *c, uint32_t release);
bool hd_component_is_shared(const hd_component *c, uint64_t sum); /* named by two releases or more */

#endif
