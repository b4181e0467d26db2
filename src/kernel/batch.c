/* batch.c - the scan of the batch kernels: few thousand rows at a time through the steps of ops.h.
 *
 * A batch's rows become signatures; the signatures select rows; codes of the selected rows are
 * packed, so that everything after works on selected rows alone; their slots become cells; cells
 * and persons become runs, because neighbours in person order are often the same; runs update the
 * tables. Rows of several classes are counted once, by cell and signature, and spread over the
 * classes when the lane ends. Everything but the tables stays in the first two caches.
 *
 * Sums of decimals are formed row by row in the order of the rows, as in the scalar kernel.
 */
#include "base/alloc.h"
#include "kernel/merge.h"
#include "kernel/shape.h"
#include "kernel/update.h"

#include <string.h>

enum {
    ROOM = HD_K_BATCH + HD_K_PAD
};

/* Counting by signature. With people: somebody seen before in a cell was the last one seen there, and
 * `seen` says in which classes. A cell's record takes one line of the cache where it can: a count that
 * passes 255 goes to the classes at once. Without people a byte for each signature and cell is enough,
 * the cells of a signature together, because most rows have one of a few signatures. */
typedef struct record {
    uint64_t seen;
    uint32_t last;
    uint8_t rows[]; /* n_live */
} record;

typedef struct by_signature {
    bool is_used;
    size_t size;       /* of a record */
    char *records;     /* cells; NULL without people */
    uint32_t *repeats; /* cells x n_classes: rows whose person had counted there before */
    size_t n_bytes;
    uint8_t *bytes;    /* n_live x cells; NULL with people */
    uint32_t *carried; /* of the same shape: how often a byte passed 255 */
    bool cells_are_read; /* by measures */
} by_signature;

/* Whether neighbours often have the same cell, of a set and a class. */
typedef struct likeness {
    uint32_t n_batches;
    bool runs_pay;
} likeness;

typedef struct batch {
    const hd_k_question *q;
    const hd_k_plan *p;
    const hd_k_shape *s;
    const hd_k_ops *ops;
    hd_k_lane *lane;
    by_signature *by_signature; /* n_sets */
    bool is_counted;            /* by signature, in every set */
    bool *class_has_values;     /* n_classes: some measure reads values */
    uint64_t base;              /* first row */
    size_t n_rows, n;           /* of the batch; selected */
    uint64_t selection[HD_K_WORDS + 1];
    bool has_positions;
    uint16_t *positions; /* of the selected rows */
    uint8_t *sums[HD_K_PARTS];
    uint8_t *signatures;    /* of the selected rows */
    uint32_t *persons;      /* of the selected rows; or, when all are, not used */
    const uint32_t *person; /* persons, or the column */
    char *packed;           /* n_columns x ROOM x 4: codes of the selected rows */
    const void **views;     /* n_columns: packed, or the column; NULL until asked for */
    uint32_t *cells;        /* n_sets x ROOM */
    uint64_t *keys;
    uint64_t members[HD_K_WORDS + 1];
    uint32_t *member_cells; /* n_sets x ROOM */
    uint32_t *member_persons, *run_cells, *run_persons, *codes;
    uint16_t *runs;
    likeness *likeness; /* n_sets x n_classes */
} batch;

/* ---- signatures and selection ---------------------------------------------------------------- */

static void add_list(const batch *b, const hd_k_reader *r, uint8_t *restrict sums)
{
    const uint32_t *starts = r->starts + b->base;
    for (size_t row = 0; row < b->n_rows; row++) {
        bool any = false;
        for (uint32_t e = starts[row]; e < starts[row + 1] && !any; e++) {
            uint32_t code = r->codes.width == 1   ? ((const uint8_t *)r->codes.data)[e]
                            : r->codes.width == 2 ? ((const uint16_t *)r->codes.data)[e]
                                                  : ((const uint32_t *)r->codes.data)[e];
            any = r->lut[code] == 1;
        }
        sums[row] = (uint8_t)(sums[row] + (any ? r->list_adds : 0));
    }
}

