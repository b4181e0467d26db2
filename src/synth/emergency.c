/* emergency.c - a visit to A&E: arrival, waiting, and the way home or into a bed. One visit gives a
 * HES A&E row and an ECDS row. Departures crowd just before the 240th minute, as they do. */
#include "synth/draw.h"
#include "synth/life.h"

#include <string.h>

enum { FOUR_HOURS = 240, LONGEST_VISIT = 1400, A_DAY = 1440 };

struct visit {
    int unit;
    int32_t date, arrived;                   /* minutes of the day */
    int32_t assessed, seen, concluded, left; /* minutes from arrival */
    const char *department, *disposal, *category;
    bool by_ambulance, is_admitted, is_severe;
    const hd_illness *illness;
    const hd_ailment *ailment;
    uint64_t aekey, epikey;
};

static const struct {
    const char *department;
    double share;
} departments[] = {{"01", 0.655}, {"02", 0.035}, {"03", 0.28}, {"04", 0.03}};

static int32_t draw_arrival(hd_rng *r)
{
    static const double by_hour[24] = {2.6, 2.1, 1.8, 1.6, 1.5, 1.6, 2.0, 3.0, 4.6, 5.8, 6.3, 6.2,
                                       5.9, 5.7, 5.6, 5.6, 5.7, 5.8, 5.8, 5.5, 5.0, 4.4, 3.7, 3.1};
    return 60 * (int32_t)draw_weighted(r, by_hour, 24) + draw_between(r, 0, 59);
}

static void choose_illness(hd_life *l, struct visit *v, hd_age_group g)
{
    double weights[HD_MAX_CHOICES];
    for (size_t i = 0; i < hd_n_illnesses; i++) {
        weights[i] = hd_illnesses[i].weight[g];
        if (l->conditions & hd_illnesses[i].condition)
            weights[i] *= 3;
    }
    v->illness = &hd_illnesses[draw_weighted(&l->r, weights, hd_n_illnesses)];
}

static void choose_ailment(hd_life *l, struct visit *v, hd_age_group g)
{
    double weights[HD_MAX_CHOICES];
    for (size_t i = 0; i < hd_n_ailments; i++)
        weights[i] = hd_ailments[i].weight[g];
    v->ailment = &hd_ailments[draw_weighted(&l->r, weights, hd_n_ailments)];
}

static double chance_of_bed(const hd_life *l, int32_t date)
{
    double age = hd_life_age(l, date);
    double p = age < 1    ? 0.28
               : age < 18 ? 0.13
               : age < 45 ? 0.18
               : age < 65 ? 0.30
               : age < 75 ? 0.46
                          : 0.62;
    p *= 0.75 + 0.25 * l->frailty;
    return p < 0.9 ? p : 0.9;
}

/* Minutes from arrival to departure in a major department. */
static int32_t draw_minutes(hd_life *l, const struct visit *v)
{
    const hd_unit *u = &l->chunk->world->units[v->unit];
    double season = hd_season(v->date);
    double years = (v->date - hd_date_from_ymd(2014, 4, 1)) / 365.25;
    double p = (v->is_admitted ? 0.16 : 0.045) * season * season * (1 + 0.12 * years);
    p = p < 0.02 ? 0.02 : p > 0.7 ? 0.7 : p;
    if (draw_odds(&l->r, p, u->effect[HD_EFFECT_BREACH])) {
        int32_t over = FOUR_HOURS + 1 + (int32_t)draw_exponential(&l->r, 80);
        return over < LONGEST_VISIT ? over : LONGEST_VISIT;
    }
    if (draw_chance(&l->r, v->is_admitted ? 0.45 : 0.17))
        return FOUR_HOURS - (int32_t)(26 * hd_rng_unit(&l->r) * hd_rng_unit(&l->r));
    double minutes = exp(4.75 + 0.5 * draw_normal(&l->r));
    return minutes > FOUR_HOURS ? draw_between(&l->r, 150, FOUR_HOURS)
                                : 8 + (int32_t)(minutes * 0.95);
}

