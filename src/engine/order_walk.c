/* order_walk.c - see order_walk.h.
 *
 * A number is person << 32 | day, days shifted so that they ascend as numbers do. To find where
 * many numbers stand among the events, both are walked side by side without a branch that could be
 * guessed wrong; numbers that go back a little, as the ends of stays do, are put right afterwards.
 * Records linked to nobody have no other records: NULL.
 */
#include "engine/order_walk.h"
#include "base/alloc.h"
#include "base/par.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#ifndef HD_ORDER_CHUNK_ROWS
#define HD_ORDER_CHUNK_ROWS HD_BLOCK_ROWS
#endif

enum {
    BATCH = 1024,
    CHUNK = HD_ORDER_CHUNK_ROWS, /* of rows; a divisor of the rows of a block */
    TASKS_A_THREAD = 8,
    SPARE = 16, /* room behind the events for what a vector writes too much */
    TRUE = 1
};
#define DAY_ZERO UINT32_C(0x80000000)
/* The loops over a batch become part of a function for each kind of processor: the same lines,
 * and the compiler's vectors. */
#define LOOP static inline __attribute__((always_inline))

/* The events of a chunk's people, between a number below all others and one above. */
typedef struct events {
    uint64_t *at;  /* n + 2 */
    uint32_t *row; /* the same: which row it is, from `first_row` on; of the same table only */
    uint64_t first_row;
    size_t n, cap;
} events;

/* What the chunks of a run share, one run a thread at a time. */
typedef struct run {
    const struct walking *all;
    events events;
    uint8_t *truth;          /* n_nodes x BATCH */
    uint8_t all_true[BATCH]; /* where every record is an event */
    int32_t day[BATCH];
    uint64_t number[BATCH];  /* what a row looks for */
    uint32_t first[BATCH], end[BATCH]; /* places among the events */
    uint32_t row[BATCH];     /* of the event that is at `first` */
    uint64_t event[BATCH];   /* that event */
    uint32_t value[BATCH];
    uint32_t most;
    uint32_t held;   /* the block of events that is entered; NO_BLOCK: none */
    uint32_t people; /* the last of the chunk before: all their events are there; 0: nobody's */
} run;
#define NO_BLOCK UINT32_MAX

struct loops {
    const char *name; /* of a kernel */
    void (*walk)(run *r, const loaded_column *days, uint64_t base, size_t n);
    /* How many of n rows are events: they come behind those that are there. */
    size_t (*take)(run *r, const loaded_column *days, const uint32_t *persons, uint64_t base,
                   size_t n, const uint8_t *truth);
    void (*put_in_order)(events *e);
};

typedef struct walking {
    const order_walk *w;
    const struct loops *loops;
    hd_feed *rows, *events;
    bool is_same_table;
    scan_blocks condition; /* feed NULL: every record is an event */
    uint64_t n_chunks;
    size_t n_runs;
    uint32_t *most; /* by run */
    hd_engine_progress *progress;
} walking;

static bool has_days(const order_walk *w)
{
    return w->kind != ORDER_EVENTS && w->kind != ORDER_NTH;
}

/* Days and what is added to them are small enough (ORDER_MOST_DAYS) to stay inside 32 bits. */
LOOP uint64_t number_of(uint32_t person, int32_t day, int32_t more)
{
    return (uint64_t)person << 32 | ((uint32_t)day + (uint32_t)more + DAY_ZERO);
}

