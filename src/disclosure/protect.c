/* protect.c - see protect.h: primary pass, secondary pass, certificate, print.
 *
 * What is known of a cell is always worked out from what is printed in it (hd_rule_read_*), by the
 * functions that `hdis audit` uses on the printed table.
 */
#include "disclosure/protect.h"

#include "base/alloc.h"
#include "base/counted.h"
#include "disclosure/alone.h"
#include "disclosure/build.h"
#include "disclosure/certificate.h"
#include "disclosure/exact_kept.h"
#include "disclosure/places.h"
#include "disclosure/primary.h"
#include "disclosure/rule.h"
#include "disclosure/secondary.h"
#include "disclosure/sheet.h"
#include "disclosure/sum_rule.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WANTED = 1000000,       /* preference of what the user wants, above any depth */
    SMALL_TABLE = 500,      /* cells: there is time to look for a pattern twice */
    MOST_CELLS = 4000000,   /* a million takes 1.1 GB */
    MOST_ROUNDS = 8,        /* of starting again with more withheld */
    SUM_WIDTH_PERCENT = 10, /* a withheld sum stays uncertain by so much of itself, whatever the rule */
};

typedef struct work {
    const hd_policy_file *p;
    const hd_protect_options *o;
    hd_sheet t;
    int64_t unit;     /* 10^decimals */
    char *mark;       /* of each cell; 0: a number */
    bool *is_star;    /* small, and so is whatever is below */
    bool *is_below;   /* a part of a figure with the mark */
    bool *is_summed;  /* a total that is worked out from the figures shown */
    bool *is_sparse;  /* a total of small parts only, whose withheld form is the mark as well */
    bool by_values;   /* how "cannot be worked out" is looked for */
    bool *is_asked;   /* --exact: was to stay as it is */
    bool *is_extra;   /* withheld because the secondary pass found no way around it */
    bool *is_held;    /* sums: helpers, once there are some that only contributors call for */
    int64_t *printed; /* where mark is 0; sums in units */
    hd_secondary_cell *cells;
    hd_secondary_result result;
} work;

/* ---- the primary pass ------------------------------------------------------------------------ */

static int64_t persons_of(const work *w, size_t c)
{
    return w->t.people ? w->t.people[c] : -1;
}

static hd_sum sum_of(const work *w, size_t c)
{
    return (hd_sum){.value = w->t.sum[c],
                    .unit = w->unit,
                    .contributors = w->t.count[c],
                    .top = w->t.top ? &w->t.top[c * HD_SHEET_TOP] : NULL};
}

static bool is_withheld_sum(const work *w, size_t c)
{
    hd_sum s = sum_of(w, c);
    return hd_sum_rule_withholds(w->p, &s);
}

static void mark_cells(work *w)
{
    for (size_t c = 0; c < w->t.n_cells; c++) {
        if (w->t.is_exact[c] || w->is_summed[c])
            continue;
        w->is_star[c] = hd_rule_withholds(w->p, w->t.count[c], persons_of(w, c));
        if (w->is_star[c] || (w->t.sum && is_withheld_sum(w, c)))
            w->mark[c] = w->p->mark;
    }
}

/* Everybody of the total is in one part: the part and the zeros beside it tell it. */
static void mark_group(work *w, size_t base, size_t stride, const hd_code_rule *rule)
{
    size_t n_full = 0;
    int64_t total = w->t.count[base + rule->parent * stride];
    for (size_t i = 0; i < rule->n_children; i++)
        n_full += w->t.count[base + rule->children[i] * stride] == total;
    if (total == 0 || n_full == 0 || rule->n_children < 2)
        return;
    for (size_t i = 0; i < rule->n_children; i++) {
        size_t c = base + rule->children[i] * stride;
        if (!w->t.is_exact[c] && !w->is_summed[c])
            w->mark[c] = w->p->mark;
    }
}

static void mark_groups(work *w)
{
    for (size_t d = 0; d < w->t.n_dims; d++) {
        const hd_dimension *dim = hd_lattice_dimension(w->t.lattice, d);
        size_t stride = hd_lattice_stride(w->t.lattice, d), span = stride * dim->n_codes;
        for (size_t r = 0; r < dim->n_rules; r++)
            for (size_t x = 0; x < w->t.n_cells / dim->n_codes; x++)
                mark_group(w, x / stride * span + x % stride, stride, &dim->rules[r]);
    }
}

