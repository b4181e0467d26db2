/* definition.c - see definition.h. */
#include "disclosure/definition.h"

#include "base/alloc.h"
#include "disclosure/canonical.h"

#include <string.h>

/* So that a figure of all records has a name. */
static const uint64_t everything = 1;

uint64_t hd_definition_of_span(const hd_span *s)
{
    return hd_mix(hd_mix(0, s->column), s->name); /* the one must not stand for the other */
}

/* ---- values of two spans --------------------------------------------------------------------- */

bool hd_span_holds(const hd_span *a, const uint32_t *values_a, const hd_span *b, const uint32_t *values_b)
{
    uint32_t at = 0, found = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        while (at < a->n && values_a[a->first + at] < values_b[b->first + i])
            at++;
        found += at < a->n && values_a[a->first + at] == values_b[b->first + i];
    }
    return b->n > 0 && found == b->n;
}

bool hd_span_is_apart(const hd_span *a, const uint32_t *values_a, const hd_span *b,
                      const uint32_t *values_b)
{
    uint32_t i = 0, k = 0;
    while (i < a->n && k < b->n && values_a[a->first + i] != values_b[b->first + k])
        if (values_a[a->first + i] < values_b[b->first + k])
            i++;
        else
            k++;
    return a->n > 0 && b->n > 0 && (i == a->n || k == b->n);
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* What WHERE, the classes and the keys say; and where in the answer's list the spans are. */
typedef struct making {
    const hd_chosen *chosen;
    const hd_question *q;
    hd_spans where, *classes, *keys; /* n_columns, n_keys */
    uint32_t *number_of[32];         /* of the spans of a key, from 1 on; 0: not yet in the list */
    uint32_t *number_of_class;       /* first span of each column */
    hd_definitions *out;
} making;

static hd_code add_span(making *m, const hd_spans *from, const hd_span *s, uint32_t *number, hd_err *err)
{
    hd_span copy = *s;
    size_t n = s->n ? s->n : (size_t)HD_SPAN_VALUES + 1;
    HD_TRY(hd_spans_add(&m->out->spans, copy, from->values + s->first, n, err));
    *number = (uint32_t)m->out->spans.n;
    return HD_OK;
}

static const hd_span *find_span(const hd_spans *s, uint64_t column)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->at[i].column == column)
            return &s->at[i];
    return NULL;
}

/* What two spans of one column leave together, when the one holds the other; the narrower. */
static bool meet(const making *m, uint32_t *number, uint32_t other)
{
    const hd_spans *s = &m->out->spans;
    const hd_span *a = &s->at[*number - 1], *b = &s->at[other - 1];
    if (a->name == b->name || hd_span_holds(b, s->values, a, s->values))
        return true;
    if (!hd_span_holds(a, s->values, b, s->values))
        return false;
    *number = other;
    return true;
}

/* Adds a span to those of a figure; false: it says more than can be kept. */
static bool add_to(const making *m, hd_definition *to, size_t *n, uint32_t number)
{
    const hd_span *at = m->out->spans.at;
    for (size_t i = 0; i < *n; i++)
        if (at[to->spans[i] - 1].column == at[number - 1].column)
            return meet(m, &to->spans[i], number);
    if (*n == HD_DEFINITION_SPANS)
        return false;
    to->spans[(*n)++] = number;
    return true;
}

static hd_code number_of_slot(making *m, size_t key, uint32_t slot, uint32_t *number, hd_err *err)
{
    uint32_t *known = &m->number_of[key][slot];
    if (*known == 0)
        HD_TRY(add_span(m, &m->keys[key], &m->keys[key].at[slot], known, err));
    *number = *known;
    return HD_OK;
}