static void draw_times(hd_life *l, struct visit *v)
{
    bool major = strcmp(v->department, "01") == 0;
    if (major) {
        v->left = draw_minutes(l, v);
    } else {
        double minutes = 10 + exp(4.0 + 0.55 * draw_normal(&l->r));
        v->left = minutes < 600 ? (int32_t)minutes : 600;
    }
    v->assessed = (int32_t)draw_exponential(&l->r, v->by_ambulance ? 6 : 14);
    v->seen = v->assessed + (int32_t)draw_exponential(&l->r, 45);
    if (v->assessed > v->left)
        v->assessed = v->left;
    if (v->seen > v->left)
        v->seen = v->left;
    v->concluded = v->seen + (int32_t)((v->left - v->seen) * (0.6 + 0.4 * hd_rng_unit(&l->r)));
}

static void choose_disposal(hd_life *l, struct visit *v)
{
    static const struct {
        const char *code;
        double share;
    } others[] = {{"02", 26}, {"03", 48}, {"04", 4},   {"05", 3},   {"06", 4},
                  {"07", 1},  {"11", 3},  {"13", 0.5}, {"14", 3.5}, {"99", 0.4}};
    enum { N = sizeof others / sizeof *others };
    const hd_unit *u = &l->chunk->world->units[v->unit];
    double weights[N], age = hd_life_age(l, v->date);
    v->disposal = "01";
    if (v->is_admitted)
        return;
    if (age > 50 && draw_chance(&l->r, 0.0004 * (age - 48))) {
        v->disposal = "10";
        l->is_dead = true;
        return;
    }
    if (draw_odds(&l->r, 0.034, u->effect[HD_EFFECT_LEFT])) {
        v->disposal = "12";
        return;
    }
    for (size_t i = 0; i < N; i++)
        weights[i] = others[i].share;
    v->disposal = others[draw_weighted(&l->r, weights, N)].code;
}

static void set_codes(const struct visit *v, hd_ae_row *row)
{
    const char *diag = v->illness ? v->illness->ae_diag : v->ailment->ae_diag;
    row->diag[0] = hd_code8_of(diag);
    row->diagscheme = hd_code8_of("01");
    row->sushrg = hd_code8_of(v->is_admitted ? "VB05Z" : v->ailment ? v->ailment->hrg : "VB07Z");
    row->invest[0] = hd_code8_of(v->is_admitted ? "05" : "24");
    if (v->is_admitted) {
        row->invest[1] = hd_code8_of("01");
        row->invest[2] = hd_code8_of(v->is_severe ? "12" : "02");
    }
    row->treat[0] = hd_code8_of(v->is_admitted ? "10" : "22");
}

static void write_ae(hd_life *l, const struct visit *v, int year, int named)
{
    hd_ae_row row;
    memset(&row, 0, sizeof row);
    hd_row_common_of(l, &row.c, v->unit, v->date, year);
    row.c.susrecid = hd_row_susrecid(l, HD_AE, l->n_keys[HD_AE]);
    row.aekey = v->aekey;
    row.epikey = v->epikey;
    row.rank_order = v->epikey ? 1 : HD_NONE;
    row.aekey_flag = 1;
    row.arrivaldate = v->date;
    row.arrivaltime = v->arrived;
    row.initdur = v->assessed;
    row.inittime = (v->arrived + v->assessed) % A_DAY;
    row.tretdur = v->seen;
    row.trettime = (v->arrived + v->seen) % A_DAY;
    row.concldur = v->concluded;
    row.concltime = (v->arrived + v->concluded) % A_DAY;
    row.depdur = v->left;
    row.deptime = (v->arrived + v->left) % A_DAY;
    if (strcmp(v->disposal, "12") == 0) {
        row.trettime = HD_CLOCK_MISSING;
        row.tretdur = HD_NONE;
    }
    if (hd_rng_below(&l->dirt, 25) == 0) { /* never recorded */
        row.concltime = HD_CLOCK_MISSING;
        row.concldur = HD_NONE;
    }
    if (hd_rng_below(&l->dirt, 60) == 0) {
        row.deptime = HD_CLOCK_MISSING;
        row.depdur = HD_NONE;
    }
    row.depttype = hd_code8_of(v->department);
    row.attendcat = hd_code8_of(v->category);
    row.exc_planned = row.attendcat.s[0] != '2';
    row.arrivalmode = hd_code8_of(v->by_ambulance ? "1" : "2");
    row.refsource = hd_code8_of(v->by_ambulance ? "03" : hd_rng_below(&l->dirt, 8) ? "01" : "00");
    row.patgroup = hd_code8_of(v->illness && v->illness->cause[0] == 'X' ? "30"
                               : hd_rng_below(&l->dirt, 4)               ? "80"
                                                                         : "60");
    row.incloctype = hd_code8_of(hd_rng_below(&l->dirt, 3) ? "10" : "40");
    row.attenddisp = hd_code8_of(v->disposal);
    set_codes(v, &row);
    hd_row_write(l, HD_AE, year, named, &row);
}

