/* account.c - see account.h. */
#include "disclosure/account.h"

#include "base/alloc.h"
#include "disclosure/rule.h"
#include "disclosure/system.h"

#include <string.h>

static const char magic[8] = "hdacc 9", any_magic[6] = "hdacc ";

/* ---- memory --------------------------------------------------------------------------------- */

static hd_code make_arrays(hd_account *a, hd_err *err)
{
    size_t n = a->n_cells + 1;
    a->told = hd_calloc(n, sizeof *a->told);
    a->keys = hd_calloc(n * (a->n_keys + 1), sizeof *a->keys);
    a->is_left_out = hd_calloc(n, sizeof *a->is_left_out);
    a->printed = hd_calloc(n * (a->n_columns + 1), sizeof *a->printed);
    a->marks = hd_calloc(n * (a->n_aggregates + 1), sizeof *a->marks);
    a->values = hd_calloc(n * (a->n_aggregates + 1), sizeof *a->values);
    if (!a->told || !a->keys || !a->is_left_out || !a->printed || !a->marks || !a->values)
        return hd_fail_nomem(err);
    return HD_OK;
}

void hd_account_free(hd_account *a)
{
    size_t n = a->n_cells + 1;
    if (a->viewed) {
        *a = (hd_account){0};
        return;
    }
    hd_free(a->told);
    hd_free(a->keys);
    hd_free(a->is_left_out);
    hd_wipe_free(a->items, (a->n_cells * a->n_columns + 1) * sizeof *a->items);
    hd_wipe_free(a->printed, n * (a->n_columns + 1) * sizeof *a->printed);
    hd_free(a->marks);
    hd_wipe_free(a->values, n * (a->n_aggregates + 1) * sizeof *a->values);
    hd_wipe_free(a->known, a->known_cap_ * sizeof *a->known);
    hd_wipe_free(a->summed, a->summed_cap_ * sizeof *a->summed);
    hd_wipe_free(a->few, a->few_cap_ * sizeof *a->few);
    hd_free(a->definitions);
    hd_free(a->spans);
    hd_free(a->span_values);
    hd_free(a->question);
    hd_free(a->certificate);
    *a = (hd_account){0};
}

/* ---- making --------------------------------------------------------------------------------- */

static bool is_count_kind(hd_aggregate_kind k)
{
    return k == HD_AGG_COUNT || k == HD_AGG_COUNT_PERSONS;
}

/* How many there are of what a column is about: records, or people. */
static int64_t size_of(const hd_account *a, size_t column, const hd_cell *c)
{
    return a->kinds[column] == HD_SET_PEOPLE ? c->persons : c->records;
}

/* How many records everybody in a figure has, as who asked may know. */
typedef struct several {
    uint8_t times; /* at least */
    int64_t most;  /* HD_NO_BOUND: no more is known */
} several;

/* By its definition, where everybody has as many records in it as events. Of what is shown also where the
 * definition does not say so, or not so that it is understood. */
static several several_of(const hd_question *q, const hd_set *set, const hd_definition *d, const hd_span *spans,
                          bool is_shown)
{
    enum { MOST_TIMES = 200 };
    uint32_t n = set->profile.people ? set->profile.fewest : 1;
    several s = {1, HD_NO_BOUND};
    if (!q->counts_events)
        return s;
    for (size_t i = 0; d && i < HD_DEFINITION_SPANS && d->spans[i]; i++) {
        const hd_span *e = &spans[d->spans[i] - 1];
        if (e->fewest <= s.times || e->fewest > n || e->fewest > MOST_TIMES)
            continue;
        s = (several){(uint8_t)e->fewest, e->most};
    }
    if (is_shown && n > s.times)
        s.times = n < MOST_TIMES ? (uint8_t)n : MOST_TIMES;
    return s;
}

