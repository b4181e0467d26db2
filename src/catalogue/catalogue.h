/* catalogue.h - what there is to ask: tables, fields, code lists, lookups, as checked structs.
 *
 * Read once from the folder catalogue/ (YAML and CSV, doc/catalogue.md), checked whole, immutable
 * afterwards and shared by all threads. An error in a definition names file, line and key.
 * libcyaml is used in this folder only. All strings live as long as the catalogue.
 *
 * Two kinds of table. A landed table is one data set as delivered (apc, op, ae, cc, ecds): its
 * stored fields hold what was delivered, normalised in notation only (sentinels and codes for "not
 * known" stay visible). A built table (spells, continuous_spells, deliveries) comes from a landed one
 * by a named row-order derivation. Expression fields are SQL over exactly one other field of the
 * same table; they are never stored: the engine evaluates them over that field's dictionary.
 */
#ifndef HD_CATALOGUE_CATALOGUE_H
#define HD_CATALOGUE_CATALOGUE_H

#include "base/err.h"
#include "base/value.h"

typedef enum hd_field_kind {
    HD_FIELD_STORED,      /* one dictionary-coded column                                       */
    HD_FIELD_LIST,        /* list column (diagnosis, procedure): positions 1..n_elements       */
    HD_FIELD_KEY,         /* row key or identifier: kept as a 64-bit keyed hash, never readable */
    HD_FIELD_PERSON,      /* person id: becomes the keyed pseudonym, then the person number    */
    HD_FIELD_IDENTIFYING, /* name, NHS number, postcode, full date of birth: never stored      */
    HD_FIELD_EXPRESSION   /* SQL over one field; not stored                                    */
} hd_field_kind;

/* What a value of a field stands for in the quality report (VODIM), beyond being in the list. */
typedef enum hd_meaning {
    HD_MEANING_VALID,   /* a proper value                                    V */
    HD_MEANING_OTHER,   /* a proper value that says "other"                  O */
    HD_MEANING_DEFAULT, /* the data dictionary's "not known / not applicable" D */
    HD_MEANING_INVALID, /* a value that says "submitted, but invalid"        I */
    HD_MEANING_MISSING  /* a value that says "nothing was submitted"         M */
} hd_meaning;

typedef struct hd_code_entry {
    const char *code;
    const char *label;
    hd_meaning meaning;
    int from_year, to_year; /* financial years (2013 = 2013-14) it is valid in; 0: open */
} hd_code_entry;

typedef struct hd_field {
    const char *name;  /* lower case, as people ask for it */
    const char *title; /* one line */
    const char *source;
    const char *note; /* "" when none */
    hd_field_kind kind;
    hd_type type;
    size_t n_columns;
    const char **columns; /* header names in order of preference; for a list with %02d or %d */
    unsigned n_elements;  /* HD_FIELD_LIST: positions of a landed row; 0 when there is no limit */
    size_t n_element_names;
    const char **element_names; /* HD_FIELD_LIST: how one position is asked for: diag_%02d, delmeth_%d */
    size_t n_codes;
    const hd_code_entry *codes; /* code list and sentinels; empty when any value of the type goes */
    bool is_closed; /* only the codes are proper values; else they are labels and sentinels, and what
                       pattern and range allow (or, without them, anything of the type) is proper too */
    const char *pattern; /* POSIX extended regular expression a proper value matches; or "" */
    bool has_range;
    double minimum, maximum;
    int from_year, to_year;
    bool is_subnational; /* provider, commissioner, practice, place: a breakdown below national level */
    bool is_required;    /* a file without this column is refused */
    const char *expression; /* HD_FIELD_EXPRESSION */
    const char *of;         /* HD_FIELD_EXPRESSION: the one field it reads: stored, expression, or one
                               element of a list (diag_01) */
    /* built tables: where the value comes from */
    const char *from; /* source field of the table it is built from, or "" when computed */
    const char *take; /* first, last, any (lists: union over rows); "" when computed */
} hd_field;

typedef struct hd_parameter {
    const char *name, *value;
} hd_parameter;

