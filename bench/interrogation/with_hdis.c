/* with_hdis.c - the yardstick in hdis: rows into a vault, SQL text to a released table.
 * usage: with_hdis make VAULT KEY-FILE ROWS SEED SHAPE
 *        with_hdis serve VAULT KEY-FILE CATALOGUE POLICY
 *        with_hdis bandwidth
 *        with_hdis columns SHAPE
 *
 * `make` writes through the vault's builder, the path in which every load ends; parsing, checking
 * and pseudonyms of a landing are left out, because the peers get typed values too. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/machine.h"
#include "disclosure/release.h"
#include "engine/cells.h"
#include "engine/question.h"
#include "serve.h"
#include "synth/yardstick.h"

static void must(hd_code rc, const hd_err *err)
{
    if (rc != HD_OK)
        fail("with_hdis: %s", err->text);
}

static void choose(const char *shape)
{
    if (!hd_yard_choose(shape))
        fail("with_hdis: there is no shape %s", shape);
}

static int make(const char *folder, const char *key_file, uint64_t n_rows, uint64_t seed,
                const char *shape)
{
    hd_err err;
    choose(shape);
    must(hd_yard_make_vault(folder, key_file, n_rows, seed, &err), &err);
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

static void open_limited(server *s, const hd_engine_limits *limits)
{
    hd_err err;
    must(hd_vault_open(&s->vault, s->folder, s->key_file, false, &err), &err);
    must(hd_engine_open_limited(&s->engine, s->vault, s->catalogue, limits, &err), &err);
}

static void open_data(server *s)
{
    open_limited(s, &(hd_engine_limits){0});
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

/* Why DuckDB runs it inside hdis, where the kernel does not. */
static void put_reason(server *s, const char *sql)
{
    hd_err err;
    hd_question *q;
    must(hd_engine_ask(s->engine, sql, &q, &err), &err);
    if (q->fallback_reason)
        printf(",\"why\":\"%s\"", q->fallback_reason);
    hd_question_free(q);
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
    put_reason(s, q->sql);
    put_release(r);
    hd_release_free(r);
}

/* A first question with less memory than its columns take. The request's text is BYTES SQL. */
static void stream_request(server *s, const request *q)
{
    hd_err err;
    hd_release *r;
    char *sql;
    hd_engine_progress progress = {0};
    const hd_engine_limits limits = {.memory_bytes = strtoull(q->sql, &sql, 10),
                                     .progress = &progress};
    close_data(s);
    forget_pages(s->folder);
    open_limited(s, &limits);
    double start = now_ms(), cpu_start = processor_ms();
    if (hd_release_ask(&r, s->engine, s->policy, sql, &err) != HD_OK) {
        put_error(err.text);
    } else {
        double ms = now_ms() - start, cpu_ms = processor_ms() - cpu_start;
        put_times("ms", &ms, 1);
        put_times("cpu_ms", &cpu_ms, 1);
        printf(",\"streamed\":%s", atomic_load(&progress.streamed) ? "true" : "false");
        put_release(r);
        hd_release_free(r);
    }
    close_data(s); /* what comes next has no limit */
    open_data(s);
}

/* What a first question cannot save: reading and opening its columns, and nothing else. The request's
 * text is TABLE COLUMN..., `person` among them where people are told apart, or `begins` where it is enough
 * to know where one begins: that is read from the same blocks, and takes a bit a row. */
static void take_columns(server *s, char *text)
{
    hd_err err;
    hd_table *t;
    size_t columns[HD_YARD_COLUMNS], n = 0;
    uint64_t sealed, in_memory = 0;
    bool persons = false, begins = false;
    char *rest = NULL, *name = strtok_r(text, " ", &rest);
    close_data(s);
    forget_pages(s->folder);
    open_data(s);
    must(hd_vault_table(s->vault, name, &t, &err), &err);
    while ((name = strtok_r(NULL, " ", &rest)) && n < HD_YARD_COLUMNS) {
        int at = hd_table_find(t, name);
        if (at >= 0)
            columns[n++] = (size_t)at;
        persons = persons || strcmp(name, "person") == 0;
        begins = begins || strcmp(name, "begins") == 0;
    }
    for (size_t i = 0; i < n; i++)
        in_memory += hd_table_rows(t) * hd_table_width(t, columns[i]);
    in_memory += persons ? hd_table_rows(t) * sizeof(uint32_t) : begins ? hd_table_rows(t) / 8 : 0;
    double start = now_ms();
    must(hd_table_open_blocks(t, columns, n, persons || begins, &sealed, &err), &err);
    double ms = now_ms() - start;
    put_times("ms", &ms, 1);
    printf(",\"bytes\":%" PRIu64, in_memory);
    put_answer(&(answer){.rows = sealed});
}

static int serve(const char *folder, const char *key_file, const char *catalogue, const char *policy)
{
    hd_err err;
    server s = {.folder = folder, .key_file = key_file};
    request q = {0};
    must(hd_catalogue_open(&s.catalogue, catalogue, NULL, &err), &err);
    /* Answers are compared with those of programs that protect nothing under the policy `none` only. */
    must(hd_policy_open(&s.policy, hd_catalogue_default_folder(), policy, &err), &err);
    open_data(&s);
    while (next_request(&q))
        if (q.is_taking)
            take_columns(&s, q.sql);
        else if (q.is_streaming)
            stream_request(&s, &q);
        else
            answer_request(&s, &q);
    close_data(&s);
    hd_policy_free(s.policy);
    hd_catalogue_close(s.catalogue);
    return 0;
}

static int bandwidth(void)
{
    hd_err err;
    double speed;
    must(hd_machine_read_speed(&speed, &err), &err);
    printf("%.3f\n", speed / 1e9);
    return 0;
}

/* How many codes each column has. */
static int columns(const char *shape)
{
    choose(shape);
    for (hd_yard_table t = 0; t < HD_YARD_TABLES; t++)
        for (const hd_yard_column *c = hd_yard_columns[t]; c->name; c++)
            printf("%s %s %" PRIu32 "\n", hd_yard_names[t], c->name, c->limit);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 7 && strcmp(argv[1], "make") == 0)
        return make(argv[2], argv[3], strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10), argv[6]);
    if (argc == 3 && strcmp(argv[1], "columns") == 0)
        return columns(argv[2]);
    if (argc == 6 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2], argv[3], argv[4], argv[5]);
    if (argc == 2 && strcmp(argv[1], "bandwidth") == 0)
        return bandwidth();
    fprintf(stderr, "usage: with_hdis make VAULT KEY-FILE ROWS SEED SHAPE | serve VAULT KEY-FILE "
                    "CATALOGUE POLICY | bandwidth | columns SHAPE\n");
    return 2;
}