static hd_policy_file coarser(const hd_policy_file *p, uint8_t times)
{
    hd_policy_file c = *p;
    c.rounded_to *= p->rounded_to > 1 ? times : 1;
    return c;
}

/* The most records that the mark may stand for. */
static int64_t most_of_few(const hd_policy_file *p, int64_t truth, several each)
{
    bool by_people = truth > p->withheld_to || each.times > 1;
    if (!by_people || each.most >= HD_NO_BOUND)
        return by_people ? HD_NO_BOUND : p->withheld_to;
    int64_t most = (p->minimum_persons - 1) * each.most;
    return most > p->withheld_to ? most : p->withheld_to;
}

static void print_count(hd_printed *out, const hd_policy_file *policy, const hd_figure *f, int64_t truth,
                        several each, bool is_exact)
{
    const hd_policy_file scaled = coarser(policy, each.times), *p = &scaled;
    out->mark = f->mark;
    out->is_count = true;
    if (f->mark) {
        out->low = p->zero_is_shown && truth > 0 ? each.times : 0;
        out->high = most_of_few(p, truth, each); /* few people may have many records */
    } else if (is_exact) {
        out->low = out->high = f->value.integer;
        out->is_exact = true;
    } else {
        hd_rule_range r = hd_rule_range_shown(p, f->value.integer);
        out->low = r.low;
        out->high = r.high == HD_RULE_ENDLESS ? HD_NO_BOUND : r.high;
    }
}

/* Where totals are the sums of what is shown, a total says nothing by itself. */
static bool is_summed(const hd_account *a, const hd_policy_file *p, size_t cell)
{
    uint32_t told = a->told[cell];
    bool found = false;
    for (size_t s = 0; s < a->n_sets && p->totals_are_summed && a->is_controlled; s++)
        found = found || (a->sets[s] != told && (a->sets[s] & told) == told);
    return found;
}

/* Whether the count of a column is. */
static bool is_marked(const hd_safe *safe, const hd_account *a, size_t cell, size_t column)
{
    bool found = false;
    for (size_t g = 0; g < a->n_aggregates; g++)
        found = found || (a->column_of[g] == column && is_count_kind(a->kind_of[g]) &&
                          safe->figures[cell * a->n_aggregates + g].mark);
    return found;
}

/* Ten people who have three records each have thirty: whoever is told the one knows the other. */
static void print_records(hd_account *a, const hd_policy_file *p, const hd_question *q, size_t item)
{
    const size_t column = item % a->n_columns;
    const hd_printed *people = &a->printed[item - column + a->people_of[column] - 1];
    const hd_profile *has = &a->items[item].profile;
    hd_printed *out = &a->printed[item];
    several each = several_of(q, &a->items[item], a->n_definitions ? &a->definitions[item] : NULL, a->spans,
                              !people->mark);
    if (!a->is_controlled || !people->is_count || each.times < 2)
        return;
    bool is_bound = people->high < HD_NO_BOUND && each.most < HD_NO_BOUND;
    *out = *people;
    out->low = people->low * each.times;
    out->high = is_bound ? people->high * each.most : HD_NO_BOUND;
    out->times = each.times;
    out->is_small = hd_rule_is_small(p, has->records, has->people) && has->people > 0;
}

