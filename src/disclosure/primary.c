/* primary.c - the primary pass (primary.h): which figure is shown, rounded or withheld.
 *
 * One function an aggregate kind, in a table. Then the cells below a withheld one: a star broken
 * down into seven rows would give all seven away, because a row that exists holds at least one
 * record. So such rows are left out, and where only one aggregate of the coarser row is withheld,
 * that aggregate is withheld in the finer ones, zeros too.
 */
#include "disclosure/primary.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/intern.h"
#include "base/par.h"
#include "disclosure/beside.h"
#include "disclosure/precision.h"
#include "disclosure/rule.h"

#include <math.h>
#include <string.h>

static bool is_small_cell(const hd_policy_file *p, const hd_cell *c)
{
    return hd_rule_is_small(p, c->records, c->persons);
}

static bool is_small_row(const hd_policy_file *p, const hd_cells *cells, size_t c)
{
    return hd_rule_is_small(p, cells->all.records[c], cells->all.persons[c]);
}

static hd_figure withheld(const hd_policy_file *p, hd_type type)
{
    return (hd_figure){.value = {.type = type, .is_null = true}, .mark = p->mark};
}

static hd_figure shown(const hd_value *v)
{
    return (hd_figure){.value = *v};
}

/* What a figure is made of. Bins and precision are those of no record for a count or an extreme. */
typedef struct behind {
    hd_cell cell;
    const hd_value_bin *bins;
    size_t n_bins;
    hd_precision precision;
    hd_policy_file wider; /* see widen */
    const hd_policy_file *p; /* for figures that are made of values */
} behind;

/* Where everybody may be known to have several records, the number of these is rounded further
 * (hd_account_round_by_people), by nobody yet knows how much: at most by what everybody has in the mean. What
 * is made of their values has to leave all numbers of records possible that may print like that. */
static void widen(const hd_policy_file *p, const hd_question *q, behind *b)
{
    const hd_cell *c = &b->cell;
    b->p = p;
    if (!q->counts_events || p->rounded_to < 2 || c->persons <= 0 || c->records < 2 * c->persons)
        return;
    b->wider = *p;
    b->wider.rounding = HD_ROUND_BY_SET; /* as far to either side */
    b->wider.rounded_to *= c->records / c->persons;
    b->p = &b->wider;
}

/* Numbers of records or people. */
static hd_figure count_figure(const hd_policy_file *p, const hd_aggregate *a, const behind *b)
{
    const hd_cell *c = &b->cell;
    hd_value v = c->value;
    HD_ALWAYS(v.type == HD_INTEGER && !v.is_null && v.integer >= 0);
    if (c->records == 0)
        return p->zero_is_shown ? shown(&v) : withheld(p, a->type);
    if (is_small_cell(p, c))
        return withheld(p, a->type);
    v.integer = hd_rule_round(p, v.integer);
    return shown(&v);
}

/* Numbers of different things. Different record keys are records and different postcodes are nearly
 * people, so whatever is counted, it is treated as a count of records. */
static hd_figure distinct_figure(const hd_policy_file *p, const hd_aggregate *a, const behind *b)
{
    const hd_cell *c = &b->cell;
    hd_figure f = count_figure(p, a, b);
    bool is_few = c->value.integer >= p->withheld_from && c->value.integer <= p->withheld_to;
    return c->records > 0 && is_few ? withheld(p, a->type) : f;
}

/* Of what is behind a sum, a mean or a quantile. */
static bool is_few_records(const hd_policy_file *p, const hd_cell *c)
{
    return is_small_cell(p, c) || (c->records > 0 && c->records < p->minimum_mean_records);
}

static hd_figure shown_as(hd_type type, double x, double unit)
{
    hd_figure f = {.value = {.type = type}};
    if (type == HD_DECIMAL)
        f.value.decimal = round(x / unit) * unit;
    else
        f.value.integer = (int64_t)(round(x / unit) * unit);
    return f;
}

