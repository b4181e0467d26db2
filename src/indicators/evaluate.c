/* evaluate.c - an indicator's questions asked, its units compared, and the result as releases. */
#include "base/alloc.h"
#include "base/date.h"
#include "base/intern.h"
#include "indicators/work.h"

#include <stdio.h>
#include <string.h>

typedef struct evaluation {
    hd_task task;
    hd_release *units, *nation;
    hd_unit_row *rows;
    size_t n_rows;
    hd_intern *contexts, *series, *regions;
    hd_band *bands; /* one a context */
    hd_series_set *set;
    hd_buf name; /* scratch */
} evaluation;

hd_peers hd_peers_parse(const hd_catalogue *c, const char *text)
{
    if (strcmp(text, "all") == 0)
        return (hd_peers){HD_PEERS_ALL, text};
    if (strcmp(text, "region") == 0)
        return (hd_peers){HD_PEERS_REGION, text};
    const hd_lookup *l = hd_catalogue_lookup(c, "peer_group_of");
    for (size_t i = 0; l && i < l->n_rows; i++)
        if (strcmp(l->values[i], text) == 0)
            return (hd_peers){HD_PEERS_GROUP, text};
    return (hd_peers){HD_PEERS_CODES, text};
}

/* ---- names of contexts and series ----------------------------------------------------------- */

static void put_value(hd_buf *b, const hd_figure *f)
{
    hd_buf_char(b, f->mark ? f->mark : f->value.is_null ? 'n' : 'v');
    if (f->mark || f->value.is_null)
        return;
    if (f->value.type == HD_TEXT) {
        hd_buf_add(b, &f->value.text.len, sizeof f->value.text.len);
        hd_buf_add(b, f->value.text.bytes, f->value.text.len);
    } else {
        hd_buf_add(b, &f->value.integer, sizeof f->value.integer);
    }
}

/* A number for the keys of a row without the one at position `left_out`; `add` false: find only. */
static hd_code key_number(evaluation *v, hd_intern *t, const hd_figure *keys, size_t n,
                          int left_out, bool add, uint32_t *out, hd_err *err)
{
    hd_buf_clear(&v->name);
    for (size_t i = 0; i < n; i++)
        if ((int)i != left_out)
            put_value(&v->name, &keys[i]);
    HD_TRY(hd_buf_check(&v->name, err));
    if (add)
        return hd_intern_add(t, v->name.data, v->name.len, out, err);
    *out = hd_intern_find(t, v->name.data, v->name.len);
    return HD_OK;
}

/* ---- peers ---------------------------------------------------------------------------------- */

const char *hd_look_up(const hd_catalogue *c, const char *lookup, const hd_figure *unit,
                       char code[64])
{
    const hd_lookup *l = hd_catalogue_lookup(c, lookup);
    if (!l || unit->mark || unit->value.is_null || unit->value.type != HD_TEXT ||
        unit->value.text.len >= 64)
        return NULL;
    memcpy(code, unit->value.text.bytes, unit->value.text.len);
    code[unit->value.text.len] = '\0';
    return hd_lookup_find(l, code);
}

static bool is_listed(const char *list, const hd_figure *unit)
{
    if (unit->mark || unit->value.is_null || unit->value.type != HD_TEXT)
        return false;
    for (const char *at = list; *at;) {
        size_t len = strcspn(at, ",");
        if (len == unit->value.text.len && memcmp(at, unit->value.text.bytes, len) == 0)
            return true;
        at += len + (at[len] == ',');
    }
    return false;
}

