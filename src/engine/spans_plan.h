/* spans_plan.h - spans out of a plan that is bound; for the engine. */
#ifndef HD_ENGINE_SPANS_PLAN_H
#define HD_ENGINE_SPANS_PLAN_H

#include "engine/order.h"
#include "engine/scan_plan.h"
#include "engine/spans.h"

/* What WHERE, a node more (-1: none) and an argument that must have a value (NULL: none) leave. */
HD_MUST hd_code hd_spans_of_condition(const scan_plan *p, hd_table *t, int32_t filter,
                                      const hd_k_measure *m, const scan_input *of, hd_spans *out,
                                      hd_err *err);
/* Of a key: what each slot stands for, as far as WHERE leaves it. */
HD_MUST hd_code hd_spans_of_key(const scan_plan *p, hd_table *t, size_t key, hd_spans *out,
                                hd_err *err);

#endif
