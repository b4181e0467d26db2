/* release.c - releases: built row by row or column by column, then immutable.
 *
 * A column has numbers, or places among values of its own, and marks where something is withheld.
 * There is one block of text: while a release grows, a text holds the position of its bytes; finish
 * turns positions into addresses, because the block may have moved.
 */
#include "disclosure/release.h"

#include "base/alloc.h"
#include "base/par.h"
#include "disclosure/build.h"

#include <string.h>

/* What a column's arrays hold, to wipe them. */
typedef struct held {
    size_t rows, values; /* items there is room for */
    hd_value *texts;     /* the column's values, not yet for others */
    char *marks;
} held;

typedef struct release {
    hd_release open; /* first: the address of both is the same */
    hd_release_column *columns;
    held *held;      /* n_columns */
    size_t held_cap;
    size_t n_figures;
    hd_buf text;  /* values */
    hd_buf names; /* column names, policy, question: each NUL-terminated */
    size_t columns_cap;
} release;

struct hd_release_builder {
    release *r;
    size_t policy, version, legend, question, certificate; /* positions in names */
    bool has_rows;
};

static void free_release(release *r)
{
    if (!r)
        return;
    for (size_t c = 0; c < r->open.n_columns; c++) {
        const hd_vector *v = &r->columns[c].values;
        hd_wipe_free(v->data, r->held[c].rows * hd_form_bytes(v->form));
        hd_free(v->is_null);
        hd_wipe_free(r->held[c].texts, r->held[c].values * sizeof *r->held[c].texts);
        hd_free(r->held[c].marks);
    }
    if (r->text.cap) {
        volatile char *p = r->text.data;
        for (size_t i = 0; i < r->text.cap; i++)
            p[i] = 0;
    }
    hd_buf_free(&r->text);
    hd_buf_free(&r->names);
    hd_free(r->columns);
    hd_free(r->held);
    hd_free(r);
}

void hd_release_free(hd_release *r)
{
    free_release((release *)(void *)r);
}

int hd_release_column_find(const hd_release *r, const char *name)
{
    for (size_t c = 0; c < r->n_columns; c++)
        if (strcmp(r->columns[c].name, name) == 0)
            return (int)c;
    return -1;
}

static size_t keep(release *r, const char *text)
{
    size_t at = r->names.len;
    hd_buf_add(&r->names, text, strlen(text) + 1);
    return at;
}

hd_release_builder *hd_release_builder_start(const hd_release_origin *o)
{
    hd_release_builder *b = hd_calloc(1, sizeof *b);
    release *r = hd_calloc(1, sizeof *r);
    if (!b || !r) {
        hd_free(b);
        hd_free(r);
        return NULL;
    }
    hd_buf_init(&r->text, SIZE_MAX / 4);
    hd_buf_init(&r->names, (size_t)1 << 24);
    b->r = r;
    b->policy = keep(r, o->policy);
    b->version = keep(r, o->policy_version);
    b->legend = keep(r, o->legend);
    b->question = keep(r, o->question);
    b->certificate = keep(r, o->certificate ? o->certificate : "");
    r->open.has_true_counts = o->has_true_counts;
    r->open.data_version = o->data_version;
    r->open.has_left_out = o->has_left_out;
    r->open.has_unknown = o->has_unknown;
    r->open.has_rounded = o->has_rounded;
    r->open.has_several = o->has_several;
    r->open.has_near = o->has_near;
    return b;
}

hd_release_builder *hd_release_builder_new(const hd_release *like)
{
    return hd_release_builder_start(&(hd_release_origin){
        .policy = like->policy,
        .policy_version = like->policy_version,
        .legend = like->legend,
        .question = like->question,
        .certificate = like->certificate,
        .has_true_counts = like->has_true_counts,
        .data_version = like->data_version,
        .has_left_out = like->has_left_out,
        .has_unknown = like->has_unknown,
        .has_rounded = like->has_rounded,
        .has_several = like->has_several,
        .has_near = like->has_near,
    });
}

