/* agreement.c - what is looked at across the fields of one row: the checks of checks.csv, and the
 * cell of provider and month that the row falls into. Nothing here rejects a row by itself. */
#include "base/alloc.h"
#include "base/date.h"
#include "landing/private.h"

#include <string.h>

/* Provider and month pairs kept apart; rubbish in the provider field must not eat the memory. */
enum { MAX_CELLS = 100 * 1000 };

static const hd_target *target_at(const struct hd_intake *in, int position)
{
    int i = position < 0 ? -1 : in->target_of[position];
    return i >= 0 && in->targets[i].n_sources && in->targets[i].is_watched ? &in->targets[i] : NULL;
}

/* Which columns of this file the checks read. */
hd_code hd_agreement_bind(struct hd_intake *in, hd_err *err)
{
    const hd_rulebook *r = in->rules;
    in->bound = hd_calloc(r->n_checks, sizeof *in->bound);
    in->conditioned = hd_calloc(in->n_targets, sizeof *in->conditioned);
    if (!in->bound || !in->conditioned)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < r->n_checks; i++) {
        const hd_check *k = &r->checks[i];
        in->bound[i] = (hd_bound){target_at(in, k->a), target_at(in, k->b), target_at(in, k->c)};
    }
    in->n_conditioned = 0;
    for (size_t i = 0; i < in->n_targets; i++)
        if (in->targets[i].condition_bits && in->targets[i].n_sources)
            in->conditioned[in->n_conditioned++] = &in->targets[i];
    in->place = (hd_bound){target_at(in, r->provider), target_at(in, r->period), NULL};
    for (size_t i = 0; i < r->n_key_fields; i++)
        in->key_fields[i] = target_at(in, r->key_fields[i]);
    return HD_OK;
}

void hd_agreement_release(struct hd_intake *in)
{
    hd_free(in->bound);
    hd_free(in->conditioned);
    in->bound = NULL;
    in->conditioned = NULL;
}

static const hd_cell *cell_of(const hd_target *t, unsigned made, size_t row)
{
    return t ? &t->made[made].cells[row] : NULL;
}

static bool is_proper(const hd_cell *c)
{
    return c && (c->flags & HD_KNOWN_PROPER);
}

/* Minutes of the day, from a clock text or from hhmm that the catalogue calls an integer. */
static int64_t minutes_of(const struct hd_intake *in, int position, const hd_cell *c)
{
    if (in->table->fields[position].type == HD_TEXT || c->number == INT64_MIN)
        return c->number;
    bool ok = c->number >= 0 && c->number / 100 < 24 && c->number % 100 < 60;
    return ok ? c->number / 100 * 60 + c->number % 100 : INT64_MIN;
}

static bool is_one(const struct hd_intake *in, int position, const hd_cell *c)
{
    if (in->table->fields[position].type == HD_TEXT)
        return c->text_len == 1 && c->text[0] == '1';
    return c->number == 1;
}

enum verdict { NOT_APPLICABLE, AGREES, CONTRADICTS };

static enum verdict verdict(bool agrees)
{
    return agrees ? AGREES : CONTRADICTS;
}

static enum verdict compare(const struct hd_intake *in, const hd_check *k, const hd_bound *bound,
                            unsigned made, size_t row)
{
    const hd_cell *a = cell_of(bound->a, made, row), *b = cell_of(bound->b, made, row);
    const hd_cell *c = cell_of(bound->c, made, row);
    if (!is_proper(a) || !is_proper(b))
        return NOT_APPLICABLE;
    if (k->test == HD_CHECK_STARTS_WITH)
        return verdict(a->text_len >= b->text_len && memcmp(a->text, b->text, b->text_len) == 0);
    if (k->test == HD_CHECK_MINUTES_EQUAL) {
        int64_t from = minutes_of(in, k->a, a), to = minutes_of(in, k->b, b);
        if (from == INT64_MIN || to == INT64_MIN || !is_proper(c) || c->number == INT64_MIN)
            return NOT_APPLICABLE;
        return verdict(c->number % 1440 == (to - from + 1440) % 1440);
    }
    if (a->number == INT64_MIN || b->number == INT64_MIN)
        return NOT_APPLICABLE;
    if (k->test == HD_CHECK_NOT_BEFORE)
        return verdict(b->number >= a->number);
    if (!is_proper(c) || c->number == INT64_MIN)
        return NOT_APPLICABLE;
    return verdict(c->number == b->number - a->number);
}

