/* policy_file.c - see policy_file.h. */
#include "catalogue/policy_file.h"

#include "base/alloc.h"
#include "catalogue/folder.h"
#include "catalogue/yaml.h"

#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 1000000 };

/* The rules, once: key, smallest and largest value. A policy that controls anything states each of
 * them: a rule that is left out is nobody's decision. One that shows true counts states none. */
#define INTEGER_RULES(X)                                                                           \
    X(withheld_from, 0, 1)                                                                         \
    X(withheld_to, 0, MOST)                                                                        \
    X(rounded_to, 1, MOST)                                                                         \
    X(percent_decimals, 0, 6)                                                                      \
    X(percent_decimals_from, 0, 1000000000)                                                        \
    X(minimum_rate_population, 0, 1000000000)                                                      \
    X(minimum_persons, 0, MOST)                                                                    \
    X(minimum_mean_records, 0, MOST)                                                               \
    X(minimum_distinct_values, 0, MOST)                                                            \
    X(minimum_thin_side, 0, MOST)                                                                  \
    X(dominance_n, 0, 5)                                                                           \
    X(dominance_percent, 0, 100)                                                                   \
    X(p_percent, 0, 100)                                                                           \
    X(minimum_candidates, 0, MOST)                                                                 \
    X(minimum_value_candidates, 0, MOST)                                                           \
    X(candidates_for_counts_to, 0, MOST)                                                           \
    X(audited_cells_at_most, 1, 100000000)                                                         \
    X(near_releases_at_most, 0, MOST)                                                              \
    X(listing_fields, 1, MOST)                                                                     \
    X(small_rows_left_out_from_fields, 1, MOST)
#define BOOLEAN_RULES(X)                                                                           \
    X(national_is_exact)                                                                           \
    X(zero_is_shown)                                                                               \
    X(small_sums_are_withheld)                                                                     \
    X(extremes_are_shown)                                                                          \
    X(group_disclosure_is_withheld)                                                                \
    X(below_star_is_withheld)                                                                      \
    X(compares_releases)                                                                           \
    X(compares_national_figures)
#define TEXT_RULES(X)                                                                              \
    X(mark)                                                                                        \
    X(secondary_mark)                                                                              \
    X(rounding)                                                                                    \
    X(totals)

/* As it stands in the file: what is not given is NULL. */
#define INTEGER_MEMBER(key, low, high) const int64_t *key;
#define BOOLEAN_MEMBER(key)            const bool *key;
#define TEXT_MEMBER(key)               const char *key;
typedef struct text_form {
    const char *name, *title, *version, *source, *note, *legend;
    const bool *shows_true_counts;
    INTEGER_RULES(INTEGER_MEMBER)
    BOOLEAN_RULES(BOOLEAN_MEMBER)
    TEXT_RULES(TEXT_MEMBER)
} text_form;

#define KEY(key, type, required)    {#key, type, required, offsetof(text_form, key)},
#define INTEGER_KEY(key, low, high) KEY(key, HD_YAML_INTEGER, false)
#define BOOLEAN_KEY(key)            KEY(key, HD_YAML_BOOLEAN, false)
#define TEXT_KEY(key)               KEY(key, HD_YAML_TEXT, false)
static const hd_yaml_key keys[] = {
    KEY(name, HD_YAML_TEXT, true)
    KEY(title, HD_YAML_TEXT, true)
    KEY(version, HD_YAML_TEXT, true)
    KEY(source, HD_YAML_TEXT, true)
    KEY(note, HD_YAML_TEXT, false)
    KEY(legend, HD_YAML_TEXT, true)
    KEY(shows_true_counts, HD_YAML_BOOLEAN, true)
    INTEGER_RULES(INTEGER_KEY)
    BOOLEAN_RULES(BOOLEAN_KEY)
    TEXT_RULES(TEXT_KEY)
    {NULL},
};
static const hd_yaml_shape shape = {sizeof(text_form), keys};

static hd_code check_presence(const hd_yaml *y, const text_form *t, hd_err *err)
{
    for (const hd_yaml_key *k = keys; k->name; k++) {
        if (k->required || k->offset == offsetof(text_form, note))
            continue;
        const void *given;
        memcpy(&given, (const char *)t + k->offset, sizeof given);
        if ((given != NULL) == *t->shows_true_counts)
            return hd_yaml_fail(y, err, k->name,
                                *t->shows_true_counts
                                    ? "a policy that shows true counts has no use for it"
                                    : "a policy that does not show true counts must state it");
    }
    return HD_OK;
}

static hd_code check_range(const hd_yaml *y, const char *key, int64_t x, int64_t low, int64_t high,
                           hd_err *err)
{
    if (x >= low && x <= high)
        return HD_OK;
    return hd_yaml_fail(y, err, key, "must be from %lld to %lld", (long long)low, (long long)high);
}

static bool is_mark(const char *text)
{
    return strlen(text) == 1 && ispunct((unsigned char)text[0]) && !strchr("+-.,\"'=@0", text[0]);
}

