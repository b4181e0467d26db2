/* test_overlaps.c - sums between sets that overlap: what there is is found, what is said holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/rng.h"
#include "disclosure/short_sums.h"

#include <stdlib.h>
#include <string.h>

enum { PEOPLE = 4000, MOST = 300, LIMIT = 7 };

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * UINT64_C(0x9FB21C651E98DF25);
    return x ^ x >> 29;
}

/* Sets of people as lists of yes and no, and as sketches. */
typedef struct world {
    uint8_t in[MOST][PEOPLE];
    hd_set sets[MOST];
    const hd_set *list[MOST];
    size_t n;
} world;

static world w;

static unsigned records_of(uint32_t person)
{
    return 1 + person % 3;
}

static void add_person(hd_set *s, uint32_t person)
{
    hd_set_records of = {{0, 0}, 0};
    for (unsigned r = 0; r < records_of(person); r++)
        hd_set_sum(&of, mix((uint64_t)person << 8 | r));
    hd_set_add(s, person + 1, &of, records_of(person));
}

static uint32_t make_set(void)
{
    HD_ALWAYS(w.n < MOST);
    hd_set *s = &w.sets[w.n];
    hd_set_init(s);
    for (uint32_t p = 0; p < PEOPLE; p++)
        if (w.in[w.n][p])
            add_person(s, p);
    w.list[w.n] = s;
    return (uint32_t)w.n++;
}

static void start(void)
{
    memset(&w, 0, sizeof w);
}

static void put(uint32_t from, uint32_t to)
{
    for (uint32_t p = from; p < to; p++)
        w.in[w.n][p] = 1;
}

/* What came out, checked record by record. */
typedef struct found {
    unsigned whole, few;
    unsigned most_times;
    bool has_known;
    uint64_t known[2]; /* name of few people */
} found;

static hd_code take(void *ctx, const hd_overlap *o, hd_err *err)
{
    found *f = ctx;
    static int32_t left[PEOPLE];
    unsigned people = 0, visible = 0;
    (void)err;
    memset(left, 0, sizeof left);
    for (size_t i = 0; i < o->n; i++)
        for (uint32_t p = 0; p < PEOPLE; p++)
            left[p] += o->factors[i] * w.in[o->items[i]][p];
    for (uint32_t p = 0; p < PEOPLE; p++) {
        people += left[p] != 0;
        visible += left[p] % 4 != 0; /* to the counters */
    }
    if (o->times == 0) {
        assert_int_equal(people, 0);
        f->whole++;
        return HD_OK;
    }
    assert_true(people >= 1 && visible <= 2 * LIMIT);
    f->few++;
    f->most_times = o->times > f->most_times ? o->times : f->most_times;
    f->has_known |= memcmp(o->few, f->known, sizeof f->known) == 0;
    return HD_OK;
}

static bool is_known(void *ctx, const uint64_t name[2])
{
    const found *f = ctx;
    return memcmp(name, f->known, sizeof f->known) == 0;
}

static hd_code find(found *f)
{
    const hd_overlaps_of of = {w.list, w.n, w.n, LIMIT, is_known};
    return hd_overlaps_find(&of, take, f, NULL, NULL);
}

static found search(void)
{
    found f = {.whole = 0};
    assert_int_equal(find(&f), HD_OK);
    return f;
}

static found search_knowing(uint32_t from, uint32_t to)
{
    found f = {.whole = 0};
    hd_set few;
    hd_set_init(&few);
    for (uint32_t p = from; p < to; p++)
        add_person(&few, p);
    hd_overlap_name(f.known, few.sum);
    assert_int_equal(find(&f), HD_OK);
    return f;
}

/* The few with one group, with another, and both groups: twice the few are left, whoever they
 * are. */
static void two_groups_and_both(void **state)
{
    (void)state;
    for (uint32_t few = 1; few <= LIMIT; few++) {
        start();
        put(0, few), put(100, 300), make_set();
        put(0, few), put(300, 700), make_set();
        put(100, 700), make_set();
        found f = search();
        assert_true(f.few >= 1);
        assert_true(f.most_times >= 2);
        f = search_knowing(0, few);
        assert_true(f.has_known);
        put(0, few), make_set();
        assert_true(search().whole >= 1);
    }
}

