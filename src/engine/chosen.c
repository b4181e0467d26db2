/* chosen.c - see chosen.h. Two sources of rows: the kernel's plan, evaluated block by block, or the
 * rows that DuckDB gives where the kernel has no plan. Both give the same blocks.
 */
#include "engine/chosen.h"
#include "base/alloc.h"
#include "base/intern.h"
#include "base/par.h"
#include "engine/blocks.h"
#include "engine/order.h"
#include "engine/spans_plan.h"

#include <string.h>

enum { BATCH = 4096, MAX_LANES = 16, LANE_ROWS = 1 << 16, TRUE = 1 };

/* A set of contributing records: its filter, and the argument that must have a value. */
typedef struct class {
    const json_t *filter, *argument; /* NULL: none */
    int32_t node;                    /* kernel */
    const hd_k_codes *codes;
    const uint8_t *has_value;
} class;

/* The values of one key as slots (DuckDB's rows). */
typedef struct slots {
    hd_intern *names;
    hd_value *values;
    size_t cap;
} slots;

struct hd_chosen {
    const hd_engine *engine;
    hd_hold *hold; /* columns stay until it is freed */
    hd_table *t;
    const asked *a;
    scan_blocks blocks; /* of the kernel's rows; else all are there */
    const uint32_t *persons;
    uint64_t n_rows;
    uint64_t seed;
    loaded_column date; /* data NULL: the table has no date */
    size_t n_classes;
    class classes[HD_MAX_AGGREGATES + 1];
    unsigned class_of[HD_MAX_AGGREGATES];
    size_t n_lanes;
    uint64_t starts[MAX_LANES + 1];
    scan_plan *plan; /* the kernel's, or else: */
    hd_duck_result *rows;
    slots keys[HD_MAX_KEYS];
    uint32_t *row_slots; /* n_keys x rows */
};

/* ---- identities ----------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0xE9846AF9B1A615D);
    x ^= x >> 32;
    x *= UINT64_C(0xE9846AF9B1A615D);
    return x ^ x >> 28;
}

static int64_t date_of(const hd_chosen *c, uint64_t row)
{
    const hd_column codes = {.width = c->date.width, .data = c->date.data};
    return c->date.data ? c->date.dictionary->integers[hd_code_at(&codes, row)] : 0;
}

static uint64_t identity(const hd_chosen *c, uint32_t person, int64_t date, uint32_t nth)
{
    uint64_t x = mix(c->seed ^ ((uint64_t)person << 32 | (uint32_t)date));
    x = mix(x + nth);
    return x ? x : 1;
}

/* Positions of records among those of their person and date, range by range of rows. Of the last row
 * it is known, so that a range that follows it need not look back; and of the last row of the block
 * before, which is no longer there. */
typedef struct walk {
    uint64_t row; /* + 1; 0: none yet */
    uint32_t nth; /* its position */
    uint64_t first; /* row of the block; 0: there are no blocks, or it is the first */
    bool has_before; /* the last row of the block before: */
    uint32_t person, place;
    int64_t date;
    int64_t *dates; /* BATCH, and the next: */
    uint32_t *places;
} walk;

/* The position of `row`: how many before it have its person and date. */
static uint32_t look_back(const hd_chosen *c, const walk *w, uint64_t row)
{
    uint32_t person = c->persons[row], n = 0;
    int64_t date = date_of(c, row);
    uint64_t at = row;
    for (; at > w->first && c->persons[at - 1] == person && date_of(c, at - 1) == date; at--) {
        if (at == w->row)
            return n + w->nth + 1;
        n++;
    }
    bool goes_on = at == w->first && w->has_before && w->person == person && w->date == date;
    return goes_on ? n + w->place + 1 : n;
}

/* The rows of a block that ends with `end` go. */
static void end_block(const hd_chosen *c, walk *w, uint64_t end)
{
    w->place = look_back(c, w, end - 1);
    w->person = c->persons[end - 1];
    w->date = date_of(c, end - 1);
    w->has_before = true;
    w->first = end;
}

