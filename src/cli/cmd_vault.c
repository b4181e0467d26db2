/* cmd_vault.c - hdis vault: look at a vault and check it. */
#include "base/alloc.h"
#include "base/counted.h"
#include "cli/commands.h"
#include "cli/vault_option.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int run(int argc, char **argv);

const hd_command hd_command_vault = {
    "vault", "what a vault holds, and whether it is whole",
    "usage: hdis vault status --vault DIR [--key-file FILE]\n"
    "       hdis vault verify --vault DIR [--key-file FILE]\n\n"
    "status  data version, tables with rows and bytes, extracts with their years\n"
    "verify  open every block of every table and check it, and the ledger with its "
    "log\n\n" HD_VAULT_OPTION_HELP,
    run};

static hd_code status(hd_vault *v, hd_err *err)
{
    hd_table_info *tables = NULL;
    hd_extract *extracts = NULL;
    size_t n_tables, n_extracts;
    hd_code rc;
    HD_GO(hd_vault_tables(v, &tables, &n_tables, err));
    HD_GO(hd_vault_extracts(v, &extracts, &n_extracts, err));
    printf("vault         %s\ndata version  %" PRIu64 "\n", hd_vault_folder(v),
           hd_vault_data_version(v));
    if (n_tables)
        printf("\n%-20s %14s %16s %8s\n", "table", "rows", "bytes", "version");
    for (size_t i = 0; i < n_tables; i++)
        printf("%-20s %14" PRIu64 " %16" PRIu64 " %8" PRIu64 "\n", tables[i].table, tables[i].rows,
               tables[i].bytes, tables[i].data_version);
    if (n_extracts)
        printf("\n%-20s %8s %8s %14s %14s  %s\n", "extract", "year", "part", "rows kept",
               "rejected", "loaded");
    for (size_t i = 0; i < n_extracts; i++) {
        const hd_extract *x = &extracts[i];
        printf("%-20s %5d-%02d %8d %14" PRIu64 " %14" PRIu64 "  %s\n", x->table, x->data_year,
               (x->data_year + 1) % 100, x->part_year, x->rows_kept, x->rows_rejected,
               x->loaded_at);
    }
out:
    hd_free(tables);
    hd_free(extracts);
    return rc;
}

static hd_code verify(hd_vault *v, hd_err *err)
{
    hd_table_info *tables = NULL;
    size_t n;
    uint64_t rows = 0, bytes = 0;
    HD_TRY(hd_vault_verify(v, err));
    HD_TRY(hd_vault_tables(v, &tables, &n, err));
    for (size_t i = 0; i < n; i++) {
        rows += tables[i].rows;
        bytes += tables[i].bytes;
    }
    hd_free(tables);
    printf("%s is whole: %s, %s, %s\n", hd_vault_folder(v), hd_counted(n, "table").text,
           hd_counted(rows, "row").text, hd_counted(bytes, "byte").text);
    return HD_OK;
}

static const struct verb {
    const char *name;
    hd_code (*run)(hd_vault *v, hd_err *err);
} verbs[] = {{"status", status}, {"verify", verify}};

static int run(int argc, char **argv)
{
    const hd_command *c = &hd_command_vault;
    hd_vault_option o = {0};
    const hd_option options[] = {HD_VAULT_OPTION_ROWS(o), {NULL, NULL, NULL}};
    char **operands;
    int n;
    int exit_status = hd_options(c, argc, argv, options, &operands, &n);
    if (exit_status != HD_EXIT_OK)
        return exit_status < 0 ? HD_EXIT_OK : exit_status;
    const struct verb *verb = NULL;
    for (size_t i = 0; n == 1 && i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, operands[0]) == 0)
            verb = &verbs[i];
    if (!verb)
        return hd_usage_error(c, "say status or verify");
    hd_vault *v;
    hd_err err;
    exit_status = hd_vault_option_open(c, &o, false, &v);
    if (exit_status != HD_EXIT_OK)
        return exit_status;
    if (verb->run(v, &err) != HD_OK)
        exit_status = hd_report(c, &err);
    hd_vault_close(v);
    return exit_status;
}
