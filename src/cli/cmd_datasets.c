/* cmd_datasets.c - `hdis datasets`: the tables there are to ask. */
#include "catalogue/catalogue.h"
#include "cli/commands.h"
#include "cli/listing.h"

#include <stdio.h>
#include <string.h>

static int run(int argc, char **argv);

const hd_command hd_command_datasets = {
    "datasets", "the tables there are to ask",
    "usage: hdis datasets [--format table|csv|json]\n\n"
    "Lists every table of the catalogue: what one row is, how many fields can be asked for,\n"
    "which table it is made from, and where the definition comes from.\n"
    "hdis fields TABLE shows the fields of one.\n\n"
    "  --format NAME   table, csv or json (table)\n",
    run};

static size_t count_askable(const hd_table_def *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_fields; i++)
        n += t->fields[i].kind != HD_FIELD_IDENTIFYING;
    return n;
}

static void add_rows(hd_listing *l, const hd_catalogue *c)
{
    l->numbers = 1u << 2;
    HD_LISTING_ROW(l, "table", "title", "fields", "made from", "one row is (source)");
    for (int built = 0; built < 2; built++)
        for (size_t i = 0; i < hd_catalogue_n_tables(c); i++) {
            const hd_table_def *t = hd_catalogue_table_at(c, i);
            char fields[24], unit[200];
            if (t->is_built != built)
                continue;
            snprintf(fields, sizeof fields, "%zu", count_askable(t));
            snprintf(unit, sizeof unit, "%s (%s)", t->unit, t->source);
            HD_LISTING_ROW(l, t->name, t->title, fields, t->is_built ? t->from : "files", unit);
        }
}

static int run(int argc, char **argv)
{
    const char *format = "table";
    const hd_option options[] = {{"format", &format, NULL}, {NULL, NULL, NULL}};
    char **operands;
    int n;
    int rc = hd_options(&hd_command_datasets, argc, argv, options, &operands, &n);
    if (rc != HD_EXIT_OK)
        return rc < 0 ? HD_EXIT_OK : rc;
    if (n > 0)
        return hd_usage_error(&hd_command_datasets, "unexpected '%s'", operands[0]);
    if ((rc = hd_listing_check(&hd_command_datasets, format)) != HD_EXIT_OK)
        return rc;
    hd_catalogue *c = NULL;
    hd_listing l = {0};
    hd_err err;
    hd_code code = hd_catalogue_open(&c, hd_catalogue_default_folder(), NULL, &err);
    if (code == HD_OK) {
        add_rows(&l, c);
        code = hd_listing_print(&l, format, &err);
        if (code == HD_OK && strcmp(format, "table") == 0)
            printf("\ncatalogue version %s, %s\n", hd_catalogue_version(c),
                   hd_catalogue_folder(c));
    }
    hd_listing_free(&l);
    hd_catalogue_close(c);
    return code == HD_OK ? HD_EXIT_OK : hd_report(&hd_command_datasets, &err);
}
