/* blocks.c - see blocks.h. */
#include "engine/blocks.h"
#include "base/alloc.h"

#include <string.h>

/* ---- which matter ---------------------------------------------------------------------------- */

/* Sets of truths as bits: 1 << 0 false, 1 << 1 true, 1 << 2 unknown. */
enum { FALSE = 0, TRUE = 1, UNKNOWN = 2, ANY = 7 };

/* A lookup table as runs of codes of equal truth, so that a range of codes is looked at quickly. */
typedef struct runs {
    uint32_t *first; /* n: first code of each run, ascending from 0 */
    uint8_t *truth;
    uint32_t n;
    unsigned all; /* truths that occur */
} runs;

static hd_code find_runs(const uint8_t *lut, uint32_t n_codes, runs *out, hd_err *err)
{
    uint32_t n = 1;
    for (uint32_t c = 1; c < n_codes; c++)
        n += lut[c] != lut[c - 1];
    *out = (runs){.first = hd_calloc(n, sizeof *out->first), .truth = hd_calloc(n, 1)};
    if (!out->first || !out->truth)
        return hd_fail_nomem(err);
    for (uint32_t c = 0; c < n_codes; c++) {
        if (c > 0 && lut[c] == lut[c - 1])
            continue;
        out->first[out->n] = c;
        out->truth[out->n++] = lut[c];
        out->all |= 1u << lut[c];
    }
    return HD_OK;
}

static unsigned truths_between(const runs *r, uint32_t lowest, uint32_t highest)
{
    uint32_t low = 0, high = r->n - 1;
    while (low < high) { /* the last run that begins at `lowest` or before */
        uint32_t middle = low + (high - low + 1) / 2;
        if (r->first[middle] <= lowest)
            low = middle;
        else
            high = middle - 1;
    }
    unsigned seen = 0;
    for (uint32_t i = low; i < r->n && r->first[i] <= highest && seen != r->all; i++)
        seen |= 1u << r->truth[i];
    return seen;
}

static unsigned of_atom(const runs *r, const hd_table *t, hd_operand s, uint32_t block)
{
    if (s.order)
        return r->all;
    hd_block_stats b = hd_table_block(t, s.column, block);
    bool is_list = hd_table_column_spec(t, s.column)->kind == HD_COLUMN_LIST;
    unsigned seen = b.items ? truths_between(r, b.lowest, b.highest) : 0;
    if (is_list && s.element) /* or the row has no such element: code 0 */
        return seen | 1u << r->truth[0];
    if (is_list) /* any element: true, or false */
        return 1u << FALSE | (seen & 1u << TRUE);
    return seen;
}

static unsigned both(unsigned x, unsigned y)
{
    unsigned out = ((x | y) & 1u << FALSE) | (x & y & 1u << TRUE);
    bool unknown = (x & 1u << UNKNOWN && y & (1u << TRUE | 1u << UNKNOWN)) ||
                   (y & 1u << UNKNOWN && x & (1u << TRUE | 1u << UNKNOWN));
    return out | (unsigned)unknown << UNKNOWN;
}

static unsigned not(unsigned x)
{
    return (x & 1u << FALSE) << 1 | (x & 1u << TRUE) >> 1 | (x & 1u << UNKNOWN);
}

static bool may_pass(const scan_plan *p, const runs *r, const hd_table *t, uint32_t block,
                     uint8_t *can)
{
    for (size_t i = 0; i <= (size_t)p->q.where; i++) {
        const hd_k_node *n = &p->nodes[i];
        unsigned x = n->op == HD_K_ATOM ? 0 : can[n->a];
        unsigned y = n->op == HD_K_AND || n->op == HD_K_OR ? can[n->b] : 0;
        unsigned out = n->op == HD_K_ATOM  ? of_atom(&r[n->a], t, p->atom_inputs[n->a].operand, block)
                       : n->op == HD_K_AND ? both(x, y)
                       : n->op == HD_K_OR  ? not(both(not(x), not(y)))
                       : n->op == HD_K_NOT ? not(x)
                                           : (x & 1u << TRUE) | (x & (unsigned)~(1u << TRUE) ? 1u : 0);
        can[i] = (uint8_t)out;
    }
    return can[p->q.where] & 1u << TRUE;
}

