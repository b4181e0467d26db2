/* overlaps.c - see overlaps.h. A row of the elimination is two planes of bits: the lanes of the
 * chosen buckets, then how the row is made of the sets, all modulo 4, so that adding rows is a
 * few operations for 64 of them. */
#include "disclosure/overlaps.h"

#include "base/alloc.h"
#include "base/intern.h"
#include "base/rng.h"
#include "base/vectors.h"

#include <stdlib.h>
#include <string.h>

enum {
    LANES = 16, /* of a bucket */
    LANE_WORDS = HD_SET_PLANE,
    MADE_WORDS = HD_OVERLAP_SETS / 64,
    ROW_WORDS = LANE_WORDS + MADE_WORDS,
    LEAST_DRAWS = 24, /* and four more for each set */
    MOST_DRAWS = 240,
    SHUFFLES = 160,
    MOST_TWOS = 6,
    NAME_BITS = 48,
    SPARE_LANES = 16, /* so many more than sets, and the sums are few that hold by chance */
    MOST_STEPPED = 8, /* sums of a draw that are made smaller */
    TIMES = 16 /* of a few people beyond what 4 can tell */
};

typedef struct row {
    uint64_t low[ROW_WORDS], high[ROW_WORDS];
} row;

typedef struct elimination {
    row *pivots, *evens, *zeros; /* n each at most */
    uint32_t *lane_of;   /* of a pivot: it has 1 there, later ones 0 */
    size_t n_pivots, n_evens, n_zeros, words; /* words of lanes */
} elimination;

typedef struct search {
    const hd_set *const *sets;
    size_t n, n_first;
    unsigned limit;
    bool (*few_named)(void *ctx, const uint64_t name[2]);
    hd_take_overlap take;
    void *ctx;
    row *lanes; /* of every set, all buckets; made_of is empty */
    uint64_t (*low_pivots)[LANE_WORDS]; /* n */
    elimination e;
    uint32_t *chosen; /* n: sets in this elimination, by place */
    size_t n_chosen;
    bool *depends; /* n: cancels out with others, says the first elimination */
    uint32_t *group; /* n: another set of its group, or itself; sets of one sum are in one group */
    bool *is_in_sum, *is_kept; /* n: while the sets are narrowed down */
    bool is_first;
    const atomic_bool *stop;
    hd_intern *told;
} search;

/* ---- arithmetic modulo 4 --------------------------------------------------------------------- */

static inline void add_words(row *restrict a, const row *restrict b, unsigned factor, size_t from,
                             size_t to)
{
    uint64_t is_odd = -(uint64_t)(factor & 1), is_over_1 = -(uint64_t)(factor >> 1);
    for (size_t i = from; i < to; i++) {
        uint64_t low = b->low[i] & is_odd; /* of factor * b: twice b has b's low bit high */
        uint64_t high = (b->high[i] & is_odd) ^ (b->low[i] & is_over_1);
        a->high[i] ^= high ^ (a->low[i] & low);
        a->low[i] ^= low;
    }
}

/* a += factor * b; a fixed number of words is a few vectors without a loop */
HD_VECTORS static void add_row(row *restrict a, const row *restrict b, unsigned factor)
{
    add_words(a, b, factor, 0, ROW_WORDS);
}

/* One bucket of a set to a place of its own. */
static void copy_bucket(row *to, size_t at, const row *from, size_t bucket)
{
    unsigned left = at % 4 * LANES, right = bucket % 4 * LANES;
    to->low[at / 4] |= (from->low[bucket / 4] >> right & 0xFFFF) << left;
    to->high[at / 4] |= (from->high[bucket / 4] >> right & 0xFFFF) << left;
}

static unsigned digit(const row *r, size_t at)
{
    uint64_t low = r->low[at / 64] >> at % 64 & 1, high = r->high[at / 64] >> at % 64 & 1;
    return (unsigned)(low | high << 1);
}

