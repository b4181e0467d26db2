/* stat_fields.c - `hdis stat` age, age-group, financial-year, quarter, postcode, round,
 * waiting-list, charlson. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/date.h"
#include "cli/stat.h"
#include "statistics/comorbidity.h"
#include "statistics/derived.h"

/* --- One field a row -------------------------------------------------------------------------- */

static hd_code run_age(hd_stat *s, hd_err *err)
{
    static const char *const units[] = {"years", "months", NULL};
    int unit, start = hd_stat_column_of(s, "start"), end = hd_stat_column_of(s, "end");
    HD_TRY(hd_stat_choice(s, "units", units, 0, &unit, err));
    HD_TRY(hd_stat_header(s, HD_STAT_KEEP_ALL, "age", err));
    for (size_t i = 0; i < hd_stat_n_rows(s); i++) {
        int32_t from, to;
        HD_TRY(hd_stat_date(s, i, start, &from, err));
        HD_TRY(hd_stat_date(s, i, end, &to, err));
        double age = NAN;
        if (from != HD_DATE_NONE && to != HD_DATE_NONE) {
            int months = hd_months_between(from, to);
            if (months < 0)
                return hd_stat_refuse(s, i, end, err, "is before the start");
            age = unit == 0 ? months / 12 : months;
        }
        hd_stat_keep_row(s, i);
        hd_stat_put(s, age);
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code run_age_group(hd_stat *s, hd_err *err)
{
    double from, to, by;
    int column = hd_stat_column_of(s, "age");
    HD_TRY(hd_stat_setting(s, "from", 0, 200, 0, &from, err));
    HD_TRY(hd_stat_setting(s, "to", 0, 200, 90, &to, err));
    HD_TRY(hd_stat_setting(s, "by", 1, 200, 5, &by, err));
    HD_TRY(hd_stat_header(s, HD_STAT_KEEP_ALL, "age_group", err));
    for (size_t i = 0; i < hd_stat_n_rows(s); i++) {
        char band[32] = "";
        double age;
        HD_TRY(hd_stat_count(s, i, column, &age, err));
        if (!isnan(age))
            HD_TRY(hd_age_band((int)fmin(age, 1e6), (int)from, (int)to, (int)by, band, err));
        hd_stat_keep_row(s, i);
        hd_stat_put_text(s, band);
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code run_financial_year(hd_stat *s, hd_err *err)
{
    int column = hd_stat_column_of(s, "date");
    HD_TRY(hd_stat_header(s, HD_STAT_KEEP_ALL, "financial_year", err));
    for (size_t i = 0; i < hd_stat_n_rows(s); i++) {
        char year[32] = "";
        int32_t date;
        HD_TRY(hd_stat_date(s, i, column, &date, err));
        if (date != HD_DATE_NONE) {
            int first = hd_date_financial_year(date);
            snprintf(year, sizeof year, "%04d/%02d", first, (first + 1) % 100);
        }
        hd_stat_keep_row(s, i);
        hd_stat_put_text(s, year);
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code run_quarter(hd_stat *s, hd_err *err)
{
    static const char *const which[] = {"previous", "this", "next", NULL};
    static const char *const names[] = {"Jan-Mar", "Apr-Jun", "Jul-Sep", "Oct-Dec"};
    int shift, column = hd_stat_column_of(s, "date");
    HD_TRY(hd_stat_choice(s, "which", which, 1, &shift, err));
    HD_TRY(hd_stat_header(s, HD_STAT_KEEP_ALL, "quarter", err));
    for (size_t i = 0; i < hd_stat_n_rows(s); i++) {
        char text[32] = "";
        int32_t date;
        HD_TRY(hd_stat_date(s, i, column, &date, err));
        if (date != HD_DATE_NONE) {
            int quarter = hd_date_month_index(date) / 3 + shift - 1;
            snprintf(text, sizeof text, "%s %d", names[quarter % 4], quarter / 4);
        }
        hd_stat_keep_row(s, i);
        hd_stat_put_text(s, text);
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code run_postcode(hd_stat *s, hd_err *err)
{
    int column = hd_stat_column_of(s, "postcode");
    HD_TRY(hd_stat_header(s, HD_STAT_KEEP_ALL, "pc7 reason", err));
    for (size_t i = 0; i < hd_stat_n_rows(s); i++) {
        char pc7[8];
        (void)hd_postcode7(hd_stat_cell(s, i, column), pc7);
        hd_stat_keep_row(s, i);
        hd_stat_put_text(s, pc7);
        hd_stat_put_text(s, pc7[0] || hd_stat_blank(s, i, column) ? "" : "is no postcode");
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code run_round(hd_stat *s, hd_err *err)
{
    double digits;
    int column = hd_stat_column_of(s, "value");
    HD_TRY(hd_stat_setting(s, "significant", 1, 15, 3, &digits, err));
    HD_TRY(hd_stat_header(s, HD_STAT_KEEP_ALL, "rounded", err));
    for (size_t i = 0; i < hd_stat_n_rows(s); i++) {
        double v;
        HD_TRY(hd_stat_number(s, i, column, &v, err));
        hd_stat_keep_row(s, i);
        hd_stat_put(s, hd_round_significant(v, (int)digits));
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

/* --- Waiting lists ---------------------------------------------------------------------------- */

enum {
    DEMAND,
    CAPACITY,
    QUEUE,
    TARGET_QUEUE,
    WEEKS,
    TARGET_WAIT,
    FACTOR,
    CV_D,
    CV_C,
    MEAN_WAIT,
    N_IN
};

static const char *const waiting_inputs[N_IN] = {
    "demand",      "capacity", "queue",     "target_queue", "weeks",
    "target_wait", "factor",   "cv_demand", "cv_capacity",  "mean_wait"};

/* The six formulae, each blank where one of its inputs is. */
static hd_code waiting_formulae(hd_stat *s, hd_err *err)
{
    static const int divisors[] = {CAPACITY, WEEKS, TARGET_WAIT, FACTOR};
    int columns[N_IN];
    for (int k = 0; k < N_IN; k++)
        columns[k] = hd_stat_column_of(s, waiting_inputs[k]);
    HD_TRY(hd_stat_header(s, HD_STAT_KEEP_ALL,
                          "queue_load relief_capacity target_capacity target_mean_wait "
                          "target_queue_size waiting_list_pressure",
                          err));
    for (size_t i = 0; i < hd_stat_n_rows(s); i++) {
        double v[N_IN];
        for (int k = 0; k < N_IN; k++)
            HD_TRY(hd_stat_count(s, i, columns[k], &v[k], err));
        for (size_t k = 0; k < sizeof divisors / sizeof *divisors; k++)
            if (v[divisors[k]] == 0)
                return hd_stat_refuse(s, i, columns[divisors[k]], err,
                                      "is 0, and a formula divides by it");
        hd_stat_keep_row(s, i);
        hd_stat_put(s, hd_queue_load(v[DEMAND], v[CAPACITY]));
        hd_stat_put(s, hd_queue_relief_capacity(v[DEMAND], v[QUEUE], v[TARGET_QUEUE], v[WEEKS]));
        hd_stat_put(
            s, hd_queue_target_capacity(v[DEMAND], v[TARGET_WAIT], v[FACTOR], v[CV_D], v[CV_C]));
        hd_stat_put(s, hd_queue_target_mean_wait(v[TARGET_WAIT], v[FACTOR]));
        hd_stat_put(s, hd_queue_target_size(v[DEMAND], v[TARGET_WAIT], v[FACTOR]));
        hd_stat_put(s, hd_queue_pressure(v[MEAN_WAIT], v[TARGET_WAIT]));
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static hd_code date_range(hd_stat *s, const size_t *rows, size_t n, int referral, int removal,
                          int32_t *first, int32_t *last, hd_err *err)
{
    *first = INT32_MAX;
    *last = INT32_MIN;
    for (size_t i = 0; i < n; i++) {
        int32_t in, out;
        HD_TRY(hd_stat_date(s, rows[i], referral, &in, err));
        HD_TRY(hd_stat_date(s, rows[i], removal, &out, err));
        if (in == HD_DATE_NONE)
            return hd_stat_refuse(s, rows[i], referral, err, "a date of referral is needed");
        if (out != HD_DATE_NONE && out < in)
            return hd_stat_refuse(s, rows[i], removal, err, "is before the referral");
        *first = in < *first ? in : *first;
        *last = in > *last ? in : *last;
        *last = out > *last ? out : *last;
    }
    if (*last - *first > 200 * 366)
        return hd_stat_refuse(s, rows[0], referral, err, "the dates of the group span 200 years");
    return HD_OK;
}

/* People waiting at the end of every day from the first referral to the last date. */
static hd_code queue_of_group(hd_stat *s, const size_t *rows, size_t n, hd_err *err)
{
    int referral = hd_stat_column_of(s, "referral"), removal = hd_stat_column_of(s, "removal");
    int32_t first, last, in, out;
    HD_TRY(date_range(s, rows, n, referral, removal, &first, &last, err));
    hd_code rc = HD_OK;
    int64_t *change = hd_calloc((size_t)(last - first) + 1, sizeof *change), waiting = 0;
    if (!change)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        HD_GO(hd_stat_date(s, rows[i], referral, &in, err));
        HD_GO(hd_stat_date(s, rows[i], removal, &out, err));
        change[in - first]++;
        if (out != HD_DATE_NONE)
            change[out - first]--;
    }
    for (int32_t day = first; day <= last; day++) {
        char text[11];
        hd_date_format(day, text);
        waiting += change[day - first];
        hd_stat_keep_row(s, rows[0]);
        hd_stat_put_text(s, text);
        hd_stat_put(s, (double)waiting);
        HD_GO(hd_stat_end_row(s, err));
    }
out:
    hd_free(change);
    return rc;
}

static hd_code run_waiting(hd_stat *s, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    if (hd_stat_column_of(s, "referral") < 0)
        return waiting_formulae(s, err);
    if (hd_stat_column_of(s, "removal") < 0)
        return hd_fail(err, HD_INVALID, "a daily queue needs the columns referral and removal");
    HD_GO(hd_stat_header(s, HD_STAT_KEEP_GROUPS, "date queue", err));
    HD_GO(hd_stat_group(s, &g, err));
    for (size_t i = 0; i < g.n; i++)
        HD_GO(queue_of_group(s, &g.rows[g.start[i]], g.start[i + 1] - g.start[i], err));
out:
    hd_stat_groups_free(&g);
    return rc;
}

/* --- Comorbidity ------------------------------------------------------------------------------ */

static const char *const map_names[] = {"charlson", "elixhauser", "shmi", "rcs", NULL};

typedef struct comorbidity_settings {
    hd_comorbidity *map;
    const hd_comorbidity_definition *definition;
    int code, position, weights;
    bool hierarchy, secondary_only;
} comorbidity_settings;

static hd_code comorbidity_read(hd_stat *s, comorbidity_settings *d, hd_err *err)
{
    int map;
    const char *weights[HD_COMORBIDITY_WEIGHTS + 1] = {0};
    HD_TRY(hd_stat_choice(s, "map", map_names, 0, &map, err));
    d->definition = hd_comorbidity_define((hd_comorbidity_map)map);
    for (int i = 0; i < HD_COMORBIDITY_WEIGHTS; i++)
        weights[i] = d->definition->weights[i];
    HD_TRY(hd_stat_choice(s, "weights", weights, 0, &d->weights, err));
    d->hierarchy = hd_stat_switch(s, "hierarchy");
    d->secondary_only = hd_stat_switch(s, "secondary-only");
    d->code = hd_stat_column_of(s, "code");
    d->position = hd_stat_column_of(s, "position");
    if (d->secondary_only && d->position < 0)
        return hd_fail(err, HD_INVALID, "--secondary-only needs a column position");
    return hd_comorbidity_new((hd_comorbidity_map)map, &d->map, err);
}

static hd_code flags_of(hd_stat *s, const comorbidity_settings *d, const size_t *rows, size_t n,
                        uint32_t *flags, hd_err *err)
{
    *flags = 0;
    for (size_t i = 0; i < n; i++) {
        double position;
        HD_TRY(hd_stat_number(s, rows[i], d->position, &position, err));
        if (d->secondary_only && isnan(position))
            return hd_stat_refuse(s, rows[i], d->position, err, "a position is needed");
        if (!d->secondary_only || position > 1)
            *flags |= hd_comorbidity_flags(d->map, hd_stat_cell(s, rows[i], d->code));
    }
    return HD_OK;
}

static hd_code put_comorbidity(hd_stat *s, const comorbidity_settings *d, uint32_t flags,
                               hd_buf *list, hd_err *err)
{
    uint32_t counted = d->hierarchy ? hd_comorbidity_hierarchy(d->map, flags) : flags;
    hd_buf_clear(list);
    for (unsigned i = 0; i < d->definition->n; i++) {
        hd_stat_put_count(s, flags >> i & 1);
        if (flags >> i & 1)
            hd_buf_printf(list, "%s%s", list->len ? ";" : "", d->definition->conditions[i].name);
    }
    hd_stat_put_text(s, list->data);
    hd_stat_put_count(s, hd_comorbidity_count(counted));
    hd_stat_put(s, hd_comorbidity_score(d->map, counted, (unsigned)d->weights));
    return hd_stat_end_row(s, err);
}

static hd_code run_charlson(hd_stat *s, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_stat_groups g = {0};
    comorbidity_settings d = {0};
    hd_buf text;
    hd_buf_init(&text, 1 << 16);
    HD_GO(comorbidity_read(s, &d, err));
    for (unsigned i = 0; i < d.definition->n; i++)
        hd_buf_printf(&text, "%s ", d.definition->conditions[i].name);
    hd_buf_str(&text, "conditions count score");
    HD_GO(hd_stat_header(s, HD_STAT_KEEP_GROUPS, text.data, err));
    HD_GO(hd_stat_group(s, &g, err));
    for (size_t i = 0; i < g.n; i++) {
        uint32_t flags;
        HD_GO(flags_of(s, &d, &g.rows[g.start[i]], g.start[i + 1] - g.start[i], &flags, err));
        hd_stat_keep_row(s, g.rows[g.start[i]]);
        HD_GO(put_comorbidity(s, &d, flags, &text, err));
    }
out:
    hd_stat_groups_free(&g);
    hd_comorbidity_free(d.map);
    hd_buf_free(&text);
    return rc;
}

/* --- Tables ----------------------------------------------------------------------------------- */

static const hd_stat_column age_columns[] = {
    {"start", true, "date of birth"}, {"end", true, "the day on which the age is asked"}, {0}};
static const hd_stat_option age_options[] = {{"units", "NAME", "years (default), months"}, {0}};
static const hd_stat_column age_group_columns[] = {{"age", true, "in years"}, {0}};
static const hd_stat_option age_group_options[] = {
    {"from", "AGE", "first age of the first band; default 0"},
    {"to", "AGE", "the open band begins at or below this; default 90"},
    {"by", "YEARS", "width of a band; default 5"},
    {0}};
static const hd_stat_column date_columns[] = {{"date", true, "YYYY-MM-DD"}, {0}};
static const hd_stat_option quarter_options[] = {
    {"which", "NAME", "this (default), previous, next"}, {0}};
static const hd_stat_column postcode_columns[] = {
    {"postcode", true, "in any spacing and case; GIR 0AA, which fits no pattern, is none here"},
    {0}};
static const hd_stat_column round_columns[] = {{"value", true, "a number"}, {0}};
static const hd_stat_option round_options[] = {{"significant", "N", "digits to keep; default 3"},
                                               {0}};
static const hd_stat_column waiting_columns[] = {
    {"referral", false, "date of joining the list: with removal gives the queue of every day"},
    {"removal", false, "date of leaving it; blank: still waiting"},
    {"demand", false, "people joining a week"},
    {"capacity", false, "people seen a week"},
    {"queue", false, "people waiting"},
    {"target_queue", false, "people who may wait"},
    {"weeks", false, "in which the target queue is to be reached"},
    {"target_wait", false, "weeks"},
    {"factor", false, "of the target wait over the mean wait"},
    {"cv_demand", false, "coefficient of variation of demand"},
    {"cv_capacity", false, "coefficient of variation of capacity"},
    {"mean_wait", false, "weeks"},
    {0}};
static const hd_stat_column charlson_columns[] = {
    {"code", true, "ICD-10, with or without the dot; one diagnosis a row"},
    {"position", false, "1: primary diagnosis"},
    {0}};
static const hd_stat_option charlson_options[] = {
    {"map", "NAME", "charlson (default: Quan 2005), elixhauser (Quan 2005), shmi, rcs"},
    {"weights", "NAME", "charlson (default) or quan2011; van-walraven or swiss for elixhauser"},
    {"hierarchy", NULL,
     "leave the plain form out of count and score where the severe form is there"},
    {"secondary-only", NULL, "leave out position 1, as the SHMI"},
    {0}};

const hd_stat_method hd_stat_fields[] = {
    {.name = "charlson",
     .summary = "comorbidity flags, count and score from ICD-10 codes",
     .output = "a flag per condition (before the hierarchy), conditions, count, score",
     .example = "hdis stat charlson --in diagnoses.csv --group spell --map shmi --secondary-only",
     .default_group = "id",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .columns = charlson_columns,
     .options = charlson_options,
     .run = run_charlson},
    {.name = "waiting-list",
     .summary = "queue of every day, or load, pressure, target capacity and queue",
     .output = "date, queue; or queue_load, relief_capacity, target_capacity, target_mean_wait,\n"
               "  target_queue_size, waiting_list_pressure",
     .example = "hdis stat waiting-list --in referrals.csv --group specialty",
     .input = HD_STAT_GROUPS,
     .grouped = true,
     .columns = waiting_columns,
     .run = run_waiting},
    {.name = "age",
     .summary = "completed age from two dates",
     .output = "age",
     .example = "hdis stat age --in people.csv --start dob --end admidate",
     .columns = age_columns,
     .options = age_options,
     .run = run_age},
    {.name = "age-group",
     .summary = "age bands",
     .output = "age_group",
     .example = "hdis stat age-group --in people.csv --to 85",
     .columns = age_group_columns,
     .options = age_group_options,
     .run = run_age_group},
    {.name = "financial-year",
     .summary = "financial year of a date, as 2014/15",
     .output = "financial_year",
     .example = "hdis stat financial-year --in spells.csv --date disdate",
     .columns = date_columns,
     .run = run_financial_year},
    {.name = "quarter",
     .summary = "calendar quarter of a date",
     .output = "quarter",
     .example = "hdis stat quarter --in spells.csv --date disdate --which next",
     .columns = date_columns,
     .options = quarter_options,
     .run = run_quarter},
    {.name = "postcode",
     .summary = "postcodes in seven characters; blank where it is none",
     .output = "pc7, reason where it is none",
     .example = "hdis stat postcode --in practices.csv",
     .columns = postcode_columns,
     .run = run_postcode},
    {.name = "round",
     .summary = "significant digits, halves away from zero",
     .output = "rounded",
     .example = "hdis stat round --in table.csv --significant 3",
     .columns = round_columns,
     .options = round_options,
     .run = run_round},
    {0}};
