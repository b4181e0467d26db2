/* order_words.c - next(...), previous(...), events(...), nth(...) and within_days(...) of the
 * first two, from the words of a question to their definitions (order.h). */
#include "engine/order.h"
#include "base/alloc.h"
#include "crypto/digest.h"
#include "engine/asking.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct word {
    const char *name;
    order_kind kind, within;
    bool has_day; /* may be followed by the day to count from */
} word;

static const word words[] = {{"next", ORDER_NEXT, ORDER_NEXT_WITHIN, true},
                             {"previous", ORDER_PREVIOUS, ORDER_PREVIOUS_WITHIN, true},
                             {"events", ORDER_EVENTS, ORDER_EVENTS_WITHIN, false},
                             {"nth", ORDER_NTH, ORDER_NTH, false}};

static const word *find_word(const json_t *node)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(hd_tree_function(node), words[i].name) == 0)
            return &words[i];
    return NULL;
}

void hd_order_free(order_column *o)
{
    hd_recalled_drop(o->data);
    hd_free(o->parts);
    json_decref(o->from);
    json_decref(o->tree);
    hd_free(o->text);
    if (o->event)
        hd_question_free(&o->event->q);
}

const order_column *hd_order_keep(asked *a, order_column *o)
{
    size_t i = 0;
    while (i < a->n_orders && strcmp(a->orders[i].name, o->name) != 0)
        i++;
    if (i < a->n_orders)
        hd_order_free(o);
    else
        a->orders[a->n_orders++] = *o;
    return &a->orders[i];
}

/* ---- parts ----------------------------------------------------------------------------------- */

static hd_code whole_days(const json_t *node, int64_t *out, hd_err *err)
{
    const json_t *value = json_object_get(json_object_get(node, "value"), "value");
    enum { MOST = 100000 };
    if (!hd_tree_is(node, "CONSTANT") || !json_is_integer(value) ||
        json_integer_value(value) > MOST || json_integer_value(value) < -MOST)
        return hd_fail(err, HD_INVALID,
                       "days are plain whole numbers, as in within_days(next(...), 30)");
    *out = json_integer_value(value);
    return HD_OK;
}

struct qualifier {
    hd_engine *e;
    const asked *a;
    const char *alias;
    const hd_table_def *table; /* another table that a field names */
};

static json_t *see_qualifier(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    struct qualifier *q = ctx;
    const json_t *names = json_object_get(node, "column_names");
    if (hd_tree_column(node) && json_array_size(names) == 2) {
        const char *name = json_string_value(json_array_get(names, 0));
        const hd_table_def *t = hd_catalogue_table(q->e->catalogue, name);
        if (t && t != q->a->table && strcasecmp(name, q->alias) != 0)
            q->table = t;
    } else if (!find_word(node)) { /* what stands in there has tables of its own */
        *rc = hd_tree_each_child(node, see_qualifier, ctx, err);
    }
    return NULL;
}

/* The table whose records are the events; *is_all: the table's name stands alone. */
static hd_code event_table(hd_engine *e, const asked *a, const char *alias, json_t *node,
                           const hd_table_def **out, bool *is_all, hd_err *err)
{
    struct qualifier q = {e, a, alias, NULL};
    hd_code rc = HD_OK;
    const char *name = hd_tree_column(node);
    *is_all = false;
    if (name && json_array_size(json_object_get(node, "column_names")) == 1 &&
        !hd_table_def_field(a->table, name)) {
        *out = strcasecmp(name, alias) == 0 ? a->table : hd_catalogue_table(e->catalogue, name);
        if (*out) {
            *is_all = true;
            return HD_OK;
        }
    }
    (void)see_qualifier(&q, node, &rc, err);
    *out = q.table ? q.table : a->table;
    return rc;
}