/* Totals all of whose leaves are withheld for their size, where the mark of a total says nothing. */
static hd_code find_sparse(work *w, hd_err *err)
{
    hd_code rc = HD_OK;
    if (!hd_rule_total_is_open(w->p) || w->t.sum)
        return HD_OK;
    int64_t *others = hd_calloc(w->t.n_cells, sizeof *others);
    if (!others)
        return hd_fail_nomem(err);
    for (size_t c = 0; c < w->t.n_cells; c++)
        if (hd_lattice_is_leaf(w->t.lattice, c))
            others[c] = !hd_rule_withholds(w->p, w->t.count[c], persons_of(w, c));
    HD_GO(hd_lattice_sum(w->t.lattice, others, err));
    for (size_t c = 0; c < w->t.n_cells; c++)
        w->is_sparse[c] = others[c] == 0 && !hd_lattice_is_leaf(w->t.lattice, c);
out:
    hd_free(others);
    return rc;
}

/* What stands for a figure that is withheld to protect another. */
static char helper_mark(const work *w, size_t c)
{
    return w->is_sparse[c] ? w->p->mark : w->p->secondary_mark;
}

static hd_code mark_sensitive(work *w, hd_err *err)
{
    for (size_t c = 0; c < w->t.n_cells; c++) {
        if (w->t.width[c] < 0 || w->mark[c])
            continue;
        if (w->is_summed[c] || (w->t.count[c] == 0 && w->p->zero_is_shown))
            return hd_fail(err, HD_INVALID,
                           "%s: a cell among them is one that policy %s never withholds (an empty "
                           "cell, or a total that is the sum of what is shown)",
                           w->o->sensitive, w->p->name);
        w->mark[c] = helper_mark(w, c);
    }
    return HD_OK;
}

/* Nothing is broken down below a small figure, zeros included; but a part of a zero that is shown is
 * 0 for everybody. */
static hd_code mark_below(work *w, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = w->t.n_cells;
    bool *is_zero = hd_calloc(n, sizeof *is_zero), *is_plain = hd_calloc(n, sizeof *is_plain);
    if (!is_zero || !is_plain)
        HD_GO(hd_fail_nomem(err));
    hd_lattice_below(w->t.lattice, w->is_star, w->is_below);
    for (size_t c = 0; c < n; c++)
        is_zero[c] = w->t.count[c] == 0 && (!w->is_below[c] || w->t.is_exact[c]) && w->p->zero_is_shown;
    hd_lattice_below(w->t.lattice, is_zero, is_plain);
    for (size_t c = 0; c < n; c++) {
        w->is_below[c] &= !is_plain[c];
        if (w->is_below[c] && !w->t.is_exact[c] && !w->is_summed[c])
            w->mark[c] = w->p->mark;
    }
out:
    hd_free(is_zero);
    hd_free(is_plain);
    return rc;
}

static void mark_extra(work *w)
{
    for (size_t c = 0; c < w->t.n_cells; c++)
        if (w->is_extra[c] && !w->mark[c] && !w->is_summed[c] && w->t.count[c] > 0)
            w->mark[c] = helper_mark(w, c);
}

static hd_code primary(work *w, hd_err *err)
{
    for (size_t c = 0; c < w->t.n_cells && w->p->totals_are_summed; c++)
        w->is_summed[c] = !w->t.is_exact[c] && !hd_lattice_is_leaf(w->t.lattice, c);
    mark_cells(w);
    if (w->p->group_disclosure_is_withheld)
        mark_groups(w);
    if (w->p->below_star_is_withheld)
        HD_TRY(mark_below(w, err));
    mark_extra(w);
    return mark_sensitive(w, err);
}

/* ---- what is printed ------------------------------------------------------------------------- */

static int64_t print_cell(const work *w, size_t c, bool is_exact)
{
    int64_t x = w->t.sum ? w->t.sum[c] : w->t.count[c];
    if (is_exact)
        return x;
    return w->t.sum ? hd_sum_rule_round(w->p, w->unit, x) : hd_rule_round(w->p, x);
}

