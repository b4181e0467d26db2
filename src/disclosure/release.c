/* release.c - releases: built row by row, then immutable.
 *
 * One block of figures and one block of text. While a release grows, a text figure holds the
 * position of its bytes; finish turns positions into addresses, because the block may have moved.
 */
#include "disclosure/release.h"

#include "base/alloc.h"
#include "disclosure/build.h"

#include <string.h>

typedef struct release {
    hd_release open; /* first: the address of both is the same */
    hd_release_column *columns;
    hd_figure *figures;
    size_t n_figures, figures_cap;
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
    hd_wipe_free(r->figures, r->figures_cap * sizeof *r->figures);
    if (r->text.cap) {
        volatile char *p = r->text.data;
        for (size_t i = 0; i < r->text.cap; i++)
            p[i] = 0;
    }
    hd_buf_free(&r->text);
    hd_buf_free(&r->names);
    hd_free(r->columns);
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
        .has_near = like->has_near,
    });
}

hd_code hd_release_builder_column(hd_release_builder *b, const char *name, hd_type type,
                                  bool is_key, hd_err *err)
{
    release *r = b->r;
    HD_ALWAYS(!b->has_rows);
    if (!HD_GROW(r->columns, r->open.n_columns, r->columns_cap))
        return hd_fail_nomem(err);
    /* The name is a position until finish. */
    r->columns[r->open.n_columns++] =
        (hd_release_column){.name = (const char *)keep(r, name), .type = type, .is_key = is_key};
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
    b->r->open.has_near = b->r->open.has_near || other->has_near;
    b->r->open.has_left_out = b->r->open.has_left_out || other->has_left_out;
    HD_TRY(lengthen(names, &b->question, ";\n", other->question, err));
    return *other->certificate ? lengthen(names, &b->certificate, " ", other->certificate, err)
                               : HD_OK;
}

hd_code hd_release_builder_put(hd_release_builder *b, const hd_figure *f, hd_err *err)
{
    release *r = b->r;
    b->has_rows = true;
    HD_ALWAYS(r->open.n_columns > 0);
    if (!HD_GROW(r->figures, r->n_figures, r->figures_cap))
        return hd_fail_nomem(err);
    hd_type type = r->columns[r->n_figures % r->open.n_columns].type;
    HD_ALWAYS(f->mark || f->value.is_null || f->value.type == type);
    hd_figure copy = {.value = {.type = type, .is_null = true}, .mark = f->mark};
    if (f->mark) {
        r->open.n_withheld++;
    } else if (!f->value.is_null) {
        copy.value = f->value;
        if (type == HD_TEXT) {
            copy.value.text.bytes = (const char *)r->text.len;
            hd_buf_add(&r->text, f->value.text.bytes, f->value.text.len);
        }
    }
    r->figures[r->n_figures++] = copy;
    return hd_buf_check(&r->text, err);
}

hd_code hd_release_builder_finish(hd_release_builder *b, hd_release **out, hd_err *err)
{
    release *r = b->r;
    *out = NULL;
    HD_TRY(hd_buf_check(&r->names, err));
    HD_TRY(hd_buf_check(&r->text, err));
    HD_ALWAYS(r->open.n_columns > 0 && r->n_figures % r->open.n_columns == 0);
    for (size_t c = 0; c < r->open.n_columns; c++)
        r->columns[c].name = r->names.data + (size_t)r->columns[c].name;
    for (size_t i = 0; i < r->n_figures; i++) {
        hd_value *v = &r->figures[i].value;
        if (v->type == HD_TEXT && !v->is_null)
            v->text.bytes = r->text.data + (size_t)v->text.bytes;
    }
    r->open.n_rows = r->n_figures / r->open.n_columns;
    r->open.columns = r->columns;
    r->open.figures = r->figures;
    r->open.policy = r->names.data + b->policy;
    r->open.policy_version = r->names.data + b->version;
    r->open.legend = r->names.data + b->legend;
    r->open.question = r->names.data + b->question;
    r->open.certificate = r->names.data + b->certificate;
    *out = &r->open;
    b->r = NULL;
    return HD_OK;
}

void hd_release_builder_free(hd_release_builder *b)
{
    if (!b)
        return;
    free_release(b->r);
    hd_free(b);
}
