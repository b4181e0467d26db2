/* sheet_records.c - a table whose rows are records: each is counted in its cell and in every margin
 * above it, people and contributors once a cell.
 *
 * Records are taken person by person, so that a cell has met somebody exactly when the last person
 * it met is the same.
 */
#include "disclosure/sheet.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define NOBODY UINT32_MAX

/* The codes above each code of a dimension, itself first. */
typedef struct ladder {
    size_t *start; /* n_codes + 1 */
    uint32_t *codes;
    size_t n_codes, cap;
} ladder;

typedef struct tally {
    hd_sheet *t;
    const hd_csv *csv;
    ladder ladders[HD_LATTICE_DIMENSIONS];
    uint32_t *person;  /* of each row; NOBODY: not linked to anybody */
    uint32_t *last;    /* of each cell: the last person that it met */
    int64_t *value;    /* of each row, in units of the sum before weighting; -1: none */
    int64_t *weight;   /* of each row, in 10^-weight_decimals */
    int64_t weight_one; /* what stands for a weight of 1 */
    hd_contributor *open; /* of each cell: the contributor that is being added up */
    int64_t *open_plain;
} tally;

/* ---- ladders --------------------------------------------------------------------------------- */

/* The parents of each code, one step up. */
typedef struct steps_up {
    size_t *start;
    uint32_t *parent;
} steps_up;

static hd_code list_parents(steps_up *u, const hd_dimension *d, hd_err *err)
{
    size_t n = 0;
    for (size_t r = 0; r < d->n_rules; r++)
        n += d->rules[r].n_children;
    u->start = hd_calloc(d->n_codes + 2, sizeof *u->start);
    u->parent = hd_calloc(n + 1, sizeof *u->parent);
    if (!u->start || !u->parent)
        return hd_fail_nomem(err);
    for (size_t r = 0; r < d->n_rules; r++)
        for (size_t i = 0; i < d->rules[r].n_children; i++)
            u->start[d->rules[r].children[i] + 2]++;
    for (size_t c = 1; c < d->n_codes + 2; c++)
        u->start[c] += u->start[c - 1];
    for (size_t r = 0; r < d->n_rules; r++)
        for (size_t i = 0; i < d->rules[r].n_children; i++)
            u->parent[u->start[d->rules[r].children[i] + 1]++] = d->rules[r].parent;
    return HD_OK;
}

static hd_code step_on(ladder *l, uint32_t code, uint32_t from, uint32_t *met, hd_err *err)
{
    if (met[code] == from + 1)
        return HD_OK;
    met[code] = from + 1;
    if (!HD_GROW(l->codes, l->n_codes, l->cap))
        return hd_fail_nomem(err);
    l->codes[l->n_codes++] = code;
    return HD_OK;
}

static hd_code make_ladder(ladder *l, const hd_dimension *d, hd_err *err)
{
    hd_code rc;
    steps_up up = {0};
    uint32_t *met = hd_calloc(d->n_codes, sizeof *met);
    l->start = hd_calloc(d->n_codes + 1, sizeof *l->start);
    if (!met || !l->start)
        HD_GO(hd_fail_nomem(err));
    HD_GO(list_parents(&up, d, err));
    for (uint32_t c = 0; c < d->n_codes; c++) {
        HD_GO(step_on(l, c, c, met, err));
        for (size_t at = l->start[c]; at < l->n_codes; at++)
            for (size_t i = up.start[l->codes[at]]; i < up.start[l->codes[at] + 1]; i++)
                HD_GO(step_on(l, up.parent[i], c, met, err));
        l->start[c + 1] = l->n_codes;
    }
out:
    hd_free(met);
    hd_free(up.start);
    hd_free(up.parent);
    return rc;
}

/* ---- one record ------------------------------------------------------------------------------ */

static int64_t capped_weight(const tally *k, int64_t weighted, int64_t plain)
{
    int64_t unit = plain * k->weight_one;
    int64_t w = unit > 0 ? weighted / unit : 1;
    return w < 1 ? 1 : w > HD_SHEET_TOP ? HD_SHEET_TOP : w;
}

/* The contributor of the cell is complete: is it among the largest? What is kept of one that stands
 * for several is the value of one of them. */
