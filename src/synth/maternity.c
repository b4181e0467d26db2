/* maternity.c - pregnancies, deliveries and births. A mother and each of her babies have an episode
 * of their own with the same maternity tail; a baby is a new person from then on. */
#include "synth/draw.h"
#include "synth/life.h"

#include <string.h>

enum { A_YEAR = 365, APART = 330 };

/* Deliveries a year by age, from 15 in steps of 5. */
static const double fertility[] = {0.020, 0.072, 0.108, 0.112, 0.062, 0.013};

/* Ways of delivery: DELMETH_D, DELMETH_n, procedure, days in hospital. */
static const struct {
    const char *d, *n, *procedure, *second, *diag, *hrg;
    double share;
    int least, most;
    bool is_surgical;
} ways[] = {
    /* emergency caesarean: its chance is the trust's */
    {"02", "8", "R182", "Y811", "O821", "NZ50C", 0, 2, 5, true},
    {"01", "7", "R172", "Y811", "O820", "NZ50C", 13.0, 1, 4, true},
    {"05", "2", "R215", "R271", "O810", "NZ40C", 4.5, 1, 3, true},
    {"06", "3", "R213", "R271", "O812", "NZ40C", 3.0, 1, 3, true},
    {"07", "4", "R222", "R271", "O814", "NZ40C", 6.5, 0, 2, true},
    {"04", "5", "R202", "", "O801", "NZ40C", 0.5, 0, 3, true},
    {"08", "1", "R239", "", "O808", "NZ30C", 1.5, 0, 2, false},
    {"09", "0", "R249", "", "O80X", "NZ30C", 71.0, 0, 2, false},
};
enum { N_WAYS = sizeof ways / sizeof *ways, EMERGENCY = 0, ELECTIVE = 1, NORMAL = N_WAYS - 1 };

static void plan_antenatal(hd_life *l, int32_t from, int32_t date)
{
    size_t clinic = hd_clinic_find("501");
    static const int before[] = {200, 140, 90, 50, 20, 6};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        if (date - before[i] > from && draw_chance(&l->r, 0.75))
            hd_life_plan(l, (hd_plan){.kind = HD_PLAN_APPOINTMENT,
                                      .date = date - before[i],
                                      .unit = l->home,
                                      .what = clinic,
                                      .visit = i > 0,
                                      .since = date - before[i] - 20});
}

void hd_maternity_plan(hd_life *l, int32_t from)
{
    double age = hd_life_age(l, from);
    if (age >= 45 || l->n_births + 2 > HD_MAX_BABIES)
        return;
    if (l->last_delivery != HD_DATE_NONE && from < l->last_delivery + APART)
        from = l->last_delivery + APART;
    double rate = age < 15 ? 1e-9 : fertility[(int)(age - 15) / 5];
    double days = draw_exponential(&l->r, A_YEAR / rate);
    bool later = days > A_YEAR;
    int32_t date = from + (later ? A_YEAR : (int32_t)days + 1);
    hd_life_plan(l, (hd_plan){.kind = HD_PLAN_DELIVERY, .date = date, .is_redraw = later});
    if (!later)
        plan_antenatal(l, from, date);
}

static size_t choose_way(hd_life *l, const hd_unit *u)
{
    double weights[N_WAYS];
    if (draw_odds(&l->r, 0.148, u->effect[HD_EFFECT_CAESAREAN]))
        return EMERGENCY;
    for (size_t i = 0; i < N_WAYS; i++)
        weights[i] = ways[i].share;
    return draw_weighted(&l->r, weights, N_WAYS);
}

static int make_babies(hd_life *l, int32_t date, size_t way)
{
    int n = draw_chance(&l->r, 0.016) ? 2 : 1;
    bool early = draw_chance(&l->r, n > 1 ? 0.5 : 0.07);
    int weeks = early ? draw_between(&l->r, 29, 36) : draw_between(&l->r, 37, 41);
    for (int i = 0; i < n; i++) {
        hd_birth *b = &l->births[l->n_births + (size_t)i];
        double weight = 3350 + 430 * draw_normal(&l->r) - (early ? 180 * (37 - weeks) : 0);
        *b = (hd_birth){.date = date,
                        .unit = l->home,
                        .is_female = draw_chance(&l->r, 0.487),
                        .is_still = draw_chance(&l->r, 0.0045),
                        .is_early = early,
                        .weight = weight < 500 ? 500 : (int)weight,
                        .weeks = draw_chance(&l->dirt, 0.03) ? 99 : weeks,
                        .n = n};
        if (draw_chance(&l->dirt, 0.02))
            b->weight = 9999;
        bool known = draw_chance(&l->dirt, 0.88);
        b->delmeth = hd_code8_of(known ? ways[way].n : draw_chance(&l->dirt, 0.5) ? "X" : "");
    }
    return n;
}

