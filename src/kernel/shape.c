/* shape.c - see shape.h. */
#include "kernel/shape.h"
#include "base/alloc.h"

#include <string.h>

enum { FALSE = 0, UNKNOWN = 1, TRUE = 2, MAX_WORK = 1 << 21 };

static const uint8_t ordered[3] = {FALSE, TRUE, UNKNOWN}; /* from the question's 0, 1, 2 */

/* A reader while the shape is made: which group each code is in, and what stands for each group. */
typedef struct draft {
    hd_k_codes codes;
    const uint32_t *starts;
    const uint8_t *list_lut;
    uint8_t *group_of;                  /* n_codes */
    uint32_t examples[HD_K_SIGNATURES]; /* a code of each group; lists: 0 no, 1 yes */
    unsigned n_groups, part, stride;
} draft;

typedef struct maker {
    const hd_k_plan *p;
    hd_k_shape *s;
    draft *drafts;
    size_t n_drafts;
    size_t *atom_draft;  /* n_atoms */
    size_t *class_draft; /* n_classes: of has_value */
    uint8_t *node_is_used;
    unsigned sizes[HD_K_PARTS];
} maker;

/* ---- which predicates matter ----------------------------------------------------------------- */

static void mark(const hd_k_question *q, int32_t node, uint8_t *is_used)
{
    if (node < 0)
        return;
    is_used[node] = 1;
    for (size_t i = (size_t)node + 1; i-- > 0;) {
        const hd_k_node *n = &q->nodes[i];
        if (!is_used[i] || n->op == HD_K_ATOM)
            continue;
        is_used[n->a] = 1;
        if (n->op == HD_K_AND || n->op == HD_K_OR)
            is_used[n->b] = 1;
    }
}

static hd_code draft_of(maker *m, const hd_k_codes *codes, const hd_k_atom *list, size_t *out,
                        hd_err *err)
{
    for (size_t i = 0; i < m->n_drafts && !list; i++) {
        const hd_k_codes *c = &m->drafts[i].codes;
        if (!m->drafts[i].starts && c->data == codes->data && c->width == codes->width &&
            c->n_codes == codes->n_codes) {
            *out = i;
            return HD_OK;
        }
    }
    draft *d = &m->drafts[m->n_drafts];
    *d = (draft){.codes = *codes, .n_groups = 1};
    if (list) {
        d->starts = list->starts;
        d->list_lut = list->lut;
        d->examples[1] = 1;
        d->n_groups = 2;
    } else {
        d->group_of = hd_calloc(codes->n_codes, 1);
        if (!d->group_of)
            return hd_fail_nomem(err);
    }
    *out = m->n_drafts++;
    return HD_OK;
}

/* Tell groups apart by one more table (of values below 3). False when they become too many. */
static bool split_groups(draft *d, const uint8_t *lut)
{
    int16_t to[HD_K_SIGNATURES][3];
    memset(to, -1, sizeof to);
    unsigned n = 0;
    for (uint32_t c = d->codes.lowest; c < d->codes.n_codes; c++) {
        int16_t *at = &to[d->group_of[c]][lut[c]];
        if (*at < 0) {
            if (n == HD_K_SIGNATURES)
                return false;
            d->examples[n] = c;
            *at = (int16_t)n++;
        }
        d->group_of[c] = (uint8_t)*at;
    }
    d->n_groups = n ? n : 1;
    return true;
}

static hd_code split_by_presence(const hd_k_class *c, draft *d, bool *fits, hd_err *err)
{
    uint8_t *lut = hd_malloc(c->codes->n_codes);
    if (!lut)
        return hd_fail_nomem(err);
    for (uint32_t code = 0; code < c->codes->n_codes; code++)
        lut[code] = c->has_value[code] != 0;
    *fits = split_groups(d, lut);
    hd_free(lut);
    return HD_OK;
}