static hd_code set_peer_class(evaluation *v, hd_unit_row *r, hd_err *err)
{
    const hd_peers *p = &v->task.request->peers;
    char code[64];
    const char *found;
    uint32_t id;
    const hd_figure *unit = v->task.unit >= 0 ? &r->keys[v->task.unit] : NULL;
    r->peer_class = -1;
    if (!unit || unit->value.is_null)
        return HD_OK;
    switch (p->kind) {
    case HD_PEERS_ALL:
        r->peer_class = 0;
        break;
    case HD_PEERS_GROUP:
        found = hd_look_up(hd_engine_catalogue(v->task.engine), "peer_group_of", unit, code);
        r->peer_class = found && strcmp(found, p->text) == 0 ? 0 : -1;
        break;
    case HD_PEERS_CODES:
        r->peer_class = is_listed(p->text, unit) ? 0 : -1;
        break;
    case HD_PEERS_REGION:
        found = hd_look_up(hd_engine_catalogue(v->task.engine), "region_of", unit, code);
        if (found && *found) {
            HD_TRY(hd_intern_add(v->regions, found, strlen(found), &id, err));
            r->peer_class = (int)id;
        }
        break;
    }
    return HD_OK;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void key_values(const hd_task *t, const hd_figure *keys, bool national,
                       const hd_value *out[HD_INDICATOR_MAX_BY])
{
    for (size_t i = 0, k = 0; i < t->request->n_by; i++)
        out[i] = national && (int)i == t->unit ? NULL : &keys[k++].value;
}

/* Readmissions of a month are known when what follows the month is. */
static bool is_incomplete(const hd_task *t, int month)
{
    if (month == INT32_MIN || t->data_end == INT32_MAX)
        return false;
    int32_t needed = hd_date_month_start(month + 1) - 1 + (int32_t)t->def->follow_up_days;
    return needed >= hd_date_month_start(t->data_end + 1);
}

static hd_code fill_row(evaluation *v, size_t row, hd_err *err)
{
    const hd_task *t = &v->task;
    hd_unit_row *r = &v->rows[row];
    size_t n = t->request->n_by;
    const hd_value *keys[HD_INDICATOR_MAX_BY];
    *r = (hd_unit_row){.month = INT32_MIN,
                       .national = {NAN, 0},
                       .peer_median = {NAN, 0},
                       .funnel = INT32_MIN,
                       .funnel_p = {NAN, 0},
                       .months_flagged = -1};
    for (size_t i = 0; i < n; i++)
        r->keys[i] = hd_release_at(v->units, row, i);
    key_values(t, r->keys, false, keys);
    if (t->month >= 0 && !keys[t->month]->is_null)
        r->month = hd_date_month_index((int32_t)keys[t->month]->integer);
    HD_TRY(key_number(v, v->contexts, r->keys, n, t->unit, true, &r->context, err));
    HD_TRY(key_number(v, v->series, r->keys, n, t->month, true, &r->series, err));
    HD_TRY(set_peer_class(v, r, err));
    HD_TRY(hd_estimate_row(t, v->units, row, n, keys, &r->own, err));
    r->is_incomplete = is_incomplete(t, r->month);
    return HD_OK;
}

static hd_code fill_nation(evaluation *v, hd_err *err)
{
    const hd_task *t = &v->task;
    size_t n = t->request->n_by - 1;
    for (size_t row = 0; row < v->nation->n_rows; row++) {
        hd_figure keys[HD_INDICATOR_MAX_BY];
        for (size_t i = 0; i < n; i++)
            keys[i] = hd_release_at(v->nation, row, i);
        const hd_value *values[HD_INDICATOR_MAX_BY];
        uint32_t context;
        HD_TRY(key_number(v, v->contexts, keys, n, -1, false, &context, err));
        if (context == HD_INTERN_NONE)
            continue;
        key_values(t, keys, true, values);
        HD_TRY(hd_estimate_row(t, v->nation, row, n, values, &v->bands[context].national, err));
    }
    return HD_OK;
}

/* Is there one national series? By month, the unit, and nothing else. */
static bool has_bands(const hd_task *t)
{
    return t->unit >= 0 && t->month >= 0 && t->request->n_by == 2;
}

static hd_code find_signals(evaluation *v, hd_err *err)
{
    const hd_task *t = &v->task;
    size_t n = hd_intern_count(v->series),
           n_bands = has_bands(t) ? hd_intern_count(v->contexts) : 0;
    for (size_t i = 0; i < n_bands; i++)
        v->bands[i].is_incomplete = is_incomplete(t, v->bands[i].month);
    HD_TRY(hd_series_make(t, v->rows, v->n_rows, n, v->bands, n_bands, &v->set, err));
    for (size_t i = 0; v->set && i < v->n_rows; i++) {
        hd_unit_row *r = &v->rows[i];
        if (r->month != INT32_MIN && r->month >= t->request->shown_from)
            HD_TRY(
                hd_signal_find(t, v->set, &v->set->series[r->series], r->month, &r->signal, err));
    }
    for (size_t i = 0; v->set && i < n_bands; i++)
        HD_TRY(hd_signal_find(t, v->set, &v->set->series[n], v->bands[i].month, &v->bands[i].signal,
                              err));
    return HD_OK;
}

static hd_code ask(evaluation *v, bool national, hd_release **out, hd_err *err)
{
    hd_buf sql;
    hd_buf_init(&sql, (size_t)1 << 20);
    hd_code rc = hd_compose(&v->task, national, &sql, err);
    if (rc == HD_OK)
        rc = hd_release_ask_defined(out, v->task.engine, v->task.policy, sql.data, err);
    if (rc != HD_OK && rc != HD_NOMEM)
        rc = hd_context(err, "indicator %s", v->task.def->id);
    hd_buf_free(&sql);
    return rc;
}

/* The questions of one indicator; those that make no sense, or that the policy admits to no record, are
 * left for the evaluation to refuse. */
static hd_code find_questions(hd_engine *e, const hd_policy *p, const hd_indicator_file *def,
                              const hd_indicator_request *r, hd_question **out, size_t *n,
                              hd_err *err)
{
    hd_task t = {.engine = e, .policy = p, .def = def, .request = r};
    if (hd_task_prepare(&t, err) != HD_OK)
        return err->code == HD_NOMEM ? HD_NOMEM : HD_OK;
    for (int national = 0; national < (t.unit >= 0 ? 2 : 1); national++) {
        hd_buf sql;
        hd_buf_init(&sql, (size_t)1 << 20);
        hd_code rc = hd_compose(&t, national, &sql, err);
        if (rc == HD_OK)
            rc = hd_engine_ask(e, sql.data, &out[*n], err);
        hd_buf_free(&sql);
        if (rc == HD_NOMEM || rc == HD_CANCELLED)
            return rc;
        if (rc == HD_OK && hd_release_admit(p, out[*n], err) != HD_OK) {
            hd_question_free(out[*n]);
            rc = HD_DENIED;
        }
        *n += rc == HD_OK;
    }
    return HD_OK;
}

hd_code hd_indicator_scan(hd_engine *e, const hd_policy *p, const hd_indicator_file *const *defs,
                          size_t n, const hd_indicator_request *r, hd_err *err)
{
    size_t n_questions = 0;
    hd_code rc = HD_OK;
    hd_question **questions = hd_calloc(2 * n, sizeof *questions);
    if (!questions)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n && rc == HD_OK; i++)
        rc = find_questions(e, p, defs[i], r, questions, &n_questions, err);
    if (rc == HD_OK)
        rc = hd_engine_run_ahead(e, questions, n_questions, err);
    if (rc != HD_NOMEM && rc != HD_CANCELLED)
        rc = HD_OK; /* each question is run again by itself, and says what is wrong */
    for (size_t i = 0; i < n_questions; i++)
        hd_question_free(questions[i]);
    hd_free(questions);
    return rc;
}

