/* fuzz_protect.c - the table and hierarchy parsers of hdis protect and hdis audit. Input: the first
 * line is "protect" or "audit" and options, then the table, then after a line "--" a hierarchy of
 * the dimension a. Whatever the bytes are, the command ends with 0, 1 or 2.
 */
#define _GNU_SOURCE 1
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/commands.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Options that name files or run other programs. */
static bool is_left_out(const char *word)
{
    static const char *const words[] = {"--out", "-o", "--lp", "--certificate", "--provenance",
                                        "--hierarchy", "--sensitive", "-h", "--help"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(word, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

static int put_file(const uint8_t *bytes, size_t size, const char *prefix, char path[64])
{
    int fd = memfd_create("part", 0);
    if (fd < 0 || (size && write(fd, bytes, size) != (ssize_t)size))
        abort();
    snprintf(path, 64, "%s/proc/self/fd/%d", prefix, fd);
    return fd;
}

static void be_quiet(void)
{
    static bool quiet;
    if (!quiet) { /* refusals and results are not what is looked at */
        quiet = freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr);
        if (!quiet)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char line[512], table[64], tree[64], *argv[64], *save = NULL;
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t len = end ? (size_t)(end - data) : 0;
    int argc = 0, tree_fd = -1;
    /* A larger one only takes longer: the search is bounded, but not by fractions of a second. */
    if (!end || len >= sizeof line || size > 4096)
        return 0;
    memcpy(line, data, len);
    line[len] = '\0';
    for (char *w = strtok_r(line, " ", &save); w && argc < 56; w = strtok_r(NULL, " ", &save)) {
        if (is_left_out(w))
            return 0;
        argv[argc++] = w;
    }
    if (argc == 0)
        return 0;
    const hd_command *c = strcmp(argv[0], "audit") == 0 ? &hd_command_audit : &hd_command_protect;
    be_quiet();
    const uint8_t *rest = end + 1, *stop = data + size;
    const uint8_t *cut = memmem(rest, (size_t)(stop - rest), "\n--\n", 4);
    int table_fd = put_file(rest, (size_t)((cut ? cut + 1 : stop) - rest), "", table);
    if (cut) {
        tree_fd = put_file(cut + 4, (size_t)(stop - cut) - 4, "a=", tree);
        argv[argc++] = "--hierarchy";
        argv[argc++] = tree;
    }
    argv[argc++] = table;
    argv[argc] = NULL;
    int rc = c->run(argc, argv);
    close(table_fd);
    if (tree_fd >= 0)
        close(tree_fd);
    if (rc != HD_EXIT_OK && rc != HD_EXIT_FAILED && rc != HD_EXIT_USAGE)
        abort();
    return 0;
}
