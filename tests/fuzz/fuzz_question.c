/* fuzz_question.c - any bytes as a question in SQL: they end in a refusal of one line or in a
 * checked question; a checked question runs, and what stands above its aggregates reads nothing
 * else.
 *
 * The vault is the small one of tests/oracle, made at the first input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../oracle/world.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "engine/cells.h"
#include "engine/question.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[64];

static void remove_root(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    if (system(command) != 0)
        fprintf(stderr, "%s is left behind\n", root);
}

static void must(hd_code rc, const hd_err *err)
{
    if (rc == HD_OK)
        return;
    fprintf(stderr, "%s\n", err->text);
    abort();
}

static hd_engine *open_engine(void)
{
    hd_err err;
    hd_vault *v;
    hd_catalogue *c;
    hd_engine *e;
    table tables[N_TABLES];
    char folder[96], key_file[96], catalogue[512];
    const char *source = getenv("HDIS_SOURCE");
    snprintf(root, sizeof root, "/tmp/hdis-fuzz-XXXXXX");
    if (!mkdtemp(root))
        abort();
    atexit(remove_root);
    snprintf(folder, sizeof folder, "%s/vault", root);
    snprintf(key_file, sizeof key_file, "%s/keys/vault.key", root);
    snprintf(catalogue, sizeof catalogue, "%s/tests/oracle/catalogue", source ? source : ".");
    world_make(tables, 1);
    world_store(tables, folder, key_file);
    world_free(tables);
    must(hd_catalogue_open(&c, catalogue, NULL, &err), &err);
    must(hd_vault_open(&v, folder, key_file, false, &err), &err);
    must(hd_engine_open(&e, v, c, &err), &err);
    return e;
}

static void check_refusal(hd_code rc, const hd_err *err)
{
    HD_ALWAYS(err->code == rc && err->text[0] != '\0' && !strchr(err->text, '\n'));
}

/* Columns k0.., a0.. of the question's types and nothing else. */
static void make_figures(hd_engine *e, const hd_question *q)
{
    static const char *const types[] = {"VARCHAR", "BIGINT", "DOUBLE", "DATE", "BOOLEAN"};
    hd_err err;
    hd_buf sql;
    hd_buf_init(&sql, 1u << 20);
    hd_buf_str(&sql, "CREATE OR REPLACE TABLE figures (\"#\" INTEGER");
    for (size_t i = 0; i < q->n_keys; i++)
        hd_buf_printf(&sql, ", k%zu %s", i, types[q->keys[i].type]);
    for (size_t i = 0; i < q->n_aggregates; i++)
        hd_buf_printf(&sql, ", a%zu %s", i, types[q->aggregates[i].type]);
    hd_buf_char(&sql, ')');
    HD_ALWAYS(hd_buf_ok(&sql));
    must(hd_duck_run(hd_engine_duck(e), sql.data, &err), &err);
    hd_buf_free(&sql);
}

/* Text over figures may be wrong in type, but never name anything that is not a figure. */
static void check_above(hd_engine *e, const char *text)
{
    hd_err err;
    hd_buf sql;
    hd_duck_result *r = NULL;
    if (!text)
        return;
    hd_buf_init(&sql, 1u << 22);
    hd_buf_printf(&sql, "SELECT %s FROM figures", text);
    HD_ALWAYS(hd_buf_ok(&sql));
    if (hd_duck_query(hd_engine_duck(e), sql.data, &r, &err) != HD_OK)
        HD_ALWAYS(!strstr(err.text, "Referenced") && !strstr(err.text, "not found"));
    hd_duck_result_free(r);
    hd_buf_free(&sql);
}

static void check_question(hd_engine *e, const hd_question *q)
{
    HD_ALWAYS(q->n_outputs > 0 && q->n_keys + q->n_aggregates > 0 && q->n_aggregates <= 64);
    make_figures(e, q);
    for (size_t i = 0; i < q->n_outputs; i++)
        check_above(e, q->outputs[i].sql);
    for (size_t i = 0; i < q->n_order; i++)
        check_above(e, q->order[i].sql);
    check_above(e, q->having);
}

static void run_question(hd_engine *e, const hd_question *q)
{
    hd_err err = {0};
    hd_cells *c;
    hd_code rc = hd_engine_run(e, q, HD_ROUTE_BEST, &c, &err);
    if (rc != HD_OK) {
        check_refusal(rc, &err);
        return;
    }
    HD_ALWAYS(c->n_keys == q->n_keys && c->n_aggregates == q->n_aggregates);
    for (size_t i = 0; i < c->n_cells; i++)
        HD_ALWAYS(c->all.persons[i] <= c->all.records[i]);
    for (size_t i = 0; i < c->n_cells * c->n_aggregates; i++) {
        const hd_cell f = hd_cells_figure(c, i / c->n_aggregates, i % c->n_aggregates);
        HD_ALWAYS(f.persons <= f.records && f.records <= c->all.records[i / c->n_aggregates]);
    }
    hd_cells_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static hd_engine *engine;
    if (!engine)
        engine = open_engine();
    char *sql = hd_strndup((const char *)data, size);
    hd_err err = {0};
    hd_question *q;
    if (!sql)
        abort();
    hd_code rc = hd_engine_ask(engine, sql, &q, &err);
    if (rc == HD_OK) {
        check_question(engine, q);
        run_question(engine, q);
        hd_question_free(q);
    } else {
        check_refusal(rc, &err);
    }
    hd_free(sql);
    return 0;
}
