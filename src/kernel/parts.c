/* parts.c - see parts.h. */
#include "kernel/parts.h"
#include "base/alloc.h"
#include "kernel/shape.h"

#include <stdlib.h>
#include <string.h>

/* ---- which measures go together -------------------------------------------------------------- */

/* What a measure's conditions read: bit c is column c, those that few measures read the higher. */
typedef struct reading {
    uint64_t columns;
    uint32_t measure;
} reading;

enum { MOST_COLUMNS = 64 };

typedef struct columns {
    const void *data[MOST_COLUMNS];
    uint32_t n_readers[MOST_COLUMNS];
    size_t n;
} columns;

/* More than there is room for are all taken for the last. */
static uint64_t column_bit(columns *c, const void *data)
{
    size_t i = 0;
    while (i < c->n && c->data[i] != data)
        i++;
    if (i == c->n && c->n < MOST_COLUMNS)
        c->data[c->n++] = data;
    return UINT64_C(1) << (i < MOST_COLUMNS ? i : MOST_COLUMNS - 1);
}

static uint64_t read_by(const hd_k_question *q, uint32_t node, columns *c)
{
    const hd_k_node *n = &q->nodes[node];
    if (n->op == HD_K_ATOM)
        return column_bit(c, q->atoms[n->a].codes.data);
    return read_by(q, n->a, c) |
           (n->op == HD_K_AND || n->op == HD_K_OR ? read_by(q, n->b, c) : 0);
}

static int compare_readings(const void *a, const void *b)
{
    const reading *x = a, *y = b;
    if (x->columns != y->columns)
        return x->columns < y->columns ? -1 : 1;
    return x->measure < y->measure ? -1 : x->measure > y->measure;
}

/* The bits of a mask, those of columns with few readers to the top. */
static uint64_t by_rarity(const columns *c, uint64_t mask)
{
    uint64_t out = 0;
    for (size_t i = 0; i < c->n; i++) {
        size_t place = 0; /* how many columns have more readers, or as many and come later */
        for (size_t k = 0; k < c->n; k++)
            place += c->n_readers[k] > c->n_readers[i] ||
                     (c->n_readers[k] == c->n_readers[i] && k > i);
        out |= (mask >> i & 1) << place;
    }
    return out;
}

/* Measures that read the same columns have the fewest outcomes together, and a column that few read
 * is best read in one part alone. */
static hd_code put_in_order(const hd_k_question *q, uint32_t *order, hd_err *err)
{
    columns c = {.n = 0};
    reading *r = hd_calloc(q->n_measures, sizeof *r);
    if (!r)
        return hd_fail_nomem(err);
    for (uint32_t m = 0; m < q->n_measures; m++) {
        const hd_k_measure *measure = &q->measures[m];
        r[m].measure = m;
        if (measure->filter >= 0)
            r[m].columns = read_by(q, (uint32_t)measure->filter, &c);
        if (measure->has_value)
            r[m].columns |= column_bit(&c, measure->codes.data);
        for (size_t i = 0; i < c.n; i++)
            c.n_readers[i] += r[m].columns >> i & 1;
    }
    for (size_t m = 0; m < q->n_measures; m++)
        r[m].columns = by_rarity(&c, r[m].columns);
    qsort(r, q->n_measures, sizeof *r, compare_readings);
    for (size_t m = 0; m < q->n_measures; m++)
        order[m] = r[m].measure;
    hd_free(r);
    return HD_OK;
}

/* ---- where to cut ---------------------------------------------------------------------------- */

/* Measures of a part, in `room` for them. */
static hd_k_question part_of(const hd_k_question *q, const uint32_t *order, size_t first,
                             size_t end, hd_k_measure *room)
{
    hd_k_question part = *q;
    for (size_t m = first; m < end; m++)
        room[m - first] = q->measures[order[m]];
    part.measures = room;
    part.n_measures = end - first;
    return part;
}

static hd_code fits_whole(const hd_k_question *q, const hd_k_tuning *tuning, bool *fits,
                          hd_err *err)
{
    hd_k_plan plan;
    hd_k_shape shape;
    HD_TRY(hd_k_plan_make(&plan, q, tuning, err));
    hd_code rc = hd_k_shape_make(&shape, &plan, fits, err);
    if (rc == HD_OK && *fits)
        hd_k_shape_free(&shape);
    hd_k_plan_free(&plan);
    return rc;
}

