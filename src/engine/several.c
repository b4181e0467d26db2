/* several.c - see several.h.
 *
 * Invariant: codes ascend with the values and 0 is NULL, as in stored columns.
 */
#include "engine/several.h"
#include "base/alloc.h"
#include "base/par.h"
#include "crypto/digest.h"
#include "engine/made.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 4096, /* rows; a divisor of those of a block */
    MOST_NUMBERS = 1 << 26, /* of the table */
    MOST_VALUES = 1 << 22,  /* that DuckDB works out */
    RARE = 16               /* fewer numbers than a sixteenth of the rows: all are worked out */
};

/* ---- which ----------------------------------------------------------------------------------- */

struct reading {
    const asked *a;
    const char *names[HD_MAX_PARTS];
    size_t n;
    bool fits;
};

static json_t *read_column(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    struct reading *r = ctx;
    const char *name = hd_tree_column(node);
    if (!name) {
        *rc = hd_tree_each_child(node, read_column, ctx, err);
        return NULL;
    }
    size_t i = 0;
    while (i < r->n && strcmp(r->names[i], name) != 0)
        i++;
    column_ref ref = hd_column_parse(r->a, name);
    bool has_codes = ref.order || (ref.field && ref.any < 0 && ref.field->kind != HD_FIELD_KEY);
    if (i == HD_MAX_PARTS || !has_codes)
        r->fits = false;
    else if (i == r->n)
        r->names[r->n++] = name;
    return NULL;
}

/* The columns that an expression reads, when they are several and all have codes. */
static bool reads_several(const asked *a, const json_t *tree, struct reading *r)
{
    hd_code rc = HD_OK;
    hd_err ignored;
    *r = (struct reading){.a = a, .fits = true};
    (void)read_column(r, (json_t *)(uintptr_t)tree, &rc, &ignored);
    return r->fits && r->n > 1;
}

/* ---- definitions ----------------------------------------------------------------------------- */

static int add_bytes(const char *bytes, size_t len, void *digest)
{
    hd_digest_add(digest, bytes, len);
    return 0;
}

static void name_column(const asked *a, order_column *o)
{
    uint8_t bytes[HD_DIGEST];
    hd_digest d;
    hd_digest_begin(&d);
    hd_digest_add(&d, a->table->name, strlen(a->table->name) + 1);
    (void)json_dump_callback(o->tree, add_bytes, &d, JSON_COMPACT | JSON_ENCODE_ANY);
    hd_digest_end(&d, bytes);
    int n = snprintf(o->name, sizeof o->name, "#x");
    for (size_t i = 0; i < 16; i++)
        n += snprintf(o->name + n, sizeof o->name - (size_t)n, "%02x", bytes[i]);
}

/* *slot becomes the column; steals nothing when it fails. */
static hd_code take(hd_engine *e, asked *a, json_t **slot, bool as_boolean, hd_err *err)
{
    order_column o = {.kind = ORDER_EXPRESSION};
    if (!HD_GROW(a->orders, a->n_orders, a->orders_cap))
        return hd_fail_nomem(err);
    o.tree = as_boolean ? hd_tree_new_boolean(json_incref(*slot)) : json_incref(*slot);
    if (!o.tree)
        return hd_fail_nomem(err);
    name_column(a, &o);
    json_t *column = hd_tree_new_column(o.name);
    hd_code rc = column ? hd_text_of(e, *slot, &o.text, err) : hd_fail_nomem(err);
    if (rc != HD_OK) {
        json_decref(column);
        hd_order_free(&o);
        return rc;
    }
    (void)hd_order_keep(a, &o);
    json_decref(*slot);
    *slot = column;
    return HD_OK;
}

static hd_code take_value(hd_engine *e, asked *a, json_t **tree, hd_err *err)
{
    struct reading r;
    return *tree && reads_several(a, *tree, &r) ? take(e, a, tree, false, err) : HD_OK;
}