static void close_contributor(tally *k, size_t cell)
{
    hd_contributor *o = &k->open[cell];
    if (o->value < 0)
        return;
    int64_t weight = capped_weight(k, o->value, k->open_plain[cell]);
    hd_contributor c = {weight > 1 ? k->open_plain[cell] * k->weight_one : o->value, weight};
    hd_sheet_rank(&k->t->top[cell * HD_SHEET_TOP], c);
    *o = (hd_contributor){-1, 0};
    k->open_plain[cell] = 0;
}

static hd_code add_value(tally *k, size_t row, size_t cell, bool is_new, hd_err *err)
{
    int64_t weighted;
    if (is_new)
        close_contributor(k, cell);
    if (__builtin_mul_overflow(k->value[row], k->weight[row], &weighted) ||
        weighted >= HD_MAX_VALUE || (k->t->sum[cell] += weighted) >= HD_MAX_VALUE)
        return hd_fail(err, HD_LIMIT, "%s, line %zu: sums have too many digits", k->t->name,
                       k->csv->lines[row]);
    k->open[cell].value = (k->open[cell].value < 0 ? 0 : k->open[cell].value) + weighted;
    k->open_plain[cell] += k->value[row];
    return HD_OK;
}

static hd_code add_record(tally *k, size_t row, size_t cell, hd_err *err)
{
    hd_sheet *t = k->t;
    bool is_new = k->person[row] == NOBODY || k->last[cell] != k->person[row];
    if (k->value && k->value[row] < 0)
        return HD_OK; /* it has no value to add, so it is not behind the sum */
    t->count[cell]++;
    if (t->people && is_new && k->person[row] != NOBODY)
        t->people[cell]++;
    if (t->sum)
        HD_TRY(add_value(k, row, cell, is_new, err));
    k->last[cell] = k->person[row];
    return HD_OK;
}

static hd_code add_above(tally *k, size_t row, size_t cell, hd_err *err)
{
    uint32_t codes[HD_LATTICE_DIMENSIONS], at[HD_LATTICE_DIMENSIONS] = {0};
    uint32_t steps[HD_LATTICE_DIMENSIONS];
    size_t n = k->t->n_dims;
    hd_lattice_codes(k->t->lattice, cell, codes);
    memcpy(steps, codes, sizeof steps);
    for (;;) {
        HD_TRY(add_record(k, row, hd_lattice_cell(k->t->lattice, steps), err));
        size_t d = n;
        while (d-- > 0) {
            const ladder *l = &k->ladders[d];
            size_t first = l->start[codes[d]];
            if (first + ++at[d] < l->start[codes[d] + 1]) {
                steps[d] = l->codes[first + at[d]];
                break;
            }
            at[d] = 0;
            steps[d] = codes[d];
        }
        if (d == SIZE_MAX)
            return HD_OK;
    }
}

/* ---- columns --------------------------------------------------------------------------------- */

static hd_code read_persons(tally *k, const char *name, hd_err *err)
{
    int column = -1;
    hd_code rc = HD_OK;
    hd_intern *ids = NULL;
    if (!name) {
        memset(k->person, 0xff, (k->csv->n_rows + 1) * sizeof *k->person);
        return HD_OK;
    }
    HD_TRY(hd_sheet_figures(k->t, k->csv, "--people", name, &column, err));
    ids = hd_intern_new();
    k->t->people = hd_calloc(k->t->n_cells, sizeof *k->t->people);
    if (!ids || !k->t->people)
        HD_GO(hd_fail_nomem(err));
    for (size_t row = 0; row < k->csv->n_rows; row++) {
        const char *id = hd_csv_cell(k->csv, row, column);
        k->person[row] = NOBODY;
        if (*id)
            HD_GO(hd_intern_add(ids, id, strlen(id), &k->person[row], err));
    }
out:
    hd_intern_free(ids);
    return rc;
}

