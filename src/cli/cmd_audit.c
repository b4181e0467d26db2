/* cmd_audit.c - hdis audit: what can be worked out from a released table. */
#include "base/counted.h"
#include "catalogue/catalogue.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "disclosure/attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);

const hd_command hd_command_audit = {
    "audit",
    "attack a released table: what gives it away?",
    "usage: hdis audit TABLE [options]\n"
    "\n"
    "Takes any released table, from hdis protect or another tool, and works out what a reader can:\n"
    "for each withheld figure the lowest and highest value it can have, and for one that is given\n"
    "away the figures that do it. Exit status 1 when a withheld figure keeps fewer possible values\n"
    "than the policy asks (five), or the table contradicts itself.\n"
    "\n"
    "  --dims A,B,...            the columns that are dimensions; default: all but shown, exact and\n"
    "                            percent\n"
    "  --hierarchy A=FILE        a tree over the codes of a dimension: columns code,parent with Total\n"
    "                            at the top; several for one dimension are linked trees\n"
    "  --shown COLUMN            the column of figures and marks (shown)\n"
    "  --policy NAME             what numbers and marks mean: a file of catalogue/policies (hes2018)\n"
    "  --exact A=CODE            figures with this code are exact, beside those for which a column\n"
    "                            exact says true; may be repeated\n"
    "  --numbers exact|policy|sums\n"
    "                            every number is exact, or a count as the policy prints it (policy), or\n"
    "                            a sum, rounded as the policy rounds sums: what is withheld must stay\n"
    "                            uncertain by a tenth of the lowest value that it can have\n"
    "  --decimals N              with sums: how many they have, where none is printed (0)\n"
    "  --mark TEXT=LOW..HIGH     what another mark stands for: \"c=0..\", \"=1..4\"; may be repeated\n"
    "  --people                  the policy's mark may stand for many records of few people\n"
    "  --values N                how many possible values each withheld figure must keep\n"
    "  --total CODE              what margins are called (Total)\n"
    "  --certificate FILE        check a proof of hdis protect against the table, by adding up\n"
    "  --lp FILE                 write the problem for an outside solver (CPLEX LP format), and ask\n"
    "                            glpsol for a second opinion where it is installed\n"
    "  --format NAME             table, csv, json, xlsx or ods (table)\n"
    "  -o, --out FILE            write the result to a file, whole or not at all\n"
    "\n"
    "Cells of the full table that are not in the file count as not known.\n"
    "\n"
    "examples:\n"
    "  hdis audit shown.csv --hierarchy age=bands.csv --certificate proof.txt\n"
    "  hdis audit theirs.csv --dims area,sex --shown n --numbers exact --mark \"c=0..\"\n",
    run,
};

typedef struct asked {
    hd_attack_options o;
    hd_output_options output;
    const char *numbers, *values, *decimals;
    hd_option_list hierarchies, exact, marks;
} asked;

static void say_solver(const asked *a, const hd_attack_report *r)
{
    if (!a->o.lp)
        return;
    if (!r->has_solver)
        fprintf(stderr, "glpsol is not installed: no second opinion\n");
    else
        fprintf(stderr, "glpsol was asked about %s: agrees on %zu, no answer on %zu\n",
                hd_counted(r->n_asked, "withheld figure").text, r->n_agreed, r->n_silent);
}

static void say_safe(const asked *a, const hd_attack_report *r, size_t n)
{
    if (a->o.are_sums)
        fprintf(stderr, "%s, each uncertain by a tenth or more of the lowest value that it can have\n",
                hd_counted(n, "withheld sum").text);
    else
        fprintf(stderr, "%s, each with at least %lld possible values\n",
                hd_counted(n, "withheld figure").text, (long long)r->values);
}

