/* period.h - months as people write them on the command line. */
#ifndef HD_CLI_PERIOD_H
#define HD_CLI_PERIOD_H

#include "base/err.h"

/* "2015-10", or "2015-04..2016-03"; both ends included, as year * 12 + month - 1. HD_INVALID says
 * what is expected. */
HD_MUST hd_code hd_period_parse(const char *text, int *first, int *last, hd_err *err);

#endif
