/* cmd_indicator.c - hdis indicators: what there is; hdis indicator: values, intervals, peers,
 * flags. */
#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/period.h"
#include "cli/session.h"
#include "indicators/indicator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(int argc, char **argv);
static int run_list(int argc, char **argv);

const hd_command hd_command_indicator = {
    "indicator",
    "an indicator with its interval, peers and flags",
    "usage: hdis indicator [options] NAME...\n"
    "\n"
    "Prints numerator, denominator, value, interval, national value, median of the peers, decile "
    "(1 holds\n"
    "the lowest values), whether the unit is among the worst tenth of its peers, its funnel status "
    "with\n"
    "p value, and for how many months in a row it was flagged; by month also what an XmR chart of "
    "the\n"
    "24 months to this one says: special cause, variation, assurance. hdis indicators lists the "
    "names.\n"
    "\n"
    "  --by FIELDS               what to group by (provider,month): month, quarter, year, and "
    "fields of\n"
    "                            the indicator's table; the first field is the unit that is "
    "compared\n"
    "  --period MONTHS           2015-10, or 2015-04..2016-03; default: all\n"
    "  --peers WHO               all (default), region, a peer group such as acute, or codes: "
    "ZA1,ZA2\n"
    "  --level FRACTION          of the intervals (0.95)\n"
    "  --forecast MONTHS         instead: the months after the last complete one, 1 to 36, with 80% "
    "and 95%\n"
    "                            prediction intervals, from the released months alone\n"
    "\n" HD_VAULT_OPTION_HELP HD_OUTPUT_HELP HD_LIMIT_OPTION_HELP "\n"
    "Shares are fractions of 1. Months whose follow-up the data do not cover yet say so in the "
    "note.\n"
    "Consecutive months are counted back over all loaded months. doc/methods.md has the "
    "definitions.\n"
    "\n"
    "examples:\n"
    "  hdis indicator emergency_readmission_30d --period 2015-10 --peers acute\n"
    "  hdis indicator ae_within_4_hours ae_median_minutes --by region,month --format csv\n"
    "  hdis indicator mean_stay_elective --by month\n"
    "  hdis indicator ae_within_4_hours --by region,month --forecast 12 --format csv\n",
    run,
};

const hd_command hd_command_indicators = {
    "indicators",
    "list the indicators",
    "usage: hdis indicators [NAME...]\n"
    "\n"
    "Lists the indicators of the catalogue, or says everything about those named.\n",
    run_list,
};

/* ---- hdis indicators ------------------------------------------------------------------------ */

static void print_whole(const hd_indicator_file *d)
{
    printf("%s\n  %s\n", d->id, d->title);
    printf("  domain:      %s\n", hd_domain_title(d->domain));
    if (d->numerator_text[0])
        printf("  numerator:   %s\n", d->numerator_text);
    printf("  denominator: %s\n", d->denominator_text);
    printf("  value:       %s", hd_method_name(d->method));
    if (d->method == HD_METHOD_QUANTILE)
        printf(" %g", d->quantile);
    if (d->value)
        printf(" of %s", d->value);
    printf(" (%s), %s\n", hd_unit_name(d->unit), hd_method_interval(d->method));
    printf("  bad side:    %s\n", hd_bad_side_name(d->bad));
    if (d->target == d->target)
        printf("  target:      %g\n", d->target);
    printf("  ranked from: denominator %lld\n", (long long)d->minimum_denominator);
    printf("  table:       %s, month of %s\n  rows:        %s\n", d->table, d->month, d->where);
    if (d->numerator)
        printf("  numerator is %s\n", d->numerator);
    if (d->denominator)
        printf("  denominator is %s\n", d->denominator);
    printf("  source:      %s\n", d->source);
    if (d->note[0])
        printf("  note:        %s\n", d->note);
}

static int print_list(const hd_command *c, const hd_indicator_files *files, char **names, int n)
{
    for (int i = 0; i < n; i++) {
        const hd_indicator_file *d = hd_indicator_files_find(files, names[i]);
        if (!d) {
            fprintf(stderr, "hdis %s: there is no indicator '%s'; hdis indicators lists them\n",
                    c->name, names[i]);
            return HD_EXIT_FAILED;
        }
        print_whole(d);
    }
    for (size_t i = 0; n == 0 && i < hd_indicator_files_count(files); i++) {
        const hd_indicator_file *d = hd_indicator_files_at(files, i);
        printf("%-26s  %-10s  %s\n", d->id, hd_domain_title(d->domain), d->title);
    }
    return HD_EXIT_OK;
}

