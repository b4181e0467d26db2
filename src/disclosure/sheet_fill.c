/* sheet_fill.c - a table whose rows are cells: numbers, margins, and whether they add up. */
#include "disclosure/sheet.h"

#include "base/alloc.h"

#include <string.h>

/* ---- columns --------------------------------------------------------------------------------- */

static hd_code fail_number(const char *file, const hd_csv *csv, size_t row, int column,
                           const char *what, hd_err *err)
{
    return hd_fail(err, HD_FORMAT, "%s, line %zu, column %s: %s", file, csv->lines[row],
                   csv->header[column], what);
}

hd_code hd_sheet_decimals(const hd_csv *csv, const char *file, int column, unsigned *decimals,
                          hd_err *err)
{
    for (size_t row = 0; row < csv->n_rows; row++) {
        const char *text = hd_csv_cell(csv, row, column);
        int64_t digits;
        unsigned n;
        if (!*text)
            continue;
        if (!hd_sheet_decimal(text, &digits, &n))
            return fail_number(file, csv, row, column,
                               "not a plain decimal number of 0 or more (at most 18 digits)", err);
        *decimals = n > *decimals ? n : *decimals;
    }
    return HD_OK;
}

hd_code hd_sheet_values(const hd_csv *csv, const char *file, int column, bool may_be_empty,
                        unsigned decimals, int64_t *out, hd_err *err)
{
    for (size_t row = 0; row < csv->n_rows; row++) {
        const char *text = hd_csv_cell(csv, row, column);
        unsigned n;
        out[row] = -1;
        if (!*text && may_be_empty)
            continue;
        if (!hd_sheet_decimal(text, &out[row], &n))
            return fail_number(file, csv, row, column, "not a plain decimal number of 0 or more",
                               err);
        for (; n < decimals; n++)
            if (__builtin_mul_overflow(out[row], 10, &out[row]))
                return fail_number(file, csv, row, column, "too many digits", err);
        if (out[row] >= HD_MAX_VALUE)
            return fail_number(file, csv, row, column, "too many digits", err);
    }
    return HD_OK;
}

static hd_code read_counts(const hd_sheet *t, const char *option, const char *name,
                           const hd_csv *csv, const uint32_t *cells, int64_t *out, hd_err *err)
{
    int column;
    HD_TRY(hd_sheet_figures(t, csv, option, name, &column, err));
    for (size_t row = 0; row < csv->n_rows; row++)
        if (!hd_sheet_whole(hd_csv_cell(csv, row, column), &out[cells[row]]))
            return fail_number(t->name, csv, row, column,
                               "not a whole number from 0 to 5000000000", err);
    return HD_OK;
}

/* ---- margins --------------------------------------------------------------------------------- */

typedef struct checked {
    const hd_sheet *t;
    const hd_csv *csv;
    const uint32_t *row_of; /* a cell: UINT32_MAX when it is not in the file */
} checked;

/* Margins that are in the file against those of the parts. slack: how far the printed decimals of
 * each part may be off, doubled; 0 or 1. */
static hd_code add_up(const checked *k, int64_t *values, int64_t slack, const char *column,
                      hd_err *err)
{
    hd_code rc;
    size_t n = k->t->n_cells;
    int64_t *given = hd_malloc(n * sizeof *given), *leaves = hd_calloc(n, sizeof *leaves);
    if (!given || !leaves)
        HD_GO(hd_fail_nomem(err));
    memcpy(given, values, n * sizeof *given);
    for (size_t c = 0; c < n; c++)
        leaves[c] = hd_lattice_is_leaf(k->t->lattice, c);
    rc = hd_lattice_sum(k->t->lattice, values, err);
    if (rc != HD_OK)
        HD_GO(hd_context(err, "%s, column %s", k->t->name, column));
    HD_GO(hd_lattice_sum(k->t->lattice, leaves, err));
    for (size_t c = 0; c < n; c++) {
        if (values[c] >= HD_MAX_VALUE)
            HD_GO(hd_fail(err, HD_LIMIT, "%s, column %s: sums have too many digits", k->t->name,
                          column));
        if (k->row_of[c] == UINT32_MAX)
            continue;
        int64_t off = 2 * (given[c] > values[c] ? given[c] - values[c] : values[c] - given[c]);
        if (off > slack * (leaves[c] + 1) && !hd_lattice_is_leaf(k->t->lattice, c))
            HD_GO(hd_fail(err, HD_INVALID,
                          "%s, line %zu, column %s: the margin is not the sum of its parts (parts "
                          "that are left out count as 0)",
                          k->t->name, k->csv->lines[k->row_of[c]], column));
    }
out:
    hd_wipe_free(given, n * sizeof *given);
    hd_free(leaves);
    return rc;
}