/* So many groups with the few, and all groups together: every number, multiples of four too. */
static void many_groups_and_all(void **state)
{
    (void)state;
    for (uint32_t groups = 2; groups <= 40; groups++) {
        uint32_t few = 1 + groups % LIMIT, size = 9 + groups * 7 % 60;
        start();
        for (uint32_t g = 0; g < groups; g++)
            put(0, few), put(100 + g * size, 100 + (g + 1) * size), make_set();
        put(100, 100 + groups * size), make_set();
        found f = search_knowing(0, few);
        assert_true(f.has_known);
        assert_true(f.most_times >= groups);
        put(0, few), make_set();
        assert_true(search().whole >= 1);
    }
}

/* The same with groups so small that a draw of buckets often has nobody of one, and few of whom
 * nobody knows the name. */
static void small_groups_and_all(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 200; seed++) {
        enum { GROUPS = 13 };
        hd_rng rng = hd_rng_stream(seed, 11);
        uint32_t few = LIMIT - seed % 3, from = 100;
        found f = {.whole = 0};
        hd_set named;
        start();
        for (uint32_t g = 0; g < GROUPS; g++) {
            uint32_t size = 6 + hd_rng_below(&rng, 6);
            put(0, few), put(from, from + size), make_set();
            from += size;
        }
        put(100, from), make_set();
        hd_set_init(&named);
        for (uint32_t p = 0; p < few; p++)
            add_person(&named, p);
        hd_overlap_name(f.known, named.sum);
        const hd_overlaps_of of = {w.list, w.n, w.n, LIMIT, NULL};
        assert_int_equal(hd_overlaps_find(&of, take, &f, NULL, NULL), HD_OK);
        assert_true(f.has_known);
    }
}

/* Among many sets that have nothing to do with each other nothing is found, and three that have
 * are. */
static void nothing_where_nothing_is(void **state)
{
    (void)state;
    hd_rng rng = hd_rng_stream(5, 0);
    for (int round = 0; round < 3; round++) {
        start();
        for (int i = 0; i < 120; i++) {
            for (uint32_t p = 20; p < PEOPLE; p++)
                w.in[w.n][p] = hd_rng_below(&rng, 10) == 0;
            make_set();
        }
        found f = search();
        assert_int_equal(f.few + f.whole, 0);
        for (int i = 0; i < 2; i++) {
            put(0, 4 * i);
            for (uint32_t p = 20; p < PEOPLE; p++)
                w.in[w.n][p] = w.in[2 * i][p] | w.in[2 * i + 1][p];
            make_set();
            for (uint32_t p = 20; p < PEOPLE; p++)
                w.in[w.n][p] = w.in[2 * i][p] & w.in[2 * i + 1][p];
            make_set();
        }
        f = search();
        assert_true(f.whole >= 1); /* a + b = both or either + both, of two */
        assert_true(f.few >= 1); /* and the same with four people more */
    }
}

/* Slices of a table and sums of slices: all sums among them are found (as many as do not follow
 * from each other), and every one holds. */
static void slices_and_sums(void **state)
{
    (void)state;
    start();
    for (uint32_t i = 0; i < 20; i++)
        put(i * 50, i * 50 + 50), make_set();
    for (uint32_t i = 0; i < 10; i++)
        put(i * 50, i * 50 + 500), make_set();
    found f = search();
    assert_true(f.whole >= 10);
    assert_int_equal(f.few, 0);
}

/* Sixteen groups taken together in many ways, so that nearly every set is made of others in more
 * ways than can be tried: the three that with the few make twice a fourth are still found. */
