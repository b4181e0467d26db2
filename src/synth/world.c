/* world.c - see world.h. Effects are drawn from the seed and the code, so they do not depend on the
 * order of the table. */
#include "synth/world.h"
#include "base/alloc.h"
#include "base/csv.h"
#include "base/date.h"
#include "synth/draw.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TABLE = 64 * 1024 * 1024, N_FILES = 5 };
enum { PROVIDERS, SITES, COMMISSIONERS, PRACTICES, PLACES };

const char *const hd_effect_names[HD_N_EFFECTS] = {
    "emergency_readmission", "over_four_hours",      "left_before_treatment",
    "emergency_caesarean",   "missed_appointment",   "follow_up",
    "stay_after_elective",   "stay_after_emergency", "day_case",
    "usual_residence",       "weekend_discharge",    "death_in_hospital",
};

/* The two outliers: which of the acute trusts that go on unchanged, in what, by how much. */
static const struct {
    size_t acute;
    hd_effect effect;
    double factor;
} planted[] = {
    {3, HD_EFFECT_READMISSION, 1.8},
    {10, HD_EFFECT_BREACH, 2.6},
};

static const char *const group_names[HD_N_UNIT_GROUPS] = {"acute", "specialist", "community",
                                                          "mental_health"};

/* What a table must have; the first column is its key. */
static const struct {
    const char *name;
    const char *columns[11];
} wanted[N_FILES] = {
    {"providers.csv",
     {"code", "name", "type", "region", "icb", "peer_group", "opened", "closed", "successor",
      "succeeded_on"}},
    {"sites.csv", {"code", "name", "provider"}},
    {"commissioners.csv", {"code", "name", "icb", "region"}},
    {"practices.csv", {"code", "name", "ccg"}},
    {"places.csv", {"code", "name", "ccg", "imd_rank", "imd_decile", "rural_urban"}},
};

struct hd_world_files {
    hd_csv t[N_FILES];
    char path[N_FILES][PATH_MAX];
};

static const char *cell(const hd_world *w, int file, size_t row, const char *column)
{
    const hd_csv *t = &w->files_->t[file];
    return hd_csv_cell(t, row, hd_csv_column(t, column));
}

static hd_code bad_row(const hd_world *w, int file, size_t row, const char *what, hd_err *err)
{
    return hd_fail(err, HD_FORMAT, "%s, line %zu: %s", w->files_->path[file],
                   w->files_->t[file].lines[row], what);
}

static hd_code read_tables(hd_world *w, const char *folder, hd_err *err)
{
    for (int f = 0; f < N_FILES; f++) {
        char *path = w->files_->path[f];
        if ((size_t)snprintf(path, PATH_MAX, "%s/%s", folder, wanted[f].name) >= PATH_MAX)
            return hd_fail(err, HD_LIMIT, "the path of %s is too long", wanted[f].name);
        HD_TRY(hd_csv_read_file(&w->files_->t[f], path, MAX_TABLE, err));
        const hd_csv *t = &w->files_->t[f];
        for (const char *const *c = wanted[f].columns; *c; c++)
            if (hd_csv_column(t, *c) < 0)
                return hd_fail(err, HD_FORMAT, "%s has no column %s", path, *c);
        if (t->n_rows == 0)
            return hd_fail(err, HD_FORMAT, "%s has no rows", path);
    }
    return HD_OK;
}

/* Copy a code into its fixed place. */
static hd_code take_code(const hd_world *w, int file, size_t row, size_t max, char *out,
                         hd_err *err)
{
    const char *code = cell(w, file, row, "code");
    size_t len = strlen(code);
    if (len < 1 || len > max)
        return bad_row(w, file, row, "the code is empty or too long", err);
    memcpy(out, code, len + 1);
    return HD_OK;
}

static int find_unit(const hd_world *w, const char *code)
{
    for (size_t i = 0; i < w->n_units; i++)
        if (strcmp(w->units[i].code, code) == 0)
            return (int)i;
    return -1;
}

static int find_ccg(const hd_world *w, const char *code)
{
    for (size_t i = 0; i < w->n_ccgs; i++)
        if (strcmp(w->ccgs[i].code, code) == 0)
            return (int)i;
    return -1;
}

static void draw_effects(hd_unit *u, uint64_t seed)
{
    uint64_t name = 0;
    for (const char *p = u->code; *p; p++)
        name = name * 131 + (unsigned char)*p;
    hd_rng r = hd_rng_stream(seed, UINT64_C(0x5eed000000000000) + name);
    for (int e = 0; e < HD_N_EFFECTS; e++)
        u->effect[e] = exp(0.10 * draw_normal(&r));
}

