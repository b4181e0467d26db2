/* test_ledgered.c - sketches of sets, near figures, unions, and releases as the ledger keeps them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "disclosure/component.h"
#include "disclosure/near.h"
#include "disclosure/system.h"
#include "disclosure/unions.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * UINT64_C(0x9FB21C651E98DF25);
    return x ^ x >> 29;
}

static void add_person(hd_set *s, uint32_t person, unsigned n_records)
{
    hd_set_records of = {{0, 0}, 0};
    for (unsigned r = 0; r < n_records; r++)
        hd_set_sum(&of, mix((uint64_t)person << 8 | r));
    hd_set_add(s, person, &of, n_records);
}

/* Few different people are always seen as few; many are seen as many. */
static void distance_counts_people(void **state)
{
    (void)state;
    hd_rng rng = hd_rng_stream(7, 0);
    for (int round = 0; round < 3000; round++) {
        hd_set a, b;
        unsigned common = hd_rng_below(&rng, 300), apart = hd_rng_below(&rng, 8);
        hd_set_init(&a);
        hd_set_init(&b);
        for (uint32_t p = 1; p <= common; p++) {
            unsigned n = 1 + hd_rng_below(&rng, 3);
            add_person(&a, p, n);
            add_person(&b, p, n);
        }
        for (uint32_t p = 0; p < apart; p++) {
            unsigned how = hd_rng_below(&rng, 3); /* only in a, only in b, with other records */
            if (how != 1)
                add_person(&a, 1000 + p, 1);
            if (how != 0)
                add_person(&b, 1000 + p, how == 2 ? 2 : 1);
        }
        unsigned d = hd_set_distance(&a, &b, 7);
        assert_true(apart ? d >= 1 && d <= apart : d == 0 && hd_set_same(&a, &b));
        for (uint32_t p = 0; p < 30; p++)
            add_person(&b, 5000 + p, 1);
        assert_int_equal(hd_set_distance(&a, &b, 7), 8);
    }
}

/* One profile that is the other and few people more is always seen, whichever records they have; people
 * who have other numbers of records are seen as such. */
static void profiles_count_people(void **state)
{
    (void)state;
    hd_rng rng = hd_rng_stream(11, 0);
    for (int round = 0; round < 3000; round++) {
        hd_set a, b;
        unsigned common = 1 + hd_rng_below(&rng, 300), more = hd_rng_below(&rng, 12);
        hd_set_init(&a);
        hd_set_init(&b);
        for (uint32_t p = 1; p <= common + more; p++) {
            unsigned n = 1 + hd_rng_below(&rng, 3);
            add_person(&a, p, n);
            if (p <= common)
                hd_set_add(&b, p, &(hd_set_records){{mix(p), mix(p + 77)}, 5}, n); /* records of another table */
        }
        assert_int_equal(hd_profile_excess(&a.profile, &b.profile, 7), more <= 7 ? more : 0);
        assert_int_equal(hd_profile_excess(&b.profile, &a.profile, 7), more <= 7 ? more : 0);
        assert_true(hd_profile_same(&a.profile, &b.profile) == (more == 0));
        add_person(&b, 0, 3); /* nobody's records make nobody more */
        hd_set_add(&a, 0, &(hd_set_records){{5, 6}, 7}, 0); /* and nobody is not among people */
        assert_true(b.profile.nobody == 3 && a.profile.nobody == 0);
        assert_int_equal(hd_profile_excess(&a.profile, &b.profile, 7), more <= 7 ? more : 0);
        for (uint32_t p = 0; p < 30; p++) {
            add_person(&a, 1000 + p, 1);
            add_person(&b, 1000 + p, 2);
        }
        assert_int_equal(hd_profile_excess(&a.profile, &b.profile, 7), 0);
    }
}