/* Prints the outcome; true when the table passes. */
static bool say(const asked *a, const hd_attack_report *r)
{
    if (a->o.certificate)
        fprintf(stderr, "the certificate adds up and is of this table: %s, %s\n",
                hd_counted(r->n_promises, "promise").text,
                hd_counted(r->n_witnesses, "witness table").text);
    say_solver(a, r);
    bool is_split = r->n_asked > r->n_agreed + r->n_silent;
    if (is_split)
        fprintf(stderr, "hdis audit: glpsol comes to other ends for %s\n",
                hd_counted(r->n_asked - r->n_agreed - r->n_silent, "figure").text);
    if (r->n_narrow || r->n_unproven || r->n_differences) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "fewer than %lld values", (long long)r->values);
        fprintf(stderr,
                "hdis audit: of %s keep %s: %zu, of these exact: %zu; not proven safe: %zu; open "
                "differences of figures: %zu\n",
                hd_counted(r->n_withheld, "withheld figure").text,
                a->o.are_sums ? "less than a tenth" : wanted, r->n_narrow, r->n_exact, r->n_unproven,
                r->n_differences);
        if (r->is_by_sums_only)
            fprintf(stderr, "a table of %zu cells, or with so many missing, is too large to prove a "
                            "figure safe; narrow and exact ones are found: audit it in parts\n", r->n_cells);
        return false;
    }
    size_t n_safe = r->n_withheld - r->n_zero - r->n_helpers;
    if (!is_split && (n_safe || r->n_withheld == 0))
        say_safe(a, r, n_safe);
    if (r->n_helpers)
        fprintf(stderr, "%s without need of its own: not small, or national\n",
                hd_counted(r->n_helpers, "more withheld figure").text);
    if (r->n_zero)
        fprintf(stderr, "%s for 0, as others tell, with nobody behind: nothing to protect\n",
                hd_counted(r->n_zero, "mark").text);
    return !is_split;
}

static int audit(const asked *a)
{
    const hd_command *c = &hd_command_audit;
    hd_code rc;
    hd_err err = {0};
    hd_policy *policy = NULL;
    hd_release *release = NULL;
    hd_attack_report report;
    bool passes = false;
    HD_GO(hd_policy_open(&policy, hd_catalogue_default_folder(), hd_output_policy(&a->output),
                         &err));
    HD_GO(hd_attack(&release, &a->o, policy, &report, &err));
    HD_GO(hd_output_release(&a->output, NULL, release, &err));
    passes = say(a, &report);
out:
    hd_release_free(release);
    hd_policy_free(policy);
    if (rc != HD_OK)
        return hd_report(c, &err);
    return passes ? HD_EXIT_OK : HD_EXIT_FAILED;
}

static int check(asked *a)
{
    const hd_command *c = &hd_command_audit;
    char *end = NULL;
    if (a->numbers && strcmp(a->numbers, "exact") != 0 && strcmp(a->numbers, "policy") != 0 &&
        strcmp(a->numbers, "sums") != 0)
        return hd_usage_error(c, "--numbers is exact, policy or sums");
    a->o.are_sums = a->numbers && strcmp(a->numbers, "sums") == 0;
    if (a->decimals) {
        a->o.decimals = (unsigned)strtoul(a->decimals, &end, 10);
        if (*end || end == a->decimals || !a->o.are_sums || a->o.decimals > 9)
            return hd_usage_error(c, "--decimals is a whole number from 0 to 9, for --numbers sums");
    }
    a->o.numbers_are_exact = a->numbers && strcmp(a->numbers, "exact") == 0;
    if (a->values) {
        a->o.values = strtol(a->values, &end, 10);
        if (*end || end == a->values || a->o.values < 2 || a->o.values > 16)
            return hd_usage_error(c, "--values is a whole number from 2 to 16");
    }
    return hd_output_check(c, &a->output);
}

static int run(int argc, char **argv)
{
    const hd_command *c = &hd_command_audit;
    asked a = {0};
    const hd_option options[] = {
        {"dims", &a.o.dims},
        {"hierarchy", .list = &a.hierarchies},
        {"shown", &a.o.shown},
        {"policy", &a.output.policy},
        {"exact", .list = &a.exact},
        {"numbers", &a.numbers},
        {"mark", .list = &a.marks},
        {"people", .flag = &a.o.has_persons},
        {"values", &a.values},
        {"decimals", &a.decimals},
        {"total", &a.o.total},
        {"certificate", &a.o.certificate},
        {"lp", &a.o.lp},
        {"format", &a.output.format},
        {"out", &a.output.out},
        {NULL},
    };
    char **operands;
    int n;
    int status = hd_options(c, argc, argv, options, &operands, &n);
    if (status != HD_EXIT_OK)
        return status < 0 ? HD_EXIT_OK : status;
    if (n != 1)
        return hd_usage_error(c, "one table is needed");
    if ((status = check(&a)) != HD_EXIT_OK)
        return status;
    a.o.file = operands[0];
    a.o.hierarchies = a.hierarchies.items;
    a.o.n_hierarchies = a.hierarchies.n;
    a.o.exact = a.exact.items;
    a.o.n_exact = a.exact.n;
    a.o.marks = a.marks.items;
    a.o.n_marks = a.marks.n;
    return audit(&a);
}