/* Divided by 100, not multiplied by 0.01: a rounded decimal prints as such. */
static hd_figure to_decimals(hd_type type, double x, int decimals)
{
    hd_figure f = {.value = {.type = type}};
    if (decimals <= 0 || type != HD_DECIMAL)
        return shown_as(type, x, pow(10, -decimals));
    f.value.decimal = round(x * pow(10, decimals)) / pow(10, decimals);
    return f;
}

/* A sum is rounded like a count: an exact one, divided by an exact mean, would give the exact count
 * back; and sum(1) is a count. That is also why a sum of 1 to 7 is withheld however many records it
 * runs over: sum(CASE WHEN ... THEN 1 ELSE 0 END) counts the few that fit. */
static hd_figure sum_figure(const hd_policy_file *p, const hd_aggregate *a, const behind *b)
{
    hd_value v = b->cell.value;
    if (is_few_records(p, &b->cell))
        return withheld(p, a->type);
    if (v.is_null)
        return shown(&v);
    double x = v.type == HD_DECIMAL ? v.decimal : (double)v.integer, size = fabs(x);
    bool is_small = size > 0 && size < (double)p->withheld_to + 1;
    if (b->precision.sum_is_withheld || (p->small_sums_are_withheld && is_small))
        return withheld(p, a->type);
    return shown_as(v.type, x, b->precision.sum_unit);
}

static hd_figure mean_figure(const hd_policy_file *p, const hd_aggregate *a, const behind *b)
{
    const hd_value *v = &b->cell.value;
    if (is_few_records(p, &b->cell) || (!v->is_null && b->precision.is_withheld))
        return withheld(p, a->type);
    return v->is_null ? shown(v) : to_decimals(v->type, v->decimal, b->precision.mean_decimals);
}

static hd_figure spread_figure(const hd_policy_file *p, const hd_aggregate *a, const behind *b)
{
    const hd_value *v = &b->cell.value;
    if (is_few_records(p, &b->cell) || (!v->is_null && b->precision.spread_is_withheld))
        return withheld(p, a->type);
    return v->is_null ? shown(v)
                      : to_decimals(v->type, v->decimal, b->precision.spread_decimals);
}

static hd_figure quantile_figure(const hd_policy_file *p, const hd_aggregate *a, const behind *b)
{
    hd_figure f = {.value = {.type = a->type}};
    if (is_few_records(p, &b->cell))
        return withheld(p, a->type);
    if (b->cell.records == 0)
        return shown(&b->cell.value);
    bool is_shown = hd_precision_quantile(b->p, a, b->bins, b->n_bins, &f.value.decimal);
    return is_shown ? f : withheld(p, a->type);
}

static hd_figure extreme_figure(const hd_policy_file *p, const hd_aggregate *a, const behind *b)
{
    if (!p->extremes_are_shown || is_small_cell(p, &b->cell))
        return withheld(p, a->type);
    return shown(&b->cell.value);
}

/* The share of the largest is two counts, one divided by the other, and shown as precisely as the
 * rounded counts give it. How many people the largest and the rest are is not known; each of the
 * rest's records is at most one person, and so with the largest: what must be there at least has
 * to be enough. */
static hd_figure share_figure(const hd_policy_file *p, const hd_aggregate *a, const behind *b)
{
    const double unit = 0.01;
    const hd_cell *c = &b->cell;
    if (c->value.is_null)
        return shown(&c->value);
    int64_t largest = (int64_t)round(c->value.decimal * (double)c->records);
    int64_t rest = c->records - largest;
    int64_t of_largest = c->persons - rest, of_rest = c->persons - largest;
    bool is_enough = of_largest > 0 && of_rest > 0 && !hd_rule_is_small(p, largest, of_largest) &&
                     !hd_rule_is_small(p, rest, of_rest);
    if (is_few_records(p, c) || !is_enough)
        return withheld(p, a->type);
    double share = (double)hd_rule_round(p, largest) / (double)hd_rule_round(p, c->records);
    return shown_as(a->type, fmin(share, 1), unit);
}

typedef hd_figure (*figure_rule)(const hd_policy_file *, const hd_aggregate *, const behind *);