static size_t first_bit(const uint64_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (words[i])
            return i * 64 + (size_t)__builtin_ctzll(words[i]);
    return n * 64;
}

/* ---- elimination ----------------------------------------------------------------------------- */

static void reduce(const elimination *e, row *v)
{
    for (size_t i = 0; i < e->n_pivots; i++) {
        unsigned k = digit(v, e->lane_of[i]);
        if (k)
            add_row(v, &e->pivots[i], 4 - k);
    }
}

/* What to do with a row that is 0 on the buckets of an elimination: how it is made is a sum. */
typedef hd_code (*take_sum)(search *s, const row *v, hd_err *err);

/* Chosen sets one after the other: a new pivot, or 0: that is a sum, or twice something: looked
 * at again at the end, when all pivots are there. */
static hd_code eliminate(search *s, const uint8_t *buckets, size_t n_buckets, take_sum take,
                         hd_err *err)
{
    elimination *e = &s->e;
    if (s->stop && atomic_load_explicit(s->stop, memory_order_relaxed))
        return hd_fail(err, HD_CANCELLED, "the question was stopped");
    e->n_pivots = e->n_evens = 0;
    e->words = (n_buckets + 3) / 4;
    for (size_t i = 0; i < s->n_chosen; i++) {
        row v = {.low = {0}};
        size_t made = LANE_WORDS * 64 + i;
        for (size_t b = 0; b < n_buckets; b++)
            copy_bucket(&v, b, &s->lanes[s->chosen[i]], buckets[b]);
        v.low[made / 64] |= UINT64_C(1) << made % 64;
        reduce(e, &v);
        size_t lane = first_bit(v.low, e->words);
        if (lane < e->words * 64) {
            row *p = &e->pivots[e->n_pivots];
            *p = v;
            if (digit(p, lane) == 3)
                add_row(p, &v, 2); /* times 3 */
            e->lane_of[e->n_pivots++] = (uint32_t)lane;
        } else if (first_bit(v.high, e->words) < e->words * 64) {
            e->evens[e->n_evens++] = v;
        } else {
            HD_TRY(take(s, &v, err));
        }
    }
    size_t n = 0;
    for (size_t i = 0; i < e->n_evens; i++) {
        row v = e->evens[i];
        reduce(e, &v);
        for (size_t k = 0; k < n; k++)
            if (digit(&v, first_bit(e->evens[k].high, e->words)))
                add_row(&v, &e->evens[k], 3);
        if (first_bit(v.high, e->words) < e->words * 64)
            e->evens[n++] = v;
        else
            HD_TRY(take(s, &v, err));
    }
    e->n_evens = n;
    return HD_OK;
}

/* Whether the lower bits of the chosen sets are independent on these buckets: then no sum is 0
 * there, modulo 4 neither, for half of a sum of twos would be one. Costs a tenth of an
 * elimination. */
static bool is_independent(search *s, const uint8_t *buckets, size_t n_buckets)
{
    size_t words = (n_buckets + 3) / 4;
    uint64_t (*pivots)[LANE_WORDS] = s->low_pivots;
    for (size_t i = 0; i < s->n_chosen; i++) {
        const uint64_t *from = s->lanes[s->chosen[i]].low;
        uint64_t v[LANE_WORDS] = {0};
        for (size_t b = 0; b < n_buckets; b++)
            v[b / 4] |= (from[buckets[b] / 4] >> buckets[b] % 4 * LANES & 0xFFFF) << b % 4 * LANES;
        for (size_t k = 0; k < i; k++) {
            uint64_t takes = -(v[s->e.lane_of[k] / 64] >> s->e.lane_of[k] % 64 & 1);
            for (size_t w = 0; w < words; w++)
                v[w] ^= pivots[k][w] & takes;
        }
        size_t lane = first_bit(v, words);
        if (lane == words * 64)
            return false;
        memcpy(pivots[i], v, sizeof v);
        s->e.lane_of[i] = (uint32_t)lane;
    }
    return true;
}

