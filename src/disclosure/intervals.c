/* intervals.c - what remains possible for each cell; see intervals.h.
 *
 * Outside: propagation, constants found by solving the sums, then single values at the ends
 * excluded by probing. Inside: the prover's witnesses, with a search for each end.
 */
#include "disclosure/intervals.h"

#include "base/alloc.h"
#include "disclosure/propagate.h"
#include "disclosure/prover.h"

#include <string.h>

enum { SHAKES = 12, END_TRIES = 64 };

void hd_witnesses_free(hd_witnesses *w)
{
    hd_wipe_free(w->values, w->n_tables * w->n_cells * sizeof *w->values);
    memset(w, 0, sizeof *w);
}

/* Rows without free cells are exact. */
static hd_code take_constants(hd_system *s, const hd_frame *f, bool *has_changed, hd_err *err)
{
    *has_changed = false;
    for (size_t r = 0; r < f->n_rows; r++) {
        if (f->row_start[r] != f->row_start[r + 1])
            continue;
        int64_t v = f->constant[r];
        if (r >= f->n_cell_rows)
            continue;
        uint32_t c = f->row_cell[r];
        if (v < s->low[c] || v > s->high[c])
            return hd_fail(err, HD_INVALID, "the figures contradict each other (cell %u)", c);
        s->low[c] = s->high[c] = v;
        *has_changed = true;
    }
    return HD_OK;
}

/* Bounds from outside, in place. */
static hd_code tighten(hd_system *s, hd_err *err)
{
    for (bool again = true; again;) {
        hd_propagation done;
        hd_frame f;
        HD_TRY(hd_propagate(s, &done, err));
        if (!done.is_consistent)
            return hd_fail(err, HD_INVALID, "the figures contradict each other");
        HD_TRY(hd_frame_new(&f, s, NULL, 64 * s->n_cells + (size_t)50000000, err));
        hd_code rc = take_constants(s, &f, &again, err);
        hd_frame_free(&f);
        HD_TRY(rc);
    }
    return HD_OK;
}

/* One end of a cell: out[side] moves in by exclusion, seen moves out by witnesses, until they meet
 * or neither moves. Halving: the middle between the two is tried first as a whole range. */
static hd_code settle_end(hd_prover *p, uint32_t cell, bool is_high, hd_interval *io, hd_err *err)
{
    for (int k = 0; k < END_TRIES; k++) {
        int64_t seen = is_high ? p->seen_high[cell] : p->seen_low[cell];
        int64_t end = is_high ? io->high : io->low;
        bool is_found, is_excluded;
        if (seen == end)
            return HD_OK;
        int64_t gap = is_high ? end - seen : seen - end;
        int64_t step = gap >= HD_NO_BOUND / 2 ? HD_NO_BOUND / 2 : (gap + 1) / 2;
        if (k == 0)
            step = gap; /* the end itself first */
        else if (k >= END_TRIES / 2)
            step = 1;
        if (is_high)
            HD_TRY(hd_prover_reach(p, cell, seen + step, end, &is_found, &is_excluded, err));
        else
            HD_TRY(hd_prover_reach(p, cell, end, seen - step, &is_found, &is_excluded, err));
        if (is_excluded && is_high)
            io->high = seen + step - 1;
        else if (is_excluded)
            io->low = seen - step + 1;
        else if (!is_found && step == 1)
            return HD_OK;
    }
    return HD_OK;
}

static hd_code settle(hd_prover *p, const hd_intervals_options *o, uint32_t cell, hd_interval *io,
                      hd_err *err)
{
    hd_need need = {.values = o->values};
    bool is_proven;
    if (o->values) {
        HD_TRY(hd_prover_prove(p, cell, &need, &is_proven, err));
        if (is_proven)
            return HD_OK;
    }
    HD_TRY(settle_end(p, cell, false, io, err));
    return settle_end(p, cell, true, io, err);
}

static hd_code take_witnesses(const hd_prover *p, hd_witnesses *w, hd_err *err)
{
    size_t n = p->s->n_cells;
    w->n_cells = n;
    w->values = hd_malloc(p->n_tables * n * sizeof *w->values + 1);
    if (!w->values)
        return hd_fail_nomem(err);
    for (size_t t = 0; t < p->n_tables; t++)
        memcpy(w->values + t * n, p->tables[t].values, n * sizeof *w->values);
    w->n_tables = p->n_tables;
    return HD_OK;
}

static hd_code search_all(hd_prover *p, const hd_intervals_options *o, hd_interval *out,
                          hd_err *err)
{
    HD_TRY(hd_prover_begin(p, NULL, err));
    if (!p->has_table && o->start)
        HD_TRY(hd_prover_begin(p, o->start, err));
    HD_TRY(hd_prover_shake(p, SHAKES, err));
    for (size_t c = 0; c < p->s->n_cells && p->has_table; c++)
        if (p->frame.kind[c] != HD_FRAME_CONSTANT && (!p->wanted || p->wanted[c]))
            HD_TRY(settle(p, o, (uint32_t)c, &out[c], err));
    return HD_OK;
}

hd_code hd_intervals(const hd_system *s, const hd_intervals_options *options, hd_interval *out,
                     hd_witnesses *witnesses, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_system work;
    hd_prover p = {0};
    memset(witnesses, 0, sizeof *witnesses);
    HD_TRY(hd_system_copy(&work, s, err));
    HD_GO(tighten(&work, err));
    HD_GO(hd_prover_init(&p, &work, NULL, options->wanted,
                         options->values ? options->values : HD_PROVER_VALUES, options->effort,
                         err));
    for (size_t c = 0; c < s->n_cells; c++)
        out[c] = (hd_interval){.low = work.low[c], .high = work.high[c]};
    HD_GO(search_all(&p, options, out, err));
    for (size_t c = 0; c < s->n_cells; c++) {
        bool is_seen = p.n_seen[c] > 0;
        out[c].seen_low = is_seen ? p.seen_low[c] : 1;
        out[c].seen_high = is_seen ? p.seen_high[c] : 0;
        out[c].n_values = p.n_seen[c];
        out[c].is_complete =
            is_seen && p.seen_low[c] == out[c].low && p.seen_high[c] == out[c].high;
    }
    HD_GO(take_witnesses(&p, witnesses, err));
out:
    hd_prover_free(&p);
    hd_system_free(&work);
    return rc;
}
