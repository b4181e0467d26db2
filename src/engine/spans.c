/* spans.c - see spans.h. A plan has each condition on one column as a table over its codes; what
 * these leave together is what every table leaves.
 */
#include "engine/spans_plan.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_COLUMNS = 16, MOST_OTHERS = 16, MOST_DEPTH = 64 };

void hd_spans_free(hd_spans *s)
{
    hd_free(s->at);
    hd_free(s->values);
    *s = (hd_spans){0};
}

static int compare_values(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

hd_code hd_spans_add(hd_spans *s, hd_span span, uint32_t *values, size_t n, hd_err *err)
{
    span.n = n > HD_SPAN_VALUES ? 0 : (uint32_t)n;
    span.first = (uint32_t)s->n_values;
    if (!HD_GROW(s->at, s->n, s->cap_))
        return hd_fail_nomem(err);
    s->at[s->n++] = span;
    if (span.n)
        qsort(values, n, sizeof *values, compare_values);
    for (size_t i = 0; i < span.n; i++) {
        if (!HD_GROW(s->values, s->n_values, s->values_cap_))
            return hd_fail_nomem(err);
        s->values[s->n_values++] = values[i];
    }
    return HD_OK;
}

/* ---- names ----------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * UINT64_C(0x9E3779B97F4A7C15);
    h ^= h >> 32;
    h *= UINT64_C(0xD6E8FEB86659FD93);
    return h ^ h >> 29;
}

static uint64_t name_of_text(const char *text)
{
    return hd_value_hash((hd_value){.type = HD_TEXT, .text = {text, strlen(text)}});
}

static uint64_t name_of_column(hd_table *t, hd_operand s)
{
    uint64_t name = name_of_text(s.order ? s.order->name : hd_table_column_spec(t, s.column)->name);
    return mix(name, s.element);
}

static uint64_t name_of_value(hd_value v)
{
    return mix(hd_value_hash(v), 1);
}

/* How many events a person has whose record is in the span. */
static void count_events(hd_span *s, hd_operand of, hd_value v)
{
    if (!of.order || of.order->kind != ORDER_EVENTS || v.is_null || v.integer < 1 || v.integer > UINT32_MAX)
        return;
    uint32_t n = (uint32_t)v.integer;
    s->fewest = s->fewest == 0 || n < s->fewest ? n : s->fewest;
    s->most = n > s->most ? n : s->most;
}

/* ---- conditions ------------------------------------------------------------------------------ */

/* A column and, by code, what is left of it. */
typedef struct left {
    hd_operand operand;
    const hd_dictionary *d;
    uint32_t lowest; /* code that there is */
    uint8_t *is_left;
} left;

typedef struct reading {
    const scan_plan *p;
    hd_table *t;
    left columns[MOST_COLUMNS];
    hd_span others[MOST_OTHERS];
    size_t n_columns, n_others;
    bool fits;
} reading;

static void free_reading(reading *r)
{
    for (size_t i = 0; i < r->n_columns; i++)
        hd_free(r->columns[i].is_left);
}

static hd_code restrict_column(reading *r, hd_operand s, const hd_k_codes *codes, const uint8_t *lut,
                               hd_err *err)
{
    size_t i = 0;
    while (i < r->n_columns && !hd_operand_is_same(r->columns[i].operand, s))
        i++;
    if (i == MOST_COLUMNS) {
        r->fits = false;
        return HD_OK;
    }
    left *l = &r->columns[i];
    if (i == r->n_columns) {
        *l = (left){s, hd_operand_dictionary(r->t, s), codes->lowest, NULL};
        l->is_left = hd_malloc(l->d->n_codes);
        if (!l->is_left)
            return hd_fail_nomem(err);
        memset(l->is_left, 1, l->d->n_codes);
        r->n_columns++;
    }
    for (uint32_t code = 0; code < l->d->n_codes; code++)
        l->is_left[code] &= lut[code] == 1;
    return HD_OK;
}

/* What a condition is made of, whatever the order of its parts. */
static uint64_t name_of_node(const reading *r, uint32_t at, int depth)
{
    const hd_k_node *node = &r->p->nodes[at];
    if (depth == MOST_DEPTH)
        return 0;
    switch (node->op) {
    case HD_K_ATOM: {
        const uint8_t *lut = r->p->atoms[node->a].lut;
        hd_operand s = r->p->atom_inputs[node->a].operand;
        const hd_dictionary *d = hd_operand_dictionary(r->t, s);
        uint64_t sum = 0;
        for (uint32_t code = 0; code < d->n_codes; code++)
            if (lut[code])
                sum += mix(hd_value_hash(hd_dictionary_value(d, code)), lut[code]);
        return mix(name_of_column(r->t, s), sum);
    }
    case HD_K_AND:
    case HD_K_OR: {
        uint64_t a = name_of_node(r, node->a, depth + 1), b = name_of_node(r, node->b, depth + 1);
        return a && b ? mix(mix(node->op, a + b), a ^ b) : 0;
    }
    default: {
        uint64_t a = name_of_node(r, node->a, depth + 1);
        return a ? mix(node->op, a) : 0;
    }
    }
}

/* A condition as a column of its own. */
static void add_other(reading *r, uint32_t at)
{
    bool is_not = r->p->nodes[at].op == HD_K_NOT;
    uint64_t name = name_of_node(r, is_not ? r->p->nodes[at].a : at, 0);
    if (name == 0 || r->n_others == MOST_OTHERS) {
        r->fits = false;
        return;
    }
    for (size_t i = 0; i < r->n_others; i++)
        if (r->others[i].column == name && r->others[i].name == 1u + is_not)
            return;
    r->others[r->n_others++] = (hd_span){.column = name, .name = 1u + is_not};
}

static hd_code add_condition(reading *r, int32_t at, int depth, hd_err *err)
{
    const hd_k_node *node = at < 0 ? NULL : &r->p->nodes[at];
    if (!node)
        return HD_OK;
    if (node->op == HD_K_AND && depth < MOST_DEPTH) {
        HD_TRY(add_condition(r, (int32_t)node->a, depth + 1, err));
        return add_condition(r, (int32_t)node->b, depth + 1, err);
    }
    const hd_k_atom *atom = node->op == HD_K_ATOM ? &r->p->atoms[node->a] : NULL;
    if (atom && !atom->starts)
        return restrict_column(r, r->p->atom_inputs[node->a].operand, &atom->codes, atom->lut, err);
    add_other(r, (uint32_t)at);
    return HD_OK;
}

static hd_code read_conditions(reading *r, const scan_plan *p, hd_table *t, int32_t filter,
                               const hd_k_measure *m, const scan_input *of, hd_err *err)
{
    *r = (reading){.p = p, .t = t, .fits = true};
    HD_TRY(add_condition(r, p->q.where, 0, err));
    HD_TRY(add_condition(r, filter, 0, err));
    return m && m->has_value ? restrict_column(r, of->operand, &m->codes, m->has_value, err) : HD_OK;
}

/* What is left of a column; nothing to say when that is everything. */
static hd_code add_left(hd_table *t, const left *l, hd_spans *out, hd_err *err)
{
    hd_span s = {.column = name_of_column(t, l->operand)};
    uint32_t n = 0, at = 0;
    for (uint32_t code = l->lowest; code < l->d->n_codes; code++)
        n += l->is_left[code];
    if (n == l->d->n_codes - l->lowest)
        return HD_OK;
    uint32_t *values = hd_calloc((size_t)n + 1, sizeof *values);
    if (!values)
        return hd_fail_nomem(err);
    for (uint32_t code = l->lowest; code < l->d->n_codes; code++)
        if (l->is_left[code]) {
            uint64_t name = name_of_value(hd_dictionary_value(l->d, code));
            s.name += name;
            values[at++] = (uint32_t)(name >> 32);
            count_events(&s, l->operand, hd_dictionary_value(l->d, code));
        }
    hd_code rc = hd_spans_add(out, s, values, n, err);
    hd_free(values);
    return rc;
}

hd_code hd_spans_of_condition(const scan_plan *p, hd_table *t, int32_t filter,
                              const hd_k_measure *m, const scan_input *of, hd_spans *out, hd_err *err)
{
    hd_code rc;
    reading r;
    *out = (hd_spans){0};
    HD_GO(read_conditions(&r, p, t, filter, m, of, err));
    out->are_known = r.fits;
    for (size_t i = 0; i < r.n_columns; i++)
        HD_GO(add_left(t, &r.columns[i], out, err));
    for (size_t i = 0; i < r.n_others; i++) {
        uint32_t truth = (uint32_t)r.others[i].name;
        HD_GO(hd_spans_add(out, r.others[i], &truth, 1, err));
    }
out:
    free_reading(&r);
    if (rc != HD_OK)
        hd_spans_free(out);
    return rc;
}

/* A value and the slot that it is in. */
typedef struct slotted {
    uint32_t slot, value;
    uint64_t name;
} slotted;

static int by_slot(const void *x, const void *y)
{
    const slotted *a = x, *b = y;
    return (a->slot > b->slot) - (a->slot < b->slot);
}

static hd_code add_slots(const slotted *list, size_t n, uint32_t n_slots, uint64_t column, hd_spans *out,
                         hd_err *err)
{
    hd_code rc = HD_OK;
    uint32_t *values = hd_calloc(n + 1, sizeof *values);
    if (!values)
        return hd_fail_nomem(err);
    for (uint32_t slot = 0, at = 0; slot < n_slots; slot++) {
        hd_span s = {.column = column};
        size_t k = 0;
        for (; at < n && list[at].slot == slot; at++) {
            s.name += list[at].name;
            values[k++] = list[at].value;
        }
        HD_GO(hd_spans_add(out, s, values, k, err));
    }
out:
    hd_free(values);
    return rc;
}

hd_code hd_spans_of_key(const scan_plan *p, hd_table *t, size_t key, hd_spans *out, hd_err *err)
{
    hd_code rc;
    reading r;
    const hd_k_group *g = &p->groups[key];
    hd_operand s = p->group_inputs[key].operand;
    const hd_dictionary *d = hd_operand_dictionary(t, s);
    const uint8_t *is_left = NULL;
    size_t n = 0;
    *out = (hd_spans){.are_known = true};
    slotted *list = hd_calloc((size_t)d->n_codes + 1, sizeof *list);
    HD_GO(read_conditions(&r, p, t, -1, NULL, NULL, err));
    if (!list) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < r.n_columns; i++)
        if (hd_operand_is_same(r.columns[i].operand, s))
            is_left = r.columns[i].is_left;
    for (uint32_t code = 0; code < d->n_codes; code++)
        if (!is_left || is_left[code]) {
            uint64_t name = name_of_value(hd_dictionary_value(d, code));
            list[n++] = (slotted){g->lut[code], (uint32_t)(name >> 32), name};
        }
    qsort(list, n, sizeof *list, by_slot);
    HD_GO(add_slots(list, n, g->n_slots, name_of_column(t, s), out, err));
    for (uint32_t code = 0; code < d->n_codes; code++)
        if (!is_left || is_left[code])
            count_events(&out->at[g->lut[code]], s, hd_dictionary_value(d, code));
out:
    free_reading(&r);
    hd_free(list);
    if (rc != HD_OK)
        hd_spans_free(out);
    return rc;
}