static void add_reader(const batch *b, const hd_k_reader *r, uint8_t *restrict sums)
{
    if (r->starts) {
        add_list(b, r, sums);
    } else if (r->codes.width == 1) {
        b->ops->add8((const uint8_t *)r->codes.data + b->base, b->n_rows, &r->adds, sums);
    } else if (r->codes.width == 2) {
        b->ops->add16((const uint16_t *)r->codes.data + b->base, b->n_rows, &r->adds, sums);
    } else {
        const uint32_t *codes = (const uint32_t *)r->codes.data + b->base;
        for (size_t i = 0; i < b->n_rows; i++)
            sums[i] = (uint8_t)(sums[i] + r->by_code[codes[i]]);
    }
}

static void find_signatures(batch *b)
{
    const hd_k_shape *s = b->s;
    for (unsigned part = 0; part < s->n_parts || part == 0; part++)
        memset(b->sums[part], 0, b->n_rows);
    for (size_t i = 0; i < s->n_readers; i++)
        add_reader(b, &s->readers[i], b->sums[s->readers[i].part]);
    if (s->n_parts < 2)
        return;
    b->ops->join(b->sums[0], b->sums[1], b->n_rows, s->joined, s->first_size);
}

static void pack(const batch *b, const uint64_t *selection, unsigned width, const void *in,
                 size_t n, void *out)
{
    if (width == 1)
        b->ops->pack8(selection, in, n, out);
    else if (width == 2)
        b->ops->pack16(selection, in, n, out);
    else
        b->ops->pack32(selection, in, n, out);
}

static void pick(const uint16_t *restrict rows, size_t n, unsigned width, const void *in, void *out)
{
    for (size_t i = 0; i < n && width == 1; i++)
        ((uint8_t *)out)[i] = ((const uint8_t *)in)[rows[i]];
    for (size_t i = 0; i < n && width == 2; i++)
        ((uint16_t *)out)[i] = ((const uint16_t *)in)[rows[i]];
    for (size_t i = 0; i < n && width == 4; i++)
        ((uint32_t *)out)[i] = ((const uint32_t *)in)[rows[i]];
}

static bool is_picked(const batch *b)
{
    return b->n * b->ops->picks_below < b->n_rows;
}

static const uint16_t *picked_rows(batch *b)
{
    if (!b->has_positions)
        b->ops->positions(b->selection, b->n_rows, b->positions);
    b->has_positions = true;
    return b->positions;
}

/* The selected rows' part of an array that has an item for every row of the batch. */
static const void *selected(batch *b, unsigned width, const void *in, void *out)
{
    if (b->n == b->n_rows)
        return in;
    if (is_picked(b))
        pick(picked_rows(b), b->n, width, in, out);
    else
        pack(b, b->selection, width, in, b->n_rows, out);
    return out;
}

static void select_rows(batch *b)
{
    find_signatures(b);
    b->has_positions = false;
    b->n =
        b->s->keeps_all ? b->n_rows : b->ops->keep(b->sums[0], b->n_rows, b->s->keep, b->selection);
    if (b->n == 0)
        return;
    memset(b->views, 0, b->s->n_columns * sizeof *b->views);
    if (!b->q->without_people)
        b->person = selected(b, 4, b->q->persons + b->base, b->persons);
    if (b->p->n_classes > 1) {
        const void *own = selected(b, 1, b->sums[0], b->signatures);
        if (own != b->signatures)
            memcpy(b->signatures, own, b->n);
    }
}

/* Codes of a column for the selected rows. */
static const void *view(batch *b, size_t column)
{
    if (!b->views[column]) {
        const hd_k_codes *c = &b->s->columns[column];
        b->views[column] = selected(b, c->width, (const char *)c->data + b->base * c->width,
                                    b->packed + column * ROOM * 4);
    }
    return b->views[column];
}

/* ---- cells ----------------------------------------------------------------------------------- */

static uint32_t code_of(const void *codes, unsigned width, size_t i)
{
    return width == 1   ? ((const uint8_t *)codes)[i]
           : width == 2 ? ((const uint16_t *)codes)[i]
                        : ((const uint32_t *)codes)[i];
}

/* Of a column that nothing else reads: its codes need not be put together. */
static void add_picked_key(batch *b, size_t g, uint32_t stride, bool is_first,
                           uint32_t *restrict cells)
{
    const hd_k_codes *c = &b->q->groups[g].codes;
    const uint32_t *restrict lut = b->q->groups[g].lut;
    const uint16_t *restrict rows = picked_rows(b);
    const void *codes = (const char *)c->data + b->base * c->width;
    if (is_first)
        memset(cells, 0, b->n * sizeof *cells);
    if (b->s->keys[g].is_identity)
        HD_K_EACH(codes, c->width, b->n, cells[i] += stride * at[rows[i]]);
    else
        HD_K_EACH(codes, c->width, b->n, cells[i] += stride * lut[at[rows[i]]]);
}