/* n <= BATCH rows from `base` on, into w->dates and w->places. */
static void walk_rows(const hd_chosen *c, walk *w, uint64_t base, size_t n)
{
    const uint32_t *persons = c->persons + base;
    for (size_t i = 0; i < n; i++)
        w->dates[i] = date_of(c, base + i);
    uint32_t nth = look_back(c, w, base);
    w->places[0] = nth;
    for (size_t i = 1; i < n; i++) { /* no branch: it cannot be foreseen */
        uint32_t goes_on = (persons[i] == persons[i - 1]) & (w->dates[i] == w->dates[i - 1]);
        nth = (nth + 1) & (0 - goes_on);
        w->places[i] = nth;
    }
    w->row = base + n;
    w->nth = nth;
}

static hd_code open_walk(walk *w, hd_err *err)
{
    *w = (walk){.dates = hd_calloc(BATCH, sizeof *w->dates),
                .places = hd_calloc(BATCH, sizeof *w->places)};
    return w->dates && w->places ? HD_OK : hd_fail_nomem(err);
}

static void free_walk(walk *w)
{
    hd_free(w->dates);
    hd_free(w->places);
}

/* ---- preparing ------------------------------------------------------------------------------ */

static bool same_tree(const json_t *a, const json_t *b)
{
    return (a == NULL) == (b == NULL) && (!a || json_equal(a, b));
}

static void find_classes(hd_chosen *c)
{
    const asked *a = c->a;
    for (size_t i = 0; i < a->q.n_aggregates; i++) {
        const asked_aggregate *g = &a->aggregates[i];
        const class k = {.filter = g->filter, .argument = g->is_person ? NULL : g->argument};
        size_t at = 0;
        while (at < c->n_classes && !(same_tree(c->classes[at].filter, k.filter) &&
                                      same_tree(c->classes[at].argument, k.argument)))
            at++;
        if (at == c->n_classes)
            c->classes[c->n_classes++] = k;
        c->class_of[i] = (unsigned)at;
    }
    if (c->n_classes == 0)
        c->n_classes = 1; /* keys only: the rows themselves */
}

/* *has_date: the table has one. */
static void find_date(const hd_chosen *c, const hd_table *t, hd_operand *out, bool *has_date)
{
    const hd_field *f = *c->a->table->period ? hd_table_def_field(c->a->table, c->a->table->period)
                                             : NULL;
    int at = f ? hd_table_find(t, f->name) : -1;
    *has_date = at >= 0 && hd_table_column_spec(t, (size_t)at)->kind == HD_COLUMN_CODES &&
                hd_table_dictionary(t, (size_t)at)->type != HD_TEXT &&
                hd_table_dictionary(t, (size_t)at)->type != HD_DECIMAL;
    *out = (hd_operand){.column = *has_date ? (size_t)at : 0};
}

/* Lanes begin where a person begins; the records linked to nobody lie in the first one. Whoever scans
 * has tables for each lane, so there are no more than threads. */
static hd_code cut_lanes(hd_chosen *c, hd_err *err)
{
    const hd_k_feed *view = &c->blocks.view;
    uint64_t n = c->n_rows / LANE_ROWS, most = hd_par_threads();
    most = most > MAX_LANES ? MAX_LANES : most;
    n = n < 1 ? 1 : n > most ? most : n;
    for (uint64_t i = 1; i < n; i++) {
        uint64_t at = c->n_rows / n * i;
        at = at < c->starts[c->n_lanes] ? c->starts[c->n_lanes] : at;
        at = at < view->n_unlinked ? view->n_unlinked : at;
        HD_TRY(view->person_start(view->ctx, at, &at, err));
        if (at > c->starts[c->n_lanes] && at < c->n_rows)
            c->starts[++c->n_lanes] = at;
    }
    c->starts[++c->n_lanes] = c->n_rows;
    return HD_OK;
}

