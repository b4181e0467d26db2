/* test_indicators.c - every indicator runs over a made-up vault; values, ranks and flags equal a
 * row-by-row count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/date.h"
#include "base/rng.h"
#include "indicators/indicator.h"
#include "indicators/work.h"
#include "statistics/interval.h"
#include "vault_fixture.h"

static hd_err err;
static fixture fx;
static hd_vault *vault;
static hd_catalogue *catalogue;
static hd_engine *engine;
static hd_policy *hes, *none;
static hd_indicator_files *files;

/* ---- the vault --------------------------------------------------------------------------------
 */

enum { ROWS = 30000, MAX_COLUMNS = 14, FIRST_MONTH = 2015 * 12 + 3, MONTHS = 12 };

/* A column of random values: one of the texts, or a number from low to high. Some are NULL. */
typedef struct made_column {
    const char *name;
    hd_type type;
    const char *texts; /* separated by blanks; a text may stand several times */
    int low, high;
} made_column;

typedef struct made_table {
    const char *name;
    made_column columns[MAX_COLUMNS];
} made_table;

#define PROVIDERS "ZA1 ZA1 ZA1 ZA2 ZA2 ZA3 ZA3 ZA4 ZA5 ZA6 ZA7 ZA8 ZA9 ZB1 ZB2"
#define DAY       HD_DATE, NULL, 16526, 16891 /* 1 April 2015 to 31 March 2016 */

static const made_table tables[] = {
    {"ae",
     {{"procode3", HD_TEXT, PROVIDERS},
      {"aedepttype", HD_TEXT, "01 01 01 01 03"},
      {"aeattendcat", HD_TEXT, "1 1 1 2 3"},
      {"aeattenddisp", HD_TEXT, "01 02 03 03 03 12"},
      {"arrivaldate", DAY},
      {"depdur", HD_INTEGER, NULL, 0, 400}}},
    {"op",
     {{"procode3", HD_TEXT, PROVIDERS},
      {"attended", HD_TEXT, "2 3 5 5 5 5 6 7"},
      {"apptage", HD_INTEGER, NULL, 0, 99},
      {"admincat", HD_TEXT, "01 01 01 02"},
      {"firstatt", HD_TEXT, "1 2 2 3 4 5"},
      {"tretspef", HD_TEXT, "100 300 812"},
      {"apptdate", DAY}}},
    {"spells",
     {{"procode3", HD_TEXT, PROVIDERS},
      {"is_finished", HD_INTEGER, NULL, 0, 1},
      {"dismeth", HD_TEXT, "1 1 1 1 2 4 8"},
      {"disdest", HD_TEXT, "19 19 19 51 54"},
      {"classpat", HD_TEXT, "1 1 1 2"},
      {"admimeth", HD_TEXT, "11 12 21 21 28 31"},
      {"admisorc", HD_TEXT, "19 19 19 51"},
      {"epitype", HD_TEXT, "1 1 1 1 2"},
      {"length_of_stay", HD_INTEGER, NULL, 0, 20},
      {"disdate", DAY}}},
    {"continuous_spells",
     {{"procode3", HD_TEXT, PROVIDERS},
      {"is_finished", HD_INTEGER, NULL, 0, 1},
      {"dismeth", HD_TEXT, "1 1 1 1 2 4 8"},
      {"classpat", HD_TEXT, "1 1 1 2"},
      {"has_cancer", HD_INTEGER, NULL, 0, 1},
      {"is_maternity", HD_INTEGER, NULL, 0, 1},
      {"is_mental_health", HD_INTEGER, NULL, 0, 1},
      {"days_to_next_emergency_admission", HD_INTEGER, NULL, 0, 60},
      {"disdate", DAY}}},
    {"deliveries",
     {{"procode3", HD_TEXT, PROVIDERS},
      {"delivery_method", HD_TEXT, "spontaneous spontaneous emergency_caesarean forceps"},
      {"delivery_date", DAY}}},
};
enum { N_TABLES = sizeof tables / sizeof *tables };

static size_t n_columns(const made_table *t)
{
    size_t n = 0;
    while (n < MAX_COLUMNS && t->columns[n].name)
        n++;
    return n;
}