static const char *ecds_destination(const struct visit *v)
{
    if (v->is_admitted)
        return v->is_severe ? "1066391000000105" : "306706006";
    return strcmp(v->disposal, "10") == 0   ? "305398007"
           : strcmp(v->disposal, "07") == 0 ? "19712007"
                                            : "306689006";
}

static const char *ecds_status(const struct visit *v)
{
    return strcmp(v->disposal, "12") == 0   ? "1066321000000107"
           : strcmp(v->disposal, "02") == 0 ? "1077021000000100"
                                            : "182992009";
}

static void set_moment(const struct visit *v, int32_t minutes, int32_t *date, int32_t *clock)
{
    *date = v->date + (v->arrived + minutes) / A_DAY;
    *clock = (v->arrived + minutes) % A_DAY;
}

static void write_ecds(hd_life *l, const struct visit *v, int year, int named)
{
    static const char *const on_foot[] = {"1048071000000103", "1048061000000105",
                                          "1047991000000102", "1048001000000106"};
    hd_ecds_row row;
    memset(&row, 0, sizeof row);
    hd_row_common_of(l, &row.c, v->unit, v->date, year);
    row.epikey = v->epikey;
    if (row.c.age >= 7001)
        row.c.age = 0;
    set_moment(v, 0, &row.arrival_date, &row.arrival_time);
    set_moment(v, v->assessed, &row.assessment_date, &row.assessment_time);
    set_moment(v, v->seen, &row.seen_date, &row.seen_time);
    set_moment(v, v->concluded, &row.conclusion_date, &row.conclusion_time);
    set_moment(v, v->left, &row.departure_date, &row.departure_time);
    row.decided_date = row.decided_time = row.decided_minutes = HD_NONE;
    if (v->is_admitted) {
        set_moment(v, v->concluded, &row.decided_date, &row.decided_time);
        row.decided_minutes = v->concluded;
    }
    row.assessment_minutes = v->assessed;
    row.seen_minutes = v->seen;
    row.conclusion_minutes = v->concluded;
    row.departure_minutes = v->left;
    int d;
    hd_date_to_ymd(l->birth, &row.birth_year, &row.birth_month, &d);
    row.department_type = hd_code8_of(v->department);
    /* ECDS counts otherwise: 2 and 3 are unplanned follow-ups, 4 is the planned one. */
    row.attendance_category = hd_code8_of(v->category[0] == '2'   ? "4"
                                          : v->category[0] == '3' ? "2"
                                                                  : "1");
    row.hrg = hd_code8_of(v->is_admitted ? "VB05Z" : v->ailment ? v->ailment->hrg : "VB07Z");
    row.arrival_mode = v->by_ambulance ? "1048031000000100" : on_foot[hd_rng_below(&l->dirt, 4)];
    row.acuity = v->is_severe     ? "1064891000000107"
                 : v->is_admitted ? "1064911000000105"
                                  : "1077241000000103";
    row.chief_complaint = v->illness ? v->illness->complaint : v->ailment->complaint;
    row.diagnosis[0] = v->illness ? v->illness->snomed : v->ailment->snomed;
    row.investigation[0] = v->is_admitted ? "26604007" : "";
    row.investigation[1] = v->is_admitted ? "168537006" : "";
    row.discharge_status = ecds_status(v);
    row.discharge_destination = ecds_destination(v);
    hd_row_write(l, HD_ECDS, year, named, &row);
}

