/* audit_system.c - what a reader knows of the answer and of earlier releases, as one system of sums.
 *
 * A set of records is one node, whichever release printed it and however it was asked for; what
 * several prints say of it is their intersection.
 */
#include "disclosure/audit_work.h"

#include "base/alloc.h"
#include "disclosure/margins.h"
#include "disclosure/propagate.h"
#include "disclosure/unions.h"

#include <stdlib.h>

/* ---- cells ---- */

hd_code hd_audit_node_find(hd_audit *a, hd_set_kind kind, const uint64_t sum[2], uint32_t *out,
                           hd_err *err)
{
    char name[HD_SET_NAME];
    hd_set_name(name, kind, sum);
    HD_TRY(hd_intern_add(a->nodes, name, HD_SET_NAME, out, err));
    if (*out < a->n_nodes)
        return HD_OK;
    size_t n = a->n_nodes;
    if (!HD_GROW(a->about, n, a->about_cap) || !HD_GROW(a->low, n, a->low_cap) ||
        !HD_GROW(a->high, n, a->high_cap))
        return hd_fail_nomem(err);
    a->about[n] = (hd_audit_node){.high_before = HD_NO_BOUND};
    a->low[n] = 0;
    a->high[n] = HD_NO_BOUND;
    a->about[n].name = sum[0];
    a->n_nodes++;
    return HD_OK;
}

static hd_code note_profile(hd_audit *a, uint32_t node, const hd_account *of, size_t column,
                            const uint64_t profile[2], hd_err *err)
{
    if (hd_set_is_empty(profile))
        return HD_OK;
    if (!HD_GROW(a->profiled, a->n_profiled, a->profiled_cap))
        return hd_fail_nomem(err);
    uint64_t what = of->kinds[column] == HD_SET_PEOPLE ? 2 : of->table;
    a->profiled[a->n_profiled++] = (hd_audit_profiled){{profile[0], profile[1]}, what, node};
    return HD_OK;
}

static hd_code add_item(hd_audit *a, const hd_account *of, size_t item, hd_err *err)
{
    const hd_printed *p = &of->printed[item];
    bool is_now = of == a->now;
    uint32_t id;
    if (hd_set_is_empty(of->items[item].sum))
        return HD_OK;
    HD_TRY(hd_audit_node_find(a, of->kinds[item % of->n_columns], of->items[item].sum, &id, err));
    hd_audit_node *n = &a->about[id];
    if (p->is_count) {
        HD_TRY(note_profile(a, id, of, item % of->n_columns, of->items[item].profile.sum, err));
        a->low[id] = p->low > a->low[id] ? p->low : a->low[id];
        a->high[id] = p->high < a->high[id] ? p->high : a->high[id];
        n->is_exact = n->is_exact || p->is_exact;
        bool is_number = p->mark == 0 && p->is_shown;
        n->shown_now = n->shown_now || (is_now && is_number);
        n->shown_before = n->shown_before || (!is_now && is_number && !of->people_of[item % of->n_columns]);
    }
    if (!is_now) {
        n->low_before = a->low[id];
        n->high_before = a->high[id];
    }
    n->now = n->now || is_now;
    n->times = p->times > n->times ? p->times : n->times;
    n->is_small = n->is_small || (of->is_controlled && p->is_small);
    if (is_now) {
        uint32_t told = of->told[item / of->n_columns];
        int32_t coarse = (int32_t)of->n_keys - __builtin_popcount(told);
        n->preference = coarse > n->preference ? coarse : n->preference;
    }
    return HD_OK;
}


/* ---- sums ---- */

static hd_code add_rule(hd_audit *a, uint32_t parent, const uint32_t *children, size_t n,
                        hd_err *err)
{
    uint32_t id;
    hd_code rc;
    hd_buf b;
    hd_buf_init(&b, (size_t)1 << 30);
    hd_buf_add(&b, &parent, sizeof parent);
    hd_buf_add(&b, children, n * sizeof *children);
    HD_GO(hd_buf_check(&b, err));
    HD_GO(hd_intern_add(a->rules, b.data, b.len, &id, err)); /* a sum that comes again is one */
out:
    hd_buf_free(&b);
    return rc;
}

