/* cmd_init.c - hdis init: an empty vault and its keys. */
#include "cli/commands.h"
#include "cli/vault_option.h"

#include <limits.h>
#include <stdio.h>

static int run(int argc, char **argv);

const hd_command hd_command_init = {
    "init", "make an empty vault and its key file",
    "usage: hdis init --vault DIR [--key-file FILE]\n\n"
    "Makes the folder DIR (it must be new or empty) and a key file. Everything in the vault is\n"
    "sealed; without the key file nothing in it can be read, by anybody. The key file must lie\n"
    "outside the vault. Keep a copy of it in a safe place, and never one with the "
    "data.\n\n" HD_VAULT_OPTION_HELP
    "\nexample: hdis init --vault /srv/hdis/vault --key-file /etc/hdis/vault.key\n",
    run};

static int run(int argc, char **argv)
{
    const hd_command *c = &hd_command_init;
    hd_vault_option o = {0};
    const hd_option options[] = {HD_VAULT_OPTION_ROWS(o), {NULL, NULL, NULL}};
    char **operands, key_file[PATH_MAX];
    const char *folder;
    int n;
    int status = hd_options(c, argc, argv, options, &operands, &n);
    if (status != HD_EXIT_OK)
        return status < 0 ? HD_EXIT_OK : status;
    if (n > 0)
        return hd_usage_error(c, "unexpected '%s'", operands[0]);
    status = hd_vault_option_paths(c, &o, &folder, key_file, sizeof key_file);
    if (status != HD_EXIT_OK)
        return status;
    hd_err err;
    if (hd_vault_create(folder, key_file, &err) != HD_OK)
        return hd_report(c, &err);
    printf("vault     %s\n"
           "key file  %s\n"
           "Without the key file the vault cannot be read. Keep a copy of it in a safe place, and\n"
           "never store it with the data.\n",
           folder, key_file);
    return HD_EXIT_OK;
}