static const figure_rule rules[] = {
    [HD_AGG_COUNT] = count_figure,
    [HD_AGG_COUNT_PERSONS] = count_figure,
    [HD_AGG_COUNT_DISTINCT] = distinct_figure,
    [HD_AGG_SUM] = sum_figure,
    [HD_AGG_MEAN] = mean_figure,
    [HD_AGG_SPREAD] = spread_figure,
    [HD_AGG_QUANTILE] = quantile_figure,
    [HD_AGG_EXTREME] = extreme_figure,
    [HD_AGG_SHARE] = share_figure,
};

bool hd_primary_is_controlled(const hd_policy_file *p, const hd_question *q)
{
    return !p->shows_true_counts && (q->is_subnational || !p->national_is_exact);
}

/* Weights made up in the question (1000 for the few that matter, 0 for the rest) carry an exact
 * count through any rounding. A count of an expression is a count and needs no such care. */
static bool takes_fields_only(hd_aggregate_kind kind)
{
    return kind == HD_AGG_SUM || kind == HD_AGG_MEAN || kind == HD_AGG_SPREAD ||
           kind == HD_AGG_QUANTILE || kind == HD_AGG_COUNT_DISTINCT || kind == HD_AGG_SHARE;
}

hd_code hd_primary_admit(const hd_policy *p, const hd_question *q, hd_err *err)
{
    if (!hd_primary_is_controlled(p->file, q))
        return HD_OK;
    for (size_t a = 0; a < q->n_aggregates; a++)
        if (q->aggregates[a].is_own_expression && takes_fields_only(q->aggregates[a].kind))
            return hd_fail(err, HD_DENIED,
                           "policy %s allows sums, means, quantiles and count(DISTINCT ...) below "
                           "national level of fields of the catalogue only, not of expressions: "
                           "use a field, or count(*) FILTER (WHERE ...)",
                           p->file->name);
    /* The kernel knows no contributor's part of a sum, so the rule cannot be tested. */
    bool tests_dominance = p->file->dominance_n > 0 || p->file->p_percent > 0;
    for (size_t a = 0; a < q->n_aggregates && tests_dominance; a++)
        if (q->aggregates[a].kind == HD_AGG_SUM || q->aggregates[a].kind == HD_AGG_MEAN)
            return hd_fail(err, HD_DENIED,
                           "policy %s tests sums and means for dominance, which a question cannot: "
                           "leave them out, or count records with hdis protect",
                           p->file->name);
    /* The ledger knows the records behind these figures, but not what they count: the stays among episodes,
     * the records of whoever has most. Compared with a count of just those they would give few people away.
     * And whether a few people have a value that others have, too, is seen where their number is rounded. */
    for (size_t a = 0; a < q->n_aggregates && p->file->compares_releases; a++) {
        if (q->aggregates[a].is_of_key)
            return hd_fail(err, HD_DENIED,
                           "policy %s counts no row keys below national level: count the records of the "
                           "table that has one record for each, such as spells",
                           p->file->name);
        if (q->aggregates[a].kind == HD_AGG_COUNT_DISTINCT)
            return hd_fail(err, HD_DENIED,
                           "policy %s counts different people below national level, and no different values "
                           "of a field: group by the field",
                           p->file->name);
        if (q->aggregates[a].kind == HD_AGG_SHARE)
            return hd_fail(err, HD_DENIED,
                           "policy %s shows no largest share below national level: group by the field "
                           "and compare the counts",
                           p->file->name);
    }
    for (size_t a = 0; a < q->n_aggregates; a++)
        if (q->aggregates[a].kind == HD_AGG_EXTREME && !p->file->extremes_are_shown)
            return hd_fail(err, HD_DENIED,
                           "policy %s shows no min or max below national level, they are single "
                           "people's values: ask for median or quantile_cont(x, 0.1) instead",
                           p->file->name);
    return HD_OK;
}

/* ---- below a star --------------------------------------------------------------------------- */

/* The withheld aggregates of the coarser cells, looked up by (mask, kept keys). Bit a: aggregate a.
 * whole: the cell's own total is small. */
