/* attack.c - see attack.h: reading the printed table, judging it, naming what gives a cell away.
 *
 * Up to MAX_SEARCHED cells both ends of each withheld figure are searched, each with a table that has it.
 * Above, the ends are those that the sums leave one by one (hd_lattice_propagate), and tables are only
 * looked for until a figure has its values. Above MAX_JUDGED, and where the sums cannot be solved, nothing is proven but what the ends say.
 */
#include "disclosure/attack.h"

#include "base/alloc.h"
#include "base/io.h"
#include "disclosure/build.h"
#include "disclosure/certificate.h"
#include "disclosure/eliminate.h"
#include "disclosure/lp.h"
#include "disclosure/primary.h"
#include "disclosure/propagate.h"
#include "disclosure/rule.h"
#include "disclosure/sheet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE ((size_t)1 << 32)
enum { MAX_TERMS = 12, SOLVER_CELLS = 200, MAX_SEARCHED = 30000, MAX_JUDGED = 1000000 };

typedef struct meaning {
    const char *text;
    size_t len;
    hd_rule_range range;
} meaning;

/* V_HELPER: withheld, and known to be neither small nor zero, or national, so that it needs no
 * protection. V_ZERO: a mark for a count that can only be 0: nobody is behind it, and who is behind
 * others does not hang on it. */
typedef enum verdict { V_NONE, V_HELPER, V_ZERO, V_SAFE, V_UNPROVEN, V_NARROW, V_EXACT } verdict;

typedef struct work {
    const hd_policy_file *p;
    const hd_attack_options *o;
    hd_sheet t;
    hd_csv csv;
    meaning *marks; /* of --mark */
    int64_t unit;
    uint32_t *row;       /* of each cell in the file; UINT32_MAX: it is not there */
    bool *is_withheld, *is_exact, *is_below, *is_summed;
    bool *may_be_nobody; /* the policy's mark for a count, by which 0 says nothing of others */
    int64_t *low, *high; /* as printed */
    hd_system system;
    hd_secondary_result judged;
    hd_interval *intervals;        /* NULL above MAX_SEARCHED */
    int32_t *dense_low, *dense_high; /* there instead */
    hd_witnesses witnesses;
    bool is_judged;      /* tables were looked for: `system` and `judged` are there */
    verdict *verdicts;   /* n_verdicts, of judged.system: the cells, then the differences */
    size_t n_verdicts;
} work;

/* ---- what the texts mean --------------------------------------------------------------------- */

static hd_code read_meaning(const char *text, meaning *m, hd_err *err)
{
    const char *equals = strrchr(text, '='), *dots = equals ? strstr(equals, "..") : NULL;
    char low[32];
    *m = (meaning){text, equals ? (size_t)(equals - text) : 0, {0, HD_RULE_ENDLESS}};
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

static const meaning *find_meaning(const work *w, const char *text)
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

static const char *text_of(const work *w, size_t c, int column)
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
        const char *text = text_of(w, c, column);
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
    const char *text = text_of(w, c, column);
    const hd_rule_place place = {.is_exact = w->is_exact[c] || w->o->numbers_are_exact};
    int64_t n;
    unsigned decimals;
    size_t line = w->csv.lines[w->row[c]];
    if (!hd_sheet_decimal(text, &n, &decimals))
        return hd_fail(err, HD_FORMAT,
                       "%s, line %zu: neither a number of 0 or more nor a known mark: say what it "
                       "stands for with --mark",
                       w->t.name, line);
    if (w->t.decimals > 0 && !place.is_exact)
        return hd_fail(err, HD_INVALID,
                       "%s has decimals, which policy %s does not print: give --numbers exact",
                       w->t.name, w->p->name);
    for (; decimals < w->t.decimals; decimals++)
        if (__builtin_mul_overflow(n, 10, &n))
            n = HD_MAX_VALUE;
    if (n >= HD_MAX_VALUE)
        return hd_fail(err, HD_LIMIT, "%s, line %zu: the number has too many digits", w->t.name,
                       line);
    hd_rule_range r = hd_rule_read_number(w->p, place, n);
    if (r.low > r.high)
        return hd_fail(err, HD_INVALID,
                       "%s, line %zu: policy %s does not print this number: give its own --policy, "
                       "--exact for national figures, or --numbers exact",
                       w->t.name, line, w->p->name);
    w->low[c] = r.low;
    w->high[c] = r.high;
    return HD_OK;
}

