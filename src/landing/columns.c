/* columns.c - the header of a file to the fields of the table.
 *
 * The catalogue says what a header name is. Of several columns for one field the one that the
 * catalogue prefers is read; the others, and columns that no definition names, are left out but
 * still looked at for identifiers. Identifying columns are left out unseen, except that NHS numbers
 * are compared with the opt-outs, and stand in for the person id where no other is delivered.
 */
#include "base/alloc.h"
#include "landing/private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

hd_code hd_names_add(hd_names *n, const char *name, hd_err *err)
{
    if (!HD_GROW(n->items, n->n, n->cap))
        return hd_fail_nomem(err);
    n->items[n->n] = hd_strdup(name);
    if (!n->items[n->n])
        return hd_fail_nomem(err);
    n->n++;
    return HD_OK;
}

void hd_names_free(hd_names *n)
{
    for (size_t i = 0; i < n->n; i++)
        hd_free(n->items[i]);
    hd_free(n->items);
    *n = (hd_names){0};
}

/* A file without a header has values where names are expected: names are shown only when they are
 * made like names and do not look like an identifier. */
static bool may_show(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > 64 || isdigit((unsigned char)name[0]) ||
        hd_identifier_shape(name, len, 0) != 0)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("_ .-()/%", name[i]))
            return false;
    return true;
}

const char *hd_columns_name(const struct hd_intake *in, unsigned column, char *out, size_t size)
{
    const char *name = column ? hd_delivery_column(in->reader, column - 1) : "";
    if (may_show(name))
        snprintf(out, size, "%s", name);
    else
        snprintf(out, size, "column %u", column);
    return out;
}

static bool is_left_out(const struct hd_intake *in, const char *name)
{
    for (size_t i = 0; i < in->options->n_left_out; i++)
        if (strcasecmp(in->options->left_out[i], name) == 0)
            return true;
    return false;
}

static hd_code add_scan(struct hd_intake *in, size_t column, bool is_nhs_number, hd_err *err)
{
    hd_scan *s = &in->scans[in->n_scans];
    *s = (hd_scan){.source = (int)column, .is_nhs_number = is_nhs_number};
    s->texts = hd_intern_new();
    if (!s->texts)
        return hd_fail_nomem(err);
    in->n_scans++;
    return HD_OK;
}

static hd_code give_sources(hd_target *t, hd_err *err)
{
    size_t n = t->field->kind == HD_FIELD_LIST ? t->field->n_elements : 1;
    if (!t->sources) {
        t->sources = hd_calloc(n, sizeof *t->sources);
        if (!t->sources)
            return hd_fail_nomem(err);
    }
    for (size_t i = 0; i < n; i++)
        t->sources[i] = -1;
    t->n_sources = n;
    return HD_OK;
}

static hd_target *target_of(struct hd_intake *in, const hd_field *f)
{
    int at = in->target_of[f - in->table->fields];
    return at < 0 ? NULL : &in->targets[at];
}

/* First pass over the header: which of several candidate columns each field prefers. */
static hd_code prefer(struct hd_intake *in, const hd_header *headers, hd_err *err)
{
    size_t n = hd_delivery_n_columns(in->reader);
    for (size_t i = 0; i < in->n_targets; i++)
        in->targets[i].n_sources = 0;
    for (size_t i = 0; i < n; i++) {
        const hd_header *h = &headers[i];
        hd_target *t = h->field ? target_of(in, h->field) : NULL;
        if (!t || is_left_out(in, hd_delivery_column(in->reader, i)))
            continue;
        if (t->n_sources == 0 || h->preference < t->preference)
            t->preference = h->preference;
        if (t->n_sources == 0)
            HD_TRY(give_sources(t, err));
    }
    return HD_OK;
}

static hd_code bind_column(struct hd_intake *in, size_t i, const hd_header *h, hd_err *err)
{
    char shown[80];
    const char *name = hd_columns_name(in, (unsigned)i + 1, shown, sizeof shown);
    hd_file_summary *f = in->file;
    hd_target *t = h->field ? target_of(in, h->field) : NULL;
    if (is_left_out(in, hd_delivery_column(in->reader, i))) {
        if (t)
            t->is_left_out = true;
        return hd_names_add(&f->dropped, name, err);
    }
    if (h->field && h->field->kind == HD_FIELD_IDENTIFYING) {
        HD_TRY(hd_names_add(&f->dropped, name, err));
        return strcmp(h->field->name, "nhs_number") == 0 ? add_scan(in, i, true, err) : HD_OK;
    }
    if (t && h->preference == t->preference) {
        t->sources[h->use == HD_HEADER_ELEMENT ? h->position - 1 : 0] = (int)i;
        return hd_names_add(&f->used, name, err);
    }
    HD_TRY(hd_names_add(t || h->use == HD_HEADER_IGNORED ? &f->repeated : &f->unknown, name, err));
    return add_scan(in, i, false, err);
}

