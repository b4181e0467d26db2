/* cmd_fields.c - `hdis fields TABLE [FIELD]`: what can be asked of a table, and what a field's values mean.
 *
 * The table format is for reading: expressions that repeat for each position of a list (diag_3_01 to
 * diag_3_20) are one line there, and columns that are never stored come last. CSV lists everything.
 */
#include "catalogue/catalogue.h"
#include "cli/commands.h"
#include "cli/listing.h"

#include <stdio.h>
#include <string.h>

static int run(int argc, char **argv);

const hd_command hd_command_fields = {
    "fields", "the fields of a table, and what their values mean",
    "usage: hdis fields TABLE [FIELD] [--format table|csv|json]\n\n"
    "Without FIELD: every field of the table with its type, kind, years and title.\n"
    "With FIELD: all about it, and its codes. FIELD may be one position of a list (diag_01).\n\n"
    "kinds: stored      one value a row\n"
    "       list        several values a row; any_NAME asks about all of them, primary_NAME is\n"
    "                   the first\n"
    "       expression  worked out from one other field when asked\n"
    "       key         kept as a keyed hash, to join and count; never shown\n"
    "       person      becomes the pseudonym; only count(distinct person) is allowed\n"
    "       dropped     says who somebody is; never stored\n\n"
    "years: 2013-2016 is data year 2013-14 to data year 2016-17\n\n"
    "  --format NAME   table, csv or json (table)\n\n"
    "examples: hdis fields apc\n"
    "          hdis fields apc admimeth\n",
    run};

static const char *const kinds[] = {
    [HD_FIELD_STORED] = "stored", [HD_FIELD_LIST] = "list",
    [HD_FIELD_KEY] = "key",       [HD_FIELD_PERSON] = "person",
    [HD_FIELD_IDENTIFYING] = "dropped", [HD_FIELD_EXPRESSION] = "expression",
};
static const char *const meanings[] = {
    [HD_MEANING_VALID] = "valid",     [HD_MEANING_OTHER] = "other",
    [HD_MEANING_DEFAULT] = "default", [HD_MEANING_INVALID] = "invalid",
    [HD_MEANING_MISSING] = "missing",
};

/* Data years by their first calendar year: "2013-", "-2016", "1999-2006", "" for all. */
static const char *years_text(int from, int to, char out[40])
{
    char a[16] = "", b[16] = "";
    if (from)
        snprintf(a, sizeof a, "%d", from);
    if (to)
        snprintf(b, sizeof b, "%d", to);
    snprintf(out, 40, "%s%s%s", a, from || to ? "-" : "", b);
    return out;
}

static void join(char *out, size_t size, const char *const *texts, size_t n)
{
    out[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t at = strlen(out);
        snprintf(out + at, size - at, "%s%s", i ? ", " : "", texts[i]);
    }
}

/* ---- all fields of a table ------------------------------------------------------------------- */

/* Position of the element that a field reads, 0 when it reads no element. */
static unsigned element_of(const hd_table_def *t, const hd_field *f)
{
    unsigned position = 0;
    if (f->kind != HD_FIELD_EXPRESSION || hd_table_def_field(t, f->of) ||
        !hd_table_def_element(t, f->of, &position))
        return 0;
    return position;
}

static void add_field(hd_listing *l, const hd_table_def *t, const hd_field *f, bool is_table)
{
    char years[40], name[160], title[300];
    unsigned position = is_table ? element_of(t, f) : 0, last = position;
    if (position > 1)
        return;
    if (position == 1) {
        for (size_t i = 0; i < t->n_fields; i++) {
            unsigned p = element_of(t, &t->fields[i]);
            if (p > last && strncmp(t->fields[i].name, f->name, strlen(f->name) - 2) == 0)
                last = p;
        }
        snprintf(name, sizeof name, "%s to _%02u", f->name, last);
    } else {
        snprintf(name, sizeof name, "%s", f->name);
    }
    snprintf(title, sizeof title, "%s", f->title);
    if (is_table && f->kind == HD_FIELD_LIST && f->n_elements && f->n_element_names) {
        const char *element = f->element_names[0];
        bool is_short = strlen(element) <= 12;
        size_t n = strlen(title);
        snprintf(title + n, sizeof title - n, " (%s%s%u positions)",
                 is_short ? element : "", is_short ? ", " : "", f->n_elements);
    }
    years_text(f->from_year, f->to_year, years);
    if (is_table) {
        HD_LISTING_ROW(l, name, hd_type_name(f->type), kinds[f->kind], years, title);
        return;
    }
    char positions[200], n_positions[24] = "";
    join(positions, sizeof positions, f->element_names, f->n_element_names);
    if (f->n_elements)
        snprintf(n_positions, sizeof n_positions, "%u", f->n_elements);
    HD_LISTING_ROW(l, name, hd_type_name(f->type), kinds[f->kind], years, title, n_positions,
                   positions);
}

static void list_fields(hd_listing *l, const hd_table_def *t, bool is_table)
{
    if (is_table)
        HD_LISTING_ROW(l, "field", "type", "kind", "years", "title");
    else
        HD_LISTING_ROW(l, "field", "type", "kind", "years", "title", "positions", "asked_as");
    for (int dropped = 0; dropped < 2; dropped++)
        for (size_t i = 0; i < t->n_fields; i++)
            if ((t->fields[i].kind == HD_FIELD_IDENTIFYING) == dropped)
                add_field(l, t, &t->fields[i], is_table);
}

