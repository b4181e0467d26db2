/* order.h - values that a record has from the other records of its person: next, previous, events,
 * nth (doc/questions.md says what they mean).
 *
 * Each is a column of codes like a stored one, made in one walk over the records in person order
 * and remembered by data version and definition, so to the rest of the engine it is a field. An
 * event is a condition on one table, this one or another: a small question of its own, without
 * keys.
 */
#ifndef HD_ENGINE_ORDER_H
#define HD_ENGINE_ORDER_H

#include "engine/private.h"

typedef enum order_kind {
    ORDER_NEXT,            /* days to the next event                    */
    ORDER_PREVIOUS,        /* days since the one before                 */
    ORDER_NEXT_WITHIN,     /* is there one low..high days later?        */
    ORDER_PREVIOUS_WITHIN, /* or earlier?                               */
    ORDER_EVENTS,          /* how many the person has                   */
    ORDER_EVENTS_WITHIN,   /* how many begin low..high days from here   */
    ORDER_NTH,             /* how many came up to this record           */
    ORDER_EXPRESSION       /* of several columns of the record: several.h */
} order_kind;

enum { ORDER_MAX_NESTED = 4 };

typedef struct order_column {
    char name[40]; /* #tb, #tn or #x and a digest of the definition */
    char *text;    /* as asked */
    order_kind kind;
    int64_t low, high; /* days, both included */
    asked *event;      /* table and condition */
    json_t *from;      /* the day to count from, over one column of the record; NULL: none needed */
    json_t *tree;      /* ORDER_EXPRESSION, and then the rest above is empty */
    hd_recalled *data; /* an order_data; NULL until hd_orders_ready */
    uint64_t data_version;
    struct hd_operand *parts; /* n_parts: what its codes are made of; only where data has none */
    size_t n_parts;
} order_column;

struct order_shared;
typedef struct order_data {
    struct order_shared *shared; /* whom it belongs to; NULL: to who made it */
    hd_dictionary dictionary;
    int64_t *integers; /* these four: of the dictionary */
    double *decimals;
    char *text;
    uint64_t *ends;
    unsigned width;
    void *data; /* NULL: a scan makes the codes block by block (made.h), by this: */
    struct hd_combined *combination;
    size_t bytes;
} order_data;
void hd_order_data_free(void *data); /* shared.c; NULL is allowed */

/* order_words.c: *out is a new column when the node is one of the functions above, else NULL. */
HD_MUST hd_code hd_take_order(hd_engine *e, asked *a, const char *alias, json_t *node, json_t **out,
                              hd_err *err);
void hd_order_free(order_column *o);
/* The question's column of that name: *o, which it takes, or the one that it has already. There is room. */
const order_column *hd_order_keep(asked *a, order_column *o);

/* order.c: make the columns of a question, or find them made. Where one cannot be made it sets the
 * question's fallback_reason. */
HD_MUST hd_code hd_orders_ready(hd_engine *e, asked *a, hd_table *t, hd_err *err);

#endif
