/* clinic.c - outpatients: referral, first appointment, follow-ups, and the treatment they lead to.
 */
#include "synth/draw.h"
#include "synth/life.h"

#include <string.h>

/* Clinics and wards for plans are open from Monday to Friday, mostly. */
static int32_t working_day(hd_life *l, int32_t date)
{
    int weekday = hd_date_weekday(date);
    return weekday < 5 || draw_chance(&l->r, 0.04) ? date : date + 7 - weekday;
}

size_t hd_clinic_find(const char *tretspef)
{
    for (size_t i = 0; i < hd_n_clinics; i++)
        if (strcmp(hd_clinics[i].tretspef, tretspef) == 0)
            return i;
    return SIZE_MAX;
}

void hd_clinic_referral(hd_life *l, int32_t date, size_t clinic, int unit, bool is_urgent)
{
    int32_t wait = is_urgent ? draw_between(&l->r, 3, 14) : draw_between(&l->r, 15, 75);
    hd_life_plan(l, (hd_plan){.kind = HD_PLAN_APPOINTMENT,
                              .date = working_day(l, date + wait),
                              .unit = unit,
                              .what = clinic,
                              .since = date,
                              .is_urgent = is_urgent});
}

static double chance_of_missing(const hd_life *l, int32_t date)
{
    double age = hd_life_age(l, date);
    double p = age < 18 ? 0.085 : age < 35 ? 0.105 : age < 65 ? 0.07 : 0.045;
    return p * (1.45 - 0.08 * l->place->imd_decile) * (l->is_female ? 0.92 : 1.1);
}

static const char *draw_attended(hd_life *l, const hd_plan *p)
{
    const hd_unit *u = &l->chunk->world->units[p->unit];
    double x = hd_rng_unit(&l->r);
    if (hd_life_is_in_hospital(l, p->date))
        return x < 0.5 ? "2" : "3";
    if (draw_chance(&l->r, 0.055))
        return "2";
    if (draw_chance(&l->r, 0.058))
        return "4";
    if (draw_odds(&l->r, chance_of_missing(l, p->date), u->effect[HD_EFFECT_DNA]))
        return x < 0.9 ? "3" : "7";
    return x < 0.002 ? "9" : x < 0.86 ? "5" : "6";
}

/* ATTENDED and FIRSTATT in one code. */
static const char *attendance_type(char attended, char firstatt)
{
    static const struct {
        const char *attended;
        const char *codes[5]; /* FIRSTATT 1, 2, 3, 4, other */
    } types[] = {{"56", {"1", "2", "21", "22", "3"}},
                 {"37", {"4", "5", "24", "25", "6"}},
                 {"2", {"7", "8", "27", "28", "9"}},
                 {"4", {"10", "11", "30", "31", "12"}}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strchr(types[i].attended, attended))
            return types[i].codes[firstatt >= '1' && firstatt <= '4' ? firstatt - '1' : 4];
    return "13";
}

static void set_outcome(hd_life *l, hd_op_row *row, const hd_plan *p, bool goes_on)
{
    char attended = row->attended.s[0];
    row->attendance = attended == '5' || attended == '6';
    row->atentype = hd_code8_of(attendance_type(attended, row->firstatt.s[0]));
    row->outcome = hd_code8_of(goes_on ? "2" : row->attendance ? "1" : "3");
    row->dnadate = attended == '3' || attended == '7' ? p->date : HD_DATE_NONE;
    row->medium = hd_code8_of(row->firstatt.s[0] == '3' || row->firstatt.s[0] == '4' ? "02" : "01");
    row->rttperstat = hd_code8_of(p->visit == 0 ? "10" : goes_on ? "20" : "30");
    if (hd_rng_below(&l->dirt, 8) == 0)
        row->rttperstat = hd_code8_of("99");
}

static void write_appointment(hd_life *l, const hd_plan *p, const char *attended, bool goes_on,
                              bool is_remote)
{
    hd_op_row row;
    int year = hd_row_year(l, p->date);
    const hd_clinic *c = &hd_clinics[p->what];
    if (year < 0)
        return;
    memset(&row, 0, sizeof row);
    hd_row_common_of(l, &row.c, p->unit, p->date, year);
    row.attendkey = hd_row_key(l, HD_OP, year);
    if (row.attendkey == 0)
        return;
    row.c.susrecid = hd_row_susrecid(l, HD_OP, l->n_keys[HD_OP] - 1);
    row.apptdate = p->date;
    row.attended = hd_code8_of(attended);
    const char *first = p->visit == 0 ? (is_remote ? "3" : "1") : is_remote ? "4" : "2";
    row.firstatt = hd_code8_of(hd_rng_below(&l->dirt, 400) ? first : "X");
    row.reqdate = p->visit == 0 ? p->since : HD_DATE_NONE;
    if (p->visit == 0 && hd_rng_below(&l->dirt, 10) == 0)
        row.reqdate = hd_date_from_ymd(1800, 1, 1);
    bool timed = hd_date_is_real(row.reqdate);
    row.waiting = timed ? p->date - p->since : HD_NONE;
    row.wait_ind = timed ? 0 : p->visit ? 3 : 1;
    row.priority = p->is_urgent ? (c->treatment > 0.2 ? 3 : 2) : 1;
    uint32_t x = hd_rng_below(&l->dirt, 100);
    row.refsourc = hd_code8_of(p->visit ? "11"
                               : x < 62 ? "03"
                               : x < 72 ? "05"
                               : x < 80 ? "04"
                                        : "97");
    row.admincat = hd_code8_of(x == 50 ? "02" : x == 51 && p->visit ? "99" : "01");
    row.mainspef = hd_code8_of(c->mainspef);
    row.tretspef = hd_code8_of(c->tretspef);
    row.servtype = hd_code8_of("1");
    row.stafftyp = hd_code8_of(x < 70 ? "03" : "04");
    row.sushrg = hd_code8_of(p->visit ? "WF01A" : "WF01B");
    row.diag[0] = hd_code8_of(x < 96 ? "R69X6" : "Z098");
    set_outcome(l, &row, p, goes_on);
    bool done = row.attendance && *c->procedure && x < 30;
    row.opertn[0] = hd_code8_of(done ? c->procedure : x < 60 ? "-" : x < 90 ? "" : "-   ");
    hd_row_write(l, HD_OP, year, hd_world_unit_on(l->chunk->world, p->unit, p->date), &row);
}

