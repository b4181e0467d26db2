/* cells.c - see cells.h. */
#include "engine/cells.h"
#include "base/alloc.h"
#include "engine/private.h"

#include <string.h>

struct hd_cell_block {
    void *items;
    size_t bytes;
};

hd_code hd_cells_own(hd_cells *c, void *array, size_t bytes, hd_err *err)
{
    if (!array || !HD_GROW(c->owned_, c->n_owned_, c->owned_cap_)) {
        hd_free(array);
        return hd_fail_nomem(err);
    }
    c->owned_[c->n_owned_++] = (struct hd_cell_block){array, bytes};
    return HD_OK;
}

bool hd_cells_give(hd_cells *c, const void *array)
{
    size_t i = 0;
    while (i < c->n_owned_ && c->owned_[i].items != array)
        i++;
    if (i == c->n_owned_)
        return false;
    c->owned_[i] = c->owned_[--c->n_owned_];
    return true;
}

void *hd_cells_take(hd_cells *c, size_t n, size_t item)
{
    hd_err ignored;
    void *p = hd_calloc(n, item);
    return p && hd_cells_own(c, p, n * item, &ignored) == HD_OK ? p : NULL;
}

hd_code hd_cells_new(hd_cells **out, size_t n_keys, size_t n_aggregates, size_t n_cells,
                     size_t text_bytes, hd_err *err)
{
    *out = NULL;
    hd_cells *c = hd_calloc(1, sizeof *c);
    if (!c)
        return hd_fail_nomem(err);
    c->n_keys = n_keys;
    c->n_aggregates = n_aggregates;
    c->n_cells = n_cells;
    c->keys = hd_calloc(n_keys, sizeof *c->keys);
    c->figures = hd_calloc(n_aggregates, sizeof *c->figures);
    c->counts = hd_calloc(n_aggregates, sizeof *c->counts);
    c->text_ = hd_malloc(text_bytes);
    if (!c->keys || !c->figures || !c->counts || !c->text_) {
        hd_cells_free(c);
        return hd_fail_nomem(err);
    }
    *out = c;
    return HD_OK;
}

void hd_cells_free(hd_cells *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_owned_; i++)
        hd_wipe_free(c->owned_[i].items, c->owned_[i].bytes);
    hd_free(c->owned_);
    hd_wipe_free(c->bins, c->n_bins * sizeof *c->bins);
    hd_free(c->values);
    hd_free(c->keys);
    hd_free(c->figures);
    hd_free(c->counts);
    hd_free(c->text_);
    hd_free(c);
}

/* ---- one by one ------------------------------------------------------------------------------ */

static bool take_vector(hd_cells *c, hd_type type, hd_form form, hd_vector *v)
{
    *v = (hd_vector){.type = type, .form = form};
    v->data = hd_cells_take(c, c->n_cells, hd_form_bytes(form));
    if (form == HD_PLACES) {
        v->n_values = (uint32_t)c->n_cells;
        v->values = hd_cells_take(c, c->n_cells, sizeof *v->values);
        return v->data && v->values;
    }
    v->is_null = hd_cells_take(c, c->n_cells, 1);
    return v->data && v->is_null;
}

static bool take_counts(hd_cells *c, hd_cell_counts *n)
{
    n->records = hd_cells_take(c, c->n_cells, sizeof *n->records);
    n->persons = hd_cells_take(c, c->n_cells, sizeof *n->persons);
    return n->records && n->persons;
}

hd_code hd_cells_new_rows(hd_cells **out, const hd_question *q, size_t n_cells, size_t text_bytes,
                          hd_err *err)
{
    hd_cells *c;
    HD_TRY(hd_cells_new(&c, q->n_keys, q->n_aggregates, n_cells, text_bytes, err));
    bool ok = take_counts(c, &c->all);
    c->grouping = hd_cells_take(c, n_cells, sizeof *c->grouping);
    ok = ok && c->grouping;
    for (size_t k = 0; k < q->n_keys && ok; k++)
        ok = take_vector(c, q->keys[k].type, HD_PLACES, &c->keys[k]);
    for (size_t a = 0; a < q->n_aggregates && ok; a++)
        ok = take_counts(c, &c->counts[a]) &&
             take_vector(c, q->aggregates[a].type, hd_form_of(q->aggregates[a].type),
                         &c->figures[a]);
    if (!ok) {
        hd_cells_free(c);
        *out = NULL;
        return hd_fail_nomem(err);
    }
    *out = c;
    return HD_OK;
}

static void put_value(hd_vector *v, size_t at, hd_value x)
{
    x.type = v->type;
    if (v->form == HD_PLACES) {
        ((hd_value *)(uintptr_t)v->values)[at] = x;
        ((uint32_t *)v->data)[at] = (uint32_t)at;
        return;
    }
    v->is_null[at] = x.is_null;
    if (x.is_null)
        return;
    if (v->form == HD_DECIMALS)
        ((double *)v->data)[at] = x.decimal;
    else
        ((int64_t *)v->data)[at] = x.integer;
}

void hd_cells_put_key(hd_cells *c, size_t cell, size_t key, hd_value v)
{
    put_value(&c->keys[key], cell, v);
}

void hd_cells_put_all(hd_cells *c, size_t cell, uint32_t grouping, int64_t records, int64_t persons)
{
    c->grouping[cell] = grouping;
    c->all.records[cell] = (uint32_t)records;
    c->all.persons[cell] = (uint32_t)persons;
}

void hd_cells_put_figure(hd_cells *c, size_t cell, size_t aggregate, hd_cell f)
{
    put_value(&c->figures[aggregate], cell, f.value);
    c->counts[aggregate].records[cell] = (uint32_t)f.records;
    c->counts[aggregate].persons[cell] = (uint32_t)f.persons;
}

void hd_cells_forget_people(hd_cells *c)
{
    c->all.persons = NULL;
    for (size_t a = 0; a < c->n_aggregates; a++)
        c->counts[a].persons = NULL;
}