typedef struct star {
    uint64_t aggregates;
    bool whole;
} star;

typedef struct stars {
    hd_intern *names;
    star *items;
    size_t cap;
    uint32_t *masks; /* the different groupings that hold a star */
    size_t n_masks, masks_cap;
} stars;

/* The name of the cell that `cell` becomes when the keys of `mask` are summed over. */
static void put_name(hd_buf *b, const hd_cells *cells, size_t cell, uint32_t mask)
{
    hd_buf_clear(b);
    hd_buf_add(b, &mask, sizeof mask);
    for (size_t k = 0; k < cells->n_keys; k++)
        if (!(mask >> k & 1))
            hd_value_put_name(b, hd_cells_key(cells, cell, k));
}

static hd_code add_mask(stars *s, uint32_t mask, hd_err *err)
{
    for (size_t i = 0; i < s->n_masks; i++)
        if (s->masks[i] == mask)
            return HD_OK;
    if (!HD_GROW(s->masks, s->n_masks, s->masks_cap))
        return hd_fail_nomem(err);
    s->masks[s->n_masks++] = mask;
    return HD_OK;
}

static hd_code add_star(stars *s, const hd_buf *name, uint32_t mask, star found, hd_err *err)
{
    uint32_t id;
    HD_TRY(hd_buf_check(name, err));
    HD_TRY(hd_intern_add(s->names, name->data, name->len, &id, err));
    if (!HD_GROW(s->items, id, s->cap))
        return hd_fail_nomem(err);
    s->items[id] = found;
    return add_mask(s, mask, err);
}

static uint64_t marked_aggregates(const hd_safe *safe, size_t cell)
{
    uint64_t bits = 0;
    for (size_t a = 0; a < safe->n_aggregates; a++)
        if (safe->figures[cell * safe->n_aggregates + a].mark)
            bits |= UINT64_C(1) << a;
    return bits;
}

static hd_code collect_stars(const hd_policy_file *p, const hd_cells *cells, const hd_safe *safe,
                             stars *s, hd_buf *name, hd_err *err)
{
    for (size_t c = 0; c < cells->n_cells; c++) {
        uint32_t mask = hd_cells_grouping(cells, c);
        star found = {marked_aggregates(safe, c), is_small_row(p, cells, c)};
        if (mask == 0 || (!found.aggregates && !found.whole))
            continue;
        put_name(name, cells, c, mask);
        HD_TRY(add_star(s, name, mask, found, err));
    }
    return HD_OK;
}

static void withhold(const hd_policy_file *p, const hd_question *q, hd_safe *safe, size_t cell,
                     uint64_t aggregates)
{
    for (size_t a = 0; a < safe->n_aggregates; a++) {
        hd_figure *f = &safe->figures[cell * safe->n_aggregates + a];
        if (aggregates >> a & 1 && !f->mark)
            *f = withheld(p, q->aggregates[a].type);
    }
}

static void leave_out(hd_safe *safe, size_t cell)
{
    safe->n_left_out += !safe->left_out[cell];
    safe->left_out[cell] = true;
}

static hd_code withhold_below_stars(const hd_policy_file *p, const hd_question *q,
                                    const hd_cells *cells, hd_safe *safe, hd_err *err)
{
    hd_code rc = HD_OK;
    stars s = {.names = hd_intern_new()};
    hd_buf name;
    hd_buf_init(&name, (size_t)1 << 20);
    if (!s.names) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(collect_stars(p, cells, safe, &s, &name, err));
    for (size_t c = 0; c < cells->n_cells; c++) {
        uint32_t own = hd_cells_grouping(cells, c);
        for (size_t m = 0; m < s.n_masks; m++) {
            if (s.masks[m] == own || (s.masks[m] & own) != own)
                continue;
            put_name(&name, cells, c, s.masks[m]);
            HD_GO(hd_buf_check(&name, err));
            uint32_t id = hd_intern_find(s.names, name.data, name.len);
            if (id == HD_INTERN_NONE)
                continue;
            withhold(p, q, safe, c, s.items[id].aggregates);
            if (s.items[id].whole)
                leave_out(safe, c);
        }
    }
out:
    hd_free(s.items);
    hd_free(s.masks);
    hd_intern_free(s.names);
    hd_buf_free(&name);
    return rc;
}