/* Plan a treatment of the clinic's specialty, when there is one. */
static void plan_treatment(hd_life *l, const hd_plan *p)
{
    double weights[HD_MAX_CHOICES], total = 0;
    for (size_t i = 0; i < hd_n_treatments; i++) {
        bool here = strcmp(hd_treatments[i].specialty, hd_clinics[p->what].tretspef) == 0;
        total += weights[i] = here ? hd_treatments[i].weight : 0;
    }
    if (total <= 0)
        return;
    size_t what = draw_weighted(&l->r, weights, hd_n_treatments);
    bool course = strncmp(hd_treatments[what].procedure, "X72", 3) == 0;
    hd_life_plan(
        l, (hd_plan){.kind = HD_PLAN_TREATMENT,
                     .date = p->date + (p->is_urgent || course ? draw_between(&l->r, 7, 28)
                                                               : draw_between(&l->r, 14, 120)),
                     .unit = p->unit,
                     .what = what,
                     .visit = course ? draw_between(&l->r, 3, 7) : 0,
                     .since = p->date});
}

void hd_clinic_visit(hd_life *l, const hd_plan *p)
{
    const hd_clinic *c = &hd_clinics[p->what];
    const char *attended = draw_attended(l, p);
    bool is_seen = attended[0] == '5' || attended[0] == '6' || attended[0] == '9';
    const hd_unit *u = &l->chunk->world->units[p->unit];
    hd_plan next = *p;
    bool goes_on;
    if (is_seen) {
        goes_on = c->goes_on > 0 && draw_odds(&l->r, c->goes_on, u->effect[HD_EFFECT_FOLLOW_UP]);
        next.visit++;
        next.date = working_day(l, p->date + draw_between(&l->r, 21, 150));
    } else {
        bool cancelled = attended[0] == '2' || attended[0] == '4';
        goes_on = draw_chance(&l->r, cancelled ? 0.8 : 0.55);
        next.date = working_day(l, p->date + draw_between(&l->r, 10, 50));
    }
    write_appointment(l, p, attended, goes_on, draw_chance(&l->r, p->visit ? 0.04 : 0.015));
    if (goes_on)
        hd_life_plan(l, next);
    if (is_seen && c->treatment > 0 && draw_chance(&l->r, c->treatment * (p->visit ? 0.28 : 1.0)))
        plan_treatment(l, p);
}

void hd_clinic_treatment(hd_life *l, const hd_plan *p)
{
    const hd_treatment *t = &hd_treatments[p->what];
    hd_plan again = *p;
    if (hd_life_is_in_hospital(l, p->date)) {
        again.date = l->in_hospital_until + draw_between(&l->r, 14, 40);
        hd_life_plan(l, again);
        return;
    }
    const hd_world *w = l->chunk->world;
    const hd_unit *u = &w->units[p->unit];
    bool course = p->visit > 0;
    hd_admission a = hd_admission_of(working_day(l, p->date), p->unit);
    bool day_case = t->day_case > 0 && draw_odds(&l->r, t->day_case, u->effect[HD_EFFECT_DAY_CASE]);
    a.classpat = day_case ? 2 : 1;
    a.intmanig = hd_code8_of(day_case ? "2" : "1");
    double x = hd_rng_unit(&l->r);
    a.admimeth = hd_code8_of(course ? "13" : x < 0.66 ? "11" : x < 0.87 ? "12" : "13");
    a.is_waitlist = hd_code8_is(a.admimeth, "11");
    a.waited = a.date > p->since ? a.date - p->since : 0;
    a.mainspef = strcmp(t->specialty, "103") == 0 ? "100" : t->specialty;
    a.tretspef = t->specialty;
    a.diag = t->diag;
    a.procedure = t->procedure;
    a.second = t->second;
    a.hrg = t->hrg;
    a.mean_days = t->mean_days;
    a.death = t->mean_days > 3 ? 0.004 : 0;
    a.also = strncmp(t->procedure, "X72", 3) == 0 ? "Z511" : "";
    hd_discharge d = hd_stay(l, &a);
    if (course && !d.is_dead) {
        again.visit--;
        again.date = d.date + 21;
        again.since = d.date;
        if (again.visit > 0)
            hd_life_plan(l, again);
    }
}