/* ---- one field ------------------------------------------------------------------------------- */

static void add_unless_empty(hd_listing *l, const char *what, const char *text)
{
    if (text[0])
        HD_LISTING_ROW(l, what, text);
}

static void describe(hd_listing *l, const hd_table_def *t, const hd_field *f)
{
    char text[400], years[40];
    snprintf(text, sizeof text, "%s.%s", t->name, f->name);
    HD_LISTING_ROW(l, "field", text);
    HD_LISTING_ROW(l, "title", f->title);
    snprintf(text, sizeof text, "%s, %s", hd_type_name(f->type), kinds[f->kind]);
    HD_LISTING_ROW(l, "type", text);
    if (f->kind == HD_FIELD_LIST) {
        join(text, sizeof text, f->element_names, f->n_element_names);
        add_unless_empty(l, "positions", text);
    }
    if (f->from[0]) {
        snprintf(text, sizeof text, "%s.%s, %s episode", t->from, f->from,
                 strcmp(f->take, "any") == 0 ? "every" : f->take);
        HD_LISTING_ROW(l, "taken from", text);
    }
    if (f->expression[0]) {
        HD_LISTING_ROW(l, "reads", f->of);
        HD_LISTING_ROW(l, "expression", f->expression);
    }
    join(text, sizeof text, f->columns, f->n_columns);
    add_unless_empty(l, "columns", text);
    add_unless_empty(l, "years", years_text(f->from_year, f->to_year, years));
    if (f->has_range) {
        bool low = f->minimum > -1e299, high = f->maximum < 1e299;
        snprintf(text, sizeof text, "%s%.15g%s%.15g", low ? "" : "to ",
                 low ? f->minimum : f->maximum, high && low ? " to " : "", f->maximum);
        if (!high)
            snprintf(text, sizeof text, "%.15g and above", f->minimum);
        HD_LISTING_ROW(l, "range", text);
    }
    add_unless_empty(l, "pattern", f->pattern);
    if (f->is_subnational)
        HD_LISTING_ROW(l, "disclosure", "a breakdown by it is below national level");
    add_unless_empty(l, "note", f->note);
    HD_LISTING_ROW(l, "source", f->source);
}

static void list_codes(hd_listing *l, const hd_field *f)
{
    HD_LISTING_ROW(l, "code", "meaning", "years", "label");
    for (size_t i = 0; i < f->n_codes; i++) {
        const hd_code_entry *e = &f->codes[i];
        char years[40];
        HD_LISTING_ROW(l, e->code, meanings[e->meaning],
                       years_text(e->from_year, e->to_year, years), e->label);
    }
}

static hd_code show_field(const hd_table_def *t, const char *name, const char *format, hd_err *err)
{
    unsigned position;
    hd_code rc = HD_OK;
    hd_listing about = {0}, codes = {0};
    const hd_field *f = hd_table_def_field(t, name);
    if (!f)
        f = hd_table_def_element(t, name, &position);
    if (!f && strncmp(name, "any_", 4) == 0)
        f = hd_table_def_field(t, name + 4);
    if (!f && strncmp(name, "primary_", 8) == 0)
        f = hd_table_def_field(t, name + 8);
    if (!f)
        return hd_fail(err, HD_NOTFOUND, "table %s has no field '%s'; see hdis fields %s", t->name,
                       name, t->name);
    describe(&about, t, f);
    list_codes(&codes, f);
    if (strcmp(format, "table") == 0) {
        HD_GO(hd_listing_print(&about, format, err));
        if (f->n_codes == 0)
            goto out;
        puts("");
    }
    HD_GO(hd_listing_print(&codes, format, err));
out:
    hd_listing_free(&about);
    hd_listing_free(&codes);
    return rc;
}

static hd_code show(const hd_catalogue *c, const char *table, const char *field, const char *format,
                    hd_err *err)
{
    hd_listing l = {0};
    const hd_table_def *t = hd_catalogue_table(c, table);
    if (!t)
        return hd_fail(err, HD_NOTFOUND, "there is no table '%s'; see hdis datasets", table);
    if (field)
        return show_field(t, field, format, err);
    list_fields(&l, t, strcmp(format, "table") == 0);
    hd_code rc = hd_listing_print(&l, format, err);
    hd_listing_free(&l);
    return rc;
}

static int run(int argc, char **argv)
{
    const char *format = "table";
    const hd_option options[] = {{"format", &format, NULL}, {NULL, NULL, NULL}};
    char **operands;
    int n;
    int rc = hd_options(&hd_command_fields, argc, argv, options, &operands, &n);
    if (rc != HD_EXIT_OK)
        return rc < 0 ? HD_EXIT_OK : rc;
    if (n < 1)
        return hd_usage_error(&hd_command_fields, "which table? hdis datasets lists them");
    if (n > 2)
        return hd_usage_error(&hd_command_fields, "unexpected '%s'", operands[2]);
    if ((rc = hd_listing_check(&hd_command_fields, format)) != HD_EXIT_OK)
        return rc;
    hd_catalogue *c = NULL;
    hd_err err;
    hd_code code = hd_catalogue_open(&c, hd_catalogue_default_folder(), NULL, &err);
    if (code == HD_OK)
        code = show(c, operands[0], n > 1 ? operands[1] : NULL, format, &err);
    hd_catalogue_close(c);
    return code == HD_OK ? HD_EXIT_OK : hd_report(&hd_command_fields, &err);
}
