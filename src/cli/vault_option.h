/* vault_option.h - which vault a command works on, and its key file. */
#ifndef HD_CLI_VAULT_OPTION_H
#define HD_CLI_VAULT_OPTION_H

#include "cli/command.h"
#include "vault/vault.h"

typedef struct hd_vault_option {
    const char *vault, *key_file; /* as given; NULL: not given */
} hd_vault_option;

/* The rows for the table of options of a command. */
#define HD_VAULT_OPTION_ROWS(o) {"vault", &(o).vault, NULL}, {"key-file", &(o).key_file, NULL}
/* The lines for its help. */
#define HD_VAULT_OPTION_HELP                                                                       \
    "  --vault DIR       the vault; default: HDIS_VAULT\n"                                         \
    "  --key-file FILE   its keys; default: HDIS_KEY_FILE, else ~/.config/hdis/NAME.key,\n"        \
    "                    NAME being the name of the vault folder\n"

/* Find both paths. Returns HD_EXIT_OK, or prints one line and returns the exit status. The folder
 * is borrowed. */
int hd_vault_option_paths(const hd_command *c, const hd_vault_option *o, const char **folder,
                          char *key_file, size_t size);
/* Find and open. Returns HD_EXIT_OK, or prints one line and returns the exit status. */
int hd_vault_option_open(const hd_command *c, const hd_vault_option *o, bool writes,
                         hd_vault **out);

#endif
