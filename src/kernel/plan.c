/* plan.c - see plan.h. */
#include "kernel/plan.h"
#include "base/alloc.h"
#include "base/par.h"
#include "kernel/lane.h"

#include <string.h>

const hd_k_tuning hd_k_tuning_default = {
    .dense_cells = UINT64_C(1) << 22,
    .sure_cells = UINT64_C(1) << 15,
    .dense_bins = UINT64_C(1) << 26,
    .wide_cells = UINT64_C(1) << 18,
    .lane_rows = UINT64_C(1) << 17,
    .long_rows = UINT64_C(1) << 20,
    .max_lanes = 16,
    .max_pieces = 64,
    .max_live = 256,
};

hd_code hd_k_fail_limit(const hd_k_question *q, hd_err *err)
{
    return hd_fail(err, HD_LIMIT,
                   "the cells of the question need more than the %.0f MB of memory that are left for "
                   "them: ask for fewer or coarser groups",
                   (double)q->max_bytes / 1e6);
}

static bool same_class(const hd_k_class *a, const hd_k_class *b)
{
    if (a->filter != b->filter || a->has_value != b->has_value)
        return false;
    return !a->has_value ||
           (a->codes->data == b->codes->data && a->codes->width == b->codes->width);
}

static void find_classes(hd_k_plan *p)
{
    const hd_k_question *q = p->q;
    p->classes[0] = (hd_k_class){.filter = -1};
    p->n_classes = 1;
    for (size_t m = 0; m < q->n_measures; m++) {
        const hd_k_measure *measure = &q->measures[m];
        hd_k_class wanted = {.filter = measure->filter};
        if (!hd_k_is_always_there(measure)) {
            wanted.codes = &measure->codes;
            wanted.has_value = measure->has_value;
        }
        size_t c = 0;
        while (c < p->n_classes && !same_class(&p->classes[c], &wanted))
            c++;
        if (c == p->n_classes)
            p->classes[p->n_classes++] = wanted;
        p->class_of[m] = (uint32_t)c;
    }
}

static bool same_measure(const hd_k_measure *a, const hd_k_measure *b)
{
    return a->kind == b->kind && a->filter == b->filter && a->codes.data == b->codes.data &&
           a->codes.width == b->codes.width && a->has_value == b->has_value &&
           a->integers == b->integers && a->decimals == b->decimals && a->sum_only == b->sum_only &&
           a->ranks == b->ranks && a->n_ranks == b->n_ranks;
}

static void find_twins(hd_k_plan *p)
{
    const hd_k_measure *measures = p->q->measures;
    for (uint32_t m = 0; m < p->q->n_measures; m++) {
        uint32_t first = 0;
        while (!same_measure(&measures[first], &measures[m]))
            first++;
        p->twin[m] = first;
    }
}

static void find_where_nodes(hd_k_plan *p)
{
    const hd_k_question *q = p->q;
    if (q->where < 0)
        return;
    p->node_is_where[q->where] = 1;
    for (size_t i = (size_t)q->where + 1; i-- > 0;) {
        const hd_k_node *n = &q->nodes[i];
        if (!p->node_is_where[i] || n->op == HD_K_ATOM)
            continue;
        p->node_is_where[n->a] = 1;
        if (n->op == HD_K_AND || n->op == HD_K_OR)
            p->node_is_where[n->b] = 1;
    }
}

/* Mixed radix, first group most significant, so that ascending keys are ascending slots. */
static hd_code measure_set(hd_k_plan *p, size_t s, hd_err *err)
{
    const hd_k_question *q = p->q;
    uint64_t *strides = p->strides + s * q->n_groups;
    uint64_t product = 1;
    for (size_t g = q->n_groups; g-- > 0;) {
        if (!(q->sets[s] >> g & 1))
            continue;
        p->group_is_used[g] = 1;
        strides[g] = product;
        uint64_t n = q->groups[g].n_slots ? q->groups[g].n_slots : 1;
        if (__builtin_mul_overflow(product, n, &product) || product >> 63)
            return hd_fail(err, HD_LIMIT,
                           "the groups have more than 2^63 combinations: group by fewer fields");
    }
    p->sets[s].mask = q->sets[s];
    p->sets[s].product = product;
    p->sets[s].strides = strides;
    p->sets[s].items = p->items + s * p->n_arrays;
    p->sets[s].rows_from = p->rows_from + s * p->n_classes;
    return HD_OK;
}

