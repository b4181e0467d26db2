/* engine.c - what an asking needs, and the choice of route. See question.h. */
#include "engine/order.h"
#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

static const char *look_up(void *ctx, const char *text, size_t len)
{
    const hd_lookup *l = ctx;
    char code[256];
    if (len >= sizeof code || memchr(text, '\0', len))
        return l->keeps_unknown ? text : NULL;
    memcpy(code, text, len);
    code[len] = '\0';
    const char *found = hd_lookup_find(l, code);
    return found == code ? text : found;
}

static hd_code define_functions(hd_engine *e, hd_err *err)
{
    for (size_t i = 0; i < hd_catalogue_n_lookups(e->catalogue); i++) {
        const hd_lookup *l = hd_catalogue_lookup_at(e->catalogue, i);
        HD_TRY(hd_duck_add_function(e->duck, l->name, look_up, (void *)(uintptr_t)l, err));
    }
    for (size_t i = 0; i < hd_catalogue_n_macros(e->catalogue); i++) {
        const char *name;
        if (hd_duck_run(e->duck, hd_catalogue_macro_at(e->catalogue, i, &name), err) != HD_OK)
            return hd_context(err, "functions.yaml, %s", name);
    }
    return HD_OK;
}

hd_code hd_engine_open(hd_engine **out, hd_vault *v, const hd_catalogue *c, hd_err *err)
{
    return hd_engine_open_limited(out, v, c, &(hd_engine_limits){0}, err);
}

hd_code hd_engine_open_limited(hd_engine **out, hd_vault *v, const hd_catalogue *c,
                               const hd_engine_limits *limits, hd_err *err)
{
    *out = NULL;
    hd_engine *e = hd_calloc(1, sizeof *e);
    if (!e)
        return hd_fail_nomem(err);
    e->vault = v;
    e->catalogue = c;
    e->limits = *limits;
    e->data_version = hd_vault_data_version(v);
    e->recall = hd_recall_new(HD_RECALL_BYTES);
    if (limits->memory_bytes == 0)
        hd_alloc_keep();
    if (limits->memory_bytes)
        hd_vault_set_memory(v, limits->memory_bytes);
    hd_code rc = e->recall ? hd_duck_open_limited(&e->duck, limits->memory_bytes, limits->stop, err)
                           : hd_fail_nomem(err);
    if (rc == HD_OK)
        rc = define_functions(e, err);
    if (rc != HD_OK) {
        hd_engine_close(e);
        return rc;
    }
    *out = e;
    return HD_OK;
}

void hd_engine_close(hd_engine *e)
{
    if (!e)
        return;
    if (e->recall)
        hd_engine_forget(e);
    hd_recall_free(e->recall);
    hd_duck_close(e->duck);
    hd_free(e);
}

const atomic_bool *hd_engine_stop(const hd_engine *e)
{
    return e->limits.stop;
}

hd_code hd_engine_go_on(const hd_engine *e, hd_err *err)
{
    if (e->limits.progress)
        atomic_fetch_add_explicit(&e->limits.progress->checks, 1, memory_order_relaxed);
    return e->limits.stop && atomic_load_explicit(e->limits.stop, memory_order_relaxed)
               ? hd_fail(err, HD_CANCELLED, "the question was stopped")
               : HD_OK;
}

hd_duck *hd_engine_duck(hd_engine *e)
{
    return e->duck;
}

hd_vault *hd_engine_vault(hd_engine *e)
{
    return e->vault;
}

const hd_catalogue *hd_engine_catalogue(hd_engine *e)
{
    return e->catalogue;
}

static hd_code run(hd_engine *e, asked *a, hd_route route, hd_cells **out, hd_err *err)
{
    hd_table *t;
    HD_TRY(hd_vault_table(e->vault, a->q.table, &t, err));
    HD_TRY(hd_orders_ready(e, a, t, err));
    const char *why = a->q.fallback_reason;
    if (route == HD_ROUTE_KERNEL && why)
        return hd_fail(err, HD_INVALID, "%s", why);
    return route == HD_ROUTE_DUCKDB || why ? hd_run_duckdb(e, a, t, out, err)
                                           : hd_run_kernel(e, a, t, out, err);
}

hd_code hd_engine_run(hd_engine *e, const hd_question *q, hd_route route, hd_cells **out, hd_err *err)
{
    hd_hold *hold;
    *out = NULL;
    hd_engine_refresh(e);
    e->has_streamed = false;
    if (route != HD_ROUTE_DUCKDB && hd_take_ahead(e, (asked *)(uintptr_t)q, out))
        return HD_OK;
    HD_TRY(hd_vault_hold(e->vault, &hold, err)); /* columns stay until the answer is there */
    /* A question's plan is remembered with it. */
    hd_code rc = run(e, (asked *)(uintptr_t)q, route, out, err);
    hd_hold_release(hold);
    return rc;
}

hd_code hd_engine_run_rows(hd_engine *e, const hd_question *q, hd_cells **out, hd_err *err)
{
    e->without_people = true;
    for (size_t a = 0; a < q->n_aggregates; a++)
        if (q->aggregates[a].kind == HD_AGG_COUNT_PERSONS)
            e->without_people = false;
    hd_code rc = hd_engine_run(e, q, HD_ROUTE_BEST, out, err);
    e->without_people = false;
    return rc;
}