static void print_cell(hd_account *a, const hd_policy_file *p, const hd_question *q,
                       const hd_cells *cells, const hd_safe *safe, size_t cell)
{
    int64_t truths[HD_ACCOUNT_AGGREGATES] = {0};
    several each[HD_ACCOUNT_AGGREGATES];
    for (size_t c = 0; c < a->n_columns; c++) {
        size_t item = hd_account_at(a, cell, c);
        each[c] = (several){1, HD_NO_BOUND};
        if (a->is_controlled && a->kinds[c] == HD_SET_RECORDS && !hd_account_is_implied(a, c))
            each[c] = several_of(q, &a->items[item], a->n_definitions ? &a->definitions[item] : NULL, a->spans,
                                 !is_marked(safe, a, cell, c));
        a->printed[item] = (hd_printed){.high = HD_NO_BOUND, .times = each[c].times};
    }
    for (size_t g = 0; g < a->n_aggregates; g++) {
        size_t i = cell * a->n_aggregates + g, column = a->column_of[g];
        const hd_figure *f = &safe->figures[i];
        hd_printed *out = &a->printed[hd_account_at(a, cell, column)];
        const hd_cell truly = hd_cells_figure(cells, cell, g);
        int64_t truth = size_of(a, column, &truly);
        truths[column] = truth;
        a->marks[i] = f->mark;
        if (!f->mark && !f->value.is_null && f->value.type != HD_TEXT)
            a->values[i] = f->value.integer;
        out->is_shown = out->is_shown || (!f->mark && !safe->left_out[cell]);
        out->is_small = truth > 0 && hd_rule_is_small(p, truly.records, truly.persons);
        if (!out->is_count && f->mark)
            out->mark = f->mark;
        if (is_count_kind(a->kind_of[g]) && !is_summed(a, p, cell))
            print_count(out, p, f, truth, each[column], !a->is_controlled);
        if (out->is_count && !out->mark && !out->is_exact) /* 3, for 1 to 6, is a small one, too */
            out->is_small = out->is_small || (out->low <= p->candidates_for_counts_to && out->high > 0);
    }
    for (size_t c = 0; c < a->n_columns; c++) {
        hd_printed *out = &a->printed[hd_account_at(a, cell, c)];
        if (!a->part_of[c])
            continue;
        int64_t n = truths[a->whole_of[c]] - truths[a->part_of[c] - 1];
        out->is_count = true;
        out->is_small = n > 0 && hd_rule_is_small(p, n, n);
    }
    for (size_t c = 0; c < a->n_columns; c++)
        if (a->people_of[c])
            print_records(a, p, q, hd_account_at(a, cell, c));
    /* A row of GROUP BY is there because a record is, and hardly ever one of nobody, whatever its mark may
     * stand for. */
    for (size_t c = 0; c < a->n_columns && a->told[cell] && !safe->left_out[cell]; c++) {
        hd_printed *out = &a->printed[hd_account_at(a, cell, c)];
        bool has_any = a->kinds[c] == HD_SET_RECORDS || a->items[hd_account_at(a, cell, c)].persons;
        if (a->is_all[c] && has_any && out->low == 0)
            out->low = 1;
    }
}

bool hd_account_is_rounded(const hd_account *a)
{
    bool found = false;
    for (size_t i = 0; i < a->n_cells * a->n_columns && !a->is_controlled; i++) {
        const hd_printed *p = &a->printed[i];
        found = found || (p->is_count && p->is_shown && !p->mark && !p->is_exact);
    }
    return found;
}

/* ---- what a filter leaves out ---------------------------------------------------------------- */

/* all - part, where every record of the one is one of the other. How many people it is about is not known of
 * records, nor how often each is there. */
static void subtract(hd_set *out, const hd_set *all, const hd_set *part, hd_set_kind kind)
{
    hd_set_init(out);
    for (size_t k = 0; k < 2; k++)
        out->sum[k] = all->sum[k] - part->sum[k];
    for (size_t b = 0; b < HD_SET_BUCKETS; b++)
        out->buckets[b] = hd_lanes_subtract(all->buckets[b], part->buckets[b]);
    out->persons = kind == HD_SET_PEOPLE ? all->persons - part->persons : 1;
}

/* The column without filter of what `column` counts with one; SIZE_MAX: none. */
static size_t whole_of(const hd_account *a, size_t column)
{
    for (size_t c = 0; c < a->n_columns && !a->is_all[column]; c++)
        if (a->is_all[c] && a->kinds[c] == a->kinds[column])
            return c;
    return SIZE_MAX;
}