typedef void (*fold_step)(hd_sheet *t, size_t parent, size_t child, bool is_first);

static bool is_open(const checked *k, size_t cell)
{
    return k->row_of[cell] == UINT32_MAX;
}

/* Margins that are not in the file, from their parts. Dimension by dimension and each from the
 * leaves up: the last dimension along which a cell is a sum has all its parts ready. */
static void fold(hd_sheet *t, const checked *k, fold_step step)
{
    for (size_t d = 0; d < t->n_dims; d++) {
        const hd_dimension *dim = hd_lattice_dimension(t->lattice, d);
        const uint32_t *down = hd_lattice_top_down(t->lattice, d);
        size_t stride = hd_lattice_stride(t->lattice, d), span = stride * dim->n_codes;
        for (size_t at = dim->n_codes; at-- > 0;)
            for (size_t r = 0; r < dim->n_rules; r++) {
                const hd_code_rule *rule = &dim->rules[r];
                if (rule->parent != down[at])
                    continue;
                for (size_t x = 0; x < t->n_cells / dim->n_codes; x++) {
                    size_t base = x / stride * span + x % stride;
                    size_t parent = base + rule->parent * stride;
                    for (size_t i = 0; i < rule->n_children && is_open(k, parent); i++)
                        step(t, parent, base + rule->children[i] * stride, i == 0);
                }
            }
    }
}

/* The least that it can be: everybody of one part is in the margin. */
static void fold_people(hd_sheet *t, size_t parent, size_t child, bool is_first)
{
    if (is_first || t->people[child] > t->people[parent])
        t->people[parent] = t->people[child];
}

void hd_sheet_rank(hd_contributor *top, hd_contributor c)
{
    for (size_t i = 0; i < HD_SHEET_TOP; i++)
        if (c.value > top[i].value) {
            hd_contributor next = top[i];
            top[i] = c;
            c = next;
        }
}

static void fold_top(hd_sheet *t, size_t parent, size_t child, bool is_first)
{
    hd_contributor *top = &t->top[parent * HD_SHEET_TOP];
    const hd_contributor *part = &t->top[child * HD_SHEET_TOP];
    for (size_t i = 0; i < HD_SHEET_TOP && is_first; i++)
        top[i] = (hd_contributor){-1, 0};
    for (size_t i = 0; i < HD_SHEET_TOP && part[i].value >= 0; i++)
        hd_sheet_rank(top, part[i]);
}

/* ---- people, sums, largest ------------------------------------------------------------------- */

static hd_code read_people(hd_sheet *t, const char *name, const checked *k, const uint32_t *cells,
                           hd_err *err)
{
    t->people = hd_calloc(t->n_cells, sizeof *t->people);
    if (!t->people)
        return hd_fail_nomem(err);
    HD_TRY(read_counts(t, "--people", name, k->csv, cells, t->people, err));
    for (size_t row = 0; row < k->csv->n_rows; row++)
        if (t->people[cells[row]] > t->count[cells[row]])
            return hd_fail(err, HD_INVALID, "%s, line %zu: more people than records", t->name,
                           k->csv->lines[row]);
    fold(t, k, fold_people);
    return HD_OK;
}

static hd_code read_sums(hd_sheet *t, const char *name, const checked *k, const uint32_t *cells,
                         hd_err *err)
{
    hd_code rc;
    int column;
    int64_t *rows = NULL;
    HD_TRY(hd_sheet_figures(t, k->csv, "--value", name, &column, err));
    HD_TRY(hd_sheet_decimals(k->csv, t->name, column, &t->decimals, err));
    rows = hd_malloc((k->csv->n_rows + 1) * sizeof *rows);
    t->sum = hd_calloc(t->n_cells, sizeof *t->sum);
    if (!rows || !t->sum)
        HD_GO(hd_fail_nomem(err));
    HD_GO(hd_sheet_values(k->csv, t->name, column, false, t->decimals, rows, err));
    for (size_t row = 0; row < k->csv->n_rows; row++) {
        if (rows[row] != 0 && t->count[cells[row]] == 0)
            HD_GO(hd_fail(err, HD_INVALID,
                          "%s, line %zu, column %s: a sum without anybody behind it: mend the number of "
                          "contributors or the sum",
                          t->name, k->csv->lines[row], name));
        t->sum[cells[row]] = rows[row];
    }
    HD_GO(add_up(k, t->sum, t->decimals > 0, name, err));
out:
    hd_wipe_free(rows, (k->csv->n_rows + 1) * sizeof *rows);
    return rc;
}

