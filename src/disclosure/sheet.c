/* sheet.c - which cell each row of a file is (sheet.h). What is in the cells: sheet_fill.c. */
#include "disclosure/sheet.h"

#include "base/alloc.h"
#include "base/io.h"

#include <string.h>
#include <strings.h>

#define MAX_FILE  ((size_t)1 << 32)
#define MAX_TREE  ((size_t)1 << 27)
#define MAX_COUNT INT64_C(5000000000)
enum { MAX_CELLS = 20000000 };

/* ---- numbers --------------------------------------------------------------------------------- */

bool hd_sheet_decimal(const char *text, int64_t *digits, unsigned *decimals)
{
    int64_t n = 0;
    unsigned scale = 0, zeros = 0;
    bool has_digit = false, has_point = false;
    for (; *text; text++) {
        if (*text == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (*text < '0' || *text > '9')
            return false;
        has_digit = true;
        if (has_point && *text == '0') { /* zeros at the end say nothing */
            zeros++;
            continue;
        }
        for (; zeros; zeros--, scale++)
            if (__builtin_mul_overflow(n, 10, &n))
                return false;
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *text - '0', &n))
            return false;
        scale += has_point;
    }
    *digits = n;
    *decimals = scale;
    return has_digit;
}

bool hd_sheet_whole(const char *text, int64_t *out)
{
    unsigned decimals;
    return hd_sheet_decimal(text, out, &decimals) && decimals == 0 && *out <= MAX_COUNT;
}

/* ---- dimensions ------------------------------------------------------------------------------ */

hd_code hd_sheet_column(const hd_csv *csv, const char *file, const char *option, const char *name,
                        int *column, hd_err *err)
{
    *column = hd_csv_column(csv, name);
    /* Never the names that there are: of a file without a header they are figures. */
    if (*column < 0 && csv->n_columns == 1 && csv->header[0][strcspn(csv->header[0], ";\t|")])
        return hd_fail(err, HD_NOTFOUND,
                       "%s has one column only, cut at commas: is it separated by semicolons, tabs or "
                       "bars? Write it with commas",
                       file);
    if (*column < 0)
        return hd_fail(err, HD_NOTFOUND, "%s has no column \"%s\", which %s names", file, name,
                       option);
    return HD_OK;
}

static hd_axis *find_axis(const hd_sheet *t, const char *name, size_t len)
{
    for (size_t d = 0; d < t->n_dims; d++)
        if (strlen(t->axes[d].name) == len && strncasecmp(t->axes[d].name, name, len) == 0)
            return &t->axes[d];
    return NULL;
}

hd_code hd_sheet_figures(const hd_sheet *t, const hd_csv *csv, const char *option, const char *name,
                         int *column, hd_err *err)
{
    if (find_axis(t, name, strlen(name)))
        return hd_fail(err, HD_INVALID,
                       "%s names column \"%s\", which is a dimension: its codes are printed", option, name);
    return hd_sheet_column(csv, t->name, option, name, column, err);
}

/* "dim=rest" */
static hd_code split_option(const hd_sheet *t, const char *option, const char *text, hd_axis **axis,
                            const char **rest, hd_err *err)
{
    const char *equals = strchr(text, '=');
    if (!equals || !equals[1])
        return hd_fail(err, HD_INVALID, "%s is written DIMENSION=...: \"%s\" is not", option, text);
    *axis = find_axis(t, text, (size_t)(equals - text));
    if (!*axis)
        return hd_fail(err, HD_INVALID, "%s names a dimension that is not in --dims: \"%.*s\"",
                       option, (int)(equals - text), text);
    *rest = equals + 1;
    return HD_OK;
}

static hd_code add_axis(hd_sheet *t, const char *name, size_t len, const char *total, hd_err *err)
{
    if (len == 0)
        return hd_fail(err, HD_INVALID, "--dims has an empty name: write a,b,c");
    if (t->n_dims == HD_LATTICE_DIMENSIONS)
        return hd_fail(err, HD_LIMIT, "a table has at most %d dimensions", HD_LATTICE_DIMENSIONS);
    if (find_axis(t, name, len))
        return hd_fail(err, HD_INVALID, "--dims names \"%.*s\" twice", (int)len, name);
    char *copy = hd_strndup(name, len);
    if (!copy)
        return hd_fail_nomem(err);
    hd_code rc = hd_axis_init(&t->axes[t->n_dims], copy, total, err);
    t->n_dims++;
    hd_free(copy);
    return rc;
}