static hd_code read_cell(work *w, size_t c, int column, hd_err *err)
{
    const char *text = text_of(w, c, column);
    const meaning *m = find_meaning(w, text);
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
        else if (w->t.decimals == 0 && !w->is_summed[c])
            r = hd_rule_read_mark(w->p, place, text[0]);
        w->may_be_nobody[c] = !m && w->t.decimals == 0 && !w->p->group_disclosure_is_withheld;
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
    for (size_t row = 0; row < w->csv.n_rows && exact >= 0; row++)
        w->is_exact[cells[row]] |= strcmp(hd_csv_cell(&w->csv, row, exact), "true") == 0;
    for (size_t c = 0; c < w->t.n_cells; c++)
        w->is_summed[c] = w->p->totals_are_summed && !w->o->numbers_are_exact && !w->is_exact[c] &&
                          !hd_lattice_is_leaf(w->t.lattice, c);
out:
    hd_free(cells);
    return rc;
}

static hd_code read_table(work *w, hd_err *err)
{
    const hd_attack_options *o = w->o;
    hd_code rc;
    int shown;
    hd_buf dims;
    hd_buf_init(&dims, (size_t)1 << 20);
    w->t.name = o->file;
    w->marks = hd_calloc(o->n_marks + 1, sizeof *w->marks);
    if (!w->marks)
        HD_GO(hd_fail_nomem(err));
    for (size_t i = 0; i < o->n_marks; i++)
        HD_GO(read_meaning(o->marks[i], &w->marks[i], err));
    HD_GO(hd_csv_read_file(&w->csv, o->file, MAX_FILE, err));
    HD_GO(hd_sheet_column(&w->csv, o->file, "--shown", o->shown ? o->shown : "shown", &shown, err));
    if (w->csv.n_rows == 0)
        HD_GO(hd_fail(err, HD_FORMAT, "%s has no rows: there is nothing to attack", o->file));
    if (!o->dims)
        HD_GO(all_columns(w, shown, &dims, err));
    HD_GO(hd_sheet_axes(&w->t, o->dims ? o->dims : dims.data, o->hierarchies, o->n_hierarchies,
                        o->total, err));
    HD_GO(place_rows(w, err));
    find_unit(w, shown);
    HD_GO(find_below(w, shown, err));
    for (size_t c = 0; c < w->t.n_cells; c++)
        HD_GO(read_cell(w, c, shown, err));
out:
    hd_buf_free(&dims);
    return rc;
}

/* ---- contradictions -------------------------------------------------------------------------- */

static void put_name(const work *w, size_t c, hd_buf *b)
{
    for (size_t d = 0; d < w->t.n_dims; d++)
        hd_buf_printf(b, "%s%s=%s", d ? " " : "", w->t.axes[d].name, hd_sheet_code(&w->t, c, d));
}

static int64_t add_bounds(int64_t a, int64_t b)
{
    return a >= HD_NO_BOUND || b >= HD_NO_BOUND ? HD_NO_BOUND : a + b;
}

/* A sum whose parts cannot make it, if a single one gives the contradiction. */
static uint32_t broken_sum(const hd_system *s)
{
    for (size_t r = 0; r < s->n_rules; r++) {
        int64_t low = 0, high = 0;
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++) {
            low = add_bounds(low, s->low[s->child[i]]);
            high = add_bounds(high, s->high[s->child[i]]);
        }
        if (low > s->high[s->parent[r]] || high < s->low[s->parent[r]])
            return s->parent[r];
    }
    return UINT32_MAX;
}

static hd_code fail_unsound(const work *w, hd_err *err)
{
    uint32_t c = broken_sum(&w->system);
    if (c == UINT32_MAX)
        return hd_fail(err, HD_INVALID,
                       "%s contradicts itself: no table of whole numbers fits all its sums",
                       w->t.name);
    hd_buf name;
    hd_buf_init(&name, (size_t)1 << 16);
    put_name(w, c, &name);
    hd_code rc = hd_buf_check(&name, err);
    if (rc == HD_OK)
        rc = hd_fail(err, HD_INVALID,
                     "%s contradicts itself: no whole numbers make the sum %.250s out of its parts",
                     w->t.name, name.data);
    hd_buf_free(&name);
    return rc;
}

