/* test_policies.c - the policies of the catalogue: what they print, that the range of a print is
 * exactly the counts that print so, and what is said of a policy that is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/csv.h"
#include "base/io.h"
#include "disclosure/primary.h"
#include "disclosure/rule.h"
#include "rows_as_cells.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"hes2018",    "hes2014", "mhsds", "iapt",
                                    "opensafely", "ons10-5", "none",  "opensafely-midpoint6"};
enum { N_NAMES = sizeof names / sizeof *names };

static char catalogue[PATH_MAX];

static hd_policy *open_policy(const char *name)
{
    hd_policy *p;
    hd_err err;
    if (hd_policy_open(&p, catalogue, name, &err) != HD_OK)
        fail_msg("%s", err.text);
    return p;
}

/* Up or down by the set, each within the range of its print, and right on average. */
static void check_by_set(const hd_policy_file *p, int64_t n)
{
    double sum = 0;
    enum { SETS = 2000 };
    for (uint64_t set = 1; set <= SETS; set++) {
        int64_t shown = hd_rule_round_by_set(p, n, set * UINT64_C(0x9E3779B97F4A7C15));
        hd_rule_range r = hd_rule_range_shown(p, shown);
        assert_int_equal(shown % p->rounded_to, 0);
        assert_true(r.low <= n && n <= r.high);
        assert_int_equal(shown, hd_rule_round_by_set(p, n, set * UINT64_C(0x9E3779B97F4A7C15)));
        sum += (double)(shown - n);
    }
    assert_true(sum / SETS < 0.25 && sum / SETS > -0.25);
}

static void every_count_is_in_the_range_of_its_print(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_NAMES; i++) {
        hd_policy *policy = open_policy(names[i]);
        const hd_policy_file *p = policy->file;
        if (p->shows_true_counts) {
            hd_policy_free(policy);
            continue;
        }
        hd_rule_range behind = hd_rule_range_withheld(p, false);
        for (int64_t n = 0; n < 2000; n++) {
            bool is_withheld = hd_rule_withholds(p, n, -1);
            assert_int_equal(is_withheld, n >= behind.low && n <= behind.high);
            int64_t shown = hd_rule_round(p, n);
            hd_rule_range r = hd_rule_range_shown(p, shown);
            if (is_withheld)
                continue;
            assert_true(r.low <= n && n <= r.high);
            if (p->rounding == HD_ROUND_BY_SET) {
                check_by_set(p, n);
                continue;
            }
            for (int64_t m = r.low; m <= r.high; m++)
                assert_true(!hd_rule_withholds(p, m, -1) && hd_rule_round(p, m) == shown);
            assert_true(r.low == 0 || hd_rule_withholds(p, r.low - 1, -1) ||
                        hd_rule_round(p, r.low - 1) != shown);
            assert_true(hd_rule_withholds(p, r.high + 1, -1) ||
                        hd_rule_round(p, r.high + 1) != shown);
            if (n >= 1 && n <= p->candidates_for_counts_to)
                assert_true(r.high - r.low + 1 >= p->minimum_candidates);
        }
        hd_rule_range far = hd_rule_range_withheld(p, true);
        assert_true(far.high == (p->minimum_persons ? HD_RULE_ENDLESS : behind.high));
        hd_policy_free(policy);
    }
}

static void what_no_count_prints_is_nothing(void **state)
{
    (void)state;
    hd_policy *policy = open_policy("hes2018");
    static const int64_t impossible[] = {5, -5, 1, 7, 8, 11, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        hd_rule_range r = hd_rule_range_shown(policy->file, impossible[i]);
        assert_true(r.low > r.high);
    }
    hd_policy_free(policy);
}

/* The mark of a range covers what one person with many records makes. */
static void people_decide_too(void **state)
{
    (void)state;
    hd_policy *policy = open_policy("hes2018");
    assert_true(hd_rule_withholds(policy->file, 2000, 7));
    assert_false(hd_rule_withholds(policy->file, 2000, 8));
    assert_true(hd_rule_withholds(policy->file, 1, 0));
    assert_false(hd_rule_withholds(policy->file, 0, 0));
    hd_policy_free(policy);
    policy = open_policy("mhsds");
    assert_true(hd_rule_withholds(policy->file, 0, 0));
    hd_policy_free(policy);
}

static void rounding_survives_the_ends(void **state)
{
    (void)state;
    static const int64_t extremes[] = {INT64_MAX, INT64_MAX - 1, INT64_MIN, INT64_MIN + 1, -1, -3};
    for (size_t i = 0; i < N_NAMES; i++) {
        hd_policy *policy = open_policy(names[i]);
        for (size_t k = 0; k < 6 && !policy->file->shows_true_counts; k++) {
            int64_t y = hd_rule_round(policy->file, extremes[k]);
            assert_true((y < 0) == (extremes[k] < 0) || y == 0);
        }
        hd_policy_free(policy);
    }
}