/* ---- group disclosure ------------------------------------------------------------------------ */

static void withhold_counts(const hd_policy_file *p, const hd_question *q, const hd_cells *cells,
                            hd_safe *safe, size_t cell, bool is_alone)
{
    for (size_t a = 0; a < safe->n_aggregates; a++) {
        hd_figure *f = &safe->figures[cell * safe->n_aggregates + a];
        hd_aggregate_kind kind = q->aggregates[a].kind;
        int64_t n = cells->counts[a].records[cell];
        /* Of a row's records all or none pass a filter. */
        bool is_whole = q->aggregates[a].has_filter && (n == 0 || n == cells->all.records[cell]);
        if ((kind == HD_AGG_COUNT || kind == HD_AGG_COUNT_PERSONS) && !f->mark &&
            cells->all.records[cell] > 0 && (is_alone || is_whole))
            *f = withheld(p, q->aggregates[a].type);
    }
}

/* How many rows there are that differ in one key only, for every row: by the name of what is left
 * when the key is summed over. */
static hd_code count_rows(const hd_cells *cells, size_t key, hd_intern *names, uint32_t *ids,
                          uint32_t *rows, hd_buf *name, hd_err *err)
{
    memset(rows, 0, (cells->n_cells + 1) * sizeof *rows);
    for (size_t c = 0; c < cells->n_cells; c++) {
        if (hd_cells_grouping(cells, c) >> key & 1)
            continue;
        put_name(name, cells, c, hd_cells_grouping(cells, c) | UINT32_C(1) << key);
        HD_TRY(hd_buf_check(name, err));
        HD_TRY(hd_intern_add(names, name->data, name->len, &ids[c], err));
        rows[ids[c]] += cells->all.records[c] > 0;
    }
    return HD_OK;
}

static hd_code withhold_groups(const hd_policy_file *p, const hd_question *q,
                               const hd_cells *cells, hd_safe *safe, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_intern *names = NULL;
    uint32_t *ids = hd_calloc(cells->n_cells + 1, sizeof *ids);
    uint32_t *rows = hd_calloc(cells->n_cells + 1, sizeof *rows);
    hd_buf name;
    hd_buf_init(&name, (size_t)1 << 20);
    if (!ids || !rows)
        HD_GO(hd_fail_nomem(err));
    for (size_t c = 0; c < cells->n_cells; c++)
        withhold_counts(p, q, cells, safe, c, false);
    for (size_t k = 0; k < cells->n_keys; k++) {
        hd_intern_free(names);
        names = hd_intern_new();
        if (!names)
            HD_GO(hd_fail_nomem(err));
        HD_GO(count_rows(cells, k, names, ids, rows, &name, err));
        for (size_t c = 0; c < cells->n_cells; c++)
            if (!(hd_cells_grouping(cells, c) >> k & 1) && rows[ids[c]] == 1)
                withhold_counts(p, q, cells, safe, c, true);
    }
out:
    hd_buf_free(&name);
    hd_intern_free(names);
    hd_free(ids);
    hd_free(rows);
    return rc;
}

/* ---- totals that are sums of what is shown ---------------------------------------------------- */

/* The grouping whose cells are added up for the cells of `mask`: the finest one below it, the first
 * of several; `mask` itself when there is none. */
static uint32_t parts_of(const stars *s, uint32_t mask)
{
    uint32_t best = mask;
    for (size_t i = 0; i < s->n_masks; i++) {
        uint32_t m = s->masks[i];
        int fewer = __builtin_popcount(best) - __builtin_popcount(m);
        if (m != mask && (m & mask) == m && (fewer > 0 || (fewer == 0 && m < best)))
            best = m;
    }
    return best;
}