static size_t value_bytes(const hd_k_plan *p, const hd_k_measure *m, uint64_t product)
{
    switch (m->kind) {
    case HD_K_COUNT:
        return 0;
    case HD_K_MOMENTS:
        return p->is_narrow[m - p->q->measures] ? sizeof(int64_t)
               : m->integers                    ? sizeof(hd_k_exact)
                                                : sizeof(hd_k_decimal);
    case HD_K_EXTREMES:
        return sizeof(hd_k_extremes);
    case HD_K_DISTRIBUTION:
    case HD_K_DISTINCT:
        /* A byte a rank; 0: kept in a list. A place that is hardly ever used costs too. */
        return product <= p->tuning.dense_bins / (m->n_ranks ? m->n_ranks : 1) &&
                       product * m->n_ranks / 8 <= p->n_expected + 4096
                   ? m->n_ranks
                   : 0;
    }
    return 0;
}

/* What the rows of a cell take: where four bytes would not fit the second cache, a byte that carries. */
static size_t row_bytes(const hd_k_plan *p, hd_k_set_plan *set, bool dense)
{
    set->in_bytes = dense && set->mask && p->n_classes == 1 && set->product > p->tuning.wide_cells &&
                    set->rows_from[0] == HD_K_NO_MEASURE;
    return set->in_bytes ? 1 : sizeof(uint32_t);
}

/* A class has as many rows as the bins of its values, or as its packed sums say. */
static void find_rows_from(hd_k_plan *p, size_t s)
{
    for (size_t c = 0; c < p->n_classes; c++)
        p->sets[s].rows_from[c] = HD_K_NO_MEASURE;
    for (uint32_t m = 0; m < p->q->n_measures; m++)
        if ((p->q->measures[m].kind == HD_K_DISTRIBUTION || p->packings[m].shift) &&
            p->sets[s].items[hd_k_array_values(p, m)])
            p->sets[s].rows_from[p->class_of[m]] = m;
}

/* Bytes of a cell over all arrays; bins only where every cell has its place beforehand. */
static uint64_t fill_items(hd_k_plan *p, size_t s, bool dense)
{
    const hd_k_question *q = p->q;
    size_t *items = p->items + s * p->n_arrays;
    uint64_t total = 0;
    for (size_t m = 0; m < q->n_measures; m++) {
        hd_k_kind kind = q->measures[m].kind;
        bool has_bins = kind == HD_K_DISTRIBUTION || kind == HD_K_DISTINCT;
        items[hd_k_array_values(p, m)] = p->twin[m] != m || (has_bins && !dense)
                                             ? 0
                                             : value_bytes(p, &q->measures[m], p->sets[s].product);
    }
    find_rows_from(p, s);
    size_t to_count = row_bytes(p, &p->sets[s], dense);
    for (size_t c = 0; c < p->n_classes; c++) {
        items[hd_k_array_rows(c)] = to_count;
        items[hd_k_array_seen(p, c)] = q->without_people ? 0 : sizeof(hd_k_seen);
    }
    for (size_t a = 0; a < p->n_arrays; a++)
        total += items[a];
    return total;
}

/* Dense tables cost their size whether filled or not, hence the bounds by rows: a row costs some eight
 * times as much by hash as a cell by place does, and thirty times as much as a cell of one byte. The bound
 * by memory leaves most of it to what grows. The set without groups is always dense, because its one cell
 * is there even when no row is. Returns the bytes of a lane's dense tables, and what merging them costs as
 * the bytes that cost so much where cells take more than one. */
static uint64_t choose_tables(hd_k_plan *p, uint64_t *to_merge)
{
    enum { LIGHT = 32, HEAVY = 8, ROWS = 2, MERGED = 16 };
    uint64_t total = 0, max = p->q->max_bytes;
    *to_merge = 0;
    for (size_t s = 0; s < p->q->n_sets; s++) {
        uint64_t product = p->sets[s].product;
        uint64_t bytes = fill_items(p, s, true);
        bool is_light = p->sets[s].in_bytes && bytes == 1 && product <= max / MERGED;
        bool small = product <= p->tuning.dense_cells * (is_light ? LIGHT : 1) &&
                     product / (is_light ? LIGHT : ROWS) <= p->q->n_rows + 4096 &&
                     (product <= p->tuning.sure_cells ||
                      product / (is_light ? LIGHT : HEAVY) <= p->n_expected);
        if (bytes > max / 4 / product)
            bytes = fill_items(p, s, false);
        small = small && bytes <= max / 4 / product && total + bytes * product <= max / 2;
        p->sets[s].dense = small || product == 1;
        if (!p->sets[s].dense) {
            fill_items(p, s, false);
            continue;
        }
        total += bytes * product;
        *to_merge += bytes * product / (is_light ? HEAVY : 1);
    }
    return total;
}

