/* stay.c - one stay in hospital as episodes: how long, who, how it ends, and what follows.
 *
 * A person's stays never overlap, and none begins on the day on which another began, unless it is
 * a transfer: that one lasts a night at least. So the order of episodes and of spells is never a
 * tie.
 */
#include "synth/draw.h"
#include "synth/life.h"

#include <string.h>

enum { MAX_EPISODES = 4, LONGEST_STAY = 320, LAST_UNFINISHED_YEAR = 2016, CARE_HOMES_NEW = 2022 };

struct stay {
    const hd_admission *a;
    int32_t admitted, discharged;
    int32_t from[MAX_EPISODES], until[MAX_EPISODES];
    int n_episodes;
    bool is_dead, is_moved; /* moved: a transfer follows */
    const char *disdest, *dismeth;
    uint64_t susspellid, provspno, aekey;
    bool is_in_intensive_care;
};

hd_admission hd_admission_of(int32_t date, int unit)
{
    return (hd_admission){
        .date = date,
        .unit = unit,
        .admimeth = hd_code8_of("21"),
        .admisorc = hd_code8_of("19"),
        .epitype = hd_code8_of("1"),
        .intmanig = hd_code8_of("1"),
        .classpat = 1,
        .mainspef = "300",
        .tretspef = "300",
        .diag = "R69X6",
        .also = "",
        .procedure = "",
        .second = "",
        .cause = "",
        .hrg = "UZ01Z",
        .days = HD_NONE,
        .waited = HD_NONE,
        .delivered = HD_DATE_NONE,
    };
}

/* ---- how long ----------------------------------------------------------------------------- */

static int32_t free_day(const hd_life *l, int32_t date, bool is_transfer)
{
    if (l->in_hospital_until != HD_DATE_NONE && date < l->in_hospital_until)
        date = l->in_hospital_until;
    if (!is_transfer && l->last_admission != HD_DATE_NONE && date <= l->last_admission)
        date = l->last_admission + 1;
    if (date == l->last_regular)
        date++;
    return date;
}

static int32_t draw_days(hd_life *l, const hd_admission *a)
{
    const hd_unit *u = &l->chunk->world->units[a->unit];
    bool elective = a->waited != HD_NONE;
    double mean =
        a->mean_days * u->effect[elective ? HD_EFFECT_STAY_ELECTIVE : HD_EFFECT_STAY_EMERGENCY];
    double older = hd_life_age(l, a->date) - 60;
    if (!elective && older > 0)
        mean *= 1 + 0.015 * older;
    double at_once = elective ? 0.04 : mean < 2 ? 0.36 : 0.11;
    if (draw_chance(&l->r, at_once))
        return 0;
    double days = elective ? 1 + draw_exponential(&l->r, mean > 1 ? mean - 0.8 : 0.4)
                           : 0.4 + draw_exponential(&l->r, mean);
    return days < LONGEST_STAY ? (int32_t)days : LONGEST_STAY;
}

/* Few go home at the weekend; how few depends on the trust. */
static int32_t settle_discharge(hd_life *l, const hd_admission *a, int32_t date)
{
    int weekday = hd_date_weekday(date);
    if (weekday < 5 || date == a->date)
        return date;
    double stays = 0.42 / l->chunk->world->units[a->unit].effect[HD_EFFECT_WEEKEND];
    return draw_chance(&l->r, stays) ? date + 7 - weekday : date;
}

static void split_episodes(hd_life *l, struct stay *s)
{
    const hd_admission *a = s->a;
    int32_t days = s->discharged - s->admitted;
    s->n_episodes = 1;
    s->from[0] = s->admitted;
    s->until[0] = s->discharged;
    if (a->classpat != 1 || !a->with_assessment_unit || days < 1 || draw_chance(&l->r, 0.45))
        return;
    int32_t cut = s->admitted + (a->n_transfers ? 1 : draw_between(&l->r, 0, 1));
    s->until[0] = s->from[1] = cut;
    s->until[1] = s->discharged;
    s->n_episodes = 2;
    if (s->discharged - cut < 4 || draw_chance(&l->r, 0.75))
        return;
    cut = draw_between(&l->r, cut + 1, s->discharged - 1);
    s->until[1] = s->from[2] = cut;
    s->until[2] = s->discharged;
    s->n_episodes = 3;
}

/* ---- how it ends -------------------------------------------------------------------------- */