/* Sum number r, in the numbers of the system. */
static hd_code add_system_rule(const hd_audit *a, hd_system *to, uint32_t r, hd_err *err)
{
    size_t len;
    const char *bytes = hd_intern_get(a->rules, r, &len);
    uint32_t *ids = hd_malloc(len);
    if (!ids)
        return hd_fail_nomem(err);
    memcpy(ids, bytes, len);
    for (size_t i = 0; i < len / sizeof *ids; i++)
        ids[i] = a->about[ids[i]].cell;
    hd_code rc = hd_system_rule(to, ids[0], ids + 1, len / sizeof *ids - 1, err);
    hd_free(ids);
    return rc;
}

static int compare_numbers(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

/* All is what has the filter and what has not. */
static hd_code add_left_out(hd_audit *a, const hd_account *of, size_t item, hd_err *err)
{
    size_t cell = item / of->n_columns, column = item % of->n_columns, n = 0;
    const size_t columns[] = {of->part_of[column] - 1u, column};
    const uint64_t *sum = of->items[hd_account_at(of, cell, of->whole_of[column])].sum;
    uint32_t whole, parts[2];
    if (hd_set_is_empty(sum))
        return HD_OK;
    HD_TRY(hd_audit_node_find(a, of->kinds[column], sum, &whole, err));
    for (size_t i = 0; i < 2; i++) {
        sum = of->items[hd_account_at(of, cell, columns[i])].sum;
        if (!hd_set_is_empty(sum))
            HD_TRY(hd_audit_node_find(a, of->kinds[column], sum, &parts[n++], err));
    }
    qsort(parts, n, sizeof *parts, compare_numbers);
    return n == 2 ? add_rule(a, whole, parts, n, err) : HD_OK;
}

static hd_code add_items(hd_audit *a, const hd_account *of, hd_err *err)
{
    for (size_t i = 0; i < of->n_cells * of->n_columns; i++)
        HD_TRY(add_item(a, of, i, err));
    for (size_t i = 0; i < of->n_cells * of->n_columns; i++)
        if (of->part_of[i % of->n_columns])
            HD_TRY(add_left_out(a, of, i, err));
    return HD_OK;
}

static hd_code add_margin(void *ctx, const hd_account *of, size_t column, const uint64_t sum[2],
                          const uint32_t *cells, size_t n_cells, hd_err *err)
{
    hd_audit *a = ctx;
    char name[HD_SET_NAME];
    hd_code rc = HD_OK;
    size_t n = 0;
    uint32_t parent;
    uint64_t profile[2];
    hd_margin_profile(of, column, cells, n_cells, profile);
    hd_set_name(name, of->kinds[column], sum);
    parent = hd_intern_find(a->nodes, name, HD_SET_NAME);
    bool is_shared = hd_component_is_shared(a->parts, sum[0]) ||
                     hd_component_is_shared(a->parts, hd_audit_profile_name(profile));
    bool is_made = a->create && of->kinds[column] != HD_SET_PEOPLE;
    if (parent == HD_INTERN_NONE && !is_made && !is_shared)
        return HD_OK;
    uint32_t *children = hd_calloc(n_cells + 1, sizeof *children);
    if (!children)
        return hd_fail_nomem(err);
    if (parent == HD_INTERN_NONE)
        HD_GO(hd_audit_node_find(a, of->kinds[column], sum, &parent, err));
    HD_GO(note_profile(a, parent, of, column, profile, err));
    for (size_t i = 0; i < n_cells; i++) {
        const hd_set *s = &of->items[hd_account_at(of, cells[i], column)];
        if (!hd_set_is_empty(s->sum))
            HD_GO(hd_audit_node_find(a, of->kinds[column], s->sum, &children[n++], err));
    }
    qsort(children, n, sizeof *children, compare_numbers);
    if (n > 1)
        HD_GO(add_rule(a, parent, children, n, err));
out:
    hd_free(children);
    return rc;
}

static hd_code add_margins(hd_audit *a, const hd_account *of, bool create, hd_err *err)
{
    uint32_t levels[HD_MARGIN_LEVELS], finer[HD_ACCOUNT_SETS];
    size_t n = hd_margin_levels(of, levels);
    for (size_t i = 0; i < n; i++) {
        size_t n_finer = hd_margin_finer(of, levels[i], finer);
        if (create && (n_finer < 2 || hd_margin_is_asked(of, levels[i])))
            continue;
        a->create = create;
        for (size_t f = 0; f < n_finer; f++)
            for (size_t column = 0; column < of->n_columns; column++)
                HD_TRY(hd_margins_each(of, column, levels[i], finer[f], add_margin, a, err));
    }
    return HD_OK;
}

bool hd_audit_difference_of(const hd_audit *a, const hd_near_pair *p, hd_audit_difference *out)
{
    const hd_account *now = a->now;
    const hd_account *other = p->earlier == HD_NEAR_OWN ? now : &a->earlier[p->earlier];
    *out = (hd_audit_difference){
        &now->items[p->cell], &other->items[p->other], &now->printed[p->cell],
        &other->printed[p->other], now->kinds[p->cell % now->n_columns],
        other->kinds[p->other % other->n_columns], HD_SET_PROFILE, {0, 0}};
    const hd_audit_difference d = *out;
    if (p->by_profile ? d.of_part->profile.people > d.of_whole->profile.people
                      : d.of_part->persons > d.of_whole->persons)
        *out = (hd_audit_difference){d.of_part, d.of_whole, d.part, d.whole,
                                     d.part_kind, d.whole_kind, HD_SET_PROFILE, {0, 0}};
    const hd_set *x = out->of_whole, *y = out->of_part;
    for (size_t i = 0; i < 2; i++)
        out->sum[i] = p->by_profile ? x->profile.sum[i] - y->profile.sum[i]
                                    : x->sum[i] - y->sum[i];
    if (!p->by_profile)
        out->kind = out->whole_kind;
    return (now->is_controlled || other->is_controlled) && out->whole->is_count &&
           out->part->is_count;
}

/* The difference of two sets that differ by few people, as a count of its own. Many pairs with the
 * same difference (padding) are one count with many bounds. */
static hd_code add_difference(hd_audit *a, const hd_near_pair *p, hd_err *err)
{
    hd_audit_difference d;
    uint32_t whole, parts[2];
    if (!hd_audit_difference_of(a, p, &d))
        return HD_OK;
    HD_TRY(hd_audit_node_find(a, d.whole_kind, d.of_whole->sum, &whole, err));
    HD_TRY(hd_audit_node_find(a, d.part_kind, d.of_part->sum, &parts[0], err));
    size_t n_before = a->n_nodes;
    HD_TRY(hd_audit_node_find(a, d.kind, d.sum, &parts[1], err));
    uint32_t few = parts[1];
    bool is_old = a->about[whole].shown_before && a->about[parts[0]].shown_before;
    a->about[few].is_difference = (a->about[few].is_difference || few >= n_before) && !is_old;
    a->about[few].is_small = true;
    int64_t times = a->about[whole].times < a->about[parts[0]].times ? a->about[whole].times
                                                                     : a->about[parts[0]].times;
    a->about[few].times = times > a->about[few].times && !p->by_profile ? times : a->about[few].times;
    for (size_t i = 0; i < a->n_known && p->by_profile; i++)
        if (memcmp(a->known[i].sum, d.sum, sizeof d.sum) == 0) {
            a->low[few] = a->known[i].low > a->low[few] ? a->known[i].low : a->low[few];
            a->high[few] = a->known[i].high < a->high[few] ? a->known[i].high : a->high[few];
            a->about[few].low_before = a->low[few];
            a->about[few].high_before = a->high[few];
        }
    /* Nobody knows which holds the other, or neither does: the one with more people has fewer records. */
    const hd_profile *x = &d.of_whole->profile, *y = &d.of_part->profile;
    if ((!p->by_profile && d.of_whole->persons == d.of_part->persons) ||
        (uint64_t)x->records + x->nobody < (uint64_t)y->records + y->nobody)
        a->low[few] = -HD_NO_BOUND;
    if (parts[0] == parts[1])
        return HD_OK;
    qsort(parts, 2, sizeof *parts, compare_numbers);
    return add_rule(a, whole, parts, 2, err);
}

/* ---- the same people in figures of other things ---- */

static hd_code mark_summed(const hd_audit *a, uint8_t **out, hd_err *err)
{
    *out = hd_calloc(a->n_nodes + 1, 1);
    if (!*out)
        return hd_fail_nomem(err);
    for (uint32_t r = 0; r < hd_intern_count(a->rules); r++) {
        size_t len;
        const char *ids = hd_intern_get(a->rules, r, &len);
        for (size_t i = 0; i < len; i += sizeof(uint32_t)) {
            uint32_t id;
            memcpy(&id, ids + i, sizeof id);
            (*out)[id] = 1;
        }
    }
    return HD_OK;
}

/* As many records of each person are as many records: stays and their first episodes, people and
 * records where everybody has one. Whoever knows that they go together has two prints of one number;
 * that matters where sums bind one of them. */
static hd_code add_links(hd_audit *a, hd_err *err)
{
    hd_code rc;
    uint8_t *is_summed = NULL;
    uint32_t *first = hd_calloc(a->n_profiled + 1, sizeof *first); /* of those with its profile */
    hd_intern *names = hd_intern_new();
    if (!names || !first) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    HD_GO(mark_summed(a, &is_summed, err));
    for (uint32_t i = 0; i < a->n_profiled; i++) {
        const hd_audit_profiled *p = &a->profiled[i];
        uint32_t id, n = hd_intern_count(names);
        HD_GO(hd_intern_add(names, p->sum, sizeof p->sum, &id, err));
        if (id == n)
            first[id] = i;
        const hd_audit_profiled *other = &a->profiled[first[id]];
        if (other->of != p->of && (is_summed[p->node] || is_summed[other->node]))
            HD_GO(add_rule(a, other->node, &p->node, 1, err));
    }
out:
    hd_intern_free(names);
    hd_free(is_summed);
    hd_free(first);
    return rc;
}

hd_code hd_audit_add_summed(hd_audit *a, const hd_summed *whole, hd_err *err)
{
    hd_code rc;
    uint32_t parent, *children = hd_calloc(whole->n_parts + 1, sizeof *children);
    if (!children)
        return hd_fail_nomem(err);
    HD_GO(hd_audit_node_find(a, whole->kind, whole->sum, &parent, err));
    for (size_t i = 0; i < whole->n_parts; i++)
        HD_GO(hd_audit_node_find(a, whole[1 + i].kind, whole[1 + i].sum, &children[i], err));
    qsort(children, whole->n_parts, sizeof *children, compare_numbers);
    HD_GO(add_rule(a, parent, children, whole->n_parts, err));
out:
    hd_free(children);
    return rc;
}

static hd_code add_union(void *ctx, const hd_account *parts, const size_t *items, size_t n,
                         const hd_account *wholes, size_t whole, hd_err *err)
{
    hd_audit *a = ctx;
    hd_set_kind kind = wholes->kinds[whole % wholes->n_columns];
    const uint64_t *sum = wholes->items[whole].sum;
    const hd_summed of = {{sum[0], sum[1]}, kind, (uint32_t)n};
    hd_summed made_of[HD_UNION_PARTS];
    for (size_t i = 0; i < n; i++) {
        sum = parts->items[items[i]].sum;
        made_of[i] = (hd_summed){{sum[0], sum[1]}, kind, 0};
    }
    size_t at = a->now->n_summed;
    HD_TRY(hd_account_sum(a->now, &of, made_of, n, err));
    return hd_audit_add_summed(a, &a->now->summed[at], err);
}

hd_code hd_audit_unions(const hd_audit *a, const hd_account *earlier, hd_take_union take, void *ctx,
                        hd_err *err)
{
    hd_account margins;
    HD_TRY(hd_unions_find(a->now, earlier, take, ctx, err));
    HD_TRY(hd_unions_find(earlier, a->now, take, ctx, err));
    HD_TRY(hd_unions_find(earlier, &a->margins, take, ctx, err));
    HD_TRY(hd_margins_make(&margins, earlier, err));
    hd_code rc = hd_unions_find(a->now, &margins, take, ctx, err);
    hd_account_free(&margins);
    return rc;
}

/* The sums that earlier answers were found to have with those before them. */
static hd_code add_summed_before(hd_audit *a, const hd_account *of, hd_err *err)
{
    for (size_t i = 0; i < of->n_summed; i += 1 + of->summed[i].n_parts) {
        if (of->summed[i].n_parts > of->n_summed - i - 1)
            return hd_fail(err, HD_FORMAT, "a release in the ledger is damaged");
        HD_TRY(hd_audit_add_summed(a, &of->summed[i], err));
    }
    return HD_OK;
}

/* How many sums away the system goes from the answer, and from what its figures narrow elsewhere; and how many
 * sets it may have to go on. */
enum { REACH = 2, SMALL_SYSTEM = 2000 };

/* Marks the sums that hold a node that is near, and then their nodes. only_links: of sums of one. */
static void reach(const hd_audit *a, uint8_t *near, uint8_t *in, bool only_links)
{
    uint32_t n_rules = hd_intern_count(a->rules);
    for (int to_nodes = 0; to_nodes < 2; to_nodes++)
        for (uint32_t r = 0; r < n_rules; r++) {
            size_t len;
            const char *ids = hd_intern_get(a->rules, r, &len);
            bool is_looked_at = !only_links || len == 2 * sizeof(uint32_t);
            for (size_t i = 0; i < len && is_looked_at; i += sizeof(uint32_t)) {
                uint32_t id;
                memcpy(&id, ids + i, sizeof id);
                in[r] |= near[id] && !to_nodes;
                near[id] |= in[r] && to_nodes;
            }
        }
}

/* ---- what hangs together with a small count ---- */

static uint32_t top_of(uint32_t *up, uint32_t i)
{
    while (up[i] != i)
        i = up[i] = up[up[i]];
    return i;
}

static void join_rule(const hd_audit *a, uint32_t r, uint32_t *up)
{
    size_t len;
    const char *ids = hd_intern_get(a->rules, r, &len);
    uint32_t one, id;
    memcpy(&one, ids, sizeof one);
    for (size_t i = sizeof id; i < len; i += sizeof id) {
        memcpy(&id, ids + i, sizeof id);
        up[top_of(up, id)] = top_of(up, one);
    }
}

/* Nodes that no sum, however far, joins to a small count say nothing of it, and nobody has
 * to keep values among them: the true table shows that they can have some. What is left falls
 * into parts of which each has a count to protect and a sum. Clears near and in of all others. */
static hd_code keep_bound(const hd_audit *a, uint8_t *near, uint8_t *in, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n_rules = hd_intern_count(a->rules);
    uint32_t *up = hd_calloc(a->n_nodes + 1, sizeof *up);
    uint8_t *has_small = hd_calloc(a->n_nodes + 1, 1), *has_sum = hd_calloc(a->n_nodes + 1, 1);
    if (!up || !has_small || !has_sum) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (uint32_t i = 0; i < a->n_nodes; i++)
        up[i] = i;
    for (uint32_t r = 0; r < n_rules; r++)
        if (in[r])
            join_rule(a, r, up);
    for (uint32_t r = 0; r < n_rules; r++) {
        uint32_t parent;
        size_t len;
        memcpy(&parent, hd_intern_get(a->rules, r, &len), sizeof parent);
        has_sum[top_of(up, parent)] |= in[r];
    }
    for (uint32_t i = 0; i < a->n_nodes; i++)
        has_small[top_of(up, i)] |= near[i] && a->about[i].is_small;
    for (uint32_t r = 0; r < n_rules; r++) {
        uint32_t parent;
        size_t len;
        memcpy(&parent, hd_intern_get(a->rules, r, &len), sizeof parent);
        in[r] = in[r] && has_small[top_of(up, parent)];
    }
    for (uint32_t i = 0; i < a->n_nodes; i++)
        near[i] = near[i] && has_small[top_of(up, i)] && has_sum[top_of(up, i)];
out:
    hd_free(up);
    hd_free(has_small);
    hd_free(has_sum);
    return rc;
}

/* Bounds of every set as all sums leave them, in the numbers of the nodes; with_answer: its figures too. */
static hd_code propagate_all(hd_audit *a, bool with_answer, hd_system *s, bool *is_consistent, hd_err *err)
{
    hd_propagation done;
    for (uint32_t i = 0; i < a->n_nodes; i++) {
        const hd_audit_node *n = &a->about[i];
        bool is_before = n->now && !with_answer;
        int64_t low = is_before ? n->low_before : a->low[i];
        if (n->is_difference && !with_answer)
            low = -HD_NO_BOUND; /* that one figure holds the other is only assumed */
        HD_TRY(hd_system_cell(s, low, is_before ? n->high_before : a->high[i], n->name,
                              &a->about[i].cell, err));
    }
    for (uint32_t r = 0; r < hd_intern_count(a->rules); r++)
        HD_TRY(add_system_rule(a, s, r, err));
    HD_TRY(hd_propagate(s, &done, err));
    *is_consistent = done.is_consistent;
    return HD_OK;
}

/* What earlier releases say of each set, however far from the answer they are; and on which sets of theirs
 * the answer throws light. */
static hd_code look_around(hd_audit *a, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_system before, after;
    bool is_known = false, is_narrowed = false;
    hd_system_init(&before);
    hd_system_init(&after);
    if (hd_audit_has_past(a)) {
        HD_GO(propagate_all(a, false, &before, &is_known, err));
        HD_GO(propagate_all(a, true, &after, &is_narrowed, err));
    }
    for (uint32_t i = 0; i < a->n_nodes; i++) {
        hd_audit_node *n = &a->about[i];
        n->known_low = is_known ? before.low[i] : -HD_NO_BOUND;
        n->known_high = is_known ? before.high[i] : HD_NO_BOUND;
        n->is_narrowed = is_known && is_narrowed && !n->now &&
                         (after.low[i] > n->known_low || after.high[i] < n->known_high);
    }
out:
    hd_system_free(&before);
    hd_system_free(&after);
    return rc;
}

static size_t count_near(const hd_audit *a, const uint8_t *near)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n_nodes; i++)
        n += near[i];
    return n;
}

