/* definition.h - one YAML file into one checked C struct, with errors that name file, line and key.
 *
 * Only for src/catalogue: a schema is libcyaml's. Policies, indicators and reports are read this way;
 * what other folders see are the plain structs of policy_file.h, indicator_file.h, report_file.h.
 */
#ifndef HD_CATALOGUE_DEFINITION_H
#define HD_CATALOGUE_DEFINITION_H

#include "base/err.h"

#include <cyaml/cyaml.h>

/* For CYAML_FIELD_ENUM with CYAML_FLAG_STRICT: true and false and nothing else. libcyaml's own
 * booleans take every word they do not know for true. */
extern const cyaml_strval_t hd_definition_words[2];
#define HD_DEFINITION_BOOL(key, flags, structure, member)                                          \
    CYAML_FIELD_ENUM(key, CYAML_FLAG_STRICT | (flags), structure, member, hd_definition_words, 2)

/* Unknown keys, wrong types and missing keys are HD_FORMAT; a missing file is HD_NOTFOUND. Release
 * with hd_definition_free and the same schema. */
HD_MUST hd_code hd_definition_load(const char *path, const cyaml_schema_value_t *schema,
                                   void **out, hd_err *err);
void hd_definition_free(const cyaml_schema_value_t *schema, void *data); /* NULL is allowed */

/* Names (without .yaml) of the definitions in a folder, ascending; free with hd_definition_names_free.
 * An unreadable folder is HD_IO. */
HD_MUST hd_code hd_definition_names(const char *folder, char ***out, size_t *n, hd_err *err);
void hd_definition_names_free(char **names, size_t n);

#endif
