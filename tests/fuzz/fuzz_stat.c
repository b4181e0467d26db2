/* fuzz_stat.c - `hdis stat`: the first line is the method and its options, the rest is the table.
 * Whatever the bytes are, the command ends with 0, 1 or 2. Options that name files or ask for hours
 * of simulation are left out.
 */
#define _GNU_SOURCE 1
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const hd_command hd_command_stat;

static bool is_left_out(const char *word)
{
    static const char *const words[] = {"--in",          "--out",     "--settings", "--grouping",
                                        "--repetitions", "--horizon", "--patients", "-h",
                                        "--help"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(word, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char line[512], path[64], *argv[64] = {"stat"}, *save = NULL;
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t len = end ? (size_t)(end - data) : 0;
    int argc = 1;
    if (!end || len >= sizeof line)
        return 0;
    memcpy(line, data, len);
    line[len] = '\0';
    for (char *w = strtok_r(line, " ", &save); w && argc < 60; w = strtok_r(NULL, " ", &save)) {
        if (is_left_out(w))
            return 0;
        argv[argc++] = w;
    }
    static bool quiet;
    if (!quiet) { /* refusals and results are not what is looked at */
        quiet = freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr);
        if (!quiet)
            abort();
    }
    int fd = memfd_create("table", 0);
    if (fd < 0 || write(fd, end + 1, size - len - 1) != (ssize_t)(size - len - 1))
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    argv[argc++] = "--in";
    argv[argc++] = path;
    argv[argc] = NULL;
    int rc = hd_command_stat.run(argc, argv);
    close(fd);
    if (rc != HD_EXIT_OK && rc != HD_EXIT_FAILED && rc != HD_EXIT_USAGE)
        abort();
    return 0;
}
