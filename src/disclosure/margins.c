/* margins.c - see margins.h. */
#include "disclosure/margins.h"

#include "base/alloc.h"
#include "base/intern.h"

#include <string.h>

enum { ALL_SUBSETS = 5 /* of so many keys: every margin is looked at */ };

static hd_code group_cells(const hd_account *a, uint32_t coarse, uint32_t fine, hd_intern *names,
                           uint32_t *group, hd_err *err)
{
    uint64_t key[32];
    for (size_t c = 0; c < a->n_cells; c++) {
        size_t n = 0;
        group[c] = HD_INTERN_NONE;
        if (a->told[c] != fine)
            continue;
        for (size_t k = 0; k < a->n_keys; k++)
            if (coarse >> k & 1)
                key[n++] = a->keys[c * a->n_keys + k];
        HD_TRY(hd_intern_add(names, key, n * sizeof *key, &group[c], err));
    }
    return HD_OK;
}

hd_code hd_margins_each(const hd_account *a, size_t column, uint32_t coarse, uint32_t fine,
                           hd_take_margin take, void *ctx, hd_err *err)
{
    hd_code rc;
    hd_intern *names = hd_intern_new();
    uint32_t *group = hd_calloc(a->n_cells + 1, sizeof *group), *order = NULL;
    size_t *start = NULL;
    if (!names || !group) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(group_cells(a, coarse, fine, names, group, err));
    size_t n = hd_intern_count(names);
    start = hd_calloc(n + 2, sizeof *start);
    order = hd_calloc(a->n_cells + 1, sizeof *order);
    if (!start || !order) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t c = 0; c < a->n_cells; c++)
        if (group[c] != HD_INTERN_NONE)
            start[group[c] + 2]++;
    for (size_t g = 2; g < n + 2; g++)
        start[g] += start[g - 1];
    for (uint32_t c = 0; c < a->n_cells; c++)
        if (group[c] != HD_INTERN_NONE)
            order[start[group[c] + 1]++] = c;
    for (size_t g = 0; g < n; g++) {
        uint64_t sum[2] = {0, 0};
        for (size_t i = start[g]; i < start[g + 1]; i++) {
            const hd_set *s = &a->items[hd_account_at(a, order[i], column)];
            sum[0] += s->sum[0];
            sum[1] += s->sum[1];
        }
        if (sum[0] != 0 || sum[1] != 0)
            HD_GO(take(ctx, a, column, sum, order + start[g], start[g + 1] - start[g], err));
    }
out:
    hd_intern_free(names);
    hd_free(group);
    hd_free(order);
    hd_free(start);
    return rc;
}

void hd_margin_profile(const hd_account *a, size_t column, const uint32_t *cells, size_t n_cells,
                       uint64_t out[2])
{
    out[0] = out[1] = 0;
    for (size_t i = 0; i < n_cells; i++) {
        const uint64_t *sum = a->items[hd_account_at(a, cells[i], column)].profile.sum;
        out[0] += sum[0];
        out[1] += sum[1];
    }
}

bool hd_margin_is_asked(const hd_account *a, uint32_t mask)
{
    for (size_t s = 0; s < a->n_sets; s++)
        if (a->sets[s] == mask)
            return true;
    return false;
}

size_t hd_margin_finer(const hd_account *a, uint32_t mask, uint32_t out[HD_ACCOUNT_SETS])
{
    size_t n = 0;
    for (size_t s = 0; s < a->n_sets; s++) {
        uint32_t fine = a->sets[s];
        bool is_next = fine != mask && (fine & mask) == mask;
        for (size_t t = 0; t < a->n_sets && is_next; t++) {
            uint32_t between = a->sets[t];
            is_next = between == mask || between == fine || (between & mask) != mask ||
                      (between & fine) != between;
        }
        if (is_next)
            out[n++] = fine;
    }
    return n;
}

static size_t add_level(uint32_t *levels, size_t n, uint32_t mask)
{
    for (size_t i = 0; i < n; i++)
        if (levels[i] == mask)
            return n;
    if (n < HD_MARGIN_LEVELS)
        levels[n++] = mask;
    return n;
}

