/* vault_option.c - see vault_option.h. */
#include "cli/vault_option.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

int hd_vault_option_paths(const hd_command *c, const hd_vault_option *o, const char **folder,
                          char *key_file, size_t size)
{
    hd_err err;
    *folder = o->vault ? o->vault : getenv("HDIS_VAULT");
    if (!*folder || !**folder)
        return hd_usage_error(c, "which vault? Name it with --vault DIR or HDIS_VAULT");
    if (!o->key_file) {
        if (hd_vault_default_key_file(*folder, key_file, size, &err) != HD_OK)
            return hd_report(c, &err);
    } else if ((size_t)snprintf(key_file, size, "%s", o->key_file) >= size) {
        return hd_usage_error(c, "the path of the key file is too long");
    }
    return HD_EXIT_OK;
}

int hd_vault_option_open(const hd_command *c, const hd_vault_option *o, bool writes, hd_vault **out)
{
    const char *folder;
    char key_file[PATH_MAX];
    hd_err err;
    *out = NULL;
    int status = hd_vault_option_paths(c, o, &folder, key_file, sizeof key_file);
    if (status != HD_EXIT_OK)
        return status;
    if (hd_vault_open(out, folder, key_file, writes, &err) != HD_OK)
        return hd_report(c, &err);
    return HD_EXIT_OK;
}