/* Of a count and the same with a filter everybody has the difference: what the filter leaves out becomes a
 * column that is not printed, so that its rows and their sums are met by other answers. Not of large answers,
 * which would be twice as large. */
static hd_code add_left_out(hd_account *a, hd_sets *sets, hd_err *err)
{
    enum { MOST_ITEMS = 20000 };
    size_t n = a->n_columns, wholes[HD_ACCOUNT_AGGREGATES], parts[HD_ACCOUNT_AGGREGATES], n_new = 0;
    for (size_t c = 0; c < n && n + n_new < HD_ACCOUNT_AGGREGATES && sets->n_cells * n < MOST_ITEMS; c++) {
        size_t whole = whole_of(a, c);
        if (whole == SIZE_MAX || a->people_of[c])
            continue;
        parts[n_new] = c;
        wholes[n_new++] = whole;
    }
    if (n_new == 0)
        return HD_OK;
    hd_set *items = hd_calloc(sets->n_cells * (n + n_new) + 1, sizeof *items);
    hd_definition *definitions = hd_calloc(sets->n_cells * (n + n_new) + 1, sizeof *definitions);
    if (!items || !definitions) {
        hd_free(items);
        hd_free(definitions);
        return hd_fail_nomem(err);
    }
    for (size_t cell = 0; cell < sets->n_cells; cell++) {
        hd_set *to = items + cell * (n + n_new);
        const hd_set *from = sets->items + cell * n;
        memcpy(to, from, n * sizeof *to);
        if (sets->definitions.n_items)
            memcpy(definitions + cell * (n + n_new), sets->definitions.items + cell * n, n * sizeof *definitions);
        for (size_t i = 0; i < n_new; i++)
            subtract(&to[n + i], &from[wholes[i]], &from[parts[i]], a->kinds[parts[i]]);
    }
    for (size_t i = 0; i < n_new; i++) {
        a->kinds[n + i] = a->kinds[parts[i]];
        a->part_of[n + i] = (uint8_t)(parts[i] + 1);
        a->whole_of[n + i] = (uint8_t)wholes[i];
    }
    hd_wipe_free(sets->items, (sets->n_cells * n + 1) * sizeof *sets->items);
    sets->items = items;
    hd_free(sets->definitions.items);
    sets->definitions.items = definitions;
    sets->definitions.n_items = sets->definitions.n_items ? sets->n_cells * (n + n_new) : 0;
    sets->n_columns = a->n_columns = n + n_new;
    return HD_OK;
}

void hd_account_round_by_set(const hd_policy_file *p, const hd_question *q, const hd_cells *cells,
                             const hd_sets *sets, hd_safe *safe)
{
    for (size_t i = 0; i < safe->n_cells * safe->n_aggregates; i++) {
        size_t cell = i / safe->n_aggregates, a = i % safe->n_aggregates;
        const hd_set *set = &sets->items[cell * sets->n_columns + sets->column_of[a]];
        hd_aggregate_kind kind = q->aggregates[a].kind;
        uint64_t key = (set->sum[0] ^ set->sum[1] >> 29) * UINT64_C(0x9E3779B97F4A7C15);
        key ^= key >> 32;
        if (is_count_kind(kind) && !safe->figures[i].mark)
            safe->figures[i].value.integer = hd_rule_round_by_set(
                p, hd_vector_at(&cells->figures[a], cell).integer, key * UINT64_C(0xD6E8FEB86659FD93));
    }
}

void hd_account_round_by_people(const hd_policy_file *p, const hd_question *q, const hd_cells *cells,
                                const hd_sets *sets, hd_safe *safe)
{
    for (size_t i = 0; i < safe->n_cells * safe->n_aggregates; i++) {
        size_t cell = i / safe->n_aggregates, a = i % safe->n_aggregates;
        size_t item = cell * sets->n_columns + sets->column_of[a];
        const hd_definitions *d = &sets->definitions;
        uint8_t times = several_of(q, &sets->items[item], d->n_items ? &d->items[item] : NULL, d->spans.at, true).times;
        const hd_policy_file scaled = coarser(p, times);
        if (times > 1 && q->aggregates[a].kind == HD_AGG_COUNT && !safe->figures[i].mark)
            safe->figures[i].value.integer =
                hd_rule_round(&scaled, hd_vector_at(&cells->figures[a], cell).integer);
    }
}