static void add_key(batch *b, size_t g, uint32_t stride, bool is_first, uint32_t *cells)
{
    const hd_k_key *k = &b->s->keys[g];
    const hd_k_group *group = &b->q->groups[g];
    const uint32_t *restrict lut = group->lut, *before = is_first ? NULL : cells;
    if (is_picked(b) && b->q->n_sets == 1 && !b->views[k->column]) {
        add_picked_key(b, g, stride, is_first, cells);
        return;
    }
    const void *codes = view(b, k->column);
    if (group->codes.width == 1 && k->is_identity)
        b->ops->key8(codes, b->n, stride, before, cells);
    else if (k->bytes)
        b->ops->key_slots(codes, b->n, k->bytes, stride, before, cells);
    else if (group->codes.width == 2 && k->is_identity)
        b->ops->key16(codes, b->n, stride, before, cells);
    else if (group->codes.width == 1)
        b->ops->look8(codes, b->n, lut, stride, before, cells);
    else if (group->codes.width == 2)
        b->ops->look16(codes, b->n, lut, stride, before, cells);
    else
        for (size_t i = 0; i < b->n; i++)
            cells[i] = (is_first ? 0 : cells[i]) + stride * lut[((const uint32_t *)codes)[i]];
}

static hd_code find_hashed_cells(batch *b, size_t set, hd_err *err)
{
    memset(b->keys, 0, b->n * sizeof *b->keys);
    for (size_t g = 0; g < b->q->n_groups; g++) {
        uint64_t stride = b->p->sets[set].strides[g];
        const hd_k_group *group = &b->q->groups[g];
        if (!stride)
            continue;
        const void *codes = view(b, b->s->keys[g].column);
        for (size_t i = 0; i < b->n; i++)
            b->keys[i] += stride * group->lut[code_of(codes, group->codes.width, i)];
    }
    return hd_k_lane_cells(b->lane, set, b->keys, b->n, b->cells + set * ROOM, err);
}

static hd_code find_cells(batch *b, hd_err *err)
{
    for (size_t set = 0; set < b->q->n_sets; set++) {
        uint32_t *cells = b->cells + set * ROOM;
        if (!b->p->sets[set].dense) {
            HD_TRY(find_hashed_cells(b, set, err));
            continue;
        }
        bool is_first = true;
        for (size_t g = 0; g < b->q->n_groups; g++)
            if (b->p->sets[set].strides[g]) {
                add_key(b, g, (uint32_t)b->p->sets[set].strides[g], is_first, cells);
                is_first = false;
            }
        if (is_first)
            memset(cells, 0, b->n * sizeof *cells);
    }
    return HD_OK;
}

/* ---- counts ---------------------------------------------------------------------------------- */

/* Beyond the second cache a cell is brought before its turn; within it the processor sees to that. */
static inline void add_runs(const batch *b, size_t n_runs, size_t ahead, hd_k_count *restrict counts)
{
    const uint32_t *restrict run_cells = b->run_cells, *restrict run_persons = b->run_persons;
    const uint16_t *restrict at = b->runs;
    for (size_t k = 0; k < n_runs; k++) {
        hd_k_count *count = &counts[run_cells[k]];
        if (ahead)
            __builtin_prefetch(&counts[run_cells[k + ahead]], 1);
        count->rows += (uint32_t)(at[k + 1] - at[k]);
        count->persons += count->last != run_persons[k];
        count->last = run_persons[k];
    }
}

static void count_runs(batch *b, const uint32_t *cells, const uint32_t *persons, size_t n,
                       size_t n_cells, hd_k_count *restrict counts)
{
    enum { AHEAD = 24, NEAR = 1 << 20 };
    size_t n_runs = b->ops->runs(cells, persons, n, b->run_cells, b->run_persons, b->runs);
    if (n_cells * sizeof *counts <= NEAR) {
        add_runs(b, n_runs, 0, counts);
        return;
    }
    memset(b->run_cells + n_runs, 0, AHEAD * sizeof *b->run_cells);
    add_runs(b, n_runs, AHEAD, counts);
}