/* The value of one cell follows from table, column and row alone. */
static hd_value cell(size_t table, size_t column, uint64_t row)
{
    const made_column *c = &tables[table].columns[column];
    hd_rng r = hd_rng_stream(1000 * table + column, row);
    hd_value v = {.type = c->type, .is_null = hd_rng_below(&r, 50) == 0};
    if (!c->texts) {
        v.integer = c->low + (int64_t)hd_rng_below(&r, (uint32_t)(c->high - c->low + 1));
        return v;
    }
    size_t n = 1;
    for (const char *at = c->texts; *at; at++)
        n += *at == ' ';
    const char *at = c->texts;
    for (uint32_t k = hd_rng_below(&r, (uint32_t)n); k > 0; at++)
        k -= *at == ' ';
    v.text.bytes = at;
    v.text.len = strcspn(at, " ");
    return v;
}

static void fill_table(hd_publish *p, size_t table)
{
    static uint32_t codes[MAX_COLUMNS][ROWS], persons[ROWS];
    static int64_t order[ROWS];
    hd_column_spec specs[MAX_COLUMNS] = {0};
    hd_rows_column in[MAX_COLUMNS] = {0};
    hd_builder *b;
    size_t n = n_columns(&tables[table]);
    for (size_t c = 0; c < n; c++) {
        snprintf(specs[c].name, sizeof specs[c].name, "%s", tables[table].columns[c].name);
        specs[c].type = tables[table].columns[c].type;
        in[c].codes = codes[c];
    }
    OK(hd_builder_new(&b, vault, tables[table].name, specs, n, &err));
    for (uint32_t row = 0; row < ROWS; row++) {
        persons[row] = 1 + row % 9000;
        order[row] = row;
        for (size_t c = 0; c < n; c++) {
            hd_value v = cell(table, c, row);
            OK(hd_builder_code(b, c, &v, &codes[c][row], &err));
        }
    }
    OK(hd_builder_append(b, &(hd_rows){ROWS, persons, order, in}, &err));
    OK(hd_publish_table(p, b, &err));
    hd_builder_free(b);
}

static void add_people(hd_publish *p)
{
    hd_persons *people;
    OK(hd_persons_open(&people, vault, &err));
    for (uint32_t i = 0; i < 9000; i++) {
        uint8_t pseudonym[16] = {0};
        uint32_t number;
        memcpy(pseudonym, &i, sizeof i);
        OK(hd_persons_number(people, pseudonym, &number, &err));
    }
    OK(hd_publish_persons(p, people, &err));
    hd_persons_free(people);
}

static int set_up(void **state)
{
    (void)state;
    char folder[512];
    hd_publish *p;
    fixture_make(&fx);
    OK(hd_vault_create(fx.folder, fx.key_file, &err));
    OK(hd_vault_open(&vault, fx.folder, fx.key_file, true, &err));
    OK(hd_publish_begin(&p, vault, &err));
    add_people(p);
    for (size_t t = 0; t < N_TABLES; t++)
        fill_table(p, t);
    static const char *const landed[] = {"apc", "op", "ae"};
    for (size_t i = 0; i < 3; i++) {
        hd_extract x = {.data_year = 2015, .part_year = 201599};
        snprintf(x.table, sizeof x.table, "%s", landed[i]);
        OK(hd_publish_extract(p, &x, &err));
    }
    OK(hd_publish_commit(p, "test", &err));
    hd_publish_free(p);
    snprintf(folder, sizeof folder, "%s/catalogue", getenv("HDIS_SOURCE"));
    OK(hd_catalogue_open(&catalogue, folder, NULL, &err));
    OK(hd_engine_open(&engine, vault, catalogue, &err));
    OK(hd_policy_open(&hes, folder, "hes2018", &err));
    OK(hd_policy_open(&none, folder, "none", &err));
    OK(hd_indicator_files_read(&files, folder, &err));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hd_indicator_files_free(files);
    hd_policy_free(hes);
    hd_policy_free(none);
    hd_engine_close(engine);
    hd_catalogue_close(catalogue);
    hd_vault_close(vault);
    fixture_remove(&fx);
    return 0;
}

/* ---- the naive count ---------------------------------------------------------------------------
 */

