/* canonical.c - refinement of colours; see canonical.h.
 *
 * A cell's first colour is its content. Three times, each rule gets a colour from its parent's and
 * (in no order) its children's, and each cell a new one from its old one and the rules it is in.
 * Cells that still share a colour look alike from everywhere near; their names decide.
 */
#include "disclosure/canonical.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3 };
#define NONE UINT32_MAX

static bool is_zero(const hd_system *s, uint32_t c)
{
    return s->low[c] == 0 && s->high[c] == 0;
}

static void refine(const hd_system *s, const uint64_t *colour, uint64_t *next)
{
    memset(next, 0, s->n_cells * sizeof *next);
    for (size_t r = 0; r < s->n_rules; r++) {
        uint64_t sum = 0;
        size_t n = 0;
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            if (!is_zero(s, s->child[i])) {
                sum += hd_mix(1, colour[s->child[i]]);
                n++;
            }
        if (n == 0)
            continue;
        uint64_t rule = hd_mix(hd_mix(n, sum), colour[s->parent[r]]);
        next[s->parent[r]] += hd_mix(2, rule);
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            next[s->child[i]] += hd_mix(3, rule);
    }
    for (size_t c = 0; c < s->n_cells; c++)
        next[c] = hd_mix(next[c], colour[c]);
}

typedef struct ranked {
    uint64_t colour, name;
    uint32_t cell;
} ranked;

static int by_colour(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->colour != y->colour)
        return x->colour < y->colour ? -1 : 1;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    return (x->cell > y->cell) - (x->cell < y->cell);
}

/* A rule in the new order: its parent, and its children sorted. */
typedef struct sorted_rule {
    uint32_t parent;
    uint32_t n;
    uint32_t *children;
} sorted_rule;

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int by_rule(const void *a, const void *b)
{
    const sorted_rule *x = a, *y = b;
    if (x->parent != y->parent)
        return x->parent < y->parent ? -1 : 1;
    for (uint32_t i = 0; i < x->n && i < y->n; i++)
        if (x->children[i] != y->children[i])
            return x->children[i] < y->children[i] ? -1 : 1;
    return (x->n > y->n) - (x->n < y->n);
}

static hd_code order_cells(hd_canonical *out, const hd_system *s, const uint64_t *content,
                           hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = s->n_cells, kept = 0;
    uint64_t *colour = hd_malloc((n + 1) * sizeof *colour);
    uint64_t *next = hd_malloc((n + 1) * sizeof *next);
    ranked *list = hd_malloc((n + 1) * sizeof *list);
    bool *is_needed = hd_calloc(n + 1, sizeof *is_needed);
    if (!colour || !next || !list || !is_needed) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    memcpy(colour, content, n * sizeof *colour);
    for (int k = 0; k < ROUNDS; k++) {
        refine(s, colour, next);
        uint64_t *t = colour;
        colour = next;
        next = t;
    }
    /* A parent known to be 0 stays while it still says something about its parts. */
    for (size_t r = 0; r < s->n_rules; r++)
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            is_needed[s->parent[r]] |= !is_zero(s, s->child[i]);
    for (size_t c = 0; c < n; c++)
        if (!is_zero(s, (uint32_t)c) || is_needed[c])
            list[kept++] = (ranked){colour[c], s->name[c], (uint32_t)c};
    qsort(list, kept, sizeof *list, by_colour);
    memset(out->to, 0xff, n * sizeof *out->to);
    for (size_t k = 0; k < kept; k++) {
        uint32_t c = list[k].cell, id;
        HD_GO(hd_system_cell(&out->system, s->low[c], s->high[c], s->name[c], &id, err));
        out->from[id] = c;
        out->to[c] = id;
    }
out:
    hd_free(colour);
    hd_free(next);
    hd_free(list);
    hd_free(is_needed);
    return rc;
}

static hd_code order_rules(hd_canonical *out, const hd_system *s, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n_rules = 0, at = 0;
    uint32_t *children = hd_malloc((s->n_child + 1) * sizeof *children);
    sorted_rule *rules = hd_malloc((s->n_rules + 1) * sizeof *rules);
    if (!children || !rules) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t r = 0; r < s->n_rules; r++) {
        sorted_rule *rule = &rules[n_rules];
        *rule = (sorted_rule){out->to[s->parent[r]], 0, children + at};
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            if (!is_zero(s, s->child[i]) && out->to[s->child[i]] != NONE)
                children[at + rule->n++] = out->to[s->child[i]];
        if (rule->parent == NONE)
            continue; /* 0 is the sum of cells that are all 0 */
        qsort(rule->children, rule->n, sizeof *children, by_number);
        at += rule->n;
        n_rules++;
    }
    qsort(rules, n_rules, sizeof *rules, by_rule);
    for (size_t r = 0; r < n_rules; r++)
        if (r == 0 || by_rule(&rules[r - 1], &rules[r]) != 0)
            HD_GO(hd_system_rule(&out->system, rules[r].parent, rules[r].children, rules[r].n,
                                 err));
out:
    hd_free(children);
    hd_free(rules);
    return rc;
}

hd_code hd_canonical_new(hd_canonical *out, const hd_system *s, const uint64_t *content,
                         hd_err *err)
{
    hd_code rc = HD_OK;
    memset(out, 0, sizeof *out);
    hd_system_init(&out->system);
    out->from = hd_calloc(s->n_cells + 1, sizeof *out->from);
    out->to = hd_calloc(s->n_cells + 1, sizeof *out->to);
    if (!out->from || !out->to) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(order_cells(out, s, content, err));
    HD_GO(order_rules(out, s, err));
out:
    if (rc != HD_OK)
        hd_canonical_free(out);
    return rc;
}

void hd_canonical_free(hd_canonical *c)
{
    hd_system_free(&c->system);
    hd_free(c->from);
    hd_free(c->to);
    memset(c, 0, sizeof *c);
}
