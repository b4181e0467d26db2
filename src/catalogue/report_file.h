/* report_file.h - a report as it stands in catalogue/reports/NAME.yaml: which indicators, in which
 * sections. */
#ifndef HD_CATALOGUE_REPORT_FILE_H
#define HD_CATALOGUE_REPORT_FILE_H

#include "base/err.h"

typedef struct hd_report_section {
    const char *title, *note; /* note: NULL when none */
    const char **indicators;
    size_t n_indicators;
} hd_report_section;

typedef struct hd_report_file {
    const char *name, *title, *introduction, *source;
    hd_report_section *sections;
    size_t n_sections;
    const int64_t *months; /* of the series that end with the period; NULL: not given */
} hd_report_file;

struct hd_yaml;
typedef struct hd_report_def {
    const hd_report_file *file;
    struct hd_yaml *yaml; /* owns it */
    int64_t months;
} hd_report_def;

HD_MUST hd_code hd_report_def_read(hd_report_def *out, const char *catalogue_folder,
                                   const char *name, hd_err *err);
void hd_report_def_free(hd_report_def *r);

#endif