/* An account of n cells by one key with one column of records; sets are empty. */
static void make_account(hd_account *a, size_t n, uint64_t first_key)
{
    *a = (hd_account){.is_controlled = true, .n_keys = 1, .n_cells = n, .n_columns = 1,
                      .n_aggregates = 1, .n_sets = 1, .sets = {1}};
    a->told = hd_calloc(n + 1, sizeof *a->told);
    a->keys = hd_calloc(2 * (n + 1), sizeof *a->keys);
    a->is_left_out = hd_calloc(n + 1, 1);
    a->items = hd_calloc(n + 1, sizeof *a->items);
    a->printed = hd_calloc(2 * (n + 1), sizeof *a->printed);
    a->marks = hd_calloc(2 * (n + 1), 1);
    a->values = hd_calloc(2 * (n + 1), sizeof *a->values);
    a->question = hd_strdup("SELECT 1");
    a->certificate = hd_strdup("");
    assert_true(a->told && a->keys && a->is_left_out && a->items && a->printed && a->marks &&
                a->values && a->question && a->certificate);
    for (size_t c = 0; c < n; c++) {
        a->told[c] = 1;
        a->keys[c] = first_key + c;
        hd_set_init(&a->items[c]);
        a->printed[c] = (hd_printed){.high = HD_NO_BOUND, .is_count = true, .is_shown = true};
    }
}

/* Every pair that differs by 1 to 7 people is found, among many that do not. */
static void near_figures_are_found(void **state)
{
    (void)state;
    enum { N = 60 };
    hd_err err;
    for (uint32_t round = 0; round < 60; round++) {
        hd_rng rng = hd_rng_stream(8, round);
        hd_account now, earlier;
        unsigned apart[N], pairs = 0;
        make_account(&now, N, 1);
        make_account(&earlier, N, 1000);
        for (uint32_t c = 0; c < N; c++) {
            unsigned size = 12 + hd_rng_below(&rng, 80);
            apart[c] = hd_rng_below(&rng, 12);
            for (uint32_t p = 0; p < size; p++) {
                add_person(&now.items[c], 1000 * c + p, 1);
                if (p >= apart[c])
                    add_person(&earlier.items[c], 1000 * c + p, 1);
            }
        }
        hd_near *near;
        assert_int_equal(hd_near_new(&near, &now, 7, &err), HD_OK);
        assert_int_equal(hd_near_compare(near, &earlier, 0, &err), HD_OK);
        assert_true(hd_near_touches(near));
        bool found[N] = {false};
        for (size_t i = 0; i < hd_near_n_pairs(near); i++) {
            const hd_near_pair *p = hd_near_pair_at(near, i);
            assert_int_equal(p->cell, p->other);
            assert_true(apart[p->cell] >= 1);
            found[p->cell] = true;
            pairs += apart[p->cell] > 7;
        }
        for (size_t c = 0; c < N; c++)
            assert_true(found[c] || apart[c] == 0 || apart[c] > 7);
        assert_true(pairs < N / 2);
        hd_near_free(near);
        hd_account_free(&now);
        hd_account_free(&earlier);
    }
}

typedef struct unions {
    size_t n;
    bool is_right;
} unions;

static hd_code take_union(void *ctx, const hd_account *parts, const size_t *items, size_t n,
                          const hd_account *wholes, size_t whole, hd_err *err)
{
    unions *u = ctx;
    (void)parts;
    (void)wholes;
    (void)err;
    u->n++;
    for (size_t i = 0; i < n; i++)
        u->is_right = u->is_right && items[i] % 7 == whole;
    u->is_right = u->is_right && n == 28 + (whole < 4);
    return HD_OK;
}

/* 200 providers in 7 regions, and no key says which lies where. */
static void unions_are_found(void **state)
{
    (void)state;
    hd_err err;
    hd_account providers, regions;
    make_account(&providers, 200, 1);
    make_account(&regions, 7, 1000);
    for (uint32_t person = 1; person <= 6000; person++) {
        size_t at = mix(person) % 200;
        add_person(&providers.items[at], person, 1 + person % 2);
        add_person(&regions.items[at % 7], person, 1 + person % 2);
    }
    unions u = {0, true};
    assert_int_equal(hd_unions_find(&providers, &regions, take_union, &u, &err), HD_OK);
    assert_true(u.n == 7 && u.is_right);
    u.n = 0;
    add_person(&regions.items[3], 9999, 1); /* somebody whom no provider has */
    assert_int_equal(hd_unions_find(&providers, &regions, take_union, &u, &err), HD_OK);
    assert_int_equal(u.n, 6);
    u.n = 0;
    assert_int_equal(hd_unions_find(&regions, &providers, take_union, &u, &err), HD_OK);
    assert_int_equal(u.n, 0);
    hd_account_free(&providers);
    hd_account_free(&regions);
}