static hd_code find_drafts(maker *m, bool *fits, hd_err *err)
{
    const hd_k_question *q = m->p->q;
    mark(q, q->where, m->node_is_used);
    for (size_t c = 0; c < m->p->n_classes; c++)
        mark(q, m->p->classes[c].filter, m->node_is_used);
    for (size_t i = 0; i < q->n_nodes && *fits; i++) {
        if (!m->node_is_used[i] || q->nodes[i].op != HD_K_ATOM)
            continue;
        uint32_t a = q->nodes[i].a;
        const hd_k_atom *atom = &q->atoms[a];
        HD_TRY(draft_of(m, &atom->codes, atom->starts ? atom : NULL, &m->atom_draft[a], err));
        if (!atom->starts)
            *fits = split_groups(&m->drafts[m->atom_draft[a]], atom->lut);
    }
    for (size_t c = 0; c < m->p->n_classes && *fits; c++) {
        const hd_k_class *class = &m->p->classes[c];
        if (!class->has_value)
            continue;
        HD_TRY(draft_of(m, class->codes, NULL, &m->class_draft[c], err));
        HD_TRY(split_by_presence(class, &m->drafts[m->class_draft[c]], fits, err));
    }
    return HD_OK;
}

/* ---- signatures ------------------------------------------------------------------------------ */

/* Columns into parts, each with at most 256 combinations. */
static bool place_drafts(maker *m)
{
    m->sizes[0] = m->sizes[1] = 1;
    for (size_t i = 0; i < m->n_drafts; i++) {
        draft *d = &m->drafts[i];
        d->part = m->sizes[0] * d->n_groups <= HD_K_SIGNATURES ? 0 : 1;
        if (m->sizes[d->part] * d->n_groups > HD_K_SIGNATURES)
            return false;
        d->stride = m->sizes[d->part];
        m->sizes[d->part] *= d->n_groups;
    }
    return true;
}

/* The code (of lists: the truth) that stands for a column in a combination. */
static uint32_t example(const maker *m, size_t at, unsigned combination)
{
    const draft *d = &m->drafts[at];
    unsigned part = d->part ? combination / m->sizes[0] : combination % m->sizes[0];
    return d->examples[part / d->stride % d->n_groups];
}

static uint8_t node_truth(const maker *m, size_t node, unsigned combination, const uint8_t *truth)
{
    const hd_k_node *n = &m->p->q->nodes[node];
    const hd_k_atom *atom = &m->p->q->atoms[n->op == HD_K_ATOM ? n->a : 0];
    uint8_t x = n->op == HD_K_ATOM ? 0 : truth[n->a];
    uint8_t y = n->op == HD_K_AND || n->op == HD_K_OR ? truth[n->b] : 0;
    switch (n->op) {
    case HD_K_ATOM: {
        uint32_t code = example(m, m->atom_draft[n->a], combination);
        return atom->starts ? (code ? TRUE : FALSE) : ordered[atom->lut[code]];
    }
    case HD_K_AND:
        return x < y ? x : y;
    case HD_K_OR:
        return x > y ? x : y;
    case HD_K_NOT:
        return (uint8_t)(TRUE - x);
    case HD_K_IS_TRUE:
        return x & TRUE;
    }
    return FALSE;
}

/* The classes that count a row of this combination; 0 when `where` does not select it. */
static uint64_t classes_of(const maker *m, unsigned combination, uint8_t *truth)
{
    const hd_k_question *q = m->p->q;
    for (size_t i = 0; i < q->n_nodes; i++)
        if (m->node_is_used[i])
            truth[i] = node_truth(m, i, combination, truth);
    if (q->where >= 0 && truth[q->where] != TRUE)
        return 0;
    uint64_t members = 0;
    for (size_t c = 0; c < m->p->n_classes; c++) {
        const hd_k_class *class = &m->p->classes[c];
        bool is =
            (class->filter < 0 || truth[class->filter] == TRUE) &&
            (!class->has_value || class->has_value[example(m, m->class_draft[c], combination)]);
        members |= (uint64_t)is << c;
    }
    return members;
}

/* Whether rows of two groups of a column count in the same classes, whatever else they have. a < b. */
static bool are_alike(const maker *m, const draft *d, const uint64_t *members, unsigned a, unsigned b)
{
    const unsigned step = d->stride * (d->part ? m->sizes[0] : 1), n = m->sizes[0] * m->sizes[1];
    for (unsigned at = a * step; at < n; at += step * d->n_groups)
        for (unsigned i = at; i < at + step; i++)
            if (members[i] != members[i + (b - a) * step])
                return false;
    return true;
}

/* Groups that nothing tells apart become one: codes without a value, mostly, which are unknown to a
 * condition and as good as unmet. */
