/* question.c - see question.h. */
#include "question.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"

/* ---- making -----------------------------------------------------------------------------------
 */

/* Most expressions read one column, so that the kernel can run the question. */
static node *make_one(maker *m, hd_type type, unsigned depth)
{
    bool several = chance(m, 4);
    if (!several)
        bind_column(m, type);
    node *n = make_expression(m, type, depth);
    free_column(m);
    return n;
}

/* AND, OR and NOT may join tests on different columns; each test reads one. */
static node *make_where(maker *m, unsigned depth)
{
    if (depth == 0 || chance(m, 40))
        return make_one(m, HD_BOOLEAN, below(m, 3));
    return make_junction(m, make_where(m, depth - 1), make_where(m, depth - 1));
}

static bool same_text(const maker *m, const node *a, const node *b)
{
    hd_buf x, y;
    hd_buf_init(&x, 1 << 20);
    hd_buf_init(&y, 1 << 20);
    print_node(m, a, &x);
    print_node(m, b, &y);
    bool same = strcmp(x.data, y.data) == 0;
    hd_buf_free(&x);
    hd_buf_free(&y);
    return same;
}

static void make_keys(maker *m, question *q)
{
    size_t n = below(m, 4);
    for (int tries = 0; q->n_keys < n && tries < 30; tries++) {
        node *key = chance(m, 10)   ? make_key_function(m)
                    : chance(m, 60) ? make_column(m, (hd_type)below(m, 4))
                                    : make_one(m, (hd_type)below(m, 5), below(m, 3));
        bool fresh = key != NULL && !is_constant(key);
        for (size_t k = 0; fresh && k < q->n_keys; k++)
            fresh = !same_text(m, key, q->keys[k]);
        if (fresh)
            q->keys[q->n_keys++] = key;
    }
}

static void make_sets(maker *m, question *q)
{
    uint32_t all = (1u << q->n_keys) - 1;
    q->grouping = (grouping)below(m, 7);
    if (q->n_keys == 0)
        q->grouping = BY_NAME;
    switch (q->grouping) {
    case BY_SETS:
        for (uint32_t n = 1 + below(m, 4), i = 0; i < n; i++) {
            uint32_t set = i == 0 ? all : below(m, all + 1);
            bool fresh = true;
            for (size_t s = 0; s < q->n_sets; s++)
                fresh &= q->sets[s] != set;
            if (fresh)
                q->sets[q->n_sets++] = set;
        }
        return;
    case BY_ROLLUP:
        for (size_t k = q->n_keys + 1; k-- > 0;)
            q->sets[q->n_sets++] = (1u << k) - 1;
        return;
    case BY_CUBE:
        for (uint32_t set = 0; set <= all; set++)
            q->sets[q->n_sets++] = set;
        return;
    default:
        q->sets[q->n_sets++] = all;
    }
}

static int some_key_field(const maker *m)
{
    for (size_t i = 0; i < m->t->n_fields; i++)
        if (m->t->fields[i].shape == KEY)
            return (int)i;
    return -1;
}

static aggregate make_aggregate(maker *m)
{
    aggregate a = {.measure = (measure)below(m, N_MEASURES), .key = some_key_field(m)};
    hd_type number = chance(m, 50) ? HD_INTEGER : HD_DECIMAL;
    if (a.measure == COUNT_KEYS && chance(m, 60))
        a.measure = COUNT_PEOPLE; /* keys have no dictionary: such questions go to DuckDB */
    switch (a.measure) {
    case COUNT_ROWS:
    case COUNT_PEOPLE:
    case COUNT_KEYS:
        break;
    case COUNT_VALUES:
    case COUNT_DIFFERENT:
        a.argument = make_one(m, (hd_type)below(m, 5), below(m, 3));
        break;
    case MIN:
    case MAX:
        a.argument = make_one(m, (hd_type)below(m, 4), below(m, 3));
        break;
    default:
        a.argument = make_one(m, number, below(m, 3));
    }
    if (chance(m, 30))
        a.filter = make_where(m, 1);
    a.quantile = (double)below(m, 21) / 20;
    return a;
}

