/* vector.h - many values of one type, one after another: a key or a figure of all cells, a column of a
 * release. Four forms, so that a million counts take four megabytes and not thirty.
 *
 * A vector owns nothing; whoever made it does.
 */
#ifndef HD_BASE_VECTOR_H
#define HD_BASE_VECTOR_H

#include "base/value.h"

typedef enum hd_form {
    HD_COUNTS,   /* uint32_t: integers that are not negative         */
    HD_NUMBERS,  /* int64_t: integers, dates, booleans               */
    HD_DECIMALS, /* double                                           */
    HD_PLACES    /* uint32_t: places among `values`, of any type     */
} hd_form;

#define HD_NO_PLACE UINT32_MAX /* NULL */

typedef struct hd_vector {
    hd_type type;
    hd_form form;
    void *data;
    const hd_value *values; /* HD_PLACES: n_values of them, each of the type or NULL */
    uint32_t n_values;
    bool ascends;     /* HD_PLACES: NULL first, then greater values at greater places */
    uint8_t *is_null; /* NULL: nothing is, but places of NULL */
} hd_vector;

static inline hd_value hd_vector_at(const hd_vector *v, size_t i)
{
    hd_value x = {.type = v->type, .is_null = v->is_null && v->is_null[i]};
    if (x.is_null)
        return x;
    switch (v->form) {
    case HD_COUNTS:
        x.integer = ((const uint32_t *)v->data)[i];
        return x;
    case HD_NUMBERS:
        x.integer = ((const int64_t *)v->data)[i];
        return x;
    case HD_DECIMALS:
        x.decimal = ((const double *)v->data)[i];
        return x;
    case HD_PLACES:
        break;
    }
    uint32_t place = ((const uint32_t *)v->data)[i];
    x.is_null = place == HD_NO_PLACE;
    return x.is_null ? x : v->values[place];
}

/* Bytes of one item. */
static inline size_t hd_form_bytes(hd_form form)
{
    return form == HD_COUNTS || form == HD_PLACES ? sizeof(uint32_t) : sizeof(uint64_t);
}

/* The form of values of a type that come one by one. */
static inline hd_form hd_form_of(hd_type type)
{
    return type == HD_TEXT ? HD_PLACES : type == HD_DECIMAL ? HD_DECIMALS : HD_NUMBERS;
}

#endif
