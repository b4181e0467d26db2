/* expression.c - see expression.h. */
#include "expression.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"

/* ---- memory and chance ------------------------------------------------------------------------
 */

struct chunk {
    struct chunk *next;
    char bytes[];
};

void maker_reset(maker *m)
{
    while (m->chunks) {
        struct chunk *next = m->chunks->next;
        free(m->chunks);
        m->chunks = next;
    }
    m->next = m->end = NULL;
}

void *maker_alloc(maker *m, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (!m->next || (size_t)(m->end - m->next) < size) {
        size_t n = size > 1u << 18 ? size : 1u << 18;
        struct chunk *c = malloc(sizeof *c + n);
        if (!c)
            abort();
        c->next = m->chunks;
        m->chunks = c;
        m->next = c->bytes;
        m->end = c->bytes + n;
    }
    void *p = m->next;
    m->next += size;
    memset(p, 0, size);
    return p;
}

uint32_t below(maker *m, uint32_t n)
{
    return hd_rng_below(&m->rng, n);
}

bool chance(maker *m, uint32_t in_hundred)
{
    return below(m, 100) < in_hundred;
}

hd_type node_type(const node *n)
{
    return n->type;
}

bool is_constant(const node *n)
{
    if (n->op == COLUMN || n->op == ELEMENT || n->op == ANY)
        return false;
    for (size_t i = 0; i < n->n_kids; i++)
        if (!is_constant(n->kids[i]))
            return false;
    return true;
}

static node *new_node(maker *m, op kind, hd_type type)
{
    node *n = maker_alloc(m, sizeof *n);
    n->op = kind;
    n->type = type;
    n->field = -1;
    return n;
}

static node *with_kids(node *n, node *a, node *b, node *c)
{
    node *kids[] = {a, b, c};
    for (size_t i = 0; i < 3 && kids[i]; i++)
        n->kids[n->n_kids++] = kids[i];
    return n;
}

/* ---- making: leaves ---------------------------------------------------------------------------
 */

static const field *field_of(const maker *m, int i)
{
    return &m->t->fields[i];
}

void bind_column(maker *m, hd_type type)
{
    for (int tries = 0; tries < 40; tries++) {
        int i = (int)below(m, (uint32_t)m->t->n_fields);
        const field *f = field_of(m, i);
        if (f->shape == KEY || (f->type != type && tries < 8 && chance(m, 70)))
            continue;
        m->column = i;
        m->position = f->shape == LIST ? 1 + below(m, f->n_elements) : 0;
        return;
    }
}

void free_column(maker *m)
{
    m->column = -1;
}

static node *column_node(maker *m, int at, unsigned position)
{
    node *n = new_node(m, field_of(m, at)->shape == LIST ? ELEMENT : COLUMN, field_of(m, at)->type);
    n->field = at;
    n->element = position;
    return n;
}

node *make_column(maker *m, hd_type type)
{
    if (m->column >= 0)
        return field_of(m, m->column)->type == type ? column_node(m, m->column, m->position) : NULL;
    for (int tries = 0; tries < 60; tries++) {
        int i = (int)below(m, (uint32_t)m->t->n_fields);
        const field *f = field_of(m, i);
        if (f->shape != KEY && f->type == type)
            return column_node(m, i, f->shape == LIST ? 1 + below(m, f->n_elements) : 0);
    }
    return NULL;
}

/* A value that some row has in the column of `like`, or another. */
static hd_value some_value(maker *m, hd_type type, const node *like)
{
    static const char *const words[] = {"1", "2A", "E11", "R07",         "W1",
                                        "",  "%",  "zz",  "\xE6\x97\xA5"};
    hd_value v = {.type = type};
    if (like && like->field >= 0 && m->t->n_rows && chance(m, 80)) {
        size_t row = below(m, (uint32_t)m->t->n_rows);
        v = evaluate(m, like, row);
        if (!v.is_null && v.type == type)
            return v;
        v = (hd_value){.type = type};
    }
    switch (type) {
    case HD_TEXT:
        return text_value(words[below(m, 9)]);
    case HD_INTEGER:
        v.integer = (int64_t)below(m, 40) - 5;
        break;
    case HD_DECIMAL:
        v.decimal = ((double)below(m, 400) - 100) / 4;
        break;
    case HD_DATE:
        v.integer = 16000 + below(m, 900);
        break;
    case HD_BOOLEAN:
        v.integer = below(m, 2);
        break;
    }
    return v;
}

