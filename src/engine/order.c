/* order.c - the walk over the records in person order (order.h).
 *
 * Persons have one numbering in all tables and records lie in their order, so the events of a
 * person in another table are found by walking both side by side. Work splits at persons;
 * nobody's records are ever seen by two lanes. Records linked to nobody have no other records:
 * NULL.
 */
#include "engine/order.h"
#include "base/alloc.h"
#include "base/par.h"
#include "engine/scan_plan.h"

#include <string.h>

#ifndef HD_ORDER_LANE_ROWS
#define HD_ORDER_LANE_ROWS (1 << 17)
#endif

enum { BATCH = 4096, MAX_LANES = 64, LANE_ROWS = HD_ORDER_LANE_ROWS };
#define NO_DAY INT32_MIN

/* A column of days: code to day, NO_DAY where there is none. */
typedef struct days {
    loaded_column column;
    int32_t *of_code;
} days;

typedef struct walk {
    const order_column *o;
    uint64_t n_rows, n_events;
    const uint32_t *persons, *event_persons;
    days from, event_days;
    const uint8_t *is_event; /* a row of the event's table; NULL: all are */
    bool is_same_table;
    uint64_t starts[MAX_LANES + 1];
    uint32_t most[MAX_LANES]; /* largest code of each lane */
    uint32_t *out;            /* codes: 0 NULL, else the value + 1 */
    const atomic_bool *stop;
} walk;

/* The events of one person with a day, by day. */
typedef struct person {
    int32_t *day;
    uint64_t *row;
    size_t n, day_cap, row_cap;
    size_t n_all; /* with those that have no day */
} person;

static uint32_t code_at(const loaded_column *c, uint64_t row)
{
    const hd_column codes = {.width = c->width, .data = c->data};
    return hd_code_at(&codes, row);
}

static int32_t day_at(const days *d, uint64_t row)
{
    return d->of_code[code_at(&d->column, row)];
}

/* ---- one person ------------------------------------------------------------------------------ */

static hd_code add_event(person *p, int32_t day, uint64_t row, hd_err *err)
{
    if (!HD_GROW(p->day, p->n, p->day_cap) || !HD_GROW(p->row, p->n, p->row_cap))
        return hd_fail_nomem(err);
    size_t at = p->n++;
    /* Nearly always in order already: records lie by the day on which they begin. */
    for (; at > 0 && p->day[at - 1] > day; at--) {
        p->day[at] = p->day[at - 1];
        p->row[at] = p->row[at - 1];
    }
    p->day[at] = day;
    p->row[at] = row;
    return HD_OK;
}

static hd_code take_events(const walk *w, person *p, uint64_t first, uint64_t end, hd_err *err)
{
    p->n = p->n_all = 0;
    for (uint64_t row = first; row < end; row++) {
        if (w->is_event && w->is_event[row] != 1)
            continue;
        p->n_all++;
        int32_t day = w->event_days.of_code ? day_at(&w->event_days, row) : NO_DAY;
        if (day != NO_DAY)
            HD_TRY(add_event(p, day, row, err));
    }
    return HD_OK;
}