static hd_code update_runs(const batch *b, size_t set, size_t class, size_t n_runs, hd_err *err)
{
    const size_t array = hd_k_array_counts(class);
    uint32_t *restrict rows = b->lane->tables[set].arrays[array];
    const uint32_t *restrict cells = b->run_cells;
    const uint16_t *restrict at = b->runs;
    if (b->p->sets[set].in_bytes)
        return hd_k_lane_count_runs(b->lane, set, array, cells, at, n_runs, err);
    for (size_t k = 0; k < n_runs; k++)
        rows[cells[k]] += (uint32_t)(at[k + 1] - at[k]);
    return HD_OK;
}

/* Where people do not matter. Neighbours are put together if that pays, as one batch in so many tells the
 * others: a person's rows follow each other, and often share place and age. */
static hd_code count_rows(batch *b, size_t set, size_t class, const uint32_t *cells, size_t n,
                          hd_err *err)
{
    enum { TOLD = 64, WORTH = 2 };
    likeness *l = &b->likeness[set * b->p->n_classes + class];
    const hd_k_set_plan *plan = &b->p->sets[set];
    bool is_asked = l->n_batches++ % TOLD == 0;
    if (plan->rows_from[class] != HD_K_NO_MEASURE || plan->product == 1 || (!is_asked && !l->runs_pay))
        return hd_k_update_rows(b->lane, set, class, cells, n, err);
    size_t n_runs = b->ops->runs(cells, NULL, n, b->run_cells, NULL, b->runs);
    l->runs_pay = n_runs * WORTH < n;
    return update_runs(b, set, class, n_runs, err);
}

static hd_k_count *count_of(const batch *b, size_t set, size_t class, size_t cell)
{
    return (hd_k_count *)b->lane->tables[set].arrays[hd_k_array_counts(class)] + cell;
}

static void add_rows(const batch *b, size_t set, size_t cell, uint64_t members, uint32_t rows)
{
    for (; members; members &= members - 1)
        count_of(b, set, (size_t)__builtin_ctzll(members), cell)->rows += rows;
}

static void count_bytes(const batch *b, size_t set)
{
    const by_signature *t = &b->by_signature[set];
    uint32_t *cells = b->cells + set * ROOM, *full = b->codes;
    uint32_t *places = t->cells_are_read ? b->member_cells : cells;
    b->ops->key_slots(b->signatures, b->n, b->s->live_of, (uint32_t)b->p->sets[set].product, cells,
                      places);
    size_t n_full = hd_k_count_bytes(t->bytes, t->n_bytes, places, b->n, full);
    for (size_t i = 0; i < n_full; i++)
        t->carried[full[i]]++;
}

static void spread_bytes(const batch *b, size_t set)
{
    const by_signature *t = &b->by_signature[set];
    uint64_t n_cells = b->p->sets[set].product;
    for (size_t l = 0; l < b->s->n_live; l++) {
        const uint8_t *restrict bytes = t->bytes + l * n_cells;
        const uint32_t *restrict carried = t->carried + l * n_cells;
        for (uint64_t members = b->s->live[l]; members; members &= members - 1) {
            size_t class = (size_t)__builtin_ctzll(members);
            uint32_t *restrict rows = b->lane->tables[set].arrays[hd_k_array_counts(class)];
            for (uint64_t cell = 0; cell < n_cells; cell++)
                rows[cell] += bytes[cell] + HD_K_FULL_ROWS * carried[cell];
        }
    }
}

/* Person 0 is nobody: records begin as if somebody of number 0 had been seen in every class. */
static void count_signatures(const batch *b, size_t set)
{
    enum { AHEAD = 16 };
    const by_signature *t = &b->by_signature[set];
    const uint32_t *restrict cells = b->cells + set * ROOM, *restrict persons = b->person;
    const uint8_t *restrict live_of = b->s->live_of, *restrict signatures = b->signatures;
    const uint64_t *restrict live = b->s->live;
    size_t n_classes = b->p->n_classes;
    if (b->q->without_people) {
        count_bytes(b, set);
        return;
    }
    for (size_t i = 0; i < b->n; i++) {
        size_t cell = cells[i], ahead = i + AHEAD < b->n ? i + AHEAD : i;
        __builtin_prefetch(t->records + cells[ahead] * t->size, 1);
        unsigned number = live_of[signatures[i]];
        uint64_t members = live[number];
        record *r = (record *)(void *)(t->records + cell * t->size);
        if (++r->rows[number] == 0)
            add_rows(b, set, cell, members, 256);
        uint64_t seen = r->last == persons[i] ? r->seen : 0;
        for (uint64_t again = members & seen; again; again &= again - 1)
            t->repeats[cell * n_classes + (size_t)__builtin_ctzll(again)]++;
        r->seen = seen | members;
        r->last = persons[i];
    }
}