static const hd_indicator_request by_provider_month = {
    .by = {"provider", "month"},
    .n_by = 2,
    .first_month = INT32_MIN,
    .last_month = INT32_MAX,
    .shown_from = INT32_MIN,
    .level = 0.95,
};

static bool is_text(hd_value v, const char *text)
{
    return !v.is_null && v.text.len == strlen(text) && memcmp(v.text.bytes, text, v.text.len) == 0;
}

/* Attendances within four hours of one provider and month. */
static void count_four_hours(const char *provider, int month, int64_t *x, int64_t *n)
{
    *x = *n = 0;
    for (uint64_t row = 0; row < ROWS; row++) {
        hd_value category = cell(0, 2, row), day = cell(0, 4, row), minutes = cell(0, 5, row);
        if (!is_text(cell(0, 0, row), provider) || !is_text(cell(0, 1, row), "01") ||
            !(is_text(category, "1") || is_text(category, "3")) || day.is_null || minutes.is_null ||
            hd_date_month_index((int32_t)day.integer) != month)
            continue;
        ++*n;
        *x += minutes.integer <= 240;
    }
}

static hd_figure figure(const hd_release *r, size_t row, const char *column)
{
    int c = hd_release_column_find(r, column);
    assert_true(c >= 0);
    return hd_release_at(r, row, (size_t)c);
}

static void code_of(const hd_release *r, size_t row, char out[16])
{
    const hd_figure f = figure(r, row, "provider");
    snprintf(out, 16, "%.*s", (int)f.value.text.len, f.value.text.bytes);
}

static int month_of(const hd_release *r, size_t row)
{
    return hd_date_month_index((int32_t)figure(r, row, "month").value.integer);
}

static void true_values_equal_a_naive_count(void **state)
{
    (void)state;
    hd_indicator_result result;
    const hd_indicator_file *d = hd_indicator_files_find(files, "ae_within_4_hours");
    OK(hd_indicator_evaluate(&result, engine, none, d, &by_provider_month, &err));
    const hd_release *r = result.rows;
    assert_int_equal(r->n_rows, 11 * MONTHS);
    assert_true(r->has_true_counts);
    for (size_t row = 0; row < r->n_rows; row += 7) {
        char provider[16];
        int64_t x, n;
        hd_limits l;
        code_of(r, row, provider);
        count_four_hours(provider, month_of(r, row), &x, &n);
        assert_int_equal(figure(r, row, "numerator").value.integer, x);
        assert_int_equal(figure(r, row, "denominator").value.integer, n);
        assert_true(figure(r, row, "value").value.decimal == (double)x / (double)n);
        OK(hd_proportion_limits(HD_PROPORTION_WILSON, (double)x, (double)n, 0.95, &l, &err));
        assert_true(figure(r, row, "lower").value.decimal == l.lower);
        assert_true(figure(r, row, "upper").value.decimal == l.upper);
    }
    hd_indicator_result_free(&result);
}

static void every_indicator_runs_and_adds_up(void **state)
{
    (void)state;
    assert_true(hd_indicator_files_count(files) >= 19);
    for (size_t i = 0; i < hd_indicator_files_count(files); i++) {
        const hd_indicator_file *d = hd_indicator_files_at(files, i);
        hd_indicator_result result, safe;
        OK(hd_indicator_evaluate(&result, engine, none, d, &by_provider_month, &err));
        OK(hd_indicator_evaluate(&safe, engine, hes, d, &by_provider_month, &err));
        assert_int_equal(result.rows->n_rows, safe.rows->n_rows);
        assert_int_equal(result.bands->n_rows, MONTHS);
        size_t n_values = 0;
        for (size_t row = 0; row < result.rows->n_rows; row++) {
            const hd_figure n = figure(result.rows, row, "denominator");
            const hd_figure shown = figure(safe.rows, row, "denominator");
            const hd_figure value = figure(safe.rows, row, "value");
            assert_int_equal(n.mark, 0);
            if (n.value.integer >= 1 && n.value.integer <= 7)
                assert_int_not_equal(shown.mark, 0);
            if (shown.mark)
                assert_int_not_equal(value.mark, 0);
            else
                assert_true(llabs(shown.value.integer - n.value.integer) <= 2);
            const hd_figure x = figure(safe.rows, row, "numerator");
            if (x.mark) {
                assert_int_not_equal(value.mark, 0);
                assert_int_not_equal(figure(safe.rows, row, "lower").mark, 0);
            } else if (!x.value.is_null && !shown.mark && d->method == HD_METHOD_PROPORTION &&
                       shown.value.integer > 0) {
                assert_true(value.value.decimal ==
                            (double)x.value.integer / (double)shown.value.integer);
            }
            n_values += !figure(result.rows, row, "value").value.is_null;
        }
        assert_true(n_values > 100);
        hd_indicator_result_free(&result);
        hd_indicator_result_free(&safe);
    }
}

