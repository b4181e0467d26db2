/* world.h - the small tables that random questions are asked about.
 *
 * The rows are kept here as plain values, for the evaluator that shares nothing with the engine,
 * and the same rows are put into a vault. Field lists agree with tests/oracle/catalogue.
 */
#ifndef HD_ORACLE_WORLD_H
#define HD_ORACLE_WORLD_H

#include "base/rng.h"
#include "base/value.h"
#include "vault/vault.h"

enum { MAX_FIELDS = 24, MAX_ELEMENTS = 6, N_TABLES = 3 };

typedef enum shape { STORED, LIST, KEY, EXPRESSION } shape;

typedef struct field {
    const char *name;
    shape shape;
    hd_type type;
    bool is_ascii; /* text: upper and lower are safe */
    /* STORED: a random value. EXPRESSION: from the value of `of`. LIST: one element. */
    hd_value (*make)(hd_rng *r);
    hd_value (*derive)(hd_value of);
    const char *of;
    const char *position; /* LIST: name of one position, as in diag_%02u */
    unsigned n_elements;
} field;

typedef struct table {
    const char *name;
    const field *fields; /* ends with a NULL name */
    size_t n_fields, n_rows;
    uint32_t *persons;
    hd_value *values[MAX_FIELDS];   /* STORED, EXPRESSION: n_rows */
    hd_value *elements[MAX_FIELDS]; /* LIST: n_rows x MAX_ELEMENTS */
    unsigned *lengths[MAX_FIELDS];
    uint64_t *keys[MAX_FIELDS];
} table;

/* Fill the tables from the seed. Texts live until the program ends, the rest until
 * world_free. */
void world_make(table tables[N_TABLES], uint64_t seed);
/* With so many rows in the first; 0: about a thousand. */
void world_make_long(table tables[N_TABLES], uint64_t seed, size_t n_rows);
void world_free(table tables[N_TABLES]);
/* Write them into a new vault; aborts with the error when that fails. */
void world_store(const table tables[N_TABLES], const char *folder, const char *key_file);
/* The same into a vault that is open for writing: a new data version. */
void world_publish(const table tables[N_TABLES], hd_vault *v);

hd_value text_value(const char *s); /* borrows; NULL gives NULL */
int field_number(const table *t, const char *name);

#endif