/* ---- the published cases -------------------------------------------------------------------- */

/* hdis prints what the file says, for each row: column `in` to column `out`; "" or * is withheld. */
static void check_file(const char *path, const char *name, const char *in, const char *out)
{
    hd_csv t;
    hd_err err;
    hd_policy *policy = open_policy(name);
    if (hd_csv_read_file(&t, path, (size_t)1 << 24, &err) != HD_OK)
        fail_msg("%s", err.text);
    int from = hd_csv_column(&t, in), to = hd_csv_column(&t, out);
    assert_true(from >= 0 && to >= 0 && t.n_rows > 0);
    for (size_t row = 0; row < t.n_rows; row++) {
        const char *want = hd_csv_cell(&t, row, to);
        int64_t n = strtoll(hd_csv_cell(&t, row, from), NULL, 10);
        char got[32] = "*";
        if (!hd_rule_withholds(policy->file, n, -1))
            snprintf(got, sizeof got, "%lld", (long long)hd_rule_round(policy->file, n));
        if (strcmp(got, *want && *want != '[' ? want : "*") != 0)
            fail_msg("%s, line %zu: %s and not %s", path, t.lines[row], got, want);
    }
    hd_csv_free(&t);
    hd_policy_free(policy);
}

static void published_sweeps_agree(void **state)
{
    (void)state;
    static const struct {
        const char *file, *policy, *in, *out;
    } cases[] = {
        {"01_nhs_rules/codonpython_sweep_0_2000.csv", "hes2018", "count", "display"},
        {"01_nhs_rules/mhsds_sweep_0_200.csv", "mhsds", "count", "display"},
        {"01_nhs_rules/mhsds_sweep_0_200.csv", "iapt", "count", "display"},
        {"02_opensafely_docs/midpoint6.csv", "opensafely-midpoint6", "count", "midpoint6"},
        {"03_ons_cellkey_10_5/expected_var1_var5_var8.csv", "ons10-5", "pre_sdc_count", "count"},
    };
    const char *shared = getenv("HDIS_SHARED");
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(path, sizeof path, "%s/cases/disclosure/%s", shared ? shared : "../shared",
                 cases[i].file);
        FILE *f = fopen(path, "r");
        if (!f) {
            print_message("%s is not there\n", path);
            skip();
        }
        fclose(f);
        check_file(path, cases[i].policy, cases[i].in, cases[i].out);
    }
}

/* ---- group disclosure ------------------------------------------------------------------------ */

static hd_value text(const char *s)
{
    return (hd_value){.type = HD_TEXT, .text = {s, strlen(s)}};
}

/* Two areas by outcome: area A has one outcome only, and nobody in B's second row passes the
 * filter. */
static void a_row_that_is_everybody_is_withheld(void **state)
{
    (void)state;
    hd_policy *policy = open_policy("hes2018");
    hd_value keys[6] = {text("A"), text("x"), text("B"), text("x"), text("B"), text("y")};
    uint32_t grouping[3] = {0};
    hd_cell all[3], figures[6];
    static const int64_t n[3] = {50, 60, 70}, passed[3] = {20, 30, 0};
    for (size_t i = 0; i < 3; i++) {
        all[i] = figures[2 * i] = (hd_cell){{.type = HD_INTEGER, .integer = n[i]}, n[i], n[i]};
        figures[2 * i + 1] =
            (hd_cell){{.type = HD_INTEGER, .integer = passed[i]}, passed[i], passed[i]};
    }
    const hd_aggregate aggregates[2] = {{.kind = HD_AGG_COUNT, .type = HD_INTEGER},
                                        {.kind = HD_AGG_COUNT, .type = HD_INTEGER,
                                         .has_filter = true}};
    const hd_key by[2] = {{"area", HD_TEXT, true}, {"outcome", HD_TEXT, false}};
    const hd_question q = {.is_subnational = true, .n_keys = 2, .n_aggregates = 2, .keys = by,
                           .aggregates = aggregates};
    hd_cells *cells = rows_as_cells(&q, 3, keys, grouping, all, figures);
    for (int is_on = 0; is_on < 2; is_on++) {
        hd_safe safe;
        hd_err err;
        policy->file->group_disclosure_is_withheld = is_on;
        assert_int_equal(hd_primary_apply(policy, &q, cells, &safe, &err), HD_OK);
        /* A is in one row; so is outcome y. */
        const char want[6] = {is_on ? '*' : 0, is_on ? '*' : 0, 0, 0, is_on ? '*' : 0,
                              is_on ? '*' : 0};
        for (size_t i = 0; i < 6; i++)
            assert_int_equal(safe.figures[i].mark, want[i]);
        hd_safe_free(&safe);
    }
    hd_cells_free(cells);
    hd_policy_free(policy);
}

