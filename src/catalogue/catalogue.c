/* catalogue.c - see catalogue.h: open, close, and every accessor.
 *
 * Opening reads all files, resolves and checks them; after that nothing changes any more, so the
 * accessors need no lock.
 */
#include "catalogue/model.h"

#include "base/alloc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* ---- memory and names ------------------------------------------------------------------------ */

void *hd_keep(hd_catalogue *c, size_t n, size_t size)
{
    if (size && n > (SIZE_MAX - sizeof(block)) / size)
        return NULL;
    block *b = hd_calloc(1, sizeof *b + n * size);
    if (!b)
        return NULL;
    b->next = c->blocks;
    c->blocks = b;
    return b->bytes;
}

const char *hd_keep_printf(hd_catalogue *c, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *s = n < 0 ? NULL : hd_keep(c, (size_t)n + 1, 1);
    if (s)
        vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}

/* The next %02d or %d in s, and its length; NULL when there is none. */
static const char *next_position(const char *s, size_t *len)
{
    for (; (s = strchr(s, '%')); s++) {
        *len = strncmp(s, "%02d", 4) == 0 ? 4 : strncmp(s, "%d", 2) == 0 ? 2 : 0;
        if (*len)
            return s;
    }
    return NULL;
}

bool hd_has_position(const char *pattern)
{
    size_t len;
    return next_position(pattern, &len) != NULL;
}

const char *hd_keep_position(hd_catalogue *c, const char *pattern, unsigned position)
{
    hd_buf b;
    size_t len;
    const char *s = pattern, *at;
    hd_buf_init(&b, 1 << 20);
    for (; (at = next_position(s, &len)); s = at + len) {
        hd_buf_add(&b, s, (size_t)(at - s));
        hd_buf_printf(&b, len == 4 ? "%02u" : "%u", position);
    }
    hd_buf_str(&b, s);
    const char *out = hd_buf_ok(&b) ? hd_keep_printf(c, "%s", b.data) : NULL;
    hd_buf_free(&b);
    return out;
}

bool hd_fits_position(const char *pattern, const char *name, size_t len, unsigned *position)
{
    size_t width, used;
    unsigned n = 0;
    const char *at = next_position(pattern, &width);
    size_t before = at ? (size_t)(at - pattern) : 0;
    if (!at || len <= before || strncasecmp(pattern, name, before) != 0)
        return false;
    for (used = 0; before + used < len && isdigit((unsigned char)name[before + used]); used++) {
        if (used == 3)
            return false;
        n = n * 10 + (unsigned)(name[before + used] - '0');
    }
    bool padded = used > 0 && name[before] == '0';
    if (used == 0 || n == 0 || (width == 4 ? used < 2 || (used > 2 && padded) : padded))
        return false;
    const char *rest = at + width;
    if (strlen(rest) != len - before - used ||
        strncasecmp(rest, name + before + used, strlen(rest)) != 0)
        return false;
    *position = n;
    return true;
}

bool hd_is_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return n > 0 && n <= 62 && s[n] == '\0' && s[0] >= 'a' && s[0] <= 'z';
}

/* ---- open ------------------------------------------------------------------------------------ */

hd_code hd_catalogue_read(hd_catalogue *c, const char *relative, const hd_yaml_shape *shape,
                          hd_yaml **out, hd_err *err)
{
    const char *path = hd_keep_printf(c, "%s/%s", c->folder, relative);
    if (!path || !HD_GROW(c->files, c->n_files, c->cap_files))
        return hd_fail_nomem(err);
    HD_TRY(hd_yaml_read(out, path, shape, err));
    c->files[c->n_files++] = *out;
    return HD_OK;
}

static int is_yaml(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 5 && e->d_name[0] != '.' && strcmp(e->d_name + n - 5, ".yaml") == 0;
}