static double chance_of_death(const hd_life *l, const hd_admission *a)
{
    double age = hd_life_age(l, a->date);
    double p = a->death * 0.68 * exp(0.045 * (age - 75)) * (0.5 + 0.5 * l->frailty);
    return p < 0.85 ? p : 0.85;
}

static const char *care_home(hd_life *l, int year)
{
    if (year >= CARE_HOMES_NEW)
        return draw_chance(&l->r, 0.5) ? "55" : "56";
    return draw_chance(&l->r, 0.1) ? "54" : draw_chance(&l->r, 0.2) ? "65" : "85";
}

static void choose_end(hd_life *l, struct stay *s)
{
    const hd_unit *u = &l->chunk->world->units[s->a->unit];
    int year = hd_date_financial_year(s->discharged);
    s->dismeth = "1";
    s->disdest = "19";
    if (s->is_dead || s->a->is_stillborn) {
        s->dismeth = s->a->is_stillborn ? "5" : "4";
        s->disdest = "79";
        return;
    }
    if (s->is_moved) { /* coded as a transfer mostly */
        double x = hd_rng_unit(&l->r);
        s->disdest = x < 0.74 ? "51" : x < 0.76 ? "49" : x < 0.78 ? "84" : x < 0.80 ? "53" : "19";
        return;
    }
    if (draw_chance(&l->r, 0.02))
        s->dismeth = year >= CARE_HOMES_NEW ? (draw_chance(&l->r, 0.7) ? "6" : "7") : "2";
    double age = hd_life_age(l, s->discharged);
    double away = age < 65 ? 0.012 : age < 80 ? 0.05 : 0.11;
    if (s->a->classpat == 1 && !draw_odds(&l->r, 1 - away, u->effect[HD_EFFECT_HOME])) {
        double x = hd_rng_unit(&l->r);
        s->disdest = x < 0.55   ? care_home(l, year)
                     : x < 0.75 ? "29"
                     : x < 0.80 ? "88"
                     : x < 0.85 ? "51" /* and nothing follows */
                     : x < 0.88 ? "39"
                     : x < 0.92 ? "87"
                                : "99";
    }
    if (!hd_code8_is(s->a->admisorc, "19") && draw_chance(&l->r, 0.8) && age > 70)
        s->disdest = care_home(l, year);
    if (s->a->epitype.s[0] == '5' || s->a->epitype.s[0] == '6') {
        s->dismeth = "8"; /* nobody was admitted, so nobody is discharged */
        s->disdest = "98";
    }
}

/* ---- one row ------------------------------------------------------------------------------ */

static void add_code(hd_code8 *list, int n_max, int *n, const char *code)
{
    if (*code && *n < n_max)
        list[(*n)++] = hd_code8_of(code);
}

/* Four characters, and what often follows them. */
static hd_code8 with_tail(hd_life *l, hd_code8 code)
{
    if (strnlen(code.s, 8) == 4 && hd_rng_below(&l->dirt, 5) == 0)
        code.s[4] = '-';
    return code;
}

static void set_diagnoses(hd_life *l, const struct stay *s, hd_apc_row *row)
{
    static const char *const cancers[] = {"C509", "C349", "C189", "C61X", "C787"};
    int n = 0;
    add_code(row->diag, HD_N_DIAGNOSES, &n, s->a->diag);
    add_code(row->diag, HD_N_DIAGNOSES, &n, s->a->also);
    add_code(row->diag, HD_N_DIAGNOSES, &n, s->a->cause);
    row->cause = hd_code8_of(s->a->cause);
    bool plain = s->a->classpat != 1 || row->epitype.s[0] != '1';
    for (int i = 0; i < HD_N_CONDITIONS && !plain; i++)
        if ((l->conditions >> i & 1) && hd_rng_below(&l->dirt, 10) < 9)
            add_code(row->diag, HD_N_DIAGNOSES, &n, hd_conditions[i].diag);
    if (!plain && (l->conditions & HD_HAS_CANCER) && l->token[1] % 10 < 4)
        add_code(row->diag, HD_N_DIAGNOSES, &n, cancers[l->token[1] / 16 % 5]);
    if (hd_life_age(l, s->admitted) > 70 && !plain && hd_rng_below(&l->dirt, 3) == 0)
        add_code(row->diag, HD_N_DIAGNOSES, &n, "Z867");
    row->diag_count = n;
    for (int i = 0; i < n; i++)
        row->diag[i] = with_tail(l, row->diag[i]);
}

