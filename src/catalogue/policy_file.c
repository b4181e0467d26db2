/* policy_file.c - see policy_file.h. */
#include "catalogue/policy_file.h"

#include "catalogue/definition.h"

#include <ctype.h>
#include <cyaml/cyaml.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define COUNT(field) CYAML_FIELD_INT(#field, CYAML_FLAG_DEFAULT, hd_policy_counts, field)

static const cyaml_schema_field_t counts_fields[] = {
    COUNT(withheld_from),
    COUNT(withheld_to),
    HD_DEFINITION_BOOL("zero_is_shown", CYAML_FLAG_DEFAULT, hd_policy_counts, zero_is_shown),
    COUNT(rounded_to),
    CYAML_FIELD_END,
};

#define TEXT(field, flags)                                                                         \
    CYAML_FIELD_STRING_PTR(#field, CYAML_FLAG_POINTER | (flags), hd_policy_file, field, 1, 1000)
#define OPTIONAL_INT(field)                                                                        \
    CYAML_FIELD_INT(#field, CYAML_FLAG_OPTIONAL, hd_policy_file, field)
#define OPTIONAL_BOOL(field)                                                                       \
    HD_DEFINITION_BOOL(#field, CYAML_FLAG_OPTIONAL, hd_policy_file, field)

static const cyaml_schema_field_t fields[] = {
    TEXT(name, 0),
    TEXT(title, 0),
    TEXT(version, 0),
    TEXT(source, 0),
    TEXT(note, CYAML_FLAG_OPTIONAL),
    TEXT(legend, 0),
    HD_DEFINITION_BOOL("shows_true_counts", CYAML_FLAG_DEFAULT, hd_policy_file,
                       shows_true_counts),
    OPTIONAL_BOOL(national_is_exact),
    TEXT(mark, CYAML_FLAG_OPTIONAL),
    CYAML_FIELD_MAPPING("counts", CYAML_FLAG_OPTIONAL, hd_policy_file, counts, counts_fields),
    OPTIONAL_INT(minimum_persons),
    OPTIONAL_INT(minimum_thin_side),
    OPTIONAL_BOOL(small_sums_are_withheld),
    OPTIONAL_BOOL(extremes_are_shown),
    OPTIONAL_BOOL(below_star_is_withheld),
    OPTIONAL_INT(minimum_records_per_cell),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, hd_policy_file, fields)};

/* What the types alone do not say. Returns the key that is wrong and why, or NULL. */
static const char *find_mistake(const hd_policy_file *p, const char *name)
{
    if (strcmp(p->name, name) != 0)
        return "name: must be the name of the file";
    if (p->shows_true_counts)
        return p->mark ? "mark: a policy that shows true counts withholds nothing" : NULL;
    if (!p->mark || strlen(p->mark) != 1 || !ispunct((unsigned char)p->mark[0]))
        return "mark: must be one punctuation character, for example \"*\"";
    if (p->counts.withheld_from < 0 || p->counts.withheld_to < p->counts.withheld_from)
        return "counts: withheld_from and withheld_to must be a range from 0 up";
    if (p->counts.rounded_to < 1 || p->counts.rounded_to > 1000000)
        return "counts.rounded_to: must be from 1 to 1000000";
    if (p->minimum_persons < 0 || p->minimum_thin_side < 0 || p->minimum_records_per_cell < 0)
        return "minimum_persons, minimum_thin_side, minimum_records_per_cell: must not be negative";
    return NULL;
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
    void *data = NULL;
    HD_TRY(hd_definition_load(path, &schema, &data, err));
    hd_policy_file *p = data;
    const char *mistake = find_mistake(p, name);
    if (mistake) {
        hd_policy_file_free(p);
        return hd_fail(err, HD_FORMAT, "%s: %s", path, mistake);
    }
    *out = p;
    return HD_OK;
}

void hd_policy_file_free(hd_policy_file *p)
{
    hd_definition_free(&schema, p);
}