static void reach_far(const hd_audit *a, uint8_t *near, uint8_t *in)
{
    reach(a, near, in, true);
    for (int step = 0; step < REACH; step++) {
        reach(a, near, in, false);
        reach(a, near, in, true);
    }
}

/* Beyond what has to be: around what the answer narrows, as long as the audit may hold it, and then on, until
 * there is no more or it is no longer small. */
static hd_code reach_further(const hd_audit *a, uint8_t *near, uint8_t *in, hd_err *err)
{
    size_t n_rules = hd_intern_count(a->rules), before = count_near(a, near), n = before;
    size_t most = a->limit < HD_AUDIT_WHOLE ? a->limit : HD_AUDIT_WHOLE;
    uint8_t *more = hd_calloc(a->n_nodes + 1, 1), *more_in = hd_calloc(n_rules + 1, 1);
    if (!more || !more_in) {
        hd_free(more);
        hd_free(more_in);
        return hd_fail_nomem(err);
    }
    for (bool is_first = true; is_first || n > before; is_first = false) {
        before = n;
        memcpy(more, near, a->n_nodes);
        memcpy(more_in, in, n_rules);
        for (size_t i = 0; i < a->n_nodes && is_first; i++)
            more[i] |= a->about[i].is_narrowed;
        reach_far(a, more, more_in);
        n = count_near(a, more);
        if (n > most)
            break;
        memcpy(near, more, a->n_nodes);
        memcpy(in, more_in, n_rules);
        most = most < SMALL_SYSTEM ? most : SMALL_SYSTEM;
    }
    hd_free(more);
    hd_free(more_in);
    return HD_OK;
}

