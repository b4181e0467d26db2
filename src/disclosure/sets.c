/* sets.c - see sets.h. One scan; every lane keeps its own sketches, which are joined at the end:
 * xor, sum and "the smallest of both" do not depend on how the rows were cut. */
#include "disclosure/sets.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/intern.h"
#include "base/par.h"

#include <string.h>

/* ---- one set -------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 27;
    x *= UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

void hd_set_init(hd_set *s)
{
    *s = (hd_set){0};
    memset(s->lowest, 0xFF, sizeof s->lowest);
    memset(s->profile.lowest, 0xFF, sizeof s->profile.lowest);
}

static void keep_lowest(uint32_t lowest[HD_SET_LOWEST], uint32_t element)
{
    if (element >= lowest[HD_SET_LOWEST - 1])
        return;
    size_t at = HD_SET_LOWEST - 1;
    for (; at > 0 && lowest[at - 1] > element; at--)
        lowest[at] = lowest[at - 1];
    lowest[at] = element;
}

static void add_to_profile(hd_profile *p, uint32_t person, uint64_t who, uint32_t n)
{
    uint64_t element = (who + n) * UINT64_C(0xD6E8FEB86659FD93); /* who is a good hash already */
    element ^= element >> 32;
    p->sum[0] += element * UINT64_C(0x9E3779B97F4A7C15);
    p->sum[1] += who * n;
    if (person == 0)
        return;
    p->people++;
    p->buckets[who % HD_SET_BUCKETS] ^= (uint8_t)(element >> 56);
    keep_lowest(p->lowest, (uint32_t)element >> 1);
}

void hd_set_add(hd_set *s, uint32_t person, const uint64_t records[2], uint32_t n)
{
    uint64_t who = mix(person + UINT64_C(0x9E3779B97F4A7C15));
    uint64_t element = mix(who ^ mix(records[0]));
    s->sum[0] += records[0];
    s->sum[1] += records[1];
    s->persons++;
    s->buckets[who % HD_SET_BUCKETS] ^= (uint32_t)(element >> 32);
    keep_lowest(s->lowest, (uint32_t)element >> 1); /* below UINT32_MAX */
    add_to_profile(&s->profile, person, who, n);
}

void hd_set_line(hd_set *s, uint64_t identity)
{
    uint64_t x = mix(identity);
    for (size_t i = 0; i < HD_SET_LINES; i++) {
        x = (x ^ x >> 32) * UINT64_C(0xD6E8FEB86659FD93);
        s->lines[i] ^= x ^ x >> 31;
    }
}

static void join_profiles(hd_profile *p, const hd_profile *other)
{
    p->sum[0] += other->sum[0];
    p->sum[1] += other->sum[1];
    p->people += other->people;
    for (size_t i = 0; i < HD_SET_BUCKETS; i++)
        p->buckets[i] ^= other->buckets[i];
    for (size_t i = 0; i < HD_SET_LOWEST; i++)
        keep_lowest(p->lowest, other->lowest[i]);
}

void hd_set_join(hd_set *s, const hd_set *other)
{
    s->sum[0] += other->sum[0];
    s->sum[1] += other->sum[1];
    s->persons += other->persons;
    for (size_t i = 0; i < HD_SET_BUCKETS; i++)
        s->buckets[i] ^= other->buckets[i];
    for (size_t i = 0; i < HD_SET_LINES; i++)
        s->lines[i] ^= other->lines[i];
    for (size_t i = 0; i < HD_SET_LOWEST; i++)
        keep_lowest(s->lowest, other->lowest[i]);
    join_profiles(&s->profile, &other->profile);
}

bool hd_set_same(const hd_set *a, const hd_set *b)
{
    return a->persons == b->persons && memcmp(a->sum, b->sum, sizeof a->sum) == 0;
}

unsigned hd_set_distance(const hd_set *a, const hd_set *b, unsigned limit)
{
    unsigned n = 0;
    uint32_t gap = a->persons > b->persons ? a->persons - b->persons : b->persons - a->persons;
    if (gap > limit)
        return limit + 1;
    if (hd_set_same(a, b))
        return 0;
    for (size_t i = 0; i < HD_SET_BUCKETS && n <= limit; i++)
        n += a->buckets[i] != b->buckets[i];
    return n ? n : 1; /* xors that cancel: the sums say that the sets differ */
}

bool hd_profile_same(const hd_profile *a, const hd_profile *b)
{
    return memcmp(a->sum, b->sum, sizeof a->sum) == 0;
}

unsigned hd_profile_excess(const hd_profile *a, const hd_profile *b, unsigned limit)
{
    unsigned n = 0, more = a->people > b->people ? a->people - b->people : b->people - a->people;
    if (more == 0 || more > limit)
        return 0;
    for (size_t i = 0; i < HD_SET_BUCKETS && n <= more; i++)
        n += a->buckets[i] != b->buckets[i];
    return n <= more ? more : 0;
}

/* ---- the sets of an answer ------------------------------------------------------------------ */