/* Written and read back the same; whatever is cut or changed is refused or read without harm. */
static void accounts_survive(void **state)
{
    (void)state;
    hd_err err;
    hd_account a, b;
    hd_buf body, again;
    hd_buf_init(&body, 1 << 24);
    hd_buf_init(&again, 1 << 24);
    make_account(&a, 20, 1);
    for (uint32_t c = 0; c < 20; c++)
        for (uint32_t p = 0; p <= c; p++)
            add_person(&a.items[c], 100 * c + p, 2);
    for (int64_t i = 0; i < 3; i++)
        assert_int_equal(hd_account_know(&a, &(hd_known){{7, 8}, i, 9}, &err), HD_OK);
    const hd_summed whole = {{5, 6}, HD_SET_PEOPLE, 2}, parts[] = {{{1, 2}, HD_SET_PEOPLE, 0}, {{4, 4}, HD_SET_PEOPLE, 0}};
    assert_int_equal(hd_account_sum(&a, &whole, parts, 2, &err), HD_OK);
    a.n_definitions = a.n_cells;
    a.n_spans = 2;
    a.n_values_ = 3;
    a.definitions = hd_calloc(a.n_definitions, sizeof *a.definitions);
    a.spans = hd_calloc(a.n_spans, sizeof *a.spans);
    a.span_values = hd_calloc(a.n_values_, sizeof *a.span_values);
    assert_true(a.definitions && a.spans && a.span_values);
    a.definitions[19] = (hd_definition){77, {1, 2}};
    a.spans[0] = (hd_span){5, 6, 0, 2};
    a.spans[1] = (hd_span){5, 7, 2, 1};
    assert_int_equal(hd_account_write(&a, &body, &err), HD_OK);
    assert_int_equal(hd_account_read(&b, body.data, body.len, &err), HD_OK);
    assert_int_equal(hd_account_write(&b, &again, &err), HD_OK);
    assert_int_equal(body.len, again.len);
    assert_memory_equal(body.data, again.data, body.len);
    hd_account_free(&b);
    for (size_t len = 0; len < body.len; len += len < 200 ? 1 : 97)
        assert_int_equal(hd_account_read(&b, body.data, len, &err), HD_FORMAT);
    hd_rng rng = hd_rng_stream(9, 0);
    for (int i = 0; i < 2000; i++) {
        size_t at = hd_rng_below(&rng, i < 1000 ? 72 : (uint32_t)body.len);
        char before = body.data[at];
        body.data[at] ^= (char)(1 << hd_rng_below(&rng, 8));
        if (hd_account_read(&b, body.data, body.len, &err) == HD_OK)
            hd_account_free(&b);
        body.data[at] = before;
    }
    hd_buf_free(&body);
    hd_buf_free(&again);
    hd_account_free(&a);
}

/* What an hdis with other sets has entered is refused, and said to be that. */
static void other_forms_are_refused(void **state)
{
    (void)state;
    hd_err err;
    hd_account a, b;
    hd_buf body;
    hd_buf_init(&body, 1 << 24);
    make_account(&a, 5, 1);
    assert_int_equal(hd_account_write(&a, &body, &err), HD_OK);
    for (const char *form = "12345678"; *form; form++) {
        body.data[6] = *form;
        assert_int_equal(hd_account_read(&b, body.data, body.len, &err), HD_FORMAT);
        assert_non_null(strstr(err.text, "another hdis"));
    }
    body.data[0] = 'x';
    assert_int_equal(hd_account_read(&b, body.data, body.len, &err), HD_FORMAT);
    assert_non_null(strstr(err.text, "damaged"));
    hd_account_free(&a);
    hd_buf_free(&body);
}

/* Lane by lane, buckets count modulo 4, whether records come one by one or sets are joined; so they are
 * linear. */