static hd_code make_event(hd_engine *e, asked *a, const char *alias, json_t *node, asked **out,
                          hd_err *err)
{
    const hd_table_def *table;
    bool is_all;
    *out = NULL;
    HD_TRY(event_table(e, a, alias, node, &table, &is_all, err));
    asked *event = hd_calloc(1, sizeof *event);
    if (!event)
        return hd_fail_nomem(err);
    event->uses = 1;
    event->table = table;
    event->q.table = table->name;
    event->nested = a->nested + 1;
    *out = event; /* the caller frees it */
    if (event->nested > ORDER_MAX_NESTED)
        return hd_fail(err, HD_LIMIT, "next, previous and events may stand in each other %d deep",
                       ORDER_MAX_NESTED);
    if (is_all)
        return HD_OK;
    event->where = json_deep_copy(node);
    if (!event->where)
        return hd_fail_nomem(err);
    HD_TRY(hd_resolve(e, event, table == a->table ? alias : table->name, &event->where, err));
    a->sees_subnational |= event->sees_subnational;
    HD_TRY(hd_check_event(e, event, err));
    const char *why = hd_kernel_obstacle(event);
    return why ? hd_fail(err, HD_INVALID,
                         "an event is a condition on one field at a time, joined by "
                         "AND, OR and NOT: %s",
                         why)
               : HD_OK;
}

/* The day that is counted from: as written, or the table's own. */
static hd_code make_from(hd_engine *e, asked *a, const char *alias, const json_t *written,
                         order_column *o, hd_err *err)
{
    if (o->kind == ORDER_EVENTS || o->kind == ORDER_NTH)
        return HD_OK;
    bool from_end = o->kind == ORDER_NEXT || o->kind == ORDER_NEXT_WITHIN;
    const char *own = from_end ? a->table->period : a->table->n_order ? a->table->order[0] : "";
    if (!written && !*own)
        return hd_fail(err, HD_INVALID, "table %s has no day of its own to count from: name one",
                       a->table->name);
    o->from = written ? json_deep_copy(written) : hd_tree_new_column(own);
    if (!o->from)
        return hd_fail_nomem(err);
    hd_tree_normalise(o->from);
    HD_TRY(hd_resolve(e, a, alias, &o->from, err));
    HD_TRY(hd_guard_tree(a, o->from, "a day to count from", err));
    const char *column = hd_single_column(o->from);
    if (!column || !*column || *column == '#')
        return hd_fail(err, HD_INVALID, "the day to count from must be one date field of %s",
                       a->table->name);
    return HD_OK;
}

/* ---- the definition -------------------------------------------------------------------------- */

static int add_bytes(const char *bytes, size_t len, void *digest)
{
    hd_digest_add(digest, bytes, len);
    return 0;
}

static void add_tree(hd_digest *d, const json_t *tree)
{
    if (tree)
        (void)json_dump_callback(tree, add_bytes, d, JSON_COMPACT | JSON_ENCODE_ANY);
    hd_digest_add(d, "", 1);
}

/* A name that says all of it, so that equal definitions are one column in every question. */
static void name_column(const asked *a, order_column *o)
{
    bool is_truth = o->kind == ORDER_NEXT_WITHIN || o->kind == ORDER_PREVIOUS_WITHIN;
    uint8_t bytes[HD_DIGEST];
    char numbers[96];
    hd_digest d;
    snprintf(numbers, sizeof numbers, "%d %lld %lld", (int)o->kind, (long long)o->low,
             (long long)o->high);
    hd_digest_begin(&d);
    hd_digest_add(&d, numbers, strlen(numbers) + 1);
    hd_digest_add(&d, a->table->name, strlen(a->table->name) + 1);
    hd_digest_add(&d, o->event->table->name, strlen(o->event->table->name) + 1);
    add_tree(&d, o->from);
    add_tree(&d, o->event->where);
    for (size_t i = 0; i < o->event->n_any; i++)
        add_tree(&d, o->event->any[i].test);
    hd_digest_end(&d, bytes);
    int n = snprintf(o->name, sizeof o->name, is_truth ? "#tb" : "#tn");
    for (size_t i = 0; i < 16; i++)
        n += snprintf(o->name + n, sizeof o->name - (size_t)n, "%02x", bytes[i]);
}