static void spread_signatures(const batch *b, size_t set)
{
    const by_signature *t = &b->by_signature[set];
    size_t n_classes = b->p->n_classes;
    uint64_t n_cells = b->p->sets[set].product;
    if (b->q->without_people) {
        spread_bytes(b, set);
        return;
    }
    for (uint64_t cell = 0; cell < n_cells; cell++) {
        const uint8_t *rows = (const uint8_t *)t->records + cell * t->size + offsetof(record, rows);
        for (size_t l = 0; l < b->s->n_live; l++)
            if (rows[l])
                add_rows(b, set, cell, b->s->live[l], rows[l]);
        for (size_t c = 0; c < n_classes; c++) {
            hd_k_count *count = count_of(b, set, c, cell);
            count->persons = count->rows - t->repeats[cell * n_classes + c];
        }
    }
}

/* ---- classes and their measures ---------------------------------------------------------------
 */

static bool is_counted_by_signature(const batch *b)
{
    for (size_t set = 0; set < b->q->n_sets; set++)
        if (!b->by_signature[set].is_used)
            return false;
    return true;
}

static bool has_values(const hd_k_plan *p, size_t class)
{
    for (size_t m = 0; m < p->q->n_measures; m++)
        if (p->class_of[m] == class && p->twin[m] == m && p->q->measures[m].kind != HD_K_COUNT)
            return true;
    return false;
}

static hd_code update_measure(batch *b, size_t measure, bool is_all, size_t n, hd_err *err)
{
    const hd_k_measure *m = &b->q->measures[measure];
    const void *codes = view(b, b->s->measure_column[measure]);
    unsigned width = m->codes.width;
    if (!is_all) {
        pack(b, b->members, width, codes, b->n, b->codes);
        codes = b->codes;
    }
    for (size_t set = 0; set < b->q->n_sets; set++) {
        const uint32_t *cells = (is_all ? b->cells : b->member_cells) + set * ROOM;
        const hd_k_coded_rows rows = {codes, width, cells, n};
        HD_TRY(hd_k_update_measure(b->lane, set, measure, &rows, b->keys, err));
    }
    return HD_OK;
}

/* Members of one class among the selected rows: their counts, where not counted by signature, and
 * the measures that read values. */
static hd_code update_class(batch *b, size_t class, hd_err *err)
{
    bool is_all = b->s->class_is_all[class];
    size_t n =
        is_all ? b->n : b->ops->keep(b->signatures, b->n, b->s->class_keep[class], b->members);
    if (n == 0)
        return HD_OK;
    if (!is_all && !b->q->without_people)
        b->ops->pack32(b->members, b->person, b->n, b->member_persons);
    for (size_t set = 0; set < b->q->n_sets; set++) {
        uint32_t *cells = (is_all ? b->cells : b->member_cells) + set * ROOM;
        if (!is_all)
            b->ops->pack32(b->members, b->cells + set * ROOM, b->n, cells);
        if (b->by_signature[set].is_used)
            continue;
        if (b->q->without_people)
            HD_TRY(count_rows(b, set, class, cells, n, err));
        else
            count_runs(b, cells, is_all ? b->person : b->member_persons, n,
                       b->lane->tables[set].n_cells,
                       b->lane->tables[set].arrays[hd_k_array_counts(class)]);
    }
    for (size_t m = 0; m < b->q->n_measures; m++)
        if (b->p->class_of[m] == class && b->p->twin[m] == m &&
            b->q->measures[m].kind != HD_K_COUNT)
            HD_TRY(update_measure(b, m, is_all, n, err));
    return HD_OK;
}

static hd_code scan_batch(batch *b, hd_err *err)
{
    select_rows(b);
    if (b->n == 0)
        return HD_OK;
    HD_TRY(find_cells(b, err));
    for (size_t set = 0; set < b->q->n_sets; set++)
        if (b->by_signature[set].is_used)
            count_signatures(b, set);
    for (size_t class = 0; class < b->p->n_classes; class ++)
        if (!b->is_counted || b->class_has_values[class])
            HD_TRY(update_class(b, class, err));
    return HD_OK;
}