/* A set while its rows come in: a person's records lie together. */
typedef struct growing {
    hd_set set;
    uint64_t records[2];
    uint32_t person, n;
    bool began;
} growing;

typedef struct column {
    unsigned class;
    hd_set_kind kind;
} column;

typedef struct job {
    const hd_chosen *chosen;
    const hd_question *q;
    size_t n_columns, n_sets, max_cells;
    column columns[64];
    const uint32_t *sets;
    struct lane *lanes;
} job;

/* Cells of one lane: (grouping set, slots) by number. */
typedef struct lane {
    const job *job;
    hd_intern *names;
    growing *items; /* count of names * n_columns */
    size_t n_items, cap;
    uint32_t *last; /* n_sets: the cell of the row before, which often comes again */
    uint32_t *key, *last_key;
} lane;

static void flush(growing *g, hd_set_kind kind)
{
    if (!g->began)
        return;
    if (kind == HD_SET_PEOPLE) {
        g->records[0] = mix(g->person + UINT64_C(0x51ED270B));
        g->records[1] = mix(g->records[0] + 1);
        g->n = 1;
        hd_set_line(&g->set, g->records[0]);
    }
    hd_set_add(&g->set, g->person, g->records, g->n);
    g->began = false;
}

static void take_record(growing *g, hd_set_kind kind, uint32_t person, uint64_t record)
{
    if (g->began && g->person != person)
        flush(g, kind);
    if (!g->began) {
        g->began = true;
        g->person = person;
        g->records[0] = g->records[1] = g->n = 0;
    }
    g->n++;
    if (kind == HD_SET_RECORDS)
        hd_set_line(&g->set, record);
    g->records[0] += record;
    g->records[1] += mix(record ^ UINT64_C(0xD6E8FEB86659FD93));
}

/* The lane's cell of row i in a grouping set; its name is the set and the slots told apart. */
static hd_code find_cell(lane *l, const hd_chosen_block *b, size_t i, size_t set, uint32_t *out,
                         hd_err *err)
{
    const job *j = l->job;
    size_t n = 1, width = j->q->n_keys + 1;
    uint32_t *key = l->key, *last_key = l->last_key + set * width;
    key[0] = (uint32_t)set;
    for (size_t k = 0; k < j->q->n_keys; k++)
        if (j->sets[set] >> k & 1)
            key[n++] = b->slots[k * b->stride + i];
    *out = l->last[set];
    if (*out != HD_INTERN_NONE && memcmp(key, last_key, n * sizeof *key) == 0)
        return HD_OK;
    HD_TRY(hd_intern_add(l->names, key, n * sizeof *key, out, err));
    memcpy(last_key, key, n * sizeof *key);
    l->last[set] = *out;
    for (size_t need = ((size_t)*out + 1) * j->n_columns; l->n_items < need; l->n_items++) {
        if (*out >= j->max_cells)
            return hd_fail(err, HD_LIMIT, "more than %zu cells", j->max_cells);
        if (!HD_GROW(l->items, l->n_items, l->cap))
            return hd_fail_nomem(err);
        l->items[l->n_items] = (growing){0};
        hd_set_init(&l->items[l->n_items].set);
    }
    return HD_OK;
}

static hd_code take_block(void *ctx, const hd_chosen_block *b, hd_err *err)
{
    lane *l = ctx;
    const job *j = l->job;
    for (size_t i = 0; i < b->n; i++)
        for (size_t s = 0; s < j->n_sets; s++) {
            uint32_t cell;
            HD_TRY(find_cell(l, b, i, s, &cell, err));
            growing *g = &l->items[cell * j->n_columns];
            for (size_t c = 0; c < j->n_columns; c++)
                if (b->classes[i] >> j->columns[c].class & 1)
                    take_record(&g[c], j->columns[c].kind, b->persons[i], b->records[i]);
        }
    return HD_OK;
}

static hd_code run_lane(void *ctx, size_t number, hd_err *err)
{
    job *j = ctx;
    lane *l = &j->lanes[number];
    size_t width = j->q->n_keys + 1;
    *l = (lane){.job = j, .names = hd_intern_new()};
    l->last = hd_calloc(j->n_sets, sizeof *l->last);
    l->key = hd_calloc(width, sizeof *l->key);
    l->last_key = hd_calloc(width * j->n_sets, sizeof *l->last_key);
    if (!l->names || !l->last || !l->key || !l->last_key)
        return hd_fail_nomem(err);
    for (size_t s = 0; s < j->n_sets; s++)
        l->last[s] = HD_INTERN_NONE;
    HD_TRY(hd_chosen_scan(j->chosen, number, take_block, l, err));
    for (size_t i = 0; i < l->n_items; i++)
        flush(&l->items[i], j->columns[i % j->n_columns].kind);
    return HD_OK;
}

static void free_lane(lane *l)
{
    hd_intern_free(l->names);
    hd_wipe_free(l->items, l->cap * sizeof *l->items);
    hd_free(l->last);
    hd_free(l->key);
    hd_free(l->last_key);
}

