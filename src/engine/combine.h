/* combine.h - codes of a record's columns taken together as one number, and the code that an
 * expression over these columns has for it.
 *
 * A combination is a number in which each column's code is a digit. Invariant: every number of a
 * row is below `n`, the product of the columns' codes.
 */
#ifndef HD_ENGINE_COMBINE_H
#define HD_ENGINE_COMBINE_H

#include "engine/coded.h"

enum { HD_MAX_PARTS = 8 };

/* Whether the codes of this operand are made of stored columns while a scan goes on. */
bool hd_operand_is_made(hd_operand s);
/* The stored columns that an operand's codes are read or made from: how many, at most
 * HD_MAX_PARTS. */
size_t hd_operand_stored(hd_operand s, size_t *out);

/* Where the codes of rows are: a column of a feed, or one that was made. */
typedef struct hd_code_source {
    hd_column column;
    unsigned element; /* of a list, from 1 on; 0: the column is none */
} hd_code_source;
/* n codes from row `base` on; a list that has no such element has code 0. The rows are there. */
void hd_read_codes(const hd_code_source *s, uint64_t base, size_t n, uint32_t *out);

/* Numbers that occur, 64 at a time, and how many occur before them. */
typedef struct hd_place {
    uint64_t there;
    uint32_t before;
} hd_place;

typedef struct hd_combined {
    size_t n_parts;
    uint32_t times[HD_MAX_PARTS]; /* codes of each part */
    uint32_t n;                   /* numbers */
    hd_place *places;             /* by 64 numbers; NULL: all count as occurring */
    uint32_t n_values;            /* numbers that occur */
    uint32_t *code;               /* n_values: of the expression */
} hd_combined;

size_t hd_combined_bytes(const hd_combined *c);
void hd_combined_free(hd_combined *c); /* NULL is allowed */
/* n numbers, with `scratch` for as many. */
void hd_number_rows(const hd_combined *c, const hd_code_source *parts, uint64_t base, size_t n,
                    uint32_t *scratch, uint32_t *number);
/* Numbers become the expression's codes. Those of rows occur. */
void hd_numbers_to_codes(const hd_combined *c, size_t n, uint32_t *number);
/* Codes as narrow as a column of them is. */
void hd_put_codes(const uint32_t *codes, size_t n, unsigned width, void *out, uint64_t base);

/* Stored columns, of the operands given, block by block. */
typedef struct hd_parts {
    hd_feed *feed;
    size_t n;
    hd_code_source sources[HD_MAX_PARTS];
} hd_parts;
/* HD_LIMIT: they do not fit, also not block by block. Close it also when this fails. */
HD_MUST hd_code hd_parts_open(hd_parts *out, const hd_engine *e, hd_table *t,
                              const hd_operand *operands, size_t n, hd_err *err);
void hd_parts_close(hd_parts *p); /* all zero is allowed */

#endif
