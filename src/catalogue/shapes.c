/* shapes.c - the keys that each kind of YAML file may have (doc/catalogue.md). Data only. */
#include "catalogue/model.h"

#define TEXT(s, m)     {#m, HD_YAML_TEXT, false, offsetof(s, m)}
#define NEEDED(s, m)   {#m, HD_YAML_TEXT, true, offsetof(s, m)}
#define TEXTS(s, m)    {#m, HD_YAML_TEXTS, false, offsetof(s, m), offsetof(s, n_##m)}
#define INTEGER(s, m)  {#m, HD_YAML_INTEGER, false, offsetof(s, m)}
#define DECIMAL(s, m)  {#m, HD_YAML_DECIMAL, false, offsetof(s, m)}
#define BOOLEAN(s, m)  {#m, HD_YAML_BOOLEAN, false, offsetof(s, m)}
#define RECORDS(s, m, shape) {#m, HD_YAML_RECORDS, false, offsetof(s, m), offsetof(s, n_##m), shape}

static const hd_yaml_key code_keys[] = {
    NEEDED(raw_code, code), NEEDED(raw_code, label), TEXT(raw_code, meaning),
    INTEGER(raw_code, from), INTEGER(raw_code, to), {NULL},
};
static const hd_yaml_shape code_shape = {sizeof(raw_code), code_keys};

static const hd_yaml_key field_keys[] = {
    NEEDED(raw_field, name), TEXT(raw_field, title), TEXT(raw_field, source), TEXT(raw_field, note),
    TEXT(raw_field, kind), TEXT(raw_field, type), TEXTS(raw_field, columns),
    INTEGER(raw_field, elements), TEXTS(raw_field, element_names),
    RECORDS(raw_field, codes, &code_shape), TEXTS(raw_field, code_sets), TEXT(raw_field, pattern),
    DECIMAL(raw_field, minimum), DECIMAL(raw_field, maximum), INTEGER(raw_field, valid_from),
    INTEGER(raw_field, valid_to), BOOLEAN(raw_field, subnational), BOOLEAN(raw_field, required),
    BOOLEAN(raw_field, computed), TEXT(raw_field, of), TEXT(raw_field, expression),
    TEXT(raw_field, like), TEXT(raw_field, from), TEXT(raw_field, take), {NULL},
};
static const hd_yaml_shape field_shape = {sizeof(raw_field), field_keys};

static const hd_yaml_key parameter_keys[] = {
    NEEDED(hd_parameter, name), NEEDED(hd_parameter, value), {NULL},
};
static const hd_yaml_shape parameter_shape = {sizeof(hd_parameter), parameter_keys};

static const hd_yaml_key same_as_keys[] = {
    NEEDED(raw_names, table), TEXTS(raw_names, fields), {NULL},
};
static const hd_yaml_shape same_as_shape = {sizeof(raw_names), same_as_keys};

static const hd_yaml_key carried_keys[] = {
    NEEDED(raw_names, take), TEXTS(raw_names, fields), {NULL},
};
static const hd_yaml_shape carried_shape = {sizeof(raw_names), carried_keys};

static const hd_yaml_key table_keys[] = {
    NEEDED(raw_table, name), NEEDED(raw_table, title), NEEDED(raw_table, unit),
    NEEDED(raw_table, source), TEXT(raw_table, note), TEXT(raw_table, file_tag),
    TEXT(raw_table, key), TEXT(raw_table, period), TEXT(raw_table, from),
    TEXT(raw_table, derivation), TEXTS(raw_table, order),
    RECORDS(raw_table, parameters, &parameter_shape), RECORDS(raw_table, fields, &field_shape),
    RECORDS(raw_table, same_as, &same_as_shape), RECORDS(raw_table, carried, &carried_shape),
    TEXTS(raw_table, ignored), {NULL},
};
const hd_yaml_shape raw_table_shape = {sizeof(raw_table), table_keys};

static const hd_yaml_key code_set_keys[] = {
    NEEDED(raw_code_set, name), NEEDED(raw_code_set, source),
    RECORDS(raw_code_set, codes, &code_shape), {NULL},
};
static const hd_yaml_shape code_set_shape = {sizeof(raw_code_set), code_set_keys};

static const hd_yaml_key macro_keys[] = {
    NEEDED(raw_macro, name), NEEDED(raw_macro, title), TEXT(raw_macro, source),
    NEEDED(raw_macro, sql), TEXTS(raw_macro, arguments), {NULL},
};
static const hd_yaml_shape macro_shape = {sizeof(raw_macro), macro_keys};

static const hd_yaml_key lookup_keys[] = {
    NEEDED(raw_lookup, name), NEEDED(raw_lookup, title), NEEDED(raw_lookup, source),
    NEEDED(raw_lookup, file), NEEDED(raw_lookup, key), NEEDED(raw_lookup, value),
    BOOLEAN(raw_lookup, keeps_unknown), BOOLEAN(raw_lookup, chain), BOOLEAN(raw_lookup, optional),
    {NULL},
};
static const hd_yaml_shape lookup_shape = {sizeof(raw_lookup), lookup_keys};

static const hd_yaml_key codelist_keys[] = {
    NEEDED(raw_codelist, name), NEEDED(raw_codelist, title), NEEDED(raw_codelist, source), {NULL},
};
static const hd_yaml_shape codelist_shape = {sizeof(raw_codelist), codelist_keys};

#define LIST_FILE(variable, key, entry)                                                            \
    static const hd_yaml_key variable##_keys[] = {                                                 \
        {key, HD_YAML_RECORDS, true, offsetof(raw_list, items), offsetof(raw_list, n), entry},     \
        {NULL},                                                                                    \
    };                                                                                             \
    const hd_yaml_shape variable##_shape = {sizeof(raw_list), variable##_keys}

LIST_FILE(raw_code_sets, "code_sets", &code_set_shape);
LIST_FILE(raw_identifying, "fields", &field_shape);
LIST_FILE(raw_macros, "functions", &macro_shape);
LIST_FILE(raw_lookups, "lookups", &lookup_shape);
LIST_FILE(raw_codelists, "codelists", &codelist_shape);