/* Into a bed, from A&E or past it. */
static hd_discharge admit(hd_life *l, struct visit *v, bool past_ae, int32_t date)
{
    const hd_illness *i = v->illness;
    hd_admission a = hd_admission_of(date, v->unit);
    bool mental = i->specialty[0] == '7';
    if (mental)
        a.unit = hd_world_choose(l->chunk->world, l->place->ccg, HD_UNIT_MENTAL_HEALTH, &l->r);
    double x = hd_rng_unit(&l->r);
    bool new_codes = hd_date_financial_year(date) >= 2013;
    a.admimeth = hd_code8_of(!past_ae    ? "21"
                             : mental    ? "25"
                             : x < 0.6   ? "22"
                             : x < 0.72  ? "23"
                             : x < 0.84  ? "24"
                             : new_codes ? "2D"
                                         : "28");
    if (!past_ae && new_codes && a.unit == v->unit && draw_chance(&l->r, 0.012)) {
        a.admimeth = hd_code8_of("2A"); /* seen here, bedded elsewhere */
        a.unit = hd_world_choose(l->chunk->world, l->place->ccg, HD_UNIT_ACUTE, &l->r);
    }
    if (hd_life_age(l, date) > 80 && l->token[1] >> 40 & 1 && l->conditions & HD_HAS_DEMENTIA)
        a.admisorc = hd_code8_of(hd_date_financial_year(date) >= 2022 ? "56" : "85");
    bool child = hd_life_age(l, date) < 17 && !mental;
    a.tretspef = child ? "420" : i->specialty;
    a.mainspef =
        strcmp(a.tretspef, "328") == 0 ? "300" : a.tretspef; /* stroke is a function only */
    if (mental && hd_date_financial_year(date) <= 2015 && draw_chance(&l->r, 0.15))
        a.epitype = hd_code8_of("4");
    a.diag = i->diag;
    a.procedure = i->procedure;
    a.cause = i->cause;
    a.hrg = i->hrg;
    a.mean_days = i->mean_days;
    a.death = i->death;
    a.with_assessment_unit = !child && !mental;
    a.aekey = past_ae ? 0 : v->aekey;
    return hd_stay(l, &a);
}

static void choose_where(hd_life *l, const hd_plan *p, struct visit *v)
{
    const hd_world *w = l->chunk->world;
    double weights[4];
    for (size_t i = 0; i < 4; i++)
        weights[i] = departments[i].share;
    v->unit =
        draw_chance(&l->r, 0.9) ? l->home : hd_world_choose(w, l->place->ccg, HD_UNIT_ACUTE, &l->r);
    v->department = departments[draw_weighted(&l->r, weights, 4)].department;
    if (p->kind == HD_PLAN_READMISSION) {
        v->unit = p->unit;
        v->department = "01";
    }
    if (w->units[v->unit].group != HD_UNIT_ACUTE)
        v->unit = l->home;
    if (strcmp(v->department, "03") == 0 && draw_chance(&l->r, 0.4))
        v->unit = hd_world_choose(w, l->place->ccg, HD_UNIT_COMMUNITY, &l->r);
}

void hd_emergency_visit(hd_life *l, const hd_plan *p)
{
    struct visit v = {.date = p->date, .category = "1"};
    hd_age_group g = hd_life_age_group(l, p->date);
    bool back = p->kind == HD_PLAN_READMISSION;
    choose_where(l, p, &v);
    bool major = strcmp(v.department, "01") == 0;
    v.is_admitted = back || (major && draw_chance(&l->r, chance_of_bed(l, v.date)));
    if (v.is_admitted)
        choose_illness(l, &v, g);
    else
        choose_ailment(l, &v, g);
    v.is_severe = v.illness && v.illness->death > 0.12 && draw_chance(&l->r, 0.3);
    bool weekday = hd_date_weekday(v.date) < 5;
    if (v.is_admitted && draw_chance(&l->r, weekday ? 0.24 : 0.08)) {
        (void)admit(l, &v, true, v.date); /* sent in by a doctor */
        return;
    }
    v.by_ambulance = draw_chance(&l->r, v.is_admitted ? 0.55 : major ? 0.22 : 0.02);
    v.arrived = draw_arrival(&l->r);
    if (!v.is_admitted)
        v.category = draw_chance(&l->r, major ? 0.02 : 0.06) ? "2"
                     : draw_chance(&l->r, 0.05)              ? "3"
                                                             : "1";
    draw_times(l, &v);
    choose_disposal(l, &v);
    int year = hd_row_year(l, v.date);
    if (year >= 0)
        v.aekey = hd_row_key(l, HD_AE, year);
    if (v.is_admitted)
        v.epikey = admit(l, &v, false, v.date + (v.arrived + v.left) / A_DAY).epikey;
    if (v.aekey == 0)
        return;
    int named = hd_world_unit_on(l->chunk->world, v.unit, v.date);
    write_ae(l, &v, year, named);
    write_ecds(l, &v, year, named);
}