static void follow_up_makes_the_last_month_incomplete(void **state)
{
    (void)state;
    static const char *const names[] = {"emergency_readmission_30d", "crude_mortality"};
    for (size_t i = 0; i < 2; i++) {
        hd_indicator_result result;
        OK(hd_indicator_evaluate(&result, engine, hes, hd_indicator_files_find(files, names[i]),
                                 &by_provider_month, &err));
        for (size_t row = 0; row < result.rows->n_rows; row++) {
            bool is_last = month_of(result.rows, row) == FIRST_MONTH + MONTHS - 1;
            assert_int_equal(!figure(result.rows, row, "note").value.is_null, i == 0 && is_last);
        }
        hd_indicator_result_free(&result);
    }
}

static void days_are_counted_by_the_calendar(void **state)
{
    (void)state;
    hd_indicator_result month, year;
    const hd_indicator_file *d = hd_indicator_files_find(files, "weekend_discharge");
    hd_indicator_request r = by_provider_month;
    r.by[0] = "month", r.n_by = 1;
    r.first_month = r.last_month = 2015 * 12 + 9;
    OK(hd_indicator_evaluate(&month, engine, none, d, &r, &err));
    assert_int_equal(month.rows->n_rows, 1);
    double x = (double)figure(month.rows, 0, "numerator").value.integer;
    double n = (double)figure(month.rows, 0, "denominator").value.integer;
    /* October 2015 has 9 Saturdays and Sundays and 22 other days */
    assert_true(figure(month.rows, 0, "value").value.decimal == (x / 9) / (n / 22));
    hd_indicator_result_free(&month);
    r.by[0] = "year";
    r.first_month = INT32_MIN, r.last_month = INT32_MAX;
    OK(hd_indicator_evaluate(&year, engine, none, d, &r, &err));
    x = (double)figure(year.rows, 0, "numerator").value.integer;
    n = (double)figure(year.rows, 0, "denominator").value.integer;
    assert_true(figure(year.rows, 0, "value").value.decimal == (x / 104) / (n / 262));
    hd_indicator_result_free(&year);
    r.by[0] = "provider";
    assert_int_equal(hd_indicator_evaluate(&year, engine, none, d, &r, &err), HD_INVALID);
}

static void peers_are_who_was_asked_for(void **state)
{
    (void)state;
    hd_indicator_result result;
    const hd_indicator_file *d = hd_indicator_files_find(files, "ae_left_before_treatment");
    hd_indicator_request r = by_provider_month;
    r.peers = hd_peers_parse(catalogue, "ZA1,ZA3,ZA9");
    assert_int_equal(r.peers.kind, HD_PEERS_CODES);
    OK(hd_indicator_evaluate(&result, engine, none, d, &r, &err));
    for (size_t row = 0; row < result.rows->n_rows; row++) {
        char provider[16];
        code_of(result.rows, row, provider);
        bool is_peer = strstr("ZA1,ZA3,ZA9", provider) != NULL;
        bool is_large = figure(result.rows, row, "denominator").value.integer >= 30;
        assert_int_equal(!figure(result.rows, row, "worst_10").value.is_null, is_peer && is_large);
        assert_false(figure(result.rows, row, "peer_median").value.is_null);
    }
    hd_indicator_result_free(&result);
    assert_int_equal(hd_peers_parse(catalogue, "acute").kind, HD_PEERS_GROUP);
    assert_int_equal(hd_peers_parse(catalogue, "region").kind, HD_PEERS_REGION);
    r.peers = hd_peers_parse(catalogue, "region");
    OK(hd_indicator_evaluate(&result, engine, none, d, &r, &err));
    hd_indicator_result_free(&result);
    r.by[0] = "nonsense";
    assert_int_equal(hd_indicator_evaluate(&result, engine, none, d, &r, &err), HD_NOTFOUND);
}