static void short_sums_among_many(void **state)
{
    enum { GROUPS = 16, SIZE = 40, FEW = 5, NOISE = 50 };
    hd_rng rng = hd_rng_stream(9, 0);
    (void)state;
    start();
    uint64_t sums[NOISE + 5][2];
    bool is_few[NOISE + 5] = {false};
    /* a + b, b + c, a + c, with the few each; a + b + c without */
    static const uint32_t known[4] = {0x00FF, 0x0FF0, 0x0F0F, 0x0FFF};
    for (size_t i = 0; i < NOISE + 5; i++) {
        uint32_t mask = i < 4 ? known[i] : (uint32_t)hd_rng_below(&rng, 1 << GROUPS);
        is_few[i] = i == 4;
        if (i < 3 || i == 4)
            put(0, FEW);
        for (uint32_t g = 0; g < GROUPS && i != 4; g++)
            if (mask >> g & 1)
                put(100 + g * SIZE, 100 + (g + 1) * SIZE);
        memcpy(sums[i], w.sets[make_set()].sum, sizeof sums[i]);
    }
    found f = {.whole = 0};
    const hd_short_sums_of of = {(const uint64_t(*)[2])sums, is_few, NOISE + 5, 1, false};
    assert_int_equal(hd_short_sums_find(&of, take, &f, NULL, NULL), HD_OK);
    assert_true(f.whole >= 1 && f.few == 0);
    is_few[4] = false; /* nobody asked for them */
    f = (found){.whole = 0};
    assert_int_equal(hd_short_sums_find(&of, take, &f, NULL, NULL), HD_OK);
    assert_int_equal(f.whole, 0);
}

/* One of two groups and the few is in a sum with each of the others: none is taken for another. */
static void short_sums_of_one_set(void **state)
{
    enum { GROUPS = 12, SIZE = 40, FEW = 5 };
    (void)state;
    start();
    uint64_t sums[2 * GROUPS][2];
    bool is_few[2 * GROUPS] = {false};
    for (uint32_t i = 0; i < 2 * GROUPS; i++) {
        bool is_both = i > GROUPS; /* the first group, and another, without the few */
        is_few[i] = i == GROUPS;
        if (!is_both)
            put(0, FEW);
        if (!is_few[i])
            put(100 + i % GROUPS * SIZE, 100 + (i % GROUPS + 1) * SIZE);
        if (is_both)
            put(100, 100 + SIZE);
        memcpy(sums[i], w.sets[make_set()].sum, sizeof sums[i]);
    }
    found f = {.whole = 0};
    const hd_short_sums_of of = {(const uint64_t(*)[2])sums, is_few, 2 * GROUPS, 1, false};
    assert_int_equal(hd_short_sums_find(&of, take, &f, NULL, NULL), HD_OK);
    assert_true(f.whole >= GROUPS - 1);
}

/* a + w b + x c + y d + z e = times the few, of names that 2 divides several times or not at all. */
static void short_sums_of_any_names(void **state)
{
    enum { ROUNDS = 3000, SETS = 9 };
    hd_rng rng = hd_rng_stream(10, 0);
    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        uint64_t sums[SETS + 1][2];
        bool is_few[SETS + 1] = {[SETS] = true};
        int times = (int)hd_rng_below(&rng, HD_SHORT_TIMES) + 1, factor[4];
        for (size_t k = 0; k < 4; k++)
            factor[k] = (int)hd_rng_below(&rng, 7) - 3;
        if (hd_rng_below(&rng, 2))
            times = -times;
        for (size_t i = 0; i <= SETS; i++)
            for (size_t word = 0; word < 2; word++)
                sums[i][word] = hd_rng_next(&rng) << (i == SETS ? hd_rng_below(&rng, 6) : 0);
        for (size_t word = 0; word < 2; word++) {
            sums[0][word] = (uint64_t)(int64_t)times * sums[SETS][word];
            for (size_t k = 0; k < 4; k++)
                sums[0][word] -= (uint64_t)(int64_t)factor[k] * sums[4 + k][word];
        }
        found f = {.whole = 0};
        const hd_short_sums_of of = {(const uint64_t(*)[2])sums, is_few, SETS + 1, 1, true};
        assert_int_equal(hd_short_sums_find(&of, take, &f, NULL, NULL), HD_OK);
        size_t n_others = (factor[0] != 0) + (factor[1] != 0) + (factor[2] != 0) +
                          (factor[3] != 0);
        assert_int_equal(f.whole > 0, n_others > 0); /* fewer than three sets cut nothing; twice it is told, too */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_sums_of_any_names),
        cmocka_unit_test(two_groups_and_both),
        cmocka_unit_test(many_groups_and_all),
        cmocka_unit_test(small_groups_and_all),
        cmocka_unit_test(nothing_where_nothing_is),
        cmocka_unit_test(slices_and_sums),
        cmocka_unit_test(short_sums_among_many),
        cmocka_unit_test(short_sums_of_one_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