/* Nodes that some sum joins to the answer within REACH, with the sums among them; of many only
 * those that hang together with a small count. */
static hd_code make_system(hd_audit *a, hd_err *err)
{
    size_t n_rules = hd_intern_count(a->rules);
    hd_code rc = HD_OK;
    uint8_t *near = hd_calloc(a->n_nodes + 1, 1), *in = hd_calloc(n_rules + 1, 1);
    a->node_of = hd_calloc(a->n_nodes + 1, sizeof *a->node_of);
    if (!near || !in || !a->node_of) {
        rc = hd_fail_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < a->n_nodes; i++)
        near[i] = a->about[i].now;
    reach_far(a, near, in);
    HD_GO(reach_further(a, near, in, err));
    if (a->n_nodes > HD_AUDIT_WHOLE)
        HD_GO(keep_bound(a, near, in, err));
    for (uint32_t i = 0; i < a->n_nodes; i++) {
        a->about[i].cell = HD_AUDIT_NONE;
        if (!near[i])
            continue;
        HD_GO(hd_system_cell(&a->system, a->low[i], a->high[i], a->about[i].name,
                             &a->about[i].cell, err));
        a->node_of[a->about[i].cell] = i;
    }
    for (uint32_t r = 0; r < n_rules; r++)
        if (in[r])
            HD_GO(add_system_rule(a, &a->system, r, err));
out:
    hd_free(near);
    hd_free(in);
    return rc;
}

