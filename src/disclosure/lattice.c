/* lattice.c - the dense product of dimensions with sum rules; see lattice.h.
 *
 * Every walk over "all combinations of the other dimensions" is two loops: the product of the
 * dimensions before (outer) and the stride of this one (inner).
 */
#include "disclosure/lattice.h"

#include "base/alloc.h"
#include "base/intern.h"
#include "disclosure/system.h"

#include <string.h>

/* One dimension as the lattice keeps it: the public view, and what is derived from the rules. */
typedef struct axis {
    hd_dimension view;
    char **codes;
    hd_code_rule *rules;
    uint32_t *children; /* all rules' children, one after the other */
    char *name;
    uint32_t *top_down;
    uint32_t *depth;
    bool *is_sum;
    uint64_t *name_hash; /* one a code */
    size_t stride;
} axis;

struct hd_lattice {
    size_t n_dims, n_cells;
    axis axes[HD_LATTICE_DIMENSIONS];
};

static uint64_t hash_text(uint64_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001B3);
    h ^= h >> 32;
    return (h ^ 0xff) * UINT64_C(0xD6E8FEB86659FD93);
}

static hd_code check_rules(const hd_dimension *d, hd_err *err)
{
    for (size_t r = 0; r < d->n_rules; r++) {
        const hd_code_rule *rule = &d->rules[r];
        if (rule->n_children == 0 || rule->parent >= d->n_codes)
            return hd_fail(err, HD_INVALID, "dimension \"%s\": rule %zu has no parts", d->name,
                           r + 1);
        for (size_t i = 0; i < rule->n_children; i++)
            if (rule->children[i] >= d->n_codes || rule->children[i] == rule->parent)
                return hd_fail(err, HD_INVALID, "dimension \"%s\": a part of rule %zu is no code",
                               d->name, r + 1);
    }
    return HD_OK;
}

static hd_code copy_codes(axis *a, const hd_dimension *d, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_intern *seen = hd_intern_new();
    a->codes = hd_calloc(d->n_codes, sizeof *a->codes);
    a->name_hash = hd_calloc(d->n_codes, sizeof *a->name_hash);
    a->name = hd_strdup(d->name);
    if (!seen || !a->codes || !a->name_hash || !a->name) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < d->n_codes; i++) {
        uint32_t id;
        HD_GO(hd_intern_add(seen, d->codes[i], strlen(d->codes[i]), &id, err));
        if (id != i) {
            rc = hd_fail(err, HD_INVALID, "dimension \"%s\": code number %zu is there twice",
                         d->name, i + 1);
            goto out;
        }
        a->codes[i] = hd_strdup(d->codes[i]);
        if (!a->codes[i]) {
            rc = hd_fail_nomem(err);
            goto out;
        }
        a->name_hash[i] =
            hash_text(hash_text(UINT64_C(0xCBF29CE484222325), d->name), d->codes[i]);
    }
out:
    hd_intern_free(seen);
    return rc;
}

static hd_code copy_rules(axis *a, const hd_dimension *d, hd_err *err)
{
    size_t total = 0, at = 0;
    for (size_t r = 0; r < d->n_rules; r++)
        total += d->rules[r].n_children;
    a->rules = hd_calloc(d->n_rules, sizeof *a->rules);
    a->children = hd_calloc(total, sizeof *a->children);
    uint32_t *last = hd_calloc(d->n_codes, sizeof *last); /* rule + 1 that named the code last */
    if (!a->rules || !a->children || !last) {
        hd_free(last);
        return hd_fail_nomem(err);
    }
    for (size_t r = 0; r < d->n_rules; r++) {
        const hd_code_rule *from = &d->rules[r];
        a->rules[r] = (hd_code_rule){from->parent, from->n_children, a->children + at};
        for (size_t i = 0; i < from->n_children; i++) {
            if (last[from->children[i]] == r + 1) {
                hd_free(last);
                return hd_fail(err, HD_INVALID,
                               "dimension \"%s\": rule %zu names a part twice", d->name, r + 1);
            }
            last[from->children[i]] = (uint32_t)r + 1;
            a->children[at++] = from->children[i];
        }
    }
    hd_free(last);
    return HD_OK;
}

