/* unions.c - see unions.h. */
#include "disclosure/unions.h"

#include "base/alloc.h"
#include "base/sort.h"

#include <string.h>

enum {
    LINES = HD_SET_PLANE, /* in words */
    BITS = HD_SET_LINES,
    WORDS = (HD_UNION_PARTS + 63) / 64
};

/* A vector of the basis: lines reduced, and the parts that it is made of. */
typedef struct vector {
    uint64_t lines[LINES];
    uint64_t made_of[WORDS];
    bool used;
} vector;

/* Cells under each value of their keys, by value; a cell is there once for each different one. */
typedef struct by_value {
    uint64_t *values, *cells; /* n */
    size_t n;
} by_value;

typedef struct search {
    const hd_account *parts, *wholes;
    size_t column; /* of the parts */
    uint32_t told; /* their grouping set */
    hd_take_union take;
    void *ctx;
    vector *basis; /* BITS of them, by leading bit */
    bool has_basis; /* of the items */
    const size_t *items;
    size_t n;
    by_value under; /* the wholes */
} search;

static void lines_of(const hd_set *s, uint64_t out[LINES])
{
    uint64_t high[LINES];
    hd_set_planes(s, out, high);
}

/* The first bit of the first n words; n * 64: none. */
static size_t leading(const uint64_t lines[LINES], size_t n)
{
    for (size_t w = 0; w < n; w++)
        if (lines[w])
            return w * 64 + (size_t)__builtin_clzll(lines[w]);
    return n * 64;
}

static void reduce(const search *s, vector *v)
{
    size_t b;
    while ((b = leading(v->lines, LINES)) < BITS && s->basis[b].used) {
        for (size_t w = 0; w < LINES; w++)
            v->lines[w] ^= s->basis[b].lines[w];
        for (size_t w = 0; w < WORDS; w++)
            v->made_of[w] ^= s->basis[b].made_of[w];
    }
}

/* Most sets are no union: told by few of their lines, somewhat more than there are parts. */
static bool may_be_spanned(const search *s, const uint64_t lines[LINES])
{
    uint64_t rest[LINES];
    size_t n = s->n / 64 + 2 < LINES ? s->n / 64 + 2 : LINES, b;
    memcpy(rest, lines, n * sizeof *rest);
    while ((b = leading(rest, n)) < n * 64) {
        if (!s->basis[b].used)
            return false;
        for (size_t w = b / 64; w < n; w++)
            rest[w] ^= s->basis[b].lines[w];
    }
    return true;
}

