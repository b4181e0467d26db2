/* life.c - who a person is, and the loop over what is planned for them. See life.h.
 *
 * Plans are taken in order of date; taking one may add others. Waiting times are exponential with
 * a rate for the age of the day, drawn anew at least once a year; seasons come by thinning.
 */
#include "synth/life.h"
#include "synth/draw.h"

#include <string.h>

enum {
    RUN_IN_DAYS =
        700, /* simulated before the first day, so that the first month is like the others */
    A_YEAR = 365
};

/* Rates a year by age; the last group has no end. */
static const struct {
    int until;
    double attend, referred, death; /* death: outside hospital */
} rates[] = {
    {1, 0.60, 0.42, 0.0015},  {5, 0.50, 0.24, 0.0001},  {15, 0.27, 0.20, 0.0001},
    {25, 0.37, 0.26, 0.0003}, {45, 0.29, 0.31, 0.0006}, {65, 0.23, 0.40, 0.0020},
    {75, 0.27, 0.56, 0.0070}, {85, 0.42, 0.68, 0.0220}, {200, 0.66, 0.58, 0.0750},
};
enum { N_RATES = sizeof rates / sizeof *rates };

static const struct {
    double share;
    int from, to;
} ages[] = {{0.063, 0, 4},   {0.059, 5, 9},   {0.054, 10, 14}, {0.060, 15, 19}, {0.067, 20, 24},
            {0.069, 25, 29}, {0.068, 30, 34}, {0.064, 35, 39}, {0.069, 40, 44}, {0.072, 45, 49},
            {0.067, 50, 54}, {0.058, 55, 59}, {0.054, 60, 64}, {0.055, 65, 69}, {0.040, 70, 74},
            {0.033, 75, 79}, {0.024, 80, 84}, {0.015, 85, 89}, {0.009, 90, 101}};
enum { N_AGES = sizeof ages / sizeof *ages };

static const struct {
    const char *code;
    double town, country;
} ethnicities[] = {{"A", 74, 93},   {"B", 1, 0.6},   {"C", 4.5, 3},   {"D", 0.8, 0.2},
                   {"E", 0.4, 0.1}, {"F", 0.7, 0.2}, {"G", 0.6, 0.2}, {"H", 3.2, 0.4},
                   {"J", 2.6, 0.2}, {"K", 1, 0.1},   {"L", 2, 0.3},   {"M", 1.4, 0.1},
                   {"N", 2.4, 0.2}, {"P", 0.7, 0.1}, {"R", 0.9, 0.3}, {"S", 1.8, 0.5}};
enum { N_ETHNICITIES = sizeof ethnicities / sizeof *ethnicities };

double hd_life_age(const hd_life *l, int32_t date)
{
    return (date - l->birth) / 365.25;
}

hd_age_group hd_life_age_group(const hd_life *l, int32_t date)
{
    double age = hd_life_age(l, date);
    return age < 1    ? HD_AGE_INFANT
           : age < 18 ? HD_AGE_CHILD
           : age < 45 ? HD_AGE_YOUNG
           : age < 65 ? HD_AGE_MIDDLE
                      : HD_AGE_OLD;
}

double hd_season(int32_t date)
{
    return 1 + 0.13 * cos(6.283185307179586 * (date - 15) / 365.2425);
}

void hd_life_plan(hd_life *l, hd_plan plan)
{
    if (l->n_plans < HD_MAX_PLANS && plan.date <= l->chunk->last_day)
        l->plans[l->n_plans++] = plan;
}

bool hd_life_is_in_hospital(const hd_life *l, int32_t date)
{
    return date >= l->in_hospital_from && date <= l->in_hospital_until;
}

static size_t rate_of(const hd_life *l, int32_t date)
{
    double age = hd_life_age(l, date);
    size_t i = 0;
    while (i + 1 < N_RATES && age >= rates[i].until)
        i++;
    return i;
}

/* Between 1.45 in the most deprived tenth and 0.72 in the least. */
static double deprivation(const hd_life *l)
{
    return 1.53 - 0.081 * l->place->imd_decile;
}

/* Plan the next of a kind, at so many a year from a day. */
static void plan_next(hd_life *l, hd_plan_kind kind, int32_t from, double rate)
{
    double days = draw_exponential(&l->r, A_YEAR / rate);
    bool later = days > A_YEAR;
    hd_life_plan(l, (hd_plan){.kind = kind,
                              .date = from + (later ? A_YEAR : (int32_t)days + 1),
                              .is_redraw = later});
}

