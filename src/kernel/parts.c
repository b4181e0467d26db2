/* parts.c - see parts.h. */
#include "kernel/parts.h"
#include "base/alloc.h"
#include "kernel/shape.h"

#include <string.h>

enum { MOST_PARTS = 8 };

static hd_k_question some_measures(const hd_k_question *q, size_t first, size_t end)
{
    hd_k_question part = *q;
    part.measures = q->measures + first;
    part.n_measures = end - first;
    return part;
}

/* ---- where to cut ---------------------------------------------------------------------------- */

static hd_code fits_whole(const hd_k_question *q, const hd_k_tuning *tuning, bool *fits,
                          hd_err *err)
{
    hd_k_plan plan;
    hd_k_shape shape;
    HD_TRY(hd_k_plan_make(&plan, q, tuning, err));
    hd_code rc = hd_k_shape_make(&shape, &plan, fits, err);
    if (rc == HD_OK && *fits)
        hd_k_shape_free(&shape);
    hd_k_plan_free(&plan);
    return rc;
}

/* Parts that halving leads to, until each fits; MOST_PARTS + 1: too many, or one never will. */
static hd_code count_parts(const hd_k_question *q, const hd_k_tuning *tuning, unsigned *n,
                           hd_err *err)
{
    bool fits;
    unsigned first, second;
    *n = 1;
    HD_TRY(fits_whole(q, tuning, &fits, err));
    if (fits)
        return HD_OK;
    *n = MOST_PARTS + 1;
    if (q->n_measures < 2)
        return HD_OK;
    const hd_k_question half = some_measures(q, 0, q->n_measures / 2);
    const hd_k_question rest = some_measures(q, q->n_measures / 2, q->n_measures);
    HD_TRY(count_parts(&half, tuning, &first, err));
    if (first >= MOST_PARTS)
        return HD_OK;
    HD_TRY(count_parts(&rest, tuning, &second, err));
    *n = first + second;
    return HD_OK;
}