/* ---- judging --------------------------------------------------------------------------------- */

/* What may be small, by its print; nobody's business is a sum of what is shown anyway, or a national
 * figure. */
static bool is_protected(const work *w, size_t c)
{
    int64_t most = w->p->candidates_for_counts_to ? w->p->candidates_for_counts_to : 7;
    bool is_open = w->low[c] < w->high[c] && w->low[c] <= most * w->unit;
    return w->row[c] != UINT32_MAX && is_open && !w->is_summed[c] && !w->is_exact[c];
}

static hd_code judge(work *w, int64_t values, hd_err *err)
{
    hd_secondary_options options;
    size_t n = w->t.n_cells;
    hd_secondary_cell *cells = hd_calloc(n, sizeof *cells);
    if (!cells)
        return hd_fail_nomem(err);
    hd_secondary_options_init(&options);
    options.no_helpers = true;
    options.sensitive_low = 1;
    options.sensitive_high = w->p->candidates_for_counts_to;
    /* Where every number is exact small ones may be shown, and so may differences. */
    if (w->t.decimals || w->o->numbers_are_exact)
        options.difference_need = (hd_need){0};
    else
        options.difference_need = (hd_need){.values = (uint32_t)values};
    for (size_t c = 0; c < n; c++) {
        bool says_nothing = w->is_withheld[c] || w->is_summed[c] || w->row[c] == UINT32_MAX;
        cells[c] = (hd_secondary_cell){.low = w->low[c],
                                       .high = w->high[c],
                                       .coarse_low = 1,
                                       .hidden_low = 1,
                                       .is_withheld = says_nothing,
                                       .is_protected = is_protected(w, c),
                                       .need = {.values = (uint32_t)values}};
    }
    hd_code rc = hd_secondary_lattice(w->t.lattice, cells, &options, &w->judged, err);
    hd_free(cells);
    return rc == HD_INVALID ? fail_unsound(w, err) : rc;
}

/* The ends that the sums leave. */
static hd_code measure_dense(work *w, hd_err *err)
{
    size_t n = w->t.n_cells;
    hd_propagation done;
    w->dense_low = hd_malloc(n * sizeof *w->dense_low);
    w->dense_high = hd_malloc(n * sizeof *w->dense_high);
    if (!w->dense_low || !w->dense_high)
        return hd_fail_nomem(err);
    for (size_t c = 0; c < n; c++) {
        w->dense_low[c] = (int32_t)(w->low[c] < HD_DENSE_NO_BOUND ? w->low[c] : HD_DENSE_NO_BOUND);
        w->dense_high[c] = (int32_t)(w->high[c] < HD_DENSE_NO_BOUND ? w->high[c] : HD_DENSE_NO_BOUND);
    }
    HD_TRY(hd_lattice_propagate(w->t.lattice, w->dense_low, w->dense_high, &done, err));
    return done.is_consistent ? HD_OK : fail_unsound(w, err);
}

/* Both ends of every cell that carries a mark. */
static hd_code measure(work *w, hd_err *err)
{
    if (!w->is_judged || w->t.n_cells > MAX_SEARCHED)
        return measure_dense(w, err);
    w->intervals = hd_calloc(w->t.n_cells, sizeof *w->intervals);
    if (!w->intervals)
        return hd_fail_nomem(err);
    const hd_intervals_options options = {
        .wanted = w->is_withheld,
        .start = w->judged.witnesses.n_tables && w->judged.witnesses.n_cells == w->t.n_cells
                     ? w->judged.witnesses.values
                     : NULL,
    };
    hd_code rc = hd_intervals(&w->system, &options, w->intervals, &w->witnesses, err);
    return rc == HD_INVALID ? fail_unsound(w, err) : rc;
}