static void set_procedures(hd_life *l, const struct stay *s, int episode, hd_apc_row *row)
{
    int n = 0;
    bool here = s->a->waited != HD_NONE ? episode == 0 : episode == s->n_episodes - 1;
    for (int i = 0; i < HD_N_PROCEDURES; i++)
        row->opdate[i] = HD_DATE_NONE;
    if (here) {
        add_code(row->opertn, HD_N_PROCEDURES, &n, s->a->procedure);
        add_code(row->opertn, HD_N_PROCEDURES, &n, s->a->second);
    }
    row->opertn_count = n;
    for (int i = 0; i < n; i++)
        row->opdate[i] = s->a->delivered != HD_DATE_NONE ? s->a->delivered : s->from[episode];
    if (n == 0) {
        uint32_t x = hd_rng_below(&l->dirt, 20);
        row->opertn[0] = hd_code8_of(x < 16 ? "-" : x < 18 ? "-   " : x < 19 ? "&" : "");
        if (x == 0)
            row->opdate[0] = hd_date_from_ymd(1800, 1, 1);
    }
}

static void set_tail(const hd_admission *a, hd_apc_row *row)
{
    row->antedur = row->postdur = row->matage = row->anagest = HD_NONE;
    for (int i = 0; i < HD_N_BABIES; i++)
        row->birweit[i] = row->gestat[i] = HD_NONE;
    char type = row->epitype.s[0];
    row->maternity_type = type == '2'   ? 1
                          : type == '3' ? 2
                          : type == '5' ? 3
                          : type == '6' ? 4
                                        : 99;
    if (!a->n_tail)
        return;
    row->delonset = a->delonset;
    row->numbaby = a->numbaby;
    row->numtailb = hd_code8_of((char[]){(char)('0' + a->n_tail), '\0'});
    row->delmeth_d = a->delmeth_d;
    for (int i = 0; i < a->n_tail; i++) {
        const hd_birth *b = a->tail[i];
        row->delmeth[i] = b->delmeth;
        row->delplac[i] = hd_code8_of(type == '5' || type == '6' ? "1" : "3");
        row->birstat[i] = hd_code8_of(b->is_still ? "2" : "1");
        row->birweit[i] = b->weight;
        row->gestat[i] = b->weeks;
    }
    if (a->delivered != HD_DATE_NONE) {
        row->antedur = a->delivered - row->epistart;
        row->postdur = row->epiend != HD_DATE_NONE ? row->epiend - a->delivered : HD_NONE;
        row->matage = row->c.age;
        row->numpreg = hd_code8_of((char[]){'0', (char)('0' + row->c.token[1] % 4), '\0'});
        row->anagest = 9 + (int32_t)(row->c.token[1] / 4 % 8);
    }
}

static void set_admission(const struct stay *s, int episode, hd_apc_row *row)
{
    const hd_admission *a = s->a;
    row->admidate = s->admitted;
    row->epistart = s->from[episode];
    row->epiend = s->until[episode];
    row->epiorder = episode + 1;
    row->admimeth = a->admimeth;
    row->admisorc = a->admisorc;
    row->admincat = hd_code8_of("01");
    row->classpat = hd_code8_of((char[]){(char)('0' + a->classpat), '\0'});
    row->intmanig = a->intmanig;
    row->epitype = a->epitype;
    row->epistat = hd_code8_of("3");
    bool assessment = a->with_assessment_unit && episode == 0 && s->n_episodes > 1;
    bool surgical = a->mainspef[0] == '1';
    row->mainspef = hd_code8_of(!assessment ? a->mainspef : surgical ? "100" : "300");
    row->tretspef = hd_code8_of(!assessment ? a->tretspef : surgical ? "100" : "300");
    row->elecdate = a->waited != HD_NONE ? s->admitted - a->waited : HD_DATE_NONE;
    row->elecdur = a->waited != HD_NONE ? a->waited : 9998;
    row->waitlist = a->is_waitlist;
    row->aekey = episode == 0 ? s->aekey : 0;
    row->rank_order = row->aekey ? 1 : HD_NONE;
    row->sushrg = hd_code8_of(a->hrg);
    row->suscorehrg = row->sushrg;
    row->sushrgvers = hd_code8_of("4.0");
    row->neocare = hd_code8_of(row->epitype.s[0] == '3' || row->epitype.s[0] == '6' ? "0" : "8");
    row->well_baby = hd_code8_of(hd_code8_is(row->tretspef, "424") ? "Y" : "N");
    row->susspellid = s->susspellid;
    row->provspno = s->provspno;
    row->acscflag =
        a->waited == HD_NONE && (strncmp(a->diag, "J4", 2) == 0 || strncmp(a->diag, "E1", 2) == 0 ||
                                 strncmp(a->diag, "L03", 3) == 0);
}