static node *constant_node(maker *m, hd_value v)
{
    node *n = new_node(m, CONSTANT, v.type);
    n->constant = v;
    return n;
}

static node *make_leaf(maker *m, hd_type type)
{
    node *n = chance(m, 85) ? make_column(m, type) : NULL;
    if (n)
        return n;
    hd_value v = some_value(m, type, NULL);
    v.is_null = chance(m, 5);
    return constant_node(m, v);
}

/* ---- making: tests ----------------------------------------------------------------------------
 */

static void add_values(maker *m, node *n, const node *like, size_t count)
{
    for (size_t i = 0; i < count; i++)
        n->list[n->n_list++] = some_value(m, like->type, like);
}

/* A pattern made from a value: parts of it replaced by % and _. */
static hd_value make_pattern(maker *m, const node *like)
{
    hd_value v = some_value(m, HD_TEXT, like);
    char *out = maker_alloc(m, v.text.len + 3);
    size_t n = 0;
    bool plain = chance(m, 20);
    if (!plain && chance(m, 30))
        out[n++] = '%';
    for (size_t i = 0; i < v.text.len; i++) {
        unsigned char c = (unsigned char)v.text.bytes[i];
        bool single = c < 0x80 && (i + 1 >= v.text.len || (v.text.bytes[i + 1] & 0xC0) != 0x80);
        if (!plain && single && chance(m, 20))
            out[n++] = chance(m, 50) ? '_' : '%';
        else if (c != '\\')
            out[n++] = (char)c;
    }
    if (!plain && chance(m, 60))
        out[n++] = '%';
    return (hd_value){.type = HD_TEXT, .text = {out, n}};
}

static const struct {
    const char *name;
    const char *codes[5];
} codelists[] = {{"sugar", {"E10", "E11", "E14", "R73"}}, {"heart", {"I2"}}};

static node *make_codelist(maker *m, node *n)
{
    uint32_t which = below(m, 2);
    n->text = codelists[which].name;
    for (size_t i = 0; codelists[which].codes[i]; i++)
        n->list[n->n_list++] = text_value(codelists[which].codes[i]);
    return n;
}

static node *make_any(maker *m, int at)
{
    static const char *const tests[] = {"=", "in", "like", "starts_with", "codelist"};
    node *n = new_node(m, ANY, HD_BOOLEAN);
    n->field = at;
    n->text = tests[below(m, 5)];
    n->negated = chance(m, 30) && strcmp(n->text, "starts_with") != 0;
    node element = {.op = ELEMENT, .type = HD_TEXT, .field = at, .element = 1};
    if (strcmp(n->text, "codelist") == 0) {
        make_codelist(m, n);
    } else if (strcmp(n->text, "like") == 0) {
        n->list[n->n_list++] = make_pattern(m, &element);
    } else {
        add_values(m, n, &element, strcmp(n->text, "in") == 0 ? 1 + below(m, 4) : 1);
    }
    return n;
}

static int some_list(maker *m)
{
    if (m->column >= 0)
        return field_of(m, m->column)->shape == LIST && chance(m, 60) ? m->column : -1;
    for (int tries = 0; tries < 10; tries++) {
        int i = (int)below(m, (uint32_t)m->t->n_fields);
        if (field_of(m, i)->shape == LIST)
            return i;
    }
    return -1;
}

static node *make_comparison(maker *m, node *a, unsigned depth)
{
    static const char *const signs[] = {"=", "<>", "<", "<=", ">", ">="};
    node *n = new_node(m, COMPARE, HD_BOOLEAN);
    n->text = signs[below(m, 6)];
    node *b = chance(m, 25) ? make_expression(m, a->type, depth) : NULL;
    if (!b || (a->op == CONSTANT && b->op == CONSTANT))
        b = constant_node(m, some_value(m, a->type, a));
    return with_kids(n, a, b, NULL);
}