static hd_code read_values(tally *k, const hd_protect_options *o, hd_err *err)
{
    int value, weight = -1;
    unsigned weight_decimals = 0;
    hd_sheet *t = k->t;
    if (!o->value)
        return HD_OK;
    HD_TRY(hd_sheet_figures(t, k->csv, "--value", o->value, &value, err));
    HD_TRY(hd_sheet_decimals(k->csv, t->name, value, &t->decimals, err));
    k->value = hd_malloc((k->csv->n_rows + 1) * sizeof *k->value);
    k->weight = hd_malloc((k->csv->n_rows + 1) * sizeof *k->weight);
    k->open = hd_malloc(t->n_cells * sizeof *k->open);
    k->open_plain = hd_calloc(t->n_cells, sizeof *k->open_plain);
    t->sum = hd_calloc(t->n_cells, sizeof *t->sum);
    t->top = hd_malloc(t->n_cells * HD_SHEET_TOP * sizeof *t->top);
    if (!k->value || !k->weight || !k->open || !k->open_plain || !t->sum || !t->top)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < t->n_cells * HD_SHEET_TOP; i++)
        t->top[i] = (hd_contributor){-1, 0};
    for (size_t c = 0; c < t->n_cells; c++)
        k->open[c] = (hd_contributor){-1, 0};
    HD_TRY(hd_sheet_values(k->csv, t->name, value, true, t->decimals, k->value, err));
    for (size_t row = 0; row < k->csv->n_rows; row++)
        k->weight[row] = 1;
    k->weight_one = 1;
    if (!o->weight)
        return HD_OK;
    HD_TRY(hd_sheet_figures(t, k->csv, "--weight", o->weight, &weight, err));
    HD_TRY(hd_sheet_decimals(k->csv, t->name, weight, &weight_decimals, err));
    HD_TRY(hd_sheet_values(k->csv, t->name, weight, false, weight_decimals, k->weight, err));
    for (unsigned i = 0; i < weight_decimals; i++)
        k->weight_one *= 10;
    t->decimals += weight_decimals;
    return HD_OK;
}

/* ---- all records ----------------------------------------------------------------------------- */

typedef struct turn {
    uint32_t person;
    size_t row;
} turn;

static int compare_turns(const void *x, const void *y)
{
    const turn *a = x, *b = y;
    if (a->person != b->person)
        return a->person < b->person ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static hd_code add_all(tally *k, const uint32_t *cells, hd_err *err)
{
    hd_code rc = HD_OK;
    turn *turns = hd_malloc((k->csv->n_rows + 1) * sizeof *turns);
    if (!turns)
        return hd_fail_nomem(err);
    for (size_t row = 0; row < k->csv->n_rows; row++)
        turns[row] = (turn){k->person[row], row};
    qsort(turns, k->csv->n_rows, sizeof *turns, compare_turns);
    for (size_t i = 0; i < k->csv->n_rows; i++) {
        size_t row = turns[i].row;
        if (!hd_lattice_is_leaf(k->t->lattice, cells[row]))
            HD_GO(hd_fail(err, HD_FORMAT,
                          "%s, line %zu: a record stands for a margin: give --count when the rows "
                          "are cells",
                          k->t->name, k->csv->lines[row]));
        HD_GO(add_above(k, row, cells[row], err));
    }
    for (size_t c = 0; c < k->t->n_cells && k->t->sum; c++)
        close_contributor(k, c);
out:
    hd_free(turns);
    return rc;
}

hd_code hd_sheet_count(hd_sheet *t, const hd_protect_options *o, const hd_csv *csv,
                       const uint32_t *cells, hd_err *err)
{
    hd_code rc = HD_OK;
    tally k = {.t = t, .csv = csv};
    k.person = hd_malloc((csv->n_rows + 1) * sizeof *k.person);
    k.last = hd_malloc(t->n_cells * sizeof *k.last);
    if (!k.person || !k.last)
        HD_GO(hd_fail_nomem(err));
    memset(k.last, 0xff, t->n_cells * sizeof *k.last);
    for (size_t d = 0; d < t->n_dims; d++)
        HD_GO(make_ladder(&k.ladders[d], hd_lattice_dimension(t->lattice, d), err));
    HD_GO(read_persons(&k, o->people, err));
    HD_GO(read_values(&k, o, err));
    HD_GO(add_all(&k, cells, err));
out:
    for (size_t d = 0; d < t->n_dims; d++) {
        hd_free(k.ladders[d].start);
        hd_free(k.ladders[d].codes);
    }
    hd_wipe_free(k.person, (csv->n_rows + 1) * sizeof *k.person);
    hd_free(k.last);
    hd_wipe_free(k.value, (csv->n_rows + 1) * sizeof *k.value);
    hd_free(k.weight);
    hd_free(k.open);
    hd_free(k.open_plain);
    return rc;
}