/* Totals that are sums of the figures shown; one over figures that are all withheld is withheld. */
static hd_code print_sums(work *w, hd_err *err)
{
    hd_code rc = HD_OK;
    int64_t *sums = hd_calloc(w->t.n_cells, sizeof *sums);
    int64_t *hidden = hd_calloc(w->t.n_cells, sizeof *hidden);
    if (!sums || !hidden)
        HD_GO(hd_fail_nomem(err));
    for (size_t c = 0; c < w->t.n_cells; c++)
        if (hd_lattice_is_leaf(w->t.lattice, c)) {
            sums[c] = w->mark[c] ? 0 : w->printed[c];
            hidden[c] = w->mark[c] != 0;
        }
    HD_GO(hd_lattice_sum(w->t.lattice, sums, err));
    HD_GO(hd_lattice_sum(w->t.lattice, hidden, err));
    for (size_t c = 0; c < w->t.n_cells; c++)
        if (w->is_summed[c]) {
            w->printed[c] = sums[c];
            w->mark[c] = sums[c] == 0 && hidden[c] ? w->p->mark : 0;
        }
out:
    hd_free(sums);
    hd_free(hidden);
    return rc;
}

/* ---- the secondary pass ---------------------------------------------------------------------- */

static int64_t bound(int64_t high)
{
    return high >= HD_NO_BOUND ? HD_NO_BOUND : high;
}

/* What a reader knows of a cell that is printed with a mark (0: as a number). */
static hd_rule_range known(const work *w, size_t c, char mark, bool is_exact)
{
    const hd_rule_place place = {.is_exact = is_exact,
                                 .is_below = w->is_below[c],
                                 .has_persons = w->t.people != NULL,
                                 .is_total = !hd_lattice_is_leaf(w->t.lattice, c)};
    if (w->is_summed[c] || (mark && w->t.sum))
        return (hd_rule_range){0, HD_RULE_ENDLESS};
    if (mark)
        return hd_rule_read_mark(w->p, place, mark);
    int64_t shown = print_cell(w, c, is_exact);
    return w->t.sum ? hd_sum_rule_read(w->p, w->unit, shown, is_exact)
                    : hd_rule_read_number(w->p, place, shown);
}

/* What policy and user ask of a cell, from what is printed in it. */
static void ask(const work *w, size_t c, hd_secondary_cell *s)
{
    int64_t width = w->t.width[c] > 0 ? w->t.width[c] : 0;
    bool is_small = s->low <= w->p->candidates_for_counts_to && s->high > 0;
    if (w->is_summed[c] || (w->t.is_exact[c] && w->t.width[c] < 0))
        return;
    if (w->t.sum) {
        int64_t least = (int64_t)(((__int128)w->t.sum[c] * SUM_WIDTH_PERCENT + 99) / 100);
        s->is_protected = w->mark[c] != 0;
        s->need.width = width ? width : least > 0 ? least : 1;
        hd_sum sum = sum_of(w, c);
        int64_t room = width ? 0 : hd_sum_rule_room(w->p, &sum);
        if (room > 0) {
            s->need.has_span = true;
            s->need.at_most = HD_NO_BOUND;
            s->need.at_least = sum.value + room;
        }
    } else if (w->p->minimum_candidates) {
        s->is_protected = w->mark[c] || is_small;
        s->is_protected_hidden = w->is_sparse[c] && !s->is_protected;
        s->need.values = (uint32_t)w->p->minimum_candidates;
        s->need.width = width;
    } else {
        s->is_protected = w->mark[c] != 0;
        s->need.not_computable = !w->by_values;
        s->need.values = w->by_values ? 2 : 0; /* the same, and harder */
        s->need.width = width;
    }
    if (!s->is_protected && !s->is_protected_hidden)
        s->need = (hd_need){0};
}

