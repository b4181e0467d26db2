/* ledger.c - the difference test: one question on N records against 1,000 earlier releases.
 *
 *     ledger [--records 50000000] [--releases 1000]
 *
 * The question is by provider (200), with counts of records and of people. Earlier releases are
 * of the kinds that analysts ask: by provider, region, month, age, sex and pairs of them, under
 * conditions that keep a tenth to all of the records; a tenth of them repeat a condition. They
 * are made from a sample of the people, which costs the same to compare, for a sketch has the
 * same size whatever it stands for.
 */
#include "base/alloc.h"
#include "base/par.h"
#include "base/rng.h"
#include "disclosure/audit.h"
#include "disclosure/definition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PROVIDERS = 200, KINDS = 6, LANES = 16, SAMPLE = 60000 };

typedef struct kind {
    unsigned a, b; /* codes of two keys; b 1: one key */
} kind;

static const kind kinds[KINDS] = {{200, 1}, {7, 20}, {36, 1}, {200, 2}, {42, 36}, {100, 2}};

static double read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double seconds(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* Of all threads. */
static double processor_seconds(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * UINT64_C(0x9FB21C651E98DF25);
    return x ^ x >> 29;
}

static unsigned code_of(uint64_t person, unsigned salt, unsigned n)
{
    return (unsigned)(mix(person * 31 + salt) >> 32) % n;
}

/* ---- the question's own sets ---------------------------------------------------------------- */

typedef struct job {
    uint64_t n_records;
    hd_set *lanes; /* LANES * PROVIDERS * 2 */
} job;

/* Four records a person, at one or two providers, as in a table sorted by person; they come to a
 * set in runs of some hundred, as they do from a scan. */
enum { RUN = 512 };

typedef struct run {
    size_t n;
    uint32_t persons[RUN + 4];
    uint64_t records[RUN + 4];
    hd_set_growing growing[2];
} run;

static void take_run(run *r, hd_set *sets)
{
    hd_set_take(&sets[0], &r->growing[0], HD_SET_RECORDS, r->persons, r->records, r->n);
    hd_set_take(&sets[1], &r->growing[1], HD_SET_PEOPLE, r->persons, r->records, r->n);
    r->n = 0;
}

static hd_code sketch_lane(void *ctx, size_t lane, hd_err *err)
{
    job *j = ctx;
    hd_set *sets = j->lanes + lane * PROVIDERS * 2;
    uint64_t people = j->n_records / 4, first = people / LANES * lane, end = first + people / LANES;
    run *runs = hd_calloc(PROVIDERS, sizeof *runs);
    if (!runs)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < PROVIDERS * 2; i++)
        hd_set_init(&sets[i]);
    for (uint64_t p = first; p < end; p++) {
        unsigned home = code_of(p, 1, PROVIDERS), away = p % 5 ? home : code_of(p, 2, PROVIDERS);
        for (unsigned i = 0; i < 4; i++) {
            run *r = &runs[i < 2 ? home : away];
            r->persons[r->n] = (uint32_t)p + 1;
            r->records[r->n++] = mix(p << 4 | i);
        }
        for (unsigned at = home, visit = 0; visit < 2; at = away, visit++)
            if (runs[at].n >= RUN)
                take_run(&runs[at], &sets[at * 2]);
    }
    for (size_t at = 0; at < PROVIDERS; at++) {
        take_run(&runs[at], &sets[at * 2]);
        hd_set_end(&sets[at * 2], &runs[at].growing[0], HD_SET_RECORDS);
        hd_set_end(&sets[at * 2 + 1], &runs[at].growing[1], HD_SET_PEOPLE);
    }
    hd_free(runs);
    return HD_OK;
}

/* ---- accounts ------------------------------------------------------------------------------- */

