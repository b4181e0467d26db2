/* differences.c - what subtraction of two figures of a table gives; see differences.h.
 *
 * For each figure, every cell that it is a part of is visited by climbing dimension by dimension.
 * What is left out at each step of the climb is the rest: the difference is its sum.
 */
#include "disclosure/differences.h"

#include "base/alloc.h"

#include <string.h>

typedef struct climb {
    const hd_lattice *l;
    const hd_secondary_cell *cells;
    int64_t sensitive_high;
    hd_code (*found)(void *ctx, const hd_found_difference *d, hd_err *err);
    void *ctx;
    hd_err *err;
    uint32_t part;
    uint32_t *rest;
    size_t n_rest, rest_cap;
} climb;

static bool is_figure(const hd_secondary_cell *c)
{
    return !c->is_withheld && c->high > 0;
}

static hd_code report(climb *x, size_t at)
{
    const hd_secondary_cell *whole = &x->cells[at], *part = &x->cells[x->part];
    if (at == x->part || !is_figure(whole) || whole->low - part->high > x->sensitive_high)
        return HD_OK;
    size_t n = 0, n_public = 0;
    for (size_t i = 0; i < x->n_rest; i++) {
        const hd_secondary_cell *c = &x->cells[x->rest[i]];
        n += c->high > 0;
        n_public += c->high > 0 && c->is_public;
    }
    if (n <= 1 || n == n_public)
        return HD_OK; /* nothing, a cell that is looked at anyway, or a sum of figures anyone may know */
    hd_found_difference d = {(uint32_t)at, x->part, x->rest, x->n_rest};
    return x->found(x->ctx, &d, x->err);
}

/* Go up in the dimensions from dim on, in all ways. */
static hd_code go_up(climb *x, size_t dim, size_t at)
{
    if (dim == hd_lattice_n_dims(x->l))
        return report(x, at);
    HD_TRY(go_up(x, dim + 1, at));
    const hd_dimension *d = hd_lattice_dimension(x->l, dim);
    size_t stride = hd_lattice_stride(x->l, dim);
    uint32_t code = (uint32_t)(at / stride % d->n_codes);
    for (size_t r = 0; r < d->n_rules; r++) {
        const hd_code_rule *rule = &d->rules[r];
        size_t before = x->n_rest;
        bool is_part = false;
        for (size_t i = 0; i < rule->n_children; i++)
            is_part |= rule->children[i] == code;
        if (!is_part)
            continue;
        size_t up = at - code * stride + rule->parent * stride;
        /* A whole of much more than the part stays so further up. */
        if (x->cells[up].low - x->cells[x->part].high > x->sensitive_high)
            continue;
        for (size_t i = 0; i < rule->n_children; i++) {
            if (rule->children[i] == code)
                continue;
            if (!HD_GROW(x->rest, x->n_rest, x->rest_cap))
                return hd_fail_nomem(x->err);
            x->rest[x->n_rest++] = (uint32_t)(at - code * stride + rule->children[i] * stride);
        }
        HD_TRY(go_up(x, dim, up));
        x->n_rest = before;
    }
    return HD_OK;
}

hd_code hd_differences(const hd_lattice *l, const hd_secondary_cell *cells, int64_t sensitive_high,
                       hd_code (*found)(void *ctx, const hd_found_difference *d, hd_err *err),
                       void *ctx, hd_err *err)
{
    climb x = {.l = l, .cells = cells, .sensitive_high = sensitive_high, .found = found,
               .ctx = ctx, .err = err};
    hd_code rc = HD_OK;
    for (size_t c = 0; c < hd_lattice_n_cells(l); c++) {
        if (!is_figure(&cells[c]))
            continue;
        x.part = (uint32_t)c;
        x.n_rest = 0;
        HD_GO(go_up(&x, 0, c));
    }
out:
    hd_free(x.rest);
    return rc;
}