hd_code hd_account_make(hd_account *out, const hd_policy_file *p, const hd_question *q,
                        const uint32_t *asked, size_t n_asked, const hd_cells *cells,
                        const hd_safe *safe, hd_sets *sets, bool is_controlled, hd_err *err)
{
    hd_code rc;
    *out = (hd_account){.is_controlled = is_controlled,
                        .n_keys = q->n_keys,
                        .n_cells = cells->n_cells,
                        .n_columns = sets->n_columns,
                        .n_aggregates = q->n_aggregates,
                        .n_sets = n_asked};
    HD_ALWAYS(n_asked <= HD_ACCOUNT_SETS && sets->n_cells == cells->n_cells);
    memcpy(out->sets, asked, n_asked * sizeof *asked);
    memcpy(out->kinds, sets->kinds, sizeof out->kinds);
    memcpy(out->column_of, sets->column_of, sizeof out->column_of);
    memcpy(out->people_of, sets->people_of, sizeof out->people_of);
    for (size_t a = 0; a < q->n_aggregates; a++) {
        out->kind_of[a] = q->aggregates[a].kind;
        out->is_all[out->column_of[a]] = !q->aggregates[a].has_filter;
    }
    HD_GO(add_left_out(out, sets, err));
    out->items = sets->items;
    out->definitions = sets->definitions.items;
    out->n_definitions = sets->definitions.n_items;
    out->spans = sets->definitions.spans.at;
    out->n_spans = sets->definitions.spans.n;
    out->span_values = sets->definitions.spans.values;
    out->n_values_ = sets->definitions.spans.n_values;
    *sets = (hd_sets){0};
    HD_GO(make_arrays(out, err));
    out->question = hd_strdup(q->sql);
    out->certificate = hd_strdup("");
    if (!out->question || !out->certificate) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    uint32_t all = (uint32_t)((UINT64_C(1) << q->n_keys) - 1);
    for (size_t c = 0; c < cells->n_cells; c++) {
        out->told[c] = all & ~hd_cells_grouping(cells, c);
        out->is_left_out[c] = safe->left_out[c];
        for (size_t k = 0; k < q->n_keys; k++)
            if (out->told[c] >> k & 1)
                out->keys[c * q->n_keys + k] = hd_value_hash(hd_cells_key(cells, c, k));
        print_cell(out, p, q, cells, safe, c);
    }
out:
    if (rc != HD_OK)
        hd_account_free(out);
    return rc;
}

/* ---- as bytes ------------------------------------------------------------------------------- */

/* The parts, in order. The first is the fixed head; the others follow from it. */
typedef struct part {
    void *bytes;
    size_t len;
} part;

enum { N_HEAD = 14, N_PARTS = 21, N_FIXED = 8 /* lie in the account itself */ };

static void list_parts(hd_account *a, part out[N_PARTS])
{
    size_t n = a->n_cells, columns = n * a->n_columns, aggregates = n * a->n_aggregates;
    const part parts[N_PARTS] = {
        {a->sets, sizeof a->sets},
        {a->kinds, sizeof a->kinds},
        {a->is_all, sizeof a->is_all},
        {a->column_of, sizeof a->column_of},
        {a->kind_of, sizeof a->kind_of},
        {a->part_of, sizeof a->part_of},
        {a->whole_of, sizeof a->whole_of},
        {a->people_of, sizeof a->people_of},
        {a->told, n * sizeof *a->told},
        {a->keys, n * a->n_keys * sizeof *a->keys},
        {a->is_left_out, n},
        {a->items, columns * sizeof *a->items},
        {a->printed, columns * sizeof *a->printed},
        {a->marks, aggregates},
        {a->values, aggregates * sizeof *a->values},
        {a->known, a->n_known * sizeof *a->known},
        {a->summed, a->n_summed * sizeof *a->summed},
        {a->few, a->n_few * sizeof *a->few},
        {a->definitions, a->n_definitions * sizeof *a->definitions},
        {a->spans, a->n_spans * sizeof *a->spans},
        {a->span_values, a->n_values_ * sizeof *a->span_values},
    };
    memcpy(out, parts, sizeof parts);
}

