/* cmd_synth.c - `hdis synth`: synthetic national files and the truth about them. */
#include "base/counted.h"
#include "cli/commands.h"
#include "synth/synth.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int run(int argc, char **argv);

const hd_command hd_command_synth = {
    .name = "synth",
    .summary = "write synthetic national files in the real layouts",
    .help =
        "usage: hdis synth --out DIR [--people N] [--years 2014-2016] [--seed S] [--dirty 2%]\n\n"
        "Writes HES APC, OP, A&E, critical care and ECDS files of a population that was never\n"
        "there, treated by organisations that do not exist, one file a data set and year, and\n"
        "DIR/truth with every indicator by provider and month (doc/synthetic.md).\n\n"
        "  --out DIR     folder for the files; made when it is not there\n"
        "  --people N    people alive at the start; default 10000\n"
        "  --years A-B   financial years: 2014-2016 is April 2014 to March 2017 (the default)\n"
        "  --seed S      another number, another world; default 1\n"
        "  --dirty P%    share of rows with one content error; default 2%\n"
        "  --replace     remove the files of an earlier run from DIR first\n\n"
        "The same options give the same bytes on any number of threads (HDIS_THREADS).\n\n"
        "example: hdis synth --people 10000 --years 2014-2016 --seed 7 --out /tmp/files\n",
    .run = run,
};

static bool is_synthetic(const char *name)
{
    size_t len = strlen(name);
    return strncmp(name, "NIC000000_", 10) == 0 && len > 4 && strcmp(name + len - 4, ".txt") == 0;
}

/* Years of two runs in one folder are two populations, and the truth is that of the last one only.
 * With `replace` the files of the earlier run are removed; its truth is written anew. */
static hd_code clear_folder(const char *folder, bool replace, hd_err *err)
{
    DIR *d = opendir(folder);
    hd_code rc = HD_OK;
    if (!d)
        return HD_OK; /* not there yet; or writing will say what is wrong */
    for (const struct dirent *e; rc == HD_OK && (e = readdir(d));) {
        if (!is_synthetic(e->d_name) && strcmp(e->d_name, "truth") != 0)
            continue;
        if (!replace)
            rc = hd_fail(err, HD_CONFLICT,
                         "%s holds the files of another run; take another folder, or --replace "
                         "removes them",
                         folder);
        else if (is_synthetic(e->d_name) && unlinkat(dirfd(d), e->d_name, 0) != 0)
            rc = hd_fail_os(err, "cannot remove %s/%s", folder, e->d_name);
    }
    closedir(d);
    return rc;
}

/* A whole number from text, or false. */
static bool read_number(const char *text, uint64_t *out)
{
    if (*text < '0' || *text > '9' || strlen(text) > 19)
        return false;
    char *end;
    *out = strtoull(text, &end, 10);
    return *end == '\0';
}

static bool read_years(const char *text, int *first, int *last)
{
    char end;
    if (strlen(text) == 4 && sscanf(text, "%4d%c", first, &end) == 1) {
        *last = *first;
        return true;
    }
    return strlen(text) == 9 && sscanf(text, "%4d-%4d%c", first, last, &end) == 2;
}

/* "2%" or "2" are both two in a hundred. */
static bool read_percent(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end) / 100;
    return end != text && (*end == '\0' || strcmp(end, "%") == 0);
}

static int run(int argc, char **argv)
{
    const hd_command *c = &hd_command_synth;
    const char *people = "10000", *years = "2014-2016", *seed = "1", *dirty = "2%", *out = NULL;
    bool replace = false;
    const hd_option options[] = {
        {"people", &people, NULL}, {"years", &years, NULL}, {"seed", &seed, NULL},
        {"dirty", &dirty, NULL},   {"out", &out, NULL},     {"replace", NULL, &replace},
        {NULL, NULL, NULL},
    };
    char **operands;
    int n_operands, rc = hd_options(c, argc, argv, options, &operands, &n_operands);
    if (rc != HD_EXIT_OK)
        return rc < 0 ? HD_EXIT_OK : rc;
    if (n_operands)
        return hd_usage_error(c, "unexpected argument %s", operands[0]);
    if (!out)
        return hd_usage_error(c, "--out DIR is needed");
    hd_synth_options o = {.out = out};
    if (!read_number(people, &o.people))
        return hd_usage_error(c, "--people must be a whole number");
    if (!read_years(years, &o.first_year, &o.last_year))
        return hd_usage_error(c, "--years must be like 2014-2016 or 2014");
    if (!read_number(seed, &o.seed))
        return hd_usage_error(c, "--seed must be a whole number");
    if (!read_percent(dirty, &o.dirty))
        return hd_usage_error(c, "--dirty must be like 2%%");
    const char *catalogue = getenv("HDIS_CATALOGUE");
    char folder[PATH_MAX];
    if ((size_t)snprintf(folder, sizeof folder, "%s/organisations",
                         catalogue && *catalogue ? catalogue : HD_CATALOGUE_DIR) >= sizeof folder)
        return hd_usage_error(c, "the path of the catalogue is too long");
    o.folder = folder;
    hd_synth_summary s;
    hd_err err = {0};
    if (clear_folder(out, replace, &err) != HD_OK || hd_synth_write(&o, &s, &err) != HD_OK)
        return hd_report(c, &err);
    printf("%s in %s, %.1f MB, %s with a planted error; the truth is in %s/truth\n",
           hd_counted(s.n_rows, "row").text, hd_counted(s.n_files, "file").text,
           (double)s.n_bytes / 1e6, hd_counted(s.n_dirty, "row").text, out);
    return HD_EXIT_OK;
}
