/* load.c - see load.h. */
#include "landing/load.h"
#include "base/alloc.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "derive/derive.h"
#include "landing/link.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_YEARS = 128 };

struct year {
    int data_year, part_year;
};

struct hd_load {
    hd_vault *vault;
    const hd_catalogue *catalogue;
    const hd_table_def *table;
    const hd_load_options *options;
    hd_intake_options intake_options; /* with the columns to leave out added */
    hd_names left_out;
    hd_intake *intake;
    hd_builder *builder;
    hd_persons *persons;
    hd_link *link;
    hd_extract *extracts; /* in force before */
    size_t n_extracts;
    struct year years[MAX_YEARS];
    size_t n_years;
    uint64_t version;
};

static uint32_t person_of_key(void *ctx, uint64_t key)
{
    const hd_load *l = ctx;
    return l->link ? hd_link_person(l->link, key) : 0;
}

/* A file's year is known: may it replace what the vault holds? */
static hd_code on_year(void *ctx, const char *file, int data_year, int part_year, hd_err *err)
{
    hd_load *l = ctx;
    for (size_t i = 0; i < l->n_years; i++)
        if (l->years[i].data_year == data_year)
            return HD_OK; /* another part of one extract; the intake lets no two extracts in */
    for (size_t i = 0; i < l->n_extracts; i++) {
        const hd_extract *x = &l->extracts[i];
        if (strcmp(x->table, l->table->name) == 0 && x->data_year == data_year &&
            x->part_year > part_year && !l->options->replaces_newer)
            return hd_fail(err, HD_CONFLICT,
                           "%s is extract %d of a year of which the vault holds the later extract "
                           "%d; --replace-newer replaces it all the same",
                           file, part_year, x->part_year);
    }
    if (l->n_years == MAX_YEARS)
        return hd_fail(err, HD_LIMIT, "more than %d data years in one load", MAX_YEARS);
    l->years[l->n_years++] = (struct year){data_year, part_year};
    return HD_OK;
}

/* ---- reading -------------------------------------------------------------------------------- */

static hd_code open_link(hd_load *l, hd_err *err)
{
    const hd_table_def *t = l->table;
    hd_table *from;
    if (!t->from || !*t->from || !hd_link_depends(t, t->from) ||
        !hd_vault_has_table(l->vault, t->from))
        return HD_OK;
    HD_TRY(hd_vault_table(l->vault, t->from, &from, err));
    return hd_link_new(&l->link, from, hd_table_def_parameter(t, "key", t->key), err);
}

static hd_code read_files(hd_load *l, const hd_sink *sink, char *const *files, size_t n_files,
                          hd_err *err)
{
    hd_intake_free(l->intake);
    l->intake = NULL;
    HD_TRY(hd_intake_new(&l->intake, l->catalogue, l->table, &l->intake_options, sink, err));
    for (size_t i = 0; i < n_files; i++)
        HD_TRY(hd_intake_file(l->intake, files[i], err));
    hd_intake_finish(l->intake);
    return HD_OK;
}

/* Identifiers are allowed to be there, not to be stored: a first reading finds the columns that
 * hold them, the second leaves them out. */
static hd_code find_left_out(hd_load *l, char *const *files, size_t n_files, hd_err *err)
{
    HD_TRY(read_files(l, NULL, files, n_files, err));
    const hd_quality *q = hd_intake_quality(l->intake);
    for (size_t i = 0; i < q->n_findings; i++) {
        bool known = false;
        for (size_t k = 0; k < l->left_out.n; k++)
            known |= strcmp(l->left_out.items[k], q->findings[i].column) == 0;
        if (known)
            continue;
        if (!HD_GROW(l->left_out.items, l->left_out.n, l->left_out.cap))
            return hd_fail_nomem(err);
        char *name = hd_strdup(q->findings[i].column);
        if (!name)
            return hd_fail_nomem(err);
        l->left_out.items[l->left_out.n++] = name;
    }
    l->intake_options.left_out = (const char *const *)l->left_out.items;
    l->intake_options.n_left_out = l->left_out.n;
    return HD_OK;
}

static hd_code read_all(hd_load *l, char *const *files, size_t n_files, hd_err *err)
{
    hd_code rc;
    hd_column_spec *specs = NULL;
    size_t n_specs;
    hd_sink sink = {
        .vault = l->vault, .person_of_key = person_of_key, .ctx = l, .on_year = on_year};
    if (l->options->intake.allows_identifiers)
        HD_TRY(find_left_out(l, files, n_files, err));
    HD_TRY(hd_intake_columns(l->table, &specs, &n_specs, err));
    HD_GO(hd_builder_new(&l->builder, l->vault, l->table->name, specs, n_specs, err));
    HD_GO(hd_persons_open(&l->persons, l->vault, err));
    sink.builder = l->builder;
    sink.persons = l->persons;
    HD_GO(open_link(l, err));
    HD_GO(read_files(l, &sink, files, n_files, err));
    HD_GO(hd_intake_verdict(l->intake, err));
out:
    hd_free(specs);
    return rc;
}

/* ---- publishing ----------------------------------------------------------------------------- */

static bool is_loaded_year(const hd_load *l, int64_t data_year)
{
    for (size_t i = 0; i < l->n_years; i++)
        if (l->years[i].data_year == data_year)
            return true;
    return false;
}