hd_code hd_blocks_wanted(const scan_plan *p, hd_table *t, uint8_t *wanted, uint32_t *n_wanted,
                         hd_err *err)
{
    uint32_t n_blocks = hd_table_n_blocks(t);
    hd_code rc = HD_OK;
    memset(wanted, 1, n_blocks);
    *n_wanted = n_blocks;
    if (p->q.where < 0 || p->e->limits.every_block)
        return HD_OK;
    uint8_t *can = hd_calloc(p->n_nodes, 1);
    runs *r = hd_calloc(p->n_atoms, sizeof *r);
    HD_GO(can && r ? HD_OK : hd_fail_nomem(err));
    for (size_t i = 0; i < p->n_atoms; i++)
        HD_GO(find_runs(p->atoms[i].lut,
                        hd_operand_dictionary(t, p->atom_inputs[i].operand)->n_codes, &r[i], err));
    *n_wanted = 0;
    for (uint32_t b = 0; b < n_blocks; b++)
        *n_wanted += wanted[b] = may_pass(p, r, t, b, can);
out:
    for (size_t i = 0; r && i < p->n_atoms; i++) {
        hd_free(r[i].first);
        hd_free(r[i].truth);
    }
    hd_free(r);
    hd_free(can);
    return rc;
}

/* ---- coming and going ------------------------------------------------------------------------ */

static hd_code enter(void *ctx, uint64_t first, uint64_t end, bool *matters, hd_err *err)
{
    scan_blocks *b = ctx;
    uint32_t block = (uint32_t)(first / HD_BLOCK_ROWS);
    (void)end;
    *matters = false;
    HD_TRY(hd_engine_go_on(b->engine, err));
    if (!b->wanted[block])
        return HD_OK;
    HD_TRY(hd_feed_enter(b->feed, block, err));
    for (size_t i = 0; i < b->n_made; i++)
        hd_made_enter(b->made[i], block);
    *matters = true;
    return HD_OK;
}

static void leave(void *ctx, uint64_t first, uint64_t end)
{
    scan_blocks *b = ctx;
    uint32_t block = (uint32_t)(first / HD_BLOCK_ROWS);
    for (size_t i = 0; i < b->n_made; i++)
        hd_made_leave(b->made[i], block);
    hd_feed_leave(b->feed, block);
    if (b->progress)
        atomic_fetch_add_explicit(&b->progress->rows_done, end - first, memory_order_relaxed);
}

/* Whether a person begins at a row of a block that was entered. */
static bool begins_at(const scan_blocks *b, uint64_t row)
{
    const uint64_t *begins = hd_feed_begins(b->feed);
    const uint32_t *persons = hd_feed_persons(b->feed);
    if (begins)
        return begins[row / 64] >> row % 64 & 1;
    uint32_t block = (uint32_t)(row / HD_BLOCK_ROWS), before = 0;
    if (row % HD_BLOCK_ROWS != 0)
        before = persons[row - 1];
    else if (block > 0)
        before = hd_table_persons_block(b->t, block - 1).highest;
    return persons[row] != before;
}

static hd_code person_start(void *ctx, uint64_t row, uint64_t *out, hd_err *err)
{
    scan_blocks *b = ctx;
    uint64_t n_rows = hd_table_rows(b->t);
    bool found = row == 0;
    for (*out = row; !found && *out < n_rows;) {
        uint32_t block = (uint32_t)(*out / HD_BLOCK_ROWS);
        uint64_t end = *out - *out % HD_BLOCK_ROWS + hd_table_persons_block(b->t, block).rows;
        HD_TRY(hd_feed_enter_persons(b->feed, block, err));
        while (*out < end && !(found = begins_at(b, *out)))
            ++*out;
        hd_feed_leave_persons(b->feed, block);
    }
    return HD_OK;
}