/* ---- wrong policies ------------------------------------------------------------------------- */

/* hes2018 under the name `own`, with the line of one key replaced (NULL: left out). */
static void write_own(const char *path, const char *key, const char *line)
{
    char from[PATH_MAX + 64], *text;
    size_t len;
    hd_err err;
    snprintf(from, sizeof from, "%s/policies/hes2018.yaml", catalogue);
    assert_int_equal(hd_io_read_file(from, 1 << 20, &text, &len, &err), HD_OK);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n")) {
        bool is_it = strncmp(at, key, strlen(key)) == 0 && at[strlen(key)] == ':';
        if (strncmp(at, "name:", 5) == 0)
            fputs("name: own\n", f);
        else if (!is_it)
            fprintf(f, "%s\n", at);
        else if (line)
            fprintf(f, "%s: %s\n", key, line);
    }
    fclose(f);
    hd_free(text);
}

static void a_wrong_key_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *key, *line, *want; /* want NULL: it is a good policy */
    } cases[] = {
        {"version", "'7'", NULL},
        {"rounded_to", "10", NULL},
        {"totals", "summed", NULL},
        {"mark", NULL, "mark: a policy that does not show true counts must state it"},
        {"mark", "'**'", "mark: must be one punctuation character"},
        {"mark", "'-'", "mark: must be one punctuation character"},
        {"mark", "':'", "secondary_mark: must be one punctuation character other than mark"},
        {"secondary_mark", "x", "secondary_mark: must be"},
        {"withheld_from", "3", "withheld_from: must be from 0 to 1"},
        {"withheld_to", "-1", "withheld_to: must be from 0 to"},
        {"withheld_to", "2000000", "withheld_to: must be from 0 to"},
        {"zero_is_shown", "false", "zero_is_shown: must be true exactly when"},
        {"rounding", "up", "rounding: must be nearest, midpoint or by_set"},
        {"rounded_to", "0", "rounded_to: must be from 1"},
        {"rounded_to", "five", "rounded_to"},
        {"totals", "exact", "totals: must be rounded or summed"},
        {"percent_decimals", "9", "percent_decimals: must be from 0 to 6"},
        {"dominance_n", "2", "dominance_percent: must be from 1 to 99"},
        {"dominance_percent", "80", "dominance_percent: must be 0 when dominance_n is 0"},
        {"p_percent", "101", "p_percent: must be from 0 to 100"},
        {"minimum_candidates", "1", "minimum_candidates: must be at least 2"},
        {"minimum_candidates", "0", "candidates_for_counts_to: must be 0 exactly when"},
        {"minimum_candidates", "8", "candidates_for_counts_to: a count of 1 keeps 7 possible"},
        {"minimum_value_candidates", "0", NULL},
        {"minimum_value_candidates", "1", "minimum_value_candidates: must be at least 2"},
        {"candidates_for_counts_to", "0", "candidates_for_counts_to: must be 0 exactly when"},
        {"listing_fields", "0", "listing_fields: must be from 1"},
        {"rounded_to", "5\nsurprise: 1", "surprise"},
    };
    char folder[] = "/tmp/hdis-policies-XXXXXX", path[128], command[256];
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command, "mkdir -p %s/policies", folder);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/policies/own.yaml", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hd_policy *p;
        hd_err err = {0};
        write_own(path, cases[i].key, cases[i].line);
        hd_code rc = hd_policy_open(&p, folder, "own", &err);
        if (rc != (cases[i].want ? HD_FORMAT : HD_OK))
            fail_msg("%s: %s: %d %s", cases[i].key, cases[i].line ? cases[i].line : "left out",
                     rc, err.text);
        if (cases[i].want && (!strstr(err.text, cases[i].want) || strchr(err.text, '\n')))
            fail_msg("'%s' does not say '%s'", err.text, cases[i].want);
        hd_policy_free(p);
    }
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_count_is_in_the_range_of_its_print),
        cmocka_unit_test(what_no_count_prints_is_nothing),
        cmocka_unit_test(people_decide_too),
        cmocka_unit_test(rounding_survives_the_ends),
        cmocka_unit_test(published_sweeps_agree),
        cmocka_unit_test(a_row_that_is_everybody_is_withheld),
        cmocka_unit_test(a_wrong_key_is_named),
    };
    snprintf(catalogue, sizeof catalogue, "%s/catalogue", getenv("HDIS_SOURCE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