static hd_interval interval_of(const work *w, size_t c)
{
    if (c < w->t.n_cells && w->dense_low)
        return (hd_interval){
            .low = w->dense_low[c],
            .high = w->dense_high[c] < HD_DENSE_NO_BOUND ? w->dense_high[c] : HD_NO_BOUND,
            .seen_low = 1};
    return c < w->t.n_cells && w->is_withheld[c] ? w->intervals[c] : w->judged.intervals[c];
}

/* Of a withheld figure that is not proven. */
static verdict doubt(const work *w, size_t c, int64_t values)
{
    hd_interval at = interval_of(w, c);
    if (at.low == at.high)
        return at.high == 0 && c < w->t.n_cells && w->may_be_nobody[c] ? V_ZERO : V_EXACT;
    return at.high < HD_NO_BOUND && at.high - at.low + 1 < values ? V_NARROW : V_UNPROVEN;
}

static hd_code decide(work *w, hd_attack_report *report, hd_err *err)
{
    size_t n = w->is_judged ? w->judged.system.n_cells : w->t.n_cells;
    w->n_verdicts = n;
    w->verdicts = hd_calloc(n + 1, sizeof *w->verdicts);
    if (!w->verdicts)
        return hd_fail_nomem(err);
    report->is_by_sums_only = !w->is_judged;
    for (size_t c = 0; c < w->t.n_cells; c++) {
        w->verdicts[c] = !w->is_withheld[c] ? V_NONE : is_protected(w, c) ? V_SAFE : V_HELPER;
        if (w->verdicts[c] == V_SAFE && (!w->is_judged || interval_of(w, c).high == 0))
            w->verdicts[c] = doubt(w, c, report->values);
    }
    for (size_t i = 0; i < w->judged.n_unprotected; i++) {
        uint32_t c = w->judged.unprotected[i];
        w->verdicts[c] = doubt(w, c, report->values);
        report->n_differences += c >= w->t.n_cells;
    }
    for (size_t c = 0; c < w->t.n_cells; c++) {
        report->n_withheld += w->is_withheld[c];
        report->n_helpers += w->verdicts[c] == V_HELPER;
        report->n_zero += w->verdicts[c] == V_ZERO;
        report->n_exact += w->verdicts[c] == V_EXACT;
        report->n_narrow += w->verdicts[c] >= V_NARROW;
        report->n_unproven += w->verdicts[c] == V_UNPROVEN;
    }
    report->n_cells = w->t.n_cells;
    return HD_OK;
}

/* ---- naming combinations --------------------------------------------------------------------- */

static void put_combination(const work *w, const hd_combination *k, hd_buf *b)
{
    if (k->n_terms == 0)
        hd_buf_str(b, "0");
    for (size_t i = 0; i < k->n_terms && i < MAX_TERMS; i++) {
        int64_t x = k->numerator[i];
        hd_buf_str(b, x < 0 ? i ? " - " : "-" : i ? " + " : "");
        if (x != 1 && x != -1)
            hd_buf_printf(b, "%" PRId64 " ", x < 0 ? -x : x);
        hd_buf_char(b, '[');
        put_name(w, k->cell[i], b);
        hd_buf_char(b, ']');
    }
    if (k->n_terms > MAX_TERMS)
        hd_buf_printf(b, " ... and %zu more", k->n_terms - MAX_TERMS);
    if (k->denominator != 1)
        hd_buf_printf(b, ", all divided by %" PRId64, k->denominator);
}

/* How a cell is given away: the shown figures that make it, or that the bounds do. */
static hd_code explain(const work *w, size_t c, const bool *is_known, const bool *is_fixed,
                       hd_buf *b, hd_err *err)
{
    hd_combination k;
    hd_buf_clear(b);
    if (c >= w->t.n_cells) {
        /* The difference rule is the last one: whole = part + difference. */
        const hd_system *s = &w->judged.system;
        for (size_t r = 0; r < s->n_rules; r++)
            for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
                if (s->child[i] == c && s->start[r + 1] - s->start[r] == 2) {
                    hd_buf_str(b, "less ");
                    put_name(w, s->child[s->start[r] + (i == s->start[r])], b);
                }
        return hd_buf_check(b, err);
    }
    if (w->verdicts[c] < V_NARROW && w->verdicts[c] != V_ZERO)
        return HD_OK;
    if (!is_fixed[c]) {
        hd_buf_str(b, "what the marks and figures around it leave possible");
        return hd_buf_check(b, err);
    }
    hd_code rc = hd_eliminate_name(&w->system, is_known, (uint32_t)c, &k, err);
    if (rc == HD_LIMIT || rc == HD_NOTFOUND) {
        hd_buf_str(b, "sums and differences of shown figures");
        return hd_buf_check(b, err);
    }
    HD_TRY(rc);
    put_combination(w, &k, b);
    hd_combination_free(&k);
    return hd_buf_check(b, err);
}

