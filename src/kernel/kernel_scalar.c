/* kernel_scalar.c - the scan in portable C: the truth that other kernels are compared with.
 *
 * A batch of rows goes through four steps that all stay in the first two caches: truth of every
 * node, selection of rows, cells of the selected rows in every set, update of the tables. Loops
 * over whole batches have a constant length, so that a compiler makes vectors of them. Inside,
 * truth values are ordered false 0, unknown 1, true 2: AND is the smaller, OR the larger.
 */
#include "kernel/kernel.h"
#include "kernel/merge.h"
#include "kernel/update.h"

#include <string.h>

enum { BATCH = 4096, FALSE = 0, UNKNOWN = 1, TRUE = 2 };

static const uint8_t ordered[3] = {FALSE, TRUE, UNKNOWN}; /* from the question's 0, 1, 2 */

/* Buffers of one lane. */
typedef struct batch {
    const hd_k_question *q;
    const hd_k_plan *plan;
    hd_k_lane *lane;
    uint64_t base;          /* first row */
    size_t n_rows;          /* at most BATCH */
    size_t n;               /* selected rows */
    uint8_t *truth;         /* n_nodes x BATCH */
    uint32_t *codes;        /* BATCH */
    uint16_t *rows;         /* BATCH: selected rows, from base */
    uint32_t person;        /* number of the last one seen; 0: nobody */
    uint32_t *persons;      /* BATCH: of the selected rows */
    uint32_t *slots;        /* n_groups x BATCH: of the selected rows */
    uint64_t *keys;         /* BATCH */
    uint32_t *cells;        /* n_sets x BATCH: of the selected rows */
    uint16_t *members;      /* n_classes x BATCH: positions among the selected rows */
    size_t *n_members;      /* n_classes */
    uint32_t *member_cells; /* BATCH */
} batch;

/* ---- reading codes -------------------------------------------------------------------------- */

/* Codes of n items from `first` on. */
static void load_codes(const hd_k_codes *c, uint64_t first, size_t n, uint32_t *restrict out)
{
    if (c->width == 1) {
        const uint8_t *restrict p = (const uint8_t *)c->data + first;
        for (size_t i = 0; i < n; i++)
            out[i] = p[i];
    } else if (c->width == 2) {
        const uint16_t *restrict p = (const uint16_t *)c->data + first;
        for (size_t i = 0; i < n; i++)
            out[i] = p[i];
    } else {
        memcpy(out, (const uint32_t *)c->data + first, n * sizeof *out);
    }
}

/* Codes of the n given rows. */
static void pick_codes(const hd_k_codes *c, uint64_t base, const uint16_t *restrict rows, size_t n,
                       uint32_t *restrict out)
{
    if (c->width == 1) {
        const uint8_t *restrict p = (const uint8_t *)c->data + base;
        for (size_t i = 0; i < n; i++)
            out[i] = p[rows[i]];
    } else if (c->width == 2) {
        const uint16_t *restrict p = (const uint16_t *)c->data + base;
        for (size_t i = 0; i < n; i++)
            out[i] = p[rows[i]];
    } else {
        const uint32_t *restrict p = (const uint32_t *)c->data + base;
        for (size_t i = 0; i < n; i++)
            out[i] = p[rows[i]];
    }
}

/* ---- truth ---------------------------------------------------------------------------------- */

static void eval_plain_atom(const batch *b, const hd_k_atom *a, uint8_t *restrict out)
{
    const uint32_t *restrict codes = b->codes;
    const uint8_t *restrict lut = a->lut;
    load_codes(&a->codes, b->base, b->n_rows, b->codes);
    for (size_t i = 0, n = b->n_rows; i < n; i++)
        out[i] = ordered[lut[codes[i]]];
}

