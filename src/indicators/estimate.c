/* estimate.c - released figures of one row to a value and its interval. */
#include "base/date.h"
#include "indicators/work.h"
#include "statistics/interval.h"

#include <stdlib.h>

static hd_number to_number(const hd_figure *f)
{
    hd_number n = {NAN, f->mark};
    if (!f->mark && !f->value.is_null)
        n.x = f->value.type == HD_DECIMAL ? f->value.decimal : (double)f->value.integer;
    return n;
}

static hd_number number(double x)
{
    return (hd_number){x, 0};
}

/* What is computed from withheld figures is withheld. */
static void withhold(hd_estimate *e, char mark)
{
    e->value = e->lower = e->upper = (hd_number){NAN, mark};
}

static void take_limits(hd_estimate *e, hd_limits l)
{
    e->lower = number(l.lower);
    e->upper = number(l.upper);
}

/* ---- days ----------------------------------------------------------------------------------- */

typedef struct months {
    int first, last;
} months;

/* "2014-15" */
static int year_of_text(const hd_value *v)
{
    return v->type == HD_TEXT && v->text.len >= 4 ? (int)strtol(v->text.bytes, NULL, 10) : 0;
}

/* The months that a row stands for: those of its period, within those asked for. */
static hd_code months_of_row(const hd_task *t, const hd_value *keys[], months *out, hd_err *err)
{
    *out = (months){t->request->first_month, t->request->last_month};
    for (size_t i = 0; i < t->request->n_by; i++) {
        if (t->kinds[i] == HD_BY_FIELD || !keys[i] || keys[i]->is_null)
            continue;
        months m;
        if (t->kinds[i] == HD_BY_YEAR) {
            m.first = year_of_text(keys[i]) * 12 + 3;
            m.last = m.first + 11;
        } else {
            m.first = hd_date_month_index((int32_t)keys[i]->integer);
            m.last = m.first + (t->kinds[i] == HD_BY_QUARTER ? 2 : 0);
        }
        out->first = m.first > out->first ? m.first : out->first;
        out->last = m.last < out->last ? m.last : out->last;
    }
    if (out->first == INT32_MIN || out->last == INT32_MAX)
        return hd_fail(err, HD_INVALID,
                       "%s divides by days: group by month, quarter or year, or name the period",
                       t->def->id);
    return HD_OK;
}

static void count_days(months m, double *weekend, double *weekday)
{
    *weekend = *weekday = 0;
    for (int32_t d = hd_date_month_start(m.first); d < hd_date_month_start(m.last + 1); d++)
        *(hd_date_weekday(d) >= 5 ? weekend : weekday) += 1;
}

/* ---- methods -------------------------------------------------------------------------------- */

static hd_code proportion(const hd_task *t, hd_estimate *e, hd_err *err)
{
    hd_limits l;
    double x = e->numerator.x, n = e->denominator.x;
    if (!(n > 0))
        return HD_OK;
    e->value = number(x / n);
    HD_TRY(hd_proportion_limits(HD_PROPORTION_WILSON, x, n, t->request->level, &l, err));
    take_limits(e, l);
    return HD_OK;
}

static hd_code ratio(const hd_task *t, hd_estimate *e, double scale, hd_err *err)
{
    hd_limits l;
    if (!(e->denominator.x > 0))
        return HD_OK;
    e->value = number(e->numerator.x / e->denominator.x * scale);
    HD_TRY(hd_count_ratio_limits(e->numerator.x, e->denominator.x, t->request->level, &l, err));
    take_limits(e, (hd_limits){l.lower * scale, l.upper * scale});
    return HD_OK;
}

static hd_code daily_ratio(const hd_task *t, hd_estimate *e, const hd_value *keys[], hd_err *err)
{
    months m;
    double weekend, weekday;
    HD_TRY(months_of_row(t, keys, &m, err));
    count_days(m, &weekend, &weekday);
    if (!(e->denominator.x > 0) || weekend == 0 || weekday == 0)
        return HD_OK;
    HD_TRY(ratio(t, e, weekday / weekend, err));
    /* In the order of the definition, so that it is the same number to the last bit. */
    e->value = number((e->numerator.x / weekend) / (e->denominator.x / weekday));
    return HD_OK;
}

static hd_code mean(const hd_task *t, hd_estimate *e, hd_err *err)
{
    hd_limits l;
    if (!(e->denominator.x > 1) || !hd_is_known(e->value) || !hd_is_known(e->sd))
        return HD_OK;
    HD_TRY(hd_mean_limits(e->denominator.x, e->value.x, e->sd.x, t->request->level, &l, err));
    take_limits(e, l);
    return HD_OK;
}

hd_code hd_estimate_row(const hd_task *t, const hd_release *r, size_t row, size_t first_figure,
                        const hd_value *keys[], hd_estimate *e, hd_err *err)
{
    enum { MOST_FIGURES = 4 }; /* of a method */
    hd_figure f[MOST_FIGURES] = {0};
    for (size_t i = 0; i < MOST_FIGURES && first_figure + i < r->n_columns; i++)
        f[i] = hd_release_at(r, row, first_figure + i);
    const hd_number nothing = {NAN, 0};
    *e = (hd_estimate){nothing, nothing, nothing, nothing, nothing, nothing};
    switch (t->def->method) {
    case HD_METHOD_PROPORTION:
    case HD_METHOD_RATIO:
    case HD_METHOD_DAILY_RATIO:
        e->numerator = to_number(&f[0]);
        e->denominator = to_number(&f[1]);
        if (e->numerator.mark || e->denominator.mark) {
            withhold(e, e->denominator.mark ? e->denominator.mark : e->numerator.mark);
            return HD_OK;
        }
        return t->def->method == HD_METHOD_PROPORTION ? proportion(t, e, err)
               : t->def->method == HD_METHOD_RATIO    ? ratio(t, e, 1, err)
                                                      : daily_ratio(t, e, keys, err);
    case HD_METHOD_MEAN:
        e->denominator = to_number(&f[0]);
        e->value = to_number(&f[1]);
        e->sd = to_number(&f[2]);
        if (e->value.mark || e->denominator.mark || e->sd.mark) {
            withhold(e, f[1].mark ? f[1].mark : f[0].mark ? f[0].mark : f[2].mark);
            return HD_OK;
        }
        return mean(t, e, err);
    case HD_METHOD_QUANTILE:
        e->denominator = to_number(&f[0]);
        e->value = to_number(&f[1]);
        e->lower = to_number(&f[2]);
        e->upper = to_number(&f[3]);
        return HD_OK;
    }
    return HD_OK;
}