/* As many measures from `first` on as fit; 0 when not even one does. */
static hd_code find_end(const hd_k_question *q, const uint32_t *order, size_t first,
                        const hd_k_tuning *tuning, hd_k_measure *room, size_t *out, hd_err *err)
{
    size_t low = 0, high = q->n_measures - first; /* low fit, and no more than high */
    for (size_t n = first ? high : high / 2; low < high; n = low + (high - low + 1) / 2) {
        bool fits;
        const hd_k_question part = part_of(q, order, first, first + n, room);
        HD_TRY(fits_whole(&part, tuning, &fits, err));
        if (fits)
            low = n;
        else
            high = n - 1;
    }
    *out = low;
    return HD_OK;
}

static hd_code cut(hd_k_parts *p, const hd_k_question *q, const hd_k_tuning *tuning,
                   hd_k_measure *room, hd_err *err)
{
    for (size_t at = 0, n; at < q->n_measures; at += n) {
        HD_TRY(find_end(q, p->order, at, tuning, room, &n, err));
        if (n == 0 || p->n == HD_K_MOST_PARTS) {
            p->n = 0;
            return HD_OK;
        }
        p->starts[++p->n] = at + n;
    }
    return HD_OK;
}

hd_code hd_k_parts_find(hd_k_parts *p, const hd_k_question *q, const hd_k_tuning *tuning,
                        hd_err *err)
{
    *p = (hd_k_parts){.n = 0};
    for (size_t m = 0; m < q->n_measures; m++)
        if (q->measures[m].decimals)
            return HD_OK;
    if (q->n_measures < 2)
        return HD_OK;
    p->order = hd_calloc(q->n_measures, sizeof *p->order);
    hd_k_measure *room = hd_calloc(q->n_measures, sizeof *room);
    hd_code rc = p->order && room ? put_in_order(q, p->order, err) : hd_fail_nomem(err);
    if (rc == HD_OK)
        rc = cut(p, q, tuning, room, err);
    hd_free(room);
    if (rc != HD_OK)
        hd_k_parts_free(p);
    return rc;
}

void hd_k_parts_free(hd_k_parts *p)
{
    hd_free(p->order);
    *p = (hd_k_parts){.n = 0};
}

/* ---- running --------------------------------------------------------------------------------- */

/* Rows are done when the last part has left them. */
static hd_code enter_before(void *ctx, uint64_t first, uint64_t end, bool *matters, hd_err *err)
{
    const hd_k_feed *f = ctx;
    return f->enter(f->ctx, first, end, matters, err);
}

static void leave_before(void *ctx, uint64_t first, uint64_t end)
{
    const hd_k_feed *f = ctx;
    (void)end;
    f->leave(f->ctx, first, first);
}

static hd_code start_before(void *ctx, uint64_t row, uint64_t *out, hd_err *err)
{
    const hd_k_feed *f = ctx;
    return f->person_start(f->ctx, row, out, err);
}

static bool is_same_before(void *ctx, uint64_t last, uint64_t first)
{
    const hd_k_feed *f = ctx;
    return f->is_same_person(f->ctx, last, first);
}

static size_t n_bins(const hd_k_answer *a)
{
    size_t n = 0;
    for (size_t m = 0; m < a->n_measures; m++)
        for (size_t c = 0; a->values[m].form == HD_K_BINS && c < a->n_cells; c++) {
            const hd_k_bins *b = (const hd_k_bins *)a->values[m].items + c;
            n = b->first + b->n > n ? (size_t)b->first + b->n : n;
        }
    return n;
}

static uint64_t bytes_of(const hd_k_answer *a)
{
    uint64_t a_cell = a->n_groups * sizeof **a->slots + a->n_classes * 2 * sizeof(uint32_t);
    return a->n_cells * (a_cell + a->n_measures * sizeof(hd_k_exact)) +
           n_bins(a) * sizeof *a->distribution;
}

static void shift_bins(hd_k_answer *a, size_t by)
{
    for (size_t m = 0; m < a->n_measures; m++) {
        size_t twin = 0; /* shared items move once */
        while (a->values[twin].items != a->values[m].items)
            twin++;
        for (size_t c = 0; twin == m && a->values[m].form == HD_K_BINS && c < a->n_cells; c++)
            ((hd_k_bins *)a->values[m].items)[c].first += by;
    }
}