static hd_code take_provider(hd_world *w, size_t row, uint64_t seed, hd_err *err)
{
    hd_unit *u = &w->units[w->n_units];
    *u = (hd_unit){.successor = -1, .succeeded_on = HD_DATE_NONE, .final = (int)w->n_units};
    HD_TRY(take_code(w, PROVIDERS, row, 5, u->code, err));
    snprintf(u->procode5, sizeof u->procode5, "%.3s%s", u->code,
             strlen(u->code) == 3 ? "00" : u->code + 3);
    u->type = cell(w, PROVIDERS, row, "type");
    u->icb = cell(w, PROVIDERS, row, "icb");
    u->region = cell(w, PROVIDERS, row, "region");
    const char *group = cell(w, PROVIDERS, row, "peer_group");
    int g = 0;
    while (g < HD_N_UNIT_GROUPS && strcmp(group, group_names[g]) != 0)
        g++;
    if (g == HD_N_UNIT_GROUPS)
        return bad_row(w, PROVIDERS, row,
                       "peer_group must be acute, specialist, community or mental_health", err);
    u->group = (hd_unit_group)g;
    if (find_unit(w, u->code) >= 0)
        return bad_row(w, PROVIDERS, row, "the code is there twice", err);
    draw_effects(u, seed);
    w->n_units++;
    return HD_OK;
}

/* Successors, once all units are known; a chain must end. */
static hd_code link_successors(hd_world *w, hd_err *err)
{
    for (size_t i = 0; i < w->n_units; i++) {
        const char *successor = cell(w, PROVIDERS, i, "successor");
        const char *on = cell(w, PROVIDERS, i, "succeeded_on");
        if (*successor == '\0')
            continue;
        w->units[i].successor = find_unit(w, successor);
        w->units[i].succeeded_on = hd_date_parse(on, strlen(on));
        if (w->units[i].successor < 0)
            return bad_row(w, PROVIDERS, i, "the successor is no provider of this table", err);
        if (w->units[i].succeeded_on == HD_DATE_NONE)
            return bad_row(w, PROVIDERS, i, "succeeded_on is no date", err);
    }
    for (size_t i = 0; i < w->n_units; i++) {
        int at = (int)i;
        for (size_t steps = 0; w->units[at].successor >= 0; steps++) {
            if (steps > w->n_units)
                return bad_row(w, PROVIDERS, i, "the successions go in a circle", err);
            at = w->units[at].successor;
        }
        w->units[i].final = at;
    }
    return HD_OK;
}

static void plant_outliers(hd_world *w)
{
    for (size_t k = 0; k < sizeof planted / sizeof *planted; k++) {
        size_t n = 0;
        for (size_t i = 0; i < w->n_units; i++) {
            bool merged = w->units[i].final != (int)i;
            for (size_t j = 0; j < w->n_units; j++)
                merged |= j != i && w->units[j].final == (int)i;
            if (w->units[i].group != HD_UNIT_ACUTE || merged || n++ != planted[k].acute)
                continue;
            w->units[i].effect[planted[k].effect] = planted[k].factor;
            w->units[i].is_planted[planted[k].effect] = true;
        }
    }
}

static hd_code take_sites(hd_world *w, hd_err *err)
{
    const hd_csv *t = &w->files_->t[SITES];
    for (size_t u = 0; u < w->n_units; u++) {
        w->units[u].first_site = w->n_sites;
        for (size_t row = 0; row < t->n_rows; row++) {
            if (strcmp(cell(w, SITES, row, "provider"), w->units[u].code) != 0)
                continue;
            w->sites[w->n_sites].unit = (int)u;
            HD_TRY(take_code(w, SITES, row, 7, w->sites[w->n_sites].code, err));
            w->n_sites++;
        }
        w->units[u].n_sites = w->n_sites - w->units[u].first_site;
        if (w->units[u].n_sites == 0)
            return hd_fail(err, HD_FORMAT, "%s has no site of provider %s", w->files_->path[SITES],
                           w->units[u].code);
    }
    return HD_OK;
}

/* How likely a unit treats someone of a CCG, before the choice among units of its group. */
static double nearness(const hd_unit *u, const hd_ccg *c, hd_unit_group group)
{
    if (u->group != group)
        return 0;
    if (group != HD_UNIT_ACUTE)
        return strcmp(u->icb, c->icb) == 0 ? 8 : strcmp(u->region, c->region) == 0 ? 4 : 1;
    return strcmp(u->icb, c->icb) == 0 ? 20 : strcmp(u->region, c->region) == 0 ? 2 : 0.1;
}

static hd_code take_commissioners(hd_world *w, hd_err *err)
{
    const hd_csv *t = &w->files_->t[COMMISSIONERS];
    for (size_t row = 0; row < t->n_rows; row++) {
        hd_ccg *c = &w->ccgs[w->n_ccgs++];
        HD_TRY(take_code(w, COMMISSIONERS, row, 5, c->code, err));
        c->icb = cell(w, COMMISSIONERS, row, "icb");
        c->region = cell(w, COMMISSIONERS, row, "region");
        for (int g = 0; g < HD_N_UNIT_GROUPS; g++) {
            c->weights[g] = hd_calloc(w->n_units, sizeof(double));
            if (!c->weights[g])
                return hd_fail_nomem(err);
            double sum = 0;
            for (size_t u = 0; u < w->n_units; u++)
                c->weights[g][u] = sum += nearness(&w->units[u], c, (hd_unit_group)g);
            if (sum <= 0)
                return hd_fail(err, HD_FORMAT, "%s has no provider of peer group %s",
                               w->files_->path[PROVIDERS], group_names[g]);
        }
    }
    return HD_OK;
}

