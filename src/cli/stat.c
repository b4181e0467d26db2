/* stat.c - `hdis stat METHOD`: find the method, its options and columns, and run it over the input.
 * Output goes to a file or standard output; up to 16 MB of it is held back, so that a refusal of an
 * ordinary table leaves nothing half written. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/par.h"
#include "cli/command.h"
#include "cli/stat_io.h"

enum { PART_ROWS = 1 << 13 };

static const hd_stat_method *const tables[] = {hd_stat_basic,     hd_stat_standard, hd_stat_funnel,
                                               hd_stat_spc,       hd_stat_cusum,    hd_stat_models,
                                               hd_stat_forecast,  hd_stat_fields,   hd_stat_compare,
                                               hd_stat_mortality, hd_stat_decompose};

static const hd_stat_option common_options[] = {
    {"in", "FILE", "read this file instead of standard input"},
    {"out", "FILE", "write this file instead of standard output"},
    {"settings", "FILE",
     "a table of options: its first column says which rows of the input each of "
     "its rows is for, the others bear the names of options"},
    {0}};
static const hd_stat_option level_options[] = {
    {"level", "LIST",
     "confidence levels, 0.95,0.998; default 0.95. Several give lower95, upper99_8"},
    {0}};
static const hd_stat_option group_options[] = {
    {"group", "COLUMNS", "columns whose equal values make a group, joined by commas"},
    {"sorted", NULL,
     "the rows of a group stand together: one group after the other is worked on and\n"
     "        forgotten, so a million need no memory (without it the whole table is held)"},
    {0}};

static const char stat_help[] =
    "usage: hdis stat METHOD [--in FILE] [--out FILE] [options]\n"
    "       hdis stat METHOD --help\n\n"
    "One statistical method applied to a CSV table: header row first, columns found by name (or "
    "by\n"
    "an option of that name: --numerator deaths), every other column passed through. Numbers read\n"
    "back exactly; blank in, blank out. A refusal is one line that names the row (the header is\n"
    "row 0) and the column. An input column with the name of a result is replaced by the "
    "result.\n"
    "Dates are 2024-04-01, 20240401, 2024/04/01 or 01/04/2024; a clock time behind one is "
    "ignored.\n"
    "A table has up to 4096 columns, a model up to 4096 coefficients; numbers are 0 or lie "
    "between\n"
    "1e-100 and 1e100 in size.\n\n";

static void print_methods(FILE *out)
{
    fputs(stat_help, out);
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const hd_stat_method *m = tables[t]; m->name; m++)
            fprintf(out, "  %-20s %s\n", m->name, m->summary);
}

static const hd_stat_method *find_method(const char *name)
{
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const hd_stat_method *m = tables[t]; m->name; m++)
            if (strcmp(m->name, name) == 0)
                return m;
    return NULL;
}

static void help_options(hd_buf *b, const hd_stat_option *o)
{
    for (; o && o->name; o++)
        hd_buf_printf(b, "  --%s%s%s\n        %s\n", o->name, o->value ? " " : "",
                      o->value ? o->value : "", o->help);
}

static void method_help(const hd_stat_method *m, hd_buf *b)
{
    hd_buf_printf(b, "usage: hdis stat %s [--in FILE] [--out FILE] [options]\n\n%s\n\ncolumns\n",
                  m->name, m->summary);
    for (const hd_stat_column *c = m->columns; c && c->name; c++)
        hd_buf_printf(b, "  %-16s %s%s\n", c->name, c->help, c->required ? "" : " (optional)");
    hd_buf_printf(b, "  another column is named with --ROLE COLUMN\n\nresults\n  %s\n\noptions\n",
                  m->output);
    help_options(b, m->options);
    if (m->grouped)
        help_options(b, group_options);
    if (m->levels)
        help_options(b, level_options);
    help_options(b, common_options);
    hd_buf_printf(b, "\nexample\n  %s\n", m->example);
}

/* --- Options ---------------------------------------------------------------------------------- */

static void add_option(hd_stat *s, const char *name)
{
    HD_ALWAYS(s->n_options < HD_STAT_OPTIONS);
    s->option_names[s->n_options++] = name;
}

static void add_options(hd_stat *s, const hd_stat_option *o)
{
    for (; o && o->name; o++)
        add_option(s, o->name);
}