/* What follows from the rest, as the national derivations say. */
static void set_derived(const struct stay *s, int episode, int year, hd_apc_row *row)
{
    bool finished = hd_code8_is(row->epistat, "3");
    bool last = finished && episode == s->n_episodes - 1;
    int32_t year_start = hd_date_from_ymd(year, 4, 1);
    int32_t year_end = hd_date_from_ymd(year + 1, 3, 31);
    int32_t end = finished ? row->epiend : year_end;
    bool other = row->epitype.s[0] == '5' || row->epitype.s[0] == '6';
    row->epidur = finished ? row->epiend - row->epistart : HD_NONE;
    row->bedyear =
        other ? HD_NONE : end - (row->epistart > year_start ? row->epistart : year_start);
    row->spelbgin = episode ? 0 : row->epistart < year_start ? 1 : 2;
    row->spelend = hd_code8_of(last ? "Y" : "N");
    row->speldur = last ? row->epiend - row->admidate : HD_NONE;
    row->speldur_calc = s->a->classpat == 1 ? row->speldur : HD_NONE;
    row->fce = finished && s->a->classpat != 3;
    row->fae = row->fce && episode == 0;
    row->fae_emergency = row->fae && row->admimeth.s[0] == '2';
    row->fde = row->fce && last && row->dismeth.s[0] != '8';
    row->disreadydate = last && s->a->classpat == 1 ? row->epiend : HD_DATE_NONE;
    row->subdate = end + 18 + (int32_t)(row->epikey % 20);
    row->suslddate = row->subdate + 3;
}

static void make_row(hd_life *l, const struct stay *s, int episode, int year, bool finished,
                     hd_apc_row *row)
{
    memset(row, 0, sizeof *row);
    hd_row_common_of(l, &row->c, s->a->unit, s->from[episode], year);
    /* A spell keeps the code under which it began, whatever happens to the trust meanwhile. */
    int named = hd_world_unit_on(l->chunk->world, s->a->unit, s->admitted);
    row->c.procode3 = hd_code8_of(l->chunk->world->units[named].code);
    row->c.procode5 = hd_code8_of(l->chunk->world->units[named].procode5);
    row->c.procode = row->c.procode5;
    row->c.susrecid = hd_row_susrecid(l, HD_APC, l->n_keys[HD_APC]);
    row->epikey = hd_row_key(l, HD_APC, year);
    set_admission(s, episode, row);
    bool last = episode == s->n_episodes - 1;
    row->dismeth = hd_code8_of(last ? s->dismeth : "8");
    row->disdest = hd_code8_of(last ? s->disdest : "98");
    row->disdate = last && row->dismeth.s[0] != '8' ? s->discharged : HD_DATE_NONE;
    if (!last && hd_rng_below(&l->dirt, 6) == 0)
        row->disdate = hd_date_from_ymd(1800, 1, 1);
    row->endage = row->c.age < 7000 ? (int32_t)hd_life_age(l, s->until[episode]) : row->c.age;
    if (!finished) {
        row->epistat = hd_code8_of("1");
        row->dismeth = hd_code8_of("8");
        row->disdest = hd_code8_of("98");
        row->disdate = HD_DATE_NONE;
        row->epiend = hd_rng_below(&l->dirt, 4) ? HD_DATE_NONE : hd_date_from_ymd(1800, 1, 1);
        row->endage = HD_NONE;
    }
    set_derived(s, episode, year, row);
    set_diagnoses(l, s, row);
    set_procedures(l, s, episode, row);
    set_tail(s->a, row);
}

/* ---- rows of a stay ----------------------------------------------------------------------- */