void hd_account_of_other_table(hd_account *a, const char *table)
{
    /* Odd, so that sets with different sums keep them, and sums still add up. */
    a->table = hd_value_hash((hd_value){.type = HD_TEXT, .text = {table, strlen(table)}}) | 1;
    for (size_t i = 0; i < a->n_cells * a->n_columns; i++) {
        hd_set *s = &a->items[i];
        if (a->kinds[i % a->n_columns] == HD_SET_PEOPLE)
            continue;
        s->sum[0] *= a->table;
        s->sum[1] *= a->table;
        memset(s->buckets, 0, sizeof s->buckets); /* made of nothing in the answer */
    }
    a->is_of_other_data = true;
    for (size_t i = 0; i < a->n_summed; i++)
        for (size_t k = 0; k < 2 && a->summed[i].kind == HD_SET_RECORDS; k++)
            a->summed[i].sum[k] *= a->table;
    for (size_t i = 0; i < a->n_few; i++) /* they are in no sum with the answer's */
        if (a->few[i].kind == HD_SET_RECORDS)
            a->few[i].kind = HD_SET_PROFILE;
}

hd_code hd_account_know(hd_account *a, const hd_known *k, hd_err *err)
{
    if (!HD_GROW(a->known, a->n_known, a->known_cap_))
        return hd_fail_nomem(err);
    a->known[a->n_known++] = *k;
    return HD_OK;
}

hd_code hd_account_sum(hd_account *a, const hd_summed *whole, const hd_summed *parts, size_t n,
                       hd_err *err)
{
    for (size_t i = 0; i <= n; i++) {
        if (!HD_GROW(a->summed, a->n_summed, a->summed_cap_))
            return hd_fail_nomem(err);
        a->summed[a->n_summed++] = i == 0 ? *whole : parts[i - 1];
    }
    return HD_OK;
}

hd_code hd_account_leave(hd_account *a, const hd_few *few, hd_err *err)
{
    if (!HD_GROW(a->few, a->n_few, a->few_cap_))
        return hd_fail_nomem(err);
    a->few[a->n_few++] = *few;
    return HD_OK;
}

hd_code hd_account_write(const hd_account *a, hd_buf *out, hd_err *err)
{
    static const char zeros[8];
    part parts[N_PARTS];
    hd_account copy = *a; /* lists its own fixed arrays, and a's others */
    uint64_t head[N_HEAD] = {(uint64_t)a->is_controlled | (uint64_t)a->is_defined << 2,
                             a->n_keys,
                             a->n_cells,
                             a->n_columns,
                             a->n_aggregates,
                             a->n_sets,
                             strlen(a->question),
                             strlen(a->certificate),
                             a->n_known,
                             a->n_summed,
                             a->n_few,
                             a->n_definitions,
                             a->n_spans,
                             a->n_values_};
    list_parts(&copy, parts);
    hd_buf_add(out, magic, sizeof magic);
    hd_buf_add(out, head, sizeof head);
    for (size_t i = 0; i < N_PARTS; i++) {
        if (parts[i].len)
            hd_buf_add(out, parts[i].bytes, parts[i].len);
        hd_buf_add(out, zeros, -out->len % 8);
    }
    hd_buf_add(out, a->question, strlen(a->question));
    hd_buf_add(out, a->certificate, strlen(a->certificate));
    return hd_buf_check(out, err);
}