static hd_code take_practices(hd_world *w, hd_err *err)
{
    const hd_csv *t = &w->files_->t[PRACTICES];
    for (size_t c = 0; c < w->n_ccgs; c++) {
        w->ccgs[c].first_practice = w->n_practices;
        for (size_t row = 0; row < t->n_rows; row++) {
            if (strcmp(cell(w, PRACTICES, row, "ccg"), w->ccgs[c].code) != 0)
                continue;
            w->practices[w->n_practices].ccg = (int)c;
            HD_TRY(take_code(w, PRACTICES, row, 7, w->practices[w->n_practices].code, err));
            w->n_practices++;
        }
        w->ccgs[c].n_practices = w->n_practices - w->ccgs[c].first_practice;
        if (w->ccgs[c].n_practices == 0)
            return hd_fail(err, HD_FORMAT, "%s has no practice of commissioner %s",
                           w->files_->path[PRACTICES], w->ccgs[c].code);
    }
    return HD_OK;
}

static hd_code take_places(hd_world *w, hd_err *err)
{
    const hd_csv *t = &w->files_->t[PLACES];
    for (size_t row = 0; row < t->n_rows; row++) {
        hd_place *p = &w->places[w->n_places++];
        p->code = cell(w, PLACES, row, "code");
        p->ccg = find_ccg(w, cell(w, PLACES, row, "ccg"));
        p->imd_rank = (int32_t)strtol(cell(w, PLACES, row, "imd_rank"), NULL, 10);
        p->imd_decile = (int32_t)strtol(cell(w, PLACES, row, "imd_decile"), NULL, 10);
        p->rural_urban = (int32_t)strtol(cell(w, PLACES, row, "rural_urban"), NULL, 10);
        if (p->ccg < 0)
            return bad_row(w, PLACES, row, "the ccg is no commissioner", err);
        if (strlen(p->code) != 9 || p->imd_rank < 1 || p->imd_decile < 1 || p->imd_decile > 10)
            return bad_row(w, PLACES, row, "code, imd_rank or imd_decile is not in range", err);
    }
    return HD_OK;
}

hd_code hd_world_open(hd_world *w, const char *folder, uint64_t seed, hd_err *err)
{
    *w = (hd_world){0};
    hd_code rc = HD_OK;
    w->files_ = hd_calloc(1, sizeof *w->files_);
    if (!w->files_)
        return hd_fail_nomem(err);
    HD_GO(read_tables(w, folder, err));
    const hd_csv *t = w->files_->t;
    w->units = hd_calloc(t[PROVIDERS].n_rows, sizeof *w->units);
    w->sites = hd_calloc(t[SITES].n_rows, sizeof *w->sites);
    w->ccgs = hd_calloc(t[COMMISSIONERS].n_rows, sizeof *w->ccgs);
    w->practices = hd_calloc(t[PRACTICES].n_rows, sizeof *w->practices);
    w->places = hd_calloc(t[PLACES].n_rows, sizeof *w->places);
    if (!w->units || !w->sites || !w->ccgs || !w->practices || !w->places) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t row = 0; row < t[PROVIDERS].n_rows; row++)
        HD_GO(take_provider(w, row, seed, err));
    HD_GO(link_successors(w, err));
    plant_outliers(w);
    HD_GO(take_sites(w, err));
    HD_GO(take_commissioners(w, err));
    HD_GO(take_practices(w, err));
    HD_GO(take_places(w, err));
out:
    if (rc != HD_OK)
        hd_world_close(w);
    return rc;
}

void hd_world_close(hd_world *w)
{
    for (size_t c = 0; c < w->n_ccgs; c++)
        for (int g = 0; g < HD_N_UNIT_GROUPS; g++)
            hd_free(w->ccgs[c].weights[g]);
    for (int f = 0; w->files_ && f < N_FILES; f++)
        hd_csv_free(&w->files_->t[f]);
    hd_free(w->units);
    hd_free(w->sites);
    hd_free(w->ccgs);
    hd_free(w->practices);
    hd_free(w->places);
    hd_free(w->files_);
    *w = (hd_world){0};
}

int hd_world_choose(const hd_world *w, int ccg, hd_unit_group group, hd_rng *r)
{
    return (int)draw_running(r, w->ccgs[ccg].weights[group], w->n_units);
}

int hd_world_unit_on(const hd_world *w, int unit, int32_t date)
{
    while (w->units[unit].successor >= 0 && date >= w->units[unit].succeeded_on)
        unit = w->units[unit].successor;
    return unit;
}
