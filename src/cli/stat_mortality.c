/* stat_mortality.c - `hdis stat mortality-model`: spells in HES names to risks, observed and
 * expected deaths and a funnel of providers. The table is read once: a spell is counted, and one
 * that will be scored is kept as a number of eight bytes. Only for the risk of every spell, which
 * comes with its row, a file is read twice and what is not a file, such as a pipe, is kept. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/csv.h"
#include "base/date.h"
#include "base/intern.h"
#include "base/par.h"
#include "cli/stat.h"
#include "statistics/funnel.h"
#include "statistics/mortality.h"

enum { TASK_ROWS = 1 << 14, LAST_YEAR = 9999, CHUNK = 1 << 20, CHUNKS = 16 };

/* A spell as read: numbers of its group and provider within its task. */
typedef struct spell {
    uint32_t group, provider;
    int year;
    uint8_t level[HD_COVARIATES];
    bool died;
    bool left_out; /* by --years; nothing else is known of it */
} spell;

/* Some thousand rows, read at once with names of their own. */
typedef struct task {
    const struct work *w;
    size_t from, to;
    hd_intern *groups, *providers;
    uint32_t *group_of, *provider_of; /* number in the task -> number in the table */
    int latest;
    size_t n_kept; /* from `from` on in work.keeping */
} task;

typedef struct work {
    hd_stat *s;
    int provider, group, diagnosis, died, age, sex, method, admitted, year, charlson, weight;
    hd_csv map;         /* --grouping: code, group */
    hd_intern *codes;   /* of the map */
    uint32_t *code_row; /* code -> row of the map */
    int map_group;      /* its column */
    hd_intern *groups, *providers;
    bool *weighs; /* group -> birth weight counts */
    size_t weighs_cap, n_weighs;
    hd_mortality *model;
    spell *spells; /* of the rows in memory */
    size_t spells_cap;
    task *tasks;
    size_t n_tasks;
    uint64_t first[LAST_YEAR + 1]; /* first row of every year */
    uint64_t rows, counted;
    int latest, first_year, last_year; /* the last two: --years */
    hd_bands ages, scores;
    uint8_t age_levels[121]; /* of 0 to 120 */
    bool keeps, all_years;   /* spells that will be scored */
    uint64_t *keeping;       /* those of the rows in memory, task by task */
    uint64_t *kept;          /* all of them so far */
    size_t n_kept, kept_cap;
} work;

static void free_tasks(work *w)
{
    for (size_t i = 0; i < w->n_tasks; i++) {
        hd_intern_free(w->tasks[i].groups);
        hd_intern_free(w->tasks[i].providers);
        hd_free(w->tasks[i].group_of);
        hd_free(w->tasks[i].provider_of);
    }
    hd_free(w->tasks);
    w->tasks = NULL;
    w->n_tasks = 0;
}

static void work_free(work *w)
{
    free_tasks(w);
    hd_csv_free(&w->map);
    hd_intern_free(w->codes);
    hd_free(w->code_row);
    hd_intern_free(w->groups);
    hd_intern_free(w->providers);
    hd_free(w->weighs);
    hd_free(w->spells);
    hd_free(w->keeping);
    hd_free(w->kept);
    hd_mortality_free(w->model);
}

static hd_code find_columns(hd_stat *s, work *w, hd_err *err)
{
    w->provider = hd_stat_column_of(s, "procode3");
    w->group = hd_stat_column_of(s, "diagnosis_group");
    w->diagnosis = hd_stat_column_of(s, "diag_01");
    w->died = hd_stat_column_of(s, "died");
    w->age = hd_stat_column_of(s, "startage");
    w->sex = hd_stat_column_of(s, "sex");
    w->method = hd_stat_column_of(s, "admimeth");
    w->admitted = hd_stat_column_of(s, "admidate");
    w->year = hd_stat_column_of(s, "year");
    w->charlson = hd_stat_column_of(s, "charlson");
    w->weight = hd_stat_column_of(s, "birweit");
    if (w->group < 0 && (w->diagnosis < 0 || !hd_stat_text(s, "grouping")))
        return hd_fail(err, HD_INVALID,
                       "a column diagnosis_group is needed, or diag_01 with --grouping FILE");
    return HD_OK;
}