static char *text_of(const unsigned char *bytes, size_t len)
{
    return hd_strndup((const char *)bytes, len);
}

/* Sets of other forms are made of other hashes: nothing can be compared with them, and what
 * cannot be compared must not be passed over. */
static hd_code check_form(const unsigned char *p, size_t len, hd_err *err)
{
    if (len >= sizeof magic && memcmp(p, magic, sizeof magic) == 0)
        return HD_OK;
    if (len >= sizeof magic && memcmp(p, any_magic, sizeof any_magic) == 0)
        return hd_fail(err, HD_FORMAT,
                       "a release in the ledger was entered by another hdis, which keeps sets of "
                       "records in another form: use that one, or load the data into a new vault");
    return hd_fail(err, HD_FORMAT, "a release in the ledger is damaged");
}

/* Where the parts of a body lie, and how long its texts are. */
typedef struct layout {
    size_t at[N_PARTS + 1]; /* the last: of the texts */
    size_t texts[2];
} layout;

static hd_code fail_damaged(hd_err *err)
{
    return hd_fail(err, HD_FORMAT, "a release in the ledger is damaged");
}

/* The head, and where everything else is; sizes are those of the body. */
static hd_code read_head(hd_account *out, const unsigned char *p, size_t len, layout *l,
                         hd_err *err)
{
    uint64_t head[N_HEAD] = {0};
    part parts[N_PARTS];
    HD_TRY(check_form(p, len, err));
    if (len < sizeof magic + sizeof head)
        return fail_damaged(err);
    memcpy(head, p + sizeof magic, sizeof head);
    bool fits = head[1] <= 32 && head[2] <= UINT32_MAX && head[3] <= HD_ACCOUNT_AGGREGATES &&
                head[4] <= HD_ACCOUNT_AGGREGATES && head[5] <= HD_ACCOUNT_SETS && head[6] <= len &&
                head[7] <= len && head[2] <= len && head[8] <= len / sizeof(hd_known) &&
                head[9] <= len / sizeof(hd_summed) && head[10] <= len / sizeof(hd_few) &&
                (head[11] == 0 || head[11] == head[2] * head[3]) && head[12] <= len / sizeof(hd_span) &&
                head[13] <= len / sizeof(uint32_t);
    if (!fits)
        return fail_damaged(err);
    *out = (hd_account){.is_controlled = head[0] & 1,
                        .is_defined = head[0] >> 2 & 1,
                        .n_keys = head[1],
                        .n_cells = head[2],
                        .n_columns = head[3],
                        .n_aggregates = head[4],
                        .n_sets = head[5],
                        .n_known = head[8],
                        .n_summed = head[9],
                        .n_few = head[10],
                        .n_definitions = head[11],
                        .n_spans = head[12],
                        .n_values_ = head[13]};
    l->texts[0] = head[6];
    l->texts[1] = head[7];
    list_parts(out, parts);
    l->at[0] = sizeof magic + sizeof head;
    for (size_t i = 0; i < N_PARTS; i++) {
        size_t end = l->at[i] + parts[i].len;
        l->at[i + 1] = end + -end % 8;
    }
    if (l->at[N_PARTS] + l->texts[0] + l->texts[1] != len)
        return fail_damaged(err);
    for (size_t i = 0; i < N_FIXED; i++)
        memcpy(parts[i].bytes, p + l->at[i], parts[i].len);
    for (size_t i = 0; i < out->n_aggregates; i++)
        if (out->column_of[i] >= out->n_columns)
            return fail_damaged(err);
    for (size_t c = 0; c < out->n_columns; c++)
        if (out->part_of[c] > out->n_columns || out->whole_of[c] >= out->n_columns ||
            out->people_of[c] > out->n_columns)
            return fail_damaged(err);
    return HD_OK;
}