static hd_code add_tree(hd_sheet *t, const char *text, hd_err *err)
{
    hd_axis *a;
    const char *file;
    char *bytes;
    size_t len;
    HD_TRY(split_option(t, "--hierarchy", text, &a, &file, err));
    HD_TRY(hd_io_read_file(file, MAX_TREE, &bytes, &len, err));
    hd_code rc = hd_axis_tree(a, bytes, len, file, err);
    hd_free(bytes);
    return rc;
}

hd_code hd_sheet_axes(hd_sheet *t, const char *dims, const char *const *hierarchies,
                      size_t n_hierarchies, const char *total, hd_err *err)
{
    t->axes = hd_calloc(HD_LATTICE_DIMENSIONS, sizeof *t->axes);
    if (!t->axes)
        return hd_fail_nomem(err);
    for (const char *at = dims;; at++) {
        size_t len = strcspn(at, ",");
        HD_TRY(add_axis(t, at, len, total ? total : "Total", err));
        at += len;
        if (!*at)
            break;
    }
    for (size_t i = 0; i < n_hierarchies; i++)
        HD_TRY(add_tree(t, hierarchies[i], err));
    return HD_OK;
}

/* ---- the lattice ----------------------------------------------------------------------------- */

/* The dimensions by name, so that their order in --dims changes nothing. */
static hd_code make_lattice(hd_sheet *t, hd_err *err)
{
    hd_dimension dims[HD_LATTICE_DIMENSIONS];
    double n_cells = 1;
    for (size_t d = 0; d < t->n_dims; d++) {
        size_t place = 0;
        for (size_t k = 0; k < t->n_dims; k++)
            place += strcasecmp(t->axes[k].name, t->axes[d].name) < 0;
        t->lattice_dim[d] = place;
        dims[place] = hd_axis_dimension(&t->axes[d]);
        n_cells *= (double)dims[place].n_codes;
    }
    if (n_cells > MAX_CELLS)
        return hd_fail(err, HD_LIMIT,
                       "%s: the table has %.0f cells with its margins, at most %d are possible: use "
                       "fewer or coarser dimensions",
                       t->name, n_cells, MAX_CELLS);
    HD_TRY(hd_lattice_new(&t->lattice, dims, t->n_dims, err));
    t->n_cells = hd_lattice_n_cells(t->lattice);
    return HD_OK;
}

static hd_code number_row(hd_sheet *t, const hd_csv *csv, const int *columns, size_t row,
                          uint32_t *numbers, hd_err *err)
{
    for (size_t d = 0; d < t->n_dims; d++) {
        const char *code = hd_csv_cell(csv, row, columns[d]);
        if (!*code)
            return hd_fail(err, HD_FORMAT, "%s, line %zu: the code in column %s is empty", t->name,
                           csv->lines[row], t->axes[d].name);
        HD_TRY(hd_axis_code(&t->axes[d], code, &numbers[d], err));
        if (numbers[d] == HD_INTERN_NONE)
            return hd_fail(err, HD_FORMAT,
                           "%s, line %zu: the code in column %s is not in its hierarchy", t->name,
                           csv->lines[row], t->axes[d].name);
    }
    return HD_OK;
}

static size_t cell_of(const hd_sheet *t, const uint32_t *numbers)
{
    uint32_t codes[HD_LATTICE_DIMENSIONS];
    for (size_t d = 0; d < t->n_dims; d++)
        codes[t->lattice_dim[d]] = t->axes[d].place[numbers[d]];
    return hd_lattice_cell(t->lattice, codes);
}

static hd_code find_columns(const hd_sheet *t, const hd_csv *csv, const char *name, int *columns,
                            hd_err *err)
{
    for (size_t d = 0; d < t->n_dims; d++)
        HD_TRY(hd_sheet_column(csv, name, "--dims", t->axes[d].name, &columns[d], err));
    return HD_OK;
}