/* What stands between AND, OR and NOT. */
static hd_code take_condition(hd_engine *e, asked *a, json_t **tree, hd_err *err)
{
    struct reading r;
    if (!*tree || hd_single_column(*tree))
        return HD_OK;
    if (!hd_tree_is_logic(*tree))
        return reads_several(a, *tree, &r) ? take(e, a, tree, true, err) : HD_OK;
    json_t *children = json_object_get(*tree, "children");
    for (size_t i = 0; i < json_array_size(children); i++) {
        json_t *child = json_incref(json_array_get(children, i)), *before = child;
        hd_code rc = take_condition(e, a, &child, err);
        if (rc == HD_OK && child != before && json_array_set(children, i, child) != 0)
            rc = hd_fail_nomem(err);
        json_decref(child);
        HD_TRY(rc);
    }
    return HD_OK;
}

hd_code hd_take_several(hd_engine *e, asked *a, hd_err *err)
{
    HD_TRY(take_condition(e, a, &a->where, err));
    for (size_t k = 0; k < a->q.n_keys; k++)
        HD_TRY(take_value(e, a, &a->keys[k], err));
    for (size_t i = 0; i < a->q.n_aggregates; i++) {
        asked_aggregate *g = &a->aggregates[i];
        HD_TRY(take_condition(e, a, &g->filter, err));
        if (!g->is_person)
            HD_TRY(take_value(e, a, &g->argument, err));
    }
    return HD_OK;
}

static json_t *expand_below(void *ctx, json_t *node, hd_code *rc, hd_err *err)
{
    const asked *a = ctx;
    const char *name = hd_tree_column(node);
    if (name && strncmp(name, "#x", 2) == 0) {
        json_t *tree = hd_several_expand(a, node);
        *rc = tree ? HD_OK : hd_fail_nomem(err);
        return tree;
    }
    *rc = hd_tree_each_child(node, expand_below, ctx, err);
    return NULL;
}

json_t *hd_several_expand(const asked *a, json_t *tree)
{
    const char *name = hd_tree_column(tree);
    hd_err ignored;
    for (size_t i = 0; name && i < a->n_orders; i++)
        if (a->orders[i].kind == ORDER_EXPRESSION && strcmp(a->orders[i].name, name) == 0)
            return json_incref(a->orders[i].tree);
    if (name)
        return json_incref(tree);
    json_t *copy = json_deep_copy(tree);
    if (copy && hd_tree_each_child(copy, expand_below, (void *)(uintptr_t)a, &ignored) != HD_OK) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

hd_code hd_several_visit(const asked *a, json_t *tree, hd_tree_visit visit, void *ctx, hd_err *err)
{
    hd_code rc = HD_OK;
    if (!tree)
        return HD_OK;
    json_t *whole = hd_several_expand(a, tree);
    if (!whole)
        return hd_fail_nomem(err);
    (void)visit(ctx, whole, &rc, err);
    json_decref(whole);
    return rc;
}

/* ---- combinations ---------------------------------------------------------------------------- */

typedef struct mixture {
    hd_engine *e;
    hd_table *t;
    hd_operand operands[HD_MAX_PARTS];
    const hd_dictionary *dictionaries[HD_MAX_PARTS];
    hd_parts parts;     /* while rows are read */
    hd_combined *c;  /* until `out` has it */
    uint32_t *number;   /* n_values: those that are worked out */
    bool is_scanned;    /* they are those that some row has */
    bool is_too_much;   /* DuckDB must run the question */
    order_data *out;
} mixture;

/* Those that are not there yet: mostly none, so nobody waits for another processor's memory. */
static void mark(const hd_combined *c, const uint32_t *number, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t *there = &c->places[number[i] / 64].there, bit = UINT64_C(1) << number[i] % 64;
        if (!(__atomic_load_n(there, __ATOMIC_RELAXED) & bit))
            __atomic_fetch_or(there, bit, __ATOMIC_RELAXED);
    }
}