/* ---- which sets can be in one sum ------------------------------------------------------------ */

static uint32_t group_of(search *s, uint32_t item)
{
    while (s->group[item] != item)
        item = s->group[item] = s->group[s->group[item]];
    return item;
}

static hd_code connect(search *s, const row *v, hd_err *err)
{
    uint32_t first = UINT32_MAX;
    (void)err;
    for (size_t i = 0; i < s->n_chosen; i++) {
        if (!digit(v, LANE_WORDS * 64 + i))
            continue;
        uint32_t item = group_of(s, s->chosen[i]);
        if (first == UINT32_MAX)
            first = item;
        s->group[item] = first;
    }
    return HD_OK;
}

/* Twice a row that is even is 0, too, and can be part of any sum. */
static hd_code connect_evens(search *s, hd_err *err)
{
    for (size_t i = 0; i < s->e.n_evens; i++)
        HD_TRY(connect(s, &s->e.evens[i], err));
    return HD_OK;
}

/* Of the chosen sets only those that are in one group with a set of the answer. */
static void keep_connected(search *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_chosen; i++) {
        bool is_connected = false;
        for (uint32_t f = 0; f < s->n_first && !is_connected; f++)
            is_connected = group_of(s, f) == group_of(s, s->chosen[i]);
        if (is_connected)
            s->chosen[n++] = s->chosen[i];
    }
    s->n_chosen = n;
}

/* ---- from modulo 4 to whole numbers ---------------------------------------------------------- */

typedef struct relation {
    uint32_t items[HD_OVERLAP_SETS];
    int32_t factors[HD_OVERLAP_SETS];
    size_t n;
    uint64_t sum[2];
    int64_t records, people; /* what is left, each as often as it is */
} relation;

static void weigh(const search *s, relation *r)
{
    r->sum[0] = r->sum[1] = 0;
    r->records = r->people = 0;
    for (size_t i = 0; i < r->n; i++) {
        const hd_set *set = s->sets[r->items[i]];
        int64_t k = r->factors[i];
        r->sum[0] += (uint64_t)k * set->sum[0];
        r->sum[1] += (uint64_t)k * set->sum[1];
        r->records += k * ((int64_t)set->profile.records + set->profile.nobody);
        r->people += k * (int64_t)set->persons;
    }
}

static bool is_nothing(const relation *r)
{
    return r->sum[0] == 0 && r->sum[1] == 0;
}

/* The signs of factors of 2, which 4 does not tell: those that leave nothing, else the least. */
static void choose_signs(const search *s, relation *r)
{
    uint32_t twos[MOST_TWOS], best = 0;
    int64_t least = INT64_MAX;
    size_t n = 0;
    for (size_t i = 0; i < r->n && n < MOST_TWOS; i++)
        if (r->factors[i] == 2)
            twos[n++] = (uint32_t)i;
    for (uint32_t signs = 0; signs < 1u << n; signs++) {
        for (size_t i = 0; i < n; i++)
            r->factors[twos[i]] = signs >> i & 1 ? -2 : 2;
        weigh(s, r);
        int64_t left = is_nothing(r) ? -1 : llabs(r->records);
        if (left < least) {
            least = left;
            best = signs;
        }
    }
    for (size_t i = 0; i < n; i++)
        r->factors[twos[i]] = best >> i & 1 ? -2 : 2;
    weigh(s, r);
}

/* One of the sets is few people, and more often in it than 4 can tell. */
static void take_more_of_few(const search *s, relation *r)
{
    for (size_t c = 0; c < s->n_chosen && !is_nothing(r); c++) {
        uint32_t item = s->chosen[c];
        const hd_set *set = s->sets[item];
        if (set->persons > s->limit)
            continue;
        for (int64_t k = -4 * TIMES; k <= 4 * TIMES; k += 4) {
            if (r->sum[0] + (uint64_t)k * set->sum[0] != 0 ||
                r->sum[1] + (uint64_t)k * set->sum[1] != 0)
                continue;
            size_t at = 0;
            while (at < r->n && r->items[at] != item)
                at++;
            if (at == r->n) {
                r->items[at] = item;
                r->factors[r->n++] = 0;
            }
            r->factors[at] += (int32_t)k;
            weigh(s, r);
            return;
        }
    }
}