hd_code hd_release_builder_column(hd_release_builder *b, const char *name, hd_type type,
                                  bool is_key, hd_err *err)
{
    release *r = b->r;
    HD_ALWAYS(!b->has_rows);
    if (!HD_GROW(r->columns, r->open.n_columns, r->columns_cap) ||
        !HD_GROW(r->held, r->open.n_columns, r->held_cap))
        return hd_fail_nomem(err);
    r->held[r->open.n_columns] = (held){0};
    /* The name is a position until finish. */
    r->columns[r->open.n_columns++] =
        (hd_release_column){.name = (const char *)keep(r, name),
                            .type = type,
                            .is_key = is_key,
                            .values = {.type = type, .form = hd_form_of(type)}};
    return hd_buf_check(&r->names, err);
}

/* The text at *at, a separator, another text: as a new text at *at. */
static hd_code lengthen(hd_buf *names, size_t *at, const char *separator, const char *more,
                        hd_err *err)
{
    char *before = hd_strdup(names->data + *at);
    if (!before)
        return hd_fail_nomem(err);
    *at = names->len;
    hd_buf_printf(names, "%s%s%s", before, *before ? separator : "", more);
    hd_buf_char(names, '\0');
    hd_free(before);
    return hd_buf_check(names, err);
}

hd_code hd_release_builder_also(hd_release_builder *b, const hd_release *other, hd_err *err)
{
    hd_buf *names = &b->r->names;
    b->r->open.has_rounded = b->r->open.has_rounded || other->has_rounded;
    b->r->open.has_several = b->r->open.has_several || other->has_several;
    b->r->open.has_near = b->r->open.has_near || other->has_near;
    b->r->open.has_unknown = b->r->open.has_unknown || other->has_unknown;
    b->r->open.has_left_out = b->r->open.has_left_out || other->has_left_out;
    HD_TRY(lengthen(names, &b->question, ";\n", other->question, err));
    return *other->certificate ? lengthen(names, &b->certificate, " ", other->certificate, err)
                               : HD_OK;
}

/* ---- row by row ------------------------------------------------------------------------------- */

static hd_code grow_array(void **array, size_t old, size_t next, size_t item, hd_err *err)
{
    void *p = hd_realloc_n(*array, next, item);
    if (!p)
        return hd_fail_nomem(err);
    memset((char *)p + old * item, 0, (next - old) * item);
    *array = p;
    return HD_OK;
}

static hd_code grow_rows(release *r, size_t c, hd_err *err)
{
    enum { FIRST = 16 };
    hd_vector *v = &r->columns[c].values;
    held *h = &r->held[c];
    size_t old = h->rows, next = old ? 2 * old : FIRST;
    void *is_null = v->is_null, *marks = h->marks, *texts = h->texts;
    hd_code rc = grow_array(&is_null, old, next, 1, err);
    v->is_null = is_null;
    if (rc == HD_OK)
        rc = grow_array(&marks, old, next, 1, err);
    h->marks = marks;
    if (rc == HD_OK && v->form == HD_PLACES) {
        rc = grow_array(&texts, old, next, sizeof(hd_value), err);
        h->texts = texts;
        h->values = rc == HD_OK ? next : h->values;
    }
    if (rc == HD_OK)
        rc = grow_array(&v->data, old, next, hd_form_bytes(v->form), err);
    h->rows = rc == HD_OK ? next : old;
    return rc;
}

static hd_value keep_text(release *r, hd_value v)
{
    size_t at = r->text.len;
    hd_buf_add(&r->text, v.text.bytes, v.text.len);
    v.text.bytes = (const char *)at;
    return v;
}

hd_code hd_release_builder_put(hd_release_builder *b, const hd_figure *f, hd_err *err)
{
    release *r = b->r;
    b->has_rows = true;
    HD_ALWAYS(r->open.n_columns > 0);
    size_t column = r->n_figures % r->open.n_columns, row = r->n_figures / r->open.n_columns;
    hd_release_column *c = &r->columns[column];
    hd_vector *v = &c->values;
    held *h = &r->held[column];
    HD_ALWAYS(f->mark || f->value.is_null || f->value.type == c->type);
    if (row == h->rows)
        HD_TRY(grow_rows(r, column, err));
    h->marks[row] = f->mark;
    v->is_null[row] = f->mark || f->value.is_null;
    r->open.n_withheld += f->mark != 0;
    if (v->form == HD_PLACES) {
        ((uint32_t *)v->data)[row] = v->is_null[row] ? HD_NO_PLACE : v->n_values;
        if (!v->is_null[row])
            h->texts[v->n_values++] = keep_text(r, f->value);
    } else if (v->form == HD_DECIMALS) {
        ((double *)v->data)[row] = v->is_null[row] ? 0 : f->value.decimal;
    } else {
        ((int64_t *)v->data)[row] = v->is_null[row] ? 0 : f->value.integer;
    }
    r->n_figures++;
    return hd_buf_check(&r->text, err);
}

