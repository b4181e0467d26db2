/* yaml.h - one YAML file into one C struct, by a table of keys.
 *
 * libcyaml and libyaml stay behind this header; indicators, policies and reports are read with it
 * too. Unknown keys, missing keys, wrong types and aliases are refused; whatever is wrong comes out
 * as one line "FILE:LINE: KEY: what". Members that are left out are NULL, lists that are left out
 * are empty, so "not given" is never mistaken for 0 or false.
 *
 *     static const hd_yaml_key keys[] = {
 *         {"name", HD_YAML_TEXT, true, offsetof(thing, name)},
 *         {"tags", HD_YAML_TEXTS, false, offsetof(thing, tags), offsetof(thing, n_tags)},
 *         {NULL}};
 *     static const hd_yaml_shape shape = {sizeof(thing), keys};
 */
#ifndef HD_CATALOGUE_YAML_H
#define HD_CATALOGUE_YAML_H

#include "base/err.h"

typedef enum hd_yaml_type {
    HD_YAML_TEXT,    /* const char *            */
    HD_YAML_INTEGER, /* const int64_t *         */
    HD_YAML_DECIMAL, /* const double *          */
    HD_YAML_BOOLEAN, /* const bool *: true or false, no other spelling */
    HD_YAML_TEXTS,   /* const char **, size_t   */
    HD_YAML_RECORDS  /* struct *, size_t        */
} hd_yaml_type;

struct hd_yaml_shape;

typedef struct hd_yaml_key {
    const char *name; /* NULL ends the table */
    hd_yaml_type type;
    bool required;
    size_t offset;                     /* of the member */
    size_t count;                      /* TEXTS, RECORDS: offset of its size_t */
    const struct hd_yaml_shape *shape; /* RECORDS: of one entry */
} hd_yaml_key;

typedef struct hd_yaml_shape {
    size_t size; /* sizeof the struct; members that are in no key are zero */
    const hd_yaml_key *keys;
} hd_yaml_shape;

typedef struct hd_yaml hd_yaml;

/* Read a file, or text already in memory; `name` is what errors call it. */
HD_MUST hd_code hd_yaml_read(hd_yaml **out, const char *path, const hd_yaml_shape *shape,
                             hd_err *err);
HD_MUST hd_code hd_yaml_parse(hd_yaml **out, const char *text, size_t len, const char *name,
                              const hd_yaml_shape *shape, hd_err *err);
void *hd_yaml_data(const hd_yaml *y); /* the struct; lives as long as y */
const char *hd_yaml_text(const hd_yaml *y, size_t *len);
void hd_yaml_free(hd_yaml *y); /* NULL is allowed */

/* Fail with HD_FORMAT about one place in the file: `where` is a path such as
 * "fields[3].codes[0].label". When the last part is not in the file, the line is that of the part
 * that is. */
hd_code hd_yaml_fail(const hd_yaml *y, hd_err *err, const char *where, const char *fmt, ...)
    HD_PRINTF(4, 5);

#endif
