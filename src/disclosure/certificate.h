/* certificate.h - proof that a release protects: witness tables that anyone can add up.
 *
 * A certificate holds the release as it is known (cells, bounds, sums), what is promised of each
 * protected cell, and whole-number tables that all satisfy it. Checking it needs nothing but
 * additions and comparisons and does not know how it was made. It is kept inside: witnesses are not
 * true tables, but a reader gains from seeing them. What goes out is its digest.
 *
 * Text, canonical (same content, same bytes), one record a line:
 *   hdis-certificate 1
 *   cells N
 *   cell LOW HIGH                        N lines, "-" for no bound; when something is promised:
 *   cell LOW HIGH VALUES FROM TO         at least VALUES different values, some <= FROM, some >= TO
 *   rule PARENT CHILD...                 as many as there are
 *   witness V0 V1 ...                    as many as there are
 *   end
 */
#ifndef HD_DISCLOSURE_CERTIFICATE_H
#define HD_DISCLOSURE_CERTIFICATE_H

#include "base/buf.h"
#include "crypto/digest.h"
#include "disclosure/secondary.h"

/* Appends the text; digest (BLAKE2b-256 of it) may be NULL. */
HD_MUST hd_code hd_certificate_write(const hd_secondary_result *r, hd_buf *out,
                                     uint8_t digest[HD_DIGEST], hd_err *err);

typedef struct hd_certificate_summary {
    size_t n_cells, n_rules, n_witnesses, n_promises;
} hd_certificate_summary;

/* Reads and adds up. HD_FORMAT: not a certificate; HD_INVALID: a sum, a bound or a promise fails
 * (says which cell or line by number). */
HD_MUST hd_code hd_certificate_check(const char *text, size_t len, hd_certificate_summary *out,
                                     hd_err *err);
/* Are the bounds of its first n cells those that were printed? low, high: what the release shows; a
 * certificate may know more (closer bounds), never less. HD_INVALID when not. */
HD_MUST hd_code hd_certificate_matches(const char *text, size_t len, const int64_t *low,
                                       const int64_t *high, size_t n, hd_err *err);
/* Are its witnesses tables of this system, which is made from the release and not from the
 * certificate, and are all its sums there? Cells beyond those of the system are left out. */
HD_MUST hd_code hd_certificate_fits(const char *text, size_t len, const hd_system *s, hd_err *err);

#endif
