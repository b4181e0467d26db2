/* ask.c - ask, run, disclose: the one way from SQL to figures. True cells live here for the length
 * of one call and are wiped before it returns. */
#include "disclosure/explain.h"
#include "disclosure/outer.h"
#include "disclosure/primary.h"

hd_code hd_release_ask(hd_release **out, struct hd_engine *e, const hd_policy *p, const char *sql,
                       hd_err *err)
{
    hd_code rc;
    hd_question *q = NULL;
    hd_cells *cells = NULL;
    hd_safe safe = {0};
    *out = NULL;
    if (hd_explained(sql))
        return hd_release_explain(out, e, p, hd_explained(sql), err);
    HD_GO(hd_engine_ask(e, sql, &q, err));
    HD_GO(hd_primary_admit(p, q, err));
    HD_GO(hd_engine_run(e, q, HD_ROUTE_BEST, &cells, err));
    HD_GO(hd_primary_apply(p, q, cells, &safe, err));
    const hd_release_origin origin = {
        .policy = p->file->name,
        .policy_version = p->file->version,
        .legend = p->file->legend,
        .question = q->sql,
        .has_true_counts = p->file->shows_true_counts,
        .data_version = hd_vault_data_version(hd_engine_vault(e)),
        .has_left_out = safe.n_left_out > 0,
    };
    HD_GO(hd_outer_evaluate(out, hd_engine_duck(e), q, cells, &safe, &origin, err));
out:
    hd_safe_free(&safe);
    hd_cells_free(cells);
    hd_question_free(q);
    return rc;
}
