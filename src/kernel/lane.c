/* lane.c - see lane.h. */
#include "kernel/lane.h"
#include "base/alloc.h"
#include "base/sort.h"

#include <string.h>

hd_code hd_k_lane_take(hd_k_lane *lane, uint64_t bytes, hd_err *err)
{
    if (bytes > lane->max_bytes - lane->bytes)
        return hd_k_fail_limit(lane->plan->q, err);
    lane->bytes += bytes;
    return HD_OK;
}

/* Zeroed growth of one array; takes the added bytes from the lane's share. */
static hd_code grow_array(hd_k_lane *lane, void **array, size_t old, size_t next, size_t item,
                          hd_err *err)
{
    HD_TRY(hd_k_lane_take(lane, (uint64_t)(next - old) * item, err));
    void *p = hd_realloc_n(*array, next, item);
    if (!p)
        return hd_fail_nomem(err);
    memset((char *)p + old * item, 0, (next - old) * item);
    *array = p;
    return HD_OK;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static hd_code add_room(hd_k_lane *lane, size_t bytes, hd_err *err)
{
    hd_k_room *room = hd_calloc(1, sizeof *room);
    if (!room)
        return hd_fail_nomem(err);
    bool is_long = lane->plan->q->n_rows / lane->plan->n_lanes >= lane->plan->tuning.long_rows;
    room->size = is_long ? (bytes + HD_HUGE_PAGE - 1) / HD_HUGE_PAGE * HD_HUGE_PAGE : bytes;
    room->memory = is_long ? hd_huge_alloc(room->size) : hd_malloc(room->size);
    room->next = lane->rooms;
    lane->rooms = room;
    return room->memory ? HD_OK : hd_fail_nomem(err);
}

static void close_rooms(hd_k_lane *lane)
{
    while (lane->rooms) {
        hd_k_room *room = lane->rooms;
        lane->rooms = room->next;
        hd_free(room->memory);
        hd_free(room);
    }
}

static hd_code cut_part(hd_k_lane *lane, size_t bytes, void **out, hd_err *err)
{
    enum { LINE = 64 };
    size_t size = (bytes + LINE - 1) / LINE * LINE + LINE; /* memory need not begin on a line */
    HD_TRY(hd_k_lane_take(lane, size, err));
    hd_k_room *room = lane->rooms;
    while (room && room->size - room->used < size)
        room = room->next;
    if (!room) {
        HD_TRY(add_room(lane, size, err));
        room = lane->rooms;
    }
    char *at = room->memory + room->used;
    *out = at + (LINE - (uintptr_t)at % LINE) % LINE;
    memset(*out, 0, bytes);
    room->used += size;
    return HD_OK;
}

hd_code hd_k_lane_parts(hd_k_lane *lane, const hd_k_part *parts, size_t n_parts, hd_err *err)
{
    for (size_t i = 0; i < n_parts; i++) {
        void *at;
        HD_TRY(cut_part(lane, parts[i].n * parts[i].item, &at, err));
        memcpy(parts[i].to, &at, sizeof at); /* every part is a pointer to an object */
    }
    return HD_OK;
}

/* ---- cells ----------------------------------------------------------------------------------- */

/* Multiply and fold: neighbouring keys, the usual case, must not collide. */
static size_t hash(uint64_t key)
{
    unsigned __int128 x =
        (unsigned __int128)(key ^ UINT64_C(0x9E3779B97F4A7C15)) * UINT64_C(0xD1342543DE82EF95);
    return (size_t)((uint64_t)x ^ (uint64_t)(x >> 64));
}

static hd_code map_grow(hd_k_lane *lane, hd_k_map *map, hd_err *err)
{
    enum { AHEAD = 16 };
    size_t next = map->cap ? map->cap * 2 : 64;
    if (next > UINT64_C(1) << 31)
        return hd_fail(err, HD_LIMIT,
                       "the question has more than 2^31 cells: ask for fewer groups");
    HD_TRY(hd_k_lane_take(lane, (next - map->cap) * 2 * sizeof *map->slots, err));
    uint32_t *slots = hd_calloc(next * 2, sizeof *slots);
    if (!slots)
        return hd_fail_nomem(err);
    hd_free(map->slots);
    map->slots = slots;
    for (size_t i = 0; i < map->n; i++) {
        size_t h = hash(map->keys[i]) & (next * 2 - 1);
        if (i + AHEAD < map->n)
            __builtin_prefetch(&slots[hash(map->keys[i + AHEAD]) & (next * 2 - 1)], 1);
        while (slots[h])
            h = (h + 1) & (next * 2 - 1);
        slots[h] = (uint32_t)i + 1;
    }
    void *keys = map->keys;
    hd_code rc = grow_array(lane, &keys, map->cap, next, sizeof *map->keys, err);
    map->keys = keys;
    if (rc == HD_OK)
        map->cap = next;
    return rc;
}

/* Number of the key, which is map->n - 1 afterwards when it is new. The map has room for it. */
static uint32_t map_number(hd_k_map *map, uint64_t key)
{
    size_t mask = map->cap * 2 - 1;
    size_t h = hash(key) & mask;
    for (; map->slots[h]; h = (h + 1) & mask)
        if (map->keys[map->slots[h] - 1] == key)
            return map->slots[h] - 1;
    map->keys[map->n] = key;
    map->slots[h] = (uint32_t)++map->n;
    return (uint32_t)map->n - 1;
}

/* Bring what map_number(keys[i]) will look at: first its slot, later the key that the slot names. */
static inline void map_bring(const hd_k_map *map, const uint64_t *keys, size_t i, size_t n)
{
    enum { FAR = 24, NEAR = 10 };
    size_t mask = map->cap * 2 - 1;
    if (i + FAR < n)
        __builtin_prefetch(&map->slots[hash(keys[i + FAR]) & mask]);
    uint32_t slot = i + NEAR < n ? map->slots[hash(keys[i + NEAR]) & mask] : 0;
    if (slot)
        __builtin_prefetch(&map->keys[slot - 1]);
}

static void map_free(hd_k_map *map)
{
    hd_free(map->keys);
    hd_free(map->slots);
}

static hd_code grow_cells(hd_k_lane *lane, size_t set, size_t next, hd_err *err)
{
    hd_k_table *t = &lane->tables[set];
    const size_t *items = lane->plan->sets[set].items;
    for (size_t a = 0; a < lane->plan->n_arrays; a++)
        if (items[a])
            HD_TRY(grow_array(lane, &t->arrays[a], t->cap, next, items[a], err));
    t->cap = next;
    return HD_OK;
}

static hd_code open_cells(hd_k_lane *lane, size_t set, hd_err *err)
{
    hd_k_table *t = &lane->tables[set];
    const hd_k_set_plan *s = &lane->plan->sets[set];
    for (size_t a = 0; a < lane->plan->n_arrays; a++) {
        const hd_k_part part = {&t->arrays[a], s->product, s->items[a]};
        if (s->items[a])
            HD_TRY(hd_k_lane_parts(lane, &part, 1, err));
    }
    t->n_cells = s->product;
    return HD_OK;
}

/* ---- the lane -------------------------------------------------------------------------------- */

static void leave_rows(hd_k_lane *lane)
{
    const hd_k_feed *f = lane->plan->q->feed;
    if (lane->has_entered)
        f->leave(f->ctx, lane->first, lane->end);
    lane->has_entered = false;
}

static bool next_piece(hd_k_lane *lane)
{
    size_t piece = lane->next_piece ? atomic_fetch_add(lane->next_piece, 1) : lane->number;
    if (lane->is_done || piece >= lane->plan->n_pieces)
        return false;
    lane->is_done = !lane->next_piece;
    lane->end = lane->plan->piece_starts[piece];
    lane->piece_end = lane->plan->piece_starts[piece + 1];
    return true;
}

/* After blocks that were left out may come the rows of a person who began there. Pieces begin where a
 * person does, so only between whole blocks can somebody go on. */
static bool begins_anew(const hd_k_lane *lane)
{
    const hd_k_feed *f = lane->plan->q->feed;
    uint64_t end = lane->read_end;
    if (lane->first <= end || lane->first < lane->plan->n_unlinked)
        return false;
    if (!f || end == 0 || end % f->block_rows != 0 || lane->first % f->block_rows != 0)
        return true;
    return !f->is_same_person(f->ctx, end - 1, lane->first);
}

hd_code hd_k_lane_next(hd_k_lane *lane, bool *more, hd_err *err)
{
    const hd_k_feed *f = lane->plan->q->feed;
    leave_rows(lane);
    do {
        while (lane->end == lane->piece_end)
            if (!next_piece(lane)) {
                *more = false;
                return HD_OK;
            }
        lane->first = lane->end;
        lane->end = lane->piece_end;
        if (f && lane->end / f->block_rows > lane->first / f->block_rows)
            lane->end = (lane->first / f->block_rows + 1) * f->block_rows;
        if (f)
            HD_TRY(f->enter(f->ctx, lane->first, lane->end, &lane->has_entered, err));
    } while (f && !lane->has_entered);
    lane->begins_anew = !lane->plan->q->without_people && begins_anew(lane);
    lane->read_end = lane->end;
    *more = true;
    return HD_OK;
}

hd_code hd_k_lane_open(hd_k_lane *lane, const hd_k_plan *p, size_t number,
                       atomic_size_t *next_piece, hd_err *err)
{
    const hd_k_question *q = p->q;
    *lane = (hd_k_lane){.plan = p,
                        .number = number,
                        .next_piece = next_piece,
                        .max_bytes = q->max_bytes / p->n_lanes};
    lane->tables = hd_calloc(q->n_sets, sizeof *lane->tables);
    if (!lane->tables)
        return hd_fail_nomem(err);
    for (size_t s = 0; s < q->n_sets; s++) {
        hd_k_table *t = &lane->tables[s];
        t->arrays = hd_calloc(p->n_arrays, sizeof *t->arrays);
        t->pairs = hd_calloc(q->n_measures, sizeof *t->pairs);
        t->full = hd_calloc(p->n_arrays, sizeof *t->full);
        if (!t->arrays || !t->pairs || !t->full)
            return hd_fail_nomem(err);
        if (p->sets[s].dense)
            HD_TRY(open_cells(lane, s, err));
    }
    return HD_OK;
}

void hd_k_lane_close(hd_k_lane *lane)
{
    if (!lane->tables)
        return;
    leave_rows(lane);
    const hd_k_plan *p = lane->plan;
    for (size_t s = 0; s < p->q->n_sets; s++) {
        hd_k_table *t = &lane->tables[s];
        for (size_t a = 0; t->arrays && a < p->n_arrays && !p->sets[s].dense; a++)
            hd_free(t->arrays[a]);
        for (size_t m = 0; t->pairs && m < p->q->n_measures; m++)
            hd_free(t->pairs[m].items);
        for (size_t a = 0; t->full && a < p->n_arrays; a++)
            hd_free(t->full[a].at);
        map_free(&t->map);
        hd_free(t->arrays);
        hd_free(t->pairs);
        hd_free(t->full);
    }
    close_rooms(lane);
    hd_free(lane->tables);
    lane->tables = NULL;
}

hd_code hd_k_lane_cells(hd_k_lane *lane, size_t set, const uint64_t *keys, size_t n,
                        uint32_t *cells, hd_err *err)
{
    hd_k_table *t = &lane->tables[set];
    if (lane->plan->sets[set].dense) {
        for (size_t i = 0; i < n; i++)
            cells[i] = (uint32_t)keys[i];
        return HD_OK;
    }
    while (t->map.cap < t->map.n + n) /* room for all of them to be new */
        HD_TRY(map_grow(lane, &t->map, err));
    for (size_t i = 0; i < n; i++) {
        map_bring(&t->map, keys, i, n);
        cells[i] = i && keys[i] == keys[i - 1] ? cells[i - 1] : map_number(&t->map, keys[i]);
    }
    t->n_cells = t->map.n;
    while (t->cap < t->n_cells)
        HD_TRY(grow_cells(lane, set, t->cap ? t->cap * 2 : 64, err));
    return HD_OK;
}

hd_code hd_k_lane_full_room(hd_k_lane *lane, size_t set, size_t array, size_t n, hd_err *err)
{
    hd_k_full *f = &lane->tables[set].full[array];
    size_t next = f->cap;
    while (next < f->n + n)
        next = next ? next * 2 : 8192;
    if (next == f->cap)
        return HD_OK;
    void *at = f->at;
    hd_code rc = grow_array(lane, &at, f->cap, next, sizeof *f->at, err);
    f->at = at;
    if (rc == HD_OK)
        f->cap = next;
    return rc;
}

static inline bool count_byte(uint8_t *byte)
{
    if (__builtin_expect(++*byte != 0, 1))
        return false;
    *byte = 256 - HD_K_FULL_ROWS;
    return true;
}

/* Places come two in a load. */
static inline void ask_for_two(const uint8_t *bytes, const uint32_t *places)
{
    uint64_t two;
    memcpy(&two, places, sizeof two);
    __builtin_prefetch(&bytes[(uint32_t)two], 1);
    __builtin_prefetch(&bytes[two >> 32], 1);
}

static inline size_t count_two(uint8_t *bytes, const uint32_t *places, uint32_t *full, size_t n_full)
{
    uint64_t two;
    memcpy(&two, places, sizeof two);
    if (count_byte(&bytes[(uint32_t)two]))
        full[n_full++] = (uint32_t)two;
    if (count_byte(&bytes[two >> 32]))
        full[n_full++] = (uint32_t)(two >> 32);
    return n_full;
}

/* A function of its own: among others the compiler runs out of registers. The few instructions of its
 * last loop take a quarter longer when they cross the lines that the processor reads them in; four places at a
 * time, as in the first, took longer there. */
__attribute__((aligned(64)))
size_t hd_k_count_bytes(uint8_t *bytes, size_t size, const uint32_t *places, size_t n, uint32_t *full)
{
    enum { NEAR = 1 << 20, AHEAD = 48 };
    size_t n_full = 0, i = 0;
    for (; size > NEAR && i + AHEAD + 4 <= n; i += 4) {
        ask_for_two(bytes, places + i + AHEAD);
        ask_for_two(bytes, places + i + AHEAD + 2);
        n_full = count_two(bytes, places + i, full, n_full);
        n_full = count_two(bytes, places + i + 2, full, n_full);
    }
    for (; i < n; i++)
        if (count_byte(&bytes[places[i]]))
            full[n_full++] = places[i];
    return n_full;
}

hd_code hd_k_lane_count_runs(hd_k_lane *lane, size_t set, size_t array, const uint32_t *places,
                             const uint16_t *at, size_t n_runs, hd_err *err)
{
    enum { AHEAD = 48 };
    HD_TRY(hd_k_lane_full_room(lane, set, array, at[n_runs], err));
    hd_k_full *full = &lane->tables[set].full[array];
    uint8_t *restrict bytes = lane->tables[set].arrays[array];
    for (size_t k = 0; k < n_runs; k++) {
        __builtin_prefetch(&bytes[places[k + AHEAD < n_runs ? k + AHEAD : k]], 1);
        uint32_t rows = bytes[places[k]] + (uint32_t)(at[k + 1] - at[k]);
        for (; __builtin_expect(rows > 255, 0); rows -= HD_K_FULL_ROWS)
            full->at[full->n++] = places[k];
        bytes[places[k]] = (uint8_t)rows;
    }
    return HD_OK;
}

/* Rows of a class are those of its bins, added up over the ranks. */
static void add_up_bins(const hd_k_lane *lane, size_t set, size_t measure, uint32_t *restrict rows)
{
    const hd_k_plan *p = lane->plan;
    const size_t array = hd_k_array_values(p, measure);
    const hd_k_table *t = &lane->tables[set];
    const uint64_t product = p->sets[set].product;
    const uint8_t *restrict bins = t->arrays[array];
    for (size_t rank = 0; rank < p->q->measures[measure].n_ranks; rank++, bins += product)
        for (uint64_t cell = 0; cell < product; cell++)
            rows[cell] += bins[cell];
    for (size_t i = 0; i < t->full[array].n; i++)
        rows[t->full[array].at[i] % (uint32_t)product] += HD_K_FULL_ROWS;
}

/* rows NULL: they are known. */
static void unpack_sums(const hd_k_table *t, const hd_k_packing *k, int64_t *restrict sums,
                        uint32_t *restrict rows)
{
    for (size_t cell = 0; cell < t->n_cells; cell++) {
        uint64_t packed = (uint64_t)sums[cell];
        uint64_t n = packed >> k->shift;
        sums[cell] = (int64_t)(packed - (n << k->shift)) + k->low * (int64_t)n;
        if (rows)
            rows[cell] = (uint32_t)n;
    }
}

void hd_k_lane_finish(hd_k_lane *lane, size_t set, bool has_rows)
{
    const hd_k_plan *p = lane->plan;
    const hd_k_table *t = &lane->tables[set];
    for (size_t m = 0; m < p->q->n_measures; m++) {
        void *values = t->arrays[hd_k_array_values(p, m)];
        uint32_t class = p->class_of[m];
        bool tells = !has_rows && p->sets[set].rows_from[class] == m;
        uint32_t *rows = tells ? t->arrays[hd_k_array_rows(class)] : NULL;
        if (values && p->packings[m].shift)
            unpack_sums(t, &p->packings[m], values, rows);
        else if (rows)
            add_up_bins(lane, set, m, rows);
    }
}

static unsigned bits_below(uint64_t n) /* of numbers below n */
{
    return n > 1 ? 64 - (unsigned)__builtin_clzll(n - 1) : 0;
}

hd_k_pair_bits hd_k_lane_pair_bits(const hd_k_plan *p, size_t set, size_t measure)
{
    const hd_k_set_plan *s = &p->sets[set];
    uint64_t cells = s->dense || s->product < p->q->n_rows ? s->product : p->q->n_rows;
    unsigned rank = bits_below(p->q->measures[measure].n_ranks), rest = 64 - rank - bits_below(cells);
    return (hd_k_pair_bits){rank, rest < 32 ? rest : 32};
}

size_t hd_k_join_pairs(uint64_t *items, uint64_t *spare, size_t n, unsigned rows_bits)
{
    const uint64_t most = (UINT64_C(1) << rows_bits) - 1;
    size_t kept = 0;
    hd_sort_numbers(items, spare, n, rows_bits);
    for (size_t i = 0; i < n; i++) {
        uint64_t rows = items[i] & most;
        if (kept && items[kept - 1] >> rows_bits == items[i] >> rows_bits &&
            (items[kept - 1] & most) + rows <= most)
            items[kept - 1] += rows;
        else
            items[kept++] = items[i];
    }
    return kept;
}

static hd_code join_list(hd_k_lane *lane, hd_k_pairs *p, unsigned rows_bits, hd_err *err)
{
    const size_t bytes = p->n * sizeof *p->items;
    HD_TRY(hd_k_lane_take(lane, bytes, err));
    uint64_t *spare = hd_malloc(bytes);
    if (!spare)
        return hd_fail_nomem(err);
    p->n = hd_k_join_pairs(p->items, spare, p->n, rows_bits);
    lane->bytes -= bytes;
    hd_free(spare);
    return HD_OK;
}

hd_code hd_k_lane_pair_room(hd_k_lane *lane, size_t set, size_t measure, size_t n, hd_err *err)
{
    enum { LEAST = 1 << 13, SHORT = 1 << 15 };
    hd_k_pairs *p = &lane->tables[set].pairs[measure];
    if (p->cap - p->n >= n)
        return HD_OK;
    unsigned rows_bits = hd_k_lane_pair_bits(lane->plan, set, measure).rows;
    if (rows_bits == 0)
        return hd_k_fail_limit(lane->plan->q, err);
    if (p->n >= SHORT)
        HD_TRY(join_list(lane, p, rows_bits, err));
    if (p->n + n <= p->cap / 2)
        return HD_OK;
    size_t next = p->cap ? p->cap * 2 : LEAST; /* a batch fits the half */
    void *items = p->items;
    hd_code rc = grow_array(lane, &items, p->cap, next, sizeof *p->items, err);
    p->items = items;
    if (rc == HD_OK)
        p->cap = next;
    return rc;
}