static void make_basis(search *s)
{
    for (size_t b = 0; b < BITS; b++)
        s->basis[b].used = false;
    for (size_t i = 0; i < s->n; i++) {
        vector v = {.made_of = {0}};
        lines_of(&s->parts->items[s->items[i]], v.lines);
        v.made_of[i / 64] |= UINT64_C(1) << i % 64;
        reduce(s, &v);
        size_t b = leading(v.lines, LINES);
        if (b == BITS)
            continue; /* empty, or made of others */
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
    lines_of(set, v.lines);
    if (!may_be_spanned(s, v.lines))
        return HD_OK;
    reduce(s, &v);
    if (leading(v.lines, LINES) < BITS)
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

/* A row of a grouping set holds no record of another, so it is not made of others. (People may
 * be in several.) */
static bool is_part(const search *s, size_t cell, size_t column)
{
    return s->parts == s->wholes && s->wholes->told[cell] == s->told && column == s->column &&
           s->parts->kinds[column] == HD_SET_RECORDS;
}

static hd_code try_cell(search *s, size_t cell, hd_err *err)
{
    const hd_account *w = s->wholes;
    for (size_t c = 0; c < w->n_columns; c++) {
        size_t item = hd_account_at(w, cell, c);
        const hd_printed *p = &w->printed[item];
        if (w->kinds[c] != s->parts->kinds[s->column] || !(p->is_count || p->is_shown) ||
            !(w->items[item].sum[0] || w->items[item].sum[1]) || is_part(s, cell, c))
            continue;
        if (!s->has_basis)
            make_basis(s);
        s->has_basis = true;
        HD_TRY(try_whole(s, item, err));
    }
    return HD_OK;
}

static void choose(search *s, const size_t *items, size_t n)
{
    s->items = items;
    s->n = n;
    s->has_basis = false;
}

/* All rows of the grouping set at once. */
static hd_code try_all(search *s, const size_t *items, size_t n, hd_err *err)
{
    choose(s, items, n);
    for (size_t cell = 0; cell < s->wholes->n_cells && n >= 2; cell++)
        HD_TRY(try_cell(s, cell, err));
    return HD_OK;
}

/* Rows that share the value of a key, and wholes that have it in some key. */
static hd_code try_value(search *s, uint64_t value, const size_t *items, size_t n, hd_err *err)
{
    size_t low = 0, high = s->under.n;
    if (n < 2 || n > HD_UNION_PARTS)
        return HD_OK;
    choose(s, items, n);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->under.values[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < s->under.n && s->under.values[low] == value; low++)
        HD_TRY(try_cell(s, s->under.cells[low], err));
    return HD_OK;
}

static void free_values(by_value *v)
{
    hd_free(v->values);
    hd_free(v->cells);
}

/* Cells of a grouping set by one key (key >= 0), or all by all of their keys. */
static hd_code sort_by_value(const hd_account *a, uint32_t told, int key, by_value *out,
                             hd_err *err)
{
    hd_code rc = HD_OK;
    size_t room = a->n_cells * (key < 0 ? a->n_keys : 1) + 1;
    by_value spare = {hd_calloc(room, sizeof(uint64_t)), hd_calloc(room, sizeof(uint64_t)), 0};
    *out = (by_value){hd_calloc(room, sizeof(uint64_t)), hd_calloc(room, sizeof(uint64_t)), 0};
    if (!out->values || !out->cells || !spare.values || !spare.cells) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t cell = 0; cell < a->n_cells; cell++)
        for (size_t k = 0; k < a->n_keys; k++) {
            bool is_wanted = key < 0 ? a->told[cell] >> k & 1
                                     : a->told[cell] == told && (size_t)key == k;
            if (!is_wanted)
                continue;
            out->values[out->n] = a->keys[cell * a->n_keys + k];
            out->cells[out->n++] = cell;
        }
    hd_sort_pairs(out->values, out->cells, spare.values, spare.cells, out->n);
    size_t n = 0;
    for (size_t i = 0; i < out->n; i++) { /* a cell with the value in two keys */
        if (n && out->values[n - 1] == out->values[i] && out->cells[n - 1] == out->cells[i])
            continue;
        out->values[n] = out->values[i];
        out->cells[n++] = out->cells[i];
    }
    out->n = n;
out:
    free_values(&spare);
    return rc;
}

static bool has_records(const search *s, size_t cell)
{
    const hd_set *set = &s->parts->items[hd_account_at(s->parts, cell, s->column)];
    return set->sum[0] || set->sum[1];
}

static hd_code try_key(search *s, size_t key, hd_err *err)
{
    by_value v;
    hd_code rc = sort_by_value(s->parts, s->told, (int)key, &v, err);
    size_t *items = rc == HD_OK ? hd_calloc(v.n + 1, sizeof *items) : NULL;
    if (rc == HD_OK && !items)
        rc = hd_fail_nomem(err);
    for (size_t at = 0; rc == HD_OK && at < v.n;) {
        uint64_t value = v.values[at];
        size_t n = 0;
        for (; at < v.n && v.values[at] == value; at++)
            if (has_records(s, v.cells[at]))
                items[n++] = hd_account_at(s->parts, v.cells[at], s->column);
        rc = try_value(s, value, items, n, err);
    }
    hd_free(items);
    free_values(&v);
    return rc;
}

static hd_code try_level(search *s, hd_err *err)
{
    const hd_account *p = s->parts;
    size_t items[HD_UNION_PARTS], n = 0;
    for (size_t cell = 0; cell < p->n_cells && n <= HD_UNION_PARTS; cell++) {
        if (p->told[cell] != s->told || !has_records(s, cell))
            continue;
        if (n < HD_UNION_PARTS)
            items[n] = hd_account_at(p, cell, s->column);
        n++;
    }
    if (n <= HD_UNION_PARTS)
        return try_all(s, items, n, err);
    for (size_t k = 0; k < p->n_keys; k++)
        if (s->told >> k & 1)
            HD_TRY(try_key(s, k, err));
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
    HD_GO(sort_by_value(wholes, 0, -1, &s.under, err));
    for (size_t i = 0; i < parts->n_sets; i++)
        for (s.column = 0; s.column < parts->n_columns; s.column++) {
            s.told = parts->sets[i];
            HD_GO(try_level(&s, err));
        }
out:
    free_values(&s.under);
    hd_free(s.basis);
    return rc;
}