hd_code hd_sheet_place(hd_sheet *t, const hd_csv *csv, uint32_t **cells, hd_err *err)
{
    hd_code rc;
    int columns[HD_LATTICE_DIMENSIONS];
    uint32_t *numbers = hd_calloc(csv->n_rows * t->n_dims + 1, sizeof *numbers);
    *cells = hd_calloc(csv->n_rows + 1, sizeof **cells);
    if (!numbers || !*cells)
        HD_GO(hd_fail_nomem(err));
    HD_GO(find_columns(t, csv, t->name, columns, err));
    for (size_t row = 0; row < csv->n_rows; row++)
        HD_GO(number_row(t, csv, columns, row, &numbers[row * t->n_dims], err));
    for (size_t d = 0; d < t->n_dims; d++)
        HD_GO(hd_axis_finish(&t->axes[d], t->is_sorted, err));
    HD_GO(make_lattice(t, err));
    for (size_t row = 0; row < csv->n_rows; row++)
        (*cells)[row] = (uint32_t)cell_of(t, &numbers[row * t->n_dims]);
out:
    hd_free(numbers);
    if (rc != HD_OK) {
        hd_free(*cells);
        *cells = NULL;
    }
    return rc;
}

hd_code hd_sheet_find(const hd_sheet *t, const hd_csv *csv, const char *name, size_t row,
                      size_t *cell, hd_err *err)
{
    int columns[HD_LATTICE_DIMENSIONS];
    uint32_t numbers[HD_LATTICE_DIMENSIONS];
    HD_TRY(find_columns(t, csv, name, columns, err));
    for (size_t d = 0; d < t->n_dims; d++) {
        const char *code = hd_csv_cell(csv, row, columns[d]);
        numbers[d] = hd_intern_find(t->axes[d].texts, code, strlen(code));
        if (numbers[d] == HD_INTERN_NONE)
            return hd_fail(err, HD_FORMAT,
                           "%s, line %zu: the code in column %s is not in the table", name,
                           csv->lines[row], t->axes[d].name);
    }
    *cell = cell_of(t, numbers);
    return HD_OK;
}

hd_code hd_sheet_flag(const hd_sheet *t, const char *option, const char *text, bool *flags,
                      hd_err *err)
{
    hd_axis *a;
    const char *code;
    uint32_t codes[HD_LATTICE_DIMENSIONS];
    HD_TRY(split_option(t, option, text, &a, &code, err));
    uint32_t number = hd_intern_find(a->texts, code, strlen(code));
    if (number == HD_INTERN_NONE)
        return hd_fail(err, HD_NOTFOUND,
                       "%s: dimension %s has no such code: \"%s\" (codes are compared letter by letter)",
                       option, a->name, code);
    size_t dim = t->lattice_dim[a - t->axes];
    for (size_t c = 0; c < t->n_cells; c++) {
        hd_lattice_codes(t->lattice, c, codes);
        flags[c] |= codes[dim] == a->place[number];
    }
    return HD_OK;
}

hd_code hd_sheet_order(const hd_sheet *t, uint32_t **order, hd_err *err)
{
    uint32_t codes[HD_LATTICE_DIMENSIONS];
    *order = hd_calloc(t->n_cells + 1, sizeof **order);
    if (!*order)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t rest = i;
        for (size_t d = t->n_dims; d-- > 0;) {
            const hd_axis *a = &t->axes[d];
            codes[t->lattice_dim[d]] = a->shown[rest % a->n_codes];
            rest /= a->n_codes;
        }
        (*order)[i] = (uint32_t)hd_lattice_cell(t->lattice, codes);
    }
    return HD_OK;
}

const char *hd_sheet_code(const hd_sheet *t, size_t cell, size_t d)
{
    uint32_t codes[HD_LATTICE_DIMENSIONS];
    hd_lattice_codes(t->lattice, cell, codes);
    return t->axes[d].codes[codes[t->lattice_dim[d]]];
}

/* ---- reading --------------------------------------------------------------------------------- */

static hd_code check_options(const hd_protect_options *o, hd_err *err)
{
    bool is_table = o->count || o->contributors;
    if (o->weight && is_table)
        return hd_fail(err, HD_INVALID, "--weight goes with records: leave out --count and "
                                        "--contributors");
    if (o->weight && !o->value)
        return hd_fail(err, HD_INVALID, "--weight goes with --value");
    if (o->contributors && !o->value)
        return hd_fail(err, HD_INVALID, "--contributors goes with --value: it counts who is behind "
                                        "the sum");
    if (o->contributors && o->count)
        return hd_fail(err, HD_INVALID, "--count and --contributors say the same: give one");
    if (o->largest && !(o->value && is_table))
        return hd_fail(err, HD_INVALID, "--largest goes with --value and --contributors; of records "
                                        "the largest are known");
    return HD_OK;
}