/* The elements of a batch's rows lie one after another; they are read in pieces of a batch. */
static void eval_list_atom(const batch *b, const hd_k_atom *a, uint8_t *restrict out)
{
    const uint32_t *starts = a->starts + b->base;
    memset(out, FALSE, b->n_rows);
    size_t row = 0;
    for (uint64_t at = starts[0]; at < starts[b->n_rows]; at += BATCH) {
        uint64_t end = starts[b->n_rows] - at < BATCH ? starts[b->n_rows] : at + BATCH;
        load_codes(&a->codes, at, end - at, b->codes);
        while (starts[row + 1] <= at)
            row++;
        for (size_t r = row; r < b->n_rows && starts[r] < end; r++) {
            uint64_t first = starts[r] > at ? starts[r] : at;
            uint64_t last = starts[r + 1] < end ? starts[r + 1] : end;
            uint8_t any = 0;
            for (uint64_t e = first; e < last; e++)
                any |= a->lut[b->codes[e - at]] == 1;
            out[r] |= any ? TRUE : FALSE;
        }
    }
}

static void eval_and(const uint8_t *restrict x, const uint8_t *restrict y, uint8_t *restrict out)
{
    for (size_t i = 0; i < BATCH; i++)
        out[i] = x[i] < y[i] ? x[i] : y[i];
}

static void eval_or(const uint8_t *restrict x, const uint8_t *restrict y, uint8_t *restrict out)
{
    for (size_t i = 0; i < BATCH; i++)
        out[i] = x[i] > y[i] ? x[i] : y[i];
}

static void eval_not(const uint8_t *restrict x, uint8_t *restrict out)
{
    for (size_t i = 0; i < BATCH; i++)
        out[i] = (uint8_t)(TRUE - x[i]);
}

static void eval_is_true(const uint8_t *restrict x, uint8_t *restrict out)
{
    for (size_t i = 0; i < BATCH; i++)
        out[i] = x[i] & TRUE;
}

/* The nodes that `where` needs, or the others. */
static void eval_nodes(const batch *b, bool of_where)
{
    for (size_t i = 0; i < b->q->n_nodes; i++) {
        const hd_k_node *n = &b->q->nodes[i];
        uint8_t *out = b->truth + i * BATCH;
        const uint8_t *x = b->truth + (size_t)n->a * BATCH, *y = b->truth + (size_t)n->b * BATCH;
        if (b->plan->node_is_where[i] != of_where)
            continue;
        switch (n->op) {
        case HD_K_ATOM:
            if (b->q->atoms[n->a].starts)
                eval_list_atom(b, &b->q->atoms[n->a], out);
            else
                eval_plain_atom(b, &b->q->atoms[n->a], out);
            break;
        case HD_K_AND:
            eval_and(x, y, out);
            break;
        case HD_K_OR:
            eval_or(x, y, out);
            break;
        case HD_K_NOT:
            eval_not(x, out);
            break;
        case HD_K_IS_TRUE:
            eval_is_true(x, out);
            break;
        }
    }
}

/* ---- selection ------------------------------------------------------------------------------ */

/* Selections are made without branches: half of all rows is the usual and the worst case. */
static size_t keep_true(const uint8_t *restrict truth, size_t n, uint16_t *restrict out)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        out[kept] = (uint16_t)i;
        kept += truth[i] == TRUE;
    }
    return kept;
}

static size_t keep_all(size_t n, uint16_t *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint16_t)i;
    return n;
}

/* Whoever begins gets the next number. */
static void number_persons(batch *b)
{
    const uint64_t *begins = b->q->begins;
    bool anew = b->lane->begins_anew && b->base == b->lane->first;
    size_t n = 0;
    for (size_t i = 0; i < b->n_rows; i++) {
        uint64_t row = b->base + i;
        b->person += (anew && i == 0) || begins[row / 64] >> row % 64 & 1;
        if (n < b->n && b->rows[n] == i)
            b->persons[n++] = b->person;
    }
}