static hd_code name_totals(const hd_cells *cells, stars *s, size_t *cell_of, hd_buf *name,
                           hd_err *err)
{
    for (size_t c = 0; c < cells->n_cells; c++) {
        uint32_t id;
        HD_TRY(add_mask(s, hd_cells_grouping(cells, c), err));
        put_name(name, cells, c, hd_cells_grouping(cells, c));
        HD_TRY(hd_buf_check(name, err));
        HD_TRY(hd_intern_add(s->names, name->data, name->len, &id, err));
        cell_of[id] = c;
    }
    return HD_OK;
}

static hd_code add_parts(const hd_cells *cells, const hd_safe *safe, const stars *s,
                         const size_t *cell_of, int64_t *sums, hd_buf *name, hd_err *err)
{
    size_t n = safe->n_aggregates;
    for (size_t m = 0; m < s->n_masks; m++) {
        uint32_t parts = parts_of(s, s->masks[m]);
        for (size_t c = 0; c < cells->n_cells; c++) {
            if (parts == s->masks[m] || hd_cells_grouping(cells, c) != parts || safe->left_out[c])
                continue;
            put_name(name, cells, c, s->masks[m]);
            HD_TRY(hd_buf_check(name, err));
            uint32_t id = hd_intern_find(s->names, name->data, name->len);
            for (size_t a = 0; a < n && id != HD_INTERN_NONE; a++) {
                const hd_figure *f = &safe->figures[c * n + a];
                if (!f->mark && !f->value.is_null && f->value.type == HD_INTEGER)
                    sums[cell_of[id] * n + a] += f->value.integer;
            }
        }
    }
    return HD_OK;
}

/* Only counts of records add up. Where every part of a total is withheld there is nothing to add:
 * the total is withheld with them. */
static void replace_totals(const hd_policy_file *p, const hd_question *q, const hd_cells *cells,
                           hd_safe *safe, const stars *s, const int64_t *sums)
{
    for (size_t i = 0; i < cells->n_cells * safe->n_aggregates; i++) {
        const hd_aggregate *a = &q->aggregates[i % safe->n_aggregates];
        uint32_t mask = hd_cells_grouping(cells, i / safe->n_aggregates);
        hd_figure *f = &safe->figures[i];
        if (a->kind != HD_AGG_COUNT || f->mark || parts_of(s, mask) == mask)
            continue;
        if (sums[i] == 0 && cells->counts[i % safe->n_aggregates].records[i / safe->n_aggregates] > 0)
            *f = withheld(p, a->type);
        else
            f->value.integer = sums[i];
    }
}

static hd_code sum_totals(const hd_policy_file *p, const hd_question *q, const hd_cells *cells,
                          hd_safe *safe, hd_err *err)
{
    hd_code rc = HD_OK;
    stars s = {.names = hd_intern_new()};
    size_t *cell_of = hd_calloc(cells->n_cells + 1, sizeof *cell_of);
    int64_t *sums = hd_calloc(cells->n_cells * safe->n_aggregates + 1, sizeof *sums);
    hd_buf name;
    hd_buf_init(&name, (size_t)1 << 20);
    if (!s.names || !cell_of || !sums) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(name_totals(cells, &s, cell_of, &name, err));
    HD_GO(add_parts(cells, safe, &s, cell_of, sums, &name, err));
    replace_totals(p, q, cells, safe, &s, sums);
out:
    hd_buf_free(&name);
    hd_free(sums);
    hd_free(cell_of);
    hd_free(s.masks);
    hd_intern_free(s.names);
    return rc;
}

/* ---- the pass ------------------------------------------------------------------------------- */