static hd_code collect(evaluation *v, hd_err *err)
{
    const hd_number nothing = {NAN, 0};
    HD_TRY(ask(v, false, &v->units, err));
    v->n_rows = v->units->n_rows;
    v->rows = hd_calloc(v->n_rows + 1, sizeof *v->rows);
    v->contexts = hd_intern_new();
    v->series = hd_intern_new();
    v->regions = hd_intern_new();
    if (!v->rows || !v->contexts || !v->series || !v->regions)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < v->n_rows; i++)
        HD_TRY(fill_row(v, i, err));
    size_t n_contexts = hd_intern_count(v->contexts);
    v->bands = hd_calloc(n_contexts + 1, sizeof *v->bands);
    if (!v->bands)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n_contexts; i++)
        v->bands[i].national = (hd_estimate){nothing, nothing, nothing, nothing, nothing, nothing};
    if (v->task.unit < 0)
        return find_signals(v, err);
    HD_TRY(ask(v, true, &v->nation, err));
    HD_TRY(fill_nation(v, err));
    HD_TRY(hd_compare(&v->task, v->rows, v->n_rows, v->bands, n_contexts, err));
    for (size_t i = 0; i < v->n_rows; i++)
        v->rows[i].national = v->bands[v->rows[i].context].national.value;
    return find_signals(v, err);
}

