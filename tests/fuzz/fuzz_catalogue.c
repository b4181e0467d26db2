/* fuzz_catalogue.c - definitions from anywhere: any text is refused with one line or makes a catalogue
 * whose accessors hold. */
#include "base/alloc.h"
#include "catalogue/model.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char code_sets[] = "code_sets:\n  - {name: yes_no, source: t, codes: [{code: \"Y\", "
                                "label: y}]}\n";
static const char identifying[] = "fields:\n  - {name: postcode, title: p, columns: [POSTCODE]}\n";

static hd_yaml *open_text(hd_catalogue *c, const char *text, size_t len, const hd_yaml_shape *shape)
{
    hd_yaml *y;
    hd_err err;
    if (hd_yaml_parse(&y, text, len, "text", shape, &err) != HD_OK) {
        HD_ALWAYS(strncmp(err.text, "text:", 5) == 0 && !strchr(err.text, '\n'));
        return NULL;
    }
    HD_ALWAYS(HD_GROW(c->files, c->n_files, c->cap_files));
    c->files[c->n_files++] = y;
    return y;
}

static void use(const hd_catalogue *c)
{
    const hd_table_def *t = hd_catalogue_table_at(c, 0);
    for (size_t i = 0; i < t->n_fields; i++) {
        const hd_field *f = &t->fields[i];
        unsigned position;
        HD_ALWAYS(hd_table_def_field(t, f->name) == f);
        HD_ALWAYS(!hd_table_def_element(t, f->name, &position));
        for (size_t k = 0; k < f->n_columns; k++)
            (void)hd_table_def_header(t, f->columns[k], strlen(f->columns[k]));
    }
}

static void try_table(const char *text, size_t len, bool is_built)
{
    hd_err err;
    hd_catalogue *c = hd_calloc(1, sizeof *c);
    HD_ALWAYS(c);
    c->code_sets_file = open_text(c, code_sets, strlen(code_sets), &raw_code_sets_shape);
    c->identifying_file = open_text(c, identifying, strlen(identifying), &raw_identifying_shape);
    HD_ALWAYS(c->code_sets_file && c->identifying_file);
    c->code_sets = hd_yaml_data(c->code_sets_file);
    c->identifying = hd_yaml_data(c->identifying_file);
    hd_yaml *y = open_text(c, text, len, &raw_table_shape);
    if (y) {
        HD_ALWAYS(HD_GROW(c->tables, c->n_tables, c->cap_tables));
        c->tables[c->n_tables++] =
            (draft_table){.file = y, .raw = hd_yaml_data(y), .is_built = is_built};
        if (hd_catalogue_resolve(c, &err) == HD_OK && hd_catalogue_check(c, &err) == HD_OK)
            use(c);
        else
            HD_ALWAYS(err.code == HD_FORMAT && !strchr(err.text, '\n'));
    }
    hd_catalogue_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const hd_yaml_shape *const shapes[] = {
        &raw_code_sets_shape, &raw_identifying_shape, &raw_macros_shape, &raw_lookups_shape,
        &raw_codelists_shape};
    if (size > 1 << 16)
        return 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        hd_yaml *y;
        hd_err err;
        if (hd_yaml_parse(&y, (const char *)data, size, "text", shapes[i], &err) == HD_OK)
            hd_yaml_free(y);
    }
    try_table((const char *)data, size, false);
    try_table((const char *)data, size, true);
    return 0;
}
