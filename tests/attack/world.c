/* world.c - see world.h. */
#include "world.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "disclosure/audit.h"
#include "disclosure/definition.h"
#include "disclosure/primary.h"
#include "disclosure/rule.h"
#include "disclosure/system.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hd_policy *policy;

/* The national rule alone: means and medians of 8 or more as they are. */
static hd_policy_file plain;

static void must(hd_code rc, const hd_err *err)
{
    if (rc == HD_OK)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(2);
}

bool world_open(const char *name)
{
    char folder[PATH_MAX];
    hd_err err;
    snprintf(folder, sizeof folder, "%s/catalogue", getenv("HDIS_SOURCE"));
    must(hd_policy_open(&policy, folder, name, &err), &err);
    plain = *policy->file;
    plain.minimum_distinct_values = 0;
    plain.minimum_candidates = plain.minimum_value_candidates = 0;
    return plain.rounding == HD_ROUND_NEAREST;
}

int64_t world_small(void)
{
    return policy->file->candidates_for_counts_to;
}

void world_close(void)
{
    hd_policy_free(policy);
}

/* ---- people --------------------------------------------------------------------------------- */

void world_make(world *w, uint64_t seed, size_t people)
{
    hd_rng rng = hd_rng_stream(seed, 1);
    w->n = w->n_asked = 0;
    w->version = 0;
    int few = 1 + (int)hd_rng_below(&rng, 7), late = 1 + (int)hd_rng_below(&rng, 7);
    for (uint32_t person = 1; person <= people && w->n + 3 < MOST_RECORDS; person++) {
        int provider = (int)hd_rng_below(&rng, PROVIDERS);
        record base = {.person = person,
                       .provider = provider,
                       .region = provider / 2,
                       .age = (int)hd_rng_below(&rng, AGES),
                       .year = (int)hd_rng_below(&rng, YEARS),
                       .sex = 1 + (int)hd_rng_below(&rng, 2),
                       .stay = (int)hd_rng_below(&rng, STAYS)};
        if (base.year == YEARS - 1 && hd_rng_below(&rng, 3))
            base.year = 0; /* the last year is short */
        base.rare = few > 0 && hd_rng_below(&rng, (uint32_t)people / 8) == 0;
        few -= base.rare;
        if (!base.rare && late > 0 && hd_rng_below(&rng, (uint32_t)people / 8) == 0) {
            base.version = 1;
            late--;
        }
        base.of = 1 + (uint32_t)hd_rng_below(&rng, 4) / 3;
        for (; base.nth < base.of; base.nth++)
            w->records[w->n++] = base;
    }
}

void world_free(world *w)
{
    for (size_t i = 0; i < w->n_asked; i++)
        hd_account_free(&w->asked[i]);
    w->n_asked = 0;
}

/* ---- cells ---------------------------------------------------------------------------------- */