void question_make(maker *m, question *q)
{
    *q = (question){.t = m->t};
    m->column = -1;
    m->prefix = chance(m, 15) ? "x." : "";
    if (chance(m, 70))
        q->where = make_where(m, 2);
    make_keys(m, q);
    make_sets(m, q);
    for (size_t n = 1 + below(m, 1 + below(m, MAX_AGGREGATES)), i = 0; i < n; i++)
        q->aggregates[q->n_aggregates++] = make_aggregate(m);
    q->has_having = chance(m, 8);
    q->has_order = chance(m, 8);
}

/* ---- printing ---------------------------------------------------------------------------------
 */

static void print_aggregate(const maker *m, const aggregate *a, hd_buf *sql)
{
    static const char *const before[N_MEASURES] = {
        [COUNT_ROWS] = "count(*",
        [COUNT_VALUES] = "count(",
        [COUNT_PEOPLE] = "count(DISTINCT ",
        [COUNT_KEYS] = "count(DISTINCT ",
        [COUNT_DIFFERENT] = "count(DISTINCT ",
        [SUM] = "sum(",
        [AVG] = "avg(",
        [MIN] = "min(",
        [MAX] = "max(",
        [MEDIAN] = "median(",
        [QUANTILE] = "quantile_cont(",
        [STDDEV] = "stddev_samp(",
        [VARIANCE] = "var_samp(",
    };
    hd_buf_str(sql, before[a->measure]);
    if (a->argument)
        print_node(m, a->argument, sql);
    else if (a->measure == COUNT_PEOPLE)
        hd_buf_printf(sql, "%sperson", m->prefix);
    else if (a->measure == COUNT_KEYS)
        hd_buf_printf(sql, "%s%s", m->prefix, m->t->fields[a->key].name);
    if (a->measure == QUANTILE)
        hd_buf_printf(sql, ", %.2f", a->quantile);
    hd_buf_char(sql, ')');
    if (a->filter) {
        hd_buf_str(sql, " FILTER (WHERE ");
        print_node(m, a->filter, sql);
        hd_buf_char(sql, ')');
    }
}

static void print_keys(const maker *m, const question *q, uint32_t set, hd_buf *sql)
{
    const char *comma = "";
    for (size_t k = 0; k < q->n_keys; k++)
        if (set >> k & 1) {
            hd_buf_str(sql, comma);
            print_node(m, q->keys[k], sql);
            comma = ", ";
        }
}

static void print_grouping(const maker *m, const question *q, hd_buf *sql)
{
    uint32_t all = (1u << q->n_keys) - 1;
    hd_buf_str(sql, " GROUP BY ");
    switch (q->grouping) {
    case BY_ORDINAL:
    case BY_ALIAS:
        for (size_t k = 0; k < q->n_keys; k++)
            hd_buf_printf(sql, q->grouping == BY_ALIAS ? "%sname_%zu" : "%s%zu", k ? ", " : "",
                          k + 1);
        return;
    case BY_ALL:
        hd_buf_str(sql, "ALL");
        return;
    case BY_SETS:
        hd_buf_str(sql, "GROUPING SETS (");
        for (size_t s = 0; s < q->n_sets; s++) {
            hd_buf_str(sql, s ? ", (" : "(");
            print_keys(m, q, q->sets[s], sql);
            hd_buf_char(sql, ')');
        }
        hd_buf_char(sql, ')');
        return;
    case BY_ROLLUP:
    case BY_CUBE:
        hd_buf_str(sql, q->grouping == BY_CUBE ? "CUBE (" : "ROLLUP (");
        print_keys(m, q, all, sql);
        hd_buf_char(sql, ')');
        return;
    default:
        print_keys(m, q, all, sql);
    }
}

void question_print(const maker *m, const question *q, hd_buf *sql)
{
    hd_buf_str(sql, "SELECT ");
    for (size_t k = 0; k < q->n_keys; k++) {
        print_node(m, q->keys[k], sql);
        if (q->grouping == BY_ALIAS)
            hd_buf_printf(sql, " AS name_%zu", k + 1);
        hd_buf_str(sql, ", ");
    }
    for (size_t i = 0; i < q->n_aggregates; i++) {
        hd_buf_str(sql, i ? ", " : "");
        print_aggregate(m, &q->aggregates[i], sql);
    }
    hd_buf_printf(sql, " FROM %s%s", q->t->name, *m->prefix ? " AS x" : "");
    if (q->where) {
        hd_buf_str(sql, " WHERE ");
        print_node(m, q->where, sql);
    }
    if (q->n_keys)
        print_grouping(m, q, sql);
    if (q->has_having)
        hd_buf_str(sql, " HAVING count(*) > 2");
    if (q->has_order)
        hd_buf_str(sql, " ORDER BY 1 DESC NULLS LAST LIMIT 3");
}