/* ---- ranks and flags ---------------------------------------------------------------------------
 */

static hd_number known(double x)
{
    return (hd_number){x, 0};
}

static void make_unit(hd_unit_row *r, uint32_t series, int month, double x, double n)
{
    *r = (hd_unit_row){.series = series,
                       .month = month,
                       .context = (uint32_t)month,
                       .peer_median = {NAN, 0},
                       .funnel = INT32_MIN,
                       .funnel_p = {NAN, 0},
                       .months_flagged = -1};
    r->own.numerator = known(x);
    r->own.denominator = known(n);
    r->own.value = known(x / n);
}

static void the_worst_tenth_is_flagged_with_its_ties(void **state)
{
    (void)state;
    const hd_indicator_file high = {
        .method = HD_METHOD_PROPORTION, .bad = HD_BAD_HIGH, .minimum_denominator = 30};
    hd_indicator_file low = high;
    low.bad = HD_BAD_LOW;
    hd_task t = {.def = &high, .request = &by_provider_month, .month = 1};
    hd_unit_row rows[21];
    hd_band band;
    for (uint32_t i = 0; i < 20; i++)
        make_unit(&rows[i], i, 0, i < 17 ? 10 + i : 40, 100); /* three share the highest value */
    make_unit(&rows[20], 20, 0, 20, 20);                      /* too small to be ranked */
    OK(hd_compare(&t, rows, 21, &band, 1, &err));
    for (int i = 0; i < 20; i++)
        assert_int_equal(rows[i].worst, i >= 17 ? HD_FLAG_YES : HD_FLAG_NO);
    assert_int_equal(rows[20].worst, HD_FLAG_UNKNOWN);
    assert_int_equal(rows[20].decile, 0);
    assert_int_equal(rows[0].decile, 1);
    assert_true(rows[0].peer_median.x == 0.195);
    assert_int_equal(band.n, 20);
    assert_int_equal(rows[18].funnel, 2);
    assert_int_equal(rows[9].months_flagged, 0);
    assert_int_equal(rows[19].months_flagged, 1);
    assert_int_equal(rows[20].months_flagged, -1);
    t.def = &low;
    for (uint32_t i = 0; i < 20; i++)
        make_unit(&rows[i], i, 0, 10 + i, 100);
    OK(hd_compare(&t, rows, 20, &band, 1, &err));
    for (int i = 0; i < 20; i++)
        assert_int_equal(rows[i].worst, i < 2 ? HD_FLAG_YES : HD_FLAG_NO);
}

static void consecutive_months_break_at_gaps(void **state)
{
    (void)state;
    const hd_indicator_file high = {
        .method = HD_METHOD_PROPORTION, .bad = HD_BAD_HIGH, .minimum_denominator = 30};
    const hd_task t = {.def = &high, .request = &by_provider_month, .month = 1};
    /* two units; unit 0 is worst in months 0 1 2 5 6, month 3 is withheld, month 4 is missing */
    hd_unit_row rows[12];
    hd_band bands[7];
    size_t n = 0;
    for (int m = 0; m < 7; m++) {
        if (m == 4)
            continue;
        make_unit(&rows[n++], 0, m, 50, 100);
        if (m == 3)
            rows[n - 1].own.value = (hd_number){NAN, '*'};
        make_unit(&rows[n++], 1, m, 40, 100);
    }
    for (int m = 0; m < 7; m++)
        bands[m] = (hd_band){0};
    OK(hd_compare(&t, rows, n, bands, 7, &err));
    static const int want[] = {1, 2, 3, -1, 1, 2};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(rows[2 * i].months_flagged, want[i]);
}

/* ---- over time ---------------------------------------------------------------------------------
 */

enum { SERIES_MONTHS = 40 };