/* The row of a finished episode, and one for each year end that it spans. Returns its EPIKEY. */
static uint64_t write_episode(hd_life *l, const struct stay *s, int episode, hd_critical *c)
{
    hd_apc_row row;
    const hd_synth_options *o = l->chunk->options;
    int named = hd_world_unit_on(l->chunk->world, s->a->unit, s->admitted);
    for (int y = hd_date_financial_year(s->from[episode]);
         y < hd_date_financial_year(s->until[episode]) && y <= LAST_UNFINISHED_YEAR; y++) {
        if (y < o->first_year || y > o->last_year)
            continue;
        make_row(l, s, episode, y, false, &row);
        hd_row_write(l, HD_APC, y, named, &row);
    }
    int year = hd_row_year(l, s->until[episode]);
    if (year < 0 || l->n_keys[HD_APC] >= HD_ROWS_PER_LIFE)
        return 0;
    make_row(l, s, episode, year, true, &row);
    uint64_t key = row.epikey;
    hd_critical found = {.susrecid = row.c.susrecid,
                         .other = c->year == year ? c->susrecid : 0,
                         .year = year,
                         .unit = named,
                         .from = s->from[episode],
                         .until = s->until[episode],
                         .died = s->is_dead};
    hd_row_write(l, HD_APC, year, named, &row);
    found.has_person = (row.c.token[0] | row.c.token[1]) != 0;
    *c = found;
    return key;
}

static uint64_t write_stay(hd_life *l, struct stay *s)
{
    uint64_t first = 0;
    hd_critical c = {.year = -1};
    s->susspellid = hd_rng_below(&l->dirt, 2500) ? hd_row_susrecid(l, HD_OP, l->n_keys[HD_APC]) : 0;
    s->provspno = hd_row_susrecid(l, HD_AE, l->n_keys[HD_APC]);
    for (int i = 0; i < s->n_episodes; i++) {
        uint64_t key = write_episode(l, s, i, &c);
        if (i == 0)
            first = key;
        else if (key == 0)
            c.year = -1;
    }
    if (s->is_in_intensive_care && c.year >= 0)
        hd_critical_adult(l, &c);
    if (s->a->care_days && c.year >= 0)
        hd_critical_newborn(l, &c, s->a->care_days);
    return first;
}

/* ---- what follows ------------------------------------------------------------------------- */

static void plan_readmission(hd_life *l, const struct stay *s)
{
    const hd_admission *a = s->a;
    const hd_unit *u = &l->chunk->world->units[a->unit];
    double age = hd_life_age(l, s->discharged);
    double p = a->classpat != 1 ? 0.015 : age < 18 ? 0.06 : age < 65 ? 0.07 : 0.105;
    p *= 0.6 + 0.4 * l->frailty;
    if (a->epitype.s[0] != '1')
        p *= 0.2;
    if (!draw_odds(&l->r, p < 0.6 ? p : 0.6, u->effect[HD_EFFECT_READMISSION]))
        return;
    int32_t after = (int32_t)draw_exponential(&l->r, 12);
    hd_life_plan(l, (hd_plan){.kind = HD_PLAN_READMISSION,
                              .date = s->discharged + after,
                              .unit = draw_chance(&l->r, 0.88) ? a->unit : l->home});
}

static void plan_follow_up(hd_life *l, const struct stay *s)
{
    const hd_admission *a = s->a;
    size_t clinic = hd_clinic_find(a->tretspef);
    double p = a->classpat == 2 ? 0.25 : 0.35;
    bool course = hd_code8_is(a->admimeth, "13"); /* the next one is planned already */
    if (clinic == SIZE_MAX || course || a->epitype.s[0] != '1' || !draw_chance(&l->r, p))
        return;
    hd_life_plan(l, (hd_plan){.kind = HD_PLAN_APPOINTMENT,
                              .date = s->discharged + draw_between(&l->r, 14, 60),
                              .unit = a->unit,
                              .what = clinic,
                              .visit = 1,
                              .since = s->discharged});
}

/* Admit to another provider what this one sends on. */
static hd_discharge move_on(hd_life *l, const struct stay *s, int to)
{
    hd_admission next = *s->a;
    double x = hd_rng_unit(&l->r);
    next.unit = to;
    next.date = s->discharged + (x < 0.85 ? 0 : x < 0.95 ? 1 : x < 0.98 ? 2 : 3);
    next.n_transfers++;
    next.aekey = 0;
    next.days = HD_NONE;
    next.waited = HD_NONE;
    next.is_waitlist = false;
    next.with_assessment_unit = false;
    next.mean_days = s->a->mean_days * 0.9 + 2;
    next.death = s->a->death * 0.5;
    x = hd_rng_unit(&l->r);
    bool new_codes = hd_date_financial_year(next.date) >= 2013;
    next.admimeth = hd_code8_of(x < 0.6                ? "81"
                                : x < 0.9 && new_codes ? "2B"
                                : x < 0.95             ? "21"
                                                       : "81");
    x = hd_rng_unit(&l->r);
    next.admisorc = hd_code8_of(x < 0.80 ? "51" : x < 0.82 ? "53" : x < 0.84 ? "87" : "19");
    if (l->chunk->world->units[to].group == HD_UNIT_COMMUNITY) {
        next.mainspef = next.tretspef = "314";
        next.procedure = next.second = "";
        next.hrg = "VC42Z";
        next.mean_days += 8;
    }
    return hd_stay(l, &next);
}