static void merge_groups(const maker *m, draft *d, const uint64_t *members)
{
    enum { MANY = 16 };
    unsigned first[MANY], to[MANY], n = 0;
    if (d->starts || d->n_groups > MANY)
        return;
    for (unsigned g = 0; g < d->n_groups; g++) {
        unsigned k = 0;
        while (k < n && !are_alike(m, d, members, first[k], g))
            k++;
        if (k == n)
            first[n++] = g;
        to[g] = k;
    }
    for (uint32_t c = 0; c < d->codes.n_codes; c++)
        d->group_of[c] = (uint8_t)to[d->group_of[c]];
    for (unsigned k = 0; k < n; k++)
        d->examples[k] = d->examples[first[k]];
    d->n_groups = n;
}

static hd_code merge_alike(maker *m, uint8_t *truth, bool *fits, hd_err *err)
{
    unsigned n = m->sizes[0] * m->sizes[1];
    *fits = (uint64_t)n * (m->p->q->n_nodes + m->p->n_classes) <= MAX_WORK;
    if (!*fits)
        return HD_OK;
    uint64_t *members = hd_malloc(n * sizeof *members);
    if (!members)
        return hd_fail_nomem(err);
    for (unsigned i = 0; i < n; i++)
        members[i] = classes_of(m, i, truth);
    for (size_t i = 0; i < m->n_drafts; i++)
        merge_groups(m, &m->drafts[i], members);
    hd_free(members);
    *fits = place_drafts(m);
    return HD_OK;
}

static unsigned live_number(hd_k_shape *s, uint64_t members)
{
    unsigned i = 0;
    while (i < s->n_live && s->live[i] != members)
        i++;
    if (i == s->n_live && i < HD_K_SIGNATURES)
        s->live[s->n_live++] = members;
    return i;
}

/* What steps may read of a table of n bytes. */
static size_t far_size(size_t n)
{
    return (n + HD_K_FAR - 1) / HD_K_FAR * HD_K_FAR + 3;
}

/* One part: a signature is a sum. Two: `joined` gives each pair of sums the number of its classes,
 * and 255 to what is not selected. */
static hd_code number_signatures(maker *m, uint8_t *truth, bool *fits, hd_err *err)
{
    hd_k_shape *s = m->s;
    unsigned n = m->sizes[0] * m->sizes[1];
    bool two = m->sizes[1] > 1;
    unsigned most = two ? HD_K_SIGNATURES - 1u : HD_K_SIGNATURES;
    most = m->p->tuning.max_live < most ? m->p->tuning.max_live : most;
    s->n_parts = m->n_drafts == 0 ? 0 : two ? 2 : 1;
    if (two && !(s->joined_of = hd_calloc(far_size(n), 1)))
        return hd_fail_nomem(err);
    s->joined = (hd_k_joined){s->joined_of, m->sizes[0], n};
    for (unsigned i = 0; i < n && *fits; i++) {
        uint64_t members = classes_of(m, i, truth);
        unsigned live = members ? live_number(s, members) : HD_K_SIGNATURES - 1;
        *fits = live < most || !members;
        unsigned at = two ? live : i;
        if (!*fits)
            break;
        if (two)
            s->joined_of[i] = (uint8_t)at;
        s->members[at] = members;
        s->live_of[at] = (uint8_t)(members ? live : 0);
        s->keep[at] = members != 0;
        if (!members && m->p->q->where >= 0)
            s->keeps_all = false;
    }
    s->n_signatures = two ? HD_K_SIGNATURES : n;
    return HD_OK;
}

static hd_code note_classes(hd_k_shape *s, const hd_k_plan *p, hd_err *err)
{
    s->class_keep = hd_calloc(p->n_classes, sizeof *s->class_keep);
    s->class_is_all = hd_calloc(p->n_classes, sizeof *s->class_is_all);
    if (!s->class_keep || !s->class_is_all)
        return hd_fail_nomem(err);
    for (size_t c = 0; c < p->n_classes; c++) {
        s->class_is_all[c] = true;
        for (unsigned i = 0; i < s->n_signatures; i++) {
            s->class_keep[c][i] = s->members[i] >> c & 1;
            if (s->keep[i] && !s->class_keep[c][i])
                s->class_is_all[c] = false;
        }
    }
    return HD_OK;
}

/* ---- readers --------------------------------------------------------------------------------- */

static void find_steps(hd_k_adds *a)
{
    uint8_t before = 0;
    for (uint32_t c = 0; c < a->n_codes && a->n_steps <= HD_K_STEPS; c++) {
        if (a->by_code[c] == before)
            continue;
        if (a->n_steps < HD_K_STEPS) {
            a->from[a->n_steps] = c;
            a->by[a->n_steps] = (uint8_t)(a->by_code[c] - before);
        }
        a->n_steps++;
        before = a->by_code[c];
    }
}

