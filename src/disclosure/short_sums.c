/* short_sums.c - see short_sums.h.
 *
 * p + q = t times the few, for sums p and q of two sets each: divided by the few (modulo 2^64, where
 * odd numbers have inverses) p and q add up to a small number, so both nearly are each other's
 * negative. All q stand in a hash table by what they are to within the widest such t, so that a p
 * takes two look-ups whatever t is; a bit map in front of the table answers most. Both words of the
 * identities confirm what is found. */
#include "disclosure/short_sums.h"

#include "base/alloc.h"
#include "base/intern.h"

#include <string.h>

/* Two sets with factors; the second may be none, and then its factor is 0. */
typedef struct pair {
    uint16_t first, second;
    int8_t factor, other;
} pair;

typedef struct named {
    uint64_t sum[2];
    pair of;
} named;

typedef struct slot {
    uint64_t quotient;
    uint32_t at; /* of the pair in `pairs`, + 1; 0: empty */
} slot;

enum {
    SPARSE = 16,
    MOST_FIFTHS = 4 /* sets of the answer */
};

/* Few people to divide by. */
typedef struct divisor {
    uint32_t few;
    unsigned word, shift; /* the word used, and how often 2 divides it */
    uint64_t inverse;     /* of what is left of it */
} divisor;

typedef struct search {
    const hd_short_sums_of *of;
    hd_take_overlap take;
    void *ctx;
    const atomic_bool *stop;
    uint32_t sets[HD_SHORT_SETS], few[HD_SHORT_FEW];
    size_t n_sets, n_few;
    named *pairs; /* each once, the first factor positive; what is its negative is looked up */
    size_t n_pairs, n_tries; /* a set of the answer is in the first n_tries */
    slot *slots;
    int8_t most_factor;
    size_t n_slots;   /* power of two */
    uint64_t *filter; /* SPARSE bits for each slot, set where something belongs */
    hd_intern *told;
} search;

static void name_pair(const search *s, named *out, pair p)
{
    out->of = p;
    for (unsigned i = 0; i < 2; i++) {
        out->sum[i] = (uint64_t)(int64_t)p.factor * s->of->sums[s->sets[p.first]][i];
        if (p.other)
            out->sum[i] += (uint64_t)(int64_t)p.other * s->of->sums[s->sets[p.second]][i];
    }
}

/* A set alone, and with each later one. */
static void name_pairs(search *s, uint16_t i)
{
    for (int8_t factor = 1; factor <= s->most_factor; factor++) {
        name_pair(s, &s->pairs[s->n_pairs++], (pair){i, i, factor, 0});
        for (uint16_t k = (uint16_t)(i + 1); k < s->n_sets; k++)
            for (int8_t other = (int8_t)-s->most_factor; other <= s->most_factor; other++)
                if (other)
                    name_pair(s, &s->pairs[s->n_pairs++], (pair){i, k, factor, other});
    }
}

/* Each step of Newton's doubles the bits that are right; x is odd, and its own inverse in three of them. */
static uint64_t inverse_of(uint64_t x)
{
    uint64_t y = x;
    for (unsigned bits = 3; bits < 64; bits *= 2)
        y *= 2 - x * y;
    return y;
}

/* False: there is no dividing by these. */
static bool divide_by(const search *s, uint32_t few, divisor *d)
{
    const uint64_t *sum = s->of->sums[few];
    enum { MOST_SHIFT = 32 };
    if (!sum[0] || !sum[1])
        return false;
    unsigned shift[2] = {(unsigned)__builtin_ctzll(sum[0]), (unsigned)__builtin_ctzll(sum[1])};
    *d = (divisor){.few = few, .word = shift[1] < shift[0]};
    d->shift = shift[d->word];
    d->inverse = inverse_of(sum[d->word] >> d->shift);
    return d->shift <= MOST_SHIFT;
}

/* Quotients of times up to HD_SHORT_TIMES lie within one width of each other. */
static unsigned width_bits(const divisor *d)
{
    _Static_assert(2 * HD_SHORT_TIMES == 1 << 4, "");
    return d->shift + 4;
}

/* Of a slot, in bits of the filter. */
static inline size_t place_of(const search *s, uint64_t number)
{
    return (size_t)((number * UINT64_C(0x9E3779B97F4A7C15)) >> 24) & (s->n_slots * SPARSE - 1);
}