static hd_code read_table(hd_catalogue *c, const char *part, const char *file, hd_err *err)
{
    draft_table *t;
    const char *relative = hd_keep_printf(c, "%s/%s", part, file);
    if (!relative || !HD_GROW(c->tables, c->n_tables, c->cap_tables))
        return hd_fail_nomem(err);
    t = &c->tables[c->n_tables];
    *t = (draft_table){.is_built = strcmp(part, "tables") == 0};
    HD_TRY(hd_catalogue_read(c, relative, &raw_table_shape, &t->file, err));
    t->raw = hd_yaml_data(t->file);
    size_t len = strlen(t->raw->name);
    if (strlen(file) != len + 5 || strncmp(file, t->raw->name, len) != 0)
        return hd_yaml_fail(t->file, err, "name", "the file must be called %s.yaml", t->raw->name);
    c->n_tables++;
    return HD_OK;
}

static hd_code read_tables(hd_catalogue *c, const char *part, hd_err *err)
{
    struct dirent **names = NULL;
    hd_code rc = HD_OK;
    const char *path = hd_keep_printf(c, "%s/%s", c->folder, part);
    if (!path)
        return hd_fail_nomem(err);
    int n = scandir(path, &names, is_yaml, alphasort);
    if (n < 0)
        return errno == ENOMEM ? hd_fail_nomem(err) : hd_fail_os(err, "cannot read %s", path);
    for (int i = 0; i < n; i++) {
        if (rc == HD_OK)
            rc = read_table(c, part, names[i]->d_name, err);
        free(names[i]); /* scandir's own */
    }
    free(names);
    return rc;
}

static hd_code read_all(hd_catalogue *c, hd_err *err)
{
    HD_TRY(hd_catalogue_read(c, "code_sets.yaml", &raw_code_sets_shape, &c->code_sets_file, err));
    c->code_sets = hd_yaml_data(c->code_sets_file);
    HD_TRY(hd_catalogue_read(c, "identifying.yaml", &raw_identifying_shape, &c->identifying_file,
                             err));
    c->identifying = hd_yaml_data(c->identifying_file);
    HD_TRY(read_tables(c, "datasets", err));
    HD_TRY(read_tables(c, "tables", err));
    HD_TRY(hd_catalogue_read_macros(c, err));
    HD_TRY(hd_catalogue_read_lookups(c, err));
    HD_TRY(hd_catalogue_read_codelists(c, err));
    HD_TRY(hd_catalogue_resolve(c, err));
    HD_TRY(hd_catalogue_check(c, err));
    return hd_catalogue_compute_version(c, err);
}

hd_code hd_catalogue_open(hd_catalogue **out, const char *folder, const char *overlay, hd_err *err)
{
    struct stat st;
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
        return hd_fail(err, HD_NOTFOUND, "no catalogue at %s: HDIS_CATALOGUE names its folder",
                       folder);
    hd_catalogue *c = hd_calloc(1, sizeof *c);
    if (!c)
        return hd_fail_nomem(err);
    c->folder = hd_strdup(folder);
    c->overlay = overlay ? hd_strdup(overlay) : NULL;
    hd_code rc = c->folder && (c->overlay || !overlay) ? read_all(c, err) : hd_fail_nomem(err);
    if (rc != HD_OK) {
        hd_catalogue_close(c);
        return rc;
    }
    *out = c;
    return HD_OK;
}

void hd_catalogue_close(hd_catalogue *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_tables; i++)
        hd_free(c->tables[i].drafts);
    hd_free(c->tables);
    for (size_t i = 0; i < c->n_files; i++)
        hd_yaml_free(c->files[i]);
    hd_free(c->files);
    while (c->blocks) {
        block *next = c->blocks->next;
        hd_free(c->blocks);
        c->blocks = next;
    }
    hd_free(c->folder);
    hd_free(c->overlay);
    hd_free(c);
}

/* ---- accessors ------------------------------------------------------------------------------- */

const char *hd_catalogue_default_folder(void)
{
    const char *s = getenv("HDIS_CATALOGUE");
    return s && *s ? s : HD_CATALOGUE_DIR;
}

const char *hd_catalogue_folder(const hd_catalogue *c)
{
    return c->folder;
}

