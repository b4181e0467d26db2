/* command.h - one row a command: parser, help and dispatch read the same table (commands.c). */
#ifndef HD_CLI_COMMAND_H
#define HD_CLI_COMMAND_H

#include "base/err.h"

typedef struct hd_command {
    const char *name;
    const char *summary; /* one line for `hdis help` */
    const char *help;    /* text of `hdis NAME --help`: usage, options, examples */
    int (*run)(int argc, char **argv); /* argv[0] is the command; returns the exit status */
} hd_command;

extern const hd_command *const hd_commands[]; /* ends with NULL */

enum { HD_EXIT_OK = 0, HD_EXIT_FAILED = 1, HD_EXIT_USAGE = 2 };

/* An option that may be given several times. */
typedef struct hd_option_list {
    const char *items[64];
    size_t n;
} hd_option_list;

/* Options of a command: a table, parsed by hd_options. */
typedef struct hd_option {
    const char *name;     /* without the dashes */
    const char **value;   /* takes a value, stored here; */
    bool *flag;           /* or is a switch, set here; */
    hd_option_list *list; /* or takes a value each time */
} hd_option;

/* Parse argv; operands (not options) are moved to the front and counted. Options may stand anywhere;
 * "--" ends them. Prints one line and returns HD_EXIT_USAGE for an unknown option or a missing value;
 * prints help and returns -1 for --help; else HD_EXIT_OK. options ends with a row without a name. */
int hd_options(const hd_command *c, int argc, char **argv, const hd_option *options, char ***operands,
               int *n_operands);

/* Print "hdis NAME: text" on standard error and return HD_EXIT_FAILED. */
int hd_report(const hd_command *c, const hd_err *err);
int hd_usage_error(const hd_command *c, const char *fmt, ...) HD_PRINTF(2, 3);

#endif
