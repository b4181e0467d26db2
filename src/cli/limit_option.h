/* limit_option.h - how much a question may use, and how it is stopped: --memory-limit, --time-limit,
 * ^C. A stopped question ends with one line and status 1; nothing is half written. */
#ifndef HD_CLI_LIMIT_OPTION_H
#define HD_CLI_LIMIT_OPTION_H

#include "cli/command.h"
#include "engine/question.h"

typedef struct hd_limit_option {
    const char *memory, *time; /* as given; NULL: not given */
} hd_limit_option;

/* The rows for the table of options of a command. */
#define HD_LIMIT_OPTION_ROWS(o) {"memory-limit", &(o).memory, NULL}, {"time-limit", &(o).time, NULL}
/* The lines for its help. */
#define HD_LIMIT_OPTION_HELP                                                                       \
    "  --memory-limit SIZE       of one question, as 512MB or 2GB; default: HDIS_MEMORY_LIMIT,\n"  \
    "                            else columns as they come and 4 GB for the rest\n"                \
    "  --time-limit SECONDS      of the command; default: HDIS_TIME_LIMIT, else none\n"

/* Read them, and let ^C and the time limit stop questions from now on. Returns HD_EXIT_OK, or prints
 * one line and returns the exit status. */
int hd_limit_option_read(const hd_command *c, const hd_limit_option *o, hd_engine_limits *out);

#endif