/* Bits instead of bytes where the codes of one group add something and all others nothing. */
static hd_code find_bits(const draft *d, hd_k_reader *r, hd_err *err)
{
    if (d->n_groups > 2 || d->codes.width != 2)
        return HD_OK;
    r->bits = hd_calloc(far_size(d->codes.n_codes / 8 + 1), 1);
    if (!r->bits)
        return hd_fail_nomem(err);
    for (uint32_t c = 0; c < d->codes.n_codes; c++)
        r->bits[c / 8] |= (uint8_t)((r->by_code[c] != 0) << c % 8);
    r->adds.bits = r->bits;
    r->adds.bit_adds = (uint8_t)d->stride;
    return HD_OK;
}

static hd_code make_readers(maker *m, hd_err *err)
{
    hd_k_shape *s = m->s;
    s->readers = hd_calloc(m->n_drafts, sizeof *s->readers);
    if (!s->readers)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < m->n_drafts; i++) {
        const draft *d = &m->drafts[i];
        hd_k_reader *r = &s->readers[s->n_readers];
        if (d->n_groups == 1)
            continue; /* no predicate tells its codes apart */
        s->n_readers++;
        *r = (hd_k_reader){.codes = d->codes,
                           .starts = d->starts,
                           .lut = d->list_lut,
                           .list_adds = (uint8_t)d->stride,
                           .part = d->part};
        if (d->starts)
            continue;
        r->by_code = hd_calloc((d->codes.n_codes > 256 ? d->codes.n_codes : 256) + 3, 1);
        if (!r->by_code)
            return hd_fail_nomem(err);
        for (uint32_t c = 0; c < d->codes.n_codes; c++)
            r->by_code[c] = (uint8_t)(d->group_of[c] * d->stride);
        r->adds.n_codes = d->codes.n_codes;
        r->adds.by_code = r->by_code;
        find_steps(&r->adds);
        HD_TRY(find_bits(d, r, err));
    }
    return HD_OK;
}

/* ---- columns of groups and measures ---------------------------------------------------------- */

static size_t column_of(hd_k_shape *s, const hd_k_codes *codes)
{
    size_t i = 0;
    while (i < s->n_columns &&
           (s->columns[i].data != codes->data || s->columns[i].width != codes->width))
        i++;
    if (i == s->n_columns)
        s->columns[s->n_columns++] = *codes;
    return i;
}

static bool ranks_ascend(const hd_k_measure *m)
{
    uint32_t before = 0;
    if (m->kind != HD_K_EXTREMES)
        return false;
    for (uint32_t c = m->codes.lowest; c < m->codes.n_codes; c++) {
        if (m->has_value && !m->has_value[c])
            continue;
        if (m->ranks[c] < before)
            return false;
        before = m->ranks[c];
    }
    return true;
}

/* Whether each number is its code less *lowest, for codes that can be there and have a value (has_value
 * NULL: all have one). */
static bool is_shifted(const hd_k_codes *codes, const uint32_t *numbers, const uint8_t *has_value,
                       uint32_t *lowest)
{
    bool is_first = true;
    *lowest = 0;
    for (uint32_t c = codes->lowest; c < codes->n_codes; c++) {
        if (has_value && !has_value[c])
            continue;
        if (is_first && numbers[c] <= c)
            *lowest = c - numbers[c];
        is_first = false;
        if (c < *lowest || numbers[c] != c - *lowest)
            return false;
    }
    return codes->width < 4 && *lowest < UINT32_C(1) << 8 * codes->width;
}

