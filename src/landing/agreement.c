/* agreement.c - what is looked at across the fields of one row: the checks of checks.csv, and the
 * cell of provider and month that the row falls into. Nothing here rejects a row by itself. A chunk
 * is gone over once for each check and each field, so that the loops are short. */
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
    memset(in->places, 0, sizeof *in->places << HD_PLACE_BITS);
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

enum verdict { NOT_APPLICABLE, AGREES, CONTRADICTS };

static inline enum verdict verdict(bool agrees)
{
    return agrees ? AGREES : CONTRADICTS;
}

struct operand { /* kinds is NULL when the file has no such column */
    const uint8_t *kinds;
    const int64_t *numbers;
    const hd_slice *texts;
    bool is_text;
};

static struct operand operand(const hd_target *t, unsigned made)
{
    if (!t)
        return (struct operand){0};
    const hd_made *m = &t->made[made];
    return (struct operand){m->kinds, m->numbers, m->texts, t->field->type == HD_TEXT};
}

static inline bool is_proper(const struct operand *o, size_t row)
{
    return o->kinds[row] & HD_KIND_PROPER;
}

static inline bool has_number(const struct operand *o, size_t row)
{
    return is_proper(o, row) && o->numbers[row] != INT64_MIN;
}

/* Minutes of the day, from a clock text or from hhmm that the catalogue calls an integer. */
static inline int64_t minutes_of(const struct operand *o, size_t row)
{
    int64_t n = o->numbers[row];
    if (o->is_text || n == INT64_MIN)
        return n;
    return n >= 0 && n / 100 < 24 && n % 100 < 60 ? n / 100 * 60 + n % 100 : INT64_MIN;
}

struct comparison {
    struct operand a, b, c;
};

/* The tests: a row in which the conditions are known, and whether all of them hold. */
static inline enum verdict starts_with(const struct comparison *k, size_t row, bool all)
{
    if (!all || !is_proper(&k->a, row) || !is_proper(&k->b, row))
        return NOT_APPLICABLE;
    hd_slice a = k->a.texts[row], b = k->b.texts[row];
    return verdict(a.len >= b.len && memcmp(a.bytes, b.bytes, b.len) == 0);
}

static inline enum verdict minutes_equal(const struct comparison *k, size_t row, bool all)
{
    if (!all || !is_proper(&k->a, row) || !is_proper(&k->b, row) || !has_number(&k->c, row))
        return NOT_APPLICABLE;
    int64_t from = minutes_of(&k->a, row), to = minutes_of(&k->b, row);
    if (from == INT64_MIN || to == INT64_MIN)
        return NOT_APPLICABLE;
    return verdict(k->c.numbers[row] % 1440 == (to - from + 1440) % 1440);
}

static inline enum verdict not_before(const struct comparison *k, size_t row, bool all)
{
    return all && has_number(&k->a, row) && has_number(&k->b, row)
               ? verdict(k->b.numbers[row] >= k->a.numbers[row])
               : NOT_APPLICABLE;
}

static inline enum verdict days_equal(const struct comparison *k, size_t row, bool all)
{
    return all && has_number(&k->a, row) && has_number(&k->b, row) && has_number(&k->c, row)
               ? verdict(k->c.numbers[row] == k->b.numbers[row] - k->a.numbers[row])
               : NOT_APPLICABLE;
}

static inline enum verdict flag(const struct comparison *k, size_t row, bool all)
{
    if (!is_proper(&k->a, row))
        return NOT_APPLICABLE;
    bool is_one = k->a.is_text ? k->a.texts[row].len == 1 && k->a.texts[row].bytes[0] == '1'
                               : k->a.numbers[row] == 1;
    return verdict(is_one == all);
}

static inline enum verdict never(const struct comparison *k, size_t row, bool all)
{
    (void)k, (void)row;
    return verdict(!all);
}

/* One loop for each test, with the test inside it. */
#define EACH_ROW(test)                                                                             \
    for (size_t r = 0; r < c->n_rows; r++) {                                                       \
        enum verdict v = (in->known[r] & need) == need                                             \
                             ? test(&k, r, (in->holds[r] & need) == need)                          \
                             : NOT_APPLICABLE;                                                     \
        applies += v != NOT_APPLICABLE;                                                            \
        fails += v == CONTRADICTS;                                                                 \
        c->broken[r] |= v == CONTRADICTS ? 1u << HD_RULE_CONTRADICTION : 0;                        \
    }

static void apply(struct hd_intake *in, hd_chunk *c, size_t check, unsigned made)
{
    const hd_bound *bound = &in->bound[check];
    const uint64_t need = in->rules->checks[check].conditions;
    const hd_check_test test = in->rules->checks[check].test;
    const struct comparison k = {operand(bound->a, made), operand(bound->b, made),
                                 operand(bound->c, made)};
    uint64_t applies = 0, fails = 0;
    bool has_pair = k.a.kinds && k.b.kinds;
    if (test == HD_CHECK_NEVER)
        EACH_ROW(never)
    else if (test == HD_CHECK_FLAG && k.a.kinds)
        EACH_ROW(flag)
    else if (test == HD_CHECK_STARTS_WITH && has_pair)
        EACH_ROW(starts_with)
    else if (test == HD_CHECK_NOT_BEFORE && has_pair)
        EACH_ROW(not_before)
    else if (test == HD_CHECK_DAYS_EQUAL && has_pair && k.c.kinds)
        EACH_ROW(days_equal)
    else if (test == HD_CHECK_MINUTES_EQUAL && has_pair && k.c.kinds)
        EACH_ROW(minutes_equal)
    in->quality.check_applies[check] += applies;
    in->quality.check_fails[check] += fails;
}

