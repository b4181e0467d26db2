/* attack.c - see attack.h: judging what was read of the printed table (attack_read.c), and naming what
 * gives a cell away.
 *
 * Up to MAX_SEARCHED cells both ends of each withheld figure are searched, each with a table that has
 * it. Above, the ends are those that the sums leave one by one (hd_lattice_propagate), and tables are
 * only looked for until a figure has its values. Above MAX_JUDGED, and where the sums cannot be solved,
 * nothing is proven but what the ends say.
 */
#include "disclosure/attack_work.h"

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
enum {
    MAX_TERMS = 12,
    SOLVER_CELLS = 200,
    MAX_SEARCHED = 30000,
    MAX_JUDGED = 1000000,
    SUM_WIDTH = 10, /* a tenth, as in protect.c */
};

typedef hd_attack_work work;

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

/* The largest count that is somebody's business. */
static int64_t small_to(const work *w)
{
    int64_t most = w->p->candidates_for_counts_to ? w->p->candidates_for_counts_to : 7;
    return most * w->unit;
}

static bool is_for_others(const work *w, size_t c)
{
    return c < w->t.n_cells && hd_attack_text(w, c, w->shown)[0] == w->p->secondary_mark;
}

/* What may be small, by its print; nobody's business is a sum of what is shown anyway, or a national
 * figure. */
static bool is_protected(const work *w, size_t c)
{
    bool is_open = w->low[c] < w->high[c] && w->low[c] <= small_to(w);
    if (w->o->are_sums) /* what is withheld for others needs no protection */
        return is_open && w->is_withheld[c] && !w->is_summed[c] && !w->is_exact[c] &&
               !is_for_others(w, c);
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
    if (w->t.decimals || w->o->numbers_are_exact || w->o->are_sums)
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

/* Of a withheld figure that is not proven. One withheld for others that the sums show to be large, where its
 * mark does not say so, needs no protection. */
static hd_verdict doubt(const work *w, size_t c, int64_t values)
{
    hd_interval at = interval_of(w, c);
    if (is_for_others(w, c) && at.low > small_to(w))
        return V_HELPER;
    if (at.low == at.high)
        return at.high == 0 && c < w->t.n_cells && w->may_be_nobody[c] ? V_ZERO : V_EXACT;
    return at.high < HD_NO_BOUND && at.high - at.low + 1 < values ? V_NARROW : V_UNPROVEN;
}

/* Of a withheld sum. Whoever protected it knew it; here it is at least its lowest value, and a tenth
 * of that is asked for. */
static hd_verdict judge_sum(const work *w, size_t c)
{
    hd_interval at = interval_of(w, c);
    int64_t width = at.low / SUM_WIDTH + (at.low % SUM_WIDTH != 0);
    if (at.low == at.high)
        return V_EXACT;
    if (at.high < HD_NO_BOUND && at.high - at.low < width)
        return V_NARROW;
    return at.seen_low < at.seen_high && at.seen_high - at.seen_low >= width ? V_SAFE : V_UNPROVEN;
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
        if (w->verdicts[c] == V_SAFE && w->o->are_sums)
            w->verdicts[c] = judge_sum(w, c);
        else if (w->verdicts[c] == V_SAFE && (!w->is_judged || interval_of(w, c).high == 0))
            w->verdicts[c] = doubt(w, c, report->values);
    }
    for (size_t i = 0; i < w->judged.n_unprotected && !w->o->are_sums; i++) {
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

static hd_code put_row(const work *w, hd_release_builder *b, size_t c, const char *how,
                       hd_err *err)
{
    static const char *const names[] = {
        [V_NONE] = "",   [V_HELPER] = "helper",         [V_ZERO] = "zero",
        [V_SAFE] = "safe", [V_UNPROVEN] = "not proven", [V_NARROW] = "narrow",
        [V_EXACT] = "exact"};
    size_t at = row_cell(w, c);
    hd_interval i = interval_of(w, c);
    for (size_t d = 0; d < w->t.n_dims; d++)
        HD_TRY(put_text(b, hd_sheet_code(&w->t, at, d), err));
    HD_TRY(put_text(b, c < w->t.n_cells ? hd_attack_text(w, c, w->shown) : "difference", err));
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
        HD_GO(put_row(w, b, c, how.data, err));
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
    int64_t asked = o->are_sums ? 2 : p->file->minimum_candidates;
    *report = (hd_attack_report){.values = o->values ? o->values : asked};
    if (p->file->shows_true_counts)
        return hd_fail(err, HD_DENIED, "policy %s withholds nothing, so there is nothing to attack",
                       p->file->name);
    if (report->values == 0)
        return hd_fail(err, HD_INVALID, "policy %s asks for no number of values: give --values",
                       p->file->name);
    hd_system_init(&w.system);
    HD_GO(hd_attack_read(&w, err));
    w.is_judged = w.t.n_cells <= MAX_JUDGED;
    if (o->are_sums && w.t.n_cells > MAX_SEARCHED)
        HD_GO(hd_fail(err, HD_LIMIT,
                      "%s has %zu cells with its margins, of sums at most %d are searched: audit a "
                      "part of it",
                      o->file, w.t.n_cells, MAX_SEARCHED));
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
        w.is_judged = rc != HD_LIMIT || o->are_sums; /* sums too entangled to look for tables */
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
