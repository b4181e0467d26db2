/* attack_read.c - what the texts of a printed table say of its cells: a range each.
 *
 * Nothing is read into a print that protect.c does not put there: the functions that say what a print
 * means (rule.h, sum_rule.h) are the same.
 */
#include "disclosure/attack_work.h"

#include "base/alloc.h"
#include "disclosure/primary.h"
#include "disclosure/sum_rule.h"

#include <string.h>

#define MAX_FILE ((size_t)1 << 32)

typedef hd_attack_work work;

/* ---- what the texts mean --------------------------------------------------------------------- */

static hd_code read_meaning(const char *text, hd_mark_meaning *m, hd_err *err)
{
    const char *equals = strrchr(text, '='), *dots = equals ? strstr(equals, "..") : NULL;
    char low[32];
    *m = (hd_mark_meaning){text, equals ? (size_t)(equals - text) : 0, {0, HD_RULE_ENDLESS}};
    if (dots && (size_t)(dots - equals) <= sizeof low) {
        memcpy(low, equals + 1, (size_t)(dots - equals) - 1);
        low[dots - equals - 1] = '\0';
        if (hd_sheet_whole(low, &m->range.low) &&
            (!dots[2] || (hd_sheet_whole(dots + 2, &m->range.high) &&
                          m->range.low <= m->range.high)))
            return HD_OK;
    }
    return hd_fail(err, HD_INVALID, "--mark is written TEXT=LOW..HIGH or TEXT=LOW..: \"%s\" is not",
                   text);
}

static const hd_mark_meaning *find_meaning(const work *w, const char *text)
{
    for (size_t i = 0; i < w->o->n_marks; i++)
        if (strlen(text) == w->marks[i].len && memcmp(text, w->marks[i].text, w->marks[i].len) == 0)
            return &w->marks[i];
    return NULL;
}

static bool is_mark(const char *text, char mark)
{
    return text[0] == mark && !text[1];
}

const char *hd_attack_text(const work *w, size_t c, int column)
{
    return w->row[c] == UINT32_MAX ? "" : hd_csv_cell(&w->csv, w->row[c], column);
}

/* Which cells are below a small figure, from the marks alone: as protect.c has it. */
static hd_code find_below(work *w, int column, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = w->t.n_cells;
    bool *is_star = hd_calloc(n, sizeof *is_star), *is_zero = hd_calloc(n, sizeof *is_zero);
    bool *is_plain = hd_calloc(n, sizeof *is_plain);
    if (!is_star || !is_zero || !is_plain)
        HD_GO(hd_fail_nomem(err));
    for (size_t c = 0; c < n && w->p->below_star_is_withheld; c++) {
        const char *text = hd_attack_text(w, c, column);
        is_star[c] = !w->is_exact[c] && !w->is_summed[c] && is_mark(text, w->p->mark);
        is_zero[c] = is_mark(text, '0');
    }
    hd_lattice_below(w->t.lattice, is_star, w->is_below);
    hd_lattice_below(w->t.lattice, is_zero, is_plain);
    for (size_t c = 0; c < n; c++)
        w->is_below[c] &= !is_plain[c];
out:
    hd_free(is_star);
    hd_free(is_zero);
    hd_free(is_plain);
    return rc;
}

static hd_code read_number(work *w, size_t c, int column, hd_err *err)
{
    const char *text = hd_attack_text(w, c, column);
    const hd_rule_place place = {.is_exact = w->is_exact[c] || w->o->numbers_are_exact};
    int64_t n;
    unsigned decimals;
    size_t line = w->csv.lines[w->row[c]];
    if (!hd_sheet_decimal(text, &n, &decimals))
        return hd_fail(err, HD_FORMAT,
                       "%s, line %zu: neither a number of 0 or more nor a known mark: say what it "
                       "stands for with --mark",
                       w->t.name, line);
    if (w->t.decimals > 0 && !place.is_exact && !w->o->are_sums)
        return hd_fail(err, HD_INVALID,
                       "%s has decimals, which policy %s does not print: give --numbers exact, or sums",
                       w->t.name, w->p->name);
    for (; decimals < w->t.decimals; decimals++)
        if (__builtin_mul_overflow(n, 10, &n))
            n = HD_MAX_VALUE;
    if (n >= HD_MAX_VALUE)
        return hd_fail(err, HD_LIMIT, "%s, line %zu: the number has too many digits", w->t.name,
                       line);
    hd_rule_range r = w->o->are_sums ? hd_sum_rule_read(w->p, w->unit, n, place.is_exact)
                                     : hd_rule_read_number(w->p, place, n);
    if (r.low > r.high)
        return hd_fail(err, HD_INVALID,
                       "%s, line %zu: policy %s does not print this number: give its own --policy, "
                       "--exact for national figures, or --numbers exact or sums",
                       w->t.name, line, w->p->name);
    w->low[c] = r.low;
    w->high[c] = r.high;
    return HD_OK;
}