void hd_overlap_name(uint64_t out[2], const uint64_t sum[2])
{
    for (size_t i = 0; i < 2; i++)
        out[i] = sum[i] & ((UINT64_C(1) << NAME_BITS) - 1);
}

/* sum / times, as far as that can be told; false: it is no multiple. */
static bool divide(uint64_t out[2], const uint64_t sum[2], unsigned times)
{
    unsigned twos = (unsigned)__builtin_ctz(times);
    uint64_t odd = times >> twos, inverse = odd;
    for (int i = 0; i < 5; i++)
        inverse *= 2 - odd * inverse; /* Newton's: right bits double */
    uint64_t part[2];
    for (size_t i = 0; i < 2; i++) {
        uint64_t x = sum[i] * inverse;
        if (x & ((UINT64_C(1) << twos) - 1))
            return false;
        part[i] = x >> twos;
    }
    hd_overlap_name(out, part);
    return true;
}

/* People by whom a sum differs from nothing: buckets that are not 0. Adding carries into the top bit of each of the four in a word. */
HD_VECTORS static unsigned buckets_left(const row *sum)
{
    const uint64_t below = UINT64_C(0x7FFF7FFF7FFF7FFF);
    unsigned n = 0;
    for (size_t w = 0; w < LANE_WORDS; w++) {
        uint64_t x = sum->low[w] | sum->high[w];
        n += (unsigned)__builtin_popcountll((((x & below) + below) | x) & ~below);
    }
    return n;
}

static void turn(const search *s, relation *r)
{
    for (size_t i = 0; i < r->n; i++)
        r->factors[i] = -r->factors[i];
    weigh(s, r);
}

/* What is left is some number of times few people: which number? One under which they are known,
 * else the largest, which asks for the most protection. */
static bool name_few(const search *s, relation *r, unsigned buckets, hd_overlap *o)
{
    bool found = false;
    if (r->records < 0)
        turn(s, r);
    o->is_mixed = r->records == 0;
    unsigned most = 0; /* times that anybody can be left over */
    for (size_t i = 0; i < r->n; i++)
        most += r->factors[i] > 0 ? (unsigned)r->factors[i] : 0;
    for (unsigned k = most < HD_OVERLAP_FACTOR ? most : HD_OVERLAP_FACTOR; k >= 1; k--) {
        uint64_t name[2];
        bool is_whole = r->records % k == 0 && (o->is_mixed ? k == 1 : r->records / k >= buckets);
        if (!is_whole || !divide(name, r->sum, k))
            continue;
        bool is_known = s->few_named && s->few_named(s->ctx, name);
        /* Counters modulo 4 do not show what is there four times: then the records have to be
         * few. */
        bool is_few = buckets > 0 || (k % 4 == 0 && r->records / k <= s->limit);
        if (!is_known && (found || !is_few))
            continue;
        o->times = k;
        memcpy(o->few, name, sizeof name);
        found = true;
        if (is_known)
            break;
    }
    return found;
}

