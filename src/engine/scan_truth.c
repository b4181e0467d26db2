/* scan_truth.c - the conditions of a plan, row by row: for who needs rows and not cells. */
#include "engine/scan_plan.h"

#include <string.h>

enum { FALSE = 0, TRUE = 1, UNKNOWN = 2 };

static uint32_t code_at(const hd_k_codes *c, uint64_t i)
{
    return c->width == 1   ? ((const uint8_t *)c->data)[i]
           : c->width == 2 ? ((const uint16_t *)c->data)[i]
                           : ((const uint32_t *)c->data)[i];
}

static void of_column(const hd_k_atom *a, uint64_t base, size_t n, uint8_t *restrict out)
{
    const uint8_t *restrict lut = a->lut;
    if (a->codes.width == 1)
        for (size_t i = 0; i < n; i++)
            out[i] = lut[((const uint8_t *)a->codes.data)[base + i]];
    else if (a->codes.width == 2)
        for (size_t i = 0; i < n; i++)
            out[i] = lut[((const uint16_t *)a->codes.data)[base + i]];
    else
        for (size_t i = 0; i < n; i++)
            out[i] = lut[((const uint32_t *)a->codes.data)[base + i]];
}

static void of_list(const hd_k_atom *a, uint64_t base, size_t n, uint8_t *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = FALSE;
        for (uint64_t e = a->starts[base + i]; e < a->starts[base + i + 1] && !out[i]; e++)
            out[i] = a->lut[code_at(&a->codes, e)] == TRUE;
    }
}

static uint8_t both(uint8_t x, uint8_t y)
{
    return x == FALSE || y == FALSE ? FALSE : x == TRUE && y == TRUE ? TRUE : UNKNOWN;
}

static uint8_t either(uint8_t x, uint8_t y)
{
    return x == TRUE || y == TRUE ? TRUE : x == FALSE && y == FALSE ? FALSE : UNKNOWN;
}

void hd_scan_truth(const hd_k_question *q, uint64_t base, size_t n, size_t stride, uint8_t *truth)
{
    for (size_t k = 0; k < q->n_nodes; k++) {
        const hd_k_node *node = &q->nodes[k];
        uint8_t *out = truth + k * stride;
        const uint8_t *x = truth + node->a * stride, *y = truth + node->b * stride;
        if (node->op == HD_K_ATOM) {
            const hd_k_atom *a = &q->atoms[node->a];
            if (a->starts)
                of_list(a, base, n, out);
            else
                of_column(a, base, n, out);
            continue;
        }
        for (size_t i = 0; i < n; i++)
            out[i] = node->op == HD_K_AND   ? both(x[i], y[i])
                     : node->op == HD_K_OR  ? either(x[i], y[i])
                     : node->op == HD_K_NOT ? (x[i] == UNKNOWN ? UNKNOWN : x[i] == FALSE)
                                            : x[i] == TRUE;
    }
}