/* Both passes over the rows: which numbers are there, and then what code each row has. */
static hd_code pass(void *ctx, size_t block, hd_err *err)
{
    const mixture *m = ctx;
    uint64_t base = (uint64_t)block * HD_BLOCK_ROWS, end = base + HD_BLOCK_ROWS;
    uint32_t number[BATCH], scratch[BATCH];
    end = end < hd_table_rows(m->t) ? end : hd_table_rows(m->t);
    HD_TRY(hd_engine_go_on(m->e, err));
    HD_TRY(hd_feed_enter(m->parts.feed, (uint32_t)block, err));
    for (; base < end; base += BATCH) {
        size_t n = end - base < BATCH ? end - base : BATCH;
        hd_number_rows(m->c, m->parts.sources, base, n, scratch, number);
        if (!m->out) {
            mark(m->c, number, n);
            continue;
        }
        hd_numbers_to_codes(m->c, n, number);
        hd_put_codes(number, n, m->out->width, m->out->data, base);
    }
    hd_feed_leave(m->parts.feed, (uint32_t)block);
    explicit_bzero(number, sizeof number);
    explicit_bzero(scratch, sizeof scratch);
    return HD_OK;
}

static hd_code pass_rows(mixture *m, hd_err *err)
{
    hd_code rc = hd_parts_open(&m->parts, m->e, m->t, m->operands, m->c->n_parts, err);
    if (rc == HD_OK)
        rc = hd_par_run(hd_table_n_blocks(m->t), pass, m, err);
    hd_parts_close(&m->parts);
    return rc;
}

/* Of a limit so much is for the table of numbers, and for what DuckDB works out. */
static hd_code find_parts(mixture *m, const asked *a, const struct reading *r, hd_err *err)
{
    uint64_t n = 1, most = MOST_NUMBERS, limit = m->e->limits.memory_bytes;
    most = limit && limit / 4 < most ? limit / 4 : most;
    m->c = hd_calloc(1, sizeof *m->c);
    if (!m->c)
        return hd_fail_nomem(err);
    m->c->n_parts = r->n;
    for (size_t p = 0; p < r->n; p++) {
        HD_TRY(hd_operand_find(a, m->t, r->names[p], &m->operands[p], err));
        const hd_dictionary *d = m->dictionaries[p] = hd_operand_dictionary(m->t, m->operands[p]);
        m->c->times[p] = d ? d->n_codes : 0;
        n = d && n <= most ? n * d->n_codes : UINT64_MAX;
    }
    m->is_too_much = n > most;
    m->c->n = m->is_too_much ? 0 : (uint32_t)n;
    return HD_OK;
}

static void count_places(hd_combined *c)
{
    for (size_t i = 0; i <= c->n / 64; i++) {
        c->places[i].before = c->n_values;
        c->n_values += (uint32_t)__builtin_popcountll(c->places[i].there);
    }
}

static hd_code choose_numbers(mixture *m, hd_err *err)
{
    hd_combined *c = m->c;
    uint64_t limit = m->e->limits.memory_bytes, most = MOST_VALUES;
    most = limit && limit / 64 < most ? limit / 64 : most;
    m->is_scanned = c->n > hd_table_rows(m->t) / RARE || c->n > most;
    c->n_values = m->is_scanned ? 0 : c->n;
    if (m->is_scanned) {
        c->places = hd_secret_map((size_t)(c->n / 64 + 1) * sizeof *c->places);
        if (!c->places)
            return hd_fail_nomem(err);
        HD_TRY(pass_rows(m, err));
        count_places(c);
    }
    m->is_too_much = c->n_values > most;
    if (m->is_too_much)
        return HD_OK;
    m->number = hd_calloc((size_t)c->n_values + 1, sizeof *m->number);
    if (!m->number)
        return hd_fail_nomem(err);
    for (uint32_t i = 0, at = 0; i < c->n; i++)
        if (!m->is_scanned || c->places[i / 64].there >> i % 64 & 1)
            m->number[at++] = i;
    return HD_OK;
}

