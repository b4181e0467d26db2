/* series.c - the rows of an indicator as series without a month left out. */
#include "indicators/work.h"

#include "base/alloc.h"

#include <string.h>

void hd_series_set_free(hd_series_set *s)
{
    if (!s)
        return;
    if (s->series && s->n) {
        hd_wipe_free(s->series[0].values, s->n * s->months * sizeof(double));
        hd_free(s->series[0].states);
    }
    hd_free(s->series);
    hd_release_free(s->units);
    hd_free(s);
}

static void set_month(hd_series_set *set, size_t series, int month, hd_number value,
                      bool is_incomplete)
{
    size_t at = (size_t)(month - set->first);
    hd_series *s = &set->series[series];
    hd_month_state state = value.mark       ? HD_MONTH_WITHHELD
                           : isnan(value.x) ? HD_MONTH_MISSING
                           : is_incomplete  ? HD_MONTH_INCOMPLETE
                                            : HD_MONTH_KNOWN;
    s->states[at] = (unsigned char)state;
    if (state == HD_MONTH_KNOWN)
        s->values[at] = value.x;
}

static hd_code allocate(hd_series_set *set, hd_err *err)
{
    set->series = hd_calloc(set->n, sizeof *set->series);
    if (!set->series)
        return hd_fail_nomem(err);
    double *values = hd_calloc(set->n * set->months, sizeof *values);
    set->series[0].values = values;
    unsigned char *states = hd_calloc(set->n * set->months, 1);
    set->series[0].states = states;
    if (!values || !states)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < set->n * set->months; i++)
        values[i] = NAN;
    for (size_t i = 0; i < set->n; i++) {
        set->series[i].values = values + i * set->months;
        set->series[i].states = states + i * set->months;
    }
    return HD_OK;
}

hd_code hd_series_make(const hd_task *t, const hd_unit_row *rows, size_t n, size_t n_series,
                       const hd_band *bands, size_t n_bands, hd_series_set **out, hd_err *err)
{
    hd_code rc = HD_OK;
    int first = INT32_MAX, last = INT32_MIN;
    *out = NULL;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].month == INT32_MIN)
            continue;
        first = rows[i].month < first ? rows[i].month : first;
        last = rows[i].month > last ? rows[i].month : last;
    }
    if (t->month < 0 || last == INT32_MIN)
        return HD_OK;
    hd_series_set *set = hd_calloc(1, sizeof *set);
    if (!set)
        return hd_fail_nomem(err);
    set->def = t->def;
    set->catalogue = hd_engine_catalogue(t->engine);
    set->unit = t->unit;
    set->month = t->month;
    set->is_provider = t->unit >= 0 && strcmp(t->request->by[t->unit], "provider") == 0;
    set->first = first;
    set->months = (size_t)(last - first + 1);
    set->n = n_series + (n_bands > 0);
    HD_GO(allocate(set, err));
    for (size_t i = 0; i < n; i++) {
        if (rows[i].month == INT32_MIN)
            continue;
        set->series[rows[i].series].has_keys = true;
        memcpy(set->series[rows[i].series].keys, rows[i].keys, sizeof rows[i].keys);
        set_month(set, rows[i].series, rows[i].month, rows[i].own.value, rows[i].is_incomplete);
    }
    for (size_t i = 0; i < n_bands; i++)
        if (bands[i].month >= first && bands[i].month <= last)
            set_month(set, n_series, bands[i].month, bands[i].national.value,
                      bands[i].is_incomplete);
    *out = set;
out:
    if (rc != HD_OK)
        hd_series_set_free(set);
    return rc;
}
