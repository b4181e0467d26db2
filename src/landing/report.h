/* report.h - the data-quality report: text for a terminal, CSV, and one HTML page.
 *
 * National figures are exact. Below national level (provider and month) a count of 1 to 7 is shown
 * as
 * "*" and other counts are rounded to the nearest 5; a share is worked out from the rounded counts
 * and is "*" when a count behind it, or what is left of it to the whole, is 1 to 7.
 * Completeness is the share of rows with any answer; validity is the share of valid and other among
 * the answers. The page needs no script and no other file.
 */
#ifndef HD_LANDING_REPORT_H
#define HD_LANDING_REPORT_H

#include "base/buf.h"
#include "landing/intake.h"

enum { HD_QUALITY_BYTES = 256 * 1024 * 1024 }; /* ceiling for the buffer of a report */

/* names_missing: name the fields that a file does not have, else say how many they are. */
void hd_quality_text(hd_buf *out, const hd_quality *q, bool names_missing);
/* Files, rows and rules only. */
void hd_quality_summary(hd_buf *out, const hd_quality *q, bool names_missing);
void hd_quality_csv(hd_buf *out, const hd_quality *q);
void hd_quality_html(hd_buf *out, const hd_quality *q);

/* A count below national level, as it may be shown: "0", "*" or a multiple of 5. */
void hd_quality_small(hd_buf *out, uint64_t count);
/* Share in per cent from counts below national level, as it may be shown. */
void hd_quality_small_share(hd_buf *out, uint64_t part, uint64_t whole);
/* The order in which cells are shown: provider, then month. Caller frees with hd_free. */
HD_MUST const hd_quality_cell **hd_quality_sorted(const hd_quality *q);

#endif