static void fill_cell(const work *w, size_t c, hd_secondary_cell *s)
{
    hd_rule_range now = known(w, c, w->mark[c], w->t.is_exact[c]);
    hd_rule_range hidden = known(w, c, helper_mark(w, c), w->t.is_exact[c]);
    char coarse_mark = 0;
    *s = (hd_secondary_cell){.low = now.low,
                             .high = bound(now.high),
                             .coarse_low = 1,
                             .hidden_low = 1,
                             .is_public = w->t.is_exact[c],
                             /* A total that is added up from what is shown says nothing of its own. */
                             .is_withheld = w->mark[c] || w->is_summed[c],
                             .size = now.low,
                             .preference = -(int32_t)hd_lattice_depth(w->t.lattice, c)};
    int64_t x = w->t.sum ? w->t.sum[c] : w->t.count[c];
    if (w->t.is_wanted[c])
        s->preference += WANTED;
    if (w->is_held[c] && !s->is_withheld) {
        s->low = hidden.low;
        s->high = bound(hidden.high);
        s->is_withheld = true;
        return;
    }
    ask(w, c, s);
    if (w->mark[c] || w->is_summed[c])
        return;
    if (x > 0) {
        s->hidden_low = hidden.low;
        s->hidden_high = bound(hidden.high);
    }
    if (w->t.is_exact[c] && (x > 0 || !w->p->zero_is_shown)) {
        if (hd_rule_withholds(w->p, w->t.count[c], persons_of(w, c)))
            coarse_mark = w->p->mark;
        hd_rule_range coarse = known(w, c, coarse_mark, false);
        bool is_coarser = coarse.low < now.low || coarse.high > now.high;
        s->coarse_low = is_coarser ? coarse.low : 1;
        s->coarse_high = is_coarser ? bound(coarse.high) : 0;
    }
}

static hd_code refuse(const work *w, hd_err *err)
{
    hd_code rc;
    hd_buf name;
    hd_buf_init(&name, (size_t)1 << 16);
    uint32_t first = w->result.unprotected[0];
    if (first < w->t.n_cells)
        hd_places_put(&w->t, first, &name);
    else
        hd_buf_str(&name, "a difference between two of them");
    rc = hd_buf_check(&name, err);
    if (rc == HD_OK)
        rc = hd_fail(err, HD_DENIED,
                     "%s: %s cannot be protected as policy %s asks, whatever else is "
                     "withheld; the first is %.200s: use coarser codes%s",
                     w->t.name, hd_counted(w->result.n_unprotected, "figure").text, w->p->name, name.data,
                     w->o->n_exact ? " there, or fewer exact figures" : " there");
    hd_buf_free(&name);
    return rc;
}

static hd_secondary_options options_of(const work *w)
{
    hd_secondary_options options;
    hd_secondary_options_init(&options);
    options.difference_need = (hd_need){.values = (uint32_t)w->p->minimum_candidates};
    options.sensitive_low = 1;
    options.sensitive_high = w->p->candidates_for_counts_to;
    if (w->t.sum)
        options.difference_need.values = 0;
    options.start = w->t.sum ? w->t.sum : w->t.count;
    options.tick = w->o->tick;
    return options;
}

static hd_code run_secondary(work *w, hd_err *err)
{
    const hd_secondary_options options = options_of(w);
    for (size_t c = 0; c < w->t.n_cells; c++)
        fill_cell(w, c, &w->cells[c]);
    return hd_secondary_lattice(w->t.lattice, w->cells, &options, &w->result, err);
}

/* An exact figure that had to be rounded becomes one like any other; true if its print is one that
 * the policy protects, so that everything is worked out anew. */
static bool give_up_rounded(work *w)
{
    bool is_news = false;
    for (size_t c = 0; c < w->t.n_cells; c++) {
        if (!w->t.is_exact[c] || w->result.shown[c] != HD_COARSER)
            continue;
        w->t.is_exact[c] = false;
        is_news |= w->cells[c].coarse_low <= w->p->candidates_for_counts_to;
    }
    return is_news;
}

static hd_code start_again(work *w, hd_err *err)
{
    memset(w->mark, 0, w->t.n_cells);
    memset(w->is_star, 0, w->t.n_cells * sizeof *w->is_star);
    memset(w->is_below, 0, w->t.n_cells * sizeof *w->is_below);
    memset(w->is_summed, 0, w->t.n_cells * sizeof *w->is_summed);
    hd_secondary_result_free(&w->result);
    return primary(w, err);
}