/* Rows of the years that these files do not replace go into the new table unchanged. */
static hd_code carry_over(hd_load *l, hd_err *err)
{
    hd_code rc;
    hd_table *old;
    uint8_t *keep = NULL, *keep_code = NULL;
    int64_t *order = NULL;
    const hd_column *years;
    if (!hd_vault_has_table(l->vault, l->table->name))
        return HD_OK;
    HD_TRY(hd_vault_table(l->vault, l->table->name, &old, err));
    uint64_t rows = hd_table_rows(old), kept = 0;
    int at = hd_table_find(old, "data_year");
    HD_ALWAYS(at >= 0);
    const hd_dictionary *d = hd_table_dictionary(old, (size_t)at);
    keep = hd_calloc((size_t)rows, 1);
    keep_code = hd_calloc(d->n_codes, 1);
    if (!keep || !keep_code)
        HD_GO(hd_fail_nomem(err));
    for (uint32_t c = 1; c < d->n_codes; c++)
        keep_code[c] = !is_loaded_year(l, d->integers[c]);
    HD_GO(hd_table_load(old, (size_t)at, &years, err));
    for (uint64_t r = 0; r < rows; r++)
        kept += keep[r] = keep_code[hd_code_at(years, r)];
    hd_table_unload(old, (size_t)at);
    if (kept == 0)
        goto out;
    HD_GO(hd_order_of_table(old, l->table, &order, err));
    HD_GO(hd_builder_copy(l->builder, old, keep, order, err));
out:
    hd_free(order);
    hd_free(keep);
    hd_free(keep_code);
    return rc;
}

/* What the ledger keeps of one year: counts over its files, and a digest of the bytes: the file's
 * own when it is one, else the digest of the files' digests in the order they were given. */
static void describe_year(const hd_load *l, const struct year *y, hd_extract *x)
{
    const hd_quality *q = hd_intake_quality(l->intake);
    hd_sha256 digest;
    size_t n_files = 0, used = 0;
    *x = (hd_extract){.data_year = y->data_year, .part_year = y->part_year};
    snprintf(x->table, sizeof x->table, "%s", l->table->name);
    hd_sha256_begin(&digest);
    for (size_t i = 0; i < q->n_files; i++) {
        const hd_file_summary *f = &q->files[i];
        if (f->data_year != y->data_year)
            continue;
        x->rows_read += f->rows_read;
        x->rows_kept += f->rows_kept;
        x->rows_rejected += f->rows_rejected;
        x->rows_opted_out += f->rows_opted_out;
        if (used < sizeof x->files)
            used += (size_t)snprintf(x->files + used, sizeof x->files - used, "%s%s",
                                     n_files ? "," : "", f->name);
        hd_sha256_add(&digest, f->digest, strlen(f->digest));
        memcpy(x->digest, f->digest, sizeof x->digest);
        n_files++;
    }
    if (n_files > 1) {
        uint8_t bytes[HD_DIGEST];
        hd_sha256_end(&digest, bytes);
        hd_hex(x->digest, bytes, sizeof bytes);
    }
}

static hd_code relink(const hd_load *l, hd_publish *p, hd_err *err)
{
    for (size_t i = 0; i < hd_catalogue_n_tables(l->catalogue); i++) {
        const hd_table_def *t = hd_catalogue_table_at(l->catalogue, i);
        if (!hd_link_depends(t, l->table->name))
            continue;
        HD_TRY(hd_link_again(p, l->vault, t, err));
        HD_TRY(hd_derive_tables(p, l->vault, l->catalogue, t->name, err));
    }
    return HD_OK;
}

static hd_code publish(hd_load *l, hd_err *err)
{
    hd_code rc;
    hd_publish *p;
    char what[128];
    size_t used = (size_t)snprintf(what, sizeof what, "load %s", l->table->name);
    HD_TRY(hd_publish_begin(&p, l->vault, err));
    HD_GO(hd_publish_table(p, l->builder, err));
    hd_builder_free(l->builder); /* its staged rows are in the table now */
    l->builder = NULL;
    HD_GO(hd_publish_persons(p, l->persons, err));
    for (size_t i = 0; i < l->n_years; i++) {
        hd_extract x;
        describe_year(l, &l->years[i], &x);
        HD_GO(hd_publish_extract(p, &x, err));
        if (used < sizeof what)
            used += (size_t)snprintf(what + used, sizeof what - used, " %d", x.part_year);
    }
    HD_GO(relink(l, p, err));
    HD_GO(hd_derive_tables(p, l->vault, l->catalogue, l->table->name, err));
    HD_GO(hd_publish_commit(p, what, err));
    l->version = hd_vault_data_version(l->vault);
out:
    hd_publish_free(p);
    return rc;
}

hd_code hd_load_files(hd_load **out, hd_vault *v, const hd_catalogue *c, const hd_table_def *t,
                      const hd_load_options *options, char *const *files, size_t n_files,
                      hd_err *err)
{
    hd_load *l = hd_calloc(1, sizeof *l);
    *out = l;
    if (!l)
        return hd_fail_nomem(err);
    *l = (hd_load){.vault = v,
                   .catalogue = c,
                   .table = t,
                   .options = options,
                   .intake_options = options->intake};
    HD_TRY(hd_vault_extracts(v, &l->extracts, &l->n_extracts, err));
    HD_TRY(read_all(l, files, n_files, err));
    HD_TRY(carry_over(l, err));
    return publish(l, err);
}

void hd_load_free(hd_load *l)
{
    if (!l)
        return;
    hd_intake_free(l->intake);
    hd_builder_free(l->builder);
    hd_persons_free(l->persons);
    hd_link_free(l->link);
    hd_free(l->extracts);
    hd_names_free(&l->left_out);
    hd_free(l);
}

const hd_quality *hd_load_quality(const hd_load *l)
{
    return l && l->intake ? hd_intake_quality(l->intake) : NULL;
}

const hd_names *hd_load_left_out(const hd_load *l)
{
    return &l->left_out;
}

uint64_t hd_load_version(const hd_load *l)
{
    return l->version;
}