static void must(hd_code rc, const hd_err *err)
{
    if (rc == HD_OK)
        return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static void add_span(hd_definitions *d, hd_definition *item, size_t at, uint64_t column, uint32_t n_values,
                     uint32_t first, hd_err *err)
{
    uint32_t values[16];
    const hd_span span = {.column = column, .name = (uint64_t)first << 32 | n_values};
    for (uint32_t i = 0; i < n_values; i++)
        values[i] = first + i;
    must(hd_spans_add(&d->spans, span, values, n_values, err), err);
    item->spans[at] = (uint32_t)d->spans.n;
    item->name += hd_definition_of_span(&span);
}

/* What the keys and the condition say of the counts of records. keep 0: there is no condition. */
static void define(hd_sets *sets, const kind *k, unsigned condition, unsigned keep, hd_err *err)
{
    hd_definitions *d = &sets->definitions;
    d->n_items = sets->n_cells * sets->n_columns;
    d->items = hd_calloc(d->n_items + 1, sizeof *d->items);
    if (!d->items)
        exit(1);
    for (size_t c = 0; c < sets->n_cells; c++) {
        hd_definition *item = &d->items[c * sets->n_columns];
        size_t n = 0;
        item->name = 1;
        add_span(d, item, n++, 10 + k->a, 1, (uint32_t)(c / k->b), err);
        if (k->b > 1)
            add_span(d, item, n++, 500 + k->b, 1, (uint32_t)(c % k->b), err);
        if (keep)
            add_span(d, item, n++, 1000 + condition, keep, 0, err);
    }
}

/* An account of n cells by one or two keys; its sets are filled in by the caller. */
static void make_account(hd_account *a, const hd_policy_file *p, const kind *k, unsigned condition,
                         unsigned keep, hd_err *err)
{
    static const hd_aggregate aggregates[2] = {{.kind = HD_AGG_COUNT, .type = HD_INTEGER},
                                               {.kind = HD_AGG_COUNT_PERSONS, .type = HD_INTEGER}};
    size_t n = (size_t)k->a * k->b, n_keys = k->b > 1 ? 2 : 1;
    static const hd_key keys[2] = {{"a", HD_INTEGER, true}, {"b", HD_INTEGER, true}};
    const hd_question q = {.sql = "bench", .table = "bench", .is_subnational = true, .keys = keys,
                           .n_keys = n_keys, .n_key_fields = n_keys, .n_aggregates = 2,
                           .aggregates = aggregates};
    const uint32_t asked = n_keys == 2 ? 3 : 1;
    hd_cells *cells;
    hd_safe safe = {.n_cells = n, .n_aggregates = 2};
    hd_sets sets = {.n_cells = n, .n_columns = 2, .kinds = {HD_SET_RECORDS, HD_SET_PEOPLE},
                    .column_of = {0, 1}};
    must(hd_cells_new_rows(&cells, &q, n, 0, err), err);
    safe.figures = hd_calloc(n * 2, sizeof *safe.figures);
    safe.left_out = hd_calloc(n, sizeof *safe.left_out);
    sets.items = hd_calloc(n * 2 + 1, sizeof *sets.items);
    if (!safe.figures || !safe.left_out || !sets.items)
        exit(1);
    for (size_t c = 0; c < n; c++) {
        for (size_t i = 0; i < n_keys; i++)
            hd_cells_put_key(cells, c, i,
                             (hd_value){.type = HD_INTEGER,
                                        .integer = (int64_t)(i ? c % k->b : c / k->b)});
        for (size_t i = 0; i < 2; i++) {
            const hd_cell f = {{.type = HD_INTEGER, .integer = 500}, 500, 400};
            hd_cells_put_figure(cells, c, i, f);
            safe.figures[c * 2 + i].value = f.value;
            hd_set_init(&sets.items[c * 2 + i]);
        }
    }
    define(&sets, k, condition, keep, err);
    must(hd_account_make(a, p, &q, &asked, 1, cells, &safe, &sets, true, err), err);
    hd_cells_free(cells);
    hd_free(safe.figures);
    hd_free(safe.left_out);
}

static void make_earlier(const hd_policy_file *p, size_t number, hd_buf *out, hd_err *err)
{
    const kind *k = &kinds[number % KINDS];
    unsigned keep = 1 + (unsigned)(number / KINDS) % 10, condition = (unsigned)number % 900;
    hd_account a;
    make_account(&a, p, k, condition, keep, err);
    for (uint64_t person = 0; person < SAMPLE; person++) {
        if (code_of(person, 1000 + condition, 10) >= keep)
            continue;
        size_t cell = code_of(person, 10 + k->a, k->a) * k->b + code_of(person, 11 + k->b, k->b);
        hd_set_records of = {{0, 0}, 0};
        hd_set_sum(&of, mix(person << 4));
        for (size_t i = 0; i < 2; i++)
            hd_set_add(&a.items[cell * 2 + i], (uint32_t)person, &of, 1);
    }
    must(hd_account_write(&a, out, err), err);
    hd_account_free(&a);
}

int main(int argc, char **argv)
{
    uint64_t n_records = 50000000;
    size_t n_releases = 1000, bytes = 0, cells = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--records") == 0)
            n_records = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--releases") == 0)
            n_releases = strtoull(argv[i + 1], NULL, 10);
    }
    hd_err err;
    hd_policy_file *p;
    must(hd_policy_file_read(&p, HD_CATALOGUE_DIR, "hes2018", &err), &err);
    hd_buf *bodies = hd_calloc(n_releases + 1, sizeof *bodies);
    job j = {.n_records = n_records};
    j.lanes = hd_calloc(LANES * PROVIDERS * 2, sizeof *j.lanes);
    if (!bodies || !j.lanes)
        return 1;
    for (size_t i = 0; i < n_releases; i++) {
        hd_buf_init(&bodies[i], (size_t)1 << 30);
        make_earlier(p, i, &bodies[i], &err);
        bytes += bodies[i].len;
        cells += (size_t)kinds[i % KINDS].a * kinds[i % KINDS].b;
    }
    double t0 = seconds(), p0 = processor_seconds();
    must(hd_par_run(LANES, sketch_lane, &j, &err), &err);
    hd_account now;
    make_account(&now, p, &kinds[0], 0, 0, &err);
    for (size_t lane = 0; lane < LANES; lane++)
        for (size_t i = 0; i < PROVIDERS * 2; i++)
            hd_set_join(&now.items[i], &j.lanes[lane * PROVIDERS * 2 + i]);
    double t1 = seconds(), p1 = processor_seconds();
    hd_audit *audit;
    size_t related = 0;
    must(hd_audit_new(&audit, p, &now, &err), &err);
    for (size_t i = 0; i < n_releases; i++) {
        hd_account earlier;
        must(hd_account_view(&earlier, bodies[i].data, bodies[i].len, &err), &err);
        must(hd_audit_earlier(audit, &earlier, &err), &err);
        related += earlier.n_cells == 0;
        hd_account_free(&earlier);
    }
    double t2 = seconds(), p2 = processor_seconds();
    printf("records                     %12llu\n", (unsigned long long)n_records);
    printf("earlier releases            %12zu  (%zu rows, %.0f MB; %zu related)\n", n_releases,
           cells, (double)bytes / 1e6, related);
    printf("sets of the question        %10.3f s  (processor %.3f s)\n", t1 - t0, p1 - p0);
    printf("difference test             %10.3f s  (processor %.3f s)\n", t2 - t1, p2 - p1);
    hd_audit_free(audit);
    hd_account_free(&now);
    for (size_t i = 0; i < n_releases; i++)
        hd_buf_free(&bodies[i]);
    hd_free(bodies);
    hd_free(j.lanes);
    hd_policy_file_free(p);
    return 0;
}