static void buckets_count_modulo_4(void **state)
{
    (void)state;
    enum { PARTS = 5, LANES = 16, ALL = HD_SET_BUCKETS * LANES };
    hd_rng rng = hd_rng_stream(12, 0);
    for (int round = 0; round < 50; round++) {
        hd_set all, joined;
        unsigned counts[ALL] = {0};
        hd_set_init(&all);
        hd_set_init(&joined);
        for (uint32_t p = 0; p < PARTS; p++) {
            hd_set part;
            hd_set_init(&part);
            for (uint32_t person = 1 + p * 1000, n = hd_rng_below(&rng, 30); n > 0; n--, person++) {
                hd_set one;
                hd_set_init(&one);
                add_person(&one, person, 1 + n % 3);
                add_person(&part, person, 1 + n % 3);
                add_person(&all, person, 1 + n % 3);
                for (size_t i = 0; i < ALL; i++)
                    counts[i] += one.buckets[i / LANES] >> 2 * (i % LANES) & 3;
            }
            hd_set_join(&joined, &part);
        }
        assert_memory_equal(joined.buckets, all.buckets, sizeof all.buckets);
        for (size_t i = 0; i < ALL; i++)
            assert_int_equal(all.buckets[i / LANES] >> 2 * (i % LANES) & 3, counts[i] % 4);
    }
}

/* Records in pieces of any size make the same set as records and people one by one. */
static void rows_make_the_same_set(void **state)
{
    (void)state;
    enum { MOST = 2000 };
    static uint32_t persons[MOST];
    static uint64_t records[MOST];
    hd_rng rng = hd_rng_stream(13, 0);
    for (int round = 0; round < 300; round++) {
        hd_set_kind kind = round % 2 ? HD_SET_PEOPLE : HD_SET_RECORDS;
        hd_set want, have;
        hd_set_growing g = {0};
        size_t n = 0, most = round % 3 ? 30 : MOST;
        hd_set_init(&want);
        hd_set_init(&have);
        for (uint32_t person = hd_rng_below(&rng, 2); n < most; person += 1 + hd_rng_below(&rng, 3)) {
            hd_set_records of = {{0, 0}, 0};
            size_t end = n + 1 + hd_rng_below(&rng, round % 7 ? 4 : 700);
            uint32_t first = (uint32_t)n;
            for (; n < end && n < most; n++) {
                persons[n] = person;
                records[n] = hd_rng_next(&rng);
                hd_set_sum(&of, records[n]);
            }
            if (kind == HD_SET_RECORDS)
                hd_set_add(&want, person, &of, (uint32_t)n - first);
            else
                hd_set_add_person(&want, person);
        }
        for (size_t at = 0, some; at < n; at += some) {
            some = 1 + hd_rng_below(&rng, round % 5 ? 9 : 600);
            some = some < n - at ? some : n - at;
            hd_set_take(&have, &g, kind, persons + at, records + at, some);
        }
        hd_set_end(&have, &g, kind);
        hd_set_end(&have, &g, kind); /* nobody is left */
        assert_memory_equal(&have, &want, sizeof have);
    }
}

/* Releases 1 and 3 share a set with each other, 3 with the answer; 2 stands alone. */
static void test_component(void **state)
{
    hd_err err;
    (void)state;
    hd_component *c = hd_component_new();
    assert_non_null(c);
    const struct {
        uint32_t release;
        uint64_t sum;
    } names[] = {{0, 10}, {0, 11}, {1, 12}, {1, 13}, {2, 14}, {2, 14}, {3, 13}, {3, 11}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(hd_component_name(c, names[i].release, names[i].sum, &err), HD_OK);
    assert_int_equal(hd_component_close(c, &err), HD_OK);
    assert_true(hd_component_has(c, 0));
    assert_true(hd_component_has(c, 1));
    assert_false(hd_component_has(c, 2));
    assert_true(hd_component_has(c, 3));
    assert_false(hd_component_has(c, 4));
    assert_true(hd_component_is_shared(c, 11));
    assert_true(hd_component_is_shared(c, 13));
    assert_false(hd_component_is_shared(c, 10));
    assert_false(hd_component_is_shared(c, 14)); /* twice by one release */
    hd_component_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(buckets_count_modulo_4),
        cmocka_unit_test(rows_make_the_same_set),
        cmocka_unit_test(profiles_count_people),
        cmocka_unit_test(distance_counts_people),
        cmocka_unit_test(near_figures_are_found),
        cmocka_unit_test(unions_are_found),
        cmocka_unit_test(test_component),
        cmocka_unit_test(accounts_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
