/* yaml.c - see yaml.h.
 *
 * cyaml does the reading: the table of keys is turned into its schema, and kept, because freeing
 * needs it. cyaml gives no line numbers for values that it accepted, so a later complaint about one
 * (a code that occurs twice, say) finds its line by composing the text again with libyaml; that
 * costs nothing while files are right.
 */
#include "catalogue/yaml.h"

#include "base/alloc.h"
#include "base/io.h"

#include <cyaml/cyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { MAX_FILE = 4 << 20, MAX_SCHEMAS = 16 };

/* What cyaml says while it fails: the first complaint, and the two innermost places. */
typedef struct complaint {
    char what[200];
    char key[80];
    unsigned long line, outer_line;
    bool in_backtrace, nomem;
} complaint;

struct hd_yaml {
    char *name, *text;
    size_t len;
    cyaml_config_t config;
    cyaml_schema_value_t top;
    cyaml_schema_field_t *fields[MAX_SCHEMAS]; /* one array a shape */
    const hd_yaml_shape *shapes[MAX_SCHEMAS];
    cyaml_schema_value_t *entries[MAX_SCHEMAS]; /* of the lists in it, at the key's position */
    size_t n_schemas;
    void *data;
    complaint complaint;
};

static const cyaml_strval_t booleans[] = {{"false", 0}, {"true", 1}};
static const cyaml_schema_value_t text_entry = {
    .type = CYAML_STRING,
    .flags = CYAML_FLAG_POINTER,
    .data_size = 1,
    .string = {.min = 0, .max = CYAML_UNLIMITED},
};

static void *memory(void *ctx, void *p, size_t size)
{
    if (size == 0) {
        hd_free(p);
        return NULL;
    }
    void *q = hd_realloc(p, size);
    if (!q)
        ((complaint *)ctx)->nomem = true;
    return q;
}

/* cyaml logs "Load: WHAT", then "Load: Backtrace:" and one line a level, innermost first, such as
 * "  in mapping field 'type' (line: 12, column: 11)". */
static void listen(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    complaint *c = ctx;
    char line[256];
    if (level < CYAML_LOG_ERROR)
        return;
    vsnprintf(line, sizeof line, fmt, args);
    line[strcspn(line, "\n")] = '\0';
    const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
    if (strncmp(text, "Backtrace", 9) == 0) {
        c->in_backtrace = true;
        return;
    }
    if (!c->in_backtrace) {
        if (!c->what[0])
            snprintf(c->what, sizeof c->what, "%.190s", text);
        const char *at = strstr(text, "line: ");
        if (at && !c->line)
            c->line = strtoul(at + 6, NULL, 10);
        return;
    }
    const char *at = strstr(text, "line: "), *quote = strchr(text, '\'');
    unsigned long number = at ? strtoul(at + 6, NULL, 10) : 0;
    if (!c->line)
        c->line = number;
    else if (!c->outer_line)
        c->outer_line = number;
    if (quote && !c->key[0] && strstr(text, "mapping field"))
        snprintf(c->key, sizeof c->key, "%.*s", (int)strcspn(quote + 1, "'"), quote + 1);
}

/* ---- table of keys to cyaml's schema --------------------------------------------------------- */

static hd_code add_schema(hd_yaml *y, const hd_yaml_shape *shape, const cyaml_schema_field_t **out,
                          hd_err *err);

static hd_code fill(hd_yaml *y, const hd_yaml_key *k, cyaml_schema_field_t *f,
                    cyaml_schema_value_t *entry, hd_err *err)
{
    static const struct {
        enum cyaml_type type;
        uint32_t size;
    } scalars[] = {
        [HD_YAML_TEXT] = {CYAML_STRING, 1},
        [HD_YAML_INTEGER] = {CYAML_INT, sizeof(int64_t)},
        [HD_YAML_DECIMAL] = {CYAML_FLOAT, sizeof(double)},
        [HD_YAML_BOOLEAN] = {CYAML_ENUM, sizeof(bool)},
    };
    f->key = k->name;
    f->data_offset = (uint32_t)k->offset;
    f->value.flags = CYAML_FLAG_POINTER | (k->required ? 0 : CYAML_FLAG_OPTIONAL);
    if (k->type <= HD_YAML_BOOLEAN) {
        f->value.type = scalars[k->type].type;
        f->value.data_size = scalars[k->type].size;
        if (k->type == HD_YAML_TEXT) {
            f->value.string.max = CYAML_UNLIMITED;
        } else if (k->type == HD_YAML_BOOLEAN) {
            f->value.flags |= CYAML_FLAG_STRICT;
            f->value.enumeration.strings = booleans;
            f->value.enumeration.count = 2;
        }
        return HD_OK;
    }
    f->count_offset = (uint32_t)k->count;
    f->count_size = sizeof(size_t);
    f->value.type = CYAML_SEQUENCE;
    f->value.sequence.max = CYAML_UNLIMITED;
    if (k->type == HD_YAML_TEXTS) {
        f->value.data_size = sizeof(char *);
        f->value.sequence.entry = &text_entry;
        return HD_OK;
    }
    entry->type = CYAML_MAPPING;
    entry->flags = CYAML_FLAG_DEFAULT;
    entry->data_size = (uint32_t)k->shape->size;
    f->value.data_size = entry->data_size;
    f->value.sequence.entry = entry;
    return add_schema(y, k->shape, &entry->mapping.fields, err);
}