static uint64_t next_begin(const hd_k_question *q, uint64_t row)
{
    for (; row < q->n_rows; row = (row / 64 + 1) * 64) {
        uint64_t word = q->begins[row / 64] >> row % 64;
        if (word)
            return row + (uint64_t)__builtin_ctzll(word);
    }
    return q->n_rows;
}

/* The first row from `row` on where a person begins; rows of nobody may be cut anywhere. */
static hd_code next_person(const hd_k_plan *p, uint64_t row, uint64_t *out, hd_err *err)
{
    *out = row;
    if (row <= p->n_unlinked || p->q->without_people)
        return HD_OK;
    if (p->q->feed)
        return p->q->feed->person_start(p->q->feed->ctx, row, out, err);
    *out = next_begin(p->q, row);
    return HD_OK;
}

static hd_code cut_piece(void *ctx, size_t cut, hd_err *err)
{
    hd_k_plan *p = ctx;
    uint64_t piece = cut + 1;
    uint64_t row = (uint64_t)((unsigned __int128)p->q->n_rows * piece / p->n_pieces);
    return next_person(p, row, &p->piece_starts[piece], err);
}

/* With a feed each cut may be a block to be read, and all threads look for them. */
static hd_code cut_pieces(hd_k_plan *p, uint64_t n, hd_err *err)
{
    p->n_pieces = n;
    if (p->q->feed && !p->q->without_people)
        HD_TRY(hd_par_run(n - 1, cut_piece, p, err));
    else
        for (uint64_t cut = 0; cut + 1 < n; cut++)
            HD_TRY(cut_piece(p, cut, err));
    for (uint64_t piece = 1; piece < n; piece++)
        if (p->piece_starts[piece] < p->piece_starts[piece - 1])
            p->piece_starts[piece] = p->piece_starts[piece - 1];
    p->piece_starts[n] = p->q->n_rows;
    return HD_OK;
}

static bool sums_decimals(const hd_k_question *q)
{
    for (size_t m = 0; m < q->n_measures; m++)
        if (q->measures[m].decimals)
            return true;
    return false;
}

/* Merging costs lanes x tables: it must stay small beside reading the rows. */
static hd_code cut_lanes(hd_k_plan *p, uint64_t dense_bytes, uint64_t to_merge, size_t at_most,
                         bool own_pieces, hd_err *err)
{
    uint64_t n_rows = p->q->n_rows;
    uint64_t n = n_rows / p->tuning.lane_rows;
    uint64_t n_pieces = n < p->tuning.max_pieces ? n : p->tuning.max_pieces;
    if (n > p->tuning.max_lanes)
        n = p->tuning.max_lanes;
    n += n == 0;
    n_pieces = n_pieces > n ? n_pieces : n;
    if (at_most && n > at_most)
        n = at_most;
    own_pieces = own_pieces || sums_decimals(p->q);
    if (!own_pieces && n > hd_par_threads())
        n = hd_par_threads();
    while (n > 1 && (n * (to_merge / 4) > n_rows || n * dense_bytes > p->q->max_bytes / 2))
        n--;
    p->n_lanes = n;
    return cut_pieces(p, own_pieces ? n : n_pieces, err);
}

/* Squares of integers are summed exactly in 128 bits, so their size must be bounded beforehand. */
static hd_code check_moments(hd_k_plan *p, hd_err *err)
{
    const hd_k_question *q = p->q;
    if (q->n_rows > UINT32_MAX)
        return hd_fail(err, HD_LIMIT, "a question can read at most %u rows of one table",
                       UINT32_MAX);
    for (size_t m = 0; m < q->n_measures; m++) {
        const hd_k_measure *measure = &q->measures[m];
        if (measure->kind != HD_K_MOMENTS || !measure->integers)
            continue;
        unsigned __int128 limit = ~(unsigned __int128)0 / (q->n_rows ? q->n_rows : 1);
        __int128 narrow = INT64_MAX / (int64_t)(q->n_rows ? q->n_rows : 1);
        p->is_narrow[m] = measure->sum_only;
        for (uint32_t c = 0; c < measure->codes.n_codes; c++) {
            __int128 v = measure->integers[c];
            if (measure->has_value && !measure->has_value[c])
                continue;
            if (v > narrow || v < -narrow)
                p->is_narrow[m] = 0;
            if ((unsigned __int128)(v * v) > limit)
                return hd_fail(err, HD_LIMIT,
                               "an expression has numbers too large to sum their squares exactly: "
                               "divide it, or turn it into decimals");
        }
    }
    return HD_OK;
}

static unsigned n_bits(uint64_t x)
{
    return x ? 64 - (unsigned)__builtin_clzll(x) : 0;
}