size_t hd_margin_levels(const hd_account *a, uint32_t levels[HD_MARGIN_LEVELS])
{
    uint32_t used = 0;
    size_t n = 0;
    for (size_t s = 0; s < a->n_sets; s++)
        used |= a->sets[s];
    if (__builtin_popcount(used) <= ALL_SUBSETS) {
        for (uint32_t sub = used;; sub = (sub - 1) & used) {
            n = add_level(levels, n, sub);
            if (!sub)
                return n;
        }
    }
    n = add_level(levels, n, 0);
    for (size_t s = 0; s < a->n_sets; s++)
        for (size_t t = 0; t <= s; t++)
            n = add_level(levels, n, a->sets[s] & a->sets[t]);
    return n;
}

static hd_code add_whole(void *ctx, const hd_account *a, size_t column, const uint64_t sum[2],
                         const uint32_t *cells, size_t n_cells, hd_err *err)
{
    hd_account *out = ctx;
    (void)sum;
    (void)err;
    if (out->n_cells == HD_MARGIN_WHOLES || n_cells < 2)
        return HD_OK;
    size_t item = hd_account_at(out, out->n_cells, column);
    hd_set *whole = &out->items[item];
    hd_printed *p = &out->printed[item];
    p->is_count = true;
    for (size_t i = 0; i < n_cells; i++) {
        size_t part = hd_account_at(a, cells[i], column);
        const hd_set *s = &a->items[part];
        p->is_count = p->is_count && a->printed[part].is_count;
        for (size_t k = 0; k < 2; k++)
            whole->sum[k] += s->sum[k];
        for (size_t b = 0; b < HD_SET_BUCKETS; b++)
            whole->buckets[b] = hd_lanes_add(whole->buckets[b], s->buckets[b]);
    }
    out->n_cells++;
    return HD_OK;
}

hd_code hd_margins_make(hd_account *out, const hd_account *a, hd_err *err)
{
    uint32_t levels[HD_MARGIN_LEVELS], finer[HD_ACCOUNT_SETS];
    size_t room = HD_MARGIN_WHOLES * a->n_columns + 1, n = 0;
    hd_code rc = HD_OK;
    *out = (hd_account){.n_columns = a->n_columns, .n_sets = 1, .table = a->table};
    memcpy(out->kinds, a->kinds, sizeof out->kinds);
    out->items = hd_calloc(room, sizeof *out->items);
    out->printed = hd_calloc(room, sizeof *out->printed);
    out->told = hd_calloc(HD_MARGIN_WHOLES + 1, sizeof *out->told);
    if (!out->items || !out->printed || !out->told)
        HD_GO(hd_fail_nomem(err));
    if (a->n_cells <= HD_MARGIN_CELLS)
        n = hd_margin_levels(a, levels);
    for (size_t i = n; i-- > 0;) { /* the grand total is the last of them */
        if (hd_margin_is_asked(a, levels[i]))
            continue;
        size_t n_finer = hd_margin_finer(a, levels[i], finer);
        for (size_t column = 0; column < a->n_columns && n_finer; column++)
            HD_GO(hd_margins_each(a, column, levels[i], finer[0], add_whole, out, err));
    }
out:
    if (rc != HD_OK)
        hd_account_free(out);
    return rc;
}

hd_code hd_margins_walk(const hd_account *a, hd_take_margin take, void *ctx, hd_err *err)
{
    uint32_t levels[HD_MARGIN_LEVELS], finer[HD_ACCOUNT_SETS];
    size_t n = hd_margin_levels(a, levels);
    for (size_t i = 0; i < n; i++) {
        size_t n_finer = hd_margin_finer(a, levels[i], finer);
        for (size_t f = 0; f < n_finer; f++)
            for (size_t column = 0; column < a->n_columns; column++)
                HD_TRY(hd_margins_each(a, column, levels[i], finer[f], take, ctx, err));
    }
    return HD_OK;
}