static hd_code add_schema(hd_yaml *y, const hd_yaml_shape *shape, const cyaml_schema_field_t **out,
                          hd_err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < y->n_schemas; i++)
        if (y->shapes[i] == shape) {
            *out = y->fields[i];
            return HD_OK;
        }
    HD_ALWAYS(y->n_schemas < MAX_SCHEMAS);
    while (shape->keys[n].name)
        n++;
    size_t at = y->n_schemas++;
    y->shapes[at] = shape;
    y->fields[at] = hd_calloc(n + 1, sizeof *y->fields[at]); /* a NULL key ends it */
    y->entries[at] = hd_calloc(n + 1, sizeof *y->entries[at]);
    if (!y->fields[at] || !y->entries[at])
        return hd_fail_nomem(err);
    *out = y->fields[at];
    for (size_t i = 0; i < n; i++)
        HD_TRY(fill(y, &shape->keys[i], &y->fields[at][i], &y->entries[at][i], err));
    return HD_OK;
}

/* ---- complaints in our words ----------------------------------------------------------------- */

typedef size_t line_finder(yaml_document_t *d, const char *what, size_t from_line);

/* Compose the text again and ask for a line; 1 when it cannot be composed. */
static size_t look_up_line(const hd_yaml *y, line_finder *find, const char *what, size_t from_line)
{
    size_t line = 1;
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser))
        return line;
    yaml_parser_set_input_string(&parser, (const unsigned char *)y->text, y->len);
    if (yaml_parser_load(&parser, &document)) {
        line = find(&document, what, from_line);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return line;
}

/* First line at or after from_line on which some mapping has this key. */
static size_t find_key(yaml_document_t *d, const char *key, size_t from_line)
{
    size_t best = 0;
    for (yaml_node_t *n = d->nodes.start; n < d->nodes.top; n++) {
        if (n->type != YAML_MAPPING_NODE)
            continue;
        for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
            const yaml_node_t *k = yaml_document_get_node(d, p->key);
            if (!k || k->type != YAML_SCALAR_NODE || k->data.scalar.length != strlen(key) ||
                memcmp(k->data.scalar.value, key, strlen(key)) != 0)
                continue;
            size_t line = k->start_mark.line + 1;
            if (line >= from_line && (!best || line < best))
                best = line;
        }
    }
    return best ? best : from_line;
}

static hd_code say(const hd_yaml *y, cyaml_err_t e, hd_err *err)
{
    static const struct {
        const char *start, *ours;
        enum { OWN_KEY, MISSING_KEY, UNKNOWN_KEY } about;
    } words[] = {
        {"Unexpected key: ", "there is no such key", UNKNOWN_KEY},
        {"Missing required mapping field: ", "missing", MISSING_KEY},
        {"Mapping field already seen: ", "given twice", OWN_KEY},
        {"Expecting SEQUENCE", "must be a list", OWN_KEY},
        {"Expecting MAPPING", "must be keys with values", OWN_KEY},
        {"Expecting ", "must be a single value", OWN_KEY},
        {"Unexpected event", "must be a single value", OWN_KEY},
        {"Invalid ENUM value", "must be true or false", OWN_KEY},
        {"Invalid FLOAT value", "must be a number", OWN_KEY},
        {"Invalid INT value", "must be a whole number", OWN_KEY},
        {"libyaml: ", NULL, OWN_KEY},
    };
    const complaint *c = &y->complaint;
    size_t line = c->line ? c->line : 1;
    const char *key = c->key, *what = c->what[0]               ? c->what
                                       : e == CYAML_OK        ? "nothing in it"
                                       : e == CYAML_ERR_ALIAS ? "aliases (*name) are not read here"
                                                              : cyaml_strerror(e);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i].start);
        if (strncmp(c->what, words[i].start, n) != 0)
            continue;
        what = words[i].ours ? words[i].ours : c->what + n;
        if (words[i].about == OWN_KEY)
            break;
        key = c->what + n;
        line = words[i].about == UNKNOWN_KEY ? look_up_line(y, find_key, key, line)
               : c->outer_line               ? c->outer_line
                                             : line;
        break;
    }
    return hd_fail(err, HD_FORMAT, "%s:%zu: %s%s%s", y->name, line, key, key[0] ? ": " : "", what);
}

/* ---- reading --------------------------------------------------------------------------------- */

