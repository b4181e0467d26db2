/* shared.h - made columns (order.h) that several engines of one vault use: made once for all of them.
 *
 * Who asks for a column that somebody makes just now waits for it, and makes it when the other fails
 * or is stopped. A column is there as long as somebody uses it. Threads: any.
 */
#ifndef HD_ENGINE_SHARED_H
#define HD_ENGINE_SHARED_H

#include "engine/order.h"

typedef hd_code (*hd_make_column)(void *ctx, order_data **out, hd_err *err);
/* *out is NULL where make gave none. Give it back with hd_order_data_free. */
HD_MUST hd_code hd_shared_get(hd_engine *e, const char *table, const char *name,
                              hd_make_column make, void *ctx, order_data **out, hd_err *err);

#endif