/* Withhold the sums that a cell is part of, and in later rounds those that these are part of. */
static void withhold_above(work *w, size_t cell, int rounds)
{
    uint32_t codes[HD_LATTICE_DIMENSIONS];
    hd_lattice_codes(w->t.lattice, cell, codes);
    for (size_t d = 0; d < w->t.n_dims && rounds > 0; d++) {
        const hd_dimension *dim = hd_lattice_dimension(w->t.lattice, d);
        size_t stride = hd_lattice_stride(w->t.lattice, d);
        for (size_t r = 0; r < dim->n_rules; r++)
            for (size_t i = 0; i < dim->rules[r].n_children; i++)
                if (dim->rules[r].children[i] == codes[d]) {
                    size_t above = cell - codes[d] * stride + dim->rules[r].parent * stride;
                    w->is_extra[above] = true;
                    withhold_above(w, above, rounds - 1);
                }
    }
}

/* The secondary pass looks only so far for helpers. For what it leaves, the sums around are withheld
 * outright: too much at times, and rare. In the last round everything is. */
static void widen(work *w, int rounds)
{
    for (size_t c = 0; c < w->t.n_cells && rounds == MOST_ROUNDS; c++)
        w->is_extra[c] = true;
    for (size_t i = 0; i < w->result.n_unprotected; i++) {
        uint32_t c = w->result.unprotected[i];
        const hd_system *s = &w->result.system;
        if (c < w->t.n_cells)
            withhold_above(w, c, rounds);
        for (size_t r = 0; r < s->n_rules && c >= w->t.n_cells; r++)
            for (size_t k = s->start[r]; k < s->start[r + 1]; k++)
                if (s->child[k] == c) /* a difference: without the whole there is none */
                    w->is_extra[s->parent[r]] = true;
    }
}

/* The secondary pass, until no single figure has to be rounded. */
static hd_code settle(work *w, hd_exact_outcome *out, hd_err *err)
{
    HD_TRY(run_secondary(w, err));
    int rounds = 0;
    for (; w->result.n_unprotected == 0 && give_up_rounded(w) && rounds < MOST_ROUNDS; rounds++) {
        HD_TRY(start_again(w, err));
        HD_TRY(run_secondary(w, err));
    }
    *out = (hd_exact_outcome){.is_safe = w->result.n_unprotected == 0 && rounds < MOST_ROUNDS};
    for (size_t c = 0; c < w->t.n_cells; c++)
        out->n_shown += w->t.is_exact[c] && w->t.count[c] > 0 && !w->mark[c] &&
                        w->result.shown[c] == HD_AS_IS;
    return HD_OK;
}

static hd_code run_exact(void *ctx, const bool *is_exact, hd_exact_outcome *out, hd_err *err)
{
    work *w = ctx;
    memcpy(w->t.is_exact, is_exact, w->t.n_cells * sizeof *is_exact);
    HD_TRY(start_again(w, err));
    return settle(w, out, err);
}

static hd_code list_wishes(const work *w, hd_exact_wish **out, size_t *n, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t cap = 0;
    bool *flags = hd_calloc(w->t.n_cells, sizeof *flags);
    bool *is_listed = hd_calloc(w->t.n_cells, sizeof *is_listed);
    if (!flags || !is_listed)
        HD_GO(hd_fail_nomem(err));
    for (uint32_t i = 0; i < w->o->n_exact; i++) {
        memset(flags, 0, w->t.n_cells * sizeof *flags);
        HD_GO(hd_sheet_flag(&w->t, "--exact", w->o->exact[i], flags, err));
        for (size_t c = 0; c < w->t.n_cells; c++) {
            if (!flags[c] || is_listed[c] || w->t.count[c] == 0)
                continue;
            bool is_withheld = hd_rule_withholds(w->p, w->t.count[c], persons_of(w, c)) ||
                               (w->t.sum && is_withheld_sum(w, c));
            if (!HD_GROW(*out, *n, cap))
                HD_GO(hd_fail_nomem(err));
            (*out)[(*n)++] = (hd_exact_wish){.cell = (uint32_t)c,
                                             .option = i,
                                             .size = is_withheld ? 0 : print_cell(w, c, false)};
            is_listed[c] = true;
        }
    }
out:
    hd_free(flags);
    hd_free(is_listed);
    return rc;
}

/* A pattern with nothing unprotected. Where it is not enough that none of the figures asked for stays
 * exact, more is withheld besides, in the last round everything. */
