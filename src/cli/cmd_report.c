/* cmd_report.c - hdis report: a whole report as one HTML file. */
#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/period.h"
#include "cli/session.h"
#include "present/report.h"

#include <stdio.h>
#include <string.h>

enum { FORECAST_MONTHS = 12 };

static int run(int argc, char **argv);

const hd_command hd_command_report = {
    "report",
    "a whole report of indicators as one HTML page",
    "usage: hdis report NAME --period YYYY-MM [options]\n"
    "\n"
    "Writes a report of the catalogue (oversight) for one month: all indicators by provider with "
    "peers,\n"
    "flags, icons of variation and assurance, charts and a forecast of 12 months. One file without scripts; it prints well and needs nothing else.\n"
    "\n"
    "  --period YYYY-MM          the month\n"
    "  --peers WHO               all (default), region, a peer group such as acute, or codes: "
    "ZA1,ZA2\n"
    "  --provider CODE           let the charts follow this provider instead of the flagged ones\n"
    "\n" HD_VAULT_OPTION_HELP HD_LIMIT_OPTION_HELP
    "  --out FILE                write the page to a file, whole or not at all\n"
    "  --provenance FILE         write policy, data version and questions to a JSON file\n"
    "  --policy NAME             disclosure policy, a file of catalogue/policies (hes2018)\n"
    "  --agreement NAME          the agreement under which you ask; enters the ledger of releases\n"
    "  --with-small-numbers      true counts; needs --purpose, enters the list of assets\n"
    "  --purpose TEXT            what true counts are needed for\n"
    "\n"
    "example:\n"
    "  hdis report oversight --period 2015-10 --out oversight.html\n",
    run,
};

typedef struct asked {
    hd_output_options output;
    hd_vault_option where;
    hd_limit_option limits;
    const char *period, *peers, *provider;
    int month;
} asked;

typedef struct made {
    hd_report_def def;
    hd_indicator_files *files;
    hd_indicator_result *results;
    hd_release **ahead;
    hd_report_item *items;
    size_t n;
    char **withheld; /* n: why an indicator is not shown, or NULL */
    hd_release *all; /* every row, for policy, versions and questions */
} made;

static void free_made(made *m)
{
    hd_release_free(m->all);
    for (size_t i = 0; m->results && i < m->n; i++)
        hd_indicator_result_free(&m->results[i]);
    for (size_t i = 0; m->ahead && i < m->n; i++)
        hd_release_free(m->ahead[i]);
    for (size_t i = 0; m->withheld && i < m->n; i++)
        hd_free(m->withheld[i]);
    hd_free(m->results);
    hd_free(m->ahead);
    hd_free(m->items);
    hd_free(m->withheld);
    hd_indicator_files_free(m->files);
    hd_report_def_free(&m->def);
}

/* The files of synthetic data carry the agreement number NIC000000, which no agreement has. */
static hd_code find_synthetic(hd_vault *v, bool *out, hd_err *err)
{
    hd_extract *extracts = NULL;
    size_t n = 0;
    *out = false;
    HD_TRY(hd_vault_extracts(v, &extracts, &n, err));
    for (size_t i = 0; i < n; i++)
        *out |= strstr(extracts[i].files, "NIC000000") != NULL;
    hd_free(extracts);
    return HD_OK;
}

static hd_code find_items(made *m, hd_err *err)
{
    size_t n = 0;
    for (size_t s = 0; s < m->def.file->n_sections; s++)
        n += m->def.file->sections[s].n_indicators;
    if (n == 0 || n > 64)
        return hd_fail(err, HD_INVALID, "a report has 1 to 64 indicators");
    m->items = hd_calloc(n, sizeof *m->items);
    m->results = hd_calloc(n, sizeof *m->results);
    m->ahead = hd_calloc(n, sizeof *m->ahead);
    m->withheld = hd_calloc(n, sizeof *m->withheld);
    if (!m->items || !m->results || !m->ahead || !m->withheld)
        return hd_fail_nomem(err);
    for (size_t s = 0; s < m->def.file->n_sections; s++)
        for (size_t i = 0; i < m->def.file->sections[s].n_indicators; i++) {
            const char *id = m->def.file->sections[s].indicators[i];
            m->items[m->n].def = hd_indicator_files_find(m->files, id);
            if (!m->items[m->n++].def)
                return hd_fail(err, HD_FORMAT, "report %s names the unknown indicator '%s'",
                               m->def.file->name, id);
        }
    return HD_OK;
}

/* An indicator that the policy refuses is shown as withheld, with the reason, and the others go on. */
static hd_code evaluate_one(made *m, size_t i, hd_session *s, const hd_indicator_request *r,
                            hd_err *err)
{
    hd_code rc = hd_indicator_evaluate(&m->results[i], s->engine, s->policy, m->items[i].def, r, err);
    if (rc != HD_DENIED && rc != HD_LIMIT)
        return rc;
    m->withheld[i] = hd_strdup(err->text);
    if (!m->withheld[i])
        return hd_fail_nomem(err);
    hd_context(err, "withheld");
    (void)hd_report(&hd_command_report, err);
    return HD_OK;
}

/* The forecasts of those that are shown. */
static hd_code look_ahead(made *m, const asked *a, hd_err *err)
{
    size_t n = 0;
    hd_indicator_result shown[64];
    hd_release *ahead[64] = {NULL};
    for (size_t i = 0; i < m->n; i++)
        if (!m->withheld[i])
            shown[n++] = m->results[i];
    const hd_forecast_request request = {.of = a->provider ? HD_FORECAST_UNIT
                                                           : HD_FORECAST_NATIONAL,
                                         .unit = a->provider,
                                         .horizon = FORECAST_MONTHS};
    HD_TRY(hd_indicator_forecast(ahead, shown, n, &request, err));
    n = 0;
    for (size_t i = 0; i < m->n; i++)
        if (!m->withheld[i])
            m->items[i].ahead = m->ahead[i] = ahead[n++];
    return HD_OK;
}

