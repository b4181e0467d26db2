/* setup.c - an intake from the definitions: its targets, what they must remember, and its end. */
#include "base/alloc.h"
#include "crypto/secret.h"
#include "landing/private.h"

#include <string.h>

static bool is_column(const hd_field *f)
{
    return f->kind == HD_FIELD_STORED || f->kind == HD_FIELD_LIST || f->kind == HD_FIELD_KEY;
}

static void set_spec(hd_column_spec *s, const char *name, hd_column_kind kind, hd_type type)
{
    *s = (hd_column_spec){.kind = kind, .type = type};
    size_t len = strlen(name);
    HD_ALWAYS(len < sizeof s->name);
    memcpy(s->name, name, len + 1);
}

hd_code hd_intake_columns(const hd_table_def *t, hd_column_spec **out, size_t *n, hd_err *err)
{
    hd_column_spec *specs = hd_calloc(t->n_fields + 2, sizeof *specs);
    *out = NULL;
    if (!specs)
        return hd_fail_nomem(err);
    *n = 0;
    for (size_t i = 0; i < t->n_fields; i++) {
        const hd_field *f = &t->fields[i];
        if (is_column(f))
            set_spec(&specs[(*n)++], f->name,
                     f->kind == HD_FIELD_STORED ? HD_COLUMN_CODES
                     : f->kind == HD_FIELD_LIST ? HD_COLUMN_LIST
                                                : HD_COLUMN_KEY,
                     f->kind == HD_FIELD_KEY ? HD_INTEGER : f->type);
    }
    static const char *const years[] = {"data_year", "part_year"};
    for (int i = 0; i < 2; i++)
        if (!hd_table_def_field(t, years[i]))
            set_spec(&specs[(*n)++], years[i], HD_COLUMN_CODES, HD_INTEGER);
    *out = specs;
    return HD_OK;
}