static hd_code find_pattern(work *w, hd_err *err)
{
    hd_code rc;
    int rounds = 0;
    hd_exact_search s = {.lattice = w->t.lattice,
                         .is_asked = w->is_asked,
                         .result = &w->result,
                         .run = run_exact,
                         .ctx = w};
    HD_GO(settle(w, &s.last, err));
    if (s.last.is_safe)
        goto out;
    HD_GO(list_wishes(w, &s.wishes, &s.n_wishes, err));
    HD_GO(hd_exact_search_init(&s, err));
    if (s.n_wishes)
        HD_GO(hd_exact_give_up(&s, err));
    for (; !s.last.is_safe; rounds++) {
        if (rounds == MOST_ROUNDS)
            HD_GO(refuse(w, err));
        widen(w, rounds + 1);
        HD_GO(start_again(w, err));
        HD_GO(settle(w, &s.last, err));
    }
    HD_GO(hd_exact_give_back(&s, err));
out:
    hd_exact_search_free(&s);
    hd_wipe_free(s.wishes, s.n_wishes * sizeof *s.wishes);
    return rc;
}

static hd_code find_again(work *w, bool by_values, hd_err *err)
{
    w->by_values = by_values;
    memcpy(w->t.is_exact, w->is_asked, w->t.n_cells * sizeof *w->is_asked);
    memset(w->is_extra, 0, w->t.n_cells * sizeof *w->is_extra);
    HD_TRY(start_again(w, err));
    return find_pattern(w, err);
}

/* Sums stay as uncertain for those who are alone in one. What is withheld for them stays so: the pattern is
 * looked for again until they find nothing. */
static hd_code guard_from_contributors(work *w, hd_err *err)
{
    const hd_secondary_options options = options_of(w);
    const hd_alone a = {&w->t, w->cells, &options, &w->result, w->mark};
    for (bool has_news = true; has_news;) {
        for (size_t c = 0; c < w->t.n_cells; c++)
            w->is_held[c] |= w->result.shown[c] == HD_HELPER;
        HD_TRY(hd_alone_hold(&a, w->is_held, &has_news, err));
        if (has_news) {
            HD_TRY(start_again(w, err));
            HD_TRY(find_pattern(w, err));
        }
    }
    return HD_OK;
}

/* Where it is enough that nothing can be worked out there are two ways to a pattern, elimination and
 * two values each. Of a small table the one that withholds less is taken. */
static hd_code secondary(work *w, hd_err *err)
{
    HD_TRY(find_pattern(w, err));
    if (w->t.sum)
        return guard_from_contributors(w, err);
    size_t n = w->result.n_helpers;
    if (w->p->minimum_candidates || n == 0 || w->t.n_cells > SMALL_TABLE)
        return HD_OK;
    hd_err ignored;
    hd_code rc = find_again(w, true, &ignored);
    if (rc != HD_OK || w->result.n_helpers >= n)
        return find_again(w, false, err);
    return HD_OK;
}

static hd_code apply_pattern(work *w, hd_protect_report *report, hd_err *err)
{
    bool *is_exact = hd_calloc(w->t.n_cells, sizeof *is_exact);
    if (!is_exact)
        return hd_fail_nomem(err);
    report->n_cells = w->t.n_cells;
    for (size_t c = 0; c < w->t.n_cells; c++) {
        report->n_primary += w->mark[c] != 0;
        if ((w->result.shown[c] == HD_HELPER || w->is_held[c]) && !w->mark[c]) {
            w->mark[c] = helper_mark(w, c);
            report->n_helpers++;
        }
        w->printed[c] = print_cell(w, c, w->t.is_exact[c]);
        is_exact[c] = w->t.is_exact[c] && !w->mark[c];
        report->n_exact += is_exact[c];
        report->n_asked += w->is_asked[c];
    }
    hd_places_put_share(&w->t, w->is_asked, is_exact, &report->exact);
    hd_free(is_exact);
    return hd_buf_check(&report->exact, err);
}

/* ---- the release ----------------------------------------------------------------------------- */

static hd_figure withheld(char mark, hd_type type)
{
    return (hd_figure){.value = {.type = type, .is_null = true}, .mark = mark};
}

static hd_figure figure(const work *w, size_t c)
{
    hd_type type = w->t.sum && w->t.decimals ? HD_DECIMAL : HD_INTEGER;
    if (w->mark[c])
        return withheld(w->mark[c], type);
    if (type == HD_DECIMAL)
        return (hd_figure){.value = {.type = type,
                                     .decimal = (double)w->printed[c] / (double)w->unit}};
    return (hd_figure){.value = {.type = type, .integer = w->printed[c]}};
}

