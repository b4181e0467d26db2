/* report_file.c - see report_file.h. */
#include "catalogue/report_file.h"

#include "catalogue/yaml.h"

#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const hd_yaml_key section_keys[] = {
    {"title", HD_YAML_TEXT, true, offsetof(hd_report_section, title)},
    {"note", HD_YAML_TEXT, false, offsetof(hd_report_section, note)},
    {"indicators", HD_YAML_TEXTS, true, offsetof(hd_report_section, indicators),
     offsetof(hd_report_section, n_indicators)},
    {NULL},
};
static const hd_yaml_shape section_shape = {sizeof(hd_report_section), section_keys};

static const hd_yaml_key keys[] = {
    {"name", HD_YAML_TEXT, true, offsetof(hd_report_file, name)},
    {"title", HD_YAML_TEXT, true, offsetof(hd_report_file, title)},
    {"introduction", HD_YAML_TEXT, true, offsetof(hd_report_file, introduction)},
    {"source", HD_YAML_TEXT, true, offsetof(hd_report_file, source)},
    {"months", HD_YAML_INTEGER, false, offsetof(hd_report_file, months)},
    {"sections", HD_YAML_RECORDS, true, offsetof(hd_report_file, sections),
     offsetof(hd_report_file, n_sections), &section_shape},
    {NULL},
};
static const hd_yaml_shape shape = {sizeof(hd_report_file), keys};

hd_code hd_report_def_read(hd_report_def *out, const char *catalogue_folder, const char *name,
                           hd_err *err)
{
    enum { DEFAULT_MONTHS = 24, MOST_MONTHS = 120 };
    char path[PATH_MAX];
    *out = (hd_report_def){.months = DEFAULT_MONTHS};
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
            return hd_fail(err, HD_INVALID, "a report name has letters, digits, _ and - only");
    int n = snprintf(path, sizeof path, "%s/reports/%s.yaml", catalogue_folder, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return hd_fail(err, HD_LIMIT, "the path of the reports is too long");
    HD_TRY(hd_yaml_read(&out->yaml, path, &shape, err));
    out->file = hd_yaml_data(out->yaml);
    hd_code rc = HD_OK;
    if (strcmp(out->file->name, name) != 0)
        rc = hd_yaml_fail(out->yaml, err, "name", "must be the name of the file");
    else if (out->file->months && (*out->file->months < 2 || *out->file->months > MOST_MONTHS))
        rc = hd_yaml_fail(out->yaml, err, "months", "must be from 2 to %d", MOST_MONTHS);
    if (rc != HD_OK)
        hd_report_def_free(out);
    else if (out->file->months)
        out->months = *out->file->months;
    return rc;
}

void hd_report_def_free(hd_report_def *r)
{
    hd_yaml_free(r->yaml);
    *r = (hd_report_def){0};
}