hd_code hd_k_parts_cut(const hd_k_question *q, const hd_k_tuning *tuning, size_t *out, hd_err *err)
{
    unsigned n;
    *out = 0;
    for (size_t m = 0; m < q->n_measures; m++)
        if (q->measures[m].decimals)
            return HD_OK;
    HD_TRY(count_parts(q, tuning, &n, err));
    if (n > 1 && n <= MOST_PARTS)
        *out = q->n_measures / 2;
    return HD_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

/* Rows are done when the last part has left them. */
static hd_code enter_before(void *ctx, uint64_t first, uint64_t end, bool *matters, hd_err *err)
{
    const hd_k_feed *f = ctx;
    return f->enter(f->ctx, first, end, matters, err);
}

static void leave_before(void *ctx, uint64_t first, uint64_t end)
{
    const hd_k_feed *f = ctx;
    (void)end;
    f->leave(f->ctx, first, first);
}

static hd_code start_before(void *ctx, uint64_t row, uint64_t *out, hd_err *err)
{
    const hd_k_feed *f = ctx;
    return f->person_start(f->ctx, row, out, err);
}

static bool is_same_before(void *ctx, uint64_t last, uint64_t first)
{
    const hd_k_feed *f = ctx;
    return f->is_same_person(f->ctx, last, first);
}

static size_t n_bins(const hd_k_answer *a)
{
    size_t n = 0;
    for (size_t m = 0; m < a->n_measures; m++)
        for (size_t c = 0; a->values[m].form == HD_K_BINS && c < a->n_cells; c++) {
            const hd_k_bins *b = (const hd_k_bins *)a->values[m].items + c;
            n = b->first + b->n > n ? (size_t)b->first + b->n : n;
        }
    return n;
}

static uint64_t bytes_of(const hd_k_answer *a)
{
    uint64_t a_cell = a->n_groups * sizeof **a->slots + a->n_classes * 2 * sizeof(uint32_t);
    return a->n_cells * (a_cell + a->n_measures * sizeof(hd_k_exact)) +
           n_bins(a) * sizeof *a->distribution;
}

static void shift_bins(hd_k_answer *a, size_t by)
{
    for (size_t m = 0; m < a->n_measures; m++) {
        size_t twin = 0; /* shared items move once */
        while (a->values[twin].items != a->values[m].items)
            twin++;
        for (size_t c = 0; twin == m && a->values[m].form == HD_K_BINS && c < a->n_cells; c++)
            ((hd_k_bins *)a->values[m].items)[c].first += by;
    }
}

/* What `out` has, then what `more` has, which is empty afterwards. Classes but the first, which is
 * that of all rows in both, are put behind each other; some may be there twice. */
static hd_code put_beside(hd_k_answer *out, hd_k_answer *more, hd_err *err)
{
    const size_t n_classes = out->n_classes + more->n_classes - 1, before = n_bins(out);
    const size_t n_measures = out->n_measures + more->n_measures, after = n_bins(more);
    HD_ALWAYS(out->n_cells == more->n_cells && out->n_sets == more->n_sets);
    hd_k_counts *counts = hd_calloc(n_classes, sizeof *counts);
    uint32_t *class_of = hd_calloc(n_measures, sizeof *class_of);
    hd_k_values *values = hd_calloc(n_measures, sizeof *values);
    hd_k_bin *bins = hd_calloc(before + after, sizeof *bins);
    if (!counts || !class_of || !values || !bins) {
        hd_free(counts);
        hd_free(class_of);
        hd_free(values);
        hd_free(bins);
        return hd_fail_nomem(err);
    }
    shift_bins(more, before);
    for (size_t c = 0; c < n_classes; c++)
        counts[c] = c < out->n_classes ? out->counts[c] : more->counts[c - out->n_classes + 1];
    for (size_t m = 0; m < n_measures; m++) {
        bool is_first = m < out->n_measures;
        uint32_t class = is_first ? out->class_of[m] : more->class_of[m - out->n_measures];
        values[m] = is_first ? out->values[m] : more->values[m - out->n_measures];
        class_of[m] = class + (is_first || class == 0 ? 0 : (uint32_t)out->n_classes - 1);
    }
    if (before)
        memcpy(bins, out->distribution, before * sizeof *bins);
    if (after)
        memcpy(bins + before, more->distribution, after * sizeof *bins);
    hd_free(out->counts);
    hd_free(out->class_of);
    hd_free(out->values);
    hd_free(out->distribution);
    out->n_classes = n_classes;
    out->n_measures = n_measures;
    out->counts = counts;
    out->class_of = class_of;
    out->values = values;
    out->distribution = bins;
    more->n_classes = 1;
    more->n_measures = 0;
    return HD_OK;
}

hd_code hd_k_parts_run(const hd_k_question *q, size_t cut, const hd_k_tuning *tuning,
                       const struct hd_k_ops *ops, hd_k_answer *out, hd_err *err)
{
    hd_k_question first = some_measures(q, 0, cut), rest = some_measures(q, cut, q->n_measures);
    hd_k_feed before;
    hd_k_answer more;
    if (q->feed) {
        before = (hd_k_feed){.ctx = (void *)(uintptr_t)q->feed,
                             .block_rows = q->feed->block_rows,
                             .n_unlinked = q->feed->n_unlinked,
                             .enter = enter_before,
                             .leave = leave_before,
                             .person_start = start_before,
                             .is_same_person = is_same_before};
        first.feed = &before;
    }
    HD_TRY(hd_k_run(&first, tuning, ops, out, err));
    const uint64_t held = bytes_of(out);
    rest.max_bytes = held < q->max_bytes ? q->max_bytes - held : 0;
    hd_code rc = hd_k_run(&rest, tuning, ops, &more, err);
    if (rc == HD_OK)
        rc = put_beside(out, &more, err);
    hd_k_answer_free(&more);
    if (rc != HD_OK)
        hd_k_answer_free(out);
    return rc;
}
