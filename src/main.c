/* main.c - the argument table to a command, and nothing else. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

static void print_help(FILE *out)
{
    fputs("hdis - hospital data interrogation system\n\n"
          "usage: hdis COMMAND [--help] ...\n\n",
          out);
    for (const hd_command *const *c = hd_commands; *c; c++)
        fprintf(out, "  %-13s %s\n", (*c)->name, (*c)->summary);
    fputs("\n--vault DIR (or HDIS_VAULT) names the vault. Exit status: 0 done, 1 refused or failed\n"
          "with one line on standard error, 2 bad usage.\n",
          out);
}

int main(int argc, char **argv)
{
    /* Keys and records are in this memory: no core file, no tracing by others. */
    prctl(PR_SET_DUMPABLE, 0);
    if (argc < 2) {
        print_help(stderr);
        return HD_EXIT_USAGE;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return HD_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("hdis " HD_VERSION);
        return HD_EXIT_OK;
    }
    for (const hd_command *const *c = hd_commands; *c; c++)
        if (strcmp((*c)->name, argv[1]) == 0)
            return (*c)->run(argc - 1, argv + 1);
    fprintf(stderr, "hdis: unknown command '%s'; see hdis help\n", argv[1]);
    return HD_EXIT_USAGE;
}
