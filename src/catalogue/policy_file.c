/* policy_file.c - see policy_file.h. */
#include "catalogue/policy_file.h"

#include "base/alloc.h"
#include "catalogue/yaml.h"

#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* As it stands in the file: what is not given is NULL. */
typedef struct text_form {
    const char *name, *title, *version, *source, *note, *legend, *mark;
    const bool *shows_true_counts, *national_is_exact, *zero_is_shown, *small_sums_are_withheld,
        *extremes_are_shown, *below_star_is_withheld;
    const int64_t *withheld_from, *withheld_to, *rounded_to, *minimum_persons, *minimum_thin_side,
        *listing_fields, *small_rows_left_out_from_fields;
} text_form;

#define KEY(key, type, required)                                                                   \
    {                                                                                              \
#key, type, required, offsetof(text_form, key)                                             \
    }

static const hd_yaml_key keys[] = {
    KEY(name, HD_YAML_TEXT, true),
    KEY(title, HD_YAML_TEXT, true),
    KEY(version, HD_YAML_TEXT, true),
    KEY(source, HD_YAML_TEXT, true),
    KEY(note, HD_YAML_TEXT, false),
    KEY(legend, HD_YAML_TEXT, true),
    KEY(shows_true_counts, HD_YAML_BOOLEAN, true),
    KEY(national_is_exact, HD_YAML_BOOLEAN, false),
    KEY(mark, HD_YAML_TEXT, false),
    KEY(withheld_from, HD_YAML_INTEGER, false),
    KEY(withheld_to, HD_YAML_INTEGER, false),
    KEY(zero_is_shown, HD_YAML_BOOLEAN, false),
    KEY(rounded_to, HD_YAML_INTEGER, false),
    KEY(minimum_persons, HD_YAML_INTEGER, false),
    KEY(minimum_thin_side, HD_YAML_INTEGER, false),
    KEY(small_sums_are_withheld, HD_YAML_BOOLEAN, false),
    KEY(extremes_are_shown, HD_YAML_BOOLEAN, false),
    KEY(below_star_is_withheld, HD_YAML_BOOLEAN, false),
    KEY(listing_fields, HD_YAML_INTEGER, false),
    KEY(small_rows_left_out_from_fields, HD_YAML_INTEGER, false),
    {NULL},
};
static const hd_yaml_shape shape = {sizeof(text_form), keys};

/* A rule that is left out is nobody's decision: a policy that controls anything states every rule,
 * one that shows true counts states none. */
static hd_code check_presence(const hd_yaml *y, const text_form *t, hd_err *err)
{
    const void *const rules[] = {
        t->national_is_exact, t->mark,
        t->withheld_from, t->withheld_to,
        t->zero_is_shown, t->rounded_to,
        t->minimum_persons, t->minimum_thin_side,
        t->small_sums_are_withheld, t->extremes_are_shown,
        t->below_star_is_withheld, t->listing_fields,
        t->small_rows_left_out_from_fields,
    };
    static const char *const names[] = {
        "national_is_exact", "mark",
        "withheld_from", "withheld_to",
        "zero_is_shown", "rounded_to",
        "minimum_persons", "minimum_thin_side",
        "small_sums_are_withheld", "extremes_are_shown",
        "below_star_is_withheld", "listing_fields",
        "small_rows_left_out_from_fields",
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if ((rules[i] != NULL) == *t->shows_true_counts)
            return hd_yaml_fail(y, err, names[i],
                                *t->shows_true_counts
                                    ? "a policy that shows true counts has no use for it"
                                    : "a policy that does not show true counts must state it");
    return HD_OK;
}

static hd_code check_ranges(const hd_yaml *y, const text_form *t, hd_err *err)
{
    if (strlen(t->mark) != 1 || !ispunct((unsigned char)t->mark[0]))
        return hd_yaml_fail(y, err, "mark", "must be one punctuation character, such as \"*\"");
    if (*t->withheld_from < 0)
        return hd_yaml_fail(y, err, "withheld_from", "must not be negative");
    if (*t->withheld_to < *t->withheld_from || *t->withheld_to > 1000000)
        return hd_yaml_fail(y, err, "withheld_to", "must be from withheld_from to 1000000");
    if (*t->rounded_to < 1 || *t->rounded_to > 1000000)
        return hd_yaml_fail(y, err, "rounded_to", "must be from 1 to 1000000");
    if (*t->minimum_persons < 0)
        return hd_yaml_fail(y, err, "minimum_persons", "must not be negative");
    if (*t->minimum_thin_side < 0)
        return hd_yaml_fail(y, err, "minimum_thin_side", "must not be negative");
    if (*t->listing_fields < 1)
        return hd_yaml_fail(y, err, "listing_fields", "must be at least 1");
    if (*t->small_rows_left_out_from_fields < 1)
        return hd_yaml_fail(y, err, "small_rows_left_out_from_fields", "must be at least 1");
    return HD_OK;
}

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
    HD_TRY(check_ranges(p->yaml, t, err));
    p->national_is_exact = *t->national_is_exact;
    p->mark = t->mark[0];
    p->withheld_from = *t->withheld_from;
    p->withheld_to = *t->withheld_to;
    p->zero_is_shown = *t->zero_is_shown;
    p->rounded_to = *t->rounded_to;
    p->minimum_persons = *t->minimum_persons;
    p->minimum_thin_side = *t->minimum_thin_side;
    p->small_sums_are_withheld = *t->small_sums_are_withheld;
    p->extremes_are_shown = *t->extremes_are_shown;
    p->below_star_is_withheld = *t->below_star_is_withheld;
    p->listing_fields = *t->listing_fields;
    p->small_rows_left_out_from_fields = *t->small_rows_left_out_from_fields;
    return HD_OK;
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
        return rc;
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