static hd_code find_columns(hd_k_shape *s, const hd_k_plan *p, hd_err *err)
{
    const hd_k_question *q = p->q;
    s->columns = hd_calloc(q->n_groups + q->n_measures, sizeof *s->columns);
    s->keys = hd_calloc(q->n_groups, sizeof *s->keys);
    s->key_bytes = hd_calloc(q->n_groups, sizeof *s->key_bytes);
    s->measure_column = hd_calloc(q->n_measures, sizeof *s->measure_column);
    s->rank_bytes = hd_calloc(q->n_measures, sizeof *s->rank_bytes);
    s->ranks_ascend = hd_calloc(q->n_measures, sizeof *s->ranks_ascend);
    s->ranks = hd_calloc(q->n_measures, sizeof *s->ranks);
    if (!s->ranks || !s->columns || !s->keys || !s->key_bytes || !s->measure_column || !s->rank_bytes ||
        !s->ranks_ascend)
        return hd_fail_nomem(err);
    for (size_t g = 0; g < q->n_groups; g++) {
        const hd_k_group *group = &q->groups[g];
        if (!p->group_is_used[g])
            continue;
        hd_k_key *k = &s->keys[g];
        *k = (hd_k_key){.column = column_of(s, &group->codes)};
        k->is_shifted = is_shifted(&group->codes, group->lut, NULL, &k->lowest);
        bool bytes = group->codes.width == 1 && group->n_slots <= 256;
        for (uint32_t c = 0; bytes && c < group->codes.n_codes && c < 256; c++)
            s->key_bytes[g][c] = (uint8_t)group->lut[c];
        k->bytes = bytes ? s->key_bytes[g] : NULL;
    }
    for (size_t m = 0; m < q->n_measures; m++) {
        const hd_k_measure *measure = &q->measures[m];
        if (measure->kind == HD_K_COUNT)
            continue;
        s->measure_column[m] = column_of(s, &measure->codes);
        s->ranks_ascend[m] = ranks_ascend(measure);
        if (measure->ranks)
            s->ranks[m].is_shifted = is_shifted(&measure->codes, measure->ranks, measure->has_value,
                                                &s->ranks[m].lowest);
        for (uint32_t c = 0; measure->ranks && c < measure->codes.n_codes && c < 256; c++)
            s->rank_bytes[m][c] = (uint8_t)measure->ranks[c]; /* used when there are 256 at most */
    }
    return HD_OK;
}

/* ---- the shape ------------------------------------------------------------------------------- */

static hd_code make_shape(maker *m, bool *fits, hd_err *err)
{
    const hd_k_question *q = m->p->q;
    hd_code rc = HD_OK;
    uint8_t *truth = hd_calloc(q->n_nodes, 1);
    m->drafts = hd_calloc(q->n_atoms + m->p->n_classes, sizeof *m->drafts);
    m->atom_draft = hd_calloc(q->n_atoms, sizeof *m->atom_draft);
    m->class_draft = hd_calloc(m->p->n_classes, sizeof *m->class_draft);
    m->node_is_used = hd_calloc(q->n_nodes, 1);
    if (!truth || !m->drafts || !m->atom_draft || !m->class_draft || !m->node_is_used) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(find_drafts(m, fits, err));
    *fits = *fits && place_drafts(m);
    if (*fits)
        HD_GO(merge_alike(m, truth, fits, err));
    if (*fits)
        HD_GO(number_signatures(m, truth, fits, err));
    if (!*fits)
        goto out;
    HD_GO(note_classes(m->s, m->p, err));
    HD_GO(make_readers(m, err));
    HD_GO(find_columns(m->s, m->p, err));
out:
    for (size_t i = 0; i < m->n_drafts; i++)
        hd_free(m->drafts[i].group_of);
    hd_free(m->drafts);
    hd_free(m->atom_draft);
    hd_free(m->class_draft);
    hd_free(m->node_is_used);
    hd_free(truth);
    return rc;
}

hd_code hd_k_shape_make(hd_k_shape *s, const hd_k_plan *p, bool *fits, hd_err *err)
{
    memset(s, 0, sizeof *s);
    s->keeps_all = true;
    *fits = p->n_classes <= HD_K_MAX_CLASSES;
    if (!*fits)
        return HD_OK;
    maker m = {.p = p, .s = s};
    hd_code rc = make_shape(&m, fits, err);
    if (rc != HD_OK || !*fits)
        hd_k_shape_free(s);
    return rc;
}

void hd_k_shape_free(hd_k_shape *s)
{
    for (size_t i = 0; i < s->n_readers; i++) {
        hd_free(s->readers[i].by_code);
        hd_free(s->readers[i].bits);
    }
    hd_free(s->readers);
    hd_free(s->joined_of);
    hd_free(s->class_keep);
    hd_free(s->class_is_all);
    hd_free(s->columns);
    hd_free(s->keys);
    hd_free(s->key_bytes);
    hd_free(s->measure_column);
    hd_free(s->ranks);
    hd_free(s->rank_bytes);
    hd_free(s->ranks_ascend);
    memset(s, 0, sizeof *s);
}