static hd_code check_definitions(const hd_account *a, hd_err *err)
{
    for (size_t i = 0; i < a->n_definitions * HD_DEFINITION_SPANS; i++)
        if (a->definitions[i / HD_DEFINITION_SPANS].spans[i % HD_DEFINITION_SPANS] > a->n_spans)
            return fail_damaged(err);
    for (size_t i = 0; i < a->n_spans; i++)
        if (a->spans[i].first > a->n_values_ || a->spans[i].n > a->n_values_ - a->spans[i].first)
            return fail_damaged(err);
    return HD_OK;
}

hd_code hd_account_read(hd_account *out, const void *bytes, size_t len, hd_err *err)
{
    const unsigned char *p = bytes;
    hd_code rc;
    layout l;
    part parts[N_PARTS];
    *out = (hd_account){0};
    HD_GO(read_head(out, p, len, &l, err));
    out->items = hd_calloc(out->n_cells * out->n_columns + 1, sizeof *out->items);
    out->known_cap_ = out->n_known + 1;
    out->known = hd_calloc(out->known_cap_, sizeof *out->known);
    out->summed_cap_ = out->n_summed + 1;
    out->summed = hd_calloc(out->summed_cap_, sizeof *out->summed);
    out->few_cap_ = out->n_few + 1;
    out->few = hd_calloc(out->few_cap_, sizeof *out->few);
    out->definitions = hd_calloc(out->n_definitions + 1, sizeof *out->definitions);
    out->spans = hd_calloc(out->n_spans + 1, sizeof *out->spans);
    out->span_values = hd_calloc(out->n_values_ + 1, sizeof *out->span_values);
    out->question = text_of(p + l.at[N_PARTS], l.texts[0]);
    out->certificate = text_of(p + l.at[N_PARTS] + l.texts[0], l.texts[1]);
    if (!out->items || !out->known || !out->summed || !out->few || !out->definitions || !out->spans ||
        !out->span_values || !out->question || !out->certificate) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(make_arrays(out, err));
    list_parts(out, parts);
    for (size_t i = N_FIXED; i < N_PARTS; i++)
        if (parts[i].len)
            memcpy(parts[i].bytes, p + l.at[i], parts[i].len);
    HD_GO(check_definitions(out, err));
out:
    if (rc != HD_OK)
        hd_account_free(out);
    return rc;
}

hd_code hd_account_view(hd_account *out, const void *bytes, size_t len, hd_err *err)
{
    layout l;
    HD_ALWAYS((uintptr_t)bytes % 8 == 0);
    *out = (hd_account){0};
    hd_code rc = read_head(out, bytes, len, &l, err);
    char *p = (char *)(uintptr_t)bytes; /* not written to: a view is not changed */
    out->viewed = bytes;
    out->viewed_len = len;
    if (rc != HD_OK) {
        hd_account_free(out);
        return rc;
    }
    void *at[N_PARTS - N_FIXED];
    for (size_t i = N_FIXED; i < N_PARTS; i++)
        at[i - N_FIXED] = p + l.at[i];
    out->told = at[0];
    out->keys = at[1];
    out->is_left_out = at[2];
    out->items = at[3];
    out->printed = at[4];
    out->marks = at[5];
    out->values = at[6];
    out->known = at[7];
    out->summed = at[8];
    out->few = at[9];
    out->definitions = at[10];
    out->spans = at[11];
    out->span_values = at[12];
    rc = check_definitions(out, err);
    if (rc != HD_OK)
        hd_account_free(out);
    return rc;
}

hd_code hd_account_keep(hd_account *a, hd_err *err)
{
    hd_account own;
    if (!a->viewed)
        return HD_OK;
    HD_TRY(hd_account_read(&own, a->viewed, a->viewed_len, err));
    own.number = a->number;
    own.is_of_other_data = a->is_of_other_data;
    *a = own;
    return HD_OK;
}