static double rate_of_kind(const hd_life *l, hd_plan_kind kind, int32_t date)
{
    size_t i = rate_of(l, date);
    double growth = 1 + 0.03 * (date - l->chunk->first_day) / A_YEAR; /* demand rises */
    switch (kind) {
    case HD_PLAN_ILLNESS: /* as often as in winter; summer is thinned */
        return rates[i].attend * l->frailty * deprivation(l) * 1.13 * growth;
    case HD_PLAN_REFERRAL:
        return 1.5 * growth * rates[i].referred * (0.4 + 0.6 * l->frailty) *
               (l->is_female ? 1.1 : 0.9);
    default: /* HD_PLAN_DEATH */
        return rates[i].death * l->frailty * (l->is_female ? 0.85 : 1.15);
    }
}

static void plan_kind(hd_life *l, hd_plan_kind kind, int32_t from)
{
    plan_next(l, kind, from, rate_of_kind(l, kind, from));
}

static void choose_place(hd_life *l)
{
    const hd_world *w = l->chunk->world;
    l->place = &w->places[hd_rng_below(&l->r, (uint32_t)w->n_places)];
    int ccg = l->place->ccg;
    if (draw_chance(&l->r, 0.04)) /* registered elsewhere */
        ccg = (int)hd_rng_below(&l->r, (uint32_t)w->n_ccgs);
    const hd_ccg *c = &w->ccgs[ccg];
    l->practice = &w->practices[c->first_practice + hd_rng_below(&l->r, (uint32_t)c->n_practices)];
    l->home = hd_world_choose(w, l->place->ccg, HD_UNIT_ACUTE, &l->r);
}

static void choose_ethnicity(hd_life *l)
{
    double weights[N_ETHNICITIES];
    for (size_t i = 0; i < N_ETHNICITIES; i++)
        weights[i] = l->place->rural_urban >= 6 ? ethnicities[i].country : ethnicities[i].town;
    l->ethnos = hd_code8_of(ethnicities[draw_weighted(&l->r, weights, N_ETHNICITIES)].code);
}

static void choose_conditions(hd_life *l, int32_t date)
{
    hd_age_group g = hd_life_age_group(l, date);
    for (int i = 0; i < HD_N_CONDITIONS; i++) {
        double worse = (10 - l->place->imd_decile) / 9.0;
        double p = hd_conditions[i].share[g] * (1 + (hd_conditions[i].deprivation - 1) * worse);
        if (draw_chance(&l->r, p < 0.9 ? p : 0.9))
            l->conditions |= 1u << i;
    }
    l->frailty = exp(0.75 * draw_normal(&l->r) - 0.28);
    l->frailty *= 1 + 0.13 * __builtin_popcount(l->conditions);
}

/* Tokens of different people differ: the first half is a one-to-one mix of the number. */
static void make_token(hd_life *l)
{
    hd_rng mix = {l->chunk->options->seed ^ UINT64_C(0x746f6b656e)};
    mix.state = hd_rng_next(&mix) + l->id;
    l->token[0] = hd_rng_next(&mix);
    l->token[1] = hd_rng_next(&mix);
}

static void begin(hd_life *l, hd_chunk *k, uint64_t id)
{
    *l = (hd_life){.chunk = k, .id = id};
    l->r = hd_rng_stream(k->options->seed, id);
    /* Its own stream for what only touches the look of a row: --dirty changes no life. */
    l->dirt = hd_rng_stream(~k->options->seed, id);
    l->in_hospital_from = l->in_hospital_until = l->last_admission = HD_DATE_NONE;
    l->last_regular = l->last_delivery = HD_DATE_NONE;
    make_token(l);
}

static void plan_life(hd_life *l, int32_t from)
{
    plan_kind(l, HD_PLAN_ILLNESS, from);
    plan_kind(l, HD_PLAN_REFERRAL, from);
    plan_kind(l, HD_PLAN_DEATH, from);
    if (l->conditions & HD_HAS_DIALYSIS)
        hd_life_plan(l, (hd_plan){.kind = HD_PLAN_DIALYSIS, .date = from + 1});
    if (l->is_female)
        hd_maternity_plan(l, from);
}

/* Take the plan that comes first. */
static bool take_plan(hd_life *l, hd_plan *out)
{
    if (l->n_plans == 0)
        return false;
    size_t best = 0;
    for (size_t i = 1; i < l->n_plans; i++)
        if (l->plans[i].date < l->plans[best].date)
            best = i;
    *out = l->plans[best];
    l->plans[best] = l->plans[--l->n_plans];
    return true;
}

static void illness(hd_life *l, const hd_plan *p)
{
    bool is_there =
        !hd_life_is_in_hospital(l, p->date) && draw_chance(&l->r, hd_season(p->date) / 1.13);
    if (!p->is_redraw && is_there)
        hd_emergency_visit(l, p);
    if (!l->is_dead)
        plan_kind(l, HD_PLAN_ILLNESS, p->date);
}