static node *make_text_test(maker *m, node *a)
{
    static const op ops[] = {LIKE, NOT_LIKE, CODELIST, NOT_CODELIST};
    node *n = with_kids(new_node(m, ops[below(m, 4)], HD_BOOLEAN), a, NULL, NULL);
    if (n->op == CODELIST || n->op == NOT_CODELIST)
        return make_codelist(m, n);
    n->list[n->n_list++] = make_pattern(m, a);
    return n;
}

static node *make_test(maker *m, unsigned depth)
{
    int list = chance(m, 25) ? some_list(m) : -1;
    if (list >= 0)
        return make_any(m, list);
    hd_type type = m->column >= 0 ? field_of(m, m->column)->type : (hd_type)below(m, 4);
    node *a = make_expression(m, type, depth ? depth - 1 : 0);
    uint32_t kind = below(m, 12);
    if (kind < 5)
        return make_comparison(m, a, depth ? depth - 1 : 0);
    if (kind == 5)
        return with_kids(new_node(m, chance(m, 50) ? IS_NULL : IS_NOT_NULL, HD_BOOLEAN), a, NULL,
                         NULL);
    if (kind == 6)
        return with_kids(new_node(m, IS_NOT_DISTINCT, HD_BOOLEAN), a,
                         constant_node(m, some_value(m, type, a)), NULL);
    if (kind == 7)
        return with_kids(new_node(m, chance(m, 70) ? BETWEEN : NOT_BETWEEN, HD_BOOLEAN), a,
                         constant_node(m, some_value(m, type, a)),
                         constant_node(m, some_value(m, type, a)));
    if (kind < 10 && type == HD_TEXT)
        return make_text_test(m, a);
    node *n = with_kids(new_node(m, chance(m, 70) ? IN : NOT_IN, HD_BOOLEAN), a, NULL, NULL);
    add_values(m, n, a, 1 + below(m, 4));
    if (chance(m, 10))
        n->list[n->n_list++] = (hd_value){.type = type, .is_null = true};
    return n;
}

node *make_condition(maker *m, unsigned depth)
{
    static const op ops[] = {AND, AND, OR, OR, NOT, IS_TRUE};
    if (depth == 0 || chance(m, 40))
        return make_test(m, depth);
    node *n = new_node(m, ops[below(m, 6)], HD_BOOLEAN);
    bool two = n->op == AND || n->op == OR;
    size_t count = two ? 2 + below(m, MAX_KIDS - 1) : 1;
    for (size_t i = 0; i < count; i++)
        n->kids[n->n_kids++] = make_condition(m, depth - 1);
    return n;
}

node *make_junction(maker *m, node *a, node *b)
{
    static const op ops[] = {AND, AND, OR, OR, NOT};
    op kind = ops[below(m, 5)];
    return with_kids(new_node(m, kind, HD_BOOLEAN), a, kind == NOT ? NULL : b, NULL);
}

/* ---- making: values ---------------------------------------------------------------------------
 */

static node *make_function(maker *m, hd_type type, unsigned depth)
{
    const function *fn = function_pick(m, type);
    if (!fn)
        return NULL;
    node *n = new_node(m, FUNCTION, type);
    n->fn = fn;
    for (size_t i = 0; fn->arguments[i]; i++) {
        const char kind = fn->arguments[i];
        hd_value v;
        node *a = function_constant(m, kind, &v)
                      ? constant_node(m, v)
                      : make_expression(m, function_type(kind), depth - 1);
        bool leaf = a->op == COLUMN || a->op == ELEMENT || a->op == CONSTANT;
        if (kind == 'a' && (!leaf || (a->field >= 0 && !field_of(m, a->field)->is_ascii)))
            return NULL; /* upper and lower of plain letters only */
        n->kids[n->n_kids++] = a;
    }
    return n;
}

node *make_key_function(maker *m)
{
    node *day = make_column(m, HD_DATE);
    if (!day)
        return NULL;
    node *n = with_kids(new_node(m, FUNCTION, HD_DATE), day, NULL, NULL);
    n->fn = function_pick_key(m);
    return n;
}

