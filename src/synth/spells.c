/* spells.c - provider spells and continuous spells of one person for the truth, after
 * doc/methods.md
 * ("Provider spells", "Continuous spells" variant B). Written on its own: src/derive is tested
 * against this, so neither may use the other. */
#include "synth/truth.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

struct spell {
    const hd_episode *first, *last;
    int32_t admidate, disdate, end;
    bool is_finished, has_cancer, is_maternity, is_mental_health;
};

static bool one_of(hd_code8 c, const char *codes)
{
    size_t len = strnlen(c.s, sizeof c.s);
    for (const char *p = codes; len && *p; p += strcspn(p, " ") + (p[strcspn(p, " ")] == ' '))
        if (strcspn(p, " ") == len && memcmp(p, c.s, len) == 0)
            return true;
    return false;
}

static int transfer_state(const hd_episode *first, const hd_episode *last)
{
    bool in = one_of(first->admisorc, "51 52 53") || one_of(first->admimeth, "2B 81");
    bool out = one_of(last->disdest, "51 52 53");
    return in ? (out ? 2 : 3) : (out ? 1 : 0);
}

static int cmp(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_stay(const void *pa, const void *pb)
{
    const hd_episode *a = pa, *b = pb;
    int c = cmp(a->has_person, b->has_person);
    c = c ? c : cmp(a->unit, b->unit);
    c = c ? c : cmp(a->epistart, b->epistart);
    c = c ? c : cmp(a->epiend, b->epiend);
    c = c ? c : cmp(a->epiorder == HD_NONE, b->epiorder == HD_NONE);
    c = c ? c : cmp(a->epiorder, b->epiorder);
    return c ? c : cmp(transfer_state(a, a), transfer_state(b, b));
}

static int by_admission(const void *pa, const void *pb)
{
    const struct spell *a = pa, *b = pb;
    int c = cmp(a->first->has_person, b->first->has_person);
    c = c ? c : cmp(a->admidate, b->admidate);
    c = c ? c : cmp(a->end, b->end);
    c = c ? c : cmp(transfer_state(a->first, a->last), transfer_state(b->first, b->last));
    return c ? c : cmp(a->first->epistart, b->first->epistart);
}

static bool may_enter(const hd_episode *e)
{
    return hd_code8_is(e->epistat, "3") && hd_date_is_real(e->epistart) &&
           hd_date_is_real(e->epiend);
}

static void take_in(struct spell *s, const hd_episode *e)
{
    s->last = e;
    s->has_cancer |= e->has_cancer;
    s->is_maternity |= !hd_code8_is(e->epitype, "1") || one_of(e->mainspef, "501 560 610");
    s->is_mental_health |=
        strncmp(e->mainspef.s, "700", 4) >= 0 && strncmp(e->mainspef.s, "715", 4) <= 0;
    s->is_finished = one_of(e->dismeth, "1 2 3 4 5 6 7");
    s->end = e->epiend;
    s->disdate = HD_DATE_NONE;
    if (s->is_finished)
        s->end = s->disdate = hd_date_is_real(e->disdate) ? e->disdate : e->epiend;
}

/* Provider spells of sorted episodes; returns how many. */
static size_t make_spells(hd_episode *e, size_t n, struct spell *spells)
{
    size_t n_spells = 0;
    hd_episode *before = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!may_enter(&e[i]))
            continue;
        int32_t admitted = hd_date_is_real(e[i].admidate) ? e[i].admidate
                           : e[i].epiorder == 1           ? e[i].epistart
                                                          : HD_DATE_NONE;
        bool goes_on = before && e[i].has_person && before->unit == e[i].unit &&
                       before->has_person &&
                       ((admitted != HD_DATE_NONE && admitted == before->admidate) ||
                        e[i].epistart == before->epistart ||
                        (one_of(before->dismeth, "8 9") && e[i].epistart == before->epiend));
        if (!goes_on && admitted == HD_DATE_NONE)
            continue;
        e[i].admidate = admitted != HD_DATE_NONE ? admitted : before->admidate;
        if (!goes_on)
            spells[n_spells++] = (struct spell){.first = &e[i], .admidate = e[i].admidate};
        take_in(&spells[n_spells - 1], &e[i]);
        before = &e[i];
    }
    return n_spells;
}

static bool is_transferred(const struct spell *s)
{
    return one_of(s->last->disdest, "49 50 51 52 53 84 87");
}

static void count_stays(hd_truth *t, const struct spell *s)
{
    static const hd_measure mean[2] = {HD_MEAN_ELECTIVE, HD_MEAN_EMERGENCY};
    static const hd_measure median[2] = {HD_MEDIAN_ELECTIVE, HD_MEDIAN_EMERGENCY};
    bool emergency = s->first->admimeth.s[0] == '2';
    int unit = s->last->unit;
    int32_t days = s->disdate - s->admidate;
    if (days >= 0) {
        hd_truth_add(t, unit, s->disdate, mean[emergency], (uint64_t)days, 1);
        hd_truth_value(t, unit, s->disdate, median[emergency], days);
    }
    if (emergency)
        hd_truth_add(t, unit, s->disdate, HD_ZERO_DAYS, days == 0, 1);
}

