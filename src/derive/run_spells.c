/* run_spells.c - the derivations provider_spell and continuous_spell: rows of the source decoded to
 * episodes, spells.c, rows out. Code lists are data: the conditions below and the parameters of the
 * catalogue (doc/methods.md). */
#include <string.h>

#include "base/alloc.h"
#include "base/progress.h"
#include "derive/codes.h"
#include "derive/derivation.h"
#include "derive/spells.h"

typedef struct reader {
    hd_flags flags;
    hd_numbers epistart, epiend, epiorder, admidate, disdate;
    hd_source_column provider;
    hd_person person;
    uint64_t *rows; /* of the group that is put */
    size_t n_rows, rows_cap;
} reader;

static void reader_free(reader *r)
{
    hd_flags_free(&r->flags);
    hd_numbers *const numbers[] = {&r->epistart, &r->epiend, &r->epiorder, &r->admidate,
                                   &r->disdate};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        hd_numbers_free(numbers[i]);
    hd_person_free(&r->person);
    hd_free(r->rows);
    *r = (reader){0};
}

static hd_code reader_open(reader *r, hd_source *s, const hd_condition *conditions, size_t n,
                           hd_err *err)
{
    *r = (reader){0};
    HD_TRY(hd_flags_new(&r->flags, s, conditions, n, err));
    HD_TRY(hd_dates_new(&r->epistart, s, "epistart", err));
    HD_TRY(hd_dates_new(&r->epiend, s, "epiend", err));
    HD_TRY(hd_numbers_new(&r->epiorder, s, "epiorder", err));
    HD_TRY(hd_dates_new(&r->admidate, s, "admidate", err));
    HD_TRY(hd_dates_new(&r->disdate, s, "disdate", err));
    return hd_source_load(s, "procode3", &r->provider, err);
}

/* Decode the valid episodes among these rows: "Provider spells", what enters, and rule 1. */
static hd_code read_episodes(reader *r, uint64_t begin, uint64_t end, hd_err *err)
{
    hd_person *p = &r->person;
    p->n_episodes = 0;
    for (uint64_t row = begin; row < end; row++) {
        hd_episode e = {
            .row = row,
            .epistart = hd_number_at(&r->epistart, row),
            .epiend = hd_number_at(&r->epiend, row),
            .epiorder = hd_number_at(&r->epiorder, row),
            .admidate = hd_number_at(&r->admidate, row),
            .disdate = hd_number_at(&r->disdate, row),
            .provider = r->provider.column ? hd_code_at(r->provider.column, row) : 0,
            .flags = hd_flags_of(&r->flags, row),
        };
        if (!(e.flags & HD_EP_VALID) || e.epistart == HD_DATE_NONE || e.epiend == HD_DATE_NONE ||
            e.provider == 0)
            continue;
        if (e.admidate == HD_DATE_NONE && e.epiorder == 1)
            e.admidate = e.epistart;
        if (e.epiorder == HD_NUMBER_NONE)
            e.epiorder = INT32_MAX; /* NULL last */
        if (!HD_GROW(p->episodes, p->n_episodes, p->episodes_cap))
            return hd_fail_nomem(err);
        p->episodes[p->n_episodes++] = e;
    }
    return hd_person_spells(p, err);
}

/* Append the rows of a spell to the group. */
static hd_code add_rows(reader *r, const hd_spell *spell, hd_err *err)
{
    for (size_t i = 0; i < spell->n; i++) {
        if (!HD_GROW(r->rows, r->n_rows, r->rows_cap))
            return hd_fail_nomem(err);
        r->rows[r->n_rows++] = r->person.episodes[spell->first + i].row;
    }
    return HD_OK;
}

/* ---- both: dates of a stay ------------------------------------------------------------------ */

enum { ADMIDATE, DISDATE, LENGTH, N_EPISODES, FINISHED, N_SPELLS, NEXT, CANCER, MATERNITY, MENTAL };

#define COMPUTED_OF_A_STAY                                                                         \
    [ADMIDATE] = {"admidate", HD_DATE, NULL}, [DISDATE] = {"disdate", HD_DATE, NULL},              \
    [LENGTH] = {"length_of_stay", HD_INTEGER, NULL},                                               \
    [N_EPISODES] = {"n_episodes", HD_INTEGER, NULL},                                               \
    [FINISHED] = {"is_finished", HD_INTEGER, NULL}

static void compute_stay(int64_t *values, const hd_spell *s, size_t n_episodes)
{
    values[ADMIDATE] = s->admidate;
    values[DISDATE] = s->is_finished ? s->end : HD_COMPUTED_NONE;
    values[LENGTH] = s->is_finished && s->end >= s->admidate
                         ? (int64_t)s->end - s->admidate
                         : HD_COMPUTED_NONE;
    values[N_EPISODES] = (int64_t)n_episodes;
    values[FINISHED] = s->is_finished;
}