static node *make_case(maker *m, hd_type type, unsigned depth)
{
    node *n = with_kids(new_node(m, CASE, type), make_condition(m, depth - 1),
                        make_expression(m, type, depth - 1), NULL);
    if (chance(m, 70))
        n->kids[n->n_kids++] = make_expression(m, type, depth - 1);
    return n;
}

node *make_expression(maker *m, hd_type type, unsigned depth)
{
    static const op ops[] = {COALESCE, NULLIF, GREATEST, LEAST};
    if (type == HD_BOOLEAN)
        return make_condition(m, depth);
    bool awkward = m->column >= 0 && field_of(m, m->column)->type != type;
    if (depth == 0 && awkward && chance(m, 80)) /* the one way left to read the column */
        return with_kids(new_node(m, CASE, type), make_test(m, 0), make_leaf(m, type),
                         make_leaf(m, type));
    if (depth == 0 || (!awkward && chance(m, 45)))
        return make_leaf(m, type);
    node *n = chance(m, 60) ? make_function(m, type, depth) : NULL;
    if (n)
        return n;
    if (chance(m, 50))
        return make_case(m, type, depth);
    n = new_node(m, ops[below(m, 4)], type);
    return with_kids(n, make_expression(m, type, depth - 1), make_expression(m, type, depth - 1),
                     NULL);
}

/* ---- evaluating -------------------------------------------------------------------------------
 */

static hd_value truth(bool known, bool value)
{
    return (hd_value){.type = HD_BOOLEAN, .is_null = !known, .integer = known && value};
}

static bool starts_with_any(const hd_value *v, const node *n)
{
    for (size_t i = 0; i < n->n_list; i++)
        if (v->text.len >= n->list[i].text.len &&
            memcmp(v->text.bytes, n->list[i].text.bytes, n->list[i].text.len) == 0)
            return true;
    return false;
}

/* NULL when nothing in the list equals it and the list holds a NULL. */
static hd_value in_list(const hd_value *v, const node *n)
{
    bool unknown = v->is_null;
    for (size_t i = 0; i < n->n_list && !v->is_null; i++) {
        if (n->list[i].is_null)
            unknown = true;
        else if (compare_values(v, &n->list[i]) == 0)
            return truth(true, true);
    }
    return truth(!unknown, false);
}

static hd_value evaluate_any(const node *n, const table *t, size_t row)
{
    bool any = false;
    for (unsigned e = 0; e < t->lengths[n->field][row] && !any; e++) {
        const hd_value *v = &t->elements[n->field][row * MAX_ELEMENTS + e];
        if (v->is_null)
            continue;
        if (strcmp(n->text, "like") == 0)
            any =
                like_match(v->text.bytes, v->text.len, n->list[0].text.bytes, n->list[0].text.len);
        else if (strcmp(n->text, "=") == 0 || strcmp(n->text, "in") == 0)
            any = in_list(v, n).integer;
        else /* starts_with, or the name of a code list */
            any = starts_with_any(v, n);
    }
    return truth(true, any != n->negated);
}

static hd_value evaluate_junction(maker *m, const node *n, size_t row)
{
    bool decides = n->op == OR, unknown = false;
    for (size_t i = 0; i < n->n_kids; i++) {
        hd_value v = evaluate(m, n->kids[i], row);
        if (!v.is_null && (v.integer != 0) == decides)
            return truth(true, decides);
        unknown |= v.is_null;
    }
    return truth(!unknown, !decides);
}

static hd_value evaluate_compare(const node *n, const hd_value *a, const hd_value *b)
{
    if (a->is_null || b->is_null)
        return truth(false, false);
    int c = compare_values(a, b);
    const char *s = n->text;
    bool equal = strchr(s, '=') && c == 0;
    if (strcmp(s, "<>") == 0)
        return truth(true, c != 0);
    return truth(true, equal || (s[0] == '<' && c < 0) || (s[0] == '>' && c > 0));
}

static hd_value evaluate_between(maker *m, const node *n, const hd_value *v, size_t row)
{
    static const node at_least = {.op = COMPARE, .text = ">="},
                      at_most = {.op = COMPARE, .text = "<="};
    hd_value low = evaluate(m, n->kids[1], row), high = evaluate(m, n->kids[2], row);
    hd_value a = evaluate_compare(&at_least, v, &low), b = evaluate_compare(&at_most, v, &high);
    bool is_false = (!a.is_null && !a.integer) || (!b.is_null && !b.integer);
    bool known = is_false || (!a.is_null && !b.is_null);
    return truth(known, is_false == (n->op == NOT_BETWEEN));
}

