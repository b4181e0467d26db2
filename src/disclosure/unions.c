/* unions.c - see unions.h. */
#include "disclosure/unions.h"

#include "base/alloc.h"

#include <string.h>

enum { WORDS = (HD_UNION_PARTS + 63) / 64, BITS = HD_SET_LINES * 64 };

/* A vector of the basis: lines reduced, and the parts that it is made of. */
typedef struct vector {
    uint64_t lines[HD_SET_LINES];
    uint64_t made_of[WORDS];
    bool used;
} vector;

typedef struct search {
    const hd_account *parts, *wholes;
    size_t column; /* of the parts */
    hd_take_union take;
    void *ctx;
    vector *basis; /* BITS of them, by leading bit */
    size_t items[HD_UNION_PARTS];
    size_t n;
} search;

static size_t leading(const uint64_t lines[HD_SET_LINES])
{
    for (size_t w = 0; w < HD_SET_LINES; w++)
        if (lines[w])
            return w * 64 + (size_t)__builtin_clzll(lines[w]);
    return BITS;
}

static void reduce(const search *s, vector *v)
{
    for (size_t b = leading(v->lines); b < BITS && s->basis[b].used; b = leading(v->lines)) {
        for (size_t w = 0; w < HD_SET_LINES; w++)
            v->lines[w] ^= s->basis[b].lines[w];
        for (size_t w = 0; w < WORDS; w++)
            v->made_of[w] ^= s->basis[b].made_of[w];
    }
}

static void make_basis(search *s)
{
    for (size_t b = 0; b < BITS; b++)
        s->basis[b].used = false;
    for (size_t i = 0; i < s->n; i++) {
        vector v = {.made_of = {0}};
        memcpy(v.lines, s->parts->items[s->items[i]].lines, sizeof v.lines);
        v.made_of[i / 64] |= UINT64_C(1) << i % 64;
        reduce(s, &v);
        size_t b = leading(v.lines);
        if (b == BITS)
            continue; /* empty */
        v.used = true;
        s->basis[b] = v;
    }
}

static hd_code try_whole(search *s, size_t whole, hd_err *err)
{
    const hd_set *set = &s->wholes->items[whole];
    size_t items[HD_UNION_PARTS], n = 0;
    uint64_t sum[2] = {0, 0};
    vector v = {.made_of = {0}};
    memcpy(v.lines, set->lines, sizeof v.lines);
    reduce(s, &v);
    if (leading(v.lines) < BITS)
        return HD_OK;
    for (size_t i = 0; i < s->n; i++)
        if (v.made_of[i / 64] >> i % 64 & 1) {
            items[n++] = s->items[i];
            sum[0] += s->parts->items[s->items[i]].sum[0];
            sum[1] += s->parts->items[s->items[i]].sum[1];
        }
    if (n < 2 || memcmp(sum, set->sum, sizeof sum) != 0)
        return HD_OK;
    return s->take(s->ctx, s->parts, items, n, s->wholes, whole, err);
}

/* key: -1, or the wholes must have `value` in some key. */
static hd_code try_group(search *s, int key, uint64_t value, hd_err *err)
{
    const hd_account *w = s->wholes;
    if (s->n < 2)
        return HD_OK;
    make_basis(s);
    for (size_t cell = 0; cell < w->n_cells; cell++) {
        bool fits = key < 0;
        for (size_t k = 0; k < w->n_keys && !fits; k++)
            fits = (w->told[cell] >> k & 1) && w->keys[cell * w->n_keys + k] == value;
        for (size_t c = 0; c < w->n_columns && fits; c++) {
            size_t item = hd_account_at(w, cell, c);
            const hd_printed *p = &w->printed[item];
            if (w->kinds[c] == s->parts->kinds[s->column] && (p->is_count || p->is_shown) &&
                (w->items[item].sum[0] || w->items[item].sum[1]))
                HD_TRY(try_whole(s, item, err));
        }
    }
    return HD_OK;
}

/* The rows of a grouping set; with key >= 0 those with the value. False: too many. */
static bool gather(search *s, uint32_t told, int key, uint64_t value)
{
    const hd_account *p = s->parts;
    s->n = 0;
    for (size_t cell = 0; cell < p->n_cells; cell++) {
        size_t item = hd_account_at(p, cell, s->column);
        if (p->told[cell] != told || (!p->items[item].sum[0] && !p->items[item].sum[1]) ||
            (key >= 0 && p->keys[cell * p->n_keys + (size_t)key] != value))
            continue;
        if (s->n == HD_UNION_PARTS)
            return false;
        s->items[s->n++] = item;
    }
    return true;
}

static hd_code try_level(search *s, uint32_t told, hd_err *err)
{
    const hd_account *p = s->parts;
    bool all = gather(s, told, -1, 0);
    if (all)
        return try_group(s, -1, 0, err);
    for (size_t k = 0; k < p->n_keys; k++) {
        if (!(told >> k & 1))
            continue;
        for (size_t cell = 0; cell < p->n_cells; cell++) {
            uint64_t value = p->keys[cell * p->n_keys + k];
            bool is_first = p->told[cell] == told;
            for (size_t before = 0; before < cell && is_first; before++)
                is_first = p->told[before] != told || p->keys[before * p->n_keys + k] != value;
            if (is_first && gather(s, told, (int)k, value))
                HD_TRY(try_group(s, (int)k, value, err));
        }
    }
    return HD_OK;
}

hd_code hd_unions_find(const hd_account *parts, const hd_account *wholes, hd_take_union take,
                       void *ctx, hd_err *err)
{
    search s = {.parts = parts, .wholes = wholes, .take = take, .ctx = ctx};
    hd_code rc = HD_OK;
    s.basis = hd_calloc(BITS, sizeof *s.basis);
    if (!s.basis)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < parts->n_sets && rc == HD_OK; i++)
        for (s.column = 0; s.column < parts->n_columns && rc == HD_OK; s.column++)
            rc = try_level(&s, parts->sets[i], err);
    hd_free(s.basis);
    return rc;
}
