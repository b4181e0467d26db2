/* cmd_query.c - hdis query: one question, one safe table. */
#include "cli/commands.h"
#include "cli/session.h"

#include <stdio.h>

static int run(int argc, char **argv);

const hd_command hd_command_query = {
    "query", "ask one question in SQL, get one safe table",
    "usage: hdis query [options] \"SELECT ...\"\n"
    "\n"
    "Asks one table of the vault (hdis datasets lists them, hdis fields TABLE its fields) and prints\n"
    "what may be released: below national level 1 to 7 becomes *, other counts are rounded to 5, and\n"
    "rates are computed from the rounded figures (doc/disclosure.md).\n"
    "\n"
    HD_VAULT_OPTION_HELP HD_OUTPUT_HELP HD_LIMIT_OPTION_HELP
    "\n"
    "count, count(DISTINCT person), sum, avg, median, quantile_cont, min, max, stddev, each with\n"
    "FILTER (WHERE ...); WHERE, GROUP BY (also ALL, 1, ROLLUP, CUBE, GROUPING SETS), HAVING, ORDER\n"
    "BY, LIMIT; CASE, IN, BETWEEN, LIKE, date functions. Lists are tested by any_NAME, and code lists\n"
    "by name.\n"
    "\n"
    "examples:\n"
    "  hdis query \"SELECT provider, count(*), avg(length_of_stay) FROM spells\n"
    "              WHERE admission_type = 'emergency' GROUP BY 1\"\n"
    "  hdis query \"SELECT admission_month, count(DISTINCT person) FROM spells\n"
    "              WHERE any_diagnosis IN codelist('diabetes') GROUP BY 1 ORDER BY 1\"\n"
    "  hdis query --format csv --out stays.csv \"SELECT provider, median(length_of_stay)\n"
    "              FROM spells GROUP BY ALL\"\n",
    run,
};

static int run(int argc, char **argv)
{
    const hd_command *c = &hd_command_query;
    hd_output_options o = {0};
    hd_vault_option where = {0};
    hd_limit_option limits = {0};
    const hd_option options[] = {HD_VAULT_OPTION_ROWS(where), HD_OUTPUT_OPTIONS(o),
                                 HD_LIMIT_OPTION_ROWS(limits), {NULL, NULL, NULL}};
    char **operands;
    int n;
    int status = hd_options(c, argc, argv, options, &operands, &n);
    if (status != HD_EXIT_OK)
        return status < 0 ? HD_EXIT_OK : status;
    if (n != 1)
        return hd_usage_error(c, "one question in quotes is needed");
    status = hd_output_check(c, &o);
    if (status != HD_EXIT_OK)
        return status;
    hd_session session;
    hd_release *release = NULL;
    hd_err err = {0};
    status = hd_session_open(&session, c, &where, &limits, &o);
    if (status == HD_EXIT_OK) {
        hd_code rc = hd_release_ask(&release, session.engine, session.policy, operands[0], &err);
        if (rc == HD_OK)
            rc = hd_output_release(&o, session.vault, release, &err);
        if (rc != HD_OK)
            status = hd_report(c, &err);
    }
    hd_release_free(release);
    hd_session_close(&session);
    return status;
}