/* ---- releases ------------------------------------------------------------------------------- */

static const char *funnel_text(int status)
{
    static const char *const texts[] = {"lower 99.8%", "lower 95%", "as expected", "higher 95%",
                                        "higher 99.8%"};
    return status == INT32_MIN ? NULL : texts[status + 2];
}

static bool unit_is_provider(const hd_task *t)
{
    return t->unit >= 0 && strcmp(t->request->by[t->unit], "provider") == 0;
}

typedef struct column {
    const char *name;
    hd_type type;
    bool is_by_month; /* only there when by month */
} column;

static hd_code add_columns(const hd_task *t, hd_release_builder *b, const hd_release *asked,
                           hd_err *err)
{
    static const column figures[] = {
        {"numerator", HD_INTEGER},
        {"denominator", HD_INTEGER},
        {"value", HD_DECIMAL},
        {"lower", HD_DECIMAL},
        {"upper", HD_DECIMAL},
        {"national", HD_DECIMAL},
        {"peer_median", HD_DECIMAL},
        {"decile", HD_INTEGER},
        {"worst_10", HD_BOOLEAN},
        {"funnel", HD_TEXT},
        {"funnel_p", HD_DECIMAL},
        {"months_flagged", HD_INTEGER, true},
        {"special_cause", HD_TEXT, true},
        {"variation", HD_TEXT, true},
        {"assurance", HD_TEXT, true},
        {"signal_note", HD_TEXT, true},
        {"note", HD_TEXT},
    };
    HD_TRY(hd_release_builder_column(b, "indicator", HD_TEXT, true, err));
    for (size_t i = 0; i < t->request->n_by; i++)
        HD_TRY(hd_release_builder_column(b, asked->columns[i].name, asked->columns[i].type, true,
                                         err));
    if (unit_is_provider(t))
        HD_TRY(hd_release_builder_column(b, "name", HD_TEXT, true, err));
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        if (t->month >= 0 || !figures[i].is_by_month)
            HD_TRY(hd_release_builder_column(b, figures[i].name, figures[i].type, false, err));
    return HD_OK;
}