/* By which sets are in it: their identities add up to nothing, and tell no sum from another. */
hd_code hd_overlap_is_told(hd_intern *told, const hd_overlap *o, bool *out, hd_err *err)
{
    uint32_t n = hd_intern_count(told), id;
    uint64_t hash = 0; /* in whatever order they are */
    for (size_t i = 0; i < o->n; i++) {
        uint64_t item = (o->items[i] + 1) * UINT64_C(0x9E3779B97F4A7C15);
        item = (item ^ item >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
        hash += (uint64_t)(int64_t)o->factors[i] * item;
    }
    HD_TRY(hd_intern_add(told, &hash, sizeof hash, &id, err));
    *out = id < n;
    return HD_OK;
}

static hd_code tell(search *s, const relation *r, hd_overlap *o, hd_err *err)
{
    bool is_told;
    o->items = r->items;
    o->factors = r->factors;
    o->n = r->n;
    HD_TRY(hd_overlap_is_told(s->told, o, &is_told, err));
    return is_told ? HD_OK : s->take(s->ctx, o, err);
}

/* One of the sets is made of the others: for what leaves few people they are enough. */
static void note_dependent(search *s, const relation *r)
{
    for (size_t i = r->n; i-- > 0 && s->is_first;)
        if (abs(r->factors[i]) == 1) {
            s->depends[r->items[i]] = true;
            return;
        }
}

static bool row_has_first(const search *s, const row *v)
{
    for (size_t i = 0; i < s->n_chosen; i++)
        if (s->chosen[i] < s->n_first && digit(v, LANE_WORDS * 64 + i))
            return true;
    return false;
}

static bool has_first(const search *s, const relation *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->items[i] < s->n_first)
            return true;
    return false;
}

/* A sum, its lanes those of all buckets. */
static hd_code judge(search *s, const row *v, hd_err *err)
{
    static const int32_t factor_of[4] = {0, 1, 2, -1};
    hd_overlap o = {0};
    relation r;
    unsigned buckets = buckets_left(v);
    if (s->is_first)
        HD_TRY(connect(s, v, err));
    if (buckets > s->limit || !(s->is_first || row_has_first(s, v)))
        return HD_OK;
    r.n = 0;
    for (size_t i = 0; i < s->n_chosen; i++) {
        int32_t k = factor_of[digit(v, LANE_WORDS * 64 + i)];
        if (k) {
            r.items[r.n] = s->chosen[i];
            r.factors[r.n++] = k;
        }
    }
    if (r.n < 2)
        return HD_OK;
    choose_signs(s, &r);
    if (!is_nothing(&r) && buckets == 0)
        take_more_of_few(s, &r);
    if (is_nothing(&r))
        note_dependent(s, &r);
    if (!is_nothing(&r) && (r.n < 3 || !name_few(s, &r, buckets, &o))) /* of two sets: near.h */
        return HD_OK;
    return has_first(s, &r) ? tell(s, &r, &o, err) : HD_OK;
}

/* ---- what leaves few people ------------------------------------------------------------------ */

/* Buckets to solve on: more than the sets need by themselves, and then more again, because a set
 * none of whose people is in them takes part in everything. */
static size_t buckets_of_draw(size_t n_sets, unsigned draw)
{
    static const uint8_t more[] = {0, 6, 12, 18};
    size_t least = (n_sets + LANES - 1) / LANES + 4;
    size_t want = least + more[draw % sizeof more];
    return want < HD_SET_BUCKETS ? want : HD_SET_BUCKETS - 1;
}

static void draw_buckets(hd_rng *rng, uint8_t buckets[HD_SET_BUCKETS], size_t n)
{
    for (size_t b = 0; b < HD_SET_BUCKETS; b++)
        buckets[b] = (uint8_t)b;
    for (size_t b = 0; b < n; b++) {
        size_t other = b + hd_rng_below(rng, (uint32_t)(HD_SET_BUCKETS - b));
        uint8_t x = buckets[b];
        buckets[b] = buckets[other];
        buckets[other] = x;
    }
}

static hd_code keep_zero(search *s, const row *v, hd_err *err)
{
    (void)err;
    s->e.zeros[s->e.n_zeros++] = *v;
    return HD_OK;
}

