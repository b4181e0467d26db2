/* cmd_load.c - hdis load: delivered files into the vault, all or nothing. */
#include "cli/commands.h"
#include "cli/landing_option.h"
#include "cli/vault_option.h"
#include "landing/load.h"

#include <inttypes.h>
#include <stdio.h>

static int run(int argc, char **argv);

const hd_command hd_command_load = {
    "load", "check delivered files, pseudonymise them, seal them into the vault",
    "usage: hdis load DATASET FILE... --vault DIR [options]\n\n"
    "Each file holds rows of one extract (PARTYEAR). An extract replaces the whole of its data "
    "year;\n"
    "files of one extract given together are parts of it. Either everything is loaded or nothing\n"
    "changes. What is built from the data set (spells, deliveries) is built "
    "again.\n\n" HD_VAULT_OPTION_HELP HD_LANDING_OPTION_HELP
    "  --replace-newer        let an earlier extract replace a later one\n"
    "\nexample: hdis load apc NIC000000_HES_APC_201499.txt NIC000000_HES_APC_201599.txt\n",
    run};

static hd_code finish(const hd_load *l, const hd_landing_option *o, hd_err *err)
{
    const hd_names *left_out = hd_load_left_out(l);
    if (hd_landing_report(o, hd_load_quality(l), err) != HD_OK)
        return hd_context(err, "the data are loaded, but the report is not written");
    HD_TRY(hd_landing_print(o, hd_load_quality(l), false, err));
    for (size_t i = 0; i < left_out->n; i++)
        printf("left out because of what it holds: %s\n", left_out->items[i]);
    printf("data version %" PRIu64 "\n", hd_load_version(l));
    return HD_OK;
}

static hd_code load(const hd_command *c, const hd_vault_option *vo, const hd_landing_option *o,
                    const hd_load_options *options, char **operands, int n, int *status,
                    hd_err *err)
{
    hd_code rc;
    hd_vault *v = NULL;
    hd_catalogue *cat = NULL;
    hd_load *l = NULL;
    const hd_table_def *t;
    HD_GO(hd_catalogue_open(&cat, hd_catalogue_default_folder(), NULL, err));
    HD_GO(hd_landing_table(cat, operands[0], &t, err));
    *status = hd_vault_option_open(c, vo, true, &v);
    if (*status != HD_EXIT_OK)
        goto out;
    rc = hd_load_files(&l, v, cat, t, options, operands + 1, (size_t)n - 1, err);
    if (rc == HD_OK) {
        rc = finish(l, o, err);
    } else if (l && hd_load_quality(l)) {
        hd_err second; /* the first failure is the one to tell */
        if (hd_landing_report(o, hd_load_quality(l), &second) != HD_OK)
            fprintf(stderr, "hdis load: %s\n", second.text);
    }
out:
    hd_load_free(l);
    hd_vault_close(v);
    hd_catalogue_close(cat);
    return rc;
}

static int run(int argc, char **argv)
{
    const hd_command *c = &hd_command_load;
    hd_vault_option vo = {0};
    hd_landing_option o = {0};
    hd_load_options load_options = {0};
    const hd_option options[] = {HD_VAULT_OPTION_ROWS(vo),
                                 HD_LANDING_OPTION_ROWS(o),
                                 {"replace-newer", NULL, &load_options.replaces_newer},
                                 {NULL, NULL, NULL}};
    char **operands;
    int n;
    int status = hd_options(c, argc, argv, options, &operands, &n);
    if (status != HD_EXIT_OK)
        return status < 0 ? HD_EXIT_OK : status;
    if (n < 2)
        return hd_usage_error(c, "a data set and at least one file are needed");
    status = hd_landing_option_read(c, &o, &load_options.intake);
    hd_err err;
    if (status == HD_EXIT_OK &&
        load(c, &vo, &o, &load_options, operands, n, &status, &err) != HD_OK)
        status = hd_report(c, &err);
    hd_landing_option_free(&o);
    return status;
}