static hd_code put_row(const evaluation *v, hd_release_builder *b, const hd_unit_row *r,
                       hd_err *err)
{
    const hd_task *t = &v->task;
    char code[64];
    HD_TRY(hd_put_text(b, t->def->id, err));
    for (size_t i = 0; i < t->request->n_by; i++)
        HD_TRY(hd_release_builder_put(b, &r->keys[i], err));
    if (unit_is_provider(t))
        HD_TRY(hd_put_text(b,
                           hd_look_up(hd_engine_catalogue(v->task.engine), "provider_name_of",
                                      &r->keys[t->unit], code),
                           err));
    HD_TRY(hd_put_count(b, r->own.numerator, err));
    HD_TRY(hd_put_count(b, r->own.denominator, err));
    HD_TRY(hd_put_number(b, r->own.value, err));
    HD_TRY(hd_put_number(b, r->own.lower, err));
    HD_TRY(hd_put_number(b, r->own.upper, err));
    HD_TRY(hd_put_number(b, r->national, err));
    HD_TRY(hd_put_number(b, r->peer_median, err));
    HD_TRY(hd_put_integer(b, r->decile > 0, r->decile, err));
    HD_TRY(hd_put_flag(b, r->worst, err));
    HD_TRY(hd_put_text(b, funnel_text(r->funnel), err));
    HD_TRY(hd_put_number(b, r->funnel_p, err));
    if (t->month >= 0) {
        HD_TRY(hd_put_integer(b, r->months_flagged >= 0, r->months_flagged, err));
        HD_TRY(hd_put_signal(b, &r->signal, err));
    }
    return hd_put_text(b, r->is_incomplete ? "incomplete" : NULL, err);
}

static hd_code make_rows(evaluation *v, hd_release **out, hd_err *err)
{
    hd_code rc;
    hd_release_builder *b = hd_release_builder_new(v->units);
    if (!b)
        return hd_fail_nomem(err);
    if (v->nation)
        HD_GO(hd_release_builder_also(b, v->nation, err));
    HD_GO(add_columns(&v->task, b, v->units, err));
    for (size_t i = 0; i < v->n_rows; i++)
        if (v->rows[i].month == INT32_MIN || v->rows[i].month >= v->task.request->shown_from)
            HD_GO(put_row(v, b, &v->rows[i], err));
    HD_GO(hd_release_builder_finish(b, out, err));
out:
    hd_release_builder_free(b);
    return rc;
}

static hd_code put_band(hd_release_builder *b, const hd_band *band, hd_err *err)
{
    hd_figure month = {.value = {.type = HD_DATE, .integer = hd_date_month_start(band->month)}};
    HD_TRY(hd_release_builder_put(b, &month, err));
    HD_TRY(hd_put_integer(b, true, (int64_t)band->n, err));
    const double p[] = {band->p10, band->p25, band->p50, band->p75, band->p90};
    for (size_t i = 0; i < 5; i++)
        HD_TRY(hd_put_number(b, (hd_number){p[i], 0}, err));
    HD_TRY(hd_put_number(b, band->national.value, err));
    HD_TRY(hd_put_number(b, band->national.lower, err));
    HD_TRY(hd_put_number(b, band->national.upper, err));
    HD_TRY(hd_put_signal(b, &band->signal, err));
    return hd_put_text(b, band->is_incomplete ? "incomplete" : NULL, err);
}

static hd_code make_bands(evaluation *v, hd_release **out, hd_err *err)
{
    static const column columns[] = {
        {"units", HD_INTEGER},
        {"p10", HD_DECIMAL},
        {"p25", HD_DECIMAL},
        {"p50", HD_DECIMAL},
        {"p75", HD_DECIMAL},
        {"p90", HD_DECIMAL},
        {"national", HD_DECIMAL},
        {"national_lower", HD_DECIMAL},
        {"national_upper", HD_DECIMAL},
        {"special_cause", HD_TEXT},
        {"variation", HD_TEXT},
        {"assurance", HD_TEXT},
        {"signal_note", HD_TEXT},
        {"note", HD_TEXT},
    };
    const hd_indicator_request *r = v->task.request;
    hd_code rc;
    *out = NULL;
    if (!has_bands(&v->task))
        return HD_OK;
    hd_release_builder *b = hd_release_builder_new(v->units);
    if (!b)
        return hd_fail_nomem(err);
    HD_GO(hd_release_builder_column(b, "month", HD_DATE, true, err));
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        HD_GO(hd_release_builder_column(b, columns[i].name, columns[i].type, false, err));
    int first = INT32_MAX, last = INT32_MIN;
    size_t n = hd_intern_count(v->contexts);
    for (size_t i = 0; i < n; i++) {
        first = v->bands[i].month < first ? v->bands[i].month : first;
        last = v->bands[i].month > last ? v->bands[i].month : last;
    }
    for (int m = first; n && m <= last; m++)
        for (size_t i = 0; i < n; i++)
            if (v->bands[i].month == m && m >= r->shown_from)
                HD_GO(put_band(b, &v->bands[i], err));
    HD_GO(hd_release_builder_finish(b, out, err));
out:
    hd_release_builder_free(b);
    return rc;
}