/* The first of the rows first .. end whose person is not below `wanted`. */
static uint64_t first_of(const uint32_t *persons, uint64_t first, uint64_t end, uint64_t wanted)
{
    while (first < end) {
        uint64_t middle = first + (end - first) / 2;
        if (persons[middle] < wanted)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

/* The compiler makes vectors of a loop that looks something up only when it knows that what is
 * written is not looked up, and it believes that of parameters alone. */
LOOP void look_up_days(const int32_t *restrict of_code, size_t n, const uint32_t *restrict codes,
                       int32_t *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = of_code[codes[i]];
}

LOOP void look_up_rows(const uint32_t *restrict row, size_t n, const uint32_t *restrict place,
                       uint32_t *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = row[place[i]];
}

LOOP void look_up_events(const uint64_t *restrict at, size_t n, const uint32_t *restrict place,
                         uint64_t *restrict out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = at[place[i]];
}

#define COUNT_DAYS(type)                                                                           \
    LOOP void count_##type##_days(const type *restrict codes, size_t n, int32_t zero,              \
                                  int32_t *restrict out)                                           \
    {                                                                                              \
        for (size_t i = 0; i < n; i++)                                                             \
            out[i] = codes[i] ? zero + (int32_t)codes[i] : ORDER_NO_DAY;                           \
    }
COUNT_DAYS(uint8_t)
COUNT_DAYS(uint16_t)
COUNT_DAYS(uint32_t)

/* Days that follow each other need no table. */
LOOP void count_days(const loaded_column *c, uint64_t base, size_t n, int32_t zero, int32_t *out)
{
    if (c->width == 1)
        count_uint8_t_days((const uint8_t *)c->data + base, n, zero, out);
    else if (c->width == 2)
        count_uint16_t_days((const uint16_t *)c->data + base, n, zero, out);
    else
        count_uint32_t_days((const uint32_t *)c->data + base, n, zero, out);
}

LOOP void read_days(run *r, const order_days *d, const loaded_column *c, uint64_t base, size_t n)
{
    if (d->is_even && !d->operand.element) {
        count_days(c, base, n, d->of_code[1] - 1, r->day);
        return;
    }
    const hd_code_source s = {{.width = c->width, .data = c->data, .starts = c->starts},
                              d->operand.element};
    hd_read_codes(&s, base, n, r->value);
    look_up_days(d->of_code, n, r->value, r->day);
}

/* The column as it is in memory, whole or with the feed. */
static loaded_column column_of(const order_days *d, const hd_feed *feed)
{
    if (d->column.data)
        return d->column;
    const hd_column *c = hd_feed_column(feed, 0);
    return (loaded_column){.data = c->data, .width = c->width, .starts = c->starts};
}

/* ---- events ---------------------------------------------------------------------------------- */

static hd_code make_room(events *e, size_t more, hd_err *err)
{
    size_t need = e->n + more + 2 + SPARE;
    if (need <= e->cap)
        return HD_OK;
    need = need > 2 * e->cap ? need : 2 * e->cap;
    uint64_t *at = hd_calloc(need, sizeof *at);
    uint32_t *row = hd_calloc(need, sizeof *row);
    if (!at || !row) {
        hd_free(at);
        hd_free(row);
        return hd_fail_nomem(err);
    }
    if (e->at) {
        memcpy(at, e->at, (e->n + 1) * sizeof *at);
        memcpy(row, e->row, (e->n + 1) * sizeof *row);
    }
    hd_wipe_free(e->at, e->cap * sizeof *at);
    hd_wipe_free(e->row, e->cap * sizeof *row);
    e->at = at;
    e->row = row;
    e->cap = need;
    return HD_OK;
}

/* Where the rows are that look for others: as the events count them. */
LOOP uint32_t row_of(const run *r, uint64_t row)
{
    return (uint32_t)(row - r->events.first_row);
}

LOOP size_t take_plain(run *r, const uint32_t *persons, uint32_t first, size_t n,
                       const uint8_t *truth)
{
    uint64_t *restrict at = r->events.at + r->events.n + 1;
    uint32_t *restrict row = r->events.row + r->events.n + 1;
    size_t taken = 0;
    for (size_t i = 0; i < n; i++) {
        at[taken] = number_of(persons[i], r->day[i], 0);
        row[taken] = first + (uint32_t)i;
        taken += (truth[i] == TRUE) & (r->day[i] != ORDER_NO_DAY);
    }
    return taken;
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,bmi2,popcnt")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,bmi2,popcnt")))