static void select_rows(batch *b)
{
    if (b->q->where < 0)
        b->n = keep_all(b->n_rows, b->rows);
    else
        b->n = keep_true(b->truth + (size_t)b->q->where * BATCH, b->n_rows, b->rows);
    if (!b->q->without_people)
        number_persons(b);
}

static size_t keep_filtered(const uint8_t *restrict truth, const uint16_t *restrict rows, size_t n,
                            uint16_t *restrict out)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        out[kept] = (uint16_t)i;
        kept += truth[rows[i]] == TRUE;
    }
    return kept;
}

static size_t keep_valued(const uint8_t *restrict has_value, const uint32_t *restrict codes,
                          size_t n, uint16_t *members)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t member = members[i];
        members[kept] = member;
        kept += has_value[codes[member]] != 0;
    }
    return kept;
}

static void select_members(batch *b)
{
    for (size_t c = 0; c < b->plan->n_classes; c++) {
        const hd_k_class *class = &b->plan->classes[c];
        uint16_t *members = b->members + c * BATCH;
        size_t n = class->filter < 0 ? keep_all(b->n, members)
                                     : keep_filtered(b->truth + (size_t) class->filter * BATCH,
                                                     b->rows, b->n, members);
        if (class->has_value) {
            pick_codes(class->codes, b->base, b->rows, b->n, b->codes);
            n = keep_valued(class->has_value, b->codes, n, members);
        }
        b->n_members[c] = n;
    }
}

/* ---- cells ---------------------------------------------------------------------------------- */

static void look_up(const uint32_t *restrict lut, const uint32_t *restrict codes, size_t n,
                    uint32_t *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = lut[codes[i]];
}

static void add_slots(const uint32_t *restrict slots, uint64_t stride, size_t n,
                      uint64_t *restrict keys)
{
    for (size_t i = 0; i < n; i++)
        keys[i] += stride * slots[i];
}

static hd_code find_cells(batch *b, hd_err *err)
{
    for (size_t g = 0; g < b->q->n_groups; g++) {
        const hd_k_group *group = &b->q->groups[g];
        if (!b->plan->group_is_used[g])
            continue;
        pick_codes(&group->codes, b->base, b->rows, b->n, b->codes);
        look_up(group->lut, b->codes, b->n, b->slots + g * BATCH);
    }
    for (size_t s = 0; s < b->q->n_sets; s++) {
        memset(b->keys, 0, b->n * sizeof *b->keys);
        for (size_t g = 0; g < b->q->n_groups; g++) {
            uint64_t stride = b->plan->sets[s].strides[g];
            if (stride)
                add_slots(b->slots + g * BATCH, stride, b->n, b->keys);
        }
        HD_TRY(hd_k_lane_cells(b->lane, s, b->keys, b->n, b->cells + s * BATCH, err));
    }
    return HD_OK;
}

/* ---- tables --------------------------------------------------------------------------------- */

/* The rows come in person order, so somebody seen before in a cell was the last one seen there.
 * Person 0 adds nobody: `last` starts as 0 and unlinked rows come before all others. */
static void see_persons(const uint32_t *restrict persons, const uint32_t *restrict cells,
                        const uint16_t *restrict members, size_t n, hd_k_seen *restrict cells_seen)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t person = persons[members[i]];
        hd_k_seen *seen = &cells_seen[cells[members[i]]];
        seen->again += seen->last == person;
        seen->last = person;
    }
}

static void gather(const uint32_t *restrict from, const uint16_t *restrict at, size_t n,
                   uint32_t *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = from[at[i]];
}

static hd_code update_counts(const batch *b, size_t set, size_t class, hd_err *err)
{
    void **arrays = b->lane->tables[set].arrays;
    const uint32_t *cells = b->cells + set * BATCH;
    const uint16_t *members = b->members + class * BATCH;
    size_t n = b->n_members[class];
    if (!b->q->without_people)
        see_persons(b->persons, cells, members, n, arrays[hd_k_array_seen(b->plan, class)]);
    gather(cells, members, n, b->member_cells);
    return hd_k_update_rows(b->lane, set, class, b->member_cells, n, err);
}

