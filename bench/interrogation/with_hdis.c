/* with_hdis.c - the yardstick in hdis: rows into a vault, SQL text to a released table.
 * usage: with_hdis make VAULT KEY-FILE ROWS SEED
 *        with_hdis serve VAULT KEY-FILE CATALOGUE
 *        with_hdis bandwidth
 *
 * `make` writes through the vault's builder, the path in which every load ends; parsing, checking
 * and pseudonyms of a landing are left out, because the peers get typed values too. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/par.h"
#include "disclosure/release.h"
#include "engine/cells.h"
#include "engine/question.h"
#include "rows.h"
#include "serve.h"

static void must(hd_code rc, const hd_err *err)
{
    if (rc != HD_OK)
        fail("with_hdis: %s", err->text);
}

/* ---- make ------------------------------------------------------------------------------------ */

static void *take(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        fail("with_hdis: out of memory");
    return p;
}

/* Codes of all values of a column beforehand, so that a row costs one look. */
static uint32_t *codes_of(hd_builder *b, size_t column, const row_column *c)
{
    hd_err err;
    uint32_t *codes = take(c->limit, sizeof *codes);
    for (uint32_t i = 0; i < c->limit; i++) {
        const hd_value v = {.type = c->is_date ? HD_DATE : HD_INTEGER,
                            .integer = (int64_t)i + (c->is_date ? FIRST_DAY : 0)};
        must(hd_builder_code(b, column, &v, &codes[i], &err), &err);
    }
    return codes;
}

static void make_table(hd_vault *v, hd_publish *p, row_table table, uint64_t n_rows, uint64_t seed)
{
    static row_chunk chunk;
    static int64_t order[ROWS];
    hd_err err;
    hd_column_spec specs[MAX_ROW_COLUMNS] = {0};
    hd_rows_column columns[MAX_ROW_COLUMNS] = {0};
    uint32_t *codes[MAX_ROW_COLUMNS], *out[MAX_ROW_COLUMNS];
    size_t n = 0;
    const row_column *c = row_columns[table];
    for (; c[n].name; n++) {
        snprintf(specs[n].name, sizeof specs[n].name, "%s", c[n].name);
        specs[n].kind = HD_COLUMN_CODES;
        specs[n].type = c[n].is_date ? HD_DATE : HD_INTEGER;
    }
    hd_builder *b;
    must(hd_builder_new(&b, v, row_tables[table], specs, n, &err), &err);
    for (size_t k = 0; k < n; k++) {
        codes[k] = codes_of(b, k, &c[k]);
        out[k] = take(ROWS, sizeof *out[k]);
        columns[k].codes = out[k];
    }
    row_source s;
    rows_open(&s, table, n_rows, seed);
    while (rows_next(&s, &chunk) > 0) {
        for (size_t k = 0; k < n; k++)
            for (size_t i = 0; i < chunk.n; i++)
                out[k][i] = codes[k][chunk.values[k][i]];
        const hd_rows rows = {chunk.n, chunk.persons, order, columns};
        must(hd_builder_append(b, &rows, &err), &err);
    }
    rows_close(&s);
    must(hd_publish_table(p, b, &err), &err);
    hd_builder_free(b);
    for (size_t k = 0; k < n; k++) {
        free(codes[k]);
        free(out[k]);
    }
}

static int make(const char *folder, const char *key_file, uint64_t n_rows, uint64_t seed)
{
    hd_err err;
    hd_vault *v;
    hd_publish *p;
    must(hd_vault_create(folder, key_file, &err), &err);
    must(hd_vault_open(&v, folder, key_file, true, &err), &err);
    must(hd_publish_begin(&p, v, &err), &err);
    for (row_table t = 0; t < N_ROW_TABLES; t++)
        make_table(v, p, t, n_rows, seed);
    must(hd_publish_commit(p, "tables of the yardstick", &err), &err);
    hd_publish_free(p);
    hd_vault_close(v);
    return 0;
}

/* ---- serve ----------------------------------------------------------------------------------- */

typedef struct server {
    const char *folder, *key_file;
    hd_catalogue *catalogue;
    hd_policy *policy;
    hd_vault *vault;
    hd_engine *engine;
} server;

static void open_data(server *s)
{
    hd_err err;
    must(hd_vault_open(&s->vault, s->folder, s->key_file, false, &err), &err);
    must(hd_engine_open(&s->engine, s->vault, s->catalogue, &err), &err);
}

static void close_data(server *s)
{
    hd_engine_close(s->engine);
    hd_vault_close(s->vault);
}