static void fill_table(search *s, const divisor *d)
{
    memset(s->slots, 0, s->n_slots * sizeof *s->slots);
    memset(s->filter, 0, s->n_slots / 8 * SPARSE);
    for (uint32_t i = 0; i < s->n_pairs; i++) {
        uint64_t quotient = s->pairs[i].sum[d->word] * d->inverse;
        size_t place = place_of(s, quotient >> width_bits(d)), at = place / SPARSE;
        s->filter[place / 64] |= UINT64_C(1) << place % 64;
        while (s->slots[at].at)
            at = (at + 1) & (s->n_slots - 1);
        s->slots[at] = (slot){quotient, i + 1};
    }
}

typedef struct sum {
    uint32_t items[6];
    int32_t factors[6];
    size_t n;
} sum;

/* What is looked up: a pair, and a set of the answer; its factor may be 0. */
typedef struct attempt {
    named p;
    uint16_t fifth;
    int8_t factor;
} attempt;

static void add_term(sum *r, uint32_t item, int factor)
{
    size_t at = 0;
    while (at < r->n && r->items[at] != item)
        at++;
    if (at == r->n) {
        r->items[r->n] = item;
        r->factors[r->n++] = 0;
    }
    r->factors[at] += factor;
    if (r->factors[at] == 0) {
        r->items[at] = r->items[--r->n];
        r->factors[at] = r->factors[r->n];
    }
}

/* Many splits give the same sum. */
static hd_code tell(search *s, const sum *r, hd_err *err)
{
    bool has_first = false, is_told;
    for (size_t i = 0; i < r->n; i++)
        has_first |= r->items[i] < s->of->n_first;
    if (r->n < 3 || !has_first)
        return HD_OK;
    const hd_overlap o = {.items = r->items, .factors = r->factors, .n = r->n};
    HD_TRY(hd_overlap_is_told(s->told, &o, &is_told, err));
    if (is_told)
        return HD_OK;
    return s->take(s->ctx, &o, err);
}

/* p + sign q = times the few: is it, and how many times? 0: it is not. */
static int times_of(const search *s, const divisor *d, const named *p, const named *q, int sign)
{
    const uint64_t *few = s->of->sums[d->few];
    uint64_t both[2];
    for (unsigned i = 0; i < 2; i++)
        both[i] = p->sum[i] + (uint64_t)(int64_t)sign * q->sum[i];
    int64_t times = (int64_t)(both[d->word] * d->inverse) >> d->shift;
    if (times < -HD_SHORT_TIMES || times > HD_SHORT_TIMES)
        return 0;
    bool is_so = both[0] == (uint64_t)times * few[0] && both[1] == (uint64_t)times * few[1];
    return is_so ? (int)times : 0;
}

static hd_code judge(search *s, const divisor *d, const attempt *a, const named *q, int sign,
                     hd_err *err)
{
    const named *p = &a->p;
    sum r = {.n = 0};
    int times = times_of(s, d, p, q, sign);
    if (times == 0)
        return HD_OK;
    if (a->factor)
        add_term(&r, s->sets[a->fifth], a->factor);
    add_term(&r, s->sets[p->of.first], p->of.factor);
    if (p->of.other)
        add_term(&r, s->sets[p->of.second], p->of.other);
    add_term(&r, s->sets[q->of.first], sign * q->of.factor);
    if (q->of.other)
        add_term(&r, s->sets[q->of.second], sign * q->of.other);
    add_term(&r, d->few, -times);
    return r.n > 0 ? tell(s, &r, err) : HD_OK;
}

/* Quotients that begin at most a width above `low`. */
static inline hd_code look_up(search *s, const divisor *d, const attempt *a, uint64_t low, int sign,
                              hd_err *err)
{
    const uint64_t mask = UINT64_MAX >> width_bits(d); /* numbers of widths go round */
    for (unsigned next = 0; next < 2; next++) {
        uint64_t number = ((low >> width_bits(d)) + next) & mask;
        size_t place = place_of(s, number);
        if (!(s->filter[place / 64] >> place % 64 & 1))
            continue;
        for (size_t at = place / SPARSE; s->slots[at].at; at = (at + 1) & (s->n_slots - 1))
            if (s->slots[at].quotient >> width_bits(d) == number)
                HD_TRY(judge(s, d, a, &s->pairs[s->slots[at].at - 1], sign, err));
    }
    return HD_OK;
}