static hd_code read_cell(work *w, size_t c, int column, hd_err *err)
{
    const char *text = hd_attack_text(w, c, column);
    const hd_mark_meaning *m = find_meaning(w, text);
    hd_rule_range r = {0, HD_RULE_ENDLESS}; /* a cell that is not in the file */
    if (w->row[c] != UINT32_MAX) {
        const hd_rule_place place = {.is_exact = w->is_exact[c],
                                     .is_below = w->is_below[c],
                                     .has_persons = w->o->has_persons,
                                     .is_total = !hd_lattice_is_leaf(w->t.lattice, c)};
        bool is_marked = is_mark(text, w->p->mark) || is_mark(text, w->p->secondary_mark);
        if (!m && !is_marked) {
            HD_TRY(read_number(w, c, column, err));
            if (w->is_summed[c]) /* it follows from the other figures */
                w->low[c] = 0, w->high[c] = HD_NO_BOUND;
            return HD_OK;
        }
        w->is_withheld[c] = true;
        if (m)
            r = m->range;
        else if (w->t.decimals == 0 && !w->o->are_sums && !w->is_summed[c])
            r = hd_rule_read_mark(w->p, place, text[0]);
        w->may_be_nobody[c] = !m && w->t.decimals == 0 && !w->o->are_sums &&
                              !w->p->group_disclosure_is_withheld;
    }
    bool is_scaled = r.high != HD_RULE_ENDLESS && r.high <= HD_MAX_VALUE / w->unit;
    w->low[c] = r.low * w->unit;
    w->high[c] = is_scaled ? r.high * w->unit : HD_NO_BOUND;
    return HD_OK;
}

/* The most decimals of any number; everything is counted in units of the last one. */
static void find_unit(work *w, int column)
{
    w->unit = 1;
    w->t.decimals = w->o->decimals;
    for (size_t row = 0; row < w->csv.n_rows; row++) {
        int64_t n;
        unsigned decimals;
        if (hd_sheet_decimal(hd_csv_cell(&w->csv, row, column), &n, &decimals) &&
            decimals > w->t.decimals && decimals <= 9)
            w->t.decimals = decimals;
    }
    for (unsigned i = 0; i < w->t.decimals; i++)
        w->unit *= 10;
}

/* ---- reading --------------------------------------------------------------------------------- */

static hd_code all_columns(const work *w, int shown, hd_buf *b, hd_err *err)
{
    int percent = hd_csv_column(&w->csv, "percent"), exact = hd_csv_column(&w->csv, "exact");
    if (w->csv.n_columns > HD_LATTICE_DIMENSIONS + 3)
        return hd_fail(err, HD_LIMIT,
                       "%s has %zu columns, at most %d can be dimensions: name them in --dims",
                       w->t.name, w->csv.n_columns, HD_LATTICE_DIMENSIONS);
    for (size_t i = 0; i < w->csv.n_columns; i++)
        if ((int)i != shown && (int)i != percent && (int)i != exact)
            hd_buf_printf(b, "%s%s", b->len ? "," : "", w->csv.header[i]);
    if (!b->len)
        return hd_fail(err, HD_FORMAT, "%s has no columns beside the figures", w->t.name);
    return hd_buf_check(b, err);
}