/* ---- the release ----------------------------------------------------------------------------- */

static hd_code put_text(hd_release_builder *b, const char *text, hd_err *err)
{
    hd_figure f = {.value = {.type = HD_TEXT, .text = {text, strlen(text)}}};
    return hd_release_builder_put(b, &f, err);
}

static hd_code put_end(const work *w, hd_release_builder *b, int64_t x, hd_err *err)
{
    hd_type type = w->t.decimals ? HD_DECIMAL : HD_INTEGER;
    hd_figure f = {.value = {.type = type, .is_null = x >= HD_NO_BOUND || x <= -HD_NO_BOUND}};
    if (type == HD_DECIMAL)
        f.value.decimal = (double)x / (double)w->unit;
    else
        f.value.integer = x;
    return hd_release_builder_put(b, &f, err);
}

/* The whole of a difference: the cell that the row is about. */
static size_t row_cell(const work *w, size_t c)
{
    const hd_system *s = &w->judged.system;
    for (size_t r = 0; r < s->n_rules && c >= w->t.n_cells; r++)
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            if (s->child[i] == c)
                return s->parent[r];
    return c;
}

static hd_code put_row(const work *w, hd_release_builder *b, size_t c, int column,
                       const char *how, hd_err *err)
{
    static const char *const names[] = {
        [V_NONE] = "",   [V_HELPER] = "helper",         [V_ZERO] = "zero",
        [V_SAFE] = "safe", [V_UNPROVEN] = "not proven", [V_NARROW] = "narrow",
        [V_EXACT] = "exact"};
    size_t at = row_cell(w, c);
    hd_interval i = interval_of(w, c);
    for (size_t d = 0; d < w->t.n_dims; d++)
        HD_TRY(put_text(b, hd_sheet_code(&w->t, at, d), err));
    HD_TRY(put_text(b, c < w->t.n_cells ? text_of(w, c, column) : "difference", err));
    HD_TRY(put_end(w, b, i.low, err));
    HD_TRY(put_end(w, b, i.high, err));
    HD_TRY(put_text(b, names[w->verdicts[c]], err));
    return put_text(b, how, err);
}

static hd_code put_columns(const work *w, hd_release_builder *b, hd_err *err)
{
    hd_type number = w->t.decimals ? HD_DECIMAL : HD_INTEGER;
    for (size_t d = 0; d < w->t.n_dims; d++)
        HD_TRY(hd_release_builder_column(b, w->t.axes[d].name, HD_TEXT, true, err));
    HD_TRY(hd_release_builder_column(b, "shown", HD_TEXT, false, err));
    HD_TRY(hd_release_builder_column(b, "lowest", number, false, err));
    HD_TRY(hd_release_builder_column(b, "highest", number, false, err));
    HD_TRY(hd_release_builder_column(b, "verdict", HD_TEXT, false, err));
    return hd_release_builder_column(b, "because", HD_TEXT, false, err);
}