/* A list of the first values of bands: whole numbers that rise from 0. */
static hd_code read_bands(hd_stat *s, const char *option, unsigned most, const hd_bands *otherwise,
                          hd_bands *out, hd_err *err)
{
    const char *text = hd_stat_text(s, option);
    double from[20];
    size_t n;
    *out = *otherwise;
    if (!text)
        return HD_OK;
    bool right = hd_stat_parse_list(text, ',', from, most, &n) && n > 0 && from[0] == 0;
    for (size_t i = 0; i < n && right; i++) {
        right = from[i] == floor(from[i]) && from[i] <= 1e6 && (i == 0 || from[i] > from[i - 1]);
        out->from[i] = right ? (unsigned)from[i] : 0;
    }
    out->n = (unsigned)n;
    if (!right)
        return hd_fail(err, HD_INVALID,
                       "--%s must be up to %u whole numbers that rise from 0: 0,16,65", option,
                       most);
    return HD_OK;
}

/* --years 2014-2016, or one. */
static hd_code read_years(hd_stat *s, work *w, hd_err *err)
{
    const char *text = hd_stat_text(s, "years");
    double year[2];
    size_t n;
    w->last_year = LAST_YEAR;
    if (!text)
        return HD_OK;
    if (w->year < 0)
        return hd_fail(err, HD_INVALID, "--years needs a column year");
    if (!hd_stat_parse_list(text, '-', year, 2, &n) || n == 0 || year[0] != floor(year[0]) ||
        year[n - 1] < year[0] || year[n - 1] > year[0] + 2 || year[0] < 1000 ||
        year[n - 1] > LAST_YEAR || year[n - 1] != floor(year[n - 1]))
        return hd_fail(err, HD_INVALID, "--years must be one to three years: 2014-2016");
    w->first_year = (int)year[0];
    w->last_year = (int)year[n - 1];
    return HD_OK;
}

static hd_code read_grouping(hd_stat *s, work *w, hd_err *err)
{
    const char *path = hd_stat_text(s, "grouping");
    w->codes = hd_intern_new();
    w->groups = hd_intern_new();
    w->providers = hd_intern_new();
    w->model = hd_mortality_new();
    if (!w->codes || !w->groups || !w->providers || !w->model)
        return hd_fail_nomem(err);
    if (!path || w->group >= 0)
        return HD_OK;
    HD_TRY(hd_csv_read_file(&w->map, path, 1 << 28, err));
    int code = hd_csv_column(&w->map, "code");
    w->map_group = hd_csv_column(&w->map, "group");
    if (code < 0 || w->map_group < 0)
        return hd_fail(err, HD_INVALID, "the grouping needs the columns code and group");
    w->code_row = hd_calloc(w->map.n_rows + 1, sizeof *w->code_row);
    if (!w->code_row)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < w->map.n_rows; i++) {
        const char *text = hd_csv_cell(&w->map, i, code);
        uint32_t before = hd_intern_count(w->codes), id;
        HD_TRY(hd_intern_add(w->codes, text, strlen(text), &id, err));
        if (hd_intern_count(w->codes) == before)
            return hd_fail(err, HD_INVALID, "row %zu of the grouping repeats a code", i + 1);
        w->code_row[id] = (uint32_t)i;
    }
    return HD_OK;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* The name of the group of a row: by the first four characters of the code, else three; what the
 * grouping does not know is "residual". */
static hd_code group_of_row(const work *w, size_t row, const char **out, hd_err *err)
{
    if (w->group >= 0) {
        *out = hd_stat_cell(w->s, row, w->group);
        if (!**out)
            return hd_stat_refuse(w->s, row, w->group, err, "a diagnosis group is needed");
        return HD_OK;
    }
    const char *code = hd_stat_cell(w->s, row, w->diagnosis);
    size_t len = strlen(code);
    *out = "residual";
    for (size_t n = len < 4 ? len : 4; n >= 3; n--) {
        uint32_t id = hd_intern_find(w->codes, code, n);
        if (id != HD_INTERN_NONE) {
            *out = hd_csv_cell(&w->map, w->code_row[id], w->map_group);
            break;
        }
    }
    return HD_OK;
}