static hd_code read_one_largest(hd_sheet *t, const char *name, const checked *k,
                                const uint32_t *cells, int64_t *rows, hd_err *err)
{
    int column;
    unsigned decimals = 0;
    HD_TRY(hd_sheet_figures(t, k->csv, "--largest", name, &column, err));
    HD_TRY(hd_sheet_decimals(k->csv, t->name, column, &decimals, err));
    if (decimals > t->decimals)
        return hd_fail(err, HD_INVALID, "%s: column %s has more decimals than the sums", t->name,
                       name);
    HD_TRY(hd_sheet_values(k->csv, t->name, column, true, t->decimals, rows, err));
    for (size_t row = 0; row < k->csv->n_rows; row++) {
        size_t cell = cells[row];
        /* One unit of the last digit: both are rounded. */
        if (rows[row] > t->sum[cell] + (t->decimals > 0))
            return hd_fail(err, HD_INVALID, "%s, line %zu, column %s: larger than the sum", t->name,
                           k->csv->lines[row], name);
        if (rows[row] >= 0)
            hd_sheet_rank(&t->top[cell * HD_SHEET_TOP], (hd_contributor){rows[row], 1});
    }
    return HD_OK;
}

static hd_code read_largest(hd_sheet *t, const char *names, const checked *k, const uint32_t *cells,
                            hd_err *err)
{
    hd_code rc = HD_OK;
    int64_t *rows = hd_malloc((k->csv->n_rows + 1) * sizeof *rows);
    t->top = hd_malloc(t->n_cells * HD_SHEET_TOP * sizeof *t->top);
    if (!rows || !t->top)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < t->n_cells * HD_SHEET_TOP; i++)
        t->top[i] = (hd_contributor){-1, 0};
    size_t n = 0;
    for (const char *at = names; *at; n++) {
        char name[256];
        size_t len = strcspn(at, ",");
        if (len == 0 || len >= sizeof name || n == HD_SHEET_TOP)
            HD_GO(hd_fail(err, HD_INVALID, "--largest is a list of at most %d columns: a,b",
                          HD_SHEET_TOP));
        memcpy(name, at, len);
        name[len] = '\0';
        HD_GO(read_one_largest(t, name, k, cells, rows, err));
        at += len + (at[len] == ',');
    }
    fold(t, k, fold_top);
out:
    hd_wipe_free(rows, (k->csv->n_rows + 1) * sizeof *rows);
    return rc;
}

hd_code hd_sheet_fill(hd_sheet *t, const hd_protect_options *o, const hd_csv *csv,
                      const uint32_t *cells, hd_err *err)
{
    hd_code rc = HD_OK;
    uint32_t *row_of = hd_malloc(t->n_cells * sizeof *row_of);
    checked k = {t, csv, row_of};
    const char *name = o->count ? o->count : o->contributors;
    t->is_given = hd_calloc(t->n_cells, sizeof *t->is_given);
    if (!row_of || !t->is_given)
        HD_GO(hd_fail_nomem(err));
    memset(row_of, 0xff, t->n_cells * sizeof *row_of);
    for (size_t row = 0; row < csv->n_rows; row++) {
        uint32_t c = cells[row];
        if (row_of[c] != UINT32_MAX)
            HD_GO(hd_fail(err, HD_FORMAT,
                          "%s, line %zu: the cell of line %zu again: do --dims name every dimension of "
                          "the table?",
                          t->name, csv->lines[row], csv->lines[row_of[c]]));
        row_of[c] = (uint32_t)row;
        t->is_given[c] = true;
    }
    HD_GO(read_counts(t, o->count ? "--count" : "--contributors", name, csv, cells, t->count, err));
    HD_GO(add_up(&k, t->count, 0, name, err));
    if (o->people)
        HD_GO(read_people(t, o->people, &k, cells, err));
    if (o->value)
        HD_GO(read_sums(t, o->value, &k, cells, err));
    if (o->largest)
        HD_GO(read_largest(t, o->largest, &k, cells, err));
out:
    hd_free(row_of);
    return rc;
}