/* The first event on the day or later. */
static size_t from_day(const person *p, int64_t day)
{
    size_t low = 0, high = p->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->day[middle] < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A record is never its own next or previous event. */
static bool is_self(const walk *w, const person *p, size_t event, uint64_t row)
{
    return w->is_same_table && p->row[event] == row;
}

static bool is_any_between(const walk *w, const person *p, int64_t first, int64_t last,
                           uint64_t row)
{
    size_t i = from_day(p, first);
    i += i < p->n && is_self(w, p, i, row);
    return i < p->n && p->day[i] <= last;
}

/* The value of a record; -1: NULL. */
static int64_t value_of(const walk *w, const person *p, uint64_t row)
{
    const order_column *o = w->o;
    size_t i;
    if (o->kind == ORDER_EVENTS)
        return (int64_t)p->n_all;
    int64_t day = day_at(&w->from, row);
    if (day == NO_DAY)
        return -1;
    switch (o->kind) {
    case ORDER_NEXT:
        i = from_day(p, day);
        i += i < p->n && is_self(w, p, i, row);
        return i < p->n ? p->day[i] - day : -1;
    case ORDER_PREVIOUS:
        i = from_day(p, day + 1);
        i -= i > 0 && is_self(w, p, i - 1, row);
        return i > 0 ? day - p->day[i - 1] : -1;
    case ORDER_NEXT_WITHIN:
        return is_any_between(w, p, day + o->low, day + o->high, row);
    case ORDER_PREVIOUS_WITHIN:
        return is_any_between(w, p, day - o->high, day - o->low, row);
    default:
        return o->low > o->high
                   ? 0
                   : (int64_t)(from_day(p, day + o->high + 1) - from_day(p, day + o->low));
    }
}

/* Days and numbers of records fit 32 bits. */
static void put(walk *w, size_t lane, uint64_t row, int64_t value)
{
    w->out[row] = (uint32_t)(value + 1);
    if (w->out[row] > w->most[lane])
        w->most[lane] = w->out[row];
}

static void walk_person(walk *w, size_t lane, const person *p, uint64_t first, uint64_t end)
{
    int64_t n = 0;
    for (uint64_t row = first; row < end; row++) {
        if (w->o->kind == ORDER_NTH) {
            n += !w->is_event || w->is_event[row] == 1;
            put(w, lane, row, n);
        } else {
            put(w, lane, row, value_of(w, p, row));
        }
    }
}

/* ---- lanes ----------------------------------------------------------------------------------- */

static uint64_t first_of(const uint32_t *persons, uint64_t n, uint32_t wanted)
{
    uint64_t low = 0, high = n;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (persons[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static hd_code walk_lane(void *ctx, size_t lane, hd_err *err)
{
    walk *w = ctx;
    person p = {0};
    hd_code rc = HD_OK;
    uint64_t row = w->starts[lane], end = w->starts[lane + 1], event = 0;
    if (row < end)
        event = first_of(w->event_persons, w->n_events, w->persons[row]);
    while (row < end && rc == HD_OK) {
        uint32_t who = w->persons[row];
        uint64_t first = row, first_event;
        while (row < end && w->persons[row] == who)
            row++;
        while (event < w->n_events && w->event_persons[event] < who)
            event++;
        first_event = event;
        while (event < w->n_events && w->event_persons[event] == who)
            event++;
        if (who == 0)
            continue; /* the column starts as NULL */
        if (w->o->kind != ORDER_NTH)
            rc = take_events(w, &p, first_event, event, err);
        if (rc == HD_OK)
            walk_person(w, lane, &p, first, row);
        if (rc == HD_OK && w->stop && atomic_load_explicit(w->stop, memory_order_relaxed))
            rc = hd_fail(err, HD_CANCELLED, "the question was stopped");
    }
    hd_free(p.day);
    hd_free(p.row);
    return rc;
}

static size_t cut_lanes(walk *w)
{
    uint64_t n = w->n_rows / LANE_ROWS + 1;
    n = n > MAX_LANES ? MAX_LANES : n;
    for (uint64_t lane = 1; lane < n; lane++) {
        uint64_t at = w->n_rows / n * lane;
        w->starts[lane] = first_of(w->persons, w->n_rows, w->persons[at]);
    }
    w->starts[n] = w->n_rows;
    return n;
}

/* ---- events ---------------------------------------------------------------------------------- */

typedef struct truths {
    const hd_engine *e;
    const hd_k_question *q;
    uint8_t *out;
    uint64_t n_rows;
} truths;

static hd_code find_truths(void *ctx, size_t lane, hd_err *err)
{
    const truths *x = ctx;
    uint64_t end = (lane + 1) * (uint64_t)LANE_ROWS;
    uint8_t *work = hd_malloc(x->q->n_nodes * BATCH);
    if (!work)
        return hd_fail_nomem(err);
    end = end < x->n_rows ? end : x->n_rows;
    hd_code rc = HD_OK;
    for (uint64_t base = lane * (uint64_t)LANE_ROWS; base < end; base += BATCH) {
        size_t n = end - base < BATCH ? end - base : BATCH;
        HD_GO(hd_engine_go_on(x->e, err));
        hd_scan_truth(x->q, base, n, BATCH, work);
        memcpy(x->out + base, work + (size_t)x->q->where * BATCH, n);
    }
out:
    hd_free(work);
    return rc;
}

/* One byte a row of the event's table; *out stays NULL when every record is one. */
static hd_code find_events(hd_engine *e, asked *event, hd_table *t, uint8_t **out, hd_err *err)
{
    scan_plan *p = NULL;
    hd_code rc;
    *out = NULL;
    HD_GO(hd_orders_ready(e, event, t, err));
    HD_GO(hd_scan_plan_make(e, t, &event, 1, &p, err));
    if (p->q.where < 0)
        goto out;
    HD_GO(hd_scan_plan_bind(p, t, NULL, err));
    *out = hd_secret_map(p->q.n_rows);
    if (!*out) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    truths x = {e, &p->q, *out, p->q.n_rows};
    rc = hd_par_run((p->q.n_rows + LANE_ROWS - 1) / LANE_ROWS, find_truths, &x, err);
out:
    hd_scan_plan_free(p);
    return rc;
}

static hd_code load_days(hd_engine *e, const asked *a, hd_table *t, json_t *tree, days *out,
                         hd_err *err)
{
    hd_recalled *kept;
    hd_operand operand;
    HD_TRY(hd_coded_get(e, a, t, tree, &kept, &operand, err));
    const hd_coded *coded = kept->thing;
    hd_code rc = HD_OK;
    if (coded->type != HD_DATE)
        rc = hd_fail(err, HD_INVALID, "days are counted from dates, and %s is a %s", coded->text,
                     hd_type_name(coded->type));
    if (rc == HD_OK)
        rc = hd_operand_load(e, t, operand, &out->column, err);
    out->of_code = rc == HD_OK ? hd_calloc(coded->n_codes, sizeof *out->of_code) : NULL;
    if (rc == HD_OK && !out->of_code)
        rc = hd_fail_nomem(err);
    for (uint32_t c = 0; rc == HD_OK && c < coded->n_codes; c++)
        out->of_code[c] = coded->values[c].is_null ? NO_DAY : (int32_t)coded->values[c].integer;
    hd_recalled_drop(kept);
    return rc;
}

/* Events count by the day they begin on; before this record, by the day they end on. */
static hd_code load_event_days(hd_engine *e, const asked *event, hd_table *t, order_kind kind,
                               days *out, hd_err *err)
{
    bool by_end =
        (kind == ORDER_PREVIOUS || kind == ORDER_PREVIOUS_WITHIN) && *event->table->period;
    if (kind == ORDER_EVENTS || kind == ORDER_NTH)
        return HD_OK;
    json_t *column = hd_tree_new_column(by_end ? event->table->period : event->table->order[0]);
    if (!column)
        return hd_fail_nomem(err);
    hd_code rc = hd_resolve(e, (asked *)(uintptr_t)event, "", &column, err);
    if (rc == HD_OK)
        rc = load_days(e, event, t, column, out, err);
    json_decref(column);
    return rc;
}

/* ---- the column ------------------------------------------------------------------------------ */

static void release(void *thing)
{
    order_data *d = thing;
    hd_free(d->integers);
    hd_secret_unmap(d->data, d->bytes);
    hd_free(d);
}

/* Codes as narrow as the values allow, and the dictionary that says what they are. */
static hd_code make_data(const walk *w, size_t n_lanes, order_data **out, hd_err *err)
{
    bool is_truth = w->o->kind == ORDER_NEXT_WITHIN || w->o->kind == ORDER_PREVIOUS_WITHIN;
    uint32_t most = 1;
    for (size_t lane = 0; lane < n_lanes; lane++)
        most = w->most[lane] > most ? w->most[lane] : most;
    order_data *d = hd_calloc(1, sizeof *d);
    *out = d;
    if (!d)
        return hd_fail_nomem(err);
    uint32_t n_codes = is_truth ? 3 : most + 1;
    d->width = n_codes <= 256 ? 1 : n_codes <= 65536 ? 2 : 4;
    d->bytes = w->n_rows * d->width;
    d->integers = hd_calloc(n_codes, sizeof *d->integers);
    d->data = hd_secret_map(d->bytes);
    if (!d->integers || !d->data)
        return hd_fail_nomem(err);
    for (uint32_t c = 1; c < n_codes; c++)
        d->integers[c] = c - 1;
    d->dictionary = (hd_dictionary){
        .type = is_truth ? HD_BOOLEAN : HD_INTEGER, .n_codes = n_codes, .integers = d->integers};
    for (uint64_t row = 0; row < w->n_rows; row++)
        if (d->width == 1)
            ((uint8_t *)d->data)[row] = (uint8_t)w->out[row];
        else if (d->width == 2)
            ((uint16_t *)d->data)[row] = (uint16_t)w->out[row];
        else
            ((uint32_t *)d->data)[row] = w->out[row];
    return HD_OK;
}

static hd_code make_column(hd_engine *e, const asked *a, const order_column *o, hd_table *t,
                           order_data **out, hd_err *err)
{
    hd_table *events;
    uint8_t *is_event = NULL;
    hd_code rc;
    walk w = {.o = o,
              .n_rows = hd_table_rows(t),
              .stop = e->limits.stop,
              .is_same_table = a->table == o->event->table};
    *out = NULL;
    w.out = hd_secret_map(w.n_rows * sizeof *w.out);
    HD_GO(w.out ? HD_OK : hd_fail_nomem(err));
    HD_GO(hd_vault_table(e->vault, o->event->table->name, &events, err));
    w.n_events = hd_table_rows(events);
    HD_GO(hd_table_persons(t, &w.persons, err));
    HD_GO(hd_table_persons(events, &w.event_persons, err));
    HD_GO(find_events(e, o->event, events, &is_event, err));
    w.is_event = is_event;
    if (o->from)
        HD_GO(load_days(e, a, t, o->from, &w.from, err));
    HD_GO(load_event_days(e, o->event, events, o->kind, &w.event_days, err));
    size_t n_lanes = cut_lanes(&w);
    HD_GO(hd_par_run(n_lanes, walk_lane, &w, err));
    HD_GO(make_data(&w, n_lanes, out, err));
out:
    if (rc != HD_OK && *out) {
        release(*out);
        *out = NULL;
    }
    hd_free(w.from.of_code);
    hd_free(w.event_days.of_code);
    hd_secret_unmap(is_event, w.n_events);
    hd_secret_unmap(w.out, w.n_rows * sizeof *w.out);
    return rc;
}

hd_code hd_orders_ready(hd_engine *e, asked *a, hd_table *t, hd_err *err)
{
    for (size_t i = 0; i < a->n_orders; i++) {
        order_column *o = &a->orders[i];
        if (o->data && o->data_version == e->data_version)
            continue;
        hd_recalled_drop(o->data);
        o->data = NULL;
        hd_buf key;
        order_data *made = NULL;
        hd_code rc = hd_recall_key(&key, 'o', a->table->name, o->name, NULL, err);
        if (rc == HD_OK)
            o->data = hd_recall_find(e->recall, key.data, key.len);
        if (rc == HD_OK && !o->data) {
            rc = make_column(e, a, o, t, &made, err);
            if (rc == HD_OK)
                rc = hd_recall_keep(e->recall, key.data, key.len, made, made->bytes, release,
                                    &o->data, err);
        }
        hd_buf_free(&key);
        HD_TRY(rc);
        o->data_version = e->data_version;
    }
    return HD_OK;
}
