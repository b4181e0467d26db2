/* exactness.c - the cheapest circuits through the protected cells; see exactness.h.
 *
 * A cell can be computed from the shown ones unless it lies in a circuit of withheld cells: a set
 * that can move together while every sum still holds. Elimination in the order of wantedness gives
 * the cells that come first and are independent (the basis), and for each other cell the one circuit
 * that it closes with earlier ones. A closing cell is taken, the least wanted first, when its
 * circuit holds a protected cell that has none yet; all of the circuit is withheld. For one protected
 * cell alone this is the circuit whose most wanted cell is wanted least. The same is then done
 * within the chosen cells only, as long as that saves some.
 */
#include "disclosure/exactness.h"

#include "base/alloc.h"
#include "disclosure/field.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

typedef struct entry {
    uint32_t rank; /* of the cell in the order */
    uint64_t coefficient;
} entry;

/* An equation solved for its first cell: cell + sum of entries = 0. */
typedef struct solved {
    size_t n;
    entry *entries;
} solved;

typedef struct elimination {
    const hd_system *s;
    size_t n;
    const uint32_t *order;
    uint32_t *rank; /* n_cells; NONE: known */
    solved *rows;   /* n, by the rank of the first cell */
    bool *is_basis; /* n */
    uint64_t *sum;  /* n: the equation at work */
    bool *is_in;    /* n: in the heap */
    uint32_t *heap;
    size_t n_heap;
    size_t n_entries;
} elimination;

static void elimination_free(elimination *e)
{
    if (e->rows)
        for (size_t i = 0; i < e->n; i++)
            hd_free(e->rows[i].entries);
    hd_free(e->rank);
    hd_free(e->rows);
    hd_free(e->is_basis);
    hd_free(e->sum);
    hd_free(e->is_in);
    hd_free(e->heap);
}

static void add(elimination *e, uint32_t rank, uint64_t x)
{
    e->sum[rank] = hd_field_sub(e->sum[rank], hd_field_sub(0, x));
    if (e->is_in[rank])
        return;
    e->is_in[rank] = true;
    size_t k = e->n_heap++;
    while (k && e->heap[(k - 1) / 2] > rank) {
        e->heap[k] = e->heap[(k - 1) / 2];
        k = (k - 1) / 2;
    }
    e->heap[k] = rank;
}

static uint32_t take_first(elimination *e)
{
    uint32_t first = e->heap[0], last = e->heap[--e->n_heap];
    size_t k = 0, c;
    while ((c = 2 * k + 1) < e->n_heap) {
        c += c + 1 < e->n_heap && e->heap[c + 1] < e->heap[c];
        if (last <= e->heap[c])
            break;
        e->heap[k] = e->heap[c];
        k = c;
    }
    e->heap[k] = last;
    e->is_in[first] = false;
    return first;
}

/* Empty the heap in order, replacing basis cells by their equations; what is left is the row. The
 * cells that come in are always later ones, so each is met once. */
static hd_code reduce(elimination *e, entry **out, size_t *n, hd_err *err)
{
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    while (e->n_heap) {
        uint32_t rank = take_first(e);
        uint64_t x = e->sum[rank];
        e->sum[rank] = 0;
        if (x == 0)
            continue;
        if (e->is_basis[rank]) {
            const solved *row = &e->rows[rank];
            for (size_t i = 0; i < row->n; i++)
                add(e, row->entries[i].rank,
                    hd_field_sub(0, hd_field_mul(x, row->entries[i].coefficient)));
            continue;
        }
        if (!HD_GROW(*out, *n, cap))
            return hd_fail_nomem(err);
        (*out)[(*n)++] = (entry){rank, x};
    }
    e->n_entries += *n;
    if (e->n_entries > (size_t)200 * 1000 * 1000)
        return hd_fail(err, HD_LIMIT, "the sums of the table are too entangled to solve");
    return HD_OK;
}

static hd_code eliminate(elimination *e, hd_err *err)
{
    const hd_system *s = e->s;
    for (size_t r = 0; r < s->n_rules; r++) {
        entry *row = NULL;
        size_t n;
        if (e->rank[s->parent[r]] != NONE)
            add(e, e->rank[s->parent[r]], HD_PRIME - 1);
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            if (e->rank[s->child[i]] != NONE)
                add(e, e->rank[s->child[i]], 1);
        hd_code rc = reduce(e, &row, &n, err);
        if (rc != HD_OK || n == 0) {
            hd_free(row);
            HD_TRY(rc);
            continue;
        }
        uint32_t first = row[0].rank;
        uint64_t scale = hd_field_inverse(row[0].coefficient);
        for (size_t i = 1; i < n; i++)
            row[i - 1] = (entry){row[i].rank, hd_field_mul(scale, row[i].coefficient)};
        e->rows[first] = (solved){n - 1, row};
        e->is_basis[first] = true;
    }
    /* Backwards: the later equations are over closing cells only already. */
    for (size_t k = e->n; k-- > 0;) {
        solved *row = &e->rows[k];
        if (!e->is_basis[k])
            continue;
        for (size_t i = 0; i < row->n; i++)
            add(e, row->entries[i].rank, row->entries[i].coefficient);
        entry *full = NULL;
        size_t n;
        hd_code rc = reduce(e, &full, &n, err);
        hd_free(row->entries);
        *row = (solved){n, full};
        HD_TRY(rc);
    }
    return HD_OK;
}