static hd_code allocate(work *w, hd_err *err)
{
    size_t n = w->t.n_cells;
    w->row = hd_malloc(n * sizeof *w->row);
    w->is_withheld = hd_calloc(n, sizeof *w->is_withheld);
    w->is_exact = hd_calloc(n, sizeof *w->is_exact);
    w->is_below = hd_calloc(n, sizeof *w->is_below);
    w->is_summed = hd_calloc(n, sizeof *w->is_summed);
    w->may_be_nobody = hd_calloc(n, sizeof *w->may_be_nobody);
    w->low = hd_calloc(n, sizeof *w->low);
    w->high = hd_calloc(n, sizeof *w->high);
    if (!w->row || !w->is_withheld || !w->is_exact || !w->is_below || !w->is_summed ||
        !w->may_be_nobody || !w->low || !w->high)
        return hd_fail_nomem(err);
    memset(w->row, 0xff, n * sizeof *w->row);
    return HD_OK;
}

static hd_code place_rows(work *w, hd_err *err)
{
    hd_code rc;
    uint32_t *cells = NULL;
    HD_TRY(hd_sheet_place(&w->t, &w->csv, &cells, err));
    HD_GO(allocate(w, err));
    for (size_t row = 0; row < w->csv.n_rows; row++) {
        if (w->row[cells[row]] != UINT32_MAX)
            HD_GO(hd_fail(err, HD_FORMAT,
                          "%s, line %zu: the cell of line %zu again: %s", w->t.name,
                          w->csv.lines[row], w->csv.lines[w->row[cells[row]]],
                          w->o->dims ? "do --dims name every dimension of the table?"
                                     : "name its dimensions with --dims, the figures with --shown"));
        w->row[cells[row]] = (uint32_t)row;
    }
    for (size_t i = 0; i < w->o->n_exact; i++)
        HD_GO(hd_sheet_flag(&w->t, "--exact", w->o->exact[i], w->is_exact, err));
    int exact = hd_csv_column(&w->csv, "exact");
    for (size_t row = 0; row < w->csv.n_rows && exact >= 0; row++) {
        bool says_so = strcmp(hd_csv_cell(&w->csv, row, exact), "true") == 0;
        const char *figure = hd_csv_cell(&w->csv, row, w->shown);
        if (!says_so && w->is_exact[cells[row]] && *figure >= '1' && *figure <= '9')
            HD_GO(hd_fail(err, HD_INVALID,
                          "%s, line %zu: --exact names a figure of which the column exact says that it is "
                          "not: leave out --exact, the column is enough",
                          w->t.name, w->csv.lines[row]));
        w->is_exact[cells[row]] |= says_so;
    }
    for (size_t c = 0; c < w->t.n_cells; c++)
        w->is_summed[c] = w->p->totals_are_summed && !w->o->numbers_are_exact && !w->is_exact[c] &&
                          !hd_lattice_is_leaf(w->t.lattice, c);
out:
    hd_free(cells);
    return rc;
}

hd_code hd_attack_read(work *w, hd_err *err)
{
    const hd_attack_options *o = w->o;
    hd_code rc;
    hd_buf dims;
    hd_buf_init(&dims, (size_t)1 << 20);
    w->t.name = o->file;
    w->marks = hd_calloc(o->n_marks + 1, sizeof *w->marks);
    if (!w->marks)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < o->n_marks; i++)
        HD_GO(read_meaning(o->marks[i], &w->marks[i], err));
    HD_GO(hd_csv_read_file(&w->csv, o->file, MAX_FILE, err));
    HD_GO(hd_sheet_column(&w->csv, o->file, "--shown", o->shown ? o->shown : "shown", &w->shown, err));
    if (w->csv.n_rows == 0)
        HD_GO(hd_fail(err, HD_FORMAT, "%s has no rows: there is nothing to attack", o->file));
    if (!o->dims)
        HD_GO(all_columns(w, w->shown, &dims, err));
    HD_GO(hd_sheet_axes(&w->t, o->dims ? o->dims : dims.data, o->hierarchies, o->n_hierarchies,
                        o->total, err));
    HD_GO(place_rows(w, err));
    find_unit(w, w->shown);
    HD_GO(find_below(w, w->shown, err));
    for (size_t c = 0; c < w->t.n_cells; c++)
        HD_GO(read_cell(w, c, w->shown, err));
out:
    hd_buf_free(&dims);
    return rc;
}