/* Figures without bins that are made of values are withheld: no precision is safe then. */
static hd_code find_behind(const hd_policy_file *p, const hd_question *q, const hd_cells *cells,
                           size_t cell, size_t a, behind *b, hd_err *err)
{
    size_t i = cell * cells->n_aggregates + a;
    b->cell = hd_cells_figure(cells, cell, a);
    widen(p, q, b);
    if (!cells->values || cells->values[i].n == 0) {
        *b = (behind){.cell = b->cell, .p = p};
        b->precision = (hd_precision){
            .is_withheld = true, .sum_is_withheld = true, .spread_is_withheld = true};
        return HD_OK;
    }
    const hd_value_bin *bins = cells->bins + cells->values[i].first;
    bool is_known = b->n_bins > 0 && b->bins == bins; /* several figures of the same values */
    b->bins = bins;
    b->n_bins = cells->values[i].n;
    return is_known ? HD_OK : hd_precision_of(b->p, bins, b->n_bins, &b->precision, err);
}

/* Cells are judged one by one, so by all processors: what is safe to print of sums takes its time. */
typedef struct pass {
    const hd_policy_file *p;
    const hd_question *q;
    const hd_cells *cells;
    hd_safe *safe;
} pass;
enum { PASS_CELLS = 256 };

static hd_code apply_range(void *ctx, size_t range, hd_err *err)
{
    const pass *x = ctx;
    behind b = {0};
    size_t n = x->cells->n_aggregates, end = (range + 1) * PASS_CELLS;
    for (size_t c = range * PASS_CELLS; c < end && c < x->cells->n_cells; c++) {
        for (size_t a = 0; a < n; a++) {
            const hd_aggregate *aggregate = &x->q->aggregates[a];
            HD_TRY(find_behind(x->p, x->q, x->cells, c, a, &b, err));
            x->safe->figures[c * n + a] = rules[aggregate->kind](x->p, aggregate, &b);
        }
        if (x->p->below_star_is_withheld && is_small_row(x->p, x->cells, c))
            withhold(x->p, x->q, x->safe, c, UINT64_MAX);
    }
    return HD_OK;
}

static hd_code apply_rules(const hd_policy_file *p, const hd_question *q, const hd_cells *cells,
                           hd_safe *safe, hd_err *err)
{
    pass x = {p, q, cells, safe};
    return hd_par_run((cells->n_cells + PASS_CELLS - 1) / PASS_CELLS, apply_range, &x, err);
}

/* ---- listing -------------------------------------------------------------------------------- */

/* The rows of one grouping; how many of them hold one person or records linked to nobody, and how
 * many are small. */
typedef struct tally {
    uint32_t mask;
    uint64_t n_rows, n_single, n_small;
} tally;

/* Every grouping set is looked at for itself, so that a coarse one beside it hides nothing. */
static hd_code tally_rows(const hd_policy_file *p, const hd_cells *cells, tally **out, size_t *n,
                          hd_err *err)
{
    size_t cap = 0, at = 0;
    *out = NULL;
    *n = 0;
    for (size_t c = 0; c < cells->n_cells; c++) {
        uint32_t mask = hd_cells_grouping(cells, c);
        if (*n == 0 || (*out)[at].mask != mask)
            for (at = 0; at < *n && (*out)[at].mask != mask; at++)
                ;
        if (at == *n) {
            if (!HD_GROW(*out, *n, cap))
                return hd_fail_nomem(err);
            (*out)[(*n)++] = (tally){.mask = mask};
        }
        tally *t = &(*out)[at];
        t->n_rows++;
        t->n_single += cells->all.records[c] > 0 && cells->all.persons[c] <= 1;
        t->n_small += is_small_row(p, cells, c);
    }
    return HD_OK;
}

static hd_code refuse_list(const hd_policy_file *p, const char *about, hd_err *err)
{
    return hd_fail(err, HD_DENIED,
                   "policy %s refuses a table by %lld or more fields where %s, it would list "
                   "records: group by fewer or coarser fields",
                   p->name, (long long)p->listing_fields, about);
}

/* Many fields at once describe single people: such a table is a list. National figures are exact, so
 * a refusal there says no more than they would. Below national level it must not say more than
 * stars: whether a table is a list is judged by its stars, never by whether one of them is one
 * person. */