static hd_code arguments(const json_t *node, const char *form, size_t least, size_t most, size_t *n,
                         hd_err *err)
{
    *n = json_array_size(json_object_get(node, "children"));
    if (*n < least || *n > most || json_is_true(json_object_get(node, "distinct")) ||
        json_is_object(json_object_get(node, "filter")))
        return hd_fail(err, HD_INVALID, "write %s", form);
    return HD_OK;
}

/* within: the within_days around it, or NULL. */
static hd_code define(hd_engine *e, asked *a, const char *alias, json_t *node, const json_t *within,
                      const word *w, order_column *o, hd_err *err)
{
    json_t *children = json_object_get(node, "children");
    const json_t *days = NULL, *from = NULL;
    size_t n, first = 0;
    o->kind = w->kind;
    if (w->has_day) {
        HD_TRY(arguments(node, "next(event) or next(event, day to count from); previous likewise",
                         1, 2, &n, err));
        from = n == 2 ? json_array_get(children, 1) : NULL;
    } else if (w->kind == ORDER_NTH) {
        HD_TRY(arguments(node, "nth(event)", 1, 1, &n, err));
    } else {
        HD_TRY(
            arguments(node, "events(event) or events(event, first day, last day)", 1, 3, &n, err));
        if (n == 2)
            return hd_fail(err, HD_INVALID, "write events(event, first day, last day)");
        days = n == 3 ? children : NULL;
        first = 1;
    }
    if (within) {
        HD_TRY(arguments(within, "within_days(next(...), 30) or within_days(next(...), 1, 30)", 2,
                         3, &n, err));
        days = json_object_get(within, "children");
        first = n == 3 ? 1 : 0;
    }
    if (days) {
        o->kind = w->within;
        if (first)
            HD_TRY(whole_days(json_array_get(days, first), &o->low, err));
        HD_TRY(whole_days(json_array_get(days, json_array_size(days) - 1), &o->high, err));
        if (within && o->low < 0)
            return hd_fail(err, HD_INVALID, "within_days counts from 0 days");
    }
    HD_TRY(make_event(e, a, alias, json_array_get(children, 0), &o->event, err));
    if (o->kind == ORDER_NTH && o->event->table != a->table)
        return hd_fail(err, HD_INVALID, "nth counts records of the table that is asked");
    if (o->event->table->n_order == 0)
        return hd_fail(err, HD_INVALID, "table %s has no day on which its records happen",
                       o->event->table->name);
    return make_from(e, a, alias, from, o, err);
}

hd_code hd_take_order(hd_engine *e, asked *a, const char *alias, json_t *node, json_t **out,
                      hd_err *err)
{
    json_t *inner = node;
    bool is_within = strcmp(hd_tree_function(node), "within_days") == 0;
    *out = NULL;
    if (is_within)
        inner = json_array_get(json_object_get(node, "children"), 0);
    const word *w = find_word(inner);
    if (is_within && (!w || !w->has_day))
        return hd_fail(err, HD_INVALID,
                       "within_days is for next and previous, as in "
                       "within_days(next(...), 30)");
    if (!w)
        return HD_OK;
    if (!HD_GROW(a->orders, a->n_orders, a->orders_cap))
        return hd_fail_nomem(err);
    order_column o = {0};
    hd_code rc = hd_text_of(e, node, &o.text, err);
    if (rc == HD_OK)
        rc = define(e, a, alias, inner, is_within ? node : NULL, w, &o, err);
    if (rc != HD_OK) {
        hd_order_free(&o);
        return rc;
    }
    name_column(a, &o);
    *out = hd_tree_new_column(hd_order_keep(a, &o)->name);
    return *out ? HD_OK : hd_fail_nomem(err);
}
