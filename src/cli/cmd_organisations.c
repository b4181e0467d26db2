/* cmd_organisations.c - `hdis organisations`: what the lookups hold, and real files in place of the
 * fictional ones. */
#include "base/counted.h"
#include "base/io.h"
#include "catalogue/catalogue.h"
#include "catalogue/ods.h"
#include "cli/commands.h"
#include "cli/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);

const hd_command hd_command_organisations = {
    "organisations", "lookups of organisations, and real ones from ODS files",
    "usage: hdis organisations [--vault DIR] [--format table|csv]\n"
    "       hdis organisations import --ods DIR (--vault DIR | --out DIR)\n"
    "                                 [--peers FILE] [--places FILE]\n\n"
    "The first form lists the lookups and how many codes each knows. What ships is fictional.\n"
    "The second reads files of the Organisation Data Service from a folder (etr.csv, ets.csv,\n"
    "eccg.csv, epraccur.csv; when there: ect.csv, ephp.csv, eauth.csv, succ.csv) and writes\n"
    "providers, sites, commissioners and practices into DIR, or into organisations/ of a vault,\n"
    "which from then on uses them. doc/catalogue.md says which columns are read.\n\n"
    "  --ods DIR            folder with the published files\n"
    "  --vault DIR          write into this vault's organisations/ (default: HDIS_VAULT)\n"
    "  --out DIR            write into this folder instead\n"
    "  --peers FILE         CSV code,peer_group\n"
    "  --places FILE        CSV code,name,ccg,imd_rank,imd_decile,rural_urban (one row an LSOA)\n"
    "  --format table|csv   how to print the list (table)\n",
    run};

typedef struct organisations_options {
    const char *ods, *vault, *out, *peers, *places, *format;
} organisations_options;

static hd_code list(const organisations_options *o, hd_err *err)
{
    hd_catalogue *c = NULL;
    hd_listing l = {0};
    hd_code rc = hd_catalogue_open(&c, hd_catalogue_default_folder(), o->vault, err);
    if (rc != HD_OK)
        return rc;
    HD_LISTING_ROW(&l, "function", "codes", "gives");
    for (size_t i = 0; i < hd_catalogue_n_lookups(c); i++) {
        const hd_lookup *k = hd_catalogue_lookup_at(c, i);
        char rows[24];
        snprintf(rows, sizeof rows, "%zu", k->n_rows);
        HD_LISTING_ROW(&l, k->name, rows, k->title);
    }
    rc = hd_listing_print(&l, o->format ? o->format : "table", err);
    hd_listing_free(&l);
    hd_catalogue_close(c);
    return rc;
}

static hd_code import(const organisations_options *o, hd_err *err)
{
    char folder[4096];
    hd_ods_counts n;
    hd_catalogue *c;
    hd_ods_files in = {o->ods, o->peers, o->places};
    snprintf(folder, sizeof folder, "%s%s", o->out ? o->out : o->vault,
             o->out ? "" : "/organisations");
    HD_TRY(hd_ods_import(&in, folder, &n, err));
    printf("%s: %s (%zu with a successor), %s, %s, %s, %s\n", folder,
           hd_counted(n.providers, "provider").text, n.successions,
           hd_counted(n.sites, "site").text, hd_counted(n.commissioners, "commissioner").text,
           hd_counted(n.practices, "practice").text, hd_counted(n.places, "place").text);
    if (n.split)
        fprintf(stderr, "hdis organisations: %s to a second organisation; the latest one is "
                "used\n", hd_counted(n.split, "succession").text);
    if (!in.places)
        fprintf(stderr, "hdis organisations: no --places, so places of residence stay the "
                "fictional ones\n");
    if (o->out)
        return HD_OK;
    HD_TRY(hd_catalogue_open(&c, hd_catalogue_default_folder(), o->vault, err));
    hd_catalogue_close(c);
    return HD_OK;
}

static int run(int argc, char **argv)
{
    const hd_command *self = &hd_command_organisations;
    organisations_options o = {.vault = getenv("HDIS_VAULT")};
    const hd_option options[] = {
        {"ods", &o.ods, NULL},     {"vault", &o.vault, NULL},   {"out", &o.out, NULL},
        {"peers", &o.peers, NULL}, {"places", &o.places, NULL}, {"format", &o.format, NULL},
        {NULL, NULL, NULL}};
    char **operands;
    int n;
    hd_err err;
    int rc = hd_options(self, argc, argv, options, &operands, &n);
    if (rc != HD_EXIT_OK)
        return rc < 0 ? HD_EXIT_OK : rc;
    bool imports = n == 1 && strcmp(operands[0], "import") == 0;
    if (n > 0 && !imports)
        return hd_usage_error(self, "unexpected '%s'", operands[0]);
    if (o.vault && !*o.vault)
        o.vault = NULL;
    if (!imports) {
        if (o.ods || o.out || o.peers || o.places)
            return hd_usage_error(self, "--ods, --out, --peers and --places belong to import");
        if (o.format && strcmp(o.format, "table") != 0 && strcmp(o.format, "csv") != 0)
            return hd_usage_error(self, "--format is table or csv");
        return list(&o, &err) == HD_OK ? HD_EXIT_OK : hd_report(self, &err);
    }
    if (!o.ods)
        return hd_usage_error(self, "import needs --ods DIR");
    if (!o.out && !o.vault)
        return hd_usage_error(self, "import needs --vault DIR or --out DIR");
    return import(&o, &err) == HD_OK ? HD_EXIT_OK : hd_report(self, &err);
}