/* Eight records at a time; what is written behind the last event counts for nothing. */
AVX512 static size_t take_avx512(run *r, const uint32_t *persons, uint32_t first, size_t n,
                                 const uint8_t *truth)
{
    uint64_t *at = r->events.at + r->events.n + 1;
    uint32_t *row = r->events.row + r->events.n + 1;
    const __m256i steps = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    size_t taken = 0;
    for (size_t i = 0; i < n; i += 8) {
        __mmask8 some = (__mmask8)(n - i >= 8 ? 0xFF : (1u << (n - i)) - 1);
        __m256i person = _mm256_maskz_loadu_epi32(some, persons + i);
        __m256i day = _mm256_maskz_loadu_epi32(some, r->day + i);
        __m128i is = _mm_maskz_loadu_epi8(some, truth + i);
        some &= (__mmask8)_mm_mask_cmpeq_epi8_mask(some, is, _mm_set1_epi8(TRUE));
        some &= _mm256_cmpneq_epi32_mask(day, _mm256_set1_epi32(ORDER_NO_DAY));
        __m256i low = _mm256_add_epi32(day, _mm256_set1_epi32(INT32_MIN));
        __m512i number = _mm512_or_si512(_mm512_slli_epi64(_mm512_cvtepu32_epi64(person), 32),
                                         _mm512_cvtepu32_epi64(low));
        __m256i place = _mm256_add_epi32(steps, _mm256_set1_epi32((int)(first + (uint32_t)i)));
        _mm512_storeu_si512(at + taken, _mm512_maskz_compress_epi64(some, number));
        _mm256_storeu_si256((__m256i *)(void *)(row + taken),
                            _mm256_maskz_compress_epi32(some, place));
        taken += (size_t)__builtin_popcount(some);
    }
    return taken;
}
#endif

/* The events among rows first .. end of a block that was entered. */
static hd_code take_rows(run *r, uint64_t first, uint64_t end, hd_err *err)
{
    const walking *a = r->all;
    const order_walk *w = a->w;
    events *e = &r->events;
    const uint32_t *persons = hd_feed_persons(a->events);
    const hd_k_question *q = w->condition ? &w->condition->q : NULL;
    loaded_column days = {0};
    HD_TRY(make_room(e, end - first, err));
    if (has_days(w))
        days = column_of(&w->event_days, a->events);
    for (uint64_t base = first; base < end; base += BATCH) {
        size_t n = end - base < BATCH ? end - base : BATCH;
        const uint8_t *truth = r->all_true;
        if (q) {
            hd_scan_truth(q, base, n, BATCH, r->truth);
            truth = r->truth + (size_t)q->where * BATCH;
        }
        e->n += a->loops->take(r, &days, persons + base, base, n, truth);
    }
    return HD_OK;
}

/* Never out of order between people. Equal ones stay as they lie. */
static void sort_some(events *e, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        uint64_t at = e->at[i];
        uint32_t row = e->row[i];
        size_t to = i;
        for (; e->at[to - 1] > at; to--) {
            e->at[to] = e->at[to - 1];
            e->row[to] = e->row[to - 1];
        }
        e->at[to] = at;
        e->row[to] = row;
    }
}

/* Nearly always so already, because records lie by the day on which they begin. */
LOOP void put_in_order(events *e)
{
    for (size_t first = 1, end; first <= e->n; first = end) {
        const uint64_t *at = e->at;
        uint64_t back = 0;
        end = first + BATCH < e->n + 1 ? first + BATCH : e->n + 1;
        for (size_t i = first; i < end; i++)
            back |= at[i] < at[i - 1];
        if (back)
            sort_some(e, first, end);
    }
}