/* On all buckets, what was solved on a few of them. */
HD_VECTORS static void fill_lanes(const search *s, row *v)
{
    memset(v->low, 0, LANE_WORDS * sizeof *v->low);
    memset(v->high, 0, LANE_WORDS * sizeof *v->high);
    for (size_t w = LANE_WORDS; w < ROW_WORDS; w++)
        for (uint64_t left = v->low[w] | v->high[w]; left; left &= left - 1) {
            size_t i = (w - LANE_WORDS) * 64 + (size_t)__builtin_ctzll(left);
            unsigned factor = digit(v, LANE_WORDS * 64 + i);
            add_words(v, &s->lanes[s->chosen[i]], factor, 0, LANE_WORDS);
        }
}

/* With another sum, as often as leaves the fewest people; false: never fewer. */
static bool step(row *v, const row *other, unsigned *left)
{
    row best = *v, next = *v;
    unsigned before = *left;
    for (unsigned k = 1; k < 4; k++) {
        add_row(&next, other, 1);
        unsigned now = buckets_left(&next);
        if (now < *left) {
            *left = now;
            best = next;
        }
    }
    *v = best;
    return *left < before;
}

/* Where several sums are 0 on what was drawn, such as a set of which nobody was and a sum that it
 * belongs to, the one that leaves few people is made of them: step by step to fewer people. */
static void step_down(const elimination *e, size_t from, row *v, unsigned limit)
{
    unsigned left = buckets_left(v);
    for (bool goes_on = true; goes_on && left > limit;) {
        goes_on = false;
        for (size_t k = 0; k < e->n_zeros; k++)
            goes_on |= k != from && step(v, &e->zeros[k], &left); /* from itself nothing is left */
    }
}

static hd_code judge_zeros(search *s, hd_err *err)
{
    elimination *e = &s->e;
    size_t n_first = 0, n_stepped = 0;
    for (size_t i = 0; i < e->n_zeros; i++)
        n_first += row_has_first(s, &e->zeros[i]);
    if (n_first == 0)
        return HD_OK;
    for (size_t i = 0; i < e->n_zeros; i++)
        fill_lanes(s, &e->zeros[i]);
    for (size_t i = 0; i < e->n_zeros; i++) {
        row v = e->zeros[i];
        if (!row_has_first(s, &v))
            continue;
        if (n_stepped++ < MOST_STEPPED)
            step_down(e, i, &v, s->limit);
        HD_TRY(judge(s, &v, err));
    }
    return HD_OK;
}

static hd_code draw(search *s, hd_err *err)
{
    hd_rng rng = hd_rng_stream(s->n, 4);
    size_t draws = LEAST_DRAWS + 4 * s->n_chosen;
    draws = draws < MOST_DRAWS ? draws : MOST_DRAWS;
    for (unsigned i = 0; i < draws && s->n_chosen > 2; i++) {
        uint8_t buckets[HD_SET_BUCKETS];
        size_t n = buckets_of_draw(s->n_chosen, i);
        draw_buckets(&rng, buckets, n);
        if (is_independent(s, buckets, n))
            continue;
        s->e.n_zeros = 0;
        HD_TRY(eliminate(s, buckets, n, keep_zero, err));
        HD_TRY(judge_zeros(s, err));
    }
    return HD_OK;
}

static hd_code note_in_sum(search *s, const row *v, hd_err *err)
{
    (void)err;
    for (size_t i = 0; i < s->n_chosen; i++)
        if (digit(v, LANE_WORDS * 64 + i))
            s->is_in_sum[s->chosen[i]] = true;
    return HD_OK;
}

/* What can be in a sum that is 0 on these buckets and has a set of the answer in it: whatever is in
 * any sum there, if a set of the answer is. A set none of whose people is in them is one. */
static hd_code keep_sums_on(search *s, const uint8_t *buckets, size_t n_buckets, hd_err *err)
{
    bool has_first = false;
    if (is_independent(s, buckets, n_buckets))
        return HD_OK;
    memset(s->is_in_sum, 0, s->n * sizeof *s->is_in_sum);
    HD_TRY(eliminate(s, buckets, n_buckets, note_in_sum, err));
    for (size_t i = 0; i < s->e.n_evens; i++)
        HD_TRY(note_in_sum(s, &s->e.evens[i], err));
    for (size_t i = 0; i < s->n_first; i++)
        has_first |= s->is_in_sum[i];
    for (size_t i = 0; i < s->n && has_first; i++)
        s->is_kept[i] |= s->is_in_sum[i];
    return HD_OK;
}