/* A key's value says more than WHERE of the same column does, which it has heeded. */
static hd_code make_item(making *m, size_t column, const uint32_t *slots, hd_definition *out, hd_err *err)
{
    const hd_spans *of = &m->classes[column];
    bool fits = of->are_known;
    size_t n = 0;
    for (size_t k = 0; k < m->q->n_keys && fits; k++) {
        uint32_t number;
        if (slots[k] == UINT32_MAX)
            continue;
        HD_TRY(number_of_slot(m, k, slots[k], &number, err));
        fits = m->keys[k].are_known && add_to(m, out, &n, number);
    }
    for (size_t i = 0; i < of->n && fits; i++) {
        const hd_span *where = find_span(&m->where, of->at[i].column);
        bool is_heeded = false;
        for (size_t k = 0; k < n; k++)
            is_heeded = is_heeded || (where && where->name == of->at[i].name &&
                                      m->out->spans.at[out->spans[k] - 1].column == where->column);
        fits = is_heeded || add_to(m, out, &n, m->number_of_class[column] + (uint32_t)i);
    }
    out->name = everything;
    for (size_t i = 0; i < n; i++)
        out->name += hd_definition_of_span(&m->out->spans.at[out->spans[i] - 1]);
    if (!fits)
        *out = (hd_definition){0};
    return HD_OK;
}

static hd_code read_definitions(making *m, const hd_sets *sets, const unsigned *classes, hd_err *err)
{
    HD_TRY(hd_chosen_class_spans(m->chosen, UINT32_MAX, &m->where, err));
    for (size_t k = 0; k < m->q->n_keys; k++) {
        HD_TRY(hd_chosen_key_spans(m->chosen, k, &m->keys[k], err));
        m->number_of[k] = hd_calloc(m->keys[k].n + 1, sizeof *m->number_of[k]);
        if (!m->number_of[k])
            return hd_fail_nomem(err);
    }
    for (size_t c = 0; c < sets->n_columns; c++) {
        uint32_t number;
        HD_TRY(hd_chosen_class_spans(m->chosen, classes[c], &m->classes[c], err));
        m->number_of_class[c] = (uint32_t)m->out->spans.n + 1;
        for (size_t i = 0; i < m->classes[c].n; i++)
            HD_TRY(add_span(m, &m->classes[c], &m->classes[c].at[i], &number, err));
    }
    return HD_OK;
}

hd_code hd_definitions_make(hd_definitions *out, const hd_chosen *c, const hd_question *q,
                         const hd_sets *sets, const unsigned *classes, const uint32_t *slots,
                         hd_err *err)
{
    hd_code rc = HD_OK;
    making m = {.chosen = c, .q = q, .out = out};
    size_t n = sets->n_cells * sets->n_columns;
    *out = (hd_definitions){0};
    m.classes = hd_calloc(sets->n_columns + 1, sizeof *m.classes);
    m.keys = hd_calloc(q->n_keys + 1, sizeof *m.keys);
    m.number_of_class = hd_calloc(sets->n_columns + 1, sizeof *m.number_of_class);
    out->items = hd_calloc(n + 1, sizeof *out->items);
    if (!m.classes || !m.keys || !m.number_of_class || !out->items) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_ALWAYS(q->n_keys <= sizeof m.number_of / sizeof *m.number_of);
    HD_GO(read_definitions(&m, sets, classes, err));
    out->n_items = n;
    for (size_t i = 0; i < n && m.where.are_known; i++)
        if (sets->kinds[i % sets->n_columns] == HD_SET_RECORDS)
            HD_GO(make_item(&m, i % sets->n_columns, slots + i / sets->n_columns * q->n_keys,
                            &out->items[i], err));
out:
    hd_spans_free(&m.where);
    for (size_t i = 0; m.classes && i < sets->n_columns; i++)
        hd_spans_free(&m.classes[i]);
    for (size_t k = 0; m.keys && k < q->n_keys; k++) {
        hd_spans_free(&m.keys[k]);
        hd_free(m.number_of[k]);
    }
    hd_free(m.classes);
    hd_free(m.keys);
    hd_free(m.number_of_class);
    return rc;
}