static void count_spell(hd_truth *t, const struct spell *s)
{
    hd_truth_total(t, HD_TOTAL_SPELLS);
    if (!s->is_finished || !hd_code8_is(s->first->epitype, "1"))
        return;
    int unit = s->last->unit;
    bool ordinary = hd_code8_is(s->first->classpat, "1");
    bool day_case = hd_code8_is(s->first->classpat, "2");
    bool elective = one_of(s->first->admimeth, "11 12 13");
    bool emergency = s->first->admimeth.s[0] == '2';
    bool alive = one_of(s->last->dismeth, "1 2 3 6 7");
    bool died = hd_code8_is(s->last->dismeth, "4");
    bool destination = s->last->disdest.s[0] != '\0';
    if (elective && (ordinary || day_case))
        hd_truth_add(t, unit, s->disdate, HD_DAY_CASES, day_case, 1);
    if (!ordinary)
        return;
    if (elective || emergency)
        count_stays(t, s);
    if (alive || died)
        hd_truth_add(t, unit, s->disdate, HD_MORTALITY, died, 1);
    if (!alive || !destination || is_transferred(s))
        return;
    if (hd_code8_is(s->first->admisorc, "19"))
        hd_truth_add(t, unit, s->disdate, HD_USUAL_RESIDENCE, hd_code8_is(s->last->disdest, "19"),
                     1);
    if (emergency) {
        bool weekend = hd_date_weekday(s->disdate) >= 5;
        hd_truth_add(t, unit, s->disdate, HD_WEEKEND, weekend, !weekend);
    }
}

static bool continues(const struct spell *before, const struct spell *s)
{
    if (!before->first->has_person || !s->first->has_person || s->admidate - before->end > 2)
        return false;
    if (hd_code8_is(before->last->disdest, "19") && hd_code8_is(s->first->admisorc, "51") &&
        hd_code8_is(s->first->admimeth, "21"))
        return false;
    return one_of(before->last->disdest, "49 50 51 52 53 84") ||
           one_of(s->first->admisorc, "49 50 51 52 53 87") || one_of(s->first->admimeth, "2B 81");
}

/* Join sorted provider spells in place into continuous ones; returns how many. */
static size_t make_continuous(struct spell *s, size_t n)
{
    size_t out = 0;
    const hd_episode *last = NULL; /* of the provider spell before */
    struct spell before = {0};
    for (size_t i = 0; i < n; i++) {
        struct spell next = s[i];
        if (one_of(next.first->classpat, "3 4"))
            continue;
        if (last && continues(&before, &next)) {
            struct spell *c = &s[out - 1];
            c->last = next.last;
            c->is_finished = next.is_finished;
            c->disdate = next.disdate;
            c->has_cancer |= next.has_cancer;
            c->is_maternity |= next.is_maternity;
            c->is_mental_health |= next.is_mental_health;
        } else {
            s[out++] = next;
        }
        before = next;
        last = next.last;
    }
    return out;
}

static void count_readmission(hd_truth *t, const struct spell *s, size_t i, size_t n)
{
    const struct spell *c = &s[i];
    if (!c->is_finished || !one_of(c->last->dismeth, "1 2 3 6 7") ||
        !hd_code8_is(c->first->classpat, "1") || c->has_cancer || c->is_maternity ||
        c->is_mental_health)
        return;
    int32_t days = -1;
    for (size_t k = i + 1; c->first->has_person && k < n; k++) {
        if (!hd_code8_is(s[k].first->classpat, "1") || s[k].admidate < c->disdate)
            continue;
        if (s[k].first->admimeth.s[0] == '2')
            days = s[k].admidate - c->disdate;
        break;
    }
    hd_truth_add(t, c->last->unit, c->disdate, HD_READMISSION_30, days >= 0 && days <= 29, 1);
    hd_truth_add(t, c->last->unit, c->disdate, HD_READMISSION_28, days >= 0 && days <= 27, 1);
}

hd_code hd_truth_spells(hd_truth *t, hd_episode *episodes, size_t n, hd_err *err)
{
    if (n == 0)
        return HD_OK;
    struct spell few[32], *spells = few;
    if (n > sizeof few / sizeof *few) {
        spells = hd_calloc(n, sizeof *spells);
        if (!spells)
            return hd_fail_nomem(err);
    }
    qsort(episodes, n, sizeof *episodes, by_stay);
    size_t n_spells = make_spells(episodes, n, spells);
    for (size_t i = 0; i < n_spells; i++)
        count_spell(t, &spells[i]);
    if (n_spells > 1)
        qsort(spells, n_spells, sizeof *spells, by_admission);
    size_t n_continuous = make_continuous(spells, n_spells);
    for (size_t i = 0; i < n_continuous; i++) {
        hd_truth_total(t, HD_TOTAL_CONTINUOUS);
        count_readmission(t, spells, i, n_continuous);
    }
    if (spells != few)
        hd_free(spells);
    return HD_OK;
}
