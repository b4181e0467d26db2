/* order_walk.h - values over other records, for all rows of a table: the walk behind order.h.
 *
 * Rows and events come block by block, on all processors: a chunk of rows needs the events of its
 * own people only, which lie together in the other table too. The events of a chunk become numbers
 * in ascending order, person above day; what a row asks for is a place among them.
 * Invariant: a row's value depends on its person's rows and events alone, so it does not matter
 * where chunks begin.
 */
#ifndef HD_ENGINE_ORDER_WALK_H
#define HD_ENGINE_ORDER_WALK_H

#include "engine/blocks.h"
#include "engine/order.h"

/* A column of days. */
typedef struct order_days {
    hd_operand operand;
    loaded_column column; /* data NULL: it comes with the feed */
    int32_t *of_code;     /* n_codes; ORDER_NO_DAY where there is none; NULL: no days are asked for */
    int32_t lowest, highest; /* of them; lowest above highest: there is none */
    bool is_even; /* each code but 0 is the day after the one before, as where something happens daily */
} order_days;
#define ORDER_NO_DAY INT32_MIN
enum { ORDER_MOST_DAYS = 1 << 30 }; /* a day further off is none */

typedef struct order_walk {
    const hd_engine *engine;
    order_kind kind;
    int32_t low, high; /* days, both included; below ORDER_MOST_DAYS either way */
    hd_table *rows, *events;
    order_days from, event_days;
    scan_plan *condition; /* of the events; NULL: every record is one */
    unsigned width;       /* of `out`: 1, 2 or 4 bytes */
    void *out;            /* a code for each row: 0 NULL, else the value + 1; begins as zeros */
    bool has_streamed;    /* afterwards: not all columns fitted, so none stayed */
} order_walk;

/* Fills `out`; *most is the largest code in it. */
HD_MUST hd_code hd_order_walk(order_walk *w, uint32_t *most, hd_err *err);

#endif