/* Rows of one grouping set have no record in common, whatever conditions their columns have, so
 * none is made of others. People may be in several. */
static bool may_hold_unions(const hd_account *a)
{
    bool has_people = false;
    for (size_t c = 0; c < a->n_columns; c++)
        has_people = has_people || a->kinds[c] == HD_SET_PEOPLE;
    return has_people || a->n_sets > 1;
}

hd_code hd_audit_build(hd_audit *a, hd_err *err)
{
    for (size_t e = 0; e < a->n_earlier; e++)
        HD_TRY(add_items(a, &a->earlier[e], err));
    HD_TRY(add_items(a, a->now, err));
    /* First the margins that nobody prints and that make cells for others to find, where grouping
     * sets meet. */
    for (int create = 1; create >= 0; create--) {
        HD_TRY(add_margins(a, a->now, create, err));
        for (size_t e = 0; e < a->n_earlier; e++)
            HD_TRY(add_margins(a, &a->earlier[e], create, err));
    }
    if (may_hold_unions(a->now))
        HD_TRY(hd_unions_find(a->now, a->now, add_union, a, err));
    for (size_t e = 0; e < a->n_earlier; e++)
        HD_TRY(add_summed_before(a, &a->earlier[e], err));
    for (size_t e = 0; e < a->n_direct; e++)
        HD_TRY(hd_audit_unions(a, &a->earlier[e], add_union, a, err));
    for (size_t i = 0; i < hd_near_n_pairs(a->near); i++)
        HD_TRY(add_difference(a, hd_near_pair_at(a->near, i), err));
    HD_TRY(hd_audit_hold(a, err));
    HD_TRY(add_links(a, err));
    HD_TRY(look_around(a, err));
    return make_system(a, err);
}