static bool is_same_person(void *ctx, uint64_t last, uint64_t first)
{
    const scan_blocks *b = ctx;
    return hd_table_persons_block(b->t, (uint32_t)(last / HD_BLOCK_ROWS)).highest ==
           hd_table_persons_block(b->t, (uint32_t)(first / HD_BLOCK_ROWS)).lowest;
}

/* Rows of nobody come first; at most one block has them and others. */
static hd_code count_unlinked(scan_blocks *b, hd_err *err)
{
    uint64_t *n = &b->view.n_unlinked;
    for (uint32_t block = 0; block < b->n_blocks; block++) {
        hd_block_stats s = hd_table_persons_block(b->t, block);
        if (s.lowest > 0)
            return HD_OK;
        uint64_t end = *n + s.rows;
        if (s.highest == 0) {
            *n = end;
            continue;
        }
        HD_TRY(hd_feed_enter_persons(b->feed, block, err));
        while (*n < end && !begins_at(b, *n))
            ++*n;
        hd_feed_leave_persons(b->feed, block);
        return HD_OK;
    }
    return HD_OK;
}

/* ---- the columns of a plan ------------------------------------------------------------------- */

/* What is made needs what it is made of. */
static hd_code add_column(scan_blocks *b, hd_operand s, hd_err *err)
{
    size_t stored[HD_MAX_PARTS], n = hd_operand_stored(s, stored), at = 0;
    for (size_t i = 0; i < n; i++) {
        for (at = 0; at < b->n_columns && b->columns[at] != stored[i]; at++) {
        }
        if (at < b->n_columns)
            continue;
        if (!HD_GROW(b->columns, b->n_columns, b->columns_cap))
            return hd_fail_nomem(err);
        b->columns[b->n_columns++] = stored[i];
    }
    if (!hd_operand_is_made(s))
        return HD_OK;
    for (at = 0; at < b->n_made && !hd_operand_is_same(b->operands[at], s); at++) {
    }
    if (at < b->n_made)
        return HD_OK;
    if (!HD_GROW(b->operands, b->n_made, b->operands_cap))
        return hd_fail_nomem(err);
    b->operands[b->n_made++] = s;
    return HD_OK;
}

static hd_code add_columns(scan_blocks *b, const scan_plan *p, hd_err *err)
{
    for (size_t i = 0; i < p->n_atoms; i++)
        HD_TRY(add_column(b, p->atom_inputs[i].operand, err));
    for (size_t k = 0; k < p->parts[0].a->q.n_keys; k++)
        HD_TRY(add_column(b, p->group_inputs[k].operand, err));
    for (size_t m = 0; m < p->q.n_measures; m++)
        if (p->measures[m].has_value)
            HD_TRY(add_column(b, p->measure_inputs[m].operand, err));
    b->made = hd_calloc(b->n_made + 1, sizeof *b->made);
    return b->made ? HD_OK : hd_fail_nomem(err);
}

static hd_code open_made(scan_blocks *b, hd_engine *e, hd_err *err)
{
    for (size_t i = 0; i < b->n_made; i++) {
        HD_TRY(hd_made_open(e, b->t, b->operands[i], &b->made[i], err));
        for (size_t c = 0; c < b->n_columns; c++)
            hd_made_set_source(b->made[i], b->columns[c], hd_feed_column(b->feed, c));
    }
    return HD_OK;
}

static void tell_total(const scan_blocks *b)
{
    uint64_t rows = 0;
    if (!b->progress)
        return;
    for (uint32_t block = 0; block < b->n_blocks; block++)
        rows += b->wanted[block] ? hd_table_persons_block(b->t, block).rows : 0;
    atomic_store(&b->progress->rows_done, 0);
    atomic_store(&b->progress->rows, rows);
}

struct opening {
    hd_engine_progress *progress;
    const hd_operand *also; /* a column that the plan does not name */
    bool must_stream, every_block;
    bool numbers; /* of persons, not only where they begin */
};

