/* beside.h - sums, means and the like that a total and the other parts of it give away.
 *
 * Where of the parts of a shown total exactly one is withheld, the part with the fewest records beside
 * it is withheld too. Within one answer only: doc/disclosure.md says so under "Limits".
 */
#ifndef HD_DISCLOSURE_BESIDE_H
#define HD_DISCLOSURE_BESIDE_H

#include "disclosure/primary.h"

/* Goes once through the answer; *added: something was withheld, look again. */
HD_MUST hd_code hd_withhold_beside(const hd_policy_file *p, const hd_question *q,
                                   const hd_cells *cells, hd_safe *safe, bool *added, hd_err *err);

#endif