/* The first block whose people reach `person`. */
static uint32_t first_block(const hd_table *t, uint32_t person)
{
    uint32_t low = 0, high = hd_table_n_blocks(t);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (hd_table_persons_block(t, middle).highest < person)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void leave_held(run *r)
{
    const walking *a = r->all;
    scan_blocks *condition = (scan_blocks *)(uintptr_t)&a->condition;
    if (r->held == NO_BLOCK)
        return;
    hd_feed_leave(a->events, r->held);
    if (condition->feed) {
        uint64_t first = (uint64_t)r->held * HD_BLOCK_ROWS;
        condition->view.leave(condition, first,
                              first + hd_table_persons_block(a->w->events, r->held).rows);
    }
    r->held = NO_BLOCK;
}

/* Chunks ascend, and the next one goes on in the block in which this one ends: it stays entered, so
 * that one that does not stay in memory is opened once. */
static hd_code hold(run *r, uint32_t block, bool *matters, hd_err *err)
{
    const walking *a = r->all;
    scan_blocks *condition = (scan_blocks *)(uintptr_t)&a->condition;
    uint64_t first = (uint64_t)block * HD_BLOCK_ROWS;
    uint64_t end = first + hd_table_persons_block(a->w->events, block).rows;
    *matters = true;
    if (r->held == block)
        return HD_OK;
    leave_held(r);
    if (condition->feed)
        HD_TRY(condition->view.enter(condition, first, end, matters, err));
    if (!*matters)
        return HD_OK;
    hd_code rc = hd_feed_enter(a->events, block, err);
    if (rc == HD_OK)
        r->held = block;
    else if (condition->feed)
        condition->view.leave(condition, first, end);
    return rc;
}

static hd_code take_block(run *r, uint32_t block, uint32_t lowest, uint32_t highest, hd_err *err)
{
    const walking *a = r->all;
    uint64_t first = (uint64_t)block * HD_BLOCK_ROWS;
    uint64_t end = first + hd_table_persons_block(a->w->events, block).rows;
    bool matters;
    HD_TRY(hold(r, block, &matters, err));
    if (!matters)
        return HD_OK;
    const uint32_t *persons = hd_feed_persons(a->events);
    uint64_t from = first_of(persons, first, end, lowest);
    return take_rows(r, from, first_of(persons, from, end, (uint64_t)highest + 1), err);
}

/* What is there already of the people from `lowest` on becomes the first of the events. True: all
 * events of that person. */
static bool carry(run *r, uint32_t lowest)
{
    events *e = &r->events;
    size_t first = e->n + 1;
    if (r->people != lowest || !e->at)
        return false;
    while (e->at[first - 1] >> 32 == lowest)
        first--;
    e->n = e->n + 1 - first;
    memmove(e->at + 1, e->at + first, e->n * sizeof *e->at);
    memmove(e->row + 1, e->row + first, e->n * sizeof *e->row);
    return true;
}

/* The events of the people lowest .. highest. */
static hd_code take_events(run *r, uint32_t lowest, uint32_t highest, hd_err *err)
{
    hd_table *t = r->all->w->events;
    events *e = &r->events;
    if (r->people == 0)
        e->first_row = (uint64_t)first_block(t, lowest) * HD_BLOCK_ROWS;
    uint64_t from = lowest;
    if (carry(r, lowest))
        from++;
    else
        e->n = 0;
    HD_TRY(make_room(e, 0, err));
    uint32_t n_blocks = hd_table_n_blocks(t);
    for (uint32_t block = from <= highest ? first_block(t, (uint32_t)from) : n_blocks;
         block < n_blocks && hd_table_persons_block(t, block).lowest <= highest; block++)
        HD_TRY(take_block(r, block, (uint32_t)from, highest, err));
    r->people = highest;
    e->at[0] = 0;
    e->row[0] = UINT32_MAX;
    e->at[e->n + 1] = UINT64_MAX;
    e->row[e->n + 1] = UINT32_MAX;
    if (has_days(r->all->w))
        r->all->loops->put_in_order(e);
    return HD_OK;
}

/* ---- places ---------------------------------------------------------------------------------- */

/* One walk side by side: number[i] .. number[end - 1], and the events from `at` on. */
typedef struct pace {
    size_t i, end, at;
} pace;

/* Either an event is passed or a number has found its place; a number below an earlier one finds
 * that one's, because no event comes back. */
static inline void step(const uint64_t *event, const uint64_t *number, uint32_t *out, pace *p)
{
    bool is_below = event[p->at] < number[p->i];
    out[p->i] = (uint32_t)p->at;
    p->at += is_below;
    p->i += !is_below;
}

enum { PACES = 4 };

/* Each walk begins at the first event that is not below its first number. They look for it
 * together, without a branch that could be guessed wrong. */
static void find_starts(const events *e, const uint64_t *number, pace p[PACES])
{
    for (size_t left = e->n, half; left > 0; left -= half) {
        half = (left + 1) / 2;
        for (size_t k = 0; k < PACES; k++)
            p[k].at += half & -(size_t)(e->at[p[k].at + half - 1] < number[p[k].i]);
    }
}

/* out[i] is the first event that is not below number[i] > 0, if the numbers ascend. Each step of a
 * walk waits for the one before, so four go side by side. */
static void find_places(const events *e, const uint64_t *number, size_t n, uint32_t *out)
{
    const uint64_t *event = e->at;
    pace p[PACES];
    size_t left = n / PACES;
    for (size_t k = 0; k < PACES; k++)
        p[k] = (pace){n * k / PACES, n * (k + 1) / PACES, 1};
    find_starts(e, number, p);
    while (left > 0) { /* so many steps leave nobody without a number */
        pace a = p[0], b = p[1], c = p[2], d = p[3];
        for (size_t s = 0; s < left; s++) {
            step(event, number, out, &a);
            step(event, number, out, &b);
            step(event, number, out, &c);
            step(event, number, out, &d);
        }
        p[0] = a, p[1] = b, p[2] = c, p[3] = d;
        for (size_t k = 0; k < PACES; k++)
            left = p[k].end - p[k].i < left ? p[k].end - p[k].i : left;
    }
    for (size_t k = 0; k < PACES; k++)
        while (p[k].i < p[k].end)
            step(event, number, out, &p[k]);
}

/* The numbers that go back. Most do not, which a look at a few of them at once tells. */
LOOP void put_right(const events *e, const uint64_t *number, size_t n, uint32_t *out)
{
    enum { LOOK = 32 };
    const uint64_t *event = e->at;
    uint64_t most = 0;
    for (size_t from = 0; from < n; from += LOOK) {
        const size_t end = n - from < LOOK ? n : from + LOOK;
        uint64_t back = number[from] < most;
        for (size_t i = from + 1; i < end; i++)
            back |= number[i] < number[i - 1];
        if (!back)
            most = number[end - 1];
        for (size_t i = from; i < end && back; i++) {
            most = number[i] > most ? number[i] : most;
            while (number[i] < most && event[out[i] - 1] >= number[i])
                out[i]--;
        }
    }
}

LOOP void look_for(run *r, const uint32_t *persons, size_t n, int32_t days, uint32_t *out)
{
    for (size_t i = 0; i < n; i++)
        r->number[i] = number_of(persons[i], r->day[i], days);
    find_places(&r->events, r->number, n, out);
    put_right(&r->events, r->number, n, out);
}

/* ---- values: persons, days and rows of one batch ---------------------------------------------- */

/* A record is never its own next or previous event: where it is found itself, the one `step` further
 * counts. */
LOOP void pass_self(run *r, uint64_t base, size_t n, uint32_t step)
{
    const uint32_t own = row_of(r, base);
    if (!r->all->is_same_table)
        return;
    look_up_rows(r->events.row, n, r->first, r->row);
    for (uint32_t i = 0; i < n; i++)
        r->first[i] += r->row[i] == own + i ? step : 0;
}

LOOP void next(run *r, const uint32_t *restrict persons, uint64_t base, size_t n)
{
    look_for(r, persons, n, 0, r->first);
    pass_self(r, base, n, 1);
    look_up_events(r->events.at, n, r->first, r->event);
    for (size_t i = 0; i < n; i++) {
        uint32_t days = (uint32_t)r->event[i] - (uint32_t)r->number[i] + 1;
        r->value[i] = (uint32_t)(r->event[i] >> 32) == persons[i] ? days : 0;
    }
}

LOOP void previous(run *r, const uint32_t *restrict persons, uint64_t base, size_t n)
{
    look_for(r, persons, n, 1, r->first);
    for (size_t i = 0; i < n; i++)
        r->first[i]--;
    pass_self(r, base, n, UINT32_MAX);
    look_up_events(r->events.at, n, r->first, r->event);
    for (size_t i = 0; i < n; i++) { /* the number is that of the day after */
        uint32_t days = (uint32_t)r->number[i] - (uint32_t)r->event[i];
        r->value[i] = (uint32_t)(r->event[i] >> 32) == persons[i] ? days : 0;
    }
}

LOOP void within(run *r, const uint32_t *restrict persons, uint64_t base, size_t n)
{
    const order_walk *w = r->all->w;
    bool is_next = w->kind == ORDER_NEXT_WITHIN;
    int32_t low = is_next ? w->low : -w->high, high = is_next ? w->high : -w->low;
    look_for(r, persons, n, low, r->first);
    pass_self(r, base, n, 1);
    look_up_events(r->events.at, n, r->first, r->event);
    high = low <= high ? high : low - 1;
    for (size_t i = 0; i < n; i++)
        r->value[i] = 1u + (r->event[i] <= number_of(persons[i], r->day[i], high));
}

LOOP void how_many(run *r, const uint32_t *persons, size_t n)
{
    const order_walk *w = r->all->w;
    bool all = w->kind == ORDER_EVENTS;
    memset(r->end, 0, n * sizeof *r->end);
    if (all || w->low <= w->high) {
        look_for(r, persons, n, all ? -1 : w->low, r->first);
        look_for(r, persons, n, all ? 1 : w->high + 1, r->end);
    } else {
        memset(r->first, 0, n * sizeof *r->first);
    }
    for (size_t i = 0; i < n; i++)
        r->value[i] = r->end[i] - r->first[i] + 1;
}

/* Events of the person up to this row. */
static void nth(run *r, const uint32_t *persons, uint64_t base, size_t n)
{
    const events *e = &r->events;
    memset(r->day, 0, n * sizeof *r->day);
    look_for(r, persons, n, -1, r->first); /* the person's first */
    size_t at = r->first[0];
    for (size_t i = 0; i < n; i++) {
        at = at > r->first[i] ? at : r->first[i];
        while (e->row[at] <= row_of(r, base + i) && e->at[at] >> 32 == persons[i])
            at++;
        r->value[i] = (uint32_t)(at - r->first[i]) + 1;
    }
}

LOOP void put(run *r, uint64_t base, size_t n)
{
    const order_walk *w = r->all->w;
    uint32_t most = r->most;
    for (size_t i = 0; i < n; i++)
        most = r->value[i] > most ? r->value[i] : most;
    r->most = most;
    hd_put_codes(r->value, n, w->width, w->out, base);
}

LOOP void walk_batch(run *r, const loaded_column *days, uint64_t base, size_t n)
{
    const walking *a = r->all;
    const order_walk *w = a->w;
    const uint32_t *persons = hd_feed_persons(a->rows) + base;
    if (days->data)
        read_days(r, &w->from, days, base, n);
    else
        memset(r->day, 0, n * sizeof *r->day);
    if (w->kind == ORDER_NEXT)
        next(r, persons, base, n);
    else if (w->kind == ORDER_PREVIOUS)
        previous(r, persons, base, n);
    else if (w->kind == ORDER_NEXT_WITHIN || w->kind == ORDER_PREVIOUS_WITHIN)
        within(r, persons, base, n);
    else if (w->kind == ORDER_NTH)
        nth(r, persons, base, n);
    else
        how_many(r, persons, n);
    if (days->data)
        for (size_t i = 0; i < n; i++)
            r->value[i] &= r->day[i] == ORDER_NO_DAY ? 0 : UINT32_MAX;
    put(r, base, n);
}

LOOP void days_of_events(run *r, const loaded_column *days, uint64_t base, size_t n)
{
    if (days->data)
        read_days(r, &r->all->w->event_days, days, base, n);
    else
        memset(r->day, 0, n * sizeof *r->day);
}

/* ---- for this processor ---------------------------------------------------------------------- */

#define LOOPS(name, attribute, take_some)                                                          \
    attribute static void walk_##name(run *r, const loaded_column *days, uint64_t base, size_t n)  \
    {                                                                                              \
        walk_batch(r, days, base, n);                                                              \
    }                                                                                              \
    attribute static size_t take_##name##_days(run *r, const loaded_column *days,                  \
                                               const uint32_t *persons, uint64_t base, size_t n,   \
                                               const uint8_t *truth)                               \
    {                                                                                              \
        days_of_events(r, days, base, n);                                                          \
        return take_some(r, persons, row_of(r, base), n, truth);                                   \
    }                                                                                              \
    attribute static void put_##name##_in_order(events *e)                                         \
    {                                                                                              \
        put_in_order(e);                                                                           \
    }                                                                                              \
    static const struct loops name = {#name, walk_##name, take_##name##_days,                      \
                                      put_##name##_in_order};

LOOPS(portable, , take_plain)
#if defined(__x86_64__)
LOOPS(avx2, AVX2, take_plain)
LOOPS(avx512, AVX512, take_avx512)
#endif

/* Those that the kernel of this machine, or of HDIS_KERNEL, is named after. */
static hd_code pick_loops(const struct loops **out, hd_err *err)
{
    const hd_kernel *kernel;
    HD_TRY(hd_kernel_pick(&kernel, err));
    *out = &portable;
#if defined(__x86_64__)
    static const struct loops *const vectors[] = {&avx2, &avx512};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        if (strcmp(kernel->name, vectors[i]->name) == 0)
            *out = vectors[i];
#endif
    return HD_OK;
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static hd_code walk_chunk(run *r, uint64_t first, uint64_t end, hd_err *err)
{
    const walking *a = r->all;
    uint32_t block = (uint32_t)(first / HD_BLOCK_ROWS);
    loaded_column days = {0};
    HD_TRY(hd_engine_go_on(a->w->engine, err));
    HD_TRY(hd_feed_enter(a->rows, block, err));
    const uint32_t *persons = hd_feed_persons(a->rows);
    uint64_t linked = first_of(persons, first, end, 1);
    hd_code rc = HD_OK;
    if (a->w->from.of_code)
        days = column_of(&a->w->from, a->rows);
    if (linked < end)
        rc = take_events(r, persons[linked], persons[end - 1], err);
    for (uint64_t base = linked; base < end && rc == HD_OK; base += BATCH)
        a->loops->walk(r, &days, base, end - base < BATCH ? end - base : BATCH);
    hd_feed_leave(a->rows, block);
    if (a->progress)
        atomic_fetch_add_explicit(&a->progress->rows_done, end - first, memory_order_relaxed);
    return rc;
}

/* Long runs first, so that opening where they meet twice costs little, and short ones in the end,
 * so that no thread waits long for another. */
static uint64_t first_chunk(const walking *a, size_t number)
{
    const uint64_t left = a->n_runs - number, all = a->n_runs;
    return a->n_chunks - a->n_chunks * left * left / (all * all);
}

static hd_code walk_run(void *ctx, size_t number, hd_err *err)
{
    const walking *a = ctx;
    uint64_t n_rows = hd_table_rows(a->w->rows), chunk = first_chunk(a, number);
    size_t truth_bytes = a->w->condition ? a->w->condition->q.n_nodes * BATCH : 0;
    hd_code rc = HD_OK;
    run *r = hd_calloc(1, sizeof *r);
    uint8_t *truth = hd_malloc(truth_bytes);
    if (!r || !truth)
        HD_GO(hd_fail_nomem(err));
    r->all = a;
    r->truth = truth;
    r->held = NO_BLOCK;
    memset(r->all_true, TRUE, sizeof r->all_true);
    for (const uint64_t end_chunk = first_chunk(a, number + 1); chunk < end_chunk; chunk++) {
        uint64_t first = chunk * CHUNK, end = first + CHUNK < n_rows ? first + CHUNK : n_rows;
        HD_GO(walk_chunk(r, first, end, err));
    }
    a->most[number] = r->most;
out:
    if (r) {
        leave_held(r);
        hd_wipe_free(r->events.at, r->events.cap * sizeof *r->events.at);
        hd_wipe_free(r->events.row, r->events.cap * sizeof *r->events.row);
    }
    hd_wipe_free(r, sizeof *r);
    hd_wipe_free(truth, truth_bytes);
    return rc;
}

/* ---- the whole -------------------------------------------------------------------------------- */

/* Persons and, where it comes block by block, the column of days. */
static hd_code open_feed(const order_walk *w, hd_table *t, const order_days *d, bool must_stream,
                         hd_feed **out, hd_err *err)
{
    const hd_feed_wish wish = {.columns = &d->operand.column,
                               .n_columns = d->of_code && !d->column.data,
                               .persons = true,
                               .may_stream = true,
                               .must_stream = must_stream || w->engine->limits.always_streams,
                               .spare = w->engine->limits.memory_bytes / 4};
    return hd_feed_open(out, t, &wish, err);
}

static void close_feeds(walking *a)
{
    hd_feed_close(a->events);
    hd_feed_close(a->rows);
    hd_blocks_close(&a->condition);
    a->events = a->rows = NULL;
}

static hd_code open_feeds(walking *a, const order_walk *w, bool must_stream, hd_err *err)
{
    if (w->condition) {
        HD_TRY(hd_blocks_open_part(&a->condition, w->condition, w->events, must_stream, err));
        HD_TRY(hd_scan_plan_bind(w->condition, w->events, &a->condition, err));
    }
    HD_TRY(open_feed(w, w->rows, &w->from, must_stream, &a->rows, err));
    return open_feed(w, w->events, &w->event_days, must_stream, &a->events, err);
}

static bool streams(const walking *a)
{
    return hd_feed_streams(a->rows) || hd_feed_streams(a->events);
}

/* Where there is no room for all columns, all go by: one that stayed would soon have to make room
 * for those of the scan that comes after. */
static hd_code open_all(walking *a, hd_err *err)
{
    hd_code rc = open_feeds(a, a->w, false, err);
    if (rc == HD_LIMIT || (rc == HD_OK && streams(a))) {
        close_feeds(a);
        rc = open_feeds(a, a->w, true, err);
    }
    return rc;
}

hd_code hd_order_walk(order_walk *w, uint32_t *most, hd_err *err)
{
    uint64_t n_rows = hd_table_rows(w->rows);
    walking a = {.w = w,
                 .is_same_table = w->rows == w->events,
                 .n_chunks = (n_rows + CHUNK - 1) / CHUNK,
                 .n_runs = (size_t)TASKS_A_THREAD * hd_par_threads(),
                 .progress = w->engine->limits.progress};
    hd_code rc;
    *most = 0;
    a.most = hd_calloc(a.n_runs, sizeof *a.most);
    HD_GO(a.most ? HD_OK : hd_fail_nomem(err));
    HD_GO(pick_loops(&a.loops, err));
    HD_GO(open_all(&a, err));
    w->has_streamed = streams(&a);
    if (a.progress) {
        atomic_store(&a.progress->rows_done, 0);
        atomic_store(&a.progress->rows, n_rows);
    }
    HD_GO(hd_par_run(a.n_runs, walk_run, &a, err));
    for (size_t i = 0; i < a.n_runs; i++)
        *most = a.most[i] > *most ? a.most[i] : *most;
out:
    close_feeds(&a);
    hd_free(a.most);
    return rc;
}