/* The buckets in limit + 1 parts: limit people leave one part of them at least untouched. So a
 * sum that leaves them is 0 on one part. Of ordinary figures none is. Where the sets are nearly as
 * many as the counters of a part, all sums are. */
static hd_code narrow(search *s, hd_err *err)
{
    size_t n_parts = s->limit + 1, n = HD_SET_BUCKETS / n_parts, n_kept = 0;
    if (s->n_chosen + SPARE_LANES > n * LANES)
        return HD_OK;
    memset(s->is_kept, 0, s->n * sizeof *s->is_kept);
    for (size_t p = 0; p < n_parts; p++) {
        uint8_t buckets[HD_SET_BUCKETS];
        for (size_t b = 0; b < n; b++)
            buckets[b] = (uint8_t)(p * n + b);
        HD_TRY(keep_sums_on(s, buckets, n, err));
    }
    for (size_t i = 0; i < s->n_chosen; i++)
        if (s->is_kept[s->chosen[i]])
            s->chosen[n_kept++] = s->chosen[i];
    s->n_chosen = n_kept;
    return HD_OK;
}

static hd_code make_room(search *s, hd_err *err)
{
    s->lanes = hd_calloc(s->n + 1, sizeof *s->lanes);
    s->e.pivots = hd_calloc(s->n + 1, sizeof *s->e.pivots);
    s->e.evens = hd_calloc(s->n + 1, sizeof *s->e.evens);
    s->e.zeros = hd_calloc(s->n + 1, sizeof *s->e.zeros);
    s->e.lane_of = hd_calloc(s->n + 1, sizeof *s->e.lane_of);
    s->chosen = hd_calloc(s->n + 1, sizeof *s->chosen);
    s->depends = hd_calloc(s->n + 1, sizeof *s->depends);
    s->group = hd_calloc(s->n + 1, sizeof *s->group);
    s->is_in_sum = hd_calloc(s->n + 1, sizeof *s->is_in_sum);
    s->is_kept = hd_calloc(s->n + 1, sizeof *s->is_kept);
    s->low_pivots = hd_calloc(s->n + 1, sizeof *s->low_pivots);
    s->told = hd_intern_new();
    if (!s->told || !s->lanes || !s->e.pivots || !s->e.evens || !s->e.zeros || !s->e.lane_of ||
        !s->chosen || !s->depends || !s->group || !s->is_in_sum || !s->is_kept || !s->low_pivots)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < s->n; i++)
        hd_set_planes(s->sets[i], s->lanes[i].low, s->lanes[i].high);
    return HD_OK;
}

static void free_room(search *s)
{
    hd_wipe_free(s->lanes, (s->n + 1) * sizeof *s->lanes);
    hd_wipe_free(s->e.pivots, (s->n + 1) * sizeof *s->e.pivots);
    hd_wipe_free(s->e.evens, (s->n + 1) * sizeof *s->e.evens);
    hd_wipe_free(s->e.zeros, (s->n + 1) * sizeof *s->e.zeros);
    hd_wipe_free(s->low_pivots, (s->n + 1) * sizeof *s->low_pivots);
    hd_free(s->e.lane_of);
    hd_free(s->chosen);
    hd_free(s->depends);
    hd_free(s->group);
    hd_free(s->is_in_sum);
    hd_free(s->is_kept);
    hd_intern_free(s->told);
}

typedef struct size {
    uint64_t persons, sum;
    uint32_t item;
} size;

static int compare_sizes(const void *x, const void *y)
{
    const size *a = x, *b = y;
    if (a->persons != b->persons)
        return a->persons < b->persons ? -1 : 1;
    return a->sum < b->sum ? -1 : a->sum > b->sum;
}

