/* truth.c - see truth.h. Cells are unit x month; a unit is the one that exists now. */
#include "synth/truth.h"
#include "base/alloc.h"
#include "base/io.h"
#include "synth/dirt.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_MINUTES = 1440, /* the simulation lets nobody stay longer in A&E */
    MOST_DAYS = 2048,    /* nor in hospital */
    N_DISTRIBUTIONS = 3
};

enum shape { PROPORTION, RATIO, MEAN, QUANTILE, PER_DAY };

/* The indicators; quantiles name the distribution they are taken from. */
static const struct {
    const char *id;
    enum shape shape;
    int distribution;
    double p;
} measures[HD_N_MEASURES] = {
    [HD_EMERGENCY_CAESAREAN] = {"emergency_caesarean_rate", PROPORTION, -1, 0},
    [HD_READMISSION_30] = {"emergency_readmission_30d", PROPORTION, -1, 0},
    [HD_READMISSION_28] = {"emergency_readmission_28d", PROPORTION, -1, 0},
    [HD_FOUR_HOURS] = {"ae_within_4_hours", PROPORTION, -1, 0},
    [HD_AE_MEDIAN] = {"ae_median_minutes", QUANTILE, 0, 0.5},
    [HD_AE_P95] = {"ae_p95_minutes", QUANTILE, 0, 0.95},
    [HD_AE_LEFT] = {"ae_left_before_treatment", PROPORTION, -1, 0},
    [HD_DNA_ADULTS] = {"dna_rate_adults", PROPORTION, -1, 0},
    [HD_DNA_CHILDREN] = {"dna_rate_children", PROPORTION, -1, 0},
    [HD_FOLLOW_UP] = {"first_to_follow_up", RATIO, -1, 0},
    [HD_MEAN_ELECTIVE] = {"mean_stay_elective", MEAN, -1, 0},
    [HD_MEDIAN_ELECTIVE] = {"median_stay_elective", QUANTILE, 1, 0.5},
    [HD_MEAN_EMERGENCY] = {"mean_stay_emergency", MEAN, -1, 0},
    [HD_MEDIAN_EMERGENCY] = {"median_stay_emergency", QUANTILE, 2, 0.5},
    [HD_ZERO_DAYS] = {"zero_day_emergencies", PROPORTION, -1, 0},
    [HD_DAY_CASES] = {"day_case_rate", PROPORTION, -1, 0},
    [HD_USUAL_RESIDENCE] = {"usual_residence", PROPORTION, -1, 0},
    [HD_WEEKEND] = {"weekend_discharge", PER_DAY, -1, 0},
    [HD_MORTALITY] = {"crude_mortality", PROPORTION, -1, 0},
};

static const int32_t most[N_DISTRIBUTIONS] = {MOST_MINUTES, MOST_DAYS, MOST_DAYS};

static const char *const total_names[HD_N_TOTALS] = {
    "persons", "births", "spells", "continuous_spells", "deliveries", "deaths_in_hospital",
};

static const char *const dataset_names[HD_N_DATASETS] = {"apc", "op", "ae", "cc", "ecds"};

struct cell {
    uint64_t numerator[HD_N_MEASURES], denominator[HD_N_MEASURES];
    uint32_t *counts[N_DISTRIBUTIONS]; /* most[] each */
};

struct hd_truth {
    const hd_world *w;
    int first_year, last_year, first_month, n_months;
    struct cell *cells; /* unit by unit, months inside */
    uint32_t *counts;   /* backs the distributions */
    uint64_t totals[HD_N_TOTALS];
    uint64_t rows[HD_N_DATASETS][HD_SYNTH_LAST_YEAR + 1];
    uint64_t dirty[HD_N_DATASETS][HD_N_DIRT_KINDS];
    uint64_t people[HD_N_DATASETS];
};

