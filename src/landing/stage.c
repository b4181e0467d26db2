/* stage.c - accepted rows wait here, column by column, until there are enough for the builder. */
#include "base/alloc.h"
#include "landing/private.h"

#include <string.h>

hd_code hd_stage_init(hd_stage *s, const hd_column_spec *specs, size_t n, hd_err *err)
{
    *s = (hd_stage){.n_columns = n};
    s->persons = hd_calloc(HD_STAGE_ROWS, sizeof *s->persons);
    s->order = hd_calloc(HD_STAGE_ROWS, sizeof *s->order);
    s->columns = hd_calloc(n, sizeof *s->columns);
    if (!s->persons || !s->order || !s->columns)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        hd_stage_column *c = &s->columns[i];
        bool ok;
        if (specs[i].kind == HD_COLUMN_KEY) {
            ok = (c->keys = hd_calloc(HD_STAGE_ROWS, sizeof *c->keys)) != NULL;
        } else {
            c->cap_codes = HD_STAGE_ROWS;
            ok = (c->codes = hd_calloc(HD_STAGE_ROWS, sizeof *c->codes)) != NULL;
            if (specs[i].kind == HD_COLUMN_LIST)
                ok &= (c->counts = hd_calloc(HD_STAGE_ROWS, sizeof *c->counts)) != NULL;
        }
        if (!ok)
            return hd_fail_nomem(err);
    }
    return HD_OK;
}

void hd_stage_free(hd_stage *s)
{
    for (size_t i = 0; i < s->n_columns && s->columns; i++) {
        hd_wipe_free(s->columns[i].codes, s->columns[i].cap_codes * sizeof(uint32_t));
        hd_free(s->columns[i].counts);
        hd_wipe_free(s->columns[i].keys, s->columns[i].keys ? HD_STAGE_ROWS * sizeof(uint64_t) : 0);
    }
    hd_free(s->columns);
    hd_free(s->persons);
    hd_free(s->order);
    *s = (hd_stage){0};
}

hd_code hd_stage_flush(struct hd_intake *in, hd_err *err)
{
    hd_stage *s = &in->stage;
    if (s->n_rows == 0)
        return HD_OK;
    hd_rows_column *columns = hd_calloc(s->n_columns, sizeof *columns);
    if (!columns)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < s->n_columns; i++)
        if (s->columns[i].is_there) /* else it is NULL in all rows */
            columns[i] =
                (hd_rows_column){s->columns[i].codes, s->columns[i].counts, s->columns[i].keys};
    hd_rows rows = {s->n_rows, s->persons, s->order, columns};
    hd_code rc = hd_builder_append(in->sink->builder, &rows, err);
    hd_free(columns);
    s->n_rows = 0;
    for (size_t i = 0; i < s->n_columns; i++)
        s->columns[i].n_codes = 0;
    return rc;
}

static int64_t order_of(const struct hd_intake *in, size_t row)
{
    int64_t key = 0;
    for (size_t i = 0; i < in->n_order; i++) {
        const hd_target *t = &in->targets[in->order[i]];
        bool is_there = t->n_sources > 0 && t->cells;
        key = hd_order_pack(key, is_there ? t->cells[row].number : INT64_MIN, t->field->type);
    }
    return key;
}

static hd_code add_list(hd_stage_column *c, const hd_target *t, size_t row, size_t at, hd_err *err)
{
    uint32_t n = t->lengths[row];
    c->counts[at] = n;
    while (c->n_codes + n > c->cap_codes) {
        uint32_t *p = hd_realloc_n(c->codes, c->cap_codes * 2, sizeof *p);
        if (!p)
            return hd_fail_nomem(err);
        c->codes = p;
        c->cap_codes *= 2;
    }
    if (n)
        memcpy(c->codes + c->n_codes, t->codes + row * t->field->n_elements, n * sizeof *c->codes);
    c->n_codes += n;
    return HD_OK;
}

static hd_code add_column(struct hd_intake *in, const hd_target *t, const uint8_t *keep,
                          hd_err *err)
{
    hd_stage_column *c = &in->stage.columns[t->out];
    size_t at = in->stage.n_rows;
    c->is_there = t->n_sources > 0; /* the same for all rows of a stage: they are of one file */
    if (!c->is_there)
        return HD_OK;
    for (size_t r = 0; r < in->n_rows; r++) {
        if (!keep[r])
            continue;
        if (t->field->kind == HD_FIELD_LIST)
            HD_TRY(add_list(c, t, r, at, err));
        else if (t->field->kind == HD_FIELD_KEY)
            c->keys[at] = t->keys[r];
        else
            c->codes[at] = t->codes[r];
        at++;
    }
    return HD_OK;
}

hd_code hd_stage_add(struct hd_intake *in, const uint8_t *keep, hd_err *err)
{
    hd_stage *s = &in->stage;
    if (s->n_rows + in->n_rows > HD_STAGE_ROWS)
        HD_TRY(hd_stage_flush(in, err));
    for (size_t i = 0; i < in->n_targets; i++)
        if (in->targets[i].out >= 0)
            HD_TRY(add_column(in, &in->targets[i], keep, err));
    s->columns[in->data_year_out].is_there = s->columns[in->part_year_out].is_there = true;
    for (size_t r = 0; r < in->n_rows; r++) {
        if (!keep[r])
            continue;
        s->columns[in->data_year_out].codes[s->n_rows] = in->year_code;
        s->columns[in->part_year_out].codes[s->n_rows] = in->part_code;
        s->persons[s->n_rows] = in->persons[r];
        s->order[s->n_rows] = order_of(in, r);
        s->n_rows++;
    }
    return HD_OK;
}