/* An argument that no record lacks chooses nothing: its class is that of the records. */
static void bind_classes(hd_chosen *c)
{
    const hd_k_question *q = &c->plan->q;
    c->classes[0].node = -1;
    for (size_t i = q->n_measures; i-- > 0;) {
        class *k = &c->classes[c->class_of[i]];
        const hd_k_measure *m = &q->measures[i];
        k->node = m->filter;
        k->codes = hd_k_is_always_there(m) ? NULL : &m->codes;
        k->has_value = k->codes ? m->has_value : NULL;
    }
    for (size_t i = 0; i < q->n_measures; i++)
        for (unsigned k = 0; k < c->class_of[i]; k++) {
            const class *own = &c->classes[c->class_of[i]], *other = &c->classes[k];
            if (!own->has_value && !other->has_value && own->node == other->node)
                c->class_of[i] = k;
        }
}

/* ---- DuckDB's rows -------------------------------------------------------------------------- */

static hd_code slot_of(slots *s, const hd_value *v, hd_buf *name, uint32_t *out, hd_err *err)
{
    hd_buf_clear(name);
    hd_value_put_name(name, *v);
    HD_TRY(hd_buf_check(name, err));
    HD_TRY(hd_intern_add(s->names, name->data, name->len, out, err));
    if (!HD_GROW(s->values, *out, s->cap))
        return hd_fail_nomem(err);
    s->values[*out] = *v;
    return HD_OK;
}

static hd_code fetch_rows(hd_chosen *c, hd_engine *e, hd_table *t, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n_keys = c->a->q.n_keys;
    size_t first[HD_MAX_AGGREGATES + 1];
    hd_buf name;
    hd_buf_init(&name, (size_t)1 << 24);
    walk w = {0};
    uint64_t *records = NULL;
    hd_operand date;
    bool has_date;
    HD_GO(hd_table_persons(t, &c->persons, err));
    find_date(c, t, &date, &has_date);
    if (has_date)
        HD_GO(hd_operand_load(e, t, date, &c->date, err));
    records = hd_secret_map((size_t)c->n_rows * sizeof *records);
    if (!records) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(open_walk(&w, err));
    for (uint64_t at = 0; at < c->n_rows; at += BATCH) {
        size_t end = c->n_rows - at < BATCH ? c->n_rows - at : BATCH;
        walk_rows(c, &w, at, end);
        for (size_t i = 0; i < end; i++)
            records[at + i] = identity(c, c->persons[at + i], w.dates[i], w.places[i]);
    }
    for (size_t k = c->n_classes; k-- > 0;)
        for (size_t i = c->a->q.n_aggregates; i-- > 0;)
            if (c->class_of[i] == k)
                first[k] = i;
    HD_GO(hd_duckdb_rows(e, c->a, t, records, first, c->a->q.n_aggregates ? c->n_classes : 0,
                         &c->rows, err));
    size_t n = hd_duck_n_rows(c->rows);
    c->row_slots = hd_calloc(n * n_keys + 1, sizeof *c->row_slots);
    if (!c->row_slots) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t k = 0; k < n_keys; k++) {
        c->keys[k].names = hd_intern_new();
        if (!c->keys[k].names) {
            rc = hd_fail_nomem(err);
            goto out;
        }
        for (size_t row = 0; row < n; row++) {
            hd_value v = hd_duck_value(c->rows, row, 2 + k);
            v.type = c->a->key_views[k].type;
            HD_GO(slot_of(&c->keys[k], &v, &name, &c->row_slots[k * n + row], err));
        }
    }
    c->n_lanes = 1;
    c->starts[1] = n;
out:
    hd_secret_unmap(records, (size_t)c->n_rows * sizeof *records);
    free_walk(&w);
    hd_buf_free(&name);
    return rc;
}