static hd_code load(hd_yaml *y, const hd_yaml_shape *shape, hd_err *err)
{
    complaint *c = &y->complaint;
    y->top.type = CYAML_MAPPING;
    y->top.flags = CYAML_FLAG_POINTER;
    y->top.data_size = (uint32_t)shape->size;
    HD_TRY(add_schema(y, shape, &y->top.mapping.fields, err));
    y->config.log_fn = listen;
    y->config.log_ctx = c;
    y->config.mem_fn = memory;
    y->config.mem_ctx = c;
    y->config.log_level = CYAML_LOG_ERROR;
    y->config.flags = CYAML_CFG_NO_ALIAS;
    cyaml_err_t e =
        cyaml_load_data((const uint8_t *)y->text, y->len, &y->config, &y->top, &y->data, NULL);
    if (e == CYAML_OK && y->data)
        return HD_OK;
    if (c->nomem || e == CYAML_ERR_OOM)
        return hd_fail_nomem(err);
    return say(y, e, err);
}

/* Takes text. */
static hd_code make(hd_yaml **out, char *text, size_t len, const char *name,
                    const hd_yaml_shape *shape, hd_err *err)
{
    hd_yaml *y = hd_calloc(1, sizeof *y);
    if (!y) {
        hd_free(text);
        return hd_fail_nomem(err);
    }
    y->text = text;
    y->len = len;
    y->name = hd_strdup(name);
    hd_code rc = y->name && text ? load(y, shape, err) : hd_fail_nomem(err);
    if (rc != HD_OK) {
        hd_yaml_free(y);
        return rc;
    }
    *out = y;
    return HD_OK;
}

hd_code hd_yaml_read(hd_yaml **out, const char *path, const hd_yaml_shape *shape, hd_err *err)
{
    char *text;
    size_t len;
    HD_TRY(hd_io_read_file(path, MAX_FILE, &text, &len, err));
    return make(out, text, len, path, shape, err);
}

hd_code hd_yaml_parse(hd_yaml **out, const char *text, size_t len, const char *name,
                      const hd_yaml_shape *shape, hd_err *err)
{
    if (len > MAX_FILE)
        return hd_fail(err, HD_LIMIT, "%s: longer than %d bytes", name, (int)MAX_FILE);
    return make(out, hd_strndup(text, len), len, name, shape, err);
}

void *hd_yaml_data(const hd_yaml *y)
{
    return y->data;
}

const char *hd_yaml_text(const hd_yaml *y, size_t *len)
{
    *len = y->len;
    return y->text;
}

void hd_yaml_free(hd_yaml *y)
{
    if (!y)
        return;
    if (y->data)
        cyaml_free(&y->config, &y->top, y->data, 0);
    for (size_t i = 0; i < y->n_schemas; i++) {
        hd_free(y->fields[i]);
        hd_free(y->entries[i]);
    }
    hd_free(y->text);
    hd_free(y->name);
    hd_free(y);
}

/* ---- where something stands ------------------------------------------------------------------ */

static const yaml_node_t *child(yaml_document_t *d, const yaml_node_t *n, const char *key,
                                size_t len, const yaml_node_t **key_node)
{
    for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
        const yaml_node_t *k = yaml_document_get_node(d, p->key);
        if (k && k->type == YAML_SCALAR_NODE && k->data.scalar.length == len &&
            memcmp(k->data.scalar.value, key, len) == 0) {
            *key_node = k;
            return yaml_document_get_node(d, p->value);
        }
    }
    return NULL;
}

/* Line of the deepest part of `where` that exists. */
static size_t find_line(yaml_document_t *d, const char *where, size_t from_line)
{
    (void)from_line;
    const yaml_node_t *n = yaml_document_get_root_node(d);
    size_t line = n ? n->start_mark.line + 1 : 1;
    while (n && *where) {
        if (*where == '.')
            where++;
        if (*where == '[') {
            long i = strtol(where + 1, NULL, 10);
            where += strcspn(where, "]");
            where += *where == ']';
            if (n->type != YAML_SEQUENCE_NODE ||
                i >= n->data.sequence.items.top - n->data.sequence.items.start)
                break;
            n = yaml_document_get_node(d, n->data.sequence.items.start[i]);
            if (n)
                line = n->start_mark.line + 1;
        } else {
            size_t len = strcspn(where, ".[");
            const yaml_node_t *key = NULL;
            n = n->type == YAML_MAPPING_NODE ? child(d, n, where, len, &key) : NULL;
            where += len;
            if (n)
                line = key->start_mark.line + 1;
        }
    }
    return line;
}

hd_code hd_yaml_fail(const hd_yaml *y, hd_err *err, const char *where, const char *fmt, ...)
{
    char what[320];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    size_t line = look_up_line(y, find_line, where, 0);
    return hd_fail(err, HD_FORMAT, "%s:%zu: %s: %s", y->name, line, where, what);
}