static int run_list(int argc, char **argv)
{
    const hd_command *c = &hd_command_indicators;
    const hd_option options[] = {{NULL, NULL, NULL}};
    char **operands;
    int n;
    hd_err err = {0};
    hd_indicator_files *files = NULL;
    int status = hd_options(c, argc, argv, options, &operands, &n);
    if (status != HD_EXIT_OK)
        return status < 0 ? HD_EXIT_OK : status;
    if (hd_indicator_files_read(&files, hd_catalogue_default_folder(), &err) != HD_OK)
        return hd_report(c, &err);
    status = print_list(c, files, operands, n);
    hd_indicator_files_free(files);
    return status;
}

/* ---- hdis indicator ------------------------------------------------------------------------- */

typedef struct asked {
    hd_output_options output;
    hd_vault_option where;
    hd_limit_option limits;
    const char *by, *period, *peers, *level, *forecast;
    char *by_text; /* by, cut at its commas */
    hd_indicator_request request;
    hd_forecast_request ahead; /* horizon 0: no forecast */
} asked;

static hd_code take_by(asked *a, hd_err *err)
{
    a->by_text = hd_strdup(a->by ? a->by : "provider,month");
    if (!a->by_text)
        return hd_fail_nomem(err);
    for (char *at = a->by_text; at; a->request.n_by++) {
        char *comma = strchr(at, ',');
        if (comma)
            *comma = '\0';
        if (a->request.n_by == HD_INDICATOR_MAX_BY || !*at)
            return hd_fail(err, HD_INVALID, "--by takes 1 to %d names with commas between them",
                           HD_INDICATOR_MAX_BY);
        a->request.by[a->request.n_by] = at;
        at = comma ? comma + 1 : NULL;
    }
    return HD_OK;
}

static hd_code take_forecast(asked *a, hd_err *err)
{
    bool by_month = false;
    char *end;
    if (!a->forecast)
        return HD_OK;
    long months = strtol(a->forecast, &end, 10);
    if (*end || months < 1 || months > HD_FORECAST_MOST)
        return hd_fail(err, HD_INVALID, "--forecast must be 1 to %d months", HD_FORECAST_MOST);
    for (size_t i = 0; i < a->request.n_by; i++)
        by_month = by_month || strcmp(a->request.by[i], "month") == 0;
    if (!by_month)
        return hd_fail(err, HD_INVALID, "--forecast needs month in --by");
    a->ahead = (hd_forecast_request){.of = HD_FORECAST_UNITS, .horizon = (size_t)months};
    return HD_OK;
}

static hd_code take_request(asked *a, hd_err *err)
{
    hd_indicator_request *r = &a->request;
    *r = (hd_indicator_request){
        .first_month = INT32_MIN, .last_month = INT32_MAX, .shown_from = INT32_MIN, .level = 0.95};
    HD_TRY(take_by(a, err));
    HD_TRY(take_forecast(a, err));
    if (a->level) {
        char *end;
        r->level = strtod(a->level, &end);
        if (*end || !(r->level >= 0.5 && r->level <= 0.9999))
            return hd_fail(err, HD_INVALID, "--level must lie between 0.5 and 0.9999");
    }
    if (!a->period)
        return HD_OK;
    HD_TRY(hd_period_parse(a->period, &r->first_month, &r->last_month, err));
    /* Earlier months are asked as well, so that consecutive flags are counted, and not shown. */
    for (size_t i = 0; i < r->n_by; i++)
        if (strcmp(r->by[i], "month") == 0) {
            r->shown_from = r->first_month;
            r->first_month = INT32_MIN;
        }
    return HD_OK;
}

/* Peers by code must be providers that the catalogue knows, where providers are compared. */
static hd_code check_peers(const asked *a, const hd_catalogue *c, hd_err *err)
{
    const hd_lookup *known = hd_catalogue_lookup(c, "provider_name_of");
    if (a->request.peers.kind != HD_PEERS_CODES || strcmp(a->request.by[0], "provider") != 0 || !known)
        return HD_OK;
    for (const char *at = a->request.peers.text; at;) {
        char code[64];
        size_t n = strcspn(at, ",");
        snprintf(code, sizeof code, "%.*s", (int)n, at);
        if (n >= sizeof code || !hd_lookup_find(known, code))
            return hd_fail(err, HD_NOTFOUND,
                           "--peers: '%s' is no peer group and no provider of the catalogue", code);
        at = at[n] ? at + n + 1 : NULL;
    }
    return HD_OK;
}

