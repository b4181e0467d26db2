/* optout.h - the people whose rows are left out before anything else is done with them. */
#ifndef HD_LANDING_OPTOUT_H
#define HD_LANDING_OPTOUT_H

#include "base/intern.h"

/* Ids of a file, one a line, or the first column of a CSV file (a first line that is no id is its
 * header), in the notation of hd_normal_id. NHS numbers or the ids of the person field. Caller
 * frees with hd_intern_free, which wipes them. HD_FORMAT: empty, or a line of several fields where
 * the first line has one. */
HD_MUST hd_code hd_opt_outs_read(hd_intern **out, const char *path, hd_err *err);

#endif