/* 0 to 11, of a cell that is a date; most have the month in one place. */
static int month_of(const hd_stat *s, size_t i, const work *w, int32_t date)
{
    const char *text = hd_stat_cell(s, i, w->admitted);
    return text[4] == '-' ? (text[5] - '0') * 10 + text[6] - '0' - 1
                          : (int)(hd_date_month_index(date) % 12);
}

static hd_code read_row(task *k, size_t i, hd_err *err)
{
    const work *w = k->w;
    hd_stat *s = w->s;
    spell *p = &w->spells[i];
    double died, age, charlson, weight, year;
    int32_t date;
    *p = (spell){0};
    HD_TRY(hd_stat_number(s, i, w->year, &year, err));
    if (w->year >= 0 && !(year >= 1000 && year <= LAST_YEAR && year == floor(year)))
        return hd_stat_refuse(s, i, w->year, err, "a year such as 2014 is needed");
    p->year = w->year >= 0 ? (int)year : 0;
    p->left_out = p->year < w->first_year || p->year > w->last_year;
    if (p->left_out)
        return HD_OK;
    const char *group, *provider = hd_stat_cell(s, i, w->provider);
    HD_TRY(group_of_row(w, i, &group, err));
    HD_TRY(hd_intern_add(k->groups, group, strlen(group), &p->group, err));
    HD_TRY(hd_intern_add(k->providers, provider, strlen(provider), &p->provider, err));
    HD_TRY(hd_stat_number(s, i, w->died, &died, err));
    if (died != 0 && died != 1)
        return hd_stat_refuse(s, i, w->died, err, "must be 1 or 0");
    HD_TRY(hd_stat_number(s, i, w->age, &age, err));
    HD_TRY(hd_stat_number(s, i, w->charlson, &charlson, err));
    HD_TRY(hd_stat_number(s, i, w->weight, &weight, err));
    HD_TRY(hd_stat_date(s, i, w->admitted, &date, err));
    if (w->admitted >= 0 && date == HD_DATE_NONE)
        return hd_stat_refuse(s, i, w->admitted, err, "a date of admission is needed");
    p->died = died > 0;
    p->level[HD_COVARIATE_AGE] = age >= 0 && age <= 120 ? w->age_levels[(unsigned)age]
                                                        : (uint8_t)hd_age_level(age, &w->ages);
    p->level[HD_COVARIATE_SEX] =
        (uint8_t)(w->sex < 0 ? 2 : hd_sex_level(hd_stat_cell(s, i, w->sex)));
    p->level[HD_COVARIATE_METHOD] =
        (uint8_t)(w->method < 0 ? 1 : hd_method_level(hd_stat_cell(s, i, w->method)));
    p->level[HD_COVARIATE_MONTH] = (uint8_t)(w->admitted < 0 ? 0 : month_of(s, i, w, date));
    p->level[HD_COVARIATE_CHARLSON] = (uint8_t)hd_band_of(&w->scores, charlson);
    p->level[HD_COVARIATE_WEIGHT] = (uint8_t)hd_weight_level(weight);
    p->level[HD_COVARIATE_YEAR] = (uint8_t)(p->year % 3);
    return HD_OK;
}

static hd_code read_task(void *context, size_t which, hd_err *err)
{
    task *k = (task *)context + which;
    for (size_t i = k->from; i < k->to; i++) {
        HD_TRY(read_row(k, i, err));
        const spell *p = &k->w->spells[i];
        k->latest = !p->left_out && p->year > k->latest ? p->year : k->latest;
    }
    return HD_OK;
}

