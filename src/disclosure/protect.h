/* protect.h - any table from a file to what may be shown of it.
 *
 * True figures come in and a release goes out: primary pass, then secondary suppression until every
 * figure that the policy protects is proven to keep its possible values, then the certificate that
 * proves it. The decisions of the second step rest on what the first one shows.
 */
#ifndef HD_DISCLOSURE_PROTECT_H
#define HD_DISCLOSURE_PROTECT_H

#include "disclosure/release.h"

typedef struct hd_protect_options {
    const char *file;
    const char *dims; /* comma-separated */
    const char *count, *people, *value, *contributors, *weight; /* columns; NULL: not given */
    const char *largest;     /* comma-separated columns: the largest contributors, in order */
    const char *sensitive;   /* file of cells to withhold, or NULL */
    const char *percent;     /* dimension whose total is 100, or NULL */
    const char *total;       /* code of margins, NULL: Total */
    const char *const *hierarchies, *const *exact, *const *wanted; /* "dim=FILE", "dim=code" */
    size_t n_hierarchies, n_exact, n_wanted;
    const struct hd_tick *tick; /* NULL, or: called while it takes long (search.h) */
} hd_protect_options;

typedef struct hd_protect_report {
    size_t n_cells, n_primary, n_helpers, n_exact, n_asked; /* n_asked: by --exact */
    hd_buf exact; /* how many are exact, place by place */
    char digest[65]; /* of the certificate, hexadecimal */
    hd_buf certificate;
} hd_protect_report;

/* HD_DENIED: figures remain that nothing protects. The report is freed by the caller in any case. */
HD_MUST hd_code hd_protect(hd_release **out, const hd_protect_options *o, const hd_policy *p,
                           hd_protect_report *report, hd_err *err);
void hd_protect_report_free(hd_protect_report *r);

#endif