static void referral(hd_life *l, const hd_plan *p)
{
    plan_kind(l, HD_PLAN_REFERRAL, p->date);
    if (p->is_redraw)
        return;
    double weights[HD_MAX_CHOICES];
    hd_age_group g = hd_life_age_group(l, p->date);
    for (size_t i = 0; i < hd_n_clinics; i++)
        weights[i] = hd_clinics[i].weight[g];
    size_t clinic = draw_weighted(&l->r, weights, hd_n_clinics);
    hd_unit_group group = hd_clinics[clinic].tretspef[0] == '7' ? HD_UNIT_MENTAL_HEALTH
                          : draw_chance(&l->r, 0.05)            ? HD_UNIT_COMMUNITY
                          : draw_chance(&l->r, 0.04)            ? HD_UNIT_SPECIALIST
                                                                : HD_UNIT_ACUTE;
    int unit = group == HD_UNIT_ACUTE && draw_chance(&l->r, 0.85)
                   ? l->home
                   : hd_world_choose(l->chunk->world, l->place->ccg, group, &l->r);
    hd_clinic_referral(l, p->date, clinic, unit, draw_chance(&l->r, 0.15));
}

static void dialysis(hd_life *l, const hd_plan *p)
{
    if (!hd_life_is_in_hospital(l, p->date) && p->date != l->last_admission)
        hd_stay_regular(l, p->date);
    hd_life_plan(l, (hd_plan){.kind = HD_PLAN_DIALYSIS,
                              .date = p->date + (hd_date_weekday(p->date) == 4 ? 3 : 2)});
}

static void follow(hd_life *l, const hd_plan *p)
{
    switch (p->kind) {
    case HD_PLAN_ILLNESS:
        illness(l, p);
        break;
    case HD_PLAN_READMISSION:
        if (!hd_life_is_in_hospital(l, p->date) || p->date == l->in_hospital_until)
            hd_emergency_visit(l, p);
        break;
    case HD_PLAN_REFERRAL:
        referral(l, p);
        break;
    case HD_PLAN_APPOINTMENT:
        hd_clinic_visit(l, p);
        break;
    case HD_PLAN_TREATMENT:
        hd_clinic_treatment(l, p);
        break;
    case HD_PLAN_DELIVERY:
        hd_maternity_delivery(l, p);
        break;
    case HD_PLAN_DIALYSIS:
        dialysis(l, p);
        break;
    case HD_PLAN_DEATH:
        if (p->is_redraw)
            plan_kind(l, HD_PLAN_DEATH, p->date);
        else if (!hd_life_is_in_hospital(l, p->date))
            l->is_dead = true; /* at home: no row says so */
        else
            plan_kind(l, HD_PLAN_DEATH, l->in_hospital_until);
        break;
    }
}

static void live(hd_life *l)
{
    hd_plan p;
    while (!l->is_dead && take_plan(l, &p)) {
        follow(l, &p);
    }
}

static void finish(hd_life *l)
{
    hd_chunk *k = l->chunk;
    hd_truth_person(k->truth, &l->rows);
    hd_err err;
    if (hd_truth_spells(k->truth, k->episodes, k->n_episodes, &err) != HD_OK)
        k->is_out_of_memory = true;
    k->n_episodes = 0;
}

static void live_child(hd_chunk *k, const hd_life *mother, size_t i)
{
    const hd_birth *b = &mother->births[i];
    hd_life baby;
    begin(&baby, k, k->options->people + mother->id * HD_MAX_BABIES + i);
    baby.birth = b->date;
    baby.is_female = b->is_female;
    baby.ethnos = mother->ethnos;
    baby.place = mother->place;
    baby.practice = mother->practice;
    baby.home = mother->home;
    choose_conditions(&baby, b->date);
    hd_maternity_birth(&baby, b);
    if (!b->is_still && !baby.is_dead) {
        plan_life(&baby, baby.in_hospital_until + 1);
        live(&baby);
    }
    finish(&baby);
}

void hd_life_run(hd_chunk *k, uint64_t person)
{
    hd_life l;
    begin(&l, k, person);
    double weights[N_AGES];
    for (size_t i = 0; i < N_AGES; i++)
        weights[i] = ages[i].share;
    size_t a = draw_weighted(&l.r, weights, N_AGES);
    int32_t start = k->first_day - RUN_IN_DAYS;
    double years = ages[a].from + hd_rng_unit(&l.r) * (ages[a].to - ages[a].from + 1);
    l.birth = start - (int32_t)(years * 365.25) - 1;
    l.is_female = draw_chance(&l.r, years < 70 ? 0.503 : 0.57);
    choose_place(&l);
    choose_ethnicity(&l);
    choose_conditions(&l, start);
    plan_life(&l, start);
    live(&l);
    finish(&l);
    for (size_t i = 0; i < l.n_births; i++)
        live_child(k, &l, i);
}