static hd_code scan_fetched(const hd_chosen *c, hd_chosen_block *b, uint32_t *persons,
                            uint64_t *records, uint64_t *classes,
                            hd_code (*take)(void *ctx, const hd_chosen_block *b, hd_err *err),
                            void *ctx, hd_err *err)
{
    size_t n = hd_duck_n_rows(c->rows), n_keys = c->a->q.n_keys;
    b->stride = n;
    for (size_t at = 0; at < n; at += BATCH) {
        size_t end = at + BATCH < n ? at + BATCH : n;
        b->n = 0;
        b->slots = c->row_slots + at;
        for (size_t row = at; row < end; row++, b->n++) {
            hd_value person = hd_duck_value(c->rows, row, 0);
            persons[b->n] = person.is_null ? 0 : (uint32_t)person.integer;
            records[b->n] = (uint64_t)hd_duck_value(c->rows, row, 1).integer;
            classes[b->n] = c->a->q.n_aggregates == 0;
            for (size_t k = 0; k < (c->a->q.n_aggregates ? c->n_classes : 0); k++) {
                hd_value v = hd_duck_value(c->rows, row, 2 + n_keys + k);
                if (!v.is_null && v.integer)
                    classes[b->n] |= UINT64_C(1) << k;
            }
        }
        HD_TRY(take(ctx, b, err));
    }
    return HD_OK;
}

/* ---- the kernel's rows ---------------------------------------------------------------------- */

/* BATCH each; n_keys x BATCH */
struct buffers {
    uint32_t *persons, *of_keys;
    uint64_t *records;
};

typedef struct scan {
    const hd_chosen *c;
    const hd_k_question *q;
    uint8_t *truth; /* n_nodes x BATCH */
    uint64_t base;
    size_t n, n_chosen;
    uint32_t *rows; /* BATCH: of those that are chosen, after base */
    uint64_t *classes;
    walk walk;
} scan;

static uint32_t code_at(const hd_k_codes *c, uint64_t i)
{
    const hd_column codes = {.width = c->width, .data = c->data};
    return hd_code_at(&codes, i);
}

/* Rows that pass WHERE. */
static void choose_rows(scan *s)
{
    const uint8_t *truth = s->q->where >= 0 ? s->truth + (size_t)s->q->where * BATCH : NULL;
    s->n_chosen = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        s->rows[s->n_chosen] = i;
        s->n_chosen += !truth || truth[i] == TRUE;
    }
}

/* Their classes, and none of the rows that have none. */
static void choose_classes(scan *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_chosen; i++)
        s->classes[i] = 0;
    for (size_t k = 0; k < s->c->n_classes; k++) {
        const class *g = &s->c->classes[k];
        const uint8_t *truth = g->node >= 0 ? s->truth + (size_t)g->node * BATCH : NULL;
        for (size_t i = 0; i < s->n_chosen; i++) {
            bool in = (!truth || truth[s->rows[i]] == TRUE) &
                      (!g->has_value || g->has_value[code_at(g->codes, s->base + s->rows[i])]);
            s->classes[i] |= (uint64_t)in << k;
        }
    }
    for (size_t i = 0; i < s->n_chosen; i++) {
        s->rows[n] = s->rows[i];
        s->classes[n] = s->classes[i];
        n += s->classes[i] != 0;
    }
    s->n_chosen = n;
}

/* What is known of the chosen rows, one thing after the other. */
static void fill_block(scan *s, uint32_t *persons, uint64_t *records, uint32_t *slots_of)
{
    const hd_chosen *c = s->c;
    walk_rows(c, &s->walk, s->base, s->n);
    for (size_t i = 0; i < s->n_chosen; i++) {
        uint32_t row = s->rows[i];
        persons[i] = c->persons[s->base + row];
        records[i] = identity(c, persons[i], s->walk.dates[row], s->walk.places[row]);
    }
    for (size_t k = 0; k < s->q->n_groups; k++)
        for (size_t i = 0; i < s->n_chosen; i++)
            slots_of[k * BATCH + i] =
                s->q->groups[k].lut[code_at(&s->q->groups[k].codes, s->base + s->rows[i])];
}

