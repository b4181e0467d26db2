/* coded.h - an expression over one column, worked out for every code of the column's dictionary,
 * and the lookup tables that the kernel wants of it.
 *
 * Made once for a data version and remembered (recall.h). The tables are made when first asked
 * for and live as long as the thing; texts of values are borrowed from it or from the
 * dictionary. Code 0 is NULL, so its value is the expression's value for NULL.
 */
#ifndef HD_ENGINE_CODED_H
#define HD_ENGINE_CODED_H

#include "engine/private.h"

/* Different values in ascending order. */
typedef struct hd_ranks {
    uint32_t n;       /* at least 1 */
    uint32_t *of;     /* n_codes: code to rank */
    hd_value *values; /* n */
} hd_ranks;

typedef struct hd_coded {
    char *text; /* of the expression, for people */
    hd_type type;
    uint32_t n_codes;
    hd_value *values;        /* n_codes */
    hd_duck_result *result_; /* what texts are borrowed from; NULL: texts_, or the dictionary */
    char *texts_;            /* of a made column's values */
    uint8_t *truth_, *has_value_, *any_;
    hd_ranks ranks_[2];
    int64_t *integers_;
    double *decimals_;
} hd_coded;

/* The one column that an expression reads. */
typedef struct hd_operand {
    size_t column;                    /* of the table; unused with `order` */
    unsigned element;                 /* 0: the column itself */
    const struct order_column *order; /* made by hd_orders_ready; NULL: a stored column */
} hd_operand;

/* HD_NOTFOUND: no loaded file had the field. */
HD_MUST hd_code hd_operand_find(const asked *a, hd_table *t, const char *canonical, hd_operand *out,
                                hd_err *err);
const hd_dictionary *hd_operand_dictionary(hd_table *t, hd_operand s);
bool hd_operand_is_same(hd_operand a, hd_operand b);
/* Its data, loaded if need be. */
HD_MUST hd_code hd_operand_load(hd_engine *e, hd_table *t, hd_operand s, loaded_column *out,
                                hd_err *err);

/* (*out)->thing is an hd_coded; give it back with hd_recalled_drop. */
HD_MUST hd_code hd_coded_get(hd_engine *e, const asked *a, hd_table *t, json_t *expression,
                             hd_recalled **out, hd_operand *source, hd_err *err);
/* Borrowed. Truth: 0 false, 1 true, 2 unknown. Any: 1 where an element satisfies the test, 0 for a
 * gap. with_null: NULL is a rank of its own, the first. */
HD_MUST hd_code hd_coded_truth(hd_coded *c, const uint8_t **out, hd_err *err);
HD_MUST hd_code hd_coded_any(hd_coded *c, const uint8_t **out, hd_err *err);
HD_MUST hd_code hd_coded_has_value(hd_coded *c, const uint8_t **out, hd_err *err);
HD_MUST hd_code hd_coded_ranks(hd_coded *c, bool with_null, const hd_ranks **out, hd_err *err);
HD_MUST hd_code hd_coded_integers(hd_coded *c, const int64_t **out, hd_err *err);
HD_MUST hd_code hd_coded_decimals(hd_coded *c, const double **out, hd_err *err);

#endif
