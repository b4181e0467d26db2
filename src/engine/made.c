/* made.c - see made.h.
 *
 * A block is ABSENT, MOVING (one thread makes or wipes it) or THERE, under the column's lock;
 * making and wiping happen outside of it, and whoever needs a block that is MOVING waits for its
 * mover, which waits for nobody.
 */
#include "engine/made.h"
#include "base/alloc.h"
#include "base/par.h"
#include "engine/order.h"

#include <pthread.h>
#include <string.h>

enum {
    BATCH = 4096,    /* rows; a divisor of those of a block */
    STAYS_SHARE = 8, /* of the limit, all columns of an engine that stay */
    ABSENT = 0,
    MOVING,
    THERE
};

typedef struct block_state {
    uint32_t users;
    uint8_t place;
} block_state;

struct hd_made {
    hd_made *next; /* of those that stay with the engine */
    const hd_table *t; /* for comparing; it may be gone when a column that stayed is freed */
    uint64_t n_rows;
    uint32_t n_blocks;
    hd_operand operand;
    const hd_combined *combination; /* NULL: an element of a list */
    hd_code_source sources[HD_MAX_PARTS];
    unsigned width;
    void *data;
    size_t bytes;
    bool stays;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    block_state *blocks;
};

/* ---- what stays ------------------------------------------------------------------------------ */

bool hd_made_may_stay(const hd_engine *e, uint64_t bytes)
{
    uint64_t limit = e->limits.memory_bytes;
    for (const hd_made *m = e->made; limit && m; m = m->next)
        bytes += m->bytes;
    return !e->limits.always_streams && (!limit || bytes <= limit / STAYS_SHARE);
}

static hd_made *find(const hd_engine *e, const hd_table *t, hd_operand s)
{
    hd_made *m = e->made;
    while (m && !(m->t == t && hd_operand_is_same(m->operand, s)))
        m = m->next;
    return m;
}

static unsigned width_of(hd_table *t, hd_operand s)
{
    return s.order ? ((const order_data *)s.order->data->thing)->width
                   : hd_table_width(t, s.column);
}

/* An expression that is made by blocks was too long to stay when it was worked out. */
static bool may_stay(const hd_engine *e, hd_table *t, hd_operand s)
{
    return !s.order && (find(e, t, s) || hd_made_may_stay(e, hd_table_rows(t) * width_of(t, s)));
}

uint64_t hd_made_block_bytes(const hd_engine *e, hd_table *t, hd_operand s)
{
    uint64_t block = (uint64_t)HD_BLOCK_ROWS * width_of(t, s);
    return may_stay(e, t, s) ? 0 : block * (hd_par_threads() + 1);
}

/* ---- opening --------------------------------------------------------------------------------- */

static void wipe(const hd_made *m, uint32_t block)
{
    size_t at = (size_t)block * HD_BLOCK_ROWS * m->width, len = (size_t)HD_BLOCK_ROWS * m->width;
    hd_secret_give_back((uint8_t *)m->data + at, len < m->bytes - at ? len : m->bytes - at);
}

static void free_one(hd_made *m)
{
    for (uint32_t b = 0; m->data && m->blocks && b < m->n_blocks; b++)
        if (m->blocks[b].place != ABSENT) /* the rest was never touched */
            wipe(m, b);
    pthread_cond_destroy(&m->moved);
    pthread_mutex_destroy(&m->lock);
    hd_clean_unmap(m->data, m->bytes);
    hd_free(m->blocks);
    hd_free(m);
}

void hd_made_free_all(hd_made *first)
{
    while (first) {
        hd_made *next = first->next;
        free_one(first);
        first = next;
    }
}

static hd_code make_room(hd_made *m, hd_err *err)
{
    m->bytes = (size_t)m->n_rows * m->width;
    m->data = hd_secret_map(m->bytes);
    m->blocks = hd_calloc(m->n_blocks + 1, sizeof *m->blocks);
    if (!m->data || !m->blocks)
        return hd_fail_nomem(err);
    if (!m->stays)
        hd_secret_small_pages(m->data, m->bytes);
    return HD_OK;
}

static hd_code new_one(hd_table *t, hd_operand s, bool stays, hd_made **out, hd_err *err)
{
    hd_made *m = hd_calloc(1, sizeof *m);
    *out = m;
    if (!m)
        return hd_fail_nomem(err);
    *m = (hd_made){.t = t,
                   .n_rows = hd_table_rows(t),
                   .n_blocks = hd_table_n_blocks(t),
                   .operand = s,
                   .width = width_of(t, s),
                   .stays = stays};
    if (pthread_mutex_init(&m->lock, NULL) != 0) {
        hd_free(m);
        *out = NULL;
        return hd_fail_nomem(err);
    }
    if (pthread_cond_init(&m->moved, NULL) != 0) {
        pthread_mutex_destroy(&m->lock);
        hd_free(m);
        *out = NULL;
        return hd_fail_nomem(err);
    }
    return make_room(m, err);
}