/* Parents before children, depths by the longest way, is_sum; refuses cycles. */
static hd_code order_codes(axis *a, hd_err *err)
{
    size_t n = a->view.n_codes, done = 0, open = 0;
    a->top_down = hd_calloc(n, sizeof *a->top_down);
    a->depth = hd_calloc(n, sizeof *a->depth);
    a->is_sum = hd_calloc(n, sizeof *a->is_sum);
    uint32_t *waiting = hd_calloc(n, sizeof *waiting); /* rules above a code, not yet passed */
    if (!a->top_down || !a->depth || !a->is_sum || !waiting) {
        hd_free(waiting);
        return hd_fail_nomem(err);
    }
    for (size_t r = 0; r < a->view.n_rules; r++) {
        a->is_sum[a->rules[r].parent] = true;
        for (size_t i = 0; i < a->rules[r].n_children; i++)
            waiting[a->rules[r].children[i]]++;
    }
    for (size_t c = 0; c < n; c++)
        if (waiting[c] == 0)
            a->top_down[open++] = (uint32_t)c;
    for (; done < open; done++)
        for (size_t r = 0; r < a->view.n_rules; r++) {
            uint32_t p = a->top_down[done];
            if (a->rules[r].parent != p)
                continue;
            for (size_t i = 0; i < a->rules[r].n_children; i++) {
                uint32_t c = a->rules[r].children[i];
                if (a->depth[c] < a->depth[p] + 1)
                    a->depth[c] = a->depth[p] + 1;
                if (--waiting[c] == 0)
                    a->top_down[open++] = c;
            }
        }
    hd_free(waiting);
    if (done < n)
        return hd_fail(err, HD_INVALID, "dimension \"%s\": a code is part of itself",
                       a->view.name);
    return HD_OK;
}

static hd_code axis_set(axis *a, const hd_dimension *d, hd_err *err)
{
    if (d->n_codes == 0 || d->n_codes >= UINT32_MAX)
        return hd_fail(err, HD_INVALID, "dimension \"%s\" has no codes, or too many", d->name);
    HD_TRY(check_rules(d, err));
    a->view.n_codes = d->n_codes; /* hd_lattice_free relies on it if what follows fails */
    HD_TRY(copy_codes(a, d, err));
    HD_TRY(copy_rules(a, d, err));
    a->view = (hd_dimension){a->name, d->n_codes, (const char *const *)a->codes, d->n_rules,
                             a->rules};
    return order_codes(a, err);
}

hd_code hd_lattice_new(hd_lattice **out, const hd_dimension *dims, size_t n_dims, hd_err *err)
{
    hd_code rc = HD_OK;
    *out = NULL;
    if (n_dims == 0 || n_dims > HD_LATTICE_DIMENSIONS)
        return hd_fail(err, HD_LIMIT, "a table has 1 to %d dimensions", HD_LATTICE_DIMENSIONS);
    hd_lattice *l = hd_calloc(1, sizeof *l);
    if (!l)
        return hd_fail_nomem(err);
    l->n_dims = n_dims;
    for (size_t d = 0; d < n_dims; d++) {
        for (size_t e = 0; e < d; e++)
            if (strcmp(dims[d].name, dims[e].name) == 0) {
                rc = hd_fail(err, HD_INVALID, "dimension \"%s\" is there twice", dims[d].name);
                goto out;
            }
        HD_GO(axis_set(&l->axes[d], &dims[d], err));
    }
    l->n_cells = 1;
    for (size_t d = n_dims; d-- > 0;) {
        l->axes[d].stride = l->n_cells;
        if (__builtin_mul_overflow(l->n_cells, dims[d].n_codes, &l->n_cells) ||
            l->n_cells > INT32_MAX) {
            rc = hd_fail(err, HD_LIMIT, "the table with its margins has more than 2^31 cells");
            goto out;
        }
    }
    *out = l;
    l = NULL;
out:
    hd_lattice_free(l);
    return rc;
}

void hd_lattice_free(hd_lattice *l)
{
    if (!l)
        return;
    for (size_t d = 0; d < l->n_dims; d++) {
        axis *a = &l->axes[d];
        if (a->codes)
            for (size_t i = 0; i < a->view.n_codes; i++)
                hd_free(a->codes[i]);
        hd_free(a->codes);
        hd_free(a->rules);
        hd_free(a->children);
        hd_free(a->name);
        hd_free(a->top_down);
        hd_free(a->depth);
        hd_free(a->is_sum);
        hd_free(a->name_hash);
    }
    hd_free(l);
}

size_t hd_lattice_n_dims(const hd_lattice *l)
{
    return l->n_dims;
}

const hd_dimension *hd_lattice_dimension(const hd_lattice *l, size_t dim)
{
    return &l->axes[dim].view;
}

size_t hd_lattice_n_cells(const hd_lattice *l)
{
    return l->n_cells;
}

size_t hd_lattice_stride(const hd_lattice *l, size_t dim)
{
    return l->axes[dim].stride;
}