/* The figure as a share of the one that has the total in the dimension: from what is shown. */
static hd_figure percent(const work *w, size_t c, size_t axis)
{
    uint32_t codes[HD_LATTICE_DIMENSIONS];
    const hd_axis *a = &w->t.axes[axis];
    hd_lattice_codes(w->t.lattice, c, codes);
    codes[w->t.lattice_dim[axis]] = a->place[a->total];
    size_t whole = hd_lattice_cell(w->t.lattice, codes);
    if (w->mark[c] || w->mark[whole])
        return withheld(w->mark[c] ? w->mark[c] : w->mark[whole], HD_DECIMAL);
    double base = (double)w->printed[whole] / (double)w->unit;
    if (base < (double)w->p->minimum_rate_population)
        return withheld(w->p->mark, HD_DECIMAL);
    if (base <= 0)
        return (hd_figure){.value = {.type = HD_DECIMAL, .is_null = true}};
    bool is_fine = base >= (double)w->p->percent_decimals_from;
    double scale = pow(10, is_fine ? (double)w->p->percent_decimals : 0);
    double x = 100.0 * (double)w->printed[c] / (double)w->printed[whole];
    return (hd_figure){.value = {.type = HD_DECIMAL, .decimal = round(x * scale) / scale}};
}

static hd_code percent_axis(const work *w, int *axis, hd_err *err)
{
    *axis = -1;
    for (size_t d = 0; w->o->percent && d < w->t.n_dims; d++)
        if (strcmp(w->t.axes[d].name, w->o->percent) == 0)
            *axis = (int)d;
    if (w->o->percent && *axis < 0)
        return hd_fail(err, HD_INVALID, "--percent names a dimension that is not in --dims: \"%s\"",
                       w->o->percent);
    return HD_OK;
}

static hd_code put_rows(const work *w, hd_release_builder *b, int axis, hd_err *err)
{
    hd_code rc;
    uint32_t *order = NULL;
    HD_TRY(hd_sheet_order(&w->t, &order, err));
    for (size_t d = 0; d < w->t.n_dims; d++)
        HD_GO(hd_release_builder_column(b, w->t.axes[d].name, HD_TEXT, true, err));
    HD_GO(hd_release_builder_column(b, "shown", figure(w, 0).value.type, false, err));
    if (w->o->n_exact)
        HD_GO(hd_release_builder_column(b, "exact", HD_BOOLEAN, false, err));
    if (axis >= 0)
        HD_GO(hd_release_builder_column(b, "percent", HD_DECIMAL, false, err));
    for (size_t i = 0; i < w->t.n_cells; i++) {
        size_t c = order[i];
        for (size_t d = 0; d < w->t.n_dims; d++) {
            const char *code = hd_sheet_code(&w->t, c, d);
            hd_figure f = {.value = {.type = HD_TEXT, .text = {code, strlen(code)}}};
            HD_GO(hd_release_builder_put(b, &f, err));
        }
        hd_figure f = figure(w, c);
        HD_GO(hd_release_builder_put(b, &f, err));
        f = (hd_figure){.value = {.type = HD_BOOLEAN, .integer = w->t.is_exact[c]}};
        if (w->o->n_exact)
            HD_GO(hd_release_builder_put(b, &f, err));
        f = axis >= 0 ? percent(w, c, (size_t)axis) : f;
        if (axis >= 0)
            HD_GO(hd_release_builder_put(b, &f, err));
    }
out:
    hd_free(order);
    return rc;
}

static hd_code make_release(const work *w, const char *digest, hd_release **out, hd_err *err)
{
    hd_code rc;
    int axis;
    char question[512], legend[1024];
    snprintf(legend, sizeof legend, "%s%s", w->p->legend,
             hd_rule_total_is_open(w->p) && !w->t.sum
                 ? "; a total with * is one of figures that all have it"
                 : "");
    snprintf(question, sizeof question, "protect %.300s by %.180s", w->o->file, w->o->dims);
    const hd_release_origin origin = {.policy = w->p->name,
                                      .policy_version = w->p->version,
                                      .legend = legend,
                                      .question = question,
                                      .certificate = digest};
    HD_TRY(percent_axis(w, &axis, err));
    hd_release_builder *b = hd_release_builder_start(&origin);
    if (!b)
        return hd_fail_nomem(err);
    HD_GO(put_rows(w, b, axis, err));
    HD_GO(hd_release_builder_finish(b, out, err));
out:
    hd_release_builder_free(b);
    return rc;
}