typedef hd_code (*taker)(void *ctx, const hd_chosen_block *b, hd_err *err);

/* Rows of one lane that lie in one block, which is there. */
static hd_code scan_rows(scan *s, uint64_t first, uint64_t end, hd_chosen_block *b,
                         struct buffers *to, taker take, void *ctx, hd_err *err)
{
    for (s->base = first; s->base < end; s->base += s->n) {
        s->n = end - s->base < BATCH ? end - s->base : BATCH;
        hd_scan_truth(s->q, s->base, s->n, BATCH, s->truth);
        choose_rows(s);
        choose_classes(s);
        b->n = s->n_chosen;
        if (b->n == 0)
            continue;
        fill_block(s, to->persons, to->records, to->of_keys);
        HD_TRY(take(ctx, b, err));
    }
    end_block(s->c, &s->walk, end);
    return HD_OK;
}

static hd_code scan_lane(scan *s, size_t lane, hd_chosen_block *b, struct buffers *to, taker take,
                         void *ctx, hd_err *err)
{
    const hd_chosen *c = s->c;
    const hd_k_feed *view = &c->blocks.view;
    b->stride = BATCH;
    b->slots = to->of_keys;
    for (uint64_t at = c->starts[lane], end; at < c->starts[lane + 1]; at = end) {
        bool matters;
        end = at - at % HD_BLOCK_ROWS + HD_BLOCK_ROWS;
        end = end < c->starts[lane + 1] ? end : c->starts[lane + 1];
        s->walk.first = s->walk.has_before ? s->walk.first : at;
        HD_TRY(view->enter(view->ctx, at, end, &matters, err));
        HD_ALWAYS(matters);
        hd_code rc = scan_rows(s, at, end, b, to, take, ctx, err);
        view->leave(view->ctx, at, end);
        HD_TRY(rc);
    }
    return HD_OK;
}

/* ---- outside -------------------------------------------------------------------------------- */

static hd_code open_plan(hd_chosen *c, hd_engine *e, hd_table *t, hd_err *err)
{
    asked *a = (asked *)(uintptr_t)c->a;
    hd_operand date;
    hd_column column;
    bool has_date;
    find_date(c, t, &date, &has_date);
    HD_TRY(hd_scan_plan_make(e, t, &a, 1, &c->plan, err));
    HD_TRY(hd_blocks_open_all(&c->blocks, c->plan, t, has_date ? &date : NULL, err));
    HD_TRY(hd_scan_plan_bind(c->plan, t, &c->blocks, err));
    c->persons = hd_feed_persons(c->blocks.feed);
    HD_ALWAYS(c->persons);
    if (has_date && hd_blocks_column(&c->blocks, date, &column))
        c->date = (loaded_column){column.data, column.width, hd_operand_dictionary(t, date), NULL};
    bind_classes(c);
    return cut_lanes(c, err);
}

hd_code hd_chosen_open(hd_chosen **out, hd_engine *e, const hd_question *q, hd_err *err)
{
    static const char purpose[] = "identity of records";
    hd_table *t;
    hd_code rc;
    *out = NULL;
    hd_chosen *c = hd_calloc(1, sizeof *c);
    if (!c)
        return hd_fail_nomem(err);
    c->a = (const asked *)q;
    c->engine = e;
    HD_GO(hd_vault_hold(e->vault, &c->hold, err));
    HD_GO(hd_vault_table(e->vault, q->table, &t, err));
    HD_GO(hd_orders_ready(e, (asked *)(uintptr_t)c->a, t, err));
    c->t = t;
    c->seed = hd_vault_key_hash(e->vault, purpose, sizeof purpose - 1);
    c->n_rows = hd_table_rows(t);
    find_classes(c);
    HD_GO(q->fallback_reason ? fetch_rows(c, e, t, err) : open_plan(c, e, t, err));
    *out = c;
    c = NULL;
out:
    hd_chosen_free(c);
    return rc;
}