/* The answers' classes but the first, which is that of all rows in each, behind each other; some
 * may be there twice. */
static hd_code put_together(const hd_k_parts *p, hd_k_answer *of, hd_k_answer *out, hd_err *err)
{
    size_t n_classes = 1, n_measures = p->starts[p->n], bins = 0;
    for (size_t i = 0; i < p->n; i++) {
        HD_ALWAYS(of[i].n_cells == of[0].n_cells && of[i].n_sets == of[0].n_sets);
        n_classes += of[i].n_classes - 1;
        bins += n_bins(&of[i]);
    }
    out->counts = hd_calloc(n_classes, sizeof *out->counts);
    out->class_of = hd_calloc(n_measures, sizeof *out->class_of);
    out->values = hd_calloc(n_measures, sizeof *out->values);
    out->distribution = hd_calloc(bins, sizeof *out->distribution);
    if (!out->counts || !out->class_of || !out->values || !out->distribution)
        return hd_fail_nomem(err);
    out->n_cells = of[0].n_cells;
    out->n_sets = of[0].n_sets;
    out->n_groups = of[0].n_groups;
    out->n_classes = n_classes;
    out->n_measures = n_measures;
    out->set_starts = of[0].set_starts;
    out->slots = of[0].slots;
    out->counts[0] = of[0].counts[0];
    of[0].set_starts = NULL;
    of[0].slots = NULL;
    of[0].counts[0] = (hd_k_counts){NULL, NULL};
    n_classes = 1;
    bins = 0;
    for (size_t i = 0; i < p->n; i++) {
        const size_t n = n_bins(&of[i]);
        shift_bins(&of[i], bins);
        if (n)
            memcpy(out->distribution + bins, of[i].distribution, n * sizeof *out->distribution);
        for (size_t m = 0; m < of[i].n_measures; m++) {
            const uint32_t to = p->order[p->starts[i] + m], class = of[i].class_of[m];
            out->values[to] = of[i].values[m];
            out->class_of[to] = class ? class + (uint32_t)n_classes - 1 : 0;
        }
        for (size_t c = 1; c < of[i].n_classes; c++)
            out->counts[n_classes++] = of[i].counts[c];
        of[i].n_classes = of[i].n_classes ? 1 : 0;
        of[i].n_measures = 0;
        bins += n;
    }
    return HD_OK;
}

static hd_code run_parts(const hd_k_parts *p, const hd_k_question *q, const hd_k_tuning *tuning,
                         const struct hd_k_ops *ops, hd_k_measure *room, hd_k_answer *answers,
                         hd_err *err)
{
    hd_k_feed before;
    uint64_t held = 0;
    if (q->feed)
        before = (hd_k_feed){.ctx = (void *)(uintptr_t)q->feed,
                             .block_rows = q->feed->block_rows,
                             .n_unlinked = q->feed->n_unlinked,
                             .enter = enter_before,
                             .leave = leave_before,
                             .person_start = start_before,
                             .is_same_person = is_same_before};
    for (size_t i = 0; i < p->n; i++) {
        hd_k_question part = part_of(q, p->order, p->starts[i], p->starts[i + 1], room);
        part.max_bytes = held < q->max_bytes ? q->max_bytes - held : 0;
        if (q->feed && i + 1 < p->n)
            part.feed = &before;
        HD_TRY(hd_k_run(&part, tuning, ops, &answers[i], err));
        held += bytes_of(&answers[i]);
    }
    return HD_OK;
}

hd_code hd_k_parts_run(const hd_k_parts *p, const hd_k_question *q, const hd_k_tuning *tuning,
                       const struct hd_k_ops *ops, hd_k_answer *out, hd_err *err)
{
    hd_k_answer answers[HD_K_MOST_PARTS] = {{0}};
    hd_k_measure *room = hd_calloc(q->n_measures, sizeof *room);
    hd_code rc = room ? run_parts(p, q, tuning, ops, room, answers, err) : hd_fail_nomem(err);
    if (rc == HD_OK)
        rc = put_together(p, answers, out, err);
    for (size_t i = 0; i < p->n; i++)
        hd_k_answer_free(&answers[i]);
    if (rc != HD_OK)
        hd_k_answer_free(out);
    hd_free(room);
    return rc;
}