/* ---- lanes to cells ------------------------------------------------------------------------- */

static hd_code name_cells(const hd_cells *cells, hd_intern *names, hd_buf *b, hd_err *err)
{
    for (size_t c = 0; c < cells->n_cells; c++) {
        uint32_t id, told = (uint32_t)((UINT64_C(1) << cells->n_keys) - 1) &
                              ~hd_cells_grouping(cells, c);
        hd_buf_clear(b);
        hd_buf_add(b, &told, sizeof told);
        for (size_t k = 0; k < cells->n_keys; k++)
            if (told >> k & 1)
                hd_value_put_name(b, hd_cells_key(cells, c, k));
        HD_TRY(hd_buf_check(b, err));
        HD_TRY(hd_intern_add(names, b->data, b->len, &id, err));
        if (id != c)
            return hd_fail(err, HD_INVALID, "two cells of the answer have the same keys");
    }
    return HD_OK;
}

static hd_code join_lane(const job *j, const lane *l, const hd_intern *names, hd_sets *out,
                         hd_buf *b, hd_err *err)
{
    for (uint32_t cell = 0; cell < hd_intern_count(l->names); cell++) {
        size_t len, n = 1;
        const uint32_t *key = (const void *)hd_intern_get(l->names, cell, &len);
        uint32_t slot, set;
        memcpy(&set, key, sizeof set);
        hd_buf_clear(b);
        hd_buf_add(b, &j->sets[set], sizeof j->sets[set]);
        for (size_t k = 0; k < j->q->n_keys; k++)
            if (j->sets[set] >> k & 1) {
                memcpy(&slot, (const char *)key + n++ * sizeof slot, sizeof slot);
                hd_value_put_name(b, hd_chosen_slot_value(j->chosen, k, slot));
            }
        HD_TRY(hd_buf_check(b, err));
        uint32_t at = hd_intern_find(names, b->data, b->len);
        if (at == HD_INTERN_NONE)
            return hd_fail(err, HD_INVALID, "the scan found a cell that the answer does not have");
        for (size_t c = 0; c < j->n_columns; c++)
            hd_set_join(&out->items[(size_t)at * j->n_columns + c],
                        &l->items[(size_t)cell * j->n_columns + c].set);
    }
    return HD_OK;
}

static void find_columns(job *j, hd_sets *out)
{
    for (size_t a = 0; a < j->q->n_aggregates; a++) {
        const column want = {hd_chosen_class_of(j->chosen, a),
                             j->q->aggregates[a].kind == HD_AGG_COUNT_PERSONS ? HD_SET_PEOPLE
                                                                               : HD_SET_RECORDS};
        size_t at = 0;
        while (at < j->n_columns &&
               (j->columns[at].class != want.class || j->columns[at].kind != want.kind))
            at++;
        if (at == j->n_columns)
            j->columns[j->n_columns++] = want;
        out->column_of[a] = (unsigned)at;
        out->kinds[at] = want.kind;
    }
}

hd_code hd_sets_make(hd_sets *out, hd_engine *e, const hd_question *q, const hd_cells *cells,
                     size_t max_cells, hd_err *err)
{
    hd_code rc;
    hd_chosen *chosen = NULL;
    job j = {.q = q, .max_cells = max_cells};
    hd_intern *names = hd_intern_new();
    size_t n_lanes = 0;
    hd_buf b;
    hd_buf_init(&b, (size_t)1 << 24);
    *out = (hd_sets){.n_cells = cells->n_cells};
    if (!names) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(hd_chosen_open(&chosen, e, q, err));
    j.chosen = chosen;
    j.sets = hd_question_sets(q, &j.n_sets);
    find_columns(&j, out);
    out->n_columns = j.n_columns;
    out->items = hd_calloc(cells->n_cells * j.n_columns + 1, sizeof *out->items);
    n_lanes = hd_chosen_n_lanes(chosen);
    j.lanes = hd_calloc(n_lanes, sizeof *j.lanes);
    if (!out->items || !j.lanes) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < cells->n_cells * j.n_columns; i++)
        hd_set_init(&out->items[i]);
    if (j.n_columns == 0)
        goto out; /* keys only: no figure, no set */
    HD_GO(name_cells(cells, names, &b, err));
    HD_GO(hd_par_run(n_lanes, run_lane, &j, err));
    for (size_t i = 0; i < n_lanes; i++)
        HD_GO(join_lane(&j, &j.lanes[i], names, out, &b, err));
out:
    for (size_t i = 0; j.lanes && i < n_lanes; i++)
        free_lane(&j.lanes[i]);
    hd_free(j.lanes);
    hd_intern_free(names);
    hd_chosen_free(chosen);
    hd_buf_free(&b);
    if (rc != HD_OK)
        hd_sets_free(out);
    return rc;
}

void hd_sets_free(hd_sets *s)
{
    hd_wipe_free(s->items, (s->n_cells * s->n_columns + 1) * sizeof *s->items);
    *s = (hd_sets){0};
}
