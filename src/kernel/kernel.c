/* kernel.c - choosing a kernel, checking a question, reading an answer; see kernel.h. */
#include "kernel/kernel.h"
#include "base/alloc.h"
#include "kernel/merge.h"
#include "kernel/ops.h"

#include <stdlib.h>
#include <string.h>

/* ---- kernels made of batch steps ------------------------------------------------------------ */

static bool is_always_there(void)
{
    return true;
}

#define BATCH_KERNEL(set)                                                                          \
    static hd_code run_##set(const hd_k_question *q, hd_k_answer *out, hd_err *err)                \
    {                                                                                              \
        return hd_k_run(q, &hd_k_tuning_default, &hd_k_ops_##set, out, err);                       \
    }                                                                                              \
    static const hd_kernel kernel_##set = {#set, run_##set}
BATCH_KERNEL(portable);
#if defined(__x86_64__)
BATCH_KERNEL(avx2);
BATCH_KERNEL(avx512);

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("popcnt");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("avx512vpopcntdq");
}
#endif

static const struct candidate {
    const hd_kernel *kernel;
    const hd_k_ops *ops;
    bool (*is_there)(void);
} candidates[] = { /* best first */
#if defined(__x86_64__)
    {&kernel_avx512, &hd_k_ops_avx512, has_avx512},
    {&kernel_avx2, &hd_k_ops_avx2, has_avx2},
#endif
    {&kernel_portable, &hd_k_ops_portable, is_always_there},
    {&hd_kernel_scalar, NULL, is_always_there},
};

bool hd_k_ops_find(size_t number, const hd_k_ops **out)
{
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++)
        if (candidates[i].is_there() && number-- == 0) {
            *out = candidates[i].ops;
            return true;
        }
    return false;
}

hd_code hd_kernel_pick(const hd_kernel **out, hd_err *err)
{
    const char *name = getenv("HDIS_KERNEL");
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++)
        if ((!name || strcmp(candidates[i].kernel->name, name) == 0) && candidates[i].is_there()) {
            *out = candidates[i].kernel;
            return HD_OK;
        }
    return hd_fail(err, HD_INVALID, "HDIS_KERNEL names no kernel of this machine: unset it");
}

void hd_k_answer_free(hd_k_answer *a)
{
    for (size_t g = 0; a->slots && g < a->n_groups; g++)
        hd_free(a->slots[g]);
    for (size_t c = 0; a->counts && c < a->n_classes; c++) {
        hd_free(a->counts[c].rows);
        hd_free(a->counts[c].persons);
    }
    for (size_t m = 0; a->values && m < a->n_measures; m++) {
        void *items = a->values[m].items;
        for (size_t k = m; k < a->n_measures; k++) /* shared items go once */
            if (a->values[k].items == items)
                a->values[k].items = NULL;
        hd_free(items);
    }
    hd_free(a->set_starts);
    hd_free(a->slots);
    hd_free(a->counts);
    hd_free(a->class_of);
    hd_free(a->values);
    hd_free(a->distribution);
    memset(a, 0, sizeof *a);
}

void hd_k_answer_give(hd_k_answer *a, const void *column)
{
    for (size_t g = 0; g < a->n_groups; g++)
        a->slots[g] = a->slots[g] == column ? NULL : a->slots[g];
    for (size_t c = 0; c < a->n_classes; c++) {
        a->counts[c].rows = a->counts[c].rows == column ? NULL : a->counts[c].rows;
        a->counts[c].persons = a->counts[c].persons == column ? NULL : a->counts[c].persons;
    }
    for (size_t m = 0; m < a->n_measures; m++)
        a->values[m].items = a->values[m].items == column ? NULL : a->values[m].items;
}

hd_k_tally hd_k_answer_tally(const hd_k_answer *a, size_t cell, size_t measure)
{
    const hd_k_counts *c = &a->counts[a->class_of[measure]];
    const hd_k_values *v = &a->values[measure];
    hd_k_tally t = {.rows = c->rows[cell], .persons = c->persons ? c->persons[cell] : 0};
    switch (v->form) {
    case HD_K_NOTHING:
        break;
    case HD_K_SUMS:
        t.exact.sum = ((const int64_t *)v->items)[cell];
        break;
    case HD_K_EXACT:
        t.exact.sum = ((const hd_k_exact *)v->items)[cell].sum;
        t.exact.sum_squares = ((const hd_k_exact *)v->items)[cell].sum_squares;
        break;
    case HD_K_DECIMALS:
        t.decimal.sum = ((const hd_k_decimal *)v->items)[cell].sum;
        t.decimal.sum_squares = ((const hd_k_decimal *)v->items)[cell].sum_squares;
        break;
    case HD_K_RANGES:
        t.extremes.lowest = ((const hd_k_range *)v->items)[cell].lowest;
        t.extremes.highest = ((const hd_k_range *)v->items)[cell].highest;
        break;
    case HD_K_BINS:
        t.distribution.first = ((const hd_k_bins *)v->items)[cell].first;
        t.distribution.n = ((const hd_k_bins *)v->items)[cell].n;
        break;
    case HD_K_NUMBERS:
        t.distinct = ((const int64_t *)v->items)[cell];
        break;
    }
    return t;
}