static hd_value negate(hd_value v, bool negated)
{
    if (negated && !v.is_null)
        v.integer = !v.integer;
    return v;
}

static hd_value evaluate_function(maker *m, const node *n, size_t row)
{
    hd_value a[MAX_KIDS];
    for (size_t i = 0; i < n->n_kids; i++) {
        a[i] = evaluate(m, n->kids[i], row);
        if (a[i].is_null)
            return (hd_value){.type = n->type, .is_null = true};
    }
    hd_value v = n->fn->evaluate(m, a);
    v.type = n->type;
    return v;
}

static hd_value evaluate_best(maker *m, const node *n, size_t row, int sign)
{
    hd_value a = evaluate(m, n->kids[0], row), b = evaluate(m, n->kids[1], row);
    if (a.is_null || b.is_null)
        return a.is_null ? b : a;
    return compare_values(&a, &b) * sign >= 0 ? a : b;
}

static hd_value evaluate_test(maker *m, const node *n, const hd_value *v, size_t row)
{
    hd_value other;
    switch (n->op) {
    case COMPARE:
        other = evaluate(m, n->kids[1], row);
        return evaluate_compare(n, v, &other);
    case IS_NOT_DISTINCT:
        other = evaluate(m, n->kids[1], row);
        return truth(true, v->is_null || other.is_null ? v->is_null && other.is_null
                                                       : compare_values(v, &other) == 0);
    case IN:
    case NOT_IN:
        return negate(in_list(v, n), n->op == NOT_IN);
    case BETWEEN:
    case NOT_BETWEEN:
        return evaluate_between(m, n, v, row);
    case LIKE:
    case NOT_LIKE:
        return negate(truth(!v->is_null,
                            !v->is_null && like_match(v->text.bytes, v->text.len,
                                                      n->list[0].text.bytes, n->list[0].text.len)),
                      n->op == NOT_LIKE);
    case CODELIST:
    case NOT_CODELIST:
        return negate(truth(!v->is_null, !v->is_null && starts_with_any(v, n)),
                      n->op == NOT_CODELIST);
    case IS_NULL:
    case IS_NOT_NULL:
        return truth(true, v->is_null == (n->op == IS_NULL));
    case NOT:
        return negate(*v, true);
    default: /* IS_TRUE */
        return truth(true, !v->is_null && v->integer);
    }
}

hd_value evaluate(maker *m, const node *n, size_t row)
{
    hd_value v;
    switch (n->op) {
    case CONSTANT:
        return n->constant;
    case COLUMN:
        return m->t->values[n->field][row];
    case ELEMENT:
        return m->t->elements[n->field][row * MAX_ELEMENTS + n->element - 1];
    case FUNCTION:
        return evaluate_function(m, n, row);
    case CASE:
        v = evaluate(m, n->kids[0], row);
        if (!v.is_null && v.integer)
            return evaluate(m, n->kids[1], row);
        return n->n_kids > 2 ? evaluate(m, n->kids[2], row)
                             : (hd_value){.type = n->type, .is_null = true};
    case COALESCE:
        v = evaluate(m, n->kids[0], row);
        return v.is_null ? evaluate(m, n->kids[1], row) : v;
    case NULLIF: {
        hd_value other = evaluate(m, n->kids[1], row);
        v = evaluate(m, n->kids[0], row);
        if (!v.is_null && !other.is_null && compare_values(&v, &other) == 0)
            v.is_null = true;
        return v;
    }
    case GREATEST:
        return evaluate_best(m, n, row, 1);
    case LEAST:
        return evaluate_best(m, n, row, -1);
    case AND:
    case OR:
        return evaluate_junction(m, n, row);
    case ANY:
        return evaluate_any(n, m->t, row);
    default:
        v = evaluate(m, n->kids[0], row);
        return evaluate_test(m, n, &v, row);
    }
}