static hd_code put_rows(const work *w, hd_release_builder *b, hd_err *err)
{
    hd_code rc;
    size_t n = w->t.n_cells;
    uint32_t *order = NULL;
    int column = hd_csv_column(&w->csv, w->o->shown ? w->o->shown : "shown");
    bool *is_known = hd_calloc(n, sizeof *is_known), *is_fixed = hd_calloc(n, sizeof *is_fixed);
    hd_buf how;
    hd_buf_init(&how, (size_t)1 << 24);
    if (!is_known || !is_fixed)
        HD_GO(hd_fail_nomem(err));
    for (size_t c = 0; c < n; c++)
        is_known[c] = w->low[c] == w->high[c];
    if (w->is_judged)
        HD_GO(hd_eliminate(&w->system, is_known, is_fixed, err));
    HD_GO(hd_sheet_order(&w->t, &order, err));
    HD_GO(put_columns(w, b, err));
    for (size_t i = 0; i < w->n_verdicts; i++) {
        size_t c = i < n ? order[i] : i;
        if (w->verdicts[c] == V_NONE)
            continue;
        HD_GO(explain(w, c, is_known, is_fixed, &how, err));
        HD_GO(put_row(w, b, c, column, how.data, err));
    }
out:
    hd_buf_free(&how);
    hd_free(order);
    hd_free(is_known);
    hd_free(is_fixed);
    return rc;
}

static hd_code make_release(const work *w, hd_release **out, hd_err *err)
{
    hd_code rc;
    char question[512];
    snprintf(question, sizeof question, "audit %.400s", w->o->file);
    const hd_release_origin origin = {.policy = w->p->name,
                                      .policy_version = w->p->version,
                                      .legend = "lowest and highest: what a reader of the table can "
                                                "work out of a withheld figure",
                                      .question = question};
    hd_release_builder *b = hd_release_builder_start(&origin);
    if (!b)
        return hd_fail_nomem(err);
    HD_GO(put_rows(w, b, err));
    HD_GO(hd_release_builder_finish(b, out, err));
out:
    hd_release_builder_free(b);
    return rc;
}

/* ---- certificate and solver ------------------------------------------------------------------ */

static hd_code check_certificate(const work *w, hd_attack_report *report, hd_err *err)
{
    hd_code rc;
    char *text;
    size_t len;
    hd_certificate_summary summary;
    HD_TRY(hd_io_read_file(w->o->certificate, MAX_FILE, &text, &len, err));
    HD_GO(hd_certificate_check(text, len, &summary, err));
    HD_GO(hd_certificate_matches(text, len, w->low, w->high, w->t.n_cells, err));
    if (w->is_judged)
        HD_GO(hd_certificate_fits(text, len, &w->system, err));
    report->n_promises = summary.n_promises;
    report->n_witnesses = summary.n_witnesses;
out:
    hd_free(text);
    return rc == HD_OK ? HD_OK : hd_context(err, "%s", w->o->certificate);
}

/* The cell that matters most: the narrowest. */
static uint32_t worst_cell(const work *w)
{
    uint32_t worst = 0;
    for (size_t c = 0; c < w->t.n_cells; c++)
        if (w->verdicts[c] > w->verdicts[worst])
            worst = (uint32_t)c;
    return worst;
}

static hd_code write_lp(const work *w, hd_err *err)
{
    hd_code rc;
    hd_buf b, comments;
    hd_buf_init(&b, (size_t)1 << 32);
    hd_buf_init(&comments, (size_t)1 << 30);
    hd_buf_str(&comments, "\\ What a reader of the table knows. Put the cell in question into the "
                          "objective,\n\\ and ask for Minimize and for Maximize. Withheld cells:\n");
    for (size_t c = 0; c < w->t.n_cells; c++)
        if (w->is_withheld[c]) {
            hd_buf_printf(&comments, "\\ x%zu: ", c);
            size_t start = comments.len;
            put_name(w, c, &comments);
            HD_GO(hd_buf_check(&comments, err));
            for (char *s = comments.data + start; *s; s++)
                *s = *s == '\n' || *s == '\r' ? ' ' : *s;
            hd_buf_char(&comments, '\n');
        }
    HD_GO(hd_buf_check(&comments, err));
    hd_lp_write(&b, &w->system, worst_cell(w), false, comments.data);
    HD_GO(hd_buf_check(&b, err));
    HD_GO(hd_io_write_file(w->o->lp, b.data, b.len, 0644, err));
out:
    hd_buf_free(&b);
    hd_buf_free(&comments);
    return rc;
}

