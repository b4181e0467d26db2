/* source.h - the landed table a derivation reads: columns by field name, and what their codes mean.
 *
 * Every question about a value is answered once for each dictionary code and kept in a lookup
 * table; the rows are then read as codes only. A field that the table does not have is NULL in
 * every row. Columns stay loaded until hd_source_close.
 */
#ifndef HD_DERIVE_SOURCE_H
#define HD_DERIVE_SOURCE_H

#include "base/date.h"
#include "catalogue/catalogue.h"
#include "vault/vault.h"

/* One loaded column; column is NULL when the table lacks the field. */
typedef struct hd_source_column {
    const hd_column *column;
    const hd_dictionary *dictionary; /* NULL for keys */
    hd_column_kind kind;
} hd_source_column;

typedef struct hd_source {
    hd_table *table;
    const hd_table_def *def;
    uint64_t n_rows;
    const uint32_t *persons;
    bool *loaded; /* by column: loaded by us, so ours to unload */
} hd_source;

/* A yes-or-no property of a row: `bit` is set when the field (any element of a list) matches the
 * code list. */
typedef struct hd_condition {
    uint32_t bit;
    const char *field;
    const char *codes;
} hd_condition;

/* All conditions of a derivation, evaluated: one table of bits for each field. */
enum { HD_FLAG_FIELDS = 16 };
typedef struct hd_flags {
    size_t n_fields;
    struct hd_flag_field {
        hd_source_column source;
        uint32_t *bits; /* by code */
    } fields[HD_FLAG_FIELDS];
} hd_flags;

/* A field as a number or day for each code. */
enum { HD_NUMBER_NONE = INT32_MIN };
typedef struct hd_numbers {
    hd_source_column source;
    int32_t *by_code; /* HD_NUMBER_NONE where the value is none */
} hd_numbers;

HD_MUST hd_code hd_source_open(hd_source *s, hd_publish *p, const hd_table_def *def, hd_err *err);
void hd_source_close(hd_source *s);
HD_MUST hd_code hd_source_load(hd_source *s, const char *field, hd_source_column *out, hd_err *err);

/* At most HD_FLAG_FIELDS different fields. HD_FORMAT when a code list is wrong. */
HD_MUST hd_code hd_flags_new(hd_flags *f, hd_source *s, const hd_condition *conditions, size_t n,
                             hd_err *err);
void hd_flags_free(hd_flags *f);
uint32_t hd_flags_of(const hd_flags *f, uint64_t row);

/* Real dates: days not before 1900; sentinels and NULL are none. */
HD_MUST hd_code hd_dates_new(hd_numbers *n, hd_source *s, const char *field, hd_err *err);
/* Whole numbers, also where the field is text. */
HD_MUST hd_code hd_numbers_new(hd_numbers *n, hd_source *s, const char *field, hd_err *err);
/* 1 for each proper value: not NULL and not one that the catalogue calls default, invalid or
 * missing; 0 for the others. For lists the table is asked by element. */
HD_MUST hd_code hd_known_new(hd_numbers *n, hd_source *s, const char *field, hd_err *err);
void hd_numbers_free(hd_numbers *n);

static inline int32_t hd_number_at(const hd_numbers *n, uint64_t row)
{
    return n->by_code ? n->by_code[hd_code_at(n->source.column, row)] : HD_NUMBER_NONE;
}

/* Where the elements of a row are: [*begin, *end) for lists, the row itself for others. */
static inline void hd_source_elements(const hd_source_column *c, uint64_t row, uint64_t *begin,
                                      uint64_t *end)
{
    bool is_list = c->kind == HD_COLUMN_LIST;
    *begin = is_list ? c->column->starts[row] : row;
    *end = is_list ? c->column->starts[row + 1] : row + 1;
}

#endif
