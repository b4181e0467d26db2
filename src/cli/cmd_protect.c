/* cmd_protect.c - hdis protect: disclosure control for any table, without a vault. */
#include "base/counted.h"
#include "base/io.h"
#include "base/progress.h"
#include "catalogue/catalogue.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "disclosure/protect.h"
#include "disclosure/search.h"

#include <stdio.h>

static int run(int argc, char **argv);

const hd_command hd_command_protect = {
    "protect",
    "apply disclosure control to any table",
    "usage: hdis protect FILE --dims A,B,... [options]\n"
    "\n"
    "Reads a CSV table of counts or sums, or records to count, and writes what may be shown of it: all\n"
    "margins under the code Total, and a column shown: a number, 0, * (small, or below a small figure)\n"
    "or : (withheld to protect another). Every figure that the policy protects is proven to keep its\n"
    "possible values (doc/disclosure.md).\n"
    "\n"
    "  --dims A,B,...            the columns that are dimensions; at most 8\n"
    "  --hierarchy A=FILE        a tree over the codes of a dimension: columns code,parent with Total\n"
    "                            at the top; several for one dimension are linked trees\n"
    "  --count COLUMN            a row is a cell with so many records; without it, and without\n"
    "                            --contributors, a row is a record\n"
    "  --people COLUMN           with --count: different people in the cell; records: who it is about\n"
    "  --value COLUMN            protect the sum of this instead of the count\n"
    "  --contributors COLUMN     a row is a cell: how many are behind its sum\n"
    "  --largest M1,M2,...       a row is a cell: the largest contributors to its sum, for dominance\n"
    "  --weight COLUMN           records: how many each stands for in the sum\n"
    "  --policy NAME             disclosure policy, a file of catalogue/policies (hes2018); for one of\n"
    "                            your own, copy the catalogue and name the copy in HDIS_CATALOGUE\n"
    "  --exact A=CODE            figures with this code are shown as they are where that gives nothing\n"
    "                            away: the national ones; may be repeated; a column exact says which\n"
    "  --wanted A=CODE           keep figures with this code longer than others; may be repeated\n"
    "  --sensitive FILE          cells to withhold besides: their dimensions, and if wanted a column\n"
    "                            width: how uncertain they must stay\n"
    "  --percent A               add the share of each figure in the total of this dimension\n"
    "  --total CODE              what margins are called (Total)\n"
    "  --certificate FILE        write the proof; keep it inside, hdis audit checks it\n"
    "  --format NAME             csv, table, json, xlsx or ods (csv)\n"
    "  -o, --out FILE            write the table to a file, whole or not at all\n"
    "  --provenance FILE         write the policy, what was asked and the digest of the certificate to a\n"
    "                            JSON file; CSV and JSON in a file have one beside them:\n"
    "                            FILE.provenance.json\n"
    "  --footer                  say the same below CSV, in lines that begin with #\n"
    "\n"
    "examples:\n"
    "  hdis protect deaths.csv --dims region,age,sex --count n --hierarchy age=bands.csv \\\n"
    "               --exact region=Total --out shown.csv --certificate proof.txt\n"
    "  hdis protect turnover.csv --dims activity,size --value total --contributors n --largest max \\\n"
    "               --policy mine\n",
    run,
};

typedef struct asked {
    hd_protect_options o;
    hd_output_options output;
    const char *certificate;
    hd_option_list hierarchies, exact, wanted;
} asked;

static void say(const hd_protect_report *r, bool wants_exact)
{
    fprintf(stderr, "%s: %zu withheld for themselves, %zu more to protect them",
            hd_counted(r->n_cells, "figure").text, r->n_primary, r->n_helpers);
    if (r->n_exact || wants_exact)
        fprintf(stderr, ", %zu exact", r->n_exact);
    fputc('\n', stderr);
    if (r->n_exact == 0 && wants_exact)
        fputs("no figure of --exact is exact: they would give others away, so all were rounded "
              "or withheld\n", stderr);
    else if (r->n_exact < r->n_asked)
        fprintf(stderr, "exact: %.*s; the others would give figures away\n", (int)r->exact.len,
                r->exact.data);
}

static void go_on(void *progress)
{
    hd_progress_more(progress);
}

static hd_code protect(asked *a, hd_err *err)
{
    hd_code rc;
    hd_progress progress;
    const hd_tick tick = {go_on, &progress};
    hd_policy *policy = NULL;
    hd_release *release = NULL;
    hd_protect_report report = {0};
    HD_GO(hd_policy_open(&policy, hd_catalogue_default_folder(), hd_output_policy(&a->output), err));
    a->o.tick = &tick;
    hd_progress_begin(&progress, "whole-number tables looked for", 0);
    rc = hd_protect(&release, &a->o, policy, &report, err);
    hd_progress_end(&progress);
    HD_GO(rc);
    if (a->certificate)
        HD_GO(hd_io_write_file(a->certificate, report.certificate.data, report.certificate.len, 0600,
                               err));
    HD_GO(hd_output_release(&a->output, NULL, release, err));
    say(&report, a->exact.n > 0);
out:
    hd_release_free(release);
    hd_protect_report_free(&report);
    hd_policy_free(policy);
    return rc;
}

static int run(int argc, char **argv)
{
    const hd_command *c = &hd_command_protect;
    asked a = {.output = {.format = "csv"}};
    const hd_option options[] = {
        {"dims", &a.o.dims},
        {"hierarchy", .list = &a.hierarchies},
        {"count", &a.o.count},
        {"people", &a.o.people},
        {"value", &a.o.value},
        {"contributors", &a.o.contributors},
        {"largest", &a.o.largest},
        {"weight", &a.o.weight},
        {"policy", &a.output.policy},
        {"exact", .list = &a.exact},
        {"wanted", .list = &a.wanted},
        {"sensitive", &a.o.sensitive},
        {"percent", &a.o.percent},
        {"total", &a.o.total},
        {"certificate", &a.certificate},
        {"format", &a.output.format},
        {"out", &a.output.out},
        {"provenance", &a.output.provenance},
        {"footer", .flag = &a.output.footer},
        {NULL},
    };
    char **operands;
    int n;
    hd_err err = {0};
    int status = hd_options(c, argc, argv, options, &operands, &n);
    if (status != HD_EXIT_OK)
        return status < 0 ? HD_EXIT_OK : status;
    if (n != 1)
        return hd_usage_error(c, "one file is needed");
    if (!a.o.dims)
        return hd_usage_error(c, "--dims is needed: which columns are dimensions?");
    if ((status = hd_output_check(c, &a.output)) != HD_EXIT_OK)
        return status;
    const char *const outputs[] = {a.output.out, a.output.provenance, a.certificate};
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
        if (outputs[i] && hd_io_same_file(outputs[i], operands[0]))
            return hd_usage_error(c, "an output names the file that is protected: it would be gone");
    a.o.file = operands[0];
    a.o.hierarchies = a.hierarchies.items;
    a.o.n_hierarchies = a.hierarchies.n;
    a.o.exact = a.exact.items;
    a.o.n_exact = a.exact.n;
    a.o.wanted = a.wanted.items;
    a.o.n_wanted = a.wanted.n;
    return protect(&a, &err) == HD_OK ? HD_EXIT_OK : hd_report(c, &err);
}