static hd_code open_blocks(scan_blocks *b, scan_plan *p, hd_table *t, const struct opening *o,
                           hd_err *err)
{
    hd_code rc;
    uint64_t beside = 0;
    *b = (scan_blocks){
        .engine = p->e, .progress = o->progress, .t = t, .n_blocks = hd_table_n_blocks(t)};
    b->view = (hd_k_feed){.ctx = b,
                          .block_rows = HD_BLOCK_ROWS,
                          .enter = enter,
                          .leave = leave,
                          .person_start = person_start,
                          .is_same_person = is_same_person};
    b->wanted = hd_calloc(b->n_blocks, 1);
    HD_GO(b->wanted ? HD_OK : hd_fail_nomem(err));
    HD_GO(hd_blocks_wanted(p, t, b->wanted, &b->n_wanted, err));
    if (o->every_block) {
        memset(b->wanted, 1, b->n_blocks);
        b->n_wanted = b->n_blocks;
    }
    if (o->also)
        HD_GO(add_column(b, *o->also, err));
    HD_GO(add_columns(b, p, err));
    for (size_t i = 0; i < b->n_made; i++)
        beside += hd_made_block_bytes(p->e, t, b->operands[i]);
    const hd_feed_wish wish = {.columns = b->columns,
                               .n_columns = b->n_columns,
                               .wanted = b->wanted,
                               .persons = o->numbers,
                               .begins = !o->numbers && !p->e->without_people,
                               .may_stream = true,
                               .must_stream = o->must_stream || p->e->limits.always_streams,
                               .spare = p->e->limits.memory_bytes / 4,
                               .beside = beside};
    HD_GO(hd_feed_open(&b->feed, t, &wish, err));
    HD_GO(open_made(b, p->e, err));
    if (wish.persons || wish.begins)
        HD_GO(count_unlinked(b, err));
    tell_total(b);
out:
    if (rc != HD_OK)
        hd_blocks_close(b);
    return rc;
}

/* Where the columns of a question did not fit together, those of its scan go by like those of the walk
 * before it, though they would fit by themselves: pages that are touched for the first time cost more
 * than reading and opening what goes into them. They stay when the question is asked again. */
hd_code hd_blocks_open(scan_blocks *b, scan_plan *p, hd_table *t, hd_err *err)
{
    const struct opening o = {.progress = p->e->limits.progress, .must_stream = p->e->has_streamed};
    p->e->has_streamed = false;
    return open_blocks(b, p, t, &o, err);
}

hd_code hd_blocks_open_part(scan_blocks *b, scan_plan *p, hd_table *t, bool must_stream, hd_err *err)
{
    return open_blocks(b, p, t, &(struct opening){.must_stream = must_stream}, err);
}

hd_code hd_blocks_open_all(scan_blocks *b, scan_plan *p, hd_table *t, const hd_operand *also,
                           hd_err *err)
{
    return open_blocks(b, p, t, &(struct opening){.also = also, .every_block = true, .numbers = true}, err);
}

void hd_blocks_close(scan_blocks *b)
{
    hd_engine_progress *progress = b->progress;
    if (b->feed && progress) {
        atomic_store(&progress->blocks, b->n_blocks);
        atomic_store(&progress->blocks_wanted, b->n_wanted);
        atomic_store(&progress->parts_opened, hd_feed_blocks_read(b->feed));
        atomic_store(&progress->streamed, hd_feed_streams(b->feed));
    }
    for (size_t i = 0; b->made && i < b->n_made; i++)
        hd_made_close(b->made[i]);
    hd_feed_close(b->feed);
    hd_free(b->made);
    hd_free(b->operands);
    hd_free(b->columns);
    hd_free(b->wanted);
    *b = (scan_blocks){0};
}

bool hd_blocks_column(const scan_blocks *b, hd_operand s, hd_column *out)
{
    for (size_t i = 0; i < b->n_made; i++)
        if (hd_operand_is_same(b->operands[i], s)) {
            *out = (hd_column){.width = hd_made_width(b->made[i]),
                               .data = hd_made_data(b->made[i])};
            return true;
        }
    for (size_t i = 0; !s.order && !s.element && i < b->n_columns; i++)
        if (b->columns[i] == s.column) {
            *out = *hd_feed_column(b->feed, i);
            return true;
        }
    return false;
}