static hd_code update_measure(batch *b, size_t measure, hd_err *err)
{
    const hd_k_measure *m = &b->q->measures[measure];
    size_t class = b->plan->class_of[measure];
    const uint16_t *members = b->members + class * BATCH;
    size_t n = b->n_members[class];
    if (m->kind == HD_K_COUNT || n == 0 || b->plan->twin[measure] != measure)
        return HD_OK;
    uint16_t rows[BATCH];
    for (size_t i = 0; i < n; i++)
        rows[i] = b->rows[members[i]];
    pick_codes(&m->codes, b->base, rows, n, b->codes);
    for (size_t set = 0; set < b->q->n_sets; set++) {
        const uint32_t *cells = b->cells + set * BATCH;
        gather(cells, members, n, b->member_cells);
        const hd_k_coded_rows coded = {b->codes, sizeof *b->codes, b->member_cells, n, 0};
        HD_TRY(hd_k_update_measure(b->lane, set, measure, &coded, (uint32_t *)b->keys, err));
    }
    return HD_OK;
}

/* ---- the lane ------------------------------------------------------------------------------- */

static hd_code scan_batch(batch *b, hd_err *err)
{
    eval_nodes(b, true);
    select_rows(b);
    if (b->n == 0)
        return HD_OK;
    eval_nodes(b, false);
    HD_TRY(find_cells(b, err));
    select_members(b);
    for (size_t set = 0; set < b->q->n_sets; set++)
        for (size_t class = 0; class < b->plan->n_classes; class ++)
            HD_TRY(update_counts(b, set, class, err));
    for (size_t m = 0; m < b->q->n_measures; m++)
        HD_TRY(update_measure(b, m, err));
    return HD_OK;
}

static hd_code open_batch(batch *b, hd_k_lane *lane, hd_err *err)
{
    const hd_k_question *q = lane->plan->q;
    *b = (batch){.q = q, .plan = lane->plan, .lane = lane};
    const hd_k_part parts[] = {
        {&b->keys, BATCH, sizeof *b->keys},
        {&b->n_members, lane->plan->n_classes, sizeof *b->n_members},
        {&b->codes, BATCH, sizeof *b->codes},
        {&b->persons, BATCH, sizeof *b->persons},
        {&b->slots, q->n_groups * BATCH, sizeof *b->slots},
        {&b->cells, q->n_sets * BATCH, sizeof *b->cells},
        {&b->member_cells, BATCH, sizeof *b->member_cells},
        {&b->rows, BATCH, sizeof *b->rows},
        {&b->members, lane->plan->n_classes * BATCH, sizeof *b->members},
        {&b->truth, q->n_nodes * BATCH, 1},
    };
    return hd_k_lane_parts(lane, parts, sizeof parts / sizeof *parts, err);
}

hd_code hd_k_scan_scalar(hd_k_lane *lane, hd_err *err)
{
    batch b;
    HD_TRY(open_batch(&b, lane, err));
    for (bool more;;) {
        HD_TRY(hd_k_lane_next(lane, &more, err));
        if (!more)
            break;
        for (b.base = lane->first; b.base < lane->end; b.base += BATCH) {
            HD_TRY(hd_k_go_on(b.q, err));
            b.n_rows = lane->end - b.base < BATCH ? (size_t)(lane->end - b.base) : BATCH;
            HD_TRY(scan_batch(&b, err));
        }
    }
    for (size_t set = 0; set < b.q->n_sets; set++)
        hd_k_lane_finish(lane, set, false);
    return HD_OK;
}

static hd_code run_scalar(const hd_k_question *q, hd_k_answer *out, hd_err *err)
{
    return hd_k_run(q, &hd_k_tuning_default, NULL, out, err);
}

const hd_kernel hd_kernel_scalar = {"scalar", run_scalar};