/* The solver's ends lie within ours, and around what witnesses have. */
static hd_code ask_solver(const work *w, hd_lp_solver *v, uint32_t c, hd_attack_report *report,
                          hd_err *err)
{
    hd_lp_answer low, high;
    int64_t lowest = 0, highest = 0;
    const hd_interval at = interval_of(w, c), *i = &at;
    HD_TRY(hd_lp_solver_ask(v, &w->system, c, false, &low, &lowest, err));
    HD_TRY(hd_lp_solver_ask(v, &w->system, c, true, &high, &highest, err));
    bool is_seen = i->seen_low <= i->seen_high;
    bool is_wrong = low == HD_LP_NONE || high == HD_LP_NONE ||
                    (low == HD_LP_FOUND && (lowest < i->low || (is_seen && lowest > i->seen_low))) ||
                    (high == HD_LP_FOUND &&
                     (highest > i->high || (is_seen && highest < i->seen_high)));
    bool is_silent = low == HD_LP_SILENT && high == HD_LP_SILENT && i->high < HD_NO_BOUND;
    report->n_asked++;
    report->n_silent += is_silent && !is_wrong;
    report->n_agreed += !is_silent && !is_wrong;
    return HD_OK;
}

static hd_code second_opinion(const work *w, hd_attack_report *report, hd_err *err)
{
    hd_code rc;
    hd_lp_solver *v = NULL;
    HD_GO(hd_lp_solver_open(&v, err));
    report->has_solver = v != NULL;
    for (int pass = 0; pass < 2 && v; pass++) /* those in doubt first */
        for (size_t c = 0; c < w->t.n_cells && report->n_asked < SOLVER_CELLS; c++)
            if (w->is_withheld[c] && (w->verdicts[c] > V_SAFE) == (pass == 0))
                HD_GO(ask_solver(w, v, (uint32_t)c, report, err));
out:
    hd_lp_solver_close(v);
    return rc;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void end_work(work *w)
{
    hd_free(w->marks);
    hd_free(w->row);
    hd_free(w->is_withheld);
    hd_free(w->is_exact);
    hd_free(w->is_below);
    hd_free(w->is_summed);
    hd_free(w->may_be_nobody);
    hd_free(w->low);
    hd_free(w->high);
    hd_free(w->intervals);
    hd_free(w->dense_low);
    hd_free(w->dense_high);
    hd_free(w->verdicts);
    hd_witnesses_free(&w->witnesses);
    hd_secondary_result_free(&w->judged);
    hd_system_free(&w->system);
    hd_csv_free(&w->csv);
    hd_sheet_free(&w->t);
}

hd_code hd_attack(hd_release **out, const hd_attack_options *o, const hd_policy *p,
                  hd_attack_report *report, hd_err *err)
{
    hd_code rc;
    work w = {.p = p->file, .o = o};
    *out = NULL;
    *report = (hd_attack_report){.values = o->values ? o->values : p->file->minimum_candidates};
    if (p->file->shows_true_counts)
        return hd_fail(err, HD_DENIED, "policy %s withholds nothing, so there is nothing to attack",
                       p->file->name);
    if (report->values == 0)
        return hd_fail(err, HD_INVALID, "policy %s asks for no number of values: give --values",
                       p->file->name);
    hd_system_init(&w.system);
    HD_GO(read_table(&w, err));
    w.is_judged = w.t.n_cells <= MAX_JUDGED;
    if (o->lp && !w.is_judged)
        HD_GO(hd_fail(err, HD_LIMIT,
                      "%s has %zu cells with its margins, --lp writes at most %d: audit a part of it",
                      o->file, w.t.n_cells, MAX_JUDGED));
    if (w.is_judged)
        HD_GO(hd_system_from_lattice(&w.system, w.t.lattice, w.low, w.high, err));
    if (o->certificate)
        HD_GO(check_certificate(&w, report, err));
    if (w.is_judged) {
        rc = judge(&w, report->values, err);
        w.is_judged = rc != HD_LIMIT; /* sums too entangled to look for tables */
        HD_GO(w.is_judged ? rc : HD_OK);
    }
    HD_GO(measure(&w, err));
    HD_GO(decide(&w, report, err));
    if (o->lp)
        HD_GO(write_lp(&w, err));
    if (o->lp)
        HD_GO(second_opinion(&w, report, err));
    HD_GO(make_release(&w, out, err));
out:
    end_work(&w);
    return rc;
}