/* ---- the lane -------------------------------------------------------------------------------- */

typedef struct part {
    void *to;
    size_t n, item;
} part;

/* One allocation for a list of arrays. */
static hd_code take_parts(hd_k_lane *lane, const part *parts, size_t n_parts, char **memory,
                          hd_err *err)
{
    enum { ALIGN = 64 };
    size_t total = ALIGN;
    for (size_t i = 0; i < n_parts; i++)
        total += (parts[i].n * parts[i].item + ALIGN - 1) / ALIGN * ALIGN;
    HD_TRY(hd_k_lane_take(lane, total, err));
    *memory = hd_calloc(total, 1);
    if (!*memory)
        return hd_fail_nomem(err);
    char *at = *memory + (ALIGN - (uintptr_t)*memory % ALIGN) % ALIGN;
    for (size_t i = 0; i < n_parts; i++) {
        memcpy(parts[i].to, &at, sizeof at); /* every part is a pointer to an object */
        at += (parts[i].n * parts[i].item + ALIGN - 1) / ALIGN * ALIGN;
    }
    return HD_OK;
}

static hd_code open_batch(batch *b, hd_k_lane *lane, char **memory, hd_err *err)
{
    const hd_k_plan *p = lane->plan;
    *b = (batch){.q = p->q, .p = p, .s = p->shape, .ops = p->ops, .lane = lane};
    const part parts[] = {
        {&b->by_signature, p->q->n_sets, sizeof *b->by_signature},
        {&b->class_has_values, p->n_classes, sizeof *b->class_has_values},
        {&b->positions, ROOM, sizeof *b->positions},
        {&b->sums[0], ROOM, 1},
        {&b->sums[1], ROOM, 1},
        {&b->signatures, ROOM, 1},
        {&b->persons, ROOM, sizeof *b->persons},
        {&b->packed, b->s->n_columns * ROOM, 4},
        {&b->views, b->s->n_columns, sizeof *b->views},
        {&b->cells, p->q->n_sets * ROOM, sizeof *b->cells},
        {&b->keys, ROOM, sizeof *b->keys},
        {&b->member_cells, p->q->n_sets * ROOM, sizeof *b->member_cells},
        {&b->member_persons, ROOM, sizeof *b->member_persons},
        {&b->run_cells, ROOM, sizeof *b->run_cells},
        {&b->run_persons, ROOM, sizeof *b->run_persons},
        {&b->codes, ROOM, sizeof *b->codes},
        {&b->runs, ROOM, sizeof *b->runs},
        {&b->likeness, p->q->n_sets * p->n_classes, sizeof *b->likeness},
    };
    return take_parts(lane, parts, sizeof parts / sizeof *parts, memory, err);
}

/* Counting by signature pays when several classes share the rows and the table stays small. */
static hd_code open_signatures(batch *b, size_t set, char **memory, hd_err *err)
{
    enum { MOST = 1 << 24, LINE = 64 };
    by_signature *t = &b->by_signature[set];
    uint64_t cells = b->p->sets[set].product;
    bool alone = b->q->without_people;
    size_t n_repeats = alone ? 0 : b->p->n_classes, n_bytes = alone ? b->s->n_live : 0;
    t->size = offsetof(record, rows) + b->s->n_live;
    t->size = alone ? 0 : t->size <= LINE ? LINE : (t->size + 7) / 8 * 8;
    size_t a_cell = t->size + n_repeats * sizeof *t->repeats + n_bytes * (1 + sizeof *t->carried);
    if (a_cell == 0 || b->p->n_classes == 1 || !b->p->sets[set].dense || cells > MOST / a_cell ||
        cells * a_cell > (b->lane->max_bytes - b->lane->bytes) / 2)
        return HD_OK;
    const part parts[] = {
        {&t->records, cells, t->size},
        {&t->repeats, cells * n_repeats, sizeof *t->repeats},
        {&t->bytes, cells * n_bytes, 1},
        {&t->carried, cells * n_bytes, sizeof *t->carried},
    };
    HD_TRY(take_parts(b->lane, parts, sizeof parts / sizeof *parts, memory, err));
    for (uint64_t cell = 0; cell < cells && !alone; cell++)
        ((record *)(void *)(t->records + cell * t->size))->seen = UINT64_MAX;
    t->is_used = true;
    t->n_bytes = cells * n_bytes;
    for (size_t class = 0; class < b->p->n_classes; class ++)
        t->cells_are_read = t->cells_are_read || has_values(b->p, class);
    return HD_OK;
}

