/* commands.c - the table of commands; the order is the order of `hdis help`. */
#include "cli/command.h"

const hd_command *const hd_commands[] = {
    NULL,
};