/* ---- values ---------------------------------------------------------------------------------- */

static hd_value value_of_part(void *ctx, uint64_t row, size_t column)
{
    const mixture *m = ctx;
    uint32_t number = m->number[row];
    if (column == 0)
        return (hd_value){.type = HD_INTEGER, .integer = (int64_t)row};
    for (size_t p = m->c->n_parts; p-- > column;)
        number /= m->c->times[p];
    const hd_dictionary *d = m->dictionaries[column - 1];
    return hd_dictionary_value(d, number % d->n_codes);
}

static hd_code evaluate(mixture *m, const struct reading *r, json_t *tree, hd_duck_result **out,
                        hd_err *err)
{
    hd_duck_column columns[HD_MAX_PARTS + 1] = {{"#code", HD_INTEGER}};
    size_t number;
    char *text = NULL;
    hd_buf sql;
    *out = NULL;
    for (size_t p = 0; p < m->c->n_parts; p++)
        columns[p + 1] = (hd_duck_column){r->names[p], m->dictionaries[p]->type};
    HD_TRY(hd_text_of(m->e, tree, &text, err));
    hd_buf_init(&sql, 1u << 24);
    hd_code rc = hd_duck_rows_add(m->e->duck, columns, m->c->n_parts + 1, m->c->n_values,
                                  value_of_part, m, &number, err);
    if (rc == HD_OK) {
        hd_buf_printf(&sql, "SELECT \"#code\", TRY(%s) FROM hd_rows(%zu)", text, number);
        rc = hd_buf_check(&sql, err);
        if (rc == HD_OK)
            rc = hd_duck_query_records(m->e->duck, sql.data, out, err);
        hd_duck_rows_remove(m->e->duck, number);
    }
    hd_free(text);
    hd_buf_free(&sql);
    HD_ALWAYS(rc != HD_OK || hd_duck_n_rows(*out) == m->c->n_values);
    return rc;
}

struct worked {
    hd_value value;
    uint32_t at; /* among the numbers */
};

static int compare_worked(const void *a, const void *b)
{
    return hd_value_compare(&((const struct worked *)a)->value, &((const struct worked *)b)->value);
}

static hd_code room_for_values(order_data *d, hd_type type, uint32_t n_codes, size_t text, hd_err *err)
{
    d->dictionary = (hd_dictionary){.type = type, .n_codes = n_codes};
    if (type == HD_TEXT) {
        d->text = hd_malloc(text);
        d->ends = hd_calloc(n_codes, sizeof *d->ends);
    } else if (type == HD_DECIMAL) {
        d->decimals = hd_calloc(n_codes, sizeof *d->decimals);
    } else {
        d->integers = hd_calloc(n_codes, sizeof *d->integers);
    }
    d->dictionary.integers = d->integers;
    d->dictionary.decimals = d->decimals;
    d->dictionary.bytes = d->text;
    d->dictionary.ends = d->ends;
    return (type == HD_TEXT ? d->text && d->ends : d->decimals || d->integers) ? HD_OK
                                                                              : hd_fail_nomem(err);
}

static void put_value(order_data *d, uint32_t code, const hd_value *v)
{
    if (d->dictionary.type == HD_DECIMAL) {
        d->decimals[code] = v->decimal;
    } else if (d->dictionary.type != HD_TEXT) {
        d->integers[code] = v->integer;
    } else {
        if (v->text.len)
            memcpy(d->text + d->ends[code - 1], v->text.bytes, v->text.len);
        d->ends[code] = d->ends[code - 1] + v->text.len;
    }
}

