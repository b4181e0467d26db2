/* derive.c - see derive.h: which tables to rebuild, and by which derivation. */
#include "derive/derive.h"

#include <string.h>

#include "base/alloc.h"
#include "derive/derivation.h"

static const hd_derivation *const derivations[] = {
    &hd_provider_spell,
    &hd_continuous_spell,
    &hd_delivery,
};

static hd_code find_derivation(const hd_table_def *def, const hd_derivation **out, hd_err *err)
{
    for (size_t i = 0; i < sizeof derivations / sizeof *derivations; i++) {
        *out = derivations[i];
        if (strcmp(def->derivation, (*out)->name) == 0)
            return HD_OK;
    }
    return hd_fail(err, HD_FORMAT, "table %s: there is no derivation named %s", def->name,
                   def->derivation);
}

static hd_code check_parameters(const hd_table_def *def, const hd_derivation *d, hd_err *err)
{
    for (size_t i = 0; i < def->n_parameters; i++) {
        size_t k = 0;
        while (d->parameters[k] && strcmp(d->parameters[k], def->parameters[i].name) != 0)
            k++;
        if (!d->parameters[k])
            return hd_fail(err, HD_FORMAT, "table %s: derivation %s has no parameter %s", def->name,
                           d->name, def->parameters[i].name);
    }
    return HD_OK;
}

hd_code hd_derivation_days(const hd_table_def *def, const char *name, const char *fallback,
                           int32_t *out, hd_err *err)
{
    const char *text = hd_table_def_parameter(def, name, fallback);
    size_t len = strlen(text);
    *out = 0;
    for (size_t i = 0; i < len; i++)
        *out = *out * 10 + (text[i] - '0');
    if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
        return hd_fail(err, HD_FORMAT, "table %s: parameter %s must be a whole number", def->name,
                       name);
    return HD_OK;
}

static hd_code rebuild(hd_publish *p, hd_vault *v, const hd_catalogue *c, const hd_table_def *def,
                       hd_err *err)
{
    hd_code rc;
    hd_source source = {0};
    hd_output *out = NULL;
    const hd_derivation *d;
    const hd_table_def *from = hd_catalogue_table(c, def->from);
    HD_GO(find_derivation(def, &d, err));
    HD_GO(check_parameters(def, d, err));
    HD_ALWAYS(from); /* the catalogue checks it */
    HD_GO(hd_source_open(&source, p, from, err));
    HD_GO(hd_output_open(&out, v, def, &source, d->computed, d->n_computed, err));
    HD_GO(d->run(def, &source, out, err));
    HD_GO(hd_output_end(out, err));
    hd_source_close(&source); /* before the table is sorted and written: memory */
    HD_GO(hd_output_publish(out, p, err));
out:
    hd_output_free(out);
    hd_source_close(&source);
    return rc;
}

hd_code hd_derive_tables(hd_publish *p, hd_vault *v, const hd_catalogue *c,
                         const char *changed_table, hd_err *err)
{
    size_t n = hd_catalogue_n_tables(c), n_changed = 1;
    const char **changed = hd_calloc(n + 1, sizeof *changed);
    if (!changed)
        return hd_fail_nomem(err);
    hd_code rc = HD_OK;
    changed[0] = changed_table;
    for (size_t k = 0; k < n_changed; k++)
        for (size_t i = 0; i < n; i++) {
            const hd_table_def *def = hd_catalogue_table_at(c, i);
            if (!def->is_built || strcmp(def->from, changed[k]) != 0)
                continue;
            if (n_changed > n) {
                rc = hd_fail(err, HD_FORMAT, "table %s is built from itself", def->name);
                goto out;
            }
            HD_GO(rebuild(p, v, c, def, err));
            changed[n_changed++] = def->name;
        }
out:
    hd_free(changed);
    return rc;
}