hd_code hd_indicator_evaluate(hd_indicator_result *out, hd_engine *e, const hd_policy *p,
                              const hd_indicator_file *def, const hd_indicator_request *r,
                              hd_err *err)
{
    evaluation v = {.task = {.engine = e, .policy = p, .def = def, .request = r}};
    hd_code rc;
    *out = (hd_indicator_result){0};
    hd_buf_init(&v.name, (size_t)1 << 20);
    HD_GO(hd_task_prepare(&v.task, err));
    HD_GO(collect(&v, err));
    HD_GO(make_rows(&v, &out->rows, err));
    HD_GO(make_bands(&v, &out->bands, err));
    if (v.set) {
        v.set->units = v.units;
        v.units = NULL;
        out->series = v.set;
        v.set = NULL;
    }
out:
    if (rc != HD_OK)
        hd_indicator_result_free(out);
    hd_series_set_free(v.set);
    hd_release_free(v.units);
    hd_release_free(v.nation);
    hd_intern_free(v.contexts);
    hd_intern_free(v.series);
    hd_intern_free(v.regions);
    hd_wipe_free(v.rows, (v.n_rows + 1) * sizeof *v.rows);
    hd_free(v.bands);
    hd_buf_free(&v.name);
    return rc;
}

void hd_indicator_result_free(hd_indicator_result *r)
{
    hd_release_free(r->rows);
    hd_release_free(r->bands);
    hd_series_set_free(r->series);
    *r = (hd_indicator_result){0};
}

static bool same_columns(const hd_release *a, const hd_release *b)
{
    if (a->n_columns != b->n_columns)
        return false;
    for (size_t c = 0; c < a->n_columns; c++)
        if (a->columns[c].type != b->columns[c].type ||
            strcmp(a->columns[c].name, b->columns[c].name) != 0)
            return false;
    return true;
}

hd_code hd_release_join(hd_release **out, const hd_release *const *parts, size_t n, hd_err *err)
{
    hd_code rc;
    HD_ALWAYS(n > 0);
    for (size_t i = 1; i < n; i++)
        if (!same_columns(parts[0], parts[i]))
            return hd_fail(
                err, HD_INVALID,
                "these indicators do not have the same columns, a field they are grouped "
                "by differs between their tables: ask them one by one");
    hd_release_builder *b = hd_release_builder_new(parts[0]);
    if (!b)
        return hd_fail_nomem(err);
    for (size_t c = 0; c < parts[0]->n_columns; c++)
        HD_GO(hd_release_builder_column(b, parts[0]->columns[c].name, parts[0]->columns[c].type,
                                        parts[0]->columns[c].is_key, err));
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            HD_GO(hd_release_builder_also(b, parts[i], err));
        for (size_t f = 0; f < parts[i]->n_rows * parts[i]->n_columns; f++) {
            size_t n_columns = parts[i]->n_columns;
            const hd_figure shown = hd_release_at(parts[i], f / n_columns, f % n_columns);
            HD_GO(hd_release_builder_put(b, &shown, err));
        }
    }
    HD_GO(hd_release_builder_finish(b, out, err));
out:
    hd_release_builder_free(b);
    return rc;
}