/* The numbers of rows that a packed sum has room for, and all sums of so many values, fit 63 bits. */
static hd_code pack_sums(hd_k_plan *p, size_t measure, hd_err *err)
{
    const hd_k_measure *m = &p->q->measures[measure];
    hd_k_packing *k = &p->packings[measure];
    int64_t low = INT64_MAX, high = INT64_MIN;
    if (!p->is_narrow[measure] || p->twin[measure] != measure)
        return HD_OK;
    for (uint32_t c = m->codes.lowest; c < m->codes.n_codes; c++)
        if (!m->has_value || m->has_value[c]) {
            low = m->integers[c] < low ? m->integers[c] : low;
            high = m->integers[c] > high ? m->integers[c] : high;
        }
    if (low > high)
        return HD_OK;
    unsigned rows_bits = n_bits(p->q->n_rows), span_bits = n_bits((uint64_t)high - (uint64_t)low);
    if (rows_bits == 0 || 2 * rows_bits + span_bits > 63)
        return HD_OK;
    k->adds = hd_calloc(m->codes.n_codes, sizeof *k->adds);
    if (!k->adds)
        return hd_fail_nomem(err);
    k->low = low;
    k->shift = rows_bits + span_bits;
    for (uint32_t c = m->codes.lowest; c < m->codes.n_codes; c++)
        if (!m->has_value || m->has_value[c])
            k->adds[c] = (INT64_C(1) << k->shift) + (m->integers[c] - low);
    return HD_OK;
}

hd_code hd_k_plan_make(hd_k_plan *p, const hd_k_question *q, const hd_k_tuning *tuning, hd_err *err)
{
    hd_code rc = HD_OK;
    memset(p, 0, sizeof *p);
    p->q = q;
    p->tuning = *tuning;
    p->n_expected = q->n_rows;
    if (!q->without_people)
        p->n_unlinked = q->feed ? q->feed->n_unlinked : next_begin(q, 0);
    p->classes = hd_calloc(q->n_measures + 1, sizeof *p->classes);
    p->class_of = hd_calloc(q->n_measures, sizeof *p->class_of);
    p->twin = hd_calloc(q->n_measures, sizeof *p->twin);
    p->node_is_where = hd_calloc(q->n_nodes, 1);
    p->group_is_used = hd_calloc(q->n_groups, 1);
    p->is_narrow = hd_calloc(q->n_measures, 1);
    p->packings = hd_calloc(q->n_measures, sizeof *p->packings);
    p->sets = hd_calloc(q->n_sets, sizeof *p->sets);
    p->strides = hd_calloc(q->n_sets * q->n_groups, sizeof *p->strides);
    p->piece_starts =
        hd_calloc((size_t)tuning->max_lanes + tuning->max_pieces + 1, sizeof *p->piece_starts);
    if (!p->classes || !p->class_of || !p->twin || !p->node_is_where || !p->group_is_used ||
        !p->is_narrow || !p->packings || !p->sets || !p->strides || !p->piece_starts) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(check_moments(p, err));
    find_classes(p);
    find_twins(p);
    find_where_nodes(p);
    for (size_t m = 0; m < q->n_measures; m++)
        HD_GO(pack_sums(p, m, err));
    p->n_arrays = hd_k_array_values(p, q->n_measures);
    p->items = hd_calloc(q->n_sets * p->n_arrays, sizeof *p->items);
    p->rows_from = hd_calloc(q->n_sets * p->n_classes, sizeof *p->rows_from);
    if (!p->items || !p->rows_from) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t s = 0; s < q->n_sets; s++)
        HD_GO(measure_set(p, s, err));
out:
    if (rc != HD_OK)
        hd_k_plan_free(p);
    return rc;
}

hd_code hd_k_plan_cut(hd_k_plan *p, size_t n_lanes_max, bool own_pieces, hd_err *err)
{
    uint64_t to_merge, dense_bytes = choose_tables(p, &to_merge);
    return cut_lanes(p, dense_bytes, to_merge, n_lanes_max, own_pieces, err);
}

void hd_k_plan_free(hd_k_plan *p)
{
    hd_free(p->classes);
    hd_free(p->class_of);
    hd_free(p->twin);
    hd_free(p->node_is_where);
    hd_free(p->group_is_used);
    hd_free(p->is_narrow);
    for (size_t m = 0; p->packings && m < p->q->n_measures; m++)
        hd_free(p->packings[m].adds);
    hd_free(p->packings);
    hd_free(p->sets);
    hd_free(p->strides);
    hd_free(p->items);
    hd_free(p->rows_from);
    hd_free(p->piece_starts);
    memset(p, 0, sizeof *p);
}
