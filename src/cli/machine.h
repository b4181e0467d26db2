/* machine.h - what this machine can do at most: reading memory, opening sealed blocks. Bytes a
 * second with as many threads as hdis uses; the best of several tries. */
#ifndef HD_CLI_MACHINE_H
#define HD_CLI_MACHINE_H

#include "base/err.h"

HD_MUST hd_code hd_machine_read_speed(double *bytes_a_second, hd_err *err);
HD_MUST hd_code hd_machine_open_speed(double *bytes_a_second, hd_err *err);
double hd_machine_seconds(void); /* of a clock that only goes forward */

#endif
