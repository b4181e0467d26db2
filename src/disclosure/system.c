/* system.c - building and checking systems of sums; see system.h. */
#include "disclosure/system.h"

#include "base/alloc.h"

#include <string.h>

void hd_system_init(hd_system *s)
{
    memset(s, 0, sizeof *s);
}

void hd_system_free(hd_system *s)
{
    hd_wipe_free(s->low, s->low_cap * sizeof *s->low);
    hd_wipe_free(s->high, s->high_cap * sizeof *s->high);
    hd_free(s->name);
    hd_free(s->parent);
    hd_free(s->start);
    hd_free(s->child);
    memset(s, 0, sizeof *s);
}

hd_code hd_system_cell(hd_system *s, int64_t low, int64_t high, uint64_t name, uint32_t *cell,
                       hd_err *err)
{
    if (s->n_cells >= INT32_MAX)
        return hd_fail(err, HD_LIMIT, "more than 2^31 cells are linked by their sums");
    if (!HD_GROW(s->low, s->n_cells, s->low_cap) || !HD_GROW(s->high, s->n_cells, s->high_cap) ||
        !HD_GROW(s->name, s->n_cells, s->name_cap))
        return hd_fail_nomem(err);
    s->low[s->n_cells] = low;
    s->high[s->n_cells] = high;
    s->name[s->n_cells] = name;
    *cell = (uint32_t)s->n_cells++;
    return HD_OK;
}

/* Room for one more rule; start[] has one entry more than there are rules. */
static bool room_for_rule(hd_system *s)
{
    if (!HD_GROW(s->parent, s->n_rules, s->parent_cap))
        return false;
    size_t used = s->n_rules == 0 && s->start_cap == 0 ? 0 : s->n_rules + 1;
    if (!HD_GROW(s->start, used, s->start_cap))
        return false;
    if (used == 0) {
        s->start[0] = 0;
        return HD_GROW(s->start, (size_t)1, s->start_cap);
    }
    return true;
}

hd_code hd_system_rule(hd_system *s, uint32_t parent, const uint32_t *children, size_t n_children,
                       hd_err *err)
{
    HD_ALWAYS(parent < s->n_cells);
    if (!room_for_rule(s))
        return hd_fail_nomem(err);
    size_t before = s->n_child;
    for (size_t i = 0; i < n_children; i++) {
        HD_ALWAYS(children[i] < s->n_cells && children[i] != parent);
        if (!HD_GROW(s->child, s->n_child, s->child_cap)) {
            s->n_child = before;
            return hd_fail_nomem(err);
        }
        s->child[s->n_child++] = children[i];
    }
    s->parent[s->n_rules++] = parent;
    s->start[s->n_rules] = s->n_child;
    return HD_OK;
}

static hd_code add_lattice_rule(hd_system *s, const hd_lattice *l, size_t dim,
                                const hd_code_rule *rule, uint32_t *children, hd_err *err)
{
    size_t stride = hd_lattice_stride(l, dim);
    size_t block = stride * hd_lattice_dimension(l, dim)->n_codes;
    for (size_t base = 0; base < hd_lattice_n_cells(l); base += block)
        for (size_t i = base; i < base + stride; i++) {
            for (size_t k = 0; k < rule->n_children; k++)
                children[k] = (uint32_t)(i + rule->children[k] * stride);
            HD_TRY(hd_system_rule(s, (uint32_t)(i + rule->parent * stride), children,
                                  rule->n_children, err));
        }
    return HD_OK;
}

hd_code hd_system_from_lattice(hd_system *out, const hd_lattice *l, const int64_t *low,
                               const int64_t *high, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = hd_lattice_n_cells(l);
    uint32_t *children = NULL;
    hd_system_init(out);
    for (size_t c = 0; c < n; c++) {
        uint32_t id;
        HD_GO(hd_system_cell(out, low[c], high[c], hd_lattice_name(l, c), &id, err));
    }
    for (size_t d = 0; d < hd_lattice_n_dims(l); d++) {
        const hd_dimension *dim = hd_lattice_dimension(l, d);
        hd_free(children);
        children = hd_calloc(dim->n_codes, sizeof *children);
        if (!children) {
            rc = hd_fail_nomem(err);
            goto out;
        }
        for (size_t r = 0; r < dim->n_rules; r++)
            HD_GO(add_lattice_rule(out, l, d, &dim->rules[r], children, err));
    }
out:
    hd_free(children);
    if (rc != HD_OK)
        hd_system_free(out);
    return rc;
}

hd_code hd_system_copy(hd_system *out, const hd_system *s, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_system_init(out);
    for (size_t c = 0; c < s->n_cells; c++) {
        uint32_t id;
        HD_GO(hd_system_cell(out, s->low[c], s->high[c], s->name[c], &id, err));
    }
    for (size_t r = 0; r < s->n_rules; r++)
        HD_GO(hd_system_rule(out, s->parent[r], s->child + s->start[r],
                             s->start[r + 1] - s->start[r], err));
out:
    if (rc != HD_OK)
        hd_system_free(out);
    return rc;
}

hd_code hd_system_check(const hd_system *s, const int64_t *values, hd_err *err)
{
    for (size_t c = 0; c < s->n_cells; c++)
        if (values[c] < s->low[c] || values[c] > s->high[c])
            return hd_fail(err, HD_INVALID, "cell %zu is out of its bounds", c);
    for (size_t r = 0; r < s->n_rules; r++) {
        int64_t sum = 0;
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            if (__builtin_add_overflow(sum, values[s->child[i]], &sum))
                return hd_fail(err, HD_INVALID, "sum %zu passes 2^63", r);
        if (sum != values[s->parent[r]])
            return hd_fail(err, HD_INVALID, "sum %zu does not add up", r);
    }
    return HD_OK;
}