/* A set of one series; '*' in marks: withheld, 'i': incomplete, '-': missing. */
static void make_series(hd_series_set *set, const hd_indicator_file *def, const double *values,
                        const char *marks, size_t n)
{
    static double numbers[SERIES_MONTHS];
    static unsigned char states[SERIES_MONTHS];
    static hd_series series;
    series = (hd_series){.values = numbers, .states = states};
    for (size_t i = 0; i < n; i++) {
        char mark = marks ? marks[i] : ' ';
        states[i] = mark == '*'   ? HD_MONTH_WITHHELD
                    : mark == 'i' ? HD_MONTH_INCOMPLETE
                    : mark == '-' ? HD_MONTH_MISSING
                                  : HD_MONTH_KNOWN;
        numbers[i] = states[i] == HD_MONTH_KNOWN ? values[i] : NAN;
    }
    *set = (hd_series_set){
        .def = def, .unit = -1, .first = FIRST_MONTH, .months = n, .n = 1, .series = &series};
}

static hd_signal signal_of(hd_bad_side bad, const double *values, const char *marks, size_t n,
                           size_t at)
{
    const hd_indicator_file def = {.bad = bad, .target = 0.5};
    const hd_task t = {.def = &def, .request = &by_provider_month};
    hd_series_set set;
    hd_signal s;
    make_series(&set, &def, values, marks, n);
    OK(hd_signal_find(&t, &set, &set.series[0], FIRST_MONTH + (int)at, &s, &err));
    return s;
}

static void a_signal_has_its_side_and_knows_no_later_month(void **state)
{
    (void)state;
    double values[SERIES_MONTHS];
    for (size_t i = 0; i < SERIES_MONTHS; i++)
        values[i] = 0.20 + (i % 2 ? 0.01 : -0.01) + (i >= 20 ? 0.03 : 0);
    for (size_t at = 12; at < SERIES_MONTHS; at++) {
        hd_signal whole = signal_of(HD_BAD_HIGH, values, NULL, SERIES_MONTHS, at);
        hd_signal then = signal_of(HD_BAD_HIGH, values, NULL, at + 1, at);
        assert_memory_equal(&whole, &then, sizeof whole);
        assert_true(whole.is_known);
        assert_string_equal(whole.note, "");
    }
    static const struct {
        hd_bad_side bad;
        const char *variation, *assurance;
    } want[] = {{HD_BAD_HIGH, "concerning, high", "passing"},
                {HD_BAD_LOW, "improving, high", "failing"},
                {HD_BAD_NONE, "special cause, high", ""}};
    for (size_t i = 0; i < 3; i++) {
        hd_signal s = signal_of(want[i].bad, values, NULL, 27, 26);
        assert_string_equal(hd_signal_cause_text(s.cause), "7 months above the mean");
        assert_string_equal(hd_signal_variation_text(s.variation, s.towards), want[i].variation);
        assert_string_equal(hd_signal_assurance_text(s.assurance), want[i].assurance);
        s = signal_of(want[i].bad, values, NULL, 27, 19);
        assert_string_equal(hd_signal_variation_text(s.variation, s.towards), "common cause");
    }
    /* 24 months later all are on the new side: nothing to say any more */
    for (size_t i = 0; i < SERIES_MONTHS; i++)
        values[i] = 0.20 + (i % 2 ? 0.01 : -0.01) + (i >= 10 ? 0.03 : 0);
    assert_string_equal(hd_signal_variation_text(signal_of(HD_BAD_HIGH, values, NULL, 36, 35).variation, 0),
                        "common cause");
}