/* What no single key can say. */
static hd_code check_together(const hd_yaml *y, const text_form *t, hd_err *err)
{
    if (*t->withheld_to < *t->withheld_from - 1)
        return hd_yaml_fail(y, err, "withheld_to",
                            "must be from withheld_from, or one less when nothing is withheld");
    if (*t->zero_is_shown != (*t->withheld_from > 0))
        return hd_yaml_fail(y, err, "zero_is_shown",
                            "must be true exactly when withheld_from is above 0");
    if (*t->dominance_n && (*t->dominance_percent < 1 || *t->dominance_percent > 99))
        return hd_yaml_fail(y, err, "dominance_percent", "must be from 1 to 99 with dominance_n");
    if (!*t->dominance_n && *t->dominance_percent)
        return hd_yaml_fail(y, err, "dominance_percent", "must be 0 when dominance_n is 0");
    if (*t->minimum_candidates == 1)
        return hd_yaml_fail(y, err, "minimum_candidates",
                            "must be at least 2, or 0 when it is not tested");
    if (*t->minimum_value_candidates == 1)
        return hd_yaml_fail(y, err, "minimum_value_candidates",
                            "must be at least 2, or 0 when it is not tested");
    if (!*t->minimum_candidates != !*t->candidates_for_counts_to)
        return hd_yaml_fail(y, err, "candidates_for_counts_to",
                            "must be 0 exactly when minimum_candidates is 0");
    return HD_OK;
}

static hd_code take_texts(hd_policy_file *p, const text_form *t, hd_err *err)
{
    if (!is_mark(t->mark))
        return hd_yaml_fail(p->yaml, err, "mark", "must be one punctuation character that begins "
                                                  "no number and no formula, such as \"*\"");
    if (!is_mark(t->secondary_mark) || strcmp(t->mark, t->secondary_mark) == 0)
        return hd_yaml_fail(p->yaml, err, "secondary_mark",
                            "must be one punctuation character other than mark, such as \":\"");
    p->mark = t->mark[0];
    p->secondary_mark = t->secondary_mark[0];
    static const char *const roundings[] = {[HD_ROUND_NEAREST] = "nearest",
                                            [HD_ROUND_MIDPOINT] = "midpoint",
                                            [HD_ROUND_BY_SET] = "by_set"};
    size_t rounding = 0, n = sizeof roundings / sizeof *roundings;
    while (rounding < n && strcmp(t->rounding, roundings[rounding]) != 0)
        rounding++;
    if (rounding == n)
        return hd_yaml_fail(p->yaml, err, "rounding", "must be nearest, midpoint or by_set");
    p->rounding = (hd_rounding)rounding;
    if (strcmp(t->totals, "rounded") != 0 && strcmp(t->totals, "summed") != 0)
        return hd_yaml_fail(p->yaml, err, "totals", "must be rounded or summed");
    p->totals_are_summed = strcmp(t->totals, "summed") == 0;
    return HD_OK;
}

#define TAKE_INTEGER(key, low, high)                                                               \
    HD_TRY(check_range(p->yaml, #key, *t->key, low, high, err));                                   \
    p->key = *t->key;
#define TAKE_BOOLEAN(key) p->key = *t->key;

static hd_code take(hd_policy_file *p, const char *name, hd_err *err)
{
    const text_form *t = hd_yaml_data(p->yaml);
    if (strcmp(t->name, name) != 0)
        return hd_yaml_fail(p->yaml, err, "name", "must be the name of the file");
    HD_TRY(check_presence(p->yaml, t, err));
    p->name = t->name;
    p->title = t->title;
    p->version = t->version;
    p->source = t->source;
    p->note = t->note ? t->note : "";
    p->legend = t->legend;
    p->shows_true_counts = *t->shows_true_counts;
    if (p->shows_true_counts)
        return HD_OK;
    INTEGER_RULES(TAKE_INTEGER)
    BOOLEAN_RULES(TAKE_BOOLEAN)
    HD_TRY(take_texts(p, t, err));
    return check_together(p->yaml, t, err);
}

/* Say which policies there are. */
static hd_code fail_absent(const char *catalogue_folder, const char *name, hd_err *err)
{
    char folder[PATH_MAX], list[256];
    char **names;
    size_t n, len = 0;
    snprintf(folder, sizeof folder, "%s/policies", catalogue_folder);
    HD_TRY(hd_folder_names(folder, &names, &n, err));
    list[0] = '\0';
    for (size_t i = 0; i < n && len + strlen(names[i]) + 3 < sizeof list; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", len ? ", " : "", names[i]);
    hd_folder_names_free(names, n);
    return hd_fail(err, HD_NOTFOUND, "there is no policy %s in %s: there are %s", name, folder, list);
}

hd_code hd_policy_file_read(hd_policy_file **out, const char *catalogue_folder, const char *name,
                            hd_err *err)
{
    char path[PATH_MAX];
    *out = NULL;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
            return hd_fail(err, HD_INVALID, "a policy name has letters, digits, _ and - only");
    int n = snprintf(path, sizeof path, "%s/policies/%s.yaml", catalogue_folder, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return hd_fail(err, HD_LIMIT, "the path of the policies is too long");
    hd_policy_file *p = hd_calloc(1, sizeof *p);
    if (!p)
        return hd_fail_nomem(err);
    hd_code rc = hd_yaml_read(&p->yaml, path, &shape, err);
    if (rc == HD_OK)
        rc = take(p, name, err);
    if (rc != HD_OK) {
        hd_policy_file_free(p);
        return rc == HD_NOTFOUND ? fail_absent(catalogue_folder, name, err) : rc;
    }
    *out = p;
    return HD_OK;
}

void hd_policy_file_free(hd_policy_file *p)
{
    if (!p)
        return;
    hd_yaml_free(p->yaml);
    hd_free(p);
}
