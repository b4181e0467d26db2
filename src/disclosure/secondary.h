/* secondary.h - which further cells to withhold so that what the primary pass hid stays hidden.
 *
 * Input is what the primary pass would show: bounds, never true counts. Whoever knows the method can
 * therefore repeat every decision from the primary release, and the pattern adds no knowledge of
 * the records beyond it. A cell counts as protected only when witnesses prove it: whole-number
 * tables that satisfy the whole release, with as many different values in that cell as asked.
 *
 * Promises: same input, same pattern; cells in another order, the same pattern in that order (ties
 * are broken by content, then by hd_system.name); protecting what comes out withholds nothing more;
 * cells that are known to be 0 change nothing.
 */
#ifndef HD_DISCLOSURE_SECONDARY_H
#define HD_DISCLOSURE_SECONDARY_H

#include "disclosure/intervals.h"

#include <stdatomic.h>

/* What is asked of a protected cell; all that are set must hold. Each is proven by witnesses, but
 * not_computable, which is decided by elimination (any real numbers, no bounds). */
typedef struct hd_need {
    uint32_t values;         /* at least so many different values; 0: not asked                  */
    bool not_computable;     /* no combination of shown cells gives it                           */
    bool has_span;           /* some table has at most `at_most`, some has at least `at_least`   */
    int64_t at_most, at_least;
    int64_t width;           /* highest and lowest differ by at least this; 0: not asked         */
} hd_need;

typedef enum hd_shown {
    HD_AS_IS,    /* what the primary pass shows (a withheld mark included)  */
    HD_COARSER,  /* the second form, such as an exact figure rounded after all */
    HD_HELPER    /* withheld to protect others: ':'                         */
} hd_shown;

/* One cell as the primary pass leaves it. An exact figure n: low = high = n. Rounded r: r-2 .. r+2,
 * not below 8. A star: 1 .. 7. Below a star: 0 .. 7. A shown zero: 0 .. 0. */
typedef struct hd_secondary_cell {
    int64_t low, high;
    /* Bounds when it is shown coarser; coarse_low > coarse_high: there is no such form. */
    int64_t coarse_low, coarse_high;
    /* Bounds when it is a helper, for a reader who knows the method: a rounded figure that
     * disappears is still one of 8 or more. hidden_low > hidden_high: it cannot be withheld, as
     * when it was released before or is known from outside. */
    int64_t hidden_low, hidden_high;
    bool is_protected;   /* `need` applies to it whatever happens */
    bool is_protected_hidden; /* `need` applies to it once it is a helper */
    bool is_public;      /* its exact value may be known, however small, as that of a national figure:
                          * a difference that is a sum of such cells needs no protection */
    bool is_withheld;    /* it shows a mark already, and no number: a helper costs nothing more    */
    int32_t preference;  /* higher is kept longer: totals, what the user wants */
    int64_t size;        /* among equals the smaller goes first: the released figure */
    hd_need need;
} hd_secondary_cell;

/* whole - part is what a reader gets by subtraction. It is protected (by options.difference_need)
 * as long as both are shown as numbers and its bounds meet sensitive_low .. sensitive_high. */
typedef struct hd_difference {
    uint32_t whole, part;
} hd_difference;

typedef struct hd_secondary_options {
    hd_need difference_need;
    int64_t sensitive_low, sensitive_high; /* 1 .. 7 */
    const hd_difference *differences;      /* beside those that a lattice has by itself */
    size_t n_differences;
    bool no_helpers;       /* only judge what the primary pass leaves: the audit */
    bool no_clean_up;      /* leave helpers that turned out not to be needed */
    const atomic_bool *stop; /* NULL, or: HD_CANCELLED soon after it becomes true */
    const struct hd_tick *tick; /* NULL, or: called for every table that is looked for (search.h) */
    const int64_t *start;  /* a table that satisfies the cells, or NULL. Used only when the own search
                            * finds none, so that decisions do not depend on it */
} hd_secondary_options;

typedef struct hd_secondary_result {
    size_t n_cells;        /* of the input; the system has the differences after them */
    hd_shown *shown;       /* n_cells */
    size_t n_helpers, n_coarser;
    size_t n_unprotected;  /* cells and differences that no further helper protects: do not release. Where
                            * some could not keep enough values whatever is withheld, these alone */
    uint32_t *unprotected; /* their numbers in `system` */
    hd_system system;      /* the release as it is known, differences as cells of their own */
    bool *is_protected;    /* system.n_cells: what was asked to keep its values */
    hd_interval *intervals;
    hd_witnesses witnesses;
} hd_secondary_result;

void hd_secondary_options_init(hd_secondary_options *o); /* five values, 1 .. 7 */

/* s: names and rules; its bounds are not read. cells: s->n_cells of them. HD_INVALID when the cells
 * contradict each other. */
HD_MUST hd_code hd_secondary(const hd_system *s, const hd_secondary_cell *cells,
                             const hd_secondary_options *options, hd_secondary_result *out,
                             hd_err *err);
/* The same for a table in all its margins, with the differences of its own cells. */
HD_MUST hd_code hd_secondary_lattice(const hd_lattice *l, const hd_secondary_cell *cells,
                                     const hd_secondary_options *options, hd_secondary_result *out,
                                     hd_err *err);
void hd_secondary_result_free(hd_secondary_result *r); /* wipes */

#endif