const uint32_t *hd_lattice_top_down(const hd_lattice *l, size_t dim)
{
    return l->axes[dim].top_down;
}

size_t hd_lattice_cell(const hd_lattice *l, const uint32_t *codes)
{
    size_t cell = 0;
    for (size_t d = 0; d < l->n_dims; d++)
        cell += codes[d] * l->axes[d].stride;
    return cell;
}

static inline uint32_t code_of(const hd_lattice *l, size_t cell, size_t d)
{
    return (uint32_t)(cell / l->axes[d].stride % l->axes[d].view.n_codes);
}

void hd_lattice_codes(const hd_lattice *l, size_t cell, uint32_t *codes)
{
    for (size_t d = 0; d < l->n_dims; d++)
        codes[d] = code_of(l, cell, d);
}

bool hd_lattice_is_leaf(const hd_lattice *l, size_t cell)
{
    for (size_t d = 0; d < l->n_dims; d++)
        if (l->axes[d].is_sum[code_of(l, cell, d)])
            return false;
    return true;
}

uint32_t hd_lattice_depth(const hd_lattice *l, size_t cell)
{
    uint32_t depth = 0;
    for (size_t d = 0; d < l->n_dims; d++)
        depth += l->axes[d].depth[code_of(l, cell, d)];
    return depth;
}

uint64_t hd_lattice_name(const hd_lattice *l, size_t cell)
{
    uint64_t name = 0;
    for (size_t d = 0; d < l->n_dims; d++)
        name += l->axes[d].name_hash[code_of(l, cell, d)] * UINT64_C(0x9E3779B97F4A7C15);
    name ^= name >> 29;
    return name * UINT64_C(0xBF58476D1CE4E5B9);
}

/* values[parent] = sum of children for one rule and all combinations of the other dimensions. */
static hd_code sum_rule(const hd_lattice *l, size_t d, const hd_code_rule *rule, bool is_second,
                        int64_t *values, hd_err *err)
{
    const axis *a = &l->axes[d];
    size_t block = a->stride * a->view.n_codes;
    for (size_t base = 0; base < l->n_cells; base += block)
        for (size_t i = base; i < base + a->stride; i++) {
            int64_t sum = 0;
            for (size_t k = 0; k < rule->n_children; k++) {
                sum += values[i + rule->children[k] * a->stride];
                if (sum > HD_NO_BOUND || sum < -HD_NO_BOUND)
                    return hd_fail(err, HD_LIMIT, "a sum of the table passes 2^60");
            }
            int64_t *parent = &values[i + rule->parent * a->stride];
            if (is_second && *parent != sum)
                return hd_fail(err, HD_INVALID,
                               "dimension \"%s\": two rules for \"%s\" do not give the same sum",
                               a->view.name, a->view.codes[rule->parent]);
            *parent = sum;
        }
    return HD_OK;
}

hd_code hd_lattice_sum(const hd_lattice *l, int64_t *values, hd_err *err)
{
    for (size_t c = 0; c < l->n_cells; c++)
        if (!hd_lattice_is_leaf(l, c))
            values[c] = 0;
        else if (values[c] > HD_NO_BOUND || values[c] < -HD_NO_BOUND)
            return hd_fail(err, HD_LIMIT, "a value of the table passes 2^60");
    for (size_t d = 0; d < l->n_dims; d++)
        for (size_t k = l->axes[d].view.n_codes; k-- > 0;) {
            bool is_second = false;
            for (size_t r = 0; r < l->axes[d].view.n_rules; r++)
                if (l->axes[d].rules[r].parent == l->axes[d].top_down[k]) {
                    HD_TRY(sum_rule(l, d, &l->axes[d].rules[r], is_second, values, err));
                    is_second = true;
                }
        }
    return HD_OK;
}

void hd_lattice_below(const hd_lattice *l, const bool *mark, bool *below)
{
    memset(below, 0, l->n_cells * sizeof *below);
    for (size_t d = 0; d < l->n_dims; d++) {
        const axis *a = &l->axes[d];
        size_t block = a->stride * a->view.n_codes;
        for (size_t k = 0; k < a->view.n_codes; k++)
            for (size_t r = 0; r < a->view.n_rules; r++) {
                const hd_code_rule *rule = &a->rules[r];
                if (rule->parent != a->top_down[k])
                    continue;
                for (size_t base = 0; base < l->n_cells; base += block)
                    for (size_t j = 0; j < rule->n_children; j++)
                        for (size_t i = base; i < base + a->stride; i++) {
                            size_t p = i + rule->parent * a->stride;
                            if (mark[p] || below[p])
                                below[i + rule->children[j] * a->stride] = true;
                        }
            }
    }
}