static enum verdict apply(const struct hd_intake *in, size_t check, unsigned made, size_t row,
                          uint64_t holds, uint64_t known)
{
    const hd_check *k = &in->rules->checks[check];
    const hd_bound *bound = &in->bound[check];
    if ((k->conditions & known) != k->conditions)
        return NOT_APPLICABLE;
    bool all = (k->conditions & holds) == k->conditions;
    if (k->test == HD_CHECK_NEVER)
        return verdict(!all);
    if (k->test == HD_CHECK_FLAG) {
        const hd_cell *a = cell_of(bound->a, made, row);
        return is_proper(a) ? verdict(is_one(in, k->a, a) == all) : NOT_APPLICABLE;
    }
    return all ? compare(in, k, bound, made, row) : NOT_APPLICABLE;
}

uint32_t hd_agreement_row(struct hd_intake *in, unsigned made, size_t row)
{
    uint64_t holds = 0, known = 0;
    bool contradicts = false;
    for (size_t i = 0; i < in->n_conditioned; i++) {
        const hd_target *t = in->conditioned[i];
        const hd_cell *c = &t->made[made].cells[row];
        holds |= c->conditions;
        if (!(c->flags & HD_KNOWN_NULL))
            known |= t->condition_bits;
    }
    for (size_t i = 0; i < in->rules->n_checks; i++) {
        enum verdict v = apply(in, i, made, row, holds, known);
        in->quality.check_applies[i] += v != NOT_APPLICABLE;
        in->quality.check_fails[i] += v == CONTRADICTS;
        contradicts |= v == CONTRADICTS;
    }
    return contradicts ? 1u << HD_RULE_CONTRADICTION : 0;
}

static hd_code find_cell(struct hd_intake *in, uint32_t provider, int32_t month,
                         hd_quality_cell **out, hd_err *err)
{
    hd_quality *q = &in->quality;
    struct {
        uint32_t provider;
        int32_t month;
    } key = {provider, month};
    uint32_t id = hd_intern_find(in->cell_keys, &key, sizeof key);
    if (id == HD_INTERN_NONE) {
        if (!HD_GROW(q->cells, q->n_cells, in->cap_cells))
            return hd_fail_nomem(err);
        HD_TRY(hd_intern_add(in->cell_keys, &key, sizeof key, &id, err));
        q->cells[q->n_cells++] = (hd_quality_cell){.provider = provider, .month = month};
    }
    *out = &q->cells[id];
    return HD_OK;
}

hd_code hd_cell_row(struct hd_intake *in, unsigned made, size_t row, hd_err *err)
{
    hd_quality *q = &in->quality;
    const hd_rulebook *r = in->rules;
    if (r->n_key_fields == 0)
        return HD_OK;
    const hd_cell *p = cell_of(in->place.a, made, row), *d = cell_of(in->place.b, made, row);
    uint32_t provider = 0; /* number 0 is "": not known, or too many to keep apart */
    if (is_proper(p) && q->n_cells < MAX_CELLS)
        HD_TRY(hd_intern_add(q->providers, p->text, p->text_len, &provider, err));
    int32_t month = is_proper(d) && d->number != INT64_MIN ? hd_date_month_index((int32_t)d->number)
                                                           : INT32_MIN;
    hd_quality_cell *cell;
    HD_TRY(find_cell(in, provider, q->n_cells < MAX_CELLS ? month : INT32_MIN, &cell, err));
    cell->rows++;
    for (size_t i = 0; i < r->n_key_fields; i++) {
        const hd_cell *c = cell_of(in->key_fields[i], made, row);
        cell->counts[i][c ? c->meaning : HD_MEANING_MISSING]++;
    }
    return HD_OK;
}