void hd_agreement_rows(struct hd_intake *in, hd_chunk *c, unsigned made)
{
    memset(in->holds, 0, c->n_rows * sizeof *in->holds);
    memset(in->known, 0, c->n_rows * sizeof *in->known);
    for (size_t i = 0; i < in->n_conditioned; i++) {
        const hd_target *t = in->conditioned[i];
        const hd_made *m = &t->made[made];
        for (size_t r = 0; r < c->n_rows; r++) {
            in->holds[r] |= m->conditions[r];
            in->known[r] |= m->kinds[r] & HD_KIND_NULL ? 0 : t->condition_bits;
        }
    }
    for (size_t i = 0; i < in->rules->n_checks; i++)
        apply(in, c, i, made);
}

/* ---- provider and month --------------------------------------------------------------------- */

static hd_code find_cell(struct hd_intake *in, uint32_t provider, int32_t month, uint32_t *id,
                         hd_err *err)
{
    hd_quality *q = &in->quality;
    struct {
        uint32_t provider;
        int32_t month;
    } key = {provider, month};
    *id = hd_intern_find(in->cell_keys, &key, sizeof key);
    if (*id != HD_INTERN_NONE)
        return HD_OK;
    if (!HD_GROW(q->cells, q->n_cells, in->cap_cells))
        return hd_fail_nomem(err);
    HD_TRY(hd_intern_add(in->cell_keys, &key, sizeof key, id, err));
    q->cells[q->n_cells++] = (hd_quality_cell){.provider = provider, .month = month};
    return HD_OK;
}

/* The provider of a row as delivered, when that is all in one word; else HD_MEMO_FREE. */
static inline uint64_t provider_word(const struct hd_intake *in, const hd_chunk *c, size_t row)
{
    const hd_target *t = in->place.a;
    return t && t->field->kind == HD_FIELD_STORED
               ? c->batch.laid[t->sources[0]].first[c->rows[row]]
               : HD_MEMO_FREE;
}

/* The cell of a row. Number 0 is "": a provider that is not known, or too many to keep apart. */
static hd_code cell_of(struct hd_intake *in, const hd_chunk *c, const struct operand *p,
                       const struct operand *d, size_t row, uint32_t *cell, hd_err *err)
{
    hd_quality *q = &in->quality;
    bool is_open = q->n_cells < MAX_CELLS;
    bool has_provider = p->kinds && is_proper(p, row) && is_open;
    int32_t month = is_open && d->kinds && has_number(d, row)
                        ? hd_date_month_index((int32_t)d->numbers[row])
                        : INT32_MIN;
    uint32_t provider = 0;
    hd_place *place = NULL;
    const uint64_t word = has_provider ? provider_word(in, c, row) : HD_MEMO_FREE;
    if (hd_memo_is_whole(word)) {
        uint64_t hash = (word + (uint64_t)month) * UINT64_C(0x9E3779B97F4A7C15);
        place = &in->places[hash >> (64 - HD_PLACE_BITS)];
        *cell = place->cell_plus_one - 1;
        if (place->cell_plus_one && place->provider == word && place->month == month)
            return HD_OK;
    }
    if (has_provider)
        HD_TRY(hd_intern_add(q->providers, p->texts[row].bytes, p->texts[row].len, &provider, err));
    HD_TRY(find_cell(in, provider, month, cell, err));
    if (place)
        *place = (hd_place){word, *cell + 1, month};
    return HD_OK;
}

/* Eight rows. */
static inline bool are_valid(const uint8_t *kinds)
{
    uint64_t word;
    _Static_assert(HD_MEANING_VALID == 0, "no bits");
    memcpy(&word, kinds, sizeof word);
    return (word & HD_KIND_MEANING * UINT64_C(0x0101010101010101)) == 0;
}

hd_code hd_cell_rows(struct hd_intake *in, const hd_chunk *c, unsigned made, hd_err *err)
{
    const hd_rulebook *r = in->rules;
    const struct operand p = operand(in->place.a, made), d = operand(in->place.b, made);
    if (r->n_key_fields == 0)
        return HD_OK;
    for (size_t row = 0; row < c->n_rows; row++)
        HD_TRY(cell_of(in, c, &p, &d, row, &in->cells[row], err));
    hd_quality_cell *cells = in->quality.cells;
    for (size_t row = 0; row < c->n_rows; row++)
        cells[in->cells[row]].rows++;
    for (size_t i = 0; i < r->n_key_fields; i++) {
        const struct operand o = operand(in->key_fields[i], made);
        for (size_t row = 0; row < c->n_rows; row++) {
            while (o.kinds && row + 8 <= c->n_rows && are_valid(o.kinds + row))
                row += 8;
            if (row == c->n_rows)
                break;
            unsigned meaning = o.kinds ? o.kinds[row] & HD_KIND_MEANING : HD_MEANING_MISSING;
            if (meaning != HD_MEANING_VALID)
                cells[in->cells[row]].counts[i][meaning]++;
        }
    }
    return HD_OK;
}

void hd_cells_complete(struct hd_intake *in)
{
    hd_quality *q = &in->quality;
    for (size_t k = 0; k < q->n_cells; k++)
        for (size_t i = 0; i < in->rules->n_key_fields; i++) {
            uint64_t *counts = q->cells[k].counts[i], others = 0;
            for (unsigned m = 0; m < 5; m++)
                others += m == HD_MEANING_VALID ? 0 : counts[m];
            counts[HD_MEANING_VALID] = q->cells[k].rows - others;
        }
}