/* A little of everything is not recorded. */
static void code_delivery(hd_life *l, hd_admission *a, size_t way)
{
    bool spontaneous = !ways[way].is_surgical;
    a->epitype = hd_code8_of("2");
    a->admimeth = hd_code8_of("31");
    a->mainspef = spontaneous && draw_chance(&l->r, 0.6) ? "560" : "501";
    a->tretspef = a->mainspef;
    a->diag = ways[way].diag;
    a->hrg = ways[way].hrg;
    a->procedure = draw_chance(&l->dirt, 0.95) ? ways[way].procedure : "";
    a->second = *a->procedure ? ways[way].second : "";
    double x = hd_rng_unit(&l->dirt);
    a->delmeth_d = hd_code8_of(x < 0.93 ? ways[way].d : x < 0.96 ? "X" : "");
    a->delonset = hd_code8_of(way == ELECTIVE ? "2" : draw_chance(&l->r, 0.25) ? "4" : "1");
    a->cause = "";
}

static void code_home_birth(hd_admission *a)
{
    a->epitype = hd_code8_of("5");
    a->classpat = 8;
    a->intmanig = hd_code8_of("8");
    a->mainspef = a->tretspef = "";
    a->procedure = a->second = "";
    a->delmeth_d = hd_code8_of("");
    a->hrg = "";
    a->days = 0;
}

void hd_maternity_delivery(hd_life *l, const hd_plan *p)
{
    hd_plan again = *p;
    if (p->is_redraw) {
        hd_maternity_plan(l, p->date);
        return;
    }
    /* Not from within another stay, nor on its first day: see the head of stay.c. */
    if (hd_life_is_in_hospital(l, p->date) || p->date == l->last_regular) {
        again.date = (hd_life_is_in_hospital(l, p->date) ? l->in_hospital_until : p->date) + 1;
        hd_life_plan(l, again);
        return;
    }
    size_t way = choose_way(l, &l->chunk->world->units[l->home]);
    bool at_home = way == NORMAL && draw_chance(&l->r, 0.03);
    hd_admission a = hd_admission_of(p->date, l->home);
    code_delivery(l, &a, way);
    a.days = draw_between(&l->r, ways[way].least, ways[way].most);
    int32_t delivered = p->date + (a.days > 1 && draw_chance(&l->r, 0.3));
    if (at_home) {
        code_home_birth(&a);
        delivered = p->date;
    }
    int n = make_babies(l, delivered, way);
    a.delivered = delivered;
    a.n_tail = n;
    a.numbaby = hd_code8_of(draw_chance(&l->dirt, 0.02) ? "X" : n == 2 ? "2" : "1");
    for (int i = 0; i < n; i++) {
        hd_birth *b = &l->births[l->n_births + (size_t)i];
        b->is_at_home = at_home;
        a.tail[i] = b;
    }
    hd_discharge d = hd_stay(l, &a);
    for (int i = 0; i < n; i++)
        l->births[l->n_births + (size_t)i].discharged = d.date;
    l->n_births += (size_t)n;
    l->last_delivery = p->date;
    if (!l->is_dead)
        hd_maternity_plan(l, d.date);
}

void hd_maternity_birth(hd_life *baby, const hd_birth *b)
{
    bool at_home = b->is_at_home;
    hd_admission a = hd_admission_of(b->date, b->unit);
    a.epitype = hd_code8_of(at_home ? "6" : "3");
    a.admimeth = hd_code8_of(at_home ? "2C" : "82");
    a.admisorc = hd_code8_of("79");
    a.classpat = at_home ? 8 : 1;
    bool care = b->is_early && !b->is_still && !at_home;
    a.mainspef = care ? "420" : "501";
    a.tretspef = care ? "422" : "424";
    a.diag = care ? "P073" : b->is_still ? "P95X" : "Z380";
    a.hrg = care ? "XA04Z" : "PB03Z";
    a.days = b->discharged > b->date ? b->discharged - b->date : 0;
    if (care)
        a.days += draw_between(&baby->r, 2, b->weeks < 33 ? 40 : 12);
    a.care_days = care && draw_chance(&baby->r, 0.5) ? draw_between(&baby->r, 1, 5) : 0;
    a.is_stillborn = b->is_still;
    a.tail[0] = b;
    a.n_tail = 1;
    a.numbaby = hd_code8_of(b->n == 2 ? "2" : "1");
    hd_stay(baby, &a);
}