typedef struct hd_table_def {
    const char *name, *title, *source, *note;
    bool is_built;
    const char *unit;     /* what one row is: "finished consultant episode" */
    const char *file_tag; /* landed: HES_APC in NIC000000_HES_APC_201499.txt */
    const char *from;     /* built: the table it is made from; landed cc: "apc" gives the person */
    const char *derivation; /* built: provider_spell, continuous_spell, delivery; cc: person_by_key */
    size_t n_parameters;
    const hd_parameter *parameters; /* of the derivation, for example variant, max_gap_days */
    size_t n_order;
    const char **order; /* fields that order the rows of one person, first matters most */
    const char *period; /* the date field that months refer to by default */
    const char *key;    /* the field that identifies a row, or "" */
    size_t n_fields;
    const hd_field *fields; /* of a landed table also the identifying ones (identifying.yaml) */
    size_t n_ignored;
    const char **ignored; /* header names that are known and not kept, as they repeat other columns */
} hd_table_def;

typedef enum hd_header_use {
    HD_HEADER_UNKNOWN, /* no definition names it: reported, not kept                           */
    HD_HEADER_FIELD,   /* a field's column, by its name or an older one                        */
    HD_HEADER_ELEMENT, /* one position of a list                                               */
    HD_HEADER_IGNORED  /* repeats what other columns hold (DIAG_4_CONCAT)                      */
} hd_header_use;

typedef struct hd_header {
    hd_header_use use;
    const hd_field *field; /* FIELD, ELEMENT; its kind says whether it is stored, hashed or dropped */
    size_t preference;     /* index in field->columns; the smallest that a file has is read */
    unsigned position;     /* ELEMENT: 1 .. n_elements */
} hd_header;

typedef struct hd_codelist {
    const char *name, *title, *source;
    size_t n_codes;
    const char **codes; /* each matches every value that starts with it */
} hd_codelist;

/* A lookup becomes a SQL function of one argument: name(code). */
typedef struct hd_lookup {
    const char *name, *title, *source;
    bool keeps_unknown; /* unknown codes give themselves back instead of NULL */
    size_t n_rows;
    const char **keys, **values;
} hd_lookup;

typedef struct hd_catalogue hd_catalogue;

/* Read and check the catalogue in `folder`; `overlay` (may be NULL) is a folder whose organisations/
 * and lookups/ files replace those of the same name, for the real ODS files of a site.
 * HD_FORMAT: a definition is wrong; the text names file, line and key. */
HD_MUST hd_code hd_catalogue_open(hd_catalogue **out, const char *folder, const char *overlay,
                                  hd_err *err);
void hd_catalogue_close(hd_catalogue *c);

/* The folder to use: HDIS_CATALOGUE, else the installed or the source folder known at build time. */
const char *hd_catalogue_default_folder(void);
const char *hd_catalogue_folder(const hd_catalogue *c);
/* 16 hex digits that change whenever any definition changes. */
const char *hd_catalogue_version(const hd_catalogue *c);

size_t hd_catalogue_n_tables(const hd_catalogue *c);
const hd_table_def *hd_catalogue_table_at(const hd_catalogue *c, size_t i);
const hd_table_def *hd_catalogue_table(const hd_catalogue *c, const char *name); /* or NULL */
const hd_field *hd_table_def_field(const hd_table_def *t, const char *name);     /* or NULL */
/* The list and the position that an element name (diag_01, delmeth_3) stands for, or NULL. */
const hd_field *hd_table_def_element(const hd_table_def *t, const char *name, unsigned *position);
/* What a column of a delivered file is; any case, surrounding blanks and quotes already cut. */
hd_header hd_table_def_header(const hd_table_def *t, const char *name, size_t len);
const hd_codelist *hd_catalogue_codelist(const hd_catalogue *c, const char *name);
size_t hd_catalogue_n_lookups(const hd_catalogue *c);
const hd_lookup *hd_catalogue_lookup_at(const hd_catalogue *c, size_t i);
const hd_lookup *hd_catalogue_lookup(const hd_catalogue *c, const char *name);
/* The lookup's answer for a code; without one NULL, or the code itself when keeps_unknown. */
const char *hd_lookup_find(const hd_lookup *l, const char *code);
/* Value of a derivation parameter, or fallback. */
const char *hd_table_def_parameter(const hd_table_def *t, const char *name, const char *fallback);
/* SQL functions of the catalogue (catalogue/functions.yaml) as CREATE MACRO statements for DuckDB,
 * lookups not included. */
size_t hd_catalogue_n_macros(const hd_catalogue *c);
const char *hd_catalogue_macro_at(const hd_catalogue *c, size_t i, const char **name);

#endif
