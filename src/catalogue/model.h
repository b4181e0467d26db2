/* model.h - private to catalogue/: definitions as written in YAML, and the catalogue being made.
 *
 * Reading has three steps: shapes.c and yaml.c give each file as raw structs; resolve.c turns raw
 * fields into hd_field (sharing by `like`, `same_as`, `carried`, `from`, expansion of positions);
 * check.c refuses what makes no sense. All strings are borrowed from the YAML files, which stay open.
 */
#ifndef HD_CATALOGUE_MODEL_H
#define HD_CATALOGUE_MODEL_H

#include "base/csv.h"
#include "catalogue/catalogue.h"
#include "catalogue/yaml.h"

typedef struct raw_code {
    const char *code, *label, *meaning;
    const int64_t *from, *to;
} raw_code;

typedef struct raw_field {
    const char *name, *title, *source, *note, *kind, *type;
    const char **columns;
    size_t n_columns;
    const int64_t *elements;
    const char **element_names;
    size_t n_element_names;
    raw_code *codes;
    size_t n_codes;
    const char **code_sets;
    size_t n_code_sets;
    const char *pattern;
    const double *minimum, *maximum;
    const int64_t *valid_from, *valid_to;
    const bool *subnational, *required, *computed;
    const char *of, *expression, *like, *from, *take;
} raw_field;

typedef struct raw_names {
    const char *table, *take;
    const char **fields;
    size_t n_fields;
} raw_names;

typedef struct raw_table {
    const char *name, *title, *unit, *source, *note, *file_tag, *key, *period, *from, *derivation;
    const char **order;
    size_t n_order;
    hd_parameter *parameters;
    size_t n_parameters;
    raw_field *fields;
    size_t n_fields;
    raw_names *same_as;
    size_t n_same_as;
    raw_names *carried;
    size_t n_carried;
    const char **ignored;
    size_t n_ignored;
} raw_table;

typedef struct raw_code_set {
    const char *name, *source;
    raw_code *codes;
    size_t n_codes;
} raw_code_set;

typedef struct raw_macro {
    const char *name, *title, *source, *sql;
    const char **arguments;
    size_t n_arguments;
} raw_macro;

typedef struct raw_lookup {
    const char *name, *title, *source, *file, *key, *value;
    const bool *keeps_unknown, *chain, *optional;
} raw_lookup;

typedef struct raw_codelist {
    const char *name, *title, *source;
} raw_codelist;

/* One file with one list at its top: code_sets, identifying fields, functions, lookups, codelists. */
typedef struct raw_list {
    void *items;
    size_t n;
} raw_list;

extern const hd_yaml_shape raw_table_shape, raw_code_sets_shape, raw_identifying_shape,
    raw_macros_shape, raw_lookups_shape, raw_codelists_shape;

/* A field on its way: where it stands, how far it is. */
typedef struct draft {
    raw_field raw; /* a copy: positions are filled in, carried and same_as become like and from */
    hd_yaml *file;
    const char *where; /* "fields[3]" */
    hd_field field;
    enum { DRAFT_RAW, DRAFT_BUSY, DRAFT_DONE } state;
} draft;

typedef struct draft_table {
    hd_yaml *file;
    const raw_table *raw;
    bool is_built;
    draft *drafts;
    size_t n_drafts, cap_drafts;
    hd_table_def def;
} draft_table;

typedef struct macro {
    const char *name, *sql;
} macro;

typedef struct block {
    struct block *next;
    max_align_t bytes[];
} block;

struct hd_catalogue {
    char *folder, *overlay;
    char version[17];
    block *blocks; /* everything from hd_keep */
    hd_yaml **files;
    size_t n_files, cap_files;
    draft_table *tables;
    size_t n_tables, cap_tables;
    hd_yaml *code_sets_file, *identifying_file;
    const raw_list *code_sets, *identifying;
    macro *macros;
    size_t n_macros;
    hd_lookup *lookups;
    size_t n_lookups;
    hd_codelist *codelists;
    size_t n_codelists;
};

/* Zeroed memory that lives as long as the catalogue. */
HD_MUST void *hd_keep(hd_catalogue *c, size_t n, size_t size);
HD_MUST const char *hd_keep_printf(hd_catalogue *c, const char *fmt, ...) HD_PRINTF(2, 3);
/* Copy of a pattern with every %02d and %d replaced by position. */
HD_MUST const char *hd_keep_position(hd_catalogue *c, const char *pattern, unsigned position);
/* Does the pattern hold %02d or %d? */
bool hd_has_position(const char *pattern);
/* Does `name` fit the pattern? Gives the position; case-insensitive. */
bool hd_fits_position(const char *pattern, const char *name, size_t len, unsigned *position);

/* Read a YAML file of the catalogue and keep it open. */
HD_MUST hd_code hd_catalogue_read(hd_catalogue *c, const char *relative, const hd_yaml_shape *shape,
                                  hd_yaml **out, hd_err *err);
HD_MUST hd_code hd_catalogue_resolve(hd_catalogue *c, hd_err *err);
HD_MUST hd_code hd_catalogue_check(const hd_catalogue *c, hd_err *err);
HD_MUST hd_code hd_catalogue_read_macros(hd_catalogue *c, hd_err *err);
HD_MUST hd_code hd_catalogue_read_lookups(hd_catalogue *c, hd_err *err);
HD_MUST hd_code hd_catalogue_read_codelists(hd_catalogue *c, hd_err *err);
/* Version over all .yaml and .csv files of folder and overlay. */
HD_MUST hd_code hd_catalogue_compute_version(hd_catalogue *c, hd_err *err);

bool hd_is_name(const char *s); /* [a-z][a-z0-9_]*, at most 62 */
draft_table *hd_catalogue_draft(const hd_catalogue *c, const char *table);

#endif
