/* batch.c - the scan of the batch kernels: few thousand rows at a time through the steps of ops.h.
 *
 * A batch's rows become signatures; the signatures select rows; codes of the selected rows are
 * packed, so that everything after works on selected rows alone; their slots become cells, which update
 * the tables, neighbours of the same cell at once where that pays. Rows of several classes are counted
 * once, by cell and signature, and spread over the classes when the lane ends. Everything but the tables
 * stays in the first two caches.
 *
 * People are the rows of a cell less those of somebody who was there before. Rows lie in person
 * order: who was there before is who was seen there last. Most rows need not be looked up: where a key
 * ascends with the rows of a person (dates do), only rows that share person and key can meet in a cell.
 * Such rows are a group, and groups are numbered; a row alone in its group adds a person. Whoever has
 * rows in two batches is one group there, and looked up in both: nothing else need be known of other
 * batches.
 *
 * Sums of decimals are formed row by row in the order of the rows, as in the scalar kernel.
 */
#include "kernel/merge.h"
#include "kernel/shape.h"
#include "kernel/update.h"

#include <string.h>

enum {
    ROOM = HD_K_BATCH + HD_K_PAD
};

/* Counting by signature: a byte for each signature and cell, the cells of a signature together, because
 * most rows have one of a few signatures. Of who was seen last in a cell, the classes. */
typedef struct last_seen {
    uint64_t classes;
    uint32_t last;
} last_seen;

typedef struct by_signature {
    bool is_used;
    last_seen *seen; /* cells; NULL without people */
    size_t n_bytes;
    uint8_t *bytes;    /* n_live x cells */
    uint32_t *carried; /* of the same shape: how often a byte passed 255 */
    bool cells_are_read; /* by measures or people */
} by_signature;

/* A set and a class: whether neighbours often have the same cell, and where people are. */
typedef struct counting {
    uint32_t n_batches;
    bool runs_pay;
    bool is_pending; /* a group began after the last member before this batch */
    uint32_t group;  /* number of the last one */
} counting;

/* The key of a set by which people have groups, -1: none, all rows of a person are one. */
typedef struct ordering {
    uint32_t n_batches;
    int32_t key;
} ordering;

enum {
    TOLD = 64,            /* one batch in so many tells the others what pays */
    MANY_WORDS = HD_K_MANY / 64,
    BITS = HD_K_WORDS + 2 /* words of bits of a batch */
};

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
    size_t n_rows, n;           /* of the batch, or of several; selected */
    size_t ahead;               /* see ops.h: of columns, where there are so many rows more */
    uint64_t selection[MANY_WORDS + 1];
    unsigned n_alone;           /* batches to come that are not put together with others */
    bool has_positions;
    uint16_t *positions; /* of the selected rows */
    uint8_t *sums[HD_K_PARTS];
    uint8_t *signatures;    /* of the selected rows */
    bool is_pending;        /* a person began after the last selected row before this batch */
    uint64_t begins[BITS];  /* persons, of the selected rows */
    uint64_t *groups;       /* n_sets x BITS, of the selected rows */
    ordering *orderings;    /* n_sets */
    char *packed;           /* n_columns x ROOM x 4: codes of the selected rows */
    const void **views;     /* n_columns: packed, or the column; NULL until asked for */
    uint32_t *cells;        /* n_sets x ROOM */
    uint64_t *keys;
    uint64_t members[HD_K_WORDS + 1];
    uint32_t *member_cells; /* n_sets x ROOM */
    uint64_t member_groups[BITS];
    uint32_t *run_cells, *run_groups, *codes;
    uint16_t *runs;
    counting *countings; /* n_sets x n_classes */
} batch;

/* ---- signatures and selection ---------------------------------------------------------------- */

