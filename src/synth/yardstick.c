/* yardstick.c - a vault with the tables of the yardstick; see yardstick.h. */
#include "synth/yardstick.h"
#include "base/alloc.h"
#include "vault/vault.h"

#include <stdio.h>

/* What a table needs on its way into the vault. */
struct maker {
    hd_builder *builder;
    size_t n_columns;
    uint32_t *code_of[HD_YARD_COLUMNS]; /* of every value beforehand, so that a row costs one look */
    uint32_t *codes[HD_YARD_COLUMNS];   /* of a chunk */
    int64_t *order;
    hd_yard_chunk *chunk;
    hd_yard_source *source;
};

static void name_columns(hd_yard_table table, hd_column_spec *specs, size_t *n)
{
    const hd_yard_column *c = hd_yard_columns[table];
    for (*n = 0; c[*n].name; ++*n) {
        snprintf(specs[*n].name, sizeof specs[*n].name, "%s", c[*n].name);
        specs[*n].kind = HD_COLUMN_CODES;
        specs[*n].type = c[*n].is_date ? HD_DATE : HD_INTEGER;
    }
}

static hd_code take_codes(struct maker *m, hd_yard_table table, hd_err *err)
{
    for (size_t k = 0; k < m->n_columns; k++) {
        const hd_yard_column *c = &hd_yard_columns[table][k];
        m->code_of[k] = hd_calloc(c->limit, sizeof *m->code_of[k]);
        m->codes[k] = hd_calloc(HD_YARD_CHUNK, sizeof *m->codes[k]);
        if (!m->code_of[k] || !m->codes[k])
            return hd_fail_nomem(err);
        for (uint32_t i = 0; i < c->limit; i++) {
            const hd_value v = {.type = c->is_date ? HD_DATE : HD_INTEGER,
                                .integer = (int64_t)i + (c->is_date ? HD_YARD_FIRST_DAY : 0)};
            HD_TRY(hd_builder_code(m->builder, k, &v, &m->code_of[k][i], err));
        }
    }
    m->order = hd_calloc(HD_YARD_CHUNK, sizeof *m->order); /* they come in order */
    m->chunk = hd_calloc(1, sizeof *m->chunk);
    m->source = hd_calloc(1, sizeof *m->source);
    return m->order && m->chunk && m->source ? HD_OK : hd_fail_nomem(err);
}

static hd_code append_all(struct maker *m, hd_err *err)
{
    hd_rows_column columns[HD_YARD_COLUMNS] = {0};
    for (size_t k = 0; k < m->n_columns; k++)
        columns[k].codes = m->codes[k];
    while (hd_yard_next(m->source, m->chunk) > 0) {
        for (size_t k = 0; k < m->n_columns; k++)
            for (size_t i = 0; i < m->chunk->n; i++)
                m->codes[k][i] = m->code_of[k][m->chunk->values[k][i]];
        const hd_rows rows = {m->chunk->n, m->chunk->persons, m->order, columns};
        HD_TRY(hd_builder_append(m->builder, &rows, err));
    }
    return HD_OK;
}

static hd_code make_table(hd_vault *v, hd_publish *p, hd_yard_table table, uint64_t n_rows,
                          uint64_t seed, hd_err *err)
{
    struct maker m = {0};
    hd_column_spec specs[HD_YARD_COLUMNS] = {0};
    hd_code rc;
    name_columns(table, specs, &m.n_columns);
    HD_GO(hd_builder_new(&m.builder, v, hd_yard_names[table], specs, m.n_columns, err));
    HD_GO(take_codes(&m, table, err));
    hd_yard_open(m.source, table, n_rows, seed);
    HD_GO(append_all(&m, err));
    HD_GO(hd_publish_table(p, m.builder, err));
out:
    for (size_t k = 0; k < m.n_columns; k++) {
        hd_free(m.code_of[k]);
        hd_free(m.codes[k]);
    }
    hd_free(m.order);
    hd_free(m.chunk);
    hd_free(m.source);
    hd_builder_free(m.builder);
    return rc;
}

hd_code hd_yard_make_vault(const char *folder, const char *key_file, uint64_t n_rows, uint64_t seed,
                           hd_err *err)
{
    hd_vault *v = NULL;
    hd_publish *p = NULL;
    hd_code rc;
    HD_GO(hd_vault_create(folder, key_file, err));
    HD_GO(hd_vault_open(&v, folder, key_file, true, err));
    HD_GO(hd_publish_begin(&p, v, err));
    for (hd_yard_table t = 0; t < HD_YARD_TABLES; t++)
        HD_GO(make_table(v, p, t, n_rows, seed, err));
    HD_GO(hd_publish_commit(p, "tables of the yardstick", err));
out:
    hd_publish_free(p);
    hd_vault_close(v);
    return rc;
}
