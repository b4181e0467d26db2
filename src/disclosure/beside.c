/* beside.c - see beside.h. A total and its parts meet by name: the part's keys without those that the
 * total sums over. Only grouping sets with none between them are looked at. */
#include "disclosure/beside.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/intern.h"

#include <string.h>

enum { MOST_SETS = 256 };

/* What is known of the parts of one total, for one aggregate. */
typedef struct parts {
    size_t n_withheld, smallest; /* the shown part with the fewest records, a cell */
    int64_t records;             /* of that part; 0: no part is shown */
} parts;

typedef struct job {
    const hd_policy_file *p;
    const hd_question *q;
    const hd_cells *cells;
    hd_safe *safe;
    uint32_t masks[MOST_SETS]; /* groupings of the answer */
    size_t first[MOST_SETS], end[MOST_SETS]; /* all cells of a grouping lie between */
    size_t n_masks;
    hd_buf name;
    bool added;
} job;

static bool is_of_values(hd_aggregate_kind kind)
{
    return kind == HD_AGG_SUM || kind == HD_AGG_MEAN || kind == HD_AGG_SPREAD;
}

static bool find_masks(job *j)
{
    for (size_t c = 0, i = 0; c < j->cells->n_cells; c++) {
        uint32_t mask = hd_cells_grouping(j->cells, c);
        if (i >= j->n_masks || j->masks[i] != mask)
            for (i = 0; i < j->n_masks && j->masks[i] != mask; i++)
                ;
        if (i == MOST_SETS)
            return false; /* the engine makes no more */
        if (i == j->n_masks) {
            j->masks[j->n_masks++] = mask;
            j->first[i] = c;
        }
        j->end[i] = c + 1;
    }
    for (size_t a = 0; a < j->q->n_aggregates; a++)
        if (is_of_values(j->q->aggregates[a].kind))
            return j->n_masks > 1;
    return false;
}

/* Coarser, with no grouping of the answer between the two. */
static bool is_next(const job *j, uint32_t coarse, uint32_t fine)
{
    if (coarse == fine || (coarse & fine) != fine)
        return false;
    for (size_t i = 0; i < j->n_masks; i++) {
        uint32_t m = j->masks[i];
        if (m != coarse && m != fine && (coarse & m) == m && (m & fine) == fine)
            return false;
    }
    return true;
}

static hd_code name_total(job *j, size_t cell, uint32_t mask, hd_err *err)
{
    hd_buf_clear(&j->name);
    for (size_t k = 0; k < j->cells->n_keys; k++)
        if (!(mask >> k & 1))
            hd_value_put_name(&j->name, hd_cells_key(j->cells, cell, k));
    return hd_buf_check(&j->name, err);
}

static hd_figure *figure(const job *j, size_t cell, size_t a)
{
    return &j->safe->figures[cell * j->safe->n_aggregates + a];
}

static void note_part(const job *j, size_t cell, parts *of)
{
    for (size_t a = 0; a < j->q->n_aggregates; a++) {
        int64_t records = j->cells->counts[a].records[cell];
        if (!is_of_values(j->q->aggregates[a].kind) || records == 0)
            continue;
        if (figure(j, cell, a)->mark || j->safe->left_out[cell])
            of[a].n_withheld++;
        else if (of[a].records == 0 || records < of[a].records)
            of[a] = (parts){of[a].n_withheld, cell, records};
    }
}

/* Without another part the total is the part. */
static void judge_total(job *j, size_t total, const parts *of)
{
    for (size_t a = 0; a < j->q->n_aggregates; a++) {
        if (of[a].n_withheld != 1 || figure(j, total, a)->mark || j->safe->left_out[total])
            continue;
        *figure(j, of[a].records ? of[a].smallest : total, a) =
            (hd_figure){.value = {.type = j->q->aggregates[a].type, .is_null = true},
                        .mark = j->p->secondary_mark};
        j->added = true;
    }
}

static hd_code look_at(job *j, size_t coarse, size_t fine, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = j->q->n_aggregates, n_totals = 0;
    uint32_t id;
    parts *all = NULL;
    hd_intern *names = hd_intern_new();
    uint32_t mask = j->masks[coarse];
    for (size_t c = j->first[coarse]; c < j->end[coarse]; c++)
        n_totals += hd_cells_grouping(j->cells, c) == mask;
    size_t *total_of = hd_calloc(n_totals + 1, sizeof *total_of);
    all = hd_calloc(n_totals * n + 1, sizeof *all);
    if (!names || !all || !total_of)
        HD_GO(hd_fail_nomem(err));
    for (size_t c = j->first[coarse]; c < j->end[coarse]; c++) {
        if (hd_cells_grouping(j->cells, c) != mask)
            continue;
        HD_GO(name_total(j, c, mask, err));
        HD_GO(hd_intern_add(names, j->name.data, j->name.len, &id, err));
        total_of[id] = c;
    }
    for (size_t c = j->first[fine]; c < j->end[fine]; c++) {
        if (hd_cells_grouping(j->cells, c) != j->masks[fine])
            continue;
        HD_GO(name_total(j, c, mask, err));
        id = hd_intern_find(names, j->name.data, j->name.len);
        if (id != HD_INTERN_NONE)
            note_part(j, c, all + id * n);
    }
    for (uint32_t total = 0; total < hd_intern_count(names); total++)
        judge_total(j, total_of[total], all + total * n);
out:
    hd_free(all);
    hd_free(total_of);
    hd_intern_free(names);
    return rc;
}

hd_code hd_withhold_beside(const hd_policy_file *p, const hd_question *q, const hd_cells *cells,
                           hd_safe *safe, bool *added, hd_err *err)
{
    hd_code rc = HD_OK;
    job j = {.p = p, .q = q, .cells = cells, .safe = safe};
    *added = false;
    if (!find_masks(&j))
        return HD_OK;
    hd_buf_init(&j.name, (size_t)1 << 20);
    for (size_t coarse = 0; coarse < j.n_masks && rc == HD_OK; coarse++)
        for (size_t fine = 0; fine < j.n_masks && rc == HD_OK; fine++)
            if (is_next(&j, j.masks[coarse], j.masks[fine]))
                rc = look_at(&j, coarse, fine, err);
    hd_buf_free(&j.name);
    *added = j.added;
    return rc;
}
