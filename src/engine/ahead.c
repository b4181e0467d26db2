/* ahead.c - several questions in one pass, before each of them is run (question.h).
 *
 * Only those that choose the same rows: then a pass finds and counts them once for all. Different
 * conditions in one pass (their OR outside, each again as a filter of its measures) were tried:
 * every measure then looks at the rows of all, which cost half as much again as a pass each.
 *
 * Invariant: the cells that wait with a question are what running it alone would give. They are
 * handed over once, or wiped: with the question, or when the data have changed.
 */
#include "engine/order.h"
#include "base/alloc.h"
#include "engine/blocks.h"

#include <string.h>

enum { MOST_PARTS = 64, MOST_MEASURES = 64 };

/* The same rows of the same table, by the same keys in the same sets. The numbers of tests on
 * lists in the conditions are each question's own, so those must be the same too. */
static bool are_alike(const asked *a, const asked *b)
{
    bool alike = a->table == b->table && a->q.n_keys == b->q.n_keys && a->n_sets == b->n_sets &&
                 memcmp(a->sets, b->sets, a->n_sets * sizeof *a->sets) == 0 &&
                 a->n_any == b->n_any && (a->where == NULL) == (b->where == NULL) &&
                 (!a->where || json_equal(a->where, b->where));
    for (size_t i = 0; alike && i < a->n_any; i++)
        alike = json_equal(a->any[i].test, b->any[i].test);
    for (size_t k = 0; alike && k < a->q.n_keys; k++)
        alike = json_equal(a->keys[k], b->keys[k]);
    return alike;
}

void hd_drop_ahead(asked *a)
{
    hd_cells_free(a->ahead);
    a->ahead = NULL;
}

bool hd_take_ahead(hd_engine *e, asked *a, hd_cells **out)
{
    if (a->ahead && a->ahead_version != e->data_version)
        hd_drop_ahead(a);
    *out = a->ahead;
    a->ahead = NULL;
    return *out != NULL;
}

static hd_code run_together(hd_engine *e, asked *const *questions, size_t n, hd_err *err)
{
    hd_table *t;
    const hd_kernel *kernel;
    hd_k_answer answer = {0};
    scan_blocks blocks = {0};
    scan_plan *p = NULL;
    hd_code rc;
    HD_TRY(hd_vault_table(e->vault, questions[0]->q.table, &t, err));
    HD_TRY(hd_kernel_pick(&kernel, err));
    for (size_t i = 0; i < n; i++)
        HD_TRY(hd_orders_ready(e, questions[i], t, err));
    for (size_t i = 0; i < n; i++)
        if (questions[i]->q.fallback_reason)
            return HD_OK; /* each in its turn */
    HD_GO(hd_scan_plan_make(e, t, questions, n, &p, err));
    HD_GO(hd_blocks_open(&blocks, p, t, err));
    HD_GO(hd_scan_plan_bind(p, t, &blocks, err));
    HD_GO(kernel->run(&p->q, &answer, err));
    for (size_t i = 0; i < n; i++) {
        hd_drop_ahead(questions[i]);
        questions[i]->ahead_version = e->data_version;
        HD_GO(hd_scan_cells(p, i, &answer, &questions[i]->ahead, err));
    }
out:
    hd_blocks_close(&blocks);
    hd_k_answer_free(&answer);
    hd_scan_plan_free(p);
    return rc;
}

/* Takes the first question that is left and all that are alike; a question by itself gains
 * nothing. */
static hd_code run_next(hd_engine *e, asked **left, size_t *n_left, hd_err *err)
{
    asked *alike[MOST_PARTS];
    size_t n = 0, rest = 0, measures = 0;
    for (size_t i = 0; i < *n_left; i++) {
        asked *a = left[i];
        bool fits = n < MOST_PARTS && measures + a->q.n_aggregates <= MOST_MEASURES;
        if (fits && (n == 0 || are_alike(alike[0], a))) {
            alike[n++] = a;
            measures += a->q.n_aggregates;
        } else {
            left[rest++] = a;
        }
    }
    *n_left = rest;
    return n > 1 ? run_together(e, alike, n, err) : HD_OK;
}

hd_code hd_engine_run_ahead(hd_engine *e, hd_question *const *questions, size_t n, hd_err *err)
{
    hd_hold *hold;
    size_t n_left = 0;
    hd_engine_refresh(e);
    asked **left = hd_calloc(n, sizeof *left);
    if (!left)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        asked *a = (asked *)questions[i];
        size_t seen = 0;
        while (seen < n_left && left[seen] != a)
            seen++;
        if (!a->q.fallback_reason && seen == n_left)
            left[n_left++] = a;
    }
    hd_code rc = hd_vault_hold(e->vault, &hold, err);
    if (rc == HD_OK) {
        while (rc == HD_OK && n_left > 0)
            rc = run_next(e, left, &n_left, err);
        hd_hold_release(hold);
    }
    hd_free(left);
    return rc;
}