/* ---- column by column ------------------------------------------------------------------------- */

enum { RANGE = 1 << 15 }; /* rows that one thread takes at a time */

typedef struct taking {
    const hd_vector *from;
    const hd_vector *to;
    const char *marks;
    char *to_marks;
    const uint32_t *rows;
    size_t n_rows;
} taking;

static void take_items(const taking *t, size_t first, size_t end)
{
    const uint32_t *restrict in = t->from->data, *restrict rows = t->rows;
    const uint64_t *restrict wide = t->from->data;
    uint32_t *restrict out = t->to->data;
    uint64_t *restrict wide_out = t->to->data;
    size_t item = hd_form_bytes(t->from->form);
    if (!rows)
        memcpy((char *)t->to->data + first * item, (const char *)t->from->data + first * item,
               (end - first) * item);
    else if (item == sizeof *in)
        for (size_t i = first; i < end; i++)
            out[i] = in[rows[i]];
    else
        for (size_t i = first; i < end; i++)
            wide_out[i] = wide[rows[i]];
}

static hd_code take_range(void *ctx, size_t range, hd_err *err)
{
    const taking *t = ctx;
    size_t first = range * RANGE;
    size_t end = t->n_rows - first < RANGE ? t->n_rows : first + RANGE;
    (void)err;
    take_items(t, first, end);
    for (size_t i = first; i < end && t->from->is_null; i++)
        t->to->is_null[i] = t->from->is_null[t->rows ? t->rows[i] : i];
    for (size_t i = first; i < end && t->marks; i++)
        t->to_marks[i] = t->marks[t->rows ? t->rows[i] : i];
    return HD_OK;
}

/* What a withheld figure would have been does not stay in the release. */
static void blank(hd_vector *v, size_t row)
{
    if (v->form == HD_PLACES)
        ((uint32_t *)v->data)[row] = HD_NO_PLACE;
    else if (v->form == HD_COUNTS)
        ((uint32_t *)v->data)[row] = 0;
    else
        ((uint64_t *)v->data)[row] = 0;
}

/* Only values that some row shows. */
static hd_code take_values(release *r, size_t column, const hd_vector *from, size_t n_rows,
                           hd_err *err)
{
    hd_vector *v = &r->columns[column].values;
    held *h = &r->held[column];
    uint32_t *places = v->data, n = 0;
    uint32_t *number = hd_calloc((size_t)from->n_values + 1, sizeof *number);
    if (!number)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n_rows && n < from->n_values; i++)
        if ((i == 0 || places[i] != places[i - 1]) && places[i] != HD_NO_PLACE && !number[places[i]]) {
            number[places[i]] = 1;
            n++;
        }
    h->texts = hd_calloc(n, sizeof *h->texts);
    h->values = n;
    for (uint32_t i = 0; i < from->n_values && h->texts; i++) {
        if (!number[i])
            continue;
        hd_value x = from->values[i];
        number[i] = v->n_values;
        h->texts[v->n_values++] = x.type == HD_TEXT && !x.is_null ? keep_text(r, x) : x;
    }
    for (size_t i = 0; i < n_rows && n < from->n_values && h->texts; i++)
        if (places[i] != HD_NO_PLACE)
            places[i] = number[places[i]];
    v->ascends = from->ascends;
    hd_free(number);
    return h->texts ? hd_buf_check(&r->text, err) : hd_fail_nomem(err);
}