static hd_code certify(const work *w, hd_protect_report *report, hd_err *err)
{
    uint8_t digest[HD_DIGEST];
    HD_TRY(hd_certificate_write(&w->result, &report->certificate, digest, err));
    for (size_t i = 0; i < HD_DIGEST; i++)
        snprintf(report->digest + 2 * i, 3, "%02x", digest[i]);
    return hd_buf_check(&report->certificate, err);
}

static hd_code start_work(work *w, hd_err *err)
{
    HD_TRY(hd_sheet_read(&w->t, w->o, err));
    size_t n = w->t.n_cells;
    if (n > MOST_CELLS)
        return hd_fail(err, HD_LIMIT,
                       "%s: more than %d cells, margins included, cannot be protected at once: "
                       "use coarser codes, or fewer dimensions",
                       w->t.name, MOST_CELLS);
    w->mark = hd_calloc(n, 1);
    w->is_star = hd_calloc(n, sizeof *w->is_star);
    w->is_below = hd_calloc(n, sizeof *w->is_below);
    w->is_summed = hd_calloc(n, sizeof *w->is_summed);
    w->is_sparse = hd_calloc(n, sizeof *w->is_sparse);
    w->is_asked = hd_calloc(n, sizeof *w->is_asked);
    w->is_extra = hd_calloc(n, sizeof *w->is_extra);
    w->is_held = hd_calloc(n, sizeof *w->is_held);
    w->printed = hd_calloc(n, sizeof *w->printed);
    w->cells = hd_calloc(n, sizeof *w->cells);
    if (!w->mark || !w->is_star || !w->is_below || !w->is_summed || !w->is_sparse ||
        !w->is_asked || !w->is_extra || !w->is_held || !w->printed || !w->cells)
        return hd_fail_nomem(err);
    memcpy(w->is_asked, w->t.is_exact, n * sizeof *w->is_asked);
    w->unit = 1;
    for (unsigned i = 0; i < w->t.decimals; i++)
        w->unit *= 10;
    return HD_OK;
}

static void end_work(work *w)
{
    size_t n = w->t.n_cells;
    hd_free(w->mark);
    hd_free(w->is_star);
    hd_free(w->is_below);
    hd_free(w->is_summed);
    hd_free(w->is_sparse);
    hd_free(w->is_asked);
    hd_free(w->is_extra);
    hd_free(w->is_held);
    hd_wipe_free(w->printed, n * sizeof *w->printed);
    hd_wipe_free(w->cells, n * sizeof *w->cells);
    hd_secondary_result_free(&w->result);
    hd_sheet_free(&w->t);
}

hd_code hd_protect(hd_release **out, const hd_protect_options *o, const hd_policy *p,
                   hd_protect_report *report, hd_err *err)
{
    hd_code rc;
    work w = {.p = p->file, .o = o};
    *out = NULL;
    *report = (hd_protect_report){0};
    hd_buf_init(&report->certificate, (size_t)1 << 34);
    hd_buf_init(&report->exact, (size_t)1 << 20);
    if (p->file->shows_true_counts)
        return hd_fail(err, HD_DENIED, "policy %s protects nothing", p->file->name);
    if (p->file->rounding == HD_ROUND_BY_SET)
        return hd_fail(err, HD_DENIED,
                       "policy %s rounds by the set of records, which a table of counts does not "
                       "tell: use hes2018",
                       p->file->name);
    HD_GO(start_work(&w, err));
    HD_GO(find_sparse(&w, err));
    HD_GO(primary(&w, err));
    HD_GO(secondary(&w, err));
    HD_GO(apply_pattern(&w, report, err));
    if (w.p->totals_are_summed)
        HD_GO(print_sums(&w, err));
    HD_GO(certify(&w, report, err));
    HD_GO(make_release(&w, report->digest, out, err));
out:
    end_work(&w);
    return rc;
}

void hd_protect_report_free(hd_protect_report *r)
{
    hd_buf_free(&r->certificate);
    hd_buf_free(&r->exact);
    *r = (hd_protect_report){0};
}
