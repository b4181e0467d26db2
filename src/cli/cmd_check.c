/* cmd_check.c - hdis check: what is in a delivered file, and would it load? Needs no vault. */
#include "cli/commands.h"
#include "cli/landing_option.h"

#include <stdio.h>

static int run(int argc, char **argv);

const hd_command hd_command_check = {
    "check", "data quality of delivered files; nothing is loaded",
    "usage: hdis check DATASET FILE... [options]\n\n"
    "Reads the files whole and says what `hdis load` would say: rows that cannot be read, "
    "validity\n"
    "and completeness of every field (valid, other, default, invalid, missing), agreement between\n"
    "fields, columns that are unknown, missing, or hold identifiers. Exit status 0: they would\n"
    "load; 1: they would not, and why.\n\n" HD_LANDING_OPTION_HELP
    "\nexample: hdis check apc NIC000000_HES_APC_201499.txt --report quality.html\n",
    run};

static hd_code check(const hd_catalogue *cat, const hd_landing_option *o,
                     const hd_intake_options *options, const char *name, char *const *files, int n,
                     hd_err *err)
{
    const hd_table_def *t;
    hd_intake *in = NULL;
    hd_code rc;
    HD_TRY(hd_landing_table(cat, name, &t, err));
    HD_TRY(hd_intake_new(&in, cat, t, options, NULL, err));
    for (int i = 0; i < n; i++)
        HD_GO(hd_intake_file(in, files[i], err));
    hd_intake_finish(in);
    /* The report first: whoever reads standard output may stop reading (| head). */
    HD_GO(hd_landing_report(o, hd_intake_quality(in), err));
    HD_GO(hd_landing_print(o, hd_intake_quality(in), true, err));
    rc = hd_intake_verdict(in, err);
out:
    hd_intake_free(in);
    return rc;
}

static int run(int argc, char **argv)
{
    const hd_command *c = &hd_command_check;
    hd_landing_option o = {0};
    hd_intake_options intake;
    const hd_option options[] = {HD_LANDING_OPTION_ROWS(o), {NULL, NULL, NULL}};
    char **operands;
    int n;
    int status = hd_options(c, argc, argv, options, &operands, &n);
    if (status != HD_EXIT_OK)
        return status < 0 ? HD_EXIT_OK : status;
    if (n < 2)
        return hd_usage_error(c, "a data set and at least one file are needed");
    status = hd_landing_option_read(c, &o, &intake);
    if (status == HD_EXIT_OK) {
        hd_err err;
        hd_catalogue *cat = NULL;
        intake.is_check = true;
        hd_code rc = hd_catalogue_open(&cat, hd_catalogue_default_folder(), NULL, &err);
        if (rc == HD_OK)
            rc = check(cat, &o, &intake, operands[0], operands + 1, n - 1, &err);
        if (rc != HD_OK)
            status = hd_report(c, &err);
        hd_catalogue_close(cat);
    }
    hd_landing_option_free(&o);
    return status;
}