/* The different values, ascending, as the column's dictionary; the code of each number. */
static hd_code make_dictionary(mixture *m, order_data *out, const hd_duck_result *r, hd_err *err)
{
    hd_combined *c = m->c;
    struct worked *w = hd_calloc((size_t)c->n_values + 1, sizeof *w);
    uint32_t n = 0, code = 0, n_codes = 1;
    size_t text = 0;
    hd_code rc = HD_OK;
    c->code = hd_calloc((size_t)c->n_values + 1, sizeof *c->code);
    HD_GO(w && c->code ? HD_OK : hd_fail_nomem(err));
    for (size_t i = 0; i < c->n_values; i++) {
        hd_value v = hd_duck_value(r, i, 1);
        if (!v.is_null)
            w[n++] = (struct worked){v, (uint32_t)hd_duck_value(r, i, 0).integer};
    }
    qsort(w, n, sizeof *w, compare_worked);
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0 && compare_worked(&w[i - 1], &w[i]) == 0)
            continue;
        n_codes++;
        text += w[i].value.type == HD_TEXT ? w[i].value.text.len : 0;
    }
    HD_GO(room_for_values(out, hd_duck_column_type(r, 1), n_codes, text, err));
    for (uint32_t i = 0; i < n; i++) {
        if (i == 0 || compare_worked(&w[i - 1], &w[i]) != 0)
            put_value(out, ++code, &w[i].value);
        c->code[w[i].at] = code;
    }
out:
    hd_free(w);
    return rc;
}

/* A column that stays for the next question where it is small beside the limit; else it is made
 * again, block by block, whenever it is scanned (made.h). */
static hd_code make_rows(mixture *m, order_data *d, hd_err *err)
{
    uint32_t n_codes = d->dictionary.n_codes;
    d->width = n_codes <= 256 ? 1 : n_codes <= 65536 ? 2 : 4;
    d->bytes = hd_table_rows(m->t) * d->width;
    if (!hd_made_may_stay(m->e, d->bytes)) {
        d->bytes = hd_combined_bytes(m->c);
        d->combination = m->c;
        m->c = NULL;
        return HD_OK;
    }
    d->data = hd_secret_map(d->bytes);
    m->out = d;
    return d->data ? pass_rows(m, err) : hd_fail_nomem(err);
}

/* ---- the whole ------------------------------------------------------------------------------- */

hd_code hd_several_make(hd_engine *e, const asked *a, const order_column *o, hd_table *t,
                        order_data **out, hd_err *err)
{
    mixture m = {.e = e, .t = t};
    struct reading r;
    hd_duck_result *values = NULL;
    order_data *d = NULL;
    hd_hold *hold = NULL;
    hd_code rc;
    *out = NULL;
    HD_ALWAYS(reads_several(a, o->tree, &r));
    HD_TRY(hd_vault_hold(e->vault, &hold, err)); /* the columns need not stay */
    HD_GO(find_parts(&m, a, &r, err));
    if (m.is_too_much)
        goto out;
    HD_GO(choose_numbers(&m, err));
    if (m.is_too_much)
        goto out;
    d = hd_calloc(1, sizeof *d);
    HD_GO(d ? HD_OK : hd_fail_nomem(err));
    HD_GO(evaluate(&m, &r, o->tree, &values, err));
    HD_GO(make_dictionary(&m, d, values, err));
    HD_GO(make_rows(&m, d, err));
    *out = d;
    d = NULL;
out:
    hd_order_data_free(d);
    hd_duck_result_free(values);
    hd_combined_free(m.c);
    hd_free(m.number);
    hd_hold_release(hold);
    return rc;
}

hd_code hd_several_parts(const asked *a, order_column *o, hd_table *t, hd_err *err)
{
    struct reading r;
    if (o->n_parts > 0)
        return HD_OK;
    HD_ALWAYS(reads_several(a, o->tree, &r));
    o->parts = hd_calloc(r.n, sizeof *o->parts);
    if (!o->parts)
        return hd_fail_nomem(err);
    for (size_t p = 0; p < r.n; p++)
        HD_TRY(hd_operand_find(a, t, r.names[p], &o->parts[p], err));
    o->n_parts = r.n;
    return HD_OK;
}