/* Only as far as the true cells: what parsing and scanning take, without disclosure. */
static double to_cells(server *s, const char *sql)
{
    hd_err err;
    hd_question *q;
    hd_cells *cells;
    double start = now_ms();
    must(hd_engine_ask(s->engine, sql, &q, &err), &err);
    must(hd_engine_run_rows(s->engine, q, &cells, &err), &err);
    double ms = now_ms() - start;
    hd_cells_free(cells);
    hd_question_free(q);
    return ms;
}

static void put_release(const hd_release *r)
{
    answer a = {0};
    for (size_t i = 0; i < r->n_rows; i++) {
        for (size_t c = 0; c < r->n_columns; c++) {
            const hd_figure f = hd_release_at(r, i, c);
            bool is_decimal = f.value.type == HD_DECIMAL;
            answer_value(&a, f.value.is_null ? -1
                             : is_decimal    ? f.value.decimal
                                             : (double)f.value.integer);
        }
        answer_row(&a);
    }
    put_answer(&a);
}

static void answer_request(server *s, const request *q)
{
    hd_err err;
    hd_release *r = NULL;
    double ms[MAX_REPEATS], cpu_ms[MAX_REPEATS], cells_ms[MAX_REPEATS];
    if (q->is_cold) {
        close_data(s);
        forget_pages(s->folder);
        open_data(s);
    }
    for (int i = 0; i < q->repeats; i++) {
        hd_release_free(r);
        double start = now_ms(), cpu_start = processor_ms();
        if (hd_release_ask(&r, s->engine, s->policy, q->sql, &err) != HD_OK) {
            put_error(err.text);
            return;
        }
        ms[i] = now_ms() - start;
        cpu_ms[i] = processor_ms() - cpu_start;
    }
    for (int i = 0; i < q->repeats && !q->is_cold; i++)
        cells_ms[i] = to_cells(s, q->sql);
    put_times("ms", ms, q->repeats);
    put_times("cpu_ms", cpu_ms, q->repeats);
    put_times("cells_ms", cells_ms, q->is_cold ? 0 : q->repeats);
    put_release(r);
    hd_release_free(r);
}

static int serve(const char *folder, const char *key_file, const char *catalogue)
{
    hd_err err;
    server s = {.folder = folder, .key_file = key_file};
    request q = {0};
    must(hd_catalogue_open(&s.catalogue, catalogue, NULL, &err), &err);
    /* True counts: the answers are compared with those of programs that protect nothing. */
    must(hd_policy_open(&s.policy, hd_catalogue_default_folder(), "none", &err), &err);
    open_data(&s);
    while (next_request(&q))
        answer_request(&s, &q);
    close_data(&s);
    hd_policy_free(s.policy);
    hd_catalogue_close(s.catalogue);
    return 0;
}

/* ---- bandwidth ------------------------------------------------------------------------------- */

enum { BUFFER = 1 << 30, PARTS = 64 };

static hd_code read_part(void *ctx, size_t task, hd_err *err)
{
    (void)err;
    const uint64_t *p = (const uint64_t *)ctx + task * (BUFFER / PARTS / 8);
    uint64_t sums[8] = {0};
    for (size_t i = 0; i < BUFFER / PARTS / 8; i += 8)
        for (size_t k = 0; k < 8; k++)
            sums[k] += p[i + k];
    for (size_t k = 0; k < 8; k++)
        __asm__ volatile("" : : "r"(sums[k]));
    return HD_OK;
}

/* The best of ten readings of a gigabyte by all threads, in GB/s. */
static int bandwidth(void)
{
    hd_err err;
    uint64_t *buffer = take(BUFFER, 1);
    memset(buffer, 1, BUFFER);
    double best = 1e9;
    for (int i = 0; i < 10; i++) {
        double start = now_ms();
        must(hd_par_run(PARTS, read_part, buffer, &err), &err);
        double ms = now_ms() - start;
        best = ms < best ? ms : best;
    }
    printf("%.3f\n", BUFFER / best / 1e6);
    free(buffer);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "make") == 0)
        return make(argv[2], argv[3], strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10));
    if (argc == 5 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2], argv[3], argv[4]);
    if (argc == 2 && strcmp(argv[1], "bandwidth") == 0)
        return bandwidth();
    fprintf(stderr, "usage: with_hdis make VAULT KEY-FILE ROWS SEED | serve VAULT KEY-FILE "
                    "CATALOGUE | bandwidth\n");
    return 2;
}