hd_code hd_release_builder_take(hd_release_builder *b, size_t column, const hd_vector *values,
                                const char *marks, const uint32_t *rows, size_t n_rows, hd_err *err)
{
    release *r = b->r;
    hd_vector *v = &r->columns[column].values;
    held *h = &r->held[column];
    b->has_rows = true;
    HD_ALWAYS(column < r->open.n_columns && values->type == r->columns[column].type && !v->data);
    v->form = values->form;
    v->data = hd_malloc(n_rows * hd_form_bytes(v->form));
    v->is_null = values->is_null ? hd_malloc(n_rows) : NULL;
    h->marks = marks ? hd_malloc(n_rows) : NULL;
    h->rows = v->data ? n_rows : 0;
    if (!v->data || (values->is_null && !v->is_null) || (marks && !h->marks))
        return hd_fail_nomem(err);
    taking t = {values, v, marks, h->marks, rows, n_rows};
    HD_TRY(hd_par_run((n_rows + RANGE - 1) / RANGE, take_range, &t, err));
    for (size_t i = 0; i < n_rows && marks; i++)
        if (h->marks[i]) {
            blank(v, i);
            r->open.n_withheld++;
        }
    r->n_figures += n_rows;
    return v->form == HD_PLACES ? take_values(r, column, values, n_rows, err) : HD_OK;
}

hd_code hd_release_builder_own(hd_release_builder *b, size_t column, const hd_vector *values,
                               size_t n_rows, hd_err *err)
{
    release *r = b->r;
    hd_vector *v = &r->columns[column].values;
    b->has_rows = true;
    HD_ALWAYS(column < r->open.n_columns && values->type == r->columns[column].type && !v->data);
    v->form = values->form;
    v->data = values->data;
    r->held[column].rows = n_rows;
    v->is_null = values->is_null ? hd_malloc(n_rows) : NULL;
    if (values->is_null && !v->is_null)
        return hd_fail_nomem(err);
    if (values->is_null)
        memcpy(v->is_null, values->is_null, n_rows);
    r->n_figures += n_rows;
    return v->form == HD_PLACES ? take_values(r, column, values, n_rows, err) : HD_OK;
}

hd_code hd_release_builder_finish(hd_release_builder *b, hd_release **out, hd_err *err)
{
    release *r = b->r;
    *out = NULL;
    HD_TRY(hd_buf_check(&r->names, err));
    HD_TRY(hd_buf_check(&r->text, err));
    HD_ALWAYS(r->open.n_columns > 0 && r->n_figures % r->open.n_columns == 0);
    for (size_t c = 0; c < r->open.n_columns; c++) {
        hd_vector *v = &r->columns[c].values;
        r->columns[c].name = r->names.data + (size_t)r->columns[c].name;
        r->columns[c].marks = r->held[c].marks;
        v->values = r->held[c].texts;
        for (uint32_t i = 0; i < v->n_values && v->type == HD_TEXT; i++)
            if (!v->values[i].is_null)
                r->held[c].texts[i].text.bytes = r->text.data + (size_t)v->values[i].text.bytes;
    }
    r->open.n_rows = r->n_figures / r->open.n_columns;
    r->open.columns = r->columns;
    r->open.policy = r->names.data + b->policy;
    r->open.policy_version = r->names.data + b->version;
    r->open.legend = r->names.data + b->legend;
    r->open.question = r->names.data + b->question;
    r->open.certificate = r->names.data + b->certificate;
    *out = &r->open;
    b->r = NULL;
    return HD_OK;
}

hd_code hd_release_without_rows(hd_release **out, const hd_release *like, hd_err *err)
{
    *out = NULL;
    hd_release_builder *b = hd_release_builder_start(&(hd_release_origin){
        .policy = like->policy,
        .policy_version = like->policy_version,
        .legend = like->legend,
        .question = "",
        .has_true_counts = like->has_true_counts,
        .data_version = like->data_version,
    });
    hd_code rc = b ? HD_OK : hd_fail_nomem(err);
    for (size_t c = 0; c < like->n_columns && rc == HD_OK; c++)
        rc = hd_release_builder_column(b, like->columns[c].name, like->columns[c].type,
                                       like->columns[c].is_key, err);
    if (rc == HD_OK)
        rc = hd_release_builder_finish(b, out, err);
    hd_release_builder_free(b);
    return rc;
}

void hd_release_builder_free(hd_release_builder *b)
{
    if (!b)
        return;
    free_release(b->r);
    hd_free(b);
}