static void add(uint64_t *to, uint64_t n)
{
    __atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

hd_truth *hd_truth_new(const hd_world *w, int first_year, int last_year)
{
    hd_truth *t = hd_calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->w = w;
    t->first_year = first_year;
    t->last_year = last_year;
    t->first_month = first_year * 12 + 3;
    t->n_months = (last_year - first_year + 1) * 12;
    size_t n_cells = w->n_units * (size_t)t->n_months;
    t->cells = hd_calloc(n_cells, sizeof *t->cells);
    t->counts = hd_calloc(n_cells, (MOST_MINUTES + 2 * MOST_DAYS) * sizeof *t->counts);
    if (!t->cells || !t->counts) {
        hd_truth_free(t);
        return NULL;
    }
    uint32_t *at = t->counts;
    for (size_t i = 0; i < n_cells; i++)
        for (int d = 0; d < N_DISTRIBUTIONS; d++) {
            t->cells[i].counts[d] = at;
            at += most[d];
        }
    return t;
}

void hd_truth_free(hd_truth *t)
{
    if (!t)
        return;
    hd_free(t->cells);
    hd_free(t->counts);
    hd_free(t);
}

/* The cell, or NULL for a date that is unknown or outside the data years. */
static struct cell *cell_of(hd_truth *t, int unit, int32_t date)
{
    if (!hd_date_is_real(date))
        return NULL;
    int month = hd_date_month_index(date) - t->first_month;
    if (month < 0 || month >= t->n_months)
        return NULL;
    return &t->cells[(size_t)t->w->units[unit].final * (size_t)t->n_months + (size_t)month];
}

void hd_truth_add(hd_truth *t, int unit, int32_t date, hd_measure m, uint64_t numerator,
                  uint64_t denominator)
{
    struct cell *c = cell_of(t, unit, date);
    if (!c)
        return;
    add(&c->numerator[m], numerator);
    add(&c->denominator[m], denominator);
}

void hd_truth_value(hd_truth *t, int unit, int32_t date, hd_measure m, int32_t value)
{
    struct cell *c = cell_of(t, unit, date);
    int d = measures[m].distribution;
    if (!c)
        return;
    HD_ALWAYS(value >= 0 && value < most[d]);
    __atomic_fetch_add(&c->counts[d][value], 1, __ATOMIC_RELAXED);
}

void hd_truth_total(hd_truth *t, hd_total total)
{
    add(&t->totals[total], 1);
}

void hd_truth_row(hd_truth *t, hd_dataset dataset, int year, int dirt_kind)
{
    add(&t->rows[dataset][year], 1);
    if (dirt_kind >= 0)
        add(&t->dirty[dataset][dirt_kind], 1);
}

void hd_truth_person(hd_truth *t, const hd_person_rows *rows)
{
    add(&t->totals[HD_TOTAL_PERSONS], 1);
    for (int d = 0; d < HD_N_DATASETS; d++)
        add(&t->people[d], rows->seen[d]);
}

uint64_t hd_truth_rows(const hd_truth *t, hd_dataset dataset, int year)
{
    return t->rows[dataset][year];
}

uint64_t hd_truth_dirty(const hd_truth *t)
{
    uint64_t n = 0;
    for (int d = 0; d < HD_N_DATASETS; d++)
        for (int k = 0; k < HD_N_DIRT_KINDS; k++)
            n += t->dirty[d][k];
    return n;
}

/* ---- rows of outpatients, A&E and deliveries ---------------------------------------------- */

/* One of the single characters. */
static bool is_any(hd_code8 c, const char *set)
{
    return c.s[0] && c.s[1] == '\0' && strchr(set, c.s[0]);
}

/* Completed years, or -1 when not known. */
static int age_in_years(int32_t age)
{
    return age >= 7001 && age <= 7007 ? 0 : age < 0 || age > 120 ? -1 : age;
}

void hd_truth_op(hd_truth *t, int unit, const hd_op_row *row)
{
    bool specialty = row->tretspef.s[0] && !hd_code8_is(row->tretspef, "812");
    if (!is_any(row->attended, "3567") || !is_any(row->firstatt, "1234") || !specialty ||
        !hd_code8_is(row->admincat, "01"))
        return;
    int age = age_in_years(row->c.age);
    if (age >= 0)
        hd_truth_add(t, unit, row->apptdate, age >= 18 ? HD_DNA_ADULTS : HD_DNA_CHILDREN,
                     is_any(row->attended, "37"), 1);
    if (is_any(row->attended, "56")) {
        bool first = is_any(row->firstatt, "13");
        hd_truth_add(t, unit, row->apptdate, HD_FOLLOW_UP, !first, first);
    }
}

void hd_truth_ae(hd_truth *t, int unit, const hd_ae_row *row)
{
    if (!hd_code8_is(row->depttype, "01") || !is_any(row->attendcat, "13"))
        return;
    hd_truth_add(t, unit, row->arrivaldate, HD_AE_LEFT, hd_code8_is(row->attenddisp, "12"), 1);
    if (row->depdur < 0)
        return;
    hd_truth_add(t, unit, row->arrivaldate, HD_FOUR_HOURS, row->depdur <= 240, 1);
    hd_truth_value(t, unit, row->arrivaldate, HD_AE_MEDIAN, row->depdur);
}

/* Does any procedure begin with one of the codes (blank-separated)? The position, or -1. */
static int find_procedure(const hd_apc_row *row, const char *codes)
{
    for (int i = 0; i < HD_N_PROCEDURES; i++)
        for (const char *p = codes; *p;) {
            size_t len = strcspn(p, " ");
            if (strncmp(row->opertn[i].s, p, len) == 0)
                return i;
            p += len + (p[len] == ' ');
        }
    return -1;
}

/* 1 emergency caesarean, 0 another known method, -1 unknown; doc/methods.md, "Deliveries", step 5.
 */
static int delivery_method(const hd_apc_row *row)
{
    if (find_procedure(row, "R18 R251") >= 0)
        return 1;
    if (find_procedure(row, "R17") >= 0)
        return 0;
    if (row->delmeth_d.s[0] == '0' && row->delmeth_d.s[1] >= '1' && row->delmeth_d.s[1] <= '9')
        return row->delmeth_d.s[1] == '2';
    if (hd_code8_is(row->delmeth_d, "10") ||
        find_procedure(row, "R19 R20 R21 R22 R23 R24 R252 R258 R259") >= 0)
        return 0;
    for (int i = 0; i < HD_N_BABIES; i++)
        if (hd_code8_is(row->delmeth[i], "8"))
            return 1;
    for (int i = 0; i < HD_N_BABIES; i++)
        if (hd_code8_is(row->delmeth[i], "7"))
            return 0;
    return is_any(row->delmeth[0], "01234569") ? 0 : -1;
}

void hd_truth_delivery(hd_truth *t, int unit, const hd_apc_row *row)
{
    int age = age_in_years(row->c.age);
    bool delivers = is_any(row->epitype, "25") ||
                    find_procedure(row, "R17 R18 R19 R20 R21 R22 R23 R24 R25") >= 0;
    /* A woman has her deliveries far apart and one such episode each, so none need be joined. */
    if (!delivers || !hd_code8_is(row->epistat, "3") || !hd_date_is_real(row->epistart) ||
        !hd_date_is_real(row->epiend) || !hd_code8_is(row->c.sex, "2") || age < 12 || age > 55 ||
        is_any(row->classpat, "34"))
        return;
    hd_truth_total(t, HD_TOTAL_DELIVERIES);
    int method = delivery_method(row);
    if (method >= 0)
        hd_truth_add(t, unit, row->epiend, HD_EMERGENCY_CAESAREAN, (uint64_t)method, 1);
}

static bool is_cancer(const char *d)
{
    int n = d[0] && d[1] >= '0' && d[1] <= '9' && d[2] >= '0' && d[2] <= '9'
                ? (d[1] - '0') * 10 + d[2] - '0'
                : -1;
    return (d[0] == 'C' && n >= 0 && n <= 97) || (d[0] == 'D' && n >= 37 && n <= 48) ||
           strncmp(d, "Z511", 4) == 0;
}

hd_episode hd_truth_episode(int unit, const hd_apc_row *row)
{
    hd_episode e = {
        .unit = unit,
        .epistart = row->epistart,
        .epiend = row->epiend,
        .admidate = row->admidate,
        .disdate = row->disdate,
        .epiorder = row->epiorder,
        .epistat = row->epistat,
        .epitype = row->epitype,
        .classpat = row->classpat,
        .admimeth = row->admimeth,
        .admisorc = row->admisorc,
        .disdest = row->disdest,
        .dismeth = row->dismeth,
        .mainspef = row->mainspef,
        .has_person = (row->c.token[0] | row->c.token[1]) != 0,
    };
    for (int i = 0; i < HD_N_DIAGNOSES; i++)
        e.has_cancer |= is_cancer(row->diag[i].s);
    return e;
}

/* ---- the files ---------------------------------------------------------------------------- */

/* Type 7 quantile of counted values; n > 0 of them. */
static double quantile(const uint32_t *counts, int32_t n_values, uint64_t n, double p)
{
    double h = (double)(n - 1) * p;
    uint64_t low = (uint64_t)floor(h), seen = 0;
    int32_t at_low = -1;
    for (int32_t v = 0; v < n_values; v++) {
        seen += counts[v];
        if (at_low < 0 && seen > low)
            at_low = v;
        if (seen > low + 1 || (at_low >= 0 && seen == n))
            return at_low + (h - (double)low) * (double)(v - at_low);
    }
    return at_low;
}

/* Days of the month that are Monday to Friday. */
static int n_weekdays(int month, int *n_days)
{
    int32_t start = hd_date_month_start(month), end = hd_date_month_start(month + 1);
    int n = 0;
    for (int32_t d = start; d < end; d++)
        n += hd_date_weekday(d) < 5;
    *n_days = end - start;
    return n;
}

static void write_cell(hd_buf *b, const hd_truth *t, int m, size_t unit, int month)
{
    const struct cell *c = &t->cells[unit * (size_t)t->n_months + (size_t)month];
    uint64_t num = c->numerator[m], den = c->denominator[m];
    int at = t->first_month + month, d = measures[m].distribution;
    if (measures[m].shape == QUANTILE)
        for (int32_t v = 0; v < most[d]; v++)
            den += c->counts[d][v];
    if (num + den == 0)
        return;
    hd_buf_printf(b, "%s,%s,%04d-%02d,", measures[m].id, t->w->units[unit].code, at / 12,
                  at % 12 + 1);
    if (measures[m].shape == QUANTILE) {
        hd_buf_printf(b, ",%" PRIu64 ",%.17g\n", den,
                      quantile(c->counts[d], most[d], den, measures[m].p));
        return;
    }
    hd_buf_printf(b, "%" PRIu64 ",%" PRIu64 ",", num, den);
    int n_days, weekdays = n_weekdays(at, &n_days);
    if (den && measures[m].shape == PER_DAY)
        hd_buf_printf(b, "%.17g", ((double)num / (n_days - weekdays)) / ((double)den / weekdays));
    else if (den)
        hd_buf_printf(b, "%.17g", (double)num / (double)den);
    hd_buf_char(b, '\n');
}

static void write_indicators(hd_buf *b, const hd_truth *t)
{
    hd_buf_str(b, "indicator,provider,month,numerator,denominator,value\n");
    for (int m = 0; m < HD_N_MEASURES; m++)
        for (size_t unit = 0; unit < t->w->n_units; unit++)
            for (int month = 0; month < t->n_months; month++)
                write_cell(b, t, m, unit, month);
}

static void write_totals(hd_buf *b, const hd_truth *t)
{
    hd_buf_str(b, "what,dataset,year,detail,count\n");
    for (int d = 0; d < HD_N_DATASETS; d++)
        for (int y = t->first_year; y <= t->last_year; y++)
            hd_buf_printf(b, "rows,%s,%d,,%" PRIu64 "\n", dataset_names[d], y, t->rows[d][y]);
    for (int d = 0; d < HD_N_DATASETS; d++)
        for (int k = 0; k < HD_N_DIRT_KINDS; k++)
            if (t->dirty[d][k])
                hd_buf_printf(b, "dirty_rows,%s,,%s,%" PRIu64 "\n", dataset_names[d],
                              hd_dirt_names[k], t->dirty[d][k]);
    for (int d = 0; d < HD_N_DATASETS; d++)
        hd_buf_printf(b, "distinct_people,%s,,,%" PRIu64 "\n", dataset_names[d], t->people[d]);
    for (int k = 0; k < HD_N_TOTALS; k++)
        hd_buf_printf(b, "%s,,,,%" PRIu64 "\n", total_names[k], t->totals[k]);
}

static void write_planted(hd_buf *b, const hd_truth *t)
{
    hd_buf_str(b, "provider,provider_now,effect,factor,outlier\n");
    for (size_t u = 0; u < t->w->n_units; u++)
        for (int e = 0; e < HD_N_EFFECTS; e++) {
            const hd_unit *unit = &t->w->units[u];
            hd_buf_printf(b, "%s,%s,%s,%.17g,%d\n", unit->code, t->w->units[unit->final].code,
                          hd_effect_names[e], unit->effect[e], unit->is_planted[e]);
        }
}

hd_code hd_truth_write(const hd_truth *t, const char *folder, hd_err *err)
{
    static const struct {
        const char *name;
        void (*write)(hd_buf *, const hd_truth *);
    } files[] = {{"indicators.csv", write_indicators},
                 {"totals.csv", write_totals},
                 {"planted.csv", write_planted}};
    hd_code rc = HD_OK;
    for (size_t i = 0; i < sizeof files / sizeof *files && rc == HD_OK; i++) {
        char path[PATH_MAX];
        if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, files[i].name) >= sizeof path)
            return hd_fail(err, HD_LIMIT, "the path %s is too long", folder);
        hd_buf b;
        hd_buf_init(&b, (size_t)1 << 30);
        files[i].write(&b, t);
        rc = hd_buf_check(&b, err);
        if (rc == HD_OK)
            rc = hd_io_write_file(path, b.data, b.len, 0644, err);
        hd_buf_free(&b);
    }
    return rc;
}
