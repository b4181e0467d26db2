/* order.c - the columns of values over other records (order.h): what a walk needs, and what is made
 * of it. The walk itself is in order_walk.c.
 */
#include "engine/order_walk.h"
#include "base/alloc.h"
#include "base/par.h"
#include "engine/several.h"
#include "engine/shared.h"

enum { NARROW_ROWS = 1 << 18 }; /* that one thread takes at a time */

/* ---- what the walk needs ---------------------------------------------------------------------- */

static hd_code load_days(hd_engine *e, const asked *a, hd_table *t, json_t *tree, order_days *out,
                         hd_err *err)
{
    hd_recalled *kept;
    HD_TRY(hd_coded_get(e, a, t, tree, &kept, &out->operand, err));
    const hd_coded *coded = kept->thing;
    hd_code rc = HD_OK;
    if (coded->type != HD_DATE)
        rc = hd_fail(err, HD_INVALID, "days are counted from dates, and %s is a %s", coded->text,
                     hd_type_name(coded->type));
    if (rc == HD_OK && out->operand.order)
        rc = hd_operand_load(e, t, out->operand, &out->column, err);
    out->of_code = rc == HD_OK ? hd_calloc(coded->n_codes, sizeof *out->of_code) : NULL;
    if (rc == HD_OK && !out->of_code)
        rc = hd_fail_nomem(err);
    out->lowest = INT32_MAX;
    out->highest = INT32_MIN;
    for (uint32_t c = 0; rc == HD_OK && c < coded->n_codes; c++) {
        int64_t whole = coded->values[c].integer;
        bool is_day = !coded->values[c].is_null && whole > -ORDER_MOST_DAYS &&
                      whole < ORDER_MOST_DAYS;
        int32_t day = out->of_code[c] = is_day ? (int32_t)whole : ORDER_NO_DAY;
        out->is_even = c == 1 ? is_day : out->is_even && day == out->of_code[c - 1] + 1;
        if (!is_day)
            continue;
        out->lowest = day < out->lowest ? day : out->lowest;
        out->highest = day > out->highest ? day : out->highest;
    }
    hd_recalled_drop(kept);
    return rc;
}

/* Events count by the day they begin on; before this record, by the day they end on. */
static hd_code load_event_days(hd_engine *e, const asked *event, hd_table *t, order_kind kind,
                               order_days *out, hd_err *err)
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

/* *out stays NULL when every record is an event. */
static hd_code plan_condition(hd_engine *e, asked *event, hd_table *t, scan_plan **out, hd_err *err)
{
    HD_TRY(hd_orders_ready(e, event, t, err));
    HD_TRY(hd_scan_plan_make(e, t, &event, 1, out, err));
    if ((*out)->q.where >= 0)
        return HD_OK;
    hd_scan_plan_free(*out);
    *out = NULL;
    return HD_OK;
}

/* ---- the column ------------------------------------------------------------------------------ */

static bool is_truth(order_kind kind)
{
    return kind == ORDER_NEXT_WITHIN || kind == ORDER_PREVIOUS_WITHIN;
}

static unsigned width_for(int64_t most)
{
    return most < 256 ? 1 : most < 65536 ? 2 : 4;
}

/* Bytes a code that no value can pass. */
static unsigned safe_width(const order_walk *w)
{
    const order_days *a = &w->from, *b = &w->event_days;
    if (is_truth(w->kind))
        return 1;
    if (w->kind != ORDER_NEXT && w->kind != ORDER_PREVIOUS)
        return 4;
    if (a->lowest > a->highest || b->lowest > b->highest)
        return 1; /* no days, no values */
    int64_t most = w->kind == ORDER_NEXT ? (int64_t)b->highest - a->lowest
                                         : (int64_t)a->highest - b->lowest;
    return width_for(most + 1);
}

struct narrowing {
    const void *from;
    void *to;
    uint64_t n_rows;
    unsigned from_width, to_width;
};

static hd_code narrow_some(void *ctx, size_t number, hd_err *err)
{
    const struct narrowing *x = ctx;
    uint64_t i = (uint64_t)number * NARROW_ROWS;
    uint64_t end = i + NARROW_ROWS < x->n_rows ? i + NARROW_ROWS : x->n_rows;
    (void)err;
    if (x->from_width == 2)
        for (; i < end; i++)
            ((uint8_t *)x->to)[i] = (uint8_t)((const uint16_t *)x->from)[i];
    else if (x->to_width == 2)
        for (; i < end; i++)
            ((uint16_t *)x->to)[i] = (uint16_t)((const uint32_t *)x->from)[i];
    else
        for (; i < end; i++)
            ((uint8_t *)x->to)[i] = (uint8_t)((const uint32_t *)x->from)[i];
    return HD_OK;
}

