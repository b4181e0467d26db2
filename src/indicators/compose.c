/* compose.c - an indicator's definition to the SQL that is asked. */
#include "base/alloc.h"
#include "base/date.h"
#include "indicators/work.h"

#include <stdio.h>
#include <string.h>

typedef struct period {
    const char *name, *function;
} period;

static const period periods[] = {
    [HD_BY_FIELD] = {"", ""},
    [HD_BY_MONTH] = {"month", "month_of"},
    [HD_BY_QUARTER] = {"quarter", "quarter_of"},
    [HD_BY_YEAR] = {"year", "financial_year"},
};

/* HES numbers the months of a delivered year: 201406 holds April to September 2014, 201413 and
 * 201499 the whole year. */
static int extract_end(const hd_extract *x)
{
    int april = x->data_year * 12 + 3, month = x->part_year % 100;
    return april + (month >= 1 && month <= 12 ? month - 1 : 11);
}

static hd_code find_data_end(hd_task *t, hd_err *err)
{
    hd_extract *extracts = NULL;
    size_t n = 0;
    const hd_catalogue *c = hd_engine_catalogue(t->engine);
    const hd_table_def *landed = t->table;
    while (landed && landed->is_built)
        landed = hd_catalogue_table(c, landed->from);
    HD_TRY(hd_vault_extracts(hd_engine_vault(t->engine), &extracts, &n, err));
    int end = INT32_MIN;
    for (size_t i = 0; i < n; i++)
        if (landed && strcmp(extracts[i].table, landed->name) == 0 &&
            extract_end(&extracts[i]) > end)
            end = extract_end(&extracts[i]);
    hd_free(extracts);
    t->data_end = end == INT32_MIN ? INT32_MAX : end;
    return HD_OK;
}

static hd_code take_key(hd_task *t, size_t i, hd_err *err)
{
    const char *name = t->request->by[i];
    for (size_t k = 0; k < i; k++)
        if (strcmp(t->request->by[k], name) == 0)
            return hd_fail(err, HD_INVALID, "'%s' stands twice in what to group by", name);
    t->kinds[i] = HD_BY_FIELD;
    for (size_t k = 1; k < sizeof periods / sizeof *periods; k++)
        if (strcmp(periods[k].name, name) == 0)
            t->kinds[i] = (hd_by_kind)k;
    if (t->kinds[i] == HD_BY_MONTH)
        t->month = (int)i;
    if (t->kinds[i] != HD_BY_FIELD)
        return HD_OK;
    const hd_field *f = hd_table_def_field(t->table, name);
    if (!f || f->kind == HD_FIELD_PERSON || f->kind == HD_FIELD_KEY ||
        f->kind == HD_FIELD_IDENTIFYING || f->kind == HD_FIELD_LIST)
        return hd_fail(err, HD_NOTFOUND,
                       "%s cannot be grouped by '%s': month, quarter, year, or a field of table %s",
                       t->def->id, name, t->table->name);
    if (t->unit < 0)
        t->unit = (int)i;
    return HD_OK;
}

hd_code hd_task_prepare(hd_task *t, hd_err *err)
{
    t->table = hd_catalogue_table(hd_engine_catalogue(t->engine), t->def->table);
    t->unit = t->month = -1;
    if (!t->table)
        return hd_fail(err, HD_FORMAT, "indicator %s names the unknown table '%s'", t->def->id,
                       t->def->table);
    if (t->request->n_by == 0)
        return hd_fail(err, HD_INVALID, "say what to group by, for example provider,month");
    for (size_t i = 0; i < t->request->n_by; i++)
        HD_TRY(take_key(t, i, err));
    return find_data_end(t, err);
}

/* ---- SQL ------------------------------------------------------------------------------------ */

static void put_key(hd_buf *sql, const hd_task *t, size_t i)
{
    if (t->kinds[i] == HD_BY_FIELD)
        hd_buf_str(sql, t->request->by[i]);
    else
        hd_buf_printf(sql, "%s(%s)", periods[t->kinds[i]].function, t->def->month);
}

/* In the order of take_figures in estimate.c. */
static void put_figures(hd_buf *sql, const hd_task *t)
{
    const hd_indicator_file *d = t->def;
    switch (d->method) {
    case HD_METHOD_PROPORTION:
        hd_buf_printf(sql, "count(*) FILTER (WHERE %s) AS numerator, count(*) AS denominator",
                      d->numerator);
        break;
    case HD_METHOD_RATIO:
    case HD_METHOD_DAILY_RATIO:
        hd_buf_printf(sql,
                      "count(*) FILTER (WHERE %s) AS numerator, "
                      "count(*) FILTER (WHERE %s) AS denominator",
                      d->numerator, d->denominator);
        break;
    case HD_METHOD_MEAN:
        hd_buf_printf(sql, "count(%s) AS denominator, avg(%s) AS value, stddev_samp(%s) AS spread",
                      d->value, d->value, d->value);
        break;
    case HD_METHOD_QUANTILE:
        hd_buf_printf(sql,
                      "count(%s) AS denominator, quantile_cont(%s, %.15g) AS value, "
                      "quantile_lower(%s, %.15g, %.15g) AS lower, "
                      "quantile_upper(%s, %.15g, %.15g) AS upper",
                      d->value, d->value, d->quantile, d->value, d->quantile, t->request->level,
                      d->value, d->quantile, t->request->level);
        break;
    }
}

static void put_months(hd_buf *sql, const hd_task *t)
{
    int first = t->request->first_month, last = t->request->last_month;
    char day[11];
    hd_buf_printf(sql, " AND month_of(%s) IS NOT NULL", t->def->month);
    if (first != INT32_MIN) {
        hd_date_format(hd_date_month_start(first), day);
        hd_buf_printf(sql, " AND month_of(%s) >= DATE '%s'", t->def->month, day);
    }
    if (last != INT32_MAX) {
        hd_date_format(hd_date_month_start(last), day);
        hd_buf_printf(sql, " AND month_of(%s) <= DATE '%s'", t->def->month, day);
    }
}

hd_code hd_compose(const hd_task *t, bool national, hd_buf *sql, hd_err *err)
{
    size_t n = 0;
    hd_buf_str(sql, "SELECT ");
    for (size_t i = 0; i < t->request->n_by; i++) {
        if (national && (int)i == t->unit)
            continue;
        put_key(sql, t, i);
        hd_buf_printf(sql, " AS %s, ", t->request->by[i]);
        n++;
    }
    put_figures(sql, t);
    hd_buf_printf(sql, " FROM %s WHERE (%s)", t->def->table, t->def->where);
    put_months(sql, t);
    if (!national && t->unit >= 0)
        hd_buf_printf(sql, " AND %s IS NOT NULL", t->request->by[t->unit]);
    for (size_t i = 0; i < n; i++)
        hd_buf_printf(sql, "%s%zu", i ? ", " : " GROUP BY ", i + 1);
    for (size_t i = 0; i < n; i++)
        hd_buf_printf(sql, "%s%zu", i ? ", " : " ORDER BY ", i + 1);
    return hd_buf_check(sql, err);
}
