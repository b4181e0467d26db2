/* plan.h - secondary suppression at work: the canonical cells, how each is shown, and the prover.
 *
 * Shared by secondary.c (what is asked, in and out) and helpers.c (which cells to withhold, which to
 * give back). Cells here are canonical ones.
 */
#ifndef HD_DISCLOSURE_PLAN_H
#define HD_DISCLOSURE_PLAN_H

#include "disclosure/canonical.h"
#include "disclosure/prover.h"

#define HD_NO_CELL UINT32_MAX

typedef struct hd_plan_cell {
    int64_t low[3], high[3]; /* by hd_shown */
    bool has[3];
    hd_shown shown;
    bool is_mark, is_protected, is_protected_hidden;
    uint32_t whole, part; /* of a difference, else HD_NO_CELL */
    uint32_t added_for;   /* the protected cell that needed this helper */
    int32_t preference;
    int64_t size;
    hd_need need;
} hd_plan_cell;

typedef struct hd_plan {
    hd_canonical canonical;
    hd_plan_cell *cells;
    bool *is_tracked; /* protected, and every difference: witnesses are collected for these */
    bool needs_witnesses; /* something asked is proven by witnesses */
    bool needs_exactness; /* exact recomputation is looked at first */
    bool is_exact;        /* many figures are, and few have a coarser form */
    int n_circuits;       /* rounds of hd_plan_circuits */
    int n_insists;        /* rounds of looking longer */
    size_t n_before;      /* cells that failed when each was last helped by itself */
    uint8_t *n_stuck;     /* n_cells: nudges that did not move it */
    bool *is_open;    /* exact figures that may become helpers, as far as they were needed */
    int64_t *outer_low, *outer_high; /* propagated at the start of a pass */
    hd_prover *prover; /* NULL before there is one */
    int64_t sensitive_low, sensitive_high;
} hd_plan;

/* So many cells are looked after that most of those not proven are only not found yet: tables are worth
 * the search that a small table can do without. */
bool hd_plan_is_wide(const hd_plan *p);
/* Is the need of this cell in force: protected, or a difference of two figures that are shown? */
bool hd_plan_is_required(const hd_plan *p, uint32_t cell);
/* Is it met? Looks for witnesses when it is not yet. */
HD_MUST hd_code hd_plan_prove(hd_plan *p, uint32_t cell, bool *is_proven, hd_err *err);
/* Choose helpers for a cell whose need is not met; found: it is met now. */
HD_MUST hd_code hd_plan_help(hd_plan *p, uint32_t cell, bool *is_found, hd_err *err);
/* The last resort: withhold every figure around the cell; the clean-up gives back what it can. */
HD_MUST hd_code hd_plan_help_all(hd_plan *p, uint32_t cell, bool *has_helped, hd_err *err);
/* Give back what turned out not to be needed. */
HD_MUST hd_code hd_plan_clean_up(hd_plan *p, hd_err *err);
/* Helpers against exact recomputation, before any witness is looked for. */
HD_MUST hd_code hd_plan_exactness(hd_plan *p, hd_err *err);
/* Where most figures are exact: helpers that close a circuit through each failing cell in which the
 * other cells have room to move. The prover must be made anew when it has helped. */
HD_MUST hd_code hd_plan_circuits(hd_plan *p, const uint32_t *failing, size_t n_failing,
                                 bool *has_helped, hd_err *err);
/* Exact figures near a cell that may be withheld are opened; true when there was a new one. The
 * prover must be made anew then. */
HD_MUST hd_code hd_plan_open_near(hd_plan *p, uint32_t cell, bool *is_new, hd_err *err);

#endif