static void a_signal_rests_on_released_months_alone(void **state)
{
    (void)state;
    double values[24], other[24];
    char marks[25];
    memset(marks, ' ', 24);
    for (size_t i = 0; i < 24; i++)
        other[i] = values[i] = i % 2 ? 0.21 : 0.19;
    marks[3] = marks[7] = marks[20] = '*';
    other[3] = 0.9, other[7] = 0, other[20] = 0.5;
    hd_signal a = signal_of(HD_BAD_HIGH, values, marks, 24, 23);
    hd_signal b = signal_of(HD_BAD_HIGH, other, marks, 24, 23);
    assert_memory_equal(&a, &b, sizeof a);
    assert_string_equal(a.note, "3 of 24 months withheld");
    marks[4] = '-';
    assert_string_equal(signal_of(HD_BAD_HIGH, values, marks, 24, 23).note,
                        "4 of 24 months withheld or without a figure");
    a = signal_of(HD_BAD_HIGH, values, marks, 24, 20);
    assert_false(a.is_known);
    assert_string_equal(a.note, "this month is withheld");
    marks[23] = 'i';
    assert_string_equal(signal_of(HD_BAD_HIGH, values, marks, 24, 23).note,
                        "this month is incomplete");
    memset(marks, '*', 12);
    marks[12] = '*';
    a = signal_of(HD_BAD_HIGH, values, marks, 24, 22);
    assert_false(a.is_known);
    assert_string_equal(a.note, "12 known months are needed, found 9");
}

/* The forecast of one hand-made national series, in the frame of a real result. */
static hd_release *forecast_of(hd_indicator_file *def, const double *values, const char *marks,
                               size_t n, size_t horizon)
{
    hd_indicator_request r = by_provider_month;
    r.by[0] = "month", r.n_by = 1;
    hd_indicator_result result;
    hd_series_set set;
    hd_release *out;
    const hd_indicator_file *d = hd_indicator_files_find(files, "crude_mortality");
    OK(hd_indicator_evaluate(&result, engine, none, d, &r, &err));
    hd_series_set *own = result.series;
    def->id = "made_up";
    make_series(&set, def, values, marks, n);
    set.month = 0;
    result.series = &set;
    const hd_forecast_request f = {.of = HD_FORECAST_NATIONAL, .horizon = horizon};
    OK(hd_indicator_forecast(&out, &result, 1, &f, &err));
    result.series = own;
    hd_indicator_result_free(&result);
    return out;
}

static void a_forecast_goes_on_from_the_last_complete_month(void **state)
{
    (void)state;
    hd_indicator_file def = {.unit = HD_UNIT_DAYS};
    double values[SERIES_MONTHS];
    hd_rng rng = hd_rng_stream(5, 5);
    for (size_t i = 0; i < SERIES_MONTHS; i++)
        values[i] = 10 + 3 * sin((double)i * M_PI / 6) + 0.1 * hd_rng_unit(&rng);
    char marks[SERIES_MONTHS + 1];
    memset(marks, ' ', SERIES_MONTHS);
    marks[38] = marks[39] = 'i';
    hd_release *r = forecast_of(&def, values, marks, SERIES_MONTHS, 12);
    assert_int_equal(r->n_rows, 12);
    for (size_t h = 0; h < 12; h++) {
        assert_int_equal(month_of(r, h), FIRST_MONTH + 38 + (int)h);
        assert_int_equal(figure(r, h, "months_ahead").value.integer, h + 1);
        assert_int_equal(figure(r, h, "history").value.integer, 38);
        double want = 10.05 + 3 * sin((double)(38 + h) * M_PI / 6);
        double v = figure(r, h, "value").value.decimal;
        assert_true(fabs(v - want) < 0.1);
        assert_true(figure(r, h, "lower95").value.decimal < figure(r, h, "lower80").value.decimal);
        assert_true(figure(r, h, "lower80").value.decimal < v);
        assert_true(figure(r, h, "upper80").value.decimal < figure(r, h, "upper95").value.decimal);
        assert_memory_equal(figure(r, h, "model").value.text.bytes, "ETS(", 4);
    }
    hd_release_free(r);
    /* 26 months since the gap: the year before, with the spread of its differences */
    marks[11] = '*';
    r = forecast_of(&def, values, marks, SERIES_MONTHS, 13);
    double squares = 0;
    for (size_t i = 24; i < 38; i++)
        squares += (values[i] - values[i - 12]) * (values[i] - values[i - 12]);
    assert_true(is_text(figure(r, 12, "model").value, "seasonal naive"));
    assert_true(figure(r, 12, "value").value.decimal == values[26]);
    double half = 1.959963984540054 * sqrt(squares / 14 * 2);
    assert_true(fabs(figure(r, 12, "upper95").value.decimal - values[26] - half) < 1e-9);
    hd_release_free(r);
}