/* No person id, but an NHS number: that is the person id then. */
static hd_code stand_in(struct hd_intake *in, hd_err *err)
{
    if (in->person < 0 || in->targets[in->person].n_sources)
        return HD_OK;
    for (size_t i = 0; i < in->n_scans; i++) {
        if (!in->scans[i].is_nhs_number)
            continue;
        HD_TRY(give_sources(&in->targets[in->person], err));
        in->targets[in->person].sources[0] = in->scans[i].source;
        return HD_OK;
    }
    return HD_OK;
}

static hd_code note_missing(struct hd_intake *in, hd_err *err)
{
    size_t found = 0;
    for (size_t i = 0; i < in->n_targets; i++) {
        hd_target *t = &in->targets[i];
        found += t->n_sources > 0;
        if (t->n_sources) {
            in->quality.delivered[t->position] = true;
            continue;
        }
        if (strcmp(t->field->name, "data_year") != 0 && strcmp(t->field->name, "part_year") != 0)
            HD_TRY(hd_names_add(&in->file->missing, t->field->name, err));
    }
    if (found == 0)
        return hd_fail(
            err, HD_FORMAT,
            "%s, line 1: no column of %s is there; is the first line a header row, and is "
            "this the right data set?",
            in->name, in->table->name);
    for (size_t i = 0; i < in->n_targets; i++) {
        const hd_target *t = &in->targets[i];
        if (t->field->is_required && t->n_sources == 0 && !t->is_left_out)
            return hd_fail(err, HD_FORMAT,
                           "%s, line 1: column %s is missing; %s cannot be read "
                           "without it",
                           in->name, t->field->n_columns ? t->field->columns[0] : t->field->name,
                           in->table->name);
    }
    return HD_OK;
}

static void find_year_column(struct hd_intake *in)
{
    in->year_source = -1;
    for (size_t i = 0; i < hd_delivery_n_columns(in->reader); i++) {
        const char *name = hd_delivery_column(in->reader, i);
        bool is_part = strcasecmp(name, "PARTYEAR") == 0;
        if (is_part || (strcasecmp(name, "FYEAR") == 0 && in->year_source < 0)) {
            in->year_source = (int)i;
            in->year_is_part = is_part;
            if (is_part)
                break;
        }
    }
}

/* ---- room for chunks ------------------------------------------------------------------------ */

static bool make_target_room(hd_target *t, size_t rows)
{
    bool is_list = t->field->kind == HD_FIELD_LIST, is_key = t->field->kind == HD_FIELD_KEY;
    bool ok = true;
    for (size_t i = 0; i < HD_MADE; i++) {
        hd_made *m = &t->made[i];
        ok &= (m->flaws = hd_calloc(rows, sizeof *m->flaws)) != NULL;
        if (t->is_watched)
            ok &= (m->kinds = hd_calloc(rows, sizeof *m->kinds)) != NULL;
        if (t->has_numbers)
            ok &= (m->numbers = hd_calloc(rows, sizeof *m->numbers)) != NULL;
        if (t->condition_bits)
            ok &= (m->conditions = hd_calloc(rows, sizeof *m->conditions)) != NULL;
        if (t->has_texts)
            ok &= (m->texts = hd_calloc(rows, sizeof *m->texts)) != NULL;
        if (is_key)
            ok &= (m->keys = hd_calloc(rows, sizeof *m->keys)) != NULL;
        else
            ok &= (m->codes = hd_calloc(rows * t->n_sources, sizeof *m->codes)) != NULL;
        if (is_list)
            ok &= (m->lengths = hd_calloc(rows, sizeof *m->lengths)) != NULL;
    }
    return ok;
}

static hd_code make_room(struct hd_intake *in, hd_err *err)
{
    size_t rows = hd_delivery_max_rows(in->reader);
    bool ok = true;
    for (size_t i = 0; i < in->n_targets; i++)
        if (in->targets[i].n_sources && in->targets[i].field->kind != HD_FIELD_PERSON)
            ok &= make_target_room(&in->targets[i], rows);
    for (size_t i = 0; i < HD_DELIVERY_KEPT; i++) {
        hd_chunk *c = &in->chunks[i];
        ok &= (c->rows = hd_calloc(rows, sizeof *c->rows)) != NULL;
        ok &= (c->pseudonyms = hd_calloc(rows, HD_PSEUDONYM)) != NULL;
        ok &= (c->persons = hd_calloc(rows, sizeof *c->persons)) != NULL;
        ok &= (c->hashes = hd_calloc(rows, sizeof *c->hashes)) != NULL;
        ok &= (c->broken = hd_calloc(rows, sizeof *c->broken)) != NULL;
        ok &= (c->order = hd_calloc(rows, sizeof *c->order)) != NULL;
        ok &= (c->keep = hd_calloc(rows, sizeof *c->keep)) != NULL;
    }
    ok &= (in->in_file = hd_calloc(in->n_targets, sizeof *in->in_file)) != NULL;
    ok &= (in->year_codes = hd_calloc(rows, sizeof *in->year_codes)) != NULL;
    ok &= (in->part_codes = hd_calloc(rows, sizeof *in->part_codes)) != NULL;
    ok &= (in->holds = hd_calloc(rows, sizeof *in->holds)) != NULL;
    ok &= (in->known = hd_calloc(rows, sizeof *in->known)) != NULL;
    ok &= (in->cells = hd_calloc(rows, sizeof *in->cells)) != NULL;
    return ok ? HD_OK : hd_fail_nomem(err);
}