/* Codes as narrow as the values allow; d takes the walk's when they are. */
static hd_code take_codes(order_walk *w, uint32_t most, order_data *d, hd_err *err)
{
    uint64_t n_rows = hd_table_rows(w->rows);
    d->width = width_for(most);
    d->bytes = n_rows * d->width;
    if (d->width >= w->width) {
        d->width = w->width;
        d->bytes = n_rows * d->width;
        d->data = w->out;
        w->out = NULL;
        return HD_OK;
    }
    d->data = hd_secret_map(d->bytes);
    if (!d->data)
        return hd_fail_nomem(err);
    struct narrowing x = {w->out, d->data, n_rows, w->width, d->width};
    return hd_par_run((n_rows + NARROW_ROWS - 1) / NARROW_ROWS, narrow_some, &x, err);
}

/* And the dictionary that says what they are. */
static hd_code make_data(order_walk *w, uint32_t most, order_data **out, hd_err *err)
{
    uint32_t n_codes = is_truth(w->kind) ? 3 : (most ? most : 1) + 1;
    order_data *d = hd_calloc(1, sizeof *d);
    *out = d;
    if (!d)
        return hd_fail_nomem(err);
    HD_TRY(take_codes(w, most, d, err));
    d->integers = hd_calloc(n_codes, sizeof *d->integers);
    if (!d->integers)
        return hd_fail_nomem(err);
    for (uint32_t c = 1; c < n_codes; c++)
        d->integers[c] = c - 1;
    d->dictionary = (hd_dictionary){.type = is_truth(w->kind) ? HD_BOOLEAN : HD_INTEGER,
                                    .n_codes = n_codes,
                                    .integers = d->integers};
    return HD_OK;
}

static hd_code make_column(hd_engine *e, const asked *a, const order_column *o, hd_table *t,
                           order_data **out, hd_err *err)
{
    order_walk w = {
        .engine = e, .kind = o->kind, .low = (int32_t)o->low, .high = (int32_t)o->high, .rows = t};
    hd_hold *hold = NULL;
    size_t bytes = 0;
    uint32_t most;
    hd_code rc;
    *out = NULL;
    /* What the walk reads need not stay for the scan that comes after it. */
    HD_TRY(hd_vault_hold(e->vault, &hold, err));
    HD_GO(hd_vault_table(e->vault, o->event->table->name, &w.events, err));
    HD_GO(plan_condition(e, o->event, w.events, &w.condition, err));
    if (o->from)
        HD_GO(load_days(e, a, t, o->from, &w.from, err));
    HD_GO(load_event_days(e, o->event, w.events, o->kind, &w.event_days, err));
    w.width = safe_width(&w);
    bytes = hd_table_rows(t) * w.width;
    w.out = hd_secret_map(bytes);
    HD_GO(w.out ? HD_OK : hd_fail_nomem(err));
    HD_GO(hd_order_walk(&w, &most, err));
    e->has_streamed |= w.has_streamed;
    HD_GO(make_data(&w, most, out, err));
out:
    if (rc != HD_OK && *out) {
        hd_order_data_free(*out);
        *out = NULL;
    }
    hd_scan_plan_free(w.condition);
    hd_free(w.from.of_code);
    hd_free(w.event_days.of_code);
    hd_secret_unmap(w.out, bytes);
    hd_hold_release(hold);
    return rc;
}

struct making {
    hd_engine *e;
    const asked *a;
    const order_column *o;
    hd_table *t;
};

static hd_code make_one(void *ctx, order_data **out, hd_err *err)
{
    const struct making *m = ctx;
    return m->o->kind == ORDER_EXPRESSION ? hd_several_make(m->e, m->a, m->o, m->t, out, err)
                                          : make_column(m->e, m->a, m->o, m->t, out, err);
}

hd_code hd_orders_ready(hd_engine *e, asked *a, hd_table *t, hd_err *err)
{
    a->q.fallback_reason = hd_kernel_obstacle(a);
    for (size_t i = 0; i < a->n_orders; i++) {
        order_column *o = &a->orders[i];
        if (o->data && o->data_version == e->data_version)
            continue;
        hd_recalled_drop(o->data);
        o->data = NULL;
        hd_free(o->parts);
        o->parts = NULL;
        o->n_parts = 0;
        hd_buf key;
        order_data *made = NULL;
        hd_code rc = hd_recall_key(&key, 'o', a->table->name, o->name, NULL, err);
        if (rc == HD_OK)
            o->data = hd_recall_find(e->recall, key.data, key.len);
        if (rc == HD_OK && !o->data) {
            struct making m = {e, a, o, t};
            rc = hd_shared_get(e, a->table->name, o->name, make_one, &m, &made, err);
            if (rc == HD_OK && !made)
                a->q.fallback_reason = "an expression reads several columns that have too many "
                                       "values together";
            else if (rc == HD_OK)
                rc = hd_recall_keep(e->recall, key.data, key.len, made, made->bytes,
                                    hd_order_data_free, &o->data, err);
        }
        hd_buf_free(&key);
        HD_TRY(rc);
        if (!o->data)
            return HD_OK;
        o->data_version = e->data_version;
        if (!((order_data *)o->data->thing)->data)
            HD_TRY(hd_several_parts(a, o, t, err));
    }
    return HD_OK;
}