uint32_t hd_k_order_statistic(const hd_k_answer *a, hd_k_bins t, uint64_t k)
{
    const hd_k_bin *bin = &a->distribution[t.first], *end = bin + t.n;
    while (bin < end && k >= bin->rows) {
        k -= bin->rows;
        bin++;
    }
    HD_ALWAYS(bin < end);
    return bin->rank;
}

/* ---- checking ------------------------------------------------------------------------------- */

static hd_code bad(hd_err *err, const char *what, size_t number, const char *why)
{
    return hd_fail(err, HD_INVALID, "kernel question: %s %zu: %s", what, number, why);
}

static hd_code check_codes(const hd_k_codes *c, uint64_t n, const char *what, size_t number,
                           hd_err *err)
{
    if (c->width != 1 && c->width != 2 && c->width != 4)
        return bad(err, what, number, "codes are not 1, 2 or 4 bytes wide");
    if (n && !c->data)
        return bad(err, what, number, "there are no codes");
    for (uint64_t i = 0; i < n; i++) {
        uint32_t code = c->width == 1   ? ((const uint8_t *)c->data)[i]
                        : c->width == 2 ? ((const uint16_t *)c->data)[i]
                                        : ((const uint32_t *)c->data)[i];
        if (code >= c->n_codes || code < c->lowest)
            return bad(err, what, number, "a code lies outside the dictionary");
    }
    return HD_OK;
}

static hd_code check_atoms(const hd_k_question *q, hd_err *err)
{
    for (size_t i = 0; i < q->n_atoms; i++) {
        const hd_k_atom *a = &q->atoms[i];
        uint64_t n = q->n_rows;
        if (!a->lut)
            return bad(err, "atom", i, "there is no lookup table");
        if (a->starts) {
            for (uint64_t r = 0; r < q->n_rows; r++)
                if (a->starts[r] > a->starts[r + 1])
                    return bad(err, "atom", i, "list positions do not ascend");
            n = a->starts[q->n_rows];
        }
        HD_TRY(check_codes(&a->codes, n, "atom", i, err));
        for (uint32_t c = 0; c < a->codes.n_codes; c++)
            if (a->lut[c] > 2)
                return bad(err, "atom", i, "a truth value is not 0, 1 or 2");
    }
    return HD_OK;
}

static hd_code check_nodes(const hd_k_question *q, hd_err *err)
{
    for (size_t i = 0; i < q->n_nodes; i++) {
        const hd_k_node *n = &q->nodes[i];
        bool two = n->op == HD_K_AND || n->op == HD_K_OR;
        if (n->op == HD_K_ATOM ? n->a >= q->n_atoms : n->a >= i || (two && n->b >= i))
            return bad(err, "node", i, "it does not come after what it reads");
    }
    if (q->where >= 0 && (size_t)q->where >= q->n_nodes)
        return bad(err, "node", (size_t)q->where, "where names a node that is not there");
    return HD_OK;
}

static hd_code check_groups(const hd_k_question *q, hd_err *err)
{
    if (q->n_groups > HD_K_MAX_GROUPS)
        return bad(err, "group", HD_K_MAX_GROUPS, "there is room for 32 groups");
    for (size_t g = 0; g < q->n_groups; g++) {
        const hd_k_group *group = &q->groups[g];
        HD_TRY(check_codes(&group->codes, q->n_rows, "group", g, err));
        for (uint32_t c = 0; c < group->codes.n_codes; c++)
            if (group->lut[c] >= group->n_slots)
                return bad(err, "group", g, "a slot lies outside the group");
    }
    if (!q->n_sets)
        return bad(err, "set", 0, "there is no grouping set");
    for (size_t s = 0; s < q->n_sets; s++)
        if ((uint64_t)q->sets[s] >> q->n_groups)
            return bad(err, "set", s, "it names a group that is not there");
    return HD_OK;
}

static hd_code check_measures(const hd_k_question *q, hd_err *err)
{
    for (size_t i = 0; i < q->n_measures; i++) {
        const hd_k_measure *m = &q->measures[i];
        bool reads = m->kind != HD_K_COUNT;
        bool ranked = reads && m->kind != HD_K_MOMENTS;
        if (m->filter >= 0 && (size_t)m->filter >= q->n_nodes)
            return bad(err, "measure", i, "its filter names a node that is not there");
        if (m->kind == HD_K_MOMENTS && !m->integers == !m->decimals)
            return bad(err, "measure", i, "it needs integers or decimals, one of the two");
        if (ranked && !m->ranks)
            return bad(err, "measure", i, "it needs ranks");
        if (reads || m->has_value)
            HD_TRY(check_codes(&m->codes, q->n_rows, "measure", i, err));
        for (uint32_t c = 0; ranked && c < m->codes.n_codes; c++)
            if ((!m->has_value || m->has_value[c]) && m->ranks[c] >= m->n_ranks)
                return bad(err, "measure", i, "a rank lies outside the ranks");
    }
    return HD_OK;
}

hd_code hd_kernel_check(const hd_k_question *q, hd_err *err)
{
    if (q->n_rows && !q->without_people && !q->begins)
        return hd_fail(err, HD_INVALID, "kernel question: nothing says where persons begin");
    HD_TRY(check_atoms(q, err));
    HD_TRY(check_nodes(q, err));
    HD_TRY(check_groups(q, err));
    return check_measures(q, err);
}