/* ---- answering --------------------------------------------------------------------------------
 */

typedef struct keyed {
    hd_value keys[MAX_KEYS];
    uint32_t row;
} keyed;

static int compare_keys(const hd_value *a, const hd_value *b)
{
    for (size_t k = 0; k < MAX_KEYS; k++) {
        if (a[k].is_null != b[k].is_null)
            return a[k].is_null ? -1 : 1;
        int c = a[k].is_null ? 0 : compare_values(&a[k], &b[k]);
        if (c)
            return c;
    }
    return 0;
}

static int compare_keyed(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    int c = compare_keys(x->keys, y->keys);
    return c ? c : (x->row > y->row) - (x->row < y->row);
}

int compare_cells(const void *a, const void *b)
{
    const cell *x = a, *y = b;
    if (x->set != y->set)
        return x->set < y->set ? -1 : 1;
    return compare_keys(x->keys, y->keys);
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Distinct numbers other than 0: nobody is no person, and a key of 0 is NULL. */
static int64_t count_different(maker *m, const uint64_t *from, size_t n)
{
    uint64_t *sorted = maker_alloc(m, n * sizeof *sorted);
    int64_t count = 0;
    if (n)
        memcpy(sorted, from, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_numbers);
    for (size_t i = 0; i < n; i++)
        count += sorted[i] != 0 && (i == 0 || sorted[i] != sorted[i - 1]);
    return count;
}

static int64_t count_people(maker *m, const question *q, const uint32_t *rows, size_t n)
{
    uint64_t *people = maker_alloc(m, n * sizeof *people);
    for (size_t i = 0; i < n; i++)
        people[i] = q->t->persons[rows[i]];
    return count_different(m, people, n);
}

static int compare_plain(const void *a, const void *b)
{
    return compare_values(a, b);
}

static double as_double(const hd_value *v)
{
    return v->type == HD_DECIMAL ? v->decimal : (double)v->integer;
}

/* n sorted values, at least one. */
static void summarise(const aggregate *a, const hd_value *v, size_t n, figure *out)
{
    long double sum = 0, squares = 0;
    int64_t whole = 0;
    out->value = (hd_value){.type = HD_DECIMAL};
    for (size_t i = 0; i < n; i++) {
        sum += as_double(&v[i]);
        whole += v[i].type == HD_DECIMAL ? 0 : v[i].integer;
        out->scale = fmax(out->scale, fabs(as_double(&v[i])));
    }
    long double mean = sum / (long double)n;
    for (size_t i = 0; i < n; i++)
        squares += (as_double(&v[i]) - mean) * (as_double(&v[i]) - mean);
    double at = (a->measure == MEDIAN ? 0.5 : a->quantile) * (double)(n - 1);
    double low = as_double(&v[(size_t)floor(at)]), high = as_double(&v[(size_t)ceil(at)]);
    switch (a->measure) {
    case SUM:
        if (v[0].type == HD_INTEGER)
            out->value = (hd_value){.type = HD_INTEGER, .integer = whole};
        else
            out->value.decimal = (double)sum;
        out->scale *= (double)n;
        break;
    case AVG:
        out->value.decimal = (double)mean;
        break;
    case MEDIAN:
    case QUANTILE:
        out->value.decimal = low + (high - low) * (at - floor(at));
        break;
    default:
        out->value.is_null = n < 2;
        out->value.decimal = n < 2 ? 0 : (double)(squares / (long double)(n - 1));
        if (a->measure == STDDEV)
            out->value.decimal = sqrt(out->value.decimal);
        else
            out->scale *= out->scale;
    }
}

static void answer_values(const aggregate *a, hd_value *values, size_t n, figure *out)
{
    qsort(values, n, sizeof *values, compare_plain);
    if (a->measure == COUNT_VALUES || a->measure == COUNT_DIFFERENT) {
        int64_t count = 0;
        for (size_t i = 0; i < n; i++)
            count += a->measure == COUNT_VALUES || i == 0 ||
                     compare_values(&values[i], &values[i - 1]) != 0;
        out->value = (hd_value){.type = HD_INTEGER, .integer = count};
    } else if (n == 0) {
        out->value = (hd_value){.is_null = true};
    } else if (a->measure == MIN || a->measure == MAX) {
        out->value = a->measure == MIN ? values[0] : values[n - 1];
    } else {
        summarise(a, values, n, out);
    }
}

static figure answer_aggregate(maker *m, const question *q, const aggregate *a, const keyed *rows,
                               size_t n_rows)
{
    figure out = {0};
    size_t n = 0;
    uint32_t *kept = maker_alloc(m, n_rows * sizeof *kept);
    hd_value *values = maker_alloc(m, n_rows * sizeof *values);
    uint64_t *keys = maker_alloc(m, n_rows * sizeof *keys);
    for (size_t i = 0; i < n_rows; i++) {
        uint32_t row = rows[i].row;
        if (a->filter) {
            hd_value passes = evaluate(m, a->filter, row);
            if (passes.is_null || !passes.integer)
                continue;
        }
        hd_value v = a->argument ? evaluate(m, a->argument, row) : (hd_value){0};
        if (a->measure == COUNT_KEYS) {
            keys[n] = q->t->keys[a->key][row];
            v.is_null = keys[n] == 0;
        }
        if (v.is_null)
            continue;
        values[n] = v;
        kept[n++] = row;
    }
    out.records = (int64_t)n;
    out.persons = count_people(m, q, kept, n);
    out.value = (hd_value){.type = HD_INTEGER, .integer = out.records};
    if (a->measure == COUNT_PEOPLE)
        out.value.integer = out.persons;
    else if (a->measure == COUNT_KEYS)
        out.value.integer = count_different(m, keys, n);
    else if (a->argument)
        answer_values(a, values, n, &out);
    return out;
}

static void answer_set(maker *m, const question *q, uint32_t set, const uint32_t *passing, size_t n,
                       cell *cells, size_t *n_cells)
{
    keyed *rows = maker_alloc(m, (n + 1) * sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        rows[i].row = passing[i];
        for (size_t k = 0; k < MAX_KEYS; k++)
            rows[i].keys[k] = k < q->n_keys && (set >> k & 1) ? evaluate(m, q->keys[k], passing[i])
                                                              : (hd_value){.is_null = true};
    }
    qsort(rows, n, sizeof *rows, compare_keyed);
    for (size_t i = 0, end; i < n || (n == 0 && set == 0); i = end) {
        cell *c = &cells[(*n_cells)++];
        for (end = i; end < n && compare_keys(rows[end].keys, rows[i].keys) == 0;)
            end++;
        uint32_t *all = maker_alloc(m, (end - i) * sizeof *all);
        for (size_t k = i; k < end; k++)
            all[k - i] = rows[k].row;
        *c = (cell){.set = set, .records = (int64_t)(end - i)};
        c->persons = count_people(m, q, all, end - i);
        for (size_t k = 0; k < MAX_KEYS; k++)
            c->keys[k] = n ? rows[i].keys[k] : (hd_value){.is_null = true};
        for (size_t a = 0; a < q->n_aggregates; a++)
            c->figures[a] = answer_aggregate(m, q, &q->aggregates[a], rows + i, end - i);
        if (n == 0)
            break;
    }
}

cell *question_answer(maker *m, const question *q, size_t *n_cells)
{
    uint32_t *passing = maker_alloc(m, q->t->n_rows * sizeof *passing);
    size_t n = 0;
    for (size_t row = 0; row < q->t->n_rows; row++) {
        hd_value v = q->where ? evaluate(m, q->where, row) : (hd_value){.integer = 1};
        if (!v.is_null && v.integer)
            passing[n++] = (uint32_t)row;
    }
    cell *cells = maker_alloc(m, (n + 1) * q->n_sets * sizeof *cells);
    *n_cells = 0;
    for (size_t s = 0; s < q->n_sets; s++)
        answer_set(m, q, q->sets[s], passing, n, cells, n_cells);
    qsort(cells, *n_cells, sizeof *cells, compare_cells);
    return cells;
}