/* Small sets first, so that larger ones are made of them and factors stay small. */
static void choose(search *s, size_t most)
{
    size by_size[HD_OVERLAP_SETS];
    s->n_chosen = 0;
    for (uint32_t i = 0; i < s->n && s->n_chosen < most; i++)
        if (!s->depends[i])
            by_size[s->n_chosen++] = (size){s->sets[i]->persons, s->sets[i]->sum[0], i};
    qsort(by_size, s->n_chosen, sizeof *by_size, compare_sizes);
    for (size_t i = 0; i < s->n_chosen; i++)
        s->chosen[i] = by_size[i].item;
}

static int compare_items(const void *x, const void *y)
{
    const uint32_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

/* Few people first, then other sets in any order, those of the answer last. */
static void shuffle_chosen(search *s, hd_rng *rng, const uint32_t *items, size_t n_items)
{
    uint32_t others[HD_OVERLAP_SETS];
    size_t n = 0;
    s->n_chosen = 0;
    for (size_t i = 0; i < n_items; i++)
        if (s->sets[items[i]]->persons <= s->limit)
            s->chosen[s->n_chosen++] = items[i];
        else if (items[i] >= s->n_first)
            others[n++] = items[i];
    for (; n > 0; n--) {
        uint32_t at = hd_rng_below(rng, (uint32_t)n);
        s->chosen[s->n_chosen++] = others[at];
        others[at] = others[n - 1];
    }
    for (size_t i = 0; i < n_items; i++)
        if (items[i] < s->n_first && s->sets[items[i]]->persons > s->limit)
            s->chosen[s->n_chosen++] = items[i];
}

/* Where there are many sums, each can be had as many combinations of others, and the tight ones
 * are short. A sum is found as it is when all its sets but one come before that one and are no
 * sums of each other: in some of many orders. Sets that are in no sum with one of the answer are
 * left out. */
static hd_code shuffle(search *s, const uint8_t *buckets, hd_err *err)
{
    hd_rng rng = hd_rng_stream(s->n, 5);
    uint32_t items[HD_OVERLAP_SETS];
    size_t n_sums = s->n_chosen - s->e.n_pivots, n; /* of the first elimination */
    keep_connected(s);
    n = s->n_chosen;
    memcpy(items, s->chosen, n * sizeof *items);
    qsort(items, n, sizeof *items, compare_items);
    for (unsigned k = 0; k < SHUFFLES && n_sums > 1 && n > 2; k++) {
        shuffle_chosen(s, &rng, items, n);
        HD_TRY(eliminate(s, buckets, HD_SET_BUCKETS, judge, err));
    }
    return HD_OK;
}

hd_code hd_overlaps_find(const hd_overlaps_of *of, hd_take_overlap take, void *ctx,
                         const atomic_bool *stop, hd_err *err)
{
    search s = {.sets = of->sets, .n = of->n, .n_first = of->n_first, .limit = of->limit,
                .few_named = of->few_named, .take = take, .ctx = ctx, .stop = stop};
    uint8_t all[HD_SET_BUCKETS];
    hd_code rc = HD_OK;
    HD_ALWAYS(s.n <= HD_OVERLAP_SETS);
    if (s.n < 3)
        return HD_OK;
    for (size_t b = 0; b < HD_SET_BUCKETS; b++)
        all[b] = (uint8_t)b;
    HD_GO(make_room(&s, err));
    choose(&s, s.n);
    for (uint32_t i = 0; i < s.n; i++)
        s.group[i] = i;
    s.is_first = true;
    HD_GO(eliminate(&s, all, HD_SET_BUCKETS, judge, err));
    s.is_first = false;
    HD_GO(connect_evens(&s, err));
    HD_GO(shuffle(&s, all, err));
    choose(&s, HD_OVERLAP_DRAWN);
    HD_GO(narrow(&s, err));
    HD_GO(draw(&s, err));
out:
    free_room(&s);
    return rc;
}
