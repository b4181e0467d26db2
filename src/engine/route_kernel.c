/* route_kernel.c - questions run by the kernel: plan, bind, scan, cells. */
#include "engine/blocks.h"

/* The plan of a question that was run before, unless the data have changed since. */
static hd_code plan_of(hd_engine *e, asked *a, hd_table *t, scan_plan **out, hd_err *err)
{
    if (a->plan && a->plan->data_version != e->data_version) {
        hd_scan_plan_free(a->plan);
        a->plan = NULL;
    }
    if (!a->plan) {
        HD_TRY(hd_scan_plan_make(e, t, &a, 1, &a->plan, err));
        hd_asked_charge(e, a, a->plan->bytes);
    }
    *out = a->plan;
    return HD_OK;
}

hd_code hd_run_kernel(hd_engine *e, asked *a, hd_table *t, hd_cells **out, hd_err *err)
{
    hd_k_answer answer = {0};
    scan_blocks blocks = {0};
    const hd_kernel *kernel;
    scan_plan *p;
    hd_code rc;
    *out = NULL;
    HD_GO(hd_kernel_pick(&kernel, err));
    HD_GO(plan_of(e, a, t, &p, err));
    HD_GO(hd_blocks_open(&blocks, p, t, err));
    HD_GO(hd_scan_plan_bind(p, t, &blocks, err));
    HD_GO(kernel->run(&p->q, &answer, err));
    HD_GO(hd_scan_cells(p, 0, &answer, out, err));
out:
    hd_blocks_close(&blocks);
    hd_k_answer_free(&answer);
    return rc;
}