static int find_spec(const hd_column_spec *specs, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(specs[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int target_named(const struct hd_intake *in, const char *name)
{
    for (size_t i = 0; name && i < in->n_targets; i++)
        if (strcmp(in->targets[i].field->name, name) == 0)
            return (int)i;
    return -1;
}

static hd_code make_targets(struct hd_intake *in, const hd_column_spec *specs, size_t n_specs,
                            hd_err *err)
{
    const hd_table_def *t = in->table;
    in->targets = hd_calloc(t->n_fields, sizeof *in->targets);
    in->target_of = hd_calloc(t->n_fields, sizeof *in->target_of);
    if (!in->targets || !in->target_of)
        return hd_fail_nomem(err);
    in->person = in->provider = in->period = -1;
    for (size_t i = 0; i < t->n_fields; i++) {
        const hd_field *f = &t->fields[i];
        in->target_of[i] = -1;
        if ((!is_column(f) && f->kind != HD_FIELD_PERSON) || strcmp(f->name, "data_year") == 0 ||
            strcmp(f->name, "part_year") == 0)
            continue;
        if (f->kind == HD_FIELD_PERSON)
            in->person = (int)in->n_targets;
        in->target_of[i] = (int)in->n_targets;
        in->targets[in->n_targets++] =
            (hd_target){.in = in,
                        .field = f,
                        .position = (int)i,
                        .out = is_column(f) ? find_spec(specs, n_specs, f->name) : -1};
    }
    in->data_year_out = find_spec(specs, n_specs, "data_year");
    in->part_year_out = find_spec(specs, n_specs, "part_year");
    const char *link = hd_table_def_parameter(t, "key", t->key);
    in->key = target_named(in, t->key);
    in->link = target_named(in, link);
    if (in->key >= 0 && in->targets[in->key].field->kind != HD_FIELD_KEY)
        in->key = -1;
    if (in->link >= 0 && in->targets[in->link].field->kind != HD_FIELD_KEY)
        in->link = -1;
    return HD_OK;
}

static void watch(struct hd_intake *in, int position)
{
    if (position >= 0 && in->target_of[position] >= 0)
        in->targets[in->target_of[position]].is_watched = true;
}

static void keep_texts(struct hd_intake *in, int position)
{
    if (position >= 0)
        in->targets[in->target_of[position]].has_texts = true;
}

static void keep_numbers(struct hd_intake *in, int position)
{
    if (position >= 0 && in->target_of[position] >= 0)
        in->targets[in->target_of[position]].has_numbers = true;
}

static void watch_all(struct hd_intake *in)
{
    const hd_rulebook *r = in->rules;
    for (size_t i = 0; i < r->n_checks; i++) {
        watch(in, r->checks[i].a);
        watch(in, r->checks[i].b);
        watch(in, r->checks[i].c);
    }
    for (size_t i = 0; i < r->n_conditions; i++) {
        watch(in, r->conditions[i].field);
        in->targets[in->target_of[r->conditions[i].field]].condition_bits |= UINT64_C(1) << i;
    }
    for (size_t i = 0; i < r->n_key_fields; i++)
        watch(in, r->key_fields[i]);
    watch(in, r->provider);
    watch(in, r->period);
    for (size_t i = 0; i < r->n_checks; i++) {
        const hd_check *k = &r->checks[i];
        if (k->test == HD_CHECK_STARTS_WITH || k->test == HD_CHECK_FLAG)
            keep_texts(in, k->a);
        if (k->test == HD_CHECK_STARTS_WITH)
            keep_texts(in, k->b);
        else if (k->test != HD_CHECK_NEVER) {
            keep_numbers(in, k->a);
            keep_numbers(in, k->b);
            keep_numbers(in, k->c);
        }
    }
    keep_numbers(in, r->period);
    keep_texts(in, r->provider);
    in->provider = r->provider < 0 ? -1 : in->target_of[r->provider];
    in->period = r->period < 0 ? -1 : in->target_of[r->period];
    unsigned bits = 0;
    for (size_t i = 0; i < in->table->n_order && in->n_order < HD_ORDER_FIELDS; i++) {
        int t = target_named(in, in->table->order[i]);
        if (t < 0 || in->targets[t].field->kind != HD_FIELD_STORED)
            continue;
        bits += hd_order_bits(in->targets[t].field->type);
        if (bits > HD_ORDER_BITS)
            break;
        in->targets[t].is_watched = in->targets[t].has_numbers = true;
        in->order[in->n_order++] = t;
    }
}

static hd_code make_memo(hd_target *t, hd_err *err)
{
    const hd_field *f = t->field;
    if (f->kind == HD_FIELD_KEY || f->kind == HD_FIELD_PERSON)
        return HD_OK;
    if (f->kind == HD_FIELD_LIST) {
        t->element_shapes = hd_calloc(f->n_elements, 1);
        if (!t->element_shapes)
            return hd_fail_nomem(err);
    }
    t->has_memo = true;
    return hd_memo_init(&t->memo, hd_value_judge, t, err);
}

static hd_code make_quality(struct hd_intake *in, hd_err *err)
{
    hd_quality *q = &in->quality;
    size_t n = in->table->n_fields, checks = in->rules->n_checks;
    uint32_t unknown;
    q->table = in->table;
    q->rules = in->rules;
    q->delivered = hd_calloc(n, sizeof *q->delivered);
    q->counts = hd_calloc(n, sizeof *q->counts);
    q->check_applies = hd_calloc(checks, sizeof *q->check_applies);
    q->check_fails = hd_calloc(checks, sizeof *q->check_fails);
    q->providers = hd_intern_new();
    in->cell_keys = hd_intern_new();
    in->places = hd_calloc((size_t)1 << HD_PLACE_BITS, sizeof *in->places);
    if (!q->delivered || !q->counts || !q->check_applies || !q->check_fails || !q->providers ||
        !in->cell_keys || !in->places)
        return hd_fail_nomem(err);
    return hd_intern_add(q->providers, "", 0, &unknown, err);
}

hd_code hd_intake_new(hd_intake **out, const hd_catalogue *c, const hd_table_def *t,
                      const hd_intake_options *options, const hd_sink *sink, hd_err *err)
{
    hd_column_spec *specs = NULL;
    size_t n_specs;
    hd_code rc;
    *out = NULL;
    hd_intake *in = hd_calloc(1, sizeof *in);
    if (!in)
        return hd_fail_nomem(err);
    *in = (hd_intake){.catalogue = c, .table = t, .options = options, .sink = sink};
    HD_GO(hd_crypto_start(err));
    hd_buf_init(&in->row_text, SIZE_MAX / 2);
    hd_random(in->hash_key, sizeof in->hash_key);
    HD_GO(hd_rulebook_open(&in->rules, c, t, err));
    HD_GO(hd_intake_columns(t, &specs, &n_specs, err));
    HD_GO(make_targets(in, specs, n_specs, err));
    watch_all(in);
    for (size_t i = 0; i < in->n_targets; i++)
        HD_GO(make_memo(&in->targets[i], err));
    HD_GO(make_quality(in, err));
    in->n_columns = n_specs;
    in->columns = hd_calloc(n_specs, sizeof *in->columns);
    if (!in->columns)
        HD_GO(hd_fail_nomem(err));
    *out = in;
    in = NULL;
out:
    hd_free(specs);
    hd_intake_free(in);
    return rc;
}

static void free_target(hd_target *t)
{
    hd_free(t->sources);
    hd_judge_free(t->judge);
    hd_memo_free(&t->memo);
    hd_free(t->element_shapes);
}

static void free_quality(hd_quality *q)
{
    for (size_t i = 0; i < q->n_files; i++) {
        hd_file_summary *f = &q->files[i];
        hd_names_free(&f->used);
        hd_names_free(&f->dropped);
        hd_names_free(&f->repeated);
        hd_names_free(&f->unknown);
        hd_names_free(&f->missing);
        hd_free(f->name);
    }
    for (size_t i = 0; i < q->n_findings; i++) {
        hd_free(q->findings[i].file);
        hd_free(q->findings[i].column);
    }
    hd_free(q->files);
    hd_free(q->findings);
    hd_free(q->delivered);
    hd_free(q->counts);
    hd_free(q->check_applies);
    hd_free(q->check_fails);
    hd_intern_free(q->providers);
    hd_free(q->cells);
}

void hd_intake_free(hd_intake *in)
{
    if (!in)
        return;
    for (size_t i = 0; i < in->n_targets; i++)
        free_target(&in->targets[i]);
    hd_columns_release(in);
    hd_delivery_close(in->reader);
    hd_free(in->targets);
    hd_free(in->target_of);
    hd_free(in->columns);
    hd_buf_free(&in->row_text);
    hd_seen_free(&in->seen);
    hd_intern_free(in->cell_keys);
    hd_free(in->places);
    free_quality(&in->quality);
    hd_rulebook_close(in->rules);
    hd_wipe_free(in, sizeof *in);
}
