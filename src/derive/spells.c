/* spells.c - see spells.h. Rule numbers are those of doc/methods.md. */
#include "derive/spells.h"

#include <stdlib.h>

#include "base/alloc.h"

void hd_person_free(hd_person *p)
{
    hd_free(p->episodes);
    hd_free(p->spells);
    hd_free(p->stays);
    *p = (hd_person){0};
}

static int compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* 0 no transfer, 1 out only, 2 in and out, 3 in only. */
static int transfer_state(uint32_t first_flags, uint32_t last_flags)
{
    bool is_in = first_flags & HD_EP_IN, is_out = last_flags & HD_EP_OUT;
    return is_in ? (is_out ? 2 : 3) : is_out ? 1 : 0;
}

/* ---- provider spells ------------------------------------------------------------------------ */

/* Rule 2, with the provider in front. */
static int by_provider_and_order(const void *a, const void *b)
{
    const hd_episode *x = a, *y = b;
    int c = compare(x->provider, y->provider);
    if (c == 0)
        c = compare(x->epistart, y->epistart);
    if (c == 0)
        c = compare(x->epiend, y->epiend);
    if (c == 0)
        c = compare(x->epiorder, y->epiorder);
    if (c == 0)
        c = compare(transfer_state(x->flags, x->flags), transfer_state(y->flags, y->flags));
    return c ? c : compare((int64_t)x->row, (int64_t)y->row);
}

/* Rule 3. */
static bool continues(const hd_episode *before, const hd_episode *e)
{
    return before->provider == e->provider &&
           ((e->admidate != HD_DATE_NONE && e->admidate == before->admidate) ||
            e->epistart == before->epistart ||
            ((before->flags & HD_EP_NOT_ENDED) && e->epistart == before->epiend));
}

/* Rule 5. */
static void close_spell(hd_spell *s, const hd_episode *first)
{
    const hd_episode *last = first + s->n - 1;
    s->admidate = first->admidate;
    s->epistart = first->epistart;
    s->row = first->row;
    s->state = transfer_state(first->flags, last->flags);
    s->is_finished = last->flags & HD_EP_ENDED;
    s->end = s->is_finished && last->disdate != HD_DATE_NONE ? last->disdate : last->epiend;
}

hd_code hd_person_spells(hd_person *p, hd_err *err)
{
    p->n_spells = 0;
    if (p->n_episodes > 1)
        qsort(p->episodes, p->n_episodes, sizeof *p->episodes, by_provider_and_order);
    size_t kept = 0;
    for (size_t i = 0; i < p->n_episodes; i++) {
        hd_episode e = p->episodes[i];
        const hd_episode *before = kept ? &p->episodes[kept - 1] : NULL;
        bool joins = before && continues(before, &e);
        if (e.admidate == HD_DATE_NONE) { /* rule 4 */
            if (!joins)
                continue;
            e.admidate = before->admidate;
        }
        if (!joins) {
            if (!HD_GROW(p->spells, p->n_spells, p->spells_cap))
                return hd_fail_nomem(err);
            p->spells[p->n_spells++] = (hd_spell){.first = kept};
        }
        p->spells[p->n_spells - 1].n++;
        p->episodes[kept++] = e;
    }
    p->n_episodes = kept;
    for (size_t i = 0; i < p->n_spells; i++)
        close_spell(&p->spells[i], &p->episodes[p->spells[i].first]);
    return HD_OK;
}

const hd_episode *hd_spell_first(const hd_person *p, const hd_spell *s)
{
    return &p->episodes[s->first];
}

const hd_episode *hd_spell_last(const hd_person *p, const hd_spell *s)
{
    return &p->episodes[s->first + s->n - 1];
}

/* ---- continuous spells ---------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const hd_spell *x = a, *y = b;
    int c = compare(x->admidate, y->admidate);
    if (c == 0)
        c = compare(x->end, y->end);
    if (c == 0)
        c = compare(x->state, y->state);
    if (c == 0)
        c = compare(x->epistart, y->epistart);
    return c ? c : compare((int64_t)x->row, (int64_t)y->row);
}

void hd_person_sort_spells(hd_person *p)
{
    if (p->n_spells > 1)
        qsort(p->spells, p->n_spells, sizeof *p->spells, by_time);
}

/* Rule 3. */
static bool is_transfer(const hd_person *p, const hd_spell *before, const hd_spell *s,
                        int32_t max_gap_days)
{
    if (s->admidate - (int64_t)before->end > max_gap_days)
        return false;
    uint32_t out = hd_spell_last(p, before)->flags, in = hd_spell_first(p, s)->flags;
    const uint32_t never = HD_EP_NOT_FROM | HD_EP_NOT_BY;
    if ((out & HD_EP_NOT_TO) && (in & never) == never)
        return false;
    return (out & HD_EP_DISCHARGED_TO) || (in & (HD_EP_ADMITTED_FROM | HD_EP_ADMITTED_BY));
}

hd_code hd_person_stays(hd_person *p, int32_t max_gap_days, hd_err *err)
{
    p->n_stays = 0;
    size_t kept = 0;
    for (size_t i = 0; i < p->n_spells; i++) /* rule 1 */
        if (!(hd_spell_first(p, &p->spells[i])->flags & HD_EP_LEFT_OUT))
            p->spells[kept++] = p->spells[i];
    p->n_spells = kept;
    hd_person_sort_spells(p);
    for (size_t i = 0; i < p->n_spells; i++) {
        const hd_spell *s = &p->spells[i];
        if (i == 0 || !is_transfer(p, s - 1, s, max_gap_days)) {
            if (!HD_GROW(p->stays, p->n_stays, p->stays_cap))
                return hd_fail_nomem(err);
            p->stays[p->n_stays++] = (hd_spell){.first = i, .admidate = s->admidate};
        }
        hd_spell *stay = &p->stays[p->n_stays - 1];
        stay->n++;
        stay->end = s->end;
        stay->is_finished = s->is_finished;
    }
    size_t ordinary = p->n_stays;
    for (size_t i = p->n_stays; i-- > 0;) {
        if (hd_stay_first(p, &p->stays[i])->flags & HD_EP_ORDINARY)
            ordinary = i;
        p->stays[i].ordinary = ordinary;
    }
    return HD_OK;
}

int32_t hd_person_next_emergency(const hd_person *p, size_t i)
{
    const hd_spell *this = &p->stays[i];
    if (!this->is_finished)
        return HD_DATE_NONE;
    /* Stays ascend by admidate: halve to the first later one that begins on or after the end. */
    size_t low = i + 1, high = p->n_stays;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->stays[middle].admidate < this->end)
            low = middle + 1;
        else
            high = middle;
    }
    size_t next = low < p->n_stays ? p->stays[low].ordinary : p->n_stays;
    if (next == p->n_stays || !(hd_stay_first(p, &p->stays[next])->flags & HD_EP_EMERGENCY))
        return HD_DATE_NONE;
    return p->stays[next].admidate - this->end;
}