static bool counts_weight(hd_stat *s, const char *group, size_t len)
{
    const char *list = hd_stat_text(s, "birth-weight-groups");
    for (const char *p = list ? list : "117,118,119"; *p;) {
        size_t n = strcspn(p, ",");
        if (n == len && memcmp(p, group, n) == 0)
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

static hd_code add_group(work *w, const char *name, size_t len, hd_err *err)
{
    bool weighs = counts_weight(w->s, name, len);
    if (!HD_GROW(w->weighs, w->n_weighs, w->weighs_cap))
        return hd_fail_nomem(err);
    w->weighs[w->n_weighs++] = weighs;
    return hd_mortality_add_group(w->model, weighs, err);
}

/* The numbers that the names of a task have in the table; new groups are added while counting. */
static hd_code number_names(work *w, task *k, bool counting, hd_err *err)
{
    k->group_of = hd_calloc((size_t)hd_intern_count(k->groups) + 1, sizeof *k->group_of);
    k->provider_of = hd_calloc((size_t)hd_intern_count(k->providers) + 1, sizeof *k->provider_of);
    if (!k->group_of || !k->provider_of)
        return hd_fail_nomem(err);
    size_t len;
    for (uint32_t i = 0; i < hd_intern_count(k->groups); i++) {
        const char *name = hd_intern_get(k->groups, i, &len);
        HD_TRY(hd_intern_add(w->groups, name, len, &k->group_of[i], err));
        if (hd_intern_count(w->groups) == w->n_weighs)
            continue;
        if (!counting)
            return hd_fail(err, HD_INVALID, "the table changed while it was read");
        HD_TRY(add_group(w, name, len, err));
    }
    for (uint32_t i = 0; i < hd_intern_count(k->providers); i++) {
        const char *name = hd_intern_get(k->providers, i, &len);
        HD_TRY(hd_intern_add(w->providers, name, len, &k->provider_of[i], err));
    }
    return HD_OK;
}

/* Read the rows that are shown into w->spells. */
static hd_code read_rows(work *w, bool counting, hd_err *err)
{
    size_t n = hd_stat_n_rows(w->s);
    free_tasks(w);
    if (n > w->spells_cap) {
        hd_free(w->spells);
        hd_free(w->keeping);
        w->spells = hd_calloc(n, sizeof *w->spells);
        w->keeping = hd_calloc(n, sizeof *w->keeping);
        w->spells_cap = w->spells && w->keeping ? n : 0;
    }
    w->tasks = hd_calloc(n / TASK_ROWS + 1, sizeof *w->tasks);
    if (!w->tasks || w->spells_cap < n)
        return hd_fail_nomem(err);
    for (size_t from = 0; from < n; from += TASK_ROWS) {
        task *k = &w->tasks[w->n_tasks++];
        *k = (task){.w = w, .from = from, .to = from + TASK_ROWS < n ? from + TASK_ROWS : n};
        k->groups = hd_intern_new();
        k->providers = hd_intern_new();
        if (!k->groups || !k->providers)
            return hd_fail_nomem(err);
    }
    HD_TRY(hd_par_run(w->n_tasks, read_task, w->tasks, err));
    for (size_t i = 0; i < w->n_tasks; i++)
        HD_TRY(number_names(w, &w->tasks[i], counting, err));
    return HD_OK;
}

static uint32_t cell_of(const work *w, const task *k, const spell *p, unsigned *group)
{
    *group = k->group_of[p->group];
    return hd_mortality_cell(p->level, w->weighs[*group]);
}

/* A spell that will be scored, in one number: provider, group (of 2000), cell (of 102060), death.
 */
static uint64_t pack(uint32_t provider, unsigned group, uint32_t cell, bool died)
{
    return (uint64_t)provider << 32 | (uint64_t)group << 18 | (uint64_t)cell << 1 | died;
}

static hd_code count_task(void *context, size_t which, hd_err *err)
{
    (void)err;
    enum { SOME = 256 };
    work *w = context;
    task *k = &w->tasks[which];
    for (size_t from = k->from; from < k->to; from += SOME) {
        hd_mortality_spell some[SOME];
        size_t n = 0, to = k->to - from < SOME ? k->to : from + SOME;
        for (size_t i = from; i < to; i++) {
            unsigned group;
            const spell *p = &w->spells[i];
            if (p->left_out)
                continue;
            uint32_t at = cell_of(w, k, p, &group);
            some[n++] = (hd_mortality_spell){at, (uint16_t)group, p->died};
            if (w->keeps && (w->all_years || p->year == w->latest))
                w->keeping[k->from + k->n_kept++] =
                    pack(k->provider_of[p->provider], group, at, p->died);
        }
        hd_mortality_count(w->model, some, n);
    }
    return HD_OK;
}

/* Years: at most three; the row that is refused is the first that is too old. */
static hd_code check_years(work *w, hd_err *err)
{
    uint64_t row = 0;
    for (int y = 0; y < w->latest - 2; y++)
        if (w->first[y] && (!row || w->first[y] < row))
            row = w->first[y];
    if (row)
        return hd_fail(err, HD_INVALID,
                       "row %llu, column %.60s: is more than two years before the latest",
                       (unsigned long long)row, hd_stat_name(w->s, w->year));
    return HD_OK;
}

static hd_code keep_spells(work *w, hd_err *err)
{
    for (size_t i = 0; i < w->n_tasks; i++) {
        const task *k = &w->tasks[i];
        while (w->kept_cap - w->n_kept < k->n_kept)
            if (!hd_grow_((void **)(void *)&w->kept, &w->kept_cap, sizeof *w->kept))
                return hd_fail_nomem(err);
        if (k->n_kept)
            memcpy(w->kept + w->n_kept, w->keeping + k->from, k->n_kept * sizeof *w->kept);
        w->n_kept += k->n_kept;
    }
    return HD_OK;
}

static hd_code count_rows(work *w, hd_err *err)
{
    size_t n = hd_stat_n_rows(w->s);
    HD_TRY(read_rows(w, true, err));
    for (size_t i = 0; i < w->n_tasks; i++) {
        if (w->tasks[i].latest <= w->latest)
            continue;
        w->latest = w->tasks[i].latest;
        w->n_kept = w->all_years ? w->n_kept : 0; /* those of an earlier year */
    }
    HD_TRY(hd_par_run(w->n_tasks, count_task, w, err));
    for (size_t i = 0; i < n; i++) {
        if (w->spells[i].left_out)
            continue;
        w->counted++;
        if (!w->first[w->spells[i].year])
            w->first[w->spells[i].year] = w->rows + i + 1;
    }
    w->rows += n;
    return keep_spells(w, err);
}

/* again: the rows will be wanted again. */
static hd_code fit(hd_stat *s, work *w, bool again, hd_err *err)
{
    w->s = s;
    HD_TRY(find_columns(s, w, err));
    HD_TRY(read_bands(s, "bands", 20, &hd_age_bands, &w->ages, err));
    HD_TRY(read_bands(s, "charlson-bands", 3, &hd_charlson_bands, &w->scores, err));
    HD_TRY(read_years(s, w, err));
    for (unsigned age = 0; age <= 120; age++)
        w->age_levels[age] = (uint8_t)hd_age_level(age, &w->ages);
    HD_TRY(read_grouping(s, w, err));
    if (!again || hd_stat_is_file(s)) {
        for (bool more = true;;) {
            HD_TRY(hd_stat_next(s, &more, err));
            if (!more)
                break;
            HD_TRY(count_rows(w, err));
        }
    } else {
        HD_TRY(hd_stat_all(s, err));
        HD_TRY(count_rows(w, err));
    }
    if (w->counted == 0)
        return hd_fail(err, HD_INVALID, "there are no spells");
    HD_TRY(check_years(w, err));
    return hd_mortality_fit(w->model, w->latest, err);
}

/* --- Scoring ---------------------------------------------------------------------------------- */

static hd_code put_risks(work *w, hd_err *err)
{
    for (size_t i = 0; i < w->n_tasks; i++) {
        const task *k = &w->tasks[i];
        for (size_t r = k->from; r < k->to; r++) {
            const spell *p = &w->spells[r];
            double risk = NAN;
            unsigned group;
            if (!p->left_out) {
                uint32_t at = cell_of(w, k, p, &group);
                risk = hd_mortality_risk(w->model, group, at);
                if (isnan(risk))
                    return hd_fail(err, HD_INVALID, "the table changed while it was read");
            }
            hd_stat_keep_row(w->s, r);
            hd_stat_put(w->s, risk);
            hd_stat_put_text(w->s, p->left_out ? "not of these years" : "");
            HD_TRY(hd_stat_end_row(w->s, err));
        }
    }
    return HD_OK;
}

/* Every spell once more, in the order of the input. */
static hd_code put_all_risks(work *w, hd_err *err)
{
    if (!hd_stat_is_file(w->s))
        return put_risks(w, err);
    HD_TRY(hd_stat_rewind(w->s, err));
    for (bool more = true;;) {
        HD_TRY(hd_stat_next(w->s, &more, err));
        if (!more)
            return HD_OK;
        HD_TRY(read_rows(w, false, err));
        HD_TRY(put_risks(w, err));
    }
}

typedef struct total {
    double spells, observed, expected;
} total;

/* The spells that were kept, in chunks with totals of their own, which are added in order: how many
 * chunks there are depends on the number of spells alone. */
typedef struct scoring {
    const work *w;
    size_t chunk, n_providers;
    total *totals; /* of the providers, a chunk */
} scoring;

static hd_code score_chunk(void *context, size_t which, hd_err *err)
{
    (void)err;
    const scoring *c = context;
    const work *w = c->w;
    total *t = c->totals + which * c->n_providers;
    size_t to = (which + 1) * c->chunk < w->n_kept ? (which + 1) * c->chunk : w->n_kept;
    for (size_t i = which * c->chunk; i < to; i++) {
        uint64_t v = w->kept[i];
        total *of = &t[v >> 32];
        of->spells++;
        of->observed += (double)(v & 1);
        of->expected += hd_mortality_risk(w->model, v >> 18 & 0x7ff, (uint32_t)(v >> 1 & 0x1ffff));
    }
    return HD_OK;
}

static hd_code score(const work *w, hd_funnel_unit *units, double *spells, hd_err *err)
{
    size_t n = hd_intern_count(w->providers), chunk = (w->n_kept + CHUNKS - 1) / CHUNKS;
    scoring c = {w, chunk < CHUNK ? CHUNK : chunk, n};
    size_t chunks = (w->n_kept + c.chunk - 1) / c.chunk;
    c.totals = hd_calloc(chunks * n + 1, sizeof *c.totals);
    if (!c.totals)
        return hd_fail_nomem(err);
    hd_code rc = hd_par_run(chunks, score_chunk, &c, err);
    for (size_t i = 0; i < chunks * n && rc == HD_OK; i++) {
        spells[i % n] += c.totals[i].spells;
        units[i % n].numerator += c.totals[i].observed;
        units[i % n].denominator += c.totals[i].expected;
    }
    hd_free(c.totals);
    return rc;
}

/* --- Results ---------------------------------------------------------------------------------- */

static hd_code put_name(hd_stat *s, const hd_intern *names, uint32_t id, hd_err *err)
{
    size_t len;
    const char *bytes = hd_intern_get(names, id, &len);
    char *text = hd_strndup(bytes, len);
    if (!text)
        return hd_fail_nomem(err);
    hd_stat_keep_row(s, 0);
    hd_stat_put_text(s, text);
    hd_free(text);
    return HD_OK;
}

static hd_code put_groups(hd_stat *s, const work *w, hd_err *err)
{
    const hd_mortality_group *g = hd_mortality_groups(w->model);
    for (uint32_t i = 0; i < hd_intern_count(w->groups); i++) {
        HD_TRY(put_name(s, w->groups, i, err));
        hd_stat_put(s, g[i].spells);
        hd_stat_put(s, g[i].deaths);
        hd_stat_put(s, g[i].expected);
        hd_stat_put(s, g[i].c_statistic);
        hd_stat_put_count(s, g[i].patterns);
        hd_stat_put_count(s, g[i].coefficients);
        hd_stat_put_count(s, (uint64_t)g[i].iterations);
        hd_stat_put_text(s, g[i].converged ? "" : "not converged");
        HD_TRY(hd_stat_end_row(s, err));
    }
    return HD_OK;
}

static void put_level(hd_stat *s, const char *covariate, const char *level, const char *merged,
                      const hd_mortality_level *l)
{
    hd_stat_put_text(s, covariate);
    hd_stat_put_text(s, level);
    hd_stat_put_text(s, merged);
    hd_stat_put(s, l->spells);
    hd_stat_put(s, l->deaths);
    hd_stat_put(s, l->estimate);
    hd_stat_put(s, l->se);
}

static const char *level_name(const work *w, hd_covariate c, unsigned level, char text[32])
{
    static const char *const sex[] = {"1", "2", ""};
    static const char *const method[] = {"elective", "", "non-elective"};
    static const char *const weight[] = {"", "0-999", "1000-2499", "2500-4499", "4500+"};
    static const char *const *const names[HD_COVARIATES] = {
        [HD_COVARIATE_SEX] = sex, [HD_COVARIATE_METHOD] = method, [HD_COVARIATE_WEIGHT] = weight};
    if (names[c])
        return names[c][level];
    if (c == HD_COVARIATE_AGE && level == 20)
        return "";
    if (c == HD_COVARIATE_AGE || c == HD_COVARIATE_CHARLSON) {
        hd_band_name(c == HD_COVARIATE_AGE ? &w->ages : &w->scores, level, text);
        return text;
    }
    snprintf(text, 32, "%s%u", c == HD_COVARIATE_YEAR && level ? "-" : "",
             c == HD_COVARIATE_YEAR ? level : level + 1);
    return text;
}

static hd_code put_coefficients(hd_stat *s, const work *w, hd_err *err)
{
    for (uint32_t i = 0; i < hd_intern_count(w->groups); i++) {
        hd_mortality_level l = hd_mortality_intercept(w->model, i), levels[21];
        HD_TRY(put_name(s, w->groups, i, err));
        put_level(s, "(intercept)", "", "", &l);
        HD_TRY(hd_stat_end_row(s, err));
        for (int c = 0; c < HD_COVARIATES; c++) {
            unsigned n = hd_mortality_levels(w->model, i, (hd_covariate)c, levels);
            for (unsigned k = 0; k < n; k++) {
                char a[32], b[32];
                HD_TRY(put_name(s, w->groups, i, err));
                put_level(s, hd_covariate_names[c],
                          level_name(w, (hd_covariate)c, levels[k].level, a),
                          level_name(w, (hd_covariate)c, levels[k].merged, b), &levels[k]);
                HD_TRY(hd_stat_end_row(s, err));
            }
        }
    }
    return HD_OK;
}

static hd_code put_provider(hd_stat *s, const work *w, uint32_t i, double spells,
                            const hd_funnel_unit *u, const hd_funnel_row *r,
                            const hd_funnel_summary *sum, unsigned n_levels, hd_err *err)
{
    bool few = sum->used < 2; /* no over-dispersion can be told */
    HD_TRY(put_name(s, w->providers, i, err));
    hd_stat_put(s, spells);
    hd_stat_put(s, u->numerator);
    hd_stat_put(s, u->denominator);
    hd_stat_put(s, r->value);
    for (unsigned k = 0; k < n_levels; k++) {
        hd_stat_put(s, few ? (double)NAN : r->adjusted[k].lower);
        hd_stat_put(s, few ? (double)NAN : r->adjusted[k].upper);
        hd_stat_put(s, r->limits[k].lower);
        hd_stat_put(s, r->limits[k].upper);
    }
    hd_stat_put(s, sum->phi);
    hd_stat_put(s, sum->tau2);
    hd_stat_put_text(s, isnan(r->value) || few ? "" : hd_funnel_label(r->adjusted_status[0]));
    hd_stat_put_text(s, isnan(r->value) ? "no deaths are expected"
                        : few           ? "trimming leaves fewer than 2 units: no adjusted limits"
                                        : "");
    return hd_stat_end_row(s, err);
}

static hd_code put_providers(hd_stat *s, const work *w, hd_err *err)
{
    hd_code rc = HD_OK;
    const double *levels;
    hd_funnel_summary sum;
    size_t n = hd_intern_count(w->providers);
    hd_funnel_options o = hd_funnel_defaults(HD_FUNNEL_RATIO);
    hd_funnel_unit *units = hd_calloc(n + 1, sizeof *units);
    hd_funnel_row *rows = hd_calloc(n + 1, sizeof *rows);
    double *spells = hd_calloc(n + 1, sizeof *spells);
    if (!units || !rows || !spells)
        HD_GO(hd_fail_nomem(err));
    HD_GO(score(w, units, spells, err));
    o.adjust = HD_FUNNEL_TRUNCATE;
    o.round_expected = true;
    o.n_levels = hd_stat_levels(s, &levels);
    memcpy(o.levels, levels, o.n_levels * sizeof *levels);
    HD_GO(hd_funnel(units, n, &o, rows, &sum, err));
    for (uint32_t i = 0; i < n; i++)
        HD_GO(put_provider(s, w, i, spells[i], &units[i], &rows[i], &sum, o.n_levels, err));
out:
    hd_free(units);
    hd_free(rows);
    hd_free(spells);
    return rc;
}

static hd_code run_mortality(hd_stat *s, hd_err *err)
{
    static const char *const outputs[] = {"providers", "risk", "groups", "coefficients", NULL};
    static const char *const results[] = {
        "provider spells observed expected value lower@,upper@,poisson_lower@,poisson_upper@ phi "
        "tau2 label reason",
        "risk reason",
        "group spells deaths expected c_statistic patterns coefficients iterations warning",
        "group covariate level merged spells deaths estimate se"};
    hd_code rc = HD_OK;
    int output;
    work *w = hd_calloc(1, sizeof *w);
    if (!w)
        return hd_fail_nomem(err);
    HD_GO(hd_stat_choice(s, "output", outputs, 0, &output, err));
    HD_GO(hd_stat_header(s, output == 1 ? HD_STAT_KEEP_ALL : HD_STAT_KEEP_NONE, results[output],
                         err));
    w->keeps = output == 0;
    w->all_years = hd_stat_switch(s, "all-years");
    HD_GO(fit(s, w, output == 1, err));
    HD_GO(output == 1   ? put_all_risks(w, err)
          : output == 2 ? put_groups(s, w, err)
          : output == 3 ? put_coefficients(s, w, err)
                        : put_providers(s, w, err));
out:
    work_free(w);
    hd_free(w);
    return rc;
}

static const hd_stat_column columns[] = {
    {"procode3", true, "provider"},
    {"died", true, "1: died in hospital or within 30 days"},
    {"diagnosis_group", false, "or"},
    {"diag_01", false, "primary diagnosis, with --grouping"},
    {"startage", true, "age in years; 7001 to 7007 are under 1"},
    {"sex", false, "1, 2"},
    {"admimeth", false, "method of admission"},
    {"admidate", false, "for the month"},
    {"year", false, "up to three; the latest is scored"},
    {"charlson", false, "score (hdis stat charlson --map shmi --secondary-only)"},
    {"birweit", false, "birth weight in grams, used in --birth-weight-groups"},
    {0}};
static const hd_stat_option options[] = {
    {"grouping", "FILE", "columns code, group: diagnosis to group by 4, else 3 characters"},
    {"birth-weight-groups", "LIST", "groups in which birth weight counts; default 117,118,119"},
    {"bands", "LIST",
     "first ages of the age bands, up to 20; default 0,1,5,10,...,90. Unknown is a band of its "
     "own"},
    {"charlson-bands", "LIST", "first scores of the bands of the score, up to 3; default 0,1,6"},
    {"years", "A-B", "only spells of these years, one to three; default: all, no more than three"},
    {"all-years", NULL, "providers over all years instead of the latest"},
    {"output", "NAME",
     "providers (default), risk (of every spell), groups (the models), coefficients"},
    {0}};

const hd_stat_method hd_stat_mortality[] = {
    {.name = "mortality-model",
     .summary = "expected deaths from case mix, one logistic model a diagnosis group",
     .output = "provider, spells, observed, expected, value, lower, upper (over-dispersed), "
               "poisson_lower,\n"
               "  poisson_upper per level, phi, tau2, label, reason; or risk, reason; or a row a "
               "group; or\n"
               "  group, covariate, level, merged, spells, deaths, estimate, se",
     .example =
         "hdis stat mortality-model --in spells.csv --grouping groups.csv --level 0.95,0.998",
     .input = HD_STAT_STREAM,
     .levels = true,
     .columns = columns,
     .options = options,
     .run = run_mortality},
    {0}};