/* The unit to which this stay is transferred, or -1. */
static int choose_move(hd_life *l, const hd_admission *a, int32_t discharged)
{
    const hd_world *w = l->chunk->world;
    if (a->classpat != 1 || a->epitype.s[0] != '1' || a->n_transfers >= 3 || a->mainspef[0] == '7')
        return -1;
    bool heart = strncmp(a->diag, "I2", 2) == 0;
    bool slow = a->mean_days > 10 && hd_life_age(l, a->date) > 65;
    double p = heart ? 0.14 : slow ? 0.15 : a->waited != HD_NONE ? 0.006 : 0.022;
    if (!draw_chance(&l->r, p))
        return -1;
    hd_unit_group group = slow && draw_chance(&l->r, 0.7) ? HD_UNIT_COMMUNITY : HD_UNIT_ACUTE;
    int to = hd_world_choose(w, l->place->ccg, group, &l->r);
    bool same = hd_world_unit_on(w, to, discharged) == hd_world_unit_on(w, a->unit, a->date) ||
                w->units[to].final == w->units[a->unit].final;
    return same ? -1 : to;
}

hd_discharge hd_stay(hd_life *l, const hd_admission *a)
{
    struct stay s = {.a = a, .aekey = a->aekey};
    const hd_unit *u = &l->chunk->world->units[a->unit];
    s.admitted = free_day(l, a->date, a->n_transfers > 0);
    int32_t days = a->days != HD_NONE ? a->days : a->classpat == 2 ? 0 : draw_days(l, a);
    if (a->n_transfers > 0 && days < 1)
        days = 1;
    double p = chance_of_death(l, a);
    s.is_dead = p > 0 && draw_odds(&l->r, p, u->effect[HD_EFFECT_DEATH]);
    s.discharged = s.admitted + days;
    if (!s.is_dead && a->days == HD_NONE && a->classpat == 1)
        s.discharged = settle_discharge(l, a, s.discharged);
    int to = s.is_dead ? -1 : choose_move(l, a, s.discharged);
    s.is_moved = to >= 0;
    split_episodes(l, &s);
    choose_end(l, &s);
    bool ill = a->classpat == 1 && a->epitype.s[0] == '1' && days >= 2 &&
               hd_life_age(l, a->date) >= 16 && a->mainspef[0] != '7';
    s.is_in_intensive_care = ill && draw_chance(&l->r, s.is_dead ? 0.12 : 0.04);
    hd_discharge out = {.date = s.discharged, .is_dead = s.is_dead};
    out.epikey = write_stay(l, &s);
    l->in_hospital_from = a->n_transfers ? l->in_hospital_from : s.admitted;
    l->in_hospital_until = s.discharged;
    l->last_admission = s.admitted;
    l->is_dead |= s.is_dead;
    if (s.is_moved) {
        out.is_dead = move_on(l, &s, to).is_dead;
    } else if (!s.is_dead) {
        plan_readmission(l, &s);
        plan_follow_up(l, &s);
    }
    return out;
}

void hd_stay_regular(hd_life *l, int32_t date)
{
    hd_admission a = hd_admission_of(date, l->home);
    a.admimeth = hd_code8_of("13");
    a.intmanig = hd_code8_of("4");
    a.classpat = 3;
    a.mainspef = a.tretspef = "361";
    a.diag = "N185";
    a.procedure = "X403";
    a.hrg = "LD01A";
    a.waited = 0;
    struct stay s = {.a = &a,
                     .admitted = date,
                     .discharged = date,
                     .n_episodes = 1,
                     .from = {date},
                     .until = {date},
                     .dismeth = "1",
                     .disdest = "19"};
    write_stay(l, &s);
    l->last_regular = date;
}