static hd_code evaluate_all(asked *a, hd_session *s, const hd_indicator_files *files, char **names,
                            size_t n, hd_err *err)
{
    hd_code rc;
    size_t n_rows = 0;
    hd_release *joined = NULL;
    hd_indicator_result *results = hd_calloc(n, sizeof *results);
    const hd_release **parts = hd_calloc(n, sizeof *parts);
    hd_release **ahead = hd_calloc(n, sizeof *ahead);
    const hd_indicator_file **defs = hd_calloc(n, sizeof *defs);
    if (!results || !parts || !ahead || !defs) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        defs[i] = hd_indicator_files_find(files, names[i]);
    HD_GO(hd_indicator_scan(s->engine, s->policy, defs, n, &a->request, err));
    for (size_t i = 0; i < n; i++) {
        HD_GO(hd_indicator_evaluate(&results[i], s->engine, s->policy, defs[i], &a->request, err));
        parts[i] = results[i].rows;
        n_rows += parts[i]->n_rows;
    }
    if (n_rows == 0 && a->period)
        HD_GO(hd_fail(err, HD_NOTFOUND, "the data have nothing in %s", a->period));
    if (a->ahead.horizon) {
        HD_GO(hd_indicator_forecast(ahead, results, n, &a->ahead, err));
        for (size_t i = 0; i < n; i++)
            parts[i] = ahead[i];
    }
    HD_GO(hd_release_join(&joined, parts, n, err));
    HD_GO(hd_output_release(&a->output, s->vault, joined, err));
out:
    hd_release_free(joined);
    for (size_t i = 0; results && i < n; i++)
        hd_indicator_result_free(&results[i]);
    for (size_t i = 0; ahead && i < n; i++)
        hd_release_free(ahead[i]);
    hd_free(results);
    hd_free(parts);
    hd_free(ahead);
    hd_free(defs);
    return rc;
}

static int answer(asked *a, char **names, int n)
{
    const hd_command *c = &hd_command_indicator;
    hd_err err = {0};
    hd_session s = {0};
    hd_indicator_files *files = NULL;
    int status = HD_EXIT_FAILED;
    if (hd_indicator_files_read(&files, hd_catalogue_default_folder(), &err) != HD_OK) {
        status = hd_report(c, &err);
        goto out;
    }
    for (int i = 0; i < n; i++)
        if (!hd_indicator_files_find(files, names[i])) {
            hd_fail(&err, HD_NOTFOUND, "there is no indicator '%s'; hdis indicators lists them",
                    names[i]);
            status = hd_report(c, &err);
            goto out;
        }
    status = hd_session_open(&s, c, &a->where, &a->limits, &a->output);
    if (status != HD_EXIT_OK)
        goto out;
    a->request.peers = hd_peers_parse(s.catalogue, a->peers ? a->peers : "all");
    if (check_peers(a, s.catalogue, &err) != HD_OK || evaluate_all(a, &s, files, names, (size_t)n, &err) != HD_OK)
        status = hd_report(c, &err);
out:
    hd_session_close(&s);
    hd_indicator_files_free(files);
    return status;
}

static int run(int argc, char **argv)
{
    const hd_command *c = &hd_command_indicator;
    asked a = {0};
    const hd_option options[] = {HD_VAULT_OPTION_ROWS(a.where),
                                 HD_OUTPUT_OPTIONS(a.output),
                                 HD_LIMIT_OPTION_ROWS(a.limits),
                                 {"by", &a.by, NULL},
                                 {"period", &a.period, NULL},
                                 {"peers", &a.peers, NULL},
                                 {"level", &a.level, NULL},
                                 {"forecast", &a.forecast, NULL},
                                 {NULL, NULL, NULL}};
    char **operands;
    int n;
    hd_err err = {0};
    int status = hd_options(c, argc, argv, options, &operands, &n);
    if (status != HD_EXIT_OK)
        return status < 0 ? HD_EXIT_OK : status;
    if (n == 0)
        return hd_usage_error(c, "name at least one indicator");
    status = hd_output_check(c, &a.output);
    if (status != HD_EXIT_OK)
        return status;
    hd_code rc = take_request(&a, &err);
    if (rc == HD_INVALID)
        status = hd_usage_error(c, "%s", err.text);
    else if (rc != HD_OK)
        status = hd_report(c, &err);
    else
        status = answer(&a, operands, n);
    hd_free(a.by_text);
    return status;
}