/* The engine's, or a new one. */
static hd_code find_or_make(hd_engine *e, hd_table *t, hd_operand s, bool stays, hd_made **out,
                            hd_err *err)
{
    *out = find(e, t, s);
    if (*out)
        return HD_OK;
    hd_code rc = new_one(t, s, stays, out, err);
    if (rc != HD_OK) {
        if (*out)
            free_one(*out);
        *out = NULL;
        return rc;
    }
    if (stays) {
        (*out)->next = e->made;
        e->made = *out;
    }
    return HD_OK;
}

hd_code hd_made_open(hd_engine *e, hd_table *t, hd_operand s, hd_made **out, hd_err *err)
{
    hd_made *m;
    *out = NULL;
    HD_TRY(find_or_make(e, t, s, may_stay(e, t, s), &m, err));
    m->combination = s.order ? ((const order_data *)s.order->data->thing)->combination : NULL;
    m->sources[0].element = s.element;
    for (size_t p = 0; s.order && p < s.order->n_parts; p++) {
        hd_operand part = s.order->parts[p];
        const order_data *d = part.order ? part.order->data->thing : NULL;
        HD_ALWAYS(!d || d->data);
        m->sources[p] = (hd_code_source){.element = part.element};
        if (d)
            m->sources[p].column = (hd_column){.width = d->width, .data = d->data};
    }
    *out = m;
    return HD_OK;
}

hd_code hd_made_whole(hd_engine *e, hd_table *t, hd_operand s, const hd_column *list, hd_made **out,
                      hd_err *err)
{
    HD_ALWAYS(s.element && !s.order);
    HD_TRY(find_or_make(e, t, s, true, out, err));
    (*out)->sources[0] = (hd_code_source){*list, s.element};
    for (uint32_t b = 0; b < hd_table_n_blocks(t); b++) {
        hd_made_enter(*out, b);
        hd_made_leave(*out, b);
    }
    return HD_OK;
}

void hd_made_close(hd_made *m)
{
    if (m && !m->stays)
        free_one(m);
}

const void *hd_made_data(const hd_made *m)
{
    return m->data;
}

unsigned hd_made_width(const hd_made *m)
{
    return m->width;
}

void hd_made_set_source(hd_made *m, size_t column, const hd_column *from)
{
    const order_column *o = m->operand.order;
    if (!o && m->operand.column == column)
        m->sources[0].column = *from;
    for (size_t p = 0; o && p < o->n_parts; p++)
        if (!o->parts[p].order && o->parts[p].column == column)
            m->sources[p].column = *from;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static void fill(const hd_made *m, uint32_t block)
{
    uint64_t base = (uint64_t)block * HD_BLOCK_ROWS, end = base + HD_BLOCK_ROWS;
    uint32_t codes[BATCH], scratch[BATCH];
    end = end < m->n_rows ? end : m->n_rows;
    for (; base < end; base += BATCH) {
        size_t n = end - base < BATCH ? end - base : BATCH;
        if (m->combination) {
            hd_number_rows(m->combination, m->sources, base, n, scratch, codes);
            hd_numbers_to_codes(m->combination, n, codes);
        } else {
            hd_read_codes(&m->sources[0], base, n, codes);
        }
        hd_put_codes(codes, n, m->width, m->data, base);
    }
    explicit_bzero(codes, sizeof codes);
    explicit_bzero(scratch, sizeof scratch);
}

/* The block has become MOVING; comes and goes with the lock. */
static void move(hd_made *m, uint32_t block, void (*how)(const hd_made *m, uint32_t block),
                 uint8_t then)
{
    m->blocks[block].place = MOVING;
    pthread_mutex_unlock(&m->lock);
    how(m, block);
    pthread_mutex_lock(&m->lock);
    m->blocks[block].place = then;
    pthread_cond_broadcast(&m->moved);
}

void hd_made_enter(hd_made *m, uint32_t block)
{
    block_state *b = &m->blocks[block];
    pthread_mutex_lock(&m->lock);
    b->users++;
    while (b->place == MOVING)
        pthread_cond_wait(&m->moved, &m->lock);
    if (b->place == ABSENT)
        move(m, block, fill, THERE);
    pthread_mutex_unlock(&m->lock);
}

void hd_made_leave(hd_made *m, uint32_t block)
{
    block_state *b = &m->blocks[block];
    pthread_mutex_lock(&m->lock);
    if (--b->users == 0 && !m->stays)
        move(m, block, wipe, ABSENT);
    pthread_mutex_unlock(&m->lock);
}