void hd_chosen_free(hd_chosen *c)
{
    if (!c)
        return;
    for (size_t k = 0; k < HD_MAX_KEYS; k++) {
        hd_intern_free(c->keys[k].names);
        hd_free(c->keys[k].values);
    }
    hd_blocks_close(&c->blocks);
    hd_hold_release(c->hold);
    hd_free(c->row_slots);
    hd_duck_result_free(c->rows);
    hd_scan_plan_free(c->plan);
    hd_free(c);
}

unsigned hd_chosen_class_of(const hd_chosen *c, size_t aggregate)
{
    return c->class_of[aggregate];
}

uint32_t hd_chosen_n_slots(const hd_chosen *c, size_t key)
{
    return c->rows ? hd_intern_count(c->keys[key].names) : c->plan->q.groups[key].n_slots;
}

hd_value hd_chosen_slot_value(const hd_chosen *c, size_t key, uint32_t slot)
{
    hd_value v = c->rows ? c->keys[key].values[slot] : c->plan->group_ranks[key]->values[slot];
    v.type = c->a->key_views[key].type;
    return v;
}

hd_code hd_chosen_class_spans(const hd_chosen *c, unsigned number, hd_spans *out, hd_err *err)
{
    size_t i = 0;
    *out = (hd_spans){0};
    if (!c->plan)
        return HD_OK;
    while (i < c->a->q.n_aggregates && c->class_of[i] != number)
        i++;
    if (i == c->a->q.n_aggregates)
        return hd_spans_of_condition(c->plan, c->t, -1, NULL, NULL, out, err);
    const hd_k_measure *m = &c->plan->q.measures[i];
    return hd_spans_of_condition(c->plan, c->t, m->filter, c->classes[number].has_value ? m : NULL,
                                 &c->plan->measure_inputs[i], out, err);
}

hd_code hd_chosen_key_spans(const hd_chosen *c, size_t key, hd_spans *out, hd_err *err)
{
    *out = (hd_spans){0};
    return c->plan ? hd_spans_of_key(c->plan, c->t, key, out, err) : HD_OK;
}

size_t hd_chosen_n_lanes(const hd_chosen *c)
{
    return c->n_lanes;
}

hd_code hd_chosen_scan(const hd_chosen *c, size_t lane,
                       hd_code (*take)(void *ctx, const hd_chosen_block *b, hd_err *err),
                       void *ctx, hd_err *err)
{
    hd_code rc;
    scan s = {.c = c, .q = c->plan ? &c->plan->q : NULL};
    size_t n_nodes = s.q ? s.q->n_nodes : 0;
    uint32_t *persons = hd_calloc(BATCH, sizeof *persons);
    uint64_t *records = hd_calloc(BATCH, sizeof *records), *classes = hd_calloc(BATCH, sizeof *classes);
    uint32_t *of_keys = hd_calloc((c->a->q.n_keys + 1) * BATCH, sizeof *of_keys);
    s.truth = hd_calloc(n_nodes + 1, BATCH);
    s.rows = hd_calloc(BATCH, sizeof *s.rows);
    s.classes = classes;
    hd_chosen_block b = {.persons = persons, .records = records, .classes = classes};
    if (!persons || !records || !classes || !of_keys || !s.truth || !s.rows) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(open_walk(&s.walk, err));
    struct buffers to = {persons, of_keys, records};
    if (c->rows)
        HD_GO(scan_fetched(c, &b, persons, records, classes, take, ctx, err));
    else
        HD_GO(scan_lane(&s, lane, &b, &to, take, ctx, err));
out:
    hd_free(persons);
    hd_free(records);
    hd_free(classes);
    hd_free(of_keys);
    hd_free(s.truth);
    hd_free(s.rows);
    free_walk(&s.walk);
    return rc;
}

const uint32_t *hd_question_sets(const hd_question *q, size_t *n)
{
    const asked *a = (const asked *)q;
    *n = a->n_sets;
    return a->sets;
}
