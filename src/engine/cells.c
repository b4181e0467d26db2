/* cells.c - see cells.h. */
#include "engine/cells.h"
#include "base/alloc.h"
#include "engine/private.h"

#include <string.h>

hd_code hd_cells_new(hd_cells **out, size_t n_keys, size_t n_aggregates, size_t n_cells,
                     size_t text_bytes, hd_err *err)
{
    *out = NULL;
    hd_cells *c = hd_calloc(1, sizeof *c);
    if (!c)
        return hd_fail_nomem(err);
    c->n_keys = n_keys;
    c->n_aggregates = n_aggregates;
    c->n_cells = n_cells;
    c->keys = hd_calloc(n_cells * n_keys, sizeof *c->keys);
    c->grouping = hd_calloc(n_cells, sizeof *c->grouping);
    c->all = hd_calloc(n_cells, sizeof *c->all);
    c->figures = hd_calloc(n_cells * n_aggregates, sizeof *c->figures);
    c->text_ = hd_malloc(text_bytes);
    if (!c->keys || !c->grouping || !c->all || !c->figures || !c->text_) {
        hd_cells_free(c);
        return hd_fail_nomem(err);
    }
    *out = c;
    return HD_OK;
}

void hd_cells_free(hd_cells *c)
{
    if (!c)
        return;
    hd_wipe_free(c->all, c->n_cells * sizeof *c->all);
    hd_wipe_free(c->figures, c->n_cells * c->n_aggregates * sizeof *c->figures);
    hd_free(c->keys);
    hd_free(c->grouping);
    hd_free(c->text_);
    hd_free(c);
}
