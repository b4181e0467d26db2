/* print.c - random expressions as SQL text; see expression.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node.h"

static void print_text(const char *s, size_t len, hd_buf *out)
{
    hd_buf_char(out, '\'');
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\'')
            hd_buf_char(out, '\'');
        hd_buf_char(out, s[i]);
    }
    hd_buf_char(out, '\'');
}

static void print_decimal(double d, hd_buf *out)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    bool plain = !strpbrk(text, ".e");
    hd_buf_printf(out, d < 0 ? "(%s%s)" : "%s%s", text, plain ? ".0" : "");
}

static void print_value(const hd_value *v, hd_buf *out)
{
    static const char *const types[] = {"VARCHAR", "BIGINT", "DOUBLE", "DATE", "BOOLEAN"};
    if (v->is_null) {
        hd_buf_printf(out, "CAST(NULL AS %s)", types[v->type]);
        return;
    }
    char day[11];
    switch (v->type) {
    case HD_TEXT:
        print_text(v->text.bytes, v->text.len, out);
        break;
    case HD_INTEGER:
        hd_buf_printf(out, v->integer < 0 ? "(%lld)" : "%lld", (long long)v->integer);
        break;
    case HD_DECIMAL:
        print_decimal(v->decimal, out);
        break;
    case HD_DATE:
        format_day(v->integer, day);
        hd_buf_printf(out, "DATE '%s'", day);
        break;
    case HD_BOOLEAN:
        hd_buf_str(out, v->integer ? "true" : "false");
        break;
    }
}

static void print_list(const node *n, hd_buf *out)
{
    hd_buf_char(out, '(');
    for (size_t i = 0; i < n->n_list; i++) {
        hd_buf_str(out, i ? ", " : "");
        if (n->list[i].is_null)
            hd_buf_str(out, "NULL");
        else
            print_value(&n->list[i], out);
    }
    hd_buf_char(out, ')');
}

static void print_any(const maker *m, const node *n, hd_buf *out)
{
    char name[80];
    const char *not = n->negated ? "NOT " : "";
    snprintf(name, sizeof name, "%sany_%s", m->prefix, m->t->fields[n->field].name);
    if (strcmp(n->text, "=") == 0) {
        hd_buf_printf(out, "%s %s ", name, n->negated ? "<>" : "=");
        print_value(&n->list[0], out);
    } else if (strcmp(n->text, "in") == 0) {
        hd_buf_printf(out, "%s %sIN ", name, not );
        print_list(n, out);
    } else if (strcmp(n->text, "like") == 0) {
        hd_buf_printf(out, "%s %sLIKE ", name, not );
        print_value(&n->list[0], out);
    } else if (strcmp(n->text, "starts_with") == 0) {
        hd_buf_printf(out, "starts_with(%s, ", name);
        print_value(&n->list[0], out);
        hd_buf_char(out, ')');
    } else {
        hd_buf_printf(out, "%s %sIN codelist('%s')", name, not, n->text);
    }
}

static void print_kids(const maker *m, const node *n, const char *between, hd_buf *out)
{
    for (size_t i = 0; i < n->n_kids; i++) {
        hd_buf_str(out, i ? between : "");
        print_node(m, n->kids[i], out);
    }
}

static void print_function(const maker *m, const node *n, hd_buf *out)
{
    for (const char *s = n->fn->sql; *s; s++) {
        if (*s == '$')
            print_node(m, n->kids[*++s - '1'], out);
        else
            hd_buf_char(out, *s);
    }
}

static void print_leaf(const maker *m, const node *n, hd_buf *out)
{
    if (n->op == CONSTANT) {
        print_value(&n->constant, out);
        return;
    }
    hd_buf_str(out, m->prefix);
    const field *f = &m->t->fields[n->field];
    if (n->op == ELEMENT)
        hd_buf_printf(out, f->position, n->element);
    else
        hd_buf_str(out, f->name);
}

static void print_case(const maker *m, const node *n, hd_buf *out)
{
    hd_buf_str(out, "CASE WHEN ");
    print_node(m, n->kids[0], out);
    hd_buf_str(out, " THEN ");
    print_node(m, n->kids[1], out);
    if (n->n_kids > 2) {
        hd_buf_str(out, " ELSE ");
        print_node(m, n->kids[2], out);
    }
    hd_buf_str(out, " END");
}

/* How an operator is written: before, between and after its kids; its list comes last. */
static const struct {
    const char *before, *between, *after;
} forms[] = {
    [COALESCE] = {"coalesce(", ", ", ")"},
    [NULLIF] = {"nullif(", ", ", ")"},
    [GREATEST] = {"greatest(", ", ", ")"},
    [LEAST] = {"least(", ", ", ")"},
    [IS_NOT_DISTINCT] = {"(", " IS NOT DISTINCT FROM ", ")"},
    [IN] = {"(", "", " IN "},
    [NOT_IN] = {"(", "", " NOT IN "},
    [LIKE] = {"(", "", " LIKE "},
    [NOT_LIKE] = {"(", "", " NOT LIKE "},
    [IS_NULL] = {"(", "", " IS NULL)"},
    [IS_NOT_NULL] = {"(", "", " IS NOT NULL)"},
    [AND] = {"(", " AND ", ")"},
    [OR] = {"(", " OR ", ")"},
    [NOT] = {"(NOT ", "", ")"},
    [IS_TRUE] = {"coalesce(", "", ", false)"},
    [CODELIST] = {"(", "", " IN codelist('"},
    [NOT_CODELIST] = {"(", "", " NOT IN codelist('"},
};

void print_node(const maker *m, const node *n, hd_buf *out)
{
    switch (n->op) {
    case CONSTANT:
    case COLUMN:
    case ELEMENT:
        print_leaf(m, n, out);
        return;
    case FUNCTION:
        print_function(m, n, out);
        return;
    case CASE:
        print_case(m, n, out);
        return;
    case ANY:
        hd_buf_char(out, '(');
        print_any(m, n, out);
        hd_buf_char(out, ')');
        return;
    case COMPARE:
        hd_buf_char(out, '(');
        print_node(m, n->kids[0], out);
        hd_buf_printf(out, " %s ", n->text);
        print_node(m, n->kids[1], out);
        hd_buf_char(out, ')');
        return;
    case BETWEEN:
    case NOT_BETWEEN:
        hd_buf_char(out, '(');
        print_node(m, n->kids[0], out);
        hd_buf_str(out, n->op == BETWEEN ? " BETWEEN " : " NOT BETWEEN ");
        print_node(m, n->kids[1], out);
        hd_buf_str(out, " AND ");
        print_node(m, n->kids[2], out);
        hd_buf_char(out, ')');
        return;
    default:
        break;
    }
    hd_buf_str(out, forms[n->op].before);
    print_kids(m, n, forms[n->op].between, out);
    hd_buf_str(out, forms[n->op].after);
    if (n->op == IN || n->op == NOT_IN)
        print_list(n, out);
    else if (n->op == LIKE || n->op == NOT_LIKE)
        print_value(&n->list[0], out);
    else if (n->op == CODELIST || n->op == NOT_CODELIST)
        hd_buf_printf(out, "%s')", n->text);
    if (n->op == IN || n->op == NOT_IN || n->op == LIKE || n->op == NOT_LIKE || n->op == CODELIST ||
        n->op == NOT_CODELIST)
        hd_buf_char(out, ')');
}