static void what_cannot_be_forecast_says_why(void **state)
{
    (void)state;
    hd_indicator_file def = {.unit = HD_UNIT_SHARE};
    double values[SERIES_MONTHS];
    char marks[SERIES_MONTHS + 1];
    for (size_t i = 0; i < SERIES_MONTHS; i++)
        values[i] = i % 3 ? 1 : 0.9;
    static const struct {
        int at;
        char mark;
        size_t n;
        const char *note;
    } cases[] = {{39, '*', 40, "none: the last month is withheld"},
                 {39, '-', 40, "none: no figure in the last month"},
                 {30, '*', 40, "none: 24 unbroken months are needed, found 9"},
                 {30, '*', 20, "none: 24 unbroken months are needed, found 20"},
                 {0, 'i', 1, "none: no month is complete"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(marks, ' ', SERIES_MONTHS);
        marks[cases[i].at] = cases[i].mark;
        hd_release *r = forecast_of(&def, values, marks, cases[i].n, 6);
        assert_int_equal(r->n_rows, 1);
        assert_true(is_text(figure(r, 0, "note").value, cases[i].note));
        assert_true(figure(r, 0, "value").value.is_null);
        assert_true(figure(r, 0, "model").value.is_null);
        hd_release_free(r);
    }
    hd_release *r = forecast_of(&def, values, NULL, SERIES_MONTHS, 6);
    for (size_t h = 0; h < 6; h++) {
        assert_true(figure(r, h, "upper95").value.decimal <= 1);
        assert_true(figure(r, h, "value").value.decimal <= 1);
    }
    hd_release_free(r);
    for (size_t i = 0; i < SERIES_MONTHS; i++)
        values[i] = 0.25; /* no model fits what never changes */
    r = forecast_of(&def, values, NULL, SERIES_MONTHS, 2);
    assert_true(figure(r, 1, "value").value.decimal == 0.25);
    hd_release_free(r);
}

static void the_forecast_asks_for_whom(void **state)
{
    (void)state;
    hd_indicator_result result;
    hd_release *out;
    const hd_indicator_file *d = hd_indicator_files_find(files, "ae_within_4_hours");
    OK(hd_indicator_evaluate(&result, engine, none, d, &by_provider_month, &err));
    hd_forecast_request f = {.of = HD_FORECAST_UNITS, .horizon = 3};
    OK(hd_indicator_forecast(&out, &result, 1, &f, &err));
    assert_int_equal(out->n_rows, 11); /* each unit one row that says why: 12 months of data */
    assert_true(out->has_true_counts);
    hd_release_free(out);
    f.of = HD_FORECAST_UNIT, f.unit = "ZA3";
    OK(hd_indicator_forecast(&out, &result, 1, &f, &err));
    assert_int_equal(out->n_rows, 1);
    assert_true(is_text(figure(out, 0, "provider").value, "ZA3"));
    hd_release_free(out);
    f.of = HD_FORECAST_NATIONAL;
    OK(hd_indicator_forecast(&out, &result, 1, &f, &err));
    assert_int_equal(out->n_rows, 1);
    assert_true(figure(out, 0, "provider").value.is_null);
    hd_release_free(out);
    f.horizon = 0;
    assert_int_equal(hd_indicator_forecast(&out, &result, 1, &f, &err), HD_INVALID);
    assert_null(out);
    hd_indicator_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_has_its_side_and_knows_no_later_month),
        cmocka_unit_test(a_signal_rests_on_released_months_alone),
        cmocka_unit_test(a_forecast_goes_on_from_the_last_complete_month),
        cmocka_unit_test(what_cannot_be_forecast_says_why),
        cmocka_unit_test(the_forecast_asks_for_whom),
        cmocka_unit_test(true_values_equal_a_naive_count),
        cmocka_unit_test(every_indicator_runs_and_adds_up),
        cmocka_unit_test(follow_up_makes_the_last_month_incomplete),
        cmocka_unit_test(days_are_counted_by_the_calendar),
        cmocka_unit_test(peers_are_who_was_asked_for),
        cmocka_unit_test(the_worst_tenth_is_flagged_with_its_ties),
        cmocka_unit_test(consecutive_months_break_at_gaps),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
