/* attack.h - what a reader can work out from a released table, ours or another tool's.
 *
 * Nothing is known here but the printed table, the sums between its cells, and what the marks mean.
 * The answer is a release like any other: the cells that are withheld, how far each is fixed, and
 * the figures that fix it.
 */
#ifndef HD_DISCLOSURE_ATTACK_H
#define HD_DISCLOSURE_ATTACK_H

#include "disclosure/release.h"

typedef struct hd_attack_options {
    const char *file;
    const char *dims;  /* comma-separated; NULL: all but shown, exact, percent */
    const char *shown; /* column; NULL: shown */
    const char *total; /* code of margins, NULL: Total */
    bool numbers_are_exact; /* every number is the true one; else as the policy prints it */
    bool are_sums;     /* figures are sums, not counts: rounded by the policy's base, marks say nothing */
    unsigned decimals; /* of the sums before they were rounded, at least */
    bool has_persons;  /* the policy's mark may stand for many records of few people */
    int64_t values;    /* how many possible values each withheld cell must keep; 0: the policy's */
    const char *certificate; /* file to check against the table, or NULL */
    const char *lp;          /* file for the problem, or NULL; glpsol is asked where installed */
    const char *const *hierarchies, *const *exact, *const *marks; /* mark: "TEXT=LOW..HIGH" */
    size_t n_hierarchies, n_exact, n_marks;
} hd_attack_options;

typedef struct hd_attack_report {
    size_t n_cells, n_withheld;
    size_t n_helpers;         /* that need no protection */
    size_t n_exact, n_narrow; /* fixed; fewer values than asked, the fixed ones included */
    size_t n_zero;            /* a mark for a count that can only be 0: nobody is behind it */
    size_t n_unproven;        /* neither narrow nor proven to be safe */
    size_t n_differences;     /* of two figures: narrow or not proven */
    bool is_by_sums_only;     /* too large to look for tables: what the sums leave is all that is known */
    int64_t values;           /* asked for */
    size_t n_promises, n_witnesses; /* of the certificate */
    bool has_solver;
    size_t n_asked, n_agreed, n_silent; /* cells that the solver was asked about */
} hd_attack_report;

/* HD_INVALID also when the table contradicts itself, or the certificate is not its proof. */
HD_MUST hd_code hd_attack(hd_release **out, const hd_attack_options *o, const hd_policy *p,
                          hd_attack_report *report, hd_err *err);

#endif
