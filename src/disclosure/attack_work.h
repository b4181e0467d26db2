/* attack_work.h - what reading a printed table (attack_read.c) and judging it (attack.c) share. */
#ifndef HD_DISCLOSURE_ATTACK_WORK_H
#define HD_DISCLOSURE_ATTACK_WORK_H

#include "disclosure/attack.h"
#include "disclosure/rule.h"
#include "disclosure/secondary.h"
#include "disclosure/sheet.h"

/* V_HELPER: withheld, and known to be neither small nor zero, or national, so that it needs no
 * protection. V_ZERO: a mark for a count that can only be 0: nobody is behind it, and who is behind
 * others does not hang on it. */
typedef enum hd_verdict {
    V_NONE,
    V_HELPER,
    V_ZERO,
    V_SAFE,
    V_UNPROVEN,
    V_NARROW,
    V_EXACT
} hd_verdict;

typedef struct hd_mark_meaning {
    const char *text;
    size_t len;
    hd_rule_range range;
} hd_mark_meaning;

typedef struct hd_attack_work {
    const hd_policy_file *p;
    const hd_attack_options *o;
    hd_sheet t;
    hd_csv csv;
    hd_mark_meaning *marks; /* of --mark */
    int64_t unit;
    int shown; /* column of the figures */
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
    hd_verdict *verdicts; /* n_verdicts, of judged.system: the cells, then the differences */
    size_t n_verdicts;
} hd_attack_work;

/* Bounds of every cell, from what is printed. Fills all of w up to high, and t. */
HD_MUST hd_code hd_attack_read(hd_attack_work *w, hd_err *err);
/* What is printed in a cell; "" where the file has no row for it. */
const char *hd_attack_text(const hd_attack_work *w, size_t c, int column);

#endif