static hd_code judge_lists(const hd_policy_file *p, const hd_question *q, const hd_cells *cells,
                           hd_safe *safe, hd_err *err)
{
    tally *tallies = NULL;
    size_t n = 0;
    bool is_controlled = hd_primary_is_controlled(p, q);
    if (q->n_key_fields < (uint64_t)p->listing_fields)
        return HD_OK;
    hd_code rc = tally_rows(p, cells, &tallies, &n, err);
    for (size_t i = 0; i < n && rc == HD_OK; i++) {
        const tally *t = &tallies[i];
        if (is_controlled && t->n_small == t->n_rows)
            rc = refuse_list(p, "every row is about few people", err);
        else if (!is_controlled && t->n_single > t->n_rows / 2)
            rc = refuse_list(p, "most rows are about one person", err);
        for (size_t c = 0; is_controlled && c < cells->n_cells && t->n_small > t->n_rows / 2; c++)
            if (hd_cells_grouping(cells, c) == t->mask && is_small_row(p, cells, c))
                leave_out(safe, c);
    }
    hd_free(tallies);
    return rc;
}

/* A star tells that somebody with these properties exists. By so many fields that is an answer. */
static void leave_out_small_rows(const hd_policy_file *p, const hd_question *q,
                                 const hd_cells *cells, hd_safe *safe)
{
    if (q->n_key_fields < (uint64_t)p->small_rows_left_out_from_fields)
        return;
    for (size_t c = 0; c < cells->n_cells; c++)
        if (is_small_row(p, cells, c))
            leave_out(safe, c);
}

/* National figures are exact; the lowest and highest value of a few people are theirs even so. */
static void show_national(const hd_policy_file *p, const hd_question *q, const hd_cells *cells,
                          hd_safe *safe)
{
    for (size_t i = 0; i < cells->n_cells * cells->n_aggregates; i++) {
        const hd_aggregate *a = &q->aggregates[i % cells->n_aggregates];
        const hd_cell c = hd_cells_figure(cells, i / cells->n_aggregates, i % cells->n_aggregates);
        bool is_theirs = a->kind == HD_AGG_EXTREME && is_small_cell(p, &c);
        safe->figures[i] = is_theirs ? withheld(p, a->type) : shown(&c.value);
    }
}

hd_code hd_primary_apply(const hd_policy *policy, const hd_question *q, const hd_cells *cells,
                         hd_safe *out, hd_err *err)
{
    const hd_policy_file *p = policy->file;
    hd_code rc = HD_OK;
    HD_ALWAYS(cells->n_aggregates == q->n_aggregates && cells->n_keys == q->n_keys);
    *out = (hd_safe){.n_cells = cells->n_cells, .n_aggregates = cells->n_aggregates};
    if (p->shows_true_counts)
        return HD_OK;
    HD_ALWAYS(cells->all.persons); /* people have been counted */
    out->figures = hd_calloc(cells->n_cells * cells->n_aggregates + 1, sizeof *out->figures);
    out->left_out = hd_calloc(cells->n_cells + 1, sizeof *out->left_out);
    if (!out->figures || !out->left_out) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(judge_lists(p, q, cells, out, err));
    leave_out_small_rows(p, q, cells, out);
    if (!hd_primary_is_controlled(p, q)) {
        show_national(p, q, cells, out);
        return HD_OK;
    }
    HD_GO(hd_primary_admit(policy, q, err));
    HD_GO(apply_rules(p, q, cells, out, err));
    if (p->group_disclosure_is_withheld)
        HD_GO(withhold_groups(p, q, cells, out, err));
    for (bool again = true; again;) {
        if (p->below_star_is_withheld)
            HD_GO(withhold_below_stars(p, q, cells, out, err));
        HD_GO(hd_withhold_beside(p, q, cells, out, &again, err));
    }
    if (p->totals_are_summed)
        HD_GO(sum_totals(p, q, cells, out, err));
    return HD_OK;
out:
    hd_safe_free(out);
    return rc;
}

void hd_safe_free(hd_safe *s)
{
    hd_wipe_free(s->figures, (s->n_cells * s->n_aggregates + 1) * sizeof *s->figures);
    hd_free(s->left_out);
    *s = (hd_safe){0};
}