static int compare_stays(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

typedef struct gathered {
    answer *out;
    hd_cells *cells;
    hd_set *items; /* cells * columns: records, people, records of the filter */
} gathered;

/* Without a filter its figure is left away, and its column. */
static size_t n_figures(const question *q)
{
    return q->filter ? N_FIGURES : PART;
}

static size_t n_columns(const question *q)
{
    return q->filter ? 3 : 2;
}

static bool is_chosen(const world *w, const record *r, const question *q)
{
    return r->version <= w->version && (!q->of_stays || r->nth == 0) &&
           (!q->where || q->where(r, q->with));
}

static bool belongs(const world *w, const record *r, const question *q, const row *x)
{
    for (size_t k = 0; k < q->n_keys; k++)
        if (x->keys[k] >= 0 && q->keys[k](r) != x->keys[k])
            return false;
    return is_chosen(w, r, q);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * UINT64_C(0x9FB21C651E98DF25);
    return x ^ x >> 29;
}

static void gather_cell(const world *w, const question *q, gathered *g, size_t cell)
{
    row *x = &g->out->rows[cell];
    int stays[MOST_RECORDS];
    double sum = 0;
    hd_set *sets = &g->items[cell * n_columns(q)];
    hd_set_records parts;
    int64_t n_people_in_part = 0;
    for (size_t c = 0; c < n_columns(q); c++)
        hd_set_init(&sets[c]);
    x->truth = x->truth_people = x->truth_part = 0;
    for (size_t i = 0; i < w->n;) {
        uint32_t person = w->records[i].person;
        hd_set_records of = {{0, 0}, 0};
        int64_t n = x->truth, n_part = x->truth_part;
        parts = of;
        for (; i < w->n && w->records[i].person == person; i++) {
            const record *r = &w->records[i];
            if (!belongs(w, r, q, x))
                continue;
            uint64_t id = mix((uint64_t)person << 9 | (uint64_t)q->of_stays << 8 | r->nth);
            hd_set_sum(&of, id);
            if (q->filter && q->filter(r, q->with)) {
                hd_set_sum(&parts, id);
                x->truth_part++;
            }
            stays[x->truth++] = r->stay;
            sum += r->stay;
        }
        if (x->truth == n)
            continue;
        x->truth_people++;
        /* Numbered from 1 in both: 0 is nobody. */
        hd_set_add(&sets[0], person + 1, &of, (uint32_t)(x->truth - n));
        hd_set_add_person(&sets[1], person + 1);
        if (x->truth_part > n_part) {
            hd_set_add(&sets[2], person + 1, &parts, (uint32_t)(x->truth_part - n_part));
            n_people_in_part++;
        }
    }
    qsort(stays, (size_t)x->truth, sizeof *stays, compare_stays);
    hd_cell all = {{.type = HD_INTEGER, .integer = x->truth}, x->truth, x->truth_people};
    hd_cell f[N_FIGURES];
    f[COUNT] = f[PEOPLE] = f[MEAN] = f[MEDIAN] = all;
    f[PEOPLE].value.integer = x->truth_people;
    f[MEAN].value = (hd_value){.type = HD_DECIMAL, .is_null = x->truth == 0};
    f[MEDIAN].value = f[MEAN].value;
    f[PART] = (hd_cell){{.type = HD_INTEGER, .integer = x->truth_part}, x->truth_part, n_people_in_part};
    hd_value_bins *bins = &g->cells->values[cell * n_figures(q) + MEAN];
    bins->first = g->cells->n_bins;
    for (int64_t i = 0; i < x->truth; i++) {
        if (i == 0 || stays[i] != stays[i - 1])
            g->cells->bins[bins->first + bins->n++] = (hd_value_bin){stays[i], 0};
        g->cells->bins[bins->first + bins->n - 1].records++;
    }
    g->cells->n_bins += bins->n;
    bins[MEDIAN - MEAN] = *bins;
    if (x->truth) {
        f[MEAN].value.decimal = sum / (double)x->truth;
        f[MEDIAN].value.decimal =
            (stays[(x->truth - 1) / 2] + stays[x->truth / 2]) / 2.0;
    }
    for (size_t i = 0; i < n_figures(q); i++)
        hd_cells_put_figure(g->cells, cell, i, f[i]);
    uint32_t grouping = 0;
    for (size_t k = 0; k < q->n_keys; k++) {
        int key = x->keys[k];
        hd_cells_put_key(g->cells, cell, k,
                         (hd_value){.type = HD_INTEGER, .is_null = key < 0, .integer = key});
        grouping |= key < 0 ? 1u << k : 0;
    }
    hd_cells_put_all(g->cells, cell, grouping, x->truth, x->truth_people);
}

static bool add_row(const world *w, const question *q, answer *out, const int keys[2])
{
    row x = {.keys = {keys[0], keys[1]}};
    for (size_t i = 0; i < out->n; i++)
        if (memcmp(out->rows[i].keys, x.keys, sizeof x.keys) == 0)
            return false;
    (void)w;
    (void)q;
    out->rows[out->n++] = x;
    return true;
}

static void list_rows(const world *w, const question *q, answer *out)
{
    out->n = 0;
    for (size_t i = 0; i < w->n; i++) {
        const record *r = &w->records[i];
        if (!is_chosen(w, r, q))
            continue;
        int keys[2] = {-1, -1};
        for (size_t k = 0; k <= q->n_keys; k++) {
            if (q->has_total || k == q->n_keys)
                add_row(w, q, out, keys);
            if (k < q->n_keys)
                keys[k] = q->keys[k](r);
        }
    }
    if (q->n_keys == 0 && out->n == 0)
        add_row(w, q, out, (const int[2]){-1, -1});
}

/* ---- asking --------------------------------------------------------------------------------- */

/* What engine/spans.h and disclosure/definition.h make of the definitions. */
static void say(const question *q, const answer *out, hd_sets *sets)
{
    hd_err err;
    hd_definitions *m = &sets->definitions;
    m->n_items = sets->n_cells * sets->n_columns;
    m->items = hd_calloc(m->n_items + 1, sizeof *m->items);
    if (!m->items)
        exit(2);
    for (size_t i = 0; i < m->n_items; i++) {
        hd_definition *item = &m->items[i];
        const row *x = &out->rows[i / sets->n_columns];
        bool is_known = sets->kinds[i % sets->n_columns] == HD_SET_RECORDS && (!q->where || q->says[0].column);
        said all[4];
        size_t n = 0;
        for (size_t k = 0; k < q->n_keys; k++) {
            is_known = is_known && q->key_columns[k];
            if (x->keys[k] >= 0)
                all[n++] = (said){q->key_columns[k], x->keys[k], 0};
        }
        for (size_t k = 0; k < 2 && q->says[k].column; k++)
            all[n++] = q->says[k];
        item->name = is_known;
        for (size_t k = 0; k < n && is_known; k++) {
            uint32_t value = (uint32_t)all[k].value;
            hd_span span = {.column = (uint64_t)all[k].column, .name = value,
                            .fewest = (uint32_t)all[k].events, .most = (uint32_t)all[k].events};
            must(hd_spans_add(&m->spans, span, &value, 1, &err), &err);
            item->spans[k] = (uint32_t)m->spans.n;
            item->name += hd_definition_of_span(&span);
        }
    }
}

static const hd_aggregate aggregates[N_FIGURES] = {
    [COUNT] = {.kind = HD_AGG_COUNT, .type = HD_INTEGER},
    [PEOPLE] = {.kind = HD_AGG_COUNT_PERSONS, .type = HD_INTEGER},
    [MEAN] = {.kind = HD_AGG_MEAN, .type = HD_DECIMAL},
    [MEDIAN] = {.kind = HD_AGG_QUANTILE, .type = HD_DECIMAL, .quantile = 0.5},
    [PART] = {.kind = HD_AGG_COUNT, .type = HD_INTEGER, .has_filter = true}};

/* All earlier answers but those that the audit has no need of. */
static void give(const world *w, hd_audit *audit, bool of_stays)
{
    hd_err err;
    for (size_t i = 0; i < w->n_asked; i++) {
        if (hd_audit_passes_over(audit))
            continue;
        hd_buf b;
        hd_account earlier;
        hd_buf_init(&b, (size_t)1 << 28);
        must(hd_account_write(&w->asked[i], &b, &err), &err);
        must(hd_account_read(&earlier, b.data, b.len, &err), &err);
        if (w->of_stays[i] != of_stays)
            hd_account_of_other_table(&earlier, "other");
        must(hd_audit_earlier(audit, &earlier, &err), &err);
        hd_account_free(&earlier);
        hd_buf_free(&b);
    }
}

/* false: refused. */
static bool judge(world *w, hd_account *now, bool of_stays)
{
    hd_err err;
    hd_audit *audit;
    bool again;
    must(hd_audit_new(&audit, policy->file, now, &err), &err);
    give(w, audit, of_stays);
    must(hd_audit_connect(audit, &again, &err), &err);
    if (again)
        give(w, audit, of_stays);
    hd_code rc = hd_audit_judge(audit, &err);
    hd_audit_free(audit);
    if (rc != HD_DENIED)
        must(rc, &err);
    return rc == HD_OK;
}

/* As if a column had not been asked. */
static void forget_column(hd_account *a, size_t column)
{
    for (size_t c = 0; c < a->n_cells; c++) {
        hd_set_init(&a->items[hd_account_at(a, c, column)]);
        a->printed[hd_account_at(a, c, column)] = (hd_printed){.high = HD_NO_BOUND};
    }
}

static void print_rows(const hd_account *now, const hd_safe *safe, const question *q, answer *out)
{
    for (size_t c = 0; c < out->n; c++) {
        row *x = &out->rows[c];
        const hd_printed *p = &now->printed[hd_account_at(now, c, q->figures == ONLY_PEOPLE)];
        x->low = p->low;
        x->high = p->high;
        x->part_low = q->filter ? now->printed[hd_account_at(now, c, 2)].low : 0;
        x->part_high = q->filter ? now->printed[hd_account_at(now, c, 2)].high : HD_NO_BOUND;
        for (size_t f = 0; f < n_figures(q); f++) {
            size_t i = c * n_figures(q) + f;
            const hd_value *v = &safe->figures[i].value;
            x->marks[f] = now->is_left_out[c] ? '-' : now->marks[i];
            x->figures[f] = f < MEAN ? (double)now->values[i] : v->is_null ? 0 : v->decimal;
        }
        if (now->is_left_out[c]) {
            x->low = x->part_low = 0;
            x->high = x->part_high = HD_NO_BOUND;
        }
    }
}

void world_ask(world *w, const question *q, answer *out)
{
    hd_err err;
    hd_key keys[2] = {{.name = "a", .type = HD_INTEGER}, {.name = "b", .type = HD_INTEGER}};
    const hd_question asked = {.sql = "test",
                               .table = "test",
                               .is_subnational = !q->is_national,
                               .counts_events = q->counts_events && w->is_protected,
                               .n_keys = q->n_keys,
                               .n_key_fields = q->n_keys,
                               .keys = keys,
                               .n_aggregates = n_figures(q),
                               .aggregates = aggregates,
                               .limit = -1,
                               .offset = -1};
    uint32_t sets[3];
    size_t n_sets = 0;
    for (size_t k = 0; k <= q->n_keys; k++)
        if (q->has_total || k == q->n_keys)
            sets[n_sets++] = (1u << k) - 1;
    list_rows(w, q, out);
    hd_cells *cells;
    must(hd_cells_new_rows(&cells, &asked, out->n, 0, &err), &err);
    cells->values = hd_calloc(out->n * n_figures(q) + 1, sizeof *cells->values);
    cells->bins = hd_calloc(out->n * STAYS + 1, sizeof *cells->bins);
    hd_sets found = {.n_cells = out->n, .n_columns = n_columns(q)};
    found.items = hd_calloc(out->n * n_columns(q) + 1, sizeof *found.items);
    found.kinds[1] = HD_SET_PEOPLE;
    found.column_of[PEOPLE] = 1;
    found.column_of[PART] = q->filter ? 2 : 0;
    if (!cells->values || !cells->bins || !found.items)
        exit(2);
    gathered g = {out, cells, found.items};
    for (size_t c = 0; c < out->n; c++)
        gather_cell(w, q, &g, c);
    say(q, out, &found);
    hd_safe safe;
    hd_account now;
    const hd_policy mild = {&plain};
    must(hd_primary_apply(w->is_protected ? policy : &mild, &asked, cells, &safe, &err), &err);
    if (policy->file->rounding == HD_ROUND_BY_SET && !q->is_national)
        hd_account_round_by_set(policy->file, &asked, cells, &found, &safe);
    if (asked.counts_events && policy->file->rounded_to > 1 && !q->is_national)
        hd_account_round_by_people(policy->file, &asked, cells, &found, &safe);
    must(hd_account_make(&now, policy->file, &asked, sets, n_sets, cells, &safe, &found,
                         !q->is_national, &err),
         &err);
    if (q->figures != ALL)
        forget_column(&now, q->figures == ONLY_COUNT);
    bool is_refused = w->is_protected && !judge(w, &now, q->of_stays);
    for (size_t c = 0; c < out->n && is_refused; c++)
        now.is_left_out[c] = true;
    print_rows(&now, &safe, q, out);
    if (w->n_asked == MOST_ASKED)
        exit(2);
    w->of_stays[w->n_asked] = q->of_stays;
    if (is_refused)
        hd_account_free(&now);
    else
        w->asked[w->n_asked++] = now;
    hd_safe_free(&safe);
    hd_sets_free(&found);
    hd_cells_free(cells);
}

const row *answer_find(const answer *a, int first, int second)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->rows[i].keys[0] == first && a->rows[i].keys[1] == second &&
            a->rows[i].marks[COUNT] != '-')
            return &a->rows[i];
    return NULL;
}