static hd_code evaluate(made *m, const asked *a, hd_session *s, hd_err *err)
{
    const hd_release *parts[64];
    size_t n_parts = 0, first = 0;
    hd_indicator_request r = {.by = {"provider", "month"},
                              .n_by = 2,
                              .first_month = INT32_MIN,
                              .last_month = a->month,
                              .shown_from = a->month - (int)m->def.months + 1,
                              .level = 0.95,
                              .signal_months = (unsigned)m->def.months,
                              .peers = hd_peers_parse(s->catalogue, a->peers ? a->peers : "all")};
    const hd_indicator_file *defs[64];
    for (size_t i = 0; i < m->n; i++)
        defs[i] = m->items[i].def;
    HD_TRY(hd_indicator_scan(s->engine, s->policy, defs, m->n, &r, err));
    for (size_t i = 0; i < m->n; i++) {
        HD_TRY(evaluate_one(m, i, s, &r, err));
        if (!m->withheld[i])
            parts[n_parts++] = m->results[i].rows;
    }
    if (n_parts == 0)
        return hd_fail(err, HD_DENIED, "no indicator of the report can be shown: %s", m->withheld[0]);
    while (m->withheld[first])
        first++;
    for (size_t i = 0; i < m->n; i++) {
        hd_indicator_result *x = &m->results[i];
        if (m->withheld[i]) {
            HD_TRY(hd_release_without_rows(&x->rows, m->results[first].rows, err));
            HD_TRY(hd_release_without_rows(&x->bands, m->results[first].bands, err));
        }
        m->items[i].rows = x->rows;
        m->items[i].bands = x->bands;
        m->items[i].withheld = m->withheld[i];
    }
    HD_TRY(look_ahead(m, a, err));
    return hd_release_join(&m->all, parts, n_parts, err);
}

static hd_code write_page(made *m, const asked *a, hd_session *s, hd_err *err)
{
    hd_code rc;
    char tag[32];
    hd_report_view v = {.report = m->def.file,
                        .items = m->items,
                        .n_items = m->n,
                        .month = a->month,
                        .n_months = (size_t)m->def.months,
                        .provider = a->provider,
                        .peers = a->peers ? a->peers : "all",
                        .asset_tag = tag};
    hd_buf page;
    hd_buf_init(&page, (size_t)1 << 28);
    HD_GO(find_synthetic(s->vault, &v.is_synthetic, err));
    HD_GO(hd_report_check(&v, err));
    HD_GO(hd_output_record(&a->output, s->vault, m->all, tag, err));
    hd_report_put(&page, &v);
    HD_GO(hd_buf_check(&page, err));
    HD_GO(hd_output_text(&a->output, m->all, tag, page.data, page.len, err));
out:
    hd_buf_free(&page);
    return rc;
}

static int make(const asked *a, const char *name)
{
    const hd_command *c = &hd_command_report;
    hd_err err = {0};
    hd_session s = {0};
    made m = {0};
    const char *folder = hd_catalogue_default_folder();
    int status = HD_EXIT_FAILED;
    hd_code rc = hd_report_def_read(&m.def, folder, name, &err);
    if (rc == HD_NOTFOUND)
        hd_fail(&err, HD_NOTFOUND, "there is no report '%s' in the catalogue", name);
    if (rc == HD_OK)
        rc = hd_indicator_files_read(&m.files, folder, &err);
    if (rc == HD_OK)
        rc = find_items(&m, &err);
    if (rc != HD_OK) {
        status = hd_report(c, &err);
        goto out;
    }
    status = hd_session_open(&s, c, &a->where, &a->limits, &a->output);
    if (status != HD_EXIT_OK)
        goto out;
    if (evaluate(&m, a, &s, &err) != HD_OK || write_page(&m, a, &s, &err) != HD_OK)
        status = hd_report(c, &err);
out:
    free_made(&m);
    hd_session_close(&s);
    return status;
}

static int run(int argc, char **argv)
{
    const hd_command *c = &hd_command_report;
    asked a = {0};
    const hd_option options[] = {
        HD_VAULT_OPTION_ROWS(a.where),
        HD_LIMIT_OPTION_ROWS(a.limits),
        {"out", &a.output.out, NULL},
        {"provenance", &a.output.provenance, NULL},
        {"policy", &a.output.policy, NULL},
        {"agreement", &a.output.agreement, NULL},
        {"purpose", &a.output.purpose, NULL},
        {"with-small-numbers", NULL, &a.output.with_small_numbers},
        {"period", &a.period, NULL},
        {"peers", &a.peers, NULL},
        {"provider", &a.provider, NULL},
        {NULL, NULL, NULL},
    };
    char **operands;
    int n, last;
    hd_err err = {0};
    int status = hd_options(c, argc, argv, options, &operands, &n);
    if (status != HD_EXIT_OK)
        return status < 0 ? HD_EXIT_OK : status;
    if (n != 1)
        return hd_usage_error(c, "name one report, for example oversight");
    if (!a.period)
        return hd_usage_error(c, "--period YYYY-MM is needed");
    if (hd_period_parse(a.period, &a.month, &last, &err) != HD_OK)
        return hd_usage_error(c, "%s", err.text);
    if (last != a.month)
        return hd_usage_error(c, "a report is for one month");
    status = hd_output_check(c, &a.output);
    return status == HD_EXIT_OK ? make(&a, operands[0]) : status;
}