#define CONDITIONS_OF_A_SPELL                                                                      \
    {HD_EP_VALID, "epistat", "3"}, {HD_EP_ENDED, "dismeth", "1-7"},                                \
        {HD_EP_NOT_ENDED, "dismeth", "8 9"}, {HD_EP_IN, "admisorc", "51-53"},                      \
        {HD_EP_IN, "admimeth", "2B 81"}, {HD_EP_OUT, "disdest", "51-53"}

/* ---- provider_spell ------------------------------------------------------------------------- */

static hd_code put_spells(reader *r, uint32_t person, hd_output *out, hd_err *err)
{
    int64_t values[FINISHED + 1];
    hd_person_sort_spells(&r->person);
    for (size_t i = 0; i < r->person.n_spells; i++) {
        const hd_spell *s = &r->person.spells[i];
        r->n_rows = 0;
        HD_TRY(add_rows(r, s, err));
        compute_stay(values, s, s->n);
        HD_TRY(hd_output_put(out, person, r->rows, r->n_rows, values, err));
    }
    return HD_OK;
}

static hd_code run_provider_spell(const hd_table_def *def, hd_source *s, hd_output *out,
                                  hd_err *err)
{
    static const hd_condition conditions[] = {CONDITIONS_OF_A_SPELL};
    reader r;
    hd_progress progress;
    hd_progress_begin(&progress, def->name, s->n_rows);
    hd_code rc;
    HD_GO(reader_open(&r, s, conditions, sizeof conditions / sizeof *conditions, err));
    for (uint64_t begin = 0, end; begin < s->n_rows; begin = end) {
        end = hd_source_run_end(s, begin);
        HD_GO(read_episodes(&r, begin, end, err));
        HD_GO(put_spells(&r, s->persons[begin], out, err));
        if (begin >> 13 != end >> 13) /* not once a person: it asks for the time */
            hd_progress_at(&progress, end);
    }
out:
    hd_progress_end(&progress);
    reader_free(&r);
    return rc;
}

static const hd_computed spell_computed[] = {COMPUTED_OF_A_STAY};
static const char *const no_parameters[] = {NULL};

const hd_derivation hd_provider_spell = {
    "provider_spell", no_parameters, spell_computed, FINISHED + 1, run_provider_spell};

/* ---- continuous_spell ----------------------------------------------------------------------- */

enum { P_GAP, P_TO, P_FROM, P_BY, P_NOT, P_CLASS, P_VARIANT, N_PARAMETERS };
static const char *const continuous_parameters[] = {
    [P_GAP] = "max_gap_days",  [P_TO] = "discharged_to",  [P_FROM] = "admitted_from",
    [P_BY] = "admitted_by",    [P_NOT] = "not_continued", [P_CLASS] = "left_out_classpat",
    [P_VARIANT] = "variant",   [N_PARAMETERS] = NULL};
/* What each is in the variants A and B: the table of doc/methods.md. */
static const char *const variants[2][P_VARIANT] = {
    {[P_GAP] = "3", [P_TO] = "51-53", [P_FROM] = "51-53", [P_BY] = "2B 67 81", [P_NOT] = "",
     [P_CLASS] = ""},
    {[P_GAP] = "2", [P_TO] = "49-53 84", [P_FROM] = "49-53 87", [P_BY] = "2B 81",
     [P_NOT] = "19 51 21", [P_CLASS] = "3 4"},
};

typedef struct continuous {
    const char *lists[P_VARIANT];
    int32_t max_gap_days;
    char never[64];           /* not_continued, cut in three */
    const char *never_to, *never_from, *never_by;
} continuous;

static hd_code read_parameters(continuous *c, const hd_table_def *def, hd_err *err)
{
    const char *variant = hd_table_def_parameter(def, continuous_parameters[P_VARIANT], "B");
    if (strcmp(variant, "A") != 0 && strcmp(variant, "B") != 0)
        return hd_fail(err, HD_FORMAT, "table %s: variant must be A or B", def->name);
    const char *const *fallback = variants[variant[0] - 'A'];
    for (size_t i = 0; i < P_VARIANT; i++)
        c->lists[i] = hd_table_def_parameter(def, continuous_parameters[i], fallback[i]);
    HD_TRY(hd_derivation_days(def, continuous_parameters[P_GAP], fallback[P_GAP],
                              &c->max_gap_days, err));
    c->never_to = c->never_from = c->never_by = "";
    size_t len = strlen(c->lists[P_NOT]);
    if (len == 0)
        return HD_OK;
    if (len < sizeof c->never) {
        memcpy(c->never, c->lists[P_NOT], len + 1);
        char *rest = c->never;
        c->never_to = strsep(&rest, " ");
        c->never_from = rest ? strsep(&rest, " ") : NULL;
        c->never_by = rest;
    }
    if (len >= sizeof c->never || !c->never_by || !*c->never_by || strchr(c->never_by, ' '))
        return hd_fail(err, HD_FORMAT,
                       "table %s: parameter not_continued must be empty or three codes "
                       "(DISDEST, ADMISORC, ADMIMETH) with one blank between", def->name);
    return HD_OK;
}