static void free_room(struct hd_intake *in)
{
    size_t rows = in->reader ? hd_delivery_max_rows(in->reader) : 0;
    for (size_t i = 0; i < in->n_targets; i++)
        for (size_t k = 0; k < HD_MADE; k++) {
            hd_made *m = &in->targets[i].made[k];
            hd_free(m->kinds);
            hd_free(m->numbers);
            hd_free(m->conditions);
            hd_free(m->texts);
            hd_free(m->codes);
            hd_free(m->lengths);
            hd_wipe_free(m->keys, rows * sizeof *m->keys);
            hd_free(m->flaws);
            *m = (hd_made){0};
        }
    for (size_t i = 0; i < HD_DELIVERY_KEPT; i++) {
        hd_chunk *c = &in->chunks[i];
        hd_free(c->rows);
        hd_wipe_free(c->pseudonyms, rows * HD_PSEUDONYM);
        hd_free(c->persons);
        hd_free(c->hashes);
        hd_free(c->broken);
        hd_free(c->order);
        hd_free(c->keep);
        *c = (hd_chunk){0};
    }
    hd_free(in->year_codes);
    hd_free(in->part_codes);
    hd_free(in->holds);
    hd_free(in->known);
    hd_free(in->cells);
    hd_free(in->in_file);
    in->in_file = NULL;
    in->n_in_file = 0;
    in->year_codes = in->part_codes = in->cells = NULL;
    in->holds = in->known = NULL;
}

static int first_source(const hd_target *t)
{
    for (size_t i = 0; i < t->n_sources; i++)
        if (t->sources[i] >= 0)
            return t->sources[i];
    return -1;
}

static int by_source(const void *a, const void *b)
{
    const hd_target *const *x = a, *const *y = b;
    return first_source(*x) - first_source(*y);
}

static void line_up(struct hd_intake *in)
{
    for (size_t i = 0; i < in->n_targets; i++) {
        hd_target *t = &in->targets[i];
        if (t->n_sources == 0 || t->field->kind == HD_FIELD_PERSON)
            continue;
        in->in_file[in->n_in_file++] = t;
        t->n_there = 0;
        for (size_t k = 0; k < t->n_sources; k++)
            t->n_there = t->sources[k] >= 0 ? k + 1 : t->n_there;
    }
    qsort(in->in_file, in->n_in_file, sizeof(hd_target *), by_source);
}

/* What is judged by a memo is laid out, and row keys, and the year that every row must have. */
static hd_code lay_out(struct hd_intake *in, hd_err *err)
{
    bool *wanted = hd_calloc(hd_delivery_n_columns(in->reader), sizeof *wanted);
    if (!wanted)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < in->n_targets; i++) {
        const hd_target *t = &in->targets[i];
        for (size_t k = 0; t->field->kind != HD_FIELD_PERSON && k < t->n_sources; k++)
            if (t->sources[k] >= 0)
                wanted[t->sources[k]] = true;
    }
    if (in->year_source >= 0)
        wanted[in->year_source] = true;
    hd_code rc = hd_delivery_lay_out(in->reader, wanted, err);
    hd_free(wanted);
    return rc;
}

hd_code hd_columns_bind(struct hd_intake *in, hd_err *err)
{
    size_t n = hd_delivery_n_columns(in->reader);
    hd_code rc = HD_OK;
    hd_header *headers = hd_calloc(n, sizeof *headers);
    in->scans = hd_calloc(n, sizeof *in->scans);
    if (!headers || !in->scans) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        const char *name = hd_delivery_column(in->reader, i);
        headers[i] = hd_table_def_header(in->table, name, strlen(name));
    }
    HD_GO(prefer(in, headers, err));
    for (size_t i = 0; i < n; i++)
        HD_GO(bind_column(in, i, &headers[i], err));
    HD_GO(stand_in(in, err));
    HD_GO(hd_dataset_check(in, err));
    HD_GO(note_missing(in, err));
    find_year_column(in);
    HD_GO(hd_agreement_bind(in, err));
    HD_GO(make_room(in, err));
    line_up(in);
    HD_GO(lay_out(in, err));
out:
    hd_free(headers);
    return rc;
}

void hd_columns_release(struct hd_intake *in)
{
    free_room(in);
    hd_agreement_release(in);
    for (size_t i = 0; i < in->n_scans; i++)
        hd_intern_free(in->scans[i].texts);
    hd_free(in->scans);
    in->scans = NULL;
    in->n_scans = 0;
}