const char *hd_catalogue_version(const hd_catalogue *c)
{
    return c->version;
}

size_t hd_catalogue_n_tables(const hd_catalogue *c)
{
    return c->n_tables;
}

const hd_table_def *hd_catalogue_table_at(const hd_catalogue *c, size_t i)
{
    return &c->tables[i].def;
}

draft_table *hd_catalogue_draft(const hd_catalogue *c, const char *table)
{
    for (size_t i = 0; i < c->n_tables; i++)
        if (strcmp(c->tables[i].raw->name, table) == 0)
            return &c->tables[i];
    return NULL;
}

const hd_table_def *hd_catalogue_table(const hd_catalogue *c, const char *name)
{
    const draft_table *t = hd_catalogue_draft(c, name);
    return t ? &t->def : NULL;
}

const hd_field *hd_table_def_field(const hd_table_def *t, const char *name)
{
    for (size_t i = 0; i < t->n_fields; i++)
        if (strcmp(t->fields[i].name, name) == 0)
            return &t->fields[i];
    return NULL;
}

const hd_field *hd_table_def_element(const hd_table_def *t, const char *name, unsigned *position)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < t->n_fields; i++) {
        const hd_field *f = &t->fields[i];
        for (size_t k = 0; k < f->n_element_names; k++) {
            unsigned p;
            if (hd_fits_position(f->element_names[k], name, len, &p) &&
                (f->n_elements == 0 || p <= f->n_elements)) {
                *position = p;
                return f;
            }
        }
    }
    return NULL;
}

hd_header hd_table_def_header(const hd_table_def *t, const char *name, size_t len)
{
    hd_header none = {HD_HEADER_UNKNOWN, NULL, 0, 0};
    for (size_t i = 0; i < t->n_fields; i++) {
        const hd_field *f = &t->fields[i];
        for (size_t k = 0; k < f->n_columns; k++) {
            unsigned p;
            if (f->kind == HD_FIELD_LIST) {
                if (hd_fits_position(f->columns[k], name, len, &p) && p <= f->n_elements)
                    return (hd_header){HD_HEADER_ELEMENT, f, k, p};
            } else if (strlen(f->columns[k]) == len && strncasecmp(f->columns[k], name, len) == 0) {
                return (hd_header){HD_HEADER_FIELD, f, k, 0};
            }
        }
    }
    for (size_t i = 0; i < t->n_ignored; i++) {
        unsigned p;
        if ((strlen(t->ignored[i]) == len && strncasecmp(t->ignored[i], name, len) == 0) ||
            hd_fits_position(t->ignored[i], name, len, &p)) {
            none.use = HD_HEADER_IGNORED;
            break;
        }
    }
    return none;
}

const char *hd_table_def_parameter(const hd_table_def *t, const char *name, const char *fallback)
{
    for (size_t i = 0; i < t->n_parameters; i++)
        if (strcmp(t->parameters[i].name, name) == 0)
            return t->parameters[i].value;
    return fallback;
}

const hd_codelist *hd_catalogue_codelist(const hd_catalogue *c, const char *name)
{
    for (size_t i = 0; i < c->n_codelists; i++)
        if (strcmp(c->codelists[i].name, name) == 0)
            return &c->codelists[i];
    return NULL;
}

size_t hd_catalogue_n_lookups(const hd_catalogue *c)
{
    return c->n_lookups;
}

const hd_lookup *hd_catalogue_lookup_at(const hd_catalogue *c, size_t i)
{
    return &c->lookups[i];
}

const hd_lookup *hd_catalogue_lookup(const hd_catalogue *c, const char *name)
{
    for (size_t i = 0; i < c->n_lookups; i++)
        if (strcmp(c->lookups[i].name, name) == 0)
            return &c->lookups[i];
    return NULL;
}

size_t hd_catalogue_n_macros(const hd_catalogue *c)
{
    return c->n_macros;
}

const char *hd_catalogue_macro_at(const hd_catalogue *c, size_t i, const char **name)
{
    if (name)
        *name = c->macros[i].name;
    return c->macros[i].sql;
}