static hd_code read_flags(hd_sheet *t, const hd_protect_options *o, hd_err *err)
{
    t->is_exact = hd_calloc(t->n_cells, sizeof *t->is_exact);
    t->is_wanted = hd_calloc(t->n_cells, sizeof *t->is_wanted);
    if (!t->is_exact || !t->is_wanted)
        return hd_fail_nomem(err);
    for (size_t i = 0; i < o->n_exact; i++)
        HD_TRY(hd_sheet_flag(t, "--exact", o->exact[i], t->is_exact, err));
    for (size_t i = 0; i < o->n_wanted; i++)
        HD_TRY(hd_sheet_flag(t, "--wanted", o->wanted[i], t->is_wanted, err));
    return HD_OK;
}

static hd_code read_sensitive(hd_sheet *t, const char *file, hd_err *err)
{
    hd_csv csv;
    hd_code rc = HD_OK;
    t->width = hd_malloc(t->n_cells * sizeof *t->width);
    if (!t->width)
        return hd_fail_nomem(err);
    memset(t->width, 0xff, t->n_cells * sizeof *t->width);
    if (!file)
        return HD_OK;
    HD_TRY(hd_csv_read_file(&csv, file, MAX_FILE, err));
    int column = hd_csv_column(&csv, "width");
    for (size_t row = 0; row < csv.n_rows; row++) {
        size_t cell;
        int64_t digits = 0;
        unsigned decimals = 0;
        HD_GO(hd_sheet_find(t, &csv, file, row, &cell, err));
        if (column >= 0 && !hd_sheet_decimal(hd_csv_cell(&csv, row, column), &digits, &decimals))
            HD_GO(hd_fail(err, HD_FORMAT, "%s, line %zu: width is not a number of 0 or more", file,
                          csv.lines[row]));
        /* In units of the sum, rounded up. */
        for (; decimals < t->decimals; decimals++)
            if (__builtin_mul_overflow(digits, 10, &digits))
                HD_GO(hd_fail(err, HD_LIMIT, "%s, line %zu: width is too large", file,
                              csv.lines[row]));
        for (; decimals > t->decimals; decimals--)
            digits = digits / 10 + (digits % 10 > 0);
        if (digits > HD_MAX_VALUE)
            HD_GO(hd_fail(err, HD_LIMIT, "%s, line %zu: width is too large", file,
                          csv.lines[row]));
        t->width[cell] = digits;
    }
out:
    hd_csv_free(&csv);
    return rc;
}

hd_code hd_sheet_read(hd_sheet *t, const hd_protect_options *o, hd_err *err)
{
    hd_code rc;
    hd_csv csv = {0};
    uint32_t *cells = NULL;
    *t = (hd_sheet){.name = o->file};
    HD_GO(check_options(o, err));
    HD_GO(hd_sheet_axes(t, o->dims, o->hierarchies, o->n_hierarchies, o->total, err));
    HD_GO(hd_csv_read_file(&csv, o->file, MAX_FILE, err));
    if (csv.n_rows == 0)
        HD_GO(hd_fail(err, HD_INVALID, "%s has a header and no rows: there is nothing to protect",
                      o->file));
    bool is_table = o->count || o->contributors;
    t->is_sorted = !is_table;
    HD_GO(hd_sheet_place(t, &csv, &cells, err));
    t->count = hd_calloc(t->n_cells, sizeof *t->count);
    if (!t->count)
        HD_GO(hd_fail_nomem(err));
    HD_GO(is_table ? hd_sheet_fill(t, o, &csv, cells, err)
                   : hd_sheet_count(t, o, &csv, cells, err));
    HD_GO(read_flags(t, o, err));
    HD_GO(read_sensitive(t, o->sensitive, err));
out:
    hd_free(cells);
    hd_csv_free(&csv);
    return rc;
}

void hd_sheet_free(hd_sheet *t)
{
    hd_wipe_free(t->count, t->n_cells * sizeof *t->count);
    hd_wipe_free(t->people, t->n_cells * sizeof *t->people);
    hd_wipe_free(t->sum, t->n_cells * sizeof *t->sum);
    hd_wipe_free(t->top, t->n_cells * HD_SHEET_TOP * sizeof *t->top);
    hd_free(t->is_given);
    hd_free(t->is_exact);
    hd_free(t->is_wanted);
    hd_free(t->width);
    hd_lattice_free(t->lattice);
    for (size_t d = 0; t->axes && d < t->n_dims; d++)
        hd_axis_free(&t->axes[d]);
    hd_free(t->axes);
    *t = (hd_sheet){0};
}