static hd_code put_stays(reader *r, uint32_t person, hd_output *out, hd_err *err)
{
    const hd_person *p = &r->person;
    int64_t values[MENTAL + 1];
    for (size_t i = 0; i < p->n_stays; i++) {
        const hd_spell *stay = &p->stays[i];
        uint32_t any = 0, every = UINT32_MAX;
        r->n_rows = 0;
        for (size_t k = 0; k < stay->n; k++) {
            const hd_spell *s = &p->spells[stay->first + k];
            HD_TRY(add_rows(r, s, err));
            for (size_t e = 0; e < s->n; e++) {
                any |= p->episodes[s->first + e].flags;
                every &= p->episodes[s->first + e].flags;
            }
        }
        compute_stay(values, stay, r->n_rows);
        int32_t next = hd_person_next_emergency(p, i);
        values[N_SPELLS] = (int64_t)stay->n;
        values[NEXT] = next == HD_DATE_NONE ? HD_COMPUTED_NONE : next;
        values[CANCER] = (any & HD_EP_CANCER) != 0;
        values[MATERNITY] = (any & HD_EP_OBSTETRIC) || !(every & HD_EP_GENERAL);
        values[MENTAL] = (any & HD_EP_MENTAL) != 0;
        HD_TRY(hd_output_put(out, person, r->rows, r->n_rows, values, err));
    }
    return HD_OK;
}

static hd_code run_continuous_spell(const hd_table_def *def, hd_source *s, hd_output *out,
                                    hd_err *err)
{
    reader r = {0};
    continuous c = {0};
    hd_progress progress;
    hd_progress_begin(&progress, def->name, s->n_rows);
    hd_code rc;
    HD_GO(read_parameters(&c, def, err));
    const hd_condition conditions[] = {
        CONDITIONS_OF_A_SPELL,
        {HD_EP_DISCHARGED_TO, "disdest", c.lists[P_TO]},
        {HD_EP_ADMITTED_FROM, "admisorc", c.lists[P_FROM]},
        {HD_EP_ADMITTED_BY, "admimeth", c.lists[P_BY]},
        {HD_EP_NOT_TO, "disdest", c.never_to},
        {HD_EP_NOT_FROM, "admisorc", c.never_from},
        {HD_EP_NOT_BY, "admimeth", c.never_by},
        {HD_EP_LEFT_OUT, "classpat", c.lists[P_CLASS]},
        {HD_EP_ORDINARY, "classpat", "1"},
        {HD_EP_EMERGENCY, "admimeth", "2"},
        {HD_EP_CANCER, "diagnosis", "C00-C97 D37-D48 Z511"},
        {HD_EP_GENERAL, "epitype", "1"},
        {HD_EP_OBSTETRIC, "mainspef", "501 560 610"},
        {HD_EP_MENTAL, "mainspef", "700-715"},
    };
    HD_GO(reader_open(&r, s, conditions, sizeof conditions / sizeof *conditions, err));
    for (uint64_t begin = 0, end; begin < s->n_rows; begin = end) {
        end = hd_source_run_end(s, begin);
        HD_GO(read_episodes(&r, begin, end, err));
        HD_GO(hd_person_stays(&r.person, c.max_gap_days, err));
        HD_GO(put_stays(&r, s->persons[begin], out, err));
        if (begin >> 13 != end >> 13) /* not once a person: it asks for the time */
            hd_progress_at(&progress, end);
    }
out:
    hd_progress_end(&progress);
    reader_free(&r);
    return rc;
}

static const hd_computed continuous_computed[] = {
    COMPUTED_OF_A_STAY,
    [N_SPELLS] = {"n_provider_spells", HD_INTEGER, NULL},
    [NEXT] = {"days_to_next_emergency_admission", HD_INTEGER, NULL},
    [CANCER] = {"has_cancer", HD_INTEGER, NULL},
    [MATERNITY] = {"is_maternity", HD_INTEGER, NULL},
    [MENTAL] = {"is_mental_health", HD_INTEGER, NULL},
};

const hd_derivation hd_continuous_spell = {"continuous_spell", continuous_parameters,
                                           continuous_computed, MENTAL + 1, run_continuous_spell};