static bool is_switch(const hd_stat_option *o, const char *name)
{
    for (; o && o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o->value == NULL;
    return false;
}

static int parse_options(hd_stat *s, const hd_command *c, int argc, char **argv)
{
    const hd_stat_method *m = s->method;
    hd_option parser[HD_STAT_OPTIONS + 1] = {0};
    char **operands;
    int n_operands;
    add_options(s, m->options);
    for (const hd_stat_column *k = m->columns; k && k->name; k++)
        add_option(s, k->name);
    if (m->grouped)
        add_options(s, group_options);
    if (m->levels)
        add_options(s, level_options);
    add_options(s, common_options);
    for (size_t i = 0; i < s->n_options; i++) {
        const char *name = s->option_names[i];
        parser[i].name = name;
        if (is_switch(m->options, name) || is_switch(group_options, name))
            parser[i].flag = &s->option_flags[i];
        else
            parser[i].value = &s->option_values[i];
    }
    int rc = hd_options(c, argc, argv, parser, &operands, &n_operands);
    if (rc == HD_EXIT_OK && n_operands > 0)
        return hd_usage_error(c, "unexpected argument: the input is named with --in");
    return rc;
}

static size_t option_at(const hd_stat *s, const char *name)
{
    size_t i = 0;
    while (i < s->n_options && strcmp(s->option_names[i], name) != 0)
        i++;
    return i;
}

const char *hd_stat_text(const hd_stat *s, const char *option)
{
    if (s->settings) {
        int column = hd_csv_column(s->settings, option);
        const char *cell = column > 0 ? hd_csv_cell(s->settings, s->settings_row, column) : "";
        if (cell[0])
            return cell;
    }
    size_t i = option_at(s, option);
    return i < s->n_options ? s->option_values[i] : NULL;
}

bool hd_stat_switch(const hd_stat *s, const char *option)
{
    if (s->settings) {
        int column = hd_csv_column(s->settings, option);
        const char *cell = column > 0 ? hd_csv_cell(s->settings, s->settings_row, column) : "";
        if (cell[0])
            return strcmp(cell, "0") != 0 && strcasecmp(cell, "no") != 0 &&
                   strcasecmp(cell, "false") != 0;
    }
    size_t i = option_at(s, option);
    return i < s->n_options && s->option_flags[i];
}

hd_code hd_stat_setting(const hd_stat *s, const char *option, double low, double high,
                        double otherwise, double *out, hd_err *err)
{
    const char *text = hd_stat_text(s, option);
    *out = otherwise;
    if (!text)
        return HD_OK;
    if (!hd_stat_parse(text, out) || *out < low || *out > high)
        return hd_fail(err, HD_INVALID, "--%s must be a number from %.10g to %.10g", option, low,
                       high);
    return HD_OK;
}

hd_code hd_stat_choice(const hd_stat *s, const char *option, const char *const *choices,
                       int otherwise, int *out, hd_err *err)
{
    const char *text = hd_stat_text(s, option);
    *out = otherwise;
    if (!text)
        return HD_OK;
    hd_buf list;
    hd_buf_init(&list, 400);
    for (int i = 0; choices[i]; i++) {
        if (strcmp(text, choices[i]) == 0) {
            *out = i;
            hd_buf_free(&list);
            return HD_OK;
        }
        hd_buf_printf(&list, "%s%s", i ? ", " : "", choices[i]);
    }
    hd_code rc = hd_fail(err, HD_INVALID, "--%s must be one of %s", option, list.data);
    hd_buf_free(&list);
    return rc;
}

unsigned hd_stat_levels(const hd_stat *s, const double **levels)
{
    *levels = s->levels;
    return s->n_levels;
}

static hd_code set_levels(hd_stat *s, hd_err *err)
{
    const char *text = hd_stat_text(s, "level");
    size_t n = 1;
    s->levels[0] = 0.95;
    if (text && !hd_stat_parse_list(text, ',', s->levels, HD_STAT_LEVELS, &n))
        return hd_fail(err, HD_INVALID, "--level must be up to %d numbers such as 0.95,0.998",
                       HD_STAT_LEVELS);
    for (size_t i = 0; i < n; i++) {
        if (!(s->levels[i] > 0 && s->levels[i] < 1))
            return hd_fail(err, HD_INVALID, "--level must lie between 0 and 1, such as 0.95");
        for (size_t k = 0; k < i; k++)
            if (s->levels[k] == s->levels[i])
                return hd_fail(err, HD_INVALID, "--level names a level twice");
    }
    s->n_levels = (unsigned)n;
    return n ? HD_OK : hd_fail(err, HD_INVALID, "--level must name at least one level");
}

static hd_code set_groups(hd_stat *s, hd_err *err)
{
    const char *text = s->method->grouped ? hd_stat_text(s, "group") : NULL;
    const char *usual = s->method->default_group;
    if (!text && usual && hd_stat_find(s, usual) >= 0)
        text = usual;
    s->n_group_columns = 0;
    while (text && *text) {
        char name[200];
        size_t len = strcspn(text, ",");
        if (len >= sizeof name || s->n_group_columns == 16)
            return hd_fail(err, HD_INVALID, "--group takes up to 16 column names");
        memcpy(name, text, len);
        name[len] = '\0';
        int column = hd_stat_find(s, name);
        if (column < 0)
            return hd_fail(err, HD_INVALID, "%s has no column %.60s (--group)", s->reader.name,
                           name);
        for (size_t i = 0; i < s->n_group_columns; i++)
            if (s->group_columns[i] == column)
                return hd_fail(err, HD_INVALID, "--group names the column %.60s twice", name);
        s->group_columns[s->n_group_columns++] = column;
        text += len + (text[len] == ',');
    }
    return HD_OK;
}

static hd_code check_columns(hd_stat *s, hd_err *err)
{
    for (const hd_stat_column *c = s->method->columns; c && c->name; c++) {
        const char *other = hd_stat_text(s, c->name);
        if (hd_stat_column_of(s, c->name) >= 0 || (!c->required && !other))
            continue;
        return hd_fail(err, HD_INVALID, "%s has no column %.60s: add it or name another with --%s",
                       s->reader.name, other ? other : c->name, c->name);
    }
    return HD_OK;
}

/* --- Running ---------------------------------------------------------------------------------- */

static hd_code run_once(hd_stat *s, hd_err *err)
{
    HD_TRY(set_levels(s, err));
    HD_TRY(set_groups(s, err));
    HD_TRY(check_columns(s, err));
    return s->method->run(s, err);
}

/* A group that ended must not come back: its figures were written already. */
static hd_code check_new_group(hd_stat *s, size_t row, hd_intern *seen, hd_err *err)
{
    hd_buf key;
    hd_buf_init(&key, SIZE_MAX / 2);
    for (size_t c = 0; c < s->n_group_columns; c++) {
        hd_buf_str(&key, hd_stat_cell(s, row, s->group_columns[c]));
        hd_buf_char(&key, '\0');
    }
    uint32_t before = hd_intern_count(seen), id;
    hd_code rc = hd_buf_check(&key, err);
    if (rc == HD_OK)
        rc = hd_intern_add(seen, key.data, key.len, &id, err);
    hd_buf_free(&key);
    if (rc == HD_OK && hd_intern_count(seen) == before)
        rc = hd_stat_refuse(s, row, -1, err,
                            "its group ended before: sort the rows by group or leave out --sorted");
    return rc;
}

static void show(hd_stat *s, size_t from, size_t to)
{
    s->view = NULL;
    s->first_shown = from;
    s->n_shown = to - from;
}

hd_code hd_stat_all(hd_stat *s, hd_err *err)
{
    if (s->view) /* --settings: everything is there */
        return HD_OK;
    for (bool more = true; more;)
        HD_TRY(hd_stat_read_more(s, 0, &more, err));
    show(s, 0, s->batch.n_rows);
    return HD_OK;
}

hd_code hd_stat_next(hd_stat *s, bool *more, hd_err *err)
{
    if (s->view) { /* --settings: everything is there */
        *more = !s->seen;
        s->seen = true;
        return HD_OK;
    }
    HD_TRY(hd_stat_read_more(s, s->batch.n_rows, more, err));
    show(s, 0, s->batch.n_rows);
    return HD_OK;
}

bool hd_stat_is_file(const hd_stat *s)
{
    struct stat st;
    return !s->view && fstat(s->reader.fd, &st) == 0 && S_ISREG(st.st_mode);
}

hd_code hd_stat_rewind(hd_stat *s, hd_err *err)
{
    if (lseek(s->reader.fd, s->reader.first, SEEK_SET) < 0)
        return hd_fail_os(err, "cannot read %s again", s->reader.name);
    hd_stat_batch_free(&s->batch);
    s->reader.ended = false;
    s->batch.first_row = 1;
    return HD_OK;
}

/* Rows, or groups of rows, of a batch that do not know of each other: unit i is the rows from
 * starts[i] to starts[i + 1]. Parts of some units are worked on at once, each by a copy of s with
 * its own output. */
typedef struct units {
    size_t *starts, n, cap;
} units;

typedef struct part {
    hd_stat s;
    const units *units;
    size_t from, to;
} part;

static hd_code run_units(hd_stat *s, const units *u, size_t from, size_t to, hd_err *err)
{
    for (size_t i = from; i < to; i++) {
        show(s, u->starts[i], u->starts[i + 1]);
        HD_TRY(run_once(s, err));
    }
    return HD_OK;
}

static hd_code run_part(void *context, size_t which, hd_err *err)
{
    part *p = (part *)context + which;
    return run_units(&p->s, p->units, p->from, p->to, err);
}

static hd_code run_parts(hd_stat *s, const units *u, size_t from, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = 0, rows = u->starts[u->n] - u->starts[from];
    part *parts = hd_calloc(rows / PART_ROWS + 1, sizeof *parts);
    if (!parts)
        return hd_fail_nomem(err);
    for (size_t i = from; i < u->n; n++) {
        part *p = &parts[n];
        *p = (part){.s = *s, .units = u, .from = i};
        hd_buf_init(&p->s.out, SIZE_MAX / 2);
        p->s.keep_output = true;
        while (i < u->n && u->starts[i] - u->starts[p->from] < PART_ROWS)
            i++;
        if (u->starts[u->n] - u->starts[i] < PART_ROWS)
            i = u->n;
        p->to = i;
    }
    HD_GO(hd_par_run(n, run_part, parts, err));
    for (size_t i = 0; i < n; i++) {
        HD_GO(hd_buf_check(&parts[i].s.out, err));
        hd_buf_add(&s->out, parts[i].s.out.data, parts[i].s.out.len);
        HD_GO(hd_stat_flush_full(s, err));
    }
out:
    for (size_t i = 0; i < n; i++)
        hd_buf_free(&parts[i].s.out);
    hd_free(parts);
    return rc;
}

static hd_code add_unit(units *u, size_t start, hd_err *err)
{
    if (!HD_GROW(u->starts, u->n, u->cap))
        return hd_fail_nomem(err);
    u->starts[u->n++] = start;
    return HD_OK;
}

static bool same_group(const hd_stat *s, size_t a, size_t b)
{
    for (size_t c = 0; c < s->n_group_columns; c++)
        if (strcmp(hd_stat_cell(s, a, s->group_columns[c]),
                   hd_stat_cell(s, b, s->group_columns[c])) != 0)
            return false;
    return true;
}

/* The units of the batch, ended by the row after the last; `known` rows are of one group. The group
 * at the end is left out while it may go on. */
static hd_code find_units(hd_stat *s, bool sorted, size_t known, bool more, hd_intern *seen,
                          units *u, hd_err *err)
{
    size_t n = s->batch.n_rows;
    u->n = 0;
    show(s, 0, n);
    for (size_t i = 0; i < n && !sorted; i += PART_ROWS)
        HD_TRY(add_unit(u, i, err));
    if (sorted && n)
        HD_TRY(add_unit(u, 0, err));
    for (size_t i = known ? known : 1; i < n && sorted; i++)
        if (!same_group(s, i - 1, i))
            HD_TRY(add_unit(u, i, err));
    if (!sorted || !more)
        HD_TRY(add_unit(u, n, err));
    u->n -= u->n > 0;
    for (size_t i = 0; i < u->n && sorted; i++)
        HD_TRY(check_new_group(s, u->starts[i], seen, err));
    return HD_OK;
}

/* Methods that need a row, or with --sorted a group, at a time: a piece of the table in memory. */
static hd_code run_pieces(hd_stat *s, bool sorted, hd_err *err)
{
    hd_code rc = HD_OK;
    units u = {0};
    size_t keep = 0, known = 0;
    hd_intern *seen = hd_intern_new();
    if (!seen)
        return hd_fail_nomem(err);
    for (bool more = true; more;) {
        size_t first = 0;
        HD_GO(hd_stat_read_more(s, keep, &more, err));
        HD_GO(find_units(s, sorted, known, more, seen, &u, err));
        keep = u.n ? u.starts[u.n] : 0;
        known = s->batch.n_rows - keep;
        if (u.n && !s->results) /* the first unit writes the header */
            HD_GO(run_units(s, &u, 0, first = 1, err));
        if (first < u.n)
            HD_GO(run_parts(s, &u, first, err));
    }
    if (!s->results) {
        show(s, 0, 0);
        HD_GO(run_once(s, err));
    }
out:
    hd_intern_free(seen);
    hd_free(u.starts);
    return rc;
}

static hd_code run_input(hd_stat *s, hd_err *err)
{
    bool sorted = s->method->grouped && hd_stat_switch(s, "sorted");
    HD_TRY(set_groups(s, err));
    if (s->method->input == HD_STAT_STREAM)
        return run_once(s, err);
    if (sorted || (s->method->input == HD_STAT_ROWS && !hd_stat_text(s, "group")))
        return run_pieces(s, sorted, err);
    HD_TRY(hd_stat_all(s, err));
    return run_once(s, err);
}

static hd_code check_settings(hd_stat *s, const hd_csv *t, hd_err *err)
{
    if (t->n_columns < 1 || hd_stat_find(s, t->header[0]) < 0)
        return hd_fail(err, HD_INVALID,
                       "the first column of the settings must be a column of the input");
    for (size_t c = 1; c < t->n_columns; c++)
        if (option_at(s, t->header[c]) == s->n_options)
            return hd_fail(err, HD_INVALID, "column %.60s of the settings is not an option of %s",
                           t->header[c], s->method->name);
    return HD_OK;
}

/* Which rows of the input each key of the settings is for: those of key k are order[start[k]] to
 * order[start[k + 1]]. */
typedef struct keyed {
    hd_intern *keys;
    size_t *start, *order;
} keyed;

static void keyed_free(keyed *k)
{
    hd_intern_free(k->keys);
    hd_free(k->start);
    hd_free(k->order);
}

static hd_code key_rows(hd_stat *s, const hd_csv *table, keyed *k, hd_err *err)
{
    hd_code rc = HD_OK;
    size_t n = s->batch.n_rows;
    uint32_t id, *ids = hd_calloc(n + 1, sizeof *ids);
    int column = hd_stat_find(s, table->header[0]);
    k->keys = hd_intern_new();
    k->start = hd_calloc(table->n_rows + 2, sizeof *k->start);
    k->order = hd_calloc(n + 1, sizeof *k->order);
    if (!ids || !k->keys || !k->start || !k->order)
        HD_GO(hd_fail_nomem(err));
    for (size_t r = 0; r < table->n_rows; r++) {
        const char *key = hd_csv_cell(table, r, 0);
        HD_GO(hd_intern_add(k->keys, key, strlen(key), &id, err));
    }
    for (size_t i = 0; i < n; i++) {
        const char *key = hd_stat_cell(s, i, column);
        ids[i] = hd_intern_find(k->keys, key, strlen(key));
        if (ids[i] == HD_INTERN_NONE)
            HD_GO(hd_stat_refuse(s, i, column, err, "has no row in the settings"));
        k->start[ids[i] + 2]++;
    }
    for (size_t i = 2; i < table->n_rows + 2; i++)
        k->start[i] += k->start[i - 1];
    /* start[k + 1] is where key k goes on, until its last row made it the start of k + 1. */
    for (size_t i = 0; i < n; i++)
        k->order[k->start[ids[i] + 1]++] = i;
out:
    hd_free(ids);
    return rc;
}

/* Every row of the settings in turn, over the rows of the input that it is for. */
static hd_code run_settings(hd_stat *s, const char *path, hd_err *err)
{
    hd_code rc = HD_OK;
    hd_csv table = {0};
    keyed k = {0};
    HD_TRY(hd_csv_read_file(&table, path, 1 << 26, err));
    HD_GO(check_settings(s, &table, err));
    HD_GO(hd_stat_all(s, err));
    HD_GO(key_rows(s, &table, &k, err));
    for (size_t r = 0; r < table.n_rows; r++) {
        const char *key = hd_csv_cell(&table, r, 0);
        uint32_t id = hd_intern_find(k.keys, key, strlen(key));
        s->view = k.order + k.start[id];
        s->n_shown = k.start[id + 1] - k.start[id];
        s->seen = false;
        s->settings = &table;
        s->settings_row = r;
        if (run_once(s, err) != HD_OK)
            HD_GO(hd_context(err, "row %zu of the settings", r + 1));
    }
out:
    s->view = NULL;
    s->settings = NULL;
    hd_csv_free(&table);
    keyed_free(&k);
    return rc;
}

static hd_code open_input(hd_stat *s, hd_err *err)
{
    const char *path = hd_stat_text(s, "in");
    s->reader.name = "standard input";
    s->reader.fd = STDIN_FILENO;
    if (!path || strcmp(path, "-") == 0)
        return HD_OK;
    s->reader.name = path;
    s->reader.fd = open(path, O_RDONLY | O_CLOEXEC);
    return s->reader.fd < 0 ? hd_fail_os(err, "cannot open %s", path) : HD_OK;
}

/* --out is written beside its name and renamed when everything is there. */
static hd_code run_to_output(hd_stat *s, hd_err *err)
{
    hd_code rc = HD_OK;
    const char *path = hd_stat_text(s, "out"), *settings = hd_stat_text(s, "settings");
    char *temporary = NULL;
    s->out_fd = STDOUT_FILENO;
    s->out_name = "standard output";
    if (path) {
        size_t size = strlen(path) + 32;
        temporary = hd_malloc(size);
        if (!temporary)
            return hd_fail_nomem(err);
        snprintf(temporary, size, "%s.%ld.part", path, (long)getpid());
        s->out_fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        s->out_name = path;
        if (s->out_fd < 0) {
            rc = hd_fail_os(err, "cannot write %s", path);
            hd_free(temporary);
            return rc;
        }
    }
    HD_GO(open_input(s, err));
    HD_GO(hd_stat_read_header(s, err));
    HD_GO(settings ? run_settings(s, settings, err) : run_input(s, err));
    HD_GO(hd_stat_flush(s, err));
    if (path) {
        HD_GO(hd_io_sync(s->out_fd, path, err));
        HD_GO(hd_io_rename(temporary, path, err));
    }
out:
    if (path) {
        close(s->out_fd);
        if (rc != HD_OK)
            unlink(temporary);
    }
    if (s->reader.fd > STDIN_FILENO)
        close(s->reader.fd);
    hd_free(temporary);
    return rc;
}

static void stat_free(hd_stat *s)
{
    hd_stat_batch_free(&s->header);
    hd_stat_batch_free(&s->batch);
    hd_free(s->kept);
    hd_free(s->results);
    hd_buf_free(&s->out);
}

static int run(int argc, char **argv)
{
    static const hd_command general = {.name = "stat"};
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_methods(argc < 2 ? stderr : stdout);
        return argc < 2 ? HD_EXIT_USAGE : HD_EXIT_OK;
    }
    hd_stat s = {.method = find_method(argv[1])};
    if (!s.method)
        return hd_usage_error(&general, "there is no method of that name");
    char name[64];
    snprintf(name, sizeof name, "stat %s", s.method->name);
    hd_buf help;
    hd_buf_init(&help, 1 << 20);
    method_help(s.method, &help);
    const hd_command c = {.name = name, .help = help.data};
    hd_err err = {0};
    int rc = parse_options(&s, &c, argc - 1, argv + 1);
    if (rc == HD_EXIT_OK) {
        hd_buf_init(&s.out, SIZE_MAX / 2);
        rc = run_to_output(&s, &err) == HD_OK ? HD_EXIT_OK : hd_report(&c, &err);
    }
    stat_free(&s);
    hd_buf_free(&help);
    return rc == -1 ? HD_EXIT_OK : rc;
}

const hd_command hd_command_stat = {
    .name = "stat",
    .summary = "a statistical method applied to a CSV table",
    .help = stat_help,
    .run = run,
};
