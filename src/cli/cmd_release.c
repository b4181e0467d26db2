/* cmd_release.c - hdis release: what left, the proofs that go with it, and whose releases are
 * compared with whose. */
#include "base/io.h"
#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/vault_option.h"
#include "disclosure/release.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int run(int argc, char **argv);

const hd_command hd_command_release = {
    "release", "what left the vault, and the proof that it is safe",
    "usage: hdis release list [options]\n"
    "       hdis release certificate DIGEST [--out FILE] [options]\n"
    "       hdis release compare dataset|agreement [options]\n"
    "\n"
    "list         every release, whoever asked: number, when (UTC), who, under which agreement, table, data\n"
    "             version, policy, figures withheld for earlier releases, certificate, question\n"
    "certificate  the proof with this digest (its first digits do), added up again and written out.\n"
    "             It holds possible tables, not the true one, yet helps to guess: keep it inside\n"
    "compare      the owner's choice: compare every answer with all releases from the same data set\n"
    "             (dataset, the default), or with those under the same agreement\n"
    "\n" HD_VAULT_OPTION_HELP
    "  --format NAME     list: table, csv or json (table)\n"
    "  --out FILE        write the certificate to a file instead of standard output\n",
    run};

/* A question is long: for reading it stands in a line of its own. */
static void print_one(const hd_release_entry *e)
{
    printf("%-6" PRId64 "  %-20s  %-18s %7" PRIu64 "  %-12s %4" PRId64 "  %.16s\n        by %s%s%s\n        ",
           e->number, e->at, e->table, e->data_version, e->policy, e->near,
           *e->certificate ? e->certificate : "-", e->asker,
           *e->agreement ? " under agreement " : "", e->agreement);
    for (const char *at = e->question; *at; at++)
        putchar((unsigned char)*at < ' ' ? ' ' : *at);
    putchar('\n');
}

/* l: NULL for a table. */
static hd_code take_one(void *ctx, const hd_release_entry *e, hd_err *err)
{
    hd_listing *l = ctx;
    char number[24], version[24], near[24];
    if (!l) {
        print_one(e);
        return HD_OK;
    }
    snprintf(number, sizeof number, "%" PRId64, e->number);
    snprintf(version, sizeof version, "%" PRIu64, e->data_version);
    snprintf(near, sizeof near, "%" PRId64, e->near);
    HD_LISTING_ROW(l, number, e->at, e->asker, e->agreement, e->table, version, e->policy, near,
                   e->certificate, e->question);
    return l->failed ? hd_fail_nomem(err) : HD_OK;
}

static hd_code list(hd_vault *v, const char *format, hd_err *err)
{
    if (strcmp(format, "table") == 0) {
        printf("number  at (UTC)              table              version  policy       near  certificate\n");
        return hd_release_each(v, take_one, NULL, err);
    }
    hd_listing l = {.numbers = 1u << 0 | 1u << 5 | 1u << 7};
    HD_LISTING_ROW(&l, "number", "at", "asker", "agreement", "table", "data_version", "policy", "near",
                   "certificate", "question");
    hd_code rc = hd_release_each(v, take_one, &l, err);
    if (rc == HD_OK)
        rc = hd_listing_print(&l, format, err);
    hd_listing_free(&l);
    return rc;
}

static hd_code write_proof(hd_vault *v, const char *digest, const char *out, hd_err *err)
{
    hd_code rc;
    hd_buf b;
    hd_buf_init(&b, (size_t)1 << 30);
    HD_GO(hd_release_proof(v, digest, &b, err));
    if (out)
        HD_GO(hd_io_write_file(out, b.data, b.len, 0600, err));
    else if (fwrite(b.data, 1, b.len, stdout) != b.len || fflush(stdout) != 0)
        rc = hd_fail_os(err, "cannot write to standard output");
out:
    hd_buf_free(&b);
    return rc;
}

static int run(int argc, char **argv)
{
    const hd_command *c = &hd_command_release;
    hd_vault_option where = {0};
    const char *out = NULL, *format = NULL;
    const hd_option options[] = {HD_VAULT_OPTION_ROWS(where),
                                 {"out", &out, NULL},
                                 {"format", &format, NULL},
                                 {NULL, NULL, NULL}};
    char **operands;
    int n;
    hd_err err;
    int status = hd_options(c, argc, argv, options, &operands, &n);
    if (status != HD_EXIT_OK)
        return status < 0 ? HD_EXIT_OK : status;
    bool is_list = n == 1 && strcmp(operands[0], "list") == 0;
    bool is_proof = n == 2 && strcmp(operands[0], "certificate") == 0 && operands[1][0];
    bool is_choice = n == 2 && strcmp(operands[0], "compare") == 0 &&
                     (strcmp(operands[1], "dataset") == 0 || strcmp(operands[1], "agreement") == 0);
    if (!is_list && !is_proof && !is_choice)
        return hd_usage_error(c, "say list, certificate DIGEST, or compare dataset|agreement");
    if ((format && !is_list) || (out && !is_proof))
        return hd_usage_error(c, "--format goes with list, --out with certificate");
    format = format ? format : "table";
    if ((status = hd_listing_check(c, format)) != HD_EXIT_OK)
        return status;
    hd_vault *v;
    status = hd_vault_option_open(c, &where, false, &v);
    if (status != HD_EXIT_OK)
        return status;
    hd_code rc = is_list    ? list(v, format, &err)
                 : is_proof ? write_proof(v, operands[1], out, &err)
                            : hd_vault_keep_releases_apart(v, operands[1][0] == 'a', &err);
    if (rc != HD_OK)
        status = hd_report(c, &err);
    hd_vault_close(v);
    return status;
}