/* Each of the first n pairs, together with the fifth set. */
static hd_code try_pairs(search *s, const divisor *d, size_t n, uint16_t fifth, int8_t factor,
                         hd_err *err)
{
    const uint64_t half = UINT64_C(1) << (width_bits(d) - 1);
    attempt a = {.fifth = fifth, .factor = factor};
    uint64_t more[2];
    for (unsigned i = 0; i < 2; i++)
        more[i] = (uint64_t)(int64_t)factor * s->of->sums[s->sets[fifth]][i];
    for (size_t i = 0; i < n; i++) {
        if (i % 4096 == 0 && s->stop && atomic_load_explicit(s->stop, memory_order_relaxed))
            return hd_fail(err, HD_CANCELLED, "the question was stopped");
        a.p = s->pairs[i];
        a.p.sum[0] += more[0];
        a.p.sum[1] += more[1];
        uint64_t quotient = a.p.sum[d->word] * d->inverse;
        HD_TRY(look_up(s, d, &a, 0 - quotient - half, 1, err));
        HD_TRY(look_up(s, d, &a, quotient - half, -1, err));
    }
    return HD_OK;
}

static hd_code try_few(search *s, uint32_t few, hd_err *err)
{
    divisor d;
    unsigned n_fifths = 0;
    if (!divide_by(s, few, &d))
        return HD_OK;
    fill_table(s, &d);
    HD_TRY(try_pairs(s, &d, s->n_tries, 0, 0, err));
    for (uint16_t i = 0; s->of->has_fifth && i < s->n_sets && n_fifths < MOST_FIFTHS; i++) {
        if (s->sets[i] >= s->of->n_first)
            continue;
        n_fifths++;
        for (int8_t factor = (int8_t)-s->most_factor; factor <= s->most_factor; factor++)
            if (factor)
                HD_TRY(try_pairs(s, &d, s->n_pairs, i, factor, err));
    }
    return HD_OK;
}

static hd_code list_pairs(search *s, hd_err *err)
{
    size_t factors = (size_t)s->most_factor;
    size_t room = s->n_sets * factors * (1 + factors * (s->n_sets - 1));
    for (s->n_slots = 64; s->n_slots < 2 * room; s->n_slots *= 2)
        ;
    s->pairs = hd_calloc(room, sizeof *s->pairs);
    s->slots = hd_calloc(s->n_slots, sizeof *s->slots);
    s->filter = hd_calloc(s->n_slots / 64 * SPARSE, sizeof *s->filter);
    s->told = hd_intern_new();
    if (!s->pairs || !s->slots || !s->filter || !s->told)
        return hd_fail_nomem(err);
    for (uint16_t i = 0; i < s->n_sets; i++) {
        name_pairs(s, i);
        if (s->sets[i] < s->of->n_first)
            s->n_tries = s->n_pairs;
    }
    return HD_OK;
}

hd_code hd_short_sums_find(const hd_short_sums_of *of, hd_take_overlap take, void *ctx,
                           const atomic_bool *stop, hd_err *err)
{
    hd_code rc = HD_OK;
    search s = {.of = of, .take = take, .ctx = ctx, .stop = stop};
    s.most_factor = of->has_fifth ? 3 : 2;
    for (uint32_t i = 0; i < of->n; i++)
        if (of->is_few[i] && s.n_few < HD_SHORT_FEW)
            s.few[s.n_few++] = i;
        else if (!of->is_few[i] && s.n_sets < HD_SHORT_SETS)
            s.sets[s.n_sets++] = i;
    for (size_t f = 0; f < s.n_few && s.n_sets < HD_SHORT_SETS; f++) /* of others than themselves */
        s.sets[s.n_sets++] = s.few[f];
    if (s.n_few == 0 || s.n_sets < 2)
        return HD_OK;
    HD_GO(list_pairs(&s, err));
    for (size_t f = 0; f < s.n_few && s.n_tries; f++)
        HD_GO(try_few(&s, s.few[f], err));
out:
    hd_wipe_free(s.slots, s.n_slots * sizeof *s.slots);
    hd_free(s.filter);
    hd_free(s.pairs);
    hd_intern_free(s.told);
    return rc;
}