static hd_code scan_pieces(batch *b, hd_err *err)
{
    for (bool more;;) {
        HD_TRY(hd_k_lane_next(b->lane, &more, err));
        if (!more)
            return HD_OK;
        const bool chooses_some = b->s->n_live > 0; /* a condition may contradict itself */
        for (b->base = b->lane->first; chooses_some && b->base < b->lane->end; b->base += HD_K_BATCH) {
            uint64_t left = b->lane->end - b->base;
            b->n_rows = left < HD_K_BATCH ? (size_t)left : HD_K_BATCH;
            HD_TRY(hd_k_go_on(b->q, err));
            HD_TRY(scan_batch(b, err));
        }
    }
}

/* ---- how many rows to expect ------------------------------------------------------------------ */

static bool has_large_set(const hd_k_plan *p)
{
    for (size_t s = 0; s < p->q->n_sets; s++)
        if (p->sets[s].product > p->tuning.sure_cells)
            return true;
    return false;
}

/* Up to `left` rows of a batch, cut where a block ends. Blocks that do not matter choose nothing. */
static hd_code count_at(batch *b, uint64_t first, uint64_t left, size_t *n_kept, hd_err *err)
{
    const hd_k_feed *f = b->q->feed;
    bool matters = true;
    if (f && left > f->block_rows - first % f->block_rows)
        left = f->block_rows - first % f->block_rows;
    b->base = first;
    b->n_rows = left < HD_K_BATCH ? (size_t)left : HD_K_BATCH;
    if (f)
        HD_TRY(f->enter(f->ctx, first, first + b->n_rows, &matters, err));
    if (!matters)
        return HD_OK;
    find_signatures(b);
    *n_kept += b->ops->keep(b->sums[0], b->n_rows, b->s->keep, b->selection);
    if (f)
        f->leave(f->ctx, first, first); /* none of the rows is done: the scan comes back to them */
    return HD_OK;
}

hd_code hd_k_expect_rows(hd_k_plan *p, hd_err *err)
{
    enum { PLACES = 16, DOUBT = 2 /* rows more than were seen */ };
    uint8_t sums[HD_K_PARTS][ROOM];
    size_t n_read = 0, n_kept = DOUBT;
    uint64_t apart = p->q->n_rows / PLACES;
    if (!p->shape || p->shape->keeps_all || apart == 0 || !has_large_set(p))
        return HD_OK;
    batch b = {.q = p->q, .p = p, .s = p->shape, .ops = p->ops, .sums = {sums[0], sums[1]}};
    for (size_t i = 0; i < PLACES; i++) {
        HD_TRY(count_at(&b, apart * i, apart, &n_kept, err));
        n_read += b.n_rows;
    }
    if (n_read > n_kept)
        p->n_expected = (uint64_t)((double)p->q->n_rows / (double)n_read * (double)n_kept);
    return HD_OK;
}

hd_code hd_k_scan_batches(hd_k_lane *lane, hd_err *err)
{
    hd_code rc = HD_OK;
    batch b;
    size_t n_sets = lane->plan->q->n_sets;
    char **memory = hd_calloc(n_sets + 1, sizeof *memory);
    if (!memory)
        return hd_fail_nomem(err);
    HD_GO(open_batch(&b, lane, &memory[n_sets], err));
    for (size_t set = 0; set < n_sets; set++)
        HD_GO(open_signatures(&b, set, &memory[set], err));
    b.is_counted = is_counted_by_signature(&b);
    for (size_t class = 0; class < b.p->n_classes; class ++)
        b.class_has_values[class] = has_values(b.p, class);
    HD_GO(scan_pieces(&b, err));
    for (size_t set = 0; set < n_sets; set++) {
        if (b.by_signature[set].is_used)
            spread_signatures(&b, set);
        hd_k_lane_finish(lane, set, b.by_signature[set].is_used);
    }
out:
    for (size_t i = 0; i <= n_sets; i++)
        hd_free(memory[i]);
    hd_free(memory);
    return rc;
}