static hd_code elimination_run(elimination *e, const hd_system *s, const uint32_t *order, size_t n,
                               hd_err *err)
{
    *e = (elimination){.s = s, .n = n, .order = order};
    e->rank = hd_malloc((s->n_cells + 1) * sizeof *e->rank);
    e->rows = hd_calloc(n + 1, sizeof *e->rows);
    e->is_basis = hd_calloc(n + 1, sizeof *e->is_basis);
    e->sum = hd_calloc(n + 1, sizeof *e->sum);
    e->is_in = hd_calloc(n + 1, sizeof *e->is_in);
    e->heap = hd_calloc(n + 1, sizeof *e->heap);
    if (!e->rank || !e->rows || !e->is_basis || !e->sum || !e->is_in || !e->heap)
        return hd_fail_nomem(err);
    memset(e->rank, 0xff, s->n_cells * sizeof *e->rank);
    for (size_t k = 0; k < n; k++)
        e->rank[order[k]] = (uint32_t)k;
    return eliminate(e, err);
}

/* For each closing cell the basis cells of its circuit. */
typedef struct circuits {
    size_t *start; /* n + 1 */
    uint32_t *basis;
} circuits;

static hd_code circuits_new(circuits *c, const elimination *e, hd_err *err)
{
    size_t total = 0;
    c->start = hd_calloc(e->n + 2, sizeof *c->start);
    if (!c->start)
        return hd_fail_nomem(err);
    for (size_t k = 0; k < e->n; k++)
        for (size_t i = 0; e->is_basis[k] && i < e->rows[k].n; i++) {
            c->start[e->rows[k].entries[i].rank + 2]++;
            total++;
        }
    c->basis = hd_calloc(total + 1, sizeof *c->basis);
    if (!c->basis)
        return hd_fail_nomem(err);
    for (size_t k = 0; k < e->n; k++)
        c->start[k + 2] += c->start[k + 1];
    for (size_t k = 0; k < e->n; k++)
        for (size_t i = 0; e->is_basis[k] && i < e->rows[k].n; i++)
            c->basis[c->start[e->rows[k].entries[i].rank + 1]++] = (uint32_t)k;
    return HD_OK;
}

/* is_chosen (by rank): cells of circuits that are needed. Closing cells among the first n_unknown
 * are unknown anyway and cost nothing. Returns how many of the others were chosen. */
static size_t choose(const elimination *e, const circuits *c, size_t n_unknown,
                     const bool *is_protected, bool *is_chosen, bool *is_covered)
{
    size_t n_helpers = 0;
    memset(is_chosen, 0, e->n * sizeof *is_chosen);
    memset(is_covered, 0, e->n * sizeof *is_covered);
    for (size_t k = 0; k < e->n; k++) {
        bool is_needed = k < n_unknown;
        if (e->is_basis[k])
            continue;
        for (size_t i = c->start[k]; i < c->start[k + 1] && !is_needed; i++)
            is_needed = is_protected[e->order[c->basis[i]]] && !is_covered[c->basis[i]];
        if (!is_needed)
            continue;
        is_chosen[k] = is_covered[k] = true;
        for (size_t i = c->start[k]; i < c->start[k + 1]; i++)
            is_chosen[c->basis[i]] = is_covered[c->basis[i]] = true;
    }
    for (size_t k = n_unknown; k < e->n; k++)
        n_helpers += is_chosen[k];
    return n_helpers;
}

hd_code hd_exactness(const hd_system *s, const uint32_t *order, size_t n_unknown, size_t n,
                     const bool *is_protected, bool *is_helper, hd_err *err)
{
    hd_code rc = HD_OK;
    elimination e = {0};
    circuits c = {0};
    size_t n_now = n, n_before = SIZE_MAX;
    uint32_t *now = hd_malloc((n + 1) * sizeof *now);
    bool *is_chosen = hd_calloc(n + 1, sizeof *is_chosen);
    bool *is_covered = hd_calloc(n + 1, sizeof *is_covered);
    memset(is_helper, 0, s->n_cells * sizeof *is_helper);
    if (!now || !is_chosen || !is_covered) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    memcpy(now, order, n * sizeof *now);
    for (;;) {
        HD_GO(elimination_run(&e, s, now, n_now, err));
        HD_GO(circuits_new(&c, &e, err));
        size_t n_helpers = choose(&e, &c, n_unknown, is_protected, is_chosen, is_covered);
        elimination_free(&e);
        hd_free(c.start);
        hd_free(c.basis);
        e = (elimination){0};
        c = (circuits){0};
        size_t kept = n_unknown;
        for (size_t k = n_unknown; k < n_now; k++)
            if (is_chosen[k])
                now[kept++] = now[k];
        n_now = kept;
        if (n_helpers >= n_before)
            break;
        n_before = n_helpers;
    }
    for (size_t k = n_unknown; k < n_now; k++)
        is_helper[now[k]] = true;
out:
    elimination_free(&e);
    hd_free(c.start);
    hd_free(c.basis);
    hd_free(now);
    hd_free(is_chosen);
    hd_free(is_covered);
    return rc;
}

hd_code hd_exactness_alone(const hd_system *s, const uint32_t *order, size_t first, size_t n,
                           bool *is_helper, hd_err *err)
{
    hd_code rc = HD_OK;
    elimination e = {0};
    circuits c = {0};
    memset(is_helper, 0, s->n_cells * sizeof *is_helper);
    HD_GO(elimination_run(&e, s, order, n, err));
    HD_GO(circuits_new(&c, &e, err));
    for (size_t k = first; k < n; k++)
        for (size_t i = c.start[k]; !e.is_basis[k] && i < c.start[k + 1]; i++)
            is_helper[order[c.basis[i]]] = true;
out:
    elimination_free(&e);
    hd_free(c.start);
    hd_free(c.basis);
    return rc;
}