static void add_list(const hd_k_reader *r, uint64_t first, size_t n, uint8_t *restrict sums)
{
    const uint32_t *starts = r->starts + first;
    for (size_t row = 0; row < n; row++) {
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

static void add_reader(const batch *b, const hd_k_reader *r, uint64_t first, size_t n,
                       uint8_t *restrict sums)
{
    if (r->starts) {
        add_list(r, first, n, sums);
    } else if (r->codes.width == 1) {
        b->ops->add8((const uint8_t *)r->codes.data + first, n, b->ahead, &r->adds, sums);
    } else if (r->codes.width == 2) {
        b->ops->add16((const uint16_t *)r->codes.data + first, n, b->ahead, &r->adds, sums);
    } else {
        const uint32_t *codes = (const uint32_t *)r->codes.data + first;
        for (size_t i = 0; i < n; i++)
            sums[i] = (uint8_t)(sums[i] + r->by_code[codes[i]]);
    }
}

static void find_signatures(batch *b, uint64_t first, size_t n)
{
    const hd_k_shape *s = b->s;
    for (unsigned part = 0; part < s->n_parts || part == 0; part++)
        memset(b->sums[part], 0, n);
    for (size_t i = 0; i < s->n_readers; i++)
        add_reader(b, &s->readers[i], first, n, b->sums[s->readers[i].part]);
    if (s->n_parts < 2)
        return;
    b->ops->join(b->sums[0], b->sums[1], n, &s->joined);
}

static void pack(const batch *b, const uint64_t *selection, unsigned width, const void *in,
                 size_t n, size_t ahead, void *out)
{
    if (width == 1)
        b->ops->pack8(selection, in, n, ahead, out);
    else if (width == 2)
        b->ops->pack16(selection, in, n, ahead, out);
    else
        b->ops->pack32(selection, in, n, ahead, out);
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
        b->ops->positions(b->selection, b->n_rows, 0, b->positions);
    b->has_positions = true;
    return b->positions;
}

/* The selected rows' part of an array that has an item for every row of the batch. */
static const void *selected(batch *b, unsigned width, const void *in, size_t ahead, void *out)
{
    if (b->n == b->n_rows)
        return in;
    if (is_picked(b))
        pick(picked_rows(b), b->n, width, in, out);
    else
        pack(b, b->selection, width, in, b->n_rows, ahead, out);
    return out;
}

/* n bits from `first` on; those from n on are 0, up to the end of the word. */
static void copy_bits(const uint64_t *restrict from, uint64_t first, size_t n, uint64_t *restrict to)
{
    const uint64_t *word = from + first / 64, *last = from + (first + n - 1) / 64;
    unsigned shift = first % 64;
    for (size_t at = 0; at < n; at += 64, word++) {
        uint64_t bits = *word >> shift;
        if (shift && word < last)
            bits |= word[1] << (64 - shift);
        to[at / 64] = n - at < 64 ? bits & ((UINT64_C(1) << (n - at)) - 1) : bits;
    }
}

static void find_persons(batch *b)
{
    uint64_t begins[MANY_WORDS + 2];
    bool all = b->s->keeps_all;
    copy_bits(b->q->begins, b->base, b->n_rows, all ? b->begins : begins);
    (all ? b->begins : begins)[0] |= b->lane->begins_anew && b->base == b->lane->first;
    if (!all)
        b->ops->begins_of(b->selection, begins, b->n_rows, &b->is_pending, b->begins);
}

/* ---- few rows ---- */

enum { FEW = 16 }; /* less than one row in so many */

/* The next n rows, n_kept of them selected, are added to the batch; what will be read of them is asked
 * for. */
static void add_few(batch *b, size_t n, size_t n_kept)
{
    const size_t from = b->n_rows;
    const uint16_t *restrict rows = b->positions + b->n;
    b->ops->positions(b->selection + from / 64, n, (uint16_t)from, b->positions + b->n);
    for (size_t i = 0; i < n_kept && b->p->n_classes > 1; i++)
        b->signatures[b->n + i] = b->sums[0][rows[i] - from];
    for (size_t c = 0; c < b->s->n_columns; c++) {
        const hd_k_codes *codes = &b->s->columns[c];
        const char *first = (const char *)codes->data + b->base * codes->width;
        for (size_t i = 0; i < n_kept; i++)
            __builtin_prefetch(first + rows[i] * codes->width);
    }
    b->n_rows += n;
    b->n += n_kept;
}

/* A batch of which few rows are selected goes on until there are more of them, or more rows than that: what
 * takes its time by the batch takes it once, and what is read here and there has arrived by then. */
static void select_few(batch *b)
{
    size_t n = b->n_rows, n_kept = b->n;
    b->n_rows = b->n = 0;
    b->has_positions = true;
    for (;;) {
        add_few(b, n, n_kept);
        uint64_t first = b->base + b->n_rows, left = b->lane->end - first;
        if (left == 0 || b->n_rows == HD_K_MANY || b->n + HD_K_BATCH / FEW > HD_K_BATCH)
            return;
        n = left < HD_K_BATCH ? (size_t)left : HD_K_BATCH;
        find_signatures(b, first, n);
        n_kept = b->ops->keep(b->sums[0], n, b->s->keep, b->selection + b->n_rows / 64);
        if (n_kept * FEW < n)
            continue;
        b->n_alone = TOLD; /* these rows are gone through again */
        return;
    }
}

static void select_rows(batch *b)
{
    find_signatures(b, b->base, b->n_rows);
    b->has_positions = false;
    b->n =
        b->s->keeps_all ? b->n_rows : b->ops->keep(b->sums[0], b->n_rows, b->s->keep, b->selection);
    if (b->n_alone > 0)
        b->n_alone--;
    else if (b->n * FEW < b->n_rows)
        select_few(b);
    if (!b->q->without_people)
        find_persons(b);
    if (b->n == 0)
        return;
    memset(b->views, 0, b->s->n_columns * sizeof *b->views);
    if (b->p->n_classes > 1 && !b->has_positions) {
        const void *own = selected(b, 1, b->sums[0], 0, b->signatures);
        if (own != b->signatures)
            memcpy(b->signatures, own, b->n);
    }
}

/* Codes of a column for the selected rows. */
static const void *view(batch *b, size_t column)
{
    if (!b->views[column]) {
        const hd_k_codes *c = &b->s->columns[column];
        b->views[column] = selected(b, c->width, (const char *)c->data + b->base * c->width, b->ahead,
                                    b->packed + column * ROOM * 4);
    }
    return b->views[column];
}

/* How far ahead of a view lies what will be read: a view of all rows is the column itself. */
static size_t ahead_of_view(const batch *b)
{
    return b->n == b->n_rows ? b->ahead : 0;
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
    if (b->s->keys[g].is_shifted && b->s->keys[g].lowest == 0)
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
    const size_t ahead = ahead_of_view(b);
    if (group->codes.width == 1 && k->is_shifted)
        b->ops->key8(codes, b->n, ahead, k->lowest, stride, before, cells);
    else if (k->bytes)
        b->ops->key_slots(codes, b->n, ahead, k->bytes, stride, before, cells);
    else if (group->codes.width == 2 && k->is_shifted)
        b->ops->key16(codes, b->n, ahead, k->lowest, stride, before, cells);
    else if (group->codes.width == 1)
        b->ops->look8(codes, b->n, ahead, lut, stride, before, cells);
    else if (group->codes.width == 2)
        b->ops->look16(codes, b->n, ahead, lut, stride, before, cells);
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

static size_t n_words(size_t n_bits)
{
    return (n_bits + 63) / 64;
}

static size_t count_bits(const uint64_t *bits, size_t n)
{
    size_t count = 0;
    for (size_t w = 0; w < n_words(n); w++)
        count += (size_t)__builtin_popcountll(bits[w]);
    return count;
}

/* The key that ascends with the rows of people and tells most of their rows apart. */
static int32_t choose_key(batch *b, size_t set)
{
    enum { WORTH = 8 }; /* a group more for so many rows */
    uint64_t groups[BITS];
    int32_t chosen = -1;
    size_t most = count_bits(b->begins, b->n) + b->n / WORTH;
    for (size_t g = 0; g < b->q->n_groups; g++) {
        uint32_t stride = (uint32_t)b->p->sets[set].strides[g];
        if (!stride)
            continue;
        add_key(b, g, stride, true, b->run_cells);
        bool ascends = b->ops->groups(b->run_cells, b->begins, b->n, groups);
        size_t n_groups = ascends ? count_bits(groups, b->n) : 0;
        if (n_groups > most) {
            most = n_groups;
            chosen = (int32_t)g;
        }
    }
    return chosen;
}

/* Keep what begins from the first to the last place where a person does: before and after it are people
 * who have rows in other batches. */
static void keep_whole_persons(const uint64_t *begins, size_t n, uint64_t *groups)
{
    size_t first = 0, last = n_words(n);
    while (first < last && !begins[first])
        groups[first++] = 0;
    while (last > first && !begins[last - 1])
        groups[--last] = 0;
    if (first == last)
        return;
    groups[first] &= UINT64_MAX << __builtin_ctzll(begins[first]);
    groups[last - 1] &= UINT64_MAX >> __builtin_clzll(begins[last - 1]);
}

/* `keys` are those of the ordering's key, NULL where there is none. */
static void find_groups(batch *b, size_t set, const uint32_t *keys)
{
    uint64_t *groups = b->groups + set * BITS;
    if (keys && b->ops->groups(keys, b->begins, b->n, groups))
        keep_whole_persons(b->begins, b->n, groups);
    else
        memcpy(groups, b->begins, n_words(b->n) * sizeof *groups);
}

static void find_dense_cells(batch *b, size_t set)
{
    uint32_t *cells = b->cells + set * ROOM;
    const uint64_t *strides = b->p->sets[set].strides;
    ordering *o = &b->orderings[set];
    bool is_first = true, has_people = !b->q->without_people, is_few = is_picked(b);
    if (has_people && !is_few && o->n_batches++ % TOLD == 0)
        o->key = choose_key(b, set);
    size_t key = has_people && !is_few && o->key >= 0 ? (size_t)o->key : SIZE_MAX;
    if (key != SIZE_MAX) {
        add_key(b, key, (uint32_t)strides[key], true, cells);
        is_first = false;
    }
    if (has_people)
        find_groups(b, set, is_first ? NULL : cells);
    for (size_t g = 0; g < b->q->n_groups; g++)
        if (strides[g] && g != key) {
            add_key(b, g, (uint32_t)strides[g], is_first, cells);
            is_first = false;
        }
    if (is_first)
        memset(cells, 0, b->n * sizeof *cells);
}

static hd_code find_cells(batch *b, hd_err *err)
{
    for (size_t set = 0; set < b->q->n_sets; set++) {
        if (b->p->sets[set].dense) {
            find_dense_cells(b, set);
            continue;
        }
        HD_TRY(find_hashed_cells(b, set, err));
        if (!b->q->without_people)
            find_groups(b, set, NULL);
    }
    return HD_OK;
}

/* ---- counts ---------------------------------------------------------------------------------- */

enum { AHEAD = 24, NEAR = 1 << 20 }; /* a cell beyond the second cache is brought before its turn */

static counting *counting_of(const batch *b, size_t set, size_t class)
{
    return &b->countings[set * b->p->n_classes + class];
}

static hd_k_seen *seen_of(const batch *b, size_t set, size_t class)
{
    return b->lane->tables[set].arrays[hd_k_array_seen(b->p, class)];
}

/* Rows that share their group with others. */
static void see_shared(batch *b, size_t set, size_t class, const uint32_t *restrict cells,
                       const uint64_t *groups, size_t n)
{
    hd_k_seen *restrict seen = seen_of(b, set, class);
    uint16_t *restrict rows = b->runs;
    const uint32_t *restrict numbers = b->run_groups;
    bool is_far = b->lane->tables[set].n_cells * sizeof *seen > NEAR;
    size_t n_shared = b->ops->shared(groups, n, &counting_of(b, set, class)->group, rows, b->run_groups);
    memset(rows + n_shared, 0, AHEAD * sizeof *rows);
    for (size_t k = 0; k < n_shared; k++) {
        hd_k_seen *cell = &seen[cells[rows[k]]];
        if (is_far)
            __builtin_prefetch(&seen[cells[rows[k + AHEAD]]], 1);
        cell->again += cell->last == numbers[k];
        cell->last = numbers[k];
    }
}

/* rows NULL: known or counted in bytes. */
static inline void see_runs(const batch *b, hd_k_seen *restrict seen, size_t n_runs,
                            uint32_t *restrict rows)
{
    const uint32_t *restrict cells = b->run_cells, *restrict numbers = b->run_groups;
    const uint16_t *restrict at = b->runs;
    for (size_t k = 0; k < n_runs; k++) {
        hd_k_seen *cell = &seen[cells[k]];
        uint32_t n = (uint32_t)(at[k + 1] - at[k]);
        if (rows)
            rows[cells[k]] += n;
        cell->again += n - (cell->last != numbers[k]);
        cell->last = numbers[k];
    }
}

static hd_code update_runs(const batch *b, size_t set, size_t class, bool has_people, size_t n_runs,
                           hd_err *err)
{
    const hd_k_set_plan *plan = &b->p->sets[set];
    const size_t array = hd_k_array_rows(class);
    uint32_t *restrict rows = b->lane->tables[set].arrays[array];
    bool is_known = plan->rows_from[class] != HD_K_NO_MEASURE;
    if (has_people && !is_known && !plan->in_bytes) {
        see_runs(b, seen_of(b, set, class), n_runs, rows);
        return HD_OK;
    }
    if (has_people)
        see_runs(b, seen_of(b, set, class), n_runs, NULL);
    if (is_known)
        return HD_OK;
    if (plan->in_bytes)
        return hd_k_lane_count_runs(b->lane, set, array, b->run_cells, b->runs, n_runs, err);
    for (size_t k = 0; k < n_runs; k++)
        rows[b->run_cells[k]] += (uint32_t)(b->runs[k + 1] - b->runs[k]);
    return HD_OK;
}

/* In the one cell of a set without groups everybody begins once. */
static void see_all(batch *b, size_t set, size_t class, const uint64_t *groups, size_t n)
{
    seen_of(b, set, class)->again += (uint32_t)(n - count_bits(groups, n));
}

/* Neighbours are put together if that pays, from three rows in two runs on: a person's rows follow each
 * other, and often share place and age. groups NULL: without people. */
static hd_code count_rows(batch *b, size_t set, size_t class, const uint32_t *cells,
                          const uint64_t *groups, size_t n, hd_err *err)
{
    counting *c = counting_of(b, set, class);
    const hd_k_set_plan *plan = &b->p->sets[set];
    bool is_asked = c->n_batches++ % TOLD == 0;
    bool is_known = plan->rows_from[class] != HD_K_NO_MEASURE, is_one_cell = plan->product == 1;
    if (is_one_cell || (is_known && !groups) || (!is_asked && !c->runs_pay)) {
        if (groups && is_one_cell)
            see_all(b, set, class, groups, n);
        else if (groups)
            see_shared(b, set, class, cells, groups, n);
        return hd_k_update_rows(b->lane, set, class, cells, n, err);
    }
    size_t n_runs = b->ops->runs(cells, groups, n, &c->group, b->run_cells, b->run_groups, b->runs);
    c->runs_pay = n_runs * 3 < n * 2;
    return update_runs(b, set, class, groups != NULL, n_runs, err);
}

static void count_bytes(const batch *b, size_t set)
{
    const by_signature *t = &b->by_signature[set];
    uint32_t *cells = b->cells + set * ROOM, *full = b->codes;
    uint32_t *places = t->cells_are_read ? b->run_cells : cells;
    b->ops->key_slots(b->signatures, b->n, 0, b->s->live_of, (uint32_t)b->p->sets[set].product,
                      cells, places);
    size_t n_full = hd_k_count_bytes(t->bytes, t->n_bytes, places, b->n, full);
    for (size_t i = 0; i < n_full; i++)
        t->carried[full[i]]++;
}

static void spread_signatures(const batch *b, size_t set)
{
    const by_signature *t = &b->by_signature[set];
    uint64_t n_cells = b->p->sets[set].product;
    for (size_t l = 0; l < b->s->n_live; l++) {
        const uint8_t *restrict bytes = t->bytes + l * n_cells;
        const uint32_t *restrict carried = t->carried + l * n_cells;
        for (uint64_t members = b->s->live[l]; members; members &= members - 1) {
            size_t class = (size_t)__builtin_ctzll(members);
            uint32_t *restrict rows = b->lane->tables[set].arrays[hd_k_array_rows(class)];
            for (uint64_t cell = 0; cell < n_cells; cell++)
                rows[cell] += bytes[cell] + HD_K_FULL_ROWS * carried[cell];
        }
    }
}

/* Group 0 is nobody: records begin as if somebody of that number had been seen in every class. */
static void see_signatures(batch *b, size_t set)
{
    last_seen *restrict seen = b->by_signature[set].seen;
    const uint32_t *restrict cells = b->cells + set * ROOM, *restrict numbers = b->run_groups;
    uint16_t *restrict rows = b->runs;
    size_t n = b->ops->shared(b->groups + set * BITS, b->n, &counting_of(b, set, 0)->group, rows,
                              b->run_groups);
    memset(rows + n, 0, AHEAD * sizeof *rows);
    for (size_t k = 0; k < n; k++) {
        last_seen *cell = &seen[cells[rows[k]]];
        uint64_t members = b->s->live[b->s->live_of[b->signatures[rows[k]]]];
        uint64_t before = cell->last == numbers[k] ? cell->classes : 0;
        __builtin_prefetch(&seen[cells[rows[k + AHEAD]]], 1);
        for (uint64_t again = members & before; again; again &= again - 1)
            seen_of(b, set, (size_t)__builtin_ctzll(again))[cells[rows[k]]].again++;
        cell->classes = before | members;
        cell->last = numbers[k];
    }
}

static void count_signatures(batch *b, size_t set)
{
    count_bytes(b, set);
    if (!b->q->without_people)
        see_signatures(b, set);
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
    size_t ahead = ahead_of_view(b);
    if (!is_all) {
        pack(b, b->members, width, codes, b->n, ahead, b->codes);
        codes = b->codes;
        ahead = 0;
    }
    for (size_t set = 0; set < b->q->n_sets; set++) {
        const uint32_t *cells = (is_all ? b->cells : b->member_cells) + set * ROOM;
        const hd_k_coded_rows rows = {codes, width, cells, n, ahead};
        HD_TRY(hd_k_update_measure(b->lane, set, measure, &rows, (uint32_t *)b->keys, err));
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
    for (size_t set = 0; set < b->q->n_sets; set++) {
        uint32_t *cells = (is_all ? b->cells : b->member_cells) + set * ROOM;
        const uint64_t *groups = b->groups + set * BITS;
        bool is_counted = b->by_signature[set].is_used;
        if (!is_all && b->p->sets[set].product > 1) /* else the cell is 0, as it was */
            b->ops->pack32(b->members, b->cells + set * ROOM, b->n, 0, cells);
        if (!is_all && !is_counted && !b->q->without_people) {
            b->ops->begins_of(b->members, groups, b->n, &counting_of(b, set, class)->is_pending,
                              b->member_groups);
            groups = b->member_groups;
        }
        if (n > 0 && !is_counted)
            HD_TRY(count_rows(b, set, class, cells, b->q->without_people ? NULL : groups, n, err));
    }
    if (n == 0)
        return HD_OK;
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

static hd_code open_batch(batch *b, hd_k_lane *lane, hd_err *err)
{
    const hd_k_plan *p = lane->plan;
    *b = (batch){.q = p->q, .p = p, .s = p->shape, .ops = p->ops, .lane = lane};
    const hd_k_part parts[] = {
        {&b->by_signature, p->q->n_sets, sizeof *b->by_signature},
        {&b->class_has_values, p->n_classes, sizeof *b->class_has_values},
        {&b->positions, ROOM, sizeof *b->positions},
        {&b->sums[0], ROOM, 1},
        {&b->sums[1], ROOM, 1},
        {&b->signatures, ROOM, 1},
        {&b->groups, p->q->n_sets * BITS, sizeof *b->groups},
        {&b->orderings, p->q->n_sets, sizeof *b->orderings},
        {&b->packed, b->s->n_columns * ROOM, 4},
        {&b->views, b->s->n_columns, sizeof *b->views},
        {&b->cells, p->q->n_sets * ROOM, sizeof *b->cells},
        {&b->keys, ROOM, sizeof *b->keys},
        {&b->member_cells, p->q->n_sets * ROOM, sizeof *b->member_cells},
        {&b->run_cells, ROOM, sizeof *b->run_cells},
        {&b->run_groups, ROOM, sizeof *b->run_groups},
        {&b->codes, ROOM, sizeof *b->codes},
        {&b->runs, ROOM, sizeof *b->runs},
        {&b->countings, p->q->n_sets * p->n_classes, sizeof *b->countings},
    };
    return hd_k_lane_parts(lane, parts, sizeof parts / sizeof *parts, err);
}

/* Counting by signature pays when several classes share the rows and the table stays small; not in the one
 * cell of a set without groups, where each addition waits for the one before. */
static hd_code open_signatures(batch *b, size_t set, hd_err *err)
{
    enum { MOST = 1 << 25, FEW_CLASSES = 16 };
    by_signature *t = &b->by_signature[set];
    uint64_t cells = b->p->sets[set].product;
    bool has_people = !b->q->without_people;
    size_t n_bytes = b->s->n_live;
    size_t a_cell = n_bytes * (1 + sizeof *t->carried) + (has_people ? sizeof *t->seen : 0);
    if (a_cell == 0 || b->p->n_classes == 1 || (cells == 1 && b->p->n_classes <= FEW_CLASSES) ||
        !b->p->sets[set].dense || cells > MOST / a_cell ||
        cells * a_cell > (b->lane->max_bytes - b->lane->bytes) / 2)
        return HD_OK;
    const hd_k_part parts[] = {
        {&t->seen, has_people ? cells : 0, sizeof *t->seen},
        {&t->bytes, cells * n_bytes, 1},
        {&t->carried, cells * n_bytes, sizeof *t->carried},
    };
    HD_TRY(hd_k_lane_parts(b->lane, parts, sizeof parts / sizeof *parts, err));
    for (uint64_t cell = 0; cell < cells && has_people; cell++)
        t->seen[cell].classes = UINT64_MAX;
    t->is_used = true;
    t->n_bytes = cells * n_bytes;
    t->cells_are_read = has_people;
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
        for (b->base = b->lane->first; chooses_some && b->base < b->lane->end; b->base += b->n_rows) {
            uint64_t left = b->lane->end - b->base;
            b->n_rows = left < HD_K_BATCH ? (size_t)left : HD_K_BATCH;
            b->ahead = b->q->n_rows - b->base > HD_K_AHEAD + HD_K_MANY ? HD_K_AHEAD : 0;
            HD_TRY(hd_k_go_on(b->q, err));
            HD_TRY(scan_batch(b, err));
        }
    }
}

/* ---- how many rows to expect ------------------------------------------------------------------ */

/* Cells and the bins of their values, which may have a place each. */
static bool has_large_set(const hd_k_plan *p)
{
    uint64_t n_places = 1;
    for (size_t m = 0; m < p->q->n_measures; m++)
        n_places += p->q->measures[m].n_ranks;
    for (size_t s = 0; s < p->q->n_sets; s++)
        if (p->sets[s].product > p->tuning.sure_cells / n_places)
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
    find_signatures(b, b->base, b->n_rows);
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
    batch b;
    size_t n_sets = lane->plan->q->n_sets;
    HD_TRY(open_batch(&b, lane, err));
    for (size_t set = 0; set < n_sets; set++)
        HD_TRY(open_signatures(&b, set, err));
    b.is_counted = is_counted_by_signature(&b);
    for (size_t class = 0; class < b.p->n_classes; class ++)
        b.class_has_values[class] = has_values(b.p, class);
    HD_TRY(scan_pieces(&b, err));
    for (size_t set = 0; set < n_sets; set++) {
        if (b.by_signature[set].is_used)
            spread_signatures(&b, set);
        hd_k_lane_finish(lane, set, b.by_signature[set].is_used);
    }
    return HD_OK;
}
